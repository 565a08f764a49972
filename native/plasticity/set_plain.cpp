#define SPIKELEDGER_SET plain
#include "run.hpp"
