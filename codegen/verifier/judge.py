"""Programs that are too much work for the kernel's verifier: in which line, and what to write instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from skverdict.codegen.verifier.code import BRANCH, JUMP, steps_of
from skverdict.codegen.verifier.walk import MOST_STEPS, MOST_WAYS, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from skverdict.codegen.object import Object, Program, SourceLine
    from skverdict.codegen.verifier.walk import Walked

# Kernels were never found to go less far than four fifths of what is counted here, in programs of some length.
_SURELY_TOO_MANY = MOST_STEPS * 5 // 4

_LOOP = "let `bpf_loop(n, turn, state)` run it, whose turns are all looked at as one"


class Excess(NamedTuple):
    """What kernels refuse to look at, or may refuse. `line` is that of the loop, or of the program's end."""

    message: str
    hint: str
    line: SourceLine | None
    is_certain: bool


def excesses(object_: Object) -> Iterator[Excess]:
    """One for each program of the object that is too much."""
    for program in object_.programs.values():
        walked = walk(object_, program, _SURELY_TOO_MANY)
        if walked.ways > MOST_WAYS:
            yield _too_many_ways(program, walked)
        elif walked.steps > MOST_STEPS:
            yield _too_many_steps(program, walked)


def _too_many_ways(program: Program, walked: Walked) -> Excess:
    slot, turns = max(walked.turns.items(), key=lambda item: item[1])
    in_turn = max(1, round(MOST_WAYS / turns))
    branches = "a branch" if in_turn == 1 else f"{in_turn} branches"
    return Excess(
        f"kernels refuse this loop after {turns} turns: each has {branches} that the verifier cannot decide, and it "
        f"keeps {MOST_WAYS} of them at most",
        f"make it much shorter than {MOST_WAYS // in_turn} turns, or {_LOOP}",
        _loop_line(program, slot),
        walked.is_certain,
    )


def _too_many_steps(program: Program, walked: Walked) -> Excess:
    slot, _ = max(walked.turns.items(), key=lambda item: item[1])
    is_certain = walked.at is not None and walked.is_certain
    return Excess(
        f"{'kernels refuse' if is_certain else 'kernels may refuse'} `{program.name}`: their verifier follows "
        f"{MOST_STEPS} instructions, and comes to this loop again for all that was counted or found before, or in it",
        f"search in fewer turns, count with `atomic_add` in a map, or {_LOOP}",
        _loop_line(program, slot),
        is_certain,
    )


def _loop_line(program: Program, slot: int) -> SourceLine | None:
    """The line in which the smallest loop around a slot begins."""
    by_slot = steps_of(program).by_slot
    loops = [
        (at - step.target, at)
        for at, step in by_slot.items()
        if step.kind in (BRANCH, JUMP) and step.target <= slot <= at
    ]
    if not loops:
        return program.line_at(slot)
    length, end = min(loops)
    lines = [program.line_at(at) for at in by_slot if end - length <= at <= end]
    heads = [line for line in lines if line is not None and line.text.lstrip().startswith(("for ", "while "))]
    return max(heads, key=lambda line: line.line) if heads else program.line_at(end)
