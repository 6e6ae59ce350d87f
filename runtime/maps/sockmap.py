"""SOCKMAP and SOCKHASH: maps of sockets, and of the programs that sockets inherit from them."""

from __future__ import annotations

import struct
from abc import abstractmethod
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from skverdict.codegen.object import MapSpec
from skverdict.dsl.catalogue.programs import KERNELS
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.machine.fault import Misuse
from skverdict.runtime.machine.memory import ByteOrder
from skverdict.runtime.maps.base import Map
from skverdict.runtime.maps.user_side import BPF_ANY, BPF_EXIST, BPF_NOEXIST
from skverdict.runtime.sockets.programs import Programs
from skverdict.runtime.sockets.psock import Psock
from skverdict.runtime.sockets.structures import BpfSock

if TYPE_CHECKING:
    from skverdict.runtime.machine.call import Call
    from skverdict.runtime.maps.attachment import Link
    from skverdict.runtime.sockets.sock import Sock


class SocketMap(Map):
    """What both kinds share. `programs` are those attached to the map, and `links` those of them that hold their
    place, by place.

    Values are sockets. `lookup` is what a program gets, and `read` what user space gets: the socket's cookie.
    """

    programs: Programs
    links: dict[str, Link]

    def __init__(self, spec: MapSpec, order: ByteOrder = "little") -> None:
        super().__init__(spec, order)
        self.programs = Programs()
        self.links = {}

    @abstractmethod
    def socket(self, key: bytes) -> Sock | None:
        """The socket at `key`."""

    @property
    @abstractmethod
    def places(self) -> int:
        """How many entries `targets` tells of."""

    @abstractmethod
    def targets(self) -> bytearray:
        """What native code is told of where redirects may go (`native.layout`)."""

    @abstractmethod
    def target(self, place: int) -> tuple[int | bytes, Sock | None]:
        """The key of an entry by its place in `targets`, and its socket."""

    @abstractmethod
    def _check_index(self, key: bytes) -> None:
        """Refuse a key that no entry can have, before the socket is touched."""

    @abstractmethod
    def _check_room(self, key: bytes) -> None:
        """Refuse a new entry that does not fit, after the socket has inherited the programs."""

    @abstractmethod
    def _store(self, key: bytes, socket: Sock | None) -> None:
        """Put `socket` at `key`, or clear the entry."""

    def put(self, key: bytes, socket: Sock, flags: int = BPF_ANY) -> None:
        """User space puts a socket in. Raises KernelError."""
        if socket.dead:
            raise KernelError(Errno.EBADF, f"{socket.name} is closed")
        self.check_writable()
        self._check_flags(flags, flags)
        if not socket.enterable:
            raise KernelError(Errno.EOPNOTSUPP, f"{socket.name} is in state {socket.state.name}")
        self.put_from_program(key, socket, flags)

    def check_cpus(self, flags: int) -> None:
        """Linux 6.1 and 6.12 look at such flags only after the socket."""
        if self.kernel == KERNELS[-1]:
            super().check_cpus(flags)

    def put_from_program(self, key: bytes, socket: Sock, flags: int) -> None:
        """Put a socket in whatever its state, as sock_ops helpers do. Raises KernelError.

        The socket inherits the map's programs before the entry is looked at, so it keeps them even if the
        flags then refuse it, provided that it stands in another map.
        """
        if flags > BPF_EXIST:
            raise KernelError(Errno.EINVAL, f"map {self.name}: update flags {flags:#x}")
        self._check_index(key)
        psock = socket.psock
        if psock is None:
            psock = Psock(socket)
        elif self.programs.conflicts(psock.programs):
            raise KernelError(Errno.EBUSY, f"{socket.name} has programs, and so has map {self.name}")
        socket.psock = psock
        old = self.socket(key)
        try:
            psock.inherit(self.programs)
            if old is not None and flags == BPF_NOEXIST:
                raise KernelError(Errno.EEXIST, f"map {self.name} has that key")
            if old is None and flags == BPF_EXIST:
                raise KernelError(Errno.ENOENT, f"map {self.name} has no such key")
            if old is None:
                self._check_room(key)
        except KernelError:
            if not psock.links:
                psock.drop()
            raise
        psock.links.append((self, key))
        self._store(key, socket)
        socket.kernel.changed(socket.name, f"put into map {self.name}")
        if old is not None:
            self._unlink(old, key)

    def _unlink(self, socket: Sock, key: bytes) -> None:
        """Take back one link. Programs stop if the map has such programs now, whatever it had when they
        began."""
        psock = socket.psock
        assert psock is not None
        psock.links.remove((self, key))
        watching = psock.handler is not None
        if watching and self.programs.stream_parser:
            psock.stop_parser()
        if watching and self.programs.receiving:
            psock.stop_verdict()
        socket.kernel.changed(socket.name, f"taken out of map {self.name}")
        if not psock.links:
            psock.drop()

    def remove(self, key: bytes) -> None:
        socket = self.socket(key)
        if socket is None:
            raise self._absent()
        self._store(key, None)
        self._unlink(socket, key)

    @abstractmethod
    def _absent(self) -> KernelError:
        """The kernel's answer to the delete of an entry that is not there."""

    def lookup(self, key: bytes) -> bytearray | None:
        """Entries have no memory."""
        return None

    def pointer(self, call: Call, key: bytes) -> int:
        """Programs get a reference to the socket, which they must release."""
        found = self.socket(key)
        return call.acquired(None if found is None else BpfSock(found))

    def write(self, key: bytes, value: bytes, flags: int = BPF_ANY) -> None:
        """Programs put sockets in by bpf_sock_map_update and its kin, never by their number."""
        raise Misuse(f"map {self.name} holds sockets, not numbers")

    def copy(self, key: bytes) -> bytes:
        """User space's lookup: the cookie. Raises KernelError ENOSPC if values are too small for one,
        ENOENT."""
        if self.value_size != 8:
            raise KernelError(Errno.ENOSPC, f"map {self.name}: a cookie needs values of 8 bytes")
        socket = self.socket(key)
        if socket is None:
            raise KernelError(Errno.ENOENT, f"map {self.name} has no such key")
        return socket.cookie.to_bytes(8, self.order)


class SockMap(SocketMap):
    """An array of sockets; keys are indices of 4 bytes."""

    kind = "sockmap"

    def __init__(self, spec: MapSpec, order: ByteOrder = "little") -> None:
        super().__init__(spec, order)
        self._entries: dict[int, Sock] = {}

    def _index(self, key: bytes) -> int:
        return int.from_bytes(key, self.order)

    def at(self, index: int) -> Sock | None:
        """The socket at `index`."""
        return self._entries.get(index)

    @property
    def places(self) -> int:
        return self.max_entries

    def target(self, place: int) -> tuple[int | bytes, Sock | None]:
        return place, self.at(place)

    def targets(self) -> bytearray:
        targets = bytearray(self.max_entries)
        for index, socket in self._entries.items():
            targets[index] = socket.takes_redirects
        return targets

    def socket(self, key: bytes) -> Sock | None:
        return self.at(self._index(key))

    def _check_index(self, key: bytes) -> None:
        if self._index(key) >= self.max_entries:
            raise KernelError(Errno.E2BIG, f"map {self.name} has {self.max_entries} entries")

    def _check_room(self, key: bytes) -> None:
        """Every index has its place."""

    def _store(self, key: bytes, socket: Sock | None) -> None:
        if socket is None:
            del self._entries[self._index(key)]
        else:
            self._entries[self._index(key)] = socket

    def _absent(self) -> KernelError:
        return KernelError(Errno.EINVAL, f"map {self.name} has nothing there to delete")

    def walk(self) -> Iterator[bytes]:
        """Every index, filled or not."""
        for index in range(self.max_entries):
            yield index.to_bytes(4, self.order)

    def following(self, key: bytes | None) -> bytes:
        index = -1 if key is None else self._index(key)
        if index == self.max_entries - 1:
            raise KernelError(Errno.ENOENT, f"map {self.name} has no further key")
        following = index + 1 if index < self.max_entries else 0
        return following.to_bytes(4, self.order)


class SockHash(SocketMap):
    """A hash of sockets; keys are bytes."""

    kind = "sockhash"

    def __init__(self, spec: MapSpec, order: ByteOrder = "little") -> None:
        super().__init__(spec, order)
        self._entries: dict[bytes, Sock] = {}

    @property
    def places(self) -> int:
        return len(self._entries)

    def target(self, place: int) -> tuple[int | bytes, Sock | None]:
        return next(islice(self._entries.items(), place, None))

    def targets(self) -> bytearray:
        form = struct.Struct(f"=Q{-(-self.key_size // 8) * 8}s")
        entries = (form.pack(socket.takes_redirects, key) for key, socket in self._entries.items())
        return bytearray(struct.pack("=Q", len(self._entries)) + b"".join(entries))

    def socket(self, key: bytes) -> Sock | None:
        return self._entries.get(key)

    def _check_index(self, key: bytes) -> None:
        """Every key is possible."""

    def _check_room(self, key: bytes) -> None:
        if len(self._entries) >= self.max_entries:
            raise KernelError(Errno.E2BIG, f"map {self.name} is full")

    def _store(self, key: bytes, socket: Sock | None) -> None:
        if socket is None:
            del self._entries[key]
        else:
            self._entries[key] = socket

    def _absent(self) -> KernelError:
        return KernelError(Errno.ENOENT, f"map {self.name} has no such key")

    def walk(self) -> Iterator[bytes]:
        """The keys that are there, oldest first; the kernel's order is that of its hash."""
        yield from list(self._entries)
