"""The kernel's maps: of bytes, by their descriptors, and as users see them, by typed keys and values."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from skverdict.codegen.btf import Btf
from skverdict.codegen.object import MapSpec
from skverdict.dsl.catalogue.maps import MAPS, MapKind
from skverdict.runtime.kernel.bpf import Bpf
from skverdict.runtime.kernel.bpf_elements import StoppedBatch
from skverdict.runtime.kernel.errors import refusals
from skverdict.runtime.kernel.suitability import unsuitable
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.machine.memory import ByteOrder
from skverdict.runtime.maps.base import BPF_ANY
from skverdict.runtime.maps.element_flags import is_single
from skverdict.runtime.maps.map_view import MapView, RawMap
from skverdict.runtime.maps.typed import ValueMismatch, value_codec
from skverdict.runtime.maps.user_side import Batch, BatchError, Cursor

KIND_BY_TYPE = {kind.map_type: kind for kind in MAPS.values()}

#: What stands for maps of types that no policy can declare.
_UNKNOWN = MapKind("unknown", "", 0, range(1 << 32), range(1 << 32), "memory", 0)


class KernelMap:
    """A map in the kernel, of bytes. `spec` is its declaration, with the sizes that the map really has."""

    def __init__(self, bpf: Bpf, descriptor: int, spec: MapSpec) -> None:
        self._bpf = bpf
        self.descriptor = descriptor
        self.spec = spec
        self.map_kind = KIND_BY_TYPE.get(spec.map_type, _UNKNOWN)

    @property
    def kind(self) -> str:
        return self.map_kind.kind

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def key_size(self) -> int:
        return self.spec.key_size

    @property
    def value_size(self) -> int:
        return self.spec.value_size

    @property
    def order(self) -> ByteOrder:
        return sys.byteorder

    def entry_size(self, flags: int = 0) -> int:
        """Bytes that user space reads and writes for one entry with `flags`."""
        return self.value_size

    def _key(self, key: bytes) -> bytes | None:
        """What the kernel wants for `key`: nothing for a map without keys."""
        return key if self.map_kind.has_key else None

    def read(self, key: bytes, flags: int = 0) -> bytes:
        with refusals(f"map {self.name}"):
            return self._bpf.lookup(self.descriptor, self._key(key), self.entry_size(flags), flags)

    def update(self, key: bytes, value: bytes, flags: int = BPF_ANY) -> None:
        with refusals(f"map {self.name}"):
            self._bpf.update(self.descriptor, self._key(key), value, flags)

    def delete(self, key: bytes) -> None:
        with refusals(f"map {self.name}"):
            self._bpf.delete(self.descriptor, self._key(key))

    def next_key(self, key: bytes | None) -> bytes:
        with refusals(f"map {self.name}"):
            return self._bpf.next_key(self.descriptor, key, self.key_size)

    def keys(self) -> Iterator[bytes]:
        """The keys as the kernel walks them: one deleted meanwhile sends it back to the first."""
        last: bytes | None = None
        while True:
            try:
                last = self.next_key(last)
            except KernelError as error:
                if error.number is not Errno.ENOENT:
                    raise
                return
            yield last

    def take(self, key: bytes = b"", flags: int = 0) -> bytes:
        """Read the value at `key`, or the next one of a queue or stack, and remove it."""
        with refusals(f"map {self.name}"):
            return self._bpf.take(self.descriptor, self._key(key), self.entry_size(), flags)

    def freeze(self) -> None:
        """Let user space write no more to it."""
        with refusals(f"map {self.name}"):
            self._bpf.freeze(self.descriptor)

    def contains(self, value: bytes) -> bool:
        """Ask a bloom filter."""
        with refusals(f"map {self.name}"):
            return self._bpf.contains(self.descriptor, value)

    def lookup_batch(self, count: int, after: Cursor | None = None, flags: int = 0) -> Batch:
        """BPF_MAP_LOOKUP_BATCH. ENOSPC: a bucket of the hash holds more than `count` entries."""
        return self._lookups(count, after, flags, delete=False)

    def lookup_and_delete_batch(self, count: int, after: Cursor | None = None, flags: int = 0) -> Batch:
        """BPF_MAP_LOOKUP_AND_DELETE_BATCH."""
        return self._lookups(count, after, flags, delete=True)

    def _lookups(self, count: int, after: Cursor | None, flags: int, delete: bool) -> Batch:
        sizes = (self.key_size, self.entry_size(0 if delete else flags))
        with refusals(f"map {self.name}"):
            found = self._bpf.lookup_batch(
                self.descriptor, after and after.key, count, sizes, flags, delete=delete
            )
        entries = list(zip(found.keys, found.values, strict=True))
        if not count:
            return Batch(entries, after)  # the kernel says nothing of where it ended
        return Batch(entries, None if found.end is None else Cursor(found.end))

    def update_batch(self, entries: Iterable[tuple[bytes, bytes]], flags: int = BPF_ANY) -> None:
        """BPF_MAP_UPDATE_BATCH. Raises BatchError."""
        content = list(entries)
        keys, values = [key for key, _ in content], [value for _, value in content]
        with self._batch_refusals():
            self._bpf.update_batch(self.descriptor, keys, values, flags)

    def delete_batch(self, keys: Iterable[bytes], flags: int = 0) -> None:
        """BPF_MAP_DELETE_BATCH. Raises BatchError."""
        with self._batch_refusals():
            self._bpf.delete_batch(self.descriptor, list(keys), flags)

    @contextmanager
    def _batch_refusals(self) -> Iterator[None]:
        """Tell the kernel's refusals of a batch with the number of entries that were done."""
        try:
            yield
        except StoppedBatch as stopped:
            reason = f"map {self.name}: {stopped.strerror}"
            raise BatchError(KernelError(Errno(stopped.errno or 0), reason), stopped.done) from None


class KernelPerCpuMap(KernelMap):
    """A map whose entries have a value for each CPU that the machine can have."""

    @property
    def cpus(self) -> int:
        return self._bpf.cpus

    @property
    def stride(self) -> int:
        """Bytes from one CPU's value to the next one's."""
        return -(-self.value_size // 8) * 8

    def entry_size(self, flags: int = 0) -> int:
        return self.value_size if is_single(flags) else self.stride * self.cpus

    def update(self, key: bytes, value: bytes, flags: int = BPF_ANY) -> None:
        # A kernel without the flags for CPUs reads a value for each CPU before it refuses them.
        content = value.ljust(self.entry_size(), b"\0") if is_single(flags) else value
        super().update(key, content, flags)


def descriptor_of(socket: Any, raw: RawMap, part: str) -> int:
    """The number of a socket's descriptor, which is what the kernel takes; `part` says for what of the map.

    Raises ValueMismatch for what is no socket, and KernelError EBADF for one that is closed.
    """
    descriptor = socket if isinstance(socket, int) else getattr(socket, "fileno", lambda: None)()
    if not isinstance(descriptor, int) or isinstance(descriptor, bool):
        raise ValueMismatch(f"{part} of {raw.name}: {socket!r} is no socket")
    if descriptor < 0:
        raise KernelError(Errno.EBADF, f"map {raw.name}: the socket is closed")
    return descriptor


class KernelSocketMapView(MapView):
    """A map of sockets: put sockets in, get their cookies back."""

    def update(self, key: Any, value: Any, flags: int = BPF_ANY) -> None:
        """Put socket `value` in: one of this package's, one of Python's, or a descriptor.

        EBUSY: it has such programs already. EOPNOTSUPP: its state or kind does not go in. E2BIG: the map ends
        before that index, or is full. EEXIST and ENOENT: as the flags have it. EBADF: it is closed.
        """
        descriptor = descriptor_of(value, self.raw, "value")
        content = descriptor.to_bytes(self.raw.value_size, self.raw.order)
        try:
            self.raw.update(self.key_bytes(key), content, flags)
        except KernelError as error:
            reason = unsuitable(descriptor, error.number)
            if not reason:
                raise
            raise KernelError(error.number, f"{error.reason}; {reason}") from None

    def lookup(self, key: Any, flags: int = 0) -> int:
        """The cookie of the socket at `key`. ENOENT: there is none. ENOSPC: values have 4 bytes only."""
        return int.from_bytes(self.raw.read(self.key_bytes(key), flags), self.raw.order)

    def __contains__(self, key: Any) -> bool:
        try:
            self.lookup(key)
        except KernelError as error:
            if error.number is not Errno.ENOENT:
                raise
            return False
        return True

    def __len__(self) -> int:
        """How many sockets there are; walking the keys of a sockmap gives every index, filled or not."""
        return sum(key in self for key in list(self.raw.keys()))


class KernelQueueView:
    """A queue, stack or bloom filter."""

    def __init__(self, raw: KernelMap, btf: Btf | None = None) -> None:
        self.raw = raw
        self._value = value_codec(raw, btf)

    def push(self, value: Any, flags: int = BPF_ANY) -> None:
        """Put a value in. E2BIG: the map is full."""
        self.raw.update(b"", self._value.encode(value, f"value of {self.raw.name}"), flags)

    def pop(self) -> Any:
        """Take the next value out; None if there is none."""
        return self._next(self.raw.take)

    def peek(self) -> Any:
        """The value that would come out next; None if there is none."""
        return self._next(lambda: self.raw.read(b""))

    def _next(self, read: Any) -> Any:
        if self.raw.kind == "bloom_filter":
            raise KernelError(Errno.EOPNOTSUPP, f"map {self.raw.name} gives nothing back")
        try:
            return self._value.decode(read())
        except KernelError as error:
            if error.number is not Errno.ENOENT:
                raise
            return None

    def __contains__(self, value: Any) -> bool:
        """For a bloom filter: was it put in?"""
        if self.raw.kind != "bloom_filter":
            raise KernelError(Errno.EOPNOTSUPP, f"map {self.raw.name} is no bloom filter")
        return self.raw.contains(self._value.encode(value, f"value of {self.raw.name}"))
