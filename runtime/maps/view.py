"""Maps as user space sees them: used like dictionaries, with typed keys and values.

Every refusal is an OSError with Linux's errno, also where a dictionary would raise KeyError.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from skverdict.codegen.btf import Btf
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.maps.queue import BloomFilterMap, CopyingMap, QueueMap
from skverdict.runtime.maps.sockmap import SocketMap
from skverdict.runtime.maps.typed import Shape, ValueMismatch, key_codec, value_codec
from skverdict.runtime.maps.user_side import BPF_ANY
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


class MapView:
    """One map. `maps.typed` says which Python values fit. `raw` is the map itself, of bytes."""

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

    def lookup(self, key: Any) -> Any:
        """The value at `key`."""
        return self._value.decode(self.raw.read(self.key_bytes(key)))

    def update(self, key: Any, value: Any, flags: int = BPF_ANY) -> None:
        """Put `value` at `key`; `flags` are `BPF_ANY` (0), `BPF_NOEXIST` (1) or `BPF_EXIST` (2)."""
        content = self._value.encode(value, f"value of {self.raw.name}")
        self.raw.update(self.key_bytes(key), content, flags)

    def delete(self, key: Any) -> None:
        """Remove the entry at `key`."""
        self.raw.delete(self.key_bytes(key))

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

    def __iter__(self) -> Iterator[Any]:
        """The keys in the order in which the kernel walks them."""
        return map(self._key.decode, self.raw.keys())

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
