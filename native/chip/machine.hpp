// An event-driven, clock-stepped network: neurons are advanced at every step, synapses only when a spike meets them.
//
// A population is cut into blocks whose currents fit in half of a core's second-level cache. A thread takes a block at a
// time: it fetches what the spikes of earlier steps (or of populations before it) send into this block, and advances the
// block's neurons while their currents are still in the cache. So a neuron has one thread, there are no atomics, and its
// sum has the same order with any number of threads and blocks: by projection, then by source. Currents are kept for no
// longer than that; delays are kept as lists of spikes.
#pragma once

#include <functional>

#include "parts.hpp"

namespace chip {

template <class Real>
class Machine {
 public:
  Machine() = default;
  Machine(const Machine&) = delete;
  std::vector<Population<Real>> populations;  // in the order in which they are advanced
  std::vector<Projection<Real>> projections;
  Account account;
  int threads = 1;
  std::function<bool()> interrupted;  // asked now and then, by the thread that called

  // False if it was interrupted.
  bool run(int64_t steps, int64_t samples) {
    steps_ = steps, samples_ = samples;
    prepare();
    stop_at_.store(steps * samples);
    Barrier barrier(threads);
    std::vector<std::thread> others;
    for (int k = 1; k < threads; ++k) others.emplace_back([&, k] { loop(k, barrier); });
    loop(0, barrier);
    for (auto& other : others) other.join();
    return stop_at_.load() == steps * samples;
  }

 private:
  static constexpr int most_recent = 255;  // steps that a byte can count
  int64_t steps_ = 0, samples_ = 0, remembered_ = 2;
  bool waits_at_end_ = false;
  std::atomic<int64_t> stop_at_{0};
  std::vector<Bench<Real>> benches_;  // one a thread

  void prepare() {
    int64_t most = 0, granules = 0, deepest = 0;
    bool at_once = false;
    for (const auto& q : projections) deepest = std::max<int64_t>(deepest, q.delay);
    remembered_ = deepest + 2;  // a thread may be one step ahead
    for (auto& p : populations) {
      const int64_t units = p.size / p.grain;
      const int64_t fill = p.input ? 1 : (p.size * int64_t(sizeof(Real)) + cached_bytes() - 1) / cached_bytes();
      const int64_t blocks = (fill + threads - 1) / threads * threads;
      p.borders.assign(blocks + 1, p.size);
      for (int64_t k = 0; k < blocks; ++k) p.borders[k] = units * k / blocks * p.grain;
      p.fired.resize(remembered_);
      for (auto& step : p.fired) {
        step.resize(blocks);
        for (auto& list : step) list.neurons.clear(), list.values.clear();
      }
      at_once |= p.heard_at_once;
      p.recent_spikes.zeros(p.size);
      if (p.input) continue;
      p.recent_active.zeros(p.size);
      if (!p.v.data()) p.v.zeros(p.size);
      p.rest(0, p.size);
      for (int64_t k = 0; k < blocks; ++k) most = std::max(most, p.borders[k + 1] - p.borders[k]);
      granules = std::max(granules, (most >> p.shift) + 2);
    }
    waits_at_end_ = account.cores || deepest || !at_once;
    for (auto& q : projections)
      if (q.kind == Kind::sparse) cut(q);
    benches_.resize(threads);
    for (auto& bench : benches_) {
      bench.currents.zeros(most);
      bench.arrivals.zeros(granules);
      for (auto& work : bench.work) work.assign(2 * account.cores + 2, 0);
    }
  }

  // Half of the second-level cache: the other half is for what streams through.
  static int64_t cached_bytes() {
    int64_t size = 0;
#if defined(_SC_LEVEL2_CACHE_SIZE)
    size = sysconf(_SC_LEVEL2_CACHE_SIZE);
#endif
    return std::clamp<int64_t>(size / 2, 1 << 18, 1 << 20);
  }

  void cut(Projection<Real>& q) {
    const auto& borders = populations[q.target].borders;
    const int64_t blocks = populations[q.target].blocks();
    if (blocks == 1 || int64_t(q.cuts.size()) == q.sources * blocks + 1) return;
    q.cuts.zeros(q.sources * blocks + 1);
    for (int64_t i = 0; i < q.sources; ++i) {
      const auto *at = q.records + q.starts[i], *last = q.records + q.starts[i + 1];
      for (int64_t k = 0; k < blocks; ++k) {
        at = std::lower_bound(at, last, borders[k], [](const auto& r, int64_t t) { return r.target < t; });
        q.cuts.data()[i * blocks + k] = at - q.records;
      }
    }
    q.cuts.data()[q.sources * blocks] = q.starts[q.sources];
  }

  void loop(int me, Barrier& barrier) {
    Bench<Real>& bench = benches_[me];
    auto asked = std::chrono::steady_clock::now();
    int recent = 0;
    for (int64_t now = 0; now < stop_at_.load(std::memory_order_relaxed); ++now) {
      const int64_t sample = now / steps_, t = now % steps_;
      if (me == 0 && interrupted && std::chrono::steady_clock::now() - asked > std::chrono::milliseconds(100)) {
        if (interrupted()) stop_at_.store(now + 1, std::memory_order_relaxed);  // seen by all behind the next barrier
        asked = std::chrono::steady_clock::now();
      }
      const bool booked = ++recent == most_recent;
      if (booked) recent = 0;
      for (auto& p : populations) {
        for (int64_t b = p.blocks() * me / threads; b < p.blocks() * (me + 1) / threads; ++b) {
          if (p.input) {
            read(p, b, bench, now, sample, t);
          } else {
            if (t == 0 && sample) p.rest(p.borders[b], p.borders[b + 1]);
            for (const int k : p.in) gather(projections[k], p, b, bench, now, t);
            advance(p, b, bench, now, sample, t);
          }
          if (booked) book(p, b);
        }
        if (p.heard_at_once) barrier.wait();
      }
      if (waits_at_end_) barrier.wait();
      if (me == 0 && account.cores) close(now, t);
    }
    for (auto& p : populations)
      for (int64_t b = p.blocks() * me / threads; b < p.blocks() * (me + 1) / threads; ++b) book(p, b);
  }

  Fired<Real>& fired(Population<Real>& p, int64_t now, int64_t b) { return p.fired[now % remembered_][b]; }

  void read(Population<Real>& p, int64_t b, Bench<Real>& bench, int64_t now, int64_t sample, int64_t t) {
    auto& list = fired(p, now, b);
    list.neurons.clear();
    list.values.clear();
    const Real* row = p.values + (t * samples_ + sample) * p.size;
    for (int64_t i = p.borders[b]; i < p.borders[b + 1]; ++i)
      if (row[i] != 0) {
        list.neurons.push_back(uint32_t(i));
        list.values.push_back(row[i]);
        ++p.recent_spikes.data()[i];
        leave(p, bench, now, t, i);
      }
    count(p, t, list.neurons.size());
  }

  void advance(Population<Real>& p, int64_t b, Bench<Real>& bench, int64_t now, int64_t sample, int64_t t) {
    alignas(64) uint8_t spiked[chunk];
    int32_t found[chunk];
    auto& list = fired(p, now, b).neurons;
    list.clear();
    uint8_t* raster = p.raster && (p.raster_all || sample == 0) ? p.raster + now * p.size : nullptr;
    const int64_t begin = p.borders[b], end = p.borders[b + 1];
    const bool placed = account.cores && !p.cores.empty();
    if (placed && p.counted) arrived(p, bench, now, begin, end);
    int64_t* spikes = bench.work[now & 1].data() + account.cores;
    size_t slice = placed ? std::upper_bound(p.slices.begin(), p.slices.end(), begin) - p.slices.begin() - 1 : 0;
    for (int64_t first = begin; first < end; first += int64_t(chunk)) {
      const int64_t n = std::min(int64_t(chunk), end - first);
      Real* currents = bench.currents + (first - begin);
      uint8_t *recent_spikes = p.recent_spikes + first, *recent_active = p.recent_active + first;
      if (p.cells.fired) step(p.neurons, p.cells, first, n, p.v + first, currents, spiked, recent_spikes, recent_active);
      else step(p.neurons, first, n, p.v + first, currents, spiked, recent_spikes, recent_active);
      if (raster) std::memcpy(raster + first, spiked, n);
      std::memset(spiked + n, 0, chunk - n);
      int count = 0;
      for (int64_t word = 0; word < n; word += 64) {  // 64 bytes of 0 or 1 as the bits of one number
        uint64_t bits = 0, eight;
        for (int k = 0; k < 8; ++k) {
          std::memcpy(&eight, spiked + word + 8 * k, 8);
          bits |= (eight * 0x0102040810204080u >> 56) << 8 * k;
        }
        for (; bits; bits &= bits - 1) found[count++] = int32_t(word + __builtin_ctzll(bits));
      }
      for (int k = 0; k < count; ++k) {
        const int64_t i = first + found[k];
        // sources are numbered channel by channel, neurons here position by position
        list.push_back(uint32_t(p.grain == 1 ? i : i % p.grain * (p.size / p.grain) + i / p.grain));
        if (placed) {
          while (i >= p.slices[slice + 1]) ++slice;
          ++spikes[p.cores[slice]];
        }
        leave(p, bench, now, t, i);
      }
    }
    count(p, t, list.size());
  }

  // Adds up the synaptic operations that arrived in a block, slice by slice.
  void arrived(Population<Real>& p, Bench<Real>& bench, int64_t now, int64_t begin, int64_t end) {
    if (begin == end) return;
    uint32_t* arrivals = bench.arrivals.data();
    const int64_t origin = begin >> p.shift;
    size_t slice = std::upper_bound(p.slices.begin(), p.slices.end(), begin) - p.slices.begin() - 1;
    for (int64_t i = begin; i < end; ++slice) {
      const int64_t last = std::min(end, p.slices[slice + 1]);
      uint64_t sum = 0;
      for (int64_t k = i >> p.shift; k <= (last - 1) >> p.shift; ++k) sum += arrivals[k - origin];
      bench.work[now & 1][p.cores[slice]] += int64_t(sum);
      i = last;
    }
    std::fill_n(arrivals, ((end - 1) >> p.shift) - origin + 1, 0);
  }

  void leave(Population<Real>& p, Bench<Real>& bench, int64_t now, int64_t t, int64_t i) {
    if (steps_ - 1 - t < p.depth) ++p.late[(steps_ - 1 - t) * p.size + i];
    if (!p.packets) return;
    int64_t* work = bench.work[now & 1].data() + 2 * account.cores;
    work[0] += p.packets[i];
    work[1] += p.hops[i];
  }

  void book(Population<Real>& p, int64_t b) {
    for (int64_t i = p.borders[b]; i < p.borders[b + 1]; ++i) p.spikes[i] += p.recent_spikes.data()[i];
    std::fill_n(p.recent_spikes + p.borders[b], p.borders[b + 1] - p.borders[b], 0);
    if (p.input) return;
    for (int64_t i = p.borders[b]; i < p.borders[b + 1]; ++i) p.active[i] += p.recent_active.data()[i];
    std::fill_n(p.recent_active + p.borders[b], p.borders[b + 1] - p.borders[b], 0);
  }

  void count(Population<Real>& p, int64_t t, int64_t spikes) {
    if (spikes) std::atomic_ref<int64_t>(p.per_step[t]).fetch_add(spikes, std::memory_order_relaxed);
  }

  // Where a block's currents and arrivals lie, as if the whole population's did: indexed by its neurons.
  struct Place {
    Real* currents;
    uint32_t* arrivals;  // null where tables count
    int shift;
    int64_t begin, end;
    template <class T>
    static T* moved(T* to, int64_t by) {
      return reinterpret_cast<T*>(reinterpret_cast<uintptr_t>(to) - uintptr_t(by) * sizeof(T));
    }
  };

  // What the spikes of one projection send into one block.
  void gather(Projection<Real>& q, Population<Real>& p, int64_t b, Bench<Real>& bench, int64_t now, int64_t t) {
    const int64_t begin = p.borders[b], end = p.borders[b + 1];
    if (t < q.delay || begin == end) return;
    const Place place{Place::moved(bench.currents.data(), begin),
                      p.counted ? Place::moved(bench.arrivals.data(), begin >> p.shift) : nullptr, p.shift, begin, end};
    const auto& lists = populations[q.source].fired[(now - q.delay) % remembered_];
    int64_t* work = bench.work[now & 1].data();
    for (size_t k = 0; k < lists.size(); ++k) {
      const auto& list = lists[k];
      const bool told = !q.counts || p.counted || int64_t(k) % p.blocks() != b;  // one block tells a list's tables
      if (q.kind == Kind::sparse && !q.fan.starts) {
        stream(q, p.blocks(), b, list, place);
        if (!told) tally(q, p, list, work);
      } else {
        each(q, p, b, list, place, work, told);
      }
    }
  }

  void each(Projection<Real>& q, Population<Real>& p, int64_t b, const Fired<Real>& list, const Place& place, int64_t* work,
            bool told) {
    const Real* scales = static_cast<const Real*>(q.fan.scales);
    for (size_t s = 0; s < list.neurons.size(); ++s) {
      const int64_t neuron = list.neurons[s];
      const Real value = list.values.empty() ? Real(1) : list.values[s];
      if (!q.fan.starts) {
        meet(q, p, b, neuron, value, place, work, told);
        continue;
      }
      for (int64_t k = q.fan.starts[neuron]; k < q.fan.starts[neuron + 1]; ++k)
        meet(q, p, b, q.fan.places[k], value * scales[k], place, work, told);
    }
  }

  void stream(const Projection<Real>& q, int64_t blocks, int64_t b, const Fired<Real>& list, const Place& place) {
    if (list.neurons.empty()) return;
    if (list.values.empty()) {
      if (place.arrivals) rows<false, true>(q, blocks, b, list, place);
      else rows<false, false>(q, blocks, b, list, place);
    } else {
      if (place.arrivals) rows<true, true>(q, blocks, b, list, place);
      else rows<true, false>(q, blocks, b, list, place);
    }
  }

  static const int64_t* row(const Projection<Real>& q, int64_t blocks, int64_t b, int64_t source) {
    return blocks == 1 ? q.starts + source : q.cuts.data() + source * blocks + b;
  }

  // The block's part of many rows. Where a row begins is asked for two leads ahead; its records are one lead ahead, a
  // cache line for each that is worked off, since the processor holds few requests at a time.
  template <bool graded, bool counted>
  void rows(const Projection<Real>& q, int64_t blocks, int64_t b, const Fired<Real>& list, const Place& place) {
    constexpr int64_t line = 64, most = 1024, pace = line / sizeof(Record<Real>);
    const int64_t n = int64_t(list.neurons.size());
    const int64_t part = q.starts[q.sources] * int64_t(sizeof(Record<Real>)) / (q.sources * blocks) + 1;
    const int64_t lead = std::clamp<int64_t>(4096 / part, 3, 12);
    const uint32_t* neurons = list.neurons.data();
    Real* currents = place.currents;
    uint32_t* arrivals = place.arrivals;
    const int shift = place.shift;
    for (int64_t s = -lead; s < n; ++s) {
      if (s + 2 * lead < n) __builtin_prefetch(row(q, blocks, b, neurons[s + 2 * lead]));
      const char *far = nullptr, *far_end = nullptr;
      if (s + lead < n) {
        const int64_t* at = row(q, blocks, b, neurons[s + lead]);
        far = reinterpret_cast<const char*>(q.records + at[0]);
        far_end = reinterpret_cast<const char*>(q.records + at[1]);
      }
      if (s >= 0) {
        const int64_t* at = row(q, blocks, b, neurons[s]);
        const Record<Real>*record = q.records + at[0], *end = q.records + at[1];
        const Real value = graded ? list.values[s] : Real(1);
        const auto meet = [&](const Record<Real>& r) {
          currents[r.target] += graded ? r.weight * value : r.weight;
          if (counted) ++arrivals[r.target >> shift];
        };
        for (; record + pace <= end; record += pace, far += line) {
          __builtin_prefetch(far);
          for (int64_t k = 0; k < pace; ++k) meet(record[k]);
        }
        for (; record < end; ++record) meet(*record);
      }
      if (!far_end) continue;
      for (const char* stop = std::min(far_end, far + most); far < stop; far += line) __builtin_prefetch(far);
      __builtin_prefetch(far_end - 1);
    }
  }

  void meet(Projection<Real>& q, Population<Real>& p, int64_t b, int64_t source, Real value, const Place& place,
            int64_t* work, bool told) {
    switch (q.kind) {
      case Kind::sparse: sparse(q, p.blocks(), b, source, value, place); break;
      case Kind::dense: dense(q, p.size, source, value, place); break;
      case Kind::conv: conv(q, p, source, value, place, work); return;
    }
    if (!told) tally(q, p, source, work);
  }

  void sparse(const Projection<Real>& q, int64_t blocks, int64_t b, int64_t source, Real value, const Place& place) {
    const int64_t* at = row(q, blocks, b, source);
    for (const Record<Real>*record = q.records + at[0], *end = q.records + at[1]; record < end; ++record) {
      place.currents[record->target] += record->weight * value;
      if (place.arrivals) ++place.arrivals[record->target >> place.shift];
    }
  }

  void dense(const Projection<Real>& q, int64_t size, int64_t source, Real value, const Place& place) {
    const Real* weights = q.weight + source * size;
    add_row(place.currents + place.begin, weights + place.begin, value, place.end - place.begin);
    if (place.arrivals)  // beside sparse rows
      for (int64_t i = place.begin; i < place.end; ++i) place.arrivals[i >> place.shift] += weights[i] != 0;
  }

  void tally(const Projection<Real>& q, const Population<Real>& p, const Fired<Real>& list, int64_t* work) {
    for (const uint32_t neuron : list.neurons) tally(q, p, int64_t(neuron), work);
  }

  void tally(const Projection<Real>& q, const Population<Real>& p, int64_t source, int64_t* work) {
    const size_t slices = p.cores.size();
    const uint32_t* counts = q.counts + source * slices;
    for (size_t k = 0; k < slices; ++k) work[p.cores[k]] += counts[k];
  }

  // Targets lie position by position, all channels of a position together.
  void conv(const Projection<Real>& q, const Population<Real>& p, int64_t source, Real value, const Place& at, int64_t* work) {
    const ConvShape& c = q.conv;
    const int64_t column = source % c.in_columns, row = source / c.in_columns % c.in_rows;
    const int64_t channel = source / (c.in_columns * c.in_rows), width = c.out_channels / c.groups;
    const int64_t group = channel / (c.in_channels / c.groups);
    for (int64_t i = 0; i < c.kernel_rows; ++i) {
      const int64_t y = row + c.pad_rows - i * c.dilation_rows;
      if (y < 0 || y % c.stride_rows || y / c.stride_rows >= c.out_rows) continue;
      for (int64_t j = 0; j < c.kernel_columns; ++j) {
        const int64_t x = column + c.pad_columns - j * c.dilation_columns;
        if (x < 0 || x % c.stride_columns || x / c.stride_columns >= c.out_columns) continue;
        const int64_t position = y / c.stride_rows * c.out_columns + x / c.stride_columns;
        const int64_t to = position * c.out_channels + group * width;
        if (to < at.begin || to >= at.end) continue;
        const int64_t tap = (channel * c.kernel_rows + i) * c.kernel_columns + j;
        const Real* weights = q.weight + tap * width;
        add_row(at.currents + to, weights, value, width);
        if (at.arrivals) {
          for (int64_t o = 0; o < width; ++o) at.arrivals[(to + o) >> at.shift] += weights[o] != 0;
        } else if (q.counts) {
          work[p.cores[p.slice_of[position]]] += q.counts[tap];
        }
      }
    }
  }

  // The step's account; the other threads are at work on the next step, and on the other half of their books.
  void close(int64_t now, int64_t t) {
    const int64_t cores = account.cores;
    double busiest = 0;
    for (int64_t c = 0; c < cores; ++c) {
      int64_t synapses = 0, spikes = 0;
      for (auto& bench : benches_) synapses += bench.work[now & 1][c], spikes += bench.work[now & 1][cores + c];
      account.synapses[t * cores + c] += synapses;
      account.spikes[t * cores + c] += spikes;
      const double seconds =
          account.updates_seconds[c] + double(synapses) * account.synapse_seconds + double(spikes) * account.spike_seconds;
      busiest = std::max(busiest, seconds);
    }
    for (auto& bench : benches_) {
      auto& work = bench.work[now & 1];
      account.packets[t] += work[2 * cores];
      account.hops[t] += work[2 * cores + 1];
      std::fill(work.begin(), work.end(), 0);
    }
    account.seconds[t] += busiest + account.barrier_seconds;
  }
};

}  // namespace chip
