# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 11 STDP by hand
#
# **The question.** Who fires just before me may have made me fire. How does a synapse learn that from nothing but the
# moments of two spikes?
#
# *Spike-timing-dependent plasticity*: if the sender fires shortly **before** the receiver, the weight grows; shortly
# **after**, it shrinks. The nearer the two spikes, the more.

# %%
import matplotlib.pyplot as plt
import numpy as np

import spikeledger as sl
from spikeledger.plasticity import PairRule, by_pairs, by_traces, window

rule = PairRule(increase=0.010, decrease=0.012, tau_before=20.0, tau_after=20.0)
lags = np.arange(-80, 81)
figure, axis = plt.subplots(figsize=(6, 2.8))
axis.plot(lags, window(rule, lags), ".")
axis.axhline(0, color="gray", linewidth=0.5)
axis.set(xlabel="receiver's spike minus sender's (steps)", ylabel="change of the weight")
plt.show()
for lag in (-20, -1, 0, 1, 20):
    print(f"lag {lag:+3d}: {float(window(rule, lag)):+.5f}")

# %% [markdown]
# Who comes first when both fire in one step? A rule must say it. Here the sender's spike comes first, so the weight grows.
# The text says so, the code says so, and a test holds them together.
#
# ```{widget} learning
# ```
#
# ## All pairs, or two traces
#
# Summing over all pairs of spikes needs the whole past. Two numbers are enough, one a neuron: a *trace* that jumps by 1 at
# its spike and fades. At the receiver's spike the weight grows by `increase` times the sender's trace; at the sender's spike
# it shrinks by `decrease` times the receiver's.

# %%
draw = np.random.default_rng(0)
before, after = draw.random(2000) < 0.02, draw.random(2000) < 0.02
free = PairRule(increase=0.010, decrease=0.012, low=-100.0, high=100.0)
pairs = by_pairs(free, before, after)
traces = by_traces(free, before, after, start=0.0)[-1]
print(f"{before.sum()} x {after.sum()} pairs: {pairs:+.6f}; traces: {traces:+.6f}")
assert abs(pairs - traces) < 1e-9

# %% [markdown]
# ## What it learns
#
# Two senders with the same rate. The first one's spikes are followed by the receiver's two steps later; the second fires
# at random, without regard to the receiver. The rule finds out who it was:

# %%
causes, chatter = draw.random(20000) < 0.02, draw.random(20000) < 0.02
receiver = np.roll(causes, 2)
figure, axis = plt.subplots(figsize=(6, 2.8))
for name, sender in (("cause", causes), ("chatter", chatter)):
    weight = by_traces(rule, sender, receiver)
    axis.plot(weight, label=name)
    print(f"{name}: weight from 0.50 to {weight[-1]:.2f}")
axis.set(xlabel="step", ylabel="weight")
axis.legend()
plt.show()

# %% [markdown]
# The weight of mere chatter sinks since the decrease is a little stronger than the increase. Were it the other way round,
# every weight would end at its upper bound.
#
# ## On a chip, and at what price
#
# Learning happens where the synapses are, so a chip either has it or has not. Here a small network learns on a simulated
# Loihi; every change of a weight is counted as a `weight_update`.

# %%
import torch
from torch import nn

torch.manual_seed(0)
network = nn.Sequential(nn.Linear(20, 5, bias=False), sl.neurons.LIF(0.9))
with torch.no_grad():
    network[0].weight.uniform_(0.1, 0.4)
inputs = (torch.rand(100, 4, 20) < 0.1).float()
activity = sl.simulate(network, inputs, "loihi", learning={"0": rule})
events = sl.price(activity, "loihi").without("static").by_event()
print(
    f"{activity.total('weight_update'):,} weight updates: estimated {1e9 * events['weight_update']:.1f} nJ; "
    f"{activity.total('synaptic_op'):,} synaptic operations: {1e9 * events['synaptic_op']:.1f} nJ"
)

# %% [markdown]
# A spike of an input causes one operation at each of its synapses, and one change of each weight whose receiver has a trace;
# a spike of a receiver changes all weights that lead to it. So there are more changes than operations here, and each is
# dearer: learning costs many times what running costs.
#
# ## Where it stands in the code
#
# `sl.plasticity`: `PairRule`, `window`, `by_pairs`, `by_traces`; on chips `sl.simulate(..., learning=...)` and
# `spikeledger chip simulate --learn LAYER`. Which chips can learn: [hardware viability](../reference/viability.md).
#
# ## What to try
#
# 1. Make increase and decrease equal. Where does the weight of the chatter go?
# 2. Let the cause come 30 steps ahead. Which $\tau$ still finds it?
# 3. Give the rule `rounding="nearest"` and simulate with `precision="chip"`. How much is still learned?
#
# **Sources.** Bi & Poo 1998, J. Neurosci. 18:10464; Song, Miller & Abbott 2000, Nat. Neurosci. 3:919; Morrison, Diesmann &
# Gerstner 2008, Biol. Cybern. 98:459 (traces).
