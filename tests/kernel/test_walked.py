"""The table of what was expected of verifiers, from what guests reported."""

from __future__ import annotations

from skverdict.codegen import build

from tests.dsl.policy_kit import compiled
from tests.kernel.cases import Candidate
from tests.kernel.walked import Pair, pairs, table

POLICY = """
@stream_verdict
def program(skb: SkSkb) -> i32:
    return SK_PASS if skb.len > 4 else SK_DROP
"""


def test_what_was_accepted_is_held_against_what_was_expected() -> None:
    tried = [Candidate("skverdict", "policy", "v3", build(compiled(POLICY)))]
    results = [
        {
            "object": tried[0].file,
            "programs": [{"name": "program", "verified_instructions": 9}, {"name": "refused"}],
        }
    ]

    (pair,) = pairs("6.1", tried, results)

    assert pair == Pair("policy", "program", "6.1", 9, pair.expected)
    assert 4 <= pair.expected <= 7


def test_differences_are_shown_and_only_large_ones_count() -> None:
    found = [
        Pair("same", "program", "6.1", 50, 50),
        Pair("short", "program", "6.1", 50, 100),
        Pair("near", "program", "7.2", 8000, 10_000),
        Pair("far", "program", "7.2", 6666, 10_000),
    ]

    assert list(table(found)) == [
        "| policy | program | kernel | instructions | expected |",
        "|---|---|---|--:|--:|",
        "| near | program | 7.2 | 8,000 | 10,000 |",
        "| far | program | 7.2 | 6,666 | 10,000 |",
        "| short | program | 6.1 | 50 | 100 |",
        "| sum of 4 | | | 14,766 | 20,150 |",
    ]
    assert [each.policy for each in found if each.is_too_much] == ["far"]
