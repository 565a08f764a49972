"""What a page holds: both networks in int8, some digits, and all bills, as one packed block."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .. import __version__
from ..datasets import Dataset
from ..errors import InputError
from ..hardware.profile import HardwareProfile
from ..recording.record import record
from .answering import answering
from .bills import all_bills
from .perceptrons import Perceptron, perceptron

SCHEMA = "spikeledger-live/1"
#: digits that a page shows by itself
SHOWN = 120


@dataclass(eq=False)
class Document:
    """Plain values and the bytes that they point into; `notes` are sentences for whoever wrote the page."""

    values: dict[str, Any]
    blob: bytearray = field(default_factory=bytearray)
    notes: list[str] = field(default_factory=list)

    def place(self, array: np.ndarray) -> int:
        """Put an array's bytes behind the others, little-endian, aligned to four; gives where it begins."""
        self.blob.extend(b"\0" * (-len(self.blob) % 4))
        at = len(self.blob)
        self.blob.extend(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes())
        return at

    def packed(self) -> str:
        """Everything as base64 of a raw deflate stream: the length of the JSON, the JSON, the bytes."""
        text = json.dumps(self.values, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 4)
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        whole = packer.compress(struct.pack("<I", len(text)) + text + bytes(self.blob)) + packer.flush()
        return base64.b64encode(whole).decode()


def local(
    ann: nn.Module, snn: nn.Module, data: Dataset, *, profiles: Sequence[str | HardwareProfile] = (), seed: int = 0,
    shown: int = SHOWN, names: tuple[str, str] = ("ANN", "SNN"), catalogue: Sequence[str] | None = None,
) -> Document:  # fmt: skip
    """The document of two perceptrons that the page runs by itself.

    Args:
        data: its test samples are shown (`shown` of them, drawn with `seed`), and the accuracies are those on all of them.
        profiles: besides those of the catalogue.
        catalogue: names of the catalogue's profiles; all of them by default.

    Raises:
        InputError: networks that the page cannot run, or samples that are no grey pictures.
    """
    pictures, levels = _levels(data)
    sides = {"ann": perceptron(ann), "snn": perceptron(snn)}
    if sides["ann"].spiking or not sides["snn"].spiking:
        raise InputError("the page shows an ordinary network against a spiking one: give ann and snn in this order")
    classes = len(data.classes)
    for name, side in sides.items():
        first, last = side.layers[0].values.shape[1], side.layers[-1].values.shape[0]
        if (first, last) != (pictures[0].size, classes):
            raise InputError(
                f"the {name.upper()} takes {first} values and answers {last} classes, but '{data.name}' has samples of "
                f"{pictures[0].size} and {classes} classes"
            )
    document = Document({"schema": SCHEMA, "version": __version__})
    for (name, side), given, label in zip(sides.items(), (ann, snn), names, strict=True):
        document.values[name] = _network(document, side, given, data, levels, label, seed)
    document.values["data"] = _samples(document, data, pictures, levels, shown, seed)
    one = _values(pictures[:1], levels, data)
    activities = [record(side.network, one) for side in sides.values()]
    document.values["prices"] = all_bills(*activities, profiles=profiles, catalogue=catalogue)
    return document


def _levels(data: Dataset) -> tuple[np.ndarray, int]:
    """Test samples as whole numbers of `1 / levels`, `uint8 [samples, height, width]`.

    Sixteenths stay what they are; other values become 256ths, which leaves a network's answer as it is but for a
    brightness of 255/256.
    """
    inputs = data.test_inputs
    shape = tuple(inputs.shape[1:])
    if len(shape) == 3 and shape[0] == 1:
        shape = shape[1:]
    if len(shape) != 2 or float(inputs.min()) < 0 or float(inputs.max()) > 1:
        raise InputError(
            f"'{data.name}' has samples of shape {list(inputs.shape[1:])}, but the page draws grey pictures "
            "[1, height, width] of values in 0..1"
        )
    plain = inputs.reshape(-1, *shape).double().numpy()
    if np.array_equal(plain * 16, np.rint(plain * 16)):
        return np.rint(plain * 16).astype(np.uint8), 16
    return np.rint(plain * 255).astype(np.uint8), 256


def _values(pictures: np.ndarray, levels: int, data: Dataset) -> Tensor:
    values = torch.from_numpy(pictures.astype(np.float32) / levels)
    return values.reshape(-1, *data.test_inputs.shape[1:])


def _network(
    document: Document, side: Perceptron, given: nn.Module, data: Dataset, levels: int, label: str, seed: int
) -> dict[str, Any]:
    before, after = (answering(one, data.test_inputs, data.test_labels, seed=seed) for one in (given, side.network))
    document.notes.append(
        f"{label}: {100 * before.accuracy:.2f} % of {before.tested:,} test samples right, "
        f"{100 * after.accuracy:.2f} % with weights in int8"
    )
    found: dict[str, Any] = {
        "label": label, "names": list(side.names), "before": before.accuracy, **after.plain(),
        "layers": [
            {
                "inputs": layer.values.shape[1], "outputs": layer.values.shape[0], "shift": layer.shift,
                # by input, so that a spike's synapses lie together
                "weights": document.place(layer.values.T),
                "bias": None if layer.bias is None else document.place(layer.bias),
            }
            for layer in side.layers
        ],
    }  # fmt: skip
    if side.spiking:
        found |= {
            "cells": list(side.cells), "encoder": side.encoder, "decoder": side.decoder, "timesteps": side.timesteps,
        }  # fmt: skip
    return found


def _samples(
    document: Document, data: Dataset, pictures: np.ndarray, levels: int, shown: int, seed: int
) -> dict[str, Any]:
    chosen = np.sort(np.random.default_rng(seed).permutation(len(pictures))[:shown])
    chosen = np.random.default_rng(seed + 1).permutation(chosen)
    return {
        "name": data.name, "classes": list(data.classes), "height": pictures.shape[1], "width": pictures.shape[2],
        "levels": levels, **framing(pictures), "count": len(chosen), "labels": data.test_labels.numpy()[chosen].tolist(),
        "pixels": document.place(pictures[chosen]),
    }  # fmt: skip


def framing(pictures: np.ndarray) -> dict[str, Any]:
    """How these pictures are framed, for drawings: the share of the frame that a digit fills, by what it is centred, its pen.

    A picture is centred by whichever of its mass and its box strays least from the middle.
    """
    some = pictures[:200].astype(np.float64)
    height, width = some.shape[1:]
    spans, masses, boxes = [], [], []
    for each in some[some.any((1, 2))]:
        rows, columns = (np.flatnonzero(each.any(axis)) for axis in (1, 0))
        spans.append(max((np.ptp(rows) + 1) / height, (np.ptp(columns) + 1) / width))
        weight = each / each.sum()
        masses.append([(weight.sum(1) * np.arange(height)).sum(), (weight.sum(0) * np.arange(width)).sum()])
        boxes.append([(rows[0] + rows[-1]) / 2, (columns[0] + columns[-1]) / 2])
    if not spans:
        return {"box": 1.0, "mass": False, "pen": 0.1}
    by_mass = bool(np.std(masses, 0).sum() < np.std(boxes, 0).sum())
    # strokes of handwriting scanned at a few pixels are about a pixel and a half wide, at more about a tenth of the height
    return {"box": float(np.median(spans)), "mass": by_mass, "pen": max(0.1, 1.3 / height)}
