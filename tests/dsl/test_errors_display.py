"""How errors and warnings look."""

from __future__ import annotations

import ast

import pytest
from skverdict.dsl.errors import Diagnostic, Place, PolicyError
from skverdict.dsl.frontend import dispatch

from tests.dsl.policy_kit import compiled, errors


def test_an_error_shows_the_line_a_caret_and_what_to_write() -> None:
    (found,) = errors("@skb_verdict\ndef program(ctx: SkSkb) -> i32:\n    return ctx.hash\n")
    lines = str(found).split("\n")
    assert lines[0].endswith("policy.py:4:12: error: an i32 is needed here, but this is a u32")
    assert lines[1:] == [
        " 4 |     return ctx.hash",
        "   |            ^^^^^^^^",
        "  help: write `i32(ctx.hash)`",
    ]


def test_further_places_are_shown_below() -> None:
    (found,) = errors(
        "@skb_verdict\ndef program(ctx: SkSkb) -> i32:\n    v = ctx.data.view(u8, 0)\n"
        "    if v is None:\n        return 0\n    ctx.pull_data(3)\n    return v.value\n"
    )
    path = found.file
    assert str(found).split("\n") == [
        f"{path}:8:12: error: this view of the packet ended when `bpf_skb_pull_data` was called on line 7",
        " 8 |     return v.value",
        "   |            ^^^^^^^",
        "  help: make the view again after that call",
        f"{path}:4:9: note: the view was made here",
        " 4 |     v = ctx.data.view(u8, 0)",
        "   |         ^^^^^^^^^^^^^^^^^^^^",
        f"{path}:7:5: note: `bpf_skb_pull_data` may have moved the packet here",
        " 7 |     ctx.pull_data(3)",
        "   |     ^^^^^^^^^^^^^^^^",
    ]


def test_columns_count_characters() -> None:
    (found,) = errors("@skb_verdict\ndef program(ctx: SkSkb) -> i32:\n    größe = 1; return größer\n")
    assert (found.line, found.column, found.width) == (4, 23, 6)
    assert str(found).split("\n")[2] == "   |                       ^^^^^^"


def test_tabs_before_the_caret_stay_tabs() -> None:
    (found,) = errors("@skb_verdict\ndef program(ctx: SkSkb) -> i32:\n\treturn nonsense\n")
    assert str(found).split("\n")[2] == "   | \t       ^^^^^^^^"


def test_an_expression_of_several_lines_is_shown_to_the_end_of_its_first() -> None:
    (found,) = errors("@skb_verdict\ndef program(ctx: SkSkb) -> i32:\n    return (ctx.len +\n        ctx.hash)\n")
    assert str(found).split("\n")[1:3] == [" 4 |     return (ctx.len +", "   |             ^^^^^^^^^"]


def test_a_finding_about_the_whole_file_shows_no_line() -> None:
    found = Diagnostic(Place("policy.py", 0, 1), "nothing here", "write something")
    assert str(found) == "policy.py: error: nothing here\n  help: write something"


def test_all_errors_are_shown_in_the_order_of_the_source() -> None:
    found = errors(
        "sockets = SockMap(max_entries=0)\n@skb_verdict\ndef second(ctx: SkSkb) -> i32:\n    return nonsense\n"
        "@skb_verdict\ndef first(ctx: SkMsg) -> i32:\n    return 0\n"
    )
    assert [one.line for one in found] == [2, 5, 7]
    text = str(PolicyError(found))
    assert text.count(": error: ") == 3
    assert text.count("\n\n") == 2


def test_an_error_of_an_inline_function_is_told_once_for_all_its_calls() -> None:
    found = errors(
        "@inline\ndef f(x: u32) -> u32:\n    return x + nonsense\n"
        "@skb_verdict\ndef program(ctx: SkSkb) -> i32:\n    f(1)\n    f(2)\n    return 0\n"
    )
    assert [(one.line, one.message) for one in found] == [(4, "unknown name `nonsense`")]


def test_names_that_the_kernel_would_cut_are_refused() -> None:
    found = errors(
        "fifteen_letters = SockMap(max_entries=1)\nconnections_of_clients = SockMap(max_entries=1)\n"
        "@skb_verdict\ndef sixteen_letters_(ctx: SkSkb) -> i32:\n    return 0\n"
    )
    assert [(one.line, one.message) for one in found] == [
        (
            3,
            "the map name `connections_of_clients` is longer than 15 characters: the kernel would cut it to "
            "`connections_of_`",
        ),
        (
            5,
            "the program name `sixteen_letters_` is longer than 15 characters: the kernel would cut it to "
            "`sixteen_letters`",
        ),
    ]


def test_a_parser_is_warned_of_what_makes_no_parser() -> None:
    policy = compiled(
        "@stream_parser\ndef program(ctx: SkSkb) -> i32:\n    _ = ctx.pull_data(4)\n    return SK_PASS\n"
        "@stream_verdict\ndef verdict(ctx: SkSkb) -> i32:\n    _ = ctx.pull_data(4)\n    return SK_DROP\n"
    )
    assert [(one.line, one.message) for one in policy.warnings] == [
        (
            4,
            "Linux 7.2 does not attach a parser that may change the packet, as `bpf_skb_pull_data` does",
        ),
        (5, "a parser returns the length of a message, not a verdict: `SK_PASS` is a message of 1 byte"),
    ]


def test_a_mistake_of_the_compiler_is_told_at_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise AssertionError("no such case")

    monkeypatch.setitem(dispatch.EXPRESSIONS, ast.Subscript, fail)
    (found,) = errors("@skb_verdict\ndef program(ctx: SkSkb) -> i32:\n    x = ctx.cb[0]\n    return 0\n")
    assert (found.line, found.message) == (
        4,
        "skverdict itself failed on this statement (AssertionError: no such case)",
    )


@pytest.mark.parametrize("column", [1, 500, 1000])
def test_of_a_long_line_only_the_part_around_the_caret_is_shown(column: int) -> None:
    text = "".join("x" if number % 10 else "|" for number in range(1000))
    _, line, caret = str(Diagnostic(Place("p.py", 3, column, 5, text), "wrong")).split("\n")
    assert len(line) <= len(" 3 | ") + 160 + 2 * len("...")
    assert line[caret.index("^")] == text[column - 1]
    assert ("..." in line[:8]) == (column > 1) and line.endswith("...") == (column < 1000)
    assert caret.count("^") == min(5, 1000 - column + 1)
