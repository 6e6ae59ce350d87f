"""Implicit and explicit conversion of scalars.

Implicitly, a number goes to any type that holds all it can be; everything else is written out: `u32(x)`.
What type an operation has depends on the types of its operands alone, never on what comes later.
"""

from __future__ import annotations

import ast

from skverdict.dsl.frontend.lowering import Lowering
from skverdict.dsl.frontend.refusal import Refused
from skverdict.dsl.frontend.values import (
    GlobalValue,
    MaybeNumber,
    Operand,
    PacketByte,
    PythonValue,
    Reference,
    Scalar,
    ScalarType,
    Wrapped,
    describe,
    limits,
    with_article,
)
from skverdict.dsl.ir.types import BOOL, I32, I64, U64, Array, BigEndian, Bool, Int, Struct


def wrap(number: int, type_: Int) -> int:
    """`number` cut to the width of `type_`."""
    number &= (1 << type_.bits) - 1
    if type_.signed and number >> (type_.bits - 1):
        number -= 1 << type_.bits
    return number


def fits(low: int, high: int, type_: ScalarType) -> bool:
    """True if every number from `low` to `high` is one of `type_`."""
    smallest, largest = limits(type_)
    return smallest <= low and high <= largest


def common_type(first: Int, second: Int) -> Int | None:
    """The smallest integer type that holds all numbers of both, if there is one."""
    if first.signed == second.signed:
        return first if first.bits >= second.bits else second
    signed, unsigned = (first, second) if first.signed else (second, first)
    bits = max(signed.bits, unsigned.bits * 2)
    return Int(bits, signed=True) if bits <= 64 else None


def annotation_hint(lowering: Lowering, scalar: Scalar, type_: ScalarType) -> str:
    """The annotation to write where the variable begins that makes `scalar` an i64; empty if it is none."""
    first = lowering.frame.first_literals.get(scalar.began)
    if first is None or not isinstance(type_, Int):
        return ""
    return f"`{scalar.began}` is an i64 since it begins with a literal; {first.format(type_)}"


def as_scalar(lowering: Lowering, node: ast.AST, operand: Operand, wanted: str = "a number") -> Scalar:
    """The operand if it is a scalar. Raises Refused, with what to write, for anything else."""
    if isinstance(operand, Scalar):
        return operand
    if isinstance(operand, (PacketByte, MaybeNumber)):
        from skverdict.dsl.frontend.maybe_numbers import sure_number

        return sure_number(lowering, node, operand)
    hint = ""
    if isinstance(operand, Reference):
        hint = _reference_hint(lowering, node, operand)
    elif isinstance(operand, GlobalValue):
        hint = f"it is `{operand.variable.name}.value`"
    elif isinstance(operand, PythonValue) and isinstance(operand.object, (str, bytes)):
        hint = _text_hint(operand.object)
    raise lowering.refuse(node, f"{wanted} is needed here, but this is {describe(operand)}", hint)


def _text_hint(text: str | bytes) -> str:
    """What number a text may be meant for."""
    if len(text) == 1:
        return f"write `ord({text!r})`"
    if isinstance(text, bytes):
        return ""
    from ipaddress import AddressValueError, IPv4Address

    from skverdict.dsl.catalogue.constants import CONSTANTS

    if text in CONSTANTS:
        return f"write `{text}` without quotes"
    try:
        return f"write the address as `be32({int(IPv4Address(text)):#010x})`"
    except AddressValueError:
        return ""


def _reference_hint(lowering: Lowering, node: ast.AST, operand: Reference) -> str:
    text = lowering.segment(node)
    if operand.nullable:
        there = _reference_hint(lowering, node, operand.altered(nullable=False))
        return f"test it with `{text} is None` first; then {there}"
    if isinstance(operand.target, Struct):
        return f"take a member, such as `{text}.{operand.target.members[0].name}`"
    if isinstance(operand.target, Array):
        return f"take an element, such as `{text}[0]`"
    return f"read it with `{text}.value`"


def literal(lowering: Lowering, node: ast.AST, scalar: Scalar, type_: ScalarType) -> Scalar:
    """An integer literal as `type_`. Raises Refused if it does not fit."""
    number = scalar.constant
    assert number is not None
    if isinstance(type_, Bool):
        raise lowering.refuse(
            node, f"a bool is needed here, but this is the number {scalar.text}", "write True or False"
        )
    if isinstance(type_, BigEndian):
        raise lowering.refuse(
            node,
            f"{with_article(type_)} is needed here, but this is the number {scalar.text}",
            f"write `{type_}({scalar.name or number})`",
        )
    if not fits(number, number, type_):
        low, high = limits(type_)
        bits = isinstance(type_, Int) and not type_.signed and -high <= number < 0
        hint = f"write `{type_}({number})` for the bits, which are {wrap(number, type_):#x}" if bits else ""
        raise lowering.refuse(node, f"{scalar.text} does not fit {type_} ({low} to {high})", hint)
    return Scalar(type_, constant=number)


def convert(lowering: Lowering, node: ast.AST, operand: Operand, type_: ScalarType) -> Scalar:
    """Implicit conversion. Raises Refused if it could lose something."""
    scalar = as_scalar(lowering, node, operand, with_article(type_))
    if scalar.type == type_:
        return Scalar(type_, scalar.value, scalar.constant, scalar.low, scalar.high) if scalar.flexible else scalar
    if scalar.type is None:
        return literal(lowering, node, scalar, type_)
    if isinstance(type_, Int) and isinstance(scalar.type, Int) and fits(scalar.low, scalar.high, type_):
        return _convert(lowering, node, scalar, type_)
    hint = annotation_hint(lowering, scalar, type_) or _cast_hint(lowering, node, scalar.type, type_)
    if lowering.frame.gives_length and type_ == I32 and isinstance(scalar.type, Int) and scalar.low >= limits(I32)[0]:
        hint = BOUND_LENGTH
    raise lowering.refuse(
        node, f"{with_article(type_)} is needed here, but this is {describe(scalar)}", hint
    )


# A length that a stranger chose, plus a header, is a small number if it wraps.
BOUND_LENGTH = (
    "refuse what is too long before you add to it, such as `if n > 65535: return -1` for a name `n`: "
    "what is left fits"
)


def warn_of_length(lowering: Lowering, length: Operand) -> None:
    """A message's length that may be a sum which was cut."""
    if isinstance(length, Scalar) and length.wrapped is not None and length.type == I32:
        lowering.scope.reporter.warning(
            length.wrapped.place,
            "32 bits may not hold this: what says that it is very long is taken for short",
            BOUND_LENGTH,
        )


def _cast_hint(lowering: Lowering, node: ast.AST, found: ScalarType, wanted: ScalarType) -> str:
    text = lowering.operand(node)
    if isinstance(wanted, Bool):
        return f"write `{text} != 0`" if isinstance(found, Int) else ""
    if isinstance(found, BigEndian):
        if isinstance(wanted, BigEndian):
            return f"write `{wanted}({text}.host())` if the number is meant"
        return f"write `{text}.host()` for the number or `{text}.raw()` for the bits"
    return f"write `{wanted}({lowering.segment(node)})`"


def _convert(lowering: Lowering, node: ast.AST, scalar: Scalar, type_: Int) -> Scalar:
    """To an integer type, wrapping; the range is kept where nothing is lost."""
    if scalar.constant is not None:
        return Scalar(type_, constant=wrap(scalar.constant, type_))
    if scalar.wrapped is not None and isinstance(scalar.type, Int) and scalar.type.bits < min(type_.bits, 32):
        _warn_of_wrap(lowering, scalar.wrapped, scalar.type, type_)
    value = lowering.emit(node, "convert", (lowering.value(node, scalar),), type_)
    wrapped = _kept_wrap(lowering, node, scalar, type_)
    if fits(scalar.low, scalar.high, type_):
        return Scalar(type_, value, low=scalar.low, high=scalar.high, wrapped=wrapped)
    return Scalar(type_, value, wrapped=wrapped)


def _kept_wrap(lowering: Lowering, node: ast.AST, scalar: Scalar, type_: Int) -> Wrapped | None:
    """The arithmetic in few bits that still matters after a conversion; for a length, what cuts it as well."""
    if not isinstance(scalar.type, Int):
        return None
    if type_.bits == scalar.type.bits:
        return scalar.wrapped
    fits_bits = any(fits(scalar.low, scalar.high, Int(type_.bits, signed)) for signed in (True, False))
    return Wrapped(lowering.place(node), "") if lowering.frame.gives_length and not fits_bits else None


def _warn_of_wrap(lowering: Lowering, wrapped: Wrapped, type_: Int, wider: Int) -> None:
    """In Python nothing would have been cut, so what is widened was hardly meant to be."""
    hint = f", such as `{wrapped.widened.format(wider)}`" if wrapped.widened else ""
    lowering.scope.reporter.warning(
        wrapped.place,
        f"this is computed as {with_article(type_)}, which wraps at {limits(type_)[1] + 1}",
        f"make one side of it {with_article(wider)} first{hint}",
    )


def cast(lowering: Lowering, node: ast.AST, operand: Operand, type_: ScalarType) -> Scalar:
    """What `type_(operand)` means. `node` is the argument. Raises Refused."""
    scalar = as_scalar(lowering, node, operand)
    if isinstance(type_, BigEndian):
        return _to_big_endian(lowering, node, scalar, type_)
    if isinstance(scalar.type, BigEndian):
        text = lowering.operand(node)
        raise lowering.refuse(
            node,
            f"{describe(scalar)} cannot become {with_article(type_)} without saying how",
            f"write `{text}.host()` for the number or `{text}.raw()` for the bits",
        )
    if isinstance(type_, Bool):
        return truth_value(lowering, node, scalar)
    if scalar.type is None:
        assert scalar.constant is not None
        return Scalar(type_, constant=wrap(scalar.constant, type_))
    if scalar.type == type_:
        return Scalar(type_, scalar.value, scalar.constant, scalar.low, scalar.high)
    return _convert(lowering, node, scalar, type_)


def _to_big_endian(lowering: Lowering, node: ast.AST, scalar: Scalar, type_: BigEndian) -> Scalar:
    if scalar.type == type_:
        return scalar
    if isinstance(scalar.type, BigEndian):
        text = lowering.operand(node)
        raise lowering.refuse(
            node,
            f"this is {with_article(scalar.type)} already, not a number",
            f"write `{type_}({text}.host())`",
        )
    number = convert(lowering, node, scalar, Int(type_.bits, signed=False))
    if number.constant is not None:
        return Scalar(type_, constant=number.constant)
    value = lowering.emit(node, "swap", (lowering.value(node, number),), type_)
    return Scalar(type_, value, low=number.low, high=number.high)


def truth_value(lowering: Lowering, node: ast.AST, scalar: Scalar) -> Scalar:
    """Whether an integer is not zero."""
    if isinstance(scalar.type, Bool):
        return scalar
    if scalar.constant is not None:
        return Scalar(BOOL, constant=int(scalar.constant != 0))
    if isinstance(scalar.type, BigEndian):
        text = lowering.operand(node)
        raise lowering.refuse(
            node, f"{with_article(scalar.type)} is neither true nor false", f"write `{text}.raw() != 0`"
        )
    assert scalar.type is not None
    zero = lowering.value(node, Scalar(scalar.type, constant=0))
    return Scalar(BOOL, lowering.emit(node, "ne", (lowering.value(node, scalar), zero), BOOL))


def unify(lowering: Lowering, nodes: tuple[ast.AST, ast.AST], first: Scalar, second: Scalar) -> ScalarType:
    """The type in which two numbers are added and the like. Raises Refused if there is none.

    A literal, and what is made of literals alone, takes the type of the other. Otherwise it is the smallest
    type that holds all numbers of both; there is none for an unsigned number of 64 bits and a signed one, so
    the signed one must be known not to be negative.
    """
    if first.type is None and second.type is None:
        raise AssertionError("two literals are folded")
    for node, one, other in ((nodes[0], first, second), (nodes[1], second, first)):
        if (one.type is None or (one.flexible and not other.flexible)) and other.type is not None:
            return _adapted(lowering, node, one, other.type)
    if first.flexible and second.flexible:
        return I64
    if first.type == second.type:
        assert first.type is not None
        return first.type
    if isinstance(first.type, Int) and isinstance(second.type, Int):
        both = common_type(first.type, second.type)
        if both is None and (first if first.type.signed else second).low >= 0:
            both = U64
        if both is not None:
            return both
    raise _nothing_in_common(lowering, nodes, first, second)


def _adapted(lowering: Lowering, node: ast.AST, scalar: Scalar, type_: ScalarType) -> ScalarType:
    """`type_`, which a number made of literals takes. Raises Refused if it may not fit."""
    if scalar.flexible and isinstance(type_, Int) and not fits(scalar.low, scalar.high, type_):
        low, high = limits(type_)
        raise lowering.refuse(
            node,
            f"this is {_extent(scalar)}, which does not fit {with_article(type_)} ({low} to {high})",
            f"write `i64({lowering.segment(node)})`, or give the other number a wider type",
        )
    return type_


def unify_to_compare(
    lowering: Lowering, nodes: tuple[ast.AST, ast.AST], first: Scalar, second: Scalar
) -> ScalarType:
    """The type in which two numbers are compared: any that holds what both can be. Raises Refused."""
    if isinstance(first.type, Int) and isinstance(second.type, Int) and first.type != second.type:
        for type_, other in ((first.type, second), (second.type, first)):
            if fits(other.low, other.high, type_):
                return type_
        both = common_type(first.type, second.type)
        if both is not None:
            return both
        raise _nothing_in_common(lowering, nodes, first, second)
    return unify(lowering, nodes, first, second)


def _nothing_in_common(
    lowering: Lowering, nodes: tuple[ast.AST, ast.AST], first: Scalar, second: Scalar
) -> Refused:
    left, right = nodes
    hint = ""
    if isinstance(first.type, Int) and isinstance(second.type, Int):
        hint = (
            annotation_hint(lowering, first, second.type)
            or annotation_hint(lowering, second, first.type)
            or f"write `{first.type}({lowering.segment(right)})` or `{second.type}({lowering.segment(left)})`"
        )
    elif isinstance(first.type, BigEndian) != isinstance(second.type, BigEndian):
        order = left if isinstance(first.type, BigEndian) else right
        hint = f"write `{lowering.operand(order)}.host()`"
    return lowering.refuse(
        right, f"{describe(first)} and {describe(second)} have no type in common", hint
    )


def _extent(scalar: Scalar) -> str:
    return str(scalar.low) if scalar.low == scalar.high else f"{scalar.low} to {scalar.high}"
