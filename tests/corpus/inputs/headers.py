"""TCP header options: which callbacks write and read them when, with what, and each errno of the three helpers.

Each scenario has a client's port of its own. A connection that is like one before it, which is still remembered,
begins with another window.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from zlib import crc32

from tests.corpus.inputs.build import Step, bits, scenario
from tests.corpus.inputs.callbacks import ACTIVE, LISTEN, PASSIVE, STATE, TCP_CONNECT
from tests.corpus.inputs.options import EVERYWHERE

# Slots of the map `config` of headers.c.
SETS, FLAGS, REPORTS, REFUSES = range(4)
RESERVES, RESERVED, RESERVE_FLAGS, RESERVED_AGAIN = range(4, 8)
STORES, STORED, STORE_FLAGS, OPTION, OPTION_2, OPTION_3, STORES_ANOTHER, ANOTHER_LENGTH, ANOTHER = range(8, 17)
LOADS, LOAD_LENGTH, LOAD_FLAGS, SEARCHED, SEARCHED_2 = range(17, 22)
WRITES_OPTION, WRITTEN, GETS, GOT, GET_LENGTH, NO_BARE, VALUE = range(22, 29)
OTHER = 32

PARSE, LENGTH, WRITE = 13, 14, 15
PARSE_ALL, PARSE_UNKNOWN, WRITES = 0x10, 0x20, 0x40
FROM_SYN = 1
SAVE_SYN, SYN, SYN_IP, SYN_MAC = 27, 1005, 1006, 1007
FROM_THE_START = bits(TCP_CONNECT, LISTEN)
ALL = (1 << 16) - 1
ON_HEADERS = bits(ACTIVE, PASSIVE, PARSE, LENGTH, WRITE)

ATTACH: Step = ["attach_cgroup", "sock_ops"]
TOLD: Step = ["headers"]
#: Both ends send, and the client closes.
EXCHANGE: list[Step] = [
    TOLD,
    ["send", "c", "hello"],
    TOLD,
    ["recv", "s", 10],
    ["send", "s", "answer"],
    TOLD,
    ["recv", "c", 10],
    TOLD,
    ["close", "c"],
    TOLD,
]
#: And the server, which the client answers with nothing that a program could be told of.
TO_THE_END: list[Step] = [*EXCHANGE, ["close", "s"], TOLD]
#: One segment of the client.
SENT: list[Step] = [TOLD, ["send", "c", "x"], TOLD]


def number(*content: int) -> int:
    """Bytes as a setting has them."""
    return int.from_bytes(bytes(content), "little")


def option(*content: int) -> dict[int, int]:
    """Settings that store these bytes, with room for them, at all segments of both ends."""
    slots = {OPTION + index: number(*content[8 * index : 8 * index + 8]) for index in range(3)}
    asks = {SETS: FROM_THE_START, FLAGS: WRITES, RESERVES: bits(LENGTH), STORES: bits(WRITE)}
    return {**asks, RESERVED: len(content), STORED: len(content), **slots}


PLAIN = (0x63, 4, 0xAA, 0xBB)
TAGGED = option(*PLAIN)
OFTEN = {REPORTS: ON_HEADERS, NO_BARE: 1}
STORING = {REPORTS: bits(WRITE), NO_BARE: 1}


def headers_scenario(name: str, settings: dict[int, int], *steps: Step, family: str = "v4") -> dict[str, Any]:
    """A scenario of headers.c about a connection between `c` and `s`, made after the programs are attached."""
    port = 33_000 + crc32(name.encode()) % 27_000
    pair: Step = ["pair", "c", "s", {"server_port": 10_000, "client_port": port, "family": family}]
    attached = [step for step in steps if step[0].startswith("attach")] or [ATTACH]
    made = scenario(name, settings, *attached, pair, *(step for step in steps if step not in attached))
    return {"name": name, "lab": "headers", "settings": made["settings"], "steps": made["steps"]}


def scenarios() -> Iterator[dict[str, Any]]:
    yield from _order()
    yield from _flags()
    yield from _reserving()
    yield from _storing()
    yield from _loading()
    yield from _saved()
    yield from _programs()
    yield from _ends()
    yield from _sizes()


def _order() -> Iterator[dict[str, Any]]:
    reports = {REPORTS: ON_HEADERS}
    yield headers_scenario("headers without flags", {REPORTS: ALL}, *EXCHANGE)
    for name, flags in {"parse all": PARSE_ALL, "parse unknown": PARSE_UNKNOWN, "write": WRITES}.items():
        asks = {SETS: FROM_THE_START, FLAGS: flags, **reports}
        yield headers_scenario(f"headers with {name}, nothing written", asks, *EXCHANGE)
    parsing = {SETS: FROM_THE_START, FLAGS: PARSE_ALL, **reports}
    first: list[Step] = [["send", "s", "first"], TOLD, ["recv", "c", 10], ["send", "s", "second"], TOLD]
    again: list[Step] = [["recv", "c", 10], ["send", "c", "third"], TOLD]
    yield headers_scenario("headers with parse all, the server first", parsing, TOLD, *first, *again)
    yield headers_scenario("an option on each segment", {**TAGGED, **reports}, *EXCHANGE)
    yield headers_scenario("an option on each segment, told", {**TAGGED, **OFTEN}, *TO_THE_END)
    everything = {**TAGGED, FLAGS: WRITES | PARSE_ALL, **OFTEN}
    yield headers_scenario("an option on each segment, parsed", everything, *TO_THE_END)
    yield headers_scenario("an option on each segment of IPv6", everything, *TO_THE_END, family="v6")
    for name, sets in {"client": TCP_CONNECT, "server": LISTEN, "accepted": PASSIVE, "connected": ACTIVE}.items():
        one = {**everything, SETS: bits(sets)}
        yield headers_scenario(f"an option of the {name} alone", one, *EXCHANGE)


def _flags() -> Iterator[dict[str, Any]]:
    """What the kernel counts as unknown, and what a program hears of."""
    kinds = {
        "kind 99": PLAIN,
        "kind 253": (253, 4, 0xAA, 0xBB),
        "kind 254": (254, 4, 0xAA, 0xBB),
        "kind 254 of TCP fast open": (254, 4, 0xF9, 0x89),
        "kind 254 of SMC": (254, 6, 0xE2, 0xD4, 0xC3, 0xD9),
        "TCP fast open": (34, 2),
        "kind 172": (172, 5, 0, 0, 0),
        "a second MSS": (2, 4, 1, 0),
        "a second window scale": (3, 3, 7),
        "a selective acknowledgement": (5, 10, 0, 0, 0, 1, 0, 0, 0, 2),
        "two bytes alone": (0x63, 2),
    }
    parsing = {FLAGS: WRITES | PARSE_UNKNOWN, REPORTS: bits(PARSE), NO_BARE: 1}
    for name, content in kinds.items():
        yield headers_scenario(f"unknown: {name}", {**option(*content), **parsing}, *SENT)
    stops = {**TAGGED, FLAGS: WRITES | PARSE_ALL, REPORTS: bits(PARSE, WRITE), NO_BARE: 1}
    unset: list[Step] = [["set", SETS, bits(PARSE)], ["set", FLAGS, 0]]
    yield headers_scenario("an option until the first is parsed", stops, TOLD, *unset, *EXCHANGE)


def _reserving() -> Iterator[dict[str, Any]]:
    asks = {SETS: FROM_THE_START, FLAGS: WRITES, RESERVES: bits(LENGTH), REPORTS: bits(LENGTH, WRITE), NO_BARE: 1}
    for length in (0, 1, 2, 5, 20, 21, 28, 29, (1 << 32) - 1):
        yield headers_scenario(f"reserve {length}", {**asks, RESERVED: length}, *SENT)
    yield headers_scenario("reserve with flags", {**asks, RESERVED: 4, RESERVE_FLAGS: 1}, *SENT)
    for one, other in ((4, 4), (3, 2), (20, 1), (12, 20)):
        settings = {**asks, RESERVED: one, RESERVED_AGAIN: other}
        yield headers_scenario(f"reserve {one} and {other}", settings, *SENT)
    elsewhere = {**asks, RESERVES: EVERYWHERE | bits(STATE, PARSE, LENGTH, WRITE), RESERVED: 4, REPORTS: ALL}
    yield headers_scenario("reserve everywhere", {**elsewhere, FLAGS: WRITES | PARSE_ALL | 4}, *SENT)


def _storing() -> Iterator[dict[str, Any]]:
    for name, content in {
        "no operation": (1, 4, 0, 0),
        "end of options": (0, 4, 0, 0),
        "length 0": (0x63, 0, 0xAA, 0xBB),
        "length 2": (0x63, 2, 0xAA, 0xBB),
        "longer than given": (0x63, 5, 0xAA, 0xBB),
        "kind 253 of length 3": (253, 3, 0xAA),
        "kind 254 of length 2": (254, 2),
        "kind 254": (254, 4, 0xEB, 0x9F),
        "a second time stamp": (8, 10, 0, 0, 0, 0, 0, 0, 0, 0),
        "MSS": (2, 4, 1, 0),
        "SACK permitted": (4, 2),
    }.items():
        yield headers_scenario(f"store {name}", {**option(*content), RESERVED: 16, **STORING}, *SENT)
    roomy = {**TAGGED, RESERVED: 16, **STORING}
    yield headers_scenario("store one byte", {**roomy, STORED: 1}, *SENT)
    yield headers_scenario("store with flags", {**roomy, STORE_FLAGS: 1}, *SENT)
    yield headers_scenario("store part of what is given", {**roomy, STORED: 16}, *SENT)
    for length in (2, 3, 4, 5):
        yield headers_scenario(f"store 5 in {length}", {**option(0x63, 5, 1, 2, 3), RESERVED: length, **STORING}, *SENT)
    yield headers_scenario("store 20 bytes", {**option(0x63, 20, *range(18)), **STORING}, *SENT)
    for name, second in {
        "the same kind": (0x63, 2),
        "another kind": (0x64, 3, 7),
        "too much": (0x64, 8, 1, 2, 3, 4, 5, 6),
    }.items():
        twice = {STORES_ANOTHER: bits(WRITE), ANOTHER_LENGTH: len(second), ANOTHER: number(*second)}
        yield headers_scenario(f"store and {name}", {**TAGGED, **STORING, RESERVED: 8, **twice}, *SENT)
    for name, second in {
        "the same magic": (254, 4, 0xEB, 0x9F),
        "more of the same magic": (254, 6, 0xEB, 0x9F, 1, 2),
        "another magic": (254, 4, 0xEB, 0xA0),
        "the other kind": (253, 4, 0xEB, 0x9F),
    }.items():
        twice = {STORES_ANOTHER: bits(WRITE), ANOTHER_LENGTH: len(second), ANOTHER: number(*second)}
        settings = {**option(254, 4, 0xEB, 0x9F), **STORING, RESERVED: 12, **twice}
        yield headers_scenario(f"store magic and {name}", settings, *SENT)
    after = {STORES_ANOTHER: bits(WRITE), ANOTHER_LENGTH: 3, ANOTHER: number(0x64, 3, 1)}
    half = {**option(0x63, 1), **STORING, RESERVED: 4, **after}
    yield headers_scenario("store behind half an option", half, *SENT)
    everywhere = {**TAGGED, STORES: ALL, REPORTS: ALL, NO_BARE: 1, FLAGS: WRITES | PARSE_ALL | 4}
    yield headers_scenario("store everywhere", everywhere, *SENT)


def _loading() -> Iterator[dict[str, Any]]:
    parsed = {FLAGS: WRITES | PARSE_ALL, NO_BARE: 1, LOADS: ALL, LOAD_LENGTH: 16, REPORTS: bits(ACTIVE, PASSIVE, PARSE)}
    everywhere = {**TAGGED, **parsed, REPORTS: ALL, FLAGS: WRITES | PARSE_ALL | 4, SEARCHED: 0x63}
    yield headers_scenario("load everywhere", everywhere, *SENT)
    for name, searched in {
        "MSS": (2,),
        "SACK permitted": (4,),
        "what is not there": (0x64,),
        "no operation": (1,),
        "end of options": (0,),
        "with a length": (0x63, 4),
        "with too long a length": (0x63, 17),
        "kind 254 without a magic": (254,),
        "kind 253 of 5 bytes": (253, 5, 0xEB),
    }.items():
        yield headers_scenario(f"load {name}", {**TAGGED, **parsed, SEARCHED: number(*searched)}, *SENT)
    for length in (1, 2, 3, 4):
        short = {**TAGGED, **parsed, SEARCHED: 0x63, LOAD_LENGTH: length}
        yield headers_scenario(f"load into {length} bytes", short, *SENT)
    yield headers_scenario("load a time stamp into 2 bytes", {**TAGGED, **parsed, SEARCHED: 8, LOAD_LENGTH: 2}, *SENT)
    yield headers_scenario("load with flags", {**TAGGED, **parsed, SEARCHED: 0x63, LOAD_FLAGS: 2}, *SENT)
    magics = {
        "2 bytes": (254, 4, 0xEB, 0x9F),
        "4 bytes": (254, 6, 0xEB, 0x9F, 1, 2),
        "other 4 bytes": (254, 6, 0xEB, 0x9F, 1, 3),
        "another kind": (253, 4, 0xEB, 0x9F),
    }
    for name, searched in magics.items():
        for there in ((254, 8, 0xEB, 0x9F, 1, 2, 3, 4), (254, 4, 0xEB, 0x9F)):
            settings = {**option(*there), **parsed, REPORTS: bits(PARSE), SEARCHED: number(*searched)}
            yield headers_scenario(f"load magic of {name} from {there[1]}", settings, *SENT)
    half = {**option(0x63, 1), **parsed, RESERVED: 4, REPORTS: bits(PARSE, WRITE)}
    yield headers_scenario("load behind half an option", {**half, SEARCHED: 0x64}, *SENT)
    yield headers_scenario("load half an option", {**half, SEARCHED: 0x63}, *SENT)
    yield headers_scenario("load before half an option", {**half, SEARCHED: 4}, *SENT)


def _saved() -> Iterator[dict[str, Any]]:
    """The SYN that a server keeps, or has before it."""
    for saved in (0, 1, 2):
        saving = {WRITES_OPTION: bits(LISTEN), WRITTEN: SAVE_SYN, VALUE: saved, NO_BARE: 1, REPORTS: ALL}
        loads = {**TAGGED, **saving, LOADS: ALL, LOAD_LENGTH: 16, LOAD_FLAGS: FROM_SYN, SEARCHED: 0x63}
        yield headers_scenario(f"load from the SYN, saved {saved}", loads, TOLD)
        for name in (SYN, SYN_IP, SYN_MAC):
            gets = {**TAGGED, **saving, GETS: ALL, GOT: name, GET_LENGTH: 128}
            yield headers_scenario(f"option {name}, saved {saved}", gets, ["syns"])
    saving = {WRITES_OPTION: bits(LISTEN), WRITTEN: SAVE_SYN, VALUE: 2}
    for name in (SYN, SYN_IP, SYN_MAC):
        gets = {**saving, GETS: bits(PASSIVE), GOT: name, REPORTS: bits(PASSIVE), GET_LENGTH: 128}
        yield headers_scenario(f"option {name} of IPv6", gets, ["syns"], family="v6")
    for name, length in ((SYN, 20), (SYN_IP, 20), (SYN_MAC, 34)):
        gets = {**saving, GETS: bits(PASSIVE), GOT: name, REPORTS: bits(PASSIVE), GET_LENGTH: length}
        yield headers_scenario(f"option {name} in {length} bytes", gets, ["syns"])


def _programs() -> Iterator[dict[str, Any]]:
    """Programs that refuse, and two that share the room."""
    both: list[Step] = [ATTACH, ["attach_cgroup", "other_ops"]]
    for name, slot in {"first": REFUSES, "second": OTHER + REFUSES}.items():
        settings = {**TAGGED, **STORING, REPORTS: bits(LENGTH, WRITE), slot: 1}
        yield headers_scenario(f"the {name} program refuses", settings, *both, *SENT)
    refusing = {**TAGGED, **OFTEN, OTHER + STORES: 0, OTHER + REPORTS: bits(PARSE), FLAGS: WRITES | PARSE_ALL}
    yield headers_scenario("refused when it is written", {**refusing, OTHER + REFUSES: 2}, *both, *SENT)
    for name, content in {"the same": PLAIN, "another": (0x64, 4, 1, 2), "more": (0x64, 8, 1, 2, 3, 4, 5, 6)}.items():
        for room in (4, 8):
            other = {**option(*content), **STORING, RESERVED: room}
            second = {OTHER + slot: value for slot, value in other.items()}
            settings = {**TAGGED, **STORING, **second, OTHER + SETS: 0}
            yield headers_scenario(f"two programs, {name} option with room for {room}", settings, *both, *SENT)
    most = {**TAGGED, **STORING, RESERVED: 20, OTHER + RESERVES: bits(LENGTH), OTHER + RESERVED: 4}
    reports = {REPORTS: bits(LENGTH, WRITE), OTHER + REPORTS: bits(LENGTH, WRITE), OTHER + NO_BARE: 1}
    yield headers_scenario("two programs, all room taken", {**most, **reports}, *both, TOLD)


def _ends() -> Iterator[dict[str, Any]]:
    told = {**TAGGED, FLAGS: WRITES | PARSE_ALL, **OFTEN}
    for name, steps in {
        "the client resets": [["reset", "c"], TOLD, ["error", "s"]],
        "the server resets": [["reset", "s"], TOLD, ["error", "c"]],
        "closed with bytes unread": [["send", "c", "hello"], TOLD, ["close", "s"], TOLD],
        "the server closes first": [["close", "s"], TOLD, ["close", "c"], TOLD],
        "half closed": [["shutdown", "c"], TOLD, ["send", "s", "late"], TOLD, ["close", "s"], TOLD],
        "the other end is gone": [["close", "s"], TOLD, ["send", "c", "x"], TOLD, ["error", "c"]],
    }.items():
        yield headers_scenario(f"headers when {name}", told, TOLD, *steps)
    more: list[Step] = [["more", "c", "ab"], TOLD, ["send", "c", "cd"], TOLD, ["sendmsg", "c", ["e", "f"]], TOLD]
    yield headers_scenario("headers with more to come", told, TOLD, *more)
    kept: list[Step] = [["more", "c", "ab"], TOLD, ["close", "c"], TOLD]
    yield headers_scenario("headers when closed with more to come", told, TOLD, *kept)


def _sizes() -> Iterator[dict[str, Any]]:
    """Options take room of a segment, so that what is sent at once arrives in other pieces."""
    for room in (0, 5, 28):
        settings = {SETS: FROM_THE_START, FLAGS: WRITES, RESERVES: bits(LENGTH), RESERVED: room}
        for total in (32740, 32768, 65512):
            yield headers_scenario(
                f"{total} bytes with {room} of options",
                settings,
                ["attach", "sockets", "skb_verdict"],
                ATTACH,
                ["put", "sockets", 0, "c"],
                ["flood", "s", total],
                ["seen_lengths"],
                ["drain", "c"],
            )
