// Parallel loops. On a quiet machine they run on the OpenMP runtime that torch itself has loaded: a second pool beside
// torch's spinning threads made training about twice as slow. That runtime waits for every thread of a loop, those too that
// have not begun, and spins meanwhile: where a processor is wanted by others, or torch's runtime is not found, loops run on
// a team of our own, which waits for nobody.
#pragma once

#include <cstdint>
#include <functional>

namespace spikeledger {

// Calls task(index) for each index below `count`, on at most `threads` threads and no more than there are processors for
// this process; tasks must not throw.
void parallel(int64_t count, int threads, const std::function<void(int64_t)>& task);

// As many threads as so much work is worth, in float operations: starting them takes some microseconds, and on a busy
// machine a lot more.
inline int worth(int64_t operations, int threads) { return operations < 200'000 ? 1 : threads; }

// "torch" if a loop would run on torch's runtime now, "own" if not
const char* thread_runtime();

// In a process that was forked before the core was loaded: its loops run on one thread.
void after_fork();

}  // namespace spikeledger
