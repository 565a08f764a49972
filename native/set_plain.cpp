// All kernels compiled for any processor.
#define SPIKELEDGER_SET plain
#include "instances.hpp"

namespace spikeledger {
const Kernels kPlain = SPIKELEDGER_TABLE;
}

