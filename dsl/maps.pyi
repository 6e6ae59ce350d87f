"""The map classes as editors and type checkers see them: what their methods take and give in a program."""

from typing import Any, Generic, TypeVar, overload

from skverdict.dsl.contexts import SkMsg, SkSkb, SockOps
from skverdict.dsl.structs import Struct

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")
X = TypeVar("X")
S = TypeVar("S", bound=Struct)

class Map:
    kind: str
    key: object
    value: object
    max_entries: object
    flags: object
    origin: tuple[str, int]

KINDS: dict[str, type[Map]]

class Cell(Generic[T]):
    """A scalar in a map or in the packet."""

    value: T

class _SocketStore(Map, Generic[K]):
    def redirect(self, context: SkSkb | SkMsg, key: K, flags: int = 0) -> int:
        """Send what arrived out of the socket under `key`: SK_PASS, or SK_DROP if there is none."""

    def update(self, skops: SockOps, key: K, flags: int = 0) -> int:
        """Put the connection's socket in: 0, or a negative errno."""

    def delete(self, key: K) -> int:
        """Take a socket out: 0, or a negative errno."""

class _Table(Map, Generic[K, V, T]):
    def lookup(self, key: K) -> V | None:
        """The entry under `key`; a scalar is read and written through `.value`."""

    def update(self, key: K, value: T, flags: int = 0) -> int:
        """Set an entry: 0, or a negative errno."""

    def delete(self, key: K) -> int:
        """Remove an entry: 0, or a negative errno."""

    def __contains__(self, key: K) -> bool: ...

class SockMap(_SocketStore[int]):
    """An array of sockets (`BPF_MAP_TYPE_SOCKMAP`). User space reads their cookies, if `value` is u64."""

    def __init__(self, *, max_entries: int, value: type[Any] = ..., flags: int = 0) -> None: ...

class SockHash(_SocketStore[K]):
    """Sockets by key (`BPF_MAP_TYPE_SOCKHASH`). User space reads their cookies, if `value` is u64."""

    def __init__(self, *, key: type[K], max_entries: int, value: type[Any] = ..., flags: int = 0) -> None: ...

class HashMap(_Table[K, V, T]):
    """A hash table (`BPF_MAP_TYPE_HASH`)."""

    @overload
    def __init__(
        self: HashMap[K, S, S], *, key: type[K], value: type[S], max_entries: int, flags: int = 0
    ) -> None: ...
    @overload
    def __init__(
        self: HashMap[K, Cell[X], X], *, key: type[K], value: type[X], max_entries: int, flags: int = 0
    ) -> None: ...

class LruHashMap(_Table[K, V, T]):
    """A hash table that forgets what was not used lately (`BPF_MAP_TYPE_LRU_HASH`)."""

    @overload
    def __init__(
        self: LruHashMap[K, S, S], *, key: type[K], value: type[S], max_entries: int, flags: int = 0
    ) -> None: ...
    @overload
    def __init__(
        self: LruHashMap[K, Cell[X], X], *, key: type[K], value: type[X], max_entries: int, flags: int = 0
    ) -> None: ...

class PerCpuHashMap(_Table[K, V, T]):
    """A hash table with a value of its own on each CPU (`BPF_MAP_TYPE_PERCPU_HASH`)."""

    @overload
    def __init__(
        self: PerCpuHashMap[K, S, S], *, key: type[K], value: type[S], max_entries: int, flags: int = 0
    ) -> None: ...
    @overload
    def __init__(
        self: PerCpuHashMap[K, Cell[X], X], *, key: type[K], value: type[X], max_entries: int, flags: int = 0
    ) -> None: ...

class LruPerCpuHashMap(_Table[K, V, T]):
    """A forgetting hash table with a value of its own on each CPU (`BPF_MAP_TYPE_LRU_PERCPU_HASH`)."""

    @overload
    def __init__(
        self: LruPerCpuHashMap[K, S, S], *, key: type[K], value: type[S], max_entries: int, flags: int = 0
    ) -> None: ...
    @overload
    def __init__(
        self: LruPerCpuHashMap[K, Cell[X], X],
        *,
        key: type[K],
        value: type[X],
        max_entries: int,
        flags: int = 0,
    ) -> None: ...

class ArrayMap(_Table[int, V, T]):
    """Values by index, all there from the start (`BPF_MAP_TYPE_ARRAY`)."""

    @overload
    def __init__(self: ArrayMap[S, S], *, value: type[S], max_entries: int, flags: int = 0) -> None: ...
    @overload
    def __init__(self: ArrayMap[Cell[X], X], *, value: type[X], max_entries: int, flags: int = 0) -> None: ...

class PerCpuArray(_Table[int, V, T]):
    """Values by index, with one of its own on each CPU (`BPF_MAP_TYPE_PERCPU_ARRAY`)."""

    @overload
    def __init__(self: PerCpuArray[S, S], *, value: type[S], max_entries: int, flags: int = 0) -> None: ...
    @overload
    def __init__(
        self: PerCpuArray[Cell[X], X], *, value: type[X], max_entries: int, flags: int = 0
    ) -> None: ...
