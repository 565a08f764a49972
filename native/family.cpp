// The Python face of the family of neurons: tensors come as addresses by name, those of what is not there are left out.
#include <nanobind/nanobind.h>

#include "kernels.hpp"

namespace nb = nanobind;

namespace spikeledger {
namespace {

class Tensors {
 public:
  explicit Tensors(const nb::dict& addresses) : addresses_(addresses) {}

  template <typename T = float>
  T* at(const char* name) const {
    return addresses_.contains(name) ? reinterpret_cast<T*>(nb::cast<uintptr_t>(addresses_[name])) : nullptr;
  }

 private:
  const nb::dict& addresses_;
};

Cells cells(const nb::tuple& shape, const Tensors& of, float threshold, float bar, int reset, bool delayed, int refractory, int threads) {
  return {nb::cast<int64_t>(shape[0]), nb::cast<int64_t>(shape[1]), nb::cast<int64_t>(shape[2]), of.at("currents"),
          of.at("membrane"), of.at("synapse"), of.at("adaptation"), of.at("waiting"), of.at("fired"),
          of.at("beta"), of.at("alpha"), of.at("rho"), of.at("strength"), of.at("own"),
          of.at("weight_turned"), of.at("weight_blocked"), threshold, bar, reset, delayed, refractory, threads};
}

}  // namespace

void bind_family(nb::module_& module) {
  module.def("fire_cells", [](nb::tuple shape, nb::dict in, float threshold, float bar, int reset, bool delayed, int refractory,
                              nb::dict out, int threads) {
    const Cells population = cells(shape, Tensors(in), threshold, bar, reset, delayed, refractory, threads);
    const Tensors to(out);
    const CellsFired fired{to.at("spikes"), to.at<uint64_t>("words"), to.at("membrane"), to.at("synapse"),
                           to.at("adaptation"), to.at("waiting"), to.at<int64_t>("active")};
    nb::gil_scoped_release release;
    kernels_in_use().fire_cells(population, fired);
  });
  module.def("learn_cells", [](nb::tuple shape, nb::dict in, float threshold, float bar, int reset, bool delayed, int refractory,
                               nb::dict arriving, int surrogate, float slope, nb::dict out, int threads) {
    const Cells population = cells(shape, Tensors(in), threshold, bar, reset, delayed, refractory, threads);
    const Tensors from(arriving), to(out);
    const CellsBackward grads{from.at("spikes"), from.at("membrane"), from.at("synapse"), from.at("adaptation"),
                              surrogate, slope, to.at("currents"), to.at("membrane"), to.at("synapse"),
                              to.at("adaptation"), to.at("fired"), to.at("beta"), to.at("alpha"), to.at("rho"),
                              to.at("strength"), to.at("own")};
    nb::gil_scoped_release release;
    kernels_in_use().learn_cells(population, grads);
  });
}

}  // namespace spikeledger
