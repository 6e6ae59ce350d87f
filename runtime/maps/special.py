"""Members of map values that the kernel keeps for itself: spin locks, timers and their like.

They are found by the names of their types, as `btf_parse_fields` in kernel/bpf/btf.c does. Programs reach
them through helpers only, user space sees zeros in their place, and an update leaves them alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from skverdict.codegen.btf import Btf
from skverdict.codegen.btf_types import Array, Composite, Reference

if TYPE_CHECKING:
    from skverdict.runtime.maps.base import Map


class Special(NamedTuple):
    """A member at `offset` bytes of the value; `kind` is the kernel's name for it without `bpf_`."""

    kind: str
    offset: int
    size: int

    @property
    def name(self) -> str:
        """The name of its type, or the tag of the pointer."""
        return self.kind if self.kind in _POINTER_TAGS else _PREFIX + self.kind


class Place(NamedTuple):
    """A special member of an entry: its map, the memory of the entry's value, and which member."""

    map: Map
    memory: bytearray
    member: Special


#: Types with their sizes in bytes. A value has at most one of each of the first row.
_UNIQUE = {"spin_lock": 4, "res_spin_lock": 4, "timer": 16, "wq": 16, "task_work": 8, "refcount": 4}
_SIZES = {**_UNIQUE, "list_head": 16, "list_node": 24, "rb_root": 16, "rb_node": 32}
#: Tags of pointers to kernel objects.
_POINTER_TAGS = ("kptr", "kptr_untrusted", "percpu_kptr", "uptr")
_POINTER_SIZE = 8
_PREFIX = "bpf_"
_TYPES = frozenset(_PREFIX + kind for kind in _SIZES)

#: Members that a value has at most (BTF_FIELDS_MAX), and structs in structs that are looked into
#: (MAX_RESOLVE_DEPTH).
_MOST = 11
_DEEPEST = 32


class TooMany(Exception):
    """A value with more special members, of one kind or of all, than the kernel allows."""


def special_members(btf: Btf | None, type_id: int) -> tuple[Special, ...]:
    """The special members of values of BTF type `type_id` (0: unknown), by offset. Raises TooMany."""
    if btf is None or type_id == 0:
        return ()
    found = _Finder(btf).members(type_id)
    kinds = [member.kind for member in found]
    for kind in _UNIQUE:
        if kinds.count(kind) > 1:
            raise TooMany(f"values have more than one {_PREFIX}{kind}")
    return found


class _Finder:
    """Looks each type through once, however often it is a member."""

    def __init__(self, btf: Btf) -> None:
        self._btf = btf
        self._known: dict[int, tuple[Special, ...]] = {}

    def members(self, type_id: int, depth: int = 0) -> tuple[Special, ...]:
        """The special members in something of a type, by offset from its beginning."""
        type_id = self._btf.resolve_id(type_id)
        found = self._known.get(type_id)
        if found is None:
            found = self._known[type_id] = tuple(sorted(self._look(type_id, depth), key=_offset))
        if len(found) > _MOST:
            raise TooMany(f"values have more than {_MOST} members that the kernel keeps for itself")
        return found

    def _look(self, type_id: int, depth: int) -> Iterator[Special]:
        type_ = self._btf.type(type_id)
        if isinstance(type_, Array):
            inside = self.members(type_.element_id, depth)
            if inside and len(inside) * type_.length > _MOST:
                raise TooMany(f"values have more than {_MOST} members that the kernel keeps for itself")
            size = self._btf.size_of(type_.element_id)
            for index in range(type_.length if inside else 0):
                yield from _moved(inside, index * size)
        elif isinstance(type_, Composite) and type_.kind == "struct":
            if type_.name in _TYPES:
                kind = type_.name.removeprefix(_PREFIX)
                yield Special(kind, 0, _SIZES[kind])
            elif depth < _DEEPEST:
                for member in type_.members:
                    yield from _moved(self.members(member.type_id, depth + 1), member.bit_offset // 8)
        elif isinstance(type_, Reference) and type_.kind == "ptr":
            target = self._btf.type(type_.type_id)
            if isinstance(target, Reference) and target.kind == "type_tag" and target.name in _POINTER_TAGS:
                yield Special(target.name, 0, _POINTER_SIZE)


def is_special(btf: Btf, type_id: int) -> bool:
    """True for the type of a special member itself, such as `struct bpf_timer`."""
    type_ = btf.resolve(type_id)
    return isinstance(type_, Composite) and type_.name in _TYPES


def _offset(member: Special) -> int:
    return member.offset


def _moved(members: tuple[Special, ...], by: int) -> Iterator[Special]:
    return (member._replace(offset=member.offset + by) for member in members)


def split(size: int, special: tuple[Special, ...]) -> tuple[slice, ...]:
    """The parts of a value of `size` bytes that are not special."""
    begins = [0, *(member.offset + member.size for member in special)]
    ends = [*(member.offset for member in special), size]
    return tuple(slice(begin, end) for begin, end in zip(begins, ends, strict=True) if begin < end)
