"""compare(ann, snn, data) -> Comparison: accuracy, operations, joules, and a verdict that survives the ranges."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from ..activity import Activity
from ..arguments import checked
from ..errors import InputError, UnpricedError, unknown_name
from ..hardware.profile import HardwareProfile
from ..ledger import events, price
from ..training.history import Fit
from .accuracy import McNemar, mcnemar
from .device_pairs import check_points, check_rate, match, pair
from .examples import Example, examples
from .matches import Match
from .one_network import Side
from .opponent import Opponents, fair_opponents
from .saved import SCHEMA, SavedComparison, Verdicts, load

if TYPE_CHECKING:
    from torch import nn

    from ..datasets import Dataset
    from ..methods import Methods
    from .equal_accuracy import EqualAccuracy
    from .widths import AtWidths, Measured

DEFAULT_PROFILES = ("horowitz-45nm", "loihi", "v100")


@dataclass(frozen=True, eq=False)
class Comparison(Verdicts):
    """An ANN against an SNN on the same samples: who is right how often, and who costs less on which device."""

    data: str  # name of the data set
    classes: tuple[str, ...]
    ann: Side
    snn: Side
    mcnemar: McNemar
    matches: tuple[Match, ...]  # one a profile or pair, in the order asked for
    rate_hz: float
    seed: int
    opponents: Opponents | None = None  # the ANN as anybody would build it; None where `fair` finds no fair price
    #: all networks of each side, where several were given; `ann` and `snn` are those of median accuracy
    anns: tuple[Side, ...] = ()
    snns: tuple[Side, ...] = ()
    #: accuracy and joules of a correct answer at the widths of each match, and of the cheapest fair opponent
    at_widths: tuple[AtWidths, ...] = ()
    #: how `ann` and `snn` were chosen among several, where networks within some points of accuracy were asked for
    equal_accuracy: EqualAccuracy | None = None
    #: how `ann` and `snn` were trained, by their names, as far as it was told
    runs: Mapping[str, Fit] = field(default_factory=dict)
    #: some of the samples, with what both networks answered; not kept in files
    examples: tuple[Example, ...] = ()

    @property
    def samples(self) -> int:
        """How many samples both networks answered."""
        return self.ann.samples

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values, with a versioned schema."""
        return {
            "schema": SCHEMA, "data": self.data, "classes": list(self.classes), "samples": self.samples,
            "seed": self.seed, "rate_hz": self.rate_hz, "ann": self.ann.to_dict(), "snn": self.snn.to_dict(),
            "mcnemar": {"only_ann": self.mcnemar.only_ann, "only_snn": self.mcnemar.only_snn, "p": self.mcnemar.p},
            "networks": {
                "ann": [one.accuracy for one in self.anns or (self.ann,)],
                "snn": [one.accuracy for one in self.snns or (self.snn,)],
            },
            "matches": [one.to_dict() for one in self.matches],
            "at_widths": [one.to_dict() for one in self.at_widths],
            "equal_accuracy": None if self.equal_accuracy is None else self.equal_accuracy.to_dict(),
            "opponents": None if self.opponents is None else self.opponents.to_dict(),
            "runs": {name: _without_times(run) for name, run in self.runs.items()},
        }  # fmt: skip

    @classmethod
    @checked
    def load(cls, path: str | os.PathLike[str]) -> SavedComparison:
        """Read what `save` or `spikeledger compare` wrote: the file, or its folder; see `SavedComparison`."""
        return load(path)

    def methods(self) -> Methods:
        """What a paper has to say of its ledgers: a paragraph, the table of prices, and their works in BibTeX."""
        from ..methods import methods

        costs = [cost for one in self.matches for cost in (one.ann, one.snn)]
        return methods(*(cost.ledger for cost in costs if cost.ledger is not None))

    def __repr__(self) -> str:
        return (
            f"Comparison({self.data}, {self.samples:,} samples: "
            f"ANN {self.ann.accuracy:.2%}, SNN {self.snn.accuracy:.2%}; "
            + " ".join(one.says for one in self.matches)
            + ")"
        )


def compare(
    ann: nn.Module | Sequence[nn.Module] | Mapping[str, nn.Module],
    snn: nn.Module | Sequence[nn.Module] | Mapping[str, nn.Module],
    data: Dataset,
    *,
    profiles: Sequence[str | HardwareProfile] = DEFAULT_PROFILES,
    samples: int | None = None,
    rate_hz: float = 1.0,
    bill: str | None = None,
    seed: int = 0,
    opponent: str | HardwareProfile | None = None,
    leave_out: Iterable[str] = (),
    allow_uncounted: bool = False,
    batch_size: int = 512,
    names: tuple[str, str] = ("ANN", "SNN"),
    distribution: str = "log-uniform",
    widths: bool = True,
    points: float | None = None,
    runs: Mapping[str, Fit] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Run both networks on the test samples of a data set, count, price and judge: `compare(ann, snn, data)`.

    Args:
        ann: an ordinary network; takes samples `[B, *N]`, gives scores `[B, classes]`. Or several that differ in
            their weights alone, such as one a seed: the verdict then holds for every pair, or says how often. With
            `points`, several of any kind, by name if given as a dictionary.
        snn: a spiking network, or several.
        data: a data set; its test samples are used.
        profiles: names, files or profiles, or `"ann_profile:snn_profile"` to price the two on different devices.
        samples: how many test samples, drawn with `seed`; all of them by default.
        rate_hz: inferences per second, for the joules of a day.
        bill: which events are charged; each profile's own by default (as-published ones always keep theirs).
        opponent: where the ANN is priced if a profile runs no ANN; by default the first one in `profiles` that does.
        distribution: how prices lie within their ranges where a probability is needed, `log-uniform` or
            `log-triangular`.
        leave_out: events that shall not be charged although they happened; every total says so.
        allow_uncounted: price although something was not counted; the totals are then lower bounds.
        widths: measure both networks' accuracy at the widths of each profile too (`study.widths`).
        points: compare one network a side, at equal accuracy: the cheapest on the first profile that is right, at that
            profile's widths, within so many percentage points of what the best of both sides reach.
        runs: what `sl.fit` gave for each network, by the network's name, `{"ANN": one, "SNN": other}`: the page draws how
            they were trained, and the file keeps it.
        progress: called with samples done and samples in all, of both networks together.

    Raises:
        InputError: networks swapped, samples that do not fit them, unknown names.
        ProfileError: a profile that does not load.
    """
    from .equal_accuracy import Candidate, cheapest
    from .observing import observe
    from .widths import Measured

    check_rate(rate_hz)
    if isinstance(profiles, (str, HardwareProfile)):
        profiles = [profiles]
    pairs = pair(profiles, opponent)
    if points is not None:
        check_points(points)
    left_out = events(leave_out)
    part = data if samples is None else data.subset(test=samples, seed=seed)
    count = len(part.test_labels)
    given = {kind: _several(side, name) for kind, side, name in zip(("ann", "snn"), (ann, snn), names, strict=True)}
    networks = {kind: list(side.values()) for kind, side in given.items()}
    for name in runs or {}:
        if all(name not in side for side in given.values()):
            raise unknown_name("network of this comparison", name, [one for side in given.values() for one in side])
    whole = count * sum(map(len, networks.values()))
    sides: dict[str, list[Side]] = {"ann": [], "snn": []}
    for kind, named in given.items():
        for label, network in named.items():
            before = count * sum(map(len, sides.values()))
            note = None if progress is None else partial(_further, progress, before, whole)
            sides[kind].append(
                observe(
                    network, part.test_inputs, part.test_labels, kind="snn" if kind == "snn" else "ann", name=label,
                    classes=len(part.classes), seed=seed, batch_size=batch_size, progress=note,
                )
            )  # fmt: skip
    anns, snns = sides["ann"], sides["snn"]
    _check_kinds(anns[0].activity, snns[0].activity)
    measure = Measured(part, batch_size=batch_size, seed=seed)
    chosen = None
    if points is not None:
        pay = partial(price, leave_out=left_out, allow_uncounted=allow_uncounted)
        found = []
        for kind, device in zip(networks, pairs[0][1:], strict=True):
            charged = None if device.as_published else bill
            found.append([
                Candidate(
                    side.name, measure(network, device.precision).accuracy,
                    pay(side.activity, device, bill=charged).joules_per_sample,
                )
                for network, side in zip(networks[kind], sides[kind], strict=True)
            ])  # fmt: skip
        chosen = cheapest(found[0], found[1], points, *pairs[0][1:])
        anns, snns = [anns[found[0].index(chosen.ann)]], [snns[found[1].index(chosen.snn)]]
    shown = [sorted(side, key=lambda one: one.correct)[len(side) // 2] for side in (anns, snns)]
    sequences = getattr(networks["snn"][0], "input_layout", "B") == "TB"
    matches = tuple(
        match(
            [one.parts for one in anns], [one.parts for one in snns], ann_device, snn_device, name=name, bill=bill,
            rate_hz=rate_hz, leave_out=left_out, allow_uncounted=allow_uncounted, distribution=distribution,
        )
        for name, ann_device, snn_device in pairs
    )  # fmt: skip
    opponents = fair(shown[0].activity, shown[1].activity, allow_uncounted=allow_uncounted)
    measured: tuple[AtWidths, ...] = ()
    if widths:
        both = [networks[kind][sides[kind].index(side)] for kind, side in zip(networks, shown, strict=True)]
        measured = tuple(_at_widths((both[0], both[1]), measure, pairs, matches, opponents))
    return Comparison(
        data=part.name, classes=tuple(part.classes), ann=shown[0], snn=shown[1],
        mcnemar=mcnemar(shown[0].right, shown[1].right), matches=matches, rate_hz=rate_hz, seed=seed,
        opponents=opponents, anns=tuple(anns), snns=tuple(snns), at_widths=measured,
        equal_accuracy=chosen, runs={one.name: runs[one.name] for one in shown if runs and one.name in runs},
        examples=examples(part.test_inputs, *shown, sequences=sequences),
    )  # fmt: skip


def _at_widths(
    networks: tuple[nn.Module, nn.Module],
    measure: Measured,
    pairs: Sequence[tuple[str, HardwareProfile, HardwareProfile]],
    matches: Sequence[Match],
    opponents: Opponents | None,
) -> Iterator[AtWidths]:
    """Both networks at the widths of every match that is no document's, and of the cheapest fair opponent."""
    from .widths import AtWidths

    for (name, *devices), one in zip(pairs, matches, strict=True):
        if one.as_published:
            continue
        ann, snn = (measure(network, device.precision) for network, device in zip(networks, devices, strict=True))
        ledgers = [cost.ledger for cost in (one.ann, one.snn)]
        yield AtWidths(name, ann, snn, *(None if ledger is None else ledger.joules_per_sample for ledger in ledgers))
    if opponents is not None:
        rows = (opponents.best, opponents.twin)
        ann, snn = (measure(net, row.ledger.profile.precision) for net, row in zip(networks, rows, strict=True))
        costs = [row.ledger.joules_per_sample for row in rows]
        yield AtWidths(f"cheapest fair opponent ({opponents.best.label})", ann, snn, *costs)


def _several(networks: nn.Module | Sequence[nn.Module] | Mapping[str, nn.Module], name: str) -> dict[str, nn.Module]:
    """The networks of a side, by what they are called in reports."""
    if isinstance(networks, Mapping):
        found = dict(networks)
    elif isinstance(networks, list | tuple):
        numbered = len(networks) > 1
        found = {f"{name} {index}" if numbered else name: one for index, one in enumerate(networks, 1)}
    else:
        found = {name: networks}  # type: ignore[dict-item]
    if not found:
        raise InputError("a side of the comparison has no network: give at least one")
    return found


def _check_kinds(ann: Activity, snn: Activity) -> None:
    """One ordinary network and one spiking one, in this order; of two alike the ledgers are compared."""
    if ann.spiking and not snn.spiking:
        raise InputError("the first network has spiking neurons and the second has none: call compare(ann, snn, data)")
    if ann.spiking == snn.spiking and not snn.uncounted:  # what was not counted may be neurons that nobody declared
        both = "both networks have spiking neurons" if snn.spiking else "neither network has spiking neurons"
        raise InputError(
            f"{both}, and compare(ann, snn, data) judges an ordinary one against a spiking one: price two alike and compare "
            "their ledgers, sl.sensitivity(sl.price(sl.record(a, x), 'loihi'), against=sl.price(sl.record(b, x), 'loihi'))",
        )


def _without_times(run: Fit) -> dict[str, Any]:
    """A training run without what it took on this machine: the same seed gives the same file."""
    told = run.to_dict()
    for row in told["history"]:
        for part in (row, row["reading"] or {}):
            part.pop("seconds", None)
    return told


def _further(progress: Callable[[int, int], None], before: int, runs: int, done: int, total: int) -> None:
    progress(before + done, runs)


def fair(ann: Activity, snn: Activity, *, allow_uncounted: bool = False) -> Opponents | None:
    """The fair opponents of a comparison, on the whole bill of their own profiles, whatever bill it was asked for.

    None where there are none: the first network is spiking or has no weights, or something was not counted and lower
    bounds were not asked for.
    """
    if ann.spiking or not ann.total("dense_op") or ((ann.uncounted or snn.uncounted) and not allow_uncounted):
        return None
    try:
        return fair_opponents(ann, snn)
    except UnpricedError:
        return None
