"""Atomic changes of memory, and which of them a CPU version has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.dsl.ir.types import Int, Pointer, size_of

if TYPE_CHECKING:
    from skverdict.codegen.lowering.emitter import FunctionEmitter
    from skverdict.codegen.target import Target
    from skverdict.dsl.ir.module import Operation

_NAMES = {"add": "add", "and": "and", "or": "or", "xor": "xor", "exchange": "xchg"}


def has_atomic(target: Target, operation: Operation) -> bool:
    """True if `target` has an atomic operation.

    Before v3 there is addition without a result in both widths; of 64 bits also the others, with and without.
    """
    pointer = operation.operands[0].type
    assert isinstance(pointer, Pointer) and isinstance(pointer.target, Int)
    if target.has_32_bit_registers:
        return True
    if operation.name == "atomic.add":
        return operation.result is None
    return pointer.target.bits == 64


def lower_change(f: FunctionEmitter, operation: Operation) -> None:
    pointer, value = operation.operands
    # Without a result the relaxed order gives the shorter instruction. With one it would be wrong: LLVM 22
    # then gives that same instruction, which has no result.
    order = "monotonic" if operation.result is None else "seq_cst"
    change = f"atomicrmw {_NAMES[operation.name.removeprefix('atomic.')]}"
    size = size_of(value.type)
    result = f.define(f"{change} ptr {f.operand(pointer)}, {f.typed(value)} {order}, align {size}")
    if operation.result is not None:
        f.bind(operation, result)


def lower_compare_exchange(f: FunctionEmitter, operation: Operation) -> None:
    pointer, expected, new = operation.operands
    kind, size = f.typed(expected), size_of(expected.type)
    values = f"{kind}, {f.typed(new)} seq_cst seq_cst, align {size}"
    pair = f.define(f"cmpxchg ptr {f.operand(pointer)}, {values}")
    if operation.result is not None:
        f.bind(operation, f.define(f"extractvalue {{ i{8 * size}, i1 }} {pair}, 0"))


RULES = {
    **{f"atomic.{name}": lower_change for name in _NAMES},
    "atomic.compare_exchange": lower_compare_exchange,
}
