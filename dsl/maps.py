"""The map classes of a policy. A map takes its name from the module global that holds it.

Arguments are only kept here; the front end checks them, so that all mistakes are reported together. The methods
exist inside programs: what they do there is compiled.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Generic, NoReturn, TypeVar, overload

    from skverdict.dsl.contexts import SkMsg, SkSkb, SockOps
    from skverdict.dsl.scalars import u32, u64
    from skverdict.dsl.structs import Struct

    K = TypeVar("K")
    V = TypeVar("V")
    T = TypeVar("T")
    S = TypeVar("S", bound=Struct)
else:
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

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)
        raise AttributeError(f"`{name}` of a {type(self).__name__} exists only inside the policy's programs")

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


if TYPE_CHECKING:

    class Cell(Generic[T]):
        """A scalar in a map or in the packet."""

        value: T

    class _SocketStore(Map, Generic[K]):
        def redirect(self, context: SkSkb | SkMsg, key: K, flags: int = 0) -> int: ...
        def update(self, skops: SockOps, key: K, flags: int = 0) -> int: ...
        def delete(self, key: K) -> int: ...

    class _Table(Map, Generic[K, V, T]):
        def lookup(self, key: K) -> V | None: ...
        def update(self, key: K, value: T, flags: int = 0) -> int: ...
        def delete(self, key: K) -> int: ...
        def __contains__(self, key: K) -> bool: ...

    class SockMap(_SocketStore[int]):
        """An array of sockets (`BPF_MAP_TYPE_SOCKMAP`)."""

        def __init__(self, *, max_entries: int, value: type[Any] = ..., flags: int = 0) -> None: ...

    class SockHash(_SocketStore[K]):
        """Sockets by key (`BPF_MAP_TYPE_SOCKHASH`); the key takes up to 512 bytes."""

        def __init__(
            self, *, key: type[K], max_entries: int, value: type[Any] = ..., flags: int = 0
        ) -> None: ...

    class _KeyedTable(_Table[K, V, T]):
        @overload
        def __init__(
            self: _KeyedTable[K, S, S], *, key: type[K], value: type[S], max_entries: int, flags: int = 0
        ) -> None: ...
        @overload
        def __init__(
            self: _KeyedTable[K, Cell[T], T], *, key: type[K], value: type[T], max_entries: int, flags: int = 0
        ) -> None: ...

    class HashMap(_KeyedTable[K, V, T]):
        """A hash table (`BPF_MAP_TYPE_HASH`)."""

    class LruHashMap(_KeyedTable[K, V, T]):
        """A hash table that forgets what was not used lately (`BPF_MAP_TYPE_LRU_HASH`)."""

    class ArrayMap(_Table[int, V, T]):
        """Values by index, all there from the start (`BPF_MAP_TYPE_ARRAY`)."""

        @overload
        def __init__(self: ArrayMap[S, S], *, value: type[S], max_entries: int, flags: int = 0) -> None: ...
        @overload
        def __init__(self: ArrayMap[Cell[T], T], *, value: type[T], max_entries: int, flags: int = 0) -> None: ...
else:

    class SockMap(Map):
        """An array of sockets (`BPF_MAP_TYPE_SOCKMAP`). `value` is u64 (cookies) or u32."""

        kind = "sockmap"

        def __init__(self, *, max_entries, value=u64, flags=0):
            super().__init__(u32, value, max_entries, flags)

    class SockHash(Map):
        """Sockets by key (`BPF_MAP_TYPE_SOCKHASH`); the key takes up to 512 bytes."""

        kind = "sockhash"

        def __init__(self, *, key, max_entries, value=u64, flags=0):
            super().__init__(key, value, max_entries, flags)

    class HashMap(Map):
        """A hash table (`BPF_MAP_TYPE_HASH`)."""

        kind = "hash"

        def __init__(self, *, key, value, max_entries, flags=0):
            super().__init__(key, value, max_entries, flags)

    class LruHashMap(Map):
        """A hash table that forgets what was not used lately (`BPF_MAP_TYPE_LRU_HASH`)."""

        kind = "lru_hash"

        def __init__(self, *, key, value, max_entries, flags=0):
            super().__init__(key, value, max_entries, flags)

    class ArrayMap(Map):
        """Values by index, all there from the start (`BPF_MAP_TYPE_ARRAY`)."""

        kind = "array"

        def __init__(self, *, value, max_entries, flags=0):
            super().__init__(u32, value, max_entries, flags)
