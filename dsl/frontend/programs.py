"""Programs: the decorated functions of a policy, each lowered to one IR function."""

from __future__ import annotations

from types import FunctionType

from skverdict.dsl.catalogue.contexts import CONTEXTS
from skverdict.dsl.catalogue.programs import PROGRAMS
from skverdict.dsl.decorators import MARK
from skverdict.dsl.frontend.annotations import read_annotation
from skverdict.dsl.frontend.declarations import check_name
from skverdict.dsl.frontend.definitions import check_definition, refusal
from skverdict.dsl.frontend.lowering import Frame, Lowering
from skverdict.dsl.frontend.refusal import Refused
from skverdict.dsl.frontend.scope import PolicyScope
from skverdict.dsl.frontend.source import FunctionNode, Source
from skverdict.dsl.frontend.statements import body, no_return
from skverdict.dsl.frontend.values import ContextValue
from skverdict.dsl.ir.module import Function, Parameter, Value
from skverdict.dsl.ir.types import I32, Opaque, Pointer, Space


def lower_program(scope: PolicyScope, function: FunctionType, kind: str) -> Function | None:
    """The IR of a program; None if it has errors, which were reported."""
    try:
        source, node = scope.definition(function)
        check_definition(source, node)
        _check_signature(scope, source, node, function, kind)
    except Refused as refused:
        if refused.diagnostic is not None:
            scope.reporter.add(refused.diagnostic)
        return None
    check_name(scope, source.place(node), "program", node.name)
    parameter = node.args.args[0]
    if not parameter.arg.isascii():
        # The kernel checks the names in BTF.
        scope.reporter.error(
            source.place(parameter), f"the parameter `{parameter.arg}` must be ASCII letters, digits and `_`"
        )
    return _lower(scope, source, node, function, kind)


def _lower(
    scope: PolicyScope,
    source: Source,
    node: FunctionNode,
    function: FunctionType,
    kind: str,
) -> Function | None:
    context = PROGRAMS[kind].context
    parameter = node.args.args[0]
    value = Value(0, Pointer(Opaque(context), Space.CONTEXT))
    parameters = (Parameter(parameter.arg, value),)
    result = Function(node.name, kind, parameters, I32, location=source.location(node))
    frame = Frame(function, node, source, scope.assigned(source, node))
    frame.gives_length = kind == "stream_parser"
    lowering = Lowering(scope, result, frame)
    lowering.bind(parameter.arg, ContextValue(context, value))
    body(lowering, node.body)
    if lowering.state is not None:
        lowering.report(no_return(lowering, node))
    return None if lowering.failures else result


def _check_signature(
    scope: PolicyScope, source: Source, node: FunctionNode, function: FunctionType, kind: str
) -> None:
    context = CONTEXTS[PROGRAMS[kind].context]
    wanted = f"def {node.name}(ctx: {context.class_name}) -> i32:"
    parameters = node.args.args
    if len(parameters) != 1:
        raise refusal(source, node, f"a {kind} program takes one parameter, its context", f"write `{wanted}`")
    annotation = read_annotation(scope, source, function, parameters[0].annotation)
    if annotation.context != context.name or annotation.optional:
        if parameters[0].annotation is None:
            raise refusal(source, parameters[0], "the context needs its type", f"write `{wanted}`")
        found = f"{annotation.text} | None" if annotation.optional else annotation.text
        raise refusal(
            source, parameters[0], f"the context of a {kind} program is {context.class_name}, not {found}",
            f"write `{wanted}`",
        )  # fmt: skip
    returns = read_annotation(scope, source, function, node.returns)
    if returns.type != I32 or returns.optional:
        raise refusal(source, node.returns or node, "a program returns an i32", f"write `{wanted}`")


def mark_of(thing: object) -> str:
    """What a function is declared as; empty for anything else."""
    return getattr(thing, MARK, "") if isinstance(thing, FunctionType) else ""
