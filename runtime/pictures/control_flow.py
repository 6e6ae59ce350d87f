"""The control-flow graph of a program: basic blocks with the source lines that they were compiled from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from skverdict.codegen.instruction_set import InstructionError, jump_target, operation
from skverdict.codegen.object import Program

Hits = Mapping[tuple[str, int], int]
"""How often each source line ran, by file and line."""


class Line(NamedTuple):
    """A source line inside a block; `hits` is None where nobody counted."""

    file: str
    number: int
    text: str
    hits: int | None


class Block(NamedTuple):
    """Instructions that run one after the other: slots `first` to `last`, and the blocks that can follow.

    `function` is the name of the function that begins with the block, if one does.
    """

    number: int
    first: int
    last: int
    function: str
    lines: tuple[Line, ...]
    successors: tuple[int, ...]


def blocks(program: Program, hits: Hits | None = None) -> list[Block]:
    """The blocks in the order of their instructions; calls do not end one."""
    slots = sorted(program.instructions)
    after = {slot: slot + program.instructions[slot].slots for slot in slots}
    ways = {slot: _ways(program, slot, after[slot]) for slot in slots}
    begins = {0, *program.functions}
    for slot in slots:
        if ways[slot] != (after[slot],):
            begins.update((after[slot], *ways[slot]))
    starts = [slot for slot in slots if slot in begins]
    number = {slot: at for at, slot in enumerate(starts)}
    found = []
    for at, start in enumerate(starts):
        end = starts[at + 1] if at + 1 < len(starts) else slots[-1] + 1
        inside = [slot for slot in slots if start <= slot < end]
        successors = tuple(dict.fromkeys(number[way] for way in ways[inside[-1]] if way in number))
        lines = tuple(_lines(program, inside, hits))
        found.append(Block(at, start, inside[-1], program.functions.get(start, ""), lines, successors))
    return found


def _ways(program: Program, slot: int, after: int) -> tuple[int, ...]:
    """The slots that can follow, the next one first."""
    instruction = program.instructions[slot]
    try:
        row = operation(instruction)
    except InstructionError:
        return (after,)
    if row.family == "exit":
        return ()
    if row.family == "gotox":
        return program.table_targets(slot)
    target = jump_target(slot, instruction, row) if row.family in ("jump", "goto", "may_goto") else None
    if target is None:
        return (after,)
    return (target,) if row.family == "goto" else (after, target)


def _lines(program: Program, slots: Sequence[int], hits: Hits | None) -> Iterator[Line]:
    """The source lines of a block, each once, in the order of its instructions."""
    seen = set()
    for slot in slots:
        line = program.line_at(slot)
        if line is not None and (line.file, line.line) not in seen:
            seen.add((line.file, line.line))
            counted = None if hits is None else hits.get((line.file, line.line), 0)
            yield Line(line.file, line.line, line.text, counted)


def graph_text(program: Program, hits: Hits | None = None) -> str:
    """The graph for a terminal."""
    found = blocks(program, hits)
    lines = [f"{program.name} ({program.section}): {program.slots} instructions, {len(found)} blocks"]
    for block in found:
        title = f" {block.function}" if block.function and block.first else ""
        lines.append(f"  B{block.number}{title}  {block.first}..{block.last}")
        for line in block.lines:
            count = "" if line.hits is None else f"{line.hits:>8,}x"
            lines.append(f"  |{count} {line.number:5}  {line.text.rstrip()}")
        ways = ", ".join(f"B{number}" for number in block.successors)
        lines.append(f"  `-> {ways or 'exit'}")
    return "\n".join(lines)
