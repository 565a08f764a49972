# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 4 Synapses and delays
#
# **The question.** A spike lasts a millisecond and has no size. How can a train of them mean 0.37, and what becomes of the
# spike on its way to the next neuron?
#
# Where a spike arrives, channels open at once and close slowly: the current behind a *synapse* jumps up and fades with a
# time constant $\tau$ of its own. Spikes that come close together pile up. So a synapse is a leaky bucket again
# ([chapter 1](leaky-bucket.py)), filled with cups instead of a stream: it averages over the last $\tau$ seconds.
#
# $$ y \leftarrow y\,a + x\,(1 - a), \qquad a = e^{-dt/\tau} $$
#
# A spike is an input of $1/dt$ for one step, so that its area is 1 for any step.

# %%
import matplotlib.pyplot as plt
import numpy as np

import spikeledger as sl

dt = 0.001
neuron = sl.nef.LIF()
current = np.full((1000, 1), 1.5)
spikes = neuron.run(current, dt=dt)
print(f"analytic rate {neuron.rate(1.5):.1f} Hz; {spikes.sum()} spikes counted in {len(spikes) * dt:g} s")

figure, axis = plt.subplots(figsize=(7, 3))
for tau in (0.005, 0.02, 0.1):
    read = sl.nef.Lowpass(tau).filter(spikes / dt, dt=dt)[:, 0]
    late = read[500:]
    axis.plot(np.arange(1000) * dt, read, label=f"{1000 * tau:g} ms")
    print(f"tau {1000 * tau:3.0f} ms: reads {late.mean():.1f} Hz, swings by {late.std():.1f} Hz")
axis.axhline(neuron.rate(1.5), color="gray", linewidth=0.5)
axis.set(xlabel="seconds", ylabel="read rate (Hz)")
axis.legend()
plt.show()

# %% [markdown]
# A longer synapse reads more calmly and answers later: it needs some $\tau$ to get there. That is the bargain behind every
# spiking network. Either many neurons are averaged now, or few neurons over time.
#
# ## A synapse is state, and state is paid for
#
# A synaptic current that fades is a second number that each neuron keeps and multiplies at each step. Here are a layer of
# plain LIF neurons and one of `sl.neurons.Synaptic` neurons, with the same weights and input:

# %%
import torch
from torch import nn

torch.manual_seed(0)
inputs = (torch.rand(50, 4, 64) < 0.1).float()
weights = nn.Linear(64, 32)
for kind in (sl.neurons.LIF(0.9), sl.neurons.Synaptic(alpha=0.8, beta=0.9)):
    activity = sl.record(nn.Sequential(weights, kind), inputs)
    state = activity.layer("1").state
    ledger = sl.price(activity, "horowitz-45nm")
    print(
        f"{type(kind).__name__:9s} keeps {state} numbers, {activity.total('synaptic_op'):,} synaptic operations, "
        f"estimated {1e9 * ledger.joules:.1f} nJ on a 45 nm chip"
    )

# %% [markdown]
# ## Delays
#
# A spike also takes time to travel. In steps it is a line of slots: what is sent at step $t$ arrives at $t + d$. Chips hold
# these spikes in a ring of slots for each neuron, so a *longest delay* is a hard limit in the chip's own file:

# %%
sent = torch.zeros(8, 1, 3)
sent[0] = 1
print(sl.neurons.Delay([1, 2, 5])(sent)[:, 0].int().T.tolist())

late = nn.Sequential(
    nn.Linear(64, 32), sl.neurons.LIF(0.9), sl.neurons.Delay(30), nn.Linear(32, 10), sl.neurons.LIF(0.9)
)
mapped = sl.map(late, inputs)
for verdict in sl.fits(mapped, ["loihi", "spinnaker", "odin"]):
    print(verdict)

# %% [markdown]
# Where a chip says nothing of delays, nothing is refused: that its file has no limit is no promise that it has delays.
#
# ## Where it stands in the code
#
# `sl.nef.Lowpass`, `sl.neurons.Synaptic` (a current that fades, in a network that learns), `sl.neurons.Delay`, and
# `delay_steps` in the `[core]` table of [a profile](../reference/profiles.md).
#
# ## What to try
#
# 1. How long must $\tau$ be to read the rate to 1 %? How long do you then wait for it?
# 2. Two synapses in a row: what shape has the answer to one spike?
# 3. Which of the chips refuses a delay of 100 steps? See `sl.fits(mapped)`.
#
# **Sources.** Gerstner, Kistler, Naud & Paninski 2014, Neuronal Dynamics, chapter 3; Eliasmith & Anderson 2003, chapter 4.
