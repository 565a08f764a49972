"""What a user can get wrong: one sentence on stderr, exit code 2, and nothing lost or half-written."""

from __future__ import annotations

import io
import json
import pickle
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeledger.cli.app import main

Make = Callable[[dict[str, Any]], dict[str, Any]]


class Trap:
    """A pickle that would show that it ran."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (Path.touch, (Path("ran-the-pickle"),))  # type: ignore[return-value]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, network_folder: Path, activity_file: Path) -> Path:
    """A folder with good files, from which every command below runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPIKELEDGER_DATA", raising=False)
    shutil.copytree(network_folder, tmp_path / "net")
    shutil.copy(activity_file, tmp_path / "good.npz")
    (tmp_path / "a-file").write_text("in the way")
    np.save(tmp_path / "good.npy", np.ones((2, 1, 8, 8), np.float32))
    (tmp_path / "mine.py").write_text(
        "import torch\ndef make():\n    return torch.nn.Linear(3, 2)\ndef four():\n    return 4\n"
    )
    return tmp_path


def check(place: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], says: str) -> None:
    before = contents(place)
    capfd.readouterr()
    code = main(arguments)
    out, err = capfd.readouterr()
    assert code == 2, (out, err)
    assert out == ""
    assert err.count("\n") == 1, err
    assert err.startswith("spikeledger: ")
    assert "Traceback" not in err
    assert says in err
    assert contents(place) == before


def contents(folder: Path) -> dict[str, bytes | None]:
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        # names
        ("compare --data minst", "unknown data set 'minst': did you mean 'mnist'?"),
        ("compare --network mlp-x", "unknown network 'mlp-x': did you mean 'mlp-"),
        ("compare --encoder ratee", "unknown encoder 'ratee': did you mean 'rate'?"),
        ("compare --encoder delta", "unknown encoder 'delta'"),
        ("compare --profiles loihi,v10", "unknown profile 'v10': did you mean 'v100'?"),
        ("compare --profiles ,", "no profile was asked for"),
        ("compare --profiles v100:lohi", "did you mean 'loihi'?"),
        ("compare --profiles missing.toml", "no profile file 'missing.toml'"),
        ("compare --bill ful", "unknown bill 'ful': did you mean 'full'?"),
        ("train --data digit", "did you mean 'digits'?"),
        ("train --kind sn", "unknown kind of network 'sn': did you mean 'snn'?"),
        ("record net --data digit -o x.npz", "did you mean 'digits'?"),
        ("record net --data digits --pooling folded -o x.npz", "did you mean 'fold'?"),
        ("record net --data digits --layout T -o x.npz", "unknown layout 'T'"),
        ("record mine.py:mak --inputs good.npy -o x.npz", "did you mean 'make'?"),
        ("price good.npz --profile lohi", "unknown profile 'lohi': did you mean 'loihi'?"),
        ("price good.npz --profile loihi --bill op-only", "did you mean 'ops-only'?"),
        ("price good.npz --profile loihi --leave-out spikes", "unknown event 'spikes': did you mean 'spike'?"),
        ("profiles show lohi", "did you mean 'loihi'?"),
        ("comapre", "did you mean 'compare'"),
        ("compare --epoch 3", "no such option: --epoch"),  # names may be abbreviated nowhere
        ("comp", "no such command 'comp'"),
        # numbers
        ("compare --timesteps 0", "--timesteps is 0"),
        ("compare --timesteps -3", "--timesteps is -3"),
        ("compare --timesteps many", "Invalid value for '--timesteps'"),
        ("compare --epochs 0", "--epochs is 0"),
        ("compare --samples 0", "--samples is 0"),
        ("compare --samples 361", "361 are asked for"),
        ("compare --rate-hz 0", "rate of 0.0"),
        ("compare --rate-hz nan", "rate of nan"),
        ("compare --seed -1", "--seed is -1"),
        ("train --timesteps 0", "--timesteps is 0"),
        ("record net --data digits --samples 0 -o x.npz", "--samples is 0"),
        ("record net --inputs good.npy --samples 3 -o x.npz", "3 samples are asked for"),
        # what is missing
        ("record net -o x.npz", "give one of them"),
        ("record net --data digits --inputs good.npy -o x.npz", "give one of them"),
        ("record net --data digits", "missing option"),
        ("price good.npz", "missing option"),
        ("price missing.npz --profile loihi", "no activity file 'missing.npz'"),
        ("show missing.json", "no file 'missing.json'"),
        ("record missing --data digits -o x.npz", "no network in 'missing'"),
        ("record missing.py:make --inputs good.npy -o x.npz", "no file 'missing.py'"),
        ("record mine.py:four --inputs good.npy -o x.npz", "gave a int"),
        ("compare --data mnist --root nowhere", "nowhere"),
        # folders that cannot be written to: a file is in the way (as root, no permission would be)
        ("compare --out a-file/out", "cannot write to 'a-file/out'"),
        ("compare --out a-file", "cannot write to 'a-file'"),
        ("train --out a-file/net", "cannot write to 'a-file/net'"),
        ("record net --data digits -o a-file/x.npz", "cannot write to 'a-file/x.npz'"),
        ("record net --data digits -o no-folder/x.npz", "cannot write to 'no-folder/x.npz'"),
        ("record net --data digits -o net", "is a folder"),
        # shapes
        ("record mine.py:make --inputs good.npy -o x.npz", "cannot run on inputs of shape [2, 1, 8, 8]"),
    ],
)
def test_one_sentence(place: Path, capfd: pytest.CaptureFixture[str], arguments: str, says: str) -> None:
    if "such" in says or "issing" in says or "did you mean 'compare'" in says:  # typer's own words vary in case
        before, code = contents(place), main(arguments.split())
        out, err = capfd.readouterr()
        assert (code, out, err.count("\n"), contents(place)) == (2, "", 1, before)
        assert says.lower() in err.lower()
        return
    check(place, capfd, arguments.split(), says)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (np.zeros((0, 1, 8, 8), np.float32), "nothing to record"),
        (np.full((2, 1, 8, 8), np.nan, np.float32), "128 values that are NaN or infinite"),
        (np.full((2, 1, 8, 8), np.inf), "NaN or infinite"),
        (np.ones((2, 1, 9, 8), np.float32), "cannot run on inputs of shape [2, 1, 9, 8]"),
        (np.ones(2, np.float32), "[2]"),
        (np.full((2, 1, 8, 8), -1.0), "at least 0"),
        (np.array([["a", "b"]]), "needs numbers"),
        (np.ones((2, 3), complex), "needs numbers"),
        (np.ones((2, 3), [("a", int)]), "needs numbers"),
    ],
)
def test_inputs_that_cannot_be_run(
    place: Path, capfd: pytest.CaptureFixture[str], values: np.ndarray, says: str
) -> None:
    np.save(place / "bad.npy", values)
    check(place, capfd, ["record", "net", "--inputs", "bad.npy", "-o", "x.npz"], says)


def npy(header: str, body: bytes = b"") -> bytes:
    text = header.encode() + b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body


ABSURD = npy("{'descr': '<i8', 'fortran_order': False, 'shape': (1000000000000000,), }", b"\0" * 8)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"not an array", pickle.dumps(Trap()), ABSURD, npy("{'descr': '|O', 'shape': (1,)}"),
        npy("__import__('os')"), npy("{'descr': '<i8', 'fortran_order': False, 'shape': (-4,), }"),
    ],
    ids=["empty", "text", "pickle", "absurd", "objects", "code", "negative"],
)  # fmt: skip
def test_hostile_arrays(place: Path, capfd: pytest.CaptureFixture[str], content: bytes) -> None:
    (place / "bad.npy").write_bytes(content)
    check(
        place, capfd, ["record", "net", "--inputs", "bad.npy", "-o", "x.npz"], "the .npy file 'bad.npy' cannot be read"
    )


def rewritten(good: Path, change: Make) -> bytes:
    """The good activity with its meta data changed, and every length right."""
    with np.load(good) as arrays:
        book = dict(arrays)
    meta = change(json.loads(book["meta"].tobytes()))
    out = io.BytesIO()
    np.savez(out, **{**book, "meta": np.frombuffer(json.dumps(meta).encode(), np.uint8)})
    return out.getvalue()


def zipped(*members: tuple[str, bytes], how: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", how) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return out.getvalue()


def pickled() -> bytes:
    out = io.BytesIO()
    np.savez(out, allow_pickle=True, meta=np.array([Trap()], object))
    return out.getvalue()


def deep() -> bytes:
    text = b"[" * 200_000
    out = io.BytesIO()
    np.savez(out, meta=np.frombuffer(text, np.uint8))
    return out.getvalue()


def lied(good: Path) -> bytes:
    """A zip whose directory promises a member of 4 GB."""
    content = bytearray(zipped(("meta.npy", b"\0" * 64)))
    at = content.rfind(b"PK\x01\x02")
    content[at + 20 : at + 28] = struct.pack("<II", 0xFFFFFFF0, 0xFFFFFFF0)
    return bytes(content)


def tally(meta: dict[str, Any], count: Any) -> dict[str, Any]:
    meta["tallies"][0][2] = count
    return meta


def layer(meta: dict[str, Any], **facts: Any) -> dict[str, Any]:
    meta["layers"][0] |= facts
    return meta


def updates(meta: dict[str, Any]) -> dict[str, Any]:
    for row in meta["tallies"]:
        if row[1] == "active_update":
            row[2], row[3] = 10**9, ""
    return meta


BYTES: dict[str, Callable[[Path], bytes]] = {
    "empty": lambda good: b"",
    "text": lambda good: b"hello",
    "json": lambda good: b"{}",
    "pickle": lambda good: pickle.dumps(Trap()),
    "pickled array": lambda good: pickled(),
    "half": lambda good: good.read_bytes()[: good.stat().st_size // 2],
    "without its end": lambda good: good.read_bytes()[:-1],
    "a flipped byte": lambda good: good.read_bytes()[:200] + b"\xff" + good.read_bytes()[201:],
    "empty zip": lambda good: zipped(),
    "no meta": lambda good: zipped(("n0.npy", npy("{'descr': '<i8', 'fortran_order': False, 'shape': (0,), }"))),
    "absurd shape": lambda good: zipped(("meta.npy", ABSURD)),
    "code for a header": lambda good: zipped(("meta.npy", npy("__import__('os')"))),
    "no array": lambda good: zipped(("meta.npy", b"\x93NUMPY")),
    "deflate bomb": lambda good: zipped(("meta.npy", b"\0" * 50_000_000), how=zipfile.ZIP_DEFLATED),
    "a directory that lies": lied,
    "deep json": lambda good: deep(),
}
CHANGES: dict[str, Make] = {
    "another format": lambda meta: {**meta, "format": "else"},
    "a later version": lambda meta: {**meta, "version": 99},
    "a list": lambda meta: [],  # type: ignore[return-value, arg-type]
    "no layers": lambda meta: {name: value for name, value in meta.items() if name != "layers"},
    "layers of the wrong type": lambda meta: {**meta, "layers": 3},
    "tallies of the wrong type": lambda meta: {**meta, "tallies": {"a": 1}},
    "negative samples": lambda meta: {**meta, "samples": -1},
    "samples as text": lambda meta: {**meta, "samples": "4"},
    "infinite timesteps": lambda meta: {**meta, "timesteps": float("inf")},
    "fractional timesteps": lambda meta: {**meta, "timesteps": 2.5},
    "seconds that are not a number": lambda meta: {**meta, "seconds": float("nan")},
    "negative seconds": lambda meta: {**meta, "seconds": -1.0},
    "seconds as text": lambda meta: {**meta, "seconds": "1"},
    "pooling as a number": lambda meta: {**meta, "pooling": 1},
    "negative count": lambda meta: tally(meta, -5),
    "true count": lambda meta: tally(meta, True),
    "fractional count": lambda meta: tally(meta, 1.5),
    "count as text": lambda meta: tally(meta, "7"),
    "count beyond int64": lambda meta: tally(meta, 10**400),
    "count that its neurons do not sum to": lambda meta: tally(meta, 1),
    "unknown event": lambda meta: {**meta, "tallies": [["encoder", "spikes", 1, ""]]},
    "unknown layer": lambda meta: {**meta, "tallies": [["nowhere", "spike", 1, ""]]},
    "the same tally twice": lambda meta: {**meta, "tallies": [meta["tallies"][0]] * 2},
    "an array that is not there": lambda meta: {**meta, "tallies": [["encoder", "spike", 1, "n999"]]},
    "more active updates than updates": updates,
    "absurd layer": lambda meta: layer(meta, shape=[10**9, 10**9]),
    "negative layer": lambda meta: layer(meta, shape=[-1]),
    "shape as text": lambda meta: layer(meta, shape="64"),
    "name as a list": lambda meta: layer(meta, name=["a"]),
    "negative synapses": lambda meta: layer(meta, synapses=-1),
    "outputs beyond int64": lambda meta: layer(meta, outputs=10**30),
    "inputs of no class": lambda meta: layer(meta, inputs="fuzzy"),
    "spiking as text": lambda meta: layer(meta, spiking="yes"),
    "a field that does not exist": lambda meta: layer(meta, execute="rm"),
    "steps of the wrong array": lambda meta: {**meta, "spikes_per_step": {"encoder": "meta"}},
    "raster of the wrong array": lambda meta: {**meta, "rasters": {"encoder": "meta"}},
    "uncounted as text": lambda meta: {**meta, "uncounted": "nothing"},
    "uncounted calls as text": lambda meta: {
        **meta, "uncounted": [{"layer": "", "operator": "x", "reason": "y", "calls": "z"}]
    },
}  # fmt: skip


@pytest.mark.parametrize("case", [*BYTES, *CHANGES])
@pytest.mark.parametrize(
    "command", [["price", "bad.npz", "--profile", "loihi"], ["show", "bad.npz"]], ids=["price", "show"]
)
def test_hostile_activities(place: Path, capfd: pytest.CaptureFixture[str], case: str, command: list[str]) -> None:
    content = BYTES[case](place / "good.npz") if case in BYTES else rewritten(place / "good.npz", CHANGES[case])
    (place / "bad.npz").write_bytes(content)
    check(place, capfd, command, "'bad.npz' is no whole activity file")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "faults"),
        ("name = ", "is no TOML"),
        ("a = " + "[" * 100_000, "is no TOML"),
        ('name = "x"\ntitle = "x"\n[prices.mac]\njoules = 1.0\nlow = 1.0\nhigh = 1.0\nkind = "measured"\n', "source"),
        ('name = "x"\ntitle = "x"\n[prices.mac]\njoules = nan\nlow = 1.0\nhigh = 1.0\nkind = "measured"\n'
         'source = "a long enough one"\n', "finite"),
        ('name = "x"\ntitle = "x"\n[prices.mac]\njoules = 1.0\nlow = -1.0\nhigh = 1.0\nkind = "measured"\n'
         'source = "a long enough one"\n', "0 <= low"),
        ('name = "x"\ntitle = "x"\n[prices.magic]\njoules = 1.0\nlow = 1.0\nhigh = 1.0\nkind = "measured"\n'
         'source = "a long enough one"\n', "unknown events"),
        ("\x00\x01", "is no TOML"),
        ("x" * (1 << 20) + "y", "that are read"),
    ],
    ids=["empty", "cut", "deep", "no source", "nan", "negative", "unknown event", "binary", "huge"],
)  # fmt: skip
@pytest.mark.parametrize(
    "command",
    [
        ["price", "good.npz", "--profile", "bad.toml"], ["profiles", "show", "bad.toml"],
        ["compare", "--profiles", "loihi,bad.toml", "--out", "out"],
    ],
    ids=["price", "profiles", "compare"],
)  # fmt: skip
def test_hostile_profiles(
    place: Path, capfd: pytest.CaptureFixture[str], content: str, says: str, command: list[str]
) -> None:
    (place / "bad.toml").write_text(content)
    check(place, capfd, command, says)


@pytest.mark.parametrize("what", ["cut weights", "no weights", "cut toml", "empty toml", "no toml", "pickle"])
def test_hostile_networks(place: Path, capfd: pytest.CaptureFixture[str], what: str) -> None:
    weights, toml = next((place / "net").glob("*.safetensors")), place / "net" / "network.toml"
    if what == "cut weights":
        weights.write_bytes(weights.read_bytes()[:-8])
    elif what == "no weights":
        weights.unlink()
    elif what == "cut toml":
        toml.write_text(toml.read_text()[: len(toml.read_text()) // 2])
    elif what == "empty toml":
        toml.write_text("")
    elif what == "no toml":
        toml.unlink()
    else:
        weights.write_bytes(pickle.dumps(Trap()))
    check(place, capfd, ["record", "net", "--data", "digits", "-o", "x.npz"], "net")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "cannot be read"),
        ("{", "cannot be read"),
        ("[" * 100_000, "cannot be read"),
        ("[]", "schema is None"),
        ("3", "schema is None"),
        ('{"schema": "spikeledger-comparison/99"}', "spikeledger-comparison/99"),
        ('{"schema": 3}', "schema is 3"),
        ('{"schema": ["x"]}', "schema is ['x']"),
        ('{"schema": "spikeledger-comparison/1"}', "no whole comparison"),
        (
            '{"schema": "spikeledger-comparison/1", "ann": 1, "snn": 2, "mcnemar": 3, "matches": 4}',
            "no whole comparison",
        ),
        ('{"schema": "spikeledger-ledger/1"}', "no whole ledger"),
        ('{"schema": "spikeledger-ledger/1", "joules": "x", "entries": [1]}', "no whole ledger"),
    ],
)
def test_hostile_json(place: Path, capfd: pytest.CaptureFixture[str], content: str, says: str) -> None:
    (place / "bad.json").write_text(content)
    check(place, capfd, ["show", "bad.json"], says)


def test_markup_in_a_file_is_text(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    content = rewritten(place / "good.npz", lambda meta: json.loads(json.dumps(meta).replace("encoder", "[/red][b]x")))
    (place / "odd.npz").write_bytes(content)
    assert main(["show", "odd.npz"]) == 0
    assert "[/red][b]x" in capfd.readouterr().out
    assert main(["price", "odd.npz", "--profile", "loihi"]) == 0


def test_an_operator_that_nobody_counted(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    miss = {"layer": "fc", "operator": "fft", "reason": "no rule", "calls": 2}
    (place / "partial.npz").write_bytes(rewritten(place / "good.npz", lambda meta: {**meta, "uncounted": [miss]}))
    check(place, capfd, ["price", "partial.npz", "--profile", "loihi"], "1 operators were not counted")
    assert main(["price", "partial.npz", "--profile", "loihi", "--allow-uncounted"]) == 0


def test_a_failed_comparison_leaves_the_last_one_alone(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (place / "out").mkdir()
    (place / "out" / "comparison.json").write_text("yesterday's")
    check(place, capfd, ["compare", "--out", "out", "--timesteps", "0"], "--timesteps is 0")
