# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 16 The twin
#
# **The question.** To say that spikes save energy, one needs the network without spikes. Which one?
#
# The fairest first guess is a *twin*: the same layers with the same number of weights, where each neuron with a
# membrane and a threshold becomes one with $\max(0, x)$. It reads the pixels once; the spiking one hears them for $T$
# steps.

# %%
import matplotlib.pyplot as plt

import spikeledger as sl

data = sl.load_dataset("digits")
snn = sl.zoo.mlp(64, 64, 10, timesteps=8)
ann = sl.zoo.twin(snn)
pair = {"SNN": snn, "ANN": ann}
for name, network in pair.items():
    sl.fit(network, data, epochs=8, batch_size=32, profile=None, progress=False)
    weights = sum(each.numel() for each in network.parameters())
    right = 100 * sl.evaluate(network, data.test_inputs, data.test_labels).accuracy
    print(f"{name}: {weights:,} weights, {right:.1f} % of the test digits")
assert sum(p.numel() for p in snn.parameters()) == sum(p.numel() for p in ann.parameters())

# %% [markdown]
# ## The same layer, two kinds of work
#
# The twin multiplies each input by each weight: a *multiply-accumulate*. The spiking layer adds a weight where a
# spike arrived: a *synaptic operation*, without a multiplication, but perhaps $T$ times.

# %%
counts = {name: sl.record(network, data.test_inputs) for name, network in pair.items()}
for name, activity in counts.items():
    print(
        f"{name}: {activity.per_sample('mac'):8,.0f} multiplications, {activity.per_sample('synaptic_op'):8,.0f} additions, "
        f"{activity.per_sample('neuron_update'):6,.0f} updates of membranes, a digit"
    )
snn_ops = counts["SNN"].per_sample("synaptic_op")
print(f"a synapse carries {snn_ops / (64 * 64 + 64 * 10):.2f} spikes a digit")

# %% [markdown]
# That last number decides. An addition costs less than a multiplication by some factor $q$: with less than $q$ spikes
# a synapse the spiking network does cheaper arithmetic, with more it does not. At 45 nm, for 32-bit floats:

# %%
device = sl.load_profile("horowitz-45nm")
q = device.prices["mac"].joules / device.prices["synaptic_op"].joules
print(f"a multiply-accumulate costs {q:.2f} additions: below {q:.2f} spikes a synapse the additions are cheaper")

# %% [markdown]
# ## Time is the spikes' own lever
#
# The twin has one answer. The spiking network has one after each step, and fewer steps cost less:

# %%
steps, right, joules = (1, 2, 4, 8, 16), [], []
for timesteps in steps:
    short = sl.zoo.mlp(64, 64, 10, timesteps=timesteps)
    short.layers.load_state_dict(snn.layers.state_dict())
    right.append(100 * sl.evaluate(short, data.test_inputs, data.test_labels).accuracy)
    ledger = sl.price(sl.record(short, data.test_inputs), "horowitz-45nm")
    joules.append(1e9 * ledger.joules_per_sample)
other = sl.price(counts["ANN"], "horowitz-45nm")
for timesteps, a, e in zip(steps, right, joules, strict=True):
    print(f"T = {timesteps:2d}: {a:.1f} % right, estimated {e:.0f} nJ a digit")
twin = (1e9 * other.joules_per_sample, 100 * sl.evaluate(ann, data.test_inputs, data.test_labels).accuracy)
print(f"twin:   {twin[1]:.1f} % right, estimated {twin[0]:.0f} nJ")
figure, axis = plt.subplots(figsize=(6, 3))
axis.plot(joules, right, "o-", label="SNN, 1 to 16 steps")
axis.plot(
    1e9 * other.joules_per_sample,
    100 * sl.evaluate(ann, data.test_inputs, data.test_labels).accuracy,
    "s",
    label="twin",
)
axis.set(xscale="log", xlabel="nJ a digit (estimated)", ylabel="% right")
axis.legend()
plt.show()

# %% [markdown]
# ## Is the twin fair?
#
# It is *matched*, not yet the best that somebody would build. An ANN can be rounded to 8 bits, can skip its zeros,
# and can be smaller for the same accuracy. [Chapter 19](against-whom.py) meets those opponents.
#
# ## Where it stands in the code
#
# `sl.zoo.twin`; the pair is trained and compared by `spikeledger compare`. `sl.questions.equal_accuracy` takes several networks
# a side and compares the cheapest that reach the same accuracy.
#
# ## What to try
#
# 1. Train the SNN with `penalties=[sl.losses.spike_rate(0.05)]`. Where does its curve go?
# 2. Feed the SNN with `encoder="direct"`. Which counts change, and on which device is that a good idea?
# 3. Halve the twin's hidden layer until it is as bad as the SNN at T = 2. Which costs less now?
#
# **Sources.** Horowitz 2014, ISSCC, doi:10.1109/ISSCC.2014.6757323 (prices at 45 nm); Davidson & Furber 2021, Front.
# Neurosci. 15:651141 (spikes a synapse as the measure).
