"""Comparisons and sums of two registers, put so that every verifier sees what comparisons come to, and no more.

Linux before 6.4 tells what a comparison of two registers comes to only if the second is known exactly
(`check_cond_jmp_op` of kernel/bpf/verifier.c): of `7 > r6` it follows both ways, though r6 is known to be 31 or more,
and refuses what stands on the way that no packet takes; so it does of `count < n`, round for round of a loop, where
it knows the count. So what is known comes second: into the instruction itself, where that can hold it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from skverdict.codegen.machine.folding import as_immediate
from skverdict.codegen.machine.graph import (
    ADD,
    ALU,
    CODE,
    CONST,
    DIV,
    JEQ,
    JGE,
    JGT,
    JLE,
    JLT,
    JNE,
    JSET,
    JSGE,
    JSGT,
    JSLE,
    JSLT,
    JUMP,
    LOAD,
    MOD,
    MOV,
    PHI,
    REGISTER,
    STORE,
    UNARY,
)
from skverdict.codegen.machine.stack_use import part_of

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping

    from skverdict.codegen.machine.graph import Block, Graph, Node
    from skverdict.codegen.machine.stack_use import Part

#: By comparison: one that CPU v1 has, of the same operands in the other order; and whether it is the contrary.
_EXCHANGED = {
    JEQ: (JEQ, False), JNE: (JNE, False), JSET: (JSET, False),
    JLT: (JGT, False), JLE: (JGE, False), JGT: (JGE, True), JGE: (JGT, True),
    JSLT: (JSGT, False), JSLE: (JSGE, False), JSGT: (JSGE, True), JSGE: (JSGT, True),
}  # fmt: skip
#: Arithmetic of which the verifier forgets even what known numbers give.
_FORGOTTEN = (DIV, MOD)
_CONSTANT = 3


class Comparison(NamedTuple):
    """What becomes of a comparison of two registers.

    `operands` are the places, 0 or 1, of those that it has now; one if the other is its `imm`. `is_contrary`: it is
    true where the one before was not.
    """

    opcode: int
    operands: tuple[int, ...]
    imm: int
    is_contrary: bool


def put_known_second(graph: Graph, known: Known) -> None:
    """Let all comparisons have what is known second."""
    for block, comparison in comparisons(graph, known):
        end = block.end
        end.opcode, end.imm = comparison.opcode, comparison.imm
        end.args = [end.args[place] for place in comparison.operands]
        if comparison.is_contrary:
            block.successors.reverse()
        if len(end.args) == 2:
            graph.ordered.add(end)


def add_to_known(graph: Graph, known: Known) -> None:
    """Let sums begin as what is known, where one side is.

    A copy of what is not known, with a known number added, stays linked to it since Linux 6.11 (in 7.2 numbers of
    32 bits, too): what a test tells of the sum, the verifier knows of what it is made of (`sync_linked_regs`). So each
    turn of a loop that looks at another place behind the same one would make another case of all that follow.
    """
    for block in graph.blocks:
        for node in block.nodes:
            if node.kind == ALU and node.opcode & CODE == ADD and len(node.args) == 2:
                first, second = (known.rank(each) for each in node.args)
                if first < second < _CONSTANT:
                    node.args.reverse()


def comparisons(graph: Graph, known: Known) -> Iterator[tuple[Block, Comparison]]:
    """The blocks that end with a comparison of something known, and what becomes of it."""
    blocks = [
        block
        for block in graph.blocks
        if block.end.kind == JUMP and len(block.end.args) == 2 and block.end.opcode & CODE in _EXCHANGED
    ]
    for block in blocks:
        first, second = (known.rank(each) for each in block.end.args)
        if first != second:
            yield block, _compared(block.end, first > second)


def _compared(end: Node, is_turned: bool) -> Comparison:
    opcode, is_contrary = end.opcode, False
    if is_turned:
        code, is_contrary = _EXCHANGED[opcode & CODE]
        opcode = opcode & ~CODE | code
    operands = (1, 0) if is_turned else (0, 1)
    number = as_immediate(end.args[operands[1]], opcode)
    if number is None:
        return Comparison(opcode, operands, 0, is_contrary)
    return Comparison(opcode & ~REGISTER, operands[:1], number, is_contrary)


class Known:
    """What the verifier knows exactly: what is made of constants alone, whichever way it came there."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.is_searched = False

    def _search(self) -> None:
        graph = self.graph
        self.is_searched = True
        self.stored = _stored(graph)
        nodes = [
            node
            for block in graph.blocks
            for node in (*block.phis, *block.nodes)
            if node.kind in (PHI, LOAD) or _keeps_known(node)
        ]
        # On all ways: whatever depends on itself, around a loop, is known if that contradicts nothing.
        self.surely: set[Node] = set(nodes)
        changed = True
        while changed:
            changed = False
            for node in nodes:
                if node in self.surely and not self._is_made_of(node, self.surely, all_ways=True):
                    self.surely.discard(node)
                    changed = True
        self.perhaps: set[Node] = set()
        changed = True
        while changed:
            changed = False
            for node in nodes:
                if node not in self.perhaps and self._is_made_of(node, self.perhaps, all_ways=False):
                    self.perhaps.add(node)
                    changed = True

    def _is_made_of(self, node: Node, known: Container[Node], all_ways: bool) -> bool:
        if node.kind == LOAD:
            part = part_of(node, LOAD)
            sources = self.stored.get(part, []) if part is not None else []
            if not sources:
                return False
        else:
            sources = node.args
        test = all if all_ways or node.kind not in (PHI, LOAD) else any
        return test(each.kind == CONST or each in known for each in sources)

    def rank(self, node: Node) -> int:
        """The higher, the more surely the verifier knows the number."""
        if node.kind == CONST:
            return _CONSTANT
        if not self.is_searched:
            self._search()
        return (node in self.surely) + (node in self.perhaps)


def _stored(graph: Graph) -> Mapping[Part, list[Node]]:
    """What is stored to each part of the stack."""
    stored: dict[Part, list[Node]] = {}
    for block in graph.blocks:
        for node in block.nodes:
            part = part_of(node, STORE)
            if part is not None:
                stored.setdefault(part, []).append(node.args[1])
    return stored


def _keeps_known(node: Node) -> bool:
    if node.kind == UNARY:
        return node.opcode & CODE == MOV
    return node.kind == ALU and node.opcode & CODE not in _FORGOTTEN
