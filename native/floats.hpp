// Products of floats on processors that multiply tiles of bfloat16 (AMX). A float's 24 bits are exactly three pieces of 8,
// each a bfloat16; of the nine products of pieces the three least are below a float's last bit and left out. The sums are
// float32's. An infinite value becomes no number.
#pragma once

#include "panels.hpp"
#include "threads.hpp"
#include "tiles.hpp"

namespace spikeledger::SPIKELEDGER_SET {

#if defined(__AMX_BF16__)
constexpr int64_t kPieces = 3, kInputs = 32;         // of a float; of a tile
constexpr int64_t kBlock = kPieces * 2 * kTile;      // bytes of 32 inputs of 32 rows or columns: [piece][2][16][64]
constexpr int64_t kRowsHeld = 128;                   // rows whose pieces are in the second cache, for all columns
constexpr int64_t kColumnsHeld = 16 << 20;           // most bytes of the columns' pieces, which all threads share

inline Lanes leading(Lanes value) { return (Lanes)((Whole)value & 0xffff0000); }

// Two vectors' leading halves as one, either side by side or, for tiles on the right, each lane's two behind each other
inline void put_pieces(Lanes first, Lanes second, bool right, char* to) {
  for (int64_t piece = 0; piece < kPieces; ++piece, to += 2 * kTile) {
    const Lanes a = leading(first), b = leading(second);
    first -= a, second -= b;
    const Whole pairs = (Whole)a >> 16 | (Whole)b;
    if (right) {
      std::memcpy(to, &pairs, sizeof pairs);
      continue;
    }
    const __m256i low = _mm512_cvtepi32_epi16((__m512i)((Whole)a >> 16)), high = _mm512_cvtepi32_epi16((__m512i)((Whole)b >> 16));
    std::memcpy(to, &low, sizeof low), std::memcpy(to + sizeof low, &high, sizeof high);
  }
}

// Rows [first, first + 32) of a [rows, inner], as [inputs / 32][piece][2][16 rows][32 inputs]
inline void pieces_of_rows(const float* a, int64_t rows, int64_t inner, int64_t first, char* to) {
  for (int64_t input = 0; input < inner; input += kInputs, to += kBlock)
    for (int64_t row = 0; row < kWide; ++row) {
      const float* from = a + (first + row) * inner + input;
      const int64_t here = first + row < rows ? inner - input : 0;
      put_pieces(load(from, std::max<int64_t>(0, here)), load(from + kLanes, std::max<int64_t>(0, here - kLanes)), false,
                 to + row / 16 * kTile + row % 16 * 64);
    }
}

// Columns [first, first + 32) of b [inner, columns], as [inputs / 32][piece][2][16 pairs of inputs][16 columns][2]
inline void pieces_of_columns(const float* b, int64_t inner, int64_t columns, int64_t first, char* to) {
  for (int64_t input = 0; input < inner; input += kInputs, to += kBlock)
    for (int64_t pair = 0; pair < kInputs / 2; ++pair)
      for (int64_t half = 0; half < 2; ++half) {
        const int64_t column = first + half * kLanes, row = input + 2 * pair;
        const auto values = [&](int64_t at) {
          return at < inner && column < columns ? load(b + at * columns + column, columns - column) : splat(0.0f);
        };
        put_pieces(values(row), values(row + 1), true, to + half * kTile + pair * 64);
      }
}

// Sums [2][2][16][16] of 32 rows times 32 columns, from their pieces
inline void sum_pieces(const char* a, const char* b, int64_t blocks, float* sums) {
  asm volatile("" ::: "memory");  // the intrinsics do not say that they read memory
  _tile_zero(0); _tile_zero(1); _tile_zero(2); _tile_zero(3);
  for (int64_t block = 0; block < blocks; ++block, a += kBlock, b += kBlock) {
#define SPIKELEDGER_LEFT(piece) \
  _tile_loadd(4, a + (piece)*2 * kTile, 64);         \
  _tile_loadd(5, a + ((piece)*2 + 1) * kTile, 64)
#define SPIKELEDGER_RIGHT(piece)                                                        \
  _tile_loadd(6, b + (piece)*2 * kTile, 64);                                            \
  _tile_loadd(7, b + ((piece)*2 + 1) * kTile, 64);                                      \
  _tile_dpbf16ps(0, 4, 6); \
  _tile_dpbf16ps(1, 4, 7); \
  _tile_dpbf16ps(2, 5, 6); \
  _tile_dpbf16ps(3, 5, 7)
    SPIKELEDGER_LEFT(0);
    SPIKELEDGER_RIGHT(2);
    SPIKELEDGER_RIGHT(1);
    SPIKELEDGER_RIGHT(0);
    SPIKELEDGER_LEFT(1);
    SPIKELEDGER_RIGHT(1);
    SPIKELEDGER_RIGHT(0);
    SPIKELEDGER_LEFT(2);
    SPIKELEDGER_RIGHT(0);
#undef SPIKELEDGER_LEFT
#undef SPIKELEDGER_RIGHT
  }
  _tile_stored(0, sums, 64); _tile_stored(1, sums + 256, 64); _tile_stored(2, sums + 512, 64); _tile_stored(3, sums + 768, 64);
}

// out [rows, columns] = a [rows, inner] b [inner, columns]
inline void multiply_floats(const float* a, const float* b, float* out, int64_t rows, int64_t inner, int64_t columns, int threads) {
  const int64_t blocks = (inner + kInputs - 1) / kInputs, wide = (columns + kWide - 1) / kWide;
  const int64_t held = std::max<int64_t>(1, std::min(wide, kColumnsHeld / std::max<int64_t>(1, blocks * kBlock)));
  threads = worth(rows * inner / 4 * columns, threads);
  static thread_local Buffer<char> right_buffer;
  char* right = right_buffer.at_least(held * blocks * kBlock);
  for (int64_t begin = 0; begin < wide; begin += held) {
    const int64_t count = std::min(held, wide - begin);
    parallel(count, threads, [&](int64_t block) {
      pieces_of_columns(b, inner, columns, (begin + block) * kWide, right + block * blocks * kBlock);
    });
    parallel((rows + kRowsHeld - 1) / kRowsHeld, threads, [&](int64_t task) {
      static thread_local Buffer<char> left_buffer;
      char* left = left_buffer.at_least(kRowsHeld / kWide * blocks * kBlock);
      const int64_t top = task * kRowsHeld, end = std::min(rows, top + kRowsHeld);
      for (int64_t first = top; first < end; first += kWide)
        pieces_of_rows(a, rows, inner, first, left + (first - top) / kWide * blocks * kBlock);
      alignas(64) float sums[4 * 256];
      const Shape shape;
      for (int64_t block = 0; block < count; ++block)
        for (int64_t first = top; first < end; first += kWide) {
          sum_pieces(left + (first - top) / kWide * blocks * kBlock, right + block * blocks * kBlock, blocks, sums);
          for (int64_t row = first; row < std::min(end, first + kWide); ++row)
            for (int64_t half = 0; half < 2; ++half) {
              const int64_t column = (begin + block) * kWide + half * kLanes, which = row - first;
              if (column < columns)
                store(out + row * columns + column, load(sums + (which / 16 * 2 + half) * 256 + which % 16 * kLanes), columns - column);
            }
        }
    });
  }
}
#else
constexpr void (*multiply_floats)(const float*, const float*, float*, int64_t, int64_t, int64_t, int) = nullptr;
#endif

}  // namespace spikeledger::SPIKELEDGER_SET
