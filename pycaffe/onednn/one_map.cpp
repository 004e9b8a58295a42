#include "one_map.hpp"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>

#include "../kernels/dispatch.hpp"
#include "activation.hpp"
#include "runtime.hpp"

namespace idn::onednn {

using kernels::kBlock;

bool OneMap::serves(const Geometry& g) {
  const bool shape = g.stride_height == 1 && g.stride_width == 1 && g.dilation_height == 1 && g.dilation_width == 1 &&
                     g.groups == 1 && g.kernel_height * g.kernel_width > 1;
  // Two outputs already pay for Winograd's transforms; in narrow images too few sums are under way at once. Of a few
  // maps the copies of the lines would cost as much as the sums.
  return shape && g.out_channels == 1 && g.out_width >= 3 * kernels::kMostLanes && g.in_channels >= 4 &&
         kernels::best() != nullptr;
}

OneMap::OneMap(const Geometry& g, std::unique_ptr<Convolution> gradients)
    : Convolution(g),
      gradients_(std::move(gradients)),
      kernels_(*kernels::best()),
      lines_(g.in_channels, {-g.pad_height, g.kernel_height, g.in_height}, {-g.pad_width, g.kernel_width, g.in_width},
             g.out_width),
      kept_({kOneMap, g.in_channels, g.kernel_height, g.kernel_width}) {}

const float* OneMap::packed(const float* weights) {
  const Geometry& g = geometry();
  const long taps = static_cast<long>(g.in_channels) * g.kernel_height * g.kernel_width;
  return kept_.get(weights, taps, taps * kBlock, [&](float* values) {
    std::fill_n(values, taps * kBlock, 0.f);
    for (long i = 0; i < taps; ++i) {
      values[i * kBlock] = weights[i];
    }
  });
}

void OneMap::forward(const float* in, const float* weights, const float* bias, float* out) {
  const Geometry& g = geometry();
  const float* kernel = packed(weights);
  const long image_in = static_cast<long>(g.in_channels) * g.in_height * g.in_width;
  const float shift = bias ? *bias : 0.f;
  parallel_for(
      static_cast<long>(g.images) * g.out_height,
      [&](long begin, long end) {
        float* lines = static_cast<float*>(working_memory(kSource, lines_.size() * sizeof(float)));
        float* sums = static_cast<float*>(working_memory(kResult, lines_.results() * sizeof(float)));
        for (long i = begin; i < end; ++i) {
          const long image = i / g.out_height, row = i % g.out_height;
          lines_.fill(in + image * image_in, row, i == begin || row == 0, lines);
          kernels_.correlate(lines, lines_.channel_stride(), g.in_channels, lines_.offsets(row).data(), g.kernel_height,
                             g.kernel_width, kernel, 1, sums, lines_.results(), g.out_width);
          std::transform(sums, sums + g.out_width, out + i * g.out_width, [=](float sum) { return sum + shift; });
        }
      },
      1);
}

void OneMap::forward_relu(const float* in, const float* weights, const float* bias, float slope, float* out) {
  forward(in, weights, bias, out);
  const Geometry& g = geometry();
  activate(out, static_cast<long>(g.images) * g.out_height * g.out_width, slope);
}

}  // namespace idn::onednn
