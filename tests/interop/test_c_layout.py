"""The layout of C that `c_types` reads is clang's, bit by bit, on machines of both byte orders."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from elftools.elf.elffile import ELFFile
from skverdict.dsl.c.model import Bits, Record
from skverdict.dsl.c.reader import read_declarations

from tests.corpus.headers import UAPI

BITS = {
    "__u8": 8, "char": 8, "__u16": 16, "__s16": 16, "short": 16, "__u32": 32, "__u64": 64,
    "unsigned long": 64,
}  # fmt: skip
TYPES = (*BITS, "__be32", "void *")
# Nothing is included: headers of this machine's C library are for another machine.
PRELUDE = """
typedef unsigned char __u8; typedef unsigned short __u16; typedef unsigned int __u32;
typedef unsigned long long __u64; typedef short __s16; typedef unsigned short __be16;
typedef unsigned int __be32; typedef unsigned short __sum16;
#define __struct_group(tag, name, attrs, ...) union { struct { __VA_ARGS__ }; struct { __VA_ARGS__ } name; }
#define __bpf_md_ptr(type, name) union { type name; __u64 :64; } __attribute__((aligned(8)))
#define __constant_cpu_to_be32(x) (x)
"""
COUNT = 80


def names(prefix: str) -> Iterator[str]:
    return (f"{prefix}{number}" for number in range(1000))


def random_record(random: Random, free: Iterator[str], depth: int = 0) -> str:
    """A structure, or inside of one a union, without a tag."""
    members = [random_member(random, free, depth) for _ in range(random.randint(1, 6))]
    members.append(f"__u8 {next(free)};")
    attribute = random.choice([""] * 5 + ["packed", "aligned(16)", "packed, aligned(2)"])
    suffix = f" __attribute__(({attribute}))" if attribute else ""
    kind = random.choice(("struct", "struct", "union")) if depth else "struct"
    return f"{kind} {{ {' '.join(members)} }}{suffix}"


def random_member(random: Random, free: Iterator[str], depth: int) -> str:
    type_, kind = random.choice(TYPES), random.random()
    if kind < 0.35 and type_ in BITS:
        if random.random() < 0.12:
            return f"{type_} :{random.randint(0, BITS[type_])};"
        return f"{type_} {next(free)}:{random.randint(1, BITS[type_])};"
    if kind < 0.6 or depth == 2:
        attribute = random.choice([""] * 6 + [" __attribute__((aligned(8)))", " __attribute__((packed))"])
        return f"{type_} {next(free)}{random.choice(('', '', '[3]', '[2][2]'))}{attribute};"
    if kind < 0.75:
        return f"{random_record(random, free, depth + 1)};"
    name = next(free)
    return f"{random_record(random, names(f'{name}_'), depth + 1)} {name}{random.choice(('', '[2]'))};"


def objects(clang: str, order: str, source: str, folder: Path) -> dict[str, bytes]:
    """What the variables of a C source hold in the object that clang makes of it."""
    target, path = {"little": "bpfel", "big": "bpfeb"}[order], folder / f"{order}.o"
    options = ["-target", target, "-Wno-everything", "-nostdinc", "-c", "-x", "c", "-", "-o", str(path)]
    subprocess.run([clang, *options], input=source.encode(), check=True)
    found = {}
    with path.open("rb") as file:
        elf = ELFFile(file)
        for symbol in elf.get_section_by_name(".symtab").iter_symbols():
            if symbol["st_info"]["type"] == "STT_OBJECT":
                section = elf.get_section(symbol["st_shndx"])
                start, size = symbol["st_value"], symbol["st_size"]
                empty = section["sh_type"] == "SHT_NOBITS"
                found[symbol.name] = bytes(size) if empty else section.data()[start : start + size]
    return found


def image(record: Record, bits: Bits, order: str) -> bytes:
    """The record with all bits of one bit-field set."""
    content = bytearray(record.size)
    for place in range(bits.start, bits.start + bits.width):
        content[place // 8] |= 1 << place % 8 if order == "little" else 0x80 >> place % 8
    return bytes(content)


def questions(number: int, tag: str, record: Record) -> str:
    """Variables that tell where everything lies in a record, and one for each bit-field."""
    asked = [f"sizeof({tag})", f"_Alignof({tag})"]
    asked += [f"__builtin_offsetof({tag}, {field.name})" for field in record.fields]
    lines = [f"unsigned long long v{number}[] = {{ {', '.join(asked)} }};"]
    lines += [f"{tag} b{number}_{bits.name} = {{ .{bits.name} = -1 }};" for bits in record.bits]
    return "\n".join(lines)


def compare(clang: str, order: str, source: str, records: dict[str, Record], folder: Path) -> None:
    text = PRELUDE + source
    text += "\n".join(questions(number, *one) for number, one in enumerate(records.items()))
    answers = objects(clang, order, text, folder)
    for number, (tag, record) in enumerate(records.items()):
        content = answers[f"v{number}"]
        found = struct.unpack(f"{'<' if order == 'little' else '>'}{len(content) // 8}Q", content)
        assert found == (record.size, record.align, *(field.offset for field in record.fields)), tag
        for bits in record.bits:
            assert answers[f"b{number}_{bits.name}"] == image(record, bits, order), (tag, bits.name)


@pytest.mark.parametrize("order", ["little", "big"])
def test_random_records(clang: str, order: str, tmp_path: Path) -> None:
    random = Random(1)
    source = "\n".join(
        random_record(random, names("m")).replace("struct {", f"struct T{number} {{", 1) + ";"
        for number in range(COUNT)
    )
    found = read_declarations(source, order).records
    records = {f"struct T{number}": found[f"T{number}"] for number in range(COUNT)}
    compare(clang, order, source + "\n", records, tmp_path)


@pytest.mark.parametrize("order", ["little", "big"])
def test_headers(clang: str, order: str, tmp_path: Path) -> None:
    found = read_declarations(UAPI, order).records
    records = {f"{'union' if tag == 'tcp_word_hdr' else 'struct'} {tag}": one for tag, one in found.items()}
    macro = {"little": "__LITTLE_ENDIAN_BITFIELD", "big": "__BIG_ENDIAN_BITFIELD"}[order]
    compare(clang, order, f"#define {macro} 1\n{UAPI}\n", records, tmp_path)
