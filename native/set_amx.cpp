// Tiles beside AVX-512: only what multiplies is compiled again.
#if defined(__x86_64__)
#include "kernels.hpp"

#if defined(__AMX_INT8__) && defined(__AMX_BF16__)
#define SPIKELEDGER_SET amx
#include "floats.hpp"
#include "layers.hpp"
#include "products.hpp"

namespace spikeledger {
const Kernels* with_tiles() {
  static const Kernels kAmx = [] {
    Kernels all = kAvx512;
    all.name = "amx";
    all.multiply = amx::multiply, all.multiply_floats = amx::multiply_floats;
    all.layer = amx::layer, all.layer_back = amx::layer_back;
    return all;
  }();
  return &kAmx;
}
}  // namespace spikeledger
#else
namespace spikeledger {
const Kernels* with_tiles() { return nullptr; }
}
#endif
#endif
