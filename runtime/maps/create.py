"""From a declaration to a map, as the kernel creates one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from skverdict.codegen.btf import Btf
from skverdict.codegen.object import MapSpec
from skverdict.dsl.catalogue.maps import MAPS, MEMORY, MapKind
from skverdict.runtime.machine.errno import Errno
from skverdict.runtime.machine.memory import ByteOrder
from skverdict.runtime.maps.array import ArrayMap
from skverdict.runtime.maps.base import BPF_F_RDONLY_PROG, BPF_F_WRONLY_PROG, Map, MapError
from skverdict.runtime.maps.hash import HashMap, LruHashMap
from skverdict.runtime.maps.lpm_trie import LpmTrie
from skverdict.runtime.maps.per_cpu import LruPerCpuHashMap, PerCpuArray, PerCpuHashMap
from skverdict.runtime.maps.program_array import ProgramArray
from skverdict.runtime.maps.queue import BloomFilterMap, QueueMap, StackMap
from skverdict.runtime.maps.ring_buffer import RingBuffer
from skverdict.runtime.maps.special import Special, TooMany, special_members
from skverdict.runtime.maps.user_side import BPF_F_RDONLY, BPF_F_WRONLY

#: Makes a map of one kind from its declaration and the byte order of the machine.
MapMaker = Callable[[MapSpec, ByteOrder], Map]

_PAGE = 4096
#: The members of values that the simulator has, of those that the kernel keeps for itself.
_SIMULATED = ("spin_lock", "timer")
#: Who may do what: flags that a map has one of at most.
_EXCLUSIVE = ((BPF_F_RDONLY, BPF_F_WRONLY), (BPF_F_RDONLY_PROG, BPF_F_WRONLY_PROG))
#: The kind whose sizes the kernel refuses with EINVAL also when they are too large.
_ALWAYS_EINVAL = ("lpm_trie",)

_MAKERS: dict[str, MapMaker] = {
    each.kind: each
    for each in (
        ArrayMap,
        BloomFilterMap,
        HashMap,
        LpmTrie,
        LruHashMap,
        ProgramArray,
        QueueMap,
        RingBuffer,
        StackMap,
    )
}
_PER_CPU: dict[str, Callable[[MapSpec, ByteOrder, int], Map]] = {
    each.kind: each for each in (LruPerCpuHashMap, PerCpuArray, PerCpuHashMap)
}


def create_map(
    spec: MapSpec,
    order: ByteOrder = "little",
    cpus: int = 1,
    makers: Mapping[str, MapMaker] | None = None,
    btf: Btf | None = None,
) -> Map:
    """The map that `spec` declares, on a machine of `cpus`. `makers` are for further kinds, by their names.

    `btf` holds the types of keys and values, which tell of spin locks and timers in values. Raises MapError,
    with the kernel's errno where it is the kernel that refuses.
    """
    kind = map_kind(spec)
    check_declaration(spec, kind)
    special = _special(spec, kind, btf)
    if kind.kind in _PER_CPU:
        return _PER_CPU[kind.kind](spec, order, cpus)
    make = {**_MAKERS, **(makers or {})}.get(kind.kind)
    if make is None:
        raise MapError(spec, f"maps of kind {kind.kind} are not simulated")
    made = make(spec, order)
    made.special = special
    return made


def _special(spec: MapSpec, kind: MapKind, btf: Btf | None) -> tuple[Special, ...]:
    """What the kernel keeps for itself in values. Raises MapError for what it refuses or what is not
    simulated."""
    try:
        found = special_members(btf, spec.value_type_id) if kind.entry == MEMORY else ()
    except TooMany as error:
        raise MapError(spec, str(error), Errno.E2BIG) from None
    if found and spec.flags & (BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG):
        raise MapError(spec, f"programs must read and write values with a {found[0].name}", Errno.EACCES)
    for member in found:
        if member.kind in _SIMULATED and member.kind not in kind.holds:
            raise MapError(spec, f"values of a {kind.kind} hold no {member.name}", Errno.EOPNOTSUPP)
        if member.kind not in _SIMULATED:
            raise MapError(spec, f"values hold a {member.name}, which is not simulated")
    return found


def map_kind(spec: MapSpec) -> MapKind:
    """The kind of `spec` by its number. Raises MapError for a number that no kind for policies has."""
    kind = next((kind for kind in MAPS.values() if kind.map_type == spec.map_type), None)
    if kind is None:
        raise MapError(spec, f"maps of type {spec.map_type} are not simulated")
    return kind


class _Rule(NamedTuple):
    """What the kernel refuses with EINVAL: whether `broken`, and what to say."""

    broken: bool
    says: str


def check_declaration(spec: MapSpec, kind: MapKind) -> None:
    """Raise MapError unless the kernel would create a map of `kind` so declared."""
    for size, allowed, what in (
        (spec.key_size, kind.key_sizes, "key"),
        (spec.value_size, kind.value_sizes, "value"),
    ):
        if isinstance(allowed, range) and size >= allowed.stop and kind.kind not in _ALWAYS_EINVAL:
            raise MapError(spec, f"a {kind.kind} has no {what} of {size} bytes", Errno.E2BIG)
    for rule in _rules(spec, kind):
        if rule.broken:
            raise MapError(spec, f"a {kind.kind} {rule.says}", Errno.EINVAL)


def _rules(spec: MapSpec, kind: MapKind) -> Iterator[_Rule]:
    entries, flags = spec.max_entries, spec.flags
    yield _Rule(spec.key_size not in kind.key_sizes, f"has no key of {spec.key_size} bytes")
    yield _Rule(spec.value_size not in kind.value_sizes, f"has no value of {spec.value_size} bytes")
    yield _Rule(bool(flags & ~kind.flags), f"takes no flags {flags & ~kind.flags:#x}")
    for pair in _EXCLUSIVE:
        yield _Rule(flags & sum(pair) == sum(pair), f"takes one of the flags {pair[0]:#x} and {pair[1]:#x}")
    yield _Rule(kind.required & ~flags != 0, f"needs flags {kind.required & ~flags:#x}")
    yield _Rule(kind.entries == "many" and entries == 0, "needs max_entries")
    yield _Rule(kind.entries == "none" and entries != 0, "takes no max_entries")
    pages = entries >= _PAGE and entries & (entries - 1) == 0
    yield _Rule(
        kind.entries == "bytes" and not pages, f"has a power of 2 of bytes, {_PAGE} or more, not {entries}"
    )
