"""Real sockets of this machine behind the simulator's interface; no BPF is involved."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from skverdict.runtime.kernel.errors import KernelUseError
from skverdict.runtime.kernel.kernel import Kernel

from tests.runtime.kernel_kit import StandIn, lab


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    with lab(StandIn()) as made:
        yield made


def test_a_pair_is_connected(kernel: Kernel) -> None:
    client, server = kernel.tcp_pair(names=("c", "s"))

    assert (client.name, server.name) == ("c", "s")
    assert client.peer is server
    assert client.local == server.remote
    assert client.remote_port == server.local_port
    assert client.state == server.state == "ESTABLISHED"
    assert client.cookie != server.cookie
    assert client.python.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_given_ends(kernel: Kernel) -> None:
    client, server = kernel.tcp_pair(client_address="127.0.0.2", server_address="127.0.0.3")

    assert client.local.startswith("127.0.0.2:")
    assert server.local.startswith("127.0.0.3:")


def test_bytes_go_through(kernel: Kernel) -> None:
    client, server = kernel.tcp_pair()

    assert client.send(b"hello") == 5
    assert server.pending == 5
    assert server.peek(2) == b"he"
    assert server.recv() == b"hello"
    with pytest.raises(BlockingIOError):
        server.recv()
    client.shutdown()
    assert server.recv() == b""


def test_pieces_arrive_as_one_stream(kernel: Kernel) -> None:
    client, server = kernel.tcp_pair()

    assert client.send(b"abcdefgh", segments=[1, 3], mss=2) == 8
    assert client.sendmsg([b"ij", b"kl"]) == 4
    assert server.recv_all() == b"abcdefghijkl"
    with pytest.raises(KernelUseError):
        client.send(b"x", segments=[0])


def test_closing_twice_is_closing_once(kernel: Kernel) -> None:
    client, server = kernel.tcp_pair()
    client.close()
    client.close()

    assert not client.connected
    assert server.recv() == b""


def test_a_listener_and_a_lone_socket(kernel: Kernel) -> None:
    listener, lone = kernel.tcp_listener(), kernel.tcp_socket()

    assert listener.state == "LISTEN"
    assert lone.state == "CLOSE"
    with pytest.raises(OSError, match="no peer"):
        _ = lone.peer


def test_the_peers_reset_is_the_sockets_error(kernel: Kernel) -> None:
    client, server = kernel.tcp_pair()
    client.send(b"unread")
    server.close()

    with pytest.raises(ConnectionResetError):
        client.recv()
    assert client.error == 0


def test_a_family_that_is_none(kernel: Kernel) -> None:
    with pytest.raises(KernelUseError, match="neither v4 nor v6"):
        kernel.tcp_pair(family="v5")


def test_the_state_of_other_kinds(kernel: Kernel) -> None:
    one, _ = kernel.unix_pair("dgram")
    bound = kernel.udp_socket()

    assert (one.state, bound.state) == ("ESTABLISHED", "CLOSE")
