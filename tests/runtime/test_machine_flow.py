"""Programs that jump to and fro do the same as when they are followed instruction by instruction."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from skverdict.codegen.instruction import Instruction
from skverdict.runtime.machine.fault import Fault, LoadError
from skverdict.runtime.machine.run import LoadedProgram, Result, run, step_through

from tests.runtime.machine_kit import (
    EXIT,
    M64,
    TestContext,
    alu,
    environment,
    execute,
    load_,
    loaded,
    mov,
    object_of,
    op,
    store,
    wide,
)

REGISTERS = 4
BUDGET = 300

JUMPS = {"jeq": lambda a, b: a == b, "jgt": lambda a, b: a > b, "jset": lambda a, b: bool(a & b)}


class Line(NamedTuple):
    """One instruction, before its target is known: `target` counts lines."""

    what: str
    register: int = 0
    number: int = 0
    target: int = 0


def lines(most: int) -> st.SearchStrategy[list[Line]]:
    register, number = st.integers(0, REGISTERS - 1), st.integers(0, 3)
    plain = st.builds(Line, st.sampled_from(("add", "mul")), register, number)
    jump = st.builds(Line, st.sampled_from((*JUMPS, "ja")), register, number, st.integers(0, most))
    return st.lists(st.one_of(plain, jump, jump, st.just(Line("exit"))), min_size=1, max_size=most)


def code_of(program: list[Line]) -> list[Instruction]:
    """The instructions, behind those that give the registers their first values, and in front of an exit."""
    code = [mov(register, register) for register in range(REGISTERS)]
    for at, line in enumerate(program):
        offset = min(line.target, len(program)) - at - 1
        if line.what in JUMPS:
            code.append(op("jump", line.what, dst=line.register, imm=line.number, offset=offset, bits=64))
        elif line.what == "ja":
            code.append(op("goto", "ja", source="", offset=offset))
        else:
            code.append(EXIT if line.what == "exit" else alu(line.what, line.register, imm=line.number))
    return [*code, EXIT]


def followed(program: list[Line]) -> tuple[int, int] | None:
    """r0 and the number of instructions; None if the budget is used up."""
    registers = list(range(REGISTERS))
    at, count = 0, REGISTERS
    while count < BUDGET:
        count += 1
        if at >= len(program) or program[at].what == "exit":
            return registers[0], count
        line = program[at]
        at += 1
        if line.what in JUMPS:
            if JUMPS[line.what](registers[line.register], line.number):
                at = line.target
        elif line.what == "ja":
            at = line.target
        elif line.what == "add":
            registers[line.register] += line.number
        else:
            registers[line.register] = registers[line.register] * line.number & M64
    return None


@given(program=lines(24))
def test_jumps_go_where_they_say(program: list[Line]) -> None:
    code, expected = code_of(program), followed(program)
    surroundings = environment(budget=BUDGET)
    if expected is None:
        with pytest.raises(Fault, match="budget"):
            execute(code, surroundings=surroundings)
    else:
        result = execute(code, surroundings=surroundings)
        assert (result.value, result.instructions) == expected


@pytest.mark.parametrize("apart", [1, 2, 3])
def test_long_chains_of_choices(apart: int) -> None:
    """Two thousand of them, each over the next instructions, to the end, or both."""
    program: list[Line] = []
    for number in range(2000):
        far = len(program) + 1 + apart if number % 3 else 10**6
        program += [Line("jgt", 1, 1 if number % 5 else 0, far), *[Line("add", 0, 1)] * apart]
    if apart == 1:
        program = [line._replace(number=3) if line.what == "jgt" else line for line in program]
    expected = followed_far(program)
    result = execute(code_of(program))
    assert (result.value, result.instructions) == expected


def followed_far(program: list[Line]) -> tuple[int, int]:
    total = at = 0
    count = REGISTERS
    while at < len(program):
        count += 1
        line = program[at]
        at += 1
        if line.what == "add":
            total += 1
        elif line.number < 1:
            at = line.target
    return total, count + 1


@pytest.mark.parametrize("depth", [60, 300])
def test_choices_within_choices(depth: int) -> None:
    """Each choice is inside the one before it, and all of them end in one place."""
    program = [Line("jeq", 1, 0, 2 * depth) for _ in range(depth)]
    program += [Line("add", 0, 1) for _ in range(depth)]
    assert execute(code_of(program)).value == depth


def test_what_cannot_be_reached_may_be_anything() -> None:
    code = [mov(0, 1), EXIT, alu("add", 9, src=8), EXIT]
    assert execute(code).value == 1
    with pytest.raises(LoadError, match="no exit or jump"):
        execute([mov(0, 1), EXIT, alu("add", 9, src=8)])


def test_a_stack_is_there_also_for_who_makes_its_address_up() -> None:
    """Where stacks are is nothing to count on, but a program that knows finds the same as step by step."""
    code = [wide(1, 0x2_8000_0008), store(1, 0, 4, imm=7), load_(0, 1, 0, 4), EXIT]
    program, surroundings = loaded(object_of(code)), environment()
    context = TestContext()
    assert run(program, context, surroundings).value == step_through(program, context, surroundings).value == 7


@pytest.mark.parametrize("name", ["div", "mod"])
@pytest.mark.parametrize("bits", [32, 64])
def test_division_by_zero_looks_at_the_same_registers(name: str, bits: int) -> None:
    """Functions and steps refuse an unwritten register for the same instructions, by the same register."""
    for operand in ({"imm": 0}, {"src": 0}, {"src": 8}):
        program = loaded(object_of([mov(0, 0), alu(name, 7, bits, **operand), mov(0, 1), EXIT]))
        assert told(run, program) == told(step_through, program)


def told(execute_it: Callable[..., Result], program: LoadedProgram) -> int | str:
    """The value that a program gives, or what is wrong with it."""
    try:
        return execute_it(program, TestContext(), environment()).value
    except Fault as fault:
        return fault.reason


def test_a_budget_that_does_not_last_ends_the_run_where_it_is_used_up() -> None:
    code = [mov(0, 0), store(10, -8, 8, imm=1), alu("add", 0, imm=1), op("goto", "ja", source="", offset=-2)]
    program = loaded(object_of(code))
    for budget in range(1, 12):
        places = []
        for execute_it in (run, step_through):
            with pytest.raises(Fault, match="budget") as caught:
                execute_it(program, TestContext(), environment(budget=budget))
            places.append(caught.value.slot)
        assert places[0] == places[1]
