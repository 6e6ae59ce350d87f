"""BPF_MAP_TYPE_HASH and BPF_MAP_TYPE_LRU_HASH (kernel/bpf/hashtab.c)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from skverdict.codegen.object import MapSpec
from skverdict.dsl.catalogue.programs import KERNELS
from skverdict.runtime.machine.call import Call
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.machine.fault import Misuse
from skverdict.runtime.machine.memory import ByteOrder
from skverdict.runtime.maps.base import Map
from skverdict.runtime.maps.lru import CommonLru, Lru, Node, PerCpuLru, common_target
from skverdict.runtime.maps.user_side import BPF_ANY, BPF_EXIST, BPF_F_LOCK, BPF_NOEXIST
from skverdict.runtime.maps.watched import Watched

#: Each CPU has lists of its own of what was used.
BPF_F_NO_COMMON_LRU = 1 << 1


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

    def claim(self, key: bytes, flags: int, cpu: int) -> None:
        """Let there be an entry at `key`, for an update on `cpu`. Raises KernelError."""
        self.write(key, b"", flags)

    def check_flags(self, flags: int) -> None:
        """Raise KernelError for flags that the kernel does not know."""
        if flags & ~BPF_F_LOCK > BPF_EXIST:
            raise KernelError(Errno.EINVAL, f"map {self.name}: unknown update flags {flags:#x}")

    def check_update(self, key: bytes, flags: int) -> None:
        """Raise KernelError for flags that the kernel does not know or that the entry contradicts."""
        self.check_flags(flags)
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
    """A hash that forgets entries when it needs room, as `lru` says. User space's lookups count as no use.

    User space is on the first CPU.
    """

    kind = "lru_hash"

    def __init__(
        self, spec: MapSpec, order: ByteOrder = "little", cpus: int = 1, kernel: str = KERNELS[-1]
    ) -> None:
        own = bool(spec.flags & BPF_F_NO_COMMON_LRU)
        if own:
            spec = replace(spec, max_entries=-(-spec.max_entries // cpus) * cpus)
        super().__init__(spec, order)
        self._cpus = cpus
        self._nodes: dict[bytes, Node] = {}
        entries = spec.max_entries
        self._lru: Lru = (
            PerCpuLru(entries, cpus, self._evict)
            if own
            else CommonLru(entries, cpus, common_target(entries, cpus, kernel), self._evict)
        )

    def _evict(self, node: Node) -> None:
        del self._nodes[node.key]
        super().remove(node.key)

    def pointer(self, call: Call, key: bytes) -> int:
        self.used(key)
        return super().pointer(call, key)

    def check_flags(self, flags: int) -> None:
        if flags > BPF_EXIST:
            raise KernelError(Errno.EINVAL, f"map {self.name}: unknown update flags {flags:#x}")

    def write(self, key: bytes, value: bytes, flags: int = BPF_ANY) -> None:
        self._replace(key, value, flags, 0)

    def store(self, call: Call, key: bytes, value: bytes, flags: int) -> None:
        cpu = call.environment.cpu
        if cpu >= self._cpus:
            raise Misuse(f"the program runs on CPU {cpu}, and map {self.name} is for {self._cpus}")
        self._replace(key, value, flags, cpu)

    def _replace(self, key: bytes, value: bytes, flags: int, cpu: int) -> None:
        """Put `value` at `key` by a new node, for which another entry may have to go even if this one is there, or
        the update is refused."""
        self.check_flags(flags)
        node = self._lru.pop(cpu)
        try:
            self.check_update(key, flags)
        except KernelError:
            self._lru.push(node)
            raise
        node.key = key
        old, self._nodes[key] = self._nodes.get(key), node
        super().write(key, value, flags)
        if old is not None:
            node.ref = True
            self._lru.push(old)

    def claim(self, key: bytes, flags: int, cpu: int) -> None:
        """Let there be an entry at `key`, which keeps its node if it was there: so per-CPU maps are updated. Raises
        KernelError."""
        self.check_flags(flags)
        node = None if flags == BPF_EXIST else self._lru.pop(cpu)
        try:
            self.check_update(key, flags)
        except KernelError:
            if node is not None:
                self._lru.push(node)
            raise
        old = self._nodes.get(key)
        if old is not None:
            old.ref = True
            if node is not None:
                self._lru.push(node)
        elif node is not None:
            node.key = key
            self._nodes[key] = node
            super().write(key, b"")

    def remove(self, key: bytes) -> None:
        super().remove(key)
        self._lru.push(self._nodes.pop(key))

    def used(self, key: bytes) -> None:
        node = self._nodes.get(key)
        if node is not None:
            node.ref = True
