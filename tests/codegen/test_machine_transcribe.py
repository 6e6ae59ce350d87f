"""Where registers do not suffice, LLVM's instructions stay, with all mended that verifiers would refuse."""

from __future__ import annotations

from random import Random

import pytest
from skverdict.codegen import Target, build, read_object
from skverdict.codegen.instruction_set import operation
from skverdict.codegen.machine import improve
from skverdict.codegen.machine.registers import OutOfRegisters
from skverdict.codegen.target import CPUS

from tests.codegen import test_machine_random
from tests.codegen.random_code import RandomCode
from tests.codegen.test_machine_passes import LOOKUP, count, shortened
from tests.dsl.policy_kit import Machine, compiled, program_text
from tests.dsl.random_bodies import random_body

PROGRAMS = 60


@pytest.fixture(autouse=True)
def _too_few_registers(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise OutOfRegisters

    monkeypatch.setattr(improve, "Assignment", refuse)


@pytest.mark.parametrize("target", [Target("v1"), Target("v3"), Target("v4", "big")], ids=lambda each: each.cpu)
def test_it_does_the_same(target: Target) -> None:
    for seed in range(PROGRAMS):
        code = RandomCode(Random(seed), target.has_32_bit_registers, target.cpu != "v1")
        instructions, maps = test_machine_random.shortened(code, target)
        before = test_machine_random.outcome(code.code, code.maps, target.endian, seed)
        assert test_machine_random.outcome(instructions, maps, target.endian, seed) == before, seed


def test_instructions_keep_their_registers() -> None:
    body = "r8 = *(u32 *)(r1 + 0)\nr3 = r8\nr4 = 9\nr9 = r3\nr9 += r4\nr0 = r9\nexit"
    assert shortened(body) == body.split("\n")


def test_words_that_may_be_unwritten_are_written_first() -> None:
    body = f"r6 = *(u32 *)(r1 + 0)\nif r6 == 1 goto on\n*(u64 *)(r10 - 16) = r6\non:\n{LOOKUP}"
    lines = shortened(f"{body}r0 = *(u64 *)(r10 - 16)\nexit")
    assert lines[0] == "*(u64 *)(r10 - 16) = 0"
    assert count(lines, "(r10 - 16) = 0") == 1


@pytest.mark.parametrize("cpu", CPUS)
def test_addresses_in_the_frame_are_summed(cpu: str) -> None:
    body = "b = Bytes()\nb.bytes[ctx.len & 7] = 5\nb.bytes[ctx.hash & 7] += 1\nreturn b.bytes[ctx.len & 7]"
    policy = compiled(program_text(body, before="class Bytes(Struct):\n    bytes: Array[u8, 8]"))
    (program,) = read_object(build(policy, Target(cpu))).programs.values()
    assert not any(operation(each).name.startswith("or") for each in program.instructions.values())
    machine = Machine(policy, Target(cpu))
    assert [machine.run(len=length, hash=9) for length in (1, 9, 2)] == [6, 6, 5]


def test_a_loop_is_closed_by_a_jump() -> None:
    """Linux 6.1 takes no loop that is closed by running on into its beginning."""
    body = (
        "r6 = *(u32 *)(r1 + 0)\ngoto test\nagain:\nr6 += -1\ntest:\ncall bpf_get_prandom_u32#7\n"
        "if r0 == 1 goto again\nr0 = 1\nexit"
    )
    lines = shortened(body)
    (start,) = (number for number, line in enumerate(lines) if line == "r6 += -1")
    assert lines[start + 1].startswith("goto ")


@pytest.mark.parametrize("cpu", ["v1", "v2", "v3"])
def test_code_that_exchanges_what_it_compares_is_mended_too(cpu: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such an instruction wants the value in r0, so that registers cannot be given anew."""
    monkeypatch.undo()
    before = "from skverdict.dsl.helpers import bpf_get_prandom_u32\nseen = Global(u64)"
    body = (
        "n: u32 = 0\nwhile n < min(ctx.len, 5):\n    n += 1\n"
        "    seen.value += atomic_compare_exchange(seen.value, 3, bpf_get_prandom_u32())\nreturn i32(n)"
    )
    policy = compiled(program_text(body, before=before))
    (program,) = read_object(build(policy, Target(cpu))).programs.values()
    found = list(program.instructions.values())
    (counted,) = {each.dst for each in found if operation(each).name.startswith("add") and each.imm == 1}
    compared = [each for each in found if operation(each).family == "jump" and each.opcode & 8]
    assert compared and all(each.dst != counted for each in compared)
    assert [Machine(policy, Target(cpu)).run(len=length) for length in (0, 1, 5, 9)] == [0, 1, 5, 5]


@pytest.mark.parametrize("cpu", CPUS)
def test_numbers_without_a_value_are_loaded_from_words_with_one(cpu: str) -> None:
    machine = Machine(compiled(program_text(random_body(1400))), Target(cpu))
    assert [machine.run(len=0, hash=number) for number in (0, 7, 1_000_003)] == [99984, 51, 17]
