"""What programs see of IPv4, IPv6, UDP and unix sockets, and which of these go where."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.corpus.inputs.build import (
    DROP,
    INGRESS,
    MODE,
    PASS,
    PORTS,
    PULL,
    REDIRECT_FLAGS,
    TARGET,
    TO_INDEX,
    Step,
    net_scenario,
)

V6 = {**PORTS, "family": "v6"}
PUT: Step = ["put", "hash", [1, 0, 0, 0], "s"]
DUAL_STACK: list[Step] = [
    ["listen", "l", {"family": "v6", "address": "::", "port": 10000}],
    ["connect", "l", "c", "s", {"client_port": 40000}],
]
# Connected sockets `c` and `s` of each kind.
CONNECTED: dict[str, list[Step]] = {
    "TCP over IPv4": [["pair", "c", "s", PORTS]],
    "TCP over IPv6": [["pair", "c", "s", V6]],
    "IPv4 at an IPv6 listener": DUAL_STACK,
    "UDP over IPv4": [["udp", "c", "s", PORTS]],
    "UDP over IPv6": [["udp", "c", "s", V6]],
    "unix stream": [["unix", "c", "s", "stream"]],
    "unix dgram": [["unix", "c", "s", "dgram"]],
    "unix seqpacket": [["unix", "c", "s", "seqpacket"]],
}
STREAM_TARGETS = ("TCP over IPv4", "UDP over IPv4", "unix stream", "unix dgram")
PAIRED: dict[str, Step] = {
    "TCP over IPv4": ["pair", "u", "b"],
    "UDP over IPv4": ["udp", "u", "b"],
    "unix stream": ["unix", "u", "b", "stream"],
    "unix dgram": ["unix", "u", "b", "dgram"],
}
ANOTHERS = ("UDP over IPv4", "unix stream", "unix dgram")


def scenarios() -> Iterator[dict[str, Any]]:
    yield from _watched()
    yield from _judged()
    yield from _redirected()
    yield from _unconnected()


def _watched() -> Iterator[dict[str, Any]]:
    """What each kind of program sees of each kind of socket."""
    for name, connect in CONNECTED.items():
        for programs in (("skb_verdict",), ("verdict",), ("parser", "verdict"), ("msg_verdict",)):
            yield net_scenario(
                f"{' and '.join(programs)} on {name}",
                {},
                *(["attach", "hash", program] for program in programs),
                *connect,
                PUT,
                ["send", "c", "hello"],
                ["pending", "s"],
                ["recv", "s", 2],
                ["recv", "s", 10],
                ["send", "s", "answer"],
                ["recv", "c", 10],
                ["seen"],
                ["close", "c"],
                ["recv", "s", 10],
                ["seen"],
            )


def _judged() -> Iterator[dict[str, Any]]:
    for name in ANOTHERS:
        start = [["attach", "hash", "skb_verdict"], *CONNECTED[name], PUT]
        several: list[Step] = [["send", "c", "one"], ["send", "c", "three"], ["send", "c", ""]]
        yield net_scenario(
            f"several messages passed, {name}",
            {MODE: PASS},
            *start,
            *several,
            ["pending", "s"],
            ["recv", "s", 4],
            ["recv", "s", 10],
            ["recv", "s", 10],
            ["recv", "s", 10],
            ["seen"],
        )
        yield net_scenario(
            f"an empty message passed, then another, {name}",
            {MODE: PASS},
            *start,
            ["send", "c", ""],
            ["send", "c", "four"],
            ["recv", "s", 10],
            ["recv", "s", 10],
            ["delete", "hash", [1, 0, 0, 0]],
            ["recv", "s", 10],
        )
        yield net_scenario(
            f"messages dropped, {name}",
            {MODE: DROP},
            *start,
            *several,
            ["recv", "s", 10],
            ["seen"],
            ["delete", "hash", [1, 0, 0, 0]],
            ["send", "c", "four"],
            ["recv", "s", 10],
        )
        yield net_scenario(
            f"a verdict that pulls, {name}",
            {PULL: 3},
            *start,
            ["send", "c", "hello"],
            ["recv", "s", 10],
            ["seen"],
        )
        yield net_scenario(
            f"queued before it was put in, {name}",
            {},
            ["attach", "hash", "skb_verdict"],
            *CONNECTED[name],
            ["send", "c", "early"],
            PUT,
            ["recv", "s", 10],
            ["send", "c", "late"],
            ["recv", "s", 10],
            ["recv", "s", 10],
            ["seen"],
        )


def _redirected() -> Iterator[dict[str, Any]]:
    for source in STREAM_TARGETS:
        for target in STREAM_TARGETS:
            for way, flags in (("egress", 0), ("ingress", INGRESS)):
                yield net_scenario(
                    f"{source} to {way} of {target}",
                    {MODE: TO_INDEX, TARGET: 0, REDIRECT_FLAGS: flags},
                    ["attach", "hash", "skb_verdict"],
                    *CONNECTED[source],
                    PAIRED[target],
                    PUT,
                    ["put", "sockets", 0, "u"],
                    ["send", "c", "hello"],
                    ["send", "c", "world"],
                    ["recv", "s", 10],
                    ["recv", "u", 20],
                    ["recv", "b", 20],
                    ["recv", "b", 20],
                    ["close", "c"],
                    ["recv", "u", 10],
                    ["recv", "b", 10],
                )
    for target in ("UDP over IPv4", "unix stream", "unix dgram"):
        for way, flags in (("egress", 0), ("ingress", INGRESS)):
            yield net_scenario(
                f"msg_verdict to {way} of {target}",
                {MODE: TO_INDEX, TARGET: 0, REDIRECT_FLAGS: flags},
                ["attach", "hash", "msg_verdict"],
                ["pair", "s", "c"],
                PAIRED[target],
                PUT,
                ["put", "sockets", 0, "u"],
                ["send", "s", "hello"],
                ["recv", "c", 10],
                ["recv", "u", 10],
                ["recv", "b", 10],
                ["error", "s"],
            )


def _unconnected() -> Iterator[dict[str, Any]]:
    into: list[Step] = [PUT, ["get", "hash", [1, 0, 0, 0]]]
    yield net_scenario("a bound UDP socket", {}, ["udp_socket", "s"], *into)
    yield net_scenario("a UDP socket without a port", {}, ["udp_socket", "s", {"bound": False}], *into)
    for kind in ("skb_verdict", "verdict"):
        attach: Step = ["attach", "hash", kind]
        yield net_scenario(f"a bound UDP socket with {kind}", {}, attach, ["udp_socket", "s"], *into)
