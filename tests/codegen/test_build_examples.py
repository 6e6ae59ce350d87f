"""The example policies' objects, byte for byte: what a kernel would look at."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from skverdict.codegen import Object, Target, build, read_object
from skverdict.codegen.instruction import Instruction
from skverdict.codegen.instruction_set import SIZES, WIDE, encode_instruction
from skverdict.dsl import load_policy

from tests.codegen.context_accesses import context_accesses, undeclared_accesses
from tests.codegen.damage import Damaged
from tests.interop.twins import CPUS, EXAMPLES, policy_names

each_policy = pytest.mark.parametrize("policy", policy_names())
each_target = pytest.mark.parametrize(
    "target", [Target(cpu, endian) for endian in ("little", "big") for cpu in CPUS], ids=repr
)


def path(policy: str) -> Path:
    return EXAMPLES / f"{policy}.py"


@cache
def content(policy: str, target: Target) -> bytes:
    return build(load_policy(path(policy)), target)


@cache
def example(policy: str, target: Target) -> Object:
    return read_object(content(policy, target), policy)


@each_policy
@each_target
def test_every_context_access_is_a_declared_field(policy: str, target: Target) -> None:
    programs = example(policy, target).programs
    assert any(context_accesses(program) for program in programs.values())
    for program in programs.values():
        assert undeclared_accesses(program) == set()


@each_policy
@pytest.mark.parametrize("endian", ["little", "big"])
def test_a_changed_access_is_noticed(policy: str, endian: str) -> None:
    """The check above fails for an object in which any one access is wider, narrower or somewhere else."""
    target = Target(endian=endian)
    for program in example(policy, target).programs.values():
        for access in context_accesses(program):
            for wrong in spoilt(program.instructions[access.slot]):
                damaged = Damaged(content(policy, target))
                damaged.instruction(program.name, access.slot, encode_instruction(wrong, endian))
                changed = read_object(bytes(damaged.content)).programs[program.name]
                assert {each.slot for each in undeclared_accesses(changed)} == {access.slot}


def spoilt(instruction: Instruction) -> list[Instruction]:
    """The load with each other size, and one byte on; no field is one byte behind another."""
    sizes = [instruction.opcode & ~WIDE | bits for bits in SIZES.values()]
    others = [instruction._replace(opcode=opcode) for opcode in sizes if opcode != instruction.opcode]
    return [*others, instruction._replace(offset=instruction.offset + 1)]


@each_policy
def test_every_line_is_one_of_the_policys(policy: str) -> None:
    lines = path(policy).read_text(encoding="utf-8").splitlines()
    for program in example(policy, Target()).programs.values():
        assert program.lines
        for line in program.lines.values():
            assert (line.file, line.text) == (path(policy).name, lines[line.line - 1])


@each_policy
def test_the_folder_of_a_policy_does_not_show(policy: str, tmp_path: Path) -> None:
    copy = tmp_path / path(policy).name
    copy.write_bytes(path(policy).read_bytes())
    assert build(load_policy(copy)) == build(load_policy(path(policy)))


@each_policy
def test_nothing_is_to_be_warned_of(policy: str, recwarn: pytest.WarningsRecorder) -> None:
    build(load_policy(path(policy)))
    assert [str(each.message) for each in recwarn] == []
