"""Known faults of the kernel: each was seen on Linux 6.1.192 and 7.2.13 in a virtual machine, most on
6.12.117, too.

`kernel` does what they did and says so, `error` raises, `ideal` leaves the fault out.
"""

from __future__ import annotations

from errno import EACCES, EAGAIN, EPIPE
from typing import Any

import pytest
from skverdict.runtime.helpers import sockets as helpers
from skverdict.runtime.sockets.errors import HazardError, SimulationError
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


def passing(skb: Any) -> int:
    return SK_PASS


def whole(skb: Any) -> int:
    length: int = skb.field("len")
    return length


PROGRAMS: dict[str, tuple[Python, ...]] = {
    "verdict": (verdict(passing),),
    "skb_verdict": (Python("skb_verdict", passing),),
    "parser": (parser(whole), verdict(passing)),
    "msg_verdict": (msg_verdict(passing),),
    "nothing": (),
}
WATCHED = ("verdict", "skb_verdict", "parser")


def told(lab: Lab, words: str) -> bool:
    return any(words in line for line in str(lab.kernel.trace).splitlines() if line.startswith("HAZARD"))


def errno_of(call: Any, *arguments: Any) -> int:
    with pytest.raises(OSError) as caught:
        call(*arguments)
    assert caught.value.errno is not None
    return caught.value.errno


def accepted(programs: str, **settings: Any) -> tuple[Lab, Any, Socket, Socket]:
    """A map with programs and a listener in it, and a connection that was accepted afterwards."""
    lab = Lab(**settings)
    network = Network(lab.kernel)
    listener = network.tcp_listener((None, None), "v4", "l")
    watched = lab.sockmap(*PROGRAMS[programs])
    lab.put(watched, 0, Socket(listener))
    client = network.tcp_connect((None, None), "v4", listener, "c")
    return lab, watched, Socket(client), Socket(listener).accept("s")


# Listeners


@pytest.mark.parametrize("programs", PROGRAMS)
def test_what_a_listener_accepts_is_in_no_map(programs: str) -> None:
    lab, _, client, server = accepted(programs)
    assert server.kernel_socket.psock is None
    client.send(b"hello")
    if programs in ("verdict", "skb_verdict"):
        assert errno_of(server.recv) == EAGAIN
        assert told(lab, "accepted from a watched listener are acknowledged and lost")
    else:
        assert server.recv() == b"hello"
        assert told(lab, "is not woken") == (programs == "parser")
    server.send(b"back")
    assert client.recv() == b"back"
    client.shutdown()
    assert server.recv() == b""


@pytest.mark.parametrize("programs", WATCHED)
@pytest.mark.parametrize("into", ["nothing", "verdict"])
def test_an_accepted_socket_in_a_map_kills_the_kernel(programs: str, into: str) -> None:
    lab, _, client, server = accepted(programs)
    lab.put(lab.sockmap(*PROGRAMS[into], name="other"), 0, server)
    with pytest.raises(HazardError, match="the kernel dies"):
        client.send(b"hello")


@pytest.mark.parametrize("programs", ["msg_verdict", "nothing"])
def test_an_accepted_socket_may_enter_a_map_if_nobody_watched_the_listener(programs: str) -> None:
    lab, _, client, server = accepted(programs)
    lab.put(lab.sockmap(*PROGRAMS["verdict"], name="other"), 0, server)
    client.send(b"hello")
    assert server.recv() == b"hello"


@pytest.mark.parametrize("programs", WATCHED)
def test_ideal_listeners_leave_nothing_behind(programs: str) -> None:
    lab, watched, client, server = accepted(programs, hazards="ideal")
    client.send(b"hello")
    assert server.recv() == b"hello"
    lab.put(watched, 1, server)
    client.send(b"again")
    assert server.recv() == b"again"


def test_bytes_before_accept_wait() -> None:
    lab = Lab()
    network = Network(lab.kernel)
    listener = network.tcp_listener((None, None), "v4", "l")
    lab.put(lab.sockmap(*PROGRAMS["verdict"]), 0, Socket(listener))
    client = Socket(network.tcp_connect((None, None), "v4", listener, "c"))
    client.send(b"early")
    server = Socket(listener).accept()
    assert server.recv() == b"early"
    client.send(b"more")
    assert errno_of(server.recv) == EAGAIN


def test_a_listener_that_left_its_map_leaves_nothing_behind() -> None:
    lab = Lab()
    network = Network(lab.kernel)
    listener = network.tcp_listener((None, None), "v4", "l")
    watched = lab.sockmap(*PROGRAMS["verdict"])
    lab.put(watched, 0, Socket(listener))
    watched.remove(bytes(4))
    client = Socket(network.tcp_connect((None, None), "v4", listener, "c"))
    server = Socket(listener).accept()
    client.send(b"hello")
    assert server.recv() == b"hello"


# Buffers without bytes, and buffers of another length


def test_a_redirected_end_of_stream_breaks_the_target() -> None:
    for hazards, expected in (("kernel", EPIPE), ("ideal", 0)):
        lab = Lab(hazards=hazards)
        client, server = lab.pair()
        target, _ = lab.pair("t")
        targets = lab.sockmap(name="targets")
        lab.put(targets, 0, target)
        lab.put(lab.sockmap(verdict(lambda skb, to=targets: redirect(skb, to, 0))), 0, server)
        client.shutdown()
        assert target.error == expected
        assert told(lab, "a buffer without bytes was redirected") == (hazards == "kernel")


def test_an_error_on_a_hazard_is_one_to_the_caller() -> None:
    lab = Lab(hazards="error")
    client, server = lab.pair()
    target, _ = lab.pair("t")
    targets = lab.sockmap(name="targets")
    lab.put(targets, 0, target)
    lab.put(lab.sockmap(verdict(lambda skb: redirect(skb, targets, 0))), 0, server)
    with pytest.raises(HazardError, match="such as the end of a stream"):
        client.shutdown()


@pytest.mark.parametrize("shorten", ["change_tail", "adjust_room"])
def test_a_message_longer_than_its_buffer_kills_the_kernel(shorten: str) -> None:
    def cut(skb: Any) -> int:
        if shorten == "change_tail":
            helpers.skb_change_tail(None, skb, 1, 0)  # type: ignore[arg-type]
        else:
            helpers.skb_adjust_room(None, skb, -4, 0, 0)  # type: ignore[arg-type]
        return SK_PASS

    lab = Lab()
    client, server = lab.pair()
    lab.put(lab.sockmap(parser(whole), verdict(cut)), 0, server)
    with pytest.raises(HazardError, match="skb_to_sgvec"):
        client.send(b"hello")


def test_a_passed_buffer_that_grew_makes_later_ones_late() -> None:
    def grow(skb: Any) -> int:
        helpers.skb_change_tail(None, skb, 20, 0)  # type: ignore[arg-type]
        return SK_PASS

    lab = Lab()
    client, server = lab.pair()
    lab.put(lab.sockmap(verdict(grow)), 0, server)
    client.send(b"hello")
    assert server.recv() == b"hello" + bytes(15)
    client.send(b"again")
    assert errno_of(server.recv) == EAGAIN
    assert told(lab, "not delivered until more come")


# Messages


def message_lab(program: Any, **settings: Any) -> tuple[Lab, Socket, Socket]:
    lab = Lab(**settings)
    sender, receiver = lab.pair()
    lab.put(lab.sockmap(msg_verdict(program)), 0, sender)
    return lab, sender, receiver


def test_a_dropped_message_mutes_its_socket() -> None:
    asked: list[int] = []

    def refuse(msg: Any) -> int:
        asked.append(msg.field("size"))
        return SK_DROP if len(asked) == 1 else SK_PASS

    lab, sender, _ = message_lab(refuse)
    assert [errno_of(sender.send, b"one"), errno_of(sender.send, b"two")] == [EACCES, EACCES]
    assert asked == [3]
    assert told(lab, "the drop of a message is kept")
    asked.clear()
    _, sender, receiver = message_lab(refuse, hazards="ideal")
    assert errno_of(sender.send, b"one") == EACCES
    assert (sender.send(b"two"), receiver.recv()) == (3, b"two")


def test_the_first_drop_is_no_hazard_yet() -> None:
    _, sender, _ = message_lab(lambda msg: SK_DROP, hazards="error")
    assert errno_of(sender.send, b"one") == EACCES
    with pytest.raises(HazardError):
        sender.send(b"two")


def test_the_rest_of_a_partly_dropped_message_counts_as_sent() -> None:
    def refuse_three(msg: Any) -> int:
        msg.message.apply_bytes = 3
        return SK_DROP

    lab, sender, _ = message_lab(refuse_three)
    assert sender.send(b"abcdefg") == 4
    assert told(lab, "counted as sent")
    _, sender, _ = message_lab(refuse_three, hazards="ideal")
    assert errno_of(sender.send, b"abcdefg") == EACCES


def test_corking_what_an_apply_left_over_is_a_hazard() -> None:
    def both(msg: Any) -> int:
        if msg.field("size") >= 4:
            msg.message.apply_bytes = 4
        else:
            msg.message.cork_bytes = 4
        return SK_PASS

    lab, sender, receiver = message_lab(both)
    sender.send(b"abcdef")
    assert told(lab, "corking what an apply left over")
    lab, sender, receiver = message_lab(both, hazards="ideal")
    sender.send(b"abcdef")
    sender.send(b"gh")
    assert receiver.recv_all() == b"abcdefgh"
    assert not told(lab, "corking")


def test_a_redirect_that_outlives_its_run_is_told() -> None:
    for hazards in ("kernel", "ideal"):
        lab = Lab(hazards=hazards)
        sender, receiver = lab.pair()
        target, other = lab.pair("t")
        targets = lab.sockmap(name="targets")
        lab.put(targets, 0, target)

        def first_only(msg: Any, to: Any = targets) -> int:
            if msg.field("size") == 6:
                msg.message.apply_bytes = 4
                return redirect(msg, to, 0)
            msg.message.apply_bytes = 0
            return SK_PASS

        lab.put(lab.sockmap(msg_verdict(first_only)), 0, sender)
        sender.send(b"abcdef")
        lab.kernel.elapse(1_000_000_000)  # bytes that an apply covers wait for more to follow
        stays = hazards == "kernel"
        assert (other.recv_all(), receiver.recv_all()) == ((b"abcdef", b"") if stays else (b"abcd", b"ef"))
        assert told(lab, "holds for a part that the program only passed") == stays


# Leaving maps


def test_passed_bytes_are_lost_with_the_last_entry() -> None:
    lab = Lab()
    client, server = lab.pair()
    watched = lab.sockmap(verdict(passing))
    lab.put(watched, 0, server)
    client.send(b"hello")
    watched.remove(bytes(4))
    assert errno_of(server.recv) == EAGAIN
    assert told(lab, "lost with the socket's last entry")


def test_bytes_that_a_closing_application_left_are_no_hazard() -> None:
    lab = Lab(hazards="error")
    client, server = lab.pair()
    lab.put(lab.sockmap(verdict(passing)), 0, server)
    client.send(b"hello")
    server.close()
    assert client.recv() == b""


# What the model itself refuses


def test_redirects_that_go_round_in_a_circle_end() -> None:
    lab = Lab()
    client, server = lab.pair()
    target, back = lab.pair("t")
    targets = lab.sockmap(name="targets")
    lab.put(targets, 0, target)
    watched = lab.sockmap(verdict(lambda skb: redirect(skb, targets, 0)))
    lab.put(watched, 0, server)
    lab.put(watched, 1, back)
    with pytest.raises(SimulationError, match="in a circle"):
        client.send(b"hello")


def test_ktls_is_refused() -> None:
    client, _ = Lab().pair()
    with pytest.raises(SimulationError, match="no kTLS"):
        client.enable_ktls()


def test_ingress_redirects_are_read_in_order() -> None:
    lab = Lab()
    client, server = lab.pair()
    target, _ = lab.pair("t")
    targets = lab.sockmap(name="targets")
    lab.put(targets, 0, target)
    lab.put(lab.sockmap(verdict(lambda skb: redirect(skb, targets, 0, INGRESS))), 0, server)
    for part in (b"one", b"two", b"three"):
        client.send(part)
    assert (target.peek(4), target.recv(4), target.recv_all()) == (b"onet", b"onet", b"wothree")


def held_up(content: bytes) -> tuple[Lab, Socket, Socket, int]:
    """A sender whose verdict refuses what begins with `!`, its reader, and how much of `content` it took in the end."""
    lab = Lab(send_buffer=4096, receive_buffer=4096)
    sender, reader = lab.pair()
    judge = msg_verdict(lambda msg: SK_DROP if msg.message.content().startswith(b"!") else SK_PASS)
    lab.put(lab.sockmap(judge), 0, sender)
    while (taken := sender.send(content)) == len(content):
        pass
    reader.recv_all()
    return lab, sender, reader, taken


def test_the_rest_of_a_message_goes_by_the_verdict_that_it_got() -> None:
    content = bytes(range(250)) * 4
    lab, sender, reader, taken = held_up(content)
    assert sender.send(content[taken : taken + 10]) == 10
    assert sender.send(content[taken + 10 :]) == len(content) - taken - 10
    assert reader.recv_all() == content[taken:]
    assert not told(lab, "")


@pytest.mark.parametrize("more", [b"!", b"other"])
def test_more_than_the_rest_goes_unjudged(more: bytes) -> None:
    content = bytes(range(250)) * 4
    lab, sender, _, taken = held_up(content)
    sender.send(content[taken:] + more)
    assert told(lab, "passed unjudged")


def test_something_else_than_the_rest_goes_unjudged_once() -> None:
    lab, sender, reader, _ = held_up(b"x" * 1000)
    assert sender.send(b"!") == 1
    assert reader.recv_all() == b"!"
    assert errno_of(sender.send, b"!") == EACCES
    assert told(lab, "passed unjudged")
