#include "winograd.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "../kernels/dispatch.hpp"
#include "activation.hpp"
#include "dnnl_convolution.hpp"
#include "runtime.hpp"
#include "tiling.hpp"

namespace idn::onednn {

using kernels::Kernels;
using kernels::kFrequencies;
using kernels::Place;

namespace {

// Tiles whose transformed values are held at once for the gradient of the weights: they wait in the last-level cache.
constexpr long kHeld = 8L * 1024 * 1024;

Direction direction_of(const Geometry& g) {
  return {g.images,       g.groups,     g.in_channels, g.in_height,  g.in_width,
          g.out_channels, g.out_height, g.out_width,   g.pad_height, g.pad_width};
}

Direction backward_of(const Geometry& g) {
  return {g.images,      g.groups,    g.out_channels, g.out_height,     g.out_width,
          g.in_channels, g.in_height, g.in_width,     2 - g.pad_height, 2 - g.pad_width};
}

KeptWeights::Form form(Kind kind, const WinogradPass& pass) {
  return {kind, pass.direction().groups, pass.channels(), pass.rows()};
}

}  // namespace

bool Winograd::serves(const Geometry& g) {
  const bool shape = g.kernel_height == 3 && g.kernel_width == 3 && g.stride_height == 1 && g.stride_width == 1 &&
                     g.dilation_height == 1 && g.dilation_width == 1 && g.pad_height <= 2 && g.pad_width <= 2;
  // With fewer tiles than channels the transformed weights, four times the weights, are most of the work: 512 to 512
  // maps of 7x7 pixels took 3.7 times as long as oneDNN's direct sum, and their gradients six times.
  const bool large =
      Tiling(g.images, g.out_height, g.out_width).tiles() >= std::max(g.in_channels, g.out_channels) / g.groups;
  return shape && large && kernels::best() != nullptr;
}

Winograd::Winograd(const Geometry& geometry)
    : Convolution(geometry),
      kernels_(*kernels::best()),
      forward_(direction_of(geometry)),
      backward_(backward_of(geometry)),
      for_forward_(form(kWinogradForward, forward_)),
      for_backward_(form(kWinogradBackward, backward_)) {}

const float* Winograd::transformed(const float* weights, bool backward) {
  const WinogradPass& pass = backward ? backward_ : forward_;
  const int channels = pass.channels(), rows = pass.rows();
  const long row_stride = backward ? 9 : 9L * channels, channel_stride = backward ? 9L * rows : 9;
  KeptWeights& kept = backward ? for_backward_ : for_forward_;
  return kept.get(weights, static_cast<std::size_t>(pass.direction().groups) * channels * rows * 9,
                  pass.size_of_weights(),
                  [&](float* values) { pass.transform(weights, row_stride, channel_stride, backward, values); });
}

Convolution& Winograd::direct() {
  if (!direct_) {
    direct_.reset(new DnnlConvolution(geometry()));
  }
  return *direct_;
}

void Winograd::forward(const float* in, const float* weights, const float* bias, float* out) {
  if (!forward_.run(in, transformed(weights, false), bias, false, 0, out)) {
    direct().forward(in, weights, bias, out);
  }
}

void Winograd::forward_relu(const float* in, const float* weights, const float* bias, float slope, float* out) {
  if (!forward_.run(in, transformed(weights, false), bias, true, slope, out)) {
    direct().forward(in, weights, bias, out);
    const Direction& d = forward_.direction();
    activate(out, static_cast<long>(d.images) * d.out_channels * d.out_height * d.out_width, slope);
  }
}

void Winograd::backward_data(const float* out_gradient, const float* weights, float* in_gradient) {
  if (!backward_.run(out_gradient, transformed(weights, true), nullptr, false, 0, in_gradient)) {
    direct().backward_data(out_gradient, weights, in_gradient);
  }
}

// Sums of products of all tiles, frequency by frequency, and of the gradient's values. False if one is not finite.
bool Winograd::sum_products(const float* in, const float* out_gradient, float* sums, double* bias_sums) {
  const Direction& d = forward_.direction();
  const int channels = forward_.channels(), rows = forward_.rows(), lanes = kernels_.lanes;
  const long in_stride = static_cast<long>(d.in_height) * d.in_width;
  const long out_stride = static_cast<long>(d.out_height) * d.out_width;
  const Tiling& tiling = forward_.tiling();
  const Area from = {d.in_height, d.in_width, d.pad_height, d.pad_width, d.in_channels * in_stride};
  const Area to = {d.out_height, d.out_width, 0, 0, d.out_channels * out_stride};
  const long vectors = (tiling.tiles() + lanes - 1) / lanes;
  const long bytes = static_cast<long>(kFrequencies) * (d.in_channels + d.out_channels) * lanes * sizeof(float);
  const long held = std::max(1L, std::min(vectors, kHeld / bytes));
  const long channel_stride = held * lanes;
  const long in_apart = frequency_stride(d.in_channels * channel_stride);
  const long out_apart = frequency_stride(d.out_channels * channel_stride);
  const long count = static_cast<long>(d.out_channels) * channels;  // of weights, without their taps
  float* tiles = static_cast<float*>(working_memory(kTransformed, kFrequencies * in_apart * sizeof(float)));
  float* gradients = static_cast<float*>(working_memory(kProducts, kFrequencies * out_apart * sizeof(float)));
  std::fill_n(sums, kFrequencies * count, 0.f);
  for (long first = 0; first < vectors; first += held) {
    const long now = std::min(held, vectors - first);
    std::vector<Place> places_in(now), places_out(now);
    for (long i = 0; i < now; ++i) {
      places_in[i] = tiling.place(from, (first + i) * lanes, lanes, 6);
      places_out[i] = tiling.place(to, (first + i) * lanes, lanes, 4);
    }
    parallel_for(
        d.in_channels + d.out_channels,
        [&](long begin, long end) {
          const long middle = std::min<long>(std::max<long>(begin, d.in_channels), end);
          if (begin < middle) {
            kernels_.transform_input(places_in.data(), static_cast<int>(now), in + begin * in_stride,
                                     static_cast<int>(middle - begin), in_stride, d.in_width,
                                     tiles + begin * channel_stride, in_apart, channel_stride);
          }
          if (middle < end) {
            const long channel = middle - d.in_channels;
            kernels_.transform_gradient(places_out.data(), static_cast<int>(now), out_gradient + channel * out_stride,
                                        static_cast<int>(end - middle), out_stride, d.out_width,
                                        gradients + channel * channel_stride, out_apart, channel_stride,
                                        bias_sums + channel);
          }
        },
        1);
    parallel_for(
        static_cast<long>(kFrequencies) * d.groups,
        [&](long begin, long end) {
          for (long i = begin; i < end; ++i) {
            const long frequency = i / d.groups, group = i % d.groups;
            kernels_.inner_products(gradients + frequency * out_apart + group * rows * channel_stride, channel_stride,
                                    0, rows, tiles + frequency * in_apart + group * channels * channel_stride,
                                    channel_stride, 0, channels, 1, now * lanes,
                                    sums + frequency * count + group * rows * channels, channels);
          }
        },
        1);
  }
  return kernels_.all_finite(sums, kFrequencies * count);
}

void Winograd::backward_weights(const float* in, const float* out_gradient, float* weight_gradient,
                                float* bias_gradient) {
  const long count = static_cast<long>(geometry().out_channels) * forward_.channels();
  float* sums = static_cast<float*>(working_memory(kResultOfWeights, kFrequencies * count * sizeof(float)));
  std::vector<double> bias_sums(geometry().out_channels);
  if (!sum_products(in, out_gradient, sums, bias_sums.data())) {
    direct().backward_weights(in, out_gradient, weight_gradient, bias_gradient);
    return;
  }
  parallel_for(
      count,
      [&](long begin, long end) {
        kernels_.finish_gradient(sums + begin, count, end - begin, weight_gradient + begin * 9);
      },
      256);
  if (bias_gradient) {
    for (int channel = 0; channel < geometry().out_channels; ++channel) {
      bias_gradient[channel] += static_cast<float>(bias_sums[channel]);
    }
  }
}

}  // namespace idn::onednn
