// One step of a block of neurons, and adding one row of weights: the two loops that a compiler can vectorise.
// Sums and products are rounded one by one (-ffp-contract=off), so that spikes equal torch's to the bit.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

// not for sanitizers: the choice between clones runs before theirs is ready
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(SPIKELEDGER_OWN_THREADS)
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
  Real bar;  // the largest membrane that does not fire: the threshold, the number below it, or infinity
  Real held;  // the same at the step before: what a delayed reset goes by
  Reset reset;
  bool reset_delay;
  Real limit;  // of a fixed-point membrane, in its own units; 0: floating point
};

constexpr size_t chunk = 256;  // neurons that are advanced by one call

// Advances n <= chunk neurons from `first` on. `current` is read and becomes 0, `fired` becomes 0 or 1; `spikes` and `active`
// count spikes and inputs that are not 0, a byte each, since their sweep is paid at every step.
// No branch depends on a neuron: a reset is a factor of 0 or 1, which changes no other neuron's value.
template <class Real, bool beta_each, bool bias_each, bool fixed>
INLINED void advance(const Neurons<Real>& p, size_t first, size_t n, Real* __restrict v, Real* __restrict current,
                     uint8_t* __restrict fired, uint8_t* __restrict spikes, uint8_t* __restrict active) {
  const Real theta = p.threshold, bar = p.bar, held = p.held, beta0 = p.beta[0], bias0 = p.bias[0], limit = p.limit;
  const Real *__restrict betas = p.beta + first, *__restrict biases = p.bias + first;
  const bool subtract = p.reset == Reset::subtract, zero = p.reset == Reset::zero;
  const Real late = p.reset_delay && subtract ? theta : Real(0), soon = !p.reset_delay && subtract ? theta : Real(0);
  const Real late_zero = p.reset_delay && zero ? Real(1) : Real(0), soon_zero = !p.reset_delay && zero ? Real(1) : Real(0);
  alignas(64) int32_t wide_fired[chunk], wide_active[chunk];  // as wide as numbers: a compiler vectorises one width
  for (size_t i = 0; i < n; ++i) {
    const Real input = current[i] + (bias_each ? biases[i] : bias0);
    const Real before = v[i];
    const Real was = before > held ? Real(1) : Real(0);
    Real decayed = (beta_each ? betas[i] : beta0) * (before * (Real(1) - late_zero * was));
    if (fixed) decayed = std::trunc(decayed);
    Real charged = decayed + input;
    charged = charged - late * was;
    if (fixed) {
      charged = charged > limit ? limit : charged;
      charged = charged < -limit ? -limit : charged;
    }
    const Real spike = charged > bar ? Real(1) : Real(0);
    wide_fired[i] = charged > bar ? 1 : 0;
    wide_active[i] = input != Real(0) ? 1 : 0;
    v[i] = (charged - soon * spike) * (Real(1) - soon_zero * spike);
  }
  for (size_t i = 0; i < n; ++i) current[i] = Real(0);
  for (size_t i = 0; i < n; ++i) {
    fired[i] = uint8_t(wide_fired[i]);
    spikes[i] = uint8_t(spikes[i] + wide_fired[i]);
    active[i] = uint8_t(active[i] + wide_active[i]);
  }
}

template <class Real>
INLINED void advance_any(const Neurons<Real>& p, size_t first, size_t n, Real* v, Real* current, uint8_t* fired,
                         uint8_t* spikes, uint8_t* active) {
  if (p.limit > 0) {
    if (p.beta_each && p.bias_each) advance<Real, true, true, true>(p, first, n, v, current, fired, spikes, active);
    else if (p.beta_each) advance<Real, true, false, true>(p, first, n, v, current, fired, spikes, active);
    else if (p.bias_each) advance<Real, false, true, true>(p, first, n, v, current, fired, spikes, active);
    else advance<Real, false, false, true>(p, first, n, v, current, fired, spikes, active);
  } else if (p.beta_each && p.bias_each) {
    advance<Real, true, true, false>(p, first, n, v, current, fired, spikes, active);
  } else if (p.beta_each) {
    advance<Real, true, false, false>(p, first, n, v, current, fired, spikes, active);
  } else if (p.bias_each) {
    advance<Real, false, true, false>(p, first, n, v, current, fired, spikes, active);
  } else {
    advance<Real, false, false, false>(p, first, n, v, current, fired, spikes, active);
  }
}

template <class Real>
INLINED void add_row_any(Real* to, const Real* weights, Real value, size_t n) {
  for (size_t i = 0; i < n; ++i) to[i] += weights[i] * value;
}

void step(const Neurons<float>& p, size_t first, size_t n, float* v, float* current, uint8_t* fired, uint8_t* spikes,
          uint8_t* active);
void step(const Neurons<double>& p, size_t first, size_t n, double* v, double* current, uint8_t* fired, uint8_t* spikes,
          uint8_t* active);
void add_row(float* to, const float* weights, float value, size_t n);
void add_row(double* to, const double* weights, double value, size_t n);
void add_counts(uint32_t* to, const uint8_t* counts, size_t n);

}  // namespace chip
