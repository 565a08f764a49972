"""Who counts what? The same networks, weights and inputs, counted by hand, by SpikeLedger and by its peers.

Each library runs the network with its own integrate-and-fire neuron (threshold 1, reset by subtraction, no leak); where
their spikes agree the counts must too. Run: `python benchmarks/peers_counts.py [--syops FOLDER]`, FOLDER holding syops
0.0.5 and a SpikingJelly that it can import (0.0.0.0.14). The table is in `docs/explanation/counting.md`.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
warnings.simplefilter("ignore")

STEPS, BATCH = 4, 2
Make = Callable[[], nn.Module]


class Steps(nn.Module):
    """Layers that take one step a call; the neurons keep their state in themselves."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class Recurrent(nn.Module):
    """A hidden layer whose spikes come back to it one step later."""

    def __init__(self, make: Make) -> None:
        super().__init__()
        self.inward, self.back, self.neuron = nn.Linear(60, 40), nn.Linear(40, 40, bias=False), make()
        self.head, self.out = nn.Linear(40, 10), make()
        self.last: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        last = torch.zeros(len(x), 40) if self.last is None or len(self.last) != len(x) else self.last
        spikes = self.neuron(self.inward(x) + self.back(last))
        self.last = spikes
        return self.out(self.head(spikes))


class Attention(nn.Module):
    """A spiking self-attention block: binary queries, keys and values, no softmax."""

    def __init__(self, make: Make) -> None:
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(16, 16) for _ in range(3))
        self.fire_q, self.fire_k, self.fire_v, self.fire = (make() for _ in range(4))
        self.proj, self.out = nn.Linear(16, 16), make()

    def forward(self, x: Tensor) -> Tensor:  # [B, tokens, 16]
        q, k, v = self.fire_q(self.q(x)), self.fire_k(self.k(x)), self.fire_v(self.v(x))
        return self.out(self.proj(self.fire(q @ k.mT @ v * 0.25)))


def networks(make: Make) -> dict[str, tuple[nn.Module, tuple[int, ...]]]:
    mlp = Steps(nn.Linear(784, 256), make(), nn.Linear(256, 10), make())
    conv = Steps(
        nn.Conv2d(1, 4, 3, padding=1), make(), nn.AvgPool2d(2), nn.Conv2d(4, 8, 3, stride=2, padding=1), make(),
        nn.Flatten(), nn.Linear(8 * 7 * 7, 10), make(),
    )  # fmt: skip
    pruned = Steps(nn.Linear(200, 100), make(), nn.Linear(100, 10), make())
    found: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
        "MLP 784-256-10": (mlp, (784,)),
        "conv net, padded, strided, pooled": (conv, (1, 28, 28)),
        "MLP 200-100-10, half pruned": (pruned, (200,)),
        "recurrent 60-40-10": (Recurrent(make), (60,)),
        "spiking attention, 6 tokens of 16": (Attention(make), (6, 16)),
    }
    generator = torch.Generator().manual_seed(0)
    parts = [m for network, _ in found.values() for m in network.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    with torch.no_grad():
        for part in parts:
            for weight in part.parameters():
                # whole multiples of 1/64, none zero: sums are exact, so that all neurons see the same currents
                scale = 3.0 / weight[0].numel() ** 0.5 if weight.dim() > 1 else 0.2
                drawn = torch.round(torch.rand(weight.shape, generator=generator) * scale * 64 - scale * 20)
                weight.copy_(torch.where(drawn == 0, 1.0, drawn) / 64)
            if part in set(pruned.modules()):
                part.weight.mul_((torch.rand(part.weight.shape, generator=generator) < 0.5).float())
    return found


def inputs(shape: tuple[int, ...]) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return (torch.rand((STEPS, BATCH, *shape), generator=generator) < 0.15).float()


def run(network: nn.Module, x: Tensor) -> None:
    with torch.no_grad():
        for step in x:
            network(step)


# -- by hand -----------------------------------------------------------------------------------------------------------


def by_hand(network: nn.Module, x: Tensor) -> int:
    """Every synaptic event of a run, spike by spike; pooling folded into the synapses behind it."""
    from recording import oracle

    total, before = 0, []
    wires: dict[nn.Module, oracle.Wiring] = {}

    def look(module: nn.Module, args: tuple[Tensor, ...]) -> None:
        nonlocal total
        values = args[0].detach()
        if isinstance(module, nn.AvgPool2d):
            before[:] = [(values, oracle.pooling(values.shape[1:], (2, 2), (2, 2), (0, 0)))]
            return
        if module not in wires:
            weight = module.weight.detach().numpy()
            if isinstance(module, nn.Linear):
                wires[module] = oracle.linear(weight)
            else:
                found = oracle.convolution(values.shape[1:], weight, module.stride, module.padding, module.dilation, 1)
                wires[module] = oracle.through(before[0][1], found) if before else found
        if before and isinstance(module, nn.Conv2d):
            values = before.pop()[0]
        total += int(
            oracle.events(
                values.reshape(-1, *values.shape[1 if values.dim() != 3 else 2 :]).numpy(), wires[module]
            ).sum()
        )

    handles = [
        m.register_forward_pre_hook(look)
        for m in network.modules()
        if isinstance(m, nn.Linear | nn.Conv2d | nn.AvgPool2d)
    ]
    if isinstance(network, Attention):
        kept: dict[str, Tensor] = {}
        for name in ("q", "k", "v"):
            fire = getattr(network, f"fire_{name}")
            handles.append(
                fire.register_forward_hook(lambda m, a, out, name=name: kept.__setitem__(name, _spikes(out)))
            )

        def meet(module: nn.Module, args: tuple[Tensor, ...]) -> None:
            nonlocal total
            for q, k, v in zip(kept["q"], kept["k"], kept["v"], strict=True):
                total += oracle.meetings(q.numpy(), k.numpy().T) + oracle.meetings((q @ k.T).numpy(), v.numpy())

        handles.append(network.fire.register_forward_pre_hook(meet))
    run(network, x)
    for handle in handles:
        handle.remove()
    return total


def _spikes(out: object) -> Tensor:
    found = out[0] if isinstance(out, tuple) else out
    assert isinstance(found, Tensor)
    return found.detach()


# -- the libraries -----------------------------------------------------------------------------------------------------


def with_spikeledger(make: Make, name: str) -> int:
    import spikeledger as sl

    network, shape = networks(make)[name]
    x = inputs(shape)
    with sl.recording(network) as recorder:
        run(network, x)
    activity = recorder.activity(samples=BATCH, timesteps=STEPS)
    assert not activity.uncounted, activity.uncounted
    return activity.total("synaptic_op") + activity.total("mac")


def snntorch_neuron() -> nn.Module:
    import snntorch as snn

    return snn.Leaky(beta=1.0, init_hidden=True, reset_delay=False)


def spikingjelly_neuron() -> nn.Module:
    from spikingjelly.activation_based import neuron

    return neuron.IFNode(v_threshold=1.0 + 2**-12, v_reset=None)  # it fires at the threshold, the others above it


def sinabs_neuron() -> nn.Module:
    import sinabs.activation as act
    import sinabs.layers as layers

    class Stepwise(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.iaf = layers.IAF(spike_threshold=1.0 + 2**-12, spike_fn=act.SingleSpike, min_v_mem=None)

        def forward(self, x: Tensor) -> Tensor:
            return self.iaf(x.unsqueeze(1)).squeeze(1)

    return Stepwise()


def neurobench(name: str) -> int:
    from neurobench.metrics.workload import SynapticOperations
    from neurobench.models import SNNTorchModel

    network, shape = networks(snntorch_neuron)[name]

    class Pair(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = network

        def forward(self, x: Tensor) -> tuple[Tensor, None]:
            return self.inner(x), None

    model = SNNTorchModel(Pair())
    metric = SynapticOperations()
    model.register_hooks()
    x = inputs(shape).transpose(0, 1)
    with torch.no_grad():
        metric(model, model(x), (x, torch.zeros(BATCH)))
    return int(metric.AC) + int(metric.MAC)


def spikingjelly(name: str) -> int:
    from spikingjelly.activation_based.op_counter import DispatchCounterMode, SynOpCounter

    network, shape = networks(spikingjelly_neuron)[name]
    counter = SynOpCounter()
    with DispatchCounterMode([counter]):
        run(network, inputs(shape))
    return int(counter.get_total())


def sinabs(name: str) -> int:
    from sinabs import SNNAnalyzer

    network, shape = networks(sinabs_neuron)[name]
    analyzer = SNNAnalyzer(network)
    run(network, inputs(shape))
    layers = dict(network.named_modules())
    # its numbers are means over the batch and the calls
    return round(
        sum(
            float(row["synops"]) * layers[layer].n_batches * BATCH
            for layer, row in analyzer.get_layer_statistics(average=True)["parameter"].items()
        )
    )


def syops(name: str) -> int:
    from syops.engine import get_syops_pytorch

    network, shape = networks(spikingjelly_neuron)[name]

    class Sequence(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = network

        def forward(self, x: Tensor) -> Tensor:  # [B, T, ...], as it wants the batch first
            return torch.stack([self.inner(step) for step in x.transpose(0, 1)]).mean(0)

    x = inputs(shape).transpose(0, 1)
    counts, _ = get_syops_pytorch(
        Sequence(), (1,), [(x, torch.zeros(BATCH))], print_per_layer_stat=False, ost=io.StringIO()
    )
    return round(float(counts[1] + counts[2]) * BATCH)


PEERS: dict[str, tuple[Make, Callable[[str], int]]] = {
    "NeuroBench": (snntorch_neuron, neurobench),
    "SpikingJelly": (spikingjelly_neuron, spikingjelly),
    "sinabs": (sinabs_neuron, sinabs),
    "syops": (spikingjelly_neuron, syops),
}


def row(name: str, peers: list[str]) -> dict[str, object]:
    found: dict[str, object] = {}
    for peer in peers:
        make, count = PEERS[peer]
        try:
            found[peer] = count(name)
        except Exception as error:
            found[peer] = f"{type(error).__name__}: {error}".splitlines()[0][:60]
            continue
        if peer != "syops":
            network, shape = networks(make)[name]
            found[f"hand, {peer}'s neurons"] = by_hand(network, inputs(shape))
            found[f"ours, {peer}'s neurons"] = with_spikeledger(make, name)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--syops", help="a folder with syops and a SpikingJelly that it can import")
    parser.add_argument("--only", nargs="*", default=["NeuroBench", "SpikingJelly", "sinabs"], help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="print numbers for machines")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    names = list(networks(nn.Identity))
    rows = {name: row(name, chosen.only) for name in names}
    if chosen.json:
        print(json.dumps(rows))
        return
    if chosen.syops:
        paths = os.pathsep.join([chosen.syops, os.environ.get("PYTHONPATH", "")])
        command = [sys.executable, "-W", "ignore", __file__, "--json", "--only", "syops"]
        out = subprocess.run(
            command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=True
        )
        for name, found in json.loads(out.stdout.splitlines()[-1]).items():
            rows[name].update(found)
    for name, found in rows.items():
        print(name)
        for who, count in found.items():
            print(f"    {who:36s}{count if isinstance(count, str) else format(count, ',')}")


if __name__ == "__main__":
    main()
