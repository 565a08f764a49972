#if defined(__x86_64__)
#if defined(__AMX_INT8__)
#define SPIKELEDGER_SET amx
#include "instances.hpp"

namespace spikeledger {
const Kernels kAmx = SPIKELEDGER_TABLE;
}
#else
#include "kernels.hpp"

namespace spikeledger {
const Kernels kAmx = {};
}
#endif
#endif
