#include "phases.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <vector>

#include "../kernels/dispatch.hpp"
#include "runtime.hpp"

namespace idn::onednn {

using kernels::kBlock;

bool PhasedConvolution::serves(const Geometry& g) {
  // a single channel is too little work for what the borders cost
  const bool shape = (g.stride_height > 1 || g.stride_width > 1) && g.groups == 1 && g.dilation_height == 1 &&
                     g.dilation_width == 1 && g.out_channels > 1 &&
                     g.in_channels * g.stride_height * g.stride_width <= 64 && g.kernel_height >= g.stride_height &&
                     g.kernel_width >= g.stride_width;
  return shape && kernels::best() != nullptr;
}

PhasedConvolution::PhasedConvolution(const Geometry& g)
    : DnnlBesideOwnUpsampling(g),
      kernels_(*kernels::best()),
      vertical_(g.stride_height, g.pad_height, g.kernel_height, g.out_height, g.in_height),
      horizontal_(g.stride_width, g.pad_width, g.kernel_width, g.out_width, g.in_width),
      lines_(g.out_channels, {vertical_.first, vertical_.taps, vertical_.small},
             {horizontal_.first, horizontal_.taps, horizontal_.small}, horizontal_.blocks()),
      kept_({kPhases, g.stride_height, g.stride_width, g.pad_height, g.pad_width, g.kernel_height, g.kernel_width,
             g.in_channels, g.out_channels}) {}

// The outputs are shared out evenly among passes of at most kBlock.
int PhasedConvolution::rows_at_once() const {
  const int passes = (rows() + kBlock - 1) / kBlock;
  return (rows() + passes - 1) / passes;
}

const float* PhasedConvolution::packed(const float* weights) {
  const Geometry& g = geometry();
  const std::size_t count = static_cast<std::size_t>(g.out_channels) * g.in_channels * g.kernel_height * g.kernel_width;
  const long taps = static_cast<long>(vertical_.taps) * horizontal_.taps, block = g.out_channels * taps * kBlock;
  const int at_once = rows_at_once();
  const long size = (rows() + at_once - 1) / at_once * block;
  return kept_.get(weights, count, size, [&](float* values) {
    std::fill_n(values, size, 0.f);
    for (int row = 0; row < rows(); ++row) {
      const int output = row / phases(), phase = row % phases();
      for (int channel = 0; channel < g.out_channels; ++channel) {
        const float* from =
            weights + (static_cast<long>(channel) * g.in_channels + output) * g.kernel_height * g.kernel_width;
        float* to = values + row / at_once * block + channel * taps * kBlock + row % at_once;
        for (long tap = 0; tap < taps; ++tap) {
          const int y = vertical_.kernel_tap(phase / horizontal_.stride, static_cast<int>(tap / horizontal_.taps));
          const int x = horizontal_.kernel_tap(phase % horizontal_.stride, static_cast<int>(tap % horizontal_.taps));
          if (y >= 0 && x >= 0) {
            to[tap * kBlock] = from[static_cast<long>(y) * g.kernel_width + x];
          }
        }
      }
    }
  });
}

// Results of `rows` outputs and phases to their pixels of the large image.
void PhasedConvolution::scatter(long row, int first, int rows, const float* results, float* out) const {
  const long stride = lines_.results();
  for (int i = 0; i < rows; ++i) {
    const int output = (first + i) / phases(), phase = (first + i) % phases();
    const long y = row * vertical_.stride + phase / horizontal_.stride;
    if (y >= vertical_.large) {
      continue;
    }
    float* line = out + (static_cast<long>(output) * vertical_.large + y) * horizontal_.large;
    const float* from = results + i * stride;
    for (long q = 0, x = phase % horizontal_.stride; x < horizontal_.large; ++q, x += horizontal_.stride) {
      line[x] = from[q];
    }
  }
}

// All large pixels that belong to row `row` of blocks; `lines` holds the small ones it needs.
bool PhasedConvolution::run_row(long row, const float* weights, const float* lines, float* results, float* out) const {
  const Geometry& g = geometry();
  const std::vector<long> offsets = lines_.offsets(row);
  const long block = static_cast<long>(g.out_channels) * vertical_.taps * horizontal_.taps * kBlock;
  const int at_once = rows_at_once();
  bool finite = true;
  for (int first = 0; first < rows(); first += at_once) {
    const int now = std::min(at_once, rows() - first);
    kernels_.correlate(lines, lines_.channel_stride(), g.out_channels, offsets.data(), vertical_.taps, horizontal_.taps,
                       weights + first / at_once * block, now, results, lines_.results(), pixels());
    scatter(row, first, now, results, out);
    for (int i = 0; i < now; ++i) {  // what lies between two rows of results was never written
      finite = finite && kernels_.all_finite(results + i * lines_.results(), pixels());
    }
  }
  return finite;
}

void PhasedConvolution::backward_data(const float* out_gradient, const float* weights, float* in_gradient) {
  const Geometry& g = geometry();
  const float* kernel = packed(weights);
  const long small = static_cast<long>(g.out_channels) * vertical_.small * horizontal_.small;
  const long large = static_cast<long>(g.in_channels) * vertical_.large * horizontal_.large;
  const long blocks = vertical_.blocks();
  std::atomic<bool> finite(true);
  parallel_for(
      g.images * blocks,
      [&](long begin, long end) {
        float* lines = static_cast<float*>(working_memory(kSource, lines_.size() * sizeof(float)));
        float* results = static_cast<float*>(working_memory(kResult, kBlock * lines_.results() * sizeof(float)));
        for (long i = begin; i < end; ++i) {
          const long image = i / blocks, row = i % blocks;
          lines_.fill(out_gradient + image * small, row, i == begin || row == 0, lines);
          if (!run_row(row, kernel, lines, results, in_gradient + image * large)) {
            finite = false;
          }
        }
      },
      1);
  if (!finite && DnnlConvolution::has_backward_data()) {
    // phases that have fewer taps than others multiply by 0, which makes NaN of what is not finite
    DnnlConvolution::backward_data(out_gradient, weights, in_gradient);
  }
}

}  // namespace idn::onednn
