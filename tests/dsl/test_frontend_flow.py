"""Branches that are known leave no trace, assignment is definite, types follow the flow."""

from __future__ import annotations

import pytest

from tests.dsl.policy_kit import (
    body_error,
    body_errors,
    errors,
    hint,
    operations,
    program,
    program_text,
    returned,
)


def test_a_long_chain_of_elif() -> None:
    chain = "".join(f"elif ctx.len == {number}:\n    x = {number * 3}\n" for number in range(1, 400))
    text = f"if ctx.len == 0:\n    x = 7\n{chain}else:\n    x = 1\nreturn x"
    function = program(text)
    assert len(list(operations(function, "branch"))) == 400


def test_constant_tests_leave_no_branch() -> None:
    function = program("if DEBUG:\n    return ctx.nonsense\nreturn 0", before="DEBUG = False")
    assert not list(operations(function, "branch"))


def test_code_after_return_is_tolerated() -> None:
    assert returned("return 3\nx = ctx.nonsense") == 3


ASSIGNED = (
    "for i in range(3):\n    x = i\nreturn x",
    "if ctx.len > 1:\n    x = 1\nelse:\n    return 0\nreturn x",
    "while True:\n    x = 3\n    if ctx.len > 1:\n        break\n    return 0\nreturn x",
    "match ctx.len:\n    case 1:\n        x = 1\n    case _:\n        x = 2\nreturn x",
    "if (x := ctx.len) > 3 and (y := x + 1) > 5:\n    return i32(y)\nreturn x",
)


@pytest.mark.parametrize("body", ASSIGNED)
def test_assigned_on_every_path_that_gets_there(body: str) -> None:
    assert program(body).blocks


LITERALS = {
    "n = 0\nn += ctx.len\nreturn i32(n)": "i64",
    "n = 0\nn -= 1\nif n < 0:\n    return 1\nreturn 0": "i64",
    "n = 0\nn -= 1\nx = ctx.hash\nif n < x:\n    return 1\nreturn 0": "i64",
    "n = 0\nwhile n < min(ctx.len, 9):\n    n += 1\nreturn i32(n)": "i64",
    "n: i32 = 0\nwhile n < min(ctx.len, 9):\n    n += 1\nreturn n": "i32",
    "n = (1 << 63)\nn += 1\nreturn i32(n)": "u64",
    "n: u8\nn = 3\nn += 1\nreturn n": "u8",
    "n = 1 if ctx.len else 2\nn += 1\nreturn i32(n)": "i64",
}


@pytest.mark.parametrize("body", LITERALS)
def test_a_variable_that_begins_with_a_literal_is_an_i64(body: str) -> None:
    types = [str(local.type) for local in program(body).locals if local.name == "n"]
    assert types == [LITERALS[body]]


def test_a_later_use_changes_nothing_of_what_comes_before() -> None:
    table = "h = HashMap(key=u32, value=u32, max_entries=1)\n"
    body = "n = 0\nn -= 1\nif n < 0:\n    return 7\nh.update(u32(n), 1)\nreturn 3"
    assert returned(body, before=table) == 7
    found = body_error(body.replace("u32(n)", "n"), before=table)
    assert found == (5, 10, "a u32 is needed here, but this is an i64")


ANNOTATIONS = {
    "n = 0\nn -= ctx.len\nx: u32 = n\nreturn 0": "write `n: u32 = 0` on line 4",
    "n = (1 + 2) * 3\nn -= ctx.len\nx: u8 = n\nreturn 0": "write `n: u8 = (1 + 2) * 3` on line 4",
    "n = 0\nn += ctx.hash\nreturn n": "write `n: i32 = 0` on line 4",
    "n = 0\nn = n - 1\nn = n + u64(ctx.len)\nreturn 0": "write `n: u64 = 0` on line 4",
    "n = 0\nn -= ctx.len\nx = u32(3)\nx = n * 2\nreturn 0": "write `u32(n * 2)`, or give `x` a wider type",
    "if (n := 3) > ctx.len:\n    n -= ctx.len\nx: u8 = n\nreturn x": "declare it before line 4: `n: u8`",
    "n = 3\nfor n in range(300):\n    n += 1\nx: u8 = n\nreturn x": "write `n: u8 = 3` on line 4",
}


@pytest.mark.parametrize("body", ANNOTATIONS)
def test_the_annotation_to_write_is_told(body: str) -> None:
    assert ANNOTATIONS[body] in hint(body)


FLEXIBLE = {
    "for i in range(3):\n    x: u32 = ctx.hash + i\nreturn 0": "u32",
    "for i in range(3):\n    i32(ctx.len)\nfor i in range(9):\n    x: u32 = ctx.hash + i\nreturn 0": "u32",
    "for i in range(3):\n    x: u8 = u8(ctx.len) + i * 2 + (1 if ctx.len else 2)\nreturn 0": "u8",
    "for i in range(3):\n    x: u16 = u16(ctx.len) + max(i, 2) + abs(-i)\nreturn 0": "u16",
}


@pytest.mark.parametrize("body", FLEXIBLE)
def test_what_comes_of_literals_takes_the_type_of_what_it_meets(body: str) -> None:
    assert program(body).blocks


def test_what_comes_of_literals_must_fit() -> None:
    wide = "for i in range(300):\n    x = u8(ctx.len) + i\nreturn 0"
    message = "this is 0 to 299, which does not fit a u8 (0 to 255)"
    assert body_error(wide) == (2, 23, message)
    assert hint(wide).startswith("write `i64(i)`")
    deep = "for i in range(1000000):\n    x = i * i * i * i\nreturn 0"
    assert body_error(deep) == (2, 9, "this may need more than 64 bits")
    assert program(deep.replace("i * i * i", "i64(i) * i * i")).blocks


CHOICES = {
    "x = u8(ctx.len)\nreturn i32(u64((x if ctx.hash else x) + x))": 144,
    "x = u8(ctx.len)\ny: u64 = (x if ctx.hash else x) + x\nreturn i32(y)": 144,
    "x = u8(ctx.len)\nreturn (x if ctx.hash else x) + x": 144,
    "x = u8(ctx.len)\nreturn i32((x if ctx.hash else 3) + x)": 144,
    "x = u8(ctx.len)\nreturn i32((x if ctx.hash else ctx.len) + x)": 400,
    "x = u8(ctx.len)\nreturn (x if not ctx.hash else -1) + 1": 0,
}


@pytest.mark.parametrize("body", CHOICES)
def test_a_choice_has_the_type_of_its_sides_wherever_it_goes(body: str) -> None:
    assert returned(body, len=200, hash=1) == CHOICES[body]


def test_a_number_that_a_loop_only_raises_stays_above_where_it_began() -> None:
    assert program("n = 0\nwhile n < min(ctx.len, 9):\n    n += 1\nx: u8 = n\nreturn 0").blocks
    assert program("n = 9\nwhile n > 0:\n    n -= 1\nreturn n").blocks
    assert program("n = 0\nwhile n < 9:\n    m = 0\n    while m < n:\n        m += 2\n    n += 1\nreturn n").blocks
    errors = body_errors("n = 0\nwhile ctx.hash != 9:\n    n += 1\n    n -= 1\n    ctx.pull_data(1)\nreturn n")
    assert errors == [(6, 8, "an i32 is needed here, but this is an i64")]


def test_a_variable_keeps_its_type() -> None:
    assert body_error("x = u8(ctx.len)\nx = ctx.len\nreturn 0") == (2, 5, "`x` is a u8, but this is a u32")
    assert body_error("x: u8 = 3\nx = 256\nreturn 0") == (2, 5, "256 does not fit u8 (0 to 255)")
    assert hint("x = u8(ctx.len)\nx = ctx.len\nreturn 0").startswith("write `u8(ctx.len)`")
    assert body_error("x: u8 = 3\nx: u16 = 3\nreturn 0") == (2, 1, "`x` is already a u8")


def test_two_things_on_two_paths() -> None:
    body = "if ctx.len > 1:\n    x = ctx.data\nelse:\n    x = ctx.hash\ny = x\nreturn 0"
    assert body_error(body) == (5, 5, "`x` is the packet's data on one path and a u32 on the other")


def test_no_return() -> None:
    (found,) = errors(program_text("if ctx.len > 1:\n    return 1"))
    assert (found.line, found.column, found.message) == (3, 5, "`program` can end without a return value")
    assert [text for _, text in found.notes] == ["the end is reached after this"]


def test_errors_are_collected_in_the_order_of_the_source() -> None:
    body = "a = ctx.lenn\nif ctx.remote_ip4:\n    b = unknown\nelse:\n    c = 1.5\nreturn a"
    assert [(line, message) for line, _, message in body_errors(body)] == [
        (1, "`SkSkb` has no `lenn`"),
        (2, "a be32 is neither true nor false"),
        (3, "unknown name `unknown`"),
        (5, "a program has no floating-point numbers"),
    ]


def test_unknown_names_suggest_close_ones() -> None:
    assert hint("return SK_PAS") == "did you mean `SK_PASS`?"
    assert hint("return ctx.lenn") == "did you mean `len`?"
    assert hint("return ctx.size") == "did you mean `len`?"
    assert hint("return 1 if ctx.len > 3 else 0", "msg_verdict") == "did you mean `size`?"
