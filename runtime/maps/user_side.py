"""What user space does with maps: the commands of bpf(2), on bytes (kernel/bpf/syscall.c).

Kinds of maps say in the hooks how each is done; what all have in common stands here: who may read and write,
which flags there are, and the batch commands.

| flag of a lookup, update or delete | errno where it does not go |
|---|---|
| `BPF_F_LOCK` | EINVAL: the value has no spin lock |
| `BPF_NOEXIST` | EEXIST: the entry is there |
| `BPF_EXIST` | ENOENT: the entry is not there |
| `BPF_F_CPU`, `BPF_F_ALL_CPUS` | as `element_flags` has it; a delete has neither |
| anything else | EINVAL |

EPERM answers reads of a map made with `BPF_F_WRONLY`, and writes to one that is made with `BPF_F_RDONLY` or
frozen. ENOTSUPP (524) answers a command that the kind does not have.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

from skverdict.codegen.object import MapSpec
from skverdict.dsl.catalogue.programs import KERNELS
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.machine.memory import ByteOrder
from skverdict.runtime.maps.element_flags import BPF_ANY as BPF_ANY
from skverdict.runtime.maps.element_flags import BPF_EXIST as BPF_EXIST
from skverdict.runtime.maps.element_flags import BPF_F_ALL_CPUS, BPF_F_CPU, LOW, names_cpus
from skverdict.runtime.maps.element_flags import BPF_F_LOCK as BPF_F_LOCK
from skverdict.runtime.maps.element_flags import BPF_NOEXIST as BPF_NOEXIST
from skverdict.runtime.maps.special import Special

T = TypeVar("T")

#: Flags of a map that user space may only read, and of one that it may only write.
BPF_F_RDONLY = 1 << 3
BPF_F_WRONLY = 1 << 4


class Cursor(NamedTuple):
    """Where a batch of lookups ended. `rest` are the keys that were still to come, for kinds of hashes."""

    key: bytes
    rest: tuple[bytes, ...] = ()


class Batch(NamedTuple):
    """Entries of a batch of lookups, and where the next one goes on; no `cursor`: there are no more."""

    entries: list[tuple[bytes, bytes]]
    cursor: Cursor | None


class BatchError(KernelError):
    """A batch that stopped: `done` entries were done before the one that was refused, none if it did not begin."""

    def __init__(self, error: KernelError, done: int) -> None:
        super().__init__(error.number, f"entry {done} of the batch: {error.reason}")
        self.done = done


def _each(check: Callable[[], None], things: Iterable[T], do: Callable[[T], None]) -> None:
    """Do it to each, if `check` finds nothing. Raises BatchError at the first refusal."""
    done = 0
    try:
        check()
        for thing in things:
            do(thing)
            done += 1
    except KernelError as error:
        raise BatchError(error, done) from None


class UserSide(ABC):
    """A map with the commands that user space has for it. `spec` is its declaration in the object.

    `order` is the byte order of the machine, in which keys and values hold their numbers. `special` are the
    members of values that the kernel keeps for itself. `batches` names the batch commands that the kind has.
    `snapshots`: a batch of lookups visits the keys that were there when it began, as hashes do; other kinds
    look for the key after the last one. `takes`: an entry can be read and removed at once.
    """

    batches: frozenset[str] = frozenset()
    snapshots = False
    takes = False
    #: The version of Linux whose answers user space gets.
    kernel = KERNELS[-1]
    special: tuple[Special, ...] = ()
    kind: str

    def __init__(self, spec: MapSpec, order: ByteOrder = "little") -> None:
        self.spec = spec
        self.order: ByteOrder = order
        self.frozen = False
        #: The number by which the kernel knows the map.
        self.number = 0

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

    # Hooks: how the kind does it

    @abstractmethod
    def copy(self, key: bytes) -> bytes:
        """The value as user space gets it. Raises KernelError, ENOENT where there is none."""

    def copy_by(self, key: bytes, flags: int) -> bytes:
        """What of the value `flags` ask for; per-CPU maps have a choice."""
        return self.copy(key)

    @abstractmethod
    def write(self, key: bytes, value: bytes, flags: int = BPF_ANY) -> None:
        """Put `value` at `key`. Raises KernelError with the kernel's errno."""

    @abstractmethod
    def remove(self, key: bytes) -> None:
        """Remove the entry at `key`. Raises KernelError with the kernel's errno, ENOENT where there is
        none."""

    @abstractmethod
    def walk(self) -> Iterator[bytes]:
        """The keys in the order in which user space meets them."""

    @abstractmethod
    def following(self, key: bytes | None) -> bytes:
        """The key after `key`, or the first one for None. Raises KernelError ENOENT after the last."""

    def withdraw(self, key: bytes) -> bytes:
        """The value at `key`, taken out."""
        value = self.copy(key)
        self.remove(key)
        return value

    # Commands

    def read(self, key: bytes, flags: int = 0) -> bytes:
        """BPF_MAP_LOOKUP_ELEM: a copy of the value; spin locks and timers in it are zero."""
        if self.kernel != KERNELS[-1] and flags & ~BPF_F_LOCK:
            raise KernelError(Errno.EINVAL, f"map {self.name}: unknown flags {flags & ~BPF_F_LOCK:#x}")
        self.check_readable()
        self._check_flags(flags, BPF_F_LOCK | BPF_F_CPU)
        return self.copy_by(key, flags)

    def update(self, key: bytes, value: bytes, flags: int = BPF_ANY) -> None:
        """BPF_MAP_UPDATE_ELEM."""
        self.check_writable()
        self._check_flags(flags, flags)
        self.write(key, value, flags)

    def delete(self, key: bytes) -> None:
        """BPF_MAP_DELETE_ELEM."""
        self.check_writable()
        self.remove(key)

    def take(self, key: bytes = b"", flags: int = 0) -> bytes:
        """BPF_MAP_LOOKUP_AND_DELETE_ELEM: read the value and remove the entry at once.

        Hashes, queues and stacks have that.
        """
        if flags & ~BPF_F_LOCK:
            raise KernelError(Errno.EINVAL, f"map {self.name}: unknown flags {flags & ~BPF_F_LOCK:#x}")
        self.check_readable()
        self.check_writable()
        self._check_flags(flags, BPF_F_LOCK)
        if not self.takes:
            raise self.unsupported("take")
        return self.withdraw(key)

    def next_key(self, key: bytes | None) -> bytes:
        """BPF_MAP_GET_NEXT_KEY: the key after `key`, or the first one for None. ENOENT after the last.

        A key that is not there is followed by the first one in most kinds.
        """
        self.check_readable()
        return self.following(key)

    def keys(self) -> Iterator[bytes]:
        """The keys, as a walk by `next_key` finds them."""
        self.check_readable()
        return self.walk()

    def freeze(self) -> None:
        """BPF_MAP_FREEZE: user space can write no more. EPERM if it cannot now, ENOTSUPP with locks or timers
        in values. Linux 6.1 says EBUSY if the map is frozen, and freezes one that is for reading only."""
        if self.special:
            raise self.unsupported("freeze")
        if self.kernel != "6.1":
            self.check_writable()
        elif self.frozen:
            raise KernelError(Errno.EBUSY, f"map {self.name} is frozen")
        self.frozen = True

    def lookup_batch(self, count: int, after: Cursor | None = None, flags: int = 0) -> Batch:
        """BPF_MAP_LOOKUP_BATCH: up to `count` entries behind `after`.

        The kernel's hashes hand out whole buckets, and say ENOSPC for one that does not fit; here every
        entry fits.
        """
        self._check_batch("lookup", flags, BPF_F_LOCK | BPF_F_CPU)
        return self._lookups(count, after, lambda key: self.copy_by(key, flags))

    def lookup_and_delete_batch(self, count: int, after: Cursor | None = None, flags: int = 0) -> Batch:
        """BPF_MAP_LOOKUP_AND_DELETE_BATCH: as `lookup_batch`, and the entries are gone."""
        self._check_batch("lookup_and_delete", flags, BPF_F_LOCK)
        return self._lookups(count, after, self.withdraw)

    def update_batch(self, entries: Iterable[tuple[bytes, bytes]], flags: int = BPF_ANY) -> None:
        """BPF_MAP_UPDATE_BATCH. Raises BatchError at the first entry that is refused.

        `flags` are none, `BPF_F_LOCK`, or for CPUs: the batch commands know no others (EINVAL).
        """
        known = BPF_F_LOCK | BPF_F_CPU | BPF_F_ALL_CPUS
        _each(
            lambda: self._check_batch("update", flags, known), entries, lambda entry: self.write(*entry, flags)
        )

    def delete_batch(self, keys: Iterable[bytes], flags: int = 0) -> None:
        """BPF_MAP_DELETE_BATCH. Raises BatchError at the first key that is refused."""
        _each(lambda: self._check_batch("delete", flags, BPF_F_LOCK), keys, self.remove)

    def _lookups(self, count: int, after: Cursor | None, read: Callable[[bytes], bytes]) -> Batch:
        """Up to `count` entries, read by `read`."""
        entries: list[tuple[bytes, bytes]] = []
        cursor = after
        while len(entries) < count:
            following = self._advanced(cursor)
            if following is None:
                return Batch(entries, None)
            cursor = following
            try:
                entries.append((cursor.key, read(cursor.key)))
            except KernelError as error:
                # The entry is gone, or was never filled.
                if error.number is not Errno.ENOENT:
                    raise
        return Batch(entries, cursor)

    def _advanced(self, cursor: Cursor | None) -> Cursor | None:
        """The place of the next key; None behind the last one."""
        if self.snapshots:
            rest = tuple(self.walk()) if cursor is None else cursor.rest
            return Cursor(rest[0], rest[1:]) if rest else None
        try:
            return Cursor(self.following(None if cursor is None else cursor.key))
        except KernelError as error:
            if error.number is not Errno.ENOENT:
                raise
            return None

    def check_readable(self) -> None:
        """Raise KernelError EPERM if user space may not read."""
        if self.spec.flags & BPF_F_WRONLY:
            raise KernelError(Errno.EPERM, f"map {self.name} is for user space to write only")

    def check_writable(self) -> None:
        """Raise KernelError EPERM if user space may not write, or not any more."""
        if self.frozen or self.spec.flags & BPF_F_RDONLY:
            why = "is frozen" if self.frozen else "is for user space to read only"
            raise KernelError(Errno.EPERM, f"map {self.name} {why}")

    def _check_flags(self, flags: int, allowed: int) -> None:
        if flags & LOW & ~allowed:
            raise KernelError(Errno.EINVAL, f"map {self.name}: unknown flags {flags & LOW & ~allowed:#x}")
        if flags & BPF_F_LOCK and not self.has_lock:
            raise KernelError(Errno.EINVAL, f"map {self.name} has no spin lock")
        self.check_cpus(flags)

    def check_cpus(self, flags: int) -> None:
        """Raise KernelError for flags about CPUs that the map cannot follow."""
        if names_cpus(flags):
            raise KernelError(Errno.EINVAL, f"map {self.name}, for flags {flags:#x}, is no per-CPU map")

    def _check_batch(self, command: str, flags: int, known: int) -> None:
        """Who may is looked at before what the kind has (`bpf_map_do_batch`)."""
        if command.startswith("lookup"):
            self.check_readable()
        if command != "lookup":
            self.check_writable()
        if command not in self.batches:
            raise self.unsupported(f"{command}_batch")
        self._check_flags(flags, known)

    @property
    def has_lock(self) -> bool:
        """True if values hold a spin lock."""
        return any(member.kind == "spin_lock" for member in self.special)

    def unsupported(self, command: str) -> KernelError:
        """The answer to a command that the kind does not have."""
        return KernelError(Errno.ENOTSUPP, f"maps of kind {self.kind} have no {command}")
