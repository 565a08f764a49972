"""Published measurements, each with the activity that was published beside it: what `validate` predicts.

A measurement states its basis, so that nobody takes a fit for a prediction:

- `independent`: every price and every end of its range comes from another publication or another chip;
- `held out`: the prices were fitted to other points of the same series or by the same group;
- `same source`: any end of any range that the row uses came from this measurement: arithmetic, not foresight.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from ..activity import Activity
from ..hardware.catalog import load_profile
from ..hardware.profile import HardwareProfile
from ..hardware.variants import at_batch, at_clock
from .counts import Count, activity_from_events

Basis = Literal["independent", "held out", "same source"]

_AKOPYAN = "Akopyan et al. 2015, IEEE TCAD 34(10):1537, doi:10.1109/TCAD.2015.2474396"
_MEROLLA = "Merolla et al. 2014, Science 345:668, doi:10.1126/science.1254642"
_ODIN = "Frenkel et al. 2019, IEEE TBioCAS 13:145, doi:10.1109/TBCAS.2018.2880425"
_LAVA = "lava-nc/lava-dl @d825ac5, tutorials/lava/lib/dl/netx/pilotnet_{}/benchmark.ipynb"
_BLOUW = "Blouw et al. 2019, NICE, doi:10.1145/3320288.3320304; raw logs in abr/power_benchmarks @fce95c8"
_YAO = "Yao et al. 2024, Nat. Commun. 15:4464, doi:10.1038/s41467-024-47811-6, Table 1"
_SNAB = "hbp-unibi/SNABSuite @8202f41, config_energy/spinnaker_energy{}.json (Ostrau et al. 2022, doi:10.3389/fnins.2022.873935)"
_V100 = "NVIDIA V100 technical overview, ResNet-50 at batch {} in mixed precision, data sheet figures as quoted"
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

    @property
    def given(self) -> str:
        """What the prediction was handed: the time, the operations, or both."""
        parts = ["time"] * (self.activity.seconds is not None) + ["operations"] * bool(self.activity.tallies)
        return " and ".join(parts)


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
    yield from _small_chips()
    yield from _microcircuit()
    yield from _spinnaker()
    yield from _keywords("quadro-k4000", "gpu", {8: (38.82, 6627.4), 32: (40.03, 23855.7)}, (40.10, 178.1))
    yield from _keywords("xeon-e5-2630", "cpu", {8: (21.56, 5964.3), 32: (25.06, 21375.8)}, (26.32, 355.2))
    yield from _images()


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
    """1,048,576 neurons with 128 active synapses; each spike crosses 21.3 + 21.3 links."""
    peak = 58e9 / (1_048_576 * 256)  # 58 GSOPS through 256 synapses
    rows = (
        # name, watts, spikes a second and neuron, synapses, ticks a second, state
        ("0.8 V, 20.07 Hz", 0.071, 20.07, 128, 1000, "", _AKOPYAN + ", Fig. 17",
         "the line goes through the sweep's two other points"),
        ("0.775 V, 20 Hz", 0.072, 20.0, 128, 1000, "", _MEROLLA, "prices of 0.8 V"),
        ("0.75 V, 20 Hz", 0.065, 20.0, 128, 1000, "@0.75V", _MEROLLA, "leakage between two other voltages"),
        ("five times real time, 20 Hz", 0.192, 100.0, 128, 5000, "", f"{_MEROLLA}, as quoted: 70 GSOPS/W",
         "13.4 GSOPS at 70 GSOPS/W; prices of 0.8 V"),
        ("0.75 V, 58 GSOPS", 0.145, peak, 256, 1000, "@0.75V", f"{_AKOPYAN}, abstract: 58 GSOPS, 400 GSOPS/W",
         "256 synapses, and the sweep's 42.6 links a spike"),
    )  # fmt: skip
    for name, watts, hertz, synapses, ticks, state, source, assumes in rows:
        # neurons * spikes/second * 1 s = spikes
        spikes = round(1_048_576 * hertz)
        events = {
            "synapses": {"synaptic_op": spikes * synapses, "hop": round(spikes * 42.6)},
            "neurons": {"neuron_update": 1_048_576 * ticks, "spike": spikes},
        }
        yield Measurement(
            f"TrueNorth, {name}, one second", "truenorth" + state, watts, _run(events, seconds=1.0, timesteps=ticks),
            load_profile("truenorth" + state), "held out", source, assumes,
        )  # fmt: skip


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
    seconds = 1 / 408.91
    run = _run(events, seconds=seconds, timesteps=steps)
    yield Measurement(
        "Loihi 2, PilotNet LIF, dynamic, one inference", "loihi-2", 0.447156 * seconds, run, chip, "same source", source,
        f"{assumes}; it set how far Loihi's prices carry", dynamic=True,
    )  # fmt: skip
    yield Measurement(
        "Loihi 2, PilotNet LIF, one inference", "loihi-2", 0.679234 * seconds, run, chip, "same source", source,
        f"{assumes}; the static power is this board's",
    )  # fmt: skip
    yield Measurement(
        "Loihi 2, PilotNet SDNN, one inference", "loihi-2", 0.2757 / 16.87, _run({}, seconds=1 / 16.87), chip,
        "same source", _LAVA.format("sdnn"), "activity is not published: static power alone, whose high end this log set",
    )  # fmt: skip
    sound = {"weights": {"synaptic_op": 300_000}, "neurons": {"neuron_update": 10_000, "spike": 20_000}}
    yield Measurement(
        "Loihi 2, acoustic autoencoder, dynamic, one inference", "loihi-2", 4.16e-5, _run(sound), chip, "same source",
        "arXiv:2608.18341, as quoted: 40.6 to 42.6 uJ", "it set the high end of a spike's overhead", dynamic=True,
    )  # fmt: skip
    yield Measurement(
        "Loihi 2, language model without matrix products, prefill, one token", "loihi-2", 3.7e-3,
        _run({"weights": {"mac": 302_000_000}}), chip, "independent", "Abreu et al. 2025, arXiv:2503.18002, as quoted",
        "302 million graded operations on 24 chips; neither updates nor static power are known", dynamic=True,
    )  # fmt: skip
    for name, state, joules, basis in (
        ("cores", "", 1.43e-5, "independent"),
        ("board", "@board", 1.05e-4, "same source"),
    ):
        yield Measurement(
            f"Loihi 2, Q-learning, {name}, one step", "loihi-2" + state, joules, _run({}, seconds=5.842e-5),
            load_profile("loihi-2" + state), basis, "arXiv:2609.32317, as quoted",  # type: ignore[arg-type]
            "activity is not published: static power alone",
        )  # fmt: skip


def _speck() -> Iterator[Measurement]:
    """Watts over windows of 540 ms; spikes of one sample."""
    chip, fan_out = load_profile("speck"), 144
    rows = (
        ("gestures, vanilla", 9.5e-3, 1_000_000), ("gestures, dynamic", 3.8e-3, 400_000),
        ("gait by day, vanilla", 1.61e-2, 2_900_000), ("gait by day, dynamic", 7.3e-3, 1_200_000),
        ("gait by night, vanilla", 4.68e-2, 3_300_000), ("gait by night, dynamic", 1.23e-2, 1_500_000),
    )  # fmt: skip
    for name, watts, spikes in rows:
        activity = _run({"network": {"spike": spikes}, "synapses": {"synaptic_op": spikes * fan_out}}, seconds=0.54)
        yield Measurement(
            f"Speck, {name} network, 540 ms", "speck", watts * 0.54, activity, chip, "same source", _YAO,
            f"{fan_out} synapses a spike, between 32 and 288 in its layers; this table set the price",
        )  # fmt: skip


def _small_chips() -> Iterator[Measurement]:
    yield Measurement(
        "BrainScaleS-2, ECG, one classification", "brainscales-2@mac", 1.92e-4, _run({}, seconds=2.76e-4),
        load_profile("brainscales-2@mac"), "same source",
        "Stradmann et al. 2022, OJCAS 3:252, doi:10.1109/OJCAS.2022.3208413, abstract",
        "power times time; this measurement is the profile's power",
    )  # fmt: skip
    yield Measurement(
        "Xylo Audio 2, idle, one second", "xylo", 2.19e-4, _run({}, seconds=1.0), load_profile("xylo"), "independent",
        "Bauer et al. 2022, arXiv:2208.12991, as quoted", "nothing runs; another group's reading of the same chip",
    )  # fmt: skip
    yield Measurement(
        "Xylo Audio 2, keyword spotting, one second", "xylo@keywords", 5.07e-4, _run({}, seconds=1.0),
        load_profile("xylo@keywords"), "same source", "Bos and Muir 2024, arXiv:2406.15112",
        "power times time; this measurement is the profile's power",
    )  # fmt: skip
    yield Measurement(
        "Akida AKD1000, MNIST, one image", "akida", 1.22e-3, _run({"layers": {"dense_op": 572_320, "mac": 572_320}}),
        load_profile("akida"), "held out", "Brainchip-Inc/akida_examples, documentation of its MNIST example, as quoted",
        "770 images a second; time by operations of another group's network, floor power by the maker's tool",
    )  # fmt: skip


def _microcircuit() -> Iterator[Measurement]:
    """One second of biological time; the unit is joules of the whole system at the wall."""
    updates = _NEURONS * _STEPS_PER_SECOND
    events: dict[str, dict[str, Count]] = {
        "neurons": {"neuron_update": updates},
        "synapses": {"synaptic_op": _EVENTS_PER_SECOND, "dense_op": _EVENTS_PER_SECOND},
    }
    about = "0.9e9 synaptic events a second (0.3e9 synapses at 3 Hz)"
    wall = "at the wall, with power supplies that are not priced; packets are not published"
    rows = (
        ("SpiNNaker, 12 boards in real time", "spinnaker", 6.01e-7, 576, 1.0, "Rhodes et al. 2019", f"{about}; {wall}"),
        ("SpiNNaker, 6 boards, 20 times slower", "spinnaker", 4.4e-6, 288, 20.0, "van Albada et al. 2018",
         f"{about}; {wall}"),
        ("V100 with GeNN, 1.84 times slower", "v100", 4.7e-7, 1, 1.838, "Knight and Nowotny 2018 (estimated by them)",
         f"{about}; a GPU that follows events has no price of its own here, and it does not idle meanwhile"),
    )  # fmt: skip
    for name, device, per_event, chips, seconds, who, assumes in rows:
        run = replace(_run(events, seconds=seconds, timesteps=_STEPS_PER_SECOND), chips=chips)
        yield Measurement(
            f"cortical microcircuit, {name}", device, per_event * _EVENTS_PER_SECOND, run, load_profile(device), "independent",
            _PD14 + who, assumes,
        )  # fmt: skip


def _spinnaker() -> Iterator[Measurement]:
    """Two boards, one log each: 255 neurons a core, steps of 1 ms, and power over the whole run."""
    rows = (
        # name, neurons, ms of the network, ms of the run, spikes, synapses a spike, target cores, watts, watts of SpiNN-5
        ("silent neurons", 16_065, 10_000, 10_002, 0, 0, 0, 4.110253, 24.537407),
        ("all at 1 kHz, no synapses", 16_065, 10_000, 10_002, 160_682_130, 0, 0, 4.270275, 24.677603),
        ("30 sources to 12,000", 12_030, 20_000, 20_052, 134_824, 12_000, 48, 4.344399, 24.700472),
        ("5,000 sources to as many", 10_000, 10_000, 10_052, 1_148_690, 1, 1, 3.499588, 23.914893),
        ("30 sources, fan-out 255", 12_030, 20_000, 20_052, 599_800, 255, 48, 4.538609, 24.716421),
        ("one neuron to 15,810", 15_811, 20_000, 20_002, 20_002, 15_810, 62, 4.211969, 24.622581),
        ("18 neurons, fan-out 7,905", 15_828, 20_000, 20_002, 360_036, 7_905, 62, 5.459663, 25.582938),
        ("7,905 pairs", 15_810, 20_000, 20_002, 158_115_810, 1, 1, 4.916584, 25.301769),
    )  # fmt: skip
    about = "255 neurons a core; sources are updated as neurons are"
    for board, chips, idle, basis in (("spinn-3", 4, 0.0, "same source"), ("spinn-5", 48, 23.04899, "held out")):
        file = "" if chips == 4 else "_spinn5"
        for name, neurons, steps, ms, spikes, synapses, cores, *watts in rows:
            events: dict[str, dict[str, Count]] = {
                "neurons": {"neuron_update": neurons * steps, "spike": spikes, "packet": spikes * cores},
                "synapses": {"synaptic_op": spikes * synapses},
            }
            seconds = ms / 1000
            yield Measurement(
                f"{board.replace('spinn', 'SpiNN')}, {name}, {ms / 1000:.0f} s" + (", dynamic" if idle else ""),
                f"spinnaker@{board}", (watts[bool(idle)] - idle) * seconds,
                replace(_run(events, seconds=seconds, timesteps=steps), chips=chips), load_profile(f"spinnaker@{board}"),
                basis, _SNAB.format(file), about, dynamic=bool(idle),  # type: ignore[arg-type]
            )  # fmt: skip


def _images() -> Iterator[Measurement]:
    """ResNet-50: 4.09e9 multiply-accumulates in 54 layers."""
    for batch, joules in ((2, 0.124), (4, 0.0809), (64, 0.0466)):
        yield Measurement(
            f"V100 in half precision, ResNet-50, batch {batch}, one image", "v100-fp16", joules,
            _run(_dense(4_090_000_000, 54)), at_batch(load_profile("v100-fp16"), batch), "independent",
            _V100.format(batch), "the profile's share of the peak at any batch",
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
