"""How much happened, in software: exact counts of any torch module's run.

`sl.recording(network)` is a function and this package has its name: Python puts a package into its parent as soon as
anything in it is imported, so the package itself can be called, with the same effect.
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from types import ModuleType
from typing import Any


class _Recording(ModuleType):
    def __call__(self, network: Any, **options: Any) -> AbstractContextManager[Any]:
        from .record import recording

        return recording(network, **options)


sys.modules[__name__].__class__ = _Recording
