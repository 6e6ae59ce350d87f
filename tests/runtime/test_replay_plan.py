"""What is attached where, by default and when it is said."""

from __future__ import annotations

import pytest
from skverdict.runtime.capture.plan import PlanError, doubt, make_plan

from tests.runtime.replay_kit import PASS_ALL, compiled

MAPS = """
counts = ArrayMap(value=u64, max_entries=4)
first = SockMap(max_entries=4)
second = SockHash(key=u64, max_entries=4)
"""
PARSER = "@stream_parser\ndef parser(skb: SkSkb) -> i32:\n    return skb.len\n"
SENT = "@msg_verdict\ndef {}(msg: SkMsg) -> i32:\n    return SK_PASS\n"
OPERATIONS = "@sock_ops\ndef remember(skops: SockOps) -> i32:\n    return 1\n"
ALL = MAPS + PARSER + PASS_ALL + SENT.format("judge")
TWO = MAPS + SENT.format("one") + SENT.format("two")


def test_all_programs_go_to_the_first_socket_map() -> None:
    plan = make_plan(compiled(ALL))
    assert plan.attached == {"first": ["parser", "verdict", "judge"]}
    assert (list(plan.sides), list(plan.cgroup), list(plan.upstreams), plan.discover) == (
        ["server"],
        [],
        [],
        True,
    )


def test_a_sock_ops_program_leaves_the_maps_to_itself() -> None:
    plan = make_plan(compiled(ALL + OPERATIONS))
    assert (list(plan.cgroup), list(plan.sides)) == (["remember"], [])
    assert list(make_plan(compiled(ALL + OPERATIONS), side="both").sides) == ["server", "client"]


def test_maps_and_programs_are_chosen() -> None:
    assert make_plan(compiled(ALL), attach=["second"]).attached == {"second": ["parser", "verdict", "judge"]}
    plan = make_plan(compiled(ALL), attach=["first:parser,verdict", "second:judge"])
    assert plan.attached == {"first": ["parser", "verdict"], "second": ["judge"]}


def test_upstream_keys_of_both_kinds_of_map() -> None:
    plan = make_plan(compiled(ALL), upstream=["first:3", "second:0102030405060708"])
    assert [(entry.map, entry.key) for entry in plan.upstreams] == [
        ("first", b"\3\0\0\0"),
        ("second", b"\1\2\3\4\5\6\7\10"),
    ]
    assert not plan.discover


def test_a_first_map_that_is_redirected_to_is_doubted() -> None:
    redirects = "@msg_verdict\ndef judge(msg: SkMsg) -> i32:\n    return {}.redirect(msg, {})\n"
    content = compiled(MAPS + redirects.format("first", 0))
    assert doubt(content, []) == (
        "note: the programs are attached to first, the first socket map, which they use themselves; "
        "--attach second attaches them to second instead"
    )
    assert doubt(content, ["first"]) == ""
    assert doubt(compiled(MAPS + redirects.format("second", 0)), []) == ""
    assert doubt(compiled(ALL), []) == ""
    assert doubt(compiled("first = SockMap(max_entries=4)\n" + redirects.format("first", 0)), []) == ""


@pytest.mark.parametrize(
    ("source", "options", "problem"),
    [
        (ALL, {"attach": ["third"]}, "the policy has no socket map 'third'; it has first, second"),
        (ALL, {"attach": ["counts"]}, "the policy has no socket map 'counts'; it has first, second"),
        (
            ALL,
            {"attach": ["first:nothing"]},
            "'nothing' is no program for a map; the policy has parser, verdict, judge",
        ),
        (TWO, {}, "one map cannot have both one and two; choose with --attach MAP:PROGRAM"),
        (
            TWO,
            {"attach": ["first:one", "first:two"]},
            "one map cannot have both one and two; choose with --attach MAP:PROGRAM",
        ),
        (ALL, {"upstream": ["first"]}, "'first' is not of the form MAP:KEY"),
        (ALL, {"upstream": ["first:4"]}, "'4' is not an index of first, which has 0 to 3"),
        (ALL, {"upstream": ["first:-1"]}, "'-1' is not an index of first, which has 0 to 3"),
        (ALL, {"upstream": ["third:0"]}, "the policy has no socket map 'third'; it has first, second"),
        (
            ALL,
            {"upstream": ["second:xyz"]},
            "'xyz' is not hexadecimal, as keys of sockhash second are written",
        ),
        (ALL, {"upstream": ["second:0102"]}, "a key of second has 8 bytes, and '0102' has 2"),
        (PASS_ALL, {}, "the policy has no socket map that its programs could be attached to"),
    ],
)
def test_what_does_not_go_together_is_refused(
    source: str, options: dict[str, list[str]], problem: str
) -> None:
    with pytest.raises(PlanError) as caught:
        make_plan(compiled(source), **options)  # type: ignore[arg-type]
    assert str(caught.value) == problem
