"""Which back end runs: chosen by device and by what is there, or forced by name."""

from __future__ import annotations

import importlib
import logging
import os
from contextvars import ContextVar
from functools import cache
from types import ModuleType, TracebackType

import torch
from torch import Tensor

from ..errors import InputError, unknown_name
from ..torch_private import forward_ad, transforms

#: `auto` takes the fastest that is there; `reference` is plain torch, `cpu` the native core, `gpu` Triton
BACKENDS = ("auto", "reference", "cpu", "gpu")

#: the instruction set that the native core is to use in place of the best that the processor has: to test another, or to
#: find out whether a fault goes with one
INSTRUCTION_SET_VARIABLE = "SPIKELEDGER_INSTRUCTION_SET"

#: of this thread or task: who forces one leaves all others alone
_forced: ContextVar[str] = ContextVar("back end", default="auto")
#: the process that began; a child that it forks lacks its threads
_process = os.getpid()


class backend:  # a function to its callers, as torch.set_grad_enabled is
    """Force a back end in this thread: `sl.neurons.backend("reference")` from here on, behind `with` for a block.

    Raises:
        InputError: for an unknown name, or a back end that this machine does not have.
    """

    def __init__(self, name: str) -> None:
        if name not in BACKENDS:
            raise unknown_name("back end", name, BACKENDS)
        if name == "cpu" and native() is None:
            raise InputError("the back end 'cpu' was asked for, but the native core was not built: install a compiler")
        if name == "gpu" and not torch.cuda.is_available():
            raise InputError("the back end 'gpu' was asked for, but torch finds no GPU: use 'auto'")
        self._name, self._before = name, _forced.get()
        _forced.set(name)

    def __enter__(self) -> None:
        _forced.set(self._name)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _forced.set(self._before)


def name(device: str | torch.device = "cpu") -> str:
    """The back end that neurons on a device run on, for reports: `cpu (avx512)`, `gpu (triton)` or `reference`."""
    kind = torch.device(device).type
    core = native()
    if kind == "cpu" and _forced.get() in ("auto", "cpu") and core is not None:
        return f"cpu ({core.instruction_set()})"
    if kind == "cuda" and _forced.get() in ("auto", "gpu") and triton() is not None:
        return "gpu (triton)"
    return "reference"


def runs_native(tensor: Tensor) -> bool:
    """Whether the native core may take a tensor: an ordinary one, on the CPU, in float32 or bfloat16."""
    return (
        _forced.get() in ("auto", "cpu")
        and tensor.is_cpu
        and _is_short(tensor)
        and _ordinary(tensor)
        and native() is not None
    )


def runs_triton(tensor: Tensor) -> bool:
    """Whether the Triton kernels may take a tensor: on a GPU, in float32 or bfloat16."""
    return (
        _forced.get() in ("auto", "gpu")
        and tensor.device.type == "cuda"
        and _is_short(tensor)
        and _ordinary(tensor)
        and triton() is not None
    )


# asked several times a step, which small networks feel: names of this module and `is` are quicker than torch's own and `==`
_FLOAT32, _BFLOAT16, _STRIDED, _Parameter = torch.float32, torch.bfloat16, torch.strided, torch.nn.Parameter


def _is_short(tensor: Tensor) -> bool:
    """Whether a tensor is float32 or bfloat16."""
    dtype = tensor.dtype
    return dtype is _FLOAT32 or dtype is _BFLOAT16


def _ordinary(tensor: Tensor) -> bool:
    """Whether a tensor's numbers are what lies in its memory, and nobody transforms the program that runs: neither
    `torch.compile` nor `torch.func` nor forward-mode differentiation, for which kernels have no rule."""
    kind = type(tensor)
    return (
        (kind is Tensor or kind is _Parameter)
        and tensor.layout is _STRIDED
        and not tensor.is_neg()
        and not torch.compiler.is_compiling()
        and not forward_ad()
        and not transforms()
    )


@cache
def native() -> ModuleType | None:
    """The native core, or None where it was not built; that is said once.

    Raises:
        InputError: SPIKELEDGER_INSTRUCTION_SET names an instruction set that this processor does not have.
    """
    try:
        core = importlib.import_module(f"{__package__}._native")
    except ImportError as error:
        logging.getLogger("spikeledger").warning(
            "the native core is not there (%s): neurons run on plain torch, slower; install a C++20 compiler and "
            "install spikeledger again",
            error,
        )
        return None
    wanted = os.environ.get(INSTRUCTION_SET_VARIABLE)
    if wanted:
        has = core.instruction_sets()
        if wanted not in has:
            raise InputError(
                f"{INSTRUCTION_SET_VARIABLE} is {wanted!r}, but this processor's are {', '.join(has)}: name one of these, or "
                "unset it"
            )
        core.use_instruction_set(wanted)
    if os.getpid() != _process:
        core.after_fork()
    return core


@cache
def triton() -> ModuleType | None:
    """The Triton kernels, or None where torch brought no triton."""
    try:
        return importlib.import_module(f"{__package__}.gpu")
    except ImportError:
        return None
