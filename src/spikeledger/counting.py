"""How to count what has no rule or no network: operators and neurons of your own, and plain counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .listening.neurons import declare_neuron as declare_neuron
    from .listening.neurons import not_a_neuron as not_a_neuron
    from .recording.operator_kinds import rule as rule
    from .study.accountant import account_spikes as account_spikes
    from .study.counts import activity_from_events as activity_from_events
    from .study.counts import activity_from_spikes as activity_from_spikes

from .public_face import door

__getattr__, __dir__, __all__ = door(
    __name__,
    {
        "rule": ("recording.operator_kinds", "rule"),
        "declare_neuron": ("listening.neurons", "declare_neuron"),
        "not_a_neuron": ("listening.neurons", "not_a_neuron"),
        "activity_from_events": ("study.counts", "activity_from_events"),
        "activity_from_spikes": ("study.counts", "activity_from_spikes"),
        "account_spikes": ("study.accountant", "account_spikes"),
    },
)
