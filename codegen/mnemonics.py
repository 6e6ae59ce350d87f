"""Instructions by their mnemonics, in the syntax of ubpf's assembler (`mnemonics.lark`).

That is the syntax of public conformance suites. There is no object around it: no maps, no sections, only one
program's instructions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple, cast

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedInput, VisitError
from lark.tree import Meta
from skverdict.codegen.assembly import AssemblyError, imm32
from skverdict.codegen.instruction import Instruction
from skverdict.codegen.instruction_set import (
    CALL_THROUGH_REGISTER,
    OPERATIONS,
    InstructionError,
    Operation,
    encode_instruction,
)

#: More digits than any 64-bit number has, in any base.
_LONGEST_NUMBER = 24
#: What the four bits of a register's field can name; the machine has fewer.
_REGISTERS = 16
_SIZES = {1: "b", 2: "h", 4: "w", 8: "dw"}
_CALLS = {"helper": ("call", "call helper"), "local": ("call local",), "kfunc": ("call runtime",)}

#: The operands of each family, a letter each: register, immediate, memory, target; `s` as the source says.
_SHAPES = {
    "alu": "rs",
    "byte_order": "r",
    "jump": "rst",
    "goto": "t",
    "call": "i",
    "exit": "",
    "load": "rm",
    "store": "ms",
    "atomic": "mr",
    "constant": "ri",
}
_LETTERS = {"r": "a register", "i": "a number", "m": "[register+offset]", "t": "a label"}


def _words(row: Operation) -> Iterator[str]:
    """How `row` is called, in all ways."""
    narrow = row.bits == 32
    if row.name.startswith("movsx"):
        yield f"{row.name}{row.bits}"
    elif row.family in ("alu", "jump"):
        yield from (f"{row.name}32",) if narrow else (row.name, f"{row.name}64")
    elif row.family == "byte_order":
        yield from (row.name, row.name.removeprefix("b")) if row.name.startswith("bs") else (row.name,)
    elif row.family == "goto":
        yield "ja32" if row.source == "imm" else "ja"
    elif row.family == "load":
        yield f"ldx{'s' if row.signed else ''}{_SIZES[row.size]}"
    elif row.family == "store":
        yield f"st{'x' if row.source == 'reg' else ''}{_SIZES[row.size]}"
    elif row.family == "atomic":
        fetch = "fetch " if row.fetch and "xchg" not in row.name else ""
        yield f"lock {fetch}{row.name}{'32' if narrow else ''}"
    elif row.family == "call":
        yield from _CALLS[row.name]
    elif row.family == "exit":
        yield "exit"
    elif row.family == "constant" and row.name == "value":
        yield "lddw"


def _shape(row: Operation) -> str:
    """The letters of the operands of `row`."""
    if row.name == "neg":
        return "r"
    if row.name == "local":
        return "t"
    return _SHAPES[row.family].replace("s", row.source[:1])


@cache
def _table() -> dict[tuple[str, str], Operation]:
    """The rows that have a mnemonic, by that and the shape of their operands."""
    return {(word, _shape(row)): row for row in OPERATIONS for word in _words(row)}


class _Operand(NamedTuple):
    """An operand of the kind that `letter` says; `bits`: the number is in hexadecimal and means bits."""

    letter: str
    number: int = 0
    bits: bool = False
    name: str = ""
    register: int = 0


class _Line(NamedTuple):
    """An instruction in the text."""

    word: str
    operands: tuple[_Operand, ...]
    line: int
    column: int

    def refuse(self, problem: str) -> AssemblyError:
        return AssemblyError(problem, self.line, self.column)


class _Label(NamedTuple):
    """A label in the text."""

    name: str
    line: int
    column: int


@v_args(inline=True, meta=True)
class _Reader(Transformer[Token, object]):
    """Makes lines of the text; one method a rule of the grammar."""

    def NUMBER(self, token: Token) -> _Operand:
        if len(token) > _LONGEST_NUMBER:
            raise AssemblyError(f"the number has {len(token)} digits", token.line or 1, token.column or 1)
        bits = "x" in token
        number = int(token, 16 if bits else 10)
        if not -(1 << 63) <= number < 1 << 64:
            raise AssemblyError(f"{token} does not fit 64 bits", token.line or 1, token.column or 1)
        return _Operand("i", number, bits)

    def REGISTER(self, token: Token) -> _Operand:
        number = int(token[2:]) if len(token) < 5 else _REGISTERS
        if number >= _REGISTERS:
            raise AssemblyError(f"there is no register {token}", token.line or 1, token.column or 1)
        return _Operand("r", register=number)

    def NAME(self, token: Token) -> _Operand:
        return _Operand("t", name=str(token))

    def LABEL(self, token: Token) -> _Label:
        return _Label(token[:-1], token.line or 1, token.column or 1)

    def label(self, meta: Meta, label: _Label) -> _Label:
        return label

    def word(self, meta: Meta, *words: Token) -> str:
        return " ".join(words)

    def memory(self, meta: Meta, base: _Operand, *offset: _Operand) -> _Operand:
        return _Operand("m", sum(each.number for each in offset), register=base.register)

    def instruction(self, meta: Meta, word: str, *operands: _Operand) -> _Line:
        return _Line(word, operands, meta.line, meta.column)

    def start(self, meta: Meta, *lines: _Line | _Label) -> tuple[_Line | _Label, ...]:
        return lines


@cache
def _grammar() -> Lark:
    text = Path(__file__).with_name("mnemonics.lark").read_text(encoding="utf-8")
    return Lark(text, parser="lalr", propagate_positions=True, maybe_placeholders=False)


def assemble_mnemonics(text: str, name: str = "<assembly>") -> dict[int, Instruction]:
    """The instructions of `text` by slot; raises `AssemblyError` with file, line, column and a caret.

    A jump to `exit` without such a label goes to the first `exit` instruction. What no field can hold is
    refused; instructions that no machine runs, such as of register 12, are not.
    """
    try:
        return _linked(_lines(text))
    except AssemblyError as error:
        raise error.placed(name, text) from None


def _lines(text: str) -> tuple[_Line | _Label, ...]:
    try:
        return cast("tuple[_Line | _Label, ...]", _Reader().transform(_grammar().parse(text + "\n")))
    except UnexpectedInput as error:
        lines = text.split("\n")
        inside = 0 < error.line <= len(lines)
        line, column = (error.line, error.column) if inside else (len(lines), len(lines[-1]) + 1)
        raise AssemblyError("this is not understood", line, column) from None
    except VisitError as error:
        if isinstance(error.orig_exc, AssemblyError):
            raise error.orig_exc from None
        raise


class _Draft(NamedTuple):
    """An instruction of a line; the distance to `label`, if it names one, is still to go into `field`."""

    line: _Line
    instruction: Instruction
    field: str = ""
    label: str = ""

    def linked(self, slot: int, labels: dict[str, int]) -> Instruction:
        """The whole instruction at `slot`. Raises AssemblyError for a label or number that cannot be."""
        instruction = self.instruction
        if self.label:
            if self.label not in labels:
                raise self.line.refuse(f"there is no label {self.label}")
            instruction = instruction._replace(**{self.field: labels[self.label] - slot - 1})
        try:
            encode_instruction(instruction, "little")
        except InstructionError as error:
            raise self.line.refuse(str(error)) from None
        return instruction


def _linked(lines: tuple[_Line | _Label, ...]) -> dict[int, Instruction]:
    """The instructions in their slots, labels looked up."""
    labels: dict[str, int] = {}
    drafts: dict[int, _Draft] = {}
    exits: list[int] = []
    slot = 0
    for line in lines:
        if isinstance(line, _Label):
            if line.name in labels:
                raise AssemblyError(f"there is a label {line.name} above", line.line, line.column)
            labels[line.name] = slot
            continue
        if line.word == "exit":
            exits.append(slot)
        drafts[slot] = _draft(line)
        slot += drafts[slot].instruction.slots
    if exits:
        labels.setdefault("exit", exits[0])
    return {slot: draft.linked(slot, labels) for slot, draft in drafts.items()}


def _draft(line: _Line) -> _Draft:
    """The instruction of a line, its label not yet looked up."""
    if line.word in _CALLS["helper"] and [each.letter for each in line.operands] == ["r"]:
        return _Draft(line, Instruction(CALL_THROUGH_REGISTER, line.operands[0].register, 0, 0, 0))
    row = _row(line)
    fields = {"dst": 0, "src": 0, "offset": 0, "imm": 0}
    if row.selector:
        fields[row.selector] = row.value
    target, label = "", ""
    registers = ["src"] if row.family in ("store", "atomic") else ["src", "dst"]
    for letter, operand in zip(_shape(row), line.operands, strict=True):
        if letter == "r":
            fields[registers.pop()] = operand.register
        elif letter == "m":
            fields["src" if row.family == "load" else "dst"] = operand.register
            fields["offset"] = operand.number
        elif letter == "t":
            target, label = "offset" if "offset" in row.fields else "imm", operand.name
            fields[target] = operand.number
        else:
            number = imm32(operand.number) if operand.bits else operand.number
            fields["imm"] = operand.number % (1 << 64) if row.family == "constant" else number
    return _Draft(line, Instruction(row.opcode, **fields), target, label)


def _row(line: _Line) -> Operation:
    """The row that a line means: a distance may stand for a target."""
    table = _table()
    shape = "".join(each.letter for each in line.operands)
    row = table.get((line.word, shape)) or table.get((line.word, re.sub("i$", "t", shape)))
    if row is not None:
        return row
    known = [spelled for word, spelled in table if word == line.word]
    if not known:
        raise line.refuse(f"there is no instruction {line.word}")
    forms = " or ".join(", ".join(_LETTERS[letter] for letter in each) or "no operands" for each in known)
    raise line.refuse(f"{line.word} takes {forms}")
