"""Comparisons with what loops count, put so that every verifier sees where they end.

The verifier goes through each round of a loop with the count known exactly. Linux before 6.4 tells what a comparison
of two registers comes to only if the second is the known one (`check_cond_jmp_op` of kernel/bpf/verifier.c): of
`count < n` it follows both ways, round for round, though `n` is known to be small; of `n > count` it does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.codegen.machine.graph import (
    ADD,
    ALU,
    CODE,
    CONST,
    JGE,
    JGT,
    JLE,
    JLT,
    JSGE,
    JSGT,
    JSLE,
    JSLT,
    JUMP,
    LSH,
    PHI,
    REGISTER,
    RSH,
    SUB,
    UNARY,
)

if TYPE_CHECKING:
    from skverdict.codegen.machine.graph import Block, Graph, Node

#: By comparison: one that CPU v1 has, of the same operands in the other order; and whether it is the contrary.
_TURNED = {
    JLT: (JGT, False), JLE: (JGE, False), JGT: (JGE, True), JGE: (JGT, True),
    JSLT: (JSGT, False), JSLE: (JSGE, False), JSGT: (JSGE, True), JSGE: (JSGT, True),
}  # fmt: skip
_STEPS = (ADD, SUB, LSH, RSH)
_MOVE_32 = 0xBC


def put_counts_second(graph: Graph) -> bool:
    """Turn the comparisons whose first operand is a loop's count and whose second is none; whether there is any."""
    turned = False
    for block in graph.blocks:
        end = block.end
        if end.kind == JUMP and end.opcode & REGISTER and len(end.args) == 2 and end.opcode & CODE in _TURNED:
            first, second = end.args
            if _is_count(first) and not _is_count(second):
                _turn(block, end)
                turned = True
    return turned


def _turn(block: Block, end: Node) -> None:
    code, is_contrary = _TURNED[end.opcode & CODE]
    end.opcode = end.opcode & ~CODE | code
    end.args.reverse()
    if is_contrary:
        block.successors.reverse()


def _is_count(node: Node) -> bool:
    """True for what a loop makes of constants, step by step."""
    seen: set[Node] = set()
    waiting = [node]
    meets = False
    while waiting:
        node = waiting.pop()
        if node in seen or node.kind == CONST:
            continue
        seen.add(node)
        meets = meets or node.kind == PHI
        is_step = node.kind == ALU and not node.opcode & REGISTER and node.opcode & CODE in _STEPS
        if node.kind != PHI and not is_step and not (node.kind == UNARY and node.opcode == _MOVE_32):
            return False
        waiting += node.args
    return meets
