// A linear layer and its neurons as one kernel: a block of 32 columns is summed from bits, its neurons run over all steps,
// and their spikes leave as bits, all while the block lies in the second cache. The way back is the same in reverse.
#pragma once

#include <atomic>
#include <bit>

#include "neurons.hpp"
#include "products.hpp"

namespace spikeledger::SPIKELEDGER_SET {

constexpr int64_t kRows = 32;  // samples of a tile

// Spikes of one block's neurons: currents [T, B, 32] to the block's half of each row's words. Where `counts`, what they
// did is added to `done`, for as many neurons as the block has.
template <int reset, bool delayed, bool counts>
void fire_block(const Layer& layer, const float* currents, Lanes low, Lanes high, int64_t columns, uint32_t* out,
                int64_t out_stride, const Counts& done) {
  const Lanes threshold = splat(layer.threshold);
  const bool narrow = columns <= kLanes;  // half a block will do
  IntLanes low_active = {}, high_active = {}, low_spikes = {}, high_spikes = {};
  for (int64_t first = 0; first < layer.batch; first += kRows) {
    const int64_t rows = std::min(kRows, layer.batch - first);
    alignas(64) float membrane[kRows * kWide] = {};
    for (int64_t step = 0; step < layer.steps; ++step) {
      const int64_t line = step * layer.batch + first;
      int64_t fired = 0;
      for (int64_t row = 0; row < rows; ++row) {
        float* at = membrane + row * kWide;
        const float* current = currents + (line + row) * kWide;
        const Lanes arrived = load(current);
        if constexpr (counts) low_active -= arrived != splat(0.0f);
        const Lanes a = charged<reset, delayed>(load(at), arrived, low, threshold);
        store(at, kept<reset, delayed>(a, threshold));
        if constexpr (counts) low_spikes -= a > threshold;
        if (narrow) {
          const auto bits = static_cast<uint32_t>(above(a, threshold));
          out[(line + row) * out_stride] = bits;
          if constexpr (counts) fired += std::popcount(bits);
          continue;
        }
        const Lanes also = load(current + kLanes);
        if constexpr (counts) high_active -= also != splat(0.0f);
        const Lanes b = charged<reset, delayed>(load(at + kLanes), also, high, threshold);
        store(at + kLanes, kept<reset, delayed>(b, threshold));
        if constexpr (counts) high_spikes -= b > threshold;
        const auto bits = static_cast<uint32_t>(above(a, threshold) | above(b, threshold) << kLanes);
        out[(line + row) * out_stride] = bits;
        if constexpr (counts) fired += std::popcount(bits);
      }
      if constexpr (counts) std::atomic_ref(done.steps[step]).fetch_add(fired, std::memory_order_relaxed);
    }
  }
  if constexpr (counts)
    for (int64_t n = 0; n < columns; ++n) {
      done.active[n] += n < kLanes ? low_active[n] : high_active[n - kLanes];
      done.spikes[n] += n < kLanes ? low_spikes[n] : high_spikes[n - kLanes];
    }
}

template <bool counts>
void fire_block_with(const Layer& layer, const float* currents, Lanes low, Lanes high, int64_t columns, uint32_t* out,
                     int64_t out_stride, const Counts& done) {
  const auto run = [&](auto fire) { fire(layer, currents, low, high, columns, out, out_stride, done); };
  switch (2 * layer.reset + (layer.delayed ? 1 : 0)) {
    case 2 * kSubtract: return run(fire_block<kSubtract, false, counts>);
    case 2 * kSubtract + 1: return run(fire_block<kSubtract, true, counts>);
    case 2 * kZero: return run(fire_block<kZero, false, counts>);
    case 2 * kZero + 1: return run(fire_block<kZero, true, counts>);
    case 2 * kNone: return run(fire_block<kNone, false, counts>);
    default: return run(fire_block<kNone, true, counts>);
  }
}

// Gradient of one block's currents [T, B, 32], and of beta [32], from that of the spikes [T, B, columns]
template <int reset, bool delayed, int surrogate>
void learn_block(const Layer& layer, const LayerBackward& grad, const float* currents, const Lanes* beta, int64_t from,
                 float* out, Lanes* beta_grad) {
  static thread_local Buffer<float> buffer;
  const Lanes threshold = splat(layer.threshold);
  const int64_t tile = std::clamp<int64_t>(512 / std::max<int64_t>(1, layer.steps), 1, kRows);
  float* charges = buffer.at_least(layer.steps * tile * kWide);
  const int64_t stride = layer.columns - from <= kLanes ? kWide : kLanes;  // half a block will do where columns are few
  for (int64_t first = 0; first < layer.batch; first += tile) {
    const int64_t lanes = std::min(tile, layer.batch - first) * kWide;
    alignas(64) float state[kRows * kWide] = {};  // the membrane on the way forth, its gradient on the way back
    for (int64_t step = 0; step < layer.steps; ++step) {
      const float* current = currents + (step * layer.batch + first) * kWide;
      for (int64_t n = 0; n < lanes; n += stride) {
        const Lanes charge = charged<reset, delayed>(load(state + n), load(current + n), beta[n / kLanes % 2], threshold);
        store(charges + step * tile * kWide + n, charge);
        store(state + n, kept<reset, delayed>(charge, threshold));
      }
    }
    std::memset(state, 0, sizeof state);
    for (int64_t step = layer.steps - 1; step >= 0; --step) {
      const int64_t line = step * layer.batch + first;
      for (int64_t n = 0; n < lanes; n += stride) {
        const int64_t half = n / kLanes % 2, column = from + half * kLanes;
        const Lanes charge = load(charges + step * tile * kWide + n);
        Lanes flow = load(state + n);
        if constexpr (reset == kZero) flow = flow * (splat(1.0f) - step_above(charge, threshold));
        flow += load(grad.spikes + (line + n / kWide) * layer.columns + column, layer.columns - column) *
                derivative<surrogate>(charge - threshold, grad.slope);
        store(out + line * kWide + n, flow);
        if (step > 0) {
          const Lanes before = load(charges + (step - 1) * tile * kWide + n);
          beta_grad[half] += flow * carried<reset, delayed>(before, threshold);
        }
        store(state + n, beta[half] * flow);
      }
    }
  }
}

template <int reset, bool delayed>
void learn_block_with(const Layer& layer, const LayerBackward& grad, const float* currents, const Lanes* beta,
                      int64_t from, float* out, Lanes* beta_grad) {
  switch (grad.surrogate) {
    case kAtan: return learn_block<reset, delayed, kAtan>(layer, grad, currents, beta, from, out, beta_grad);
    case kFastSigmoid: return learn_block<reset, delayed, kFastSigmoid>(layer, grad, currents, beta, from, out, beta_grad);
    case kSigmoid: return learn_block<reset, delayed, kSigmoid>(layer, grad, currents, beta, from, out, beta_grad);
    case kTriangle: return learn_block<reset, delayed, kTriangle>(layer, grad, currents, beta, from, out, beta_grad);
    default: return learn_block<reset, delayed, kStraightThrough>(layer, grad, currents, beta, from, out, beta_grad);
  }
}

inline Lanes some(const float* values, int64_t column, int64_t columns) {
  return values != nullptr && column < columns ? load(values + column, columns - column) : splat(0.0f);
}

inline void layer(const Layer& l, float* currents, uint64_t* words, const Counts& done) {
  const int64_t rows = l.steps * l.batch, blocks = (l.columns + kWide - 1) / kWide;
  const Product product{rows, l.inner, l.columns, l.words, l.weight, true, l.bias, nullptr, false, l.method, l.threads};
  static thread_local Selection held;
  Selection& bits = held;
  bits.prepare(product);
  const int64_t halves = 2 * words_of(l.columns);
  parallel(blocks, l.threads, [&](int64_t block) {
    const int64_t from = block * kWide;
    static thread_local Buffer<float> buffer;
    float* sums = currents != nullptr ? currents + block * rows * kWide : buffer.at_least(rows * kWide);
    fill(sums, rows, bias_of(product, from), bias_of(product, from + kLanes));
    add_block(product, bits, from, 0, rows, sums);
    const Lanes low = some(l.beta, from, l.columns), high = some(l.beta, from + kLanes, l.columns);
    auto* out = reinterpret_cast<uint32_t*>(words) + block;  // little-endian: the even half is the low one
    const int64_t columns = std::min(kWide, l.columns - from);
    if (done.active != nullptr)
      fire_block_with<true>(l, sums, low, high, columns, out, halves, {done.active + from, done.spikes + from, done.steps});
    else
      fire_block_with<false>(l, sums, low, high, columns, out, halves, done);
    if (block == blocks - 1 && blocks % 2 == 1)
      for (int64_t row = 0; row < rows; ++row) out[row * halves + 1] = 0;
  });
}

inline void layer_back(const Layer& l, const float* currents, const LayerBackward& grad) {
  const int64_t rows = l.steps * l.batch, blocks = (l.columns + kWide - 1) / kWide;
  Product product{l.inner, rows, l.columns, grad.turned, nullptr, false, nullptr, grad.weight, true, l.method, l.threads};
  product.dense_blocked = true;
  static thread_local Selection held;
  Selection& bits = held;
  if (grad.turned != nullptr) bits.prepare(product);
  parallel(blocks, l.threads, [&](int64_t block) {
    const int64_t from = block * kWide, here = std::min(kWide, l.columns - from);
    static thread_local Buffer<float> flow_buffer, sum_buffer;
    float* flow = flow_buffer.at_least(rows * kWide);
    if (here <= kLanes) std::memset(flow, 0, static_cast<size_t>(rows * kWide) * sizeof(float));
    const Lanes beta[2] = {some(l.beta, from, l.columns), some(l.beta, from + kLanes, l.columns)};
    Lanes to_beta[2] = {};
    const float* mine = currents + block * rows * kWide;
    switch (2 * l.reset + (l.delayed ? 1 : 0)) {
      case 2 * kSubtract: learn_block_with<kSubtract, false>(l, grad, mine, beta, from, flow, to_beta); break;
      case 2 * kSubtract + 1: learn_block_with<kSubtract, true>(l, grad, mine, beta, from, flow, to_beta); break;
      case 2 * kZero: learn_block_with<kZero, false>(l, grad, mine, beta, from, flow, to_beta); break;
      case 2 * kZero + 1: learn_block_with<kZero, true>(l, grad, mine, beta, from, flow, to_beta); break;
      case 2 * kNone: learn_block_with<kNone, false>(l, grad, mine, beta, from, flow, to_beta); break;
      default: learn_block_with<kNone, true>(l, grad, mine, beta, from, flow, to_beta); break;
    }
    for (int64_t lane = 0; lane < here; lane += kLanes) {
      if (grad.beta != nullptr) store(grad.beta + from + lane, to_beta[lane / kLanes], here - lane);
      if (grad.bias != nullptr) {
        Lanes sum = splat(0.0f);
        for (int64_t row = 0; row < rows; ++row) sum += load(flow + row * kWide + lane);
        store(grad.bias + from + lane, sum, here - lane);
      }
      if (grad.currents != nullptr)
        for (int64_t row = 0; row < rows; ++row)
          store(grad.currents + row * l.columns + from + lane, load(flow + row * kWide + lane), here - lane);
    }
    if (grad.turned != nullptr) {
      float* sums = sum_buffer.at_least(l.inner * kWide);
      fill(sums, l.inner, splat(0.0f), splat(0.0f));
      Product own = product;  // its dense matrix is this block alone
      own.dense = flow - block * rows * kWide;
      add_block(own, bits, from, 0, l.inner, sums);
      put_block(product, sums, 0, l.inner, from);
    }
  });
}

}  // namespace spikeledger::SPIKELEDGER_SET
