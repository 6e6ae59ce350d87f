"""What maps do in ordinary Python: the methods that programs call, and those of a dict, for tests to fill and read.

    policy.counts[80] = 3
    assert policy.verdict(SkSkb(local_port=80)) == SK_PASS
    assert policy.counts[80] == 4

Keys and values take the types that the map declares. What a program gets are places, which change the entry. There
is one CPU, and no user space beside the test.
"""

from __future__ import annotations

import errno
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator, MutableMapping
from typing import TYPE_CHECKING, Any

from skverdict.dsl.constants import (
    BPF_EXIST,
    BPF_F_LOCK,
    BPF_NOEXIST,
    BPF_SK_STORAGE_GET_F_CREATE,
    SK_DROP,
    SK_PASS,
)
from skverdict.dsl.kernel_structs import bpf_spin_lock
from skverdict.dsl.places import encoded, place, read, size
from skverdict.dsl.scalars import i64
from skverdict.dsl.structs import is_struct_class, members_of

if TYPE_CHECKING:
    from skverdict.dsl.maps import Map


def entries_of(map_: Map) -> object:
    """What `map_` holds in ordinary Python, with the methods of its kind."""
    kind = _KINDS.get(map_.kind)
    if kind is None:
        raise AttributeError(f"a {type(map_).__name__} is for the policy's programs only")
    return kind(map_)


def _answer(number: int = 0) -> int:
    """What a helper gives: 0, or an errno, which is negative."""
    return i64(-number)


def _most(map_: Map) -> int:
    """How many entries a map may have."""
    return int(map_.max_entries)  # type: ignore[call-overload, no-any-return]


def _has_lock(map_: Map) -> bool:
    """True if values of the map have a spin lock."""
    return is_struct_class(map_.value) and bpf_spin_lock in members_of(map_.value).values()


class _Table(MutableMapping[Any, Any]):
    """Entries by key (`kernel/bpf/hashtab.c`)."""

    forgets = False
    full = errno.E2BIG

    def __init__(self, map_: Map) -> None:
        self._map = map_
        # Keys and values as bytes, the least recently used first.
        self._values: OrderedDict[bytes, bytearray] = OrderedDict()

    def _key(self, key: object) -> bytes:
        return encoded(self._map.key, key)

    def _found(self, key: bytes) -> bytearray | None:
        found = self._values.get(key)
        if found is not None:
            self._values.move_to_end(key)
        return found

    def _is_full(self) -> bool:
        return len(self._values) >= _most(self._map)

    def _keys(self) -> list[bytes]:
        return list(self._values)

    def lookup(self, key: object) -> Any:
        """The place of an entry, or None."""
        found = self._found(self._key(key))
        return None if found is None else place(self._map.value, found)

    def lookup_percpu(self, key: object, cpu: int) -> Any:
        """The place of an entry of the only CPU, which is 0, or None."""
        return self.lookup(key) if cpu == 0 else None

    def update(self, key: object, value: object, flags: int = 0) -> int:  # type: ignore[override]
        """Set an entry: 0, or EINVAL, EEXIST, ENOENT, or that the map is full, negative."""
        packed, content = self._key(key), encoded(self._map.value, value)
        found = self._found(packed)
        refusal = self._refusal(found, flags)
        if refusal:
            return _answer(refusal)
        if found is None and self._is_full():
            self._values.popitem(last=False)
        if found is not None and self._stays(flags):
            found[:] = content
        else:
            self._values[packed] = bytearray(content)
        return _answer()

    def _refusal(self, found: bytearray | None, flags: int) -> int:
        """The errno that an update gives, or 0."""
        if flags & ~BPF_F_LOCK > BPF_EXIST or (flags & BPF_F_LOCK and not _has_lock(self._map)):
            return errno.EINVAL
        if flags & BPF_NOEXIST and found is not None:
            return errno.EEXIST
        if flags & BPF_EXIST and found is None:
            return errno.ENOENT
        return self.full if found is None and self._is_full() and not self.forgets else 0

    def _stays(self, flags: int) -> bool:
        """True if an update changes an entry where it is; otherwise places that are known keep the old one."""
        return bool(flags & BPF_F_LOCK) or "percpu" in self._map.kind

    def delete(self, key: object) -> int:
        """Remove an entry: 0, or ENOENT, negative."""
        return _answer(errno.ENOENT if self._values.pop(self._key(key), None) is None else 0)

    def for_each(self, callback: Callable[..., int], context: object = None, flags: int = 0) -> int:
        """Call a function with each key, its entry and the context until it gives 1; how often it was called."""
        number = 0
        for key in self:
            number += 1
            if callback(key, self.lookup(key), *(() if context is None else (context,))) == 1:
                break
        return i64(number)

    def __getitem__(self, key: object) -> Any:
        found = self._found(self._key(key))
        if found is None:
            raise KeyError(key)
        return read(self._map.value, found, 0)

    def __setitem__(self, key: object, value: object) -> None:
        answer = self.update(key, value)
        if answer:
            raise OSError(-answer, f"the {type(self._map).__name__} takes no entry {key!r}")

    def __delitem__(self, key: object) -> None:
        if self.delete(key):
            raise KeyError(key)

    def __iter__(self) -> Iterator[Any]:
        return iter([read(self._map.key, bytearray(key), 0) for key in self._keys()])

    def __len__(self) -> int:
        return len(self._keys())

    def __contains__(self, key: object) -> bool:
        return self._found(self._key(key)) is not None


class _ForgettingTable(_Table):
    """A full one lets the least recently used entry go (`kernel/bpf/bpf_lru_list.c` takes one of the oldest)."""

    forgets = True


class _Array(_Table):
    """Entries by index, all there from the start (`kernel/bpf/arraymap.c`)."""

    def _found(self, key: bytes) -> bytearray | None:
        if int.from_bytes(key, sys.byteorder) >= _most(self._map):
            return None
        if key not in self._values:
            self._values[key] = bytearray(size(self._map.value))
        return self._values[key]

    def _refusal(self, found: bytearray | None, flags: int) -> int:
        if flags & ~BPF_F_LOCK > BPF_EXIST:
            return errno.EINVAL
        if found is None:
            return errno.E2BIG
        if flags & BPF_NOEXIST:
            return errno.EEXIST
        return errno.EINVAL if flags & BPF_F_LOCK and not _has_lock(self._map) else 0

    def _stays(self, flags: int) -> bool:
        return True

    def _keys(self) -> list[bytes]:
        return [encoded(self._map.key, index) for index in range(_most(self._map))]

    def delete(self, key: object) -> int:
        """Refused."""
        return _answer(errno.EINVAL)


class _LpmTrie(_Table):
    """Entries by the longest prefix of a key: a u32 of bits, and the bytes that they are of."""

    full = errno.ENOSPC

    def _key(self, key: object) -> bytes:
        packed = encoded(self._map.key, key)
        return packed[:4] + _first_bits(packed[4:], _bits(packed))

    def lookup(self, key: object) -> Any:
        """The place of the entry with the longest prefix of `key`, or None."""
        packed = self._key(key)
        fits = [
            (_bits(other), value)
            for other, value in self._values.items()
            if _bits(other) <= _bits(packed) and _first_bits(packed[4:], _bits(other)) == other[4:]
        ]
        return place(self._map.value, max(fits, key=lambda one: one[0])[1]) if fits else None


def _bits(key: bytes) -> int:
    return int.from_bytes(key[:4], sys.byteorder)


def _first_bits(content: bytes, bits: int) -> bytes:
    """`content` with all but its first bits zero."""
    width = 8 * len(content)
    rest = max(0, width - bits)
    return (int.from_bytes(content, "big") >> rest << rest).to_bytes(len(content), "big")


class _Sockets(_Table):
    """Sockets, which are whatever a test puts in, by index or key (`net/core/sock_map.c`)."""

    def __init__(self, map_: Map) -> None:
        super().__init__(map_)
        self._sockets: dict[bytes, Any] = {}

    def redirect(self, context: object, key: object, flags: int = 0) -> int:
        """SK_PASS if there is a socket under `key`, else SK_DROP."""
        return i64(SK_PASS if key in self else SK_DROP)

    def lookup(self, key: object) -> Any:
        """The socket, or None."""
        return self._sockets.get(self._key(key))

    def update(self, key: object, value: object, flags: int = 0) -> int:  # type: ignore[override]
        """`update(skops, key)`: put the connection in."""
        self._sockets[self._key(value)] = key
        return _answer()

    def delete(self, key: object) -> int:
        """Take a socket out: 0, or a negative errno."""
        missing = errno.EINVAL if self._map.kind == "sockmap" else errno.ENOENT
        return _answer(missing if self._sockets.pop(self._key(key), None) is None else 0)

    def __getitem__(self, key: object) -> Any:
        return self._sockets[self._key(key)]

    def __setitem__(self, key: object, value: object) -> None:
        self._sockets[self._key(key)] = value

    def __iter__(self) -> Iterator[Any]:
        return iter([read(self._map.key, bytearray(key), 0) for key in self._sockets])

    def __len__(self) -> int:
        return len(self._sockets)

    def __contains__(self, key: object) -> bool:
        return self._key(key) in self._sockets


class _Values:
    """Values in a row (`kernel/bpf/queue_stack_maps.c`); what is taken out first lies at `end`."""

    end = 0

    def __init__(self, map_: Map) -> None:
        self._map = map_
        self._values: list[bytearray] = []

    def push(self, value: object, flags: int = 0) -> int:
        """Put a value in: 0, or EINVAL or E2BIG, negative; with BPF_EXIST the oldest makes room."""
        if flags not in (0, BPF_EXIST):
            return _answer(errno.EINVAL)
        if len(self._values) >= _most(self._map):
            if flags != BPF_EXIST:
                return _answer(errno.E2BIG)
            del self._values[0]
        self._values.append(bytearray(encoded(self._map.value, value)))
        return _answer()

    def peek(self) -> Any:
        """The next value, or None."""
        return place(self._map.value, bytearray(self._values[self.end])) if self._values else None

    def pop(self) -> Any:
        """Take the next value out, or None."""
        return place(self._map.value, self._values.pop(self.end)) if self._values else None

    def __iter__(self) -> Iterator[Any]:
        return iter([read(self._map.value, value, 0) for value in self._values])

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, value: object) -> bool:
        return encoded(self._map.value, value) in self._values


class _Stack(_Values):
    end = -1


class _Filter(_Values):
    """A filter that is never wrong: what it holds was put in."""

    def push(self, value: object, flags: int = 0) -> int:
        """Put a value in: 0, or EINVAL, negative."""
        if flags:
            return _answer(errno.EINVAL)
        self._values.append(bytearray(encoded(self._map.value, value)))
        return _answer()


class _Records(list[Any]):
    """Records for user space: the test, which finds them in a list."""

    def __init__(self, map_: Map) -> None:
        super().__init__()

    def reserve(self, type: type[Any], flags: int = 0) -> Any:
        """Room for a record."""
        return type()

    def submit(self, record: Any, flags: int = 0) -> None:
        """Hand a record over."""
        self.append(record)

    def discard(self, record: Any, flags: int = 0) -> None:
        """Give a record up."""

    def output(self, *arguments: Any, flags: int = 0) -> int:
        """Hand over a copy of a structure, the last argument that is one."""
        value = next(one for one in reversed(arguments) if not isinstance(one, int))
        self.append(value.copy())
        return _answer()


class _OfMaps(dict[Any, Any]):
    """Maps by index or key."""

    def __init__(self, map_: Map) -> None:
        super().__init__(enumerate(getattr(map_, "maps", None) or ()))

    def lookup(self, key: Any) -> Any:
        """A map, or None."""
        return self.get(key)


class _OfSockets:
    """A value beside each socket."""

    def __init__(self, map_: Map) -> None:
        self._map = map_
        # With the sockets, so that no other object can take the place of one.
        self._values: dict[int, tuple[object, bytearray]] = {}

    def get(self, sk: object, value: object = None, flags: int = 0) -> Any:
        """The place of the socket's value, made if that is asked for, or None."""
        if id(sk) not in self._values:
            if not flags & BPF_SK_STORAGE_GET_F_CREATE:
                return None
            first = bytes(size(self._map.value)) if value is None else encoded(self._map.value, value)
            self._values[id(sk)] = (sk, bytearray(first))
        return place(self._map.value, self._values[id(sk)][1])

    def delete(self, sk: object) -> int:
        """Remove the socket's value: 0, or ENOENT, negative."""
        return _answer(errno.ENOENT if self._values.pop(id(sk), None) is None else 0)

    def __len__(self) -> int:
        return len(self._values)


_KINDS: dict[str, Callable[[Map], object]] = {
    "array": _Array,
    "array_of_maps": _OfMaps,
    "bloom_filter": _Filter,
    "hash": _Table,
    "hash_of_maps": _OfMaps,
    "lpm_trie": _LpmTrie,
    "lru_hash": _ForgettingTable,
    "lru_percpu_hash": _ForgettingTable,
    "percpu_array": _Array,
    "percpu_hash": _Table,
    "perf_event_array": _Records,
    "queue": _Values,
    "ringbuf": _Records,
    "sk_storage": _OfSockets,
    "sockhash": _Sockets,
    "sockmap": _Sockets,
    "stack": _Stack,
}
