"""Files that were whole once: bytes, words, values and array headers are damaged, all of it drawn from one generator."""

from __future__ import annotations

import json
import re
from random import Random
from typing import Any

#: numbers at the edges of what a machine word, a float or a reader can hold
NUMBERS = [
    0, 1, -1, 2, 7, 127, 128, 255, 256, 2**15, 2**16, 2**31 - 1, 2**31, 2**32, 2**40, 2**53, 2**62, 2**63 - 1, 2**63, 2**64,
    10**30,
]  # fmt: skip
#: what stands for a number in TOML, JSON or a header, and should not
ODD_NUMBERS = [
    "nan", "inf", "-inf", "NaN", "Infinity", "1e999", "-1e308", "5e-324", "1e308", "0x1F", "1_000", "-0", "0.5", "1.5", "-7",
    "9" * 40, "true", "null", '"many"', '""', "[]", "{}", "[[1]]", "1979-05-27", "[1, 'a']", "{ a = 1 }",
]  # fmt: skip
#: text that a name, a key or a path may be made of
ODD_TEXTS = [
    "", " ", "a\nb", "\x00", "\x1b]0;x\x07", "\u202e", "é" * 3, "😀", "../../x", "/dev/zero", "/", ".", "{0}", "%s", "a" * 5000,
    "__class__", "'; --", "[red]", "<b>", "\\", '"', "nan", "None", "loihi", "\ud800",
]  # fmt: skip
#: pieces that file formats are made of
TOKENS = [
    b"\x93NUMPY\x01\x00", b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b\x08", b"\x89HDF\r\n\x1a\n", b"GCOL", b"TREE",
    b"\xff" * 8, b"\x00" * 8, b"\x7f\xff\xff\xff", b"\x80\x00\x00\x00", b"(((((", b"[[[[", b"{'descr': '|O'", b"<f16", b">i8",
]  # fmt: skip
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_WORD = re.compile(r"[A-Za-z_][\w-]*")


def damaged(draw: Random, content: bytes) -> bytes:
    """Bytes cut, flipped, overwritten, doubled, taken out, put in or turned round, once to four times."""
    made = bytearray(content)
    for _ in range(draw.choice((1, 1, 1, 2, 2, 4))):
        if not made:
            return bytes(draw.randbytes(draw.randrange(64)))
        at, kind = draw.randrange(len(made)), draw.randrange(9)
        length = min(draw.choice((1, 2, 4, 8, 30, 200)), len(made) - at)
        if kind == 0:
            del made[at:]
        elif kind == 1:
            made[at] ^= 1 << draw.randrange(8)
        elif kind == 2:
            made[at] = draw.randrange(256)
        elif kind == 3:
            size = draw.choice((1, 2, 4, 8))
            number = draw.choice(NUMBERS) & ((1 << 8 * size) - 1)
            made[at : at + size] = number.to_bytes(size, draw.choice(("little", "big")))
        elif kind == 4:
            del made[at : at + length]
        elif kind == 5:
            made[at:at] = made[at : at + length] * draw.choice((1, 1, 3, 40))
        elif kind == 6:
            made[at:at] = draw.choice(TOKENS)
        elif kind == 7:
            made[at : at + length] = made[at : at + length][::-1]
        else:
            to = draw.randrange(len(made))
            made[to : to + length] = made[at : at + length]
    return bytes(made)


def reworded(draw: Random, text: str) -> str:
    """Text of a table: a number, a word or a line is another, is missing, or is there twice, once to three times."""
    for _ in range(draw.choice((1, 1, 2, 3))):
        kind = draw.randrange(8)
        lines = text.splitlines(keepends=True)
        if not lines:
            return draw.choice(ODD_TEXTS)
        if kind in (0, 1, 2):
            found = list(_NUMBER.finditer(text))
            if found:
                spot = draw.choice(found)
                new = draw.choice(ODD_NUMBERS) if draw.random() < 0.6 else str(draw.choice(NUMBERS))
                text = text[: spot.start()] + new + text[spot.end() :]
        elif kind in (3, 4):
            found = list(_WORD.finditer(text))
            if found:
                spot = draw.choice(found)
                new = draw.choice(ODD_TEXTS) if draw.random() < 0.5 else draw.choice(found)[0]
                text = text[: spot.start()] + new + text[spot.end() :]
        elif kind == 5:
            del lines[draw.randrange(len(lines))]
            text = "".join(lines)
        elif kind == 6:
            lines.insert(draw.randrange(len(lines) + 1), draw.choice(lines))
            text = "".join(lines)
        else:
            at = draw.randrange(len(text) + 1)
            text = text[:at] + draw.choice(("=", "[", "]", "{", "}", '"', ",", "\n", "'", "#", ".", "-")) + text[at:]
    return text


def revalued(draw: Random, tree: Any) -> Any:
    """Plain values with one or two of them replaced, taken away or doubled, wherever they stand."""
    tree = json.loads(json.dumps(tree))
    for _ in range(draw.choice((1, 1, 2))):
        places = list(_places(tree))
        if not places:
            return draw.choice([None, 3, "", []])
        parent, key = draw.choice(places)
        kind = draw.randrange(6)
        if kind == 0:
            del parent[key]
        elif kind == 1 and isinstance(parent, list):
            parent.insert(key, parent[key])
        elif kind == 1:
            parent[draw.choice(ODD_TEXTS[:20])] = parent[key]
        else:
            parent[key] = draw.choice(
                (None, True, draw.choice(ODD_TEXTS[:-1]), [], {}, [parent[key]], {"a": parent[key]})
                if kind < 4
                else (draw.choice(NUMBERS), -draw.choice(NUMBERS), 0.5, 1e308, float("inf"), float("nan"), 5e-324)
            )
    return tree


def _places(tree: Any) -> Any:
    """Every value's parent and key."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in list(items):
        yield tree, key
        yield from _places(value)


def recoded(draw: Random, content: bytes) -> bytes:
    """A table's bytes: mostly as text, now and then as bytes."""
    if draw.random() < 0.15:
        return damaged(draw, content)
    return reworded(draw, content.decode("utf-8", "replace")).encode("utf-8", "surrogatepass")
