// A linear layer and its neurons as one kernel: a block of 32 columns is summed from bits, its neurons run over all steps,
// and their spikes leave as bits, all while the block lies in the second cache. What is kept for the way back is each
// neuron's charge at each step, so that the way back computes nothing again.
#pragma once

#include <atomic>
#include <bit>

#include "near.hpp"
#include "neurons.hpp"
#include "products.hpp"

namespace spikeledger::SPIKELEDGER_SET {

constexpr int64_t kRows = 32;  // samples of a tile
constexpr int64_t kNarrow = 64;  // of so many neurons above a product is made for all below, not for those near the threshold alone

// Spikes of one block's neurons, for a part of the samples: currents [T, B, 32] to the block's half of each row's words.
// Charges are kept where there is room for them. Where `counts`, what they did is added to `done`, for as
// many neurons as the block has; other threads may add to it too. Or `near`, the block's, is kept: see Near.
template <int reset, bool delayed, bool counts>
void fire_block(const Layer& layer, const Part& part, const float* currents, float* charges, NearBlock* near, Lanes low,
                Lanes high, int64_t columns, uint32_t* out, int64_t out_stride, const Counts& done) {
  const Lanes threshold = splat(layer.threshold), bar = splat(layer.bar);
  const bool narrow = columns <= kLanes;  // half a block will do
  IntLanes low_active = {}, high_active = {}, low_spikes = {}, high_spikes = {};
  static thread_local Buffer<int64_t> held;
  int64_t* by_step = nullptr;
  if constexpr (counts) by_step = held.at_least(layer.steps), std::fill_n(by_step, layer.steps, int64_t{0});
  for (int64_t first = part.first; first < part.first + part.count; first += kRows) {
    const int64_t rows = std::min(kRows, part.first + part.count - first);
    alignas(64) float membrane[kRows * kWide] = {};
    for (int64_t step = 0; step < layer.steps; ++step) {
      const int64_t line = step * layer.batch + first;
      int64_t fired = 0;
      for (int64_t row = 0; row < rows; ++row) {
        float* at = membrane + row * kWide;
        const float* current = currents + (line + row) * kWide;
        float* charge = charges + (line + row) * kWide;
        const Lanes arrived = load(current);
        if constexpr (counts) low_active -= arrived != splat(0.0f);
        const Lanes a = charged<reset, delayed>(load(at), arrived, low, threshold, bar);
        store(at, kept<reset, delayed>(a, threshold, bar));
        if (charges != nullptr) store(charge, a);
        if (near != nullptr) near->keep(line + row, a - threshold, 0);
        if constexpr (counts) low_spikes -= a > bar;
        if (narrow) {
          const auto bits = static_cast<uint32_t>(above(a, bar));
          out[(line + row) * out_stride] = bits;
          if constexpr (counts) fired += std::popcount(bits);
          continue;
        }
        const Lanes also = load(current + kLanes);
        if constexpr (counts) high_active -= also != splat(0.0f);
        const Lanes b = charged<reset, delayed>(load(at + kLanes), also, high, threshold, bar);
        store(at + kLanes, kept<reset, delayed>(b, threshold, bar));
        if (charges != nullptr) store(charge + kLanes, b);
        if (near != nullptr) near->keep(line + row, b - threshold, kLanes);
        if constexpr (counts) high_spikes -= b > bar;
        const auto bits = static_cast<uint32_t>(above(a, bar) | above(b, bar) << kLanes);
        out[(line + row) * out_stride] = bits;
        if constexpr (counts) fired += std::popcount(bits);
      }
      if constexpr (counts) by_step[step] += fired;
    }
  }
  if constexpr (counts) {
    for (int64_t step = 0; step < layer.steps; ++step)
      std::atomic_ref(done.steps[step]).fetch_add(by_step[step], std::memory_order_relaxed);
    for (int64_t n = 0; n < columns; ++n) {
      const int64_t lane = n % kLanes;
      std::atomic_ref(done.active[n]).fetch_add(n < kLanes ? low_active[lane] : high_active[lane], std::memory_order_relaxed);
      std::atomic_ref(done.spikes[n]).fetch_add(n < kLanes ? low_spikes[lane] : high_spikes[lane], std::memory_order_relaxed);
    }
  }
}

template <bool counts>
auto fire_block_of(const Layer& layer) {
  switch (2 * layer.reset + (layer.delayed ? 1 : 0)) {
    case 2 * kSubtract: return fire_block<kSubtract, false, counts>;
    case 2 * kSubtract + 1: return fire_block<kSubtract, true, counts>;
    case 2 * kZero: return fire_block<kZero, false, counts>;
    case 2 * kZero + 1: return fire_block<kZero, true, counts>;
    case 2 * kNone: return fire_block<kNone, false, counts>;
    default: return fire_block<kNone, true, counts>;
  }
}

inline Lanes some(const float* values, int64_t column, int64_t columns) {
  return values != nullptr && column < columns ? load(values + column, columns - column) : splat(0.0f);
}

// Gradient of the spikes of some rows and one block's columns, to [rows, 32]
inline void spikes_gradient(const LayerBackward& grad, int64_t columns, int64_t from, const float* panel, int64_t first,
                            int64_t rows, float* to) {
  if (grad.spikes != nullptr) {
    const float* values = grad.spikes + first % grad.spikes_rows * columns;
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t lane = 0; lane < kWide; lane += kLanes)
        store(to + row * kWide + lane, some(values + row * columns, from + lane, columns) * splat(grad.share));
    return;
  }
  const float* above = grad.above_currents + first * grad.above;
  for (int64_t row = 0; row < rows; row += 4) {  // four rows at a time share the weights that are loaded
    Lanes sums[4][2] = {};
    const int64_t here = std::min<int64_t>(4, rows - row);
    const float* flows[4];
    for (int64_t which = 0; which < 4; ++which) flows[which] = above + (row + std::min(which, here - 1)) * grad.above;
    for (int64_t k = 0; k < grad.above; ++k) {
      const Lanes low = load(panel + k * kWide), high = load(panel + k * kWide + kLanes);
      for (int which = 0; which < 4; ++which) {
        const Lanes flow = splat(flows[which][k]);
        sums[which][0] = multiply_add(flow, low, sums[which][0]);
        sums[which][1] = multiply_add(flow, high, sums[which][1]);
      }
    }
    for (int which = 0; which < 4; ++which)
      if (which < here)
        store(to + (row + which) * kWide, sums[which][0]), store(to + (row + which) * kWide + kLanes, sums[which][1]);
  }
}

// Which of a block's spikes of one row dropout behind the layer left
inline uint32_t staying(const LayerBackward& grad, int64_t columns, int64_t from, int64_t row) {
  if (grad.stays == nullptr) return ~uint32_t{0};
  return reinterpret_cast<const uint32_t*>(grad.stays)[row * 2 * words_of(columns) + from / kWide];
}

// Nothing comes back to the spikes of some rows, [rows, 32] of one block's, that dropout took away
inline void drop(const LayerBackward& grad, int64_t columns, int64_t from, int64_t first, int64_t rows, float* arrived) {
  for (int64_t row = 0; grad.stays != nullptr && row < rows; ++row)
    for (int64_t lane = 0; lane < kWide; lane += kLanes) {
      float* at = arrived + row * kWide + lane;
      store(at, load(at) * ones_at(staying(grad, columns, from, first + row) >> lane));
    }
}

// What a block's way back needs besides the layer, and what it sums up
struct BlockBackward {
  int64_t from;
  Part part;
  const float* charges;   // [T, B, 32]
  const float* panel;     // the weights of the layer above from this block [above, 32], or null
  bool turned;            // whether these lie as [32, above]
  Lanes beta[2], to_beta[2];
};

// Gradient of one block's currents [T, B, 32], and of beta [32], for a part of the samples
template <int reset, bool delayed, int surrogate>
void learn_block(const Layer& layer, const LayerBackward& grad, BlockBackward& block, float* out) {
  const Lanes threshold = splat(layer.threshold), bar = splat(layer.bar);
  const float slope = grad.slope;
  const bool learns_beta = grad.beta != nullptr;
  const int64_t halves = layer.columns - block.from <= kLanes ? 1 : 2;  // half a block will do where columns are few
  const int64_t end = block.part.first + block.part.count;
  for (int64_t first = block.part.first; first < end; first += kRows) {
    const int64_t rows = std::min(kRows, end - first);
    alignas(64) float state[kRows * kWide] = {}, arrived[kRows * kWide];  // gradients of the membrane, and of the spikes
    for (int64_t step = layer.steps - 1; step >= 0; --step) {
      const int64_t line = step * layer.batch + first;
      spikes_gradient(grad, layer.columns, block.from, block.panel, line, rows, arrived);
      drop(grad, layer.columns, block.from, line, rows, arrived);
      const int64_t before_line = std::max<int64_t>(line - layer.batch, first);
      for (int64_t row = 0; row < rows; ++row)
        for (int64_t half = 0; half < halves; ++half) {
          const int64_t n = row * kWide + half * kLanes;
          __builtin_prefetch(block.charges + before_line * kWide + n);  // the processor looks ahead, but not back
          const Lanes charge = load(block.charges + line * kWide + n);
          Lanes flow = load(state + n);
          if constexpr (reset == kZero) flow = flow * (splat(1.0f) - step_above(charge, bar));
          flow += load(arrived + n) * derivative<surrogate>(charge - threshold, slope);
          store(out + line * kWide + n, flow);
          if (halves == 1) store(out + line * kWide + n + kLanes, splat(0.0f));
          if (learns_beta && step > 0) {
            const Lanes before = load(block.charges + before_line * kWide + n);
            block.to_beta[half] += flow * carried<reset, delayed>(before, threshold, bar);
          }
          store(state + n, block.beta[half] * flow);
        }
    }
  }
}

// As learn_block, of a layer that kept what was near the threshold
template <int reset>
void learn_near(const Layer& layer, const LayerBackward& grad, BlockBackward& block, float* out) {
  const Near& near = *grad.near;
  const int64_t index = block.from / kWide, halves = layer.columns - block.from <= kLanes ? 1 : 2;
  const int64_t end = block.part.first + block.part.count, fired_stride = 2 * words_of(layer.columns);
  const auto* fired = reinterpret_cast<const uint32_t*>(grad.fired) + index;
  const uint32_t* masks = near.masks.data() + index * near.rows;
  const bool sampled = block.turned;
  for (int64_t first = block.part.first; first < end; first += kRows) {
    const int64_t rows = std::min(kRows, end - first);
    alignas(64) float state[kRows * kWide] = {}, arrived[kRows * kWide];
    for (int64_t step = layer.steps - 1; step >= 0; --step) {
      const int64_t line = step * layer.batch + first;
      uint32_t any = 0;
      for (int64_t row = 0; row < rows; ++row) any |= masks[line + row];
      if (any != 0 && !sampled) {
        spikes_gradient(grad, layer.columns, block.from, block.panel, line, rows, arrived);
        drop(grad, layer.columns, block.from, line, rows, arrived);
      }
      for (int64_t row = 0; row < rows; ++row) {
        const uint32_t mask = masks[line + row];
        const float* numbers = near.at(index, line + row);
        if (sampled && mask != 0)
          sampled_gradient(grad.above_currents + (line + row) * grad.above, grad.above, block.panel,
                           mask & staying(grad, layer.columns, block.from, line + row), arrived + row * kWide);
        for (int64_t half = 0; half < halves; ++half) {
          const int64_t n = row * kWide + half * kLanes;
          Lanes flow = load(state + n);
          if constexpr (reset == kZero)
            flow = flow * (splat(1.0f) - ones_at(fired[(line + row) * fired_stride] >> (half * kLanes)));
          const uint32_t here = mask >> (half * kLanes) & 0xffff;
          if (here != 0) {
            flow += load(arrived + n) * unpress(numbers, here);
            numbers += std::popcount(here);
          }
          store(out + line * kWide + n, flow);
          if (halves == 1) store(out + line * kWide + n + kLanes, splat(0.0f));
          store(state + n, block.beta[half] * flow);
        }
      }
    }
  }
}

template <int reset, bool delayed>
auto learn_block_with(int surrogate) {
  switch (surrogate) {
    case kAtan: return learn_block<reset, delayed, kAtan>;
    case kFastSigmoid: return learn_block<reset, delayed, kFastSigmoid>;
    case kSigmoid: return learn_block<reset, delayed, kSigmoid>;
    case kTriangle: return learn_block<reset, delayed, kTriangle>;
    case kRectangular: return learn_block<reset, delayed, kRectangular>;
    default: return learn_block<reset, delayed, kStraightThrough>;
  }
}

inline auto learn_block_of(const Layer& layer, int surrogate, bool near) {
  if (near) return layer.reset == kZero ? learn_near<kZero> : learn_near<kNone>;  // what is taken off carries no gradient
  switch (2 * layer.reset + (layer.delayed ? 1 : 0)) {
    case 2 * kSubtract: return learn_block_with<kSubtract, false>(surrogate);
    case 2 * kSubtract + 1: return learn_block_with<kSubtract, true>(surrogate);
    case 2 * kZero: return learn_block_with<kZero, false>(surrogate);
    case 2 * kZero + 1: return learn_block_with<kZero, true>(surrogate);
    case 2 * kNone: return learn_block_with<kNone, false>(surrogate);
    default: return learn_block_with<kNone, true>(surrogate);
  }
}

inline int64_t layer(const Layer& l, float* charges, uint64_t* words, const Counts& done, Near* near) {
  const int64_t rows = l.steps * l.batch;
  Product product{rows, l.inner, l.columns, l.words, l.weight, true, l.bias, nullptr, false, l.method,
                  worth(rows * l.inner / 4 * l.columns, l.threads)};
  product.repeats = std::max<int64_t>(1, l.steps), product.levels = l.levels, product.worth = l.worth;
  static thread_local Selection held;
  Selection& bits = held;
  bits.prepare(product, l.batch);
  const int64_t halves = 2 * words_of(l.columns);
  const bool counts = done.active != nullptr;
  const auto fire = counts ? fire_block_of<true>(l) : fire_block_of<false>(l);
  std::atomic<int64_t> spikes{0};
  if (near != nullptr) {
    near->rows = rows, near->parts = product.parts;
    near->masks.resize(static_cast<size_t>(blocks_of(product) * rows));
    near->begins.resize(near->masks.size());
    near->numbers.resize(static_cast<size_t>(blocks_of(product) * product.parts));
    near->part_of.resize(static_cast<size_t>(l.batch));
    for (int64_t index = 0; index < product.parts; ++index) {
      const Part part = part_of(product, index);
      std::fill_n(near->part_of.begin() + part.first, part.count, static_cast<uint32_t>(index));
    }
  }
  bits.sum_blocks(product, [&](int64_t from, int64_t index, const float* sums) {
    const Part part = part_of(product, index);
    const int64_t block = from / kWide;
    // first apart: other threads write other blocks of the same rows, and would wait for each other at each of them
    static thread_local Buffer<uint32_t> apart;
    uint32_t* fired = apart.at_least(rows);
    static thread_local Buffer<float> near_buffer;
    NearBlock kept{};
    if (near != nullptr) {
      float* numbers = near_buffer.at_least(l.steps * part.count * kWide + kLanes);
      kept = {near->surrogate, near->slope, near->masks.data() + block * rows, near->begins.data() + block * rows, numbers, numbers,
              static_cast<uint32_t>((1ull << std::min(kWide, l.columns - from)) - 1)};
    }
    fire(l, part, sums, charges == nullptr ? nullptr : charges + block * rows * kWide, near == nullptr ? nullptr : &kept,
         some(l.beta, from, l.columns), some(l.beta, from + kLanes, l.columns), std::min(kWide, l.columns - from), fired, 1,
         counts ? Counts{done.active + from, done.spikes + from, done.steps} : done);
    if (near != nullptr)  // as many as there are, and what a vector may read past the last
      near->numbers[static_cast<size_t>(block * product.parts + index)].assign(kept.start, kept.at + kLanes);
    auto* out = reinterpret_cast<uint32_t*>(words) + block;  // little-endian: the even half is the low one
    const bool last_of_odd = from + kWide >= l.columns && block % 2 == 0;
    int64_t sent = 0;
    over_stretches(product, part, [&](int64_t first, int64_t count) {
      for (int64_t row = first; row < first + count; ++row) {
        sent += std::popcount(fired[row]);
        out[row * halves] = fired[row];
        if (last_of_odd) out[row * halves + 1] = 0;
      }
    });
    spikes.fetch_add(sent, std::memory_order_relaxed);
  });
  return spikes;
}

// The bias' gradient: a block's currents' gradients [rows, 32] summed, in four sums that do not wait for each other
inline void sum_rows(const float* flow, int64_t rows, int64_t columns, float* to) {
  for (int64_t lane = 0; lane < columns; lane += kLanes) {
    Lanes sums[4] = {};
    int64_t row = 0;
    for (; row + 4 <= rows; row += 4)
      for (int which = 0; which < 4; ++which) sums[which] += load(flow + (row + which) * kWide + lane);
    for (; row < rows; ++row) sums[0] += load(flow + row * kWide + lane);
    store(to + lane, (sums[0] + sums[1]) + (sums[2] + sums[3]), columns - lane);
  }
}

inline void layer_back(const Layer& l, const float* charges, const LayerBackward& grad) {
  const int64_t rows = l.steps * l.batch;
  const int threads = worth(rows * l.inner / 4 * l.columns, l.threads);
  Product product{l.inner, rows, l.columns, grad.turned, nullptr, false, nullptr, grad.weight, true, l.method, threads};
  product.dense_blocked = true, product.levels = l.levels, product.levels_apart = true, product.worth = l.worth;
  const int64_t blocks = blocks_of(product);
  static thread_local Selection held;
  Selection& bits = held;
  if (grad.turned != nullptr) bits.prepare(product, l.inner);
  const bool by_tiles = grad.turned != nullptr && product.method == kTiles;
  const auto learn = learn_block_of(l, grad.surrogate, grad.near != nullptr);

  const auto go_back = [&](int64_t from, const Part& part, float* flow) {
    static thread_local Buffer<float> panel_buffer;
    const bool sampled = grad.near != nullptr && grad.spikes == nullptr && grad.above > kNarrow;
    BlockBackward block{from, part, charges == nullptr ? nullptr : charges + from * rows, nullptr, sampled,
                        {some(l.beta, from, l.columns), some(l.beta, from + kLanes, l.columns)}, {}};
    if (grad.spikes == nullptr) {
      float* panel = panel_buffer.at_least(grad.above * kWide);
      if (sampled)
        turn_floats(grad.above_weight + from, l.columns, grad.above, std::min(kWide, l.columns - from), panel, grad.above);
      else
        for (int64_t k = 0; k < grad.above; ++k)
          for (int64_t lane = 0; lane < kWide; lane += kLanes)
            store(panel + k * kWide + lane, some(grad.above_weight + k * l.columns, from + lane, l.columns));
      block.panel = panel;
    }
    learn(l, grad, block, flow);
    const int64_t here = std::min(kWide, l.columns - from);
    for (int64_t lane = 0; lane < here; lane += kLanes) {
      if (grad.beta != nullptr) store(grad.beta + from + lane, block.to_beta[lane / kLanes], here - lane);
      if (grad.currents == nullptr) continue;
      for (int64_t step = 0; step < l.steps; ++step)
        for (int64_t row = step * l.batch + part.first; row < step * l.batch + part.first + part.count; ++row)
          store(grad.currents + row * l.columns + from + lane, load(flow + row * kWide + lane), here - lane);
    }
  };
  const auto put = [&](int64_t from, int64_t index, float* sums) {
    const Part mine = part_of(product, index);
    put_block(product, sums + mine.first * kWide, mine.first, mine.count, from);
  };
  const auto sum_up = [&](int64_t from, int64_t part, const float* flow) {
    if (grad.bias != nullptr && part == 0) sum_rows(flow, rows, std::min(kWide, l.columns - from), grad.bias + from);
    if (grad.turned == nullptr) return;
    if (by_tiles) bits.tiles.digest<false>(product, from, flow);
    if (by_tiles) return;
    static thread_local Buffer<float> sum_buffer;
    float* sums = sum_buffer.at_least(l.inner * kWide);
    Product own = product;  // its dense matrix is this block alone
    own.dense = flow - from * rows;
    bits.sum_block(own, from, part, sums);
    put(from, part, sums);
  };

  const int64_t parts = parts_for(blocks, l.batch, rows, threads);
  if (parts == 1) {
    parallel(blocks, threads, [&](int64_t block) {
      static thread_local Buffer<float> buffer;
      float* flow = buffer.at_least(rows * kWide);
      go_back(block * kWide, {0, l.batch}, flow);
      for (int64_t part = 0; part < (by_tiles ? 1 : product.parts); ++part) sum_up(block * kWide, part, flow);
    });
  } else {  // few blocks: first the neurons, in parts of the samples, then the weights, in parts of the inputs
    static thread_local Buffer<float> shared_buffer;
    float* flows = shared_buffer.at_least(blocks * rows * kWide);
    const int64_t groups = grad.beta != nullptr ? 1 : parts;  // beta's sum keeps its order
    parallel(blocks * groups, threads, [&](int64_t task) {
      const int64_t block = task / groups, group = task % groups, first = group * l.batch / groups;
      go_back(block * kWide, {first, (group + 1) * l.batch / groups - first}, flows + block * rows * kWide);
    });
    const int64_t pieces = by_tiles ? 1 : product.parts;
    parallel(blocks * pieces, threads, [&](int64_t task) {
      sum_up(task / pieces * kWide, task % pieces, flows + task / pieces * rows * kWide);
    });
  }
  if (by_tiles) bits.sum_blocks(product, put);
}

}  // namespace spikeledger::SPIKELEDGER_SET
