"""Which accesses the verifier refuses, by what it knows of the pointer (`check_mem_access` of kernel/bpf/verifier.c).

Where it may know more than is known here, nothing is said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from skverdict.codegen.verifier.numbers import ANY, SINCE_7_2, Range, at_width, is_sure
from skverdict.codegen.verifier.values import (
    CONSTANTS,
    CONTEXT,
    INSIDE,
    MEMORY,
    PACKET,
    STACK,
    VALUE,
    Pointer,
)

if TYPE_CHECKING:
    from skverdict.codegen.verifier.numbers import Number
    from skverdict.codegen.verifier.values import Value

STACK_SIZE = 512
#: BPF_MAX_VAR_OFF and BPF_MAX_VAR_SIZ of include/linux/bpf_verifier.h.
FARTHEST = 1 << 29
# MAX_PACKET_OFF of kernel/bpf/verifier.c.
_FARTHEST_IN_PACKET = 0xFFFF

# Causes.
NO_POINTER, DEAD, MAY_BE_NULL, NEGATIVE, UNBOUNDED, OUTSIDE, UNCHECKED, MIXED, EMPTY, LENGTH, HELD = (
    "no pointer", "dead way", "may be null", "negative", "unbounded", "outside", "unchecked", "mixed", "empty",
    "length", "held",
)  # fmt: skip


class Problem(NamedTuple):
    """Why an access is refused: the `cause`, and the `kind` of pointer.

    `number` is what is not known well enough, if anything; `size` the bytes that are accessed, `limit` those that
    there are.
    """

    cause: str
    kind: int = STACK
    number: Number | None = None
    size: int = 0
    limit: int = 0


def refused(value: Value, offset: int, size: int, age: int) -> Problem | None:
    """What is wrong with an access to `size` bytes, `offset` bytes behind an address; None if nothing is."""
    if value is None:
        return None
    if not isinstance(value, Pointer):
        return Problem(NO_POINTER, number=value) if is_sure(value) else None
    if value.may_be_null:
        return Problem(MAY_BE_NULL, value.kind)
    if not is_sure(value.extra):
        return None
    if value.kind == PACKET:
        return _refused_packet(value, offset, size, age)
    if value.kind == STACK:
        return _refused_stack(value, offset, size, age)
    if value.kind in (VALUE, MEMORY, CONSTANTS) and value.size:
        return _refused_region(value, offset, size, value.size, age)
    return None


def _number(pointer: Pointer) -> Range | None:
    return None if isinstance(pointer.extra, int) else pointer.extra


def _refused_region(pointer: Pointer, offset: int, size: int, limit: int, age: int) -> Problem | None:
    """`check_mem_region_access`."""
    _, high, least, _ = pointer.whole(age)
    number = _number(pointer)
    if least + offset < 0:
        return Problem(NEGATIVE if number is not None else OUTSIDE, pointer.kind, number, size, limit)
    unknown = number.wide.high if number is not None and age < SINCE_7_2 else high
    if unknown >= FARTHEST:
        return Problem(UNBOUNDED, pointer.kind, number, size, limit)
    if least + offset + size > limit or high + offset + size > limit:
        return Problem(OUTSIDE, pointer.kind, number, high + offset + size, limit)
    return None


def _refused_packet(pointer: Pointer, offset: int, size: int, age: int) -> Problem | None:
    """`check_packet_access`: bytes behind `extra` are there, or are not."""
    number = _number(pointer)
    _, high, least, _ = pointer.whole(age)
    if number is not None and (number.wide.least < 0 if age < SINCE_7_2 else least + offset < 0):
        return Problem(NEGATIVE, PACKET, number, size)
    place = pointer.offset + offset
    if pointer.reach != INSIDE or place + size > pointer.checked or (place < 0 and (number is None or age < SINCE_7_2)):
        return Problem(UNCHECKED, PACKET, number, place + size, pointer.checked)
    if age >= SINCE_7_2 and high >= FARTHEST:
        return Problem(UNBOUNDED, PACKET, number, size)
    return None


def _refused_stack(pointer: Pointer, offset: int, size: int, age: int) -> Problem | None:
    """`check_stack_access_within_bounds`."""
    _, _, least, most = pointer.whole(age)
    number = _number(pointer)
    if number is not None and (number.wide.most >= FARTHEST or number.wide.least <= -FARTHEST):
        return Problem(UNBOUNDED, STACK, number, size, STACK_SIZE)
    if least + offset < -STACK_SIZE or most + offset + size > 0:
        return Problem(OUTSIDE, STACK, number, size, STACK_SIZE)
    return None


def refused_sum(pointer: Pointer, number: Number) -> Problem | None:
    """What is wrong with a number that is added to a pointer (`check_reg_sane_offset`)."""
    if pointer.may_be_null:
        return Problem(MAY_BE_NULL, pointer.kind)
    if pointer.kind not in (STACK, PACKET, VALUE, MEMORY, CONSTANTS, CONTEXT):
        return None
    if isinstance(number, int) or not number.is_sure:
        return None
    least = number.wide.least
    if least == ANY[64].least:
        return Problem(UNBOUNDED, pointer.kind, number)
    return Problem(NEGATIVE, pointer.kind, number) if abs(least) >= FARTHEST else None


def refused_memory(value: Value, length: Number, may_be_empty: bool, age: int) -> Problem | None:
    """What is wrong with memory of `length` bytes that a helper is given (`check_mem_size_reg`)."""
    if not is_sure(length):
        return None
    low, high, least, _ = at_width(length, 64)
    if least < 0:
        return Problem(LENGTH, number=length)
    if not low and not may_be_empty:
        return Problem(EMPTY, number=length)
    if high >= FARTHEST:
        return Problem(LENGTH, number=length)
    found = refused(value, 0, high, age) if high else None
    return found if found is None or isinstance(length, int) else found._replace(number=found.number or length)


def checked(pointer: Pointer, is_before_end: bool, age: int) -> int:
    """The bytes that are there behind a pointer's `extra` if it is not behind the packet's end, or before it.

    `find_good_pkt_pointers`; 0 if that tells nothing.
    """
    _, high, _, _ = pointer.whole(age)
    low = pointer.offset if age < SINCE_7_2 else high
    unknown = 0 if isinstance(pointer.extra, int) else pointer.extra.wide.high
    if low < 0 or (low == 0 and is_before_end) or unknown > _FARTHEST_IN_PACKET or high > _FARTHEST_IN_PACKET:
        return 0
    return pointer.offset + is_before_end
