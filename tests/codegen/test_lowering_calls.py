"""Helper calls: arguments as the kernel takes them, and nothing loaded again that the call cannot change."""

from __future__ import annotations

import pytest
from skverdict.codegen import Target
from skverdict.codegen.instruction_set import operation
from skverdict.codegen.object import Program
from skverdict.dsl.ir.module import Block, Function, Local, Location, Map, Operation, Parameter, Value
from skverdict.dsl.ir.types import BOOL, I32, I64, U8, U32, U64, Array, Int, Pointer, Space
from skverdict.runtime.machine.call import Buffer

from tests.codegen.ir_kit import FILE, ProgramBuilder, compiled, run_on

SOCKETS = Map("sockets", "sockmap", U32, U64, 2)
COUNTS = Map("counts", "hash", U32, U64, 2)
CPUS = ("v1", "v2", "v3", "v4")


def count(program: Program, family: str) -> int:
    return sum(operation(instruction).family == family for instruction in program.instructions.values())


def redirect(b: ProgramBuilder, flags: Value) -> Value:
    return b.get(
        I64,
        "call.helper",
        b.context,
        b.map("sockets"),
        b.const(U32, 0),
        flags,
        helper="bpf_sk_redirect_map",
    )


@pytest.mark.parametrize("cpu", CPUS)
def test_a_redirect_takes_six_slots(cpu: str) -> None:
    """Map (two slots), key, flags, call, exit: the context is in place and the result is the answer."""
    b = ProgramBuilder("main")
    b.do("return", b.get(I32, "convert", redirect(b, b.const(U64, 0))))
    assert compiled(b.function, target=Target(cpu), maps=[SOCKETS]).programs["main"].slots == 6


@pytest.mark.parametrize("cpu", CPUS)
def test_the_answer_of_a_redirect_is_known_to_be_zero_or_one(cpu: str) -> None:
    """So `1 if redirected == SK_PASS else 0` is the result itself."""
    b = ProgramBuilder("main")
    passed = b.get(BOOL, "eq", redirect(b, b.const(U64, 0)), b.const(I64, 1))
    b.do("return", b.get(I32, "convert", passed))
    assert compiled(b.function, target=Target(cpu), maps=[SOCKETS]).programs["main"].slots == 6


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize(("type_", "given"), ((U8, 0xFE), (U32, 0xFFFFFFF0), (I32, -2), (I64, -2)), ids=str)
def test_a_number_is_extended_by_its_own_sign(cpu: str, type_: Int, given: int) -> None:
    """The helper takes an i32, a u32 and a u64, whatever type the policy has the number in."""
    b = ProgramBuilder("main")
    number = b.load(b.view(type_))
    arguments = (b.const(I32, -8), b.const(U32, 1), number)
    b.get(I64, "call.helper", b.context, *arguments, helper="bpf_skb_adjust_room")
    b.answer(1)
    b.block("missing")
    b.answer(0)
    packet = bytearray((given % (1 << type_.bits)).to_bytes(type_.bits // 8, "little"))

    object_ = compiled(b.function, target=Target(cpu))
    result = run_on(object_, "main", packet, {"bpf_skb_adjust_room": lambda *arguments: 0})

    (call,) = result.calls
    assert call.arguments[1:] == (-8, 1, given % (1 << 64))


def lookup(b: ProgramBuilder, key: Local) -> Value:
    return b.get(
        Pointer(U64, Space.MAP_VALUE, nullable=True),
        "call.helper",
        b.map("counts"),
        b.address(key),
        helper="bpf_map_lookup_elem",
    )


def counting(between: str) -> Function:
    """Reads a field, calls `between` or looks up and changes a map value, reads the field again."""
    key = Local("key", U32)
    b = ProgramBuilder("main", locals=[key])
    first = b.get(U32, "context.load", b.context, field="len")
    b.do("local.set", first, local="key")
    if between:
        b.get(I64, "call.helper", b.context, b.const(U32, 8), helper=between)
    else:
        value = lookup(b, key)
        b.do("branch", b.get(BOOL, "is_null", value), to=("after", "there"))
        b.block("there")
        pointer = b.get(Pointer(U64, Space.MAP_VALUE), "assume_non_null", value)
        b.do("store", pointer, b.get(U64, "add", b.load(pointer), b.const(U64, 1)))
        b.do("jump", to=("after",))
        b.block("after")
    second = b.get(U32, "context.load", b.context, field="len")
    b.do("return", b.get(I32, "convert", b.get(U32, "add", first, second)))
    return b.function


def test_a_field_is_not_read_again_after_a_lookup_and_a_store() -> None:
    program = compiled(counting(""), maps=[COUNTS]).programs["main"]
    assert count(program, "load") == 2


def test_a_field_is_read_again_after_the_buffer_moved() -> None:
    program = compiled(counting("bpf_skb_pull_data")).programs["main"]
    assert count(program, "load") == 2


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("endian", ("little", "big"))
def test_a_subprogram_is_called_from_every_program(cpu: str, endian: str) -> None:
    x, y, product = Value(0, U32), Value(1, U32), Value(2, U32)
    operations = [
        Operation("mul", (x, y), {}, product, (), Location(FILE, 50, 5)),
        Operation("return", (product,), {}, None, (), Location(FILE, 51, 5)),
    ]
    parameters = (Parameter("x", x), Parameter("y", y))
    times = Function(
        "times", "subprogram", parameters, U32, [], [Block("entry", operations)], Location(FILE, 49, 1)
    )
    programs = []
    for name, factor in (("cube", 1), ("doubled", 2)):
        b = ProgramBuilder(name)
        length = b.get(U32, "context.load", b.context, field="len")
        square = b.get(U32, "call", length, length, function="times")
        cube = b.get(U32, "call", square, b.get(U32, "mul", length, b.const(U32, factor)), function="times")
        b.do("return", b.get(I32, "convert", cube))
        programs.append(b.function)

    object_ = compiled(times, *programs, target=Target(cpu, endian))

    assert [*object_.programs] == ["cube", "doubled"]
    assert list(object_.programs["cube"].functions.values()) == ["cube", "times"]
    assert run_on(object_, "cube", bytearray(), len=5).value & 0xFFFFFFFF == 125
    assert run_on(object_, "doubled", bytearray(), len=5).value & 0xFFFFFFFF == 250


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize(("given", "seen"), [(1, 1), (7, 7), (16, 16), (17, 16), (0xFFFFFFFF, 16), (0, 16)])
def test_the_size_of_a_buffer_is_in_bounds_that_the_verifier_sees(cpu: str, given: int, seen: int) -> None:
    """The front end has proved 1 to 16; whatever LLVM makes of the tests for that, the call has its own."""
    buffer = Local("buffer", Array(U8, 16))
    b = ProgramBuilder("main", locals=[buffer])
    b.do("local.zero", local="buffer")
    size = b.load(b.view(U32))
    arguments = (b.context, b.const(U32, 0), b.address(buffer), size)
    b.get(I64, "call.helper", *arguments, helper="bpf_skb_load_bytes")
    b.answer(1)
    b.block("missing")
    b.answer(0)
    object_ = compiled(b.function, target=Target(cpu))
    helpers = {"bpf_skb_load_bytes": lambda *arguments: 0}
    (call,) = run_on(object_, "main", bytearray(given.to_bytes(4, "little")), helpers).calls
    filled = call.arguments[2]
    assert isinstance(filled, Buffer)
    assert filled.size == seen


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("given", [0, 3, 12, 13, 0xFFFFFFFF])
def test_a_part_at_a_computed_place_stays_inside(cpu: str, given: int) -> None:
    """The front end has proved 0 to 12, and so the verifier sees it."""
    buffer = Local("buffer", Array(U8, 16))
    b = ProgramBuilder("main", locals=[buffer])
    b.do("local.zero", local="buffer")
    place = b.load(b.view(U32))
    part = b.get(Pointer(Array(U8, 4), Space.STACK), "part", b.address(buffer), place, offset=0)
    last = b.get(Pointer(U8, Space.STACK), "part", part, offset=3)
    b.do("return", b.get(I32, "convert", b.load(last)))
    b.block("missing")
    b.answer(9)
    object_ = compiled(b.function, target=Target(cpu))
    assert run_on(object_, "main", bytearray(given.to_bytes(4, "little"))).value == 0
