"""How small and how large the result of an operation can be, from what its operands can be.

A range is `(low, high)`. Each rule gives the exact mathematical result's range or a larger one; if that
leaves the type, the operation may wrap, and nothing is known but the type.
"""

from __future__ import annotations

from collections.abc import Callable

Range = tuple[int, int]


def _corners(operation: Callable[[int, int], int]) -> Callable[[Range, Range], Range]:
    """For operations whose extremes lie at the extremes of the operands."""

    def rule(left: Range, right: Range) -> Range:
        results = [operation(a, b) for a in left for b in right]
        return (min(results), max(results))

    return rule


def _ones(number: int) -> int:
    """The smallest number of all one bits that is not below `number`."""
    return (1 << number.bit_length()) - 1


def _and(left: Range, right: Range) -> Range | None:
    bounds = [high for low, high in (left, right) if low >= 0]
    return (0, min(bounds)) if bounds else None


def _or(left: Range, right: Range) -> Range | None:
    if left[0] < 0 or right[0] < 0:
        return None
    return (max(left[0], right[0]), _ones(max(left[1], right[1])))


def _xor(left: Range, right: Range) -> Range | None:
    if left[0] < 0 or right[0] < 0:
        return None
    return (0, _ones(max(left[1], right[1])))


def _div(left: Range, right: Range) -> Range | None:
    if right[0] <= 0:
        # A zero divisor gives 0, a negative one turns the range round.
        return (0, left[1]) if left[0] >= 0 and right[0] >= 0 else None
    return _corners(lambda a, b: a // b)(left, right)


def _mod(left: Range, right: Range) -> Range | None:
    if right[0] > 0:
        return (0, min(right[1] - 1, left[1]) if left[0] >= 0 else right[1] - 1)
    # A zero divisor gives the dividend.
    return (0, max(left[1], right[1])) if left[0] >= 0 and right[0] >= 0 else None


def _shl(left: Range, right: Range) -> Range | None:
    return _corners(lambda a, b: a << b)(left, right)


def _shr(left: Range, right: Range) -> Range | None:
    return _corners(lambda a, b: a >> b)(left, right)


RANGES: dict[str, Callable[[Range, Range], Range | None]] = {
    "add": _corners(lambda a, b: a + b),
    "sub": lambda left, right: (left[0] - right[1], left[1] - right[0]),
    "mul": _corners(lambda a, b: a * b),
    "div": _div,
    "mod": _mod,
    "and": _and,
    "or": _or,
    "xor": _xor,
    "shl": _shl,
    "shr": _shr,
}
