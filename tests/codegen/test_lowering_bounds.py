"""What bounds a number stays in the code wherever the verifier could not do without it."""

from __future__ import annotations

import pytest
from skverdict.codegen import Target, build, read_object
from skverdict.codegen.instruction import Instruction
from skverdict.codegen.instruction_set import operation
from skverdict.codegen.target import CPUS

from tests.dsl.policy_kit import Machine, compiled, program_text

TABLE = "class Table(Struct):\n    slots: Array[u64, 4]\ntable = Global(Table)"
BYTES = "class Bytes(Struct):\n    bytes: Array[u8, 8]"
each_cpu = pytest.mark.parametrize("cpu", CPUS)


def instructions(body: str, before: str, cpu: str) -> list[Instruction]:
    content = build(compiled(program_text(body, before=before)), Target(cpu))
    (program,) = read_object(content).programs.values()
    return list(program.instructions.values())


def masks(body: str, cpu: str) -> int:
    """How often the table's last index is a mask in the code."""
    found = instructions(body, TABLE, cpu)
    return sum(operation(each).name.startswith("and") and each.imm == 3 for each in found)


@each_cpu
@pytest.mark.parametrize(
    "body",
    [
        "table.value.slots[(ctx.len % 3) & 3] += 1\nreturn 1",
        "if not 1 <= ctx.len <= 3:\n    return 0\ntable.value.slots[ctx.len & 3] += 1\nreturn 1",
        "if ctx.len in (1, 2, 3):\n    table.value.slots[ctx.len & 3] += 1\nreturn 1",
        "match ctx.len:\n    case 1 | 2 | 3:\n        table.value.slots[ctx.len & 3] += 1\nreturn 1",
    ],
)
def test_a_mask_stays_where_only_llvm_knows_that_it_changes_nothing(body: str, cpu: str) -> None:
    assert masks(body, cpu) == 1


@each_cpu
def test_the_least_number_is_found_even_if_it_is_known(cpu: str) -> None:
    """Else the verifier would count as many turns as fit the number."""
    body = "total: u32 = 0\nfor i in range(ctx.len % 7):\n    total += ctx.hash >> i\nreturn i32(total & 1)"
    divisor, *limits = (each.imm for each in instructions(body, "", cpu) if each.imm in (5, 6, 7))
    assert divisor == 7 and limits


@each_cpu
def test_addresses_in_the_frame_are_summed(cpu: str) -> None:
    """The verifier takes no other arithmetic for them, while LLVM knows that the index shares no bit with one."""
    body = "b = Bytes()\nb.bytes[ctx.len & 7] = 5\nb.bytes[ctx.hash & 7] += 1\nreturn b.bytes[ctx.len & 7]"
    assert not any(operation(each).name.startswith("or") for each in instructions(body, BYTES, cpu))
    machine = Machine(compiled(program_text(body, before=BYTES)), Target(cpu))
    assert [machine.run(len=length, hash=9) for length in (1, 9, 2)] == [6, 6, 5]


@each_cpu
def test_a_loop_compares_its_limit_with_its_count(cpu: str) -> None:
    """In that order: Linux 6.1 does not see the end of a loop from a number that it knows and one that it does not."""
    body = (
        "n: u32 = 0\nx: u32 = 0\nwhile n < min(ctx.len, 5):\n    n += 1\n    x += bpf_get_prandom_u32()\n"
        "return i32(n + (x & 0))"
    )
    before = "from skverdict.dsl.helpers import bpf_get_prandom_u32"
    found = instructions(body, before, cpu)
    (counted,) = {each.dst for each in found if operation(each).name.startswith("add") and each.imm == 1}
    compared = [each for each in found if operation(each).family == "jump" and each.opcode & 8]
    assert compared and all(each.dst != counted for each in compared)
    machine = Machine(compiled(program_text(body, before=before)), Target(cpu))
    assert [machine.run(len=length, hash=0) for length in (0, 1, 4, 5, 9)] == [0, 1, 4, 5, 5]
