"""Datagrams and unix messages that are sent in parts: MSG_MORE, and pages of a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.corpus.inputs.build import (
    REDIRECT,
    VERDICT,
    VERDICT_PULL,
    Step,
    scenario,
)

KINDS: dict[str, Step] = {
    "UDP over IPv4": ["udp", "c", "s"],
    "UDP over IPv6": ["udp", "c", "s", {"family": "v6"}],
    "unix stream": ["unix", "c", "s", "stream"],
    "unix dgram": ["unix", "c", "s", "dgram"],
}
WATCH: Step = ["put", "watched", 0, "s", 0]
READ: list[Step] = [["recv", "s", 200], ["recv", "s", 200], ["recv", "s", 200]]
#: More than a page.
_LONG = "0123456789" * 600


def scenarios() -> Iterator[dict[str, Any]]:
    for kind, pair in KINDS.items():
        yield from _in_parts(kind, pair)
        yield from _from_files(kind, pair)


def _in_parts(kind: str, pair: Step) -> Iterator[dict[str, Any]]:
    parts: list[Step] = [["more", "c", "ab"], ["more", "c", "cde"], ["runs"], ["send", "c", "f"], ["runs"]]
    watched: list[Step] = [["attach", "watched", "skb_verdict"], pair, WATCH]
    yield scenario(f"in parts, {kind}", {}, pair, *parts, ["pending", "s"], *READ)
    for pull in (0, 1, 3, 6):
        steps = (*watched, *parts, ["send", "c", "gh"], ["runs"], ["pending", "s"], *READ)
        yield scenario(f"in parts, a verdict that pulls {pull}, {kind}", {VERDICT_PULL: pull}, *steps)
    ends: dict[str, list[Step]] = {
        "sender closes": [["close", "c"]],
        "sender shuts down": [["shutdown", "c"], ["more", "c", "cd"], ["send", "c", "ef"], ["send", "c", "gh"]],
        "receiver shuts down": [["shutdown", "s", 0], ["send", "c", "cd"], ["send", "c", "ef"]],
        "sender taken out": [["put", "targets", 0, "c", 0], ["delete", "targets", 0], ["send", "c", "cd"]],
        "too long": [["flood", "c", 65506], ["send", "c", "cd"], ["send", "c", "ef"], ["drain", "s"]],
        "nothing": [["send", "c", ""]],
        "waited for": [["wait", 500]],
        "shut and too long": [["shutdown", "c"], ["send", "c", "cd"], ["flood", "c", 65530]],
    }
    for name, end in ends.items():
        yield scenario(f"in parts, {name}, {kind}", {}, pair, ["more", "c", "ab"], *end, ["error", "c"], *READ)
    gone: tuple[Step, ...] = (["close", "s"], ["more", "c", "cd"], ["send", "c", "ef"])
    after: tuple[Step, ...] = (["error", "c"], ["send", "c", "gh"], ["more", "c", "ij"], ["send", "c", "kl"])
    yield scenario(f"in parts, receiver closes, {kind}", {}, pair, ["more", "c", "ab"], *gone, *after, ["error", "c"])
    to = [*pair[:1], "u", "b", *pair[3:]]
    yield scenario(
        f"redirected behind parts, {kind}",
        {VERDICT: REDIRECT},
        *(["attach", "watched", "verdict"], ["pair", "c", "s"], to, ["put", "targets", 0, "u", 0], WATCH),
        *(["more", "u", "ab"], ["send", "c", "cd"], ["recv", "b", 200], ["send", "u", "ef"], ["recv", "b", 200]),
        *(["recv", "b", 200], ["runs"]),
    )
    yield scenario(
        f"parts redirected, {kind}",
        {VERDICT: REDIRECT},
        *(["attach", "watched", "skb_verdict"], pair, ["pair", "u", "b"], ["put", "targets", 0, "u", 0], WATCH),
        *(["more", "c", "ab"], ["more", "c", "cd"], ["send", "c", "ef"], ["recv", "b", 200], ["runs"]),
    )


def _from_files(kind: str, pair: Step) -> Iterator[dict[str, Any]]:
    watched: list[Step] = [["attach", "watched", "skb_verdict"], pair, WATCH]
    for name, text in {"a short file": "hello", "a file of two pages": _LONG}.items():
        yield scenario(f"{name}, {kind}", {}, pair, ["sendfile", "c", text], *([["recv", "s", 3]] * 4))
        for pull in (0, 3):
            settings = {VERDICT_PULL: pull}
            steps = (*watched, ["sendfile", "c", text], ["runs"], ["recv", "s", 3], ["pending", "s"])
            yield scenario(f"{name}, a verdict that pulls {pull}, {kind}", settings, *steps)
    mixed: tuple[Step, ...] = (["more", "c", "ab"], ["sendfile", "c", "hello"], ["send", "c", "cd"])
    yield scenario(f"a file behind parts, {kind}", {}, pair, *mixed, *READ)
    yield scenario(f"a file behind parts that a verdict sees, {kind}", {}, *watched, *mixed, ["runs"], *READ)
    twice: tuple[Step, ...] = (["send", "c", "ab"], ["sendfile", "c", "hello"], ["sendfile", "c", "cd"])
    yield scenario(f"files behind what waits, {kind}", {}, pair, *twice, *READ, *READ)
    later: tuple[Step, ...] = (*watched[::2], ["send", "c", "e"], ["runs"])
    yield scenario(f"files that a verdict sees later, {kind}", {}, pair, *twice, *later, *READ)
