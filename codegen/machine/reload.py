"""A number that was stored for a helper to read is loaded from there again, rather than kept.

What a helper gives is in r0, and has to be moved to be kept across the next call, and once more to be handed
to a third. If it lies on the stack, one load does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.codegen.machine.calls import helper
from skverdict.codegen.machine.folding import fits
from skverdict.codegen.machine.graph import (
    ALU,
    CALL,
    LDX,
    LOAD,
    PHI,
    SIZES,
    STORE,
    UNARY,
    Block,
    Graph,
    Node,
)
from skverdict.codegen.machine.stack_use import Contents, change, meeting, part_of

if TYPE_CHECKING:
    from skverdict.codegen.machine.stack_use import Uses

_LOADS = {size: LDX | 0x60 | bits for bits, size in SIZES.items()}


def load_again(graph: Graph, uses: Uses) -> None:
    """Let results of helpers that lie on the stack be loaded for the last call that takes them."""
    users: dict[Node, list[tuple[Block, Node]]] = {}
    stored: set[Node] = set()
    for block, node in graph.users():
        for arg in node.args:
            users.setdefault(arg, []).append((block, node))
        if part_of(node, STORE) is not None and _comes_from_call(node.args[1]):
            stored.add(node.args[1])
    candidates = {}
    for value in stored:
        others = [(block, user) for block, user in users[value] if user.kind != STORE]
        if len(others) == 1 and _takes_number(others[0][1], value):
            candidates[value] = others[0]
    if candidates:
        _replace(graph, uses, candidates)


def _comes_from_call(node: Node) -> bool:
    while node.kind in (ALU, UNARY) and len(node.args) == 1:
        node = node.args[0]
    return node.kind == CALL


def _takes_number(user: Node, value: Node) -> bool:
    """True if `user` takes the value once, as a number of which the verifier need know nothing."""
    if user.args.count(value) != 1:
        return False
    if user.kind == PHI:
        return True
    if user.kind != CALL or user.symbol:
        return False
    called = helper(user.imm)
    place = user.args.index(value)
    return called is not None and place < len(called.arguments) and called.arguments[place].kind == "scalar"


def _replace(graph: Graph, uses: Uses, candidates: dict[Node, tuple[Block, Node]]) -> None:
    leaving: dict[Block, Contents] = {}
    for block in graph.blocks:
        contents = meeting(block, leaving)
        nodes: list[Node] = []
        for node in block.nodes:
            if node.kind == CALL:
                for value in [arg for arg in node.args if candidates.get(arg, (None, None))[1] is node]:
                    _load(graph, block, nodes, node, value, contents)
            change(contents, node, uses)
            nodes.append(node)
        block.nodes = nodes
        leaving[block] = contents
        for successor in block.successors:
            place = successor.predecessors.index(block)
            for phi in successor.phis:
                value = phi.args[place]
                if candidates.get(value, (None, None))[1] is phi:
                    _load(graph, block, block.nodes, phi, value, contents)


def _load(graph: Graph, block: Block, nodes: list[Node], user: Node, value: Node, contents: Contents) -> None:
    """Load the value behind `nodes`, if it lies on the stack and a call was in between."""
    part = next((part for part, held in contents.items() if held is value and fits(value, part[1])), None)
    if part is None:
        return
    if value in nodes and not any(each.kind == CALL for each in nodes[nodes.index(value) + 1 :]):
        return
    load = Node(LOAD, _LOADS[part[1]], [graph.frame(0)], offset=part[0], line=user.line or block.end.line)
    nodes.append(load)
    user.args[user.args.index(value)] = load
