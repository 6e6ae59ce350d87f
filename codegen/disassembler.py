"""An object as text: its maps and data, and each program's instructions with their source lines in between.

`assembler.assemble` reads the same text. A line that begins with `;` is a source line, in force from the next
instruction on; labels stand before the instruction that they name. What an instruction depends on in the running
kernel (CO-RE) stands behind it; the assembler refuses that, since the text has no types.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from skverdict.codegen.instruction_set import jump_target, operation
from skverdict.codegen.instruction_text import instruction_text, name_text
from skverdict.codegen.object import DataSection, MapSpec, Object, Program, SourceLine
from skverdict.dsl.catalogue.maps import MAPS

_MAP_TYPES = {kind.map_type: kind.kind for kind in MAPS.values()}
_BYTES_PER_LINE = 16


def disassemble(content: Object) -> str:
    """The text of an object, ending in a newline."""
    parts = [[f"endian {content.endian}", f"license {json.dumps(content.license)}"]]
    if content.maps:
        parts.append([line for spec in content.maps.values() for line in _map_lines(spec)])
    parts += [list(_data_text(section)) for section in content.data.values()]
    parts += [list(_program_text(program)) for program in content.programs.values()]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _map_lines(spec: MapSpec) -> list[str]:
    lines = [f"map {name_text(spec.name)} {_shape_text(spec)}"]
    if spec.inner is not None:
        lines.append(f"    inner {_shape_text(spec.inner)}")
    return [*lines, *(f"    at {index} {name_text(name)}" for index, name in spec.initial)]


def _shape_text(spec: MapSpec) -> str:
    kind = _MAP_TYPES.get(spec.map_type, str(spec.map_type))
    sizes = f"key {spec.key_size} value {spec.value_size} max_entries {spec.max_entries}"
    return f"{kind} {sizes} flags {spec.flags:#x}"


def _data_text(section: DataSection) -> Iterator[str]:
    """The size, and the bytes up to the last that is not zero."""
    yield f"data {name_text(section.name)} {'read_only ' if section.read_only else ''}{len(section.content)}"
    content = section.content.rstrip(b"\0")
    for at in range(0, len(content), _BYTES_PER_LINE):
        yield f"    {content[at : at + _BYTES_PER_LINE].hex(' ')}"


def _program_text(program: Program) -> Iterator[str]:
    yield f"program {name_text(program.name)} {name_text(program.section)}"
    labels = _labels(program)
    shown: SourceLine | None = None
    for slot in sorted(program.instructions):
        line = program.lines.get(slot)
        if slot in labels:
            yield f"{name_text(labels[slot])}:"
            shown = None
        # Compilers give a new record for each column; what a reader wants is each line once.
        if line is not None and (shown is None or (line.file, line.line) != (shown.file, shown.line)):
            yield _line_text(line)
            shown = line
        kernel = f" core[{json.dumps(program.kernel[slot])}]" if slot in program.kernel else ""
        yield f"{slot:8d}: {instruction_text(program, slot, labels)}{kernel}"


def _labels(program: Program) -> dict[int, str]:
    """Names of the slots that begin a function or are jumped to."""
    targets = {
        jump_target(slot, instruction, operation(instruction))
        for slot, instruction in program.instructions.items()
    }
    targets.update(target for table in program.tables.values() for target in table.targets)
    return {slot: f"L{slot}" for slot in program.instructions if slot in targets} | program.functions


def _line_text(line: SourceLine) -> str:
    text = f"; {line.file}:{line.line}:{line.column}: {line.text}".rstrip()
    # A control character in a file name or a source line must not reach the terminal as it is.
    return "".join(each if each.isprintable() or each == "\t" else repr(each)[1:-1] for each in text)
