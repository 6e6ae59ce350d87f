"""Objects that clang made, read back; and files that are no such objects."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skverdict.codegen import ObjectError, read_object
from skverdict.codegen.elf_file import MAX_UNINITIALISED
from skverdict.codegen.instruction_set import jump_target, operation
from skverdict.codegen.object import DataReference, MapReference, MapSpec

from tests.codegen.damage import Damaged
from tests.codegen.sample_objects import SAMPLES, content_of, endian_of, object_of

samples = pytest.mark.parametrize("name", SAMPLES)
SAMPLE = "clang19-little.o"


@samples
def test_maps_are_what_the_source_declares(name: str) -> None:
    read = object_of(name)
    assert read.btf is not None
    maps = {
        spec.name: (spec.map_type, spec.key_size, spec.value_size, spec.max_entries, spec.flags)
        for spec in read.maps.values()
    }
    assert list(maps.items()) == [
        ("sockets", (15, 4, 8, 2, 0)),
        ("peers", (18, 8, 4, 1024, 0)),
        ("counters", (1, 8, 16, 64, 1)),
    ]
    assert read.btf.name_of(read.maps["sockets"].key_type_id) == "u32"
    assert read.btf.name_of(read.maps["peers"].key_type_id) == "struct key"
    assert (read.maps["counters"].key_type_id, read.maps["peers"].value_type_id) == (0, 0)


@samples
def test_programs_have_names_sections_and_kinds(name: str) -> None:
    read = object_of(name)
    assert [(each.name, each.section, each.kind) for each in read.programs.values()] == [
        ("parser", "sk_skb/stream_parser", "stream_parser"),
        ("to_first", "sk_skb/stream_verdict", "stream_verdict"),
        ("to_second", "sk_skb/stream_verdict", "stream_verdict"),
        ("to_peer", "sk_msg", "msg_verdict"),
    ]


@samples
def test_the_rest_of_the_object(name: str) -> None:
    read = object_of(name)
    assert read.endian == endian_of(name)
    assert read.license == "GPL"
    data = {section.name: (section.content, section.read_only) for section in read.data.values()}
    ports = b"".join(port.to_bytes(4, read.endian) for port in (80, 443, 8080, 10000))  # type: ignore[arg-type]
    assert data == {
        ".rodata": ((1500).to_bytes(4, read.endian), True),  # type: ignore[arg-type]
        ".data": (ports, False),
        ".bss": (bytes(8), False),
    }


@samples
def test_called_functions_stand_behind_the_program_in_the_order_of_the_calls(name: str) -> None:
    programs = object_of(name).programs
    assert list(programs["to_first"].functions.values()) == ["to_first", "known", "count"]
    assert list(programs["to_second"].functions.values()) == ["to_second", "count"]
    assert list(programs["parser"].functions.items()) == [(0, "parser")]


@samples
def test_calls_reach_the_functions_that_they_name(name: str) -> None:
    program = object_of(name).programs["to_first"]
    calls = [
        program.functions[target]
        for slot, each in program.instructions.items()
        if operation(each).family == "call"
        and (target := jump_target(slot, each, operation(each))) is not None
    ]
    assert calls == ["known", "count"]


@samples
def test_every_slot_belongs_to_one_instruction(name: str) -> None:
    for program in object_of(name).programs.values():
        taken = [slot + each for slot, at in program.instructions.items() for each in range(at.slots)]
        assert taken == list(range(program.slots))


@samples
def test_references_name_maps_and_data(name: str) -> None:
    program = object_of(name).programs["to_first"]
    assert [reference.map for reference in program.maps.values()] == ["sockets", "counters"]
    assert [(each.section, each.offset) for each in program.data.values()] == [
        (".bss", 0),
        (".data", 0),
        (".rodata", 0),
    ]
    for slot, reference in {**program.maps, **program.data}.items():
        assert isinstance(reference, (MapReference, DataReference))
        assert reference.slot == slot
        assert program.instructions[slot].slots == 2


@samples
def test_source_lines_are_known_at_every_slot(name: str) -> None:
    program = object_of(name).programs["to_first"]
    count = next(slot for slot, function in program.functions.items() if function == "count")
    line = program.line_at(count)
    assert line is not None
    assert (line.line, line.text) == (60, "static NOINLINE int count(u64 id, u32 size)")
    last = program.line_at(count - 1)
    assert last is not None and last.line in (78, 79)


@pytest.mark.parametrize("version", sorted({name.split("-")[0] for name in SAMPLES}))
def test_byte_order_changes_nothing_but_itself(version: str) -> None:
    little, big = (object_of(f"{version}-{endian}.o") for endian in ("little", "big"))
    assert little.programs == big.programs
    assert little.maps == big.maps


def test_a_bare_section_and_one_that_is_not_loaded_unasked() -> None:
    bare = Damaged(content_of(SAMPLE)).text(b"sk_msg\0", b"sk_skb\0").content
    assert read_object(bytes(bare)).programs["to_peer"].kind == "stream_verdict"
    optional = Damaged(content_of(SAMPLE)).text(b"sk_skb/stream_verdict\0", b"?sk_skb/stream_parser\0")
    program = read_object(bytes(optional.content)).programs["to_first"]
    assert (program.section, program.kind) == ("sk_skb/stream_parser", "stream_parser")


def test_an_object_without_license_has_none() -> None:
    content = Damaged(content_of(SAMPLE)).text(b"license\0", b"licence\0").content
    assert read_object(bytes(content)).license == ""


def test_without_lines_there_are_none() -> None:
    content = Damaged(content_of(SAMPLE)).text(b".BTF.ext\0", b".BTF.exx\0").content
    assert read_object(bytes(content)).programs["parser"].lines == {}


WIDE_POINTER = 1  # R_BPF_64_64
CALL = 10  # R_BPF_64_32
# Of clang 19's sample the cases below damage: to_peer, which refers to `peers` in slot 16; the section of the
# verdicts, with a call in slot 22; count, which refers to the static map `counters` in slot 19 of its own.
DAMAGE: dict[str, tuple[Callable[[Damaged], Damaged], str]] = {
    "class": (lambda it: it.byte(4, 1), "ELF class 1 at byte 4"),
    "byte order": (lambda it: it.byte(5, 3), "ELF byte order 3 at byte 5"),
    "swapped order": (lambda it: it.byte(5, 2), "ELF for machine 63232"),
    "machine": (lambda it: it.byte(18, 62), r"ELF for machine 62 \(at byte 18\), BPF is 247"),
    "executable": (lambda it: it.byte(16, 2), "ELF type 2 at byte 16"),
    "section past the end": (
        lambda it: it.section("sk_msg", "offset", 1 << 20),
        "section sk_msg, 176 bytes at 1048576, runs past the end of the file",
    ),
    "far section": (lambda it: it.section("sk_msg", "offset", (1 << 64) - 8), "runs past the end"),
    "endless section": (lambda it: it.section("sk_msg", "size", 1 << 62), "runs past the end"),
    "overlapping": (
        lambda it: it.section(".text", "size", 7000).section(".text", "offset", 0),
        "sections overlap",
    ),
    "compressed": (lambda it: it.section("sk_msg", "flags", 0x806), "section sk_msg is compressed"),
    "endless zeros": (
        lambda it: it.section(".bss", "size", 1 << 40),
        f"section .bss asks for 1099511627776 bytes, more than {MAX_UNINITIALISED}",
    ),
    "part of a slot": (
        lambda it: it.section("sk_msg", "size", 172),
        "section sk_msg: 172 bytes are not whole instructions of 8 bytes",
    ),
    "half a wide instruction": (
        lambda it: it.section("sk_msg", "size", 17 * 8),
        "section sk_msg: slot 16: wide instruction without second half",
    ),
    "second half": (
        lambda it: it.slot("sk_msg", 17, "07 00 00 00 00 00 00 00"),
        "section sk_msg: slot 17: second half of a wide instruction",
    ),
    "unknown section": (
        lambda it: it.text(b"sk_msg\0", b"sk_bug\0"),
        "section sk_bug holds programs of no known kind: sk_msg, sk_skb, sk_skb/stream_parser",
    ),
    "no BTF": (lambda it: it.text(b".BTF\0", b".XTF\0"), "section .maps without .BTF"),
    "BTF": (lambda it: it.section(".BTF", "size", 100), "section .BTF: type section, .* runs past the end"),
    "BTF.ext": (lambda it: it.section(".BTF.ext", "size", 30), r"\.BTF\.ext: .*header of 32 bytes"),
    "old maps": (lambda it: it.text(b"\0.maps\0", b"\0xmaps\0"), "refers to section xmaps"),
    "opcode": (
        lambda it: it.slot("sk_msg", 7, "ff 00 00 00 00 00 00 00"),
        "section sk_msg, slot 7: opcode 0xff is not an instruction",
    ),
    "call through register": (
        lambda it: it.slot("sk_msg", 7, "8d 01 00 00 00 00 00 00"),
        "section sk_msg, slot 7: opcode 0x8d calls through a register",
    ),
    "jump out": (
        lambda it: it.slot("sk_msg", 7, "05 00 ff 7f 00 00 00 00"),
        "section sk_msg, slot 7: jumps to slot 32775, which is no instruction of to_peer",
    ),
    "jump into a wide instruction": (
        lambda it: it.slot("sk_msg", 7, "05 00 09 00 00 00 00 00"),
        "section sk_msg, slot 7: jumps to slot 17, which is no instruction of to_peer",
    ),
    "call to the middle": (
        lambda it: it.slot("sk_skb/stream_verdict", 22, "85 10 00 00 03 00 00 00"),
        "section sk_skb/stream_verdict, slot 22: no function that it could call begins at slot 4 of section",
    ),
    "function size": (
        lambda it: it.symbol("to_peer", "size", 0),
        "section sk_msg: function to_peer, 0 bytes at byte 0, is not whole instructions of the 176 bytes",
    ),
    "function end": (lambda it: it.symbol("to_peer", "size", 184), "function to_peer, 184 bytes at byte 0"),
    "function place": (lambda it: it.symbol("to_peer", "value", 4), "function to_peer, 176 bytes at byte 4"),
    "function in a wide instruction": (
        lambda it: it.symbol("to_peer", "size", 17 * 8),
        "section sk_msg: function to_peer cuts a wide instruction in two",
    ),
    "undefined function": (
        lambda it: it.symbol("known", "section", 0),
        "section sk_skb/stream_verdict, slot 8: calls known, which the object does not define",
    ),
    "undefined variable": (
        lambda it: it.symbol("total", "section", 0),
        "slot 2: refers to total, which the object does not define",
    ),
    "symbol's section": (lambda it: it.symbol("total", "section", 200), "symbol total lies in section 200"),
    "map's place": (
        lambda it: it.slot(".text", 19, "18 01 00 00 41 00 00 00"),
        "section .text, slot 19: refers to byte 65 of .maps, where no map begins",
    ),
    "relocation's place": (
        lambda it: it.relocation("sk_msg", 0, 12, WIDE_POINTER),
        "section sk_msg: relocation at byte 12, which is not the start of one instruction",
    ),
    "relocation past the end": (
        lambda it: it.relocation("sk_msg", 0, 1 << 40, WIDE_POINTER),
        "section sk_msg: relocation at byte 1099511627776",
    ),
    "relocation's symbol": (
        lambda it: it.relocation("sk_msg", 0, 16 * 8, 1000 << 32 | WIDE_POINTER),
        "section .relsk_msg refers to symbol 1000",
    ),
    "relocation's kind": (
        lambda it: it.relocation("sk_msg", 0, 16 * 8, CALL),
        "section sk_msg, slot 16: relocation of kind 10 does not go with opcode 0x18",
    ),
    "relocated arithmetic": (
        lambda it: it.relocation("sk_msg", 0, 0, WIDE_POINTER),
        "section sk_msg, slot 0: relocation of kind 1 does not go with opcode 0x61",
    ),
    "relocations with addends": (
        lambda it: it.section(".relsk_msg", "type", 4).section(".relsk_msg", "entry size", 24),
        "section .relsk_msg has relocations with addends",
    ),
    "no symbols": (lambda it: it.section(".symtab", "type", 1), "an object has one symbol table, this has 0"),
    "two of a name": (
        lambda it: it.text(b"\0.data\0", b"\0.bsss\0").text(b"\0.bsss\0", b"\0.maps\0"),
        "two sections are called .maps",
    ),
    "map without symbol": (
        lambda it: it.symbol("peers", "section", 0xFFF1),
        "map peers has no symbol in section .maps",
    ),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damage_is_named_with_its_place(case: str) -> None:
    damage, message = DAMAGE[case]
    with pytest.raises(ObjectError, match=f"^policy.o: .*{message}"):
        read_object(bytes(damage(Damaged(content_of(SAMPLE))).content), "policy.o")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an ELF file: it begins with nothing"),
        (b"#!/bin/sh\n", "not an ELF file: it begins with 23 21 2f 62"),
        (b"\x7fELF\2\1\1", "ELF header cut short: 7 of 64 bytes"),
    ],
)
def test_other_files_are_refused(content: bytes, message: str) -> None:
    with pytest.raises(ObjectError, match=f"^notes.txt: {message}"):
        read_object(content, "notes.txt")


def test_a_file_cut_short_anywhere_is_refused() -> None:
    content = content_of(SAMPLE)
    for size in range(0, len(content), 61):
        with pytest.raises(ObjectError):
            read_object(content[:size])


def read_or_refuse(content: bytes) -> None:
    """What every byte string must do: be an object, or be refused by name."""
    try:
        read = read_object(content, "damaged.o")
    except ObjectError as error:
        assert str(error).startswith("damaged.o: ")
        return
    for program in read.programs.values():
        for reference in program.maps.values():
            assert isinstance(read.maps[reference.map], MapSpec)
        for each in program.data.values():
            assert 0 <= each.offset <= len(read.data[each.section].content)
        for slot, instruction in program.instructions.items():
            target = jump_target(slot, instruction, operation(instruction))
            assert target is None or target in program.instructions


@settings(max_examples=150)
@given(st.data())
def test_changed_bytes_are_an_object_or_refused(data: st.DataObject) -> None:
    content = bytearray(content_of(data.draw(st.sampled_from(SAMPLES))))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    read_or_refuse(bytes(content))


@settings(max_examples=100)
@given(st.data())
def test_changed_headers_are_an_object_or_refused(data: st.DataObject) -> None:
    content = bytearray(content_of(SAMPLE))
    table = int.from_bytes(content[40:48], "little")
    at = data.draw(st.one_of(st.integers(0, 63), st.integers(table, len(content) - 1)))
    change = data.draw(st.binary(min_size=1, max_size=8))
    content[at : at + len(change)] = change
    read_or_refuse(bytes(content))


@given(st.binary(max_size=200))
def test_anything_after_the_header_is_an_object_or_refused(rest: bytes) -> None:
    read_or_refuse(content_of(SAMPLE)[:64] + rest)
