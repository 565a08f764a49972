"""The live page for tests: small documents, its script in a browser, and the same run recorded by the library."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

import chromium
from spikeledger.activity import Activity
from spikeledger.datasets import Dataset, load_dataset
from spikeledger.live.document import Document, local
from spikeledger.live.perceptrons import perceptron
from spikeledger.networks import zoo
from spikeledger.networks.encoders import Encoder
from spikeledger.networks.spiking import SpikingNetwork
from spikeledger.recording.record import record
from spikeledger.training.checkpoints import load_network

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


class Given(Encoder):
    """An encoder that gives the spikes that somebody else drew, `[T, 1, N]`."""

    def __init__(self, spikes: Tensor) -> None:
        super().__init__(len(spikes))
        self.spikes = spikes

    def forward(self, samples: Tensor) -> Tensor:
        return self.spikes


@cache
def shipped(kind: str) -> nn.Module:
    """One of the networks that come with the package."""
    return load_network(str(resources.files("spikeledger.live") / "digits" / kind))


@cache
def digits() -> Dataset:
    return load_dataset("digits")


@cache
def shipped_document() -> Document:
    return local(shipped("ann"), shipped("snn"), digits())


def untrained(*widths: int, seed: int = 5, **options: Any) -> tuple[nn.Module, SpikingNetwork]:
    """A pair that nobody trained."""
    snn = zoo.mlp(*widths, seed=seed, **options)
    return zoo.twin(snn, seed=seed + 1), snn


def replayed(network: nn.Module, inputs: np.ndarray, timesteps: int) -> Activity:
    """What the library counts of the page's own input `[T, N]`, by the network with int8 weights."""
    network = perceptron(network).network
    values = torch.from_numpy(inputs.astype(np.float32))
    if not isinstance(network, SpikingNetwork):
        return record(network, values[:1])
    if type(network.encoder).__name__ == "Direct":
        network.encoder.timesteps = timesteps
        return record(network, values[:1])
    network.encoder = Given(values[:, None])
    return record(network, torch.zeros(1, values.shape[1]))


def opened(browser: Browser, document: Document) -> tuple[Page, list[str]]:
    """An empty page with the script and `__document`, the unpacked block, in it."""
    page = browser.new_page()
    complaints = chromium.watch(page)
    page.set_content("<!DOCTYPE html><title>the script alone</title>")
    page.add_script_tag(content=resources.files("spikeledger.live").joinpath("page.js").read_text("utf-8"))
    page.evaluate("async packed => { globalThis.__document = await spikeledger.unpack(packed) }", document.packed())
    return page, complaints
