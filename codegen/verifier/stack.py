"""What the verifier knows of the stack of one function (`struct bpf_stack_state` of include/linux/bpf_verifier.h)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from skverdict.codegen.verifier.numbers import (
    SINCE_6_12,
    UNCLEAR,
    UNKNOWN,
    constant,
    is_sure,
    of_size,
    truncated,
)
from skverdict.codegen.verifier.values import Pointer, Value

if TYPE_CHECKING:
    from skverdict.codegen.verifier.numbers import Number

WORD = 8
# Kinds of byte: part of a value that lies in the word, any number, zero, never written, and not followed here.
_SPILLED, _ANY, _ZERO, _EMPTY, _UNCLEAR = "S", "M", "0", " ", "?"


class Word(NamedTuple):
    """Eight bytes: their kinds, from the lowest address on, and the value that begins there if one was spilled."""

    kinds: str
    value: Value = None


Words = dict[int, Word]
_FRESH = Word(_EMPTY * WORD)


class Mixture(Exception):
    """The verifier refuses to read bytes together that were written apart."""


def store(words: Words, offset: int, size: int, value: Value, is_register: bool, age: int) -> None:
    """Write a register or a constant (`check_stack_write_fixed_off`)."""
    base, place = offset & -WORD, offset & WORD - 1
    old = words.get(base, _FRESH)
    if isinstance(value, Pointer):
        words[base] = Word(_SPILLED * WORD, value) if size == WORD else Word(_UNCLEAR * WORD)
    elif value is None or not is_sure(value):
        kinds = old.kinds[:place] + _UNCLEAR * size + old.kinds[place + size :]
        words[base] = Word(kinds.replace(_SPILLED, _UNCLEAR), None if place else value)
    elif not place and _is_spilled(value, is_register, age):
        rest = old.kinds[size:]
        if age < SINCE_6_12:
            rest = rest.replace(_ZERO, _ANY)
        words[base] = Word(_SPILLED * size + rest.replace(_SPILLED, _ANY), _narrowed(value, size))
    else:
        kinds = old.kinds
        if kinds[0] == _SPILLED:
            kinds = kinds.replace(_SPILLED, _ANY).replace(_ZERO, _ANY)
        kind = _ZERO if value == 0 else _ANY
        words[base] = Word(kinds[:place] + kind * size + kinds[place + size :])


def _is_spilled(value: Number, is_register: bool, age: int) -> bool:
    """True if the verifier remembers a number that begins a word."""
    if age >= SINCE_6_12:
        return True
    return value != 0 and (not is_register or isinstance(value, int) or value[:3] != UNKNOWN[:3])


def _narrowed(value: Number, size: int) -> Number:
    """A number of which part is stored is no more the same one."""
    if isinstance(value, int) or value.wide.high >> 8 * size == 0:
        return value
    return value._replace(identity=0)


def load(words: Words, offset: int, size: int, endian: Literal["little", "big"], age: int) -> Value:
    """Read (`check_stack_read_fixed_off`). Raises Mixture."""
    base, place = offset & -WORD, offset & WORD - 1
    word = words.get(base, _FRESH)
    kinds = word.kinds[place : place + size]
    if _UNCLEAR in kinds:
        whole = not place and word.kinds.count(_UNCLEAR) == size
        return word.value if whole and word.value is not None else truncated(UNCLEAR, size, age)
    if word.kinds[0] != _SPILLED:
        return 0 if kinds == _ZERO * size else of_size(size)
    spilled = WORD - len(word.kinds.lstrip(_SPILLED))
    value = word.value
    if size == spilled == WORD:
        return value
    if value is None or isinstance(value, Pointer):
        raise Mixture
    if age < SINCE_6_12:
        if not place and size == spilled:
            return truncated(value, size, age)
        if _ZERO in kinds:
            raise Mixture
        return of_size(size)
    if size <= spilled and place == (spilled - size if endian == "big" else 0):
        return truncated(value, size, age)
    if kinds == _ZERO * size or (kinds == _SPILLED * size and constant(value) == 0):
        return 0
    return of_size(size)


def scatter(words: Words, low: int, high: int, is_zero: bool, age: int) -> None:
    """Write one byte or more somewhere from `low` to `high`, which is not included (`check_stack_write_var_off`).

    Linux 6.12 and 7.2 forget the value that was spilled to a word of which that changes a part.
    """
    for offset in range(low, high):
        base, place = offset & -WORD, offset & WORD - 1
        kinds = words.get(base, _FRESH).kinds
        if age >= SINCE_6_12:
            kinds = kinds.replace(_SPILLED, _ANY)
        kind = _ZERO if is_zero and kinds[place] == _ZERO else _UNCLEAR if kinds[place] == _UNCLEAR else _ANY
        words[base] = Word(kinds[:place] + kind + kinds[place + 1 :].replace(_SPILLED, _ANY))


def overwrite(words: Words, low: int, high: int) -> None:
    """What a helper may have written to from `low` to `high`, which is not included."""
    for base in range(low & -WORD, high, WORD):
        kinds = words.get(base, _FRESH).kinds
        if kinds[0] == _SPILLED:
            kinds = kinds.replace(_SPILLED, _ANY).replace(_ZERO, _ANY)
        first, last = max(low - base, 0), min(high - base, WORD)
        words[base] = Word(kinds[:first] + _ANY * (last - first) + kinds[last:])


def forget(words: Words, low: int, high: int) -> None:
    """What is done there is not followed from `low` to `high`, which is not included."""
    for base in range(low & -WORD, high, WORD):
        words[base] = Word(_UNCLEAR * WORD)
