"""VGG19 and MobileNetV2 in the layout in which torchvision names their weights, so that published files load.

VGG19: Simonyan & Zisserman 2015 (arXiv:1409.1556), configuration E. MobileNetV2: Sandler et al. 2018 (arXiv:1801.04381), whose
linear bottlenecks pass values below 0 on. Heads are one's own: `vgg19(102, head=(512, 256))` is the paper's for flowers.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from ..errors import FileFormatError, InputError
from ..reading import Kind, opened

_VGG19 = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))
#: expansion, channels, blocks, stride of the first
_MOBILE = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
_MOST_BYTES = 1 << 31


class Vgg(nn.Module):
    """Convolutions in five blocks, each with max pooling; average pooling to 7 x 7; linear layers with dropout."""

    def __init__(self, features: nn.Sequential, classifier: nn.Sequential) -> None:
        super().__init__()
        self.features, self.avgpool, self.classifier = features, nn.AdaptiveAvgPool2d(7), classifier

    def forward(self, images: Tensor) -> Tensor:
        found: Tensor = self.classifier(torch.flatten(self.avgpool(self.features(images)), 1))
        return found


def vgg19(classes: int = 1000, *, head: Sequence[int] = (4096, 4096), width: float = 1.0) -> Vgg:
    """VGG19 for images `[B, 3, 224, 224]`; `width` multiplies the channels."""
    layers: list[nn.Module] = []
    channels = 3
    for size, count in _VGG19:
        for _ in range(count):
            layers += [nn.Conv2d(channels, _wide(size, width), 3, padding=1), nn.ReLU(inplace=True)]
            channels = _wide(size, width)
        layers.append(nn.MaxPool2d(2))
    ends: list[nn.Module] = []
    inside = channels * 49
    for size in head:
        ends += [nn.Linear(inside, size), nn.ReLU(inplace=True), nn.Dropout(0.5)]
        inside = size
    return Vgg(nn.Sequential(*layers), nn.Sequential(*ends, nn.Linear(inside, classes)))


class Bottleneck(nn.Module):
    """Wide inside, narrow outside, no ReLU at the end; its input is added where the shapes are the same."""

    def __init__(self, inside: int, outside: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inside * expansion
        layers: list[nn.Module] = [] if expansion == 1 else [_normed(inside, hidden, 1)]
        layers += [
            _normed(hidden, hidden, 3, stride, hidden),
            nn.Conv2d(hidden, outside, 1, bias=False),
            nn.BatchNorm2d(outside),
        ]
        self.conv = nn.Sequential(*layers)
        self.adds = stride == 1 and inside == outside

    def forward(self, values: Tensor) -> Tensor:
        made: Tensor = self.conv(values)
        return values + made if self.adds else made


class MobileNet(nn.Module):
    """Bottlenecks, then an average over the whole image and one linear layer."""

    def __init__(self, features: nn.Sequential, classifier: nn.Sequential) -> None:
        super().__init__()
        self.features, self.classifier = features, classifier

    def forward(self, images: Tensor) -> Tensor:
        pooled = nn.functional.adaptive_avg_pool2d(self.features(images), (1, 1))
        found: Tensor = self.classifier(torch.flatten(pooled, 1))
        return found


def mobilenet_v2(classes: int = 1000, *, head: Sequence[int] = (), width: float = 1.0) -> MobileNet:
    """MobileNetV2 for images `[B, 3, 224, 224]`; `width` multiplies the channels."""
    channels = _wide(32, width)
    layers: list[nn.Module] = [_normed(3, channels, 3, 2)]
    for expansion, size, count, stride in _MOBILE:
        for number in range(count):
            layers.append(Bottleneck(channels, _wide(size, width), stride if number == 0 else 1, expansion))
            channels = _wide(size, width)
    last = _wide(1280, max(width, 1.0)) if width >= 1 else _wide(1280, width)
    layers.append(_normed(channels, last, 1))
    ends: list[nn.Module] = [nn.Dropout(0.2)]
    for size in head:
        ends += [nn.Linear(last, size), nn.ReLU(inplace=True)]
        last = size
    return MobileNet(nn.Sequential(*layers), nn.Sequential(*ends, nn.Linear(last, classes)))


def load_weights(network: nn.Module, path: str | os.PathLike[str], *, sha256: str | None = None) -> None:
    """Weights of a safetensors file, whose names and shapes must be the network's own; nothing in it is executed.

    Raises:
        FileFormatError: it is not the file of that sum, cannot be read, or belongs to another network.
    """
    import safetensors
    import safetensors.torch

    file = Path(path)
    try:
        with opened(file, Kind("file of weights", _MOST_BYTES)) as (content, _):
            if sha256 is not None and hashlib.file_digest(cast(Any, content), "sha256").hexdigest() != sha256:
                raise FileFormatError(f"'{file}' does not have the SHA-256 that was given: download it again")
        weights = safetensors.torch.load_file(file)
    except (OSError, safetensors.SafetensorError) as error:
        raise FileFormatError(
            f"'{file}' cannot be read as safetensors ({error}): give weights in that format"
        ) from error
    own = network.state_dict()
    wrong = sorted(own.keys() ^ weights.keys()) or [
        name for name, each in own.items() if each.shape != weights[name].shape
    ]
    if wrong:
        raise FileFormatError(f"'{file}' holds the weights of another network ({', '.join(wrong[:3])} differ)")
    network.load_state_dict(weights)


def _normed(inside: int, outside: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inside, outside, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outside), nn.ReLU6(inplace=True))


def _wide(channels: int, width: float) -> int:
    if not width > 0:
        raise InputError(f"a width of {width} was asked for, but it must be above 0")
    return max(1, round(channels * width))
