"""Bytes by position: `skb.data[i]`, slices of the packet or of an array, and the check that they are there.

What is written is only noted (`PacketByte`, `Window`); check and loads come where the bytes are looked at.
"""

from __future__ import annotations

import ast
from typing import NamedTuple

from skverdict.dsl.contexts import FARTHEST
from skverdict.dsl.frontend.convert import as_scalar, common_type, convert, fits
from skverdict.dsl.frontend.dispatch import evaluate
from skverdict.dsl.frontend.lowering import Label, Lowering
from skverdict.dsl.frontend.memory import pointer
from skverdict.dsl.frontend.operators import binary
from skverdict.dsl.frontend.packet import no_offset
from skverdict.dsl.frontend.state import Readable
from skverdict.dsl.frontend.values import (
    MessageBytes,
    Operand,
    PacketByte,
    PacketValue,
    PythonValue,
    Reference,
    Scalar,
    Window,
    constant,
    type_name,
)
from skverdict.dsl.ir.module import Value
from skverdict.dsl.ir.types import BOOL, U8, U32, Array, BigEndian, Bool, Int, Pointer, Space


def packet_subscript(lowering: Lowering, node: ast.Subscript, packet: PacketValue) -> Operand:
    """`packet[i]` or `packet[a:b]`. Raises Refused."""
    here = lowering.here.epoch
    if isinstance(node.slice, ast.Slice):
        return _slice(lowering, node, node.slice, packet, None)
    index = _position(lowering, node.slice)
    _within_reach(lowering, node.slice, index, 1)
    place = Window(
        packet, lowering.place(node), here,
        base=index.base, variable=index.variable, farthest=index.high, size=1,
    )  # fmt: skip
    return PacketByte(place)


def is_byte_array(reference: Reference) -> bool:
    """True for a place that holds an array of 8-bit integers."""
    target = reference.target
    return isinstance(target, Array) and isinstance(target.element, Int) and target.element.bits == 8


def array_slice(lowering: Lowering, node: ast.Subscript, array: Reference) -> Window:
    """`array[a:b]` of an array of bytes. Raises Refused."""
    assert isinstance(node.slice, ast.Slice) and isinstance(array.target, Array)
    return _slice(lowering, node, node.slice, array, array.target.count)


def whole(lowering: Lowering, node: ast.AST, source: PacketValue | Reference) -> Window:
    """All bytes of the packet, or of an array."""
    size = source.target.count if isinstance(source, Reference) and isinstance(source.target, Array) else None
    epoch = source.epoch if isinstance(source, Reference) else lowering.here.epoch
    return Window(source, lowering.place(node), epoch, size=size)


def as_window(lowering: Lowering, node: ast.AST, operand: Operand) -> Window | None:
    """The operand as a stretch of bytes, if it is one."""
    if isinstance(operand, Window):
        return operand
    if isinstance(operand, PacketValue) or (isinstance(operand, Reference) and is_byte_array(operand)):
        return whole(lowering, node, operand)
    return None


class _Position(NamedTuple):
    """`base` and a number that the program computes, from `low` to `high`."""

    base: int
    variable: Value | None = None
    low: int = 0
    high: int = 0


def _position(lowering: Lowering, node: ast.expr) -> _Position:
    """What an offset comes to: a constant, or a number and a constant. Raises Refused."""
    written = _split(lowering, node)
    inner = written.inner
    if inner is None:
        if written.literal < 0:
            raise _from_end(lowering, node, written.literal)
        return _Position(written.literal)
    number, base = _added(lowering, as_scalar(lowering, inner, evaluate(lowering, inner)), written.steps)
    if number.constant is not None and number.constant + base >= 0:
        return _Position(number.constant + base)
    if number.low < 0 or isinstance(number.type, (BigEndian, Bool)):
        raise no_offset(lowering, inner if base else node, number)
    value = lowering.value(inner, convert(lowering, inner, number, U32))
    return _Position(base, value, number.low, number.high)


class _Step(NamedTuple):
    """A constant that `node` adds or takes away: its first side (`is_first`) or its second."""

    node: ast.BinOp
    constant: Scalar
    is_first: bool

    @property
    def distance(self) -> int:
        assert self.constant.constant is not None
        return -self.constant.constant if isinstance(self.node.op, ast.Sub) else self.constant.constant


class _Sum(NamedTuple):
    """A sum: what is computed (None: nothing but `literal`), and the constants added to it, the first one first."""

    inner: ast.expr | None
    literal: int = 0
    steps: tuple[_Step, ...] = ()

    @property
    def distance(self) -> int:
        return self.literal + sum(step.distance for step in self.steps)


def _added(lowering: Lowering, number: Scalar, steps: tuple[_Step, ...]) -> tuple[Scalar, int]:
    """A number to which constants are added, as a number and a constant that is no less than 0.

    Literals are added without cutting the sum to the number's type; a constant with a type is added as anywhere
    else, which is the same if nothing can be cut. Raises Refused.
    """
    base, first = 0, 0
    for count, step in enumerate(steps, 1):
        if step.constant.type is None or _stays_whole(number, base, step):
            base += step.distance
        else:
            number, base, first = _cut(lowering, number, steps[first:count]), 0, count
    # It may be below zero, which the range of the whole tells.
    return (number, base) if base >= 0 else (_cut(lowering, number, steps[first:]), 0)


def _stays_whole(number: Scalar, base: int, step: _Step) -> bool:
    """True if neither the sum with `base` nor the one with a constant of some type can leave its type."""
    own, other = number.type, step.constant.type
    if not isinstance(own, Int) or not isinstance(other, Int):
        return False
    both = other if number.flexible else common_type(own, other)
    low, high = number.low + base, number.high + base
    return both is not None and fits(low, high, own) and fits(low + step.distance, high + step.distance, both)


def _cut(lowering: Lowering, number: Scalar, steps: tuple[_Step, ...]) -> Scalar:
    """The sum as it is anywhere else, cut to its type."""
    for step in steps:
        sides = (step.constant, number) if step.is_first else (number, step.constant)
        number = binary(lowering, step.node, step.node.op, (step.node.left, step.node.right), *sides)
    return number


def _split(lowering: Lowering, node: ast.expr) -> _Sum:
    """A sum as what is computed and what is added to that."""
    number = _constant(lowering, node)
    if number is not None and number.type is None:
        assert number.constant is not None
        return _Sum(None, number.constant)
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, (ast.Add, ast.Sub)):
        return _Sum(node)
    right, left = _constant(lowering, node.right), _constant(lowering, node.left)
    if isinstance(node.op, ast.Sub):
        left = None
    # Literals first: only they are added without cutting.
    for has_type in (False, True):
        for constant_, inner, is_first in ((right, node.left, False), (left, node.right, True)):
            if constant_ is not None and (constant_.type is not None) == has_type:
                rest = _split(lowering, inner)
                return rest._replace(steps=(*rest.steps, _Step(node, constant_, is_first)))
    return _Sum(node)


# Functions of constants that are constants, and take places in memory as well if they are those of the second row.
_FOLDED = ("abs", "max", "min")
_MEASURES = ("len", "ord")


def _constant(lowering: Lowering, node: ast.expr) -> Scalar | None:
    """The number of a literal, of a name that stands for one, or of literals; nothing happens when it is evaluated."""
    if isinstance(node, ast.BinOp):
        sides = [_constant(lowering, side) for side in (node.left, node.right)]
        if any(side is None or side.type is not None for side in sides):
            return None
    elif isinstance(node, ast.UnaryOp):
        if isinstance(node.op, ast.Not) or _constant(lowering, node.operand) is None:
            return None
    elif isinstance(node, ast.Call):
        if not _is_folded(lowering, node):
            return None
    elif isinstance(node, ast.Attribute):
        first = _first_name(node)
        if first is None or first.id in lowering.frame.assigned:
            return None
    elif not isinstance(node, (ast.Name, ast.Constant)):
        return None
    operand = evaluate(lowering, node)
    is_number = isinstance(operand, Scalar) and (operand.type is None or isinstance(operand.type, Int))
    return operand if is_number and isinstance(operand, Scalar) and operand.constant is not None else None


def _is_folded(lowering: Lowering, node: ast.Call) -> bool:
    """True for a call of one of Python's functions that gives a constant, if all that it is given are constants."""
    if not isinstance(node.func, ast.Name) or node.func.id in lowering.frame.assigned or node.keywords:
        return False
    if node.func.id in _MEASURES:
        return all(_first_name(argument) or isinstance(argument, ast.Constant) for argument in node.args)
    return node.func.id in _FOLDED and all(_constant(lowering, argument) for argument in node.args)


def _first_name(node: ast.expr) -> ast.Name | None:
    """The name that `a.b.c` begins with."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node if isinstance(node, ast.Name) else None


def _from_end(lowering: Lowering, node: ast.expr, index: int) -> Exception:
    return lowering.refuse(
        node, f"positions count from the start, never from the end: {index}",
        "compute the position from the length, such as `skb.len - 1`",
    )  # fmt: skip


def _within_reach(lowering: Lowering, node: ast.expr, place: _Position, size: int) -> None:
    if place.base + place.low + size > FARTHEST:
        raise lowering.refuse(
            node, f"the kernel lets a program read no farther than byte {FARTHEST} of a packet"
        )


def _slice(
    lowering: Lowering,
    node: ast.Subscript,
    bounds: ast.Slice,
    source: PacketValue | Reference,
    count: int | None,
) -> Window:
    """`source[lower:upper]`; `count` is the source's length, if it is known."""
    if bounds.step is not None:
        raise lowering.refuse(bounds.step, "a slice of bytes cannot have a step", "take every byte")
    start = _Position(0) if bounds.lower is None else _position(lowering, bounds.lower)
    size, length = _length(lowering, bounds, start)
    if size is None and count is not None and start.variable is None:
        size = count - start.base
    if count is None:
        _within_reach(lowering, bounds.lower or node, start, size if length is None and size else 1)
    else:
        _inside_array(lowering, bounds, start, size, count, source)
    epoch = source.epoch if isinstance(source, Reference) else lowering.here.epoch
    return Window(
        source, lowering.place(node), epoch,
        base=start.base, variable=start.variable, farthest=start.high, size=size, length=length,
    )  # fmt: skip


def _length(
    lowering: Lowering, bounds: ast.Slice, start: _Position
) -> tuple[int | None, Scalar | None]:
    """The length of a slice: a constant; the most it can be and the number itself; or neither (no end)."""
    if bounds.upper is None:
        return None, None
    size = _constant_length(lowering, bounds, start)
    if size is None:
        return _computed_length(lowering, bounds.upper, start)
    if size <= 0:
        raise lowering.refuse(bounds.upper, "this slice is empty: its end is not behind its start")
    return size, None


def _constant_length(lowering: Lowering, bounds: ast.Slice, start: _Position) -> int | None:
    """The distance of the ends of a slice, where both add constants to the same. Raises Refused."""
    assert bounds.upper is not None
    upper = _split(lowering, bounds.upper)
    lower = _Sum(None) if bounds.lower is None else _split(lowering, bounds.lower)
    size = upper.distance - lower.distance
    if upper.inner is None or lower.inner is None:
        if upper.inner is None and upper.literal < 0:
            raise _from_end(lowering, bounds.upper, upper.literal)
        return size if upper.inner is lower.inner else None
    if ast.dump(upper.inner) != ast.dump(lower.inner) or not _is_steady(upper.inner):
        return None
    farthest = start.base + start.high + size
    is_whole = all(_is_far_or_whole(step.constant, farthest) for step in _unlike(lower.steps, upper.steps))
    return size if is_whole else None


def _unlike(first: tuple[_Step, ...], second: tuple[_Step, ...]) -> tuple[_Step, ...]:
    """The steps behind those that both sums begin with."""
    same = 0
    for one, other in zip(first, second, strict=False):
        if ast.dump(one.node) != ast.dump(other.node):
            break
        same += 1
    return (*first[same:], *second[same:])


def _is_far_or_whole(number: Scalar, farthest: int) -> bool:
    """True if a constant makes a position that is the same when it is cut, or leads to where there is nothing."""
    if not isinstance(number.type, Int) or number.type.bits >= U32.bits:
        return True
    return fits(0, farthest, number.type)


def _is_steady(node: ast.expr) -> bool:
    """True if an expression gives the same each time that it is evaluated in a row."""
    return not any(isinstance(part, (ast.Call, ast.NamedExpr)) for part in ast.walk(node))


def _computed_length(lowering: Lowering, node: ast.expr, start: _Position) -> tuple[int, Scalar]:
    """The distance to an end that the program computes; 0 if it lies before the start."""
    end = _position(lowering, node)
    most = end.base + end.high - start.base - start.low
    if most <= 0:
        raise lowering.refuse(node, "this slice is empty: its end is not behind its start")
    first, last = (_sum(lowering, node, position) for position in (start, end))
    more = lowering.emit(node, "gt", (last, first), BOOL)
    distance = lowering.emit(node, "sub", (last, first), U32)
    zero = lowering.value(node, Scalar(U32, constant=0))
    value = lowering.emit(node, "select", (more, distance, zero), U32)
    return most, Scalar(U32, value, low=0, high=most)


def _sum(lowering: Lowering, node: ast.expr, position: _Position) -> Value:
    """A position as one number. Raises Refused if that does not fit a u32."""
    base = lowering.value(node, Scalar(U32, constant=position.base))
    if position.variable is None:
        return base
    if position.base + position.high >= 1 << 32:
        raise lowering.refuse(
            node, f"the end of this slice is 0 to {position.base + position.high}, which does not fit a u32",
            "bound it with `min`",
        )  # fmt: skip
    return lowering.emit(node, "add", (position.variable, base), U32)


def _inside_array(
    lowering: Lowering,
    bounds: ast.Slice,
    start: _Position,
    size: int | None,
    count: int,
    source: PacketValue | Reference,
) -> None:
    """Raises Refused for a slice that may leave the array."""
    assert isinstance(source, Reference)
    last = start.base + start.high + (1 if size is None else size)
    if last > count:
        what = type_name(source.target)
        node = bounds.upper or bounds.lower
        assert node is not None
        raise lowering.refuse(
            node, f"this slice may leave {what}: it ends at {last} or before",
            "test the position first, such as `if i < n:`" if start.variable is not None else "",
        )  # fmt: skip


# The check that bytes are there.


class Found(NamedTuple):
    """Bytes that are there: `offset` bytes behind what `pointer` points to."""

    pointer: Value
    offset: int


def reach(lowering: Lowering, node: ast.AST, window: Window, start: int, stop: int, no: Label) -> Found:
    """Go on where the bytes `start` to `stop` of a window are there, and to `no` where the packet is shorter.

    What an earlier check of the same path has found is not checked again. Raises Refused for a window that
    has ended.
    """
    if isinstance(window.source, Reference):
        return _in_memory(lowering, node, window, start, stop)
    if isinstance(window.source, MessageBytes):
        from skverdict.dsl.frontend.message import message_reach

        return message_reach(lowering, node, window, window.source, start, stop, no)
    _in_time(lowering, node, window)
    base = window.base + start
    for known in lowering.here.readable:
        if (
            known.epoch == lowering.here.epoch
            and known.variable == window.variable
            and known.base <= base
            and window.base + stop <= known.base + known.size
        ):
            return Found(known.pointer, base - known.base)
    size = stop - start
    if window.variable is None:
        # A conjunction needs more of the packet anyway, so one check is enough for all of it.
        size = max(size, min(lowering.reach, FARTHEST) - base)
    target = Array(U8, size)
    operands = [window.source.context.value, *([window.variable] if window.variable is not None else [])]
    view = lowering.emit(
        node, "packet.view", tuple(operands), Pointer(target, Space.PACKET, nullable=True),
        offset=base, limit=window.farthest,
    )  # fmt: skip
    there = lowering.label(node, "there")
    lowering.branch(node, lowering.emit(node, "is_null", (view,), BOOL), no, there)
    lowering.enter(there)
    sure = lowering.emit(node, "assume_non_null", (view,), Pointer(target, Space.PACKET))
    here = lowering.here
    here.readable = (*here.readable, Readable(sure, base, window.variable, size, here.epoch))
    return Found(sure, 0)


def is_known(lowering: Lowering, window: Window) -> bool:
    """True if an earlier check has found all bytes of a window to be there."""
    assert window.size is not None
    epoch = window.source.epoch if isinstance(window.source, MessageBytes) else lowering.here.epoch
    return any(
        known.epoch == epoch
        and known.variable == window.variable
        and known.base <= window.base
        and window.base + window.size <= known.base + known.size
        for known in lowering.here.readable
    )


def _in_memory(lowering: Lowering, node: ast.AST, window: Window, start: int, stop: int) -> Found:
    assert isinstance(window.source, Reference)
    address = pointer(lowering, node, window.source)
    if window.variable is None:
        return Found(address, window.base + start)
    target = Pointer(Array(U8, stop - start), window.source.space)
    return Found(
        lowering.emit(node, "part", (address, window.variable), target, offset=window.base + start), 0
    )


def _in_time(lowering: Lowering, node: ast.AST, window: Window) -> None:
    """Raises Refused if the packet may have moved since the window was written."""
    moved = lowering.here.epoch
    if window.epoch == moved:
        return
    notes = [(window.origin, "the slice was made here")]
    if moved.place is not None:
        notes.append((moved.place, f"`{moved.call}` may have moved the packet here"))
    line = moved.place.line if moved.place else "?"
    raise lowering.refuse(
        node, f"this slice of the packet ended when `{moved.call}` was called on line {line}",
        "make the slice again after that call", notes,
    )  # fmt: skip


def load_byte(lowering: Lowering, node: ast.AST, found: Found) -> Value:
    """The byte at `found`, a u8."""
    assert isinstance(found.pointer.type, Pointer)
    type_ = Pointer(U8, found.pointer.type.space)
    address = lowering.emit(node, "part", (found.pointer,), type_, offset=found.offset)
    return lowering.emit(node, "load", (address,), U8)


def content_of(lowering: Lowering, node: ast.AST, operand: Operand) -> bytes | None:
    """The bytes of a constant byte string; None for anything else. Raises Refused for an empty one."""
    if not isinstance(operand, PythonValue) or not isinstance(operand.object, bytes):
        return None
    if not operand.object:
        raise lowering.refuse(node, "an empty byte string is found everywhere", "write at least one byte")
    return operand.object


def length_of(lowering: Lowering, window: Window) -> Scalar | None:
    """The length of a window as a number, if it is known or computed."""
    if window.length is not None:
        return window.length
    return None if window.size is None else constant(window.size)
