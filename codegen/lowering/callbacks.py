"""What a function that a helper calls back counts up, the verifier must not know exactly.

From Linux 6.7 on the verifier goes through the function again and again, until what it finds is nothing new
(`widen_imprecise_scalars` of kernel/bpf/verifier.c). A number in the structure that is handed on, which begins as a
constant, is one more each time, and where it is compared with anything it is never forgotten: a million
instructions later the program is refused. So such numbers are forgotten before the call.
"""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING

from skverdict.codegen.lowering.counts import counted, whole_words
from skverdict.codegen.lowering.unknown import forget, zero
from skverdict.dsl.ir.types import Pointer, Space, Struct

if TYPE_CHECKING:
    from skverdict.codegen.lowering.emitter import FunctionEmitter
    from skverdict.dsl.ir.module import Function, Operation

#: Where these helpers take the function, and the structure that is handed on.
_CALLING_BACK = {"bpf_loop": (1, 2), "bpf_for_each_map_elem": (1, 2)}
_WORD = 8


def forget_counts(f: FunctionEmitter, operation: Operation) -> None:
    """Let the verifier forget what the call's structure holds, of what the function counts up in it.

    Nothing happens where the structure is no variable.
    """
    name = str(operation.attributes["helper"])
    if name not in _CALLING_BACK:
        return
    function, structure = _CALLING_BACK[name]
    handed = operation.operands[structure]
    assert isinstance(handed.type, Pointer)
    is_variable = handed.type.space is Space.STACK and not handed.type.nullable
    if not is_variable or not isinstance(handed.type.target, Struct):
        return
    places = counted(_function(f, operation.operands[function].number))
    if not places:
        return
    if f.known_align(handed) % _WORD == 0:
        places = whole_words(places)
    nothing = zero(f)
    for offset, type_ in places:
        kind = f"i{type_.bits}"
        address = f.define(f"getelementptr inbounds nuw i8, {f.typed(handed)}, i64 {offset}")
        align = gcd(type_.bits // 8, f.known_align(handed), offset)
        number = f.define(f"load {kind}, ptr {address}, align {align}")
        f.emit(f"store {kind} {forget(f, number, type_.bits, nothing)}, ptr {address}, align {align}")


def _function(f: FunctionEmitter, number: int) -> Function:
    """The function whose address a value is."""
    name = next(
        operation.attributes["function"]
        for block in f.function.blocks
        for operation in block.operations
        if operation.name == "function" and operation.result is not None and operation.result.number == number
    )
    return next(function for function in f.module.module.functions if function.name == name)
