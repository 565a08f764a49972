# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 24 The accountant
#
# **The question.** A tutorial prices a network by multiplying its spikes with one number. Where do the joules really
# sit: in which layer, in which neuron, and what would save some?
#
# An account that is to be of use must say *who* spends. A spike is charged to the neuron that sent it, with every
# synapse behind it. So the same spike is dear in a layer that many listen to, and cheap at the end.

# %%
import matplotlib.pyplot as plt
import numpy as np

import spikeledger as sl

layers, spikes = [(784, 256), (256, 10)], [5000, 200]
names = {"layer_names": ["hidden", "output"]}
told = sl.counting.account_spikes(layers, spikes, "published-tutorial-003-loihi2", timesteps=100, **names)
found = sl.counting.account_spikes(layers, spikes, "loihi", timesteps=100, input_spikes=8000, **names)
print(f"by a price for each spike: {1e9 * (told.joules - told.static):,.1f} nJ")
print(f"with updates and fan-out:  {1e9 * (found.joules - found.static):,.1f} nJ (estimated, on Loihi)")

# %% [markdown]
# The factor between them is mostly fan-out: a hidden spike goes through ten synapses, one of the input through 256. A
# price for each spike is right for exactly one network: the one whose fan-out it was divided by.
#
# ## Neuron by neuron
#
# A trained network, its account on Loihi, and the share of each hidden neuron:

# %%
data = sl.load_dataset("digits")
network = sl.zoo.mlp(64, 64, 10, timesteps=5)
sl.fit(network, data, epochs=5, batch_size=32, profile=None, progress=False)
activity = sl.record(network, data.test_inputs)
account = sl.account(activity, "loihi")
print(account.summary())

# %%
hidden = account.layer("layers.neuron_fc1")
shares = np.sort(hidden.joules_per_neuron)[::-1] / (account.joules - account.static)
figure, axis = plt.subplots(figsize=(6, 2.6))
axis.bar(np.arange(len(shares)), 100 * shares)
axis.set(xlabel="hidden neuron, dearest first", ylabel="% of dynamic joules")
plt.show()
silent = int((activity.per_neuron("layers.neuron_fc1") == 0).sum())
top = shares[: len(shares) // 10].sum() / shares.sum()
print(f"the dearest tenth of {len(shares)} neurons spends {100 * top:.0f} % of their layer")
print(f"{silent} neurons never fired on any test digit, and are updated all the same")

# %% [markdown]
# Neurons are far from equal. That is where pruning should look first, and it is invisible in a total.
#
# ## Advice is a recount
#
# The account proposes changes, and prices each by counting again. It says what it assumes; whether accuracy survives
# only an experiment can tell.

# %%
for one in account.advice[:4]:
    print(f"- {one}")

# %% [markdown]
# ## Where it stands in the code
#
# `sl.account`, `sl.counting.account_spikes`, `spikeledger account`; the tutorial's five price lists are profiles named
# `published-tutorial-003-...`, with the remark that no primary source gives those energies.
#
# ## What to try
#
# 1. Price the same account on `odin` and `truenorth`. Does the same layer lead?
# 2. Silence the dearest neuron (set its outgoing weights to 0). What does accuracy say?
# 3. In a layer with fan-out 10 and one with 1,000: how many spikes may the first send for one of the second?
#
# **Sources.** sc-neurocore's tutorial 72 on energy accounting (the price list, without primary sources); Davies et
# al. 2018, doi:10.1109/MM.2018.112130359.
