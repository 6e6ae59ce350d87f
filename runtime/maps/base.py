"""What all maps have in common: a program's side of them, and the values in them.

Programs and user space share one map. Both sides give keys and values as bytes of exactly the map's sizes and
get the kernel's errno as a `KernelError`; they differ in what a lookup yields: the program gets the live
memory (`lookup`), user space a copy (`user_side`).
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from skverdict.codegen.object import MapSpec
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.machine.memory import ByteOrder
from skverdict.runtime.maps.special import split
from skverdict.runtime.maps.user_side import BPF_ANY as BPF_ANY
from skverdict.runtime.maps.user_side import BPF_EXIST as BPF_EXIST
from skverdict.runtime.maps.user_side import BPF_NOEXIST as BPF_NOEXIST
from skverdict.runtime.maps.user_side import UserSide

if TYPE_CHECKING:
    from skverdict.runtime.machine.call import Call
    from skverdict.runtime.machine.timers import Timer

#: Flags of a map that programs may only read, and of one that they may only write.
BPF_F_RDONLY_PROG = 1 << 7
BPF_F_WRONLY_PROG = 1 << 8


class MapError(Exception):
    """A map that cannot be: the kernel would refuse to create it with error `number`, or it is not
    simulated."""

    def __init__(self, spec: MapSpec, reason: str, number: Errno | None = None) -> None:
        super().__init__(f"map {spec.name}: {reason}" + (f" ({number.name})" if number else ""))
        self.number = number


class Map(UserSide):
    """One map. `kind` is the kernel's name for it in lower case.

    Flags of `write` are `BPF_ANY` (0), `BPF_NOEXIST` (1), `BPF_EXIST` (2) and `BPF_F_LOCK` (4).
    """

    def __init__(self, spec: MapSpec, order: ByteOrder = "little") -> None:
        super().__init__(spec, order)
        #: The timers in values, by the identity of the value's memory, which each of them keeps alive.
        self.timers: dict[int, Timer] = {}

    @property
    def writable(self) -> bool:
        """True unless programs may only read."""
        return not self.spec.flags & BPF_F_RDONLY_PROG

    @property
    def readable(self) -> bool:
        """True unless programs may only write."""
        return not self.spec.flags & BPF_F_WRONLY_PROG

    @abstractmethod
    def lookup(self, key: bytes) -> bytearray | None:
        """The memory of the entry at `key`, which a program may read and write; None if there is none.

        The memory outlives the entry: after a delete it keeps its bytes for whoever still holds it.
        """

    def pointer(self, call: Call, key: bytes) -> int:
        """A program's lookup: the address of the entry at `key`, NULL if there is none."""
        return call.map_value(self, self.lookup(key))

    def store(self, call: Call, key: bytes, value: bytes, flags: int) -> None:
        """A program's update; as `write`."""
        self.write(key, value, flags)

    def copy(self, key: bytes) -> bytes:
        value = self.lookup(key)
        if value is None:
            raise KernelError(Errno.ENOENT, f"map {self.name} has no such key")
        return bytes(self.without_special(value)) if self.special else bytes(value)

    def following(self, key: bytes | None) -> bytes:
        """A key that is not there is followed by the first."""
        keys = iter(self.walk())
        first = next(keys, None)
        found = first
        while key is not None and found is not None and found != key:
            found = next(keys, None)
        result = next(keys, None) if found is not None and found == key else first
        if result is None:
            raise KernelError(Errno.ENOENT, f"map {self.name} has no further key")
        return result

    def key_of(self, memory: bytearray) -> bytes:
        """The key of the entry whose value has this memory."""
        return next(key for key in self.walk() if self.lookup(key) is memory)

    def dropped(self, memory: bytearray) -> None:
        """Stop what goes on in the memory of an entry that is gone, or that was overwritten."""
        timer = self.timers.pop(id(memory), None)
        if timer is not None:
            timer.disarm()

    def without_special(self, value: bytes | bytearray) -> bytearray:
        """A copy of `value` with zeros for what the kernel keeps for itself."""
        memory = bytearray(self.value_size)
        self.overwrite(memory, value)
        return memory

    def overwrite(self, memory: bytearray, value: bytes | bytearray) -> None:
        """Put `value` into the memory of an entry, but for what the kernel keeps for itself."""
        if not self.special:
            memory[:] = value
            return
        for part in split(self.value_size, self.special):
            memory[part] = value[part]
