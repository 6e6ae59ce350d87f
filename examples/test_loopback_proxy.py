"""Bytes through `loopback_proxy.py`: two connections become one, both ways, and each pair by itself."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from skverdict.codegen import build
from skverdict.dsl import load_policy
from skverdict.runtime import Simulator, Socket

POLICY = build(load_policy(Path(__file__).with_name("loopback_proxy.py")))


def simulator() -> Simulator:
    sim = Simulator(POLICY)
    sim.attach("peers", verdict="splice")
    return sim


def spliced(sim: Simulator) -> tuple[Socket, Socket, Socket, Socket]:
    """A client, the proxy's two sockets, and a server."""
    client, accepted = sim.tcp_pair(server_port=8000)
    upstream, server = sim.tcp_pair(server_port=9000)
    sim.maps["peers"][accepted.cookie] = upstream
    sim.maps["peers"][upstream.cookie] = accepted
    return client, accepted, upstream, server


def test_bytes_go_from_one_connection_to_the_other_and_back() -> None:
    sim = simulator()
    client, accepted, upstream, server = spliced(sim)

    client.send(b"question")
    assert server.recv() == b"question"
    server.send(b"answer")
    assert client.recv() == b"answer"

    assert (accepted.pending, upstream.pending) == (0, 0)
    assert sim.trace.verdicts() == Counter({("splice", "redirect"): 2})


def test_pairs_do_not_meet() -> None:
    sim = simulator()
    pairs = [spliced(sim) for _ in range(3)]

    for number, (client, *_) in enumerate(pairs):
        client.send(b"from client %d" % number)

    for number, (*_, server) in enumerate(pairs):
        assert server.recv_all() == b"from client %d" % number


def test_the_proxy_sees_the_end() -> None:
    client, accepted, _, server = spliced(simulator())

    client.send(b"last words")
    client.close()

    assert server.recv() == b"last words"
    assert accepted.recv() == b""


def test_a_socket_without_a_partner_loses_what_comes() -> None:
    sim = simulator()
    client, accepted = sim.tcp_pair()
    sim.maps["peers"][0] = accepted

    client.send(b"lost")

    assert accepted.pending == 0
    assert sim.trace.verdicts()["splice", "drop"] == 1


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.booleans(), st.binary(min_size=1, max_size=60)), max_size=8))
def test_every_byte_comes_in_order(pieces: list[tuple[bool, bytes]]) -> None:
    client, _, _, server = spliced(simulator())

    for from_client, content in pieces:
        (client if from_client else server).send(content)

    assert server.recv_all() == b"".join(content for from_client, content in pieces if from_client)
    assert client.recv_all() == b"".join(content for from_client, content in pieces if not from_client)
