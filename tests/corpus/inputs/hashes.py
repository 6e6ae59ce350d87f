"""Sockhashes and sockmaps of small values as user space and redirects see them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.corpus.inputs.build import (
    DROP,
    INGRESS,
    MODE,
    PORTS,
    REDIRECT_FLAGS,
    TARGET,
    TO_INDEX,
    TO_KEY,
    TO_OWN_ADDRESSES,
    Step,
    net_scenario,
)

KINDS = ("verdict", "skb_verdict", "msg_verdict")
# What a socket of PORTS reports at the server: remote and local address, remote and local port.
SERVERS = [0x0100007F, 0x0100007F, 40000, 10000]
ONE, TWO, THREE, FOUR, FIVE = ([number, 0, 0, 0] for number in range(1, 6))


def scenarios() -> Iterator[dict[str, Any]]:
    yield from _entries()
    yield from _values_of_four_bytes()
    for kind in KINDS:
        yield from _redirects(kind)
    yield from _parsers_that_pull()


def _entries() -> Iterator[dict[str, Any]]:
    yield net_scenario(
        "entries of a sockhash",
        {},
        ["pair", "c", "s"],
        ["get", "hash", ONE],
        ["delete", "hash", ONE],
        ["put", "hash", ONE, "s", 2],
        ["put", "hash", ONE, "s", 1],
        ["put", "hash", ONE, "s", 1],
        ["put", "hash", ONE, "c", 2],
        ["get", "hash", ONE],
        ["put", "hash", ONE, "s", 3],
        ["put", "hash", ONE, "s", 4],
        ["put", "hash", TWO, "c"],
        ["keys", "hash"],
        ["delete", "hash", ONE],
        ["get", "hash", ONE],
        ["keys", "hash"],
        ["close", "c"],
        ["keys", "hash"],
    )
    yield net_scenario(
        "a full sockhash",
        {},
        ["pair", "c", "s"],
        *(["put", "hash", key, "s"] for key in (ONE, TWO, THREE, FOUR, FIVE)),
        ["put", "hash", FOUR, "c"],
        ["delete", "hash", ONE],
        ["put", "hash", FIVE, "c"],
        ["keys", "hash"],
        ["close", "s"],
        ["keys", "hash"],
    )
    yield net_scenario(
        "a socket in a sockhash and a sockmap",
        {MODE: DROP},
        ["attach", "hash", "verdict"],
        ["pair", "c", "s", PORTS],
        ["put", "hash", ONE, "s"],
        ["put", "sockets", 0, "s"],
        ["put", "sockets", 1, "s"],
        ["put", "hash", TWO, "s"],
        ["send", "c", "hello"],
        ["seen"],
        ["delete", "hash", ONE],
        ["send", "c", "hello"],
        ["recv", "s", 10],
        ["seen"],
        ["get", "sockets", 0],
    )
    put: Step = ["put", "sockets", 2, "s"]
    yield net_scenario("keys of a sockmap", {}, ["pair", "c", "s"], put, ["keys", "sockets"])
    yield net_scenario(
        "sockets that a sockhash does not take",
        {},
        ["tcp", "t"],
        ["listen", "l"],
        ["pair", "c", "s"],
        ["put", "hash", ONE, "t"],
        ["put", "hash", ONE, "l"],
        ["shutdown", "c"],
        ["state", "s"],
        ["put", "hash", TWO, "s"],
        ["state", "c"],
        ["put", "hash", TWO, "c"],
        ["close", "l"],
        ["keys", "hash"],
    )


def _values_of_four_bytes() -> Iterator[dict[str, Any]]:
    yield net_scenario(
        "values of 4 bytes",
        {},
        ["pair", "c", "s"],
        ["get", "numbers", 0],
        ["put", "numbers", 0, "s"],
        ["get", "numbers", 0],
        ["get", "numbers", 9],
        ["put", "numbers", 4, "s"],
        ["delete", "numbers", 0],
        ["delete", "numbers", 0],
    )


def _redirects(kind: str) -> Iterator[dict[str, Any]]:
    sender, receiver = ("s", "c") if kind == "msg_verdict" else ("c", "s")
    start: list[Step] = [
        ["attach", "hash", kind],
        ["pair", "c", "s", PORTS],
        ["pair", "u", "b"],
        ["put", "hash", SERVERS, "s"],
    ]
    looked_at: list[Step] = [
        ["recv", receiver, 10],
        ["recv", "s", 10],
        ["recv", "u", 10],
        ["recv", "b", 10],
        ["seen"],
    ]
    for flags in (0, INGRESS, 2, 3):
        yield net_scenario(
            f"{kind} redirect to a key, flags {flags}",
            {MODE: TO_KEY, TARGET: 1, REDIRECT_FLAGS: flags},
            *start,
            ["detach", "hash", kind],
            ["put", "hash", ONE, "u"],
            ["send", sender, "hello"],
            *looked_at,
        )
    yield net_scenario(
        f"{kind} redirect to a key that is not there",
        {MODE: TO_KEY, TARGET: 9},
        *start,
        ["send", sender, "hello"],
        *looked_at,
    )
    for flags in (0, INGRESS):
        yield net_scenario(
            f"{kind} redirect to its own key, flags {flags}",
            {MODE: TO_OWN_ADDRESSES, REDIRECT_FLAGS: flags},
            *start,
            ["send", sender, "hello"],
            *looked_at,
        )
    yield net_scenario(
        f"{kind} redirect past the end of a sockmap",
        {MODE: TO_INDEX, TARGET: 4},
        *start,
        ["send", sender, "hello"],
        *looked_at,
    )
    yield net_scenario(
        f"{kind} redirect to a listener",
        {MODE: TO_INDEX, TARGET: 1},
        *start,
        ["listen", "l"],
        ["put", "sockets", 1, "l"],
        ["send", sender, "hello"],
        *looked_at,
    )
    yield net_scenario(
        f"{kind} redirect to a socket of the map of small values",
        {MODE: TO_INDEX, TARGET: 0},
        *start,
        ["put", "numbers", 0, "u"],
        ["send", sender, "hello"],
        *looked_at,
    )


def _parsers_that_pull() -> Iterator[dict[str, Any]]:
    yield net_scenario(
        "a parser that may change the packet",
        {},
        ["attach", "sockets", "pulling_parser"],
        ["attach", "sockets", "verdict"],
        ["pair", "c", "s", PORTS],
        ["put", "sockets", 0, "s"],
        ["send", "c", "hello"],
        ["recv", "s", 10],
        ["seen"],
    )
