"""What a callback counts up begins as a number that no verifier knows, and is the same number."""

from __future__ import annotations

from pathlib import Path

import pytest
from skverdict.codegen import Target, build, read_object
from skverdict.codegen.lowering.counts import counted, whole_words
from skverdict.codegen.target import CPUS
from skverdict.dsl import load_policy
from skverdict.dsl.ir.types import U8, U16, U32, U64
from skverdict.runtime import Simulator

from tests.corpus.language import PRELUDE
from tests.dsl.policy_kit import compiled

POLICY = """
from skverdict.dsl.helpers import bpf_loop

class Counts(Struct):
    turns: u32
    steps: u64
    first: i16
    most: u8

watched = SockMap(max_entries=1)
answer = Global(u64)

@subprogram
def step(index: u32, counts: Counts) -> i32:
    counts.turns += 1
    counts.steps += index
    counts.first -= 1
    return 1 if counts.turns == counts.most else 0

@stream_verdict
def program(skb: SkSkb) -> i32:
    counts = Counts(turns=1, steps=100, first=5, most=11)
    bpf_loop(50, step, counts)
    answer.value = counts.steps + u32(counts.turns) * 1000 + u32(counts.first + 100) * 1000000
    return SK_PASS
"""


@pytest.mark.parametrize("cpu", CPUS)
def test_the_numbers_are_what_they_were(cpu: str, tmp_path: Path) -> None:
    path = tmp_path / "policy.py"
    path.write_text(PRELUDE + POLICY)
    simulator = Simulator(build(load_policy(path), Target(cpu)))
    client, server = simulator.tcp_pair()
    simulator.attach("watched", verdict="program")
    simulator.maps["watched"][0] = server
    client.send(b"x")
    # Ten turns: 0 to 9 are added to 100, turns end at 11, and 5 goes down to -5.
    assert simulator.globals["answer"] == 145 + 11 * 1000 + 95 * 1000000


def test_only_what_the_function_changes_is_forgotten() -> None:
    (program, *_) = read_object(build(compiled(POLICY))).programs.values()
    constants = {each.imm for each in program.instructions.values() if each.opcode & 7 == 2}
    assert 11 in constants  # `most` is stored as it is


NESTED = """
from skverdict.dsl.helpers import bpf_loop, bpf_get_prandom_u32

class Inner(Struct):
    number: u64
    others: Array[u64, 3]

class Counts(Struct):
    kept: u64
    one: Inner
    two: Array[Inner, 2]
    small: Array[u8, 11]
    half: u16

{before}

@subprogram
def step(index: u32, counts: Counts) -> i32:
    {body}
    return 0

@msg_verdict
def program(msg: SkMsg) -> i32:
    counts = Counts()
    bpf_loop(10, step, counts)
    return SK_PASS
"""
SUBPROGRAM = "@subprogram\ndef up(inner: Inner) -> u32:\n    inner.number += 1\n    return 0"
PLACES = [
    ("counts.kept += 1", [(0, 64)]),
    ("counts.one.number += index", [(8, 64)]),
    ("counts.one.others[2] -= 1", [(32, 64)]),
    ("counts.two[1].number += 1", [(72, 64)]),
    ("inner = counts.two[0]\n    inner.others[0] += 1", [(48, 64)]),
    ("number = counts.kept\n    if index > 3:\n        number += 1\n    counts.kept = number", [(0, 64)]),
    ("counts.kept = counts.half + (index & 1)", [(0, 64)]),
    ("counts.half += 1", [(116, 16)]),
    ("counts.small[u8(counts.half) % 11] += 1", [(104 + place, 8) for place in range(11)]),
    ("counts.one = Inner(number=counts.kept)", [(8 + 8 * place, 64) for place in range(4)]),
    ("for i in range(2):\n        counts.two[i].others[1] += 1", [(56, 64), (88, 64)]),
    ("up(counts.one)", [(8 + 8 * place, 64) for place in range(4)]),
    # Which counts nothing.
    ("counts.kept = 3", []),
    ("counts.kept = index", []),
    ("counts.two[index & 1].others[index % 3] += 1", []),
    ("counts.kept = bpf_get_prandom_u32() & 7", []),
    ("counts.small[index % 11] = 3", []),
]


@pytest.mark.parametrize(("body", "expected"), PLACES)
def test_what_a_function_counts_up(body: str, expected: list[tuple[int, int]]) -> None:
    policy = compiled(NESTED.format(body=body, before=SUBPROGRAM))
    step = next(function for function in policy.module.functions if function.name == "step")
    assert [(offset, type_.bits) for offset, type_ in counted(step)] == expected


EACH = """
class Total(Struct):
    size: u64
    small: u64

sizes = ArrayMap(value=u64, max_entries=4)

@subprogram
def step(key: u32, size: Cell[u64], total: Total) -> i32:
    total.size += 3 - size.value
    total.small += size.value & 1
    return 0

@msg_verdict
def program(msg: SkMsg) -> i32:
    sizes.for_each(step, Total())
    return SK_PASS
"""


def test_a_sum_with_any_number_is_known_to_nobody() -> None:
    step = next(function for function in compiled(EACH).module.functions if function.name == "step")
    assert [(offset, type_.bits) for offset, type_ in counted(step)] == [(8, 64)]


def test_numbers_that_fill_a_word_are_forgotten_at_once() -> None:
    whole = [(8, U32), (12, U16), (14, U16), (16, U64), (24, U32)]
    assert whole_words([(0, U32), (4, U16), (6, U8), *whole]) == [
        (0, U32), (4, U16), (6, U8), (8, U64), (16, U64), (24, U32),
    ]  # fmt: skip
    straddling = [(4, U64), (12, U32)]
    assert whole_words(straddling) == straddling
    assert whole_words([(place, U8) for place in range(11)]) == [(0, U64), (8, U8), (9, U8), (10, U8)]


ROUNDS = """
@subprogram
def rounds(most: u8) -> u64:
    counts = Counts(turns=1, steps=100, first=5, most=most)
    bpf_loop(50, step, counts)
    return counts.steps * 1000 + counts.turns

@stream_verdict
def program(skb: SkSkb) -> i32:
    answer.value = rounds(8)
    return SK_PASS
"""


@pytest.mark.parametrize("cpu", CPUS)
def test_a_subprogram_forgets_without_a_context(cpu: str) -> None:
    content = build(compiled(POLICY.partition("@stream_verdict")[0] + ROUNDS), Target(cpu))
    (program,) = read_object(content).programs.values()
    assert sum(each.opcode == 0x85 and each.src == 0 and each.imm == 7 for each in program.instructions.values()) == 1
    simulator = Simulator(content)
    client, server = simulator.tcp_pair()
    simulator.attach("watched", verdict="program")
    simulator.maps["watched"][0] = server
    client.send(b"x")
    assert simulator.globals["answer"] == (100 + 21) * 1000 + 8
