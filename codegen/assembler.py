"""Text to object: reads what `disassembler` writes (`asm.lark`), and programs written by hand in its syntax.

The object has no BTF, and so no types of keys and values; of source lines it has those that the text shows.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

from lark import Lark, Token, v_args
from lark.exceptions import UnexpectedInput, VisitError
from lark.tree import Meta
from skverdict.codegen.assembly import AssemblyError, Draft, InstructionReader, Target, string
from skverdict.codegen.elf_file import MAX_UNINITIALISED
from skverdict.codegen.instruction import Instruction
from skverdict.codegen.instruction_set import InstructionError, encode_instruction, operation
from skverdict.codegen.object import (
    DataReference,
    DataSection,
    JumpTable,
    MapReference,
    MapSpec,
    Object,
    Program,
    SourceLine,
)
from skverdict.codegen.object_reader import SECTION_KINDS
from skverdict.dsl.catalogue.maps import MAPS

_LINE = re.compile(r";\s?(.+?):(\d{1,9}):(\d{1,9}):(?: (.*))?")


class Label(NamedTuple):
    """A label before the next instruction."""

    name: str


class Initial(NamedTuple):
    """What is in a map from the start: a map or program by its name, and where."""

    place: int
    name: str


class Setting(NamedTuple):
    """`endian` or `license`."""

    name: str
    value: str


Statement = Label | SourceLine | Draft | None


class ProgramDraft(NamedTuple):
    """A program whose names are not looked up yet."""

    name: str
    section: str
    kind: str
    statements: tuple[Statement, ...]


@cache
def _grammar() -> Lark:
    text = Path(__file__).with_name("asm.lark").read_text(encoding="utf-8")
    return Lark(text, parser="lalr", propagate_positions=True, maybe_placeholders=False)


def assemble(text: str, name: str = "<assembly>") -> Object:
    """The object that `text` describes; raises `AssemblyError` with file, line, column and a caret."""
    try:
        return _read(text)
    except AssemblyError as error:
        raise error.placed(name, text) from None


def _read(text: str) -> Object:
    try:
        made = _ObjectReader().transform(_grammar().parse(text + "\n"))
    except UnexpectedInput as error:
        # The end of the text is reported at no place, or on the line that is appended.
        lines = text.split("\n")
        inside = 0 < error.line <= len(lines)
        line, column = (error.line, error.column) if inside else (len(lines), len(lines[-1]) + 1)
        raise AssemblyError("this is not understood", line, column) from None
    except VisitError as error:
        if isinstance(error.orig_exc, AssemblyError):
            raise error.orig_exc from None
        raise
    assert isinstance(made, Object)
    return made


class _ObjectReader(InstructionReader):
    """Makes the object of its parts; one method a rule of the grammar."""

    def LABEL(self, token: Token) -> Label:
        name = token[:-1]
        return Label(string(token, name) if name.startswith('"') else name)

    def LINE(self, token: Token) -> SourceLine | None:
        match = _LINE.fullmatch(token)
        return SourceLine(match[1], int(match[2]), int(match[3]), match[4] or "") if match else None

    @v_args(inline=True)
    def label(self, label: Label) -> Label:
        return label

    @v_args(inline=True)
    def line(self, line: SourceLine | None) -> SourceLine | None:
        return line

    def statement(self, children: list[Draft | int]) -> Draft:
        draft = children[-1]
        assert isinstance(draft, Draft)
        return draft

    @v_args(inline=True)
    def endian(self, endian: Token) -> Setting:
        return Setting("endian", str(endian))

    @v_args(inline=True)
    def license(self, text: str) -> Setting:
        return Setting("license", text)

    @v_args(inline=True, meta=True)
    def shape(self, meta: Meta, kind: str | int, *numbers: int) -> MapSpec:
        if kind in MAPS:
            kind = MAPS[kind].map_type
        if isinstance(kind, str):
            raise AssemblyError(f"there is no map kind {kind}", meta.line, meta.column)
        if not all(0 <= number < 1 << 32 for number in (kind, *numbers)):
            raise AssemblyError("a map's numbers have 32 bits", meta.line, meta.column)
        key_size, value_size, max_entries, flags = numbers
        return MapSpec("", kind, key_size, value_size, max_entries, flags)

    @v_args(inline=True)
    def inner(self, shape: MapSpec) -> MapSpec:
        return shape

    @v_args(inline=True)
    def initial(self, place: int, name: str) -> Initial:
        return Initial(place, name)

    @v_args(inline=True, meta=True)
    def map(self, meta: Meta, name: str, shape: MapSpec, *parts: MapSpec | Initial) -> MapSpec:
        inner = None
        initial = []
        for part in parts:
            if isinstance(part, MapSpec):
                inner = replace(part, name=f"{name}.inner")
            else:
                initial.append((part.place, part.name))
        if any(place < 0 for place, _ in initial):
            raise AssemblyError("an index is not negative", meta.line, meta.column)
        return replace(shape, name=name, inner=inner, initial=tuple(initial))

    @v_args(meta=True)
    def data(self, meta: Meta, children: list[str | int]) -> DataSection:
        name, *rest = (str(child) if isinstance(child, str) else child for child in children)
        read_only = rest[0] == "read_only"
        size, *lines = rest[1:] if read_only else rest
        content = bytes.fromhex("".join(map(str, lines)))
        if not isinstance(size, int) or not len(content) <= size <= MAX_UNINITIALISED:
            problem = f"{len(content)} bytes follow, for a section of {size}, of at most {MAX_UNINITIALISED}"
            raise AssemblyError(problem, meta.line, meta.column)
        return DataSection(str(name), content.ljust(size, b"\0"), read_only)

    @v_args(inline=True, meta=True)
    def program(self, meta: Meta, name: str, section: str, *statements: Statement) -> ProgramDraft:
        kind = SECTION_KINDS.get(section)
        if kind is None:
            known = ", ".join(sorted(SECTION_KINDS))
            raise AssemblyError(f"there is no section {section}, there are {known}", meta.line, meta.column)
        if not any(isinstance(statement, Draft) for statement in statements):
            raise AssemblyError(f"program {name} has no instructions", meta.line, meta.column)
        return ProgramDraft(name, section, kind, statements)

    def start(self, children: list[object]) -> Object:
        settings = {child.name: child.value for child in children if isinstance(child, Setting)}
        made = Object(
            settings.get("endian", "little"),
            settings.get("license", ""),
            {},
            {child.name: child for child in children if isinstance(child, MapSpec)},
            {child.name: child for child in children if isinstance(child, DataSection)},
        )
        for child in children:
            if isinstance(child, ProgramDraft):
                made.programs[child.name] = _Linker(made, child).program()
        return made


class _Linker:
    """Gives the statements of one program their slots, and looks up the names in them."""

    def __init__(self, content: Object, draft: ProgramDraft) -> None:
        self._object = content
        self._program = Program(draft.name, draft.section, draft.kind, {})
        self._drafts: dict[int, Draft] = {}
        self._labels: dict[str, set[int]] = {}
        slot = 0
        for statement in draft.statements:
            if isinstance(statement, Draft):
                self._drafts[slot] = statement
                slot += statement.instruction.slots
            elif isinstance(statement, Label):
                self._labels.setdefault(statement.name, set()).add(slot)
            elif statement is not None:
                self._program.lines[slot] = statement

    def program(self) -> Program:
        """The program; raises `AssemblyError`."""
        program = self._program
        program.functions[0] = program.name
        for slot, draft in self._drafts.items():
            try:
                instruction = self._resolve(slot, draft)
                operation(instruction)
                encode_instruction(instruction, "little")
            except InstructionError as error:
                raise AssemblyError(str(error), draft.line, draft.column) from None
            program.instructions[slot] = instruction
            if draft.map is not None:
                if draft.map not in self._object.maps:
                    raise AssemblyError(f"there is no map {draft.map}", draft.line, draft.column)
                program.maps[slot] = MapReference(slot, draft.map)
            if draft.data is not None:
                section, offset = draft.data
                self._check_data(draft, section, offset)
                program.data[slot] = DataReference(slot, section, offset)
            if draft.table:
                targets = tuple(self._target(slot, draft, target) for target in draft.table)
                program.tables[slot] = JumpTable(slot, targets)
        return program

    def _check_data(self, draft: Draft, section: str, offset: int) -> None:
        found = self._object.data.get(section)
        if found is None or not 0 <= offset <= len(found.content):
            raise AssemblyError(f"there is no byte {offset} of {section}", draft.line, draft.column)

    def _resolve(self, slot: int, draft: Draft) -> Instruction:
        """The instruction with the distance to its target, which is noted if it is a function."""
        instruction = draft.instruction
        if draft.target is None:
            return instruction
        target = self._target(slot, draft, draft.target)
        distance = target - slot - 1
        row = operation(instruction)
        if row.family in ("call", "constant"):
            names = [name for name, slots in self._labels.items() if target in slots]
            self._program.functions.setdefault(target, names[0] if names else f"function_{target}")
        if row.family == "constant":
            return instruction._replace(imm=distance & 0xFFFFFFFF)
        return instruction._replace(**{"offset" if "offset" in row.fields else "imm": distance})

    def _target(self, slot: int, draft: Draft, named: Target) -> int:
        """The slot that `named` in a draft means: by its label, if one place has that, else by distance."""
        distance, label = named
        places = self._labels.get(label, set()) if label is not None else set()
        if len(places) == 1:
            (target,) = places
        elif distance is not None:
            target = slot + 1 + distance
        else:
            many = f"{len(places)} labels" if places else "no label"
            raise AssemblyError(f"there is {many} {label}", draft.line, draft.column)
        if target not in self._drafts:
            raise AssemblyError(f"no instruction begins at slot {target}", draft.line, draft.column)
        return target
