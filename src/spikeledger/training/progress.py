"""What a user sees while training: a line an epoch, and under it, on a terminal, a bar that goes when it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from .history import Epoch


@dataclass(frozen=True)
class Watch:
    """What the training loop calls: `batch(done, loss, accuracy)` now and then, `epoch(row)` after each epoch."""

    batch: Callable[[int, float, float], None]
    epoch: Callable[[Epoch], None]


Progress = bool | Callable[[Epoch], None]


@contextmanager
def watching(progress: Progress, *, epochs: int, finished: int, batches: int) -> Iterator[Watch]:
    """Show a run on standard error; a callable gets each finished epoch instead, and `False` shows nothing."""
    if not isinstance(progress, bool) or not progress:
        yield Watch(lambda done, loss, accuracy: None, progress if callable(progress) else lambda row: None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield Watch(lambda done, loss, accuracy: None, lambda row: console.print(str(row), soft_wrap=True))
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, console=console, transient=True) as bars:
        current = finished + 1
        task = bars.add_task(f"epoch {current} of {epochs}", total=batches)

        def batch(done: int, loss: float, accuracy: float) -> None:
            text = f"epoch {current} of {epochs}, loss {loss:.4f}, train {accuracy:.2%}"
            bars.update(task, completed=done, description=text)

        def epoch(row: Epoch) -> None:
            nonlocal current
            current = row.number + 1
            console.print(str(row), soft_wrap=True)
            if current <= epochs:
                bars.reset(task, description=f"epoch {current} of {epochs}", total=batches)

        yield Watch(batch, epoch)
