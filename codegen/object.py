"""A BPF object as its readers see it: programs, maps, BTF and source lines, whoever compiled it.

`object_reader.read_object` makes one from the bytes of a `.o`; the disassembler prints it and the runtime
runs it. Indices of instructions count slots of 8 bytes, as jump offsets do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from skverdict.codegen.instruction import Instruction
from skverdict.codegen.object_error import ObjectError as ObjectError

if TYPE_CHECKING:
    from skverdict.codegen.btf import Btf


@dataclass(frozen=True)
class SourceLine:
    """A line of `.BTF.ext`: `text` is the source line itself, empty where the compiler did not see it."""

    file: str
    line: int
    column: int
    text: str


@dataclass(frozen=True)
class MapReference:
    """The wide instruction at slot `slot` loads the address of map `map`."""

    slot: int
    map: str


@dataclass(frozen=True)
class DataReference:
    """The wide instruction at slot `slot` loads an address `offset` bytes into data section `section`."""

    slot: int
    section: str
    offset: int


@dataclass(frozen=True)
class JumpTable:
    """The wide instruction at slot `slot` loads the address of a table of the instructions at slots `targets`."""

    slot: int
    targets: tuple[int, ...]


@dataclass(frozen=True)
class Program:
    """One program, its subprograms appended behind it as libbpf does, calls resolved to slot distances.

    `instructions` maps each slot that begins an instruction to it. `lines` maps the slot from which a source
    line holds on to that line. `functions` maps the first slot of each function (0 is the program) to its
    name. `kernel` says of slots what their instructions depend on in the running kernel (CO-RE), in words.
    """

    name: str
    section: str
    kind: str
    instructions: dict[int, Instruction]
    maps: dict[int, MapReference] = field(default_factory=dict)
    data: dict[int, DataReference] = field(default_factory=dict)
    tables: dict[int, JumpTable] = field(default_factory=dict)
    lines: dict[int, SourceLine] = field(default_factory=dict)
    functions: dict[int, str] = field(default_factory=dict)
    kernel: dict[int, str] = field(default_factory=dict, compare=False)

    @property
    def slots(self) -> int:
        """Length in slots of 8 bytes: the instruction count that the kernel and objdump report."""
        return sum(instruction.slots for instruction in self.instructions.values())

    def table_targets(self, slot: int) -> tuple[int, ...]:
        """Where a `gotox` at `slot` can go: the slots in all tables of its function (`jt_from_subprog`,
        kernel/bpf/verifier.c in Linux 7.2)."""
        begin = max((start for start in self.functions if start <= slot), default=0)
        end = min((start for start in self.functions if start > slot), default=self.slots)
        tables = [table for table in self.tables.values() if begin <= table.slot < end]
        return tuple(sorted({target for table in tables for target in table.targets}))

    def line_at(self, slot: int) -> SourceLine | None:
        """The source line in force at `slot`."""
        start = max((begin for begin in self.lines if begin <= slot), default=None)
        return None if start is None else self.lines[start]


@dataclass(frozen=True)
class MapSpec:
    """A map as `.maps` declares it; types are BTF ids, 0 where only a size is given.

    `inner` is what the maps in a map of maps are like. `initial` are the entries that a loader puts in before
    any program runs: indices, with the names of the maps or programs there.
    """

    name: str
    map_type: int
    key_size: int
    value_size: int
    max_entries: int
    flags: int = 0
    key_type_id: int = 0
    value_type_id: int = 0
    inner: MapSpec | None = None
    initial: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class DataSection:
    """Bytes of `.rodata`, `.data` or `.bss` (and their dotted variants).

    `variables` are what symbols name there, with offset and size in bytes; like types they say how the bytes
    are meant, and do not count where sections are compared.
    """

    name: str
    content: bytes
    read_only: bool
    variables: dict[str, tuple[int, int]] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Object:
    """All of one `.o`. `endian` is `little` or `big`."""

    endian: str
    license: str
    programs: dict[str, Program]
    maps: dict[str, MapSpec]
    data: dict[str, DataSection] = field(default_factory=dict)
    btf: Btf | None = None
