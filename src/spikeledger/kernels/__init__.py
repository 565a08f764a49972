"""How neurons run fast: one interface, several back ends that must agree; `reference` is the oracle."""

from __future__ import annotations

from .choice import BACKENDS, backend, name
from .fire import integrate_and_fire
from .planes import Planes, planes_of

__all__ = ["BACKENDS", "Planes", "backend", "integrate_and_fire", "name", "planes_of"]
