"""Locals, addresses, loads and stores."""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING

from skverdict.codegen.lowering.emitter import (
    STACK_ALIGN,
    is_aggregate,
    member_offset,
    memory_type,
)
from skverdict.codegen.lowering.scalars import bits_of
from skverdict.codegen.lowering.tallies import stack_place
from skverdict.codegen.lowering.unknown import forget
from skverdict.dsl.ir.types import Bool, Int, Pointer, Struct, align_of, size_of

if TYPE_CHECKING:
    from skverdict.codegen.lowering.emitter import FunctionEmitter
    from skverdict.codegen.lowering.tallies import Variable
    from skverdict.dsl.ir.module import Local, Operation
    from skverdict.dsl.ir.types import Type

# LLVM's `MaxStoresPerMemcpy` for BPF.
MAX_BLOCK_STEPS = 128


def stack_slot(f: FunctionEmitter, local: Local) -> str:
    """The instruction that makes room for a local."""
    if is_aggregate(local.type):
        return f"  {f.slot(local)} = alloca [{size_of(local.type)} x i8], align {STACK_ALIGN}"
    return f"  {f.slot(local)} = alloca {memory_type(local.type)}, align {align_of(local.type)}"


def _load(f: FunctionEmitter, address: str, type_: Type, align: int) -> str:
    loaded = f.define(f"load {memory_type(type_)}, ptr {address}, align {align}")
    return f.define(f"icmp ne i8 {loaded}, 0") if isinstance(type_, Bool) else loaded


def _store(f: FunctionEmitter, operand: str, address: str, type_: Type, align: int) -> None:
    if isinstance(type_, Bool):
        operand = f.define(f"zext i1 {operand} to i8")
    f.emit(f"store {memory_type(type_)} {operand}, ptr {address}, align {align}")


def _local(f: FunctionEmitter, operation: Operation) -> Local:
    name = operation.attributes["local"]
    assert isinstance(name, str)
    return f.locals[name]


def lower_local_get(f: FunctionEmitter, operation: Operation) -> None:
    local = _local(f, operation)
    f.bind(operation, _load(f, f.slot(local), local.type, align_of(local.type)))


def _to_keep(f: FunctionEmitter, operation: Operation, place: Variable | None) -> str:
    """The operand that is put into memory, of which the verifier forgets what it is to."""
    value = operation.operands[-1]
    operand = f.operand(value)
    # Also where the verifier knew only bounds: each turn that counts moves them.
    return forget(f, operand, bits_of(value.type), f.zero) if place in f.forgotten else operand


def lower_local_set(f: FunctionEmitter, operation: Operation) -> None:
    local = _local(f, operation)
    operand = _to_keep(f, operation, (local.name, 0))
    if isinstance(local.type, Int) and (f.opaque or f.bounds.is_counter(local.name)):
        operand = f.hide(operand, local.type.bits)
    _store(f, operand, f.slot(local), local.type, align_of(local.type))


def lower_local_address(f: FunctionEmitter, operation: Operation) -> None:
    local = _local(f, operation)
    assert operation.result is not None
    f.bind(operation, f.slot(local))
    f.aligns[operation.result.number] = STACK_ALIGN if is_aggregate(local.type) else align_of(local.type)


def lower_local_zero(f: FunctionEmitter, operation: Operation) -> None:
    local = _local(f, operation)
    if not is_aggregate(local.type):
        zero = "null" if isinstance(local.type, Pointer) else "0"
        f.emit(f"store {memory_type(local.type)} {zero}, ptr {f.slot(local)}, align {align_of(local.type)}")
        return
    f.module.declare("declare void @llvm.memset.p0.i64(ptr writeonly captures(none), i8, i64, i1 immarg)")
    f.emit(
        f"call void @llvm.memset.p0.i64(ptr align {STACK_ALIGN} {f.slot(local)}, i8 0, "
        f"i64 {size_of(local.type)}, i1 false)"
    )
    for (name, offset), type_ in f.forgotten.items():
        if name == local.name:
            address = f.define(f"getelementptr inbounds nuw i8, ptr {f.slot(local)}, i64 {offset}")
            zero = forget(f, "0", type_.bits, f.zero)
            _store(f, zero, address, type_, gcd(type_.bits // 8, STACK_ALIGN, offset))


def lower_member(f: FunctionEmitter, operation: Operation) -> None:
    base = operation.operands[0]
    assert (
        isinstance(base.type, Pointer)
        and isinstance(base.type.target, Struct)
        and operation.result is not None
    )
    name = operation.attributes["name"]
    assert isinstance(name, str)
    offset = member_offset(base.type.target, name)
    f.aligns[operation.result.number] = gcd(f.known_align(base), offset) if offset else f.known_align(base)
    if offset:
        f.bind(operation, f.define(f"getelementptr inbounds nuw i8, {f.typed(base)}, i64 {offset}"))
    else:
        f.bind(operation, f.operand(base))


def lower_load(f: FunctionEmitter, operation: Operation) -> None:
    pointer = operation.operands[0]
    assert isinstance(pointer.type, Pointer)
    type_ = pointer.type.target
    f.bind(operation, _load(f, f.operand(pointer), type_, f.align(pointer, type_)))


def lower_store(f: FunctionEmitter, operation: Operation) -> None:
    pointer, value = operation.operands
    operand = _to_keep(f, operation, stack_place(pointer, f.bounds.makers)) if f.forgotten else f.operand(value)
    _store(f, operand, f.operand(pointer), value.type, f.align(pointer, value.type))


def lower_copy(f: FunctionEmitter, operation: Operation) -> None:
    destination, source = operation.operands
    assert isinstance(destination.type, Pointer)
    size = size_of(destination.type.target)
    to_align, of_align = (f.align_for_block(pointer) for pointer in (destination, source))
    # LLVM optimises the first of these better, but calls a function if it takes more steps than it allows.
    steps = size // min(to_align, of_align)
    name = "@llvm.memcpy" if steps <= MAX_BLOCK_STEPS else "@llvm.memcpy.inline"
    f.module.declare(
        f"declare void {name}.p0.p0.i64(ptr noalias writeonly captures(none), "
        "ptr noalias readonly captures(none), i64, i1 immarg)"
    )
    to = f"ptr align {to_align} {f.operand(destination)}"
    of = f"ptr align {of_align} {f.operand(source)}"
    f.emit(f"call void {name}.p0.p0.i64({to}, {of}, i64 {size}, i1 false)")


RULES = {
    "local.get": lower_local_get,
    "local.set": lower_local_set,
    "local.address": lower_local_address,
    "local.zero": lower_local_zero,
    "member": lower_member,
    "load": lower_load,
    "store": lower_store,
    "copy": lower_copy,
}
