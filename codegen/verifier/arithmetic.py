"""What the verifier knows of the result of an operation (`adjust_scalar_min_max_vals` of kernel/bpf/verifier.c)."""

from __future__ import annotations

from functools import lru_cache

from skverdict.codegen.machine.graph import (
    ADD,
    AND,
    ARSH,
    DIV,
    LSH,
    MOD,
    MUL,
    OR,
    RSH,
    SUB,
    XOR,
)
from skverdict.codegen.verifier import tnum
from skverdict.codegen.verifier.numbers import (
    ANY,
    MASKS,
    NEWEST,
    SINCE_6_12,
    SINCE_7_2,
    UNKNOWN,
    Bounds,
    Number,
    at_width,
    constant,
    contradicts_itself,
    doubted,
    is_sure,
    known_bits,
    lower_half,
    of_narrow,
    of_size,
    plain,
    settled,
    signed,
    truncated,
)
from skverdict.codegen.verifier.tnum import ANYTHING, Tnum

_SHIFTS = frozenset((LSH, RSH, ARSH))
_LOGIC = {AND: tnum.and_, OR: tnum.or_, XOR: tnum.xor}
_WHOLE = {ADD: tnum.add, SUB: tnum.sub, MUL: tnum.mul, **_LOGIC}
# The operations that a kernel follows whatever the second operand is, and those for which it must be a constant.
_FOLLOWED = (frozenset((ADD, SUB, AND)), frozenset(_WHOLE), frozenset(_WHOLE))
_WITH_CONSTANT = (
    frozenset((MUL, OR, XOR, *_SHIFTS)),
    _SHIFTS,
    frozenset((DIV, MOD, *_SHIFTS)),
)


def compute(
    code: int, bits: int, first: Number, second: Number, with_sign: bool = False, age: int = NEWEST
) -> Number:
    """What an operation gives (RFC 9669, section 4.1). `with_sign`: a division with signs."""
    if (
        isinstance(first, int)
        and isinstance(second, int)
        and (code in _FOLLOWED[age] or code in _WITH_CONSTANT[age])
    ):
        return _exact(code, bits, first, second, with_sign)
    found = _computed(code, bits, plain(first), plain(second), with_sign, age)
    return found if is_sure(first) and is_sure(second) else doubted(found)


def negated(bits: int, number: Number, age: int) -> Number:
    """The number with the opposite sign, which verifiers follow since Linux 7.2."""
    return compute(SUB, bits, 0, number, age=age) if age >= SINCE_7_2 else UNKNOWN


def swapped(number: Number, size: int, is_turned: bool, age: int) -> Number:
    """The lower `size` bytes, in the opposite order if `is_turned` (`scalar_byte_swap`)."""
    if age < SINCE_7_2:
        return UNKNOWN
    if is_turned:
        found = settled(ANY[64], ANY[32], tnum.swapped(known_bits(number), size), age)
        turned = UNKNOWN if found is None else found
        number = turned if is_sure(number) else doubted(turned)
    return truncated(number, size, age)


def _exact(code: int, bits: int, first: int, second: int, with_sign: bool) -> int:
    mask = MASKS[bits]
    first, second = first & mask, second & mask
    if code in _SHIFTS:
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
        return signed(first, bits) >> second & mask
    if second == 0:
        return 0 if code == DIV else first
    if with_sign:
        one, other = signed(first, bits), signed(second, bits)
        quotient = _quotient(one, other)
        return (quotient if code == DIV else one - quotient * other) & mask
    return first // second if code == DIV else first % second


def _quotient(one: int, other: int) -> int:
    """Towards zero."""
    return abs(one) // abs(other) * (1 if (one < 0) == (other < 0) else -1)


@lru_cache(8192)
def _computed(code: int, bits: int, first: Number, second: Number, with_sign: bool, age: int) -> Number:
    known = constant(second, bits)
    if code not in _FOLLOWED[age] and (code not in _WITH_CONSTANT[age] or known is None):
        # `__mark_reg_unknown`, also of 32 bits; Linux 6.1 clears the upper half after some of them.
        return of_size(4) if bits == 32 and age < SINCE_6_12 and known is not None else UNKNOWN
    if age < SINCE_6_12 and contradicts_itself(at_width(second, bits)):
        return UNKNOWN
    if code in _SHIFTS and known is not None:
        wide, narrow, result = _shifted(code, bits, first, known & bits - 1, age)
    elif code in (DIV, MOD) and known is not None:
        if not known:
            return 0 if code == DIV else first if bits == 64 else lower_half(first, age)
        divided = _divided(code, at_width(first, bits), known, bits, with_sign)
        wide, narrow, result = (divided, ANY[32], ANYTHING) if bits == 64 else (ANY[64], divided, ANYTHING)
    else:
        result = _WHOLE[code](known_bits(first), known_bits(second))
        wide = _bounds(code, 64, at_width(first, 64), at_width(second, 64), result, age)
        narrow = _bounds(code, 32, at_width(first, 32), at_width(second, 32), tnum.lower(result), age)
    if bits == 32:
        wide, result = of_narrow(narrow), tnum.lower(result)
    found = settled(wide, narrow, result, age)
    return UNKNOWN if found is None else found


def _bounds(code: int, bits: int, one: Bounds, other: Bounds, result: Tnum, age: int) -> Bounds:
    """Of `scalar_min_max_add` and its kin; `result` is what is known of the bits."""
    any_, mask = ANY[bits], MASKS[bits]
    if code == MUL:
        return _product(bits, one, other, age)
    if code in (ADD, SUB):
        if code == ADD:
            low, high = one.low + other.low, one.high + other.high
            least, most = one.least + other.least, one.most + other.most
        else:
            low, high = one.low - other.high, one.high - other.low
            least, most = one.least - other.most, one.most - other.least
        # Linux 6.1 gives up where either end overflows, later ones only where the ends do so apart.
        if low >> bits != high >> bits or (age < SINCE_6_12 and low >> bits):
            low, high = any_.low, any_.high
        if least < any_.least or most > any_.most:
            least, most = any_.least, any_.most
        return Bounds(low & mask, high & mask, least, most)
    if code == AND:
        low, high = result.value, min(one.high, other.high)
    else:
        low = max(one.low, other.low) if code == OR else result.value
        high = result.value | result.mask
    if one.least >= 0 and other.least >= 0 and not high >> (bits - 1):
        return Bounds(low, high, low, high)
    return Bounds(low, high, any_.least, any_.most)


def _product(bits: int, one: Bounds, other: Bounds, age: int) -> Bounds:
    any_, half = ANY[bits], MASKS[bits // 2] if bits == 64 else 0xFFFF
    if age < SINCE_6_12:
        if one.least < 0 or other.least < 0 or one.high > half or other.high > half:
            return any_
        low, high = one.low * other.low, one.high * other.high
        return Bounds(low, high, *((low, high) if high <= any_.most else (any_.least, any_.most)))
    low, high = one.low * other.low, one.high * other.high
    if high > any_.high:
        low, high = any_.low, any_.high
    corners = [first * second for first in (one.least, one.most) for second in (other.least, other.most)]
    least, most = min(corners), max(corners)
    if least < any_.least or most > any_.most:
        least, most = any_.least, any_.most
    return Bounds(low, high, least, most)


def _shifted(code: int, bits: int, number: Number, shift: int, age: int) -> tuple[Bounds, Bounds, Tnum]:
    """Bounds at 64 and at 32 bits, and the known bits, of a number shifted by a constant."""
    wide, narrow, known = at_width(number, 64), at_width(number, 32), known_bits(number)
    if bits == 32:
        known = tnum.lower(known)
    if code == LSH:
        moved = tnum.left(known, shift)
        narrow = _shifted_left(narrow, shift, 32, age)
        if bits == 32:
            return ANY[64], narrow, tnum.lower(moved)
        least, most = (each << 32 for each in at_width(number, 32)[2:]) if shift == 32 else ANY[64][2:]
        return _shifted_left(wide, shift, 64, age)._replace(least=least, most=most), narrow, moved
    here, any_ = (wide, ANY[64]) if bits == 64 else (narrow, ANY[32])
    if code == RSH:
        here = Bounds(here.low >> shift, here.high >> shift, any_.least, any_.most)
        moved = tnum.right(known, shift)
    else:
        here = Bounds(any_.low, any_.high, here.least >> shift, here.most >> shift)
        moved = tnum.right_signed(known, shift, bits)
    return (here, ANY[32], moved) if bits == 64 else (ANY[64], here, moved)


def _shifted_left(bounds: Bounds, shift: int, bits: int, age: int) -> Bounds:
    """Without a sign; of Linux 6.1 as far as it looks."""
    if age < SINCE_6_12:
        fits = shift < bits and bounds.high <= 1 << (bits - 1 - shift)
    else:
        fits = bounds.high << shift <= MASKS[bits]
    return ANY[bits]._replace(low=bounds.low << shift, high=bounds.high << shift) if fits else ANY[bits]


def _divided(code: int, number: Bounds, by: int, bits: int, with_sign: bool) -> Bounds:
    """The bounds of a quotient or a rest, by a constant other than 0."""
    any_ = ANY[bits]
    if not with_sign:
        if code == DIV:
            return any_._replace(low=number.low // by, high=number.high // by)
        return number if number.high < by else any_._replace(high=min(number.high, by - 1))
    divisor = signed(by, bits)
    if code == DIV:
        ends = sorted((_quotient(number.least, divisor), _quotient(number.most, divisor)))
        return any_ if ends[1] > any_.most else any_._replace(least=ends[0], most=ends[1])
    rest = abs(divisor) - 1
    if number.least >= -rest and number.most <= rest:
        return number
    least = 0 if number.least >= 0 else max(number.least, -rest) if number.most <= 0 else -rest
    most = 0 if number.most <= 0 else min(number.most, rest) if number.least >= 0 else rest
    return any_._replace(least=least, most=most)
