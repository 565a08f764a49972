// Learning without labels compiled for AVX-512.
#if defined(__x86_64__)
#define SPIKELEDGER_SET avx512
#include "run.hpp"
#endif
