"""What a function that a helper calls back counts up, the verifier must not know exactly.

From Linux 6.7 on the verifier goes through the function again and again, until what it finds is nothing new
(`widen_imprecise_scalars` of kernel/bpf/verifier.c). A number in the structure that is handed on, which begins as a
constant, is one more each time, and where it is compared with anything it is never forgotten: a million
instructions later the program is refused. So such numbers begin as what they are, plus a zero that the verifier
takes for any number.
"""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING

from skverdict.codegen.lowering.context import load_field
from skverdict.codegen.lowering.counts import counted, whole_words
from skverdict.codegen.lowering.elements import context_of
from skverdict.dsl.catalogue.contexts import CONTEXTS
from skverdict.dsl.catalogue.helpers import HELPERS
from skverdict.dsl.ir.types import Opaque, Pointer, Space, Struct

if TYPE_CHECKING:
    from skverdict.codegen.lowering.emitter import FunctionEmitter
    from skverdict.dsl.ir.module import Function, Operation, Value

#: Where these helpers take the function, and the structure that is handed on.
_CALLING_BACK = {"bpf_loop": (1, 2), "bpf_for_each_map_elem": (1, 2)}
_WORD = 8
_ODD = 0x9E3779B97F4A7C15 - (1 << 64)


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
    zero = _zero(f)
    for offset, type_ in places:
        kind = f"i{type_.bits}"
        address = f.define(f"getelementptr inbounds nuw i8, {f.typed(handed)}, i64 {offset}")
        added = zero if type_.bits == 64 else f.define(f"trunc i64 {zero} to {kind}")
        align = gcd(type_.bits // 8, f.known_align(handed), offset)
        number = f.define(f"load {kind}, ptr {address}, align {align}")
        f.emit(f"store {kind} {f.define(f'add {kind} {number}, {added}')}, ptr {address}, align {align}")


def _zero(f: FunctionEmitter) -> str:
    """Zero in 64 bits, which neither LLVM nor the verifier finds to be it: a number and its complement have no bit
    in common."""
    context = context_of(f.function)
    number = f.hide(_any_number(f) if context is None else _length(f, context), 64)
    complement = f.hide(f.define(f"xor i64 {number}, -1"), 64)
    return f.define(f"and i64 {number}, {complement}")


def _length(f: FunctionEmitter, context: Value) -> str:
    """A field of the context, multiplied so that it can be any number of 64 bits to the verifier."""
    assert isinstance(context.type, Pointer) and isinstance(context.type.target, Opaque)
    fields = CONTEXTS[context.type.target.name].fields
    field = fields[next(name for name in ("len", "size", "op") if name in fields)]
    wide = f.define(f"zext i32 {load_field(f, context, field.offset, 4)} to i64")
    return f.define(f"mul i64 {wide}, {_ODD}")


def _any_number(f: FunctionEmitter) -> str:
    """What a helper gives that every kind of program may call, and of which the verifier knows nothing."""
    return f.define(f"call i64 inttoptr (i64 {HELPERS['bpf_get_prandom_u32'].number} to ptr)() nounwind")


def _function(f: FunctionEmitter, number: int) -> Function:
    """The function whose address a value is."""
    name = next(
        operation.attributes["function"]
        for block in f.function.blocks
        for operation in block.operations
        if operation.name == "function" and operation.result is not None and operation.result.number == number
    )
    return next(function for function in f.module.module.functions if function.name == name)
