"""What Python does for native code: instructions, one at a time."""

from __future__ import annotations

from typing import NamedTuple

from skverdict.codegen.instruction_set import operation
from skverdict.codegen.object import Program
from skverdict.runtime.native.graph import Site
from skverdict.runtime.native.outline import Known, Outline
from skverdict.runtime.native.written import helper_of, sets, uses


class Performed(NamedTuple):
    """An instruction: the registers it reads, those of them that hold nothing, the one that it sets, how many bytes it
    accesses how far behind an address; and what is `Known` of it."""

    reads: tuple[int, ...]
    missing: tuple[int, ...]
    sets: int | None
    size: int
    offset: int
    is_helper: bool
    registers: int
    written: int
    table: int
    gives_value: bool
    counts: bool
    moves: bool
    rereads: bool
    fresh: bool
    loops: bool

    def holds(self, register: int) -> bool:
        """True if a register always holds something there."""
        return bool(self.registers >> register & 1)


class Work(dict[int, Performed]):
    """The instructions of a program by their slots, each made when it is first asked for."""

    def __init__(self, program: Program, outline: Outline) -> None:
        super().__init__()
        self._program = program
        self._outline = outline
        self._known: dict[int, Known] = {}

    def __missing__(self, slot: int) -> Performed:
        if not self._known:
            self._known = self._outline.known()
        self[slot] = made = _performed(self._program, slot, self._known[slot])
        return made


def _performed(program: Program, slot: int, known: Known) -> Performed:
    instruction = program.instructions[slot]
    row = operation(instruction)
    site = Site(slot, instruction, row, slot + instruction.slots, -1)
    is_helper = helper_of(site) is not None
    reads = tuple(range(1, 6)) if is_helper else uses(site)
    missing = tuple(register for register in reads if not known.registers >> register & 1)
    return Performed(reads, missing, sets(site), row.size, instruction.offset, is_helper, *known)
