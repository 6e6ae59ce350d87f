"""The stack: nothing is stored that is there already or that nobody reads, nor loaded that a register holds.

A key that a helper has read is still there after the call; LLVM stores it again. All of this rests on knowing
every instruction that touches the stack: if an address of it goes anywhere but into an access or to a helper
that does not keep it, nothing is changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.codegen.machine.calls import EVERYTHING, StackUse, bytes_at, stack_use
from skverdict.codegen.machine.folding import is_small
from skverdict.codegen.machine.graph import (
    ATOMIC,
    CALL,
    CONST,
    FRAME,
    LOAD,
    SIZES,
    STORE,
    Block,
    Graph,
    Node,
)
from skverdict.codegen.machine.simplify import replace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from skverdict.dsl.ir.module import Map

_SIZE, _MODE, _MEMSX, _ATOMIC = 0x18, 0xE0, 0x80, 0xC0

# What a part of the stack holds, by offset and size.
Contents = dict[tuple[int, int], Node]


class Uses:
    """How each call of a function uses the stack; `known` is False if some address of it got away."""

    def __init__(self, graph: Graph, maps: Mapping[str, Map]) -> None:
        self.known = True
        self.touched = False
        self.calls: dict[Node, StackUse] = {}
        for block in graph.blocks:
            for phi in block.phis:
                if any(arg.kind == FRAME for arg in phi.args):
                    self.known = False
            for node in block.nodes:
                kind = node.kind
                if kind == CALL:
                    use = stack_use(node, maps)
                    if use is None:
                        self.known = False
                    else:
                        self.calls[node] = use
                elif kind == LOAD or kind == STORE:
                    if node.args[0].kind == FRAME:
                        self.touched = True
                        if node.offset + SIZES[node.opcode & _SIZE] > 0 or node.offset < -512:
                            self.known = False
                    if kind == STORE and node.args[1].kind == FRAME:
                        self.known = False
                elif any(arg.kind == FRAME for arg in node.args):
                    self.known = False
            if any(arg.kind == FRAME for arg in block.end.args):
                self.known = False


def tidy_stack(graph: Graph, maps: Mapping[str, Map]) -> None:
    """Remove stores and loads of the stack that change nothing."""
    uses = Uses(graph, maps)
    if not uses.known or not uses.touched:
        return
    _forward(graph, uses)
    _drop_dead_stores(graph, uses)


def _forward(graph: Graph, uses: Uses) -> None:
    replaced: dict[Node, Node] = {}
    leaving: dict[Block, Contents] = {}
    for block in graph.blocks:
        contents = _meeting(block, leaving)
        kept = []
        for node in block.nodes:
            kind = node.kind
            if kind == CALL:
                writes = uses.calls[node].writes
                if writes:
                    _forget(contents, writes)
            elif kind == STORE and node.args[0].kind == FRAME:
                place = node.offset, SIZES[node.opcode & _SIZE]
                value = node.args[1]
                value = replaced.get(value, value)
                if contents.get(place) is value:
                    continue
                _forget(contents, bytes_at(*place))
                contents[place] = value
            elif kind == LOAD and node.args[0].kind == FRAME:
                size = SIZES[node.opcode & _SIZE]
                held = contents.get((node.offset, size))
                if held is not None and node.opcode & _MODE != _MEMSX and _fits(held, size):
                    replaced[node] = held
                    continue
            elif kind == ATOMIC and node.args[0].kind == FRAME:
                contents.clear()
            kept.append(node)
        block.nodes = kept
        leaving[block] = contents
    if replaced:
        replace(graph, replaced)


def _meeting(block: Block, leaving: dict[Block, Contents]) -> Contents:
    """What is on the stack whichever way the block is entered."""
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


def _forget(contents: Contents, mask: int) -> None:
    for place in [place for place in contents if bytes_at(*place) & mask]:
        del contents[place]


def _fits(node: Node, size: int) -> bool:
    """True if storing `size` bytes of the value and loading them again gives the value itself."""
    if size == 8:
        return True
    if node.kind == CONST:
        return 0 <= node.imm < 1 << 8 * size
    if size == 4:
        return is_small(node)
    return node.kind == LOAD and SIZES[node.opcode & _SIZE] <= size and node.opcode & _MODE != _MEMSX


def _drop_dead_stores(graph: Graph, uses: Uses) -> None:
    entering: dict[Block, int] = dict.fromkeys(graph.blocks, 0)
    changed = True
    while changed:
        changed = False
        for block in reversed(graph.blocks):
            live = _live_at_end(block, entering)
            for node in reversed(block.nodes):
                live = _before(node, live, uses)
            if live != entering[block]:
                entering[block] = live
                changed = True
    for block in graph.blocks:
        live = _live_at_end(block, entering)
        kept = []
        for node in reversed(block.nodes):
            if node.kind == STORE and node.args[0].kind == FRAME:
                if not bytes_at(node.offset, SIZES[node.opcode & _SIZE]) & live:
                    continue
            live = _before(node, live, uses)
            kept.append(node)
        kept.reverse()
        block.nodes = kept


def _live_at_end(block: Block, entering: dict[Block, int]) -> int:
    live = 0
    for successor in block.successors:
        live |= entering[successor]
    return live


def _before(node: Node, live: int, uses: Uses) -> int:
    """The stack bytes that are read after `node` or by it."""
    kind = node.kind
    if kind == CALL:
        use = uses.calls[node]
        return live & ~use.fills | use.reads
    if kind == STORE and node.args[0].kind == FRAME:
        return live & ~bytes_at(node.offset, SIZES[node.opcode & _SIZE])
    if kind == LOAD and node.args[0].kind == FRAME:
        return live | bytes_at(node.offset, SIZES[node.opcode & _SIZE])
    if kind == ATOMIC and node.args[0].kind == FRAME:
        return EVERYTHING
    return live
