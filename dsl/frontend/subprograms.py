"""Calls of @subprogram functions: each is compiled once for the types of its arguments, and called.

A pointer's type says which memory it points into, so a function that is given a structure on the stack here
and an entry of a map there becomes two. What a function may do depends on the program that it runs for: it is
lowered again, for the errors alone, for each further kind of program that calls it.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from types import FunctionType

from skverdict.dsl.frontend.annotations import Annotation, read_annotation
from skverdict.dsl.frontend.declarations import check_identifier
from skverdict.dsl.frontend.definitions import check_definition, parameters_of, refusal
from skverdict.dsl.frontend.inline import arguments_of, checked_argument
from skverdict.dsl.frontend.lowering import Frame, Lowering
from skverdict.dsl.frontend.memory import check_aligned, raw_pointer
from skverdict.dsl.frontend.names import assign
from skverdict.dsl.frontend.refusal import Refused
from skverdict.dsl.frontend.scope import PolicyScope
from skverdict.dsl.frontend.source import FunctionNode, Source
from skverdict.dsl.frontend.statements import body, check_end, no_return
from skverdict.dsl.frontend.values import (
    NONE,
    START,
    ContextValue,
    MessageValue,
    Operand,
    Reference,
    Scalar,
    ScalarType,
    describe,
)
from skverdict.dsl.ir.module import Function, Parameter, Value, makes_tail_call
from skverdict.dsl.ir.types import VOID, Opaque, Pointer, Space, Type

# The registers r1 to r5.
MOST_PARAMETERS = 5


class Argument:
    """What a parameter is given: its IR type, and of a place in memory whether it can be written to."""

    __slots__ = ("optional", "read_only", "type")

    def __init__(self, type_: Type, read_only: str = "", optional: bool = False) -> None:
        self.type = type_
        self.read_only = read_only
        self.optional = optional

    @property
    def key(self) -> tuple[Type, str]:
        return (self.type, self.read_only)


# A function, the types of its arguments, and for what calls it back the helper that does.
Signature = tuple[int, tuple[tuple[Type, str], ...]]


class Subprogram:
    """One function for arguments of certain types. `function` is its IR, or None if it has errors.

    `checked` are the kinds of program that it was lowered for, and whether a helper calls it back. `moves` is
    the call in it that may move the packet. `returned` are the smallest and the largest number that it gives.
    """

    __slots__ = ("busy", "checked", "function", "moves", "name", "returned")

    def __init__(self, name: str) -> None:
        self.name = name
        self.function: Function | None = None
        self.checked: set[tuple[str, bool]] = set()
        self.busy = False
        self.moves = ""
        self.returned: tuple[int, int] | None = None


def call_subprogram(lowering: Lowering, node: ast.Call, function: FunctionType) -> Operand:
    """Call `function`. Raises Refused."""
    scope = lowering.scope
    source, definition = scope.definition(function)
    check_definition(source, definition, is_called=True)
    _check_count(source, definition)
    operands = arguments_of(lowering, node, function, definition)
    values: list[Value] = []
    arguments: list[Argument] = []
    for parameter in parameters_of(definition):
        argument_node, operand = operands[parameter.arg]
        annotation = parameter_annotation(scope, source, function, parameter)
        operand = checked_argument(lowering, argument_node, parameter.arg, operand, annotation)
        value = _passed(lowering, argument_node, parameter.arg, operand, annotation)
        values.append(value)
        read_only = operand.read_only if isinstance(operand, Reference) else ""
        arguments.append(Argument(value.type, read_only, annotation.optional))
    subprogram = instance(lowering, node, function, tuple(arguments))
    return _emit_call(lowering, node, subprogram, tuple(values))


def _emit_call(
    lowering: Lowering, node: ast.Call, subprogram: Subprogram, values: tuple[Value, ...]
) -> Operand:
    assert subprogram.function is not None
    if lowering.here.leases:
        from skverdict.dsl.frontend.locking import check_no_lock

        check_no_lock(lowering, node, subprogram.name)
    result = subprogram.function.result
    operand: Operand = NONE
    if isinstance(result, ScalarType):
        value = lowering.emit(node, "call", values, result, function=subprogram.name)
        low, high = subprogram.returned or (None, None)
        operand = Scalar(result, value, low=low, high=high)
    else:
        lowering.effect(node, "call", values, function=subprogram.name)
    if subprogram.moves:
        lowering.move_buffer(node, subprogram.name)
    return operand


def _check_count(source: Source, definition: FunctionNode) -> None:
    parameters = parameters_of(definition)
    if len(parameters) > MOST_PARAMETERS:
        raise refusal(
            source, parameters[MOST_PARAMETERS],
            f"a @subprogram takes {MOST_PARAMETERS} arguments, one for each register, not {len(parameters)}",
            "pass a Struct that holds them, or use @inline",
        )  # fmt: skip


def parameter_annotation(
    scope: PolicyScope, source: Source, function: FunctionType, parameter: ast.arg
) -> Annotation:
    """The type of a parameter, which is passed in a register. Raises Refused if there is none."""
    annotation = read_annotation(scope, source, function, parameter.annotation)
    if parameter.annotation is None or (annotation.context is None and annotation.nothing):
        raise refusal(
            source, parameter, f"the parameter `{parameter.arg}` of a @subprogram needs a type",
            f"such as `{parameter.arg}: u32`, or use @inline",
        )  # fmt: skip
    return annotation


def _passed(
    lowering: Lowering, node: ast.AST, name: str, operand: Operand, annotation: Annotation
) -> Value:
    """The register's content for one argument."""
    if isinstance(operand, Scalar):
        return lowering.value(node, operand)
    if isinstance(operand, ContextValue) and not isinstance(operand, MessageValue):
        return operand.value
    if isinstance(operand, Reference):
        check_aligned(lowering, node, operand)
        address = raw_pointer(lowering, node, operand)
        assert isinstance(address.type, Pointer)
        if annotation.optional or not address.type.nullable:
            return address
        return lowering.emit(node, "assume_non_null", (address,), address.type._replace(nullable=False))
    raise lowering.refuse(
        node, f"`{name}` is passed in a register, but this is {describe(operand)}", "use @inline"
    )


def instance(
    lowering: Lowering, node: ast.AST, function: FunctionType, arguments: tuple[Argument, ...]
) -> Subprogram:
    """The function for these arguments, lowered for programs of this kind. Raises Refused."""
    source, definition = lowering.scope.definition(function)
    returns = read_annotation(lowering.scope, source, function, definition.returns)
    if not returns.nothing and (not returns.is_scalar or returns.optional):
        raise refusal(
            source, definition.returns or definition,
            f"a @subprogram gives back a number or nothing, not {returns.text}",
            "fill a Struct that is passed to it, or use @inline",
        )  # fmt: skip
    written = parameters_of(definition)
    names = [parameter.arg for parameter in written]
    parameters = tuple(
        Parameter(name, Value(number, argument.type))
        for number, (name, argument) in enumerate(zip(names, arguments, strict=True))
    )

    def bind(inner: Lowering) -> None:
        for parameter, argument, one in zip(parameters, arguments, written, strict=True):
            bind_parameter(inner, source, one, parameter_operand(inner, parameter.value, argument, one))

    shape = Shape(parameters, returns.scalar if returns.is_scalar else VOID, bind)
    signature = (id(function), tuple(argument.key for argument in arguments))
    return lowered(lowering, node, function, signature, shape)


class Shape:
    """A function's parameters and result in the IR; `bind` gives its names their meaning.

    `callback`: a helper calls it back.
    """

    __slots__ = ("bind", "callback", "parameters", "result")

    def __init__(
        self,
        parameters: tuple[Parameter, ...],
        result: Type,
        bind: Callable[[Lowering], None],
        callback: bool = False,
    ) -> None:
        self.parameters = parameters
        self.result = result
        self.bind = bind
        self.callback = callback


def lowered(
    lowering: Lowering, node: ast.AST, function: FunctionType, signature: Signature, shape: Shape
) -> Subprogram:
    """The function of that shape, lowered for programs of this kind. Raises Refused."""
    scope = lowering.scope
    source, definition = scope.definition(function)
    subprogram = scope.subprograms.get(signature)
    if subprogram is None:
        if not check_identifier(scope, source.place(definition), "function", function.__name__):
            raise Refused(None)
        subprogram = scope.subprograms[signature] = Subprogram(scope.unused_name(function.__name__))
    if subprogram.busy:
        raise lowering.refuse(
            node, f"`{function.__name__}` comes back to itself through calls",
            "the kernel takes no recursion; use a loop",
        )  # fmt: skip
    caller = (lowering.kind, shape.callback or lowering.callback)
    if caller not in subprogram.checked:
        subprogram.busy = True
        try:
            _lower(lowering, node, function, shape, subprogram)
        finally:
            subprogram.busy = False
            subprogram.checked.add(caller)
    if subprogram.function is None:
        raise Refused(None)
    if subprogram.moves:
        lowering.moves = subprogram.moves
    return subprogram


def _lower(
    caller: Lowering, node: ast.AST, function: FunctionType, shape: Shape, subprogram: Subprogram
) -> None:
    """Lower the function for the caller's kind of program; errors are reported."""
    scope = caller.scope
    source, definition = scope.definition(function)
    callers = ((caller.place(node), f"`{function.__name__}` is called here"), *caller.callers)
    location = source.location(definition)
    result = Function(subprogram.name, "subprogram", shape.parameters, shape.result, location=location)
    frame = Frame(function, definition, source, scope.assigned(source, definition))
    lowering = Lowering(scope, result, frame, caller.kind, callers)
    lowering.callback = shape.callback or caller.callback
    shape.bind(lowering)
    _body(lowering, definition)
    if lowering.failures:
        subprogram.function = None
    elif not subprogram.checked:
        subprogram.function = result
        # Where it goes on in another program, it gives what that program gives.
        subprogram.returned = None if makes_tail_call(result) else lowering.returned
        subprogram.moves = lowering.moves


def _body(lowering: Lowering, definition: FunctionNode) -> None:
    body(lowering, definition.body)
    if lowering.state is None:
        return
    last = definition.body[-1]
    if isinstance(lowering.function.result, ScalarType):
        lowering.report(no_return(lowering, definition))
        return
    try:
        check_end(lowering, last)
    except Refused as refused:
        lowering.report(refused)
        return
    lowering.leave(last, ())


def bind_parameter(lowering: Lowering, source: Source, node: ast.arg, operand: Operand) -> None:
    """A parameter's name stands for `operand`."""
    if not node.arg.isascii():
        # The kernel checks the names in BTF.
        lowering.scope.reporter.error(
            source.place(node), f"the parameter `{node.arg}` must be ASCII letters, digits and `_`"
        )
    definition = lowering.frame.node
    if lowering.frame.assigned[node.arg] > 1 and isinstance(operand, (Scalar, Reference)):
        # It is assigned to: it becomes a variable.
        assign(lowering, definition, node.arg, definition, operand)
    else:
        lowering.bind(node.arg, operand)


def parameter_operand(lowering: Lowering, value: Value, argument: Argument, node: ast.arg) -> Operand:
    """What a parameter stands for inside the function."""
    type_ = value.type
    if not isinstance(type_, Pointer):
        assert isinstance(type_, ScalarType)
        return Scalar(type_, value)
    if type_.space is Space.CONTEXT:
        assert isinstance(type_.target, Opaque)
        return ContextValue(type_.target.name, value)
    return Reference(
        type_.target,
        type_.space,
        f"`{node.arg}`",
        lowering.place(node),
        pointer=value,
        nullable=argument.optional,
        epoch=START if type_.space is Space.PACKET else None,
        read_only=argument.read_only,
    )
