"""The place of a member of a kernel structure goes into the instruction that needs it.

LLVM adds it to the pointer as if it were an address. A load takes it as its offset, where that has room for it, an
addition as its constant; the loader changes either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.codegen.kernel_symbols import resolve
from skverdict.codegen.machine.graph import ADD, ADDRESS, ALU, ALU64, LOAD, REGISTER, Graph, Node

if TYPE_CHECKING:
    from collections.abc import Mapping

    from skverdict.codegen.machine.graph import Symbol
    from skverdict.dsl.ir.types import Struct

KERNEL = "kernel"
_ADD, _ADD_CONSTANT = ALU64 | ADD | REGISTER, ALU64 | ADD
_FARTHEST = 0x7FFF
"""The most that the offset of a load holds."""


def place_in_instructions(graph: Graph, structs: Mapping[str, Struct]) -> None:
    """Let loads and additions hold the places of members."""
    sums = {
        node: found
        for block in graph.blocks
        for node in block.nodes
        if (found := _sum(node)) is not None
    }
    for block in graph.blocks if sums else ():
        for node in block.nodes:
            if node.kind == LOAD and not node.offset and node.args[0] in sums:
                base, symbol = sums[node.args[0]]
                if resolve(symbol[1], 0, structs)[0] <= _FARTHEST:
                    node.args[0], node.symbol = base, symbol
    for node, (base, symbol) in sums.items():
        node.opcode, node.args, node.symbol = _ADD_CONSTANT, [base], symbol


def _sum(node: Node) -> tuple[Node, Symbol] | None:
    """The pointer and the symbol that a node is the sum of."""
    if node.kind != ALU or node.opcode != _ADD:
        return None
    for base, other in (node.args, node.args[::-1]):
        if other.kind == ADDRESS and other.symbol is not None and other.symbol[0] == KERNEL:
            return base, other.symbol
    return None
