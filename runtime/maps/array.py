"""BPF_MAP_TYPE_ARRAY: values at indices, all there from the start (kernel/bpf/arraymap.c)."""

from __future__ import annotations

from collections.abc import Iterator

from skverdict.codegen.object import MapSpec
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.machine.memory import ByteOrder
from skverdict.runtime.maps.base import Map
from skverdict.runtime.maps.user_side import BPF_ANY, BPF_EXIST, BPF_F_LOCK, BPF_NOEXIST


class IndexedMap(Map):
    """A map whose keys are the indices from 0 to `max_entries` - 1, filled or not, in that order."""

    batches = frozenset({"lookup", "update"})

    def index(self, key: bytes) -> int:
        """The index that `key` spells, which may be past the end."""
        return int.from_bytes(key, self.order)

    def walk(self) -> Iterator[bytes]:
        return (index.to_bytes(4, self.order) for index in range(self.max_entries))

    def following(self, key: bytes | None) -> bytes:
        index = self.max_entries if key is None else self.index(key)
        if index == self.max_entries - 1:
            raise KernelError(Errno.ENOENT, f"map {self.name} has no further key")
        return (index + 1 if index < self.max_entries else 0).to_bytes(4, self.order)

    def check_update(self, key: bytes, flags: int) -> int:
        """The index to update; KernelError as the kernel answers a bad update, in the kernel's order."""
        index = self.index(key)
        if flags & ~BPF_F_LOCK > BPF_EXIST:
            raise KernelError(Errno.EINVAL, f"map {self.name}: unknown update flags {flags:#x}")
        if index >= self.max_entries:
            raise KernelError(Errno.E2BIG, f"map {self.name} ends before index {index}")
        if flags & BPF_NOEXIST:
            raise KernelError(Errno.EEXIST, f"map {self.name} is an array, where every entry exists")
        if flags & BPF_F_LOCK and not self.has_lock:
            raise KernelError(Errno.EINVAL, f"map {self.name} has no spin lock")
        return index

    def remove(self, key: bytes) -> None:
        raise KernelError(Errno.EINVAL, f"map {self.name} is an array, whose entries cannot be deleted")


class ArrayMap(IndexedMap):
    """An array. Entries keep their memory for ever, so an update shows through every pointer to the entry.

    A timer in an entry is stopped by an update all the same.
    """

    kind = "array"

    def __init__(self, spec: MapSpec, order: ByteOrder = "little") -> None:
        super().__init__(spec, order)
        # Made on first use: an array of a million entries costs nothing until they are looked at.
        self._values: dict[int, bytearray] = {}

    def lookup(self, key: bytes) -> bytearray | None:
        index = self.index(key)
        return self._value(index) if index < self.max_entries else None

    def write(self, key: bytes, value: bytes, flags: int = BPF_ANY) -> None:
        memory = self._value(self.check_update(key, flags))
        self.overwrite(memory, value)
        self.dropped(memory)

    def key_of(self, memory: bytearray) -> bytes:
        index = next(index for index, value in self._values.items() if value is memory)
        return index.to_bytes(4, self.order)

    def _value(self, index: int) -> bytearray:
        value = self._values.get(index)
        if value is None:
            value = self._values[index] = bytearray(self.value_size)
        return value
