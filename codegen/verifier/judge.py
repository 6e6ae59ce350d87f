"""Programs that are too much work for the kernel's verifier: in which line, and what to write instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from skverdict.codegen.verifier.code import BRANCH, JUMP, steps_of
from skverdict.codegen.verifier.walk import MOST_STEPS, MOST_WAYS, walk
from skverdict.dsl.catalogue.programs import KERNELS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from skverdict.codegen.object import Object, Program, SourceLine
    from skverdict.codegen.verifier.walk import Walked

# Kernels were never found to go less far than four fifths of what is counted here, in programs of some length.
_SURELY_TOO_MANY = MOST_STEPS * 5 // 4

_LOOP = "let `bpf_loop(n, turn, state)` run it, whose turns are all looked at as one"


class Excess(NamedTuple):
    """What kernels refuse to look at, or may refuse. `line` is that of the loop."""

    message: str
    hint: str
    line: SourceLine | None
    is_certain: bool


def excesses(object_: Object, kernel: str = KERNELS[-1]) -> Iterator[Excess]:
    """One for each program of the object that is too much for `kernel`, or, if that is the newest, for the oldest."""
    for program in object_.programs.values():
        walked = walk(object_, program, _SURELY_TOO_MANY, kernel)
        who = "kernels refuse" if walked.is_certain else "kernels may refuse"
        is_certain, advice = walked.is_certain, ""
        if not walked.is_too_much and walked.by_edges and kernel == KERNELS[-1]:
            walked = walk(object_, program, _SURELY_TOO_MANY, KERNELS[0])
            is_certain, who = False, f"Linux {KERNELS[0]} refuses"
            advice = "test numbers with `<` and `>` rather than with `!=`, "
        if walked.ways > MOST_WAYS:
            yield _too_many_ways(program, walked, who, is_certain, advice)
        elif walked.is_too_much:
            if walked.at is None:
                is_certain, who = False, "kernels may refuse"
            yield _too_many_steps(program, walked, who, is_certain, advice)


def _too_many_ways(program: Program, walked: Walked, who: str, is_certain: bool, advice: str) -> Excess:
    slot, turns = max(walked.turns.items(), key=lambda item: item[1])
    in_turn = max(1, round(MOST_WAYS / turns))
    branches = "a branch" if in_turn == 1 else f"{in_turn} branches"
    return Excess(
        f"{who} this loop after {turns} turns: each has {branches} that the verifier cannot decide, and it keeps "
        f"{MOST_WAYS} of them at most",
        f"{advice}make it much shorter than {MOST_WAYS // in_turn} turns, or {_LOOP}",
        _loop_line(program, slot),
        is_certain,
    )


def _too_many_steps(program: Program, walked: Walked, who: str, is_certain: bool, advice: str) -> Excess:
    slot, _ = max(walked.turns.items(), key=lambda item: item[1])
    return Excess(
        f"{who} `{program.name}`: the verifier follows {MOST_STEPS} instructions, and comes to this loop again for all "
        "that was counted or found before, or in it",
        f"{advice}search in fewer turns, count with `atomic_add` in a map, or {_LOOP}",
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
