"""Socket maps: what may be put in, what sockets inherit, and what leaving a map does.

What is said of Linux was seen on 6.1.192 and 7.2.13 in a guest.
"""

from __future__ import annotations

import errno

import pytest
from skverdict.runtime.machine.errno import KernelError
from skverdict.runtime.maps.base import BPF_EXIST, BPF_NOEXIST

from tests.runtime.sockets_kit import SK_DROP, SK_PASS, Lab, Python, key, msg_verdict, parser, verdict

dropping = verdict(lambda skb: SK_DROP)
passing = verdict(lambda skb: SK_PASS)
skb_passing = Python("skb_verdict", lambda skb: SK_PASS)
msg_passing = msg_verdict(lambda msg: SK_PASS)
measuring = parser(lambda skb: skb.field("len"))


def refusal(act) -> int:
    with pytest.raises(KernelError) as caught:
        act()
    return caught.value.errno


def test_lookup_gives_the_cookie() -> None:
    lab = Lab()
    client, server = lab.pair()
    made = lab.sockmap()
    lab.put(made, 3, server)
    assert int.from_bytes(made.read(key(3)), "little") == server.cookie != client.cookie
    assert refusal(lambda: made.read(key(2))) == errno.ENOENT
    assert refusal(lambda: made.read(key(9))) == errno.ENOENT


def test_small_values_hold_no_cookie() -> None:
    lab = Lab()
    made = lab.sockmap()
    made.spec = made.spec.__class__("map", 15, 4, 4, 4)
    lab.put(made, 0, lab.pair()[0])
    assert refusal(lambda: made.read(key(0))) == errno.ENOSPC
    assert refusal(lambda: made.read(key(1))) == errno.ENOSPC


def test_flags_and_bounds() -> None:
    lab = Lab()
    client, server = lab.pair()
    made = lab.sockmap()
    assert refusal(lambda: lab.put(made, 4, server)) == errno.E2BIG
    assert refusal(lambda: lab.put(made, 0, server, BPF_EXIST)) == errno.ENOENT
    lab.put(made, 0, server, BPF_NOEXIST)
    assert refusal(lambda: lab.put(made, 0, server, BPF_NOEXIST)) == errno.EEXIST
    lab.put(made, 0, client, BPF_EXIST)
    assert made.at(0) is client.kernel_socket
    assert refusal(lambda: lab.put(made, 0, server, 3)) == errno.EINVAL


def test_delete_of_nothing() -> None:
    lab = Lab()
    assert refusal(lambda: lab.sockmap().delete(key(0))) == errno.EINVAL
    assert refusal(lambda: lab.sockmap().delete(key(9))) == errno.EINVAL
    assert refusal(lambda: lab.sockhash().delete(bytes(8))) == errno.ENOENT


def test_walking_a_sockmap_meets_every_index() -> None:
    lab = Lab()
    made = lab.sockmap(entries=3)
    lab.put(made, 1, lab.pair()[0])
    assert list(made.keys()) == [key(0), key(1), key(2)]
    assert [made.next_key(None), made.next_key(key(0)), made.next_key(key(7))] == [key(0), key(1), key(0)]
    assert refusal(lambda: made.next_key(key(2))) == errno.ENOENT


def test_a_full_sockhash() -> None:
    lab = Lab()
    made = lab.sockhash(entries=2)
    sockets = [socket.kernel_socket for _ in range(2) for socket in lab.pair()]
    made.put(b"one.....", sockets[0])
    made.put(b"two.....", sockets[1])
    assert refusal(lambda: made.put(b"three...", sockets[2])) == errno.E2BIG
    assert sockets[2].psock is None
    made.put(b"two.....", sockets[2])
    assert made.socket(b"two.....") is sockets[2]
    assert sockets[1].psock is None
    made.delete(b"one.....")
    made.put(b"three...", sockets[3])
    assert set(made.keys()) == {b"two.....", b"three..."}


@pytest.mark.parametrize(
    ("first", "second", "busy"),
    [
        (passing, dropping, True),
        (passing, skb_passing, True),
        (skb_passing, passing, True),
        (skb_passing, skb_passing, True),
        (msg_passing, msg_passing, True),
        (passing, msg_passing, False),
        (msg_passing, passing, False),
        (measuring, measuring, True),
        (measuring, passing, False),
    ],
)
def test_a_second_map_may_not_bring_a_second_program(first: Python, second: Python, busy: bool) -> None:
    lab = Lab()
    _, server = lab.pair()
    lab.put(lab.sockmap(first), 0, server)
    other = lab.sockmap(second)
    if busy:
        assert refusal(lambda: lab.put(other, 0, server)) == errno.EBUSY
        assert other.at(0) is None
    else:
        lab.put(other, 0, server)


def test_the_same_socket_twice_in_one_map() -> None:
    lab = Lab()
    _, server = lab.pair()
    plain, watched = lab.sockmap(), lab.sockmap(passing)
    for index in (0, 1, 0):
        lab.put(plain, index, server)
    assert plain.at(0) is plain.at(1) is server.kernel_socket
    lab.put(watched, 0, server)
    for index in (0, 1):
        assert refusal(lambda index=index: lab.put(watched, index, server)) == errno.EBUSY


def test_programs_attached_later_do_not_run() -> None:
    lab = Lab()
    client, server = lab.pair()
    made = lab.sockmap()
    lab.put(made, 0, server)
    made.programs.stream_verdict = dropping
    client.send(b"unseen")
    assert server.recv(10) == b"unseen"


def test_a_socket_keeps_the_program_that_the_map_has_no_more() -> None:
    lab = Lab()
    client, server = lab.pair()
    made = lab.sockmap(dropping)
    lab.put(made, 0, server)
    made.programs.stream_verdict = None
    client.send(b"dropped")
    with pytest.raises(BlockingIOError):
        server.recv(10)


def test_a_refused_put_leaves_the_programs_to_a_socket_in_another_map() -> None:
    """Linux: programs are inherited before the entry is looked at."""
    lab = Lab()
    client, server = lab.pair()
    _, other = lab.pair()
    watched, plain = lab.sockmap(dropping), lab.sockmap()
    lab.put(watched, 0, other)
    lab.put(plain, 0, server)
    assert refusal(lambda: lab.put(watched, 0, server, BPF_NOEXIST)) == errno.EEXIST
    client.send(b"seen all the same")
    with pytest.raises(BlockingIOError):
        server.recv(100)
    plain.delete(key(0))
    client.send(b"after")
    assert server.recv(100) == b"after"


def test_a_refused_put_leaves_nothing_to_a_socket_in_no_map() -> None:
    lab = Lab()
    client, server = lab.pair()
    _, other = lab.pair()
    watched = lab.sockmap(dropping)
    lab.put(watched, 0, other)
    assert refusal(lambda: lab.put(watched, 0, server, BPF_NOEXIST)) == errno.EEXIST
    client.send(b"unseen")
    assert server.recv(100) == b"unseen"


def test_leaving_one_of_two_maps_stops_that_maps_programs() -> None:
    lab = Lab()
    client, server = lab.pair()
    watched, plain = lab.sockmap(dropping), lab.sockmap()
    lab.put(plain, 0, server)
    lab.put(watched, 0, server)
    client.send(b"dropped")
    watched.delete(key(0))
    client.send(b"free")
    assert server.recv(100) == b"free"
    assert plain.at(0) is server.kernel_socket


def test_a_replaced_socket_is_an_ordinary_one_again() -> None:
    lab = Lab()
    client, server = lab.pair()
    _, other = lab.pair()
    watched = lab.sockmap(dropping)
    lab.put(watched, 0, server)
    lab.put(watched, 0, other)
    client.send(b"free")
    assert server.recv(100) == b"free"


def test_leaving_with_unread_bytes_ends_the_stream() -> None:
    """Linux: what was passed and not read is lost, and what comes later can never be read."""
    lab = Lab()
    client, server = lab.pair()
    watched = lab.sockmap(passing)
    lab.put(watched, 0, server)
    client.send(b"lost")
    watched.delete(key(0))
    assert server.pending == 4
    client.send(b"then")
    with pytest.raises(BlockingIOError):
        server.recv(100)
    assert server.pending == 8
    client.shutdown()
    assert [server.recv(100), server.recv(100)] == [b"", b""]


def test_a_closed_socket_leaves_all_its_maps() -> None:
    lab = Lab()
    client, server = lab.pair()
    first, second = lab.sockmap(), lab.sockhash()
    lab.put(first, 1, server)
    second.put(bytes(8), server.kernel_socket)
    server.close()
    assert (first.at(1), second.socket(bytes(8))) == (None, None)
    assert client.recv(1) == b""
    assert refusal(lambda: lab.put(first, 1, server)) == errno.EBADF


def test_a_connection_that_is_over_cannot_be_put_in() -> None:
    lab = Lab()
    client, server = lab.pair()
    client.shutdown()
    assert refusal(lambda: lab.put(lab.sockmap(), 0, server)) == errno.EOPNOTSUPP
