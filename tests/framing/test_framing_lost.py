"""A full map of places: live connections keep theirs while there is room, and what happens to one that loses it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from skverdict.codegen import build
from skverdict.dsl import load_policy
from skverdict.runtime import Simulator

from tests.framing.__main__ import EXAMPLES
from tests.framing.traffic import POLICIES, Filter


def simulator(name: str, connections: int, folder: Path) -> Simulator:
    """The framed example with room for that many places."""
    text = (EXAMPLES / f"{name}.py").read_text()
    before, separator, after = text.partition("@framed(")
    arguments, _, rest = after.partition(")")
    path = folder / f"{name}.py"
    path.write_text(f"{before}{separator}{arguments}, connections={connections}){rest}")
    return Simulator(build(load_policy(path)))


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_closed_connections_left_behind_makes_room(policy: type[Filter], seed: int, tmp_path: Path) -> None:
    """Two connections at a time and room for four: a full map makes room before it looks for the key, and forgets more
    than it must."""
    rng = random.Random(seed)
    sim = simulator(policy.name, 4, tmp_path)
    ready = policy(sim)
    assert sum(ready.run(rng, lag=number % 2 == 1) for number in range(8)) == 4000
    places = next(map_ for name, map_ in sim.maps.items() if name.endswith("_place"))
    assert len(places) <= 4


def test_a_message_that_lost_its_place_behind_a_parser_ends_its_connection(tmp_path: Path) -> None:
    """No byte goes to a wrong worker, and none that follows to anyone."""
    sim = simulator("frame_router", 2, tmp_path)
    workers = []
    for kind in range(2):
        upstream, worker = sim.tcp_pair()
        sim.maps["workers"][kind] = upstream
        workers.append(worker)
    sim.attach("clients", parser="frame_length", verdict="to_worker")
    pairs = [sim.tcp_pair() for _ in range(3)]
    for index, (_, server) in enumerate(pairs):
        sim.maps["clients"][index] = server
    (lost, server), (second, _), (third, _) = pairs
    lost.send(b"\0\3\0\0abc" + b"\0\3\0\0de")
    second.send(b"\0\3\0\1gh")
    third.send(b"\0\3\0\1jk")
    second.send(b"i")
    third.send(b"l")
    lost.send(b"f" + b"\0\1\0\1x")
    assert workers[0].recv_all() == b"\0\3\0\0abc"
    assert workers[1].recv_all() == b"\0\3\0\1ghi\0\3\0\1jkl"
    with pytest.raises(BlockingIOError):
        server.recv()
    lost.send(b"\0\1\0\1y")
    assert workers[1].recv_all() == b""


def test_a_message_that_lost_its_place_in_a_tracker_is_taken_for_a_new_one(tmp_path: Path) -> None:
    sim = simulator("command_filter", 2, tmp_path)
    sim.attach("servers", verdict="allow")
    pairs = [sim.tcp_pair() for _ in range(3)]
    for index, (_, server) in enumerate(pairs):
        sim.maps["servers"][index] = server
    (lost, server), (second, other), (third, _) = pairs
    lost.send(b"\x14GET 0123456789")
    second.send(b"\x0fGET 01234")
    third.send(b"\x0fGET 01234")
    # Of 20 bytes 14 came; the rest begins with what is no command's length and word.
    second.send(b"56789z")
    second.send(b"\5LIST ")
    lost.send(b"abcdef")
    lost.send(b"\5LIST ")
    assert server.recv_all() == b"\x14GET 0123456789"
    assert other.recv_all() == b"\x0fGET 0123456789z\5LIST "


def test_a_refused_connection_is_forgotten_when_others_need_its_place(tmp_path: Path) -> None:
    """So an application closes what was refused."""
    sim = simulator("command_filter", 2, tmp_path)
    sim.attach("servers", verdict="allow")
    pairs = [sim.tcp_pair() for _ in range(3)]
    for index, (_, server) in enumerate(pairs):
        sim.maps["servers"][index] = server
    (refused, server), (second, _), (third, _) = pairs
    refused.send(b"\4PUT!")
    refused.send(b"\5LIST ")
    with pytest.raises(BlockingIOError):
        server.recv()
    for other in (second, third):
        other.send(b"\x0fGET 0")
    refused.send(b"\5LIST ")
    assert server.recv_all() == b"\5LIST "
