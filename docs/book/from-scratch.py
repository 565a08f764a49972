# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 25 The other book: what we mended
#
# **The question.** "Building Spiking Neural Networks from Scratch" is the book that this one answers to. It builds
# everything from a bucket to digits, in plain Python, for *hardware viability*. What did running all of it show?
#
# It is a good book to read, and its best idea, that a reader should *see* each line at work, is alive on these pages.
# Four things break when its code meets hostile input, and each teaches something.
#
# ## A step that is too long
#
# Its leaky integrator takes Euler's step. With $\tau = 0.1$ s and steps of 0.2 s the level never settles:

# %%
import matplotlib.pyplot as plt
import numpy as np

import spikeledger as sl

current = np.full(6, 0.3)
for method in ("euler", "exact"):
    print(f"{method:6s}", np.round(sl.nef.leaky_integrator(current, dt=0.2, tau=0.1, method=method), 3))

# %% [markdown]
# **What it teaches.** Between two inputs the equation has a solution. Use it: [chapter 1](leaky-bucket.py).
#
# ## A neuron that is not a number
#
# Its adaptive neuron measures the overshoot from the resting threshold. When the input falls right after a spike, the
# logarithm gets a negative number:


# %%
def as_written(currents, tau, tau_inh, increase, dt):
    """The book's adaptive neuron: the moment of a spike is computed against 1, whatever the threshold is."""
    v, w, waiting = (np.zeros(currents.shape[1]) for _ in range(3))
    broken = []
    with np.errstate(all="ignore"):
        for now in currents:
            w *= np.exp(-dt / tau_inh)
            left = np.clip(dt - waiting, 0, dt)
            waiting = np.maximum(waiting - dt, 0)
            v = now + (v - now) * np.exp(-left / tau)
            fired = v > 1 + w
            over = -tau * np.log1p(-(v[fired] - 1) / (now[fired] - 1))
            v[fired], waiting[fired] = 0, 0.002 + dt - over
            w[fired] += increase
            broken.append(np.isnan(waiting).sum())
    return np.array(broken)


dt = 0.002
hostile = np.random.default_rng(0).uniform(-1, 6, (5000, 200))
figure, axis = plt.subplots(figsize=(6, 2.8))
for tau_inh, increase in ((0.05, 1.0), (0.3, 0.2), (1.1, 0.2)):
    broken = as_written(hostile, 0.02, tau_inh, increase, dt)
    kept = sl.nef.AdaptiveLIF(tau=0.02, tau_threshold=tau_inh, increase=increase).run(hostile, dt=dt)[1]
    axis.plot(np.arange(len(broken)) * dt, broken, label=f"tau {tau_inh} s, +{increase}")
    print(f"tau {tau_inh} s, +{increase}: {broken[-1]} of 200 neurons are lost, {np.isnan(kept).sum()} in ours")
    assert np.isfinite(kept).all()
axis.set(xlabel="seconds", ylabel="neurons that are NaN")
axis.legend()
plt.show()

# %% [markdown]
# **What it teaches.** Test with hostile input. A neuron that is right on a sine can be wrong on noise, and NaN never
# heals: [chapter 6](adaptation.py).
#
# ## Code that contradicts its text
#
# Who comes first when both spikes fall into one step? Its text says that simultaneous spikes weaken the synapse; its
# code strengthens it. Ours says *strengthen*, in text and code, and a test holds them together:

# %%
rule = sl.plasticity.PairRule(increase=0.01, decrease=0.012)
both, alone = sl.plasticity.by_traces(rule, [1], [1], start=0.5), sl.plasticity.by_pairs(rule, [1], [1])
print(f"both in one step: {both[-1] - 0.5:+.3f} by traces, {alone:+.3f} by pairs")
assert both[-1] - 0.5 == alone > 0 or abs(both[-1] - 0.5 - alone) < 1e-12

# %% [markdown]
# **What it teaches.** A rule is only defined when its ties are.
#
# ## Digits without an accuracy
#
# Its last chapters show a network of 16 neurons digits of 14 x 14 pixels, then load 400 trained neurons and test one
# image. There is no accuracy, so nobody can be wrong. [Chapter 13](digits-without-labels.py) has the whole network,
# labels from training digits only, and all 10,000 test digits.
#
# ## And hardware viability?
#
# The promise on its first page: *what can be efficiently implemented in hardware*. It can be answered thing by thing,
# from the chips' own files:

# %%
from spikeledger.chip.abilities import viability

chips = ["loihi", "truenorth", "odin", "spinnaker", "xylo"]
print(f"{'':58s} {' '.join(f'{chip:>10s}' for chip in chips)}")
for row in viability(chips):
    print(f"{row.thing[:58]:58s} {' '.join(f'{row.answers[chip]:>10s}' for chip in chips)}")

# %% [markdown]
# No chip is a brain in general. The bucket of chapter 1, whose leak is one multiplication, already divides them.
#
# ## Where it stands in the code
#
# `sl.nef`, `sl.plasticity`, `spikeledger.chip.abilities`; the table with every chip is [hardware
# viability](../reference/viability.md).
#
# ## What to try
#
# 1. Read its chapter on STDP with [chapter 11](stdp.py) beside it. Which rule learns the cause?
# 2. Why does a longer $\tau$ of the threshold save most of its neurons?
# 3. Take any thing of this book and ask the table. What would you change for it to fit on Xylo?
#
# **Sources.** "Building Spiking Neural Networks from Scratch", github.com/soney/snn-from-scratch (2024).
