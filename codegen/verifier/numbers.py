"""What the verifier may know of a number: a constant, or bounds at 64 and at 32 bits, unsigned and signed.

A constant is an `int`, unsigned, of 64 bits. A `Range` is any other number. The bounds are those that
`adjust_scalar_min_max_vals` and `reg_set_min_max` of kernel/bpf/verifier.c keep, without known bits.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import NamedTuple

from skverdict.codegen.machine.graph import (
    ADD,
    AND,
    ARSH,
    DIV,
    JEQ,
    JGE,
    JGT,
    JLE,
    JLT,
    JNE,
    JSET,
    JSGE,
    JSGT,
    JSLE,
    JSLT,
    LSH,
    MASK32,
    MASK64,
    MIRRORED,
    MOD,
    MUL,
    OPPOSITE,
    OR,
    RSH,
    SUB,
    XOR,
)

_MASKS = {32: MASK32, 64: MASK64}


class Bounds(NamedTuple):
    """The smallest and the largest number, read without a sign and with one."""

    low: int
    high: int
    least: int
    most: int


ANY = {bits: Bounds(0, mask, -(mask + 1 >> 1), mask >> 1) for bits, mask in _MASKS.items()}


class Range(NamedTuple):
    """A number that is not known. Numbers of one `identity` are the same number."""

    wide: Bounds
    narrow: Bounds
    identity: int = 0


Number = int | Range
UNKNOWN = Range(ANY[64], ANY[32])


def bounded(low: int, high: int) -> Number:
    """Any number from `low` to `high`, both without a sign."""
    return _range(ANY[64]._replace(low=low, high=high), ANY[32])


@cache
def of_size(size: int) -> Number:
    """What a load of `size` bytes gives."""
    return UNKNOWN if size == 8 else bounded(0, (1 << 8 * size) - 1)


def _signed(number: int, bits: int) -> int:
    return number - (1 << bits) if number >> (bits - 1) else number


def _settled(bounds: Bounds, bits: int) -> Bounds | None:
    """With what the bounds without a sign tell of those with one, and the other way; None if there is no number."""
    low, high, least, most = bounds
    mask = _MASKS[bits]
    if low >> (bits - 1) == high >> (bits - 1):
        least, most = max(least, _signed(low, bits)), min(most, _signed(high, bits))
    if (least < 0) == (most < 0):
        low, high = max(low, least & mask), min(high, most & mask)
    if low > high or least > most:
        return None
    return Bounds(low, high, least, most)


def _meet(first: Bounds, second: Bounds) -> Bounds:
    return Bounds(
        max(first.low, second.low), min(first.high, second.high),
        max(first.least, second.least), min(first.most, second.most),
    )  # fmt: skip


def _joined(wide: Bounds, narrow: Bounds) -> tuple[Bounds, Bounds] | None:
    """What both tell of each other; None if there is no such number."""
    for _ in range(2):
        settled = _settled(wide, 64)
        if settled is None:
            return None
        wide = settled
        if wide.low >> 32 == wide.high >> 32:
            known = Bounds(wide.low & MASK32, wide.high & MASK32, ANY[32].least, ANY[32].most)
            narrow = _meet(narrow, known)
        settled = _settled(narrow, 32)
        if settled is None:
            return None
        narrow = settled
        if wide.low >> 32 == wide.high >> 32:
            base = wide.low & ~MASK32
            wide = _meet(wide, Bounds(base | narrow.low, base | narrow.high, ANY[64].least, ANY[64].most))
    return wide, narrow


def _range(wide: Bounds, narrow: Bounds) -> Number:
    joined = _joined(wide, narrow)
    if joined is None:
        # Bounds that contradict each other come of a way that no packet takes.
        return UNKNOWN
    wide, narrow = joined
    return wide.low if wide.low == wide.high else Range(wide, narrow)


def _wide(number: Number) -> Bounds:
    if isinstance(number, int):
        signed = _signed(number, 64)
        return Bounds(number, number, signed, signed)
    return number.wide


def _narrow(number: Number) -> Bounds:
    if isinstance(number, int):
        low = number & MASK32
        signed = _signed(low, 32)
        return Bounds(low, low, signed, signed)
    return number.narrow


def at_width(number: Number, bits: int) -> Bounds:
    """The bounds of a number, or of its lower half."""
    return _wide(number) if bits == 64 else _narrow(number)


def lower_half(number: Number) -> Number:
    """The lower 32 bits, the upper ones cleared."""
    if isinstance(number, int):
        return number & MASK32
    if number.wide.high <= MASK32:
        return number
    narrow = number.narrow
    return _range(ANY[64]._replace(low=narrow.low, high=narrow.high), narrow)


def within(number: Number, other: Number) -> bool:
    """True if all that `number` can be, `other` can be."""
    if isinstance(other, int):
        return number == other
    return _inside(_wide(number), other.wide) and _inside(_narrow(number), other.narrow)


def _inside(inner: Bounds, outer: Bounds) -> bool:
    return (
        outer.low <= inner.low and inner.high <= outer.high
        and outer.least <= inner.least and inner.most <= outer.most
    )  # fmt: skip


# Arithmetic.


def compute(code: int, bits: int, first: Number, second: Number, signed: bool = False) -> Number:
    """What an operation gives (RFC 9669, section 4.1). `signed`: a division with signs."""
    if isinstance(first, int) and isinstance(second, int):
        return _exact(code, bits, first, second, signed)
    one = first if isinstance(first, int) else first._replace(identity=0)
    other = second if isinstance(second, int) else second._replace(identity=0)
    return _computed(code, bits, one, other, signed)


@lru_cache(4096)
def _computed(code: int, bits: int, first: Number, second: Number, signed: bool) -> Number:
    if bits == 64:
        wide = _bounds_of(code, 64, _wide(first), _wide(second), signed)
        narrow = ANY[32]
        if code in (ADD, SUB, MUL, AND, OR, XOR):
            narrow = _bounds_of(code, 32, _narrow(first), _narrow(second), signed)
        return _range(wide, narrow)
    narrow = _bounds_of(code, 32, _narrow(first), _narrow(second), signed)
    return _range(ANY[64]._replace(low=narrow.low, high=narrow.high), narrow)


def _exact(code: int, bits: int, first: int, second: int, signed: bool) -> int:
    mask = _MASKS[bits]
    first, second = first & mask, second & mask
    if code in (LSH, RSH, ARSH):
        second &= bits - 1
    if code == ADD:
        return first + second & mask
    if code == SUB:
        return first - second & mask
    if code == MUL:
        return first * second & mask
    if code == AND:
        return first & second
    if code == OR:
        return first | second
    if code == XOR:
        return first ^ second
    if code == LSH:
        return first << second & mask
    if code == RSH:
        return first >> second
    if code == ARSH:
        return _signed(first, bits) >> second & mask
    if second == 0:
        return 0 if code == DIV else first
    if signed:
        one, other = _signed(first, bits), _signed(second, bits)
        quotient = abs(one) // abs(other) * (1 if (one < 0) == (other < 0) else -1)
        return (quotient if code == DIV else one - quotient * other) & mask
    return first // second if code == DIV else first % second


def _bounds_of(code: int, bits: int, first: Bounds, second: Bounds, signed: bool) -> Bounds:
    any_, mask = ANY[bits], _MASKS[bits]
    low, high = any_.low, any_.high
    if code in (ADD, SUB):
        if code == ADD:
            sums = first.low + second.low, first.high + second.high
            least, most = first.least + second.least, first.most + second.most
        else:
            sums = first.low - second.high, first.high - second.low
            least, most = first.least - second.most, first.most - second.least
        if sums[0] >> bits == sums[1] >> bits:
            low, high = sums[0] & mask, sums[1] & mask
        if least < any_.least or most > any_.most:
            least, most = any_.least, any_.most
        return _settled(Bounds(low, high, least, most), bits) or any_
    if code == AND:
        high = min(first.high, second.high)
    elif code in (OR, XOR):
        high = (1 << max(first.high, second.high).bit_length()) - 1
        low = max(first.low, second.low) if code == OR else 0
    elif code == MUL and first.high * second.high <= mask:
        low, high = first.low * second.low, first.high * second.high
    elif second.low != second.high or signed:
        return any_
    elif code == LSH and first.high << (second.low & bits - 1) <= mask:
        low, high = (each << (second.low & bits - 1) for each in (first.low, first.high))
    elif code == RSH:
        low, high = (each >> (second.low & bits - 1) for each in (first.low, first.high))
    elif code == ARSH:
        least, most = (each >> (second.low & bits - 1) for each in (first.least, first.most))
        return _settled(Bounds(low, high, least, most), bits) or any_
    elif code == DIV and second.low:
        low, high = first.low // second.low, first.high // second.low
    elif code == MOD and second.low:
        high = min(first.high, second.low - 1)
    return _settled(Bounds(low, high, any_.least, any_.most), bits) or any_


# Comparisons.


def decide(code: int, bits: int, first: Number, second: Number) -> bool | None:
    """Whether a comparison holds; None if it may and may not (`is_branch_taken`)."""
    one, other = at_width(first, bits), at_width(second, bits)
    if code == JEQ:
        if one.low == one.high == other.low == other.high:
            return True
        disjoint = one.high < other.low or other.high < one.low or one.most < other.least or other.most < one.least
        return False if disjoint else None
    if code == JSET:
        if one.low == one.high and other.low == other.high:
            return bool(one.low & other.low)
        return False if not other.high or (other.low == other.high and one.high < other.low & -other.low) else None
    if code in (JGT, JSGT):
        low, high, least, most = (
            (one.low, one.high, other.low, other.high)
            if code == JGT
            else (one.least, one.most, other.least, other.most)
        )
        return True if low > most else False if high <= least else None
    if code in (JLT, JSLT):
        return decide(MIRRORED[code], bits, second, first)
    opposite = decide(OPPOSITE[code], bits, first, second)
    return None if opposite is None else not opposite


def refined(code: int, bits: int, number: Range, bound: int, at_edges: bool = True) -> Number:
    """What `number` is where its comparison with a constant holds (`reg_set_min_max`).

    `at_edges`: it is known that a number which is not its smallest one is larger, as it is since Linux 6.8.
    """
    found = _refined(code, bits, number.wide, number.narrow, bound, at_edges)
    return found if isinstance(found, int) else Range(found.wide, found.narrow, number.identity)


@lru_cache(4096)
def _refined(code: int, bits: int, wide: Bounds, narrow: Bounds, bound: int, at_edges: bool) -> Number:
    number = Range(wide, narrow)
    any_ = ANY[bits]
    bound &= _MASKS[bits]
    signed = _signed(bound, bits)
    here = at_width(number, bits)
    limit = any_
    if code == JEQ:
        limit = Bounds(bound, bound, signed, signed)
    elif code == JNE and at_edges:
        low = here.low + 1 if bound == here.low else here.low
        limit = any_._replace(low=low, high=here.high - 1 if bound == here.high else here.high)
    elif code == JGT:
        limit = any_._replace(low=bound + 1)
    elif code == JGE:
        limit = any_._replace(low=bound)
    elif code == JLT:
        limit = any_._replace(high=bound - 1)
    elif code == JLE:
        limit = any_._replace(high=bound)
    elif code == JSGT:
        limit = any_._replace(least=signed + 1)
    elif code == JSGE:
        limit = any_._replace(least=signed)
    elif code == JSLT:
        limit = any_._replace(most=signed - 1)
    elif code == JSLE:
        limit = any_._replace(most=signed)
    met = _meet(here, limit)
    wide, narrow = (met, number.narrow) if bits == 64 else (number.wide, met)
    return _range(wide, narrow)
