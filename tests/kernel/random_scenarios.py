"""Random scenarios: sockets of all kinds in maps, programs of the lab in any mode, attached, changed and taken away
while bytes are under way, and what applications do, in any order.

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
PROGRAMS = ("parser", "verdict", "skb_verdict", "msg_verdict")
FAMILIES = (*("pair",) * 8, "pair v6", "pair v6", "udp", "udp v6", "stream", "dgram")
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
    elif change < 0.2 and settings[VERDICT] not in (2, 3):
        settings |= {PUSH_START: source.randint(0, 5), PUSH_LENGTH: source.randint(1, 5)}
    elif change < 0.3:
        settings |= {POP_START: source.randint(0, 4), POP_LENGTH: source.randint(1, 5)}
    return {str(slot): value for slot, value in settings.items() if value}


def _setting(source: random.Random, settings: dict[str, int]) -> Step:
    """A change of what programs do; apply and cork are not mixed, and a message is not made longer at each turn of a
    circle of redirects."""
    slots = {
        PARSER: (0, 1, 2, 104, 101),
        VERDICT: (0, 1, 4, 5) if str(PUSH_LENGTH) in settings else (0, 1, 2, 3, 4, 5),
        SK_MSG: (0, 1, 2, 3, 4, 5),
        FLAGS: (0, 1),
        KEY: (0, 1),
        CORK if str(CORK) in settings else APPLY: (0, 2, 5, 9),
        PULL_END: (0, 3, 9),
        POP_LENGTH: (0, 2),
    }
    slot = source.choice(list(slots))
    return ["set", slot, source.choice(slots[slot])]


def _steps(source: random.Random, settings: dict[str, int]) -> list[Step]:
    """One thing that an application, or who keeps the maps, does, with what has to follow it."""
    name = source.choice(SOCKETS)
    text = source.choice(_TEXTS)
    chance = source.random()
    if chance < 0.32:
        return [["send", source.choice(("c", "c", "s", name)), text]]
    if chance < 0.55:
        return [["recv", source.choice(("s", "c", "b", name)), source.choice((1, 3, 7, 100, 100, 100))]]
    if chance < 0.6:
        sender = source.choice(("c", "s", name))
        rest: list[Step] = [["send", sender, source.choice(_TEXTS)]] if source.random() < 0.5 else []
        # TCP waits for what was announced for 200 ms.
        return [[source.choice(("more", "more", "sendfile")), sender, text], *rest, ["wait", 300]]
    if chance < 0.66:
        return [[source.choice(("attach", "detach")), source.choice(MAPS), source.choice(PROGRAMS)]]
    if chance < 0.75:
        return [_setting(source, settings)]
    table: tuple[Step, ...] = (
        ["peek", name, source.choice((2, 100))],
        ["pending", name],
        ["sendmsg", name, [text, source.choice(_TEXTS)]],
        ["burst", name, source.choice((10, 500, 3000)), source.choice((2, 5))],
        ["delete", source.choice(MAPS), source.randrange(2)],
        ["put", source.choice(MAPS), source.randrange(3), name, source.choice((0, 0, 0, 1, 2))],
        ["put", source.choice(MAPS), source.randrange(3), source.choice("cs"), 0],
        ["get", source.choice(MAPS), source.randrange(2)],
        ["shutdown", name, source.choice((0, 1, 1, 2))],
        ["close", name],
        ["reset", name],
        ["runs"],
        ["error", name],
        ["state", name],
    )
    return [source.choice(table)]


def _pair(family: str, client: str, server: str) -> Step:
    """The step that makes two connected sockets."""
    kind, _, version = family.partition(" ")
    if kind in ("pair", "udp"):
        return [kind, client, server, *([{"family": version}] if version else [])]
    return ["unix", client, server, kind]


def random_scenario(seed: int) -> dict[str, Any]:
    """The scenario of a seed, with steps that read everything at its end."""
    source = random.Random(seed)
    families = [source.choice(FAMILIES) for _ in PAIRS]
    programs = list(source.choice(KINDS))
    if families[0].startswith("pair") and "verdict" in programs and source.random() < 0.3:
        programs.insert(0, "parser")
    settings = _settings(source, "parser" in programs)
    steps: list[Step] = [["attach", "watched", program] for program in programs]
    if source.random() < 0.3:
        steps.append(["attach", "targets", source.choice(PROGRAMS[1:])])
    steps += [_pair(family, *pair) for family, pair in zip(families, PAIRS, strict=True)]
    steps += [["put", "targets", key, source.choice(SOCKETS[2:]), 0] for key in range(2)]
    steps += [["put", "watched", 0, source.choice(("s", "s", "c")), 0]]
    if source.random() < 0.3:
        steps += [["put", "watched", 1, source.choice(SOCKETS[1:]), 0]]
    paired = zip(families, PAIRS, strict=True)
    resettable = {name for family, pair in paired if family.startswith("pair") for name in pair}
    closed: set[str] = set()
    for _ in range(source.randint(4, 20)):
        done = _steps(source, settings)
        verb, *arguments = done[0]
        if not closed.isdisjoint(map(str, arguments)) or (verb == "reset" and arguments[0] not in resettable):
            continue
        if verb in ("close", "reset"):
            closed.add(arguments[0])
        steps += done
    steps.append(["runs"])
    for name in SOCKETS:
        if name not in closed:
            steps += [["recv", name, 20000], ["recv", name, 20000], ["pending", name], ["error", name]]
    return {"name": f"seed {seed}", "settings": settings, "steps": steps}


def random_scenarios(seed: int, count: int) -> Iterator[dict[str, Any]]:
    """The scenarios of `count` seeds."""
    return (random_scenario(each) for each in range(seed, seed + count))
