"""Arithmetic means in the object what it means in Python, at every width, on every processor version."""

from __future__ import annotations

import operator
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skverdict.codegen import Object, Target
from skverdict.dsl.ir.module import Function, Value
from skverdict.dsl.ir.types import (
    BE16,
    BE32,
    BE64,
    BOOL,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    BigEndian,
    Int,
)

from tests.codegen.ir_kit import ProgramBuilder, compiled, run_scalars, scalar_program

INTEGERS = (U8, U16, U32, U64, I8, I16, I32, I64)
NETWORK = {BE16: U16, BE32: U32, BE64: U64}
COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")
COMPARED_WITH: tuple[int | str, ...] = (0, 1, 5, "x", "y")
BY_CONSTANT = ("div", "mod", "shl", "shr")
CONSTANTS = {False: (0, 1, 2, 3, 7, 10, 255), True: (0, 1, 2, 3, 7, 16, -1, -2, -7)}


def wrap(number: int, type_: Int) -> int:
    number &= (1 << type_.bits) - 1
    return number - (1 << type_.bits) if type_.signed and number >> (type_.bits - 1) else number


def shift_count(y: int, type_: Int) -> int:
    return y & (type_.bits - 1)


MEANING = {
    "add": lambda x, y, t: x + y,
    "sub": lambda x, y, t: x - y,
    "mul": lambda x, y, t: x * y,
    "div": lambda x, y, t: x // y if y else 0,
    "mod": lambda x, y, t: x % y if y else x,
    "and": lambda x, y, t: x & y,
    "or": lambda x, y, t: x | y,
    "xor": lambda x, y, t: x ^ y,
    "shl": lambda x, y, t: x << shift_count(y, t),
    "shr": lambda x, y, t: x >> shift_count(y, t),
}


def label(*parts: object) -> str:
    return "_".join(map(str, parts)).replace("-", "minus")


def _binary(name: str, type_: Int) -> Function:
    def body(b: ProgramBuilder, x: Value, y: Value) -> Value:
        return b.get(type_, name, x, y)

    return scalar_program(label(name, type_), (type_, type_), type_, body)


def _by_constant(name: str, type_: Int, constant: int) -> Function:
    def body(b: ProgramBuilder, x: Value) -> Value:
        return b.get(type_, name, x, b.const(type_, constant))

    return scalar_program(label(name, type_, constant), (type_,), type_, body)


def _comparison(name: str, type_: Int) -> Function:
    def body(b: ProgramBuilder, x: Value, y: Value) -> Value:
        return b.get(U8, "convert", b.get(BOOL, name, x, y))

    return scalar_program(label(name, type_), (type_, type_), U8, body)


def _compared(name: str, comparison: str, type_: Int, other: int | str) -> Function:
    """A quotient or remainder compared with a constant, or with an operand of the division."""

    def body(b: ProgramBuilder, x: Value, y: Value) -> Value:
        right = b.const(type_, other) if isinstance(other, int) else {"x": x, "y": y}[other]
        return b.get(U8, "convert", b.get(BOOL, comparison, b.get(type_, name, x, y), right))

    return scalar_program(label(name, comparison, type_, other), (type_, type_), U8, body)


def _conversion(source: Int, to: Int) -> Function:
    def body(b: ProgramBuilder, x: Value) -> Value:
        return b.get(to, "convert", x)

    return scalar_program(label("convert", source, to), (source,), to, body)


def _network(name: str, source: Int | BigEndian, to: Int | BigEndian) -> Function:
    def body(b: ProgramBuilder, x: Value) -> Value:
        return b.get(to, name, x)

    return scalar_program(label(name, source, to), (source,), to, body)


def _functions() -> list[Function]:
    functions = [_binary(name, type_) for name in MEANING for type_ in INTEGERS]
    functions += [_comparison(name, type_) for name in COMPARISONS for type_ in INTEGERS]
    functions += [
        _by_constant(name, type_, constant)
        for name in BY_CONSTANT
        for type_ in INTEGERS
        for constant in CONSTANTS[type_.signed]
    ]
    functions += [
        _compared(name, comparison, type_, other)
        for name in ("div", "mod")
        for comparison in ("eq", "lt", "gt")
        for type_ in INTEGERS
        for other in COMPARED_WITH
    ]
    functions += [_conversion(source, to) for source in INTEGERS for to in INTEGERS]
    for network, host in NETWORK.items():
        for name in ("swap", "reinterpret"):
            functions += [_network(name, network, host), _network(name, host, network)]
    return functions


@cache
def object_for(target: Target) -> Object:
    """All operations at all types in one object."""
    return compiled(*_functions(), target=target)


def numbers(type_: Int | BigEndian) -> st.SearchStrategy[int]:
    """Numbers of a type, the ends of its range and small ones more often than they deserve."""
    signed = isinstance(type_, Int) and type_.signed
    low = -(1 << (type_.bits - 1)) if signed else 0
    high = low + (1 << type_.bits) - 1
    edges = [low, low + 1, 0, 1, 2, 3, high - 1, high] + ([-1, -2, -3] if signed else [])
    return st.one_of(st.integers(low, high), st.sampled_from(edges))


# Signed division is by hand before v4, 32-bit instructions come with v3, and byte order only decides swaps.
TARGETS = (Target("v1"), Target("v2", "big"), Target("v3"), Target("v4", "big"))
pytestmark = pytest.mark.parametrize("target", TARGETS, ids=repr)


@settings(max_examples=100, deadline=None)
@given(data=st.data(), name=st.sampled_from(sorted(MEANING)), type_=st.sampled_from(INTEGERS))
def test_operations_wrap_and_divide_as_defined(
    target: Target, data: st.DataObject, name: str, type_: Int
) -> None:
    x, y = data.draw(numbers(type_)), data.draw(numbers(type_))
    result = run_scalars(object_for(target), label(name, type_), (type_, type_), type_, (x, y))
    assert result == wrap(MEANING[name](x, y, type_), type_)


@settings(max_examples=100, deadline=None)
@given(data=st.data(), name=st.sampled_from(BY_CONSTANT), type_=st.sampled_from(INTEGERS))
def test_a_constant_divisor_or_count_changes_nothing(
    target: Target, data: st.DataObject, name: str, type_: Int
) -> None:
    x, constant = data.draw(numbers(type_)), data.draw(st.sampled_from(CONSTANTS[type_.signed]))
    result = run_scalars(object_for(target), label(name, type_, constant), (type_,), type_, (x,))
    assert result == wrap(MEANING[name](x, constant, type_), type_)


@pytest.mark.parametrize("comparison", ["eq", "lt", "gt"])
@pytest.mark.parametrize("name", ["div", "mod"])
def test_a_zero_divisor_s_result_compares_as_what_it_is(target: Target, name: str, comparison: str) -> None:
    """`x // y == 0` is not `x < y`, nor is `x % y < y` certain, where y is 0."""
    for type_ in INTEGERS:
        for x, y in ((0, 0), (7, 0), (9, 2), (1, 3), (7, 7)):
            for other in COMPARED_WITH:
                function = label(name, comparison, type_, other)
                result = run_scalars(object_for(target), function, (type_, type_), U8, (x, y))
                left, right = MEANING[name](x, y, type_), {"x": x, "y": y}.get(other, other)
                assert result == getattr(operator, comparison)(left, right), (type_, x, y, other)


@settings(max_examples=50, deadline=None)
@given(data=st.data(), name=st.sampled_from(COMPARISONS), type_=st.sampled_from(INTEGERS))
def test_comparisons(target: Target, data: st.DataObject, name: str, type_: Int) -> None:
    x = data.draw(numbers(type_))
    y = data.draw(st.one_of(numbers(type_), st.just(x)))
    result = run_scalars(object_for(target), label(name, type_), (type_, type_), U8, (x, y))
    assert result == getattr(operator, name)(x, y)


@settings(max_examples=40, deadline=None)
@given(data=st.data(), source=st.sampled_from(INTEGERS), to=st.sampled_from(INTEGERS))
def test_conversion_extends_by_the_source_and_truncates(
    target: Target, data: st.DataObject, source: Int, to: Int
) -> None:
    x = data.draw(numbers(source))
    result = run_scalars(object_for(target), label("convert", source, to), (source,), to, (x,))
    assert result == wrap(x, to)


@settings(max_examples=20, deadline=None)
@given(data=st.data(), network=st.sampled_from(list(NETWORK)))
def test_swap_keeps_the_number_and_reinterpret_the_bytes(
    target: Target, data: st.DataObject, network: BigEndian
) -> None:
    host, object_ = NETWORK[network], object_for(target)
    x = data.draw(numbers(host))
    reversed_ = int.from_bytes(x.to_bytes(host.bits // 8, "big"), "little")
    as_bytes = reversed_ if target.endian == "little" else x

    assert run_scalars(object_, label("swap", host, network), (host,), network, (x,)) == x
    assert run_scalars(object_, label("swap", network, host), (network,), host, (x,)) == x
    assert run_scalars(object_, label("reinterpret", host, network), (host,), network, (x,)) == as_bytes
    assert run_scalars(object_, label("reinterpret", network, host), (network,), host, (x,)) == as_bytes
