"""Instructions of the assembler's grammar to drafts: instructions whose targets may still be labels."""

from __future__ import annotations

import json
from functools import cache
from typing import NamedTuple

from lark import Token, Transformer, v_args
from lark.tree import Meta
from skverdict.codegen.instruction import Instruction
from skverdict.codegen.instruction_set import OPERATIONS, REGISTERS, Operation
from skverdict.codegen.object_error import ObjectError
from skverdict.dsl.catalogue.helpers import HELPERS

# More digits than any 64-bit number has, in any base.
_LONGEST_NUMBER = 24


class AssemblyError(ObjectError):
    """Assembly text that cannot be read; `line` and `column` count from 1."""

    def __init__(self, problem: str, line: int, column: int, shown: str = "") -> None:
        super().__init__(shown or problem)
        self.problem = problem
        self.line = line
        self.column = column

    def placed(self, file: str, text: str) -> AssemblyError:
        """The error with the file's name, the line's text and a caret under the column."""
        source = text.split("\n")[self.line - 1].replace("\t", " ")
        caret = " " * (self.column - 1) + "^"
        shown = f"{file}:{self.line}:{self.column}: {self.problem}\n{source}\n{caret}"
        return AssemblyError(self.problem, self.line, self.column, shown)


class Register(NamedTuple):
    """A register as it is named: `bits` is 32 for `w3`, 64 for `r3`."""

    number: int
    bits: int


class Memory(NamedTuple):
    """A typed address; `type` is such as `u32`, `size` its bytes."""

    type: str
    size: int
    base: int
    offset: int


class Target(NamedTuple):
    """Where a jump goes: a distance in slots from the next one, a label, or both."""

    distance: int | None
    label: str | None


class Draft(NamedTuple):
    """An instruction at a place in the text, and what it refers to by name."""

    instruction: Instruction
    line: int
    column: int
    target: Target | None = None
    map: str | None = None
    data: tuple[str, int] | None = None
    table: tuple[Target, ...] = ()


@cache
def _find(family: str, name: str, bits: int, source: str, size: int) -> Operation | None:
    """The row of that family whose name or symbol is `name`; a number 0 and an empty source match any."""
    for row in OPERATIONS:
        if row.family == family and name in (row.name, row.symbol):
            wanted = ((bits, row.bits), (source, row.source), (size, row.size))
            if all(value in (found, 0, "") for value, found in wanted):
                return row
    return None


def imm32(value: int) -> int:
    """A number of 32 bits, signed or unsigned, as the signed one of the same bits; others stay."""
    return value - (1 << 32) if 1 << 31 <= value < 1 << 32 else value


class InstructionReader(Transformer[Token, object]):
    """Makes a `Draft` of each instruction; one method a rule of the grammar, which gives its operands."""

    def NUMBER(self, token: Token) -> int:
        if len(token) > _LONGEST_NUMBER:
            raise _at(token, f"the number has {len(token)} digits")
        return int(token, 16 if "x" in token else 10)

    def REGISTER(self, token: Token) -> Register:
        number = int(token[1:]) if len(token) < 4 else REGISTERS
        if number >= REGISTERS:
            raise _at(token, f"there is no register {token}, the last one is {token[0]}{REGISTERS - 1}")
        return Register(number, 32 if token[0] == "w" else 64)

    def NAME(self, token: Token) -> str:
        return str(token)

    def STRING(self, token: Token) -> str:
        return string(token, token)

    def name(self, children: list[str]) -> str:
        return children[0]

    def offset(self, children: list[Token | int]) -> int:
        value = children[-1]
        assert isinstance(value, int)
        return -value if children[0] == "-" and len(children) == 2 else value

    @v_args(inline=True, meta=True)
    def kernel(self, meta: Meta, reference: str) -> object:
        problem = f"this depends on the running kernel's types ({reference}), which text has no words for"
        raise AssemblyError(problem, meta.line, meta.column)

    @v_args(inline=True)
    def memory(self, kind: Token, base: Register, offset: int) -> Memory:
        return Memory(str(kind), int(kind[1:]) // 8, base.number, offset)

    def target(self, children: list[int | str]) -> Target:
        numbers = [each for each in children if isinstance(each, int)]
        names = [each for each in children if isinstance(each, str)]
        return Target(numbers[0] if numbers else None, names[0] if names else None)

    @v_args(inline=True, meta=True)
    def alu(self, meta: Meta, dst: Register, symbol: Token, operand: Register | int) -> Draft:
        return _computed(meta, "alu", str(symbol), dst, operand)

    @v_args(inline=True, meta=True)
    def assign(self, meta: Meta, dst: Register, operand: Register | int) -> Draft:
        return _computed(meta, "alu", "mov", dst, operand)

    @v_args(inline=True, meta=True)
    def movsx(self, meta: Meta, dst: Register, cast: Token, src: Register) -> Draft:
        return _computed(meta, "alu", str(cast), dst, src)

    @v_args(inline=True, meta=True)
    def neg(self, meta: Meta, dst: Register, src: Register) -> Draft:
        _same(meta, dst, src)
        return _draft(meta, "alu", "neg", dst.bits, dst=dst.number)

    @v_args(inline=True, meta=True)
    def byte_order(self, meta: Meta, dst: Register, name: Token, src: Register) -> Draft:
        _same(meta, dst, src)
        return _draft(meta, "byte_order", str(name), dst=dst.number)

    @v_args(inline=True, meta=True)
    def load(self, meta: Meta, dst: Register, memory: Memory) -> Draft:
        return _draft(meta, "load", memory.type, dst=dst.number, src=memory.base, offset=memory.offset)

    @v_args(inline=True, meta=True)
    def store(self, meta: Meta, memory: Memory, operand: Register | int) -> Draft:
        place = {"dst": memory.base, "offset": memory.offset}
        if isinstance(operand, Register):
            return _draft(meta, "store", memory.type, source="reg", src=operand.number, **place)
        return _draft(meta, "store", memory.type, source="imm", imm=imm32(operand), **place)

    @v_args(inline=True, meta=True)
    def lock(self, meta: Meta, memory: Memory, symbol: Token, src: Register) -> Draft:
        return _ordered(meta, "atomic", str(symbol), memory, memory.base, src.number)

    @v_args(inline=True, meta=True)
    def fetch(self, meta: Meta, old: Register, name: Token, memory: Memory, src: Register) -> Draft:
        _same(meta, old, src)
        return _ordered(meta, "atomic", name.removeprefix("atomic_"), memory, memory.base, src.number)

    @v_args(inline=True, meta=True)
    def cmpxchg(self, meta: Meta, old: Register, memory: Memory, expected: Register, src: Register) -> Draft:
        if old.number or expected.number:
            raise _refuse(meta, "the expected and the old value of cmpxchg are in r0")
        return _ordered(meta, "atomic", "cmpxchg", memory, memory.base, src.number)

    @v_args(inline=True, meta=True)
    def load_acquire(self, meta: Meta, dst: Register, memory: Memory) -> Draft:
        return _ordered(meta, "load_acquire", "load_acquire", memory, dst.number, memory.base)

    @v_args(inline=True, meta=True)
    def store_release(self, meta: Meta, memory: Memory, src: Register) -> Draft:
        return _ordered(meta, "store_release", "store_release", memory, memory.base, src.number)

    @v_args(inline=True, meta=True)
    def constant(self, meta: Meta, dst: Register, value: int) -> Draft:
        return _wide(meta, "value", dst, value)

    @v_args(inline=True, meta=True)
    def raw_constant(self, meta: Meta, dst: Register, name: Token, value: int) -> Draft:
        return _wide(meta, str(name), dst, value)

    @v_args(inline=True, meta=True)
    def reference(self, meta: Meta, dst: Register, name: str) -> Draft:
        return _wide(meta, "map_fd", dst, 0)._replace(map=name)

    @v_args(inline=True, meta=True)
    def data_reference(self, meta: Meta, dst: Register, name: str, offset: int) -> Draft:
        return _wide(meta, "map_value", dst, offset << 32)._replace(data=(name, offset))

    @v_args(inline=True, meta=True)
    def function_reference(self, meta: Meta, dst: Register, target: Target) -> Draft:
        return _wide(meta, "function", dst, 0)._replace(target=target)

    @v_args(inline=True, meta=True)
    def table_reference(self, meta: Meta, dst: Register, *targets: Target) -> Draft:
        return _wide(meta, "map_value", dst, 0)._replace(table=targets)

    @v_args(inline=True, meta=True)
    def packet_absolute(self, meta: Meta, dst: Register, kind: Token, imm: int) -> Draft:
        _into_r0(meta, dst)
        return _draft(meta, "packet", "abs", size=_unsigned_size(meta, kind), imm=imm32(imm))

    @v_args(inline=True, meta=True)
    def packet_indirect(self, meta: Meta, dst: Register, kind: Token, src: Register, imm: int) -> Draft:
        _into_r0(meta, dst)
        size = _unsigned_size(meta, kind)
        return _draft(meta, "packet", "ind", size=size, src=src.number, imm=imm32(imm))

    @v_args(inline=True, meta=True)
    def addr_space_cast(self, meta: Meta, dst: Register, src: Register, to: int, origin: int) -> Draft:
        if not (0 <= to <= 0xFFFF and 0 <= origin <= 0xFFFF):
            raise _refuse(meta, "an address space is a number of 16 bits")
        imm = imm32(to << 16 | origin)
        return _draft(meta, "addr_space_cast", "addr_space_cast", dst=dst.number, src=src.number, imm=imm)

    @v_args(inline=True, meta=True)
    def jump(
        self, meta: Meta, dst: Register, symbol: Token, operand: Register | int, goto: Token, target: Target
    ) -> Draft:
        if goto != "goto":
            raise _refuse(meta, f"a condition goes with `goto`, not with `{goto}`")
        return _computed(meta, "jump", str(symbol), dst, operand)._replace(target=target)

    @v_args(inline=True, meta=True)
    def goto(self, meta: Meta, symbol: Token, target: Target) -> Draft:
        family = "may_goto" if symbol == "may_goto" else "goto"
        return _draft(meta, family, str(symbol))._replace(target=target)

    @v_args(inline=True, meta=True)
    def gotox(self, meta: Meta, place: Register) -> Draft:
        if place.bits != 64:
            raise _refuse(meta, "an address is in a whole register (r)")
        return _draft(meta, "gotox", "gotox", dst=place.number)

    @v_args(inline=True, meta=True)
    def call_helper(self, meta: Meta, helper: Token) -> Draft:
        return _draft(meta, "call", "helper", imm=_number_after_hash(helper))

    @v_args(inline=True, meta=True)
    def call_kfunc(self, meta: Meta, name: Token, offset: int) -> Draft:
        if not name.startswith("kfunc#"):
            raise _refuse(meta, f"`@` goes with kfunc#, not with {name}")
        return _draft(meta, "call", "kfunc", imm=_number_after_hash(name), offset=offset)

    @v_args(inline=True, meta=True)
    def call_local(self, meta: Meta, target: Target) -> Draft:
        """A helper's name alone calls the helper; every other name is a function's label."""
        if target.distance is None and target.label in HELPERS:
            return _draft(meta, "call", "helper", imm=HELPERS[target.label].number)
        return _draft(meta, "call", "local")._replace(target=target)

    @v_args(inline=True, meta=True)
    def exit(self, meta: Meta) -> Draft:
        return _draft(meta, "exit", "exit")


def string(token: Token, text: str) -> str:
    """The text of a string in double quotes, escaped as JSON does."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise _at(token, f"the string is not well escaped: {error}") from None
    assert isinstance(value, str)
    return value


def _at(token: Token, problem: str) -> AssemblyError:
    return AssemblyError(problem, token.line or 1, token.column or 1)


def _refuse(meta: Meta, problem: str) -> AssemblyError:
    return AssemblyError(problem, meta.line, meta.column)


def _draft(
    meta: Meta, family: str, name: str, bits: int = 0, source: str = "", size: int = 0, **fields: int
) -> Draft:
    row = _find(family, name, bits, source, size)
    if row is None:
        raise _refuse(meta, "there is no such instruction for operands of this size")
    values = {"dst": 0, "src": 0, "offset": 0, "imm": 0, **fields}
    if row.selector:
        values[row.selector] = row.value
    return Draft(Instruction(row.opcode, **values), meta.line, meta.column)


def _computed(meta: Meta, family: str, symbol: str, dst: Register, operand: Register | int) -> Draft:
    """An instruction of two operands of one width."""
    if isinstance(operand, int):
        return _draft(meta, family, symbol, dst.bits, "imm", dst=dst.number, imm=imm32(operand))
    if operand.bits != dst.bits:
        raise _refuse(meta, "one operand is a whole register (r), the other its half (w)")
    return _draft(meta, family, symbol, dst.bits, "reg", dst=dst.number, src=operand.number)


def _ordered(meta: Meta, family: str, name: str, memory: Memory, dst: int, src: int) -> Draft:
    """An atomic instruction, or an ordered load or store."""
    if memory.type[0] != "u":
        raise _refuse(meta, f"{memory.type} is signed; atomic and ordered accesses are not")
    return _draft(meta, family, name, size=memory.size, dst=dst, src=src, offset=memory.offset)


def _wide(meta: Meta, name: str, dst: Register, value: int) -> Draft:
    if not -(1 << 63) <= value < 1 << 64:
        raise _refuse(meta, f"{value} does not fit 64 bits")
    return _draft(meta, "constant", name, dst=dst.number, imm=value & (1 << 64) - 1)


def _same(meta: Meta, dst: Register, src: Register) -> None:
    if dst != src:
        raise _refuse(meta, "the register on both sides must be the same")


def _into_r0(meta: Meta, dst: Register) -> None:
    if dst.number:
        raise _refuse(meta, "packet bytes are loaded into r0")


def _unsigned_size(meta: Meta, kind: Token) -> int:
    if kind[0] != "u":
        raise _refuse(meta, f"packet bytes are unsigned, {kind} is not")
    return int(kind[1:]) // 8


def _number_after_hash(token: Token) -> int:
    text = token.rpartition("#")[2]
    if len(text) > _LONGEST_NUMBER:
        raise _at(token, f"the number has {len(text)} digits")
    return imm32(int(text))
