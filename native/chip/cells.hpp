// One step of the neurons that keep more than a membrane: a synaptic current, a threshold that adapts, a refractory
// period. A sweep for each, over a chunk that the first-level cache holds; plain IF and LIF never come here.
#pragma once

#include "update.hpp"

namespace chip {

template <class Real>
struct Cells {  // all are [size]; null where a kind has none, and of plain IF and LIF all are
  const Real *alpha = nullptr, *rho = nullptr, *strength = nullptr;
  int32_t refractory = 0;
  Real *synapse = nullptr, *adaptation = nullptr;
  int32_t* waiting = nullptr;
  Real* fired = nullptr;  // at the step before, 0 or 1
};

template <class Real, bool fixed>
INLINED Real held(Real value, Real limit) {
  if (!fixed) return value;
  value = value > limit ? limit : value;
  return value < -limit ? -limit : value;
}

template <class Real, bool fixed>
INLINED Real decayed(Real decay, Real value) {
  return fixed ? std::trunc(decay * value) : decay * value;
}

// As `advance` of update.hpp, for neurons whose `beta` and `bias` are one a neuron. A chip's integers (`fixed`) hold an
// adaptation in the membrane's unit: as what a spike adds to the threshold.
template <class Real, bool fixed>
INLINED void advance_cells(const Neurons<Real>& p, const Cells<Real>& c, size_t first, size_t n, Real* __restrict v,
                           Real* __restrict current, uint8_t* __restrict fired, uint8_t* __restrict spikes,
                           uint8_t* __restrict active) {
  const Real theta = p.threshold, limit = p.limit;
  const bool at = p.bar < theta, closed = p.bar > theta;
  const Real *__restrict beta = p.beta + first, *__restrict bias = p.bias + first;
  Real* __restrict was = c.fired + first;
  const bool subtract = p.reset == Reset::subtract, zero = p.reset == Reset::zero;
  const Real late = p.reset_delay && subtract ? theta : Real(0), soon = !p.reset_delay && subtract ? theta : Real(0);
  const Real late_zero = p.reset_delay && zero ? Real(1) : Real(0), soon_zero = !p.reset_delay && zero ? Real(1) : Real(0);
  alignas(64) Real total[chunk], before[chunk], charged[chunk], bar[chunk], spike[chunk];
  for (size_t i = 0; i < n; ++i) {
    total[i] = current[i] + bias[i];
    current[i] = Real(0);
  }
  for (size_t i = 0; i < n; ++i) active[i] = uint8_t(active[i] + (total[i] != Real(0) ? 1 : 0));
  if (c.synapse) {
    const Real* __restrict alpha = c.alpha + first;
    Real* __restrict synapse = c.synapse + first;
    for (size_t i = 0; i < n; ++i)
      total[i] = synapse[i] = held<Real, fixed>(decayed<Real, fixed>(alpha[i], synapse[i]) + total[i], limit);
  }
  for (size_t i = 0; i < n; ++i) {
    const Real kept = v[i] * (Real(1) - late_zero * was[i]), taken = late * was[i];
    before[i] = kept - taken;
    charged[i] = decayed<Real, fixed>(beta[i], kept) + total[i] - taken;
    bar[i] = theta;
  }
  if (c.waiting) {
    const int32_t* __restrict waiting = c.waiting + first;
    for (size_t i = 0; i < n; ++i) charged[i] = waiting[i] > 0 ? before[i] : charged[i];
  }
  if (c.adaptation) {
    const Real *__restrict strength = c.strength + first, *__restrict adaptation = c.adaptation + first;
    for (size_t i = 0; i < n; ++i) bar[i] = theta + (fixed ? adaptation[i] : strength[i] * adaptation[i]);
  }
  for (size_t i = 0; i < n; ++i) {
    charged[i] = held<Real, fixed>(charged[i], limit);
    spike[i] = (at ? charged[i] >= bar[i] : charged[i] > bar[i]) && !closed ? Real(1) : Real(0);
  }
  if (c.waiting) {
    int32_t* __restrict waiting = c.waiting + first;
    for (size_t i = 0; i < n; ++i) {
      const bool waits = waiting[i] > 0;
      spike[i] = waits ? Real(0) : spike[i];
      waiting[i] = spike[i] > Real(0) ? c.refractory : waits ? waiting[i] - 1 : 0;
    }
  }
  if (c.adaptation) {
    const Real *__restrict rho = c.rho + first, *__restrict strength = c.strength + first;
    Real* __restrict adaptation = c.adaptation + first;
    for (size_t i = 0; i < n; ++i)
      adaptation[i] = held<Real, fixed>(
          decayed<Real, fixed>(rho[i], adaptation[i]) + (fixed ? strength[i] * spike[i] : spike[i]), limit);
  }
  for (size_t i = 0; i < n; ++i) {
    v[i] = (charged[i] - soon * spike[i]) * (Real(1) - soon_zero * spike[i]);
    was[i] = spike[i];
  }
  for (size_t i = 0; i < n; ++i) {
    fired[i] = spike[i] > Real(0) ? 1 : 0;
    spikes[i] = uint8_t(spikes[i] + fired[i]);
  }
}

void step(const Neurons<float>& p, const Cells<float>& c, size_t first, size_t n, float* v, float* current,
          uint8_t* fired, uint8_t* spikes, uint8_t* active);
void step(const Neurons<double>& p, const Cells<double>& c, size_t first, size_t n, double* v, double* current,
          uint8_t* fired, uint8_t* spikes, uint8_t* active);

}  // namespace chip
