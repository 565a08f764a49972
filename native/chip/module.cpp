// spikeledger.chip._native: the event-driven machine for Python, on numpy arrays that Python keeps alive.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/vector.h>

#include <optional>

#include "machine.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using namespace chip;

template <class T>
using In = nb::ndarray<const T, nb::c_contig, nb::device::cpu>;
template <class T>
using Out = nb::ndarray<T, nb::c_contig, nb::device::cpu>;

template <class Real>
struct Bound {
  Bound() = default;
  Bound(const Bound&) = delete;
  Machine<Real> machine;
  std::vector<nb::object> kept;  // arrays that the machine points into

  template <class A>
  auto keep(const A& array) {
    kept.push_back(nb::cast(array));
    return array.data();
  }
};

template <class Real>
void bind(nb::module_& m, const char* name) {
  using B = Bound<Real>;
  nb::class_<B>(m, name)
      .def(nb::init<>())
      .def(
          "add_population",
          [](B& b, int64_t size, bool input, int64_t grain, In<Real> beta, In<Real> bias, In<Real> start,
             double threshold, double bar, int64_t opens, int64_t closes, int reset, bool reset_delay, double limit, std::optional<In<Real>> alpha,
             std::optional<In<Real>> rho, std::optional<In<Real>> strength, int refractory) {
            auto& p = b.machine.populations.emplace_back();
            p.size = size, p.input = input, p.grain = grain;
            if (!input) {
              p.neurons = {b.keep(beta), b.keep(bias), beta.size() > 1, bias.size() > 1, Real(threshold), Real(bar), Real(bar),
                           Reset(reset), reset_delay, Real(limit)};
              p.opens = opens, p.closes = closes;
              p.start.assign(size, start.data()[0]);
              if (start.size() > 1) std::copy_n(start.data(), size, p.start.begin());
              if (alpha || rho || refractory) {
                p.was.zeros(size);
                p.cells.fired = p.was.data();
              }
              if (alpha) {
                p.synapse.zeros(size);
                p.cells.alpha = b.keep(*alpha), p.cells.synapse = p.synapse.data();
              }
              if (rho) {
                p.adaptation.zeros(size);
                p.cells.rho = b.keep(*rho), p.cells.strength = b.keep(*strength);
                p.cells.adaptation = p.adaptation.data();
              }
              if (refractory) {
                p.waiting.zeros(size);
                p.cells.refractory = refractory, p.cells.waiting = p.waiting.data();
              }
            }
            return int(b.machine.populations.size()) - 1;
          },
          "size"_a, "input"_a, "grain"_a, "beta"_a, "bias"_a, "start"_a, "threshold"_a, "bar"_a, "opens"_a,
          "closes"_a, "reset"_a, "reset_delay"_a,
          "limit"_a, "alpha"_a.none(), "rho"_a.none(), "strength"_a.none(), "refractory"_a)
      .def("place",
           [](B& b, int population, bool counted, In<int64_t> slices, In<int32_t> cores, In<int32_t> slice_of,
              std::optional<In<int32_t>> packets, std::optional<In<int32_t>> hops) {
             auto& p = b.machine.populations.at(population);
             p.counted = counted;
             p.slices.assign(slices.data(), slices.data() + slices.size());
             p.cores.assign(cores.data(), cores.data() + cores.size());
             p.slice_of.assign(slice_of.data(), slice_of.data() + slice_of.size());
             // as many neurons together as keep to one core each
             p.shift = 30;
             for (size_t k = 1; k + 1 < p.slices.size(); ++k) p.shift = std::min(p.shift, __builtin_ctzll(p.slices[k]));
             p.routes.resize(packets && hops ? p.size : 0);
             for (size_t i = 0; i < p.routes.size(); ++i) p.routes[i] = {packets->data()[i], hops->data()[i]};
           },
           "population"_a, "counted"_a, "slices"_a, "cores"_a, "slice_of"_a, "packets"_a.none(), "hops"_a.none())
      .def("connect",
           [](B& b, int source, int target, int delay, int kind, int64_t sources, std::optional<In<int64_t>> starts,
              std::optional<nb::ndarray<const uint8_t, nb::c_contig, nb::device::cpu>> records,
              std::optional<In<Real>> weight, std::optional<In<uint32_t>> counts,
              std::optional<In<uint8_t>> few_counts, std::vector<int64_t> conv,
              std::optional<In<int64_t>> fan_starts, std::optional<In<int32_t>> fan_places,
              std::optional<In<Real>> fan_scales) {
             Projection<Real> q;
             q.source = source, q.target = target, q.delay = delay, q.kind = Kind(kind), q.sources = sources;
             if (starts) q.starts = b.keep(*starts);
             if (records) q.records = reinterpret_cast<const Record<Real>*>(b.keep(*records));
             if (starts && records)
               for (int64_t i = 0; i < sources; ++i)
                 for (int64_t k = q.starts[i] + 1; k < q.starts[i + 1]; ++k)
                   q.different &= q.records[k - 1].target < q.records[k].target;
             if (weight) q.weight = b.keep(*weight);
             if (counts) q.counts = b.keep(*counts);
             if (few_counts) q.few_counts = b.keep(*few_counts);
             if (conv.size() == 15) std::memcpy(&q.conv, conv.data(), sizeof(ConvShape));
             if (fan_starts) q.fan = {b.keep(*fan_starts), b.keep(*fan_places), b.keep(*fan_scales)};
             auto& from = b.machine.populations.at(source);
             from.heard_at_once |= delay == 0;
             b.machine.populations.at(target).in.push_back(int(b.machine.projections.size()));
             b.machine.projections.push_back(std::move(q));
           },
           "source"_a, "target"_a, "delay"_a, "kind"_a, "sources"_a, "starts"_a.none() = nb::none(),
           "records"_a.none() = nb::none(), "weight"_a.none() = nb::none(), "counts"_a.none() = nb::none(),
           "few_counts"_a.none() = nb::none(), "conv"_a = std::vector<int64_t>{}, "fan_starts"_a.none() = nb::none(), "fan_places"_a.none() = nb::none(),
           "fan_scales"_a.none() = nb::none())
      .def("results",
           [](B& b, int population, Out<int64_t> spikes, Out<int32_t> active, Out<int64_t> per_step,
              Out<int64_t> late, std::optional<Out<uint8_t>> raster, bool raster_all, std::optional<In<Real>> values) {
             auto& p = b.machine.populations.at(population);
             p.spikes = spikes.data(), p.active = active.data(), p.per_step = per_step.data();
             p.late = late.data(), p.depth = int64_t(late.size()) / p.size;
             p.raster = raster ? raster->data() : nullptr, p.raster_all = raster_all;
             p.values = values ? values->data() : nullptr;
           },
           "population"_a, "spikes"_a, "active"_a, "per_step"_a, "late"_a, "raster"_a.none(), "raster_all"_a, "values"_a.none())
      .def("account",
           [](B& b, Out<int64_t> synapses, Out<int64_t> spikes, Out<int64_t> packets, Out<int64_t> hops,
              Out<double> seconds, In<double> updates_seconds, double synapse, double spike, double barrier) {
             b.machine.account = {int64_t(updates_seconds.size()), synapses.data(), spikes.data(), packets.data(),
                                  hops.data(), b.keep(updates_seconds), synapse, spike, barrier, seconds.data()};
           })
      .def_prop_rw(
          "short_after", [](B& b) { return b.machine.short_after; },
          [](B& b, int64_t steps) { b.machine.short_after = steps; })
      .def("run",
           [](B& b, int64_t steps, int64_t samples, int threads) {
             b.machine.threads = threads;
             b.machine.interrupted = [] {
               nb::gil_scoped_acquire hold;
               return PyErr_CheckSignals() != 0;
             };
             bool whole;
             {
               nb::gil_scoped_release release;
               whole = b.machine.run(steps, samples);
             }
             if (!whole) throw nb::python_error();
           },
           "steps"_a, "samples"_a, "threads"_a);
}

// How many records of each row end in each slice of the targets: [rows, slices]. False if a byte does not hold it.
template <class Count>
bool count_slices(In<int64_t> starts, nb::ndarray<const uint8_t, nb::c_contig, nb::device::cpu> records, int64_t stride,
                  In<int32_t> slice_of, int64_t slices, Out<Count> counts) {
  nb::gil_scoped_release release;
  const uint8_t* at = records.data();
  for (size_t i = 0; i + 1 < starts.size(); ++i)
    for (int64_t k = starts.data()[i]; k < starts.data()[i + 1]; ++k) {
      uint32_t target;
      std::memcpy(&target, at + k * stride, 4);
      if (++counts.data()[i * slices + slice_of.data()[target]] == 0) return false;
    }
  return true;
}

// Million random read-modify-writes: the machine's own limit, for benchmarks. Returns a value so that nothing is elided.
float random_updates(Out<float> cells, In<uint32_t> targets, int64_t rounds) {
  nb::gil_scoped_release release;
  float* to = cells.data();
  const uint32_t* index = targets.data();
  const int64_t n = int64_t(targets.size());
  const int64_t lead = std::min<int64_t>(32, n);
  for (int64_t r = 0; r < rounds; ++r) {
    for (int64_t i = 0; i < n - lead; ++i) {
      __builtin_prefetch(to + index[i + lead], 1);
      to[index[i]] += 1.0f;
    }
    for (int64_t i = n - lead; i < n; ++i) to[index[i]] += 1.0f;
  }
  return to[0];
}

NB_MODULE(_native, m) {
  bind<float>(m, "MachineFloat32");
  bind<double>(m, "MachineFloat64");
  m.def("count_slices", &count_slices<uint8_t>);
  m.def("count_slices", &count_slices<uint32_t>);
  m.def("random_updates", &random_updates);
}
