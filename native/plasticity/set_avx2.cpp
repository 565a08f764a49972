#if defined(__x86_64__)
#define SPIKELEDGER_SET avx2
#include "run.hpp"
#endif
