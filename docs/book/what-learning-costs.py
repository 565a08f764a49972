# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 14 What learning costs
#
# **The question.** A chip that learns changes weights. How many, at what price, and is it much beside running?
#
# Three accounts of the same digits: a network that learns by STDP on the chip, the same network once it has learned,
# and a network that learns by gradients elsewhere.

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import spikeledger as sl
from spikeledger.errors import UncountedError, UnpricedError
from spikeledger.plasticity import Constants, DiehlCook, learn, respond

given = load_digits()
images = (given.data * (255 / 16)).astype(np.uint8)[:600]
network = DiehlCook.random(64, inputs=64, seed=1, constants=Constants(total=12.0))
learned = learn(network, images, seed=1)
running = respond(learned.network, images)
for name, activity in (("learning", learned.activity), ("running", running.activity)):
    told = ", ".join(f"{activity.total(event) / len(images):,.0f} {event}" for event in
                     ("spike", "synaptic_op", "neuron_update", "weight_update") if event in activity.events)  # fmt: skip
    print(f"{name} a digit: {told}")

# %% [markdown]
# A `weight_update` is one change of one weight. The rule changes weights where a spike *arrives* or *is sent*, and
# only there; so its count follows from spikes as synaptic operations do, not from time. Scaling the weights back
# after each digit is counted too: it is part of the rule.
#
# ## Learning apart from running

# %%
shares = {}
for name in sl.list_profiles():
    profile = sl.load_profile(name)
    if "snn" not in profile.runs or name.startswith("published"):
        continue
    try:
        ledger = sl.price(learned.activity, profile).without("static")
    except (UnpricedError, UncountedError):
        continue
    events = ledger.by_event()
    if "weight_update" in events:
        shares[name] = (events["weight_update"] / len(images), ledger.joules / len(images))
for name, (learning, whole) in shares.items():
    print(f"{name:12s} estimated {1e6 * whole:10.3f} µJ a digit, {100 * learning / whole:4.1f} % of it learning")
figure, axis = plt.subplots(figsize=(6, 0.5 + 0.35 * len(shares)))
axis.barh(list(shares), [100 * learning / whole for learning, whole in shares.values()])
axis.set(xlabel="% of the joules that are learning")
plt.tight_layout()
plt.show()

# %% [markdown]
# A chip without a price for learning is not in this list: it refuses, and is not taken for one that learns free of
# charge.
#
# ## How it grows
#
# Twice the neurons, twice the synapses. But only neurons that fire learn from a digit, and the winner takes it all
# ([chapter 12](winner.py)): updates grow more slowly than the network. Synaptic operations do not have that luck.

# %%
grown = {}
for neurons in (16, 36, 64, 121):
    one = learn(DiehlCook.random(neurons, inputs=64, seed=1, constants=Constants(total=12.0)), images[:300], seed=1)
    grown[neurons] = {event: one.activity.total(event) / 300 for event in ("synaptic_op", "weight_update")}
    print(
        f"{neurons:4d} neurons: {grown[neurons]['synaptic_op']:9,.0f} synaptic operations, "
        f"{grown[neurons]['weight_update']:7,.0f} weight updates a digit"
    )

# %% [markdown]
# ## And by gradients?
#
# Backpropagation through time goes forward once and back once. Backward, each layer multiplies twice: for the
# gradient of its inputs and for that of its weights. Its forward pass is counted; that the backward pass costs twice
# the *dense* forward one is the usual rule of thumb, and **assumed** here.

# %%
data = sl.load_dataset("digits")
other = sl.zoo.mlp(64, 64, 10, timesteps=5)
forward = sl.record(other, data.test_inputs[:100])
dense = forward.total("dense_op") / 100
mac = sl.load_profile("horowitz-45nm").prices["mac"].joules
print(f"a digit, once: {dense:,.0f} multiply-accumulates forward, about {3 * dense:,.0f} with the way back")
print(f"at 45 nm that is at least {1e6 * 3 * dense * mac:.3f} µJ of arithmetic, memory not included")

# %% [markdown]
# Neither number alone decides. STDP shows each digit for 700 steps to a network without labels; gradients show it
# many times to one that knows them. What a chip saves by learning is mostly the *radio*: data that need not leave it.
#
# ## Where it stands in the code
#
# `weight_update` in `spikeledger.events`; counts in `spikeledger.plasticity.accounts`; learning on simulated chips
# with `sl.simulate(..., learning=...)`. Which chips can: [hardware viability](../reference/viability.md).
#
# ## What to try
#
# 1. Stop scaling the weights (`total` stays). Which share of the updates was it?
# 2. At how many digits a day is it cheaper to learn on the chip than to send each digit by Bluetooth, at 1 µJ a byte?
# 3. Set the presentation to 100 ms. What happens to running, and to learning?
#
# **Sources.** Davies et al. 2018, IEEE Micro 38:82, doi:10.1109/MM.2018.112130359 (a price of an update); Diehl &
# Cook 2015, doi:10.3389/fncom.2015.00099.
