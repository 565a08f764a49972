"""Joules live: what a monitor says is what a recording and its ledger say, and training does not notice that it looks."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import spikeledger as sl
from spikeledger.errors import SpikeLedgerError
from spikeledger.training.checkpoints import load_checkpoint
from spikeledger.training.history import EnergyReading

DATA = sl.Dataset.from_arrays(
    "noise", torch.rand(60, 12, generator=torch.Generator().manual_seed(1)), torch.arange(60) % 3,
    torch.rand(20, 12, generator=torch.Generator().manual_seed(2)), torch.arange(20) % 3,
)  # fmt: skip


def network() -> Any:
    torch.manual_seed(3)
    return sl.zoo.mlp(12, 9, 3, timesteps=4)


def own_loop(monitor: Any, net: Any, epochs: int = 3) -> list[EnergyReading | None]:
    torch.manual_seed(5)
    optimizer, found = sl.Adam(net.parameters(), lr=0.01), []
    read = sl.decoders.RateDecoder()
    net.train()
    for _ in range(epochs):
        for start in range(0, 60, 20):
            x, y = DATA.train_inputs[start : start + 20], DATA.train_labels[start : start + 20]
            optimizer.zero_grad()
            nn.functional.cross_entropy(read(net(x)), y).backward()
            optimizer.step()
            if monitor is not None:
                found.append(monitor.step(x))
    return found


def test_a_reading_is_a_recording_and_its_ledger() -> None:
    net = network()
    reading = sl.EnergyMonitor(net, "seneca-22nm").step(DATA.test_inputs)
    activity = sl.record(net, DATA.test_inputs)
    ledger = sl.price(activity, "seneca-22nm")
    assert reading is not None and reading.profile == "seneca-22nm" and reading.samples == 20
    assert (reading.joules_per_sample, reading.joules_low) == (ledger.joules_per_sample, ledger.joules_low / 20)
    assert reading.joules_high == ledger.joules_high / 20
    assert sum(reading.joules_by_layer.values()) == pytest.approx(ledger.joules_per_sample, rel=1e-12)
    assert reading.synops_per_sample == activity.total("synaptic_op") / 20
    assert reading.rate_by_layer["layers.neuron_fc1"] == activity.rate("layers.neuron_fc1")
    spikes = sum(activity.total("spike", name) for name in reading.rate_by_layer)
    assert reading.spikes_per_sample == spikes / 20 and reading.spike_rate == spikes / (20 * 4 * 12)


def test_training_does_not_notice_that_it_is_looked_at() -> None:
    plain, watched = network(), network()
    own_loop(None, plain)
    found = own_loop(sl.EnergyMonitor(watched, "loihi", every=2), watched)
    assert [one is not None for one in found] == [True, False] * 4 + [True]
    assert [one.number for one in found if one] == [1, 3, 5, 7, 9]
    assert watched.training and all(
        torch.equal(a, b) for a, b in zip(plain.parameters(), watched.parameters(), strict=True)
    )


def test_a_monitor_shows_what_it_saw(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    heard: list[EnergyReading] = []
    net = network()
    monitor = sl.EnergyMonitor(net, "loihi", callback=[heard.append, heard.append])
    own_loop(monitor, net, epochs=1)
    assert len(heard) == 2 * len(monitor.history) == 6
    assert monitor.seconds == sum(one.seconds for one in monitor.history) > 0
    monitor.show()
    out = capsys.readouterr().out
    assert "3 steps, 3 recorded" in out and "loihi" in out
    assert list(monitor.to_dataframe()["joules_high"]) == [one.joules_high for one in monitor.history]
    assert monitor.plot().save(tmp_path / "joules.svg").stat().st_size > 1000 and "<svg" in monitor._repr_html_()


def test_fit_calls_back_with_each_epoch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    heard: list[Any] = []
    net = network()
    run = sl.fit(net, DATA, epochs=3, callback=heard.append, profile="loihi", progress=False, checkpoint=tmp_path)
    assert tuple(heard) == run.history and [row.number for row in heard] == [1, 2, 3]
    last = sl.price(sl.record(net, DATA.test_inputs), "loihi")
    assert run.best_epoch and heard[run.best_epoch - 1].reading.joules_high == last.joules_high / 20
    assert heard[0].reading.joules_per_sample == heard[0].joules_per_sample
    assert {"loss", "test_accuracy", "joules_low", "rate/layers.neuron_fc1"} <= heard[0].figures().keys()
    assert load_checkpoint(tmp_path).history == run.history
    run.show()
    assert "epoch" in capsys.readouterr().out and len(run.to_dataframe()) == 3
    for what in ("joules", "accuracy"):
        assert "<svg" in run.plot(what=what)._repr_html_()


def test_a_run_of_an_older_release_is_taken_up(tmp_path: Path) -> None:
    sl.fit(network(), DATA, epochs=2, profile="loihi", progress=False, checkpoint=tmp_path)
    file = tmp_path / "checkpoint.toml"
    lines = file.read_text().splitlines(keepends=True)
    kept, inside = [], False
    for line in lines:  # as it was before epochs had readings
        inside = line.startswith("[history.reading") or (inside and not line.startswith(("[", "#")))
        kept += [] if inside else [line]
    assert len(kept) < len(lines)
    file.write_text("".join(kept))
    history = load_checkpoint(tmp_path).history
    assert [row.reading for row in history] == [None, None] and history[0].joules_per_sample is not None


def test_a_run_goes_on_with_the_samples_that_it_began_on_alone(tmp_path: Path) -> None:
    options: dict[str, Any] = {"profile": None, "progress": False, "checkpoint": tmp_path, "resume": True}
    sl.fit(network(), DATA, epochs=2, **options)
    for part, change in (
        ("train_inputs", torch.flip(DATA.train_inputs, [0])),
        ("test_labels", DATA.test_labels.roll(1)),
    ):
        with pytest.raises(SpikeLedgerError, match="other samples or labels"):
            sl.fit(network(), dataclasses.replace(DATA, **{part: change}), epochs=2, **options)
    assert len(sl.fit(network(), DATA, epochs=2, **options).history) == 2
    file = tmp_path / "checkpoint.toml"
    file.write_text("".join(line for line in file.read_text().splitlines(True) if not line.startswith("content")))
    assert len(sl.fit(network(), DATA, epochs=2, **options).history) == 2  # of an older release


def test_what_has_no_price_is_told_and_training_goes_on() -> None:
    net = sl.zoo.twin(network())
    run = sl.fit(net, DATA, epochs=1, profile="loihi", progress=False)
    reading = run.history[0].reading
    assert reading is not None and reading.joules_per_sample is None and "no price for mac" in reading.unpriced
    assert reading.macs_per_sample and not reading.rate_by_layer
    with pytest.raises(SpikeLedgerError, match="no joules to draw"):
        run.plot()
    assert sl.EnergyMonitor(net, None).step(DATA.test_inputs).joules_per_sample is None  # type: ignore[union-attr]


REFUSED = {
    "no network": (lambda: sl.EnergyMonitor("net"), "takes a torch module"),
    "no device": (lambda: sl.EnergyMonitor(network(), "lohi"), "did you mean 'loihi"),
    "never": (lambda: sl.EnergyMonitor(network(), every=0), "every=0"),
    "no callback": (lambda: sl.EnergyMonitor(network(), callback=7), "give a function"),
    "a class": (lambda: sl.fit(network(), DATA, callback=sl.loggers.tensorboard), "give a function"),
    "wrong inputs": (lambda: sl.EnergyMonitor(network()).step(torch.rand(4, 5)), "cannot run on inputs"),
    "an unknown option": (lambda: sl.EnergyMonitor(network(), bath=3), "no argument 'bath'"),
    "a plot that there is none of": (lambda: sl.EnergyMonitor(network()).plot(), "no joules to draw"),
    "lightning never": (lambda: sl.loggers.lightning(every=0), "every=0"),
    "a writer that is none": (lambda: sl.loggers.tensorboard(3), "no SummaryWriter"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_is_one_sentence(kind: str) -> None:
    call, says = REFUSED[kind]
    with pytest.raises(SpikeLedgerError, match=says) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "modules"),
    [("tensorboard", ["torch.utils.tensorboard"]), ("wandb", ["wandb"]),
     ("lightning", ["lightning.pytorch", "pytorch_lightning", "lightning"])],
)  # fmt: skip
def test_a_library_that_is_not_there_is_asked_for(
    name: str, modules: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SpikeLedgerError, match=rf"pip install 'spikeledger\[{name}\]'"):
        getattr(sl.loggers, name)()


class Writer:
    """What TensorBoard's writer is to us."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, float, int]] = []
        self.flushed = 0

    def add_scalar(self, name: str, value: float, step: int) -> None:
        self.rows.append((name, value, step))

    def flush(self) -> None:
        self.flushed += 1


def test_a_writer_of_ones_own_gets_every_figure() -> None:
    writer = Writer()
    run = sl.fit(network(), DATA, epochs=2, callback=sl.loggers.tensorboard(writer), profile="loihi", progress=False)
    assert writer.flushed == 2
    assert writer.rows == [(f"spikeledger/{k}", v, row.number) for row in run.history for k, v in row.figures().items()]


@pytest.mark.peer
@pytest.mark.filterwarnings("ignore")
def test_tensorboard_reads_what_was_written(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run = sl.fit(network(), DATA, epochs=2, callback=sl.loggers.tensorboard(tmp_path), profile="loihi", progress=False)
    book = accumulator.EventAccumulator(str(tmp_path)).Reload()
    read = [(row.step, row.value) for row in book.Scalars("spikeledger/joules_high")]
    assert read == [
        (row.number, pytest.approx(row.reading.joules_high, rel=1e-6)) for row in run.history if row.reading
    ]


@pytest.mark.peer
@pytest.mark.filterwarnings("ignore")
def test_weights_and_biases_keeps_what_was_logged(tmp_path: Path) -> None:
    library = pytest.importorskip("wandb")
    log = sl.loggers.wandb(mode="offline", dir=str(tmp_path), project="joules")
    run = sl.fit(network(), DATA, epochs=2, callback=log, profile="loihi", progress=False)
    summary = dict(library.run.summary)
    library.finish()
    assert summary["spikeledger/joules_low"] == run.history[-1].reading.joules_low  # type: ignore[union-attr]
    assert summary["spikeledger/number"] == 2


@pytest.mark.peer
@pytest.mark.filterwarnings("ignore")
def test_lightning_logs_joules_an_epoch(tmp_path: Path) -> None:
    lightning = pytest.importorskip("lightning.pytorch")
    from torch.utils.data import DataLoader, TensorDataset

    class Module(lightning.LightningModule):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.net = network()

        def training_step(self, batch: Any, index: int) -> Any:
            x, y = batch
            return nn.functional.cross_entropy(sl.decoders.RateDecoder()(self.net(x)), y)

        def configure_optimizers(self) -> Any:
            return torch.optim.Adam(self.parameters(), lr=0.01)

    callback, module = sl.loggers.lightning("loihi", network="net", every=2), Module()
    trainer = lightning.Trainer(
        max_epochs=3, callbacks=[callback], logger=False, enable_progress_bar=False, enable_checkpointing=False,
        enable_model_summary=False, accelerator="cpu", default_root_dir=tmp_path,
    )  # fmt: skip
    inputs = torch.as_tensor(DATA.train_inputs)
    trainer.fit(module, DataLoader(TensorDataset(inputs, torch.as_tensor(DATA.train_labels)), batch_size=20))
    assert [one.number for one in callback.monitor.history] == [1, 2]  # epochs 0 and 2
    expected = sl.price(sl.record(module.net, inputs[:20]), "loihi")
    logged = trainer.callback_metrics["spikeledger/joules_per_sample"]
    assert float(logged) == pytest.approx(expected.joules_per_sample, rel=1e-6)
