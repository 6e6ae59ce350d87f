"""TCP without programs: bytes, segments, the end of the stream, resets."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.runtime.sockets_kit import Lab, watching


def test_bytes_arrive_and_partial_reads_leave_the_rest() -> None:
    client, server = Lab().pair()
    assert client.send(b"hello") == 5
    assert server.pending == 5
    assert server.peek(3) == b"hel"
    assert server.recv(2) == b"he"
    assert server.recv(100) == b"llo"
    with pytest.raises(BlockingIOError) as caught:
        server.recv(1)
    assert caught.value.errno == errno.EAGAIN


def test_one_read_takes_several_segments() -> None:
    client, server = Lab().pair()
    client.sendmsg([b"ab", b"cd"], segments=[1, 2])
    client.send(b"ef")
    assert server.recv(100) == b"abcdef"


def test_end_of_stream_after_the_bytes_and_again() -> None:
    client, server = Lab().pair()
    client.send(b"last")
    client.shutdown()
    assert server.state == "CLOSE_WAIT"
    assert client.state == "FIN_WAIT2"
    assert [server.recv(100), server.recv(100), server.recv(100)] == [b"last", b"", b""]
    assert server.send(b"back") == 4
    assert client.recv(10) == b"back"
    with pytest.raises(BrokenPipeError):
        client.send(b"more")


def test_both_ends_shut_down() -> None:
    client, server = Lab().pair()
    client.shutdown()
    server.shutdown()
    assert (client.state, server.state) == ("CLOSE", "CLOSE")
    assert (client.recv(1), server.recv(1)) == (b"", b"")


def test_close_with_unread_bytes_resets() -> None:
    client, server = Lab().pair()
    client.send(b"never read")
    server.close()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    assert client.recv(1) == b""  # the error is told once
    with pytest.raises(BrokenPipeError):
        client.send(b"x")


def test_sending_to_a_closed_end_succeeds_once() -> None:
    client, server = Lab().pair()
    server.close()
    assert client.recv(1) == b""
    assert client.send(b"into the void") == 13
    with pytest.raises(BrokenPipeError):
        client.send(b"again")


def test_a_closed_socket_is_a_bad_descriptor() -> None:
    client, _ = Lab().pair()
    client.close()
    client.close()
    for act in (lambda: client.send(b"x"), lambda: client.recv(1), lambda: client.pending, client.shutdown):
        with pytest.raises(OSError) as caught:
            act()
        assert caught.value.errno == errno.EBADF


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=8), st.lists(st.integers(1, 20), max_size=20))
def test_any_segmentation_gives_the_same_stream(parts: list[bytes], sizes: list[int]) -> None:
    client, server = Lab().pair()
    for part in parts:
        client.send(part, segments=sizes, mss=7)
    assert server.recv_all() == b"".join(parts)


@given(st.integers(1, 300), st.lists(st.integers(1, 60), max_size=6), st.integers(1, 60))
def test_segments_have_the_sizes_asked_for(length: int, sizes: list[int], mss: int) -> None:
    lab = Lab()
    seen: list[int] = []
    client, server = lab.pair()
    lab.put(lab.sockmap(watching(seen)), 0, server)
    client.send(bytes(length), segments=sizes, mss=mss)
    assert sum(seen) == length
    assert all(size == mss for size in seen[len(sizes) : -1])
    assert seen[: len(sizes)][:-1] == sizes[: len(seen[: len(sizes)][:-1])]
