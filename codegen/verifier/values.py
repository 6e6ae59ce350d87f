"""What the verifier knows of the content of a register: a number, or where a pointer points to."""

from __future__ import annotations

from typing import NamedTuple

from skverdict.codegen.machine.graph import ADD
from skverdict.codegen.verifier.arithmetic import compute
from skverdict.codegen.verifier.numbers import MASKS, SINCE_7_2, UNCLEAR, Number, Range, is_sure, signed, within

# Kinds of pointer (`enum bpf_reg_type` of include/linux/bpf.h). OTHER ones are of kinds that are not followed.
STACK, PACKET, PACKET_END, CONTEXT, VALUE, MEMORY, CONSTANTS, MAP, FUNCTION, OTHER = range(10)
# The end of the packet that a pointer is known to reach or to pass.
INSIDE, AT_END, BEYOND = range(3)


class Pointer(NamedTuple):
    """An address of a `kind`: `offset` and `extra` bytes behind the beginning of what `base` tells apart.

    `extra` is what was added of numbers that are not known. Of a PACKET `checked` bytes behind `extra` are known to
    be there, and `reach` is what is known of its end; everything else has `size` bytes.
    """

    kind: int
    offset: int = 0
    base: int = 0
    reach: int = INSIDE
    extra: Number = 0
    checked: int = 0
    size: int = 0
    may_be_null: bool = False

    def whole(self, age: int) -> tuple[int, int, int, int]:
        """The smallest offset of all and the largest one, with and without a sign, by the kernel's own sums.

        Since Linux 7.2 known and unknown summands are added up together.
        """
        extra, offset = self.extra, self.offset
        if isinstance(extra, int):
            return offset, offset, offset, offset
        if age < SINCE_7_2:
            low, high, least, most = extra.wide
            return low + offset, high + offset, least + offset, most + offset
        total = compute(ADD, 64, extra, offset & MASKS[64], age=age)
        if isinstance(total, int):
            exact = signed(total, 64)
            return exact, exact, exact, exact
        low, high, least, most = total.wide
        return low, high, least, most


Value = Number | Pointer | None


def moved(pointer: Pointer, code: int, number: Number, identity: int, age: int) -> Pointer:
    """The pointer with a number added to it or taken from it (`adjust_ptr_min_max_vals`)."""
    if isinstance(number, int):
        distance = signed(number, 64)
        reach = pointer.reach if age < SINCE_7_2 else INSIDE
        return pointer._replace(offset=pointer.offset + (distance if code == ADD else -distance), reach=reach)
    extra = compute(code, 64, pointer.extra, number, age=age)
    if pointer.kind != PACKET:
        return pointer._replace(extra=extra)
    keeps = code != ADD and number.wide.least >= 0
    checked = pointer.checked if keeps else 0
    return pointer._replace(extra=extra, base=identity, checked=checked, reach=INSIDE)


def is_alike(old: Value, new: Value, matters: bool) -> bool:
    """`regsafe`: True if `new` is nothing that `old` was not, as far as the verifier cares."""
    if old is None:
        return True
    if isinstance(old, Pointer):
        if not isinstance(new, Pointer) or old.kind != new.kind or old.may_be_null != new.may_be_null:
            return False
        if old.kind == OTHER:
            return True
        if old.offset != new.offset or old.size != new.size or not within(new.extra, old.extra):
            return False
        if old.kind == PACKET:
            return old.reach == new.reach and old.checked <= new.checked
        return old.kind == VALUE or old.base == new.base
    if isinstance(new, Pointer) or new is None:
        return False
    return not matters or within(new, old)


def unclear(value: Value) -> Value:
    """A value of which the verifier may know more, or something else."""
    if isinstance(value, Range):
        return value._replace(is_sure=False)
    return UNCLEAR if value is None else value


def is_followed(value: Value) -> bool:
    """True if the verifier knows no more of the value."""
    if isinstance(value, Pointer):
        return is_sure(value.extra) and value.kind != OTHER
    return value is not None and is_sure(value)
