// The Python face of Diehl & Cook's network: arrays come as addresses by name, constants as numbers by name.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string>
#include <vector>

#include "digits.hpp"

namespace nb = nanobind;

namespace spikeledger {
namespace {

using Run = void (*)(const Digits&, const DigitConstants&, const DigitsSeen&);

Run named([[maybe_unused]] const std::string& set) {
#if defined(__x86_64__)
  if (set == "avx512") return avx512::diehl_cook;
  if (set == "avx2") return avx2::diehl_cook;
#endif
  return plain::diehl_cook;
}

// Instruction sets that this processor has, best last.
std::vector<std::string> instruction_sets() {
  std::vector<std::string> found{"plain"};
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2")) found.emplace_back("avx2");
  if (__builtin_cpu_supports("avx512f")) found.emplace_back("avx512");
#endif
  return found;
}

}  // namespace

NB_MODULE(_native, module) {
  module.doc() = "Diehl & Cook's network.";
  module.def("instruction_sets", &instruction_sets);
  module.def("diehl_cook", [](nb::dict run, nb::dict constants, const std::string& set) {
    const auto whole = [&](const char* name) { return nb::cast<int64_t>(run[name]); };
    const auto number = [&](const char* name) { return nb::cast<float>(constants[name]); };
    const auto count = [&](const char* name) { return nb::cast<int>(constants[name]); };
    const auto array = [&]<typename T>(const char* name, T*) { return reinterpret_cast<T*>(nb::cast<uintptr_t>(run[name])); };
    const auto bytes = [&](const char* name) { return array(name, static_cast<const uint8_t*>(nullptr)); };
    const auto floats = [&](const char* name) { return array(name, static_cast<float*>(nullptr)); };
    const auto counts = [&](const char* name) { return array(name, static_cast<int64_t*>(nullptr)); };
    const Digits given{whole("count"), whole("inputs"), whole("neurons"), whole("steps"), bytes("images"), floats("weight"),
                       floats("theta"), bytes("delay"), whole("longest"), floats("fade"), floats("fade_after"),
                       nb::cast<uint64_t>(run["seed"]), whole("first"), nb::cast<bool>(run["learn"]),
                       nb::cast<bool>(run["one_at_a_time"])};
    const DigitConstants with{
        number("rest"), number("reset"), number("threshold"), number("rate"), number("low"), number("ge_fade"),
        number("gi_fade"), number("inhibitory_rest"), number("inhibitory_reset"), number("inhibitory_threshold"),
        number("inhibitory_rate"), number("excitation"), number("inhibition"), number("theta_step"), number("theta_fade"),
        number("decrease"), number("increase"), number("largest"), number("total"), number("least"), count("refractory"),
        count("inhibitory_refractory"), count("enough"), count("most"), count("intensity"),
        nb::cast<double>(constants["chance"])};
    const DigitsSeen seen{array("spikes", static_cast<int32_t*>(nullptr)), counts("presentations"),
                          counts("input_spikes"), counts("fired"), counts("active"), counts("inhibitory_fired"),
                          counts("inhibitory_active"), counts("updates")};
    nb::gil_scoped_release release;
    named(set)(given, with, seen);
  });
}

}  // namespace spikeledger
