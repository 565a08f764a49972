#include "threads.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#endif

namespace spikeledger {
namespace {

using Region = void (*)(void*);
using StartRegion = void (*)(Region, void*, unsigned, unsigned);

std::atomic<bool> forked{false};

#if defined(__linux__) && !defined(SPIKELEDGER_OWN_THREADS)
int find_torch(dl_phdr_info* library, size_t, void* found) {
  if (std::strstr(library->dlpi_name, "libtorch_cpu.so") == nullptr) return 0;
  *static_cast<std::string*>(found) = library->dlpi_name;
  return 1;
}
#endif

// GNU's, LLVM's and Intel's runtimes all offer this entry; asked of torch's library, its own runtime answers.
StartRegion find_runtime() {
#if defined(__linux__)
  pthread_atfork(nullptr, nullptr, [] { forked = true; });
#endif
#if defined(__linux__) && !defined(SPIKELEDGER_OWN_THREADS)
  std::string path;
  dl_iterate_phdr(find_torch, &path);
  if (path.empty()) return nullptr;
  void* torch = dlopen(path.c_str(), RTLD_NOLOAD | RTLD_LAZY);
  if (torch == nullptr) return nullptr;
  return reinterpret_cast<StartRegion>(dlsym(torch, "GOMP_parallel"));
#else
  return nullptr;
#endif
}

StartRegion runtime() {
  static const StartRegion found = find_runtime();
  return found;
}

struct Loop {
  std::atomic<int64_t> next{0};
  int64_t count;
  const std::function<void(int64_t)>* task;
};

void run(void* argument) {
  auto& loop = *static_cast<Loop*>(argument);
  for (int64_t index; (index = loop.next.fetch_add(1, std::memory_order_relaxed)) < loop.count;) (*loop.task)(index);
}

}  // namespace

void parallel(int64_t count, int threads, const std::function<void(int64_t)>& task) {
  threads = static_cast<int>(std::min<int64_t>(threads, count));
  const StartRegion start = runtime();
  // a forked child has none of its parent's threads, and waiting for them would never end
  if (threads <= 1 || forked) {
    for (int64_t index = 0; index < count; ++index) task(index);
    return;
  }
  Loop loop;
  loop.count = count;
  loop.task = &task;
  if (start != nullptr) {
    start(run, &loop, static_cast<unsigned>(threads), 0);
    return;
  }
  std::vector<std::thread> others;
  for (int other = 1; other < threads; ++other) others.emplace_back(run, &loop);
  run(&loop);
  for (auto& other : others) other.join();
}

const char* thread_runtime() { return runtime() != nullptr ? "torch" : "own"; }

}  // namespace spikeledger
