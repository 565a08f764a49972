// Sixteen lanes as two AVX2 registers. The compiler would compare and choose among vectors of 64 bytes lane by lane.
// Included by simd.hpp inside the instruction set's namespace.
#pragma once

namespace spikeledger::SPIKELEDGER_SET {

template <typename T>
struct Pair {
  typedef T Half __attribute__((vector_size(32)));
  Half low, high;

  T& operator[](int64_t lane) { return reinterpret_cast<T*>(this)[lane]; }
  const T& operator[](int64_t lane) const { return reinterpret_cast<const T*>(this)[lane]; }
  Pair operator-() const { return {-low, -high}; }
  Pair operator~() const { return {~low, ~high}; }
  Pair& operator+=(Pair other) { return *this = *this + other; }
  Pair& operator-=(Pair other) { return *this = *this - other; }
  Pair& operator|=(Pair other) { return *this = *this | other; }
  // the same bits as numbers of another kind
  template <typename Other>
  explicit operator Pair<Other>() const {
    return {(typename Pair<Other>::Half)low, (typename Pair<Other>::Half)high};
  }
};

#define SPIKELEDGER_EACH(op)                                                                                      \
  template <typename T>                                                                                           \
  inline Pair<T> operator op(Pair<T> a, Pair<T> b) {                                                              \
    return {a.low op b.low, a.high op b.high};                                                                    \
  }                                                                                                               \
  template <typename T>                                                                                           \
  inline Pair<T> operator op(Pair<T> a, std::type_identity_t<T> b) {                                              \
    return {a.low op b, a.high op b};                                                                             \
  }
SPIKELEDGER_EACH(+)
SPIKELEDGER_EACH(-)
SPIKELEDGER_EACH(*)
SPIKELEDGER_EACH(/)
SPIKELEDGER_EACH(&)
SPIKELEDGER_EACH(|)
SPIKELEDGER_EACH(<<)
SPIKELEDGER_EACH(>>)
#undef SPIKELEDGER_EACH

#define SPIKELEDGER_COMPARE(op) \
  inline Pair<int32_t> operator op(Pair<float> a, Pair<float> b) { return {a.low op b.low, a.high op b.high}; }
SPIKELEDGER_COMPARE(>)
SPIKELEDGER_COMPARE(<)
SPIKELEDGER_COMPARE(==)
SPIKELEDGER_COMPARE(!=)
#undef SPIKELEDGER_COMPARE

typedef Pair<float> Lanes;
typedef Pair<int32_t> IntLanes;

inline Lanes splat(float value) { return {value - Lanes::Half{}, value - Lanes::Half{}}; }
inline Lanes load(const float* from) { return {(Lanes::Half)_mm256_loadu_ps(from), (Lanes::Half)_mm256_loadu_ps(from + 8)}; }
inline void store(float* to, Lanes value) {
  _mm256_storeu_ps(to, (__m256)value.low), _mm256_storeu_ps(to + 8, (__m256)value.high);
}

// a where the mask is set, else b
inline Lanes pick(IntLanes mask, Lanes a, Lanes b) {
  return {mask.low ? a.low : b.low, mask.high ? a.high : b.high};
}

inline Lanes to_floats(IntLanes numbers) {
  return {__builtin_convertvector(numbers.low, Lanes::Half), __builtin_convertvector(numbers.high, Lanes::Half)};
}

inline IntLanes to_whole(Lanes numbers) {
  return {__builtin_convertvector(numbers.low, IntLanes::Half), __builtin_convertvector(numbers.high, IntLanes::Half)};
}

inline uint64_t bits_of(IntLanes mask) {
  return static_cast<uint32_t>(_mm256_movemask_ps((__m256)mask.low)) |
         static_cast<uint64_t>(static_cast<uint32_t>(_mm256_movemask_ps((__m256)mask.high))) << 8;
}

// Lanes whose number has the bit `half` change places between two rows.
template <int half, int... lane>
inline void exchange_in(Lanes::Half& low, Lanes::Half& high, std::integer_sequence<int, lane...>) {
  const Lanes::Half a = low, b = high;
  low = __builtin_shufflevector(a, b, ((lane & half) == 0 ? lane : 8 + (lane ^ half))...);
  high = __builtin_shufflevector(a, b, ((lane & half) == 0 ? (lane ^ half) : 8 + lane)...);
}

template <int half>
inline void exchange(Lanes& low, Lanes& high) {
  if constexpr (half == 8) {
    std::swap(low.high, high.low);
  } else {
    constexpr auto lanes = std::make_integer_sequence<int, 8>{};
    exchange_in<half>(low.low, high.low, lanes), exchange_in<half>(low.high, high.high, lanes);
  }
}

}  // namespace spikeledger::SPIKELEDGER_SET
