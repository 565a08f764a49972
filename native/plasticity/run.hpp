// Digits without labels, after Diehl & Cook 2015: Poisson inputs, conductances, adaptive thresholds, one inhibitory neuron
// for each excitatory one, and STDP. Included once for each instruction set, inside its own namespace: SPIKELEDGER_SET. The equations and their order are in plasticity/diehl_cook_stdp.py, which gives the same bits.
#pragma once

#include <limits>
#include <utility>
#include <vector>

#include "digits.hpp"
#include "../simd.hpp"

namespace spikeledger::SPIKELEDGER_SET {

// As many lanes as one register has: gcc keeps the wider type of simd.hpp in memory where sums go round a loop.
#if defined(__AVX512F__)
constexpr int kRegister = 16;
#elif defined(__AVX__)
constexpr int kRegister = 8;
#else
constexpr int kRegister = 4;
#endif
typedef float Register __attribute__((vector_size(4 * kRegister)));
typedef float LooseRegister __attribute__((vector_size(4 * kRegister), aligned(4), may_alias));

class DigitRun {
 public:
  DigitRun(const Digits& given, const DigitConstants& with, const DigitsSeen& to)
      : in_(given), is_(with), out_(to), width_((given.neurons + kLanes - 1) / kLanes * kLanes) {
    const auto rows = static_cast<size_t>(in_.inputs), places = static_cast<size_t>(width_);
    float* weight = weight_.at_least(in_.inputs * width_);
    std::fill_n(weight, rows * places, 0.0f);
    for (int64_t row = 0; row < in_.inputs; ++row)
      std::copy_n(in_.weight + row * in_.neurons, in_.neurons, weight + row * width_);
    w_ = weight;
    for (auto* each : {&v_, &ge_, &gi_, &threshold_}) each->resize(places);
    if (in_.delay != nullptr) {
      ring_.resize(static_cast<size_t>(in_.longest + 1) * places);
      arrived_.resize(ring_.size());
    }
    scratch_.resize(places), last_.resize(places), until_.resize(places), heard_.resize(rows), inhibits_.resize(places);
    starts_.resize(static_cast<size_t>(in_.steps) + 1);
  }

  void run() {
    for (int64_t digit = 0; digit < in_.count; ++digit) {
      int32_t* seen = out_.spikes == nullptr ? scratch_.data() : out_.spikes + digit * in_.neurons;
      for (int attempt = 0;; ++attempt) {
        std::fill_n(seen, in_.neurons, 0);
        encode(in_.images + digit * in_.inputs, in_.first + digit, attempt);
        const int64_t spikes = present(seen);
        out_.presentations[digit] = attempt + 1;
        if (spikes >= is_.enough || attempt + 1 >= is_.most) break;
      }
    }
    for (int64_t i = 0; i < in_.neurons; ++i) out_.active[i] += all_active_;
    if (!in_.learn) return;
    for (int64_t row = 0; row < in_.inputs; ++row)
      std::copy_n(w_ + row * width_, in_.neurons, in_.weight + row * in_.neurons);
  }

 private:
  static uint64_t mixed(uint64_t x) {  // SplitMix64's output
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
  }

  // A whole number below 2^52 as a double, which every instruction set can do in lanes.
  static double as_double(uint64_t whole) {
    whole |= 0x4330000000000000u;  // 2^52
    double value;
    std::memcpy(&value, &whole, sizeof value);
    return value - 0x1p52;
  }

  // The natural logarithm of 0 < x < 1 in plain arithmetic, so that every machine draws the same spikes.
  static double logarithm(double x) {
    uint64_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    double exponent = as_double(bits >> 52) - 1022;
    bits = (bits & 0x000fffffffffffffu) | 0x3fe0000000000000u;  // [0.5, 1)
    double part;
    std::memcpy(&part, &bits, sizeof part);
    const bool small = part < 0.70703125;  // about the root of 1/2
    part = small ? 2 * part : part;
    exponent = small ? exponent - 1 : exponent;
    const double s = (part - 1) / (part + 1), q = s * s;
    double sum = 1.0 / 17;
    sum = sum * q + 1.0 / 15, sum = sum * q + 1.0 / 13, sum = sum * q + 1.0 / 11, sum = sum * q + 1.0 / 9;
    sum = sum * q + 1.0 / 7, sum = sum * q + 1.0 / 5, sum = sum * q + 1.0 / 3, sum = sum * q + 1;
    return exponent * 0.6931471805599453 + 2 * s * sum;
  }

  // Input spikes by the gaps between them, which are geometric; a step's spikes lie by place.
  void encode(const uint8_t* image, int64_t number, int attempt) {
    constexpr uint64_t kGolden = 0x9e3779b97f4a7c15u;
    const uint64_t key = mixed(mixed(in_.seed + kGolden * static_cast<uint64_t>(number + 1)) + static_cast<uint64_t>(attempt));
    std::fill(starts_.begin(), starts_.end(), 0);
    drawn_.clear();
    for (int64_t place = 0; place < in_.inputs; ++place) {
      if (image[place] == 0) continue;
      const double chance = image[place] * is_.chance * (is_.intensity + attempt);
      const double scale = 1 / logarithm(1 - chance);
      uint64_t draw = key + kGolden * static_cast<uint64_t>(place * 65536);
      for (int64_t step = -1; step < in_.steps;) {
        constexpr int kTogether = 8;
        double gaps[kTogether];
        for (int n = 0; n < kTogether; ++n)
          gaps[n] = logarithm((as_double(mixed(draw + kGolden * static_cast<uint64_t>(n + 1)) >> 12) + 0.5) * 0x1p-52) * scale;
        draw += kGolden * kTogether;
        for (const double gap : gaps) {
          step = gap < static_cast<double>(in_.steps) ? step + 1 + static_cast<int64_t>(gap) : in_.steps;
          if (step >= in_.steps) break;
          drawn_.emplace_back(static_cast<int32_t>(step), static_cast<int32_t>(place));
          ++starts_[static_cast<size_t>(step)];
        }
      }
    }
    int32_t before = 0;
    for (auto& start : starts_) before += std::exchange(start, before);
    arriving_.resize(drawn_.size());
    for (const auto& [step, place] : drawn_) {
      arriving_[static_cast<size_t>(starts_[static_cast<size_t>(step)]++)] = place;
      ++out_.input_spikes[place];
    }
  }

  int64_t present(int32_t* seen) {
    begin();
    int64_t spikes = 0;
    for (int64_t t = 0; t < in_.steps; ++t) {
      const int32_t* heard = arriving_.data() + (t == 0 ? 0 : starts_[static_cast<size_t>(t - 1)]);
      const int64_t count = arriving_.data() + starts_[static_cast<size_t>(t)] - heard;
      if (in_.delay != nullptr)
        for (int64_t n = 0; n < count; ++n) send(heard[n]);
      most_ge_ += static_cast<float>(count) * is_.largest;  // with delays the bound is early, by less than it takes to fade
      gather(count > 0);
      const bool hit = in_.delay != nullptr ? advance(nullptr, 0, 0) : advance(heard, count, following(t));
      if (in_.learn)
        for (int64_t n = 0; n < count; ++n) weaken(heard[n], t);
      for (const int32_t each : fired_)
        if (until_[each] >= t) v_[each] = is_.reset;
      if (hit) spikes += fire(t, seen);
      inhibit(t);
    }
    if (in_.learn) settle();
    return spikes;
  }

  void begin() {
    std::fill(v_.begin(), v_.end(), is_.rest);
    for (auto* each : {&ge_, &gi_, &ring_}) std::fill(each->begin(), each->end(), 0.0f);
    std::fill(threshold_.begin(), threshold_.end(), std::numeric_limits<float>::infinity());
    for (int64_t i = 0; i < in_.neurons; ++i) threshold_[i] = is_.threshold + in_.theta[i];
    std::fill(last_.begin(), last_.end(), -1), std::fill(until_.begin(), until_.end(), -1);
    std::fill(heard_.begin(), heard_.end(), -1), std::fill(inhibits_.begin(), inhibits_.end(), -1);
    std::fill(arrived_.begin(), arrived_.end(), uint8_t{0});
    fired_.clear(), active_.clear(), inhibitory_.clear(), inhibiting_.clear();
    now_ = 0;
    most_ge_ = most_gi_ = 0;
  }

  // How many inputs spike in the next step.
  int64_t following(int64_t t) const {
    return t + 1 < in_.steps ? starts_[static_cast<size_t>(t + 1)] - starts_[static_cast<size_t>(t)] : 0;
  }

  // An input spike sets out, to arrive after the delay of each synapse, with the weight of now.
  void send(int32_t place) {
    const float* row = w_ + place * width_;
    const uint8_t* delay = in_.delay + place * in_.neurons;
    for (int64_t i = 0; i < in_.neurons; ++i) {
      int64_t slot = now_ + delay[i];
      if (slot > in_.longest) slot -= in_.longest + 1;
      ring_[static_cast<size_t>(slot * width_ + i)] += row[i];
      arrived_[static_cast<size_t>(slot * width_ + i)] = 1;
    }
  }

  // STDP at an input spike: the weights to neurons that fired before it sink.
  void weaken(int32_t place, int64_t t) {
    float* row = w_ + place * width_;
    for (const int32_t i : fired_) row[i] = std::max(row[i] - is_.decrease * in_.fade[t - last_[i]], 0.0f);
    out_.updates[0] += static_cast<int64_t>(fired_.size());
    if (heard_[place] < 0) active_.push_back(place);
    heard_[place] = static_cast<int32_t>(t);
  }

  // What else reaches excitatory neurons in this step: delayed spikes, and inhibition from everyone but the own partner.
  void gather(bool heard) {
    const auto others = static_cast<int64_t>(inhibiting_.size());
    if (in_.delay != nullptr) {
      float *slot = ring_.data() + now_ * width_, *to = ge_.data();
      uint8_t* any = arrived_.data() + now_ * width_;
      for (int64_t i = 0; i < in_.neurons; ++i) {
        to[i] += slot[i];
        out_.active[i] += any[i] != 0 || others > 1 || (others == 1 && inhibiting_[0] != i);
      }
      std::fill_n(slot, width_, 0.0f), std::fill_n(any, width_, uint8_t{0});
      now_ = now_ == in_.longest ? 0 : now_ + 1;
    } else if (heard || others > 0) {
      ++all_active_;
      if (!heard && others == 1) --out_.active[inhibiting_[0]];
    }
    for (const int32_t from : inhibiting_) {
      const float own = gi_[from];
      const Lanes more = splat(is_.inhibition);
      for (int64_t i = 0; i < width_; i += kLanes) store(&gi_[i], load(&gi_[i]) + more);
      gi_[from] = own;
      most_gi_ += is_.inhibition;
    }
    inhibiting_.clear();
  }

  // The weights of `count` inputs arrive, and membranes and conductances go on by a step, while the weights of the `next`
  // ones are fetched; whether any neuron is above its threshold.
  bool advance(const int32_t* heard, int64_t count, int64_t next) {
    rows_.clear();
    for (int64_t n = 0; n < count + next; ++n) rows_.push_back(w_ + heard[n] * width_);
    const bool found = most_gi_ > 0 ? advance<true>(count) : advance<false>(count);
    fade(most_ge_, is_.ge_fade, ge_), fade(most_gi_, is_.gi_fade, gi_);
    return found;
  }

  template <bool kInhibited>
  bool advance(int64_t count) {
    const auto get = [](const float* from) -> Register { return *reinterpret_cast<const LooseRegister*>(from); };
    const auto put = [](float* to, Register value) { *reinterpret_cast<LooseRegister*>(to) = value; };
    const auto all = [](float value) { return value - Register{}; };
    const Register rest = all(is_.rest), low = all(is_.low), rate = all(is_.rate);
    const Register ge_fade = all(is_.ge_fade), gi_fade = all(is_.gi_fade);
    const float *const *row = rows_.data(), *const *const end = row + count, *const *const last = row + rows_.size();
    float *const v_at = v_.data(), *const ge_at = ge_.data(), *const gi_at = gi_.data();
    const float* const threshold = threshold_.data();
    const int64_t width = width_;
    Register most{};
    for (int64_t i = 0; i < width; i += kRegister) {
      Register v = get(v_at + i), ge = get(ge_at + i);
      for (auto each = row; each < end; ++each) ge += get(*each + i);
      if (i % kLanes == 0)
        for (auto each = end; each < last; ++each) __builtin_prefetch(*each + i);
      Register change = (rest - v) - ge * v;
      if constexpr (kInhibited) {
        const Register gi = get(gi_at + i);
        change += gi * (low - v);
        put(gi_at + i, gi * gi_fade);
      }
      v += rate * change;
      put(v_at + i, v), put(ge_at + i, ge * ge_fade);
      const Register over = v - get(threshold + i);
      most = over > most ? over : most;
    }
    float furthest = 0;
    for (int lane = 0; lane < kRegister; ++lane) furthest = std::max(furthest, most[lane]);
    return furthest > 0;
  }

  // A conductance that no membrane would feel is none: the bound on it is a sum of what arrived.
  void fade(float& most, float by, std::vector<float>& conductance) const {
    if (most == 0) return;
    most *= by;
    if (most >= is_.least) return;
    most = 0;
    std::fill(conductance.begin(), conductance.end(), 0.0f);
  }

  // Who is above threshold fires: the one furthest above, or all.
  int64_t fire(int64_t t, int32_t* seen) {
    int64_t spikes = 0, best = -1;
    float most = 0;
    for (int64_t i = 0; i < in_.neurons; ++i) {
      const float over = v_[i] - threshold_[i];
      if (over <= (in_.one_at_a_time ? most : 0.0f)) continue;
      if (in_.one_at_a_time) {
        most = over, best = i;
      } else {
        spike(i, t), ++seen[i], ++spikes;
      }
    }
    if (best >= 0) spike(best, t), ++seen[best], ++spikes;
    return spikes;
  }

  void spike(int64_t i, int64_t t) {
    v_[i] = is_.reset;
    until_[i] = static_cast<int32_t>(t + is_.refractory);
    ++out_.fired[i];
    if (in_.learn) {
      in_.theta[i] += is_.theta_step;
      threshold_[i] = is_.threshold + in_.theta[i];
    }
    if (last_[i] < 0) {
      fired_.push_back(static_cast<int32_t>(i));
    } else if (in_.learn) {  // a second spike of this digit strengthens what was heard
      const float by = is_.increase * in_.fade_after[t - last_[i]];
      for (const int32_t place : active_) {
        float& weight = w_[place * width_ + i];
        weight = std::min(weight + by * in_.fade[t - heard_[place]], is_.largest);
      }
      out_.updates[0] += static_cast<int64_t>(active_.size());
    }
    last_[i] = static_cast<int32_t>(t);
    if (inhibits_[i] < 0) {
      inhibits_[i] = static_cast<int32_t>(inhibitory_.size());
      inhibitory_.push_back({static_cast<int32_t>(i), is_.inhibitory_rest, 0.0f, -1});
    }
    inhibitory_[static_cast<size_t>(inhibits_[i])].ge += is_.excitation;
    ++out_.inhibitory_active[i];
  }

  // Inhibitory neurons: only those whose partner fired in this digit have left rest.
  void inhibit(int64_t t) {
    for (Inhibitory& each : inhibitory_) {
      each.v = each.v + is_.inhibitory_rate * ((is_.inhibitory_rest - each.v) - each.ge * each.v);
      each.ge *= is_.ge_fade;
      if (each.until >= t) each.v = is_.inhibitory_reset;
      if (each.v <= is_.inhibitory_threshold) continue;
      each.v = is_.inhibitory_reset;
      each.until = static_cast<int32_t>(t + is_.inhibitory_refractory);
      ++out_.inhibitory_fired[each.partner];
      inhibiting_.push_back(each.partner);
    }
    std::sort(inhibiting_.begin(), inhibiting_.end());
  }

  // After a presentation: weights of those who learned are brought back to their sum, and thresholds sink.
  void settle() {
    sums_.assign(fired_.size(), 0.0f);
    for (int64_t row = 0; row < in_.inputs; ++row)
      for (size_t n = 0; n < fired_.size(); ++n) sums_[n] += w_[row * width_ + fired_[n]];
    for (float& sum : sums_) sum = is_.total / sum;
    for (int64_t row = 0; row < in_.inputs; ++row)
      for (size_t n = 0; n < fired_.size(); ++n) w_[row * width_ + fired_[n]] *= sums_[n];
    out_.updates[1] += in_.inputs * static_cast<int64_t>(fired_.size());
    for (int64_t i = 0; i < in_.neurons; ++i) in_.theta[i] *= is_.theta_fade;
  }

  struct Inhibitory {
    int32_t partner;
    float v, ge;
    int32_t until;
  };

  const Digits in_;
  const DigitConstants is_;
  const DigitsSeen out_;
  const int64_t width_;
  Buffer<float> weight_;
  float* w_ = nullptr;
  std::vector<float> v_, ge_, gi_, threshold_, ring_, sums_;
  std::vector<uint8_t> arrived_;
  std::vector<const float*> rows_;
  int64_t now_ = 0, all_active_ = 0;  // slot of the ring; steps in which every neuron was reached
  float most_ge_ = 0, most_gi_ = 0;
  std::vector<int32_t> scratch_, last_, until_, heard_, inhibits_, fired_, active_, inhibiting_, starts_, arriving_;
  std::vector<Inhibitory> inhibitory_;
  std::vector<std::pair<int32_t, int32_t>> drawn_;
};

void diehl_cook(const Digits& given, const DigitConstants& with, const DigitsSeen& to) {
  DigitRun(given, with, to).run();
}

}  // namespace spikeledger::SPIKELEDGER_SET
