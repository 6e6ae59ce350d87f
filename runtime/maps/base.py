"""What all maps have in common: the shape from the object, and the operations on bytes.

Programs and user space share one map. Both sides give keys and values as bytes of exactly the map's sizes and
get the kernel's errno as a `KernelError`; they differ in what a lookup yields: the program gets the live
memory (`lookup`), user space a copy (`read`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING

from skverdict.codegen.object import MapSpec
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.machine.memory import ByteOrder

if TYPE_CHECKING:
    from skverdict.runtime.machine.call import Call

BPF_ANY = 0
BPF_NOEXIST = 1
BPF_EXIST = 2
BPF_F_LOCK = 4

#: Flag of a map that programs may only read.
BPF_F_RDONLY_PROG = 1 << 7


class MapError(Exception):
    """A map that cannot be: the kernel would refuse to create it with error `number`, or it is not
    simulated."""

    def __init__(self, spec: MapSpec, reason: str, number: Errno | None = None) -> None:
        super().__init__(f"map {spec.name}: {reason}" + (f" ({number.name})" if number else ""))
        self.number = number


class Map(ABC):
    """One map. `kind` is the kernel's name for it in lower case; `spec` is its declaration in the object.

    Flags of `update` are `BPF_ANY` (0), `BPF_NOEXIST` (1) and `BPF_EXIST` (2). `order` is the byte order of
    the machine, in which keys and values hold their numbers.
    """

    kind: str

    def __init__(self, spec: MapSpec, order: ByteOrder = "little") -> None:
        self.spec = spec
        self.order: ByteOrder = order

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def key_size(self) -> int:
        """Bytes of a key."""
        return self.spec.key_size

    @property
    def value_size(self) -> int:
        """Bytes of a value."""
        return self.spec.value_size

    @property
    def max_entries(self) -> int:
        return self.spec.max_entries

    @property
    def writable(self) -> bool:
        """True unless programs may only read."""
        return not self.spec.flags & BPF_F_RDONLY_PROG

    @abstractmethod
    def lookup(self, key: bytes) -> bytearray | None:
        """The memory of the entry at `key`, which a program may read and write; None if there is none.

        The memory outlives the entry: after a delete it keeps its bytes for whoever still holds it.
        """

    @abstractmethod
    def update(self, key: bytes, value: bytes, flags: int = BPF_ANY) -> None:
        """Put `value` at `key`. Raises KernelError with the kernel's errno."""

    @abstractmethod
    def delete(self, key: bytes) -> None:
        """Remove the entry at `key`. Raises KernelError with the kernel's errno, ENOENT where there is
        none."""

    @abstractmethod
    def keys(self) -> Iterator[bytes]:
        """The keys in the order in which user space meets them."""

    def pointer(self, call: Call, key: bytes) -> int:
        """A program's lookup: the address of the entry at `key`, NULL if there is none."""
        return call.map_value(self, self.lookup(key))

    def store(self, call: Call, key: bytes, value: bytes, flags: int) -> None:
        """A program's update; as `update`."""
        self.update(key, value, flags)

    def read(self, key: bytes) -> bytes:
        """User space's lookup: a copy of the value. Raises KernelError ENOENT where there is none."""
        value = self.lookup(key)
        if value is None:
            raise KernelError(Errno.ENOENT, f"map {self.name} has no such key")
        return bytes(value)

    def next_key(self, key: bytes | None) -> bytes:
        """The key after `key`, or the first one for None or a key that is not there.

        Raises KernelError ENOENT after the last.
        """
        keys = iter(self.keys())
        first = next(keys, None)
        found = first
        while key is not None and found is not None and found != key:
            found = next(keys, None)
        result = next(keys, None) if found is not None and found == key else first
        if result is None:
            raise KernelError(Errno.ENOENT, f"map {self.name} has no further key")
        return result
