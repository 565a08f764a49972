"""A picture of one ledger: which layers and events its joules go to."""

from __future__ import annotations

from ..errors import InputError
from ..ledger import Ledger
from .axes import Scale
from .drawing import WIDTH, Box, Picture, Words, shortened
from .wording import joules, percent

_MOST = 14  # layers; the others are one bar


def plot_ledger(ledger: Ledger) -> Picture:
    """Joules a sample by layer, dearest first, in the colours of operations, memory, routing and static power.

    Raises:
        InputError: nothing costs anything.
    """
    samples = max(ledger.samples, 1)
    books: dict[str, dict[str, float]] = {}
    for entry in ledger.entries:
        book = books.setdefault(entry.layer or "device", {})
        book[entry.term] = book.get(entry.term, 0.0) + entry.joules / samples
    order = sorted(books, key=lambda name: -sum(books[name].values()))
    whole = ledger.joules_per_sample
    if whole <= 0:
        raise InputError("nothing in this ledger costs anything: there is nothing to draw")
    rows = [(name, books[name]) for name in order[:_MOST]]
    if order[_MOST:]:
        rest: dict[str, float] = {}
        for name in order[_MOST:]:
            for term, value in books[name].items():
                rest[term] = rest.get(term, 0.0) + value
        rows.append((f"{len(order) - _MOST} others", rest))
    dearest = order[0]
    share = sum(books[dearest].values()) / whole
    head = f"{percent(share)} of {joules(whole)} a sample go to {dearest}"
    terms = [term for term in ("operations", "memory", "routing", "static") if any(term in book for _, book in rows)]
    picture = Picture(f"Joules by layer: {ledger.profile.name}", head, height=34.0 + 20 * len(rows))
    for index, term in enumerate(terms):
        picture.add(Box(index * 92, 4, 11, 11, term, round=2), Words(index * 92 + 16, 14, term))
    x = Scale(0.0, max(sum(book.values()) for _, book in rows), 150.0, WIDTH - 110)
    for index, (name, book) in enumerate(rows):
        y, at = 28.0 + 20 * index, 0.0
        picture.add(Words(x.start - 6, y + 11, shortened(name, x.start - 8), "muted", anchor="end"))
        for term in terms:
            value = book.get(term, 0.0)
            if value > 0:
                wide = x(at + value) - x(at)
                picture.add(Box(x(at), y + 1, max(wide - 1.0, 0.6), 12, term, f"{name}, {term}: {joules(value)}"))
                at += value
        picture.add(Words(x(at) + 5, y + 11, f"{joules(at)}, {percent(at / whole)}"))
    return picture
