// What a run of Diehl & Cook's network is given and gives, and the one function, built for each instruction set.
#pragma once

#include <cstdint>

namespace spikeledger {

// Digits [count, inputs] as grey levels.
struct Digits {
  int64_t count, inputs, neurons, steps;
  const uint8_t* images;
  float* weight;         // [inputs, neurons]; written where the network learns
  float* theta;          // [neurons], of the thresholds
  const uint8_t* delay;  // [inputs, neurons] in steps, or null
  int64_t longest;       // delay
  const float *fade, *fade_after;  // what is left of a trace after so many steps, [steps + 1]: of 20 and of 40 ms
  uint64_t seed;
  int64_t first;  // number of the first digit, from which its spikes are drawn
  bool learn, one_at_a_time;
};

struct DigitConstants {
  float rest, reset, threshold, rate, low, ge_fade, gi_fade;  // rate: a step's share of the membrane's time
  float inhibitory_rest, inhibitory_reset, inhibitory_threshold, inhibitory_rate;
  float excitation, inhibition, theta_step, theta_fade, decrease, increase, largest, total, least;
  int refractory, inhibitory_refractory, enough, most, intensity;  // steps, spikes, presentations
  double chance;  // of a spike in a step, for a grey level and a unit of intensity
};

// What happened; all but `spikes` and `presentations` are added to.
struct DigitsSeen {
  int32_t* spikes;         // [count, neurons], of the last presentation of each digit; or null
  int64_t* presentations;  // [count]
  int64_t *input_spikes, *fired, *active, *inhibitory_fired, *inhibitory_active;  // [inputs], and [neurons] each
  int64_t* updates;        // [2]: weights that STDP changed, and that were scaled back to their sum
};

namespace plain {
void diehl_cook(const Digits&, const DigitConstants&, const DigitsSeen&);
}
#if defined(__x86_64__)
namespace avx2 {
void diehl_cook(const Digits&, const DigitConstants&, const DigitsSeen&);
}
namespace avx512 {
void diehl_cook(const Digits&, const DigitConstants&, const DigitsSeen&);
}
#endif

}  // namespace spikeledger
