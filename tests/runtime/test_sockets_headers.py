"""Headers of segments: what they hold, who hears of them, and what is thrown away because of them.

What kernels gave, callback by callback, is in tests/corpus/scenarios/headers.json.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from skverdict.runtime.helpers import header_options as helpers
from skverdict.runtime.helpers.socket_options import setsockopt
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.sockets import headers
from skverdict.runtime.sockets.errors import HazardError, SimulationError
from skverdict.runtime.sockets.network import Network
from skverdict.runtime.sockets.socket import Socket
from skverdict.runtime.trace import Ran

from tests.runtime.sockets_kit import Lab, Python

CONNECT, ACTIVE, PASSIVE, LISTEN, PARSE, LENGTH, WRITE = 3, 4, 5, 11, 13, 14, 15
WRITES, PARSE_ALL = 1 << 6, 1 << 4
MSS, TIME_STAMP = 2, 8
OPTION = b"\x63\x04\xaa\xbb"
NO_DELAY = (6, 1, b"\x01\0\0\0")

Act = Callable[[Any], object]


def asks(flags: int) -> Act:
    def act(skops: Any) -> None:
        skops.socket.callback_flags = flags

    return act


def connection(acts: dict[int, Act], family: str = "v4", **settings: Any) -> tuple[Lab, Socket, Socket]:
    """A connection whose callbacks do as `acts` says."""
    lab = Lab(**settings)

    def watch(skops: Any) -> int:
        acts.get(skops.op, lambda _: None)(skops)
        return 1

    lab.kernel.sock_ops.append(Python("sock_ops", watch))
    client, server = Network(lab.kernel).tcp_pair((None, None), (None, None), family, None, ("c", "s"))
    return lab, Socket(client), Socket(server)


def tagging(option: bytes = OPTION) -> dict[int, Act]:
    """The client writes `option` into each segment."""
    return {
        CONNECT: asks(WRITES),
        LENGTH: lambda skops: helpers.reserve_hdr_opt(None, skops, len(option), 0),  # type: ignore[arg-type]
        WRITE: lambda skops: helpers.store_hdr_opt(None, skops, option, 0),  # type: ignore[arg-type]
    }


def folded(content: bytes) -> int:
    """The sum of words of 16 bits with the carries added, 0xFFFF for what has a right checksum."""
    total = sum(int.from_bytes(content[at : at + 2], "big") for at in range(0, len(content), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


@pytest.mark.parametrize(("family", "version", "network"), [("v4", 4, 20), ("v6", 6, 40)])
def test_a_syn_packet_is_one(family: str, version: int, network: int) -> None:
    kept: list[headers.SynPacket] = []
    connection({LENGTH: lambda skops: kept.append(skops.syn), LISTEN: asks(WRITES)}, family)
    (syn,) = [each for each in kept if each is not None]
    assert [len(part) for part in syn] == [14, network, 40]
    assert syn.network[0] >> 4 == version
    if version == 4:
        assert folded(syn.network) == 0xFFFF
        assert int.from_bytes(syn.network[2:4], "big") == network + 40


def test_nobody_asks_and_no_header_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> bytes:
        raise AssertionError("a header is made")

    _, client, server = connection({})
    monkeypatch.setattr(headers, "header", never)
    client.send(b"hello")
    assert server.recv() == b"hello"
    client.close()
    server.close()


def test_numbers_and_time_stamps_go_on() -> None:
    seen: list[bytes] = []
    acts = {LISTEN: asks(PARSE_ALL), PARSE: lambda skops: seen.append(skops.segment.header)}
    lab, client, server = connection({**tagging(), **acts})
    client.send(b"hello")
    lab.kernel.elapse(5_000_000)
    client.send(b"again")
    sequences = [int.from_bytes(head[4:8], "big") for head in seen]
    assert [later - sequences[0] for later in sequences] == [0, 5]
    stamps = [headers.find(head[20:], TIME_STAMP) or b"" for head in seen]
    first, second = (int.from_bytes(stamp[2:6], "big") for stamp in stamps)
    assert second - first == 5
    assert server.recv() == b"helloagain"


def test_a_callback_stands_in_the_trace_with_its_header() -> None:
    lab, client, _ = connection(tagging())
    lab.kernel.trace.clear()
    client.send(b"hello")
    runs = [(run.verdict, run.length, run.readable) for run in lab.kernel.trace.of(Ran) if run.socket == "c"]
    assert runs == [("HDR_OPT_LEN_CB", 0, 0), ("HDR_OPT_LEN_CB", 5, 0), ("WRITE_HDR_OPT_CB", 41, 32)]


def test_only_the_bytes_of_a_header_that_are_written_can_be_read() -> None:
    lengths: list[tuple[int, int]] = []

    def write(skops: Any) -> None:
        before = len(skops.packet())
        helpers.store_hdr_opt(None, skops, OPTION, 0)  # type: ignore[arg-type]
        lengths.append((before, len(skops.packet())))

    connection({**tagging(), WRITE: write})
    assert lengths == [(40, 44), (32, 36)]


def test_a_connection_with_headers_is_not_taken_in_bulk() -> None:
    _, client, server = connection(tagging())
    assert not client.kernel_socket.idle  # type: ignore[attr-defined]
    assert server.kernel_socket.idle  # type: ignore[attr-defined]


BROKEN = b"\x63\x01\0\0\0\0"
LONG = BROKEN + bytes(14)
CHECKSUM = bytes((19, 18)) + bytes(16)


THROWN_AWAY = [(BROKEN, ("7.2",)), (LONG, ("6.12", "7.2")), (CHECKSUM, ("6.1", "6.12", "7.2"))]


@pytest.mark.parametrize(("option", "kernels"), THROWN_AWAY)
@pytest.mark.parametrize("kernel", ["6.1", "6.12", "7.2"])
def test_a_segment_that_is_thrown_away_is_out_of_scope(option: bytes, kernels: tuple[str, ...], kernel: str) -> None:
    acts = tagging(option)
    if kernel not in kernels:
        connection(acts, kernel=kernel)
        return
    told = f"c: Linux {kernel} throws away a segment with options .*{option[:2].hex()}"
    with pytest.raises(SimulationError, match=told):
        connection(acts, kernel=kernel)


@pytest.mark.parametrize("kernel", ["6.1", "6.12", "7.2"])
@pytest.mark.parametrize("callback", [LENGTH, WRITE])
def test_no_delay_while_a_header_is_made(kernel: str, callback: int) -> None:
    gave: list[object] = []

    def act(skops: Any) -> None:
        tagging()[callback](skops)
        if skops.segment.payload:
            try:
                gave.append(setsockopt(call, skops, *NO_DELAY))
            except KernelError as error:
                gave.append(error.number)

    class call:
        class memory:
            order = "little"

    _, client, _ = connection({**tagging(), callback: act}, kernel=kernel)
    if kernel == "7.2":
        client.send(b"x")
        assert gave == [Errno.EOPNOTSUPP]
    else:
        with pytest.raises(HazardError, match="TCP_NODELAY, set while a header is made"):
            client.send(b"x")


def well_formed(kind: int, length: int) -> bytes:
    return bytes((kind, length)) + bytes(length - 2)


KINDS = st.integers(2, 255).filter(lambda kind: kind not in headers.EXPERIMENTAL)
LISTS = st.lists(st.one_of(st.just(b"\x01"), st.builds(well_formed, KINDS, st.integers(2, 10))), max_size=6)


@given(LISTS, KINDS)
def test_an_option_is_found_where_it_is(options: list[bytes], kind: int) -> None:
    of_kind = [option for option in options if option[0] == kind]
    assert headers.find(b"".join(options), kind) == (of_kind[0] if of_kind else None)


@given(st.binary(max_size=40), st.integers(2, 255), st.sampled_from([b"", b"\0\1", b"\0\1\2\3"]))
def test_any_bytes_are_searched(options: bytes, kind: int, magic: bytes) -> None:
    try:
        found = headers.find(options, kind, magic)
    except KernelError as error:
        assert error.number is Errno.EFAULT
    else:
        assert found is None or (found in options and found[0] == kind and found[1] == len(found))
    for kernel in ("6.1", "6.12", "7.2"):
        headers.has_unknown(options, kernel)
        headers.refused(options, kernel)


@pytest.mark.parametrize("asked", [0, 1000])
def test_both_ends_tell_of_the_segments_they_want(asked: int) -> None:
    sizes: list[bytes | None] = []

    def note(skops: Any) -> None:
        sizes.append(headers.find(skops.segment.header[20:], MSS))

    def ask(skops: Any) -> None:
        skops.socket.options = {(6, 2): asked} if asked else None

    acts = {CONNECT: ask, ACTIVE: note, LENGTH: lambda skops: sizes.append(headers.find(skops.syn.tcp[20:], MSS))}
    connection({**acts, LISTEN: asks(WRITES)})
    told = (asked or 65495).to_bytes(2, "big")
    assert sizes == [b"\x02\x04" + told, b"\x02\x04\xff\xd7"]
