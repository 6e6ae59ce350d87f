"""Functions of a policy that nothing calls: lowered for what their annotations say, for the errors alone."""

from __future__ import annotations

from collections.abc import Mapping
from types import FunctionType
from typing import Any

from skverdict.dsl.catalogue.programs import PROGRAMS
from skverdict.dsl.catalogue.sockets import STRUCTURES
from skverdict.dsl.frontend.annotations import Annotation, read_annotation
from skverdict.dsl.frontend.definitions import check_definition, parameters_of
from skverdict.dsl.frontend.lowering import Frame, Lowering
from skverdict.dsl.frontend.maybe_numbers import CARRIERS
from skverdict.dsl.frontend.programs import mark_of
from skverdict.dsl.frontend.refusal import Refused, Reporter
from skverdict.dsl.frontend.scope import PolicyScope
from skverdict.dsl.frontend.source import FunctionNode, Source
from skverdict.dsl.frontend.statements import body, no_return
from skverdict.dsl.frontend.subprograms import bind_parameter
from skverdict.dsl.frontend.values import ContextValue, MaybeNumber, Operand, Reference, Scalar
from skverdict.dsl.ir.module import Function, Parameter, Value
from skverdict.dsl.ir.types import VOID, Int, Opaque, Pointer, Space


def check_unused(scope: PolicyScope, namespace: Mapping[str, Any]) -> None:
    """Report the errors of the module's own @inline and @subprogram functions that were not lowered yet."""
    for function in namespace.values():
        if mark_of(function) not in ("inline", "subprogram") or id(function) in scope.lowered:
            continue
        if function.__module__ == namespace["__name__"]:
            _check(scope, function)


def _check(scope: PolicyScope, function: FunctionType) -> None:
    """A function is right if it is for one kind of program; the errors are those for the likeliest kind."""
    reporter = scope.reporter
    first: Reporter | None = None
    try:
        for kind in dict.fromkeys([*scope.kinds.values(), *PROGRAMS]):
            scope.reporter = Reporter()
            if not _is_for(scope, function, kind):
                continue
            if not scope.reporter.errors:
                return
            first = first or scope.reporter
    finally:
        scope.reporter = reporter
    for diagnostic in first.errors if first is not None else ():
        reporter.add(diagnostic)


def _is_for(scope: PolicyScope, function: FunctionType, kind: str) -> bool:
    """Lower the function for a kind of program; False if that has another context."""
    try:
        source, definition = scope.definition(function)
        check_definition(source, definition, is_called=True)
        annotations = {
            one.arg: read_annotation(scope, source, function, one.annotation)
            for one in parameters_of(definition)
        }
        returns = read_annotation(scope, source, function, definition.returns)
    except Refused as refused:
        if refused.diagnostic is not None:
            scope.reporter.add(refused.diagnostic)
        return True
    if any(each.context not in (None, scope.context_of(kind)) for each in annotations.values()):
        return False
    if any(each.context is None and each.nothing for each in annotations.values()):
        # What it is given decides what it means.
        return True
    _lower(scope, function, kind, (source, definition), annotations, returns)
    return True


def _lower(
    scope: PolicyScope,
    function: FunctionType,
    kind: str,
    written: tuple[Source, FunctionNode],
    annotations: Mapping[str, Annotation],
    returns: Annotation,
) -> None:
    source, definition = written
    values = {
        name: Value(number, _passed(annotation))
        for number, (name, annotation) in enumerate(annotations.items())
    }
    parameters = tuple(Parameter(name, value) for name, value in values.items())
    result = returns.scalar if returns.is_scalar else VOID
    frame = Frame(function, definition, source, scope.assigned(source, definition))
    lowering = Lowering(scope, Function(definition.name, "subprogram", parameters, result), frame, kind)
    frame.returns = returns
    frame.end = lowering.label(definition, "end")
    for one in parameters_of(definition):
        operand = _operand(lowering, one.arg, values[one.arg], annotations[one.arg])
        bind_parameter(lowering, source, one, operand)
    body(lowering, definition.body)
    if lowering.state is not None and not returns.nothing:
        lowering.report(no_return(lowering, definition))


def _passed(annotation: Annotation) -> Any:
    """The IR type of what a parameter is given."""
    type_ = annotation.type
    if annotation.context is not None:
        return Pointer(Opaque(annotation.context), Space.CONTEXT)
    if annotation.is_scalar:
        return CARRIERS.get(type_, type_) if annotation.optional and type_ is not None else type_
    assert type_ is not None
    space = Space.STACK
    if isinstance(type_, Opaque):
        space = Space.SOCKET if type_.name in STRUCTURES else Space.OBJECT
    return Pointer(type_, space, nullable=annotation.optional)


def _operand(lowering: Lowering, name: str, value: Value, annotation: Annotation) -> Operand:
    if annotation.context is not None:
        return ContextValue(annotation.context, value)
    place = lowering.place(lowering.frame.node)
    if annotation.is_scalar:
        if annotation.optional and isinstance(annotation.type, Int):
            return MaybeNumber(annotation.type, f"`{name}`", place, value)
        return Scalar(annotation.scalar, value)
    assert annotation.type is not None and isinstance(value.type, Pointer)
    space = value.type.space
    return Reference(
        annotation.type, space, f"`{name}`", place, pointer=value, nullable=annotation.optional
    )
