# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 15 Learning through a step
#
# **The question.** A spike is there or not. Its derivative is zero, or does not exist. How can a network of spikes learn by
# gradients at all?
#
# Forwards, a neuron spikes where its membrane is above the threshold: a step. Backwards, we pretend that the step was a
# slope: small changes of the membrane near the threshold might have mattered, far from it they did not. This *surrogate
# gradient* has to have its peak where the decision falls, at the threshold.

# %%
import matplotlib.pyplot as plt
import torch

import spikeledger as sl

distance = torch.linspace(-2, 2, 401)
known = {
    "atan": sl.neurons.surrogates.atan(),
    "fast sigmoid": sl.neurons.surrogates.fast_sigmoid(),
    "sigmoid": sl.neurons.surrogates.sigmoid(),
    "triangle": sl.neurons.surrogates.triangle(),
}
figure, axis = plt.subplots(figsize=(6, 3))
for name, one in known.items():
    curve = one.derivative(distance)
    axis.plot(distance, curve / curve.max(), label=name)
    assert abs(float(distance[curve.argmax()])) < 1e-6
axis.set(xlabel="membrane minus threshold", ylabel="stand-in for the derivative, peak = 1")
axis.legend()
plt.show()

# %% [markdown]
# One of the source documents of this project centred its sigmoid, of slope 10, on a membrane of 0, where its threshold was
# 0.5. How much gradient is then left where the spike is decided?

# %%
steep = sl.neurons.surrogates.sigmoid(10.0)
at_peak, at_threshold = (float(steep.derivative(torch.tensor(x))) for x in (0.0, 0.5))
print(f"{at_peak / at_threshold:.1f} times less than at its peak")

# %% [markdown]
# ## Does the shape matter?
#
# Four epochs on scikit-learn's digits with each, same weights to begin with. All learn but the last, whose slope is so
# narrow that no gradient arrives:

# %%
data = sl.load_dataset("digits")
for name, one in {**known, "far too narrow": sl.neurons.surrogates.fast_sigmoid(1e4)}.items():
    network = sl.zoo.mlp(64, 64, 10, timesteps=5, surrogate=one)
    sl.fit(network, data, epochs=4, batch_size=32, profile=None, progress=False)
    print(f"{name:15s} {100 * sl.evaluate(network, data.test_inputs, data.test_labels).accuracy:.1f} % right")

# %% [markdown]
# Four epochs of one seed do not rank surrogates; they show that a gradient arrives or does not.
#
# ## Where it stands in the code
#
# `sl.neurons.surrogates`, one a function; `sl.neurons.LIF(0.9, surrogate="triangle")`; your own is any function of the
# distance to the threshold. Neurons run forwards and backwards in one native call for all steps.
#
# ## What to try
#
# 1. Write a surrogate of your own, a Gaussian, and train with it.
# 2. Shift it by half a threshold, as that source did. What happens to the accuracy after four epochs, and after twenty?
# 3. Train with a wide surrogate first and a narrow one later. Is it worth the trouble?
#
# **Sources.** Neftci, Mostafa & Zenke 2019, IEEE SPM 36:51, arXiv:1901.09948; Zenke & Ganguli 2018, doi:10.1162/neco_a_01086;
# Fang et al. 2021, doi:10.1109/ICCV48922.2021.00266.
