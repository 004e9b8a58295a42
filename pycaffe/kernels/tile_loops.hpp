// Winograd's F(4x4, 3x3) with the points 0, +-2/3, +-3/2 and infinity: a third of the rounding error of the usual
// 0, +-1, +-2 (measured against double precision), and a * b = 1 saves products. With d the 6x6 input, g the 3x3
// weights, m = (G g G') * (B' d B), the output is A' m A, as in Lavin and Gray, "Fast algorithms for convolutional
// neural networks" (2016); the matrices follow from the points.
//
// Here: the tiles of input, output and gradient. weight_loops.hpp has the weights.
#pragma once

#include "element_loops.hpp"
#include "kernels.hpp"
#include "product_loops.hpp"

namespace idn::kernels {

namespace {

constexpr float kA = 2.f / 3, kB = 3.f / 2, kA2 = kA * kA, kB2 = kB * kB, kA3 = kA2 * kA, kB3 = kB2 * kB;
constexpr float kSum = kA2 + kB2;

struct Six {
  Vec v[6];
};
struct Four {
  Vec v[4];
};

// B' d
inline Six forward_six(const Six& d) {
  const Vec even_b = d.v[4] - kB2 * d.v[2], odd_b = d.v[3] - kB2 * d.v[1];
  const Vec even_a = d.v[4] - kA2 * d.v[2], odd_a = d.v[3] - kA2 * d.v[1];
  return {{(d.v[0] + d.v[4]) - kSum * d.v[2], even_b + kA * odd_b, even_b - kA * odd_b, even_a + kB * odd_a,
           even_a - kB * odd_a, (d.v[1] + d.v[5]) - kSum * d.v[3]}};
}

// A' m
inline Four backward_six(const Six& m) {
  const Vec sum_a = m.v[1] + m.v[2], sum_b = m.v[3] + m.v[4], difference_a = m.v[1] - m.v[2],
            difference_b = m.v[3] - m.v[4];
  return {{m.v[0] + sum_a + sum_b, kA * difference_a + kB * difference_b, kA2 * sum_a + kB2 * sum_b,
           kA3 * difference_a + (kB3 * difference_b + m.v[5])}};
}

// A y
inline Six forward_four(const Four& y) {
  const Vec even_a = y.v[0] + kA2 * y.v[2], odd_a = kA * (y.v[1] + kA2 * y.v[3]);
  const Vec even_b = y.v[0] + kB2 * y.v[2], odd_b = kB * (y.v[1] + kB2 * y.v[3]);
  return {{y.v[0], even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, y.v[3]}};
}

// The values of a row at columns 0, 1, 2 and 3 of each tile.
template <bool simple>
inline Four load_row(const Place& place, const float* row, int y) {
  Vec part[4];
#pragma GCC unroll 4
  for (int q = 0; q < 4; ++q) {
    const Piece* piece = place.piece[q];
    part[q] = load(piece[0].rows[y], row + piece[0].offset);
    if (!simple) {
      for (int p = 1; p < place.count[q]; ++p) {
        part[q] = load_more(part[q], piece[p].rows[y], row + piece[p].offset);
      }
    }
  }
  const Vec even01 = even(part[0], part[1]), even23 = even(part[2], part[3]);
  const Vec odd01 = odd(part[0], part[1]), odd23 = odd(part[2], part[3]);
  return {{even(even01, even23), even(odd01, odd23), odd(even01, even23), odd(odd01, odd23)}};
}

// The same with the two columns of the next tile.
template <bool simple>
inline Six load_long_row(const Place& place, const float* row, int y) {
  const Four first = load_row<simple>(place, row, y);
  Vec part[4];
#pragma GCC unroll 4
  for (int q = 0; q < 4; ++q) {
    const Piece* piece = place.piece[q];
    part[q] = load(piece[0].right[y], row + piece[0].offset + kTile);
    if (!simple) {
      for (int p = 1; p < place.count[q]; ++p) {
        part[q] = load_more(part[q], piece[p].right[y], row + piece[p].offset + kTile);
      }
    }
  }
  const Vec fifth = even(even(part[0], part[1]), even(part[2], part[3]));
  const Vec sixth = even(odd(part[0], part[1]), odd(part[2], part[3]));
  return {{first.v[0], first.v[1], first.v[2], first.v[3], fifth, sixth}};
}

template <bool simple>
inline void transform_input_tile(const Place& place, const float* in, int width, float* out, long frequency_stride) {
  Six row[6];
#pragma GCC unroll 6
  for (int y = 0; y < 6; ++y) {
    row[y] = forward_six(load_long_row<simple>(place, in + static_cast<long>(y) * width, y));
  }
#pragma GCC unroll 6
  for (int x = 0; x < 6; ++x) {
    const Six column = forward_six({{row[0].v[x], row[1].v[x], row[2].v[x], row[3].v[x], row[4].v[x], row[5].v[x]}});
#pragma GCC unroll 6
    for (int y = 0; y < 6; ++y) {
      store(out + (6 * y + x) * frequency_stride, column.v[y]);
    }
  }
}

void transform_input(const Place* places, int vectors, const float* in, int channels, long stride, int width,
                     float* out, long frequency_stride, long channel_stride) {
  for (int channel = 0; channel < channels; ++channel) {
    for (int i = 0; i < vectors; ++i) {
      float* to = out + channel * channel_stride + i * kLanes;
      if (places[i].simple) {
        transform_input_tile<true>(places[i], in + channel * stride, width, to, frequency_stride);
      } else {
        transform_input_tile<false>(places[i], in + channel * stride, width, to, frequency_stride);
      }
    }
  }
}

template <bool simple>
inline float transform_gradient_tile(const Place& place, const float* in, int width, float* out,
                                     long frequency_stride) {
  Six row[4];
  Vec sum = zero();
#pragma GCC unroll 4
  for (int y = 0; y < 4; ++y) {
    const Four values = load_row<simple>(place, in + static_cast<long>(y) * width, y);
    sum += (values.v[0] + values.v[1]) + (values.v[2] + values.v[3]);
    row[y] = forward_four(values);
  }
#pragma GCC unroll 6
  for (int x = 0; x < 6; ++x) {
    const Six column = forward_four({{row[0].v[x], row[1].v[x], row[2].v[x], row[3].v[x]}});
#pragma GCC unroll 6
    for (int y = 0; y < 6; ++y) {
      store(out + (6 * y + x) * frequency_stride, column.v[y]);
    }
  }
  return total(sum);
}

void transform_gradient(const Place* places, int vectors, const float* in, int channels, long stride, int width,
                        float* out, long frequency_stride, long channel_stride, double* sums) {
  for (int channel = 0; channel < channels; ++channel) {
    double sum = 0;
    for (int i = 0; i < vectors; ++i) {
      float* to = out + channel * channel_stride + i * kLanes;
      sum += places[i].simple
                 ? transform_gradient_tile<true>(places[i], in + channel * stride, width, to, frequency_stride)
                 : transform_gradient_tile<false>(places[i], in + channel * stride, width, to, frequency_stride);
    }
    if (sums) {
      sums[channel] += sum;
    }
  }
}

template <bool simple>
inline void store_row(const Place& place, const Four& columns, float* row, int y) {
  const Vec low02 = zip_low(columns.v[0], columns.v[2]), high02 = zip_high(columns.v[0], columns.v[2]);
  const Vec low13 = zip_low(columns.v[1], columns.v[3]), high13 = zip_high(columns.v[1], columns.v[3]);
  const Vec part[4] = {zip_low(low02, low13), zip_high(low02, low13), zip_low(high02, high13),
                       zip_high(high02, high13)};
#pragma GCC unroll 4
  for (int q = 0; q < 4; ++q) {
    const Piece* piece = place.piece[q];
    store(piece[0].rows[y], row + piece[0].offset, part[q]);
    if (!simple) {
      for (int p = 1; p < place.count[q]; ++p) {
        store(piece[p].rows[y], row + piece[p].offset, part[q]);
      }
    }
  }
}

template <bool simple, bool activate>
inline Vec finish_tile(const Place& place, const float* products, long frequency_stride, Vec bias, Vec slope,
                       float* out, int width) {
  Four row[6];
#pragma GCC unroll 6
  for (int y = 0; y < 6; ++y) {
    Six values;
#pragma GCC unroll 6
    for (int x = 0; x < 6; ++x) {
      values.v[x] = load(products + (6 * y + x) * frequency_stride);
    }
    row[y] = backward_six(values);
  }
  Four result[4];
  Vec nothing = zero();
#pragma GCC unroll 4
  for (int x = 0; x < 4; ++x) {
    const Four column = backward_six({{row[0].v[x], row[1].v[x], row[2].v[x], row[3].v[x], row[4].v[x], row[5].v[x]}});
#pragma GCC unroll 4
    for (int y = 0; y < 4; ++y) {
      const Vec value = column.v[y] + bias;
      nothing = add_nothing(nothing, value);
      result[y].v[x] = activate ? activated(value, slope) : value;
    }
  }
#pragma GCC unroll 4
  for (int y = 0; y < 4; ++y) {
    store_row<simple>(place, result[y], out + static_cast<long>(y) * width, y);
  }
  return nothing;
}

bool multiply_and_finish(const Place* places, int vectors, const float* transformed, long frequency_stride,
                         long channel_stride, int channels, const float* weights, int rows, float* products,
                         const float* bias, bool activate, float slope, float* out, long stride, int width) {
  const long block = static_cast<long>(kBlock) * vectors * kLanes;
  for (int frequency = 0; frequency < kFrequencies; ++frequency) {
    multiply_rows(weights + static_cast<long>(frequency) * channels * kBlock, rows,
                  transformed + frequency * frequency_stride, channel_stride, channels, vectors,
                  products + frequency * block);
  }
  Vec nothing = zero();
  for (int r = 0; r < rows; ++r) {
    const Vec shift = broadcast(bias ? bias[r] : 0.f), factor = broadcast(slope);
    for (int i = 0; i < vectors; ++i) {
      const float* from = products + (r * vectors + i) * kLanes;
      float* to = out + r * stride;
      const Place& place = places[i];
      if (place.simple) {
        nothing += activate ? finish_tile<true, true>(place, from, block, shift, factor, to, width)
                            : finish_tile<true, false>(place, from, block, shift, factor, to, width);
      } else {
        nothing += activate ? finish_tile<false, true>(place, from, block, shift, factor, to, width)
                            : finish_tile<false, false>(place, from, block, shift, factor, to, width);
      }
    }
  }
  return total(nothing) == 0;
}

}  // namespace

}  // namespace idn::kernels
