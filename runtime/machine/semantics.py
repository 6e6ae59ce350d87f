"""What each operation of RFC 9669 computes, on plain integers: read it beside sections 4.1 to 4.3 and 5.3.

Every operand is an unsigned number of the operation's width; a result may be any integer, and whoever calls
takes it modulo 2**width. A 32-bit operation so leaves zeros in the upper half of its 64-bit register.
"""

from __future__ import annotations

import operator
from collections.abc import Callable

Unary = Callable[[int], int]
Binary = Callable[[int, int], int]


def mask(bits: int) -> int:
    """The largest unsigned number of `bits` bits."""
    return (1 << bits) - 1


def signed(value: int, bits: int) -> int:
    """The number that the low `bits` bits of `value` spell in two's complement."""
    sign = 1 << (bits - 1)
    return ((value & mask(bits)) ^ sign) - sign


def _divide(dividend: int, divisor: int) -> int:
    """A zero divisor gives zero (section 4.1)."""
    return dividend // divisor if divisor else 0


def _modulo(dividend: int, divisor: int) -> int:
    """A zero divisor leaves the dividend (section 4.1)."""
    return dividend % divisor if divisor else dividend


def _truncated_quotient(dividend: int, divisor: int) -> int:
    """Division that rounds towards zero, as C's and unlike Python's."""
    quotient = abs(dividend) // abs(divisor)
    return -quotient if (dividend < 0) != (divisor < 0) else quotient


def arithmetic(bits: int) -> dict[str, Binary]:
    """The two-operand operations of width `bits` (32 or 64): destination and source to new destination.

    Shift amounts count modulo the width (section 4.1).
    """
    amount = bits - 1

    def signed_divide(dividend: int, divisor: int) -> int:
        return _truncated_quotient(signed(dividend, bits), signed(divisor, bits)) if divisor else 0

    def signed_modulo(dividend: int, divisor: int) -> int:
        left, right = signed(dividend, bits), signed(divisor, bits)
        return left - right * _truncated_quotient(left, right) if right else left

    return {
        "add": operator.add,
        "sub": operator.sub,
        "mul": operator.mul,
        "div": _divide,
        "sdiv": signed_divide,
        "mod": _modulo,
        "smod": signed_modulo,
        "or": operator.or_,
        "and": operator.and_,
        "xor": operator.xor,
        "lsh": lambda value, by: value << (by & amount),
        "rsh": lambda value, by: value >> (by & amount),
        "arsh": lambda value, by: signed(value, bits) >> (by & amount),
    }


#: The moves of section 4.1: source to destination.
MOVES: dict[str, Unary] = {
    "mov": operator.pos,
    "movsx8": lambda source: signed(source, 8),
    "movsx16": lambda source: signed(source, 16),
    "movsx32": lambda source: signed(source, 32),
}


def byte_order(host: str) -> dict[str, Unary]:
    """The conversions of section 4.2 on a machine of byte order `host`: the result has the width's bits
    only."""

    def swap(bits: int) -> Unary:
        size, kept = bits // 8, mask(bits)
        return lambda value: int.from_bytes((value & kept).to_bytes(size, "little"), "big")

    def truncate(bits: int) -> Unary:
        kept = mask(bits)
        return lambda value: value & kept

    conversions = {}
    for bits in (16, 32, 64):
        conversions[f"bswap{bits}"] = swap(bits)
        conversions[f"le{bits}"] = truncate(bits) if host == "little" else swap(bits)
        conversions[f"be{bits}"] = truncate(bits) if host == "big" else swap(bits)
    return conversions


def conditions(bits: int) -> dict[str, Callable[[int, int], bool]]:
    """The comparisons of section 4.3 at width `bits`: does the jump happen?"""
    sign = 1 << (bits - 1)
    return {
        "jeq": operator.eq,
        "jne": operator.ne,
        "jgt": operator.gt,
        "jge": operator.ge,
        "jlt": operator.lt,
        "jle": operator.le,
        "jset": lambda left, right: left & right != 0,
        # Flipping the sign bits turns the signed order into the unsigned one.
        "jsgt": lambda left, right: left ^ sign > right ^ sign,
        "jsge": lambda left, right: left ^ sign >= right ^ sign,
        "jslt": lambda left, right: left ^ sign < right ^ sign,
        "jsle": lambda left, right: left ^ sign <= right ^ sign,
    }


#: The read-modify-write operations of section 5.3: old memory and source to new memory.
ATOMIC: dict[str, Binary] = {
    "add": operator.add,
    "or": operator.or_,
    "and": operator.and_,
    "xor": operator.xor,
    "xchg": lambda _, source: source,
}
