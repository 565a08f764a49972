"""`spikeledger calibrate`: measure this machine once, so that its kernels are chosen by its own speeds."""

from __future__ import annotations

from .console import tell


def calibrate() -> None:
    """Measure how fast this machine's kernels are and choose by that from now on; spikes may differ in rare last bits.

    Example: spikeledger calibrate
    """
    from ..kernels.costs import remember

    tell(f"measured; kernels are chosen by {remember()}: delete that file to go back")
