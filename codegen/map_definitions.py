"""Maps as `.maps` declares them in BTF: each variable is a struct whose members say what the map is.

A number n is spelled as a pointer to an array of n elements (`__uint` of bpf_helpers.h) or as an enumeration
of one value (`__ulong`), a type as a pointer to it (`__type`). Rules: `bpf_map_def` parsing of libbpf 1.x.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from skverdict.codegen.btf import Btf
from skverdict.codegen.btf_types import (
    Array,
    BtfError,
    Composite,
    Enumeration,
    Member,
    Reference,
    Section,
    Variable,
)
from skverdict.codegen.object import MapSpec
from skverdict.codegen.object_error import ObjectError

MAPS_SECTION = ".maps"

_NUMBERS = ("type", "max_entries", "map_flags", "key_size", "value_size")
_TYPES = {"key": "key_size", "value": "value_size"}
# These say how a loader shares or places a map, not what it holds.
_PLACEMENT = ("numa_node", "pinning", "map_extra")


class PlacedMap(NamedTuple):
    """A map and where its variable lies in the section, in bytes: what relocations refer to."""

    offset: int
    spec: MapSpec


def read_maps(btf: Btf, offsets: Mapping[str, int]) -> list[PlacedMap]:
    """The maps of `.maps` by ascending offset, as libbpf orders them; `offsets` are the section's symbols."""
    section_id = btf.find(MAPS_SECTION, "datasec")
    if section_id is None:
        raise ObjectError(f"section {MAPS_SECTION} is not described in .BTF")
    section = btf.type(section_id)
    assert isinstance(section, Section)
    maps: dict[int, PlacedMap] = {}
    for placement in section.variables:
        variable = btf.type(placement.type_id)
        if not isinstance(variable, Variable):
            raise ObjectError(f"section {MAPS_SECTION} holds {variable.kind} {variable.name}, not a variable")
        if variable.name not in offsets:
            raise ObjectError(f"map {variable.name} has no symbol in section {MAPS_SECTION}")
        offset = offsets[variable.name]
        if offset in maps:
            other = maps[offset].spec.name
            raise ObjectError(f"maps {other} and {variable.name} both lie at byte {offset} of {MAPS_SECTION}")
        try:
            maps[offset] = PlacedMap(offset, _read_map(btf, variable))
        except BtfError as error:
            raise ObjectError(f"map {variable.name}: {error}") from error
    return [maps[offset] for offset in sorted(maps)]


def _read_map(btf: Btf, variable: Variable) -> MapSpec:
    definition = btf.resolve(variable.type_id)
    if not isinstance(definition, Composite) or definition.kind != "struct":
        raise BtfError(f"declared as {btf.name_of(variable.type_id)}, not as a struct")
    numbers: dict[str, int] = {}
    types: dict[str, int] = {}
    for member in definition.members:
        if member.name in _NUMBERS:
            _set(numbers, member.name, _number(btf, member))
        elif member.name in _TYPES:
            types[member.name] = _pointee(btf, member)
            _set(numbers, _TYPES[member.name], btf.size_of(types[member.name]))
        elif member.name == "values":
            raise BtfError("initial values (`values`) and maps of maps are not read")
        elif member.name not in _PLACEMENT:
            raise BtfError(f"unknown member {member.name!r}")
    if "type" not in numbers:
        raise BtfError("no member `type`")
    return MapSpec(
        name=variable.name,
        map_type=numbers["type"],
        key_size=numbers.get("key_size", 0),
        value_size=numbers.get("value_size", 0),
        max_entries=numbers.get("max_entries", 0),
        flags=numbers.get("map_flags", 0),
        key_type_id=types.get("key", 0),
        value_type_id=types.get("value", 0),
    )


def _set(numbers: dict[str, int], name: str, value: int) -> None:
    """A size may be given twice, by a number and by a type, if both say the same."""
    if numbers.setdefault(name, value) != value:
        raise BtfError(f"{name} is {numbers[name]} and {value}")


def _pointee(btf: Btf, member: Member) -> int:
    pointer = btf.resolve(member.type_id)
    if not isinstance(pointer, Reference):
        raise BtfError(f"member {member.name} is {btf.name_of(member.type_id)}, not a pointer")
    return pointer.type_id


def _number(btf: Btf, member: Member) -> int:
    target_id = _pointee(btf, member)
    target = btf.resolve(target_id)
    if isinstance(target, Array):
        return target.length
    if isinstance(target, Enumeration) and len(target.enumerators) == 1:
        return target.enumerators[0].value
    raise BtfError(f"member {member.name} points to {btf.name_of(target_id)}, which spells no number")
