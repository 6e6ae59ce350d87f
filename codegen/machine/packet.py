"""A pointer that was moved on for the comparison with the end of the packet stays moved.

To read eight bytes, LLVM copies the pointer, adds eight to the copy, compares, and reads at the pointer.
Reading eight bytes below the copy does the same without the copy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.codegen.machine.graph import (
    ADD,
    ALU,
    ALU64,
    ATOMIC,
    JUMP,
    LOAD,
    PHI,
    STORE,
    Block,
    Graph,
    Node,
    dominators,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

_ADD = ALU64 | ADD
_FARTHEST = 1 << 15


def move_pointers(graph: Graph) -> None:
    """Read and write from moved pointers wherever the pointers before them need not be kept for anything."""
    sums = [
        (block, node)
        for block in graph.blocks
        for node in block.nodes
        if node.kind == ALU and node.opcode == _ADD and node.imm > 0
    ]
    if not sums:
        return
    users: dict[Node, list[tuple[Block, Node]]] = {}
    for block, node in graph.users():
        for arg in node.args:
            users.setdefault(arg, []).append((block, node))
    places = {
        node: place for block in graph.blocks for place, node in enumerate((*block.nodes, block.end))
    }
    through = dominators(graph)
    for block, moved in sums:
        if any(user.kind == JUMP for _, user in users.get(moved, ())):
            _move(moved, block, users, places, through)


def _move(
    moved: Node,
    block: Block,
    users: dict[Node, list[tuple[Block, Node]]],
    places: dict[Node, int],
    through: list[int],
) -> None:
    """Let what uses the pointer behind the addition `moved` use that instead, if all of it can."""
    pointer, distance = moved.args[0], moved.imm
    changed: list[tuple[Block, Node]] = []
    for where, user in users[pointer]:
        if user is moved:
            continue
        if user.kind == PHI:
            return
        behind = through[where.index] >> block.index & 1
        if where is block:
            behind = places[user] > places[moved]
        if not behind:
            if not _surely_before(where, block):
                return
            continue
        kind = user.kind
        if kind in (LOAD, STORE, ATOMIC):
            if user.args[0] is not pointer or pointer in user.args[1:]:
                return
            if not -_FARTHEST <= user.offset - distance < _FARTHEST:
                return
        elif kind != ALU or user.opcode != _ADD:
            return
        changed.append((where, user))
    for where, user in changed:
        user.args[0] = moved
        if user.kind == ALU:
            user.imm -= distance
        else:
            user.offset -= distance
        users.setdefault(moved, []).append((where, user))
    gone = {user for _, user in changed}
    users[pointer] = [each for each in users[pointer] if each[1] not in gone]


def _surely_before(where: Block, block: Block) -> bool:
    """True if what runs in `where` can only run before `block` does."""
    if where is block:
        return not _reaches(block.successors, block)
    return not _reaches(block.successors, where)


def _reaches(starts: Iterable[Block], target: Block) -> bool:
    seen = set(starts)
    waiting = list(seen)
    while waiting:
        block = waiting.pop()
        if block is target:
            return True
        for successor in block.successors:
            if successor not in seen:
                seen.add(successor)
                waiting.append(successor)
    return False
