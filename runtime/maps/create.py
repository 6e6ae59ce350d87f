"""From a declaration to a map, as the kernel creates one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import cast

from skverdict.codegen.btf import Btf
from skverdict.codegen.object import MapSpec, Object
from skverdict.dsl.catalogue.maps import MAPS, MEMORY, MapKind
from skverdict.dsl.catalogue.programs import KERNELS
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.machine.memory import ByteOrder
from skverdict.runtime.maps.array import ArrayMap
from skverdict.runtime.maps.base import BPF_F_RDONLY_PROG, BPF_F_WRONLY_PROG, Map, MapError
from skverdict.runtime.maps.declaration import broken_rule
from skverdict.runtime.maps.hash import HashMap, LruHashMap
from skverdict.runtime.maps.lpm_trie import LpmTrie
from skverdict.runtime.maps.map_of_maps import ArrayOfMaps, HashOfMaps, MapOfMaps
from skverdict.runtime.maps.per_cpu import LruPerCpuHashMap, PerCpuArray, PerCpuHashMap
from skverdict.runtime.maps.perf_event_array import PerfEventArray
from skverdict.runtime.maps.program_array import ProgramArray
from skverdict.runtime.maps.queue import BloomFilterMap, QueueMap, StackMap
from skverdict.runtime.maps.ring_buffer import RingBuffer
from skverdict.runtime.maps.socket_storage import SocketStorage
from skverdict.runtime.maps.special import Special, TooMany, special_members

#: Makes a map of one kind from its declaration and the byte order of the machine.
MapMaker = Callable[[MapSpec, ByteOrder], Map]

#: The longest value that is simulated, in bytes; kernels have arrays of values of up to 2 GiB.
_LARGEST_VALUE = 64 << 20
#: The members of values that the simulator has, of those that the kernel keeps for itself.
_SIMULATED = ("spin_lock", "timer")
_MAKERS: dict[str, MapMaker] = {
    each.kind: each
    for each in (
        ArrayMap,
        BloomFilterMap,
        HashMap,
        LpmTrie,
        PerfEventArray,
        ProgramArray,
        QueueMap,
        RingBuffer,
        SocketStorage,
        StackMap,
    )
}
_PER_CPU: dict[str, Callable[[MapSpec, ByteOrder, int, str], Map]] = {
    each.kind: each for each in (LruHashMap, LruPerCpuHashMap, PerCpuArray, PerCpuHashMap)
}
_OF_MAPS: dict[str, Callable[[MapSpec, ByteOrder, Callable[[], Map]], Map]] = {
    each.kind: each for each in (ArrayOfMaps, HashOfMaps)
}
#: Kinds that no map of maps can hold.
_NEVER_INNER = ("array_of_maps", "hash_of_maps", "prog_array")


@dataclass
class Machine:
    """Where maps are created: its byte order and CPUs, what makes further kinds, by their names, the BTF of
    their types, and the version of its kernel. Each new map gets the next number."""

    order: ByteOrder = "little"
    cpus: int = 1
    makers: Mapping[str, MapMaker] = field(default_factory=dict)
    btf: Btf | None = None
    kernel: str = KERNELS[-1]
    numbers: Iterator[int] = field(default_factory=lambda: count(1))


def create_maps(
    object_: Object,
    cpus: int = 1,
    makers: Mapping[str, MapMaker] | None = None,
    max_entries: Mapping[str, int] | None = None,
    kernel: str = KERNELS[-1],
) -> dict[str, Map]:
    """The maps of `object_`, by their names, and the maps in maps of maps that it names.

    `max_entries` overrides what maps declare, by their names. `kernel` is the version of Linux that they follow.
    Programs in arrays of programs are not put in, since they are loaded later. Raises MapError.
    """
    machine = Machine(cast(ByteOrder, object_.endian), cpus, makers or {}, object_.btf, kernel)
    specs = {
        name: replace(spec, max_entries=(max_entries or {}).get(name, spec.max_entries))
        for name, spec in object_.maps.items()
    }
    made = {name: _create(spec, machine) for name, spec in specs.items()}
    for outer in made.values():
        if isinstance(outer, MapOfMaps):
            _fill(outer, made)
    return made


def _fill(outer: MapOfMaps, made: Mapping[str, Map]) -> None:
    """Put the maps into `outer` that its declaration names. Raises MapError."""
    try:
        for index, name in outer.spec.initial:
            if name not in made:
                raise MapError(outer.spec, f"it names map {name}, which there is not")
            outer.insert(index.to_bytes(outer.key_size, outer.order), made[name])
    except (KernelError, OverflowError) as error:
        raise MapError(outer.spec, f"the map that it names cannot be put in: {error}") from None


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
    return _create(spec, Machine(order, cpus, makers or {}, btf))


def _create(spec: MapSpec, machine: Machine) -> Map:
    kind = map_kind(spec)
    if kind.entries == "cpus" and not spec.max_entries:
        spec = replace(spec, max_entries=machine.cpus)
    broken = broken_rule(spec, kind, machine.kernel)
    if broken is not None:
        raise MapError(spec, f"a {kind.kind} {broken.says}", broken.error)
    if spec.value_size > _LARGEST_VALUE:
        raise MapError(spec, f"the simulated machine has no memory for values of {spec.value_size} bytes", Errno.ENOMEM)
    special = _special(spec, kind, machine.btf)
    made = _made(spec, kind.kind, machine)
    made.special = special
    made.kernel = machine.kernel
    made.number = next(machine.numbers)
    return made


def _made(spec: MapSpec, kind: str, machine: Machine) -> Map:
    if kind in _PER_CPU:
        return _PER_CPU[kind](spec, machine.order, machine.cpus, machine.kernel)
    if kind in _OF_MAPS:
        inner = spec.inner
        if inner is None:
            raise MapError(spec, "it does not say what the maps in it are like", Errno.EBADF)
        if map_kind(inner).kind in _NEVER_INNER:
            raise MapError(spec, f"no {map_kind(inner).kind} can be in it", Errno.EINVAL)
        return _OF_MAPS[kind](spec, machine.order, lambda: _create(inner, machine))
    make = machine.makers.get(kind, _MAKERS.get(kind))
    if make is None:
        raise MapError(spec, f"maps of kind {kind} are not simulated")
    return make(spec, machine.order)


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
