"""Verdicts without a parser, of both kinds: each received buffer is judged as it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.corpus.inputs.build import (
    FLAGS,
    INGRESS,
    KEY,
    REDIRECT,
    VERDICT,
    VERDICT_PULL,
    Step,
    scenario,
    watched_pair,
)

HELLO: Step = ["send", "c", "hello"]
PUT: Step = ["put", "watched", 0, "s", 0]


def scenarios() -> Iterator[dict[str, Any]]:
    for kind in ("verdict", "skb_verdict"):
        yield from _judging(kind)
        yield from _redirecting(kind)
        yield from _coming_and_going(kind)


def _judging(kind: str) -> Iterator[dict[str, Any]]:
    for mode in range(6):
        yield scenario(
            f"{kind} alone mode {mode}",
            {VERDICT: mode},
            *watched_pair(kind),
            HELLO,
            ["pending", "s"],
            ["peek", "s", 3],
            ["recv", "s", 2],
            ["recv", "s", 100],
            ["send", "c", "!world"],
            ["recv", "s", 100],
            ["recv", "b", 100],
            ["runs"],
            ["shutdown", "c"],
            ["recv", "s", 10],
            ["recv", "b", 10],
            ["runs"],
            ["send", "s", "back"],
            ["recv", "c", 10],
        )
    for length in (1, 3, 5, 6, 100):
        yield scenario(
            f"{kind} pulls {length}",
            {VERDICT_PULL: length},
            *watched_pair(kind),
            HELLO,
            ["recv", "s", 100],
            ["runs"],
        )


def _redirecting(kind: str) -> Iterator[dict[str, Any]]:
    for flags in range(4):
        for key in (0, 5, 99):
            yield scenario(
                f"{kind} redirect flags {flags} key {key}",
                {VERDICT: REDIRECT, FLAGS: flags, KEY: key},
                *watched_pair(kind),
                HELLO,
                ["recv", "s", 10],
                ["recv", "u", 10],
                ["recv", "b", 10],
                ["runs"],
            )
    for way, flags in (("ingress", INGRESS), ("egress", 0)):
        yield scenario(
            f"{kind} redirect to itself {way}",
            {VERDICT: REDIRECT, FLAGS: flags},
            ["attach", "watched", kind],
            ["pair", "c", "s"],
            PUT,
            ["put", "targets", 0, "s", 0],
            HELLO,
            ["recv", "s", 10],
            ["recv", "c", 10],
            ["runs"],
        )


def _coming_and_going(kind: str) -> Iterator[dict[str, Any]]:
    yield scenario(
        f"{kind} bytes queued before put",
        {},
        ["attach", "watched", kind],
        ["pair", "c", "s"],
        ["send", "c", "early"],
        PUT,
        ["runs"],
        ["recv", "s", 100],
        ["runs"],
        ["send", "c", "late"],
        ["runs"],
        ["recv", "s", 100],
        ["recv", "s", 100],
        ["runs"],
    )
    yield scenario(
        f"{kind} target watched as well, egress",
        {VERDICT: REDIRECT},
        *watched_pair(kind),
        ["put", "watched", 1, "u", 0],
        HELLO,
        ["recv", "b", 10],
        ["send", "b", "reply"],
        ["recv", "u", 10],
        ["recv", "s", 10],
        ["recv", "b", 20],
        ["runs"],
    )
    yield scenario(
        f"{kind} target closed",
        {VERDICT: REDIRECT},
        *watched_pair(kind),
        ["close", "u"],
        ["get", "targets", 0],
        HELLO,
        ["recv", "s", 10],
        ["recv", "b", 10],
        ["runs"],
    )
    yield scenario(
        f"{kind} target's peer closed",
        {VERDICT: REDIRECT},
        *watched_pair(kind),
        ["close", "b"],
        HELLO,
        HELLO,
        ["recv", "s", 10],
        ["recv", "u", 10],
        ["get", "targets", 0],
        ["runs"],
    )
    yield scenario(
        f"{kind} attached after put",
        {},
        ["pair", "c", "s"],
        PUT,
        ["attach", "watched", kind],
        HELLO,
        ["recv", "s", 10],
        ["runs"],
        PUT,
        ["send", "c", "again"],
        ["recv", "s", 10],
        ["runs"],
    )
    yield scenario(
        f"{kind} removed from map",
        {},
        *watched_pair(kind),
        ["send", "c", "one"],
        ["recv", "s", 10],
        ["delete", "watched", 0],
        ["send", "c", "two"],
        ["recv", "s", 10],
        ["runs"],
        ["get", "watched", 0],
    )
    yield scenario(
        f"{kind} detached with socket inside",
        {},
        *watched_pair(kind),
        ["detach", "watched", kind],
        ["send", "c", "one"],
        ["recv", "s", 10],
        ["runs"],
    )
