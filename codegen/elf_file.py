"""An ELF relocatable file as plain values: the part of ELF that a BPF object uses, read with pyelftools."""

from __future__ import annotations

import io
import struct
from typing import Any, NamedTuple

from skverdict.codegen.object_error import ObjectError

MACHINE_BPF = 247
FLAG_WRITE = 0x1
FLAG_ALLOCATED = 0x2
FLAG_EXECUTABLE = 0x4
FLAG_COMPRESSED = 0x800
HEADER_SIZE = 64

# What a section without bytes in the file (.bss) may ask for: the bytes are made here, so that a damaged size
# must not exhaust memory. It is more than the 4 MiB that Linux 6.1 allows for the map behind such a section.
MAX_UNINITIALISED = 64 << 20


class ElfSection(NamedTuple):
    """A section; `kind` is its type without `SHT_`. Sections without bytes in the file have zeros here."""

    number: int
    name: str
    kind: str
    flags: int
    content: bytes

    @property
    def executable(self) -> bool:
        return bool(self.flags & FLAG_EXECUTABLE)


class ElfSymbol(NamedTuple):
    """A symbol; `kind` is its type without `STT_`, `section` the number of its section, or None."""

    name: str
    kind: str
    value: int
    size: int
    section: int | None


class ElfRelocation(NamedTuple):
    """The place `offset` bytes into the section refers to `symbol`; the addend lies in the place itself."""

    offset: int
    kind: int
    symbol: ElfSymbol


class ElfFile(NamedTuple):
    """`endian` is `little` or `big`; `relocations` of code and data are by the section's number."""

    endian: str
    sections: tuple[ElfSection, ...]
    symbols: tuple[ElfSymbol, ...]
    relocations: dict[int, tuple[ElfRelocation, ...]]

    def section(self, name: str) -> ElfSection | None:
        """The first section of that name."""
        return next((section for section in self.sections if section.name == name), None)


def read_elf(content: bytes) -> ElfFile:
    """The ELF file in `content`, 64-bit and for BPF; raises `ObjectError`."""
    _check_identity(content)
    from elftools.elf.elffile import ELFFile

    # What pyelftools raises for damaged files is not one class: its own errors, but also IndexError,
    # OverflowError, AssertionError, UnicodeDecodeError and more, depending on the byte.
    try:
        elf = ELFFile(io.BytesIO(content))
        headers = [(section.name, section) for section in elf.iter_sections()]
    except Exception as error:
        raise ObjectError(f"damaged ELF section headers: {_reason(error)}") from error
    sections = tuple(_section(number, *header, content) for number, header in enumerate(headers))
    used = sum(len(section.content) for section in sections if section.kind not in ("NOBITS", "NULL"))
    if used > len(content):
        raise ObjectError(f"sections overlap: they hold {used} bytes, the file has {len(content)}")
    try:
        symbols = _symbols(headers)
        relocations = _relocations(headers, symbols)
    except ObjectError:
        raise
    except Exception as error:
        raise ObjectError(f"damaged ELF symbols or relocations: {_reason(error)}") from error
    return ElfFile("little" if elf.little_endian else "big", sections, symbols, relocations)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__} {error}".strip()


def _check_identity(content: bytes) -> None:
    """Refuse, by the first bytes, all that is not a 64-bit relocatable ELF file for BPF."""
    if content[:4] != b"\x7fELF":
        raise ObjectError(f"not an ELF file: it begins with {content[:4].hex(' ') or 'nothing'}")
    if len(content) < HEADER_SIZE:
        raise ObjectError(f"ELF header cut short: {len(content)} of {HEADER_SIZE} bytes")
    if content[4] != 2:
        raise ObjectError(f"ELF class {content[4]} at byte 4: a BPF object is 64-bit, class 2")
    if content[5] not in (1, 2):
        raise ObjectError(f"ELF byte order {content[5]} at byte 5 is neither 1 (little) nor 2 (big)")
    kind, machine = struct.unpack_from("<HH" if content[5] == 1 else ">HH", content, 16)
    if machine != MACHINE_BPF:
        raise ObjectError(f"ELF for machine {machine} (at byte 18), BPF is {MACHINE_BPF}")
    if kind != 1:
        raise ObjectError(f"ELF type {kind} at byte 16: a BPF object is relocatable, type 1")


def _section(number: int, name: str, section: Any, content: bytes) -> ElfSection:
    header = section.header
    kind = str(header["sh_type"]).removeprefix("SHT_")
    offset, size, flags = header["sh_offset"], header["sh_size"], header["sh_flags"]
    if kind == "NULL":
        return ElfSection(number, name, kind, flags, b"")
    if kind == "NOBITS":
        if size > MAX_UNINITIALISED:
            raise ObjectError(f"section {name} asks for {size} bytes, more than {MAX_UNINITIALISED}")
        return ElfSection(number, name, kind, flags, bytes(size))
    if offset + size > len(content):
        raise ObjectError(
            f"section {name}, {size} bytes at {offset}, runs past the end of the file at {len(content)}"
        )
    if flags & FLAG_COMPRESSED:
        raise ObjectError(f"section {name} is compressed")
    return ElfSection(number, name, kind, flags, content[offset : offset + size])


def _symbols(headers: list[tuple[str, Any]]) -> tuple[ElfSymbol, ...]:
    tables = [section for _, section in headers if section.header["sh_type"] == "SHT_SYMTAB"]
    if len(tables) != 1:
        raise ObjectError(f"an object has one symbol table, this has {len(tables)}")
    symbols = []
    for symbol in tables[0].iter_symbols():
        section = symbol.entry["st_shndx"]
        kind = str(symbol.entry["st_info"]["type"]).removeprefix("STT_")
        if isinstance(section, int) and section >= len(headers):
            raise ObjectError(f"symbol {symbol.name} lies in section {section} of {len(headers)}")
        symbols.append(
            ElfSymbol(
                symbol.name,
                kind,
                symbol.entry["st_value"],
                symbol.entry["st_size"],
                section if isinstance(section, int) else None,
            )
        )
    return tuple(symbols)


def _relocations(
    headers: list[tuple[str, Any]], symbols: tuple[ElfSymbol, ...]
) -> dict[int, tuple[ElfRelocation, ...]]:
    relocations: dict[int, tuple[ElfRelocation, ...]] = {}
    for name, section in headers:
        if section.header["sh_type"] not in ("SHT_REL", "SHT_RELA"):
            continue
        target = section.header["sh_info"]
        # Only code and data are relocated here; of debug sections there may be whatever a compiler likes.
        if target >= len(headers) or not headers[target][1].header["sh_flags"] & FLAG_ALLOCATED:
            continue
        if target in relocations:
            raise ObjectError(f"section {name} holds relocations for section {target} for a second time")
        if section.header["sh_type"] == "SHT_RELA":
            raise ObjectError(f"section {name} has relocations with addends, BPF objects have them in place")
        entries = []
        for relocation in section.iter_relocations():
            index = relocation.entry["r_info_sym"]
            if index >= len(symbols):
                raise ObjectError(f"section {name} refers to symbol {index} of {len(symbols)}")
            entries.append(
                ElfRelocation(relocation.entry["r_offset"], relocation.entry["r_info_type"], symbols[index])
            )
        relocations[target] = tuple(entries)
    return relocations
