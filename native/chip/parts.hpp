// What the machine is made of: populations, projections, spike lists, and the barrier that its threads meet at.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <thread>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

#include "cells.hpp"

namespace chip {

// Memory of zeros on large pages where the system has them: random access to many small ones costs a page walk each.
template <class T>
class Buffer {
 public:
  Buffer() = default;
  Buffer(const Buffer&) = delete;
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Buffer() { std::free(data_); }

  void zeros(size_t size) {
    constexpr size_t page = size_t(1) << 21;
    if (data_ && size == size_) {  // pages that are already there need not be asked for again
      std::memset(static_cast<void*>(data_), 0, size * sizeof(T));
      return;
    }
    std::free(data_);
    size_ = size;
    const size_t bytes = size * sizeof(T), whole = (bytes + page - 1) / page * page;
    data_ = static_cast<T*>(bytes < page ? std::malloc(bytes + 1) : std::aligned_alloc(page, whole));
    if (!data_) throw std::bad_alloc();
#if defined(__linux__)
    if (bytes >= page) madvise(data_, whole, MADV_HUGEPAGE);
#endif
    std::memset(static_cast<void*>(data_), 0, bytes);
  }
  T* data() { return data_; }
  const T* data() const { return data_; }
  T* operator+(size_t offset) { return data_ + offset; }
  size_t size() const { return size_; }

 private:
  T* data_ = nullptr;
  size_t size_ = 0;
};

template <class Real>
struct Record {
  uint32_t target;
  Real weight;
};

// The same synapses in 4 bytes each, where a projection has few different weights: in the lower bits where the target lies
// in its block, in the upper ones which weight it is. A row's part in a block is filled up to a multiple of four by synapses
// of no weight to a place behind the block.
template <class Real>
struct Short {
  Buffer<uint32_t> synapses;
  Buffer<uint32_t> cuts;  // [sources][blocks] + 1, in fours: where each block's part of each row begins
  std::vector<Real> weights;
  int bits = 0;  // of a target: 17, or 18 where the cache holds larger blocks; to shift by a constant costs a third
  int64_t blocks = 0;  // that it was made for, or could not be
  bool there() const { return synapses.size() > 0; }
};

// Numbers different weights, as long as they are few.
template <class Real>
struct Few {
  static constexpr size_t most = 4096;  // a table of them stays in the first-level cache
  std::vector<Real> weights;

  explicit Few(size_t room) : room_(room), found_(4 * most, -1) {}

  // The number of a weight; negative if there are too many.
  int64_t number(Real weight) {
    uint64_t bits = 0;
    std::memcpy(&bits, &weight, sizeof weight);
    size_t at = bits * 0x9e3779b97f4a7c15u >> 50;
    for (; found_[at] >= 0; at = (at + 1) % found_.size())
      if (!std::memcmp(&weights[size_t(found_[at])], &weight, sizeof weight)) return found_[at];
    if (weights.size() == room_) return -1;
    found_[at] = int32_t(weights.size());
    weights.push_back(weight);
    return found_[at];
  }

 private:
  size_t room_;
  std::vector<int32_t> found_;  // by a weight's bits: which it is
};

struct Fan {  // see synapses.py; null where a neuron is a place of the operator's input
  const int64_t* starts = nullptr;
  const int32_t* places = nullptr;
  const void* scales = nullptr;
};

struct ConvShape {
  int64_t in_channels, in_rows, in_columns, out_channels, out_rows, out_columns, kernel_rows, kernel_columns;
  int64_t stride_rows, stride_columns, pad_rows, pad_columns, dilation_rows, dilation_columns, groups;
};

enum class Kind { sparse, dense, conv };

template <class Real>
struct Projection {
  int source, target;
  int delay;
  Kind kind;
  Fan fan;
  const int64_t* starts = nullptr;  // sparse: [sources + 1]
  const Record<Real>* records = nullptr;
  bool different = true;  // whether no row has a target twice
  Short<Real> brief;     // empty where the weights are too many, or a run too short to pay for it
  Buffer<int64_t> cuts;  // [sources][blocks of the target] + 1: where each block's part of each row begins
  int64_t sources = 0;
  const Real* weight = nullptr;      // dense: [sources, targets]; conv: [in, kh, kw, out / groups]
  const uint32_t* counts = nullptr;  // dense: [sources, slices of the target]; conv: [in, kh, kw]
  const uint8_t* few_counts = nullptr;  // sparse, where no source has more in a slice than a byte holds: as of dense ones
  bool tabled() const { return counts || few_counts; }
  ConvShape conv{};
};

template <class Real>
struct Fired {
  std::vector<uint32_t> neurons;
  std::vector<Real> values;  // of an input's places; empty for spikes
};

template <class Real>
struct Population {
  int64_t size = 0;
  bool input = false;
  int64_t grain = 1;  // a block begins at a multiple of it
  Neurons<Real> neurons{};
  int64_t opens = 0, closes = INT64_MAX;  // the steps in which it may fire
  Buffer<Real> v;
  Cells<Real> cells;  // of neurons that keep more than a membrane
  Buffer<Real> synapse, adaptation, was;
  Buffer<int32_t> waiting;
  std::vector<Real> start;
  std::vector<int> in;         // projections that end here, in the order of their sums
  bool heard_at_once = false;  // by a projection without delay
  bool counted = false;        // synaptic operations are counted where they arrive, not by tables
  int shift = 0;               // they are counted for 2^shift neurons together, which all lie on one core
  std::vector<int64_t> slices;    // borders of the parts that lie on one core each
  std::vector<int32_t> cores;     // one a slice
  std::vector<int32_t> slice_of;  // [size / grain]
  struct Route {
    int32_t packets, hops;
  };
  std::vector<Route> routes;  // of a spike of each neuron: its destination cores, and how far away they are; may be empty
  std::vector<std::vector<Fired<Real>>> fired;  // [steps that are remembered][blocks]
  std::vector<int64_t> borders;                 // [blocks + 1]
  Buffer<uint8_t> recent_spikes;  // [size], of the steps since they were last booked
  Buffer<uint8_t> recent_active;
  // results
  int64_t* spikes = nullptr;    // [size]
  int32_t* active = nullptr;    // [size]
  int64_t* per_step = nullptr;  // [steps]
  int64_t* late = nullptr;      // [depth, size]: spikes of the last steps, which a delay keeps from arriving
  int64_t depth = 0;
  uint8_t* raster = nullptr;    // [samples or 1, steps, size]
  bool raster_all = false;
  const Real* values = nullptr;  // of an input: [steps, samples, size]

  int64_t blocks() const { return int64_t(borders.size()) - 1; }

  // From where short synapses count their targets in a block: its first neuron, or of those that are counted together.
  int64_t origin(int64_t b) const { return counted ? borders[b] >> shift << shift : borders[b]; }
  // A place behind a block, counted so: of its own among the currents, and among the arrivals.
  int64_t behind(int64_t b) const {
    const int64_t size = borders[b + 1] - origin(b);
    return counted ? (((size - 1) >> shift) + 1) << shift : size;
  }

  // Its constants at a step: outside its window nothing is above the bar.
  Neurons<Real> at(int64_t step) const {
    constexpr Real never = std::numeric_limits<Real>::infinity();
    Neurons<Real> now = neurons;
    if (step < opens || step >= closes) now.bar = never;
    if (step > 0 && (step - 1 < opens || step - 1 >= closes)) now.held = never;
    return now;
  }

  // The state before a sample's first step; a membrane that starts above the threshold has just fired.
  void rest(int64_t begin, int64_t end) {
    std::copy(start.begin() + begin, start.begin() + end, v + begin);
    if (cells.synapse) std::fill(synapse + begin, synapse + end, Real(0));
    if (cells.adaptation) std::fill(adaptation + begin, adaptation + end, Real(0));
    if (cells.waiting) std::fill(waiting + begin, waiting + end, 0);
    if (cells.fired)
      for (int64_t i = begin; i < end; ++i) was.data()[i] = start[i] > neurons.bar ? Real(1) : Real(0);
  }
};

// What a thread works with: the currents of the block in hand, always zero between blocks, and what its cores did.
template <class Real>
struct Bench {
  Buffer<Real> currents;
  Buffer<uint32_t> arrivals;
  std::vector<uint32_t> told;  // synaptic operations by slice of the population in hand, by tables
  std::vector<int64_t> work[2];  // of this step and of the one before: synapses and spikes a core, packets, hops
};

class Barrier {
 public:
  explicit Barrier(int threads) : threads_(threads) {}
  void wait() {
    if (threads_ == 1) return;
    const int phase = phase_.load(std::memory_order_relaxed);
    if (waiting_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads_) {
      waiting_.store(0, std::memory_order_relaxed);
      phase_.store(phase + 1, std::memory_order_release);
      phase_.notify_all();
      return;
    }
    for (int spin = 0; spin < 4000; ++spin) {
      if (phase_.load(std::memory_order_acquire) != phase) return;
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    }
    phase_.wait(phase, std::memory_order_acquire);  // a busy machine: let others run
  }

 private:
  const int threads_;
  std::atomic<int> waiting_{0};
  std::atomic<int> phase_{0};
};

struct Account {  // what the cores do; all may be null
  int64_t cores = 0;
  int64_t* synapses = nullptr;  // [steps, cores]
  int64_t* spikes = nullptr;
  int64_t* packets = nullptr;  // [steps]
  int64_t* hops = nullptr;
  const double* updates_seconds = nullptr;  // [cores], of one step
  double synapse_seconds = 0, spike_seconds = 0, barrier_seconds = 0;
  double* seconds = nullptr;  // [steps], summed over samples
};

}  // namespace chip
