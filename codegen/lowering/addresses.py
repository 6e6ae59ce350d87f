"""Addresses that are known when a program is loaded, and NULL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.codegen.lowering.emitter import function_name

if TYPE_CHECKING:
    from skverdict.codegen.lowering.emitter import FunctionEmitter
    from skverdict.dsl.ir.module import Operation


def _external(f: FunctionEmitter, operation: Operation, symbol: str, kind: str = "global") -> None:
    """The address of something that this module does not define for LLVM, which so knows nothing of it."""
    f.module.declare(f"{function_name(symbol)} = external {kind} i8")
    f.bind(operation, function_name(symbol))


def lower_map(f: FunctionEmitter, operation: Operation) -> None:
    _external(f, operation, str(operation.attributes["map"]))


def lower_global(f: FunctionEmitter, operation: Operation) -> None:
    name = str(operation.attributes["global"])
    _external(f, operation, name, "constant" if f.module.globals[name].constant else "global")


def lower_string(f: FunctionEmitter, operation: Operation) -> None:
    _external(f, operation, f.module.strings[str(operation.attributes["text"])], "constant")


def lower_function(f: FunctionEmitter, operation: Operation) -> None:
    f.bind(operation, function_name(str(operation.attributes["function"])))


def lower_null(f: FunctionEmitter, operation: Operation) -> None:
    f.bind(operation, "null")


def lower_or_null(f: FunctionEmitter, operation: Operation) -> None:
    condition, pointer = operation.operands
    assert operation.result is not None
    f.aligns[operation.result.number] = f.known_align(pointer)
    f.bind(operation, f.define(f"select {f.typed(condition)}, {f.typed(pointer)}, ptr null"))


RULES = {
    "map": lower_map,
    "global": lower_global,
    "string": lower_string,
    "function": lower_function,
    "null": lower_null,
    "or_null": lower_or_null,
}
