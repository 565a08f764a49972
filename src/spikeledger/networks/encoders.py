"""Values to spikes: each encoder turns samples `[B, *N]` in [0, 1] into a sequence `[T, B, *N]`."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ..arguments import a_tensor, checked
from ..errors import InputError, unknown_name
from ..kernels.codes import noise, rate_planes
from ..kernels.planes import Planes, sends, untouched
from ..listening.hooks import called

MOST_STEPS = 1 << 24  # hours at 1 ms; every one of them is kept while a network runs


def check_steps(what: str, timesteps: int) -> int:
    """The steps of a sample, if there may be so many.

    Raises:
        InputError: fewer than 1, or more than `MOST_STEPS`.
    """
    if not 1 <= timesteps <= MOST_STEPS:
        raise InputError(
            f"{what} was asked for {timesteps:,} timesteps, but needs at least 1" if timesteps < 1 else
            f"{what} was asked for {timesteps:,} timesteps, but takes {MOST_STEPS:,} at most: 5 to 100 are usual"
        )  # fmt: skip
    return int(timesteps)


class Encoder(nn.Module):
    """Samples `[B, *N]` in, a sequence `[T, B, *N]` out; `timesteps` is T."""

    #: whether a sequence is what comes in
    takes_sequences = False

    @checked
    def __init__(self, timesteps: int) -> None:
        super().__init__()
        self.timesteps = check_steps("an encoder", timesteps)

    def reseed(self, seed: int) -> None:
        """Start the encoder's own random numbers again; encoders without any ignore it."""

    def extra_repr(self) -> str:
        return f"timesteps={self.timesteps}"


class _Stream(threading.local):
    """A generator for each thread: who runs a network while others record it draws numbers of their own."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.generator = torch.Generator().manual_seed(self.seed)

    def get_state(self) -> Tensor:
        return self.generator.get_state()

    def set_state(self, state: Tensor) -> None:
        self.generator.set_state(state)

    def __reduce__(self) -> Any:
        return _stream_at, (self.seed, self.get_state())


def _stream_at(seed: int, state: Tensor) -> _Stream:
    stream = _Stream(seed)
    stream.set_state(state)
    return stream


class Rate(Encoder):
    """Rate code: every step a pixel spikes with probability `x / max(x)`, independently (Bernoulli).

    With `kind="poisson"` the probability is that of at least one event of a Poisson process of that rate,
    `1 - exp(-x / max(x))`. The maximum is each image's own, and random numbers are drawn image by image, so that the
    spikes of a run do not depend on how many images share a batch.
    """

    @checked
    def __init__(self, timesteps: int, *, seed: int = 0, kind: Literal["bernoulli", "poisson"] = "bernoulli") -> None:
        super().__init__(timesteps)
        if kind not in ("bernoulli", "poisson"):
            raise unknown_name("rate code", kind, ("bernoulli", "poisson"))
        self.kind = kind
        self.seed = seed
        self._stream = _Stream(seed)

    @property
    def generator(self) -> torch.Generator:
        """Where this thread's random numbers come from."""
        return self._stream.generator

    def reseed(self, seed: int) -> None:
        self.seed = seed
        self.generator.manual_seed(seed)

    def rates(self, samples: Tensor) -> Tensor:
        """The probability of a spike, at every step, for each pixel `[B, *N]`."""
        rates = per_image(samples)
        return 1 - torch.exp(-rates) if self.kind == "poisson" else rates

    def planes(self, samples: Tensor) -> Planes | None:
        """The spikes as bits, the same that `forward` would give next; None where no kernel can."""
        return rate_planes(self.rates(samples), self.timesteps, self.generator)

    @called
    @untouched
    def forward(self, samples: Tensor) -> Tensor:
        rates = self.rates(samples)
        planes = rate_planes(rates, self.timesteps, self.generator)
        if planes is not None:
            spikes = planes.dense()
            sends(spikes, planes)
            return spikes
        drawn = noise(rates, self.timesteps, self.generator)
        return (drawn.to(rates.device) < rates).to(rates.dtype)


class Latency(Encoder):
    """Latency code: one spike a pixel, the brighter the earlier, at `round((1 - x / max(x)) (T - 1))`; black never."""

    def forward(self, samples: Tensor) -> Tensor:
        rates = per_image(samples)
        when = torch.round((1 - rates) * (self.timesteps - 1))
        steps = torch.arange(self.timesteps, device=samples.device).view(-1, *[1] * samples.dim())
        return ((when == steps) & (rates > 0)).to(rates.dtype)


class Delta(Encoder):
    """Delta code of a changing input `[T, B, *N]`: +1 where it rose by over `threshold` in a step, -1 where it fell.

    The first step is compared with zero. With `signed=False` only rises spike.
    """

    takes_sequences = True

    @checked
    def __init__(self, timesteps: int, *, threshold: float = 0.1, signed: bool = True) -> None:
        super().__init__(timesteps)
        self.threshold = threshold
        self.signed = signed

    def forward(self, samples: Tensor) -> Tensor:
        if samples.dim() < 2 or samples.shape[0] != self.timesteps:
            raise InputError(
                f"the delta encoder got an input of shape {list(samples.shape)}, but needs [T, B, *N] with T = "
                f"{self.timesteps}: an image that stands still has no changes to encode"
            )
        change = torch.diff(samples, dim=0, prepend=torch.zeros_like(samples[:1]))
        rise = (change > self.threshold).to(samples.dtype)
        return rise - (change < -self.threshold).to(samples.dtype) if self.signed else rise


class Direct(Encoder):
    """Direct code: the image itself as input current at every step; the first layer multiplies graded values."""

    def forward(self, samples: Tensor) -> Tensor:
        return samples.unsqueeze(0).expand(self.timesteps, *samples.shape)


class Once(Encoder):
    """The image as one push of current at the first step, worth `charge` steps of it, and nothing after.

    What a constant current brings in `charge` steps comes at once, so the first layer multiplies one image and not one a
    step. With `two_sided=True` what is positive and what is negative come as two channels `[max(x, 0), max(-x, 0)]` along
    the first axis of the sample, which spikes can say.
    """

    @checked
    def __init__(self, timesteps: int, *, charge: float = 1.0, two_sided: bool = False) -> None:
        super().__init__(timesteps)
        self.charge = float(charge)
        self.two_sided = two_sided

    def forward(self, samples: Tensor) -> Tensor:
        pushed = torch.cat([samples.clamp_min(0), (-samples).clamp_min(0)], 1) if self.two_sided else samples
        sequence = pushed.new_zeros(self.timesteps, *pushed.shape)
        sequence[0] = pushed * self.charge
        return sequence

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, charge={self.charge:g}{', two_sided=True' if self.two_sided else ''}"


ENCODERS: dict[str, Callable[..., Encoder]] = {
    "rate": Rate,
    "latency": Latency,
    "delta": Delta,
    "direct": Direct,
    "once": Once,
}
#: words of the field -> ours
_CALLED = {
    "poisson": "rate", "bernoulli": "rate", "spikegen.rate": "rate", "ttfs": "latency", "constant": "direct",
    "current": "direct", "none": "direct",
}  # fmt: skip


def encoder(name: str | Encoder, timesteps: int, *, seed: int = 0) -> Encoder:
    """Find an encoder by name, or take one as it is."""
    if isinstance(name, Encoder):
        return name
    if name not in ENCODERS:
        if str(name).lower() in _CALLED:
            raise InputError(f"unknown encoder '{name}': it is called '{_CALLED[str(name).lower()]}' here")
        raise unknown_name("encoder", name, ENCODERS)
    return Rate(timesteps, seed=seed) if name == "rate" else ENCODERS[name](timesteps)


def per_image(samples: Tensor) -> Tensor:
    """Samples `[B, *N]` scaled so that each one's own maximum is 1; an all-black one stays black."""
    if a_tensor("an encoder", samples).dim() < 2:
        raise InputError(f"an encoder got samples of shape {list(samples.shape)}, but needs [B, *N]: the batch first")
    least, most = (float(end) for end in samples.detach().aminmax()) if samples.numel() else (0.0, 0.0)
    if not 0 <= least <= most < math.inf:
        what = f"the smallest is {least:g}" if least < 0 else "some are NaN or infinite: clean them first"
        raise InputError(f"a spike code needs values of at least 0, but {what}")
    peak = samples.flatten(1).amax(1).view(-1, *[1] * (samples.dim() - 1))
    return samples / torch.where(peak > 0, peak, torch.ones_like(peak))
