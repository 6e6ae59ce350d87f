"""Options that sock_ops programs read and set.

What kernels gave for each option and value is in tests/corpus/scenarios/options.json; here stands what comes of options
beside being read again.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from errno import EINVAL
from typing import Any

import pytest
from skverdict.runtime.machine.errno import KernelError
from skverdict.runtime.sockets import options
from skverdict.runtime.sockets.errors import SimulationError
from skverdict.runtime.sockets.network import Network
from skverdict.runtime.sockets.socket import Socket
from skverdict.runtime.sockets.structures import BpfTcpSock

from tests.runtime.sockets_kit import Lab, Python

CONNECT, ACTIVE, PASSIVE, LISTEN = 3, 4, 5, 11
BPF_IW, CWND_CLAMP = 1001, 1002
INT = options.INT


def number(value: int) -> bytes:
    return value.to_bytes(INT, "little", signed=True)


def connected(op: int, act: Callable[[Any], None], **settings: Any) -> tuple[Lab, Socket, Socket]:
    """A connection to a listener; `act` is called with the socket at callback `op`."""
    lab = Lab(**settings)
    lab.kernel.sock_ops.append(Python("sock_ops", lambda skops: int(skops.op == op and act(skops.socket) is None)))
    client, server = Network(lab.kernel).tcp_pair((None, None), (None, None), "v4", None, ("c", "s"))
    return lab, Socket(client), Socket(server)


def setting(level: int, name: int, value: int) -> Callable[[Any], None]:
    return lambda kernel_socket: options.write(kernel_socket, level, name, number(value), "little")


def test_an_application_sees_what_a_program_set() -> None:
    _, client, server = connected(PASSIVE, setting(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 5))
    keep = (socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert (client.getsockopt(*keep), server.getsockopt(*keep)) == (0, 1)
    _, _, server = connected(PASSIVE, setting(socket.SOL_SOCKET, socket.SO_MARK, 7))
    assert (server.mark, server.getsockopt(socket.SOL_SOCKET, socket.SO_MARK)) == (7, 7)
    with pytest.raises(OSError) as caught:
        server.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER)
    assert caught.value.errno == EINVAL


def test_options_are_tcps() -> None:
    other = Network(Lab().kernel).udp_socket((None, None), "v4", "u")
    with pytest.raises(SimulationError, match="u is not TCP"):
        Socket(other).getsockopt(socket.SOL_SOCKET, socket.SO_MARK)


def test_a_send_buffer_holds_the_sender_up() -> None:
    _, client, _ = connected(ACTIVE, setting(socket.SOL_SOCKET, socket.SO_SNDBUF, 5000), receive_buffer=10_000)
    assert client.send(bytes(50_000)) == 20_000


@pytest.mark.parametrize(("kernel", "most"), [("6.1", 425_984), ("6.12", 425_984), ("7.2", 8_388_608)])
def test_a_buffer_has_no_more_than_the_kernel_allows(kernel: str, most: int) -> None:
    _, client, server = connected(ACTIVE, setting(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 30), kernel=kernel)
    server.set_buffers(1 << 30)
    for each in (client, server):
        assert each.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == most


def test_a_listeners_options_are_those_of_its_connections_but_for_the_priority() -> None:
    def act(kernel_socket: Any) -> None:
        for name, value in ((socket.SO_MARK, 7), (socket.SO_PRIORITY, 5), (socket.SO_RCVBUF, 5000)):
            setting(socket.SOL_SOCKET, name, value)(kernel_socket)
        options.write(kernel_socket, options.SOL_TCP, socket.TCP_CONGESTION, b"reno", "little")

    _, client, server = connected(LISTEN, act)
    kernel_socket = server.kernel_socket
    assert (server.mark, server.priority, kernel_socket.receive_buffer) == (7, 0, 10_000)
    assert kernel_socket.congestion_control == b"reno"  # type: ignore[attr-defined]
    assert client.mark == 0


def test_windows_that_are_set_are_shown() -> None:
    def act(kernel_socket: Any) -> None:
        setting(options.SOL_TCP, BPF_IW, 20)(kernel_socket)
        setting(options.SOL_TCP, CWND_CLAMP, 30)(kernel_socket)

    _, client, server = connected(ACTIVE, act)
    shown = [
        [BpfTcpSock(each.kernel_socket).field(name) for name in ("snd_cwnd", "snd_ssthresh")]
        for each in (client, server)
    ]
    assert shown == [[20, 30], [10, 0x7FFFFFFF]]
    client.send(b"x")
    with pytest.raises(KernelError, match="before anything is sent"):
        setting(options.SOL_TCP, BPF_IW, 20)(client.kernel_socket)


def test_both_ends_reckon_with_the_smaller_segment() -> None:
    _, client, server = connected(CONNECT, setting(options.SOL_TCP, socket.TCP_MAXSEG, 1000))
    sizes = [each.getsockopt(options.SOL_TCP, socket.TCP_MAXSEG) for each in (client, server)]
    assert sizes == [988, 988]


@pytest.mark.parametrize(("wanted", "kept"), [(1, 20 + 40), (2, 14 + 20 + 40)])
def test_a_kept_syn_is_read_as_far_as_it_is_asked_for(wanted: int, kept: int) -> None:
    saved = (options.SOL_TCP, 28)
    found: list[bytes] = []

    def act(kernel_socket: Any) -> None:
        found.extend(options.read(kernel_socket, *saved, length, "little") for length in (4, kept))
        with pytest.raises(KernelError, match=f"{kept} bytes of a SYN are kept, not {kept + 1}"):
            options.read(kernel_socket, *saved, kept + 1, "little")

    lab = Lab()
    acts = {LISTEN: setting(options.SOL_TCP, 27, wanted), PASSIVE: act}
    lab.kernel.sock_ops.append(
        Python("sock_ops", lambda skops: int(acts.get(skops.op, lambda _: None)(skops.socket) is None))
    )
    client, _ = Network(lab.kernel).tcp_pair((None, 40000), (None, 10000), "v4", None, ("c", "s"))
    beginning, whole = found
    assert (len(whole), whole[:4]) == (kept, beginning)
    assert whole[-40:-36] == (40000).to_bytes(2, "big") + (10000).to_bytes(2, "big")
    with pytest.raises(KernelError, match="0 bytes of a SYN are kept"):
        options.read(client, *saved, 4, "little")


def test_a_window_clamp_is_known_once_it_is_set() -> None:
    lab = Lab()
    client, _ = lab.pair()
    clamp = (options.SOL_TCP, socket.TCP_WINDOW_CLAMP)
    with pytest.raises(SimulationError, match="memory"):
        client.getsockopt(*clamp)
    setting(*clamp, 5000)(client.kernel_socket)
    assert client.getsockopt(*clamp) == 5000
    with pytest.raises(KernelError, match="not taken away"):
        setting(*clamp, 0)(client.kernel_socket)
