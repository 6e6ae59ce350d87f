"""Random stories about maps: declarations of every kind, and what user space and programs do with them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from skverdict.codegen.object import MapSpec
from skverdict.dsl.catalogue.programs import KERNELS
from skverdict.runtime.maps.declaration import broken_rule

from tests.corpus.map_world import (
    BPF_F_RDONLY_PROG,
    BPF_F_WRONLY_PROG,
    OF_SOCKETS,
    SOCKETS,
    Declaration,
    Story,
    helpers_of,
)

KINDS = (
    "hash", "array", "lru_hash", "percpu_hash", "percpu_array", "lru_percpu_hash", "lpm_trie", "queue", "stack",
    "bloom_filter", "ringbuf", *OF_SOCKETS,
)  # fmt: skip

#: Kinds that can be made without anything else.
ALONE = (*KINDS, "prog_array", "perf_event_array")

_SIZES = (1, 2, 3, 4, 5, 7, 8, 12, 16)
_FLAGS = (*(0,) * 6, 1, 2, 3, 4, 5, 8, 16, 24, 32, 1 << 32, 1 << 32 | 8, 1 << 63)
#: Flags that say who may do what.
_ACCESS = (1 << 3, 1 << 4, BPF_F_RDONLY_PROG, BPF_F_WRONLY_PROG)
_BATCH = 64
#: Steps that give or take numbers of sockets as user space has them, which are never the same.
_OF_NUMBERS = ("read", "update")


def _accepted(source: random.Random, kind: str) -> Declaration:
    """One that kernels accept."""
    while True:
        map_ = _declaration(source, kind)
        spec = MapSpec("map", map_.map_kind.map_type, *map_[1:])
        if not any(broken_rule(spec, map_.map_kind, kernel) for kernel in KERNELS):
            return map_


def _declaration(source: random.Random, kind: str) -> Declaration:
    """One that kernels accept nearly always, for the most part without flags about access."""
    has = Declaration(kind, 0, 0, 0, 0).map_kind
    key = 4 if has.has_key and 4 in has.key_sizes else 0
    if has.has_key and has.key_sizes != (4,):
        key = source.choice([size for size in (*_SIZES, 4) if size in has.key_sizes])
    value = source.choice([size for size in (*_SIZES, 8, 24) if size in has.value_sizes]) if has.has_value else 0
    entries = source.choice((1, 2, 3, 5, 8))
    if kind == "ringbuf":
        entries = source.choice((4096, 8192))
    flags = has.required
    for bit in (1 << number for number in range(32)):
        chance = 0.04 if bit in _ACCESS else 0.25
        if has.flags & bit and source.random() < chance:
            flags |= bit
    for pair in (_ACCESS[:2], _ACCESS[2:]):
        if flags & sum(pair) == sum(pair):
            flags &= ~source.choice(pair)
    return Declaration(kind, key, value, entries, flags)


class _Story:
    """Makes the steps: keys and values come from small sets, so that they meet again."""

    def __init__(self, source: random.Random, map_: Declaration, cpus: int) -> None:
        self._source = source
        self._map = map_
        self._cpus = cpus if map_.map_kind.per_cpu else 1
        self._keys = [self._new_key() for _ in range(6)]
        self._values = [source.randbytes(map_.room) for _ in range(4)]
        self._helpers = helpers_of(map_)

    def _new_key(self) -> bytes:
        source, map_ = self._source, self._map
        if map_.kind in ("array", "percpu_array", "sockmap"):
            return source.choice((*range(map_.max_entries + 2), 0xFFFFFFFF)).to_bytes(4, "little")
        if map_.kind == "lpm_trie":
            bits = 8 * (map_.key_size - 4)
            length = source.choice((0, 1, bits - 1, bits, bits + 1, source.randrange(bits + 1)))
            return length.to_bytes(4, "little") + bytes(source.choice((0, 0x80, 0xC0, 0xFF)) for _ in range(bits // 8))
        return source.randbytes(map_.key_size)

    def _key(self) -> str:
        key = self._new_key() if self._source.random() < 0.1 else self._source.choice(self._keys)
        return key.hex()

    def _value(self) -> str:
        """As programs have it."""
        return self._source.choice(self._values).hex()

    def _entry(self, flags: int = 0) -> str:
        """As user space has it: of a per-CPU map for each CPU, if the flags do not say otherwise."""
        value = self._source.choice(self._values)[: self._map.value_size]
        if not self._map.map_kind.per_cpu or flags & 0x18:
            return value.hex()
        return (value.ljust(-(-len(value) // 8) * 8, b"\0") * self._cpus).hex()

    def step(self) -> list[Any]:
        source = self._source
        flags = source.choice(_FLAGS)
        if self._map.kind in OF_SOCKETS and source.random() < 0.8:
            return self._step_of_sockets(flags)
        if source.random() < 0.35 and self._helpers:
            helper = source.choice(self._helpers)
            if helper == "lookup_percpu":
                flags = source.choice((0, 0, self._cpus - 1, self._cpus, 0xFFFFFFFF))
            if helper == "query":
                flags = source.randrange(6)
            return ["run", helper, self._key(), self._value(), flags]
        if self._map.kind == "ringbuf":
            return source.choice((["consume"], ["consume"], ["read", "", 0], ["update", "", "", 0], ["freeze"]))
        if not self._map.map_kind.has_key:
            return self._step_without_keys(flags)
        return self._step_with_keys(flags)

    def _step_of_sockets(self, flags: int) -> list[Any]:
        source = self._source
        socket = source.randrange(SOCKETS)
        table: tuple[list[Any], ...] = (
            *([["put", self._key(), socket, source.choice((0, flags))]] * 5),
            ["socket", self._key(), source.choice((0, flags))],
            ["delete", self._key()],
            ["keys"],
            ["attach"],
            ["detach"],
            *([["close", socket]] * (source.random() < 0.2)),
        )
        return source.choice(table)

    def _step_without_keys(self, flags: int) -> list[Any]:
        table: list[list[Any]] = [
            ["update", "", self._value(), flags],
            ["update", "", self._value(), 0],
            ["delete", ""],
            ["next", None],
        ]
        if self._map.kind == "bloom_filter":
            table.append(["contains", self._value()])
        else:
            table += [["read", "", flags], ["take", "", flags], ["take", "", 0], ["lookup_batch", _BATCH, 0]]
        return self._source.choice(table)

    def _step_with_keys(self, flags: int) -> list[Any]:
        source = self._source
        entries = [[self._key(), self._entry(flags)] for _ in range(source.randrange(5))]
        count = _BATCH if "hash" in self._map.kind else source.choice((0, 1, 2, 3, _BATCH))
        table: tuple[list[Any], ...] = (
            ["read", self._key(), flags],
            ["read", self._key(), 0],
            ["update", self._key(), self._entry(flags), flags],
            ["update", self._key(), self._entry(flags), flags],
            ["update", self._key(), self._entry(), 0],
            ["delete", self._key()],
            ["delete", self._key()],
            ["take", self._key(), source.choice((0, flags))],
            ["keys"],
            ["lookup_batch", count, source.choice((0, flags))],
            ["take_batch", count, source.choice((0, flags))],
            ["update_batch", entries, flags],
            ["delete_batch", [key for key, _ in entries], source.choice((0, flags))],
            *([["next", source.choice((None, self._key()))]] * ("hash" not in self._map.kind)),
            *([["freeze"]] * (source.random() < 0.1)),
        )
        if self._map.kind in OF_SOCKETS:
            table = tuple(step for step in table if step[0] not in _OF_NUMBERS)
        return source.choice(table)


def random_stories(first: int, count: int, cpus: int, steps: int = 60) -> Iterator[Story]:
    """Stories for the seeds from `first` on, kind after kind, on a machine with `cpus`."""
    for seed in range(first, first + count):
        source = random.Random(seed)
        map_ = _accepted(source, KINDS[seed % len(KINDS)])
        maker = _Story(source, map_, cpus)
        name = f"{map_.kind} {seed}"
        yield {"name": name, "map": list(map_), "steps": [maker.step() for _ in range(steps)]}


_KEY_SIZES = (0, 1, 2, 3, 4, 4, 4, 5, 8, 16, 255, 256, 260, 261, 264, 512, 513, 1000, 1 << 16, 1 << 31, (1 << 32) - 1)
_VALUE_SIZES = (
    *(0, 1, 2, 3, 4, 4, 8, 8, 12, 4096, 32761, 32767, 32768, 32769, 1 << 22, (1 << 22) + 1, 1 << 31, (1 << 32) - 1),
    *((1 << 22) - less for less in (48, 49, 52, 283, 284, 299, 300)),
)
_MANY = (0, 1, 1, 2, 3, 4095, 4096, 4097, 6144, 8192, 1 << 16, 1 << 31, (1 << 31) + 1, (1 << 32) - 1)


def random_declarations(seed: int, count: int) -> Iterator[Declaration]:
    """Maps that kernels make or refuse, and that take no more than 16 MiB where they are made."""
    source = random.Random(seed)
    while count:
        kind = source.choice(ALONE)
        has = Declaration(kind, 0, 0, 0, 0).map_kind
        key = source.choice((*_KEY_SIZES, has.key_sizes[0], has.key_sizes[0], has.key_sizes[-1]))
        value = source.choice((*_VALUE_SIZES, has.value_sizes[0], has.value_sizes[0]))
        entries = source.choice(_MANY)
        flags = has.required if source.random() < 0.95 else 0
        for bit in (1 << number for number in range(19)):
            chance = 0.1 if has.flags & bit else 0.01
            flags |= bit * (source.random() < chance)
        # What a kernel would try to find the memory for.
        if (key + value + 64) * entries > 1 << 24 and entries < 1 << 31:
            continue
        count -= 1
        yield Declaration(kind, key, value, entries, flags)
