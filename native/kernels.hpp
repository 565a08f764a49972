// What the native core can do, as one table of functions for each instruction set; module.cpp picks a table once.
// All tensors are contiguous float32 unless said otherwise; "words" are bit planes: bit c % 64 of word c / 64 of a row
// is column c, and bits past the last column are zero.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace spikeledger {

enum Reset : int { kSubtract = 0, kZero = 1, kNone = 2 };
enum Surrogate : int { kAtan = 0, kFastSigmoid = 1, kSigmoid = 2, kTriangle = 3, kStraightThrough = 4, kRectangular = 5 };
enum Method : int { kSubsets = 0, kEvents = 1, kTiles = 2 };
enum Class : int { kSilent = 0, kSpikes = 1, kGraded = 2 };

// 64-bit words that hold one row of `columns` bits
constexpr int64_t words_of(int64_t columns) { return (columns + 63) / 64; }

// A population of neurons over time: currents [T, B, N], membrane at the start [B, N] or null for rest, decay [N].
struct Population {
  int64_t steps, batch, width;
  const float* currents;
  const float* start;
  const float* beta;
  float threshold;
  float bar;  // the largest membrane that does not fire: the threshold, or the number below it
  int reset;
  bool delayed;
  int threads;
};

// What a population did; each may be null. Spikes [T, B, N], words [T * B, words_of(N)], last membrane [B, N].
struct Firing {
  float* spikes;
  uint64_t* words;
  float* last;
  uint64_t* near = nullptr;  // as the words: which are so near the threshold that this compact surrogate is not zero
  int surrogate = 0;
  float slope = 0;
};

// Gradients of the spikes [T, B, N] and of the last membrane (or null) in; of currents, start and beta [N] out.
struct Backward {
  const float* spikes;
  const float* last;
  int surrogate;
  float slope;
  float* currents;
  float* start;
  float* beta;
};

// A population of any neurons of the family: currents [T, B, N], state at the start [B, N] each; constants [N], null for
// what the neurons do not have; weights [N, N] of their connections to themselves, turned and in blocks, or null.
struct Cells {
  int64_t steps, batch, width;
  const float* currents;
  const float *membrane, *synapse, *adaptation, *waiting, *fired;
  const float *beta, *alpha, *rho, *strength, *own;
  const float *weight_turned, *weight_blocked;  // blocks of 32 columns, each [N, 32], the last one padded
  float threshold;
  float bar;
  int reset;
  bool delayed;
  int refractory;
  int threads;
};

// What they did: spikes [T, B, N], words [T * B, words_of(N)], the last state (each or null); and, added to what is there,
// how often each neuron's current was not zero [N], or null.
struct CellsFired {
  float* spikes;
  uint64_t* words;
  float *membrane, *synapse, *adaptation, *waiting;
  int64_t* active;
};

// Gradients of the spikes and of the last state (each or null) in; of currents, the first state and constants (or null) out.
struct CellsBackward {
  const float* spikes;
  const float *membrane, *synapse, *adaptation;
  int surrogate;
  float slope;
  float* currents;
  float *membrane_start, *synapse_start, *adaptation_start, *fired_start;
  float *beta, *alpha, *rho, *strength, *own;
};

// out = bits dense + bias, with bits [rows, inner] as words, and dense [inner, columns].
struct Product {
  int64_t rows, inner, columns;
  const uint64_t* words;
  const float* dense;
  bool dense_transposed;  // stored as [columns, inner], as torch stores a linear layer's weight
  const float* bias;      // [columns] or null
  float* out;
  bool out_transposed;  // stored as [columns, rows]
  int method;
  int threads;
  bool dense_blocked = false;  // stored as blocks of 32 columns, each [inner, 32]
  int64_t repeats = 1;         // stretches of rows that lie behind each other, as the steps of a layer over time
  int64_t levels = 1;          // an input may be set so often: a row's bits [levels, inner]; by events alone
  bool levels_apart = false;   // the bits are [levels, rows, inner], as [levels, inner] of a row are turned
  float worth = 1;             // of a bit: a factor of a dense matrix that lies turned, or of an output that does
  int64_t parts = 1;           // parts of each stretch that threads may take
};

// A linear layer and the neurons behind it, as one: bits [T * B, inner] in, bits [T * B, columns] out, from rest.
// The charges stay in blocks of 32 columns, each [T, B, 32]: a block is summed, and its neurons run, while it is in cache.
struct Layer {
  int64_t steps, batch, inner, columns;
  const uint64_t* words;
  const float* weight;  // [columns, inner]
  const float* bias;    // [columns] or null
  const float* beta;    // [columns]
  float threshold;
  float bar;
  int reset;
  bool delayed;
  int method;
  int threads;
  int64_t levels = 1;  // bits [levels, inner] of a row, as in a product
  float worth = 1;     // of one of them
};

// What a layer keeps for the way back in place of its charges, where its surrogate is zero but near the threshold: of each
// row of each block of 32 neurons which were near, and the surrogate there, one number behind the other.
struct Near {
  int surrogate;
  float slope;
  int64_t rows = 0, parts = 1;               // T * B, and parts of the samples that threads took
  std::vector<uint32_t> masks{}, begins{};   // [blocks, T, B]; where the row's numbers begin among its part's
  std::vector<uint32_t> part_of{};           // [B]
  std::vector<std::vector<float>> numbers{}; // [blocks * parts]

  const float* at(int64_t block, int64_t row) const {
    const auto part = part_of[static_cast<std::size_t>(row) % part_of.size()];
    return numbers[static_cast<std::size_t>(block * parts + part)].data() + begins[static_cast<std::size_t>(block * rows + row)];
  }
  int64_t bytes() const {
    int64_t sum = static_cast<int64_t>(masks.size() + begins.size()) * 4;
    for (const auto& each : numbers) sum += static_cast<int64_t>(each.size()) * 4;
    return sum;
  }
};

// What a layer's neurons did, added to: how often each one's current was not zero and each fired, [columns], and the spikes
// of each step. Null where nobody counts.
struct Counts {
  int64_t* active;
  int64_t* spikes;
  int64_t* steps;
};

// Gradient of the spikes [T, B, columns] in, or of their rates [B, columns], of which each step has its share, or what it is a product of: the gradient of the currents of the layer above
// [T, B, above] and that layer's weight [above, columns]. Of currents [T, B, columns] (or null), weight, bias and beta (or
// null) out.
struct LayerBackward {
  const float* spikes;  // or null
  int64_t spikes_rows;  // T * B, or B
  float share;          // 1, or 1 / T
  const float* above_currents;
  const float* above_weight;
  int64_t above;
  int surrogate;
  float slope;
  const uint64_t* turned;  // the layer's input bits [inner, T * B]; null if the weight's gradient is not wanted
  float* currents;
  float* weight;
  float* bias;
  float* beta;
  const Near* near;       // or null: then there are charges
  const uint64_t* fired;  // the layer's own spikes, where `near` is there
  const uint64_t* stays;  // which spikes dropout behind the layer left, whether they fired or not; null: all
};

// A convolution of spikes [T * B, channels, height, width], as words, in two dimensions. Windows that reach past the image,
// by `padding` at its first row and column and as far as the output asks for at its last, see no spikes there.
struct Convolution {
  int64_t steps, batch, channels, height, width;
  int64_t filters, out_height, out_width;
  int64_t kernel_height, kernel_width, stride_height, stride_width, padding_height, padding_width;
  int64_t dilation_height, dilation_width;
  const uint64_t* words;
  const float* bias;  // [filters] or null
  int method;
  int threads;
  int64_t levels = 1;  // an input may be set so often: bits [levels, channels, height, width] of an image; by events alone
};

// The way back of a convolution's currents, or of these and the neurons behind them. In come the gradient of the spikes
// [T * B, ...], whose channels may lie last, and the currents that `convolve_fire` kept; or, where these are null, `flow`, the
// gradient of the currents [T * B, out_height, out_width, filters]. Out go, each unless it is null: `flow`; that of beta, for each
// sample [B, positions * filters]; of weight, and bias; of the inputs [T * B, height, width, channels] where the words `near`, as
// those of the inputs, have ones, and zero elsewhere, or of all inputs where there are none: for this kernels must be 3 x 3 and
// windows one apart.
struct ConvolutionBackward {
  const float *spikes, *currents, *beta;
  bool channels_last;
  float threshold, bar;
  int reset;
  bool delayed;
  int surrogate;
  float slope;
  const Convolution* pool;  // or null: of a pooling whose windows lie beside each other; then `spikes` is its outputs' gradient
  float pool_divisor;       // of average pooling; 0: max pooling
  float *flow, *beta_grad, *weight, *bias;
  const float* kernel;  // the weight
  const uint64_t* near;
  float* input;
};

// 0/1 floats [rows, columns] to words; the same turned [columns, words_of(rows)], and the spikes of each column added to
// counts [columns], where these are not null.
struct Packing {
  int64_t rows, columns;
  const float* dense;
  uint64_t* words;
  uint64_t* turned;
  int64_t* counts;
  int threads;
};

// A look at values [steps, batch, places]; strides in floats. Counts [places] and [steps] (or null) start at zero.
struct Look {
  int64_t steps, batch, places, step_stride, row_stride;
  const float* values;
  int64_t* counts;
  int64_t* step_counts;
  float* magnitude;
};

// One tensor of weights, its gradient, Adam's two moments, each `size` numbers, and how many steps were taken.
struct AdamWeight {
  float *weight, *mean, *square, *step;
  const float* grad;
  int64_t size;
};

struct AdamStep {
  double rate, beta1, beta2, eps;
  int threads;
};

struct Kernels {
  const char* name;
  void (*fire)(const Population&, const Firing&);
  void (*learn)(const Population&, const Backward&);
  int64_t (*pack)(const Packing&);  // how many ones; -1, with all else undefined, if any value is neither 0 nor 1
  void (*unpack)(const uint64_t* words, int64_t rows, int64_t columns, float* dense, int threads);
  // how often each column was one, over the steps, as a share of them: [rows, columns] of words [steps, rows, ...]
  void (*rates)(const uint64_t* words, int64_t steps, int64_t rows, int64_t columns, float* out);
  void (*transpose)(const uint64_t* words, int64_t rows, int64_t columns, uint64_t* out, int threads);
  int64_t (*population_count)(const uint64_t* words, int64_t count);
  // spikes of each column, added to counts [columns]
  void (*column_counts)(const uint64_t* words, int64_t rows, int64_t columns, int64_t* counts, int threads);
  int (*census)(const Look&);  // the values' class
  void (*multiply)(Product);
  // out [rows, columns] = a [rows, inner] b [inner, columns]; null where the processor has nothing for it
  void (*multiply_floats)(const float* a, const float* b, float* out, int64_t rows, int64_t inner, int64_t columns, int threads);
  // charges: room for them [blocks, T, B, 32], or null where nobody will ask for gradients; or `near` is filled
  // gives back all spikes
  int64_t (*layer)(const Layer&, float* charges, uint64_t* words, const Counts&, Near*);
  void (*layer_back)(const Layer&, const float* charges, const LayerBackward&);
  // currents [T * B, out_height, out_width, filters]; weight [filters, channels, kernel_height, kernel_width]
  void (*convolve)(const Convolution&, const float* weight, float* currents);
  // and the neurons behind them; beta and its gradient lie position by position; currents, opaque but of the same size, are
  // kept for `convolve_learn`, or null; how often each is not zero is added to active [filters, out_height, out_width], or null
  void (*convolve_fire)(const Convolution&, const float* weight, const Firing&, const float* beta, float threshold, float bar,
                        int reset, bool delayed, float* currents, int64_t* active);
  // the way back of both of these; the weight as above
  void (*convolve_back)(const Convolution&, const ConvolutionBackward&);
  void (*max_pool)(const Convolution&, uint64_t* out);  // any of a window's bits; the words hold [filters, H, W]
  void (*max_pool_back)(const Convolution&, const float* grad, float* out);  // to [T * B, height, width, channels]
  void (*average_pool)(const Convolution&, float divisor, float* out);  // to [T * B, filters, H, W]
  // how many of a window's bits are set, as that many of its levels: words of [levels, filters, H, W] an image
  void (*pool_levels)(const Convolution&, uint64_t* out);
  // random bits [steps, rows, columns] as words, at rates [rows, columns]; the generator's saved state goes on
  void (*rate_code)(char* generator, const float* rates, int64_t steps, int64_t rows, int64_t columns, uint64_t* words);
  void (*fire_cells)(const Cells&, const CellsFired&);
  void (*learn_cells)(const Cells&, const CellsBackward&);
  void (*adam)(const AdamWeight* weights, int64_t count, const AdamStep&);
};

extern const Kernels kPlain;
#if defined(__x86_64__)
extern const Kernels kAvx2;
extern const Kernels kAvx512;
const Kernels* with_tiles();  // AVX-512's, and AMX; null where the compiler does not know it
#endif

// the table in use
const Kernels& kernels_in_use();

}  // namespace spikeledger
