"""Calls of the policy's own @inline functions: their statements are lowered in place, for these arguments."""

from __future__ import annotations

import ast
from types import FunctionType

from skverdict.dsl.frontend.annotations import Annotation, read_annotation
from skverdict.dsl.frontend.arguments import assign_arguments
from skverdict.dsl.frontend.assigned import RESULT
from skverdict.dsl.frontend.convert import convert
from skverdict.dsl.frontend.definitions import check_definition, parameters_of
from skverdict.dsl.frontend.dispatch import evaluate
from skverdict.dsl.frontend.lowering import Frame, Lowering
from skverdict.dsl.frontend.memory import test_hint
from skverdict.dsl.frontend.names import assign, read
from skverdict.dsl.frontend.python_values import operand_of
from skverdict.dsl.frontend.refusal import Refused
from skverdict.dsl.frontend.source import FunctionNode
from skverdict.dsl.frontend.state import State
from skverdict.dsl.frontend.statements import body, give_nothing, is_none, no_return
from skverdict.dsl.frontend.values import (
    NONE,
    ContextValue,
    MaybeNumber,
    NoneValue,
    Operand,
    PacketByte,
    Reference,
    Scalar,
    describe,
    with_article,
)
from skverdict.dsl.ir.types import Int, Opaque, Space, Type


def call_inline(lowering: Lowering, node: ast.Call, function: FunctionType) -> Operand:
    """Expand `function` at the call `node`. Raises Refused."""
    _refuse_recursion(lowering, node, function)
    lowering.spend(
        node, f"`{function.__name__}` is written out at each call", "make it, or what it calls, a @subprogram"
    )
    source, definition = lowering.scope.definition(function)
    check_definition(source, definition, is_called=True)
    operands = arguments_of(lowering, node, function, definition)
    outer_state, outer_frame = lowering.here, lowering.frame
    frame = Frame(
        function,
        definition,
        source,
        lowering.scope.assigned(source, definition),
        outer_frame,
        node,
        lowering.scope.call_number(outer_frame.path, node),
    )
    names: dict[str, Operand] = {}
    for parameter in parameters_of(definition):
        argument, operand = operands[parameter.arg]
        annotation = read_annotation(lowering.scope, source, function, parameter.annotation)
        names[parameter.arg] = checked_argument(lowering, argument, parameter.arg, operand, annotation)
    failures = lowering.failures
    lowering.frame = frame
    lowering.state = State(
        {}, outer_state.epoch, outer_state.readable, dict(outer_state.leases), outer_state.trail
    )
    try:
        result = _expand(lowering, node, frame, names)
        left = lowering.state
    finally:
        lowering.frame = outer_frame
        lowering.state = outer_state
    if lowering.failures > failures:
        raise Refused(None)
    if left is None:
        raise lowering.refuse(node, f"`{function.__name__}` never returns")
    outer_state.epoch, outer_state.readable = left.epoch, left.readable
    outer_state.leases, outer_state.trail = left.leases, left.trail
    return result


def arguments_of(
    lowering: Lowering, node: ast.Call, function: FunctionType, definition: FunctionNode
) -> dict[str, tuple[ast.AST, Operand]]:
    """What each parameter is given, by the call or by its default, which Python evaluated once."""
    names = [one.arg for one in definition.args.args]
    by_name = [one.arg for one in definition.args.kwonlyargs]
    defaults = dict(function.__kwdefaults__ or {})
    values = function.__defaults__ or ()
    defaults.update(zip(names[len(names) - len(values) :], values, strict=True))
    what = f"`{function.__name__}`"
    if len(node.args) > len(names) and by_name:
        raise lowering.refuse(
            node.args[len(names)], f"{what} takes `{by_name[0]}` by name", f"write `{by_name[0]}=...`"
        )
    given = assign_arguments(lowering, node, what, [*names, *by_name], list(defaults))
    operands: dict[str, tuple[ast.AST, Operand]] = {
        name: (argument, evaluate(lowering, argument)) for name, argument in given.items()
    }
    for name, thing in defaults.items():
        if name not in operands:
            operands[name] = (node, operand_of(lowering.scope, name, thing))
    return operands


def _expand(
    lowering: Lowering, node: ast.Call, frame: Frame, names: dict[str, Operand]
) -> Operand:
    """The statements and the result of the function of `frame`, whose parameters stand for `names`."""
    definition = frame.node
    for name, binding in names.items():
        is_pointer = isinstance(binding, Reference) and binding.space is not Space.STACK
        if frame.assigned[name] > 1 and (is_pointer or isinstance(binding, (Scalar, MaybeNumber))):
            # The parameter is assigned to: it becomes a variable.
            assign(lowering, definition, name, definition, binding)
        else:
            lowering.bind(name, binding)
    frame.returns = read_annotation(lowering.scope, frame.source, frame.function, definition.returns)
    returns = frame.returns
    frame.gives_none = returns.optional and returns.is_place and any(map(is_none, ast.walk(definition)))
    end = frame.end = lowering.label(definition, f"{definition.name}.end")
    body(lowering, definition.body)
    if lowering.state is not None:
        if not frame.returns.nothing:
            raise no_return(lowering, definition)
        lowering.bind(RESULT, NONE)
        lowering.jump(definition, end)
    if frame.gives_none:
        give_nothing(lowering, definition)
    if not lowering.enter(end) or frame.returns.nothing:
        return NONE
    return read(lowering, node, RESULT)


def checked_argument(
    lowering: Lowering, node: ast.AST, name: str, operand: Operand, annotation: Annotation
) -> Operand:
    """What a parameter stands for. Raises Refused if the argument is not what its annotation says."""
    if annotation.optional and isinstance(operand, (PacketByte, MaybeNumber, NoneValue)):
        return _maybe_argument(lowering, node, name, operand, annotation)
    if annotation.is_scalar and not (isinstance(operand, Reference) and annotation.optional):
        return convert(lowering, node, operand, annotation.scalar)
    if annotation.context is not None:
        if not isinstance(operand, ContextValue) or operand.name != annotation.context:
            raise _mismatch(lowering, node, name, annotation, operand)
    elif annotation.type is not None:
        if not isinstance(operand, Reference) or not _is_of(operand, annotation.type):
            raise _mismatch(lowering, node, name, annotation, operand)
        if operand.nullable and not annotation.optional:
            raise lowering.refuse(
                node, f"`{name}` must not be None, but {operand.what} may be", test_hint(lowering, node)
            )
    return operand.altered(fresh=False) if isinstance(operand, Reference) else operand


def _maybe_argument(
    lowering: Lowering, node: ast.AST, name: str, operand: Operand, annotation: Annotation
) -> Operand:
    """An argument for `name: u8 | None`."""
    from skverdict.dsl.frontend.maybe_numbers import CARRIERS, assigned

    type_, found = annotation.type, None
    if isinstance(type_, Int) and type_ in CARRIERS:
        found = assigned(lowering, node, operand, type_, f"`{name}`")
    if found is None:
        raise _mismatch(lowering, node, name, annotation, operand)
    return found


def _is_of(operand: Reference, type_: Type) -> bool:
    """True for a place of that type; a Sock may be one of which less can be read."""
    return operand.target in (type_, Opaque("sock_common") if type_ == Opaque("bpf_sock") else type_)


def _mismatch(
    lowering: Lowering, node: ast.AST, name: str, annotation: Annotation, operand: Operand
) -> Refused:
    return lowering.refuse(
        node, f"`{name}` must be {with_article(annotation.text)}, but this is {describe(operand)}"
    )


def _refuse_recursion(lowering: Lowering, node: ast.Call, function: FunctionType) -> None:
    frames = lowering.frame.chain()
    if any(frame.function.__code__ is function.__code__ for frame in frames):
        names = [frame.function.__name__ for frame in reversed(frames)]
        chain = " -> ".join([*names, function.__name__])
        raise lowering.refuse(
            node,
            f"`{function.__name__}` calls itself: {chain}",
            "an @inline function cannot recurse; use a loop",
        )


