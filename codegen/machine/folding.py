"""What arithmetic gives, and how large numbers get."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.codegen.machine.graph import (
    ADD,
    ALU,
    ALU32,
    ALU64,
    AND,
    ARSH,
    CLASS,
    CODE,
    CONST,
    DIV,
    END,
    JMP32,
    LOAD,
    LSH,
    MASK32,
    MASK64,
    MOD,
    MUL,
    OR,
    PHI,
    REGISTER,
    RSH,
    SIZES,
    SUB,
    UNARY,
    XOR,
    Graph,
    Node,
)

if TYPE_CHECKING:
    from collections.abc import Container

_SIZE_8 = 0x18
_SIGN_EXTENDING = 0x80


def fold(opcode: int, left: int, right: int) -> int | None:
    """The number that an instruction with an immediate gives, or None for one that is not computed here."""
    code = opcode & CODE
    bits, mask = (64, MASK64) if opcode & CLASS == ALU64 else (32, MASK32)
    if code in (LSH, RSH, ARSH):
        right &= bits - 1
    if code == ADD:
        return left + right & mask
    if code == SUB:
        return left - right & mask
    if code == MUL:
        return left * right & mask
    if code == AND:
        return left & right & mask
    if code == OR:
        return (left | right) & mask
    if code == XOR:
        return (left ^ right) & mask
    if code == LSH:
        return left << right & mask
    if code == RSH:
        return (left & mask) >> right
    return None


def as_immediate(node: Node, opcode: int) -> int | None:
    """The number of a constant operand if the instruction can hold it."""
    if node.kind != CONST:
        return None
    number = node.imm
    if opcode & CLASS in (ALU32, JMP32):
        number &= MASK32
        return number - (1 << 32) if number >> 31 else number
    return number if -(1 << 31) <= number < 1 << 31 else None


# Operations that give no larger number than they are given, on the left or on both sides.
_SHRINKING = frozenset((RSH, MOD, DIV))
_KEEPING = frozenset((OR, XOR))


def is_small(node: Node, others: Container[Node] = ()) -> bool:
    """True if the upper 32 bits of a value are known to be zero, given that they are in `others`."""
    kind = node.kind
    if kind == CONST:
        return 0 <= node.imm <= MASK32
    if kind == LOAD:
        return node.opcode & _SIZE_8 != _SIZE_8 and not node.opcode & _SIGN_EXTENDING
    if kind == ALU:
        if node.opcode & CLASS == ALU32:
            return True
        code = node.opcode & CODE
        if not node.opcode & REGISTER and (
            (code == RSH and node.imm >= 32) or (code == AND and node.imm >= 0)
        ):
            return True
        if code == AND:
            return any(arg in others for arg in node.args)
        if code in _SHRINKING:
            return node.args[0] in others and not node.offset
        if code in _KEEPING:
            return all(arg in others for arg in node.args) and node.imm >= 0
        return False
    if kind == UNARY:
        if node.opcode & CODE == END:
            return node.imm < 64
        return node.opcode & CLASS == ALU32
    return kind == PHI and node in others


def small_nodes(graph: Graph) -> set[Node]:
    """All values in the graph whose upper 32 bits are zero."""
    small: set[Node] = set()
    unsure: list[Node] = []
    for block in graph.blocks:
        unsure += block.phis
        for node in block.nodes:
            if is_small(node):
                small.add(node)
            elif node.kind == ALU:
                unsure.append(node)
    small.update(node for node in graph.constants.values() if is_small(node))
    # What depends on itself, around a loop, is small if that contradicts nothing.
    small.update(unsure)
    changed = True
    while changed:
        changed = False
        for node in unsure:
            if node not in small:
                continue
            if all(arg in small for arg in node.args) if node.kind == PHI else is_small(node, small):
                continue
            small.discard(node)
            changed = True
    return small


def fits(node: Node, size: int) -> bool:
    """True if storing `size` bytes of the value and loading them again gives the value itself."""
    if size == 8:
        return True
    if node.kind == CONST:
        return 0 <= node.imm < 1 << 8 * size
    if size == 4:
        return is_small(node)
    return node.kind == LOAD and SIZES[node.opcode & _SIZE_8] <= size and not node.opcode & _SIGN_EXTENDING
