// Bit planes: 0/1 floats to words and back, turned, and counted.
#pragma once

#include <atomic>
#include <bit>

#include "kernels.hpp"
#include "simd.hpp"
#include "threads.hpp"

namespace spikeledger::SPIKELEDGER_SET {

constexpr int64_t kRowsATask = 64;
constexpr int64_t kAhead = 1024;  // floats

// Rows in groups, so that a task is worth starting
template <typename Work>
void over_rows(int64_t rows, int threads, const Work& work) {
  parallel((rows + kRowsATask - 1) / kRowsATask, threads, [&](int64_t task) {
    const int64_t end = std::min(rows, (task + 1) * kRowsATask);
    for (int64_t row = task * kRowsATask; row < end; ++row) work(row);
  });
}

// How many ones of some rows; -1, with words undefined, if any value is neither 0 nor 1
inline int64_t pack_rows(const float* dense, int64_t rows, int64_t columns, uint64_t* words) {
  const int64_t width = words_of(columns);
  int64_t ones = 0;
  for (int64_t row = 0; row < rows; ++row) {
    const float* values = dense + row * columns;
    IntLanes odd = {};  // not zero where some value is neither 0 nor 1
    for (int64_t word = 0; word < width; ++word) {
      uint64_t bits = 0;
      const int64_t end = std::min<int64_t>(columns, word * 64 + 64);
      for (int64_t column = word * 64; column < end; column += kLanes) {
        __builtin_prefetch(values + column + kAhead);  // past the page, where the processor's own prefetch ends
        const Lanes value = load(values + column, columns - column);
        const IntLanes zero = value == splat(0.0f), one = value == splat(1.0f);
        odd |= ~(zero | one);
        bits |= above(value, splat(0.5f)) << (column - word * 64);
      }
      words[row * width + word] = bits;
      ones += std::popcount(bits);
    }
    int32_t any = 0;
    for (int lane = 0; lane < kLanes; ++lane) any |= odd[lane];
    if (any != 0) return -1;
  }
  return ones;
}

// Parts of some 256 thousand values each, but one a thread: what threads tell each other is told once a part.
inline int64_t parts_to_pack(int64_t values, int threads) {
  return std::max<int64_t>(std::min<int64_t>(values >> 18, 64), worth(values, threads));
}

// The same of all rows
inline int64_t pack(const float* dense, int64_t rows, int64_t columns, uint64_t* words, int threads) {
  const int64_t parts = parts_to_pack(rows * columns, threads), share = (rows + parts - 1) / parts;
  std::atomic<bool> binary{true};
  std::atomic<int64_t> ones{0};
  parallel(parts, worth(rows * columns, threads), [&](int64_t part) {
    const int64_t first = std::min(rows, part * share);
    if (!binary.load(std::memory_order_relaxed)) return;
    const int64_t found = pack_rows(dense + first * columns, std::min(rows - first, share), columns, words + first * words_of(columns));
    if (found < 0) return binary.store(false, std::memory_order_relaxed);
    ones.fetch_add(found, std::memory_order_relaxed);
  });
  return binary ? ones.load() : -1;
}

inline void unpack(const uint64_t* words, int64_t rows, int64_t columns, float* dense, int threads) {
  const int64_t width = words_of(columns);
  over_rows(rows, worth(rows * columns, threads), [&](int64_t row) {
    for (int64_t column = 0; column < columns; column += kLanes) {
      const auto bits = static_cast<uint32_t>(words[row * width + column / 64] >> (column % 64)) & 0xffffu;
#if defined(__AVX512F__)
      const Lanes value = (Lanes)_mm512_maskz_mov_ps(static_cast<__mmask16>(bits), _mm512_set1_ps(1.0f));
#else
      const IntLanes lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
      const IntLanes bit = ((IntLanes{} + static_cast<int32_t>(bits)) >> lane) & 1;
      const Lanes value = __builtin_convertvector(bit, Lanes);
#endif
      store(dense + row * columns + column, value, columns - column);
    }
  });
}

// Eight 64 x 64 blocks of bits, side by side, turned in six rounds of swaps
typedef uint64_t Words __attribute__((vector_size(64)));
typedef uint64_t LooseWords __attribute__((vector_size(64), aligned(8), may_alias));

inline void turn(Words* block) {
  uint64_t mask = 0x00000000ffffffffull;
  for (int half = 32; half != 0; half >>= 1, mask ^= mask << half)
    for (int first = 0; first < 64; first += 2 * half)
      for (int row = first; row < first + half; ++row) {
        const Words swap = ((block[row] >> half) ^ block[row + half]) & mask;
        block[row] ^= swap << half;
        block[row + half] ^= swap;
      }
}

inline void transpose(const uint64_t* words, int64_t rows, int64_t columns, uint64_t* out, int threads) {
  const int64_t width = words_of(columns), out_width = words_of(rows);
  const int64_t tiles = (out_width + 7) / 8;  // a task writes whole lines: 512 rows of the input
  parallel(tiles * ((width + 7) / 8), worth(rows * width * 8, threads), [&](int64_t task) {
    const int64_t word = task / tiles * 8, wide = std::min<int64_t>(8, width - word);
    const int64_t end = std::min(out_width, (task % tiles + 1) * 8);
    for (int64_t tile = task % tiles * 8; tile < end; ++tile) {
      Words block[64];
      const int64_t count = std::min<int64_t>(64, rows - tile * 64);
      for (int64_t row = 0; row < 64; ++row) {
        const uint64_t* from = words + (tile * 64 + row) * width + word;
        block[row] = Words{};
        if (row < count && wide == 8)
          block[row] = *reinterpret_cast<const LooseWords*>(from);
        else if (row < count)
          std::memcpy(&block[row], from, static_cast<size_t>(wide) * sizeof(uint64_t));
      }
      turn(block);
      const auto* turned = reinterpret_cast<const uint64_t*>(block);
      for (int64_t which = 0; which < wide; ++which) {
        const int64_t here = std::min<int64_t>(64, columns - (word + which) * 64);
        uint64_t* to = out + (word + which) * 64 * out_width + tile;
        for (int64_t column = 0; column < here; ++column) to[column * out_width] = turned[column * 8 + which];
      }
    }
  });
}

inline int64_t population_count(const uint64_t* words, int64_t count) {
  int64_t sum = 0;
  for (int64_t word = 0; word < count; ++word) sum += std::popcount(words[word]);
  return sum;
}

}  // namespace spikeledger::SPIKELEDGER_SET
