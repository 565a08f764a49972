"""fit: reproducible, resumable to the same figures, kind to Ctrl-C, and honest about which weights it keeps."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import nn

import spikeledger as sl
from spikeledger.errors import FileFormatError, InputError
from spikeledger.networks.neurons import LIF
from spikeledger.training import fit as fitting
from spikeledger.training.checkpoints import load_checkpoint
from spikeledger.training.fit import one_cycle
from spikeledger.training.history import Epoch, Fit
from spikeledger.training.losses import LOSSES
from training.patches import ordinary, patches, same, spiking, state

DATA = patches()


def quick(network: nn.Module, **options: object) -> Fit:
    return sl.fit(network, DATA, **{"epochs": 3, "batch_size": 32, "progress": False, **options})


def test_a_spiking_network_and_its_twin_learn() -> None:
    for network in (spiking("rate"), spiking("direct"), ordinary()):
        run = quick(network, epochs=10)
        assert run.test_accuracy is not None and run.test_accuracy > 0.9, network
        assert run.test_accuracy == sl.evaluate(network, DATA.test_inputs, DATA.test_labels).accuracy
        assert all(row.joules_per_sample is not None and row.joules_per_sample > 0 for row in run.history)
        assert all((row.spike_rate is not None) == isinstance(network, sl.SpikingNetwork) for row in run.history)


@pytest.mark.parametrize("encoder", ["direct", "rate"])
def test_the_spike_rate_is_that_of_a_hand_count(encoder: str) -> None:
    network = spiking(encoder)
    run = quick(network, epochs=1)
    seen: list[torch.Tensor] = []
    for module in network.modules():
        if isinstance(module, LIF):
            module.register_forward_hook(lambda module, args, out: seen.append(out))
    with torch.no_grad():
        network.eval()(DATA.test_inputs)
    expected = sum(float(out.sum()) for out in seen) / sum(out.numel() for out in seen)
    assert run.history[0].spike_rate == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_the_same_seed_gives_the_same_figures_and_another_does_not(dropout: float) -> None:
    def trained(seed: int) -> tuple[Fit, dict[str, torch.Tensor]]:
        network = spiking(dropout=dropout)
        torch.rand(seed + 1)  # what else draws from torch's random numbers changes nothing
        return quick(network, seed=seed), state(network)

    first, again, other = trained(0), trained(0), trained(1)
    assert first[0] == again[0] and same(first[1], again[1])
    assert first[0] != other[0] and not same(first[1], other[1])


def test_it_leaves_modes_and_the_global_random_numbers_alone() -> None:
    network = spiking(dropout=0.5).eval()
    network.layers[0].train()
    before = [module.training for module in network.modules()]
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    quick(network, epochs=1)
    assert torch.equal(torch.rand(3), expected)
    assert [module.training for module in network.modules()] == before


def test_it_keeps_the_weights_of_the_best_epoch() -> None:
    network, after = ordinary(), {}
    # 30 held-out samples of an easy task: the best is reached early and a later epoch is worse or equal
    noisy = dataclasses.replace(DATA, train_labels=DATA.train_labels[torch.randperm(300)])
    run = sl.fit(
        network, noisy, epochs=8, learning_rate=0.05, progress=lambda row: after.update({row.number: state(network)})
    )
    accuracies = [row.validation_accuracy for row in run.history]
    assert run.history[run.best_epoch - 1].validation_accuracy == max(accuracies)
    assert run.best_epoch == max(n for n, accuracy in enumerate(accuracies, 1) if accuracy == max(accuracies))
    assert run.best_epoch != 8, "this seed shall show that the last epoch is not kept just because it is the last"
    assert same(state(network), after[run.best_epoch])


def test_the_test_set_changes_nothing_in_training() -> None:
    nets = ordinary(), ordinary()
    quick(nets[0])
    sl.fit(nets[1], dataclasses.replace(DATA, test_labels=1 - DATA.test_labels.clamp(max=1)), epochs=3, batch_size=32,
           progress=False)  # fmt: skip
    assert same(state(nets[0]), state(nets[1]))


def test_without_validation_the_last_epoch_is_kept() -> None:
    run = quick(ordinary(), validation=0)
    assert run.best_epoch == 3 and run.history[0].validation_accuracy is None


@pytest.mark.parametrize("make", [spiking, ordinary], ids=["spiking", "ordinary"])
@pytest.mark.parametrize("when", ["after an epoch", "inside an epoch", "inside the first epoch"])
def test_a_run_that_was_interrupted_ends_with_the_figures_of_one_that_was_not(
    make: type[nn.Module], when: str, tmp_path: Path
) -> None:
    whole = make()
    expected = quick(whole, epochs=4)

    broken = make()
    stop_at = {"after an epoch": 2, "inside an epoch": 2, "inside the first epoch": 0}[when]
    interrupt = _Interrupt(broken, after_epoch=stop_at, inside=when != "after an epoch")
    stopped = quick(broken, epochs=4, checkpoint=tmp_path, progress=interrupt)
    interrupt.remove()
    assert stopped.stopped and len(stopped.history) == stop_at
    assert stopped.history == expected.history[:stop_at]
    kept = load_checkpoint(tmp_path)
    assert kept.epoch == stop_at and kept.best_epoch == stopped.best_epoch

    again = make(seed=9)  # other weights: all that counts comes from the folder
    resumed = quick(again, epochs=4, checkpoint=tmp_path, resume=True)
    assert resumed == expected
    assert same(state(again), state(whole))
    assert same(state(sl.load_network(tmp_path)), state(whole))
    assert quick(make(seed=5), epochs=4, checkpoint=tmp_path, resume=True) == expected  # nothing is left to do


@pytest.mark.parametrize("kind", ["spiking", "ordinary", "pruned"])
def test_a_run_killed_inside_an_epoch_goes_on_inside_it(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(seed: int = 0) -> nn.Module:
        network = sl.zoo.mlp(36, 20, 4, timesteps=3, dropout=0.3, seed=seed)
        if kind == "pruned":  # zeros that are there from the first step on stay so
            with torch.no_grad():
                network.layers.fc1.weight[:, ::3] = 0
        return sl.zoo.twin(network, seed=seed) if kind == "ordinary" else network

    whole = make()
    expected = quick(whole, epochs=2)
    monkeypatch.setattr(fitting, "SECONDS_BETWEEN", -1.0)
    for epoch in (0, 1):  # stopped in the first epoch, and again in the second
        broken = make(seed=3 * epoch)
        stop = _Interrupt(broken, after_epoch=epoch, inside=True)
        quick(broken, epochs=2, checkpoint=tmp_path, resume=True, progress=stop)
        kept = load_checkpoint(tmp_path)
        assert (kept.epoch, kept.passing.done) == (epoch, 2)
    again = make(seed=9)
    assert quick(again, epochs=2, checkpoint=tmp_path, resume=True) == expected
    assert same(state(again), state(whole))
    assert load_checkpoint(tmp_path).passing.done == 0


class _Interrupt:
    """Ctrl-C, after an epoch or three batches into the next one."""

    def __init__(self, network: nn.Module, after_epoch: int, inside: bool) -> None:
        self.network, self.after_epoch, self.inside = network, after_epoch, inside
        self.finished, self.batches = 0, 0
        self.remove = network.register_forward_hook(self.forward).remove

    def __call__(self, row: Epoch) -> None:
        self.finished = row.number
        if row.number == self.after_epoch and not self.inside:
            raise KeyboardInterrupt

    def forward(self, *_: object) -> None:
        self.batches += self.network.training and self.finished == self.after_epoch
        if self.inside and self.batches == 3:
            raise KeyboardInterrupt


def test_ctrl_c_leaves_the_best_weights_and_what_is_done() -> None:
    network, after = spiking(), {}
    interrupt = _Interrupt(network, after_epoch=2, inside=True)

    def look(row: Epoch) -> None:
        after[row.number] = state(network)
        interrupt(row)

    run = quick(network, epochs=5, progress=look)
    assert run.stopped and len(run.history) == 2 and "stopped" in repr(run)
    assert same(state(network), after[run.best_epoch])


def test_a_run_is_not_overwritten_nor_taken_up_with_other_settings(tmp_path: Path) -> None:
    quick(spiking(), epochs=1, checkpoint=tmp_path)
    with pytest.raises(InputError, match="resume=True"):
        quick(spiking(), epochs=1, checkpoint=tmp_path)
    for option, value in {"epochs": 2, "seed": 1, "batch_size": 16, "learning_rate": 1e-2, "loss": "count"}.items():
        with pytest.raises(InputError, match=option):
            quick(spiking(), **{"epochs": 1, "checkpoint": tmp_path, "resume": True, option: value})
    with pytest.raises(FileFormatError, match="another network"):
        quick(sl.zoo.mlp(36, 25, 4, timesteps=4), epochs=1, checkpoint=tmp_path, resume=True)
    assert load_checkpoint(tmp_path).epoch == 1


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_trains(loss: str) -> None:
    run = quick(spiking("direct"), epochs=8, loss=loss)
    assert run.history[-1].loss < run.history[0].loss
    assert run.test_accuracy is not None and run.test_accuracy > 0.8


def test_a_loss_of_ones_own_and_a_module_of_ones_own() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(36, 8), nn.ReLU(), nn.Linear(8, 4))
    run = quick(network, loss=lambda found, labels: nn.functional.cross_entropy(2 * found.scores, labels))
    assert run.history[-1].loss < run.history[0].loss


def test_a_network_without_an_encoder_is_fitted_to_sequences() -> None:
    still = DATA.train_inputs.flatten(1), DATA.test_inputs.flatten(1)
    train, test = (part.unsqueeze(1).expand(-1, 4, -1) for part in still)
    run = quick_on(spiking(None), dataclasses.replace(DATA, train_inputs=train, test_inputs=test))
    same_as = quick_on(spiking("direct"), DATA)
    assert [row.test_accuracy for row in run.history] == [row.test_accuracy for row in same_as.history]


def quick_on(network: nn.Module, data: object) -> Fit:
    return sl.fit(network, data, epochs=2, batch_size=32, progress=False)


def test_a_profile_that_cannot_price_the_network_gives_no_figure_and_no_crash() -> None:
    class Mixed(nn.Module):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return torch.fft.fft(inputs).real  # has no counting rule

    network = nn.Sequential(nn.Flatten(), nn.Linear(36, 4), Mixed())
    run = quick(network, epochs=1)
    assert run.history[0].joules_per_sample is None
    assert "not given" in str(run.history[0])
    assert quick(ordinary(), epochs=1, profile=None).profile is None


def test_the_learning_rate_rises_once_and_falls_to_zero() -> None:
    rates = [one_cycle(step, 1000) for step in range(1000)]
    assert rates[0] == pytest.approx(0.04) and max(rates) == pytest.approx(1, abs=1e-4) and rates[-1] < 1e-4
    top = rates.index(max(rates))
    assert top == 300 and rates[:top] == sorted(rates[:top]) and rates[top:] == sorted(rates[top:], reverse=True)
    assert all(0 < one_cycle(step, steps) <= 1 for steps in range(1, 9) for step in range(steps))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"epochs": 0}, "epochs is 0"),
        ({"epochs": 1.5}, "epochs is 1.5"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"learning_rate": 0.0}, "learning_rate is 0"),
        ({"validation": 1.0}, "validation is 1"),
        ({"validation": -0.1}, "validation is -0.1"),
        ({"validation": 0.9999}, "too few"),
        ({"loss": "rates"}, "did you mean 'rate'"),
        ({"profile": "horowitz-45mn"}, "did you mean 'horowitz-45nm'"),
        ({"resume": True}, "checkpoint="),
    ],
)
def test_options_that_cannot_be_used_are_one_sentence(wrong: dict[str, object], words: str) -> None:
    network = spiking()
    before = state(network)
    with pytest.raises(InputError) as caught:
        quick(network, **wrong)
    assert words in str(caught.value) and "\n" not in str(caught.value)
    assert same(state(network), before)


@pytest.mark.parametrize(
    ("part", "value", "words"),
    [
        ("train_inputs", torch.zeros(0, 1, 6, 6), "need [samples, *N]"),
        ("train_inputs", torch.full((300, 1, 6, 6), float("nan")), "NaN or infinite"),
        ("test_inputs", torch.full((60, 1, 6, 6), float("inf")), "NaN or infinite"),
        ("train_inputs", torch.zeros(300, 1, 5, 5), "[1, 5, 5]"),
        ("test_inputs", torch.zeros(60, 1, 5, 6), "[1, 5, 6]"),
        ("train_inputs", torch.zeros(299, 1, 6, 6), "one label a sample"),
        ("train_inputs", "nonsense", "arrays of numbers"),
        ("train_labels", torch.zeros(300, 2, dtype=torch.int64), "one label a sample"),
        ("train_labels", torch.full((300,), 4), "4 classes"),
        ("test_labels", torch.full((60,), -1), "-1"),
        ("train_labels", torch.zeros(300), "whole numbers"),
    ],
)
def test_data_that_cannot_be_used_is_one_sentence(part: str, value: object, words: str) -> None:
    for network in (spiking("direct"), ordinary()):
        before = state(network)
        with pytest.raises(InputError) as caught:
            sl.fit(network, dataclasses.replace(DATA, **{part: value}), progress=False)
        assert words in str(caught.value) and "\n" not in str(caught.value)
        assert same(state(network), before)


def test_what_is_no_network_or_no_data_is_one_sentence() -> None:
    frozen = ordinary().requires_grad_(False)
    for network, words in (
        (frozen, "no weights to train"),
        ("mlp-s", "torch module"),
        (nn.Flatten(1), "no weights"),
    ):
        with pytest.raises(InputError, match=words):
            quick(network)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="holds no samples with labels"):
        sl.fit(ordinary(), DATA.train_inputs)
    with pytest.raises(InputError, match=r"scores \[B, classes\]"):
        quick(nn.Linear(6, 6))


def test_a_diverged_run_says_so_and_keeps_the_best_weights() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(36, 4))
    with pytest.raises(InputError, match="choose a learning rate"):
        quick(network, loss=lambda found, labels: found.scores.sum() * float("nan"))


def test_a_folder_that_cannot_be_written_stops_before_training(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    network = spiking()
    before = state(network)
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError, match="choose a folder"):
            quick(network, checkpoint=folder)
    assert same(state(network), before)


def test_lines_are_written_to_standard_error_and_silence_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    quick(spiking(), progress=True)
    out, err = capfd.readouterr()
    assert out == "" and [line.split(",")[0] for line in err.splitlines()] == ["epoch 1", "epoch 2", "epoch 3"]
    assert "spikes a neuron and step" in err and "J a sample" in err
    quick(spiking(), progress=False)
    assert capfd.readouterr() == ("", "")


def test_a_terminal_sees_a_bar(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    quick(spiking(), batch_size=4, progress=True)
    err = capfd.readouterr().err
    assert "epoch 3 of 3" in err and "validation" in err
