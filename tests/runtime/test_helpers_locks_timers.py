"""Spin locks and timers in map values: what programs may do with them, and what time makes of timers."""

from __future__ import annotations

import pytest
from skverdict.codegen.instruction import Instruction
from skverdict.runtime.machine.environment import Environment
from skverdict.runtime.machine.fault import Fault
from skverdict.runtime.machine.timers import elapse
from skverdict.runtime.maps.base import Map

from tests.runtime.machine_kit import (
    EXIT,
    M64,
    alu,
    call,
    environment,
    execute,
    load_,
    mov,
    op,
    store,
    wide,
)
from tests.runtime.special_values import LOCKED, TIMED, made

LOOKUP, UPDATE, DELETE = 1, 2, 3
LOCK, UNLOCK = 93, 94
INIT, SET_CALLBACK, START, CANCEL = 169, 170, 171, 172
MONOTONIC, REALTIME, BOOTTIME = 1, 0, 7
ABSOLUTE = 1


def at(register: int, offset: int) -> list[Instruction]:
    """r1 = the address `offset` bytes behind `register`."""
    return [alu("mov", 1, src=register), alu("add", 1, imm=offset)]


def entry(key: int = 0) -> list[Instruction]:
    """r6 = the value at `key`, which is there."""
    return [
        store(10, -4, 4, imm=key),
        alu("mov", 2, src=10),
        alu("add", 2, imm=-4),
        wide(1, 0),
        call(LOOKUP),
        alu("mov", 6, src=0),
    ]


#: The slot of the map's address in `entry`.
MAP_AT = {3: "m"}


def result(map_: Map, *instructions: Instruction, surroundings: Environment | None = None) -> int:
    """r0 after `instructions`, with r6 pointing to the value at key 0."""
    code = [*entry(), *instructions, EXIT]
    return execute(code, maps={"m": map_}, at=MAP_AT, surroundings=surroundings).value


def reason(map_: Map, *instructions: Instruction, **settings: object) -> str:
    with pytest.raises(Fault) as caught:
        result(map_, *instructions, surroundings=environment(**settings))
    return caught.value.reason


def negative(number: int) -> int:
    return -number & M64


# Locks

LOCKING = [*at(6, 4), call(LOCK)]
UNLOCKING = [*at(6, 4), call(UNLOCK)]


def test_a_value_changes_under_its_lock() -> None:
    map_ = made("array", LOCKED)
    change = [load_(1, 6, 0, 4), alu("add", 1, imm=5), store(6, 0, 4, src=1)]
    assert result(map_, *LOCKING, *change, *UNLOCKING, load_(0, 6, 0, 4)) == 5
    assert result(map_, *LOCKING, *UNLOCKING, *LOCKING, *UNLOCKING, mov(0, 1)) == 1


@pytest.mark.parametrize(
    ("misuse", "says"),
    [
        ([*LOCKING, mov(0, 0)], "the program exits holding the spin lock of a value of m"),
        ([*LOCKING, *LOCKING], "a program may hold one spin lock at a time, and it holds one"),
        (UNLOCKING, "the program holds no spin lock"),
        ([*LOCKING, call(5)], "bpf_ktime_get_ns is called while a spin lock is held"),
        ([*LOCKING, load_(0, 6, 4, 4)], "a value of map m has a bpf_spin_lock in bytes 4..7, which only"),
        ([*LOCKING, store(6, 0, 8, imm=0)], "a value of map m has a bpf_spin_lock in bytes 4..7, which only"),
        ([*at(6, 0), call(LOCK)], "bpf_spin_lock, argument lock: is not the bpf_spin_lock of a map's value"),
        ([*at(10, -8), call(LOCK)], "bpf_spin_lock, argument lock: is not the bpf_spin_lock of a map's"),
    ],
)
def test_misuse_of_a_lock_is_a_fault(misuse: list[Instruction], says: str) -> None:
    assert reason(made("array", LOCKED), *misuse).startswith(says)


def test_the_lock_of_another_value_is_another_lock() -> None:
    map_ = made("array", LOCKED)
    code = [alu("mov", 7, src=6), *entry(1), *at(7, 4), call(LOCK), *UNLOCKING]
    with pytest.raises(Fault, match="the program holds another spin lock"):
        execute([*entry(), *code, EXIT], maps={"m": map_}, at={3: "m", 11: "m"})


def test_calls_under_a_lock_are_for_newer_kernels() -> None:
    map_ = made("array", LOCKED)
    code = [*LOCKING, op("call", "local", imm=5), *UNLOCKING, mov(0, 3), EXIT, mov(0, 0)]
    assert result(map_, *code) == 3
    assert reason(map_, *code, kernel="6.1") == "Linux 6.1 allows no calls while a spin lock is held"


# Timers

TIMER = 8


def timer(helper: int, *arguments: int, map_: bool = False) -> list[Instruction]:
    """Call a timer helper on the timer of r6's value; `map_`: r2 is the map's address, in r7."""
    code = [*at(6, TIMER)]
    if map_:
        code.append(alu("mov", 2, src=7))
    first = 3 if map_ else 2
    return [*code, *(mov(first + number, value) for number, value in enumerate(arguments)), call(helper)]


#: r7 = the map, then what `entry` does.
MAP_TOO = [wide(1, 0), alu("mov", 7, src=1), *entry()]
MAPS_AT = {0: "m", 6: "m"}

#: The callback counts in the first word of the value, adds the key, and returns 0.
CALLBACK = [
    load_(1, 3, 0, 8),
    alu("add", 1, imm=100),
    load_(2, 2, 0, 4),
    alu("add", 1, src=2),
    store(3, 0, 8, src=1),
    mov(0, 0),
    EXIT,
]


def program(
    map_: Map,
    *steps: Instruction,
    surroundings: Environment,
    key: int = 0,
    callback: list[Instruction] = CALLBACK,
) -> int:
    """r0 after `steps` on the value at `key`. The callback stands behind them; TO_CALLBACK leads there."""
    code = [store(10, -4, 4, imm=key) if each == FIRST_KEY else each for each in (*MAP_TOO, *steps, EXIT)]
    slot = sum(instruction.slots for instruction in code)
    linked: list[Instruction] = []
    for instruction in code:
        place = sum(before.slots for before in linked)
        aimed = instruction._replace(imm=slot - place - 1)
        linked.append(aimed if instruction == TO_CALLBACK else instruction)
    return execute([*linked, *callback], maps={"m": map_}, at=MAPS_AT, surroundings=surroundings).value


FIRST_KEY = store(10, -4, 4, imm=0)
TO_CALLBACK = op("constant", "function", dst=2, imm=1)
INITIALISE = timer(INIT, MONOTONIC, map_=True)
SET = [*at(6, TIMER), TO_CALLBACK, call(SET_CALLBACK)]


def armed(
    map_: Map,
    surroundings: Environment,
    nanoseconds: int = 500,
    flags: int = 0,
    key: int = 0,
    callback: list[Instruction] = CALLBACK,
) -> int:
    steps = [*INITIALISE, *SET, *timer(START, nanoseconds, flags)]
    return program(map_, *steps, surroundings=surroundings, key=key, callback=callback)


@pytest.mark.parametrize("kind", ["array", "hash", "lru_hash"])
def test_a_callback_runs_when_its_time_has_come(kind: str) -> None:
    map_, surroundings = made(kind, TIMED), environment(clock_ns=1000)
    if kind != "array":
        map_.update(bytes(4), bytes(24))
    assert armed(map_, surroundings) == 0
    assert elapse(surroundings, 1499) == []
    assert map_.read(bytes(4)) == bytes(24)
    (expiry,) = elapse(surroundings, 2000)
    assert (expiry.timer.map, expiry.result.value) == (map_, 0)
    assert map_.read(bytes(4))[:8] == (100).to_bytes(8, "little")
    assert surroundings.clock_ns == 2000
    assert elapse(surroundings, 5000) == []


def test_a_callback_sees_the_time_that_it_was_armed_for() -> None:
    map_, surroundings = made("array", TIMED), environment(clock_ns=1000)
    now = [alu("mov", 6, src=3), call(5), store(6, 0, 8, src=0), mov(0, 0), EXIT]
    armed(map_, surroundings, 70, callback=now)
    elapse(surroundings, 9000)
    assert map_.read(bytes(4))[:8] == (1070).to_bytes(8, "little")


@pytest.mark.parametrize(
    ("steps", "number"),
    [
        (timer(INIT, 2, map_=True), 22),
        (timer(INIT, 16, map_=True), 22),
        ([*INITIALISE, *INITIALISE], 16),
        (SET, 22),
        (timer(START, 5, 0), 22),
        (timer(CANCEL), 22),
        ([*INITIALISE, *timer(START, 5, 0)], 22),
        ([*INITIALISE, *SET, *timer(START, 5, 4)], 22),
    ],
)
def test_refusals_have_the_kernels_errno(steps: list[Instruction], number: int) -> None:
    assert program(made("array", TIMED), *steps, surroundings=environment()) == negative(number)


def test_absolute_times_are_for_newer_kernels() -> None:
    for kernel, expected in (("6.1", negative(22)), ("6.12", 0)):
        assert armed(made("array", TIMED), environment(kernel=kernel), flags=ABSOLUTE) == expected


@pytest.mark.parametrize(("clock", "offset"), [(MONOTONIC, 0), (BOOTTIME, 0), (REALTIME, 1_000_000)])
def test_an_absolute_time_is_one_of_the_timers_clock(clock: int, offset: int) -> None:
    map_, surroundings = made("array", TIMED), environment(clock_ns=1000, wall_clock_offset_ns=1_000_000)
    start = timer(START, offset + 3000, ABSOLUTE)
    assert program(map_, *timer(INIT, clock, map_=True), *SET, *start, surroundings=surroundings) == 0
    assert elapse(surroundings, 2999) == []
    assert len(elapse(surroundings, 3000)) == 1


def test_a_cancelled_timer_does_not_run_and_needs_its_callback_again() -> None:
    map_, surroundings = made("array", TIMED), environment()
    armed(map_, surroundings)
    assert program(map_, *timer(CANCEL), surroundings=surroundings) == 1
    assert elapse(surroundings, surroundings.clock_ns + 1000) == []
    assert program(map_, *timer(CANCEL), surroundings=surroundings) == 0
    assert program(map_, *timer(START, 5, 0), surroundings=surroundings) == negative(22)


@pytest.mark.parametrize("kind", ["array", "hash"])
def test_an_update_stops_the_timer_of_an_entry(kind: str) -> None:
    map_, surroundings = made(kind, TIMED), environment()
    map_.update(bytes(4), bytes(24))
    armed(map_, surroundings)
    map_.update(bytes(4), bytes(24))
    assert elapse(surroundings, surroundings.clock_ns + 1000) == []
    assert armed(map_, surroundings) == 0


def test_so_does_a_delete() -> None:
    map_, surroundings = made("hash", TIMED), environment()
    map_.update(bytes(4), bytes(24))
    armed(map_, surroundings)
    map_.delete(bytes(4))
    assert elapse(surroundings, surroundings.clock_ns + 1000) == []


def test_timers_run_in_the_order_of_their_times() -> None:
    map_, surroundings = made("array", TIMED), environment(clock_ns=0)
    for key, due in ((0, 300), (1, 100), (2, 300)):
        armed(map_, surroundings, due, key=key)
    ran = [expiry.timer.map.key_of(expiry.timer.memory)[0] for expiry in elapse(surroundings, 1000)]
    assert ran == [1, 0, 2]


def test_a_callback_cannot_cancel_its_own_timer_but_arm_it_again() -> None:
    map_, surroundings = made("array", TIMED), environment(clock_ns=0)
    again = [alu("mov", 6, src=3), *timer(CANCEL), store(6, 0, 8, src=0), *timer(START, 10, 0)]
    armed(map_, surroundings, 10, callback=[*again, mov(0, 0), EXIT])
    assert len(elapse(surroundings, 35)) == 3
    assert map_.read(bytes(4))[:8] == negative(35).to_bytes(8, "little")


def test_the_map_given_must_be_the_timers_own() -> None:
    other = made("array", TIMED)
    code = [*MAP_TOO, *INITIALISE, EXIT]
    maps = {"m": made("array", TIMED), "other": other}
    with pytest.raises(Fault, match="the timer is in map m, and the map given is m"):
        execute(code, maps=maps, at={0: "other", 6: "m"})
