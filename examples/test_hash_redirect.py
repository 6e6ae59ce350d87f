"""Bytes through `hash_redirect.py`: each connection leaves through the socket stored under its key."""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skverdict.codegen import build
from skverdict.dsl import load_policy
from skverdict.runtime import Simulator, Socket

POLICY = build(load_policy(Path(__file__).with_name("hash_redirect.py")))


def network_order(port: int) -> int:
    """The number that the simulated machine, a little-endian one, reads in the bytes of `port`: htons."""
    return int.from_bytes(port.to_bytes(2, "big"), "little")


def key_of(socket: Socket) -> dict[str, int]:
    """The SocketKey of what arrives at `socket`."""
    (src_ip, src_port), (dst_ip, dst_port) = (end.split(":") for end in (socket.remote, socket.local))
    return {
        "src_ip": int(IPv4Address(src_ip)),
        "dst_ip": int(IPv4Address(dst_ip)),
        "src_port": network_order(int(src_port)),
        "dst_port": network_order(int(dst_port)),
    }


def simulator() -> Simulator:
    sim = Simulator(POLICY)
    sim.attach("sock_hash_rx", parser="parser", verdict="verdict")
    return sim


def proxy(
    sim: Simulator, client_address: str = "127.0.0.2", client_port: int = 40000
) -> tuple[Socket, Socket]:
    """A client and a backend whose traffic is handed over in between, both ways; the two are returned.

    Each socket in between stands under the key of the other: what arrives at one leaves through the other.
    """
    client, server = sim.tcp_pair(server_port=10000, client_address=client_address, client_port=client_port)
    upstream, backend = sim.tcp_pair()
    sim.maps["sock_hash_rx"][key_of(server)] = upstream
    sim.maps["sock_hash_rx"][key_of(upstream)] = server
    return client, backend


def test_the_key_is_addresses_and_ports_in_network_order() -> None:
    sim = simulator()
    _, server = sim.tcp_pair(
        server_port=10000, server_address="127.0.0.1", client_port=40000, client_address="127.0.0.2"
    )

    sim.maps["sock_hash_rx"][key_of(server)] = server

    (key,) = sim.maps["sock_hash_rx"]
    assert key == {"src_ip": 0x7F000002, "dst_ip": 0x7F000001, "src_port": 0x409C, "dst_port": 0x1027}


def test_a_connection_is_handed_over_both_ways() -> None:
    sim = simulator()
    client, backend = proxy(sim)

    client.send(b"question")
    assert backend.recv() == b"question"
    backend.send(b"answer")
    assert client.recv() == b"answer"

    assert sim.trace.verdicts() == Counter({("parser", "message"): 2, ("verdict", "redirect"): 2})


def test_connections_to_one_port_are_told_apart() -> None:
    sim = simulator()
    connections = [
        proxy(sim, address, port)
        for address, port in (("127.0.0.2", 40000), ("127.0.0.2", 40001), ("127.0.0.3", 40000))
    ]

    for number, (client, _) in enumerate(connections):
        client.send(b"from client %d" % number)

    for number, (_, backend) in enumerate(connections):
        assert backend.recv() == b"from client %d" % number


def test_a_socket_under_its_own_key_echoes() -> None:
    sim = simulator()
    client, server = sim.tcp_pair()
    sim.maps["sock_hash_rx"][key_of(server)] = server

    client.send(b"echo")

    assert client.recv() == b"echo"
    assert server.pending == 0


@pytest.mark.parametrize("part", ["src_ip", "dst_ip", "src_port", "dst_port"])
def test_a_key_that_differs_in_one_part_is_not_found(part: str) -> None:
    sim = simulator()
    client, server = sim.tcp_pair()
    key = key_of(server)
    sim.maps["sock_hash_rx"][{**key, part: key[part] ^ 1}] = server

    client.send(b"dropped")

    assert (client.pending, server.pending) == (0, 0)
    assert sim.trace.verdicts()["verdict", "drop"] == 1


PIECES = st.lists(
    st.tuples(st.booleans(), st.binary(max_size=60), st.lists(st.integers(1, 20), max_size=4)), max_size=6
)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(PIECES)
def test_both_ends_get_what_was_sent_however_it_is_cut(pieces: list[tuple[bool, bytes, list[int]]]) -> None:
    client, backend = proxy(simulator())

    for from_client, content, segments in pieces:
        sender = client if from_client else backend
        assert sender.send(content, segments=segments) == len(content)

    assert backend.recv_all() == b"".join(content for from_client, content, _ in pieces if from_client)
    assert client.recv_all() == b"".join(content for from_client, content, _ in pieces if not from_client)
