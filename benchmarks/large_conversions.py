"""Do VGG19 and MobileNetV2 convert and record at 224 x 224 in a workstation's memory? `python benchmarks/large_conversions.py`.

Weights are random (no weights of ImageNet come with the package): what is measured is memory, CPU seconds and counts, not
accuracy. Peak memory is that of the whole process, so each network is best run in a process of its own: `--only vgg19`.
"""

from __future__ import annotations

import argparse
import resource
import time

import torch

import spikeledger as sl
from spikeledger.networks.imagenet import mobilenet_v2, vgg19

NETWORKS = {"mobilenet-v2": mobilenet_v2, "vgg19": vgg19}


def main() -> None:
    """Convert with few images and record one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--timesteps", type=int, default=4)
    parser.add_argument("--images", type=int, default=2)
    args = parser.parse_args()
    for name in args.only:
        torch.manual_seed(0)
        began = time.process_time()
        ann = NETWORKS[name](102, head=(512, 256)).eval()
        images = torch.randn(args.images, 3, 224, 224)
        network = sl.convert(ann, images, method="max", timesteps=args.timesteps)
        converted = time.process_time()
        activity = sl.record(network, images[:1])
        recorded = time.process_time()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(
            f"{name}: {sum(each.numel() for each in ann.parameters()):,} weights, T = {args.timesteps}, "
            f"{network.timesteps} steps to the answer; converted in {converted - began:.0f} CPU s, recorded in "
            f"{recorded - converted:.0f}; {activity.total('spike'):,} spikes, {activity.total('synaptic_op'):,} synaptic "
            f"operations, {activity.total('mac'):,} MAC; peak {peak:.2f} GiB; not counted: {activity.uncounted or 'nothing'}",
            flush=True,
        )


if __name__ == "__main__":
    main()
