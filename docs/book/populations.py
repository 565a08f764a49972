# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 7 Populations and decoders
#
# **The question.** One neuron says little. How do a hundred of them say a number, a function of it, and remember it; and
# what does a digit more of precision cost?
#
# Each neuron hears the value $x$ with a gain and a bias of its own, so each fires at another rate for the same $x$: its
# *tuning curve*. If all rates for all $x$ stand in a matrix $A$, then weights $D$ with $A D \approx x$ read the value back.
# They are found by least squares, with a little noise added to the rates in the equations, since spikes are a noisy rate.

# %%
import matplotlib.pyplot as plt
import numpy as np

import spikeledger as sl

one = sl.nef.population(50, seed=1)
line = np.linspace(-1, 1, 201)[:, None]
figure, axes = plt.subplots(1, 2, figsize=(8, 2.8))
axes[0].plot(line, one.rates(line)[:, :12])
axes[0].set(xlabel="x", ylabel="spikes a second", title="12 tuning curves")
axes[1].plot(line, one.rates(line) @ one.decoders(), label="x")
axes[1].plot(line, one.rates(line) @ one.decoders(lambda x: x**2), label="x squared")
axes[1].set(xlabel="x", title="decoded from the same rates")
axes[1].legend()
plt.show()

# %% [markdown]
# The same rates give $x$ or $x^2$: only the decoders differ. With spikes instead of rates the reading is noisy, and more
# neurons make it better. Here is a sine, sent through a *connection* that squares it, and what it costs on Loihi:

# %%
seconds = np.arange(1000) * 0.001
sine = np.sin(2 * np.pi * seconds)[:, None]
wanted = sl.nef.Lowpass(0.01).filter(sl.nef.Lowpass(0.005).filter(sine**2, dt=0.001), dt=0.001)
for neurons in (25, 50, 100, 200, 400):
    first, second = (sl.nef.population(neurons, seed=seed) for seed in (2, 3))
    run = sl.nef.connect(first, second, sine, function=lambda x: x**2)
    error = np.sqrt(np.mean((run.values[200:] - wanted[200:]) ** 2))
    ledger = sl.price(run.activity, "loihi").without("static")
    print(
        f"{neurons:4d} neurons each: error {error:.3f}, {run.activity.total('synaptic_op'):12,} synaptic operations, "
        f"estimated {1e6 * ledger.joules:.0f} µJ a second"
    )

# %% [markdown]
# Synaptic operations grow with the square of the neurons, since everyone is connected to everyone, while the error falls
# about as their root to their inverse. Joules are **estimated**: exact counts times the prices of a profile, static power
# left out.
#
# ```{widget} decoding
# ```
#
# ## A memory
#
# A population that hears its own value holds it. What its decoders get wrong is added up, so it drifts.

# %%
told = np.zeros((2000, 1))
told[:500] = 1.0
figure, axis = plt.subplots(figsize=(6, 2.8))
for neurons in (30, 100, 500):
    run = sl.nef.integrator(sl.nef.population(neurons, seed=4), told)
    axis.plot(np.arange(2000) * 0.001, run.values, label=f"{neurons} neurons")
axis.axhline(0.5, color="gray", linewidth=0.5)
axis.set(xlabel="seconds", ylabel="remembered")
axis.legend()
plt.show()

# %% [markdown]
# ## Where it stands in the code
#
# `sl.nef`: `population`, `simulate`, `connect`, `integrator`, `solve`. Gains, biases and decoders equal nengo's to 1e-12
# where the same samples are given, and spikes are equal bit for bit: `tests/peers/test_nengo.py`.
#
# ## What to try
#
# 1. Decode $x y$ from a population of two dimensions. Why is a radius of 1.5 better than 1?
# 2. Set `noise=0` in the decoders. What happens to the reading from spikes?
# 3. How many neurons hold 0.5 for ten seconds to within 0.05?
#
# **Sources.** Eliasmith & Anderson 2003, Neural Engineering; Stewart 2012, A technical overview of the neural engineering
# framework.
