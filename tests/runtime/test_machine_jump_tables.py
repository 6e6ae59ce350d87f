"""Jumps by tables: `gotox`, as clang 22 makes it of large switches at -mcpu=v4 and Linux 7.2 takes it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from skverdict.codegen.assembler import assemble
from skverdict.codegen.object import Object
from skverdict.runtime.machine.fault import Fault, LoadError
from skverdict.runtime.machine.load import data_memory, load
from skverdict.runtime.machine.run import LoadedProgram, Result, run, step_through
from skverdict.runtime.native.code import NoNativeCode, draft
from skverdict.runtime.native.source import source_of

from tests.runtime.machine_kit import TestContext, environment

Way = Callable[..., Result]

#: Chooses by the message's size, in a loop that goes round twice.
CHOICE = """\
license "GPL"
program main sk_msg
    r6 = *(u32 *)(r1 + 68)
    r0 = 0
    r7 = 0
again:
    if r6 > 3 goto out
    r3 = r6
    r3 <<= 3
    r2 = table[one, ten, hundred, one] ll
    r2 += r3
    r2 = *(u64 *)(r2 + 0)
    gotox r2
one:
    r0 += 1
    goto next
ten:
    r0 += 10
    goto next
hundred:
    r0 += 100
next:
    r7 += 1
    r6 += 1
    if r7 < 2 goto again
out:
    exit
"""


def program(object_: Object, kernel: str = "7.2") -> LoadedProgram:
    return load(object_, "main", {}, data_memory(object_), environment(kernel=kernel))


def result(text: str, size: int, way: Way = run, budget: int = 1000) -> Result:
    surroundings = environment(budget=budget)
    context = TestContext("msg_verdict", size=size)
    return way(program(assemble(text)), context, surroundings)


@pytest.mark.parametrize("way", [run, step_through])
@pytest.mark.parametrize(("size", "value"), [(0, 11), (1, 110), (2, 101), (3, 1), (4, 0)])
def test_a_table_leads_to_the_instruction_of_its_index(size: int, value: int, way: Way) -> None:
    assert result(CHOICE, size, way).value == value


@pytest.mark.parametrize("size", range(5))
def test_all_ways_of_running_count_the_same_instructions(size: int) -> None:
    assert result(CHOICE, size, run) == result(CHOICE, size, step_through)


@pytest.mark.parametrize("way", [run, step_through])
def test_the_budget_ends_a_loop_by_a_table(way: Way) -> None:
    text = """\
program main sk_msg
again:
    r2 = table[again] ll
    r2 = *(u64 *)(r2 + 0)
    gotox r2
"""
    with pytest.raises(Fault, match="budget of 50 instructions"):
        result(text, 0, way, budget=50)


@pytest.mark.parametrize("way", [run, step_through])
@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("r2 = *(u64 *)(r2 + 8)", "a jump table has 1 entries of 8 bytes"),
        ("r2 = *(u64 *)(r2 - 8)", "a jump table has 1 entries of 8 bytes"),
        ("r2 = *(u32 *)(r2 + 0)", "a jump table is read by whole entries of 8 bytes"),
        ("r2 = *(u64 *)(r2 + 4)", "a jump table is read by whole entries of 8 bytes"),
        ("*(u64 *)(r2 + 0) = 5", "a jump table cannot be written"),
        ("lock *(u64 *)(r2 + 0) += r10", "a jump table allows no atomic access"),
        ("r2 = *(u64 *)(r2 + 0)\n r2 = *(u64 *)(r2 + 0)", "an instruction of the program cannot be read"),
        ("r2 = 3", "gotox goes to 0x3, which no jump table of the function has"),
        ("r2 = *(u64 *)(r2 + 0)\n r2 += 1", "which no jump table of the function has"),
        ("r2 = *(u64 *)(r2 + 0)\n gotox r5", "r5 is used before it is written"),
    ],
)
def test_what_a_table_does_not_allow(lines: str, problem: str, way: Way) -> None:
    text = f"program main sk_msg\n r2 = table[end] ll\n {lines}\n gotox r2\nend:\n r0 = 1\n exit\n"
    with pytest.raises(Fault, match=problem):
        result(text, 0, way)


def test_a_jump_with_no_table_in_its_function_is_refused() -> None:
    text = """\
program main sk_msg
    r1 = table[here] ll
    r1 = *(u64 *)(r1 + 0)
here:
    call other
    exit
other:
    gotox r1
"""
    with pytest.raises(LoadError, match="main jumps by a table, and its function has none"):
        program(assemble(text))


def test_a_table_into_another_function_is_refused() -> None:
    text = """\
program main sk_msg
    r1 = table[other] ll
    r1 = *(u64 *)(r1 + 0)
    call other
    gotox r1
other:
    r0 = 1
    exit
"""
    with pytest.raises(LoadError, match="main jumps to 5, into another function"):
        program(assemble(text))


@pytest.mark.parametrize("kernel", ["6.1", "6.12"])
def test_older_kernels_have_no_jumps_by_tables(kernel: str) -> None:
    with pytest.raises(LoadError, match=f"has the instruction gotox, which Linux {kernel} does not know"):
        program(assemble(CHOICE), kernel)


def test_the_interpreter_runs_what_native_code_is_not_made_of() -> None:
    loaded = program(assemble(CHOICE))
    with pytest.raises(NoNativeCode, match="main jumps by tables"):
        draft(source_of(loaded, "sk_msg_md", {}, {}, environment()))
