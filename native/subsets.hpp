// Sums of rows that bits select, by tables of the sums of all subsets of six rows ("four Russians").
#pragma once

#include "panels.hpp"
#include "threads.hpp"

namespace spikeledger::SPIKELEDGER_SET {

constexpr int kGroup = 6, kGroups = 8, kPass = kGroup * kGroups, kSums = 1 << kGroup;
constexpr int64_t kLineBytes = kLanes * 4;
static_assert(kLineBytes == 1 << kGroup && kPass + kGroup <= 64);

// The words again, 48 bits a pass, pass by pass: what the inner loop reads lies in one line.
inline void make_stream(const Product& p, int64_t passes, uint64_t* stream) {
  const int64_t width = words_of(p.inner);
  parallel((p.rows + 255) / 256, p.threads, [&](int64_t task) {
    const int64_t end = std::min(p.rows, task * 256 + 256);
    for (int64_t row = task * 256; row < end; ++row) {
      const uint64_t* words = p.words + row * width;
      for (int64_t pass = 0; pass < passes; ++pass) {
        const int64_t bit = pass * kPass, word = bit / 64, shift = bit % 64;
        uint64_t bits = words[word] >> shift;
        if (shift > 64 - kPass && word + 1 < width) bits |= words[word + 1] << (64 - shift);
        stream[pass * p.rows + row] = bits << kGroup;  // so that six bits, masked, are a row's place in bytes
      }
    }
  });
}

// Of 16 columns from `panel` on, whose rows lie `stride` floats apart
inline void make_tables(const float* panel, int64_t stride, float* tables) {
  for (int group = 0; group < kGroups; ++group) {
    float* table = tables + group * kSums * kLanes;
    store(table, splat(0.0f));
    for (int bit = 0; bit < kGroup; ++bit) {
      const Lanes row = load(panel + (group * kGroup + bit) * stride);
      for (int subset = 0; subset < 1 << bit; ++subset)
        store(table + ((1 << bit) + subset) * kLanes, load(table + subset * kLanes) + row);
    }
  }
}

// Adds, for `rows` rows, the look-ups of one pass to 16 columns of the sums, or begins the sums at `start`.
template <bool begins>
void add_subsets(const uint64_t* stream, int64_t rows, const float* tables, Lanes start, float* sums) {
  const auto* bytes = reinterpret_cast<const char*>(tables);
  for (int64_t row = 0; row < rows; ++row) {
    const uint64_t word = stream[row];
    const auto sum = [&](int group) {
      const auto place = static_cast<int64_t>(word >> (group * kGroup) & ((kSums - 1) << kGroup));
      return load(reinterpret_cast<const float*>(bytes + group * kSums * kLineBytes + place));
    };
    const Lanes low = (sum(0) + sum(1)) + (sum(2) + sum(3)), high = (sum(4) + sum(5)) + (sum(6) + sum(7));
    store(sums + row * kWide, (begins ? start : load(sums + row * kWide)) + (low + high));
  }
}

}  // namespace spikeledger::SPIKELEDGER_SET
