"""Bytes that are redirected more than once, and redirects that meet other programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.corpus.inputs.build import INGRESS, MODE, REDIRECT_FLAGS, TO_PORT, Step, net_scenario

# Sockets with programs stand in `hash`; each is sent on to the place in `sockets` that its port names.
FIRST = {"server_port": 10001}
SECOND = {"server_port": 10002}


def scenarios() -> Iterator[dict[str, Any]]:
    for kind in ("verdict", "skb_verdict"):
        yield net_scenario(
            f"{kind}: egress, then egress again",
            {MODE: TO_PORT},
            ["attach", "hash", kind],
            ["pair", "c", "s", FIRST],
            ["pair", "u", "b", SECOND],
            ["pair", "v", "d"],
            ["put", "sockets", 1, "u"],
            ["put", "sockets", 2, "v"],
            ["put", "hash", [1, 0, 0, 0], "s"],
            ["put", "hash", [2, 0, 0, 0], "b"],
            ["send", "c", "hello"],
            ["recv", "s", 9],
            ["recv", "b", 9],
            ["recv", "d", 9],
            ["seen_lengths"],
            ["transfer", "c", "d", 100_000],
            ["close", "c"],
            ["recv", "d", 9],
        )
        yield net_scenario(
            f"{kind}: to ingress of a socket that is watched too",
            {MODE: TO_PORT, REDIRECT_FLAGS: INGRESS},
            ["attach", "hash", kind],
            ["pair", "c", "s", FIRST],
            ["pair", "b", "u", SECOND],
            ["put", "sockets", 1, "u"],
            ["put", "hash", [1, 0, 0, 0], "s"],
            ["put", "hash", [2, 0, 0, 0], "u"],
            ["send", "c", "hello"],
            ["recv", "u", 9],
            ["send", "b", "mine"],
            ["recv", "u", 9],
            ["seen_lengths"],
        )
    yield net_scenario(
        "msg_verdict to egress of a socket with a msg_verdict",
        {MODE: TO_PORT},
        ["attach", "hash", "msg_verdict"],
        ["pair", "c", "s", FIRST],
        ["pair", "b", "u", SECOND],
        ["pair", "v", "d"],
        ["put", "sockets", 1, "u"],
        ["put", "sockets", 2, "v"],
        ["put", "hash", [1, 0, 0, 0], "s"],
        ["put", "hash", [2, 0, 0, 0], "u"],
        ["send", "s", "hello"],
        ["recv", "c", 9],
        ["recv", "b", 9],
        ["recv", "d", 9],
        ["send", "u", "own"],
        ["recv", "b", 9],
        ["recv", "d", 9],
        ["seen_lengths"],
    )
    for way, flags in (("egress", 0), ("ingress", INGRESS)):
        proxy: list[Step] = [
            ["attach", "hash", "skb_verdict"],
            ["pair", "c", "s", FIRST],
            ["pair", "u", "b", {"client_port": 10002}],
            ["put", "sockets", 1, "u" if not flags else "c"],
            ["put", "sockets", 2, "s"],
            ["put", "hash", [1, 0, 0, 0], "s"],
            ["put", "hash", [2, 0, 0, 0], "u"],
        ]
        yield net_scenario(
            f"two connections spliced both ways, {way}",
            {MODE: TO_PORT, REDIRECT_FLAGS: flags},
            *proxy,
            ["send", "c", "question"],
            ["recv", "b", 20],
            ["recv", "c", 20],
            ["send", "b", "answer"],
            ["recv", "c", 20],
            ["recv", "s", 20],
            ["transfer", "c", "b", 50_000],
            ["transfer", "b", "c", 50_000],
            ["shutdown", "c"],
            ["recv", "b", 9],
            ["recv", "s", 9],
        )
    yield net_scenario(
        "a verdict's redirect to egress of a socket with a msg_verdict",
        {MODE: TO_PORT},
        ["attach", "hash", "skb_verdict"],
        ["attach", "numbers", "msg_verdict"],
        ["pair", "c", "s", FIRST],
        ["pair", "u", "b", {"client_port": 10002}],
        ["pair", "v", "d"],
        ["put", "sockets", 1, "u"],
        ["put", "sockets", 2, "v"],
        ["put", "numbers", 0, "u"],
        ["put", "hash", [1, 0, 0, 0], "s"],
        ["send", "c", "hello"],
        ["recv", "b", 9],
        ["recv", "d", 9],
        ["send", "u", "own"],
        ["recv", "b", 9],
        ["recv", "d", 9],
        ["seen_lengths"],
    )
