"""Any two networks on show: what either does with a sample, and the page's document of them, recorded or asked live."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .. import __version__
from ..activity import Activity
from ..datasets import Dataset
from ..errors import InputError
from ..hardware.profile import HardwareProfile
from .answering import answering
from .bills import all_bills
from .document import SCHEMA, Document, framing
from .slopes import classes
from .takes import Take, take

#: samples that a page shows of recordings, and of how many the accuracy is told
RECORDED, TESTED = 40, 1000
#: pictures are bytes
_LEVELS = 255
SIDES = ("ann", "snn")
#: of so many classes of inputs, all are priced beforehand
FEW = 16
#: of each side, the classes that its weighted layers' inputs can have
Kinds = Mapping[str, set[tuple[str, ...]]]


@dataclass(frozen=True, eq=False)
class Stage:
    """An ordinary and a spiking network, and data whose test samples they read; both are left as they are.

    Takes of one network run one after the other, whichever thread asks.
    """

    ann: nn.Module
    snn: nn.Module
    data: Dataset
    names: tuple[str, str] = ("ANN", "SNN")
    profiles: Sequence[str | HardwareProfile] = ()
    catalogue: Sequence[str] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "_busy", {side: threading.Lock() for side in SIDES})
        for side, name in zip(SIDES, self.names, strict=True):
            one = self.take(side, self.data.test_inputs[0], self.seed)
            if one.activity.spiking != (side == "snn"):
                raise InputError(
                    "the page shows an ordinary network against a spiking one: give ann and snn in this order"
                )
            if one.scores.shape[1] != len(self.data.classes):
                raise InputError(
                    f"{name} answers {one.scores.shape[1]} classes, but '{self.data.name}' has {len(self.data.classes)}"
                )

    def network(self, side: str) -> nn.Module:
        """One of both, `ann` or `snn`."""
        return self.ann if side == "ann" else self.snn

    def take(self, side: str, sample: Tensor, seed: int) -> Take:
        """What a network does with one sample `[*N]`."""
        busy: Mapping[str, threading.Lock] = self._busy  # type: ignore[attr-defined]
        with busy[side]:
            return take(self.network(side), sample, seed=seed)

    def chosen(self, shown: int) -> NDArray[np.int64]:
        """Test samples that are shown, drawn with the seed."""
        return np.random.default_rng(self.seed).permutation(len(self.data.test_labels))[:shown]

    @property
    def drawable(self) -> bool:
        """Whether a drawing is a sample: grey pictures `[height, width]` or `[1, height, width]` of values in 0..1."""
        inputs = self.data.test_inputs
        flat = inputs.dim() == 3 or (inputs.dim() == 4 and inputs.shape[1] == 1)
        return flat and float(inputs.min()) >= 0 and float(inputs.max()) <= 1

    def document(self, engine: str, shown: int, takes: Mapping[str, Sequence[Take]], kinds: Kinds) -> Document:
        """What a page holds: samples, accuracies, and bills for these classes of inputs."""
        document = Document({"schema": SCHEMA, "version": __version__, "engine": engine})
        for side, name in zip(SIDES, self.names, strict=True):
            first = takes[side][0]
            document.values[side] = {
                "label": name, "names": list(first.activity.layers), "timesteps": first.timesteps, "layers": [],
                "fans": {layer: document.place(row.astype(np.int32)) for layer, row in _fans(first.activity)},
                "undrawn": first.undrawn(),
            }  # fmt: skip
        self.measure(document)
        for side, name in zip(SIDES, self.names, strict=True):
            told = document.values[side]
            document.notes.append(f"{name}: {100 * told['after']:.2f} % of {told['tested']:,} test samples right")
        document.values["data"] = self._samples(document, shown)
        document.values["prices"] = self.prices(takes, kinds)
        return document

    def measure(self, document: Document) -> None:
        """Put into a document how often both networks are right, on some samples of the test set."""
        labels = self.data.test_labels
        rows = torch.from_numpy(np.sort(np.random.default_rng(self.seed + 1).permutation(len(labels))[:TESTED]))
        busy: Mapping[str, threading.Lock] = self._busy  # type: ignore[attr-defined]
        for side in SIDES:
            with busy[side]:
                found = answering(self.network(side), self.data.test_inputs[rows], labels[rows], seed=self.seed)
            document.values[side] |= {"before": found.accuracy, **found.plain()}

    def become(self, side: str, weights: Mapping[str, Tensor]) -> None:
        """Give a network other weights, between two takes."""
        busy: Mapping[str, threading.Lock] = self._busy  # type: ignore[attr-defined]
        with busy[side]:
            self.network(side).load_state_dict({name: value.detach().clone() for name, value in weights.items()})

    def prices(self, takes: Mapping[str, Sequence[Take]], kinds: Kinds) -> dict[str, Any]:
        """All bills for these classes of inputs of the weighted layers; of the takes the facts of the layers are read."""
        first = (takes[side][0].activity for side in SIDES)
        return all_bills(*first, profiles=self.profiles, catalogue=self.catalogue, kinds=kinds)

    def _samples(self, document: Document, shown: int) -> dict[str, Any]:
        chosen = self.chosen(shown)
        pictures = pictures_of(self.data.test_inputs[torch.from_numpy(chosen)])
        return {
            "name": self.data.name, "classes": list(self.data.classes), "height": pictures.shape[1],
            "width": pictures.shape[2], "levels": _LEVELS, **framing(pictures), "count": len(chosen),
            "labels": self.data.test_labels.numpy()[chosen].tolist(), "pixels": document.place(pictures),
            "drawable": self.drawable,
        }  # fmt: skip


def replay(
    ann: nn.Module, snn: nn.Module, data: Dataset, *, profiles: Sequence[str | HardwareProfile] = (), seed: int = 0,
    shown: int = RECORDED, names: tuple[str, str] = ("ANN", "SNN"), catalogue: Sequence[str] | None = None,
) -> Document:  # fmt: skip
    """The document of recordings: any two networks that `sl.compare` takes, convolutions and other libraries' too.

    Args:
        data: its test samples are shown (`shown` of them, drawn with `seed`).
        profiles: besides those of the catalogue.
        catalogue: names of the catalogue's profiles; all of them by default.

    Raises:
        InputError: networks that answer no score a class, or in another order.
        UncountedError: what was not counted in a run.
    """
    stage = Stage(ann, snn, data, names, profiles, catalogue, seed)
    chosen = [data.test_inputs[int(index)] for index in stage.chosen(shown)]
    takes = {side: [stage.take(side, one, seed + place) for place, one in enumerate(chosen)] for side in SIDES}
    document = stage.document("replay", shown, takes, {side: kinds_of(takes[side]) for side in SIDES})
    document.values["takes"] = [
        {side: one.plain(document.place) for side, one in zip(SIDES, pair, strict=True)}
        for pair in zip(*takes.values(), strict=True)
    ]
    document.notes.append(f"{len(chosen)} recordings of each network are in the page")
    return document


def kinds_of(takes: Sequence[Take]) -> set[tuple[str, ...]]:
    """The classes that the inputs of the weighted layers had in these takes, after any step."""
    return set().union(*(one.kinds() for one in takes))


def likely_kinds(takes: Sequence[Take]) -> set[tuple[str, ...]]:
    """The same, and what another sample may bring: every class where there are few, else silence from any layer on."""
    found = kinds_of(takes)
    every = classes(takes[0].activity)
    if len(every) <= FEW:
        return found | set(every)
    for one in tuple(found):
        found |= {(*one[:place], *("silent",) * (len(one) - place)) for place in range(len(one) + 1)}
    return found


def pictures_of(samples: Tensor) -> NDArray[np.uint8]:
    """Samples as grey pictures `uint8 [samples, height, width]`: the means over all other axes, from the least to the most.

    Values in 0..1 stay what they are. A sample without height and width is folded to a picture nearly square.
    """
    plain = samples.double().cpu().numpy()
    if plain.ndim == 2:
        width = int(np.ceil(np.sqrt(plain.shape[1])))
        short = -plain.shape[1] % width
        plain = np.pad(plain, ((0, 0), (0, short))).reshape(len(plain), -1, width)
    plain = plain.mean(axis=tuple(range(1, plain.ndim - 2)))
    if plain.min() < 0 or plain.max() > 1 or plain.max() == 0:
        low, high = plain.min((1, 2), keepdims=True), plain.max((1, 2), keepdims=True)
        plain = (plain - low) / np.where(high > low, high - low, 1)
    return np.rint(plain * _LEVELS).astype(np.uint8)


def _fans(activity: Activity) -> list[tuple[str, NDArray[np.int64]]]:
    """Synapses that leave each place, of layers behind a population that is drawn."""
    from .takes import MOST_DRAWN

    return [(name, row.ravel()) for name, row in activity.fan_outs.items() if row.size <= MOST_DRAWN]
