"""Many sockets in one map: what they cost, and that each gets its message."""

from __future__ import annotations

from bench.sockets import many, throughput

#: Bytes that an idle socket may take.
MOST = 4096


def test_an_idle_socket_is_small_and_each_gets_its_message() -> None:
    costs = many(1000)
    assert costs.sockets == 1000
    assert 500 < costs.bytes_each <= MOST


def test_redirected_bytes_are_counted() -> None:
    assert throughput(64_000, 64).messages_a_second > 0
