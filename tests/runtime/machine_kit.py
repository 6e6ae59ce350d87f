"""What the machine's tests are written with: instructions by name, objects of them, contexts of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from skverdict.codegen.instruction import Instruction
from skverdict.codegen.instruction_set import OPERATIONS
from skverdict.codegen.object import DataSection, MapReference, MapSpec, Object, Program, SourceLine
from skverdict.runtime.helpers.generic import GENERIC
from skverdict.runtime.machine.context import Context, Structure
from skverdict.runtime.machine.environment import Environment
from skverdict.runtime.machine.load import data_memory, load
from skverdict.runtime.machine.run import LoadedProgram, Result, run
from skverdict.runtime.maps.base import Map

M32, M64 = (1 << 32) - 1, (1 << 64) - 1


def op(family: str, name: str = "", **wanted: int | str | bool) -> Instruction:
    """An instruction: its row by `family`, `name` and fields of the row, then `dst`, `src`, `offset`, `imm`.

    The source is a register if `src` is given.
    """
    fields = {key: int(wanted.pop(key, 0)) for key in ("dst", "src", "offset", "imm") if key in wanted}
    if family in ("alu", "jump", "store") and name != "neg":
        wanted.setdefault("source", "reg" if "src" in fields else "imm")
    wanted.setdefault("signed", name.startswith("movsx"))
    rows = [
        row
        for row in OPERATIONS
        if row.family == family
        and row.name == (name or family)
        and all(getattr(row, key) == value for key, value in wanted.items())
    ]
    assert len(rows) == 1, (family, name, wanted, rows)
    (row,) = rows
    if row.selector:
        fields[row.selector] = row.value
    return Instruction(
        row.opcode, fields.get("dst", 0), fields.get("src", 0), fields.get("offset", 0), fields.get("imm", 0)
    )


def alu(name: str, dst: int, bits: int = 64, **operand: int) -> Instruction:
    return op("alu", name, dst=dst, bits=bits, **operand)


def mov(dst: int, imm: int) -> Instruction:
    return alu("mov", dst, imm=imm)


def wide(dst: int, value: int) -> Instruction:
    """dst = the 64-bit `value`."""
    return op("constant", "value", dst=dst, imm=value & M64)


def load_(dst: int, src: int, offset: int, size: int, signed: bool = False) -> Instruction:
    return op("load", dst=dst, src=src, offset=offset, size=size, signed=signed)


def store(dst: int, offset: int, size: int, **operand: int) -> Instruction:
    return op("store", dst=dst, offset=offset, size=size, fetch=False, **operand)


def call(number: int) -> Instruction:
    return op("call", "helper", imm=number)


EXIT = op("exit")


class Numbers(Structure):
    """A structure whose fields are a dict; array fields hold tuples."""

    def __init__(self, table: str, fields: Mapping[str, object]) -> None:
        self.table = table
        self.fields = dict(fields)

    def field(self, name: str, index: int = 0) -> int:
        value = self.fields[name]
        number = value[index] if isinstance(value, Sequence) else value
        assert isinstance(number, int)
        return number


class TestContext(Context, Numbers):
    """A context of given fields over given packet bytes, whose length it has if that is not given."""

    __test__ = False

    def __init__(
        self,
        kind: str = "stream_verdict",
        packet: bytearray | memoryview | bytes = b"",
        socket: Structure | None = None,
        **fields: object,
    ) -> None:
        table = {"msg_verdict": "sk_msg_md", "sock_ops": "bpf_sock_ops"}.get(kind, "__sk_buff")
        Numbers.__init__(self, table, {**dict.fromkeys(("len", "size"), len(packet)), **fields})
        self.kind = kind
        self.content = bytearray(packet) if isinstance(packet, bytes) else packet
        self.socket = socket
        self.packets = 0

    def set_field(self, name: str, value: int, index: int = 0) -> None:
        self.fields[name] = value

    def structure(self, name: str) -> Structure | None:
        return self.socket

    def packet(self) -> bytearray | memoryview:
        self.packets += 1
        return self.content


def environment(**settings: object) -> Environment:
    helpers = {**GENERIC, **settings.pop("helpers", {})}  # type: ignore[dict-item]
    return Environment(helpers=helpers, **settings)  # type: ignore[arg-type]


def object_of(
    instructions: Sequence[Instruction],
    kind: str = "stream_verdict",
    endian: str = "little",
    license: str = "GPL",
    maps: Mapping[int, str] | None = None,
    functions: Mapping[int, str] | None = None,
    lines: Mapping[int, SourceLine] | None = None,
    data: Sequence[DataSection] = (),
) -> Object:
    """An object with one program `main`; `maps` names the map that the wide instruction at a slot loads."""
    slots, slot = {}, 0
    for instruction in instructions:
        slots[slot] = instruction
        slot += instruction.slots
    references = {slot: MapReference(slot, name) for slot, name in (maps or {}).items()}
    program = Program(
        "main",
        "section",
        kind,
        slots,
        maps=references,
        lines=dict(lines or {}),
        functions=dict(functions or {0: "main"}),
    )
    return Object(endian, license, {"main": program}, {}, {section.name: section for section in data})


def loaded(
    object_: Object, maps: Mapping[str, Map] | None = None, surroundings: Environment | None = None
) -> LoadedProgram:
    return load(object_, "main", maps or {}, data_memory(object_), surroundings or environment())


def execute(
    instructions: Sequence[Instruction],
    context: TestContext | None = None,
    maps: Mapping[str, Map] | None = None,
    surroundings: Environment | None = None,
    **about: object,
) -> Result:
    """Run `instructions` on `context`; `about` goes to `object_of`, with `at` for its `maps`."""
    context = context or TestContext()
    surroundings = surroundings or environment()
    references = about.pop("at", None)
    about.setdefault("kind", context.kind)
    object_ = object_of(instructions, maps=references, **about)  # type: ignore[arg-type]
    return run(loaded(object_, maps, surroundings), context, surroundings)


def spec(name: str = "m", key: int = 4, value: int = 8, entries: int = 4, flags: int = 0) -> MapSpec:
    """A map declaration; which kind it is, the class of the map says."""
    return MapSpec(name, 0, key, value, entries, flags)
