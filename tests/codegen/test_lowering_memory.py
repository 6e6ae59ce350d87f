"""Locals, structs, arrays, copies and packet views: the right bytes at the right place, in few accesses."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skverdict.codegen import Target
from skverdict.codegen.instruction_set import operation
from skverdict.codegen.object import Program
from skverdict.dsl.ir.module import Function, Local, Map, Value
from skverdict.dsl.ir.types import (
    BE16,
    BE32,
    BOOL,
    I32,
    U8,
    U16,
    U32,
    U64,
    Array,
    Pointer,
    Space,
    Struct,
    Type,
    lay_out,
    size_of,
)

from tests.codegen.ir_kit import ProgramBuilder, compiled, run_on

STACK = 10
MIXED = lay_out("Mixed", [("a", U8), ("b", U32), ("c", U16), ("d", BOOL), ("e", U64)])
PACKED = lay_out("Packed", [("kind", U8), ("length", U32), ("serial", U16)], packed=True)
VALUES = Map("values", "hash", U32, MIXED, 16)

targets = pytest.mark.parametrize(
    "target", (Target("v1"), Target("v3"), Target("v4"), Target("v3", "big")), ids=repr
)


def sizes(program: Program, family: str) -> list[int]:
    """The sizes of all loads or stores that do not go through the frame pointer, in program order."""
    found = []
    for instruction in program.instructions.values():
        row = operation(instruction)
        base = instruction.src if family == "load" else instruction.dst
        if row.family == family and base != STACK:
            found.append(row.size)
    return found


def viewing(target: Type, name: str = "main", **about: object) -> tuple[ProgramBuilder, Value]:
    """A program with a view of the packet's start; without one it answers 0."""
    b = ProgramBuilder(name, **about)  # type: ignore[arg-type]
    return b, b.view(target)


def finish(b: ProgramBuilder) -> Function:
    b.answer(1)
    b.block("missing")
    b.answer(0)
    return b.function


@targets
def test_members_are_where_c_puts_them(target: Target) -> None:
    b, view = viewing(MIXED)
    for number, name in enumerate("abce"):
        member = b.member(view, name)
        assert isinstance(member.type, Pointer)
        b.do("store", member, b.const(member.type.target, number + 1))
    b.do("store", b.member(view, "d"), b.const(BOOL, 1))
    packet = bytearray(size_of(MIXED))

    run_on(compiled(finish(b), target=target), "main", packet)

    order = "<" if target.endian == "little" else ">"
    assert packet == struct.pack(f"{order}BxxxIH?xxxxxQ", 1, 2, 3, True, 4)


@targets
def test_a_bool_is_true_for_every_byte_but_zero(target: Target) -> None:
    b, view = viewing(MIXED)
    b.do("store", b.member(view, "a"), b.get(U8, "convert", b.load(b.member(view, "d"))))
    object_ = compiled(finish(b), target=target)
    for byte in (0, 1, 2, 255):
        packet = bytearray(size_of(MIXED))
        packet[10] = byte
        run_on(object_, "main", packet)
        assert packet[0] == (byte != 0)


@targets
@settings(max_examples=30, deadline=None)
@given(content=st.binary(min_size=24, max_size=24), index=st.integers(0, 255))
def test_elements(target: Target, content: bytes, index: int) -> None:
    """`words[index & 3]`, as stored, copied and read back from the stack."""
    words = Local("words", Array(U32, 4))
    b, view = viewing(
        lay_out("Packet", [("words", Array(U32, 4)), ("index", U8), ("out", U32)]), locals=[words]
    )
    local = b.address(words)
    b.do("copy", local, b.member(view, "words"))
    masked = b.get(U8, "and", b.load(b.member(view, "index")), b.const(U8, 3))
    b.do("store", b.member(view, "out"), b.load(b.get(Pointer(U32, Space.STACK), "element", local, masked)))
    packet = bytearray(content)
    packet[16] = index

    run_on(compiled(finish(b), target=target), "main", packet)

    assert packet[20:24] == content[4 * (index & 3) :][:4]


@targets
@pytest.mark.parametrize("space", ["packet", "stack"])
@settings(max_examples=20, deadline=None)
@given(content=st.binary(min_size=24, max_size=24), offset=st.integers(0, 15), more=st.integers(0, 7))
def test_parts(target: Target, space: str, content: bytes, offset: int, more: int) -> None:
    """Two bytes at any offset, in network order, from the packet and from a copy on the stack."""
    words = Local("words", Array(U8, 24))
    b, base = viewing(Array(U8, 24), locals=[words])
    if space == "stack":
        b.do("copy", b.address(words), base)
        base = b.address(words)
    index = b.load(b.get(Pointer(U8, Space(space)), "part", base, offset=23))
    index = b.get(U8, "and", index, b.const(U8, 7))
    found = b.load(b.get(Pointer(BE16, Space(space)), "part", base, index, offset=offset))
    b.do("return", b.get(I32, "convert", b.get(U16, "swap", found)))
    b.block("missing")
    b.answer(0)
    packet = bytearray(content[:23] + bytes([more]))

    result = run_on(compiled(b.function, target=target), "main", packet).value

    assert result & 0xFFFFFFFF == int.from_bytes(packet[offset + more : offset + more + 2], "big")


@targets
def test_constants_by_byte_order(target: Target) -> None:
    b = ProgramBuilder("main")
    b.do("return", b.get(I32, "const.order", little=-3, big=70))
    value = run_on(compiled(b.function, target=target), "main", bytearray()).value & 0xFFFFFFFF
    assert value == (0xFFFFFFFD if target.endian == "little" else 70)


@targets
def test_zero_clears_padding_too(target: Target) -> None:
    """The whole of a cleared local is given to the kernel, so every byte must have been written."""
    key = Local("key", MIXED)
    b = ProgramBuilder("main", locals=[key])
    b.do("local.zero", local="key")
    b.do("store", b.member(b.address(key), "b"), b.const(U32, 7))
    words = b.get(Pointer(Array(U64, 3), Space.STACK), "local.address", local="key")
    total = b.const(U64, 0)
    for index in range(3):
        element = b.get(Pointer(U64, Space.STACK), "element", words, b.const(U32, index))
        total = b.get(U64, "or", total, b.load(element))
    b.do("return", b.get(I32, "convert", b.get(U64, "shr", total, b.const(U64, 32))))
    object_ = compiled(b.function, target=target)
    assert run_on(object_, "main", bytearray()).value & 0xFFFFFFFF == (7 if target.endian == "little" else 0)


@targets
def test_a_packed_struct_of_the_packet_takes_one_access_a_member(target: Target) -> None:
    b, view = viewing(PACKED)
    b.do("store", b.member(view, "length"), b.load(b.member(view, "length")))
    length = b.load(b.member(view, "length"))
    b.do("store", b.member(view, "length"), b.get(U32, "add", length, b.const(U32, 1)))
    program = compiled(finish(b), target=target).programs["main"]
    assert sizes(program, "load") == [4, 4, 4]
    assert sizes(program, "store") == [4]


@targets
def test_a_packed_struct_on_the_stack_is_accessed_aligned(target: Target) -> None:
    """The verifier refuses a misaligned access of the stack on every machine."""
    key = Local("key", PACKED)
    b = ProgramBuilder("main", locals=[key])
    b.do("local.zero", local="key")
    length = b.get(U32, "context.load", b.context, field="len")
    b.do("store", b.member(b.address(key), "length"), length)
    b.get(
        Pointer(MIXED, Space.MAP_VALUE, nullable=True),
        "call.helper",
        b.map("values"),
        b.address(key),
        helper="bpf_map_lookup_elem",
    )
    b.answer(1)
    program = compiled(b.function, target=target, maps=[VALUES]).programs["main"]
    for instruction in program.instructions.values():
        row = operation(instruction)
        if row.family == "store" and instruction.dst == STACK:
            assert instruction.offset % row.size == 0


@targets
@pytest.mark.parametrize("size", (1, 7, 8, 20, 64, 500))
def test_copies_are_whole(target: Target, size: int) -> None:
    buffer = Local("buffer", Array(U8, size))
    packet_type = lay_out("Packet", [("one", Array(U8, size)), ("two", Array(U8, size))])
    b, view = viewing(packet_type, locals=[buffer])
    b.do("copy", b.address(buffer), b.member(view, "one"))
    b.do(
        "store",
        b.get(Pointer(U8, Space.PACKET), "element", b.member(view, "one"), b.const(U32, 0)),
        b.const(U8, 0),
    )
    b.do("copy", b.member(view, "two"), b.address(buffer))
    content = bytes(range(256)) * 2
    packet = bytearray(content[:size] + bytes(size))

    run_on(compiled(finish(b), target=target), "main", packet)

    assert packet == b"\0" + content[1:size] + content[:size]


def test_a_large_copy_needs_no_function() -> None:
    huge = lay_out("Huge", [("bytes", Array(U8, 4000))])
    b, view = viewing(lay_out("Packet", [("one", huge), ("two", huge)]))
    b.do("copy", b.member(view, "two"), b.member(view, "one"))
    packet = bytearray(bytes(range(250)) * 16 + bytes(4000))
    run_on(compiled(finish(b)), "main", packet)
    assert packet[:4000] == packet[4000:] == bytes(range(250)) * 16


def struct_view(offset: int, struct_: Struct) -> ProgramBuilder:
    b = ProgramBuilder("main")
    view = b.view(struct_, offset)
    b.do("return", b.get(I32, "convert", b.load(b.member(view, struct_.members[-1].name))))
    b.block("missing")
    b.answer(-1)
    return b


@targets
@pytest.mark.parametrize("offset", (0, 3, 100))
def test_a_view_is_there_when_all_its_bytes_are(target: Target, offset: int) -> None:
    object_ = compiled(
        struct_view(offset, lay_out("Header", [("kind", U16), ("length", U16)])).function, target=target
    )
    order = target.endian
    assert order in ("little", "big")
    for size in (0, offset, offset + 3, offset + 4, offset + 50):
        packet = bytearray(size)
        if size >= offset + 4:
            packet[offset + 2 : offset + 4] = (513).to_bytes(2, "little" if order == "little" else "big")
        answer = run_on(object_, "main", packet).value & 0xFFFFFFFF
        assert answer == (513 if size >= offset + 4 else 0xFFFFFFFF)


def view_at(distance: Type, limit: int, offset: int = 0) -> Function:
    """Answers the byte at `offset` plus the number of the packet's first bytes."""
    b = ProgramBuilder("main")
    start = b.view(distance)
    number = b.load(start)
    if distance != U32:
        number = b.get(U32, "convert", number)
    view = b.get(
        Pointer(U8, Space.PACKET, nullable=True), "packet.view", b.context, number, offset=offset, limit=limit
    )
    b.do("branch", b.get(BOOL, "is_null", view), to=("missing", "inside"))
    b.block("inside")
    b.do("return", b.get(I32, "convert", b.load(b.get(Pointer(U8, Space.PACKET), "assume_non_null", view))))
    b.block("missing")
    b.answer(-1)
    return b.function


@targets
@pytest.mark.parametrize(("distance", "limit"), ((U8, 255), (U16, 65535), (U32, 2**32 - 1)))
def test_a_view_at_a_distance_from_the_packet(target: Target, distance: Type, limit: int) -> None:
    object_ = compiled(view_at(distance, limit, offset=4), target=target)
    size = size_of(distance)
    top = (1 << 8 * size) - 1
    order = "little" if target.endian == "little" else "big"
    for number in (0, 1, 99, 250, top - 1, top):
        for length in (4 + number % 256, 5 + number % 256, 300):
            packet = bytearray(length)
            packet[:size] = number.to_bytes(size, order)
            expected = packet[4 + number] if 4 + number < length else 0xFFFFFFFF
            assert run_on(object_, "main", packet).value & 0xFFFFFFFF == expected


def test_nothing_lies_beyond_what_the_verifier_takes() -> None:
    """Not even where the packet is longer: the verifier stops at 65535 bytes."""
    packet = bytearray(70000)
    assert (
        run_on(compiled(struct_view(65535, MIXED).function), "main", packet).value & 0xFFFFFFFF == 0xFFFFFFFF
    )
    far = compiled(view_at(U32, 2**32 - 1))
    for number, inside in ((65533, True), (65534, True), (65535, False), (66000, False)):
        packet[:4] = number.to_bytes(4, "little")
        assert (run_on(far, "main", packet).value & 0xFFFFFFFF == 0) is inside


def test_two_views_load_the_packet_pointers_once() -> None:
    b = ProgramBuilder("main")
    b.view(U8, found="more")
    b.get(U64, "call.helper", helper="bpf_ktime_get_ns")
    view = b.view(BE32, 8)
    b.do("branch", b.get(BOOL, "eq", b.load(view), b.const(BE32, 0x47455420)), to=("missing", "end"))
    b.block("end")
    program = compiled(finish(b)).programs["main"]
    assert sorted(sizes(program, "load")) == [4, 4, 4]
