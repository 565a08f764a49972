"""NeuroBench's metrics on the same run: equal where it counts right."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import spikeledger as sl
from spikeledger.activity import footprint

pytestmark = [pytest.mark.peer, pytest.mark.filterwarnings("ignore")]
pytest.importorskip("neurobench.metrics", reason="NeuroBench is not installed")
snn = pytest.importorskip("snntorch", reason="snnTorch is not installed")

from neurobench.metrics.static import ConnectionSparsity, Footprint  # noqa: E402
from neurobench.metrics.workload import ActivationSparsity, SynapticOperations  # noqa: E402
from neurobench.models import SNNTorchModel  # noqa: E402


class Pair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(8, 6),
            snn.Leaky(beta=0.9, init_hidden=True),
            nn.Linear(6, 3),
            snn.Leaky(beta=0.9, init_hidden=True),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        return self.layers(x), None


def test_metrics_agree() -> None:
    torch.manual_seed(0)
    network = Pair()
    with torch.no_grad():
        network.layers[0].weight.mul_((torch.rand(6, 8) < 0.5).float() * 4)
        network.layers[2].weight.abs_()
    x = (torch.rand(5, 4, 8) < 0.5).float()  # [T, B, N]
    activity = sl.record(network, x, step_by_step=True)
    model = SNNTorchModel(network)
    model.register_hooks()
    operations, sparsity = SynapticOperations(), ActivationSparsity()
    given = (x.transpose(0, 1), torch.zeros(4))
    with torch.no_grad():
        predictions = model(given[0])
        found = sparsity(model, predictions, given)
        operations(model, predictions, given)
    assert activity.total("synaptic_op") == int(operations.AC) and int(operations.MAC) == 0
    assert footprint.activation_sparsity(activity) == pytest.approx(float(found))
    assert footprint.connection_sparsity(activity) == pytest.approx(ConnectionSparsity()(model), abs=1e-4)
    buffers = sum(value.numel() * value.element_size() for value in network.buffers())
    assert footprint.parameter_bytes(activity) == Footprint()(model) - buffers
