// Gradients of a convolution of spikes: of its weight, and of those of its inputs that are asked for. Both are sums over
// events, in which one event meets the currents' gradients around it. So these are taken in tiles that lie in the first cache,
// 16 filters of a piece of an image, and a channel's weights, or their sums, stay in registers while its events are listed.
#pragma once

#include "patches.hpp"

namespace spikeledger::SPIKELEDGER_SET {

// The gradient of one sample's currents at all steps, [W, filters] a row: as many rows as are kept, each in the place of one
// before it
struct Flow {
  float* at;
  int64_t step, kept, row;  // floats from step to step; rows; floats of one
  float* line(int64_t which, int64_t y) const { return at + which * step + y % kept * row; }
};

// What one task does of a sample: some rows of its inputs, and for these some of the gradients' rows, of which its own are a
// part that no other task has
struct Piece {
  int64_t sample, from, to, first, end, own_first, own_end;
};

// The first and last row of the outputs that rows of the inputs see
inline int64_t first_seen(const Convolution& c, int64_t y) {
  const int64_t top = y + c.padding_height - (c.kernel_height - 1) * c.dilation_height;
  return top <= 0 ? 0 : std::min(c.out_height - 1, (top + c.stride_height - 1) / c.stride_height);
}
inline int64_t last_seen(const Convolution& c, int64_t y) {
  return std::min(c.out_height - 1, (y + c.padding_height) / c.stride_height);
}

inline Piece piece_of(const Convolution& c, int64_t index, int64_t pieces) {
  const int64_t which = index % pieces;
  Piece p{index / pieces, which * c.height / pieces, (which + 1) * c.height / pieces, 0, 0, which * c.out_height / pieces,
          (which + 1) * c.out_height / pieces};
  p.first = std::min(p.own_first, first_seen(c, p.from)), p.end = std::max(p.own_end, last_seen(c, p.to - 1) + 1);
  return p;
}

// Pieces of an image of inputs, and what of the outputs sees one: `reach` more rows and columns, before it. Where windows are
// more than one apart, outputs lie as far apart in it, with zeros between.
struct Tiling {
  static constexpr int64_t kPlaces = 384;  // of 16 filters: three quarters of the first cache
  int64_t reach_rows, reach_columns, rows, columns, wide;

  explicit Tiling(const Convolution& c)
      : reach_rows((c.kernel_height - 1) * c.dilation_height), reach_columns((c.kernel_width - 1) * c.dilation_width),
        columns(std::min<int64_t>(c.width, 64)) {
    wide = columns + reach_columns;
    rows = std::clamp<int64_t>(kPlaces / wide - reach_rows, 1, c.height);
  }

  int64_t places() const { return (rows + reach_rows) * wide; }
  // from an event's place in the tile to what its tap sees there
  int64_t seen(const Convolution& c, int64_t line, int64_t tap) const {
    return (reach_rows - line * c.dilation_height) * wide + reach_columns - tap * c.dilation_width;
  }
};

struct Tile {
  int64_t y, x, rows, columns;
};

// A piece of an image's gradient at one step as [groups of 16 filters][places][16]: read once, in a row
inline void fill_tile(const Convolution& c, const Tiling& tiling, const Tile& tile, const Flow& flow, int64_t step, float* out) {
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
    if (y >= 0 && line * c.stride_height == y && line < c.out_height) {
      const float* from = flow.line(step, line);
      for (int64_t x = left < 0 ? 0 : (left + c.stride_width - 1) / c.stride_width; x < c.out_width; ++x) {
        const int64_t at = x * c.stride_width - left;
        if (at >= end) break;
        for (; place < at; ++place) put(to + place * kLanes, nullptr);
        put(to + place++ * kLanes, from + x * c.filters);
      }
    }
    for (; place < end; ++place) put(to + place * kLanes, nullptr);
  }
}

// Of a tile, the places of each channel's ones
class Listed {
 public:
  // Bits [channels, H, W]
  void list(const Convolution& c, const Tiling& tiling, const Tile& tile, const uint64_t* bits) {
    const int64_t count = tile.rows * tile.columns, words = words_of(c.channels * c.height * c.width);
    uint16_t* at = places_.at_least(c.channels * count + 64 + kPlacesAtOnce);
    begins_.at_least(c.channels + 1)[0] = 0;
    const uint16_t* start = at;
    if (tile.columns == c.width) {  // a channel's bits lie in a row
      if (map_count_ < count || map_columns_ != tile.columns || map_wide_ != tiling.wide) draw(tiling, tile);
      const uint32_t* map = map_.at_least(0);
      for (int64_t channel = 0; channel < c.channels; ++channel) {
        const int64_t first = (channel * c.height + tile.y) * c.width;
        for (int64_t bit = 0; bit < count; bit += 64) {
          const uint64_t some = bits_within(bits, words, first + bit, std::min<int64_t>(64, count - bit));
          if (some != 0) at = entries_of_ones(some, map + bit, at);
        }
        begins_.at_least(0)[channel + 1] = at - start;
      }
      return;
    }
    for (int64_t channel = 0; channel < c.channels; ++channel) {
      for (int64_t row = 0; row < tile.rows; ++row) {
        const uint64_t line = bits_within(bits, words, (channel * c.height + tile.y + row) * c.width + tile.x, tile.columns);
        if (line != 0) at = places_of_ones<1>(line, static_cast<uint16_t>(row * tiling.wide), at);
      }
      begins_.at_least(0)[channel + 1] = at - start;
    }
  }
  const uint16_t* of(int64_t channel) { return places_.at_least(0) + begins_.at_least(0)[channel]; }
  int64_t count(int64_t channel) { return begins_.at_least(0)[channel + 1] - begins_.at_least(0)[channel]; }
  int64_t begin(int64_t channel) { return begins_.at_least(0)[channel]; }

 private:
  static uint64_t bits_within(const uint64_t* words, int64_t size, int64_t bit, int64_t count) {
    const int64_t word = bit / 64, shift = bit % 64;  // past the last word lies nothing that is asked for
    return (words[word] >> shift | words[std::min(word + 1, size - 1)] << 1 << (63 - shift)) & low_bits(count);
  }

  // where in the tile each of its bits lies
  void draw(const Tiling& tiling, const Tile& tile) {
    map_count_ = tile.rows * tile.columns, map_columns_ = tile.columns, map_wide_ = tiling.wide;
    uint32_t* map = map_.at_least(map_count_ + 64);
    for (int64_t bit = 0; bit < map_count_; ++bit)
      map[bit] = static_cast<uint32_t>(bit / tile.columns * tiling.wide + bit % tile.columns);
    std::fill_n(map + map_count_, 64, 0u);
  }

  Buffer<uint16_t> places_;
  Buffer<int64_t> begins_;
  Buffer<uint32_t> map_;
  int64_t map_count_ = 0, map_columns_ = 0, map_wide_ = 0;
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

// Goes down the tiles of a piece, at each as soon as all that it sees is there
class TileWalk {
 public:
  TileWalk(const Convolution& c, const Piece& piece, const uint64_t* words)
      : c_(c), tiling_(c), piece_(piece), words_(words), next_(piece.from) {}

  static int64_t rows_seen(const Convolution& c) {
    const Tiling tiling(c);
    return (tiling.rows - 1 + tiling.reach_rows) / c.stride_height + 2;
  }

  // As far as the gradient's rows before `ready` allow. Of each tile calls before(its events), then
  // taps(events, group of 16 filters, channel, first tap, what this sees, rows and columns of taps, as types) until all that
  // fired have met all taps, then after(step, tile, events).
  template <typename Before, typename Taps, typename After>
  void advance(const Flow& flow, int64_t ready, const Before& before, const Taps& taps, const After& after) {
    static thread_local Buffer<float> buffer;
    static thread_local Listed listed;
    const int64_t groups = (c_.filters + kLanes - 1) / kLanes, words = words_of(c_.channels * c_.height * c_.width);
    float* held = buffer.at_least(groups * tiling_.places() * kLanes);
    for (; next_ < piece_.to; next_ += tiling_.rows) {
      const int64_t rows = std::min(tiling_.rows, piece_.to - next_);
      if (last_seen(c_, next_ + rows - 1) >= ready) return;
      for (int64_t step = 0; step < c_.steps; ++step)
        for (int64_t x = 0; x < c_.width; x += tiling_.columns) {
          const Tile tile{next_, x, rows, std::min(tiling_.columns, c_.width - x)};
          listed.list(c_, tiling_, tile, words_ + (step * c_.batch + piece_.sample) * words);
          before(listed);
          if (listed.begin(c_.channels) != 0) {
            fill_tile(c_, tiling_, tile, flow, step, held);
            for (int64_t group = 0; group < groups; ++group)
              for (int64_t channel = 0; channel < c_.channels; ++channel)
                if (listed.count(channel) != 0)
                  over_taps(c_, [&](auto tall, auto wide, int64_t line, int64_t tap) {
                    taps(listed, group, channel, line * c_.kernel_width + tap,
                         held + (group * tiling_.places() + tiling_.seen(c_, line, tap)) * kLanes, tall, wide);
                  });
          }
          after(step, tile, listed);
        }
    }
  }

  int64_t wide() const { return tiling_.wide; }
  int64_t down() const { return c_.dilation_height * tiling_.wide * kLanes; }  // floats from tap to tap
  int64_t across() const { return c_.dilation_width * kLanes; }

 private:
  const Convolution& c_;
  Tiling tiling_;
  const Piece& piece_;
  const uint64_t* words_;
  int64_t next_;
};

// Adds to the gradient of the weight, [groups of 16 filters][taps + 1][16], whose last row is the bias's
class WeightSums {
 public:
  WeightSums(const Convolution& c, const Piece& piece, float* sums) : c_(c), walk_(c, piece, c.words), sums_(sums) {}
  static int64_t size(const Convolution& c) { return (c.filters + kLanes - 1) / kLanes * (taps_of(c) + 1) * kLanes; }

  void advance(const Flow& flow, int64_t ready) {
    const int64_t taps = taps_of(c_), window = c_.kernel_height * c_.kernel_width;
    walk_.advance(
        flow, ready, [](Listed&) {},
        [&](Listed& listed, int64_t group, int64_t channel, int64_t tap, const float* seen, auto tall, auto wide) {
          add_taps<tall, wide>(listed.of(channel), listed.count(channel), seen, walk_.down(), walk_.across(),
                               sums_ + (group * (taps + 1) + channel * window + tap) * kLanes);
        },
        [](int64_t, const Tile&, Listed&) {});
  }

  // The bias's, of one row
  void add_bias(const Flow& flow, int64_t y) {
    const int64_t taps = taps_of(c_);
    for (int64_t group = 0; group * kLanes < c_.filters; ++group) {
      float* to = sums_ + (group * (taps + 1) + taps) * kLanes;
      Lanes sum = load(to);
      for (int64_t step = 0; step < c_.steps; ++step) {
        const float* line = flow.line(step, y) + group * kLanes;
        for (int64_t x = 0; x < c_.out_width; ++x) sum += load(line + x * c_.filters, c_.filters - group * kLanes);
      }
      store(to, sum);
    }
  }

 private:
  const Convolution& c_;
  TileWalk walk_;
  float* sums_;
};

// Shares of the weight's gradient, one behind the other, to weight [filters, channels, kernel] and bias (or null)
inline void put_weight(const Convolution& c, float* sums, int64_t shares, float* to_weight, float* to_bias) {
  const int64_t taps = taps_of(c), size = WeightSums::size(c);
  parallel((c.filters + kLanes - 1) / kLanes, c.threads, [&](int64_t group) {
    const int64_t here = std::min<int64_t>(kLanes, c.filters - group * kLanes);
    float* first = sums + group * (taps + 1) * kLanes;
    for (int64_t share = 1; share < shares; ++share)
      for (int64_t n = 0; n < (taps + 1) * kLanes; n += kLanes) store(first + n, load(first + n) + load(first + share * size + n));
    turn_floats(first, kLanes, taps, here, to_weight + group * kLanes * taps, taps);
    if (to_bias != nullptr) store(to_bias + group * kLanes, load(first + taps * kLanes), here);
  });
}

// Gradient of the inputs [T * B, height, width, channels] where `near`, [T * B, channels, height, width], has ones, and zero
// elsewhere
class SampledInput {
 public:
  SampledInput(const Convolution& c, const Piece& piece, const uint64_t* near, const float* arranged, float* out)
      : c_(c), walk_(c, piece, near), piece_(piece), arranged_(arranged), out_(out) {}

  // The weight as [groups of 16 filters][taps][16]
  static const float* arrange(const Convolution& c, const float* weight, Buffer<float>& buffer) {
    const int64_t taps = taps_of(c), groups = (c.filters + kLanes - 1) / kLanes;
    float* arranged = buffer.at_least(groups * taps * kLanes);
    if (c.filters % kLanes != 0) std::memset(arranged, 0, static_cast<size_t>(groups * taps * kLanes) * sizeof(float));
    for (int64_t group = 0; group < groups; ++group)
      turn_floats(weight + group * kLanes * taps, taps, std::min<int64_t>(kLanes, c.filters - group * kLanes), taps,
                  arranged + group * taps * kLanes, kLanes);
    return arranged;
  }

  void advance(const Flow& flow, int64_t ready) {
    static thread_local Buffer<float> buffer;
    const int64_t taps = taps_of(c_), window = c_.kernel_height * c_.kernel_width;
    float* partial = nullptr;
    walk_.advance(
        flow, ready, [&](Listed& listed) { partial = buffer.at_least(listed.begin(c_.channels) * kLanes + 1); },
        [&](Listed& listed, int64_t group, int64_t channel, int64_t tap, const float* seen, auto tall, auto wide) {
          take_taps<tall, wide>(listed.of(channel), listed.count(channel), seen, walk_.down(), walk_.across(),
                                arranged_ + (group * taps + channel * window + tap) * kLanes, group == 0 && tap == 0,
                                partial + listed.begin(channel) * kLanes);
        },
        [&](int64_t step, const Tile& tile, Listed& listed) {
          float* to = out_ + ((step * c_.batch + piece_.sample) * c_.height + tile.y) * c_.width * c_.channels;
          for (int64_t row = 0; row < tile.rows; ++row)
            std::memset(to + (row * c_.width + tile.x) * c_.channels, 0, static_cast<size_t>(tile.columns * c_.channels) * sizeof(float));
          const auto across = static_cast<uint32_t>(walk_.wide());
          for (int64_t channel = 0; channel < c_.channels; ++channel) {
            const uint16_t* list = listed.of(channel);
            const float* of = partial + listed.begin(channel) * kLanes;
            for (int64_t n = 0; n < listed.count(channel); ++n) {
              const uint32_t row = list[n] / across, column = list[n] - row * across;
              to[(row * c_.width + tile.x + column) * c_.channels + channel] = sum_of(load(of + n * kLanes));
            }
          }
        });
  }

 private:
  const Convolution& c_;
  TileWalk walk_;
  const Piece& piece_;
  const float* arranged_;
  float* out_;
};

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
