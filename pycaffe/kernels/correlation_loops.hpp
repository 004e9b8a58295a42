// Sums over windows of any size, for few output channels.
#pragma once

#include "kernels.hpp"
#include "product_loops.hpp"

namespace idn::kernels {

namespace {

template <int rows, int vectors>
void correlate_block(const float* in, long in_stride, int channels, const long* lines, int height, int width,
                     const float* weights, float* out, long out_stride) {
  Vec sums[rows][vectors];
  clear(sums);
  for (int channel = 0; channel < channels; ++channel) {
    for (int y = 0; y < height; ++y) {
      const float* from = in + channel * in_stride + lines[y];
      for (int x = 0; x < width; ++x) {
        add_products(weights, from + x, sums);
        weights += kBlock;
      }
    }
  }
  store_all(sums, out, out_stride);
}

template <int rows>
void correlate_rows(const float* in, long in_stride, int channels, const long* lines, int height, int width,
                    const float* weights, float* out, long out_stride, long pixels) {
  // Sums that do not wait for each other: a multiply-add takes four cycles, and two begin in each.
  constexpr int wide = rows == 1 ? 8 : rows == 2 ? 4 : 3;
  long pixel = 0;
  for (; pixel + (wide - 1) * kLanes < pixels; pixel += wide * kLanes) {
    correlate_block<rows, wide>(in + pixel, in_stride, channels, lines, height, width, weights, out + pixel,
                                out_stride);
  }
  for (; pixel + 2 * kLanes < pixels; pixel += 3 * kLanes) {
    correlate_block<rows, 3>(in + pixel, in_stride, channels, lines, height, width, weights, out + pixel, out_stride);
  }
  for (; pixel < pixels; pixel += kLanes) {
    correlate_block<rows, 1>(in + pixel, in_stride, channels, lines, height, width, weights, out + pixel, out_stride);
  }
}

using CorrelateRows = void (*)(const float*, long, int, const long*, int, int, const float*, float*, long, long);

constexpr CorrelateRows correlate_of[8] = {
    correlate_rows<rows_of(1)>, correlate_rows<rows_of(2)>, correlate_rows<rows_of(3)>, correlate_rows<rows_of(4)>,
    correlate_rows<rows_of(5)>, correlate_rows<rows_of(6)>, correlate_rows<rows_of(7)>, correlate_rows<rows_of(8)>};

void correlate(const float* in, long in_stride, int channels, const long* lines, int height, int width,
               const float* weights, int rows, float* out, long out_stride, long pixels) {
  for (int first = 0; first < rows; first += kRows) {
    const int now = rows - first < kRows ? rows - first : kRows;
    correlate_of[now - 1](in, in_stride, channels, lines, height, width, weights + first, out + first * out_stride,
                          out_stride, pixels);
  }
}

}  // namespace

}  // namespace idn::kernels
