"""From the books to an `Activity`: fan-outs are multiplied, samples and steps are found and checked."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

from ..activity import Activity, Counts, Layer, Tally, Uncounted
from ..errors import InputError
from ..listening.neurons import is_declared, is_neuron
from ..listening.parameters import not_numbers
from .books import Books


class Seen(NamedTuple):
    """What was seen of samples and steps: whether somebody told where they begin, the rows that arrived at each module
    that was called from outside, and the neurons of which nobody knows whether a call went on."""

    told: bool
    rows: dict[str, int]
    unsure: set[str]


def statement(books: Books, network: nn.Module, samples: int | None, timesteps: int | None, seen: Seen) -> Activity:
    """Everything in the books as one account; the books can go on afterwards."""
    for account in list(books.synapses.values()):
        try:
            account.settle()
        except Exception as error:  # what cannot be multiplied is named, never zero
            books.miss(account.operator, f"its fan-out failed: {type(error).__name__}: {error}", place=account.name)
            account.drop()
    samples, timesteps = _extent(books, samples, timesteps, seen)
    layers: dict[str, Layer] = {}
    tallies: dict[tuple[str, str], Tally] = {}
    nonzero: dict[str, int] = {}

    def add(layer: str, event: str, count: int, rows: Counts | None = None) -> None:
        # of a population none is 0, and not unknown
        if count or event == "spike" or (event == "active_update" and layers[layer].spiking):
            array = None if rows is None else rows.ravel()
            tallies[layer, event] = Tally(layer, event, int(count), array)

    folds = _folds(books)
    folded = {pool for name, one in books.synapses.items() if folds[name] for pool in one.pools}
    fans: dict[str, Counts] = {}
    free = books.read_out.free()
    for name in books.order:
        closed: list[tuple[Layer, list[tuple[str, int, Counts | None]]]] = []
        if name in books.populations:
            closed.append(books.populations[name].close())
        if name in books.synapses:
            one = books.synapses[name]
            closed.append(one.close(folds=folds[name], spikes=bool(books.populations)))
            fan = one.folded_fans if folds[name] else one.fans
            if fan is not None:
                fans[name] = fan
        if name in books.pairs:
            closed.append(books.pairs[name].close(rows=samples * timesteps))
        for layer, events in closed:
            layers[name] = layer
            for event, count, rows in events:
                add(name, event, count, rows)
        for (place, event), pointwise in books.pointwise.items():
            if place == name and not (event == "pool_read" and place in folded):
                count = pointwise.count - (free.get(name, 0) if event == "elementwise" else 0)
                if count or pointwise.count == 0:
                    layers.setdefault(name, Layer(name, pointwise.operator, outputs=pointwise.outputs))
                add(name, event, count)
                if event == "activation":
                    nonzero[name] = pointwise.nonzero
    sent = [(name, one) for name, one in books.populations.items() if one.spiking]
    return Activity(
        layers_by_name=layers, tallies=tallies, samples=samples, timesteps=timesteps,
        uncounted=_uncounted(books, network),
        spikes_per_step={name: one.per_step for name, one in sent},
        rasters={name: one.raster_array() for name, one in sent},
        backend="reference", pooling=books.pooling, fan_outs=fans, nonzero_activations=nonzero,
    )  # fmt: skip


def _folds(books: Books) -> dict[str, bool]:
    """Which layers fold the poolings before them: a pooling folds away only if all that read it fold it."""
    spoilt = set(books.unfolded)
    while True:
        found = {name: one.folds and not one.pools & spoilt for name, one in books.synapses.items()}
        more = {pool for name, one in books.synapses.items() if not found[name] for pool in one.pools} - spoilt
        if not more:
            return found
        spoilt |= more


def _extent(books: Books, samples: int | None, timesteps: int | None, seen: Seen) -> tuple[int, int]:
    """Samples and steps: those given, else those that the neurons ran; what cannot be found out is asked for."""
    ran = {name: one for name, one in books.populations.items() if one.updates}
    if seen.unsure and not seen.told and samples is None and timesteps is None:
        raise InputError(
            f"nobody said whether each call of the neurons '{min(seen.unsure)}' goes on or begins with other samples: "
            "say how many there were with rec.activity(samples=..., timesteps=...)"
        )
    if not ran:
        longest = max((one.longest for one in books.populations.values()), default=1)
        rows = seen.rows.get("") if "" in seen.rows else None
        if samples is None and rows is None and len(set(seen.rows.values())) > 1:
            raise InputError(
                "the network's parts were called with different numbers of samples: say how many there were with "
                "rec.activity(samples=..., timesteps=...)"
            )
        if rows is None:
            rows = next(iter(seen.rows.values()), 0)
        return samples if samples is not None else rows // max(timesteps or 1, 1), timesteps or max(longest, 1)
    both = samples is not None and timesteps is not None
    fewest = min(one.updates for one in ran.values())
    if timesteps is None:
        longest = min(one.longest for one in ran.values())
        timesteps = longest if seen.told or not samples else fewest // samples
    if samples is None:
        samples = fewest // max(timesteps, 1)
    # layers of their own numbers of steps (delays that pad time) are believed where both numbers were said
    own_steps = both and len({one.updates for one in ran.values()}) > 1
    for name, one in ran.items():
        expected = samples if seen.told or own_steps else samples * timesteps
        if expected == 0 or (not seen.told and one.updates % expected) or one.updates < samples:
            raise InputError(
                f"the neurons '{name}' were updated {one.updates:,} times each, which {samples:,} samples of "
                f"{timesteps:,} steps cannot be: {_WAYS_OUT[seen.told]}"
            )
    return samples, timesteps


#: values of one size that may be so by chance
_FEW = 8
_WAYS_OUT = {
    True: "say which axis of the inputs holds what, with layout='B', 'TB' or 'BT'",
    False: "say how many there were with rec.activity(samples=..., timesteps=...)",
}
_ADVICE = "decorate the class {kind} with @sl.neuron, or call sl.counting.not_a_neuron({kind})"
_ADVICE_SCRIPTED = "a scripted or traced module has no class of its own, so record '{kind}' as it was before torch.jit"
_ADVICE_INSIDE = (
    "write the lines of its neurons as a module of their own and decorate that with @sl.neuron, or call "
    "sl.counting.not_a_neuron({kind}) if there are none"
)
_ADVICE_UNHEARD = (
    "the neurons '{path}' were never called: call them as a module is called, not by their forward, or decorate the class "
    "{kind} with @sl.neuron"
)


def _uncounted(books: Books, network: nn.Module) -> tuple[Uncounted, ...]:
    missed = [Uncounted(*key, calls=calls) for key, calls in books.uncounted.items()]
    missed += [
        Uncounted(path, "parameter", f"it holds {bad:,} values that are NaN, and what is computed of them is none", 1)
        for path, bad in not_numbers(network)
    ]
    asked = dict(books.asked)
    for one in books.synapses.values():
        if one.maker is not None and not one.events and one.inputs == "spikes" and one.arrived > _FEW:
            asked.setdefault(one.maker, one.calls)  # they look like spikes, though nothing compared
    modules = dict(nn.Module.named_modules(network)) if asked else {}  # scripted ones have no get_submodule
    for place, calls in asked.items():
        module = modules.get(place)
        if module is None:  # an operator's name, not a module's
            continue
        if not is_declared(module):
            scripted = isinstance(module, torch.jit.ScriptModule)
            name = str(getattr(module, "original_name", "")) if scripted else type(module).__name__
            inside = any(True for part in module.children() for _ in nn.Module.parameters(part))
            advice = _ADVICE_SCRIPTED if scripted else _ADVICE_INSIDE if inside else _ADVICE
            heard = {site.partition("@")[0].partition("#")[0] for site in books.populations}
            unheard = [path for path in modules if path not in heard and path.startswith(f"{place}." if place else "")]
            silent = next((path for path in unheard if path and is_neuron(modules[path])), "")
            reason = (
                "its output is 0 and 1, or whole numbers, as spikes are, but nobody said that it is a neuron, so its "
                "updates are not counted: " + (_ADVICE_UNHEARD if silent else advice).format(kind=name, path=silent)
            )
            missed.append(Uncounted(place, name, reason, calls))
    for path, population in books.populations.items():
        if population.graded:
            missed.append(
                Uncounted(
                    path, "neuron", "it was said to send spikes, but sent values of several sizes: let it return its "
                    "spikes first, or say spiking=False, unit=... where it may send several spikes at once, or graded=True "
                    "where a spike carries a value",
                    population.graded,
                )
            )  # fmt: skip
    return tuple(missed)
