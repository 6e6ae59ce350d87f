"""What the groups are built of."""

from __future__ import annotations

from typing import Any

Step = list[Any]

# Slots of the map `config` of lab.c.
PARSER, VERDICT, FLAGS, KEY, SK_MSG, APPLY, CORK, PULL_START, PULL_END = range(9)
PUSH_START, PUSH_LENGTH, POP_START, POP_LENGTH, VERDICT_PULL = range(9, 14)

# What VERDICT and SK_MSG choose.
PASS, DROP, REDIRECT = 0, 1, 2
INGRESS = 1


def scenario(name: str, settings: dict[int, int], *steps: Step) -> dict[str, Any]:
    """A scenario as the files have it; settings of 0 are those that a map begins with."""
    chosen = {str(slot): value for slot, value in settings.items() if value}
    return {"name": name, "settings": chosen, "steps": list(steps)}


def watched_pair(*attached: str) -> list[Step]:
    """`s`, whose peer is `c`, in `watched` with these programs; `u`, whose peer is `b`, in `targets`."""
    return [
        *(["attach", "watched", program] for program in attached),
        ["pair", "c", "s"],
        ["pair", "u", "b"],
        ["put", "targets", 0, "u", 0],
        ["put", "watched", 0, "s", 0],
    ]


# Slots of the map `config` of net.c.
CALLBACKS_UPDATE, WHERE, INDEX, UPDATE_FLAGS, CALLBACKS_FLAGS, CALLBACK_FLAGS, REPLY = range(7)
MODE, TARGET, REDIRECT_FLAGS, PULL = range(8, 12)

# What WHERE chooses, and what MODE chooses beside PASS and DROP.
IN_SOCKETS, BY_ADDRESSES, AT_KEY = range(3)
TO_OWN_ADDRESSES, TO_PEER, TO_KEY, TO_INDEX, TO_PORT = range(2, 7)

# Ports that are told apart easily in what programs report.
PORTS = {"server_port": 10000, "client_port": 40000}


def net_scenario(name: str, settings: dict[int, int], *steps: Step) -> dict[str, Any]:
    """A scenario of net.c."""
    made = scenario(name, settings, *steps)
    return {"name": name, "lab": "net", "settings": made["settings"], "steps": made["steps"]}


def bits(*numbers: int) -> int:
    """A number with these bits set."""
    return sum(1 << number for number in numbers)
