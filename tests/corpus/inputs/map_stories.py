"""Stories about maps that random ones meet too seldom: what a full LRU hash forgets, tries, rings that come round."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from tests.corpus.map_world import SIZES, Declaration, Story

Steps = list[list[Any]]

_NO_COMMON_LRU = 2
_KEYS: Steps = [["keys"]]


def stories() -> Iterator[Story]:
    yield from _forgetting()
    yield from _prefixes()
    yield from _rings()


def _story(name: str, map_: Declaration, steps: Steps) -> Story:
    return {"name": name, "map": list(map_), "steps": steps}


def _key(number: int) -> str:
    return number.to_bytes(4, "little").hex()


def _value(number: int) -> str:
    return number.to_bytes(8, "little").hex()


def _update(number: int, flags: int = 0) -> list[Any]:
    return ["update", _key(number), _value(number), flags]


def _forgetting() -> Iterator[Story]:
    for kind in ("lru_hash", "lru_percpu_hash"):
        for flags in (0, _NO_COMMON_LRU):
            for entries in (1, 2, 3, 8):
                yield _story(
                    f"a {kind} of {entries} with flags {flags} that is full",
                    Declaration(kind, 4, 8, entries, flags),
                    [
                        *(_update(number) for number in range(entries)),
                        *_KEYS,
                        *(["run", "lookup", _key(number), _value(0), 0] for number in range(0, entries, 2)),
                        *(["read", _key(number), 0] for number in range(1, min(entries, 9), 2)),
                        *chain.from_iterable([_update(entries + more), *_KEYS] for more in range(6)),
                        ["run", "update", _key(0), _value(7), 2],
                        *_KEYS,
                        ["run", "update", _key(entries + 1), _value(7), 1],
                        *_KEYS,
                        _update(entries + 2, 2),
                        ["delete", _key(entries + 3)],
                        *_KEYS,
                        *chain.from_iterable([_update(1000 + more), *_KEYS] for more in range(6)),
                        ["take", _key(1003), 0],
                        *chain.from_iterable([_update(2000 + more), *_KEYS] for more in range(4)),
                    ],
                )


    many = 300
    looked: Steps = [["run", "lookup", _key(number), _value(0), 0] for number in range(0, many, 3)]
    yield _story(
        f"a lru_hash of {many} that goes round",
        Declaration("lru_hash", 4, 8, many, 0),
        [
            *(_update(number) for number in range(many)),
            *looked,
            *chain.from_iterable([_update(many + more) for more in range(start, start + 40)] for start in (0, 40, 80)),
            *_KEYS,
            *looked,
            *(_update(1000 + more) for more in range(120)),
            *_KEYS,
        ],
    )


def _prefixes() -> Iterator[Story]:
    names = ((0, 0), (1, 0), (1, 0x80), (2, 0xC0), (3, 0xC0), (7, 0xFE), (8, 0xFE), (8, 0xFF), (8, 0), (9, 0))
    keys = [(length.to_bytes(4, "little") + bytes([byte])).hex() for length, byte in names]
    put: Steps = [["update", key, f"{number:02x}", 0] for number, key in enumerate(keys)]
    looked: Steps = [["run", "lookup", key, "00", 0] for key in keys]
    whole = [f"08000000{byte:02x}" for byte in (0, 1, 0x7F, 0x80, 0xBF, 0xC0, 0xDF, 0xFE, 0xFF)]
    walked: Steps = [["next", None], *(["next", key] for key in (*keys, *whole)), ["keys"]]
    yield _story(
        "prefixes of a byte, put in and taken out",
        Declaration("lpm_trie", 5, 1, 9, 1),
        [
            *walked,
            *put,
            *looked,
            *(["read", key, 0] for key in (*keys, *whole)),
            *walked,
            *(["lookup_batch", count, 0] for count in (1, 4, 8, 9, 10)),
            *chain.from_iterable([["delete", key], ["keys"], ["run", "lookup", whole[-1], "00", 0]] for key in keys),
            *walked,
        ],
    )
    yield _story(
        "a trie of two prefixes that is full",
        Declaration("lpm_trie", 5, 1, 2, 1),
        [*put, *put, *(["update", key, "ff", flags] for key in keys for flags in (1, 2, 3)), ["keys"]],
    )


def _rings() -> Iterator[Story]:
    sizes = {size: number for number, size in enumerate(SIZES)}
    reserved = {size: ["run", f"reserve{number}", "", "00" * 64, 0] for size, number in sizes.items()}
    queries: Steps = [["run", "query", "", "00" * 64, number] for number in range(6)]
    for entries in (4096, 8192):
        yield _story(
            f"a ring of {entries} that comes round",
            Declaration("ringbuf", 0, 0, entries, 0),
            [
                *queries,
                ["run", "output", "", "5a" * 64, 0],
                *chain.from_iterable([reserved[size], *queries, ["consume"]] for size in sizes),
                *([reserved[100]] * 90),
                *queries,
                ["consume"],
                *(["run", "output", "", f"{number:02x}" * 64, 0] for number in range(40)),
                ["consume"],
                *(["run", f"reserve{sizes[size]}", "", "00" * 64, 1] for size in (100, 2000)),
                *([reserved[2000]] * 3),
                *queries,
                ["consume"],
                ["freeze"],
                ["consume"],
            ],
        )
    yield _story(
        "a ring that is frozen before anybody consumes",
        Declaration("ringbuf", 0, 0, 4096, 0),
        [["freeze"], ["freeze"], ["consume"], ["run", "output", "", "5a" * 64, 0], ["consume"], *queries],
    )
