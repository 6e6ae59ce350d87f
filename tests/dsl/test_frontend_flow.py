"""Branches, loops and matches do what they do in Python; assignment is definite; types follow the flow."""

from __future__ import annotations

import pytest

from tests.dsl.policy_kit import (
    body_error,
    body_errors,
    errors,
    hint,
    machine,
    operations,
    program,
    program_text,
    returned,
)


def python(body: str, **fields: int) -> int:
    """What the same body gives as ordinary Python."""
    from skverdict.dsl import SK_DROP, SK_PASS, i32, u8, u32, u64

    lines = "\n".join(f"    {line}" for line in body.strip("\n").split("\n"))
    names = {"i32": i32, "u8": u8, "u32": u32, "u64": u64, "SK_PASS": SK_PASS, "SK_DROP": SK_DROP}
    exec(f"def program(ctx):\n{lines}\n", names)
    context = type("Context", (), fields)()
    return int(names["program"](context))  # type: ignore[operator]


BODIES = {
    "if": "if ctx.len > 4:\n    return 1\nreturn 0",
    "elif": (
        "if ctx.len < 2:\n    x = 1\nelif ctx.len < 4:\n    x = 2\nelif ctx.len < 6:\n    x = 3\nelse:\n    x = 4\n"
        "return x"
    ),
    "and or not": "return 1 if ctx.len > 2 and (ctx.len < 5 or not ctx.len < 7) else 0",
    "chain": "return 1 if 2 < ctx.len <= 5 != ctx.hash else 0",
    "bool value": "both = ctx.len > 2 and ctx.hash > 2\nneither = not (ctx.len > 2 or ctx.hash > 2)\n"
    "return 1 if both else 2 if neither else 3",
    "nested conditional": "return 1 if ctx.len < 2 else 2 if ctx.len < 4 else 3",
    "while": "i = 0\nn = 0\nwhile i < 5:\n    n += i\n    i += 1\nreturn n + i",
    "while else": "i = 0\nwhile i < 5:\n    if i == ctx.len:\n        break\n    i += 1\nelse:\n    return 99\nreturn i",
    "continue": "n = 0\nfor i in range(8):\n    if i % 2 == 1:\n        continue\n    n += i\nreturn n",
    "for else": "for i in range(5):\n    if i == ctx.len:\n        break\nelse:\n    return 99\nreturn i",
    "for keeps the last": "for i in range(3, 10, 3):\n    pass\nreturn i",
    "for counts down": "n = 0\nfor i in range(6, -1, -2):\n    n = n * 10 + i\nreturn n",
    "for ignores assignment": "n = 0\nfor i in range(4):\n    n += i\n    i = 100\nreturn n + i",
    "for nothing": "n = 7\nfor i in range(3, 3):\n    n = 0\nelse:\n    n += 1\nreturn n",
    "for bounded": "n = 0\nfor i in range(min(ctx.len, 6)):\n    n += i\nreturn n",
    "for bounded from": "n = 0\nfor i in range(2, min(ctx.len, 6), 2):\n    n += i\nreturn n",
    "nested loops": "n = 0\nfor i in range(4):\n    for j in range(i + 1 if False else 3):\n"
    "        if j > i:\n            break\n        n += i * j\nreturn n",
    "while and walrus": "i = 0\nwhile (j := i * 3) < 10:\n    i += 1\nreturn i + j",
    "match": "match ctx.len:\n    case 1 | 2:\n        return 10\n    case 3 if ctx.hash > 3:\n        return 20\n"
    "    case 3:\n        return 30\n    case n:\n        return 40\n",
    "match misses": "x = 5\nmatch ctx.len:\n    case 3:\n        x = 6\n    case 4 as y:\n        x = 7\nreturn x",
    "in": "return 1 if ctx.len in (1, 3, 5) else 2 if ctx.len not in {2, 4} else 3",
    "in range": "return 1 if ctx.len in range(2, 5) else 0",
    "return in a loop": "for i in range(10):\n    if i * i > ctx.len:\n        return i\nreturn 50",
    "shadowed": "len = 3\nreturn len + 1",
    "several targets": "a = b = ctx.len\na += 1\nreturn a * 16 + b",
    "aug assign": "x = ctx.len\nx += 3\nx *= 5\nx -= 1\nx //= 2\nx %= 100\nx <<= 2\nx |= 1\nx ^= 8\nx &= 255\nx >>= 1\n"
    "return x",
}


@pytest.mark.parametrize("name", BODIES)
def test_as_in_python(name: str) -> None:
    body = BODIES[name]
    prepared = machine(body.replace("return x", "return i32(x)") if name == "aug assign" else _casts(name, body))
    for length in range(8):
        for other in (0, 3, 9):
            expected = python(body, len=length, hash=other)
            assert prepared.run(len=length, hash=other) == expected, (length, other)


def _casts(name: str, body: str) -> str:
    """The body with the casts that types of fixed width need."""
    return body.replace("return a * 16 + b", "return i32(a * 16 + b)")


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


UNASSIGNED = {
    "if ctx.len > 1:\n    x = 1\nreturn x": (
        3, 8, "`x` may be unassigned here: it is not assigned when the test on line 4 is false",
    ),
    "for i in range(min(ctx.len, 3)):\n    x = 1\nreturn x": (
        3, 8, "`x` may be unassigned here: it is not assigned when the loop on line 4 does not run",
    ),
    "while ctx.len > 3:\n    x = 1\n    break\nreturn x": (
        4, 8, "`x` may be unassigned here: it is not assigned when the loop on line 4 does not run",
    ),
    "return x\nx = 1": (1, 8, "`x` is used before it is assigned"),
    "match ctx.len:\n    case 1:\n        x = 1\n    case 2:\n        x = 2\nreturn x": (
        6, 8, "`x` may be unassigned here: it is not assigned when no case of the match on line 4 fits",
    ),
    "x: u32\nreturn i32(x)": (2, 12, "`x` is used before it is assigned"),
}  # fmt: skip


@pytest.mark.parametrize("body", UNASSIGNED)
def test_unassigned(body: str) -> None:
    assert body_error(body) == UNASSIGNED[body]


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


def test_a_literals_variable_takes_the_first_type_it_meets() -> None:
    types = {
        "n = 0\nn += ctx.len\nreturn i32(n)": "i64",
        "n = 0\nn += ctx.hash\nx: u32 = n\nreturn i32(x)": "u32",
        "n = 0\nn += 1\nreturn n": "i32",
        "n = 0\nn = n + u64(ctx.len)\nreturn i32(n)": "u64",
        "n = 0\nn -= 1\nif n < 0:\n    return 1\nreturn 0": "i64",
        "n = 1\nm = n\nm += 1\nn += 1\nx: u8 = m\nreturn x": "u8",
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


REFUSED = {
    "while True:\n    pass\nreturn 0": (1, 7, "this loop never ends, and the kernel takes only programs that do"),
    "for i in range(2000000):\n    pass\nreturn 0": (
        1, 10, "2000000 turns are more than the kernel's verifier follows (1000000)",
    ),
    "for i in range(ctx.hash):\n    pass\nreturn 0": (
        1, 16, "this range has no useful bound: its end is 0 to 4294967295",
    ),
    "for i in (1, 2):\n    pass\nreturn 0": (1, 10, "a `for` loop runs over a range"),
    "for i in range(0, 5, 0):\n    pass\nreturn 0": (1, 22, "the step of a range must not be zero"),
    "for i, j in range(3):\n    pass\nreturn 0": (1, 5, "a `for` loop counts in one name"),
    "x = y = None\nreturn 0": (1, 9, "None cannot be kept in a variable"),
    "a, b = 1, 2\nreturn 0": (1, 8, "a tuple is only supported after `in`"),
    "ctx.len + 1\nreturn 0": (1, 1, "this statement has no effect"),
    "return": (1, 1, "a program returns a number"),
    "if ctx:\n    return 1\nreturn 0": (1, 4, "the context is not a condition"),
    "if ctx.remote_ip4:\n    return 1\nreturn 0": (1, 4, "a be32 is neither true nor false"),
    "if ctx.len == -1:\n    return 1\nreturn 0": (
        1, 15, "this comparison never changes: a u32 is 0 to 4294967295, never -1",
    ),
    "if ctx.remote_ip4 > ctx.local_ip4:\n    return 1\nreturn 0": (
        1, 4, "a be32 has no order: its bytes are in network order",
    ),
    "if ctx.remote_port == 80:\n    return 1\nreturn 0": (
        1, 23, "a be32 is needed here, but this is the number 80",
    ),
    "if ctx.remote_port == ctx.local_port:\n    return 1\nreturn 0": (
        1, 23, "a be32 and a u32 have no type in common",
    ),
    "if ctx.len is 3:\n    return 1\nreturn 0": (1, 4, "`is` compares only with None here"),
    "x = ctx.len or 3\nreturn 0": (1, 5, "as a value, `and` and `or` combine only bools, but this is a u32"),
    "match ctx.len:\n    case [1]:\n        pass\nreturn 0": (2, 10, "`match` compares only numbers"),
}  # fmt: skip


@pytest.mark.parametrize("body", REFUSED)
@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_refused(body: str) -> None:
    assert body_error(body) == REFUSED[body]


SYNTAX = {
    "def f():\n    pass\nreturn 0": "a function inside a function is not supported",
    "class A:\n    pass\nreturn 0": "a class inside a function is not supported",
    "try:\n    pass\nexcept OSError:\n    pass\nreturn 0": "`try` is not supported: nothing raises in a program",
    "with ctx:\n    pass\nreturn 0": "`with` is not supported",
    "import os\nreturn 0": "import at the top of the module, not inside a function",
    "global x\nreturn 0": "`global` is not supported: a program shares state through maps",
    "assert ctx.len\nreturn 0": "`assert` is not supported",
    "raise ValueError\nreturn 0": "a program cannot raise an exception",
    "del ctx\nreturn 0": "`del` is not supported",
    "x = lambda: 1\nreturn 0": "`lambda` is not supported",
    "x = [1, 2]\nreturn 0": "a list is only supported after `in`",
    "x = {1: 2}\nreturn 0": "a dict is not supported inside a program",
    "x = [i for i in range(3)]\nreturn 0": "a comprehension is not supported",
    "x = f'{ctx}'\nreturn 0": "an f-string is not supported",
    "x = 'text'\nreturn 0": "a Python str cannot be kept in a variable",
    "print(1)\nreturn 0": "`print` is not supported",
    "x = ctx.data[0]\nreturn 0": "the packet's bytes cannot be indexed or sliced",
    "yield 1\nreturn 0": "`yield` is not supported",
    "x = int(ctx.len)\nreturn 0": "`int` has no width",
    "x = sorted(ctx)\nreturn 0": "`sorted` is ordinary Python and cannot be called inside a program",
    "x = min(*ctx)\nreturn 0": "`*` in front of an argument is not supported",
}


@pytest.mark.parametrize("body", SYNTAX)
def test_syntax_outside_of_the_language(body: str) -> None:
    assert body_error(body)[2] == SYNTAX[body]


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
