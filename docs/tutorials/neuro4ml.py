# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # A chip of 1,024 neurons: accuracy and energy
#
# This is the neuromorphic exercise of the Neuro4ML course (week 8, 2024) as a notebook. You map a spiking network onto
# a small chip, count what happens there, and train it on timing patterns while you watch its energy.
#
# All energies are **estimated**: counts times the exercise's own two prices. Nothing here was measured. To open this
# page as a notebook, run `make notebook`; it is written to `out/neuro4ml.ipynb`.

# %%
import os

import torch

import spikeledger as sl
from spikeledger.datasets.randman import randman
from spikeledger.errors import CapacityError
from spikeledger.report.epochs import draw_epochs
from spikeledger.report.placements import draw_placement
from spikeledger.study import exercise

EPOCHS = int(os.environ.get("NEURO4ML_EPOCHS", "10"))
SAMPLES = int(os.environ.get("NEURO4ML_SAMPLES", "1000"))  # of each class

# %% [markdown]
# ## The chip, and a network on it

# %%
chip = sl.load_profile("published-exercise-001")
net = exercise.network(hidden=100, seed=42)
inputs = torch.randn(100, 128, generator=torch.Generator().manual_seed(42)) * 10

published = exercise.results(net, inputs)
print(published)

# %% [markdown]
# The exercise counts a synaptic event for every *incoming* synapse of a neuron that spikes. But a spike leaves through
# *outgoing* synapses. By that rule, and with the input's values counted too, the same run is:

# %%
corrected = exercise.results(net, inputs, rule="fan_out")
print(corrected)

# %%
assert published.synapse_events == 389_740 and corrected.synapse_events == 1_309_550

# %% [markdown]
# ## What does not fit

# %%
for hidden in (1024, 512):
    try:
        exercise.fit_on_chip(exercise.network(hidden))
    except CapacityError as error:  # a MemoryError
        print(error)

# %% [markdown]
# Half of the weights set to zero, and 512 hidden neurons fit. What would the same network need elsewhere?

# %%
sparse = exercise.network(512)
masks = torch.Generator().manual_seed(0)
with torch.no_grad():
    for layer in (sparse[0], sparse[2]):
        layer.weight.mul_(torch.rand(layer.weight.shape, generator=masks) < 0.5)
mapped = exercise.fit_on_chip(sparse)
for verdict in sl.fits(mapped):
    print(verdict)

# %%
draw_placement(sl.place(mapped, "loihi"))  # the layer on each core, and the packets over each link

# %% [markdown]
# ## Training
#
# Randman draws random smooth manifolds of spike times. Each unit fires once; the class is in the timing. The course's own two
# files are read by `spikeledger.datasets.randman.load_randman(folder)`, without executing what is in them.

# %%
train, test = randman(samples=SAMPLES, dimensions=2, alpha=2.0, seed=42).split(seed=0)
model = exercise.network(128, seed=2)
history = exercise.train(
    model, lambda epoch: train.batches(64, seed=epoch), lambda: test.batches(64), epochs=EPOCHS,
    progress=lambda epoch: print(f"{epoch.number}: {epoch.accuracy:.1%}, {epoch.energy_batch_nJ:,.0f} nJ a batch"),
)  # fmt: skip

# %%
for account in ("batch", "sample", "fan_out"):
    print(account, round(exercise.score(history, account), 3))
draw_epochs(history, exercise.score(history))

# %% [markdown]
# Look at the accounts. The published one adds up the spikes of 64 samples but the neuron updates of one, so training
# seems to make the network five times dearer. A sample's own energy rises by a tenth: on this chip, neuron updates are
# nearly everything.
#
# ## Your turn
#
# - Fewer neurons, or more layers: which gives the best score, and under which account?
# - Punish spikes: pass `penalty=lambda spikes: 1e-3 * spikes.mean()` to `exercise.train`.
# - Prune weights after training and train on.
# - Draw your networks as points, accuracy against energy. Which of them does no other beat in both?

# ruff: noqa: D100
