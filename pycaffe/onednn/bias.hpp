// A bias and its gradient, where no kernel has taken them along.
#pragma once

#include "runtime.hpp"

namespace idn::onednn {

// Adds bias[channel] to every pixel.
inline void add_bias(const float* bias, int images, int channels, long pixels, float* values) {
  parallel_for(
      static_cast<long>(images) * channels,
      [=](long begin, long end) {
        for (long plane = begin; plane < end; ++plane) {
          const float value = bias[plane % channels];
          float* pixel = values + plane * pixels;
          for (long i = 0; i < pixels; ++i) {
            pixel[i] += value;
          }
        }
      },
      1);
}

// Adds the sum of every channel's gradients to gradient[channel].
inline void add_bias_gradient(const float* values, int images, int channels, long pixels, float* gradient) {
  parallel_for(
      channels,
      [=](long begin, long end) {
        for (long channel = begin; channel < end; ++channel) {
          double sum = 0;  // up to millions of pixels: floats would lose what small gradients add
          for (int image = 0; image < images; ++image) {
            const float* pixel = values + (static_cast<long>(image) * channels + channel) * pixels;
            for (long i = 0; i < pixels; ++i) {
              sum += pixel[i];
            }
          }
          gradient[channel] += static_cast<float>(sum);
        }
      },
      1);
}

}  // namespace idn::onednn
