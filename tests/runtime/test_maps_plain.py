"""Maps against a model, with the kernel's errno for each refusal."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from skverdict.codegen.object import MapSpec
from skverdict.dsl.catalogue.maps import MAPS
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.maps.array import ArrayMap
from skverdict.runtime.maps.base import BPF_ANY, BPF_EXIST, BPF_NOEXIST, Map, MapError
from skverdict.runtime.maps.create import create_map
from skverdict.runtime.maps.hash import BPF_F_NO_COMMON_LRU, HashMap, LruHashMap
from skverdict.runtime.maps.lpm_trie import LpmTrie
from skverdict.runtime.maps.per_cpu import LruPerCpuHashMap, PerCpuArray, PerCpuHashMap
from skverdict.runtime.maps.queue import BloomFilterMap, QueueMap, StackMap
from skverdict.runtime.maps.ring_buffer import RingBuffer, State

from tests.runtime.machine_kit import spec

KEYS = st.integers(0, 5)
FLAGS = st.integers(0, 9)
VALUES = st.binary(min_size=8, max_size=8)


def key(number: int) -> bytes:
    return struct.pack("<I", number)


def answer(action: Callable[[], object]) -> Errno | None:
    """The errno of what `action` raises."""
    try:
        action()
    except KernelError as error:
        return error.number
    return None


OPERATIONS = st.lists(
    st.one_of(st.tuples(st.just("update"), KEYS, VALUES, FLAGS), st.tuples(st.just("delete"), KEYS)),
    max_size=30,
)


@given(operations=OPERATIONS)
def test_hash(operations: list[tuple[object, ...]]) -> None:
    entries, model = HashMap(spec(entries=3)), dict[bytes, bytes]()
    for name, *arguments in operations:
        where = key(arguments[0])  # type: ignore[arg-type]
        if name == "delete":
            expected = None if model.pop(where, None) is not None else Errno.ENOENT
            assert answer(lambda where=where: entries.delete(where)) == expected  # type: ignore[misc]
            continue
        value, flags = bytes(arguments[1]), int(arguments[2])  # type: ignore[call-overload]
        expected = None
        if flags not in (BPF_ANY, BPF_NOEXIST, BPF_EXIST):
            expected = Errno.EINVAL
        elif where in model and flags == BPF_NOEXIST:
            expected = Errno.EEXIST
        elif where not in model and flags == BPF_EXIST:
            expected = Errno.ENOENT
        elif where not in model and len(model) == 3:
            expected = Errno.E2BIG
        else:
            model[where] = value
        assert answer(lambda: entries.update(where, value, flags)) == expected  # noqa: B023
    assert {found: entries.read(found) for found in entries.keys()} == model  # noqa: SIM118
    assert sorted(walk(entries)) == sorted(model)


def walk(map_: Map) -> list[bytes]:
    """All keys, one next-key after the other."""
    found: list[bytes] = []
    try:
        while True:
            found.append(map_.next_key(found[-1] if found else None))
    except KernelError as error:
        assert error.number is Errno.ENOENT
    return found


@given(index=st.integers(0, 6), flags=FLAGS, value=VALUES)
def test_array(index: int, flags: int, value: bytes) -> None:
    values = ArrayMap(spec(entries=4))
    expected = None
    if flags & ~4 > BPF_EXIST:
        expected = Errno.EINVAL
    elif index >= 4:
        expected = Errno.E2BIG
    elif flags & BPF_NOEXIST:
        expected = Errno.EEXIST
    elif flags & 4:
        expected = Errno.EINVAL
    assert answer(lambda: values.write(key(index), value, flags)) == expected
    assert answer(lambda: values.delete(key(index))) is Errno.EINVAL
    assert answer(lambda: values.read(key(index))) is (Errno.ENOENT if index >= 4 else None)
    if index < 4:
        assert values.read(key(index)) == (bytes(8) if expected else value)
    assert walk(values) == [key(number) for number in range(4)]
    assert values.next_key(key(99)) == key(0)


def test_an_array_on_a_big_endian_machine_counts_in_its_order() -> None:
    values = ArrayMap(spec(), "big")
    values.update(b"\0\0\0\1", bytes(8))
    assert answer(lambda: values.update(b"\1\0\0\0", bytes(8))) is Errno.E2BIG
    assert walk(values)[1] == b"\0\0\0\1"


def test_memory_of_a_hash_is_new_with_each_update_and_an_arrays_is_not() -> None:
    entries, values = HashMap(spec()), ArrayMap(spec())
    for map_ in (entries, values):
        map_.update(key(0), b"\1" * 8)
    old = [map_.lookup(key(0)) for map_ in (entries, values)]
    for map_ in (entries, values):
        map_.update(key(0), b"\2" * 8)
    assert old == [b"\1" * 8, b"\2" * 8]


def lru(entries: int, kernel: str = "7.2", cpus: int = 1, flags: int = 0) -> LruHashMap:
    """An LRU hash that has the keys from 0 on, and is full."""
    made = LruHashMap(spec(entries=entries, flags=flags), cpus=cpus, kernel=kernel)
    for number in range(entries):
        made.update(key(number), bytes(8))
    return made


def present(map_: LruHashMap) -> list[int]:
    return sorted(int.from_bytes(each, "little") for each in map_.keys())  # noqa: SIM118


@pytest.mark.parametrize(
    ("kernel", "left"), [("6.1", [1, 3, 8]), ("6.12", [1, 3, 6, 7, 8]), ("7.2", [1, 3, 6, 7, 8])]
)
def test_a_full_lru_forgets_many_that_were_not_used(kernel: str, left: list[int]) -> None:
    entries = lru(8, kernel)
    for number in (1, 3):
        entries.used(key(number))
    entries.read(key(0))
    entries.update(key(8), bytes(8))
    assert present(entries) == left


def test_an_lru_needs_room_for_an_update_of_what_is_there_and_for_one_that_it_refuses() -> None:
    entries = lru(2)
    entries.update(key(1), b"changed.")
    assert present(entries) == [1]
    entries = lru(2)
    assert answer(lambda: entries.update(key(1), bytes(8), BPF_NOEXIST)) is Errno.EEXIST
    assert present(entries) == [1]
    entries = lru(2)
    assert answer(lambda: entries.update(key(0), bytes(8), BPF_EXIST)) is Errno.ENOENT


def test_each_cpu_has_entries_of_its_own_to_forget() -> None:
    entries = lru(5, cpus=2, flags=BPF_F_NO_COMMON_LRU)
    assert (entries.max_entries, present(entries)) == (6, [3, 4])
    assert len(present(lru(5, cpus=2))) == 5


@pytest.mark.parametrize("make", [PerCpuArray, PerCpuHashMap, LruPerCpuHashMap])
def test_each_cpu_has_its_value(make: type[PerCpuArray] | type[PerCpuHashMap]) -> None:
    values = make(spec(value=4), "little", 3)
    values.update(key(1), b"aaaa----bbbb----cccc----")
    assert values.read(key(1)) == b"aaaa\0\0\0\0bbbb\0\0\0\0cccc\0\0\0\0"
    assert values.values(key(1)) == [b"aaaa", b"bbbb", b"cccc"]
    memory = values.values(key(1))
    values.update(key(1), b"dddd----eeee----ffff----")
    assert memory == [b"dddd", b"eeee", b"ffff"]
    assert answer(lambda: values.update(key(1), bytes(24), BPF_NOEXIST)) is Errno.EEXIST


def test_a_per_cpu_hash_has_no_more_entries_than_it_may() -> None:
    values = PerCpuHashMap(spec(value=8, entries=1), "little", 2)
    values.update(key(1), bytes(16))
    assert answer(lambda: values.update(key(2), bytes(16))) is Errno.E2BIG
    values.delete(key(1))
    assert answer(lambda: values.read(key(1))) is Errno.ENOENT
    values.update(key(2), bytes(16))
    assert list(values.keys()) == [key(2)]


@given(pushes=st.lists(st.tuples(VALUES, FLAGS), max_size=12), last=st.booleans())
def test_queue_and_stack(pushes: list[tuple[bytes, int]], last: bool) -> None:
    values = (StackMap if last else QueueMap)(spec(key=0, entries=3))
    model: list[bytes] = []
    for value, flags in pushes:
        expected = None
        if flags not in (BPF_ANY, BPF_EXIST):
            expected = Errno.EINVAL
        elif len(model) == 3 and flags == BPF_ANY:
            expected = Errno.E2BIG
        else:
            model = [*model[-2:], value]
        assert answer(lambda: values.push(value, flags)) == expected  # noqa: B023
    while model:
        wanted = model.pop(-1 if last else 0)
        assert (values.peek(), values.pop()) == (wanted, wanted)
    assert answer(values.pop) is answer(values.peek) is Errno.ENOENT
    assert answer(lambda: values.delete(b"")) is answer(lambda: values.next_key(None)) is Errno.EINVAL


def test_a_bloom_filter_knows_what_it_was_given() -> None:
    values = BloomFilterMap(spec(key=0))
    values.push(b"a" * 8)
    assert b"a" * 8 in values
    assert b"b" * 8 not in values
    assert answer(lambda: values.push(bytes(8), BPF_EXIST)) is Errno.EINVAL
    assert answer(lambda: values.delete(b"")) is Errno.EOPNOTSUPP


def prefix(text: str) -> bytes:
    """The key of an IPv4 prefix such as `10.0.0.0/8`."""
    address, _, length = text.partition("/")
    return struct.pack("<I", int(length)) + bytes(map(int, address.split(".")))


PREFIXES = st.builds(
    lambda number, length: struct.pack("<I4s", length, struct.pack(">I", number)),
    st.integers(0, 15).map(lambda bits: bits << 28),
    st.integers(0, 6),
)


@given(entries=st.dictionaries(PREFIXES, VALUES, max_size=12), wanted=PREFIXES)
def test_the_longest_prefix_that_fits_wins(entries: dict[bytes, bytes], wanted: bytes) -> None:
    trie = LpmTrie(spec(key=8, entries=20))
    model: dict[str, bytes] = {}
    for where, value in entries.items():
        trie.update(where, value)
        model[bits(where)] = value
    fitting = [prefix for prefix in model if bits(wanted).startswith(prefix)]
    assert trie.lookup(wanted) == (model[max(fitting, key=len)] if fitting else None)
    order = [bits(found) for found in walk(trie)]
    assert sorted(order) == sorted(model)
    for index, found in enumerate(order):
        assert not any(later != found and later.startswith(found) for later in order[index + 1 :])
    assert order == sorted(order, key=lambda text: text + "~")


def bits(where: bytes) -> str:
    """The bits of a prefix that count."""
    length, address = struct.unpack("<I4s", where)
    return f"{int.from_bytes(address, 'big'):032b}"[:length]


def test_a_trie_refuses_what_the_kernel_refuses() -> None:
    trie = LpmTrie(spec(key=8, entries=2))
    trie.update(prefix("10.1.2.3/8"), bytes(8))
    assert answer(lambda: trie.update(prefix("10.9.9.9/8"), bytes(8), BPF_NOEXIST)) is Errno.EEXIST
    assert answer(lambda: trie.update(prefix("11.0.0.0/8"), bytes(8), BPF_EXIST)) is Errno.ENOENT
    assert answer(lambda: trie.update(prefix("0.0.0.0/33"), bytes(8))) is Errno.EINVAL
    assert answer(lambda: trie.delete(prefix("0.0.0.0/33"))) is Errno.EINVAL
    assert answer(lambda: trie.delete(prefix("10.0.0.0/9"))) is Errno.ENOENT
    assert trie.lookup(prefix("10.0.0.0/33")) is None
    trie.update(prefix("0.0.0.0/0"), bytes(8))
    assert answer(lambda: trie.update(prefix("12.0.0.0/8"), bytes(8))) is Errno.ENOSPC
    assert list(trie.keys()) == [prefix("10.1.2.3/8"), prefix("0.0.0.0/0")]


def test_a_ring_buffer_gives_records_in_the_order_of_reservation() -> None:
    ring = RingBuffer(spec(key=0, value=0, entries=4096))
    first, second = ring.reserve(5), ring.reserve(8)
    assert first is not None
    assert second is not None
    ring.output(b"third")
    second.state = State.SUBMITTED
    assert ring.consume() == []
    first.content[:] = b"first"
    first.state = State.SUBMITTED
    assert ring.consume() == [b"first", bytes(8), b"third"]
    assert (ring.produced, ring.consumed) == (16 + 16 + 16, 48)


def test_a_ring_buffer_is_full_one_byte_before_its_size() -> None:
    ring = RingBuffer(spec(key=0, value=0, entries=4096))
    assert ring.reserve(4096 - 8) is None
    assert ring.reserve(4096 - 16) is not None
    assert ring.reserve(0) is None
    assert answer(lambda: ring.output(b"")) is Errno.EAGAIN


def test_discarded_records_are_skipped() -> None:
    ring = RingBuffer(spec(key=0, value=0, entries=4096))
    record = ring.reserve(100)
    assert record is not None
    record.state = State.DISCARDED
    ring.output(b"kept")
    assert ring.consume() == [b"kept"]
    assert ring.available == 0


def declared(kind: str, key: int, value: int, entries: int, flags: int = 0) -> MapSpec:
    return MapSpec("m", MAPS[kind].map_type, key, value, entries, flags)


@pytest.mark.parametrize(
    ("kind", "key", "value", "entries", "flags"),
    [
        ("array", 4, 100, 3, 0),
        ("hash", 16, 1, 10, 1),
        ("lru_hash", 4, 8, 10, 0),
        ("percpu_array", 4, 8, 2, 0),
        ("percpu_hash", 4, 8, 2, 0),
        ("lru_percpu_hash", 4, 8, 2, 0),
        ("lpm_trie", 8, 8, 2, 1),
        ("queue", 0, 8, 2, 0),
        ("stack", 0, 8, 2, 0),
        ("bloom_filter", 0, 8, 2, 0),
        ("ringbuf", 0, 0, 8192, 0),
        ("prog_array", 4, 4, 2, 0),
    ],
)
def test_a_declaration_makes_a_map_of_its_kind(
    kind: str, key: int, value: int, entries: int, flags: int
) -> None:
    made = create_map(declared(kind, key, value, entries, flags))
    assert (made.kind, made.key_size, made.value_size) == (kind, key, value)


@pytest.mark.parametrize(
    ("spec", "number", "says"),
    [
        (declared("array", 8, 8, 1), Errno.EINVAL, "has no key of 8 bytes"),
        (declared("array", 4, 0, 1), Errno.EINVAL, "has no value of 0 bytes"),
        (declared("array", 4, 8, 0), Errno.EINVAL, "needs max_entries"),
        (declared("array", 4, 1 << 31, 1), Errno.E2BIG, "has no value of 2147483648 bytes"),
        (declared("array", 4, 1 << 30, 1), Errno.ENOMEM, "no memory for values of 1073741824 bytes"),
        (declared("hash", 4, 8, 1, 1 << 20), Errno.EINVAL, "takes no flags 0x100000"),
        (declared("lpm_trie", 8, 8, 1), Errno.EINVAL, "needs flags 0x1"),
        (declared("lpm_trie", 1000, 8, 1, 1), Errno.EINVAL, "has no key of 1000 bytes"),
        (declared("queue", 4, 8, 1), Errno.EINVAL, "has no key of 4 bytes"),
        (declared("ringbuf", 0, 0, 5000), Errno.EINVAL, "has a power of 2 of bytes"),
    ],
)
def test_a_declaration_that_the_kernel_refuses(spec: MapSpec, number: Errno, says: str) -> None:
    with pytest.raises(MapError, match=says) as caught:
        create_map(spec)
    assert caught.value.number is number


@pytest.mark.parametrize("map_type", [0, 16, 99])
def test_a_kind_that_is_not_simulated_is_named(map_type: int) -> None:
    with pytest.raises(MapError, match=f"map m: maps of type {map_type} are not simulated"):
        create_map(MapSpec("m", map_type, 4, 8, 1))
