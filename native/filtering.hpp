// The gradient of all inputs of a convolution of 3 x 3, which is one of floats, by minimal filtering F(2 x 2, 3 x 3) (Winograd;
// Lavin & Gray 2016, doi:10.1109/CVPR.2016.435): 16 products where 36 were. Numbers are added, and some halved, so that it errs
// no more than the sums do, and not at all where these are exact.
#pragma once

#include "gradients.hpp"

namespace spikeledger::SPIKELEDGER_SET {

#if defined(__AVX512F__)
constexpr int64_t kFilterLanes = 4;  // of 16 channels: with six squares, sums fill the registers
#else
constexpr int64_t kFilterLanes = 1;
#endif
constexpr int64_t kSquares = 12, kPoints = 16;  // of two by two inputs, at most at once; products of one

// to [rows, lanes * 16] = from [rows, inner] weight [inner, lanes * 16]
template <int rows, int lanes>
void multiply_squares(const float* from, int64_t stride, const float* weight, int64_t inner, float* to, int64_t to_stride) {
  Lanes sum[rows][lanes];
  for (int row = 0; row < rows; ++row)
    for (int lane = 0; lane < lanes; ++lane) sum[row][lane] = splat(0.0f);
  for (int64_t k = 0; k < inner; ++k, weight += lanes * kLanes) {
    Lanes of[lanes];
    for (int lane = 0; lane < lanes; ++lane) of[lane] = load(weight + lane * kLanes);
    for (int row = 0; row < rows; ++row) {
      const Lanes value = splat(from[row * stride + k]);
      for (int lane = 0; lane < lanes; ++lane) sum[row][lane] = multiply_add(value, of[lane], sum[row][lane]);
    }
  }
  for (int row = 0; row < rows; ++row)
    for (int lane = 0; lane < lanes; ++lane) store(to + row * to_stride + lane * kLanes, sum[row][lane]);
}

template <int lanes>
void multiply_all(const float* from, int64_t stride, int64_t count, const float* weight, int64_t inner, float* to, int64_t to_stride) {
  constexpr int most = lanes == 1 ? kSquares : kSquares / 2;
  int64_t row = 0;
  for (; row + most <= count; row += most)
    multiply_squares<most, lanes>(from + row * stride, stride, weight, inner, to + row * to_stride, to_stride);
  if (most == kSquares && row + most / 2 <= count) {
    multiply_squares<most / 2, lanes>(from + row * stride, stride, weight, inner, to + row * to_stride, to_stride);
    row += most / 2;
  }
  from += row * stride, to += row * to_stride;
  switch (count - row) {
    case 5: return multiply_squares<5, lanes>(from, stride, weight, inner, to, to_stride);
    case 4: return multiply_squares<4, lanes>(from, stride, weight, inner, to, to_stride);
    case 3: return multiply_squares<3, lanes>(from, stride, weight, inner, to, to_stride);
    case 2: return multiply_squares<2, lanes>(from, stride, weight, inner, to, to_stride);
    case 1: return multiply_squares<1, lanes>(from, stride, weight, inner, to, to_stride);
    default: return;
  }
}

class FilteredInput {
 public:
  static constexpr int64_t kRowsSeen = 4;

  FilteredInput(const Convolution& c, const Piece& piece, const float* arranged, float* out)
      : c_(c), piece_(piece), arranged_(arranged), out_(out), next_(piece.from) {}

  // The weight's points as blocks of channels, each [point][filter][lanes * 16]
  static const float* arrange(const Convolution& c, const float* weight, Buffer<float>& buffer) {
    const int64_t wide = lanes_of(c) * kLanes, blocks = blocks_of(c);
    float* arranged = buffer.at_least(blocks * kPoints * c.filters * wide);
    if (blocks * wide != c.channels)
      std::memset(arranged, 0, static_cast<size_t>(blocks * kPoints * c.filters * wide) * sizeof(float));
    parallel(c.filters, c.threads, [&](int64_t filter) {
      for (int64_t channel = 0; channel < c.channels; ++channel) {
        const float* taps = weight + (filter * c.channels + channel) * 9;
        float lines[4][3];
        for (int tap = 0; tap < 3; ++tap) {  // the kernel is walked backwards
          const float a = taps[8 - tap], b = taps[5 - tap], d = taps[2 - tap];
          lines[0][tap] = a, lines[1][tap] = 0.5f * (a + b + d), lines[2][tap] = 0.5f * (a - b + d), lines[3][tap] = d;
        }
        float* to = arranged + (channel / wide * kPoints * c.filters + filter) * wide + channel % wide;
        for (int line = 0; line < 4; ++line) {
          const float a = lines[line][0], b = lines[line][1], d = lines[line][2];
          const float points[4] = {a, 0.5f * (a + b + d), 0.5f * (a - b + d), d};
          for (int point = 0; point < 4; ++point) to[(line * 4 + point) * c.filters * wide] = points[point];
        }
      }
    });
    return arranged;
  }

  // As far as the gradient's rows before `ready` allow, two rows of inputs at a time
  void advance(const Flow& flow, int64_t ready) {
    for (; next_ < piece_.to; next_ += 2) {
      const int64_t rows = std::min<int64_t>(2, piece_.to - next_);
      if (last_seen(c_, next_ + rows - 1) >= ready) return;
      const int64_t across = (c_.width + 1) / 2, total = c_.steps * across;
      // so many squares that their points and products lie in the second cache
      const int64_t most = std::clamp<int64_t>((1 << 15) / (kPoints * c_.filters) / kSquares, 1, 5) * kSquares;
      for (int64_t first = 0; first < total; first += most) filter_squares(flow, rows, across, first, std::min(most, total - first));
    }
  }

 private:
  static int64_t blocks_of(const Convolution& c) {
    return ((c.channels + kLanes - 1) / kLanes + kFilterLanes - 1) / kFilterLanes;
  }
  static int64_t lanes_of(const Convolution& c) {
    return ((c.channels + kLanes - 1) / kLanes + blocks_of(c) - 1) / blocks_of(c);
  }

  void filter_squares(const Flow& flow, int64_t rows, int64_t across, int64_t first, int64_t count) {
    static thread_local Buffer<float> point_buffer, product_buffer;
    const int64_t stride = (c_.filters + kLanes - 1) / kLanes * kLanes, lanes = lanes_of(c_), blocks = blocks_of(c_);
    const int64_t wide = blocks * lanes * kLanes;
    float *points = point_buffer.at_least(kPoints * count * stride), *products = product_buffer.at_least(kPoints * count * wide);
    const Square begin{first / across, first % across * 2};
    Square square = begin;  // a division takes as long as a product
    Lines lines = lines_of(flow, square.step);
    for (int64_t n = 0; n < count; ++n) {
      take_points(lines, square.x, points + n * stride, count * stride);
      if (square.next(c_.width)) lines = lines_of(flow, square.step);
    }
    for (int64_t block = 0; block < blocks; ++block)
      for (int64_t point = 0; point < kPoints; ++point) {
        const float* weight = arranged_ + (block * kPoints + point) * c_.filters * lanes * kLanes;
        const float* from = points + point * count * stride;
        float* to = products + point * count * wide + block * lanes * kLanes;
        if constexpr (kFilterLanes == 4) {
          if (lanes == 4) multiply_all<4>(from, stride, count, weight, c_.filters, to, wide);
          else if (lanes == 3) multiply_all<3>(from, stride, count, weight, c_.filters, to, wide);
          else if (lanes == 2) multiply_all<2>(from, stride, count, weight, c_.filters, to, wide);
          else multiply_all<1>(from, stride, count, weight, c_.filters, to, wide);
        } else {
          multiply_all<1>(from, stride, count, weight, c_.filters, to, wide);
        }
      }
    square = begin;
    for (int64_t n = 0; n < count; ++n, square.next(c_.width)) put_square(products + n * wide, count * wide, rows, square.step, square.x);
  }

  struct Square {
    int64_t step, x;
    // whether it is of another step
    bool next(int64_t width) {
      if ((x += 2) < width) return false;
      x = 0, ++step;
      return true;
    }
  };

  // The four rows of gradients that squares see; zeros outside
  using Lines = std::array<const float*, 4>;
  Lines lines_of(const Flow& flow, int64_t step) const {
    Lines lines;
    for (int64_t line = 0; line < 4; ++line) {
      const int64_t y = next_ + c_.padding_height - 2 + line;
      lines[static_cast<size_t>(line)] = y >= 0 && y < c_.out_height ? flow.line(step, y) : zeros();
    }
    return lines;
  }

  // as long as a row of gradients
  const float* zeros() const {
    static thread_local Buffer<float> buffer;
    static thread_local int64_t known = 0;
    const int64_t size = c_.out_width * c_.filters;
    float* row = buffer.at_least(size);
    if (known < size) std::memset(row, 0, static_cast<size_t>(size) * sizeof(float)), known = size;
    return row;
  }

  // Of the four by four gradients that a square of inputs sees
  void take_points(const Lines& lines, int64_t x, float* to, int64_t stride) const {
    const int64_t left = x + c_.padding_width - 2, filters = c_.filters;
    const std::array<const float*, 4> first{lines[0] + left * filters, lines[1] + left * filters, lines[2] + left * filters,
                                            lines[3] + left * filters};
    const auto value = [&](size_t line, int tap, int64_t filter) { return load(first[line] + tap * filters + filter, filters - filter); };
    if (left >= 0 && left + 3 < c_.out_width)
      return put_points(to, stride, value);
    put_points(to, stride, [&](size_t line, int tap, int64_t filter) {
      return left + tap >= 0 && left + tap < c_.out_width ? value(line, tap, filter) : splat(0.0f);
    });
  }

  template <typename Value>
  void put_points(float* to, int64_t stride, const Value& value) const {
    for (int64_t filter = 0; filter < c_.filters; filter += kLanes, to += kLanes) {
      Lanes half[4][4];  // [tap][point of the lines]
      for (int tap = 0; tap < 4; ++tap) {
        const Lanes a = value(0, tap, filter), b = value(1, tap, filter), d = value(2, tap, filter), e = value(3, tap, filter);
        half[tap][0] = a - d, half[tap][1] = b + d, half[tap][2] = d - b, half[tap][3] = b - e;
      }
      for (int point = 0; point < 4; ++point) {
        const Lanes a = half[0][point], b = half[1][point], d = half[2][point], e = half[3][point];
        float* at = to + point * 4 * stride;
        store(at, a - d), store(at + stride, b + d), store(at + 2 * stride, d - b), store(at + 3 * stride, b - e);
      }
    }
  }

  void put_square(const float* from, int64_t stride, int64_t rows, int64_t step, int64_t x) const {
    const int64_t columns = std::min<int64_t>(2, c_.width - x);
    float* to = out_ + (((step * c_.batch + piece_.sample) * c_.height + next_) * c_.width + x) * c_.channels;
    for (int64_t channel = 0; channel < c_.channels; channel += kLanes) {
      const int64_t here = c_.channels - channel;
      Lanes half[2][4];
      for (int point = 0; point < 4; ++point) {
        const auto value = [&](int line) { return load(from + (line * 4 + point) * stride + channel); };
        const Lanes b = value(1), d = value(2);
        half[0][point] = value(0) + b + d, half[1][point] = b - d - value(3);
      }
      for (int64_t row = 0; row < rows; ++row) {
        const Lanes b = half[row][1], d = half[row][2];
        float* at = to + row * c_.width * c_.channels + channel;
        store(at, half[row][0] + b + d, here);
        if (columns == 2) store(at + c_.channels, b - d - half[row][3], here);
      }
    }
  }

  const Convolution& c_;
  const Piece& piece_;
  const float* arranged_;
  float* out_;
  int64_t next_;
};

}  // namespace spikeledger::SPIKELEDGER_SET
