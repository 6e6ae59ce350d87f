"""Numbers that lie in several places: what is found out of one of them is known of all.

After `find_equal_scalars` of kernel/bpf/verifier.c, since Linux 6.12 `sync_linked_regs`, which also knows numbers that
differ by a constant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.codegen.machine.graph import ADD, MASK32, MASK64, SUB
from skverdict.codegen.verifier.arithmetic import compute
from skverdict.codegen.verifier.numbers import (
    SINCE_6_12,
    SINCE_7_2,
    Number,
    Range,
    constant,
    meet,
    settled,
    signed,
)
from skverdict.codegen.verifier.tnum import disagree
from skverdict.codegen.verifier.tnum import meet as meet_bits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from skverdict.codegen.verifier.frames import Frame
    from skverdict.codegen.verifier.values import Value

_LARGEST = (1 << 31) - 1


def linked(number: Number, identity: int, age: int) -> Number:
    """A number that is about to be copied (`assign_scalar_id_before_mov`); `identity` is a new one."""
    if isinstance(number, int) or (number.identity and not number.width):
        return number
    if number.width and age < SINCE_6_12:
        return number
    return number._replace(identity=identity, delta=0, width=0)


def moved_on(code: int, bits: int, first: Number, second: Number, result: Number, age: int) -> Number:
    """The sum of a number and a constant, with what is remembered of that (`BPF_ADD_CONST`)."""
    known = constant(second, bits)
    if (
        age < SINCE_6_12
        or known is None
        or isinstance(first, int)
        or isinstance(result, int)
        or not first.identity
        or first.width
    ):
        return result
    if age < SINCE_7_2:
        if code != ADD or bits != 64 or known > _LARGEST:
            return result
    elif code not in (ADD, SUB) or (bits == 32 and first.wide.high > MASK32):
        return result
    delta = signed(known, bits)
    if not -_LARGEST - 1 <= delta <= _LARGEST:
        return result
    return result._replace(identity=first.identity, delta=delta if code == ADD else -delta, width=bits)


def replace(frames: Iterable[Frame], is_same: Callable[[Value], bool], new: Callable[[Value], Value]) -> None:
    """Wherever the same value lies, in registers and stacks, it becomes what `new` makes of it."""
    for frame in frames:
        registers = frame.registers
        for register, value in enumerate(registers):
            if is_same(value):
                registers[register] = new(value)
        for base, word in frame.words.items():
            if word.value is not None and is_same(word.value):
                frame.words[base] = word._replace(value=new(word.value))


def spread(frames: Iterable[Frame], old: Number, new: Number, age: int) -> None:
    """Tell all places with the number that was `old` that it is `new`."""
    if isinstance(old, int) or not old.identity:
        return
    identity = old.identity
    replace(
        frames,
        lambda value: isinstance(value, Range) and value.identity == identity,
        lambda value: _like(value, old, new, age) if isinstance(value, Range) else value,
    )


def _like(value: Range, old: Range, new: Number, age: int) -> Number:
    """What `value` is where `old`, with the same identity, is `new`."""
    if value.width == old.width and value.delta == old.delta:
        return new
    if {value.width, old.width} == {32, 64}:
        return value
    bits = value.width or old.width
    found = compute(ADD, bits, new, value.delta - old.delta & MASK64, age=age)
    if isinstance(found, int):
        return found
    if disagree(value.bits, found.bits):
        return value
    both = settled(
        meet(value.wide, found.wide), meet(value.narrow, found.narrow), meet_bits(value.bits, found.bits), age
    )
    if both is None or isinstance(both, int):
        return value if both is None else both
    return value._replace(wide=both.wide, narrow=both.narrow, bits=both.bits)
