// How many processors this process may use at once: fewer than the machine has where it is bound to some of them, or where
// its control group has a quota, as containers do.
#pragma once

#include <string>

namespace spikeledger {

// At least 1; a quota of one and a half is 2. Files are looked for below `root`, which is empty but for tests.
int processors(const std::string& root = "");

}  // namespace spikeledger
