"""Whatever the kernel does otherwise than documented is named: where reads differ from the ideal kernel's, the
trace has a hazard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skverdict.runtime.sockets.errors import HazardError

from tests.runtime.sockets_kit import SK_DROP, SK_PASS, Lab, Python, msg_verdict, parser, verdict

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


PROGRAMS: dict[str, tuple[Python, ...]] = {
    "a passing verdict": (verdict(passing),),
    "a dropping verdict": (verdict(by_length),),
    "a parser of whole buffers": (parser(whole), verdict(passing)),
    "a parser of pieces": (parser(fours), verdict(passing)),
    "a parser and a dropping verdict": (parser(fours), verdict(by_length)),
    "messages passed": (msg_verdict(passing),),
    "messages dropped": (msg_verdict(by_length),),
    "messages applied": (msg_verdict(applying),),
    "messages corked": (msg_verdict(corking),),
}

#: What an application does: send so many bytes, read up to so many, let time pass, end the stream, take the
#: watched socket out of its map and put it in again.
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(1, 12)),
        st.tuples(st.just("recv"), st.integers(1, 20)),
        st.tuples(st.just("wait"), st.just(1)),
        st.tuples(st.sampled_from(("end", "out", "in")), st.just(0)),
    ),
    max_size=12,
)


def played(programs: tuple[Python, ...], steps: list[tuple[str, int]], hazards: str) -> tuple[list[object], Lab]:
    """What each step gave, and the machine. The watched socket reads, or sends if its sending is watched."""
    lab = Lab(hazards=hazards)
    client, server = lab.pair()
    watched = client if programs[0].kind == "msg_verdict" else server
    socket_map = lab.sockmap(*programs)
    lab.put(socket_map, 0, watched)
    acts: dict[str, Callable[[int], object]] = {
        "send": lambda count: client.send(bytes(range(65, 65 + count))),
        "recv": server.recv,
        "wait": lambda _: lab.kernel.elapse(1_000_000_000),
        "end": lambda _: client.shutdown(),
        "out": lambda _: socket_map.delete(bytes(4)),
        "in": lambda _: lab.put(socket_map, 0, watched),
    }
    return [outcome(acts[what], count) for what, count in [*steps, ("recv", 1000), ("recv", 1000)]], lab


def outcome(act: Callable[[int], object], count: int) -> object:
    try:
        return act(count)
    except OSError as error:
        return error.errno


@pytest.mark.parametrize("programs", PROGRAMS)
@settings(max_examples=80)
@given(steps=STEPS)
def test_what_differs_from_the_ideal_is_named(programs: str, steps: list[tuple[str, int]]) -> None:
    real, lab = played(PROGRAMS[programs], steps, "kernel")
    ideal, clean = played(PROGRAMS[programs], steps, "ideal")
    assert not clean.kernel.trace.hazards()
    if real != ideal:
        assert lab.kernel.trace.hazards()
    if not lab.kernel.trace.hazards():
        assert played(PROGRAMS[programs], steps, "error")[0] == real
    else:
        with pytest.raises(HazardError):
            played(PROGRAMS[programs], steps, "error")
