// Inner products: of blocks of weights with values of many channels, and of rows with rows.
#pragma once

#include "kernels.hpp"

namespace idn::kernels {

namespace {

// Rows that one pass of registers holds of `rows`.
constexpr int rows_of(int rows) { return kRows < rows ? kRows : rows; }

template <int rows, int vectors>
inline void clear(Vec (&sums)[rows][vectors]) {
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 8
    for (int i = 0; i < vectors; ++i) {
      sums[r][i] = zero();
    }
  }
}

// sums[row][vector] += weights[row] * values[vector], the values being those from `values` on
template <int rows, int vectors>
inline void add_products(const float* weights, const float* values, Vec (&sums)[rows][vectors]) {
  Vec value[vectors];
#pragma GCC unroll 8
  for (int i = 0; i < vectors; ++i) {
    value[i] = load(values + i * kLanes);
  }
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) {
    const Vec weight = broadcast(weights[r]);
#pragma GCC unroll 8
    for (int i = 0; i < vectors; ++i) {
      sums[r][i] = multiply_add(weight, value[i], sums[r][i]);
    }
  }
}

template <int rows, int vectors>
inline void store_all(const Vec (&sums)[rows][vectors], float* out, long row_stride) {
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 8
    for (int i = 0; i < vectors; ++i) {
      store(out + r * row_stride + i * kLanes, sums[r][i]);
    }
  }
}

// products[row][vector] = sum over channels of weights[channel][row] * values[channel][vector]
template <int rows, int vectors>
inline void multiply(const float* weights, const float* values, long channel_stride, int channels,
                     Vec (&products)[rows][vectors]) {
  clear(products);
  for (int channel = 0; channel < channels; ++channel) {
    add_products(weights, values, products);
    values += channel_stride;
    weights += kBlock;
  }
}

template <int rows, int vectors>
void multiply_and_store(const float* weights, const float* values, long channel_stride, int channels, float* out) {
  Vec products[rows][vectors];
  multiply<rows, vectors>(weights, values, channel_stride, channels, products);
  store_all(products, out, vectors * kLanes);
}

using MultiplyAndStore = void (*)(const float*, const float*, long, int, float*);

// by rows - 1
template <int vectors>
constexpr MultiplyAndStore multiply_of[8] = {
    multiply_and_store<rows_of(1), vectors>, multiply_and_store<rows_of(2), vectors>,
    multiply_and_store<rows_of(3), vectors>, multiply_and_store<rows_of(4), vectors>,
    multiply_and_store<rows_of(5), vectors>, multiply_and_store<rows_of(6), vectors>,
    multiply_and_store<rows_of(7), vectors>, multiply_and_store<rows_of(8), vectors>};

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

struct Rows {
  const float* data;
  long stride, image;
};

// sums[r][c] += inner products of rows of `values` values.
template <int rows, int columns>
inline void inner_products_of(const Rows& a, const Rows& b, int images, long values, float* sums, long sums_stride) {
  Vec products[rows][columns];
  clear(products);
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

}  // namespace

}  // namespace idn::kernels
