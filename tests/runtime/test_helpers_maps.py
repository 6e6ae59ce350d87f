"""Helpers for maps and ring buffers, called by programs."""

from __future__ import annotations

import pytest
from skverdict.codegen.instruction import Instruction
from skverdict.runtime.machine.fault import Fault
from skverdict.runtime.maps.array import ArrayMap
from skverdict.runtime.maps.base import Map
from skverdict.runtime.maps.hash import HashMap, LruHashMap
from skverdict.runtime.maps.per_cpu import PerCpuArray, PerCpuHashMap
from skverdict.runtime.maps.queue import BloomFilterMap, QueueMap
from skverdict.runtime.maps.ring_buffer import RingBuffer

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
    spec,
    store,
    wide,
)

MAP = wide(1, 0)
AT_0 = {0: "m"}
LOOKUP, UPDATE, DELETE, PUSH, POP, PEEK, LOOKUP_PERCPU = 1, 2, 3, 87, 88, 89, 195
RESERVE, SUBMIT, DISCARD, QUERY, OUTPUT, FOR_EACH = 131, 132, 133, 134, 130, 164


def stack(dst: int, offset: int) -> list[Instruction]:
    return [alu("mov", dst, src=10), alu("add", dst, imm=offset)]


def entry(key: int, value: int = 0) -> list[Instruction]:
    """Key and value on the stack, r2 and r3 pointing to them."""
    return [store(10, -4, 4, imm=key), store(10, -16, 8, imm=value), *stack(2, -4), *stack(3, -16)]


def result(map_: Map, *instructions: Instruction, **surroundings: object) -> int:
    """r0 after `instructions`, which begin with r1 = the map."""
    code = [MAP, *instructions, EXIT]
    return execute(code, maps={"m": map_}, at=AT_0, surroundings=environment(**surroundings)).value


def negative(number: int) -> int:
    return -number & M64


def test_update_and_delete_give_the_kernels_answers() -> None:
    entries = HashMap(spec(entries=1))
    assert result(entries, *entry(1, 5), mov(4, 0), call(UPDATE)) == 0
    assert entries.read(b"\1\0\0\0") == b"\5" + bytes(7)
    assert result(entries, *entry(1, 5), mov(4, 1), call(UPDATE)) == negative(17)
    assert result(entries, *entry(2), mov(4, 0), call(UPDATE)) == negative(7)
    assert result(entries, *entry(1), call(DELETE)) == 0
    assert result(entries, *entry(1), call(DELETE)) == negative(2)
    assert result(ArrayMap(spec()), *entry(1), call(DELETE)) == negative(22)


@pytest.mark.parametrize(("kernel", "upper"), [("6.1", 0), ("6.12", 0xFFFFFFFF), ("7.2", 0xFFFFFFFF)])
def test_errors_of_map_helpers_are_32_bits_on_6_1(kernel: str, upper: int) -> None:
    """`map_stories.json` has it of kernels."""
    entries, values = HashMap(spec(entries=1)), QueueMap(spec(entries=1))
    for number, map_, instructions in (
        (2, entries, [*entry(1, 5), mov(4, 2), call(UPDATE)]),
        (2, entries, [*entry(1), call(DELETE)]),
        (2, values, [store(10, -8, 8, imm=0), *stack(2, -8), call(POP)]),
        (2, values, [store(10, -8, 8, imm=0), *stack(2, -8), call(PEEK)]),
        (22, values, [store(10, -8, 8, imm=0), *stack(2, -8), mov(3, 1), call(PUSH)]),
    ):
        assert result(map_, *instructions, kernel=kernel) == upper << 32 | -number & 0xFFFFFFFF
    ring = RingBuffer(spec(entries=4096))
    output = [store(10, -8, 8, imm=0), *stack(2, -8), mov(3, 8), mov(4, 9), call(OUTPUT)]
    assert result(ring, *output, kernel=kernel) == negative(22)


def test_a_programs_lookup_is_a_use_of_an_lru_entry() -> None:
    entries = LruHashMap(spec(entries=2))
    for number in (1, 2):
        entries.update(bytes([number, 0, 0, 0]), bytes(8))
    assert result(entries, *entry(1), call(LOOKUP)) != 0
    entries.update(b"\3\0\0\0", bytes(8))
    assert sorted(entries.keys()) == [b"\1\0\0\0", b"\3\0\0\0"]


@pytest.mark.parametrize("make", [PerCpuArray, PerCpuHashMap])
def test_a_program_works_with_its_cpus_value(make: type[PerCpuArray] | type[PerCpuHashMap]) -> None:
    values = make(spec(), "little", 2)
    assert result(values, *entry(1, 7), mov(4, 0), call(UPDATE), cpu=1) == 0
    assert values.read(b"\1\0\0\0") == bytes(8) + b"\7" + bytes(7)
    assert result(values, *entry(1), call(LOOKUP), load_(0, 0, 0, 8), cpu=1) == 7
    assert result(values, *entry(1), call(LOOKUP), load_(0, 0, 0, 8), cpu=0) == 0
    for cpu, expected in ((0, 0), (1, 7)):
        on = [*entry(1), mov(3, cpu), call(LOOKUP_PERCPU), load_(0, 0, 0, 8)]
        assert result(values, *on) == expected
    assert result(values, *entry(1), mov(3, 2), call(LOOKUP_PERCPU)) == 0


def test_queue_helpers() -> None:
    values = QueueMap(spec(key=0, entries=1))
    push = [store(10, -8, 8, imm=9), *stack(2, -8), mov(3, 0), call(PUSH)]
    assert result(values, *push) == 0
    assert result(values, *push) == negative(7)
    assert result(values, *stack(2, -8), call(PEEK), load_(0, 10, -8, 8)) == 9
    assert result(values, *stack(2, -8), call(POP), load_(0, 10, -8, 8)) == 9
    assert result(values, *stack(2, -8), call(POP)) == negative(2)
    assert result(values, *stack(2, -8), call(POP), load_(0, 10, -8, 8)) == 0


def test_a_bloom_filter_is_asked_by_peek() -> None:
    values = BloomFilterMap(spec(key=0))
    peek = [store(10, -8, 8, imm=9), *stack(2, -8), call(PEEK)]
    assert result(values, *peek) == negative(2)
    values.push(b"\x09" + bytes(7))
    assert result(values, *peek) == 0
    with pytest.raises(Fault, match="argument value: the stack at r10-8 was never written"):
        result(values, *stack(2, -8), call(PEEK))


def for_each(stop_at: int) -> list[Instruction]:
    """Add up values on the stack; the callback returns 1 at value `stop_at`. 1000 * visited + sum."""
    return [
        store(10, -8, 8, imm=0),
        op("constant", "function", dst=2, imm=9),
        *stack(3, -8),
        mov(4, 0),
        call(FOR_EACH),
        alu("mul", 0, imm=1000),
        load_(1, 10, -8, 8),
        alu("add", 0, src=1),
        EXIT,
        load_(5, 3, 0, 8),
        load_(1, 4, 0, 8),
        alu("add", 1, src=5),
        store(4, 0, 8, src=1),
        mov(0, 0),
        op("jump", "jne", dst=5, imm=stop_at, offset=1, bits=64),
        mov(0, 1),
    ]


def test_each_entry_is_visited() -> None:
    entries = HashMap(spec())
    for number in (1, 2, 3):
        entries.update(bytes([number, 0, 0, 0]), bytes([number * 10]) + bytes(7))
    assert result(entries, *for_each(99)) == 3060
    assert result(entries, *for_each(20)) == 2030
    assert result(ArrayMap(spec(entries=4)), *for_each(99)) == 4000


def record(*then: Instruction, size: int = 8) -> list[Instruction]:
    """Reserve a record into r6 and go on; without room, return 77."""
    return [
        mov(2, size),
        mov(3, 0),
        call(RESERVE),
        op("jump", "jne", dst=0, imm=0, offset=2, bits=64),
        mov(0, 77),
        EXIT,
        alu("mov", 6, src=0),
        *then,
    ]


FINISH = [alu("mov", 1, src=6), mov(2, 0)]


def ring() -> RingBuffer:
    return RingBuffer(spec(key=0, value=0, entries=4096))


def test_a_record_is_filled_and_submitted() -> None:
    records = ring()
    assert result(records, *record(store(6, 0, 8, imm=5), *FINISH, call(SUBMIT), mov(0, 0))) == 0
    assert result(records, *record(*FINISH, call(DISCARD), mov(0, 0))) == 0
    output = [store(10, -4, 4, imm=6), *stack(2, -4), mov(3, 4), mov(4, 0), call(OUTPUT)]
    assert result(records, *output) == 0
    assert result(records, mov(2, 0), call(QUERY)) == 16 + 16 + 16
    assert records.consume() == [b"\5" + bytes(7), b"\6" + bytes(3)]
    assert [result(records, mov(2, what), call(QUERY)) for what in range(5)] == [0, 4096, 48, 48, 0]


def test_no_room_is_null_and_so_are_flags() -> None:
    assert result(ring(), *record(size=4096)) == 77
    assert result(ring(), mov(2, 8), mov(3, 1), call(RESERVE)) == 0


@pytest.mark.parametrize(
    ("misuse", "reason"),
    [
        ([mov(0, 0)], "the program exits without releasing what bpf_ringbuf_reserve gave at instruction 4"),
        ([store(6, 8, 1, imm=0)], "a ring buffer's record has 8 bytes; bytes 8..8 are outside"),
        (
            [*FINISH, call(SUBMIT), store(6, 0, 8, imm=0)],
            "a ring buffer's record is no longer there: it was submitted",
        ),
        (
            [*FINISH, call(DISCARD), *FINISH, call(SUBMIT)],
            "bpf_ringbuf_submit, argument data: a ring buffer's record is no longer there: it was discarded",
        ),
        (
            [*FINISH, alu("add", 1, imm=4), call(SUBMIT)],
            "bpf_ringbuf_submit, argument data: is not the beginning of a record of a ring buffer",
        ),
    ],
)
def test_misuse_of_a_record_is_a_fault(misuse: list[Instruction], reason: str) -> None:
    with pytest.raises(Fault) as caught:
        result(ring(), *record(*misuse))
    assert caught.value.reason == reason
