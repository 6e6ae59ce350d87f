"""BPF_MAP_TYPE_HASH and BPF_MAP_TYPE_LRU_HASH (kernel/bpf/hashtab.c)."""

from __future__ import annotations

from collections.abc import Iterator

from skverdict.codegen.object import MapSpec
from skverdict.runtime.machine.call import Call
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.machine.memory import ByteOrder
from skverdict.runtime.maps.base import Map
from skverdict.runtime.maps.user_side import BPF_ANY, BPF_EXIST, BPF_F_LOCK, BPF_NOEXIST
from skverdict.runtime.maps.watched import Watched


class HashMap(Watched, Map):
    """A hash. An update gives the entry new memory: who holds the old sees the old value.

    With `BPF_F_LOCK` it changes the entry where it is. The kernel's order of keys follows a random seed and
    is nothing to rely on; here it is that in which keys came.
    """

    kind = "hash"
    batches = frozenset({"lookup", "lookup_and_delete", "update", "delete"})
    snapshots = True
    takes = True

    def __init__(self, spec: MapSpec, order: ByteOrder = "little") -> None:
        super().__init__(spec, order)
        self._entries: dict[bytes, bytearray] = {}

    def lookup(self, key: bytes) -> bytearray | None:
        return self._entries.get(key)

    def write(self, key: bytes, value: bytes, flags: int = BPF_ANY) -> None:
        self.check_update(key, flags)
        old = self._entries.get(key)
        if old is None and len(self._entries) >= self.max_entries:
            raise KernelError(Errno.E2BIG, f"map {self.name} is full: {self.max_entries} entries")
        if old is not None and flags & BPF_F_LOCK:
            self.overwrite(old, value)
        else:
            if old is not None:
                self.dropped(old)
            self._entries[key] = self.without_special(value) if self.special else bytearray(value)
            self.tell(key)

    def check_update(self, key: bytes, flags: int) -> None:
        """Raise KernelError for flags that the kernel does not know or that the entry contradicts."""
        if flags & ~BPF_F_LOCK > BPF_EXIST:
            raise KernelError(Errno.EINVAL, f"map {self.name}: unknown update flags {flags:#x}")
        if flags & BPF_F_LOCK and not self.has_lock:
            raise KernelError(Errno.EINVAL, f"map {self.name} has no spin lock")
        if flags & BPF_NOEXIST and key in self._entries:
            raise KernelError(Errno.EEXIST, f"map {self.name} has an entry at this key")
        if flags & BPF_EXIST and key not in self._entries:
            raise KernelError(Errno.ENOENT, f"map {self.name} has no entry at this key")

    def remove(self, key: bytes) -> None:
        value = self._entries.pop(key, None)
        if value is None:
            raise KernelError(Errno.ENOENT, f"map {self.name} has no entry at this key")
        self.dropped(value)
        self.tell(key)

    def walk(self) -> Iterator[bytes]:
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

    def write(self, key: bytes, value: bytes, flags: int = BPF_ANY) -> None:
        self.check_update(key, flags)
        if key not in self._entries and len(self._entries) >= self.max_entries:
            self.remove(next(iter(self._entries)))
        self.used(key)
        super().write(key, value, flags)

    def used(self, key: bytes) -> None:
        """Put the entry behind all others."""
        value = self._entries.pop(key, None)
        if value is not None:
            self._entries[key] = value
