# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 21 The cost of a million brains: a factor of 914
#
# **The question.** A notebook shows a spiking network that needs 914 times less than its twin. What is that factor
# made of?
#
# This project grew from five documents: a notebook, a course exercise, a paper, a tutorial and a book. Each states
# numbers. This part of the book computes them again, twice: *as published*, with its own arithmetic, and *corrected*.
# Finding out why the two differ is the best school for reading energy claims that we know of.
#
# "The cost of one million brains" compares an ANN on a GPU with an SNN on a neuromorphic chip. From its own counts, a
# sample:

# %%
import matplotlib.pyplot as plt

import spikeledger as sl
from spikeledger.activity import Layer

sizes = {"fc1": (784, 256), "fc2": (256, 128), "fc3": (128, 10)}
ordinary = sl.counting.activity_from_events(
    {name: {"dense_op": a * b * 10} for name, (a, b) in sizes.items()},
    samples=10,
    layers={name: Layer(name, "linear", (a,), b, a * b, inputs="graded") for name, (a, b) in sizes.items()},
)
spiking = sl.counting.activity_from_events(
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
# The factor is a ratio of two *assumed* standby powers. In operations alone the SNN loses, since the notebook charges
# a synaptic operation with the price of a whole spike.
#
# ## What would be equal?
#
# Give both sides the same static power for the same time, and the factor is gone. Not a watt of computing has
# changed:

# %%
seconds = {
    side: ledger.by_term()["static"] / watts for side, ledger, watts in (("ANN", ann, 150.0), ("SNN", snn, 0.15))
}
print(", ".join(f"{side}: {1e3 * each / 10:.1f} ms a sample" for side, each in seconds.items()))
dynamic = {"ANN": ann.without("static").joules / 10, "SNN": snn.without("static").joules / 10}
for watts in (0.0, 0.15, 150.0):
    both = {side: dynamic[side] + watts * seconds[side] / 10 for side in dynamic}
    print(f"{watts:6.2f} W on both sides: ANN / SNN = {both['ANN'] / both['SNN']:.4f}")

# %% [markdown]
# ## The other four
#
# Each of the five documents has its chapter: [the exercise](exercise.py), where a rule goes through the wrong
# synapses; [the paper](kilowatt-hours.py), where time counts twice; [the accountant](accountant.py), who forgot where
# spikes go; [the other book](from-scratch.py), and what its code taught us. What the notebook says of brains and
# great models is in [the outlook](outlook.py).
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
# `published-...` profiles repeat each document's arithmetic and say so; `tests/published` holds every number.
#
# ## What to try
#
# 1. The notebook also holds a price of 120 fJ a synaptic operation, and never uses it. What would become of 914?
# 2. Replace only the ANN's 10 W of standby by what a phone draws. What is the factor then?
# 3. Take a claim of your own field through the checklist.
#
# **Sources.** The notebook "The cost of 1 million brains" (github.com), whose constants the profiles
# `published-notebook-000-...` repeat.
