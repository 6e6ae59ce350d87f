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


def test_a_literals_variable_takes_the_type_that_it_has_to() -> None:
    types = {
        "n = 0\nn += ctx.len\nreturn i32(n)": "i64",
        "n = 0\nn += ctx.hash\nx: u32 = n\nreturn i32(x)": "i64",
        "n = 0\nn += ctx.hash\nn += ctx.hash\nx: u32 = n\nreturn i32(x)": "u32",
        "n = 0\nwhile n < ctx.len:\n    n += 1\nreturn n": "i32",
        "n = 0\nn = n + u64(ctx.len)\nreturn i32(n)": "u64",
        "n = 0\nn -= 1\nif n < 0:\n    return 1\nreturn 0": "i64",
        "n = 1\nwhile n < ctx.len:\n    n += 1\nm = n\nm += 1\nx: u8 = m\nreturn x": "u8",
    }
    for body, type_ in types.items():
        assert str(program(body).locals[0].type) == type_, body


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
