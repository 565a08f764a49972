// An event-driven, clock-stepped network: neurons are advanced at every step, synapses only when a spike meets them.
//
// Each thread owns a range of every population's neurons: it advances them and is the only one to add to their currents,
// so there are no atomics and the sums have the same order with any number of threads. A spike list has two buffers: a
// thread that runs ahead by one step writes the other one.
#pragma once

#include "parts.hpp"

namespace chip {

template <class Real>
class Machine {
 public:
  Machine() = default;
  Machine(const Machine&) = delete;
  std::vector<Population<Real>> populations;  // in the order in which they are advanced
  Account account;
  int threads = 1;

  void prepare() {
    for (auto& p : populations) {
      p.range.assign(threads + 1, p.size);
      for (int k = 0; k < threads; ++k) p.range[k] = p.size / p.grain * k / threads * p.grain;
      p.fired.assign(2, std::vector<Fired<Real>>(threads));
      if (p.input) continue;
      p.v.zeros(p.size);
      std::copy(p.start.begin(), p.start.end(), p.v.data());
      if (p.counted) p.cells.zeros(p.slots * p.size);
      else p.currents.zeros(p.slots * p.size);
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
            for (const auto& list : p.fired[turn(sample, t)]) deliver(q, list, me, t);
        }
        close(me, barrier, t);
      }
    }
  }

  // Which of a list's two buffers a step writes: they alternate over the end of a sample too.
  int turn(int64_t sample, int64_t t) const { return int((sample * steps_ + t) & 1); }

  void rest(int me) {
    for (auto& p : populations) {
      if (p.input) continue;
      const int64_t a = p.range[me], b = p.range[me + 1];
      std::copy(p.start.begin() + a, p.start.begin() + b, p.v + a);
      for (int s = 0; s < p.slots; ++s) {
        if (p.counted) std::fill_n(p.cells + (s * p.size + a), b - a, Cell<Real>{});
        else std::fill_n(p.currents + (s * p.size + a), b - a, Real(0));
      }
    }
  }

  void read(Population<Real>& p, int me, int64_t sample, int64_t t) {
    auto& list = p.fired[turn(sample, t)][me];
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
    int32_t spiked[block];
    uint8_t fired[block];
    auto& list = p.fired[turn(sample, t)][me].neurons;
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
      step(p.neurons, first, n, p.v.data() + first, current, spiked, p.active + first);
      if (!p.counted) std::memset(current, 0, n * sizeof(Real));
      for (int64_t i = 0; i < n; ++i) fired[i] = uint8_t(spiked[i]);
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
    if (q.kind == Kind::sparse && !q.fan.starts) {
      if (p.counted) {
        auto* cells = p.cells + slot;
        if (graded) rows<true>(q, cells, list, me);
        else rows<false>(q, cells, list, me);
      } else {
        auto* currents = p.currents + slot;
        if (graded) rows<true>(q, currents, list, me);
        else rows<false>(q, currents, list, me);
        if (me == 0 && q.counts)
          for (const uint32_t neuron : list.neurons) tally(q, p, neuron);
      }
      return;
    }
    const Real* scales = static_cast<const Real*>(q.fan.scales);
    for (size_t s = 0; s < n; ++s) {
      const int64_t neuron = list.neurons[s];
      const Real value = graded ? list.values[s] : Real(1);
      if (!q.fan.starts) {
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

  static void add(Real* to, Real amount) { *to += amount; }
  static void add(Cell<Real>* to, Real amount) { to->current += amount, ++to->arrivals; }

  // Sparse rows of many spikes as one stream: the records two rows ahead and the targets `lead` records ahead are on
  // their way from memory while this row is added.
  template <bool graded, class Place>
  void rows(const Projection<Real>& q, Place* places, const Fired<Real>& list, int me) {
    constexpr int64_t lead = 16, line = 64 / sizeof(Record<Real>);
    const size_t n = list.neurons.size();
    if (!n) return;
    const auto part = [&](size_t s, const Record<Real>*& first, const Record<Real>*& last) {
      if (s >= n) {
        first = last = nullptr;
        return;
      }
      const int64_t place = list.neurons[s];
      first = q.records + row(q, place, me);
      last = q.records + row(q, place, me + 1);
    };
    const Record<Real>*at, *end, *next, *next_end, *far, *far_end;
    part(0, at, end);
    part(1, next, next_end);
    for (size_t s = 0; s < n; ++s) {
      part(s + 2, far, far_end);
      const Real value = graded ? list.values[s] : Real(1);
      const int64_t size = end - at, following = next_end - next;
      int64_t i = 0;
      const int64_t inside = std::max<int64_t>(size - lead, 0) / line * line;
      for (; i < inside; i += line) {
        if (far < far_end) __builtin_prefetch(far), far += line;
        for (int64_t k = i; k < i + line; ++k) {
          __builtin_prefetch(places + at[k + lead].target, 1);
          add(places + at[k].target, graded ? at[k].weight * value : at[k].weight);
        }
      }
      for (; far < far_end; far += line) __builtin_prefetch(far);
      for (; i < size - lead; ++i) {
        __builtin_prefetch(places + at[i + lead].target, 1);
        add(places + at[i].target, graded ? at[i].weight * value : at[i].weight);
      }
      const int64_t into = std::min(size - i, following - std::max<int64_t>(lead - size, 0));
      const Record<Real>* beyond = next + std::max<int64_t>(lead - size, 0);
      for (int64_t k = 0; k < into; ++k) __builtin_prefetch(places + beyond[k].target, 1);
      for (; i < size; ++i) add(places + at[i].target, graded ? at[i].weight * value : at[i].weight);
      at = next, end = next_end;
      part(s + 2, next, next_end);
    }
  }

  void meet(Projection<Real>& q, Population<Real>& p, int64_t slot, int64_t place, Real value, int me) {
    switch (q.kind) {
      case Kind::sparse: sparse(q, p, slot, place, value, me); break;
      case Kind::dense: dense(q, p, slot, place, value, me); break;
      case Kind::conv: conv(q, p, slot, place, value, me); break;
    }
  }

  void sparse(Projection<Real>& q, Population<Real>& p, int64_t slot, int64_t place, Real value, int me) {
    const Record<Real>*at = q.records + row(q, place, me), *end = q.records + row(q, place, me + 1);
    if (p.counted) {
      for (auto* cells = p.cells + slot; at < end; ++at) add(cells + at->target, at->weight * value);
      return;
    }
    for (auto* currents = p.currents + slot; at < end; ++at) add(currents + at->target, at->weight * value);
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
