"""Jump tables in objects: how LLVM 22 writes them at -mcpu=v4, and what is refused of them."""

from __future__ import annotations

import struct

import pytest
from skverdict.codegen import ObjectError, read_object
from skverdict.codegen.assembler import assemble
from skverdict.codegen.assembly import AssemblyError
from skverdict.codegen.disassembler import disassemble
from skverdict.codegen.elf_file import read_elf
from skverdict.codegen.object_writer import object_bytes

from tests.codegen.damage import Damaged

#: A program that asks a function, each with a table of its own.
TEXT = """\
endian {endian}
license "GPL"

program verdict sk_msg
verdict:
       0: r2 = *(u32 *)(r1 + 68)
       1: if r2 > 1 goto +6 <L8>
       2: r2 <<= 3
       3: r3 = table[+4 <L8>, +5 <L9>] ll
       5: r3 += r2
       6: r3 = *(u64 *)(r3 + 0)
       7: gotox r3
L8:
       8: call +1 <kind>
L9:
       9: exit
kind:
      10: r1 = table[+3 <L14>] ll
      12: r1 = *(u64 *)(r1 + 0)
      13: gotox r1
L14:
      14: r0 = 1
      15: exit
"""


def written(endian: str = "little") -> bytes:
    return object_bytes(assemble(TEXT.format(endian=endian)))


@pytest.mark.parametrize("endian", ["little", "big"])
def test_tables_come_through_an_object_file(endian: str) -> None:
    read = read_object(written(endian))
    tables = read.programs["verdict"].tables
    assert {slot: table.targets for slot, table in tables.items()} == {3: (8, 9), 10: (14,)}
    assert disassemble(read) == TEXT.format(endian=endian)


@pytest.mark.parametrize(("endian", "order"), [("little", "<"), ("big", ">")])
def test_a_table_counts_bytes_from_the_start_of_the_section_as_llvm_does(endian: str, order: str) -> None:
    section = read_elf(written(endian)).section(".jumptables")
    assert section is not None
    # The function of `kind` begins its own section.
    assert struct.unpack(f"{order}3Q", section.content) == (8 * 8, 8 * 9, 8 * 4)


def test_a_jump_goes_where_the_tables_of_its_own_function_lead() -> None:
    program = read_object(written()).programs["verdict"]
    assert program.table_targets(7) == (8, 9)
    assert program.table_targets(13) == (14,)


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda each: each.symbol("BPF.JT.0", "size", 12), "12 bytes at byte 0 of the 24 of .jumptables"),
        (lambda each: each.symbol("BPF.JT.0", "size", 32), "32 bytes at byte 0 of the 24 of .jumptables"),
        (lambda each: each.symbol("BPF.JT.0", "size", 0), "0 bytes at byte 0 of the 24 of .jumptables"),
        (lambda each: each.symbol("BPF.JT.16", "value", 4), "8 bytes at byte 4 of the 24 of .jumptables"),
        (lambda each: each.slot("sk_msg", 3, "1803000008000000"), "to the midst of the jump table BPF.JT.0"),
        (lambda each: each.slot(".jumptables", 0, "4400000000000000"), "to byte 68, inside a slot"),
        (lambda each: each.slot(".jumptables", 1, "2000000000000000"), "jumps to slot 4, which is no instruction"),
        (lambda each: each.slot(".jumptables", 1, "5000000000000000"), "jumps to slot 10, which is no instruction"),
        (lambda each: each.slot(".jumptables", 2, "ffffffffffffff7f"), "to byte 9223372036854775807, inside a slot"),
    ],
)
def test_a_table_that_leads_nowhere_is_refused(damage: object, problem: str) -> None:
    assert callable(damage)
    damaged = Damaged(written())
    damage(damaged)
    with pytest.raises(ObjectError, match=problem):
        read_object(bytes(damaged.content))


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("+4 <L8>, +5 <L9>", "+4 <L8>, gone", "no label gone"),
        ("+4 <L8>, +5 <L9>", "+0", "no instruction begins at slot 4"),
        ("gotox r3", "gotox w3", "an address is in a whole register"),
        ("+4 <L8>, +5 <L9>", "", "this is not understood"),
    ],
)
def test_text_that_no_table_can_be_made_of(old: str, new: str, problem: str) -> None:
    with pytest.raises(AssemblyError, match=problem):
        assemble(TEXT.format(endian="little").replace(old, new))
