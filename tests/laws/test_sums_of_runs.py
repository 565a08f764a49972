"""record(a) + record(b) is record(a and b), also where one run was graded and the other was not."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import spikeledger as sl
from spikeledger import Activity

KINDS = ["spikes", "scaled spikes", "graded", "silence"]


def network(width: int, seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    layers = [nn.Linear(width, 4), sl.LIF(0.5, threshold=0.2), nn.Linear(4, 3, bias=False), sl.IF(threshold=0.2)]
    with torch.no_grad():
        for layer in layers:
            for weight in layer.parameters():
                weight.copy_((weight * 8).round() / 8)
    return nn.Sequential(*layers)


def sequence(kind: str, width: int, samples: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    x = (torch.rand(3, samples, width, generator=generator) < 0.5).float()
    if kind == "graded":
        return x * torch.randint(1, 5, x.shape, generator=generator) / 4
    return x * {"spikes": 1.0, "scaled spikes": 0.5, "silence": 0.0}[kind]


def facts(activity: Activity) -> dict[str, object]:
    return {
        "tallies": {
            k: (t.count, None if t.per_neuron is None else t.per_neuron.tolist()) for k, t in activity.tallies.items()
        },
        "classes": {name: (layer.inputs, layer.magnitude) for name, layer in activity.layers_by_name.items()},
        "extent": (activity.samples, activity.timesteps),
        "steps": {name: row.tolist() for name, row in activity.spikes_per_step.items()},
    }


@given(
    st.lists(st.tuples(st.sampled_from(KINDS), st.integers(1, 3)), min_size=2, max_size=3),
    st.integers(1, 5), st.integers(0, 50),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_runs_add_up(runs: list[tuple[str, int]], width: int, seed: int) -> None:
    net = network(width, seed)
    parts = [sequence(kind, width, samples, seed + index) for index, (kind, samples) in enumerate(runs)]
    total = sl.record(net, parts[0], layout="TB")
    for part in parts[1:]:
        total = total + sl.record(net, part, layout="TB")
    assert facts(total) == facts(sl.record(net, torch.cat(parts, 1), layout="TB"))
    arrivals = [event for layer, event in total.tallies if layer == "0" and event in ("synaptic_op", "mac")]
    assert len(arrivals) <= 1  # one class a layer: a bill that charges one of them charges all
