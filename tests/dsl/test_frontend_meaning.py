"""A fixed share of the random functions whose meaning is found in three ways, and what larger runs have found."""

from __future__ import annotations

import pytest
from skverdict.codegen import Target

from tests.dsl.meaning import TARGETS, check
from tests.dsl.policy_kit import Machine, compiled, program_text, returned


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: f"{target.cpu}-{target.endian}")
def test_three_ways_give_one_meaning(target: Target) -> None:
    assert list(check(8, 1, [target])) == []


@pytest.mark.parametrize("cpu", ["v1", "v3", "v4"])
def test_a_quotient_of_two_numbers_that_llvm_does_not_see(cpu: str) -> None:
    """Both are 0 for certain, and so not one divided by itself."""
    body = "x = u32(ctx.len & 1)\ny = x >> 20\nz = u32(u8(y) // (x + 1))\nreturn i32(z // y)"
    assert Machine(compiled(program_text(body)), Target(cpu)).run(len=6) == 0


def test_a_choice_that_is_made_while_compiling_has_the_type_of_both_sides() -> None:
    assert returned("x = u8(ctx.len)\ny = ctx.hash\nreturn i32((x if 1 < 2 else y) + x)", len=200) == 400
    assert returned("x = u8(ctx.len)\ny = ctx.hash\nreturn i32((y if 2 < 1 else x) + x)", len=200) == 400
    assert returned("x = u8(ctx.len)\nreturn i32((3 if True else x) + x)", len=254) == 1
