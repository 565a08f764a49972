// Sums of rows that bits select, as products of small whole numbers, which some processors have units for (AMX). Each column's
// floats become whole numbers of 24 bits: a power of two is the unit, the column's largest still fits. Three bytes, the
// digits, make such a number; a unit multiplies 16 rows of bytes, here 0 or 1, by 16 columns of one digit, 64 inputs at a
// time, and the sums are exact. The cost does not depend on the density. Other processors compute the same, slowly.
#pragma once

#include <cmath>
#include <vector>

#include "panels.hpp"

namespace spikeledger::SPIKELEDGER_SET {

constexpr int64_t kTile = 1024, kDigits = 3;  // bytes of a tile: 16 rows of 64
constexpr int64_t kTogetherRows = 32;         // rows that are summed together: two tiles' worth
constexpr int64_t kTileWords = 14;            // most words of inputs of a chunk: its digits, 42 KiB, lie in the first cache
constexpr int64_t kExpanded = 1 << 20;        // most bytes that a part's bits become: they lie in the second cache
constexpr int64_t kMostDigits = 64 << 20;     // bytes that a thread keeps from product to product
constexpr float kEven = 64;                   // a column whose largest weight is more times the mean needs more bits
typedef uint32_t Whole __attribute__((vector_size(64)));

// To the nearest whole number, of at most 24 bits; what is not a number becomes one.
inline Whole whole(Lanes value) {
  value = larger(smaller(value, splat(8388607.0f)), splat(-8388608.0f));
#if defined(__AVX512F__)
  return (Whole)_mm512_cvtps_epi32((__m512)value);
#else
  for (int lane = 0; lane < kLanes; ++lane) value[lane] = std::nearbyint(value[lane]);
  const IntLanes numbers = to_whole(value);
  Whole found;
  std::memcpy(&found, &numbers, sizeof found);
  return found;
#endif
}

// 16 columns' digits [words][digit][16][16 columns][4 inputs] of a panel [inner, 32], and what one is worth in each; not a
// number in columns that hold any such. If asked, tells whether they are good enough for weights: see kEven.
template <bool asked>
bool make_digits(const float* panel, int64_t inner, int8_t* digits, float* worth) {
  Lanes most = {}, total = {}, some = {};
  for (int64_t k = 0; k < inner; ++k) {
    const Lanes size = magnitude(load(panel + k * kWide));
    most = larger(size, most);
    total += size;
    if constexpr (asked) some += step_above(size, splat(0.0f));
  }
  const Lanes broken = total - total;  // zero, or not a number
  Lanes scale;
  bool even = true;
  for (int lane = 0; lane < kLanes; ++lane) {
    uint32_t bits;
    const float largest = most[lane];
    std::memcpy(&bits, &largest, sizeof bits);
    const uint32_t exponent = std::min<uint32_t>(std::max<uint32_t>(bits >> 23, 23), 254), up = (276 - exponent) << 23,
                   down = (exponent - 22) << 23;
    float unit, one;
    std::memcpy(&unit, &up, sizeof up), std::memcpy(&one, &down, sizeof down);
    scale[lane] = unit;
    worth[lane] = one + broken[lane];
    even = even && broken[lane] == 0 && (!asked || largest * (some[lane] / kEven) <= total[lane]);
  }
  for (int64_t k = 0; k < words_of(inner) * 64; k += 4) {
    Whole four[4];
    for (int which = 0; which < 4; ++which)
      four[which] = k + which < inner ? whole(load(panel + (k + which) * kWide) * scale) : Whole{};
    // four numbers' bytes change places in two rounds: halves of words, then bytes
    const Whole low = (four[0] & 0xffff) | four[2] << 16, low_of_odd = (four[1] & 0xffff) | four[3] << 16;
    const Whole high = four[0] >> 16 | (four[2] & 0xffff0000), high_of_odd = four[1] >> 16 | (four[3] & 0xffff0000);
    const Whole bytes[kDigits] = {(low & 0xff00ff) | (low_of_odd & 0xff00ff) << 8,
                                  (low >> 8 & 0xff00ff) | (low_of_odd & 0xff00ff00),
                                  (high & 0xff00ff) | (high_of_odd & 0xff00ff) << 8};
    int8_t* to = digits + k / 64 * kDigits * kTile + k % 64 * kLanes;
    for (int digit = 0; digit < kDigits; ++digit) std::memcpy(to + digit * kTile, &bytes[digit], sizeof bytes[digit]);
  }
  return even;
}

// A row's word of 64 bits as 64 bytes
inline void expand(uint64_t bits, uint8_t* bytes) {
#if defined(__AVX512BW__)
  _mm512_store_si512(bytes, _mm512_maskz_set1_epi8(bits, 1));
#else
  for (int bit = 0; bit < 64; ++bit) bytes[bit] = static_cast<uint8_t>(bits >> bit & 1);
#endif
}

#if defined(__AMX_INT8__)
// The tiles' shape is a thread's own, and only as long as it sums: others may want another one.
struct Shape {
  struct alignas(64) Configuration {
    uint8_t palette = 1, start = 0, reserved[14] = {};
    uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
  };
  Shape() {
    static constexpr Configuration kAll;
    _tile_loadconfig(&kAll);
  }
  ~Shape() { _tile_release(); }
  Shape(const Shape&) = delete;
  Shape& operator=(const Shape&) = delete;
};

// Sums [2][digit][16 rows][16 columns] of 32 rows' bytes [words][2][16][64] times a column tile's digits
inline void sum_tiles(const uint8_t* bytes, const int8_t* digits, int64_t words, int32_t* sums) {
  asm volatile("" ::: "memory");  // the intrinsics do not say that they read memory
  _tile_zero(0); _tile_zero(1); _tile_zero(2); _tile_zero(3); _tile_zero(4); _tile_zero(5);
  for (int64_t word = 0; word < words; ++word, bytes += 2 * kTile, digits += kDigits * kTile) {
    _tile_stream_loadd(6, bytes, 64);  // read once: the digits are to stay in the first cache
    _tile_loadd(7, digits, 64); _tile_dpbuud(0, 6, 7);
    _tile_loadd(7, digits + kTile, 64); _tile_dpbuud(1, 6, 7);
    _tile_loadd(7, digits + 2 * kTile, 64); _tile_dpbusd(2, 6, 7);
    _tile_stream_loadd(6, bytes + kTile, 64); _tile_dpbusd(5, 6, 7);
    _tile_loadd(7, digits + kTile, 64); _tile_dpbuud(4, 6, 7);
    _tile_loadd(7, digits, 64); _tile_dpbuud(3, 6, 7);
  }
  _tile_stored(0, sums, 64); _tile_stored(1, sums + 256, 64); _tile_stored(2, sums + 512, 64);
  _tile_stored(3, sums + 768, 64); _tile_stored(4, sums + 1024, 64); _tile_stored(5, sums + 1280, 64);
}
#else
struct Shape {
  Shape() {}  // nothing to set, and yet a name that is used
  ~Shape() {}
};

inline void sum_tiles(const uint8_t* bytes, const int8_t* digits, int64_t words, int32_t* sums) {
  std::memset(sums, 0, 2 * kDigits * 256 * sizeof *sums);
  for (int64_t word = 0; word < words; ++word)
    for (int64_t half = 0; half < 2; ++half)
      for (int64_t digit = 0; digit < kDigits; ++digit)
        for (int64_t row = 0; row < 16; ++row) {
          const uint8_t* ones = bytes + (word * 2 + half) * kTile + row * 64;
          const int8_t* of = digits + (word * kDigits + digit) * kTile;
          int32_t* to = sums + (half * kDigits + digit) * 256 + row * 16;
          for (int64_t k = 0; k < 64; ++k)
            if (ones[k] != 0)
              for (int64_t n = 0; n < 16; ++n) {
                const int8_t value = of[k / 4 * 64 + n * 4 + k % 4];
                to[n] += digit == kDigits - 1 ? value : static_cast<uint8_t>(value);
              }
        }
}
#endif

// What a product is made of: the digits of its dense matrix, for all threads, and what they are worth.
struct Tiles {
  Buffer<int8_t> digits;
  Buffer<float> worth;
  int64_t width = 0;  // words of the inputs

  // Makes room; tells whether that is not too much.
  bool reserve(const Product& p) {
    width = words_of(p.inner);
    const int64_t halves = 2 * ((p.columns + kWide - 1) / kWide), bytes = halves * width * kDigits * kTile;
    if (bytes > kMostDigits) return false;
    digits.at_least(bytes);
    worth.at_least(halves * kLanes);
    return true;
  }

  // The digits of a block of 32 columns, from its panel [inner, 32]; if asked, tells whether they are good enough for weights.
  template <bool asked>
  bool digest(const Product& p, int64_t from, const float* panel) {
    bool even = true;
    for (int64_t half = from / kLanes; half < from / kLanes + 2 && half * kLanes < p.columns; ++half)
      even &= make_digits<asked>(panel + half * kLanes - from, p.inner, digits.at_least(0) + half * width * kDigits * kTile,
                          worth.at_least(0) + half * kLanes);
    return even;
  }
};

// A part of the rows of a product, its bits as bytes: a thread's own.
struct Expanded {
  Buffer<uint8_t> bytes;  // chunk by chunk of the inputs: [rows / 32][words][2][16][64]
  std::vector<int64_t> rows;
  int64_t groups = 0, width = 0, chunks = 0;

  int64_t first_word(int64_t chunk) const { return chunk * width / chunks; }

  void open(const Product& p, const Part& part) {
    width = words_of(p.inner);
    chunks = (width + kTileWords - 1) / kTileWords;
    rows.clear();
    over_stretches(p, part, [&](int64_t first, int64_t count) {
      for (int64_t row = first; row < first + count; ++row) rows.push_back(row);
    });
    const auto count = static_cast<int64_t>(rows.size());
    groups = (count + kTogetherRows - 1) / kTogetherRows;
    uint8_t* to = bytes.at_least(groups * width * 2 * kTile);
    for (int64_t chunk = 0; chunk < chunks; ++chunk)
      for (int64_t group = 0; group < groups; ++group)
        for (int64_t word = first_word(chunk); word < first_word(chunk + 1); ++word)
          for (int64_t index = group * kTogetherRows; index < (group + 1) * kTogetherRows; ++index, to += 64)
            expand(index < count ? p.words[rows[static_cast<size_t>(index)] * width + word] : 0, to);
  }

  // The block of 32 columns from `from` on; the sums' rows lie 32 floats apart, the first of all at `sums`.
  void sum_block(const Product& p, Tiles& tiles, int64_t from, const Lanes (&start)[2], float* sums) {
    alignas(64) int32_t exact[2 * kDigits * 256];
    const Shape shape;
    const auto count = static_cast<int64_t>(rows.size());
    for (int64_t half = 0; half < 2 && from + half * kLanes < p.columns; ++half) {
      const int64_t column = from / kLanes + half;
      const Lanes worth = load(tiles.worth.at_least(0) + column * kLanes);
      for (int64_t chunk = 0; chunk < chunks; ++chunk) {
        const int64_t first = first_word(chunk), words = first_word(chunk + 1) - first;
        const int8_t* digits = tiles.digits.at_least(0) + (column * width + first) * kDigits * kTile;
        const uint8_t* ones = bytes.at_least(0) + first * groups * 2 * kTile;
        for (int64_t group = 0; group < groups; ++group, ones += words * 2 * kTile) {
          sum_tiles(ones, digits, words, exact);
          for (int64_t index = 0; index < std::min(kTogetherRows, count - group * kTogetherRows); ++index) {
            const int32_t* at = exact + index / 16 * kDigits * 256 + index % 16 * kLanes;
            float* to = sums + rows[static_cast<size_t>(group * kTogetherRows + index)] * kWide + half * kLanes;
            // the powers of two are exact: rounded are the two additions, and the one to what is there
            const Lanes value = floats(at + 512) * splat(65536.0f) + (floats(at + 256) * splat(256.0f) + floats(at));
            store(to, (chunk == 0 ? start[half] : load(to)) + value * worth);
          }
        }
      }
    }
  }

 private:
  static Lanes floats(const int32_t* from) {
    IntLanes numbers;
    std::memcpy(&numbers, from, sizeof numbers);
    return to_floats(numbers);
  }
};

// Parts of so many rows, of which the first `splittable` may be split: for all threads, each part's bytes in the second cache
inline int64_t tile_parts(const Product& p, int64_t splittable) {
  const int64_t bytes = p.rows * words_of(p.inner) * 64;
  const int64_t rounds = std::max<int64_t>(1, (bytes + p.threads * kExpanded - 1) / (p.threads * kExpanded));
  return std::max<int64_t>(1, std::min({rounds * p.threads, splittable, p.rows / kTogetherRows}));
}

}  // namespace spikeledger::SPIKELEDGER_SET
