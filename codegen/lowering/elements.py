"""Addresses of elements and stretches of arrays, at indices that the verifier is to find inside.

The front end has shown that an index is inside. The verifier looks at the instructions: it knows nothing of
what `%` and `//` leave, and loses what a test told where LLVM compares one register and uses another. So
where it may not see the bound, the index is bounded once more, in a register that LLVM knows nothing of.
"""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING

from skverdict.codegen.lowering.context import load_packet_end
from skverdict.dsl.ir.types import Array, Int, Pointer, Space, size_of

if TYPE_CHECKING:
    from skverdict.codegen.lowering.bounds import Bounds
    from skverdict.codegen.lowering.emitter import FunctionEmitter
    from skverdict.dsl.ir.module import Function, Operation, Value


def leaves_view(base: Value, index: Value, bounds: Bounds) -> bool:
    """True if the verifier would no longer know that the packet reaches as far as an element."""
    in_packet = isinstance(base.type, Pointer) and base.type.space is Space.PACKET
    return in_packet and not bounds.is_known(index)


def context_of(function: Function) -> Value | None:
    """The function's parameter that is its program's context."""
    for parameter in function.parameters:
        type_ = parameter.value.type
        if isinstance(type_, Pointer) and type_.space is Space.CONTEXT:
            return parameter.value
    return None


def _bounded(f: FunctionEmitter, index: Value, last: int) -> str:
    """The index in 64 bits; the verifier sees that it is at most `last`."""
    wide = f.operand(index)
    if index.number in f.constants:
        return wide
    assert isinstance(index.type, Int)
    if index.type.bits < 64:
        wide = f.define(f"zext {f.typed(index)} to i64")
    if f.bounds.largest(index) <= last or f.bounds.is_known(index):
        return wide
    return f.at_most(wide, last)


def _in_packet(f: FunctionEmitter, base: Value, index: Value, address: str, size: int) -> str:
    """An address in a view of the packet; the verifier sees that its `size` bytes are there.

    It forgets how far the packet reaches once a number that it does not know exactly is added to a pointer.
    So the address is held against the packet's end again; what never happens leads to the view's start, which
    is good for `size` bytes, too.
    """
    context = context_of(f.function)
    if context is None or not leaves_view(base, index, f.bounds):
        return address
    address = f.define(f'call ptr asm "", "=r,0"(ptr {address}) nounwind memory(none)')
    past = f.define(f"getelementptr i8, ptr {address}, i64 {size}")
    outside = f.define(f"icmp ugt ptr {past}, {load_packet_end(f, context)}")
    inside_label, outside_label, joined = (f.new_label() for _ in range(3))
    f.emit(f"br i1 {outside}, label %{outside_label}, label %{inside_label}")
    for label in (inside_label, outside_label):
        f.start_block(label)
        f.emit(f"br label %{joined}")
    f.start_block(joined)
    return f.define(f"phi ptr [ {address}, %{inside_label} ], [ {f.operand(base)}, %{outside_label} ]")


def lower_element(f: FunctionEmitter, operation: Operation) -> None:
    base, index = operation.operands
    assert (
        isinstance(base.type, Pointer)
        and isinstance(base.type.target, Array)
        and operation.result is not None
    )
    size = size_of(base.type.target.element)
    f.aligns[operation.result.number] = gcd(f.known_align(base), size)
    wide = _bounded(f, index, base.type.target.count - 1)
    address = f.define(f"getelementptr inbounds nuw [{size} x i8], {f.typed(base)}, i64 {wide}")
    f.bind(operation, _in_packet(f, base, index, address, size))


def lower_part(f: FunctionEmitter, operation: Operation) -> None:
    base, *more = operation.operands
    offset = operation.attributes["offset"]
    result = operation.result
    assert isinstance(offset, int) and isinstance(base.type, Pointer)
    assert result is not None and isinstance(result.type, Pointer)
    align = gcd(f.known_align(base), offset) if offset else f.known_align(base)
    address = f.operand(base)
    size = size_of(result.type.target)
    if more:
        wide = _bounded(f, more[0], size_of(base.type.target) - offset - size)
        address = f.define(f"getelementptr inbounds nuw i8, ptr {address}, i64 {wide}")
        align = 1
    if offset:
        address = f.define(f"getelementptr inbounds nuw i8, ptr {address}, i64 {offset}")
    if more:
        address = _in_packet(f, base, more[0], address, size)
    f.aligns[result.number] = align
    f.bind(operation, address)


RULES = {
    "element": lower_element,
    "part": lower_part,
}
