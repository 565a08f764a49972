// One step of a block of neurons, and adding one row of weights: the two loops that a compiler can vectorise.
// Sums and products are rounded one by one (-ffp-contract=off), so that spikes equal torch's to the bit.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__)
#define CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CLONES
#endif
#define INLINED inline __attribute__((always_inline))

namespace chip {

enum class Reset : int { subtract = 0, zero = 1, none = 2 };

template <class Real>
struct Neurons {
  const Real* beta;  // one, or one a neuron
  const Real* bias;
  bool beta_each, bias_each;
  Real threshold;
  Reset reset;
  bool reset_delay;
  Real limit;  // of a fixed-point membrane, in its own units; 0: floating point
};

// Advances n neurons from `first` on: `current` is read, `fired` and `active` become 0 or 1.
template <class Real, bool beta_each, bool bias_each>
INLINED void advance(const Neurons<Real>& p, size_t first, size_t n, Real* v, const Real* current, uint8_t* fired,
                     uint8_t* active) {
  const Real theta = p.threshold, beta0 = p.beta[0], bias0 = p.bias[0], limit = p.limit;
  const Real *betas = p.beta + first, *biases = p.bias + first;
  const bool fixed = limit > 0, delayed = p.reset_delay;
  const bool subtract = p.reset == Reset::subtract, zero = p.reset == Reset::zero;
  const Real late = delayed && subtract ? theta : Real(0);
  const Real soon = !delayed && subtract ? theta : Real(0);
  const bool late_zero = delayed && zero, soon_zero = !delayed && zero;
  for (size_t i = 0; i < n; ++i) {
    const Real beta = beta_each ? betas[i] : beta0;
    const Real input = current[i] + (bias_each ? biases[i] : bias0);
    const Real before = v[i];
    const bool was = before > theta;
    Real decayed = beta * ((late_zero && was) ? Real(0) : before);
    if (fixed) decayed = std::trunc(decayed);
    Real charged = decayed + input;
    charged = charged - (was ? late : Real(0));
    if (fixed) charged = charged > limit ? limit : (charged < -limit ? -limit : charged);
    const bool spike = charged > theta;
    fired[i] = spike;
    active[i] = input != 0;
    v[i] = spike ? (soon_zero ? Real(0) : charged - soon) : charged;
  }
}

template <class Real>
INLINED void advance_any(const Neurons<Real>& p, size_t first, size_t n, Real* v, const Real* current, uint8_t* fired,
                         uint8_t* active) {
  if (p.beta_each && p.bias_each) advance<Real, true, true>(p, first, n, v, current, fired, active);
  else if (p.beta_each) advance<Real, true, false>(p, first, n, v, current, fired, active);
  else if (p.bias_each) advance<Real, false, true>(p, first, n, v, current, fired, active);
  else advance<Real, false, false>(p, first, n, v, current, fired, active);
}

template <class Real>
INLINED void add_row_any(Real* to, const Real* weights, Real value, size_t n) {
  for (size_t i = 0; i < n; ++i) to[i] += weights[i] * value;
}

void step(const Neurons<float>& p, size_t first, size_t n, float* v, const float* current, uint8_t* fired,
                 uint8_t* active);
void step(const Neurons<double>& p, size_t first, size_t n, double* v, const double* current, uint8_t* fired,
                 uint8_t* active);
void add_row(float* to, const float* weights, float value, size_t n);
void add_row(double* to, const double* weights, double value, size_t n);

}  // namespace chip
