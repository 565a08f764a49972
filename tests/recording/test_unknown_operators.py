"""What has no rule, or whose rule fails: named with its place, and never a zero."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import spikeledger as sl
from recording.test_rules import Act, draw
from spikeledger.errors import UncountedError
from spikeledger.recording import operator_kinds, pool_reads, products


def test_an_unknown_operator_is_named_with_its_place_and_stops_the_price() -> None:
    network = nn.Sequential(nn.Linear(6, 4), Act(lambda x: torch.fft.rfft(x).real))
    activity = sl.record(network, draw(2, 6))
    assert {item.layer for item in activity.uncounted} == {"1"}
    assert "no counting rule" in activity.uncounted[0].reason
    with pytest.raises(UncountedError, match="not counted"):
        sl.price(activity, sl.load_profile(sl.list_profiles()[0]))


@pytest.mark.parametrize("book", [products.PRODUCTS, pool_reads.POOLS])
def test_a_rule_that_raises_becomes_an_uncounted_entry(book, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args, **kwargs):
        raise RuntimeError("on purpose")

    for name in list(book):
        monkeypatch.setitem(book, name, broken)
    monkeypatch.setattr(operator_kinds, "_known", {})
    network = nn.Sequential(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4, 3))
    activity = sl.record(network, draw(2, 1, 4, 4))
    assert any("on purpose" in item.reason for item in activity.uncounted)
    missing = "mac" if book is products.PRODUCTS else "pool_read"
    assert activity.total(missing) == 0 and activity.uncounted[0].layer in ("0", "2")


def test_a_fan_out_that_raises_becomes_an_uncounted_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args, **kwargs):
        raise RuntimeError("on purpose")

    monkeypatch.setattr("spikeledger.recording.fan_out.Grid.fan_out", broken)
    activity = sl.record(nn.Conv1d(1, 1, 3), draw(2, 1, 6))
    assert "on purpose" in activity.uncounted[0].reason


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_quantised_layers_are_named() -> None:
    network = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(6, 3)))
    activity = sl.record(network, draw(2, 6))
    assert "quantised" in activity.uncounted[0].reason


def test_weights_that_a_native_kernel_hides_are_named() -> None:
    class Hidden(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return torch.from_numpy(x.numpy() @ self.weight.detach().numpy().T)

    activity = sl.record(nn.Sequential(Hidden(6, 3)), draw(2, 6))
    assert any(item.layer == "0" and "hides" in item.reason for item in activity.uncounted)


def test_every_operator_has_one_kind() -> None:
    kinds = [set(products.PRODUCTS), set(pool_reads.POOLS) - {"mean"}, *operator_kinds._KINDS.values()]
    free = operator_kinds._KINDS["free"] - operator_kinds._KINDS["factory"]
    kinds = [free if kind is operator_kinds._KINDS["free"] else kind for kind in kinds]
    seen: set[str] = set()
    for kind in kinds:
        assert not seen & set(kind), seen & set(kind)
        seen |= set(kind)
