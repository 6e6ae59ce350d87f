"""UDP and unix sockets: what Linux 6.1.192, 6.12.117 and 7.2.13 did, in a virtual machine.

Where a test does not name a kernel, all three did the same.
"""

from __future__ import annotations

from errno import EAGAIN, EBUSY, ECONNREFUSED, ECONNRESET, EFAULT, EMSGSIZE, ENOTCONN, EOPNOTSUPP, EPIPE
from typing import Any

import pytest
from skverdict.runtime.simulator import Simulator
from skverdict.runtime.sockets.network import Network
from skverdict.runtime.sockets.socket import Socket

from tests.corpus.scenario_file import LABS
from tests.runtime.sockets_kit import Lab, verdict

LAB = (LABS / "lab.o").read_bytes()

#: Slots of `config`, and what they choose (tests/corpus/lab/lab.c).
VERDICT, FLAGS, SK_MSG = 1, 2, 4
DROP, REDIRECT = 1, 2
INGRESS = 1

KINDS = ("udp", "stream", "dgram")


def simulator(kernel: str = "7.2", hazards: str = "kernel", **settings: int) -> Simulator:
    made = Simulator(LAB, kernel=kernel, hazards=hazards)
    for slot, value in settings.items():
        made.maps["config"][int(slot[1:])] = value
    return made


def pair(sim: Simulator, kind: str, *names: str) -> tuple[Socket, Socket]:
    return sim.udp_pair(names=names) if kind == "udp" else sim.unix_pair(kind, names=names)


def watched(kind: str, kernel: str = "7.2", hazards: str = "kernel", **settings: int) -> Any:
    """A simulator, a sender `c`, and `s` that receives from it and stands in a map with a verdict."""
    sim = simulator(kernel, hazards, **settings)
    sim.attach("watched", verdict="verdict")
    c, s = pair(sim, kind, "c", "s")
    sim.maps["watched"][0] = s
    return sim, c, s


def errno_of(call: Any, *arguments: Any) -> int:
    with pytest.raises(OSError) as caught:
        call(*arguments)
    assert caught.value.errno is not None
    return caught.value.errno


def runs(sim: Simulator) -> list[tuple[int, int]]:
    """Length and linear bytes of what the verdict saw, run by run."""
    seen = []
    while (run := sim.maps["runs"].pop()) is not None:
        seen.append((run["length"], run["linear"]))
    return seen


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_verdict_passes_is_a_stream_without_a_sender(kind: str) -> None:
    sim, c, s = watched(kind)
    c.send(b"hello")
    c.send(b"world")
    assert s.recv(2) == b"he"
    assert s.recvfrom(100) == (b"lloworld", None)
    assert runs(sim) == [(5, 5), (5, 5)]


def test_datagrams_keep_their_borders_and_sender_without_a_verdict() -> None:
    sim = simulator()
    c, s = sim.udp_pair()
    c.send(b"hello")
    c.send(b"world")
    assert s.recvfrom(3) == (b"hel", c.local)
    assert s.recv(100) == b"world"


@pytest.mark.parametrize(
    ("kind", "length", "expected"),
    [
        ("udp", 16004, [(16004, 16004)]),
        ("udp", 16005, [(16005, 0)]),
        ("stream", 3776, [(3776, 3776)]),
        ("stream", 3777, [(3777, 0)]),
        ("stream", 60000, [(36544, 3776), (23456, 2976)]),
        ("dgram", 16064, [(16064, 16064)]),
        ("dgram", 60000, [(60000, 14944)]),
    ],
)
def test_long_messages_are_not_all_linear(kind: str, length: int, expected: list[tuple[int, int]]) -> None:
    sim, c, _ = watched(kind)
    assert c.send(bytes(length)) == length
    assert runs(sim) == expected


@pytest.mark.parametrize(("kind", "most"), [("udp", 65507), ("dgram", 212960)])
def test_datagrams_have_a_greatest_length(kind: str, most: int) -> None:
    c, _ = pair(simulator(), kind, "c", "s")
    assert errno_of(c.send, bytes(most + 1)) == EMSGSIZE
    assert c.send(bytes(most)) == most


@pytest.mark.parametrize("kind", KINDS)
def test_who_may_be_put_in(kind: str) -> None:
    sim = simulator()
    sim.maps["watched"][0] = pair(sim, kind, "c", "s")[1]
    assert 0 in sim.maps["watched"]


def test_who_may_not_be_put_in() -> None:
    sim = simulator()
    refused = [
        sim.udp_socket(bound=False),
        sim.unix_socket("stream"),
        sim.unix_pair("seqpacket")[0],
    ]
    for socket in refused:
        assert errno_of(sim.maps["watched"].update, 0, socket) == EOPNOTSUPP
    sim.maps["watched"][0] = sim.udp_socket()
    sim.maps["watched"][1] = sim.unix_socket("dgram")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("kernel", "taken"), [("6.1", True), ("6.12", False), ("7.2", False)])
def test_a_parser_is_for_tcp(kind: str, kernel: str, taken: bool) -> None:
    sim = simulator(kernel)
    sim.attach("watched", parser="parser", verdict="verdict")
    c, s = pair(sim, kind, "c", "s")
    if taken:
        sim.maps["watched"][0] = s
    else:
        assert errno_of(sim.maps["watched"].update, 0, s) == EOPNOTSUPP
    c.send(b"back")
    assert s.recv() == b"back"
    assert runs(sim) == []


@pytest.mark.parametrize("kind", KINDS)
def test_one_message_is_judged_for_each_that_arrives(kind: str) -> None:
    sim = simulator()
    sim.attach("watched", verdict="verdict")
    c, s = pair(sim, kind, "c", "s")
    c.send(b"one")
    c.send(b"two")
    sim.maps["watched"][0] = s
    c.send(b"three")
    assert runs(sim) == [(3, 3)]
    assert s.recv() == b"one"
    assert s.recv_all() == b"twothree"


@pytest.mark.parametrize("kind", ["udp", "dgram"])
def test_an_empty_datagram_that_passes_stops_the_reader(kind: str) -> None:
    sim, c, s = watched(kind)
    c.send(b"")
    c.send(b"abc")
    assert [errno_of(s.recv), errno_of(s.recv)] == [EFAULT, EFAULT]
    assert "HAZARD s: an empty datagram" in str(sim.trace)
    sim, c, s = watched(kind, hazards="ideal")
    c.send(b"")
    c.send(b"abc")
    assert s.recv() == b"abc"


@pytest.mark.parametrize("source", [*KINDS, "tcp"])
@pytest.mark.parametrize("target", KINDS)
def test_redirects_between_kinds(source: str, target: str) -> None:
    sim = simulator(_1=REDIRECT)
    sim.attach("watched", verdict="verdict")
    c, s = sim.tcp_pair(names=("c", "s")) if source == "tcp" else pair(sim, source, "c", "s")
    u, b = pair(sim, target, "u", "b")
    sim.maps["watched"][0], sim.maps["targets"][0] = s, u
    c.send(b"hello")
    c.send(b"world")
    assert b.recv_all() == b"helloworld"
    sim.maps["config"][FLAGS] = INGRESS
    c.send(b"more")
    assert (u.recv(), errno_of(b.recv)) == (b"more", EAGAIN)


@pytest.mark.parametrize("make", ["udp", "dgram"])
def test_unconnected_sockets_take_no_redirects(make: str) -> None:
    sim, c, _ = watched("udp", _1=REDIRECT, _2=INGRESS)
    u = sim.udp_socket(name="u") if make == "udp" else sim.unix_socket("dgram", name="u")
    sim.maps["targets"][0] = u
    c.send(b"x")
    assert errno_of(u.recv) == EAGAIN
    assert [run.verdict for run in sim.trace.runs()] == ["drop"]


@pytest.mark.parametrize("kind", KINDS)
def test_messages_are_redirected_to_readers_only(kind: str) -> None:
    sim = simulator(_4=REDIRECT)
    sim.attach("watched", msg_verdict="msg_verdict")
    s, _ = sim.tcp_pair()
    u, b = pair(sim, kind, "u", "b")
    sim.maps["watched"][0], sim.maps["targets"][0] = s, u
    sim.maps["config"][FLAGS] = INGRESS
    assert s.send(b"hello") == 5
    assert (u.recv(), errno_of(b.recv)) == (b"hello", EAGAIN)
    sim.maps["config"][FLAGS] = 0
    assert errno_of(s.send, b"hello") == 13


@pytest.mark.parametrize("kind", KINDS)
def test_a_msg_verdict_is_not_asked(kind: str) -> None:
    sim = simulator(_4=DROP)
    sim.attach("watched", msg_verdict="msg_verdict")
    s, c = pair(sim, kind, "s", "c")
    sim.maps["watched"][0] = s
    s.send(b"hello")
    assert c.recv() == b"hello"


@pytest.mark.parametrize("kind", KINDS)
def test_one_verdict_for_a_socket(kind: str) -> None:
    sim, _, s = watched(kind)
    sim.attach("targets", verdict="verdict")
    assert errno_of(sim.maps["targets"].update, 0, s) == EBUSY


def test_closed_peers() -> None:
    sim = simulator()
    c, s = sim.udp_pair()
    s.close()
    assert (c.send(b"x"), errno_of(c.send, b"y")) == (1, ECONNREFUSED)
    c, s = sim.unix_pair("dgram")
    s.close()
    assert [errno_of(c.send, b"x"), errno_of(c.send, b"y")] == [ECONNREFUSED, ENOTCONN]
    c, s = sim.unix_pair()
    s.close()
    assert (errno_of(c.send, b"x"), c.recv()) == (EPIPE, b"")


def test_a_stream_that_closes_with_unread_bytes_resets() -> None:
    _, c, s = watched("stream")
    s.send(b"unread")
    c.send(b"one")
    c.close()
    assert s.recv(2) + s.recv() == b"one"
    assert errno_of(s.recv) == ECONNRESET
    assert s.recv() == b""


@pytest.mark.parametrize("how", [0, 1, 2])
def test_a_shutdown_takes_the_other_end_of_a_stream_out_of_its_maps(how: int) -> None:
    sim, c, s = watched("stream")
    c.send(b"one")
    c.shutdown(how)
    assert 0 not in sim.maps["watched"]
    assert "takes a unix stream socket out of its maps" in str(sim.trace)
    if how:
        assert s.recv() == b""
    else:
        assert errno_of(s.recv) == EAGAIN


@pytest.mark.parametrize("kind", ["udp", "dgram"])
def test_a_shutdown_leaves_datagram_sockets_in_their_maps(kind: str) -> None:
    sim, c, s = watched(kind)
    c.send(b"one")
    c.shutdown(1)
    assert 0 in sim.maps["watched"]
    assert s.recv() == b"one"


def test_partly_read_bytes_of_a_stream_come_again() -> None:
    for hazards, expected in (("kernel", b"abcdefghi"), ("ideal", b"cdefghi")):
        sim = simulator(hazards=hazards)
        sim.attach("watched", verdict="verdict")
        c, s = sim.unix_pair()
        c.send(b"abcdef")
        assert s.recv(2) == b"ab"
        sim.maps["watched"][0] = s
        c.send(b"ghi")
        assert s.recv_all() == expected
        assert ("were read go to the verdict again" in str(sim.trace)) == (hazards == "kernel")


@pytest.mark.parametrize("kernel", ["6.1", "6.12", "7.2"])
def test_pending_bytes(kernel: str) -> None:
    _, c, s = watched("udp", kernel)
    c.send(b"hello")
    c.send(b"!world")
    assert s.pending == (0 if kernel == "6.1" else 5)
    s.recv(2)
    assert s.pending == (0 if kernel == "6.1" else 3)
    _, c, s = watched("stream", kernel)
    c.send(b"hello")
    assert s.pending == 0


@pytest.mark.parametrize(("kernel", "held"), [("6.1", 93), ("6.12", 93), ("7.2", 92)])
def test_a_udp_socket_drops_what_it_cannot_hold(kernel: str, held: int) -> None:
    """Linux 7.2 looks at what a datagram costs before it takes it, others afterwards."""
    sim, c, s = watched("udp", kernel)
    for _ in range(200):
        assert c.send(bytes(1000)) == 1000
    assert len(s.recv_all()) == 1000 * held
    assert "its receive buffer is full" in str(sim.trace)


def sent(socket: Socket, size: int) -> int:
    """How many messages of that size can be sent, up to 500."""
    count = 0
    while count < 500:
        try:
            socket.send(bytes(size))
        except BlockingIOError:
            return count
        count += 1
    return count


#: By size: messages over a unix stream and unix datagrams that can be sent, and UDP datagrams that are kept, by kernel.
HELD = {
    1: (278, 278, (278, 222, 221)),
    300: (167, 167, (167, 222, 221)),
    400: (167, 167, (167, 167, 166)),
    3776: (49, 49, (26, 26, 25)),
    3777: (44, 26, (26, 26, 25)),
    5000: (34, 26, (26, 26, 25)),
    8192: (24, 13, (13, 13, 12)),
    20000: (11, 11, (11, 11, 10)),
}


@pytest.mark.parametrize("kernel", ["6.1", "6.12", "7.2"])
@pytest.mark.parametrize("size", HELD)
def test_how_many_messages_wait_for_a_reader(size: int, kernel: str) -> None:
    """Small UDP datagrams cost less or more since Linux 6.3; those of unix sockets cost what they did."""
    stream, datagrams, udp = HELD[size]
    assert sent(pair(simulator(kernel), "stream", "c", "s")[0], size) == stream
    assert sent(pair(simulator(kernel), "dgram", "c", "s")[0], size) == datagrams
    c, s = pair(simulator(kernel), "udp", "c", "s")
    assert sent(c, size) == 500
    assert len(s.recv_all()) == size * udp[("6.1", "6.12", "7.2").index(kernel)]


@pytest.mark.parametrize("kind", ["stream", "dgram"])
def test_who_sends_over_a_unix_socket_pays_until_a_verdict_passes(kind: str) -> None:
    c, _ = pair(simulator(), kind, "c", "s")
    assert sent(c, 1000) == 93
    _, c, _ = watched(kind)
    assert sent(c, 1000) == 500
    # What waits for a full reader is still the sender's.
    sim, c, _ = watched(kind, _1=REDIRECT, _2=INGRESS)
    u, _ = sim.tcp_pair()
    sim.maps["targets"][0] = u
    assert sent(c, 1000) == 150
    assert len(u.recv_all()) == 150_000


def test_addresses_that_programs_read_are_the_senders_for_unix_sockets() -> None:
    seen: list[Any] = []

    def look(skb: Any) -> int:
        seen.append((skb.socket.name, skb.field("family"), skb.field("local_port"), skb.field("protocol")))
        return 1

    lab = Lab()
    network = Network(lab.kernel)
    c, s = (network.unix_socket("stream", name) for name in "cs")
    c.connect(s)
    s.connect(c)
    lab.put(lab.sockmap(verdict(look)), 0, Socket(s))
    Socket(c).send(b"x")
    assert seen == [("c", 1, 0, 0)]
