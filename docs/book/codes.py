# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 5 Codes
#
# **The question.** A pixel is a number, a spike is not. In how many ways can spikes say a number, and what does each cost?
#
# Four codes cover most of what is done. **Rate**: brighter pixels spike more often, at random moments. **Latency**: each
# pixel spikes once, the brighter the earlier. **Delta**: a spike where something *changed*, as an event camera has it.
# **Direct**: no spikes at all, the number itself flows in at every step, and the first layer multiplies.

# %%
import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits

import spikeledger as sl
from spikeledger.errors import UnpricedError

given = load_digits()
digits = torch.tensor(given.data[:50] / 16, dtype=torch.float32)
steps = 16
codes = {
    "rate": sl.encoders.Rate(steps, seed=0),
    "latency": sl.encoders.Latency(steps),
    "direct": sl.encoders.Direct(steps),
}
sequences = {name: code(digits) for name, code in codes.items()}

# %% [markdown]
# Delta needs something that moves, so each digit here appears slowly, drawn brighter and brighter:

# %%
rising = torch.linspace(0, 1, steps).view(-1, 1, 1) * digits
sequences["delta"] = sl.encoders.Delta(steps, threshold=0.05)(rising)

figure, axes = plt.subplots(1, 4, figsize=(10, 2.8), sharey=True)
for axis, (name, sequence) in zip(axes, sequences.items(), strict=True):
    axis.imshow(sequence[:, 0].T, aspect="auto", cmap="gray_r", interpolation="nearest")
    axis.set(title=name, xlabel="step")
axes[0].set_ylabel("pixel")
plt.show()

# %% [markdown]
# ```{widget} codes
# ```
#
# ## What each costs
#
# The same layer of 32 neurons listens to each code. A synaptic operation is one spike that arrives through one synapse; the
# direct code has none in the first layer, but multiplications at every step. A chip that can only add has no price for them,
# and pricing refuses instead of charging nothing.

# %%
layer = torch.nn.Sequential(torch.nn.Linear(64, 32), sl.neurons.LIF(0.9))
for name, sequence in sequences.items():
    activity = sl.record(layer, sequence)
    told = []
    for place in ("horowitz-45nm", "loihi"):
        try:
            joules = sl.price(activity, place).without("static").joules / activity.samples
            told.append(f"{1e9 * joules:.1f} nJ on {place}")
        except UnpricedError:
            told.append(f"no price on {place}")
    print(
        f"{name:8s} {int((sequence != 0).sum()) / len(digits):6.1f} values other than zero a digit: "
        f"{activity.total('synaptic_op') / activity.samples:6,.0f} synaptic operations, "
        f"{activity.total('mac') / activity.samples:6,.0f} multiplications; estimated {', '.join(told)}"
    )

# %% [markdown]
# ## What each tells
#
# A rate of $p$ over $T$ steps is known only to about $\sqrt{p (1 - p) / T}$: to be twice as sure takes four times as many
# spikes. One early spike tells the step that it came in, so $T$ steps tell $T$ values at one spike each. But it must be
# heard: a spike that gets lost takes everything with it.

# %%
pixel = torch.full((2000, 1), 0.3)
pixel = torch.cat([pixel, torch.ones(2000, 1)], 1)  # the brightest of each image is 1
for many in (4, 16, 64):
    read = sl.encoders.Rate(many, seed=1)(pixel)[:, :, 0].mean(0)
    expected = (0.3 * 0.7 / many) ** 0.5
    print(f"{many:3d} steps: read {read.mean():.3f}, off by {(read - 0.3).std():.3f} (the formula: {expected:.3f})")

# %% [markdown]
# ## Where it stands in the code
#
# `sl.encoders`, and `sl.decoders` for the way back: rate, first spike, a population for each class. Which chips can take
# which code is in [hardware viability](../reference/viability.md).
#
# ## What to try
#
# 1. `sl.encoders.Rate(steps, kind="poisson")` lets two spikes of one step fall together. Which pixels notice?
# 2. Lose a tenth of all spikes at random. Which code suffers most?
# 3. Give the delta code noise of 0.05 on each step. How many spikes does it cost, and which threshold would help?
#
# **Sources.** Thorpe, Delorme & Van Rullen 2001, Neural Networks 14:715 (latency); Lichtsteiner, Posch & Delbruck 2008, IEEE
# JSSC 43:566 (delta); Rueckauer et al. 2017, Front. Neurosci. 11:682 (direct).
