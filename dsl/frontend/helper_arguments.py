"""The rarer arguments of helpers: records, sockets, strings, locks, places to fill; and why some are none."""

from __future__ import annotations

import ast

from skverdict.dsl.catalogue.helpers import Argument
from skverdict.dsl.frontend.callbacks import callback, callback_context
from skverdict.dsl.frontend.convert import as_scalar, convert
from skverdict.dsl.frontend.helper_calls import Arguments, Rule, wrong
from skverdict.dsl.frontend.memory import pointer
from skverdict.dsl.frontend.values import NoneValue, Operand, PythonValue, Reference, Scalar, TypeValue
from skverdict.dsl.ir.module import Value
from skverdict.dsl.ir.types import U8, U64, Array, Int, Pointer, Space, Struct, Type, size_of

# Arguments that no policy has, by kind: what they are, as a clause, and what to do instead.
REFUSED: dict[str, tuple[str, str]] = {
    "kptr": ("a member of a map value that holds a kernel object, which a policy cannot declare", ""),
    "per_cpu": ("a kernel variable that each CPU has its own of, which a policy cannot name", ""),
    "dynptr": (
        "a dynptr, which the language does not have",
        "read and write through a Struct, a view of the packet or `load_bytes`",
    ),
    "new_dynptr": (
        "a dynptr, which the language does not have",
        "read and write through a Struct, a view of the packet or `load_bytes`",
    ),
}


def _record(arguments: Arguments, parameter: Argument, node: ast.AST, operand: Operand | None) -> Value:
    """A whole record, which is gone after the call."""
    if not isinstance(operand, Reference) or operand.space is not Space.RECORD:
        raise wrong(arguments, parameter, node, operand, "a record of a RingBuffer")
    return released(arguments, node, operand)


def released(arguments: Arguments, node: ast.AST, operand: Reference) -> Value:
    """What the call gives back; the caller notes that once the call is there."""
    lowering, lease = arguments.lowering, operand.lease
    if lease is None:
        raise lowering.refuse(
            node, f"{operand.what} was not taken in this function, so it cannot be given back here",
            "give it back where it was taken, or use @inline",
        )  # fmt: skip
    if lease.whole != operand.target:
        raise lowering.refuse(node, f"this is a part of {lease.what}, not all of it")
    address = pointer(lowering, node, operand)
    arguments.given_back = lease
    return address


def _alloc_size(arguments: Arguments, parameter: Argument, node: ast.AST, operand: Operand | None) -> Value:
    """A type, or a number of bytes, that is known now."""
    lowering = arguments.lowering
    if isinstance(operand, TypeValue):
        arguments.allocated = operand.type
        size = Scalar(U64, constant=size_of(operand.type))
        return lowering.value(node, size)
    number = as_scalar(lowering, node, operand or Scalar(None, constant=0), "a type")
    if number.constant is None or not 0 < number.constant < 1 << 30:
        raise lowering.refuse(node, f"`{parameter.name}` must be known now", "write a Struct, or a number")
    arguments.allocated = Array(U8, number.constant)
    return lowering.value(node, convert(lowering, node, number, U64))


def _value_buffer(arguments: Arguments, parameter: Argument, node: ast.AST, operand: Operand | None) -> Value:
    """A place for a map's value, or what a bloom filter is asked for."""
    assert arguments.map is not None and arguments.map.value is not None
    wanted = arguments.map.value
    if not isinstance(operand, Reference) or operand.target != wanted or operand.space is not Space.STACK:
        raise wrong(arguments, parameter, node, operand, f"a {wanted} of this function")
    return pointer(arguments.lowering, node, operand)


def _socket(arguments: Arguments, parameter: Argument, node: ast.AST, operand: Operand | None) -> Value:
    if not isinstance(operand, Reference) or operand.space is not Space.SOCKET:
        raise wrong(arguments, parameter, node, operand, "a socket, such as `msg.sk`")
    if arguments.helper.releases == parameter.name:
        return released(arguments, node, operand)
    return pointer(arguments.lowering, node, operand)


def _object(arguments: Arguments, parameter: Argument, node: ast.AST, operand: Operand | None) -> Value:
    wanted = parameter.target or "kernel object"
    if not isinstance(operand, Reference) or operand.space is not Space.OBJECT:
        raise wrong(arguments, parameter, node, operand, f"a {wanted} that another helper gave")
    if parameter.target and str(operand.target) != parameter.target:
        raise wrong(arguments, parameter, node, operand, f"a {wanted}")
    return pointer(arguments.lowering, node, operand)


def _string(arguments: Arguments, parameter: Argument, node: ast.AST, operand: Operand | None) -> Value:
    text = operand.object if isinstance(operand, PythonValue) else None
    if isinstance(text, bytes):
        text = text.decode("utf-8", "surrogateescape")
    if not isinstance(text, str):
        raise wrong(arguments, parameter, node, operand, "a text that is known now")
    return string(arguments, node, text)


def string(arguments: Arguments, node: ast.AST, text: str) -> Value:
    """The address of a text and a NUL in read-only memory. Raises Refused."""
    try:
        size = len(text.encode()) + 1
    except UnicodeEncodeError:
        raise arguments.lowering.refuse(node, "this text is no UTF-8", "keep such bytes in a Const") from None
    if "\0" in text:
        hint = "leave it out: every text ends with one" if "\0" not in text[:-1] else "keep such bytes in a Const"
        raise arguments.lowering.refuse(node, "this text has a NUL inside", hint)
    type_ = Pointer(Array(U8, size), Space.MAP_VALUE)
    return arguments.lowering.emit(node, "string", (), type_, text=text)


def _in_map_value(name: str) -> Rule:
    def rule(arguments: Arguments, parameter: Argument, node: ast.AST, operand: Operand | None) -> Value:
        is_member = isinstance(operand, Reference) and isinstance(operand.target, Struct)
        if not isinstance(operand, Reference) or not is_member or str(operand.target) != f"struct {name}":
            raise wrong(arguments, parameter, node, operand, f"the {name} of an entry of a map")
        if operand.space is not Space.MAP_VALUE:
            raise arguments.lowering.refuse(
                node, f"{operand.what} does not lie in a map", f"use a {name} in the value of a map"
            )
        arguments.home = operand.home
        return pointer(arguments.lowering, node, operand)

    return rule


def null(arguments: Arguments, parameter: Argument, node: ast.AST, operand: Operand | None) -> Value | None:
    """NULL where the call says None, or leaves out what may be absent."""
    if operand is not None and not isinstance(operand, NoneValue):
        return None
    target: Type = U8
    if parameter.kind == "value" and arguments.map is not None and arguments.map.value is not None:
        target = arguments.map.value
    return arguments.lowering.emit(node, "null", (), Pointer(target, Space.STACK, nullable=True))


def _varargs(arguments: Arguments, parameter: Argument, node: ast.AST, operand: Operand | None) -> Value:
    lowering = arguments.lowering
    number = as_scalar(lowering, node, operand or Scalar(None, constant=0))
    type_ = Int(64, signed=isinstance(number.type, Int) and number.type.signed)
    return lowering.value(node, convert(lowering, node, number, type_))


RULES: dict[str, Rule] = {
    "record": _record,
    "alloc_size": _alloc_size,
    "value_buffer": _value_buffer,
    "socket": _socket,
    "object": _object,
    "string": _string,
    "spin_lock": _in_map_value("bpf_spin_lock"),
    "timer": _in_map_value("bpf_timer"),
    "varargs": _varargs,
    "callback": callback,
    "callback_context": callback_context,
}
