"""What can happen in a network: one sentence each. Everything that is counted or priced has its name here."""

from __future__ import annotations

from typing import Final

#: name -> what one such event is
EVENTS: Final[dict[str, str]] = {
    # neurons
    "spike": "one neuron emitted one spike in one step",
    "neuron_update": "one neuron was advanced by one step, whether or not anything arrived",
    "active_update": "one neuron was advanced by one step in which its input current was not zero",
    # weighted operators
    "synaptic_op": "one spike arrived through one existing (non-zero) synapse: an accumulate, AC",
    "mac": "one graded non-zero value was multiplied by one existing weight and accumulated",
    "dense_op": "one multiply-accumulate of the operator as a machine does it that cannot skip zeros, padding included",
    "bias_add": "one bias was added to one output in one step",
    # everything else that computes
    "activation": "one element went through a pointwise non-linearity (ReLU and its kin)",
    "pool_read": "one element was read by a pooling window that was not folded into the synapses behind it",
    "norm_op": "one element was normalised by an operator that does not fold into a weighted one",
    "elementwise": "one addition or multiplication of two activations (residual adds, gates)",
    # memory
    "weight_read": "one weight was read from memory",
    "activation_read": "one activation was read from memory",
    "activation_write": "one activation was written to memory",
    "state_read": "one state variable of a neuron was read",
    "state_write": "one state variable of a neuron was written",
    "address_op": "one address was computed to reach a number in memory: an integer add",
    # moving and being
    "packet": "one spike was sent to one destination core",
    "hop": "one spike crossed one link of the mesh",
    "weight_update": "one weight was changed by learning on the chip",
    "second": "one second passed with the device powered; its price is watts",
}

#: which part of the bill an event belongs to
TERMS: Final[dict[str, tuple[str, ...]]] = {
    "operations": (
        "synaptic_op", "mac", "dense_op", "bias_add", "activation", "pool_read", "norm_op", "elementwise",
        "neuron_update", "active_update", "spike", "weight_update",
    ),
    "memory": ("weight_read", "activation_read", "activation_write", "state_read", "state_write", "address_op"),
    "routing": ("packet", "hop"),
    "static": ("second",),
}  # fmt: skip


def term_of(event: str) -> str:
    """The part of the bill (``operations``, ``memory``, ``routing``, ``static``) that an event belongs to."""
    for term, events in TERMS.items():
        if event in events:
            return term
    raise KeyError(event)
