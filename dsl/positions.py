"""Positions of bytes in ordinary Python: what `data[n + 4]` and the ends of a slice of bytes mean in programs.

There the compiler adds plain numbers to a position without cutting the sum to the type of the other side, so
that `data[44 + first]` of a u8 that is 250 is byte 294 (`skverdict.dsl.frontend.byte_places`). It does so for
what is written in the brackets alone: a variable holds a sum that was cut, as any does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeGuard

from skverdict.dsl.scalars import Integer

Operator = Callable[[Any, Any], Any]


class Sum:
    """A sum that is written in brackets: `inner` and the plain numbers that are added to it.

    As the index of an element it is what it is anywhere else (`__index__`).
    """

    __slots__ = ("distance", "inner", "whole")

    def __init__(self, inner: int, distance: int, whole: Callable[[], int]) -> None:
        self.inner = inner
        self.distance = distance
        self.whole = whole

    def __index__(self) -> int:
        return int(self.whole())


def summed(operator: Operator, sign: int, left: object, right: object) -> object:
    """`left operator right`, the addition or (`sign` is -1) the subtraction of two things in brackets."""
    if is_plain(left) and is_plain(right):
        return operator(left, right)
    if is_plain(right):
        return _more(left, sign * right, lambda: operator(_whole(left), right))
    if is_plain(left) and sign > 0:
        return _more(right, left, lambda: operator(left, _whole(right)))
    return operator(_whole(left), _whole(right))


def _more(number: Any, distance: int, whole: Callable[[], int]) -> Sum:
    if isinstance(number, Sum):
        return Sum(number.inner, number.distance + distance, whole)
    return Sum(number, distance, whole)


def is_plain(thing: object) -> TypeGuard[int]:
    """True for a number without a type, as a literal is."""
    return isinstance(thing, int) and not isinstance(thing, (Integer, bool))


def _whole(thing: object) -> object:
    return thing.whole() if isinstance(thing, Sum) else thing


def position_of(index: Any) -> int:
    """Where among bytes an index, or an end of a slice, leads."""
    if isinstance(index, Sum) and index.distance >= 0:
        return int(index.inner) + index.distance
    return index.__index__()  # type: ignore[no-any-return]


def slice_of(written: slice[Any, Any, Any]) -> slice[Any, Any, Any]:
    """A slice of bytes with both ends as positions."""
    start, stop = (None if end is None else position_of(end) for end in (written.start, written.stop))
    return slice(start, stop, written.step)
