"""Integers as C counts with them: constant expressions of 32 and 64 bits, signed or not."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from skverdict.dsl.c.errors import CError
from skverdict.dsl.scalars import be16, be32, be64

if TYPE_CHECKING:
    from lark import Token, Tree
    from skverdict.dsl.scalars import BigEndian


class Number(NamedTuple):
    """An integer of type `int`, `unsigned`, `long` or `unsigned long`."""

    value: int
    bits: int = 32
    signed: bool = True


# Functions of headers that make a constant: how many bits, and what comes out.
_BIT_MACROS = {"BIT": 64, "_BITUL": 64, "_BITULL": 64, "BIT_ULL": 64}
_NETWORK_ORDER: dict[str, type[BigEndian]] = {
    **dict.fromkeys(("__constant_htons", "__constant_cpu_to_be16", "htons", "bpf_htons"), be16),
    **dict.fromkeys(("__constant_htonl", "__constant_cpu_to_be32", "htonl", "bpf_htonl"), be32),
    **dict.fromkeys(("__constant_cpu_to_be64", "bpf_cpu_to_be64"), be64),
}
_ESCAPES = {"n": 10, "t": 9, "r": 13, "0": 0, "a": 7, "b": 8, "f": 12, "v": 11, "\\": 92, "'": 39, '"': 34}

_ARITHMETIC: dict[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "|": operator.or_,
    "^": operator.xor,
    "&": operator.and_,
}
_TESTS: dict[str, Callable[[int, int], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "&&": lambda a, b: bool(a) and bool(b),
    "||": lambda a, b: bool(a) or bool(b),
}


class Evaluator:
    """Evaluates expressions; `lookup` gives the constant of a name, `size_of` the bytes of a type."""

    def __init__(
        self, lookup: Callable[[Token], Number | BigEndian], size_of: Callable[[Tree[Token]], int]
    ) -> None:
        self._lookup = lookup
        self._size_of = size_of

    def constant(self, node: Tree[Token]) -> Number | BigEndian:
        """An expression, or a number in network order as `htonl(...)` makes one. Raises CError."""
        if node.data == "constant":
            return self._lookup(_token(node, 0))
        if node.data == "call" and str(node.children[0]) in _NETWORK_ORDER:
            (argument,) = self._arguments(node, 1)
            kind = _NETWORK_ORDER[str(node.children[0])]
            if not 0 <= argument.value < 1 << kind.BITS:
                raise CError(f"{argument.value} does not fit {kind.__name__}", *place_of(node))
            return kind(argument.value)
        return self.number(node)

    def number(self, node: Tree[Token]) -> Number:
        """Raises CError for an expression that is no integer."""
        rule = getattr(self, f"_{node.data}")
        found: Number = rule(node)
        return found

    def _number(self, node: Tree[Token]) -> Number:
        text = str(node.children[0])
        digits = text.rstrip("uUlL")
        suffix = text[len(digits) :].lower()
        octal = len(digits) > 1 and digits[0] == "0" and digits[1] not in "xXbB"
        try:
            value = int(digits, 8 if octal else 0)
        except ValueError:
            raise CError(f"`{text}` is no number", *place_of(node)) from None
        if value >= 1 << 64:
            raise CError(f"`{text}` does not fit 64 bits", *place_of(node))
        unsigned = "u" in suffix
        bits = 64 if "l" in suffix or value >= 1 << (32 if unsigned else 31) else 32
        if digits[0] == "0" and bits == 64 and value < 1 << 32 and "l" not in suffix:
            bits, unsigned = 32, True
        return Number(value, bits, not unsigned and value < 1 << 63)

    def _character(self, node: Tree[Token]) -> Number:
        text = str(node.children[0])[1:-1]
        if text[0] != "\\":
            return Number(ord(text))
        if text[1] not in _ESCAPES:
            raise CError(f"`'{text}'` is not supported", *place_of(node))
        return Number(_ESCAPES[text[1]])

    def _constant(self, node: Tree[Token]) -> Number:
        found = self._lookup(_token(node, 0))
        if not isinstance(found, Number):
            raise CError(f"`{node.children[0]}` is in network order", *place_of(node))
        return found

    def _call(self, node: Tree[Token]) -> Number:
        name = str(node.children[0])
        if name in _BIT_MACROS:
            (shift,) = self._arguments(node, 1)
            return _wrapped(1 << (shift.value & 63), 64, signed=False)
        raise CError(f"the function `{name}` is not known here", *place_of(node))

    def _arguments(self, node: Tree[Token], count: int) -> list[Number]:
        given = [child for child in node.children[1:] if child is not None]
        if len(given) != count:
            raise CError(f"`{node.children[0]}` takes {count} argument", *place_of(node))
        return [self.number(child) for child in given]  # type: ignore[arg-type]

    def _size(self, node: Tree[Token]) -> Number:
        return Number(self._size_of(node), 64, signed=False)

    def _choose(self, node: Tree[Token]) -> Number:
        test, then, otherwise = (self.number(child) for child in node.children)  # type: ignore[arg-type]
        return then if test.value else otherwise

    def _unary(self, node: Tree[Token]) -> Number:
        symbol, operand = str(node.children[0]), self.number(node.children[1])  # type: ignore[arg-type]
        value, bits, signed = operand
        if symbol == "!":
            return Number(int(not value))
        return _wrapped({"-": -value, "+": value, "~": ~value}[symbol], bits, signed)

    def _binary(self, node: Tree[Token]) -> Number:
        left, middle, right = node.children
        first, second = self.number(left), self.number(right)  # type: ignore[arg-type]
        symbol = str(middle)
        if symbol in ("<<", ">>"):
            if not 0 <= second.value < first.bits:
                raise CError(f"a shift by {second.value} is out of range", *place_of(node))
            shift = operator.lshift if symbol == "<<" else operator.rshift
            return _wrapped(shift(first.value, second.value), first.bits, first.signed)
        bits = max(first.bits, second.bits)
        unsigned = any(not one.signed and one.bits == bits for one in (first, second))
        a, b = (_wrapped(one.value, bits, not unsigned).value for one in (first, second))
        if symbol in _TESTS:
            return Number(int(_TESTS[symbol](a, b)))
        if symbol in _ARITHMETIC:
            return _wrapped(_ARITHMETIC[symbol](a, b), bits, not unsigned)
        if b == 0:
            raise CError("division by zero", *place_of(node))
        quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
        return _wrapped(quotient if symbol == "/" else a - quotient * b, bits, not unsigned)


def _wrapped(value: int, bits: int, signed: bool) -> Number:
    value &= (1 << bits) - 1
    if signed and value >> (bits - 1):
        value -= 1 << bits
    return Number(value, bits, signed)


def _token(node: Tree[Token], index: int) -> Token:
    child = node.children[index]
    assert isinstance(child, str)
    return child


def place_of(node: Tree[Token] | Token) -> tuple[int, int]:
    """Line and column where a part of the text begins."""
    meta = getattr(node, "meta", node)
    return int(getattr(meta, "line", 1) or 1), int(getattr(meta, "column", 1) or 1)
