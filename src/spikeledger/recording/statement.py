"""From the books to an `Activity`: fan-outs are multiplied, samples and steps are found and checked."""

from __future__ import annotations

from torch import nn

from ..activity import Activity, Counts, Layer, Tally, Uncounted
from ..errors import InputError
from .books import Books
from .neurons import is_declared


def statement(
    books: Books, network: nn.Module, samples: int | None, timesteps: int | None, seen_samples: int
) -> Activity:
    """Everything in the books as one account; the books can go on afterwards."""
    for account in list(books.synapses.values()):
        try:
            account.settle()
        except Exception as error:  # what cannot be multiplied is named, never zero
            books.miss(account.operator, f"its fan-out failed: {type(error).__name__}: {error}", place=account.name)
            account.drop()
    samples, timesteps = _extent(books, samples, timesteps, seen_samples)
    layers: dict[str, Layer] = {}
    tallies: dict[tuple[str, str], Tally] = {}
    nonzero: dict[str, int] = {}

    def add(layer: str, event: str, count: int, rows: Counts | None = None) -> None:
        if count:
            array = None if rows is None else rows.ravel()
            tallies[layer, event] = Tally(layer, event, int(count), array)

    folds = _folds(books)
    folded = {pool for name, one in books.synapses.items() if folds[name] for pool in one.pools}
    fans: dict[str, Counts] = {}
    for name in books.order:
        closed: list[tuple[Layer, list[tuple[str, int, Counts | None]]]] = []
        if name in books.populations:
            closed.append(books.populations[name].close())
        if name in books.synapses:
            one = books.synapses[name]
            closed.append(one.close(folds=folds[name]))
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
                layers.setdefault(name, Layer(name, pointwise.operator, outputs=pointwise.outputs))
                add(name, event, pointwise.count)
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


def _extent(books: Books, samples: int | None, timesteps: int | None, seen_samples: int) -> tuple[int, int]:
    """Samples and steps: those given, if no neuron contradicts them, else those that the neurons ran."""
    updates = {name: one.updates for name, one in books.populations.items() if one.updates}
    if not updates:
        longest = max((one.longest for one in books.populations.values()), default=1)
        found = samples if samples is not None else seen_samples // max(timesteps or 1, 1)
        return found, timesteps or max(longest, 1)
    if timesteps is None:
        if samples:
            timesteps = min(count // samples for count in updates.values())
        else:
            timesteps = min(books.populations[name].longest for name in updates)
    if samples is None:
        samples = min(updates.values()) // max(timesteps, 1)
    for name, count in updates.items():
        expected = samples * timesteps
        if expected == 0 or count % expected:
            raise InputError(
                f"the neurons '{name}' were updated {count:,} times each, which {samples:,} samples of {timesteps:,} "
                "steps cannot be: say how many there were with rec.activity(samples=..., timesteps=...)"
            )
    return samples, timesteps


def _uncounted(books: Books, network: nn.Module) -> tuple[Uncounted, ...]:
    missed = [Uncounted(*key, calls=calls) for key, calls in books.uncounted.items()]
    asked: dict[str, int] = {}
    for one in books.synapses.values():
        if one.undeclared is not None and one.inputs != "graded":
            asked[one.undeclared] = asked.get(one.undeclared, 0) + one.calls
    for place, calls in books.binary_outputs.items():
        asked.setdefault(place, calls)
    for place, calls in asked.items():
        module = network.get_submodule(place)
        if not is_declared(module):
            name = type(module).__name__
            reason = (
                "its output is 0 and 1, as spikes are, but nobody said that it is a neuron, so its updates are not "
                f"counted: decorate the class {name} with @sl.neuron, or call sl.not_a_neuron({name})"
            )
            missed.append(Uncounted(place, name, reason, calls))
    return tuple(missed)
