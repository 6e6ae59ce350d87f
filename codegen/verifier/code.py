"""A program's instructions as the walk wants them: decoded once, with where they lead."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from skverdict.codegen.machine.graph import (
    ALU32,
    ALU64,
    CALL_CODE,
    CLASS,
    CODE,
    END,
    EXIT_CODE,
    JA,
    JMP,
    JMP32,
    LDX,
    REGISTER,
    SIZES,
    ST,
    STX,
    WIDE,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from skverdict.codegen.object import Program

# Kinds of step.
COMPUTE, BRANCH, JUMP, READ, WRITE, CALL, CALL_FUNCTION, EXIT, ADDRESS, ATOMIC, OTHER = range(11)

_MODE, _ATOMIC, _SIGN_EXTENDING = 0xE0, 0xC0, 0x80
_LOCAL_CALL, _FUNCTION_ADDRESS = 1, 4
_LAST_CONDITION = 0xD0


class Step(NamedTuple):
    """One instruction. `then` is where it goes on, `target` where it jumps, or the function it calls.

    `imm` is that of the instruction, or the unsigned number of a wide one; `bits` 32 or 64; `size` that of an
    access; `has_register`: the second operand is `source`; `is_flagged`: a load with a sign, or a change of the byte
    order to the big one.
    """

    kind: int
    code: int
    goal: int
    source: int
    offset: int
    imm: int
    bits: int
    size: int
    has_register: bool
    is_flagged: bool
    then: int
    target: int


class Steps(NamedTuple):
    """A program: its steps by slot, the first slot of the function that each is in, and where ways can meet."""

    by_slot: Mapping[int, Step]
    function: Mapping[int, int]
    meetings: frozenset[int]


def steps_of(program: Program) -> Steps:
    """Decode a program, with the functions behind it."""
    starts = sorted(program.functions)
    function = {}
    for slot in program.instructions:
        function[slot] = max((start for start in starts if start <= slot), default=0)
    by_slot = {slot: _step(program, slot) for slot in program.instructions}
    meetings: set[int] = set()
    for slot, step in by_slot.items():
        # `visit_insn` marks branches, where they lead, and what follows a jump or a call of a function.
        if step.kind == BRANCH:
            meetings.update((slot, step.target))
        elif step.kind == JUMP:
            meetings.update((step.target, step.then))
        elif step.kind == CALL_FUNCTION:
            meetings.add(step.then)
    return Steps(by_slot, function, frozenset(meetings))


def _step(program: Program, slot: int) -> Step:
    instruction = program.instructions[slot]
    opcode, goal, source, offset, imm = instruction
    then = slot + instruction.slots
    class_, code = opcode & CLASS, opcode & CODE
    kind, target = OTHER, then
    bits = 32 if class_ in (ALU32, JMP32) else 64
    if class_ in (ALU64, ALU32):
        kind = COMPUTE
    elif class_ in (JMP, JMP32):
        if code == JA:
            kind, target = JUMP, then + (imm if class_ == JMP32 else offset)
        elif code == EXIT_CODE:
            kind = EXIT
        elif code == CALL_CODE:
            kind = CALL
            if source == _LOCAL_CALL:
                kind, target = CALL_FUNCTION, then + imm
        elif code <= _LAST_CONDITION:
            kind, target = BRANCH, then + offset
    elif opcode == WIDE:
        kind = ADDRESS
        if source == _FUNCTION_ADDRESS:
            target = slot + 1 + _signed(imm)
    elif class_ == LDX:
        kind = READ
    elif class_ in (ST, STX):
        kind = ATOMIC if opcode & _MODE == _ATOMIC else WRITE
    size = 0 if kind not in (READ, WRITE, ATOMIC) else SIZES[opcode & 0x18]
    has_register = class_ == STX
    if kind in (COMPUTE, BRANCH):
        has_register = bool(opcode & REGISTER) and code != END
    is_flagged = opcode & _MODE == _SIGN_EXTENDING if kind == READ else code == END and bool(opcode & REGISTER)
    return Step(kind, code, goal, source, offset, imm, bits, size, has_register, is_flagged, then, target)


def _signed(imm: int) -> int:
    low = imm & 0xFFFFFFFF
    return low - (1 << 32) if low >> 31 else low
