// Convolutions of spikes, and the neurons behind them, on bits: for each output position the rows of the weight that its
// spikes select are summed. Spikes of an image lie position by position, channels together: what a row of the kernel sees
// is then one run of bits, and its events one run of a list. Two ways of summing, as in products.hpp: events and subsets.
#pragma once

#include <mutex>

#include "neurons.hpp"
#include "patches.hpp"
#include "products.hpp"

namespace spikeledger::SPIKELEDGER_SET {

// Where a weight's tap (channel, ky, kx) is in our order, (ky, kx, channel)
inline int64_t row_of(const Convolution& c, int64_t tap) {
  const int64_t window = c.kernel_height * c.kernel_width;
  return tap % window * c.channels + tap / window;
}

// The weight as blocks of filters, each [taps + 1, lanes * 16]: row (ky, kx, channel), and a row of zeros at the end
inline void arrange_weight(const Convolution& c, const float* weight, float* out) {
  const Blocks blocks(c.filters);
  const int64_t taps = taps_of(c), wide = blocks.lanes * kLanes;
  parallel(blocks.count * blocks.lanes, c.threads, [&](int64_t group) {
    float* to = out + group / blocks.lanes * (taps + 1) * wide + group % blocks.lanes * kLanes;
    const int64_t here = std::clamp<int64_t>(c.filters - group * kLanes, 0, kLanes);
    store(to + taps * wide, splat(0.0f));
    for (int64_t tap = 0; tap < taps; tap += kLanes) {
      Lanes block[kLanes];
      for (int64_t line = 0; line < kLanes; ++line)
        block[line] = line < here ? load(weight + (group * kLanes + line) * taps + tap, taps - tap) : splat(0.0f);
      exchange_rows<8>(block), exchange_rows<4>(block), exchange_rows<2>(block), exchange_rows<1>(block);
      for (int64_t line = 0; line < std::min<int64_t>(kLanes, taps - tap); ++line)
        store(to + row_of(c, tap + line) * wide, block[line]);
    }
  });
}

// ---- events ----------------------------------------------------------------------------------------------------------

constexpr int kPair = 4;  // lists are padded to a multiple
constexpr int64_t kManyWeights = 1 << 18;

template <int lanes>
inline void gather(const uint32_t* list, int64_t count, const float* weight, Lanes* sum) {
  Lanes other[lanes] = {};
  for (int64_t n = 0; n < count; n += kPair)
    for (int k = 0; k < kPair; k += 2) {
      const float *one = weight + list[n + k] * (lanes * kLanes), *two = weight + list[n + k + 1] * (lanes * kLanes);
      for (int lane = 0; lane < lanes; ++lane) {
        sum[lane] += load(one + lane * kLanes);
        other[lane] += load(two + lane * kLanes);
      }
    }
  for (int lane = 0; lane < lanes; ++lane) sum[lane] += other[lane];
}

// Sums of one band at one step, [positions, filters], over the block's filters
template <int lanes>
void add_events_of(const Convolution& c, const Band& band, EventLists& lists, const float* weight, float* sums) {
  const Blocks blocks(c.filters);
  const int64_t taps = taps_of(c), wide = lanes * kLanes;
  static thread_local Buffer<uint32_t> buffer;
  uint32_t* list = buffer.at_least(c.levels * taps + 64);
  // a weight that does not fit the second cache is taken block by block
  const int64_t together = blocks.count * taps * wide > kManyWeights ? 1 : blocks.count;
  const auto add_place = [&](int64_t first, int64_t row, int64_t column) {
    const int64_t count = lists.window(c, row, column, list);
    for (int pad = 0; pad < kPair; ++pad) list[count + pad] = static_cast<uint32_t>(taps);
    float* to = sums + (row * c.out_width + column) * c.filters;
    for (int64_t block = first; block < first + together; ++block) {
      const int64_t from = block * wide;
      Lanes sum[lanes];
      for (int lane = 0; lane < lanes; ++lane) {
        const int64_t at = from + lane * kLanes;
        sum[lane] = c.bias != nullptr && at < c.filters ? load(c.bias + at, c.filters - at) : splat(0.0f);
      }
      gather<lanes>(list, count, weight + block * (taps + 1) * wide, sum);
      for (int lane = 0; lane < lanes; ++lane) {
        const int64_t at = from + lane * kLanes;
        if (at < c.filters) store(to + at, sum[lane], c.filters - at);
      }
    }
  };
  for (int64_t first = 0; first < blocks.count; first += together)
    for (int64_t row = 0; row < band.rows; ++row)
      for (int64_t column = 0; column < c.out_width; ++column) add_place(first, row, column);
}

// ---- subsets ---------------------------------------------------------------------------------------------------------

// Adds to the sums, or begins them at `start`.
template <int groups, bool begins>
inline void add_subset_groups(const uint64_t* stream, int64_t rows, const float* tables, Lanes start, float* sums,
                              int64_t stride, int64_t here) {
  const auto* bytes = reinterpret_cast<const char*>(tables);
  for (int64_t row = 0; row < rows; ++row) {
    const uint64_t word = stream[row];
    Lanes even = begins ? start : load(sums + row * stride, here), odd = splat(0.0f);
    for (int group = 0; group < groups; ++group) {
      const auto place = static_cast<int64_t>(word >> (group * kGroup) & ((kSums - 1) << kGroup));
      const Lanes found = load(reinterpret_cast<const float*>(bytes + group * kSums * kLineBytes + place));
      if (group % 2 == 0) even += found; else odd += found;
    }
    store(sums + row * stride, even + odd, here);
  }
}

template <bool begins>
void add_groups(int64_t groups, const uint64_t* stream, int64_t rows, const float* tables, Lanes start, float* sums,
                int64_t stride, int64_t here) {
  if (groups <= 2) return add_subset_groups<2, begins>(stream, rows, tables, start, sums, stride, here);
  if (groups <= 4) return add_subset_groups<4, begins>(stream, rows, tables, start, sums, stride, here);
  if (groups <= 6) return add_subset_groups<6, begins>(stream, rows, tables, start, sums, stride, here);
  add_subset_groups<8, begins>(stream, rows, tables, start, sums, stride, here);
}

// Sums of one band at all steps, each [positions, filters], `stride` apart; `stream` holds its windows, 48 bits a pass
inline void add_windows(const Convolution& c, const uint64_t* stream, int64_t positions, const float* weight, float* sums,
                        int64_t stride) {
  const Blocks blocks(c.filters);
  const int64_t taps = taps_of(c), passes = (taps + kPass - 1) / kPass, wide = blocks.lanes * kLanes;
  const int64_t rows = c.steps * positions;
  static thread_local Buffer<float> table_buffer, panel_buffer;
  float* tables = table_buffer.at_least(kGroups * kSums * kLanes);
  float* panel = panel_buffer.at_least(kPass * kLanes);
  for (int64_t from = 0; from < c.filters; from += kLanes) {
    const int64_t here = c.filters - from;
    const float* mine = weight + from / wide * (taps + 1) * wide + from % wide;
    const Lanes start = c.bias != nullptr ? load(c.bias + from, here) : splat(0.0f);
    for (int64_t pass = 0; pass < passes; ++pass) {
      const int64_t begin = pass * kPass, inputs = std::min<int64_t>(kPass, taps - begin);
      for (int64_t row = 0; row < kPass; ++row)
        store(panel + row * kLanes, row < inputs ? load(mine + (begin + row) * wide) : splat(0.0f));
      make_tables(panel, kLanes, tables);
      for (int64_t step = 0; step < c.steps; ++step)
        (pass == 0 ? add_groups<true> : add_groups<false>)((inputs + kGroup - 1) / kGroup, stream + pass * rows + step * positions,
                                                           positions, tables, start, sums + step * stride + from, c.filters, here);
    }
  }
}

// Whether a window is so small that all its sums are one table
constexpr int64_t kFewTaps = 9;
inline bool has_few_taps(const Convolution& c) { return taps_of(c) <= kFewTaps && Runs(c).count == 1; }

// The same of such windows: one look-up each
inline void add_few_taps(const Convolution& c, const uint64_t* images, const Band& band, const float* weight, float* sums,
                         int64_t stride) {
  const Blocks blocks(c.filters);
  const int64_t taps = taps_of(c), wide = blocks.lanes * kLanes, positions = band.rows * c.out_width;
  const int64_t run = c.kernel_width * c.channels, row_size = row_words(c);
  static thread_local Buffer<float> table_buffer;
  static thread_local Buffer<uint16_t> window_buffer;
  float* table = table_buffer.at_least(kLanes << kFewTaps);
  uint16_t* windows = window_buffer.at_least(c.steps * positions);
  for (int64_t step = 0, n = 0; step < c.steps; ++step) {
    const uint64_t* image = images + (step * c.batch + band.sample) * image_words(c);
    for (int64_t row = 0; row < band.rows; ++row) {
      const uint64_t* first = image + (band.first + row) * c.stride_height * row_size;
      for (int64_t column = 0; column < c.out_width; ++column, ++n) {
        uint64_t seen = 0;
        for (int64_t line = 0; line < c.kernel_height; ++line)
          seen |= get_bits(first + line * c.dilation_height * row_size, column * c.stride_width * c.channels, run) << (line * run);
        windows[n] = static_cast<uint16_t>(seen);
      }
    }
  }
  for (int64_t from = 0; from < c.filters; from += kLanes) {
    const int64_t here = c.filters - from;
    const float* mine = weight + from / wide * (taps + 1) * wide + from % wide;
    store(table, c.bias != nullptr ? load(c.bias + from, here) : splat(0.0f));
    for (int64_t tap = 0; tap < taps; ++tap)
      for (int64_t subset = 0; subset < int64_t{1} << tap; ++subset)
        store(table + ((int64_t{1} << tap) + subset) * kLanes, load(table + subset * kLanes) + load(mine + tap * wide));
    for (int64_t step = 0; step < c.steps; ++step)
      for (int64_t n = 0; n < positions; ++n)
        store(sums + step * stride + n * c.filters + from, load(table + windows[step * positions + n] * kLanes), here);
  }
}

// ---- forward ---------------------------------------------------------------------------------------------------------

// Currents of one band of one sample at all steps, each [positions, filters], `stride` apart
inline void band_currents(const Convolution& c, const uint64_t* images, const Band& band, const float* weight, float* sums,
                          int64_t stride) {
  const int64_t positions = band.rows * c.out_width, size = image_words(c);
  const Blocks blocks(c.filters);
  if (c.method == kEvents || c.levels > 1) {
    static thread_local EventLists lists;
    for (int64_t step = 0; step < c.steps; ++step) {
      lists.list(c, images + (step * c.batch + band.sample) * size, band);
      float* to = sums + step * stride;
      switch (blocks.lanes) {
        case 1: add_events_of<1>(c, band, lists, weight, to); break;
        case 2: add_events_of<2>(c, band, lists, weight, to); break;
        case 3: add_events_of<3>(c, band, lists, weight, to); break;
        default: add_events_of<4>(c, band, lists, weight, to);
      }
    }
    return;
  }
  if (has_few_taps(c)) return add_few_taps(c, images, band, weight, sums, stride);
  const int64_t rows = c.steps * positions, passes = (taps_of(c) + kPass - 1) / kPass;
  static thread_local Buffer<uint64_t> buffer;
  uint64_t* stream = buffer.at_least(passes * rows);
  for (int64_t step = 0; step < c.steps; ++step)
    stream_windows(c, images + (step * c.batch + band.sample) * size, band, kPass, kGroup, rows, stream + step * positions);
  add_windows(c, stream, positions, weight, sums, stride);
}

// Currents [T * B, H, W, filters]
inline void convolve(const Convolution& c, const float* weight, float* out) {
  const Blocks blocks(c.filters);
  const int64_t places = c.out_height * c.out_width;
  static thread_local Buffer<float> weight_buffer;
  static thread_local Buffer<uint64_t> image_buffer;
  float* arranged = weight_buffer.at_least(blocks.count * (taps_of(c) + 1) * blocks.lanes * kLanes);
  uint64_t* images = image_buffer.at_least(c.steps * c.batch * image_words(c));
  arrange_weight(c, weight, arranged);
  arrange_images(c, images);
  over_bands(c, [&](const Band& band) {
    band_currents(c, images, band, arranged, out + band.place(c) * c.filters, c.batch * places * c.filters);
  });
}

// The same and the neurons behind it: spikes as words [T * B, words_of(filters * H * W)]. Currents, if kept, lie band by
// band, each [T, positions, filters], as `convolve_back` finds them.
inline void convolve_fire(const Convolution& c, const float* weight, const Firing& out, const float* beta, float threshold, float bar,
                          int reset, bool delayed, float* currents, int64_t* active) {
  const bool near = out.near != nullptr;
  const Blocks blocks(c.filters);
  const int64_t places = c.out_height * c.out_width, field = words_of(c.filters);
  static thread_local Buffer<float> weight_buffer;
  static thread_local Buffer<uint64_t> image_buffer, field_buffer, near_buffer;
  float* arranged = weight_buffer.at_least(blocks.count * (taps_of(c) + 1) * blocks.lanes * kLanes);
  uint64_t* images = image_buffer.at_least(c.steps * c.batch * image_words(c));
  uint64_t* fields = field_buffer.at_least(c.steps * c.batch * places * field);
  uint64_t* near_fields = near ? near_buffer.at_least(c.steps * c.batch * places * field) : nullptr;
  arrange_weight(c, weight, arranged);
  arrange_images(c, images);
  std::mutex counting;
  over_bands(c, [&](const Band& band) {
    const int64_t positions = band.rows * c.out_width, width = positions * c.filters, words = words_of(width);
    static thread_local Buffer<float> buffer;
    static thread_local Buffer<uint64_t> bits, near_bits;
    float* sums = currents != nullptr ? currents + band.place(c) * c.steps * c.filters : buffer.at_least(c.steps * width);
    band_currents(c, images, band, arranged, sums, width);
    uint64_t *spikes = bits.at_least(c.steps * words + 1), *close = near ? near_bits.at_least(c.steps * words + 1) : nullptr;
    fire({c.steps, 1, width, sums, nullptr, beta + band.first * c.out_width * c.filters, threshold, bar, reset, delayed, 1},
         {nullptr, spikes, nullptr, close, out.surrogate, out.slope});
    for (int64_t step = 0; step < c.steps; ++step) {
      const int64_t place = ((step * c.batch + band.sample) * places + band.first * c.out_width) * field;
      cut_fields(spikes + step * words, positions, c.filters, fields + place);
      if (near) cut_fields(close + step * words, positions, c.filters, near_fields + place);
    }
    if (active != nullptr) {
      const std::lock_guard guard(counting);
      for (int64_t step = 0; step < c.steps; ++step)
        for (int64_t n = 0; n < width; ++n)
          active[n % c.filters * places + band.first * c.out_width + n / c.filters] += sums[step * width + n] != 0.0f;
    }
  });
  parallel(c.steps * c.batch, c.threads, [&](int64_t image) {
    spread_fields(fields + image * places * field, places, c.filters, out.words + image * words_of(places * c.filters));
    if (near)
      spread_fields(near_fields + image * places * field, places, c.filters, out.near + image * words_of(places * c.filters));
  });
}

}  // namespace spikeledger::SPIKELEDGER_SET
