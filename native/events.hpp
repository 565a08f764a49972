// Sums of rows that bits select, by lists of the ones.
#pragma once

#include <array>
#include <bit>
#include <vector>

#include "panels.hpp"

namespace spikeledger::SPIKELEDGER_SET {

constexpr int64_t kChunkWords = 4;          // inputs of a chunk in words: 256 rows of 32 columns are 32 KiB
constexpr int64_t kStride = kWide * 4;      // bytes of a panel's row
constexpr int kTogether = 4;                // lists are padded to a multiple, with a row of zeros
constexpr int kOverhang = kPlacesAtOnce + kTogether;    // what may be stored past a list's end
constexpr int kMostGroups = kChunkWords * 64 / kTogether;

// The events of one chunk of inputs. Rows are sorted by the length of their list, so that the processor foresees the ends
// of the loops: else each row would cost a mispredicted branch, as much as twenty additions.
struct Chunk {
  int64_t first_word = 0, words = 0;
  std::vector<uint32_t> order;         // rows, short lists first
  int64_t ends[kMostGroups + 1] = {};  // end in `order` of the rows with so many groups of events
  Buffer<uint16_t> offsets;         // of the panel's rows, in bytes
};

inline void list_events(const Product& p, const Part& part, Chunk& chunk) {
  const int64_t width = words_of(p.inner);
  static thread_local Buffer<uint8_t> length_buffer;
  uint8_t* groups = length_buffer.at_least(p.rows);
  int64_t histogram[kMostGroups + 1] = {};
  const auto over_rows_of_part = [&](const auto& work) {
    over_stretches(p, part, [&](int64_t first, int64_t count) {
      for (int64_t row = first; row < first + count; ++row) work(row);
    });
  };
  over_rows_of_part([&](int64_t row) {
    int count = 0;
    for (int64_t word = 0; word < chunk.words; ++word) count += std::popcount(p.words[row * width + chunk.first_word + word]);
    groups[row] = static_cast<uint8_t>((count + kTogether - 1) / kTogether);
    ++histogram[groups[row]];
  });
  // where the rows, and the lists, of each length begin
  int64_t row_at[kMostGroups + 1], list_at[kMostGroups + 1];
  int64_t rows = histogram[0], events = 0;
  row_at[0] = 0;
  chunk.ends[0] = rows;
  // lists are written row by row, each with an overhang that the next of its length writes over; a gap takes the last's
  for (int length = 1; length <= kMostGroups; ++length) {
    row_at[length] = rows;
    list_at[length] = events;
    rows += histogram[length];
    events += histogram[length] * length * kTogether + kOverhang;
    chunk.ends[length] = rows;
  }
  chunk.order.resize(static_cast<size_t>(rows));
  uint16_t* offsets = chunk.offsets.at_least(events);
  const auto none = static_cast<uint16_t>(chunk.words * 64 * kStride);
  over_rows_of_part([&](int64_t row) {
    const int length = groups[row];
    chunk.order[static_cast<size_t>(row_at[length]++)] = static_cast<uint32_t>(row);
    if (length == 0) return;
    uint16_t* list = offsets + list_at[length];
    list_at[length] += length * kTogether;
    uint16_t* at = list;
    for (int64_t word = 0; word < chunk.words; ++word)
      at = places_of_ones<kStride>(p.words[row * width + chunk.first_word + word], static_cast<uint16_t>(word * 64 * kStride), at);
    const uint64_t nones = none * 0x0001000100010001ull;
    std::memcpy(at, &nones, sizeof nones);
  });
}

// Adds the events of a chunk to 32 columns of the sums, or begins the sums at `low` and `high`.
template <bool begins>
void add_events(const Chunk& chunk, const float* panel, Lanes low, Lanes high, float* sums) {
  const auto* bytes = reinterpret_cast<const char*>(panel);
  const uint16_t* list = const_cast<Chunk&>(chunk).offsets.at_least(0);
  int64_t place = begins ? 0 : chunk.ends[0];
  for (; place < chunk.ends[0]; ++place) {
    float* sum = sums + chunk.order[static_cast<size_t>(place)] * kWide;
    store(sum, low), store(sum + kLanes, high);
  }
  for (int length = 1; length <= kMostGroups; ++length, list += kOverhang)
    for (; place < chunk.ends[length]; ++place) {
      float* sum = sums + chunk.order[static_cast<size_t>(place)] * kWide;
      Lanes a = begins ? low : load(sum), b = begins ? high : load(sum + kLanes), c = splat(0.0f), d = splat(0.0f);
      for (int group = 0; group < length; ++group, list += kTogether) {
        uint64_t four;
        std::memcpy(&four, list, sizeof four);
        const auto row = [&](int which) { return reinterpret_cast<const float*>(bytes + (four >> (16 * which) & 0xffff)); };
        a += load(row(0)), b += load(row(0) + kLanes);
        c += load(row(1)), d += load(row(1) + kLanes);
        a += load(row(2)), b += load(row(2) + kLanes);
        c += load(row(3)), d += load(row(3) + kLanes);
      }
      store(sum, a + c), store(sum + kLanes, b + d);
    }
}

}  // namespace spikeledger::SPIKELEDGER_SET
