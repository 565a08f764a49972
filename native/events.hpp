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

// The events of one chunk of inputs. Rows are sorted by the length of their list, so that the processor foresees the ends
// of the loops: else each row would cost a mispredicted branch, as much as twenty additions.
struct Chunk {
  int64_t first_word = 0, words = 0;
  std::vector<uint32_t> order;  // rows, short lists first
  std::vector<int64_t> ends;    // end in `order` of the rows with so many groups of events
  Buffer<uint16_t> offsets;     // of the panel's rows, in bytes
};

// Calls work(word of the row's inputs, bits) for some of a row's words, of all levels
template <typename Work>
void over_words(const Product& p, int64_t row, int64_t first, int64_t count, const Work& work) {
  const int64_t width = words_of(p.inner);
  if (p.levels == 1 || p.levels_apart) {
    for (int64_t level = 0; level < p.levels; ++level) {
      const uint64_t* words = p.words + (level * p.rows + row) * width + first;
      for (int64_t word = 0; word < count; ++word) work(word, words[word]);
    }
    return;
  }
  const int64_t size = words_of(p.levels * p.inner);
  for (int64_t level = 0; level < p.levels; ++level)
    for (int64_t word = 0; word < count; ++word) {
      const int64_t bit = level * p.inner + (first + word) * 64, inputs = p.inner - (first + word) * 64;
      const uint64_t* at = p.words + row * size + bit / 64;
      const uint64_t more = bit / 64 + 1 < size ? at[1] << 1 << (63 - bit % 64) : 0;
      work(word, (at[0] >> (bit % 64) | more) & (inputs >= 64 ? ~0ull : (1ull << inputs) - 1));
    }
}

inline void list_events(const Product& p, const Part& part, Chunk& chunk) {
  const int64_t most = p.levels * chunk.words * 64 / kTogether;  // groups of a row
  static thread_local Buffer<uint16_t> length_buffer;
  static thread_local Buffer<int64_t> place_buffer;
  uint16_t* groups = length_buffer.at_least(p.rows);
  int64_t* histogram = place_buffer.at_least(3 * (most + 1));
  std::fill_n(histogram, most + 1, int64_t{0});
  const auto over_rows_of_part = [&](const auto& work) {
    over_stretches(p, part, [&](int64_t first, int64_t count) {
      for (int64_t row = first; row < first + count; ++row) work(row);
    });
  };
  over_rows_of_part([&](int64_t row) {
    int count = 0;
    over_words(p, row, chunk.first_word, chunk.words, [&](int64_t, uint64_t bits) { count += std::popcount(bits); });
    groups[row] = static_cast<uint16_t>((count + kTogether - 1) / kTogether);
    ++histogram[groups[row]];
  });
  // where the rows, and the lists, of each length begin
  int64_t *row_at = histogram + most + 1, *list_at = row_at + most + 1;
  int64_t rows = histogram[0], events = 0;
  row_at[0] = 0;
  chunk.ends.resize(static_cast<size_t>(most + 1));
  chunk.ends[0] = rows;
  // lists are written row by row, each with an overhang that the next of its length writes over; a gap takes the last's
  for (int64_t length = 1; length <= most; ++length) {
    row_at[length] = rows;
    list_at[length] = events;
    rows += histogram[length];
    events += histogram[length] * length * kTogether + kOverhang;
    chunk.ends[static_cast<size_t>(length)] = rows;
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
    over_words(p, row, chunk.first_word, chunk.words, [&](int64_t word, uint64_t bits) {
      at = places_of_ones<kStride>(bits, static_cast<uint16_t>(word * 64 * kStride), at);
    });
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
  const auto most = static_cast<int64_t>(chunk.ends.size());
  for (int64_t length = 1; length < most; ++length, list += kOverhang)
    for (; place < chunk.ends[static_cast<size_t>(length)]; ++place) {
      float* sum = sums + chunk.order[static_cast<size_t>(place)] * kWide;
      Lanes a = begins ? low : load(sum), b = begins ? high : load(sum + kLanes), c = splat(0.0f), d = splat(0.0f);
      for (int64_t group = 0; group < length; ++group, list += kTogether) {
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
