"""Many bytes: who is held up when nobody reads, and that all arrive in order when somebody does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.corpus.inputs.build import (
    APPLY,
    CORK,
    FLAGS,
    INGRESS,
    PARSER,
    REDIRECT,
    SK_MSG,
    VERDICT,
    Step,
    scenario,
    watched_pair,
)

# More than the small buffers of all sockets together, less than what Linux lets a socket receive by default.
TOTAL = 200_000
SMALL = 8192

# Settings and programs; sender `c` and the sockets that may receive.
RECEIVING: dict[str, tuple[dict[int, int], tuple[str, ...]]] = {
    "verdict passes": ({}, ("verdict",)),
    "skb_verdict passes": ({}, ("skb_verdict",)),
    "verdict redirects to egress": ({VERDICT: REDIRECT}, ("verdict",)),
    "verdict redirects to ingress": ({VERDICT: REDIRECT, FLAGS: INGRESS}, ("verdict",)),
    "parser of 1000, redirect to egress": ({PARSER: 1100, VERDICT: REDIRECT}, ("parser", "verdict")),
    "parser of 1000, redirect to ingress": (
        {PARSER: 1100, VERDICT: REDIRECT, FLAGS: INGRESS},
        ("parser", "verdict"),
    ),
    "parser of the whole, redirect to egress": ({VERDICT: REDIRECT}, ("parser", "verdict")),
}
SENDING: dict[str, dict[int, int]] = {
    "msg_verdict passes": {},
    "msg_verdict redirects to egress": {SK_MSG: REDIRECT},
    "msg_verdict redirects to ingress": {SK_MSG: REDIRECT, FLAGS: INGRESS},
    "msg_verdict applies 1000": {APPLY: 1000},
    "msg_verdict corks 100000": {CORK: 100_000},
    "msg_verdict redirects 1000 each to egress": {SK_MSG: REDIRECT, APPLY: 1000},
}


def _receiver(name: str) -> str:
    return "b" if "egress" in name else "u" if "ingress" in name else "s"


def scenarios() -> Iterator[dict[str, Any]]:
    bounded: list[Step] = [["buffers", socket, SMALL] for socket in "csub"]
    for name, (settings, programs) in RECEIVING.items():
        start = watched_pair(*programs)
        yield scenario(f"transfer, {name}", settings, *start, ["transfer", "c", _receiver(name), TOTAL])
        # Passed messages of a parser come late, and bytes of a message that a bounded buffer cannot hold
        # never.
        yield scenario(f"nobody reads, {name}", settings, *start, *bounded, ["flood", "c", TOTAL])
        yield scenario(
            f"small buffers, {name}", settings, *start, *bounded, ["transfer", "c", _receiver(name), TOTAL]
        )
    for name, settings in SENDING.items():
        receiver = {"s": "c"}.get(_receiver(name), _receiver(name))
        start = [
            ["attach", "watched", "msg_verdict"],
            ["pair", "s", "c"],
            ["pair", "u", "b"],
            ["put", "targets", 0, "u", 0],
            ["put", "watched", 0, "s", 0],
        ]
        yield scenario(f"transfer, {name}", settings, *start, ["transfer", "s", receiver, TOTAL])
        yield scenario(f"nobody reads, {name}", settings, *start, *bounded, ["flood", "s", TOTAL])
        # A cork that is longer than the send buffer damages the stream, each time in another way.
        if CORK not in settings:
            yield scenario(
                f"small buffers, {name}", settings, *start, *bounded, ["transfer", "s", receiver, TOTAL]
            )
