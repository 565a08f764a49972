# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 21 What the numbers of five sources really say
#
# **The question.** This project grew from five documents: a notebook, a course exercise, a paper, a tutorial and a book. Each
# states numbers. What do they become when every one is computed again?
#
# Each document is reproduced twice here: *as published*, with its own arithmetic, and *corrected*. Finding out why the two
# differ is the best school for reading energy claims that we know of.
#
# ## The notebook: a factor of 914
#
# "The cost of one million brains" compares an ANN on a GPU with an SNN on a neuromorphic chip. From its own counts, a sample:

# %%
import matplotlib.pyplot as plt
import torch

import spikeledger as sl
from spikeledger.activity import Layer
from spikeledger.study import exercise, paper

sizes = {"fc1": (784, 256), "fc2": (256, 128), "fc3": (128, 10)}
ordinary = sl.activity_from_events(
    {name: {"dense_op": a * b * 10} for name, (a, b) in sizes.items()},
    samples=10,
    layers={name: Layer(name, "linear", (a,), b, a * b, inputs="graded") for name, (a, b) in sizes.items()},
)
spiking = sl.activity_from_events(
    {
        "input": {"spike": 21_490}, "hidden": {"spike": 8_741}, "output": {"spike": 328},
        "fc": {"synaptic_op": 5_588_960},
    },
    samples=10,
    timesteps=20,
    layers={
        "input": Layer("input", "encoder", (784,), 784),
        "fc": Layer("fc", "linear", (784,), 256, inputs="spikes", magnitude=1.0),
        "hidden": Layer("hidden", "neuron", (256,), 256, spiking=True),
        "output": Layer("output", "neuron", (10,), 10, spiking=True),
    },
)  # fmt: skip
ann, snn = sl.price(ordinary, "published-notebook-000-v100"), sl.price(spiking, "published-notebook-000-loihi")
ratios = {
    "as published": ann.joules / snn.joules,
    "static power alone": ann.by_term()["static"] / snn.by_term()["static"],
    "without static power": ann.without("static").joules / snn.without("static").joules,
    "operations alone": ann.by_term()["operations"] / snn.by_term()["operations"],
}
for name, ratio in ratios.items():
    print(f"{name:22s} ANN / SNN = {ratio:8.3f}")
for name, one in (("ANN", ann), ("SNN", snn)):
    print(f"{name}: {100 * one.by_term()['static'] / one.joules:.2f} % of its joules are static power")

# %%
figure, axis = plt.subplots(figsize=(6, 2.2))
axis.barh(list(ratios), list(ratios.values()))
axis.axvline(1, color="gray", linewidth=0.8)
axis.set(xscale="log", xlabel="ANN / SNN: right of 1 the spiking network needs less")
plt.tight_layout()
plt.show()

# %% [markdown]
# The factor is a ratio of two *assumed* standby powers. In operations alone the SNN loses, since the notebook charges a
# synaptic operation with the price of a whole spike.
#
# ## The exercise: which synapses does a spike go through?
#
# The Neuro4ML exercise counts a layer's own spikes times its *incoming* synapses. But a spike leaves by *outgoing* ones.

# %%
network = exercise.network(hidden=100, seed=42)
inputs = torch.randn(100, 128, generator=torch.Generator().manual_seed(42)) * 10
for rule in ("published", "fan_out"):
    got = exercise.results(network, inputs, rule=rule)
    print(f"{rule:10s} {got.synapse_events:10,.0f} synaptic events, {got.total_energy_nJ:8.1f} nJ")

# %% [markdown]
# Three times as many events, and the energy grows by much less: with the exercise's two constants, neuron updates decide.
#
# ## The paper: time twice, and an hour of 360 seconds
#
# "On the spiking neural networks for the energy efficiency..." prints kilowatt-hours. Most of them follow to four digits from
# a formula that multiplies by the number of steps twice, divides by a wrong number of joules a kilowatt-hour, and counts
# neuron updates in place of synaptic operations.

# %%
print(f"{'row':12s} {'as published':>13s} {'its arithmetic':>15s} {'corrected':>12s}   kWh")
for line in paper.lines():
    its = f"{line.its_arithmetic:.4g}" if line.its_arithmetic else "-"
    corrected = f"{line.corrected:.3g}" if line.corrected else "-"
    print(f"{line.row.name:12s} {line.as_published:13.4g} {its:>15s} {corrected:>12s}")

# %% [markdown]
# What remains is a simple rule: an SNN costs less in operations as long as each synapse carries fewer spikes a sample than

# %%
print(f"{paper.break_even():.2f} at the paper's prices (a multiply-accumulate over an accumulate)")
for steps in (5, 20, 50):
    ratio = paper.corrected_ann((784, 256, 10)) / paper.corrected_snn((784, 256, 10), steps)
    print(f"T = {steps:2d}: ANN / SNN = {ratio:.2f}")
small = [line for line in paper.lines() if line.row.widths == (784, 256, 10)]
ann_row = next(line for line in small if not line.row.timesteps)
for line in small:
    if line.row.timesteps:
        print(f"T = {line.row.timesteps:2d} as published: {ann_row.as_published / line.as_published:.2f}")

# %% [markdown]
# At 5 steps it saves, at 50 it does not, and at 5 it saves many times less than was published.
#
# ## The tutorial: a price for each spike
#
# The accounting tutorial multiplies spikes by one number, whatever the fan-out. Its own example, and the same spikes with
# their fan-out on our profile of the same chip, for which no primary source gives energies either:

# %%
spikes = {"timesteps": 100, "layer_names": ["hidden", "output"]}
for name in ("published-tutorial-003-loihi2", "loihi-2"):
    found = sl.account_spikes([(784, 256), (256, 10)], [5000, 200], name, **spikes)
    print(f"{name:30s} {1e9 * (found.joules - found.static):10.2f} nJ without static power")

# %% [markdown]
# ## The book: an accuracy that is not there
#
# "Building Spiking Neural Networks from Scratch" promises hardware viability, and is the book that this one answers to. Its
# adaptive neuron breaks ([chapter 6](adaptation.py)), its STDP strengthens where its text says weaken
# ([chapter 11](stdp.py)), and its digits end without an accuracy ([chapter 13](digits-without-labels.py) has one).
#
# ## A checklist for the next claim that you read
#
# 1. Is static power in it, on both sides, and is it the same state of the device?
# 2. Are synaptic operations spikes times *fan-out*?
# 3. Are joules divided into kilowatt-hours by 3.6 million, once?
# 4. Is time in it once?
# 5. Does the opponent reach the same accuracy, on the same technology, with the same bits?
# 6. Measured or estimated?
#
# ## Where it stands in the code
#
# `published-...` profiles repeat each document's arithmetic and say so; `spikeledger.study.paper`,
# `spikeledger.study.exercise`; `tests/published` holds every number.
#
# ## What to try
#
# 1. Give both sides of the notebook the same static power, 0.15 W. What is left of 914?
# 2. Which single correction changes the paper's ranking most?
# 3. Take a claim of your own field through the checklist.
#
# **Sources.** The five documents, in the order above: the notebook "The cost of 1 million brains"; the Neuro4ML course, week 8;
# Cassetta, Di Trani & Cavalagli 2023; sc-neurocore's tutorial 72; "Building Spiking Neural Networks from Scratch".
