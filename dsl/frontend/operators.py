"""Arithmetic: Python's operators on numbers of fixed width, folded where both operands are known."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import NamedTuple

from skverdict.dsl.frontend.conditions import as_bool
from skverdict.dsl.frontend.convert import as_scalar, convert, fits, literal, unify, wrap
from skverdict.dsl.frontend.dispatch import evaluate, expression
from skverdict.dsl.frontend.lowering import Lowering
from skverdict.dsl.frontend.ranges import RANGES
from skverdict.dsl.frontend.values import Operand, Scalar, Wrapped, constant, describe, limits, with_article
from skverdict.dsl.ir.types import BOOL, I64, BigEndian, Bool, Int


class Operator(NamedTuple):
    """A binary operator: Python's spelling, the IR's operation, and its meaning on Python's integers."""

    symbol: str
    name: str
    python: Callable[[int, int], int]


OPERATORS: dict[type[ast.operator], Operator] = {
    ast.Add: Operator("+", "add", operator.add),
    ast.Sub: Operator("-", "sub", operator.sub),
    ast.Mult: Operator("*", "mul", operator.mul),
    ast.FloorDiv: Operator("//", "div", operator.floordiv),
    ast.Mod: Operator("%", "mod", operator.mod),
    ast.BitAnd: Operator("&", "and", operator.and_),
    ast.BitOr: Operator("|", "or", operator.or_),
    ast.BitXor: Operator("^", "xor", operator.xor),
    ast.LShift: Operator("<<", "shl", operator.lshift),
    ast.RShift: Operator(">>", "shr", operator.rshift),
}

_SHIFTS = ("shl", "shr")
# What makes numbers that need more bits, and the bits of numbers that are taken to have enough of them.
_GROWS = ("add", "mul", "shl")
_WIDE = 32
_BITWISE = ("and", "or", "xor")
_BOOLEAN = {"and": "and", "or": "or", "xor": "!="}

# A literal's arithmetic is Python's, but no literal that a program can use has more bits than this.
LITERAL_BITS = 4096


@expression(ast.BinOp)
def binary_operation(lowering: Lowering, node: ast.BinOp) -> Operand:
    left = evaluate(lowering, node.left)
    right = evaluate(lowering, node.right)
    return binary(lowering, node, node.op, (node.left, node.right), left, right)


def binary(
    lowering: Lowering,
    node: ast.AST,
    operation: ast.operator,
    nodes: tuple[ast.expr, ast.expr],
    left: Operand,
    right: Operand,
) -> Scalar:
    """`left operation right`. Raises Refused."""
    rule = OPERATORS.get(type(operation))
    if rule is None:
        if isinstance(operation, ast.Pow):
            return _power(lowering, node, left, right)
        raise _no_operator(lowering, node, operation)
    first = _number(lowering, nodes[0], left, rule)
    second = _number(lowering, nodes[1], right, rule)
    if rule.name in ("div", "mod") and second.constant == 0:
        raise lowering.refuse(nodes[1], "division by zero")
    if first.type is None and second.type is None:
        return constant(_fold_literals(lowering, node, nodes, rule, first, second))
    if rule.name in _SHIFTS and not (is_of_literals(first) and is_of_literals(second)):
        return _shift(lowering, node, nodes, rule, first, second)
    if rule.name in _BITWISE:
        first, second = _mask(first, second), _mask(second, first)
    type_ = unify(lowering, nodes, first, second)
    assert isinstance(type_, Int)
    _check_literals(lowering, node, nodes, rule, (first, second), type_)
    if is_of_literals(first) and is_of_literals(second):
        return _flexible(lowering, node, rule, nodes, first, second)
    began = first.began or second.began
    first, second = convert(lowering, nodes[0], first, type_), convert(lowering, nodes[1], second, type_)
    return _apply(lowering, node, rule, first, second, type_, began)


def _check_literals(
    lowering: Lowering,
    node: ast.AST,
    nodes: tuple[ast.expr, ast.expr],
    rule: Operator,
    numbers: tuple[Scalar, Scalar],
    type_: Int,
) -> None:
    """Raises Refused for `byte * 256`: the literal is no u8, so the byte is to be made wider."""
    for number, this in zip(numbers, nodes, strict=True):
        if number.type is not None or number.low < 0 or fits(number.low, number.high, type_):
            continue
        wider = [Int(bits, type_.signed) for bits in (32, 64) if fits(0, number.high, Int(bits, type_.signed))]
        written = _widened(lowering, node, rule, numbers[0])
        hint = f"write `{written.format(wider[0])}`" if wider and written else ""
        low, high = limits(type_)
        raise lowering.refuse(this, f"{number.text} does not fit {type_} ({low} to {high})", hint)


def is_of_literals(scalar: Scalar) -> bool:
    """True for a literal, and for a number that comes of literals alone."""
    return scalar.flexible or scalar.type is None


def _flexible(
    lowering: Lowering,
    node: ast.AST,
    rule: Operator,
    nodes: tuple[ast.expr, ast.expr],
    first: Scalar,
    second: Scalar,
) -> Scalar:
    """An operation on numbers that come of literals: Python's integers, so the result must fit 64 bits."""
    found = RANGES[rule.name]((first.low, first.high), (second.low, second.high))
    if rule.name in _SHIFTS and not 0 <= second.low <= second.high < I64.bits:
        found = None
    if found is None and rule.name not in ("add", "sub", "mul", "shl"):
        # Nothing tighter is known, but these cannot leave the type.
        found = limits(I64)
    if found is None or not fits(*found, I64):
        text = lowering.segment(nodes[0])
        raise lowering.refuse(node, "this may need more than 64 bits", f"write `i64({text})` to let it wrap")
    first, second = convert(lowering, nodes[0], first, I64), convert(lowering, nodes[1], second, I64)
    value = lowering.emit(node, rule.name, (lowering.value(node, first), lowering.value(node, second)), I64)
    return Scalar(I64, value, low=found[0], high=found[1], flexible=True)


def _number(lowering: Lowering, node: ast.expr, operand: Operand, rule: Operator) -> Scalar:
    scalar = as_scalar(lowering, node, operand)
    if isinstance(scalar.type, BigEndian):
        text = lowering.operand(node)
        raise lowering.refuse(
            node,
            f"`{rule.symbol}` does not work on {with_article(scalar.type)}: its bytes are in network order",
            f"write `{text}.host()` for the number or `{text}.raw()` for the bits",
        )
    if isinstance(scalar.type, Bool):
        word = _BOOLEAN.get(rule.name)
        hint = f"combine truth values with `{word}`" if word else f"write `u32({lowering.segment(node)})`"
        raise lowering.refuse(node, f"`{rule.symbol}` does not work on a bool", hint)
    return scalar


def _fold_literals(
    lowering: Lowering,
    node: ast.AST,
    nodes: tuple[ast.expr, ast.expr],
    rule: Operator,
    first: Scalar,
    second: Scalar,
) -> int:
    assert first.constant is not None and second.constant is not None
    if rule.name in _SHIFTS and not 0 <= second.constant < LITERAL_BITS:
        raise lowering.refuse(nodes[1], f"a shift by {second.constant} is out of range")
    result = rule.python(first.constant, second.constant)
    if result.bit_length() > LITERAL_BITS:
        raise lowering.refuse(node, "this number is too large")
    return result


def _power(lowering: Lowering, node: ast.AST, left: Operand, right: Operand) -> Scalar:
    """`10 ** 9`. Raises Refused for numbers that the program computes."""
    base, exponent = (
        operand.constant if isinstance(operand, Scalar) and operand.type is None else None for operand in (left, right)
    )
    if base is None or exponent is None or exponent < 0:
        raise lowering.refuse(node, "`**` is for literals alone, such as `10**9`", "write `1 << n` for a power of two")
    if base.bit_length() * exponent > LITERAL_BITS:
        raise lowering.refuse(node, "this number is too large")
    return constant(int(base**exponent))


def _mask(scalar: Scalar, other: Scalar) -> Scalar:
    """A negative literal as a bit pattern: `flags & ~1` means what it does in Python on unsigned types."""
    if scalar.type is None and isinstance(other.type, Int) and not other.type.signed:
        assert scalar.constant is not None
        if -(1 << (other.type.bits - 1)) <= scalar.constant < 0:
            return Scalar(other.type, constant=wrap(scalar.constant, other.type))
    return scalar


def _shift(
    lowering: Lowering,
    node: ast.AST,
    nodes: tuple[ast.expr, ast.expr],
    rule: Operator,
    value: Scalar,
    count: Scalar,
) -> Scalar:
    """The result has the type of what is shifted; a count that is not known is masked to the width."""
    if value.type is None:
        assert value.constant is not None and isinstance(count.type, Int)
        value = literal(lowering, nodes[0], value, count.type)
    began = value.began
    type_ = value.type
    assert isinstance(type_, Int)
    if count.constant is not None and not 0 <= count.constant < type_.bits:
        raise lowering.refuse(
            nodes[1],
            f"a shift by {count.constant} is out of range for {with_article(type_)} (0 to {type_.bits - 1})",
            _wide_enough(lowering, node, rule, type_, count.constant),
        )
    if count.type is None:
        assert count.constant is not None
        count = Scalar(type_, constant=count.constant)
    if count.type != type_:
        if count.low < 0:
            raise lowering.refuse(
                nodes[1], f"a shift count must not be negative, but this is {describe(count)}",
                f"write `u32({lowering.segment(nodes[1])})`",
            )  # fmt: skip
        if count.constant is not None:
            count = Scalar(type_, constant=count.constant)
        else:
            # Masking to the width needs only the low bits, so cutting the count loses nothing.
            cut = lowering.emit(node, "convert", (lowering.value(node, count),), type_)
            fit = fits(count.low, count.high, type_)
            count = Scalar(type_, cut, low=count.low, high=count.high) if fit else Scalar(type_, cut)
    return _apply(lowering, node, rule, value, count, type_, began)


def _wide_enough(lowering: Lowering, node: ast.AST, rule: Operator, type_: Int, count: int) -> str:
    """What to write where a number is shifted to the left by more bits than it has, as Python could."""
    wider = [bits for bits in (32, 64) if type_.bits + count <= bits]
    if rule.name != "shl" or not wider or not isinstance(node, ast.BinOp):
        return ""
    return f"write `{Int(wider[0], type_.signed)}({lowering.segment(node.left)}) << {lowering.operand(node.right)}`"


def _apply(
    lowering: Lowering,
    node: ast.AST,
    rule: Operator,
    first: Scalar,
    second: Scalar,
    type_: Int,
    began: str = "",
) -> Scalar:
    if first.constant is not None and second.constant is not None:
        return Scalar(type_, constant=wrap(rule.python(first.constant, second.constant), type_))
    value = lowering.emit(
        node, rule.name, (lowering.value(node, first), lowering.value(node, second)), type_
    )
    low, high = result_range(rule.name, first, second, type_)
    wrapped = None
    is_narrow = type_.bits < _WIDE or (type_.bits == _WIDE and lowering.frame.gives_length)
    if is_narrow and rule.name in _GROWS and not _stays(rule.name, first, second, type_):
        wrapped = Wrapped(lowering.place(node), _widened(lowering, node, rule, first))
    return Scalar(type_, value, low=low, high=high, began=began, wrapped=wrapped)


def result_range(name: str, first: Scalar, second: Scalar, type_: Int) -> tuple[int, int]:
    """What the result can be; all of the type if the operation may wrap."""
    found = _exact_range(name, first, second, type_)
    return found if found is not None and fits(*found, type_) else limits(type_)


def _exact_range(name: str, first: Scalar, second: Scalar, type_: Int) -> tuple[int, int] | None:
    """What the result could be if it did not wrap, if that is known."""
    count_low, count_high = second.low, second.high
    if name in _SHIFTS and not 0 <= count_low <= count_high < type_.bits:
        count_low, count_high = 0, type_.bits - 1
    return RANGES[name]((first.low, first.high), (count_low, count_high))


def _stays(name: str, first: Scalar, second: Scalar, type_: Int) -> bool:
    """True for a result that fits its type for certain."""
    found = _exact_range(name, first, second, type_)
    return found is not None and fits(*found, type_)


def _widened(lowering: Lowering, node: ast.AST, rule: Operator, first: Scalar) -> str:
    """An operation as it is written, with `{}` as the type of the side that is to be made wider."""
    if not isinstance(node, ast.BinOp):
        return ""
    first_changes = not is_of_literals(first) and first.constant is None
    left, right = (
        (lowering.segment if changes else lowering.operand)(side).replace("{", "{{").replace("}", "}}")
        for side, changes in ((node.left, first_changes), (node.right, not first_changes))
    )
    return f"{{}}({left}) {rule.symbol} {right}" if first_changes else f"{left} {rule.symbol} {{}}({right})"


def _no_operator(lowering: Lowering, node: ast.AST, operation: ast.operator) -> Exception:
    if isinstance(operation, ast.Div):
        return lowering.refuse(node, "`/` would give a float, which a program does not have", "write `//`")
    return lowering.refuse(node, "`@` is not supported")


@expression(ast.UnaryOp)
def unary_operation(lowering: Lowering, node: ast.UnaryOp) -> Operand:
    if isinstance(node.op, ast.Not):
        return _not(lowering, node)
    scalar = as_scalar(lowering, node.operand, evaluate(lowering, node.operand))
    symbol = {ast.USub: "-", ast.UAdd: "+", ast.Invert: "~"}[type(node.op)]
    if isinstance(scalar.type, (BigEndian, Bool)):
        text = lowering.operand(node.operand)
        hint = f"write `not {text}`" if isinstance(scalar.type, Bool) else f"write `{symbol}{text}.host()`"
        raise lowering.refuse(node, f"`{symbol}` does not work on {with_article(scalar.type)}", hint)
    if scalar.type is None:
        assert scalar.constant is not None
        return constant({"-": -scalar.constant, "+": scalar.constant, "~": ~scalar.constant}[symbol])
    if symbol == "+":
        return scalar
    type_ = scalar.type
    # -x is 0 - x, and ~x is x ^ -1, at any width.
    fixed = Scalar(type_, constant=0 if symbol == "-" else wrap(-1, type_))
    first, second = (fixed, scalar) if symbol == "-" else (scalar, fixed)
    rule = OPERATORS[ast.Sub if symbol == "-" else ast.BitXor]
    if scalar.flexible:
        return _flexible(lowering, node, rule, (node.operand, node.operand), first, second)
    return _apply(lowering, node, rule, first, second, type_)


def _not(lowering: Lowering, node: ast.UnaryOp) -> Scalar:
    found = as_bool(lowering, node.operand)
    if found.constant is not None:
        return Scalar(BOOL, constant=1 - found.constant)
    return Scalar(BOOL, lowering.emit(node, "not", (lowering.value(node, found),), BOOL))
