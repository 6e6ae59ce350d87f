"""Map definitions in BTF, and what of them is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from skverdict.codegen.btf import BtfBuilder
from skverdict.codegen.btf_types import Member
from skverdict.codegen.elf_file import ElfRelocation, ElfSymbol
from skverdict.codegen.map_definitions import PlacedMap, read_maps, with_initial_values
from skverdict.codegen.object import MapSpec
from skverdict.codegen.object_error import ObjectError

Make = Callable[[BtfBuilder], int]


def counted(count: int) -> Make:
    """A number as `__uint` spells it: a pointer to so many integers."""

    def make(btf: BtfBuilder) -> int:
        integer = btf.integer("int", 4)
        return btf.pointer(btf.array(integer, integer, count))

    return make


def enumerated(value: int) -> Make:
    """A number as `__ulong` spells it: a pointer to an enumeration of one value."""
    return lambda btf: btf.pointer(btf.enum64("", [("value", value)]))


def typed(name: str, size: int) -> Make:
    return lambda btf: btf.pointer(btf.typedef(f"{name}_t", btf.integer(name, size)))


def read(**members: Make) -> MapSpec:
    """The map `m` declared with those members."""
    btf = BtfBuilder()
    fields = [Member(name, make(btf), 64 * at) for at, (name, make) in enumerate(members.items())]
    variable = btf.variable("m", btf.struct("", 8 * len(fields), fields))
    btf.section(".maps", [(variable, 0, 8 * len(fields))])
    (placed,) = read_maps(btf.build(), {"m": 0})
    return placed.spec


def test_a_definition_by_types() -> None:
    spec = read(type=counted(15), max_entries=counted(2), key=typed("u32", 4), value=typed("u64", 8))
    assert (spec.name, spec.map_type, spec.key_size, spec.value_size) == ("m", 15, 4, 8)
    assert (spec.max_entries, spec.flags) == (2, 0)
    assert spec.key_type_id and spec.value_type_id


def test_a_definition_by_sizes() -> None:
    spec = read(type=counted(1), key_size=counted(16), value_size=counted(4), map_flags=counted(1))
    assert spec == MapSpec("m", 1, key_size=16, value_size=4, max_entries=0, flags=1)


def test_a_size_and_a_type_that_agree() -> None:
    spec = read(type=counted(18), key=typed("u64", 8), key_size=counted(8))
    assert (spec.key_size, bool(spec.key_type_id)) == (8, True)


def test_numbers_as_enumerations_and_members_about_placement() -> None:
    placement = {"pinning": counted(1), "numa_node": counted(0)}
    spec = read(type=enumerated(27), max_entries=enumerated(1 << 20), **placement)
    assert spec == MapSpec("m", 27, key_size=0, value_size=0, max_entries=1 << 20)


def inner(btf: BtfBuilder, **members: int) -> int:
    """The type of a hash with keys of 4 and values of 8 bytes, and further members of given types."""
    made = {"type": counted(1)(btf), "key_size": counted(4)(btf), "value_size": counted(8)(btf), **members}
    fields = [Member(name, type_id, 64 * at) for at, (name, type_id) in enumerate(made.items())]
    return btf.struct("", 8 * len(fields), fields)


def values_of(btf: BtfBuilder, type_id: int) -> int:
    """The member `values` of things of a type: an array of pointers to them, without length."""
    return btf.array(btf.pointer(type_id), btf.integer("int", 4), 0)


def placed(map_type: int, values: Make) -> list[PlacedMap]:
    """Map `m` at byte 0 with such values behind two other members, and map `n` at byte 40."""
    btf = BtfBuilder()
    fields = [
        Member("type", counted(map_type)(btf), 0),
        Member("key_size", counted(4)(btf), 64),
        Member("values", values(btf), 128),
    ]
    outer = btf.variable("m", btf.struct("", 16, fields))
    btf.section(".maps", [(outer, 0, 16), (btf.variable("n", inner(btf)), 0, 24)])
    return read_maps(btf.build(), {"m": 0, "n": 40})


def refers(offset: int, name: str, kind: str = "OBJECT", value: int = 40, section: int = 5) -> ElfRelocation:
    """A relocation to a symbol."""
    return ElfRelocation(offset, 2, ElfSymbol(name, kind, value, 8, section))


def test_a_map_of_maps_tells_of_the_maps_in_it() -> None:
    outer, other = placed(12, lambda btf: values_of(btf, inner(btf)))
    assert outer.spec.inner == MapSpec("m.inner", 1, key_size=4, value_size=8, max_entries=0)
    assert (outer.spec.value_size, outer.values, other.values) == (4, 16, None)


def test_initial_values_are_relocations() -> None:
    maps = placed(12, lambda btf: values_of(btf, inner(btf)))
    outer, other = with_initial_values(maps, 5, [refers(32, "n"), refers(16, "n")])
    assert outer.spec.initial == ((0, "n"), (2, "n"))
    assert other.spec.initial == ()
    programs = placed(3, lambda btf: values_of(btf, btf.prototype(0, [])))
    (array, _) = with_initial_values(programs, 5, [refers(24, "main", "FUNC", 0, 3)])
    assert (array.spec.inner, array.spec.initial) == (None, ((1, "main"),))


@pytest.mark.parametrize(
    ("relocation", "says"),
    [
        (refers(8, "n"), "the relocation at byte 8 of .maps is no map's value"),
        (refers(48, "n"), "the relocation at byte 48 of .maps is no map's value"),
        (refers(20, "n"), "map m: n cannot be a value of it"),
        (refers(16, "n", value=41), "map m: n cannot be a value of it"),
        (refers(16, "f", "FUNC", section=3), "map m: f cannot be a value of it"),
    ],
)
def test_relocations_that_are_no_values(relocation: ElfRelocation, says: str) -> None:
    with pytest.raises(ObjectError, match=says):
        with_initial_values(placed(12, lambda btf: values_of(btf, inner(btf))), 5, [relocation])


REFUSED: dict[str, tuple[dict[str, Make], str]] = {
    "no type": ({"max_entries": counted(1)}, "map m: no member `type`"),
    "two sizes": (
        {"type": counted(1), "key_size": counted(8), "key": typed("u32", 4)},
        "map m: key_size is 8 and 4",
    ),
    "unknown": ({"type": counted(1), "colour": counted(1)}, "map m: unknown member 'colour'"),
    "values": ({"type": counted(12), "values": counted(1)}, r"member values is int\[1\] \*, not an array"),
    "values of a hash": (
        {"type": counted(1), "values": lambda btf: values_of(btf, inner(btf))},
        "member values is for maps of maps and arrays of programs",
    ),
    "values in values": (
        {"type": counted(12), "values": lambda btf: values_of(btf, inner(btf, values=values_of(btf, 0)))},
        "unknown member 'values'",
    ),
    "values of another size": (
        {"type": counted(12), "value_size": counted(8), "values": lambda btf: values_of(btf, inner(btf))},
        "value_size is 8 and 4",
    ),
    "no pointer": (
        {"type": lambda btf: btf.integer("int", 4)},
        "map m: member type is int, not a pointer",
    ),
    "no number": ({"type": typed("u32", 4)}, r"map m: member type points to u32_t, which spells no number"),
    "key without size": (
        {"type": counted(1), "key": lambda btf: btf.pointer(btf.forward("opaque"))},
        r"map m: type \d+ \(struct opaque\) has no size",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_wrong_definitions_are_named(case: str) -> None:
    members, message = REFUSED[case]
    with pytest.raises(ObjectError, match=message):
        read(**members)


def test_maps_stand_in_the_order_of_their_places() -> None:
    btf = BtfBuilder()
    definition = btf.struct("", 8, [Member("type", counted(1)(btf), 0)])
    places = [(btf.variable(name, definition), 0, 8) for name in ("c", "a", "b")]
    btf.section(".maps", places)
    placed = read_maps(btf.build(), {"a": 0, "b": 8, "c": 16})
    assert [(each.offset, each.spec.name) for each in placed] == [(0, "a"), (8, "b"), (16, "c")]


def test_two_maps_in_one_place() -> None:
    btf = BtfBuilder()
    definition = btf.struct("", 8, [Member("type", counted(1)(btf), 0)])
    btf.section(".maps", [(btf.variable(name, definition), 0, 8) for name in ("a", "b")])
    with pytest.raises(ObjectError, match=r"maps a and b both lie at byte 8 of \.maps"):
        read_maps(btf.build(), {"a": 8, "b": 8})


def test_a_map_that_is_no_struct() -> None:
    btf = BtfBuilder()
    btf.section(".maps", [(btf.variable("m", btf.integer("int", 4)), 0, 4)])
    with pytest.raises(ObjectError, match="map m: declared as int, not as a struct"):
        read_maps(btf.build(), {"m": 0})


def test_maps_that_btf_does_not_describe() -> None:
    with pytest.raises(ObjectError, match=r"section \.maps is not described in \.BTF"):
        read_maps(BtfBuilder().build(), {})


def test_a_function_among_the_maps() -> None:
    btf = BtfBuilder()
    btf.section(".maps", [(btf.function("f", btf.prototype(0, [])), 0, 8)])
    with pytest.raises(ObjectError, match=r"section \.maps holds func f, not a variable"):
        read_maps(btf.build(), {})
