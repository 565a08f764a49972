// An event-driven, clock-stepped network: neurons are advanced at every step, synapses only when a spike meets them.
//
// Each thread owns a range of every population's neurons: it advances them and is the only one to add to their currents,
// so there are no atomics and the sums have the same order with any number of threads. A spike list has two buffers: a
// thread that runs ahead by one step writes the other one.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "update.hpp"

namespace chip {

template <class Real>
struct Record {
  uint32_t target;
  Real weight;
};

// A current, and how many synaptic operations made it.
template <class Real>
struct Cell {
  Real current;
  uint32_t arrivals;
};

struct Fan {  // see synapses.py; null where a neuron is a place of the operator's input
  const int64_t* starts = nullptr;
  const int32_t* places = nullptr;
  const void* scales = nullptr;
};

struct ConvShape {
  int64_t in_channels, in_rows, in_columns, out_channels, out_rows, out_columns, kernel_rows, kernel_columns;
  int64_t stride_rows, stride_columns, pad_rows, pad_columns, dilation_rows, dilation_columns, groups;
};

enum class Kind { sparse, dense, conv };

template <class Real>
struct Projection {
  int target;
  int delay;
  Kind kind;
  Fan fan;
  const int64_t* starts = nullptr;  // sparse
  const Record<Real>* records = nullptr;
  std::vector<int64_t> cuts;  // [threads - 1][sources]: where the next thread's part of each row begins
  int64_t sources = 0;
  const Real* weight = nullptr;      // dense: [sources, targets]; conv: [in, kh, kw, out / groups]
  const uint32_t* counts = nullptr;  // dense: [sources, slices of the target]; conv: [in, kh, kw]; sparse: may be null
  ConvShape conv{};
};

template <class Real>
struct Fired {
  std::vector<uint32_t> neurons;
  std::vector<Real> values;  // of an input's places; empty for spikes
};

template <class Real>
struct Population {
  int64_t size = 0;
  bool input = false;
  int64_t grain = 1;  // a thread's range begins at a multiple of it
  Neurons<Real> neurons{};
  std::vector<Real> v;
  std::vector<Real> start;
  int slots = 1;
  bool counted = false;           // currents are cells that count their arrivals
  std::vector<Real> currents;     // [slots, size]
  std::vector<Cell<Real>> cells;  // the same, counted
  std::vector<int64_t> slices;    // borders of the parts that lie on one core each
  std::vector<int32_t> cores;     // one a slice
  std::vector<int32_t> slice_of;  // [size / grain]
  const int32_t* packets = nullptr;  // destination cores of a spike of each neuron
  const int32_t* hops = nullptr;
  std::vector<Projection<Real>> out;
  std::vector<std::vector<Fired<Real>>> fired;  // [2][threads]
  std::vector<int64_t> range;                   // [threads + 1]
  // results
  int64_t* spikes = nullptr;    // [size]
  int64_t* active = nullptr;    // [size]
  int64_t* per_step = nullptr;  // [steps]
  int64_t* late = nullptr;      // [depth, size]: spikes of the last steps, which a delay keeps from arriving
  int64_t depth = 0;
  uint8_t* raster = nullptr;    // [samples or 1, steps, size]
  bool raster_all = false;
  const Real* values = nullptr;  // of an input: [steps, samples, size]
};

class Barrier {
 public:
  explicit Barrier(int threads) : threads_(threads) {}
  void wait() {
    if (threads_ == 1) return;
    const int phase = phase_.load(std::memory_order_relaxed);
    if (waiting_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads_) {
      waiting_.store(0, std::memory_order_relaxed);
      phase_.store(phase + 1, std::memory_order_release);
      return;
    }
    for (int spin = 0; phase_.load(std::memory_order_acquire) == phase; ++spin) {
      if (spin < 4000) {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
      } else {
        std::this_thread::yield();  // a busy machine: let the other one run
      }
    }
  }

 private:
  const int threads_;
  std::atomic<int> waiting_{0};
  std::atomic<int> phase_{0};
};

struct Account {  // what the cores do; all may be null
  int64_t cores = 0;
  int64_t* synapses = nullptr;  // [steps, cores]
  int64_t* spikes = nullptr;
  int64_t* packets = nullptr;  // [steps]
  int64_t* hops = nullptr;
  const double* updates_seconds = nullptr;  // [cores], of one step
  double synapse_seconds = 0, spike_seconds = 0, barrier_seconds = 0;
  double* seconds = nullptr;  // [steps], summed over samples
};

template <class Real>
class Machine {
 public:
  std::vector<Population<Real>> populations;  // in the order in which they are advanced
  Account account;
  int threads = 1;

  void prepare() {
    for (auto& p : populations) {
      p.range.assign(threads + 1, p.size);
      for (int k = 0; k < threads; ++k) p.range[k] = p.size / p.grain * k / threads * p.grain;
      p.fired.assign(2, std::vector<Fired<Real>>(threads));
      if (p.input) continue;
      p.v = p.start;
      if (p.counted) p.cells.assign(p.slots * p.size, Cell<Real>{});
      else p.currents.assign(p.slots * p.size, Real(0));
    }
    for (auto& p : populations)
      for (auto& q : p.out)
        if (q.kind == Kind::sparse && int64_t(q.cuts.size()) != (threads - 1) * q.sources) cut(q);
  }

  void run(int64_t steps, int64_t samples) {
    prepare();
    steps_ = steps, samples_ = samples;
    Barrier barrier(threads);
    work_.assign(threads, std::vector<int64_t>(2 * account.cores + 2));
    std::vector<std::thread> others;
    for (int k = 1; k < threads; ++k) others.emplace_back([&, k] { loop(k, barrier); });
    loop(0, barrier);
    for (auto& other : others) other.join();
  }

 private:
  int64_t steps_ = 0, samples_ = 0;
  std::vector<std::vector<int64_t>> work_;  // a thread's synapses and spikes a core, packets, hops of this step

  void cut(Projection<Real>& q) {
    const auto& range = populations[q.target].range;
    q.cuts.resize((threads - 1) * q.sources);
    for (int k = 1; k < threads; ++k)
      for (int64_t i = 0; i < q.sources; ++i) {
        const auto *first = q.records + q.starts[i], *last = q.records + q.starts[i + 1];
        const auto* at = std::lower_bound(first, last, range[k], [](const auto& r, int64_t t) { return r.target < t; });
        q.cuts[(k - 1) * q.sources + i] = at - q.records;
      }
  }

  void loop(int me, Barrier& barrier) {
    for (int64_t sample = 0; sample < samples_; ++sample) {
      if (sample) rest(me);
      for (int64_t t = 0; t < steps_; ++t) {
        for (auto& p : populations) {
          if (p.input) read(p, me, sample, t);
          else advance(p, me, sample, t);
          if (p.out.empty()) continue;
          barrier.wait();
          for (auto& q : p.out)
            for (const auto& list : p.fired[t & 1]) deliver(q, list, me, t);
        }
        close(me, barrier, t);
      }
    }
  }

  void rest(int me) {
    for (auto& p : populations) {
      if (p.input) continue;
      const int64_t a = p.range[me], b = p.range[me + 1];
      std::copy(p.start.begin() + a, p.start.begin() + b, p.v.begin() + a);
      for (int s = 0; s < p.slots; ++s) {
        if (p.counted) std::fill_n(p.cells.begin() + s * p.size + a, b - a, Cell<Real>{});
        else std::fill_n(p.currents.begin() + s * p.size + a, b - a, Real(0));
      }
    }
  }

  void read(Population<Real>& p, int me, int64_t sample, int64_t t) {
    auto& list = p.fired[t & 1][me];
    list.neurons.clear();
    list.values.clear();
    const Real* row = p.values + (t * samples_ + sample) * p.size;
    for (int64_t i = p.range[me]; i < p.range[me + 1]; ++i)
      if (row[i] != 0) {
        list.neurons.push_back(uint32_t(i));
        list.values.push_back(row[i]);
        book(p, i, t);
        route(p, me, i);
      }
    count(p, t, list.neurons.size());
  }

  void advance(Population<Real>& p, int me, int64_t sample, int64_t t) {
    constexpr int64_t block = 256;
    Real buffer[block];
    uint8_t fired[block], active[block];
    auto& list = p.fired[t & 1][me].neurons;
    list.clear();
    const int64_t slot = (t % p.slots) * p.size;
    uint8_t* raster = p.raster && (p.raster_all || sample == 0) ? p.raster + (sample * steps_ + t) * p.size : nullptr;
    int64_t* synapses = work_[me].data();
    int64_t* spikes = synapses + account.cores;
    size_t slice = 0;
    if (p.counted) slice = std::upper_bound(p.slices.begin(), p.slices.end(), p.range[me]) - p.slices.begin() - 1;
    for (int64_t first = p.range[me]; first < p.range[me + 1]; first += block) {
      const int64_t n = std::min(block, p.range[me + 1] - first);
      Real* current;
      if (p.counted) {
        Cell<Real>* cells = p.cells.data() + slot + first;
        for (int64_t i = 0; i < n; ++i) buffer[i] = cells[i].current;
        for (int64_t i = 0; i < n;) {
          while (first + i >= p.slices[slice + 1]) ++slice;
          const int64_t end = std::min(n, p.slices[slice + 1] - first);
          uint64_t sum = 0;
          for (; i < end; ++i) sum += cells[i].arrivals;
          synapses[p.cores[slice]] += sum;
        }
        std::memset(static_cast<void*>(cells), 0, n * sizeof(Cell<Real>));
        current = buffer;
      } else {
        current = p.currents.data() + slot + first;
      }
      step(p.neurons, first, n, p.v.data() + first, current, fired, active);
      if (!p.counted) std::memset(current, 0, n * sizeof(Real));
      for (int64_t i = 0; i < n; ++i) p.active[first + i] += active[i];
      if (raster) std::memcpy(raster + first, fired, n);
      std::memset(fired + n, 0, block - n);
      for (int64_t word = 0; word < n; word += 8) {
        uint64_t bits;
        std::memcpy(&bits, fired + word, 8);
        for (; bits; bits &= bits - 1) {
          const int64_t i = first + word + __builtin_ctzll(bits) / 8;
          // sources are numbered channel by channel, neurons here position by position
          list.push_back(uint32_t(p.grain == 1 ? i : i % p.grain * (p.size / p.grain) + i / p.grain));
          book(p, i, t);
          if (account.cores && !p.cores.empty()) ++spikes[p.cores[p.slice_of[i / p.grain]]];
          route(p, me, i);
        }
      }
    }
    count(p, t, list.size());
  }

  void book(Population<Real>& p, int64_t i, int64_t t) {
    ++p.spikes[i];
    if (steps_ - 1 - t < p.depth) ++p.late[(steps_ - 1 - t) * p.size + i];
  }

  void route(Population<Real>& p, int me, int64_t i) {
    if (!p.packets) return;
    work_[me][2 * account.cores] += p.packets[i];
    work_[me][2 * account.cores + 1] += p.hops[i];
  }

  void count(Population<Real>& p, int64_t t, int64_t spikes) {
    if (spikes) std::atomic_ref<int64_t>(p.per_step[t]).fetch_add(spikes, std::memory_order_relaxed);
  }

  void deliver(Projection<Real>& q, const Fired<Real>& list, int me, int64_t t) {
    if (t + q.delay >= steps_) return;
    auto& p = populations[q.target];
    const int64_t slot = ((t + q.delay) % p.slots) * p.size;
    const bool graded = !list.values.empty();
    const size_t n = list.neurons.size();
    const Real* scales = static_cast<const Real*>(q.fan.scales);
    for (size_t s = 0; s < n; ++s) {
      const int64_t neuron = list.neurons[s];
      const Real value = graded ? list.values[s] : Real(1);
      if (!q.fan.starts) {
        if (q.kind == Kind::sparse && s + 2 < n) ahead(q, list.neurons[s + 2], me);
        meet(q, p, slot, neuron, value, me);
        continue;
      }
      for (int64_t k = q.fan.starts[neuron]; k < q.fan.starts[neuron + 1]; ++k)
        meet(q, p, slot, q.fan.places[k], value * scales[k], me);
    }
  }

  int64_t row(const Projection<Real>& q, int64_t place, int k) const {
    if (k == 0) return q.starts[place];
    return k == threads ? q.starts[place + 1] : q.cuts[(k - 1) * q.sources + place];
  }

  void ahead(const Projection<Real>& q, int64_t place, int me) const {
    const char* at = reinterpret_cast<const char*>(q.records + row(q, place, me));
    const char* end = reinterpret_cast<const char*>(q.records + row(q, place, me + 1));
    for (int lines = 0; at < end && lines < 16; at += 64, ++lines) __builtin_prefetch(at);
  }

  void meet(Projection<Real>& q, Population<Real>& p, int64_t slot, int64_t place, Real value, int me) {
    switch (q.kind) {
      case Kind::sparse: sparse(q, p, slot, place, value, me); break;
      case Kind::dense: dense(q, p, slot, place, value, me); break;
      case Kind::conv: conv(q, p, slot, place, value, me); break;
    }
  }

  void sparse(Projection<Real>& q, Population<Real>& p, int64_t slot, int64_t place, Real value, int me) {
    constexpr int64_t lead = 24;
    const Record<Real>*at = q.records + row(q, place, me), *end = q.records + row(q, place, me + 1);
    if (p.counted) {
      Cell<Real>* cells = p.cells.data() + slot;
      for (const auto* r = at; r < std::min(at + lead, end); ++r) __builtin_prefetch(cells + r->target, 1);
      for (; at + lead < end; ++at) {
        __builtin_prefetch(cells + at[lead].target, 1);
        cells[at->target].current += at->weight * value;
        ++cells[at->target].arrivals;
      }
      for (; at < end; ++at) {
        cells[at->target].current += at->weight * value;
        ++cells[at->target].arrivals;
      }
      return;
    }
    Real* currents = p.currents.data() + slot;
    for (const auto* r = at; r < std::min(at + lead, end); ++r) __builtin_prefetch(currents + r->target, 1);
    for (; at + lead < end; ++at) {
      __builtin_prefetch(currents + at[lead].target, 1);
      currents[at->target] += at->weight * value;
    }
    for (; at < end; ++at) currents[at->target] += at->weight * value;
    if (me == 0) tally(q, p, place);
  }

  void dense(Projection<Real>& q, Population<Real>& p, int64_t slot, int64_t place, Real value, int me) {
    const int64_t a = p.range[me], b = p.range[me + 1];
    const Real* weights = q.weight + place * p.size;
    if (p.counted) {  // beside sparse rows
      Cell<Real>* cells = p.cells.data() + slot;
      for (int64_t i = a; i < b; ++i) cells[i].current += weights[i] * value, cells[i].arrivals += weights[i] != 0;
      return;
    }
    add_row(p.currents.data() + slot + a, weights + a, value, b - a);
    if (me == 0) tally(q, p, place);
  }

  void tally(Projection<Real>& q, Population<Real>& p, int64_t place) {
    if (!q.counts) return;
    const size_t slices = p.cores.size();
    const uint32_t* counts = q.counts + place * slices;
    for (size_t k = 0; k < slices; ++k) work_[0][p.cores[k]] += counts[k];
  }

  // Targets lie position by position, all channels of a position together.
  void conv(Projection<Real>& q, Population<Real>& p, int64_t slot, int64_t place, Real value, int me) {
    const ConvShape& c = q.conv;
    const int64_t column = place % c.in_columns, row = place / c.in_columns % c.in_rows;
    const int64_t channel = place / (c.in_columns * c.in_rows), width = c.out_channels / c.groups;
    const int64_t group = channel / (c.in_channels / c.groups);
    for (int64_t i = 0; i < c.kernel_rows; ++i) {
      const int64_t y = row + c.pad_rows - i * c.dilation_rows;
      if (y < 0 || y % c.stride_rows || y / c.stride_rows >= c.out_rows) continue;
      for (int64_t j = 0; j < c.kernel_columns; ++j) {
        const int64_t x = column + c.pad_columns - j * c.dilation_columns;
        if (x < 0 || x % c.stride_columns || x / c.stride_columns >= c.out_columns) continue;
        const int64_t position = y / c.stride_rows * c.out_columns + x / c.stride_columns;
        const int64_t to = position * c.out_channels + group * width;
        if (to < p.range[me] || to >= p.range[me + 1]) continue;
        const int64_t tap = (channel * c.kernel_rows + i) * c.kernel_columns + j;
        const Real* weights = q.weight + tap * width;
        if (p.counted) {
          Cell<Real>* cells = p.cells.data() + slot + to;
          for (int64_t o = 0; o < width; ++o)
            cells[o].current += weights[o] * value, cells[o].arrivals += weights[o] != 0;
          continue;
        }
        add_row(p.currents.data() + slot + to, weights, value, width);
        if (q.counts) work_[me][p.cores[p.slice_of[position]]] += q.counts[tap];
      }
    }
  }

  void close(int me, Barrier& barrier, int64_t t) {
    if (!account.cores) return;
    barrier.wait();
    if (me == 0) {
      const int64_t cores = account.cores;
      double busiest = 0;
      for (int64_t c = 0; c < cores; ++c) {
        int64_t synapses = 0, spikes = 0;
        for (auto& work : work_) synapses += work[c], spikes += work[cores + c];
        account.synapses[t * cores + c] += synapses;
        account.spikes[t * cores + c] += spikes;
        const double seconds =
            account.updates_seconds[c] + double(synapses) * account.synapse_seconds + double(spikes) * account.spike_seconds;
        busiest = std::max(busiest, seconds);
      }
      for (auto& work : work_) {
        account.packets[t] += work[2 * cores];
        account.hops[t] += work[2 * cores + 1];
        std::fill(work.begin(), work.end(), 0);
      }
      account.seconds[t] += busiest + account.barrier_seconds;
    }
    barrier.wait();
  }
};

}  // namespace chip
