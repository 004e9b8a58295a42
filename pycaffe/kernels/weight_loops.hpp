// The weights of tile_loops.hpp's convolution: transformed, and the gradient back.
#pragma once

#include "kernels.hpp"
#include "tile_loops.hpp"

namespace idn::kernels {

namespace {

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
