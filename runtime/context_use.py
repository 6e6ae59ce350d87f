"""Where a program reads and writes its context: what `r1` held when it began, followed through its functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

from skverdict.codegen.instruction_set import InstructionError, Operation, operation
from skverdict.codegen.object import Program
from skverdict.dsl.catalogue.helpers import HELPERS, Helper
from skverdict.runtime.machine.flow import Flow
from skverdict.runtime.machine.known import CONTEXT, Known, after, knowledge

_HELPERS = {helper.number: helper for helper in HELPERS.values()}
#: Stands for a helper that is not in the catalogue, and for functions of the kernel.
_UNKNOWN = Helper(0, "", "", "u64", {})


class Access(NamedTuple):
    """A load or, if it `writes`, a store `offset` bytes into the context."""

    offset: int
    writes: bool


def context_accesses(program: Program) -> Iterator[Access]:
    """The accesses through registers that hold the context on every way; it may come twice.

    Not followed are a context that was put on the stack, and functions from which a way leads to where no
    instruction begins.
    """
    rows = {}
    for slot, instruction in program.instructions.items():
        with suppress(InstructionError):
            rows[slot] = operation(instruction)
    waiting, found = [0], {0}
    while waiting:
        for slot, known in _states(waiting.pop(), program, rows):
            instruction, row = program.instructions[slot], rows[slot]
            if row.family == "load" and known.register(instruction.src) is CONTEXT:
                yield Access(instruction.offset, False)
            elif row.family == "store" and known.register(instruction.dst) is CONTEXT:
                yield Access(instruction.offset, True)
            elif (row.family, row.name) == ("call", "local") and known.register(1) is CONTEXT:
                callee = slot + 1 + instruction.imm
                if callee not in found:
                    found.add(callee)
                    waiting.append(callee)


def _states(begin: int, program: Program, rows: Mapping[int, Operation]) -> Iterator[tuple[int, Known]]:
    """The slots of the function at `begin`, which has the context in `r1`, with what is known before each."""
    try:
        flow = Flow(begin, program.instructions, rows, program.table_targets)
    except KeyError:
        return
    entries = knowledge(flow, True, program.instructions, rows, _helper)
    for block in flow.blocks.values():
        known = entries[block.begin]
        for slot in block.slots:
            yield slot, known
            known = after(known, program.instructions[slot], rows[slot], _helper)


def _helper(number: int) -> Helper:
    return _HELPERS.get(number, _UNKNOWN)
