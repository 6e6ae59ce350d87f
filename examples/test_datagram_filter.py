"""Bytes through `datagram_filter.py`: each buffer is counted by its first byte, and dropped if blocked."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from skverdict.codegen import build
from skverdict.dsl import load_policy
from skverdict.runtime import Simulator, Socket

POLICY = build(load_policy(Path(__file__).with_name("datagram_filter.py")))
QUIT = int.from_bytes(b"QUIT", "big")


def filtered(*blocked: int) -> tuple[Simulator, Socket, Socket]:
    """A client, and a server that the policy watches; words in `blocked` may not pass."""
    sim = Simulator(POLICY)
    for word in blocked:
        sim.maps["blocked"][word] = 1
    client, server = sim.tcp_pair()
    sim.attach("watched", verdict="verdict")
    sim.maps["watched"][0] = server
    return sim, client, server


def test_what_is_not_blocked_passes_and_is_counted() -> None:
    sim, client, server = filtered(QUIT)

    for line in (b"HELO me", b"HELP", b"NOOP"):
        client.send(line)

    assert server.recv_all() == b"HELO meHELPNOOP"
    assert dict(sim.maps["seen"].items()) == {ord("H"): 2, ord("N"): 1}


def test_a_blocked_word_is_dropped_and_counted() -> None:
    sim, client, server = filtered(QUIT)

    assert client.send(b"QUIT now") == 8

    assert server.pending == 0
    assert sim.trace.verdicts() == Counter({("verdict", "drop"): 1})
    assert sim.maps["seen"][ord("Q")] == 1


def test_the_rest_of_the_stream_goes_on() -> None:
    _, client, server = filtered(QUIT)

    for line in (b"MAIL", b"QUIT", b"RCPT"):
        client.send(line)

    assert server.recv_all() == b"MAILRCPT"


def test_blocking_takes_effect_at_once_and_ends_again() -> None:
    sim, client, server = filtered()
    client.send(b"QUIT1")
    sim.maps["blocked"][QUIT] = 1
    client.send(b"QUIT2")
    del sim.maps["blocked"][QUIT]
    client.send(b"QUIT3")

    assert server.recv_all() == b"QUIT1QUIT3"


def test_a_buffer_shorter_than_a_word_passes() -> None:
    """No more than what is there is pulled, and three bytes are no blocked word."""
    sim, client, server = filtered(QUIT, 0)

    for piece in (b"Q", b"QU", b"QUI"):
        client.send(piece)

    assert server.recv_all() == b"QQUQUI"
    assert sim.maps["seen"][ord("Q")] == 3


def test_only_the_start_of_a_buffer_is_looked_at() -> None:
    _, client, server = filtered(QUIT)

    client.send(b"RSETQUIT")
    assert server.recv_all() == b"RSETQUIT"

    client.send(b"RSETQUIT", segments=[4, 4])
    assert server.recv_all() == b"RSET"


def test_the_end_of_a_stream_is_no_data() -> None:
    sim, client, server = filtered(0)

    client.send(b"bye")
    client.shutdown()

    assert server.recv() == b"bye"
    assert server.recv() == b""
    assert [(run.length, run.verdict) for run in sim.trace.runs()] == [(3, "pass"), (0, "pass")]
    assert dict(sim.maps["seen"].items()) == {ord("b"): 1}


WORDS = st.sampled_from([b"QUIT", b"HELO", b"QUI", b"Q", b"QUITE", b"\0\0\0\0", b"x"])


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(st.lists(WORDS, min_size=1, max_size=4), max_size=5))
def test_each_segment_is_judged_by_itself(sends: list[list[bytes]]) -> None:
    sim, client, server = filtered(QUIT)

    for segments in sends:
        client.send(b"".join(segments), segments=map(len, segments))

    every = [segment for segments in sends for segment in segments]
    assert server.recv_all() == b"".join(segment for segment in every if not segment.startswith(b"QUIT"))
    assert dict(sim.maps["seen"].items()) == Counter(segment[0] for segment in every)
