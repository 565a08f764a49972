// Products of bits and floats: sums of the rows of a dense matrix that bits select. Two ways, equal but for rounding:
//
// subsets  the sums of all subsets of six rows are put into a table of 64; six bits then are one look-up ("four Russians").
//          Eight tables of 16 columns, 32 KiB, stay in the first cache. The cost does not depend on the density.
// events   the indices of the ones are listed, and each one is one addition: cheap where spikes are rare.
//
// Threads split the output, first by columns and, where these are few, by rows: no atomics, no partial sums, and the same
// result for any number of threads.
#pragma once

#include <array>
#include <bit>
#include <utility>
#include <vector>

#include "kernels.hpp"
#include "simd.hpp"
#include "threads.hpp"

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
template <int half, int... lane>
inline void exchange(Lanes& low, Lanes& high, std::integer_sequence<int, lane...>) {
  const Lanes a = low, b = high;
  low = __builtin_shufflevector(a, b, ((lane & half) == 0 ? lane : 16 + (lane ^ half))...);
  high = __builtin_shufflevector(a, b, ((lane & half) == 0 ? (lane ^ half) : 16 + lane)...);
}

template <int half>
inline void exchange_rows(Lanes* rows) {
  for (int row = 0; row < kLanes; ++row)
    if ((row & half) == 0) exchange<half>(rows[row], rows[row + half], std::make_integer_sequence<int, kLanes>{});
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
}

// The block's finished sums [rows, wide] to their place in the output
inline void put_block(const Product& p, const float* sums, int64_t first, int64_t rows, int64_t from) {
  const int64_t here = std::min(kWide, p.columns - from);
  if (!p.out_transposed) {
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t lane = 0; lane < here; lane += kLanes)
        store(p.out + (first + row) * p.columns + from + lane, load(sums + row * kWide + lane), here - lane);
    return;
  }
  turn_floats(sums, kWide, rows, here, p.out + from * p.rows + first, p.rows);
}

inline Lanes bias_of(const Product& p, int64_t column) {
  return p.bias != nullptr && column < p.columns ? load(p.bias + column, p.columns - column) : splat(0.0f);
}

// ---- subsets ---------------------------------------------------------------------------------------------------------

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

// ---- events ----------------------------------------------------------------------------------------------------------

constexpr int64_t kChunkWords = 4;          // inputs of a chunk in words: 256 rows of 32 columns are 32 KiB
constexpr int64_t kStride = kWide * 4;      // bytes of a panel's row
constexpr int kTogether = 4;                // lists are padded to a multiple, with a row of zeros
constexpr int kOverhang = 32 + kTogether;    // what may be stored past a list's end
constexpr int kMostGroups = kChunkWords * 64 / kTogether;

// The events of one chunk of inputs. Rows are sorted by the length of their list, so that the processor foresees the ends
// of the loops: else each row would cost a mispredicted branch, as much as twenty additions.
struct Chunk {
  int64_t first_word = 0, words = 0;
  std::vector<uint32_t> order;         // rows, short lists first
  int64_t ends[kMostGroups + 1] = {};  // end in `order` of the rows with so many groups of events
  Buffer<uint16_t> offsets;         // of the panel's rows, in bytes
};

#if defined(__AVX512VBMI2__)
// Places of the ones, 32 at a time, without a branch; whole vectors are stored, and the next one overwrites the rest.
inline uint16_t* list_word(uint64_t bits, uint16_t base, uint16_t* at) {
  alignas(64) static constexpr auto kPlaces = [] {
    std::array<uint16_t, 32> places{};
    for (size_t bit = 0; bit < 32; ++bit) places[bit] = static_cast<uint16_t>(bit * kStride);
    return places;
  }();
  const __m512i places = _mm512_load_si512(kPlaces.data());
  for (int half = 0; half < 2; ++half, bits >>= 32) {
    const auto here = static_cast<uint32_t>(bits);
    const __m512i shifted = _mm512_add_epi16(places, _mm512_set1_epi16(static_cast<int16_t>(base + half * 32 * kStride)));
    _mm512_storeu_si512(at, _mm512_maskz_compress_epi16(here, shifted));
    at += std::popcount(here);
  }
  return at;
}
#else
// Places of the ones of each byte, from a table; eight are stored whatever there are, and the next byte overwrites the rest.
struct BytePlaces {
  uint16_t places[256][8];
};
constexpr BytePlaces kBytePlaces = [] {
  BytePlaces table{};
  for (int byte = 0; byte < 256; ++byte)
    for (int bit = 0, next = 0; bit < 8; ++bit)
      if ((byte >> bit & 1) != 0) table.places[byte][next++] = static_cast<uint16_t>(bit * kStride);
  return table;
}();

inline uint16_t* list_word(uint64_t bits, uint16_t base, uint16_t* at) {
  typedef uint16_t Eight __attribute__((vector_size(16)));
  for (int byte = 0; byte < 8; ++byte, bits >>= 8, base = static_cast<uint16_t>(base + 8 * kStride)) {
    Eight places;
    std::memcpy(&places, kBytePlaces.places[bits & 255], sizeof places);
    places += base;
    std::memcpy(at, &places, sizeof places);
    at += std::popcount(bits & 255);
  }
  return at;
}
#endif

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
      at = list_word(p.words[row * width + chunk.first_word + word], static_cast<uint16_t>(word * 64 * kStride), at);
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

// ---- both ------------------------------------------------------------------------------------------------------------

// The bits of a product, ready for the kernel of its method. A thread keeps its buffers for the next product.
struct Selection {
  int64_t passes = 0, chunks = 0;
  Buffer<uint64_t> stream;
  std::vector<Chunk> lists;

  void prepare(const Product& p) {
    if (p.method == kSubsets) {
      passes = (p.inner + kPass - 1) / kPass;
      make_stream(p, passes, stream.at_least(passes * p.rows));
      return;
    }
    const int64_t width = words_of(p.inner);
    chunks = (width + kChunkWords - 1) / kChunkWords;
    if (static_cast<int64_t>(lists.size()) < p.parts * chunks) lists.resize(static_cast<size_t>(p.parts * chunks));
    parallel(p.parts * chunks, p.threads, [&](int64_t task) {
      Chunk& chunk = lists[static_cast<size_t>(task)];
      const int64_t index = task % chunks;
      chunk.first_word = index * width / chunks;
      chunk.words = (index + 1) * width / chunks - chunk.first_word;
      list_events(p, part_of(p, task / chunks), chunk);
    });
  }
};

inline void fill(float* sums, int64_t rows, Lanes low, Lanes high) {
  for (int64_t row = 0; row < rows; ++row) store(sums + row * kWide, low), store(sums + row * kWide + kLanes, high);
}

// The product's columns [from, from + 32) of a part of its rows; the sums' rows lie 32 floats apart, the first at `sums`.
inline void sum_block(const Product& p, Selection& bits, int64_t from, int64_t index_of_part, float* sums) {
  static thread_local Buffer<float> panel_buffer, table_buffer;
  const Part part = part_of(p, index_of_part);
  const Lanes start[2] = {bias_of(p, from), bias_of(p, from + kLanes)};
  if (p.inner == 0)
    return over_stretches(p, part, [&](int64_t first, int64_t rows) {
      for (int64_t row = first; row < first + rows; ++row)
        store(sums + row * kWide, start[0]), store(sums + row * kWide + kLanes, start[1]);
    });
  if (p.method == kSubsets) {
    float* tables = table_buffer.at_least(kGroups * kSums * kLanes);
    float* panel = panel_buffer.at_least(kPass * kWide);
    const uint64_t* stream = bits.stream.at_least(0);
    for (int64_t pass = 0; pass < bits.passes; ++pass) {
      const int64_t begin = pass * kPass, inputs = std::min<int64_t>(kPass, p.inner - begin);
      gather_panel(p, begin, inputs, from, kWide, panel);
      std::memset(panel + inputs * kWide, 0, static_cast<size_t>((kPass - inputs) * kWide) * sizeof(float));
      const auto add = pass == 0 ? add_subsets<true> : add_subsets<false>;
      for (int64_t lane = 0; lane < kWide && from + lane < p.columns; lane += kLanes) {
        make_tables(panel + lane, kWide, tables);
        over_stretches(p, part, [&](int64_t first, int64_t rows) {
          add(stream + pass * p.rows + first, rows, tables, start[lane / kLanes], sums + first * kWide + lane);
        });
      }
    }
    return;
  }
  float* panel = panel_buffer.at_least((kChunkWords * 64 + 1) * kWide);
  for (int64_t index = 0; index < bits.chunks; ++index) {
    const Chunk& chunk = bits.lists[static_cast<size_t>(index_of_part * bits.chunks + index)];
    const int64_t begin = chunk.first_word * 64, inputs = std::min(chunk.words * 64, p.inner - begin);
    gather_panel(p, begin, inputs, from, kWide, panel);
    std::memset(panel + chunk.words * 64 * kWide, 0, kWide * sizeof(float));
    const auto add = index == 0 ? add_events<true> : add_events<false>;
    add(chunk, panel, start[0], start[1], sums);
  }
}

inline void multiply(Product p) {
  if (p.rows == 0 || p.columns == 0) return;
  static thread_local Selection held;
  Selection& bits = held;
  const int64_t blocks = (p.columns + kWide - 1) / kWide;
  p.threads = worth(p.rows * p.inner / 4 * p.columns, p.threads);
  p.parts = parts_for(blocks, p.rows, p.rows, p.threads);
  bits.prepare(p);
  parallel(blocks * p.parts, p.threads, [&](int64_t task) {
    const int64_t from = task / p.parts * kWide;
    const Part part = part_of(p, task % p.parts);
    static thread_local Buffer<float> sum_buffer;
    float* sums = sum_buffer.at_least(p.rows * kWide);
    sum_block(p, bits, from, task % p.parts, sums);
    put_block(p, sums + part.first * kWide, part.first, part.count, from);
  });
}

}  // namespace spikeledger::SPIKELEDGER_SET
