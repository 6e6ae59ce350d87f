"""sock_ops: which callbacks come when and with what, and what puts sockets into maps by them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.corpus.inputs.build import (
    AT_KEY,
    BY_ADDRESSES,
    CALLBACK_FLAGS,
    CALLBACKS_FLAGS,
    CALLBACKS_UPDATE,
    IN_SOCKETS,
    INDEX,
    INGRESS,
    MODE,
    PORTS,
    REDIRECT_FLAGS,
    REPLY,
    TO_PEER,
    UPDATE_FLAGS,
    WHERE,
    Step,
    bits,
    net_scenario,
)

TCP_CONNECT, ACTIVE, PASSIVE, STATE, LISTEN = 3, 4, 5, 10, 11
BOTH_ENDS = bits(ACTIVE, PASSIVE)
RTO_FLAG, RETRANS_FLAG, STATE_FLAG = 1, 2, 4
NOEXIST, EXIST = 1, 2
WATCH_STATES = {CALLBACKS_FLAGS: bits(TCP_CONNECT, PASSIVE, LISTEN), CALLBACK_FLAGS: STATE_FLAG}

ATTACH: Step = ["attach_cgroup", "sock_ops"]
PAIR: Step = ["pair", "c", "s", PORTS]
TOLD: Step = ["callbacks"]
CLOSE_BOTH: list[Step] = [["close", "c"], ["close", "s"], TOLD]


def scenarios() -> Iterator[dict[str, Any]]:
    yield from _order()
    yield from _states()
    yield from _attaching()
    yield from _filling()
    yield from _splicing()


def _order() -> Iterator[dict[str, Any]]:
    yield net_scenario(
        "callbacks of a connection",
        {},
        ATTACH,
        PAIR,
        TOLD,
        ["send", "c", "hello"],
        ["recv", "s", 10],
        ["send", "s", "back"],
        ["recv", "c", 10],
        TOLD,
        *CLOSE_BOTH,
    )
    v6 = {**PORTS, "family": "v6"}
    yield net_scenario("callbacks of an IPv6 connection", {}, ATTACH, ["pair", "c", "s", v6], TOLD)
    yield net_scenario(
        "callbacks of an IPv4 client at an IPv6 server",
        {},
        ATTACH,
        ["listen", "l", {"family": "v6", "address": "::", "port": 10000}],
        ["connect", "l", "c", "s", {"client_port": 40000}],
        TOLD,
    )
    yield net_scenario("callbacks of a listener", {}, ATTACH, ["listen", "l", {"port": 10000}], TOLD)
    yield net_scenario(
        "callbacks of a socket never connected", {}, ATTACH, ["tcp", "t"], TOLD, ["close", "t"], TOLD
    )
    others: list[Step] = [["udp", "a", "b"], ["unix", "d", "e", "stream"]]
    yield net_scenario("callbacks of other kinds of sockets", {}, ATTACH, *others, TOLD)
    yield net_scenario("reply of 10", {REPLY: 10}, ATTACH, PAIR, TOLD)


def _states() -> Iterator[dict[str, Any]]:
    ends: dict[str, list[Step]] = {
        "the client closes": [["close", "c"], TOLD, ["recv", "s", 10], ["close", "s"], TOLD],
        "the server closes": [["close", "s"], TOLD, ["recv", "c", 10], ["close", "c"], TOLD],
        "both shut down": [["shutdown", "c"], TOLD, ["shutdown", "s"], TOLD, *CLOSE_BOTH],
        "closed with bytes unread": [["send", "c", "hello"], ["close", "s"], TOLD, ["error", "c"], TOLD],
    }
    for name, steps in ends.items():
        yield net_scenario(f"states when {name}", WATCH_STATES, ATTACH, PAIR, TOLD, *steps)
    yield net_scenario(
        "states of a listener",
        WATCH_STATES,
        ATTACH,
        ["listen", "l", {"port": 10000}],
        ["connect", "l", "c", "s", {"client_port": 40000}],
        TOLD,
        ["close", "l"],
        TOLD,
    )
    yield net_scenario(
        "flags that only the listener sets",
        {CALLBACKS_FLAGS: bits(LISTEN), CALLBACK_FLAGS: STATE_FLAG},
        ATTACH,
        ["listen", "l", {"port": 10000}],
        ["connect", "l", "c", "s", {"client_port": 40000}],
        TOLD,
        *CLOSE_BOTH,
    )
    asked = {"none": 0, "retransmission": RTO_FLAG | RETRANS_FLAG, "unknown": 1 << 7}
    for name, flags in asked.items():
        settings = {CALLBACKS_FLAGS: bits(TCP_CONNECT, ACTIVE, PASSIVE), CALLBACK_FLAGS: flags}
        yield net_scenario(f"flags {name}", settings, ATTACH, PAIR, TOLD, *CLOSE_BOTH)


def _attaching() -> Iterator[dict[str, Any]]:
    detach: Step = ["detach_cgroup", "sock_ops"]
    yield net_scenario("sock_ops detached", {}, ATTACH, detach, PAIR, TOLD, detach)
    yield net_scenario("sock_ops attached twice", {}, ATTACH, ATTACH, PAIR, TOLD)
    closing: list[Step] = [["close", "c"], TOLD]
    yield net_scenario("sock_ops detached while connected", WATCH_STATES, ATTACH, PAIR, detach, *closing)
    yield net_scenario("sock_ops attached while connected", WATCH_STATES, PAIR, ATTACH, *closing)
    yield net_scenario("another kind of program at a cgroup", {}, ["attach_cgroup", "verdict"])
    yield net_scenario("sock_ops at a map", {}, ["attach", "sockets", "sock_ops"])


def _filling() -> Iterator[dict[str, Any]]:
    everywhere = bits(0, 1, 2, TCP_CONNECT, ACTIVE, PASSIVE, 6, 7, STATE, LISTEN)
    for flags in (0, NOEXIST, EXIST, 3, 4):
        yield net_scenario(
            f"put into a sockmap everywhere, flags {flags}",
            {CALLBACKS_UPDATE: everywhere, WHERE: IN_SOCKETS, INDEX: 2, UPDATE_FLAGS: flags},
            ATTACH,
            PAIR,
            TOLD,
            ["get", "sockets", 2],
        )
        yield net_scenario(
            f"put into a sockhash everywhere, flags {flags}",
            {CALLBACKS_UPDATE: everywhere, WHERE: AT_KEY, INDEX: 7, UPDATE_FLAGS: flags},
            ATTACH,
            PAIR,
            TOLD,
            ["get", "hash", [7, 0, 0, 0]],
            ["keys", "hash"],
        )
    yield net_scenario(
        "put past the end of a sockmap",
        {CALLBACKS_UPDATE: BOTH_ENDS, WHERE: IN_SOCKETS, INDEX: 4},
        ATTACH,
        PAIR,
        TOLD,
    )
    for name, callback in {"active": ACTIVE, "passive": PASSIVE}.items():
        yield net_scenario(
            f"put by addresses, {name} end",
            {CALLBACKS_UPDATE: bits(callback), WHERE: BY_ADDRESSES},
            ATTACH,
            PAIR,
            TOLD,
            ["keys", "hash"],
            ["close", "c"],
            ["keys", "hash"],
            ["close", "s"],
            ["keys", "hash"],
        )
    more: list[Step] = [["pair", f"c{number}", f"s{number}"] for number in range(3)]
    yield net_scenario(
        "put into a full sockhash",
        {CALLBACKS_UPDATE: BOTH_ENDS, WHERE: BY_ADDRESSES},
        *more[:2],
        ["put", "hash", [1, 0, 0, 0], "c0"],
        ["put", "hash", [2, 0, 0, 0], "s0"],
        ["put", "hash", [3, 0, 0, 0], "c1"],
        ATTACH,
        PAIR,
        TOLD,
        ["delete", "hash", [1, 0, 0, 0]],
        ["pair", "d", "t", {"server_port": 10001, "client_port": 40001}],
        TOLD,
        ["keys", "hash"],
    )
    yield net_scenario(
        "a listener put into a sockmap",
        {CALLBACKS_UPDATE: bits(LISTEN), WHERE: IN_SOCKETS, INDEX: 1},
        ATTACH,
        ["listen", "l", {"port": 10000}],
        TOLD,
        ["get", "sockets", 1],
    )
    yield net_scenario(
        "put into a map with programs by both",
        {CALLBACKS_UPDATE: BOTH_ENDS, WHERE: AT_KEY, INDEX: 1},
        ["attach", "hash", "verdict"],
        ["attach", "sockets", "verdict"],
        ATTACH,
        PAIR,
        TOLD,
        ["put", "sockets", 0, "s"],
        ["put", "sockets", 0, "c"],
    )


def _splicing() -> Iterator[dict[str, Any]]:
    """Both ends of a connection stand in the hash, and what one sends is handed to the other."""
    settings = {CALLBACKS_UPDATE: BOTH_ENDS, WHERE: BY_ADDRESSES, MODE: TO_PEER, REDIRECT_FLAGS: INGRESS}
    for kind in ("msg_verdict", "verdict", "skb_verdict"):
        yield net_scenario(
            f"loopback bypass by {kind}",
            settings,
            ["attach", "hash", kind],
            ATTACH,
            PAIR,
            ["keys", "hash"],
            ["send", "c", "hello"],
            ["recv", "s", 10],
            ["recv", "c", 10],
            ["send", "s", "answer"],
            ["recv", "c", 10],
            ["recv", "s", 10],
            ["seen"],
            ["transfer", "c", "s", 100000],
            ["close", "c"],
            ["recv", "s", 10],
            ["keys", "hash"],
            ["send", "s", "late"],
        )
