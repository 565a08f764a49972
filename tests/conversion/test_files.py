"""A converted network on disk: what is known of its conversion comes back with it, and nothing that a file says is run."""

import tomllib

import pytest
import tomli_w
import torch
from torch import nn
from torch.nn import functional as F

import spikeledger as sl
from spikeledger.errors import FileFormatError
from spikeledger.stress.attacks import ways
from spikeledger.training.checkpoints import END


class Branched(nn.Module):
    """Two branches that are added and joined, a cap, a scale without a layer in front of it, poolings of both kinds."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, 6, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(6)
        self.left = nn.Conv2d(6, 6, 3, padding="same", groups=3)
        self.right = nn.Conv2d(6, 6, 1)
        self.late = nn.BatchNorm2d(12)
        self.out = nn.Linear(12 * 4, 5)

    def forward(self, x):
        x = F.max_pool2d(F.relu6(self.norm(self.stem(x))), 2)
        x = torch.cat([F.relu(self.left(x) + x), F.relu(self.right(x))], 1)
        return self.out(torch.flatten(F.avg_pool2d(self.late(x), 2), 1))


@pytest.fixture(scope="module")
def branched():
    torch.manual_seed(3)
    ann, samples = Branched(), torch.rand(60, 2, 8, 8)
    ann(samples)  # batch norm sees something
    return ann.eval(), samples


@pytest.mark.parametrize(
    "options", [{"granularity": "channel"}, {"method": "auto"}, {"input": "spikes"}], ids=["channel", "auto", "spikes"]
)
def test_what_was_done_comes_back_with_the_network(branched, tmp_path, options):
    ann, samples = branched
    made = sl.convert(ann, samples, timesteps=5, **{"method": "least_squares", **options})
    sl.save_network(tmp_path, made)
    back = sl.load_network(tmp_path)
    old, new = made.conversion, back.conversion
    assert torch.equal(made.scores(samples[:9]), back.scores(samples[:9]))
    assert torch.equal(old.scores(samples), new.scores(samples)) and torch.equal(old.rates(samples), new.rates(samples))
    for name, fired in old.counts(samples).items():
        assert torch.equal(fired, new.counts(samples)[name])
    assert (old.said, old.plan, old.tried, old.notes, repr(made)) == (
        new.said,
        new.plan,
        new.tried,
        new.notes,
        repr(back),
    )
    assert [p.rate_error for p in old.populations] == [p.rate_error for p in new.populations]
    assert [way for way, _ in ways(back)] == [way for way, _ in ways(made)] and "rates" in dict(ways(back))
    sl.save_network(tmp_path / "again", back)
    assert {f.name for f in (tmp_path / "again").iterdir()} == {f.name for f in tmp_path.iterdir() if f.is_file()}


def _change(steps, key, value):
    def change(table):
        next(row for row in table["conversion"]["steps"] if row["kind"] in steps)[key] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        _change(("weighted",), "layer", "LazyLinear"),
        _change(("weighted",), "sizes", {"in_channels": 10**9, "out_channels": 10**9, "kernel_size": [9, 9]}),
        _change(("weighted",), "sizes", {"forward": 1}),
        _change(("relu",), "inputs", ["nobody"]),
        _change(("add",), "kind", "eval"),
        _change(("maximum",), "layer", "__import__"),
        lambda table: table["conversion"].update(output="nobody"),
        lambda table: table["conversion"]["plan"].update(steps=-4),
        lambda table: table["conversion"]["plan"].update(shell="rm"),
        lambda table: table["conversion"]["plan"].update(start="half"),
        lambda table: table["conversion"]["steps"][0].update(shape=[2, 10**6, 10**6]),
        lambda table: table["conversion"]["steps"][0].update(shape=[2, 9, 9]),
        lambda table: table["conversion"].pop("steps"),
        lambda table: table.update(conversion=[1, 2]),
    ],
)
def test_a_table_that_was_changed_is_refused_in_one_sentence(branched, tmp_path, change):
    ann, samples = branched
    sl.save_network(tmp_path, sl.convert(ann, samples, timesteps=3, method="max"))
    file = tmp_path / "network.toml"
    table = tomllib.loads(file.read_text())
    change(table)
    file.write_text(tomli_w.dumps(table) + END)
    with pytest.raises(FileFormatError, match="holds no whole network"):
        sl.load_network(tmp_path)


def test_a_network_that_is_trained_on_answers_for_itself(tmp_path):
    digits = sl.load_dataset("digits").subset(train=64, test=20, seed=0)
    ann = nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.ReLU(), nn.Linear(12, 10))
    made = sl.convert(ann, digits, timesteps=4, method="max", schedule="together")
    sl.fit(made, digits, epochs=1, profile=None, progress=False)
    assert not hasattr(made, "conversion") and "trained on" in repr(made)
    sl.save_network(tmp_path, made)
    assert torch.equal(sl.load_network(tmp_path).scores(digits.test_inputs), made.scores(digits.test_inputs))
