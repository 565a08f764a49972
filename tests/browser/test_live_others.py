"""Recordings and servers in the page: joules of any network to 1e-12, and a line that comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
import torch

import chromium
import livepages
from spikeledger.ledger import price
from spikeledger.live.stage import SIDES, Stage, replay
from spikeledger.networks import zoo
from spikeledger.networks.spiking import SpikingNetwork
from spikeledger.recording.record import record

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

PROFILES = ("cmos-12nm", "loihi", "v100", "speck", "seneca-22nm", "truenorth-all-in", "published-paper-002-45nm")
#: joules after each step on every profile, with the dataflow that the page chooses
TOLD = """async ([sample, timesteps]) => {
  const S = spikeledger, P = __document.values.prices, pair = await S.replayEngine(__document).show(sample, timesteps, 1);
  const found = [];
  for (const side of ['ann', 'snn'])
    for (const profile of P.sides[side].profiles)
      for (let step = 1; step <= pair[side].timesteps; step++)
        found.push([side, profile.name, step,
          S.totals(P, S.ledger(P, P.sides[side], profile, S.countedOf(pair[side], step)))]);
  return {joules: found, answers: pair.snn.answers, steps: pair.snn.timesteps,
    spikes: pair.snn.populations.map(p => [p.name, [...p.spikes].reduce((a, b) => a + b, 0)])};
}"""


@pytest.mark.parametrize("options", [{}, {"neuron": "adaptive", "encoder": "latency"}], ids=str)
def test_recordings_cost_what_price_says_after_every_step(browser: Browser, options: dict[str, Any]) -> None:
    snn = zoo.build("cnn-s", (1, 8, 8), 10, timesteps=3, seed=4, **options)
    ann = zoo.twin(snn, seed=5)
    data = livepages.digits()
    document = replay(ann, snn, data, shown=3, catalogue=PROFILES)
    page, complaints = livepages.opened(browser, document)
    stage = Stage(ann, snn, data, catalogue=PROFILES)
    for place in range(2):
        sample = data.test_inputs[int(stage.chosen(3)[place])]
        told = page.evaluate(TOLD, [place, 3])
        taken = {side: stage.take(side, sample, place) for side in SIDES}
        assert told["answers"] == list(taken["snn"].answers)
        for name, spikes in told["spikes"]:
            assert spikes == taken["snn"].activity.total("spike", name)
        runs = {("ann", 1): record(ann, sample[None])}
        for step in (1, 2, 3):
            runs["snn", step] = _first_steps(snn, sample, place, step)
        compared = 0
        for side, name, step, joules in told["joules"]:
            ledger = price(runs[side, step], name)
            want = (ledger.joules_low, ledger.joules, ledger.joules_high)
            assert all(abs(a - b) <= 1e-12 * b for a, b in zip(joules, want, strict=True)), (side, name, step)
            compared += 1
        assert compared > 12
    assert page.evaluate(TOLD, [0, 2])["steps"] == 2
    page.close()
    assert complaints == []


def _first_steps(network: SpikingNetwork, sample: torch.Tensor, seed: int, steps: int) -> Any:
    network.reseed(seed)
    encoder = network.encoder
    assert encoder is not None
    network.encoder = livepages.Given(encoder(sample[None])[:steps])
    try:
        return record(network, sample[None])
    finally:
        network.encoder = encoder


@pytest.fixture
def visit(browser: Browser) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    complaints = chromium.watch(page)

    def go(url: str) -> Page:
        page.goto(url)
        page.wait_for_selector("html[data-ready]", timeout=20_000)
        return page

    yield go
    context.close()
    # a line that was cut is a complaint of the browser's own, and the only one
    assert [one for one in complaints if "WebSocket connection" not in one] == []


def wait(page: Page, until: Callable[[], bool]) -> None:
    """The page's policy lets nobody evaluate text in it, so it is asked again and again."""
    for _ in range(400):
        if until():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it did not happen in 20 s")


def test_a_served_page_draws_counts_and_comes_back_after_a_cut(visit: Any) -> None:
    pytest.importorskip("websockets", reason="websockets is not installed")
    pytest.importorskip("uvicorn", reason="uvicorn is not installed")
    pytest.importorskip("starlette", reason="Starlette is not installed")
    from spikeledger.live.serving import Server

    snn = zoo.mlp(64, 20, 10, neuron="adaptive", timesteps=3, seed=4, threshold=0.3)
    networks = (zoo.twin(snn, seed=5), snn, livepages.digits())
    with Server(*networks, port=0, catalogue=["horowitz-45nm", "loihi"]) as served:
        page = visit(served.url + "#run=0")
        assert "recorded there" in page.inner_text("#hangs") or "digit" in page.inner_text("#hangs")
        assert page.inner_text("#snn-joules").endswith("J")
        box = page.locator("#pad").bounding_box()
        before = page.inner_text("#snn-says")
        page.mouse.move(box["x"] + 100, box["y"] + 30)
        page.mouse.down()
        page.mouse.move(box["x"] + 100, box["y"] + 200, steps=3)
        page.mouse.up()
        wait(page, lambda: page.inner_text("#snn-says") != before)
    wait(page, lambda: "does not answer" in page.inner_text("#said"))
    seen = page.inner_text("#snn-says")
    page.click("#step")  # asked while nobody answers
    with Server(*networks, port=served.port, catalogue=["horowitz-45nm", "loihi"]):
        wait(page, lambda: page.inner_text("#said") == "")
        wait(page, lambda: page.inner_text("#snn-says") != seen)
