#include "threads.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <mutex>
#include <string>
#include <thread>

#if defined(__linux__)
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#endif

#include "processors.hpp"
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
// Where they did, loops run on the team for a while; then torch's threads are tried again.
class Machine {
 public:
  bool quiet() {
    if (state_.load(std::memory_order_relaxed) != State::busy) return true;
    std::lock_guard lock(door_);
    if (state_ == State::busy && Clock::now() >= again_) {
      state_ = State::tried;
      tries_ = 0;
      again_ = Clock::now() + kTrial;
    }
    return state_ != State::busy;
  }

  // What a loop on torch's threads lost by waiting for them, longer than its last tasks take.
  void waited(Clock::duration late, StartRegion start) {
    if (late < kLate && state_.load(std::memory_order_relaxed) == State::quiet) return;
    std::lock_guard lock(door_);
    if (late >= kLate) {
      if (state_ == State::busy) return;
      pause_ = state_ == State::tried ? std::min<milliseconds>(2 * pause_, kLongest) : kShortest;
      state_ = State::busy;
      again_ = Clock::now() + pause_;
      ballast_.load(start);
    } else if (state_ == State::tried && ++tries_ >= kTries && Clock::now() >= again_) {
      state_ = State::quiet;
      ballast_.drop();
    }
  }

 private:
  enum class State { quiet, busy, tried };
  static constexpr milliseconds kLate{1};  // a thread that was put off its processor is away for some of these
  static constexpr milliseconds kShortest{250}, kLongest{4000}, kTrial{50};
  static constexpr int kTries = 20;

  std::atomic<State> state_{State::quiet};
  std::mutex door_;
  Ballast ballast_;
  milliseconds pause_ = kShortest;
  Clock::time_point again_;
  int tries_ = 0;
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

// A loop on torch's threads, and how long its caller waited for the others.
struct Watched {
  explicit Watched(Loop& loop) : loop(loop) {}

  static void run(void* argument) {
    auto& self = *static_cast<Watched*>(argument);
    const int64_t taken = self.loop.run();
    if (std::this_thread::get_id() != self.caller) return;
    self.left = Clock::now();
    self.taken = taken;
  }
  // Others may have begun their last task when the caller ended its own.
  Clock::duration late() const { return Clock::now() - left - 2 * (left - begun) / std::max<int64_t>(1, taken); }

  Loop& loop;
  const std::thread::id caller = std::this_thread::get_id();
  const Clock::time_point begun = Clock::now();
  Clock::time_point left = begun;
  int64_t taken = 0;
};

}  // namespace

void parallel(int64_t count, int threads, const std::function<void(int64_t)>& task) {
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
