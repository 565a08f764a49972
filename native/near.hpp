// Neurons near their threshold, the only ones that a compact surrogate gives a gradient: what is kept of them while they run,
// and the gradient of their spikes alone.
#pragma once

#include "neurons.hpp"
#include "panels.hpp"

namespace spikeledger::SPIKELEDGER_SET {

// What is kept of one block and part of the samples while its neurons run
struct NearBlock {
  int surrogate;
  float slope;
  uint32_t *masks, *begins;
  float *start, *at;
  uint32_t there;  // the block's columns

  void keep(int64_t row, Lanes distance, int lane) {
    const Lanes height = compact(surrogate, distance, slope);
    const uint32_t mask = static_cast<uint32_t>(above(height, splat(0.0f))) & there >> lane;
    if (lane == 0) masks[row] = mask, begins[row] = static_cast<uint32_t>(at - start);
    else masks[row] |= mask << kLanes;
    at = press(at, height, mask);
  }
};

// The gradient of the spikes of one row that are near the threshold, where it is a product with the many neurons above: the
// block's weights lie turned, [32, above].
inline void sampled_gradient(const float* above, int64_t wide, const float* panel, uint32_t mask, float* to) {
  store(to, splat(0.0f)), store(to + kLanes, splat(0.0f));
  for (; mask != 0; mask &= mask - 1) {
    const int lane = std::countr_zero(mask);
    const float* weight = panel + lane * wide;
    Lanes sums[2] = {};
    int64_t k = 0;
    for (; k + 2 * kLanes <= wide; k += 2 * kLanes)
      for (int half = 0; half < 2; ++half)
        sums[half] = multiply_add(load(above + k + half * kLanes), load(weight + k + half * kLanes), sums[half]);
    for (; k < wide; k += kLanes) sums[0] = multiply_add(load(above + k, wide - k), load(weight + k, wide - k), sums[0]);
    to[lane] = sum_of(sums[0] + sums[1]);
  }
}

}  // namespace spikeledger::SPIKELEDGER_SET
