"""`bpf_loop` in native code: rounds, faults and budgets are what they are in the interpreter."""

from __future__ import annotations

import pytest
from skverdict.codegen.assembler import assemble
from skverdict.runtime.machine.fault import Fault
from skverdict.runtime.machine.load import load
from skverdict.runtime.machine.run import Result, step_through
from skverdict.runtime.maps.array import ArrayMap
from skverdict.runtime.native import engine, layout

from tests.runtime.machine_kit import TestContext, environment, spec

pytestmark = pytest.mark.usefixtures("own_cache")


def _told(done: Result) -> tuple[object, ...]:
    calls = [
        (call.name, [each if isinstance(each, int | bytes) else "" for each in call.arguments], call.result)
        for call in done.calls
    ]
    return done.value, done.instructions, calls


def _both(text: str, budget: int = 100_000) -> tuple[tuple[object, ...], tuple[object, ...]]:
    """What becomes of a program in the interpreter and in native code."""
    head = 'license "GPL"\nmap m array key 4 value 8 max_entries 2 flags 0\nprogram main sk_skb/stream_verdict\n'
    outcomes: list[tuple[object, ...]] = []
    for native in (False, True):
        surroundings = environment(budget=budget)
        maps = {"m": ArrayMap(spec("m", 4, 8, 2))}
        program = load(assemble(head + text), "main", maps, {}, surroundings)
        try:
            if native:
                code = engine.compile_program(program, "__sk_buff", maps, {}, surroundings)
                outcomes.append(_told(engine.run(code, TestContext(), surroundings)))
            else:
                outcomes.append(_told(step_through(program, TestContext(), surroundings)))
        except Fault as fault:
            outcomes.append((fault.reason, fault.slot, fault.access))
    return outcomes[0], outcomes[1]


#: Adds up the numbers of rounds in the stack of the caller, up to one that is given.
_SUM = """
    *(u64 *)(r10 - 8) = 0
    r1 = {rounds}
    r2 = function[add] ll
    r3 = r10
    r3 += -8
    r4 = {flags}
    call bpf_loop
    r6 = r0
    r0 = *(u64 *)(r10 - 8)
    r6 <<= 32
    r0 += r6
    exit
add:
    r3 = *(u64 *)(r2 + 0)
    r3 += r1
    *(u64 *)(r2 + 0) = r3
    r0 = {last}
    if r1 == r0 goto out
    r0 = 0
out:
    r0 <<= 3
    exit
"""


def _sum(rounds: int = 10, last: int = -1, flags: int = 0) -> str:
    return _SUM.format(rounds=rounds, last=last, flags=flags)


@pytest.mark.parametrize(
    ("text", "rounds", "total"),
    [(_sum(), 10, 45), (_sum(0), 0, 0), (_sum(1), 1, 0), (_sum(10, last=4), 5, 10), (_sum(99, last=98), 99, 4851)],
)
def test_a_loop_calls_as_often_as_it_is_told_to_or_until_it_is_told_to_stop(
    text: str, rounds: int, total: int, asked: list[int]
) -> None:
    expected, found = _both(text)
    assert found == expected
    assert found[0] == (rounds << 32) + total
    assert asked == []


@pytest.mark.parametrize("text", [_sum(flags=1), _sum(rounds=(8 << 20) + 1)])
def test_what_is_no_loop_gives_an_error(text: str, asked: list[int]) -> None:
    expected, found = _both(text)
    assert found == expected
    assert len(asked) == 1


_NESTED = """
    r6 = r1
    *(u64 *)(r10 - 8) = 0
    r1 = 3
    r2 = function[outer] ll
    r3 = r10
    r3 += -8
    r4 = 0
    call bpf_loop
    r7 = r0
    call plain
    r7 += r0
    r0 = *(u64 *)(r10 - 8)
    r0 += r7
    exit
outer:
    r6 = r1
    r7 = r2
    r1 = 4
    r2 = function[inner] ll
    r3 = r7
    r4 = 0
    call bpf_loop
    r3 = *(u64 *)(r7 + 0)
    r3 += r0
    r3 += r6
    *(u64 *)(r7 + 0) = r3
    call plain
    r0 += -42
    exit
inner:
    *(u32 *)(r10 - 4) = r1
    r6 = r2
    r1 = map[m] ll
    r2 = r10
    r2 += -4
    call bpf_map_lookup_elem
    if r0 == 0 goto none
    r1 = 1
    lock *(u64 *)(r0 + 0) += r1
    r1 = *(u64 *)(r0 + 0)
    r2 = *(u64 *)(r6 + 0)
    r2 += r1
    *(u64 *)(r6 + 0) = r2
none:
    r0 = 0
    exit
plain:
    r0 = 42
    exit
"""


def test_a_budget_ends_at_the_very_instruction_of_a_round_and_the_rest_of_the_loops_is_as_before() -> None:
    whole, found = _both(_NESTED)
    assert found == whole
    assert isinstance(whole[1], int)
    for budget in range(1, whole[1] + 2):
        expected, found = _both(_NESTED, budget)
        assert found == expected, budget


_FAULTS = {
    "behind the stack": "*(u64 *)(r2 + 8) = 1\nr0 = 0\nexit",
    "a byte of the caller's stack that was never written": "r0 = *(u64 *)(r2 - 8)\nexit",
    "an argument that there is not": "r0 = r3\nexit",
    "a register of the caller": "r0 = r6\nexit",
    "no result": "r1 = 1\nexit",
    "the number of the round for an address": "r0 = *(u8 *)(r1 + 0)\nexit",
    "a place that only the last rounds have": "r3 = r10\nr3 += -9\nr3 += r1\n*(u8 *)(r3 + 0) = 1\nr0 = 0\nexit",
}


@pytest.mark.parametrize("what", _FAULTS)
def test_a_fault_of_a_round_is_the_same_in_every_word(what: str) -> None:
    begin, _, _ = _sum().partition("add:\n")
    expected, found = _both(f"{begin}add:\n{_FAULTS[what]}")
    assert isinstance(expected[0], str)
    assert found == expected


def test_a_function_that_nobody_knows_before_is_called_by_python(asked: list[int]) -> None:
    text = _sum().replace("r2 = function[add] ll", "r5 = function[add] ll\nr2 = r5")
    expected, found = _both(text)
    assert found == expected
    assert len(asked) == 1


def test_more_loops_than_there_is_room_to_note_are_told_in_their_order() -> None:
    rounds = layout.MAX_CALLS // 2 + 20
    text = f"""
        r6 = {rounds}
        *(u64 *)(r10 - 8) = 0
    again:
        r1 = r6
        r1 &= 3
        r2 = function[add] ll
        r3 = r10
        r3 += -8
        r4 = 0
        call bpf_loop
        r6 += -1
        if r6 != 0 goto again
        r0 = *(u64 *)(r10 - 8)
        exit
    add:
        r3 = *(u64 *)(r2 + 0)
        r3 += 1
        *(u64 *)(r2 + 0) = r3
        r0 = 0
        exit
    """
    expected, found = _both(text, 1_000_000)
    assert found[:2] == expected[:2]
    assert found[2] == expected[2]
