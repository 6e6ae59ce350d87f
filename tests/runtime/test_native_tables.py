"""Maps as native code looks them up by itself: it finds what the interpreter would, and asks Python once for each."""

from __future__ import annotations

import pytest
from skverdict.codegen.assembler import assemble
from skverdict.runtime.machine.environment import Environment
from skverdict.runtime.machine.fault import Fault
from skverdict.runtime.machine.load import load
from skverdict.runtime.machine.run import LoadedProgram, Result, run
from skverdict.runtime.maps.array import ArrayMap
from skverdict.runtime.maps.base import Map
from skverdict.runtime.maps.hash import HashMap, LruHashMap
from skverdict.runtime.maps.per_cpu import LruPerCpuHashMap, PerCpuArray, PerCpuHashMap
from skverdict.runtime.native import engine, entries
from skverdict.runtime.native.native_code import NativeCode
from skverdict.runtime.native.tables import LONGEST_KEY, table

from tests.runtime.machine_kit import TestContext, environment, spec

pytestmark = pytest.mark.usefixtures("own_cache")


class World:
    """A program that looks up what it is told, with its map."""

    def __init__(self, map_: Map, body: str, cpu: int = 0) -> None:
        kind, key, value = map_.kind, map_.key_size, map_.value_size
        head = f'license "GPL"\nmap m {kind} key {key} value {value} max_entries {map_.max_entries} flags 0\n'
        object_ = assemble(f"{head}program main sk_skb/stream_verdict\n{body}")
        self.map = map_
        self.environment: Environment = environment(cpu=cpu)
        self.program: LoadedProgram = load(object_, "main", {"m": map_}, {}, self.environment)
        self.code: NativeCode = engine.compile_program(
            self.program, "__sk_buff", {"m": map_}, {}, self.environment
        )

    def native(self, number: int = 0) -> Result:
        return engine.run(self.code, TestContext(len=number), self.environment)

    def interpreted(self, number: int = 0) -> Result:
        return run(self.program, TestContext(len=number), self.environment)


_LEN = 0
#: Looks up the length in the low bytes of a key; the value's first byte, or 1000.
_FIND = f"""
    r1 = *(u32 *)(r1 + {_LEN})
    *(u64 *)(r10 - 8) = 0
    *(u32 *)(r10 - 8) = r1
    r1 = map[m] ll
    r2 = r10
    r2 += -8
    call bpf_map_lookup_elem
    if r0 == 0 goto none
    r0 = *(u8 *)(r0 + 0)
    exit
none:
    r0 = 1000
    exit
"""


def _key(number: int, size: int = 8) -> bytes:
    return number.to_bytes(size, "little")


def _value(number: int) -> bytes:
    return bytes([number] * 8)


@pytest.mark.parametrize("kind", [HashMap, LruHashMap])
def test_a_hash_is_asked_once_for_each_key_and_known_from_then_on(kind: type[HashMap], asked: list[int]) -> None:
    world = World(kind(spec("m", 8, 8, 4)), _FIND)
    world.map.write(_key(1), _value(11))
    assert [world.native(number).value for number in (1, 2, 1, 2)] == [11, 1000, 11, 1000]
    assert len(asked) == 2
    world.map.write(_key(1), _value(12))
    world.map.write(_key(2), _value(22))
    assert [world.native(number).value for number in (1, 2)] == [12, 22]
    world.map.remove(_key(2))
    assert [world.native(number).value for number in (1, 2)] == [12, 1000]
    assert len(asked) == 2
    found, expected = world.native(1), world.interpreted(1)
    assert found[:2] == expected[:2]
    assert list(found.calls) == list(expected.calls)


def test_a_value_that_is_replaced_in_a_run_gets_another_address_and_keeps_its_bytes_for_who_holds_it() -> None:
    body = """
        *(u64 *)(r10 - 8) = 1
        *(u64 *)(r10 - 16) = 77
        r1 = map[m] ll
        r2 = r10
        r2 += -8
        call bpf_map_lookup_elem
        if r0 == 0 goto none
        r6 = r0
        r1 = map[m] ll
        r2 = r10
        r2 += -8
        r3 = r10
        r3 += -16
        r4 = 0
        call bpf_map_update_elem
        r1 = map[m] ll
        r2 = r10
        r2 += -8
        call bpf_map_lookup_elem
        if r0 == 0 goto none
        r7 = *(u64 *)(r0 + 0)
        r1 = *(u64 *)(r6 + 0)
        r7 <<= 8
        r7 += r1
        r0 -= r6
        r0 <<= 16
        r0 += r7
        exit
    none:
        r0 = 0
        exit
    """
    results = []
    for native in (False, True, True):
        world = World(HashMap(spec("m", 8, 8, 4)), body)
        world.map.write(_key(1), bytes(8))
        runs = [world.native() if native else world.interpreted() for _ in range(3)]
        results.append([(done.value, done.instructions, [call.result for call in done.calls]) for done in runs])
    assert results[0] == results[1] == results[2]
    assert [value & 0xFFFF for value, *_ in results[0]] == [77 << 8, 77 << 8 | 77, 77 << 8 | 77]


def test_a_lookup_counts_as_use_of_an_entry_that_may_be_dropped(asked: list[int]) -> None:
    world = World(LruHashMap(spec("m", 8, 8, 2)), _FIND)
    world.map.write(_key(1), _value(1))
    world.map.write(_key(2), _value(2))
    assert [world.native(number).value for number in (1, 2)] == [1, 2]
    before = len(asked)
    outcomes = engine.run_batch(world.code, [TestContext(len=number) for number in (2, 1)], world.environment)
    assert [done.value for done in outcomes if isinstance(done, Result)] == [2, 1]
    assert len(asked) == before
    world.map.write(_key(3), _value(3))
    assert [*world.map.walk()] == [_key(1), _key(3)]
    assert [world.native(number).value for number in (1, 2, 3)] == [1, 1000, 3]


_UPDATE = """
    *(u64 *)(r10 - 8) = 1
    r1 = map[m] ll
    r2 = r10
    r2 += -8
    r3 = r2
    r4 = 0
    call bpf_map_update_elem
    exit
"""


def test_a_cpu_that_an_lru_hash_was_not_made_for_is_a_fault() -> None:
    world = World(LruHashMap(spec("m", 8, 8, 2), cpus=2), _UPDATE, cpu=2)
    for execute in (world.native, world.interpreted):
        with pytest.raises(Fault, match="the program runs on CPU 2, and map m is for 2"):
            execute()


_EACH = _FIND.replace("*(u64 *)(r10 - 8) = 0\n", "")


def test_each_cpu_finds_its_own_value(asked: list[int]) -> None:
    world = World(PerCpuArray(spec("m", 4, 8, 2), cpus=2), _EACH)
    world.map.update(_key(1, 4), _value(5) + _value(6))
    for cpu, expected in ((0, 5), (1, 6), (0, 5)):
        world.environment.cpu = cpu
        assert [world.native(1).value for _ in range(3)] == [expected] * 3
    assert len(asked) == 3
    world.environment.cpu = 2
    for number in (1, 7):
        for execute in (world.native, world.interpreted):
            with pytest.raises(Fault, match="the program runs on CPU 2, and map m is for 2"):
                execute(number)


@pytest.mark.parametrize("kind", [PerCpuHashMap, LruPerCpuHashMap])
def test_each_cpu_finds_its_own_value_of_a_key_for_as_long_as_that_is_there(
    kind: type[PerCpuHashMap], asked: list[int]
) -> None:
    world = World(kind(spec("m", 8, 8, 2), cpus=2), _FIND)
    world.map.write(_key(1), _value(5) + _value(6))
    for cpu, expected in ((0, 5), (1, 6), (0, 5)):
        world.environment.cpu = cpu
        assert [world.native(1).value for _ in range(3)] == [expected] * 3
        assert [world.native(2).value for _ in range(3)] == [1000] * 3
    assert len(asked) == 6
    world.map.write(_key(2), _value(7) + _value(8))
    world.map.remove(_key(1))
    assert [world.native(number).value for number in (1, 2)] == [1000, 7]
    assert len(asked) == 6
    world.environment.cpu = 2
    for execute in (world.native, world.interpreted):
        with pytest.raises(Fault, match="the program runs on CPU 2, and map m is for 2"):
            execute(2)


def test_a_key_that_had_to_make_room_is_gone_on_every_cpu(asked: list[int]) -> None:
    world = World(LruPerCpuHashMap(spec("m", 8, 8, 2), cpus=2), _FIND)
    for number in (1, 2):
        world.map.write(_key(number), _value(number) * 2)
    assert [world.native(number).value for number in (1, 2, 1)] == [1, 2, 1]
    world.map.write(_key(3), _value(3) * 2)
    assert [world.native(number).value for number in (1, 2)] == [1, 1000]
    assert sorted(world.map.walk()) == [_key(1), _key(3)]
    assert len(asked) == 2


def test_calls_tell_the_keys_that_they_were_made_with_however_many_follow() -> None:
    keys = 1 << entries.hashed_bits(4)
    world = World(HashMap(spec("m", 8, 8, 4)), _FIND)
    world.native(5)
    first = world.native(5)
    for number in range(keys):
        world.native(number)
    assert first.calls[0].arguments[1] == _key(5)
    assert world.native(keys - 1).calls[0].arguments[1] == _key(keys - 1)


@pytest.mark.parametrize("size", [*range(1, 18), 31, LONGEST_KEY, LONGEST_KEY + 1])
def test_keys_of_every_size_are_told_apart_by_each_byte(size: int, asked: list[int]) -> None:
    words = "\n".join(f"*(u64 *)(r10 - {at}) = 0" for at in range(8, 88, 8))
    bytes_ = "\n".join(f"*(u8 *)(r10 - {size - at}) = {at}" for at in range(size))
    body = f"""
        r6 = r1
        {words}
        {bytes_}
        r2 = r10
        r1 = *(u32 *)(r6 + {_LEN})
        r2 -= {size}
        r1 &= 127
        r3 = r2
        if r1 >= {size} goto same
        r3 += r1
        r1 = *(u8 *)(r3 + 0)
        r1 ^= 128
        *(u8 *)(r3 + 0) = r1
    same:
        r1 = map[m] ll
        call bpf_map_lookup_elem
        if r0 == 0 goto none
        r0 = 1
        exit
    none:
        r0 = 0
        exit
    """
    world = World(HashMap(spec("m", size, 8, 4)), body)
    world.map.write(bytes(range(size)), _value(1))
    for _ in range(2):
        assert [world.native(number).value for number in range(size + 1)] == [*[0] * size, 1]
    assert len(asked) == (size + 1) * (2 if size > LONGEST_KEY else 1)


def test_a_key_of_which_a_part_was_never_written_is_a_fault() -> None:
    world = World(HashMap(spec("m", 8, 8, 4)), _FIND.replace("*(u64 *)(r10 - 8) = 0\n", ""))
    for execute in (world.native, world.interpreted):
        with pytest.raises(Fault, match="argument key: the stack at r10-4 was never written"):
            execute()


def test_a_table_that_is_gone_is_told_of_nothing() -> None:
    map_ = HashMap(spec("m", 8, 8, 4))
    seen = table(map_)
    seen.found(_key(1), 1, 0)
    del seen
    map_.write(_key(1), _value(1))
    assert map_.lookup(_key(1)) == _value(1)


def test_an_array_gives_zero_behind_its_end() -> None:
    world = World(ArrayMap(spec("m", 4, 8, 2)), _EACH)
    for number in (0, 1, 2, 0xFFFFFFFF):
        assert world.native(number)[:2] == world.interpreted(number)[:2]
