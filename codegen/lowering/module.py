"""A whole IR module as LLVM's assembly language."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import TYPE_CHECKING

from skverdict.codegen.lowering import (
    addresses,
    atomics,
    calls,
    context,
    control,
    elements,
    kernel_fields,
    memory,
    scalars,
)
from skverdict.codegen.lowering.emitter import FunctionEmitter, ModuleEmitter, function_name, llvm_type
from skverdict.codegen.lowering.memory import stack_slot
from skverdict.codegen.lowering.unknown import zero
from skverdict.dsl.catalogue.programs import PROGRAMS
from skverdict.dsl.ir.types import is_context

if TYPE_CHECKING:
    from skverdict.codegen.lowering.tallies import Forgotten, Variable
    from skverdict.codegen.target import Target
    from skverdict.dsl.ir.module import Function, Module, Operation, Parameter
    from skverdict.dsl.ir.types import Int

_RULES: dict[str, Callable[[FunctionEmitter, Operation], None]] = {
    **scalars.RULES,
    **memory.RULES,
    **elements.RULES,
    **atomics.RULES,
    **context.RULES,
    **kernel_fields.RULES,
    **addresses.RULES,
    **calls.RULES,
    **control.RULES,
}

# No jump or lookup tables, which need data that older kernels cannot relocate; no calls to `memset` and the
# like, which BPF does not have.
_ATTRIBUTES = 'nounwind minsize optsize "no-jump-tables"="true" "no-builtins"'


def llvm_text(
    module: Module, target: Target, forgotten: Forgotten | None = None, opaque: Container[str] = ()
) -> str:
    """The module as LLVM's assembly language.

    The verifier does not know the numbers in `forgotten`. In the functions named in `opaque` LLVM does not see how
    variables change. Otherwise it may replace a loop by a formula, for which it can need integers of more than 64 bits.
    """
    known = {} if forgotten is None else forgotten
    emitter = ModuleEmitter(module, target)
    for function in module.functions:
        emitter.functions.extend(_function(emitter, function, function.name in opaque, known.get(function.name, {})))
    return emitter.text()


def _function(
    module: ModuleEmitter, function: Function, opaque: bool, forgotten: Mapping[Variable, Int]
) -> list[str]:
    f = FunctionEmitter(module, function, opaque, forgotten)
    program = PROGRAMS.get(function.kind)
    place = llvm_type(function.result) if program else f"internal {llvm_type(function.result)}"
    section = f' section "{program.section}"' if program else " noinline"
    kept = _kept_contexts(function)
    parameters = ", ".join(
        _parameter(parameter, parameter.value.number in kept) for parameter in function.parameters
    )
    head = f"define {place} {function_name(function.name)}({parameters})"
    f.lines.append(f"{head} {_ATTRIBUTES}{section} !dbg !{f.scope} {{")
    f.lines.extend(stack_slot(f, local) for local in function.locals)
    if forgotten:
        f.at(function.location)
        f.zero = zero(f)
    f.lines.append(f"  br label %{f.label(function.blocks[0].label)}")
    for block in function.blocks:
        f.start_block(f.label(block.label))
        for operation in block.operations:
            f.at(operation.location)
            _RULES[operation.name](f, operation)
    f.end()
    f.lines.append("}")
    return f.lines


def _kept_contexts(function: Function) -> set[int]:
    """The numbers of the contexts that are put into structures, for functions that helpers call back."""
    return {
        operation.operands[1].number
        for block in function.blocks
        for operation in block.operations
        if operation.name == "store" and is_context(operation.operands[1].type)
    }


def _parameter(parameter: Parameter, is_kept: bool) -> str:
    kind = llvm_type(parameter.value.type)
    if is_context(parameter.value.type) and not is_kept:
        # Nothing else points into a context, so it stays as it was whatever is stored elsewhere.
        kind += " noalias nonnull captures(none)"
    return f"{kind} noundef %p{parameter.value.number}"
