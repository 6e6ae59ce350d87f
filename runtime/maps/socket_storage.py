"""BPF_MAP_TYPE_SK_STORAGE: a value beside each socket (kernel/bpf/bpf_local_storage.c).

The key is the socket itself. A value goes when its socket does, or when it is deleted.
"""

from __future__ import annotations

from collections.abc import Iterator
from weakref import WeakKeyDictionary

from skverdict.codegen.object import MapSpec
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.machine.memory import ByteOrder
from skverdict.runtime.maps.base import Map
from skverdict.runtime.maps.user_side import BPF_ANY, BPF_EXIST, BPF_F_LOCK, BPF_NOEXIST

#: Values beside a listener are copied to what it accepts.
BPF_F_CLONE = 1 << 9


class SocketStorage(Map):
    """Values by sockets: anything that can be referred to weakly, and is equal to itself alone."""

    kind = "sk_storage"

    def __init__(self, spec: MapSpec, order: ByteOrder = "little") -> None:
        super().__init__(spec, order)
        self._values: WeakKeyDictionary[object, bytearray] = WeakKeyDictionary()

    def __len__(self) -> int:
        """How many sockets have a value."""
        return len(self._values)

    def value_of(self, socket: object) -> bytearray | None:
        """The memory of the value of `socket`, which its program may change; None if it has none."""
        return self._values.get(socket)

    def put(self, socket: object, value: bytes, flags: int = BPF_ANY) -> None:
        """Give `socket` a value, in new memory, or with `BPF_F_LOCK` in that of the old one.

        Raises KernelError: EINVAL for flags, EEXIST, ENOENT.
        """
        if flags & ~BPF_F_LOCK > BPF_EXIST:
            raise KernelError(Errno.EINVAL, f"map {self.name}: unknown update flags {flags:#x}")
        if flags & BPF_F_LOCK and not self.has_lock:
            raise KernelError(Errno.EINVAL, f"map {self.name} has no spin lock")
        old = self._values.get(socket)
        if old is not None and flags & BPF_NOEXIST:
            raise KernelError(Errno.EEXIST, f"map {self.name} has a value for this socket")
        if old is None and flags & BPF_EXIST:
            raise KernelError(Errno.ENOENT, f"map {self.name} has no value for this socket")
        if old is not None and flags & BPF_F_LOCK:
            self.overwrite(old, value)
        else:
            self._values[socket] = self.without_special(value)

    def clone(self, listener: object, accepted: object) -> None:
        """A connection comes to be at `listener`: it gets a copy of its value if the map was made with
        `BPF_F_CLONE` (`bpf_sk_storage_clone`)."""
        value = self._values.get(listener)
        if value is not None and self.spec.flags & BPF_F_CLONE:
            self._values[accepted] = self.without_special(bytes(value))

    def drop(self, socket: object) -> None:
        """Take the value of `socket` away. Raises KernelError ENOENT if it has none."""
        if self._values.pop(socket, None) is None:
            raise KernelError(Errno.ENOENT, f"map {self.name} has no value for this socket")

    def lookup(self, key: bytes) -> bytearray | None:
        return None

    def copy(self, key: bytes) -> bytes:
        raise self._no_socket()

    def write(self, key: bytes, value: bytes, flags: int = BPF_ANY) -> None:
        raise self._no_socket()

    def remove(self, key: bytes) -> None:
        raise self._no_socket()

    def _no_socket(self) -> KernelError:
        return KernelError(Errno.EBADF, f"keys of map {self.name} are sockets, not numbers")

    def walk(self) -> Iterator[bytes]:
        raise self.unsupported("keys to walk")

    def following(self, key: bytes | None) -> bytes:
        raise self.unsupported("keys to walk")
