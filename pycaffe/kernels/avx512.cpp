// kernels.hpp for AVX-512: 16 tiles in a vector, 8 rows of 3 vectors in the 32 registers. Compiled with -mavx512f
// -mavx512vl ...
#include "kernels.hpp"

#ifdef __AVX512F__
#include <immintrin.h>

namespace idn::kernels {

namespace {

using Vec = __m512;
constexpr int kLanes = 16;
constexpr int kRows = 8;

inline Vec zero() { return _mm512_setzero_ps(); }
inline Vec broadcast(float value) { return _mm512_set1_ps(value); }
inline Vec load(const float* from) { return _mm512_loadu_ps(from); }
inline Vec load(unsigned mask, const float* from) { return _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask), from); }
inline Vec load_more(Vec old, unsigned mask, const float* from) {
  return _mm512_mask_loadu_ps(old, static_cast<__mmask16>(mask), from);
}
inline void store(float* to, Vec value) { _mm512_storeu_ps(to, value); }
inline void store(unsigned mask, float* to, Vec value) {
  _mm512_mask_storeu_ps(to, static_cast<__mmask16>(mask), value);
}
inline Vec multiply_add(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }
inline Vec larger(Vec a, Vec b) { return _mm512_max_ps(a, b); }
inline Vec smaller(Vec a, Vec b) { return _mm512_min_ps(a, b); }
inline float total(Vec value) { return _mm512_reduce_add_ps(value); }

// Every second value of two vectors.
inline Vec even(Vec a, Vec b) {
  const __m512i index = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  return _mm512_permutex2var_ps(a, index, b);
}
inline Vec odd(Vec a, Vec b) {
  const __m512i index = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
  return _mm512_permutex2var_ps(a, index, b);
}
// Values of two vectors in turn: the first halves, the second halves.
inline Vec zip_low(Vec a, Vec b) {
  const __m512i index = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  return _mm512_permutex2var_ps(a, index, b);
}
inline Vec zip_high(Vec a, Vec b) {
  const __m512i index = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  return _mm512_permutex2var_ps(a, index, b);
}

}  // namespace

}  // namespace idn::kernels

#include "loops.hpp"

namespace idn::kernels {

const Kernels* avx512() {
  static const Kernels kernels = these("AVX-512");
  return &kernels;
}

}  // namespace idn::kernels

#else

namespace idn::kernels {
const Kernels* avx512() { return nullptr; }
}  // namespace idn::kernels

#endif
