"""`serve` refuses what is no question, whoever asks, and goes on serving; live networks are shown as they are now."""

from __future__ import annotations

import json
import random
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import torch
from torch import nn

import livepages
from spikeledger.errors import InputError
from spikeledger.live.messages import LONGEST, asked, turn_of
from spikeledger.recording.record import record

websockets = pytest.importorskip("websockets.sync.client", reason="websockets is not installed")
pytest.importorskip("starlette", reason="Starlette is not installed")
pytest.importorskip("uvicorn", reason="uvicorn is not installed")

from spikeledger.live.serving import CLIENTS, PATIENCE, Server  # noqa: E402

SAMPLE = {"ask": "sample", "turn": 1, "seed": 3, "sample": 5}


def small(**options: Any) -> Server:
    ann, snn = livepages.untrained(64, 12, 10, timesteps=4, threshold=0.3)
    return Server(ann, snn, livepages.digits(), port=0, catalogue=["horowitz-45nm", "loihi"], **options)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with small() as served:
        yield served


def line(server: Server, **options: Any) -> Any:
    return websockets.connect(f"ws://127.0.0.1:{server.port}/live", open_timeout=20, max_size=None, **options)


def ask(socket: Any, message: Any) -> Any:
    socket.send(message if isinstance(message, str | bytes) else json.dumps(message))
    return heard(socket)


def heard(socket: Any) -> Any:
    """The next message but bills, which come by themselves where a new one is needed."""
    told = json.loads(socket.recv(timeout=30))
    return heard(socket) if told["kind"] == "prices" else told


def fetched(server: Server, path: str = "/", **headers: str) -> int:
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_a_page_and_what_both_networks_did(server: Server) -> None:
    assert server.url == f"http://127.0.0.1:{server.port}/"
    assert fetched(server) == 200
    with line(server) as socket:
        told = ask(socket, SAMPLE)
        again = ask(socket, SAMPLE)
    assert (told["kind"], told["turn"]) == ("take", 1) and again == told
    snn = server.theatre.stage.snn
    index = int(server.theatre._chosen[5])
    want = record(snn, livepages.digits().test_inputs[index : index + 1], seed=3)
    counts = {key: row[-1] if isinstance(row, list) else row for key, row in told["snn"]["counts"].items()}
    assert counts == {f"{a}|{b}": tally.count for (a, b), tally in want.tallies.items()}


@pytest.mark.parametrize(
    "message",
    [
        "", "x", "null", "[]", '{"ask": "sample"}', '{"ask": "exec", "turn": 1, "seed": 1, "sample": 1}',
        json.dumps({**SAMPLE, "sample": 120}), json.dumps({**SAMPLE, "sample": -1}), json.dumps({**SAMPLE, "sample": 1.5}),
        json.dumps({**SAMPLE, "sample": True}), json.dumps({**SAMPLE, "sample": "__import__('os')"}),
        json.dumps({**SAMPLE, "seed": 10**400}), json.dumps({**SAMPLE, "more": 1}), '{"ask": ["sample"]}',
        '{"ask": "drawing", "turn": 1, "seed": 1, "pixels": [1, 2]}',
        json.dumps({"ask": "drawing", "turn": 1, "seed": 1, "pixels": [0.5] * 63 + [1.01]}),
        '{"ask": "drawing", "turn": 1, "seed": 1, "pixels": [' + "NaN," * 63 + "0]}",
        json.dumps({"ask": "drawing", "turn": 1, "seed": 1, "pixels": [True] * 64}),
        json.dumps({"ask": "drawing", "turn": 1, "seed": 1, "pixels": {"0": 1}}),
        "[" * 30_000, '{"a":' * 9_000, "\ud800", "\x00" * 50,
        b"\x80\x04\x95cos\nsystem\n(S'true'\ntR.",  # a pickle
    ],
    ids=lambda one: repr(one)[:40],
)  # fmt: skip
def test_what_is_no_question_is_answered_and_not_obeyed(server: Server, message: Any) -> None:
    with line(server) as socket:
        if message == "\ud800":
            with pytest.raises(InputError):
                asked(message, samples=120, pixels=64)
            return
        told = ask(socket, message)
        assert told["kind"] == "refused" and len(told["says"]) > 10
        assert ask(socket, SAMPLE)["kind"] == "take"


def test_ten_thousand_messages_that_are_none() -> None:
    draw = random.Random(7)
    parts = ["{", "}", "[", "]", '"', "ask", "sample", "drawing", "turn", "seed", "pixels", ":", ",", "1", "-1", "1e999",
             "NaN", "null", "true", "\\u0000", "\n", "é", "../", "__class__", "eval(", "9" * 50, '"ask":"sample"']  # fmt: skip
    refused = 0
    for _ in range(10_000):
        text = "".join(draw.choices(parts, k=draw.randint(0, 40)))
        if draw.random() < 0.4:  # nearly a question
            near: dict[str, Any] = dict(SAMPLE)
            near[draw.choice([*near, "x"])] = draw.choice([None, -1, 1e300, "1", [], {}, True, 2**31, 120.0])
            text = json.dumps(near)
        with pytest.raises(InputError):
            asked(text, samples=120, pixels=64)
        turn_of(text)
        refused += 1
    assert refused == 10_000
    with pytest.raises(InputError, match="characters"):
        asked(" " * (LONGEST + 1), samples=120, pixels=64)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://127.0.0.1.elsewhere.example"}, {"Host": "elsewhere.example"},
    ],
    ids=str,
)  # fmt: skip
def test_foreign_origins_and_hosts_are_refused(server: Server, headers: dict[str, str]) -> None:
    assert fetched(server, "/", **headers) == 403
    if "Origin" in headers:
        with (
            pytest.raises(Exception, match="403"),
            line(server, origin=headers["Origin"]),
        ):
            pass
    with line(server, origin=f"http://127.0.0.1:{server.port}") as socket:
        assert ask(socket, SAMPLE)["kind"] == "take"


def test_there_is_one_page_and_nothing_else(server: Server) -> None:
    for path in ("/live.html", "/../pyproject.toml", "/%2e%2e/%2e%2e/etc/passwd", "/live", "/?x=1/.."):
        assert fetched(server, path) in ((404, 426) if path != "/?x=1/.." else (200,))


def test_elsewhere_a_token_is_needed() -> None:
    with pytest.raises(InputError, match="can be guessed"):
        small(token="short")
    with small(host="0.0.0.0") as served:
        assert len(served.token) > 16 and served.token in served.url
        good = f"/?token={served.token}"
        assert [fetched(served, path) for path in ("/", "/?token=", "/?token=%00", good + "x", good)] == [403] * 4 + [
            200
        ]
        # a name that somebody made lead here
        assert fetched(served, good, Host="rebound.example") == 403
        with pytest.raises(Exception, match="403"), line(served):
            pass


def test_one_client_cannot_take_it_all(server: Server) -> None:
    with line(server) as socket:
        for _ in range(150):
            socket.send(json.dumps(SAMPLE))
        kinds = [heard(socket) for _ in range(150)]
    slow = [one for one in kinds if one["kind"] == "refused"]
    assert slow and all("more slowly" in one["says"] for one in slow)
    with line(server) as socket, pytest.raises(Exception, match="1008"):  # who never asks anything is sent away
        for _ in range(PATIENCE + 5):
            ask(socket, "x")
    with line(server) as socket, pytest.raises(Exception, match="1009"):
        ask(socket, " " * (LONGEST + 1))
    with ExitStack() as stack, pytest.raises(Exception, match="403"):
        for _ in range(CLIENTS + 1):
            stack.enter_context(line(server))


def test_a_training_run_is_shown_as_it_goes() -> None:
    ann, snn = livepages.untrained(64, 12, 10, timesteps=4, threshold=0.3)
    served = Server(ann, snn, livepages.digits(), port=0, catalogue=["horowitz-45nm", "loihi"])
    with served, line(served) as socket:
        before = ask(socket, SAMPLE)
        with torch.no_grad():
            for part in snn.modules():
                if isinstance(part, nn.Linear):
                    part.weight.mul_(-1)
        assert ask(socket, SAMPLE) == before  # a copy is shown
        served.update("epoch 2")
        assert json.loads(socket.recv(timeout=30)) == {"kind": "changed", "says": "epoch 2"}
        told = ask(socket, SAMPLE)
        assert told["snn"]["counts"] != before["snn"]["counts"] and told["ann"] == before["ann"]
        assert fetched(served) == 200


def test_a_network_that_fails_is_a_sentence_and_the_others_are_served(server: Server) -> None:
    stage = server.theatre.stage
    whole = stage.snn.layers
    server.theatre.changed()
    stage.snn.layers = nn.Sequential(nn.Linear(3, 3))
    try:
        with line(server) as socket:
            assert ask(socket, SAMPLE)["kind"] == "refused"
    finally:
        stage.snn.layers = whole
    with line(server) as socket:
        assert ask(socket, SAMPLE)["kind"] == "take"
