// Parts of a product's rows, and blocks of 32 columns of its floats, gathered and put back.
#pragma once

#include <utility>

#include "kernels.hpp"
#include "simd.hpp"

namespace spikeledger::SPIKELEDGER_SET {

constexpr int64_t kWide = 2 * kLanes;  // columns of a block

// A part of a product's rows: of each of its repeats (the steps of a layer over time) the same stretch.
struct Part {
  int64_t first, count;  // within a repeat
};

inline Part part_of(const Product& p, int64_t index) {
  const int64_t each = p.rows / p.repeats, first = index * each / p.parts;
  return {first, (index + 1) * each / p.parts - first};
}

// Calls work(first row, rows) for each stretch of adjacent rows of a part.
template <typename Work>
void over_stretches(const Product& p, const Part& part, const Work& work) {
  for (int64_t repeat = 0; repeat < p.repeats; ++repeat) work(repeat * (p.rows / p.repeats) + part.first, part.count);
}

// Parts that rows are split into, where blocks of columns alone would leave threads without work
inline int64_t parts_for(int64_t blocks, int64_t splittable, int64_t rows, int threads) {
  if (threads <= 1 || blocks % threads == 0 || blocks >= 4 * threads) return 1;
  return std::max<int64_t>(1, std::min({static_cast<int64_t>(threads), splittable, rows / 128}));
}

// A matrix of floats is turned in blocks of 16 x 16: in four rounds, rows whose numbers differ in one bit exchange halves.
template <int half>
inline void exchange_rows(Lanes* rows) {
  for (int row = 0; row < kLanes; ++row)
    if ((row & half) == 0) exchange<half>(rows[row], rows[row + half]);
}

inline void turn_floats(const float* from, int64_t stride, int64_t rows, int64_t columns, float* to, int64_t to_stride) {
  for (int64_t row = 0; row < rows; row += kLanes)
    for (int64_t column = 0; column < columns; column += kLanes) {
      const int64_t tall = std::min<int64_t>(kLanes, rows - row), wide = std::min<int64_t>(kLanes, columns - column);
      Lanes block[kLanes];
      for (int line = 0; line < kLanes; ++line)
        block[line] = line < tall ? load(from + (row + line) * stride + column, wide) : splat(0.0f);
      exchange_rows<8>(block), exchange_rows<4>(block), exchange_rows<2>(block), exchange_rows<1>(block);
      for (int64_t line = 0; line < wide; ++line) store(to + (column + line) * to_stride + row, block[line], tall);
    }
}

// Whole vectors
inline void multiply_by(float* numbers, int64_t count, float factor) {
  for (int64_t n = 0; n < count; n += kLanes) store(numbers + n, load(numbers + n) * splat(factor));
}

// Rows [first, first + count) of the dense matrix and `wide` of its columns from `from` on; columns past the last are zero.
inline void gather_panel(const Product& p, int64_t first, int64_t count, int64_t from, int64_t wide, float* panel) {
  const int64_t here = std::min(wide, p.columns - from);
  if (p.dense_blocked) {
    std::memcpy(panel, p.dense + (from / kWide * p.inner + first) * kWide, static_cast<size_t>(count * kWide) * sizeof(float));
    return;
  }
  if (!p.dense_transposed) {
    for (int64_t row = 0; row < count; ++row)
      for (int64_t lane = 0; lane < wide; lane += kLanes)
        store(panel + row * wide + lane, lane < here ? load(p.dense + (first + row) * p.columns + from + lane, here - lane)
                                                     : splat(0.0f));
    return;
  }
  if (here < wide) std::memset(panel, 0, static_cast<size_t>(count * wide) * sizeof(float));
  turn_floats(p.dense + from * p.inner + first, p.inner, here, count, panel, wide);
  if (p.worth != 1.0f) multiply_by(panel, count * wide, p.worth);
}

// The block's finished sums [rows, wide] to their place in the output
inline void put_block(const Product& p, float* sums, int64_t first, int64_t rows, int64_t from) {
  const int64_t here = std::min(kWide, p.columns - from);
  if (!p.out_transposed) {
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t lane = 0; lane < here; lane += kLanes)
        store(p.out + (first + row) * p.columns + from + lane, load(sums + row * kWide + lane), here - lane);
    return;
  }
  if (p.worth != 1.0f) multiply_by(sums, rows * kWide, p.worth);
  turn_floats(sums, kWide, rows, here, p.out + from * p.rows + first, p.rows);
}

inline Lanes bias_of(const Product& p, int64_t column) {
  return p.bias != nullptr && column < p.columns ? load(p.bias + column, p.columns - column) : splat(0.0f);
}

}  // namespace spikeledger::SPIKELEDGER_SET
