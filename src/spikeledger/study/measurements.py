"""Published measurements, each with the activity that was published beside it: what `validate` predicts.

A measurement states its basis, so that nobody takes a fit for a prediction:

- `independent`: the prices come from another publication or another chip than the measurement;
- `held out`: the prices were fitted to other points of the same series;
- `same source`: prices and measurement come from one publication: the row checks arithmetic, not foresight.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from ..activity import Activity
from ..hardware.catalog import load_profile
from ..hardware.profile import HardwareProfile
from ..hardware.variants import at_batch, at_clock
from .counts import Count, activity_from_events

Basis = Literal["independent", "held out", "same source"]

_MEROLLA = "Merolla et al. 2014, Science 345:668, doi:10.1126/science.1254642, Fig. 2 and supplement, Fig. 17"
_ODIN = "Frenkel et al. 2019, IEEE TBioCAS 13:145, doi:10.1109/TBCAS.2018.2880425"
_LAVA = "lava-nc/lava-dl @d825ac5, tutorials/lava/lib/dl/netx/pilotnet_{}/benchmark.ipynb"
_BLOUW = "Blouw et al. 2019, NICE, doi:10.1145/3320288.3320304; raw logs in abr/power_benchmarks"
_YAO = "Yao et al. 2024, Nat. Commun. 15:4464, doi:10.1038/s41467-024-47811-6, Table 1"
_PD14 = "INM-6/microcircuit-PD14-model @fd40046, performance_data_raw.yaml: "

#: the cortical microcircuit of Potjans and Diesmann: 77,169 neurons, 0.3e9 synapses, about 3 Hz, steps of 0.1 ms
_NEURONS, _EVENTS_PER_SECOND, _STEPS_PER_SECOND = 77_169, 900_000_000, 10_000
#: keyword spotting, 390-256-256-29
_KEYWORD_SYNAPSES, _KEYWORD_LAYERS = 172_800, 3


@dataclass(frozen=True)
class Measurement:
    """One measured energy, the activity behind it and the profile that is to predict it."""

    name: str
    device: str
    joules: float
    activity: Activity
    profile: HardwareProfile
    basis: Basis
    source: str
    assumes: str = ""  # what the publication leaves open and is set here
    dynamic: bool = False  # measured above the static power


@dataclass(frozen=True)
class PublishedCount:
    """An operation count that others published for a network whose layers are known."""

    name: str
    layer_sizes: tuple[tuple[int, int], ...]
    operations: int
    source: str


def measurements() -> Iterator[Measurement]:
    """All of them, device by device."""
    yield from _truenorth()
    yield from _odin()
    yield from _loihi()
    yield from _loihi_2()
    yield from _speck()
    yield from _brainscales()
    yield from _microcircuit()
    yield from _keywords("quadro-k4000", "gpu", {8: (38.82, 6627.4), 32: (40.03, 23855.7)}, (40.10, 178.1))
    yield from _keywords("xeon-e5-2630", "cpu", {8: (21.56, 5964.3), 32: (25.06, 21375.8)}, (26.32, 355.2))


def published_counts() -> tuple[PublishedCount, ...]:
    """NeuroBench's dense operations of one execution: they check the counting rule, not a price."""
    source = "NeuroBench leaderboard, Yik et al. 2025, doi:10.1038/s41467-025-56739-4: non-human primate reaching, {}"
    rows: tuple[tuple[str, tuple[tuple[int, int], ...], int], ...] = (
        ("ANN, 96 channels", ((96, 32), (32, 48), (48, 2)), 4704),
        ("ANN, 192 channels", ((192, 32), (32, 48), (48, 2)), 7776),
        ("SNN, 96 channels", ((96, 50), (50, 2)), 4900),
        ("SNN, 192 channels", ((192, 50), (50, 2)), 9700),
    )
    return tuple(PublishedCount(name, sizes, count, source.format(name)) for name, sizes, count in rows)


def _truenorth() -> Iterator[Measurement]:
    chip = load_profile("truenorth")
    rows: tuple[tuple[str, float, float, Basis, str], ...] = (
        ("0.8 V, 20.07 Hz", 0.071, 20.07, "held out", "the line goes through the sweep's two other points"),
        ("0.775 V, 20 Hz", 0.072, 20.0, "independent", "prices of 0.8 V, and networks that route farther"),
        ("0.75 V, 20 Hz", 0.065, 20.0, "independent", "prices of 0.8 V"),
    )
    for name, joules, hertz, basis, assumes in rows:
        # neurons * synapses * spikes/second * 1 s = events
        events = round(1_048_576 * 128 * hertz)
        activity = _run({"synapses": {"synaptic_op": events}}, seconds=1.0, timesteps=1000)
        yield Measurement(
            f"TrueNorth, {name}, one second", "truenorth", joules, activity, chip, basis, _MEROLLA, assumes
        )


def _odin() -> Iterator[Measurement]:
    chip = load_profile("odin")
    for watts, hertz, rate in ((4.77e-4, 7.5e7, 37_500_000), (3.5e-5, 1.3e6, 650_000)):
        activity = _run({"synapses": {"synaptic_op": rate}}, seconds=1.0)
        yield Measurement(
            f"ODIN, {hertz / 1e6:g} MHz, {rate / 1e6:g} MSOP/s, one second", "odin", watts, activity,
            at_clock(chip, hertz), "same source", _ODIN, "the affine model was fitted to this chip",
        )  # fmt: skip


def _loihi() -> Iterator[Measurement]:
    chip = load_profile("loihi")
    rows = (
        ("programmed and idle, one second", 0.0963, 1.0, "nothing runs"),
        ("keyword spotting, one inference", 0.1102 / 296, 1 / 296, "spikes and steps are not published: static share"),
        ("ten branches of ten layers, one inference", 0.1248 / 114, 1 / 114,
         "spikes and steps are not published: static share; the slope of 15 to 16 uJ a branch stays unexplained"),
    )  # fmt: skip
    for name, joules, seconds, assumes in rows:
        activity = _run({}, seconds=seconds)
        yield Measurement(f"Loihi, {name}", "loihi", joules, activity, chip, "independent", _BLOUW, assumes)


def _loihi_2() -> Iterator[Measurement]:
    chip = load_profile("loihi-2")
    steps = 16
    # neurons, rate of spikes a step and exact synaptic operations a step, from the network's own file and spike trains
    layers = (
        ("input", 39_600, 0.887, 0), ("conv0", 76_032, 0.0915, 1_816_000), ("conv1", 26_460, 0.1003, 529_000),
        ("conv2", 8_064, 0.1201, 266_000), ("conv3", 5_632, 0.1078, 245_000), ("conv4", 2_560, 0.1102, 151_000),
        ("dense", 161, 0.094, 28_000),
    )  # fmt: skip
    events: dict[str, dict[str, Count]] = {}
    for name, neurons, rate, arriving in layers:
        events[name] = {"neuron_update": neurons * steps, "spike": round(neurons * rate * steps)}
        if arriving:
            events[f"{name}.weight"] = {"synaptic_op": arriving * steps}
    assumes = "spikes of the same network on another run; a factor of 2 in its steps cannot be excluded"
    source = _LAVA.format("snn")
    yield Measurement(
        "Loihi 2, PilotNet LIF, dynamic, one inference", "loihi-2", 0.447156 / 408.91,
        _run(events, seconds=1 / 408.91, timesteps=steps), chip, "independent", source, assumes, dynamic=True,
    )  # fmt: skip
    yield Measurement(
        "Loihi 2, PilotNet LIF, one inference", "loihi-2", 0.679234 / 408.91,
        _run(events, seconds=1 / 408.91, timesteps=steps), chip, "same source", source,
        f"{assumes}; the static power is this board's",
    )  # fmt: skip
    yield Measurement(
        "Loihi 2, PilotNet SDNN, one inference", "loihi-2", 0.2757 / 16.87, _run({}, seconds=1 / 16.87), chip,
        "held out", _LAVA.format("sdnn"), "activity is not published: static power alone, which was above the total",
    )  # fmt: skip


def _speck() -> Iterator[Measurement]:
    chip, fan_out = load_profile("speck"), 144
    for name, watts, spikes in (("vanilla", 9.5e-3, 1_000_000), ("dynamic", 3.8e-3, 400_000)):
        activity = _run({"network": {"spike": spikes}, "synapses": {"synaptic_op": spikes * fan_out}}, seconds=0.54)
        yield Measurement(
            f"Speck, DVS gestures, {name} network, 540 ms", "speck", watts * 0.54, activity, chip, "same source", _YAO,
            f"{fan_out} synapses a spike, between 72 and 288 in its layers",
        )  # fmt: skip


def _brainscales() -> Iterator[Measurement]:
    yield Measurement(
        "BrainScaleS-2, ECG, one classification", "brainscales-2", 1.92e-4, _run({}, seconds=2.76e-4),
        load_profile("brainscales-2"), "same source",
        "Stradmann et al. 2022, OJCAS 3:252, doi:10.1109/OJCAS.2022.3208413, abstract",
        "power times time; this mode sets the high end of the profile's power",
    )  # fmt: skip


def _microcircuit() -> Iterator[Measurement]:
    """One second of biological time; the unit is joules of the whole system at the wall."""
    updates = _NEURONS * _STEPS_PER_SECOND
    events: dict[str, dict[str, Count]] = {
        "neurons": {"neuron_update": updates},
        "synapses": {"synaptic_op": _EVENTS_PER_SECOND},
    }
    about = "0.9e9 synaptic events a second (0.3e9 synapses at 3 Hz)"
    rows = (
        ("SpiNNaker, 12 boards in real time", "spinnaker", 6.01e-7, 12 * 48 * 1.0, "Rhodes et al. 2019",
         f"{about}; seconds of 576 chips"),
        ("SpiNNaker, 6 boards, 20 times slower", "spinnaker", 4.4e-6, 6 * 48 * 20.0, "van Albada et al. 2018",
         f"{about}; seconds of 288 chips"),
        ("V100 with GeNN, 1.84 times slower", "v100", 4.7e-7, 1.838, "Knight and Nowotny 2018 (estimated by them)",
         f"{about}; a GPU that follows events has no price of its own here, and it does not idle meanwhile"),
    )  # fmt: skip
    for name, device, per_event, seconds, who, assumes in rows:
        yield Measurement(
            f"cortical microcircuit, {name}", device, per_event * _EVENTS_PER_SECOND,
            _run(events, seconds=seconds, timesteps=_STEPS_PER_SECOND), load_profile(device), "independent",
            _PD14 + who, assumes,
        )  # fmt: skip


def _keywords(
    profile: str, log: str, batches: Mapping[int, tuple[float, float]], branches: tuple[float, float]
) -> Iterator[Measurement]:
    device = load_profile(profile)
    for batch, (watts, rate) in batches.items():
        activity = _run(_dense(_KEYWORD_SYNAPSES, _KEYWORD_LAYERS))
        yield Measurement(
            f"{device.title.split(',')[0]}, keyword spotting, batch {batch}, one inference", profile, watts / rate,
            activity, at_batch(device, batch), "held out", f"{_BLOUW}: {log}_bsize_{batch}",
            "fitted to batches of 1 and 64",
        )  # fmt: skip
    watts, rate = branches
    activity = _run(_dense(_KEYWORD_SYNAPSES + 4 * 10 * 256 * 256, _KEYWORD_LAYERS + 40))
    yield Measurement(
        f"{device.title.split(',')[0]}, four branches of ten layers, one inference", profile, watts / rate, activity,
        device, "held out", f"{_BLOUW}: {log}_scaled_4x", "fitted to none and ten branches",
    )  # fmt: skip


def _dense(operations: int, layers: int) -> dict[str, dict[str, Count]]:
    shares = [operations // layers] * (layers - 1)
    shares.append(operations - sum(shares))
    return {f"layer{index}": {"dense_op": share} for index, share in enumerate(shares)}


def _run(events: Mapping[str, Mapping[str, Count]], *, seconds: float | None = None, timesteps: int = 1) -> Activity:
    return activity_from_events(events, samples=1, timesteps=timesteps, seconds=seconds, producer="published")
