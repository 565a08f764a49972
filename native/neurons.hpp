// Integrate-and-fire neurons, fused over time; the equations are those of networks/neurons.py, operation by operation, so
// that spikes equal plain torch's to the bit (multiply and add are never contracted here).
#pragma once

#include <cmath>
#include <vector>

#include "kernels.hpp"
#include "simd.hpp"
#include "threads.hpp"

namespace spikeledger::SPIKELEDGER_SET {

// What the decay acts on at the next step, given this step's charge
template <int reset, bool delayed>
inline Lanes carried(Lanes charge, Lanes threshold, Lanes bar) {
  if constexpr (reset == kZero) return charge * (splat(1.0f) - step_above(charge, bar));
  if constexpr (reset == kSubtract && !delayed) return charge - threshold * step_above(charge, bar);
  return charge;
}

// The charge of the next step. `membrane` is what the neuron holds between steps: what is carried, or with a delayed
// reset the last charge itself, whose reset is still to come.
template <int reset, bool delayed>
inline Lanes charged(Lanes membrane, Lanes current, Lanes beta, Lanes threshold, Lanes bar) {
  if constexpr (!delayed) return beta * membrane + current;
  if constexpr (reset == kSubtract) return beta * membrane + current - threshold * step_above(membrane, bar);
  return beta * carried<reset, true>(membrane, threshold, bar) + current;
}

template <int reset, bool delayed>
inline Lanes kept(Lanes charge, Lanes threshold, Lanes bar) {
  return delayed ? charge : carried<reset, delayed>(charge, threshold, bar);
}

// exp on 16 lanes: 2^k times a polynomial on [-ln2/2, ln2/2]; relative error below 2e-7
inline Lanes exponential(Lanes x) {
  x = pick(x > splat(88.0f), splat(88.0f), x);
  x = pick(x < splat(-87.0f), splat(-87.0f), x);
  const Lanes shifted = x * splat(1.44269504f) + splat(12582912.0f);
  const Lanes k = shifted - splat(12582912.0f);
  const Lanes r = (x - k * splat(0.693359375f)) - k * splat(-2.12194440e-4f);
  Lanes y = splat(1.9875691500e-4f);
  y = y * r + splat(1.3981999507e-3f);
  y = y * r + splat(8.3334519073e-3f);
  y = y * r + splat(4.1665795894e-2f);
  y = y * r + splat(1.6666665459e-1f);
  y = y * r + splat(5.0000001201e-1f);
  y = y * r * r + r + splat(1.0f);
  const IntLanes power = (to_whole(k) + 127) << 23;
  return y * (Lanes)power;
}

template <int surrogate>
inline Lanes derivative(Lanes x, float slope) {
  const Lanes one = splat(1.0f);
  if constexpr (surrogate == kAtan) {
    const Lanes scaled = splat(static_cast<float>(M_PI / 2 * static_cast<double>(slope))) * x;
    return splat(slope / 2) * reciprocal(one + scaled * scaled);
  } else if constexpr (surrogate == kFastSigmoid) {
    const Lanes scaled = one + splat(slope) * magnitude(x);
    return reciprocal(scaled * scaled);
  } else if constexpr (surrogate == kSigmoid) {
    const Lanes e = exponential(splat(-slope) * magnitude(x)), s = one + e;  // s (1 - s) without cancellation
    return splat(slope) * e * reciprocal(s * s);
  } else if constexpr (surrogate == kTriangle) {
    const Lanes height = one - splat(slope) * magnitude(x);
    return pick(height > splat(0.0f), height, splat(0.0f));
  } else if constexpr (surrogate == kRectangular) {
    return pick(splat(slope) * magnitude(x) < splat(0.5f), splat(slope), splat(0.0f));
  } else {
    return splat(slope);
  }
}

// A surrogate that is zero but near the threshold
inline Lanes compact(int surrogate, Lanes x, float slope) {
  return surrogate == kTriangle ? derivative<kTriangle>(x, slope) : derivative<kRectangular>(x, slope);
}

constexpr int64_t kTileLanes = 1024;

// Rows are cut so that a task has about `lanes` neurons, and long rows into pieces of so many.
template <typename Work>
void over_tiles(const Population& p, int64_t lanes, const Work& work) {
  const int64_t pieces = (p.width + lanes - 1) / lanes;
  const int64_t rows = std::max<int64_t>(1, 2 * lanes / std::max<int64_t>(1, p.width));
  const int64_t groups = (p.batch + rows - 1) / rows;
  parallel(groups * pieces, worth(10 * p.steps * p.batch * p.width, p.threads), [&](int64_t task) {
    const int64_t piece = task % pieces, first = task / pieces * rows;
    const int64_t from = piece * lanes, count = std::min(lanes, p.width - from);
    for (int64_t row = first; row < std::min(first + rows, p.batch); ++row) work(row, from, count);
  });
}

template <int reset, bool delayed>
void fire_as(const Population& p, const Firing& out) {
  const Lanes threshold = splat(p.threshold), bar = splat(p.bar);
  const int64_t words = words_of(p.width);
  over_tiles(p, kTileLanes, [&](int64_t row, int64_t from, int64_t count) {
    alignas(64) float membrane[kTileLanes];
    const float* start = p.start != nullptr ? p.start + row * p.width + from : nullptr;
    for (int64_t n = 0; n < count; n += kLanes)
      store(membrane + n, start != nullptr ? load(start + n, count - n) : splat(0.0f));
    for (int64_t step = 0; step < p.steps; ++step) {
      const int64_t line = step * p.batch + row;
      const float* current = p.currents + line * p.width + from;
      for (int64_t word = 0; word < count; word += 64) {
        uint64_t bits = 0, near = 0;
        const int64_t end = std::min<int64_t>(count, word + 64);
        for (int64_t n = word; n < end; n += kLanes) {
          const int64_t here = count - n;
          const Lanes charge =
              charged<reset, delayed>(load(membrane + n), load(current + n, here), load(p.beta + from + n, here), threshold,
                                      bar);
          store(membrane + n, kept<reset, delayed>(charge, threshold, bar));
          bits |= above(charge, bar) << (n - word);
          if (out.near != nullptr) near |= above(compact(out.surrogate, charge - threshold, out.slope), splat(0.0f)) << (n - word);
          if (out.spikes != nullptr)
            store(out.spikes + line * p.width + from + n, step_above(charge, bar), here);
        }
        // lanes past the end have no membrane and no current, and so never fire
        if (out.words != nullptr) out.words[line * words + (from + word) / 64] = bits;
        if (out.near != nullptr)
          out.near[line * words + (from + word) / 64] = count - word < 64 ? near & ((1ull << (count - word)) - 1) : near;
      }
    }
    if (out.last != nullptr)
      std::memcpy(out.last + row * p.width + from, membrane, static_cast<size_t>(count) * sizeof(float));
  });
}

// Some neurons of one row over time, whose numbers lie so far apart from step to step
struct Track {
  int64_t steps, count;
  float threshold, bar;
  const float *beta, *start;  // `start` and `last` may be null
  const float* currents;
  int64_t currents_step;
  const float* spikes;  // the gradient that arrives, and that of what is held at the end
  int64_t spikes_step;
  const float* last;
  float slope;
  float* out;  // that of the currents
  int64_t out_step;
  float *to_start, *to_beta;  // those of what was held at first, and of beta, which is added to; or null
};

// So many at once that the charges of their steps, which are computed again, stay in cache
inline int64_t track_lanes(int64_t steps) {
  return std::clamp<int64_t>(16384 / std::max<int64_t>(1, steps) / 64 * 64, 64, kTileLanes);
}

template <int reset, bool delayed, int surrogate>
void learn_track(const Track& given) {
  const Track t = given;  // nothing that is written can change it
  const Lanes threshold = splat(t.threshold), bar = splat(t.bar);
  const int64_t lanes = track_lanes(t.steps), count = t.count;
  static thread_local Buffer<float> buffer;
  float* charges = buffer.at_least(t.steps * lanes);
  alignas(64) float state[kTileLanes];  // the membrane on the way forth, its gradient on the way back
  for (int64_t n = 0; n < count; n += kLanes)
    store(state + n, t.start != nullptr ? load(t.start + n, count - n) : splat(0.0f));
  for (int64_t step = 0; step < t.steps; ++step) {
    const float* current = t.currents + step * t.currents_step;
    for (int64_t n = 0; n < count; n += kLanes) {
      __builtin_prefetch(current + n + count);  // of the next track
      const Lanes charge = charged<reset, delayed>(load(state + n), load(current + n, count - n), load(t.beta + n, count - n),
                                                   threshold, bar);
      store(charges + step * lanes + n, charge);
      store(state + n, kept<reset, delayed>(charge, threshold, bar));
    }
  }
  for (int64_t n = 0; n < count; n += kLanes)
    store(state + n, t.last != nullptr ? load(t.last + n, count - n) : splat(0.0f));
  for (int64_t step = t.steps - 1; step >= 0; --step) {
    const float* arrived = t.spikes + step * t.spikes_step;
    float* out = t.out + step * t.out_step;
    for (int64_t n = 0; n < count; n += kLanes) {
      const int64_t here = count - n;
      __builtin_prefetch(arrived + n + count);
      const Lanes charge = load(charges + step * lanes + n);
      Lanes flow = load(state + n);
      // what comes back through what was carried on; the last step of a delayed reset hands out its charge as it is
      if constexpr (reset == kZero)
        if (!delayed || step + 1 < t.steps) flow = flow * (splat(1.0f) - step_above(charge, bar));
      flow += load(arrived + n, here) * derivative<surrogate>(charge - threshold, t.slope);
      store(out + n, flow, here);
      if (t.to_beta != nullptr) {
        Lanes before;
        if (step > 0) {
          before = carried<reset, delayed>(load(charges + (step - 1) * lanes + n), threshold, bar);
        } else {
          before = t.start != nullptr ? load(t.start + n, here) : splat(0.0f);
          if (delayed) before = carried<reset, delayed>(before, threshold, bar);
        }
        store(t.to_beta + n, load(t.to_beta + n, here) + flow * before, here);
      }
      store(state + n, load(t.beta + n, here) * flow);
    }
  }
  if (t.to_start != nullptr)
    for (int64_t n = 0; n < count; n += kLanes) {
      Lanes flow = load(state + n);
      if constexpr (reset == kZero && delayed)
        if (t.start != nullptr && t.steps > 0) flow = flow * (splat(1.0f) - step_above(load(t.start + n, count - n), bar));
      store(t.to_start + n, flow, count - n);
    }
}

using LearnTrack = void (*)(const Track&);

template <int reset, bool delayed>
LearnTrack learn_track_with(int surrogate) {
  switch (surrogate) {
    case kAtan: return learn_track<reset, delayed, kAtan>;
    case kFastSigmoid: return learn_track<reset, delayed, kFastSigmoid>;
    case kSigmoid: return learn_track<reset, delayed, kSigmoid>;
    case kTriangle: return learn_track<reset, delayed, kTriangle>;
    case kRectangular: return learn_track<reset, delayed, kRectangular>;
    default: return learn_track<reset, delayed, kStraightThrough>;
  }
}

inline LearnTrack learn_track_of(int reset, bool delayed, int surrogate) {
  switch (2 * reset + (delayed ? 1 : 0)) {
    case 2 * kSubtract: return learn_track_with<kSubtract, false>(surrogate);
    case 2 * kSubtract + 1: return learn_track_with<kSubtract, true>(surrogate);
    case 2 * kZero: return learn_track_with<kZero, false>(surrogate);
    case 2 * kZero + 1: return learn_track_with<kZero, true>(surrogate);
    case 2 * kNone: return learn_track_with<kNone, false>(surrogate);
    default: return learn_track_with<kNone, true>(surrogate);
  }
}

inline void learn(const Population& p, const Backward& grad) {
  const LearnTrack learn_these = learn_track_of(p.reset, p.delayed, grad.surrogate);
  // beta's gradient is summed a row of the batch at a time, so that no two threads add to one number
  std::vector<float> beta_rows;
  if (grad.beta != nullptr) beta_rows.assign(static_cast<size_t>(p.batch * p.width), 0.0f);
  const auto at = [](auto* numbers, int64_t place) { return numbers != nullptr ? numbers + place : nullptr; };
  over_tiles(p, track_lanes(p.steps), [&](int64_t row, int64_t from, int64_t count) {
    const int64_t place = row * p.width + from, step = p.batch * p.width;
    learn_these({p.steps, count, p.threshold, p.bar, p.beta + from, at(p.start, place), p.currents + place, step,
                 grad.spikes + place, step, at(grad.last, place), grad.slope, grad.currents + place, step,
                 at(grad.start, place), grad.beta != nullptr ? beta_rows.data() + place : nullptr});
  });
  if (grad.beta != nullptr)
    parallel((p.width + 255) / 256, p.threads, [&](int64_t task) {
      const int64_t end = std::min(p.width, task * 256 + 256);
      for (int64_t n = task * 256; n < end; ++n) {
        double sum = 0;
        for (int64_t row = 0; row < p.batch; ++row) sum += static_cast<double>(beta_rows[static_cast<size_t>(row * p.width + n)]);
        grad.beta[n] = static_cast<float>(sum);
      }
    });
}

inline void fire(const Population& p, const Firing& out) {
  switch (2 * p.reset + (p.delayed ? 1 : 0)) {
    case 2 * kSubtract: return fire_as<kSubtract, false>(p, out);
    case 2 * kSubtract + 1: return fire_as<kSubtract, true>(p, out);
    case 2 * kZero: return fire_as<kZero, false>(p, out);
    case 2 * kZero + 1: return fire_as<kZero, true>(p, out);
    case 2 * kNone: return fire_as<kNone, false>(p, out);
    default: return fire_as<kNone, true>(p, out);
  }
}

}  // namespace spikeledger::SPIKELEDGER_SET
