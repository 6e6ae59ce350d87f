"""Every access is to memory that is there, written, and writable where it is written; else it is a Fault."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from skverdict.codegen.instruction import Instruction
from skverdict.codegen.object import DataReference, DataSection, Program, SourceLine
from skverdict.runtime.machine.fault import Fault, MemoryAccess
from skverdict.runtime.machine.run import run, step_through
from skverdict.runtime.maps.array import ArrayMap
from skverdict.runtime.maps.hash import HashMap

from tests.runtime.machine_kit import (
    EXIT,
    M64,
    TestContext,
    alu,
    call,
    environment,
    execute,
    load_,
    loaded,
    mov,
    object_of,
    op,
    spec,
    store,
    wide,
)

ORDERS = st.sampled_from(("little", "big"))
SIZES = st.sampled_from((1, 2, 4, 8))
DATA, DATA_END = 76, 80


def fault(*instructions: Instruction, **about: object) -> Fault:
    """The Fault that running `instructions` ends in."""
    with pytest.raises(Fault) as caught:
        execute([*instructions, EXIT], **about)  # type: ignore[arg-type]
    return caught.value


@given(value=st.integers(0, M64), size=SIZES, order=ORDERS, place=st.integers(-512, -8))
def test_what_was_stored_is_loaded(value: int, size: int, order: str, place: int) -> None:
    code = [wide(1, value), store(10, place, size, src=1), load_(0, 10, place, size), EXIT]
    assert execute(code, endian=order).value == value % 256**size


@given(number=st.integers(-(2**31), 2**31 - 1), size=SIZES)
def test_a_stored_immediate_is_sign_extended_to_the_width(number: int, size: int) -> None:
    code = [store(10, -8, size, imm=number), load_(0, 10, -8, size), EXIT]
    assert execute(code).value == number % 256**size


@given(value=st.integers(0, M64), size=st.sampled_from((1, 2, 4)), order=ORDERS)
def test_sign_extending_load(value: int, size: int, order: str) -> None:
    code = [wide(1, value), store(10, -8, size, src=1), load_(0, 10, -8, size, signed=True), EXIT]
    (expected,) = struct.unpack({1: "b", 2: "h", 4: "i"}[size], (value % 256**size).to_bytes(size, "little"))
    assert execute(code, endian=order).value == expected % 2**64


@pytest.mark.parametrize(("order", "expected"), [("little", 0x0201), ("big", 0x0102)])
def test_bytes_lie_in_the_order_of_the_machine(order: str, expected: int) -> None:
    code = [store(10, -2, 1, imm=1), store(10, -1, 1, imm=2), load_(0, 10, -2, 2), EXIT]
    assert execute(code, endian=order).value == expected


@given(offset=st.integers(-530, 20), size=SIZES)
def test_the_stack_ends_at_its_bounds(offset: int, size: int) -> None:
    code = [store(10, offset, size, imm=0), mov(0, 0), EXIT]
    if -512 <= offset <= -size:
        assert execute(code).value == 0
    else:
        with pytest.raises(Fault) as caught:
            execute(code)
        assert caught.value.access == MemoryAccess("the stack", offset, size)
        assert f"r10{offset:+d}" in caught.value.reason


@given(written=st.sets(st.integers(0, 15)), start=st.integers(0, 15), size=SIZES)
def test_stack_bytes_are_read_only_after_they_were_written(written: set[int], start: int, size: int) -> None:
    code = [store(10, -16 + place, 1, imm=7) for place in written]
    code += [load_(0, 10, -16 + start, size), EXIT]
    wanted = set(range(start, start + size))
    if wanted <= written:
        assert execute(code).value == int.from_bytes(b"\7" * size, "little")
    else:
        with pytest.raises(Fault) as caught:
            execute(code)
        if max(wanted) < 16:
            assert f"r10{min(wanted - written) - 16} was never written" in caught.value.reason


@pytest.mark.parametrize("offset", [-8, 0, 16])
def test_null_and_what_is_near_it_is_named(offset: int) -> None:
    found = fault(mov(1, 0), load_(0, 1, offset, 4))
    assert found.reason == f"NULL dereference: the access is at NULL{offset:+d}"
    assert found.access == MemoryAccess("NULL", offset, 4)


def test_a_number_is_no_pointer() -> None:
    found = fault(wide(1, 0x7F0000001234), load_(0, 1, 0, 8))
    assert found.reason == "0x7f0000001234 is a number, not a pointer"


@pytest.mark.parametrize("register", [0, *range(2, 10)])
def test_a_register_is_read_only_after_it_was_written(register: int) -> None:
    other = 9 if register < 9 else 8
    for use in (
        alu("mov", other, src=register),
        alu("add", other, src=register),
        alu("add", other, bits=32, src=register),
        alu("add", register, imm=1),
        alu("neg", register),
        op("byte_order", "be16", dst=register),
        op("jump", "jeq", dst=register, imm=0, bits=64),
        op("jump", "jsgt", dst=other, src=register, bits=64),
        store(10, -8, 8, src=register),
        store(register, 0, 8, imm=0),
        load_(other, register, 0, 8),
    ):
        assert fault(mov(other, 1), use).reason == f"r{register} is used before it is written"


def test_r0_must_be_written_before_exit() -> None:
    assert fault().reason == "r0 is used before it is written"


def test_the_packet_ends_at_data_end() -> None:
    def code(offset: int) -> list[Instruction]:
        return [load_(2, 1, DATA, 4), load_(0, 2, offset, 1), EXIT]

    assert execute(code(2), TestContext(packet=b"abc")).value == ord("c")
    for offset in (3, -1):
        found = fault(*code(offset), context=TestContext(packet=b"abc"))
        assert found.access == MemoryAccess("the packet", offset, 1)


def test_bounds_of_the_packet_compare_and_subtract() -> None:
    code = [
        load_(2, 1, DATA, 4),
        load_(3, 1, DATA_END, 4),
        mov(0, 0),
        alu("mov", 4, src=2),
        alu("add", 4, imm=4),
        op("jump", "jgt", dst=4, src=3, offset=2, bits=64),
        alu("sub", 3, src=2),
        alu("mov", 0, src=3),
        EXIT,
    ]
    assert execute(code, TestContext(packet=b"abc")).value == 0
    assert execute(code, TestContext(packet=b"abcd")).value == 4


def test_a_write_to_the_packet_reaches_its_bytes() -> None:
    context = TestContext(packet=bytearray(b"abc"))
    execute([load_(2, 1, DATA, 4), store(2, 1, 1, imm=ord("X")), mov(0, 0), EXIT], context)
    assert context.content == b"aXc"


def test_a_read_only_packet_is_not_written() -> None:
    context = TestContext(packet=memoryview(b"abc"))
    found = fault(load_(2, 1, DATA, 4), store(2, 1, 1, imm=0), context=context)
    assert found.reason == "the packet is read-only"


def test_a_pointer_survives_in_memory() -> None:
    code = [
        load_(2, 1, DATA, 4),
        store(10, -8, 8, src=2),
        load_(3, 10, -8, 8),
        load_(0, 3, 0, 1),
        EXIT,
    ]
    assert execute(code, TestContext(packet=b"z")).value == ord("z")


def test_a_helper_that_moves_the_buffer_ends_its_pointers() -> None:
    def pull(call: object, context: TestContext, length: int) -> int:
        context.content = bytearray(b"pulled")
        return 0

    surroundings = environment(helpers={"bpf_skb_pull_data": pull})
    start = [alu("mov", 6, src=1), load_(7, 1, DATA, 4), mov(2, 6), call(39)]
    context = TestContext(packet=b"before")
    again = [load_(7, 6, DATA, 4), load_(0, 7, 0, 1), EXIT]
    assert execute([*start, *again], context, surroundings=surroundings).value == ord("p")
    found = fault(*start, load_(0, 7, 0, 1), context=TestContext(packet=b"b"), surroundings=surroundings)
    assert found.reason == (
        "the packet is no longer there: bpf_skb_pull_data at instruction 3 may have moved it"
    )


def lookup(*then: Instruction) -> list[Instruction]:
    """Look index 0 of map `m` up, and go on with r0 its value."""
    return [
        store(10, -4, 4, imm=0),
        alu("mov", 2, src=10),
        alu("add", 2, imm=-4),
        wide(1, 0),
        call(1),
        *then,
        EXIT,
    ]


AT = {3: "m"}


def test_a_map_value_is_memory_of_its_size() -> None:
    values = ArrayMap(spec(value=6))
    execute(lookup(store(0, 2, 4, imm=0x01020304), mov(0, 0)), maps={"m": values}, at=AT)
    assert values.read(bytes(4)) == b"\0\0\4\3\2\1"
    for offset in (3, -1, 6):
        found = fault(*lookup(store(0, offset, 4, imm=0)), maps={"m": values}, at=AT)
        assert found.access == MemoryAccess("a value of map m", offset, 4)


def test_a_missing_entry_is_null() -> None:
    found = fault(*lookup(load_(0, 0, 0, 4)), maps={"m": HashMap(spec())}, at=AT)
    assert found.reason == "NULL dereference: the access is at NULL+0"


def test_a_deleted_entry_stays_readable_until_the_run_ends() -> None:
    entries = HashMap(spec())
    entries.update(bytes(4), bytes(range(8)))
    again = [alu("mov", 2, src=10), alu("add", 2, imm=-4), wide(1, 0), call(3)]
    code = lookup(alu("mov", 6, src=0), *again, load_(0, 6, 0, 1), alu("add", 0, imm=1))
    assert execute(code, maps={"m": entries}, at={3: "m", 9: "m"}).value == 1
    assert list(entries.keys()) == []


def test_two_lookups_of_an_entry_give_one_pointer() -> None:
    again = [alu("mov", 2, src=10), alu("add", 2, imm=-4), wide(1, 0), call(1), alu("sub", 0, src=6)]
    code = lookup(alu("mov", 6, src=0), *again)
    assert execute(code, maps={"m": ArrayMap(spec())}, at={3: "m", 9: "m"}).value == 0


@pytest.mark.parametrize("access", [load_(0, 1, 0, 8), store(1, 0, 8, imm=0)])
def test_a_map_is_no_memory(access: Instruction) -> None:
    found = fault(wide(1, 0), access, maps={"m": ArrayMap(spec())}, at={0: "m"})
    assert found.reason.startswith("map m cannot be ")


def data_program(*instructions: Instruction, read_only: bool) -> Mapping[str, object]:
    """A program that finds a data section in r1."""
    section = DataSection(".d", b"\1\2\3\4", read_only)
    object_ = object_of([wide(1, 0), *instructions, EXIT], data=[section])
    main = object_.programs["main"]
    program = Program(
        main.name, main.section, main.kind, main.instructions, data={0: DataReference(0, ".d", 2)}
    )
    object_.programs["main"] = program
    return {"object_": object_}


def test_data_sections_are_memory_and_constants_are_read_only() -> None:
    context, surroundings = TestContext(), environment()
    reading = loaded(**data_program(load_(0, 1, 0, 2), read_only=True))  # type: ignore[arg-type]
    assert run(reading, context, surroundings).value == 0x0403
    writing = data_program(load_(0, 1, 0, 1), alu("add", 0, imm=1), store(1, 0, 1, src=0), read_only=False)
    counter = loaded(**writing)  # type: ignore[arg-type]
    # What one run wrote the next one finds.
    assert [run(counter, context, surroundings).value for _ in range(3)] == [4, 5, 6]
    constant = loaded(**data_program(store(1, 0, 1, imm=0), read_only=True))  # type: ignore[arg-type]
    with pytest.raises(Fault, match=r"data section .d is read-only"):
        run(constant, context, surroundings)


@pytest.mark.parametrize("way", [run, step_through])
@pytest.mark.parametrize(
    "access",
    [
        op("atomic", "add", dst=1, src=4, offset=-2, size=4, fetch=False),
        op("atomic", "xchg", dst=1, src=4, offset=-2, size=4, fetch=True),
        op("atomic", "cmpxchg", dst=1, src=4, offset=-2, size=4),
        op("store_release", dst=1, src=4, offset=-2, size=4),
    ],
)
def test_the_place_is_looked_at_before_what_an_atomic_access_writes(
    access: Instruction, way: Callable[..., object]
) -> None:
    with pytest.raises(Fault, match=r"data section .d is read-only"):
        way(loaded(**data_program(access, read_only=True)), TestContext(), environment())  # type: ignore[arg-type]


@pytest.mark.parametrize("offset", [-4, -3, -1, 1, 2, 4, 8, 1 << 14])
@pytest.mark.parametrize("name", ["add", "xchg", "cmpxchg"])
def test_an_atomic_access_outside_is_told_the_same_step_by_step_and_in_functions(name: str, offset: int) -> None:
    fetch = {} if name == "cmpxchg" else {"fetch": name == "xchg"}
    access = op("atomic", name, dst=1, src=4, offset=offset, size=4, **fetch)
    reasons = []
    for way in (run, step_through):
        program = loaded(**data_program(mov(4, 1), mov(0, 0), access, read_only=False))  # type: ignore[arg-type]
        with pytest.raises(Fault) as caught:
            way(program, TestContext(), environment())
        reasons.append((caught.value.slot, caught.value.reason))
    assert reasons[0] == reasons[1]


def test_a_fault_tells_program_instruction_and_source_line() -> None:
    lines = {0: SourceLine("policy.py", 3, 4, "    x = 1"), 1: SourceLine("policy.py", 4, 4, "    y = p.z")}
    found = fault(mov(1, 0), load_(0, 1, 8, 4), lines=lines)
    assert (found.program, found.slot, found.line) == ("main", 1, lines[1])


@pytest.mark.parametrize("size", [4, 8])
@pytest.mark.parametrize("name", ["add", "or", "and", "xor", "xchg"])
@given(old=st.integers(0, M64), operand=st.integers(0, M64))
def test_atomic_operations(name: str, size: int, old: int, operand: int) -> None:
    kept = 256**size - 1
    new = {
        "add": old + operand,
        "or": old | operand,
        "and": old & operand,
        "xor": old ^ operand,
        "xchg": operand,
    }[name] & kept
    start = [wide(1, old), wide(2, operand), store(10, -8, 8, src=1)]
    fetching = op("atomic", name, dst=10, src=2, offset=-8, size=size, fetch=True)
    assert execute([*start, fetching, load_(0, 10, -8, size), EXIT]).value == new
    assert execute([*start, fetching, alu("mov", 0, src=2), EXIT]).value == old & kept
    if name != "xchg":
        plain = op("atomic", name, dst=10, src=2, offset=-8, size=size, fetch=False)
        assert execute([*start, plain, load_(0, 10, -8, size), EXIT]).value == new
        assert execute([*start, plain, alu("mov", 0, src=2), EXIT]).value == operand


@pytest.mark.parametrize("size", [4, 8])
@given(old=st.integers(0, M64), expected=st.integers(0, M64), new=st.integers(0, M64), same=st.booleans())
def test_compare_and_exchange(size: int, old: int, expected: int, new: int, same: bool) -> None:
    if same:
        expected = old
    kept = 256**size - 1
    start = [wide(1, old), wide(2, new), wide(0, expected), store(10, -8, 8, src=1)]
    exchange = op("atomic", "cmpxchg", dst=10, src=2, offset=-8, size=size)
    equal = old & kept == expected & kept
    memory = execute([*start, exchange, load_(0, 10, -8, size), EXIT]).value
    assert memory == (new if equal else old) & kept
    assert execute([*start, exchange, EXIT]).value == old & kept


def test_ordered_loads_and_stores() -> None:
    code = [
        wide(1, 0x1122334455667788),
        op("store_release", dst=10, src=1, offset=-8, size=8),
        op("load_acquire", dst=0, src=10, offset=-8, size=2),
        EXIT,
    ]
    assert execute(code).value == 0x7788


@pytest.mark.parametrize(
    "access",
    [
        op("atomic", "add", dst=2, src=3, offset=0, size=4, fetch=False),
        op("load_acquire", dst=3, src=2, size=4),
        op("store_release", dst=2, src=3, size=4),
    ],
)
def test_no_atomic_access_to_the_packet(access: Instruction) -> None:
    found = fault(load_(2, 1, DATA, 4), mov(3, 1), access, context=TestContext(packet=b"abcdefgh"))
    assert found.reason == "the packet allows no atomic access"


def test_atomic_accesses_are_aligned() -> None:
    add = op("atomic", "add", dst=10, src=1, offset=-12, size=8, fetch=False)
    found = fault(store(10, -16, 8, imm=0), store(10, -8, 8, imm=0), mov(1, 1), add)
    assert found.reason == "the stack must be accessed atomically at a multiple of 8 bytes"
