// The Python face of the native core. Tensors come as addresses, so that torch's headers are not needed; shapes, types and
// lifetimes are checked in kernels/native.py, the only caller.
#include <nanobind/nanobind.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <array>
#include <stdexcept>
#include <string>
#include <optional>
#include <utility>
#include <vector>

#include "cpu_count.hpp"
#include "instruction_sets.hpp"
#include "kernels.hpp"
#include "pages.hpp"
#include "threads.hpp"

namespace nb = nanobind;

namespace spikeledger {
namespace {

using Address = uintptr_t;

template <typename T>
T* at(Address address) {
  return reinterpret_cast<T*>(address);
}

Population population(int64_t steps, int64_t batch, int64_t width, Address currents, Address start, Address beta,
                      float threshold, float bar, int reset, bool delayed, int threads) {
  return {steps, batch, width, at<const float>(currents), at<const float>(start), at<const float>(beta),
          threshold, bar, reset, delayed, threads};
}

// `shape`: steps, batch, channels, height, width, filters, out_height, out_width, kernel, stride, padding and dilation,
// two numbers each, and levels
Convolution convolution(const std::vector<int64_t>& shape, Address words, Address bias, int method, int threads) {
  if (shape.size() != 17) throw std::invalid_argument("a convolution has 17 sizes");
  return {shape[0], shape[1], shape[2], shape[3], shape[4], shape[5], shape[6], shape[7], shape[8], shape[9], shape[10],
          shape[11], shape[12], shape[13], shape[14], shape[15], at<const uint64_t>(words), at<const float>(bias), method,
          threads, shape[16]};
}

void refuse_overlapping(const Convolution& c) {
  if (c.kernel_height != c.stride_height || c.kernel_width != c.stride_width || c.kernel_width > 64 || c.padding_height != 0 ||
      c.padding_width != 0 || c.dilation_height != 1 || c.dilation_width != 1)
    throw std::invalid_argument("windows that lie beside each other, at most 64 wide, are averaged");
}

using Release = nb::call_guard<nb::gil_scoped_release>;

}  // namespace

void bind_family(nb::module_& module);  // family.cpp

NB_MODULE(_native, module) {
  module.doc() = "Fused neurons over time, and products of bits and floats.";
  nb::class_<Near>(module, "Near", "what a layer keeps of the neurons near their threshold, where its surrogate is zero elsewhere")
      .def("__init__", [](Near* made, int surrogate, float slope) { new (made) Near{surrogate, slope}; })
      .def_prop_ro("address", [](const Near& near) { return reinterpret_cast<Address>(&near); })
      .def_prop_ro("bytes", &Near::bytes);
  module.def("instruction_sets", &instruction_sets, "instruction sets that this processor has, best last");
  module.def("instruction_set", [] { return std::string(chosen->name); }, "the instruction set in use");
  module.def("use_instruction_set", &use_instruction_set);
  module.def("thread_runtime", [] { return std::string(thread_runtime()); }, "'torch' or 'own': of a loop that began now");
  module.def("after_fork", &after_fork, "Loops of this process run on one thread from here on.");
  module.def("processors", &processors, "How many processors this process may use at once.", nb::arg("root") = "");
  module.def(
      "fire",
      [](int64_t steps, int64_t batch, int64_t width, Address currents, Address start, Address beta, float threshold, float bar,
         int reset, bool delayed, Address spikes, Address words, Address last, int threads) {
        chosen->fire(population(steps, batch, width, currents, start, beta, threshold, bar, reset, delayed, threads),
                     {at<float>(spikes), at<uint64_t>(words), at<float>(last)});
      },
      Release());
  module.def(
      "learn",
      [](int64_t steps, int64_t batch, int64_t width, Address currents, Address start, Address beta, float threshold, float bar,
         int reset, bool delayed, Address spikes_grad, Address last_grad, int surrogate, float slope,
         Address currents_grad, Address start_grad, Address beta_grad, int threads) {
        chosen->learn(population(steps, batch, width, currents, start, beta, threshold, bar, reset, delayed, threads),
                      {at<const float>(spikes_grad), at<const float>(last_grad), surrogate, slope,
                       at<float>(currents_grad), at<float>(start_grad), at<float>(beta_grad)});
      },
      Release());
  module.def(
      "pack",
      [](int64_t rows, int64_t columns, Address dense, Address words, Address turned, Address counts, int threads) {
        return chosen->pack({rows, columns, at<const float>(dense), at<uint64_t>(words), at<uint64_t>(turned),
                             at<int64_t>(counts), threads});
      },
      Release());
  module.def(
      "unpack",
      [](Address words, int64_t rows, int64_t columns, Address dense, int threads) {
        chosen->unpack(at<const uint64_t>(words), rows, columns, at<float>(dense), threads);
      },
      Release());
  module.def(
      "rates",
      [](Address words, int64_t steps, int64_t rows, int64_t columns, Address out) {
        chosen->rates(at<const uint64_t>(words), steps, rows, columns, at<float>(out));
      },
      Release());
  module.def(
      "transpose",
      [](Address words, int64_t rows, int64_t columns, Address out, int threads) {
        chosen->transpose(at<const uint64_t>(words), rows, columns, at<uint64_t>(out), threads);
      },
      Release());
  module.def(
      "count", [](Address words, int64_t count) { return chosen->population_count(at<const uint64_t>(words), count); },
      Release());
  module.def(
      "column_counts",
      [](Address words, int64_t rows, int64_t columns, Address counts, int threads) {
        chosen->column_counts(at<const uint64_t>(words), rows, columns, at<int64_t>(counts), threads);
      },
      Release());
  module.def(
      "step_counts",
      [](Address words, int64_t steps, int64_t words_a_step) {
        std::vector<int64_t> counts;
        for (int64_t step = 0; step < steps; ++step)
          counts.push_back(chosen->population_count(at<const uint64_t>(words) + step * words_a_step, words_a_step));
        return counts;
      });
  module.def(
      "census",
      [](Address values, int64_t steps, int64_t batch, int64_t places, int64_t step_stride, int64_t row_stride,
         Address counts, Address step_counts) {
        float magnitude = 0;
        const int kind = chosen->census({steps, batch, places, step_stride, row_stride, at<const float>(values),
                                         at<int64_t>(counts), at<int64_t>(step_counts), &magnitude});
        return std::pair(kind, magnitude);
      });
  module.def(
      "multiply",
      [](int64_t rows, int64_t inner, int64_t columns, Address words, Address dense, bool dense_transposed, Address bias,
         Address out, bool out_transposed, int method, int threads) {
        chosen->multiply({rows, inner, columns, at<const uint64_t>(words), at<const float>(dense), dense_transposed,
                          at<const float>(bias), at<float>(out), out_transposed, method, threads});
      },
      Release());
  module.def(
      "multiply_floats",
      [](Address a, Address b, Address out, int64_t rows, int64_t inner, int64_t columns, int threads) {
        if (chosen->multiply_floats == nullptr) throw std::invalid_argument("this instruction set has no product of floats");
        chosen->multiply_floats(at<const float>(a), at<const float>(b), at<float>(out), rows, inner, columns, threads);
      },
      Release());
  module.def(
      "rate_code",
      [](Address generator, Address rates, int64_t steps, int64_t rows, int64_t columns, Address words) {
        chosen->rate_code(at<char>(generator), at<const float>(rates), steps, rows, columns, at<uint64_t>(words));
      },
      Release());
  module.def(
      "layer",
      [](int64_t steps, int64_t batch, int64_t inner, int64_t columns, Address words, Address weight, Address bias,
         Address beta, float threshold, float bar, int reset, bool delayed, int method, int threads, Address charges, Address out,
         Address counts, Address near, int64_t levels, float worth) {
        Counts done{};  // [columns], [columns], [steps], one behind the other
        if (auto* active = at<int64_t>(counts)) done = {active, active + columns, active + 2 * columns};
        large_pages(charges, static_cast<size_t>(steps * batch * columns) * sizeof(float));
        return chosen->layer({steps, batch, inner, columns, at<const uint64_t>(words), at<const float>(weight),
                       at<const float>(bias), at<const float>(beta), threshold, bar, reset, delayed, method, threads, levels, worth},
                      at<float>(charges), at<uint64_t>(out), done, at<Near>(near));
      },
      Release());
  module.def(
      "layer_back",
      [](int64_t steps, int64_t batch, int64_t inner, int64_t columns, Address beta, float threshold, float bar, int reset,
         bool delayed, int method, int threads, Address charges, Address spikes_grad, bool rates, Address above_currents,
         Address above_weight, int64_t above, int surrogate, float slope, Address words, Address turned,
         Address currents_grad, Address weight_grad, Address bias_grad, Address beta_grad, Address near, Address fired,
         Address stays, int64_t levels, float worth) {
        static thread_local std::vector<uint64_t> held;  // where nobody turned the words before, and they are asked for
        if (turned == 0 && weight_grad != 0) {
          const auto size = static_cast<size_t>(levels * inner * words_of(steps * batch));
          if (held.size() < size) held.resize(size);
          chosen->transpose(at<const uint64_t>(words), steps * batch, levels * inner, held.data(), threads);
          turned = reinterpret_cast<Address>(held.data());
        }
        chosen->layer_back({steps, batch, inner, columns, nullptr, nullptr, nullptr, at<const float>(beta), threshold,
                            bar, reset, delayed, method, threads, levels, worth},
                           at<const float>(charges),
                           {at<const float>(spikes_grad), rates ? batch : steps * batch,
                            rates ? 1.0f / static_cast<float>(steps) : 1.0f, at<const float>(above_currents),
                            at<const float>(above_weight), above, surrogate, slope, at<const uint64_t>(turned),
                            at<float>(currents_grad), at<float>(weight_grad), at<float>(bias_grad), at<float>(beta_grad),
                            at<const Near>(near), at<const uint64_t>(fired), at<const uint64_t>(stays)});
      },
      Release());
  module.def(
      "convolve",
      [](const std::vector<int64_t>& shape, Address words, Address weight, Address bias, int method, int threads,
         Address currents) {
        chosen->convolve(convolution(shape, words, bias, method, threads), at<const float>(weight), at<float>(currents));
      },
      Release());
  module.def(
      "convolve_fire",
      [](const std::vector<int64_t>& shape, Address words, Address weight, Address bias, int method, int threads,
         Address beta, float threshold, float bar, int reset, bool delayed, Address currents, Address out, Address active, Address near, int surrogate, float slope) {
        chosen->convolve_fire(convolution(shape, words, bias, method, threads), at<const float>(weight),
                              {nullptr, at<uint64_t>(out), nullptr, at<uint64_t>(near), surrogate, slope},
                              at<const float>(beta), threshold, bar, reset, delayed,
                              at<float>(currents), at<int64_t>(active));
      },
      Release());
  module.def(
      "convolve_back",
      [](const std::vector<int64_t>& shape, Address words, int threads, Address spikes, Address currents, Address beta,
         bool channels_last, const std::vector<int64_t>& pool_shape, Address fired, float pool_divisor, float threshold, float bar, int reset,
         bool delayed, int surrogate, float slope, Address flow,
         Address beta_grad, Address weight, Address bias, Address kernel, Address near, Address input) {
        const auto c = convolution(shape, words, 0, kEvents, threads);
        const bool plain = c.kernel_height == 3 && c.kernel_width == 3 && c.stride_height == 1 && c.stride_width == 1 &&
                           c.dilation_height == 1 && c.dilation_width == 1;
        if (input != 0 && near == 0 && !plain) throw std::invalid_argument("only windows of 3 x 3 are filtered");
        std::optional<Convolution> pool;
        if (fired != 0 || pool_divisor != 0) pool = convolution(pool_shape, fired, 0, kEvents, threads);
        if (pool && (pool->kernel_height != pool->stride_height || pool->padding_height != 0 || pool->dilation_height != 1 ||
                     pool->height != c.out_height || pool->width != c.out_width || pool->channels != c.filters))
          throw std::invalid_argument("windows that lie beside each other are pooled, of as many neurons as there are");
        chosen->convolve_back(c, {at<const float>(spikes), at<const float>(currents), at<const float>(beta), channels_last,
                                  threshold, bar, reset, delayed, surrogate, slope, pool ? &*pool : nullptr, pool_divisor,
                                  at<float>(flow), at<float>(beta_grad),
                                  at<float>(weight), at<float>(bias), at<const float>(kernel), at<const uint64_t>(near),
                                  at<float>(input)});
      },
      Release());
  module.def(
      "max_pool",
      [](const std::vector<int64_t>& shape, Address words, int threads, Address out) {
        chosen->max_pool(convolution(shape, words, 0, kEvents, threads), at<uint64_t>(out));
      },
      Release());
  module.def(
      "max_pool_back",
      [](const std::vector<int64_t>& shape, Address words, int threads, Address grad, Address out) {
        chosen->max_pool_back(convolution(shape, words, 0, kEvents, threads), at<const float>(grad), at<float>(out));
      },
      Release());
  module.def(
      "average_pool",
      [](const std::vector<int64_t>& shape, Address words, float divisor, int threads, Address out) {
        const auto c = convolution(shape, words, 0, kEvents, threads);
        refuse_overlapping(c);
        chosen->average_pool(c, divisor, at<float>(out));
      },
      Release());
  module.def(
      "pool_levels",
      [](const std::vector<int64_t>& shape, Address words, int threads, Address out) {
        const auto c = convolution(shape, words, 0, kEvents, threads);
        refuse_overlapping(c);
        chosen->pool_levels(c, at<uint64_t>(out));
      },
      Release());
  module.def(
      "adam",
      [](const std::vector<std::array<Address, 6>>& weights, double rate, double beta1, double beta2, double eps,
         int threads) {
        std::vector<AdamWeight> all;
        for (const auto& [weight, grad, mean, square, step, size] : weights)
          all.push_back({at<float>(weight), at<float>(mean), at<float>(square), at<float>(step), at<const float>(grad),
                         static_cast<int64_t>(size)});
        nb::gil_scoped_release release;
        chosen->adam(all.data(), static_cast<int64_t>(all.size()), {rate, beta1, beta2, eps, threads});
      });
  bind_family(module);
}

}  // namespace spikeledger
