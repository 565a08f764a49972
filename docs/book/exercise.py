# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 22 The exercise: a chip of 1,024 neurons
#
# **The question.** A course asks its students to put a network onto a small chip and to report its energy. Which
# number is the right answer?
#
# The Neuro4ML course (week 8) gives a chip with 1,024 neurons and 65,536 synapses, 0.1 nJ an update of a neuron, 0.5
# pJ an event of a synapse, and a network of 128 inputs. It is a lovely exercise: everything fits into a head. Here it
# is, with its own inputs and weights, which the course's seed fixes:

# %%
import matplotlib.pyplot as plt
import torch

import spikeledger as sl
from spikeledger.errors import CapacityError
from spikeledger.study import exercise

network = exercise.network(hidden=100, seed=42)
inputs = torch.randn(100, 128, generator=torch.Generator().manual_seed(42)) * 10
published = exercise.results(network, inputs, rule="published")
print(f"{published.total_spikes:,.0f} spikes, {published.synapse_events:,.0f} synaptic events")
print(f"{published.neuron_updates:,.0f} updates of neurons")
print(f"{published.total_energy_nJ:.1f} nJ, {published.memory_usage_bytes / 1024:.2f} KB")
assert (published.total_spikes, published.synapse_events) == (3070, 389740)  # what the course prints

# %% [markdown]
# Every number is the course's, to the last digit.
#
# ## Through which synapses does a spike go?
#
# Its rule multiplies a layer's spikes by the synapses that come *into* that layer. But a spike leaves; it goes
# through the synapses *behind* it. And what arrives from the input goes through synapses too:

# %%
rows = {
    "as published: own spikes x fan-in": published,
    "fan-out, hidden spikes alone": exercise.results(network, inputs, rule="fan_out", with_input=False),
    "fan-out, and the input": exercise.results(network, inputs, rule="fan_out"),
}
for name, row in rows.items():
    print(f"{name:34s} {row.synapse_events:10,.0f} events {row.total_energy_nJ:8.1f} nJ")
figure, axis = plt.subplots(figsize=(7, 1.8))
left = 0.0
updates = exercise.NANOJOULES_PER_UPDATE * published.neuron_updates
axis.barh(list(rows), [updates] * 3, label="neuron updates")
axis.barh(list(rows), [row.total_energy_nJ - updates for row in rows.values()], left=updates, label="synapses")
axis.set(xlabel="nJ (estimated)")
axis.legend(fontsize=8)
plt.tight_layout()
plt.show()

# %% [markdown]
# The counts differ by more than a factor of forty, the joules by little: with these two prices neurons decide, and the rule
# hides. On a network with wide layers, or a chip with cheap neurons, it would not.
#
# ## The chip refuses
#
# A chip has limits, and a good error names the one that was met:

# %%
for hidden in (1024, 512, 474):
    try:
        exercise.fit_on_chip(exercise.network(hidden=hidden))
        print(f"{hidden} hidden neurons fit")
    except CapacityError as error:
        print(f"{hidden} hidden neurons: {error}")

# %% [markdown]
# ## One step late
#
# The course's neurons (snnTorch's default) are reset one step *after* they fire. It looks like a detail:

# %%
activity = sl.record(network, inputs[:, None])
at_once = torch.nn.Sequential(network[0], sl.neurons.LIF(0.95), network[2], sl.neurons.LIF(0.95))
other = sl.record(at_once, inputs[:, None])
print(f"late reset: {activity.total('spike'):,} spikes, at once: {other.total('spike'):,}")
assert activity.total("spike") == published.total_spikes

# %% [markdown]
# Other spikes from one line. "LIF" is not one neuron: say which.
#
# ## Per batch or per sample
#
# A last trap: the course adds up the spikes of a whole batch, but the updates of one sample. With 64 samples in a
# batch the synapses seem to matter more than they do. A number of joules needs a *per*.
#
# ## Where it stands in the code
#
# `spikeledger.study.exercise`; the device is `published-exercise-001`; [the course as a
# notebook](../tutorials/neuro4ml.py) trains the network and draws accuracy against energy.
#
# ## What to try
#
# 1. Prune half of the weights of 512 hidden neurons. Do they fit now? Which limit binds?
# 2. At which price of an event does the fan-in rule change who wins between 64 and 256 hidden neurons?
# 3. Give the chip to `sl.fits` with a network of yours: `sl.fits(network, "published-exercise-001", inputs=x)`.
#
# **Sources.** Neuro4ML, github.com/neuro4ml/exercises, week 8 (2024).
