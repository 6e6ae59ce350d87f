"""Reads a BPF object file, made by skverdict or by clang, into an `Object`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from skverdict.codegen.btf import Btf
from skverdict.codegen.btf_ext import BtfExt, LineInfo
from skverdict.codegen.code_linker import (
    MAX_SLOTS,
    TEXT_SECTION,
    Function,
    LinkedFunction,
    References,
    link,
    read_functions,
)
from skverdict.codegen.elf_file import FLAG_ALLOCATED, FLAG_WRITE, ElfFile, ElfSection, read_elf
from skverdict.codegen.instruction_set import SLOT_SIZE
from skverdict.codegen.kernel_references import reference_text
from skverdict.codegen.map_definitions import MAPS_SECTION, PlacedMap, read_maps, with_initial_values
from skverdict.codegen.object import (
    DataReference,
    DataSection,
    JumpTable,
    MapReference,
    Object,
    ObjectError,
    Program,
    SourceLine,
)
from skverdict.dsl.catalogue.programs import PROGRAMS

DATA_SECTIONS = (".rodata", ".data", ".bss")
LICENSE_SECTION = "license"

# libbpf takes a bare `sk_skb` too, with no attach type said. The kernel attaches such a program as a parser
# or as a verdict, whatever it was loaded as; here it counts as the verdict.
SECTION_KINDS = {program.section: program.kind for program in PROGRAMS.values()}
SECTION_KINDS["sk_skb"] = "stream_verdict"


def read_object(content: bytes, name: str = "<object>") -> Object:
    """The object in `content`; `name` is what errors call it.

    Raises `ObjectError` for a file that is not a BPF object, is cut short or contradicts itself, and for one
    that needs what is not there: an undefined function or variable, programs of an unknown kind.
    """
    try:
        return _read(content)
    except ObjectError as error:
        raise ObjectError(f"{name}: {error}") from error


def _read(content: bytes) -> Object:
    elf = read_elf(content)
    _check_names(elf)
    btf, ext = _read_types(elf)
    maps = _read_maps(elf, btf)
    data = {section.name: _data(section, elf) for section in elf.sections if _is_data(section)}
    references = References(
        {placed.offset: placed.spec.name for placed in maps},
        MAPS_SECTION,
        {name: len(section.content) for name, section in data.items()},
    )
    functions = read_functions(elf, references)
    return Object(
        endian=elf.endian,
        license=_license(elf.section(LICENSE_SECTION)),
        programs=_programs(functions, ext.lines, _kernel_references(btf, ext)),
        maps={placed.spec.name: placed.spec for placed in maps},
        data=data,
        btf=btf,
    )


def _check_names(elf: ElfFile) -> None:
    """Code and data sections are known by name, so that each name must stand for one; kinds must be known."""
    seen: set[str] = set()
    for section in elf.sections:
        if not section.flags & FLAG_ALLOCATED:
            continue
        if section.name in seen:
            raise ObjectError(f"two sections are called {section.name}")
        seen.add(section.name)
        if section.name == "maps":
            raise ObjectError("maps in a section `maps` are of a form that libbpf 1.0 gave up; use `.maps`")
        if section.executable and section.content and section.name != TEXT_SECTION:
            _kind(section.name)


def _kind(section: str) -> str:
    """The program kind that a section's name says; a leading `?` tells loaders not to load it unasked."""
    kind = SECTION_KINDS.get(section.removeprefix("?"))
    if kind is None:
        known = ", ".join(sorted(SECTION_KINDS))
        raise ObjectError(f"section {section} holds programs of no known kind: {known}")
    return kind


def _read_types(elf: ElfFile) -> tuple[Btf | None, BtfExt]:
    types, ext = elf.section(".BTF"), elf.section(".BTF.ext")
    if types is None:
        return None, BtfExt({}, {}, {})
    try:
        btf = Btf.decode(types.content)
    except ObjectError as error:
        raise ObjectError(f"section .BTF: {error}") from error
    return btf, BtfExt.decode(ext.content, btf) if ext is not None else BtfExt({}, {}, {})


def _read_maps(elf: ElfFile, btf: Btf | None) -> list[PlacedMap]:
    section = elf.section(MAPS_SECTION)
    if section is None:
        return []
    if btf is None:
        raise ObjectError(f"section {MAPS_SECTION} without .BTF to say what the maps are; compile with -g")
    offsets = {
        symbol.name: symbol.value
        for symbol in elf.symbols
        if symbol.section == section.number and symbol.kind == "OBJECT"
    }
    maps = read_maps(btf, offsets)
    return with_initial_values(maps, section.number, elf.relocations.get(section.number, ()))


def _is_data(section: ElfSection) -> bool:
    known = any(section.name == name or section.name.startswith(f"{name}.") for name in DATA_SECTIONS)
    return known and bool(section.flags & FLAG_ALLOCATED) and not section.executable


def _data(section: ElfSection, elf: ElfFile) -> DataSection:
    variables = {
        symbol.name: (symbol.value, symbol.size)
        for symbol in elf.symbols
        if symbol.section == section.number and symbol.kind == "OBJECT" and symbol.name.isidentifier()
    }
    for name, (offset, size) in variables.items():
        if offset + size > len(section.content):
            raise ObjectError(f"section {section.name}: variable {name} lies outside of it")
    return DataSection(section.name, section.content, not section.flags & FLAG_WRITE, variables)


def _license(section: ElfSection | None) -> str:
    text = b"" if section is None else section.content.split(b"\0")[0]
    return text.decode("utf-8", "backslashreplace")


def _kernel_references(btf: Btf | None, ext: BtfExt) -> dict[str, dict[int, str]]:
    """What instructions depend on in the running kernel, by section and slot."""
    if btf is None:
        return {}
    return {
        section: {record.offset // SLOT_SIZE: reference_text(btf, record) for record in records}
        for section, records in ext.relocations.items()
    }


def _programs(
    functions: Sequence[Function],
    lines: Mapping[str, Sequence[LineInfo]],
    kernel: Mapping[str, Mapping[int, str]],
) -> dict[str, Program]:
    """Every function outside of `.text` as a program, what it calls behind it."""
    by_place = {function.place: function for function in reversed(functions)}
    programs: dict[str, Program] = {}
    slots = 0
    for function in functions:
        if function.section == TEXT_SECTION:
            continue
        if function.name in programs:
            raise ObjectError(f"two programs are called {function.name}")
        linked = link(function, by_place)
        slots += sum(part.function.slots for part in linked)
        if slots > MAX_SLOTS:
            raise ObjectError(f"the programs have more than {MAX_SLOTS} slots")
        programs[function.name] = _program(linked, lines, kernel)
    return programs


def _program(
    linked: Sequence[LinkedFunction],
    lines: Mapping[str, Sequence[LineInfo]],
    kernel: Mapping[str, Mapping[int, str]],
) -> Program:
    entry = linked[0].function
    program = Program(entry.name, entry.section.removeprefix("?"), _kind(entry.section), {})
    for start, function in linked:
        program.functions[start] = function.name
        for slot, instruction in function.instructions.items():
            program.instructions[start + slot] = instruction
        for slot, map_name in function.maps.items():
            program.maps[start + slot] = MapReference(start + slot, map_name)
        for slot, (section, offset) in function.data.items():
            program.data[start + slot] = DataReference(start + slot, section, offset)
        for slot, targets in function.tables.items():
            program.tables[start + slot] = JumpTable(start + slot, tuple(start + target for target in targets))
        first = function.place[1]
        for slot, text in kernel.get(function.section, {}).items():
            if slot - first in function.instructions:
                program.kernel[start + slot - first] = text
        for line in lines.get(function.section, ()):
            slot = line.offset // SLOT_SIZE - first
            if slot in function.instructions:
                program.lines[start + slot] = SourceLine(line.file, line.line, line.column, line.text)
    return program
