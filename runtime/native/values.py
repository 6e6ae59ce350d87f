"""What is known of a register's value before a program runs: a range of numbers, or a place in memory.

Every function here errs on the side of knowing less. `Number(0, ALL)` is any value at all, addresses included.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from skverdict.runtime.machine.semantics import arithmetic, mask, signed

ALL = mask(64)
_WORD = mask(32)
#: Further from its region than this, an address is taken for any number.
_FAR = 1 << 32
#: How far a pointer is let move in a loop; no region is as long.
_LOOPED = (1 << 31) + (1 << 20)


class Number(NamedTuple):
    """An unsigned 64-bit number from `low` to `high`."""

    low: int
    high: int


class Pointer(NamedTuple):
    """An address: `low` to `high`, plus `offset`, bytes from the start of a region.

    `base` is what kind of region, `name` which of them (a map for its values or itself, a data section). The
    offset into the stack counts from its lowest byte. Pointers of one `variable` differ by their `offset` alone;
    0 is no variable part. What has a `null` may be the number 0 instead, together with all of the same `null`.
    """

    base: str
    name: str = ""
    offset: int = 0
    variable: int = 0
    low: int = 0
    high: int = 0
    null: int = 0

    @property
    def first(self) -> int:
        """The lowest offset that it may have."""
        return self.low + self.offset

    @property
    def last(self) -> int:
        """The highest offset."""
        return self.high + self.offset


Value = Number | Pointer

ANY = Number(0, ALL)
_ANY_WORD = Number(0, _WORD)


def constant(value: int) -> Number:
    """One number, taken modulo 2**64."""
    value &= ALL
    return Number(value, value)


def word(value: Value) -> Number:
    """The low 32 bits."""
    if isinstance(value, Number) and value.high <= _WORD:
        return value
    if isinstance(value, Number) and value.low == value.high:
        return constant(value.low & _WORD)
    return _ANY_WORD


def as_number(value: Value) -> Number:
    """A value of which only the number counts."""
    return value if isinstance(value, Number) else ANY


def sized(size: int) -> Number:
    """Any number of `size` bytes."""
    return Number(0, mask(8 * size))


def moved(pointer: Pointer, by: int) -> Value:
    """A pointer moved on by a known number of bytes."""
    if pointer.null:
        return ANY
    base, name, offset, variable, low, high, null = pointer
    offset += by
    if low + offset <= -_FAR or high + offset >= _FAR:
        return ANY
    return Pointer(base, name, offset, variable, low, high, null)


def strayed(pointer: Pointer, by: Number, variable: int) -> Value:
    """A pointer moved on by an unknown number of bytes; the result is named `variable`."""
    if pointer.null or by.high >= _FAR:
        return ANY
    low, high = pointer.low + by.low, pointer.high + by.high
    result = pointer._replace(variable=variable, low=low, high=high)
    return result if result.first > -_FAR and result.last < _FAR else ANY


# What an operation makes of ranges, at a width of `bits`; None where it may be anything.
_Range = Callable[[Number, Number, int], Number | None]


def _wrapped(low: int, high: int, bits: int) -> Number | None:
    """A range that may lie outside of the width, if it wraps as a whole."""
    if low >> bits != high >> bits:
        return None
    return Number(low & mask(bits), high & mask(bits))


def _add(left: Number, right: Number, bits: int) -> Number | None:
    return _wrapped(left.low + right.low, left.high + right.high, bits)


def _sub(left: Number, right: Number, bits: int) -> Number | None:
    return _wrapped(left.low - right.high, left.high - right.low, bits)


def _mul(left: Number, right: Number, bits: int) -> Number | None:
    return _wrapped(left.low * right.low, left.high * right.high, bits)


def _and(left: Number, right: Number, bits: int) -> Number:
    return Number(0, min(left.high, right.high))


def _or(left: Number, right: Number, bits: int) -> Number:
    return Number(max(left.low, right.low), mask((left.high | right.high).bit_length()))


def _xor(left: Number, right: Number, bits: int) -> Number:
    return Number(0, mask((left.high | right.high).bit_length()))


def _lsh(left: Number, right: Number, bits: int) -> Number | None:
    by = right.low & (bits - 1)
    if right.low != right.high or left.high << by > mask(bits):
        return None
    return Number(left.low << by, left.high << by)


def _rsh(left: Number, right: Number, bits: int) -> Number:
    by = right.low & (bits - 1)
    return Number(left.low >> by, left.high >> by) if right.low == right.high else Number(0, left.high)


def _arsh(left: Number, right: Number, bits: int) -> Number | None:
    return _rsh(left, right, bits) if left.high <= mask(bits - 1) else None


def _div(left: Number, right: Number, bits: int) -> Number:
    return Number(left.low // right.high, left.high // right.low) if right.low else Number(0, left.high)


def _mod(left: Number, right: Number, bits: int) -> Number:
    return Number(0, min(left.high, right.high - 1)) if right.low else Number(0, left.high)


_RANGES: dict[str, _Range] = {
    "add": _add, "sub": _sub, "mul": _mul, "and": _and, "or": _or, "xor": _xor,
    "lsh": _lsh, "rsh": _rsh, "arsh": _arsh, "div": _div, "mod": _mod,
}  # fmt: skip
_EXACT = {bits: arithmetic(bits) for bits in (32, 64)}


def computed(name: str, bits: int, left: Number, right: Number) -> Number:
    """The result of an operation on numbers, of which only the low `bits` count."""
    if bits == 32:
        left, right = word(left), word(right)
    if left.low == left.high and right.low == right.high:
        return constant(_EXACT[bits][name](left.low, right.low) & mask(bits))
    made = _RANGES[name](left, right, bits) if name in _RANGES else None
    return Number(0, mask(bits)) if made is None else made


def extended(value: Number, source: int, bits: int) -> Number:
    """The low `source` bits of a number, sign-extended to `bits`."""
    if value.low == value.high:
        return constant(signed(value.low, source) & mask(bits))
    return value if value.high <= mask(source - 1) else Number(0, mask(bits))


# A comparison as bounds on its left side, given those of its right: the least and the largest value left of it
# where it holds. The ranges are of numbers that count as they stand, unsigned.
_BOUNDS: dict[str, Callable[[Number], tuple[int, int]]] = {
    "jeq": lambda right: (right.low, right.high),
    "jgt": lambda right: (right.low + 1, ALL),
    "jge": lambda right: (right.low, ALL),
    "jlt": lambda right: (0, right.high - 1),
    "jle": lambda right: (0, right.high),
}
NEGATED = {
    "jeq": "jne", "jne": "jeq", "jgt": "jle", "jle": "jgt", "jge": "jlt", "jlt": "jge",
    "jsgt": "jsle", "jsle": "jsgt", "jsge": "jslt", "jslt": "jsge", "jset": "",
}  # fmt: skip
SWAPPED = {
    "jeq": "jeq", "jne": "jne", "jgt": "jlt", "jlt": "jgt", "jge": "jle", "jle": "jge",
    "jsgt": "jslt", "jslt": "jsgt", "jsge": "jsle", "jsle": "jsge", "jset": "jset",
}  # fmt: skip
_UNSIGNED = {"jsgt": "jgt", "jsge": "jge", "jslt": "jlt", "jsle": "jle"}


def narrowed(name: str, bits: int, left: Number, right: Number) -> Number | None:
    """What is left of `left` where it compares with `right` so; None if it never does.

    `name` is empty where nothing is known.
    """
    positive = mask(bits - 1)
    if bits == 32 and (left.high > _WORD or right.high > _WORD):
        return left
    if name in _UNSIGNED:
        if right.high > positive:
            return left
        if left.high > positive:
            # What is not below a positive number is none that counts as negative.
            if name in ("jslt", "jsle") or left.high > mask(bits):
                return left
            left = Number(min(left.low, positive), positive)
        name = _UNSIGNED[name]
    if name == "jne" and right.low == right.high:
        low = left.low + (left.low == right.low)
        high = left.high - (left.high == right.low)
    elif name in _BOUNDS:
        least, largest = _BOUNDS[name](right)
        low, high = max(left.low, least), min(left.high, largest)
    else:
        return left
    return Number(low, high) if low <= high else None


# Bounds that a value is let grow to in loops.
_STEPS = (0xFF, 0xFFFF, 0x7FFFFFFF, _WORD, mask(63), ALL)


def joined(one: Value, other: Value, name: int, widen: bool = False) -> Value:
    """What holds of both values; `name` names a variable part or a NULL that is new.

    `widen`: `one` was known before and `other` has come in a loop, so what grows grows by large steps.
    """
    if one == other:
        return one
    if isinstance(one, Number) and isinstance(other, Number):
        low, high = min(one.low, other.low), max(one.high, other.high)
        if widen:
            low = low if low == one.low else 0
            high = high if high == one.high else next(step for step in _STEPS if high <= step)
        return Number(low, high)
    if not (isinstance(one, Pointer) and isinstance(other, Pointer)) or one[:2] != other[:2]:
        return ANY
    null = one.null if one.null == other.null else name
    if one.variable == other.variable and one.offset == other.offset:
        low, high = min(one.low, other.low), max(one.high, other.high)
        result = one._replace(low=low, high=high, null=null)
    else:
        low, high = min(one.first, other.first), max(one.last, other.last)
        result = Pointer(one.base, one.name, 0, name, low, high, null)
    if widen and result != one:
        if result.first < one.first or result.last > _LOOPED:
            return ANY
        if result.last > one.last:
            return result._replace(high=_LOOPED - result.offset)
    return result
