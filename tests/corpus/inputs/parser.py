"""What parsers return, with messages in one segment and over several, and what their verdicts get."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.corpus.inputs.build import DROP, FLAGS, INGRESS, PARSER, REDIRECT, VERDICT, scenario, watched_pair

BOTH = ("parser", "verdict")
SEGMENTS = [["send", "c", text] for text in ("3abcd", "4efgh", "2ijkl", "5mnop")]
# Each with the setting of slot PARSER.
PARSERS = {
    "whole": 0,
    "by content": 1,
    "2": 102,
    "5": 105,
    "8": 108,
    "20": 120,
    "waits for 10": 2,
    "error": 3,
}
UNREAD = [["recv", "s", 100], ["runs"], ["shutdown", "c"], ["recv", "s", 10]]


def scenarios() -> Iterator[dict[str, Any]]:
    for name, setting in PARSERS.items():
        yield scenario(
            f"parser {name}, redirect egress",
            {PARSER: setting, VERDICT: REDIRECT},
            *watched_pair(*BOTH),
            *SEGMENTS,
            ["recv", "b", 100],
            *UNREAD,
            ["recv", "b", 10],
            ["runs"],
        )
        read_at_once = [step for sent in SEGMENTS for step in (sent, ["recv", "s", 100], ["runs"])]
        yield scenario(
            f"parser {name}, pass read at once",
            {PARSER: setting},
            *watched_pair(*BOTH),
            *read_at_once,
            ["shutdown", "c"],
            ["recv", "s", 10],
            ["runs"],
        )
        yield scenario(
            f"parser {name}, drop",
            {PARSER: setting, VERDICT: DROP},
            *watched_pair(*BOTH),
            *SEGMENTS,
            *UNREAD,
            ["runs"],
        )
    yield scenario(
        "parser and bytes queued before put",
        {},
        ["attach", "watched", "parser"],
        ["attach", "watched", "verdict"],
        ["pair", "c", "s"],
        ["send", "c", "early"],
        ["put", "watched", 0, "s", 0],
        ["runs"],
        ["recv", "s", 100],
        ["send", "c", "late"],
        ["runs"],
        ["recv", "s", 100],
        ["runs"],
    )
    yield scenario(
        "parser, redirect ingress",
        {VERDICT: REDIRECT, FLAGS: INGRESS},
        *watched_pair(*BOTH),
        *SEGMENTS,
        ["recv", "u", 7],
        ["pending", "u"],
        ["recv", "u", 100],
        ["recv", "s", 100],
        ["runs"],
    )
    for beside in (None, "skb_verdict"):
        yield scenario(
            f"parser with {beside}" if beside else "parser alone",
            {},
            *(["attach", "watched", program] for program in ("parser", beside) if program),
            ["pair", "c", "s"],
            ["put", "watched", 0, "s", 0],
            ["send", "c", "hello"],
            ["recv", "s", 10],
            ["runs"],
        )
