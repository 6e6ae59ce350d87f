"""Calls: casts, structures, methods, helpers, the policy's own functions, and a few of Python's.

What not every policy calls is imported late, as `dispatch` explains.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from types import FunctionType

from skverdict.dsl.atomics import Atomic
from skverdict.dsl.catalogue.helpers import HELPERS
from skverdict.dsl.decorators import MARK
from skverdict.dsl.frontend.arguments import assign_arguments, refuse_stars
from skverdict.dsl.frontend.convert import cast
from skverdict.dsl.frontend.dispatch import evaluate, expression
from skverdict.dsl.frontend.helper_calls import call_helper, emit_call, may_call
from skverdict.dsl.frontend.helper_table import method_names
from skverdict.dsl.frontend.lowering import Label, Lowering
from skverdict.dsl.frontend.maps import map_method
from skverdict.dsl.frontend.memory import duplicate, member, new_struct, store
from skverdict.dsl.frontend.refusal import Refused
from skverdict.dsl.frontend.values import (
    MESSAGE,
    NONE,
    ContextValue,
    MapValue,
    MessageBytes,
    Method,
    Operand,
    PacketValue,
    PythonValue,
    Reference,
    Scalar,
    TypeValue,
    describe,
    type_name,
)
from skverdict.dsl.helpers import KernelHelper
from skverdict.dsl.ir.types import Array, BigEndian, Int, Struct, holds_context
from skverdict.dsl.layout import bit_field, sizeof
from skverdict.dsl.structs import is_of_kernel


@expression(ast.Call)
def call(lowering: Lowering, node: ast.Call) -> Operand:
    refuse_stars(lowering, node)
    function = evaluate(lowering, node.func)
    if isinstance(function, TypeValue):
        return _call_type(lowering, node, function)
    if isinstance(function, Method):
        if function.name == "startswith":
            return _startswith(lowering, node, function)
        return _METHODS[type(function.receiver)](lowering, node, function)
    if isinstance(function, PythonValue):
        return _call_python(lowering, node, function)
    raise lowering.refuse(node.func, f"{describe(function)} cannot be called")


def _call_type(lowering: Lowering, node: ast.Call, function: TypeValue) -> Operand:
    type_ = function.type
    if isinstance(type_, Struct):
        return _make_struct(lowering, node, type_)
    if isinstance(type_, Array):
        raise lowering.refuse(node, "an array lives inside a Struct", "declare a Struct with this member")
    name = type_name(type_)
    given = assign_arguments(lowering, node, f"`{name}`", ["number"])
    return cast(lowering, given["number"], evaluate(lowering, given["number"]), type_)


def _make_struct(lowering: Lowering, node: ast.Call, type_: Struct) -> Reference:
    """A new structure; its members are computed before it is made, so they may come from an older one."""
    names = [one.name for one in (*type_.members, *getattr(type_, "bits", ()))]
    if node.args:
        given_so = [f"{name}={lowering.segment(argument)}" for name, argument in zip(names, node.args, strict=False)]
        given_so += [lowering.segment(keyword) for keyword in node.keywords]
        raise lowering.refuse(
            node.args[0], f"the members of a `{type_.name}` are given by name",
            f"write `{type_.name}({', '.join(given_so)})`",
        )  # fmt: skip
    # An address cannot begin as zero.
    optional = [name for name in names if not _must_be_given(type_, name)]
    given = assign_arguments(lowering, node, f"`{type_.name}`", names, optional)
    local = lowering.take_name(type_.name)
    values: list[tuple[str, ast.expr, Operand]] = []
    for name, argument in given.items():
        values.append((name, argument, evaluate(lowering, argument)))
    made = new_struct(lowering, node, type_, local)
    for name, argument, value in values:
        target = ast.copy_location(ast.Attribute(node.func, name, ast.Store()), argument)
        bits = bit_field(type_, name)
        if bits is not None:
            from skverdict.dsl.frontend.bit_fields import store_bits

            store_bits(lowering, target, made, bits, argument, value)
            continue
        store(lowering, argument, member(lowering, target, made), argument, value)
    return made


def _must_be_given(struct: Struct, name: str) -> bool:
    member = struct.member(name)
    return member is not None and holds_context(member.type)


def _context_method(lowering: Lowering, node: ast.Call, method: Method) -> Operand:
    assert isinstance(method.receiver, ContextValue)
    helper = method_names(method.receiver.name)[method.name]
    return call_helper(lowering, node, helper, (method.receiver,))


def _startswith(lowering: Lowering, node: ast.Call, method: Method) -> Operand:
    from skverdict.dsl.frontend.byte_tests import startswith
    from skverdict.dsl.frontend.conditions import materialise

    assert isinstance(node.func, ast.Attribute)
    receiver = node.func.value

    def decided(lowering: Lowering, _: ast.expr, yes: Label, no: Label) -> None:
        startswith(lowering, node, receiver, method.receiver, yes, no)

    return materialise(lowering, node, decided)


def _packet_method(lowering: Lowering, node: ast.Call, method: Method) -> Operand:
    assert isinstance(method.receiver, PacketValue)
    from skverdict.dsl.frontend.packet import view

    return view(lowering, node, method.receiver)


def _map_method(lowering: Lowering, node: ast.Call, method: Method) -> Operand:
    assert isinstance(method.receiver, MapValue)
    return map_method(lowering, node, method.receiver, method.name)


def _reference_method(lowering: Lowering, node: ast.Call, method: Method) -> Operand:
    assert isinstance(method.receiver, Reference) and isinstance(node.func, ast.Attribute)
    assign_arguments(lowering, node, f"`{method.name}`", [])
    if method.name == "release":
        # The kernel's number says nothing.
        helper = HELPERS["bpf_sk_release"]
        may_call(lowering, node, helper)
        emit_call(lowering, node, helper, {"sock": (node.func.value, method.receiver)})
        return NONE
    return duplicate(lowering, node.func.value, method.receiver)


def _scalar_method(lowering: Lowering, node: ast.Call, method: Method) -> Operand:
    """`host` keeps the number and changes the bytes; `raw` keeps the bytes."""
    number = method.receiver
    assert isinstance(number, Scalar) and isinstance(number.type, BigEndian)
    assign_arguments(lowering, node, f"`{method.name}`", [])
    type_ = Int(number.type.bits, signed=False)
    if method.name == "host" and number.constant is not None:
        return Scalar(type_, constant=number.constant)
    operation = "swap" if method.name == "host" else "reinterpret"
    value = lowering.emit(node, operation, (lowering.value(node, number),), type_)
    if method.name == "host":
        return Scalar(type_, value, low=number.low, high=number.high)
    return Scalar(type_, value)


_METHODS: dict[type, Callable[[Lowering, ast.Call, Method], Operand]] = {
    ContextValue: _context_method,
    PacketValue: _packet_method,
    MessageBytes: _packet_method,
    MapValue: _map_method,
    Reference: _reference_method,
    Scalar: _scalar_method,
}


def _call_python(
    lowering: Lowering, node: ast.Call, function: PythonValue
) -> Operand:
    thing = function.object
    if isinstance(thing, KernelHelper):
        return call_helper(lowering, node, thing.name)
    if isinstance(thing, Atomic):
        from skverdict.dsl.frontend.atomics import call_atomic

        return call_atomic(lowering, node, thing)
    if isinstance(thing, FunctionType) and thing is not sizeof:
        mark = getattr(thing, MARK, "")
        if mark == "inline":
            from skverdict.dsl.frontend.inline import call_inline

            return call_inline(lowering, node, thing)
        if mark == "subprogram":
            from skverdict.dsl.frontend.subprograms import call_subprogram

            return call_subprogram(lowering, node, thing)
        if mark == MESSAGE:
            from skverdict.dsl.frontend.message import make_message

            return make_message(lowering, node)
        if not mark and thing.__module__.partition(".")[0] in sys.stdlib_module_names:
            raise _ordinary(lowering, node, function)
        raise _not_callable(lowering, node, thing, mark)
    from skverdict.dsl.frontend.builtin_calls import BUILTINS

    builtin = BUILTINS.get(thing) if callable(thing) and _hashable(thing) else None
    if builtin is not None:
        return builtin(lowering, node)
    if thing is print:
        from skverdict.dsl.frontend.printing import print_line

        return print_line(lowering, node)
    if thing is int:
        raise lowering.refuse(node, "`int` has no width", "write `u32(x)`, `u64(x)`, `i32(x)`, ...")
    if is_of_kernel(thing):
        raise lowering.refuse(
            node, f"`{function.name}` is a structure of the running kernel, which alone makes it",
            "read its members through what a helper gives, or declare it without `core=True`",
        )  # fmt: skip
    raise _ordinary(lowering, node, function)


def _ordinary(lowering: Lowering, node: ast.Call, function: PythonValue) -> Refused:
    from skverdict.dsl.frontend.ordinary import advice

    name = lowering.segment(node.func)
    return lowering.refuse(
        node, f"`{name}` is ordinary Python and cannot be called inside a program", advice(function.object)
    )


def _hashable(thing: object) -> bool:
    return getattr(type(thing), "__hash__", None) is not None


def _not_callable(lowering: Lowering, node: ast.Call, function: FunctionType, mark: str) -> Exception:
    name = function.__name__
    if not mark:
        text = lowering.segment(node.func)
        is_named = name.isidentifier()
        return lowering.refuse(
            node, f"`{name if is_named else text}` is ordinary Python and cannot be called inside a program",
            "put @inline in front of it" if is_named else f"write it as `def {text}(...) -> ...:` under @inline",
        )  # fmt: skip
    return lowering.refuse(
        node, f"`{name}` is a {mark} program and cannot be called",
        "move what they share into an @inline function",
    )  # fmt: skip
