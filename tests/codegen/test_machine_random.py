"""What is made shorter does the same: random machine code, before and after."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from skverdict.codegen import Target
from skverdict.codegen.instruction import Instruction
from skverdict.codegen.instruction_set import decode_instructions, encode_instruction
from skverdict.codegen.llvm_object import Code, CodeRelocation, CodeSymbol
from skverdict.codegen.machine.improve import improve
from skverdict.dsl.ir.module import Function, Map, Module
from skverdict.dsl.ir.types import I32, U32, U64
from skverdict.runtime.maps.hash import HashMap

from tests.codegen.random_code import FIELDS, RandomCode
from tests.runtime.machine_kit import TestContext, environment, execute, spec

SECTION = "sk_skb/stream_verdict"
MODULE = Module(
    "policy.py",
    "GPL",
    maps=[Map("m", "hash", U32, U64, 8)],
    functions=[Function("main", "stream_verdict", (), I32)],
)
PROGRAMS = 150


def shortened(code: RandomCode, target: Target) -> tuple[list[Instruction], set[int]]:
    """The instructions after all passes, and the slots that load the map."""
    content = b"".join(encode_instruction(each, target.endian) for each in code.code)
    relocations = [CodeRelocation(8 * slot, 1, "m") for slot in sorted(code.maps)]
    given = Code(
        {SECTION: content},
        [CodeSymbol("main", SECTION, 0, len(content), True)],
        {SECTION: relocations},
        {SECTION: []},
    )
    made = improve(given, MODULE, target)
    instructions = decode_instructions(made.sections[SECTION], target.endian)
    return list(instructions.values()), {each.offset // 8 for each in made.relocations.get(SECTION, ())}


def outcome(code: list[Instruction], maps: set[int], endian: str, seed: int) -> Any:
    """What helpers were called with, what the map holds in the end, and the answer."""
    random = Random(seed)
    entries = HashMap(spec(entries=8), endian)
    for _ in range(3):
        entries.update(random.choice((bytes(4), b"\1\0\0\0", random.randbytes(4))), random.randbytes(8))
    calls: list[Any] = []

    def load_bytes(call: Any, skb: Any, offset: int, to: Any) -> int:
        content = bytes(range(1, 33))[offset : offset + to.size]
        fails = len(content) < to.size
        calls.append(("load_bytes", offset, to.size))
        to.write(bytes(to.size) if fails else content)
        return -14 if fails else 0

    fields = {name: random.choice((0, 1, 2, 80, random.getrandbits(32))) for name in FIELDS}
    surroundings = environment(helpers={"bpf_skb_load_bytes": load_bytes}, random=Random(seed))
    result = execute(
        code,
        TestContext(**fields),
        {"m": entries},
        surroundings,
        at=dict.fromkeys(sorted(maps), "m"),
        endian=endian,
    )
    held = sorted((key, entries.read(key)) for key in entries.keys())  # noqa: SIM118 - a map, no dict
    return result.value & 0xFFFFFFFF, held, calls, surroundings.random.random()


@pytest.mark.parametrize(
    "target",
    [Target("v1"), Target("v2"), Target("v3"), Target("v4"), Target("v3", "big")],
    ids=lambda target: f"{target.cpu}-{target.endian}",
)
def test_shorter_code_does_the_same(target: Target) -> None:
    shorter = 0
    for seed in range(PROGRAMS):
        code = RandomCode(Random(seed), target.has_32_bit_registers, target.cpu != "v1")
        instructions, maps = shortened(code, target)
        for inputs in range(3):
            before = outcome(code.code, code.maps, target.endian, inputs)
            assert outcome(instructions, maps, target.endian, inputs) == before, seed
        assert sum(each.slots for each in instructions) <= code.slot, seed
        shorter += len(instructions) < len(code.code)
    assert shorter > PROGRAMS * 0.9
