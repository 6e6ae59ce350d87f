"""Map kinds: the class a policy declares them with, the kernel's number (`enum bpf_map_type`) and its rules.

The rules are what each kind's allocation check in the kernel accepts; where Linux 6.1, 6.12 and 7.2 differ,
what all of them accept. The kernel answers a declaration against them with EINVAL, or E2BIG if it is too big.
"""

from __future__ import annotations

from typing import NamedTuple

from skverdict.dsl.catalogue.constants import CONSTANTS

# What an entry is: bytes in memory that a lookup points to, bytes that are only copied in and out, something
# that user space names by a file descriptor (a socket is read back as its cookie), or a record of any size.
MEMORY, COPIED, SOCKET, PROGRAM, MAP, EVENT, RECORD = (
    "memory", "copied", "socket", "program", "map", "event", "record"
)  # fmt: skip

_KMALLOC_MAX = 4 << 20
_PER_CPU_MAX = 32 << 10
# 65535 without the kernel's own part of an element, with cache lines of 64 bytes.
_LOCAL_STORAGE_MAX = 65535 - 128
_STACK_MAX = 512

_NONE = (0,)
_INDEX = (4,)
_FD = (4,)
_ANY_VALUE = range(1, _KMALLOC_MAX)
_PER_CPU_VALUE = range(1, _PER_CPU_MAX + 1)
# A key is built on the stack, so no program can name a larger one.
_ANY_KEY = range(1, _STACK_MAX + 1)


def _mask(names: str) -> int:
    return sum(CONSTANTS[f"BPF_F_{name}"] for name in names.split())


_ACCESS = "RDONLY WRONLY RDONLY_PROG WRONLY_PROG"
_HASH_FLAGS = _mask(f"NO_PREALLOC NUMA_NODE ZERO_SEED {_ACCESS}")
_LRU_FLAGS = _mask(f"NO_COMMON_LRU NUMA_NODE ZERO_SEED {_ACCESS}")
_PER_CPU_HASH_FLAGS = _mask(f"NO_PREALLOC ZERO_SEED {_ACCESS}")
_LRU_PER_CPU_FLAGS = _mask(f"NO_COMMON_LRU ZERO_SEED {_ACCESS}")
_ARRAY_FLAGS = _mask(f"NUMA_NODE MMAPABLE INNER_MAP {_ACCESS}")
_PER_CPU_ARRAY_FLAGS = _mask(_ACCESS)
_FD_ARRAY_FLAGS = _mask("NUMA_NODE RDONLY WRONLY")
_QUEUE_FLAGS = _mask(f"NUMA_NODE {_ACCESS}")
_BLOOM_FLAGS = _mask(f"NUMA_NODE ZERO_SEED {_ACCESS}")
_LPM_FLAGS = _mask(f"NO_PREALLOC NUMA_NODE {_ACCESS}")
_RINGBUF_FLAGS = _mask("NUMA_NODE")
_SOCKET_FLAGS = _mask("NUMA_NODE RDONLY WRONLY")
_STORAGE_FLAGS = _mask("NO_PREALLOC CLONE")
_NO_PREALLOC = _mask("NO_PREALLOC")


class MapKind(NamedTuple):
    """One map kind. `class_name` is the name in `skverdict.dsl`; `map_type` the kernel's number.

    `key_sizes` and `value_sizes` hold the sizes in bytes that a declaration may have; `(0,)`: it has none,
    and the `Map` says None. `entry` is what an entry is, one of the words above. `flags` are the `map_flags`
    that may be set, `required` those that must be. `entries` is how `max_entries` counts: `many` (1 or more),
    `none` (0: one entry a socket), `bytes` (a power of two and a multiple of the page size), `cpus` (0 lets
    the loader fill in their number). `per_cpu`: each CPU has a value of its own. `holds` are the kernel's
    structures that a value may have as members.
    """

    kind: str
    class_name: str
    map_type: int
    key_sizes: range | tuple[int, ...]
    value_sizes: range | tuple[int, ...]
    entry: str
    flags: int
    required: int = 0
    entries: str = "many"
    per_cpu: bool = False
    holds: tuple[str, ...] = ()

    @property
    def has_key(self) -> bool:
        return 0 not in self.key_sizes

    @property
    def has_value(self) -> bool:
        return 0 not in self.value_sizes


_ROWS: tuple[MapKind, ...] = (
    MapKind("hash", "HashMap", 1, _ANY_KEY, _ANY_VALUE, MEMORY, _HASH_FLAGS,
            holds=("spin_lock", "timer", "kptr")),
    MapKind("array", "ArrayMap", 2, _INDEX, _ANY_VALUE, MEMORY, _ARRAY_FLAGS,
            holds=("spin_lock", "timer", "kptr")),
    MapKind("prog_array", "ProgramArray", 3, _INDEX, _FD, PROGRAM, _FD_ARRAY_FLAGS),
    MapKind("perf_event_array", "PerfEventArray", 4, _INDEX, _FD, EVENT,
            _FD_ARRAY_FLAGS | _mask("PRESERVE_ELEMS"), entries="cpus"),
    MapKind("percpu_hash", "PerCpuHashMap", 5, _ANY_KEY, _PER_CPU_VALUE, MEMORY, _PER_CPU_HASH_FLAGS,
            per_cpu=True),
    MapKind("percpu_array", "PerCpuArray", 6, _INDEX, _PER_CPU_VALUE, MEMORY, _PER_CPU_ARRAY_FLAGS,
            per_cpu=True, holds=("kptr",)),
    MapKind("lru_hash", "LruHashMap", 9, _ANY_KEY, _ANY_VALUE, MEMORY, _LRU_FLAGS, holds=("timer", "kptr")),
    MapKind("lru_percpu_hash", "LruPerCpuHashMap", 10, _ANY_KEY, _PER_CPU_VALUE, MEMORY, _LRU_PER_CPU_FLAGS,
            per_cpu=True),
    # The key is a u32, the number of leading bits that count, then 1 to 256 bytes.
    MapKind("lpm_trie", "LpmTrie", 11, range(5, 261), _ANY_VALUE, MEMORY, _LPM_FLAGS, required=_NO_PREALLOC),
    MapKind("array_of_maps", "ArrayOfMaps", 12, _INDEX, _FD, MAP, _FD_ARRAY_FLAGS),
    MapKind("hash_of_maps", "HashOfMaps", 13, _ANY_KEY, _FD, MAP, _HASH_FLAGS),
    # User space reads a socket's cookie back, which takes a value of 8 bytes: with 4 a lookup is ENOSPC.
    MapKind("sockmap", "SockMap", 15, _INDEX, (4, 8), SOCKET, _SOCKET_FLAGS),
    MapKind("sockhash", "SockHash", 18, _ANY_KEY, (4, 8), SOCKET, _SOCKET_FLAGS),
    MapKind("queue", "Queue", 22, _NONE, _ANY_VALUE, COPIED, _QUEUE_FLAGS),
    MapKind("stack", "Stack", 23, _NONE, _ANY_VALUE, COPIED, _QUEUE_FLAGS),
    MapKind("sk_storage", "SkStorage", 24, _INDEX, range(1, _LOCAL_STORAGE_MAX + 1), MEMORY, _STORAGE_FLAGS,
            required=_NO_PREALLOC, entries="none", holds=("spin_lock",)),
    MapKind("ringbuf", "RingBuffer", 27, _NONE, _NONE, RECORD, _RINGBUF_FLAGS, entries="bytes"),
    MapKind("bloom_filter", "BloomFilter", 30, _NONE, _ANY_VALUE, COPIED, _BLOOM_FLAGS),
)  # fmt: skip

MAPS: dict[str, MapKind] = {kind.kind: kind for kind in _ROWS}
