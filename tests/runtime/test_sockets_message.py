"""A msg_verdict on what is sent: apply, cork, pull, push, pop, redirection, and what `send` returns.

What is said of Linux was seen on 6.1.192 and 7.2.13 in a guest.
"""

from __future__ import annotations

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st
from skverdict.runtime.machine.errno import KernelError
from skverdict.runtime.sockets.errors import SimulationError
from skverdict.runtime.sockets.message import MAX_ELEMENTS, PAGE, Message, PageFragment
from skverdict.runtime.sockets.socket import Socket

from tests.runtime.sockets_kit import INGRESS, SK_DROP, SK_PASS, Lab, msg_verdict, redirect


class Judged:
    """A client whose sends are judged; `near` can be redirected to and comes out at `far`.

    `seen` collects size and readable bytes of each run.
    """

    def __init__(self, judge) -> None:
        self.lab = Lab()
        self.targets = self.lab.sockmap(name="targets")
        self.seen: list[tuple[int, bytes]] = []

        @msg_verdict
        def judging(msg):
            self.seen.append((msg.field("size"), bytes(msg.packet())))
            return judge(msg)

        self.client, self.server = self.lab.pair("front")
        self.near, self.far = self.lab.pair("back")
        self.lab.put(self.targets, 0, self.near)
        self.watched = self.lab.sockmap(judging, name="watched")
        self.lab.put(self.watched, 0, self.client)

    def away(self, msg, flags: int = 0) -> int:
        return redirect(msg, self.targets, 0, flags)

    def settle(self) -> None:
        """Let what is held back for more go out."""
        self.lab.kernel.elapse(10**9)


def refusal(act) -> int:
    with pytest.raises(OSError) as caught:
        act()
    return caught.value.errno


def would_block(socket: Socket) -> bool:
    try:
        return not socket.peek(1)
    except BlockingIOError:
        return True


def applying(count: int, result: int = SK_PASS):
    def judge(msg) -> int:
        msg.message.apply_bytes = count
        return result

    return judge


def corking(count: int, result: int = SK_PASS):
    def judge(msg) -> int:
        if msg.field("size") < count:
            msg.message.cork_bytes = count
        return result

    return judge


def test_pass() -> None:
    bench = Judged(lambda msg: SK_PASS)
    assert bench.client.sendmsg([b"hel", b"lo"]) == 5
    assert bench.seen == [(5, b"hello")]
    assert bench.server.recv(10) == b"hello"


def test_drop_is_eacces_and_the_last_word() -> None:
    """Linux: after a drop the program is not asked again until the socket has left the map."""
    verdicts = iter([SK_DROP, SK_PASS])
    bench = Judged(lambda msg: next(verdicts))
    assert refusal(lambda: bench.client.send(b"one")) == errno.EACCES
    assert refusal(lambda: bench.client.send(b"two")) == errno.EACCES
    assert len(bench.seen) == 1
    bench.watched.delete(bytes(4))
    bench.lab.put(bench.watched, 0, bench.client)
    assert bench.client.send(b"three") == 5
    assert bench.server.recv(10) == b"three"


def test_receiving_is_not_judged() -> None:
    bench = Judged(lambda msg: SK_DROP)
    bench.server.send(b"to the judged one")
    assert bench.client.recv(100) == b"to the judged one"


def test_apply_judges_piece_by_piece() -> None:
    bench = Judged(applying(2))
    assert bench.client.send(b"abcde") == 5
    assert bench.seen == [(5, b"abcde"), (3, b"cde"), (1, b"e")]
    assert bench.server.recv(10) == b"abcde"


def test_apply_reaches_over_sends() -> None:
    bench = Judged(applying(6))
    for part in (b"abcd", b"ef", b"gh"):
        bench.client.send(part)
    assert [size for size, _ in bench.seen] == [4, 2]
    assert bench.server.recv(10) == b"abcdefgh"


def test_apply_stays_set_within_a_send() -> None:
    """The program need not ask again for the rest of the message: the count stands until it sets another."""

    def judge(msg) -> int:
        if msg.packet()[0] == ord("P"):
            msg.message.apply_bytes = 2
        return SK_PASS

    bench = Judged(judge)
    bench.client.send(b"PPxyzwq")
    assert [size for size, _ in bench.seen] == [7, 5, 3, 1]


def test_a_drop_behind_a_pass_counts_what_passed() -> None:
    verdicts = iter([SK_PASS, SK_DROP])

    def judge(msg) -> int:
        msg.message.apply_bytes = 4
        return next(verdicts)

    bench = Judged(judge)
    assert bench.client.send(b"goodbad!") == 4
    assert would_block(bench.server)  # announced as having more behind it
    bench.settle()
    assert bench.server.recv(10) == b"good"


def test_a_drop_of_some_bytes_loses_all_yet_counts_the_rest_as_sent() -> None:
    """Linux: `send` returns 1 of 4 bytes, and none of them arrives."""
    bench = Judged(applying(3, SK_DROP))
    assert bench.client.send(b"efgh") == 1
    bench.settle()
    assert would_block(bench.server)


def test_held_back_bytes_go_with_the_next_send_or_with_what_arrives() -> None:
    for nudge in ("send", "arrival"):
        verdicts = iter([SK_PASS, SK_DROP])

        def judge(msg, verdicts=verdicts) -> int:
            msg.message.apply_bytes = 4
            return next(verdicts)

        bench = Judged(judge)
        bench.client.send(b"goodbad!")
        if nudge == "arrival":
            bench.server.send(b"hello")
        else:
            bench.client.shutdown()
        assert bench.server.recv(10) == b"good"


def test_cork_waits_and_then_judges_the_whole() -> None:
    bench = Judged(corking(10))
    assert bench.client.send(b"abcdef") == 6
    assert would_block(bench.server)
    assert bench.client.send(b"ghij") == 4
    assert bench.seen == [(6, b"abcdef"), (10, b"abcdefghij")]
    assert bench.server.recv(100) == b"abcdefghij"


def test_cork_stays_set_once_a_message_was_corked() -> None:
    """Linux: later sends are held back though the program did not ask for it."""

    def judge(msg) -> int:
        if bytes(msg.packet()[:1]) == b"C" and msg.field("size") < 6:
            msg.message.cork_bytes = 6
        return SK_PASS

    bench = Judged(judge)
    sends = [(b"Cab", b""), (b"cdef", b"Cabcdef"), (b"xy", b""), (b"zw", b""), (b"12345", b"xyzw12345")]
    for part, arrives in sends:
        assert bench.client.send(part) == len(part)
        assert (b"" if would_block(bench.server) else bench.server.recv(100)) == arrives
    assert [size for size, _ in bench.seen] == [3, 7, 2, 9]


@pytest.mark.parametrize("between", [b"", b"?"])
def test_what_is_sent_between_parts_the_pieces_of_a_corked_message(between: bytes) -> None:
    bench = Judged(corking(8))
    bench.client.send(b"hello")
    if between:
        bench.far.send(between)
    bench.client.send(b"0123456")

    assert bench.seen == [(5, b"hello"), (12, b"hello" if between else b"hello0123456")]
    assert bench.server.recv(100) == b"hello0123456"


def test_corked_bytes_die_with_the_stream() -> None:
    for end in ("shutdown", "close"):
        bench = Judged(corking(100))
        bench.client.send(b"unfinished")
        getattr(bench.client, end)()
        assert bench.server.recv(100) == b""


def test_corked_bytes_can_be_dropped() -> None:
    bench = Judged(corking(10, SK_DROP))
    assert bench.client.send(b"abcdef") == 6
    assert refusal(lambda: bench.client.send(b"ghij")) == errno.EACCES


@pytest.mark.parametrize("flags", [0, INGRESS])
def test_redirect(flags: int) -> None:
    bench = Judged(lambda msg: bench.away(msg, flags))
    assert bench.client.send(b"other way") == 9
    assert (bench.near if flags else bench.far).recv(100) == b"other way"
    assert would_block(bench.server)


@pytest.mark.parametrize("flags", [2, 4, 1 << 33])
def test_redirect_with_unknown_flags_is_a_drop(flags: int) -> None:
    bench = Judged(lambda msg: bench.away(msg, flags))
    assert refusal(lambda: bench.client.send(b"x")) == errno.EACCES


def test_redirect_to_nobody_is_a_drop_if_its_result_is_returned() -> None:
    bench = Judged(lambda msg: bench.away(msg))
    bench.targets.delete(bytes(4))
    assert refusal(lambda: bench.client.send(b"x")) == errno.EACCES


def test_a_redirect_holds_for_the_rest_of_the_send() -> None:
    """Linux: a later run of the same message that passes is redirected, too."""

    def judge(msg) -> int:
        msg.message.apply_bytes = 2
        return bench.away(msg) if msg.packet()[0] == ord("A") else SK_PASS

    bench = Judged(judge)
    assert bench.client.send(b"AAxyzw") == 6
    assert bench.far.recv(100) == b"AAxyzw"
    assert bench.client.send(b"next") == 4
    assert bench.server.recv(100) == b"next"


def test_the_targets_own_msg_verdict_is_not_asked() -> None:
    bench = Judged(lambda msg: bench.away(msg))
    judge = msg_verdict(lambda msg: pytest.fail("it ran"))
    bench.targets.delete(bytes(4))
    bench.targets.programs.msg_verdict = judge
    bench.lab.put(bench.targets, 0, bench.near)
    bench.client.send(b"x")
    assert bench.far.recv(1) == b"x"


def test_redirect_out_of_a_shut_down_socket_fails_the_send() -> None:
    bench = Judged(lambda msg: bench.away(msg))
    bench.near.shutdown()
    assert refusal(lambda: bench.client.send(b"x")) == errno.EPIPE


def test_the_program_runs_even_if_nothing_can_be_sent() -> None:
    bench = Judged(lambda msg: SK_PASS)
    bench.client.shutdown()
    assert refusal(lambda: bench.client.send(b"x")) == errno.EPIPE
    assert bench.seen == [(1, b"x")]


def test_a_big_send_shows_one_page_and_comes_in_chunks_of_17() -> None:
    """Linux: 557056 bytes at a time, 32768 of them readable."""
    bench = Judged(lambda msg: SK_PASS)
    assert bench.client.send(bytes(600_000)) == 600_000
    assert [(size, len(readable)) for size, readable in bench.seen] == [(557_056, 32_768), (42_944, 32_768)]
    assert len(bench.server.recv_all()) == 600_000


def test_a_full_message_cannot_be_corked_further() -> None:
    bench = Judged(corking(1_000_000))
    assert bench.client.send(bytes(600_000)) == 600_000
    assert len(bench.server.recv_all()) == 557_056


def pulled(start: int, end: int):
    def judge(msg) -> int:
        msg.message.pull(start, end, 0)
        judge.readable = bytes(msg.packet())
        return SK_PASS

    return judge


def test_pull_makes_a_range_readable() -> None:
    judge = pulled(PAGE - 2, PAGE + 2)
    bench = Judged(judge)
    content = bytes(PAGE - 2) + b"abcd" + bytes(10)
    bench.client.send(content)
    assert judge.readable == b"abcd"
    assert bench.server.recv_all() == content


def test_changed_bytes_are_sent() -> None:
    def judge(msg) -> int:
        msg.packet()[0:1] = b"J"
        return SK_PASS

    bench = Judged(judge)
    bench.client.send(b"hello")
    assert bench.server.recv(10) == b"Jello"


def test_push_puts_new_bytes_first_into_view() -> None:
    def judge(msg) -> int:
        msg.message.push(0, 3, 0)
        assert len(msg.packet()) == 3
        msg.packet()[:] = b">> "
        return SK_PASS

    bench = Judged(judge)
    assert bench.client.send(b"line") == 4
    assert bench.server.recv(100) == b">> line"


def test_pop_takes_bytes_away_and_send_counts_them_all_the_same() -> None:
    def judge(msg) -> int:
        msg.message.pop(1, 2, 0)
        return SK_PASS

    bench = Judged(judge)
    assert bench.client.send(b"a##bcd") == 6
    assert bench.server.recv(100) == b"abcd"


def test_a_dropped_message_that_was_cut_is_still_eacces() -> None:
    def judge(msg) -> int:
        msg.message.pop(0, 2, 0)
        return SK_DROP

    bench = Judged(judge)
    assert refusal(lambda: bench.client.send(b"abcdef")) == errno.EACCES


@pytest.mark.parametrize(
    ("act", "arguments"),
    [
        ("pull", (0, 0, 0)),
        ("pull", (3, 2, 0)),
        ("pull", (0, 7, 0)),
        ("pull", (6, 7, 0)),
        ("pull", (0, 1, 1)),
        ("push", (7, 1, 0)),
        ("push", (0, 1, 1)),
        ("pop", (0, 7, 0)),
        ("pop", (6, 1, 0)),
        ("pop", (0, 1, 1)),
    ],
)
def test_misuse_is_einval(act: str, arguments: tuple[int, ...]) -> None:
    message = Message()
    message.fill(memoryview(b"abcdef"), PageFragment())
    with pytest.raises(KernelError) as caught:
        getattr(message, act)(*arguments)
    assert caught.value.errno == errno.EINVAL
    assert message.content() == b"abcdef"


def scattered(content: bytes, sizes: list[int]) -> Message:
    """A message whose elements have these sizes, as far as there are bytes."""
    message = Message()
    for size in sizes:
        if len(message.elements) < MAX_ELEMENTS and content:
            fragment = PageFragment()
            message.fill(memoryview(content[:size]), fragment)
            content = content[size:]
    return message


edits = st.lists(
    st.tuples(st.sampled_from(["pull", "push", "pop"]), st.integers(0, 40), st.integers(0, 20)), max_size=25
)


@given(st.binary(min_size=1, max_size=60), st.lists(st.integers(1, 12), min_size=5, max_size=17), edits)
def test_edits_do_to_the_elements_what_they_do_to_the_bytes(content: bytes, sizes: list[int], steps) -> None:
    message = scattered(content, sizes)
    model = bytearray(message.content())
    for act, start, length in steps:
        end = start + length
        fits = {
            "pull": length > 0 and end <= len(model),
            "push": not length or start <= len(model),
            "pop": not length or end <= len(model),
        }
        try:
            if act == "pull":
                message.pull(start, start + length, 0)
                assert bytes(message.readable()) == model[start : start + length]
            elif act == "push":
                message.push(start, length, 0)
                model[start:start] = bytes(length)
            else:
                message.pop(start, length, 0)
                del model[start : start + length]
            assert fits[act]
        except KernelError:
            assert not fits[act]
        assert message.content() == model
        assert message.size == len(model)
        assert len(message.elements) <= MAX_ELEMENTS
        assert all(element.length for element in message.elements)


@given(
    st.lists(st.binary(min_size=1, max_size=60), max_size=6),
    st.integers(0, 20),
    st.sampled_from(["pass", "egress", "ingress"]),
)
def test_apply_alone_conserves_bytes(parts: list[bytes], apply: int, fate: str) -> None:
    def judge(msg) -> int:
        msg.message.apply_bytes = apply
        return SK_PASS if fate == "pass" else bench.away(msg, INGRESS if fate == "ingress" else 0)

    bench = Judged(judge)
    assert [bench.client.send(part) for part in parts] == [len(part) for part in parts]
    bench.settle()
    places = {"pass": bench.server, "egress": bench.far, "ingress": bench.near}
    assert places[fate].recv_all() == b"".join(parts)


@given(st.lists(st.binary(min_size=1, max_size=60), max_size=8), st.integers(1, 90))
def test_cork_alone_conserves_bytes(parts: list[bytes], cork: int) -> None:
    bench = Judged(corking(cork))
    assert [bench.client.send(part) for part in parts] == [len(part) for part in parts]
    bench.settle()
    stream = b"".join(parts)
    got = bench.server.recv_all()
    assert stream.startswith(got)
    assert len(stream) - len(got) < cork


@pytest.mark.parametrize("added", [2, 8])
def test_a_send_that_a_kernel_would_never_end_is_told(added: int) -> None:
    def judge(msg) -> int:
        msg.message.apply_bytes = 2
        msg.message.push(0, added, 0)
        return SK_PASS

    with pytest.raises(SimulationError, match="10,000 verdicts in a row its msg_verdict added as many bytes"):
        Judged(judge).client.send(b"hello")


def test_a_message_may_grow_for_a_while() -> None:
    def judge(msg) -> int:
        msg.message.apply_bytes = 1
        if len(judged.seen) <= 100:
            msg.message.push(0, 2, 0)
        return SK_PASS

    judged = Judged(judge)
    assert judged.client.send(b"hello") == 5
    judged.settle()
    assert judged.server.recv_all() == bytes(200) + b"hello"
