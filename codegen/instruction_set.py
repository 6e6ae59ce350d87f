"""The instruction set as a table: RFC 9669 and what Linux added since (include/uapi/linux/bpf.h of 7.2).

Every reader of instructions (disassembler, assembler, interpreter) works from the rows of `OPERATIONS`.
`operation(instruction)` finds the row of an instruction and refuses what no row allows.

The opcode byte, by class (its low three bits)::

    ALU, JMP, JMP32, ALU64:  code (4 bits) | source: 1 is a register (1 bit) | class
    LD, LDX, ST, STX:        mode (3 bits) | size (2 bits)                   | class
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from skverdict.codegen.instruction import Instruction
from skverdict.codegen.object_error import ObjectError

SLOT_SIZE = 8
WIDE = 0x18
REGISTERS = 11

LD, LDX, ST, STX, ALU, JMP, JMP32, ALU64 = range(8)
K, X = 0x00, 0x08
IMM, ABS, IND, MEM, MEMSX, ATOMIC = 0x00, 0x20, 0x40, 0x60, 0x80, 0xC0
SIZES = {1: 0x10, 2: 0x08, 4: 0x00, 8: 0x18}
"""Size bits of a load or store by its size in bytes."""


class InstructionError(ObjectError):
    """Bytes that are no instruction, or one that no row of the table allows."""


class Operation(NamedTuple):
    """One row: what an instruction does, as data.

    `family` says which fields below mean something and how the instruction runs:

    - `alu`: dst = dst `name` source, both of `bits` bits; `neg` has no source. `mov` and `movsxN` ignore dst.
    - `byte_order`: dst = `name`(dst), such as `be16` or `bswap64`; the result is zero-extended from `bits`.
    - `jump`: if dst `name` source, both of `bits` bits, go `offset` slots on.
    - `goto`: go `offset` slots on, or `imm` slots when `source` is `imm`.
    - `gotox`: go to the instruction whose address, out of a jump table, is in dst.
    - `may_goto`: go `offset` slots on once the loop's budget is used up.
    - `call`: `name` is `helper` (number `imm`), `local` (`imm` slots on) or `kfunc` (BTF id `imm`).
    - `exit`: return from the function.
    - `load`: dst = `size` bytes at src + offset, sign-extended if `signed`.
    - `store`: `size` bytes at dst + offset = source.
    - `atomic`: `size` bytes at dst + offset `name` src; with `fetch` src gets the old value. `cmpxchg`
      compares with r0, and r0 gets the old value.
    - `load_acquire` and `store_release`: as load and store from a register, ordered.
    - `constant`: the wide instruction; dst = the 64 bits of `imm`, or what `name` makes of them.
    - `packet`: r0 = `size` bytes in network order at `imm` (`abs`) or src + `imm` (`ind`) in the packet.
    - `addr_space_cast`: dst = src seen from address space `imm` & 0xffff, from space `imm` >> 16.

    `source` is `imm`, `reg` or empty. `fields` may hold any value, all other fields are zero, except that
    where several rows share an opcode, `selector` names the field whose `value` tells them apart. `group` is
    the RFC's conformance group, `linux` for additions; `cpu` the first `-mcpu` level at which LLVM emits it
    (4 for what it emits at no level). `symbol` is how the kernel's verifier log writes it.
    """

    opcode: int
    family: str
    name: str
    group: str
    fields: tuple[str, ...]
    symbol: str = ""
    source: str = ""
    bits: int = 64
    size: int = 0
    signed: bool = False
    fetch: bool = False
    selector: str = ""
    value: int = 0
    cpu: int = 1


class _Arithmetic(NamedTuple):
    name: str
    code: int
    symbol: str
    divmul: bool = False
    offset: int = 0


_ARITHMETIC = (
    _Arithmetic("add", 0x00, "+="),
    _Arithmetic("sub", 0x10, "-="),
    _Arithmetic("mul", 0x20, "*=", divmul=True),
    _Arithmetic("div", 0x30, "/=", divmul=True),
    _Arithmetic("sdiv", 0x30, "s/=", divmul=True, offset=1),
    _Arithmetic("or", 0x40, "|="),
    _Arithmetic("and", 0x50, "&="),
    _Arithmetic("lsh", 0x60, "<<="),
    _Arithmetic("rsh", 0x70, ">>="),
    _Arithmetic("mod", 0x90, "%=", divmul=True),
    _Arithmetic("smod", 0x90, "s%=", divmul=True, offset=1),
    _Arithmetic("xor", 0xA0, "^="),
    _Arithmetic("mov", 0xB0, "="),
    _Arithmetic("arsh", 0xC0, "s>>="),
)
_NEG, _MOV, _END = 0x80, 0xB0, 0xD0
_ALU_CLASSES = {32: ALU, 64: ALU64}
_ALU_LEVELS = {32: 3, 64: 1}

_CONDITIONS = {
    # name: (code, symbol, first -mcpu level of the 64-bit form)
    "jeq": (0x10, "==", 1),
    "jgt": (0x20, ">", 1),
    "jge": (0x30, ">=", 1),
    "jset": (0x40, "&", 1),
    "jne": (0x50, "!=", 1),
    "jsgt": (0x60, "s>", 1),
    "jsge": (0x70, "s>=", 1),
    "jlt": (0xA0, "<", 2),
    "jle": (0xB0, "<=", 2),
    "jslt": (0xC0, "s<", 2),
    "jsle": (0xD0, "s<=", 2),
}
_JUMP_CLASSES = {32: JMP32, 64: JMP}
_CALL, _EXIT, _MAY_GOTO = 0x80, 0x90, 0xE0
_CALLS = ("helper", "local", "kfunc")
CALL_THROUGH_REGISTER = JMP | X | _CALL

_ATOMICS = {"add": (0x00, "+="), "or": (0x40, "|="), "and": (0x50, "&="), "xor": (0xA0, "^=")}
_FETCH, _XCHG, _CMPXCHG, _LOAD_ACQUIRE, _STORE_RELEASE = 0x01, 0xE1, 0xF1, 0x100, 0x110

CONSTANTS = ("value", "map_fd", "map_value", "variable", "function", "map_index", "map_index_value")
"""What the wide instruction loads, by its `src` field (RFC 9669, section 5.4)."""


def _group(base: str, bits: int) -> str:
    """The conformance group of instructions of `bits` bits."""
    return f"{base}{bits}"


def _arithmetic() -> Iterator[Operation]:
    signed_rows = {each.code for each in _ARITHMETIC if each.offset} | {_MOV}
    for bits, cls in _ALU_CLASSES.items():
        for each in _ARITHMETIC:
            for source, flag in (("imm", K), ("reg", X)):
                shared = each.code in signed_rows and not (each.name == "mov" and source == "imm")
                yield Operation(
                    cls | flag | each.code,
                    "alu",
                    each.name,
                    _group("divmul" if each.divmul else "base", bits),
                    ("dst", "imm" if source == "imm" else "src"),
                    each.symbol,
                    source,
                    bits,
                    selector="offset" if shared else "",
                    value=each.offset,
                    cpu=4 if each.offset else _ALU_LEVELS[bits],
                )
        level = _ALU_LEVELS[bits]
        yield Operation(cls | _NEG, "alu", "neg", _group("base", bits), ("dst",), "-", bits=bits, cpu=level)
        for width in (8, 16, 32) if bits == 64 else (8, 16):
            yield Operation(
                cls | X | _MOV,
                "alu",
                f"movsx{width}",
                _group("base", bits),
                ("dst", "src"),
                f"(s{width})",
                "reg",
                bits,
                signed=True,
                selector="offset",
                value=width,
                cpu=4,
            )
    yield Operation(
        ALU64 | X | _MOV,
        "addr_space_cast",
        "addr_space_cast",
        "linux",
        ("dst", "src", "imm"),
        "addr_space_cast",
        "reg",
        selector="offset",
        value=1,
        cpu=4,
    )


def _byte_order() -> Iterator[Operation]:
    for name, opcode, cpu in (("le", ALU | K, 1), ("be", ALU | X, 1), ("bswap", ALU64 | K, 4)):
        for bits in (16, 32, 64):
            yield Operation(
                opcode | _END,
                "byte_order",
                f"{name}{bits}",
                _group("base", max(bits, 32)),
                ("dst",),
                f"{name}{bits}",
                bits=bits,
                selector="imm",
                value=bits,
                cpu=cpu,
            )


def _jumps() -> Iterator[Operation]:
    for bits, cls in _JUMP_CLASSES.items():
        for name, (code, symbol, cpu) in _CONDITIONS.items():
            for source, flag in (("imm", K), ("reg", X)):
                yield Operation(
                    cls | flag | code,
                    "jump",
                    name,
                    _group("base", bits),
                    ("dst", "imm" if source == "imm" else "src", "offset"),
                    symbol,
                    source,
                    bits,
                    cpu=cpu if bits == 64 else 3,
                )
    yield Operation(JMP, "goto", "ja", "base32", ("offset",), "goto")
    yield Operation(JMP32, "goto", "ja", "base32", ("imm",), "gotol", "imm", cpu=4)
    yield Operation(JMP | X, "gotox", "gotox", "linux", ("dst",), "gotox", "reg", cpu=4)
    yield Operation(
        JMP | _MAY_GOTO, "may_goto", "may_goto", "linux", ("offset",), "may_goto", selector="src", cpu=4
    )
    for kind, name in enumerate(_CALLS):
        # A kfunc of a module has the index of the module's BTF in `offset`.
        fields = ("imm", "offset") if name == "kfunc" else ("imm",)
        yield Operation(
            JMP | _CALL, "call", name, "base32", fields, "call", "imm", selector="src", value=kind
        )
    yield Operation(JMP | _EXIT, "exit", "exit", "base32", (), "exit")


def _memory() -> Iterator[Operation]:
    for size, bits in SIZES.items():
        group = _group("base", 64 if size == 8 else 32)
        unsigned = f"u{8 * size}"
        yield Operation(
            LDX | MEM | bits, "load", "load", group, ("dst", "src", "offset"), unsigned, size=size
        )
        if size < 8:
            yield Operation(
                LDX | MEMSX | bits,
                "load",
                "load",
                group,
                ("dst", "src", "offset"),
                f"s{8 * size}",
                size=size,
                signed=True,
                cpu=4,
            )
            for name, mode, used in (("abs", ABS, ("imm",)), ("ind", IND, ("src", "imm"))):
                yield Operation(LD | mode | bits, "packet", name, "packet", used, unsigned, size=size)
        fields = ("dst", "offset", "imm")
        yield Operation(ST | MEM | bits, "store", "store", group, fields, unsigned, "imm", size=size, cpu=4)
        fields = ("dst", "src", "offset")
        yield Operation(STX | MEM | bits, "store", "store", group, fields, unsigned, "reg", size=size)
        yield from _atomics(size)
    for kind, name in enumerate(CONSTANTS):
        yield Operation(
            WIDE, "constant", name, "base64", ("dst", "imm"), "ll", "imm", selector="src", value=kind
        )


def _atomics(size: int) -> Iterator[Operation]:
    def row(family: str, name: str, value: int, symbol: str, cpu: int, fetch: bool = False) -> Operation:
        return Operation(
            STX | ATOMIC | SIZES[size],
            family,
            name,
            _group("atomic", 8 * size) if family == "atomic" else "linux",
            ("dst", "src", "offset"),
            symbol,
            "reg",
            8 * size,
            size=size,
            fetch=fetch,
            selector="imm",
            value=value,
            cpu=cpu,
        )

    level = _ALU_LEVELS.get(8 * size, 4)
    if size >= 4:
        for name, (code, symbol) in _ATOMICS.items():
            yield row("atomic", name, code, symbol, 1 if name == "add" else level)
            yield row("atomic", name, code | _FETCH, f"fetch_{name}", level, fetch=True)
        yield row("atomic", "xchg", _XCHG, "xchg", level, fetch=True)
        yield row("atomic", "cmpxchg", _CMPXCHG, "cmpxchg", level, fetch=True)
    yield row("load_acquire", "load_acquire", _LOAD_ACQUIRE, "load_acquire", 4)
    yield row("store_release", "store_release", _STORE_RELEASE, "store_release", 4)


OPERATIONS: tuple[Operation, ...] = (*_arithmetic(), *_byte_order(), *_jumps(), *_memory())
_SELECTORS = {row.opcode: row.selector for row in OPERATIONS}
_ROWS = {(row.opcode, row.value): row for row in OPERATIONS}


def operation(instruction: Instruction) -> Operation:
    """The row of `instruction`; raises `InstructionError` for one that the table does not have."""
    opcode = instruction.opcode
    selector = _SELECTORS.get(opcode)
    if selector is None:
        if opcode == CALL_THROUGH_REGISTER:
            raise InstructionError("opcode 0x8d calls through a register, which Linux does not allow")
        raise InstructionError(f"opcode {opcode:#04x} is not an instruction")
    value = getattr(instruction, selector) if selector else 0
    row = _ROWS.get((opcode, value))
    if row is None:
        raise InstructionError(f"opcode {opcode:#04x} is not an instruction with {selector} {value:#x}")
    for field, number in zip(instruction._fields[1:], instruction[1:], strict=True):
        if field in row.fields:
            if field in ("dst", "src") and not 0 <= number < REGISTERS:
                raise InstructionError(f"opcode {opcode:#04x} has {field} r{number}, the last one is r10")
        elif number and field != selector:
            raise InstructionError(f"opcode {opcode:#04x} has {field} {number}, which must be 0")
    return row


def jump_target(slot: int, instruction: Instruction, row: Operation) -> int | None:
    """The slot that a jump or local call at `slot` may continue at, beside the next; None for the rest."""
    if row.family in ("jump", "may_goto") or (row.family == "goto" and "offset" in row.fields):
        return slot + 1 + instruction.offset
    if row.family == "goto" or (row.family == "call" and row.name == "local"):
        return slot + 1 + instruction.imm
    return None


_ORDERS = {"little": "<", "big": ">"}


def decode_instructions(content: bytes, endian: str) -> dict[int, Instruction]:
    """Instructions by slot. Raises `InstructionError` for a part of a slot or half a wide instruction.

    Only the cut into instructions is checked here; `operation` says whether each is one.
    """
    if len(content) % SLOT_SIZE:
        raise InstructionError(f"{len(content)} bytes are not whole instructions of {SLOT_SIZE} bytes")
    instructions: dict[int, Instruction] = {}
    low: Instruction | None = None
    for slot, fields in enumerate(struct.iter_unpack(f"{_ORDERS[endian]}BBhi", content)):
        opcode, registers, offset, imm = fields
        if low is not None:
            if opcode or registers or offset:
                raise InstructionError(f"slot {slot}: second half of a wide instruction with fields not 0")
            wide = (imm & 0xFFFFFFFF) << 32 | low.imm & 0xFFFFFFFF
            instructions[slot - 1] = low._replace(imm=wide)
            low = None
            continue
        high_nibble, low_nibble = registers >> 4, registers & 0xF
        dst, src = (low_nibble, high_nibble) if endian == "little" else (high_nibble, low_nibble)
        instruction = Instruction(opcode, dst, src, offset, imm)
        if opcode == WIDE:
            low = instruction
        else:
            instructions[slot] = instruction
    if low is not None:
        raise InstructionError(f"slot {len(content) // SLOT_SIZE - 1}: wide instruction without second half")
    return instructions


# What fits each field; the imm of a wide instruction is unsigned and of 64 bits.
_RANGES = {
    "opcode": range(0x100),
    "dst": range(0x10),
    "src": range(0x10),
    "offset": range(-0x8000, 0x8000),
    "imm": range(-0x80000000, 0x80000000),
}
_WIDE_IMM = range(1 << 64)


def encode_instruction(instruction: Instruction, endian: str) -> bytes:
    """The 8 or 16 bytes of one instruction; raises `InstructionError` for a field out of its range."""
    opcode, dst, src, offset, imm = instruction
    for field, value in zip(instruction._fields, instruction, strict=True):
        allowed = _WIDE_IMM if field == "imm" and opcode == WIDE else _RANGES[field]
        if value not in allowed:
            raise InstructionError(f"{field} {value} is not from {allowed[0]} to {allowed[-1]}")
    order = _ORDERS[endian]
    registers = src << 4 | dst if endian == "little" else dst << 4 | src
    if opcode != WIDE:
        return struct.pack(f"{order}BBhi", opcode, registers, offset, imm)
    return struct.pack(f"{order}BBhI4xI", opcode, registers, offset, imm & 0xFFFFFFFF, imm >> 32)


def encode_instructions(instructions: Mapping[int, Instruction], endian: str) -> bytes:
    """The bytes of a program's instructions, given by slot as `decode_instructions` gives them."""
    return b"".join(encode_instruction(instructions[slot], endian) for slot in sorted(instructions))
