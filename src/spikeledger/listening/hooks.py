"""One ear: `with listen(listener): network(x)` lets a listener follow everything that runs in this thread.

A listener hears modules as they begin and end (torch's global hooks, so that nothing is ever attached to anybody's
modules), operators as they run (a dispatch mode of its own), and, if it takes `bits`, what event-driven networks do
without floats. Listeners are stacked, one stack a thread: recordings in several threads, or inside each other, know
nothing of each other. While anybody listens, compiled networks run as they were written.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from typing import Any, TypeVar

from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from ..torch_private import DispatchMode, dispatch_modes, eager_stance, global_hooks, pop_mode, push_mode, top_mode

_Forward = TypeVar("_Forward", bound=Callable[..., Any])


class Listener:
    """Hears what runs; each part may be left out."""

    #: what event-driven networks tell of bits, `networks.event_driven.Watcher`; None: give me floats
    bits: Any = None

    def entered(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        """A module begins."""

    def left(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
        """A module ended, or raised (`output` is None); what is returned, if anything, is taken for its output."""

    def runs(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """An operator is to run: run it and give its result."""
        return func(*args, **kwargs)


class Ear:
    """One listener's place in the stack; where it does not want to hear operators for a while, torch does not call."""

    def __init__(self, listener: Listener, operators: bool) -> None:
        self.listener = listener
        self.mode = _Mode(listener) if operators else None
        self._closed = 0  # how often `close` was called
        self._off = False  # whether the mode is off torch's stack meanwhile

    @property
    def hears(self) -> bool:
        """Whether operators are heard."""
        return self.mode is not None and not self._closed

    def close(self) -> None:
        """Hear no operators, until `open` is called as often."""
        self._closed += 1
        if self.mode is not None and self._closed == 1:
            self._off = top_mode() is self.mode
            if self._off:
                pop_mode()
            else:  # somebody's mode lies on top of it
                self.mode.deaf = True

    def open(self) -> None:
        """Hear operators again."""
        self._closed -= 1
        if self.mode is not None and not self._closed:
            if self._off:
                push_mode(self.mode)
            self._off = self.mode.deaf = False

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Inside `runs`, where torch has the mode off its stack: hear what runs in this block."""
        assert self.mode is not None
        push_mode(self.mode)
        try:
            yield
        finally:
            pop_mode()


class _Mode(DispatchMode):
    """Shows a listener every operator."""

    supports_higher_order_operators = True

    def __init__(self, listener: Listener) -> None:
        super().__init__()
        self.listener = listener
        self.deaf = False


def _dispatch(
    self: _Mode, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
) -> Any:
    if self.deaf:
        return func(*args, **(kwargs or {}))
    return self.listener.runs(func, args, kwargs or {})


# Set afterwards, for torch wraps what stands in the class: the first operator would then wait for its compiler's import.
_Mode.__torch_dispatch__ = _dispatch  # type: ignore[method-assign,assignment]


class _Here(threading.local):
    def __init__(self) -> None:
        self.ears: list[Ear] = []
        self.modules: list[nn.Module] = []  # that run, the innermost last; kept while anybody listens


_here = _Here()
_lock = threading.Lock()
_listening = 0  # ears in all threads
_undo: list[Any] = []  # what takes the hooks, and the compiler's stance, back


def _enter(module: nn.Module, args: tuple[Any, ...]) -> None:
    if _here.ears:
        _here.modules.append(module)
    for ear in _here.ears:
        ear.listener.entered(module, args)


def _leave(module: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
    if _here.modules:
        _here.modules.pop()
    changed = None
    for ear in reversed(_here.ears):
        found = ear.listener.left(module, args, output if changed is None else changed)
        changed = found if found is not None else changed
    return changed


def _begin() -> None:
    global _listening
    with _lock:
        _listening += 1
        if _listening == 1:
            before = register_module_forward_pre_hook(_enter)
            after = register_module_forward_hook(_leave, always_call=True)
            _undo.extend((before.remove, after.remove))
            _undo.append(eager_stance())
            warnings.filterwarnings("ignore", "Using `torch.compile")  # that there are hooks
            _undo.append(partial(_forget, warnings.filters[0]))


def _forget(entry: Any) -> None:
    if entry in warnings.filters:
        warnings.filters.remove(entry)  # type: ignore[attr-defined]


def _end() -> None:
    global _listening
    with _lock:
        _listening -= 1
        if not _listening:
            while _undo:
                _undo.pop()()


@contextmanager
def listen(listener: Listener, *, operators: bool = True) -> Iterator[Ear]:
    """Let a listener hear what runs in this thread inside the block; afterwards all is as it was."""
    ear = Ear(listener, operators)
    _begin()
    _here.ears.append(ear)
    if ear.mode is not None:
        push_mode(ear.mode)
    try:
        yield ear
    finally:
        if ear.mode is not None and not ear._off:
            _take_off(ear.mode)
        _here.ears.remove(ear)
        if not _here.ears:
            _here.modules.clear()
        _end()


def _take_off(mode: _Mode) -> None:
    """Take a mode off this thread's stack, wherever it lies: whoever began last need not end first."""
    above = []
    while (top := top_mode()) is not None:
        pop_mode()
        if top is mode:
            break
        above.append(top)
    for other in reversed(above):
        push_mode(other)


def called(forward: _Forward) -> _Forward:
    """A module's forward that is heard as a call is, where it is called by itself too: `lif.forward(currents)`."""

    @wraps(forward)
    def heard(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        if not _here.ears or (_here.modules and _here.modules[-1] is self):
            return forward(self, *args, **kwargs)
        _enter(self, args)
        output = None
        try:
            output = forward(self, *args, **kwargs)
        finally:
            changed = _leave(self, args, output)
        return output if changed is None else changed

    return heard  # type: ignore[return-value]


def heard_by() -> Any:
    """Who is told of bits in this thread: the innermost listener's `bits`; None if nobody listens."""
    ears = _here.ears
    return ears[-1].listener.bits if ears else None


def listens() -> bool:
    """Whether anybody listens in this thread."""
    return bool(_here.ears)


def strangers() -> bool:
    """Whether anybody else looks on in this thread: a global hook or a dispatch mode that is no ear's."""
    before, after, *_ = global_hooks()
    own = 1 if _listening else 0
    if before > own or after > own:
        return True
    modes = 0
    for ear in _here.ears:
        modes += ear.mode is not None and not ear._off
    return dispatch_modes() > modes


def alone() -> bool:
    """Whether one listener hears, and nobody else looks on."""
    return len(_here.ears) == 1 and not strangers()
