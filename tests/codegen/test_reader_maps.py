"""Map definitions in BTF, and what of them is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from skverdict.codegen.btf import BtfBuilder
from skverdict.codegen.btf_types import Member
from skverdict.codegen.map_definitions import read_maps
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


REFUSED: dict[str, tuple[dict[str, Make], str]] = {
    "no type": ({"max_entries": counted(1)}, "map m: no member `type`"),
    "two sizes": (
        {"type": counted(1), "key_size": counted(8), "key": typed("u32", 4)},
        "map m: key_size is 8 and 4",
    ),
    "unknown": ({"type": counted(1), "colour": counted(1)}, "map m: unknown member 'colour'"),
    "values": ({"type": counted(12), "values": counted(1)}, "map m: initial values"),
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
