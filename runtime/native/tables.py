"""Maps as native code looks them up by itself, in memory that Python keeps up to date (`entries`)."""

from __future__ import annotations

import ctypes
import struct
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import overload

from skverdict.runtime.maps.array import ArrayMap
from skverdict.runtime.maps.base import Map
from skverdict.runtime.maps.hash import HashMap, LruHashMap
from skverdict.runtime.maps.per_cpu import LruPerCpuHashMap, PerCpuArray, PerCpuHashMap, PerCpuMap
from skverdict.runtime.native import entries
from skverdict.runtime.native.shared import Pins

_Hash = HashMap | PerCpuHashMap
_HASHES = (HashMap, LruHashMap, PerCpuHashMap, LruPerCpuHashMap)
_TRACKING = (LruHashMap, LruPerCpuHashMap)
#: Larger arrays are left to Python, and hashes with longer keys, in bytes.
MOST_ENTRIES = 1 << 16
LONGEST_KEY = 64

_ENTRY = struct.Struct("=QQQ")
_HASHED = struct.Struct("=QQQQQ")


def searchable(map_: Map) -> bool:
    """True if there is a table of a map, whose values programs get as plain bytes."""
    if isinstance(map_, _Hash):
        return type(map_) in _HASHES and map_.key_size <= LONGEST_KEY
    return type(map_) in (ArrayMap, PerCpuArray) and map_.max_entries <= MOST_ENTRIES


def table(map_: Map) -> Table:
    """A table of a map that is `searchable`."""
    if isinstance(map_, _Hash):
        return HashTable(map_)
    assert isinstance(map_, ArrayMap | PerCpuArray)
    return ArrayTable(map_)


class Table(ABC):
    """A map's entries. Their memory, at `address`, stays where it is for as long as this is there.

    `keys` has the key of each entry at its place. `tracks`: the map is to be told of each lookup.
    """

    map: Map
    keys: Sequence[bytes]
    tracks = False

    def __init__(self, size: int) -> None:
        self._entries = ctypes.create_string_buffer(size)
        self.address = ctypes.addressof(self._entries)
        self._pins = Pins()
        self._cpu = 0
        # The places of entries by the identities of their values' memory.
        self._places: dict[int, int] = {}

    def __del__(self) -> None:
        self._pins.release_all()

    def clear(self) -> None:
        """Know nothing of any entry."""
        ctypes.memset(self.address, 0, len(self._entries))
        self._pins.release_all()
        self._places.clear()

    def on_cpu(self, cpu: int) -> None:
        """Be asked by programs on this CPU from now on."""
        if cpu != self._cpu and isinstance(self.map, PerCpuMap):
            self.clear()
            self._cpu = cpu

    def lookup(self, key: bytes) -> bytearray | None:
        """The memory that the map has at a key."""
        if not isinstance(self.map, PerCpuMap):
            return self.map.lookup(key)
        values = self.map.values(key)
        return None if values is None else values[self._cpu]

    def place(self, memory: object) -> int | None:
        """The place of the entry whose value has this memory, if it was put here before."""
        return self._places.get(id(memory))

    @abstractmethod
    def memory(self, place: int) -> bytearray:
        """The memory of an entry's value."""

    @abstractmethod
    def put(self, place: int, run: int, address: int) -> None:
        """Note that the value of an entry has an address in a run."""

    @abstractmethod
    def found(self, key: bytes, run: int, address: int) -> None:
        """Note what a lookup by Python has given: the address of a value, or 0."""

    def used(self, place: int) -> None:  # noqa: B027 - what most maps need not be told
        """Tell the map that a program has looked an entry up."""


class _Indices(Sequence[bytes]):
    """The keys of an array."""

    def __init__(self, map_: ArrayMap | PerCpuArray) -> None:
        self._map = map_

    def __len__(self) -> int:
        return 1 << 32

    @overload
    def __getitem__(self, index: int) -> bytes: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[bytes]: ...

    def __getitem__(self, index: int | slice) -> bytes | Sequence[bytes]:
        assert isinstance(index, int)
        return index.to_bytes(4, self._map.order)


class ArrayTable(Table):
    """An array, or what one CPU has of it."""

    def __init__(self, map_: ArrayMap | PerCpuArray) -> None:
        super().__init__(map_.max_entries * entries.SIZE)
        self.map: ArrayMap | PerCpuArray = map_
        self.keys = _Indices(map_)

    def memory(self, place: int) -> bytearray:
        memory = self.lookup(self.keys[place])
        assert memory is not None
        return memory

    def put(self, place: int, run: int, address: int) -> None:
        memory = self.memory(place)
        self._places[id(memory)] = place
        _ENTRY.pack_into(self._entries, place * entries.SIZE, self._pins.address(memory), run, address)

    def found(self, key: bytes, run: int, address: int) -> None:
        if address:
            self.put(self.map.index(key), run, address)


class HashTable(Table):
    """What is known of the keys of a hash that programs have looked up, there or not."""

    def __init__(self, map_: HashMap | PerCpuHashMap) -> None:
        self._size, self._bits = entries.hashed_size(map_.key_size), entries.hashed_bits(map_.max_entries)
        super().__init__(((1 << self._bits) + entries.PROBES) * self._size)
        self.map: HashMap | PerCpuHashMap = map_
        self.tracks = isinstance(map_, _TRACKING)
        self.keys: list[bytes] = []
        self._known: dict[bytes, int] = {}
        # Of each key where its entry is, and the memory of its value.
        self._offsets: list[int] = []
        self._memories: list[bytearray | None] = []
        map_.watch(self.changed)

    def clear(self) -> None:
        super().clear()
        # Who has noted places of keys keeps the list.
        self.keys, self._offsets, self._memories = [], [], []
        self._known.clear()

    def memory(self, place: int) -> bytearray:
        memory = self._memories[place]
        assert memory is not None
        return memory

    def put(self, place: int, run: int, address: int) -> None:
        key, old = self.keys[place], self._memories[place]
        memory = self._memories[place] = self.lookup(key)
        if old is not None and old is not memory:
            del self._places[id(old)]
            self._pins.release(old)
        state, bytes_at = entries.ABSENT, 0
        if memory is not None:
            self._places[id(memory)] = place
            state, bytes_at = entries.PRESENT, self._pins.address(memory)
        _HASHED.pack_into(self._entries, self._offsets[place], bytes_at, run, address, state, place)

    def found(self, key: bytes, run: int, address: int) -> None:
        place = self._known.get(key)
        self.put(self._add(key) if place is None else place, run, address)

    def changed(self, key: bytes) -> None:
        """The map has other memory at a key, or none."""
        place = self._known.get(key)
        if place is not None:
            self.put(place, 0, 0)

    def used(self, place: int) -> None:
        self.map.used(self.keys[place])

    def _add(self, key: bytes) -> int:
        """Have an entry for a key that has none; its place."""
        offset = None if 2 * len(self.keys) >= 1 << self._bits else self._free(key)
        if offset is None:
            self.clear()
            offset = self._free(key)
            assert offset is not None
        place = self._known[key] = len(self.keys)
        self.keys.append(key)
        self._offsets.append(offset)
        self._memories.append(None)
        ctypes.memmove(self.address + offset + entries.KEY, key, len(key))
        return place

    def _free(self, key: bytes) -> int | None:
        """Where there is room for a key."""
        begin = entries.hashed(key, self._bits)
        offsets = range(begin * self._size, (begin + entries.PROBES) * self._size, self._size)
        return next((each for each in offsets if not self._state(each)), None)

    def _state(self, offset: int) -> int:
        return _HASHED.unpack_from(self._entries, offset)[3]  # type: ignore[no-any-return]
