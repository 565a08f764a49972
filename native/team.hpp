// Helpers of our own, for machines on which threads must wait: who calls takes all tasks that nobody has begun, so that a
// late helper holds nothing up, and who has nothing to do sleeps after a short spin.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace spikeledger {

// Tasks that are taken one by one.
struct Loop {
  Loop(int64_t count, const std::function<void(int64_t)>& task) : count(count), task(task) {}

  bool open() const { return next.load(std::memory_order_relaxed) < count; }

  // Takes tasks until none is left; how many it took.
  int64_t run() {
    int64_t taken = 0;
    for (int64_t index; (index = next.fetch_add(1, std::memory_order_relaxed)) < count; ++taken) task(index);
    return taken;
  }

  const int64_t count;
  const std::function<void(int64_t)>& task;
  std::atomic<int64_t> next{0};
  int seats = 0;               // helpers that may still come, under the team's door
  std::atomic<int> inside{0};  // helpers that are at work; it falls under the team's door alone
};

class Team {
 public:
  // Runs a loop on the calling thread and on helpers that find the time; any number of threads may call at once, and
  // they share the helpers.
  void share(Loop& loop, int helpers) {
    {
      std::lock_guard lock(door_);
      gather(helpers);
      loop.seats = helpers;
      loops_.push_back(&loop);
      posted_.fetch_add(1, std::memory_order_release);
    }
    for (int seat = 0; seat < helpers; ++seat) work_.notify_one();
    loop.run();
    spin([&] { return loop.inside.load(std::memory_order_relaxed) == 0; });
    std::unique_lock lock(door_);
    std::erase(loops_, &loop);  // from here on nobody comes
    done_.wait(lock, [&] { return loop.inside.load(std::memory_order_relaxed) == 0; });
  }

 private:
  // A sleeper on an idle processor wakes in about this time: who spins no longer than that loses at most as much again.
  static constexpr std::chrono::microseconds kSpin{20};

  template <class Condition>
  static void spin(const Condition& condition) {
    if (condition()) return;
    const auto end = std::chrono::steady_clock::now() + kSpin;
    do {
      for (int turn = 0; turn < 16; ++turn) {
        if (condition()) return;
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
      }
    } while (std::chrono::steady_clock::now() < end);
  }

  // Under the door: sees that there are so many helpers, if the system has room for them.
  void gather(int helpers) {
    try {
      for (; helpers_ < helpers; ++helpers_) std::thread(&Team::help, this).detach();
    } catch (const std::system_error&) {  // then the caller does their work too
    }
  }

  void help() {
    std::unique_lock lock(door_);
    for (;;) {
      const auto found = std::find_if(loops_.begin(), loops_.end(), [](Loop* loop) { return loop->seats > 0 && loop->open(); });
      if (found == loops_.end()) {
        const uint64_t posted = posted_.load(std::memory_order_relaxed);
        lock.unlock();
        spin([&] { return posted_.load(std::memory_order_relaxed) != posted; });
        lock.lock();
        work_.wait(lock, [&] { return posted_.load(std::memory_order_relaxed) != posted; });
        continue;
      }
      Loop& loop = **found;
      --loop.seats;
      loop.inside.fetch_add(1, std::memory_order_relaxed);
      lock.unlock();
      loop.run();
      lock.lock();
      if (loop.inside.fetch_sub(1, std::memory_order_relaxed) == 1) done_.notify_all();
    }
  }

  std::mutex door_;
  std::condition_variable work_, done_;
  std::vector<Loop*> loops_;  // those that callers are in
  std::atomic<uint64_t> posted_{0};
  int helpers_ = 0;
};

}  // namespace spikeledger
