"""What user space may do with maps beyond single entries: permissions, locks, batches, freezing."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from skverdict.codegen.btf import Btf
from skverdict.codegen.btf_types import VOID, Composite, Int, Member
from skverdict.codegen.object import MapSpec
from skverdict.dsl.catalogue.maps import MAPS
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.maps.base import Map, MapError
from skverdict.runtime.maps.create import create_map
from skverdict.runtime.maps.special import Special, TooMany, special_members
from skverdict.runtime.maps.user_side import (
    BPF_EXIST,
    BPF_F_LOCK,
    BPF_F_RDONLY,
    BPF_F_WRONLY,
    BPF_NOEXIST,
    Batch,
    BatchError,
)

from tests.runtime.special_values import (
    BTF,
    DEEP,
    LOCKED,
    OWNER,
    POINTERS,
    TIMED,
    TIMERS,
    TWICE,
    U64,
    WORK,
    declared,
    made,
)

HASHES = ("hash", "lru_hash", "percpu_hash", "lru_percpu_hash")
ARRAYS = ("array", "percpu_array")


def key(number: int) -> bytes:
    return struct.pack("<I", number)


def simple(kind: str, entries: int = 8, flags: int = 0) -> Map:
    """A map with keys of 4 bytes and values of 8."""
    return create_map(MapSpec("m", MAPS[kind].map_type, 4, 8, entries, flags | MAPS[kind].required))


def answer(action: Callable[[], object]) -> Errno | None:
    """The errno of what `action` raises."""
    try:
        action()
    except KernelError as error:
        return error.number
    return None


# Permissions


def test_a_map_that_user_space_only_reads() -> None:
    entries = simple("hash", flags=BPF_F_RDONLY)
    entries.write(key(1), bytes(8))
    assert entries.read(key(1)) == bytes(8)
    for action in (
        lambda: entries.update(key(1), bytes(8)),
        lambda: entries.delete(key(1)),
        lambda: entries.take(key(1)),
        lambda: entries.update_batch([]),
        lambda: entries.delete_batch([]),
        lambda: entries.lookup_and_delete_batch(1),
        entries.freeze,
    ):
        assert answer(action) is Errno.EPERM


def test_a_map_that_user_space_only_writes() -> None:
    entries = simple("hash", flags=BPF_F_WRONLY)
    entries.update(key(1), bytes(8))
    for action in (
        lambda: entries.read(key(1)),
        lambda: entries.next_key(None),
        lambda: entries.keys(),
        lambda: entries.take(key(1)),
        lambda: entries.lookup_batch(1),
    ):
        assert answer(action) is Errno.EPERM


def test_a_frozen_map_changes_no_more_by_user_space() -> None:
    values = simple("array")
    values.update(key(0), b"constant")
    values.freeze()
    assert answer(lambda: values.update(key(0), bytes(8))) is answer(values.freeze) is Errno.EPERM
    values.write(key(0), b"from bpf")
    assert values.read(key(0)) == b"from bpf"


@pytest.mark.parametrize("pair", [BPF_F_RDONLY | BPF_F_WRONLY, 1 << 7 | 1 << 8])
def test_flags_that_leave_nothing_are_refused(pair: int) -> None:
    with pytest.raises(MapError, match="takes one of the flags") as caught:
        simple("hash", flags=pair)
    assert caught.value.number is Errno.EINVAL


# Locks and timers in values


def test_special_members_are_found_wherever_they_are() -> None:
    assert special_members(BTF, LOCKED) == (Special("spin_lock", 4, 4),)
    assert special_members(BTF, DEEP) == (Special("spin_lock", 8 + 8 + 4, 4),)
    assert special_members(BTF, U64) == special_members(None, LOCKED) == special_members(BTF, 0) == ()
    for many in (TWICE, TIMERS, POINTERS):
        with pytest.raises(TooMany):
            special_members(BTF, many)


def test_types_that_hold_each_other_many_times_are_looked_through_once() -> None:
    pairs = [Composite("struct", "s0", 0, ())]
    pairs += [
        Composite("struct", f"s{number}", 0, (Member("a", number, 0), Member("b", number, 0)))
        for number in range(1, 60)
    ]
    assert special_members(Btf((VOID, *pairs)), 60) == ()
    assert create_map(MapSpec("m", 1, 4, 4, 1, value_type_id=1), btf=Btf((VOID, Int("int", 4, 0, 32))))


@pytest.mark.parametrize(
    ("spec", "number", "says"),
    [
        (declared("array", TWICE), Errno.E2BIG, "more than one bpf_spin_lock"),
        (declared("lru_hash", LOCKED), Errno.EOPNOTSUPP, "values of a lru_hash hold no bpf_spin_lock"),
        (declared("percpu_array", TIMED), Errno.EOPNOTSUPP, "values of a percpu_array hold no bpf_timer"),
        (declared("hash", LOCKED, flags=1 << 7), Errno.EACCES, "read and write values with a bpf_spin_lock"),
        (declared("hash", WORK), None, "values hold a bpf_wq, which is not simulated"),
        (declared("hash", OWNER), None, "values hold a kptr, which is not simulated"),
    ],
)
def test_values_that_no_map_can_hold(spec: MapSpec, number: Errno | None, says: str) -> None:
    with pytest.raises(MapError, match=says) as caught:
        create_map(spec, btf=BTF)
    assert caught.value.number is number


@pytest.mark.parametrize("kind", ["array", "hash"])
def test_user_space_has_no_part_in_a_lock(kind: str) -> None:
    entries = made(kind, LOCKED)
    entries.update(key(1), struct.pack("<IIQ", 1, 0xFFFFFFFF, 2))
    assert entries.lookup(key(1)) == struct.pack("<IIQ", 1, 0, 2)
    memory = entries.lookup(key(1))
    assert memory is not None
    memory[4:8] = b"held"
    assert entries.read(key(1)) == struct.pack("<IIQ", 1, 0, 2)
    assert answer(entries.freeze) is Errno.ENOTSUPP


def test_an_update_under_lock_changes_an_entry_where_it_is() -> None:
    entries = made("hash", LOCKED)
    entries.update(key(1), bytes(16), BPF_F_LOCK)
    memory = entries.lookup(key(1))
    entries.update(key(1), struct.pack("<IIQ", 7, 0, 8), BPF_F_LOCK | BPF_EXIST)
    assert memory == struct.pack("<IIQ", 7, 0, 8)
    assert entries.read(key(1), BPF_F_LOCK) == memory
    assert answer(lambda: entries.update(key(1), bytes(16), BPF_F_LOCK | BPF_NOEXIST)) is Errno.EEXIST
    assert answer(lambda: entries.update(key(2), bytes(16), BPF_F_LOCK | BPF_EXIST)) is Errno.ENOENT
    entries.update(key(1), bytes(16))
    assert entries.lookup(key(1)) is not memory


@pytest.mark.parametrize("kind", [*HASHES, *ARRAYS, "lpm_trie"])
def test_without_a_lock_its_flag_is_refused(kind: str) -> None:
    key_size = 8 if kind == "lpm_trie" else 4
    entries = create_map(MapSpec("m", MAPS[kind].map_type, key_size, 8, 4, MAPS[kind].required))
    where = bytes(key_size)
    for action in (
        lambda: entries.read(where, BPF_F_LOCK),
        lambda: entries.update(where, bytes(8), BPF_F_LOCK),
        lambda: entries.update_batch([(where, bytes(8))], BPF_F_LOCK),
        lambda: entries.lookup_batch(1, flags=BPF_F_LOCK),
        lambda: entries.read(where, 1),
    ):
        assert answer(action) is Errno.EINVAL


# Taking out


@pytest.mark.parametrize("kind", HASHES)
def test_hashes_give_an_entry_out(kind: str) -> None:
    entries = simple(kind)
    entries.update(key(1), b"contents")
    assert entries.take(key(1)) == b"contents"
    assert answer(lambda: entries.take(key(1))) is Errno.ENOENT
    assert answer(lambda: entries.take(key(1), 1)) is Errno.EINVAL


def test_so_do_queues_and_nothing_else() -> None:
    values = create_map(MapSpec("m", MAPS["queue"].map_type, 0, 8, 2))
    values.update(b"", b"contents")
    assert values.take() == b"contents"
    assert answer(values.take) is Errno.ENOENT
    for kind in ("array", "percpu_array"):
        assert answer(lambda kind=kind: simple(kind).take(key(0))) is Errno.ENOTSUPP  # type: ignore[misc]


# Batches


def all_batches(step: Callable[[Batch | None], Batch]) -> list[tuple[bytes, bytes]]:
    """All entries, batch by batch."""
    found: list[tuple[bytes, bytes]] = []
    batch = step(None)
    found += batch.entries
    while batch.cursor is not None:
        batch = step(batch)
        found += batch.entries
    return found


@given(
    kind=st.sampled_from(HASHES),
    numbers=st.sets(st.integers(0, 50), max_size=20),
    count=st.integers(1, 7),
    take=st.booleans(),
)
def test_batches_of_a_hash_give_every_entry_once(
    kind: str, numbers: set[int], count: int, take: bool
) -> None:
    entries = simple(kind, entries=60)
    entries.update_batch((key(number), struct.pack("<Q", number)) for number in numbers)

    def step(before: Batch | None) -> Batch:
        cursor = None if before is None else before.cursor
        return (entries.lookup_and_delete_batch if take else entries.lookup_batch)(count, cursor)

    found = all_batches(step)
    assert sorted(found) == sorted((key(number), struct.pack("<Q", number)) for number in numbers)
    assert len(list(entries.keys())) == (0 if take else len(numbers))


def test_a_batch_of_a_hash_goes_on_whatever_was_deleted_meanwhile() -> None:
    entries = simple("hash")
    entries.update_batch((key(number), bytes(8)) for number in range(6))
    first = entries.lookup_batch(3)
    assert [found for found, _ in first.entries] == [key(0), key(1), key(2)]
    entries.delete_batch([key(2), key(4)])
    rest = entries.lookup_batch(9, first.cursor)
    assert [found for found, _ in rest.entries] == [key(3), key(5)]
    assert rest.cursor is None


def test_a_batch_of_an_array_is_every_index() -> None:
    values = simple("array", entries=5)
    values.update_batch([(key(3), b"contents")])
    found = all_batches(lambda before: values.lookup_batch(2, before and before.cursor))
    assert found == [(key(number), b"contents" if number == 3 else bytes(8)) for number in range(5)]
    assert values.lookup_batch(0) == Batch([], None)


def test_a_batch_stops_at_what_is_refused_and_tells_how_far_it_came() -> None:
    entries = simple("hash", entries=3)
    with pytest.raises(BatchError, match="entry 3 of the batch: map m is full") as caught:
        entries.update_batch((key(number), bytes(8)) for number in range(5))
    assert (caught.value.done, caught.value.number) == (3, Errno.E2BIG)
    with pytest.raises(BatchError) as caught:
        entries.delete_batch([key(1), key(1), key(2)])
    assert (caught.value.done, caught.value.number) == (1, Errno.ENOENT)
    assert list(entries.keys()) == [key(0), key(2)]
    assert answer(lambda: entries.update_batch([], BPF_NOEXIST)) is Errno.EINVAL


@pytest.mark.parametrize(
    ("kind", "missing"),
    [
        ("array", {"delete_batch", "lookup_and_delete_batch"}),
        ("percpu_array", {"delete_batch", "lookup_and_delete_batch"}),
        ("hash", set()),
        ("lru_percpu_hash", set()),
        ("prog_array", {"lookup_batch", "update_batch", "delete_batch", "lookup_and_delete_batch"}),
    ],
)
def test_kinds_have_their_batch_commands(kind: str, missing: set[str]) -> None:
    map_ = create_map(MapSpec("m", MAPS[kind].map_type, 4, 4, 1))
    commands: dict[str, Callable[[], object]] = {
        "lookup_batch": lambda: map_.lookup_batch(1),
        "lookup_and_delete_batch": lambda: map_.lookup_and_delete_batch(1),
        "update_batch": lambda: map_.update_batch([]),
        "delete_batch": lambda: map_.delete_batch([]),
    }
    assert {name for name, command in commands.items() if answer(command) is Errno.ENOTSUPP} == missing


def test_a_trie_has_no_batch_that_takes_out() -> None:
    trie = create_map(MapSpec("m", MAPS["lpm_trie"].map_type, 8, 8, 4, 1))
    trie.update_batch([(struct.pack("<I4s", 8, b"\x0a\0\0\0"), bytes(8))])
    assert [found for found, _ in trie.lookup_batch(3).entries] == [struct.pack("<I4s", 8, b"\x0a\0\0\0")]
    assert answer(lambda: trie.lookup_and_delete_batch(1)) is Errno.ENOTSUPP
