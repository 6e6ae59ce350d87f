"""Which programs and sockets go into maps together, and what each misuse gives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.corpus.inputs.build import scenario

VERDICT_ON_WATCHED = ["attach", "watched", "verdict"]
PUT = ["put", "watched", 0, "s", 0]


def scenarios() -> Iterator[dict[str, Any]]:
    yield scenario(
        "verdict and skb_verdict",
        {},
        VERDICT_ON_WATCHED,
        ["attach", "watched", "skb_verdict"],
        ["detach", "watched", "skb_verdict"],
        ["detach", "watched", "verdict"],
        ["detach", "watched", "verdict"],
        ["attach", "watched", "skb_verdict"],
        VERDICT_ON_WATCHED,
    )
    yield scenario(
        "second map with a verdict",
        {},
        VERDICT_ON_WATCHED,
        ["attach", "targets", "verdict"],
        ["pair", "c", "s"],
        PUT,
        ["put", "targets", 0, "s", 0],
    )
    yield scenario(
        "same map twice with program",
        {},
        VERDICT_ON_WATCHED,
        ["pair", "c", "s"],
        PUT,
        ["put", "watched", 1, "s", 0],
        PUT,
    )
    yield scenario(
        "same map twice without program",
        {},
        ["pair", "c", "s"],
        PUT,
        ["put", "watched", 1, "s", 0],
        ["get", "watched", 0],
        ["get", "watched", 1],
    )
    yield scenario(
        "second map with msg",
        {},
        VERDICT_ON_WATCHED,
        ["attach", "targets", "msg_verdict"],
        ["pair", "c", "s"],
        PUT,
        ["put", "targets", 0, "s", 0],
        ["send", "s", "x"],
        ["send", "c", "y"],
        ["recv", "s", 9],
        ["recv", "c", 9],
        ["runs"],
    )
    yield scenario(
        "map errors",
        {},
        ["pair", "c", "s"],
        ["tcp", "t"],
        ["listen", "l"],
        ["put", "watched", 8, "s", 0],
        ["put", "watched", 0, "s", 2],
        ["put", "watched", 0, "s", 1],
        ["put", "watched", 0, "s", 1],
        ["put", "watched", 0, "c", 2],
        ["put", "watched", 0, "s", 3],
        ["put", "watched", 0, "s", 4],
        ["get", "watched", 0],
        ["get", "watched", 1],
        ["get", "watched", 8],
        ["delete", "watched", 0],
        ["delete", "watched", 0],
        ["delete", "watched", 8],
        ["put", "watched", 0, "t", 0],
        ["put", "watched", 0, "l", 0],
        ["get", "watched", 0],
    )
    yield scenario(
        "closed socket leaves the map",
        {},
        ["pair", "c", "s"],
        PUT,
        ["get", "watched", 0],
        ["close", "s"],
        ["get", "watched", 0],
        ["recv", "c", 10],
    )
    yield scenario(
        "closed by peer stays",
        {},
        VERDICT_ON_WATCHED,
        ["pair", "c", "s"],
        PUT,
        ["send", "c", "x"],
        ["close", "c"],
        ["get", "watched", 0],
        ["recv", "s", 10],
        ["recv", "s", 10],
        ["runs"],
    )
    yield scenario(
        "replaced entry",
        {},
        VERDICT_ON_WATCHED,
        ["pair", "c", "s"],
        ["pair", "d", "t"],
        PUT,
        ["put", "watched", 0, "t", 0],
        ["send", "c", "one"],
        ["send", "d", "two"],
        ["recv", "s", 9],
        ["recv", "t", 9],
        ["runs"],
    )
