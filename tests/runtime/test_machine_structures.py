"""Contexts as programs read and write them, against what the kernels' verifiers accept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from skverdict.dsl.catalogue.contexts import CONTEXTS
from skverdict.dsl.catalogue.programs import KERNELS, PROGRAMS
from skverdict.runtime.machine.fault import Fault, MemoryAccess
from skverdict.runtime.machine.structures import layout

from tests.dsl.measured import rows
from tests.runtime.machine_kit import (
    EXIT,
    Numbers,
    TestContext,
    alu,
    environment,
    execute,
    load_,
    mov,
    store,
)

U32 = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("kind", PROGRAMS)
def test_exactly_the_accesses_of_the_kernel_are_permitted(kind: str, kernel: str) -> None:
    table = layout(PROGRAMS[kind].context, kind, kernel)
    for access, permitted in (("read", table.reads), ("write", table.writes)):
        measured = {
            (int(row["offset"]), int(row["size"]))
            for row, measured_kind, measured_kernel in rows("context-access.csv")
            if (measured_kind, measured_kernel, row["access"]) == (kind, kernel, access)
        }
        assert set(permitted) == measured


def read(offset: int, size: int, endian: str, kind: str = "stream_verdict", **fields: object) -> int:
    context = TestContext(kind, **fields)
    return execute([load_(0, 1, offset, size), EXIT], context, endian=endian).value


@given(value=U32, endian=st.sampled_from(("little", "big")), place=st.integers(0, 3))
def test_parts_of_a_number_are_its_bytes(value: int, endian: str, place: int) -> None:
    content = value.to_bytes(4, endian)  # type: ignore[arg-type]
    assert read(0, 4, endian, len=value) == value
    assert read(place, 1, endian, len=value) == content[place]
    half = place // 2 * 2
    assert read(half, 2, endian, len=value) == int.from_bytes(content[half : half + 2], endian)  # type: ignore[arg-type]


@pytest.mark.parametrize(("endian", "expected"), [("little", 0x409C0000), ("big", 0x00009C40)])
def test_a_network_order_number_keeps_its_bytes(endian: str, expected: int) -> None:
    # Port 40000 as a little-endian kernel shows it.
    assert read(132, 4, endian, remote_port=40000) == expected
    assert read(60, 4, endian, "msg_verdict", remote_port=40000) == expected


@pytest.mark.parametrize("endian", ["little", "big"])
def test_a_host_order_number_is_the_same_everywhere(endian: str) -> None:
    assert read(136, 4, endian, local_port=10000) == 10000


@pytest.mark.parametrize(("endian", "expected"), [("little", 0x0008), ("big", 0x0800)])
def test_a_protocol_is_in_network_order_in_its_low_half(endian: str, expected: int) -> None:
    assert read(16, 4, endian, protocol=0x0800) == expected


@pytest.mark.parametrize("endian", ["little", "big"])
def test_elements_of_arrays_and_two_of_them_at_once(endian: str) -> None:
    words = (1, 2, 3, 4, 5)
    assert read(56, 4, endian, cb=words) == 3
    pair = b"".join(word.to_bytes(4, endian) for word in (3, 4))  # type: ignore[arg-type]
    assert read(56, 8, endian, cb=words) == int.from_bytes(pair, endian)  # type: ignore[arg-type]
    address = (0x20010DB8, 0, 0, 1)
    expected = address[3].to_bytes(4, "big")
    assert read(112, 4, endian, remote_ip6=address) == int.from_bytes(expected, endian)  # type: ignore[arg-type]


def test_a_write_reaches_its_field() -> None:
    context = TestContext("sock_ops", op=3, reply=0)
    execute([store(1, 4, 4, imm=-1), mov(0, 1), EXIT], context)
    assert context.fields["reply"] == 0xFFFFFFFF


@pytest.mark.parametrize(
    ("offset", "size", "reason"),
    [
        (8, 4, "field mark cannot be read by a stream_verdict program"),
        (92, 2, "field remote_ip4 cannot be read by 2 bytes at offset 92"),
        (1, 4, "field len cannot be read by 4 bytes at offset 1"),
        (192, 4, "has no field at offset 192"),
        (-4, 4, "has no field at offset -4"),
    ],
)
def test_what_cannot_be_read_is_a_fault(offset: int, size: int, reason: str) -> None:
    with pytest.raises(Fault) as caught:
        execute([load_(0, 1, offset, size), EXIT])
    assert caught.value.reason == f"__sk_buff {reason}"
    assert caught.value.access == MemoryAccess("__sk_buff", offset, size)


def test_what_cannot_be_written_is_a_fault() -> None:
    with pytest.raises(Fault) as caught:
        execute([store(1, 0, 4, imm=0), EXIT])
    assert caught.value.reason == "__sk_buff field len cannot be written by a stream_verdict program"


def test_a_field_that_a_kernel_does_not_have() -> None:
    context = TestContext("sock_ops", skb_hwtstamp=1)
    code = [load_(0, 1, 216, 8), EXIT]
    assert execute(code, context).value == 1
    with pytest.raises(Fault, match="field skb_hwtstamp cannot be read"):
        execute(code, context, surroundings=environment(kernel="6.1"))


def test_the_packet_is_fetched_once_and_bounds_agree() -> None:
    context = TestContext(packet=b"12345")
    code = [load_(2, 1, 76, 4), load_(0, 1, 80, 4), load_(3, 1, 76, 4), alu("sub", 0, src=3), EXIT]
    assert execute(code, context).value == 5
    assert context.packets == 1


def test_a_socket_pointer_is_null_or_leads_to_its_structure() -> None:
    code = [load_(2, 1, 168, 8), mov(0, 0), EXIT]
    assert execute([load_(0, 1, 168, 8), EXIT], TestContext()).value == 0
    socket = Numbers("bpf_sock", {"state": 10})
    follow = [load_(2, 1, 168, 8), load_(0, 2, 72, 4), EXIT]
    assert execute(follow, TestContext(socket=socket)).value == 10
    assert execute(code, TestContext(socket=socket)).value == 0
    same = [load_(2, 1, 168, 8), load_(0, 1, 168, 8), alu("sub", 0, src=2), EXIT]
    assert execute(same, TestContext(socket=socket)).value == 0


@pytest.mark.parametrize(
    ("kind", "offset"), [("stream_verdict", 168), ("msg_verdict", 72), ("sock_ops", 184)]
)
def test_a_buffers_socket_may_be_none_yet_and_shows_less(kind: str, offset: int) -> None:
    context = TestContext(kind, socket=Numbers("bpf_sock", {"protocol": 6}))
    code = [load_(2, 1, offset, 8), load_(0, 2, 12, 4), EXIT]
    if kind == "stream_verdict":
        with pytest.raises(Fault, match="sock_common has no field at offset 12"):
            execute(code, context)
    else:
        assert execute(code, context).value == 6


def accesses(table: str) -> set[tuple[int, int]]:
    """What a stream_verdict program may read of a structure behind a socket pointer."""
    assert layout(table, "stream_verdict", KERNELS[-1]).writes == {}
    return set(layout(table, "stream_verdict", KERNELS[0]).reads)


def test_of_a_socket_addresses_and_the_first_bytes_of_numbers_may_be_read() -> None:
    """The rules of bpf_sock_is_valid_access, written down once more."""
    expected = set()
    for size in (1, 2, 4):
        for offset in range(0, 80, size):
            field = offset // 4 * 4
            if field in (0, 16, 20):
                allowed = size == 4
            elif field == 48:
                allowed = offset == 48 or (offset, size) == (49, 1)
            elif 24 <= field < 44 or 52 <= field < 72:
                allowed = True
            else:
                allowed = offset == field
            if allowed:
                expected.add((offset, size))
    assert accesses("bpf_sock") == expected
    assert accesses("sock_common") == {each for each in expected if not 8 <= each[0] < 24}


def test_numbers_of_a_tcp_connection_are_read_whole() -> None:
    words = {(offset, 4) for offset in (*range(0, 80, 4), *range(96, 112, 4))}
    assert accesses("bpf_tcp_sock") == words | {(80, 8), (88, 8)}


@pytest.mark.parametrize("endian", ["little", "big"])
def test_a_port_in_network_order_is_read_by_two_bytes_or_with_the_zeros_behind_it(endian: str) -> None:
    socket = Numbers("bpf_sock", {"dst_port": 0x1234})
    spelled = int.from_bytes(b"\x12\x34", endian)  # type: ignore[arg-type]
    for size, expected in ((2, spelled), (4, spelled), (1, 0x12)):
        code = [load_(2, 1, 168, 8), load_(0, 2, 48, size), EXIT]
        assert execute(code, TestContext(socket=socket), endian=endian).value == expected


def test_a_negative_number_is_its_bits() -> None:
    socket = Numbers("bpf_sock", {"rx_queue_mapping": -1})
    code = [load_(2, 1, 168, 8), load_(0, 2, 76, 4), EXIT]
    assert execute(code, TestContext(socket=socket)).value == 0xFFFFFFFF


def test_every_context_has_a_layout() -> None:
    assert all(layout(program.context, kind, KERNELS[0]).reads for kind, program in PROGRAMS.items())
    assert {program.context for program in PROGRAMS.values()} <= set(CONTEXTS)
