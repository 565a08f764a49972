// Parallel loops on the OpenMP runtime that torch itself has loaded: a second pool beside torch's spinning threads made
// training about twice as slow. Where torch's runtime is not found, plain threads are started for each loop.
#pragma once

#include <cstdint>
#include <functional>

namespace spikeledger {

// Calls task(index) for each index below `count`, on at most `threads` threads; tasks must not throw.
void parallel(int64_t count, int threads, const std::function<void(int64_t)>& task);

// As many threads as so much work is worth, in float operations: starting them takes some microseconds, and on a busy
// machine a lot more.
inline int worth(int64_t operations, int threads) { return operations < 200'000 ? 1 : threads; }

// "torch" if loops run on torch's runtime, "own" if not
const char* thread_runtime();

}  // namespace spikeledger
