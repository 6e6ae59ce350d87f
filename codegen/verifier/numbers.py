"""What the verifier may know of a number: a constant, or bounds at 64 and at 32 bits and its known bits.

A constant is an `int`, unsigned, of 64 bits. A `Range` is any other number (`struct bpf_reg_state` of
include/linux/bpf_verifier.h). What kernels conclude from one sort of bounds for another differs with their age, an
index of `KERNELS`: of Linux 6.1 it is known here what `reg_bounds_sync` of kernel/bpf/verifier.c knows, of later ones
at least that.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from skverdict.codegen.machine.graph import MASK32, MASK64
from skverdict.codegen.verifier import tnum
from skverdict.codegen.verifier.tnum import ANYTHING, Tnum
from skverdict.dsl.catalogue.programs import KERNELS

#: Ages of kernels, from which on they know more.
SINCE_6_12, SINCE_7_2 = KERNELS.index("6.12"), KERNELS.index("7.2")
NEWEST = len(KERNELS) - 1

MASKS = {32: MASK32, 64: MASK64}
# More rounds of conclusions than any number takes.
_ROUNDS = 8


class Bounds(NamedTuple):
    """The smallest and the largest number, read without a sign and with one."""

    low: int
    high: int
    least: int
    most: int


ANY = {bits: Bounds(0, mask, -(mask + 1 >> 1), mask >> 1) for bits, mask in MASKS.items()}


class Range(NamedTuple):
    """A number that is not known.

    Numbers of one `identity` are one number, or, where `delta` differs, one that was added to, at `width` bits.
    `is_sure` is false where the verifier may know more, or may know it for a pointer.
    """

    wide: Bounds
    narrow: Bounds
    bits: Tnum
    identity: int = 0
    delta: int = 0
    width: int = 0
    is_sure: bool = True


Number = int | Range
UNKNOWN = Range(ANY[64], ANY[32], ANYTHING)
#: A number, or a pointer of which nothing is known here.
UNCLEAR = UNKNOWN._replace(is_sure=False)


def signed(number: int, bits: int) -> int:
    """A number of `bits` read with its sign."""
    return number - (1 << bits) if number >> (bits - 1) else number


@cache
def of_size(size: int) -> Number:
    """What a load of `size` bytes gives."""
    return UNKNOWN if size == 8 else bounded(0, (1 << 8 * size) - 1)


def bounded(low: int, high: int) -> Number:
    """Any number from `low` to `high`, both without a sign."""
    found = settled(ANY[64]._replace(low=low, high=high), ANY[32], ANYTHING, NEWEST)
    return UNKNOWN if found is None else found


def between(least: int, most: int) -> Number:
    """Any number from `least` to `most`, both with a sign."""
    found = settled(ANY[64]._replace(least=least, most=most), ANY[32], ANYTHING, NEWEST)
    return UNKNOWN if found is None else found


def exactly(number: int, bits: int) -> Bounds:
    """The bounds of a constant, or of its lower half."""
    number &= MASKS[bits]
    with_sign = signed(number, bits)
    return Bounds(number, number, with_sign, with_sign)


def at_width(number: Number, bits: int) -> Bounds:
    """The bounds of a number, or of its lower half."""
    if isinstance(number, int):
        return exactly(number, bits)
    return number.wide if bits == 64 else number.narrow


def known_bits(number: Number) -> Tnum:
    """What is known of each bit."""
    return Tnum(number, 0) if isinstance(number, int) else number.bits


def constant(number: Number, bits: int = 64) -> int | None:
    """A number, or its lower half, if all its bits are known."""
    if isinstance(number, int):
        return number & MASKS[bits]
    return None if number.bits.mask & MASKS[bits] else number.bits.value & MASKS[bits]


def is_sure(number: Number) -> bool:
    """True if the verifier knows no more of it."""
    return isinstance(number, int) or number.is_sure


def plain(number: Number) -> Number:
    """The number by itself."""
    return number if isinstance(number, int) else Range(number.wide, number.narrow, number.bits)


def doubted(number: Number) -> Number:
    """The number, with more known of it than here."""
    return number if isinstance(number, int) else number._replace(is_sure=False)


def within(number: Number, other: Number) -> bool:
    """True if all that `number` can be, `other` can be (`range_within` and `tnum_in`)."""
    if isinstance(other, int):
        return number == other
    bits = known_bits(number)
    if bits.mask & ~other.bits.mask or (bits.value ^ other.bits.value) & ~other.bits.mask:
        return False
    return _inside(at_width(number, 64), other.wide) and _inside(at_width(number, 32), other.narrow)


def _inside(inner: Bounds, outer: Bounds) -> bool:
    return (
        outer.low <= inner.low and inner.high <= outer.high
        and outer.least <= inner.least and inner.most <= outer.most
    )  # fmt: skip


def meet(first: Bounds, second: Bounds) -> Bounds:
    """What both tell of one number."""
    return Bounds(
        max(first.low, second.low), min(first.high, second.high),
        max(first.least, second.least), min(first.most, second.most),
    )  # fmt: skip


def contradicts_itself(bounds: Bounds) -> bool:
    """True if there is no such number: it is one of a way that nothing takes."""
    return bounds.low > bounds.high or bounds.least > bounds.most


# Truncation.


def lower_half(number: Number, age: int = NEWEST) -> Number:
    """The lower 32 bits, the upper ones cleared (`zext_32_to_64`)."""
    if isinstance(number, int):
        return number & MASK32
    if age >= SINCE_6_12 and number.wide.high <= MASK32:
        return number
    found = settled(of_narrow(number.narrow), number.narrow, tnum.lower(number.bits), age)
    return doubted(UNKNOWN if found is None else found) if not number.is_sure else UNKNOWN if found is None else found


def of_narrow(narrow: Bounds) -> Bounds:
    """The bounds at 64 bits of a number that has no more than these 32 (`__reg_assign_32_into_64`)."""
    if narrow.least >= 0 and narrow.most >= 0:
        return narrow
    return Bounds(narrow.low, narrow.high, 0, MASK32)


def truncated(number: Number, size: int, age: int) -> Number:
    """Its lower `size` bytes (`coerce_reg_to_size`)."""
    mask = (1 << 8 * size) - 1
    if isinstance(number, int):
        return number & mask
    fits = number.wide.high <= mask
    if size == 8 or (fits and age >= SINCE_6_12):
        return number
    low, high = number.wide.low, number.wide.high
    low, high = (low & mask, high & mask) if low & ~mask == high & ~mask else (0, mask)
    wide = Bounds(low, high, low, high)
    found = settled(wide, number.narrow if size == 4 else wide, tnum.lower(number.bits, mask), age)
    if found is None:
        found = of_size(size)
    if isinstance(found, int):
        return found
    identity = number.identity if fits else 0
    return number._replace(wide=found.wide, narrow=found.narrow, bits=found.bits, identity=identity)


def extended(number: Number, bits: int) -> Number:
    """Its lower `bits` with their sign (`coerce_reg_to_size_sx`)."""
    if isinstance(number, int):
        return signed(number & (1 << bits) - 1, bits) & MASK64
    half = 1 << bits - 1
    if -half <= number.wide.least and number.wide.most < half:
        return number
    least, most = number.wide.least, number.wide.most
    if least >> bits == most >> bits:
        least, most = sorted((signed(least & 2 * half - 1, bits), signed(most & 2 * half - 1, bits)))
        if (least < 0) == (most < 0):
            return between(least, most) if number.is_sure else doubted(between(least, most))
    found = between(-half, half - 1)
    return found if number.is_sure else doubted(found)


# Conclusions.


def settled(wide: Bounds, narrow: Bounds, bits: Tnum, age: int) -> Number | None:
    """With all that the one tells of the other; None where kernels see that there is no such number.

    Linux 6.1 does not see it: bounds that contradict each other stay as they are.
    """
    return _settled_apart(wide, narrow, bits) if age < SINCE_6_12 else _settled_together(wide, narrow, bits)


def _by_bits(bounds: Bounds, known: Tnum, bits: int) -> Bounds:
    """`__update_reg_bounds`."""
    sign = 1 << bits - 1
    value, mask = known.value & MASKS[bits], known.mask & MASKS[bits]
    return Bounds(
        max(bounds.low, value),
        min(bounds.high, value | mask),
        max(bounds.least, signed(value | mask & sign, bits)),
        min(bounds.most, signed(value | mask & ~sign, bits)),
    )


def _settled_apart(wide: Bounds, narrow: Bounds, bits: Tnum) -> Number:
    """`reg_bounds_sync` of Linux 6.1."""
    wide, narrow = _by_old_sign(_by_bits(wide, bits, 64), 64), _by_old_sign(_by_bits(narrow, bits, 32), 32)
    bits = tnum.meet(bits, tnum.between(wide.low, wide.high))
    bits = tnum.with_lower(bits, tnum.meet(tnum.lower(bits), tnum.between(narrow.low, narrow.high)))
    wide, narrow = _by_bits(wide, bits, 64), _by_bits(narrow, bits, 32)
    value = bits.value
    if not bits.mask and wide == exactly(value, 64) and narrow == exactly(value, 32):
        return value
    return Range(wide, narrow, bits)


def _by_old_sign(bounds: Bounds, bits: int) -> Bounds:
    """`__reg64_deduce_bounds` and `__reg32_deduce_bounds` of Linux 6.1."""
    low, high, least, most = bounds
    mask = MASKS[bits]
    if least >= 0 or most < 0:
        low, high = max(least & mask, low), min(most & mask, high)
        return Bounds(low, high, signed(low, bits), signed(high, bits))
    if not high >> (bits - 1):
        high = min(most & mask, high)
        return Bounds(low, high, signed(low, bits), high)
    if low >> (bits - 1):
        low = max(least & mask, low)
        return Bounds(low, high, signed(low, bits), signed(high, bits))
    return bounds


def _settled_together(wide: Bounds, narrow: Bounds, bits: Tnum) -> Number | None:
    """At least what `reg_bounds_sync` of Linux 6.12 and 7.2 concludes."""
    for _ in range(_ROUNDS):
        before = wide, narrow, bits
        wide, narrow = _by_sign(_by_bits(wide, bits, 64), 64), _by_sign(_by_bits(narrow, bits, 32), 32)
        if contradicts_itself(wide) or contradicts_itself(narrow):
            return None
        narrow = _by_sign(_by_wide(narrow, wide), 32)
        wide = _by_sign(_by_narrow(wide, narrow), 64)
        if contradicts_itself(wide) or contradicts_itself(narrow):
            return None
        by_wide, by_narrow = tnum.between(wide.low, wide.high), tnum.between(narrow.low, narrow.high)
        if tnum.disagree(bits, by_wide) or tnum.disagree(tnum.lower(bits), by_narrow):
            return None
        bits = tnum.meet(bits, by_wide)
        bits = tnum.with_lower(bits, tnum.meet(tnum.lower(bits), by_narrow))
        if (wide, narrow, bits) == before:
            break
    return wide.low if wide.low == wide.high else Range(wide, narrow, bits)


def _by_sign(bounds: Bounds, bits: int) -> Bounds:
    """`__reg64_deduce_bounds` and `__reg32_deduce_bounds` of Linux 6.12."""
    low, high, least, most = bounds
    mask = MASKS[bits]
    if low >> (bits - 1) == high >> (bits - 1):
        least, most = max(least, signed(low, bits)), min(most, signed(high, bits))
    if (least < 0) == (most < 0):
        return Bounds(max(low, least & mask), min(high, most & mask), least, most)
    if high < least & mask:
        return Bounds(low, min(high, most), low, most)
    if most < low:
        return Bounds(max(low, least & mask), high, least, signed(high, bits))
    return Bounds(low, high, least, most)


def _by_wide(narrow: Bounds, wide: Bounds) -> Bounds:
    """What bounds at 64 bits tell of the lower half."""
    for low, high in ((wide.low, wide.high), (wide.least, wide.most)):
        if low >> 32 == high >> 32:
            narrow = meet(narrow, Bounds(low & MASK32, high & MASK32, ANY[32].least, ANY[32].most))
        elif (low >> 32) + 1 == high >> 32 and low >> 31 & 1 and not high >> 31 & 1:
            least, most = signed(low & MASK32, 32), signed(high & MASK32, 32)
            narrow = meet(narrow, Bounds(0, MASK32, least, most))
    return narrow


def _by_narrow(wide: Bounds, narrow: Bounds) -> Bounds:
    """The bounds at 64 bits moved to where the lower half can be."""

    def up(number: int) -> int:
        part, upper = number & MASK32, number >> 32
        return upper + (part > narrow.high) << 32 | (part if narrow.low <= part <= narrow.high else narrow.low)

    def down(number: int) -> int:
        part, upper = number & MASK32, number >> 32
        return upper - (part < narrow.low) << 32 | (part if narrow.low <= part <= narrow.high else narrow.high)

    return Bounds(up(wide.low), down(wide.high), up(wide.least), down(wide.most))
