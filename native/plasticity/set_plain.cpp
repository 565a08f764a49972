// Learning without labels compiled for any processor.
#define SPIKELEDGER_SET plain
#include "run.hpp"
