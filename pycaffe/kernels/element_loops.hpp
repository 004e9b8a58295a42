// Loops over single values: the activation, the look for values that are not finite, interleaving.
#pragma once

#include "kernels.hpp"

namespace idn::kernels {

namespace {

// NaN stays NaN: the instructions return their second operand then
inline Vec activated(Vec x, Vec slope) { return larger(zero(), x) + slope * smaller(zero(), x); }

// Adds 0 to `sum` for each finite value, and NaN for any other.
inline Vec add_nothing(Vec sum, Vec value) { return multiply_add(value, zero(), sum); }

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

}  // namespace

}  // namespace idn::kernels
