"""Names and constants: what a name stands for at a point of the program."""

from __future__ import annotations

import ast
import builtins

from skverdict.dsl.errors import Place
from skverdict.dsl.frontend.assigned import RESULT, is_counter
from skverdict.dsl.frontend.convert import as_scalar, convert, fits
from skverdict.dsl.frontend.dispatch import evaluate, expression
from skverdict.dsl.frontend.lowering import Frame, Lowering
from skverdict.dsl.frontend.memory import pointer, raw_pointer
from skverdict.dsl.frontend.operators import OPERATORS
from skverdict.dsl.frontend.python_values import operand_of
from skverdict.dsl.frontend.refusal import Refused
from skverdict.dsl.frontend.state import Binding, Broken, Conflict, Missing, Slot, refers_to
from skverdict.dsl.frontend.values import (
    NONE,
    MaybeNumber,
    Operand,
    PacketByte,
    PythonValue,
    Reference,
    Scalar,
    ScalarType,
    constant,
    describe,
    truth,
    type_name,
    with_article,
)
from skverdict.dsl.globals import Global
from skverdict.dsl.ir.types import I64, SCALARS, U8, U64, Bool, Int, Space, Type

_MISSING = object()


@expression(ast.Constant)
def constant_value(lowering: Lowering, node: ast.Constant) -> Operand:
    value = node.value
    if isinstance(value, bool):
        return truth(value)
    if isinstance(value, int):
        return constant(value)
    if value is None:
        return NONE
    if isinstance(value, float | complex):
        raise lowering.refuse(node, "a program has no floating-point numbers", "use an integer")
    return PythonValue(repr(value), value)


@expression(ast.Name)
def name_value(lowering: Lowering, node: ast.Name) -> Operand:
    frame = lowering.frame
    if node.id in frame.assigned:
        return read(lowering, node, node.id)
    thing = global_object(frame, node.id)
    if thing is _MISSING:
        known = [*frame.assigned, *frame.function.__globals__, *_BUILTINS]
        from skverdict.dsl.frontend.imports import unknown_name

        raise lowering.refuse(node, f"unknown name `{node.id}`", unknown_name(node.id, known))
    operand = operand_of(lowering.scope, node.id, thing)
    if isinstance(operand, PythonValue) and lowering.scope.is_broken(thing):
        raise Refused(None)
    return operand


_BUILTINS = ("range", "min", "max", "len", "abs", "bool", "ord", "enumerate", "zip", "reversed")


def global_object(frame: Frame, name: str) -> object:
    """The Python object that a free name of the function stands for, or a marker if there is none."""
    function = frame.function
    if name in function.__code__.co_freevars and function.__closure__:
        cell = function.__closure__[function.__code__.co_freevars.index(name)]
        try:
            return cell.cell_contents
        except ValueError:
            return _MISSING
    if name in function.__globals__:
        return function.__globals__[name]
    return getattr(builtins, name, _MISSING)


def read(lowering: Lowering, node: ast.AST, name: str) -> Operand:
    """The present value of a variable. Raises Refused if it may have none."""
    binding = lowering.here.names.get(name)
    if isinstance(binding, Slot):
        return _read_slot(lowering, node, binding)
    if binding is None or isinstance(binding, (Missing, Broken, Conflict)):
        raise _unusable(lowering, node, name, binding)
    return binding


def _read_slot(lowering: Lowering, node: ast.AST, slot: Slot) -> Operand:
    shape = slot.shape
    if isinstance(shape, Scalar):
        assert shape.type is not None
        value = lowering.emit(node, "local.get", (), shape.type, local=slot.local.name)
        return Scalar(
            shape.type, value, low=shape.low, high=shape.high, flexible=shape.flexible, began=shape.began,
            wrapped=shape.wrapped,
        )  # fmt: skip
    value = lowering.emit(node, "local.get", (), slot.local.type, local=slot.local.name)
    return shape.altered(value=value) if isinstance(shape, MaybeNumber) else shape.altered(pointer=value)


def _unusable(lowering: Lowering, node: ast.AST, name: str, binding: Binding | None) -> Refused:
    if isinstance(binding, Broken):
        return Refused(None)
    if isinstance(binding, Missing):
        notes = [(binding.place, "the path without an assignment begins here")] if binding.place else []
        why = f" {binding.why}" if binding.why else ""
        return lowering.refuse(
            node, f"`{name}` may be unassigned here: it is not assigned{why}",
            "assign it before, or on every path", notes,
        )  # fmt: skip
    if isinstance(binding, Conflict):
        return _conflict(lowering, node, name, binding)
    hint = ""
    if isinstance(lowering.frame.function.__globals__.get(name), Global):
        hint = f"the variable of all programs is `{name}.value`"
    elif isinstance(lowering.frame.function.__globals__.get(name), int):
        hint = f"what programs change is declared as `{name} = Global(u64)`, and is `{name}.value`"
    return lowering.refuse(node, f"`{name}` is used before it is assigned", hint)


def _conflict(lowering: Lowering, node: ast.AST, name: str, conflict: Conflict) -> Refused:
    notes: list[tuple[Place, str]] = []
    words = []
    for side in (conflict.first, conflict.second):
        shape = side.shape if isinstance(side, Slot) else side
        if isinstance(shape, Reference):
            notes.append((shape.origin, "it may be what is made here"))
        if not isinstance(shape, (Missing, Broken, Conflict, Slot)):
            words.append(describe(shape))
    what, hint = f"`{name}`", "use a name of its own on each path"
    if name == RESULT:
        what, hint = "the result of this call", "give back the same one on each path"
    if len(set(words)) == 2:
        message = f"{what} is {words[0]} on one path and {words[1]} on the other"
    else:
        message = f"{what} stands for one thing on one path and for another on the other"
    return lowering.refuse(node, message, hint, notes)


# Assigning.


def assign(lowering: Lowering, node: ast.AST, name: str, value_node: ast.AST, value: Operand) -> None:
    """`name = value`. Raises Refused."""
    frame = lowering.frame
    if isinstance(frame.function.__globals__.get(name), Global):
        lowering.scope.reporter.warning(
            lowering.place(node),
            f"`{name}` is a variable of this function here, and the `{name}` of all programs stays as it is",
            f"write `{name}.value` for that, or choose another name",
        )
    declared = frame.declared.get(name)
    is_maybe = isinstance(value, (PacketByte, MaybeNumber))
    if is_maybe and (declared is not None or _holds(lowering, name, Scalar)):
        # The variable has the type of a number, so None does not fit.
        value, is_maybe = as_scalar(lowering, value_node, value), False
    if is_maybe or _holds(lowering, name, MaybeNumber):
        assign_maybe(lowering, node, name, value_node, value)
    elif isinstance(value, Scalar):
        _assign_scalar(lowering, node, name, value_node, value, declared)
    elif declared is not None and not (isinstance(value, Reference) and value.target == declared):
        raise lowering.refuse(
            value_node, f"`{name}` is declared as {type_name(declared)}, but this is {describe(value)}"
        )
    elif isinstance(value, Reference):
        _assign_reference(lowering, node, name, value_node, value)
    elif isinstance(value, PythonValue) and not callable(value.object):
        raise lowering.refuse(value_node, f"{describe(value)} cannot be kept in a variable")
    elif value is NONE:
        raise lowering.refuse(
            value_node, "None cannot be kept in a variable", "use a bool or a number that stands for nothing"
        )
    else:
        lowering.bind(name, value)


def _holds(lowering: Lowering, name: str, kind: type[Scalar | MaybeNumber]) -> bool:
    """True for a variable that is kept in a local as such a number."""
    binding = lowering.here.names.get(name)
    return isinstance(binding, Slot) and isinstance(binding.shape, kind)


def assign_maybe(
    lowering: Lowering,
    node: ast.AST,
    name: str,
    value_node: ast.AST,
    value: Operand,
    type_: Int | None = None,
) -> None:
    """`name = value` of a name that may be None; `type_` is what it is otherwise. Raises Refused."""
    from skverdict.dsl.frontend import maybe_numbers

    binding = lowering.here.names.get(name)
    if isinstance(binding, Slot) and isinstance(binding.shape, MaybeNumber):
        type_ = binding.shape.type
    what = "the result of this call" if name == RESULT else f"`{name}`"
    if type_ is None:
        type_ = value.type if isinstance(value, MaybeNumber) else U8
    number = maybe_numbers.assigned(lowering, value_node, value, type_, what)
    if number is None:
        raise lowering.refuse(
            value_node, f"{what} is `{type_} | None`, but this is {describe(value)}", "use another name"
        )
    if lowering.frame.assigned.get(name, 0) <= 1:
        lowering.bind(name, number)
        return
    carrier = maybe_numbers.CARRIERS[type_]
    local = lowering.frame.locals.get(name)
    if local is None or local.type != carrier:
        local = lowering.local(name, carrier)
    assert number.value is not None
    lowering.effect(node, "local.set", (number.value,), local=local.name)
    lowering.bind(name, Slot(local, number.shape()))


def _assign_scalar(
    lowering: Lowering, node: ast.AST, name: str, value_node: ast.AST, value: Scalar, declared: Type | None
) -> None:
    frame = lowering.frame
    if declared is not None:
        if not is_scalar_type(declared):
            raise lowering.refuse(
                value_node, f"`{name}` is declared as {type_name(declared)}, but this is {describe(value)}"
            )
        value = convert(lowering, value_node, value, declared)  # type: ignore[arg-type]
    if frame.assigned.get(name, 0) <= 1:
        lowering.bind(name, value)
        return
    local = frame.locals.get(name)
    type_: ScalarType
    if local is not None and isinstance(local.type, ScalarType):
        type_ = local.type
    elif value.flexible or value.type is None:
        type_ = I64 if fits(value.low, value.high, I64) else U64
        if not fits(value.low, value.high, type_):
            raise lowering.refuse(value_node, f"{value.constant} does not fit 64 bits")
        frame.first_literals[name] = _annotated(lowering, node, name, value_node)
    else:
        type_ = value.type
    number = _converted(lowering, name, value_node, value, type_)
    if local is None or local.type != type_:
        local = lowering.local(name, type_)
    lowering.effect(node, "local.set", (lowering.value(value_node, number),), local=local.name)
    is_literal = value.flexible or value.type is None
    flexible = is_literal and is_counter(frame.node, name, frame.assigned[name])
    began = name if name in frame.first_literals else ""
    # What grows in a loop is bounded by its turns, which the ranges do not know.
    wrapped = number.wrapped if frame.loop is None else None
    shape = Scalar(type_, low=number.low, high=number.high, flexible=flexible, began=began, wrapped=wrapped)
    lowering.bind(name, Slot(local, shape))


def _annotated(lowering: Lowering, node: ast.AST, name: str, value_node: ast.AST) -> str:
    """How to say the type of a variable where it begins, with `{}` for the type."""
    line = getattr(node, "lineno", 0)
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return f"give the parameter its type on line {line}: `{name}: {{}}`"
    if isinstance(node, ast.NamedExpr) or node is value_node:
        return f"declare it before line {line}: `{name}: {{}}`"
    text = lowering.segment(value_node).replace("{", "{{").replace("}", "}}")
    return f"write `{name}: {{}} = {text}` on line {line}"


def _converted(lowering: Lowering, name: str, node: ast.AST, value: Scalar, type_: Type) -> Scalar:
    """The value as the variable's type; the message of a misfit tells about the variable."""
    if isinstance(type_, Bool) and isinstance(value.type, Bool):
        return value
    try:
        return convert(lowering, node, value, type_)  # type: ignore[arg-type]
    except Refused as refused:
        if refused.diagnostic is None:
            raise
        if value.type is None:
            raise
        raise lowering.refuse(
            node,
            f"`{name}` is {with_article(type_)}, but this is {describe(value)}",
            f"{_fitting(lowering, node, type_)}, or give `{name}` a wider type where it is first assigned",
        ) from None


def _fitting(lowering: Lowering, node: ast.AST, type_: Type) -> str:
    """What to write so that a value fits a variable."""
    if isinstance(node, ast.AugAssign):
        symbol = OPERATORS[type(node.op)].symbol
        return f"write `{lowering.segment(node.target)} {symbol}= {type_}({lowering.segment(node.value)})`"
    return f"write `{type_}({lowering.segment(node)})`"


def is_scalar_type(type_: Type) -> bool:
    return str(type_) in SCALARS


def _assign_reference(
    lowering: Lowering, node: ast.AST, name: str, value_node: ast.AST, value: Reference
) -> None:
    frame = lowering.frame
    if value.local is not None:
        _assign_struct(lowering, node, name, value)
        return
    if value.space is Space.STACK or frame.assigned.get(name, 0) <= 1:
        # A part of a structure of ours is never kept in a variable of the IR: a loop makes the structure anew
        # in the same place each turn, which a name from an earlier turn must not see.
        lowering.bind(name, value)
        return
    address = raw_pointer(lowering, value_node, value)
    local = frame.locals.get(name)
    if local is None or local.type != address.type:
        local = lowering.local(name, address.type)
    lowering.effect(node, "local.set", (address,), local=local.name)
    lowering.bind(name, Slot(local, value.shape()))


def _assign_struct(lowering: Lowering, node: ast.AST, name: str, value: Reference) -> None:
    """A structure gets a second name; a fresh one may move into the storage that the name had alone."""
    old = lowering.here.names.get(name)
    if value.fresh and isinstance(old, Reference) and old.local and old.target == value.target:
        others = [
            other
            for other, binding in lowering.here.names.items()
            if other != name and refers_to(binding, old.local)
        ]
        if not others and old.local in lowering.frame.owned:
            target, source = pointer(lowering, node, old), pointer(lowering, node, value)
            lowering.effect(node, "copy", (target, source))
            return
    lowering.bind(name, value.altered(fresh=False))


@expression(ast.NamedExpr)
def walrus(lowering: Lowering, node: ast.NamedExpr) -> Operand:
    value = evaluate(lowering, node.value)
    assign(lowering, node, node.target.id, node.value, value)
    return read(lowering, node.target, node.target.id)


