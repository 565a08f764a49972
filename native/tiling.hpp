// On the way back through a convolution each event of its inputs meets the currents' gradients around it. So these are taken in
// tiles that lie in the first cache, 16 filters of a piece of an image, and a channel's weights, or their sums, stay in registers
// while its events are listed.
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
  static constexpr int64_t kKnown[] = {18, 32, 36, 68};
  int64_t reach_rows, reach_columns, rows, columns, wide;

  explicit Tiling(const Convolution& c)
      : reach_rows((c.kernel_height - 1) * c.dilation_height), reach_columns((c.kernel_width - 1) * c.dilation_width),
        columns(std::min<int64_t>(c.width, 64)) {
    wide = columns + reach_columns;
    if (c.kernel_height == 3 && c.kernel_width == 3 && c.dilation_height == 1 && c.dilation_width == 1)
      for (const int64_t known : kKnown)  // a little wider, so that places from tap to tap are constants
        if (wide <= known) {
          wide = known;
          break;
        }
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
  const int64_t end = tile.columns + tiling.reach_columns, size = tiling.places() * kLanes, filters = c.filters;
  const auto put = [=](float* to, const float* from) {
    for (int64_t filter = 0; filter < filters; filter += kLanes, to += size)
      store(to, from == nullptr ? splat(0.0f) : load(from + filter, filters - filter));
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
        put(to + place++ * kLanes, from + x * filters);
      }
    }
    for (; place < end; ++place) put(to + place * kLanes, nullptr);
  }
}

// Of a tile, the places of each channel's ones, of all levels
class Listed {
 public:
  // Bits [channels, H, W]
  void list(const Convolution& c, const Tiling& tiling, const Tile& tile, const uint64_t* bits) {
    const int64_t count = tile.rows * tile.columns, words = words_of(depth_of(c) * c.height * c.width);
    uint16_t* at = places_.at_least(depth_of(c) * count + 64 + kPlacesAtOnce);
    begins_.at_least(c.channels + 1)[0] = 0;
    const uint16_t* start = at;
    if (tile.columns == c.width) {  // a channel's bits lie in a row
      if (map_count_ < count || map_columns_ != tile.columns || map_wide_ != tiling.wide) draw(tiling, tile);
      const uint32_t* map = map_.at_least(0);
      for (int64_t channel = 0; channel < c.channels; ++channel) {
        for (int64_t level = channel; level < depth_of(c); level += c.channels) {
          const int64_t first = (level * c.height + tile.y) * c.width;
          for (int64_t bit = 0; bit < count; bit += 64) {
            const uint64_t some = bits_within(bits, words, first + bit, std::min<int64_t>(64, count - bit));
            if (some != 0) at = entries_of_ones(some, map + bit, at);
          }
        }
        begins_.at_least(0)[channel + 1] = at - start;
      }
      return;
    }
    for (int64_t channel = 0; channel < c.channels; ++channel) {
      for (int64_t level = channel; level < depth_of(c); level += c.channels)
        for (int64_t row = 0; row < tile.rows; ++row) {
          const uint64_t line = bits_within(bits, words, (level * c.height + tile.y + row) * c.width + tile.x, tile.columns);
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

// Some taps of a kernel, `tall` rows of `wide`, as far apart (in floats) as `down` and `across` say, unless rows lie `known`
// places apart and taps beside each other
template <int tall, int wide, int known>
struct Taps {
  int64_t down, across;

  auto* at(auto* place, int line, int tap) const {
    if constexpr (known != 0) return place - line * (known * kLanes) - tap * kLanes;
    else return place - line * down - tap * across;
  }

  // Of what each event sees, the sum
  void add(const uint16_t* list, int64_t count, const float* tile, float* sums) const {
    Lanes sum[tall][wide];
    for (int line = 0; line < tall; ++line)
      for (int tap = 0; tap < wide; ++tap) sum[line][tap] = load(sums + (line * wide + tap) * kLanes);
    for (int64_t n = 0; n < count; ++n) {
      const float* place = tile + list[n] * kLanes;
      for (int line = 0; line < tall; ++line)
        for (int tap = 0; tap < wide; ++tap) sum[line][tap] += load(at(place, line, tap));
    }
    for (int line = 0; line < tall; ++line)
      for (int tap = 0; tap < wide; ++tap) store(sums + (line * wide + tap) * kLanes, sum[line][tap]);
  }

  // The other way: of each event what the weights make of what they see, 16 partial sums
  void take(const uint16_t* list, int64_t count, const float* tile, const float* weight, bool begins, float* partial) const {
    Lanes of[tall][wide];
    read(weight, of);
    for (int64_t n = 0; n < count; ++n) {
      const float* place = tile + list[n] * kLanes;
      Lanes sum[2] = {begins ? splat(0.0f) : load(partial + n * kLanes), splat(0.0f)};
      for (int line = 0; line < tall; ++line)
        for (int tap = 0; tap < wide; ++tap) {
          Lanes& own = sum[(line * wide + tap) % 2];
          own = multiply_add(load(at(place, line, tap)), of[line][tap], own);
        }
      store(partial + n * kLanes, sum[0] + sum[1]);
    }
  }

 private:
  static void read(const float* weight, Lanes (&of)[tall][wide]) {
    for (int line = 0; line < tall; ++line)
      for (int tap = 0; tap < wide; ++tap) of[line][tap] = load(weight + (line * wide + tap) * kLanes);
  }
};

// Calls work(taps, first line, first tap) so that all of a kernel are taken, many at a time
template <typename Work>
void over_taps(const Convolution& c, const Tiling& tiling, const Work& work) {
  const int64_t down = c.dilation_height * tiling.wide * kLanes, across = c.dilation_width * kLanes;
  if (c.kernel_height == 3 && c.kernel_width == 3) {
    if (c.dilation_height == 1 && c.dilation_width == 1)
      switch (tiling.wide) {
        case 18: return work(Taps<3, 3, 18>{down, across}, 0, 0);
        case 32: return work(Taps<3, 3, 32>{down, across}, 0, 0);
        case 36: return work(Taps<3, 3, 36>{down, across}, 0, 0);
        case 68: return work(Taps<3, 3, 68>{down, across}, 0, 0);
      }
    return work(Taps<3, 3, 0>{down, across}, 0, 0);
  }
  for (int64_t line = 0; line < c.kernel_height; ++line)
    for (int64_t tap = 0; tap < c.kernel_width;) {
      const int64_t left = c.kernel_width - tap, here = left >= 5 ? 5 : left >= 3 ? 3 : 1;
      if (here == 5) work(Taps<1, 5, 0>{down, across}, line, tap);
      else if (here == 3) work(Taps<1, 3, 0>{down, across}, line, tap);
      else work(Taps<1, 1, 0>{down, across}, line, tap);
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
  // meets(events, group of 16 filters, channel, first tap, what this sees, taps) until all that fired have met all taps, then
  // after(step, tile, events).
  template <typename Before, typename Meets, typename After>
  void advance(const Flow& flow, int64_t ready, const Before& before, const Meets& meets, const After& after) {
    for (; next_ < piece_.to; next_ += tiling_.rows) {
      if (last_seen(c_, next_ + rows_here() - 1) >= ready) return;
      over_tiles_here([&](int64_t step, const Tile& tile, Listed& listed, float* held) {
        before(listed);
        if (listed.begin(c_.channels) != 0) {
          fill_tile(c_, tiling_, tile, flow, step, held);
          meet(listed, held, meets);
        }
        after(step, tile, listed);
      });
    }
  }

  int64_t wide() const { return tiling_.wide; }

 private:
  int64_t rows_here() const { return std::min(tiling_.rows, piece_.to - next_); }

  // Calls work(step, tile, its events, room for what they see) for all tiles of the next rows
  template <typename Work>
  void over_tiles_here(const Work& work) {
    static thread_local Buffer<float> buffer;
    static thread_local Listed listed;
    const int64_t groups = (c_.filters + kLanes - 1) / kLanes, words = words_of(depth_of(c_) * c_.height * c_.width);
    float* held = buffer.at_least(groups * tiling_.places() * kLanes);
    for (int64_t step = 0; step < c_.steps; ++step)
      for (int64_t x = 0; x < c_.width; x += tiling_.columns) {
        const Tile tile{next_, x, rows_here(), std::min(tiling_.columns, c_.width - x)};
        listed.list(c_, tiling_, tile, words_ + (step * c_.batch + piece_.sample) * words);
        work(step, tile, listed, held);
      }
  }

  template <typename Meets>
  void meet(Listed& listed, float* held, const Meets& meets) {
    for (int64_t group = 0; group * kLanes < c_.filters; ++group)
      for (int64_t channel = 0; channel < c_.channels; ++channel)
        if (listed.count(channel) != 0)
          over_taps(c_, tiling_, [&](const auto& some, int64_t line, int64_t tap) {
            meets(listed, group, channel, line * c_.kernel_width + tap,
                  held + (group * tiling_.places() + tiling_.seen(c_, line, tap)) * kLanes, some);
          });
  }

  const Convolution& c_;
  Tiling tiling_;
  const Piece& piece_;
  const uint64_t* words_;
  int64_t next_;
};

// The weight as [groups of 16 filters][taps][16]
inline const float* arrange_taps(const Convolution& c, const float* weight, Buffer<float>& buffer) {
  const int64_t taps = taps_of(c), groups = (c.filters + kLanes - 1) / kLanes;
  float* arranged = buffer.at_least(groups * taps * kLanes);
  if (c.filters % kLanes != 0) std::memset(arranged, 0, static_cast<size_t>(groups * taps * kLanes) * sizeof(float));
  for (int64_t group = 0; group < groups; ++group)
    turn_floats(weight + group * kLanes * taps, taps, std::min<int64_t>(kLanes, c.filters - group * kLanes), taps,
                arranged + group * taps * kLanes, kLanes);
  return arranged;
}

}  // namespace spikeledger::SPIKELEDGER_SET
