"""What is known of a function's registers and stack before it runs, so that less has to be looked at then.

It decides how quickly something is done, never what is done: where nothing is known, every check is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from skverdict.codegen.instruction import Instruction
from skverdict.codegen.instruction_set import Operation
from skverdict.dsl.catalogue.helpers import Helper
from skverdict.runtime.machine.flow import Flow
from skverdict.runtime.machine.memory import STACK_SIZE


class Fact(NamedTuple):
    """What a register holds on every way to an instruction. `offset` counts from r10 for `FRAME`."""

    kind: str
    offset: int = 0


#: Perhaps nothing: it may never have been written.
MAYBE = Fact("maybe")
#: Surely nothing, as in the registers of a call's arguments behind it.
NOTHING = Fact("nothing")
#: What a register may hold that is to be looked at before it is used.
UNSURE = (MAYBE, NOTHING)
WRITTEN = Fact("written")
#: A number below 2**32.
NARROW = Fact("narrow")
#: The context's address.
CONTEXT = Fact("context")
#: An address in the function's own stack, nobody knows where.
SOMEWHERE = Fact("somewhere")
FRAME_POINTER = Fact("frame")

_FRAME = FRAME_POINTER.kind
_NUMBERS = (WRITTEN, NARROW)
_WHOLE_WIDTH = 32

#: Helper arguments by which a helper, or what it calls, may take bytes of the stack away.
_HIDES = ("new_dynptr", "callback")


class Known(NamedTuple):
    """What is known where an instruction begins. Bit n of `stack` is set if byte n was surely written."""

    registers: tuple[Fact, ...]
    stack: int = 0

    def register(self, number: int) -> Fact:
        return self.registers[number]

    def with_register(self, number: int, fact: Fact) -> Known:
        return self._replace(registers=(*self.registers[:number], fact, *self.registers[number + 1 :]))

    def place(self, number: int, offset: int, size: int) -> int | None:
        """Where in the stack `size` bytes at `offset` from a register lie, if that is known and inside."""
        fact = self.registers[number]
        place = STACK_SIZE + fact.offset + offset
        return place if fact.kind == _FRAME and 0 <= place <= STACK_SIZE - size else None

    def has_written(self, place: int, size: int) -> bool:
        """True if `size` bytes at `place` in the stack were surely written."""
        bits = bits_of(place, size)
        return self.stack & bits == bits

    def meet(self, other: Known) -> Known:
        """What holds on both of two ways."""
        if self == other:
            return self
        pairs = zip(self.registers, other.registers, strict=True)
        return Known(tuple(_meet(*pair) for pair in pairs), self.stack & other.stack)


def bits_of(place: int, size: int) -> int:
    """The bits that stand for `size` bytes at `place` in the stack."""
    return (1 << size) - 1 << place


def _meet(one: Fact, other: Fact) -> Fact:
    if one == other:
        return one
    return MAYBE if one in UNSURE or other in UNSURE else WRITTEN


def at_entry(main: bool) -> Known:
    """What is known where a function begins. The program itself has its context in r1."""
    return Known((MAYBE, CONTEXT if main else MAYBE, *[MAYBE] * 8, FRAME_POINTER))


def knowledge(
    flow: Flow,
    main: bool,
    instructions: Mapping[int, Instruction],
    operations: Mapping[int, Operation],
    helper_at: Callable[[int], Helper],
) -> dict[int, Known]:
    """What is known where each block begins."""
    known = {flow.begin: at_entry(main)}
    waiting = [flow.begin]
    while waiting:
        block = flow.blocks[waiting.pop()]
        state = known[block.begin]
        for slot in block.slots:
            state = after(state, instructions[slot], operations[slot], helper_at)
        for way in block.ways:
            met = state if way not in known else known[way].meet(state)
            if met != known.get(way):
                known[way] = met
                waiting.append(way)
    return known


def after(
    known: Known, instruction: Instruction, operation: Operation, helper_at: Callable[[int], Helper]
) -> Known:
    """What is known behind an instruction; `helper_at` gives the helper of a number."""
    family = operation.family
    if family in ("alu", "byte_order"):
        return known.with_register(instruction.dst, _computed(known, instruction, operation))
    if family in ("load", "load_acquire"):
        return known.with_register(instruction.dst, NARROW if _loads_narrow(known, instruction, operation) else WRITTEN)
    if family == "constant":
        return known.with_register(instruction.dst, WRITTEN)
    if family == "store":
        place = known.place(instruction.dst, instruction.offset, operation.size)
        return known if place is None else known._replace(stack=known.stack | bits_of(place, operation.size))
    if family == "atomic":
        if operation.name == "cmpxchg":
            return known.with_register(0, WRITTEN)
        return known.with_register(instruction.src, WRITTEN) if operation.fetch else known
    if family == "call":
        return _called(known, None if operation.name == "local" else helper_at(instruction.imm))
    return known


def _loads_narrow(known: Known, instruction: Instruction, operation: Operation) -> bool:
    """True if a load gives no more than 32 bits. From a structure, 4 bytes may be a whole address."""
    if operation.signed or operation.size == 8:
        return False
    return operation.size < 4 or known.register(instruction.src).kind in (_FRAME, SOMEWHERE.kind)


def _called(known: Known, helper: Helper | None) -> Known:
    """Behind a call of `helper`, or of a function of the program."""
    result = MAYBE if helper is None or helper.returns == "void" else WRITTEN
    hides = helper is None or any(argument.kind in _HIDES for argument in helper.arguments)
    return Known((result, *[NOTHING] * 5, *known.registers[6:]), 0 if hides else known.stack)


def _computed(known: Known, instruction: Instruction, operation: Operation) -> Fact:
    """What an arithmetic operation leaves in its destination."""
    name, immediate = operation.name, operation.source == "imm"
    if operation.bits <= _WHOLE_WIDTH:
        return NARROW
    if name == "mov":
        if immediate:
            return NARROW if instruction.imm >= 0 else WRITTEN
        source = known.register(instruction.src)
        return WRITTEN if source in UNSURE else source
    if immediate and ((name == "and" and instruction.imm >= 0) or (name == "rsh" and instruction.imm & 32)):
        return NARROW
    if name not in ("add", "sub"):
        return WRITTEN
    old = known.register(instruction.dst)
    if not immediate:
        operands = (old.kind, known.register(instruction.src).kind)
        return SOMEWHERE if any(kind in (_FRAME, SOMEWHERE.kind) for kind in operands) else WRITTEN
    if old.kind == _FRAME:
        return Fact(_FRAME, old.offset + (instruction.imm if name == "add" else -instruction.imm))
    return SOMEWHERE if old is SOMEWHERE else WRITTEN
