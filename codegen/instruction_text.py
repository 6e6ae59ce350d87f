"""One instruction as text, as the kernel's verifier log and llvm-objdump write it, with decimal offsets.

What an instruction refers to is named where the program says it: `r1 = map[peers] ll`, `goto +5 <L12>`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from skverdict.codegen.instruction import Instruction
from skverdict.codegen.instruction_set import Operation, jump_target, operation
from skverdict.codegen.object import Program
from skverdict.dsl.catalogue.helpers import HELPERS

_HELPER_NAMES = {helper.number: helper.name for helper in HELPERS.values()}
_PLAIN_NAME = re.compile(r"[A-Za-z_.][A-Za-z0-9_.$/]*")
# Beyond it a number is more likely a mask, an address or two numbers in one than a count.
_LARGEST_DECIMAL = 0xFFFF


class Line(NamedTuple):
    """An instruction where it stands; `labels` name slots that are jumped to."""

    program: Program
    slot: int
    instruction: Instruction
    row: Operation
    labels: Mapping[int, str]

    @property
    def dst(self) -> str:
        return self.register(self.instruction.dst)

    @property
    def source(self) -> str:
        """The second operand: a register, or the number in the instruction."""
        if self.row.source == "reg":
            return self.register(self.instruction.src)
        return number(self.instruction.imm)

    def register(self, index: int) -> str:
        """`w` names the lower half of a register, in the instructions that compute with halves."""
        half = self.row.bits == 32 and self.row.family in ("alu", "jump")
        return f"{'w' if half else 'r'}{index}"

    @property
    def target(self) -> str:
        """Where a jump or call goes: the distance, and the label there if there is one."""
        slot = jump_target(self.slot, self.instruction, self.row)
        assert slot is not None
        return self.distance(slot - self.slot - 1)

    def distance(self, distance: int) -> str:
        label = self.labels.get(self.slot + 1 + distance)
        return f"{distance:+d}" + (f" <{name_text(label)}>" if label is not None else "")

    def memory(self, base: int) -> str:
        """The typed address of a load or store."""
        sign = "s" if self.row.signed else "u"
        offset = self.instruction.offset
        return f"({sign}{8 * self.row.size} *)(r{base} {'-' if offset < 0 else '+'} {abs(offset)})"


def number(value: int) -> str:
    """A signed number: decimal while it is small, else hexadecimal."""
    return str(value) if abs(value) <= _LARGEST_DECIMAL else f"{value:#x}"


def name_text(name: str) -> str:
    """A name as it is if it is a plain one, else in double quotes and escaped as JSON does."""
    return name if _PLAIN_NAME.fullmatch(name) else json.dumps(name)


def _alu(line: Line) -> str:
    row = line.row
    if row.name == "neg":
        return f"{line.dst} = -{line.dst}"
    if row.signed:
        return f"{line.dst} = {row.symbol}{line.source}"
    return f"{line.dst} {row.symbol} {line.source}"


def _byte_order(line: Line) -> str:
    return f"{line.dst} = {line.row.symbol} {line.dst}"


def _jump(line: Line) -> str:
    return f"if {line.dst} {line.row.symbol} {line.source} goto {line.target}"


def _goto(line: Line) -> str:
    return f"{line.row.symbol} {line.target}"


def _gotox(line: Line) -> str:
    return f"{line.row.symbol} {line.dst}"


def _call(line: Line) -> str:
    imm = line.instruction.imm
    if line.row.name == "local":
        return f"call {line.target}"
    if line.row.name == "kfunc":
        return f"call kfunc#{imm}@{line.instruction.offset}"
    return f"call {_HELPER_NAMES.get(imm, 'unknown')}#{imm}"


def _exit(line: Line) -> str:
    return "exit"


def _load(line: Line) -> str:
    return f"{line.dst} = *{line.memory(line.instruction.src)}"


def _store(line: Line) -> str:
    return f"*{line.memory(line.instruction.dst)} = {line.source}"


def _atomic(line: Line) -> str:
    place, source, symbol = line.memory(line.instruction.dst), line.source, line.row.symbol
    if not line.row.fetch:
        return f"lock *{place} {symbol} {source}"
    if line.row.name == "cmpxchg":
        return f"r0 = atomic_{symbol}({place}, r0, {source})"
    return f"{source} = atomic_{symbol}({place}, {source})"


def _load_acquire(line: Line) -> str:
    return f"{line.dst} = load_acquire({line.memory(line.instruction.src)})"


def _store_release(line: Line) -> str:
    return f"store_release({line.memory(line.instruction.dst)}, {line.source})"


def _constant(line: Line) -> str:
    imm, name = line.instruction.imm, line.row.name
    if line.slot in line.program.maps:
        return f"{line.dst} = map[{name_text(line.program.maps[line.slot].map)}] ll"
    if line.slot in line.program.data:
        reference = line.program.data[line.slot]
        return f"{line.dst} = data[{name_text(reference.section)} + {reference.offset}] ll"
    if line.slot in line.program.tables:
        targets = line.program.tables[line.slot].targets
        return f"{line.dst} = table[{', '.join(line.distance(each - line.slot - 1) for each in targets)}] ll"
    if name == "function":
        low = imm & 0xFFFFFFFF
        return f"{line.dst} = function[{line.distance(low - (1 << 32) if low >> 31 else low)}] ll"
    return f"{line.dst} = {imm:#x} ll" if name == "value" else f"{line.dst} = {name}[{imm:#x}] ll"


def _packet(line: Line) -> str:
    imm = line.instruction.imm
    place = number(imm) if line.row.name == "abs" else f"r{line.instruction.src} + {number(imm)}"
    return f"r0 = *({line.row.symbol} *)skb[{place}]"


def _addr_space_cast(line: Line) -> str:
    imm = line.instruction.imm & 0xFFFFFFFF
    return f"{line.dst} = addr_space_cast({line.source}, {imm >> 16}, {imm & 0xFFFF})"


_FORMATS: dict[str, Callable[[Line], str]] = {
    "alu": _alu,
    "byte_order": _byte_order,
    "jump": _jump,
    "goto": _goto,
    "gotox": _gotox,
    "may_goto": _goto,
    "call": _call,
    "exit": _exit,
    "load": _load,
    "store": _store,
    "atomic": _atomic,
    "load_acquire": _load_acquire,
    "store_release": _store_release,
    "constant": _constant,
    "packet": _packet,
    "addr_space_cast": _addr_space_cast,
}


def instruction_text(program: Program, slot: int, labels: Mapping[int, str] | None = None) -> str:
    """The instruction at `slot` of `program`; raises `InstructionError` for one that is none."""
    instruction = program.instructions[slot]
    row = operation(instruction)
    names = program.functions if labels is None else labels
    return _FORMATS[row.family](Line(program, slot, instruction, row, names))
