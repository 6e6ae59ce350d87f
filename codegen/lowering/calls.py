"""Calls of kernel helpers and subprograms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.codegen.lowering.callbacks import forget_counts
from skverdict.codegen.lowering.effects import READ_ONLY_ARGUMENTS, READS_ARGUMENTS, RESULT_RANGES
from skverdict.codegen.lowering.emitter import function_name, llvm_type
from skverdict.dsl.catalogue.helpers import HELPERS, INT_ON_6_1
from skverdict.dsl.ir.types import MEMORY_SPACES, BigEndian, Bool, Int, Pointer, Void, size_of

if TYPE_CHECKING:
    from skverdict.codegen.lowering.emitter import FunctionEmitter
    from skverdict.dsl.catalogue.helpers import Argument
    from skverdict.dsl.ir.module import Operation, Value

# LLVM's types for `Helper.returns`; whatever else it says is a pointer.
_RETURNS = {"i64": "i64", "u64": "i64", "u32": "i32", "void": "void"}
_NUMBERS = ("scalar", "size", "alloc_size", "varargs")


def _argument(f: FunctionEmitter, argument: Argument, value: Value) -> str:
    """The operand for one argument, extended to what the helper takes."""
    if argument.kind not in _NUMBERS:
        # No helper keeps a pointer beyond the call.
        access = "readonly " if argument.kind in READ_ONLY_ARGUMENTS else ""
        return f"ptr {access}captures(none) {f.operand(value)}"
    # A size is extended to the whole register, all of which the verifier holds against the buffer's length.
    bits = argument.bits if argument.kind == "scalar" else 64
    type_ = value.type
    have = 1 if isinstance(type_, Bool) else type_.bits if isinstance(type_, (Int, BigEndian)) else bits
    operand = f.operand(value)
    if have == bits or value.number in f.constants:
        return f"i{bits} {operand}"
    if have > bits:
        return f"i{bits} {f.define(f'trunc i{have} {operand} to i{bits}')}"
    extend = "sext" if isinstance(type_, Int) and type_.signed else "zext"
    return f"i{bits} {f.define(f'{extend} i{have} {operand} to i{bits}')}"


def _size(f: FunctionEmitter, argument: Argument, value: Value, memory: int) -> str:
    """The size of a buffer of `memory` bytes, in bounds that the verifier sees.

    The program has tested it, but LLVM drops what it finds needless, and Linux 6.1 learns nothing of a size
    from a test that it is not 0.
    """
    least = 0 if argument.nullable else 1
    most = memory - least
    known = f.bounds.largest(value)
    wide = _argument(f, argument, value).partition(" ")[2]
    if not least and known <= most:
        return f"i64 {wide}"
    if least:
        wide = f.define(f"add i64 {wide}, -1")
    wide = f.hide(wide, 64)
    fits = f.define(f"icmp ult i64 {wide}, {most}")
    wide = f.define(f"select i1 {fits}, i64 {wide}, i64 {most}")
    return f"i64 {f.define(f'add i64 {wide}, 1') if least else wide}"


def lower_helper(f: FunctionEmitter, operation: Operation) -> None:
    name = operation.attributes["helper"]
    assert isinstance(name, str)
    helper = HELPERS[name]
    declared = helper.arguments
    if declared and declared[-1].kind == "varargs":
        declared = declared[:-1] + declared[-1:] * (len(operation.operands) - len(declared) + 1)
    operands = []
    memory = None
    for argument, value in zip(declared, operation.operands, strict=True):
        if argument.kind == "size" and value.number not in f.constants and memory is not None:
            operands.append(_size(f, argument, value, memory))
        else:
            operands.append(_argument(f, argument, value))
        if isinstance(value.type, Pointer) and value.type.space in MEMORY_SPACES:
            memory = size_of(value.type.target)
    forget_counts(f, operation)
    arguments = ", ".join(operands)
    returns = _RETURNS.get(helper.returns, "ptr")
    attributes = (
        "nounwind memory(argmem: read, inaccessiblemem: readwrite)" if name in READS_ARGUMENTS else "nounwind"
    )
    limits = RESULT_RANGES.get(name, "")
    call = f"call {limits}{returns} inttoptr (i64 {helper.number} to ptr)({arguments}) {attributes}"
    if returns == "void":
        f.emit(call)
        return
    result = f.define(call)
    if operation.result is not None and not isinstance(operation.result.type, Void):
        wanted = llvm_type(operation.result.type)
        if name in INT_ON_6_1 and not f.bounds.is_only_tested_for_zero(operation.result):
            result = f.define(f"trunc {returns} {result} to i32")
            result = f.define(f"sext i32 {result} to {returns}")
        if wanted != returns:
            result = f.define(f"trunc {returns} {result} to {wanted}")
        f.bind(operation, result)


def lower_call(f: FunctionEmitter, operation: Operation) -> None:
    name = operation.attributes["function"]
    assert isinstance(name, str)
    arguments = ", ".join(f.typed(value) for value in operation.operands)
    if operation.result is None or isinstance(operation.result.type, Void):
        f.emit(f"call void {function_name(name)}({arguments})")
    else:
        f.bind(
            operation, f.define(f"call {llvm_type(operation.result.type)} {function_name(name)}({arguments})")
        )


RULES = {"call.helper": lower_helper, "call": lower_call}
