"""Ways to damage an ELF file at a place that is known by name."""

from __future__ import annotations

import struct

from skverdict.codegen.elf_file import read_elf

# Offset in a section header and format of each field (ELF-64 object file format, figure 1-9).
_HEADER_FIELDS = {
    "type": (4, "I"),
    "flags": (8, "Q"),
    "offset": (24, "Q"),
    "size": (32, "Q"),
    "info": (44, "I"),
    "entry size": (56, "Q"),
}
_HEADER_SIZE, _SYMBOL_SIZE, _RELOCATION_SIZE = 64, 24, 16
_SYMBOL_FIELDS = {"info": (4, "B"), "section": (6, "H"), "value": (8, "Q"), "size": (16, "Q")}


class Damaged:
    """A copy of an object's bytes that can be changed by the names of its parts."""

    def __init__(self, content: bytes) -> None:
        self.content = bytearray(content)
        self._elf = read_elf(content)
        self._order = "<" if self._elf.endian == "little" else ">"

    def section(self, name: str, field: str, value: int) -> Damaged:
        """Set a field of the section's header."""
        at, form = _HEADER_FIELDS[field]
        return self._put(self._header(name) + at, form, value)

    def symbol(self, name: str, field: str, value: int) -> Damaged:
        """Set a field of the symbol."""
        index = next(at for at, symbol in enumerate(self._elf.symbols) if symbol.name == name)
        at, form = _SYMBOL_FIELDS[field]
        return self._put(self._start(".symtab") + index * _SYMBOL_SIZE + at, form, value)

    def relocation(self, section: str, index: int, offset: int, info: int) -> Damaged:
        """Set the whole of a relocation for the section."""
        return self._put(self._start(f".rel{section}") + index * _RELOCATION_SIZE, "QQ", offset, info)

    def slot(self, section: str, slot: int, content: str) -> Damaged:
        """Overwrite an instruction, given in hexadecimal."""
        at = self._start(section) + 8 * slot
        self.content[at : at + 8] = bytes.fromhex(content)
        return self

    def instruction(self, program: str, slot: int, content: bytes) -> Damaged:
        """Overwrite the instruction at a slot of the program."""
        symbol = next(symbol for symbol in self._elf.symbols if symbol.name == program)
        section = self._elf.sections[symbol.section]
        at = self._start(section.name) + symbol.value + 8 * slot
        self.content[at : at + len(content)] = content
        return self

    def text(self, old: bytes, new: bytes) -> Damaged:
        """Replace a name wherever it stands by one of the same length."""
        assert len(old) == len(new) and old in self.content
        self.content = self.content.replace(old, new)
        return self

    def byte(self, at: int, value: int) -> Damaged:
        self.content[at] = value
        return self

    def _header(self, name: str) -> int:
        (table,) = struct.unpack_from(f"{self._order}Q", self.content, 40)
        number = next(section.number for section in self._elf.sections if section.name == name)
        return int(table) + number * _HEADER_SIZE

    def _start(self, name: str) -> int:
        """Where the section's bytes begin in the file."""
        (start,) = struct.unpack_from(f"{self._order}Q", self.content, self._header(name) + 24)
        return int(start)

    def _put(self, at: int, form: str, *values: int) -> Damaged:
        struct.pack_into(f"{self._order}{form}", self.content, at, *values)
        return self
