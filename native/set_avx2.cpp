// All kernels compiled for AVX2.
#if defined(__x86_64__)
#define SPIKELEDGER_SET avx2
#include "instances.hpp"

namespace spikeledger {
const Kernels kAvx2 = SPIKELEDGER_TABLE;
}
#endif
