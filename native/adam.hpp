// One step of Adam for all of a network's weights: each number is read and written once.
#pragma once

#include <cmath>

#include "kernels.hpp"
#include "simd.hpp"
#include "threads.hpp"

namespace spikeledger::SPIKELEDGER_SET {

inline Lanes root(Lanes value) {
#if defined(__AVX512F__)
  return (Lanes)_mm512_sqrt_ps((__m512)value);
#elif defined(__AVX2__)
  return {(Lanes::Half)_mm256_sqrt_ps((__m256)value.low), (Lanes::Half)_mm256_sqrt_ps((__m256)value.high)};
#else
  for (int lane = 0; lane < kLanes; ++lane) value[lane] = std::sqrt(value[lane]);
  return value;
#endif
}

// m = m + (1 - beta1)(g - m), v = beta2 v + (1 - beta2) g^2, w = w - rate m / (sqrt(v) / root2 + eps), of numbers [from, to).
// No division: with its two a step took as long to compute as to fetch.
inline void adapt(const AdamWeight& w, const AdamStep& s, int64_t from, int64_t to) {
  const double taken = static_cast<double>(*w.step);
  const Lanes rate = splat(static_cast<float>(s.rate / (1 - std::pow(s.beta1, taken))));
  const Lanes per_root2 = splat(static_cast<float>(1 / std::sqrt(1 - std::pow(s.beta2, taken))));
  const Lanes rest1 = splat(static_cast<float>(1 - s.beta1)), beta2 = splat(static_cast<float>(s.beta2));
  const Lanes rest2 = splat(static_cast<float>(1 - s.beta2)), eps = splat(static_cast<float>(s.eps));
  for (int64_t i = from; i < to; i += kLanes) {
    const int64_t here = to - i;
    const Lanes g = load(w.grad + i, here), old = load(w.mean + i, here);
    const Lanes mean = old + rest1 * (g - old);
    const Lanes square = beta2 * load(w.square + i, here) + rest2 * g * g;
    store(w.mean + i, mean, here), store(w.square + i, square, here);
    store(w.weight + i, load(w.weight + i, here) - rate * mean * reciprocal(root(square) * per_root2 + eps), here);
  }
}

inline void adam(const AdamWeight* weights, int64_t count, const AdamStep& step) {
  constexpr int64_t kPiece = 16384;
  int64_t pieces = 0;
  for (int64_t i = 0; i < count; ++i) *weights[i].step += 1, pieces += (weights[i].size + kPiece - 1) / kPiece;
  parallel(pieces, step.threads, [&](int64_t piece) {
    const AdamWeight* own = weights;
    for (int64_t its; piece >= (its = (own->size + kPiece - 1) / kPiece); piece -= its) ++own;
    adapt(*own, step, piece * kPiece, std::min(own->size, (piece + 1) * kPiece));
  });
}

}  // namespace spikeledger::SPIKELEDGER_SET
