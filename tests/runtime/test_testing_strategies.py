"""The strategies: what they draw is what they say, and sends as it says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from skverdict.runtime import Simulator
from skverdict.runtime.testing.strategies import (
    Connection,
    Stream,
    connections,
    length_prefixed,
    messages,
    segmentations,
    streams,
    terminated,
)

from tests.runtime.replay_kit import PASS_ALL, compiled

POLICY = compiled(f"sockets = SockMap(max_entries=8)\n{PASS_ALL}")


@given(st.data(), st.binary(max_size=40), st.lists(st.integers(0, 40)))
def test_segments_are_all_of_the_content(data: st.DataObject, content: bytes, boundaries: list[int]) -> None:
    sizes = data.draw(segmentations(content, boundaries))
    assert sum(sizes) == len(content)
    assert all(size >= 1 for size in sizes)


@given(messages(length_prefixed(2, "little", whole=True)))
def test_a_length_counts_what_it_says(found: list[bytes]) -> None:
    assert all(int.from_bytes(each[:2], "little") == len(each) for each in found)


@given(messages(length_prefixed(4)))
def test_a_length_counts_the_body(found: list[bytes]) -> None:
    assert all(int.from_bytes(each[:4], "big") == len(each) - 4 for each in found)


@given(messages(terminated(b"\r\n"), bodies=st.lists(st.sampled_from(b"\r\na")).map(bytes)))
def test_an_end_is_only_at_the_end(found: list[bytes]) -> None:
    assert all(each.find(b"\r\n") == len(each) - 2 for each in found)


@given(messages())
def test_no_message_is_empty(found: list[bytes]) -> None:
    assert found and all(found)


@given(streams(length_prefixed()))
def test_a_stream_arrives_in_its_segments(stream: Stream) -> None:
    simulator = Simulator(POLICY)
    client, server = simulator.tcp_pair()
    simulator.attach("sockets", verdict="verdict")
    simulator.maps["sockets"][0] = server
    assert stream.send(client) == len(stream.content)
    assert [run.length for run in simulator.trace.runs("verdict")] == stream.segments
    assert server.recv_all() == stream.content == b"".join(stream.messages)


@given(connections())
def test_connections_can_be_opened(connection: Connection) -> None:
    client, server = connection.open(Simulator(POLICY))
    assert (client.local_port, server.local_port) == (connection.client_port, connection.server_port)
    client.send(b"x")
    assert server.recv(9) == b"x"


@pytest.mark.parametrize(
    "make", [lambda: length_prefixed(4, "middle"), lambda: terminated(b"")], ids=["byte order", "end"]
)
def test_what_cannot_be_is_refused(make: object) -> None:
    assert callable(make)
    with pytest.raises(ValueError):
        make()
