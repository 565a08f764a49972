"""The books of a recording: what every operator that ran adds to the account, kind by kind.

A booking gives the origin of what its operator made; where the values of tensors came from is kept in `provenance`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor, nn

from ..listening.neurons import Firing
from .census import Census, census
from .fan_out import Grid
from .origins import CONSTANT, EVENTS, INPUT, Origin, sums_of
from .pool_folding import plain
from .pool_reads import Pool
from .populations import Population
from .products import Coincidence, Product
from .provenance import Provenance, Weight
from .read_out import ReadOut
from .synapses import Line, PairAccount, SynapseAccount, Way

Pooling = Literal["fold", "separate"]

STRANGE = (
    "it uses values that this recording did not see being made, in another thread, in numpy or in an extension: compute "
    "them with torch in the thread that calls the network, or keep a constant as a buffer"
)


@dataclass(slots=True)
class Frame:
    """A module that is running. Inside a neuron nothing is booked, or (`quiet`) only products."""

    path: str
    module: nn.Module
    muted: bool = False
    straight: bool = False  # a linear layer that is not listened to
    quiet: bool = False  # a neuron with weights of its own
    sums: bool = False  # neurons' own connections: what they add up are currents, which cost the synapses alone
    whole: Any = None  # books a module that is not looked into
    pairs: int = 0  # products of two activations so far in this call
    products: int = -1  # what the books had when a module began that must multiply


@dataclass
class Pointwise:
    """Events of one module that are only totals: activations, normalisation, pooling reads."""

    operator: str
    event: str
    count: int = 0
    outputs: int = 0
    nonzero: int = 0  # of the outputs of activations


@dataclass
class Books:
    """Everything counted so far."""

    pooling: Pooling
    know: Provenance
    frames: list[Frame] = field(default_factory=list)
    products: int = 0  # operators seen that multiply, counted or missed
    quiet: int = 0  # of the running modules, how many are neurons with weights of their own
    unpaid: int = 0  # whether somebody's own hook runs, which is no part of the network
    order: dict[str, None] = field(default_factory=dict)
    synapses: dict[str, SynapseAccount] = field(default_factory=dict)
    pairs: dict[str, PairAccount] = field(default_factory=dict)
    populations: dict[str, Population] = field(default_factory=dict)
    pointwise: dict[tuple[str, str], Pointwise] = field(default_factory=dict)
    uncounted: dict[tuple[str, str, str], int] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)  # place of what may be undeclared neurons -> uses
    unfolded: set[str] = field(default_factory=set)  # poolings whose output something else needed too
    lines: dict[int, Line] = field(default_factory=dict)  # layers as they ran last, by identity
    stranger: Callable[[Tensor], Origin] = lambda tensor: CONSTANT  # what a tensor is that nobody saw being made
    fresh: Callable[[Tensor], Origin] = lambda tensor: CONSTANT  # and one that was made of Python's or numpy's numbers
    unmet: dict[str, str] = field(
        default_factory=dict
    )  # places where numpy's numbers came in, until anything uses them
    left_out: int = 0  # products that a user's hook made
    read_out: ReadOut = field(default_factory=ReadOut)
    _turned: dict[str, bool] = field(default_factory=dict)  # a layer, and which way round its weight was first used

    @property
    def place(self) -> str:
        """Path of the innermost module that is running."""
        return self.frames[-1].path if self.frames else ""

    @property
    def hidden(self) -> bool:
        """Whether a neuron is running whose inside is not looked at."""
        return any(frame.muted for frame in self.frames)

    @property
    def charged(self) -> bool:
        """Whether what runs now is part of the account: inside the network, not in a neuron, not in a user's hook."""
        return bool(self.frames) and not self.quiet and not self.unpaid

    def origin(self, tensor: Tensor) -> Origin | None:
        """Where a tensor's values were made; None of a weight."""
        found = self.know.origin(tensor)
        if found is None and not self.know.is_weight(tensor):
            found = self.stranger(tensor)
            self.know.put(tensor, found)
        elif found is not None and found.kind == "unseen" and self.unmet:
            kind = self.unmet.pop(found.source, None)
            if kind is not None:
                self.miss(kind, STRANGE, place=found.source)
        return found

    def reckoned(self, operator: str, found: list[Origin], count: int) -> frozenset[str]:
        """Book additions and their like; those of nothing but sent spikes have a name, by which they are a read-out if
        the network gives them back and no layer goes on with them."""
        self.add("elementwise", "elementwise", count)
        return self.read_out.name(self.place, operator, found, count)

    # -- what multiplies -------------------------------------------------------------------------------------------------

    def multiplied_by_layer(
        self, path: str, layer: nn.Module, source: Tensor, shape: tuple[int, ...], rows: int, out: Tensor | None,
        product: Callable[[], Product], look: Callable[[float | None], Census],
    ) -> None:  # fmt: skip
        """Book a layer that was not listened to and multiplied values of a shape that `source` carried; `rows` of its axes
        are time and batch.

        As long as its weights stay as they are, calls with one shape differ in what arrives and in nothing else; only a
        call that differs otherwise is told as a `product`. `look` is asked if nobody has counted what arrives.
        """
        self.products += 1
        origin = self.know.origin(source)
        self.read_out.spend(origin)
        line, version = self.lines.get(id(layer)), self.know.version(layer._parameters["weight"])  # type: ignore[arg-type]
        plain_ = origin is None or (origin.fold is None and origin.suspect is None)
        seen = origin.counted(shape, rows) if origin is not None else None
        if seen is None:
            seen = look(origin.unit if origin is not None and origin.kind in EVENTS else None)
        if plain_ and line is not None and line.holds(layer, shape, version):
            line.book(seen)
            if out is not None:
                self.know.put(out, line.currents)
            return
        told = product()
        account, currents = self.multiplied(told, seen, (path, layer))
        if out is not None and currents is not None:
            self.know.put(out, currents)
        if account is not None and account.source and plain_ and told.weight is layer._parameters["weight"]:
            self.lines[id(layer)] = Line(layer, shape, told, account, version)

    def account(self, product: Product, module: tuple[str, nn.Module] | None = None) -> SynapseAccount:
        """The account of the layer that multiplies: the module's that runs, if the weight is its own, else the weight's."""
        known = self.know.weight(product.weight)
        name = self.place if known is None or not known.name else self._layer(known, product, module)
        account = self.synapses.get(name)
        if account is None:
            origin = self.know.origin(product.arrived)
            account = self.synapses[name] = SynapseAccount(name, product.operator)
            self.order.setdefault(name)
            account.source = origin.source if origin else ""
            account.stored = known is None
            if product.bias is not None and self.know.is_weight(product.bias):
                account.store(product.bias, weights=False)
        return account

    def _layer(self, known: Weight, product: Product, module: tuple[str, nn.Module] | None) -> str:
        """The layer's name; one weight used both as it is and turned is two layers."""
        if module is None and self.frames:
            module = self.frames[-1].path, self.frames[-1].module
        path, runs = module or ("", None)
        owner, matrix = known.owner, product.matrix
        for name, parameter in runs._parameters.items() if runs is not None and owner is not None else ():
            if parameter is owner:
                known = known._replace(name=f"{path}.{name}" if path else name)
                break
        name = known.layer(product.weight)
        turned = False
        if owner is not None and matrix.dim() == owner.dim() == 2:
            there, back = owner.shape, owner.shape[::-1]
            turned = matrix.shape == there
            if there == back:  # square: its axes tell, if it is the weight itself and no copy
                turned = matrix.stride() == owner.stride() != owner.stride()[::-1] and _same_memory(matrix, owner)
        first = self._turned.setdefault(name, turned)
        return name if first == turned else f"{name} (transposed)"

    def multiplied(
        self, product: Product, seen: Census | None = None, module: tuple[str, nn.Module] | None = None
    ) -> tuple[SynapseAccount | None, Origin | None]:
        """Book a product: its account, if it has one whose weights are parameters, and the origin of its currents."""
        known = self.know.weight(product.weight)
        if self.unpaid:
            self.left_out += 1
            return None, Origin("values", self.place)
        if known is None and not self.frames:
            return None, Origin("values", "")  # a loss, or somebody else's network
        account = self.account(product, module)
        origin = self.origin(product.arrived)
        straight = product.arrived is product.values
        unit = None
        if origin is not None:
            self.ask(origin)
            self.read_out.spend(origin)
            if not account.source and origin.kind in EVENTS:
                account.source = origin.source  # at first there was only silence
            if origin.kind in EVENTS:
                unit, account.events = origin.unit, True
            elif origin.kind == "values":
                account.maker = origin.source
            else:
                account.events = True
        way = self._way(origin, product) if straight else None
        if origin is not None and origin.fold is not None and way is None:
            self.unfolded.update(origin.fold.pools)
        if seen is None:
            found = origin.counted(product.values.shape, product.rows) if origin is not None and straight else None
            seen = found or self._seen(product, unit)
        account.book(product, seen, key=self.know.version(product.weight), way=way)
        settled = known is not None and known.owner is product.weight
        return account if settled else None, Origin("currents", account.name)

    def _seen(self, product: Product, unit: float | None) -> Census:
        if product.arrived is product.values:
            return self.know.look(product.values, product.rows, unit)
        return census(product.values, product.rows, unit=unit)

    def _way(self, origin: Origin | None, product: Product) -> Way | None:
        """The ways through poolings that the values came, if they are spikes that can be counted before them."""
        fold = origin.fold if origin is not None else None
        if fold is not None:
            fold = fold.resolved(product.values.shape[: product.rows].numel(), self.know.writes)
        if fold is None or not fold.parts:
            return None
        if not fold.pools and not isinstance(product.geometry, Grid):  # moved alone: what arrives says it all
            return None
        sent = []
        for part in fold.parts:
            if part.writes is not None and part.writes != self.know.writes(part.before):  # changed since
                return None
            if part.merges and part.windows is None and math.prod(part.shape) > _MANY:
                return None  # each place would have to be asked for itself
            one = self.know.look(part.before, part.rows, part.unit)
            if one.inputs == "graded" and part.pools:
                return None
            sent.append(one)
        return Way(fold.parts, sent)

    def pair(self, pair: Coincidence) -> Origin:
        self.spoil([pair.left, pair.right])
        if not self.frames or self.unpaid:
            self.left_out += self.unpaid > 0
            return Origin("values", self.place)
        frame = self.frames[-1]
        frame.pairs += 1
        name = f"{frame.path}.{pair.operator}{frame.pairs}".removeprefix(".")
        account = self.pairs.get(name)
        found = self.origin(pair.left), self.origin(pair.right)
        if account is None:
            account = self.pairs[name] = PairAccount(name, pair.operator, found[0].source if found[0] else "")
            self.order.setdefault(name)
        for origin in found:
            self.ask(origin)
            self.read_out.spend(origin)
        left, right = pair.left.mT, pair.right  # k first, so that what matters, the class, is read in long rows
        units = [origin.unit if origin is not None and origin.kind in EVENTS else None for origin in found]
        account.book(pair, census(left, left.dim() - 1, unit=units[0]), census(right, right.dim() - 1, unit=units[1]))
        return Origin("values", name)

    # -- what pools, and what fires --------------------------------------------------------------------------------------

    def pooled(self, pool: Pool, values: Tensor, out: Tensor) -> Origin | None:
        """Book a pooling of values."""
        origin = self.origin(values)
        if self.charged:
            self.add(pool.operator, "pool_read", pool.reads, outputs=out[:1].numel())
            self.ask(origin)
        if origin is None:
            return None
        self.read_out.spend(origin)
        if pool.linear is None:
            self.spoil([values])
            return origin.bare if origin.kind in EVENTS else origin.bare._replace(kind=_pooled(origin.kind))
        fold = None
        dims = pool.values.dim()
        batched = pool.of_places(origin) if pool.leading else dims == int(pool.operator[-2]) + 2
        if batched and self.pooling == "fold":
            whole = origin.fold
            if whole is None and origin.kind in EVENTS:
                whole = plain(values, 1, origin.unit, self.know.writes(values))
            for rows in range(1, (pool.leading or 1) + 1):  # samples and steps lie in front of what is pooled
                count = values.shape[:rows].numel()
                before = whole.resolved(count, self.know.writes) if whole is not None else None
                if before is not None:
                    fold = before.pooled(self.place, pool, out.shape, rows)
                    break
        if fold is None and origin.fold is not None:
            self.unfolded.update(origin.fold.pools)
        return Origin(_pooled(origin.kind), origin.source, None, origin.suspect, fold)

    def fired(self, site: str, firing: Firing) -> None:
        """Book one call of a neuron or encoder module."""
        leading = len(firing.layout)
        if firing.spikes.dim() < leading:
            raise ValueError(f"its output has the shape {list(firing.spikes.shape)}, without a batch axis")
        if not firing.updates and census(firing.spikes, leading).inputs == "graded":
            self.know.put(firing.sent, INPUT)
            return
        population = self.population(site, tuple(firing.spikes.shape[leading:]), firing.spiking)
        seen = population.book(firing)
        steps, batch = firing.extent
        if not firing.spiking:
            self.know.send(firing.sent, Origin("values", site))
        else:
            self.know.send(firing.sent, population.sends(seen, firing.unit, steps * batch, graded=firing.graded))

    def population(self, site: str, shape: tuple[int, ...], spiking: bool) -> Population:
        """The population of a site; it is there from its first call on."""
        found = self.populations.get(site)
        if found is None:
            found = self.populations[site] = Population(site, shape, spiking)
            self.order.setdefault(site)
        return found

    def rows_are_steps(self, rows: int) -> bool:
        """Whether each row of the inputs was one step of one sample, for all neurons."""
        ran = [one for one in self.populations.values() if one.updates]
        return bool(ran) and all(one.updates == rows and one.longest > 1 for one in ran)

    # -- what is shared --------------------------------------------------------------------------------------------------

    def ask(self, origin: Origin | None) -> None:
        """Binary values of a place are used as spikes are: perhaps somebody forgot to say that it is a neuron."""
        if origin is not None and origin.suspect is not None and not self.quiet and not self.unpaid:
            self.asked[origin.suspect] = self.asked.get(origin.suspect, 0) + 1

    def told(self, operator: str, tensors: list[Tensor]) -> Origin:
        """The origin of what only says something of values (the largest, its place): additions behind them are kept."""
        sums = sums_of([origin for origin in map(self.know.origin, tensors) if origin is not None])
        said = CONSTANT._replace(sums=sums) if sums else CONSTANT
        if operator == "_local_scalar_dense" and self.charged:  # the program goes on with it
            self.read_out.spend(said)
        return said

    def spoil(self, tensors: list[Tensor]) -> None:
        """Something other than a weighted operator reads these: a pooling among them cannot fold away."""
        for tensor in tensors:
            origin = self.know.origin(tensor)
            if origin is not None and origin.half is not None:
                origin = origin.half[1]
            if origin is not None and origin.fold is not None:
                self.unfolded.update(origin.fold.pools)

    def add(self, operator: str, event: str, count: int, *, place: str | None = None, outputs: int = 0) -> None:
        """Add events of a module that are only totals."""
        key = (self.place if place is None else place, event)
        row = self.pointwise.get(key)
        if row is None:
            row = self.pointwise[key] = Pointwise(operator, event, outputs=outputs)
            self.order.setdefault(key[0])
        row.count += count

    def miss(self, operator: str, reason: str, *, place: str | None = None) -> None:
        """Name something that ran and that nobody counted."""
        if self.unpaid:
            return
        key = (self.place if place is None else place, operator, reason)
        self.uncounted[key] = self.uncounted.get(key, 0) + 1


def _same_memory(one: Tensor, other: Tensor) -> bool:
    return one.untyped_storage().data_ptr() == other.untyped_storage().data_ptr()


#: places of a way with overlaps that are asked one by one
_MANY = 1 << 14


def _pooled(kind: str) -> str:
    return "pooled" if kind in ("currents", *EVENTS) else kind
