"""Maps whose values stand for something: maps, programs and perf events."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from skverdict.codegen.assembler import assemble
from skverdict.codegen.instruction import Instruction
from skverdict.codegen.object import MapSpec, Object
from skverdict.dsl.catalogue.maps import MAPS
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.machine.fault import Fault, LoadError
from skverdict.runtime.machine.load import load
from skverdict.runtime.machine.run import LoadedProgram
from skverdict.runtime.maps.base import Map, MapError
from skverdict.runtime.maps.create import create_map, create_maps
from skverdict.runtime.maps.map_of_maps import ArrayOfMaps, HashOfMaps, MapOfMaps
from skverdict.runtime.maps.perf_event_array import BUFFER_SIZE, PerfEvent, PerfEventArray, PerfRecord
from skverdict.runtime.maps.program_array import ProgramArray, insert_programs

from tests.runtime.machine_kit import (
    EXIT,
    M64,
    TestContext,
    alu,
    call,
    environment,
    execute,
    load_,
    loaded,
    mov,
    object_of,
    op,
    spec,
    store,
    wide,
)

LOOKUP, UPDATE, OUTPUT = 1, 2, 25
INNER_FLAG = 1 << 12


def answer(action: Callable[[], object]) -> Errno | None:
    """The errno of what `action` raises."""
    try:
        action()
    except KernelError as error:
        return error.number
    return None


def index(number: int) -> bytes:
    return number.to_bytes(4, "little")


def inner(kind: str = "hash", value: int = 8, entries: int = 4, flags: int = 0) -> MapSpec:
    return MapSpec("inner", MAPS[kind].map_type, 4, value, entries, flags)


def outer(kind: str = "array_of_maps", model: MapSpec | None = None) -> MapOfMaps:
    """A map of two maps like `model`, or like `inner()`."""
    made = create_map(MapSpec("outer", MAPS[kind].map_type, 4, 4, 2, inner=model or inner()))
    assert isinstance(made, MapOfMaps)
    return made


def maker(kind: str) -> type[ArrayOfMaps] | type[HashOfMaps]:
    return ArrayOfMaps if kind == "array_of_maps" else HashOfMaps


# Maps of maps


@pytest.mark.parametrize("kind", ["array_of_maps", "hash_of_maps"])
def test_user_space_puts_maps_in_and_reads_their_numbers(kind: str) -> None:
    tables = outer(kind)
    assert isinstance(tables, maker(kind))
    first, second = tables.make(), tables.make()
    tables.insert(index(1), first)
    tables.insert(index(1), second)
    assert tables.map_at(index(1)) is second
    assert first.number != second.number != 0
    assert tables.read(index(1)) == index(second.number)
    assert answer(lambda: tables.read(index(0))) is Errno.ENOENT
    assert answer(lambda: tables.update(index(1), index(1))) is Errno.EBADF
    tables.delete(index(1))
    assert tables.map_at(index(1)) is None
    assert answer(lambda: tables.delete(index(1))) is Errno.ENOENT


def test_an_array_of_maps_has_an_arrays_rules() -> None:
    tables = outer()
    map_ = tables.make()
    assert answer(lambda: tables.insert(index(2), map_)) is Errno.E2BIG
    assert answer(lambda: tables.insert(index(0), map_, 1)) is Errno.EINVAL
    assert answer(lambda: tables.delete(index(2))) is Errno.E2BIG
    tables.insert(index(1), map_)
    assert list(tables.keys()) == [index(0), index(1)]
    assert tables.lookup_batch(5).entries == [(index(1), index(map_.number))]


def test_a_hash_of_maps_has_a_hashs_rules() -> None:
    tables = outer("hash_of_maps")
    map_ = tables.make()
    assert answer(lambda: tables.insert(index(9), map_, 2)) is Errno.ENOENT
    tables.insert(index(9), map_, 1)
    assert answer(lambda: tables.insert(index(9), map_, 1)) is Errno.EEXIST
    tables.insert(index(7), map_)
    assert answer(lambda: tables.insert(index(5), map_)) is Errno.E2BIG
    assert list(tables.keys()) == [index(9), index(7)]


@pytest.mark.parametrize(
    ("model", "other", "fits"),
    [
        (inner(), inner(), True),
        (inner(), inner(entries=99), True),
        (inner(), inner(value=4), False),
        (inner(), inner(flags=1), False),
        (inner(), inner("array"), False),
        (inner("array"), inner("array", entries=5), False),
        (inner("array", flags=INNER_FLAG), inner("array", entries=5, flags=INNER_FLAG), True),
    ],
)
def test_maps_in_one_map_are_alike(model: MapSpec, other: MapSpec, fits: bool) -> None:
    tables = outer(model=model)
    assert answer(lambda: tables.insert(index(0), create_map(other))) is (None if fits else Errno.EINVAL)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (None, "map outer: it does not say what the maps in it are like"),
        (MapSpec("inner", MAPS["prog_array"].map_type, 4, 4, 1), "map outer: no prog_array can be in it"),
        (MapSpec("inner", MAPS["hash"].map_type, 0, 4, 1), "map inner: a hash has no key of 0 bytes"),
    ],
)
def test_what_no_map_of_maps_is_like(model: MapSpec | None, says: str) -> None:
    with pytest.raises(MapError, match=says):
        create_map(MapSpec("outer", MAPS["array_of_maps"].map_type, 4, 4, 1, inner=model))


#: r0 = what the map at index 1 of r1's has at key 7; 99 without a map, 98 without an entry.
TWO_LOOKUPS = [
    store(10, -4, 4, imm=1),
    store(10, -8, 4, imm=7),
    alu("mov", 2, src=10),
    alu("add", 2, imm=-4),
    call(LOOKUP),
    op("jump", "jne", dst=0, imm=0, offset=2, bits=64),
    mov(0, 99),
    EXIT,
    alu("mov", 1, src=0),
    alu("mov", 2, src=10),
    alu("add", 2, imm=-8),
    call(LOOKUP),
    op("jump", "jne", dst=0, imm=0, offset=2, bits=64),
    mov(0, 98),
    EXIT,
    load_(0, 0, 0, 8),
    EXIT,
]


@pytest.mark.parametrize("kind", ["array_of_maps", "hash_of_maps"])
def test_a_program_looks_up_in_a_map_that_it_looked_up(kind: str) -> None:
    tables = outer(kind)

    def run() -> int:
        return execute([wide(1, 0), *TWO_LOOKUPS], maps={"m": tables}, at={0: "m"}).value

    assert run() == 99
    map_ = tables.make()
    tables.insert(index(1), map_)
    assert run() == 98
    map_.update(index(7), b"\x2a" + bytes(7))
    assert run() == 42


def test_a_program_changes_no_map_of_maps() -> None:
    code = [wide(1, 0), *stack_key(), alu("mov", 3, src=2), mov(4, 0), call(UPDATE), EXIT]
    with pytest.raises(Fault, match="a map of kind array_of_maps is not for this helper"):
        execute(code, maps={"m": outer()}, at={0: "m"})


def stack_key() -> list[Instruction]:
    """r2 = a key of zeros on the stack."""
    return [store(10, -4, 4, imm=0), alu("mov", 2, src=10), alu("add", 2, imm=-4)]


OBJECT = """
map first hash key 4 value 8 max_entries 4 flags 0
map tables array_of_maps key 4 value 4 max_entries 4 flags 0
    inner hash key 4 value 8 max_entries 9 flags 0
    at 2 first
map jumps prog_array key 4 value 4 max_entries 2 flags 0
    at 1 two

program one sk_msg
    r0 = 1
    exit
program two sk_msg
    r0 = 2
    exit
"""


def programs(object_: Object, maps: dict[str, Map]) -> dict[str, LoadedProgram]:
    return {name: load(object_, name, maps, {}, environment()) for name in object_.programs}


def test_an_object_says_what_is_in_its_maps() -> None:
    object_ = assemble(OBJECT)
    maps = create_maps(object_)
    tables, jumps = maps["tables"], maps["jumps"]
    assert isinstance(tables, ArrayOfMaps)
    assert isinstance(jumps, ProgramArray)
    assert tables.map_at(index(2)) is maps["first"]
    ready = programs(object_, maps)
    insert_programs(maps, ready)
    assert jumps.program(1) is ready["two"]
    assert jumps.read(index(1)) == index(2)


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("at 2 first", "at 4 first", "map outer ends|ends before index 4"),
        ("at 2 first", "at 2 none", "it names map none, which there is not"),
        ("value 8 max_entries 9", "value 4 max_entries 9", "map first is not like the maps in tables"),
    ],
)
def test_values_that_cannot_be_in_a_map(before: str, after: str, says: str) -> None:
    with pytest.raises(MapError, match=says):
        create_maps(assemble(OBJECT.replace(before, after)))


# Programs


def test_an_array_of_programs_is_for_one_kind() -> None:
    jumps = ProgramArray(spec(value=4))
    message = loaded(object_of([mov(0, 1), EXIT], kind="msg_verdict"))
    jumps.insert(0, message)
    verdict = loaded(object_of([mov(0, 1), EXIT]))
    assert answer(lambda: jumps.insert(1, verdict)) is Errno.EINVAL
    jumps.delete(index(0))
    assert answer(lambda: jumps.insert(1, verdict)) is Errno.EINVAL
    assert answer(lambda: jumps.insert(9, message)) is Errno.E2BIG
    assert answer(lambda: jumps.insert(1, message, 1)) is Errno.EINVAL
    assert answer(lambda: jumps.read(index(0))) is Errno.ENOENT


def test_a_program_that_names_an_array_owns_it() -> None:
    jumps = ProgramArray(spec(value=4))
    code = [wide(2, 0), mov(3, 0), call(12), mov(0, 1), EXIT]
    loaded(object_of(code, maps={0: "m"}), {"m": jumps})
    assert jumps.owner == "stream_verdict"
    with pytest.raises(LoadError, match="names map m, which is for stream_verdict programs"):
        loaded(object_of(code, kind="msg_verdict", maps={0: "m"}), {"m": jumps})


def test_a_name_that_no_program_has() -> None:
    jumps = create_map(MapSpec("m", MAPS["prog_array"].map_type, 4, 4, 1, initial=((0, "gone"),)))
    with pytest.raises(MapError, match="it names program gone"):
        insert_programs({"m": jumps}, {})


# Perf events


def events(entries: int = 2, **opened: int) -> PerfEventArray:
    """An array of events; `opened` gives the CPU of the event at index `atN`."""
    made = PerfEventArray(spec(value=4, entries=entries))
    for where, cpu in opened.items():
        made.insert(int(where.removeprefix("at")), PerfEvent(cpu))
    return made


def output(
    array: PerfEventArray,
    flags: int,
    kind: str = "stream_verdict",
    packet: bytes = b"",
    cpu: int = 0,
    size: int = 8,
) -> int:
    """r0 of bpf_perf_event_output of `size` bytes that begin with 1."""
    code = [
        alu("mov", 6, src=1),
        store(10, -8, 8, imm=1),
        wide(2, 0),
        wide(3, flags),
        alu("mov", 4, src=10),
        alu("add", 4, imm=-8),
        mov(5, size),
        alu("mov", 1, src=6),
        call(OUTPUT),
        EXIT,
    ]
    context = TestContext(kind, packet)
    return execute(code, context, {"m": array}, environment(cpu=cpu), at={2: "m"}).value


CURRENT = 0xFFFFFFFF


def negative(number: int) -> int:
    return -number & M64


def test_records_go_to_the_event_of_the_cpu() -> None:
    array = events(at0=0, at1=1)
    assert output(array, CURRENT, cpu=1) == output(array, 0) == 0
    first, second = array.event(0), array.event(1)
    assert first is not None
    assert second is not None
    # Eight bytes and their count of four are padded to sixteen, and the padding is the reader's to see.
    assert first.consume() == [PerfRecord(0, b"\1" + bytes(11))]
    assert second.consume() == [PerfRecord(1, b"\1" + bytes(11))]
    assert first.consume() == []


def test_bytes_of_the_buffer_follow() -> None:
    array = events(at0=0)
    assert output(array, CURRENT | 3 << 32, packet=b"GET /", size=1) == 0
    event = array.event(0)
    assert event is not None
    assert event.consume()[0].content == b"\1GET"


@pytest.mark.parametrize(
    ("flags", "kind", "number"),
    [
        (1 << 52, "stream_verdict", Errno.EINVAL),
        (CURRENT | 6 << 32, "stream_verdict", Errno.EFAULT),
        (CURRENT | 1 << 32, "msg_verdict", Errno.EINVAL),
        (2, "stream_verdict", Errno.E2BIG),
        (1, "stream_verdict", Errno.ENOENT),
    ],
)
def test_refused_outputs(flags: int, kind: str, number: Errno) -> None:
    assert output(events(at0=0), flags, kind, b"12345") == negative(number)


def test_an_event_is_for_its_cpu() -> None:
    assert output(events(at0=1), 0) == negative(Errno.EOPNOTSUPP)


def test_a_full_buffer_loses_records_and_says_so() -> None:
    event = PerfEvent(0, size=64)
    for _ in range(2):
        event.put(bytes(12))
    assert answer(lambda: event.put(bytes(12))) is Errno.ENOSPC
    assert event.lost == 1
    assert len(event.consume()) == 2
    # The kernel's note of what was lost takes 24 bytes of the buffer.
    event.put(bytes(12))
    assert answer(lambda: event.put(bytes(4))) is Errno.ENOSPC
    assert len(event.consume()) == 1


def test_a_record_that_cannot_be_counted_is_a_fault() -> None:
    event = PerfEvent(0)
    event.put(bytes(65512))
    with pytest.raises(Exception, match="longer than the kernel can count"):
        event.put(bytes(65525))
    assert BUFFER_SIZE == 262144


def test_user_space_opens_and_closes_events() -> None:
    array = events()
    array.insert(1, PerfEvent(0))
    assert answer(lambda: array.insert(2, PerfEvent(0))) is Errno.E2BIG
    assert answer(lambda: array.insert(0, PerfEvent(0), 1)) is Errno.EINVAL
    assert answer(lambda: array.read(index(1))) is Errno.ENOTSUPP
    array.delete(index(1))
    assert answer(lambda: array.delete(index(1))) is Errno.ENOENT
    assert answer(lambda: array.delete(index(2))) is Errno.E2BIG
    assert answer(lambda: array.update(index(0), index(3))) is Errno.EBADF


def test_an_array_without_length_has_one_event_for_each_cpu() -> None:
    made = create_map(MapSpec("m", MAPS["perf_event_array"].map_type, 4, 4, 0), cpus=3)
    assert made.max_entries == 3
