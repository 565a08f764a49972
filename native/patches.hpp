// Images of spikes for a convolution: bits [channels, H, W] to padded rows of positions, channels together, and what a
// window of the kernel sees of them, as bits or as a list of events.
#pragma once

#include "planes.hpp"
#include "products.hpp"

namespace spikeledger::SPIKELEDGER_SET {

inline int64_t taps_of(const Convolution& c) { return c.channels * c.kernel_height * c.kernel_width; }
// bits of a place of the image
inline int64_t depth_of(const Convolution& c) { return c.levels * c.channels; }

// Filters in blocks of up to 64, all as wide
struct Blocks {
  int64_t count, lanes;
  explicit Blocks(int64_t filters) {
    const int64_t needed = (filters + kLanes - 1) / kLanes;
    count = (needed + 3) / 4;
    lanes = count == 0 ? 1 : (needed + count - 1) / count;
  }
};

// The padded image, as far as windows reach: rows of positions, each row words of its own and one to read past the end
inline int64_t padded_height(const Convolution& c) {
  return (c.out_height - 1) * c.stride_height + (c.kernel_height - 1) * c.dilation_height + 1;
}
inline int64_t padded_width(const Convolution& c) {
  return (c.out_width - 1) * c.stride_width + (c.kernel_width - 1) * c.dilation_width + 1;
}
inline int64_t row_words(const Convolution& c) { return words_of(padded_width(c) * depth_of(c)) + 1; }
inline int64_t image_words(const Convolution& c) { return padded_height(c) * row_words(c); }

// ---- bits that lie anywhere ------------------------------------------------------------------------------------------

inline uint64_t low_bits(int64_t count) { return count >= 64 ? ~0ull : (1ull << count) - 1; }

// The word after the last one is read, too
inline uint64_t get_bits(const uint64_t* words, int64_t bit, int64_t count) {
  const int64_t word = bit / 64, shift = bit % 64;
  return (words[word] >> shift | words[word + 1] << 1 << (63 - shift)) & low_bits(count);
}

inline void put_bits(uint64_t* words, int64_t bit, uint64_t bits, int64_t count) {
  const int64_t word = bit / 64, shift = bit % 64;
  words[word] |= bits << shift;
  if (shift + count > 64) words[word + 1] |= bits >> (64 - shift);
}

// 64 channels of 512 positions: block[channel] holds their positions' words before `turn`, and block[place] channels after
constexpr int64_t kTurned = 512;

// ---- images ----------------------------------------------------------------------------------------------------------

inline void arrange_images(const Convolution& c, uint64_t* images) {
  const int64_t places = c.height * c.width, depth = depth_of(c), size = words_of(places * depth), row_size = row_words(c);
  const int64_t tall = padded_height(c), wide = padded_width(c);
  parallel(c.steps * c.batch, c.threads, [&](int64_t image) {
    static thread_local Buffer<uint64_t> buffer;
    uint64_t* bits = buffer.at_least(size + kTurned / 64 + 1);
    std::memcpy(bits, c.words + image * size, static_cast<size_t>(size) * sizeof(uint64_t));
    std::memset(bits + size, 0, (kTurned / 64 + 1) * sizeof(uint64_t));
    uint64_t* rows = images + image * image_words(c);
    std::memset(rows, 0, static_cast<size_t>(image_words(c)) * sizeof(uint64_t));
    for (int64_t channel = 0; channel < depth; channel += 64)
      for (int64_t first = 0; first < places; first += kTurned) {
        const int64_t deep = std::min<int64_t>(64, depth - channel), count = std::min(kTurned, places - first);
        Words block[64];
        for (int64_t line = 0; line < deep; ++line) {
          const int64_t bit = (channel + line) * places + first;
          const auto low = *reinterpret_cast<const LooseWords*>(bits + bit / 64);
          const auto high = *reinterpret_cast<const LooseWords*>(bits + bit / 64 + 1);
          block[line] = low >> (bit % 64) | high << 1 << (63 - bit % 64);
        }
        for (int64_t line = deep; line < 64; ++line) block[line] = Words{};
        turn(block);
        const auto* turned = reinterpret_cast<const uint64_t*>(block);
        int64_t y = first / c.width + c.padding_height, x = first % c.width + c.padding_width;
        for (int64_t place = 0; place < count; ++place) {
          const uint64_t field = turned[place % 64 * 8 + place / 64];
          if (y >= 0 && y < tall && x >= 0 && x < wide)
            put_bits(rows + y * row_size, x * depth + channel, field, deep);
          if (++x == c.width + c.padding_width) x = c.padding_width, ++y;
        }
      }
  });
}

// A run of positions' bits, channels together, as words of their own for each position
inline void cut_fields(const uint64_t* bits, int64_t positions, int64_t channels, uint64_t* fields) {
  const int64_t words = words_of(channels);
  if (channels % 64 == 0) {
    std::memcpy(fields, bits, static_cast<size_t>(positions * words) * sizeof(uint64_t));
    return;
  }
  for (int64_t place = 0; place < positions; ++place)
    for (int64_t word = 0; word < words; ++word)
      fields[place * words + word] = get_bits(bits, place * channels + word * 64, std::min<int64_t>(64, channels - word * 64));
}

// Fields of an image's positions to bits [channels, positions]
inline void spread_fields(const uint64_t* fields, int64_t places, int64_t channels, uint64_t* out) {
  const int64_t field = words_of(channels), size = words_of(places * channels);
  std::memset(out, 0, static_cast<size_t>(size) * sizeof(uint64_t));
  for (int64_t channel = 0; channel < channels; channel += 64)
    for (int64_t first = 0; first < places; first += kTurned) {
      const int64_t deep = std::min<int64_t>(64, channels - channel), count = std::min(kTurned, places - first);
      Words block[64];
      auto* lines = reinterpret_cast<uint64_t*>(block);
      if (count < kTurned) std::memset(block, 0, sizeof block);
      for (int64_t place = 0; place < count; ++place)
        lines[place % 64 * 8 + place / 64] = fields[(first + place) * field + channel / 64];
      turn(block);
      for (int64_t line = 0; line < deep; ++line)
        for (int64_t word = 0; word * 64 < count; ++word)
          put_bits(out, (channel + line) * places + first + word * 64, lines[line * 8 + word],
                   std::min<int64_t>(64, count - word * 64));
    }
}

// ---- windows ---------------------------------------------------------------------------------------------------------

// Rows of one sample's output, so many that their currents at all steps stay in the second cache
struct Band {
  int64_t sample, first, rows;
  // the band's first position among all samples'
  int64_t place(const Convolution& c) const { return (sample * c.out_height + first) * c.out_width; }
};

inline int64_t band_rows(const Convolution& c) {
  return std::clamp<int64_t>((1 << 17) / std::max<int64_t>(1, c.steps * c.out_width * c.filters), 1, c.out_height);
}

template <typename Work>
void over_bands(const Convolution& c, const Work& work) {
  const int64_t rows = band_rows(c);
  const int64_t bands = (c.out_height + rows - 1) / rows;
  parallel(c.batch * bands, c.threads, [&](int64_t task) {
    const int64_t first = task % bands * rows;
    work(Band{task / bands, first, std::min(rows, c.out_height - first)});
  });
}

// What a row of the kernel sees is one run of bits; with dilation, it is one for each of its columns.
struct Runs {
  int64_t count, positions;
  explicit Runs(const Convolution& c)
      : count(c.dilation_width == 1 ? 1 : c.kernel_width), positions(c.dilation_width == 1 ? c.kernel_width : 1) {}
};

// The events of a band's rows, and where in the list each position's begin
class EventLists {
 public:
  void list(const Convolution& c, const uint64_t* image, const Band& band) {
    const int64_t wide = padded_width(c), size = row_words(c) - 1, depth = depth_of(c);
    const uint32_t* known = c.levels == 1 ? nullptr : channels_of(c, size);
    first_ = band.first * c.stride_height;
    const int64_t rows = (band.rows - 1) * c.stride_height + (c.kernel_height - 1) * c.dilation_height + 1;
    uint16_t* at = events_.at_least(rows * wide * depth + 128);
    begins_.at_least(rows * (wide + 1));
    const uint16_t* start = at;
    for (int64_t row = 0; row < rows; ++row) {
      const uint64_t* words = image + (first_ + row) * row_words(c);
      uint32_t* begins = begins_.at_least(0) + row * (wide + 1);
      int64_t bit = 0, place = 0;
      for (int64_t word = 0; word < size; ++word) {
        const auto before = static_cast<uint32_t>(at - start);
        for (; place <= wide && bit < word * 64 + 64; ++place, bit += depth)
          begins[place] = before + static_cast<uint32_t>(std::popcount(words[word] & low_bits(bit - word * 64)));
        if (known == nullptr) at = places_of_ones<1>(words[word], static_cast<uint16_t>(word * 64), at);
        else if (words[word] != 0) at = entries_of_ones(words[word], known + word * 64, at);
      }
      for (; place <= wide; ++place) begins[place] = static_cast<uint32_t>(at - start);
    }
  }

  // Rows of the weight that the window of one of the band's positions selects; up to 32 more numbers are written
  int64_t window(const Convolution& c, int64_t row, int64_t column, uint32_t* list) {
    const int64_t wide = padded_width(c);
    const Runs runs(c);
    const uint16_t* events = events_.at_least(0);
    int64_t count = 0;
    for (int64_t line = 0; line < c.kernel_height; ++line) {
      const uint32_t* begins = begins_.at_least(0) + (row * c.stride_height + line * c.dilation_height) * (wide + 1);
      for (int64_t run = 0; run < runs.count; ++run) {
        const int64_t from = column * c.stride_width + run * c.dilation_width;
        const auto shift = static_cast<uint32_t>(((line * c.kernel_width + run) - from) * c.channels);
        const uint16_t* event = events + begins[from];
        const auto length = static_cast<int64_t>(begins[from + runs.positions] - begins[from]);
        for (int64_t n = 0; n < length; n += kLanes) {
          typedef uint16_t Short __attribute__((vector_size(32)));
          typedef uint32_t Long __attribute__((vector_size(64)));
          Short some;
          std::memcpy(&some, event + n, sizeof some);
          const Long rows = __builtin_convertvector(some, Long) + shift;
          std::memcpy(list + count + n, &rows, sizeof rows);
        }
        count += length;
      }
    }
    return count;
  }

 private:
  // Where a channel lies in a row of one level, for each bit of a row of all
  const uint32_t* channels_of(const Convolution& c, int64_t words) {
    if (map_size_ != words || map_channels_ != c.channels || map_levels_ != c.levels) {
      map_size_ = words, map_channels_ = c.channels, map_levels_ = c.levels;
      uint32_t* map = map_.at_least(words * 64);
      for (int64_t bit = 0; bit < words * 64; ++bit)
        map[bit] = static_cast<uint32_t>(bit / depth_of(c) * c.channels + bit % c.channels);
    }
    return map_.at_least(0);
  }

  int64_t first_ = 0;
  Buffer<uint16_t> events_;
  Buffer<uint32_t> begins_;
  Buffer<uint32_t> map_;
  int64_t map_size_ = 0, map_channels_ = 0, map_levels_ = 0;
};

// A band's windows where what a row of the kernel sees is at most a word and one run, as `stream_windows` gives them
inline void stream_narrow_windows(const Convolution& c, const uint64_t* image, const Band& band, int64_t pass, int shift,
                                  int64_t stride, uint64_t* stream) {
  const int64_t run = c.kernel_width * c.channels, row_size = row_words(c), down = c.dilation_height * row_size;
  const uint64_t taken = low_bits(pass);
  for (int64_t row = 0; row < band.rows; ++row) {
    const uint64_t* first = image + (band.first + row) * c.stride_height * row_size;
    if (run == pass) {  // each row of the kernel is a pass of its own
      for (int64_t line = 0; line < c.kernel_height; ++line)
        for (int64_t column = 0; column < c.out_width; ++column)
          stream[line * stride + column] = get_bits(first + line * down, column * c.stride_width * c.channels, pass) << shift;
      stream += c.out_width;
      continue;
    }
    for (int64_t column = 0; column < c.out_width; ++column) {
      const int64_t from = column * c.stride_width * c.channels;
      unsigned __int128 seen = 0;
      uint64_t* to = stream++;
      int64_t have = 0;
      for (int64_t line = 0; line < c.kernel_height; ++line) {
        seen |= static_cast<unsigned __int128>(get_bits(first + line * down, from, run)) << have;
        for (have += run; have >= pass; have -= pass, seen >>= pass, to += stride) *to = (static_cast<uint64_t>(seen) & taken) << shift;
      }
      if (have != 0) *to = static_cast<uint64_t>(seen) << shift;
    }
  }
}

// A band's windows at one step, `pass` bits at a time: stream[pass][row], shifted by `shift`, rows `stride` apart
inline void stream_windows(const Convolution& c, const uint64_t* image, const Band& band, int64_t pass, int shift,
                           int64_t stride, uint64_t* stream) {
  const Runs runs(c);
  const int64_t taps = taps_of(c), size = words_of(taps), run = runs.positions * c.channels, row_size = row_words(c);
  if (runs.count == 1 && run <= 64) return stream_narrow_windows(c, image, band, pass, shift, stride, stream);
  static thread_local Buffer<uint64_t> buffer;
  uint64_t* window = buffer.at_least(size + 1);
  for (int64_t row = 0; row < band.rows; ++row)
    for (int64_t column = 0; column < c.out_width; ++column, ++stream) {
      std::memset(window, 0, static_cast<size_t>(size + 1) * sizeof(uint64_t));
      int64_t at = 0;
      for (int64_t line = 0; line < c.kernel_height; ++line) {
        const uint64_t* words =
            image + ((band.first + row) * c.stride_height + line * c.dilation_height) * row_size;
        for (int64_t which = 0; which < runs.count; ++which) {
          const int64_t from = (column * c.stride_width + which * c.dilation_width) * c.channels;
          for (int64_t bit = 0; bit < run; bit += 64) {
            const int64_t count = std::min<int64_t>(64, run - bit);
            put_bits(window, at + bit, get_bits(words, from + bit, count), count);
          }
          at += run;
        }
      }
      for (int64_t first = 0, index = 0; first < taps; first += pass, ++index)
        stream[index * stride] = get_bits(window, first, pass) << shift;
    }
}

}  // namespace spikeledger::SPIKELEDGER_SET
