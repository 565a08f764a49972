"""A recorded comparison as a film and as stills: `film(ann, snn, data).save("film.gif")`, from recordings and ledgers alone.

Source of the forms: the notebook *The Cost of 1 Million Brains* (its animation, its four-panel analysis and its figure of
sparsity); here every curve is recorded, every joule is a ledger entry, and ranges are drawn.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import nn

from .. import units
from ..datasets import Dataset
from ..errors import InputError, unknown_name
from ..hardware.catalog import load_profile
from ..hardware.profile import HardwareProfile
from ..ledger import price
from ..report.colours import ROLES
from ..writing import write_whole
from .stage import SIDES, Stage, pictures_of
from .takes import Take

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Still = Literal["analysis", "sparsity"]
STILLS = ("analysis", "sparsity")
_FILMS, _STILLS = (".gif", ".mp4"), (".svg", ".png", ".pdf")
#: frames of one sample at most, and of a second
_FRAMES, _SPEED = 7, 8
_TITLES = {"ann": "Ordinary network (ANN)", "snn": "Spiking network (SNN)"}


def film(
    ann: nn.Module, snn: nn.Module, data: Dataset, *, ann_profile: str | HardwareProfile = "horowitz-45nm-int8",
    snn_profile: str | HardwareProfile = "loihi", samples: int = 20, rate_hz: float = 20.0, seed: int = 0,
    names: tuple[str, str] = ("ANN", "SNN"),
) -> Film:  # fmt: skip
    """Record both networks on test samples and price each run.

    Args:
        ann: an ordinary network, of any kind that `sl.compare` takes.
        snn: a spiking one.
        data: its test samples are drawn with `seed`.
        ann_profile: hardware of the ordinary network.
        snn_profile: hardware of the spiking one.
        samples: how many.
        rate_hz: samples a second, for the watts.

    Raises:
        InputError: no samples, or networks that cannot be shown.
        UnpricedError: a profile that cannot price one of them.
    """
    if samples < 1 or not rate_hz > 0:
        raise InputError(
            f"a film of {samples} samples at {rate_hz:g} a second cannot be: give at least 1, and a rate above 0"
        )
    stage = Stage(ann, snn, data, names, catalogue=(), seed=seed)
    devices = {"ann": load_profile(ann_profile), "snn": load_profile(snn_profile)}
    chosen = stage.chosen(samples)
    takes = {side: [stage.take(side, data.test_inputs[int(at)], seed + place) for place, at in enumerate(chosen)]
             for side in SIDES}  # fmt: skip
    joules = {}
    for side in SIDES:
        ledgers = [price(one.activity, devices[side]) for one in takes[side]]
        joules[side] = np.array([(one.joules_low, one.joules, one.joules_high) for one in ledgers])
    pictures = pictures_of(data.test_inputs[chosen.tolist()])
    titles = {side: devices[side].title for side in SIDES}
    return Film(takes, joules, pictures, data.test_labels.numpy()[chosen], tuple(data.classes), titles, rate_hz)


@dataclass(frozen=True, eq=False)
class Film:
    """What both networks did with some samples, and what each cost: `save` draws it.

    Attributes:
        takes: of each side, one recording a sample.
        joules: of each side, low, nominal and high `[samples, 3]`.
        pictures: uint8 `[samples, height, width]`.
        labels: the right classes `[samples]`.
    """

    takes: dict[str, list[Take]]
    joules: dict[str, NDArray[np.float64]]
    pictures: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    titles: dict[str, str]
    rate_hz: float

    def save(self, path: str | os.PathLike[str], *, still: Still = "analysis") -> Path:
        """Write a film (`.gif`, or `.mp4` where ffmpeg or the extra `film` is installed) or a still (`.svg`, `.png`, `.pdf`).

        Args:
            still: `analysis`: running accuracy, joules, power and their ratio; `sparsity`: activity of both networks, how
                much of each layer was active, and joules.

        Raises:
            InputError: another ending or still, or no ffmpeg.
        """
        target = check_film(path, still)
        kind = target.suffix.lower()
        if kind in _STILLS:
            figure = self.analysis() if still == "analysis" else self.sparsity()
            return write_whole(target, lambda file: figure.savefig(file, format=kind[1:], dpi=144))
        return write_whole(target, _gif(self.frames()) if kind == ".gif" else _mp4(self.frames()))

    def right(self, side: str) -> NDArray[np.bool_]:
        """Which samples a network answered right."""
        return np.array([one.answers[-1] for one in self.takes[side]]) == self.labels

    def analysis(self) -> Figure:
        """Running accuracy, joules so far, power at the rate, and ANN / SNN: bands from low to high, four panels."""
        figure, panels = _sheet(4, 1, (7.0, 10.5))
        places = np.arange(1, len(self.labels) + 1)
        summed = {side: self.joules[side].cumsum(0) for side in SIDES}
        for side in SIDES:
            share = 100 * self.right(side).cumsum() / places
            panels[0].plot(places, share, **_pen(side), label=f"{side.upper()}: {share[-1]:.0f} % right")
            _band(panels[1], places, summed[side], side, f"{side.upper()}: {units.joules(float(summed[side][-1, 1]))}")
            # joules/sample * samples/s = watts
            _band(panels[2], places, self.joules[side] * self.rate_hz, side, _cut(self.titles[side], 26))
        ratio = np.stack([summed["ann"][:, end] / summed["snn"][:, 2 - end] for end in range(3)], 1)
        panels[3].fill_between(places, ratio[:, 0], ratio[:, 2], color=ROLES["muted"][0], alpha=0.25, lw=0)
        panels[3].plot(places, ratio[:, 1], color=ROLES["ink"][0], lw=1.8)
        panels[3].axhline(1, color=ROLES["muted"][0], lw=0.8)
        for axes, title, unit in zip(
            panels, ("Right so far, %", "Joules so far", f"At {self.rate_hz:g} samples a second",
                     "ANN ÷ SNN: above 1 the SNN needs less"), ("", "J", "W", "-"), strict=True,
        ):  # fmt: skip
            axes.set_title(title, loc="left", fontsize=10, fontweight="bold")
            axes.set_xlim(0.5, len(places) + 0.5)
            axes.xaxis.get_major_locator().set_params(integer=True)
            if unit:
                _decades(axes, unit.strip("-"))
        for axes in panels[:3]:
            legend = axes.legend(
                fontsize=8, frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderpad=0
            )
            legend.set_in_layout(False)
        panels[0].set_ylim(0, 105)
        panels[3].set_xlabel(
            "samples; recorded counts, estimated joules from low to high, both sides apart", fontsize=8
        )
        return figure

    def sparsity(self) -> Figure:
        """Values of the ANN and spikes of the SNN for the first sample, active shares of all layers, joules a sample."""
        figure, panels = _sheet(2, 2, (10.0, 7.0))
        ann, snn = (self.takes[side][0] for side in SIDES)
        values = next(one for one in ann.populations if one.values is not None).values
        assert values is not None
        panels[0].imshow(_folded(values), cmap=_ramp("ann"), aspect="auto")
        hidden = _hidden(snn)
        panels[1].imshow(hidden.T, cmap=_ramp("snn"), aspect="auto", interpolation="nearest")
        shares = self._active()
        rows = np.arange(len(shares))
        panels[2].barh(rows, [100 * share for _, _, share in shares], color=[ROLES[side][0] for side, _, _ in shares])
        panels[2].set_yticks(rows, [f"{side.upper()} {name}" for side, name, _ in shares], fontsize=8)
        panels[2].invert_yaxis()
        panels[2].set_xlabel("ANN: values that are not 0; SNN: spikes a neuron and step", fontsize=8)
        for at, side in enumerate(SIDES):
            low, nominal, high = self.joules[side].mean(0)
            panels[3].plot([at, at], [low, high], color=ROLES[side][0], lw=14, alpha=0.3, solid_capstyle="butt")
            panels[3].plot(at, nominal, "oD"[at], color=ROLES[side][0], ms=9)
            panels[3].annotate(
                units.joules(float(nominal)), (at, nominal), (14, -3), textcoords="offset points", fontsize=9
            )
        _decades(panels[3], "J")
        panels[3].set(xlim=(-0.6, 1.8), xticks=(0, 1))
        panels[3].set_xticklabels([f"{side.upper()}\n{_cut(self.titles[side], 24)}" for side in SIDES], fontsize=8)
        for axes, title in zip(panels, (
            "ANN: a hidden layer's values, one sample", f"SNN: {hidden.shape[1]} neurons over {snn.timesteps} steps",
            f"Active, %, of {len(self.labels)} samples",
            "Joules a sample: mark nominal, band low to high",
        ), strict=True):  # fmt: skip
            axes.set_title(title, loc="left", fontsize=9, fontweight="bold")
        for axes in panels[:2]:
            axes.set(xticks=(), yticks=())
            axes.grid(False)
        return figure

    def _active(self) -> list[tuple[str, str, float]]:
        """Shares of values or spikes, by side and layer, of all samples."""
        found = []
        for side in SIDES:
            runs = [one.activity for one in self.takes[side]]
            for name, layer in runs[0].layers_by_name.items():
                if layer.spiking:
                    of = sum(run.total("neuron_update", name) for run in runs)
                    share = sum(run.total("spike", name) for run in runs) / of if of else 0.0
                elif name in runs[0].nonzero_activations:
                    of = sum(run.total("activation", name) for run in runs)
                    share = sum(run.nonzero_activations[name] for run in runs) / of if of else 0.0
                else:
                    continue
                found.append((side, name.removeprefix("layers."), share))
        return found

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        """RGB pictures `[height, width, 3]`: each sample step by step, its answers, and what was spent so far."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        figure, panels = _sheet(2, 3, (9.6, 5.4))
        canvas = FigureCanvasAgg(figure)
        ends = {side: self.joules[side].cumsum(0) for side in SIDES}
        lows = [float(ends[side][0, 0]) for side in SIDES]
        highs = [float(ends[side][-1, 2]) for side in SIDES]
        for axes in panels[:3]:
            axes.set(xticks=(), yticks=())
        _decades(panels[3], "J")
        panels[3].set(xlim=(0, len(self.labels) + 1), ylim=(min(lows) / 2, max(highs) * 2))
        panels[3].xaxis.get_major_locator().set_params(integer=True)
        panels[3].set_title("Joules so far", loc="left", fontsize=9, fontweight="bold")
        for axes in panels[4:]:
            axes.set(yticks=(), xlim=(-0.6, len(self.classes) - 0.4))
            if len(self.classes) <= 12:
                axes.set_xticks(range(len(self.classes)), [name[:3] for name in self.classes], fontsize=8)
        for place in range(len(self.labels)):
            snn = self.takes["snn"][place]
            every = max(1, -(-snn.timesteps // _FRAMES))
            for step in [*range(every, snn.timesteps, every), snn.timesteps]:
                for axes in panels:
                    _wipe(axes)
                self._draw(panels, place, step)
                done = place + (step == snn.timesteps)
                for side in SIDES:
                    if done:
                        _band(panels[3], np.arange(1, done + 1), ends[side][:done], side, side.upper())
                canvas.draw()
                figure.set_layout_engine("none")  # laid out once: nothing moves, and a frame takes a fifth of the time
                yield np.asarray(canvas.buffer_rgba())[..., :3].copy()

    def _draw(self, panels: list[Any], place: int, step: int) -> None:
        ann, snn = (self.takes[side][place] for side in SIDES)
        panels[0].imshow(self.pictures[place], cmap="gray_r", vmin=0, vmax=255)
        panels[0].set_title(f"{self.classes[int(self.labels[place])]}", loc="left", fontsize=9, fontweight="bold")
        values = next(one for one in ann.populations if one.values is not None).values
        assert values is not None
        panels[1].imshow(_folded(values), cmap=_ramp("ann"), aspect="auto")
        hidden = _hidden(snn).copy()
        hidden[step:] = 0
        panels[2].imshow(hidden.T, cmap=_ramp("snn"), aspect="auto", interpolation="nearest", vmin=0, vmax=1)
        panels[2].axvline(step - 0.5, color=ROLES["muted"][0], lw=1)
        for at, (side, one, moment) in enumerate((("ann", ann, 0), ("snn", snn, step - 1)), 1):
            scores = one.scores[moment]
            if side == "ann":  # as shares that add up to 1
                raised = np.exp(scores - scores.max())
                scores = raised / raised.sum()
            axes, answer = panels[3 + at], one.answers[moment]
            axes.bar(range(len(scores)), scores, color=ROLES[side][0], alpha=0.85)
            axes.set_ylim(1.05 * float(scores.min(initial=0)), 1.05 * float(scores.max(initial=0)) or 1)
            spent = units.joules(float(self.joules[side][place, 1]))
            axes.set_title(f"says {self.classes[answer]} for {spent}", loc="left", fontsize=9, fontweight="bold")
            panels[at].set_title(f"{_TITLES[side]}", loc="left", fontsize=9, fontweight="bold", color=ROLES[side][0])
            right = "right" if answer == int(self.labels[place]) else "wrong"
            axes.set_xlabel(f"{right}; {_cut(self.titles[side])}", fontsize=8)


def check_film(path: str | os.PathLike[str], still: str) -> Path:
    """Refuse a name that is no film or picture, an unknown still, and a film that cannot be written here."""
    target = Path(path)
    kind = target.suffix.lower()
    if kind not in (*_FILMS, *_STILLS):
        raise InputError(f"'{target.name}' is no film and no picture: end the name in {', '.join((*_FILMS, *_STILLS))}")
    if still not in STILLS:
        raise unknown_name("still", str(still), STILLS)
    if kind == ".mp4" and ffmpeg() is None:
        raise InputError(
            "a film as .mp4 needs ffmpeg, which is not installed here: pip install 'spikeledger[film]', or write a .gif"
        )
    return target


def ffmpeg() -> str | None:
    """The program that encodes films: the machine's own, else the one that the extra `film` brings."""
    found = shutil.which("ffmpeg")
    if found is None and importlib.util.find_spec("imageio_ffmpeg") is not None:
        try:
            found = str(importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe())
        except RuntimeError:  # it is installed, but has no program for this machine
            return None
    return found


def _sheet(rows: int, columns: int, size: tuple[float, float]) -> tuple[Figure, list[Any]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, facecolor=ROLES["surface"][0], layout="constrained")
    panels = list(np.ravel(figure.subplots(rows, columns)))
    for axes in panels:
        axes.grid(True, color=ROLES["grid"][0], lw=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    return figure, panels


def _wipe(axes: Any) -> None:
    """Take away what was drawn; the axes stay, which take as long to make anew as all the rest."""
    for artist in [*axes.images, *axes.lines, *axes.patches, *axes.collections]:
        artist.remove()
    axes.containers.clear()


def _pen(side: str) -> dict[str, Any]:
    return {"color": ROLES[side][0], "lw": 1.8, "ls": "-" if side == "ann" else (0, (5, 2))}


def _band(axes: Any, places: NDArray[Any], rows: NDArray[np.float64], side: str, label: str) -> None:
    axes.fill_between(places, rows[:, 0], rows[:, 2], color=ROLES[side][0], alpha=0.22, lw=0)
    axes.plot(places, rows[:, 1], **_pen(side), label=label, marker="" if len(places) > 1 else "o")


def _ramp(side: str) -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list(side, [ROLES["surface"][0], ROLES[side][0]])


def _folded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values of a layer as a table about twice as wide as high."""
    width = max(1, int(np.ceil(np.sqrt(2 * len(values)))))
    return np.pad(np.clip(values, 0, None), (0, -len(values) % width)).reshape(-1, width)


def _hidden(take: Take) -> NDArray[np.uint8]:
    """The spikes `[T, N]` of the first population behind the input."""
    drawn = [one for one in take.populations if one.spikes is not None]
    spikes = drawn[min(1, len(drawn) - 1)].spikes
    assert spikes is not None
    return spikes


def _cut(title: str, most: int = 32) -> str:
    return title if len(title) <= most else f"{title[: most - 1].rstrip()}…"


def _decades(axes: Any, unit: str = "") -> None:
    """A logarithmic axis that names its decades as people do."""
    from matplotlib.ticker import FuncFormatter, NullLocator

    axes.set_yscale("log")
    axes.yaxis.set_minor_locator(NullLocator())
    if unit:
        axes.yaxis.set_major_formatter(
            FuncFormatter(lambda value, _: units.si(value, unit).replace(".00", "").replace(".0 ", " "))
        )


def _gif(frames: Iterator[NDArray[np.uint8]]) -> Any:
    from PIL import Image

    def write(file: Any) -> None:
        # one palette for all frames: what stands still does not flicker
        pictures = [Image.fromarray(one) for one in frames]
        palette = pictures[-1].quantize(64)
        first, *rest = [one.quantize(palette=palette, dither=Image.Dither.NONE) for one in pictures]
        first.save(
            file, format="GIF", save_all=True, append_images=rest, duration=1000 // _SPEED, loop=0, optimize=False
        )

    return write


def _mp4(frames: Iterator[NDArray[np.uint8]]) -> Any:
    program = ffmpeg() or "ffmpeg"

    def write(file: Any) -> None:
        with tempfile.TemporaryDirectory() as folder:
            made = Path(folder) / "film.mp4"
            first = next(frames)
            high, wide = (size - size % 2 for size in first.shape[:2])  # the codec wants even sizes
            command = [program, "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{wide}x{high}", "-r",
                       str(_SPEED), "-i", "-", "-pix_fmt", "yuv420p", "-movflags", "+faststart", str(made)]  # fmt: skip
            with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as running:
                try:
                    _, said = running.communicate(b"".join(one[:high, :wide].tobytes() for one in (first, *frames)))
                except BrokenPipeError:
                    said = b""
            if running.returncode:
                raise InputError(f"ffmpeg could not write the film: {said.decode(errors='replace').strip()[-200:]}")
            file.write(made.read_bytes())

    return write
