"""What a way taken at a branch tells: a value that is compared for equality is then known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.codegen.machine.folding import is_small
from skverdict.codegen.machine.graph import CLASS, CODE, JEQ, JMP, JMP32, JNE, JUMP, MASK32
from skverdict.codegen.machine.pointers import may_be_packet

if TYPE_CHECKING:
    from skverdict.codegen.machine.graph import Block, Node


def edge_fact(block: Block, successor: Block, program: str) -> tuple[Node, int] | None:
    """A value, and the number that it is known to be on the way from `block` to `successor`.

    Not what may be a packet pointer: to the verifier it stays one there. `program` is the program kind.
    """
    end = block.end
    if end.kind != JUMP or len(end.args) != 1 or len(block.successors) != 2:
        return None
    code = end.opcode & CODE
    if code == JEQ:
        equal = block.successors[0]
    elif code == JNE:
        equal = block.successors[1]
    else:
        return None
    if successor is not equal or block.successors[0] is block.successors[1]:
        return None
    value = end.args[0]
    if may_be_packet(value, program):
        return None
    if end.opcode & CLASS == JMP:
        return value, end.imm
    if end.opcode & CLASS == JMP32 and is_small(value):
        return value, end.imm & MASK32
    return None
