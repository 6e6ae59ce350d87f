"""Loops over tuples, whose bodies are there once for each element; constants with names; defaults."""

from __future__ import annotations

from textwrap import dedent

from tests.dsl.policy_kit import body_error, body_errors, compiled, errors, machine, program_text, returned

STATES = """
from enum import Enum, IntEnum

class State(IntEnum):
    IDLE = 0
    BUSY = 5
    LOST = 300

class Color(Enum):
    RED = "red"

PORTS = (80, 443, 8080)
PAIRS = (("a", 1), ("b", 20))
"""


def test_elements_are_constants_in_the_body() -> None:
    body = "n = u32(0)\nfor i in (0, 3):\n    n += ctx.remote_ip6[i].host()\nreturn i32(u16(n))"
    assert machine(body)


def test_elements_that_a_loop_may_stop_at_are_known_in_the_body() -> None:
    body = """
    n = 0
    for i in (0, 2):
        if ctx.remote_ip6[i].host() == 7:
            break
        n += 1
    return n * 10 + i
    """
    assert machine(body)


def test_tuples_of_the_module() -> None:
    body = "for port in PORTS:\n    if ctx.local_port == port:\n        return 1\nreturn 0"
    built = machine(body, before=STATES)
    assert [built.run(local_port=port) for port in (80, 443, 8080, 81)] == [1, 1, 1, 0]


def test_pairs_of_the_module() -> None:
    assert returned("n = 0\nfor _, number in PAIRS:\n    n += number\nreturn n", STATES) == 21


def test_byte_strings_of_the_module() -> None:
    before = 'METHODS = (b"GET ", b"POST ")\n'
    body = """
    n = 0
    for method in METHODS:
        n += 1
        if ctx.data.startswith(method):
            return n
    return 0
    """
    built = machine(body, before=before)
    assert [built.run(packet) for packet in (b"GET /", b"POST /", b"PUT /")] == [1, 2, 0]


def test_members_of_an_enumeration() -> None:
    assert returned("n = 0\nfor state in State:\n    n += state\nreturn n", STATES) == 305


def test_maps_in_a_tuple() -> None:
    before = "one = SockMap(max_entries=1)\ntwo = SockMap(max_entries=1)\n"
    body = "for sockets in (one, two):\n    if sockets.redirect(ctx, 0) == SK_PASS:\n        return 1\nreturn 0"
    policy = compiled(before + program_text(body))
    names = [
        operation.attributes["map"]
        for block in policy.module.functions[0].blocks
        for operation in block.operations
        if operation.name == "map"
    ]
    assert names == ["one", "two"]


def test_a_view_ends_in_the_turn_in_which_the_packet_moves() -> None:
    """The call is at one place of the source, but at another point of the program in each turn."""
    body = """
    view = ctx.data.view(u8, 0)
    for length in (8, 16):
        if ctx.pull_data(length) < 0:
            return 1
        if length == 8:
            view = ctx.data.view(u8, 0)
    if view is not None:
        return i32(view.value)
    return 0
    """
    line, _, message = body_error(dedent(body).strip("\n"))
    assert message == "this view of the packet ended when `bpf_skb_pull_data` was called on line 6"
    assert line == 7


def test_too_many_elements() -> None:
    (found,) = errors("MANY = tuple(range(65))\n" + program_text("for x in MANY:\n    pass\nreturn 0"))
    assert found.message == "65 elements are more than are worth 65 copies of the body"
    (found,) = errors("SOME = {1, 2}\n" + program_text("for x in SOME:\n    pass\nreturn 0"))
    assert found.message == "a set has no order to run through"


def test_members_of_enumerations_match_and_keep_their_names() -> None:
    body = """
    match ctx.len:
        case State.IDLE:
            return 1
        case State.BUSY | State.LOST:
            return 2
    return 3
    """
    built = machine(body, before=STATES)
    assert [built.run(len=length) for length in (0, 5, 300, 7)] == [1, 2, 2, 3]
    found = body_errors(
        "x: u8 = State.LOST\ny: be16 = State.BUSY\nz = u8(ctx.len) == State.LOST\nc = Color.RED\nreturn 0",
        before=STATES,
    )
    assert [message for _, _, message in found] == [
        "`State.LOST` (300) does not fit u8 (0 to 255)",
        "a be16 is needed here, but this is the number `State.BUSY` (5)",
        "this comparison never changes: a u8 is 0 to 255, never `State.LOST` (300)",
        "a Python Color cannot be kept in a variable",
    ]


def test_a_number_that_was_taken_before_is_a_warning() -> None:
    body = """
    match ctx.len:
        case 1 if ctx.hash > 3:
            return 1
        case 1 | 2:
            return 2
        case State.IDLE | 2:
            return 3
    return 4
    """
    (warning,) = compiled(dedent(STATES) + program_text(body)).warnings
    assert warning.message == "this case never fits: 2 was taken before"
    assert warning.source_line[warning.column - 1 :] == "2:"


DEFAULTS = """
LIMIT = 40

@inline
def f(skb: SkSkb, other: u32 = LIMIT, *, last: u8 = 1) -> i32:
    return i32(u16(other)) * 10 + i32(last)

@inline
def g(a: u8, b: u8 = 1000) -> i32:
    return 0
"""


def test_defaults_of_inline_functions() -> None:
    assert returned("return f(ctx) + f(ctx, 5) + f(ctx, other=7, last=3)", DEFAULTS) == 401 + 51 + 73


def test_defaults_that_do_not_fit() -> None:
    assert body_errors("return f(ctx, 1, 2)", before=DEFAULTS) == [(1, 18, "`f` takes `last` by name")]
    assert body_errors("return f()", before=DEFAULTS) == [(1, 8, "`f` also needs `skb`")]
    assert body_errors("return g(3)", before=DEFAULTS) == [(1, 8, "1000 does not fit u8 (0 to 255)")]


def test_a_name_of_several_loops_over_literals_takes_the_type_of_what_it_meets_in_each() -> None:
    body = """
    total: u32 = 0
    small: u8 = 0
    for x in (1, 300):
        total += x
    for x in range(3):
        small += x
    for x in (4, 5):
        if ctx.len == x:
            break
        small += x
    for x, y in ((6, 70000), (7, 1)):
        small += x
        total += y
    return i32(total) + i32(small)
    """
    run = machine(body)
    assert [run.run(len=length) for length in (0, 4, 5)] == [70302 + 3 + 9 + 13, 70302 + 3 + 13, 70302 + 3 + 4 + 13]
    assert body_error("w: u8 = 0\nfor x in (1, 2):\n    w += x\nfor x in (3, 300):\n    w += x\nreturn i32(w)") == (
        5, 10, "this is 300, which does not fit a u8 (0 to 255)",
    )  # fmt: skip


STILL_WRONG = """
offset = 14
labels = 0
while labels < 32:
    length = ctx.data[offset]
    if length is None:
        return 0
    offset += u32(length) + 1
    labels += 1
return 1
"""


def test_a_mistake_in_a_loop_that_breaks_what_the_loop_counts_is_told() -> None:
    """The loop is lowered again with tighter ranges, in which the broken name must not hide the mistake."""
    (line, _, message) = body_error(STILL_WRONG)
    assert (line, message) == (4, "an offset counts bytes from the start, but this is an i64")
    nested = "for k in range(9):\n" + "".join(f"    {line}\n" for line in STILL_WRONG.strip().splitlines())
    assert body_error(nested + "return 1")[0] == 5


def test_what_only_tighter_ranges_allow_is_no_mistake_of_what_sums_it_up() -> None:
    body = """
    total: u64 = 0
    i: u32 = 0
    turn: u32 = 0
    while i < ctx.len and i < 100:
        total += weights.value[turn]
        turn = (turn + 1) % 4
        i += 1
    return i32(total)
    """
    assert returned(body, before="weights = Global(Array[u32, 4], [1, 20, 300, 4000])", len=6) == 4342
