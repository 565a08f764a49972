// Parallel loops on the OpenMP runtime that torch itself has loaded: a second pool beside torch's spinning threads made
// training about twice as slow. Where torch's runtime is not found, plain threads are started for each loop.
#pragma once

#include <cstdint>
#include <functional>

namespace spikeledger {

// Calls task(index) for each index below `count`, on at most `threads` threads; tasks must not throw.
void parallel(int64_t count, int threads, const std::function<void(int64_t)>& task);

// "torch" if loops run on torch's runtime, "own" if not
const char* thread_runtime();

}  // namespace spikeledger
