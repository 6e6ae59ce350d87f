"""Words of the stack that may be loaded before anything was stored there.

Where a number has no value on some way to its use, LLVM's register allocation loads it from a place that was
never written; the program then makes nothing of it. Verifiers refuse the load all the same ("invalid read from
stack", Linux 6.1), so the word gets a value where the function begins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.codegen.machine.calls import EVERYTHING, STACK_SIZE, bytes_at
from skverdict.codegen.machine.graph import ATOMIC, CALL, LOAD, SIZES, STORE, STX, Block, Graph, Node
from skverdict.codegen.machine.stack_use import part_of

if TYPE_CHECKING:
    from skverdict.codegen.machine.stack_use import Uses

_WORD = 8
_STORE_WORD = STX | 0x60 | next(bits for bits, size in SIZES.items() if size == _WORD)


def write_first(graph: Graph, uses: Uses) -> None:
    """Store 0 at the beginning in each word that may be loaded unwritten."""
    first = graph.blocks[0]
    words = unwritten_words(graph, uses)
    line = next((node.line for block in graph.blocks for node in block.nodes if node.line), None)
    first.nodes[:0] = [
        Node(STORE, _STORE_WORD, [graph.frame(0), graph.constant(0)], offset=offset, line=line) for offset in words
    ]


def unwritten_words(graph: Graph, uses: Uses) -> list[int]:
    """The offsets from the frame pointer of the words that may be loaded unwritten."""
    if graph.blocks[0].predecessors or not uses.touched:
        return []
    missing = _unwritten(graph, uses)
    return [offset for offset in range(-STACK_SIZE, 0, _WORD) if missing & bytes_at(offset, _WORD)]


def _unwritten(graph: Graph, uses: Uses) -> int:
    """The bytes that some load may find unwritten."""
    leaving: dict[Block, int] = dict.fromkeys(graph.blocks, EVERYTHING)
    changed = True
    missing = 0
    while changed:
        changed = False
        missing = 0
        for block in graph.blocks:
            written = EVERYTHING if block.predecessors else 0
            for each in block.predecessors:
                written &= leaving[each]
            for node in block.nodes:
                part = part_of(node, LOAD)
                if part is not None:
                    missing |= bytes_at(*part) & ~written
                else:
                    written |= _writes(node, uses)
            if written != leaving[block]:
                leaving[block] = written
                changed = True
    return missing


def _writes(node: Node, uses: Uses) -> int:
    """The bytes that have a value behind `node`; all of them where it may write through an address that got away."""
    part = part_of(node, STORE)
    if part is not None:
        return bytes_at(*part)
    if node.kind not in (CALL, STORE, ATOMIC):
        return 0
    if not uses.known:
        return EVERYTHING
    mask = 0
    for access in uses.calls.get(node, ()):
        if access.writes:
            mask |= access.mask
    return mask
