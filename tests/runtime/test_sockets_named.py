"""Whatever the kernel does otherwise than documented is named: where reads differ from the ideal kernel's, the
trace has a hazard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skverdict.runtime.maps.sockmap import SockMap
from skverdict.runtime.sockets.errors import HazardError
from skverdict.runtime.sockets.network import Network
from skverdict.runtime.sockets.socket import Socket

from tests.runtime.sockets_kit import (
    INGRESS,
    SK_DROP,
    SK_PASS,
    Lab,
    Python,
    msg_verdict,
    parser,
    redirect,
    verdict,
)

FOURS = 4


def whole(skb: Any) -> int:
    length: int = skb.field("len")
    return length


def fours(skb: Any) -> int:
    return FOURS


def passing(skb: Any) -> int:
    return SK_PASS


def by_length(context: Any) -> int:
    """Drops every message of an odd length."""
    size: int = context.field("size" if context.table == "sk_msg_md" else "len")
    return SK_DROP if size % 2 else SK_PASS


def applying(msg: Any) -> int:
    msg.message.apply_bytes = FOURS
    return by_length(msg)


def corking(msg: Any) -> int:
    msg.message.cork_bytes = FOURS
    return SK_PASS


def redirecting(targets: SockMap, flags: int) -> Callable[[Any], int]:
    """Redirects every message of an odd length, and passes the others."""

    def choose(context: Any) -> int:
        size: int = context.field("size" if context.table == "sk_msg_md" else "len")
        return redirect(context, targets, 0, flags) if size % 2 else SK_PASS

    return choose


#: The programs of the map that the watched socket is in; they may redirect to the first socket of another map.
Make = Callable[[SockMap], tuple[Python, ...]]

VERDICTS: dict[str, Make] = {
    "a passing verdict": lambda _: (verdict(passing),),
    "a dropping verdict": lambda _: (verdict(by_length),),
    "a verdict that redirects to egress": lambda targets: (verdict(redirecting(targets, 0)),),
    "a verdict that redirects to ingress": lambda targets: (verdict(redirecting(targets, INGRESS)),),
}
#: On TCP alone.
STREAMS: dict[str, Make] = {
    "a parser of whole buffers": lambda _: (parser(whole), verdict(passing)),
    "a parser of pieces": lambda _: (parser(fours), verdict(passing)),
    "a parser and a dropping verdict": lambda _: (parser(fours), verdict(by_length)),
    "a parser and redirects to egress": lambda targets: (parser(whole), verdict(redirecting(targets, 0))),
    "a parser and redirects to ingress": lambda targets: (parser(whole), verdict(redirecting(targets, INGRESS))),
    "messages passed": lambda _: (msg_verdict(passing),),
    "messages dropped": lambda _: (msg_verdict(by_length),),
    "messages applied": lambda _: (msg_verdict(applying),),
    "messages corked": lambda _: (msg_verdict(corking),),
    "messages redirected to egress": lambda targets: (msg_verdict(redirecting(targets, 0)),),
    "messages redirected to ingress": lambda targets: (msg_verdict(redirecting(targets, INGRESS)),),
}
KINDS = ("tcp", "udp", "stream", "dgram")
#: Program, kind of the watched socket's connection, and kind of the target's.
CASES: dict[str, tuple[Make, str, str]] = {
    **{f"{name} on tcp": (make, "tcp", "tcp") for name, make in (VERDICTS | STREAMS).items()},
    **{
        f"{name}, {kind} to {other}": (make, kind, other)
        for name, make in VERDICTS.items()
        for kind in KINDS
        for other in (KINDS if "redirects" in name else ("tcp",))
        if (kind, other) != ("tcp", "tcp")
    },
}

#: What applications do: send so many bytes, read up to so many, let time pass, end a stream, take the watched
#: socket or the target out of its map and put it in again, and send and read at the target's connection.
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(1, 12)),
        st.tuples(st.sampled_from(("recv", "target reads", "backend reads")), st.integers(1, 20)),
        st.tuples(st.just("wait"), st.just(1)),
        st.tuples(st.just("backend sends"), st.integers(1, 5)),
        st.tuples(
            st.sampled_from(("end", "out", "in", "target out", "target in", "backend ends", "target closes")),
            st.just(0),
        ),
    ),
    max_size=12,
)
READ_ALL = [(what, 1000) for what in ("recv", "target reads", "backend reads") for _ in range(2)]


def connected(network: Network, kind: str, names: tuple[str, str]) -> tuple[Socket, Socket]:
    """Two sockets of a kind, connected to each other."""
    if kind == "tcp":
        one, other = network.tcp_pair((None, None), (None, None), "v4", None, names)
        return Socket(one), Socket(other)
    if kind == "udp":
        pair = [Socket(network.udp_socket((None, None), "v4", name)) for name in names]
    else:
        pair = [Socket(network.unix_socket(kind, name)) for name in names]
    for mine, theirs in (pair, pair[::-1]):
        if kind == "stream":
            mine.kernel_socket.connect(theirs.kernel_socket)  # type: ignore[attr-defined]
        else:
            mine.connect(theirs)
    return pair[0], pair[1]


def played(case: str, steps: list[tuple[str, int]], hazards: str) -> tuple[list[object], Lab]:
    """What each step gave, and the machine. The watched socket reads, or sends if its sending is watched."""
    make, kind, other = CASES[case]
    lab = Lab(hazards=hazards)
    network = Network(lab.kernel)
    client, server = connected(network, kind, ("client", "server"))
    target, backend = connected(network, other, ("target", "backend"))
    targets = lab.sockmap(name="targets")
    programs = make(targets)
    watched = client if programs[0].kind == "msg_verdict" else server
    socket_map = lab.sockmap(*programs)
    lab.put(targets, 0, target)
    lab.put(socket_map, 0, watched)
    acts: dict[str, Callable[[int], object]] = {
        "send": lambda count: client.send(bytes(range(65, 65 + count))),
        "recv": server.recv,
        "target reads": target.recv,
        "backend reads": backend.recv,
        "backend sends": lambda count: backend.send(b"+" * count),
        "wait": lambda _: lab.kernel.elapse(1_000_000_000),
        "end": lambda _: client.shutdown(),
        "backend ends": lambda _: backend.shutdown(),
        "target closes": lambda _: target.close(),
        "out": lambda _: socket_map.delete(bytes(4)),
        "in": lambda _: lab.put(socket_map, 0, watched),
        "target out": lambda _: targets.delete(bytes(4)),
        "target in": lambda _: lab.put(targets, 0, target),
    }
    return [outcome(acts[what], count) for what, count in [*steps, *READ_ALL]], lab


def outcome(act: Callable[[int], object], count: int) -> object:
    try:
        return act(count)
    except OSError as error:
        return error.errno


@pytest.mark.parametrize("case", CASES)
@settings(max_examples=40)
@given(steps=STEPS)
def test_what_differs_from_the_ideal_is_named(case: str, steps: list[tuple[str, int]]) -> None:
    real, lab = played(case, steps, "kernel")
    ideal, clean = played(case, steps, "ideal")
    assert not clean.kernel.trace.hazards()
    if real != ideal:
        assert lab.kernel.trace.hazards()
    if not lab.kernel.trace.hazards():
        assert played(case, steps, "error")[0] == real
    else:
        with pytest.raises(HazardError):
            played(case, steps, "error")
