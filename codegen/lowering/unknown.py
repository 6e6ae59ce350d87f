"""Numbers that the verifier is made to forget: they become what they are, plus a zero that it takes for any number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.codegen.lowering.context import load_field
from skverdict.codegen.lowering.elements import context_of
from skverdict.dsl.catalogue.contexts import CONTEXTS
from skverdict.dsl.catalogue.helpers import HELPERS
from skverdict.dsl.ir.types import Opaque, Pointer

if TYPE_CHECKING:
    from skverdict.codegen.lowering.emitter import FunctionEmitter
    from skverdict.dsl.ir.module import Value

_ODD = 0x9E3779B97F4A7C15 - (1 << 64)


def zero(f: FunctionEmitter) -> str:
    """Zero in 64 bits, which neither LLVM nor the verifier finds to be it: a number and its complement have no bit
    in common."""
    context = context_of(f.function)
    number = f.hide(_any_number(f) if context is None else _length(f, context), 64)
    complement = f.hide(f.define(f"xor i64 {number}, -1"), 64)
    return f.define(f"and i64 {number}, {complement}")


def forget(f: FunctionEmitter, operand: str, bits: int, zero: str) -> str:
    """The number `operand` of `bits`, with such a zero added."""
    added = zero if bits == 64 else f.define(f"trunc i64 {zero} to i{bits}")
    return f.define(f"add i{bits} {operand}, {added}")


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
