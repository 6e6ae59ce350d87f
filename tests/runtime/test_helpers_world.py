"""What programs learn of time, chance and process is what the environment says."""

from __future__ import annotations

from random import Random

import pytest

from tests.runtime.machine_kit import EXIT, TestContext, alu, call, environment, execute, load_, mov

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
