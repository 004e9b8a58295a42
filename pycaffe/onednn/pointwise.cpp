#include "pointwise.hpp"

#include <algorithm>
#include <cstddef>

#include "../kernels/dispatch.hpp"
#include "bias.hpp"
#include "runtime.hpp"

namespace idn::onednn {

using kernels::kBlock;

namespace {

// Pixels whose channels stay in the first-level cache while all outputs are computed; a multiple of every vector.
constexpr long kPixels = 96;

}  // namespace

bool Pointwise::serves(const Geometry& g) {
  const bool shape = g.kernel_height == 1 && g.kernel_width == 1 && g.stride_height == 1 && g.stride_width == 1 &&
                     g.pad_height == 0 && g.pad_width == 0;
  return shape && kernels::best() != nullptr;
}

Pointwise::Pointwise(const Geometry& g)
    : Convolution(g),
      kernels_(*kernels::best()),
      in_channels_(g.in_channels / g.groups),
      out_channels_(g.out_channels / g.groups),
      pixels_(static_cast<long>(g.in_height) * g.in_width),
      for_forward_({kPointwiseForward, g.groups, in_channels_, out_channels_}),
      for_backward_({kPointwiseBackward, g.groups, out_channels_, in_channels_}) {}

const float* Pointwise::packed(const float* weights, int channels, int rows, long row_step, long channel_step,
                               KeptWeights& kept) const {
  const int groups = geometry().groups;
  const std::size_t count = static_cast<std::size_t>(groups) * channels * rows;
  const long padded = channels * round_up(rows, kBlock);  // values of a group
  return kept.get(weights, count, static_cast<std::size_t>(groups * padded), [&](float* values) {
    for (int group = 0; group < groups; ++group) {
      const float* from = weights + static_cast<long>(group) * channels * rows;
      float* to = values + group * padded;
      for (int row = 0; row < rows; ++row) {
        for (int channel = 0; channel < channels; ++channel) {
          to[(static_cast<long>(row) / kBlock * channels + channel) * kBlock + row % kBlock] =
              from[row * row_step + channel * channel_step];
        }
      }
    }
  });
}

void Pointwise::run(const float* in, int channels, const float* weights, int rows, const float* bias, bool activate,
                    float slope, float* out) const {
  const int groups = geometry().groups;
  const long parts = (pixels_ + kPixels - 1) / kPixels;
  parallel_for(
      geometry().images * parts,
      [&](long begin, long end) {
        for (long i = begin; i < end; ++i) {
          const long image = i / parts, pixel = i % parts * kPixels, count = std::min(kPixels, pixels_ - pixel);
          for (int group = 0; group < groups; ++group) {
            const float* from = in + (image * groups + group) * channels * pixels_ + pixel;
            for (int row = 0; row < rows; row += kBlock) {
              const long out_row = static_cast<long>(group) * rows + row;
              kernels_.pointwise(from, pixels_, channels,
                                 weights + (static_cast<long>(group) * round_up(rows, kBlock) + row) * channels,
                                 std::min(kBlock, rows - row), bias ? bias + out_row : nullptr, activate, slope,
                                 out + (image * groups * rows + out_row) * pixels_ + pixel, pixels_, count);
            }
          }
        }
      },
      1);
}

void Pointwise::forward(const float* in, const float* weights, const float* bias, float* out) {
  run(in, in_channels_, packed(weights, in_channels_, out_channels_, in_channels_, 1, for_forward_), out_channels_,
      bias, false, 0, out);
}

void Pointwise::forward_relu(const float* in, const float* weights, const float* bias, float slope, float* out) {
  run(in, in_channels_, packed(weights, in_channels_, out_channels_, in_channels_, 1, for_forward_), out_channels_,
      bias, true, slope, out);
}

void Pointwise::backward_data(const float* out_gradient, const float* weights, float* in_gradient) {
  run(out_gradient, out_channels_, packed(weights, out_channels_, in_channels_, 1, in_channels_, for_backward_),
      in_channels_, nullptr, false, 0, in_gradient);
}

void Pointwise::backward_weights(const float* in, const float* out_gradient, float* weight_gradient,
                                 float* bias_gradient) {
  const Geometry& g = geometry();
  const long blocks = (out_channels_ + kBlock - 1) / kBlock;
  parallel_for(
      g.groups * blocks,
      [&](long begin, long end) {
        for (long i = begin; i < end; ++i) {
          const long group = i / blocks, row = group * out_channels_ + i % blocks * kBlock;
          const long rows = std::min<long>(kBlock, (group + 1) * out_channels_ - row);
          kernels_.inner_products(out_gradient + row * pixels_, pixels_, g.out_channels * pixels_,
                                  static_cast<int>(rows), in + group * in_channels_ * pixels_, pixels_,
                                  g.in_channels * pixels_, in_channels_, g.images, pixels_,
                                  weight_gradient + row * in_channels_, in_channels_);
        }
      },
      1);
  if (bias_gradient) {
    add_bias_gradient(out_gradient, g.images, g.out_channels, pixels_, bias_gradient);
  }
}

}  // namespace idn::onednn
