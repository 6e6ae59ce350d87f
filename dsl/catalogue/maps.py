"""Map kinds: the class a policy declares them with and the kernel's number (`enum bpf_map_type`)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MapKind:
    """One map kind. `class_name` is the name in `skverdict.dsl`; `map_type` the kernel's number."""

    kind: str
    class_name: str
    map_type: int


MAPS: dict[str, MapKind] = {
    kind.kind: kind
    for kind in (
        MapKind("hash", "HashMap", 1),
        MapKind("array", "ArrayMap", 2),
        MapKind("lru_hash", "LruHashMap", 9),
        MapKind("sockmap", "SockMap", 15),
        MapKind("sockhash", "SockHash", 18),
    )
}
