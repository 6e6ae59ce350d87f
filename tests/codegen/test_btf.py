"""BTF: values, bytes of both byte orders, and refusal of everything else."""

from __future__ import annotations

import json
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from skverdict.codegen.btf import Btf, BtfBuilder
from skverdict.codegen.btf_types import (
    INT_BOOL,
    INT_SIGNED,
    LINKAGE_STATIC,
    Array,
    BtfError,
    Composite,
    Enumeration,
    Int,
    Member,
    Placement,
    Reference,
    Section,
)

from tests.codegen.sample_objects import FOLDER, SAMPLES, endian_of, section_of, tool_path
from tests.interop.toolchain import BPFTOOL


def every_kind() -> Btf:
    """One table with each of the nineteen kinds."""
    make = BtfBuilder()
    u32 = make.integer("unsigned int", 4)
    i64 = make.integer("long", 8, INT_SIGNED)
    make.integer("_Bool", 1, INT_BOOL)
    pointer = make.pointer(make.const(make.volatile(u32)))
    fields = [Member("ip", u32, 0), Member("low", u32, 32, 3), Member("high", u32, 35, 29)]
    key = make.struct("key", 8, fields)
    make.union("either", 8, [Member("whole", i64, 0), Member("parts", make.array(u32, u32, 2), 0)])
    make.enum("verdict", [("SK_DROP", 0), ("SK_PASS", 1)])
    make.enum("errno", [("EPERM", -1)], signed=True)
    make.enum64("wide", [("TOP", 1 << 63)])
    make.enum64("wide_signed", [("LOWEST", -(1 << 63))], signed=True)
    make.forward("sock")
    make.forward("opaque", is_union=True)
    typedef = make.typedef("be32", make.restrict(pointer))
    make.type_tag("user", typedef)
    prototype = make.prototype(i64, [("skb", pointer), ("", 0)])
    function = make.function("verdict", prototype)
    variable = make.variable("seen", key, LINKAGE_STATIC)
    make.section(".bss", [(variable, 0, 8)], size=8)
    make.floating("double", 8)
    make.decl_tag("note", function, 0)
    make.decl_tag("whole", variable)
    return make.build()


@pytest.mark.parametrize("endian", ["little", "big"])
def test_every_kind_survives_its_bytes(endian: str) -> None:
    btf = every_kind()
    content = btf.encode(endian)
    assert Btf.decode(content) == btf
    assert len({btf_type.kind for btf_type in btf.types}) == 20  # with void


@pytest.mark.parametrize("name", SAMPLES)
def test_what_clang_wrote_comes_out_to_the_byte(name: str) -> None:
    content = section_of(name, ".BTF")
    assert Btf.decode(content).encode(endian_of(name)) == content


@pytest.mark.parametrize("version", sorted({name.split("-")[0] for name in SAMPLES}))
def test_byte_order_does_not_change_the_types(version: str) -> None:
    little, big = (Btf.decode(section_of(f"{version}-{endian}.o", ".BTF")) for endian in ("little", "big"))
    assert little == big


def test_types_agree_with_bpftool(tmp_path: Path) -> None:
    command = [tool_path(BPFTOOL), "-j", "btf", "dump", "file", str(FOLDER / "clang19-little.o")]
    listed = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["types"]
    btf = Btf.decode(section_of("clang19-little.o", ".BTF"))
    kinds = {"ptr": "PTR", "func_proto": "FUNC_PROTO", "datasec": "DATASEC"}
    ours = [
        (type_id, kinds.get(btf_type.kind, btf_type.kind.upper()), btf_type.name or "(anon)")
        for type_id, btf_type in enumerate(btf.types)
        if type_id
    ]
    assert ours == [(each["id"], each["kind"], each["name"]) for each in listed]


def test_a_builder_gives_equal_types_one_id_and_equal_strings_one_place() -> None:
    make = BtfBuilder()
    first = make.pointer(make.integer("int", 4, INT_SIGNED))
    names = make.build().strings
    assert make.pointer(make.integer("int", 4, INT_SIGNED)) == first
    assert make.string("int") == make.string("int") == 1
    assert make.build().strings == names


@pytest.mark.parametrize("endian", ["little", "big"])
def test_a_builder_writes_what_its_table_would(endian: str) -> None:
    make = BtfBuilder()
    node = make.forward("node")
    make.function("walk", make.prototype(0, [("from", make.pointer(node))]))
    number = make.typedef("__u64", make.integer("unsigned long long", 8))
    make.define(node, Composite("struct", "node", 16, (Member("next", make.pointer(node), 0), Member("x", number, 64))))
    make.string("a line of the source")
    assert make.encode(endian) == make.build().encode(endian)


def test_a_builder_tells_types_of_equal_numbers_apart() -> None:
    make = BtfBuilder()
    ids = {make.floating("x", 0), make.forward("x"), make.pointer(0), make.const(0), make.struct("x", 0, [])}
    assert len(ids) == 5


def test_a_struct_can_point_to_itself() -> None:
    make = BtfBuilder()
    node = make.forward("node")
    following = make.pointer(node)
    make.define(node, Composite("struct", "node", 8, (Member("next", following, 0),)))
    btf = Btf.decode(make.build().encode("little"))
    assert btf.name_of(following) == "struct node *"
    assert btf.size_of(node) == 8


def test_only_a_declaration_can_be_defined() -> None:
    make = BtfBuilder()
    with pytest.raises(BtfError, match="type 1 is int, not a forward declaration"):
        make.define(make.integer("int", 4), Composite("struct", "node", 0, ()))


def test_sizes_and_names_are_c_ones() -> None:
    make = BtfBuilder()
    u32 = make.integer("unsigned int", 4)
    named = make.typedef("__u32", u32)
    rows = make.array(make.array(named, u32, 3), u32, 5)
    text = make.pointer(make.const(make.integer("char", 1)))
    constant = make.const(text)
    volatile = make.volatile(constant)
    btf = make.build()
    assert [btf.size_of(each) for each in (u32, named, rows, text, constant)] == [4, 4, 60, 8, 8]
    assert btf.name_of(rows) == "__u32[5][3]"
    assert btf.name_of(text) == "const char *"
    assert btf.name_of(constant) == "const char * const"
    assert btf.resolve_id(volatile) == text
    assert isinstance(btf.resolve(volatile), Reference)
    assert btf.find("__u32") == named
    assert btf.find("__u32", "int", "struct") is None


@pytest.mark.parametrize("name", ["void", "fwd", "func_proto"])
def test_some_types_have_no_size(name: str) -> None:
    btf = every_kind()
    type_id = next(at for at, each in enumerate(btf.types) if each.kind == name)
    with pytest.raises(BtfError, match="has no size"):
        btf.size_of(type_id)


def small() -> Btf:
    make = BtfBuilder()
    make.struct("key", 4, [Member("ip", make.integer("int", 4), 0)])
    return make.build()


HEADER = struct.Struct("<HBBIIIII")
DAMAGED: list[tuple[str, Callable[[bytes], bytes], str]] = [
    ("nothing", lambda content: b"", "magic number 0xeb9f is not at byte 0"),
    ("magic", lambda content: b"\0" + content[1:], "magic number 0xeb9f is not at byte 0"),
    ("half a header", lambda content: content[:20], "header cut short: 20 of 24"),
    ("version", lambda content: content[:2] + b"\2" + content[3:], "version 2 with flags 0x0 at byte 2"),
    ("long header", lambda content: content[:4] + b"\x1c" + content[5:], "header of 28 bytes"),
    ("cut strings", lambda content: content[:-1], "string section, 12 bytes at 64, runs past the end at 75"),
    ("open string", lambda content: content[:-1] + b"x", "does not begin and end with a NUL"),
    ("odd types", lambda content: content[:12] + b"\x27" + content[13:], "not whole 32-bit words"),
    ("shifted types", lambda content: content[:8] + b"\1" + content[9:], "not on a 4-byte boundary"),
]


@pytest.mark.parametrize(("damage", "message"), [row[1:] for row in DAMAGED], ids=[row[0] for row in DAMAGED])
def test_damaged_headers_are_named(damage: Callable[[bytes], bytes], message: str) -> None:
    with pytest.raises(BtfError, match=message):
        Btf.decode(damage(small().encode("little")))


def with_words(*words: int) -> bytes:
    """BTF of these type words and the strings "" and "a" (offset 1)."""
    types = struct.pack(f"<{len(words)}I", *words)
    return HEADER.pack(0xEB9F, 1, 0, 24, 0, len(types), len(types), 3) + types + b"\0a\0"


INT = (1, 1 << 24, 4, 32)
WRONG_TYPES = {
    "kind 0": ([0, 0, 0], "type 1 at byte 0 of the type section: unknown kind 0"),
    "kind 20": ([0, 20 << 24, 0], "unknown kind 20"),
    "cut short": ([*INT, 0, 0], "type 2 at byte 16 of the type section: cut short"),
    "no tail": ([1, 1 << 24, 4], "int cut short, it takes 16 bytes"),
    "too many members": ([1, 4 << 24 | 0xFFFF, 4], "struct cut short"),
    "reserved bits": ([1, 1 << 24 | 1 << 20, 4, 32], "info 0x01100000 is not valid for int"),
    "flag": ([0, 1 << 31 | 2 << 24, 0], "info 0x82000000 is not valid for ptr"),
    "count": ([0, 2 << 24 | 1, 0], "is not valid for ptr"),
    "name of a pointer": ([1, 2 << 24, 0], "ptr has a name"),
    "typedef without name": ([0, 8 << 24, 0], "typedef has no name"),
    "name out of range": ([3, 1 << 24, 4, 32], "string offset 3, the string section has 3 bytes"),
    "unknown id": ([0, 2 << 24, 2], "ptr refers to type 2, the table ends at 1"),
    "function of no prototype": ([*INT, 1, 12 << 24, 1], "func has type 1, which is no prototype"),
    "section of types": ([*INT, 1, 15 << 24 | 1, 0, 1, 0, 4], "holds type 1, neither variable nor function"),
    "itself": ([0, 10 << 24, 1], "const contains itself"),
    "mutual": ([0, 10 << 24, 2, 0, 9 << 24, 1], "contains itself"),
    "struct in itself": ([1, 4 << 24 | 1, 4, 1, 1, 0], "struct contains itself"),
    "member past the end": ([*INT, 1, 4 << 24 | 1, 4, 1, 1, 8], "struct a has a past its end"),
    "member without size": ([1, 4 << 24 | 1, 4, 1, 0, 0], r"struct a: type 0 \(void\) has no size"),
    "bits": ([1, 1 << 24, 4, 33], "a has more bits than its 4 bytes hold"),
}


def test_layers_have_a_limit() -> None:
    layers = [word for at in range(33) for word in (0, 10 << 24, at)]
    assert Btf.decode(with_words(*layers[:-3])).name_of(32).startswith("const const")
    with pytest.raises(BtfError, match=r"type 33 .*: const has more than 32 typedefs, qualifiers and arrays"):
        Btf.decode(with_words(*layers))


@pytest.mark.parametrize("case", WRONG_TYPES)
def test_wrong_types_are_named_with_their_place(case: str) -> None:
    words, message = WRONG_TYPES[case]
    with pytest.raises(BtfError, match=message):
        Btf.decode(with_words(*words))


def test_a_pointer_cycle_is_no_containment() -> None:
    btf = Btf.decode(with_words(0, 2 << 24, 1))
    assert btf.size_of(1) == 8
    assert btf.name_of(1).startswith("...")


@given(st.binary(max_size=60))
def test_any_type_words_are_a_table_or_refused(types: bytes) -> None:
    content = HEADER.pack(0xEB9F, 1, 0, 24, 0, len(types), len(types), 3) + types + b"\0a\0"
    try:
        btf = Btf.decode(content)
    except BtfError:
        return
    for type_id in range(len(btf.types)):
        assert isinstance(btf.name_of(type_id), str)


@given(st.data())
def test_a_changed_byte_is_a_table_or_refused(data: st.DataObject) -> None:
    content = bytearray(every_kind().encode("big"))
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] = data.draw(st.integers(0, 255))
    try:
        Btf.decode(bytes(content)).encode("big")
    except BtfError as error:
        assert str(error)


def test_what_does_not_fit_is_refused_when_built() -> None:
    make = BtfBuilder()
    with pytest.raises(BtfError, match="has a NUL"):
        make.string("a\0b")
    with pytest.raises(BtfError, match="65536 entries, BTF allows 65535"):
        make.enum("many", [("x", 0)] * 65536)
    with pytest.raises(BtfError, match="does not fit BTF's 32 bits"):
        make.add(Array(0, 0, 1 << 32))
    with pytest.raises(BtfError, match="past the 2 MiB that bit fields allow"):
        make.struct("s", 1 << 22, [Member("bit", 0, 1 << 24, 1)])


def test_values_of_enumerations_keep_their_sign() -> None:
    btf = Btf.decode(every_kind().encode("big"))
    values = {
        btf_type.name: btf_type.enumerators[0].value
        for btf_type in btf.types
        if isinstance(btf_type, Enumeration)
    }
    assert values == {"verdict": 0, "errno": -1, "wide": 1 << 63, "wide_signed": -(1 << 63)}


def test_details_of_a_table_made_by_clang() -> None:
    btf = Btf.decode(section_of("clang19-big.o", ".BTF"))
    key = btf.find("key", "struct")
    assert key is not None
    definition = btf.types[key]
    assert isinstance(definition, Composite)
    assert [(member.name, member.bit_offset) for member in definition.members] == [
        ("source", 0),
        ("destination", 32),
    ]
    assert isinstance(btf.resolve(definition.members[0].type_id), Int)
    maps = btf.find(".maps", "datasec")
    assert maps is not None
    section = btf.types[maps]
    assert isinstance(section, Section)
    assert Placement(section.variables[0].type_id, 0, 32) in section.variables
