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

  // Takes tasks until none is left.
  void run() {
    for (int64_t index; (index = next.fetch_add(1, std::memory_order_relaxed)) < count;) task(index);
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
    const auto begun = Clock::now();
    loop.run();
    const auto ended = Clock::now();
    spin(ended + worth_spinning(ended - begun), [&] { return loop.inside.load(std::memory_order_relaxed) == 0; });
    std::unique_lock lock(door_);
    std::erase(loops_, &loop);  // from here on nobody comes
    done_.wait(lock, [&] { return loop.inside.load(std::memory_order_relaxed) == 0; });
  }

 private:
  using Clock = std::chrono::steady_clock;

  // Who has just worked for a time may spin for a part of it: a sleeper takes tens of microseconds to wake, and may wake on
  // another processor, behind others. So spinning costs at most a quarter of the work done, and who came in vain sleeps.
  static Clock::duration worth_spinning(Clock::duration worked) {
    return std::min<Clock::duration>(worked / 4, std::chrono::microseconds(500));
  }

  template <class Condition>
  static void spin(Clock::time_point end, const Condition& condition) {
    if (condition()) return;
    do {
      for (int turn = 0; turn < 16; ++turn) {
        if (condition()) return;
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
      }
    } while (Clock::now() < end);
  }

  // Under the door: sees that there are so many helpers, if the system has room for them.
  void gather(int helpers) {
    try {
      for (; helpers_ < helpers; ++helpers_) std::thread(&Team::help, this).detach();
    } catch (const std::system_error&) {  // then the caller does their work too
    }
  }

  void help() {
    auto patience = Clock::now();
    std::unique_lock lock(door_);
    for (;;) {
      const auto found = std::find_if(loops_.begin(), loops_.end(), [](Loop* loop) { return loop->seats > 0 && loop->open(); });
      if (found == loops_.end()) {
        const uint64_t posted = posted_.load(std::memory_order_relaxed);
        lock.unlock();
        spin(patience, [&] { return posted_.load(std::memory_order_relaxed) != posted; });
        lock.lock();
        work_.wait(lock, [&] { return posted_.load(std::memory_order_relaxed) != posted; });
        continue;
      }
      Loop& loop = **found;
      --loop.seats;
      loop.inside.fetch_add(1, std::memory_order_relaxed);
      lock.unlock();
      const auto begun = Clock::now();
      loop.run();
      const auto ended = Clock::now();
      patience = ended + worth_spinning(ended - begun);
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
