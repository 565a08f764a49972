// The way back through a convolution and the neurons behind it: a row of the image's neurons at all steps, then what of the
// gradients of weight and inputs this row completes, while it lies in cache. The gradient of the currents is nowhere whole,
// unless somebody asks for it.
#pragma once

#include "filtering.hpp"
#include "neurons.hpp"
#include "pooling.hpp"

namespace spikeledger::SPIKELEDGER_SET {

// The way back of the neurons of one row of a sample's outputs
class RowBackward {
 public:
  // What came back through pooling: of all rows of the window that was asked for last
  struct Pooled {
    Buffer<float> held;
    int64_t sample = -1, window = -1;
  };

  RowBackward(const Convolution& c, const ConvolutionBackward& g)
      : c_(c), g_(g), learn_(learn_track_of(g.reset, g.delayed, g.surrogate)), lanes_(track_lanes(c.steps)), band_(band_rows(c)) {
    if (g.pool == nullptr || g.pool_divisor != 0) return;
    static thread_local Buffer<uint64_t> buffer;
    uint64_t* images = buffer.at_least(c.steps * c.batch * image_words(*g.pool));
    arrange_images(*g.pool, images);
    images_ = images;
  }

  void run(int64_t sample, int64_t y, const Flow& flow, bool own, Pooled& pooled) const {
    const int64_t row = c_.out_width * c_.filters, places = c_.out_height * c_.out_width, place = sample * places + y * c_.out_width;
    const float* arrived = g_.spikes + place * c_.filters;
    int64_t arrived_step = c_.batch * places * c_.filters;
    if (g_.pool != nullptr) {
      const int64_t tall = g_.pool->kernel_height;
      if (pooled.sample != sample || pooled.window != y / tall) spread(sample, y / tall, pooled);
      arrived = pooled.held.at_least(0) + y % tall * row, arrived_step = tall * row;
    } else if (!g_.channels_last) {
      static thread_local Buffer<float> buffer;
      float* turned = buffer.at_least(c_.steps * row);
      for (int64_t step = 0; step < c_.steps; ++step)
        turn_floats(g_.spikes + (step * c_.batch + sample) * places * c_.filters + y * c_.out_width, places, c_.filters,
                    c_.out_width, turned + step * row, c_.filters);
      arrived = turned, arrived_step = row;
    }
    // currents lie band by band, as `convolve_fire` left them
    const int64_t first = y / band_ * band_, rows = std::min(band_, c_.out_height - first);
    const float* currents = g_.currents + (sample * c_.out_height + first) * c_.steps * row + (y - first) * row;
    float* to_beta = g_.beta_grad != nullptr && own ? g_.beta_grad + place * c_.filters : nullptr;
    if (to_beta != nullptr) std::memset(to_beta, 0, static_cast<size_t>(row) * sizeof(float));
    for (int64_t n = 0; n < row; n += lanes_)
      learn_({c_.steps, std::min(lanes_, row - n), g_.threshold, g_.bar, g_.beta + y * row + n, nullptr, currents + n, rows * row,
              arrived + n, arrived_step, nullptr, g_.slope, flow.line(0, y) + n, flow.step, nullptr,
              to_beta != nullptr ? to_beta + n : nullptr});
  }

 private:
  // The gradients of a row of windows, which lie beside each other, to their rows: [T][rows][W, filters]
  void spread(int64_t sample, int64_t window, Pooled& pooled) const {
    const Convolution& p = *g_.pool;
    const int64_t row = c_.out_width * c_.filters, size = p.kernel_height * row, places = p.out_height * p.out_width;
    float* to = pooled.held.at_least(c_.steps * size);
    pooled.sample = sample, pooled.window = window;
    std::memset(to, 0, static_cast<size_t>(c_.steps * size) * sizeof(float));
    if (window >= p.out_height) return;
    static thread_local Buffer<float> buffer;
    float* turned = buffer.at_least(p.out_width * p.channels);
    for (int64_t step = 0; step < c_.steps; ++step, to += size) {
      const int64_t image = step * c_.batch + sample;
      const float* arrived = g_.spikes + (image * places + window * p.out_width) * p.channels;
      if (!g_.channels_last) {
        turn_floats(g_.spikes + image * p.channels * places + window * p.out_width, places, p.channels, p.out_width, turned, p.channels);
        arrived = turned;
      }
      if (g_.pool_divisor != 0)
        average_row_back(p, g_.pool_divisor, arrived, to);
      else
        pool_row_back(p, images_ + image * image_words(p), arrived, window, [&](int64_t y) { return to + y % p.kernel_height * row; });
    }
  }

  const Convolution& c_;
  const ConvolutionBackward& g_;
  LearnTrack learn_;
  int64_t lanes_, band_;
  const uint64_t* images_ = nullptr;
};

// A few samples are cut into pieces for threads to take; never so that it depends on how many these are.
inline int64_t pieces_of(const Convolution& c) {
  return std::clamp<int64_t>(8 / std::max<int64_t>(1, c.batch), 1, std::max<int64_t>(1, std::min(c.height, c.out_height) / 8));
}

inline void convolve_back(const Convolution& c, const ConvolutionBackward& g) {
  const int64_t places = c.out_height * c.out_width, row = c.out_width * c.filters, pieces = pieces_of(c), tasks = c.batch * pieces;
  const bool whole = g.flow != nullptr, sampled = g.input != nullptr && g.near != nullptr;
  const RowBackward neurons(c, g);
  const Flow all{g.flow, c.batch * places * c.filters, c.out_height, row};
  const auto of_sample = [&](int64_t sample) { return Flow{all.at + sample * places * c.filters, all.step, all.kept, all.row}; };
  if (whole && g.currents != nullptr)
    parallel(tasks, c.threads, [&](int64_t task) {
      static thread_local RowBackward::Pooled pooled;
      pooled.sample = -1;  // of another call
      const Piece piece = piece_of(c, task, pieces);
      for (int64_t y = piece.own_first; y < piece.own_end; ++y) neurons.run(piece.sample, y, of_sample(piece.sample), true, pooled);
    });
  const bool fused = !whole, learns = g.weight != nullptr;
  if (whole && !learns && g.input == nullptr) return;

  static thread_local Buffer<float> kernel_buffer, sum_buffer;
  const float* kernel = nullptr;
  if (g.input != nullptr)
    kernel = sampled ? arrange_taps(c, g.kernel, kernel_buffer) : FilteredInput::arrange(c, g.kernel, kernel_buffer);
  // the shares are the same for any number of threads, and so is the order of the sums
  const int64_t size = learns ? WeightSums::size(c) : 1;
  const int64_t shares = std::clamp<int64_t>(std::min(tasks, (1 << 21) / size), 1, 16);
  float* sums = learns ? sum_buffer.at_least(shares * size) : nullptr;
  const int64_t kept = std::min(c.out_height, std::max(learns || sampled ? TileWalk::rows_seen(c) : 1, FilteredInput::kRowsSeen));
  parallel(shares, c.threads, [&](int64_t share) {
    static thread_local Buffer<float> flow_buffer;
    static thread_local RowBackward::Pooled pooled;
    pooled.sample = -1;  // of another call
    float* own = learns ? sums + share * size : nullptr;
    if (learns) std::memset(own, 0, static_cast<size_t>(size) * sizeof(float));
    const Flow ring{fused ? flow_buffer.at_least(c.steps * kept * row) : nullptr, kept * row, kept, row};
    for (int64_t task = share * tasks / shares; task < (share + 1) * tasks / shares; ++task) {
      const Piece piece = piece_of(c, task, pieces);
      const Flow flow = fused ? ring : of_sample(piece.sample);
      WeightSums to_weight(c, piece, own);
      SampledInput to_some(c, piece, g.near, kernel, g.input);
      FilteredInput to_all(c, piece, kernel, g.input);
      for (int64_t y = piece.first; y < piece.end; ++y) {
        const bool mine = y >= piece.own_first && y < piece.own_end;
        if (fused) neurons.run(piece.sample, y, flow, mine, pooled);
        if (g.bias != nullptr && mine) to_weight.add_bias(flow, y);
        if (learns) to_weight.advance(flow, y + 1);
        if (g.input == nullptr) continue;
        if (sampled) to_some.advance(flow, y + 1);
        else to_all.advance(flow, y + 1);
      }
    }
  });
  if (learns) put_weight(c, sums, shares, g.weight, g.bias);
}

}  // namespace spikeledger::SPIKELEDGER_SET
