// Loops on torch's OpenMP threads, or on a team of our own where a processor is wanted by others.
#include "threads.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <cstring>
#include <mutex>
#include <string>
#include <thread>

#if defined(__linux__)
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#endif

#include "cpu_count.hpp"
#include "team.hpp"

namespace spikeledger {
namespace {

using Region = void (*)(void*);
using StartRegion = void (*)(Region, void*, unsigned, unsigned);
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

std::atomic<bool> forked{false};

#if defined(__linux__)
// From when the core is loaded, not from its first loop: torch may have threads that a child forked before does not have.
[[maybe_unused]] const int registered = pthread_atfork(nullptr, nullptr, [] { forked = true; });
#endif

#if defined(__linux__) && !defined(SPIKELEDGER_OWN_THREADS)
int find_torch(dl_phdr_info* library, size_t, void* found) {
  if (std::strstr(library->dlpi_name, "libtorch_cpu.so") == nullptr) return 0;
  *static_cast<std::string*>(found) = library->dlpi_name;
  return 1;
}
#endif

// GNU's, LLVM's and Intel's runtimes all offer this entry; asked of torch's library, its own runtime answers.
StartRegion find_runtime() {
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

int most() {
  static const int found = processors();
  return found;
}

// Threads of the runtime that do nothing but be there. GNU's runtime spins hundreds of thousands of turns at each wait, but
// only a hundred where it has more threads than processors (its manual, GOMP_SPINCOUNT): so with these, torch's own threads
// sleep as well.
class Ballast {
 public:
  // Under the machine's door. With a team of two, the smallest that waits, they are one more than there are processors.
  void load(StartRegion start) {
    if (turn_ & 1) return;
    const int turn = ++turn_;
    try {
      std::thread([this, start, turn] {
        start([](void*) {}, nullptr, std::max(2u, std::thread::hardware_concurrency()), 0);
        std::unique_lock lock(door_);
        dropped_.wait(lock, [&] { return turn_ != turn; });
      }).detach();
    } catch (const std::system_error&) {
      --turn_;
    }
  }
  void drop() {
    if (!(turn_ & 1)) return;
    {
      std::lock_guard lock(door_);
      ++turn_;
    }
    dropped_.notify_all();
  }

 private:
  std::mutex door_;
  std::condition_variable dropped_;
  int turn_ = 0;  // odd: it is loaded
};

// Whether the machine has a processor for each of our threads, from how long loops waited for threads of torch's runtime.
// Where they did, loops run on the team for a while; then torch's threads are tried again, less and less often.
class Machine {
 public:
  bool quiet() {
    if (!busy_.load(std::memory_order_relaxed)) return true;
    std::lock_guard lock(door_);
    if (busy_.load(std::memory_order_relaxed) && Clock::now() >= until_) {
      if (!bound_) ballast_.drop();
      busy_.store(false, std::memory_order_relaxed);
    }
    return !busy_.load(std::memory_order_relaxed);
  }

  // More threads were asked for than there are processors, as a quota leaves it to torch to do: what spins uses it up.
  void bound(StartRegion start) {
    if (bound_.exchange(true)) return;
    std::lock_guard lock(door_);
    ballast_.load(start);
  }

  // A loop on torch's threads had to wait so long for one that had no processor.
  void waited(Clock::duration late, StartRegion start) {
    if (late < kLate) return;
    std::lock_guard lock(door_);
    if (busy_.load(std::memory_order_relaxed)) return;
    const auto now = Clock::now();
    pause_ = now < until_ + kTrial ? std::min(2 * pause_, kLongest) : kShortest;
    until_ = now + pause_;
    ballast_.load(start);
    busy_.store(true, std::memory_order_relaxed);
  }

 private:
  static constexpr Clock::duration kLate = milliseconds(1);  // a thread that was put off its processor is away for longer
  static constexpr Clock::duration kShortest = milliseconds(250), kLongest = milliseconds(8000), kTrial = milliseconds(500);

  std::mutex door_;
  Ballast ballast_;
  std::atomic<bool> busy_{false}, bound_{false};
  Clock::duration pause_ = kShortest;
  Clock::time_point until_{};
};

// Never destroyed: their threads are there until the process ends.
Team& team() {
  static Team& found = *new Team;
  return found;
}
Machine& machine() {
  static Machine& found = *new Machine;
  return found;
}

Clock::duration processor_time() {
  timespec spent{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
  return std::chrono::seconds(spent.tv_sec) + std::chrono::nanoseconds(spent.tv_nsec);
}

// A loop on torch's threads, and for how long its caller waited for threads that had no processor.
class Watched {
 public:
  explicit Watched(Loop& loop) : loop_(loop) {}

  static void run(void* argument) { static_cast<Watched*>(argument)->take(); }
  Clock::duration late() const { return std::min(Clock::now() - left_, lost_.load(std::memory_order_relaxed)); }

 private:
  void take() {
    if (std::this_thread::get_id() == caller_) {
      loop_.run();
      left_ = Clock::now();
      return;
    }
    const auto before = processor_time();
    loop_.run();
    const auto lost = Clock::now() - begun_ - (processor_time() - before);
    for (auto most = lost_.load(std::memory_order_relaxed); lost > most && !lost_.compare_exchange_weak(most, lost);) {
    }
  }

  Loop& loop_;
  const std::thread::id caller_ = std::this_thread::get_id();
  const Clock::time_point begun_ = Clock::now();
  Clock::time_point left_ = begun_;
  std::atomic<Clock::duration> lost_{Clock::duration::zero()};  // the most that a thread was without one, from the beginning
};

}  // namespace

void parallel(int64_t count, int threads, const std::function<void(int64_t)>& task) {
  if (threads > most() && !forked && runtime() != nullptr) machine().bound(runtime());
  threads = static_cast<int>(std::min<int64_t>({threads, count, most()}));
  Loop loop(count, task);
  // a forked child has none of its parent's threads, and waiting for them would never end
  if (threads <= 1 || forked) {
    loop.run();
    return;
  }
  const StartRegion start = runtime();
  if (start == nullptr || !machine().quiet()) return team().share(loop, threads - 1);
  Watched watched(loop);
  start(Watched::run, &watched, static_cast<unsigned>(threads), 0);
  machine().waited(watched.late(), start);
}

const char* thread_runtime() { return runtime() != nullptr && machine().quiet() ? "torch" : "own"; }

void after_fork() { forked = true; }

}  // namespace spikeledger
