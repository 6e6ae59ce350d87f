"""The stream parser: what programs see of a stream, how messages are cut, and how the kernel miscounts.

What is said of Linux was seen on 6.1.192 and 7.2.13 in a guest.
"""

from __future__ import annotations

import errno
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from skverdict.runtime import HazardError
from skverdict.runtime.sockets.socket import Socket

from tests.runtime.sockets_kit import SK_DROP, SK_PASS, Lab, Python, parser, redirect, verdict


class Parsed:
    """A server with a parser, whose messages are redirected to `near` and come out at `far`.

    `seen` collects the lengths and bytes that the parser and the verdict saw, in order.
    """

    def __init__(self, measure, judge=None, **settings) -> None:
        self.lab = Lab(**settings)
        self.targets = self.lab.sockmap(name="targets")
        self.seen: list[tuple[str, bytes]] = []

        @parser
        def measuring(skb):
            self.seen.append(("parser", bytes(skb.buffer.content)))
            return measure(skb)

        @verdict
        def judging(skb):
            self.seen.append(("verdict", bytes(skb.buffer.content)))
            return redirect(skb, self.targets, 0) if judge is None else judge(skb)

        self.client, self.server = self.lab.pair("front")
        self.near, self.far = self.lab.pair("back")
        self.lab.put(self.targets, 0, self.near)
        self.lab.put(self.lab.sockmap(measuring, judging, name="watched"), 0, self.server)


def would_block(socket: Socket) -> bool:
    try:
        socket.peek(1)
    except BlockingIOError:
        return True
    return False


def whole(skb) -> int:
    return skb.field("len")


def passing(skb) -> int:
    return SK_PASS


def test_both_see_the_whole_buffer_for_every_message_in_it() -> None:
    bench = Parsed(lambda skb: 2)
    bench.client.send(b"aabbcc")
    assert bench.seen == [("parser", b"aabbcc"), ("verdict", b"aabbcc")] * 3
    assert bench.far.recv(100) == b"aabbcc"


def test_a_message_over_several_buffers_is_shown_with_all_of_them() -> None:
    bench = Parsed(lambda skb: 8)
    bench.client.send(b"12345678abcdefgh", segments=[5, 5, 6])
    assert bench.seen == [
        ("parser", b"12345"),
        ("verdict", b"12345678ab"),
        ("parser", b"678ab"),
        ("verdict", b"678abcdefgh"),
    ]
    assert bench.far.recv(100) == b"12345678abcdefgh"


def test_zero_asks_again_with_more() -> None:
    bench = Parsed(lambda skb: 10 if skb.field("len") >= 10 else 0)
    bench.client.send(b"0123456789", segments=[3, 3, 4])
    assert bench.seen == [
        ("parser", b"012"),
        ("parser", b"012345"),
        ("parser", b"0123456789"),
        ("verdict", b"0123456789"),
    ]


def test_only_the_message_moves_though_more_is_seen() -> None:
    bench = Parsed(lambda skb: 3)
    bench.client.send(b"abcde")
    assert bench.far.recv(100) == b"abc"
    bench.client.send(b"f")
    assert bench.far.recv(100) == b"def"


def test_a_message_that_ends_before_the_newest_buffer_is_an_error() -> None:
    bench = Parsed(lambda skb: 0 if skb.field("len") < 6 else 2)
    bench.client.send(b"abcdef", segments=[3, 3])
    assert bench.server.error == errno.EPROTO
    assert would_block(bench.far)


@pytest.mark.parametrize(("length", "error"), [(131072, 0), (131073, errno.EMSGSIZE)])
def test_a_message_may_be_as_long_as_the_receive_buffer(length: int, error: int) -> None:
    bench = Parsed(lambda skb: length)
    bench.client.send(b"x")
    assert bench.server.error == error


def test_a_long_message_arrives() -> None:
    bench = Parsed(lambda skb: 100_000)
    content = bytes(range(256)) * 400
    bench.client.send(content[:100_000])
    assert bench.far.recv_all() == content[:100_000]


@pytest.mark.parametrize(("result", "error"), [(-71, 71), (-3, 3), (-12345, 12345)])
def test_a_negative_answer_stops_the_stream_for_good(result: int, error: int) -> None:
    bench = Parsed(lambda skb: result)
    bench.client.send(b"bad")
    assert bench.server.error == error
    assert bench.server.error == 0
    assert bench.client.send(b"more") == 4
    bench.client.shutdown()
    assert would_block(bench.server)
    assert bench.server.send(b"reply") == 5
    assert bench.client.recv(10) == b"reply"
    assert [kind for kind, _ in bench.seen] == ["parser"]


def test_an_error_inside_a_buffer_is_asked_for_twice() -> None:
    answers = iter([2, -71, -71])
    bench = Parsed(lambda skb: next(answers))
    bench.client.send(b"okbad")
    assert [kind for kind, _ in bench.seen] == ["parser", "verdict", "parser", "parser"]
    assert bench.far.recv(10) == b"ok"


def test_estrpipe_within_a_message_becomes_enodata() -> None:
    answers = iter([0, -86])
    bench = Parsed(lambda skb: next(answers))
    bench.client.send(b"ab", segments=[1, 1])
    assert bench.server.error == errno.ENODATA


def test_a_parser_alone_never_runs() -> None:
    lab = Lab()
    client, server = lab.pair()
    lab.put(lab.sockmap(parser(lambda skb: pytest.fail("it ran"))), 0, server)
    client.send(b"hello")
    assert server.recv(10) == b"hello"


def test_a_parser_is_idle_beside_a_skb_verdict() -> None:
    lab = Lab()
    client, server = lab.pair()
    idle = parser(lambda skb: pytest.fail("it ran"))
    lab.put(lab.sockmap(idle, Python("skb_verdict", lambda skb: SK_DROP)), 0, server)
    client.send(b"hello")
    assert would_block(server)


def test_the_end_of_the_stream_is_not_shown() -> None:
    bench = Parsed(whole)
    bench.client.send(b"last")
    bench.client.shutdown()
    assert bench.seen == [("parser", b"last"), ("verdict", b"last")]
    assert bench.server.recv(1) == b""


def test_an_unfinished_message_at_the_end_of_the_stream_is_not_delivered() -> None:
    bench = Parsed(lambda skb: 10)
    bench.client.send(b"abc")
    bench.client.shutdown()
    assert would_block(bench.far)
    assert bench.seen == [("parser", b"abc")]


def test_bytes_that_came_before_the_parser_are_parsed_when_somebody_asks() -> None:
    bench = Parsed(whole, passing)
    client, server = bench.lab.pair("late")
    client.send(b"early")
    bench.lab.put(next(iter(bench.server.kernel_socket.psock.links))[0], 1, server)
    assert bench.seen == []
    assert would_block(server)  # the worker looks at them only after this
    assert bench.seen == [("parser", b"early"), ("verdict", b"early")]
    assert server.recv(10) == b"early"


def test_drop_removes_the_message_only() -> None:
    bench = Parsed(lambda skb: 2, lambda skb: SK_DROP if len(bench.seen) == 2 else SK_PASS)
    bench.client.send(b"aabbcc")
    assert bench.server.recv(100) == b"bbcc"


def test_a_read_of_passed_messages_while_more_wait_fails_once() -> None:
    """Bytes that wait for the rest of their message make `recv` say EAGAIN, though others could be read."""
    answers = iter([4, 20])
    bench = Parsed(lambda skb: next(answers), passing)
    bench.client.send(b"aaaabb")
    bench.client.send(b"b")
    assert would_block(bench.server)
    assert "others wait for the rest of their message" in bench.lab.kernel.trace.hazards()[0].what
    assert bench.server.recv(100) == b"aaaa"


def late(lab_settings) -> Parsed:
    """Two passed messages were unread at once, then read; a third comes."""
    bench = Parsed(whole, passing, **lab_settings)
    bench.client.send(b"first.")
    bench.client.send(b"second")
    assert bench.server.recv(100) == b"first.second"
    bench.client.send(b"third.")
    return bench


def test_late_delivery() -> None:
    """Linux, every time: bytes after the read stay undelivered until as many came as had been waiting."""
    bench = late({})
    assert would_block(bench.server)
    assert bench.server.pending == 0
    bench.client.send(b"fourth")
    assert bench.server.recv(100) == b"third.fourth"
    hazards = [str(event) for event in bench.lab.kernel.trace if str(event).startswith("HAZARD")]
    assert len(hazards) == 1
    assert "redirect or drop" in hazards[0]


def test_late_delivery_ends_with_the_stream() -> None:
    bench = late({})
    bench.client.shutdown()
    assert bench.server.recv(100) == b"third."
    assert bench.server.recv(100) == b""


def test_late_delivery_as_an_error() -> None:
    with pytest.raises(HazardError, match="not delivered"):
        late({"hazards": "error"})


def test_late_delivery_does_not_happen_ideally() -> None:
    assert late({"hazards": "ideal"}).server.recv(100) == b"third."


def test_one_unread_message_is_no_hazard() -> None:
    bench = Parsed(whole, passing, hazards="error")
    for content in (b"one", b"two", b"three"):
        bench.client.send(content)
        assert bench.server.recv(100) == content


def test_leaving_the_map_loses_what_was_passed_and_gathered() -> None:
    lab = Lab()
    client, server = lab.pair()
    watched = lab.sockmap(parser(lambda skb: 4), verdict(passing))
    lab.put(watched, 0, server)
    client.send(b"passgat")
    watched.delete(bytes(4))
    lost = [str(event) for event in lab.kernel.trace if str(event).startswith("lost")]
    assert len(lost) == 2
    assert "b'pass'" in "".join(lost)
    assert "b'gat'" in "".join(lost)


@st.composite
def framed(draw):
    """A stream of messages, each a length byte and that many bytes, and a segmentation of it."""
    messages = draw(st.lists(st.binary(max_size=40), min_size=1, max_size=8))
    stream = b"".join(bytes([len(message)]) + message for message in messages)
    sizes = draw(st.lists(st.integers(1, 50), max_size=20))
    return messages, stream, sizes


@given(framed())
def test_a_framing_parser_with_state_sees_every_message(case) -> None:
    """Only the kernel knows where in the buffer a message begins; here the test asks it."""
    messages, stream, sizes = case
    got = []

    def measure(skb):
        begin = skb.buffer.content[skb.buffer.offset :]
        return 1 + begin[0] if begin else 0

    def judge(skb):
        start, length = skb.buffer.offset, skb.buffer.full_length
        got.append(bytes(skb.buffer.content[start : start + length]))
        return redirect(skb, bench.targets, 0)

    bench = Parsed(measure, judge)
    bench.client.send(stream, segments=sizes, mss=13)
    assert got == [bytes([len(message)]) + message for message in messages]
    assert bench.far.recv_all() == stream
    assert would_block(bench.server)


@given(st.integers(1, 60), st.lists(st.integers(1, 40), max_size=30), st.binary(max_size=300))
def test_fixed_messages_in_any_segmentation(size: int, sizes: list[int], stream: bytes) -> None:
    bench = Parsed(lambda skb: size)
    bench.client.send(stream, segments=sizes, mss=17)
    complete = len(stream) - len(stream) % size
    assert bench.far.recv_all() == stream[:complete]


@given(st.binary(min_size=1, max_size=200), st.lists(st.integers(1, 40), max_size=20))
def test_reading_as_it_comes_delivers_everything_that_passes(stream: bytes, sizes: list[int]) -> None:
    bench = Parsed(whole, passing, hazards="error")
    edges = sorted({0, len(stream), *(edge for edge in accumulate(sizes) if edge < len(stream))})
    got = b""
    for start, end in pairwise(edges):
        bench.client.send(stream[start:end])
        got += bench.server.recv_all()
    assert got == stream


def test_a_fault_of_the_parser_stops_the_stream() -> None:
    def measure(skb) -> int:
        if len(bench.seen) > 2:
            raise ZeroDivisionError("what the program did")
        return 2

    bench = Parsed(measure)
    with pytest.raises(ZeroDivisionError):
        bench.client.send(b"aabb")
    assert bench.server.error == errno.EIO
    bench.client.send(b"cc")
    assert bench.far.recv(10) == b"aa"


def test_a_fault_of_the_verdict_costs_its_message() -> None:
    def judge(skb) -> int:
        if len(bench.seen) == 4:
            raise ZeroDivisionError("what the program did")
        return redirect(skb, bench.targets, 0)

    bench = Parsed(lambda skb: 2, judge)
    with pytest.raises(ZeroDivisionError):
        bench.client.send(b"aabbcc")
    bench.client.send(b"dd")
    assert bench.far.recv(10) == b"aaccdd"
