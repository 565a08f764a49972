// Max and average pooling of bits, and their ways back. Sizes are those of a convolution with as many filters as channels.
#pragma once

#include "patches.hpp"

namespace spikeledger::SPIKELEDGER_SET {

// Every so-manieth bit of a word from `first` on, one behind the other
inline uint64_t each_bit(uint64_t bits, int64_t first, int64_t stride) {
  bits >>= first;
#if defined(__BMI2__)
  uint64_t mask = 1;
  for (int64_t reach = stride; reach < 64; reach *= 2) mask |= mask << reach;
  return _pext_u64(bits, mask);
#else
  uint64_t found = 0;
  for (int64_t at = 0, n = 0; at < 64 && bits != 0; at += stride, ++n) found |= (bits >> at & 1) << n;
  return found;
#endif
}

// Max pooling of bits [channels, H, W]: whether any of a window's is set
inline void max_pool(const Convolution& c, uint64_t* out) {
  const int64_t size = words_of(c.channels * c.height * c.width), places = c.out_height * c.out_width;
  const int64_t out_size = words_of(c.channels * places), reach = (c.kernel_width - 1) * c.dilation_width;
  const int64_t wide = c.width + 2 * c.padding_width, words = words_of(wide);
  parallel(c.steps * c.batch, c.threads, [&](int64_t image) {
    static thread_local Buffer<uint64_t> buffer;
    uint64_t* any = buffer.at_least(size + 1 + words + reach / 64 + 3);  // of one row of windows
    uint64_t* bits = any + words + reach / 64 + 3;
    std::memcpy(bits, c.words + image * size, static_cast<size_t>(size) * sizeof(uint64_t));
    bits[size] = 0;
    uint64_t* to = out + image * out_size;
    std::memset(to, 0, static_cast<size_t>(out_size) * sizeof(uint64_t));
    for (int64_t line = 0; line < c.channels * c.out_height; ++line) {
      const int64_t channel = line / c.out_height, top = line % c.out_height * c.stride_height - c.padding_height;
      std::memset(any, 0, static_cast<size_t>(words + reach / 64 + 3) * sizeof(uint64_t));
      for (int64_t row = 0; row < c.kernel_height; ++row) {
        const int64_t y = top + row * c.dilation_height;
        if (y < 0 || y >= c.height) continue;
        for (int64_t x = 0; x < c.width; x += 64) {
          const int64_t count = std::min<int64_t>(64, c.width - x);
          put_bits(any, c.padding_width + x, get_bits(bits, (channel * c.height + y) * c.width + x, count), count);
        }
      }
      for (int64_t x = 0; x < c.out_width;) {  // as many windows as begin in a word
        const int64_t word = x * c.stride_width / 64, first = x * c.stride_width % 64;
        const int64_t count = std::min(c.out_width - x, (64 - first + c.stride_width - 1) / c.stride_width);
        uint64_t seen = 0;
        for (int64_t tap = 0; tap <= reach; tap += c.dilation_width) seen |= get_bits(any, word * 64 + tap, 64);
        put_bits(to, line * c.out_width + x, each_bit(seen, first, c.stride_width) & low_bits(count), count);
        x += count;
      }
    }
  });
}

// How many of a window's bits [channels, H, W] are set, as bits [levels, channels, out_height, out_width]: that many of its
// levels are, the first ones. Windows lie beside each other, at most 64 wide.
template <int known>  // height and width of a window, or 0
void pool_levels_of(const Convolution& c, uint64_t* out) {
  const int64_t tall = known != 0 ? known : c.kernel_height, wide = known != 0 ? known : c.kernel_width, levels = tall * wide;
  const int64_t size = words_of(c.channels * c.height * c.width);
  const int64_t places = c.channels * c.out_height * c.out_width, out_size = words_of(levels * places);
  const int64_t together = 64 / wide;  // windows in a word
  parallel(c.steps * c.batch, c.threads, [&](int64_t image) {
    static thread_local Buffer<uint64_t> buffer;
    uint64_t *bits = buffer.at_least(size + 1 + levels), known_set[known * known + 1], *set = known != 0 ? known_set : bits + size + 1;
    std::memcpy(bits, c.words + image * size, static_cast<size_t>(size) * sizeof(uint64_t));
    bits[size] = 0;
    uint64_t* to = out + image * out_size;
    std::memset(to, 0, static_cast<size_t>(out_size) * sizeof(uint64_t));
    const auto put_row = [&](int64_t line, int64_t top) {  // of windows, whose first row this is
      for (int64_t x = 0; x < c.out_width; x += together) {
        const int64_t count = std::min(together, c.out_width - x);
        for (int64_t row = 0; row < tall; ++row) {
          const uint64_t seen = get_bits(bits, (top + row) * c.width + x * wide, count * wide);
          for (int64_t tap = 0; tap < wide; ++tap) {  // each takes the first level that is not yet set
            uint64_t taken = each_bit(seen, tap, wide);
            for (int64_t level = 0; level < row * wide + tap; ++level) {
              const uint64_t before = set[level];
              set[level] |= taken, taken &= before;
            }
            set[row * wide + tap] = taken;
          }
        }
        for (int64_t level = 0; level < levels; ++level)
          put_bits(to, level * places + line * c.out_width + x, set[level], count);
      }
    };
    for (int64_t channel = 0, line = 0; channel < c.channels; ++channel)
      for (int64_t row = 0; row < c.out_height; ++row, ++line) put_row(line, channel * c.height + row * tall);
  });
}

inline void pool_levels(const Convolution& c, uint64_t* out) {
  return c.kernel_height == 2 && c.kernel_width == 2 ? pool_levels_of<2>(c, out) : pool_levels_of<0>(c, out);
}

// Average pooling of bits in windows that lie beside each other, at most 64 wide: how many of each are set, over `divisor`. As
// floats [T * B, channels, out_height, out_width], and the very numbers that sums of floats give.
inline void average_pool(const Convolution& c, float divisor, float* out) {
  const int64_t size = words_of(c.channels * c.height * c.width), places = c.out_height * c.out_width;
  const int64_t together = 64 / c.kernel_width;  // windows in a word
  parallel(c.steps * c.batch, c.threads, [&](int64_t image) {
    static thread_local Buffer<uint64_t> buffer;
    uint64_t* bits = buffer.at_least(size + 1);
    std::memcpy(bits, c.words + image * size, static_cast<size_t>(size) * sizeof(uint64_t));
    bits[size] = 0;
    float* to = out + image * c.channels * places;
    const auto put_row = [&](int64_t top) {  // of windows, whose first row this is
      for (int64_t x = 0; x < c.out_width; x += together) {
        const int64_t count = std::min(together, c.out_width - x);
        Lanes sums[64 / kLanes] = {};
        for (int64_t row = top; row < top + c.kernel_height; ++row) {
          const uint64_t seen = get_bits(bits, row * c.width + x * c.kernel_width, count * c.kernel_width);
          for (int64_t tap = 0; tap < c.kernel_width; ++tap) {
            const uint64_t taken = each_bit(seen, tap, c.kernel_width);
            for (int64_t first = 0; first < count; first += kLanes) sums[first / kLanes] += ones_at(static_cast<uint32_t>(taken >> first));
          }
        }
        for (int64_t first = 0; first < count; first += kLanes)
          store(to + x + first, sums[first / kLanes] / splat(divisor), count - first);
      }
      to += c.out_width;
    };
    for (int64_t channel = 0; channel < c.channels; ++channel)
      for (int64_t row = 0; row < c.out_height; ++row) put_row(channel * c.height + row * c.kernel_height);
  });
}

// The gradient of a row of averaged windows, `grad` [channels] a window, to the image's rows that they see, which are all the
// same: `to` [kernel_height][W, channels]. What no window sees is left as it is.
inline void average_row_back(const Convolution& c, float divisor, const float* grad, float* to) {
  for (int64_t column = 0; column < c.out_width; ++column)
    for (int64_t channel = 0; channel < c.channels; channel += kLanes) {
      const int64_t rest = c.channels - channel;
      const Lanes share = load(grad + column * c.channels + channel, rest) / splat(divisor);
      for (int64_t tap = 0; tap < c.kernel_width; ++tap)
        store(to + (column * c.kernel_width + tap) * c.channels + channel, share, rest);
    }
  for (int64_t row = 1; row < c.kernel_height; ++row)
    std::memcpy(to + row * c.width * c.channels, to, static_cast<size_t>(c.out_width * c.kernel_width * c.channels) * sizeof(float));
}

// The gradient of max pooling goes to the first of a window's spikes, or to its first place inside the image, as torch's
// does. Of one row of windows, `grad` [channels] a window, it is added to the image's rows, `to(y)` [W, channels]; `rows` is the
// image as `arrange_images` makes it.
template <typename To>
void pool_row_back(const Convolution& c, const uint64_t* rows, const float* grad, int64_t row, const To& to) {
  const int64_t row_size = row_words(c);
  for (int64_t column = 0; column < c.out_width; ++column) {
    // calls work(place in the padded image's row, its bits, place in the image) for each of the window's places in it
    const auto over_window = [&](const auto& work) {
      for (int64_t line = 0; line < c.kernel_height; ++line) {
        const int64_t y = row * c.stride_height + line * c.dilation_height, at = y - c.padding_height;
        if (at < 0 || at >= c.height) continue;
        for (int64_t tap = 0; tap < c.kernel_width; ++tap) {
          const int64_t x = column * c.stride_width + tap * c.dilation_width, beside = x - c.padding_width;
          if (beside < 0 || beside >= c.width) continue;
          work(rows + y * row_size, x, to(at) + beside * c.channels);
        }
      }
    };
    for (int64_t channel = 0; channel < c.channels; channel += kLanes) {
      const int64_t rest = std::min<int64_t>(kLanes, c.channels - channel);
      const Lanes flow = load(grad + column * c.channels + channel, rest);
      uint64_t seen = 0;
      float* first = nullptr;
      over_window([&](const uint64_t* words, int64_t x, float* place) {
        const uint64_t here = get_bits(words, x * c.channels + channel, rest) & ~seen;
        seen |= here;
        if (first == nullptr) first = place + channel;
        if (here != 0) store(place + channel, load(place + channel, rest) + only(flow, static_cast<uint32_t>(here)), rest);
      });
      if (first != nullptr) store(first, load(first, rest) + only(flow, static_cast<uint32_t>(~seen)), rest);
    }
  }
}

// From [T * B, channels, out_height, out_width] to [T * B, height, width, channels]
inline void max_pool_back(const Convolution& c, const float* grad, float* out) {
  static thread_local Buffer<uint64_t> image_buffer;
  uint64_t* images = image_buffer.at_least(c.steps * c.batch * image_words(c));
  arrange_images(c, images);
  const int64_t places = c.out_height * c.out_width;
  parallel(c.steps * c.batch, c.threads, [&](int64_t image) {
    static thread_local Buffer<float> turned_buffer;
    float* turned = turned_buffer.at_least(c.out_width * c.channels);
    float* to = out + image * c.height * c.width * c.channels;
    std::memset(to, 0, static_cast<size_t>(c.height * c.width * c.channels) * sizeof(float));
    for (int64_t row = 0; row < c.out_height; ++row) {
      turn_floats(grad + image * c.channels * places + row * c.out_width, places, c.channels, c.out_width, turned, c.channels);
      pool_row_back(c, images + image * image_words(c), turned, row, [&](int64_t y) { return to + y * c.width * c.channels; });
    }
  });
}

}  // namespace spikeledger::SPIKELEDGER_SET
