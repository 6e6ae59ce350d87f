"""The verifier's refusals in words: what it knows, and what to write instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.codegen.verifier.accesses import (
    DEAD,
    EMPTY,
    HELD,
    LENGTH,
    MAY_BE_NULL,
    MIXED,
    NEGATIVE,
    NO_POINTER,
    OUTSIDE,
    UNBOUNDED,
    UNCHECKED,
)
from skverdict.codegen.verifier.numbers import at_width
from skverdict.codegen.verifier.values import CONSTANTS, MEMORY, PACKET, STACK, VALUE

if TYPE_CHECKING:
    from skverdict.codegen.verifier.accesses import Problem

_PLACES = {
    STACK: "a local",
    PACKET: "the packet",
    VALUE: "a value",
    MEMORY: "a record",
    CONSTANTS: "the constants",
}
_TEXTS = {
    DEAD: "comes here on a way that nothing takes, since it does not see that tests on it exclude each other",
    NO_POINTER: "takes this address for a number",
    MAY_BE_NULL: "sees a way on which this is None",
    NEGATIVE: "knows of this offset in {place} only that it is {least} or more",
    UNBOUNDED: "knows of this offset in {place} only that it is at most {high}",
    OUTSIDE: "knows of this access only that it ends at byte {size} of {place} or before, which has {limit} bytes",
    UNCHECKED: "knows of {limit} bytes that are in the packet here, and this needs {size}",
    MIXED: "does not read part of 8 bytes of a local if another part was written at a place that it cannot tell",
    EMPTY: "knows of this length only that it is 0 or more",
    HELD: "sees a way to this end on which something was not handed back",
    LENGTH: "knows of this length only that it is from {least} to {high}",
}
_BOUND = "test the index right before it, such as with `if i < {count}:`, or use `i & {mask}` or `min(i, {last})`"
_HINTS = {
    DEAD: "test the number once, or always at the same width, such as by `n = u32(n)` before the first test",
    NO_POINTER: "look it up again, or take the view again, right before it is used",
    MAY_BE_NULL: "test it with `is None` on each way that leads here",
    NEGATIVE: _BOUND,
    UNBOUNDED: _BOUND,
    OUTSIDE: _BOUND,
    UNCHECKED: "test the length of the view right before it is read",
    MIXED: "let what is written at computed places, such as an array, begin at a multiple of 8 bytes of its structure",
    EMPTY: "test that it is not 0 right before the call, such as with `if n > 0:`",
    HELD: "submit or discard a record, and release a socket, on each way that leads here",
    LENGTH: "test it right before the call, such as with `if 0 < n <= 256:`, or use `n & 255` or `min(n, 256)`",
}


def message(problem: Problem) -> str:
    """What the verifier knows, as the end of a sentence that begins with it."""
    bounds = at_width(0 if problem.number is None else problem.number, 64)
    return _TEXTS[problem.cause].format(
        place=_PLACES.get(problem.kind, "memory"),
        least=bounds.least,
        high=bounds.high,
        size=problem.size,
        limit=problem.limit,
    )


def hint(problem: Problem) -> str:
    """What to write instead."""
    count = max(problem.limit, 1)
    mask = (1 << count.bit_length() - 1) - 1
    return _HINTS[problem.cause].format(count=count, mask=mask, last=count - 1)
