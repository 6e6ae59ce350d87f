"""Bytes through `local_bypass.py`: between two sockets of one machine they do not take the network."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from skverdict.codegen import build
from skverdict.dsl import load_policy
from skverdict.runtime import Simulator, Socket

POLICY = build(load_policy(Path(__file__).with_name("local_bypass.py")))


def simulator() -> Simulator:
    """A machine that remembers every new connection."""
    sim = Simulator(POLICY)
    sim.attach("endpoints", msg_verdict="bypass")
    sim.attach_cgroup("remember")
    return sim


def key_of(socket: Socket) -> dict[str, int]:
    """The Endpoint of `socket`."""
    (local_ip, local_port), (remote_ip, remote_port) = (
        end.split(":") for end in (socket.local, socket.remote)
    )
    return {
        "local_ip": int(IPv4Address(local_ip)),
        "remote_ip": int(IPv4Address(remote_ip)),
        "local_port": int(local_port),
        "remote_port": int(remote_port),
    }


def ways(sim: Simulator, sender: Socket, receiver: Socket) -> set[str]:
    """How bytes got from `sender` to `receiver`: `ingress` past the network, `arrived` over it."""
    return {
        way
        for source, way, target in sim.trace.destinations()
        if (source, target) == (sender.name, receiver.name)
    }


def test_both_ends_of_a_connection_are_remembered() -> None:
    sim = simulator()

    client, server = sim.tcp_pair(server_port=80, client_address="127.0.0.2")

    endpoints = sim.maps["endpoints"]
    assert len(endpoints) == 2
    assert endpoints.socket(key_of(client)) == client
    assert endpoints.socket(key_of(server)) == server


def test_what_one_end_sends_is_put_into_the_other_end_s_queue() -> None:
    sim = simulator()
    client, server = sim.tcp_pair()

    assert client.send(b"question") == 8
    assert server.send(b"answer") == 6

    assert server.recv() == b"question"
    assert client.recv() == b"answer"
    assert ways(sim, client, server) == ways(sim, server, client) == {"ingress"}


def test_connections_do_not_mix() -> None:
    sim = simulator()
    pairs = [sim.tcp_pair(server_port=80) for _ in range(3)]

    for number, (client, _) in enumerate(pairs):
        client.send(b"from client %d" % number)

    for number, (_, server) in enumerate(pairs):
        assert server.recv() == b"from client %d" % number


def test_an_end_that_is_not_here_is_reached_over_the_network() -> None:
    sim = simulator()
    client, server = sim.tcp_pair()
    del sim.maps["endpoints"][key_of(server)]

    client.send(b"far away")

    assert server.recv() == b"far away"
    assert ways(sim, client, server) == {"arrived"}
    assert sim.trace.verdicts()["bypass", "pass"] == 1


def test_ipv6_is_not_remembered() -> None:
    sim = simulator()
    client, server = sim.tcp_pair(family="v6")

    client.send(b"over the network")

    assert len(sim.maps["endpoints"]) == 0
    assert server.recv() == b"over the network"
    assert list(sim.trace.runs("bypass")) == []


def test_ipv6_passes_even_if_somebody_puts_it_in() -> None:
    sim = simulator()
    client, server = sim.tcp_pair(family="v6")
    sim.maps["endpoints"][key_of(sim.tcp_pair()[0]) | {"local_port": 1}] = client

    client.send(b"over the network")

    assert server.recv() == b"over the network"
    assert ways(sim, client, server) == {"arrived"}
    assert sim.trace.verdicts()["bypass", "pass"] == 1


def test_connections_from_before_are_left_alone() -> None:
    sim = Simulator(POLICY)
    sim.attach("endpoints", msg_verdict="bypass")
    client, server = sim.tcp_pair()
    sim.attach_cgroup("remember")

    client.send(b"as ever")

    assert server.recv() == b"as ever"
    assert ways(sim, client, server) == {"arrived"}


def test_closing_ends_the_stream_and_forgets_the_ends() -> None:
    sim = simulator()
    client, server = sim.tcp_pair()

    client.send(b"last words")
    client.close()

    assert server.recv() == b"last words"
    assert server.recv() == b""
    server.close()
    assert len(sim.maps["endpoints"]) == 0


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=60), st.integers(1, 80)), max_size=8))
def test_both_ends_read_what_was_sent(turns: list[tuple[bool, bytes, int]]) -> None:
    """Whoever sends, and however much the other end reads at a time."""
    client, server = simulator().tcp_pair()
    sent = {client: b"", server: b""}
    received = {client: b"", server: b""}

    for from_client, content, length in turns:
        sender, receiver = (client, server) if from_client else (server, client)
        assert sender.send(content) == len(content)
        sent[sender] += content
        if receiver.pending:
            received[receiver] += receiver.recv(length)

    assert received[server] + server.recv_all() == sent[client]
    assert received[client] + client.recv_all() == sent[server]
