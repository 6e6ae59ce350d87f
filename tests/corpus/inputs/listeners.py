"""Listening sockets in maps, and what becomes of the connections that they accept.

Where the listener has a verdict, nothing that it accepts is put into a map with one: the first bytes after
that overflow the kernel's stack, on 6.1, 6.12 and 7.2 alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.corpus.inputs.build import DROP, SK_MSG, VERDICT, Step, scenario

ATTACHED: dict[str, tuple[str, ...]] = {
    "nothing": (),
    "verdict": ("verdict",),
    "skb_verdict": ("skb_verdict",),
    "parser and verdict": ("parser", "verdict"),
    "msg_verdict": ("msg_verdict",),
}
HARMLESS = ("nothing", "msg_verdict")


def scenarios() -> Iterator[dict[str, Any]]:
    accepted_put_in: list[Step] = [
        ["put", "watched", 1, "s", 0],
        ["send", "c", "again"],
        ["recv", "s", 10],
        ["runs"],
    ]
    for name, programs in ATTACHED.items():
        for mode in (0, DROP):
            yield scenario(
                f"listener in a map with {name}, mode {mode}",
                {VERDICT: mode, SK_MSG: mode},
                *(["attach", "watched", program] for program in programs),
                ["listen", "l"],
                ["put", "watched", 0, "l", 0],
                ["connect", "l", "c", "s"],
                ["send", "c", "hello"],
                ["recv", "s", 10],
                ["send", "s", "answer"],
                ["recv", "c", 10],
                ["runs"],
                *(accepted_put_in if name in HARMLESS else []),
                ["close", "l"],
                ["get", "watched", 0],
                ["get", "watched", 1],
            )
    yield scenario(
        "listener taken out of the map",
        {},
        ["attach", "watched", "verdict"],
        ["listen", "l"],
        ["put", "watched", 0, "l", 0],
        ["delete", "watched", 0],
        ["connect", "l", "c", "s"],
        ["send", "c", "hello"],
        ["recv", "s", 10],
        ["runs"],
    )
