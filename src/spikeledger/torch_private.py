"""The private parts of torch that the package looks at: this file names them, and no other does.

Torch may rename or drop them in any version. Each is found by its name once, when this file is imported; where it is
gone, something public answers, or the answer that makes nobody trust what is not known: somebody looks on, something
transforms the program. `missing` lists those.
What torch's users write themselves stays where it is used: `tensor._version`, `tensor._base`, and the dictionaries
`_modules`, `_parameters` and `_buffers` of a module, older than any version that we ask for.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Sized
from operator import attrgetter
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad as _forward_ad
from torch.optim import optimizer as _optimizers
from torch.utils import _python_dispatch
from torch.utils._python_dispatch import TorchDispatchMode as DispatchMode

__all__ = [
    "MANY",
    "DispatchMode",
    "as_written",
    "autocasting",
    "decomposes",
    "dispatch_modes",
    "eager_kernel",
    "eager_stance",
    "forward_ad",
    "function_modes",
    "global_hooks",
    "has_private",
    "hook_tables",
    "in_backward",
    "missing",
    "module_hooks",
    "optimizer_hooks",
    "pop_mode",
    "profiling",
    "push_mode",
    "schema_of",
    "storage_key",
    "top_mode",
    "transforms",
    "unwrapped",
]

#: how many look on where that cannot be known: neither none nor one
MANY = 1 << 20

#: what this torch lacks of what is asked for here, as paths below `torch`
missing: list[str] = []

_Found = TypeVar("_Found")
_Method = TypeVar("_Method", bound=Callable[..., Any])


def has_private(name: str) -> bool:
    """Whether this torch has something at a dotted path: `has_private("_C._current_autograd_node")`."""
    try:
        attrgetter(name)(torch)
    except AttributeError:
        return False
    return True


def _found(name: str, otherwise: _Found) -> _Found:
    """What this torch has at a dotted path, or what does instead."""
    if has_private(name):
        found: _Found = attrgetter(name)(torch)
        return found
    missing.append(name)
    return otherwise


# -- who looks on ------------------------------------------------------------------------------------------------------

#: dispatch modes that are active in this thread; `MANY` where that is not known
dispatch_modes: Callable[[], int] = _found("_C._len_torch_dispatch_stack", lambda: MANY)

#: modes of torch functions that are active in this thread; `MANY` where that is not known
function_modes: Callable[[], int] = _found("_C._len_torch_function_stack", lambda: MANY)

#: whether torch's profiler runs; True where that is not known
profiling: Callable[[], bool] = _found("_C._autograd._profiler_enabled", lambda: True)


def _somebody(name: str) -> Sized:
    return _found(f"nn.modules.module.{name}", range(MANY))


_FORWARD_PRE, _FORWARD = _somebody("_global_forward_pre_hooks"), _somebody("_global_forward_hooks")
_BACKWARD_PRE, _BACKWARD = _somebody("_global_backward_pre_hooks"), _somebody("_global_backward_hooks")


def global_hooks() -> tuple[int, int, int, int]:
    """How many hooks are there for all modules: before forward, after it, before backward, after it."""
    return len(_FORWARD_PRE), len(_FORWARD), len(_BACKWARD_PRE), len(_BACKWARD)


def module_hooks(module: nn.Module) -> bool:
    """Whether a module has a hook of its own, before or after forward or backward; True where that is not known."""
    try:
        return bool(
            module._forward_hooks or module._forward_pre_hooks or module._backward_hooks or module._backward_pre_hooks
        )
    except AttributeError:
        return True


def optimizer_hooks(optimizer: torch.optim.Optimizer) -> bool:
    """Whether somebody is called before or after the steps of an optimizer; True where that is not known."""
    try:
        return bool(
            optimizer._optimizer_step_pre_hooks
            or optimizer._optimizer_step_post_hooks
            or _optimizers._global_optimizer_pre_hooks
            or _optimizers._global_optimizer_post_hooks
        )
    except AttributeError:
        return True


# -- what changes the meaning of a program -----------------------------------------------------------------------------

_interpreter: Callable[[], object] = _found("_C._functorch.peek_interpreter_stack", lambda: True)
_node: Callable[[], object] = _found("_C._current_autograd_node", lambda: _task() != -1 or None)
_task: Callable[[], int] = _found("_C._current_graph_task_id", lambda: -1)


def transforms() -> bool:
    """Whether `torch.func` transforms what runs (vmap, grad, jvp); True where that is not known."""
    return _interpreter() is not None


def in_backward() -> bool:
    """Whether a node of autograd's graph runs in this thread: a backward pass, or a forward that it asks for anew.

    Without either of the two names that tell, a backward pass is taken for a part of the run: counted, never lost.
    """
    return _node() is not None


def forward_ad() -> bool:
    """Whether forward-mode differentiation is on; True where that is not known."""
    try:
        return _forward_ad._current_level >= 0
    except AttributeError:
        return True


def _any_autocast() -> bool:
    for device in ("cpu", "cuda", "xpu", "mps"):
        try:
            if torch.is_autocast_enabled(device):
                return True
        except RuntimeError:  # a device that this torch does not know
            continue
    return False


#: whether autocast is on for any device
autocasting: Callable[[], bool] = _found("_C._is_any_autocast_enabled", _any_autocast)


# -- the stack of dispatch modes ---------------------------------------------------------------------------------------


def _enter(mode: DispatchMode) -> None:
    mode.__enter__()


def _exit(_: None) -> DispatchMode:
    mode = _python_dispatch._get_current_dispatch_mode()
    assert mode is not None  # who takes one away has put it there
    mode.__exit__(None, None, None)
    return mode


_push: Callable[[DispatchMode], None]
_pop: Callable[[None], DispatchMode]
if has_private("_C._push_on_torch_dispatch_stack") and has_private("_C._pop_torch_dispatch_stack"):
    _push, _pop = torch._C._push_on_torch_dispatch_stack, torch._C._pop_torch_dispatch_stack
else:  # both or none: what one puts there the other takes
    missing.append("_C._push_on_torch_dispatch_stack")
    _push, _pop = _enter, _exit


def push_mode(mode: DispatchMode) -> None:
    """Put a dispatch mode on top of this thread's stack: it hears every operator until `pop_mode`."""
    _push(mode)


def pop_mode() -> DispatchMode:
    """Take the dispatch mode on top of this thread's stack away, and return it."""
    return _pop(None)


def top_mode() -> DispatchMode | None:
    """The dispatch mode on top of this thread's stack; None where there is none, or none can be told."""
    return _top()


_top: Callable[[], DispatchMode | None] = getattr(_python_dispatch, "_get_current_dispatch_mode", lambda: None)


# -- hooks and compilers -----------------------------------------------------------------------------------------------


def hook_tables(module: nn.Module) -> tuple[dict[int, Any], ...]:
    """A module's own hooks before and after its forward, each by a number; none where they cannot be found."""
    return tuple(table for name in ("_forward_pre_hooks", "_forward_hooks") if (table := getattr(module, name, None)))


def eager_stance() -> Callable[[], None]:
    """Let compiled functions run as they were written, until what is returned is called; nothing before torch 2.6.

    To say so imports torch's compiler, which takes a second: where nobody has, it is said when somebody does.
    """
    stance = getattr(torch.compiler, "set_stance", None)
    if stance is None:
        return lambda: None
    held: list[Any] = []
    waits = _Waits(_COMPILER, lambda: held.append(stance("force_eager")))
    if _COMPILER in sys.modules:
        waits.deed()
    else:
        sys.meta_path.insert(0, waits)

    def undo() -> None:
        if waits in sys.meta_path:
            sys.meta_path.remove(waits)
        while held:
            held.pop().__exit__(None, None, None)

    return undo


_COMPILER = "torch._dynamo"


class _Waits:
    """Does something as soon as a module has been imported."""

    def __init__(self, name: str, deed: Callable[[], object]) -> None:
        self.name = name
        self.deed = deed

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """The module's own place, with the deed behind it; none for other modules."""
        if name != self.name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        loader: Any = spec.loader if spec is not None else None
        if loader is not None:
            run = loader.exec_module

            def then(module: Any) -> None:
                run(module)
                self.deed()

            loader.exec_module = then
        return spec


def as_written(method: _Method) -> _Method:
    """A method that torch wraps to keep its compiler away, unwrapped; itself where it is not wrapped."""
    found: _Method = getattr(method, "__wrapped__", method)
    return found


def eager_kernel(operator: Any) -> Callable[..., Any] | None:
    """What an operator of higher order does without a compiler, written in other operators; None where that is not known."""
    kernels = getattr(operator, "py_kernels", {})
    return kernels.get(getattr(torch._C.DispatchKey, "CompositeExplicitAutograd", None))


def schema_of(operator: Any) -> Any:
    """An operator's schema: its full name, its arguments, and which of them it writes into; None of higher orders."""
    return getattr(operator, "_schema", None)


def decomposes(operator: Any) -> bool:
    """Whether an operator is made of others, which run in its place; True where that is not known, for trying tells."""
    can = getattr(operator, "_can_decompose", None)
    return True if can is None else bool(can())


# -- tensors -----------------------------------------------------------------------------------------------------------


_wraps: Callable[[Tensor], bool] = _found("_C._functorch.is_functorch_wrapped_tensor", lambda tensor: False)
_inside: Callable[[Tensor], Tensor] = _found("_C._functorch.get_unwrapped", lambda tensor: tensor)


def unwrapped(tensor: Tensor) -> Tensor:
    """What `torch.func` (vmap, grad) wraps: the tensor that operators really get; any other tensor is itself."""
    while _wraps(tensor):
        inner = _inside(tensor)
        if inner is tensor:
            break
        tensor = inner
    return tensor


def storage_key(tensor: Tensor) -> int | None:
    """A number that all tensors on one storage share, and no other as long as one of them lives.

    None for a tensor without a storage of its own: sparse ones, those inside `torch.func`.
    """
    try:
        return tensor.untyped_storage()._cdata
    except (NotImplementedError, RuntimeError):
        return None
    except AttributeError:  # torch keeps a storage's Python object as long as the storage lives
        return id(tensor.untyped_storage())
