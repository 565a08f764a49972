// Sums and thresholds of one step of a chip, compiled for several instruction sets.
#include "cells.hpp"

namespace chip {

CLONES void step(const Neurons<float>& p, size_t first, size_t n, float* v, float* current, uint8_t* fired,
                 uint8_t* spikes, uint8_t* active) {
  advance_any(p, first, n, v, current, fired, spikes, active);
}
CLONES void step(const Neurons<double>& p, size_t first, size_t n, double* v, double* current, uint8_t* fired,
                 uint8_t* spikes, uint8_t* active) {
  advance_any(p, first, n, v, current, fired, spikes, active);
}
CLONES void step(const Neurons<float>& p, const Cells<float>& c, size_t first, size_t n, float* v, float* current,
                 uint8_t* fired, uint8_t* spikes, uint8_t* active) {
  if (p.limit > 0) advance_cells<float, true>(p, c, first, n, v, current, fired, spikes, active);
  else advance_cells<float, false>(p, c, first, n, v, current, fired, spikes, active);
}
CLONES void step(const Neurons<double>& p, const Cells<double>& c, size_t first, size_t n, double* v, double* current,
                 uint8_t* fired, uint8_t* spikes, uint8_t* active) {
  if (p.limit > 0) advance_cells<double, true>(p, c, first, n, v, current, fired, spikes, active);
  else advance_cells<double, false>(p, c, first, n, v, current, fired, spikes, active);
}
CLONES void add_row(float* to, const float* weights, float value, size_t n) { add_row_any(to, weights, value, n); }
CLONES void add_row(double* to, const double* weights, double value, size_t n) { add_row_any(to, weights, value, n); }
CLONES void add_counts(uint32_t* __restrict to, const uint8_t* __restrict counts, size_t n) {
  for (size_t i = 0; i < n; ++i) to[i] += counts[i];
}

}  // namespace chip
