"""What a verdict costs: pricing 1,000 layers, a joint verdict, and 10,000 draws, in milliseconds of processor time.

python benchmarks/verdicts.py
"""

from __future__ import annotations

import time
from collections.abc import Callable

from spikeledger.ledger import price
from spikeledger.study.counts import activity_from_spikes
from spikeledger.study.joint import extremes
from spikeledger.study.verdicts import verdict


def least(run: Callable[[], object], times: int = 7) -> float:
    """The quickest of some runs, in milliseconds of this process."""
    found = []
    for _ in range(times):
        start = time.process_time()
        run()
        found.append(1e3 * (time.process_time() - start))
    return min(found)


def main() -> None:
    """Print one line a question."""
    layers = 500  # weights and neurons: 1,000 layers
    deep = activity_from_spikes([(64, 64)] * layers, [100] * layers, timesteps=10, input_spikes=100)
    small = activity_from_spikes([(784, 256), (256, 10)], [5000, 200], timesteps=100, input_spikes=8000)
    for profile in ("horowitz-45nm", "loihi"):
        print(f"price 1,000 layers on {profile}: {least(lambda name=profile: price(deep, name)):.1f} ms")
    one, other = price(deep, "horowitz-45nm").per_sample, price(small, "horowitz-45nm").per_sample * 200
    print(f"exact intervals: {least(lambda: extremes(one, other)):.2f} ms")
    wide, far = price(small, "loihi").per_sample, price(small, "horowitz-45nm").per_sample * 4
    found = verdict(far, wide)
    print(f"verdict with 10,000 draws ({found.standing}): {least(lambda: verdict(far, wide)):.1f} ms")


if __name__ == "__main__":
    main()
