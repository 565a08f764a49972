// The whole family of neurons, fused over time: synapse, adaptation, refractory period and connections of a population to
// itself are there or not. The equations are those of networks/neurons.py, operation by operation, as in neurons.hpp, which
// runs plain IF and LIF faster.
#pragma once

#include <algorithm>
#include <atomic>
#include <vector>

#include "kernels.hpp"
#include "neurons.hpp"
#include "simd.hpp"
#include "threads.hpp"

namespace spikeledger::SPIKELEDGER_SET {

// What sixteen neurons keep from step to step
struct Lives {
  Lanes membrane, synapse, adaptation, waiting, fired;
};

// What the way back needs of one step
struct Trace {
  Lanes before, charge, fired, synapse, adaptation, waiting;
};

// One step: the neurons' lives go on, and their trace is given.
inline Trace advance(const Cells& p, Lives& now, Lanes current, int64_t at, int64_t here) {
  const Lanes none = splat(0.0f), one = splat(1.0f), threshold = splat(p.threshold);
  Trace step{now.membrane, none, none, now.synapse, now.adaptation, now.waiting};
  if (p.alpha != nullptr) current = now.synapse = load(p.alpha + at, here) * now.synapse + current;
  if (p.delayed && p.reset == kZero) step.before = now.membrane * (one - now.fired);
  step.charge = load(p.beta + at, here) * step.before + current;
  Lanes held = step.before;
  if (p.delayed && p.reset == kSubtract) {
    held = held - threshold * now.fired;
    step.charge = step.charge - threshold * now.fired;
  }
  if (p.refractory > 0) step.charge = pick(now.waiting > none, held, step.charge);
  Lanes bar = threshold;
  if (p.strength != nullptr) bar = bar + load(p.strength + at, here) * now.adaptation;
  step.fired = p.bar < p.threshold ? one - step_above(bar, step.charge) : step_above(step.charge, bar);
  if (p.refractory > 0) {
    step.fired = pick(now.waiting > none, none, step.fired);
    const Lanes less = now.waiting - one;
    now.waiting = pick(step.fired > none, splat(static_cast<float>(p.refractory)), pick(less > none, less, none));
  }
  now.membrane = step.charge;
  if (!p.delayed && p.reset == kSubtract) now.membrane = step.charge - threshold * step.fired;
  if (!p.delayed && p.reset == kZero) now.membrane = step.charge * (one - step.fired);
  if (p.strength != nullptr) now.adaptation = load(p.rho + at, here) * now.adaptation + step.fired;
  now.fired = step.fired;
  return step;
}

// A few rows of a population, or a piece of one row, over all steps; a population with weights of its own comes in whole rows.
class Group {
 public:
  Group(const Cells& p, int64_t row, int64_t rows, int64_t from, int64_t count)
      : p_(p), row_(row), rows_(rows), from_(from), count_(count), lanes_((count + 63) / 64 * 64) {}

  static constexpr int64_t kSlots = 6;
  int64_t trace() const { return kSlots * rows_ * lanes_; }  // floats of one step
  static int64_t slots(const Cells& p) { return 3 + (p.alpha != nullptr) + (p.strength != nullptr) + (p.refractory > 0); }

  void begin() {
    static thread_local Buffer<float> buffer;
    state_ = buffer.at_least((kSlots + 2) * rows_ * lanes_);
    read(0, p_.membrane), read(1, p_.synapse), read(2, p_.adaptation), read(3, p_.waiting), read(4, p_.fired);
  }

  // All steps; `traces`, room for steps * kSlots * rows * lanes floats, or null where nobody goes back.
  void forth(const CellsFired* out, float* traces) {
    const int64_t words = words_of(p_.width);
    static thread_local std::vector<int32_t> active;  // of each lane, over all rows
    const bool counts = out != nullptr && out->active != nullptr;
    if (counts) active.assign(static_cast<size_t>(lanes_), 0);
    for (int64_t step = 0; step < p_.steps; ++step)
      for (int64_t g = 0; g < rows_; ++g) {
        const int64_t line = step * p_.batch + row_ + g;
        const float* current = p_.currents + line * p_.width + from_;
        if (p_.weight_blocked != nullptr) gather(g);
        uint64_t bits = 0;
        for (int64_t n = 0; n < count_; n += kLanes) {
          const int64_t here = count_ - n, at = from_ + n;
          Lives now{load(state(0, g) + n), load(state(1, g) + n), load(state(2, g) + n), load(state(3, g) + n),
                    load(state(4, g) + n)};
          Lanes value = load(current + n, here);
          if (p_.own != nullptr) value = value + load(p_.own + at, here) * now.fired;
          if (p_.weight_blocked != nullptr) value = value + load(state(5, g) + n);
          if (counts) count(active.data() + n, value != splat(0.0f));
          const Trace trace = advance(p_, now, value, at, here);
          store(state(0, g) + n, now.membrane);
          if (p_.alpha != nullptr) store(state(1, g) + n, now.synapse);
          if (p_.strength != nullptr) store(state(2, g) + n, now.adaptation);
          if (p_.refractory > 0) store(state(3, g) + n, now.waiting);
          store(state(4, g) + n, now.fired);
          if (traces != nullptr) keep(trace, slot(traces, step, g) + n);
          if (out == nullptr) continue;
          bits |= above(now.fired, splat(0.0f)) << (n % 64);
          store(out->spikes + line * p_.width + at, now.fired, here);
          if ((n + kLanes) % 64 == 0 || n + kLanes >= count_) {
            out->words[line * words + (from_ + n) / 64] = bits;
            bits = 0;
          }
        }
      }
    if (out != nullptr) write(0, out->membrane), write(1, out->synapse), write(2, out->adaptation), write(3, out->waiting);
    for (int64_t n = 0; counts && n < count_; ++n)
      std::atomic_ref(out->active[from_ + n]).fetch_add(active[static_cast<size_t>(n)], std::memory_order_relaxed);
  }

  // Back through all steps, along their traces. Sums of the constants' gradients go to a row each.
  void back(const CellsBackward& grad, const float* traces, float* sums[5]) {
    read(0, grad.membrane), read(1, grad.synapse), read(2, grad.adaptation), read(4, nullptr);
    for (int64_t step = p_.steps - 1; step >= 0; --step) {
      for (int64_t g = 0; g < rows_; ++g)
        for (int64_t n = 0; n < count_; n += kLanes) back_lanes(grad, slot(traces, step, g) + n, sums, step, g, n);
      if (p_.weight_blocked != nullptr) spread();
    }
    const bool wiped = p_.delayed && p_.reset == kZero && p_.steps > 0;
    if (wiped && grad.membrane_start != nullptr)
      for (int64_t g = 0; g < rows_; ++g)
        for (int64_t n = 0; n < count_; n += kLanes) {
          const Lanes fired = load(p_.fired + (row_ + g) * p_.width + from_ + n, count_ - n);
          store(state(0, g) + n, load(state(0, g) + n) * (splat(1.0f) - fired));
        }
    write(0, grad.membrane_start), write(1, grad.synapse_start), write(2, grad.adaptation_start), write(4, grad.fired_start);
  }

 private:
  static void count(int32_t* at, IntLanes mask) {
    IntLanes counts;
    std::memcpy(&counts, at, sizeof counts);
    counts -= mask;
    std::memcpy(at, &counts, sizeof counts);
  }

  float* state(int64_t kind, int64_t g) const { return state_ + (kind * rows_ + g) * lanes_; }
  template <typename Float>
  Float* slot(Float* traces, int64_t step, int64_t g) const {
    return traces + (step * rows_ + g) * kSlots * lanes_;
  }

  void read(int64_t kind, const float* from) {
    for (int64_t g = 0; g < rows_; ++g)
      for (int64_t n = 0; n < lanes_; n += kLanes)
        store(state(kind, g) + n, from == nullptr || n >= count_
                                      ? splat(0.0f)
                                      : load(from + (row_ + g) * p_.width + from_ + n, count_ - n));
  }

  void write(int64_t kind, float* to) const {
    if (to == nullptr) return;
    for (int64_t g = 0; g < rows_; ++g)
      std::memcpy(to + (row_ + g) * p_.width + from_, state(kind, g), static_cast<size_t>(count_) * sizeof(float));
  }

  void keep(const Trace& trace, float* to) const {
    store(to, trace.before), store(to + lanes_, trace.charge), store(to + 2 * lanes_, trace.fired);
    if (p_.alpha != nullptr) store(to + 3 * lanes_, trace.synapse);
    if (p_.strength != nullptr) store(to + 4 * lanes_, trace.adaptation);
    if (p_.refractory > 0) store(to + 5 * lanes_, trace.waiting);
  }

  void back_lanes(const CellsBackward& grad, const float* trace, float* sums[5], int64_t step, int64_t g, int64_t n) {
    const int64_t here = count_ - n, at = from_ + n, line = (step * p_.batch + row_ + g) * p_.width + at;
    const Lanes none = splat(0.0f), one = splat(1.0f);
    const Lanes before = load(trace), charge = load(trace + lanes_), fired = load(trace + 2 * lanes_);
    const IntLanes waits = p_.refractory > 0 ? load(trace + 5 * lanes_) > none : none > none;
    Lanes flow = load(state(0, g) + n), to_adaptation = load(state(2, g) + n);
    // the last step of a delayed reset hands out its charge as it is
    if (p_.reset == kZero && (!p_.delayed || step + 1 < p_.steps)) flow = flow * (one - fired);
    Lanes bar = splat(p_.threshold), to_spike = load(grad.spikes + line, here) + load(state(4, g) + n);
    if (p_.strength != nullptr) {
      bar = bar + load(p_.strength + at, here) * load(trace + 4 * lanes_);
      to_spike = to_spike + to_adaptation;
    }
    Lanes to_distance = to_spike * derivative_of(grad.surrogate, charge - bar, grad.slope);
    to_distance = pick(waits, none, to_distance);
    flow = flow + to_distance;
    if (p_.strength != nullptr) {
      const Lanes adaptation = load(trace + 4 * lanes_);
      add(sums[2], g, at, to_adaptation * adaptation, here);
      add(sums[3], g, at, none - to_distance * adaptation, here);
      store(state(2, g) + n, load(p_.rho + at, here) * to_adaptation - load(p_.strength + at, here) * to_distance);
    }
    Lanes to_current = pick(waits, none, flow);
    add(sums[0], g, at, to_current * before, here);
    store(state(0, g) + n, pick(waits, flow, load(p_.beta + at, here) * flow));
    if (p_.alpha != nullptr) {
      to_current = to_current + load(state(1, g) + n);
      add(sums[1], g, at, to_current * load(trace + 3 * lanes_), here);
      store(state(1, g) + n, load(p_.alpha + at, here) * to_current);
    }
    store(grad.currents + line, to_current, here);
    if (p_.own != nullptr || p_.weight_blocked != nullptr) {
      Lanes back = none;
      if (p_.own != nullptr) {
        const Lanes last = step > 0 ? load(trace - rows_ * kSlots * lanes_ + 2 * lanes_)
                                    : load(p_.fired + (row_ + g) * p_.width + at, here);
        add(sums[4], g, at, to_current * last, here);
        back = load(p_.own + at, here) * to_current;
      }
      store(state(4, g) + n, back);
      if (p_.weight_blocked != nullptr) store(state(5, g) + n, to_current);
    }
  }

  static Lanes derivative_of(int surrogate, Lanes x, float slope) {
    switch (surrogate) {
      case kAtan: return derivative<kAtan>(x, slope);
      case kFastSigmoid: return derivative<kFastSigmoid>(x, slope);
      case kSigmoid: return derivative<kSigmoid>(x, slope);
      case kTriangle: return derivative<kTriangle>(x, slope);
      case kRectangular: return derivative<kRectangular>(x, slope);
      default: return derivative<kStraightThrough>(x, slope);
    }
  }

  void add(float* sum, int64_t g, int64_t at, Lanes value, int64_t here) const {
    if (sum == nullptr) return;
    float* place = sum + (row_ + g) * p_.width + at;
    store(place, load(place, here) + value, here);
  }

  // What the last spikes of a row send to all: the rows of the turned weights of those that fired, summed
  void gather(int64_t g) {
    static thread_local std::vector<int64_t> list;
    list.clear();
    for (int64_t n = 0; n < count_; n += kLanes)
      for (uint64_t bits = above(load(state(4, g) + n), splat(0.0f)); bits != 0; bits &= bits - 1)
        list.push_back(n + __builtin_ctzll(bits));
    for (int64_t n = 0; n < count_; n += kLanes) {
      Lanes sum = splat(0.0f);
      for (const int64_t from : list) sum = sum + load(p_.weight_turned + from * p_.width + n, count_ - n);
      store(state(5, g) + n, sum);
    }
  }

  // What the currents' gradients (state 5) say to the spikes before (state 4): a product with the weights
  void spread() {
    int64_t first = 0;
    for (; first + 8 <= rows_; first += 8) spread_rows<8>(first);
    for (; first + 2 <= rows_; first += 2) spread_rows<2>(first);
    for (; first < rows_; ++first) spread_rows<1>(first);
  }

  template <int rows>
  void spread_rows(int64_t first) {
    const float* from[rows];
    for (int g = 0; g < rows; ++g) from[g] = state(5, first + g);
    for (int64_t n = 0; n < count_; n += 2 * kLanes) {
      Lanes sums[rows][2] = {};
      const float* weight = p_.weight_blocked + n * count_;
      for (int64_t into = 0; into < count_; ++into, weight += 2 * kLanes) {
        const Lanes left = load(weight), right = load(weight + kLanes);
        for (int g = 0; g < rows; ++g) {
          const float value = from[g][into];
          sums[g][0] = multiply_add(value, left, sums[g][0]);
          sums[g][1] = multiply_add(value, right, sums[g][1]);
        }
      }
      for (int g = 0; g < rows; ++g) {
        float* to = state(4, first + g) + n;
        store(to, load(to) + sums[g][0]);
        store(to + kLanes, load(to + kLanes) + sums[g][1]);  // rows are padded to whole words
      }
    }
  }

  // Of gradients only: one rounding instead of two, where the processor can
  static Lanes multiply_add(float a, Lanes b, Lanes c) {
#if defined(__AVX512F__)
    return (Lanes)_mm512_fmadd_ps(_mm512_set1_ps(a), (__m512)b, (__m512)c);
#else
    return splat(a) * b + c;
#endif
  }

  const Cells& p_;
  int64_t row_, rows_, from_, count_, lanes_;
  float* state_ = nullptr;
};

// Groups of a population: pieces of rows, or a few whole rows where all are connected
template <typename Work>
void over_groups(const Cells& p, int64_t lanes, const Work& work) {
  const bool whole = p.weight_blocked != nullptr;
  const int64_t count = whole ? p.width : std::min(lanes, p.width);
  // as few rows as leave work for all threads, as many as use a weight well once it is read
  const int64_t rows = whole ? std::clamp<int64_t>(p.batch / p.threads, 1, 8) : 1;
  const int64_t pieces = (p.width + count - 1) / count, groups = (p.batch + rows - 1) / rows;
  parallel(groups * pieces, worth(20 * p.steps * p.batch * p.width, p.threads), [&](int64_t task) {
    const int64_t from = task % pieces * count, row = task / pieces * rows;
    work(Group(p, row, std::min(rows, p.batch - row), from, std::min(count, p.width - from)));
  });
}

inline void fire_cells(const Cells& p, const CellsFired& out) {
  over_groups(p, kTileLanes, [&](Group group) {
    group.begin();
    group.forth(&out, nullptr);
  });
}

inline void learn_cells(const Cells& p, const CellsBackward& grad) {
  float* const wanted[5] = {grad.beta, grad.alpha, grad.rho, grad.strength, grad.own};
  // gradients of constants are summed a row of the batch at a time, so that no two threads add to one number
  std::vector<float> rows[5];
  float* sums[5] = {};
  for (int kind = 0; kind < 5; ++kind)
    if (wanted[kind] != nullptr) {
      rows[kind].assign(static_cast<size_t>(p.batch * p.width), 0.0f);
      sums[kind] = rows[kind].data();
    }
  // a group's traces stay in cache
  const int64_t room = 16384 / (Group::slots(p) * std::max<int64_t>(1, p.steps)) / 64 * 64;
  over_groups(p, std::clamp<int64_t>(room, 64, kTileLanes), [&](Group group) {
    static thread_local Buffer<float> buffer;
    float* traces = buffer.at_least(p.steps * group.trace());
    group.begin();
    group.forth(nullptr, traces);
    group.back(grad, traces, sums);
  });
  for (int kind = 0; kind < 5; ++kind)
    if (wanted[kind] != nullptr)
      parallel((p.width + 255) / 256, worth(p.batch * p.width, p.threads), [&](int64_t task) {
        for (int64_t n = task * 256; n < std::min(p.width, task * 256 + 256); ++n) {
          double sum = 0;
          for (int64_t row = 0; row < p.batch; ++row)
            sum += static_cast<double>(rows[kind][static_cast<size_t>(row * p.width + n)]);
          wanted[kind][n] = static_cast<float>(sum);
        }
      });
}

}  // namespace spikeledger::SPIKELEDGER_SET
