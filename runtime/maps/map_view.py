"""Maps as user space sees them: used like dictionaries, with typed keys and values.

Every refusal is an OSError with Linux's errno, also where a dictionary would raise KeyError.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol, cast

from skverdict.codegen.btf import Btf
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.maps.element_flags import is_single
from skverdict.runtime.maps.typed import Codec, PerCpu, Shape, key_codec, value_codec
from skverdict.runtime.maps.user_side import BPF_ANY, Batch, Cursor


class RawMap(Shape, Protocol):
    """A map of bytes, a simulated one or a kernel's. Refusals are KernelErrors."""

    @property
    def kind(self) -> str: ...

    @property
    def name(self) -> str: ...

    def read(self, key: bytes, flags: int = 0) -> bytes: ...

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

    def value_bytes(self, value: Any, flags: int = 0) -> bytes:
        """`value` as the map takes it with `flags`. Raises ValueMismatch."""
        return self._codec(flags).encode(value, f"value of {self.raw.name}")

    def _codec(self, flags: int) -> Codec:
        """How values are written that go with `flags`."""
        value = self._value
        return value.element if isinstance(value, PerCpu) and is_single(flags) else value

    # One entry

    def lookup(self, key: Any, flags: int = 0) -> Any:
        """The value at `key`. `flags` are none, `BPF_F_LOCK` (4) where values have a spin lock, or, for the
        value of one CPU of a per-CPU map, `BPF_F_CPU` (8) with the CPU in the upper 32 bits
        (`maps.element_flags`)."""
        return self._codec(flags).decode(self.raw.read(self.key_bytes(key), flags))

    def update(self, key: Any, value: Any, flags: int = BPF_ANY) -> None:
        """Put `value` at `key`; `flags` are `BPF_ANY` (0), `BPF_NOEXIST` (1) or `BPF_EXIST` (2), and
        `BPF_F_LOCK` (4) where values have a spin lock. In a per-CPU map a single value is put in for one
        CPU with `BPF_F_CPU` (8), for all with `BPF_F_ALL_CPUS` (16) (`maps.element_flags`)."""
        self.raw.update(self.key_bytes(key), self.value_bytes(value, flags), flags)

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
        return self._decoded(self.commands.lookup_batch(count, after, flags), flags)

    def lookup_and_delete_batch(self, count: int, after: Cursor | None = None, flags: int = 0) -> Entries:
        """As `lookup_batch`, and the entries are gone. Hashes only."""
        return self._decoded(self.commands.lookup_and_delete_batch(count, after, flags), flags)

    def update_batch(
        self, entries: Mapping[Any, Any] | Iterable[tuple[Any, Any]], flags: int = BPF_ANY
    ) -> None:
        """Put entries in. The BatchError of a refusal tells in `done` how many were put in before it."""
        pairs = entries.items() if isinstance(entries, Mapping) else entries
        content = [(self.key_bytes(key), self.value_bytes(value, flags)) for key, value in pairs]
        self.commands.update_batch(content, flags)

    def delete_batch(self, keys: Iterable[Any], flags: int = 0) -> None:
        """Remove entries; refusals as of `update_batch`."""
        self.commands.delete_batch([self.key_bytes(key) for key in keys], flags)

    def _decoded(self, batch: Batch, flags: int) -> Entries:
        decode_key, decode = self._key.decode, self._codec(flags).decode
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
