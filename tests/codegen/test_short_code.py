"""What LLVM would leave longer than it need be."""

from __future__ import annotations

import pytest
from skverdict.codegen import Target
from skverdict.codegen.instruction_set import operation
from skverdict.codegen.object import Program
from skverdict.dsl.ir.module import Function, Local, Map, Value
from skverdict.dsl.ir.types import BE32, BOOL, I32, I64, U8, U32, U64, Array, Pointer, Space, lay_out

from tests.codegen.ir_kit import ProgramBuilder, compiled, run_on

COUNTS = Map("counts", "hash", U32, U64, 16)
each_cpu = pytest.mark.parametrize("cpu", ("v1", "v2", "v3", "v4"))


def stores(program: Program) -> int:
    return sum(operation(instruction).family == "store" for instruction in program.instructions.values())


def names(program: Program) -> list[str]:
    return [operation(instruction).name for instruction in program.instructions.values()]


def lookup(b: ProgramBuilder, key: Local) -> Value:
    result = Pointer(U64, Space.MAP_VALUE, nullable=True)
    return b.get(result, "call.helper", b.map("counts"), b.address(key), helper="bpf_map_lookup_elem")


def looking_up(*numbers: int | None) -> Function:
    """Looks up each number (None: what the packet begins with) from a variable of its own."""
    keys = [Local(f"key{number}", U32) for number in range(len(numbers))]
    b = ProgramBuilder("main", locals=keys)
    view = b.view(U32)
    first = b.load(view)
    for key, number in zip(keys, numbers, strict=True):
        b.do("local.set", first if number is None else b.const(U32, number), local=key.name)
        lookup(b, key)
    b.answer(1)
    b.block("missing")
    b.answer(0)
    return b.function


@each_cpu
@pytest.mark.parametrize(
    ("numbers", "stored"),
    (((7, 7, 7), 1), ((7, 8), 2), ((None, None), 1), ((None, 7, None, 7), 2)),
)
def test_a_number_looked_up_again_is_stored_once(
    cpu: str, numbers: tuple[int | None, ...], stored: int
) -> None:
    program = compiled(looking_up(*numbers), target=Target(cpu), maps=[COUNTS]).programs["main"]
    assert stores(program) == stored
    assert names(program).count("helper") == len(numbers)


def test_a_variable_that_a_helper_writes_is_not_shared() -> None:
    """Both begin as zero, and the first helper changes its own."""
    buffers = [Local("one", U32), Local("two", U32)]
    b = ProgramBuilder("main", locals=buffers)
    view = b.view(lay_out("Packet", [("bytes", Array(U8, 8)), ("one", U32), ("two", U32)]))
    for number, buffer in enumerate(buffers):
        b.do("local.set", b.const(U32, 0), local=buffer.name)
        arguments = (b.context, b.const(U32, 4 * number), b.address(buffer), b.const(U32, 4))
        b.get(I64, "call.helper", *arguments, helper="bpf_skb_load_bytes")
    for buffer in buffers:
        b.do("store", b.member(view, buffer.name), b.get(U32, "local.get", local=buffer.name))
    b.answer(1)
    b.block("missing")
    b.answer(0)
    packet = bytearray(range(1, 17))
    helpers = {
        "bpf_skb_load_bytes": lambda call, skb, offset, to: to.write(bytes(packet[offset : offset + 4])) or 0
    }

    run_on(compiled(b.function), "main", packet, helpers)

    assert packet[8:] == packet[:8]


@each_cpu
@pytest.mark.parametrize("name", ("div", "mod"))
def test_a_division_by_a_constant_is_one_instruction(cpu: str, name: str) -> None:
    b = ProgramBuilder("main")
    length = b.get(U32, "context.load", b.context, field="len")
    quotient = b.get(U32, name, length, b.const(U32, 7))
    b.do("return", b.get(I32, "convert", quotient))
    program = compiled(b.function, target=Target(cpu)).programs["main"]
    assert names(program).count(name) == 1
    assert program.slots <= 3


@each_cpu
def test_a_constant_answer_does_not_push_a_result_aside(cpu: str) -> None:
    """`if map.lookup(key) is None: return 0`: r0 is tested where it is."""
    key = Local("key", U32)
    b = ProgramBuilder("main", locals=[key])
    b.do("local.set", b.get(U32, "context.load", b.context, field="len"), local="key")
    value = lookup(b, key)
    b.do("branch", b.get(BOOL, "is_null", value), to=("absent", "there"))
    b.block("there")
    pointer = b.get(Pointer(U64, Space.MAP_VALUE), "assume_non_null", value)
    b.do("store", pointer, b.get(U64, "add", b.load(pointer), b.const(U64, 1)))
    b.answer(1)
    b.block("absent")
    b.answer(0)
    program = compiled(b.function, target=Target(cpu), maps=[COUNTS]).programs["main"]
    moves = [
        instruction
        for instruction in program.instructions.values()
        if operation(instruction).name == "mov"
        and operation(instruction).source == "reg"
        and instruction.src == 0
    ]
    assert moves == []


@each_cpu
def test_numbers_in_network_order_are_compared_as_they_are(cpu: str) -> None:
    """`kind.host() in (1, 2)` swaps the constants, not the number."""
    b = ProgramBuilder("main")
    kind = b.get(U32, "swap", b.load(b.view(BE32)))
    b.do("branch", b.get(BOOL, "eq", kind, b.const(U32, 1)), to=("yes", "next"))
    b.block("next")
    b.do("branch", b.get(BOOL, "eq", kind, b.const(U32, 2)), to=("yes", "missing"))
    b.block("yes")
    b.answer(1)
    b.block("missing")
    b.answer(0)
    object_ = compiled(b.function, target=Target(cpu))
    assert not any(name.startswith(("be", "bswap")) for name in names(object_.programs["main"]))
    for number in (0, 1, 2, 3, 1 << 24):
        packet = bytearray(number.to_bytes(4, "big"))
        assert run_on(object_, "main", packet).value & 0xFFFFFFFF == (number in (1, 2))
