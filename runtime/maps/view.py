"""Maps as user space sees them: used like dictionaries, with typed keys and values.

Every refusal is an OSError with Linux's errno, also where a dictionary would raise KeyError.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol, cast

from skverdict.codegen.btf import Btf
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.maps.queue import BloomFilterMap, CopyingMap, QueueMap
from skverdict.runtime.maps.sockmap import SocketMap
from skverdict.runtime.maps.typed import Shape, ValueMismatch, key_codec, value_codec
from skverdict.runtime.maps.user_side import BPF_ANY, Batch, Cursor
from skverdict.runtime.sockets.socket import Socket


class RawMap(Shape, Protocol):
    """A map of bytes, a simulated one or a kernel's. Refusals are KernelErrors."""

    @property
    def kind(self) -> str: ...

    @property
    def name(self) -> str: ...

    def read(self, key: bytes) -> bytes: ...

    def update(self, key: bytes, value: bytes, flags: int) -> None: ...

    def delete(self, key: bytes) -> None: ...

    def keys(self) -> Iterator[bytes]: ...


class Commands(RawMap, Protocol):
    """A map that has the rarer commands of bpf(2) as well."""

    def next_key(self, key: bytes | None) -> bytes: ...

    def take(self, key: bytes) -> bytes: ...

    def freeze(self) -> None: ...

    def lookup_batch(self, count: int, after: Cursor | None, flags: int) -> Batch: ...

    def lookup_and_delete_batch(self, count: int, after: Cursor | None, flags: int) -> Batch: ...

    def update_batch(self, entries: Iterable[tuple[bytes, bytes]], flags: int) -> None: ...

    def delete_batch(self, keys: Iterable[bytes], flags: int) -> None: ...


class Entries(NamedTuple):
    """Entries of a batch of lookups, and what the next batch goes on from; None behind the last."""

    entries: list[tuple[Any, Any]]
    cursor: Cursor | None


class MapView:
    """One map. `maps.typed` says which Python values fit. `raw` is the map itself, of bytes.

    What is asked of a map is done as by the system call, with its errno (`maps.user_side` has the table).
    """

    def __init__(self, raw: RawMap, btf: Btf | None = None) -> None:
        self.raw = raw
        self._key = key_codec(raw, btf)
        self._value = value_codec(raw, btf)

    def __repr__(self) -> str:
        spec = self.raw.spec
        sizes = f"key {spec.key_size}, value {spec.value_size}, {spec.max_entries} entries"
        return f"<{self.raw.kind} {spec.name}: {sizes}>"

    def key_bytes(self, key: Any) -> bytes:
        """`key` as the map has it. Raises ValueMismatch."""
        return self._key.encode(key, f"key of {self.raw.name}")

    def value_bytes(self, value: Any) -> bytes:
        """`value` as the map has it. Raises ValueMismatch."""
        return self._value.encode(value, f"value of {self.raw.name}")

    # One entry

    def lookup(self, key: Any) -> Any:
        """The value at `key`."""
        return self._value.decode(self.raw.read(self.key_bytes(key)))

    def update(self, key: Any, value: Any, flags: int = BPF_ANY) -> None:
        """Put `value` at `key`; `flags` are `BPF_ANY` (0), `BPF_NOEXIST` (1) or `BPF_EXIST` (2), and
        `BPF_F_LOCK` (4) where values have a spin lock."""
        self.raw.update(self.key_bytes(key), self.value_bytes(value), flags)

    def delete(self, key: Any) -> None:
        """Remove the entry at `key`."""
        self.raw.delete(self.key_bytes(key))

    def take(self, key: Any) -> Any:
        """Remove the entry at `key` and give its value, at once. ENOTSUPP for kinds other than hashes."""
        return self._value.decode(self.commands.take(self.key_bytes(key)))

    def __getitem__(self, key: Any) -> Any:
        return self.lookup(key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.update(key, value)

    def __delitem__(self, key: Any) -> None:
        self.delete(key)

    def get(self, key: Any, default: Any = None) -> Any:
        """The value at `key`, or `default` if there is none."""
        try:
            return self.lookup(key)
        except KernelError as error:
            if error.number is not Errno.ENOENT:
                raise
            return default

    def __contains__(self, key: Any) -> bool:
        missing = object()
        return self.get(key, missing) is not missing

    # All entries

    def __iter__(self) -> Iterator[Any]:
        """The keys in the order in which the kernel walks them.

        Arrays: every index, ascending. LPM tries: by their bits, a prefix behind the longer ones that begin
        with it. Hashes: the kernel's order is unspecified; simulated ones give the oldest first.
        """
        return map(self._key.decode, self.raw.keys())

    def keys(self) -> list[Any]:
        """The keys, in that order."""
        return list(self)

    def values(self) -> list[Any]:
        """The values of the entries that are there, in the order of their keys."""
        return [value for _, value in self.items()]

    def items(self) -> Iterator[tuple[Any, Any]]:
        """Keys and values of the entries that are there."""
        missing = object()
        for key in [*iter(self)]:
            value = self.get(key, missing)
            if value is not missing:
                yield key, value

    def __len__(self) -> int:
        """How many entries there are."""
        return sum(1 for _ in self.items())

    def next_key(self, key: Any = None) -> Any:
        """The key after `key`, or the first one for None. ENOENT behind the last."""
        content = None if key is None else self.key_bytes(key)
        return self._key.decode(self.commands.next_key(content))

    # Many at once

    def lookup_batch(self, count: int, after: Cursor | None = None, flags: int = 0) -> Entries:
        """Up to `count` entries, from where a batch ended on (`after` is its cursor). ENOTSUPP for kinds
        without batches."""
        return self._decoded(self.commands.lookup_batch(count, after, flags))

    def lookup_and_delete_batch(self, count: int, after: Cursor | None = None, flags: int = 0) -> Entries:
        """As `lookup_batch`, and the entries are gone. Hashes only."""
        return self._decoded(self.commands.lookup_and_delete_batch(count, after, flags))

    def update_batch(
        self, entries: Mapping[Any, Any] | Iterable[tuple[Any, Any]], flags: int = BPF_ANY
    ) -> None:
        """Put entries in. The BatchError of a refusal tells in `done` how many were put in before it."""
        pairs = entries.items() if isinstance(entries, Mapping) else entries
        content = [(self.key_bytes(key), self.value_bytes(value)) for key, value in pairs]
        self.commands.update_batch(content, flags)

    def delete_batch(self, keys: Iterable[Any], flags: int = 0) -> None:
        """Remove entries; refusals as of `update_batch`."""
        self.commands.delete_batch([self.key_bytes(key) for key in keys], flags)

    def _decoded(self, batch: Batch) -> Entries:
        decode_key, decode = self._key.decode, self._value.decode
        return Entries([(decode_key(key), decode(value)) for key, value in batch.entries], batch.cursor)

    # The map

    def freeze(self) -> None:
        """Let user space write no more. EPERM if it cannot now, ENOTSUPP with locks or timers in values."""
        self.commands.freeze()

    @property
    def commands(self) -> Commands:
        """The map, if it has the rarer commands. Raises KernelError ENOTSUPP."""
        if not hasattr(self.raw, "lookup_batch"):
            raise KernelError(Errno.ENOTSUPP, f"map {self.raw.name} is not reached by this command")
        return cast(Commands, self.raw)


class SocketMapView(MapView):
    """A map of sockets: put sockets in, get their cookies back."""

    raw: SocketMap

    def update(self, key: Any, value: Any, flags: int = BPF_ANY) -> None:
        """Put socket `value` in, which inherits the map's programs.

        EBUSY: it has such programs already. EOPNOTSUPP: it is neither connected nor listening. E2BIG: the map
        ends before that index, or is full. EEXIST and ENOENT: as the flags have it.
        """
        if not isinstance(value, Socket):
            raise ValueMismatch(f"value of {self.raw.name}: {value!r} is no socket")
        self.raw.put(self.key_bytes(key), value.kernel_socket, flags)

    def lookup(self, key: Any) -> int:
        """The cookie of the socket at `key`. ENOENT: there is none. ENOSPC: values have 4 bytes only."""
        return int.from_bytes(self.raw.read(self.key_bytes(key)), self.raw.order)

    def socket(self, key: Any) -> Socket | None:
        """The socket at `key` itself, which real user space cannot get."""
        found = self.raw.socket(self.key_bytes(key))
        return None if found is None else Socket(found)

    def __contains__(self, key: Any) -> bool:
        return self.raw.socket(self.key_bytes(key)) is not None

    def __len__(self) -> int:
        """How many sockets there are; walking the keys of a sockmap gives every index, filled or not."""
        return sum(self.raw.socket(key) is not None for key in list(self.raw.keys()))


class QueueView:
    """A queue, stack or bloom filter. `raw` is the map itself, of bytes."""

    def __init__(self, raw: CopyingMap, btf: Btf | None = None) -> None:
        self.raw = raw
        self._value = value_codec(raw, btf)

    def push(self, value: Any, flags: int = BPF_ANY) -> None:
        """Put a value in. E2BIG: the map is full."""
        self.raw.push(self._value.encode(value, f"value of {self.raw.name}"), flags)

    def pop(self) -> Any:
        """Take the next value out; None if there is none."""
        return self._next(take=True)

    def peek(self) -> Any:
        """The value that would come out next; None if there is none."""
        return self._next(take=False)

    def _next(self, take: bool) -> Any:
        if not isinstance(self.raw, QueueMap):
            raise KernelError(Errno.EOPNOTSUPP, f"map {self.raw.name} gives nothing back")
        try:
            return self._value.decode(self.raw.pop() if take else self.raw.peek())
        except KernelError as error:
            if error.number is not Errno.ENOENT:
                raise
            return None

    def __contains__(self, value: Any) -> bool:
        """For a bloom filter: was it put in?"""
        if not isinstance(self.raw, BloomFilterMap):
            raise KernelError(Errno.EOPNOTSUPP, f"map {self.raw.name} is no bloom filter")
        return self._value.encode(value, f"value of {self.raw.name}") in self.raw
