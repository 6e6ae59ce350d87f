"""What lies behind the addresses that maps give."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.codegen.btf_types import Array, Composite, Reference
from skverdict.dsl.catalogue.maps import MAPS, MEMORY

if TYPE_CHECKING:
    from skverdict.codegen.btf import Btf
    from skverdict.codegen.object import MapSpec, Object

# The kinds of map whose entries are memory that a program reads and writes.
_OF_MEMORY = frozenset(each.map_type for each in MAPS.values() if each.entry == MEMORY)


def value_size(object_: Object, spec: MapSpec) -> int:
    """The bytes of a value that a lookup gives; 0 if it gives something else, or one with pointers in it."""
    if spec.map_type not in _OF_MEMORY:
        return 0
    btf = object_.btf
    if btf is not None and spec.value_type_id and _has_pointer(btf, spec.value_type_id):
        return 0
    return spec.value_size


def _has_pointer(btf: Btf, type_id: int) -> bool:
    type_ = btf.resolve(type_id)
    if isinstance(type_, Array):
        return _has_pointer(btf, type_.element_id)
    if isinstance(type_, Composite):
        return any(_has_pointer(btf, member.type_id) for member in type_.members)
    return isinstance(type_, Reference)
