# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 2 A threshold, and how fast it fires
#
# **The question.** The bucket tips over when it is full. How often, for a given inflow, and does the answer depend on the
# step?
#
# A neuron that reaches its threshold sends a spike, is emptied, and does nothing for a *refractory time*. At a constant
# current $J$ above the threshold 1 it takes $\tau \ln\frac{J}{J-1}$ to fill up again, so it fires at
#
# $$ f(J) = \frac{1}{t_\mathrm{ref} + \tau \ln(1 + \frac{1}{J - 1})} $$
#
# and not at all below 1. A simulation in steps sees that the threshold was crossed only at the end of a step. If it starts
# the refractory time there, every spike comes late by half a step on average, and rates depend on $dt$.

# %%
import numpy as np

import spikeledger as sl

neuron = sl.nef.LIF(tau=0.02, refractory=0.002)
currents = np.linspace(0.5, 8, 40)


def late(currents, dt, seconds=1.0):
    """Without the overshoot: the refractory time begins at the end of the step."""
    v, waiting, spikes = np.zeros(len(currents)), np.zeros(len(currents)), np.zeros(len(currents))
    for _ in range(round(seconds / dt)):
        waiting -= dt
        v = np.where(waiting > 1e-9, 0, currents + (v - currents) * np.exp(-dt / neuron.tau))
        fired = v > 1
        v[fired], waiting[fired] = 0, neuron.refractory + dt
        spikes += fired
    return spikes / seconds


def on_time(currents, dt, seconds=1.0):
    return neuron.run(np.tile(currents, (round(seconds / dt), 1)), dt=dt).sum(0) / seconds


for dt in (0.002, 0.001, 0.0001):
    off = [np.abs(way(currents, dt) - neuron.rate(currents)).max() for way in (late, on_time)]
    print(f"dt {1000 * dt:g} ms: largest error {off[0]:.1f} Hz without, {off[1]:.1f} Hz with the overshoot")

# %% [markdown]
# The second column stays within one spike of a second. The trick costs one logarithm a *spike*, not a step: the time since
# the crossing follows from how far the level has got past it.

# %%
import matplotlib.pyplot as plt

figure, axis = plt.subplots(figsize=(6, 3))
axis.plot(currents, neuron.rate(currents), label="analytic")
axis.plot(currents, on_time(currents, 0.002), ".", label="2 ms steps, overshoot")
axis.plot(currents, late(currents, 0.002), "x", label="2 ms steps, without")
axis.set(xlabel="current", ylabel="spikes a second")
axis.legend()
plt.show()

# %% [markdown]
# ```{widget} firing
# ```
#
# ## When the threshold moves
#
# A neuron that tires raises its threshold with every spike. Measured from 1, the overshoot is now the logarithm of a
# negative number as soon as the input changes between the crossing and the next step, and the neuron is *not a number* for
# ever. Measured from the threshold that was crossed, and kept within the step, it is always a number.

# %%
hostile = np.random.default_rng(0).uniform(-1, 6, (5000, 200))
spikes, membranes, thresholds = sl.nef.AdaptiveLIF(tau=0.05, tau_threshold=0.05, increase=1.0).run(hostile, dt=0.001)
print(f"{np.isnan(membranes).sum()} of {membranes.size:,} membranes are not a number; {spikes.sum():,} spikes")
assert np.isfinite(membranes).all()

# %% [markdown]
# ## Where it stands in the code
#
# `sl.nef.LIF`, `sl.nef.AdaptiveLIF`. The networks that learn by gradients use whole steps, as chips do: `sl.neurons.LIF` has the
# resets by subtraction, to zero and delayed, and [the page on neurons](../explanation/neurons.md) says which library does
# which.
#
# ## What to try
#
# 1. Set the refractory time to 0. What is the largest rate now, and what does a step allow?
# 2. Let the threshold rise by 0.3 at a constant current of 4. After how many spikes has the neuron tired?
# 3. Without the overshoot, which step gives the analytic rate to 1 %? What does that cost in neuron updates a second?
#
# **Sources.** Eliasmith & Anderson 2003, Neural Engineering, chapter 4; Gerstner et al. 2014, Neuronal Dynamics, chapter 1.
