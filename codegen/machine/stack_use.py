"""How a function uses its stack, and what is known to lie there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.codegen.machine.calls import STACK_SIZE, Access, bytes_at, stack_accesses
from skverdict.codegen.machine.graph import CALL, FRAME, LOAD, SIZES, STORE, Block, Graph, Node

if TYPE_CHECKING:
    from collections.abc import Mapping

    from skverdict.dsl.ir.module import Map

SIZE_BITS = 0x18

#: A part of the stack: offset from the frame pointer, and size.
Part = tuple[int, int]
#: What parts of the stack hold.
Contents = dict[Part, Node]


class Uses:
    """What each call of a function does to the stack; `known` is False if some address of it got away."""

    def __init__(self, graph: Graph, maps: Mapping[str, Map]) -> None:
        self.known = True
        self.touched = False
        self.calls: dict[Node, list[Access]] = {}
        for block in graph.blocks:
            for phi in block.phis:
                if any(arg.kind == FRAME for arg in phi.args):
                    self.known = False
            for node in block.nodes:
                self._add(node, maps)
            if any(arg.kind == FRAME for arg in block.end.args):
                self.known = False

    def _add(self, node: Node, maps: Mapping[str, Map]) -> None:
        kind = node.kind
        if kind == CALL:
            accesses = stack_accesses(node, maps)
            if accesses is None:
                self.known = False
            else:
                self.calls[node] = accesses
        elif kind in (LOAD, STORE):
            if node.args[0].kind == FRAME:
                self.touched = True
                if not -STACK_SIZE <= node.offset <= -SIZES[node.opcode & SIZE_BITS]:
                    self.known = False
            if kind == STORE and node.args[1].kind == FRAME:
                self.known = False
        elif any(arg.kind == FRAME for arg in node.args):
            self.known = False


def part_of(node: Node, kind: int) -> Part | None:
    """The part of the stack that a node accesses, if it is a LOAD, STORE or ATOMIC, whichever `kind` is; else None."""
    if node.kind != kind or node.args[0].kind != FRAME:
        return None
    return node.offset, SIZES[node.opcode & SIZE_BITS]


def meeting(block: Block, leaving: Mapping[Block, Contents]) -> Contents:
    """What is on the stack whichever way the block is entered; `leaving` has what is when blocks end."""
    ways = [leaving.get(each) for each in block.predecessors]
    if not ways or None in ways:
        return {}
    first, *others = ways
    assert first is not None
    return {
        place: value
        for place, value in first.items()
        if all(other is not None and other.get(place) is value for other in others)
    }


def change(contents: Contents, node: Node, uses: Uses) -> None:
    """Let `contents` be what is on the stack behind a CALL or STORE."""
    if node.kind == CALL:
        for access in uses.calls[node]:
            if access.writes:
                forget(contents, access.mask)
    part = part_of(node, STORE)
    if part is not None:
        forget(contents, bytes_at(*part))
        contents[part] = node.args[1]


def forget(contents: Contents, mask: int) -> None:
    """Remove what overlaps the bytes of a bit mask."""
    for place in [place for place in contents if bytes_at(*place) & mask]:
        del contents[place]
