// The table of kernels that runs, and those that this processor could run.
#pragma once

#include <string>
#include <vector>

#include "kernels.hpp"

namespace spikeledger {

extern const Kernels* chosen;

// Best last.
std::vector<std::string> instruction_sets();

// Throws std::invalid_argument where this processor does not have it.
void use_instruction_set(const std::string& name);

}  // namespace spikeledger
