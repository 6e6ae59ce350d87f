"""Functions that helpers call back: an @inline or @subprogram function becomes one of the kernel's shape."""

from __future__ import annotations

import ast
from collections.abc import Callable
from types import FunctionType
from typing import NamedTuple

from skverdict.dsl.catalogue.helpers import Argument
from skverdict.dsl.decorators import MARK
from skverdict.dsl.frontend.annotations import read_annotation
from skverdict.dsl.frontend.definitions import check_definition, refusal
from skverdict.dsl.frontend.helper_calls import Arguments, wrong
from skverdict.dsl.frontend.lowering import Lowering
from skverdict.dsl.frontend.memory import SCALAR_KINDS, check_aligned, pointer
from skverdict.dsl.frontend.source import FunctionNode, Source
from skverdict.dsl.frontend.subprograms import Shape, Signature, bind_parameter, lowered
from skverdict.dsl.frontend.values import (
    Operand,
    PythonValue,
    Reference,
    Scalar,
    describe,
    type_name,
)
from skverdict.dsl.ir.module import Map, Parameter, Value
from skverdict.dsl.ir.types import I64, U32, U64, Int, Opaque, Pointer, Space, Struct, Type


class Convention(NamedTuple):
    """How a helper calls back: the arguments of the policy's function, and what it may give.

    `entry`: the kernel passes the map, a key and the value there. `counts`: it counts the calls.
    `context`: it hands on what the call was given, if that was something.
    """

    most: int
    entry: bool = False
    counts: bool = False
    context: bool = False


# The verifier's `set_loop_callback_state` and its kin; what the function gives is held against `most`.
CONVENTIONS: dict[str, Convention] = {
    "bpf_loop": Convention(1, counts=True, context=True),
    "bpf_for_each_map_elem": Convention(1, entry=True, context=True),
    "bpf_timer_set_callback": Convention(0, entry=True),
}


class _Given(NamedTuple):
    """One argument that the kernel passes: its name in the IR and type, and what it is to the function."""

    name: str
    type: Type
    role: str


def callback(arguments: Arguments, parameter: Argument, node: ast.AST, operand: Operand | None) -> Value:
    """The address of the function that the call names. Raises Refused."""
    lowering, helper = arguments.lowering, arguments.helper
    convention = CONVENTIONS.get(helper.name)
    if convention is None:
        what = "calls back with kernel objects that a policy cannot use"
        raise lowering.refuse(node, f"`{helper.name}` {what}")
    function = operand.object if isinstance(operand, PythonValue) else None
    mark = getattr(function, MARK, "")
    if not isinstance(function, FunctionType) or mark not in ("inline", "subprogram"):
        if isinstance(function, FunctionType):
            what = f"a {mark} program" if mark else "ordinary Python"
            message = f"`{function.__name__}` is {what} and cannot be called back"
            raise lowering.refuse(node, message, "" if mark else "put @subprogram in front of it")
        raise wrong(arguments, parameter, node, operand, "a @subprogram function")
    source, definition = lowering.scope.definition(function)
    check_definition(source, definition)
    given = _given(arguments, convention)
    _check(lowering, source, definition, function, given, convention, helper.name)
    made = tuple(Parameter(each.name, Value(number, each.type)) for number, each in enumerate(given))
    home = arguments.map or arguments.home
    shape = Shape(made, I64, _binder(source, definition, given, made, home), callback=True)
    signature: Signature = (id(function), tuple((each.type, helper.name) for each in given))
    subprogram = lowered(lowering, node, function, signature, shape)
    low, high = subprogram.returned or (0, 0)
    if low < 0 or high > convention.most:
        allowed = "0 to go on or 1 to stop" if convention.most else "0"
        raise refusal(
            source, definition,
            f"`{function.__name__}` must give {allowed} to `{helper.name}`, but it may give {low} to {high}",
            "return constants",
        )  # fmt: skip
    if subprogram.moves:
        arguments.moving = subprogram.name
    type_ = Pointer(Opaque("function"), Space.FUNCTION)
    return lowering.emit(node, "function", (), type_, function=subprogram.name)


def _given(arguments: Arguments, convention: Convention) -> list[_Given]:
    """What the kernel passes, in order."""
    given: list[_Given] = []
    if convention.entry:
        map_ = arguments.map or arguments.home
        if map_ is None or map_.key is None or map_.value is None:
            raise arguments.lowering.refuse(
                arguments.node, "it cannot be told which map this lies in",
                "take the entry from a `lookup` in this function",
            )  # fmt: skip
        given.append(_Given("map", Pointer(Opaque("bpf_map"), Space.MAP), "map"))
        given.append(_Given("key", Pointer(map_.key, Space.MAP_KEY), "key"))
        given.append(_Given("value", Pointer(map_.value, Space.MAP_VALUE), "value"))
    if convention.counts:
        given.append(_Given("index", U32, "index"))
    if convention.context:
        context = _context_of(arguments)
        if context is None:
            given.append(_Given("context", U64, "nothing"))
        else:
            given.append(_Given("context", Pointer(context.target, Space.STACK), "context"))
    return given


def _context_of(arguments: Arguments) -> Reference | None:
    """What the call hands on to the function."""
    for parameter in arguments.helper.arguments:
        if parameter.kind == "callback_context" and parameter.name in arguments.given:
            operand = arguments.given[parameter.name][1]
            return operand if isinstance(operand, Reference) else None
    return None


def _check(
    lowering: Lowering,
    source: Source,
    definition: FunctionNode,
    function: FunctionType,
    given: list[_Given],
    convention: Convention,
    helper: str,
) -> None:
    """The function takes what the kernel passes. Raises Refused."""
    passed = [each for each in given if each.role not in ("map", "nothing")]
    parameters = definition.args.args
    shown = ", ".join(f"{each.name}: {_written(each)}" for each in passed)
    hint = f"write `def {function.__name__}({shown}) -> i32:`"
    if len(parameters) != len(passed):
        raise refusal(
            source, definition,
            f"`{helper}` gives `{function.__name__}` {len(passed)} arguments, not {len(parameters)}", hint,
        )  # fmt: skip
    for parameter, each in zip(parameters, passed, strict=True):
        annotation = read_annotation(lowering.scope, source, function, parameter.annotation)
        if parameter.annotation is not None and (
            annotation.optional
            or annotation.type != _target(each)
            or annotation.cell != (each.role == "value" and isinstance(_target(each), SCALAR_KINDS))
        ):
            raise refusal(
                source, parameter, f"`{helper}` gives `{parameter.arg}` as {_written(each)}", hint
            )
    returns = read_annotation(lowering.scope, source, function, definition.returns)
    if not isinstance(returns.type, Int) or returns.optional:
        raise refusal(source, definition.returns or definition, f"`{helper}` wants a number back", hint)


def _target(given: _Given) -> Type:
    return given.type.target if isinstance(given.type, Pointer) else given.type


def _written(given: _Given) -> str:
    """The type of a parameter as a policy writes it."""
    target = _target(given)
    is_cell = given.role == "value" and isinstance(target, SCALAR_KINDS)
    return f"Cell[{type_name(target)}]" if is_cell else type_name(target)


def _binder(
    source: Source,
    definition: FunctionNode,
    given: list[_Given],
    made: tuple[Parameter, ...],
    home: Map | None,
) -> Callable[[Lowering], None]:
    """What gives the function's names their meaning."""

    def bind(lowering: Lowering) -> None:
        nodes = iter(definition.args.args)
        for each, parameter in zip(given, made, strict=True):
            if each.role in ("map", "nothing"):
                continue
            node = next(nodes)
            bind_parameter(lowering, source, node, _operand(lowering, each, parameter.value, node, home))

    return bind


def _operand(
    lowering: Lowering, given: _Given, value: Value, node: ast.arg, home: Map | None
) -> Operand:
    if given.role == "index":
        return Scalar(U32, value)
    assert isinstance(given.type, Pointer)
    target = given.type.target
    if given.role == "key" and isinstance(target, SCALAR_KINDS):
        return Scalar(target, lowering.emit(node, "load", (value,), target))
    return Reference(
        target,
        given.type.space,
        f"`{node.arg}`",
        lowering.place(node),
        pointer=value,
        home=home if given.role == "value" else None,
        read_only="it is the key of an entry" if given.role == "key" else "",
    )


def callback_context(
    arguments: Arguments, parameter: Argument, node: ast.AST, operand: Operand | None
) -> Value:
    """What the function is given: a structure of this function, since the kernel takes stack memory only."""
    if not isinstance(operand, Reference) or not isinstance(operand.target, Struct):
        raise wrong(arguments, parameter, node, operand, "a structure that the function is given")
    if operand.space is not Space.STACK:
        raise arguments.lowering.refuse(
            node, f"{describe(operand)} that is handed on must be one of this function's own",
            "copy it: `.copy()`",
        )  # fmt: skip
    check_aligned(arguments.lowering, node, operand)
    return pointer(arguments.lowering, node, operand)
