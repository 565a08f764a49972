# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 12 The winner takes it all
#
# **The question.** Ten neurons hear the same digit and most of them answer. How do they agree on one, and does silence save
# anything?
#
# *Lateral inhibition*: whoever fires takes something off the membranes of all others. The one that is driven most gets
# there first, and keeps the rest below their thresholds.

# %%
import matplotlib.pyplot as plt
import numpy as np

import spikeledger as sl
from spikeledger.plasticity import compete

drives = np.linspace(0.15, 0.35, 10)
current = np.tile(drives, (200, 1)) + np.random.default_rng(0).normal(0, 0.05, (200, 10))
figure, axes = plt.subplots(1, 3, figsize=(10, 2.6), sharey=True)
counts = {}
for axis, strength in zip(axes, (0.0, 0.1, 1.0), strict=True):
    spikes = compete(current, inhibition=strength)
    counts[strength] = spikes.sum(0)
    axis.eventplot([np.flatnonzero(row) for row in spikes.T], linelengths=0.8)
    axis.set(title=f"inhibition {strength:g}", xlabel="step")
    share = counts[strength].max() / counts[strength].sum()
    print(
        f"inhibition {strength:g}: {spikes.sum():3d} spikes, {100 * share:.0f} % of them by neuron {counts[strength].argmax()}"
    )
axes[0].set_ylabel("neuron")
plt.show()
assert counts[1.0].argmax() == 9

# %% [markdown]
# ## What it costs, and what it saves
#
# Inhibition is not free: each spike goes to all other neurons, $n - 1$ synaptic operations. What it saves is every spike
# that did not happen, with its whole fan-out behind it. Suppose that each spike goes on to 1,000 synapses:

# %%
behind, neurons = 1000, 10
for strength, fired in counts.items():
    inside = int(fired.sum()) * (neurons - 1) if strength else 0
    events = {"inhibition": {"synaptic_op": inside}, "behind": {"synaptic_op": int(fired.sum()) * behind}}
    activity = sl.counting.activity_from_events(events, timesteps=200)
    joules = sl.price(activity, "loihi").without("static").by_event()["synaptic_op"]
    print(
        f"inhibition {strength:g}: {inside:6,} + {fired.sum() * behind:9,} synaptic operations, estimated {1e9 * joules:7.0f} nJ"
    )

# %% [markdown]
# ## Where it stands in the code
#
# `sl.plasticity.compete`; in networks that learn by gradients it is `sl.neurons.Recurrent` with lateral weights; in
# [chapter 13](digits-without-labels.py) it is what makes neurons learn different digits.
#
# ## What to try
#
# 1. Let two neurons have the same drive. Who wins, and for how long?
# 2. How strong must the inhibition be so that exactly one of ten fires? And of 100?
# 3. At which fan-out does inhibition cost more than it saves?
#
# **Sources.** Maass 2000, Neural Computation 12:2519 (what winners can compute); Diehl & Cook 2015, doi:10.3389/fncom.2015.00099.
