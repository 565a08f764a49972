"""Every error that the package raises, as one tree.

::

    SpikeLedgerError                what a user can mend: one sentence that says what was given, expected and to do
    ├── InputError (ValueError)     a value, shape, name or option that cannot be used
    │   └── CallError (TypeError)   a call that cannot be: an argument missing, unknown, or of another kind
    ├── UnknownAttribute (AttributeError)  a name that there is none of
    ├── DataError                   a data set that is missing, cut, corrupt or cannot be downloaded
    ├── FileFormatError             an activity, checkpoint, profile or network file that cannot be trusted
    ├── ProfileError                a hardware profile that is not complete, not sourced or contradicts itself
    ├── UncountedError              an activity holds operators that nobody counted
    ├── UnpricedError               a bill holds events that the profile has no price for
    └── CapacityError (MemoryError) a network that does not fit a chip

The command line prints the sentence and ends with exit code 2; a bug stays a traceback.
"""

from __future__ import annotations

import difflib
import os
import traceback
from collections.abc import Iterable
from pathlib import Path

#: letters of a message
_LONGEST = 1400


class SpikeLedgerError(Exception):
    """What a user can mend; the message is one sentence for that user, `shell` the same in the words of the command."""

    def __init__(self, message: str = "", *, shell: str = "") -> None:
        super().__init__(_sentence(message))
        self.shell = _sentence(shell or message)


def _sentence(text: str) -> str:
    """One line of a readable length: what a message repeats of a file may be of any length, and hold line feeds."""
    line = " ".join(text.splitlines())
    if len(line) <= _LONGEST:
        return line
    return f"{line[: _LONGEST - 320]} [...] {line[-300:]}"  # what was given stands first, and what to do last


class InputError(SpikeLedgerError, ValueError):
    """A value, shape, name or option that cannot be used."""


class CallError(InputError, TypeError):
    """A call that cannot be: an argument missing, unknown, or of another kind."""


class UnknownAttribute(SpikeLedgerError, AttributeError):
    """A name that a result, or the package, does not have."""


class DataError(SpikeLedgerError):
    """A data set that is missing, cut, corrupt or cannot be downloaded."""


class FileFormatError(SpikeLedgerError):
    """A file that is truncated, hostile or of another kind; nothing in it is executed."""


class ProfileError(SpikeLedgerError):
    """A hardware profile that is not complete, not sourced or contradicts itself."""


class UncountedError(SpikeLedgerError):
    """An activity holds operators or neurons that have no counting rule."""


class UnpricedError(SpikeLedgerError):
    """A bill holds events for which the profile has no price."""


class CapacityError(SpikeLedgerError, MemoryError):
    """A network that does not fit a chip."""


def unknown_name(kind: str, given: object, known: Iterable[str]) -> InputError:
    """The error for a name that does not exist, with the nearest one that does: ``did you mean 'mnist'?``"""
    names = sorted(known)
    if not isinstance(given, str):
        return InputError(f"a {kind} was given as {given!r:.60}, but is one of {', '.join(names) or 'none'}")
    alike = {name.lower(): name for name in names}
    near = difflib.get_close_matches(given.strip().lower(), alike, n=1, cutoff=0.5)
    hint = f"did you mean '{alike[near[0]]}'?" if near else f"known: {', '.join(names) or 'none'}"
    return InputError(f"unknown {kind} '{given}': {hint}")


def of_kind(value: object) -> str:
    """What a value is, in a sentence: "None", "a dict", "an Activity"."""
    return "None" if value is None else a_kind(type(value))


def a_kind(kind: type) -> str:
    """One of a kind, in a sentence."""
    return f"{'an' if kind.__name__[0] in 'AEIOUaeiou' else 'a'} {kind.__name__}"


def retold(error: BaseException) -> str:
    """What somebody else's code raised: its kind, the first line of what it said, and the user's own line, if any.

    Lines of this package and of installed ones are no help to a user; the innermost one of any other file is.
    """
    said = str(error).strip().splitlines()
    text = type(error).__name__ + (f": {said[0][:200]}" if said else "")
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_own(frame.filename)]
    return f"{text} ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else text


#: how numpy and torch say that there is no room
_NO_ROOM = (
    "can't allocate memory", "not enough memory", "out of memory", "Unable to allocate", "Maximum allowed dimension",
    "array is too big", "array dimensions exceed", "too large to convert", "Storage size calculation overflowed",
    "Invalid shape dimension",
)  # fmt: skip


def no_room(error: BaseException) -> CapacityError | None:
    """The sentence where numbers were asked for that no memory holds; None where something else is the matter."""
    said = str(error)
    large = isinstance(error, MemoryError) or (
        isinstance(error, OverflowError | RuntimeError | ValueError) and any(words in said for words in _NO_ROOM)
    )
    if isinstance(error, SpikeLedgerError) or not large:
        return None
    return CapacityError(
        f"this was asked for more than the machine's memory holds ({(said.splitlines() or ['no room'])[0]:.200}): take "
        "fewer samples, steps or neurons"
    )


def by_torch(error: RuntimeError) -> bool:
    """Whether torch raised it from its own code, as for shapes that do not fit, and nobody by a `raise` of theirs."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames or not (type(error) is RuntimeError or type(error).__module__.startswith("torch")):
        return False
    return "/torch/" in Path(frames[-1].filename).as_posix() or not (frames[-1].line or "").lstrip().startswith("raise")


def cannot_run(who: str, shape: Iterable[int], kind: object, error: RuntimeError) -> SpikeLedgerError | None:
    """The sentence where torch cannot run a network on such inputs; None where somebody raised it by a `raise` of theirs."""
    if isinstance(error, SpikeLedgerError) or (not (large := no_room(error)) and not by_torch(error)):
        return None
    return large or InputError(
        f"{who} cannot run on inputs of shape {list(shape)}, {kind} ({retold(error)}): give samples of the shape and number "
        "format that it was made for"
    )


def _is_own(path: str) -> bool:
    """Whether a file is the user's: neither of this package, nor of Python, nor installed."""
    homes = (str(Path(__file__).parent), str(Path(os.__file__).parent), "<")
    return not path.startswith(homes) and "-packages" not in path
