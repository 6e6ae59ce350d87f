"""What arithmetic gives, and how large numbers get."""

from __future__ import annotations

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
    END,
    LOAD,
    LSH,
    MASK32,
    MASK64,
    MOV,
    MUL,
    OR,
    PHI,
    REGISTER,
    RSH,
    SUB,
    UNARY,
    XOR,
    Node,
)

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


def is_small(node: Node) -> bool:
    """True if the upper 32 bits of a value are known to be zero. A PHI counts as unknown."""
    kind = node.kind
    if kind == CONST:
        return 0 <= node.imm <= MASK32
    if kind == LOAD:
        return node.opcode & _SIZE_8 != _SIZE_8 and not node.opcode & _SIGN_EXTENDING
    if kind == ALU:
        if node.opcode & CLASS == ALU32:
            return True
        if not node.opcode & REGISTER:
            code = node.opcode & CODE
            return (code == RSH and node.imm >= 32) or (code == AND and node.imm >= 0)
        return False
    if kind == UNARY:
        if node.opcode & CODE == END:
            return node.imm < 64
        return node.opcode & CLASS == ALU32
    return False


__all__ = ["MOV", "PHI", "fold", "is_small"]
