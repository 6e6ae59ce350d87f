"""What a program does with its context and packet pointers, found in its instructions alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from skverdict.codegen.instruction import Instruction
from skverdict.codegen.instruction_set import Operation, jump_target, operation
from skverdict.codegen.object import Program
from skverdict.dsl.catalogue.contexts import CONTEXTS
from skverdict.dsl.catalogue.programs import PROGRAMS
from skverdict.dsl.ir.types import Array, size_of

FRAME_POINTER = 10
STACK = range(-512, 1)
CALLER_SAVED = frozenset(range(6))
ARGUMENTS = frozenset(range(1, 6))
READS = ("load", "load_acquire")
WRITES = ("store", "store_release", "atomic")

#: What a place may hold: the context pointer, a pointer to the packet or its end, or else an offset from STACK,
#: for a pointer into the frame.
CONTEXT, PACKET = 1, 2
ENDS = ("data", "data_end")


class Held(NamedTuple):
    """`place` may hold `value`. A place is a register's number, or a stack slot's negative offset."""

    place: int
    value: int


State = frozenset[Held]
FRAME = Held(FRAME_POINTER, 0)


class Access(NamedTuple):
    """`size` bytes at `offset` of the context, read or written by the instruction at `slot`."""

    slot: int
    offset: int
    size: int
    written: bool


def context_accesses(program: Program) -> set[Access]:
    """All accesses through the context pointer, in the program and its subprograms.

    Followed are copies, spills, also through copies of the frame pointer, and arguments. Fails if the
    program does arithmetic on that pointer, or other than sums and differences on packet pointers, which the
    verifier refuses too (`adjust_ptr_min_max_vals` in kernel/bpf/verifier.c), or has a callback.
    """
    ends = _ends(program.kind)
    accesses: set[Access] = set()
    seen: dict[int, State] = {}
    waiting: list[tuple[int, State]] = [(0, frozenset((Held(1, CONTEXT), FRAME)))]
    while waiting:
        slot, state = waiting.pop()
        known = seen.get(slot)
        if known is not None and state <= known:
            continue
        state = state | (known or frozenset())
        seen[slot] = state
        instruction = program.instructions[slot]
        row = operation(instruction)
        accesses.update(_access(slot, instruction, row, state))
        after = _after(instruction, row, state, ends)
        if row.family not in ("exit", "goto"):
            waiting.append((slot + instruction.slots, after))
        target = jump_target(slot, instruction, row)
        if target is not None:
            waiting.append((target, _entry(state) if row.family == "call" else after))
    return accesses


def _values(state: State, place: int) -> set[int]:
    return {value for held, value in state if held == place}


def _without(state: State, *places: int) -> State:
    return frozenset(held for held in state if held.place not in places)


def _stack_slots(state: State, base: int, offset: int) -> list[int]:
    """The stack slots that `offset` behind register `base` may be."""
    return [start + offset for start in _values(state, base) if start in STACK]


def _access(slot: int, instruction: Instruction, row: Operation, state: State) -> Iterator[Access]:
    for families, base in ((READS, instruction.src), (WRITES, instruction.dst)):
        if row.family in families and CONTEXT in _values(state, base):
            yield Access(slot, instruction.offset, row.size, written=families is WRITES)


def _entry(state: State) -> State:
    """What a subprogram finds."""
    kept = (CONTEXT, PACKET)
    return frozenset(held for held in state if held.place in ARGUMENTS and held.value in kept) | {FRAME}


def _ends(kind: str) -> set[int]:
    """The offsets in the context of the pointers to the packet and its end."""
    return {field.offset for field in CONTEXTS[PROGRAMS[kind].context].fields.values() if field.role in ENDS}


def _after(instruction: Instruction, row: Operation, state: State, ends: set[int]) -> State:
    """What is held where when the instruction is done."""
    assert (row.family, row.name) != ("constant", "function"), "a callback, which is not followed"
    if row.family == "call":
        return _without(state, *CALLER_SAVED)
    if row.family in ("store", "store_release"):
        return _stored(instruction, row, state)
    if row.family == "atomic" and row.fetch:
        return _without(state, 0 if row.name == "cmpxchg" else instruction.src)
    if row.family not in ("alu", "constant", "byte_order", *READS):
        return state
    values = frozenset(_computed(instruction, row, state, ends))
    return _without(state, instruction.dst) | {Held(instruction.dst, value) for value in values}


def _stored(instruction: Instruction, row: Operation, state: State) -> State:
    slots = _stack_slots(state, instruction.dst, instruction.offset)
    if len(slots) == 1:
        state = _without(state, *slots)
    if row.source == "imm":
        return state
    return state | {Held(slot, value) for slot in slots for value in _values(state, instruction.src)}


def _computed(instruction: Instruction, row: Operation, state: State, ends: set[int]) -> Iterator[int]:
    """What of interest the instruction may leave in its destination."""
    if row.family in READS:
        if instruction.offset in ends and CONTEXT in _values(state, instruction.src):
            yield PACKET
        for slot in _stack_slots(state, instruction.src, instruction.offset):
            yield from _values(state, slot)
    elif row.family == "alu" and row.name == "mov":
        if row.source == "reg":
            before = _values(state, instruction.src)
            if row.bits == 64:
                yield from before
            else:
                assert PACKET not in before, f"half a packet pointer: {instruction}"
    elif row.family in ("alu", "byte_order"):
        before = _values(state, instruction.dst)
        other = _values(state, instruction.src) if row.source == "reg" else set()
        assert CONTEXT not in before, f"arithmetic on the context pointer: {instruction}"
        if PACKET in before | other:
            moves = row.name in ("add", "sub") and row.bits == 64
            assert moves, f"arithmetic on a packet pointer: {instruction}"
            if row.name == "add" or PACKET not in other:
                yield PACKET
        if row.name == "add" and row.source == "imm":
            frames = {value for value in before if value in STACK}
            yield from (value + instruction.imm for value in frames if value + instruction.imm in STACK)


def declared_fields(kind: str, written: bool) -> set[tuple[int, int]]:
    """Offset and size of each field (for arrays: each element) that a program of `kind` may read or write."""
    places = set()
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
