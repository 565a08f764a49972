// Sixteen float lanes: in the compiler's own vector type, one AVX-512 register or four of SSE or NEON; or a pair of AVX2's.
// Included once for each instruction set, inside its own namespace: SPIKELEDGER_SET.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace spikeledger::SPIKELEDGER_SET {

constexpr int kLanes = 16;
}

#if defined(__AVX2__) && !defined(__AVX512F__)
#include "pair.hpp"
#else
namespace spikeledger::SPIKELEDGER_SET {
typedef float Lanes __attribute__((vector_size(64)));
typedef float LooseLanes __attribute__((vector_size(64), aligned(4), may_alias));
typedef int32_t IntLanes __attribute__((vector_size(64)));

inline Lanes splat(float value) { return value - Lanes{}; }  // less zero is nothing; plus zero would turn -0 into 0
inline Lanes load(const float* from) { return *reinterpret_cast<const LooseLanes*>(from); }
inline void store(float* to, Lanes value) { *reinterpret_cast<LooseLanes*>(to) = value; }

// a where the mask is set, else b
inline Lanes pick(IntLanes mask, Lanes a, Lanes b) { return mask ? a : b; }
inline Lanes to_floats(IntLanes numbers) { return __builtin_convertvector(numbers, Lanes); }
inline IntLanes to_whole(Lanes numbers) { return __builtin_convertvector(numbers, IntLanes); }

// One bit a lane of a mask
inline uint64_t bits_of(IntLanes mask) {
#if defined(__AVX512DQ__)
  return _mm512_movepi32_mask((__m512i)mask);
#else
  uint64_t bits = 0;
  for (int lane = 0; lane < kLanes; ++lane) bits |= static_cast<uint64_t>(mask[lane] & 1) << lane;
  return bits;
#endif
}

// Lanes whose number has the bit `half` change places between two rows.
template <int half, int... lane>
inline void exchange_in(Lanes& low, Lanes& high, std::integer_sequence<int, lane...>) {
  const Lanes a = low, b = high;
  low = __builtin_shufflevector(a, b, ((lane & half) == 0 ? lane : 16 + (lane ^ half))...);
  high = __builtin_shufflevector(a, b, ((lane & half) == 0 ? (lane ^ half) : 16 + lane)...);
}

template <int half>
inline void exchange(Lanes& low, Lanes& high) {
  exchange_in<half>(low, high, std::make_integer_sequence<int, kLanes>{});
}
}  // namespace spikeledger::SPIKELEDGER_SET
#endif

namespace spikeledger::SPIKELEDGER_SET {

inline IntLanes lane_numbers() {
  static constexpr int32_t kNumbers[kLanes] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  IntLanes numbers;
  std::memcpy(&numbers, kNumbers, sizeof numbers);
  return numbers;
}

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
  return bits_of(value > threshold);
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
#else
  const IntLanes one = value == splat(1.0f);
  odd |= ~(one | (value == splat(0.0f)));
  return bits_of(one);
#endif
}

// 1 where value > threshold, else 0
inline Lanes step_above(Lanes value, Lanes threshold) {
  return pick(value > threshold, splat(1.0f), splat(0.0f));
}

// a b + c, where the last bit is nobody's: in one rounding, if the processor can
inline Lanes multiply_add(Lanes a, Lanes b, Lanes c) {
#if defined(__AVX512F__)
  return (Lanes)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__AVX2__) && defined(__FMA__)
  return {(Lanes::Half)_mm256_fmadd_ps((__m256)a.low, (__m256)b.low, (__m256)c.low),
          (Lanes::Half)_mm256_fmadd_ps((__m256)a.high, (__m256)b.high, (__m256)c.high)};
#else
  return a * b + c;
#endif
}

// The larger and the smaller of two, and b where a is not a number
inline Lanes larger(Lanes a, Lanes b) {
#if defined(__AVX512F__)
  return (Lanes)_mm512_max_ps((__m512)a, (__m512)b);
#else
  return pick(a > b, a, b);
#endif
}

inline Lanes smaller(Lanes a, Lanes b) {
#if defined(__AVX512F__)
  return (Lanes)_mm512_min_ps((__m512)a, (__m512)b);
#else
  return pick(a < b, a, b);
#endif
}

inline Lanes magnitude(Lanes value) { return pick(value < splat(0.0f), -value, value); }

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

// The places of the ones of a word, `base` and a multiple of `stride` each, without a branch: whole vectors are stored, and
// the next one overwrites the rest. So up to `kPlacesAtOnce` are written past the last. Only the low `most` bits are looked at.
constexpr int kPlacesAtOnce = 16;
#if defined(__AVX512F__)
template <int stride, int most = 64>
inline uint16_t* places_of_ones(uint64_t bits, uint16_t base, uint16_t* at) {
  const __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  __m512i places = _mm512_add_epi32(_mm512_mullo_epi32(lane, _mm512_set1_epi32(stride)), _mm512_set1_epi32(base));
  for (int quarter = 0; quarter < most / 16; ++quarter, bits >>= 16) {
    const auto here = static_cast<__mmask16>(bits);  // of 16 bits each only processors with VBMI2 press them together
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(at), _mm512_cvtepi32_epi16(_mm512_maskz_compress_epi32(here, places)));
    at += std::popcount(static_cast<uint16_t>(bits));
    places = _mm512_add_epi32(places, _mm512_set1_epi32(16 * stride));
  }
  return at;
}
#else
template <int stride, int most = 64>
inline uint16_t* places_of_ones(uint64_t bits, uint16_t base, uint16_t* at) {
  typedef uint16_t Eight __attribute__((vector_size(16)));
  static constexpr auto kOfByte = [] {
    std::array<std::array<uint16_t, 8>, 256> table{};
    for (size_t byte = 0; byte < 256; ++byte)
      for (size_t bit = 0, next = 0; bit < 8; ++bit)
        if ((byte >> bit & 1) != 0) table[byte][next++] = static_cast<uint16_t>(bit * stride);
    return table;
  }();
  for (int byte = 0; byte < most / 8; ++byte, bits >>= 8, base = static_cast<uint16_t>(base + 8 * stride)) {
    Eight places;
    std::memcpy(&places, kOfByte[bits & 255].data(), sizeof places);
    places += base;
    std::memcpy(at, &places, sizeof places);
    at += std::popcount(bits & 255);
  }
  return at;
}
#endif

// Of a table of 64 numbers below 2^16 those at the ones of a word, stored as `places_of_ones` does
inline uint16_t* entries_of_ones(uint64_t bits, const uint32_t* table, uint16_t* at) {
#if defined(__AVX512F__)
  for (int quarter = 0; quarter < 4; ++quarter, bits >>= 16, table += kLanes) {
    const __m512i some = _mm512_maskz_compress_epi32(static_cast<__mmask16>(bits), _mm512_loadu_si512(table));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(at), _mm512_cvtepi32_epi16(some));
    at += std::popcount(static_cast<uint16_t>(bits));
  }
#else
  for (; bits != 0; bits &= bits - 1) *at++ = static_cast<uint16_t>(table[std::countr_zero(bits)]);
#endif
  return at;
}

// The low 16 bits as zeros and ones
inline Lanes ones_at(uint32_t bits) {
  bits &= 0xffffu;
#if defined(__AVX512F__)
  return (Lanes)_mm512_maskz_mov_ps(static_cast<__mmask16>(bits), _mm512_set1_ps(1.0f));
#else
  const IntLanes lane = lane_numbers();
  const IntLanes bit = ((IntLanes{} + static_cast<int32_t>(bits)) >> lane) & 1;
  return to_floats(bit);
#endif
}

// A value in the lanes of a mask, zero in the others
inline Lanes only(Lanes value, uint32_t mask) {
#if defined(__AVX512F__)
  return (Lanes)_mm512_maskz_mov_ps(static_cast<__mmask16>(mask), (__m512)value);
#else
  return pick(ones_at(mask) > splat(0.0f), value, splat(0.0f));
#endif
}

// The lanes of a mask, one behind the other; up to kLanes are written. Gives where the next go.
inline float* press(float* to, Lanes value, uint32_t mask) {
#if defined(__AVX512F__)
  _mm512_storeu_ps(to, _mm512_maskz_compress_ps(static_cast<__mmask16>(mask), (__m512)value));
  return to + std::popcount(mask);
#else
  alignas(64) float lanes[kLanes];
  store(lanes, value);
  for (; mask != 0; mask &= mask - 1) *to++ = lanes[std::countr_zero(mask)];
  return to;
#endif
}

// And back: the lanes of a mask are the next numbers, all others zero; up to kLanes are read.
inline Lanes unpress(const float* from, uint32_t mask) {
#if defined(__AVX512F__)
  return (Lanes)_mm512_maskz_expand_ps(static_cast<__mmask16>(mask), _mm512_loadu_ps(from));
#else
  alignas(64) float lanes[kLanes] = {};
  for (; mask != 0; mask &= mask - 1) lanes[std::countr_zero(mask)] = *from++;
  return load(lanes);
#endif
}

// All lanes' sum
inline float sum_of(Lanes value) {
#if defined(__AVX512F__)
  return _mm512_reduce_add_ps((__m512)value);
#else
  alignas(64) float lanes[kLanes];
  store(lanes, value);
  for (int half = kLanes / 2; half != 0; half /= 2)
    for (int lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
  return lanes[0];
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
