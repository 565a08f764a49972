"""What each kind of operator does: what it adds to the books, and the origin of what it made.

An error in a rule becomes an entry in `uncounted`, never a zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from ..errors import SpikeLedgerError
from .arithmetic import MASKS, SEVERAL, combined, each, gathered, keeps_zero, made_by_comparison, made_of, moved
from .books import Books
from .census import census, elements, nonzero_elements, tensors_in
from .operator_kinds import Rule, why_unknown
from .origins import CONSTANT, EVENTS, RANDOM, ZERO, Origin, sums_of
from .pool_folding import Fold
from .pool_reads import Pool
from .products import Coincidence, Product, outer, scaling
from .provenance import Weight

Args = tuple[Any, ...]
#: where what an operator gave comes from; None where it is nobody's, or was put down already
Made = Origin | None
_Booking = Callable[[Rule, Args, dict[str, Any], list[Tensor], Any], Made]


def _is_still(origin: Origin | None) -> bool:
    return origin is not None and origin.kind in ("constant", "zero")


class Operators:
    """Books one operator after the other."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self._bookings: dict[str, _Booking] = {
            "product": self._product, "pool": self._pool, "carrier": self._carrier, "batch_norm": self._batch_norm,
            "norm": self._norm, "activation": self._activation, "elementwise": self._elementwise,
            "reduction": self._reduction, "comparison": self._comparison, "gatherer": self._gatherer,
            "lookup": self._lookup, "factory": self._factory, "free": self._free, "taught": self._taught,
            "unknown": self._unknown, "higher_order": self._unknown,
        }  # fmt: skip

    def ran(self, rule: Rule, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        """Book one operator; every error in a rule becomes an uncounted entry, never a zero."""
        if rule.each:
            for one in each(args, kwargs, out):
                self.ran(rule._replace(each=False), *one)
            return
        books = self.books
        kind, know = rule.kind, books.know
        # an operator without a rule may have multiplied: whoever asks whether a layer multiplied once must not think so
        books.products += kind in ("product", "unknown", "taught", "higher_order")
        tensors = list(tensors_in(args, kwargs))
        # an operator on weights alone prepares them (a mask, a norm, a transpose): the run is not charged for it
        if tensors and kind != "factory":
            for tensor in tensors:
                if not know.is_weight(tensor):
                    break
            else:
                self._derived(rule, tensors, args, out)
                return
        if rule.name in MASKS and self._masked(tensors, out):
            return
        made = None
        try:
            made = self._bookings[kind](rule, args, kwargs, tensors, out)
        except SpikeLedgerError:
            raise
        except Exception as error:  # a rule that raises is a result: it is named, and pricing refuses
            books.miss(rule.name, f"its counting rule failed: {type(error).__name__}: {error}")
        # a result that is one of its own arguments has been told by `_wrote`, where it stands
        written = self._wrote(rule, args, kwargs, made) if rule.writes else ()
        if made is not None and not any(out is one for one in written):
            if isinstance(out, Tensor):
                know.put(out, made)
            else:
                self._put_all(rule, out, made)

    def _put_all(self, rule: Rule, out: Any, made: Origin) -> None:
        books = self.books
        several = rule.kind in SEVERAL
        for index, result in enumerate(tensors_in(out if isinstance(out, tuple | list) else (out,), {})):
            books.know.put(result, made if several or not index else CONSTANT)

    def _derived(self, rule: Rule, tensors: list[Tensor], args: tuple[Any, ...], out: Any) -> None:
        """What is made from weights alone is a weight: prepared once, it costs a run nothing."""
        books = self.books
        know = books.know
        if rule.writes:
            for argument in rule.writes:
                given = (args[argument],) if isinstance(argument, int) and argument < len(args) else ()
                for tensor in tensors_in(given, {}):
                    know.touched(tensor)
        if rule.kind == "product" and books.charged:
            self._perhaps_a_state(rule, tensors, args, out)
        first = know.weight(tensors[0])
        assert first is not None
        # one weight moved about is still that layer's; of two together nobody knows whose the product will be
        single = len(tensors) == 1
        buffer = any((made := know.weight(tensor)) is not None and made.buffer for tensor in tensors)
        known = first if single and rule.kind == "carrier" else Weight(first.name if single else "", None, buffer)
        for result in tensors_in((out,), {}):
            know.derive(result, known)

    def _masked(self, tensors: list[Tensor], out: Any) -> bool:
        """Whether a matrix of weights met nothing but constants (a mask made on the spot): what comes out is a weight."""
        know = self.books.know
        weights = [tensor for tensor in tensors if know.is_weight(tensor)]
        first = know.weight(weights[0]) if len(weights) == 1 else None
        still = all(one is weights[0] or _is_still(know.origin(one)) for one in tensors) if first is not None else False
        if first is None or not still or weights[0].dim() < 2 or weights[0].shape != out.shape:
            return False
        know.derive(out, Weight(first.name, None, first.buffer))
        return True

    def _perhaps_a_state(self, rule: Rule, tensors: list[Tensor], args: tuple[Any, ...], out: Any) -> None:
        """A buffer times a parameter: a constant, unless the network writes into the buffer later. Then it was a state."""
        books = self.books
        states = [tensor for tensor in tensors if (found := books.know.weight(tensor)) is not None and found.buffer]
        # a state that is all zeros multiplies to nothing yet, and the next step asks again
        if not states or len(states) == len(tensors) or not bool(states[0].any()):
            return
        assert rule.apply is not None
        held = {id(state) for state in states}
        product = rule.apply(lambda tensor: id(tensor) not in held and books.know.is_weight(tensor), *args)
        if isinstance(product, Product):
            account = books.account(product)
            seen, key = census(product.values, product.rows), books.know.version(product.weight)
            # kept until the buffer is written into: only then is it known to hold a state, and this product counted
            books.know.later(states[0], lambda: account.book(product, seen, key=key, way=None))

    def _wrote(self, rule: Rule, args: tuple[Any, ...], kwargs: dict[str, Any], made: Origin | None) -> list[Tensor]:
        """Something was written into arguments: parameters are trained so; a buffer that gets values holds a state."""
        know, written = self.books.know, list[Tensor]()
        for argument in rule.writes:
            if isinstance(argument, int):
                value = args[argument] if argument < len(args) else None
            else:
                value = kwargs.get(argument)
            for tensor in tensors_in((value,), {}):
                written.append(tensor)
                known = know.weight(tensor)
                aside = rule.kind in ("batch_norm", "norm", "activation") and argument != 0  # statistics that it keeps
                if known is not None and (aside or not (known.owner is None or known.buffer)):
                    know.touched(tensor)
                    continue
                if known is not None and rule.kind != "free":
                    know.turns_out(tensor)
                know.written(tensor, made)
        return written

    def _free(self, rule: Rule, args: Args, kwargs: Any, tensors: list[Tensor], out: Any) -> Made:
        if not rule.writes:
            return self.books.told(rule.name, tensors)
        if rule.name in ("uniform", "random"):
            return RANDOM
        return ZERO if rule.name == "zero" or (rule.name == "fill" and args[1:2] in ((0,), (0.0,))) else CONSTANT

    def _factory(self, rule: Rule, args: Args, kwargs: Any, tensors: list[Tensor], out: Any) -> Made:
        name = rule.name
        if name.startswith("rand") and name != "randperm":
            return RANDOM
        return ZERO if "zeros" in name or "empty" in name else CONSTANT

    def _carrier(self, rule: Rule, args: Args, kwargs: Any, tensors: list[Tensor], out: Any) -> Made:
        books = self.books
        if rule.name == "lift_fresh":
            return books.fresh(args[0])
        origin = books.origin(args[0])
        if origin is None or not isinstance(out, Tensor) or out is args[0]:
            return origin
        carried = origin.through(rule.name, out)
        if origin.fold is not None:
            carried = carried._replace(fold=self._kept(origin.fold, moved(rule, args, kwargs, origin.fold, out)))
        return carried

    def _kept(self, before: Fold, after: Fold | None) -> Fold | None:
        books = self.books
        if after is None:
            books.unfolded.update(before.pools)
        return after

    def _product(self, rule: Rule, args: Args, kwargs: Any, tensors: list[Tensor], out: Any) -> Made:
        books = self.books
        assert rule.apply is not None
        product = rule.apply(books.know.is_weight, *args, **kwargs)
        if isinstance(product, Coincidence):
            return books.pair(product)
        _, origin = books.multiplied(product)
        return origin

    def _pool(self, rule: Rule, args: Args, kwargs: Any, tensors: list[Tensor], out: Any) -> Made:
        books = self.books
        assert rule.apply is not None
        pool: Pool | None = rule.apply(*args, **kwargs)
        if pool is None or not (pool.sure or pool.of_places(books.origin(args[0]))):
            return self._reduction(rule, args, kwargs, tensors, out)
        return books.pooled(pool, args[0], out[0] if isinstance(out, tuple) else out)

    def _batch_norm(self, rule: Rule, args: Args, kwargs: Any, tensors: list[Tensor], out: Any) -> Made:
        books = self.books
        origin = books.origin(args[0])
        training = any(value is True for value in args[4:7])
        # with kept statistics it is one factor and one summand a channel, which fold into the weights before it; without
        # kept ones, or while they are being made, it is computed
        if origin is not None and origin.kind == "currents" and isinstance(args[3], Tensor) and not training:
            return origin.bare
        return self._norm(rule, args, kwargs, tensors, out)

    def _norm(self, rule: Rule, args: Args, kwargs: Any, tensors: list[Tensor], out: Any) -> Made:
        books = self.books
        if books.charged:
            books.add("norm", "norm_op", args[0].numel())
        return self._used(tensors)

    def _activation(self, rule: Rule, args: Args, kwargs: Any, tensors: list[Tensor], out: Any) -> Made:
        books = self.books
        first = books.origin(args[0]) if isinstance(args[0], Tensor) else None
        if rule.name == "pow" and len(args) > 1 and args[1] in (1, 1.0):
            return first
        if books.charged:
            books.add("activation", "activation", elements(out), outputs=0)
            if isinstance(out, Tensor):
                books.pointwise[books.place, "activation"].nonzero += nonzero_elements(out)
        found = [origin for origin in map(books.origin, tensors) if origin is not None]
        made = made_of(found, books.place)
        if first is not None and first.kind in EVENTS and keeps_zero(rule.name, args):
            return first.bare if rule.name in ("abs", "relu") else first.bare._replace(unit=None)
        if first is not None and rule.name in ("abs", "relu"):  # of a size, which is positive, it is the same
            half = ("size", first) if rule.name == "abs" and first.fold is not None else first.half
            if half is not None and half[0] == "size":
                return made._replace(half=half)
        # values from here on: a pooling in front can no more be folded into the layer behind
        books.spoil(tensors)
        if made.kind == "values" and not books.quiet:
            # whole numbers may be spikes that a neuron of the user's own made: pricing asks, if somebody multiplies by them
            if rule.name in ("round", "floor", "ceil", "trunc"):
                return made._replace(suspect=books.place)
            if rule.name in ("clamp", "clamp_min", "clamp_max", "relu", "hardtanh", "threshold"):
                return made._replace(suspect=next((origin.suspect for origin in found if origin.suspect), None))
        return made

    def _elementwise(self, rule: Rule, args: Args, kwargs: Any, tensors: list[Tensor], out: Any) -> Made:
        books = self.books
        name, know = rule.name, books.know
        if name == "add" and len(tensors) == 2:  # a bias that the product did not add itself
            for values, bias in (tensors, tensors[::-1]):
                origin = know.origin(values)
                if origin is not None and origin.kind == "currents" and know.is_weight(bias):
                    account = books.synapses.get(origin.source)
                    if account is not None and not books.unpaid:
                        if not account.bias_adds:
                            account.store(bias, weights=False)
                        account.bias_adds += elements(out)
                    return origin.bare
        sums = bool(books.frames) and books.frames[-1].sums
        if books.quiet or sums:
            own = self._one_to_one(tensors, out) if name == "mul" and len(tensors) == 2 else None
            return own or self._combined(rule, args, tensors, out)
        # values [B, 1] times weights [N], broadcast: a layer of one input, written as a product
        if name == "mul" and len(tensors) == 2 and isinstance(out, Tensor):
            for values, weight in (tensors, tensors[::-1]):
                spread = outer(values, weight, out) if know.is_weight(weight) and not know.is_weight(values) else None
                if spread is not None and books.charged:
                    return books.multiplied(spread)[1]
        made = self._combined(rule, args, tensors, out)
        if books.charged:
            found = [origin for origin in map(books.origin, tensors) if origin is not None]
            named = books.reckoned(name, found, elements(out)) | sums_of(found)
            made = made._replace(sums=made.sums | named) if named else made
        return made

    def _combined(self, rule: Rule, args: tuple[Any, ...], tensors: list[Tensor], out: Any) -> Origin:
        books = self.books
        if rule.name == "mul" and len(tensors) == 2:
            # sign(x) * abs(x) is x: ternary and straight-through layers are written so
            halves = [origin.half for origin in map(books.origin, tensors) if origin is not None and origin.half]
            if len(halves) == 2 and halves[0][0] != halves[1][0] and halves[0][1] is halves[1][1]:
                whole: Origin = halves[0][1]
                return whole
        made = combined(
            rule.name, args, tensors, [books.origin(tensor) for tensor in tensors], books.place, out, books.know.writes
        )
        if made.fold is None:
            books.spoil(tensors)
        if made.kind == "values" and rule.name == "add":
            self._ask([books.origin(tensor) for tensor in tensors])
        return made._replace(suspect=None) if books.quiet else made

    def _reduction(self, rule: Rule, args: Args, kwargs: Any, tensors: list[Tensor], out: Any) -> Made:
        books = self.books
        if books.charged:
            first, last = args[0].numel(), elements(out)
            # a cumulative sum adds along one axis: all but the first of each line
            if rule.name.startswith("cum") or rule.name.startswith("logcum"):
                last = first // max(args[0].shape[args[1]] if args[0].dim() else 1, 1)
            adds = max(first - last, 0)
            # each value is squared, or taken from the mean, before it is added
            if rule.name.split("_")[0] in ("var", "std", "linalg", "norm"):
                adds += first
            found = [origin for origin in map(books.origin, tensors) if origin is not None]
            named = books.reckoned(rule.name, found, adds)
            made = self._used(tensors)
            return made._replace(sums=made.sums | named)
        return self._used(tensors)

    def _used(self, tensors: list[Tensor]) -> Origin:
        """The origin of what arithmetic made of values, in which spikes can no more be told apart."""
        books = self.books
        books.spoil(tensors)
        found = [origin for origin in map(books.origin, tensors) if origin is not None]
        self._ask(found)
        return made_of(found, books.place)

    def _ask(self, origins: Sequence[Origin | None]) -> None:
        """Arithmetic of the network uses these; what another network, or a loss, does with its own is its own."""
        for origin in origins if self.books.charged else ():
            self.books.ask(origin)

    def _one_to_one(self, tensors: list[Tensor], out: Tensor) -> Origin | None:
        """Inside a neuron, its own spikes times a weight: a recurrent connection from each neuron to itself."""
        books = self.books
        know = books.know
        for values, weight in (tensors, tensors[::-1]):
            if books.frames[-1].sums and know.is_weight(weight) and out.shape == values.shape:
                return books.multiplied(scaling(values, weight))[1]
            origin = know.origin(values)
            if (
                origin is not None
                and origin.kind == "spikes"
                and weight.dim() <= values.dim()
                and out.shape == values.shape
                and know.is_weight(weight)
            ):
                source = origin.source
                if source == books.frames[0].path or any(f.path == source for f in books.frames):
                    return books.multiplied(scaling(values, weight))[1]
        return None

    def _comparison(self, rule: Rule, args: Args, kwargs: Any, tensors: list[Tensor], out: Any) -> Made:
        books = self.books
        found = [origin for origin in map(books.origin, tensors) if origin is not None]
        made = made_by_comparison(rule.name, found, books.place)
        if rule.name == "sign" and found and found[0].fold is not None:
            return made._replace(half=("sign", found[0]))
        books.spoil(tensors)
        return made._replace(suspect=None) if books.quiet else made

    def _gatherer(self, rule: Rule, args: Args, kwargs: Any, tensors: list[Tensor], out: Any) -> Made:
        books = self.books
        # what is copied over is gone: only the source matters
        if rule.name == "copy":
            tensors = tensors[1:2]
        origins = [books.origin(tensor) for tensor in tensors]
        self._ask(origins)
        made, folds = gathered(rule, args, kwargs, tensors, origins, out, books.know.writes)
        for origin in origins:
            if origin is not None and origin.fold is not None and not folds:
                books.unfolded.update(origin.fold.pools)
        if isinstance(out, Tensor) or made is None:
            return made if made is None or not folds else made._replace(fold=folds[0])
        results = list(tensors_in(out, {})) if isinstance(out, list | tuple) else []
        for result, fold in zip(results, folds or [None] * len(results), strict=False):
            books.know.put(result, made._replace(fold=fold))
        return None

    def _lookup(self, rule: Rule, args: Args, kwargs: Any, tensors: list[Tensor], out: Any) -> Made:
        books = self.books
        table, indices = args[0], args[1]
        known = books.know.weight(table)
        layer = known.layer(table) if known is not None and known.name else books.place
        if books.charged or known is not None:
            reads = indices.numel() * table.shape[-1]
            books.add("embedding", "weight_read", reads, place=layer, outputs=table.shape[-1])
            if rule.name != "embedding" and reads > elements(out) and (len(args) < 5 or args[4] != 2):
                sums = reads - elements(out)  # the mode `max` only compares
                books.add("embedding", "elementwise", sums, place=layer)
        return Origin("values", layer)

    def _taught(self, rule: Rule, args: Args, kwargs: Any, tensors: list[Tensor], out: Any) -> Made:
        books = self.books
        assert rule.apply is not None
        for event, count in rule.apply(*args, out=out, **kwargs).items():
            if books.charged:
                books.add(rule.name, event, int(count), outputs=elements(out))
        return self._used(tensors)

    def _unknown(self, rule: Rule, args: Args, kwargs: Any, tensors: list[Tensor], out: Any) -> Made:
        books = self.books
        books.spoil(tensors)
        if books.charged or (books.frames and any(books.know.origin(tensor) is not None for tensor in tensors)):
            books.miss(rule.name, why_unknown(rule.name))
        return Origin("values", books.place)
