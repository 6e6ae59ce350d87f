"""Every access through the context pointer is one declared field, whatever is done with its value."""

from __future__ import annotations

import pytest
from skverdict.codegen import Target
from skverdict.codegen.instruction import Instruction
from skverdict.codegen.instruction_set import operation
from skverdict.codegen.object import Program
from skverdict.dsl.catalogue.contexts import CONTEXTS
from skverdict.dsl.catalogue.programs import PROGRAMS
from skverdict.dsl.ir.module import Function, Local, Value
from skverdict.dsl.ir.types import BOOL, I32, U8, U16, U64, BigEndian, Int

from tests.codegen.context_accesses import Access, context_accesses, declared_fields, undeclared_accesses
from tests.codegen.ir_kit import ProgramBuilder, compiled, readable, run_on

TARGETS = (Target("v1"), Target("v2"), Target("v3"), Target("v4"), Target("v3", "big"))
# One kind for each context structure.
KINDS = ("stream_verdict", "msg_verdict", "sock_ops")
each_target = pytest.mark.parametrize("target", TARGETS, ids=repr)
each_kind = pytest.mark.parametrize("kind", KINDS)


def as_u64(b: ProgramBuilder, value: Value) -> Value:
    if isinstance(value.type, BigEndian):
        value = b.get(Int(value.type.bits, signed=False), "reinterpret", value)
    return value if value.type == U64 else b.get(U64, "convert", value)


def give(b: ProgramBuilder, total: Value) -> None:
    b.do("return", b.get(I32, "convert", total))


def field_number(b: ProgramBuilder, kind: str, name: str) -> Value:
    return as_u64(b, b.get(readable(kind)[name], "context.load", b.context, field=name))


def all_fields(kind: str) -> Function:
    """The sum of all fields."""
    b = ProgramBuilder("main", kind)
    total = b.const(U64, 0)
    for name in readable(kind):
        total = b.get(U64, "add", total, field_number(b, kind, name))
    give(b, total)
    return b.function


def parts_of_fields(kind: str) -> Function:
    """Of each field the low byte, the upper half and a byte from the middle: what LLVM narrows loads for."""
    b = ProgramBuilder("main", kind)
    total = b.const(U64, 0)
    for name in readable(kind):
        number = field_number(b, kind, name)
        low = b.get(U64, "convert", b.get(U8, "convert", number))
        half = b.get(U64, "convert", b.get(U16, "convert", b.get(U64, "shr", number, b.const(U64, 16))))
        middle = b.get(U64, "and", b.get(U64, "shr", number, b.const(U64, 8)), b.const(U64, 0xFF))
        for part in (low, half, middle):
            total = b.get(U64, "add", b.get(U64, "mul", total, b.const(U64, 3)), part)
    give(b, total)
    return b.function


def one_of_two_fields(kind: str) -> Function:
    """A different field on each side of a branch, where LLVM likes to merge the loads into one."""
    b = ProgramBuilder("main", kind, locals=[Local("chosen", U64)])
    names = list(readable(kind))
    condition = b.get(BOOL, "eq", field_number(b, kind, names[0]), b.const(U64, 7))
    b.do("branch", condition, to=("yes", "no"))
    for label, name in (("yes", names[1]), ("no", names[2])):
        b.block(label)
        b.do("local.set", field_number(b, kind, name), local="chosen")
        b.do("jump", to=("end",))
    b.block("end")
    give(b, b.get(U64, "local.get", local="chosen"))
    return b.function


def neighbours_compared(kind: str) -> Function:
    """Compares fields that lie side by side, which LLVM would do by one wide load each."""
    b = ProgramBuilder("main", kind)
    names = list(readable(kind))
    result = b.const(BOOL, 1)
    for name in names[-4:]:
        equal = b.get(BOOL, "eq", field_number(b, kind, name), b.const(U64, 0))
        result = b.get(BOOL, "select", equal, result, b.const(BOOL, 0))
    give(b, b.get(U64, "convert", result))
    return b.function


def across_calls(kind: str) -> Function:
    """Every field again and again around helper calls, more than registers can hold."""
    b = ProgramBuilder("main", kind)
    total = b.const(U64, 0)
    for _ in range(3):
        total = b.get(U64, "add", total, b.get(U64, "call.helper", helper="bpf_ktime_get_ns"))
        for name in readable(kind):
            total = b.get(U64, "xor", total, field_number(b, kind, name))
    give(b, total)
    return b.function


SHAPES = (all_fields, parts_of_fields, one_of_two_fields, neighbours_compared, across_calls)


@each_target
@each_kind
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_accesses_are_declared_fields(target: Target, kind: str, shape: object) -> None:
    assert callable(shape)
    program = compiled(shape(kind), target=target).programs["main"]
    assert context_accesses(program)
    assert undeclared_accesses(program) == set()


@each_kind
def test_every_field_is_read_where_the_kernel_has_it(kind: str) -> None:
    program = compiled(all_fields(kind)).programs["main"]
    places = {(access.offset, access.size) for access in context_accesses(program)}
    numbers = {name.partition(".")[0] for name in readable(kind)}
    pointers = {
        (field.offset, field.type.bits // 8)
        for field in CONTEXTS[PROGRAMS[kind].context].fields.values()
        if field.name not in numbers and isinstance(field.type, Int)
    }
    assert places == declared_fields(kind, written=False) - pointers


@each_target
@pytest.mark.parametrize("kind", ("stream_verdict", "sock_ops"))
def test_writes_are_declared_fields(target: Target, kind: str) -> None:
    """Constants side by side would become one wide store."""
    context = CONTEXTS[PROGRAMS[kind].context]
    writable = [field for field in context.fields.values() if kind in field.writers]
    b = ProgramBuilder("main", kind)
    for field in writable:
        assert isinstance(field.type, Int)
        b.do("context.store", b.context, b.const(field.type, 5), field=field.name)
        narrow = b.get(U8, "convert", b.get(field.type, "context.load", b.context, field=field.name))
        b.do("context.store", b.context, b.get(field.type, "convert", narrow), field=field.name)
    b.answer(1)

    program = compiled(b.function, target=target).programs["main"]

    written = {(access.offset, access.size) for access in context_accesses(program) if access.written}
    assert written == declared_fields(kind, written=True)
    assert undeclared_accesses(program) == set()


def test_a_field_used_twice_is_read_once() -> None:
    b = ProgramBuilder("main")
    first = field_number(b, "stream_verdict", "local_port")
    b.get(U64, "call.helper", helper="bpf_ktime_get_ns")
    give(b, b.get(U64, "mul", first, field_number(b, "stream_verdict", "local_port")))
    assert len(context_accesses(compiled(b.function).programs["main"])) == 1


def test_a_field_not_used_is_not_read() -> None:
    b = ProgramBuilder("main")
    field_number(b, "stream_verdict", "local_port")
    b.answer(1)
    assert compiled(b.function).programs["main"].slots == 2


def test_what_is_read_is_the_field() -> None:
    object_ = compiled(parts_of_fields("msg_verdict"))
    fields: dict[str, object] = dict.fromkeys(readable("msg_verdict"), 0)
    fields |= {"remote_ip6": (0, 0, 0, 0), "local_ip6": (0, 0, 0, 0), "size": 0x01020304, "family": 2}
    total = 0
    for name in readable("msg_verdict"):
        base, _, index = name.partition(".")
        value = fields[base]
        number = value[int(index)] if isinstance(value, tuple) else value
        assert isinstance(number, int)
        for part in (number & 0xFF, number >> 16, number >> 8 & 0xFF):
            total = total * 3 + part
    assert run_on(object_, "main", bytearray(), None, **fields).value % 2**32 == total % 2**32


def test_the_analysis_sees_a_half_read_field() -> None:
    """The check above would notice: a u16 read of half of `remote_port`, and a u64 over two fields."""

    def program(size_bits: int, offset: int) -> Program:
        load = Instruction(0x61 & ~0x18 | size_bits, 2, 1, offset, 0)
        done = Instruction(0x95, 0, 0, 0, 0)
        return Program("main", "sk_skb/stream_verdict", "stream_verdict", {0: load, 1: done})

    assert operation(program(0x08, 132).instructions[0]).size == 2
    assert undeclared_accesses(program(0x08, 132)) == {Access(0, 132, 2, written=False)}
    assert undeclared_accesses(program(0x18, 132)) == {Access(0, 132, 8, written=False)}
    assert undeclared_accesses(program(0x00, 132)) == set()
