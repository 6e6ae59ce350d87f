"""What lies in structures of the running kernel, at places that only the loader knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.codegen.kernel_symbols import EXISTS, OFFSET, symbol_of
from skverdict.codegen.lowering.emitter import function_name, memory_type
from skverdict.dsl.ir.types import BigEndian, Bool, Int, Opaque, Pointer, align_of

if TYPE_CHECKING:
    from skverdict.codegen.lowering.emitter import FunctionEmitter
    from skverdict.dsl.ir.module import Operation


def _symbol(f: FunctionEmitter, operation: Operation, kind: int) -> str:
    """The symbol for what an operation names, as a number."""
    owner = operation.operands[0].type
    assert isinstance(owner, Pointer) and isinstance(owner.target, Opaque)
    symbol = function_name(symbol_of(kind, owner.target.name, str(operation.attributes["field"])))
    f.module.declare(f"{symbol} = external global i8")
    return f"ptrtoint (ptr {symbol} to i64)"


def _address(f: FunctionEmitter, operation: Operation) -> str:
    offset = _symbol(f, operation, OFFSET)
    return f.define(f"getelementptr i8, {f.typed(operation.operands[0])}, i64 {offset}")


def lower_load(f: FunctionEmitter, operation: Operation) -> None:
    assert operation.result is not None
    type_ = operation.result.type
    loaded = f.define(f"load {memory_type(type_)}, ptr {_address(f, operation)}, align {align_of(type_)}")
    if isinstance(type_, Bool):
        loaded = f.define(f"icmp ne i8 {loaded}, 0")
    elif isinstance(type_, (Int, BigEndian)):
        # All of it is read, as declared: LLVM must not take a part of it from a place behind the one named.
        loaded = _whole(f, loaded, type_.bits)
    f.bind(operation, loaded)


def _whole(f: FunctionEmitter, operand: str, bits: int) -> str:
    if bits == 8:
        return operand
    if bits >= 32:
        return f.hide(operand, bits)
    hidden = f.hide(f.define(f"zext i{bits} {operand} to i32"), 32)
    return f.define(f"trunc nuw i32 {hidden} to i{bits}")


def lower_address(f: FunctionEmitter, operation: Operation) -> None:
    f.bind(operation, f.define(f"ptrtoint ptr {_address(f, operation)} to i64"))


def lower_exists(f: FunctionEmitter, operation: Operation) -> None:
    # Hidden, since an address is never 0 to LLVM.
    found = f.hide(_symbol(f, operation, EXISTS), 64)
    f.bind(operation, f.define(f"icmp ne i64 {found}, 0"))


RULES = {
    "kernel.load": lower_load,
    "kernel.address": lower_address,
    "kernel.exists": lower_exists,
}
