"""TCP as a receiving kernel takes it: order, loss, overlap, wrap, and where connections begin and end."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skverdict.runtime.capture import Capture, Note, parse_capture

from tests.runtime.capture_files import ACK, CLIENT, FIN, RST, SERVER, SYN, Talk, pcap, segment


def capture(*talks: Talk) -> Capture:
    return parse_capture(pcap([frame for talk in talks for frame in talk.frames]))


def received(talk: Talk, *, by_server: bool = True) -> list[bytes]:
    """The segments one side receives; a hole is so many question marks."""
    events = capture(talk).events
    return [
        event.data or b"?" * event.missing
        for event in events
        if event.kind in ("data", "hole") and event.from_client is by_server
    ]


def kinds(talk: Talk) -> list[str]:
    return [
        event.kind if event.kind == "open" else f"{event.kind} {'client' if event.from_client else 'server'}"
        for event in capture(talk).events
    ]


def test_segments_stay_as_they_came() -> None:
    talk = Talk().opened().say("client", 0, b"one").say("client", 3, b"two").say("client", 6, b"three")
    assert received(talk) == [b"one", b"two", b"three"]


def test_a_retransmission_is_received_once() -> None:
    talk = Talk().opened().say("client", 0, b"abc").say("client", 0, b"abc").say("client", 3, b"def")
    assert received(talk) == [b"abc", b"def"]


def test_a_longer_retransmission_gives_what_is_new() -> None:
    assert received(Talk().opened().say("client", 0, b"abc").say("client", 1, b"BCDE")) == [b"abc", b"DE"]


def test_a_keep_alive_gives_nothing() -> None:
    talk = (
        Talk()
        .opened()
        .say("client", 0, b"abc")
        .say("client", 2, b"\0")
        .say("client", 2)
        .say("client", 3, b"d")
    )
    assert received(talk) == [b"abc", b"d"]


def test_out_of_order_segments_wait_for_the_gap() -> None:
    talk = Talk().opened().say("client", 6, b"ghi").say("client", 3, b"def").say("client", 0, b"abc")
    assert received(talk) == [b"abc", b"def", b"ghi"]
    assert {event.packet for event in capture(talk).events if event.kind == "data"} == {6}


@pytest.mark.parametrize(
    ("waiting", "stream"),
    [
        ([(1, b"bcde"), (2, b"CD")], b".bcde."),
        ([(2, b"cd"), (1, b"BCDE")], b".BCDE."),
        ([(2, b"cd"), (2, b"CDE")], b"..CDE."),
        ([(2, b"cd"), (2, b"CD")], b"..cd.."),
        ([(1, b"bcd"), (3, b"DE")], b".bcdE."),
        ([(3, b"de"), (1, b"BCD")], b".BCDe."),
        ([(1, b"b"), (3, b"d"), (4, b"e"), (1, b"BCD")], b".BCDe."),
        ([(1, b"b"), (3, b"d"), (4, b"e"), (1, b"BCDE")], b".BCDE."),
    ],
    ids=[
        "within another",
        "around another",
        "same start and longer",
        "the same again",
        "over the end",
        "over the beginning",
        "over two, and the next stays",
        "over three",
    ],
)
def test_overlap_behind_a_gap(waiting: list[tuple[int, bytes]], stream: bytes) -> None:
    talk = Talk().opened()
    for at, data in waiting:
        talk.say("client", at, data)
    for at in range(6):
        talk.say("client", at, b".")
    assert b"".join(received(talk)) == stream


def test_delivered_bytes_stay_when_a_segment_over_them_comes() -> None:
    talk = Talk().opened().say("client", 2, b"cd").say("client", 0, b"ABCDE")
    assert received(talk) == [b"ABCDE"]


@pytest.mark.parametrize("initial", [2**32 - 1, 2**32 - 2, 2**32 - 6, 2**31 - 3])
def test_sequence_numbers_wrap(initial: int) -> None:
    talk = Talk(client_initial=initial, server_initial=initial).opened()
    talk.say("client", 0, b"abc").say("client", 6, b"ghi").say("client", 3, b"def").say("client", 0, b"abc")
    talk.say("server", 0, b"12345678", acknowledges=9).say("client", 9, flags=FIN | ACK, acknowledges=8)
    assert received(talk) == [b"abc", b"def", b"ghi"]
    assert received(talk, by_server=False) == [b"12345678"]
    assert kinds(talk)[-1] == "end client"


@settings(max_examples=60, deadline=None)
@given(st.binary(min_size=1, max_size=60), st.randoms(use_true_random=False), st.integers(0, 2**32 - 1))
def test_any_order_and_repetition_gives_the_stream(data: bytes, chance: random.Random, initial: int) -> None:
    pieces = []
    for _ in range(12):
        start = chance.randrange(len(data))
        pieces.append((start, data[start : start + chance.randint(1, 20)]))
    pieces += [(at, data[at : at + 7]) for at in range(0, len(data), 7)]
    chance.shuffle(pieces)
    talk = Talk(client_initial=initial).opened()
    for at, piece in pieces:
        talk.say("client", at, piece)
    assert b"".join(received(talk)) == data


def test_bytes_that_the_capture_lacks_are_a_hole_once_they_are_acknowledged() -> None:
    talk = Talk().opened().say("client", 0, b"abc").say("client", 8, b"ijk")
    assert received(talk) == [b"abc"]
    talk.say("server", 0, acknowledges=8)
    assert received(talk) == [b"abc", b"?????", b"ijk"]
    talk.say("client", 15, b"pq").say("server", 0, acknowledges=14)
    assert received(talk) == [b"abc", b"?????", b"ijk"]
    talk.say("server", 0, acknowledges=17)
    assert received(talk) == [b"abc", b"?????", b"ijk", b"????", b"pq"]
    assert capture(talk).notes == []


def test_an_end_behind_lost_bytes_comes_with_its_acknowledgment() -> None:
    talk = Talk().opened().say("client", 4, b"ef", flags=FIN | ACK)
    assert kinds(talk) == ["open"]
    talk.say("server", 0, acknowledges=7)
    assert kinds(talk) == ["open", "hole client", "data client", "end client"]


def test_bytes_behind_a_gap_that_never_closed_are_noted() -> None:
    talk = Talk().opened().say("client", 3, b"def").say("client", 6, b"ghi")
    assert received(talk) == []
    assert capture(talk).notes == [
        Note("has payload behind a gap that the receiver never acknowledged", 2, 4)
    ]


def test_a_segment_far_outside_is_noted_and_left_out() -> None:
    talk = Talk().opened().say("client", 2**30 + 1, b"far").say("client", 0, b"abc")
    assert received(talk) == [b"abc"]
    assert capture(talk).notes == [Note("lies outside any receive window", 1, 4)]


def test_a_capture_may_begin_amid_a_connection() -> None:
    talk = Talk().say("client", 700, b"abc", acknowledges=90).say("server", 90, b"xyz", acknowledges=703)
    assert received(talk) == [b"abc"]
    assert received(talk, by_server=False) == [b"xyz"]
    (connection,) = capture(talk).connections
    assert not connection.from_start
    assert (str(connection.client), str(connection.server)) == ("10.0.0.1:40000", "10.0.0.2:80")


def test_amid_a_connection_an_acknowledgment_tells_what_was_received_before() -> None:
    talk = Talk().say("server", 50, b"later", acknowledges=700).say("client", 697, b"abcdef", acknowledges=50)
    assert received(talk) == [b"def"]


def test_amid_a_connection_the_lower_port_is_the_server() -> None:
    (connection,) = capture(Talk().say("server", 90, b"xyz")).connections
    assert connection.server.port == 80
    assert [event.from_client for event in capture(Talk().say("server", 90, b"xyz")).events[1:]] == [False]


def test_a_lone_answer_to_a_syn_tells_the_server() -> None:
    talk = Talk(client=("10.0.0.1", 80), server=("10.0.0.2", 40000)).say("server", -1, flags=SYN | ACK)
    (connection,) = capture(talk).connections
    assert connection.server.port == 40000
    assert connection.from_start


def test_data_in_the_syn_waits_for_the_connection_to_open() -> None:
    talk = Talk().say("client", -1, b"early", flags=SYN)
    assert kinds(talk) == []
    talk.say("server", -1, flags=SYN | ACK, acknowledges=5).say("client", 5, b"late")
    assert received(talk) == [b"early", b"late"]


def test_ends_of_both_directions() -> None:
    talk = Talk().opened().say("client", 0, b"bye", flags=FIN | ACK).say("client", 0, b"bye", flags=FIN | ACK)
    talk.say("server", 0, b"ok", acknowledges=4).say("server", 2, flags=FIN | ACK, acknowledges=4)
    talk.say("client", 4, acknowledges=3)
    assert kinds(talk) == ["open", "data client", "end client", "data server", "end server"]
    assert capture(talk).notes == []


def test_bytes_behind_the_end_are_noted_and_left_out() -> None:
    talk = Talk().opened().say("client", 0, b"bye", flags=FIN | ACK).say("client", 4, b"more")
    assert kinds(talk) == ["open", "data client", "end client"]
    assert capture(talk).notes == [Note("has payload after its connection was closed", 1, 5)]


def test_a_reset_ends_both_directions() -> None:
    talk = Talk().opened().say("client", 0, b"abc").say("server", 0, flags=RST | ACK, acknowledges=3)
    talk.say("client", 3, b"lost")
    assert kinds(talk) == ["open", "data client", "reset server"]
    assert capture(talk).notes == [Note("has payload after its connection was closed", 1, 6)]


def test_a_reset_out_of_sequence_is_ignored_and_noted() -> None:
    talk = Talk().opened().say("client", 0, b"abc").say("client", 99, flags=RST).say("client", 3, b"def")
    assert kinds(talk) == ["open", "data client", "data client"]
    assert capture(talk).notes == [Note("is a reset out of sequence, which a receiver ignores", 1, 5)]


def test_a_refused_connection_and_one_nobody_answers_are_noted() -> None:
    refused = Talk().say("client", -1, flags=SYN).say("server", -1, flags=RST | ACK)
    silent = Talk(client=("10.0.0.1", 41000)).say("client", -1, flags=SYN).say("client", -1, flags=SYN)
    result = capture(refused, silent)
    assert result.connections == [] and result.events == []
    assert result.notes == [
        Note("is answered with a reset, which refuses the connection", 1, 1),
        Note("opens a connection that nobody answers", 1, 3),
    ]


def test_a_refused_client_may_try_again() -> None:
    talk = (
        Talk()
        .say("client", -1, flags=SYN)
        .say("server", -1, flags=RST | ACK)
        .opened()
        .say("client", 0, b"abc")
    )
    assert received(talk) == [b"abc"]


def test_a_repeated_handshake_is_one_connection() -> None:
    talk = (
        Talk()
        .say("client", -1, flags=SYN)
        .opened()
        .say("server", -1, flags=SYN | ACK)
        .say("client", 0, b"abc")
    )
    assert kinds(talk) == ["open", "data client"]


@pytest.mark.parametrize("closing", ["end", "reset"])
def test_a_port_used_again_is_a_new_connection(closing: str) -> None:
    first = Talk().opened().say("client", 0, b"first")
    if closing == "end":
        first.say("client", 5, flags=FIN | ACK).say("server", 0, flags=FIN | ACK, acknowledges=6)
    else:
        first.say("client", 5, flags=RST)
    second = Talk(client_initial=77, server_initial=99).opened().say("client", 0, b"second")
    result = capture(first, second)
    assert [event.connection.number for event in result.events if event.kind == "data"] == [1, 2]
    assert [event.data for event in result.events if event.kind == "data"] == [b"first", b"second"]
    assert all(connection.from_start for connection in result.connections)


def test_a_capture_put_behind_itself_gives_everything_twice() -> None:
    talk = Talk().opened().say("client", 0, b"abc").say("client", 3, flags=RST)
    result = capture(talk, talk)
    assert [(event.connection.number, event.data) for event in result.events if event.kind == "data"] == [
        (1, b"abc"),
        (2, b"abc"),
    ]
    assert result.notes == []


def test_a_port_used_again_without_a_captured_close() -> None:
    first = Talk().opened().say("client", 0, b"first")
    second = Talk(client_initial=7_000_000, server_initial=9_000_000).opened().say("client", 0, b"second")
    assert [len(capture(first, second).connections), len(capture(first).connections)] == [2, 1]


def test_a_stray_syn_leaves_an_open_connection_alone() -> None:
    talk = Talk().opened().say("client", 0, b"abc")
    stray = Talk(client_initial=7_000_000).say("client", -1, flags=SYN)
    stray.frames += Talk().say("server", 0, acknowledges=3).say("client", 3, b"def").frames
    assert [event.data for event in capture(talk, stray).events if event.kind == "data"] == [b"abc", b"def"]


def test_simultaneous_open() -> None:
    talk = Talk().say("client", -1, flags=SYN).say("server", -1, flags=SYN)
    talk.say("client", -1, flags=SYN | ACK).say("server", -1, flags=SYN | ACK)
    talk.say("client", 0, b"abc").say("server", 0, b"xyz", acknowledges=3)
    assert kinds(talk) == ["open", "data client", "data server"]


def test_connections_between_each_other_keep_apart() -> None:
    one, two = Talk().opened(), Talk(client=("10.0.0.1", 40001)).opened()
    mixed = [frame for pair in zip(one.frames, two.frames, strict=True) for frame in pair]
    mixed += (
        Talk().say("client", 0, b"one").frames
        + Talk(client=("10.0.0.1", 40001)).say("client", 0, b"two").frames
    )
    events = parse_capture(pcap(mixed)).events
    assert [(event.connection.client.port, event.data) for event in events if event.kind == "data"] == [
        (40000, b"one"),
        (40001, b"two"),
    ]


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.integers(0, 2**32 - 1) | st.integers(0, 12),
            st.integers(0, 12),
            st.integers(0, 31),
            st.binary(max_size=5),
        ),
        max_size=30,
    )
)
def test_no_row_of_segments_breaks_the_reader(rows: list[tuple[bool, int, int, int, bytes]]) -> None:
    frames = [
        segment(*((CLIENT, SERVER) if forth else (SERVER, CLIENT)), sequence, acknowledgment, flags, payload)
        for forth, sequence, acknowledgment, flags, payload in rows
    ]
    result = parse_capture(pcap(frames))
    ended, reset = set(), set()
    for event in result.events:
        direction = (event.connection.number, event.from_client)
        assert event.connection.number not in reset
        assert event.kind == "reset" or direction not in ended
        assert bool(event.data) == (event.kind == "data")
        assert (event.missing > 0) == (event.kind == "hole")
        if event.kind == "end":
            ended.add(direction)
        if event.kind == "reset":
            reset.add(event.connection.number)
