// All kernels compiled for AVX-512.
#if defined(__x86_64__)
#define SPIKELEDGER_SET avx512
#include "instances.hpp"

namespace spikeledger {
const Kernels kAvx512 = SPIKELEDGER_TABLE;
}
#endif
