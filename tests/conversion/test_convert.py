"""Methods, choices, refusals, and what is said of them."""

import json

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import spikeledger as sl
from spikeledger.conversion.finetune import _Quantised
from spikeledger.conversion.thresholds import choose, divergence, method, quantised
from spikeledger.datasets import Dataset
from spikeledger.errors import InputError


def samples(count: int = 240) -> torch.Tensor:
    return torch.rand(count, 12, generator=torch.Generator().manual_seed(1))


def ann() -> nn.Sequential:
    torch.manual_seed(2)
    return nn.Sequential(
        nn.Linear(12, 24), nn.ReLU(), nn.Dropout(0.3), nn.Linear(24, 16), nn.ReLU(), nn.Linear(16, 4)
    ).eval()


def blobs() -> Dataset:
    draw = torch.Generator().manual_seed(0)
    labels = torch.arange(400) % 4
    inputs = (torch.eye(4).repeat(1, 3)[labels] * 0.5 + 0.4 * torch.rand(400, 12, generator=draw)).clamp(0, 1)
    return Dataset.from_arrays("blobs", inputs[:300], labels[:300], inputs[300:], labels[300:], classes=list("abcd"))


def test_least_squares_is_the_least_of_its_grid() -> None:
    z = torch.randn(2000, 3, generator=torch.Generator().manual_seed(3))
    a = z.clamp_min(0)
    found = choose(method("least_squares"), "layer", z, a, 4, 0.5, None)

    def error(theta: torch.Tensor) -> float:
        return float((quantised(z, theta, 4, 0.5) - a).square().sum())

    assert all(error(found) <= error(a.max() * share / 40) + 1e-3 for share in range(1, 41))
    assert error(found) < 0.7 * error(a.max())


@pytest.mark.parametrize(("name", "expected"), [("max", 1.0), ("1/3", 1 / 3), ("50%", 0.5), ("99.9%", 0.999)])
def test_methods_by_name(name: str, expected: float) -> None:
    a = torch.linspace(0.001, 1, 1000).view(-1, 1)
    assert float(choose(method(name), "layer", a, a, 8, 0.5, None)) == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("name", ["99.9", "3/2", "0%", "mean", "-1/2"])
def test_unknown_methods_are_told_what_there_is(name: str) -> None:
    with pytest.raises(InputError, match="least_squares"):
        sl.convert(ann(), samples(), method=name, timesteps=4)


def test_more_steps_come_nearer_and_half_a_threshold_helps() -> None:
    network = ann()
    with torch.no_grad():
        exact = network(samples())
        errors = [
            float(
                (sl.convert(network, samples(), method="max", timesteps=steps).scores(samples()) - exact).abs().mean()
            )
            for steps in (2, 8, 32, 128)
        ]
        plain = sl.convert(network, samples(), method="max", timesteps=8, initial=0.0, correct="none")
        half = sl.convert(network, samples(), method="max", timesteps=8, correct="none")
        half_error, plain_error = ((each.scores(samples()) - exact).abs().mean() for each in (half, plain))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.05 * errors[0] + 1e-3
    assert float(half_error) < float(plain_error)


def test_corrections_help_on_samples_they_have_not_seen() -> None:
    network, fresh = ann(), torch.rand(500, 12, generator=torch.Generator().manual_seed(9))
    with torch.no_grad():
        exact = network(fresh)
        error = {
            correct: float(
                (sl.convert(network, samples(), method="max", timesteps=3, correct=correct).scores(fresh) - exact)
                .square()
                .mean()
            )
            for correct in ("none", "bias", "weights")
        }
    assert error["bias"] < error["none"]
    assert error["weights"] < error["none"]


def test_auto_says_what_it_chose_and_why() -> None:
    data = blobs()
    network = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 4))
    sl.fit(network, data, epochs=8, progress=False, profile=None)
    chosen = sl.convert(network, data)
    said = chosen.conversion.said
    assert "fewest operations" in said and "held-out" in said and "their labels" in said
    assert str(chosen.conversion) == said and "operations_per_sample" not in repr(chosen.conversion)
    allowed = [each for each in chosen.conversion.tried if each["loss_points"] <= 0.2]
    cheapest = min(allowed, key=lambda each: each["operations_per_sample"])
    assert (chosen.conversion.method, chosen.conversion.plan.steps) == (cheapest["method"], cheapest["timesteps"])
    assert "ANN's own answers" in sl.convert(network, data.train_inputs, timesteps=4).conversion.said
    assert "nearest" in sl.convert(network, data, timesteps=4, most_loss=0).conversion.said


def test_qcfs_trains_and_needs_labels() -> None:
    data = blobs()
    network = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 4))
    sl.fit(network, data, epochs=8, progress=False, profile=None)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    tuned = sl.convert(network, data, method="qcfs", timesteps=2, epochs=3)
    plain = sl.convert(network, data, method="max", timesteps=2)

    def right(net: nn.Module) -> float:
        with torch.no_grad():
            return float((net.scores(data.test_inputs).argmax(1) == data.test_labels).float().mean())

    assert right(tuned) >= right(plain)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    with pytest.raises(InputError, match="labels"):
        sl.convert(network, data.train_inputs, method="qcfs", timesteps=2)
    with pytest.raises(InputError, match="leave correct out"):
        sl.convert(network, data, method="qcfs", timesteps=2, correct="bias")


@pytest.mark.parametrize("options", [{}, {"granularity": "channel"}, {"initial": 0.2}, {"input": "spikes"}])
def test_qcfs_does_what_it_was_asked_and_reports_its_own_thresholds(options: dict) -> None:
    """Thresholds by channel where they were asked for, and errors of what is there, not of another rule."""
    data = blobs()
    torch.manual_seed(4)
    network = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 9), nn.ReLU(), nn.Linear(9, 4))
    made = sl.convert(network, data, method="qcfs", timesteps=3, seed=5, **options)
    done, samples = made.conversion, data.train_inputs
    for each, width in zip(done.populations, (16, 9), strict=True):
        by_channel = options.get("granularity") == "channel"
        assert each.thresholds.shape == ((width,) if by_channel else ())
        assert torch.equal(done.thetas[each.name], each.thresholds)
        assert not by_channel or len(each.thresholds.unique()) > 1
    exact = F.relu(done.graph.steps["_0"].module(samples))
    first = done.populations[0]
    fired = done.counts(samples)[first.name]
    said = (fired * first.thresholds / 3 - exact).abs().sum() / exact.abs().sum()
    assert first.rate_error == pytest.approx(float(said), rel=1e-4)
    assert first.clipped == pytest.approx(float((fired == 3).float().mean()), rel=1e-4)
    assert done.correct == "none"
    torch.testing.assert_close(made.scores(samples[:20]), done.scores(samples[:20]), rtol=1e-4, atol=1e-4)


def test_the_learned_threshold_has_the_derivative_of_its_equation() -> None:
    """`d/dtheta theta/L clip(floor(z L/theta + f), 0, L)` with the floor passed through, one a channel and one a layer."""
    values = torch.tensor([[0.3, 1.7], [-0.4, 0.9], [2.6, 0.05]], requires_grad=True)
    for theta in (torch.tensor([1.1, 1.5]), torch.tensor(1.3)):
        leaf = theta.clone().requires_grad_(True)
        out = _Quantised.apply(values, leaf, 4, 0.5)
        assert torch.equal(out.detach(), quantised(values.detach(), theta, 4, 0.5))
        weights = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
        to_values, to_theta = torch.autograd.grad((out * weights).sum(), (values, leaf))
        inside = (values > 0) & (values < theta)
        each = weights * (out / theta - torch.where(inside, values / theta, 0.0))
        torch.testing.assert_close(to_theta, each.sum(0) if theta.dim() else each.sum())
        assert torch.equal(to_values, weights * inside)


class Branching(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if x.sum() > 0 else -x


@pytest.mark.parametrize(
    ("layer", "named"),
    [
        (nn.GELU(), "GELU"), (nn.LeakyReLU(), "LeakyReLU"), (nn.Sigmoid(), "Sigmoid"), (nn.LayerNorm(24), "LayerNorm"),
        (nn.Hardtanh(), "Hardtanh"), (nn.Bilinear(2, 2, 2), "Bilinear"), (nn.Softplus(), "Softplus"),
    ],
)  # fmt: skip
def test_what_has_no_counterpart_is_named_never_skipped(layer: nn.Module, named: str) -> None:
    odd = nn.Sequential(nn.Linear(12, 24), layer, nn.Linear(24, 4), nn.ReLU())
    with pytest.raises(InputError, match=named):
        sl.convert(odd, samples(), timesteps=4, method="max")


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (nn.Sequential(nn.Linear(12, 4)), "no ReLU"),
        (nn.Sequential(nn.ReLU(), nn.Flatten()), "no linear layer"),
        (
            nn.Sequential(nn.Linear(12, 4), nn.ReLU(), nn.Linear(4, 2))
            .requires_grad_(False)
            .apply(lambda layer: layer.weight.fill_(torch.nan) if isinstance(layer, nn.Linear) else None),
            "not finite",
        ),
        (sl.zoo.mlp(12, 6, 4), "spikes already"),
        (nn.Sequential(Branching(), nn.Linear(12, 4), nn.ReLU()), "traced"),
        (nn.Sequential(nn.Linear(13, 4), nn.ReLU()), "do not go through"),
    ],
)
def test_networks_that_cannot_be_converted(network: nn.Module, said: str) -> None:
    with pytest.raises(InputError, match=said):
        sl.convert(network, samples(), timesteps=4, method="max")


@pytest.mark.parametrize(
    "options",
    [
        {"timesteps": 0}, {"timesteps": 2.5}, {"initial": 1.5}, {"schedule": "never"}, {"granularity": "pixel"},
        {"input": "sound"}, {"correct": "all"}, {"timesteps": None, "method": "max"},
    ],
)  # fmt: skip
def test_wrong_options_are_one_sentence(options: dict) -> None:
    with pytest.raises(InputError):
        sl.convert(ann(), samples(), **{"timesteps": 4, "method": "max", **options})
    with pytest.raises(InputError):
        sl.convert(ann(), torch.full((4, 12), torch.nan), timesteps=4, method="max")


def test_an_ann_that_ends_in_a_relu_and_one_with_a_softmax() -> None:
    torch.manual_seed(0)
    ends = nn.Sequential(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 4), nn.ReLU())
    network = sl.convert(ends, samples(), timesteps=16, method="max")
    with torch.no_grad():
        scale = float(network.conversion.populations[-1].thresholds)
        torch.testing.assert_close(network.scores(samples()) * scale, ends(samples()), atol=0.1, rtol=0.2)
        shares = network.conversion.scores(samples()) * 16 / (scale * network.timesteps)
        torch.testing.assert_close(network.scores(samples()), shares)
    together = sl.convert(ends, samples(), timesteps=64, schedule="together", most_loss=0)
    assert min(each["divergence"] for each in together.conversion.tried) < 1e-3  # in the ANN's size, not in shares
    soft = nn.Sequential(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 4), nn.Softmax(1))
    assert "softmax" in sl.convert(soft, samples(), timesteps=4, method="max").conversion.notes[0]


def test_report_over_steps_and_its_pictures(tmp_path) -> None:
    from spikeledger.report.curves import plot_conversion_accuracy, plot_conversion_joules
    from spikeledger.study.conversions import over_steps

    data = blobs()
    network = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 4))
    sl.fit(network, data, epochs=5, progress=False, profile=None)
    layers = over_steps(network, data, timesteps=(2, 8), method="max")
    together = over_steps(network, data, timesteps=(2, 8, 2), method="max", schedule="together")  # T = 2 once
    for found in (layers, together):
        first, last = found.rows
        assert last.rate_error < first.rate_error
        assert last.joules_recomputed > last.joules > 0
        assert "pays" in found.said and found.ann_joules > 0
    assert layers.rows[1].macs == together.rows[1].macs / 8
    # the same multiplications, counted once or in every step, and priced both ways from either
    for one, other in zip(layers.rows, together.rows, strict=True):
        assert abs(one.joules - other.joules) < 0.2 * other.joules
        assert abs(one.joules_recomputed - other.joules_recomputed) < 0.2 * other.joules_recomputed
        assert one.joules < 2 * layers.ann_joules < one.joules_recomputed * 4
    for name, picture in (("a", plot_conversion_accuracy(layers)), ("b", plot_conversion_joules(layers))):
        assert picture.save(tmp_path / f"{name}.svg").read_text().startswith("<svg")


def test_up_to_which_t_it_pays_is_a_sentence_with_what_is_lost_there() -> None:
    from spikeledger.study.conversions import AtSteps, OverSteps

    rows = tuple(
        AtSteps(steps, steps, "", right, 0.1, {}, 1.0, 1.0, 1.0, once, again)
        for steps, right, once, again in ((2, 0.91, 3e-6, 4e-6), (4, 0.945, 6e-6, 9e-6), (8, 0.95, 12e-6, 20e-6))
    )
    said = OverSteps("a device", 0.95, 8e-6, rows).said
    assert "up to T = 4 with its first layer computed once (75 % of the joules, 0.50 points lost there)" in said
    assert "up to T = 2 with it computed at every step (50 % of the joules, 4.00 points lost there)" in said
    assert "pays at no T that was tried with its first layer computed once" in OverSteps("b", 0.95, 1e-6, rows).said


def test_the_commands(tmp_path, monkeypatch, capsys) -> None:
    from spikeledger.cli.app import main

    twin = sl.zoo.twin(sl.zoo.build("mlp-s", (1, 8, 8), 10))
    sl.fit(twin, sl.load_dataset("digits"), epochs=2, progress=False, profile=None)
    sl.save_network(tmp_path / "ann", twin)
    where = str(tmp_path / "ann")
    assert main(["convert", where, "--data", "digits", "--timesteps", "8", "-o", str(tmp_path / "snn"), "--over", "4,8",
                 "--pictures", str(tmp_path / "pictures")]) == 0  # fmt: skip
    assert "saved in" in capsys.readouterr().out
    assert {each.name for each in (tmp_path / "pictures").iterdir()} == {"accuracy.svg", "joules.svg"}
    assert sl.load_network(tmp_path / "snn").conversion.said.endswith("layers: 8 steps to the answer")
    assert main(["convert", where, "--data", "digits"]) == 2
    assert main(["convert", where, "--data", "digits", "--over", "4,x"]) == 2
    assert main(["robustness", f"ann={where}", f"snn={tmp_path / 'snn'}", "--data", "digits", "--samples", "40", "--noise",
                 "gaussian", "--epsilons", "0,0.2", "--json", "--pictures", str(tmp_path / "curves")]) == 0  # fmt: skip
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {row["way"] for row in rows if row["network"] == "snn" and row["kind"] == "pgd"} == {"own gradient", "rates"}
    assert main(["robustness", where, where, "--data", "digits"]) == 2
    assert main(["robustness", where, "--data", "digits", "--noise", "hum"]) == 2


def lopsided() -> tuple[nn.Sequential, torch.Tensor]:
    """Most answers hang on small activations, and a few samples have some that are fifty times larger."""
    torch.manual_seed(6)
    network = nn.Sequential(nn.Linear(10, 24), nn.ReLU(), nn.Linear(24, 8), nn.ReLU(), nn.Linear(8, 4))
    with torch.no_grad():
        network[4].weight.mul_(6)
    inputs = torch.randn(600, 10, generator=torch.Generator().manual_seed(7))
    inputs[::12] *= 50
    return network.eval(), inputs


@pytest.mark.parametrize("granularity", ["layer", "channel"])
def test_thresholds_by_the_answers_suit_small_activations_where_answers_hang_on_them(granularity: str) -> None:
    network, inputs = lopsided()
    usual, unseen = inputs[:400], inputs[400:]
    with torch.no_grad():
        own = network(unseen)
    far = {}
    for name in ("least_squares", "least_divergence"):
        made = sl.convert(network, usual, method=name, timesteps=6, granularity=granularity, correct="none")
        assert made.conversion.method == name
        far[name] = divergence(made.conversion.scores(unseen), own)
        torch.testing.assert_close(made.scores(unseen[:9]), made.conversion.scores(unseen[:9]), rtol=1e-3, atol=1e-3)
    assert far["least_divergence"] < (0.95 if granularity == "layer" else 0.5) * far["least_squares"]
    assert sl.convert(network, usual, method="least_divergence", timesteps=6).conversion.correct == "none"
    tried = sl.convert(network, usual, timesteps=6, most_loss=0).conversion.tried
    assert {(each["method"], each["correct"]) for each in tried} >= {
        ("least_divergence", "none"),
        ("least_squares", "none"),
    }


def test_a_multiple_of_least_squares_is_the_nearest_of_those_that_are_tried() -> None:
    """One population: the divergence of each multiple, computed here, has its least where the rule puts it."""
    torch.manual_seed(8)
    network = nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 3)).eval()
    inputs = 3 * torch.randn(150, 5)
    first = sl.convert(network, inputs, method="least_squares", timesteps=3, correct="none").conversion
    theta = first.populations[0].thresholds
    found = sl.convert(network, inputs, method="least_divergence", timesteps=3).conversion.populations[0].thresholds
    with torch.no_grad():
        hidden, own = network[0](inputs), network(inputs)
        far = {
            share: divergence(network[2](quantised(hidden, theta * share, 3, 0.5)), own)
            for share in (0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.85, 1.0, 1.2)
        }
    best = min(far, key=lambda share: far[share])
    assert float(found) == pytest.approx(float(theta) * best, rel=1e-5)


def test_thresholds_by_the_answers_where_branches_meet_and_caps_hold() -> None:
    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two, self.three = nn.Linear(6, 9), nn.Linear(9, 9), nn.Linear(9, 9)
            self.out = nn.Linear(18, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            a = F.relu6(self.one(x))
            b = F.relu(self.two(a) + a)
            return self.out(torch.cat([b, F.relu(self.three(a))], 1))

    torch.manual_seed(9)
    network, inputs = Branches().eval(), 20 * torch.rand(120, 6)
    made = sl.convert(network, inputs, method="least_divergence", timesteps=16)
    with torch.no_grad():
        own = network(inputs)
    assert float(made.conversion.populations[0].thresholds) <= 6
    assert divergence(made.conversion.scores(inputs), own) < 0.05
    torch.testing.assert_close(made.scores(inputs[:9]), made.conversion.scores(inputs[:9]), rtol=1e-3, atol=1e-3)
    ends = nn.Sequential(nn.Linear(6, 9), nn.ReLU(), nn.Linear(9, 3), nn.ReLU()).eval()  # the answer is a population
    assert sl.convert(ends, inputs, method="least_divergence", timesteps=8).conversion.thetas["_3"].shape == ()
