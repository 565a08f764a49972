# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 17 Train, count, price
#
# **The question.** What does it cost this network to read one digit, where does the energy go, and how sure is that?
#
# Four steps, each with its own word. A *network* runs. An *activity* says what happened, in whole numbers. A *ledger* says
# what that cost on one device. A *report* answers a question about ledgers.

# %%
import matplotlib.pyplot as plt

import spikeledger as sl

data = sl.load_dataset("digits")
network = sl.zoo.mlp(64, 64, 10, timesteps=5)
run = sl.fit(network, data, epochs=5, batch_size=32, profile=None, progress=False)
print(f"{100 * sl.evaluate(network, data.test_inputs, data.test_labels).accuracy:.1f} % of the test digits right")

# %% [markdown]
# ## Count
#
# A *synaptic operation* is one spike that arrives through one synapse that exists: spikes of a neuron times its fan-out.
# Both are whole numbers that are known, so the count is exact. It can be checked by hand:

# %%
activity = sl.record(network, data.test_inputs)
print(activity)
by_hand = sum(
    int((activity.per_neuron(sender).ravel() * activity.fan_out(layer).ravel()).sum())
    for sender, layer in (("encoder", "layers.fc1"), ("layers.neuron_fc1", "layers.fc2"))
)
print(f"{by_hand:,} by spikes times fan-out, {activity.total('synaptic_op'):,} recorded")
assert by_hand == activity.total("synaptic_op")

# %% [markdown]
# ## Price
#
# A price belongs to an event on one device, has a source, and a range: how far the true value may be off. Ranges are carried
# through to the total. Everything here is **estimated**: counts times prices, and nobody measured this network.

# %%
ledger = sl.price(activity, "loihi")
print(ledger)
alone = ledger.without("static")
print(
    f"a digit: {1e9 * alone.joules_per_sample:.0f} nJ without static power, "
    f"{1e9 * alone.joules_low / activity.samples:.0f} to {1e9 * alone.joules_high / activity.samples:.0f} nJ"
)
figure, axes = plt.subplots(1, 2, figsize=(9, 2.8))
for axis, book in zip(axes, (alone.by_event(), alone.by_layer()), strict=True):
    axis.barh(list(book), [1e9 * joules / activity.samples for joules in book.values()])
    axis.set_xlabel("nJ a digit")
plt.tight_layout()
plt.show()

# %% [markdown]
# ## How sure?
#
# Which price decides the range? `sensitivity` ranks them by how far the total moves when one of them goes from its low to
# its high end:

# %%
for swing in sl.sensitivity(alone).swings[:4]:
    print(f"{swing.name:40s} {1e9 * swing.at_low / activity.samples:+8.1f} to {1e9 * swing.at_high / activity.samples:+8.1f} nJ")

# %% [markdown]
# ## When pricing refuses
#
# A device that has no price for something that happened must not charge nothing. It refuses and says what is missing: here a
# network that is fed pixel values instead of spikes needs multiplications, which Loihi has no price for.

# %%
from spikeledger.errors import UnpricedError

direct = sl.zoo.mlp(64, 64, 10, timesteps=5, encoder="direct")
try:
    sl.price(sl.record(direct, data.test_inputs[:20]), "loihi")
except UnpricedError as error:
    print(error)

# %% [markdown]
# ## Where it stands in the code
#
# `sl.fit`, `sl.record`, `sl.price`, `sl.sensitivity`; every event's sentence is in `spikeledger.events`, every price with its
# source in `spikeledger profiles show loihi`. From the shell: `spikeledger record`, `spikeledger price`.
#
# ## What to try
#
# 1. Train with `penalties=[sl.losses.spike_rate(0.05)]`. What happens to accuracy and joules?
# 2. Price the same activity on every device of `sl.list_profiles()` that takes it. How far do they lie apart?
# 3. Halve the hidden layer. What falls by half, and what does not?
#
# **Sources.** Davies et al. 2018, IEEE Micro 38:82, doi:10.1109/MM.2018.112130359 (Loihi's prices); Merolla et al. 2014, Science
# 345:668 (synaptic operations as a unit).
