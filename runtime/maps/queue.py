"""Maps without keys whose values are copied in and out (kernel/bpf/queue_stack_maps.c and bloom_filter.c).

User space reaches them by the operations of other maps, with an empty key: update puts a value in, a lookup
gives the one that would come out next.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Iterator

from skverdict.codegen.object import MapSpec
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.machine.memory import ByteOrder
from skverdict.runtime.maps.base import Map
from skverdict.runtime.maps.user_side import BPF_ANY, BPF_EXIST, BPF_NOEXIST


class CopyingMap(Map):
    """What these maps share: values go in by `push`, and there is nothing that a program could point to."""

    @abstractmethod
    def push(self, value: bytes, flags: int = BPF_ANY) -> None:
        """Put `value` in. Raises KernelError: EINVAL for flags, E2BIG if the map is full."""

    def lookup(self, key: bytes) -> bytearray | None:
        return None

    def write(self, key: bytes, value: bytes, flags: int = BPF_ANY) -> None:
        self.push(value, flags)


class QueueMap(CopyingMap):
    """BPF_MAP_TYPE_QUEUE: first in, first out. `BPF_EXIST` in a push makes room by dropping the oldest."""

    kind = "queue"
    takes = True

    def __init__(self, spec: MapSpec, order: ByteOrder = "little") -> None:
        super().__init__(spec, order)
        self._values: deque[bytes] = deque()

    def push(self, value: bytes, flags: int = BPF_ANY) -> None:
        if flags & BPF_NOEXIST or flags > BPF_EXIST:
            raise KernelError(Errno.EINVAL, f"map {self.name}: push flags {flags:#x}")
        if len(self._values) >= self.max_entries:
            if flags != BPF_EXIST:
                raise KernelError(Errno.E2BIG, f"map {self.name} is full: {self.max_entries} values")
            self._values.popleft()
        self._values.append(value)

    def peek(self) -> bytes:
        """The value that comes out next. Raises KernelError ENOENT if there is none."""
        return self._filled()[0]

    def pop(self) -> bytes:
        """Take the next value out. Raises KernelError ENOENT if there is none."""
        return self._filled().popleft()

    def copy(self, key: bytes) -> bytes:
        return self.peek()

    def withdraw(self, key: bytes) -> bytes:
        return self.pop()

    def remove(self, key: bytes) -> None:
        raise KernelError(Errno.EINVAL, f"map {self.name} has no keys to delete at; pop takes a value out")

    def walk(self) -> Iterator[bytes]:
        raise KernelError(Errno.EINVAL, f"map {self.name} has no keys")

    def _filled(self) -> deque[bytes]:
        if not self._values:
            raise KernelError(Errno.ENOENT, f"map {self.name} is empty")
        return self._values


class StackMap(QueueMap):
    """BPF_MAP_TYPE_STACK: last in, first out."""

    kind = "stack"

    def peek(self) -> bytes:
        return self._filled()[-1]

    def pop(self) -> bytes:
        return self._filled().pop()


class BloomFilterMap(CopyingMap):
    """BPF_MAP_TYPE_BLOOM_FILTER: tells whether a value was put in before.

    The kernel's may say yes to a value that never was; which, depends on a random seed. This one does not.
    """

    kind = "bloom_filter"

    def __init__(self, spec: MapSpec, order: ByteOrder = "little") -> None:
        super().__init__(spec, order)
        self._values: set[bytes] = set()

    def push(self, value: bytes, flags: int = BPF_ANY) -> None:
        if flags != BPF_ANY:
            raise KernelError(Errno.EINVAL, f"map {self.name}: push flags {flags:#x}")
        self._values.add(value)

    def __contains__(self, value: bytes) -> bool:
        return value in self._values

    def contains(self, value: bytes) -> bool:
        """User space's lookup. Raises KernelError EPERM if it may not read."""
        self.check_readable()
        return value in self

    def remove(self, key: bytes) -> None:
        raise KernelError(Errno.EOPNOTSUPP, f"map {self.name} forgets nothing")

    def walk(self) -> Iterator[bytes]:
        raise KernelError(Errno.EOPNOTSUPP, f"map {self.name} has no keys")
