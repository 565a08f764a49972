"""What is asked of torch's private parts: the right answer where they are, and a careful one where they are gone."""

from __future__ import annotations

import importlib.util
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn
from torch.autograd import forward_ad
from torch.optim import optimizer as everywhere
from torch.overrides import TorchFunctionMode

from spikeledger import torch_private as private

#: what the module looks for below `torch`, each found in the torch that is installed
NAMES = (
    "_C._len_torch_dispatch_stack",
    "_C._len_torch_function_stack",
    "_C._autograd._profiler_enabled",
    "_C._functorch.peek_interpreter_stack",
    "_C._current_autograd_node",
    "_C._current_graph_task_id",
    "_C._is_any_autocast_enabled",
    "_C._push_on_torch_dispatch_stack",
    "_C._pop_torch_dispatch_stack",
    "nn.modules.module._global_forward_pre_hooks",
    "nn.modules.module._global_forward_hooks",
    "nn.modules.module._global_backward_pre_hooks",
    "nn.modules.module._global_backward_hooks",
)


class Heard(private.DispatchMode):
    """Notes which operators ran."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


class Asked(torch.autograd.Function):
    """A node that notes what `in_backward` says while it runs backward."""

    answers: list[bool]

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, of: ModuleType) -> torch.Tensor:
        ctx.of = of
        Asked.answers = [of.in_backward()]
        return x * 1

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> Any:
        Asked.answers.append(ctx.of.in_backward())
        return grad, None


def without(monkeypatch: pytest.MonkeyPatch, *names: str) -> ModuleType:
    """The module as it is imported beside a torch that lacks some names."""
    with monkeypatch.context() as gone:
        for name in names:
            gone.delattr(f"torch.{name}")
        spec = importlib.util.spec_from_file_location("torch_private_without", str(private.__file__))
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


def test_this_torch_has_all_that_is_asked_for() -> None:
    assert private.missing == []
    assert all(private.has_private(name) for name in NAMES)
    assert not private.has_private("_C._there_is_no_such_name")
    assert not private.has_private("_no_such_part.of_it")


def test_what_is_gone_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(without(monkeypatch, *NAMES).missing) == set(NAMES) - {"_C._pop_torch_dispatch_stack"}


def test_dispatch_modes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert private.dispatch_modes() == 0
    with Heard(), Heard():
        assert private.dispatch_modes() == 2
    assert private.dispatch_modes() == 0
    assert without(monkeypatch, "_C._len_torch_dispatch_stack").dispatch_modes() == private.MANY


def test_function_modes(monkeypatch: pytest.MonkeyPatch) -> None:
    before = private.function_modes()
    with TorchFunctionMode(), TorchFunctionMode(), TorchFunctionMode():
        assert private.function_modes() == before + 3
    assert private.function_modes() == before == 0
    assert without(monkeypatch, "_C._len_torch_function_stack").function_modes() == private.MANY


def test_transforms(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []

    def function(x: torch.Tensor) -> torch.Tensor:
        seen.append(private.transforms())
        return x.sum()

    torch.vmap(function)(torch.zeros(3, 2))
    torch.func.grad(function)(torch.zeros(2))
    assert seen == [True, True] and not private.transforms()
    assert without(monkeypatch, "_C._functorch.peek_interpreter_stack").transforms()


@pytest.mark.parametrize(
    ("gone", "told"),
    [
        ((), [False, True]),
        (("_C._current_autograd_node",), [False, True]),
        (("_C._current_autograd_node", "_C._current_graph_task_id"), [False, False]),
    ],
)
def test_in_backward(monkeypatch: pytest.MonkeyPatch, gone: tuple[str, ...], told: list[bool]) -> None:
    asked = without(monkeypatch, *gone) if gone else private
    Asked.apply(torch.ones(3, requires_grad=True), asked).sum().backward()
    assert Asked.answers == told
    assert not asked.in_backward()


def test_forward_ad(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not private.forward_ad()
    with forward_ad.dual_level():
        assert private.forward_ad()
    assert not private.forward_ad()
    monkeypatch.delattr(forward_ad, "_current_level")
    assert private.forward_ad()


@pytest.mark.parametrize("gone", [(), ("_C._is_any_autocast_enabled",)])
def test_autocasting(monkeypatch: pytest.MonkeyPatch, gone: tuple[str, ...]) -> None:
    asked = without(monkeypatch, *gone) if gone else private
    assert not asked.autocasting()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert asked.autocasting()
    torch.set_autocast_enabled("cuda", True)  # for a device that this machine need not have
    try:
        assert asked.autocasting()
    finally:
        torch.set_autocast_enabled("cuda", False)


def test_profiling(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not private.profiling()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]):
        assert private.profiling()
    assert not private.profiling()
    assert without(monkeypatch, "_C._autograd._profiler_enabled").profiling()


@pytest.mark.parametrize("gone", [(), ("_C._pop_torch_dispatch_stack",), ("_C._push_on_torch_dispatch_stack",)])
def test_modes_come_and_go(monkeypatch: pytest.MonkeyPatch, gone: tuple[str, ...]) -> None:
    asked = without(monkeypatch, *gone) if gone else private
    below, above = Heard(), Heard()
    asked.push_mode(below)
    asked.push_mode(above)
    torch.zeros(2).neg()
    assert asked.pop_mode() is above
    torch.zeros(2).abs()
    assert asked.pop_mode() is below
    torch.zeros(2).exp()
    assert above.names == ["zeros", "neg"] and below.names == ["zeros", "neg", "zeros", "abs"]
    assert private.dispatch_modes() == 0


def test_global_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    register = nn.modules.module
    assert private.global_hooks() == (0, 0, 0, 0)
    handles = [
        register.register_module_forward_pre_hook(lambda *_: None),
        *(register.register_module_forward_hook(lambda *_: None) for _ in range(2)),
        *(register.register_module_full_backward_pre_hook(lambda *_: None) for _ in range(3)),
        *(register.register_module_full_backward_hook(lambda *_: None) for _ in range(4)),
    ]
    assert private.global_hooks() == (1, 2, 3, 4)
    for handle in handles:
        handle.remove()
    assert private.global_hooks() == (0, 0, 0, 0)
    hooks = [name for name in NAMES if "hooks" in name]
    for place, name in enumerate(hooks):
        found = without(monkeypatch, name).global_hooks()
        assert found == tuple(private.MANY if at == place else 0 for at in range(4))


@pytest.mark.parametrize(
    ("register", "where"),
    [
        ("register_forward_pre_hook", "_forward_pre_hooks"),
        ("register_forward_hook", "_forward_hooks"),
        ("register_full_backward_pre_hook", "_backward_pre_hooks"),
        ("register_full_backward_hook", "_backward_hooks"),
    ],
)
def test_module_hooks(register: str, where: str) -> None:
    layer = nn.Linear(2, 2)
    assert not private.module_hooks(layer)
    handle = getattr(layer, register)(lambda *_: None)
    assert private.module_hooks(layer)
    handle.remove()
    assert not private.module_hooks(layer)
    del layer.__dict__[where]
    assert private.module_hooks(layer)


def test_optimizer_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    for register in (
        optimizer.register_step_pre_hook,
        optimizer.register_step_post_hook,
        everywhere.register_optimizer_step_pre_hook,
        everywhere.register_optimizer_step_post_hook,
    ):
        assert not private.optimizer_hooks(optimizer)
        handle = register(lambda *_: None)
        assert private.optimizer_hooks(optimizer)
        handle.remove()
    monkeypatch.delattr(everywhere, "_global_optimizer_post_hooks")
    assert private.optimizer_hooks(optimizer)


def test_storage_key() -> None:
    values, other = torch.arange(12.0), torch.arange(12.0)
    key = private.storage_key(values)
    assert key is not None and key != private.storage_key(other)
    views = [
        values[3:],
        values.view(3, 4).t(),
        values.detach(),
        values.data,
        nn.Parameter(values),
        values.view(torch.int32),
    ]
    assert {private.storage_key(view) for view in views} == {key}
    assert private.storage_key(values.clone()) not in (None, key)
    empty, also = torch.zeros(0), torch.zeros(0)  # no address of their own
    assert private.storage_key(empty) != private.storage_key(also)
    assert private.storage_key(torch.eye(3).to_sparse()) is None
    inside: list[int | None] = []
    torch.vmap(lambda x: (inside.append(private.storage_key(x)), x)[1])(torch.zeros(3, 2))
    assert inside == [None]


def test_a_storage_without_an_address_is_known_by_its_object() -> None:
    class Bare:
        def __init__(self) -> None:
            self.storage = object()

        def untyped_storage(self) -> object:
            return self.storage

    bare = Bare()
    assert private.storage_key(bare) == id(bare.storage)  # type: ignore[arg-type]


def test_operators_say_what_they_are_made_of() -> None:
    assert private.decomposes(torch.ops.aten.matmul.default)
    if hasattr(torch.ops.aten.mm.default, "_can_decompose"):
        assert not private.decomposes(torch.ops.aten.mm.default)
    assert private.schema_of(torch.ops.aten.mm.default).name == "aten::mm"

    class Old:
        """An operator of a torch that does not say so: whoever asks tries."""

    assert private.decomposes(Old())
