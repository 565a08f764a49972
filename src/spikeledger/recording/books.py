"""The books of a recording: what every operator that ran adds to the account, kind by kind.

Two maps follow tensors while they live: `weights` holds those that were computed from parameters and buffers alone, and
`origins` says where the values of the others were made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor, nn

from ..errors import SpikeLedgerError
from .census import Census, census
from .frames import Frame, Pointwise
from .looks import Looks
from .neurons import Firing
from .origins import Fold, Origin
from .pools import Pool
from .populations import Population
from .products import Coincidence, Product, scaling
from .rules import Rule, why_unknown
from .synapses import Line, PairAccount, SynapseAccount
from .tracking import TensorMap, elements, nonzero_elements, tensors_in
from .weights import Weight

Pooling = Literal["fold", "separate"]


@dataclass
class Books:
    """Everything counted so far."""

    pooling: Pooling
    weights: TensorMap[Weight]
    frames: list[Frame] = field(default_factory=list)
    products: int = 0  # operators seen that multiply, counted or missed
    quiet: int = 0  # of the running modules, how many are neurons with weights of their own
    order: dict[str, None] = field(default_factory=dict)
    synapses: dict[str, SynapseAccount] = field(default_factory=dict)
    pairs: dict[str, PairAccount] = field(default_factory=dict)
    populations: dict[str, Population] = field(default_factory=dict)
    pointwise: dict[tuple[str, str], Pointwise] = field(default_factory=dict)
    uncounted: dict[tuple[str, str, str], int] = field(default_factory=dict)
    binary_outputs: dict[str, int] = field(default_factory=dict)  # place of an undeclared neuron -> calls
    unfolded: set[str] = field(default_factory=set)  # poolings whose output something else needed too
    origins: TensorMap[Origin] = field(default_factory=TensorMap)
    looks: Looks = field(default_factory=Looks)
    lines: dict[int, Line] = field(default_factory=dict)  # linear layers as they ran last, by identity

    def __post_init__(self) -> None:
        self._bookings: dict[str, Callable[[Rule, tuple[Any, ...], dict[str, Any], list[Tensor], Any], None]] = {
            "product": self._product, "pool": self._pool, "carrier": self._carrier, "batch_norm": self._batch_norm,
            "norm": self._norm, "activation": self._activation, "elementwise": self._elementwise,
            "comparison": self._comparison, "gatherer": self._gatherer, "lookup": self._lookup,
        }  # fmt: skip

    @property
    def place(self) -> str:
        """Path of the innermost module that is running."""
        return self.frames[-1].path if self.frames else ""

    @property
    def hidden(self) -> bool:
        """Whether a neuron is running whose inside is not looked at."""
        return any(frame.muted for frame in self.frames)

    # -- one operator --------------------------------------------------------------------------------------------------

    def ran(self, rule: Rule, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        """Book one operator; every error in a rule becomes an uncounted entry, never a zero."""
        kind = rule.kind
        if kind in ("product", "unknown"):
            self.products += 1
        if kind == "factory":
            if rule.name.startswith("rand") and isinstance(out, Tensor):
                self.origins.put(out, Origin("random", "input"))
            return
        tensors = list(tensors_in(args, kwargs))
        if tensors and all(tensor in self.weights for tensor in tensors):
            self._derived(kind, tensors, out)
            return
        if rule.in_place or out is (args[0] if args else None):
            self._overwritten(tensors, out)
        try:
            booking = self._bookings.get(kind)
            if booking is not None:
                booking(rule, args, kwargs, tensors, out)
            elif kind == "free":
                if rule.in_place and isinstance(out, Tensor):  # filled anew
                    self.origins.drop(out)
                    if rule.name in ("uniform", "random"):
                        self.origins.put(out, Origin("random", "input"))
            elif self.frames and not self.quiet:
                self._spoil(tensors)
                self.miss(rule.name, why_unknown(rule.name))
            elif self.frames and any(self.origins.get(tensor) is not None for tensor in tensors):
                self.miss(rule.name, why_unknown(rule.name))
        except SpikeLedgerError:
            raise
        except Exception as error:  # a rule that raises is a result: it is named, and pricing refuses
            self.miss(rule.name, f"its counting rule failed: {type(error).__name__}: {error}")

    def _derived(self, kind: str, tensors: list[Tensor], out: Any) -> None:
        """What is made from weights alone is a weight: prepared once, it costs a run nothing."""
        first = self.weights.get(tensors[0])
        assert first is not None
        single = len(tensors) == 1
        known = first if single and kind == "carrier" else Weight(first.name if single else "")
        for result in tensors_in((out,), {}):
            if result not in self.weights:
                self.weights.put(result, known)

    def _overwritten(self, tensors: list[Tensor], out: Any) -> None:
        for result in tensors_in((out,), {}):
            if any(result is tensor for tensor in tensors):
                if not isinstance(result, nn.Parameter):  # a state kept in a buffer; a parameter was only trained
                    self.weights.drop(result)
                self.looks.forget(result)

    # -- kinds of operators --------------------------------------------------------------------------------------------

    def _carrier(self, rule: Rule, args: tuple[Any, ...], kwargs: Any, tensors: list[Tensor], out: Any) -> None:
        origin = self.origins.get(args[0])
        if origin is None or out is args[0]:
            return
        carried = origin.through(rule.name, args, out)
        if origin.fold is not None and carried.fold is None:
            self.unfolded.update(origin.fold.pools)
        self.origins.put(out, carried)

    def _product(self, rule: Rule, args: tuple[Any, ...], kwargs: Any, tensors: list[Tensor], out: Any) -> None:
        assert rule.apply is not None
        product = rule.apply(self.weights.__contains__, *args, **kwargs)
        if isinstance(product, Coincidence):
            self._pair(product, out)
        else:
            self._multiplied(product, out)

    def multiplied(
        self, layer: nn.Module, source: Tensor, shape: tuple[int, ...], rows: int, out: Tensor | None,
        product: Callable[[], Product], look: Callable[[float | None], Census],
    ) -> None:  # fmt: skip
        """Book a layer that was not listened to and multiplied values of a shape that `source` carried; `rows` of its axes
        are time and batch.

        As long as its weights stay as they are, calls with one shape differ in what arrives and in nothing else; only a
        call that differs otherwise is told as a `product`. `look` is asked if nobody has counted what arrives.
        """
        self.products += 1
        origin = self.origins.get(source)
        seen = origin.counted(shape, rows) if origin is not None else None
        if seen is None:
            seen = look(origin.unit if origin is not None else None)
        line = self.lines.get(id(layer))
        if origin is not None and (origin.fold is not None or origin.kind == "binary"):
            self._multiplied(product(), out, seen)
        elif line is not None and line.holds(layer, shape):
            line.book(seen)
            if out is not None:
                self.origins.put(out, line.currents)
        else:
            told = product()
            account = self._multiplied(told, out, seen)
            if account is not None:
                self.lines[id(layer)] = Line(layer, shape, told, account)

    def _multiplied(self, product: Product, out: Tensor | None, seen: Census | None = None) -> SynapseAccount | None:
        """Book a product; its account, if it has one whose weights are parameters."""
        known = self.weights.get(product.weight)
        if known is None and not self.frames:
            self.miss(product.operator, "it ran outside the network's modules: call it inside one")
            return None
        layer = known.layer(product.weight) if known is not None and known.name else self.place
        account = self.synapses.get(layer)
        origin = self.origins.get(product.arrived)
        straight = product.arrived is product.values
        if account is None:
            account = self.synapses[layer] = SynapseAccount(layer, product.operator)
            self.order.setdefault(layer)
            account.source = origin.source if origin else ""
            account.stored = known is None
            if product.bias is not None and product.bias in self.weights:
                account.store(product.bias, weights=False)
        if origin is not None and origin.kind == "binary":
            account.undeclared = origin.source
        fold = origin.fold if origin is not None and straight else None
        if fold is not None and fold.row_count != product.values.shape[: product.rows].numel():
            fold = None
        if origin is not None and origin.fold is not None and fold is None:
            self.unfolded.update(origin.fold.pools)
        if seen is None:
            seen = self.looks.seen(product.arrived, product.values, product.rows, origin)
        account.book(product, seen, key=known.version if known is not None else None, fold=fold)
        if out is not None:
            self.origins.put(out, Origin("currents", layer))
        return account if known is not None and known.version is not None and known.owner is product.weight else None

    def _pair(self, pair: Coincidence, out: Tensor) -> None:
        self._spoil([pair.left, pair.right])
        if not self.frames:
            self.miss(pair.operator, "it ran outside the network's modules: call it inside one")
            return
        frame = self.frames[-1]
        frame.pairs += 1
        name = f"{frame.path}.{pair.operator}{frame.pairs}".removeprefix(".")
        account = self.pairs.get(name)
        if account is None:
            origin = self.origins.get(pair.left)
            account = self.pairs[name] = PairAccount(name, pair.operator, origin.source if origin else "")
            self.order.setdefault(name)
        left, right = pair.left.mT, pair.right  # k first, so that what matters, the class, is read in long rows
        account.book(pair, census(left, left.dim() - 1), census(right, right.dim() - 1))
        self.origins.put(out, Origin("values", name))

    def _pool(self, rule: Rule, args: tuple[Any, ...], kwargs: Any, tensors: list[Tensor], out: Any) -> None:
        assert rule.apply is not None
        pool: Pool | None = rule.apply(*args, **kwargs)
        if pool is None:
            self._elementwise(rule, args, kwargs, tensors, out)
            return
        origin = self.origins.get(args[0])
        first = out[0] if isinstance(out, tuple) else out
        if not self.quiet:
            self.add(pool.operator, "pool_read", pool.reads, outputs=first[:1].numel())
        if origin is None:
            return
        fold = None
        batched = pool.values.dim() == int(pool.operator[-2]) + 2
        if pool.linear is not None and batched and self.pooling == "fold":
            if origin.fold is not None:
                if pool.values.shape[:1].numel() == origin.fold.row_count:
                    fold = origin.fold.pooled(self.place, pool.linear, pool.overlaps, pool.geometry)
            elif origin.kind in ("spikes", "input", "binary"):
                before = self.looks.seen(pool.values, pool.values, 1, origin)
                if before.inputs != "graded":
                    shape = (1, *pool.values.shape[1:])
                    fold = Fold(
                        (self.place,), before, shape, (pool.linear,), pool.geometry, 1, pool.values.shape[0],
                        pool.overlaps,
                    )  # fmt: skip
        if fold is None and origin.fold is not None:
            self.unfolded.update(origin.fold.pools)
        kind = origin.kind if origin.kind not in ("currents", "spikes") else "pooled"
        unit = origin.unit if pool.linear is None else None
        self.origins.put(first, Origin(kind, origin.source, fold, unit))

    def _batch_norm(self, rule: Rule, args: tuple[Any, ...], kwargs: Any, tensors: list[Tensor], out: Any) -> None:
        origin = self.origins.get(args[0])
        first = out[0] if isinstance(out, tuple) else out
        fixed = len(args) > 3 and isinstance(args[3], Tensor)  # without kept statistics (instance norm) it never folds
        if origin is not None and origin.kind == "currents" and fixed:
            self.origins.put(first, origin)
        else:
            self._norm(rule, args, kwargs, tensors, out)

    def _norm(self, rule: Rule, args: tuple[Any, ...], kwargs: Any, tensors: list[Tensor], out: Any) -> None:
        if self.frames and not self.quiet:
            self.add("norm", "norm_op", args[0].numel())
        self._made(tensors, out)

    def _activation(self, rule: Rule, args: tuple[Any, ...], kwargs: Any, tensors: list[Tensor], out: Any) -> None:
        if self.frames and not self.quiet:
            self.add("activation", "activation", elements(out), outputs=0)
            if isinstance(out, Tensor):
                self.pointwise[self.place, "activation"].nonzero += nonzero_elements(out)
        self._made(tensors, out)

    def _elementwise(self, rule: Rule, args: tuple[Any, ...], kwargs: Any, tensors: list[Tensor], out: Any) -> None:
        if rule.name == "add" and len(tensors) == 2:  # a bias that the product did not add itself
            for values, bias in (tensors, tensors[::-1]):
                origin = self.origins.get(values)
                if origin is not None and origin.kind == "currents" and bias in self.weights:
                    account = self.synapses[origin.source]
                    if not account.bias_adds:
                        account.store(bias, weights=False)
                    account.bias_adds += elements(out)
                    self.origins.put(out, origin)
                    return
        if self.quiet or (self.frames and self.frames[-1].sums):
            if rule.name == "mul" and len(tensors) == 2:
                self._one_to_one(tensors, out)
            self._made(tensors, out)
            return
        if self.frames:
            self.add("elementwise", "elementwise", elements(out))
        self._made(tensors, out)

    def _one_to_one(self, tensors: list[Tensor], out: Tensor) -> None:
        """Inside a neuron, its own spikes times a weight: a recurrent connection from each neuron to itself."""
        for values, weight in (tensors, tensors[::-1]):
            if self.frames[-1].sums and weight in self.weights and out.shape == values.shape:
                self._multiplied(scaling(values, weight), out)
                return
            origin = self.origins.get(values)
            if (
                origin is not None
                and origin.kind == "spikes"
                and weight.dim() <= values.dim()
                and out.shape == values.shape
            ):
                fires_here = origin.source == self.frames[0].path or any(f.path == origin.source for f in self.frames)
                if fires_here and self.origins.get(weight) is None:
                    self._multiplied(scaling(values, weight), out)
                    return

    def _comparison(self, rule: Rule, args: tuple[Any, ...], kwargs: Any, tensors: list[Tensor], out: Any) -> None:
        self._spoil(tensors)
        kinds = {origin.kind for origin in map(self.origins.get, tensors) if origin is not None}
        if isinstance(out, Tensor):
            encoded = "random" in kinds or kinds == {"input"} or rule.name == "bernoulli"
            self.origins.put(out, Origin("input", "input") if encoded else Origin("binary", self.place))

    def _gatherer(self, rule: Rule, args: tuple[Any, ...], kwargs: Any, tensors: list[Tensor], out: Any) -> None:
        self._spoil(tensors)
        found = [origin for origin in map(self.origins.get, tensors) if origin is not None]
        if not found:
            return
        one = found[0]
        if len({(origin.kind, origin.source) for origin in found}) > 1:
            binary = next((origin for origin in found if origin.kind == "binary"), None)
            one = binary or Origin("values", one.source)
        kept = one._replace(fold=None, census=None)
        for result in tensors_in((out,), {}):
            self.origins.put(result, kept)

    def _lookup(self, rule: Rule, args: tuple[Any, ...], kwargs: Any, tensors: list[Tensor], out: Any) -> None:
        table, indices = args[0], args[1]
        known = self.weights.get(table)
        layer = known.layer(table) if known is not None and known.name else self.place
        reads = indices.numel() * table.shape[-1]
        self.add("embedding", "weight_read", reads, place=layer, outputs=table.shape[-1])
        if rule.name != "embedding" and reads > elements(out) and (len(args) < 5 or args[4] != 2):
            self.add(
                "embedding", "elementwise", reads - elements(out), place=layer
            )  # sums; the mode `max` only compares
        first = out[0] if isinstance(out, tuple) else out
        self.origins.put(first, Origin("values", layer))

    def _made(self, tensors: list[Tensor], out: Any) -> None:
        """The origin of what arithmetic made: the input's or a comparison's if its parts were, else this place's."""
        self._spoil(tensors)
        found = [origin for origin in map(self.origins.get, tensors) if origin is not None]
        binary = next((origin for origin in found if origin.kind == "binary"), None)
        if binary is not None:
            made = Origin("binary", binary.source)
        elif found and all(origin.kind in ("input", "random") for origin in found):
            made = Origin(found[0].kind, found[0].source)
        else:
            made = Origin("values", self.place)
        for result in tensors_in((out,), {}):
            self.origins.put(result, made)

    def _spoil(self, tensors: list[Tensor]) -> None:
        """Something other than a weighted operator reads these: a pooling among them cannot fold away."""
        for tensor in tensors:
            origin = self.origins.get(tensor)
            if origin is not None and origin.fold is not None:
                self.unfolded.update(origin.fold.pools)

    # -- neurons -------------------------------------------------------------------------------------------------------

    def fired(self, path: str, firing: Firing) -> None:
        """Book one call of a neuron or encoder module."""
        leading = len(firing.layout)
        if firing.spikes.dim() < leading:
            raise ValueError(f"its output has the shape {list(firing.spikes.shape)}, without a batch axis")
        if not firing.updates and census(firing.spikes, leading).inputs == "graded":
            self.origins.put(firing.sent, Origin("input", "input"))
            return
        population = self.populations.get(path)
        if population is None:
            shape = tuple(firing.spikes.shape[leading:])
            population = self.populations[path] = Population(path, shape, firing.spiking)
            self.order.setdefault(path)
        seen = population.book(firing)
        steps, batch = firing.extent
        kind = "spikes" if firing.spiking else "values"
        self.origins.put(firing.sent, Origin(kind, path, None, firing.unit, seen, steps * batch))

    # -- what is shared ------------------------------------------------------------------------------------------------

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
        key = (self.place if place is None else place, operator, reason)
        self.uncounted[key] = self.uncounted.get(key, 0) + 1
