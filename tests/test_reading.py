"""Every file that is read goes through one door: pipes, devices, names, claims and numbers beyond reason are one sentence."""

from __future__ import annotations

import io
import json
import os
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import spikeledger as sl
from spikeledger import reading
from spikeledger.activity import Activity, Layer, Tally
from spikeledger.cli.app import main
from spikeledger.cli.show import read_json
from spikeledger.datasets.idx import read_idx
from spikeledger.datasets.randman import load_randman
from spikeledger.errors import FileFormatError, InputError, SpikeLedgerError
from spikeledger.networks.nir import read_nir
from spikeledger.reading import Kind
from spikeledger.trials.study import read_table

KIND = Kind("thing", 1000)
#: who reads one file by its name
READERS: dict[str, Callable[[Path], object]] = {
    "activity": Activity.load, "profile": sl.load_profile, "idx": read_idx, "study": read_table, "json": read_json,
    "npy": lambda path: reading.read_npy(path, KIND), "network": lambda path: sl.load_network(path.parent),
    "checkpoint": lambda path: sl.load_network(path.parent), "ledger": sl.Ledger.load, "nir": read_nir,
    "randman": lambda path: load_randman(path.parent),
}  # fmt: skip
NAMES = {"network": "network.toml", "checkpoint": "checkpoint.toml", "randman": "dataset"}


def ends_in_one_sentence(read: Callable[[], object]) -> str:
    """What is said, within a few seconds: a pipe would be waited for without end."""
    box: list[BaseException | object] = []

    def run() -> None:
        try:
            box.append(read())
        except BaseException as error:
            box.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(20)
    assert box, "it waits"
    (found,) = box
    assert isinstance(found, SpikeLedgerError), found
    said = str(found)
    assert "\n" not in said and len(said) < 900, said
    return said


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("what", ["pipe", "folder", "device"])
def test_only_files_are_read(tmp_path: Path, kind: str, what: str) -> None:
    pytest.importorskip("nir") if kind == "nir" else None
    path = tmp_path / NAMES.get(kind, "a.toml")
    if what == "pipe":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")
    ends_in_one_sentence(lambda: READERS[kind](path))


@pytest.mark.parametrize("name", ["y" * 321, "a\0b.toml", "half\udc80"])
@pytest.mark.parametrize("kind", sorted(set(READERS) - {"network", "checkpoint", "randman"}))
def test_names_that_no_file_can_have(tmp_path: Path, kind: str, name: str) -> None:
    pytest.importorskip("nir") if kind == "nir" else None
    ends_in_one_sentence(lambda: READERS[kind](tmp_path / name))


def test_a_file_of_the_right_length_is_read_and_one_more_byte_is_not(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"b" * KIND.most)
    assert reading.read_bytes(path, KIND) == b"b" * KIND.most
    path.write_bytes(b"b" * (KIND.most + 1))
    with pytest.raises(FileFormatError, match="1,001 bytes"):
        reading.read_bytes(path, KIND)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a = 1" + "0" * 5000, "thousands of digits"),
        ("a = 0x1" + "f" * 30, "more than 64 bits"),
        ("a = " + "[" * 20_000, "nested too deep|deep"),
        ("b" + ".c" * 9000 + " = 1", "a key of 9,000 parts"),
        ("[d" + ".e" * 9000 + "]", "a key of 9,000 parts"),
        ("a = 3\na = 4", "overwrite"),
    ],
)  # fmt: skip
def test_toml_beyond_reason(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        reading.toml(text)


def test_toml_that_is_plain() -> None:
    numbers = [round(0.1 * i, 1) for i in range(2000)]
    assert reading.toml(f"a.b.c = {numbers}\nd = {-(2**63)}") == {"a": {"b": {"c": numbers}}, "d": -(2**63)}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"a": 1' + "0" * 6000 + "}", "digits"),
        ('{"a": 1e999}', "not finite"),
        ('{"a": [NaN]}', "not finite"),
        ('{"a": "\\udfff"}', "no JSON"),
        ("[" * 100_000, "too deep"),
    ],
)
def test_json_beyond_reason(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(FileFormatError, match=says):
        reading.read_json(path, Kind("thing", 1 << 20))


def npy(header: bytes, content: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + content


@pytest.mark.parametrize(
    "content",
    [
        npy(b"((((((\n"), npy(b"{'descr': [[[\n"), npy(b"-" * 6000 + b"2"), npy(b"{'descr': '<f16'}"), b"", b"\x93NUMPY",
        npy(b"{'descr': '<f8', 'fortran_order': False, 'shape': (9999999999, 9999999)}", b"12345678"),
        npy(b"{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", b"12345678"),
        npy(b"{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}", b"12345678"),
    ],
)  # fmt: skip
def test_array_headers_are_not_believed(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match="cannot be read"):
        reading.read_npy(path, Kind("array", 1 << 20))


@pytest.mark.parametrize("kind", [">f4", "<f8", ">i2", "|b1", "<f2"])
@pytest.mark.parametrize("by_column", [False, True])
def test_arrays_of_any_byte_order_are_read(tmp_path: Path, kind: str, by_column: bool) -> None:
    values = (np.arange(24).reshape(2, 3, 4) % 5).astype(kind)
    np.save(tmp_path / "a.npy", np.asfortranarray(values) if by_column else values)
    assert np.array_equal(reading.read_npy(tmp_path / "a.npy", Kind("array", 1 << 20)), values)


def test_an_array_of_the_other_byte_order_is_recorded(tmp_path: Path) -> None:
    sl.save_network(tmp_path / "net", sl.zoo.mlp(6, 5, 2, timesteps=2))
    found = []
    for order in "<>":
        np.save(tmp_path / "a.npy", np.linspace(0, 1, 18).reshape(3, 6).astype(f"{order}f4"))
        arguments = [
            "record",
            str(tmp_path / "net"),
            "--inputs",
            str(tmp_path / "a.npy"),
            "-o",
            str(tmp_path / "o.npz"),
        ]
        assert main(arguments) == 0
        found.append(Activity.load(tmp_path / "o.npz"))
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("times", "labels"),
    [
        (torch.rand(3, 4), torch.zeros(1, dtype=torch.int32).expand(10**11)),
        (torch.zeros(1).expand(10**6, 10**5), torch.zeros(3).long()),
        (torch.zeros(3, 4, device="meta"), torch.zeros(3).long()),
        (torch.zeros(3, 4).to_sparse(), torch.zeros(3).long()),
        (torch.rand(3, 4), torch.tensor([0, -(2**60), 1])),
        (torch.rand(3, 4), torch.tensor([0, 2**61, 1])),
        (torch.rand(3, 4, dtype=torch.complex64), torch.zeros(3).long()),
    ],
)
def test_tensors_of_unusual_kinds(tmp_path: Path, times: torch.Tensor, labels: torch.Tensor) -> None:
    torch.save(times, tmp_path / "dataset")
    torch.save(labels, tmp_path / "dataset_labels")
    ends_in_one_sentence(lambda: load_randman(tmp_path))


def activity(count: int, rows: np.ndarray | None = None, **fields: object) -> Activity:
    layer = Layer("fc", "linear", (3,), inputs="spikes", magnitude=1.0)
    return Activity({"fc": layer}, {("fc", "synaptic_op"): Tally("fc", "synaptic_op", count, rows)}, 1, 1, **fields)  # type: ignore[arg-type]


def test_counts_do_not_wrap_round() -> None:
    wraps = np.array([2**62, 2**62, 2**63 - 1], np.int64)
    with pytest.raises(InputError, match="do not sum"):
        activity(int(wraps.sum()) if int(wraps.sum()) >= 0 else 2**63 - 1, wraps)
    with pytest.raises(InputError, match=r"below 2\^63"):
        activity(2**63)
    one = activity(1, spikes_per_step={"fc": np.array([2**62 + 5], np.int64)})
    with pytest.raises(InputError, match="both runs"):
        one + one
    large = np.array([2**61, 2**61, 7], np.int64)
    assert activity(2**62 + 7, large).total("synaptic_op") == 2**62 + 7


def test_an_account_of_a_claim_allocates_nothing(tmp_path: Path) -> None:
    sl.record(sl.zoo.mlp(8, 6, 3, timesteps=3), torch.rand(4, 8)).save(tmp_path / "a.npz")
    parts = np.load(tmp_path / "a.npz")
    told = json.loads(parts["meta"].tobytes())
    for outputs in (3 * 2**40, 0, 5):
        for layer in told["layers"]:
            layer["outputs"] = outputs if layer["spiking"] else layer["outputs"]
        file = io.BytesIO(json.dumps(told).encode())
        rest = {name: parts[name] for name in parts.files if name != "meta"}
        np.savez(tmp_path / "b.npz", **rest, meta=np.frombuffer(file.getvalue(), np.uint8))
        found = sl.account(Activity.load(tmp_path / "b.npz"), "horowitz-45nm")
        assert found.to_dict()["layers"]
        spent = sum(one.joules for one in found.layers) + found.rest + found.static
        assert spent == pytest.approx(found.joules)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("node_nm", "inf"),
        ("volts", "nan"),
        ("volts", "0.0"),
        ("joules_per_kwh", "0"),
        ("reuse", "inf"),
        ("node_nm", "-3"),
    ],
)
def test_profiles_of_numbers_that_are_none(tmp_path: Path, line: str, value: str) -> None:
    text = (Path(sl.__file__).parent / "hardware/profiles/horowitz-45nm.toml").read_text()
    kept = "\n".join(row for row in text.splitlines() if not row.startswith(f"{line} "))
    (tmp_path / "a.toml").write_text(f"{line} = {value}\n{kept}")
    with pytest.raises(sl.errors.ProfileError, match=line):
        sl.load_profile(tmp_path / "a.toml")


@pytest.mark.parametrize(("field", "value"), [("layer", 2.5), ("joules", True), ("count", "many"), ("event", None)])
def test_a_ledger_of_wrong_kinds_is_not_shown(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], field: str, value: object
) -> None:
    told = sl.price(sl.record(sl.zoo.mlp(8, 6, 3, timesteps=2), torch.rand(4, 8)), "loihi").to_dict()
    told["entries"][1][field] = value
    (tmp_path / "a.json").write_text(json.dumps(told))
    assert main(["show", str(tmp_path / "a.json")]) == 2
    assert "Traceback" not in capfd.readouterr().err


def test_a_text_may_begin_with_the_mark_of_windows_editors(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_bytes(b"\xef\xbb\xbfname = 'a'\n")
    assert reading.read_toml(file, Kind("study", 1 << 10)) == {"name": "a"}
