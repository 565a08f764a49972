"""Around a model: no trace is left, whatever happens; loops, loaders, layouts, declared and undeclared neurons."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module
from torch.utils.data import DataLoader, TensorDataset

import spikeledger as sl
from spikeledger.errors import InputError
from spikeledger.listening import neurons


@pytest.fixture(autouse=True)
def declarations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neurons, "_DECLARED", dict(neurons._DECLARED))


class Stateful(nn.Module):
    """A user's own neuron: one step a call, its membrane kept in the module."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(1))
        self.membrane: Tensor | None = None
        self.log: list[float] = []

    def forward(self, current: Tensor) -> Tensor:
        before = torch.zeros_like(current) if self.membrane is None else self.membrane
        charged = 0.9 * before + current
        spikes = (charged > 1).to(current.dtype)
        self.membrane = charged - spikes
        self.seen += 1
        self.log.append(float(spikes.sum()))
        return spikes


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 5), Stateful(), nn.Linear(5, 3), Stateful())


def traces(model: nn.Module) -> list[Any]:
    found: list[Any] = [len(torch_module._global_forward_hooks), len(torch_module._global_forward_pre_hooks)]
    found.append(torch._C._len_torch_dispatch_stack())
    for part in model.modules():
        found.append({name: (id(value), repr(value)) for name, value in part.__dict__.items() if name[0] != "_"})
        found.append([(name, id(value), value.tolist()) for name, value in part._buffers.items() if value is not None])
        found.append([(len(part._forward_hooks), len(part._forward_pre_hooks), part.training)])
    found += [torch.get_rng_state().tolist(), random.getstate(), np.random.get_state()[1].tolist()]
    return found


@pytest.mark.parametrize("fails", [False, True])
def test_a_recording_leaves_no_trace_also_when_the_model_raises(fails: bool) -> None:
    sl.declare_neuron(Stateful)
    model = network()
    model[1].membrane = torch.full((4, 5), 0.5)
    model[1].train(True)
    model[3].eval()
    kept = model[1].membrane.clone()

    class Noise(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            np.random.random()
            random.random()
            if fails:
                raise RuntimeError("in the middle")
            return x + 0 * torch.rand_like(x)

    model.insert(2, Noise())
    x = torch.rand(4, 6)
    before = traces(model)
    if fails:
        with pytest.raises(RuntimeError, match="in the middle"):
            sl.record(model, x, timesteps=3)
    else:
        sl.record(model, x, timesteps=3)
    assert traces(model) == before
    assert torch.equal(model[1].membrane, kept)


def test_a_raise_inside_a_neuron_of_the_users_own_loop_puts_torch_back() -> None:
    @sl.neuron
    class Breaks(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise RuntimeError("inside")

    model = nn.Sequential(nn.Linear(6, 3), Breaks())
    hooks = len(torch_module._global_forward_hooks)
    with pytest.raises(RuntimeError, match="inside"), sl.recording(model):
        model(torch.rand(2, 6))
    assert len(torch_module._global_forward_hooks) == hooks
    assert torch._C._len_torch_dispatch_stack() == 0


def test_outputs_are_those_of_the_unrecorded_network() -> None:
    model = sl.zoo.build("cnn-s", (3, 16, 16), 10, encoder="direct", timesteps=3)
    x = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        expected = model(x)
        with sl.recording(model):
            out = model(x)
    assert torch.equal(out, expected)


# -- declared and undeclared neurons -----------------------------------------------------------------------------------


def test_an_undeclared_neuron_is_asked_about_and_a_declared_one_is_counted() -> None:
    x = torch.rand(4, 6) * 3
    asked = sl.record(network(), x, layout="B")
    assert [item.layer for item in asked.uncounted] == ["1", "3"]
    assert all("@sl.neuron" in item.reason for item in asked.uncounted)
    sl.declare_neuron(Stateful, state_variables=2)
    counted = sl.record(network(), x, timesteps=5)
    assert not counted.uncounted
    assert counted.total("neuron_update") == 4 * 5 * 8
    assert counted.layer("1").state == 10
    model = network()
    with torch.no_grad():
        sent = [model(x) for _ in range(5)]
    assert counted.total("spike", "3") == int(torch.stack(sent).sum())
    assert counted.total("spike", "1") == sum(model[1].log)
    assert counted.total("synaptic_op", "2") == sum(model[1].log) * 3
    assert counted.spikes_per_step["1"].tolist() == model[1].log


def test_a_mask_can_be_declared_no_neuron() -> None:
    @sl.not_a_neuron
    class Mask(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x > 0).float()

    assert not sl.record(nn.Sequential(nn.Linear(6, 5), Mask(), nn.Linear(5, 3)), torch.rand(4, 6)).uncounted


def test_random_spikes_made_inside_a_network_are_its_input() -> None:
    class Encoded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(6, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc((torch.rand_like(x) < x).float())

    activity = sl.record(Encoded(), torch.rand(4, 6))
    assert not activity.uncounted
    assert activity.layer("fc").source == "input" and activity.layer("fc").inputs == "spikes"


def test_a_neuron_that_fires_several_times_in_a_step_sends_that_many_spikes() -> None:
    class Counting(nn.Module):
        def forward(self, current: Tensor) -> Tensor:
            return torch.floor(current.clamp_min(0)) * 0.5

    sl.declare_neuron(Counting, unit=0.5)
    model = nn.Sequential(nn.Linear(6, 5), Counting(), nn.Linear(5, 3))
    x = torch.rand(4, 6) * 9
    with torch.no_grad():
        spikes = int((model[:2](x) / 0.5).sum())
    activity = sl.record(model, x, layout="B")
    assert activity.total("spike") == spikes
    assert activity.total("synaptic_op", "2") == spikes * 3


@pytest.mark.parametrize(
    "bad", [lambda: sl.declare_neuron(nn.Linear(2, 2)), lambda: sl.declare_neuron(Stateful, layout="BX")]
)  # type: ignore[arg-type]
def test_wrong_declarations_are_refused(bad: Any) -> None:
    with pytest.raises(InputError):
        bad()


# -- loops, loaders, layouts -------------------------------------------------------------------------------------------


def test_a_training_loop_counts_the_forward_passes_alone() -> None:
    model = sl.zoo.mlp(6, 5, 3, encoder=None, timesteps=4)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.1)
    x = (torch.rand(4, 2, 6, generator=torch.Generator().manual_seed(0)) < 0.5).float()
    arrived = 0
    with sl.recording(model) as recorder:
        for _ in range(3):
            loss = nn.functional.cross_entropy(model(x).sum(0), torch.tensor([0, 1]))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            arrived += int(x.sum())
        assert (
            len(recorder.books.synapses["layers.fc1"]._pending) == 0
        )  # new weights with the same zeros: nothing piles up
    activity = recorder.activity()
    assert (activity.samples, activity.timesteps) == (6, 4)
    assert activity.total("synaptic_op", "layers.fc1") == arrived * 5
    assert activity.total("dense_op", "layers.fc1") == 3 * 8 * 30
    assert not activity.uncounted


def test_step_by_step_code_that_calls_the_parts_itself() -> None:
    sl.declare_neuron(Stateful)
    model = network()
    x = torch.rand(5, 4, 6) * 3
    with torch.no_grad(), sl.recording(model) as recorder:
        for step in x:
            model[3](model[2](model[1](model[0](step))))
    direct = recorder.activity(samples=4)
    whole = sl.record(network(), x, step_by_step=True)
    assert direct.timesteps == whole.timesteps == 5
    for event in ("spike", "synaptic_op", "mac", "neuron_update", "active_update", "dense_op"):
        assert direct.total(event) == whole.total(event)


def test_a_loader_is_read_batch_by_batch() -> None:
    model = sl.zoo.mlp(6, 5, 3, encoder="latency", timesteps=4)
    x, labels = torch.rand(11, 6), torch.zeros(11)
    whole = sl.record(model, x)
    loaded = sl.record(model, DataLoader(TensorDataset(x, labels), batch_size=4))
    assert loaded.samples == 11
    assert {e: loaded.total(e) for e in loaded.events} == {e: whole.total(e) for e in whole.events}
    with pytest.raises(InputError, match="no batch"):
        sl.record(model, iter(()))


def test_a_long_recording_keeps_nothing_of_what_it_saw() -> None:
    model = sl.zoo.mlp(64, 32, 10, encoder=None, timesteps=4)
    with torch.no_grad(), sl.recording(model) as recorder:
        for _ in range(5):
            model((torch.rand(4, 8, 64) < 0.2).float())
        books = recorder.books
        assert len(books.know) < 20
        assert len(books.synapses["layers.fc1"]._open) == 1
        held = [t for one in books.synapses.values() for _, batch in one._open.values() for t in batch.product]
        assert all(t.numel() == 0 for t in held if isinstance(t, Tensor))


@pytest.mark.parametrize("batch_first", [False, True])
def test_the_layout_of_a_foreign_network_is_found_out(batch_first: bool) -> None:
    @sl.neuron(layout="BT" if batch_first else "TB")
    class Seq(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x.cumsum(1 if batch_first else 0) % 1 < 0.3).float()

    model = nn.Sequential(nn.Linear(6, 5), Seq(), nn.Linear(5, 3), Seq())
    x = torch.rand(7, 4, 6)  # [T, B, N]
    given = x.transpose(0, 1).contiguous() if batch_first else x
    found = sl.record(model, given, batch_size=3)
    assert (found.samples, found.timesteps) == (4, 7)
    told = sl.record(model, given, layout="BT" if batch_first else "TB")
    assert {e: found.total(e) for e in found.events} == {e: told.total(e) for e in told.events}


def test_contradictions_are_refused() -> None:
    model = sl.zoo.mlp(6, 5, 3, encoder=None, timesteps=4)
    with torch.no_grad(), sl.recording(model) as recorder:
        model(torch.rand(4, 2, 6))
    with pytest.raises(InputError, match=r"updated 8 times each, which 3 samples"):
        recorder.activity(samples=3)
    with pytest.raises(InputError, match="5 steps"):
        recorder.activity(timesteps=5, samples=2)
    for bad in ({"batch_size": 0}, {"timesteps": 0}, {"timesteps": 2, "step_by_step": True}, {"layout": "TBX"}):
        with pytest.raises(InputError):
            sl.record(model, torch.rand(4, 2, 6), **bad)
    for x in (torch.zeros(4, 0, 6), torch.full((4, 2, 6), torch.nan), torch.tensor(1.0)):
        with pytest.raises(InputError):
            sl.record(model, x)


def test_weights_that_are_no_numbers_are_said() -> None:
    model = network()
    x = torch.rand(4, 2, 6)
    with torch.no_grad(), sl.recording(model) as recorder:
        model(x[0])
        model[2].weight[1, 2:4] = torch.nan
        model(x[1])
    activity = recorder.activity(samples=2, timesteps=2)
    assert [one.layer for one in activity.uncounted if one.operator == "parameter"] == ["2.weight"]
    with pytest.raises(InputError, match=r"'2\.weight' holds 2 values that are NaN"):
        sl.record(model, x, step_by_step=True)


@pytest.mark.parametrize("device", [None, "meta"])
def test_parameters_that_are_not_there_yet_are_asked_for(device: str | None) -> None:
    first: nn.Module = nn.LazyLinear(5) if device is None else nn.Linear(6, 5, device=device)
    model = nn.Sequential(first, sl.neurons.IF(), nn.Linear(5, 2))
    says = "'0.weight' of the network has no size yet" if device is None else "is on the device 'meta'"
    for ask in (sl.record, sl.map):
        with pytest.raises(InputError, match=says):
            ask(model, torch.zeros(3, 1, 6))
    with pytest.raises(InputError, match=says), sl.recording(model):
        pass


class Inline(nn.Module):
    """Neurons written in the lines of `forward`, as they are scripted."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(6, 7, bias=False)
        self.out = nn.Linear(7, 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        membrane = torch.zeros(x.shape[1], 7)
        answer = torch.zeros(x.shape[1], 2)
        for t in range(x.shape[0]):
            membrane = 0.5 * membrane + self.fc(x[t])
            spikes = (membrane > 0.25).to(x.dtype)
            membrane = membrane - spikes
            answer = answer + self.out(spikes)
        return answer


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")
def test_neurons_of_a_scripted_module_are_asked_about_by_their_class() -> None:
    torch.manual_seed(3)
    model = Inline()
    x = (torch.rand(5, 3, 6) < 0.5).float()
    plain, scripted = sl.record(model, x), sl.record(torch.jit.script(model), x)
    assert [scripted.total("synaptic_op", name) for name in ("fc", "out")] == [
        plain.total("synaptic_op", name) for name in ("fc", "out")
    ]
    (asked,) = scripted.uncounted
    assert asked.operator == "Inline"
    assert "record 'Inline' as it was before torch.jit" in asked.reason


def test_graded_spikes_are_spikes_behind_which_layers_multiply() -> None:
    class Delta(nn.Module):
        """Sends the change of its input, if that is large: a sigma-delta neuron."""

        def forward(self, current: Tensor) -> Tensor:
            change = current.diff(dim=0, prepend=torch.zeros_like(current[:1]))
            return change * (change.abs() > 0.5)

    model = nn.Sequential(nn.Linear(6, 9), Delta(), nn.Linear(9, 4, bias=False))
    x = (torch.rand(5, 3, 6, generator=torch.Generator().manual_seed(1)) < 0.5).float() * 2
    sl.counting.declare_neuron(Delta, layout="TB")
    (asked,) = sl.record(model, x, layout="TB").uncounted
    assert "graded=True" in asked.reason
    sl.counting.declare_neuron(Delta, layout="TB", graded=True)
    activity = sl.record(model, x, layout="TB")
    sent = int((model[1](model[0](x)) != 0).sum())
    assert sent > 0
    assert (activity.uncounted, activity.total("spike"), activity.total("mac")) == ((), sent, 4 * sent)
    assert activity.total("neuron_update") == 5 * 3 * 9
    with pytest.raises(InputError, match="and graded=True"):
        sl.counting.declare_neuron(Delta, unit=1.0, graded=True)


def test_who_calls_the_forward_of_declared_neurons_is_told_so() -> None:
    class Direct(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.cells = nn.Linear(6, 9), Stateful()

        def forward(self, x: Tensor) -> Tensor:
            found: Tensor = self.cells.forward(self.fc(x))
            return found

    torch.manual_seed(0)
    sl.counting.declare_neuron(Stateful)
    (asked,) = sl.record(nn.Sequential(Direct(), nn.Linear(9, 2)), torch.rand(8, 6), layout="B").uncounted
    assert asked.layer == "0"
    assert "the neurons '0.cells' were never called" in asked.reason
