// Gradients of a convolution of spikes that are sums over events: of its weight, and of those of its inputs that are asked for.
#pragma once

#include "tiling.hpp"

namespace spikeledger::SPIKELEDGER_SET {

// Adds to the gradient of the weight, [groups of 16 filters][taps + 1][16], whose last row is the bias's
class WeightSums {
 public:
  WeightSums(const Convolution& c, const Piece& piece, float* sums) : c_(c), walk_(c, piece, c.words), sums_(sums) {}
  static int64_t size(const Convolution& c) { return (c.filters + kLanes - 1) / kLanes * (taps_of(c) + 1) * kLanes; }

  void advance(const Flow& flow, int64_t ready) {
    const int64_t taps = taps_of(c_), window = c_.kernel_height * c_.kernel_width;
    walk_.advance(
        flow, ready, [](Listed&) {},
        [&](Listed& listed, int64_t group, int64_t channel, int64_t tap, const float* seen, const auto& some) {
          some.add(listed.of(channel), listed.count(channel), seen, sums_ + (group * (taps + 1) + channel * window + tap) * kLanes);
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

  void advance(const Flow& flow, int64_t ready) {
    static thread_local Buffer<float> buffer;
    const int64_t taps = taps_of(c_), window = c_.kernel_height * c_.kernel_width;
    float* partial = nullptr;
    walk_.advance(
        flow, ready, [&](Listed& listed) { partial = buffer.at_least(listed.begin(c_.channels) * kLanes + 1); },
        [&](Listed& listed, int64_t group, int64_t channel, int64_t tap, const float* seen, const auto& some) {
          some.take(listed.of(channel), listed.count(channel), seen, arranged_ + (group * taps + channel * window + tap) * kLanes,
                    group == 0 && tap == 0, partial + listed.begin(channel) * kLanes);
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

}  // namespace spikeledger::SPIKELEDGER_SET
