"""What the object that LLVM wrote holds, as far as this product's own object needs it.

Its input is always LLVM's own output, so it checks nothing; objects from elsewhere are `object_reader`'s.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from skverdict.codegen import elf
from skverdict.codegen.btf import BYTE_ORDERS
from skverdict.codegen.btf_ext import COLUMN_BITS, MAX_COLUMN, LineInfo

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from skverdict.codegen.kernel_symbols import KernelRelocation

_LINE_SIZE = 16


class CodeSymbol(NamedTuple):
    """A function: `offset` and `size` are bytes of its section."""

    name: str
    section: str
    offset: int
    size: int
    is_global: bool


class CodeRelocation(NamedTuple):
    """The instruction at byte `offset` of its section refers to `symbol`; a section's own has its name."""

    offset: int
    kind: int
    symbol: str


class Code(NamedTuple):
    """Instructions by section, in the order LLVM put them, and what belongs to them."""

    sections: Mapping[str, bytes]
    functions: Sequence[CodeSymbol]
    relocations: Mapping[str, Sequence[CodeRelocation]]
    lines: Mapping[str, Sequence[LineInfo]]
    kernel: Mapping[str, Sequence[KernelRelocation]] = {}


def read_code(content: bytes, endian: str) -> Code:
    """The code in an object that LLVM wrote."""
    order = BYTE_ORDERS[endian]
    header = struct.unpack_from(order + elf.HEADER, content)
    table, count, names_index = header[6], header[12], header[13]
    headers = [
        struct.unpack_from(order + elf.SECTION, content, table + number * elf.SECTION_SIZE)
        for number in range(count)
    ]

    def body(number: int) -> bytes:
        start, size = headers[number][4:6]
        return content[start : start + size]

    section_names = body(names_index)
    names = [_string(section_names, each[0]) for each in headers]
    symbol_table = next(number for number in range(count) if headers[number][1] == elf.SHT_SYMTAB)
    symbol_names = body(headers[symbol_table][6])
    symbols = [
        (
            names[place] if info & 0xF == elf.STT_SECTION else _string(symbol_names, name),
            info,
            place,
            value,
            size,
        )
        for name, info, _, place, value, size in struct.iter_unpack(order + elf.SYMBOL, body(symbol_table))
    ]
    sections = {
        names[number]: body(number)
        for number in range(count)
        if headers[number][2] & elf.SHF_EXECINSTR and headers[number][5]
    }
    functions = [
        CodeSymbol(name, names[place], value, size, info >> 4 == elf.STB_GLOBAL)
        for name, info, place, value, size in symbols
        if info & 0xF == elf.STT_FUNC
    ]
    relocations = {
        names[target]: [
            CodeRelocation(offset, info & 0xFFFFFFFF, symbols[info >> 32][0])
            for offset, info in struct.iter_unpack(order + elf.RELOCATION, body(number))
        ]
        for number, (_, kind, _, _, _, _, _, target, *_) in enumerate(headers)
        if kind == elf.SHT_REL and names[target] in sections
    }
    lines = _lines(body(names.index(".BTF.ext")), body(names.index(".BTF")), order)
    return Code(sections, functions, relocations, lines)


def _lines(extension: bytes, btf: bytes, order: str) -> dict[str, list[LineInfo]]:
    """The line records of a `.BTF.ext` section by code section, without the text of the lines.

    Layout: Documentation/bpf/btf.rst, sections 4.1 and 4.2.
    """
    header_size, _, _, strings_offset, strings_size = struct.unpack_from(f"{order}5I", btf, 4)
    start = header_size + strings_offset
    strings = btf[start : start + strings_size]
    header_size, _, _, offset, size = struct.unpack_from(f"{order}5I", extension, 4)
    at = header_size + offset
    end = at + size
    at += 4  # the size of a record
    lines: dict[str, list[LineInfo]] = {}
    while at < end:
        section, count = struct.unpack_from(f"{order}2I", extension, at)
        at += 8
        records = extension[at : at + count * _LINE_SIZE]
        at += len(records)
        lines[_string(strings, section)] = [
            LineInfo(place, _string(strings, file), "", word >> COLUMN_BITS, word & MAX_COLUMN)
            for place, file, _, word in struct.iter_unpack(f"{order}4I", records)
        ]
    return lines


def _string(table: bytes, offset: int) -> str:
    return table[offset : table.index(b"\0", offset)].decode()
