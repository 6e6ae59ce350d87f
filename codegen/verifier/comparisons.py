"""What the verifier makes of comparisons of numbers: whether they hold, and what they tell of the numbers."""

from __future__ import annotations

from functools import lru_cache

from skverdict.codegen.machine.graph import (
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
    MASK32,
    MASK64,
    MIRRORED,
    OPPOSITE,
)
from skverdict.codegen.verifier import tnum
from skverdict.codegen.verifier.numbers import (
    ANY,
    MASKS,
    NEWEST,
    SINCE_6_12,
    Bounds,
    Number,
    Range,
    at_width,
    constant,
    exactly,
    known_bits,
    meet,
    of_narrow,
    plain,
    settled,
    signed,
)
from skverdict.codegen.verifier.tnum import Tnum

#: That no bit is common to both numbers, the contrary of JSET (`rev_opcode` of kernel/bpf/verifier.c).
NOT_SET = JSET | 8
CONTRARY = {**OPPOSITE, JSET: NOT_SET}
_SYMMETRIC = {**MIRRORED, JSET: JSET, NOT_SET: NOT_SET}


def decide(code: int, bits: int, first: Number, second: Number, age: int = NEWEST) -> bool | None:
    """Whether a comparison holds; None if the verifier does not see it (`is_branch_taken`)."""
    known = constant(second, bits)
    if known is None and age < SINCE_6_12:
        return None
    one, other = at_width(first, bits), at_width(second, bits)
    if known is not None:
        other = exactly(known, bits)
    if code in (JEQ, JNE):
        equal = _equal(bits, first, second, one, other, age)
        return equal if equal is None else equal is (code == JEQ)
    if code == JSET:
        return _has_bits(bits, first, second)
    return _ordered(code, one, other)


def _equal(bits: int, first: Number, second: Number, one: Bounds, other: Bounds, age: int) -> bool | None:
    number, known = constant(first, bits), constant(second, bits)
    if number is not None and known is not None:
        return number == known
    if age < SINCE_6_12:
        return None
    mask = MASKS[bits]
    if tnum.disagree(tnum.lower(known_bits(first), mask), tnum.lower(known_bits(second), mask)):
        return False
    if _are_apart(one, other) or (bits == 64 and _are_apart(at_width(first, 32), at_width(second, 32))):
        return False
    return None


def _are_apart(one: Bounds, other: Bounds) -> bool:
    return one.high < other.low or other.high < one.low or one.most < other.least or other.most < one.least


def _has_bits(bits: int, first: Number, second: Number) -> bool | None:
    known = constant(second, bits)
    if known is None:
        first, known = second, constant(first, bits)
    if known is None:
        return None
    value, mask = known_bits(first)
    if value & ~mask & known:
        return True
    return None if (value | mask) & known else False


def _ordered(code: int, one: Bounds, other: Bounds) -> bool | None:
    if code in (JLT, JSLT):
        return _ordered(MIRRORED[code], other, one)
    if code not in (JGT, JSGT):
        found = _ordered(OPPOSITE[code], one, other)
        return found if found is None else not found
    low, high, least, most = (
        (one.low, one.high, other.low, other.high)
        if code == JGT
        else (one.least, one.most, other.least, other.most)
    )
    return True if low > most else False if high <= least else None


def refined(
    code: int, bits: int, first: Number, second: Number, age: int = NEWEST
) -> tuple[Number, Number] | None:
    """What two numbers are where their comparison holds (`reg_set_min_max`); None where it cannot hold.

    Linux 6.1 does not see that, and looks at two unknown numbers only to find them equal.
    """
    found = _refined(code, bits, plain(first), plain(second), age)
    if found is None:
        return None
    return _labelled(found[0], first), _labelled(found[1], second)


def _labelled(number: Number, old: Number) -> Number:
    if isinstance(number, int) or isinstance(old, int):
        return number
    return old._replace(wide=number.wide, narrow=number.narrow, bits=number.bits)


@lru_cache(8192)
def _refined(code: int, bits: int, first: Number, second: Number, age: int) -> tuple[Number, Number] | None:
    if age >= SINCE_6_12:
        return _refined_both(code, bits, first, second)
    known = constant(second, bits)
    if known is not None:
        return (_limited(code, bits, first, known) if isinstance(first, Range) else first), second
    known = constant(first, bits)
    if known is not None:
        mirrored = _SYMMETRIC.get(code)
        return first, second if mirrored is None or isinstance(second, int) else _limited(mirrored, bits, second, known)
    if bits == 64 and code == JEQ and isinstance(first, Range) and isinstance(second, Range):
        wide, known_both = meet(first.wide, second.wide), tnum.meet(first.bits, second.bits)
        one, other = (settled(wide, each.narrow, known_both, age) for each in (first, second))
        if one is not None and other is not None:
            return one, other
    return first, second


# Linux 6.1.


def _limited(code: int, bits: int, number: Range, bound: int) -> Number:
    """`reg_set_min_max` of Linux 6.1: a comparison at one width takes what was known at the other."""
    mask, any_ = MASKS[bits], ANY[bits]
    with_sign = signed(bound, bits)
    here, known = at_width(number, bits), number.bits
    if code == JEQ:
        if bits == 64:
            return bound
        here, known = exactly(bound, 32), tnum.with_lower(known, Tnum(bound, 0))
    elif code == JSET:
        if bound.bit_count() == 1:
            known = tnum.or_(known, Tnum(bound, 0))
    elif code == NOT_SET:
        here = any_
        known = tnum.and_(known, Tnum(~bound & MASK64, 0))
    elif code == JGT:
        here = here._replace(low=max(here.low, bound + 1 & mask))
    elif code == JGE:
        here = here._replace(low=max(here.low, bound))
    elif code == JLT:
        here = here._replace(high=min(here.high, bound - 1 & mask))
    elif code == JLE:
        here = here._replace(high=min(here.high, bound))
    elif code == JSGT:
        here = here._replace(least=max(here.least, signed(with_sign + 1 & mask, bits)))
    elif code == JSGE:
        here = here._replace(least=max(here.least, with_sign))
    elif code == JSLT:
        here = here._replace(most=min(here.most, signed(with_sign - 1 & mask, bits)))
    elif code == JSLE:
        here = here._replace(most=min(here.most, with_sign))
    if bits == 64:
        wide, narrow = here, _of_wide(here)
    else:
        wide, narrow = (of_narrow(here) if not (known.value | known.mask) >> 32 else ANY[64]), here
    found = settled(wide, narrow, known, 0)
    return number if found is None else found


def _of_wide(wide: Bounds) -> Bounds:
    """The bounds of the lower half, by those of all (`__reg_combine_64_into_32`)."""
    low, high, least, most = ANY[32]
    if ANY[32].least <= wide.least <= ANY[32].most and ANY[32].least <= wide.most <= ANY[32].most:
        least, most = wide.least, wide.most
    if wide.low <= MASK32 and wide.high <= MASK32:
        low, high = wide.low, wide.high
    return Bounds(low, high, least, most)


# Linux 6.12 and later.


def _refined_both(code: int, bits: int, first: Number, second: Number) -> tuple[Number, Number] | None:
    """`regs_refine_cond_op`, which learns of both numbers."""
    if code in (JGE, JGT, JSGE, JSGT):
        found = _refined_both(MIRRORED[code], bits, second, first)
        return None if found is None else (found[1], found[0])
    one, other = at_width(first, bits), at_width(second, bits)
    one_bits, other_bits = known_bits(first), known_bits(second)
    if code == JEQ:
        one = other = meet(one, other)
        if tnum.disagree(tnum.lower(one_bits, MASKS[bits]), tnum.lower(other_bits, MASKS[bits])):
            return None
        if bits == 64:
            one_bits = other_bits = tnum.meet(one_bits, other_bits)
        else:
            half = tnum.meet(tnum.lower(one_bits), tnum.lower(other_bits))
            one_bits, other_bits = tnum.with_lower(one_bits, half), tnum.with_lower(other_bits, half)
    elif code == JNE:
        one, other = _without(one, constant(second, bits), bits), _without(other, constant(first, bits), bits)
    elif code in (JSET, NOT_SET):
        one_bits, other_bits = (
            _tested(code, one_bits, constant(second, bits)),
            _tested(code, other_bits, constant(first, bits)),
        )
    elif code in (JLE, JLT):
        gap = int(code == JLT)
        one, other = (
            one._replace(high=min(one.high, other.high - gap)),
            other._replace(low=max(other.low, one.low + gap)),
        )
    elif code in (JSLE, JSLT):
        gap = int(code == JSLT)
        one, other = (
            one._replace(most=min(one.most, other.most - gap)),
            other._replace(least=max(other.least, one.least + gap)),
        )
    new_first, new_second = _renewed(first, bits, one, one_bits), _renewed(second, bits, other, other_bits)
    return None if new_first is None or new_second is None else (new_first, new_second)


def _renewed(number: Number, bits: int, here: Bounds, known: Tnum) -> Number | None:
    if here.low > here.high or here.least > here.most:
        return None
    wide, narrow = (here, at_width(number, 32)) if bits == 64 else (at_width(number, 64), here)
    return settled(wide, narrow, known, NEWEST)


def _without(bounds: Bounds, known: int | None, bits: int) -> Bounds:
    """A number that is not its smallest is larger."""
    if known is None:
        return bounds
    with_sign = signed(known, bits)
    return Bounds(
        bounds.low + (bounds.low == known), bounds.high - (bounds.high == known),
        bounds.least + (bounds.least == with_sign), bounds.most - (bounds.most == with_sign),
    )  # fmt: skip


def _tested(code: int, known: Tnum, bound: int | None) -> Tnum:
    """What a test of bits with a constant tells of them."""
    if bound is None:
        return known
    if code == NOT_SET:
        return tnum.and_(known, Tnum(~bound & MASK64, 0))
    return tnum.or_(known, Tnum(bound, 0)) if bound.bit_count() == 1 else known


