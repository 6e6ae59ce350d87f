"""The table of instructions, their bytes, and what is refused."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from skverdict.codegen import read_object
from skverdict.codegen.instruction import Instruction
from skverdict.codegen.instruction_set import (
    OPERATIONS,
    WIDE,
    InstructionError,
    Operation,
    decode_instructions,
    encode_instruction,
    encode_instructions,
    jump_target,
    operation,
)

from tests.codegen.sample_objects import FOLDER, tool_path
from tests.interop.toolchain import CLANG_19

ENDIANS = ("little", "big")


def example_of(row: Operation) -> Instruction:
    """An instruction of that row, with something in every field that it has."""
    fields = {"dst": 2, "src": 1, "offset": -8, "imm": 0x1234567890 if row.opcode == WIDE else -5}
    used = {name: value if name in row.fields else 0 for name, value in fields.items()}
    if row.selector:
        used[row.selector] = row.value
    return Instruction(row.opcode, **used)


def row_id(row: Operation) -> str:
    return f"{row.opcode:02x}-{row.name}-{row.value}"


@pytest.mark.parametrize("row", OPERATIONS, ids=row_id)
def test_every_row_is_found_again_from_its_bytes(row: Operation) -> None:
    instruction = example_of(row)
    for endian in ENDIANS:
        decoded = decode_instructions(encode_instruction(instruction, endian) * 2, endian)
        assert decoded == {0: instruction, instruction.slots: instruction}
        assert operation(decoded[0]) == row


def test_rows_are_distinct() -> None:
    assert len({(row.opcode, row.value) for row in OPERATIONS}) == len(OPERATIONS)


@pytest.mark.parametrize(
    ("content", "endian"),
    [("07 01 00 00 44 33 22 11", "little"), ("07 10 00 00 11 22 33 44", "big")],
)
def test_the_example_of_the_standard(content: str, endian: str) -> None:
    decoded = decode_instructions(bytes.fromhex(content), endian)
    assert decoded == {0: Instruction(0x07, dst=1, src=0, offset=0, imm=0x11223344)}


def test_a_wide_instruction_joins_its_halves() -> None:
    content = bytes.fromhex("18 01 00 00 78 56 34 f2 00 00 00 00 ef be ad de")
    instruction = Instruction(WIDE, 1, 0, 0, 0xDEADBEEFF2345678)
    assert decode_instructions(content, "little") == {0: instruction}
    assert encode_instruction(instruction, "little") == content


# Opcode, the field that tells rows apart and its value, and the group that RFC 9669 puts it in.
GROUPS = [
    (0x04, "", 0, "base32"),
    (0x07, "", 0, "base64"),
    (0x05, "", 0, "base32"),
    (0x06, "", 0, "base32"),
    (0x15, "", 0, "base64"),
    (0x16, "", 0, "base32"),
    (0x18, "src", 6, "base64"),
    (0x20, "", 0, "packet"),
    (0x50, "", 0, "packet"),
    (0x24, "", 0, "divmul32"),
    (0x3C, "offset", 1, "divmul32"),
    (0x97, "offset", 0, "divmul64"),
    (0x61, "", 0, "base32"),
    (0x79, "", 0, "base64"),
    (0x85, "src", 1, "base32"),
    (0x95, "", 0, "base32"),
    (0xBC, "offset", 16, "base32"),
    (0xBF, "offset", 32, "base64"),
    (0xC3, "imm", 0xF1, "atomic32"),
    (0xDB, "imm", 0x41, "atomic64"),
    (0xD4, "imm", 64, "base64"),
    (0xD7, "imm", 16, "base32"),
    (0xDB, "imm", 0x100, "linux"),
    (0xE5, "src", 0, "linux"),
    (0xBF, "offset", 1, "linux"),
]


@pytest.mark.parametrize(("opcode", "selector", "value", "group"), GROUPS)
def test_groups_are_those_of_the_standard(opcode: int, selector: str, value: int, group: str) -> None:
    found = [row for row in OPERATIONS if (row.opcode, row.selector, row.value) == (opcode, selector, value)]
    assert [row.group for row in found] == [group]


REFUSED = [
    (Instruction(0x8D, 2, 0, 0, 0), "opcode 0x8d calls through a register"),
    (Instruction(0x00, 0, 0, 0, 0), "opcode 0x00 is not an instruction"),
    (Instruction(0xFF, 0, 0, 0, 0), "opcode 0xff is not an instruction"),
    (Instruction(0x99, 1, 1, 0, 0), "opcode 0x99 is not an instruction"),
    (Instruction(0x07, 11, 0, 0, 0), "opcode 0x07 has dst r11, the last one is r10"),
    (Instruction(0x0F, 0, 11, 0, 0), "opcode 0x0f has src r11, the last one is r10"),
    (Instruction(0x07, 1, 1, 0, 0), "opcode 0x07 has src 1, which must be 0"),
    (Instruction(0x0F, 1, 1, 0, 5), "opcode 0x0f has imm 5, which must be 0"),
    (Instruction(0x07, 1, 0, 1, 0), "opcode 0x07 has offset 1, which must be 0"),
    (Instruction(0x95, 0, 0, 0, 1), "opcode 0x95 has imm 1, which must be 0"),
    (Instruction(0x37, 1, 0, 2, 0), "opcode 0x37 is not an instruction with offset 0x2"),
    (Instruction(0xBC, 1, 1, 32, 0), "opcode 0xbc is not an instruction with offset 0x20"),
    (Instruction(0xD4, 1, 0, 0, 8), "opcode 0xd4 is not an instruction with imm 0x8"),
    (Instruction(0xC3, 1, 1, 0, 0xE0), "opcode 0xc3 is not an instruction with imm 0xe0"),
    (Instruction(0xD3, 1, 1, 0, 0x01), "opcode 0xd3 is not an instruction with imm 0x1"),
    (Instruction(0x85, 0, 3, 0, 1), "opcode 0x85 is not an instruction with src 0x3"),
    (Instruction(0x18, 1, 7, 0, 0), "opcode 0x18 is not an instruction with src 0x7"),
    (Instruction(0xE5, 0, 1, 0, 0), "opcode 0xe5 is not an instruction with src 0x1"),
]


@pytest.mark.parametrize(("instruction", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_what_no_row_allows_is_refused(instruction: Instruction, message: str) -> None:
    with pytest.raises(InstructionError, match=message):
        operation(instruction)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("95 00 00 00 00 00 00", "7 bytes are not whole instructions of 8 bytes"),
        ("95 00 00 00 00 00 00 00 18 00 00 00 00 00 00 00", "slot 1: wide instruction without second half"),
        ("18 00 00 00 00 00 00 00 00 00 01 00 00 00 00 00", "slot 1: second half .* with fields not 0"),
    ],
)
def test_bytes_that_are_no_instructions_are_refused(content: str, message: str) -> None:
    with pytest.raises(InstructionError, match=message):
        decode_instructions(bytes.fromhex(content), "little")


@pytest.mark.parametrize(
    "instruction",
    [
        Instruction(0x07, 16, 0, 0, 0),
        Instruction(0x07, 0, 0, 1 << 15, 0),
        Instruction(0x07, 0, 0, 0, 1 << 31),
        Instruction(WIDE, 0, 0, 0, 1 << 64),
        Instruction(WIDE, 0, 0, 0, -1),
        Instruction(256, 0, 0, 0, 0),
    ],
    ids=str,
)
def test_fields_out_of_range_have_no_bytes(instruction: Instruction) -> None:
    with pytest.raises(InstructionError):
        encode_instruction(instruction, "little")


@given(st.binary(min_size=8, max_size=8).filter(lambda content: content[0] != WIDE), st.sampled_from(ENDIANS))
def test_any_slot_survives_decoding(content: bytes, endian: str) -> None:
    assert encode_instructions(decode_instructions(content, endian), endian) == content


@pytest.mark.parametrize(
    ("instruction", "target"),
    [
        (Instruction(0x05, 0, 0, -3, 0), 8),
        (Instruction(0x06, 0, 0, 0, 70000), 70011),
        (Instruction(0x15, 1, 0, 4, 9), 15),
        (Instruction(0xE5, 0, 0, 2, 0), 13),
        (Instruction(0x85, 0, 1, 0, 5), 16),
        (Instruction(0x85, 0, 0, 0, 5), None),
        (Instruction(0x95, 0, 0, 0, 0), None),
    ],
)
def test_jumps_count_from_the_next_slot(instruction: Instruction, target: int | None) -> None:
    assert jump_target(10, instruction, operation(instruction)) == target


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_clang_keeps_to_the_levels_of_the_table(level: int, tmp_path: Path) -> None:
    target = tmp_path / "sample.o"
    options = ["--target=bpfel", "-O2", "-g", f"-mcpu=v{level}", "-c", str(FOLDER / "sample.c")]
    subprocess.run([tool_path(CLANG_19), *options, "-o", str(target)], check=True)
    programs = read_object(target.read_bytes()).programs.values()
    rows = {operation(each) for program in programs for each in program.instructions.values()}
    assert max(row.cpu for row in rows) <= level
