"""Calls of kernel helpers and subprograms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.codegen.lowering.effects import READ_ONLY_ARGUMENTS, READS_ARGUMENTS, RESULT_RANGES
from skverdict.codegen.lowering.emitter import function_name, llvm_type
from skverdict.dsl.catalogue.helpers import HELPERS
from skverdict.dsl.ir.types import BigEndian, Bool, Int, Void

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


def lower_helper(f: FunctionEmitter, operation: Operation) -> None:
    name = operation.attributes["helper"]
    assert isinstance(name, str)
    helper = HELPERS[name]
    declared = helper.arguments
    if declared and declared[-1].kind == "varargs":
        declared = declared[:-1] + declared[-1:] * (len(operation.operands) - len(declared) + 1)
    arguments = ", ".join(
        _argument(f, argument, value)
        for argument, value in zip(declared, operation.operands, strict=True)
    )
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
