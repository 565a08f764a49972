"""What a run keeps in memory, and how sparse it is; needs numpy and nothing else.

The two sparsities are NeuroBench's, so that its users find their metrics: `connection_sparsity` is the share of weights
that are zero (biases are no connections), `activation_sparsity` the share of zeros in what neurons and non-linearities
sent, over all layers, steps and samples.
"""

from __future__ import annotations

from ..errors import InputError
from .account import Activity


def parameter_bytes(activity: Activity, *, bits: int = 32) -> int:
    """Bytes of the stored weights and biases, zeros included, at a width in bits: `ceil(parameters * bits / 8)`."""
    return _bytes(sum(layer.parameters for layer in activity.layers_by_name.values()), bits)


def state_bytes(activity: Activity, *, bits: int = 32) -> int:
    """Bytes of all neurons' state variables for one sample."""
    return _bytes(sum(layer.state for layer in activity.layers_by_name.values()), bits)


def activation_bytes(activity: Activity, *, bits: int = 32) -> int:
    """Bytes of what all layers send in one step of one sample; spikes fit in `bits=1`."""
    return _bytes(sum(layer.outputs for layer in activity.layers_by_name.values()), bits)


def connection_sparsity(activity: Activity) -> float:
    """Share of the weights that are zero: `1 - nonzero / weights`; 0 for a network without any."""
    layers = activity.layers_by_name.values()
    weights = sum(layer.weights for layer in layers)
    return 1 - sum(layer.nonzero_weights for layer in layers) / weights if weights else 0.0


def activation_sparsity(activity: Activity) -> float:
    """Share of zeros in what neurons and non-linearities sent: `1 - nonzero / sent`; 0 for a network without any.

    A neuron that sends several spikes at once counts as often as it sent one.
    """
    sent = nonzero = 0
    for name, layer in activity.layers_by_name.items():
        if layer.spiking:
            sent += activity.total("neuron_update", name)
            nonzero += activity.total("spike", name)
    for name, count in activity.nonzero_activations.items():
        sent += activity.total("activation", name)
        nonzero += count
    return 1 - nonzero / sent if sent else 0.0


def _bytes(numbers: int, bits: int) -> int:
    if bits < 1:
        raise InputError(f"a number of {bits} bits cannot be stored: give at least 1")
    return -(-numbers * bits // 8)
