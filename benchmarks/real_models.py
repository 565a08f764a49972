"""What recording costs on published spiking networks at their real size: recorded over plain, 3 x 224 x 224, T = 4.

    python benchmarks/real_models.py [--images 1] [--rounds 3]

Processor time of one thread, a forward without gradients against `sl.record`, turn about; SpikingJelly 2.0 builds the
networks, and needs torchvision for them.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch

import spikeledger as sl

STEPS = 4


def built(name: str) -> Any:
    """A network of SpikingJelly's in step mode `m`, in evaluation mode."""
    from spikingjelly.activation_based import functional, neuron, surrogate
    from spikingjelly.activation_based.model import sew_resnet, spikformer, spiking_resnet

    torch.manual_seed(0)
    options: dict[str, Any] = {
        "spiking_neuron": neuron.IFNode,
        "surrogate_function": surrogate.ATan(),
        "detach_reset": True,
    }
    made = {
        "SEW-ResNet18": lambda: sew_resnet.sew_resnet18(cnf="ADD", **options),
        "spiking ResNet34": lambda: spiking_resnet.spiking_resnet34(**options),
        "Spikformer": lambda: spikformer.spikformer_ti(T=STEPS),
    }[name]()
    functional.set_step_mode(made, "m")
    for part in made.modules():
        if isinstance(part, torch.nn.modules.batchnorm._BatchNorm):
            part.momentum = 1.0  # the statistics of one batch, so that spikes reach the last layer
    x = torch.rand(STEPS, 2, 3, 224, 224)
    with torch.no_grad():
        made.train()(x[0] if name == "Spikformer" else x)
    functional.reset_net(made)
    return made.eval()


def seconds(deed: Callable[[], Any]) -> tuple[float, Any]:
    """Processor time of one deed, and what it gave."""
    start = time.process_time()
    found = deed()
    return time.process_time() - start, found


def main() -> None:
    """Print one line a network."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--images", type=int, default=1)
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--networks", nargs="*", default=["SEW-ResNet18", "spiking ResNet34", "Spikformer"])
    given = asked.parse_args()
    from spikingjelly.activation_based import functional

    torch.set_num_threads(1)
    images = torch.rand(STEPS, given.images, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    for name in given.networks:
        network = built(name)
        x = images[0] if name == "Spikformer" else images  # it repeats its images by itself
        options: dict[str, Any] = {"layout": "B", "samples": given.images} if name == "Spikformer" else {"layout": "TB"}

        def plain(network: Any = network, x: Any = x) -> None:
            functional.reset_net(network)
            with torch.no_grad():
                network(x)

        def recorded(network: Any = network, x: Any = x, options: Any = options) -> Any:
            functional.reset_net(network)
            return sl.record(network, x, **options)

        plain()
        times = [(seconds(plain)[0], seconds(recorded)) for _ in range(given.rounds)]
        ratio = median(took / base for base, (took, _) in times)
        activity = times[-1][1][1]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{name}, {given.images} x 3 x 224 x 224, T = {STEPS}: plain {median(base for base, _ in times):.2f} s, "
            f"recorded {ratio:.2f} x, synaptic operations {activity.total('synaptic_op'):,}, "
            f"macs {activity.total('mac'):,}, uncounted {len(activity.uncounted)}, peak {peak:.0f} MiB"
        )


if __name__ == "__main__":
    main()
