"""Maps in which each CPU has a value of its own (kernel/bpf/arraymap.c and hashtab.c).

A program works with the value of the CPU that it runs on. User space reads and writes the values of all CPUs
at once: one after the other, each padded to a multiple of 8 bytes. `element_flags` tells how it has a single one.
"""

from __future__ import annotations

from collections.abc import Iterator

from skverdict.codegen.object import MapSpec
from skverdict.dsl.catalogue.programs import KERNELS
from skverdict.runtime.machine.call import Call
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.machine.fault import Misuse
from skverdict.runtime.machine.memory import ByteOrder
from skverdict.runtime.maps.array import IndexedMap
from skverdict.runtime.maps.base import Map
from skverdict.runtime.maps.element_flags import BPF_F_CPU, chosen_cpus, entry_flags, is_single
from skverdict.runtime.maps.hash import HashMap, LruHashMap
from skverdict.runtime.maps.user_side import BPF_ANY
from skverdict.runtime.maps.watched import Watched


class PerCpuMap(Map):
    """A map of one value for each of `cpus`. `lookup` is for the first CPU, as nobody said which.

    `kernel` is the version of Linux whose flags user space has.
    """

    def __init__(
        self, spec: MapSpec, order: ByteOrder = "little", cpus: int = 1, kernel: str = KERNELS[-1]
    ) -> None:
        super().__init__(spec, order)
        self.cpus = cpus
        self.kernel = kernel

    def values(self, key: bytes) -> list[bytearray] | None:
        """The live memory of each CPU at `key`; None if there is no entry."""
        raise NotImplementedError

    def values_to_write(self, key: bytes, flags: int, cpu: int = 0) -> list[bytearray]:
        """The memory of each CPU at `key`, for an update on `cpu`. Raises KernelError where `flags` or the map
        forbid it."""
        raise NotImplementedError

    def pointer_for(self, call: Call, key: bytes, cpu: int) -> int:
        """The address of what `cpu` has at `key`; NULL without an entry or such a CPU."""
        values = self.values(key)
        return call.map_value(self, values[cpu] if values is not None and cpu < self.cpus else None)

    def pointer(self, call: Call, key: bytes) -> int:
        return self.pointer_for(call, key, self.cpu_of(call))

    def cpu_of(self, call: Call) -> int:
        """The CPU that the program runs on. Raises Misuse if the map was made for fewer."""
        cpu = call.environment.cpu
        if cpu >= self.cpus:
            raise Misuse(f"the program runs on CPU {cpu}, and map {self.name} is for {self.cpus}")
        return cpu

    def lookup(self, key: bytes) -> bytearray | None:
        values = self.values(key)
        return None if values is None else values[0]

    def store(self, call: Call, key: bytes, value: bytes, flags: int) -> None:
        """The values of the other CPUs stay, or are zero in a new entry."""
        cpu = self.cpu_of(call)
        self.values_to_write(key, flags, cpu)[cpu][:] = value

    def write(self, key: bytes, value: bytes, flags: int = BPF_ANY) -> None:
        """As `store` for one CPU, or for all."""
        cpus = chosen_cpus(flags, self.kernel, self.cpus)
        memories = self.values_to_write(key, entry_flags(flags, self.kernel))
        parts = [value] * len(cpus) if is_single(flags) else self.cut(value)
        for cpu, part in zip(cpus, parts, strict=True):
            memories[cpu][:] = part

    def copy(self, key: bytes) -> bytes:
        return self.copy_by(key, 0)

    def copy_by(self, key: bytes, flags: int) -> bytes:
        values = self.values(key)
        if values is None:
            raise KernelError(Errno.ENOENT, f"map {self.name} has no entry at this key")
        chosen = [bytes(values[cpu]) for cpu in chosen_cpus(flags, self.kernel, self.cpus)]
        return chosen[0] if flags & BPF_F_CPU else b"".join(each.ljust(self.stride, b"\0") for each in chosen)

    def check_cpus(self, flags: int) -> None:
        chosen_cpus(flags, self.kernel, self.cpus)

    @property
    def stride(self) -> int:
        """Bytes that one CPU's value takes on the user's side."""
        return -(-self.value_size // 8) * 8

    def cut(self, value: bytes) -> list[bytes]:
        """User space's bytes for an entry, cut into the values of the CPUs."""
        starts = range(0, self.stride * self.cpus, self.stride)
        return [value[start : start + self.value_size] for start in starts]


class PerCpuArray(PerCpuMap, IndexedMap):
    """BPF_MAP_TYPE_PERCPU_ARRAY."""

    kind = "percpu_array"

    def __init__(
        self, spec: MapSpec, order: ByteOrder = "little", cpus: int = 1, kernel: str = KERNELS[-1]
    ) -> None:
        super().__init__(spec, order, cpus, kernel)
        self._values: dict[int, list[bytearray]] = {}

    def values(self, key: bytes) -> list[bytearray] | None:
        index = self.index(key)
        return self._at(index) if index < self.max_entries else None

    def values_to_write(self, key: bytes, flags: int, cpu: int = 0) -> list[bytearray]:
        return self._at(self.check_update(key, flags))

    def _at(self, index: int) -> list[bytearray]:
        values = self._values.get(index)
        if values is None:
            values = self._values[index] = [bytearray(self.value_size) for _ in range(self.cpus)]
        return values


class PerCpuHashMap(Watched, PerCpuMap):
    """BPF_MAP_TYPE_PERCPU_HASH. Other than a plain hash's, an entry keeps its memory when it is updated.

    Which keys there are, and which updates they allow, is a hash's own affair.
    """

    kind = "percpu_hash"
    batches = HashMap.batches
    snapshots = True
    takes = True

    def __init__(
        self, spec: MapSpec, order: ByteOrder = "little", cpus: int = 1, kernel: str = KERNELS[-1]
    ) -> None:
        super().__init__(spec, order, cpus, kernel)
        self._values: dict[bytes, list[bytearray]] = {}
        self._entries = self._keys()
        self._entries.watch(self._changed)

    def _keys(self) -> HashMap:
        return HashMap(self.spec, self.order)

    def values(self, key: bytes) -> list[bytearray] | None:
        return self._values.get(key)

    def pointer_for(self, call: Call, key: bytes, cpu: int) -> int:
        if cpu < self.cpus:
            self.used(key)
        return super().pointer_for(call, key, cpu)

    def used(self, key: bytes) -> None:
        """A program has looked `key` up."""
        self._entries.used(key)

    def values_to_write(self, key: bytes, flags: int, cpu: int = 0) -> list[bytearray]:
        """Of a new entry, all zero, if there was none."""
        self._entries.claim(key, flags, cpu)
        if key not in self._values:
            self._values[key] = [bytearray(self.value_size) for _ in range(self.cpus)]
            self.tell(key)
        return self._values[key]

    def remove(self, key: bytes) -> None:
        self._entries.remove(key)

    def _changed(self, key: bytes) -> None:
        """The hash has written an entry, or dropped one."""
        if self._entries.lookup(key) is None:
            del self._values[key]
            self.tell(key)

    def walk(self) -> Iterator[bytes]:
        return self._entries.walk()


class LruPerCpuHashMap(PerCpuHashMap):
    """BPF_MAP_TYPE_LRU_PERCPU_HASH."""

    kind = "lru_percpu_hash"

    def _keys(self) -> HashMap:
        keys = LruHashMap(self.spec, self.order, self.cpus, self.kernel)
        self.spec = keys.spec
        return keys
