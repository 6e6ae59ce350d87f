"""Addresses in the stack frame that LLVM adds up with `|`.

A variable begins at a multiple of eight, so of an index below eight LLVM knows that it shares no bit with the
address, and `|` gives the sum as well. The verifier lets nothing but sums and differences be made of a pointer
(`adjust_ptr_min_max_vals` in kernel/bpf/verifier.c).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.codegen.machine.graph import ADD, ALU, ALU64, CLASS, CODE, FRAME, OR, PHI, REGISTER

if TYPE_CHECKING:
    from skverdict.codegen.machine.graph import Graph, Node


def add_to_frames(graph: Graph) -> list[Node]:
    """Make a sum of every `|` of an address in the frame; gives the sums."""
    sums = [
        node
        for block in graph.blocks
        for node in block.nodes
        if node.kind == ALU and node.opcode & ~REGISTER == ALU64 | OR and any(map(_is_in_frame, node.args))
    ]
    for node in sums:
        node.opcode += ADD - OR
    return sums


def _is_in_frame(node: Node) -> bool:
    seen: set[Node] = set()
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if node.kind == FRAME:
            return True
        if node in seen:
            continue
        seen.add(node)
        if node.kind == PHI or (
            node.kind == ALU and node.opcode & CLASS == ALU64 and node.opcode & CODE == ADD
        ):
            waiting += node.args
    return False
