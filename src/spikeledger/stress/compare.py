"""`robustness(networks, data) -> Robustness`: ANN, SNN and converted on the same samples, under noise, faults and attacks.

An attack with no gradient is not an attack: the *naive* row takes what torch gives through a random encoder, which is
nothing, and is labelled so; the honest rows go straight through, average draws, use rates, swap the surrogate, or carry over
what was made for another network; an *adaptive* attacker has all of them, and takes for each sample the one that works. A
network is called *masked* where its own gradients say less than somebody else's, or say nothing: that is no robustness.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..datasets import Dataset
from ..errors import FileFormatError, InputError, by_torch, retold, unknown_name
from ..networks.spiking import SpikingNetwork
from .attacks import Score, fgsm, pgd, scores, straight_through, ways, without_gradient
from .faults import KINDS, check_levels, has_meaning, noisy

#: 0 to 1 in steps of 0.05, and finer where networks really fall
EPSILONS = tuple(round(0.05 * k, 2) for k in range(21))
ATTACKS = ("naive", "fgsm", "pgd", "transfer")
#: what each kind of noise is tried at
LEVELS: dict[str, tuple[float, ...]] = {
    "gaussian": (0.1, 0.2, 0.3, 0.5), "salt_and_pepper": (0.02, 0.05, 0.1, 0.2), "sign": (0.05, 0.1, 0.15, 0.2),
    "dropped": (0.1, 0.3, 0.5), "jittered": (1, 2, 4), "injected": (0.01, 0.05, 0.1), "dead": (0.05, 0.1, 0.2),
    "stuck": (0.01, 0.05, 0.1), "weight_noise": (0.1, 0.3, 0.5), "bit_flips": (0.001, 0.01, 0.05),
}  # fmt: skip
_EOT = 8  # draws of an averaged gradient
_MASKED_SHARE = 0.1  # samples without a gradient, above which a network is masked
_MASKED_POINTS = 0.05  # by which its own gradient may do less than a transferred one
_BATCH = 500


@dataclass(frozen=True)
class Row:
    """How often a network is right under one thing at one level, with the 95 % interval of so many samples (Wilson)."""

    network: str
    kind: str  # of noise, or of the attack
    way: str  # to its gradient
    level: float
    accuracy: float
    low: float
    high: float
    label: str = ""


@dataclass(frozen=True)
class Robustness:
    """Rows, and of each network its accuracy, the share of samples without a gradient, and whether it is masked."""

    rows: tuple[Row, ...]
    samples: int
    clean: Mapping[str, float]
    without_gradient: Mapping[str, float]
    masked: Mapping[str, str]  # why; "" where it is not

    def curve(self, network: str, kind: str, way: str = "") -> list[Row]:
        """The rows of one curve, by level."""
        found = [row for row in self.rows if (row.network, row.kind) == (network, kind) and way in ("", row.way)]
        return sorted(found, key=lambda row: row.level)

    def worst(self, network: str, level: float) -> float:
        """The lowest accuracy of any honest attack at a level: the minimum over ways, surrogates and transfer."""
        found = [row.accuracy for row in self.rows if row.network == network and row.level == level and _honest(row)]
        if not found:
            raise InputError(f"no attack on '{network}' was made at {level:g}")
        return min(found)

    @property
    def said(self) -> str:
        """One sentence on who stands better, at the smallest epsilon at which anybody lost a third."""
        levels = sorted({row.level for row in self.rows if _honest(row) and row.level > 0})
        for level in levels:
            worst = {name: self.worst(name, level) for name in self.clean}
            if min(worst.values()) < min(self.clean.values()) * 2 / 3:
                told = ", ".join(f"{name} {100 * value:.1f} %" for name, value in worst.items())
                naive = [row for row in self.rows if row.kind == "naive" and row.level == level]
                flat = "".join(
                    f"; without a gradient through its encoder {row.network} seemed to keep {100 * row.accuracy:.1f} %"
                    for row in naive
                )
                masked = "".join(f"; {name} is masked, not robust" for name, why in self.masked.items() if why)
                return f"under the worst attack of {level:g} on {self.samples:,} samples: {told}{flat}{masked}."
        if not levels:
            return "no honest attack was made on these networks."
        return "no attack took a third of the answers from any of these networks."

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Robustness:
        """What `to_dict` gave.

        Raises:
            FileFormatError: not such a dictionary.
        """
        try:
            rows = tuple(Row(**row) for row in told["rows"])
            return cls(rows, told["samples"], told["clean"], told["without_gradient"], told["masked"])
        except (KeyError, TypeError) as error:
            raise FileFormatError(
                f"this is no result of robustness ({error!r}): give what Robustness.to_dict() made"
            ) from error

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as files and JSON hold them."""
        return {
            "samples": self.samples, "clean": dict(self.clean), "without_gradient": dict(self.without_gradient),
            "masked": dict(self.masked), "said": self.said, "rows": [asdict(row) for row in self.rows],
        }  # fmt: skip


def robustness(
    networks: Mapping[str, nn.Module],
    data: Dataset | tuple[Tensor, Tensor],
    *,
    noise: Iterable[str] = KINDS,
    attacks: Sequence[str] = ATTACKS,
    epsilons: Sequence[float] = EPSILONS,
    levels: Mapping[str, Sequence[float]] | None = None,
    samples: int = 1000,
    draws: int = 1,
    seed: int = 0,
) -> Robustness:
    """How networks answer under noise, faults and attacks, all on the same samples.

    Args:
        networks: each by name: ANNs, spiking networks, converted ones; inputs in [0, 1].
        data: a data set, whose first test samples are taken, or samples `[B, *N]` and labels.
        noise: kinds of `KINDS`; those that have no meaning for a network are left out for it.
        attacks: `naive`, `fgsm`, `pgd` (10 steps) and `transfer`, from each network to each other.
        epsilons: largest change of a value that attacks may make.
        levels: of each kind of noise, in place of `LEVELS`.
        draws: fresh draws of an encoder that an accuracy is the mean of.

    Raises:
        InputError: a name, a level or samples that cannot be used.
    """
    inputs, labels = _samples(data, samples)
    if draws < 1:
        raise InputError(f"{draws} draws were asked for, but an accuracy is the mean of at least 1")
    noise = (noise,) if isinstance(noise, str) else tuple(noise)
    attacks = (attacks,) if isinstance(attacks, str) else attacks
    tried = {**LEVELS, **(levels or {})}
    for kind in (*noise, *tried):
        if kind not in KINDS:
            raise unknown_name("kind of noise", kind, KINDS)
        check_levels(kind, tried[kind])
    for each in attacks:
        if each not in ATTACKS:
            raise unknown_name("attack", each, ATTACKS)
    for epsilon in epsilons:
        if not 0 <= epsilon <= 1:
            raise InputError(f"an attack of {epsilon} was asked for, but values lie in [0, 1], and so must it")
    modes = [(part, part.training) for each in networks.values() for part in each.modules()]
    try:
        return _tried(_Run(dict(networks), inputs, labels, draws, seed), noise, attacks, epsilons, tried)
    finally:
        for part, training in modes:
            part.training = training


def _tried(
    run: _Run,
    noise: Iterable[str],
    attacks: Sequence[str],
    epsilons: Sequence[float],
    levels: Mapping[str, Sequence[float]],
) -> Robustness:
    for kind in noise:
        for level in levels[kind]:
            run.disturb(kind, float(level))
    for epsilon in epsilons:
        run.attack(attacks, float(epsilon))
    return run.result(attacks)


def _samples(data: Any, count: int) -> tuple[Tensor, Tensor]:
    if count < 1:
        raise InputError(f"{count} samples were asked for, but at least 1 is needed")
    inputs, labels = (data.test_inputs, data.test_labels) if isinstance(data, Dataset) else data
    inputs, labels = inputs[:count], labels[:count]
    if not len(inputs) or len(inputs) != len(labels):
        raise InputError(f"{len(inputs)} samples came with {len(labels)} labels")
    if float(inputs.min()) < 0 or float(inputs.max()) > 1:
        raise InputError(
            f"samples lie in [{float(inputs.min()):g}, {float(inputs.max()):g}], but attacks and noise keep to [0, 1]: put the "
            "normalisation into the network"
        )
    return inputs, labels


class _Run:
    def __init__(self, networks: dict[str, nn.Module], inputs: Tensor, labels: Tensor, draws: int, seed: int) -> None:
        if not networks:
            raise InputError("robustness compares networks, and none was given")
        self.networks = {name: each.eval() for name, each in networks.items()}
        self.inputs, self.labels, self.draws, self.seed = inputs, labels, draws, seed
        self.rows: list[Row] = []
        self.ways: dict[str, list[tuple[str, Score]]] = {name: list(ways(each)) for name, each in networks.items()}
        self.clean = {name: self._clean(name, each) for name, each in networks.items()}
        part = inputs[:_BATCH], labels[:_BATCH]
        self.silent = {
            name: without_gradient(found[0][1], *part) if found else 1.0 for name, found in self.ways.items()
        }

    def _reseed(self, network: nn.Module, more: int) -> None:
        if isinstance(network, SpikingNetwork):
            network.reseed(self.seed + more)

    def _clean(self, name: str, network: nn.Module) -> float:
        """The first that each network is asked: samples or labels that are not made for it are told here."""
        found: Any = None
        asked = self.inputs[:2]
        try:
            with torch.no_grad():
                found = scores(network, asked)
        except RuntimeError as error:
            if not by_torch(error):
                raise
            raise InputError(
                f"'{name}' cannot take samples of shape {list(self.inputs.shape[1:])} ({retold(error)}): give samples "
                "that it was made for"
            ) from error
        given = f"{found.dtype} {list(found.shape)}" if isinstance(found, Tensor) else f"a {type(found).__name__}"
        if (
            not isinstance(found, Tensor)
            or found.dim() != 2
            or len(found) != len(asked)
            or not found.is_floating_point()
        ):
            raise InputError(
                f"'{name}' gives {given.removeprefix('torch.')} for {len(asked)} samples, and robustness needs floating-point "
                "scores [B, classes]"
            )
        classes = found.shape[1]
        if not bool(found.isfinite().all()):
            raise InputError(f"'{name}' gives scores that are not finite: no attack has a gradient through them")
        if int(self.labels.min()) < 0 or int(self.labels.max()) >= classes:
            raise InputError(
                f"labels go from {int(self.labels.min())} to {int(self.labels.max())}, but '{name}' answers {classes} classes"
            )
        return float(self._right(network, self.inputs).double().mean())

    def _right(self, network: nn.Module, inputs: Tensor, answer: Any = None) -> Tensor:
        """How often each sample's answer is right, `[B]`, the mean of fresh draws."""
        total = torch.zeros(len(inputs))
        with torch.no_grad():
            for draw in range(self.draws):
                self._reseed(network, 1000 + draw)
                found = [scores(network, part) if answer is None else answer(part) for part in inputs.split(_BATCH)]
                total += torch.cat(found).argmax(1) == self.labels
        return total / self.draws

    def _note(self, network: str, kind: str, way: str, level: float, right: Tensor, label: str = "") -> None:
        accuracy = float(right.double().mean())
        low, high = wilson(accuracy, len(self.inputs))
        self.rows.append(Row(network, kind, way, level, accuracy, low, high, label))

    def disturb(self, kind: str, level: float) -> None:
        """One kind of noise, at one level, for every network that it means something to."""
        for name, network in self.networks.items():
            if not has_meaning(network, kind, self.inputs):
                continue
            answer = noisy(network, kind, level, torch.Generator().manual_seed(self.seed))
            if answer is not None:
                self._note(name, kind, "", level, self._right(network, self.inputs, answer))

    def attack(self, attacks: Sequence[str], epsilon: float) -> None:
        """Every attack of one epsilon."""
        made: dict[str, Tensor] = {}
        stood: dict[str, list[Tensor]] = {name: [] for name in self.networks}

        def honest(name: str, kind: str, way: str, changed: Tensor) -> None:
            stood[name].append(self._right(self.networks[name], changed))
            self._note(name, kind, way, epsilon, stood[name][-1])

        for name, network in self.networks.items():
            if "naive" in attacks and _random(network):
                changed = self._each(lambda x, y, n=network: fgsm(lambda z: scores(n, z), x, y, epsilon))
                same = bool((changed == self.inputs).all())
                label = "no gradient reaches the input, so nothing was changed" if same else "as torch gives it"
                self._note(name, "naive", "none", epsilon, self._right(network, changed), label)
            for way, score in self.ways[name]:
                if "fgsm" in attacks:
                    self._reseed(network, 0)
                    changed = self._each(lambda x, y, s=score: fgsm(s, x, y, epsilon))
                    made.setdefault(name, changed)
                    honest(name, "fgsm", way, changed)
                if "pgd" in attacks and way in ("own gradient", "rates"):
                    self._reseed(network, 0)
                    changed = self._each(lambda x, y, s=score: pgd(s, x, y, epsilon))
                    honest(name, "pgd", way, changed)
            through = straight_through(network)
            if "fgsm" in attacks and _random(network) and through is not None:
                self._reseed(network, 0)
                changed = self._each(lambda x, y, s=through: fgsm(s, x, y, epsilon, draws=_EOT))
                honest(name, "fgsm", f"mean of {_EOT} draws", changed)
        if "transfer" in attacks:
            for source in self.networks:
                if source not in made and self.ways[source]:
                    score = self.ways[source][0][1]
                    made[source] = self._each(lambda x, y, s=score: fgsm(s, x, y, epsilon))
                for target in self.networks:
                    if target != source and source in made:
                        honest(target, "transfer", f"made for {source}", made[source])
        for name, found in stood.items():
            if len(found) > 1:
                worst = torch.stack(found).amin(0)
                self._note(name, "adaptive", "each sample's worst", epsilon, worst, f"of {len(found)} attacks")

    def _each(self, change: Any) -> Tensor:
        parts = zip(self.inputs.split(_BATCH), self.labels.split(_BATCH), strict=True)
        return torch.cat([change(part, truth) for part, truth in parts])

    def result(self, attacks: Sequence[str]) -> Robustness:
        """Everything, with who is masked."""
        masked = {name: self._why(name) if set(attacks) - {"naive"} else "" for name in self.networks}
        return Robustness(tuple(self.rows), len(self.inputs), self.clean, self.silent, masked)

    def _why(self, name: str) -> str:
        share = self.silent[name]
        if share > _MASKED_SHARE:
            return f"{100 * share:.0f} % of the samples have no gradient at all"
        for level in sorted({row.level for row in self.rows if row.kind == "transfer"}):
            own = [r.accuracy for r in self.rows if (r.network, r.level) == (name, level) and r.kind in ("fgsm", "pgd")]
            carried = [r for r in self.rows if (r.network, r.level, r.kind) == (name, level, "transfer")]
            for row in carried:
                if own and row.accuracy < min(own) - _MASKED_POINTS:
                    return (
                        f"at {level:g} what was {row.way} leaves {100 * row.accuracy:.1f} % right, and its own gradients "
                        f"{100 * min(own):.1f} %"
                    )
        return ""


def _random(network: nn.Module) -> bool:
    """Whether an encoder stands between the samples and the layers through which torch sends no gradient."""
    return (
        isinstance(network, SpikingNetwork)
        and network.encoder is not None
        and bool(getattr(network.encoder, "generator", None) is not None)
    )


def _honest(row: Row) -> bool:
    return row.kind in ("fgsm", "pgd", "transfer")


def wilson(share: float, count: int, z: float = 1.959964) -> tuple[float, float]:
    """The 95 % interval of a share of `count` samples (Wilson 1927, doi:10.1080/01621459.1927.10502953)."""
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, middle - half), min(1.0, middle + half)
