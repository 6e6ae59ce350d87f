"""The bytes of an object file for an `Object`, such as `assembler` makes of text.

Functions that a program calls go into `.text`, a copy for each program, and calls of them get relocations, as
libbpf wants it. Of types it has what maps and functions cannot do without: sizes, and names.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from skverdict.codegen import elf
from skverdict.codegen.btf import BtfBuilder
from skverdict.codegen.btf_ext import BtfExt, FunctionInfo, LineInfo
from skverdict.codegen.btf_types import INT_SIGNED, LINKAGE_GLOBAL, LINKAGE_STATIC, Member
from skverdict.codegen.code_linker import TABLES_SECTION, TEXT_SECTION
from skverdict.codegen.elf_writer import Section, Symbol, write_elf
from skverdict.codegen.instruction_set import CONSTANTS, SLOT_SIZE, WIDE, encode_instruction
from skverdict.codegen.map_definitions import MAPS_SECTION
from skverdict.dsl.catalogue.contexts import CONTEXTS
from skverdict.dsl.catalogue.programs import PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from skverdict.codegen.instruction import Instruction
    from skverdict.codegen.object import DataSection, MapSpec, Object, Program, SourceLine

_FUNCTION = CONSTANTS.index("function")
_CALL, _LOCAL = 0x85, 1
_POINTER_SIZE = 8
_ALIGN = 8


class _Function(NamedTuple):
    """One function of a program, slots counted from its own start; `targets` are the functions it refers to."""

    name: str
    instructions: dict[int, Instruction]
    maps: dict[int, str]
    data: dict[int, tuple[str, int]]
    tables: dict[int, tuple[int, ...]]
    lines: dict[int, SourceLine]
    targets: dict[int, str]

    @property
    def slots(self) -> int:
        return sum(instruction.slots for instruction in self.instructions.values())


class _Placed(NamedTuple):
    """A function in `section`, from byte `offset` on; `context` is that of a program's kind, else empty.

    `others` are the places of all functions of the program, by name.
    """

    function: _Function
    section: str
    offset: int
    context: str
    others: Mapping[str, int]


def object_bytes(content: Object) -> bytes:
    """The object file of `content`, the same bytes for the same content."""
    return _Writer(content).file()


def _functions(program: Program) -> list[_Function]:
    """The program's own function, then those that it calls."""
    starts = sorted(program.functions)
    ends = [*starts[1:], program.slots]
    return [_function(program, start, end) for start, end in zip(starts, ends, strict=True)]


def _function(program: Program, start: int, end: int) -> _Function:
    within = range(start, end)
    instructions = {slot - start: program.instructions[slot] for slot in within if slot in program.instructions}
    targets = {
        slot: program.functions[start + slot + 1 + _signed(instruction.imm)]
        for slot, instruction in instructions.items()
        if _refers(instruction)
    }
    return _Function(
        program.functions[start],
        instructions,
        {slot - start: program.maps[slot].map for slot in within if slot in program.maps},
        {
            slot - start: (program.data[slot].section, program.data[slot].offset)
            for slot in within
            if slot in program.data
        },
        {
            slot - start: tuple(target - start for target in program.tables[slot].targets)
            for slot in within
            if slot in program.tables
        },
        {slot - start: program.lines[slot] for slot in within if slot in program.lines},
        targets,
    )


def _refers(instruction: Instruction) -> bool:
    """True for a call of a function of the object, and for its address."""
    if instruction.opcode == WIDE:
        return instruction.src == _FUNCTION
    return instruction.opcode == _CALL and instruction.src == _LOCAL


def _signed(imm: int) -> int:
    low = imm & 0xFFFFFFFF
    return low - (1 << 32) if low >> 31 else low


class _Writer:
    def __init__(self, content: Object) -> None:
        self.content = content
        self.builder = BtfBuilder()
        self.symbols: list[Symbol] = []
        self.sections: list[Section] = []
        self.tables = b""

    def file(self) -> bytes:
        content = self.content
        placed = self._place()
        extension = self._code(placed)
        self.sections.append(
            Section("license", content.license.encode() + b"\0", elf.SHF_ALLOC | elf.SHF_WRITE)
        )
        if self.tables:
            self.sections.append(Section(TABLES_SECTION, self.tables, 0))
        self._maps()
        for section in content.data.values():
            self._data(section)
        records = extension.encode(content.endian, self.builder.string)
        self.sections.append(Section(".BTF", self.builder.encode(content.endian), 0, 4))
        self.sections.append(Section(".BTF.ext", records, 0, 4))
        return write_elf(content.endian, self.sections, self.symbols)

    def _place(self) -> list[_Placed]:
        """All functions in their sections, programs in the order of the object."""
        ends: dict[str, int] = {}
        placed = []
        for program in self.content.programs.values():
            others: dict[str, int] = {}
            for number, function in enumerate(_functions(program)):
                section = program.section if number == 0 else TEXT_SECTION
                context = PROGRAMS[program.kind].context if number == 0 else ""
                offset = ends.get(section, 0)
                ends[section] = offset + function.slots * SLOT_SIZE
                others.setdefault(function.name, offset)
                placed.append(_Placed(function, section, offset, context, others))
        return placed

    def _code(self, placed: Sequence[_Placed]) -> BtfExt:
        """Add the sections with code and their symbols; gives the records that belong to them."""
        code: dict[str, bytearray] = {}
        relocations: dict[str, list[tuple[int, int, str]]] = {}
        functions: dict[str, list[FunctionInfo]] = {}
        lines: dict[str, list[LineInfo]] = {}
        for each in placed:
            function, section, offset, context, _ = each
            type_id = self._function_type(function.name, context)
            functions.setdefault(section, []).append(FunctionInfo(offset, type_id))
            for slot, line in function.lines.items():
                record = LineInfo(offset + slot * SLOT_SIZE, line.file, line.text, line.line, line.column)
                lines.setdefault(section, []).append(record)
            relocations.setdefault(section, []).extend(self._relocations(each))
            code.setdefault(section, bytearray()).extend(self._encoded(each))
            binding = elf.STB_GLOBAL if context else elf.STB_LOCAL
            size = function.slots * SLOT_SIZE
            self.symbols.append(Symbol(function.name, section, offset, size, elf.STT_FUNC, binding))
        flags = elf.SHF_ALLOC | elf.SHF_EXECINSTR
        for name, content in code.items():
            self.sections.append(Section(name, bytes(content), flags, _ALIGN, tuple(relocations[name])))
        if TEXT_SECTION in code:
            # Calls are relative to the section they are in.
            self.symbols.append(Symbol(TEXT_SECTION, TEXT_SECTION, 0, 0, elf.STT_SECTION, elf.STB_LOCAL))
        return BtfExt(functions, lines, {})

    def _relocations(self, placed: _Placed) -> Iterator[tuple[int, int, str]]:
        function = placed.function
        for slot, instruction in function.instructions.items():
            at = placed.offset + slot * SLOT_SIZE
            if slot in function.maps:
                yield at, elf.R_BPF_64_64, function.maps[slot]
            elif slot in function.data:
                yield at, elf.R_BPF_64_64, function.data[slot][0]
            elif slot in function.tables:
                yield at, elf.R_BPF_64_64, self._table(placed, function.tables[slot])
            elif slot in function.targets:
                yield at, elf.R_BPF_64_64 if instruction.opcode == WIDE else elf.R_BPF_64_32, TEXT_SECTION

    def _table(self, placed: _Placed, targets: Sequence[int]) -> str:
        """Add a jump table, as LLVM writes them; gives the name of its symbol."""
        name = f"BPF.JT.{len(self.tables)}"
        places = [placed.offset + target * SLOT_SIZE for target in targets]
        order = "<" if self.content.endian == "little" else ">"
        content = struct.pack(f"{order}{len(places)}Q", *places)
        self.symbols.append(
            Symbol(name, TABLES_SECTION, len(self.tables), len(content), elf.STT_OBJECT, elf.STB_GLOBAL)
        )
        self.tables += content
        return name

    def _encoded(self, placed: _Placed) -> bytes:
        """The instructions as they lie in the file, where relocations fill in what they refer to."""
        function = placed.function
        content = b""
        for slot, instruction in function.instructions.items():
            if slot in function.maps or slot in function.tables:
                instruction = instruction._replace(src=0, imm=0)
            elif slot in function.data:
                instruction = instruction._replace(src=0, imm=function.data[slot][1])
            elif slot in function.targets:
                start = placed.others[function.targets[slot]]
                if instruction.opcode == WIDE:
                    instruction = instruction._replace(src=0, imm=start)
                else:
                    instruction = instruction._replace(imm=start // SLOT_SIZE - 1)
            content += encode_instruction(instruction, self.content.endian)
        return content

    def _function_type(self, name: str, context: str) -> int:
        result = self.builder.integer("int", 4, INT_SIGNED)
        if not context:
            return self.builder.function(name, self.builder.prototype(result, ()), LINKAGE_STATIC)
        struct = self.builder.struct(context, CONTEXTS[context].size, ())
        prototype = self.builder.prototype(result, [("ctx", self.builder.pointer(struct))])
        return self.builder.function(name, prototype, LINKAGE_GLOBAL)

    def _data(self, section: DataSection) -> None:
        zeros = not any(section.content)
        is_bss = zeros and section.name.startswith(".bss")
        self.sections.append(
            Section(
                section.name,
                section.content,
                elf.SHF_ALLOC if section.read_only else elf.SHF_ALLOC | elf.SHF_WRITE,
                _ALIGN,
                kind=elf.SHT_NOBITS if is_bss else elf.SHT_PROGBITS,
            )
        )
        self.symbols.append(Symbol(section.name, section.name, 0, 0, elf.STT_SECTION, elf.STB_LOCAL))

    def _maps(self) -> None:
        """Add the section of maps, their symbols, and what their initial values refer to."""
        variables = []
        values = []
        end = 0
        for spec in self.content.maps.values():
            type_id, size = self._map_type(spec)
            for index, name in spec.initial:
                values.append((end + size + _POINTER_SIZE * index, elf.R_BPF_64_64, name))
            size += _POINTER_SIZE * max((index + 1 for index, _ in spec.initial), default=0)
            variables.append((self.builder.variable(spec.name, type_id, LINKAGE_GLOBAL), end, size))
            self.symbols.append(Symbol(spec.name, MAPS_SECTION, end, size, elf.STT_OBJECT))
            end += size
        if variables:
            self.builder.section(MAPS_SECTION, variables, end)
            flags = elf.SHF_ALLOC | elf.SHF_WRITE
            self.sections.append(Section(MAPS_SECTION, bytes(end), flags, _ALIGN, tuple(values)))

    def _map_type(self, spec: MapSpec) -> tuple[int, int]:
        """The id and size of the struct that declares a map in libbpf's way."""
        sizes = {
            "type": spec.map_type,
            "key_size": spec.key_size,
            "value_size": spec.value_size,
            "max_entries": spec.max_entries,
            "map_flags": spec.flags,
        }
        members = [
            (name, self._number(number)) for name, number in sizes.items() if number or name == "type"
        ]
        placed = [Member(name, type_id, 64 * place) for place, (name, type_id) in enumerate(members)]
        size = _POINTER_SIZE * len(placed)
        if spec.inner is not None or spec.initial:
            target = self._program_type() if spec.inner is None else self._map_type(spec.inner)[0]
            index = self.builder.integer("__ARRAY_SIZE_TYPE__", 4)
            values = self.builder.array(self.builder.pointer(target), index, 0)
            placed.append(Member("values", values, 8 * size))
        return self.builder.struct("", size, placed), size

    def _program_type(self) -> int:
        result = self.builder.integer("int", 4, INT_SIGNED)
        return self.builder.prototype(result, [("", self.builder.pointer(0))])

    def _number(self, number: int) -> int:
        element = self.builder.integer("int", 4, INT_SIGNED)
        index = self.builder.integer("__ARRAY_SIZE_TYPE__", 4)
        return self.builder.pointer(self.builder.array(element, index, number))
