"""Targets that are full, gone or broken, of every kind: who is held up, what is lost, and what goes on afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.corpus.inputs.build import (
    FLAGS,
    INGRESS,
    MODE,
    REDIRECT,
    REDIRECT_FLAGS,
    SK_MSG,
    TARGET,
    TO_INDEX,
    VERDICT,
    Step,
    net_scenario,
    scenario,
)
from tests.corpus.inputs.families import CONNECTED, PAIRED, PUT

SMALL = 8192
SHUT_RD, SHUT_BOTH = 0, 2
WAYS = {"egress": 0, "ingress": INGRESS}
READER = {"egress": "b", "ingress": "u"}
KINDS = tuple(PAIRED)


def scenarios() -> Iterator[dict[str, Any]]:
    for kind in KINDS:
        for way in WAYS:
            yield from _full(kind, way)
            yield from _gone(kind, way)
    yield from _full_sources()
    yield from _in_flight()
    yield from _small()


def _start(source: str, target: str, way: str, program: str = "skb_verdict") -> list[Step]:
    return [
        ["attach", "hash", program],
        *CONNECTED[source],
        PAIRED[target],
        PUT,
        ["put", "sockets", 0, "u"],
    ]


def _settings(way: str) -> dict[int, int]:
    return {MODE: TO_INDEX, TARGET: 0, REDIRECT_FLAGS: WAYS[way]}


def _overfilled(count: int, reader: str) -> list[Step]:
    """So many messages of 1000 bytes for a target with small buffers, which are read, and one more behind them."""
    return [
        *(["buffers", socket, SMALL] for socket in "ub"),
        ["burst", "c", 1000, count],
        ["drain", reader],
        ["send", "c", "after"],
        ["recv", reader, 10],
        ["error", "u"],
        ["error", "s"],
    ]


def _full(kind: str, way: str) -> Iterator[dict[str, Any]]:
    """More than the target holds comes, and is read afterwards."""
    reader = READER[way]
    yield net_scenario(
        f"a full target, {way} of {kind}",
        _settings(way),
        *_start("TCP over IPv4", kind, way),
        *_overfilled(60, reader),
    )
    yield net_scenario(
        f"a full target is closed, {way} of {kind}",
        _settings(way),
        *_start("TCP over IPv4", kind, way),
        *(["buffers", socket, SMALL] for socket in "ub"),
        ["burst", "c", 1000, 60],
        ["close", "u"],
        ["send", "c", "after"],
        ["recv", "s", 10],
        ["close", "c"],
        ["recv", "s", 10],
        ["error", "s"],
    )
    yield net_scenario(
        f"a full target is taken out and put in again, {way} of {kind}",
        _settings(way),
        *_start("TCP over IPv4", kind, way),
        *(["buffers", socket, SMALL] for socket in "ub"),
        ["burst", "c", 1000, 60],
        ["delete", "sockets", 0],
        ["send", "c", "nobody"],
        ["put", "sockets", 0, "u"],
        ["send", "c", "after"],
        ["error", "u"],
        ["error", "s"],
    )


def _gone(kind: str, way: str) -> Iterator[dict[str, Any]]:
    """The target, or its other end, ends before or after bytes are redirected to it."""
    reader = READER[way]
    ends: dict[str, list[Step]] = {
        "closed": [["close", "u"]],
        "shut down": [["shutdown", "u", SHUT_BOTH]],
        "its other end closed": [["close", "b"]],
        "its other end shut down": [["shutdown", "b"]],
        "its other end shut down for reading": [["shutdown", "b", SHUT_RD]],
    }
    read: list[Step] = [] if reader == "b" else [["recv", "u", 20], ["recv", "u", 20]]
    for what, steps in ends.items():
        read_now = [] if steps[0][1] == reader else [["recv", reader, 20], ["recv", reader, 20]]
        told: list[Step] = [] if what == "closed" else [["error", "u"]]
        for when, before in (("before", True), ("after", False)):
            first: list[Step] = [] if before else [["send", "c", "one"]]
            yield net_scenario(
                f"{what} {when}, {way} of {kind}",
                _settings(way),
                *_start("TCP over IPv4", kind, way),
                *first,
                *steps,
                ["send", "c", "two"],
                ["send", "c", "three"],
                *(read_now or read if what != "closed" else read_now),
                *told,
                ["recv", "s", 10],
                ["error", "s"],
                ["get", "sockets", 0],
            )


def _full_sources() -> Iterator[dict[str, Any]]:
    """Sources of messages."""
    for source in ("UDP over IPv4", "unix stream", "unix dgram"):
        for target in KINDS:
            for way in WAYS:
                reader = READER[way]
                yield net_scenario(
                    f"many messages of {source} to {way} of {target}",
                    _settings(way),
                    *_start(source, target, way),
                    *_overfilled(40, reader),
                )
        yield net_scenario(
            f"many messages passed, {source}",
            {},
            ["attach", "hash", "skb_verdict"],
            *CONNECTED[source],
            PUT,
            *(["buffers", socket, SMALL] for socket in "cs"),
            ["burst", "c", 1000, 40],
            ["drain", "s"],
            ["send", "c", "after"],
            ["recv", "s", 10],
        )


def _in_flight() -> Iterator[dict[str, Any]]:
    """Resets, and what they do to bytes that wait."""
    lines: list[Step] = [["send", "c", "one"], ["send", "c", "two"]]
    programs: dict[str, tuple[str, ...]] = {
        "verdict": ("verdict",),
        "parser and verdict": ("parser", "verdict"),
        "msg_verdict": ("msg_verdict",),
        "no program": (),
    }
    for name, attached in programs.items():
        start: list[Step] = [
            *(["attach", "watched", program] for program in attached),
            ["pair", "c", "s"],
            ["put", "watched", 0, "s", 0],
            ["put", "watched", 1, "c", 0],
        ]
        ends: dict[str, list[Step]] = {
            "the sender resets": [*lines, ["reset", "c"]],
            "the sender shuts down, then resets": [*lines, ["shutdown", "c"], ["reset", "c"]],
            "the receiver resets": [*lines, ["reset", "s"]],
        }
        for what, steps in ends.items():
            left = "c" if steps[-1][1] == "s" else "s"
            yield scenario(
                f"{name}, {what}",
                {},
                *start,
                *steps,
                ["pending", left],
                ["error", left],
                ["recv", left, 10],
                ["recv", left, 10],
                ["send", left, "x"],
                ["state", left],
                ["keys", "watched"],
            )
            yield scenario(
                f"{name}, {what}, read first",
                {},
                *start,
                *steps,
                ["recv", left, 10],
                ["recv", left, 10],
                ["error", left],
                ["send", left, "x"],
                ["send", left, "x"],
            )
    for way, flags in WAYS.items():
        reader = READER[way]
        for name, attached in (("verdict", ("verdict",)), ("parser and verdict", ("parser", "verdict"))):
            start = [
                *(["attach", "watched", program] for program in attached),
                ["pair", "c", "s"],
                ["pair", "u", "b"],
                ["put", "targets", 0, "u", 0],
                ["put", "watched", 0, "s", 0],
            ]
            for what, who in (("source's sender", "c"), ("source", "s"), ("target", "u"), ("target's peer", "b")):
                read: list[Step] = [] if who == reader else [["recv", reader, 20], ["recv", reader, 20]]
                errors: list[Step] = [["error", each] for each in "csub" if each != who]
                after: list[Step] = [["send", "c", "three"]] if who not in "cs" else []
                yield scenario(
                    f"{name}, {way}, the {what} resets",
                    {VERDICT: REDIRECT, FLAGS: flags},
                    *start,
                    *lines,
                    ["reset", who],
                    *after,
                    *read,
                    *errors,
                )
        start = [
            ["attach", "watched", "msg_verdict"],
            ["pair", "c", "s"],
            ["pair", "u", "b"],
            ["put", "targets", 0, "u", 0],
            ["put", "watched", 0, "c", 0],
        ]
        for what, who in (("sender's peer", "s"), ("target", "u"), ("target's peer", "b")):
            read = [] if who == reader else [["recv", reader, 20], ["recv", reader, 20]]
            yield scenario(
                f"msg_verdict, {way}, the {what} resets",
                {SK_MSG: REDIRECT, FLAGS: flags},
                *start,
                *lines,
                ["reset", who],
                ["send", "c", "three"],
                ["send", "c", "four"],
                *read,
                *(["error", each] for each in "csub" if each != who),
                ["send", "c", "five"],
            )


def _small() -> Iterator[dict[str, Any]]:
    """Messages that cost more than their bytes."""
    for source in ("UDP over IPv4", "unix stream", "unix dgram"):
        for size in (1, 180, 300, 400):
            yield net_scenario(
                f"many messages of {size} bytes, {source}",
                {},
                ["attach", "hash", "skb_verdict"],
                *CONNECTED[source],
                PUT,
                *(["buffers", socket, SMALL] for socket in "cs"),
                ["burst", "c", size, 50],
                ["drain", "s"],
            )
