"""Text to object and back."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from skverdict.codegen.assembler import assemble
from skverdict.codegen.assembly import AssemblyError
from skverdict.codegen.disassembler import disassemble
from skverdict.codegen.instruction import Instruction
from skverdict.codegen.instruction_set import OPERATIONS, WIDE, Operation, encode_instructions, jump_target
from skverdict.codegen.object import DataSection, MapSpec, Object, Program, SourceLine

from tests.codegen.random_instructions import random_program
from tests.codegen.sample_objects import SAMPLES, object_of
from tests.codegen.test_disassembler import text_of
from tests.codegen.test_instruction_set import ENDIANS, example_of, row_id


def instructions_of(*lines: str) -> dict[int, Instruction]:
    program = assemble("\n".join(["program test sk_msg", *lines])).programs["test"]
    return program.instructions


@pytest.mark.parametrize("name", SAMPLES)
def test_a_disassembled_object_assembles_to_itself(name: str) -> None:
    read = object_of(name)
    text = disassemble(read)
    made = assemble(text)
    assert disassemble(made) == text
    assert (made.endian, made.license, made.data) == (read.endian, read.license, read.data)
    for program_name, program in read.programs.items():
        again = made.programs[program_name]
        assert again.instructions == program.instructions
        assert (again.maps, again.data) == (program.maps, program.data)
        assert again.functions == program.functions
        assert (again.section, again.kind) == (program.section, program.kind)
        assert all(program.lines[slot] == line for slot, line in again.lines.items())


@pytest.mark.parametrize("row", OPERATIONS, ids=row_id)
def test_every_row_assembles_from_its_text(row: Operation) -> None:
    # A jump has to reach an instruction, so that it goes to the one before it.
    instruction = example_of(row)
    if jump_target(0, instruction, row) is not None or row.name == "function":
        field = "offset" if "offset" in row.fields else "imm"
        back = (1 << 32) - 2 if row.name == "function" else -2
        instruction = instruction._replace(**{field: back})
    assert instructions_of("exit", text_of(instruction)) == {0: Instruction(0x95, 0, 0, 0, 0), 1: instruction}


@given(st.randoms(use_true_random=False), st.integers(1, 40), st.sampled_from(ENDIANS))
def test_programs_of_any_instructions_survive_their_text(random: Random, length: int, endian: str) -> None:
    instructions = random_program(random, length)
    program = Program("test", "sk_msg", "msg_verdict", instructions, functions={0: "test"})
    text = disassemble(Object(endian, "GPL", {"test": program}, {}))
    again = assemble(text).programs["test"].instructions
    assert encode_instructions(again, endian) == encode_instructions(instructions, endian)
    assert again == instructions


def test_a_program_written_by_hand() -> None:
    made = assemble(
        """
        license "GPL"   # needed for the trace
        map sockets sockmap key 4 value 8 max_entries 2 flags 0
        data .rodata read_only 4
            ff

        program verdict sk_skb/stream_verdict
        verdict:
        ; policy.py:3:5:     return sockets.redirect(skb, 0)
            r6 = *(u32*)(r1 +136)
            if r6 != 10000 goto pass
            r2 = map[sockets] ll
            w3 = 0
            r4 = 0xffffffff
            call bpf_sk_redirect_map
            exit
        pass:
            call one
            exit
        one:
            r0 = data[.rodata + 1] ll
            w0 = *(u8 *)(r0 - 1)
            goto end
        end:
            exit
        """
    )
    assert made.endian == "little"
    assert made.maps == {"sockets": MapSpec("sockets", 15, 4, 8, 2)}
    assert made.data == {".rodata": DataSection(".rodata", b"\xff\0\0\0", read_only=True)}
    program = made.programs["verdict"]
    assert list(program.instructions.values()) == [
        Instruction(0x61, 6, 1, 136, 0),
        Instruction(0x55, 6, 0, 6, 10000),
        Instruction(WIDE, 2, 1, 0, 0),
        Instruction(0xB4, 3, 0, 0, 0),
        Instruction(0xB7, 4, 0, 0, -1),
        Instruction(0x85, 0, 0, 0, 52),
        Instruction(0x95, 0, 0, 0, 0),
        Instruction(0x85, 0, 1, 0, 1),
        Instruction(0x95, 0, 0, 0, 0),
        Instruction(WIDE, 0, 2, 0, 1 << 32),
        Instruction(0x71, 0, 0, -1, 0),
        Instruction(0x05, 0, 0, 0, 0),
        Instruction(0x95, 0, 0, 0, 0),
    ]
    assert program.functions == {0: "verdict", 10: "one"}
    assert program.lines == {0: SourceLine("policy.py", 3, 5, "    return sockets.redirect(skb, 0)")}


def test_maps_that_hold_maps_and_programs() -> None:
    text = """endian little
license ""

map one hash key 4 value 8 max_entries 16 flags 0x0
map tables array_of_maps key 4 value 4 max_entries 2 flags 0x0
    inner hash key 4 value 8 max_entries 16 flags 0x0
    at 1 one
map jumps prog_array key 4 value 4 max_entries 2 flags 0x0
    at 0 test

program test sk_msg
test:
       0: exit
"""
    made = assemble(text)
    assert made.maps["tables"].inner == MapSpec("tables.inner", 1, 4, 8, 16)
    assert made.maps["tables"].initial == ((1, "one"),)
    assert made.maps["jumps"].initial == ((0, "test"),)
    assert disassemble(made) == text


def test_where_a_label_and_a_distance_differ_the_label_decides() -> None:
    made = instructions_of("goto +7 <end>", "r0 = 1", "end:", "exit")
    assert made[0] == Instruction(0x05, 0, 0, 1, 0)


def test_of_two_equal_labels_the_distance_decides() -> None:
    made = instructions_of("goto +1 <end>", "end:", "r0 = 1", "end:", "exit")
    assert made[0] == Instruction(0x05, 0, 0, 1, 0)


def test_names_that_look_like_words_of_the_language() -> None:
    text = 'program exit sk_msg\nexit:\n       0: call +0 <"a b">\n"a b":\n       1: exit\n'
    made = assemble(text)
    assert made.programs["exit"].functions == {0: "exit", 1: "a b"}
    assert disassemble(made).endswith(text)


REFUSED = [
    ('r0 = 1 core["type_size struct a (0)"]', 8, r"depends on the running kernel's types \(type_size struct a"),
    ("r0 = r1 r2", 9, "this is not understood"),
    ("r11 = 0", 1, "there is no register r11, the last one is r10"),
    ("w0 = r1", 1, r"one operand is a whole register \(r\), the other its half \(w\)"),
    ("w1 = (s32)w2", 1, "there is no such instruction for operands of this size"),
    ("r1 = -r2", 1, "the register on both sides must be the same"),
    ("r1 = be16 r2", 1, "the register on both sides must be the same"),
    ("r0 = *(u32 *)(r1 + 40000)", 1, "offset 40000 is not from -32768 to 32767"),
    ("r0 = 0x100000000", 1, "imm 4294967296 is not from -2147483648 to 2147483647"),
    ("r0 = 0x10000000000000000 ll", 1, "18446744073709551616 does not fit 64 bits"),
    ("r0 = 1111111111111111111111111", 6, "the number has 25 digits"),
    ("r0 = *(s64 *)(r1 + 0)", 1, "there is no such instruction for operands of this size"),
    ("lock *(u8 *)(r1 + 0) += r2", 1, "there is no such instruction for operands of this size"),
    ("lock *(s32 *)(r1 + 0) += r2", 1, "s32 is signed"),
    ("lock *(u32 *)(r1 + 0) *= r2", 1, "there is no such instruction"),
    ("r1 = atomic_xchg((u64 *)(r2 + 0), r3)", 1, "the register on both sides must be the same"),
    ("r1 = atomic_cmpxchg((u64 *)(r2 + 0), r0, r3)", 1, "the old value of cmpxchg are in r0"),
    ("r1 = *(u8 *)skb[0]", 1, "packet bytes are loaded into r0"),
    ("r0 = *(s8 *)skb[0]", 1, "packet bytes are unsigned, s8 is not"),
    ("if r1 == 0 gotol +0", 1, "a condition goes with `goto`, not with `gotol`"),
    ("goto nowhere", 1, "there is no label nowhere"),
    ("goto +5", 1, "no instruction begins at slot 6"),
    ("call undefined", 1, "there is no label undefined"),
    ("r1 = map[nothing] ll", 1, "there is no map nothing"),
    ("r1 = data[.rodata + 0] ll", 1, r"there is no byte 0 of \.rodata"),
    ("r1 = addr_space_cast(r2, 65536, 0)", 1, "an address space is a number of 16 bits"),
    ('"\\x":', 1, "the string is not well escaped"),
]


@pytest.mark.parametrize(("line", "column", "message"), REFUSED, ids=[row[0] for row in REFUSED])
def test_errors_show_the_line_with_a_caret(line: str, column: int, message: str) -> None:
    text = f"program test sk_msg\n{line}\nexit\n"
    with pytest.raises(AssemblyError, match=message) as caught:
        assemble(text, "test.s")
    head, source, caret = str(caught.value).split("\n")
    assert head.startswith(f"test.s:2:{column}: ")
    assert (source, caret) == (line, " " * (column - 1) + "^")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("program test xdp\nexit", "1:1: there is no section xdp, there are sk_msg, sk_skb"),
        ("program test sk_msg", "1:1: program test has no instructions"),
        ("map m tree key 4 value 4 max_entries 1 flags 0", "1:7: there is no map kind tree"),
        ("map m 1 key -4 value 4 max_entries 1 flags 0", "1:7: a map's numbers have 32 bits"),
        ("data .bss 999999999999", "1:1: 0 bytes follow, for a section of 999999999999"),
        ("data .data 1\n 00 01", "1:1: 2 bytes follow, for a section of 1"),
        ("program", "1:8: this is not understood"),
        ("endian middle", "1:8: this is not understood"),
    ],
)
def test_errors_outside_of_instructions(text: str, message: str) -> None:
    with pytest.raises(AssemblyError, match=message):
        assemble(text)


WORDS = 'program test sk_msg r0 w1 = * ( u32 ) + - 5 exit goto < > x: if == call map [ ] ll " # ; \\ é lock'


@given(st.booleans(), st.lists(st.sampled_from([*WORDS.split(" "), "\n", "\t"]), max_size=40).map(" ".join))
def test_any_text_is_an_object_or_refused(in_program: bool, text: str) -> None:
    try:
        assemble(f"program test sk_msg\n{text}" if in_program else text)
    except AssemblyError as error:
        assert error.line >= 1 and error.column >= 1
