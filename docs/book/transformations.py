# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 8 Transformations
#
# **The question.** A population says $x$. How does the next one come to say $x^2$, or the product of two values, with
# nothing between them but synapses?
#
# [Chapter 7](populations.py) reads a function of the value out of a population by other decoders. Put the next population's
# encoders behind them, and decoders and encoders multiply into one matrix of ordinary weights:
#
# $$ W_{ij} = g_i \; e_i \cdot d_j^{f} $$
#
# Nobody computes $f$ anywhere. It is in the weights.

# %%
import matplotlib.pyplot as plt
import numpy as np

import spikeledger as sl

seconds = np.arange(1000) * 0.001
sine = np.sin(2 * np.pi * seconds)[:, None]
wanted = {"x": lambda x: x, "x squared": lambda x: x**2, "sign of x": np.sign}
first, second = sl.nef.population(100, seed=1), sl.nef.population(100, seed=2)
figure, axes = plt.subplots(1, 3, figsize=(10, 2.6), sharey=True)
for axis, (name, function) in zip(axes, wanted.items(), strict=True):
    run = sl.nef.connect(first, second, sine, function=function)
    behind = sl.nef.Lowpass(0.01).filter(sl.nef.Lowpass(0.005).filter(function(sine), dt=0.001), dt=0.001)
    axis.plot(seconds, run.values)
    axis.plot(seconds, behind, color="gray", linewidth=0.8)
    axis.set(title=name, xlabel="seconds")
    print(f"{name:10s} rms error {np.sqrt(np.mean((run.values[100:] - behind[100:]) ** 2)):.3f}")
plt.show()

# %% [markdown]
# What has an edge is hard: the tuning curves are all smooth around it, and so is what can be made of them.
#
# ## A product
#
# Two values in one population of two dimensions: its neurons hear mixtures of both, and that is what makes a product
# possible. Neurons that hear $x$ alone or $y$ alone cannot say $x y$, whatever the decoders.

# %%
draw = np.random.default_rng(0)
points = draw.uniform(-1, 1, (2000, 2))
both = sl.nef.population(200, 2, seed=3, radius=1.5)
product = points[:, :1] * points[:, 1:]
error = np.sqrt(np.mean((both.rates(points) @ both.decoders(lambda v: v[:, :1] * v[:, 1:]) - product) ** 2))

line = sl.nef.population(100, seed=4)
apart = np.hstack([line.rates(points[:, :1]), line.rates(points[:, 1:])])
decoders = sl.nef.solve(apart, product)
alone = np.sqrt(np.mean((apart @ decoders - product) ** 2))
print(f"200 neurons that hear both: error {error:.3f}; 100 for x and 100 for y: {alone:.3f}")
print(f"the product itself has a root mean square of {np.sqrt(np.mean(product**2)):.3f}")
assert error < alone / 3

# %% [markdown]
# ## A matrix, or its two factors?
#
# The full matrix costs $n \times n$ synaptic operations if everyone fires once. A chip with programmable cores may keep
# decoders and encoders apart: $n D + D n$ for values of $D$ numbers. The counts of the run above are those of the matrix:

# %%
run = sl.nef.connect(first, second, sine, function=lambda x: x**2)
sent = int(run.spikes[0].sum())
matrix = run.activity.total("synaptic_op")
factors = sent * 1 + 1000 * second.neurons
print(f"{sent:,} spikes sent: {matrix:,} synaptic operations by the matrix; {factors:,} operations by its factors")
print(f"estimated on Loihi, by the matrix: {1e6 * sl.price(run.activity, 'loihi').without('static').joules:.0f} µJ a second")

# %% [markdown]
# In factors the value is handed on as a number at each of the 1,000 steps, which is why that count does not fall with the
# spikes; where neurons are silent most of the time the matrix wins.
#
# ## Where it stands in the code
#
# `sl.nef.connect`, `Population.decoders(function)`, `sl.nef.solve`.
#
# ## What to try
#
# 1. Which radius is best for the product, and why is 1 too small for values up to 1?
# 2. Decode $\sin(4 \pi x)$ from 100 neurons. How many neurons does a function with more bends need?
# 3. At how many spikes a step do the matrix and its factors cost the same?
#
# **Sources.** Eliasmith & Anderson 2003, Neural Engineering, chapters 6 and 7; Stewart 2012, A technical overview of the
# neural engineering framework.
