"""What the compiler's tests are written with: IR by hand, the object made of it, and a run of that object."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from skverdict.codegen import Object, Target, build, read_object
from skverdict.dsl.catalogue.contexts import CONTEXTS
from skverdict.dsl.catalogue.programs import KERNELS, PROGRAMS
from skverdict.dsl.ir.module import (
    Attribute,
    Block,
    Function,
    Local,
    Location,
    Map,
    Module,
    Operation,
    Parameter,
    Value,
)
from skverdict.dsl.ir.types import (
    BOOL,
    I32,
    U64,
    Array,
    BigEndian,
    Int,
    Opaque,
    Pointer,
    Space,
    Struct,
    Type,
    lay_out,
    size_of,
)
from skverdict.runtime.machine.environment import HelperFunction
from skverdict.runtime.machine.load import data_memory, load
from skverdict.runtime.machine.run import Result, run

from tests.runtime.machine_kit import TestContext, environment

FILE = "policy.py"


class HandPolicy:
    """A policy of which only the IR exists; line N of its source reads `line N`."""

    def __init__(self, module: Module, lines: int = 200) -> None:
        self.module = module
        self.path = FILE
        self.paths = {FILE: f"/{FILE}"}
        self.kernel = KERNELS[-1]
        self.sources: Mapping[str, Sequence[str]] = {
            FILE: [f"line {number}\n" for number in range(1, lines + 1)]
        }


class ProgramBuilder:
    """A program's IR, operation by operation; each stands on a line of its own."""

    def __init__(self, name: str, kind: str = "stream_verdict", locals: Sequence[Local] = ()) -> None:
        self.context = Value(0, Pointer(Opaque(PROGRAMS[kind].context), Space.CONTEXT))
        self.function = Function(
            name,
            kind,
            (Parameter("ctx", self.context),),
            I32,
            list(locals),
            [Block("entry")],
            Location(FILE, 1, 1),
        )
        self._values = 1
        self._line = 2

    def block(self, label: str) -> None:
        """What follows belongs to a new block."""
        self.function.blocks.append(Block(label))

    def do(self, name: str, /, *operands: Value, to: Sequence[str] = (), **attributes: Attribute) -> None:
        """An operation without a result."""
        self._add(Operation(name, operands, attributes, None, tuple(to)))

    def get(self, result: Type, name: str, /, *operands: Value, **attributes: Attribute) -> Value:
        """An operation's result, of type `result`."""
        value = Value(self._values, result)
        self._values += 1
        self._add(Operation(name, operands, attributes, value))
        return value

    def _add(self, operation: Operation) -> None:
        operation.location = Location(FILE, self._line, 5)
        self._line += 1
        self.function.blocks[-1].operations.append(operation)

    def const(self, type_: Type, number: int) -> Value:
        return self.get(type_, "const", value=number)

    def map(self, name: str) -> Value:
        return self.get(Pointer(Opaque("bpf_map"), Space.MAP), "map", map=name)

    def address(self, local: Local) -> Value:
        return self.get(Pointer(local.type, Space.STACK), "local.address", local=local.name)

    def member(self, base: Value, name: str) -> Value:
        assert isinstance(base.type, Pointer) and isinstance(base.type.target, Struct)
        member = base.type.target.member(name)
        assert member is not None
        return self.get(Pointer(member.type, base.type.space), "member", base, name=name)

    def load(self, pointer: Value) -> Value:
        assert isinstance(pointer.type, Pointer)
        return self.get(pointer.type.target, "load", pointer)

    def view(self, target: Type, offset: int = 0, missing: str = "missing", found: str = "found") -> Value:
        """A packet view; goes on in block `found`, jumps to `missing` if there is none."""
        view = self.get(
            Pointer(target, Space.PACKET, nullable=True), "packet.view", self.context, offset=offset, limit=0
        )
        self.do("branch", self.get(BOOL, "is_null", view), to=(missing, found))
        self.block(found)
        return self.get(Pointer(target, Space.PACKET), "assume_non_null", view)

    def answer(self, number: int) -> None:
        self.do("return", self.const(I32, number))


def readable(kind: str) -> dict[str, Int | BigEndian]:
    """The numbers that a program of `kind` may read from its context, elements of arrays one by one."""
    names: dict[str, Int | BigEndian] = {}
    for field in CONTEXTS[PROGRAMS[kind].context].fields.values():
        if kind not in field.readers or field.role:
            continue
        if isinstance(field.type, Array):
            element = field.type.element
            assert isinstance(element, (Int, BigEndian))
            names.update({f"{field.name}.{index}": element for index in range(field.type.count)})
        else:
            names[field.name] = field.type
    return names


def module_of(*functions: Function, maps: Sequence[Map] = (), structs: Sequence[Struct] = ()) -> Module:
    return Module(FILE, "GPL", list(structs), list(maps), list(functions))


def compiled(*functions: Function, target: Target = Target(), maps: Sequence[Map] = ()) -> Object:  # noqa: B008
    """The object of these functions, read back."""
    return read_object(build(HandPolicy(module_of(*functions, maps=maps)), target))


def run_on(
    object_: Object,
    name: str,
    packet: bytearray,
    helpers: Mapping[str, HelperFunction] | None = None,
    **fields: object,
) -> Result:
    """Run program `name` on `packet`, which it may change, with `helpers` in the place of the simulator's."""
    context = TestContext(object_.programs[name].kind, packet, None, **fields)
    surroundings = environment(helpers=helpers or {})
    return run(load(object_, name, {}, data_memory(object_), surroundings), context, surroundings)


def _frame(types: Sequence[Type], result: Type) -> Struct:
    """Members `in0`, `in1`, ... with 8 bytes between them, so that none are neighbours, and `out`."""
    members: list[tuple[str, Type]] = []
    for number, type_ in enumerate(types):
        members += (f"in{number}", type_), (f"padding{number}", U64)
    return lay_out("Frame", [*members, ("out", result)])


def scalar_program(name: str, types: Sequence[Type], result: Type, body: Callable[..., Value]) -> Function:
    """A program that reads numbers of `types` from the packet and writes what `body` makes of them behind.

    `body(builder, *values)` gives the result.
    """
    b = ProgramBuilder(name)
    view = b.view(_frame(types, result))
    values = [b.load(b.member(view, f"in{number}")) for number in range(len(types))]
    b.do("store", b.member(view, "out"), body(b, *values))
    b.answer(1)
    b.block("missing")
    b.answer(0)
    return b.function


def run_scalars(
    object_: Object, name: str, types: Sequence[Type], result: Type, numbers: Sequence[int]
) -> int:
    """What program `name` of `scalar_program` gives for `numbers`, as Python numbers of the types."""
    frame = _frame(types, result)
    packet = bytearray(frame.size)
    for index, (type_, number) in enumerate(zip(types, numbers, strict=True)):
        size = size_of(type_)
        content = (number % (1 << 8 * size)).to_bytes(size, _byte_order(object_, type_))
        _put(packet, frame, f"in{index}", content)
    assert run_on(object_, name, packet).value & 0xFFFFFFFF == 1
    place = frame.member("out")
    assert place is not None
    content = packet[place.offset : place.offset + size_of(result)]
    signed = isinstance(result, Int) and result.signed
    return int.from_bytes(content, _byte_order(object_, result), signed=signed)


def _byte_order(object_: Object, type_: Type) -> Literal["little", "big"]:
    """The byte order of a number of `type_` in memory."""
    return "big" if isinstance(type_, BigEndian) or object_.endian == "big" else "little"


def _put(packet: bytearray, frame: Struct, name: str, content: bytes) -> None:
    place = frame.member(name)
    assert place is not None
    packet[place.offset : place.offset + len(content)] = content
