"""The book's figures with sliders: what Python computes, the still for print, and the directive that puts them on a page.

The browser computes the same (`web/src/book/models.ts`); `tests/browser/test_book_figures.py` holds the two together.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cache
from html import escape
from typing import Any

import numpy as np
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

import spikeledger as sl

Settings = dict[str, float]


@dataclass(frozen=True)
class Slider:
    """One setting: its ends, its step, where it starts, and names of its values where they are choices."""

    name: str
    label: str
    low: float
    high: float
    step: float
    start: float
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Figure:
    """A figure: its sliders, what it computes, the names of its axes, and a sentence with {0}, {1} for its numbers."""

    model: Callable[[Settings], dict[str, Any]]
    sliders: tuple[Slider, ...]
    x: str
    y: str
    says: str
    given: Callable[[], dict[str, Any]] = field(default=dict)

    def start(self) -> Settings:
        """Where the sliders stand at first."""
        return {one.name: one.start for one in self.sliders}

    def random(self, draw: np.random.Generator) -> Settings:
        """Settings that the sliders can reach."""
        return {
            one.name: round(one.low + one.step * int(draw.integers(0, round((one.high - one.low) / one.step) + 1)), 9)
            for one in self.sliders
        }

    def sentence(self, numbers: list[float]) -> str:
        """What it says, with three digits a number."""

        def told(value: float) -> str:
            rounded = 0.0 if abs(value) < 1e-6 else value if value == int(value) else float(f"{value:.3g}")
            return np.format_float_positional(rounded, trim="-")

        return re.sub(r"\{(\d)\}", lambda found: told(float(numbers[int(found[1])])), self.says)


def xorshift(seed: int, many: int) -> np.ndarray:
    """G. Marsaglia's xorshift of 128 bits (2003, doi:10.18637/jss.v008.i14), in [0, 1), as the browser's engine draws."""
    x, y, z, w = (seed ^ 0x75BCD15) & 0xFFFFFFFF, 0x159A55E5, 0x1F123BB5, 0x5491333
    drawn = np.empty(many)
    for number in range(-24, many):
        t = (x ^ (x << 11)) & 0xFFFFFFFF
        x, y, z = y, z, w
        w = (w ^ (w >> 19) ^ t ^ (t >> 8)) & 0xFFFFFFFF
        if number >= 0:
            drawn[number] = w / 2**32
    return drawn


def bucket(to: Settings) -> dict[str, Any]:
    """Chapter 1."""
    steps = int(1.6 / to["dt"] + 0.5)
    wave = np.where((np.arange(steps) + 0.5) * to["dt"] < 0.8, 0.3, -0.3)
    times = (np.arange(steps) + 1) * to["dt"]
    euler, exact = (
        sl.nef.leaky_integrator(wave, dt=to["dt"], tau=to["tau"], method=method) for method in ("euler", "exact")
    )
    return {"lines": {"Euler": (times, euler), "exact": (times, exact)}, "says": [np.abs(euler - exact).max()]}


def firing(to: Settings) -> dict[str, Any]:
    """Chapter 2."""
    currents, neuron = np.linspace(0.5, 8, 31), sl.nef.LIF(tau=0.02, refractory=to["refractory"])
    steps = int(1 / to["dt"] + 0.5)
    found = neuron.run(np.tile(currents, (steps, 1)), dt=to["dt"]).sum(0)
    late, v, waiting = np.zeros(31), np.zeros(31), np.zeros(31)
    for _ in range(steps):
        waiting -= to["dt"]
        v -= (currents - v) * np.expm1(-np.clip(to["dt"] - waiting, 0, to["dt"]) / neuron.tau)
        fired = v > 1
        v[fired], waiting[fired] = 0, neuron.refractory + to["dt"]
        late += fired
    formula = neuron.rate(currents)
    lines = {"formula": formula, "from the crossing": found, "from the step's end": late}
    return {
        "lines": {name: (currents, line) for name, line in lines.items()},
        "says": [np.abs(each - formula).max() for each in (late, found)],
    }


def _population(many: int, seed: int, tau: float, refractory: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    drawn = xorshift(seed, 3 * many).reshape(many, 3)
    most = np.minimum(100 + 100 * drawn[:, 0], 0.9 / max(refractory, 1e-9))
    gain, bias = sl.nef.LIF(tau=tau, refractory=refractory).gain_bias(most, -1 + 1.9 * drawn[:, 1])
    return np.where(drawn[:, 2] < 0.5, -1.0, 1.0), gain, bias


def tuning(to: Settings) -> dict[str, Any]:
    """Chapter 3."""
    x, neuron = np.linspace(-1, 1, 101), sl.nef.LIF(tau=to["tau"], refractory=to["refractory"])
    encoders, gain, bias = _population(8, 3, to["tau"], to["refractory"])
    rates = neuron.rate(x[:, None] * encoders * gain + bias)
    return {"lines": {f"neuron {i + 1}": (x, rates[:, i]) for i in range(8)}, "says": [rates.max()]}


def _decoded(neurons: int, noise: float, power: int) -> tuple[np.ndarray, np.ndarray]:
    x = np.linspace(-1, 1, 101)
    encoders, gain, bias = _population(int(neurons), 7, 0.02, 0.002)
    rates = sl.nef.LIF().rate(x[:, None] * encoders * gain + bias)
    return x, rates @ sl.nef.solve(rates, x[:, None] ** power, noise=noise)[:, 0]


def decoding(to: Settings) -> dict[str, Any]:
    """Chapter 7."""
    x, read = _decoded(to["neurons"], to["noise"], int(to["power"]))
    wanted = x ** int(to["power"])
    return {
        "lines": {"wanted": (x, wanted), "decoded": (x, read)}, "says": [np.sqrt(np.mean((read - wanted) ** 2))],
    }  # fmt: skip


def drift(to: Settings) -> dict[str, Any]:
    """Chapter 9."""
    x, read = _decoded(to["neurons"], 0.1, 1)
    held = [np.linspace(-0.8, 0.8, 9)]
    for _ in range(300):
        held.append(held[-1] + 0.01 * (np.interp(held[-1], x, read) - held[-1]) / to["tau"])
    rows, times = np.array(held), np.arange(301) * 0.01
    names = (f"from {start:.1f}" for start in rows[0])
    lines = {name.replace("-0.0", "0.0"): (times, rows[:, i]) for i, name in enumerate(names)}
    return {"lines": lines, "says": [np.sqrt(np.mean((rows[-1] - rows[0]) ** 2))]}


@cache
def digits() -> np.ndarray:
    """One digit of each class, [10, 64], 0 to 16."""
    from sklearn.datasets import load_digits

    given = load_digits()
    return np.array([given.data[np.flatnonzero(given.target == each)[0]] for each in range(10)])


def codes(to: Settings) -> dict[str, Any]:
    """Chapter 5."""
    pixels, steps = digits()[int(to["digit"])] / 16, int(to["steps"])
    rates = (pixels / pixels.max()).astype(np.float32)
    if to["code"] == 0:
        drawn = iter(xorshift(1, steps * 64))  # a number is drawn only for pixels that are not black
        sent = np.array([[float(rate > 0 and next(drawn) < rate) for rate in rates] for _ in range(steps)])
    elif to["code"] == 1:
        when = np.rint((np.float32(1) - rates) * np.float32(steps - 1))
        sent = (rates > 0) & (when == np.arange(steps)[:, None])
    else:
        sent = np.tile(pixels, (steps, 1))
    return {"picture": sent.T.astype(float), "says": [int((sent != 0).sum())]}


def tiring(to: Settings) -> dict[str, Any]:
    """Chapter 6."""
    dt, tau, refractory, many, steps = 0.001, 0.02, 0.002, 40, 1500
    currents = -1 + 7 * xorshift(5, steps * many).reshape(steps, many)
    v, w, waiting, lost = np.zeros(many), np.zeros(many), np.zeros(many), []
    with np.errstate(all="ignore"):
        for now in currents:
            w *= np.exp(-dt / to["tau_threshold"])
            left = np.clip(dt - waiting, 0, dt)
            waiting = np.maximum(waiting - dt, 0)
            v = now + (v - now) * np.exp(-left / tau)
            fired = v > 1 + w
            waiting[fired] = refractory + dt + tau * np.log1p(-(v[fired] - 1) / (now[fired] - 1))
            v[fired] = 0
            w[fired] += to["increase"]
            lost.append((np.isnan(waiting) | np.isnan(v)).sum())
    neuron = sl.nef.AdaptiveLIF(tau=tau, tau_threshold=to["tau_threshold"], increase=to["increase"])
    ours = np.isnan(neuron.run(currents, dt=dt)[1]).sum(1)
    times, kept = (np.arange(steps) + 1)[9::10] * dt, (np.array(lost)[9::10], ours[9::10])
    names = ("measured from 1", "measured from what was crossed")
    return {
        "lines": {name: (times, line) for name, line in zip(names, kept, strict=True)},
        "says": [int(line[-1]) for line in kept],
    }


def learning(to: Settings) -> dict[str, Any]:
    """Chapter 11."""
    times, tau = np.arange(101.0), to["tau"]
    sender, receiver = (times == to["sender"]), (times == to["receiver"])
    rule = sl.plasticity.PairRule(increase=0.1, decrease=0.12, tau_before=tau, tau_after=tau)
    weight = sl.plasticity.by_traces(rule, sender, receiver, start=0.5)
    x, y = (
        np.where(times >= to[who], np.exp(-np.maximum(times - to[who], 0) / tau), 0) for who in ("sender", "receiver")
    )
    lines = {"sender's trace": (times, x), "receiver's trace": (times, y), "weight": (times, weight)}
    return {"lines": lines, "says": [weight[-1] - 0.5]}


STAGES = (0, 20, 50, 100, 200, 400, 800, 1600)


@cache
def grown() -> dict[str, Any]:
    """Receptive fields of 25 neurons after some digits, 0 to 15, and how many digits that were."""
    from sklearn.datasets import load_digits

    images = (load_digits().data * (255 / 16)).astype(np.uint8)
    network, done = sl.plasticity.DiehlCook.random(
        25, inputs=64, seed=1, constants=sl.plasticity.Constants(total=12.0)
    ), 0  # fmt: skip
    found: dict[str, Any] = {"digits": [list(STAGES)]}
    for stage, digits_ in enumerate(STAGES):
        if digits_ > done:
            network = sl.plasticity.learn(network, images[done:digits_], seed=stage).network
            done = digits_
        found[f"stage{stage}"] = np.rint(15 * np.minimum(network.weights.T / 0.6, 1)).astype(int).tolist()
    return found


def fields(to: Settings) -> dict[str, Any]:
    """Chapter 13."""
    stage = int(to["stage"])
    picture = np.array(grown()[f"stage{stage}"]).reshape(5, 5, 8, 8).transpose(0, 2, 1, 3).reshape(40, 40)
    return {"picture": picture.astype(float), "says": [STAGES[stage]]}


_REFRACTORY = Slider("refractory", "refractory time, seconds", 0, 0.01, 0.001, 0.002)
_NEURONS = Slider("neurons", "neurons", 2, 60, 1, 20)

FIGURES: dict[str, Figure] = {
    "bucket": Figure(
        bucket, (Slider("dt", "step, seconds", 0.01, 0.25, 0.01, 0.16),
         Slider("tau", "tau, seconds", 0.05, 0.4, 0.05, 0.1)),
        "seconds", "level", "Euler and the exact level differ by up to {0}.",
    ),
    "firing": Figure(
        firing,
        (Slider("dt", "step, seconds", 0.0005, 0.004, 0.0005, 0.002), _REFRACTORY),
        "current", "spikes a second",
        "Largest error: {0} Hz from the step's end, {1} Hz from the crossing.",
    ),
    "tuning": Figure(
        tuning,
        (Slider("tau", "tau, seconds", 0.005, 0.1, 0.005, 0.02), _REFRACTORY),
        "x", "spikes a second", "The busiest neuron fires at {0} Hz.",
    ),
    "codes": Figure(
        codes,
        (Slider("digit", "digit", 0, 9, 1, 3), Slider("code", "code", 0, 2, 1, 0, ("rate", "latency", "direct")),
         Slider("steps", "steps", 4, 40, 1, 16)),
        "step", "pixel", "{0} values that are not zero.", lambda: {"digits": digits().astype(int).tolist()},
    ),
    "tiring": Figure(
        tiring,
        (Slider("tau_threshold", "tau of the threshold, seconds", 0.05, 0.4, 0.05, 0.05),
         Slider("increase", "rise at a spike", 0.1, 1, 0.1, 1)),
        "seconds", "neurons lost", "After 1.5 s {0} of 40 neurons are no longer a number; measured from what was crossed, {1}.",
    ),
    "decoding": Figure(
        decoding,
        (_NEURONS, Slider("noise", "noise that decoders expect", 0.01, 0.3, 0.01, 0.1),
         Slider("power", "function", 1, 3, 1, 1, ("", "x", "x²", "x³"))),
        "x", "decoded", "Error: {0} (root mean square).",
    ),
    "drift": Figure(
        drift,
        (_NEURONS, Slider("tau", "tau of the synapse, seconds", 0.02, 0.4, 0.02, 0.1)),
        "seconds", "remembered", "In three seconds the memory moves by {0} (root mean square of nine starts).",
    ),
    "learning": Figure(
        learning,
        (Slider("sender", "step of the sender's spike", 0, 100, 1, 40),
         Slider("receiver", "step of the receiver's spike", 0, 100, 1, 50),
         Slider("tau", "tau, steps", 5, 50, 5, 20)),
        "step", "traces, weight", "The weight changes by {0}, by a rule ten times as strong as the one above, so that it shows.",
    ),
    "fields": Figure(
        fields, (Slider("stage", "digits seen", 0, 7, 1, 7, tuple(map(str, STAGES))),),
        "", "", "What 25 neurons look for after {0} digits.", grown,
    ),
}  # fmt: skip


def still(figure: Figure) -> tuple[str, str]:
    """The figure at its start, as SVG for print and for readers without scripts, and its sentence."""
    import matplotlib
    import matplotlib.pyplot as plt

    shown = figure.model(figure.start())
    said = figure.sentence(shown["says"])
    with matplotlib.rc_context({"svg.hashsalt": "still", "svg.fonttype": "none", "font.size": 9}):
        drawn, axis = plt.subplots(figsize=(5.6, 2.6))
        if "picture" in shown:
            square = shown["picture"].shape[0] == shown["picture"].shape[1]
            axis.imshow(shown["picture"], aspect="equal" if square else "auto", cmap="gray_r", interpolation="nearest")
            axis.set(xticks=[], yticks=[])
        else:
            lines = shown["lines"]
            for name, (x, y) in lines.items():
                axis.plot(x, y, label=name, linewidth=1.2, **({} if len(lines) <= 4 else {"color": "C0"}))
            if len(lines) <= 4:
                axis.legend()
        axis.set(xlabel=figure.x, ylabel=figure.y)
        drawn.tight_layout()
        file = io.StringIO()
        drawn.savefig(file, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
        plt.close(drawn)
    svg = file.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    return svg.replace("<svg", f'<svg role="img" aria-label="{escape(said)}"', 1), said


@cache
def html(name: str) -> str:
    """A figure as it stands on a page: the still, its sentence, and what the script needs to make it move."""
    figure = FIGURES[name]
    svg, said = still(figure)
    # ids of one page must differ from figure to figure
    svg = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    spec = {
        "sliders": [{key: value for key, value in asdict(one).items() if value != ()} for one in figure.sliders],
        "x": figure.x, "y": figure.y, "says": figure.says, "given": figure.given(),
    }  # fmt: skip
    data = json.dumps(spec, separators=(",", ":"), ensure_ascii=True).replace("<", "\\u003c").replace("&", "\\u0026")
    return (
        f'<div class="widget" data-widget="{name}"><div class="still">{svg}</div><p class="says">{escape(said)}</p>'
        f'<script type="application/json">{data}</script></div>'
    )


class Widget(SphinxDirective):
    """A figure with sliders: ```` ```{widget} bucket ````."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The figure as HTML; other writers leave it out."""
        if self.arguments[0] not in FIGURES:
            raise self.error(f"no figure is called '{self.arguments[0]}': {', '.join(FIGURES)}")
        made = html(self.arguments[0])
        if self.config.figures_are_still:  # a book to read runs no script
            made = re.sub(r"<script.*?</script>", "", made)
        return [nodes.raw("", made, format="html")]
