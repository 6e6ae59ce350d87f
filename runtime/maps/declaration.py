"""Which maps a kernel makes, and with which error it refuses the others: what each kind's allocation looks at, in the
order in which it does (`map_create` in kernel/bpf/syscall.c, and each kind's `map_alloc_check` and `map_alloc`).

Sizes are those of x86-64. A map for which there is no memory is no matter of these rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from typing import NamedTuple

from skverdict.codegen.object import MapSpec
from skverdict.dsl.catalogue.constants import CONSTANTS
from skverdict.dsl.catalogue.maps import MapKind
from skverdict.dsl.catalogue.programs import KERNELS
from skverdict.runtime.machine.errno import Errno

_PAGE = 4096
_INT_MAX = (1 << 31) - 1
#: KMALLOC_MAX_SIZE and PCPU_MIN_UNIT_SIZE, in bytes.
_ALLOCATED = 4 << 20
_PER_CPU = 32 << 10
#: `struct htab_elem`, MAX_BPF_STACK, and what a trie needs beside a value: `struct lpm_trie_node` and a key's bytes.
_HASH_ELEMENT = 48
_STACK = 512
_TRIE_NODE = {"6.1": 40 + 256, "6.12": 40 + 256, "7.2": 24 + 256}
#: A table has a power of 2 of buckets, each of 16 bytes, and less than 4 GiB of them.
_BUCKETS = 1 << 27

#: `BPF_F_TOKEN_FD`: a token comes with the declaration, which objects have none of.
_TOKEN = 1 << 16
_RDONLY, _WRONLY, _RDONLY_PROG, _WRONLY_PROG, _NUMA_NODE, _NO_PREALLOC, _NO_COMMON_LRU = (
    CONSTANTS[f"BPF_F_{name}"]
    for name in ("RDONLY", "WRONLY", "RDONLY_PROG", "WRONLY_PROG", "NUMA_NODE", "NO_PREALLOC", "NO_COMMON_LRU")
)


class Rule(NamedTuple):
    """Something that the kernel refuses with `error`: whether it is there, and what to say."""

    broken: bool
    error: Errno
    says: str


def _either(spec: MapSpec, one: int, other: int) -> Rule:
    both = one | other
    return Rule(spec.flags & both == both, Errno.EINVAL, f"takes one of the flags {one:#x} and {other:#x}")


def _sizes(spec: MapSpec, kind: MapKind) -> Iterator[Rule]:
    """Sizes that are one of few, or at least 1."""
    for size, allowed, what in (
        (spec.key_size, kind.key_sizes, "key"),
        (spec.value_size, kind.value_sizes, "value"),
    ):
        wrong = size == 0 if isinstance(allowed, range) and allowed.start == 1 else size not in allowed
        yield Rule(wrong, Errno.EINVAL, f"has no {what} of {size} bytes")


def _common(spec: MapSpec, kind: MapKind, kernel: str) -> Iterator[Rule]:
    """What many kinds look at, all of it EINVAL."""
    flags = spec.flags
    unknown = flags & ~kind.flags
    yield Rule(bool(unknown), Errno.EINVAL, f"takes no flags {unknown:#x}")
    yield _either(spec, _RDONLY_PROG, _WRONLY_PROG)
    missing = kind.required & ~flags
    yield Rule(bool(missing), Errno.EINVAL, f"needs flags {missing:#x}")
    yield Rule(kind.entries in ("many", "cpus") and not spec.max_entries, Errno.EINVAL, "needs max_entries")
    yield Rule(kind.entries == "none" and bool(spec.max_entries), Errno.EINVAL, "takes no max_entries")
    yield from _sizes(spec, kind)


def _hash(spec: MapSpec, kind: MapKind, kernel: str) -> Iterator[Rule]:
    lru, per_cpu_lru = kind.kind.startswith("lru"), bool(spec.flags & _NO_COMMON_LRU)
    unknown = spec.flags & ~(kind.flags | _NO_PREALLOC | _NUMA_NODE | _NO_COMMON_LRU)
    yield Rule(bool(unknown), Errno.EINVAL, f"takes no flags {unknown:#x}")
    yield _either(spec, _RDONLY_PROG, _WRONLY_PROG)
    yield Rule(per_cpu_lru and not lru, Errno.EINVAL, f"takes no flags {_NO_COMMON_LRU:#x}")
    yield Rule(lru and bool(spec.flags & _NO_PREALLOC), Errno.ENOTSUPP, f"takes no flags {_NO_PREALLOC:#x}")
    of_node = bool(spec.flags & _NUMA_NODE) and (kind.per_cpu or per_cpu_lru)
    yield Rule(of_node, Errno.EINVAL, f"that is in parts for CPUs takes no flags {_NUMA_NODE:#x}")
    yield Rule(not spec.max_entries, Errno.EINVAL, "needs max_entries")
    yield from _sizes(spec, kind)
    size = spec.key_size + spec.value_size
    yield Rule(size >= _ALLOCATED - _HASH_ELEMENT, Errno.E2BIG, f"has no entries of {size} bytes")
    yield from _per_cpu(spec, kind)


def _per_cpu(spec: MapSpec, kind: MapKind) -> Iterator[Rule]:
    size = -(-spec.value_size // 8) * 8
    yield Rule(kind.per_cpu and size > _PER_CPU, Errno.E2BIG, f"has no value of {spec.value_size} bytes")


def _array(spec: MapSpec, kind: MapKind, kernel: str) -> Iterator[Rule]:
    yield from _common(spec, kind, kernel)
    yield Rule(spec.value_size > _INT_MAX, Errno.E2BIG, f"has no value of {spec.value_size} bytes")
    yield from _per_cpu(spec, kind)


def _copied(spec: MapSpec) -> Rule:
    return Rule(spec.value_size > _ALLOCATED, Errno.E2BIG, f"has no value of {spec.value_size} bytes")


def _queue(spec: MapSpec, kind: MapKind, kernel: str) -> Iterator[Rule]:
    yield from _common(spec, kind, kernel)
    yield _copied(spec)


def _bloom_filter(spec: MapSpec, kind: MapKind, kernel: str) -> Iterator[Rule]:
    yield _copied(spec)
    yield from _common(spec, kind, kernel)


def _trie(spec: MapSpec, kind: MapKind, kernel: str) -> Iterator[Rule]:
    yield from _common(spec, kind, kernel)
    too_long = spec.value_size > _ALLOCATED - _TRIE_NODE[kernel]
    yield Rule(too_long, Errno.EINVAL, f"has no value of {spec.value_size} bytes")


def _sockmap(spec: MapSpec, kind: MapKind, kernel: str) -> Iterator[Rule]:
    yield from _common(spec, kind, kernel)
    yield Rule(spec.max_entries > _INT_MAX, Errno.EINVAL, f"has no {spec.max_entries} entries")


def _sockhash(spec: MapSpec, kind: MapKind, kernel: str) -> Iterator[Rule]:
    yield from _common(spec, kind, kernel)
    yield Rule(spec.key_size > _STACK, Errno.E2BIG, f"has no key of {spec.key_size} bytes")
    yield Rule(spec.max_entries > _BUCKETS, Errno.EINVAL, f"has no {spec.max_entries} entries")


def _ring(spec: MapSpec, kind: MapKind, kernel: str) -> Iterator[Rule]:
    yield from _common(spec, kind, kernel)
    entries = spec.max_entries
    pages = entries >= _PAGE and entries & (entries - 1) == 0
    yield Rule(not pages, Errno.EINVAL, f"has a power of 2 of bytes, {_PAGE} or more, not {entries}")


def _storage(spec: MapSpec, kind: MapKind, kernel: str) -> Iterator[Rule]:
    yield from _common(spec, kind, kernel)
    yield Rule(spec.value_size not in kind.value_sizes, Errno.E2BIG, f"has no value of {spec.value_size} bytes")


_RULES: dict[str, Callable[[MapSpec, MapKind, str], Iterator[Rule]]] = {
    "hash": _hash,
    "percpu_hash": _hash,
    "lru_hash": _hash,
    "lru_percpu_hash": _hash,
    "hash_of_maps": _hash,
    "array": _array,
    "percpu_array": _array,
    "prog_array": _array,
    "perf_event_array": _array,
    "array_of_maps": _array,
    "queue": _queue,
    "stack": _queue,
    "bloom_filter": _bloom_filter,
    "lpm_trie": _trie,
    "sockmap": _sockmap,
    "ringbuf": _ring,
    "sk_storage": _storage,
}


def _nothing(spec: MapSpec, kind: MapKind, kernel: str) -> Iterator[Rule]:
    return iter(())


def _buckets(spec: MapSpec, kind: MapKind, kernel: str) -> Iterator[Rule]:
    yield Rule(spec.max_entries > _BUCKETS, Errno.E2BIG, f"has no {spec.max_entries} entries")


#: Rules that are looked at when the map is made, behind all that is looked at before.
_LAST_RULES: dict[str, Callable[[MapSpec, MapKind, str], Iterator[Rule]]] = {
    "hash": _buckets,
    "percpu_hash": _buckets,
    "lru_hash": _buckets,
    "lru_percpu_hash": _buckets,
    "hash_of_maps": _buckets,
    "sockhash": _sockhash,
}


def broken_rule(spec: MapSpec, kind: MapKind, kernel: str = KERNELS[-1]) -> Rule | None:
    """The first rule that a declaration of a map of `kind` breaks; None if the kernel makes it.

    Since 6.12 there are tokens for maps, which are looked at before the map is made, and the flags for user space are
    since 7.2 looked at behind everything else.
    """
    access = _either(spec, _RDONLY, _WRONLY)
    before, between, behind = [access], list[Rule](), list[Rule]()
    if kernel != "6.1":
        between = [Rule(bool(spec.flags & _TOKEN), Errno.EINVAL, "is made without a token here")]
        spec = replace(spec, flags=spec.flags & ~_TOKEN)
    if kernel == KERNELS[-1]:
        before, behind = [], [access]
    first, last = (table.get(kind.kind, _nothing)(spec, kind, kernel) for table in (_RULES, _LAST_RULES))
    rules = chain(before, first, between, last, behind)
    return next((rule for rule in rules if rule.broken), None)
