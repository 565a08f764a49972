"""Still images as event streams: what a camera of changes would send while the eye makes small jumps.

N-MNIST was recorded so: three saccades of 100 ms along a triangle before a screen (Orchard et al. 2015,
doi:10.3389/fnins.2015.00437). Here the image is moved by whole and part pixels along that triangle, and a place sends +1 or
-1 whenever its log brightness has moved by the contrast threshold since its last event. It is a model of that camera, not
its recordings: no noise, no delays, no polarity bias.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from ..arguments import checked
from ..errors import InputError

#: corners of the triangle that the eye visits and comes back from, in units of the amplitude `(x, y)`
_CORNERS = ((0.0, 0.0), (1.0, 2.0), (2.0, 0.0), (0.0, 0.0))
_DARK = 0.05  # added to the brightness, so that black has a logarithm


@checked
def saccades(images: Tensor, timesteps: int, *, amplitude: float = 1.5, contrast: float = 0.3) -> Tensor:
    """Events `[T, B, 2, H, W]`, 0 or 1, of images `[B, 1, H, W]` in [0, 1]: channel 0 grew brighter, 1 darker.

    Args:
        amplitude: half the width of the triangle, in pixels.
        contrast: change of `ln(brightness)` that makes an event; a larger change in one step makes one event, and the rest
            of it counts at the next.

    Raises:
        InputError: images of another shape or range, or numbers that cannot be used.
    """
    images = torch.as_tensor(images)
    images = images if images.is_floating_point() else images.float()
    if images.dim() != 4 or images.shape[1] != 1 or not math.prod(images.shape[2:]):
        raise InputError(f"saccades need grey images [B, 1, H, W], not {list(images.shape)}")
    if images.numel() and not (float(images.min()) >= 0 and float(images.max()) <= 1):
        raise InputError("saccades need brightness in [0, 1]: scale the images")
    if timesteps < 3 or not (amplitude > 0 and contrast > 0 and math.isfinite(amplitude) and math.isfinite(contrast)):
        raise InputError(
            f"saccades of {timesteps} steps, amplitude {amplitude} and contrast {contrast} were asked for, but they need at "
            "least 3 steps and numbers above 0"
        )
    seen = _brightness(images, 0.0, 0.0)
    events = images.new_zeros(timesteps, len(images), 2, *images.shape[2:])
    for step in range(timesteps):
        x, y = _at(3 * (step + 1) / timesteps)
        change = _brightness(images, amplitude * x, amplitude * y) - seen
        up, down = change >= contrast, change <= -contrast
        events[step, :, 0], events[step, :, 1] = up[:, 0].to(images.dtype), down[:, 0].to(images.dtype)
        seen = seen + contrast * (up.to(seen.dtype) - down.to(seen.dtype))
    return events


def _at(way: float) -> tuple[float, float]:
    """Where the eye looks after so many of the three saccades."""
    leg = min(int(way), 2)
    (x0, y0), (x1, y1) = _CORNERS[leg], _CORNERS[leg + 1]
    share = way - leg
    return x0 + share * (x1 - x0), y0 + share * (y1 - y0)


def _brightness(images: Tensor, x: float, y: float) -> Tensor:
    """`ln(brightness)` of the images moved by `(x, y)` pixels, between pixels bilinear, dark beyond the border."""
    high, wide = images.shape[2:]
    rows, columns = torch.meshgrid(torch.arange(high) + y, torch.arange(wide) + x, indexing="ij")
    grid = torch.stack([2 * columns / max(wide - 1, 1) - 1, 2 * rows / max(high - 1, 1) - 1], -1)
    grid = grid.to(images.dtype).expand(len(images), -1, -1, -1)
    return torch.log(functional.grid_sample(images, grid, align_corners=True) + _DARK)
