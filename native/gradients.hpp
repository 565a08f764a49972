// Gradients of a convolution of spikes: of its weight, and of those of its inputs that are asked for. Both are sums over
// events, in which one event meets the currents' gradients around it. So these are taken in tiles that lie in the first cache,
// 16 filters of a piece of an image, and a channel's weights, or their sums, stay in registers while its events are listed.
#pragma once

#include "patches.hpp"

namespace spikeledger::SPIKELEDGER_SET {

// Pieces of an image of inputs, and what of the outputs sees one: `reach` more rows and columns, before it. Where windows are
// more than one apart, outputs lie as far apart in it, with zeros between.
struct Tiling {
  static constexpr int64_t kPlaces = 384;  // of 16 filters: three quarters of the first cache
  int64_t reach_rows, reach_columns, rows, columns, wide, down, across;

  explicit Tiling(const Convolution& c)
      : reach_rows((c.kernel_height - 1) * c.dilation_height), reach_columns((c.kernel_width - 1) * c.dilation_width),
        columns(std::min<int64_t>(c.width, 64)) {
    wide = columns + reach_columns;
    rows = std::clamp<int64_t>(kPlaces / wide - reach_rows, 1, c.height);
    down = (c.height + rows - 1) / rows, across = (c.width + columns - 1) / columns;
  }

  int64_t places() const { return (rows + reach_rows) * wide; }
  // from an event's place in the tile to what its tap sees there
  int64_t seen(const Convolution& c, int64_t line, int64_t tap) const {
    return (reach_rows - line * c.dilation_height) * wide + reach_columns - tap * c.dilation_width;
  }
};

struct Tile {
  int64_t y, x, rows, columns;
  Tile(const Convolution& c, const Tiling& tiling, int64_t index)
      : y(index / tiling.across * tiling.rows), x(index % tiling.across * tiling.columns),
        rows(std::min(tiling.rows, c.height - y)), columns(std::min(tiling.columns, c.width - x)) {}
};

// A piece of an image's gradient [H, W, filters] as [groups of 16 filters][places][16]: read once, in a row
inline void fill_tile(const Convolution& c, const Tiling& tiling, const Tile& tile, const float* grad, float* out) {
  const int64_t top = tile.y + c.padding_height - tiling.reach_rows, left = tile.x + c.padding_width - tiling.reach_columns;
  const int64_t end = tile.columns + tiling.reach_columns, size = tiling.places() * kLanes;
  const auto put = [&](float* to, const float* from) {
    for (int64_t filter = 0; filter < c.filters; filter += kLanes, to += size)
      store(to, from == nullptr ? splat(0.0f) : load(from + filter, c.filters - filter));
  };
  for (int64_t row = 0; row < tile.rows + tiling.reach_rows; ++row) {
    float* to = out + row * tiling.wide * kLanes;
    const int64_t y = top + row, line = c.stride_height == 1 ? y : y / c.stride_height;
    int64_t place = 0;  // the outputs that lie in this row, and zeros around and between
    if (y >= 0 && line * c.stride_height == y && line < c.out_height)
      for (int64_t x = left < 0 ? 0 : (left + c.stride_width - 1) / c.stride_width; x < c.out_width; ++x) {
        const int64_t at = x * c.stride_width - left;
        if (at >= end) break;
        for (; place < at; ++place) put(to + place * kLanes, nullptr);
        put(to + place++ * kLanes, grad + (line * c.out_width + x) * c.filters);
      }
    for (; place < end; ++place) put(to + place * kLanes, nullptr);
  }
}

// Of a tile, the places of each channel's ones
class Listed {
 public:
  // Bits [channels, H, W], with a word to read past the last
  void list(const Convolution& c, const Tiling& tiling, const Tile& tile, const uint64_t* bits) {
    uint16_t* at = places_.at_least(c.channels * tile.rows * tile.columns + 64 + kPlacesAtOnce);
    begins_.at_least(c.channels + 1)[0] = 0;
    const uint16_t* start = at;
    for (int64_t channel = 0; channel < c.channels; ++channel) {
      for (int64_t row = 0; row < tile.rows; ++row) {
        const uint64_t line = get_bits(bits, (channel * c.height + tile.y + row) * c.width + tile.x, tile.columns);
        const auto base = static_cast<uint16_t>(row * tiling.wide);
        if (line != 0) at = tile.columns <= 32 ? places_of_ones<1, 32>(line, base, at) : places_of_ones<1>(line, base, at);
      }
      begins_.at_least(0)[channel + 1] = at - start;
    }
  }
  const uint16_t* of(int64_t channel) { return places_.at_least(0) + begins_.at_least(0)[channel]; }
  int64_t count(int64_t channel) { return begins_.at_least(0)[channel + 1] - begins_.at_least(0)[channel]; }
  int64_t begin(int64_t channel) { return begins_.at_least(0)[channel]; }

 private:
  Buffer<uint16_t> places_;
  Buffer<int64_t> begins_;
};

// Some taps of a kernel, `tall` rows of `wide`, as far apart (in floats) as `down` and `across` say
template <int tall, int wide>
void add_taps(const uint16_t* list, int64_t count, const float* tile, int64_t down, int64_t across, float* sums) {
  Lanes sum[tall][wide];
  for (int line = 0; line < tall; ++line)
    for (int tap = 0; tap < wide; ++tap) sum[line][tap] = load(sums + (line * wide + tap) * kLanes);
  for (int64_t n = 0; n < count; ++n) {
    const float* at = tile + list[n] * kLanes;
    for (int line = 0; line < tall; ++line)
      for (int tap = 0; tap < wide; ++tap) sum[line][tap] += load(at - line * down - tap * across);
  }
  for (int line = 0; line < tall; ++line)
    for (int tap = 0; tap < wide; ++tap) store(sums + (line * wide + tap) * kLanes, sum[line][tap]);
}

// The other way: of each event what the weights of these taps make of what they see, 16 partial sums
template <int tall, int wide>
void take_taps(const uint16_t* list, int64_t count, const float* tile, int64_t down, int64_t across, const float* weight,
               bool begins, float* partial) {
  Lanes of[tall][wide];
  for (int line = 0; line < tall; ++line)
    for (int tap = 0; tap < wide; ++tap) of[line][tap] = load(weight + (line * wide + tap) * kLanes);
  for (int64_t n = 0; n < count; ++n) {
    const float* at = tile + list[n] * kLanes;
    Lanes sum[2] = {begins ? splat(0.0f) : load(partial + n * kLanes), splat(0.0f)};
    for (int line = 0; line < tall; ++line)
      for (int tap = 0; tap < wide; ++tap) {
        Lanes& own = sum[(line * wide + tap) % 2];
        own = multiply_add(load(at - line * down - tap * across), of[line][tap], own);
      }
    store(partial + n * kLanes, sum[0] + sum[1]);
  }
}

// Calls work(rows of taps, taps of a row, first line, first tap) so that all of a kernel are taken, many at a time: the first
// two come as types.
template <typename Work>
void over_taps(const Convolution& c, const Work& work) {
  if (c.kernel_height == 3 && c.kernel_width == 3) return work(std::integral_constant<int, 3>(), std::integral_constant<int, 3>(), 0, 0);
  for (int64_t line = 0; line < c.kernel_height; ++line)
    for (int64_t tap = 0; tap < c.kernel_width;) {
      const int64_t left = c.kernel_width - tap, here = left >= 5 ? 5 : left >= 3 ? 3 : 1;
      constexpr std::integral_constant<int, 1> one;
      if (here == 5) work(one, std::integral_constant<int, 5>(), line, tap);
      else if (here == 3) work(one, std::integral_constant<int, 3>(), line, tap);
      else work(one, one, line, tap);
      tap += here;
    }
}

// Bits of one image where a word more may be read
inline const uint64_t* with_end(const uint64_t* words, int64_t size) {
  static thread_local Buffer<uint64_t> buffer;
  uint64_t* bits = buffer.at_least(size + 1);
  std::memcpy(bits, words, static_cast<size_t>(size) * sizeof(uint64_t));
  bits[size] = 0;
  return bits;
}

// Gradients of weight [filters, channels, kernel] and bias (or null) from that of the currents [T * B, H, W, filters].
// The shares of the images are the same for any number of threads, and so is the order of the sums.
inline void convolve_weight(const Convolution& c, const float* grad, float* to_weight, float* to_bias) {
  const Tiling tiling(c);
  const int64_t taps = taps_of(c), window = c.kernel_height * c.kernel_width, places = c.out_height * c.out_width;
  const int64_t groups = (c.filters + kLanes - 1) / kLanes, size = groups * (taps + 1) * kLanes;  // the last are the bias's
  const int64_t total = c.steps * c.batch, words = words_of(c.channels * c.height * c.width);
  const int64_t shares = std::clamp<int64_t>(std::min(total / 8, (1 << 21) / size), 1, 16);
  static thread_local Buffer<float> sum_buffer;
  float* sums = sum_buffer.at_least(shares * size);
  parallel(shares, c.threads, [&](int64_t share) {
    static thread_local Buffer<float> tile_buffer;
    static thread_local Listed listed;
    float *tile_values = tile_buffer.at_least(groups * tiling.places() * kLanes), *own = sums + share * size;
    std::memset(own, 0, static_cast<size_t>(size) * sizeof(float));
    for (int64_t image = share * total / shares; image < (share + 1) * total / shares; ++image) {
      const uint64_t* bits = with_end(c.words + image * words, words);
      const float* flow = grad + image * places * c.filters;
      for (int64_t group = 0; group < groups && to_bias != nullptr; ++group) {
        float* to = own + (group * (taps + 1) + taps) * kLanes;
        Lanes sum = load(to);
        for (int64_t place = 0; place < places; ++place) sum += load(flow + place * c.filters + group * kLanes, c.filters - group * kLanes);
        store(to, sum);
      }
      for (int64_t index = 0; index < tiling.down * tiling.across; ++index) {
        const Tile tile(c, tiling, index);
        listed.list(c, tiling, tile, bits);
        fill_tile(c, tiling, tile, flow, tile_values);
        for (int64_t group = 0; group < groups; ++group) {
          const float* values = tile_values + group * tiling.places() * kLanes;
          for (int64_t channel = 0; channel < c.channels; ++channel) {
            const int64_t count = listed.count(channel);
            if (count == 0) continue;
            over_taps(c, [&](auto tall, auto wide, int64_t line, int64_t tap) {
              add_taps<tall, wide>(listed.of(channel), count, values + tiling.seen(c, line, tap) * kLanes,
                                   c.dilation_height * tiling.wide * kLanes, c.dilation_width * kLanes,
                                   own + (group * (taps + 1) + channel * window + line * c.kernel_width + tap) * kLanes);
            });
          }
        }
      }
    }
  });
  parallel(groups, c.threads, [&](int64_t group) {
    const int64_t here = std::min<int64_t>(kLanes, c.filters - group * kLanes);
    float* first = sums + group * (taps + 1) * kLanes;
    for (int64_t share = 1; share < shares; ++share)
      for (int64_t n = 0; n < (taps + 1) * kLanes; n += kLanes) store(first + n, load(first + n) + load(first + share * size + n));
    turn_floats(first, kLanes, taps, here, to_weight + group * kLanes * taps, taps);
    if (to_bias != nullptr) store(to_bias + group * kLanes, load(first + taps * kLanes), here);
  });
}

// Gradient of the inputs [T * B, height, width, channels] where the words, [T * B, channels, height, width], have ones, and
// zero elsewhere
inline void convolve_input(const Convolution& c, const float* grad, const float* weight, float* out) {
  const Tiling tiling(c);
  const int64_t taps = taps_of(c), window = c.kernel_height * c.kernel_width, places = c.out_height * c.out_width;
  const int64_t groups = (c.filters + kLanes - 1) / kLanes, words = words_of(c.channels * c.height * c.width);
  static thread_local Buffer<float> weight_buffer;
  float* arranged = weight_buffer.at_least(groups * taps * kLanes);
  if (c.filters % kLanes != 0) std::memset(arranged, 0, static_cast<size_t>(groups * taps * kLanes) * sizeof(float));
  for (int64_t group = 0; group < groups; ++group)
    turn_floats(weight + group * kLanes * taps, taps, std::min<int64_t>(kLanes, c.filters - group * kLanes), taps,
                arranged + group * taps * kLanes, kLanes);
  parallel(c.steps * c.batch, c.threads, [&](int64_t image) {
    static thread_local Buffer<float> tile_buffer, partial_buffer;
    static thread_local Listed listed;
    float* tile_values = tile_buffer.at_least(groups * tiling.places() * kLanes);
    const uint64_t* bits = with_end(c.words + image * words, words);
    float* to = out + image * c.height * c.width * c.channels;
    std::memset(to, 0, static_cast<size_t>(c.height * c.width * c.channels) * sizeof(float));
    for (int64_t index = 0; index < tiling.down * tiling.across; ++index) {
      const Tile tile(c, tiling, index);
      listed.list(c, tiling, tile, bits);
      float* partial = partial_buffer.at_least(listed.begin(c.channels) * kLanes + 1);
      fill_tile(c, tiling, tile, grad + image * places * c.filters, tile_values);
      for (int64_t group = 0; group < groups; ++group) {
        const float* values = tile_values + group * tiling.places() * kLanes;
        for (int64_t channel = 0; channel < c.channels; ++channel) {
          const int64_t count = listed.count(channel);
          if (count == 0) continue;
          over_taps(c, [&](auto tall, auto wide, int64_t line, int64_t tap) {
            take_taps<tall, wide>(listed.of(channel), count, values + tiling.seen(c, line, tap) * kLanes,
                                  c.dilation_height * tiling.wide * kLanes, c.dilation_width * kLanes,
                                  arranged + (group * taps + channel * window + line * c.kernel_width + tap) * kLanes,
                                  group == 0 && line == 0 && tap == 0, partial + listed.begin(channel) * kLanes);
          });
        }
      }
      for (int64_t channel = 0; channel < c.channels; ++channel) {
        const uint16_t* list = listed.of(channel);
        const float* of = partial + listed.begin(channel) * kLanes;
        for (int64_t n = 0; n < listed.count(channel); ++n) {
          const auto row = static_cast<uint32_t>(list[n]) / static_cast<uint32_t>(tiling.wide), column = list[n] - row * static_cast<uint32_t>(tiling.wide);
          to[((tile.y + row) * c.width + tile.x + column) * c.channels + channel] = sum_of(load(of + n * kLanes));
        }
      }
    }
  });
}

// The gradient of max pooling goes to the first of a window's spikes, or to its first place inside the image, as torch's
// does: from [T * B, channels, out_height, out_width] to [T * B, height, width, channels], 16 channels at a time.
inline void max_pool_back(const Convolution& c, const float* grad, float* out) {
  static thread_local Buffer<uint64_t> image_buffer;
  uint64_t* images = image_buffer.at_least(c.steps * c.batch * image_words(c));
  arrange_images(c, images);
  const int64_t places = c.out_height * c.out_width, row_size = row_words(c);
  parallel(c.steps * c.batch, c.threads, [&](int64_t image) {
    static thread_local Buffer<float> turned_buffer;
    float* turned = turned_buffer.at_least(c.out_width * c.channels);
    const uint64_t* rows = images + image * image_words(c);
    float* to = out + image * c.height * c.width * c.channels;
    std::memset(to, 0, static_cast<size_t>(c.height * c.width * c.channels) * sizeof(float));
    for (int64_t row = 0; row < c.out_height; ++row) {
      turn_floats(grad + image * c.channels * places + row * c.out_width, places, c.channels, c.out_width, turned, c.channels);
      for (int64_t column = 0; column < c.out_width; ++column) {
        // calls work(place in the padded image's row, its bits, place in the image) for each of the window's places in it
        const auto over_window = [&](const auto& work) {
          for (int64_t line = 0; line < c.kernel_height; ++line) {
            const int64_t y = row * c.stride_height + line * c.dilation_height, at = y - c.padding_height;
            if (at < 0 || at >= c.height) continue;
            for (int64_t tap = 0; tap < c.kernel_width; ++tap) {
              const int64_t x = column * c.stride_width + tap * c.dilation_width, beside = x - c.padding_width;
              if (beside < 0 || beside >= c.width) continue;
              work(rows + y * row_size, x, to + (at * c.width + beside) * c.channels);
            }
          }
        };
        for (int64_t channel = 0; channel < c.channels; channel += kLanes) {
          const int64_t rest = std::min<int64_t>(kLanes, c.channels - channel);
          const Lanes flow = load(turned + column * c.channels + channel, rest);
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
  });
}

}  // namespace spikeledger::SPIKELEDGER_SET
