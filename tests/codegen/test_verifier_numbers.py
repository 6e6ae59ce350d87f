"""What is taken to be known of numbers holds for every number that they can be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from skverdict.codegen.machine import graph
from skverdict.codegen.verifier.numbers import (
    OPPOSITE,
    Number,
    Range,
    at_width,
    bounded,
    compute,
    decide,
    lower_half,
    of_size,
    refined,
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
NUMBERS = st.one_of(st.sampled_from(EDGES), st.integers(0, 300), st.integers(0, graph.MASK64))


@st.composite
def known(draw: st.DrawFn) -> tuple[Number, int]:
    """What is known of a number, and one that it may be."""
    number = draw(NUMBERS)
    other = draw(NUMBERS)
    return (number if draw(st.booleans()) else bounded(min(number, other), max(number, other))), number


def holds(code: int, bits: int, first: int, second: int) -> bool:
    mask = graph.MASK64 if bits == 64 else graph.MASK32

    def signed(number: int) -> int:
        return number - mask - 1 if number > mask >> 1 else number

    return COMPARISONS[code](first & mask, second & mask, signed)


@given(st.sampled_from(COMPUTATIONS), st.sampled_from((32, 64)), known(), known(), st.booleans())
def test_a_result_is_among_those_that_may_be(
    code: int, bits: int, first: tuple[Number, int], second: tuple[Number, int], signed: bool
) -> None:
    signed = signed and code in (graph.DIV, graph.MOD)
    exact = compute(code, bits, first[1], second[1], signed)
    assert isinstance(exact, int)
    assert within(exact, compute(code, bits, first[0], second[0], signed))


@given(st.sampled_from(list(COMPARISONS)), st.sampled_from((32, 64)), known(), known())
def test_a_comparison_is_decided_as_it_comes_out(
    code: int, bits: int, first: tuple[Number, int], second: tuple[Number, int]
) -> None:
    assert decide(code, bits, first[0], second[0]) in (None, holds(code, bits, first[1], second[1]))
    assert decide(code, bits, first[1], second[1]) is holds(code, bits, first[1], second[1])


@given(st.sampled_from(list(COMPARISONS)), st.sampled_from((32, 64)), known(), NUMBERS)
def test_a_number_stays_possible_on_the_way_that_it_takes(
    code: int, bits: int, number: tuple[Number, int], bound: int
) -> None:
    if isinstance(number[0], int):
        return
    taken = code if holds(code, bits, number[1], bound) else OPPOSITE[code]
    assert within(number[1], refined(taken, bits, number[0], bound))


def test_what_tests_leave_is_known() -> None:
    number = of_size(8)
    assert isinstance(number, Range)
    small = refined(graph.JSLE, 64, number, 64)
    assert isinstance(small, Range)
    counted = refined(graph.JSGE, 64, small, 0)
    assert at_width(counted, 64)[:2] == (0, 64)
    assert refined(graph.JEQ, 64, number, 7) == 7
    assert lower_half(number) == of_size(4)
    assert decide(graph.JGT, 64, counted, 64) is False


@pytest.mark.parametrize(
    ("code", "bits", "first", "second", "result"),
    [
        (graph.ADD, 64, bounded(1, 64), graph.MASK64, bounded(0, 63)),
        (graph.SUB, 32, bounded(5, 9), 5, bounded(0, 4)),
        (graph.AND, 64, of_size(8), 15, bounded(0, 15)),
        (graph.RSH, 32, of_size(4), 24, of_size(1)),
        (graph.MUL, 64, of_size(1), 4, bounded(0, 1020)),
        (graph.DIV, 64, 9, 0, 0),
        (graph.MOD, 64, 9, 0, 9),
        (graph.MOD, 64, of_size(2), 10, bounded(0, 9)),
    ],
)
def test_bounds(code: int, bits: int, first: Number, second: Number, result: Number) -> None:
    assert compute(code, bits, first, second) == result
