"""Simulated maps of sockets, and maps without keys, as user space sees them."""

from __future__ import annotations

from typing import Any

from skverdict.codegen.btf import Btf
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.maps.map_view import MapView
from skverdict.runtime.maps.queue import BloomFilterMap, CopyingMap, QueueMap
from skverdict.runtime.maps.sockmap import SocketMap
from skverdict.runtime.maps.typed import ValueMismatch, value_codec
from skverdict.runtime.maps.user_side import BPF_ANY
from skverdict.runtime.sockets.socket import Socket


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

    def lookup(self, key: Any, flags: int = 0) -> int:
        """The cookie of the socket at `key`. ENOENT: there is none. ENOSPC: values have 4 bytes only."""
        return int.from_bytes(self.raw.read(self.key_bytes(key), flags), self.raw.order)

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
        self.raw.update(b"", self._value.encode(value, f"value of {self.raw.name}"), flags)

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
            return self._value.decode(self.raw.take() if take else self.raw.read(b""))
        except KernelError as error:
            if error.number is not Errno.ENOENT:
                raise
            return None

    def __contains__(self, value: Any) -> bool:
        """For a bloom filter: was it put in?"""
        if not isinstance(self.raw, BloomFilterMap):
            raise KernelError(Errno.EOPNOTSUPP, f"map {self.raw.name} is no bloom filter")
        return self.raw.contains(self._value.encode(value, f"value of {self.raw.name}"))
