"""BTF of values that hold what the kernel keeps for itself, and maps of them."""

from __future__ import annotations

from skverdict.codegen.btf import Btf
from skverdict.codegen.btf_types import VOID, Array, BtfType, Composite, Int, Member, Reference
from skverdict.codegen.object import MapSpec
from skverdict.dsl.catalogue.maps import MAPS
from skverdict.runtime.maps.base import Map
from skverdict.runtime.maps.create import create_map

U32, U64 = 1, 2

_TYPES: tuple[BtfType, ...] = (
    VOID,
    Int("unsigned int", 4, 0, 32),
    Int("unsigned long", 8, 0, 64),
    Composite("struct", "bpf_spin_lock", 4, (Member("val", 1, 0),)),
    Array(2, 1, 2),
    Composite("struct", "bpf_timer", 16, (Member("__opaque", 4, 0),)),
    # struct locked { __u32 count; struct bpf_spin_lock lock; __u64 total; }
    Composite("struct", "locked", 16, (Member("count", 1, 0), Member("lock", 3, 32), Member("total", 2, 64))),
    # struct timed { __u64 total; struct bpf_timer timer; }
    Composite("struct", "timed", 24, (Member("total", 2, 0), Member("timer", 5, 64))),
    # struct twice { struct locked first, second; }
    Composite("struct", "twice", 32, (Member("first", 6, 0), Member("second", 6, 128))),
    Composite("struct", "bpf_wq", 16, (Member("__opaque", 4, 0),)),
    Reference("type_tag", 2, "kptr"),
    Reference("ptr", 10),
    Composite("struct", "owner", 8, (Member("object", 11, 0),)),
    # struct deep { __u64 more; struct outer { __u32 pad; struct locked inner; } outer; }
    Composite("struct", "outer", 24, (Member("pad", 2, 0), Member("inner", 6, 64))),
    Composite("struct", "deep", 32, (Member("more", 2, 0), Member("outer", 13, 64))),
    Array(7, 1, 12),
    Array(11, 1, 12),
)
BTF = Btf(_TYPES)
LOCKED, TIMED, TWICE, WORK, OWNER, DEEP, TIMERS, POINTERS = 6, 7, 8, 9, 12, 14, 15, 16


def declared(
    kind: str, value_type: int, entries: int = 4, flags: int = 0, key: int = 4, name: str = "m"
) -> MapSpec:
    """A declaration of a map whose values have a type of `BTF`."""
    size = BTF.size_of(value_type)
    return MapSpec(name, MAPS[kind].map_type, key, size, entries, flags, value_type_id=value_type)


def made(kind: str, value_type: int, entries: int = 4, flags: int = 0) -> Map:
    """The map of that declaration."""
    return create_map(declared(kind, value_type, entries, flags), btf=BTF)
