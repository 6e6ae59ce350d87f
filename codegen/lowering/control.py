"""Null tests and the ends of blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.codegen.lowering.emitter import llvm_type
from skverdict.codegen.lowering.scalars import signed_number
from skverdict.dsl.ir.module import SUBPROGRAM, makes_tail_call
from skverdict.dsl.ir.types import Int

if TYPE_CHECKING:
    from skverdict.codegen.lowering.emitter import FunctionEmitter
    from skverdict.dsl.ir.module import Operation


def lower_is_null(f: FunctionEmitter, operation: Operation) -> None:
    f.bind(operation, f.define(f"icmp eq {f.typed(operation.operands[0])}, null"))


def lower_assume_non_null(f: FunctionEmitter, operation: Operation) -> None:
    pointer = operation.operands[0]
    assert operation.result is not None
    if pointer.number in f.aligns:
        f.aligns[operation.result.number] = f.aligns[pointer.number]
    f.bind(operation, f.operand(pointer))


def lower_jump(f: FunctionEmitter, operation: Operation) -> None:
    f.emit(f"br label %{f.label(operation.successors[0])}")


def lower_branch(f: FunctionEmitter, operation: Operation) -> None:
    then, otherwise = (f.label(label) for label in operation.successors)
    f.emit(f"br {f.typed(operation.operands[0])}, label %{then}, label %{otherwise}")


def lower_switch(f: FunctionEmitter, operation: Operation) -> None:
    value = operation.operands[0]
    assert isinstance(value.type, Int)
    kind = llvm_type(value.type)
    cases = []
    for number, label in enumerate(operation.successors[1:]):
        case = operation.attributes[f"case{number}"]
        assert isinstance(case, int)
        cases.append(f"{kind} {signed_number(case, value.type.bits)}, label %{f.label(label)}")
    default = f.label(operation.successors[0])
    f.emit(f"switch {kind} {f.operand(value)}, label %{default} [ {' '.join(cases)} ]")


def lower_return(f: FunctionEmitter, operation: Operation) -> None:
    if not operation.operands:
        f.leave("")
        return
    value = operation.operands[0]
    answer = f.operand(value)
    if isinstance(value.type, Int) and f.function.kind == SUBPROGRAM and makes_tail_call(f.function):
        # What a program gives that a tail call went to, the caller gets: LLVM must not reckon with this alone.
        answer = f.hide(answer, value.type.bits)
    f.leave(answer)


RULES = {
    "is_null": lower_is_null,
    "assume_non_null": lower_assume_non_null,
    "jump": lower_jump,
    "branch": lower_branch,
    "switch": lower_switch,
    "return": lower_return,
}
