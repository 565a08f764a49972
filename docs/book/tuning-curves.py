# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 3 Tuning curves
#
# **The question.** Neurons fire at a rate that depends on what is in front of the eye. How is a neuron told what it likes,
# and can we know its rate without running it?
#
# A neuron of the visual cortex fires fastest for an edge of one direction and slower for others. Its rate, drawn over what
# it is shown, is its *tuning curve*. Our neurons get one from two numbers. A value $x$ between -1 and 1 becomes the current
# $J = g\,e\,x + b$: the *encoder* $e$ (+1 or -1) says which end the neuron likes, the *gain* $g$ how steeply it answers,
# and the *bias* $b$ where it begins.
#
# Gain and bias are hard to choose by hand. Two other numbers are easier: the rate at the liked end, and the *intercept*,
# the value at which the neuron begins to fire. The rate of a LIF neuron at a constant current is known
# ([chapter 2](threshold.py)), so both can be solved for.

# %%
import matplotlib.pyplot as plt
import numpy as np

import spikeledger as sl

neuron = sl.nef.LIF(tau=0.02, refractory=0.002)
gain, bias = neuron.gain_bias(max_rates=[100.0, 200.0, 300.0], intercepts=[-0.5, 0.0, 0.5])
for most, start, g, b in zip((100, 200, 300), (-0.5, 0.0, 0.5), gain, bias, strict=True):
    print(f"{most} Hz at 1, from {start:+.1f} on: gain {g:.3f}, bias {b:.3f}")

# %% [markdown]
# ## Known and counted
#
# The analytic rate is what an unhurried neuron would do. Here it stands beside spikes that were counted for a second in
# steps of a millisecond.

# %%
values = np.linspace(-1, 1, 41)
currents = values[:, None] * gain + bias
known = neuron.rate(currents)
counted = neuron.run(np.tile(currents.ravel(), (1000, 1)), dt=0.001).sum(0).reshape(currents.shape)

figure, axis = plt.subplots(figsize=(6, 3))
axis.plot(values, known)
axis.set_prop_cycle(None)
axis.plot(values, counted, ".")
axis.set(xlabel="x", ylabel="spikes a second", title="lines: known; points: counted in one second")
plt.show()
print(f"largest difference: {np.abs(known - counted).max():.2f} spikes in a second")
assert np.abs(known - counted).max() <= 1

# %% [markdown]
# The count of a second can differ from the rate by one spike, since the last one may just not have come.
#
# ## What a rate costs
#
# A neuron that updates at each step costs the same whether it fires or not; a spike costs what it causes behind it. So the
# gain decides part of the bill, and the number of neurons the rest. A population of 100 neurons with maximum rates of 100 to
# 200 Hz, and one with 200 to 400 Hz, told the same sine for a second, on Loihi's prices without its static power:

# %%
sine = np.sin(2 * np.pi * np.arange(1000) / 1000)[:, None]
for rates in ((100.0, 200.0), (200.0, 400.0)):
    one, other = (sl.nef.population(100, seed=seed, max_rates=rates) for seed in (0, 1))
    run = sl.nef.connect(one, other, sine)
    events = sl.price(run.activity, "loihi").without("static").by_event()
    updates = events.get("neuron_update", 0.0) + events.get("active_update", 0.0)  # of all, or of those that moved
    print(
        f"{rates[0]:.0f} to {rates[1]:.0f} Hz: {run.activity.total('spike'):,} spikes; estimated "
        f"{1e6 * updates:.1f} µJ for updates, {1e6 * events['synaptic_op']:.1f} µJ for synaptic operations"
    )

# %% [markdown]
# ```{widget} tuning
# ```
#
# ## Where it stands in the code
#
# `sl.nef.LIF.rate` and `sl.nef.LIF.gain_bias`; `sl.nef.population` draws maximum rates and intercepts at random, and
# `Population.rates` are its tuning curves.
#
# ## What to try
#
# 1. Ask for a maximum rate of 600 Hz. Why does the neuron refuse, and which refractory time would allow it?
# 2. Set the refractory time to 0 and draw the curves again. What straightens?
# 3. Choose a rate so low that a second of spikes tells $x$ to a tenth only. How many neurons make up for it?
#
# **Sources.** Eliasmith & Anderson 2003, Neural Engineering, chapter 2; Hubel & Wiesel 1962, J. Physiol. 160:106 (tuning
# to edges).
