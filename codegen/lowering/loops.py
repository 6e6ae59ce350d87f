"""Which values of a function are made more than once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.dsl.ir.module import SUBPROGRAM

if TYPE_CHECKING:
    from skverdict.dsl.ir.module import Function


def repeated_values(function: Function) -> frozenset[int]:
    """The numbers of the values that are made in a loop; of a subprogram all, as LLVM may put it into one."""
    places = {block.label: place for place, block in enumerate(function.blocks)}
    inside: set[int] = set()
    if function.kind == SUBPROGRAM:
        inside.update(places.values())
    for place, block in enumerate(function.blocks):
        for successor in block.operations[-1].successors:
            # Every way around goes back over each of its blocks.
            inside.update(range(places[successor], place + 1))
    return frozenset(
        operation.result.number
        for place in inside
        for operation in function.blocks[place].operations
        if operation.result is not None
    )
