"""The same input currents under each library's conventions: which of our settings fires at the same steps.

"LIF" is not one thing. With a constant current of 0.35, a decay of 0.9 and a threshold of 1, 20 steps fire at:

| library, setting                                              | ours                              | fires at           |
| ------------------------------------------------------------- | --------------------------------- | ------------------ |
| snnTorch `Leaky`, its default                                 | `reset_delay=True`                | 3 6 10 14 17       |
| snnTorch `Leaky(reset_delay=False)`                           | the default                       | 3 6 9 13 16 19     |
| SpikingJelly `LIFNode(decay_input=False, v_reset=None)`       | the default                       | 3 6 9 13 16 19     |
| SpikingJelly `LIFNode(decay_input=False)`                     | `reset="zero"`                    | 3 7 11 15 19       |
| SpikingJelly `LIFNode()`, its default                         | currents (1 - decay), `"zero"`    | never              |
| sinabs `LIF(norm_input=False)`                                | the default                       | 3 6 9 13 16 19     |
| sinabs `LIF()`, its default                                   | currents times (1 - decay)        | never              |
| Norse `LIFBox`, currents divided by dt / tau                  | `reset="zero"`                    | 3 7 11 15 19       |

One difference stays: a membrane that is still above the threshold after an immediate reset (a current of more than a
threshold in one step) is reset by snnTorch once more at the next step.
"""

from __future__ import annotations

import importlib
import math
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import spikeledger as sl

DECAY = 0.9
CONSTANT = torch.full((20, 1, 1), 0.35)
RANDOM = torch.rand(50, 3, 40, generator=torch.Generator().manual_seed(0)) * 0.6
Run = Callable[[Tensor], Tensor]


def peer(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other people's
        try:
            return importlib.import_module(name)
        except ImportError as error:
            pytest.skip(f"{name} is not installed: {error}")


def snntorch(**options: Any) -> Run:
    neuron = peer("snntorch").Leaky(beta=DECAY, **options)

    def run(currents: Tensor) -> Tensor:
        membrane, spikes = neuron.init_leaky(), []
        for current in currents:
            spike, membrane = neuron(current, membrane)
            spikes.append(spike)
        return torch.stack(spikes)

    return run


def spikingjelly(**options: Any) -> Run:
    neurons = peer("spikingjelly.activation_based.neuron")
    return lambda currents: neurons.LIFNode(tau=1 / (1 - DECAY), step_mode="m", **options)(currents)


def sinabs(reset: str, **options: Any) -> Run:
    layers, activation = peer("sinabs.layers"), peer("sinabs.activation")
    options |= {"reset_fn": getattr(activation, reset)(), "spike_fn": activation.SingleSpike}
    tau = -1 / math.log(DECAY)
    return lambda currents: layers.LIF(tau_mem=tau, **options)(currents.transpose(0, 1)).transpose(0, 1)


def norse() -> Run:
    box = peer("norse.torch.functional.lif_box")
    one, zero = torch.tensor(1.0), torch.tensor(0.0)
    # v += dt / tau ((leak - v) + i): a decay of 0.9 for dt = 1 ms and tau = 10 ms, and currents that enter divided by 10
    parameters = box.LIFBoxParameters(tau_mem_inv=100 * one, v_leak=zero, v_th=one, v_reset=zero)

    def run(currents: Tensor) -> Tensor:
        state, spikes = box.LIFBoxFeedForwardState(v=torch.zeros(currents.shape[1:])), []
        for current in currents:
            spike, state = box.lif_box_feed_forward_step(10 * current, state, parameters, dt=0.001)
            spikes.append(spike)
        return torch.stack(spikes)

    return run


SUBTRACT, DELAYED, ZERO, NEVER = [3, 6, 9, 13, 16, 19], [3, 6, 10, 14, 17], [3, 7, 11, 15, 19], []

#: library and its setting -> our setting, what currents are multiplied by, when the constant current fires
TABLE: list[tuple[str, Callable[[], Run], dict[str, Any], float, list[int] | None]] = [
    ("snnTorch", lambda: snntorch(), {"reset_delay": True}, 1, DELAYED),
    ("snnTorch, immediate", lambda: snntorch(reset_delay=False), {}, 1, SUBTRACT),
    ("snnTorch, zero", lambda: snntorch(reset_mechanism="zero"), {"reset": "zero", "reset_delay": True}, 1, ZERO),
    (
        "snnTorch, zero, immediate",
        lambda: snntorch(reset_mechanism="zero", reset_delay=False),
        {"reset": "zero"},
        1,
        ZERO,
    ),
    ("snnTorch, none", lambda: snntorch(reset_mechanism="none"), {"reset": "none"}, 1, None),
    ("SpikingJelly", lambda: spikingjelly(), {"reset": "zero"}, 1 - DECAY, NEVER),
    ("SpikingJelly, whole currents", lambda: spikingjelly(decay_input=False), {"reset": "zero"}, 1, ZERO),
    ("SpikingJelly, soft", lambda: spikingjelly(decay_input=False, v_reset=None), {}, 1, SUBTRACT),
    ("sinabs", lambda: sinabs("MembraneSubtract"), {}, 1 - DECAY, NEVER),
    ("sinabs, whole currents", lambda: sinabs("MembraneSubtract", norm_input=False), {}, 1, SUBTRACT),
    ("sinabs, zero", lambda: sinabs("MembraneReset", norm_input=False), {"reset": "zero"}, 1, ZERO),
    ("Norse", lambda: norse(), {"reset": "zero"}, 1, ZERO),
]

#: resets a second time what one reset left above the threshold
TWICE = (TABLE[1][1],)


@pytest.mark.peer
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("theirs", "ours", "scale", "steps"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_same_currents_same_spikes(
    theirs: Callable[[], Run], ours: dict[str, Any], scale: float, steps: list[int] | None
) -> None:
    run, neuron = theirs(), sl.LIF(DECAY, **ours)
    with torch.no_grad():
        if steps is not None:
            assert run(CONSTANT).flatten().nonzero().flatten().tolist() == steps
            assert neuron(scale * CONSTANT).flatten().nonzero().flatten().tolist() == steps
        for currents in (RANDOM,) if theirs in TWICE else (RANDOM, 5 * RANDOM):
            spikes = run(currents)
            assert bool(spikes.any()) or currents is RANDOM
            # sinabs and Norse round their decay otherwise: a membrane within rounding of the threshold may differ
            assert float((spikes != neuron(scale * currents)).float().mean()) <= 1e-3


@pytest.mark.parametrize(
    ("options", "steps"),
    [
        ({"reset_delay": True}, DELAYED),
        ({}, SUBTRACT),
        ({"reset": "zero"}, ZERO),
        ({"reset": "zero", "reset_delay": True}, ZERO),
        ({"reset": "none"}, [3, *range(4, 20)]),
    ],
)
@pytest.mark.parametrize("backend", ["auto", "reference"])
def test_our_own_conventions(backend: str, options: dict[str, Any], steps: list[int]) -> None:
    with sl.backend(backend):
        assert sl.LIF(DECAY, **options)(CONSTANT).flatten().nonzero().flatten().tolist() == steps
