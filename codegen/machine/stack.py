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
    LOAD,
    STORE,
    Block,
    Graph,
    Node,
)
from skverdict.codegen.machine.homes import give_homes
from skverdict.codegen.machine.reload import load_again
from skverdict.codegen.machine.simplify import replace
from skverdict.codegen.machine.stack_use import Contents, change, meeting, part_of

if TYPE_CHECKING:
    from skverdict.codegen.machine.stack_use import Uses

_MODE, _MEMSX = 0xE0, 0x80


def tidy_stack(graph: Graph, uses: Uses) -> None:
    """Remove stores and loads of the stack that change nothing."""
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
            stored, loaded = part_of(node, STORE), part_of(node, LOAD)
            if stored is not None:
                node.args[1] = replaced.get(node.args[1], node.args[1])
                if contents.get(stored) is node.args[1]:
                    continue
            elif loaded is not None:
                held = contents.get(loaded)
                if held is not None and node.opcode & _MODE != _MEMSX and fits(held, loaded[1]):
                    replaced[node] = held
                    continue
            elif part_of(node, ATOMIC) is not None:
                contents.clear()
            change(contents, node, uses)
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
            part = part_of(node, STORE)
            if part is not None and not bytes_at(*part) & live:
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
    if node.kind == CALL:
        for access in uses.calls[node]:
            if access.fills:
                live &= ~access.mask
        for access in uses.calls[node]:
            if access.reads:
                live |= access.mask
        return live
    stored, loaded = part_of(node, STORE), part_of(node, LOAD)
    if stored is not None:
        return live & ~bytes_at(*stored)
    if loaded is not None:
        return live | bytes_at(*loaded)
    return live if part_of(node, ATOMIC) is None else EVERYTHING
