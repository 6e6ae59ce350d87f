"""What is taken to be known of numbers holds for every number that they can be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from skverdict.codegen.machine import graph
from skverdict.codegen.machine.graph import OPPOSITE
from skverdict.codegen.verifier.arithmetic import compute, negated
from skverdict.codegen.verifier.comparisons import NOT_SET, decide, refined
from skverdict.codegen.verifier.numbers import (
    NEWEST,
    UNKNOWN,
    Number,
    Range,
    at_width,
    bounded,
    extended,
    lower_half,
    of_size,
    truncated,
    within,
)

COMPUTATIONS = (
    graph.ADD, graph.SUB, graph.MUL, graph.DIV, graph.MOD, graph.AND, graph.OR, graph.XOR, graph.LSH, graph.RSH,
    graph.ARSH,
)  # fmt: skip
COMPARISONS = {
    graph.JEQ: lambda a, b, signed: a == b,
    graph.JNE: lambda a, b, signed: a != b,
    graph.JGT: lambda a, b, signed: a > b,
    graph.JGE: lambda a, b, signed: a >= b,
    graph.JLT: lambda a, b, signed: a < b,
    graph.JLE: lambda a, b, signed: a <= b,
    graph.JSGT: lambda a, b, signed: signed(a) > signed(b),
    graph.JSGE: lambda a, b, signed: signed(a) >= signed(b),
    graph.JSLT: lambda a, b, signed: signed(a) < signed(b),
    graph.JSLE: lambda a, b, signed: signed(a) <= signed(b),
}
EDGES = (0, 1, 2, 63, 64, 255, 1 << 31, (1 << 31) - 1, 1 << 32, (1 << 32) - 1, 1 << 63, (1 << 63) - 1, (1 << 64) - 1)
WIDTHS = st.sampled_from((32, 64))
AGES = st.integers(0, NEWEST)
NUMBERS = st.one_of(st.sampled_from(EDGES), st.integers(0, 300), st.integers(0, graph.MASK64))


@st.composite
def known(draw: st.DrawFn) -> tuple[Number, int]:
    """What is known of a number, and one that it may be: bounds, known bits, or what some steps left of it."""
    number = draw(NUMBERS)
    other = draw(NUMBERS)
    if draw(st.booleans()):
        return number, number
    found: Number = bounded(min(number, other), max(number, other))
    for _ in range(draw(st.integers(0, 2))):
        code, bits, operand = draw(st.sampled_from((graph.AND, graph.OR, graph.ADD))), draw(WIDTHS), draw(NUMBERS)
        found, exact = compute(code, bits, found, operand), compute(code, bits, number, operand)
        assert isinstance(exact, int)
        number = exact
    return found, number


def holds(code: int, bits: int, first: int, second: int) -> bool:
    mask = graph.MASK64 if bits == 64 else graph.MASK32

    def signed(number: int) -> int:
        return number - mask - 1 if number > mask >> 1 else number

    return COMPARISONS[code](first & mask, second & mask, signed)


@given(st.sampled_from(COMPUTATIONS), WIDTHS, known(), known(), st.booleans(), AGES)
def test_a_result_is_among_those_that_may_be(
    code: int, bits: int, first: tuple[Number, int], second: tuple[Number, int], signed: bool, age: int
) -> None:
    signed = signed and code in (graph.DIV, graph.MOD)
    exact = compute(code, bits, first[1], second[1], signed)
    assert isinstance(exact, int)
    assert within(exact, compute(code, bits, first[0], second[0], signed, age))


@given(known(), st.sampled_from((1, 2, 4)), AGES)
def test_what_is_cut_off_is_among_what_may_be(number: tuple[Number, int], size: int, age: int) -> None:
    mask = (1 << 8 * size) - 1
    assert within(number[1] & mask, truncated(number[0], size, age))
    assert within(number[1] & graph.MASK32, lower_half(number[0], age))
    assert within(extended(number[1], 8 * size), extended(number[0], 8 * size))
    assert within(-number[1] & graph.MASK64, negated(64, number[0], age))


@given(st.sampled_from(list(COMPARISONS)), WIDTHS, known(), known(), AGES)
def test_a_comparison_is_decided_as_it_comes_out(
    code: int, bits: int, first: tuple[Number, int], second: tuple[Number, int], age: int
) -> None:
    assert decide(code, bits, first[0], second[0], age) in (None, holds(code, bits, first[1], second[1]))
    assert decide(code, bits, first[1], second[1], age) is holds(code, bits, first[1], second[1])


@given(st.sampled_from(list(COMPARISONS)), WIDTHS, known(), known(), AGES)
def test_numbers_stay_possible_on_the_way_that_they_take(
    code: int, bits: int, first: tuple[Number, int], second: tuple[Number, int], age: int
) -> None:
    taken = code if holds(code, bits, first[1], second[1]) else OPPOSITE[code]
    found = refined(taken, bits, first[0], second[0], age)
    assert found is not None
    assert within(first[1], found[0])
    assert within(second[1], found[1])


@given(WIDTHS, known(), known(), AGES)
def test_bits_stay_possible_that_were_tested(
    bits: int, first: tuple[Number, int], second: tuple[Number, int], age: int
) -> None:
    has = bool(first[1] & second[1] & (graph.MASK32 if bits == 32 else graph.MASK64))
    assert decide(graph.JSET, bits, first[0], second[0], age) in (None, has)
    found = refined(graph.JSET if has else NOT_SET, bits, first[0], second[0], age)
    assert found is not None
    assert within(first[1], found[0])
    assert within(second[1], found[1])


def test_what_tests_leave_is_known() -> None:
    number = of_size(8)
    assert isinstance(number, Range)
    small = refined(graph.JSLE, 64, number, 64)
    assert small is not None
    counted, _ = refined(graph.JSGE, 64, small[0], 0) or (UNKNOWN, 0)
    assert at_width(counted, 64)[:2] == (0, 64)
    assert refined(graph.JEQ, 64, number, 7) == (7, 7)
    assert refined(graph.JGT, 64, counted, 64) is None
    assert lower_half(number) == of_size(4)
    assert decide(graph.JGT, 64, counted, 64) is False


@pytest.mark.parametrize(
    ("code", "bits", "first", "second", "result"),
    [
        (graph.ADD, 64, bounded(1, 64), graph.MASK64, bounded(0, 63)),
        (graph.SUB, 32, bounded(5, 9), 5, bounded(0, 4)),
        (graph.AND, 64, of_size(8), 15, bounded(0, 15)),
        (graph.OR, 64, bounded(0, 4), bounded(0, 3), bounded(0, 7)),
        (graph.RSH, 32, of_size(4), 24, of_size(1)),
        (graph.MUL, 64, of_size(1), 5, bounded(0, 1275)),
        (graph.DIV, 64, 9, 0, 0),
        (graph.MOD, 64, 9, 0, 9),
        (graph.MOD, 64, of_size(2), 10, bounded(0, 9)),
    ],
)
def test_bounds(code: int, bits: int, first: Number, second: Number, result: Number) -> None:
    assert compute(code, bits, first, second) == result
