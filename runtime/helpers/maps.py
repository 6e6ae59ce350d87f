"""Helpers that read and change maps: each is the map's own operation."""

from __future__ import annotations

from skverdict.runtime.machine.call import Buffer, Call
from skverdict.runtime.machine.environment import HelperFunction
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.maps.base import Map
from skverdict.runtime.maps.per_cpu import PerCpuMap
from skverdict.runtime.maps.queue import BloomFilterMap, CopyingMap, QueueMap


def map_lookup_elem(call: Call, map_: Map, key: bytes) -> int:
    return map_.pointer(call, key)


def map_lookup_percpu_elem(call: Call, map_: PerCpuMap, key: bytes, cpu: int) -> int:
    return map_.pointer_for(call, key, cpu)


def map_update_elem(call: Call, map_: Map, key: bytes, value: bytes, flags: int) -> int:
    map_.store(call, key, value, flags)
    return 0


def map_delete_elem(call: Call, map_: Map, key: bytes) -> int:
    map_.remove(key)
    return 0


def map_push_elem(call: Call, map_: CopyingMap, value: bytes, flags: int) -> int:
    map_.push(value, flags)
    return 0


def map_pop_elem(call: Call, map_: QueueMap, value: Buffer) -> int:
    """An empty map leaves zeros in `value`."""
    value.write(bytes(value.size))
    value.write(map_.pop())
    return 0


def map_peek_elem(call: Call, map_: CopyingMap, value: Buffer) -> int:
    """A bloom filter only tells whether it has the value; an empty queue or stack leaves zeros."""
    if isinstance(map_, BloomFilterMap):
        if value.read() not in map_:
            raise KernelError(Errno.ENOENT, f"map {map_.name} never had this value")
        return 0
    assert isinstance(map_, QueueMap)
    value.write(bytes(value.size))
    value.write(map_.peek())
    return 0


FUNCTIONS: dict[str, HelperFunction] = {
    "bpf_map_lookup_elem": map_lookup_elem,
    "bpf_map_lookup_percpu_elem": map_lookup_percpu_elem,
    "bpf_map_update_elem": map_update_elem,
    "bpf_map_delete_elem": map_delete_elem,
    "bpf_map_push_elem": map_push_elem,
    "bpf_map_pop_elem": map_pop_elem,
    "bpf_map_peek_elem": map_peek_elem,
}
