"""Commands through `command_filter.py`: those of its list arrive, and from another one on nothing does."""

from __future__ import annotations

from pathlib import Path

import pytest
from skverdict.codegen import build
from skverdict.dsl import load_policy
from skverdict.runtime import Simulator, Socket

POLICY = build(load_policy(Path(__file__).with_name("command_filter.py")))


def command(text: bytes) -> bytes:
    return bytes([len(text)]) + text


def watched() -> tuple[Simulator, Socket, Socket]:
    sim = Simulator(POLICY)
    client, server = sim.tcp_pair()
    sim.attach("servers", verdict="allow")
    sim.maps["servers"][0] = server
    return sim, client, server


ALLOWED = [command(text) for text in (b"GET a", b"LIST ", b"GET " + b"b" * 251, b"QUIT\n", b"GET ")]


@pytest.mark.parametrize("size", [1, 2, 5, 6, 7, 300, 1000])
def test_allowed_commands_in_segments_of_any_size(size: int) -> None:
    sim, client, server = watched()
    stream = b"".join(ALLOWED)
    for start in range(0, len(stream), size):
        client.send(stream[start : start + size])
    assert server.recv_all() == stream
    assert (sim.maps["refused"][0], len(sim.maps["allow_place"])) == (0, 0)


@pytest.mark.parametrize("refused", [b"PUT x", b"GET", b"", b"QUIT!", b"get x"])
def test_nothing_arrives_from_the_first_refused_command_on(refused: bytes) -> None:
    sim, client, server = watched()
    client.send(ALLOWED[0])
    client.send(command(refused))
    client.send(ALLOWED[1])
    assert server.recv_all() == ALLOWED[0]
    assert sim.maps["refused"][0] == 1


def test_a_refused_command_takes_its_segment_with_it() -> None:
    _, client, server = watched()
    client.send(ALLOWED[0] + command(b"PUT x") + ALLOWED[1])
    assert server.pending == 0


def test_a_refused_command_in_pieces_never_arrives_whole() -> None:
    _, client, server = watched()
    for byte in command(b"PUT secret"):
        client.send(bytes([byte]))
    assert server.recv_all() == command(b"PUT secret")[:5]


def test_connections_are_followed_each_by_itself() -> None:
    sim, client, server = watched()
    other_client, other_server = sim.tcp_pair()
    sim.maps["servers"][1] = other_server
    client.send(command(b"GET abcdef")[:4])
    other_client.send(command(b"PUT x"))
    client.send(command(b"GET abcdef")[4:])
    assert server.recv_all() == command(b"GET abcdef")
    assert other_server.pending == 0


def test_the_end_of_the_stream_forgets_what_was_begun() -> None:
    sim, client, server = watched()
    client.send(command(b"GET abcdef")[:4])
    assert len(sim.maps["allow_place"]) == 1
    client.shutdown()
    assert len(sim.maps["allow_place"]) == 0
    assert server.recv_all() == command(b"GET abcdef")[:4]
