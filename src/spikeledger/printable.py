"""What a terminal may be given: control characters, by which a name could steer it, are written as escapes."""

from __future__ import annotations

import re

#: C0 but for tab and line feed, DEL, C1, marks that turn the direction of text, and halves of characters
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """The same text with every control character as an escape: `\\x1b` in place of what starts a command."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
