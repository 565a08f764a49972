# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 28 A simulated run, exact
#
# **The question.** I have no neuromorphic chip. Can a simulation tell what would happen on one, spike for spike?
#
# What happens on a digital chip is integer arithmetic in a known order, so it *can* be computed exactly: which neuron
# fires in which step, how many synapses each core handles, how many packets cross the mesh. What cannot be known are
# joules and seconds; these are prices again.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch

import spikeledger as sl
from spikeledger.chip.simulate import run

torch.manual_seed(0)
network = torch.nn.Sequential(
    torch.nn.Linear(64, 200, bias=False),
    sl.neurons.LIF(0.875),
    torch.nn.Linear(200, 10, bias=False),
    sl.neurons.LIF(0.875),
)
with torch.no_grad():
    for layer in (network[0], network[2]):
        layer.weight.copy_((layer.weight * 256 + 8).round() / 256)  # sums of such weights are exact in any order
data = sl.load_dataset("digits")
spikes = sl.encoders.Rate(30, seed=0)(data.test_inputs[:40].flatten(1))
with torch.no_grad():
    in_torch = network(spikes)
ran = run(network, spikes, "loihi")
print(f"{int(in_torch.sum()):,} spikes of the output in torch, {int(ran.output.sum()):,} on the simulated chip")
assert np.array_equal(in_torch.numpy().astype(np.uint8), ran.output)

# %% [markdown]
# Not nearly equal: every spike at its step. And every count is the count that recording torch gives:

# %%
recorded = sl.record(network, spikes)
for event in ("spike", "synaptic_op", "neuron_update"):
    print(f"{event:14s} recorded {recorded.total(event):10,}, on the chip {ran.activity.total(event):10,}")
assert recorded.total("synaptic_op") == ran.activity.total("synaptic_op")

# %% [markdown]
# ## What only a chip has
#
# Neurons lie on cores, and spikes travel. Here is the same network squeezed onto small cores, so that it needs
# several:

# %%
loihi = sl.load_profile("loihi")
small = loihi.model_copy(update={"core": loihi.core.model_copy(update={"neurons": 32})})
spread = run(network, spikes, small)
print(
    f"{spread.core_spikes.shape[1]} cores, {int(spread.packets.sum()):,} packets, {int(spread.hops.sum()):,} hops between cores"
)
figure, axes = plt.subplots(1, 2, figsize=(9, 2.8))
axes[0].imshow(spread.core_synapses.T, aspect="auto", cmap="viridis", interpolation="nearest")
axes[0].set(xlabel="step", ylabel="core", title="synaptic operations")
axes[1].plot(spread.hops)
axes[1].set(xlabel="step", title="hops a step", ylim=(0, None))
plt.tight_layout()
plt.show()
assert np.array_equal(spread.output, ran.output)

# %% [markdown]
# Where neurons lie changes hops, and nothing else: the answers are the same bits. So placing them well is free of
# risk.
#
# ## With the chip's own integers
#
# Loihi keeps weights in few bits and decays in twelve. `precision="chip"` computes with those. Now spikes may differ,
# and how much they do is the honest cost of the hardware's numbers:

# %%
chip = run(network, spikes, "loihi", precision="chip")
same = (chip.output == ran.output).mean()
answers = (chip.answers() == ran.answers()).mean()
print(f"{100 * same:.2f} % of all places agree, and {100 * answers:.0f} % of the answers")

# %% [markdown]
# ## How long it takes
#
# A step ends when the busiest core has ended. Times of single operations are known for some chips only, and then they
# are prices with ranges as well:

# %%
duration = ran.duration
if duration is not None:
    print(f"a step {1e6 * duration.step:.1f} µs, a sample {1e6 * duration.sample:.0f} µs ({duration.kind})")

# %% [markdown]
# ## Where it stands in the code
#
# `sl.simulate` gives the `Activity`; `spikeledger.chip.simulate.run` the spikes and cores besides. The fast machine
# is C++; its oracle is a plain Python loop, `spikeledger.chip.reference`, and tests hold them equal. From the shell:
# `spikeledger chip simulate`.
#
# ## What to try
#
# 1. Give the weights back their floats. How many spikes differ now, and why only some?
# 2. Set the small cores to 8 neurons. How do hops grow?
# 3. Which step is the slowest, and which core's fault is it?
#
# **Sources.** Davies et al. 2018, IEEE Micro 38:82, doi:10.1109/MM.2018.112130359 (cores, mesh, integers, times).
