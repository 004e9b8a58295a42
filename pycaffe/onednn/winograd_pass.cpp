#include "winograd_pass.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "../kernels/dispatch.hpp"
#include "runtime.hpp"

namespace idn::onednn {

using kernels::kBlock;
using kernels::kFrequencies;
using kernels::kTile;
using kernels::kVectors;
using kernels::Place;

namespace {

// Transformed tiles of one pass over all channels should stay in a core's second-level cache.
constexpr long kCache = 768 * 1024;

// Vectors that a pass holds: fewer where there are many channels.
int vectors_at_once(int channels, int lanes) {
  const long bytes = static_cast<long>(kFrequencies) * channels * lanes * sizeof(float);
  return static_cast<int>(std::max(1L, std::min<long>(kVectors, kCache / bytes)));
}

// The place of a whole vector in rows of `tiles` tiles, `first` tiles from their beginning.
Place in_a_row(int first, int lanes) {
  Place place = {};
  place.simple = true;
  for (int q = 0; q < 4; ++q) {
    place.count[q] = 1;
    place.piece[q][0].offset = static_cast<long>(first) * kTile + q * lanes;
    std::memset(place.piece[q][0].rows, 0xff, sizeof place.piece[q][0].rows);
  }
  return place;
}

}  // namespace

// Where results go: to an array, or to a receiver.
struct WinogradPass::To {
  const float* bias;
  bool activate;
  float slope;
  float* out;
  const Receiver* receive;
};

long frequency_stride(long values) { return round_up(values, 16) + 16; }

WinogradPass::WinogradPass(const Direction& direction)
    : kernels_(*kernels::best()),
      direction_(direction),
      tiling_(direction.images, direction.out_height, direction.out_width) {}

long WinogradPass::size_of_group() const {
  return kFrequencies * static_cast<long>(channels()) * round_up(rows(), kBlock);
}

void WinogradPass::transform(const float* in, long row_stride, long channel_stride, bool flipped, float* out) const {
  const long blocks = (rows() + kBlock - 1) / kBlock, group_size = static_cast<long>(channels()) * rows() * 9;
  parallel_for(
      direction_.groups * blocks,
      [&](long begin, long end) {
        for (long i = begin; i < end; ++i) {
          const long group = i / blocks, first = i % blocks * kBlock;
          kernels_.transform_weights(in + group * group_size + first * row_stride,
                                     static_cast<int>(std::min<long>(kBlock, rows() - first)), row_stride, channels(),
                                     channel_stride, flipped,
                                     out + group * size_of_group() + first * channels() * kFrequencies);
        }
      },
      1);
}

bool WinogradPass::run(const float* in, const float* weights, const float* bias, bool activate, float slope,
                       float* out) const {
  return run_to(in, weights, {bias, activate, slope, out, nullptr});
}

bool WinogradPass::run(const float* in, const float* weights, const Receiver& receive) const {
  return run_to(in, weights, {nullptr, false, 0, nullptr, &receive});
}

bool WinogradPass::run_to(const float* in, const float* weights, const To& to) const {
  std::atomic<bool> finite(true);
  parallel_for((tiling_.tiles() + kernels_.lanes - 1) / kernels_.lanes,
               [&](long begin, long end) {
                 if (!run_vectors(in, weights, to, begin, end)) {
                   finite = false;
                 }
               },
               1);
  return finite;
}

// Vectors begin..end, all channels.
bool WinogradPass::run_vectors(const float* in, const float* weights, const To& to, long begin, long end) const {
  const Direction& d = direction_;
  const int lanes = kernels_.lanes, at_once = vectors_at_once(d.in_channels, lanes);
  const long in_stride = static_cast<long>(d.in_height) * d.in_width;
  const long out_stride = static_cast<long>(d.out_height) * d.out_width;
  const Area from = {d.in_height, d.in_width, d.pad_height, d.pad_width, d.in_channels * in_stride};
  const Area onto = {d.out_height, d.out_width, 0, 0, d.out_channels * out_stride};
  const long channel_stride = static_cast<long>(at_once) * lanes;
  const long apart = frequency_stride(d.in_channels * channel_stride);
  float* tiles = static_cast<float*>(working_memory(kTransformed, kFrequencies * apart * sizeof(float)));
  float* products =
      static_cast<float*>(working_memory(kProducts, kFrequencies * kBlock * channel_stride * sizeof(float)));
  float* finished =
      to.out ? nullptr
             : static_cast<float*>(working_memory(kResult, kTile * kTile * kBlock * channel_stride * sizeof(float)));
  Place places_in[kVectors], places_out[kVectors];
  bool finite = true;
  for (long vector = begin; vector < end; vector += at_once) {
    const int now = static_cast<int>(std::min<long>(at_once, end - vector));
    for (int i = 0; i < now; ++i) {
      places_in[i] = tiling_.place(from, (vector + i) * lanes, lanes, 6);
      places_out[i] = to.out ? tiling_.place(onto, (vector + i) * lanes, lanes, 4) : in_a_row(i * lanes, lanes);
    }
    kernels_.transform_input(places_in, now, in, d.in_channels, in_stride, d.in_width, tiles, apart, channel_stride);
    for (int group = 0; group < d.groups; ++group) {
      for (int row = 0; row < rows(); row += kBlock) {
        const int channel = group * rows() + row, count = std::min(kBlock, rows() - row), width = now * lanes * kTile;
        finite &= kernels_.multiply_and_finish(places_out, now, tiles + group * channels() * channel_stride, apart,
                                               channel_stride, channels(),
                                               weights + group * size_of_group() + row * channels() * kFrequencies,
                                               count, products, to.bias ? to.bias + channel : nullptr, to.activate,
                                               to.slope, to.out ? to.out + channel * out_stride : finished,
                                               to.out ? out_stride : kTile * width, to.out ? d.out_width : width);
        if (to.receive) {
          (*to.receive)({vector * lanes, now * lanes, channel, count, finished});
        }
      }
    }
  }
  return finite;
}

}  // namespace idn::onednn
