"""What a program can call of Python's functions, such as `min`, `max`, `len` and `ord`; and `sizeof`."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sized

from skverdict.dsl.catalogue.contexts import CONTEXTS
from skverdict.dsl.frontend.convert import as_scalar, convert, unify
from skverdict.dsl.frontend.dispatch import evaluate
from skverdict.dsl.frontend.lowering import Lowering
from skverdict.dsl.frontend.operators import is_of_literals
from skverdict.dsl.frontend.values import (
    ContextArray,
    KernelPart,
    MapValue,
    MessageBytes,
    Operand,
    PythonValue,
    Reference,
    Scalar,
    TypeValue,
    constant,
    describe,
    limits,
)
from skverdict.dsl.ir.types import BOOL, Array, Int, Opaque, Space, size_of
from skverdict.dsl.layout import sizeof

Builtin = Callable[[Lowering, ast.Call], Operand]


def _extreme(name: str, comparison: str, python: Callable[[int, int], int]) -> Builtin:
    """`min` or `max`: the first operand stays if `comparison` holds."""

    def lower(lowering: Lowering, node: ast.Call) -> Operand:
        _no_keywords(lowering, node, name)
        if len(node.args) < 2:
            raise lowering.refuse(node, f"`{name}` needs at least two numbers")
        found, found_node = _integer(lowering, node.args[0], name), node.args[0]
        for argument in node.args[1:]:
            other = _integer(lowering, argument, name)
            found = _pick(lowering, node, (found_node, argument), found, other)
        return found

    def _pick(
        lowering: Lowering, node: ast.Call, nodes: tuple[ast.expr, ast.expr], first: Scalar, second: Scalar
    ) -> Scalar:
        if first.type is None and second.type is None:
            assert first.constant is not None and second.constant is not None
            return constant(python(first.constant, second.constant))
        type_ = unify(lowering, nodes, first, second)
        assert isinstance(type_, Int)
        flexible = is_of_literals(first) and is_of_literals(second)
        began = first.began or second.began
        first, second = convert(lowering, nodes[0], first, type_), convert(lowering, nodes[1], second, type_)
        if first.constant is not None and second.constant is not None:
            return Scalar(type_, constant=python(first.constant, second.constant))
        a, b = lowering.value(node, first), lowering.value(node, second)
        keep = lowering.emit(node, comparison, (a, b), BOOL)
        value = lowering.emit(node, "select", (keep, a, b), type_)
        low, high = python(first.low, second.low), python(first.high, second.high)
        return Scalar(type_, value, low=low, high=high, flexible=flexible, began=began)

    return lower


def _abs(lowering: Lowering, node: ast.Call) -> Operand:
    _no_keywords(lowering, node, "abs")
    if len(node.args) != 1:
        raise lowering.refuse(node, "`abs` needs one number")
    number = _integer(lowering, node.args[0], "abs")
    if number.constant is not None and number.type is None:
        return constant(abs(number.constant))
    type_ = number.type
    assert isinstance(type_, Int)
    if not type_.signed:
        return number
    value = lowering.value(node, number)
    zero = lowering.value(node, Scalar(type_, constant=0))
    negative = lowering.emit(node, "lt", (value, zero), BOOL)
    turned = lowering.emit(node, "sub", (zero, value), type_)
    chosen = lowering.emit(node, "select", (negative, turned, value), type_)
    if number.low <= limits(type_)[0]:
        # The most negative number has no positive one beside it.
        return Scalar(type_, chosen, began=number.began)
    low = 0 if number.low <= 0 <= number.high else min(abs(number.low), abs(number.high))
    high = max(abs(number.low), abs(number.high))
    return Scalar(type_, chosen, low=low, high=high, flexible=number.flexible, began=number.began)


def _len(lowering: Lowering, node: ast.Call) -> Operand:
    _no_keywords(lowering, node, "len")
    if len(node.args) != 1:
        raise lowering.refuse(node, "`len` needs one argument")
    operand = evaluate(lowering, node.args[0])
    if isinstance(operand, Reference) and isinstance(operand.target, Array):
        return constant(operand.target.count)
    if isinstance(operand, KernelPart) and isinstance(operand.type, Array):
        return constant(operand.type.count)
    if isinstance(operand, MessageBytes):
        return operand.known
    if isinstance(operand, ContextArray):
        field = CONTEXTS[operand.context.name].fields[operand.field]
        assert isinstance(field.type, Array)
        return constant(field.type.count)
    if isinstance(operand, PythonValue) and isinstance(operand.object, Sized):
        return constant(len(operand.object))
    hint = "the length of a packet is `skb.len` or `msg.size`"
    if isinstance(operand, MapValue):
        hint = "the kernel does not tell how many entries there are: count them in a `Global(u64)`"
    raise lowering.refuse(node.args[0], f"{describe(operand)} has no `len`", hint)


def _ord(lowering: Lowering, node: ast.Call) -> Operand:
    _no_keywords(lowering, node, "ord")
    operand = evaluate(lowering, node.args[0]) if len(node.args) == 1 else None
    if isinstance(operand, PythonValue) and isinstance(operand.object, (str, bytes)) and len(operand.object) == 1:
        return constant(ord(operand.object))
    raise lowering.refuse(node, "`ord` needs a character that is known now", "a byte of the packet is a number already")


def _sizeof(lowering: Lowering, node: ast.Call) -> Operand:
    _no_keywords(lowering, node, "sizeof")
    if len(node.args) != 1:
        raise lowering.refuse(node, "`sizeof` needs one type")
    operand = evaluate(lowering, node.args[0])
    if isinstance(operand, TypeValue):
        return constant(size_of(operand.type))
    raise lowering.refuse(node.args[0], f"`sizeof` needs a type, but this is {describe(operand)}")


def _hasattr(lowering: Lowering, node: ast.Call) -> Operand:
    """Whether the running kernel has a member, which is known when the program is loaded."""
    _no_keywords(lowering, node, "hasattr")
    owner = evaluate(lowering, node.args[0]) if len(node.args) == 2 else None
    last = node.args[-1] if node.args else None
    name = last.value if isinstance(last, ast.Constant) else None
    is_object = isinstance(owner, Reference) and isinstance(owner.target, Opaque) and owner.space is Space.OBJECT
    if not isinstance(owner, (Reference, KernelPart)) or not (is_object or isinstance(owner, KernelPart)):
        raise lowering.refuse(
            node, "`hasattr` asks a structure of the running kernel", 'such as `hasattr(task, "loginuid")`'
        )
    if not isinstance(name, str):
        raise lowering.refuse(node.args[1], "the name of the member must be written here as a string")
    from skverdict.dsl.frontend.kernel_objects import exists

    return exists(lowering, node, owner, name)


def _range(lowering: Lowering, node: ast.Call) -> Operand:
    raise lowering.refuse(node, "`range` belongs behind `for ... in`, or behind `in`")


def _integer(lowering: Lowering, node: ast.expr, name: str) -> Scalar:
    number = as_scalar(lowering, node, evaluate(lowering, node))
    if number.type is not None and not isinstance(number.type, Int):
        raise lowering.refuse(node, f"`{name}` works on integers, but this is {describe(number)}")
    return number


def _no_keywords(lowering: Lowering, node: ast.Call, name: str) -> None:
    if node.keywords:
        raise lowering.refuse(node.keywords[0], f"`{name}` takes no keyword arguments here")


BUILTINS: dict[object, Builtin] = {
    min: _extreme("min", "le", min),
    max: _extreme("max", "ge", max),
    abs: _abs,
    len: _len,
    ord: _ord,
    hasattr: _hasattr,
    sizeof: _sizeof,
    range: _range,
}
