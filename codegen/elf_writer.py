"""The bytes of an object file: sections, symbols, relocations, and nothing else."""

from __future__ import annotations

import struct
from typing import NamedTuple

from skverdict.codegen import elf
from skverdict.codegen.btf import BYTE_ORDERS


class Symbol(NamedTuple):
    """A symbol in section `section`; `kind` is an `elf.STT_` number. A section's own symbol has its name."""

    name: str
    section: str
    offset: int
    size: int
    kind: int
    binding: int = elf.STB_GLOBAL


class Section(NamedTuple):
    """A section; `relocations` are (byte offset in it, `elf.R_BPF_` number, symbol name).

    Of one of kind `elf.SHT_NOBITS` only the length of the content goes into the file.
    """

    name: str
    content: bytes
    flags: int = 0
    align: int = 1
    relocations: tuple[tuple[int, int, str], ...] = ()
    kind: int = elf.SHT_PROGBITS


class _Strings:
    """A string table under construction."""

    def __init__(self) -> None:
        self.content = bytearray(b"\0")

    def add(self, text: str) -> int:
        at = len(self.content)
        self.content += text.encode() + b"\0"
        return at


def write_elf(endian: str, sections: list[Section], symbols: list[Symbol]) -> bytes:
    """A relocatable BPF object with `sections` in the given order, after them relocations and symbols."""
    order = BYTE_ORDERS[endian]
    numbers = {section.name: number for number, section in enumerate(sections, 1)}
    symbols = sorted(symbols, key=lambda symbol: symbol.binding != elf.STB_LOCAL)
    symbol_numbers = {symbol.name: number for number, symbol in enumerate(symbols, 1)}
    related = [section for section in sections if section.relocations]
    symbol_table = len(sections) + len(related) + 1
    strings = _Strings()
    # Name, type, flags, content, link, info, alignment, entry size; addresses are zero in an object.
    rows: list[tuple[int, int, int, bytes, int, int, int, int]] = [(0, 0, 0, b"", 0, 0, 0, 0)]
    for section in sections:
        name = strings.add(section.name)
        rows.append((name, section.kind, section.flags, section.content, 0, 0, section.align, 0))
    for section in related:
        content = b"".join(
            struct.pack(order + elf.RELOCATION, offset, symbol_numbers[symbol] << 32 | kind)
            for offset, kind, symbol in section.relocations
        )
        name = strings.add(f".rel{section.name}")
        number = numbers[section.name]
        rows.append(
            (name, elf.SHT_REL, elf.SHF_INFO_LINK, content, symbol_table, number, 8, elf.RELOCATION_SIZE)
        )
    content = bytes(elf.SYMBOL_SIZE) + b"".join(
        struct.pack(
            order + elf.SYMBOL,
            0 if symbol.kind == elf.STT_SECTION else strings.add(symbol.name),
            symbol.binding << 4 | symbol.kind,
            0,
            numbers[symbol.section],
            symbol.offset,
            symbol.size,
        )
        for symbol in symbols
    )
    locals_end = 1 + sum(symbol.binding == elf.STB_LOCAL for symbol in symbols)
    name = strings.add(".symtab")
    rows.append((name, elf.SHT_SYMTAB, 0, content, symbol_table + 1, locals_end, 8, elf.SYMBOL_SIZE))
    name = strings.add(".strtab")
    rows.append((name, elf.SHT_STRTAB, 0, bytes(strings.content), 0, 0, 1, 0))
    return _lay_out(order, rows)


def _lay_out(order: str, rows: list[tuple[int, int, int, bytes, int, int, int, int]]) -> bytes:
    """Header, section contents and section table in one file."""
    file = bytearray(elf.HEADER_SIZE)
    table = bytearray()
    for name, kind, flags, content, link, info, align, entry_size in rows:
        if align:
            _pad(file, align)
        offset = len(file) if align else 0
        table += struct.pack(
            order + elf.SECTION, name, kind, flags, 0, offset, len(content), link, info, align, entry_size
        )
        if kind != elf.SHT_NOBITS:
            file += content
    _pad(file, 8)
    identification = b"\x7fELF\x02" + (b"\x01" if order == "<" else b"\x02") + b"\x01"
    struct.pack_into(
        order + elf.HEADER,
        file,
        0,
        identification,
        elf.ET_REL,
        elf.EM_BPF,
        1,
        0,
        0,
        len(file),
        0,
        elf.HEADER_SIZE,
        0,
        0,
        elf.SECTION_SIZE,
        len(rows),
        len(rows) - 1,
    )
    return bytes(file + table)


def _pad(file: bytearray, align: int) -> None:
    file += bytes(-len(file) % align)
