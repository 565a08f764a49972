# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 18 Prices and ranges
#
# **The question.** "A synaptic operation costs 23.6 pJ." Says who, how far off may it be, and what becomes of a total
# when every price is uncertain?
#
# A price here is five things: joules, a low and a high end, how it came about (*kind*), what it is the price *of*
# (*scope*), and a source that one can open.

# %%
import matplotlib.pyplot as plt
import numpy as np

import spikeledger as sl

for name in ("loihi", "truenorth", "horowitz-45nm", "odin"):
    price = sl.load_profile(name).prices["synaptic_op"]
    print(
        f"{name:14s} {1e12 * price.joules:6.2f} pJ [{1e12 * price.low:.2f} to {1e12 * price.high:.2f}], "
        f"{price.kind}, {price.scope}: {price.source.split(',')[0]}"
    )

# %% [markdown]
# Loihi's number is often quoted as measured. It is *simulated*: it was computed before there was silicon.
#
# ## Two prices with one name
#
# A **marginal** price is a slope: one more operation, so much more. An **all-in** price is the power of a whole chip
# divided by its operations in a second, at *one* speed. Both are published as "energy per synaptic operation". The
# same chip at four speeds:

# %%
marginal, all_in = sl.load_profile("truenorth"), sl.load_profile("truenorth-all-in")
rates = np.logspace(6, 10, 60)  # synaptic operations a second
updates = 1_048_576 * 1000  # its neurons, a thousand times a second
slope = (
    marginal.static.watts + updates * marginal.prices["neuron_update"].joules
    + rates * marginal.prices["synaptic_op"].joules
)  # fmt: skip
flat = rates * all_in.prices["synaptic_op"].joules
figure, axis = plt.subplots(figsize=(6, 3))
axis.loglog(rates, 1e3 * slope, label="static, updates and marginal")
axis.loglog(rates, 1e3 * flat, label="all-in")
axis.set(xlabel="synaptic operations a second", ylabel="mW (estimated)")
axis.legend()
plt.show()
for rate in (1e6, 1e8, 1e10):
    at = np.interp(rate, rates, slope)
    print(
        f"{rate:8.0e} operations a second: all-in says {rate * all_in.prices['synaptic_op'].joules / at:.3g} times the other"
    )

# %% [markdown]
# The lines cross once: at the speed at which somebody measured. Anywhere else the all-in price is the price of
# another chip. So a profile with an all-in price takes no static power on top, and does not load if it tries.
#
# ## How ranges travel
#
# A total is a sum of counts times prices. Its worst ends put every price at its own end, all at once. That hardly
# happens if prices err independently; but one price that appears in two layers is one number, and errs once.

# %%
activity = sl.counting.activity_from_spikes([(784, 256), (256, 10)], [5000, 200], timesteps=100, input_spikes=8000)
ledger = sl.price(activity, "loihi").without("static")
print(
    f"estimated {1e6 * ledger.joules:.2f} µJ, at worst {1e6 * ledger.joules_low:.2f} to {1e6 * ledger.joules_high:.2f} µJ"
)
found = sl.sensitivity(ledger)
for swing in found.swings[:4]:
    print(f"{swing.name:38s} {1e6 * swing.at_low:+7.3f} to {1e6 * swing.at_high:+7.3f} µJ")

# %% [markdown]
# By hand, with a hundred thousand draws: each price anywhere between its ends, on a logarithmic scale.

# %%
draw = np.random.default_rng(0)
profile = sl.load_profile("loihi")
total = np.zeros(100_000)
for event, joules in ledger.by_event().items():
    price = profile.prices[event]
    total += joules * np.exp(draw.uniform(np.log(price.low), np.log(price.high), len(total))) / price.joules
low, high = np.percentile(1e6 * total, (2.5, 97.5))
figure, axis = plt.subplots(figsize=(6, 2.4))
axis.hist(1e6 * total, 100)
for end in (ledger.joules_low, ledger.joules_high):
    axis.axvline(1e6 * end, color="C3")
axis.set(xlabel="µJ (estimated); red: the worst ends", yticks=[])
plt.show()
print(f"95 % of the draws: {low:.2f} to {high:.2f} µJ")
assert ledger.joules_low < total.min() and total.max() < ledger.joules_high

# %% [markdown]
# Whoever wants a narrower answer must learn the *first* row above better. All other work is in vain.
#
# ## What a device cannot do
#
# A device cannot beat itself. If a price times the rate that the maker states exceeds the power that the maker
# states, one of the three is wrong, and the profile says so.
#
# ## Where it stands in the code
#
# `sl.devices.Price`, `sl.devices.HardwareProfile`, `sl.sensitivity`; `spikeledger profiles show loihi` prints every
# source; the whole reasoning is in [where the joules come from](../explanation/prices.md), and how near estimates come
# in [checked against silicon](../validation.md).
#
# ## What to try
#
# 1. Halve the range of the price that decides. How much narrower is the total?
# 2. At which speed do the two TrueNorths agree?
# 3. Find the price of a multiplication in the last paper you read. Which of the five things does it lack?
#
# **Sources.** Davies et al. 2018, doi:10.1109/MM.2018.112130359; Merolla et al. 2014, doi:10.1126/science.1254642,
# and Akopyan et al. 2015, doi:10.1109/TCAD.2015.2474396 (TrueNorth, twice); Horowitz 2014,
# doi:10.1109/ISSCC.2014.6757323.
