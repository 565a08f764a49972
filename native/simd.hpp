// Sixteen float lanes in the compiler's own vector type: one AVX-512 register, two AVX2 ones, four of SSE or NEON.
// Included once for each instruction set, inside its own namespace: SPIKELEDGER_SET.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace spikeledger::SPIKELEDGER_SET {

constexpr int kLanes = 16;
typedef float Lanes __attribute__((vector_size(64)));
typedef float LooseLanes __attribute__((vector_size(64), aligned(4), may_alias));
typedef int32_t IntLanes __attribute__((vector_size(64)));

inline Lanes splat(float value) { return value - Lanes{}; }  // less zero is nothing; plus zero would turn -0 into 0
inline Lanes load(const float* from) { return *reinterpret_cast<const LooseLanes*>(from); }
inline void store(float* to, Lanes value) { *reinterpret_cast<LooseLanes*>(to) = value; }

// The first `count` lanes; the others are zero.
inline Lanes load(const float* from, int64_t count) {
  if (count >= kLanes) return load(from);
#if defined(__AVX512F__)
  return (Lanes)_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), from);
#else
  alignas(64) float lanes[kLanes] = {};
  std::memcpy(lanes, from, static_cast<size_t>(count) * sizeof(float));
  return load(lanes);
#endif
}

inline void store(float* to, Lanes value, int64_t count) {
  if (count >= kLanes) return store(to, value);
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << count) - 1), (__m512)value);
#else
  alignas(64) float lanes[kLanes];
  store(lanes, value);
  std::memcpy(to, lanes, static_cast<size_t>(count) * sizeof(float));
#endif
}

// One bit a lane: value > threshold
inline uint64_t above(Lanes value, Lanes threshold) {
#if defined(__AVX512F__)
  return _mm512_cmp_ps_mask((__m512)value, (__m512)threshold, _CMP_GT_OQ);
#else
  const IntLanes which = value > threshold;
  uint64_t bits = 0;
#if defined(__AVX2__)
  __m256i half[2];
  std::memcpy(half, &which, sizeof which);
  bits = static_cast<uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(half[0]))) |
         static_cast<uint64_t>(static_cast<uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(half[1])))) << 8;
#else
  for (int lane = 0; lane < kLanes; ++lane) bits |= static_cast<uint64_t>(which[lane] & 1) << lane;
#endif
  return bits;
#endif
}

// One bit a lane: value == 1; lanes that are neither 0 nor 1 are added to `odd`
inline uint64_t ones(Lanes value, IntLanes& odd) {
#if defined(__AVX512F__)
  const __m512 x = (__m512)value;
  const __mmask16 one = _mm512_cmp_ps_mask(x, _mm512_set1_ps(1.0f), _CMP_EQ_OQ);
  const __mmask16 neither = _mm512_mask_cmp_ps_mask(static_cast<__mmask16>(~one), x, _mm512_setzero_ps(), _CMP_NEQ_UQ);
  odd = (IntLanes)_mm512_mask_set1_epi32((__m512i)odd, neither, -1);
  return one;
#elif defined(__AVX2__)
  __m256 half[2], seen[2];  // the compiler takes vectors of 64 bytes apart, lane by lane
  std::memcpy(half, &value, sizeof half);
  std::memcpy(seen, &odd, sizeof seen);
  uint64_t bits = 0;
  for (int which = 0; which < 2; ++which) {
    const __m256 one = _mm256_cmp_ps(half[which], _mm256_set1_ps(1.0f), _CMP_EQ_OQ);
    const __m256 other = _mm256_cmp_ps(half[which], _mm256_setzero_ps(), _CMP_NEQ_UQ);
    seen[which] = _mm256_or_ps(seen[which], _mm256_andnot_ps(one, other));
    bits |= static_cast<uint64_t>(static_cast<uint32_t>(_mm256_movemask_ps(one))) << (8 * which);
  }
  std::memcpy(&odd, seen, sizeof odd);
  return bits;
#else
  const IntLanes one = value == splat(1.0f);
  odd |= ~(one | (value == splat(0.0f)));
  uint64_t bits = 0;
  for (int lane = 0; lane < kLanes; ++lane) bits |= static_cast<uint64_t>(one[lane] & 1) << lane;
  return bits;
#endif
}

// 1 where value > threshold, else 0
inline Lanes step_above(Lanes value, Lanes threshold) {
  return value > threshold ? splat(1.0f) : splat(0.0f);
}

// a b + c, where the last bit is nobody's: in one rounding, if the processor can
inline Lanes multiply_add(Lanes a, Lanes b, Lanes c) {
#if defined(__AVX512F__)
  return (Lanes)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#else
  return a * b + c;
#endif
}

// The larger and the smaller of two, and b where a is not a number
inline Lanes larger(Lanes a, Lanes b) {
#if defined(__AVX512F__)
  return (Lanes)_mm512_max_ps((__m512)a, (__m512)b);
#else
  return a > b ? a : b;
#endif
}

inline Lanes smaller(Lanes a, Lanes b) {
#if defined(__AVX512F__)
  return (Lanes)_mm512_min_ps((__m512)a, (__m512)b);
#else
  return a < b ? a : b;
#endif
}

inline Lanes magnitude(Lanes value) { return value < splat(0.0f) ? -value : value; }

// 1 / value, to the last bit or two, for values of at least 1: a division takes several times as long
inline Lanes reciprocal(Lanes value) {
#if defined(__AVX512F__)
  const __m512 x = (__m512)value, guess = _mm512_rcp14_ps(x), one = _mm512_set1_ps(1.0f);
  // guess (1 + e + e^2) with e = 1 - x guess; where x is infinite the guess is 0, and stays
  const __m512 error = _mm512_maskz_fnmadd_ps(_mm512_cmp_ps_mask(guess, _mm512_setzero_ps(), _CMP_NEQ_UQ), x, guess, one);
  return (Lanes)_mm512_fmadd_ps(_mm512_fmadd_ps(error, error, error), guess, guess);
#else
  return splat(1.0f) / value;
#endif
}

// A buffer that a thread keeps between calls: fresh pages cost more than the work done in them.
template <typename T>
class Buffer {
 public:
  T* at_least(int64_t count) {
    if (count > size_) {
      const size_t bytes = (static_cast<size_t>(count) * sizeof(T) + 127) / 64 * 64;
      held_.reset(static_cast<T*>(std::aligned_alloc(64, bytes)));
      if (!held_) throw std::bad_alloc();
      size_ = count;
    }
    return held_.get();
  }

 private:
  struct Free {
    void operator()(T* memory) const { std::free(memory); }
  };
  std::unique_ptr<T, Free> held_;
  int64_t size_ = 0;
};

}  // namespace spikeledger::SPIKELEDGER_SET
