"""The map classes as editors and type checkers see them: what their methods take and give in a program."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar, overload

from skverdict.dsl.contexts import Message, SkMsg, SkSkb, Sock, SockOps
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

class CellOf:
    type: object

class Cell(Generic[T]):
    """A scalar in a map or in the packet."""

    value: T

class _SocketStore(Map, Generic[K]):
    """`map[key]` and the like are for ordinary Python: a test puts in what is to stand for a socket."""

    def __getitem__(self, key: K) -> Any: ...
    def __setitem__(self, key: K, value: object) -> None: ...
    def __delitem__(self, key: K) -> None: ...
    def __contains__(self, key: K) -> bool: ...
    def __iter__(self) -> Iterator[K]: ...
    def __len__(self) -> int: ...
    def redirect(self, context: SkSkb | SkMsg | Message, key: K, flags: int = 0) -> int:
        """Send what arrived out of the socket under `key`: SK_PASS, or SK_DROP if there is none."""

    def update(self, skops: SockOps, key: K, flags: int = 0) -> int:
        """Put the connection's socket in: 0, or a negative errno."""

    def lookup(self, key: K) -> Sock | None:
        """The socket under `key`, for a program on an skb, which must release it on every path."""

    def delete(self, key: K) -> int:
        """Take a socket out: 0, or a negative errno."""

class _Table(Map, Generic[K, V, T]):
    """`map[key]` and the like are for ordinary Python, where tests fill and read it."""

    def __getitem__(self, key: K) -> T: ...
    def __setitem__(self, key: K, value: T) -> None: ...
    def __delitem__(self, key: K) -> None: ...
    def __iter__(self) -> Iterator[K]: ...
    def __len__(self) -> int: ...
    def lookup(self, key: K) -> V | None:
        """The entry under `key`; a scalar is read and written through `.value`."""

    def update(self, key: K, value: T, flags: int = 0) -> int:
        """Set an entry: 0, or a negative errno."""

    def delete(self, key: K) -> int:
        """Remove an entry: 0, or a negative errno."""

    def __contains__(self, key: K) -> bool: ...

class _Walked(_Table[K, V, T]):
    def for_each(self, callback: Callable[..., int], context: Struct | None = None, flags: int = 0) -> int:
        """Call a function for each entry, with its key, the entry and the context, until it gives 1."""

class _PerCpu(_Walked[K, V, T]):
    def lookup_percpu(self, key: K, cpu: int) -> V | None:
        """The entry under `key` of another CPU."""

class _Values(Map, Generic[V, T]):
    def push(self, value: T, flags: int = 0) -> int:
        """Put a value in: 0, or a negative errno."""

class _Taken(_Values[V, T]):
    def pop(self) -> V | None:
        """Take the next value out."""

    def peek(self) -> V | None:
        """The next value, which stays."""

class Queue(_Taken[V, T]):
    """Values that come out in the order in which they went in (`BPF_MAP_TYPE_QUEUE`)."""

    @overload
    def __init__(self: Queue[S, S], *, value: type[S], max_entries: int, flags: int = 0) -> None: ...
    @overload
    def __init__(self: Queue[Cell[X], X], *, value: type[X], max_entries: int, flags: int = 0) -> None: ...

class Stack(_Taken[V, T]):
    """Values of which the latest comes out first (`BPF_MAP_TYPE_STACK`)."""

    @overload
    def __init__(self: Stack[S, S], *, value: type[S], max_entries: int, flags: int = 0) -> None: ...
    @overload
    def __init__(self: Stack[Cell[X], X], *, value: type[X], max_entries: int, flags: int = 0) -> None: ...

class BloomFilter(_Values[T, T]):
    """Tells of a value that it was surely not put in, or probably was (`BPF_MAP_TYPE_BLOOM_FILTER`)."""

    def __init__(self, *, value: type[T], max_entries: int, flags: int = 0) -> None: ...
    def __contains__(self, value: T) -> bool: ...

class RingBuffer(Map):
    """Records for user space, in order, of all CPUs (`BPF_MAP_TYPE_RINGBUF`); `max_entries` are bytes."""

    def __init__(self, *, max_entries: int, flags: int = 0) -> None: ...
    def __iter__(self) -> Iterator[Any]:
        """In ordinary Python: what was submitted."""

    def __len__(self) -> int: ...
    def reserve(self, type: type[S], flags: int = 0) -> S | None:
        """Room for a record, which must be submitted or discarded on every path."""

    def submit(self, record: Struct, flags: int = 0) -> None:
        """Hand a record to user space."""

    def discard(self, record: Struct, flags: int = 0) -> None:
        """Give a record up."""

    def output(self, value: object, flags: int = 0) -> int:
        """Copy a structure into a record: 0, or a negative errno."""

    def query(self, flags: int = 0) -> int:
        """What the buffer is like: BPF_RB_AVAIL_DATA and its kin."""

class PerfEventArray(Map):
    """Records for user space, of each CPU by itself (`BPF_MAP_TYPE_PERF_EVENT_ARRAY`)."""

    def __init__(self, *, max_entries: int = 0, flags: int = 0) -> None: ...
    def output(self, ctx: SkSkb | SkMsg | SockOps, value: object, flags: int = ...) -> int:
        """Copy a structure out, on this CPU: 0, or a negative errno."""

class ProgramArray(Map):
    """Programs to go on with (`BPF_MAP_TYPE_PROG_ARRAY`); `programs` are those there from the start."""

    def __init__(
        self,
        *,
        max_entries: int,
        programs: Mapping[int, Callable[..., int]] | Sequence[Callable[..., int]] | None = None,
        flags: int = 0,
    ) -> None: ...
    def tail_call(self, ctx: SkSkb | SkMsg | SockOps, index: int) -> None:
        """Go on in another program, which does not come back; here if there is none."""

M = TypeVar("M", bound=Map)

class ArrayOfMaps(Map, Generic[M]):
    """Maps by index (`BPF_MAP_TYPE_ARRAY_OF_MAPS`), all like `inner`; `maps` are there from the start."""

    def __init__(
        self,
        *,
        inner: M,
        max_entries: int,
        maps: Mapping[int, M] | Sequence[M] | None = None,
        flags: int = 0,
    ) -> None: ...
    def lookup(self, key: int) -> M | None:
        """The map under an index."""

class HashOfMaps(Map, Generic[K, M]):
    """Maps by key (`BPF_MAP_TYPE_HASH_OF_MAPS`), all like `inner`. User space puts them in."""

    def __init__(self, *, key: type[K], inner: M, max_entries: int, flags: int = 0) -> None: ...
    def lookup(self, key: K) -> M | None:
        """The map under a key."""

class SkStorage(Map, Generic[V, T]):
    """A value beside each socket, gone with it (`BPF_MAP_TYPE_SK_STORAGE`)."""

    @overload
    def __init__(self: SkStorage[S, S], *, value: type[S], flags: int = 0) -> None: ...
    @overload
    def __init__(self: SkStorage[Cell[X], X], *, value: type[X], flags: int = 0) -> None: ...
    def get(self, sk: Sock, value: T | None = None, flags: int = 0) -> V | None:
        """The value beside a socket; BPF_SK_STORAGE_GET_F_CREATE makes it."""

    def delete(self, sk: Sock) -> int:
        """Remove the value beside a socket: 0, or a negative errno."""

class SockMap(_SocketStore[int]):
    """An array of sockets (`BPF_MAP_TYPE_SOCKMAP`). User space reads their cookies, if `value` is u64."""

    def __init__(self, *, max_entries: int, value: type[Any] = ..., flags: int = 0) -> None: ...

class SockHash(_SocketStore[K]):
    """Sockets by key (`BPF_MAP_TYPE_SOCKHASH`). User space reads their cookies, if `value` is u64."""

    def __init__(self, *, key: type[K], max_entries: int, value: type[Any] = ..., flags: int = 0) -> None: ...

class HashMap(_Walked[K, V, T]):
    """A hash table (`BPF_MAP_TYPE_HASH`)."""

    @overload
    def __init__(
        self: HashMap[K, S, S], *, key: type[K], value: type[S], max_entries: int, flags: int = 0
    ) -> None: ...
    @overload
    def __init__(
        self: HashMap[K, Cell[X], X], *, key: type[K], value: type[X], max_entries: int, flags: int = 0
    ) -> None: ...

class LruHashMap(_Walked[K, V, T]):
    """A hash table that forgets what was not used lately (`BPF_MAP_TYPE_LRU_HASH`)."""

    @overload
    def __init__(
        self: LruHashMap[K, S, S], *, key: type[K], value: type[S], max_entries: int, flags: int = 0
    ) -> None: ...
    @overload
    def __init__(
        self: LruHashMap[K, Cell[X], X], *, key: type[K], value: type[X], max_entries: int, flags: int = 0
    ) -> None: ...

class PerCpuHashMap(_PerCpu[K, V, T]):
    """A hash table with a value of its own on each CPU (`BPF_MAP_TYPE_PERCPU_HASH`)."""

    @overload
    def __init__(
        self: PerCpuHashMap[K, S, S], *, key: type[K], value: type[S], max_entries: int, flags: int = 0
    ) -> None: ...
    @overload
    def __init__(
        self: PerCpuHashMap[K, Cell[X], X], *, key: type[K], value: type[X], max_entries: int, flags: int = 0
    ) -> None: ...

class LruPerCpuHashMap(_PerCpu[K, V, T]):
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

class LpmTrie(_Table[K, V, T]):
    """Values by the longest prefix of a key that is there (`BPF_MAP_TYPE_LPM_TRIE`)."""

    @overload
    def __init__(
        self: LpmTrie[K, S, S], *, key: type[K], value: type[S], max_entries: int, flags: int = 0
    ) -> None: ...
    @overload
    def __init__(
        self: LpmTrie[K, Cell[X], X], *, key: type[K], value: type[X], max_entries: int, flags: int = 0
    ) -> None: ...

class ArrayMap(_Walked[int, V, T]):
    """Values by index, all there from the start (`BPF_MAP_TYPE_ARRAY`)."""

    @overload
    def __init__(self: ArrayMap[S, S], *, value: type[S], max_entries: int, flags: int = 0) -> None: ...
    @overload
    def __init__(self: ArrayMap[Cell[X], X], *, value: type[X], max_entries: int, flags: int = 0) -> None: ...

class PerCpuArray(_PerCpu[int, V, T]):
    """Values by index, with one of its own on each CPU (`BPF_MAP_TYPE_PERCPU_ARRAY`)."""

    @overload
    def __init__(self: PerCpuArray[S, S], *, value: type[S], max_entries: int, flags: int = 0) -> None: ...
    @overload
    def __init__(
        self: PerCpuArray[Cell[X], X], *, value: type[X], max_entries: int, flags: int = 0
    ) -> None: ...
