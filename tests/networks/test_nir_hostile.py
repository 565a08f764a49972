"""Files that nobody meant well: each ends in one sentence, in bounded time and memory, and nothing in them is run."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

import spikeledger as sl
from spikeledger.errors import FileFormatError, SpikeLedgerError

nir = pytest.importorskip("nir", reason="nir is not installed")
h5py = pytest.importorskip("h5py", reason="h5py is not installed")
from spikeledger.networks.nir import read_nir, write_nir  # noqa: E402

DT = 2.0**-10
WORDS = 400  # characters that a sentence may have


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file with most kinds of nodes."""
    network = nn.Sequential(
        sl.over_time(nn.Conv2d(1, 2, 3)), sl.LIF(0.875, reset="zero"), sl.Delay(2), sl.over_time(nn.AvgPool2d(2)),
        nn.Flatten(2), nn.Linear(8, 3), sl.Synaptic(0.5, 0.75, reset="zero"), nn.Linear(3, 2), sl.IF(reset="zero"),
    )  # fmt: skip
    path = tmp_path_factory.mktemp("whole") / "net.nir"
    return write_nir(network, path, dt=DT, input_shape=(1, 6, 6)).read_bytes()


def one_sentence(path: Path) -> str:
    """Read it; whatever happens is a network or one short sentence of our own."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # numpy's, on numbers that a flipped bit made
            read_nir(path)
    except SpikeLedgerError as error:
        said = str(error)
        assert said and "\n" not in said and len(said) < WORDS + 2 * len(str(path)), said
        said.encode()
        return said
    return ""


def read_bytes(content: bytes, folder: Path) -> str:
    path = folder / "hostile.nir"
    path.write_bytes(content)
    return one_sentence(path)


def boundaries(content: bytes) -> list[int]:
    """Where parts of an HDF5 file begin: signatures of headers, heaps, trees and tables, and the ends of the file."""
    marks = {0, 1, 7, 8, len(content) // 2, len(content) - 1}
    for sign in (b"\x89HDF", b"OHDR", b"TREE", b"HEAP", b"SNOD", b"GCOL", b"OCHK", b"BTHD", b"FRHP"):
        at = content.find(sign)
        while at >= 0:
            marks |= {at, at + 1, at + 4, at + 9}
            at = content.find(sign, at + 1)
    return sorted(mark for mark in marks if mark < len(content))


def test_a_file_cut_at_every_kind_of_boundary(whole: bytes, tmp_path: Path) -> None:
    places = boundaries(whole)
    assert len(places) > 30
    for place in places[:: max(1, len(places) // 120)]:
        assert read_bytes(whole[:place], tmp_path), place


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_flipped_bytes(whole: bytes, tmp_path: Path, data: st.DataObject) -> None:
    damaged = bytearray(whole)
    near = st.sampled_from(boundaries(whole)).flatmap(lambda at: st.integers(at, min(at + 64, len(whole) - 1)))
    for place in data.draw(st.lists(st.one_of(near, st.integers(0, len(whole) - 1)), min_size=1, max_size=6)):
        damaged[place] = data.draw(st.integers(0, 255))
    read_bytes(bytes(damaged), tmp_path)


Change = Callable[[Any], None]


def replaced(path: str, **options: Any) -> Change:
    def change(file: Any) -> None:
        del file[path]
        file.create_dataset(path, **options)

    return change


def linked(link: Any) -> Change:
    def change(file: Any) -> None:
        file["node/nodes/extra"] = link

    return change


def nested(file: Any) -> None:
    group = file["node"]
    for _ in range(60):
        group = group.create_group("nodes/x") if "nodes/x" not in group else group["nodes/x"]


def circle(file: Any) -> None:
    file["node/nodes/round"] = file["node"]  # a hard link


def outside(file: Any) -> None:
    file.create_dataset("node/nodes/raw", shape=(100,), dtype="f4", external=[("/etc/passwd", 0, 400)])


def virtual(file: Any) -> None:
    layout = h5py.VirtualLayout(shape=(10,), dtype="f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", shape=(10,))
    file.create_virtual_dataset("node/nodes/raw", layout)


def bomb(file: Any) -> None:
    replaced(
        "node/nodes/5/weight", shape=(1 << 13, 1 << 12), dtype="f4", chunks=(1 << 12, 1 << 12), compression="gzip"
    )(file)
    file["node/nodes/5/weight"][:1] = 0  # one packed chunk of 64 MiB


def foreign_filter(file: Any) -> None:
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_chunk((8,))
    settings.set_filter(32_015, h5py.h5z.FLAG_OPTIONAL, (1,))
    h5py.h5d.create(file["node/nodes"].id, b"packed", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((8,)), settings)


def strange_name(file: Any) -> None:
    h5py.h5g.create(file["node/nodes"].id, b"\xff\xfe\x00"[:2])


def references(file: Any) -> None:
    file.create_dataset("node/nodes/refs", data=np.array([file["node"].ref], dtype=h5py.ref_dtype))


def compound(file: Any) -> None:
    file.create_dataset("node/nodes/rows", data=np.zeros(3, [("a", "f4"), ("b", "S4")]))


def many(file: Any) -> None:
    for k in range(11_000):
        file["node/nodes"].create_group(f"n{k}").create_dataset("type", data="Flatten")


def cyclic(file: Any) -> None:
    edges = [tuple(row) for row in file["node/edges"][()]]
    replaced("node/edges", data=np.array([*edges, (b"5", b"5")]))(file)


def huge_delay(file: Any) -> None:
    replaced("node/nodes/2/delay", data=np.full((2, 4, 4), 1e9))(file)


HOSTILE: dict[str, tuple[Change, str]] = {
    "soft link": (linked(h5py.SoftLink("/node")), "link to elsewhere"),
    "soft link round in a circle": (linked(h5py.SoftLink("/node/nodes/extra")), "link to elsewhere"),
    "external link": (linked(h5py.ExternalLink("/etc/passwd", "/x")), "link to elsewhere"),
    "hard link round in a circle": (circle, "twice, or a circle"),
    "nested": (nested, "too deep"),
    "data in another file": (outside, "in another file"),
    "virtual data": (virtual, "in another file"),
    "packed zeros": (bomb, "claims arrays"),
    "a claim beyond memory": (
        replaced("node/nodes/5/weight", shape=(1 << 20, 1 << 20), dtype="f4", chunks=(1024, 1024)), "claims arrays",
    ),
    "a chunk beyond memory": (
        replaced("node/nodes/5/weight", shape=(2, 2), maxshape=(None, None), dtype="f8", chunks=(1 << 14, 1 << 14)),
        "claims arrays",
    ),
    "a filter of others": (foreign_filter, "filter 32015"),
    "references": (references, "numbers and names"),
    "rows of a table": (compound, "numbers and names"),
    "complex weights": (replaced("node/nodes/5/weight", data=np.zeros((3, 8), np.complex64)), "numbers and names"),
    "text for weights": (replaced("node/nodes/5/weight", data="heavy"), "no whole Affine"),
    "NaN": (replaced("node/nodes/5/weight", data=np.full((3, 8), np.nan)), "NaN"),
    "infinite": (replaced("node/nodes/5/bias", data=np.full(3, np.inf)), "infinite"),
    "weights of no shape": (replaced("node/nodes/5/weight", data=np.zeros(3)), "no whole Affine"),
    "no weights at all": (replaced("node/nodes/5/weight", data=np.zeros((0, 8))), "weight of shape"),
    "a bias that does not fit": (replaced("node/nodes/5/bias", data=np.zeros(7)), "no whole Affine"),
    "whole numbers for time": (replaced("node/nodes/2/delay", data=np.full((2, 4, 4), -3)), "negative"),
    "an endless delay": (huge_delay, "at most"),
    "an unknown kind": (replaced("node/nodes/5/type", data="__import__"), "no kind that NIR has"),
    "a kind that is a number": (replaced("node/nodes/5/type", data=3), "no kind that NIR has"),
    "a graph that is none": (replaced("node/type", data="LIF"), "no NIR graph"),
    "no edges": (replaced("node/edges", data=np.zeros((0, 2), "S1")), "outputs"),
    "edges of three": (replaced("node/edges", data=np.array([(b"a", b"b", b"c")])), "shape"),
    "an edge to nowhere": (replaced("node/edges", data=np.array([(b"input", b"nobody")])), "no node"),
    "an edge twice": (replaced("node/edges", data=np.array([(b"input", b"0")] * 2)), "twice"),
    "edges that are no text": (replaced("node/edges", data=np.array([(b"\xff", b"0")])), "UnicodeDecodeError"),
    "a circle without delay": (cyclic, "loop without neurons"),
    "no step": (lambda file: file.__delitem__("node/metadata"), "how long a step"),
    "a step that is text": (replaced("node/metadata/dt", data="soon"), "number of seconds"),
    "a step of several": (replaced("node/metadata/dt", data=np.zeros(3)), "number of seconds"),
    "a step of nothing": (replaced("node/metadata/dt", data=0.0), "above 0"),
    "a name that is no text": (strange_name, "no whole NIR file"),
    "too many nodes": (many, "10,000 nodes"),
    "nothing": (lambda file: file.__delitem__("node"), "no NIR graph"),
}  # fmt: skip


FIRST = [pytest.param(name, marks=pytest.mark.slow if name == "too many nodes" else ()) for name in HOSTILE]


@pytest.mark.parametrize("name", FIRST)
def test_hostile_files_end_in_one_sentence(name: str, whole: bytes, tmp_path: Path) -> None:
    change, expected = HOSTILE[name]
    path = tmp_path / "hostile.nir"
    path.write_bytes(whole)
    with h5py.File(path, "r+") as file:
        change(file)
    assert path.stat().st_size < 64 << 20
    assert expected in one_sentence(path)


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe.nir")
    for path in (tmp_path / "pipe.nir", tmp_path, tmp_path / "missing.nir"):
        with pytest.raises(FileFormatError, match="NIR file"):
            read_nir(path)


BOUNDED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, ({limit}, {limit}))
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
from spikeledger.cli.app import main
sys.argv = ["spikeledger", "chip", "check", sys.argv[1]]
sys.exit(main())
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["packed zeros", "a claim beyond memory", "a chunk beyond memory", "nested", "too many nodes",
                                  "hard link round in a circle", "an endless delay", "external link"])  # fmt: skip
def test_the_command_says_it_and_stays_small(name: str, whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "hostile.nir"
    path.write_bytes(whole)
    with h5py.File(path, "r+") as file:
        HOSTILE[name][0](file)
    script = BOUNDED.format(limit=6 << 30)  # torch alone maps some of it
    ran = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode == 2, ran.stderr[-2000:]
    assert "Traceback" not in ran.stderr and HOSTILE[name][1].split()[0] in ran.stderr + ran.stdout


@pytest.mark.slow
def test_thousands_of_mutations(whole: bytes, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    places = np.array(boundaries(whole))
    refused = 0
    for round_ in range(4000):
        damaged = bytearray(whole)
        kind = round_ % 4
        if kind == 0:
            damaged = damaged[: int(rng.integers(0, len(whole)))]
        elif kind == 1:
            at = int(rng.choice(places)) + int(rng.integers(0, 48))
            damaged[at : at + 8] = (0, 1, 2**31, 2**40, 2**63, 2**64 - 1)[int(rng.integers(0, 6))].to_bytes(8, "little")
            damaged = damaged[: len(whole)]
        elif kind == 2:
            for place in rng.integers(0, len(whole), 8):
                damaged[place] ^= 1 << int(rng.integers(0, 8))
        else:
            a, b = sorted(int(each) for each in rng.integers(0, len(whole), 2))
            damaged[a:b] = damaged[a:b][::-1]
        refused += bool(read_bytes(bytes(damaged), tmp_path))
    assert refused > 1500
