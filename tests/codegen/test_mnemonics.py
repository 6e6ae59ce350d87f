"""The second assembly syntax: mnemonics to instructions, each written as the opcode table has it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from skverdict.codegen.assembly import AssemblyError
from skverdict.codegen.instruction import Instruction
from skverdict.codegen.instruction_set import OPERATIONS, operation
from skverdict.codegen.mnemonics import assemble_mnemonics

#: Families that the syntax has no words for.
WITHOUT_WORDS = ("packet", "addr_space_cast", "may_goto", "gotox", "load_acquire", "store_release")


def one(text: str) -> Instruction:
    """The one instruction of `text`."""
    ((slot, instruction),) = assemble_mnemonics(text).items()
    assert slot == 0
    return instruction


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("add %r1, %r2", (0x0F, 1, 2, 0, 0)),
        ("add64 %r1, %r2", (0x0F, 1, 2, 0, 0)),
        ("sub32 %r3, 77", (0x14, 3, 0, 0, 77)),
        ("xor %r3, -77", (0xA7, 3, 0, 0, -77)),
        ("mov %r3, 0xffffffff", (0xB7, 3, 0, 0, -1)),
        ("sdiv %r3, 5", (0x37, 3, 0, 1, 5)),
        ("smod32 %r3, %r4", (0x9C, 3, 4, 1, 0)),
        ("movsx832 %r3, %r4", (0xBC, 3, 4, 8, 0)),
        ("movsx3264 %r3, %r4", (0xBF, 3, 4, 32, 0)),
        ("neg %r9", (0x87, 9, 0, 0, 0)),
        ("neg32 %r9", (0x84, 9, 0, 0, 0)),
        ("le32 %r2", (0xD4, 2, 0, 0, 32)),
        ("be64 %r2", (0xDC, 2, 0, 0, 64)),
        ("bswap16 %r2", (0xD7, 2, 0, 0, 16)),
        ("swap16 %r2", (0xD7, 2, 0, 0, 16)),
        ("lddw %r2, -2", (0x18, 2, 0, 0, (1 << 64) - 2)),
        ("lddw %r2, 0xfedcba9876543210", (0x18, 2, 0, 0, 0xFEDCBA9876543210)),
        ("ldxh %r2, [%r7+258]", (0x69, 2, 7, 258, 0)),
        ("ldxsw %r2, [%r7]", (0x81, 2, 7, 0, 0)),
        ("stb [%r10-3], 200", (0x72, 10, 0, -3, 200)),
        ("stxdw [%r10-8], %r6", (0x7B, 10, 6, -8, 0)),
        ("lock xor32 [%r1+4], %r6", (0xC3, 1, 6, 4, 0xA0)),
        ("lock fetch add [%r1+4], %r6", (0xDB, 1, 6, 4, 0x01)),
        ("lock xchg [%r1], %r6", (0xDB, 1, 6, 0, 0xE1)),
        ("lock cmpxchg32 [%r1], %r6", (0xC3, 1, 6, 0, 0xF1)),
        ("jset %r1, 0x80000000, +7", (0x45, 1, 0, 7, -(1 << 31))),
        ("jslt32 %r1, %r2, -1", (0xCE, 1, 2, -1, 0)),
        ("ja +3", (0x05, 0, 0, 3, 0)),
        ("ja32 -70000", (0x06, 0, 0, 0, -70000)),
        ("call 14", (0x85, 0, 0, 0, 14)),
        ("call helper 14", (0x85, 0, 0, 0, 14)),
        ("call local -3", (0x85, 0, 1, 0, -3)),
        ("call runtime 9", (0x85, 0, 2, 0, 9)),
        ("call %r4", (0x8D, 4, 0, 0, 0)),
        ("exit", (0x95, 0, 0, 0, 0)),
        ("mov %r15, 1", (0xB7, 15, 0, 0, 1)),
    ],
)
def test_each_form_of_instruction(text: str, expected: tuple[int, int, int, int, int]) -> None:
    assert one(f"  {text}   # and a comment") == expected


def test_every_instruction_that_the_syntax_can_name_has_a_name() -> None:
    alu = ("add", "sub", "mul", "div", "sdiv", "mod", "smod", "or", "and", "xor", "mov", "lsh", "rsh", "arsh")
    jumps = ("jeq", "jne", "jset", "jgt", "jge", "jlt", "jle", "jsgt", "jsge", "jslt", "jsle")
    lines = [f"{name}{width} %r1, {by}" for name in alu for width in ("", "32") for by in ("%r2", "3")]
    lines += [f"{name}{width} %r1, {by}, +0" for name in jumps for width in ("", "32") for by in ("%r2", "3")]
    lines += [f"movsx{bits} %r1, %r2" for bits in (832, 1632, 864, 1664, 3264)] + ["neg %r1", "neg32 %r1"]
    lines += [f"{order}{bits} %r1" for order in ("le", "be", "bswap") for bits in (16, 32, 64)]
    lines += [f"ldx{size} %r1, [%r2]" for size in ("b", "h", "w", "dw", "sb", "sh", "sw")]
    lines += [f"st{size} [%r1], 2" for size in ("b", "h", "w", "dw")]
    lines += [f"stx{size} [%r1], %r2" for size in ("b", "h", "w", "dw")]
    atomics = [f"{fetch}{name}" for fetch in ("", "fetch ") for name in ("add", "or", "and", "xor")]
    lines += [f"lock {n}{w} [%r1], %r2" for n in (*atomics, "xchg", "cmpxchg") for w in ("", "32")]
    lines += ["ja +0", "ja32 +0", "call 1", "call local +0", "call runtime 1", "exit", "lddw %r1, 5"]
    made = {operation(each) for each in assemble_mnemonics("\n".join(lines)).values()}
    wanted = {
        row
        for row in OPERATIONS
        if row.family not in WITHOUT_WORDS and (row.family != "constant" or row.name == "value")
    }
    assert made == wanted


def test_labels_are_counted_in_slots() -> None:
    made = assemble_mnemonics("start:\nlddw %r1, 1\njeq %r1, 2, end\nja start\ncall local end\nend:\nexit")
    assert list(made) == [0, 2, 3, 4, 5]
    assert (made[2].offset, made[3].offset, made[4].imm) == (2, -4, 0)


def test_exit_is_a_label_of_its_own() -> None:
    made = assemble_mnemonics("ja exit\nmov %r0, 1\nexit\nexit")
    assert made[0].offset == 1
    assert assemble_mnemonics("ja exit\nexit\nexit:\nexit")[0].offset == 1


@pytest.mark.parametrize(
    ("text", "problem", "place"),
    [
        ("frob %r1", "there is no instruction frob", (1, 1)),
        ("mov %r1, 1\nadd %r1", "add takes a register, a number or a register, a register", (2, 1)),
        ("ldxb %r1, %r2", "ldxb takes a register, [register+offset]", (1, 1)),
        ("exit %r1", "exit takes no operands", (1, 1)),
        ("mov %r16, 1", "there is no register %r16", (1, 5)),
        ("mov %r0, 2147483648", "imm 2147483648 is not from -2147483648 to 2147483647", (1, 1)),
        ("mov %r0, 0x123456789", "imm 4886718345 is not from -2147483648 to 2147483647", (1, 1)),
        ("lddw %r0, 0x10000000000000000", "0x10000000000000000 does not fit 64 bits", (1, 11)),
        (f"lddw %r0, {'9' * 30}", "the number has 30 digits", (1, 11)),
        ("ldxb %r0, [%r1+32768]", "offset 32768 is not from -32768 to 32767", (1, 1)),
        ("ja nowhere", "there is no label nowhere", (1, 1)),
        ("a:\na:\nexit", "there is a label a above", (2, 1)),
        ("mov %r1 1", "this is not understood", (1, 9)),
        ("lock", "this is not understood", (1, 5)),
    ],
)
def test_bad_text_is_refused_at_its_place(text: str, problem: str, place: tuple[int, int]) -> None:
    with pytest.raises(AssemblyError) as caught:
        assemble_mnemonics(text, "case")
    assert caught.value.problem == problem
    assert (caught.value.line, caught.value.column) == place
    assert str(caught.value).startswith(f"case:{place[0]}:{place[1]}: {problem}\n")


@given(st.text(alphabet="mov add lock call exit %r10,[]+-x:#\n", max_size=60))
def test_any_text_is_instructions_or_a_named_error(text: str) -> None:
    try:
        assemble_mnemonics(text)
    except AssemblyError as error:
        assert 1 <= error.line <= text.count("\n") + 1
