"""Products of activations, fused operators, look-ups, normalisation, derived weights, number formats: each by hand."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import prune

import spikeledger as sl
from recording import oracle


def draw(*shape: int, density: float = 0.4, seed: int = 0) -> Tensor:
    return (torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < density).float()


class Act(nn.Module):
    """A function as a module."""

    def __init__(self, function, **parts: nn.Module) -> None:
        super().__init__()
        self.function = function
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, x: Tensor):
        return self.function(self, x) if list(self.children()) else self.function(x)


# -- products of two activations ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "product",
    [
        lambda x: x @ x.mT,
        lambda x: torch.einsum("bnd,bmd->bnm", x, x),
        lambda x: torch.baddbmm(torch.zeros(2, 5, 5), x, x.mT),
        lambda x: torch.stack([torch.mm(a, a.t()) for a in x]),
        lambda x: torch.tensordot(x[0], x[1], dims=([1], [1])) + torch.tensordot(x[1], x[0], dims=([1], [1])),
    ],
)
def test_two_activations_meet_where_both_are_not_zero(product) -> None:
    x = draw(2, 5, 4)
    activity = sl.record(Act(product), x)
    if product(x).dim() == 2:
        expected = 2 * oracle.meetings(x[0].numpy(), x[1].numpy().T)
    else:
        expected = sum(oracle.meetings(a.numpy(), a.numpy().T) for a in x)
    assert activity.total("synaptic_op") == expected
    assert activity.total("mac") == 0
    assert not activity.uncounted


def test_graded_times_spikes_accumulates_and_graded_times_graded_multiplies() -> None:
    x = draw(2, 5, 4)
    scaled = x * torch.rand(2, 5, 4)
    pairs = sum(oracle.meetings(a.numpy(), b.numpy().T) for a, b in zip(scaled, x, strict=True))
    mixed = sl.record(Act(lambda v: (v * torch.linspace(0.1, 1, 4)) @ (v != 0).float().mT), scaled)
    assert mixed.total("synaptic_op") == pairs
    graded = sl.record(Act(lambda v: v @ v.mT), scaled)
    assert graded.total("mac") == sum(oracle.meetings(a.numpy(), a.numpy().T) for a in scaled)
    assert graded.total("synaptic_op") == 0


def test_spiking_attention_is_accumulates_in_both_products() -> None:
    def attention(x: Tensor) -> Tensor:
        scores = x @ x.mT * 0.125  # graded
        return scores @ x  # times spikes

    x = draw(2, 5, 4)
    activity = sl.record(Act(attention), x)
    scores = x @ x.mT
    first = sum(oracle.meetings(a.numpy(), a.numpy().T) for a in x)
    second = sum(oracle.meetings(a.numpy(), b.numpy()) for a, b in zip(scores, x, strict=True))
    assert [activity.total("synaptic_op", layer) for layer in ("matmul1", "matmul2")] == [first, second]
    assert activity.total("mac") == 0


# -- fused operators ---------------------------------------------------------------------------------------------------


def fused_attention(q: Tensor, causal: bool, mask: Tensor | None) -> Tensor:
    return F.scaled_dot_product_attention(q, q, q, attn_mask=mask, is_causal=causal)


def plain_attention(q: Tensor, causal: bool, mask: Tensor | None) -> Tensor:
    scores = q @ q.mT / q.shape[-1] ** 0.5
    if causal:
        scores = scores.masked_fill(~torch.ones(scores.shape[-2:], dtype=torch.bool).tril(), -torch.inf)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    return scores.softmax(-1) @ q


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("inference", [False, True])
def test_fused_attention_counts_like_its_parts(causal: bool, masked: bool, inference: bool) -> None:
    if causal and masked:
        return
    mask = draw(5, 5, density=0.6).bool() | torch.eye(5, dtype=torch.bool) if masked else None
    q = draw(2, 2, 5, 8)
    totals = []
    for attention in (fused_attention, plain_attention):
        network = Act(lambda x, attention=attention: attention(x, causal, mask))
        with torch.inference_mode(inference), torch.no_grad(), sl.recording(network, samples=2) as recorder:
            network(q)
        activity = recorder.activity()
        assert not activity.uncounted
        totals.append({event: activity.total(event) for event in ("synaptic_op", "mac", "dense_op")})
    assert totals[0] == totals[1]
    assert totals[0]["synaptic_op"] > 0


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.LSTM(6, 4, num_layers=2, bidirectional=True),
        lambda: nn.LSTM(6, 4, bias=False),
        lambda: nn.TransformerEncoderLayer(6, 2, 8, dropout=0.0, batch_first=True),
        lambda: nn.TransformerEncoderLayer(6, 2, 8, dropout=0.0, batch_first=True, norm_first=True, activation="gelu"),
        lambda: nn.GRU(6, 4),
        lambda: nn.RNN(6, 4),
    ],
)
def test_fast_paths_count_like_the_slow_ones_and_give_their_own_output(make) -> None:
    torch.manual_seed(0)
    network = make()
    x = torch.rand(3, 2, 6)
    counts = []
    for fast in (True, False):
        network.train(not fast)
        for mode in (torch.no_grad, torch.inference_mode) if fast else (torch.enable_grad,):
            with mode():
                expected = network(x)
                with sl.recording(network, samples=2) as recorder:
                    out = network(x)
            first, second = (o[0] if isinstance(o, tuple) else o for o in (out, expected))
            assert torch.equal(first, second)
            activity = recorder.activity()
            assert not activity.uncounted
            counts.append({event: activity.total(event) for event in activity.events})
    assert all(count == counts[0] for count in counts)


def test_recurrent_layers_count_hidden_values_by_hand() -> None:
    torch.manual_seed(0)
    network = nn.RNN(5, 4, nonlinearity="relu")
    x = draw(6, 2, 5)
    hidden = network(x)[0].detach()
    arrived = torch.cat([torch.zeros(1, 2, 4), hidden[:-1]])
    activity = sl.record(network, x, layout="TB")
    assert activity.total("synaptic_op", "weight_ih_l0") == int(x.sum()) * 4
    assert activity.total("mac", "weight_hh_l0") == int((arrived != 0).sum()) * 4


def test_an_embedding_reads_weights_and_multiplies_nothing() -> None:
    network = nn.Sequential(nn.Embedding(10, 4), nn.Linear(4, 3))
    activity = sl.record(network, torch.tensor([[1, 2, 1], [0, 5, 9]]))
    assert activity.total("weight_read", "0") == 6 * 4
    assert activity.total("mac") == 6 * 4 * 3
    bag = sl.record(nn.EmbeddingBag(10, 4), torch.tensor([[1, 2, 1], [0, 5, 9]]))
    assert bag.total("weight_read") == 24 and bag.total("mac") == 0
    assert bag.total("elementwise") == 24 - 8  # three rows are added up by two additions


# -- weights -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "derive",
    [
        nn.utils.parametrizations.weight_norm,
        nn.utils.parametrizations.spectral_norm,
        lambda layer: prune.identity(layer, "weight"),
        lambda layer: prune.l1_unstructured(layer, "weight", 0.5),
        pytest.param(torch.jit.script, marks=pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")),
    ],
)
def test_derived_weights_are_weights(derive) -> None:
    torch.manual_seed(0)
    x = draw(7, 6)
    layer = derive(nn.Linear(6, 3))
    activity = sl.record(layer, x)
    assert not activity.uncounted
    expected = oracle.events(x.numpy(), oracle.linear(layer.weight.detach().numpy())).sum()
    assert activity.total("synaptic_op") == expected
    assert activity.total("dense_op") == 7 * 6 * 3


def test_pruning_in_the_middle_of_a_recording_is_followed() -> None:
    layer = nn.Linear(6, 3)
    x = draw(7, 6)
    with torch.no_grad(), sl.recording(layer) as recorder:
        for _ in range(3):
            layer(x)
        layer.weight[:, 0] = 0
        layer(x)
        layer.weight.mul_(2)  # another version with the same zeros
        layer(x)
    arrived = x.sum(0).long().numpy()
    assert recorder.activity(samples=35).total("synaptic_op") == 5 * arrived.sum() * 3 - 2 * 3 * arrived[0]


def test_a_layer_that_is_shared_by_inputs_of_other_shapes_keeps_an_exact_total() -> None:
    network = Act(
        lambda self, x: self.conv(x).mean() + self.conv(x[..., 1:, 2:]).mean(), conv=nn.Conv2d(1, 2, 3, padding=1)
    )
    x = draw(2, 1, 6, 6)
    weight = network.conv.weight.detach().numpy()
    expected = sum(
        oracle.events(part.numpy(), oracle.convolution(part.shape[1:], weight, (1, 1), (1, 1), (1, 1), 1)).sum()
        for part in (x, x[..., 1:, 2:])
    )
    activity = sl.record(network, x)
    assert activity.total("synaptic_op", "conv") == expected


def test_a_weight_may_stand_on_either_side_and_be_spread_over_the_batch() -> None:
    layer = nn.Linear(6, 3, bias=False)
    x = draw(4, 6)
    expected = int(x.sum()) * 3
    for call in (
        lambda self, v: v @ self.fc.weight.t(),
        lambda self, v: (self.fc.weight @ v.t()).t(),
        lambda self, v: torch.einsum("oi,bi->bo", self.fc.weight, v),
        lambda self, v: torch.stack([torch.mv(self.fc.weight, row) for row in v]),
        lambda self, v: torch.stack([torch.stack([torch.dot(w, row) for w in self.fc.weight]) for row in v]),
        lambda self, v: torch.bmm(v[:, None], self.fc.weight.t().expand(4, 6, 3)),
        lambda self, v: F.linear(v.view(2, 2, 6).transpose(0, 1), self.fc.weight, torch.ones(3)),
    ):
        activity = sl.record(Act(call, fc=copy.deepcopy(layer)), x)
        assert activity.total("synaptic_op") == expected
        assert not activity.uncounted


@pytest.mark.parametrize("kind", [torch.float64, torch.bfloat16, torch.float16])
def test_number_formats(kind: torch.dtype) -> None:
    layer = nn.Conv2d(2, 3, 3, padding=1).to(kind)
    x = draw(2, 2, 5, 5)
    expected = sl.record(nn.Conv2d(2, 3, 3, padding=1), x).total("synaptic_op")
    assert sl.record(layer, x.to(kind)).total("synaptic_op") == expected


def test_memory_formats_empty_batches_and_whole_numbers() -> None:
    layer = nn.Conv2d(2, 3, 3, padding=1)
    x = draw(2, 2, 5, 5)
    expected = sl.record(layer, x).total("synaptic_op")
    assert sl.record(layer, x.to(memory_format=torch.channels_last)).total("synaptic_op") == expected
    assert sl.record(layer, x.bool()).total("synaptic_op") == expected
    assert sl.record(layer, x.numpy().astype(np.int64)).total("synaptic_op") == expected
    with sl.recording(layer) as recorder, torch.no_grad():
        layer(x[:0])
    assert recorder.activity(samples=0).total("synaptic_op") == 0


# -- the class of a layer's inputs -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "event"),
    [
        ([0, 1], "synaptic_op"),
        ([0, 1, -1], "synaptic_op"),
        ([0, 0.25], "synaptic_op"),
        ([0, 1, 0.5], "mac"),
        ([0, 1, 2], "mac"),
    ],
)
def test_one_magnitude_accumulates_and_several_multiply(values: list[float], event: str) -> None:
    x = torch.tensor(values)[torch.randint(len(values), (50, 6), generator=torch.Generator().manual_seed(0))]
    activity = sl.record(nn.Linear(6, 3), x)
    assert activity.total(event) == int((x != 0).sum()) * 3
    assert activity.events == (event, "dense_op", "bias_add")


def test_the_class_holds_for_the_whole_run() -> None:
    x = draw(8, 6)
    x[7] *= 0.5  # one graded row at the end
    activity = sl.record(nn.Linear(6, 3), x, batch_size=2)
    assert activity.total("synaptic_op") == 0
    assert activity.total("mac") == int((x != 0).sum()) * 3
    assert activity.analog_layers == ("weight",)


# -- what folds, and what does not -------------------------------------------------------------------------------------


def test_batch_norm_folds_and_other_norms_do_not() -> None:
    x = draw(2, 2, 6, 6)
    conv = nn.Conv2d(2, 4, 3)
    assert sl.record(nn.Sequential(conv, nn.BatchNorm2d(4)), x).total("norm_op") == 0
    for norm in (nn.GroupNorm(2, 4), nn.InstanceNorm2d(4), nn.LayerNorm([4, 4, 4])):
        assert sl.record(nn.Sequential(conv, norm), x).total("norm_op") == 2 * 4 * 4 * 4
    assert sl.record(nn.Sequential(nn.BatchNorm2d(2), conv), x).total("norm_op") == x.numel()


def test_a_pooling_that_something_else_reads_too_does_not_fold_away() -> None:
    def residual(self, x: Tensor) -> Tensor:
        pooled = F.avg_pool2d(x, 2)
        return self.conv(pooled) + pooled

    x = draw(2, 2, 6, 6)
    activity = sl.record(Act(residual, conv=nn.Conv2d(2, 2, 3, padding=1)), x)
    assert activity.total("pool_read") == x.numel()
    assert activity.total("elementwise") == 2 * 2 * 3 * 3
    pooled = F.avg_pool2d(x, 2)
    wires = oracle.convolution((2, 3, 3), np.ones((2, 2, 3, 3)), (1, 1), (1, 1), (1, 1), 1)
    assert activity.total("mac") == oracle.events(pooled.numpy(), wires).sum()


def test_two_poolings_in_a_row_fold_into_one_connectivity() -> None:
    x = draw(2, 2, 8, 8)
    network = nn.Sequential(nn.AvgPool2d(2), nn.AvgPool2d(3, 1), nn.Flatten(), nn.Linear(8, 3))
    first = oracle.pooling((2, 8, 8), (2, 2), (2, 2), (0, 0))
    second = oracle.pooling((2, 4, 4), (3, 3), (1, 1), (0, 0))
    head = oracle.after_flatten((2, 2, 2), oracle.linear(np.ones((3, 8))))
    activity = sl.record(network, x)
    wires = oracle.through(oracle.through(first, second), head)
    assert activity.total("synaptic_op") == oracle.events(x.numpy(), wires).sum()
    assert activity.total("pool_read") == 0


# -- what nobody counted -----------------------------------------------------------------------------------------------


def test_one_image_at_every_step_counts_at_every_step() -> None:
    x = torch.rand(3, 6).clamp_min(0.1)
    activity = sl.record(sl.zoo.mlp(6, 4, 2, encoder="direct", timesteps=5), x)
    assert activity.total("mac", "layers.fc1") == 5 * 3 * 6 * 4
    assert activity.analog_layers == ("layers.fc1",)
    expanded = x.unsqueeze(0).expand(5, 3, 6)
    assert sl.record(nn.Linear(6, 4), expanded).total("mac") == 5 * 3 * 6 * 4


# -- bilinear ----------------------------------------------------------------------------------------------------------


def test_bilinear_by_hand() -> None:
    layer = nn.Bilinear(5, 4, 3)
    with torch.no_grad():
        layer.weight[1, 2] = 0
    network = Act(lambda self, x: self.layer(x[:, :5], x[:, 5:]), layer=layer)
    x = draw(7, 9)
    activity = sl.record(network, x, layout="B")
    left, right = x[:, :5], x[:, 5:]
    met = torch.einsum("bi,oij->boj", left, layer.weight)
    assert not activity.uncounted
    by_hand = int((left != 0).sum(0) @ (layer.weight != 0).sum((0, 2)))
    assert activity.total("synaptic_op", "layer") == by_hand
    assert activity.total("synaptic_op", "layer.matmul1") == int(((met != 0) & (right[:, None] != 0)).sum())
    assert torch.equal(network(x), layer(left, right))
