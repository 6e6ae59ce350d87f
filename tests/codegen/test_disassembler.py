"""Objects as text, held against LLVM's disassemblers."""

from __future__ import annotations

import re
import subprocess
from random import Random

import pytest
from skverdict.codegen.disassembler import disassemble
from skverdict.codegen.instruction import Instruction
from skverdict.codegen.instruction_set import OPERATIONS, WIDE, Operation, encode_instruction
from skverdict.codegen.instruction_text import instruction_text
from skverdict.codegen.object import MapSpec, Object, Program, SourceLine

from tests.codegen.random_instructions import random_instruction
from tests.codegen.sample_objects import FOLDER, SAMPLES, object_of, tool_path
from tests.codegen.test_instruction_set import ENDIANS, example_of, row_id
from tests.interop.toolchain import debian_tool

OBJDUMP = debian_tool("llvm-objdump-19", "llvm-19")
MACHINE_CODE = debian_tool("llvm-mc-19", "llvm-19")


def program_of(*instructions: Instruction, name: str = "test") -> Program:
    slots: dict[int, Instruction] = {}
    for instruction in instructions:
        slots[sum(each.slots for each in slots.values())] = instruction
    return Program(name, "sk_msg", "msg_verdict", slots, functions={0: name})


def text_of(instruction: Instruction) -> str:
    return instruction_text(program_of(instruction), 0, {})


def common(text: str) -> str:
    """What LLVM's text and ours share: no labels, decimal numbers, `r` registers beside memory."""
    text = re.sub(r" <[^>]*>", "", text)
    text = re.sub(r"-?0x[0-9a-f]+", lambda number: str(int(number[0], 16)), text)
    # LLVM writes the half registers of narrow loads and stores, the kernel's log whole ones.
    if " *)" in text:
        text = re.sub(r"\bw(\d+)", r"r\1", text)
    return re.sub(r"call [a-z_]\w*#(\d+)", r"call \1", re.sub(r"(call|goto|gotol) \+(\d+)", r"\1 \2", text))


def unlinked(text: str) -> str:
    """Without the distance of a local call and the name of an address, which are known after linking only."""
    text = re.sub(r"= (map|data)\[.*\] ll", "= 0 ll", text)
    return "call" if re.fullmatch(r"call (-?\d+)", text) else text


@pytest.mark.parametrize("name", SAMPLES)
def test_programs_read_as_llvm_writes_them(name: str) -> None:
    command = [tool_path(OBJDUMP), "-d", "--no-show-raw-insn", "--mcpu=v4", str(FOLDER / name)]
    listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    functions: dict[str, list[str]] = {}
    current: list[str] = []
    for line in listing.splitlines():
        # clang 14 leaves its labels of basic blocks, LBB0_1, in the symbol table.
        if header := re.fullmatch(r"[0-9a-f]+ <(?!LBB)(\w+)>:", line):
            current = functions[header[1]] = []
        elif instruction := re.fullmatch(r" +\d+:\t(.*)", line):
            current.append(common(instruction[1]))
    for program in object_of(name).programs.values():
        own_slots = min((slot for slot in program.functions if slot), default=program.slots)
        ours = [common(instruction_text(program, slot)) for slot in program.instructions if slot < own_slots]
        assert [unlinked(text) for text in ours] == [unlinked(text) for text in functions[program.name]]


# What LLVM 19 writes in other words than the kernel's log, or does not know.
OTHER_WORDS = {"xchg", "cmpxchg", "load_acquire", "store_release", "gotox", "ind", "kfunc", "local"}


@pytest.mark.parametrize(
    "row",
    [
        row
        for row in OPERATIONS
        if row.name not in OTHER_WORDS and not (row.family == "constant" and row.name != "value")
    ],
    ids=row_id,
)
def test_each_row_reads_as_llvm_writes_it(row: Operation) -> None:
    instruction = example_of(row)
    if row.family == "call":
        instruction = instruction._replace(imm=1)
    content = " ".join(f"{byte:#04x}" for byte in encode_instruction(instruction, "little"))
    command = [tool_path(MACHINE_CODE), "--disassemble", "--triple=bpfel", "--mcpu=v4"]
    listing = subprocess.run(command, input=content, check=True, capture_output=True, text=True).stdout
    assert common(text_of(instruction)) == common(listing.splitlines()[-1].strip())


def test_any_registers_and_numbers_read_as_llvm_writes_them() -> None:
    random = Random(1)
    rows = [row for row in OPERATIONS if row.name not in OTHER_WORDS and row.family not in ("constant", "call")]
    made = [random_instruction(random, random.choice(rows)) for _ in range(4000)]
    content = " ".join(f"{byte:#04x}" for each in made for byte in encode_instruction(each, "little"))
    command = [tool_path(MACHINE_CODE), "--disassemble", "--triple=bpfel", "--mcpu=v4"]
    listing = subprocess.run(command, input=content, check=True, capture_output=True, text=True).stdout
    theirs = [common(line.strip()) for line in listing.splitlines() if line.startswith("\t") and line[1] != "."]
    ours = [common(text_of(each)) for each in made]
    assert [pair for pair in zip(ours, theirs, strict=True) if pair[0] != pair[1]] == []


@pytest.mark.parametrize(
    ("instruction", "text"),
    [
        (Instruction(0x61, 0, 1, 96, 0), "r0 = *(u32 *)(r1 + 96)"),
        (Instruction(0x91, 0, 10, -1, 0), "r0 = *(s8 *)(r10 - 1)"),
        (Instruction(0x7A, 10, 0, -8, -1), "*(u64 *)(r10 - 8) = -1"),
        (Instruction(0xB4, 0, 0, 0, 1), "w0 = 1"),
        (Instruction(0xB7, 1, 0, 0, 0x10000), "r1 = 0x10000"),
        (Instruction(0xB7, 1, 0, 0, -0x10000), "r1 = -0x10000"),
        (Instruction(0x15, 1, 0, 5, 10000), "if r1 == 10000 goto +5"),
        (Instruction(0x6E, 1, 2, -3, 0), "if w1 s> w2 goto -3"),
        (Instruction(0x85, 0, 0, 0, 52), "call bpf_sk_redirect_map#52"),
        (Instruction(0x85, 0, 0, 0, 9999), "call unknown#9999"),
        (Instruction(0x85, 0, 2, 1, 33), "call kfunc#33@1"),
        (Instruction(0xDB, 2, 1, 8, 0xE1), "r1 = atomic_xchg((u64 *)(r2 + 8), r1)"),
        (Instruction(0xC3, 2, 1, 8, 0xF1), "r0 = atomic_cmpxchg((u32 *)(r2 + 8), r0, r1)"),
        (Instruction(0xD3, 2, 1, 8, 0x100), "r2 = load_acquire((u8 *)(r1 + 8))"),
        (Instruction(0xCB, 2, 1, 8, 0x110), "store_release((u16 *)(r2 + 8), r1)"),
        (Instruction(0x48, 0, 3, 0, 5), "r0 = *(u16 *)skb[r3 + 5]"),
        (Instruction(WIDE, 1, 3, 0, 7), "r1 = variable[0x7] ll"),
        (Instruction(WIDE, 1, 4, 0, 0xFFFFFFFE), "r1 = function[-2] ll"),
    ],
)
def test_the_words_of_the_verifier_log(instruction: Instruction, text: str) -> None:
    assert text_of(instruction) == text


def test_byte_order_does_not_show_in_programs() -> None:
    little, big = (disassemble(object_of(f"clang22-{endian}.o")) for endian in ENDIANS)
    assert little[little.index("program") :] == big[big.index("program") :]


def test_a_whole_object() -> None:
    text = disassemble(object_of("clang22-little.o"))
    assert text == (FOLDER / "clang22-little.txt").read_text(encoding="utf-8")


def test_source_lines_stand_before_their_instructions_once() -> None:
    program = program_of(*[Instruction(0xB7, 0, 0, 0, value) for value in range(3)])
    program.lines.update(
        {
            0: SourceLine("policy.py", 7, 5, "    a = 1; b = 2"),
            1: SourceLine("policy.py", 7, 12, "    a = 1; b = 2"),
            2: SourceLine("policy.py", 8, 1, ""),
        }
    )
    text = disassemble(Object("little", "GPL", {"test": program}, {}))
    assert text.splitlines()[3:] == [
        "program test sk_msg",
        "test:",
        "; policy.py:7:5:     a = 1; b = 2",
        "       0: r0 = 0",
        "       1: r0 = 1",
        "; policy.py:8:1:",
        "       2: r0 = 2",
    ]


def test_names_and_lines_from_a_hostile_file_stay_harmless() -> None:
    program = program_of(Instruction(0x95, 0, 0, 0, 0), name='a"b\n')
    program.lines[0] = SourceLine("p.py", 1, 1, "\x1b[2Jgone")
    spec = MapSpec("\x1b[2J", 77, 4, 8, 1)
    text = disassemble(Object("little", "\x07", {program.name: program}, {spec.name: spec}))
    assert text.splitlines() == [
        "endian little",
        r'license "\u0007"',
        "",
        r'map "\u001b[2J" 77 key 4 value 8 max_entries 1 flags 0x0',
        "",
        r'program "a\"b\n" sk_msg',
        r'"a\"b\n":',
        r"; p.py:1:1: \x1b[2Jgone",
        "       0: exit",
    ]
