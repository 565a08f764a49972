// The rate code straight to bits, from the very random numbers that torch's CPU generator would give: Mersenne Twister
// 19937, 24 bits a number. The generator's state is read and written in the layout of its get_state().
#pragma once

#include "simd.hpp"

namespace spikeledger::SPIKELEDGER_SET {

typedef uint32_t Bits32 __attribute__((vector_size(64)));
typedef uint32_t LooseBits32 __attribute__((vector_size(64), aligned(4), may_alias));

class Twister {
 public:
  static constexpr int kSize = 624, kShift = 397;

  explicit Twister(char* saved) : saved_(saved) {
    int32_t left;
    std::memcpy(&left, saved + 8, sizeof left);
    uint64_t next;
    std::memcpy(&next, saved + 16, sizeof next);
    for (int i = 0; i < kSize; ++i) std::memcpy(&state_[i], saved + 24 + 8 * i, sizeof(uint32_t));
    left_ = left - 1;
    next_ = static_cast<int>(next);
    temper();
  }

  // `count` numbers in [0, 1), in order
  void draw(float* to, int64_t count) {
    while (count > 0) {
      if (left_ == 0) twist();
      const int64_t here = std::min<int64_t>(count, left_);
      std::memcpy(to, numbers_ + next_, static_cast<size_t>(here) * sizeof(float));
      to += here, count -= here, left_ -= static_cast<int>(here), next_ += static_cast<int>(here);
    }
  }

  void save() const {
    const int32_t left = left_ + 1;
    const auto next = static_cast<uint64_t>(next_);
    std::memcpy(saved_ + 8, &left, sizeof left);
    std::memcpy(saved_ + 16, &next, sizeof next);
    for (int i = 0; i < kSize; ++i) {
      const uint64_t wide = state_[i];
      std::memcpy(saved_ + 24 + 8 * i, &wide, sizeof wide);
    }
  }

 private:
  static Bits32 get(const uint32_t* from) { return *reinterpret_cast<const LooseBits32*>(from); }
  static void put(uint32_t* to, Bits32 value) { *reinterpret_cast<LooseBits32*>(to) = value; }

  template <typename Word>
  static Word mixed(Word first, Word second, Word far) {
    const Word joined = (first & 0x80000000u) | (second & 0x7fffffffu);
    return far ^ (joined >> 1) ^ (-(second & 1u) & 0x9908b0dfu);
  }

  // [from, to), whose far word lies `far` places on; what is read within 16 places is read before it is written
  void twist(int from, int to, int far) {
    int i = from;
    for (; i + kLanes <= to; i += kLanes) put(state_ + i, mixed(get(state_ + i), get(state_ + i + 1), get(state_ + i + far)));
    for (; i < to; ++i) state_[i] = mixed(state_[i], state_[i + 1], state_[i + far]);
  }

  void twist() {
    twist(0, kSize - kShift, kShift);
    twist(kSize - kShift, kSize - 1, kShift - kSize);
    state_[kSize - 1] = mixed(state_[kSize - 1], state_[0], state_[kShift - 1]);
    left_ = kSize;
    next_ = 0;
    temper();
  }

  void temper() {
    for (int i = 0; i < kSize; i += kLanes) {
      Bits32 y = get(state_ + i);
      y ^= y >> 11;
      y ^= (y << 7) & 0x9d2c5680u;
      y ^= (y << 15) & 0xefc60000u;
      y ^= y >> 18;
      y &= 0xffffffu;
      IntLanes whole;
      std::memcpy(&whole, &y, sizeof whole);
      store(numbers_ + i, to_floats(whole) * splat(0x1p-24f));
    }
  }

  char* saved_;
  int left_ = 0, next_ = 0;
  alignas(64) uint32_t state_[kSize + kLanes] = {};
  alignas(64) float numbers_[kSize];
};

// A bit for each step, sample and pixel: 1 if the next random number is below the pixel's rate. rates [rows, columns].
// All numbers of one sample come before those of the next, so that no sample's depend on who shares its batch.
inline void rate_code(char* generator, const float* rates, int64_t steps, int64_t rows, int64_t columns, uint64_t* words) {
  static thread_local Buffer<float> buffer;
  float* noise = buffer.at_least(columns);
  Twister twister(generator);
  const int64_t words_a_row = (columns + 63) / 64;
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t step = 0; step < steps; ++step) {
      twister.draw(noise, columns);
      uint64_t* to = words + (step * rows + row) * words_a_row;
      for (int64_t first = 0; first < columns; first += 64) {
        uint64_t bits = 0;
        const int64_t end = std::min(columns, first + 64);
        for (int64_t n = first; n < end; n += kLanes)
          bits |= above(load(rates + row * columns + n, columns - n), load(noise + n, columns - n)) << (n - first);
        *to++ = bits;
      }
    }
  twister.save();
}

}  // namespace spikeledger::SPIKELEDGER_SET
