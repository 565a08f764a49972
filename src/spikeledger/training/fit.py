"""fit(network, data) -> Fit: the training loop, the same for spiking networks and ordinary ones."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import FileFormatError, InputError, unknown_name
from ..hardware.catalog import load_profile
from ..hardware.profile import HardwareProfile
from ..networks.spiking import SpikingNetwork
from .adam import Adam
from .answers import answer, check_fits, checked_samples
from .budget import LOOKED_AT, Budget
from .checkpoints import Checkpoint, check_weights, content, has_checkpoint, load_checkpoint, save_checkpoint, spec_of
from .evaluate import device_of, evaluate, evaluation_mode, own_random_numbers, reseed
from .history import Epoch, Fit, best_of
from .losses import Loss, Penalty, reads_membranes
from .losses import loss as find_loss
from .monitor import Heard, after_epoch, listeners
from .passes import Pass, random_states, set_random_states
from .progress import Progress, Watch, watching
from .pruning import Pruning

#: samples that are recorded after each epoch to estimate its joules
RECORDED_SAMPLES = 256
#: the learning rate rises from 1/25 over the first 30 % of the steps, then falls to 0 (one cycle, as in Smith & Topin,
#: arXiv:1708.07120)
WARM_SHARE, WARM_START = 0.3, 0.04
#: highest learning rates that served best on MNIST over several seeds; surrogate gradients bear less
LEARNING_RATES = {"spiking": 3e-3, "ordinary": 5e-3}
#: what Adam keeps of each weight
ADAM_STATE = ("step", "exp_avg", "exp_avg_sq")
#: batches between two looks at the loss for the progress bar, at most
GLANCE = 20
#: a checkpoint is written within an epoch too, where so many seconds have passed since the last one
SECONDS_BETWEEN = 60.0


class Labelled(Protocol):
    """What is fitted to: a `Dataset`, or anything with these four."""

    @property
    def train_inputs(self) -> Any: ...
    @property
    def train_labels(self) -> Any: ...
    @property
    def test_inputs(self) -> Any: ...
    @property
    def test_labels(self) -> Any: ...


def fit(
    network: nn.Module,
    data: Labelled,
    *,
    epochs: int = 5,
    seed: int = 0,
    batch_size: int = 128,
    learning_rate: float | None = None,
    schedule: str = "one-cycle",
    loss: str | Loss = "rate",
    penalties: Sequence[Penalty] = (),
    prune: Pruning | None = None,
    keep_zeros: bool = True,
    validation: float = 0.1,
    profile: str | os.PathLike[str] | HardwareProfile | None = "horowitz-45nm",
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = False,
    callback: Heard | Sequence[Heard] | None = None,
    progress: Progress = True,
) -> Fit:
    """Train a network in place: `run = fit(net, sl.load_dataset("mnist"), epochs=5)`.

    Adam under one cycle of the learning rate. The weights are left as they were after the best epoch, chosen on
    samples of the training set that are held out; the test set chooses nothing. The same seed gives the same figures
    on the same machine with the same number of threads, and torch's global random numbers are left alone.

    Ctrl-C ends the run with what is done: an unfinished epoch does not count.

    Args:
        network: a spiking network, its ordinary twin, or any module that gives scores `[B, classes]`.
        data: inputs `[samples, *N]` and labels `[samples]` to train and to test.
        learning_rate: the highest one of the cycle; `LEARNING_RATES` of a spiking or an ordinary network by default.
        schedule: `one-cycle`, or `constant`: the same rate at every step.
        loss: a name of `LOSSES`, or a callable `(Answer, labels) -> number`.
        penalties: what is added to the loss: `sl.losses.joules("loihi", target=1e-7)`, `synops`, `spike_rate`, or a
            callable `Batch -> number`.
        prune: pruning while it trains, `sl.learning.Pruning(0.8)`.
        keep_zeros: weights that are exactly zero stay so: they are synapses that were pruned.
        validation: share of the training samples that is held out; with 0 the last epoch is the best, and so it is
            with penalties or pruning, for an earlier epoch spent more.
        profile: what joules an epoch are estimated on, from the first 256 test samples; None for none.
        checkpoint: folder in which the run is kept after each epoch, and each minute of a long one.
        resume: go on with the run in that folder, to the same figures as without the break; start where there is none.
        callback: called with each finished `Epoch`: loss, accuracy, and in `epoch.reading` joules with their range, spikes
            and synaptic operations a sample, by layer; a function, one of `sl.learning.loggers`, or several.
        progress: bars and lines on standard error; a callable gets each finished `Epoch` instead; False for silence.

    Raises:
        InputError: data, a name, a number or a folder that cannot be used; or a loss that is not finite.
        FileFormatError: a checkpoint that cannot be trusted, or of another network.
    """
    if learning_rate is None:
        learning_rate = LEARNING_RATES["spiking" if isinstance(network, SpikingNetwork) else "ordinary"]
    settings = _settings(network, epochs, seed, batch_size, learning_rate, loss, validation)
    if schedule not in SCHEDULES:
        raise unknown_name("schedule", str(schedule), SCHEDULES)
    if schedule != "one-cycle":
        settings["schedule"] = schedule
    criterion, heard = find_loss(loss), listeners(callback)
    device = None if profile is None else load_profile(profile)
    for part in ("train_inputs", "train_labels", "test_inputs", "test_labels"):
        if not hasattr(data, part):
            raise InputError(
                f"a {type(data).__name__} has no {part}: give a data set of sl.load_dataset or sl.datasets.Dataset"
            )
    train = checked_samples("train", data.train_inputs, data.train_labels)
    test = checked_samples("test", data.test_inputs, data.test_labels)
    settings |= {"train_samples": len(train[0]), "test_samples": len(test[0])}
    if resume and checkpoint is None:
        raise InputError("resume=True needs the folder of the run to go on with: pass checkpoint=")
    modes = [(module, module.training) for module in network.modules()]
    with own_random_numbers(network, seed):
        with evaluation_mode(network):
            check_fits("train", network, *train)
            check_fits("test", network, *test)
        held, kept = _split(len(train[0]), validation, seed)
        budget = Budget(network, train[0][kept[:LOOKED_AT]], penalties, prune, keep_zeros)
        settings |= budget.settings()
        run = _Run(
            network,
            criterion,
            budget,
            (train[0], train[1], kept),
            (train[0][held], train[1][held]),
            test,
            device,
            settings,
        )
        if checkpoint is not None:
            run.settings["content"] = content(*train, *test)
            run.go_on(checkpoint, resume=resume)
        vars(network).pop("conversion", None)  # weights that move on are not those that came of an ANN
        try:
            stopped = run.until(epochs, progress, checkpoint, heard)
        finally:
            for module, training in modes:
                module.training = training
            if run.best:
                network.load_state_dict(run.best)
            reseed(network, seed)
    return Fit(run.history, best_of(run.history), stopped, device.name if device else None)


class _Run:
    """The state of a training run: what a checkpoint keeps, and what an epoch changes."""

    def __init__(
        self,
        network: nn.Module,
        criterion: Loss,
        budget: Budget,
        train: tuple[Tensor, Tensor, Tensor],  # inputs, labels, and which of them are trained on
        held: tuple[Tensor, Tensor],
        test: tuple[Tensor, Tensor],
        profile: HardwareProfile | None,
        settings: dict[str, Any],
    ) -> None:
        self.network, self.criterion, self.profile, self.settings = network, criterion, profile, settings
        self.budget = budget
        self.train, self.held, self.test = train, held, test
        self.place = device_of(network)
        weights = [parameter for parameter in network.parameters() if parameter.requires_grad]
        fused = self.place.type in ("cpu", "cuda")
        self.optimizer = Adam(weights, lr=settings["learning_rate"], fused=fused)
        self.best: dict[str, Tensor] = {}
        self.history: tuple[Epoch, ...] = ()
        self.passing = Pass()
        self.folder: str | os.PathLike[str] | None = None
        self.kept = time.monotonic()

    def go_on(self, folder: str | os.PathLike[str], *, resume: bool) -> None:
        """Take up the run in a folder, or begin one there with the weights as they are."""
        self.folder = folder
        if not has_checkpoint(folder):
            self.keep(folder)
            return
        if not resume:
            raise InputError(f"'{folder}' holds a training run already: pass resume=True, or another folder")
        kept = load_checkpoint(folder)
        for name in sorted(self.settings.keys() | kept.settings.keys()):
            before, now = kept.settings.get(name), self.settings.get(name)
            if name == "content" and before is None:  # of an older release: what it was trained on is not known
                continue
            if before != now and name == "content":
                raise InputError(
                    f"the run in '{folder}' began on other samples or labels, though as many: go on with the data that it "
                    "began on, or begin elsewhere"
                )
            if before != now:
                raise InputError(
                    f"the run in '{folder}' has {name} {before}, not {now}: go on as it began, or elsewhere"
                )
        check_weights(self.network, kept.weights, folder)
        check_weights(self.network, kept.best, folder)
        _load_optimizer(self.optimizer, kept.optimizer, folder)
        if kept.passing.done:
            set_random_states(self.network, kept.passing.random)
        self.network.load_state_dict(dict(kept.weights))
        self.best, self.history, self.passing = dict(kept.best), kept.history, kept.passing

    def keep(self, folder: str | os.PathLike[str]) -> None:
        """Write everything that is needed to go on."""
        weights = self.network.state_dict()
        state = self.optimizer.state_dict()["state"]
        moments = {f"{number}/{name}": value for number, of in state.items() for name, value in of.items()}
        spec = spec_of(self.network)
        run = Checkpoint(weights, self.best or weights, moments, self.history, self.settings, spec, self.passing)
        save_checkpoint(folder, run)
        self.kept = time.monotonic()

    def until(
        self, epochs: int, progress: Progress, folder: str | os.PathLike[str] | None, heard: Sequence[Heard] = ()
    ) -> bool:
        """Train to the last epoch; whether Ctrl-C came first."""
        finished, batches = len(self.history), math.ceil(len(self.train[2]) / self.settings["batch_size"])
        try:
            with watching(progress, epochs=epochs, finished=finished, batches=batches) as watch:
                for number in range(finished + 1, epochs + 1):
                    row = self.epoch(number, watch)
                    history = (*self.history, row)
                    best = _copied(self.network) if best_of(history) == number else self.best
                    self.best, self.history, self.passing = best, history, Pass()
                    if folder is not None:
                        self.keep(folder)
                    watch.epoch(row)
                    for callback in heard:
                        callback(row)
        except KeyboardInterrupt:
            return True
        return False

    def epoch(self, number: int, watch: Watch) -> Epoch:
        """One pass over the training samples, and what the network is worth after it."""
        began = time.perf_counter()
        loss, accuracy, penalty = self.passed(number, watch)
        held = evaluate(self.network, *self.held).accuracy if len(self.held[0]) else None
        test = evaluate(self.network, *self.test).accuracy
        spent = after_epoch(self.network, self.test[0][:RECORDED_SAMPLES], self.profile, number)
        seconds = round(time.perf_counter() - began, 3)
        return Epoch(
            number, loss, accuracy, held, test, spent.spike_rate, spent.joules_per_sample, seconds, penalty, spent
        )

    def passed(self, number: int, watch: Watch) -> tuple[float, float, float | None]:
        """Mean loss, accuracy and penalty of a pass; its random numbers follow from the seed and the epoch's number."""
        inputs, labels, kept = self.train
        size = self.settings["batch_size"]
        shuffle, code, network = _seeds(self.settings["seed"], number, 3)
        order = kept[torch.randperm(len(kept), generator=torch.Generator().manual_seed(shuffle))]
        torch.manual_seed(network)
        reseed(self.network, code)
        self.network.train()
        batches = math.ceil(len(order) / size)
        rates = self.learning_rates(number, batches)
        self.budget.begin_epoch()
        membranes = reads_membranes(self.criterion)
        look = min(GLANCE, max(batches // 10, 1))  # a short epoch has a bar that moves too
        now = self.passing
        if now.done:
            set_random_states(self.network, now.random)
            self.budget.put(now.random)
        for done, (batch, rate) in enumerate(zip(order.split(size), rates, strict=True), start=1):
            if done <= now.done:
                continue
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            target = labels[batch].to(self.place)
            with self.budget.listening() as tap:
                found = answer(self.network, inputs[batch].to(self.place), membranes=membranes)
            loss = self.criterion(found, target)
            penalty = self.budget.penalty(tap, len(batch))
            self.optimizer.zero_grad()
            (loss if penalty is None else loss + penalty).backward()
            self.optimizer.step()
            self.budget.after(batches * (number - 1) + done, batches * self.settings["epochs"])
            now = now.plus(
                float(loss.detach()), 0.0 if penalty is None else float(penalty.detach()), len(batch),
                int((found.scores.detach().argmax(1) == target).sum()),
            )  # fmt: skip
            if not math.isfinite(now.loss):
                raise InputError(
                    f"the loss was {float(loss.detach())} in epoch {number}, batch {done}: choose a learning rate "
                    f"below {self.settings['learning_rate']:g}"
                )
            if done % look == 0:
                watch.batch(done, now.loss / now.seen, now.right / now.seen)
            if self.folder is not None and done < batches and time.monotonic() - self.kept > SECONDS_BETWEEN:
                self.keep_within(now)
        return now.loss / now.seen, now.right / now.seen, now.penalty / now.seen if self.budget.watches else None

    def keep_within(self, now: Pass) -> None:
        """Write the run in the middle of an epoch, where all that the rest of it depends on can be written."""
        self.kept = time.monotonic()
        states = None if self.budget.watches or self.place.type != "cpu" else random_states(self.network)
        if states is not None and self.folder is not None:
            self.passing = now.at({**states, **self.budget.zeros()})
            self.keep(self.folder)

    def learning_rates(self, number: int, batches: int) -> Iterator[float]:
        """The learning rate of each batch of an epoch."""
        steps = batches * self.settings["epochs"]
        first = batches * (number - 1)
        share = SCHEDULES[self.settings.get("schedule", "one-cycle")]
        return (self.settings["learning_rate"] * share(first + i, steps) for i in range(batches))


def one_cycle(step: int, steps: int) -> float:
    """Share of the highest learning rate at a step: up a half cosine from `WARM_START`, down another to 0."""
    warm = WARM_SHARE * steps
    if step < warm:
        return WARM_START + (1 - WARM_START) * (1 - math.cos(math.pi * step / warm)) / 2
    return (1 + math.cos(math.pi * (step - warm) / (steps - warm))) / 2


#: share of the highest learning rate at a step of so many
SCHEDULES: dict[str, Callable[[int, int], float]] = {"one-cycle": one_cycle, "constant": lambda step, steps: 1.0}


def _settings(
    network: nn.Module, epochs: int, seed: int, batch_size: int, rate: float, loss: str | Loss, validation: float
) -> dict[str, Any]:
    """What has to be the same when a run goes on, checked."""
    if not isinstance(network, nn.Module):
        raise InputError(f"a network must be a torch.nn.Module, not a {type(network).__name__}")
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise InputError(
            f"{type(network).__name__} has no weights to train: none of its parameters requires a gradient"
        )
    for name, number, least in (("epochs", epochs, 1), ("batch_size", batch_size, 1), ("seed", seed, 0)):
        if not isinstance(number, int) or isinstance(number, bool) or number < least:
            raise InputError(f"{name} is {number!r}, but must be a whole number of at least {least}")
    if not (math.isfinite(rate) and rate > 0):
        raise InputError(f"learning_rate is {rate}, but must be a finite number above 0")
    if not 0 <= validation < 1:
        raise InputError(f"validation is {validation}, but must be a share of the training samples, from 0 to below 1")
    return {
        "epochs": epochs, "seed": seed, "batch_size": batch_size, "learning_rate": float(rate),
        "loss": loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__),
        "validation": float(validation),
    }  # fmt: skip


def _copied(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def _split(samples: int, validation: float, seed: int) -> tuple[Tensor, Tensor]:
    """Which samples are held out, and which are trained on."""
    held = max(round(validation * samples), 1) if validation else 0
    if held >= samples:
        raise InputError(f"{samples} training samples are too few to hold {held} of them out: pass validation=0")
    (start,) = _seeds(seed, 0, 1)
    order = torch.randperm(samples, generator=torch.Generator().manual_seed(start))
    return order[:held], order[held:]


def _seeds(seed: int, epoch: int, count: int) -> list[int]:
    """Independent seeds of one epoch: nothing of an earlier epoch has to be known to go on with a later one."""
    return [int(word >> 1) for word in np.random.SeedSequence([seed, epoch]).generate_state(count, np.uint64)]


def _load_optimizer(
    optimizer: torch.optim.Optimizer, moments: Mapping[str, Tensor], where: str | os.PathLike[str]
) -> None:
    """Give Adam its moments back, if they are those of these weights."""
    weights = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in moments.items():
        number, _, kind = name.partition("/")
        fits = number.isdecimal() and len(number) < 9 and int(number) < len(weights) and kind in ADAM_STATE
        if not fits or (kind != "step" and value.shape != weights[int(number)].shape) or value.numel() < 1:
            raise FileFormatError(f"'{where}' holds an optimizer state '{name}' that is not of this network's weights")
        state.setdefault(int(number), {})[kind] = value
    if any(len(kinds) != len(ADAM_STATE) for kinds in state.values()) or len(state) not in (0, len(weights)):
        raise FileFormatError(f"'{where}' holds only a part of the optimizer's state: train again in another folder")
    if state:
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
