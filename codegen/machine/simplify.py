"""Values that nothing needs, and extensions of numbers that are small already, go."""

from __future__ import annotations

from skverdict.codegen.machine.folding import small_nodes
from skverdict.codegen.machine.graph import (
    ALU,
    ALU32,
    ALU64,
    AND,
    ATOMIC,
    CALL,
    CLASS,
    CODE,
    CONST,
    END,
    EXIT,
    JMP32,
    JUMP,
    LOAD,
    LSH,
    MASK32,
    REGISTER,
    RSH,
    SIZES,
    STORE,
    UNARY,
    Graph,
    Node,
)

_EFFECTS = (CALL, STORE, ATOMIC)
_SHIFT_LEFT, _SHIFT_RIGHT = ALU64 | LSH, ALU64 | RSH
_AND = ALU64 | AND | REGISTER
_AND_CONSTANT_32, _CLASS_64 = ALU32 | AND, ALU32 ^ ALU64
_MOVE_32 = 0xBC
_SIZE, _MODE, _MEMSX = 0x18, 0xE0, 0x80


def drop_extensions(graph: Graph) -> None:
    """Replace a number whose upper half is cleared by the number itself where that half is zero anyway."""
    candidates = [
        node
        for block in graph.blocks
        for node in block.nodes
        if (node.opcode == _MOVE_32 and node.kind == UNARY and not node.offset)
        or (node.opcode == _SHIFT_RIGHT and node.args[0].kind == ALU)
    ]
    replaced: dict[Node, Node] = {
        node: node.args[0] for block in graph.blocks for node in block.nodes if _masks_nothing(node)
    }
    if candidates:
        small = small_nodes(graph)
        for node in candidates:
            source = node.args[0]
            if node.kind == ALU:
                if source.opcode == _AND and source.args[1] in small and source.args[0].kind == CONST:
                    source.args.reverse()
                if _keeps_bits(node, source, small):
                    node.args[0] = source.args[0]
                    continue
                if node.imm != 32 or source.opcode != _SHIFT_LEFT or source.imm != 32:
                    continue
                source = source.args[0]
            source = replaced.get(source, source)
            if source in small:
                replaced[node] = source
    _skip_extensions(graph)
    if graph.program and graph.program != "sock_ops":
        # The kernel takes 32 bits of the answer; of sock_ops the verifier wants to know all of it.
        for block in graph.blocks:
            for result in block.end.args if block.end.kind == EXIT else ():
                if result.kind == UNARY and result.opcode == _MOVE_32 and not result.offset:
                    block.end.args[0] = result.args[0]
    if replaced:
        replace(graph, replaced)


def _masks_nothing(node: Node) -> bool:
    """True if a mask keeps all bits that a load gives, which the load has cleared around them."""
    if node.kind != ALU or node.opcode & ~_CLASS_64 != _AND_CONSTANT_32 or len(node.args) != 1:
        return False
    source = node.args[0]
    if source.kind != LOAD or source.opcode & _MODE == _MEMSX:
        return False
    bits = (1 << 8 * SIZES[source.opcode & _SIZE]) - 1
    return bits <= MASK32 >> 1 and node.imm & bits == bits


def _skip_extensions(graph: Graph) -> None:
    """Let what looks at the lower 32 bits only take a number as it was before its upper half was cleared.

    Where others use the cleared number, too, the verifier may have to see that it is the same one.
    """
    uses: dict[Node, int] = {}
    for _, node in graph.users():
        for arg in node.args:
            if arg.opcode == _MOVE_32:
                uses[arg] = uses.get(arg, 0) + 1
    if not uses:
        return
    for _, node in graph.users():
        for place, arg in enumerate(node.args):
            if uses.get(arg) == 1 and not arg.offset and _takes_half(node, place):
                node.args[place] = arg.args[0]


def _takes_half(node: Node, place: int) -> bool:
    """True if a node uses the lower 32 bits of an operand only."""
    class_ = node.opcode & CLASS
    if node.kind == JUMP:
        return class_ == JMP32
    if node.kind == STORE:
        return place == 1 and SIZES[node.opcode & _SIZE] <= 4
    if node.kind == UNARY and node.opcode & CODE == END:
        return node.imm <= 32
    return node.kind in (ALU, UNARY) and class_ == ALU32


def _keeps_bits(node: Node, masked: Node, small: set[Node]) -> bool:
    """True if all that `masked` clears of a number of 32 bits is shifted out by `node`."""
    if masked.opcode != _AND or masked.args[0] not in small or masked.args[1].kind != CONST:
        return False
    kept = MASK32 >> node.imm
    return masked.args[1].imm >> node.imm & kept == kept


def replace(graph: Graph, replaced: dict[Node, Node]) -> None:
    """Put other nodes into the place of operands."""
    for _, node in graph.users():
        args = node.args
        for place, arg in enumerate(args):
            while arg in replaced:
                arg = replaced[arg]
            args[place] = arg
    graph.rebase_frames()


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

