"""How many entries a map has."""

from __future__ import annotations

from itertools import islice

from skverdict.runtime.kernel.bpf import Bpf
from skverdict.runtime.kernel.information import MapInfo
from skverdict.runtime.kernel.loading import kernel_map
from skverdict.runtime.kernel.maps import KernelMap
from skverdict.runtime.machine.errno import Errno, KernelError

#: Kinds all of whose keys have an entry.
_HASHES = (
    "hash", "lru_hash", "percpu_hash", "lru_percpu_hash", "lpm_trie", "sockhash", "hash_of_maps"
)  # fmt: skip
_READABLE_SOCKET = 8


def entries_of(bpf: Bpf, descriptor: int, info: MapInfo) -> int | None:
    """The number of entries; None for kinds without countable ones, such as ring buffers."""
    map_ = kernel_map(bpf, descriptor, info.name, info)
    # An entry that is removed meanwhile sends the walk back to the first one.
    keys = islice(map_.keys(), info.max_entries)
    if map_.kind in _HASHES:
        return sum(1 for _ in keys)
    if map_.kind == "sockmap" and map_.value_size == _READABLE_SOCKET:
        return sum(_is_filled(map_, key) for key in keys)
    return None


def _is_filled(map_: KernelMap, key: bytes) -> bool:
    try:
        map_.read(key)
    except KernelError as error:
        if error.number is not Errno.ENOENT:
            raise
        return False
    return True
