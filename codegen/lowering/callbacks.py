"""What a function that a helper calls back counts up, the verifier must not know exactly.

From Linux 6.7 on the verifier goes through the function again and again, until what it finds is nothing new
(`widen_imprecise_scalars` of kernel/bpf/verifier.c). A number in the structure that is handed on, which begins as a
constant, is one more each time, and where it is compared with anything it is never forgotten: a million
instructions later the program is refused. So such numbers begin as what they are, plus a zero that the verifier
takes for any number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.codegen.lowering.context import load_field
from skverdict.codegen.lowering.elements import context_of
from skverdict.codegen.lowering.emitter import member_offset
from skverdict.dsl.catalogue.contexts import CONTEXTS
from skverdict.dsl.ir.types import Int, Opaque, Pointer, Space, Struct

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping

    from skverdict.codegen.lowering.emitter import FunctionEmitter
    from skverdict.dsl.ir.module import Function, Operation, Value

#: Where these helpers take the function, and the structure that is handed on.
_CALLING_BACK = {"bpf_loop": (1, 2), "bpf_for_each_map_elem": (1, 2)}
#: A product with it can be any number of 64 bits to the verifier.
_ODD = 0x9E3779B97F4A7C15 - (1 << 64)


def forget_counts(f: FunctionEmitter, operation: Operation) -> None:
    """Let the verifier forget what the call's structure holds, of what the function counts up in it.

    Nothing happens where the structure is no variable, or where there is no context to make such a zero of.
    """
    places = _CALLING_BACK.get(str(operation.attributes["helper"]))
    context = context_of(f.function)
    if places is None or context is None:
        return
    handed = operation.operands[places[1]]
    assert isinstance(handed.type, Pointer)
    struct = handed.type.target
    if not isinstance(struct, Struct) or handed.type.space is not Space.STACK or handed.type.nullable:
        return
    names = sorted(set(_changed(_function(f, operation.operands[places[0]].number), struct)))
    if not names:
        return
    zero = _zero(f, context)
    for name in names:
        member = struct.member(name)
        assert member is not None and isinstance(member.type, Int)
        kind = f"i{member.type.bits}"
        offset = member_offset(struct, name)
        address = f.define(f"getelementptr inbounds nuw i8, {f.typed(handed)}, i64 {offset}")
        added = zero if member.type.bits == 64 else f.define(f"trunc i64 {zero} to {kind}")
        align = min(member.type.bits // 8, f.known_align(handed))
        number = f.define(f"load {kind}, ptr {address}, align {align}")
        f.emit(f"store {kind} {f.define(f'add {kind} {number}, {added}')}, ptr {address}, align {align}")


def _zero(f: FunctionEmitter, context: Value) -> str:
    """Zero in 64 bits, which neither LLVM nor the verifier finds to be it: a number and its complement have no bit
    in common."""
    assert isinstance(context.type, Pointer) and isinstance(context.type.target, Opaque)
    fields = CONTEXTS[context.type.target.name].fields
    field = fields[next(name for name in ("len", "size", "op") if name in fields)]
    wide = f.define(f"zext i32 {load_field(f, context, field.offset, 4)} to i64")
    number = f.hide(f.define(f"mul i64 {wide}, {_ODD}"), 64)
    complement = f.hide(f.define(f"xor i64 {number}, -1"), 64)
    return f.define(f"and i64 {number}, {complement}")


def _function(f: FunctionEmitter, number: int) -> Function:
    """The function whose address a value is."""
    name = next(
        operation.attributes["function"]
        for block in f.function.blocks
        for operation in block.operations
        if operation.name == "function" and operation.result is not None and operation.result.number == number
    )
    return next(function for function in f.module.module.functions if function.name == name)


def _changed(function: Function, struct: Struct) -> Iterator[str]:
    """The numbers in the structure that a function gets last which it may count up; all if it hands it on."""
    handed = function.parameters[-1].value.number
    members: dict[int, str] = {}
    makers: dict[int, Operation] = {}
    for block in function.blocks:
        for operation in block.operations:
            first = operation.operands[0].number if operation.operands else -1
            if operation.result is not None:
                makers[operation.result.number] = operation
            if operation.name == "member" and first == handed and operation.result is not None:
                members[operation.result.number] = str(operation.attributes["name"])
            elif operation.name == "store" and _is_number(struct, members.get(first, "")):
                if _is_known(operation.operands[1].number, makers, members):
                    yield members[first]
            elif operation.name.startswith("call") and any(each.number == handed for each in operation.operands):
                yield from (member.name for member in struct.members if _is_number(struct, member.name))


def _is_known(number: int, makers: Mapping[int, Operation], members: Container[int]) -> bool:
    """True if a number is made of constants and of numbers in the structure alone."""
    waiting = [number]
    while waiting:
        maker = makers.get(waiting.pop())
        if maker is None or maker.name.startswith(("call", "local.")) or maker.name.endswith(".load"):
            return False
        if maker.name != "load":
            waiting += (each.number for each in maker.operands)
        elif maker.operands[0].number not in members:
            return False
    return True


def _is_number(struct: Struct, name: str) -> bool:
    member = struct.member(name) if name else None
    return member is not None and isinstance(member.type, Int)
