"""Sockets that end, and sockets that leave their map, while bytes are on their way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.corpus.inputs.build import (
    DROP,
    FLAGS,
    INGRESS,
    REDIRECT,
    SK_MSG,
    VERDICT,
    Step,
    scenario,
    watched_pair,
)

PROGRAMS: dict[str, tuple[str, ...]] = {
    "verdict": ("verdict",),
    "skb_verdict": ("skb_verdict",),
    "parser and verdict": ("parser", "verdict"),
}
WAYS: dict[str, tuple[dict[int, int], str]] = {
    "egress": ({VERDICT: REDIRECT}, "b"),
    "ingress": ({VERDICT: REDIRECT, FLAGS: INGRESS}, "u"),
}
READ: Step = ["recv", "s", 100]
MORE: Step = ["send", "c", "three"]
QUEUED: list[Step] = [["send", "c", "one"], ["send", "c", "two"]]
SHUT_RD = 0


def scenarios() -> Iterator[dict[str, Any]]:
    for name, programs in PROGRAMS.items():
        yield from _passed(name, programs)
        for way, (settings, receiver) in WAYS.items():
            yield from _redirected(f"{name}, {way}", settings, programs, receiver)
    yield from _sending()
    yield from _replacing()
    yield from _emptied_late()


def _passed(name: str, programs: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    ends: dict[str, list[Step]] = {
        "sender shuts down": [["shutdown", "c"], READ, READ],
        "sender closes": [["close", "c"], READ, READ, ["error", "s"]],
        "receiver shuts down writing": [["shutdown", "s"], ["recv", "c", 9], READ, MORE, READ],
        "receiver shuts down reading": [["shutdown", "s", SHUT_RD], READ, READ, MORE, READ],
        "receiver closes": [["close", "s"], ["recv", "c", 100], MORE, ["error", "c"]],
        "taken out": [["delete", "watched", 0], ["pending", "s"], READ, MORE, READ, READ],
        "taken out and put in again": [
            ["delete", "watched", 0],
            ["put", "watched", 0, "s", 0],
            READ,
            MORE,
            READ,
        ],
        "replaced in the map": [
            ["pair", "d", "t"],
            ["put", "watched", 0, "t", 0],
            READ,
            MORE,
            READ,
            ["send", "d", "four"],
            ["recv", "t", 100],
        ],
    }
    for what, steps in ends.items():
        start = watched_pair(*programs)
        yield scenario(f"{name}, passed bytes, {what}", {}, *start, *QUEUED, *steps, ["runs"])


def _redirected(
    name: str, settings: dict[int, int], programs: tuple[str, ...], receiver: str
) -> Iterator[dict[str, Any]]:
    start = watched_pair(*programs)
    read: list[Step] = [["recv", receiver, 100], ["recv", receiver, 100]]
    ends: dict[str, list[Step]] = {
        "sender closes": [*QUEUED, ["close", "c"], *read],
        "source taken out": [*QUEUED, ["delete", "watched", 0], *read, MORE, READ],
        "source closes": [*QUEUED, ["close", "s"], *read, ["error", "c"]],
        "target taken out": [*QUEUED, ["delete", "targets", 0], *read, MORE, ["recv", "s", 9]],
        "target taken out before": [["delete", "targets", 0], *QUEUED, *read, ["recv", "s", 9]],
        "target replaced": [
            *QUEUED,
            ["pair", "v", "d"],
            ["put", "targets", 0, "v", 0],
            MORE,
            *read,
            ["recv", "v", 9],
            ["recv", "d", 9],
        ],
        "target shut down for writing": [["shutdown", "u"], *QUEUED, *read, ["recv", "u", 9], ["runs"]],
        "target shut down for reading": [["shutdown", "u", SHUT_RD], *QUEUED, *read, ["runs"]],
        "target's peer sends too": [["send", "b", "mine"], *QUEUED, *read, *[["recv", "u", 9]] * 2],
    }
    for what, steps in ends.items():
        yield scenario(f"{name}, {what}", settings, *start, *steps)


def _sending() -> Iterator[dict[str, Any]]:
    start: list[Step] = [
        ["attach", "watched", "msg_verdict"],
        ["pair", "s", "c"],
        ["pair", "u", "b"],
        ["put", "targets", 0, "u", 0],
        ["put", "watched", 0, "s", 0],
    ]
    sent: list[Step] = [["send", "s", "one"], ["send", "s", "two"]]
    ends: dict[str, list[Step]] = {
        "sender closes": [["close", "s"]],
        "sender shuts down": [["shutdown", "s"]],
        "sender taken out": [["delete", "watched", 0], ["send", "s", "three"]],
        "target taken out": [["delete", "targets", 0], ["send", "s", "three"]],
        "target shuts down reading": [["shutdown", "u", SHUT_RD], ["send", "s", "three"]],
        "target's peer sends too": [["send", "b", "mine"], ["send", "s", "three"]],
    }
    for way, flags in (("egress", 0), ("ingress", INGRESS)):
        receiver = "u" if flags else "b"
        for what, steps in ends.items():
            yield scenario(
                f"msg_verdict, {way}, {what}",
                {SK_MSG: REDIRECT, FLAGS: flags},
                *start,
                *sent,
                *steps,
                ["recv", receiver, 5],
                ["recv", receiver, 100],
                ["recv", receiver, 100],
                ["recv", "c", 100],
                ["runs"],
            )
    yield scenario(
        "msg_verdict on both ends",
        {},
        ["attach", "watched", "msg_verdict"],
        ["pair", "s", "c"],
        ["put", "watched", 0, "s", 0],
        ["put", "watched", 1, "c", 0],
        ["send", "s", "one"],
        ["send", "c", "two"],
        ["recv", "c", 9],
        ["recv", "s", 9],
        ["runs"],
        ["close", "s"],
        ["recv", "c", 9],
        ["send", "c", "three"],
        ["runs"],
    )


def _replacing() -> Iterator[dict[str, Any]]:
    """A socket keeps the programs that it inherited, whatever the map gets since."""
    for first, second in (("verdict", None), ("verdict", "skb_verdict"), ("skb_verdict", "verdict")):
        yield scenario(
            f"{first} replaced by {second or 'nothing'} while a socket has it",
            {},
            *watched_pair(first),
            ["detach", "watched", first],
            *([["attach", "watched", second]] if second else []),
            ["send", "c", "one"],
            ["recv", "s", 9],
            ["runs"],
            ["put", "watched", 0, "s", 0],
            ["put", "watched", 1, "s", 0],
            ["send", "c", "two"],
            ["recv", "s", 9],
            ["runs"],
            ["delete", "watched", 0],
            ["send", "c", "three"],
            ["recv", "s", 9],
            ["runs"],
        )
    yield scenario(
        "a parser added while a socket has a verdict",
        {},
        *watched_pair("verdict"),
        ["attach", "watched", "parser"],
        ["send", "c", "one"],
        ["recv", "s", 9],
        ["delete", "watched", 0],
        ["put", "watched", 0, "s", 0],
        ["send", "c", "two"],
        ["recv", "s", 9],
        ["runs"],
    )
    yield scenario(
        "programs on both ends",
        {VERDICT: DROP},
        ["attach", "watched", "verdict"],
        ["attach", "targets", "msg_verdict"],
        ["pair", "c", "s"],
        ["put", "watched", 0, "s", 0],
        ["put", "watched", 1, "c", 0],
        ["put", "targets", 0, "c", 0],
        ["send", "c", "one"],
        ["send", "s", "two"],
        ["recv", "s", 9],
        ["recv", "c", 9],
        ["runs"],
    )


def _emptied_late() -> Iterator[dict[str, Any]]:
    """Several passed messages wait before the application reads."""
    for waiting in (1, 2, 4):
        sends: list[Step] = [["send", "c", f"m{number}"] for number in range(waiting)]
        later: list[Step] = [
            step for number in range(6) for step in (["send", "c", f"n{number}"], ["recv", "s", 100])
        ]
        for name, programs in PROGRAMS.items():
            yield scenario(
                f"{name}, {waiting} waiting before the first read",
                {},
                *watched_pair(*programs),
                *sends,
                ["recv", "s", 100],
                ["runs"],
                *later,
                ["error", "s"],
                ["runs"],
            )
