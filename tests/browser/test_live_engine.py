"""The page against the library: counts equal to the last integer, joules to 1e-12, on every profile and switch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import livepages
from spikeledger.activity import Activity
from spikeledger.datasets import Dataset
from spikeledger.errors import SpikeLedgerError
from spikeledger.hardware.catalog import load_profile
from spikeledger.hardware.profile import HardwareProfile
from spikeledger.hardware.variants import with_dataflow
from spikeledger.ledger import price
from spikeledger.live.document import local
from spikeledger.networks import zoo
from spikeledger.study.sensitivity import sensitivity
from spikeledger.study.verdicts import verdict

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

RATE = 12.5
#: profiles of every kind: open dataflow, a chip's own prices, all-in prices, time, what moves on events, a document's
TELLING = ("cmos-12nm", "loihi", "truenorth-all-in", "v100", "speck", "seneca-22nm", "published-paper-002-45nm")
#: one run of both networks: input spikes, counts, and the joules of every profile, dataflow and static position
RUN = """async ([sample, timesteps, seed, rate]) => {
  const S = spikeledger, D = __document, V = D.values, P = V.prices;
  const engine = S.localEngine(D), pixels = S.pixelsOf(D, sample);
  const snn = S.networkOf(V.snn, D.bytes), inputs = S.encode(snn.encoder, pixels, timesteps, seed);
  const pair = await engine.show(sample, timesteps, seed);
  const joules = [];
  for (const side of ['ann', 'snn']) {
    const counted = S.countedOf(pair[side]);
    for (const profile of P.sides[side].profiles)
      for (const flow of ['auto', 'event-driven', 'row-wise', 'output-stationary'])
        for (const mode of ['computing', 'always', 'off'])
          for (const memory of [true, false]) {
            if (flow !== 'auto' && !profile.bills[flow]) continue;
            const one = {side: P.sides[side], profile, sample: counted};
            const found = S.switched(P, [one, one], {static: mode, rate, memory, flow});
            joules.push([side, profile.name, flow, mode, memory, S.totals(P, found.entries[0]),
              S.seconds(P, P.sides[side], profile, counted)]);
          }
  }
  return {pixels: [...pixels], inputs: [...inputs], joules,
    counts: Object.fromEntries(['ann', 'snn'].map(s => [s, pair[s].counts(timesteps)])),
    kinds: Object.fromEntries(['ann', 'snn'].map(s => [s, pair[s].kinds(timesteps)])),
    populations: Object.fromEntries(pair.snn.populations.map(p => [p.name, [...p.spikes]]))};
}"""


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    opened, complaints = livepages.opened(browser, livepages.shipped_document())
    yield opened
    opened.close()
    assert complaints == []


@cache  # reading a profile takes three times as long as pricing on it
def machine(name: str, flow: str) -> HardwareProfile:
    device = load_profile(name)
    return device if flow == "auto" else with_dataflow(device, flow)  # type: ignore[arg-type]


def expected(activity: Activity, name: str, flow: str) -> Callable[[str, bool], tuple[float, ...]]:
    """The library's joules of one sample under any switches, low, nominal and high; "time" asks for its seconds."""
    spiky = activity.spiking or any(layer.inputs == "spikes" for layer in activity.layers_by_name.values())
    device = machine(name, flow if spiky else "auto")
    whole = price(activity, device)

    def under(mode: str, memory: bool) -> tuple[float, ...]:
        if mode == "time":
            return (whole.seconds or 0.0,)
        ledger = whole.without("static") if mode == "off" or (mode == "always" and device.static) else whole
        ledger = ledger if memory else ledger.without("memory")
        found = np.array([ledger.joules_low, ledger.joules, ledger.joules_high])
        if mode == "always" and device.static is not None and whole.seconds is not None:
            entry = next(one for one in whole.entries if one.event == "second" and not one.layer)
            chips = round(entry.each.nominal / device.static.watts)
            found = found + chips * np.array([device.static.low, device.static.watts, device.static.high]) / RATE
        return tuple(found)

    return under


def check(run: dict[str, Any], networks: dict[str, Any], timesteps: int) -> int:
    """Compare one run; how many joules were compared."""
    size, compared = len(run["pixels"]), 0
    inputs = {
        "ann": np.array(run["pixels"]).reshape(1, size), "snn": np.array(run["inputs"]).reshape(timesteps, size)
    }  # fmt: skip
    activities = {kind: livepages.replayed(networks[kind], inputs[kind], timesteps) for kind in networks}
    for kind, activity in activities.items():
        mine = {key: count for key, count in run["counts"][kind].items() if key != "|" and count}
        assert mine == {f"{a}|{b}": tally.count for (a, b), tally in activity.tallies.items() if tally.count}
        kinds = [layer.inputs for layer in activity.layers_by_name.values() if layer.weighted]
        assert run["kinds"][kind] == ",".join(kinds)
    for name, planes in run["populations"].items():
        each = np.array(planes).reshape(timesteps, -1).sum(0)
        assert np.array_equal(each, activities["snn"].per_neuron(name).ravel())
    known: dict[tuple[str, str, str], Callable[[str, bool], tuple[float, ...]]] = {}
    for kind, name, flow, mode, memory, joules, seconds in run["joules"]:
        place = (kind, name, flow)
        known[place] = known.get(place) or expected(activities[kind], name, flow)
        mine = known[place](mode, memory)
        assert all(abs(a - b) <= 1e-12 * abs(b) for a, b in zip(joules, mine, strict=True)), (*place, mode, memory)
        if seconds is not None and flow == "auto" and mode == "off" and memory:
            assert seconds[1] == pytest.approx(*known[place]("time", memory), rel=1e-12), name
        compared += 1
    return compared


def runs(page: Page, count: int, seed: int, steps: int, samples: int) -> Iterator[tuple[dict[str, Any], int]]:
    random = np.random.default_rng(seed)
    for _ in range(count):
        timesteps = int(random.integers(1, steps + 1))
        yield (
            page.evaluate(RUN, [int(random.integers(samples)), timesteps, int(random.integers(2**31)), RATE]),
            timesteps,
        )


def test_the_page_counts_and_prices_as_the_library_does(page: Page) -> None:
    networks = {kind: livepages.shipped(kind) for kind in ("ann", "snn")}
    compared = sum(check(run, networks, timesteps) for run, timesteps in runs(page, 12, 1, 20, 120))
    assert compared > 12 * 6 * 60


@pytest.mark.parametrize(("ann", "snn"), [("v100", "loihi"), ("horowitz-45nm-int8", "loihi"), ("t4", "loihi-2")])
def test_equal_on_both_charges_both_the_dearer_static_power(page: Page, ann: str, snn: str) -> None:
    run = page.evaluate(RUN, [11, 9, 5, RATE])
    found = page.evaluate(
        """async ([a, s]) => {
          const S = spikeledger, P = __document.values.prices, pair = await S.localEngine(__document).show(11, 9, 5);
          const one = [['ann', a], ['snn', s]].map(([side, name]) => (
            {side: P.sides[side], profile: S.profileOf(P, side, name), sample: S.countedOf(pair[side])}));
          const told = S.switched(P, one, {static: 'equal', rate: 1, memory: true, flow: 'auto'});
          return [told.note, ...told.entries.map(entries => S.totals(P, entries))];
        }""",
        [ann, snn],
    )
    inputs = {"ann": np.array(run["pixels"]).reshape(1, 64), "snn": np.array(run["inputs"]).reshape(9, 64)}
    steps = {"ann": 1, "snn": 9}
    ledgers = [price(livepages.replayed(livepages.shipped(kind), inputs[kind], steps[kind]), name)
               for kind, name in (("ann", ann), ("snn", snn))]  # fmt: skip
    moving = [one.without("static") for one in ledgers]
    still = [
        np.array([whole.joules_low - rest.joules_low, whole.joules - rest.joules, whole.joules_high - rest.joules_high])
        for whole, rest in zip(ledgers, moving, strict=True)
    ]
    given = min(part[1] for part in still) > 0
    dearer = max(still, key=lambda part: float(part[1])) if given else np.zeros(3)
    assert found[0].startswith("not given") is not given
    for joules, rest in zip(found[1:], moving, strict=True):
        want = np.array([rest.joules_low, rest.joules, rest.joules_high]) + dearer
        assert joules == pytest.approx(want, rel=1e-12 if not given else 1e-9)


def test_as_published_is_the_arithmetic_of_its_document(browser: Browser) -> None:
    """784-256-128-10 on a V100 against 784-256-10 on Loihi: 914 times with static power, 1.81 without; its own counts."""
    snn = zoo.mlp(784, 256, 10, timesteps=20)
    ann = zoo.twin(zoo.mlp(784, 256, 128, 10, timesteps=20))
    pictures = np.random.default_rng(3).random((20, 1, 28, 28))
    data = Dataset.from_arrays("noise", pictures, np.arange(20) % 10, pictures, np.arange(20) % 10)
    names = ("published-notebook-000-v100", "published-notebook-000-loihi")
    page, complaints = livepages.opened(browser, local(ann, snn, data, shown=2, catalogue=names))
    ratios = page.evaluate(
        """async ([a, s]) => {
          const S = spikeledger, P = __document.values.prices, pair = await S.localEngine(__document).show(0, 20, 1);
          const snn = S.countedOf(pair.snn);
          Object.assign(snn, {kinds: 'spikes,spikes', counts: {...snn.counts, 'encoder|spike': 2149.0,
            'layers.neuron_fc1|spike': 874.1, 'layers.neuron_fc2|spike': 32.8,
            'layers.fc1|synaptic_op': 2149.0 * 256, 'layers.fc2|synaptic_op': 558896 - 2149.0 * 256}});
          return ['computing', 'off'].map(mode => {
            const one = [['ann', a, S.countedOf(pair.ann)], ['snn', s, snn]].map(([side, name, sample]) => (
              {side: P.sides[side], profile: S.profileOf(P, side, name), sample}));
            const {entries} = S.switched(P, one, {static: mode, rate: 1, memory: true, flow: 'auto'});
            return S.totals(P, entries[0])[1] / S.totals(P, entries[1])[1];
          });
        }""",
        names,
    )
    assert ratios[0] == pytest.approx(914.0, abs=0.05)
    assert ratios[1] == pytest.approx(1.81, abs=0.005)
    page.close()
    assert complaints == []


@pytest.mark.slow
def test_the_page_counts_and_prices_as_the_library_does_five_hundred_times(page: Page) -> None:
    networks = {kind: livepages.shipped(kind) for kind in ("ann", "snn")}
    for run, timesteps in runs(page, 500, 2, 20, 120):
        check(run, networks, timesteps)


@pytest.mark.parametrize(
    "options",
    [
        {"neuron": "if", "encoder": "latency", "reset": "zero", "threshold": 0.4},
        {"neuron": "lif", "beta": 0.83, "reset": "subtract", "reset_delay": True, "threshold": 0.3},
        {"neuron": "lif", "reset": "zero", "reset_delay": True, "bias": False, "threshold": 0.5},
        {"neuron": "lif", "encoder": "direct", "reset": "none", "threshold": 0.7, "decoder": "latency"},
        {"neuron": "lif", "threshold": 30.0},
    ],
    ids=str,
)
def test_other_neurons_codes_and_silence_are_counted_alike(browser: Browser, options: dict[str, Any]) -> None:
    ann, snn = livepages.untrained(64, 24, 17, 10, timesteps=6, **options)
    page, complaints = livepages.opened(browser, local(ann, snn, livepages.digits(), shown=20, catalogue=TELLING))
    for run, timesteps in runs(page, 2, 4, 6, 20):
        check(run, {"ann": ann, "snn": snn}, timesteps)
    page.close()
    assert complaints == []


def test_a_blank_picture_costs_what_silence_costs(page: Page) -> None:
    code = RUN.replace("S.pixelsOf(D, sample)", "new Float64Array(64)").replace(
        "engine.show(sample, timesteps, seed)", "engine.draw(new Float64Array(64), timesteps, seed)"
    )
    check(page.evaluate(code, [0, 4, 1, RATE]), {kind: livepages.shipped(kind) for kind in ("ann", "snn")}, 4)


@pytest.mark.parametrize(
    ("ann_profile", "snn_profile"),
    [("horowitz-45nm-int8", "loihi"), ("horowitz-45nm", "horowitz-45nm"), ("v100", "loihi"), ("t4", "spinnaker-2"),
     ("cmos-12nm", "truenorth"), ("jouppi-7nm-int8", "loihi-2")],
)  # fmt: skip
def test_the_verdict_is_the_librarys(page: Page, ann_profile: str, snn_profile: str) -> None:
    run = page.evaluate(RUN, [5, 12, 99, RATE])
    found = page.evaluate(
        """async ([a, s]) => {
          const S = spikeledger, V = __document.values, P = V.prices;
          const pair = await S.localEngine(__document).show(5, 12, 99);
          const costs = [['ann', a], ['snn', s]].map(([side, name]) => S.costOf(
            S.ledger(P, P.sides[side], S.profileOf(P, side, name), S.countedOf(pair[side]))));
          const said = S.judge(P, ...costs);
          return {...said, swings: S.swings(P, ...costs).map(w => [P.unknowns[w.unknown][0], w.low, w.high]),
            extremes: S.extremes(P, ...costs), hangs: said.hangs.map(h => [P.unknowns[h.unknown][0], h.share])};
        }""",
        [ann_profile, snn_profile],
    )
    pixels = np.array(run["pixels"]).reshape(1, 64)
    ann = price(livepages.replayed(livepages.shipped("ann"), pixels, 1), ann_profile)
    snn = price(livepages.replayed(livepages.shipped("snn"), np.array(run["inputs"]).reshape(12, 64), 12), snn_profile)
    want = verdict(ann.per_sample, snn.per_sample)
    assert (found["standing"], found["winner"]) == (want.standing, want.winner or want.likely)
    assert want.ratio is not None
    assert found["ratio"] == pytest.approx([want.ratio.low, want.ratio.high], rel=1e-9)
    if want.probability is not None:
        assert found["probability"] == pytest.approx(want.probability, abs=0.04)
    hangs = sensitivity(snn, against=ann)
    bars = {one.name: one for one in hangs.swings}
    for name, low, high in found["swings"]:
        assert bars[name].at_low - hangs.nominal == pytest.approx(low, rel=1e-9, abs=1e-20)
        assert bars[name].at_high - hangs.nominal == pytest.approx(high, rel=1e-9, abs=1e-20)
    if hangs.deciding and (len(hangs.deciding) == 1 or _apart(hangs.deciding)):
        assert found["hangs"][0][0] == hangs.deciding[0].name


def _apart(deciding: Any) -> bool:
    first, second = (one.worth.share for one in deciding[:2])
    return bool(first - second > 0.1)


def test_rate_codes_have_the_rates_that_they_should(page: Page) -> None:
    rates = page.evaluate(
        """() => { const v = Float64Array.from([0, .1, .25, .5, .8]); const n = 20000, sum = [0, 0, 0, 0, 0];
        const spikes = spikeledger.encode('rate', v, n, 3); spikes.forEach((s, at) => sum[at % 5] += s);
        let same = 0; for (let t = 1; t < n; t++) same += spikes[5 * t + 3] * spikes[5 * t - 2];
        return [...sum.map(s => s / n), same / n]; }"""
    )
    # 4.5 standard errors of 20,000 draws; the last: a spike now says nothing about the next
    for rate, want in zip(rates, (0, 0.125, 0.3125, 0.625, 1, 0.625**2), strict=True):
        assert abs(rate - want) <= 4.5 * (want * (1 - want) / 20_000) ** 0.5 + 1e-12


def test_what_is_refused_is_no_profile_of_the_page() -> None:
    sides = livepages.shipped_document().values["prices"]["sides"]
    names = {kind: {one["name"] for one in side["profiles"]} for kind, side in sides.items()}
    assert {"horowitz-45nm", "v100", "northpole"} <= names["ann"]
    assert {"horowitz-45nm", "loihi", "truenorth"} <= names["snn"]
    assert "loihi" not in names["ann"]
    with pytest.raises(SpikeLedgerError):
        price(livepages.replayed(livepages.shipped("ann"), np.ones((1, 64)), 1), "loihi")
