# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 20 Training to a budget
#
# **The question.** The verdict is "too dear". How does a network learn to need less, and what does it lose?
#
# The device is `horowitz-45nm`, a digital chip of 45 nm by its published prices of operations and memory; `digits` are
# the 8 x 8 digits of scikit-learn. There are three levers, from soft to hard. A *penalty* is added to the loss and
# presses on spikes while the network learns. *Pruning* takes synapses away. *Fewer steps* shorten the whole thing. Each
# has its own curve of accuracy against joules.

# %%
import matplotlib.pyplot as plt

import spikeledger as sl

DEVICE = "horowitz-45nm"
data = sl.load_dataset("digits")


def trained(*, timesteps=6, **options):
    network = sl.zoo.mlp(64, 96, 48, 10, timesteps=timesteps)
    sl.fit(network, data, epochs=4, batch_size=32, profile=None, progress=False, **options)
    activity = sl.record(network, data.test_inputs)
    right = 100 * sl.evaluate(network, data.test_inputs, data.test_labels).accuracy
    return (1e9 * sl.price(activity, DEVICE).joules_per_sample, right), activity


start, before = trained()
points = {"as it is": [start]}
print(f"as it is: estimated {start[0]:.0f} nJ a digit, {start[1]:.1f} % right")

# %% [markdown]
# ## A penalty with a price
#
# A penalty on spikes treats all spikes alike. But a spike in front of a thousand synapses costs a thousand times one
# in front of one. `sl.losses.joules` weighs each spike by what it causes *on this device*, and is nothing below its
# target, so that the network stops saving when it has saved enough. The target here is 70 % of what the network needs now;
# the weight says how the penalty stands beside the loss, and with it how much accuracy may go:

# %%
target = 0.7e-9 * start[0]
points["penalty"] = [
    trained(penalties=[sl.losses.joules(DEVICE, target=target, weight=weight)])[0] for weight in (0.2, 0.5)
]
for joules, right in points["penalty"]:
    print(f"penalty: estimated {joules:.0f} nJ a digit (target {1e9 * target:.0f}), {right:.1f} % right")

# %% [markdown]
# In four epochs the target is not reached: longer training, or a greater weight, comes nearer. A penalty presses on spikes
# that the network itself decides about. What the *input* sends is the encoder's, and here that
# is most:

# %%
for layer in ("layers.fc1", "layers.fc2", "layers.fc3"):
    print(f"{layer}: {before.per_sample('synaptic_op', layer):8,.0f} synaptic operations a digit")

# %% [markdown]
# ## Fewer synapses
#
# A synapse that does not exist carries nothing. Pruning takes the smallest weights while the network goes on
# learning, so that the others can take over:

# %%
points["pruning"] = [trained(prune=sl.learning.Pruning(share))[0] for share in (0.5, 0.8)]
for joules, right in points["pruning"]:
    print(f"pruning: estimated {joules:.0f} nJ a digit, {right:.1f} % right")

# %% [markdown]
# ## Fewer steps

# %%
points["steps"] = [trained(timesteps=steps)[0] for steps in (4, 3)]
for joules, right in points["steps"]:
    print(f"fewer steps: estimated {joules:.0f} nJ a digit, {right:.1f} % right")
figure, axis = plt.subplots(figsize=(6, 3.2))
for name, each in points.items():
    axis.plot(*zip(*each, strict=True), "o-", label=name)
axis.set(xscale="log", xlabel="nJ a digit (estimated)", ylabel="% right")
axis.legend()
plt.show()

# %% [markdown]
# One seed and a small test set: a percentage point more or less is noise here. Levers also add up, and each has a floor.
# Below is what each event costs before any lever is pulled (`weight_read` is a weight fetched from memory for an operation;
# `state_read` and `state_write` move membranes, at every step, whether anybody spikes or not: against those only fewer steps
# or fewer neurons help):

# %%
parts = sl.price(before, DEVICE).by_event()
for event, joules in sorted(parts.items(), key=lambda part: -part[1])[:5]:
    print(f"{event:14s} {100 * joules / sum(parts.values()):5.1f} %")

# %% [markdown]
# ## Where it stands in the code
#
# `sl.losses.joules`, `synops`, `spike_rate`; `sl.learning.Pruning`, `sl.learning.prune`; [train to a
# budget](../how-to/train-to-a-budget.md) has MNIST with three seeds, and `spikeledger train --energy-budget` the same
# from the shell.
#
# ## What to try
#
# 1. Put a penalty *and* pruning on 4 steps. How low can you go at 90 %?
# 2. Press joules on `seneca-22nm` instead. Which layer loses its spikes now?
# 3. Train the plain network for twice as long. Is the loss of accuracy by the penalty still there?
#
# **Sources.** Han et al. 2015, arXiv:1506.02626 (pruning while learning); Zenke & Vogels 2021, Neural Computation
# 33:899 (penalties on spikes).
