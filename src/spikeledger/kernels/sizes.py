"""How many numbers and words the tensors of a kernel have."""

from __future__ import annotations

from typing import NamedTuple


def words_of(columns: int) -> int:
    """64-bit words that hold one row of bits."""
    return (columns + 63) // 64


class Sizes(NamedTuple):
    """Those of a convolution, as the core wants them, in its order."""

    steps: int
    batch: int
    channels: int
    image: tuple[int, int]
    filters: int
    out: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    #: how often an input may fire at once: see `planes.Planes`
    levels: int = 1

    @property
    def row(self) -> list[int]:
        """In a row."""
        return [
            self.steps, self.batch, self.channels, *self.image, self.filters, *self.out, *self.kernel, *self.stride,
            *self.padding, *self.dilation, self.levels,
        ]  # fmt: skip

    @property
    def inputs(self) -> int:
        """Numbers of all steps, samples and channels of its input."""
        return self.steps * self.batch * self.channels * self.image[0] * self.image[1]

    @property
    def words(self) -> int:
        """Words of its input."""
        return self.steps * self.batch * words_of(self.levels * self.channels * self.image[0] * self.image[1])

    @property
    def words_out(self) -> int:
        """Words of the spikes behind it."""
        return self.steps * self.batch * words_of(self.neurons)

    @property
    def words_summed(self) -> int:
        """Words of what a pooling sums, as levels."""
        return self.steps * self.batch * words_of(self.kernel[0] * self.kernel[1] * self.neurons)

    @property
    def weights(self) -> int:
        """Weights of all filters."""
        return self.filters * self.channels * self.kernel[0] * self.kernel[1]

    @property
    def neurons(self) -> int:
        """Places of its output."""
        return self.filters * self.out[0] * self.out[1]

    @property
    def outputs(self) -> int:
        """Currents of all steps and samples."""
        return self.steps * self.batch * self.neurons
