# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 10 A bit of precision, in joules
#
# **The question.** With more neurons a value is said more precisely. What does each further *bit* cost, and when is
# it cheaper to say it as a number?
#
# A value in $[-1, 1]$ that comes back with an error of $\epsilon$ (root mean square) is known to about
# $\log_2(1/\epsilon)$ bits. There are two kinds of error. The decoders' own (*static*) stays however long one
# listens; at best it falls as $1/n$. The noise of spikes, an average of independent things, falls as about $1/\sqrt
# n$, and soon it is what counts.

# %%
import matplotlib.pyplot as plt
import numpy as np

import spikeledger as sl

dt = 0.001
seconds = np.arange(1500) * dt
sine = np.sin(2 * np.pi * seconds)[:, None]
wanted = sl.nef.Lowpass(0.01).filter(sine, dt=dt)  # the read-out's own delay is no fault of the neurons
line = np.linspace(-1, 1, 401)[:, None]
sizes = (20, 50, 100, 200, 500, 1000)
static, spiking, cost = [], [], []
for neurons in sizes:
    off, noisy, joules = [], [], []
    for seed in range(3):
        one = sl.nef.population(neurons, seed=seed)
        off.append(np.mean((one.rates(line) @ one.decoders() - line) ** 2))
        run = sl.nef.simulate(one, sine)
        noisy.append(np.mean((run.values[300:] - wanted[300:]) ** 2))
        joules.append(sl.price(run.activity, "loihi").without("static").joules / seconds[-1])
    static.append(np.sqrt(np.mean(off)))
    spiking.append(np.sqrt(np.mean(noisy)))
    cost.append(np.mean(joules))
    print(
        f"{neurons:5d} neurons: static error {static[-1]:.4f}, with spikes {spiking[-1]:.4f} = {-np.log2(spiking[-1]):.1f} bits, "
        f"estimated {1e6 * cost[-1]:6.1f} µW on Loihi"
    )

# %%
figure, axis = plt.subplots(figsize=(6, 3))
axis.loglog(sizes, static, "o-", label="static")
axis.loglog(sizes, spiking, "o-", label="with spikes")
axis.set(xlabel="neurons", ylabel="error")
axis.legend()
plt.show()
slopes = [np.polyfit(np.log(sizes), np.log(errors), 1)[0] for errors in (static, spiking)]
print(f"error falls as n^{slopes[0]:.2f} (static) and n^{slopes[1]:.2f} (with spikes)")

# %% [markdown]
# ## The price of one more bit
#
# Halving an error that falls as $n^{-a}$ takes $2^{1/a}$ times the neurons, and a population on its own costs in
# proportion to its neurons. So each further bit costs that many times *all bits before it together*:

# %%
factor = 2 ** (-1 / slopes[1])
print(f"one more bit takes {factor:.1f} times the neurons and joules")
five = cost[0] * (2**-5 / spiking[0]) ** (1 / slopes[1])
print(
    f"5 bits: about {1e6 * five:.0f} µW; 8 bits: about {1e6 * five * factor**3:,.0f} µW; 12 bits: {five * factor**7:.3f} W"
)

# %% [markdown]
# A binary number pays once more *the same* for each bit, not a factor. That is the deep difference: populations are
# cheap for few bits and hopeless for many. Brains, and sensors, mostly need few.
#
# A connection makes it worse: between two populations there are $n^2$ synapses, unless the value is sent as decoded
# numbers. Chips that can send graded spikes do the latter; on the others one adds a few relay neurons, which is the
# same trick.

# %%
for neurons in (50, 100, 200):
    first, second = (sl.nef.population(neurons, seed=seed) for seed in (2, 3))
    run = sl.nef.connect(first, second, sine)
    full = run.activity.total("synaptic_op")
    factored = 2 * run.activity.total("spike", "first")  # to one sum and back: one number each way, if the chip can
    print(f"{neurons} to {neurons} neurons: {full:10,} synaptic operations; by way of one decoded number {factored:,}")

# %% [markdown]
# ## Where it stands in the code
#
# `sl.nef.simulate` and `connect` bring an `Activity` with every run, so any device prices them:
# `sl.price(run.activity, name)`.
#
# ## What to try
#
# 1. Read through a synapse of 100 ms instead of 10. How many bits do you gain, and what do you lose?
# 2. Halve all maximum rates. Fewer spikes, more noise: is a bit cheaper or dearer?
# 3. Price the same run on every chip of `sl.list_profiles()` that takes it. Does the factor for one more bit change?
#
# **Sources.** Eliasmith & Anderson 2003, Neural Engineering, chapter 2 (the two errors); Boahen 2017, Comput. Sci.
# Eng. 19:14 (precision and power of populations); the sizes of errors are computed here.
