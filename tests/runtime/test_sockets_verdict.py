"""Verdicts on what arrives: pass, drop, and redirection to egress and ingress.

What is said of Linux was seen on 6.1.192 and 7.2.13 in a guest.
"""

from __future__ import annotations

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st
from skverdict.runtime.helpers import sockets as helpers
from skverdict.runtime.machine.errno import KernelError
from skverdict.runtime.sockets.socket import Socket

from tests.runtime.sockets_kit import (
    INGRESS,
    SK_DROP,
    SK_PASS,
    Lab,
    Python,
    msg_verdict,
    redirect,
    verdict,
    watching,
)


@verdict
def passing(skb):
    return SK_PASS


@verdict
def dropping(skb):
    return SK_DROP


def read_error(socket: Socket) -> int:
    with pytest.raises(OSError) as caught:
        socket.recv(10)
    return caught.value.errno


class Redirecting:
    """A server whose bytes are redirected to `near`, whose other end is `far`."""

    def __init__(self, flags: int = 0, returns: int | None = None, **settings) -> None:
        self.lab = Lab(**settings)
        self.targets = self.lab.sockmap(name="targets")

        @verdict
        def away(skb):
            result = redirect(skb, self.targets, 0, flags)
            return result if returns is None else returns

        self.watched = self.lab.sockmap(away, name="watched")
        self.client, self.server = self.lab.pair("front")
        self.near, self.far = self.lab.pair("back")
        self.lab.put(self.watched, 0, self.server)

    def aim(self) -> None:
        self.lab.put(self.targets, 0, self.near)


def test_pass_leaves_the_bytes_to_the_socket() -> None:
    lab = Lab()
    client, server = lab.pair()
    lab.put(lab.sockmap(passing), 0, server)
    client.send(b"hello")
    assert server.pending == 5
    assert server.peek(2) == b"he"
    assert server.recv(3) == b"hel"
    client.send(b" you")
    assert server.recv(100) == b"lo you"
    client.shutdown()
    assert server.recv(1) == b""


def test_drop_takes_them_and_the_stream_goes_on() -> None:
    lab = Lab()
    client, server = lab.pair()
    lab.put(lab.sockmap(dropping), 0, server)
    client.send(b"hello")
    assert read_error(server) == errno.EAGAIN
    assert server.send(b"reply") == 5
    assert client.recv(10) == b"reply"
    client.shutdown()
    assert server.recv(1) == b""


@pytest.mark.parametrize("result", [-1, 2, 3, 100])
def test_every_other_result_drops(result: int) -> None:
    lab = Lab()
    client, server = lab.pair()
    lab.put(lab.sockmap(Python("skb_verdict", lambda skb: result)), 0, server)
    client.send(b"x")
    assert read_error(server) == errno.EAGAIN


def test_redirect_to_egress_sends_out_of_the_target() -> None:
    bench = Redirecting()
    bench.aim()
    bench.client.send(b"request")
    assert bench.far.recv(100) == b"request"
    assert read_error(bench.near) == errno.EAGAIN
    assert read_error(bench.server) == errno.EAGAIN


def test_redirect_to_ingress_is_read_at_the_target() -> None:
    bench = Redirecting(INGRESS)
    bench.aim()
    bench.client.send(b"request")
    assert bench.near.pending == 7
    assert bench.near.recv(100) == b"request"
    assert read_error(bench.far) == errno.EAGAIN


def test_linux_6_1_does_not_count_redirected_bytes() -> None:
    bench = Redirecting(INGRESS, kernel="6.1")
    bench.aim()
    bench.client.send(b"request")
    assert bench.near.pending == 0
    assert bench.near.recv(100) == b"request"


@pytest.mark.parametrize("flags", [2, 3, 1 << 40])
def test_redirect_with_unknown_flags_drops(flags: int) -> None:
    bench = Redirecting(flags)
    bench.aim()
    bench.client.send(b"x")
    assert read_error(bench.far) == errno.EAGAIN


def test_redirect_to_nobody_drops() -> None:
    bench = Redirecting()
    bench.client.send(b"x")
    assert read_error(bench.server) == errno.EAGAIN
    bench.aim()
    bench.client.send(b"y")
    assert bench.far.recv(10) == b"y"


def test_redirect_counts_only_with_pass() -> None:
    bench = Redirecting(returns=SK_DROP)
    bench.aim()
    bench.client.send(b"x")
    assert read_error(bench.far) == errno.EAGAIN


def test_a_failed_redirect_leaves_an_earlier_one_in_force() -> None:
    lab = Lab()
    targets = lab.sockmap(name="targets")

    @verdict
    def twice(skb):
        assert redirect(skb, targets, 0) == SK_PASS
        assert redirect(skb, targets, 3) == SK_DROP
        return SK_PASS

    client, server = lab.pair("front")
    near, far = lab.pair("back")
    lab.put(targets, 0, near)
    lab.put(lab.sockmap(twice), 0, server)
    client.send(b"x")
    assert far.recv(10) == b"x"


def test_redirect_to_oneself() -> None:
    for flags, reads in ((0, "client"), (INGRESS, "server")):
        lab = Lab()
        watched = lab.sockmap(name="watched")

        @verdict
        def back(skb, flags=flags, watched=watched):
            return redirect(skb, watched, 0, flags)

        watched.programs.stream_verdict = back
        client, server = lab.pair()
        lab.put(watched, 0, server)
        client.send(b"echo")
        assert {"client": client, "server": server}[reads].recv(10) == b"echo"


def test_chained_redirects() -> None:
    lab = Lab()
    hops = lab.sockmap(name="hops")

    @verdict
    def onward(skb):
        return redirect(skb, hops, skb.socket.local.port - 50000)

    watched = lab.sockmap(onward, name="watched")
    first, server = lab.pair("a")
    second, middle = lab.pair("b")
    third, last = lab.pair("c")
    server.kernel_socket.local = server.kernel_socket.local._replace(port=50001)
    middle.kernel_socket.local = middle.kernel_socket.local._replace(port=50002)
    lab.put(watched, 0, server)
    lab.put(watched, 1, middle)
    lab.put(hops, 1, second)
    lab.put(hops, 2, third)
    first.send(b"along")
    assert last.recv(10) == b"along"


def test_the_targets_own_verdict_is_not_asked_about_ingress() -> None:
    lab = Lab()
    targets = lab.sockmap(dropping, name="targets")
    client, server = lab.pair("front")
    near, far = lab.pair("back")
    lab.put(targets, 0, near)
    lab.put(lab.sockmap(verdict(lambda skb: redirect(skb, targets, 0, INGRESS))), 0, server)
    client.send(b"x")
    far.send(b"dropped")
    assert near.recv(10) == b"x"


@pytest.mark.parametrize(("kernel", "readable"), [("6.1", 0), ("6.12", 5), ("7.2", 5)])
def test_the_targets_msg_verdict_is_asked_about_egress(kernel: str, readable: int) -> None:
    lab = Lab(kernel=kernel)
    seen = []

    @msg_verdict
    def judge(msg):
        seen.append((msg.field("size"), len(msg.packet())))
        return SK_PASS

    targets = lab.sockmap(judge, name="targets")
    client, server = lab.pair("front")
    near, far = lab.pair("back")
    lab.put(targets, 0, near)
    lab.put(lab.sockmap(verdict(lambda skb: redirect(skb, targets, 0))), 0, server)
    client.send(b"hello")
    assert far.recv(10) == b"hello"
    assert seen == [(5, readable)]


def test_verdict_runs_once_for_each_buffer_and_at_the_end() -> None:
    lab = Lab()
    lengths: list[int] = []
    client, server = lab.pair()
    lab.put(lab.sockmap(watching(lengths)), 0, server)
    client.send(b"abcdefgh", segments=[3, 1])
    client.shutdown()
    assert lengths == [3, 1, 4, 0]
    assert server.recv(100) == b"abcdefgh"
    assert server.recv(100) == b""


def test_buffers_that_wait_merge() -> None:
    lab = Lab()
    lengths: list[int] = []
    client, server = lab.pair()
    client.send(b"early")
    client.send(b"bird")
    lab.put(lab.sockmap(watching(lengths)), 0, server)
    assert lengths == []
    client.send(b"!")
    assert lengths == [10]
    assert server.recv(100) == b"earlybird!"


def test_bytes_read_before_the_socket_is_watched_come_again() -> None:
    """Linux shows the verdict the whole buffer, and passes all of it."""
    lab = Lab()
    client, server = lab.pair()
    client.send(b"abcdef")
    assert server.recv(2) == b"ab"
    lab.put(lab.sockmap(passing), 0, server)
    client.send(b"gh")
    assert server.recv(100) == b"abcdefgh"


@pytest.mark.parametrize(("hazards", "unread"), [("kernel", 6), ("ideal", 0)])
def test_bytes_that_are_dropped_while_their_reader_asks_stay_unread(hazards: str, unread: int) -> None:
    """`tcp_bpf_recvmsg_parser` writes back the position that it found before it had the verdict run (net/ipv4/tcp_bpf.c
    in Linux 6.1 to 7.2; seen on 6.1, whose FIONREAD goes by that position)."""
    lab = Lab(kernel="6.1", hazards=hazards)
    client, server = lab.pair()
    client.send(b"abcdef")
    lab.put(lab.sockmap(dropping), 0, server)
    assert server.pending == 6
    assert read_error(server) == errno.EAGAIN
    assert server.pending == unread


@pytest.mark.parametrize("flags", [0, INGRESS])
def test_a_redirected_end_of_stream_breaks_the_target_for_good(flags: int) -> None:
    """Linux: EPIPE on the target, and no redirect to it works again; with ingress its reads fail, too."""
    bench = Redirecting(flags)
    bench.aim()
    other, watched = bench.lab.pair("other")
    bench.lab.put(bench.watched, 1, watched)
    bench.client.shutdown()
    other.send(b"lost")
    if flags:
        assert read_error(bench.near) == errno.EFAULT
        assert bench.near.error == errno.EPIPE
        bench.far.send(b"hidden behind it")
        assert read_error(bench.near) == errno.EFAULT
    else:
        assert bench.near.error == errno.EPIPE
        assert read_error(bench.far) == errno.EAGAIN
        assert bench.near.send(b"own") == 3
        assert bench.far.recv(10) == b"own"


def test_redirect_out_of_a_shut_down_socket() -> None:
    bench = Redirecting()
    bench.aim()
    bench.near.shutdown()
    bench.client.send(b"one")
    assert bench.near.error == errno.EPIPE
    bench.client.send(b"two")
    assert bench.near.error == 0
    assert bench.far.recv(10) == b""
    bench.far.send(b"hey")
    assert bench.near.recv(10) == b"hey"


def test_redirect_to_one_whose_peer_has_closed() -> None:
    bench = Redirecting()
    bench.aim()
    bench.far.close()
    bench.client.send(b"one")
    assert bench.near.error == errno.EPIPE
    bench.client.send(b"two")
    assert bench.near.error == errno.EPIPE
    assert bench.near.recv(10) == b""


def test_a_closed_target_has_left_the_map() -> None:
    bench = Redirecting()
    bench.aim()
    bench.near.close()
    bench.client.send(b"x")
    assert read_error(bench.server) == errno.EAGAIN


def test_linear_bytes_are_a_setting() -> None:
    seen = []

    @verdict
    def look(skb):
        seen.append(bytes(skb.packet()))
        return SK_PASS

    for linear in (0, 3, 100):
        lab = Lab(linear=linear)
        client, server = lab.pair()
        lab.put(lab.sockmap(look), 0, server)
        client.send(b"hello")
    assert seen == [b"", b"hel", b"hello"]


def test_pulled_bytes_can_be_read_and_changed() -> None:
    @verdict
    def shout(skb):
        assert helpers.skb_pull_data(None, skb, 2) == 0
        skb.packet()[:2] = b"HE"
        return SK_PASS

    lab = Lab()
    client, server = lab.pair()
    lab.put(lab.sockmap(shout), 0, server)
    client.send(b"hello")
    assert server.recv(10) == b"HEllo"


def test_pull_beyond_the_end_is_enomem_and_zero_pulls_nothing() -> None:
    """Linux, all three kernels."""
    results = []

    @verdict
    def pull(skb):
        for length in (6, 0):
            try:
                results.append(helpers.skb_pull_data(None, skb, length))
            except KernelError as error:
                results.append(-error.errno)
            results.append(len(skb.packet()))
        return SK_PASS

    lab = Lab()
    client, server = lab.pair()
    lab.put(lab.sockmap(pull), 0, server)
    client.send(b"hello")
    assert results == [-errno.ENOMEM, 0, 0, 0]


def test_store_bytes_makes_linear_up_to_them() -> None:
    @verdict
    def patch(skb):
        assert helpers.skb_store_bytes(None, skb, 2, b"LL", 0) == 0
        assert len(skb.packet()) == 4
        with pytest.raises(KernelError) as caught:
            helpers.skb_store_bytes(None, skb, 4, b"!!", 0)
        assert caught.value.errno == errno.EFAULT
        with pytest.raises(KernelError) as caught:
            helpers.skb_store_bytes(None, skb, 0, b"!", 4)
        assert caught.value.errno == errno.EINVAL
        return SK_PASS

    lab = Lab()
    client, server = lab.pair()
    lab.put(lab.sockmap(patch), 0, server)
    client.send(b"hello")
    assert server.recv(10) == b"heLLo"


def test_a_fault_reaches_the_sender_and_stands_in_the_trace() -> None:
    @verdict
    def bad(skb):
        raise ZeroDivisionError("what the program did")

    lab = Lab()
    client, server = lab.pair()
    lab.put(lab.sockmap(bad), 0, server)
    with pytest.raises(ZeroDivisionError):
        client.send(b"x")
    fault, lost = lab.kernel.trace[-2:]
    assert str(fault) == "FAULT bad on s: what the program did"
    assert str(lost) == "lost s: 1 bytes b'x' (the program faulted)"


segmentations = st.lists(st.integers(1, 30), max_size=10)


@given(st.lists(st.binary(min_size=1, max_size=60), max_size=6), segmentations)
def test_passing_delivers_every_byte_in_order(parts: list[bytes], sizes: list[int]) -> None:
    lab = Lab()
    client, server = lab.pair()
    lab.put(lab.sockmap(passing), 0, server)
    for part in parts:
        client.send(part, segments=sizes, mss=9)
    client.shutdown()
    assert server.recv_all() == b"".join(parts)
    assert server.recv(1) == b""


@given(
    st.lists(st.tuples(st.binary(min_size=1, max_size=40), segmentations), max_size=6),
    st.integers(0, 2**32),
)
def test_redirection_conserves_bytes(parts: list[tuple[bytes, list[int]]], choice: int) -> None:
    """Whatever a program decides about each buffer, every byte ends up at exactly one place, in order."""
    lab = Lab()
    targets = lab.sockmap(name="targets")
    fates: dict[str, bytearray] = {name: bytearray() for name in ("pass", "drop", "egress", "ingress")}
    count = 0

    @verdict
    def scatter(skb):
        nonlocal count
        fate = list(fates)[choice // 4**count % 4]
        count += 1
        fates[fate] += bytes(skb.buffer.content)
        if fate in ("egress", "ingress"):
            return redirect(skb, targets, 0, INGRESS if fate == "ingress" else 0)
        return SK_PASS if fate == "pass" else SK_DROP

    client, server = lab.pair("front")
    near, far = lab.pair("back")
    lab.put(targets, 0, near)
    lab.put(lab.sockmap(scatter), 0, server)
    for content, sizes in parts:
        client.send(content, segments=sizes, mss=11)
    assert server.recv_all() == fates["pass"]
    assert far.recv_all() == fates["egress"]
    assert near.recv_all() == fates["ingress"]
    assert sum(map(len, fates.values())) == sum(len(content) for content, _ in parts)
