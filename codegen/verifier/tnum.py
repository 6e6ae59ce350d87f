"""Numbers of which some bits are known (`struct tnum` of kernel/bpf/tnum.c)."""

from __future__ import annotations

from typing import NamedTuple

from skverdict.codegen.machine.graph import MASK32, MASK64


class Tnum(NamedTuple):
    """A number of 64 bits: those set in `mask` are unknown, the others are as in `value`, where these are 0."""

    value: int
    mask: int


ANYTHING = Tnum(0, MASK64)


def between(low: int, high: int) -> Tnum:
    """What all numbers from `low` to `high`, without a sign, have in common."""
    mask = (1 << (low ^ high).bit_length()) - 1
    return Tnum(low & ~mask, mask)


def add(first: Tnum, second: Tnum) -> Tnum:
    """The sum, modulo 2 to the 64th."""
    value = first.value + second.value
    mask = (first.mask + second.mask + value ^ value) | first.mask | second.mask
    return Tnum(value & ~mask & MASK64, mask & MASK64)


def sub(first: Tnum, second: Tnum) -> Tnum:
    """The difference, modulo 2 to the 64th."""
    value = first.value - second.value
    mask = (value + first.mask ^ value - second.mask) | first.mask | second.mask
    return Tnum(value & ~mask & MASK64, mask & MASK64)


def mul(first: Tnum, second: Tnum) -> Tnum:
    """The product, modulo 2 to the 64th: one summand for each bit of `first`."""
    total = Tnum(0, 0)
    for place in range((first.value | first.mask).bit_length()):
        if first.value >> place & 1:
            total = add(total, Tnum(0, second.mask << place & MASK64))
        elif first.mask >> place & 1:
            total = add(total, Tnum(0, (second.value | second.mask) << place & MASK64))
    return add(Tnum(first.value * second.value & MASK64, 0), total)


def and_(first: Tnum, second: Tnum) -> Tnum:
    """The bits that both have."""
    value = first.value & second.value
    return Tnum(value, (first.value | first.mask) & (second.value | second.mask) & ~value)


def or_(first: Tnum, second: Tnum) -> Tnum:
    """The bits that either has."""
    value = first.value | second.value
    return Tnum(value, (first.mask | second.mask) & ~value)


def xor(first: Tnum, second: Tnum) -> Tnum:
    """The bits that one of the two has."""
    mask = first.mask | second.mask
    return Tnum((first.value ^ second.value) & ~mask, mask)


def left(number: Tnum, shift: int) -> Tnum:
    """Shifted to the left."""
    return Tnum(number.value << shift & MASK64, number.mask << shift & MASK64)


def right(number: Tnum, shift: int) -> Tnum:
    """Shifted to the right, zeros coming in."""
    return Tnum(number.value >> shift, number.mask >> shift)


def right_signed(number: Tnum, shift: int, bits: int) -> Tnum:
    """A number of `bits` shifted to the right, with its sign coming in, known or not."""
    whole = (1 << bits) - 1

    def moved(part: int) -> int:
        return (part - (whole + 1) if part >> (bits - 1) else part) >> shift & whole

    return Tnum(moved(number.value), moved(number.mask))


def swapped(number: Tnum, size: int) -> Tnum:
    """The lower `size` bytes in the opposite order."""
    value, mask = (
        int.from_bytes((part & (1 << 8 * size) - 1).to_bytes(size, "little"), "big") for part in number
    )
    return Tnum(value, mask)


def meet(first: Tnum, second: Tnum) -> Tnum:
    """What both tell of one number."""
    mask = first.mask & second.mask
    return Tnum((first.value | second.value) & ~mask, mask)


def lower(number: Tnum, mask: int = MASK32) -> Tnum:
    """Its bits within `mask`, the others known to be 0."""
    return Tnum(number.value & mask, number.mask & mask)


def with_lower(number: Tnum, half: Tnum) -> Tnum:
    """With another lower half."""
    return Tnum(number.value & ~MASK32 | half.value, number.mask & ~MASK32 | half.mask)


def disagree(first: Tnum, second: Tnum) -> bool:
    """True if no number is both."""
    return bool((first.value ^ second.value) & ~first.mask & ~second.mask)
