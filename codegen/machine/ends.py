"""The packet's ends in LLVM's own instructions.

A structure gives them as numbers of 32 bits, which LLVM widens where it uses them, at times in another block than
it reads them in. To the verifier they are pointers of 64 bits from the start, which no shift may be done to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.codegen.machine.folding import small_nodes
from skverdict.codegen.machine.graph import ALU, ALU64, LSH, MOV, REGISTER, RSH
from skverdict.codegen.machine.pointers import may_be_packet

if TYPE_CHECKING:
    from skverdict.codegen.machine.graph import Graph

_SHIFT_LEFT, _SHIFT_RIGHT = ALU64 | LSH, ALU64 | RSH
_MOVE = ALU64 | MOV | REGISTER


def keep_whole(graph: Graph) -> dict[int, int | None]:
    """What becomes of the instructions that clear the upper half of what may be a packet pointer, by slot: another
    opcode, or nothing (None).

    `graph` is the function as it was lifted. Only what is small anyway is left as it is, so that numbers keep
    their meaning.
    """
    ends = [each for each in graph.extensions if may_be_packet(each[0], graph.program)]
    if not ends:
        return {}
    small = small_nodes(graph)
    # A shift to the left that is more than the first half of an extension stays.
    small.difference_update(
        arg.args[0]
        for _, node in graph.users()
        for arg in node.args
        if arg.kind == ALU and arg.opcode == _SHIFT_LEFT and (node.opcode, node.imm) != (_SHIFT_RIGHT, 32)
    )
    changed: dict[int, int | None] = {}
    for value, slots in ends:
        if value in small:
            changed.update(dict.fromkeys(slots, _MOVE if len(slots) == 1 else None))
    return changed
