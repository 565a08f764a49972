"""What a chip's runs hear of a torch network: its populations by name, each with its constants, in a run that is heard.

A population that contains others is one, and nothing inside it is heard; what `fires` gives is sent in its place. The
constants stand in the rows of `listening.libraries`, or were declared with `@sl.neuron(chip=...)`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from ..errors import InputError
from ..listening import libraries  # noqa: F401  (its rows fill the book of neurons)
from ..listening.hooks import Ear, Listener, listen
from ..listening.neurons import Firing, NeuronKind, is_declared_by_user, kind_of, to_rest
from .mapped import CONSTANTS
from .terms import refuse

#: constants of a population that a row may give; the first three it must
_NEEDED = ("beta", "threshold", "reset")
_GIVEN = (*_NEEDED, "reset_delay", "refractory", "inclusive", "start", "window", "alpha", "rho", "strength")
_EXAMPLE = 'chip=lambda neurons: {"beta": neurons.beta, "threshold": neurons.threshold, "reset": "subtract"}'


class Hearing(Listener):
    """Follows a network's populations; `places` are the modules that run, the innermost last."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.paths = {id(module): path for path, module in network.named_modules()}
        self.places: list[str] = []
        self._inside = 0  # modules that run inside a population, itself included
        self._ear: Ear | None = None

    def fires(self, path: str, module: nn.Module, kind: NeuronKind, fired: Firing) -> Tensor | None:
        """A population sent spikes; what is returned, of the shape of `fired.sent`, goes on in their place."""

    def keeps(self, path: str, state: Tensor) -> None:
        """What a population returned beside its spikes."""

    @contextmanager
    def active(self, *, operators: bool = False) -> Iterator[None]:
        """Listen inside this block, with every population at rest before and after it."""
        to_rest(self.network)
        try:
            with listen(self, operators=operators) as self._ear:
                yield
        finally:
            to_rest(self.network)

    def entered(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        path = self.paths.get(id(module))
        if path is None or self._ear is None:
            return
        self.places.append(path)
        if self._inside or kind_of(module) is not None:
            self._inside += 1
            if self._inside == 1:
                self._ear.close()

    def left(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
        path = self.paths.get(id(module))
        if path is None or self._ear is None:
            return None
        self.places.pop()
        if not self._inside:
            return None
        self._inside -= 1
        if self._inside:
            return None
        try:
            kind = kind_of(module)
            if output is None or kind is None:  # it raised
                return None
            fired = kind.read(module, args, output)
            sent = self.fires(path, module, kind, fired)
            parts = output if isinstance(output, dict) else dict(enumerate(output)) if isinstance(output, tuple) else {}
            for state in parts.values():
                if isinstance(state, Tensor) and state is not fired.sent:
                    self.keeps(path, state)
            if sent is None or not parts:
                return sent
            changed = {key: sent if part is fired.sent else part for key, part in parts.items()}
            return changed if isinstance(output, dict) else tuple(changed.values())
        finally:
            self._ear.open()


def present(network: nn.Module, sequence: Tensor, step_by_step: bool) -> Any:
    """A network's answer to a sequence; `step_by_step` calls it once for each step `[T, ...]`, and its last answer counts."""
    if not step_by_step:
        return network(sequence)
    answer = None
    for step in range(len(sequence)):
        answer = network(sequence[step])
    return answer


def steps_first(values: Tensor, layout: str) -> Tensor:
    """Values of one call `[T, B, *N]`, as a view of the same memory."""
    return values.unsqueeze(0) if layout == "B" else values.transpose(0, 1) if layout == "BT" else values


def by_step(values: Tensor, fired: Firing) -> Tensor:
    """Values of the shape that a population sent, `[T, B, *N]`, as a view of the same memory."""
    if values.shape != fired.spikes.shape:
        squeezed = values.dim() < fired.spikes.dim()  # steps and samples are one axis; otherwise time comes last
        values = values.unflatten(0, fired.spikes.shape[:2]) if squeezed else values.movedim(-1, 0)
    return steps_first(values, fired.layout)


def constants(module: nn.Module, kind: NeuronKind, path: str, fired: Firing) -> dict[str, Any] | None:
    """Facts of a `Population`; None of an encoder.

    Raises:
        InputError: neurons that no chip here runs, or of which nobody said what a chip needs to know.
    """
    if kind.encodes:
        return None
    name = type(module).__name__
    if not fired.spiking:
        raise refuse(f"neurons '{path}' are a read-out ({name}) that sends its membrane: a chip sends spikes only")
    found = kind.chip(module) if callable(kind.chip) else kind.chip
    if found is None and is_declared_by_user(module):
        raise refuse(
            f"neurons '{path}' are {name}, and nobody said which constants they have: declare the class with "
            f"@sl.neuron({_EXAMPLE})"
        )
    if found is None:
        found = "chips here run IF, LIF, Synaptic and AdaptiveLIF, and snnTorch's Leaky and Synaptic: use one of them"
    if isinstance(found, str):
        raise refuse(f"neurons '{path}' are {name}, and {found}")
    return _checked(path, name, found)


def _checked(path: str, name: str, found: Any) -> dict[str, Any]:
    """Constants of a row, with what it left out; a tensor becomes an array that broadcasts over the neurons."""
    if not isinstance(found, dict) or set(found) - set(_GIVEN) or not set(_NEEDED) <= set(found):
        said = ", ".join(found) if isinstance(found, dict) else type(found).__name__
        raise InputError(
            f"the constants of neurons '{path}' ({name}) are {said or 'empty'}, but must be a dictionary of "
            f"{', '.join(_NEEDED)}, and of {', '.join(_GIVEN[3:])} where they have any: {_EXAMPLE}"
        )
    if found["reset"] not in ("subtract", "zero", "none"):
        raise InputError(
            f"neurons '{path}' ({name}) reset by {found['reset']!r}, but must reset by 'subtract', 'zero' or 'none'"
        )
    facts = {each: _numbers(value) for each, value in found.items() if each in CONSTANTS and value is not None}
    threshold = _numbers(found["threshold"])
    if not isinstance(threshold, float):
        raise InputError(f"neurons '{path}' ({name}) have a threshold each, but those of a population share one")
    return facts | {
        "threshold": threshold, "reset": found["reset"], "reset_delay": bool(found.get("reset_delay", False)),
        "refractory": int(found.get("refractory", 0)), "inclusive": bool(found.get("inclusive", False)),
        "window": found.get("window"),
    }  # fmt: skip


def _numbers(value: Any) -> Any:
    """A number, or an array that broadcasts over the neurons; it keeps the precision that torch computes with."""
    if not isinstance(value, Tensor):
        return float(value)
    array = value.detach().cpu().clone().numpy()  # the network's memory stays its own
    return float(array.reshape(-1)[0].item()) if array.size == 1 else array
