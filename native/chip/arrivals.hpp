// What a spike sends into a block of neurons: the rows of sparse and dense synapses, the windows of convolutions.
#pragma once

#include <type_traits>

#include "parts.hpp"

namespace chip {

template <class Real>
struct Arrivals {
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

  static void each(Projection<Real>& q, Population<Real>& p, int64_t b, const Fired<Real>& list, const Place& place, int64_t* work,
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

  // How synapses are read, and where a block's part of a row lies: as records, or as short ones
  struct Records {
    static constexpr bool whole = false;  // parts are multiples of four
    const Record<Real>* first;
    const int64_t* cuts;
    static uint32_t target(const Record<Real>& r) { return r.target; }
    static Real weight(const Record<Real>& r) { return r.weight; }
    const Record<Real>* at(int64_t cut) const { return first + cuts[cut]; }
  };
  template <int bits>
  struct Shorts {
    static constexpr bool whole = true;
    const uint32_t* first;
    const uint32_t* cuts;
    const Real* weights;
    static uint32_t target(uint32_t s) { return s & ((uint32_t(1) << bits) - 1); }
    Real weight(uint32_t s) const { return weights[s >> bits]; }
    const uint32_t* at(int64_t cut) const { return first + 4 * size_t(cuts[cut]); }
  };

  template <class Work>
  static void read(const Projection<Real>& q, int64_t blocks, const Work& work) {
    const auto& brief = q.brief;
    if (!brief.there()) work(Records{q.records, blocks == 1 ? q.starts : q.cuts.data()});
    else if (brief.bits == 17) work(Shorts<17>{brief.synapses.data(), brief.cuts.data(), brief.weights.data()});
    else work(Shorts<18>{brief.synapses.data(), brief.cuts.data(), brief.weights.data()});
  }

  static void stream(const Projection<Real>& q, int64_t blocks, int64_t b, const Fired<Real>& list, const Place& place) {
    if (list.neurons.empty()) return;
    read(q, blocks, [&](const auto& of) {
      if (list.values.empty()) {
        if (place.arrivals) rows<false, true>(q, of, blocks, b, list, place);
        else rows<false, false>(q, of, blocks, b, list, place);
      } else {
        if (place.arrivals) rows<true, true>(q, of, blocks, b, list, place);
        else rows<true, false>(q, of, blocks, b, list, place);
      }
    });
  }

  // The block's part of many rows. Where a row begins is asked for two leads ahead; its records are one lead ahead, a
  // cache line for each that is worked off, since the processor holds few requests at a time.
  template <bool graded, bool counted, class Reader>
  static void rows(const Projection<Real>& q, const Reader of, int64_t blocks, int64_t b, const Fired<Real>& list,
                   const Place& place) {
    using Synapse = std::remove_cvref_t<decltype(*of.first)>;
    constexpr int64_t line = 64, most = 1024, pace = std::max<int64_t>(4, line / int64_t(sizeof(Synapse)));
    const int64_t n = int64_t(list.neurons.size());
    const int64_t part = q.starts[q.sources] * int64_t(sizeof(Synapse)) / (q.sources * blocks) + 1;
    const int64_t lead = std::clamp<int64_t>(768 / part, 3, 12);
    const uint32_t* neurons = list.neurons.data();
    Real* currents = place.currents;
    uint32_t* arrivals = place.arrivals;
    const int shift = place.shift;
    for (int64_t s = -lead; s < n; ++s) {
      if (s + 2 * lead < n) __builtin_prefetch(of.cuts + int64_t(neurons[s + 2 * lead]) * blocks + b);
      const char *far = nullptr, *far_end = nullptr;
      if (s + lead < n) {
        const int64_t cut = int64_t(neurons[s + lead]) * blocks + b;
        far = reinterpret_cast<const char*>(of.at(cut));
        far_end = reinterpret_cast<const char*>(of.at(cut + 1));
      }
      if (s >= 0) {
        const int64_t cut = int64_t(neurons[s]) * blocks + b;
        const Synapse *synapse = of.at(cut), *end = of.at(cut + 1);
        const Real value = graded ? list.values[s] : Real(1);
        // a row's targets differ: four are read before any is written, so that none waits for another's address
        const auto meet = [&](const Synapse* r, auto many) {
          Real sums[many];
          for (int k = 0; k < many; ++k) {
            const Real weight = of.weight(r[k]);
            sums[k] = currents[of.target(r[k])] + (graded ? weight * value : weight);
          }
          for (int k = 0; k < many; ++k) currents[of.target(r[k])] = sums[k];
          for (int k = 0; counted && k < many; ++k) ++arrivals[of.target(r[k]) >> shift];
        };
        constexpr std::integral_constant<int, 4> four;
        if constexpr (Reader::whole) {
          for (; synapse < end; synapse += 4, far += 4 * sizeof(Synapse)) {
            __builtin_prefetch(far);
            meet(synapse, four);
          }
        } else {
          for (; synapse + pace <= end; synapse += pace, far += line) {
            __builtin_prefetch(far);
            for (int64_t k = 0; k < pace; k += 4) meet(synapse + k, four);
          }
          for (; synapse < end; ++synapse) meet(synapse, std::integral_constant<int, 1>{});
        }
      }
      if (!far_end) continue;
      for (const char* stop = std::min(far_end, far + most); far < stop; far += line) __builtin_prefetch(far);
      __builtin_prefetch(far_end - 1);
    }
  }

  static void meet(Projection<Real>& q, Population<Real>& p, int64_t b, int64_t source, Real value, const Place& place,
            int64_t* work, bool told) {
    switch (q.kind) {
      case Kind::sparse: sparse(q, p.blocks(), b, source, value, place); break;
      case Kind::dense: dense(q, p.size, source, value, place); break;
      case Kind::conv: conv(q, p, source, value, place, work); return;
    }
    if (!told) tally(q, p, source, work);
  }

  static void sparse(const Projection<Real>& q, int64_t blocks, int64_t b, int64_t source, Real value, const Place& place) {
    read(q, blocks, [&](const auto& of) {
      const int64_t cut = source * blocks + b;
      for (const auto *synapse = of.at(cut), *end = of.at(cut + 1); synapse < end; ++synapse) {
        const uint32_t target = of.target(*synapse);
        place.currents[target] += of.weight(*synapse) * value;
        if (place.arrivals) ++place.arrivals[target >> place.shift];
      }
    });
  }

  static void dense(const Projection<Real>& q, int64_t size, int64_t source, Real value, const Place& place) {
    const Real* weights = q.weight + source * size;
    add_row(place.currents + place.begin, weights + place.begin, value, place.end - place.begin);
    if (place.arrivals)  // beside sparse rows
      for (int64_t i = place.begin; i < place.end; ++i) place.arrivals[i >> place.shift] += weights[i] != 0;
  }

  // By the tables of a list's neurons: those of bytes are added up by slice first, many at a time.
  static void tally(const Projection<Real>& q, const Population<Real>& p, const Fired<Real>& list, Bench<Real>& bench,
                    int64_t* work) {
    constexpr size_t lead = 8, most = size_t(1) << 24;  // a row lies anywhere in memory; sums that 32 bits hold
    const auto& neurons = list.neurons;
    const size_t n = neurons.size(), slices = p.cores.size(), bytes = slices * (q.few_counts ? 1 : sizeof *q.counts);
    const char* table = q.few_counts ? reinterpret_cast<const char*>(q.few_counts) : reinterpret_cast<const char*>(q.counts);
    for (size_t first = 0; first < n; first += most) {
      bench.told.assign(slices, 0);
      for (size_t s = first; s < std::min(n, first + most); ++s) {
        if (s + lead < n) {
          const char* far = table + neurons[s + lead] * bytes;
          for (size_t at = 0; at < bytes; at += 64) __builtin_prefetch(far + at);
          __builtin_prefetch(far + bytes - 1);
        }
        if (q.few_counts) add_counts(bench.told.data(), q.few_counts + neurons[s] * slices, slices);
        else tally(q, p, int64_t(neurons[s]), work);
      }
      for (size_t k = 0; k < slices; ++k) work[p.cores[k]] += bench.told[k];
    }
  }

  static void tally(const Projection<Real>& q, const Population<Real>& p, int64_t source, int64_t* work) {
    const size_t slices = p.cores.size(), at = size_t(source) * slices;
    for (size_t k = 0; k < slices; ++k) work[p.cores[k]] += q.few_counts ? q.few_counts[at + k] : q.counts[at + k];
  }

  // Targets lie position by position, all channels of a position together.
  static void conv(const Projection<Real>& q, const Population<Real>& p, int64_t source, Real value, const Place& at, int64_t* work) {
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
};

}  // namespace chip
