"""BPF_MAP_TYPE_HASH and BPF_MAP_TYPE_LRU_HASH (kernel/bpf/hashtab.c)."""

from __future__ import annotations

from collections.abc import Iterator

from skverdict.codegen.object import MapSpec
from skverdict.runtime.machine.call import Call
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.machine.memory import ByteOrder
from skverdict.runtime.maps.base import BPF_ANY, BPF_EXIST, BPF_F_LOCK, BPF_NOEXIST, Map


class HashMap(Map):
    """A hash. An update gives the entry new memory: who holds the old sees the old value.

    The kernel's order of keys follows a random seed; here it is that in which keys came.
    """

    kind = "hash"

    def __init__(self, spec: MapSpec, order: ByteOrder = "little") -> None:
        super().__init__(spec, order)
        self._entries: dict[bytes, bytearray] = {}

    def lookup(self, key: bytes) -> bytearray | None:
        return self._entries.get(key)

    def update(self, key: bytes, value: bytes, flags: int = BPF_ANY) -> None:
        self.check_update(key, flags)
        if key not in self._entries and len(self._entries) >= self.max_entries:
            raise KernelError(Errno.E2BIG, f"map {self.name} is full: {self.max_entries} entries")
        self._entries[key] = bytearray(value)

    def check_update(self, key: bytes, flags: int) -> None:
        """Raise KernelError for flags that the kernel does not know or that the entry contradicts."""
        if flags & ~BPF_F_LOCK > BPF_EXIST:
            raise KernelError(Errno.EINVAL, f"map {self.name}: unknown update flags {flags:#x}")
        if flags & BPF_F_LOCK:
            raise KernelError(Errno.EINVAL, f"map {self.name} has no spin lock")
        if flags == BPF_NOEXIST and key in self._entries:
            raise KernelError(Errno.EEXIST, f"map {self.name} has an entry at this key")
        if flags == BPF_EXIST and key not in self._entries:
            raise KernelError(Errno.ENOENT, f"map {self.name} has no entry at this key")

    def delete(self, key: bytes) -> None:
        if self._entries.pop(key, None) is None:
            raise KernelError(Errno.ENOENT, f"map {self.name} has no entry at this key")

    def keys(self) -> Iterator[bytes]:
        return iter(list(self._entries))

    def used(self, key: bytes) -> None:
        """A program has looked `key` up."""


class LruHashMap(HashMap):
    """A hash that makes room by dropping the entry whose last use by a program or update lies furthest back.

    The kernel only comes near that: it forgets entries by the batch, with lists for each CPU, and sooner than
    when the map is full. What a policy may rely on is the same, that an update finds room. User space's
    lookups count as no use.
    """

    kind = "lru_hash"

    def pointer(self, call: Call, key: bytes) -> int:
        self.used(key)
        return super().pointer(call, key)

    def update(self, key: bytes, value: bytes, flags: int = BPF_ANY) -> None:
        self.check_update(key, flags)
        if key not in self._entries and len(self._entries) >= self.max_entries:
            del self._entries[next(iter(self._entries))]
        self._entries.pop(key, None)
        self._entries[key] = bytearray(value)

    def used(self, key: bytes) -> None:
        """Put the entry behind all others."""
        value = self._entries.pop(key, None)
        if value is not None:
            self._entries[key] = value
