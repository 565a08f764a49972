# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 6 A neuron that tires
#
# **The question.** Keep your hand still on the table and you stop feeling it. How does a neuron answer less to what does
# not change, and how is that computed so that it never breaks?
#
# Each spike raises the threshold by a little, and between spikes it sinks back:
# $\theta = 1 + w$, $w \leftarrow w\,e^{-dt/\tau_\theta}$, and $w \leftarrow w + \delta$ at a spike. Here $\theta$ is the
# threshold, 1 at rest; $w$ is by how much it is raised; $\delta$ is what one spike adds, and $\tau_\theta$ how slowly that
# fades. The neuron answers loudly to what is new, and settles at a lower rate, where as much is added as fades.

# %%
import matplotlib.pyplot as plt
import numpy as np

import spikeledger as sl

dt = 0.001
current = np.ones((1500, 1))
current[300:900] = 4.0
tired = sl.nef.AdaptiveLIF(tau=0.02, tau_threshold=0.2, increase=0.1)
spikes, membranes, thresholds = tired.run(current, dt=dt)
figure, axes = plt.subplots(2, 1, figsize=(7, 3.6), sharex=True)
axes[0].plot(np.arange(1500) * dt, membranes, label="membrane")
axes[0].plot(np.arange(1500) * dt, thresholds, label="threshold")
axes[0].plot(np.arange(1500) * dt, current[:, 0], ":", color="gray", label="current")
axes[0].set(ylabel="level")
axes[0].legend(fontsize=8)
bins = spikes.reshape(-1, 50).sum(1) / 0.05
axes[1].step(np.arange(len(bins)) * 0.05, bins, where="post")
axes[1].set(xlabel="seconds", ylabel="spikes a second")
plt.show()
fresh, settled = spikes[300:400].sum() / 0.1, spikes[800:900].sum() / 0.1
print(f"{fresh:.0f} Hz in the first tenth of a second of the strong current, {settled:.0f} Hz in its last")
assert fresh > settled

# %% [markdown]
# ## The trap
#
# *When* in its step did the level cross the threshold? [Chapter 2](threshold.py) works it out from how far the level is
# past the threshold at the step's end, the overshoot, and takes a logarithm (`log1p` below). A tempting mistake is to keep
# measuring the overshoot from 1, the threshold at rest, where the level crossed $1 + w$. With a raised threshold and a
# current that has changed, that is the logarithm of a negative number: the neuron is *not a number*, and stays so for ever.
# Here are both forms, for four seconds of 200 neurons whose current jumps at each step between -1 and 6, in six settings:


# %%
def naive(currents, tau, tau_threshold, increase, dt, refractory=0.002):
    """As some texts have it: the overshoot measured from 1."""
    v, w, waiting = (np.zeros(currents.shape[1]) for _ in range(3))
    with np.errstate(all="ignore"):
        for now in currents:
            w *= np.exp(-dt / tau_threshold)
            left = np.clip(dt - waiting, 0, dt)
            waiting = np.maximum(waiting - dt, 0)
            v = now + (v - now) * np.exp(-left / tau)
            fired = v > 1 + w
            over = -tau * np.log1p(-(v[fired] - 1) / (now[fired] - 1))
            v[fired] = 0
            waiting[fired] = refractory + dt - over
            w[fired] += increase
    return np.isnan(waiting).sum()


noise = np.random.default_rng(0).uniform(-1, 6, (4000, 200))
for tau_threshold, increase in ((0.05, 1.0), (0.05, 0.2), (0.3, 0.2), (0.3, 1.0), (1.0, 0.2), (1.0, 1.0)):
    kept = sl.nef.AdaptiveLIF(tau=0.02, tau_threshold=tau_threshold, increase=increase)
    broken = ~np.isfinite(kept.run(noise, dt=dt)[1]).all(0)
    print(
        f"tau {tau_threshold:4.2f} s, +{increase:.1f}: {naive(noise, 0.02, tau_threshold, increase, dt):3d} of 200 broken "
        f"by the naive form, {broken.sum()} by the one of this book"
    )
    assert not broken.any()

# %% [markdown]
# ```{widget} tiring
# ```
#
# ## The same for any step
#
# With the crossing worked out, the rate hardly depends on the step. Spikes of ten seconds at three currents:

# %%
for dt_ in (0.002, 0.001, 0.0005):
    steady = np.tile([2.0, 4.0, 8.0], (round(10 / dt_), 1))
    rates = tired.run(steady, dt=dt_)[0].sum(0) / 10
    print(f"dt {1000 * dt_:g} ms: {', '.join(f'{rate:.1f} Hz' for rate in rates)}")

# %% [markdown]
# ## Where it stands in the code
#
# `sl.nef.AdaptiveLIF` in continuous time; `sl.neurons.AdaptiveLIF` in whole steps, for networks that learn by gradients and for
# chips. Which chips have a threshold that moves: [hardware viability](../reference/viability.md).
#
# ## What to try
#
# 1. Find the rate at which the neuron settles: at rate $f$ the threshold is raised by about $\delta f \tau_\theta$.
# 2. How many spikes does adaptation save in the picture above, and how many joules on Loihi if each goes to 100 neurons?
# 3. Put `max(..., 0)` into the logarithm of the naive form. Is the rate right now?
#
# **Sources.** Bellec et al. 2018, NeurIPS, arXiv:1803.09574 (adaptive thresholds in networks that learn); Gerstner et al.
# 2014, Neuronal Dynamics, chapter 6. The naive form stands in "Building Spiking Neural Networks from Scratch", chapter 15.
