"""Two live networks as a server shows them: the page, and what both did with the samples that were asked for lately."""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor

from .messages import Asked
from .page import live_page
from .stage import SIDES, Stage, likely_kinds
from .takes import Take, inline

#: takes that are kept for whoever asks next
_KEPT = 512
#: samples that the page asks for by their place
_SAMPLES = 120


class Theatre:
    """Both networks, what they did lately, and the page: everything that does not depend on how it is served."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.version = 0
        self.prices = 0  # how often bills were made anew
        self._chosen = stage.chosen(_SAMPLES)
        self._kept: OrderedDict[tuple[Any, ...], str] = OrderedDict()
        shown = [stage.data.test_inputs[int(at)] for at in self._chosen[:4]]
        self._takes = {side: [stage.take(side, one, 0) for one in shown] for side in SIDES}
        self._kinds = {side: likely_kinds(self._takes[side]) for side in SIDES}
        self._document = stage.document("remote", len(self._chosen), self._takes, self._kinds)
        self._page = (0, live_page(self._document, connect=True))

    @property
    def pixels(self) -> int:
        """Numbers of a drawing; 0 if these networks read none."""
        return int(self.stage.data.test_inputs[0].numel()) if self.stage.drawable else 0

    @property
    def samples(self) -> int:
        """Samples that can be asked for."""
        return len(self._chosen)

    def page(self) -> str:
        """The page, with the accuracy of the networks as they are now."""
        if self._page[0] != self.version + self.prices:
            number = self.version + self.prices
            self.stage.measure(self._document)
            self._page = (number, live_page(self._document, connect=True))
        return self._page[1]

    def prices_message(self) -> str:
        """All bills."""
        return json.dumps({"kind": "prices", "prices": self._document.values["prices"]}, ensure_ascii=False)

    def take_message(self, question: Asked) -> str:
        """What both networks did, recorded now or lately."""
        sides = ", ".join(f'"{side}": {self._side(side, question)}' for side in SIDES)
        return f'{{"kind": "take", "turn": {question.turn}, {sides}}}'

    def _side(self, side: str, question: Asked) -> str:
        # an ordinary network draws no numbers
        key = (self.version, side, question.sample, question.pixels, question.seed if side == "snn" else 0)
        found = self._kept.get(key)
        if found is None:
            one = self.stage.take(side, self._sample(question), key[-1])
            self._priced(side, one)
            found = self._kept[key] = json.dumps(one.plain(inline), separators=(",", ":"), allow_nan=False)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return found

    def _sample(self, question: Asked) -> Tensor:
        inputs = self.stage.data.test_inputs
        if question.pixels:
            return torch.tensor(question.pixels, dtype=torch.float32).reshape(inputs.shape[1:])
        return inputs[int(self._chosen[question.sample])]

    def _priced(self, side: str, one: Take) -> None:
        """Make bills for classes of inputs that nobody has had yet."""
        if one.kinds() <= self._kinds[side]:
            return
        self._kinds[side] |= one.kinds()
        self._document.values["prices"] = self.stage.prices(self._takes, self._kinds)
        self.prices += 1

    def changed(self) -> None:
        """The networks have other weights now."""
        self.version += 1
        self._kept.clear()
