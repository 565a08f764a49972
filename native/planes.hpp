// Bit planes: 0/1 floats to words and back, turned, and counted.
#pragma once

#include <atomic>
#include <bit>
#include <utility>

#include "counts.hpp"
#include "kernels.hpp"
#include "simd.hpp"
#include "threads.hpp"

namespace spikeledger::SPIKELEDGER_SET {

constexpr int64_t kAhead = 1024;  // floats

// Rows in groups, so that a task is worth starting
template <typename Work>
void over_rows(int64_t rows, int threads, const Work& work) {
  parallel((rows + kTileRows - 1) / kTileRows, threads, [&](int64_t task) {
    const int64_t end = std::min(rows, (task + 1) * kTileRows);
    for (int64_t row = task * kTileRows; row < end; ++row) work(row);
  });
}

// How many ones of some rows; -1, with words undefined, if any value is neither 0 nor 1
inline int64_t pack_rows(const float* dense, int64_t rows, int64_t columns, uint64_t* words) {
  const int64_t width = words_of(columns);
  int64_t found = 0;
  for (int64_t row = 0; row < rows; ++row) {
    const float* values = dense + row * columns;
    IntLanes odd = {};  // not zero where some value is neither 0 nor 1
    for (int64_t word = 0; word < width; ++word) {
      uint64_t bits = 0;
      const int64_t end = std::min<int64_t>(columns, word * 64 + 64);
      for (int64_t column = word * 64; column < end; column += kLanes) {
        __builtin_prefetch(values + column + kAhead);  // past the page, where the processor's own prefetch ends
        const Lanes value = load(values + column, columns - column);
        bits |= ones(value, odd) << (column - word * 64);
      }
      words[row * width + word] = bits;
      found += std::popcount(bits);
    }
    if (bits_of(odd) != 0) return -1;
  }
  return found;
}

// 16 columns of a row of words as zeros and ones
inline Lanes ones_of(const uint64_t* row, int64_t column) {
  return ones_at(static_cast<uint32_t>(row[column / 64] >> (column % 64)));
}

inline void unpack(const uint64_t* words, int64_t rows, int64_t columns, float* dense, int threads) {
  const int64_t width = words_of(columns);
  over_rows(rows, worth(rows * columns, threads), [&](int64_t row) {
    for (int64_t column = 0; column < columns; column += kLanes)
      store(dense + row * columns + column, ones_of(words + row * width, column), columns - column);
  });
}

inline void rates(const uint64_t* words, int64_t steps, int64_t rows, int64_t columns, float* out) {
  const int64_t width = words_of(columns);
  const Lanes all = splat(static_cast<float>(steps));
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t column = 0; column < columns; column += kLanes) {
      Lanes sum = {};
      for (int64_t step = 0; step < steps; ++step) sum += ones_of(words + (step * rows + row) * width, column);
      store(out + row * columns + column, sum / all, columns - column);
    }
}

// Eight 64 x 64 blocks of bits, side by side, turned in six rounds of swaps
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

// Eight times eight words exchange places over their diagonal: rows whose numbers differ in one bit exchange halves
template <int half, int... lane>
inline void exchange_words(Words* rows, std::integer_sequence<int, lane...>) {
  for (int row = 0; row < 8; ++row)
    if ((row & half) == 0) {
      const Words a = rows[row], b = rows[row + half];
      rows[row] = __builtin_shufflevector(a, b, ((lane & half) == 0 ? lane : 8 + (lane ^ half))...);
      rows[row + half] = __builtin_shufflevector(a, b, ((lane & half) == 0 ? (lane ^ half) : 8 + lane)...);
    }
}

// Up to eight tiles, of 64 rows each, and eight words of each row, turned. So that lines are written whole, and not a word
// at a time, tiles wait for each other in the first cache.
inline void turn_tiles(const uint64_t* words, int64_t rows, int64_t columns, int64_t tile, int64_t tiles, int64_t word, uint64_t* out) {
  constexpr auto kEight = std::make_integer_sequence<int, 8>{};
  const int64_t width = words_of(columns), out_width = words_of(rows), wide = std::min<int64_t>(8, width - word);
  const uint64_t* end = words + std::min(rows, (tile + tiles) * kTileRows) * width;  // the next tile may be being written
  Words blocks[8][kTileRows];
  for (int64_t which = 0; which < tiles; ++which) {
    const int64_t first = (tile + which) * kTileRows, count = std::min(kTileRows, rows - first);
    for (int64_t row = 0; row < kTileRows; ++row)
      blocks[which][row] = row < count ? eight(words + (first + row) * width + word, wide, end) : Words{};
    turn(blocks[which]);
  }
  for (int64_t column = 0; column < kTileRows; ++column) {
    Words lines[8];
    for (int64_t which = 0; which < 8; ++which) lines[which] = which < tiles ? blocks[which][column] : Words{};
    exchange_words<4>(lines, kEight), exchange_words<2>(lines, kEight), exchange_words<1>(lines, kEight);
    for (int64_t which = 0; which < wide && (word + which) * 64 + column < columns; ++which) {
      uint64_t* to = out + ((word + which) * 64 + column) * out_width + tile;
      if (tiles == 8)
        *reinterpret_cast<LooseWords*>(to) = lines[which];
      else
        std::memcpy(to, &lines[which], static_cast<size_t>(tiles) * sizeof(uint64_t));
    }
  }
}

inline void transpose(const uint64_t* words, int64_t rows, int64_t columns, uint64_t* out, int threads) {
  const int64_t width = words_of(columns), tiles = words_of(rows), groups = (tiles + 7) / 8;
  parallel(groups * ((width + 7) / 8), worth(rows * width * 8, threads), [&](int64_t task) {
    const int64_t tile = task % groups * 8;
    turn_tiles(words, rows, columns, tile, std::min<int64_t>(8, tiles - tile), task / groups * 8, out);
  });
}

// All rows to words, and what else is asked for while their words are in the cache: how many ones; -1, with
// everything undefined, if any value is neither 0 nor 1.
inline int64_t pack(const Packing& p) {
  const int64_t width = words_of(p.columns);
  const int parts = worth(p.rows * p.columns, p.threads);
  std::atomic<bool> binary{true};
  std::atomic<int64_t> ones{0};
  count_in_parts(p.rows, p.counts == nullptr ? 0 : p.columns, parts, p.counts, [&](int64_t first, int64_t rows, int64_t* counts) {
    int64_t mine = 0;
    for (int64_t row = first; row < first + rows; row += 8 * kTileRows) {
      if (!binary.load(std::memory_order_relaxed)) return;
      const int64_t here = std::min(8 * kTileRows, first + rows - row);
      const int64_t found = pack_rows(p.dense + row * p.columns, here, p.columns, p.words + row * width);
      if (found < 0) return binary.store(false, std::memory_order_relaxed);
      mine += found;
      if (p.turned == nullptr) continue;
      for (int64_t word = 0; word < width; word += 8)
        turn_tiles(p.words, p.rows, p.columns, row / kTileRows, words_of(here), word, p.turned);
    }
    ones.fetch_add(mine, std::memory_order_relaxed);
    if (p.counts != nullptr) count_columns(p.words + first * width, rows, p.columns, counts);
  });
  return binary ? ones.load() : -1;
}

inline int64_t population_count(const uint64_t* words, int64_t count) {
  int64_t sum = 0;
  for (int64_t word = 0; word < count; ++word) sum += std::popcount(words[word]);
  return sum;
}

}  // namespace spikeledger::SPIKELEDGER_SET
