"""How functions come together to programs: order, distances, recursion, function addresses."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from skverdict.codegen import read_object
from skverdict.codegen.code_linker import MAX_SLOTS, Function, link
from skverdict.codegen.instruction import Instruction
from skverdict.codegen.instruction_set import CONSTANTS, WIDE
from skverdict.codegen.object_error import ObjectError

from tests.codegen.sample_objects import tool_path
from tests.interop.toolchain import CLANG_19

CALL = Instruction(0x85, 0, 1, 0, 0)
EXIT = Instruction(0x95, 0, 0, 0, 0)
TEXT, PROGRAMS = 1, 2


def function(name: str, place: tuple[int, int], *calls: tuple[int, int]) -> Function:
    """A function that calls those places and returns."""
    instructions = dict(enumerate([*(CALL for _ in calls), EXIT]))
    section = ".text" if place[0] == TEXT else "sk_msg"
    return Function(name, section, place, len(instructions), instructions, {}, {}, {}, dict(enumerate(calls)))


def linked(entry: Function, *others: Function) -> list[tuple[int, str]]:
    parts = link(entry, {each.place: each for each in (entry, *others)})
    return [(part.start, part.function.name) for part in parts]


def test_functions_stand_in_the_order_in_which_calls_meet_them() -> None:
    entry = function("entry", (PROGRAMS, 0), (TEXT, 0), (TEXT, 10))
    first = function("first", (TEXT, 0), (TEXT, 20), (TEXT, 10))
    second = function("second", (TEXT, 10))
    third = function("third", (TEXT, 20))
    assert linked(entry, first, second, third) == [(0, "entry"), (3, "first"), (6, "third"), (7, "second")]


def test_calls_get_the_distance_from_the_next_slot() -> None:
    entry = function("entry", (PROGRAMS, 0), (TEXT, 8), (TEXT, 0))
    parts = link(entry, {each.place: each for each in (function("a", (TEXT, 0)), function("b", (TEXT, 8)))})
    assert [parts[0].function.instructions[slot].imm for slot in (0, 1)] == [2, 2]


def test_functions_that_call_each_other_end() -> None:
    entry = function("entry", (PROGRAMS, 0), (TEXT, 0))
    ping, pong = function("ping", (TEXT, 0), (TEXT, 4)), function("pong", (TEXT, 4), (TEXT, 0))
    parts = link(entry, {ping.place: ping, pong.place: pong})
    assert [(part.start, part.function.name) for part in parts] == [(0, "entry"), (2, "ping"), (4, "pong")]
    assert parts[2].function.instructions[0].imm == -3


def test_a_long_chain_of_calls_is_no_deep_recursion() -> None:
    chain = [function(f"f{at}", (TEXT, 2 * at), (TEXT, 2 * at + 2)) for at in range(5000)]
    last = function("last", (TEXT, 10000))
    assert len(linked(function("entry", (PROGRAMS, 0), (TEXT, 0)), *chain, last)) == 5002


def test_a_program_has_an_end() -> None:
    large = function("large", (TEXT, 0))._replace(slots=MAX_SLOTS)
    with pytest.raises(ObjectError, match=f"program entry has more than {MAX_SLOTS} slots"):
        linked(function("entry", (PROGRAMS, 0), (TEXT, 0)), large)


@pytest.mark.parametrize("place", [(TEXT, 3), (3, 0)])
def test_a_call_must_reach_a_function_of_text_or_of_its_section(place: tuple[int, int]) -> None:
    elsewhere = function("elsewhere", (3, 0))._replace(section="sockops")
    with pytest.raises(ObjectError, match="section sk_msg, slot 0: no function that it could call begins at"):
        linked(function("entry", (PROGRAMS, 0), place), function("known", (TEXT, 0)), elsewhere)


CALLBACKS = """
static long (*loop)(unsigned int, void *, void *, unsigned long) = (void *)181;
static long twice(unsigned int at, unsigned int *sum) { *sum += 2 * at; return 0; }
long global_callback(unsigned int at, unsigned int *sum) { *sum += at; return 0; }
__attribute__((section("sk_msg"), used)) int verdict(void *msg)
{
	unsigned int sum = 0;
	loop(3, twice, &sum, 0);
	loop(4, global_callback, &sum, 0);
	return sum;
}
char _license[] __attribute__((section("license"), used)) = "GPL";
"""


@pytest.mark.parametrize("target", ["bpfel", "bpfeb"])
def test_addresses_of_functions_become_distances(target: str, tmp_path: Path) -> None:
    source, made = tmp_path / "callbacks.c", tmp_path / "callbacks.o"
    source.write_text(CALLBACKS)
    command = [tool_path(CLANG_19), f"--target={target}", "-O2", "-g", "-c", str(source), "-o", str(made)]
    subprocess.run(command, check=True)
    program = read_object(made.read_bytes()).programs["verdict"]
    addresses = {
        slot: instruction for slot, instruction in program.instructions.items() if instruction.opcode == WIDE
    }
    assert {instruction.src for instruction in addresses.values()} == {CONSTANTS.index("function")}
    reached = [program.functions[slot + 1 + instruction.imm] for slot, instruction in addresses.items()]
    assert reached == ["twice", "global_callback"]
