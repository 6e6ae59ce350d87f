"""No instruction loads a word of the stack that nothing was stored in."""

from __future__ import annotations

import pytest
from skverdict.codegen import Target, build, read_object
from skverdict.codegen.instruction import Instruction
from skverdict.codegen.target import CPUS

from tests.dsl.policy_kit import Machine, compiled, program_text
from tests.dsl.random_bodies import random_body

# LLVM loads a word of the stack here that is stored later only, in the next round of a loop.
ROUNDS = random_body(1400)
EXPECTED = [99984, 51, 17]  # what Python gives for the same text


@pytest.mark.parametrize("cpu", CPUS)
def test_a_number_without_a_value_is_loaded_from_a_word_with_one(cpu: str) -> None:
    machine = Machine(compiled(program_text(ROUNDS)), Target(cpu))
    # The simulator faults at a load of what was never written, as Linux 6.1 refuses it.
    assert [machine.run(len=0, hash=number) for number in (0, 7, 1_000_003)] == EXPECTED


def test_what_a_helper_writes_is_written() -> None:
    before = "class Head(Struct):\n    first: u64"
    body = "head = Head()\nif ctx.load_bytes(0, head) != 0:\n    return 0\nreturn i32(head.first & 7)"
    content = build(compiled(program_text(body, before=before)), Target("v4"))
    stores = [each for each in program_of(content) if each.opcode & 7 in (2, 3)]
    assert stores == []


def program_of(content: bytes) -> list[Instruction]:
    (program,) = read_object(content).programs.values()
    return list(program.instructions.values())
