"""Arithmetic wraps at the type's width and means what it means in Python, folded or computed."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skverdict.dsl.ir.types import BE16, BE32, BE64, I8, I16, I32, I64, SCALARS, U8, U16, U32, U64, Int

from tests.dsl.policy_kit import Machine, compiled, hint, operations, program, returned

TYPES = (U8, U16, U32, U64, I8, I16, I32, I64)
OPERATORS: dict[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": operator.floordiv,
    "%": operator.mod,
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
}
COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def wrap(number: int, type_: Int) -> int:
    number &= (1 << type_.bits) - 1
    return number - (1 << type_.bits) if type_.signed and number >> (type_.bits - 1) else number


def extremes(type_: Int) -> tuple[int, int]:
    """The smallest and the largest number of a type."""
    if type_.signed:
        return -(1 << (type_.bits - 1)), (1 << (type_.bits - 1)) - 1
    return 0, (1 << type_.bits) - 1


def common(first: Int, second: Int) -> Int | None:
    """The smallest type that holds every number of both, written out as a list to search."""
    needed = {number for each in (first, second) for number in extremes(each)}
    for type_ in (U8, I8, U16, I16, U32, I32, U64, I64):
        low, high = extremes(type_)
        if all(low <= number <= high for number in needed):
            return type_
    return None


PAIRS = [(a, b) for a in TYPES for b in TYPES if common(a, b)]


@cache
def calculator() -> Machine:
    """Programs for each pair of types: operands from the packet, every operator's result behind them."""
    text = []
    for a, b in PAIRS:
        result = common(a, b)
        members = "".join(f"    r{index}: {result}\n" for index in range(len(OPERATORS)))
        truths = "".join(f"    t{index}: bool\n" for index in range(len(COMPARISONS)))
        text.append(f"class Frame_{a}_{b}(Struct):\n    a: {a}\n    b: {b}\n{members}{truths}\n")
        lines = [f"    v.r{index} = v.a {symbol} v.b\n" for index, symbol in enumerate(OPERATORS)]
        lines += [f"    v.t{index} = v.a {symbol} v.b\n" for index, symbol in enumerate(COMPARISONS)]
        text.append(
            f"@skb_verdict\ndef p_{a}_{b}(ctx: SkSkb) -> i32:\n"
            f"    v = ctx.data.view(Frame_{a}_{b}, 0)\n    if v is None:\n        return 0\n"
            f"{''.join(lines)}    return 1\n\n"
        )
    return Machine(compiled("".join(text)))


def numbers(type_: Int) -> st.SearchStrategy[int]:
    low, high = extremes(type_)
    return st.integers(low, high) | st.sampled_from([low, high, 0, 1, high // 2])


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_operators_on_every_pair_of_types(data: st.DataObject) -> None:
    a, b = data.draw(st.sampled_from(PAIRS))
    x, y = data.draw(numbers(a)), data.draw(numbers(b))
    result = common(a, b)
    assert result is not None
    layout = _layout(a, b, result)
    packet = bytearray(layout[-1][0] + 16)
    for (offset, type_), number in zip(layout[:2], (x, y), strict=True):
        size = type_.bits // 8
        packet[offset : offset + size] = (number & ((1 << type_.bits) - 1)).to_bytes(size, "little")
    assert calculator().run(packet, f"p_{a}_{b}") == 1
    meanings = [*OPERATORS.items(), *COMPARISONS.items()]
    for (offset, type_), (symbol, meaning) in zip(layout[2:], meanings, strict=True):
        size = type_.bits // 8
        found = int.from_bytes(packet[offset : offset + size], "little", signed=type_.signed)
        if y == 0 and symbol in ("//", "%"):
            expected = 0 if symbol == "//" else x
        else:
            expected = wrap(int(meaning(x, y)), type_)
        assert found == expected, f"{a}({x}) {symbol} {b}({y})"


def _layout(a: Int, b: Int, result: Int) -> list[tuple[int, Int]]:
    """The frame's members' offsets and types, as C lays them out."""
    placed, offset = [], 0
    for type_ in [a, b, *[result] * len(OPERATORS), *[U8] * len(COMPARISONS)]:
        size = type_.bits // 8
        offset = -(-offset // size) * size
        placed.append((offset, type_))
        offset += size
    return placed


LITERALS = st.integers(-(1 << 70), 1 << 70)


@given(LITERALS, st.sampled_from(sorted(OPERATORS)), LITERALS.filter(bool))
@settings(max_examples=30, deadline=None)
def test_literals_are_pythons_integers(x: int, symbol: str, y: int) -> None:
    expected = OPERATORS[symbol](x, y)
    function = program(f"return 1 if ({x}) {symbol} ({y}) == ({expected}) else 0")
    assert [each.attributes["value"] for each in operations(function, "const")] == [1]


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_typed_constants_fold_to_what_the_program_would_compute(data: st.DataObject) -> None:
    type_ = data.draw(st.sampled_from(TYPES))
    x, y = data.draw(numbers(type_)), data.draw(numbers(type_).filter(bool))
    symbol = data.draw(st.sampled_from(sorted(OPERATORS)))
    expected = wrap(OPERATORS[symbol](x, y), type_)
    function = program(f"return 1 if {type_}({x}) {symbol} {type_}({y}) == {type_}({expected}) else 0")
    assert [each.attributes["value"] for each in operations(function, "const")] == [1]


@pytest.mark.parametrize("type_", TYPES, ids=str)
def test_shifts_keep_the_type_of_what_is_shifted(type_: Int) -> None:
    top = type_.bits - 1
    body = f"""
    x = {type_}(ctx.hash)
    return i32(u8(x << {top} != 0)) + i32(u8(x >> {top} != 0)) * 2
    """
    low_bit, high_bit = 1, 1 << min(top, 31)
    assert returned(body, hash=low_bit) == 1
    assert returned(body, hash=high_bit) == (2 if top < 32 else 0)


def test_a_shift_count_that_is_not_known_is_masked() -> None:
    assert returned("return i32(ctx.hash >> ctx.priority)", hash=256, priority=4) == 16
    assert returned("return i32(ctx.hash >> ctx.priority)", hash=256, priority=36) == 16


def test_unary_operators() -> None:
    assert returned("return -i32(ctx.hash) // 2", hash=7) == -4
    assert returned("return i32(~u8(ctx.hash))", hash=1) == 0xFE
    assert returned("return i32(-u8(ctx.hash))", hash=1) == 0xFF
    assert returned("return +i32(ctx.hash)", hash=5) == 5
    assert returned("return 1 if ctx.hash & ~1 == 4 else 0", hash=5) == 1


def test_min_max_abs() -> None:
    assert returned("return i32(min(ctx.hash, 4))", hash=9) == 4
    assert returned("return i32(max(ctx.hash, 4, ctx.priority))", hash=3, priority=11) == 11
    assert returned("return abs(i32(ctx.hash) - 10)", hash=3) == 7
    assert returned("return max(min(3, 2), abs(-1))") == 2


def test_what_is_known_to_fit_needs_no_cast() -> None:
    assert returned("port: u16 = ctx.remote_port.raw() >> 16\nreturn port", remote_port=40000) == 0x409C
    assert returned("x: u8 = ctx.hash % 200\nreturn x", hash=450) == 50
    assert returned("return ctx.len", len=70) == 70
    assert returned("return ctx.hash & 0x7fff_ffff", hash=0xFFFF_FFFF) == 0x7FFF_FFFF


def test_hints_say_what_to_write() -> None:
    assert hint("return ctx.hash") == "write `i32(ctx.hash)`"
    assert hint("return i32(ctx.hash + ctx.remote_ip4)") == (
        "write `ctx.remote_ip4.host()` for the number or `ctx.remote_ip4.raw()` for the bits"
    )
    assert hint("x: u8 = ctx.hash\nreturn x") == "write `u8(ctx.hash)`"
    assert hint("return i32(i64(ctx.hash) - 5 + u64(ctx.priority))") == (
        "write `i64(u64(ctx.priority))` or `u64(i64(ctx.hash) - 5)`"
    )


BIG = {str(type_): SCALARS[f"u{type_.bits}"] for type_ in (BE16, BE32, BE64)}


@pytest.mark.parametrize("name", BIG)
def test_network_order(name: str) -> None:
    bits = int(name[2:])
    number = 0x0123_4567_89AB_CDEF >> (64 - bits)
    swapped = int.from_bytes(number.to_bytes(bits // 8, "big"), "little")
    packet = number.to_bytes(bits // 8, "big")
    head = f"x = ctx.data.view({name}, 0)\nif x is None:\n    return 9\n"
    assert returned(head + f"return 1 if x.value.host() == {number} else 0", packet=packet) == 1
    assert returned(head + f"return 1 if x.value.raw() == {swapped} else 0", packet=packet) == 1
    assert returned(head + f"return 1 if x.value == {name}({number}) else 0", packet=packet) == 1
    assert returned(head + f"return 1 if {name}(x.value.host()) != x.value else 0", packet=packet) == 0
