// Learning without labels compiled for AVX2.
#if defined(__x86_64__)
#define SPIKELEDGER_SET avx2
#include "run.hpp"
#endif
