"""What a callback counts up begins as a number that no verifier knows, and is the same number."""

from __future__ import annotations

from pathlib import Path

import pytest
from skverdict.codegen import Target, build, read_object
from skverdict.codegen.target import CPUS
from skverdict.dsl import load_policy
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
