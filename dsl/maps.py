"""The map classes of a policy. A map takes its name from the module global that holds it.

Arguments are only kept here; the front end checks them, so that all mistakes are reported together. What the
methods do inside programs is compiled; the stub beside this file declares them for editors and type checkers.
"""

from __future__ import annotations

import sys

from skverdict.dsl.scalars import u32, u64


class Map:
    """What every map holds: types as given, and where it was declared (`origin`: file and line)."""

    kind = ""

    def __init__(self, key: object, value: object, max_entries: object, flags: object) -> None:
        frame = sys._getframe(2)
        self.key = key
        self.value = value
        self.max_entries = max_entries
        self.flags = flags
        self.origin = (frame.f_code.co_filename, frame.f_lineno)

    def __getattr__(self, name: str) -> object:
        if name.startswith("_"):
            raise AttributeError(name)
        raise AttributeError(f"`{name}` of a {type(self).__name__} exists only inside the policy's programs")

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class _Keyed(Map):
    def __init__(self, *, key: object, value: object, max_entries: object, flags: object = 0) -> None:
        super().__init__(key, value, max_entries, flags)


class _Indexed(Map):
    def __init__(self, *, value: object, max_entries: object, flags: object = 0) -> None:
        super().__init__(u32, value, max_entries, flags)


class SockMap(Map):
    """An array of sockets (`BPF_MAP_TYPE_SOCKMAP`). User space reads their cookies, if `value` is u64."""

    kind = "sockmap"

    def __init__(self, *, max_entries: object, value: object = u64, flags: object = 0) -> None:
        super().__init__(u32, value, max_entries, flags)


class SockHash(Map):
    """Sockets by key (`BPF_MAP_TYPE_SOCKHASH`). User space reads their cookies, if `value` is u64."""

    kind = "sockhash"

    def __init__(self, *, key: object, max_entries: object, value: object = u64, flags: object = 0) -> None:
        super().__init__(key, value, max_entries, flags)


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
