"""Helpers that read and change maps: each is the map's own operation."""

from __future__ import annotations

from skverdict.runtime.machine.call import Call
from skverdict.runtime.machine.environment import HelperFunction
from skverdict.runtime.maps.base import Map


def map_lookup_elem(call: Call, map_: Map, key: bytes) -> int:
    return map_.pointer(call, key)


def map_update_elem(call: Call, map_: Map, key: bytes, value: bytes, flags: int) -> int:
    map_.store(call, key, value, flags)
    return 0


def map_delete_elem(call: Call, map_: Map, key: bytes) -> int:
    map_.delete(key)
    return 0


FUNCTIONS: dict[str, HelperFunction] = {
    "bpf_map_lookup_elem": map_lookup_elem,
    "bpf_map_update_elem": map_update_elem,
    "bpf_map_delete_elem": map_delete_elem,
}
