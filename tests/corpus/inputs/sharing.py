"""Sockets in two maps, maps whose programs change, and what a socket keeps when it leaves one of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.corpus.inputs.build import APPLY, CORK, FLAGS, INGRESS, REDIRECT, SK_MSG, VERDICT, Step, scenario

PAIR: Step = ["pair", "c", "s"]
IN_WATCHED: Step = ["put", "watched", 0, "s", 0]
IN_TARGETS: Step = ["put", "targets", 0, "s", 0]
OUT_OF_WATCHED: Step = ["delete", "watched", 0]
OUT_OF_TARGETS: Step = ["delete", "targets", 0]
SMALL = 8192


def _both_ways(text: str) -> list[Step]:
    """Bytes to the socket and from it, and what ran for them."""
    return [["send", "c", f"{text} in"], ["recv", "s", 20], ["send", "s", f"{text} out"], ["recv", "c", 20], ["runs"]]


def scenarios() -> Iterator[dict[str, Any]]:
    yield from _two_maps()
    yield from _replaced()
    yield from _kept_messages()
    yield from _full()


def _two_maps() -> Iterator[dict[str, Any]]:
    shares: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
        "a verdict and a msg_verdict": (("verdict",), ("msg_verdict",)),
        "a skb_verdict and a msg_verdict": (("skb_verdict",), ("msg_verdict",)),
        "a parser and a verdict": (("parser",), ("verdict",)),
        "a verdict and a parser": (("verdict",), ("parser",)),
        "a parser with its verdict and a msg_verdict": (("parser", "verdict"), ("msg_verdict",)),
        "a verdict and nothing": (("verdict",), ()),
        "nothing and a verdict": ((), ("verdict",)),
        "a msg_verdict and nothing": (("msg_verdict",), ()),
        "two verdicts of two kinds": (("verdict",), ("skb_verdict",)),
        "two msg_verdicts": (("msg_verdict",), ("msg_verdict",)),
        "two parsers": (("parser",), ("parser",)),
    }
    for name, (first, second) in shares.items():
        attached: list[Step] = [
            *(["attach", "watched", program] for program in first),
            *(["attach", "targets", program] for program in second),
        ]
        for what, (one, other) in {
            "the first is left first": (OUT_OF_WATCHED, OUT_OF_TARGETS),
            "the second is left first": (OUT_OF_TARGETS, OUT_OF_WATCHED),
        }.items():
            yield scenario(
                f"{name}, {what}",
                {},
                *attached,
                PAIR,
                IN_WATCHED,
                IN_TARGETS,
                *_both_ways("both"),
                ["send", "c", "unread"],
                one,
                ["pending", "s"],
                ["recv", "s", 20],
                *_both_ways("one"),
                other,
                *_both_ways("none"),
            )


def _replaced() -> Iterator[dict[str, Any]]:
    """A program in the place of another: sockets keep what they have, and new ones get the new one."""
    for place, first, second in (
        ("verdict", "verdict", "parser"),
        ("parser", "parser", "verdict"),
        ("verdict", "skb_verdict", "parser"),
    ):
        yield scenario(
            f"{second} in the place of {first}",
            {},
            ["attach", "watched", first],
            *([["attach", "watched", "verdict"]] if place == "parser" else []),
            PAIR,
            ["pair", "d", "t"],
            IN_WATCHED,
            ["attach", "watched", second, "parser" if place == "parser" else "stream_verdict"],
            ["put", "watched", 1, "t", 0],
            ["send", "c", "one"],
            ["send", "d", "two"],
            ["recv", "s", 9],
            ["recv", "t", 9],
            ["runs"],
            ["detach", "watched", first],
            OUT_OF_WATCHED,
            ["send", "c", "three"],
            ["recv", "s", 9],
            ["runs"],
        )


def _kept_messages() -> Iterator[dict[str, Any]]:
    """What a msg_verdict holds back, and the rest of what it applied, when its socket leaves the map."""
    start: list[Step] = [["attach", "watched", "msg_verdict"], PAIR, IN_WATCHED]
    for name, settings in {"corked": {CORK: 10}, "applied": {APPLY: 10}, "applied less": {APPLY: 2}}.items():
        yield scenario(
            f"{name} bytes of a socket that leaves and comes again",
            settings,
            *start,
            ["send", "s", "abcd"],
            ["wait", 300],
            ["recv", "c", 20],
            OUT_OF_WATCHED,
            ["recv", "c", 20],
            IN_WATCHED,
            ["send", "s", "efgh"],
            ["send", "s", "ijklmnop"],
            ["wait", 300],
            ["recv", "c", 40],
            ["runs"],
        )
    for way, flags in (("egress", 0), ("ingress", INGRESS)):
        for watcher in ("verdict", "msg_verdict"):
            yield scenario(
                f"a verdict's redirect to {way} of a socket in its own map, beside {watcher}",
                {VERDICT: REDIRECT, SK_MSG: 0, FLAGS: flags},
                ["attach", "watched", "verdict"],
                *([["attach", "watched", watcher]] if watcher != "verdict" else []),
                PAIR,
                ["pair", "u", "b"],
                IN_WATCHED,
                ["put", "watched", 1, "u", 0],
                ["put", "targets", 0, "u", 0],
                ["send", "c", "hello"],
                ["recv", "u", 20],
                ["recv", "b", 20],
                ["send", "u", "own"],
                ["recv", "b", 20],
                ["runs"],
            )


def _full() -> Iterator[dict[str, Any]]:
    """The source leaves its map, or closes, while the target is full of what came from it."""
    for way, flags in (("egress", 0), ("ingress", INGRESS)):
        reader = "u" if flags else "b"
        for what, step in {"leaves its map": OUT_OF_WATCHED, "closes": ["close", "s"]}.items():
            yield scenario(
                f"a source {what} while its target is full, {way}",
                {VERDICT: REDIRECT, FLAGS: flags},
                ["attach", "watched", "verdict"],
                PAIR,
                ["pair", "u", "b"],
                IN_WATCHED,
                ["put", "targets", 0, "u", 0],
                *(["buffers", socket, SMALL] for socket in "ub"),
                ["burst", "c", 1000, 60],
                step,
                ["drain", reader],
                ["error", "u"],
            )
