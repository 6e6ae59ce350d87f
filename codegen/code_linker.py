"""Functions of an object's code sections, and a program made of them: what libbpf does before it loads one.

A program is one function; the functions that it calls are appended behind it, each once, in the order in
which the calls are met (`bpf_object__reloc_code` of libbpf), and calls get the distance to where they lie.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from skverdict.codegen.elf_file import ElfFile, ElfRelocation, ElfSection, ElfSymbol
from skverdict.codegen.instruction import Instruction
from skverdict.codegen.instruction_set import (
    CONSTANTS,
    SLOT_SIZE,
    WIDE,
    InstructionError,
    decode_instructions,
    jump_target,
    operation,
)
from skverdict.codegen.object_error import ObjectError

TEXT_SECTION = ".text"
TABLES_SECTION = ".jumptables"
# The kernel's limit for one program, applied to all of an object: it bounds what a crafted file can ask for.
MAX_SLOTS = 1_000_000

# Relocation kinds of LLVM's BPF back end: the 64 bits of a wide instruction, the imm of a call.
R_BPF_64_64 = 1
R_BPF_64_32 = 10

_MAP_FD, _MAP_VALUE, _FUNCTION = (CONSTANTS.index(name) for name in ("map_fd", "map_value", "function"))

Place = tuple[int, int]
"""A section's number and a slot in it."""


class Function(NamedTuple):
    """A function as it lies in its section, slots counted from its own start.

    `maps`, `data` and `tables` say what wide instructions load, `data` as section name and offset in bytes, `tables`
    as the slots that a jump table leads to. `targets` are the places of functions that calls and wide instructions
    refer to.
    """

    name: str
    section: str
    place: Place
    slots: int
    instructions: dict[int, Instruction]
    maps: dict[int, str]
    data: dict[int, tuple[str, int]]
    tables: dict[int, tuple[int, ...]]
    targets: dict[int, Place]


class LinkedFunction(NamedTuple):
    """`function` begins at slot `start` of the program."""

    start: int
    function: Function


class References(NamedTuple):
    """What code can refer to beside code: maps by offset in `.maps`, and the sizes of data sections."""

    maps: Mapping[int, str]
    maps_section: str
    data: Mapping[str, int]


def read_functions(elf: ElfFile, references: References) -> list[Function]:
    """All functions of executable sections, in the order of the symbol table; raises `ObjectError`."""
    code = {section.number: section for section in elf.sections if section.executable and section.content}
    readers = {number: _Reader(elf, references, section) for number, section in code.items()}
    symbols = [symbol for symbol in elf.symbols if symbol.kind == "FUNC" and symbol.section in readers]
    if sum(symbol.size for symbol in symbols) > MAX_SLOTS * SLOT_SIZE:
        raise ObjectError(f"the functions have more than {MAX_SLOTS} slots")
    return [readers[symbol.section].read(symbol) for symbol in symbols if symbol.section is not None]


class _Reader:
    """Reads functions out of one section's instructions and relocations."""

    def __init__(self, elf: ElfFile, references: References, section: ElfSection) -> None:
        self._elf = elf
        self._references = references
        self._section = section
        try:
            self._instructions = decode_instructions(section.content, elf.endian)
        except InstructionError as error:
            raise ObjectError(f"section {section.name}: {error}") from error
        self._relocations = self._by_slot(elf.relocations.get(section.number, ()))

    def _by_slot(self, relocations: tuple[ElfRelocation, ...]) -> dict[int, ElfRelocation]:
        by_slot: dict[int, ElfRelocation] = {}
        for relocation in relocations:
            slot, rest = divmod(relocation.offset, SLOT_SIZE)
            if rest or slot not in self._instructions or slot in by_slot:
                raise ObjectError(
                    f"section {self._section.name}: relocation at byte {relocation.offset}, "
                    "which is not the start of one instruction"
                )
            by_slot[slot] = relocation
        return by_slot

    def read(self, symbol: ElfSymbol) -> Function:
        """The function that `symbol` names."""
        end = symbol.value + symbol.size
        first, after = symbol.value // SLOT_SIZE, end // SLOT_SIZE
        uneven = symbol.value % SLOT_SIZE or symbol.size % SLOT_SIZE
        if uneven or not symbol.size or end > len(self._section.content):
            raise ObjectError(
                f"section {self._section.name}: function {symbol.name}, {symbol.size} bytes at byte "
                f"{symbol.value}, is not whole instructions of the {len(self._section.content)} bytes there"
            )
        # A dict, for the order of a list and the look-up of a set.
        slots = dict.fromkeys(slot for slot in range(first, after) if slot in self._instructions)
        last = max(slots, default=first)
        if first not in slots or last + self._instructions[last].slots != after:
            raise ObjectError(
                f"section {self._section.name}: function {symbol.name} cuts a wide instruction in two"
            )
        place = (self._section.number, first)
        function = Function(symbol.name, self._section.name, place, after - first, {}, {}, {}, {}, {})
        for slot in slots:
            instruction = self._instructions[slot]
            try:
                instruction = self._relocate(function, slot, instruction)
                row = operation(instruction)
                target = jump_target(slot, instruction, row)
                table = function.tables.get(slot - first, ())
                targets = [first + each for each in table] if target is None else [target]
                for each in targets if row.family != "call" else ():
                    if each not in slots:
                        raise ObjectError(f"jumps to slot {each}, which is no instruction of {symbol.name}")
            except ObjectError as error:
                raise ObjectError(f"section {self._section.name}, slot {slot}: {error}") from error
            function.instructions[slot - first] = instruction
        return function

    def _relocate(self, function: Function, slot: int, instruction: Instruction) -> Instruction:
        """The instruction with its reference noted in `function`."""
        relocation = self._relocations.get(slot)
        own_slot = slot - function.place[1]
        is_call = instruction.opcode == 0x85 and instruction.src == 1
        if relocation is None:
            if is_call:
                function.targets[own_slot] = (self._section.number, slot + 1 + instruction.imm)
            return instruction
        symbol = relocation.symbol
        expected = R_BPF_64_32 if is_call else R_BPF_64_64
        opcode = instruction.opcode
        if relocation.kind != expected or not (is_call or opcode == WIDE):
            raise ObjectError(f"relocation of kind {relocation.kind} does not go with opcode {opcode:#04x}")
        if symbol.section is None:
            verb = "calls" if is_call else "refers to"
            raise ObjectError(f"{verb} {symbol.name or '(no name)'}, which the object does not define")
        section = self._elf.sections[symbol.section]
        if is_call:
            slots, rest = divmod(symbol.value, SLOT_SIZE)
            if rest:
                raise ObjectError(f"calls byte {symbol.value} of {section.name}, inside a slot")
            function.targets[own_slot] = (section.number, slots + 1 + instruction.imm)
            return instruction
        if section.name == TABLES_SECTION:
            if instruction.imm:
                raise ObjectError(f"refers to the midst of the jump table {symbol.name}")
            function.tables[own_slot] = self._table(function, section, symbol)
            return instruction._replace(src=_MAP_VALUE, imm=0)
        return self._refer(function, own_slot, instruction, section, symbol.value + _signed(instruction.imm))

    def _table(self, function: Function, section: ElfSection, symbol: ElfSymbol) -> tuple[int, ...]:
        """The slots of `function` that a jump table leads to, given in bytes from the start of the code's section
        (`create_jt_map` of libbpf 1.7)."""
        end = symbol.value + symbol.size
        if symbol.value % SLOT_SIZE or symbol.size % SLOT_SIZE or not symbol.size or end > len(section.content):
            raise ObjectError(
                f"refers to the jump table {symbol.name}, {symbol.size} bytes at byte {symbol.value} of the "
                f"{len(section.content)} of {section.name}, which is not whole entries of {SLOT_SIZE} bytes"
            )
        order = "<" if self._elf.endian == "little" else ">"
        places = struct.unpack(f"{order}{symbol.size // SLOT_SIZE}Q", section.content[symbol.value : end])
        for place in places:
            if place % SLOT_SIZE:
                raise ObjectError(f"jumps by table {symbol.name} to byte {place}, inside a slot")
        return tuple(place // SLOT_SIZE - function.place[1] for place in places)

    def _refer(
        self, function: Function, own_slot: int, instruction: Instruction, section: ElfSection, offset: int
    ) -> Instruction:
        """The wide instruction that loads the address `offset` bytes into `section`."""
        if section.name == self._references.maps_section:
            if offset not in self._references.maps:
                raise ObjectError(f"refers to byte {offset} of {section.name}, where no map begins")
            function.maps[own_slot] = self._references.maps[offset]
            return instruction._replace(src=_MAP_FD, imm=0)
        if section.name in self._references.data:
            if not 0 <= offset <= self._references.data[section.name]:
                raise ObjectError(f"refers to byte {offset} of {section.name}, which is outside of it")
            function.data[own_slot] = (section.name, offset)
            return instruction._replace(src=_MAP_VALUE, imm=offset << 32)
        if section.executable:
            slot, rest = divmod(offset, SLOT_SIZE)
            if rest:
                raise ObjectError(f"refers to byte {offset} of {section.name}, inside a slot")
            function.targets[own_slot] = (section.number, slot)
            return instruction._replace(src=_FUNCTION, imm=0)
        raise ObjectError(f"refers to section {section.name}, which is neither maps, data nor code")


def _signed(imm: int) -> int:
    """The addend, which LLVM keeps in the low half of the wide instruction."""
    low = imm & 0xFFFFFFFF
    return low - (1 << 32) if low >> 31 else low


def link(entry: Function, functions: Mapping[Place, Function]) -> list[LinkedFunction]:
    """`entry` and behind it all that it calls, references to functions resolved to slot distances."""
    starts = {entry.place: 0}
    order = [entry]
    total = entry.slots
    walk: list[Iterator[tuple[Function, int, Place]]] = [_references_of(entry)]
    while walk:
        reference = next(walk[-1], None)
        if reference is None:
            walk.pop()
            continue
        caller, slot, place = reference
        if place in starts:
            continue
        function = functions.get(place)
        if function is None or (function.section not in (TEXT_SECTION, caller.section)):
            raise ObjectError(
                f"section {caller.section}, slot {caller.place[1] + slot}: no function that it could call "
                f"begins at slot {place[1]} of section {place[0]}"
            )
        starts[place] = total
        order.append(function)
        total += function.slots
        if total > MAX_SLOTS:
            raise ObjectError(f"program {entry.name} has more than {MAX_SLOTS} slots")
        walk.append(_references_of(function))
    return [LinkedFunction(starts[each.place], _resolve(each, starts)) for each in order]


def _references_of(function: Function) -> Iterator[tuple[Function, int, Place]]:
    return ((function, slot, place) for slot, place in function.targets.items())


def _resolve(function: Function, starts: Mapping[Place, int]) -> Function:
    start = starts[function.place]
    instructions = dict(function.instructions)
    for slot, place in function.targets.items():
        distance = starts[place] - (start + slot + 1)
        wide = instructions[slot].opcode == WIDE
        instructions[slot] = instructions[slot]._replace(imm=distance & 0xFFFFFFFF if wide else distance)
    return function._replace(instructions=instructions)
