"""Random scenarios: sockets in maps, programs of the lab in any mode, and what applications do, in any order.

What `docs/kernel-differences.md` names as wrong in a new way each time, or as fatal to the kernel, is left out: apply
together with cork, listeners in maps, corks beyond the send buffer, empty datagrams.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from tests.corpus.inputs.build import (
    APPLY,
    CORK,
    FLAGS,
    KEY,
    PARSER,
    POP_LENGTH,
    POP_START,
    PULL_END,
    PULL_START,
    PUSH_LENGTH,
    PUSH_START,
    SK_MSG,
    VERDICT,
    VERDICT_PULL,
    Step,
)

#: Pairs of sockets, client and server. Any of these may go into a map.
PAIRS = (("c", "s"), ("u", "b"), ("v", "d"))
SOCKETS = tuple(name for pair in PAIRS for name in pair)
MAPS = ("watched", "targets")
KINDS = (("verdict",), ("verdict", "msg_verdict"), ("msg_verdict",), ("skb_verdict",), ("skb_verdict", "msg_verdict"))
_TEXTS = ("a", "!b", "0123456789", "!drop this", "hello", "GET / HTTP/1.1\r\n\r\n", "7654321", "x" * 40)


def _settings(source: random.Random, parser: bool) -> dict[str, int]:
    """Modes of the programs, most of them as they are without any."""
    settings = {VERDICT: source.choice((0, 0, 1, 2, 2, 2, 3, 4, 5, 5)), SK_MSG: source.choice((0, 0, 1, 2, 2, 3, 3, 4))}
    settings[FLAGS] = source.choice((0, 0, 1))
    settings[KEY] = source.choice((0, 0, 1, 5))
    if parser:
        settings[PARSER] = source.choice((0, 0, 1, 2, 104, 101))
    if source.random() < 0.3:
        settings[VERDICT_PULL] = source.choice((1, 4, 100))
    extra = source.random()
    if extra < 0.2:
        settings[APPLY] = source.choice((1, 3, 5, 100))
    elif extra < 0.4:
        settings[CORK] = source.choice((2, 6, 12))
    change = source.random()
    if change < 0.1:
        settings |= {PULL_START: source.randint(0, 3), PULL_END: source.randint(1, 12)}
    elif change < 0.2:
        settings |= {PUSH_START: source.randint(0, 5), PUSH_LENGTH: source.randint(1, 5)}
    elif change < 0.3:
        settings |= {POP_START: source.randint(0, 4), POP_LENGTH: source.randint(1, 5)}
    return {str(slot): value for slot, value in settings.items() if value}


def _step(source: random.Random) -> Step:
    """One thing that an application, or who keeps the maps, does."""
    name = source.choice(SOCKETS)
    text = source.choice(_TEXTS)
    chance = source.random()
    if chance < 0.42:
        return ["send", source.choice(("c", "c", "s", name)), text]
    if chance < 0.72:
        return ["recv", source.choice(("s", "c", "b", name)), source.choice((1, 3, 7, 100, 100, 100))]
    table: tuple[Step, ...] = (
        ["peek", name, source.choice((2, 100))],
        ["pending", name],
        ["sendmsg", name, [text, source.choice(_TEXTS)]],
        ["delete", source.choice(MAPS), source.randrange(2)],
        ["put", source.choice(MAPS), source.randrange(2), name, 0],
        ["get", source.choice(MAPS), source.randrange(2)],
        ["shutdown", name],
        ["close", name],
        ["runs"],
        ["error", name],
        ["state", name],
        ["set", VERDICT, source.choice((0, 1, 2, 5))],
        ["set", SK_MSG, source.choice((0, 2, 3))],
        ["set", FLAGS, source.choice((0, 1))],
        ["set", KEY, source.choice((0, 1))],
    )
    return source.choice(table)


def _pair(family: str, client: str, server: str) -> Step:
    """The step that makes two connected sockets."""
    return [family, client, server] if family in ("pair", "udp") else ["unix", client, server, family]


def random_scenario(seed: int) -> dict[str, Any]:
    """The scenario of a seed, with steps that read everything at its end."""
    source = random.Random(seed)
    family = source.choice(("pair",) * 7 + ("udp", "stream", "dgram"))
    programs = list(source.choice(KINDS))
    parser = family == "pair" and "verdict" in programs and source.random() < 0.3
    if parser:
        programs.insert(0, "parser")
    steps: list[Step] = [["attach", "watched", program] for program in programs]
    steps += [_pair(family, client, server) for client, server in PAIRS]
    steps += [["put", "targets", key, source.choice(SOCKETS[2:]), 0] for key in range(2)]
    steps += [["put", "watched", 0, source.choice(("s", "s", "c")), 0]]
    if source.random() < 0.3:
        steps += [["put", "watched", 1, source.choice(SOCKETS[1:]), 0]]
    closed: set[str] = set()
    for _ in range(source.randint(4, 16)):
        step = _step(source)
        if len(step) > 1 and not closed.isdisjoint(map(str, step[1:])):
            continue
        if step[0] == "close":
            closed.add(step[1])
        steps.append(step)
    steps.append(["runs"])
    for name in SOCKETS:
        if name not in closed:
            steps += [["recv", name, 200], ["recv", name, 200]]
    return {"name": f"seed {seed}", "settings": _settings(source, parser), "steps": steps}


def random_scenarios(seed: int, count: int) -> Iterator[dict[str, Any]]:
    """The scenarios of `count` seeds."""
    return (random_scenario(each) for each in range(seed, seed + count))
