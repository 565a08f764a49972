// Counted, not moved: how often each column of bits or floats is not zero, and whether floats are spikes of one size.
#pragma once

#include <atomic>
#include <bit>
#include <cmath>
#include <vector>

#include "kernels.hpp"
#include "simd.hpp"
#include "threads.hpp"

namespace spikeledger::SPIKELEDGER_SET {

typedef uint64_t Words __attribute__((vector_size(64)));
typedef uint64_t LooseWords __attribute__((vector_size(64), aligned(8), may_alias));

constexpr int64_t kTileRows = 64;  // rows of bits that, turned, are one word of each column

// Eight words of a row; those past `wide` are of no column that is asked for
inline Words eight(const uint64_t* from, int64_t wide, const uint64_t* end) {
  if (end - from >= 8) return *reinterpret_cast<const LooseWords*>(from);
  Words found = {};
  std::memcpy(&found, from, static_cast<size_t>(wide) * sizeof(uint64_t));
  return found;
}

// Adds three bits a place: the sum stays in `ones`, the carry is given
inline Words carry(Words& ones, Words a, Words b) {
  const Words either = ones ^ a, both = (ones & a) | (either & b);
  ones = either ^ b;
  return both;
}

// Vertical counters: digit d holds bit d of the count of each of 512 columns; eight rows at a time reach digit 3.
inline void count_columns(const uint64_t* words, int64_t rows, int64_t columns, int64_t* counts) {
  constexpr int kDigits = 20;
  const int64_t width = words_of(columns);
  const uint64_t* end = words + rows * width;
  for (int64_t word = 0; word < width; word += 8) {
    const int64_t wide = std::min<int64_t>(8, width - word), here = std::min<int64_t>(512, columns - word * 64);
    for (int64_t first = 0; first < rows; first += (1 << kDigits) - 8) {
      const int64_t last = std::min<int64_t>(rows, first + (1 << kDigits) - 8);
      const int places = std::bit_width(static_cast<uint64_t>(last - first));
      Words digit[kDigits] = {};
      const auto add = [&](Words more, int place) {
        for (; place < places; ++place) {
          const Words both = digit[place] & more;
          digit[place] ^= more;
          more = both;
        }
      };
      int64_t row = first;
      for (; row + 8 <= last; row += 8) {
        const uint64_t* from = words + row * width + word;
        const auto at = [&](int64_t n) { return eight(from + n * width, wide, end); };
        const Words a = carry(digit[0], at(0), at(1)), b = carry(digit[0], at(2), at(3));
        const Words c = carry(digit[0], at(4), at(5)), d = carry(digit[0], at(6), at(7));
        const Words e = carry(digit[1], a, b), f = carry(digit[1], c, d);
        add(carry(digit[2], e, f), 3);
      }
      for (; row < last; ++row) add(eight(words + row * width + word, wide, end), 0);
      for (int64_t at = 0; at < wide; ++at) {
        const IntLanes lane = lane_numbers();
        IntLanes sums[4] = {};
        for (int place = 0; place < places; ++place)
          for (int part = 0; part < 4; ++part) {
            const auto bits = static_cast<int32_t>(digit[place][at] >> (16 * part) & 0xffff);
            sums[part] += (((IntLanes{} + bits) >> lane) & 1) << place;
          }
        for (int64_t column = 0; column < std::min<int64_t>(64, here - at * 64); ++column)
          counts[(word + at) * 64 + column] += sums[column / kLanes][column % kLanes];
      }
    }
  }
}

// Work on the rows cut in parts of whole tiles, one a thread, each with counts of its own, which are added up:
// `work(first, rows, counts)`
template <typename Work>
void count_in_parts(int64_t rows, int64_t columns, int parts, int64_t* counts, const Work& work) {
  const int64_t share = ((rows + kTileRows - 1) / kTileRows + parts - 1) / parts * kTileRows;
  std::vector<int64_t> others(static_cast<size_t>((parts - 1) * columns));
  parallel(parts, parts, [&](int64_t part) {
    const int64_t first = std::min(rows, part * share);
    work(first, std::min(rows - first, share), part == 0 ? counts : others.data() + (part - 1) * columns);
  });
  for (int part = 1; part < parts; ++part)
    for (int64_t n = 0; n < columns; ++n) counts[n] += others[static_cast<size_t>((part - 1) * columns + n)];
}

inline void column_counts(const uint64_t* words, int64_t rows, int64_t columns, int64_t* counts, int threads) {
  count_in_parts(rows, columns, worth(rows * columns / 4, threads), counts, [&](int64_t first, int64_t here, int64_t* mine) {
    count_columns(words + first * words_of(columns), here, columns, mine);
  });
}

// Floats [steps, batch, places], a row's places side by side: non-zero values of each place and of each step, and their
// class. `magnitude` is the one size of what is not zero, where there is one.
inline int census(const Look& look) {
  const auto row = [&](int64_t step, int64_t sample) {
    return look.values + step * look.step_stride + sample * look.row_stride;
  };
  const Lanes zero = splat(0.0f);
  const auto first_of = [&](const float* values) {  // the first that is not zero, or zero
    for (int64_t place = 0; place < look.places; place += kLanes) {
      const Lanes some = load(values + place, look.places - place);
      if (bits_of(some != zero) == 0) continue;
      for (int lane = 0; lane < kLanes; ++lane)
        if (some[lane] != 0.0f) return std::abs(some[lane]);
    }
    return 0.0f;
  };
  float peak = 0.0f;
  for (int64_t step = 0; step < look.steps && peak == 0.0f; ++step)
    for (int64_t sample = 0; sample < look.batch && peak == 0.0f; ++sample) peak = first_of(row(step, sample));
  *look.magnitude = peak;
  if (peak == 0.0f) return kSilent;  // the counts are zeros already
#ifdef __AVX512F__
  constexpr int64_t kTogether = 8;  // vectors of a row at a time, so that a row's line is read whole
#else
  constexpr int64_t kTogether = 4;  // as many as half as wide registers hold
#endif
  const Lanes size = splat(peak);
  IntLanes odd = {};
  for (int64_t place = 0; place < look.places; place += kTogether * kLanes) {
    const int64_t wide = look.places - place;
    for (int64_t step = 0; step < look.steps; ++step) {
      IntLanes seen[kTogether] = {};
      if (wide >= kTogether * kLanes) {
        for (int64_t sample = 0; sample < look.batch; ++sample) {
          const float* values = row(step, sample) + place;
          for (int64_t n = 0; n < kTogether; ++n) {
            const Lanes value = load(values + n * kLanes);
            const IntLanes present = value != zero;
            seen[n] -= present;
            odd |= present & (magnitude(value) != size);
          }
        }
      } else {
        for (int64_t sample = 0; sample < look.batch; ++sample) {
          const float* values = row(step, sample) + place;
          for (int64_t n = 0; n * kLanes < wide; ++n) {
            const Lanes value = load(values + n * kLanes, wide - n * kLanes);
            const IntLanes present = value != zero;
            seen[n] -= present;
            odd |= present & (magnitude(value) != size);
          }
        }
      }
      int64_t sum = 0;
      for (int64_t n = 0; n < std::min(wide, kTogether * kLanes); ++n) {
        const int64_t count = seen[n / kLanes][n % kLanes];
        look.counts[place + n] += count;
        sum += count;
      }
      if (look.step_counts != nullptr) look.step_counts[step] += sum;
    }
  }
  return bits_of(odd) != 0 ? kGraded : kSpikes;
}

}  // namespace spikeledger::SPIKELEDGER_SET
