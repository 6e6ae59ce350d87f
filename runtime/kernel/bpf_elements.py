"""Elements of maps. A key of None is for maps that have no keys."""

from __future__ import annotations

import ctypes
import errno
from collections.abc import Callable, Sequence
from ctypes import byref, c_char, c_size_t, c_uint32, c_uint64
from typing import NamedTuple

from skverdict.runtime.kernel.bpf_calls import Calls

#: Bytes in which kinds of hashes say where a batch ended; the others take a key for it.
_BUCKET = 4


class _BatchOptions(ctypes.Structure):
    """`struct bpf_map_batch_opts`."""

    _fields_ = (("size", c_size_t), ("element_flags", c_uint64), ("flags", c_uint64))


class Lookups(NamedTuple):
    """What a batch of lookups found, and where the next one goes on: None behind the last entry."""

    keys: list[bytes]
    values: list[bytes]
    end: bytes | None


class StoppedBatch(OSError):
    """A batch that was refused after `done` entries."""

    def __init__(self, number: int, reason: str, done: int) -> None:
        super().__init__(number, reason)
        self.done = done


class Elements(Calls):
    """The commands of bpf(2) on the map behind a descriptor."""

    def lookup(self, map_: int, key: bytes | None, size: int, flags: int = 0) -> bytes:
        """The value, of `size` bytes, at `key`."""
        value = ctypes.create_string_buffer(size)
        self._checked(self.library.bpf_map_lookup_elem_flags(map_, key, value, flags), "lookup")
        return value.raw

    def take(self, map_: int, key: bytes | None, size: int, flags: int = 0) -> bytes:
        """The same, and the entry is deleted."""
        value = ctypes.create_string_buffer(size)
        function = self.library.bpf_map_lookup_and_delete_elem_flags
        self._checked(function(map_, key, value, flags), "lookup and delete")
        return value.raw

    def contains(self, map_: int, value: bytes) -> bool:
        """For a bloom filter: whether `value` may have been put in."""
        content = ctypes.create_string_buffer(value, len(value))
        try:
            self._checked(self.library.bpf_map_lookup_elem_flags(map_, None, content, 0), "lookup")
        except FileNotFoundError:
            return False
        return True

    def update(self, map_: int, key: bytes | None, value: bytes, flags: int) -> None:
        self._checked(self.library.bpf_map_update_elem(map_, key, value, flags), "update")

    def delete(self, map_: int, key: bytes | None) -> None:
        self._checked(self.library.bpf_map_delete_elem(map_, key), "delete")

    def next_key(self, map_: int, key: bytes | None, size: int) -> bytes:
        """The key, of `size` bytes, behind `key` in the kernel's order, or the first; ENOENT after the last.
        """
        following = ctypes.create_string_buffer(size)
        self._checked(self.library.bpf_map_get_next_key(map_, key, following), "next key")
        return following.raw

    def freeze(self, map_: int) -> None:
        """Let user space write no more to a map."""
        self._checked(self.library.bpf_map_freeze(map_), "freeze")

    def lookup_batch(
        self,
        map_: int,
        after: bytes | None,
        count: int,
        sizes: tuple[int, int],
        flags: int = 0,
        *,
        delete: bool = False,
    ) -> Lookups:
        """Up to `count` entries behind `after`, the end of the batch before; with `delete` they are gone then.

        `sizes` are those of a key and of a value. ENOSPC: a bucket of the hash holds more than `count`.
        """
        key_size, value_size = sizes
        keys, values = (ctypes.create_string_buffer(max(count, 1) * size) for size in sizes)
        end = ctypes.create_string_buffer(max(key_size, _BUCKET))
        found = c_uint32(count)
        library = self.library
        function = library.bpf_map_lookup_and_delete_batch if delete else library.bpf_map_lookup_batch
        result = function(map_, after, end, keys, values, byref(found), byref(_options(flags)))
        if result != -errno.ENOENT:
            self._checked(result, "lookup batch")
        return Lookups(
            _cut(keys, key_size, found.value),
            _cut(values, value_size, found.value),
            None if result else end.raw,
        )

    def update_batch(self, map_: int, keys: Sequence[bytes], values: Sequence[bytes], flags: int) -> None:
        """Put entries in. Raises StoppedBatch."""
        function = self.library.bpf_map_update_batch
        content, options = b"".join(values), _options(flags)
        self._batch(
            keys, lambda all_keys, count: function(map_, all_keys, content, count, byref(options)), "update"
        )

    def delete_batch(self, map_: int, keys: Sequence[bytes], flags: int) -> None:
        """Remove entries. Raises StoppedBatch."""
        function, options = self.library.bpf_map_delete_batch, _options(flags)
        self._batch(keys, lambda all_keys, count: function(map_, all_keys, count, byref(options)), "delete")

    def _batch(self, keys: Sequence[bytes], command: Callable[..., int], what: str) -> None:
        count = c_uint32(len(keys))
        try:
            self._checked(command(b"".join(keys), byref(count)), f"{what} batch")
        except OSError as error:
            # The kernel does not touch the count where it did not even begin.
            done = count.value if count.value < len(keys) else 0
            raise StoppedBatch(error.errno or 0, error.strerror or what, done) from None


def _options(flags: int) -> _BatchOptions:
    return _BatchOptions(ctypes.sizeof(_BatchOptions), flags, 0)


def _cut(content: ctypes.Array[c_char], size: int, count: int) -> list[bytes]:
    whole = content.raw
    return [whole[at : at + size] for at in range(0, count * size, size)]
