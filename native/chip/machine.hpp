// An event-driven, clock-stepped network: neurons are advanced at every step, synapses only when a spike meets them.
//
// A population is cut into blocks whose currents fit in half of a core's second-level cache. A thread takes a block at a
// time: it fetches what the spikes of earlier steps (or of populations before it) send into this block, and advances the
// block's neurons while their currents are still in the cache. So a neuron has one thread, there are no atomics, and its
// sum has the same order with any number of threads and blocks: by projection, then by source. Currents are kept for no
// longer than that; delays are kept as lists of spikes.
#pragma once

#include <bit>
#include <functional>

#include "arrivals.hpp"
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
  int64_t short_after = 0;  // steps after which synapses are made short
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
  int64_t steps_ = 0, samples_ = 0, remembered_ = 2, ran_ = 0;
  bool waits_at_end_ = false;
  std::atomic<int64_t> stop_at_{0};
  std::vector<Bench<Real>> benches_;  // one a thread

  void prepare() {
    int64_t most = 0, granules = 0, deepest = 0, behind = 1;
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
      granules = std::max(granules, (most >> p.shift) + 3);
      if (p.counted) behind = std::max<int64_t>(behind, int64_t(1) << std::min(p.shift, 18));
    }
    waits_at_end_ = account.cores || deepest || !at_once;
    ran_ += steps_ * samples_;
    for (auto& q : projections)
      if (q.kind == Kind::sparse) {
        if (q.brief.there() && q.brief.blocks == populations[q.target].blocks()) continue;
        q.brief.synapses = Buffer<uint32_t>();
        cut(q);
        if (ran_ >= short_after) shorten(q);
      }
    benches_.resize(threads);
    for (auto& bench : benches_) {
      bench.currents.zeros(most + behind);
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

  // Makes a projection's synapses short, if its weights are few.
  void shorten(Projection<Real>& q) {
    const Population<Real>& p = populations[q.target];
    const int64_t blocks = p.blocks(), all = q.starts[q.sources];
    auto& brief = q.brief;
    if (brief.blocks == blocks) return;
    brief.blocks = blocks;
    brief.synapses = Buffer<uint32_t>();
    int64_t widest = 1;
    for (int64_t b = 0; b < blocks; ++b) widest = std::max(widest, p.behind(b) + 1);
    if (widest > 1 << 18 || all == 0 || all >= int64_t(1) << 32) return;
    brief.bits = widest > 1 << 17 ? 18 : 17;
    Few<Real> few(std::min<size_t>(Few<Real>::most, size_t(1) << (32 - brief.bits)));
    for (int64_t k = 0; k < std::min<int64_t>(all, 1 << 14); ++k)  // before any memory is asked for
      if (few.number(q.records[k].weight) < 0) return;
    const int64_t* cuts = blocks == 1 ? q.starts : q.cuts.data();
    int64_t fours = 0;
    brief.cuts.zeros(size_t(q.sources * blocks + 1));
    for (int64_t k = 0; k < q.sources * blocks; ++k) {
      brief.cuts.data()[k] = uint32_t(fours);
      fours += (cuts[k + 1] - cuts[k] + 3) / 4;
    }
    brief.cuts.data()[q.sources * blocks] = uint32_t(fours);
    Buffer<uint32_t> made;
    made.zeros(size_t(4 * fours));
    const int64_t nothing = few.number(Real(0));
    for (int64_t k = 0; k < q.sources * blocks; ++k) {
      const int64_t b = k % blocks;
      const auto origin = uint32_t(p.origin(b));
      uint32_t* to = made + 4 * size_t(brief.cuts.data()[k]);
      for (int64_t at = cuts[k]; at < cuts[k + 1]; ++at) {
        const int64_t number = few.number(q.records[at].weight);
        if (number < 0 || nothing < 0) return;
        *to++ = (q.records[at].target - origin) | uint32_t(number) << brief.bits;
      }
      while ((to - made.data()) % 4) *to++ = uint32_t(p.behind(b)) | uint32_t(nothing) << brief.bits;
    }
    brief.weights = std::move(few.weights);
    brief.synapses = std::move(made);
    q.cuts = Buffer<int64_t>();
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
    const Neurons<Real> neurons = p.at(t);
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
      if (p.cells.fired) step(neurons, p.cells, first, n, p.v + first, currents, spiked, recent_spikes, recent_active);
      else step(neurons, first, n, p.v + first, currents, spiked, recent_spikes, recent_active);
      if (raster) std::memcpy(raster + first, spiked, n);
      std::memset(spiked + n, 0, chunk - n);
      int count = 0;
      for (int64_t word = 0; word < n; word += 64) {  // 64 bytes of 0 or 1 as the bits of one number
        uint64_t bits = 0, eight;
        for (int k = 0; k < 8; ++k) {
          std::memcpy(&eight, spiked + word + 8 * k, 8);
          bits |= (eight * 0x0102040810204080u >> 56) << 8 * k;
        }
        for (; bits; bits &= bits - 1) {
          found[count++] = int32_t(word + __builtin_ctzll(bits));
          __builtin_prefetch(p.routes.data() + first + found[count - 1]);
        }
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
    std::fill_n(arrivals, ((end - 1) >> p.shift) - origin + 2, 0);
  }

  void leave(Population<Real>& p, Bench<Real>& bench, int64_t now, int64_t t, int64_t i) {
    if (steps_ - 1 - t < p.depth) ++p.late[(steps_ - 1 - t) * p.size + i];
    if (p.routes.empty()) return;
    int64_t* work = bench.work[now & 1].data() + 2 * account.cores;
    work[0] += p.routes[i].packets;
    work[1] += p.routes[i].hops;
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

  // What the spikes of one projection send into one block.
  void gather(Projection<Real>& q, Population<Real>& p, int64_t b, Bench<Real>& bench, int64_t now, int64_t t) {
    const int64_t begin = p.borders[b], end = p.borders[b + 1];
    if (t < q.delay || begin == end) return;
    using Place = typename Arrivals<Real>::Place;
    const int64_t origin = q.brief.there() ? p.origin(b) : 0;
    const Place place{Place::moved(bench.currents.data(), begin - origin),
                      p.counted ? Place::moved(bench.arrivals.data(), (begin - origin) >> p.shift) : nullptr, p.shift,
                      begin, end};
    const auto& lists = populations[q.source].fired[(now - q.delay) % remembered_];
    int64_t* work = bench.work[now & 1].data();
    for (size_t k = 0; k < lists.size(); ++k) {
      const auto& list = lists[k];
      const bool told = !q.tabled() || p.counted || int64_t(k) % p.blocks() != b;  // one block tells a list's tables
      if (q.kind == Kind::sparse && !q.fan.starts && q.different) {
        Arrivals<Real>::stream(q, p.blocks(), b, list, place);
        if (!told) Arrivals<Real>::tally(q, p, list, bench, work);
      } else {
        Arrivals<Real>::each(q, p, b, list, place, work, told);
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
