"""Operands that an instruction cannot hold get a register of their own."""

from __future__ import annotations

from skverdict.codegen.machine.graph import (
    ALU,
    ATOMIC,
    CALL,
    CODE,
    COMMUTATIVE,
    CONST,
    COPY,
    EXIT,
    FRAME,
    LOAD,
    SIZES,
    STORE,
    UNDEF,
    Graph,
    Node,
)
from skverdict.codegen.machine.lift import Unliftable
from skverdict.codegen.machine.pointers import CONTEXT, UNKNOWN, region

_SIZE = 0x18


def legalise(graph: Graph, stores_constants: bool) -> None:
    """Put a COPY in front of every instruction for each floating operand that must be in a register.

    `stores_constants`: a constant may be stored to any memory; otherwise only to what is surely no context,
    which kernels before 6.3 let no constant be stored to. Raises Unliftable for a value that was never set.
    """
    for block in graph.blocks:
        nodes: list[Node] = []
        made: dict[Node, Node] = {}
        for node in (*block.nodes, block.end):
            kind = node.kind
            if kind != CALL and kind != EXIT:
                args = node.args
                for place, arg in enumerate(args):
                    if arg.kind <= UNDEF and not _holds(graph, node, place, arg, stores_constants):
                        if arg.kind == UNDEF:
                            raise Unliftable
                        copy = made.get(arg)
                        if copy is None:
                            copy = made[arg] = Node(COPY, args=[arg], line=node.line)
                            nodes.append(copy)
                        args[place] = copy
            elif kind == CALL:
                made.clear()
            nodes.append(node)
        nodes.pop()
        block.nodes = nodes


def _holds(graph: Graph, node: Node, place: int, arg: Node, stores_constants: bool) -> bool:
    """True if the instruction can do with the floating operand as it is."""
    kind = node.kind
    if kind == ALU:
        if place == 0:
            # It is put into the result's register first.
            return arg.kind != UNDEF
        if node.opcode & CODE in COMMUTATIVE and node.args[0].kind > UNDEF:
            node.args.reverse()
            return True
        return False
    if kind in (LOAD, STORE, ATOMIC) and place == 0:
        return arg.kind == FRAME
    if kind == STORE:
        return arg.kind == CONST and may_store(graph, node, arg.imm, stores_constants)
    return kind == COPY and arg.kind != UNDEF


def may_store(graph: Graph, node: Node, number: int, stores_constants: bool) -> bool:
    """True if a STORE can hold the number itself."""
    if SIZES[node.opcode & _SIZE] == 8 and not -(1 << 31) <= number < 1 << 31:
        return False
    return stores_constants or region(node.args[0], graph.program) not in (CONTEXT, UNKNOWN)

