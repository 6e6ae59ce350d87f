"""Bytes through `port_redirect.py`: what comes in at port 10000 leaves through the socket at key 0."""

from __future__ import annotations

import errno
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skverdict.codegen import build
from skverdict.dsl import load_policy
from skverdict.runtime import Simulator, Socket

POLICY = build(load_policy(Path(__file__).with_name("port_redirect.py")))
REQUEST = b"GET / HTTP/1.1\r\n\r\n"


class Proxy(NamedTuple):
    """client -> server, watched -> (redirect) -> upstream -> backend"""

    sim: Simulator
    client: Socket
    server: Socket
    upstream: Socket
    backend: Socket


def proxy(server_port: int = 10000) -> Proxy:
    sim = Simulator(POLICY)
    client, server = sim.tcp_pair(server_port=server_port)
    upstream, backend = sim.tcp_pair()
    sockets = sim.maps["sock_map_rx"]
    sockets[0] = upstream
    sim.attach("sock_map_rx", parser="parser", verdict="verdict")
    sockets[1] = server
    return Proxy(sim, client, server, upstream, backend)


def test_port_10000_leaves_through_the_socket_at_key_0() -> None:
    sim, client, server, _, backend = proxy()

    assert client.send(REQUEST) == len(REQUEST)

    assert backend.recv() == REQUEST
    assert server.pending == 0
    assert sim.trace.verdicts() == Counter({("parser", "message"): 1, ("verdict", "redirect"): 1})


def test_what_arrives_at_another_port_is_dropped() -> None:
    sim, client, server, _, backend = proxy(server_port=10001)

    client.send(REQUEST)

    assert server.pending == backend.pending == 0
    assert sim.trace.verdicts() == Counter({("parser", "message"): 1, ("verdict", "drop"): 1})


def test_answers_take_the_network() -> None:
    """The server may answer, and the plain target reads what its own peer says."""
    _, client, server, upstream, backend = proxy()

    server.send(b"from the server")
    backend.send(b"from the backend")

    assert client.recv() == b"from the server"
    assert upstream.recv() == b"from the backend"


def test_with_nothing_at_key_0_bytes_are_dropped() -> None:
    sim, client, server, upstream, _ = proxy()
    upstream.close()

    client.send(REQUEST)

    assert server.pending == 0
    assert sim.trace.verdicts()["verdict", "drop"] == 1


def test_the_map_has_room_for_two() -> None:
    sim, client, *_ = proxy()

    with pytest.raises(OSError) as refusal:
        sim.maps["sock_map_rx"][2] = client

    assert refusal.value.errno == errno.E2BIG


def test_the_parser_makes_each_segment_a_message() -> None:
    sim, client, *_ = proxy()

    client.send(REQUEST, segments=[3, 4])

    assert [run.length for run in sim.trace.runs("verdict")] == [3, 4, len(REQUEST) - 7]


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.binary(max_size=60), st.lists(st.integers(1, 20), max_size=4)), max_size=5))
def test_the_backend_gets_what_was_sent_however_it_is_cut(sends: list[tuple[bytes, list[int]]]) -> None:
    _, client, _, _, backend = proxy()

    for content, segments in sends:
        assert client.send(content, segments=segments) == len(content)

    assert backend.recv_all() == b"".join(content for content, _ in sends)
