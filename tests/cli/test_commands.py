"""What each command does when all is well, and that machines get JSON and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spikeledger as sl

Run = Callable[..., Any]
COMMANDS = ("compare", "train", "record", "price", "profiles", "show")


@pytest.mark.parametrize("command", [(), *[(name,) for name in COMMANDS], ("profiles", "show")])
def test_help_says_what_it_does(run: Run, command: tuple[str, ...]) -> None:
    found = run(*command, "--help")
    assert found.code == 0
    assert found.err == ""
    assert ("Example: spikeledger" in found.out) == bool(command)
    assert all(name in found.out for name in COMMANDS) or command


def test_without_arguments_there_is_help(run: Run) -> None:
    assert run().out == run("--help").out
    assert run("--version").out.strip() == sl.__version__


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """One run of the main job, in a process of its own."""
    folder = tmp_path_factory.mktemp("compare")
    arguments = ["compare", "--epochs", "2", "--samples", "50", "--out", "here/result", "--json"]
    done = subprocess.run(_command(*arguments), cwd=folder, capture_output=True, text=True, check=True, timeout=120)
    return folder / "here" / "result", done.stdout


def test_compare_of_several_networks_keeps_those_it_chose(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = [
        "compare",
        "--network",
        "mlp-s,mlp-m",
        "--epochs",
        "1",
        "--samples",
        "40",
        "--profiles",
        "horowitz-45nm-int8",
    ]
    assert "say with --points" in run(*asked).err
    assert "0 or more" in run(*asked, "--points", "-1").err
    assert list(tmp_path.iterdir()) == []  # refused before anything was done
    found = json.loads(run(*asked, "--points", "100", "--json").out)
    chosen = found["equal_accuracy"]
    for side in ("ann", "snn"):
        assert found[side]["name"] == chosen[side]["name"] and found[side]["name"].startswith("mlp-s")
        assert chosen[side]["joules"] == min(one["joules"] for one in chosen[f"{side}s"])
        network = sl.load_network(tmp_path / "comparison" / side)
        assert sum(one.numel() for one in network.parameters()) == found[side]["parameters"]


def _earlier(found: Any) -> Any:
    """A comparison as files said it before verdicts had shared prices, widths and opponents."""
    new = {"networks", "at_widths", "equal_accuracy", "opponents", "says", "view", "standard_error", "prices"}
    if isinstance(found, dict):
        return {key: _earlier(value) for key, value in found.items() if key not in new}
    return [_earlier(one) for one in found] if isinstance(found, list) else found


def test_a_comparison_of_an_earlier_version_is_shown_and_cited(
    compared: tuple[Path, str], run: Run, tmp_path: Path
) -> None:
    told = _earlier(json.loads(compared[1]))
    assert "networks" not in told and "view" not in told["matches"][0]
    (tmp_path / "comparison.json").write_text(json.dumps(told))
    shown = run("show", str(tmp_path / "comparison.json")).out
    assert "loihi" in shown and "% of 50 right" in shown
    for side in ("ann", "snn"):
        shutil.copy(compared[0] / f"{side}-activity.npz", tmp_path)
    for place in (tmp_path, tmp_path / "comparison.json"):  # the folder, or its file
        assert "Energies are estimates" in run("cite", str(place), "--out", str(tmp_path / "paper")).out


def test_compare_writes_everything(compared: tuple[Path, str]) -> None:
    folder, out = compared
    assert sorted(path.name for path in folder.iterdir()) == [
        "ann", "ann-activity.npz", "comparison.json", "live.html", "report.html", "snn", "snn-activity.npz",
    ]  # fmt: skip
    found = json.loads(out)  # pure JSON, although training talked on stderr
    assert found == json.loads((folder / "comparison.json").read_text())
    assert found["schema"] == "spikeledger-comparison/1"
    assert found["samples"] == 50
    assert sl.Activity.load(folder / "snn-activity.npz").samples == 50
    assert "<html" in (folder / "report.html").read_text()
    assert 'href="live.html"' in (folder / "report.html").read_text()
    assert (folder / "live.html").stat().st_size < 150_000
    assert isinstance(sl.load_network(folder / "snn"), sl.SpikingNetwork)
    assert "--epochs 2" in (folder / "report.html").read_text()


def test_a_saved_comparison_and_activity_are_shown(run: Run, compared: tuple[Path, str]) -> None:
    folder, out = compared
    shown = run("show", folder / "comparison.json")
    assert shown.code == 0
    assert "McNemar" in shown.out
    assert "horowitz-45nm" in shown.out
    assert json.loads(run("show", folder / "comparison.json", "--json").out) == json.loads(out)
    assert "synaptic_op" in run("show", folder / "snn-activity.npz").out


def test_compare_prints_where_the_report_is_and_the_same_seed_gives_the_same_figures(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ("compare", "--epochs", 1, "--samples", 20, "--timesteps", 2, "--encoder", "direct", "--seed", 3)
    first = run(*options, "--out", "a")
    second = run(*options, "--out", "b", "--rate-hz", 1)
    assert first.code == second.code == 0
    assert f"report: {Path('a') / 'report.html'}" in first.out
    assert Path("a/comparison.json").read_bytes() == Path("b/comparison.json").read_bytes()


def test_train_then_record_then_price_then_show(run: Run, tmp_path: Path) -> None:
    net, activity = tmp_path / "net", tmp_path / "activity.npz"
    trained = run("train", "--epochs", 1, "--kind", "ann", "--out", net, "--json")
    assert trained.code == 0
    assert json.loads(trained.out)["schema"] == "spikeledger-fit/1"
    recorded = run("record", net, "--data", "digits", "--samples", 9, "-o", activity, "--json")
    assert recorded.code == 0
    assert json.loads(recorded.out)["totals"]["dense_op"] == 9 * (64 * 256 + 256 * 10)
    priced = run("price", activity, "--profile", "v100", "--json")
    ledger = tmp_path / "ledger.json"
    ledger.write_text(priced.out)
    assert json.loads(priced.out)["joules"] == sl.price(sl.Activity.load(activity), "v100").joules
    shown = run("show", ledger)
    assert shown.code == 0
    assert "v100" in shown.out


def test_train_to_an_energy_budget(run: Run, tmp_path: Path) -> None:
    asked = ("train", "--epochs", 2, "--profile", "seneca-22nm", "--out", tmp_path / "net")
    plain = json.loads(run(*asked, "--json").out)["history"][-1]["joules_per_sample"]
    told = run(*asked, "--energy-budget", plain / 2, "--json")
    assert told.code == 0
    found = json.loads(told.out)
    assert found["profile"] == "seneca-22nm"
    assert found["history"][-1]["joules_per_sample"] == pytest.approx(plain / 2, rel=0.1)
    assert "of a budget of" in run(*asked, "--energy-budget", plain / 2).out
    assert int((sl.load_network(tmp_path / "net").layers.fc1.weight == 0).sum()) > 1000


@pytest.mark.parametrize("loss", ["first_spike", "membrane"])
def test_the_back_end_and_the_loss_are_chosen_and_told(run: Run, tmp_path: Path, loss: str) -> None:
    options = ("--epochs", 1, "--backend", "reference", "--loss", loss, "--json")
    found = run("train", *options, "--prune", 0.5, "--out", tmp_path / "net")
    assert json.loads(found.out)["backend"] == "reference"
    weights = sl.load_network(tmp_path / "net").layers
    assert int((weights.fc1.weight == 0).sum() + (weights.fc2.weight == 0).sum()) == (64 * 256 + 256 * 10) // 2
    compared = run("compare", *options, "--samples", 20, "--profiles", "horowitz-45nm", "--out", tmp_path / "compared")
    assert json.loads(compared.out)["backend"] == "reference"
    page = (tmp_path / "compared" / "report.html").read_text()
    assert f"--loss {loss} --samples 20 --backend reference" in page


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--backend", "cuda"), "unknown back end 'cuda'"),
        (("--loss", "rates"), "did you mean 'rate'"),
        (("--energy-budget", "0"), "above 0"),
        (("--prune", "1"), "below 1"),
        (("--energy-budget", "1e-7", "--kind", "ann"), "the ordinary twin has none"),
        (("--energy-budget", "1e-7", "--profile", "lohi"), "did you mean 'loihi'"),
    ],
)
def test_train_refuses_what_cannot_be(run: Run, tmp_path: Path, options: tuple[str, ...], says: str) -> None:
    found = run("train", "--out", tmp_path / "net", *options)
    assert found.code == 2
    assert says in found.err
    assert not (tmp_path / "net").exists()


def test_record_inputs_of_your_own_with_a_network_of_your_own(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import torch\ndef make_model():\n    return torch.nn.Sequential(torch.nn.Linear(6, 2), torch.nn.ReLU())\n"
    )
    np.save(tmp_path / "x.npy", 1 + np.arange(30, dtype=np.float32).reshape(5, 6))
    out = tmp_path / "activity.npz"
    found = run("record", f"{tmp_path / 'mine.py'}:make_model", "--inputs", tmp_path / "x.npy", "-o", out)
    assert found.code == 0, found.err
    assert sl.Activity.load(out).total("mac") == 5 * 12
    assert "saved in" in found.out


def test_price_options(run: Run, activity_file: Path) -> None:
    ops = run("price", activity_file, "--profile", "loihi", "--bill", "ops-only", "--json")
    assert set(json.loads(ops.out)["by_event"]) == {"synaptic_op"}
    less = run("price", activity_file, "--profile", "loihi", "--leave-out", "second", "--leave-out", "spike", "--json")
    found = json.loads(less.out)
    assert not {"second", "spike"} & set(found["by_event"])
    assert {one["event"] for one in found["left_out"]} == {"second", "spike"}
    assert "estimated" in run("price", activity_file, "--profile", "loihi").out


def test_profiles(run: Run) -> None:
    listed = run("profiles").out
    for name in sl.list_profiles():
        assert name in listed
    rows = json.loads(run("profiles", "--json").out)
    assert [row["name"] for row in rows] == sl.list_profiles()
    assert all(row["evidence"] and row["title"] for row in rows)
    card = " ".join(run("profiles", "show", "loihi").out.split())
    profile = sl.load_profile("loihi")
    for price in (*profile.prices.values(), profile.static, profile.timing):
        assert " ".join(price.source.split()) in card
    assert json.loads(run("profiles", "show", "loihi", "--json").out)["name"] == "loihi"


def test_ctrl_c_keeps_what_is_done_and_ends_with_130(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from spikeledger.training import fit as fitting

    epoch = fitting._Run.epoch

    def stopped(self: Any, number: int, watch: Any) -> Any:
        if number == 2:
            raise KeyboardInterrupt
        return epoch(self, number, watch)

    monkeypatch.setattr(fitting._Run, "epoch", stopped)
    found = run("compare", "--epochs", 3, "--out", tmp_path / "out")
    assert found.code == 130
    assert found.err.endswith("spikeledger: stopped; what was done is kept\n")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["unfinished"]
    monkeypatch.undo()
    assert run("compare", "--epochs", 3, "--out", tmp_path / "out", "--resume").code == 0
    assert sl.load_network(tmp_path / "out" / "ann") is not None
    assert not (tmp_path / "out" / "unfinished").exists()


@pytest.mark.parametrize(
    "words", [["price", "--profile", "loihi", "--json"], ["price", "--profile", "loihi"], ["show"]]
)
def test_pricing_and_showing_need_no_torch(activity_file: Path, words: list[str]) -> None:
    command = [words[0], str(activity_file), *words[1:]]
    code = f"import sys; sys.modules['torch'] = None; from spikeledger.cli.app import main; sys.exit(main({command!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=_environment(), timeout=60)
    assert done.returncode == 0, done.stderr
    assert "loihi" in done.stdout or "layer" in done.stdout


def test_a_shell_completes_commands() -> None:
    asked = {"_SPIKELEDGER_COMPLETE": "complete_bash", "COMP_WORDS": "spikeledger pr", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "spikeledger"], capture_output=True, text=True, env=_environment() | asked, timeout=60
    )
    assert done.stdout.split() == ["price", "profiles"]


@pytest.mark.parametrize("words", [["-h"], ["price", "-h"], ["chip", "place", "-h"]])
def test_h_is_help(run: Callable[..., Any], words: list[str]) -> None:
    done = run(*words)
    assert done.code == 0 and "--help" in done.out


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from spikeledger.cli.app import main; main(['--help']); "
        "print(sorted({'torch', 'numpy', 'pydantic', 'rich', 'matplotlib', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=_environment(), timeout=60)
    assert done.stdout.splitlines()[-1] == "[]"


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "import sys; from spikeledger.cli.app import main; sys.exit(main())", *arguments]


def _environment() -> dict[str, str]:
    return dict(os.environ)


def test_what_another_command_takes_is_said_in_the_words_of_the_shell(run: Callable[..., Any], tmp_path: Path) -> None:
    assert run("train", "--epochs", "1", "--timesteps", "1", "--out", tmp_path / "net").code == 0
    (tmp_path / "own.py").write_text("def make():\n    return 3\n")
    (tmp_path / "page.html").write_text("<p>")
    for words, says in (
        (["show", tmp_path / "net"], "spikeledger record"),
        (["show", tmp_path / "net" / "network.toml"], "profiles show"),
        (["show", tmp_path / "page.html"], "browser"),
        (["show", tmp_path], "without a comparison"),
        (["price", tmp_path / "no.npz", "--profile", "loihi"], "spikeledger record NETWORK"),
        (["chip", "check", tmp_path / "nowhere"], "spikeledger train --out"),
        (["record", tmp_path / "own.py", "--data", "digits", "--out", tmp_path / "a.npz"], "own.py:make_network"),
    ):
        done = run(*words)
        assert done.code == 2 and says in done.err and "sl." not in done.err and done.err.count("\n") == 1
    again = run("train", "--epochs", "1", "--timesteps", "1", "--out", tmp_path / "net")
    assert again.code == 0 and "is replaced" in again.err


def test_no_summary_of_a_command_is_cut(run: Callable[..., Any]) -> None:
    for words in ([], ["chip"], ["profiles"], ["study"], ["search"]):
        assert "..." not in run(*words, "--help").out.split("Commands:")[1]
