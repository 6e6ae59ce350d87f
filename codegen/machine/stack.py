"""The stack: nothing is stored that is there already or that nobody reads, nor loaded that a register holds.

A key that a helper has read is still there after the call; LLVM stores it again. All of this rests on knowing
every instruction that touches the stack: if an address of it goes anywhere but into an access or to a helper
that does not keep it, nothing is changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.codegen.machine.calls import EVERYTHING, bytes_at
from skverdict.codegen.machine.folding import fits
from skverdict.codegen.machine.graph import (
    ATOMIC,
    CALL,
    FRAME,
    LOAD,
    SIZES,
    STORE,
    Block,
    Graph,
    Node,
)
from skverdict.codegen.machine.homes import give_homes
from skverdict.codegen.machine.reload import load_again
from skverdict.codegen.machine.simplify import replace
from skverdict.codegen.machine.stack_use import Contents, Uses, forget, meeting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from skverdict.dsl.ir.module import Map

_SIZE, _MODE, _MEMSX = 0x18, 0xE0, 0x80

def tidy_stack(graph: Graph, maps: Mapping[str, Map]) -> None:
    """Remove stores and loads of the stack that change nothing."""
    uses = Uses(graph, maps)
    if not uses.known or not uses.touched:
        return
    _forward(graph, uses)
    give_homes(graph, uses)
    _drop_dead_stores(graph, uses)
    load_again(graph, uses)


def _forward(graph: Graph, uses: Uses) -> None:
    replaced: dict[Node, Node] = {}
    leaving: dict[Block, Contents] = {}
    for block in graph.blocks:
        contents = meeting(block, leaving)
        kept = []
        for node in block.nodes:
            kind = node.kind
            if kind == CALL:
                for access in uses.calls[node]:
                    if access.writes:
                        forget(contents, access.mask)
            elif kind == STORE and node.args[0].kind == FRAME:
                place = node.offset, SIZES[node.opcode & _SIZE]
                value = node.args[1]
                value = replaced.get(value, value)
                if contents.get(place) is value:
                    continue
                forget(contents, bytes_at(*place))
                contents[place] = value
            elif kind == LOAD and node.args[0].kind == FRAME:
                size = SIZES[node.opcode & _SIZE]
                held = contents.get((node.offset, size))
                if held is not None and node.opcode & _MODE != _MEMSX and fits(held, size):
                    replaced[node] = held
                    continue
            elif kind == ATOMIC and node.args[0].kind == FRAME:
                contents.clear()
            kept.append(node)
        block.nodes = kept
        leaving[block] = contents
    if replaced:
        replace(graph, replaced)


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
            if _is_store(node) and not bytes_at(node.offset, SIZES[node.opcode & _SIZE]) & live:
                continue
            live = _before(node, live, uses)
            kept.append(node)
        kept.reverse()
        block.nodes = kept


def _is_store(node: Node) -> bool:
    return node.kind == STORE and node.args[0].kind == FRAME


def _live_at_end(block: Block, entering: dict[Block, int]) -> int:
    live = 0
    for successor in block.successors:
        live |= entering[successor]
    return live


def _before(node: Node, live: int, uses: Uses) -> int:
    """The stack bytes that are read after `node` or by it."""
    kind = node.kind
    if kind == CALL:
        for access in uses.calls[node]:
            if access.fills:
                live &= ~access.mask
        for access in uses.calls[node]:
            if access.reads:
                live |= access.mask
        return live
    if kind == STORE and node.args[0].kind == FRAME:
        return live & ~bytes_at(node.offset, SIZES[node.opcode & _SIZE])
    if kind == LOAD and node.args[0].kind == FRAME:
        return live | bytes_at(node.offset, SIZES[node.opcode & _SIZE])
    if kind == ATOMIC and node.args[0].kind == FRAME:
        return EVERYTHING
    return live
