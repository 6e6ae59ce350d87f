"""`print(f"...")`: a line for the kernel's trace, by `bpf_trace_printk` or, with many numbers, its brother.

Formats are translated from Python's to those that the kernel takes (`bpf_bprintf_prepare`); what is known now
is written into the text.
"""

from __future__ import annotations

import ast
import re

from skverdict.dsl.catalogue.helpers import HELPERS
from skverdict.dsl.frontend.convert import as_scalar
from skverdict.dsl.frontend.dispatch import evaluate
from skverdict.dsl.frontend.helper_calls import may_call
from skverdict.dsl.frontend.lowering import Lowering
from skverdict.dsl.frontend.values import NONE, Operand, PythonValue, Scalar, describe
from skverdict.dsl.ir.module import Value
from skverdict.dsl.ir.types import (
    BE32,
    I32,
    I64,
    U8,
    U32,
    U64,
    Array,
    BigEndian,
    Bool,
    Int,
    Pointer,
    Space,
)

# Numbers that `bpf_trace_printk` takes, and `bpf_trace_vprintk` (MAX_BPRINTF_VARARGS).
FEW, MANY = 3, 12

# Python's format specification, as far as the kernel can do the same.
_SPEC = re.compile(
    r"(?P<align>[<>])?(?P<sign>[+\- ])?(?P<prefix>#)?(?P<zero>0)?(?P<width>[1-9][0-9]{0,2})?(?P<kind>[dxXc])?"
)
_PRINTABLE = re.compile(r"[ -~\t\n]*")


class _Line:
    """A line so far: its format, and the numbers in it."""

    __slots__ = ("numbers", "text")

    def __init__(self) -> None:
        self.text = ""
        self.numbers: list[tuple[ast.expr, Scalar]] = []

    def add(self, text: str) -> None:
        self.text += text.replace("%", "%%")


def print_line(lowering: Lowering, node: ast.Call) -> Operand:
    """`print(...)`. Raises Refused."""
    name = "bpf_trace_printk"
    may_call(lowering, node, HELPERS[name])
    for keyword in node.keywords:
        raise lowering.refuse(keyword, f"`print` has no `{keyword.arg}` here", "write it into the text")
    if not node.args:
        raise lowering.refuse(node, "`print` needs something to print", 'such as `print(f"port {x}")`')
    line = _Line()
    for number, argument in enumerate(node.args):
        if number:
            line.add(" ")
        _add(lowering, argument, line)
    if not _PRINTABLE.fullmatch(line.text):
        raise lowering.refuse(node, "the kernel prints only ASCII text", "leave other characters out")
    if len(line.numbers) > MANY:
        raise lowering.refuse(
            node, f"{len(line.numbers)} numbers in one line: the kernel prints at most {MANY}",
            "print them in two lines; an IPv4 address counts as four",
        )  # fmt: skip
    _call(lowering, node, line)
    return NONE


def _add(lowering: Lowering, node: ast.expr, line: _Line) -> None:
    if isinstance(node, ast.JoinedStr):
        for part in node.values:
            if isinstance(part, ast.Constant):
                line.add(str(part.value))
            else:
                assert isinstance(part, ast.FormattedValue)
                _add_value(lowering, part.value, _spec_of(lowering, part), line)
        return
    _refuse_old_formats(lowering, node)
    _add_value(lowering, node, "", line)


def _refuse_old_formats(lowering: Lowering, node: ast.expr) -> None:
    """`"%d" % x` and `"{}".format(x)`."""
    text = node.left if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) else None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        text = node.func.value
    if isinstance(text, ast.Constant) and isinstance(text.value, str):
        raise lowering.refuse(node, "only an f-string puts numbers into a text", "such as `print(f\"length {x}\")`")


def _spec_of(lowering: Lowering, node: ast.FormattedValue) -> str:
    if node.conversion not in (-1, ord("s"), ord("r")):
        what = f"`!{chr(node.conversion)}` is not supported"
        raise lowering.refuse(node.value, what, "leave it out")
    if node.format_spec is None:
        return ""
    assert isinstance(node.format_spec, ast.JoinedStr)
    texts = []
    for part in node.format_spec.values:
        if not isinstance(part, ast.Constant):
            raise lowering.refuse(node.value, "a width must be written as a number", "such as `{x:8}`")
        texts.append(str(part.value))
    return "".join(texts)


def _add_value(lowering: Lowering, node: ast.expr, spec: str, line: _Line) -> None:
    operand = evaluate(lowering, node)
    if isinstance(operand, PythonValue) and isinstance(operand.object, str):
        line.add(_formatted(lowering, node, operand.object, spec))
        return
    if isinstance(operand, PythonValue):
        raise lowering.refuse(node, f"{describe(operand)} cannot be printed by a program", "print a number")
    number = as_scalar(lowering, node, operand)
    if isinstance(number.type, BigEndian):
        _add_network_order(lowering, node, number, spec, line)
    elif number.constant is not None:
        shown = bool(number.constant) if isinstance(number.type, Bool) else number.constant
        line.add(_formatted(lowering, node, shown, spec))
    else:
        _add_number(lowering, node, number, spec, line)


def _formatted(lowering: Lowering, node: ast.expr, thing: object, spec: str) -> str:
    try:
        return format(thing, spec)
    except ValueError as error:
        raise lowering.refuse(node, f"`{spec}` is no format for this: {error}") from None


def _add_network_order(
    lowering: Lowering, node: ast.expr, number: Scalar, spec: str, line: _Line
) -> None:
    """An IPv4 address by its bytes: the kernel's own format for it wants its address in memory."""
    text = lowering.segment(node)
    if spec != "ip" or number.type != BE32:
        address = f", or `{{{text}:ip}}` for an IPv4 address" if number.type == BE32 else ""
        raise lowering.refuse(
            node, f"{describe(number)} is printed as what?",
            f"write `{{{text}.host()}}` for the number{address}",
        )  # fmt: skip
    if number.constant is not None:
        line.add(".".join(str(byte) for byte in number.constant.to_bytes(4, "big")))
        return
    host = lowering.emit(node, "swap", (lowering.value(node, number),), U32)
    parts = []
    for shift in (24, 16, 8, 0):
        count = lowering.value(node, Scalar(U32, constant=shift))
        byte = lowering.emit(node, "convert", (lowering.emit(node, "shr", (host, count), U32),), U8)
        parts.append((node, Scalar(U32, lowering.emit(node, "convert", (byte,), U32))))
    line.text += "%u.%u.%u.%u"
    line.numbers += parts


def _add_number(lowering: Lowering, node: ast.expr, number: Scalar, spec: str, line: _Line) -> None:
    type_ = number.type
    text = lowering.segment(node)
    if isinstance(type_, Bool):
        raise lowering.refuse(
            node, "the kernel cannot print True and False", f"write `{{u8({text})}}` for 1 and 0"
        )
    assert isinstance(type_, Int)
    found = _SPEC.fullmatch(spec)
    if found is None:
        raise lowering.refuse(
            node, f"the kernel has no format `{spec}`", "it has a width, `0`, `<`, `+`, `d`, `x` and `X`"
        )
    kind = found["kind"] or "d"
    if type_.signed and kind != "d":
        raise lowering.refuse(
            node, f"`{kind}` prints the bits of an unsigned number, but this is {describe(number)}",
            f"write `{{u{type_.bits}({text}):{spec}}}`",
        )  # fmt: skip
    if found["sign"] in ("+", " ") and not type_.signed:
        hint = f"leave out `{found['sign']}`"
        raise lowering.refuse(node, f"{describe(number)} has no sign to print", hint)
    if kind == "c" and (type_.bits != 8 or found["zero"] or found["sign"] or found["prefix"]):
        raise lowering.refuse(node, "only a u8 is printed as a character", f"write `{{u8({text}):c}}`")
    line.text += _conversion(lowering, node, found, kind, type_)
    if type_.bits < 32:
        number = Scalar(
            I32 if type_.signed else U32,
            lowering.emit(node, "convert", (lowering.value(node, number),), I32 if type_.signed else U32),
        )
    line.numbers.append((node, number))


def _conversion(
    lowering: Lowering, node: ast.expr, found: re.Match[str], kind: str, type_: Int
) -> str:
    """The kernel's conversion for a specification of Python's."""
    width = int(found["width"] or 0)
    prefix = ""
    if found["prefix"] and kind in "xX":
        # The kernel lacks the flag, so the prefix goes into the text; a width then needs zeros.
        if width and not found["zero"]:
            raise lowering.refuse(
                node, "the kernel cannot pad in front of `0x`",
                f"write `{{{lowering.segment(node)}:#0{width}{kind}}}`",
            )  # fmt: skip
        prefix, width = f"0{kind}", max(0, width - 2)
    flags = "-" if found["align"] == "<" and width else ""
    if found["zero"] and width:
        if found["align"]:
            raise lowering.refuse(node, "`0` and an alignment exclude each other here", "leave one out")
        flags = "0"
    sign = found["sign"] if found["sign"] in ("+", " ") else ""
    long = "ll" if type_.bits == 64 else ""
    letter = "u" if kind == "d" and not type_.signed else kind
    return f"{prefix}%{sign}{flags}{width or ''}{long}{letter}"


def _call(lowering: Lowering, node: ast.Call, line: _Line) -> None:
    size = len(line.text) + 1
    text = lowering.emit(node, "string", (), Pointer(Array(U8, size), Space.MAP_VALUE), text=line.text)
    length = lowering.value(node, Scalar(U32, constant=size))
    if len(line.numbers) <= FEW:
        numbers = [lowering.value(where, number) for where, number in line.numbers]
        lowering.emit(node, "call.helper", (text, length, *numbers), I64, helper="bpf_trace_printk")
        return
    may_call(lowering, node, HELPERS["bpf_trace_vprintk"])
    data = _array(lowering, node, line.numbers)
    bytes_ = lowering.value(node, Scalar(U32, constant=8 * len(line.numbers)))
    lowering.emit(node, "call.helper", (text, length, data, bytes_), I64, helper="bpf_trace_vprintk")


def _array(lowering: Lowering, node: ast.Call, numbers: list[tuple[ast.expr, Scalar]]) -> Value:
    """The address of the numbers on the stack, each a u64."""
    type_ = Array(U64, len(numbers))
    local = lowering.scratch("print", type_)
    data = lowering.emit(node, "local.address", (), Pointer(type_, Space.STACK), local=local)
    for index, (where, number) in enumerate(numbers):
        assert isinstance(number.type, Int)
        value = lowering.value(where, number)
        for step in (Int(64, number.type.signed), U64):
            if value.type != step:
                value = lowering.emit(where, "convert", (value,), step)
        place = lowering.emit(where, "part", (data,), Pointer(U64, Space.STACK), offset=8 * index)
        lowering.effect(where, "store", (place, value))
    return data
