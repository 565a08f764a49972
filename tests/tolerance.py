"""How far results may lie apart. Spikes and counts: not at all."""

#: gradients of a fused neuron against plain torch's: the same sums in another order, and another exp
GRADIENT = {"rtol": 1e-4, "atol": 1e-5}
#: sums of up to a few thousand float32 products in another order
PRODUCT = {"rtol": 1e-4, "atol": 1e-3}
