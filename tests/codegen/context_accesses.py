"""Which accesses a program makes through its context pointer, found in its instructions alone."""

from __future__ import annotations

from typing import NamedTuple

from skverdict.codegen.instruction import Instruction
from skverdict.codegen.instruction_set import Operation, jump_target, operation
from skverdict.codegen.object import Program
from skverdict.dsl.catalogue.contexts import CONTEXTS
from skverdict.dsl.catalogue.programs import PROGRAMS
from skverdict.dsl.ir.types import Array, size_of

FRAME_POINTER = 10
CALLER_SAVED = frozenset(range(6))

# Where a context pointer may be: registers by number, stack slots by their (negative) offset.
Places = frozenset[int]


class Access(NamedTuple):
    """`size` bytes at `offset` of the context, read or written by the instruction at `slot`."""

    slot: int
    offset: int
    size: int
    written: bool


def context_accesses(program: Program) -> set[Access]:
    """All accesses through the context pointer. Fails if the program does arithmetic on that pointer."""
    accesses: set[Access] = set()
    seen: dict[int, Places] = {}
    waiting: list[tuple[int, Places]] = [(0, frozenset((1,)))]
    while waiting:
        slot, places = waiting.pop()
        known = seen.get(slot)
        if known is not None and places <= known:
            continue
        places = places | (known or frozenset())
        seen[slot] = places
        instruction = program.instructions[slot]
        row = operation(instruction)
        accesses.update(_access(slot, instruction, row, places))
        after = _after(instruction, row, places)
        if row.family not in ("exit", "goto"):
            waiting.append((slot + instruction.slots, after))
        target = jump_target(slot, instruction, row)
        if target is not None:
            waiting.append((target, after))
    return accesses


def _access(slot: int, instruction: Instruction, row: Operation, places: Places) -> set[Access]:
    if row.family == "load" and instruction.src in places:
        return {Access(slot, instruction.offset, row.size, written=False)}
    if row.family in ("store", "atomic") and instruction.dst in places:
        return {Access(slot, instruction.offset, row.size, written=True)}
    return set()


def _after(instruction: Instruction, row: Operation, places: Places) -> Places:
    """Where the context pointer is when the instruction is done."""
    if row.family == "call":
        return places - CALLER_SAVED
    if row.family == "store" and instruction.dst == FRAME_POINTER:
        spilled = row.source == "reg" and instruction.src in places
        return places | {instruction.offset} if spilled else places - {instruction.offset}
    if row.family not in ("alu", "load", "constant", "byte_order"):
        return places
    if row.family == "alu" and row.name == "mov" and row.source == "reg" and row.bits == 64:
        holds = instruction.src in places
    elif row.family == "load":
        holds = instruction.src == FRAME_POINTER and instruction.offset in places
    else:
        holds = False
        assert not _operands(instruction, row) & places, f"arithmetic on the context pointer: {instruction}"
    return places | {instruction.dst} if holds else places - {instruction.dst}


def _operands(instruction: Instruction, row: Operation) -> Places:
    """The registers that an arithmetic instruction computes with."""
    if row.family != "alu":
        return frozenset()
    sources = {instruction.src} if row.source == "reg" else set()
    targets = set() if row.name.startswith("mov") else {instruction.dst}
    return frozenset(sources | targets)


def declared_fields(kind: str, written: bool) -> set[tuple[int, int]]:
    """Offset and size of each field (for arrays: each element) that a program of `kind` may read or write."""
    places: set[tuple[int, int]] = set()
    for field in CONTEXTS[PROGRAMS[kind].context].fields.values():
        if kind not in (field.writers if written else field.readers):
            continue
        type_ = field.type
        count, element = (type_.count, type_.element) if isinstance(type_, Array) else (1, type_)
        size = size_of(element)
        places.update((field.offset + size * number, size) for number in range(count))
    return places


def undeclared_accesses(program: Program) -> set[Access]:
    """The accesses that are not exactly one declared field, or not allowed to the program's kind."""
    return {
        access
        for access in context_accesses(program)
        if (access.offset, access.size) not in declared_fields(program.kind, access.written)
    }
