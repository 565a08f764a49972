"""Does `serve` keep up? Updates a second of five pages, gaps, memory over time, and 10,000 hostile messages on the wire.

    python benchmarks/serving.py --seconds 600 --out out/serving.json

Five clients each ask for 20 samples a second, the same ones (a lecture) or, with `--apart`, each its own, which have to be
recorded one by one. A gap is a question that was not answered. Memory is the server's resident set, in a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import random
import time
from pathlib import Path
from typing import Any

CLIENTS, RATE = 5, 20
#: questions that a page leaves open at most; where it has as many it waits, which is told as `late`
OPEN = 4


def serve(port: Any) -> None:
    from spikeledger.datasets import load_dataset
    from spikeledger.live.networks import shipped
    from spikeledger.live.serving import Server

    with Server(*shipped(), load_dataset("digits"), port=0) as server:
        port.send(server.port)
        port.recv()


async def page(port: int, seconds: float, client: int) -> dict[str, Any]:
    """One page that asks at its rate."""
    from websockets.asyncio.client import connect

    waits: list[float] = []
    late = 0
    asked: dict[int, float] = {}
    async with connect(f"ws://127.0.0.1:{port}/live", max_size=None) as socket:

        async def hear() -> None:
            async for text in socket:
                told = json.loads(text)
                if told["kind"] == "take":
                    waits.append(time.perf_counter() - asked.pop(told["turn"]))

        ear = asyncio.create_task(hear())
        begin = time.perf_counter()
        for turn in range(int(seconds * RATE)):
            await asyncio.sleep(max(0.0, begin + turn / RATE - time.perf_counter()))
            late += len(asked) >= OPEN
            while len(asked) >= OPEN:
                await asyncio.sleep(0.002)
            asked[turn] = time.perf_counter()
            await socket.send(json.dumps({"ask": "sample", "turn": turn, "seed": turn + client, "sample": turn % 120}))
        took = time.perf_counter() - begin
        for _ in range(100):
            if not asked:
                break
            await asyncio.sleep(0.1)
        ear.cancel()
    waits.sort()
    return {
        "rate": len(waits) / took, "gaps": len(asked), "late": late, "wait_p50": waits[len(waits) // 2],
        "wait_p95": waits[int(0.95 * len(waits))],
    }  # fmt: skip


def _cpu(process: int) -> float:
    """Seconds that a process has computed."""
    row = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(row[11]) + int(row[12])) / 100


async def memory(process: int, seconds: float) -> list[tuple[float, float]]:
    """Resident megabytes of a process, over time."""
    found = []
    begin = time.perf_counter()
    while time.perf_counter() - begin < seconds:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
        found.append((time.perf_counter() - begin, pages * 4096 / 1e6))
        await asyncio.sleep(max(seconds / 60, 0.5))
    return found


async def hostile(port: int, count: int) -> dict[str, int]:
    """Messages that are no questions, on as many lines as it takes, and whether the next client is served."""
    from websockets.asyncio.client import connect
    from websockets.exceptions import ConnectionClosed, InvalidStatus

    draw = random.Random(3)
    found = {"refused": 0, "closed": 0, "foreign_origins_refused": 0, "obeyed": 0}
    bad: list[Any] = [
        "", "{", "[" * 5000, b"\x80\x04cos\nsystem\n", '{"ask":"exec"}', "null", "x" * 70_000, '{"ask":"sample","turn":NaN}',
        json.dumps({"ask": "sample", "turn": 1, "seed": 1, "sample": 10**9}), "\x00" * 100,
    ]  # fmt: skip
    sent = 0
    while sent < count:
        try:
            async with connect(f"ws://127.0.0.1:{port}/live", max_size=None) as socket:
                while sent < count:
                    sent += 1
                    await socket.send(draw.choice(bad))
                    told = json.loads(await socket.recv())
                    found["refused" if told["kind"] == "refused" else "obeyed"] += 1
        except ConnectionClosed:
            found["closed"] += 1
    for name in ("https://elsewhere.example", "null", "http://localhost.elsewhere.example"):
        try:
            async with connect(f"ws://127.0.0.1:{port}/live", origin=name):
                found["obeyed"] += 1
        except InvalidStatus:
            found["foreign_origins_refused"] += 1
    async with connect(f"ws://127.0.0.1:{port}/live", max_size=None) as socket:
        await socket.send('{"ask": "sample", "turn": 1, "seed": 1, "sample": 1}')
        kinds = {json.loads(await socket.recv())["kind"]}
        found["next_client_served"] = int(bool(kinds & {"take", "prices"}))
    return found


async def measured(port: int, process: int, seconds: float, count: int, apart: bool) -> dict[str, Any]:
    pages = [page(port, seconds, 1000 * number if apart else 0) for number in range(CLIENTS)]
    cpu = _cpu(process)
    *told, kept = await asyncio.gather(*pages, memory(process, seconds))
    third = len(kept) // 3 or 1
    begun, ended = cpu, _cpu(process)
    updates = sum(one["rate"] for one in told) * seconds
    return {
        "seconds": seconds, "pages": told, "cpu_milliseconds_an_update": 1000 * (ended - begun) / updates,
        "megabytes": {"first": kept[0][1], "after_a_third": kept[third][1] if len(kept) > third else kept[-1][1],
                      "last": kept[-1][1]},
        "hostile": await hostile(port, count),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--apart", action="store_true", help="each page asks for samples of its own")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    server = spawn.Process(target=serve, args=(there,))
    server.start()
    port = here.recv()
    try:
        found = asyncio.run(measured(port, server.pid or 0, given.seconds, given.messages, given.apart))
    finally:
        here.send("end")
        server.join(20)
        server.terminate()
    text = json.dumps(found, indent=1)
    print(text)
    if given.out:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(text)


if __name__ == "__main__":
    main()
