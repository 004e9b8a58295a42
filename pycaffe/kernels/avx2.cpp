// kernels.hpp for AVX2 with FMA: 8 tiles in a vector, 4 rows of 3 vectors in the 16 registers. Compiled with -mavx2
// -mfma.
#include "kernels.hpp"

#ifdef __AVX2__
#include <immintrin.h>

namespace idn::kernels {

namespace {

using Vec = __m256;
constexpr int kLanes = 8;
constexpr int kRows = 4;

inline __m256i lanes(unsigned mask) {
  const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  return _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(static_cast<int>(mask)), bit), bit);
}

inline Vec zero() { return _mm256_setzero_ps(); }
inline Vec broadcast(float value) { return _mm256_set1_ps(value); }
inline Vec load(const float* from) { return _mm256_loadu_ps(from); }
inline Vec load(unsigned mask, const float* from) { return _mm256_maskload_ps(from, lanes(mask)); }
inline Vec load_more(Vec old, unsigned mask, const float* from) { return _mm256_or_ps(old, load(mask, from)); }
inline void store(float* to, Vec value) { _mm256_storeu_ps(to, value); }
inline void store(unsigned mask, float* to, Vec value) { _mm256_maskstore_ps(to, lanes(mask), value); }
inline Vec multiply_add(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }
inline Vec larger(Vec a, Vec b) { return _mm256_max_ps(a, b); }
inline Vec smaller(Vec a, Vec b) { return _mm256_min_ps(a, b); }
inline float total(Vec value) {
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(value), _mm256_extractf128_ps(value, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

// The two middle quarters change places.
inline Vec ordered(Vec value) { return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(value), 0xD8)); }
// Every second value of two vectors.
inline Vec even(Vec a, Vec b) { return ordered(_mm256_shuffle_ps(a, b, 0x88)); }
inline Vec odd(Vec a, Vec b) { return ordered(_mm256_shuffle_ps(a, b, 0xDD)); }
// Values of two vectors in turn: the first halves, the second halves.
inline Vec zip_low(Vec a, Vec b) {
  return _mm256_permute2f128_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b), 0x20);
}
inline Vec zip_high(Vec a, Vec b) {
  return _mm256_permute2f128_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b), 0x31);
}

}  // namespace

}  // namespace idn::kernels

#include "loops.hpp"

namespace idn::kernels {

const Kernels* avx2() {
  static const Kernels kernels = these("AVX2");
  return &kernels;
}

}  // namespace idn::kernels

#else

namespace idn::kernels {
const Kernels* avx2() { return nullptr; }
}  // namespace idn::kernels

#endif
