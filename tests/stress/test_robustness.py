"""Honest gradients, noise of all kinds, and the label of a network whose gradients are cut."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import spikeledger as sl
from spikeledger.datasets import Dataset
from spikeledger.errors import FileFormatError, InputError
from spikeledger.stress.attacks import fgsm, gradient, of_rates, pgd, straight_through
from spikeledger.stress.compare import EPSILONS, Robustness, wilson
from spikeledger.stress.faults import KINDS, dropped, injected, jittered, noisy, salt_and_pepper


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return sl.load_dataset("digits")


@pytest.fixture(scope="module")
def trained(digits: Dataset) -> dict[str, nn.Module]:
    snn = sl.zoo.build("mlp-s", digits.input_shape, 10, timesteps=6)
    sl.fit(snn, digits, epochs=6, progress=False, profile=None)
    ann = sl.zoo.twin(sl.zoo.build("mlp-s", digits.input_shape, 10))
    sl.fit(ann, digits, epochs=6, progress=False, profile=None)
    return {"ann": ann, "snn": snn, "converted": sl.convert(ann, digits, timesteps=8, method="max")}


def test_the_gradient_through_a_rate_code_is_that_of_its_mean() -> None:
    """Of a layer without a threshold the mean of straight-through gradients is the gradient of the mean, exactly."""
    torch.manual_seed(0)
    network = sl.SpikingNetwork(
        nn.Sequential(nn.Flatten(2), nn.Linear(9, 4)), encoder=sl.encoders.Rate(7), decoder=sl.decoders.RateDecoder(), timesteps=7
    )  # fmt: skip
    samples = torch.rand(5, 1, 3, 3)
    samples[:, :, 0, 0] = 1.0
    through, mean = straight_through(network), of_rates(network)
    assert through is not None and mean is not None
    leaf = samples.clone().requires_grad_(True)
    slopes = [torch.autograd.grad(score(leaf)[:, 2].sum(), leaf)[0] for score in (through, mean)]
    torch.testing.assert_close(slopes[0], slopes[1])
    assert bool((slopes[0] != 0).any())


def test_naive_stays_flat_and_says_why_and_honest_attacks_fall(trained: dict, digits: Dataset) -> None:
    found = sl.robustness(trained, digits, noise=(), epsilons=(0.0, 0.1, 0.3), samples=200)
    clean = found.clean["snn"]
    for row in found.curve("snn", "naive"):
        assert abs(row.accuracy - clean) <= 0.005
        assert "no gradient" in row.label
    assert found.worst("snn", 0.3) < clean - 0.5
    assert found.worst("ann", 0.3) < found.clean["ann"] - 0.5
    assert found.without_gradient["snn"] < 0.05
    assert not any(found.masked.values())
    assert "seemed to keep" in found.said
    for name in trained:  # who has every attack does at least what the best one does
        rows = found.curve(name, "adaptive")
        assert [row.level for row in rows] == [0.0, 0.1, 0.3]
        assert all(row.accuracy <= found.worst(name, row.level) + 1e-9 for row in rows)
        assert rows[0].accuracy == found.clean[name]  # the same draws of the encoder: they alone are no attack
        assert rows[0].label == f"of {({'ann': 4, 'snn': 10, 'converted': 9})[name]} attacks"
    ways = {row.way for row in found.rows if row.network == "snn" and row.kind == "fgsm"}
    assert {"own gradient", "rates", "atan(slope=2)", "mean of 8 draws"} <= ways
    carried = {(row.network, row.way) for row in found.rows if row.kind == "transfer"}
    assert {("ann", "made for snn"), ("snn", "made for ann"), ("converted", "made for ann")} <= carried
    for row in found.rows:
        assert 0 <= row.low <= row.accuracy <= row.high <= 1


class Cut(nn.Module):
    """The same answers, and no way back."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        return self.inner(samples.detach())


class Flattened(Cut):
    """The same answers, and a gradient that points nowhere."""

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        lost = (samples - samples.detach()).flatten(1)
        return self.inner(samples.detach()) + lost[:, :10] * 1e-3


@pytest.mark.parametrize("kind", [Cut, Flattened])
def test_a_network_whose_gradients_are_cut_is_masked_not_robust(kind: type, trained: dict, digits: Dataset) -> None:
    networks = {"cut": kind(trained["ann"]), "ann": trained["ann"]}
    found = sl.robustness(networks, digits, noise=(), epsilons=(0.2,), samples=150)
    assert found.masked["cut"]
    assert not found.masked["ann"]
    assert "masked, not robust" in found.said
    assert found.worst("cut", 0.2) == found.curve("cut", "transfer")[0].accuracy


def test_noise_of_all_kinds(trained: dict, digits: Dataset) -> None:
    found = sl.robustness(trained, digits, attacks=(), epsilons=(), samples=150)
    assert {row.kind for row in found.rows} == set(KINDS)
    assert {row.kind for row in found.rows if row.network == "ann"} == set(KINDS) - {
        "dropped",
        "jittered",
        "injected",
        "stuck",
    }
    for name in trained:
        rows = found.curve(name, "gaussian")
        assert rows[-1].accuracy < rows[0].accuracy
    again = sl.robustness(trained, digits, attacks=(), epsilons=(), samples=150)
    assert again == found


def test_what_the_kinds_of_noise_do_to_values() -> None:
    draw = torch.Generator().manual_seed(0)
    spikes = (torch.rand(40, 50, 20, generator=draw) < 0.2).float()
    assert float(dropped(spikes, 0.3, draw).sum() / spikes.sum()) == pytest.approx(0.7, abs=0.03)
    more = injected(spikes, 0.1, draw)
    assert float(more.mean()) == pytest.approx(0.2 + 0.8 * 0.1, abs=0.01)
    moved = jittered(spikes, 2, draw)
    assert set(moved.unique().tolist()) <= {0.0, 1.0}
    assert torch.equal(jittered(spikes, 0, draw), spikes)
    one = torch.zeros(9, 1, 1)
    one[4] = 1
    steps = {int(jittered(one, 2, draw).flatten().argmax()) for _ in range(60)}
    assert steps == {2, 3, 4, 5, 6}
    picture = torch.full((100, 100), 0.5)
    spoiled = salt_and_pepper(picture, 0.2, draw)
    assert float((spoiled == 1).float().mean()) == pytest.approx(0.1, abs=0.015)
    assert float((spoiled == 0).float().mean()) == pytest.approx(0.1, abs=0.015)


def test_chip_faults_leave_the_network_itself_alone(trained: dict, digits: Dataset) -> None:
    samples, draw = digits.test_inputs[:20], torch.Generator().manual_seed(1)
    with torch.no_grad():
        before = trained["converted"].scores(samples)
        for kind in ("dead", "stuck", "weight_noise", "bit_flips"):
            answer = noisy(trained["converted"], kind, 0.2, draw)
            assert answer is not None
            assert not torch.equal(answer(samples), before)
            nothing = noisy(trained["converted"], kind, 0.0, draw)
            assert nothing is not None
            torch.testing.assert_close(nothing(samples), before, atol=0.15, rtol=0.1)  # bits: 8 of them
        assert torch.equal(trained["converted"].scores(samples), before)
        silent = noisy(trained["snn"], "dead", 1.0, draw)
        assert silent is not None
        assert float(silent(samples).std()) < 0.2


class ByFunctions(nn.Module):
    """An ANN as many are written: its ReLUs are no modules, and one of them writes over its input."""

    def __init__(self, parts: nn.Sequential) -> None:
        super().__init__()
        self.parts = parts

    def forward(self, samples: Tensor) -> Tensor:
        found = nn.functional.relu(self.parts[0](samples))
        found = self.parts[2](found)
        torch.clamp_(found, min=0)
        return self.parts[4](found)


def test_units_of_an_ann_die_however_its_relus_are_written() -> None:
    torch.manual_seed(3)
    parts = nn.Sequential(nn.Linear(7, 30), nn.ReLU(), nn.Linear(30, 20), nn.ReLU(), nn.Linear(20, 4))
    shared = nn.Sequential(parts[0], parts[1], parts[2], parts[1], parts[4])
    samples = torch.rand(50, 7)
    with torch.no_grad():
        found = []
        for each in (parts, ByFunctions(parts), shared):
            answer = noisy(each, "dead", 0.4, torch.Generator().manual_seed(9))
            assert answer is not None
            found.append(answer(samples))
            assert torch.equal(answer(samples), found[-1])  # the same units at every call
        assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[2])
        draw = torch.Generator().manual_seed(9)
        alive = [torch.rand(width, generator=draw) >= 0.4 for width in (30, 20)]
        hidden = torch.relu(parts[2](torch.relu(parts[0](samples)) * alive[0])) * alive[1]
        torch.testing.assert_close(found[0], parts[4](hidden))


def test_faults_that_find_nothing_in_a_network_are_left_out_of_the_table() -> None:
    """A row that says that faults do no harm where none was made would be a lie."""

    class Product(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(6, 3))

        def forward(self, samples: Tensor) -> Tensor:
            return torch.tanh(samples) @ self.weight

    torch.manual_seed(0)
    data = torch.rand(30, 6), torch.randint(0, 3, (30,))
    found = sl.robustness({"product": Product()}, data, attacks=(), epsilons=())
    assert {row.kind for row in found.rows} == {"gaussian", "salt_and_pepper", "sign"}
    normed = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(6, 3)))
    before = [each.clone() for each in normed.parameters()]
    spoiled = noisy(normed, "weight_noise", 0.5, torch.Generator().manual_seed(1))
    assert spoiled is not None
    assert not torch.allclose(spoiled(data[0]), normed(data[0]))
    assert all(torch.equal(was, now) for was, now in zip(before, normed.parameters(), strict=True))
    single = nn.Linear(1, 1)  # one weight has no spread, and stays
    alone = noisy(single, "weight_noise", 0.5, torch.Generator().manual_seed(1))
    assert alone is not None
    assert torch.equal(alone(data[0][:, :1]), single(data[0][:, :1]))


def test_levels_that_a_kind_of_noise_cannot_have() -> None:
    ann = nn.Sequential(nn.Linear(6, 3), nn.ReLU())
    data = torch.rand(9, 6), torch.randint(0, 3, (9,))
    for kind, level, said in (
        ("gaussian", -0.1, "at least 0"), ("salt_and_pepper", 1.5, "from 0 to 1"), ("dead", 2, "from 0 to 1"),
        ("jittered", 0.5, "whole steps"), ("gausian", 0.1, "did you mean 'gaussian'"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=said):
            sl.robustness({"ann": ann}, data, noise=(), attacks=(), levels={kind: [level]})
    found = sl.robustness(
        {"ann": ann}, data, noise="gaussian", attacks="fgsm", epsilons=[0.1], levels={"gaussian": [2]}
    )
    assert [(row.kind, row.level) for row in found.rows] == [("gaussian", 2.0), ("fgsm", 0.1)]


def test_a_network_that_writes_over_its_input_changes_no_sample() -> None:
    class Over(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.out = nn.Linear(5, 3)

        def forward(self, samples: Tensor) -> Tensor:
            return self.out(samples.mul_(2).sub_(1))

    samples, labels = torch.rand(20, 5), torch.randint(0, 3, (20,))
    before = samples.clone()
    found = sl.robustness({"over": Over()}, (samples, labels), noise=(), epsilons=[0.0, 0.2], attacks=["fgsm", "pgd"])
    assert torch.equal(samples, before)
    assert found.curve("over", "fgsm")[0].accuracy == found.clean["over"]


def test_attacks_keep_within_epsilon_and_the_range() -> None:
    torch.manual_seed(0)
    ann = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3))
    samples, labels = torch.rand(40, 6), torch.randint(0, 3, (40,))
    for attack in (fgsm, pgd):
        changed = attack(ann, samples, labels, 0.07)
        assert float((changed - samples).abs().max()) <= 0.07 + 1e-6
        assert float(changed.min()) >= 0 and float(changed.max()) <= 1
    loss = nn.functional.cross_entropy(ann(samples), labels)
    assert nn.functional.cross_entropy(ann(pgd(ann, samples, labels, 0.07)), labels) > loss
    leaf = samples.clone().requires_grad_(True)
    expected = torch.autograd.grad(nn.functional.cross_entropy(ann(leaf), labels, reduction="sum"), leaf)[0]
    torch.testing.assert_close(gradient(ann, samples, labels), expected)


def test_captum_agrees() -> None:
    attack = pytest.importorskip("captum.robust")
    torch.manual_seed(0)
    ann = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3))
    samples, labels = torch.rand(40, 6), torch.randint(0, 3, (40,))
    other = attack.FGSM(ann, loss_func=nn.CrossEntropyLoss(reduction="none"), lower_bound=0, upper_bound=1)
    other.zero_thresh = 0.0
    theirs = other.perturb(samples.clone().requires_grad_(), 0.1, labels).detach()
    torch.testing.assert_close(theirs, fgsm(ann, samples, labels, 0.1))


def test_curves_and_refusals(trained: dict, digits: Dataset, tmp_path) -> None:
    from spikeledger.report.curves import plot_attacks, plot_noise

    found = sl.robustness(trained, digits, noise=("sign",), epsilons=(0.0, 0.2), samples=60, attacks=("naive", "fgsm"))
    for name, picture in (("noise", plot_noise(found, "sign")), ("attacks", plot_attacks(found, "snn"))):
        assert "naive" in picture.svg() or name == "noise"
        assert picture.save(tmp_path / f"{name}.svg").exists()
    assert tuple(round(0.05 * k, 2) for k in range(21)) == EPSILONS
    for options in ({"noise": ("hum",)}, {"attacks": ("wish",)}, {"epsilons": (1.5,)}, {"samples": 0}):
        with pytest.raises(InputError):
            sl.robustness(trained, digits, **{"epsilons": (0.1,), "noise": (), **options})
    quiet = sl.robustness(
        trained, digits, noise=("sign",), levels={"sign": (0.1,)}, attacks=(), epsilons=(), samples=20
    )
    assert "no honest attack was made" in quiet.said
    with pytest.raises(InputError, match="none was given"):
        sl.robustness({}, digits)
    with pytest.raises(InputError, match="normalisation"):
        sl.robustness(trained, (torch.randn(5, 1, 8, 8), torch.zeros(5, dtype=torch.long)))


@pytest.mark.parametrize("told", [{}, [], {"rows": [{"network": "a"}]}, {"rows": 3}])
def test_what_is_no_result_is_one_sentence(told: object) -> None:
    with pytest.raises(FileFormatError, match=r"no result of robustness .*give what Robustness.to_dict\(\) made"):
        Robustness.from_dict(told)  # type: ignore[arg-type]


def test_the_interval_is_wilsons() -> None:
    low, high = wilson(0.9, 100)
    assert (low, high) == (pytest.approx(0.8256, abs=1e-4), pytest.approx(0.9448, abs=1e-4))
    assert wilson(1.0, 50)[1] == pytest.approx(1)
    assert wilson(0.0, 50)[0] == 0


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        (lambda h: (h, h), "gives a tuple for 2 samples"),
        (lambda h: h.argmax(1), r"gives int64 \[2\] for 2 samples"),
        (lambda h: (10 * h).long(), r"gives int64 \[2, 3\] for 2 samples"),
        (lambda h: h[:1], r"gives float32 \[1, 3\] for 2 samples"),
        (lambda h: h[:, :, None, None], r"gives float32 \[2, 3, 1, 1\]"),
        (lambda h: h / 0, "scores that are not finite"),
    ],
)
def test_what_is_no_score_is_told_before_the_first_attack(answers: Callable[[Tensor], object], sentence: str) -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = nn.Linear(4, 3)

        def forward(self, x: Tensor) -> object:
            return answers(self.last(x))

    with pytest.raises(InputError, match=sentence):
        sl.robustness({"own": Own()}, (torch.rand(6, 4), torch.tensor([0, 1, 2, 0, 1, 2])), noise=(), epsilons=(0.1,))
