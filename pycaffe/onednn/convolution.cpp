#include "convolution.hpp"

#include <cstring>
#include <memory>
#include <utility>

#include "dnnl_convolution.hpp"
#include "one_map.hpp"
#include "phases.hpp"
#include "pointwise.hpp"
#include "runtime.hpp"
#include "upsampling.hpp"
#include "winograd.hpp"

namespace idn::onednn {

bool Geometry::operator==(const Geometry& other) const { return std::memcmp(this, &other, sizeof other) == 0; }

Convolution::Convolution(const Geometry& geometry) : geometry_(geometry), threads_(idn::onednn::threads()) {}

namespace {

std::unique_ptr<Convolution> make_any(const Geometry& geometry) {
  if (Winograd::serves(geometry)) {
    return std::unique_ptr<Convolution>(new Winograd(geometry));
  }
  if (Pointwise::serves(geometry)) {
    return std::unique_ptr<Convolution>(new Pointwise(geometry));
  }
  if (Upsampling::serves(geometry)) {
    return std::unique_ptr<Convolution>(new Upsampling(geometry));
  }
  if (PhasedConvolution::serves(geometry)) {
    return std::unique_ptr<Convolution>(new PhasedConvolution(geometry));
  }
  return std::unique_ptr<Convolution>(new DnnlConvolution(geometry));
}

}  // namespace

std::unique_ptr<Convolution> Convolution::make(const Geometry& geometry) {
  std::unique_ptr<Convolution> made = make_any(geometry);
  return OneMap::serves(geometry) ? std::unique_ptr<Convolution>(new OneMap(geometry, std::move(made)))
                                  : std::move(made);
}

bool needs_no_copies(const Geometry& geometry, bool transposed) {
  return Winograd::serves(geometry) || Pointwise::serves(geometry) ||
         (transposed ? PhasedConvolution::serves(geometry) || Upsampling::serves(geometry) : OneMap::serves(geometry));
}

}  // namespace idn::onednn

extern "C" int caffe_onednn_needs_no_copies(const int* numbers, int transposed) {
  idn::onednn::Geometry geometry;
  std::memcpy(&geometry, numbers, sizeof geometry);
  return idn::onednn::needs_no_copies(geometry, transposed != 0);
}
