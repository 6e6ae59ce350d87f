"""The map classes of a policy. A map takes its name from the module global that holds it.

Arguments are only kept here; the front end checks them, so that all mistakes are reported together. What the
methods do inside programs is compiled; the stub beside this file declares them for editors and type checkers.
"""

from __future__ import annotations

import sys

from skverdict.dsl import decorators
from skverdict.dsl.scalars import u32, u64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class CellOf:
    """The type `Cell[T]`: a place that holds a scalar."""

    __slots__ = ("type",)

    def __init__(self, type_: object) -> None:
        self.type = type_

    def __or__(self, other: None) -> object:
        return self

    __ror__ = __or__


class Cell:
    """`Cell[T]`: the type of a place that holds a scalar, its `.value`, for the parameters of functions."""

    def __class_getitem__(cls, item: object) -> CellOf:
        return CellOf(item)


class Map:
    """What every map holds: types as given, and where it was declared (`origin`: file and line)."""

    kind = ""
    # Arguments that must be given, by name, and those that have a default.
    _needed: tuple[str, ...] = ("max_entries",)
    _defaults: tuple[tuple[str, object], ...] = (("flags", 0),)
    # What a kind has for a key where the declaration does not say.
    key: object = u32
    value: object
    max_entries: object
    flags: object
    # What only maps of maps and of programs have.
    inner: object = None
    maps: object = None
    programs: object = None

    def __init__(self, *positional: object, **given: object) -> None:
        name = type(self).__name__
        names = (*self._needed, *(default for default, _ in self._defaults))
        if positional:
            raise TypeError(f"{name} takes its arguments by name: {', '.join(names)}")
        for argument in given:
            if argument not in names:
                raise TypeError(f"{name} has no argument {argument!r}; it takes {', '.join(names)}")
        missing = [needed for needed in self._needed if needed not in given]
        if missing:
            raise TypeError(f"{name} also needs {' and '.join(missing)}")
        self.__dict__.update(self._defaults)
        self.__dict__.update(given)
        frame = sys._getframe(1)
        self.origin = (frame.f_code.co_filename, frame.f_lineno)

    def __getattr__(self, name: str) -> object:
        """What programs do with the map, in ordinary Python: see `plain_maps`."""
        if name.startswith("_"):
            raise AttributeError(name)
        found = None if decorators.compiling else getattr(self._entries(), name, None)
        if found is None:
            raise AttributeError(f"`{name}` of a {type(self).__name__} exists only inside the policy's programs")
        return found

    def _entries(self) -> Any:
        """Its entries in ordinary Python. Raises TypeError while the policy is compiled, when it has none."""
        if decorators.compiling:
            raise TypeError(
                f"a {type(self).__name__} has no entries while the policy is compiled: tests and user space put them in"
            )
        if "_plain" not in self.__dict__:
            from skverdict.dsl.plain_maps import entries_of

            self.__dict__["_plain"] = entries_of(self)
        return self.__dict__["_plain"]

    def __getitem__(self, key: object) -> object:
        return self._entries()[key]

    def __setitem__(self, key: object, value: object) -> None:
        self._entries()[key] = value

    def __delitem__(self, key: object) -> None:
        del self._entries()[key]

    def __contains__(self, key: object) -> bool:
        return key in self._entries()

    def __iter__(self) -> Any:
        return iter(self._entries())

    def __len__(self) -> int:
        return len(self._entries())

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class _Keyed(Map):
    _needed = ("key", "value", "max_entries")


class _Indexed(Map):
    _needed = ("value", "max_entries")


class SockMap(Map):
    """An array of sockets (`BPF_MAP_TYPE_SOCKMAP`). User space reads their cookies, if `value` is u64."""

    kind = "sockmap"
    _defaults = (("value", u64), ("flags", 0))


class SockHash(Map):
    """Sockets by key (`BPF_MAP_TYPE_SOCKHASH`). User space reads their cookies, if `value` is u64."""

    kind = "sockhash"
    _needed = ("key", "max_entries")
    _defaults = (("value", u64), ("flags", 0))


class HashMap(_Keyed):
    """A hash table (`BPF_MAP_TYPE_HASH`)."""

    kind = "hash"


class LruHashMap(_Keyed):
    """A hash table that forgets what was not used lately (`BPF_MAP_TYPE_LRU_HASH`)."""

    kind = "lru_hash"


class PerCpuHashMap(_Keyed):
    """A hash table with a value of its own on each CPU (`BPF_MAP_TYPE_PERCPU_HASH`)."""

    kind = "percpu_hash"


class LruPerCpuHashMap(_Keyed):
    """A forgetting hash table with a value of its own on each CPU (`BPF_MAP_TYPE_LRU_PERCPU_HASH`)."""

    kind = "lru_percpu_hash"


class ArrayMap(_Indexed):
    """Values by index, all there from the start (`BPF_MAP_TYPE_ARRAY`)."""

    kind = "array"


class PerCpuArray(_Indexed):
    """Values by index, with one of its own on each CPU (`BPF_MAP_TYPE_PERCPU_ARRAY`)."""

    kind = "percpu_array"


class Queue(Map):
    """Values that come out in the order in which they went in (`BPF_MAP_TYPE_QUEUE`)."""

    kind = "queue"
    _needed = ("value", "max_entries")
    key = None


class Stack(Map):
    """Values of which the latest comes out first (`BPF_MAP_TYPE_STACK`)."""

    kind = "stack"
    _needed = ("value", "max_entries")
    key = None


class BloomFilter(Map):
    """Tells of a value that it was surely not put in, or probably was (`BPF_MAP_TYPE_BLOOM_FILTER`)."""

    kind = "bloom_filter"
    _needed = ("value", "max_entries")
    key = None


class LpmTrie(_Keyed):
    """Values by the longest prefix of a key that is there (`BPF_MAP_TYPE_LPM_TRIE`).

    The key is a Struct: a u32 first, how many bits count, and behind it the bytes in network order.
    """

    kind = "lpm_trie"


class RingBuffer(Map):
    """Records for user space, in order, of all CPUs (`BPF_MAP_TYPE_RINGBUF`); `max_entries` are bytes."""

    kind = "ringbuf"
    key = None
    value = None


class PerfEventArray(Map):
    """Records for user space, of each CPU by itself (`BPF_MAP_TYPE_PERF_EVENT_ARRAY`)."""

    kind = "perf_event_array"
    _needed = ()
    _defaults = (("max_entries", 0), ("flags", 0))
    value = u32


class ProgramArray(Map):
    """Programs to go on with (`BPF_MAP_TYPE_PROG_ARRAY`); `programs` are those there from the start."""

    kind = "prog_array"
    _defaults = (("programs", None), ("flags", 0))
    value = u32


class ArrayOfMaps(Map):
    """Maps by index (`BPF_MAP_TYPE_ARRAY_OF_MAPS`), all like `inner`; `maps` are there from the start."""

    kind = "array_of_maps"
    _needed = ("inner", "max_entries")
    _defaults = (("maps", None), ("flags", 0))
    value = u32


class HashOfMaps(Map):
    """Maps by key (`BPF_MAP_TYPE_HASH_OF_MAPS`), all like `inner`. User space puts them in."""

    kind = "hash_of_maps"
    _needed = ("key", "inner", "max_entries")
    value = u32


class SkStorage(Map):
    """A value beside each socket, gone with it (`BPF_MAP_TYPE_SK_STORAGE`)."""

    kind = "sk_storage"
    _needed = ("value",)
    max_entries = 0


# The classes by the kind of `catalogue.maps.MAPS` that they declare.
KINDS: dict[str, type[Map]] = {
    cls.kind: cls
    for cls in (
        ArrayMap,
        ArrayOfMaps,
        BloomFilter,
        HashMap,
        HashOfMaps,
        LpmTrie,
        LruHashMap,
        LruPerCpuHashMap,
        PerCpuArray,
        PerCpuHashMap,
        PerfEventArray,
        ProgramArray,
        Queue,
        RingBuffer,
        SkStorage,
        SockHash,
        SockMap,
        Stack,
    )
}
