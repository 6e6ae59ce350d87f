"""Values that nothing needs, and extensions of numbers that are small already, go."""

from __future__ import annotations

from skverdict.codegen.machine.folding import is_small
from skverdict.codegen.machine.graph import (
    ALU,
    ALU64,
    ATOMIC,
    CALL,
    CLASS,
    CODE,
    EXIT,
    LSH,
    MOV,
    PHI,
    REGISTER,
    RSH,
    STORE,
    UNARY,
    Graph,
    Node,
)

_EFFECTS = (CALL, STORE, ATOMIC)
_SHIFT_LEFT, _SHIFT_RIGHT = ALU64 | LSH, ALU64 | RSH
_MOVE_32 = 0xBC


def drop_extensions(graph: Graph) -> None:
    """Replace a number whose upper half is cleared by the number itself where that half is zero anyway."""
    small: set[Node] = {phi for block in graph.blocks for phi in block.phis}
    if small:
        changed = True
        while changed:
            changed = False
            for phi in list(small):
                if not all(arg in small if arg.kind == PHI else is_small(arg) for arg in phi.args):
                    small.discard(phi)
                    changed = True
    replaced: dict[Node, Node] = {}
    for block in graph.blocks:
        for node in block.nodes:
            if node.opcode == _MOVE_32 and node.kind == UNARY and not node.offset:
                source = node.args[0]
            elif node.opcode == _SHIFT_RIGHT and node.imm == 32:
                shifted = node.args[0]
                if shifted.kind != ALU or shifted.opcode != _SHIFT_LEFT or shifted.imm != 32:
                    continue
                source = shifted.args[0]
            else:
                continue
            source = replaced.get(source, source)
            if source in small or is_small(source):
                replaced[node] = source
    if graph.program and graph.program != "sock_ops":
        # The kernel takes 32 bits of the answer; of sock_ops the verifier wants to know all of it.
        for block in graph.blocks:
            for result in block.end.args if block.end.kind == EXIT else ():
                if result.kind == UNARY and result.opcode == _MOVE_32 and not result.offset:
                    block.end.args[0] = result.args[0]
    if replaced:
        replace(graph, replaced)


def replace(graph: Graph, replaced: dict[Node, Node]) -> None:
    """Put other nodes into the place of operands."""
    for _, node in graph.users():
        args = node.args
        for place, arg in enumerate(args):
            while arg in replaced:
                arg = replaced[arg]
            args[place] = arg


def drop_unused(graph: Graph) -> None:
    """Remove the nodes that no effect, branch or result depends on."""
    used: set[Node] = set()
    waiting: list[Node] = []
    for block in graph.blocks:
        waiting += block.end.args
        for node in block.nodes:
            if node.kind in _EFFECTS:
                used.add(node)
                waiting += node.args
    while waiting:
        node = waiting.pop()
        if node not in used:
            used.add(node)
            waiting += node.args
    for block in graph.blocks:
        if block.phis:
            block.phis = [node for node in block.phis if node in used]
        block.nodes = [node for node in block.nodes if node in used]


__all__ = ["CLASS", "CODE", "MOV", "REGISTER", "drop_extensions", "drop_unused", "replace"]
