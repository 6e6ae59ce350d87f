"""Programs that the kernel's verifier refuses: in which line, why, and what to write instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from skverdict.codegen.verifier import explain
from skverdict.codegen.verifier.code import BRANCH, JUMP, steps_of
from skverdict.codegen.verifier.walk import MOST_STEPS, MOST_WAYS, walk
from skverdict.dsl.catalogue.programs import KERNELS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from skverdict.codegen.object import Object, Program, SourceLine
    from skverdict.codegen.verifier.walk import Walked

# Kernels were never found to go less far than two thirds of what is counted here, in programs of some length.
_SURELY_TOO_MANY = MOST_STEPS * 3 // 2

_EDGES = "test numbers with `<` and `>` rather than with `!=`, "
_LOOP = "let `bpf_loop(n, turn, state)` run it, whose turns are all looked at as one"
# Verifiers see that a loop ends by numbers alone that they know in each turn.
_COUNTED = "give it turns that are counted, such as `for _ in range(64):` with a `break` where it ends"


class Objection(NamedTuple):
    """What kernels refuse, or may refuse. `line` is that of the access, or of the loop that is too much work."""

    message: str
    hint: str
    line: SourceLine | None
    is_certain: bool
    is_work: bool = False


def objections(object_: Object, kernel: str = KERNELS[-1]) -> Iterator[Objection]:
    """What `kernel` says of the object's programs, or, if that is the newest, what the oldest says of them."""
    for program in object_.programs.values():
        walked = walk(object_, program, _SURELY_TOO_MANY, kernel)
        found = _objection(program, walked, kernel, "kernels refuse" if walked.is_certain else "kernels may refuse")
        if found is None and kernel == KERNELS[-1]:
            oldest = KERNELS[0]
            advice = _EDGES if walked.by_edges else ""
            walked = walk(object_, program, _SURELY_TOO_MANY, oldest)
            found = _objection(program, walked, oldest, f"Linux {oldest} refuses", advice)
            found = None if found is None else found._replace(is_certain=False)
        if found is not None:
            yield found


def _objection(program: Program, walked: Walked, kernel: str, who: str, advice: str = "") -> Objection | None:
    if walked.problem is not None and walked.at is not None:
        return Objection(
            f"the verifier of Linux {kernel} {explain.message(walked.problem)}",
            explain.hint(walked.problem),
            program.line_at(walked.at),
            walked.is_certain,
        )
    if not walked.is_too_much:
        return None
    slot, turns = max(walked.turns.items(), key=lambda item: item[1])
    line, is_certain = _loop_line(program, slot), walked.is_certain
    is_counted = line is None or not line.text.lstrip().startswith("while ")
    if walked.ways > MOST_WAYS:
        in_turn = max(1, round(MOST_WAYS / turns))
        shorter = f"make it much shorter than {MOST_WAYS // in_turn} turns" if is_counted else _COUNTED
        branches = "a branch" if in_turn == 1 else f"{in_turn} branches"
        return Objection(
            f"{who} this loop after {turns} turns: each has {branches} that the verifier cannot decide, and it keeps "
            f"{MOST_WAYS} of them at most",
            f"{advice}{shorter}, or {_LOOP}",
            line,
            is_certain,
            is_work=True,
        )
    if walked.at is None:
        # It is more than kernels follow, and may be less by their own count.
        who, is_certain = "kernels may refuse", False
    return Objection(
        f"{who} `{program.name}`: the verifier follows {MOST_STEPS} instructions, and comes to this loop again for all "
        "that was counted or found before, or in it",
        f"{advice}{'search in fewer turns' if is_counted else _COUNTED}, count with `atomic_add` in a map, or {_LOOP}",
        line,
        is_certain,
        is_work=True,
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
