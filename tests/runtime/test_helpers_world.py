"""What programs learn of time, chance and process is what the environment says."""

from __future__ import annotations

from random import Random

import pytest
from skverdict.codegen.instruction import Instruction
from skverdict.runtime.machine.environment import Environment, Signal

from tests.runtime.machine_kit import (
    EXIT,
    M64,
    TestContext,
    alu,
    call,
    environment,
    execute,
    load_,
    mov,
    wide,
)

SETTINGS = {
    "clock_ns": 5_000_000_123,
    "wall_clock_offset_ns": 1_000,
    "cpu": 3,
    "cpus": 4,
    "numa_node": 1,
    "process": 77,
    "thread": 78,
    "user": 5,
    "group": 6,
    "cgroup": 9,
}


@pytest.mark.parametrize(
    ("helper", "value"),
    [
        (5, 5_000_000_123),
        (125, 5_000_000_123),
        (160, 5_000_000_000),
        (208, 5_000_001_123),
        (118, 1250),
        (8, 3),
        (42, 1),
        (14, 77 << 32 | 78),
        (15, 6 << 32 | 5),
        (80, 9),
    ],
)
def test_settings_are_what_programs_see(helper: int, value: int) -> None:
    assert execute([call(helper), EXIT], surroundings=environment(**SETTINGS)).value == value


def test_chance_repeats_with_its_seed() -> None:
    def numbers(seed: int) -> list[int]:
        surroundings = environment(random=Random(seed))
        return [execute([call(7), EXIT], surroundings=surroundings).value for _ in range(4)]

    assert numbers(1) == numbers(1) != numbers(2)
    assert all(0 <= number < 1 << 32 for number in numbers(1))


@pytest.mark.parametrize(("size", "expected"), [(16, b"a-command\0\0\0\0\0\0\0"), (4, b"a-c\0")])
def test_a_command_is_cut_to_the_buffer(size: int, expected: bytes) -> None:
    code = [alu("mov", 1, src=10), alu("add", 1, imm=-16), mov(2, size), call(16)]
    for offset, byte in enumerate(expected):
        read = execute(
            [*code, load_(0, 10, -16 + offset, 1), EXIT],
            TestContext(),
            surroundings=environment(command=b"a-command"),
        )
        assert read.value == byte


def written(code: list[Instruction], offset: int, surroundings: Environment) -> int:
    """The 4 bytes at `offset` below the end of the stack after `code`."""
    return execute([*code, load_(0, 10, offset, 4), EXIT], surroundings=surroundings).value


@pytest.mark.parametrize(
    ("device", "inode", "size", "expected"),
    [
        (4, 0xEFFFFFFC, 8, (0, 78, 77)),
        (5, 0xEFFFFFFC, 8, (-22, 0, 0)),
        (4, 1, 8, (-22, 0, 0)),
        (4, 0xEFFFFFFC, 16, (-22, 0, 0)),
    ],
)
def test_process_numbers_are_those_of_a_namespace(
    device: int, inode: int, size: int, expected: tuple[int, int, int]
) -> None:
    surroundings = environment(**SETTINGS)
    code = [mov(1, device), wide(2, inode), alu("mov", 3, src=10), alu("add", 3, imm=-16), mov(4, size)]
    code.append(call(120))
    value = execute([*code, EXIT], surroundings=surroundings).value
    numbers = written(code, -16, surroundings), written(code, -12, surroundings)
    assert (value, *numbers) == (expected[0] & M64, *expected[1:])


def test_cgroups_above_are_counted_from_the_root() -> None:
    surroundings = environment(cgroup=9, cgroup_ancestors=(1, 5))
    found = [
        execute([mov(1, level), call(123), EXIT], surroundings=surroundings).value
        for level in (-1, 0, 1, 2, 3)
    ]
    assert found == [0, 1, 5, 9, 0]


def test_the_class_of_the_cgroup_is_there_whatever_the_argument() -> None:
    surroundings = environment(cgroup_class=0x10002)
    for code in ([call(17)], [mov(1, 5), call(17)]):
        assert execute([*code, EXIT], TestContext("msg_verdict"), surroundings=surroundings).value == 0x10002


def test_signals_are_noted() -> None:
    surroundings = environment()
    for helper, number, expected in ((109, 10, 0), (117, 12, 0), (109, 65, -22), (109, 0, 0)):
        code = [mov(1, number), call(helper), EXIT]
        assert execute(code, surroundings=surroundings).value == expected & M64
    assert surroundings.signals == [Signal(10, True), Signal(12, False), Signal(0, True)]
    first = environment(process=1)
    assert execute([mov(1, 9), call(109), EXIT], surroundings=first).value == -1 & M64


@pytest.mark.parametrize(("flags", "expected"), [(0, -2), (1, -22)])
def test_there_is_no_record_of_branches(flags: int, expected: int) -> None:
    code = [alu("mov", 1, src=10), alu("add", 1, imm=-24), mov(2, 24), mov(3, flags), call(176), EXIT]
    assert execute(code).value == expected & M64
