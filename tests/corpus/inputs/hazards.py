"""Known faults of the kernel that no other group strikes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.corpus.inputs.build import (
    APPLY,
    CORK,
    FLAGS,
    INGRESS,
    PARSER,
    SK_MSG,
    Step,
    net_scenario,
    scenario,
    watched_pair,
)
from tests.corpus.inputs.families import CONNECTED, PUT

FIRST_BYTE_IS_LENGTH = 1
REDIRECT_SOME = 5


def scenarios() -> Iterator[dict[str, Any]]:
    yield scenario(
        "passed bytes are late behind the beginning of a message",
        {PARSER: FIRST_BYTE_IS_LENGTH},
        *watched_pair("parser", "verdict"),
        ["send", "c", "3ab"],
        ["send", "c", "5x"],
        ["send", "c", "y"],
        ["pending", "s"],
        ["recv", "s", 10],
        ["send", "c", "zw"],
        ["recv", "s", 10],
        ["recv", "s", 10],
        ["runs"],
    )
    yield scenario(
        "passed bytes hide behind the beginning of a long message",
        {PARSER: FIRST_BYTE_IS_LENGTH},
        *watched_pair("parser", "verdict"),
        ["send", "c", "3ab"],
        ["send", "c", "9x"],
        ["send", "c", "y"],
        ["pending", "s"],
        ["recv", "s", 10],
        ["send", "c", "zwabcd"],
        ["recv", "s", 10],
        ["recv", "s", 10],
        ["runs"],
    )
    for kind in ("verdict", "skb_verdict"):
        yield scenario(
            f"{kind}, bytes that were read come again",
            {},
            ["attach", "watched", kind],
            ["pair", "c", "s"],
            ["send", "c", "early"],
            ["recv", "s", 2],
            ["put", "watched", 0, "s", 0],
            ["send", "c", "late"],
            ["recv", "s", 100],
            ["recv", "s", 100],
            ["runs"],
        )
    for way, flags in (("egress", 0), ("ingress", INGRESS)):
        yield scenario(
            f"a redirect that outlives its run, {way}",
            {SK_MSG: REDIRECT_SOME, APPLY: 4, FLAGS: flags},
            ["attach", "watched", "msg_verdict"],
            ["pair", "s", "c"],
            ["pair", "u", "b"],
            ["put", "targets", 0, "u", 0],
            ["put", "watched", 0, "s", 0],
            ["send", "s", ">abcdefg"],
            ["wait", 300],
            ["recv", "b", 20],
            ["recv", "u", 20],
            ["recv", "c", 20],
            ["send", "s", "next"],
            ["wait", 300],
            ["recv", "c", 20],
            ["recv", "b", 20],
            ["runs"],
        )
    yield from _unix_shutdown()
    yield from _failed_sends()


def _unix_shutdown() -> Iterator[dict[str, Any]]:
    for kind in ("unix stream", "unix dgram"):
        for who in "cs":
            for how in (0, 1, 2):
                other = "s" if who == "c" else "c"
                yield net_scenario(
                    f"{kind}, {'sender' if who == 'c' else 'receiver'} shuts down {how}",
                    {},
                    ["attach", "hash", "skb_verdict"],
                    *CONNECTED[kind],
                    PUT,
                    ["send", "c", "one"],
                    ["shutdown", who, how],
                    ["get", "hash", [1, 0, 0, 0]],
                    ["send", "c", "two"],
                    ["recv", "s", 10],
                    ["recv", "s", 10],
                    ["send", other, "x"],
                    ["seen_lengths"],
                )


def _failed_sends() -> Iterator[dict[str, Any]]:
    """Messages that could not be sent, and the next ones."""
    start: list[Step] = [["attach", "watched", "msg_verdict"], ["pair", "s", "c"], ["put", "watched", 0, "s", 0]]
    ends: dict[str, list[Step]] = {
        "after shutdown": [["shutdown", "s"]],
        "to a closed peer": [["close", "c"], ["send", "s", "zero"]],
        "to a peer that reset": [["reset", "c"]],
    }
    for name, steps in ends.items():
        for what, settings in (("", {}), (", apply 2", {APPLY: 2}), (", cork 5", {CORK: 5})):
            yield scenario(
                f"sends {name}{what}",
                settings,
                *start,
                *steps,
                ["send", "s", "one"],
                ["send", "s", "two"],
                ["send", "s", "three"],
                ["runs"],
                ["error", "s"],
            )
