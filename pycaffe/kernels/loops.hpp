// The loops of kernels.hpp for one instruction set. Included once by each of avx2.cpp and avx512.cpp, which define
// before it, in the unnamed namespace: the vector `Vec` with `kLanes` floats and the functions used here.
// Nothing of the standard library is called: the linker could take such a function, compiled for this instruction
// set, for the whole program.
//
// Winograd's F(4x4, 3x3) with the points 0, +-2/3, +-3/2 and infinity: a third of the rounding error of the usual
// 0, +-1, +-2 (measured against double precision), and a * b = 1 saves products. With d the 6x6 input, g the 3x3
// weights, m = (G g G') * (B' d B), the output is A' m A, as in Lavin and Gray, "Fast algorithms for convolutional
// neural networks" (2016); the matrices follow from the points.
#pragma once

#include "kernels.hpp"

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

// products[row][vector] = sum over channels of weights[channel][row] * values[channel][vector]
template <int rows, int vectors>
inline void multiply(const float* weights, const float* values, long channel_stride, int channels,
                     Vec (&products)[rows][vectors]) {
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 3
    for (int i = 0; i < vectors; ++i) {
      products[r][i] = zero();
    }
  }
  for (int channel = 0; channel < channels; ++channel) {
    Vec value[vectors];
#pragma GCC unroll 3
    for (int i = 0; i < vectors; ++i) {
      value[i] = load(values + i * kLanes);
    }
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r) {
      const Vec weight = broadcast(weights[r]);
#pragma GCC unroll 3
      for (int i = 0; i < vectors; ++i) {
        products[r][i] = multiply_add(weight, value[i], products[r][i]);
      }
    }
    values += channel_stride;
    weights += kBlock;
  }
}

template <int rows, int vectors>
void multiply_and_store(const float* weights, const float* values, long channel_stride, int channels, float* out) {
  Vec products[rows][vectors];
  multiply<rows, vectors>(weights, values, channel_stride, channels, products);
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 3
    for (int i = 0; i < vectors; ++i) {
      store(out + (r * vectors + i) * kLanes, products[r][i]);
    }
  }
}

using MultiplyAndStore = void (*)(const float*, const float*, long, int, float*);

// by rows - 1 and vectors - 1; registers hold kRows rows of kVectors vectors
template <int vectors>
constexpr MultiplyAndStore multiply_of[8] = {
    multiply_and_store<1, vectors>,
    multiply_and_store < kRows < 2 ? kRows : 2,
    vectors >,
    multiply_and_store < kRows < 3 ? kRows : 3,
    vectors >,
    multiply_and_store < kRows < 4 ? kRows : 4,
    vectors >,
    multiply_and_store < kRows < 5 ? kRows : 5,
    vectors >,
    multiply_and_store < kRows < 6 ? kRows : 6,
    vectors >
    , multiply_and_store < kRows < 7 ? kRows : 7, vectors >, multiply_and_store < kRows < 8 ? kRows : 8, vectors > };

inline void multiply_rows(const float* weights, int rows, const float* values, long channel_stride, int channels,
                          int vectors, float* out) {
  for (int first = 0; first < rows; first += kRows) {
    const int now = rows - first < kRows ? rows - first : kRows;
    const MultiplyAndStore function = vectors == 3   ? multiply_of<3>[now - 1]
                                      : vectors == 2 ? multiply_of<2>[now - 1]
                                                     : multiply_of<1>[now - 1];
    function(weights + first, values, channel_stride, channels, out + static_cast<long>(first) * vectors * kLanes);
  }
}

// NaN stays NaN: the instructions return their second operand then
inline Vec activated(Vec x, Vec slope) { return larger(zero(), x) + slope * smaller(zero(), x); }

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

// Adds 0 to `sum` for each finite value, and NaN for any other.
inline Vec add_nothing(Vec sum, Vec value) { return multiply_add(value, zero(), sum); }

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

struct Rows {
  const float* data;
  long stride, image;
};

// sums[r][c] += inner products of rows of `values` values.
template <int rows, int columns>
inline void inner_products_of(const Rows& a, const Rows& b, int images, long values, float* sums, long sums_stride) {
  Vec products[rows][columns];
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 3
    for (int c = 0; c < columns; ++c) {
      products[r][c] = zero();
    }
  }
  const unsigned last = (1u << (values % kLanes)) - 1;
  for (int image = 0; image < images; ++image) {
    const float* left = a.data + image * a.image;
    const float* right = b.data + image * b.image;
    long i = 0;
    for (; i + kLanes <= values; i += kLanes) {
      Vec value[columns];
#pragma GCC unroll 3
      for (int c = 0; c < columns; ++c) {
        value[c] = load(right + c * b.stride + i);
      }
#pragma GCC unroll 8
      for (int r = 0; r < rows; ++r) {
        const Vec other = load(left + r * a.stride + i);
#pragma GCC unroll 3
        for (int c = 0; c < columns; ++c) {
          products[r][c] = multiply_add(other, value[c], products[r][c]);
        }
      }
    }
    if (last) {
      Vec value[columns];
#pragma GCC unroll 3
      for (int c = 0; c < columns; ++c) {
        value[c] = load(last, right + c * b.stride + i);
      }
#pragma GCC unroll 8
      for (int r = 0; r < rows; ++r) {
        const Vec other = load(last, left + r * a.stride + i);
#pragma GCC unroll 3
        for (int c = 0; c < columns; ++c) {
          products[r][c] = multiply_add(other, value[c], products[r][c]);
        }
      }
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 3
    for (int c = 0; c < columns; ++c) {
      sums[r * sums_stride + c] += total(products[r][c]);
    }
  }
}

template <int rows>
inline void inner_products_of_rows(const Rows& a, Rows b, int columns, int images, long values, float* sums,
                                   long sums_stride) {
  int column = 0;
  for (; column + 3 <= columns; column += 3, b.data += 3 * b.stride) {
    inner_products_of<rows, 3>(a, b, images, values, sums + column, sums_stride);
  }
  for (; column < columns; ++column, b.data += b.stride) {
    inner_products_of<rows, 1>(a, b, images, values, sums + column, sums_stride);
  }
}

void inner_products(const float* a, long a_stride, long a_image, int rows, const float* b, long b_stride, long b_image,
                    int columns, int images, long values, float* sums, long sums_stride) {
  Rows left = {a, a_stride, a_image};
  const Rows right = {b, b_stride, b_image};
  int row = 0;
  for (; row + kRows <= rows; row += kRows, left.data += kRows * a_stride) {
    inner_products_of_rows<kRows>(left, right, columns, images, values, sums + row * sums_stride, sums_stride);
  }
  for (; row + 2 <= rows; row += 2, left.data += 2 * a_stride) {
    inner_products_of_rows<2>(left, right, columns, images, values, sums + row * sums_stride, sums_stride);
  }
  for (; row < rows; ++row, left.data += a_stride) {
    inner_products_of_rows<1>(left, right, columns, images, values, sums + row * sums_stride, sums_stride);
  }
}

void interleave(const float* even, const float* odd, long count, float* out) {
  long i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const Vec left = load(even + i), right = load(odd + i);
    store(out + 2 * i, zip_low(left, right));
    store(out + 2 * i + kLanes, zip_high(left, right));
  }
  for (; i < count; ++i) {
    out[2 * i] = even[i];
    out[2 * i + 1] = odd[i];
  }
}

bool all_finite(const float* values, long count) {
  Vec nothing = zero();
  for (long i = 0; i < count; i += kLanes) {
    const unsigned mask = count - i < kLanes ? (1u << (count - i)) - 1 : (1ul << kLanes) - 1;
    nothing = add_nothing(nothing, load(mask, values + i));
  }
  return total(nothing) == 0;
}

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
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) {
    products[r][0] = zero();
  }
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

template <int rows, int vectors>
void correlate_block(const float* in, long in_stride, int channels, const long* lines, int height, int width,
                     const float* weights, float* out, long out_stride) {
  Vec sums[rows][vectors];
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 8
    for (int i = 0; i < vectors; ++i) {
      sums[r][i] = zero();
    }
  }
  for (int channel = 0; channel < channels; ++channel) {
    for (int y = 0; y < height; ++y) {
      const float* from = in + channel * in_stride + lines[y];
      for (int x = 0; x < width; ++x) {
        Vec value[vectors];
#pragma GCC unroll 8
        for (int i = 0; i < vectors; ++i) {
          value[i] = load(from + x + i * kLanes);
        }
#pragma GCC unroll 8
        for (int r = 0; r < rows; ++r) {
          const Vec weight = broadcast(weights[r]);
#pragma GCC unroll 8
          for (int i = 0; i < vectors; ++i) {
            sums[r][i] = multiply_add(weight, value[i], sums[r][i]);
          }
        }
        weights += kBlock;
      }
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 8
    for (int i = 0; i < vectors; ++i) {
      store(out + r * out_stride + i * kLanes, sums[r][i]);
    }
  }
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

constexpr CorrelateRows correlate_of[8] = {correlate_rows<1>,
                                           correlate_rows < kRows < 2 ? kRows : 2 >,
                                           correlate_rows < kRows < 3 ? kRows : 3 >,
                                           correlate_rows < kRows < 4 ? kRows : 4 >,
                                           correlate_rows < kRows < 5 ? kRows : 5 >,
                                           correlate_rows < kRows < 6 ? kRows : 6 >,
                                           correlate_rows < kRows < 7 ? kRows : 7 >,
                                           correlate_rows < kRows < 8 ? kRows : 8 > };

void correlate(const float* in, long in_stride, int channels, const long* lines, int height, int width,
               const float* weights, int rows, float* out, long out_stride, long pixels) {
  for (int first = 0; first < rows; first += kRows) {
    const int now = rows - first < kRows ? rows - first : kRows;
    correlate_of[now - 1](in, in_stride, channels, lines, height, width, weights + first, out + first * out_stride,
                          out_stride, pixels);
  }
}

// Rows of G: 1, p, p^2 over the product of the distances to the other points.
constexpr double kPointA = 2. / 3, kPointB = 3. / 2;
constexpr double kShareA = 1 / (2 * kPointA * kPointA * (kPointA * kPointA - kPointB * kPointB));
constexpr double kShareB = 1 / (2 * kPointB * kPointB * (kPointB * kPointB - kPointA * kPointA));

// G g of kBlock columns at once
inline void spread(const double (&g)[3][kBlock], double (&out)[6][kBlock]) {
  for (int r = 0; r < kBlock; ++r) {
    const double even_a = kShareA * (g[0][r] + kPointA * kPointA * g[2][r]), odd_a = kShareA * kPointA * g[1][r];
    const double even_b = kShareB * (g[0][r] + kPointB * kPointB * g[2][r]), odd_b = kShareB * kPointB * g[1][r];
    out[0][r] = g[0][r];
    out[1][r] = even_a + odd_a;
    out[2][r] = even_a - odd_a;
    out[3][r] = even_b + odd_b;
    out[4][r] = even_b - odd_b;
    out[5][r] = g[2][r];
  }
}

void transform_weights(const float* in, int rows, long row_stride, int channels, long channel_stride, bool flipped,
                       float* out) {
  for (int channel = 0; channel < channels; ++channel) {
    double taps[3][3][kBlock] = {};  // [column][row]
    for (int r = 0; r < rows; ++r) {
      const float* from = in + r * row_stride + channel * channel_stride;
      for (int tap = 0; tap < 9; ++tap) {
        taps[tap % 3][tap / 3][r] = from[flipped ? 8 - tap : tap];
      }
    }
    double columns[3][6][kBlock];
    for (int x = 0; x < 3; ++x) {
      spread(taps[x], columns[x]);
    }
    for (int y = 0; y < 6; ++y) {
      double row[3][kBlock], values[6][kBlock];
      for (int x = 0; x < 3; ++x) {
        for (int r = 0; r < kBlock; ++r) {
          row[x][r] = columns[x][y][r];
        }
      }
      spread(row, values);
      for (int x = 0; x < 6; ++x) {
        float* to = out + (static_cast<long>(6 * y + x) * channels + channel) * kBlock;
        for (int r = 0; r < kBlock; ++r) {
          to[r] = static_cast<float>(values[x][r]);
        }
      }
    }
  }
}

struct Three {
  Vec v[3];
};

// G' m
inline Three gather(const Six& m) {
  const Vec sum_a = static_cast<float>(kShareA) * (m.v[1] + m.v[2]);
  const Vec sum_b = static_cast<float>(kShareB) * (m.v[3] + m.v[4]);
  return {{m.v[0] + sum_a + sum_b,
           static_cast<float>(kShareA * kPointA) * (m.v[1] - m.v[2]) +
               static_cast<float>(kShareB * kPointB) * (m.v[3] - m.v[4]),
           kA2 * sum_a + (kB2 * sum_b + m.v[5])}};
}

void finish_gradient(const float* sums, long frequency_stride, long count, float* gradient) {
  for (long first = 0; first < count; first += kLanes) {
    const int now = count - first < kLanes ? static_cast<int>(count - first) : kLanes;
    const unsigned mask = (1u << now) - 1;
    Three row[6];
    for (int y = 0; y < 6; ++y) {
      Six values;
      for (int x = 0; x < 6; ++x) {
        values.v[x] = load(mask, sums + (6 * y + x) * frequency_stride + first);
      }
      row[y] = gather(values);
    }
    for (int x = 0; x < 3; ++x) {
      const Three column = gather({{row[0].v[x], row[1].v[x], row[2].v[x], row[3].v[x], row[4].v[x], row[5].v[x]}});
      for (int y = 0; y < 3; ++y) {
        float values[kLanes];
        store(values, column.v[y]);
        for (int i = 0; i < now; ++i) {
          gradient[(first + i) * 9 + 3 * y + x] += values[i];
        }
      }
    }
  }
}

}  // namespace

}  // namespace idn::kernels
