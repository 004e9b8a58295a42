// 1x1 convolutions.
#pragma once

#include "element_loops.hpp"
#include "kernels.hpp"
#include "product_loops.hpp"

namespace idn::kernels {

namespace {

template <int rows, int vectors>
inline void finish_pointwise(const Vec (&products)[rows][vectors], const float* bias, bool activate, Vec slope,
                             float* out, long out_stride, unsigned mask) {
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) {
    const Vec shift = broadcast(bias ? bias[r] : 0.f);
#pragma GCC unroll 3
    for (int i = 0; i < vectors; ++i) {
      const Vec value = products[r][i] + shift;
      const Vec result = activate ? activated(value, slope) : value;
      if (mask) {
        store(mask, out + r * out_stride + i * kLanes, result);
      } else {
        store(out + r * out_stride + i * kLanes, result);
      }
    }
  }
}

template <int rows, int vectors>
inline void pointwise_block(const float* weights, const float* in, long in_stride, int channels, const float* bias,
                            bool activate, Vec slope, float* out, long out_stride) {
  Vec products[rows][vectors];
  multiply<rows, vectors>(weights, in, in_stride, channels, products);
  finish_pointwise<rows, vectors>(products, bias, activate, slope, out, out_stride, 0);
}

// The last, incomplete vector.
template <int rows>
inline void pointwise_rest(const float* weights, const float* in, long in_stride, int channels, const float* bias,
                           bool activate, Vec slope, float* out, long out_stride, unsigned mask) {
  Vec products[rows][1];
  clear(products);
  for (int channel = 0; channel < channels; ++channel) {
    const Vec value = load(mask, in + channel * in_stride);
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r) {
      products[r][0] = multiply_add(broadcast(weights[static_cast<long>(channel) * kBlock + r]), value, products[r][0]);
    }
  }
  finish_pointwise<rows, 1>(products, bias, activate, slope, out, out_stride, mask);
}

template <int rows>
void pointwise_rows(const float* weights, const float* in, long in_stride, int channels, const float* bias,
                    bool activate, Vec slope, float* out, long out_stride, long pixels) {
  long pixel = 0;
  for (; pixel + 3 * kLanes <= pixels; pixel += 3 * kLanes) {
    pointwise_block<rows, 3>(weights, in + pixel, in_stride, channels, bias, activate, slope, out + pixel, out_stride);
  }
  for (; pixel + kLanes <= pixels; pixel += kLanes) {
    pointwise_block<rows, 1>(weights, in + pixel, in_stride, channels, bias, activate, slope, out + pixel, out_stride);
  }
  if (pixel < pixels) {
    pointwise_rest<rows>(weights, in + pixel, in_stride, channels, bias, activate, slope, out + pixel, out_stride,
                         (1u << (pixels - pixel)) - 1);
  }
}

void pointwise(const float* in, long in_stride, int channels, const float* weights, int rows, const float* bias,
               bool activate, float slope, float* out, long out_stride, long pixels) {
  const Vec factor = broadcast(slope);
  int row = 0;
  for (; row + kRows <= rows; row += kRows) {
    pointwise_rows<kRows>(weights + row, in, in_stride, channels, bias ? bias + row : bias, activate, factor,
                          out + row * out_stride, out_stride, pixels);
  }
  for (; row < rows; ++row) {
    pointwise_rows<1>(weights + row, in, in_stride, channels, bias ? bias + row : bias, activate, factor,
                      out + row * out_stride, out_stride, pixels);
  }
}

}  // namespace

}  // namespace idn::kernels
