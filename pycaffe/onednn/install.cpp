// Puts the fast layers into Caffe's own registries when this library is loaded, upstream's makers kept beside.
// CAFFE_CPU_ENGINE=onednn (default) or blas (nothing is replaced). A layer or solver that is made in GPU mode is
// upstream's, and so is a layer that asks for an engine by itself (`engine: CAFFE`, `engine: CUDNN`).
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include "caffe/layer_factory.hpp"
#include "caffe/solver_factory.hpp"
#include "fusion.hpp"
#include "layers.hpp"

namespace idn::onednn {

using caffe::Caffe;
using caffe::Layer;
using caffe::LayerParameter;
using caffe::LayerRegistry;

namespace {

bool asks_for_engine(const LayerParameter& param) {
  return (param.has_convolution_param() && param.convolution_param().engine() != 0) ||
         (param.has_relu_param() && param.relu_param().engine() != 0);
}

// The layer type `Name`, whose fast maker is `make`; upstream's is called where it is the right one.
template <typename Dtype, Layer<Dtype>* (*make)(const LayerParameter&)>
struct Replacement {
  static typename LayerRegistry<Dtype>::Creator upstream;

  static caffe::shared_ptr<Layer<Dtype>> create(const LayerParameter& param) {
    if (Caffe::mode() != Caffe::CPU || asks_for_engine(param)) {
      return upstream(param);
    }
    return caffe::shared_ptr<Layer<Dtype>>(make(param));
  }

  static void install(const char* type) {
    typename LayerRegistry<Dtype>::Creator& entry = LayerRegistry<Dtype>::Registry().at(type);
    upstream = entry;
    entry = create;
  }
};

template <typename Dtype, Layer<Dtype>* (*make)(const LayerParameter&)>
typename LayerRegistry<Dtype>::Creator Replacement<Dtype, make>::upstream = nullptr;

template <typename Dtype>
struct Adam {
  static typename caffe::SolverRegistry<Dtype>::Creator upstream;

  static caffe::Solver<Dtype>* create(const caffe::SolverParameter& param) {
    return Caffe::mode() == Caffe::CPU ? new_adam<Dtype>(param) : upstream(param);
  }

  static void install() {
    typename caffe::SolverRegistry<Dtype>::Creator& entry = caffe::SolverRegistry<Dtype>::Registry().at("Adam");
    upstream = entry;
    entry = create;
  }
};

template <typename Dtype>
typename caffe::SolverRegistry<Dtype>::Creator Adam<Dtype>::upstream = nullptr;

// Every maker in the registry, replaced or not, counts the layer it makes: see fusion.hpp. Makers are plain function
// pointers, so each gets a counting function of its own.
class Counting {
 public:
  static void install() {
    std::size_t index = 0;
    for (auto& entry : LayerRegistry<float>::Registry()) {
      if (index == kMost) {
        break;  // the sizes differ then, and nothing is fused
      }
      makers()[index] = entry.second;
      entry.second = counters(std::make_index_sequence<kMost>())[index];
      ++index;
    }
    counted() = index;
  }

 private:
  using Maker = LayerRegistry<float>::Creator;
  static const std::size_t kMost = 160;  // Caffe has some 80 types

  static Maker* makers() {
    static Maker made[kMost];
    return made;
  }

  static std::size_t& counted() {
    static std::size_t types = 0;
    return types;
  }

  template <std::size_t index>
  static caffe::shared_ptr<Layer<float>> count_and_make(const LayerParameter& param) {
    count_layer();
    if (LayerRegistry<float>::Registry().size() != counted()) {
      count_layer();  // types that came later do not count: a gap, so that nothing looks like a direct neighbour
    }
    return makers()[index](param);
  }

  template <std::size_t... indices>
  static const Maker* counters(std::index_sequence<indices...>) {
    static const Maker made[] = {count_and_make<indices>...};
    return made;
  }
};

template <typename Dtype>
void install_for_type() {
  Replacement<Dtype, new_relu<Dtype>>::install("ReLU");
  Replacement<Dtype, new_eltwise<Dtype>>::install("Eltwise");
  Replacement<Dtype, new_split<Dtype>>::install("Split");
  Replacement<Dtype, new_concat<Dtype>>::install("Concat");
  Replacement<Dtype, new_slice<Dtype>>::install("Slice");
  Replacement<Dtype, new_batch_norm<Dtype>>::install("BatchNorm");
  Replacement<Dtype, new_scale<Dtype>>::install("Scale");
  Adam<Dtype>::install();
}

bool install() {
  const char* asked = std::getenv("CAFFE_CPU_ENGINE");
  const std::string engine = asked && *asked ? asked : "onednn";
  if (engine == "onednn") {
    Replacement<float, new_convolution>::install("Convolution");
    Replacement<float, new_deconvolution>::install("Deconvolution");
    install_for_type<float>();
    install_for_type<double>();
    Counting::install();
  } else if (engine != "blas") {
    // Python is told by an exception before it comes here; this is for the `caffe` program
    std::fprintf(stderr, "CAFFE_CPU_ENGINE=%s: expected onednn or blas\n", asked);
    std::_Exit(2);
  }
  return true;
}

const bool installed = install();

}  // namespace

}  // namespace idn::onednn
