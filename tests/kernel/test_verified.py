"""The table of what verifiers go through, from what guests reported."""

from __future__ import annotations

from typing import Any

from tests.kernel.cases import Candidate
from tests.kernel.verified import Counts, add, table, worse

TRIED = [Candidate(maker, "policy", "v3", b"") for maker in ("skverdict", "clang-19", "clang-22")]


def reported(**counts: int | None) -> list[dict[str, Any]]:
    """What a guest says of program `verdict`, by maker; None: it was refused."""
    return [
        {
            "object": f"policy.{maker.replace('_', '-')}.v3.o",
            "programs": [
                {"name": "verdict"} if count is None else {"name": "verdict", "verified_instructions": count}
            ],
        }
        for maker, count in counts.items()
    ]


def test_counts_stand_side_by_side() -> None:
    counts: Counts = {}
    add(counts, "6.1", TRIED, reported(skverdict=1000, clang_19=1200, clang_22=1100))

    assert list(table(counts, ["6.1"])) == [
        "| policy | program | 6.1 skverdict | 6.1 clang-19 | 6.1 clang-22 |",
        "|---|---|--:|--:|--:|",
        "| policy | verdict | 1,000 | 1,200 | 1,100 |",
        "| sum of 1 | | 1,000 | 1,200 | 1,100 |",
    ]
    assert worse(counts) == []


def test_only_what_another_compiler_gets_through_is_worse() -> None:
    counts: Counts = {}
    add(counts, "6.1", TRIED, reported(skverdict=None, clang_19=None, clang_22=1100))
    add(counts, "7.2", TRIED, reported(skverdict=None, clang_19=None))

    assert worse(counts) == ["policy verdict on 6.1"]
    assert list(table(counts, ["6.1", "7.2"]))[2] == (
        "| policy | verdict | refused | refused | 1,100 | refused | refused | - |"
    )
