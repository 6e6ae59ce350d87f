"""BPF_MAP_TYPE_ARRAY_OF_MAPS and BPF_MAP_TYPE_HASH_OF_MAPS: maps as values (kernel/bpf/map_in_map.c).

Only user space puts maps in and takes them out; programs get a pointer to the map, and user space reads back
its number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from skverdict.codegen.object import MapSpec
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.machine.memory import ByteOrder
from skverdict.runtime.maps.array import IndexedMap
from skverdict.runtime.maps.base import Map
from skverdict.runtime.maps.hash import HashMap
from skverdict.runtime.maps.user_side import BPF_ANY

if TYPE_CHECKING:
    from skverdict.runtime.machine.call import Call

#: Flag of an array of which maps of any length may stand in one place.
BPF_F_INNER_MAP = 1 << 12

#: Kinds that need the same length to be alike.
_OF_FIXED_LENGTH = ("array", "percpu_array")


class Likeness(NamedTuple):
    """What the maps in a map of maps have in common."""

    kind: str
    key_size: int
    value_size: int
    flags: int
    special: tuple[object, ...]
    entries: int

    @staticmethod
    def of(map_: Map) -> Likeness:
        fixed = map_.kind in _OF_FIXED_LENGTH and not map_.spec.flags & BPF_F_INNER_MAP
        entries = map_.max_entries if fixed else 0
        return Likeness(
            map_.kind, map_.key_size, map_.value_size, map_.spec.flags, map_.special, entries
        )


class MapOfMaps(Map):
    """What both kinds share. `make` makes a new map that fits; `model` is one, which stands in no place."""

    def __init__(self, spec: MapSpec, order: ByteOrder, make: Callable[[], Map]) -> None:
        super().__init__(spec, order)
        self.make = make
        self.model = make()

    def map_at(self, key: bytes) -> Map | None:
        """The map at `key`."""
        raise NotImplementedError

    def insert(self, key: bytes, map_: Map, flags: int = BPF_ANY) -> None:
        """User space's update: `map_` in place of a file descriptor.

        Raises KernelError: EINVAL for a map that is not like the others, and what the kind says of key and
        flags.
        """
        raise NotImplementedError

    def check_alike(self, map_: Map) -> None:
        if Likeness.of(map_) != Likeness.of(self.model):
            raise KernelError(Errno.EINVAL, f"map {map_.name} is not like the maps in {self.name}")

    def lookup(self, key: bytes) -> bytearray | None:
        return None

    def pointer(self, call: Call, key: bytes) -> int:
        found = self.map_at(key)
        return 0 if found is None else call.map(found)

    def copy(self, key: bytes) -> bytes:
        found = self.map_at(key)
        if found is None:
            raise KernelError(Errno.ENOENT, f"map {self.name} has no map there")
        return found.number.to_bytes(self.value_size, self.order)

    def write(self, key: bytes, value: bytes, flags: int = BPF_ANY) -> None:
        raise KernelError(Errno.EBADF, f"map {self.name} takes maps, not numbers")


class ArrayOfMaps(MapOfMaps, IndexedMap):
    """Maps at indices."""

    kind = "array_of_maps"

    def __init__(self, spec: MapSpec, order: ByteOrder, make: Callable[[], Map]) -> None:
        super().__init__(spec, order, make)
        self._maps: dict[int, Map] = {}

    def map_at(self, key: bytes) -> Map | None:
        return self._maps.get(self.index(key))

    def insert(self, key: bytes, map_: Map, flags: int = BPF_ANY) -> None:
        index = self.index(key)
        if flags != BPF_ANY:
            raise KernelError(Errno.EINVAL, f"map {self.name}: update flags {flags:#x}")
        if index >= self.max_entries:
            raise KernelError(Errno.E2BIG, f"map {self.name} ends before index {index}")
        self.check_alike(map_)
        self._maps[index] = map_

    def remove(self, key: bytes) -> None:
        index = self.index(key)
        if index >= self.max_entries:
            raise KernelError(Errno.E2BIG, f"map {self.name} ends before index {index}")
        if self._maps.pop(index, None) is None:
            raise KernelError(Errno.ENOENT, f"map {self.name} has no map at index {index}")


class HashOfMaps(MapOfMaps):
    """Maps under keys. Which keys there are, and which updates they allow, is a hash's own affair."""

    kind = "hash_of_maps"
    batches = HashMap.batches
    snapshots = True

    def __init__(self, spec: MapSpec, order: ByteOrder, make: Callable[[], Map]) -> None:
        super().__init__(spec, order, make)
        self._entries = HashMap(spec, order)
        self._maps: dict[bytes, Map] = {}

    def map_at(self, key: bytes) -> Map | None:
        return self._maps.get(key)

    def insert(self, key: bytes, map_: Map, flags: int = BPF_ANY) -> None:
        self.check_alike(map_)
        self._entries.write(key, bytes(self.value_size), flags)
        self._maps[key] = map_

    def remove(self, key: bytes) -> None:
        self._entries.remove(key)
        del self._maps[key]

    def walk(self) -> Iterator[bytes]:
        return self._entries.walk()
