"""Maps as `.maps` declares them in BTF: each variable is a struct whose members say what the map is.

A number n is spelled as a pointer to an array of n elements (`__uint` of bpf_helpers.h) or as an enumeration
of one value (`__ulong`), a type as a pointer to it (`__type`). Rules: `bpf_map_def` parsing of libbpf 1.x.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from skverdict.codegen.btf import Btf
from skverdict.codegen.btf_types import (
    Array,
    BtfError,
    Composite,
    Enumeration,
    Member,
    Prototype,
    Reference,
    Section,
    Variable,
)
from skverdict.codegen.elf_file import ElfRelocation
from skverdict.codegen.object import MapSpec
from skverdict.codegen.object_error import ObjectError
from skverdict.dsl.catalogue.maps import MAPS

MAPS_SECTION = ".maps"

_NUMBERS = ("type", "max_entries", "map_flags", "key_size", "value_size")
_TYPES = {"key": "key_size", "value": "value_size"}
# These say how a loader shares or places a map, not what it holds.
_PLACEMENT = ("numa_node", "pinning", "map_extra")


#: Kinds whose values are named in the object, by their numbers: programs, and maps of two kinds.
_PROG_ARRAY = MAPS["prog_array"].map_type
_OF_MAPS = (MAPS["array_of_maps"].map_type, MAPS["hash_of_maps"].map_type)
_VALUES = "values"
_VALUE_SIZE = 4
_POINTER_SIZE = 8


class PlacedMap(NamedTuple):
    """A map and where its variable lies in the section, in bytes: what relocations refer to.

    `values` is where in the section its initial values begin, if it may have some; they end the variable.
    """

    offset: int
    spec: MapSpec
    values: int | None = None


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
            spec, values = _read_map(btf, variable.name, variable.type_id)
            maps[offset] = PlacedMap(offset, spec, None if values is None else offset + values)
        except BtfError as error:
            raise ObjectError(f"map {variable.name}: {error}") from error
    return [maps[offset] for offset in sorted(maps)]


def with_initial_values(
    maps: Sequence[PlacedMap], section: int, relocations: Sequence[ElfRelocation]
) -> list[PlacedMap]:
    """The maps with what the relocations of section number `section`, where they lie, put into them.

    Raises ObjectError for a relocation that is no value of a map.
    """
    names = {placed.offset: placed.spec.name for placed in maps}
    initial: dict[int, dict[int, str]] = {}
    for relocation in relocations:
        placed = next((each for each in reversed(maps) if each.offset <= relocation.offset), None)
        begin = None if placed is None else placed.values
        if placed is None or begin is None or relocation.offset < begin:
            where = f"byte {relocation.offset} of {MAPS_SECTION}"
            raise ObjectError(f"the relocation at {where} is no map's value")
        index, rest = divmod(relocation.offset - begin, _POINTER_SIZE)
        symbol = relocation.symbol
        if placed.spec.map_type == _PROG_ARRAY:
            name = symbol.name if symbol.kind == "FUNC" else None
        else:
            name = names.get(symbol.value) if symbol.section == section else None
        if rest or name is None:
            raise ObjectError(f"map {placed.spec.name}: {symbol.name or 'something'} cannot be a value of it")
        initial.setdefault(placed.offset, {})[index] = name
    return [
        placed._replace(
            spec=replace(placed.spec, initial=tuple(sorted(initial.get(placed.offset, {}).items())))
        )
        for placed in maps
    ]


def _read_map(btf: Btf, name: str, type_id: int, inner: bool = False) -> tuple[MapSpec, int | None]:
    """The map of a type, and at which byte of it the initial values begin, if it has them."""
    definition = btf.resolve(type_id)
    if not isinstance(definition, Composite) or definition.kind != "struct":
        raise BtfError(f"declared as {btf.name_of(type_id)}, not as a struct")
    numbers: dict[str, int] = {}
    types: dict[str, int] = {}
    values: Member | None = None
    for member in definition.members:
        if member.name in _NUMBERS:
            _set(numbers, member.name, _number(btf, member))
        elif member.name in _TYPES:
            types[member.name] = _pointee(btf, member)
            _set(numbers, _TYPES[member.name], btf.size_of(types[member.name]))
        elif member.name == _VALUES and not inner:
            values = member
        elif member.name not in _PLACEMENT:
            raise BtfError(f"unknown member {member.name!r}")
    if "type" not in numbers:
        raise BtfError("no member `type`")
    inner_spec = None
    if values is not None:
        _set(numbers, "value_size", _VALUE_SIZE)
        inner_spec = _inner(btf, name, numbers["type"], values)
    spec = MapSpec(
        name=name,
        map_type=numbers["type"],
        key_size=numbers.get("key_size", 0),
        value_size=numbers.get("value_size", 0),
        max_entries=numbers.get("max_entries", 0),
        flags=numbers.get("map_flags", 0),
        key_type_id=types.get("key", 0),
        value_type_id=types.get("value", 0),
        inner=inner_spec,
    )
    return spec, None if values is None else values.bit_offset // 8


def _inner(btf: Btf, name: str, map_type: int, values: Member) -> MapSpec | None:
    """What the maps in a map of maps are like, by the type of its values; None for an array of programs."""
    array = btf.resolve(values.type_id)
    pointer = btf.resolve(array.element_id) if isinstance(array, Array) and not array.length else None
    if not isinstance(pointer, Reference) or pointer.kind != "ptr":
        raise BtfError(f"member {_VALUES} is {btf.name_of(values.type_id)}, not an array without length")
    if map_type in _OF_MAPS:
        return _read_map(btf, f"{name}.inner", pointer.type_id, inner=True)[0]
    if map_type != _PROG_ARRAY or not isinstance(btf.resolve(pointer.type_id), Prototype):
        raise BtfError(f"member {_VALUES} is for maps of maps and arrays of programs")
    return None


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
