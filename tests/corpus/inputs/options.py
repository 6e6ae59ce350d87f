"""Options of sockets that callbacks read and set, and values beside sockets that accepted ones inherit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from zlib import crc32

from tests.corpus.inputs.build import PORTS, Step, bits, scenario
from tests.corpus.inputs.callbacks import ACTIVE, LISTEN, PASSIVE, TCP_CONNECT

# Slots of the map `config` of options.c.
SETS, LEVEL, NAME, VALUE, VALUE_2, SET_LENGTH, GETS, GET_LENGTH, STORES, STORED, READS = range(11)

SOL_SOCKET, SOL_IP, SOL_TCP, SOL_IPV6, SOL_UDP = 1, 0, 6, 41, 17
INT = 4
EVERYWHERE = bits(1, 2, TCP_CONNECT, ACTIVE, PASSIVE, 6, LISTEN)
FULL = bits(TCP_CONNECT, ACTIVE, PASSIVE)
ATTACH: Step = ["attach_cgroup", "sock_ops"]
TOLD: Step = ["options"]
MINUS_1, LARGEST = 0xFFFFFFFF, 0x7FFFFFFF


class Option(NamedTuple):
    """An option, values to set it to, and whether what it is at first hangs on the network alone."""

    level: int
    number: int
    values: Sequence[int]
    first: bool = True


OPTIONS: dict[str, Option] = {
    "SO_REUSEADDR": Option(SOL_SOCKET, 2, (1, 7, 0)),
    "SO_SNDBUF": Option(SOL_SOCKET, 7, (0, 1, 5000, 1 << 20, MINUS_1), first=False),
    "SO_RCVBUF": Option(SOL_SOCKET, 8, (0, 1, 5000, 1 << 20, MINUS_1)),
    "SO_KEEPALIVE": Option(SOL_SOCKET, 9, (1, 7, 0)),
    "SO_PRIORITY": Option(SOL_SOCKET, 12, (5, 7, MINUS_1)),
    "SO_REUSEPORT": Option(SOL_SOCKET, 15, (1, 7, 0)),
    "SO_RCVLOWAT": Option(SOL_SOCKET, 18, (0, 1, 100)),
    "SO_BINDTODEVICE": Option(SOL_SOCKET, 25, (int.from_bytes(b"lo", "little"), int.from_bytes(b"eth", "little"), 0)),
    "SO_MARK": Option(SOL_SOCKET, 36, (5, MINUS_1, 0)),
    "SO_MAX_PACING_RATE": Option(SOL_SOCKET, 47, (1000, LARGEST, MINUS_1)),
    "SO_BINDTOIFINDEX": Option(SOL_SOCKET, 62, (1, 0, MINUS_1)),
    "SO_TXREHASH": Option(SOL_SOCKET, 74, (0, 1, 2, MINUS_1)),
    "SK_BPF_CB_FLAGS": Option(SOL_SOCKET, 1009, (0, 1, 2)),
    "SO_LINGER": Option(SOL_SOCKET, 13, (0,)),
    "SO_ERROR": Option(SOL_SOCKET, 4, (0,)),
    "TCP_NODELAY": Option(SOL_TCP, 1, (1, 7, 0), first=False),
    "TCP_MAXSEG": Option(SOL_TCP, 2, (0, 87, 88, 1000, 32767, 32768, MINUS_1), first=False),
    "TCP_KEEPIDLE": Option(SOL_TCP, 4, (0, 1, 32767, 32768)),
    "TCP_KEEPINTVL": Option(SOL_TCP, 5, (0, 1, 32767, 32768)),
    "TCP_KEEPCNT": Option(SOL_TCP, 6, (0, 1, 127, 128)),
    "TCP_SYNCNT": Option(SOL_TCP, 7, (0, 1, 127, 128)),
    "TCP_WINDOW_CLAMP": Option(SOL_TCP, 10, (1, 5000), first=False),
    "TCP_CONGESTION": Option(SOL_TCP, 13, (int.from_bytes(b"reno", "little"), int.from_bytes(b"no", "little"))),
    "TCP_THIN_LINEAR_TIMEOUTS": Option(SOL_TCP, 16, (0, 1, 2, MINUS_1)),
    "TCP_USER_TIMEOUT": Option(SOL_TCP, 18, (0, 1000, MINUS_1)),
    "TCP_NOTSENT_LOWAT": Option(SOL_TCP, 25, (1000, MINUS_1)),
    "TCP_SAVE_SYN": Option(SOL_TCP, 27, (0, 1, 2, 3)),
    "TCP_SAVED_SYN": Option(SOL_TCP, 28, (0,)),
    "TCP_RTO_MAX_MS": Option(SOL_TCP, 44, (999, 1000, 120000, 120001)),
    "TCP_RTO_MIN_US": Option(SOL_TCP, 45, (1000,)),
    "TCP_CORK": Option(SOL_TCP, 3, (0, 1)),
    "TCP_BPF_IW": Option(SOL_TCP, 1001, (0, 20)),
    "TCP_BPF_SNDCWND_CLAMP": Option(SOL_TCP, 1002, (0, 30)),
    "TCP_BPF_DELACK_MAX": Option(SOL_TCP, 1003, (0, 1, 8000, 200000, 200001, 300000)),
    "TCP_BPF_RTO_MIN": Option(SOL_TCP, 1004, (0, 1, 8000, 200000, 200001, 300000)),
    "TCP_BPF_SYN_MAC": Option(SOL_TCP, 1007, (0,)),
    "TCP_BPF_SOCK_OPS_CB_FLAGS": Option(SOL_TCP, 1008, (0, 3, 128)),
    "IP_TOS": Option(SOL_IP, 1, (0, 0x10, 0x13, 0x100, MINUS_1)),
    "IP_TTL": Option(SOL_IP, 2, (5,)),
    "IPV6_TCLASS": Option(SOL_IPV6, 67, (0, 0x10, 0x13, 0x100, MINUS_1)),
    "IPV6_AUTOFLOWLABEL": Option(SOL_IPV6, 70, (0, 1)),
    "UDP_CORK": Option(SOL_UDP, 1, (0,)),
}


def options_scenario(name: str, settings: dict[int, int], *steps: Step) -> dict[str, Any]:
    """A scenario of options.c."""
    made = scenario(name, settings, *steps)
    return {"name": name, "lab": "options", "settings": made["settings"], "steps": made["steps"]}


def _listen(name: str, family: str = "v4") -> Step:
    """A listener at a port of its own, since options say whether one can be used again soon."""
    return ["listen", "l", {"port": 10000 + crc32(name.encode()) % 10000, "family": family}]


def _connect(number: int, **options: Any) -> Step:
    """One connection after the other, to one listener."""
    return ["connect", "l", f"c{number}", f"s{number}", {"client_port": 40000 + number, **options}]


def scenarios() -> Iterator[dict[str, Any]]:
    for name, option in OPTIONS.items():
        for family in ("v4", "v6") if option.level in (SOL_IP, SOL_IPV6) else ("v4",):
            yield _option(name, option, family)
        if option.level in (SOL_SOCKET, SOL_TCP):
            yield _lengths(name, option)
    yield from _inherited()
    yield from _storage()
    yield from _low_water()


def _option(name: str, option: Option, family: str) -> dict[str, Any]:
    """Everywhere, as it is at first; then each value, set and read."""
    gets = EVERYWHERE if option.first else 0
    steps: list[Step] = [
        ATTACH,
        _listen(name, family),
        _connect(0, family=family),
        TOLD,
        ["set", GETS, FULL],
        ["set", SETS, EVERYWHERE],
    ]
    for number, value in enumerate(option.values, 1):
        steps += [["set", VALUE, value], _connect(number, family=family), TOLD]
    length = 2 * INT if name in ("TCP_CONGESTION",) else 1 if name == "TCP_SAVED_SYN" else INT
    settings = {LEVEL: option.level, NAME: option.number, SET_LENGTH: length, GETS: gets, GET_LENGTH: length}
    label = name if family == "v4" else f"{name}, IPv6"
    return options_scenario(f"{label}, values", settings, *steps)


def _lengths(name: str, option: Option) -> dict[str, Any]:
    """Lengths that are not those of an int."""
    steps: list[Step] = [ATTACH, _listen(f"{name}, lengths")]
    for number, length in enumerate((1, 2, 3, 5, 8, 16)):
        steps += [["set", SET_LENGTH, length], ["set", GET_LENGTH, length], _connect(number), TOLD]
    settings = {LEVEL: option.level, NAME: option.number, SETS: bits(ACTIVE), GETS: bits(ACTIVE)}
    return options_scenario(f"{name}, lengths", {**settings, VALUE: option.values[0]}, *steps)


def _inherited() -> Iterator[dict[str, Any]]:
    """What the listener set is what an accepted socket has."""
    for name in ("SO_MARK", "SO_PRIORITY", "SO_RCVBUF", "SO_RCVLOWAT", "SO_KEEPALIVE", "TCP_KEEPIDLE", "IP_TOS"):
        option = OPTIONS[name]
        settings = {LEVEL: option.level, NAME: option.number, SET_LENGTH: INT, GET_LENGTH: INT, VALUE: 8}
        yield options_scenario(
            f"{name} of a listener",
            {**settings, SETS: bits(LISTEN), GETS: bits(ACTIVE, PASSIVE)},
            ATTACH,
            _listen(f"{name}, inherited"),
            _connect(0),
            TOLD,
        )


def _storage() -> Iterator[dict[str, Any]]:
    """Values beside the listener: one map's go with what is accepted."""
    for name, stores in {"listener": LISTEN, "client": TCP_CONNECT, "accepted": PASSIVE}.items():
        yield options_scenario(
            f"stored beside the {name}",
            {STORES: bits(stores), STORED: 7, READS: bits(LISTEN, TCP_CONNECT, ACTIVE, PASSIVE)},
            ATTACH,
            _listen(name),
            _connect(0),
            TOLD,
            ["set", STORED, 9],
            _connect(1),
            TOLD,
        )


def _low_water() -> Iterator[dict[str, Any]]:
    """Bytes that are fewer than the low-water mark reach no program."""
    yield options_scenario(
        "a verdict on a socket with a low-water mark",
        {LEVEL: SOL_SOCKET, NAME: 18, SET_LENGTH: INT, VALUE: 8, SETS: bits(PASSIVE)},
        ["attach", "sockets", "skb_verdict"],
        ATTACH,
        ["pair", "c", "s", PORTS],
        ["put", "sockets", 0, "s"],
        ["send", "c", "abcd"],
        ["seen_lengths"],
        ["send", "c", "efg"],
        ["seen_lengths"],
        ["send", "c", "h"],
        ["seen_lengths"],
        ["recv", "s", 100],
        ["send", "c", "ij"],
        ["recv", "s", 100],
        ["seen_lengths"],
        ["close", "c"],
        ["seen_lengths"],
        ["recv", "s", 100],
    )
