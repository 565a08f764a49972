# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 1 A leaky bucket
#
# **The question.** A neuron gathers what comes in and loses what it has. How do you compute that in steps, and how long
# may a step be?
#
# Water runs into a bucket with a hole. The fuller it is, the faster it leaks. Let $v$ be the level, and let the inflow be
# given as $J$, the level at which as much leaks as comes in. Then $\tau\,dv/dt = J - v$: the level goes towards $J$, and
# $\tau$, in seconds, says how slowly. This is what the voltage of a neuron does while the neuron is silent; its unit is
# left open here, and 1 will be the level at which the neuron fires ([chapter 2](threshold.py)).
#
# ## By Euler
#
# The oldest way to follow it is to take the slope of now for the whole step: $v \leftarrow v + \frac{dt}{\tau}(J - v)$.

# %%
import numpy as np


def by_euler(current, dt, tau):
    v, levels = 0.0, []
    for now in current:
        v = v + dt / tau * (now - v)
        levels.append(v)
    return np.array(levels)


print(by_euler(np.full(6, 0.3), dt=0.2, tau=0.1))

# %% [markdown]
# With a step of 0.2 s and $\tau$ = 0.1 s the bucket jumps between 0.6 and 0 and never comes to rest at 0.3. The slope of
# now was followed far past the target. Where $dt > \tau$ the level overshoots; at $dt = 2\tau$, as here, it swings for ever,
# and beyond it grows without end.
#
# ## Exactly
#
# While the inflow stands still, the solution is known: the distance to $J$ shrinks by $e^{-dt/\tau}$. That costs the same
# one multiplication a step, and is right for any step.


# %%
def exactly(current, dt, tau):
    v, levels, keep = 0.0, [], np.exp(-dt / tau)
    for now in current:
        v = now + (v - now) * keep
        levels.append(v)
    return np.array(levels)


print(exactly(np.full(6, 0.3), dt=0.2, tau=0.1))

# %% [markdown]
# ## A picture
#
# The same square wave, with three steps. The exact levels lie on one curve; Euler's come near it as the step shrinks.

# %%
import matplotlib.pyplot as plt

figure, axes = plt.subplots(1, 2, figsize=(8, 2.8), sharey=True)
for axis, method, name in zip(axes, (by_euler, exactly), ("Euler", "exact"), strict=True):
    for dt in (0.16, 0.08, 0.01):
        times = np.arange(dt, 1.6 + dt / 2, dt)
        wave = np.where((times - dt / 2) % 1.6 < 0.8, 0.3, -0.3)
        axis.plot(times, method(wave, dt, 0.1), marker="." if dt > 0.05 else "", label=f"dt {dt} s")
    axis.set(title=name, xlabel="seconds")
axes[0].set_ylabel("level")
axes[0].legend()
plt.show()

# %% [markdown]
# ```{widget} bucket
# ```
#
# ## Where it stands in the code
#
# `sl.nef.leaky_integrator` has both forms. On a chip $e^{-dt/\tau}$ is one stored constant, the *decay* of a leaky
# integrate-and-fire (LIF) neuron, so the exact form is also what hardware does: one multiplication a neuron and step, which
# is part of what this book will count and price as a `neuron_update` ([glossary](../reference/glossary.md)).

# %%
import spikeledger as sl

for method, ours in (("euler", by_euler), ("exact", exactly)):
    current = np.random.default_rng(0).standard_normal(50)
    assert np.allclose(sl.nef.leaky_integrator(current, dt=0.03, tau=0.1, method=method), ours(current, 0.03, 0.1))

# %% [markdown]
# ## What to try
#
# 1. Find the step at which Euler's bucket begins to overshoot, and the one at which it runs away. Why are they $\tau$ and
#    $2\tau$?
# 2. Give the bucket an inflow that changes *within* a step. Is the exact form still exact?
# 3. How many steps of Euler give the accuracy of one exact step of 10 ms?
#
# **Sources.** Gerstner, Kistler, Naud & Paninski 2014, Neuronal Dynamics, chapter 1. The example that swings between two
# levels is from the book "Building Spiking Neural Networks from Scratch" (its chapter on the leaky integrator).
