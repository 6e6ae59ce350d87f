"""sock_ops callbacks: which come in which order, what they show, and putting sockets into maps from there.

Order and values are those that Linux 6.1.192 and 7.2.13 gave in a guest, on loopback.
"""

from __future__ import annotations

import errno

import pytest
from skverdict.runtime.helpers import sockets as helpers
from skverdict.runtime.machine.errno import KernelError
from skverdict.runtime.sockets.address import AF_INET6, Endpoint
from skverdict.runtime.sockets.handshake import connect
from skverdict.runtime.sockets.socket import Socket
from skverdict.runtime.sockets.tcp import TcpSocket

from tests.runtime.sockets_kit import LOOPBACK, Lab, Python

CONNECT, RWND, TIMEOUT, ECN, STATE, ACTIVE, PASSIVE = 3, 2, 1, 6, 10, 4, 5


class Watched:
    """A connection whose callbacks are recorded: `rows` holds the fields asked for, of each."""

    def __init__(self, *names: str, act=None) -> None:
        self.lab = Lab()
        self.rows: list[tuple] = []

        def watch(skops) -> int:
            self.rows.append(tuple(skops.field(name) for name in names))
            if act is not None:
                act(skops)
            return 1

        self.lab.kernel.sock_ops.append(Python("sock_ops", watch))

    def connect(self) -> tuple[Socket, Socket]:
        return self.lab.pair()


def test_the_order_of_a_handshake() -> None:
    watched = Watched("op", "is_fullsock", "state")
    watched.connect()
    assert watched.rows == [
        (CONNECT, 1, 2),
        (RWND, 1, 2),
        (TIMEOUT, 1, 2),
        (ECN, 1, 2),
        (RWND, 0, 12),
        (TIMEOUT, 0, 12),
        (ECN, 0, 12),
        (ACTIVE, 1, 1),
        (PASSIVE, 1, 3),
    ]


def test_addresses_and_ports_of_both_ends() -> None:
    names = ("op", "family", "local_ip4", "remote_ip4", "local_port", "remote_port")
    watched = Watched(*names)
    watched.connect()
    rows = {row[0]: row[1:] for row in watched.rows}
    assert rows[ACTIVE] == (2, LOOPBACK, LOOPBACK, 40000, 40001)
    assert rows[PASSIVE] == (2, LOOPBACK, LOOPBACK, 40001, 40000)


def test_ipv4_addresses_are_mapped_in_the_ipv6_fields() -> None:
    words = []
    watched = Watched(act=lambda skops: words.append([skops.field("local_ip6", index) for index in range(4)]))
    watched.connect()
    assert set(map(tuple, words)) == {(0, 0, 0xFFFF, LOOPBACK)}


def test_numbers_of_tcp() -> None:
    watched = Watched("op", "mss_cache", "snd_cwnd", "snd_ssthresh")
    watched.connect()
    assert watched.rows[0] == (CONNECT, 536, 10, 0x7FFFFFFF)
    assert watched.rows[1] == (RWND, 524, 10, 0x7FFFFFFF)
    assert watched.rows[4] == (RWND, 0, 0, 0)
    assert watched.rows[7] == (ACTIVE, 32741, 10, 0x7FFFFFFF)
    assert watched.rows[8] == (PASSIVE, 32768, 10, 0x7FFFFFFF)


def test_state_changes_are_told_to_who_asks() -> None:
    states = []

    def act(skops) -> None:
        if skops.op == CONNECT:
            assert helpers.sock_ops_cb_flags_set(None, skops, 4) == 0
        if skops.op == STATE:
            states.append((skops.field("state"), skops.field("args", 0), skops.field("args", 1)))

    client, server = Watched(act=act).connect()
    client.shutdown()
    server.close()
    assert states == [(2, 2, 1), (1, 1, 4), (4, 4, 5), (5, 5, 7)]


def test_flags_that_the_kernel_does_not_know_come_back() -> None:
    results = []

    def act(skops) -> None:
        try:
            results.append(helpers.sock_ops_cb_flags_set(None, skops, 0x184))
        except KernelError as error:
            results.append(-error.errno)

    Watched(act=act).connect()
    # Among those after the requests are one change of state at each end.
    assert results == [0x180] * 4 + [-errno.EOPNOTSUPP] * 3 + [0x180] * 4


@pytest.mark.parametrize("flags", [0, 1])
def test_sockets_go_into_maps_once_established(flags: int) -> None:
    results = []
    lab = Lab()
    made = lab.sockmap()

    def act(skops) -> int:
        index = int(skops.op == PASSIVE)
        try:
            results.append(helpers.sock_update(None, skops, made, bytes([index, 0, 0, 0]), flags))
        except KernelError as error:
            results.append(-error.errno)
        return 1

    lab.kernel.sock_ops.append(Python("sock_ops", act))
    client, server = lab.pair()
    assert results == [-errno.EOPNOTSUPP] * 7 + [0, 0]
    assert (made.at(0), made.at(1)) == (client.kernel_socket, server.kernel_socket)


@pytest.mark.parametrize(("index", "flags", "number"), [(0, 2, errno.ENOENT), (4, 0, errno.E2BIG)])
def test_refusals_reach_the_program(index: int, flags: int, number: int) -> None:
    lab = Lab()
    made = lab.sockmap()
    results = []

    def act(skops) -> int:
        if skops.op == ACTIVE:
            with pytest.raises(KernelError) as caught:
                helpers.sock_update(None, skops, made, bytes([index, 0, 0, 0]), flags)
            results.append(caught.value.errno)
        return 1

    lab.kernel.sock_ops.append(Python("sock_ops", act))
    lab.pair()
    assert results == [number]


def test_replies_share_their_words_with_arguments() -> None:
    def act(skops) -> None:
        if skops.op == STATE:
            assert skops.field("reply") == skops.field("args", 0)
        skops.set_field("reply", 77)
        assert skops.field("replylong", 0) == skops.field("args", 0) == 77

    Watched(act=act).connect()


def test_the_socket_pointer_is_null_for_a_request_and_otherwise_leads_to_the_socket() -> None:
    def act(skops) -> None:
        structure = skops.structure("sk")
        if skops.full:
            assert structure.field("src_port") == skops.field("local_port")
        else:
            assert structure is None

    Watched(act=act).connect()


def test_ipv6_sockets_have_a_stand_in_for_ipv4_addresses() -> None:
    """127.0.0.6 at both ends, but nothing for the remote end of a socket that connected."""
    lab = Lab()
    rows = {}

    def watch(skops) -> int:
        words = tuple(skops.field("remote_ip6", index) for index in range(4))
        rows[skops.op] = (skops.field("family"), skops.field("local_ip4"), skops.field("remote_ip4"), words)
        return 1

    lab.kernel.sock_ops.append(Python("sock_ops", watch))
    ends = [Endpoint((0, 0, 0, 1), port) for port in (40000, 10000)]
    client = TcpSocket(lab.kernel, "c", AF_INET6, ends[0], ends[1])
    server = TcpSocket(lab.kernel, "s", AF_INET6, ends[1], ends[0])
    connect(client, server)
    assert rows[ACTIVE] == (10, 0x7F000006, 0, (0, 0, 0, 1))
    assert rows[PASSIVE] == (10, 0x7F000006, 0x7F000006, (0, 0, 0, 1))


def test_a_program_sees_what_the_one_before_it_replied() -> None:
    """`args` and `reply` are one place (`struct bpf_sock_ops_kern`, include/linux/filter.h)."""
    lab, seen = Lab(), []

    def first(skops) -> int:
        skops.set_field("reply", 10)
        return 1

    def second(skops) -> int:
        seen.append((skops.field("reply"), skops.field("args", 0), skops.field("args", 1)))
        return 1

    lab.kernel.sock_ops += [Python("sock_ops", first), Python("sock_ops", second)]
    lab.pair()
    assert seen == [(10, 10, 0)] * 9
