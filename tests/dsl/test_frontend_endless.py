"""Loops that the kernel would not take, and code that would take for ever to write out."""

from __future__ import annotations

from time import process_time

import pytest

from tests.dsl.policy_kit import body_error, compiled, errors, hint, program, program_text

NEVER = "this loop never ends, and the kernel takes only programs that do"

ENDLESS = {
    "while True:\n    pass": (1, 7, NEVER),
    "while 1:\n    ctx.pull_data(1)": (1, 7, NEVER),
    "while not False:\n    for i in range(3):\n        break": (1, 7, NEVER),
    "while True:\n    if ctx.len == 0:\n        continue": (1, 7, NEVER),
    "while True:\n    if 1 == 2:\n        break": (1, 7, NEVER),
}


@pytest.mark.parametrize("body", ENDLESS)
def test_a_loop_without_an_end(body: str) -> None:
    assert body_error(f"{body}\nreturn 0") == ENDLESS[body]


UNCHANGED = {
    "while ctx.len:\n    pass": "ctx.len",
    "while ctx.len > 3 and ctx.hash:\n    x = ctx.len": "ctx.len > 3 and ctx.hash",
    "n = ctx.len\nm = 0\nwhile n > m:\n    ctx.pull_data(3)\n    print('x')": "n > m",
    "n = 0\nwhile min(n, 3) < u32(ctx.len):\n    m = n\n    m += 1": "min(n, 3) < u32(ctx.len)",
    "e = h.lookup(1)\nif e is None:\n    return 0\nwhile e.value:\n    n = 1": "e.value",
}


@pytest.mark.parametrize("body", UNCHANGED)
def test_a_loop_whose_test_nothing_changes(body: str) -> None:
    table = "h = HashMap(key=u32, value=u32, max_entries=1)\n"
    message = f"once begun, this loop never ends: nothing in it changes `{UNCHANGED[body]}`"
    assert body_error(f"{body}\nreturn 0", before=table)[2] == message


ENDING = (
    "while ctx.len:\n    ctx.pull_data(1)",
    "while ctx.len:\n    break",
    "while ctx.len:\n    return 3",
    "n: u32 = 0\nwhile n < ctx.hash:\n    n += 1\n    return 3",
    "while True:\n    if ctx.len:\n        return 1",
    "while (n := ctx.len) > 3:\n    pass",
    "n = 5\nwhile n:\n    n -= 1",
    "k = K()\nwhile k.a < 5:\n    k.a += 1",
    "n = 0\nwhile n < 1000000:\n    n += 1",
    "n = 0\nwhile n < ctx.len:\n    n += 65536",
    "n = 0\nwhile n < ctx.len and n < 64:\n    n += 1",
    "n = 0\nwhile n < ctx.len:\n    n += 1\n    if n > 9:\n        break",
    "n = 0\nwhile n < ctx.hash:\n    if n + 4 > 64:\n        return 1\n    n += 1",
)


@pytest.mark.parametrize("body", ENDING)
def test_loops_that_may_end_are_taken(body: str) -> None:
    assert program(f"{body}\nreturn 0", before="class K(Struct):\n    a: u32\n").blocks


LONG = {
    "n = 0\nwhile n < ctx.hash:\n    n += 1": 4294967295,
    "n = 0\nwhile ctx.hash >= n:\n    n += 1": 4294967296,
    "n = 0\nwhile n < ctx.hash:\n    n += 1\n    if ctx.len:\n        n += 2": 1431655765,
    "n = ctx.hash\nwhile n > 3:\n    n -= 1": 4294967295,
    "n = 0\nwhile n < 1000003:\n    n += 1": 1000003,
    # What may end these early is nothing that bounds them.
    "n = 0\nwhile n < ctx.hash:\n    n += 1\n    if ctx.len:\n        break": 4294967295,
    "n: u32 = 0\nwhile n < ctx.hash:\n    if ctx.data[n] == 10:\n        return 1\n    n += 1": 4294967295,
}


@pytest.mark.parametrize("body", LONG)
def test_a_loop_with_more_turns_than_the_verifier_follows(body: str) -> None:
    message = f"this loop may take {LONG[body]} turns, more than the kernel's verifier follows (1000000)"
    assert body_error(f"{body}\nreturn 0")[2] == message
    assert "min(n, 64)" in hint(f"{body}\nreturn 0")


def doubling(depth: int) -> str:
    """Functions of which each calls the one before twice."""
    functions = ["@inline\ndef f0(x: u32) -> u32:\n    return x + 1\n"]
    for number in range(1, depth):
        before = f"f{number - 1}"
        functions.append(f"@inline\ndef f{number}(x: u32) -> u32:\n    return {before}({before}(x))\n")
    return "\n".join(functions)


def test_calls_that_double_and_double_are_refused_in_time() -> None:
    begin = process_time()
    found = errors(program_text("return i32(u8(f24(ctx.len)))", before=doubling(25)))
    assert process_time() - begin < 30
    assert len(found) == 1
    message = " is written out at each call, and all of it would be more than 20000 pieces"
    assert found[0].message.endswith(message)
    assert found[0].hint == "make it, or what it calls, a @subprogram"
    assert program("return i32(u8(f7(ctx.len)))", before=doubling(8)).blocks


def test_loops_in_loops_in_loops_are_refused_in_time() -> None:
    lines = [f"{'    ' * depth}for i{depth} in range(2):" for depth in range(15)]
    lines.append(f"{'    ' * 15}n += ctx.hash")
    body = "\n".join(["n = 0", *lines, "return i32(n)"])
    begin = process_time()
    try:
        compiled(program_text(body))
    finally:
        assert process_time() - begin < 30
