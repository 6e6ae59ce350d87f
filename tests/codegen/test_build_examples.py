"""The example policies' objects, byte for byte: what a kernel would look at."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from skverdict.codegen import Object, Target, build, read_object
from skverdict.dsl import load_policy

from tests.codegen.context_accesses import context_accesses, undeclared_accesses
from tests.interop.twins import CPUS, EXAMPLES, policy_names

each_policy = pytest.mark.parametrize("policy", policy_names())
each_target = pytest.mark.parametrize(
    "target", [Target(cpu) for cpu in CPUS] + [Target("v3", "big")], ids=repr
)


def path(policy: str) -> Path:
    return EXAMPLES / f"{policy}.py"


@cache
def example(policy: str, target: Target) -> Object:
    return read_object(build(load_policy(path(policy)), target), policy)


@each_policy
@each_target
def test_every_context_access_is_a_declared_field(policy: str, target: Target) -> None:
    programs = example(policy, target).programs
    assert any(context_accesses(program) for program in programs.values())
    for program in programs.values():
        assert undeclared_accesses(program) == set()


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
