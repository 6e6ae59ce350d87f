"""User space's flags for one CPU and for all CPUs of per-CPU maps, as kernels answered them on two CPUs."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from skverdict.codegen.object import MapSpec
from skverdict.dsl import load_policy
from skverdict.dsl.catalogue.maps import MAPS
from skverdict.runtime.kernel.maps import KernelPerCpuMap
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.maps.array import ArrayMap
from skverdict.runtime.maps.element_flags import (
    BPF_EXIST,
    BPF_F_ALL_CPUS,
    BPF_F_CPU,
    BPF_F_LOCK,
    BPF_NOEXIST,
    CPU_SHIFT,
)
from skverdict.runtime.maps.hash import HashMap
from skverdict.runtime.maps.map_view import MapView
from skverdict.runtime.maps.per_cpu import LruPerCpuHashMap, PerCpuArray, PerCpuHashMap, PerCpuMap
from skverdict.runtime.maps.typed import ValueMismatch
from skverdict.runtime.maps.user_side import BatchError
from skverdict.runtime.simulator import Simulator

from tests.runtime.kernel_kit import StandIn
from tests.runtime.machine_kit import spec

PerCpu = type[PerCpuArray] | type[PerCpuHashMap]

KINDS = (PerCpuArray, PerCpuHashMap, LruPerCpuHashMap)
HASHES = (PerCpuHashMap, LruPerCpuHashMap)
POLICY = """
from skverdict.dsl import SK_PASS, PerCpuHashMap, SkSkb, SockMap, i32, stream_verdict, u32, u64

counts = PerCpuHashMap(key=u32, value=u64, max_entries=4)
watched = SockMap(max_entries=2)


@stream_verdict
def count(skb: SkSkb) -> i32:
    counts.update(1, u64(2))
    return SK_PASS
"""
KEY, OTHER = b"\0\0\0\0", b"\1\0\0\0"
SECOND = BPF_F_CPU | 1 << CPU_SHIFT
THIRD = BPF_F_CPU | 2 << CPU_SHIFT

#: What Linux 7.2 made of 5, 5 when 7 was put in with flags.
UPDATES = {
    BPF_F_CPU: [7, 5],
    SECOND: [5, 7],
    BPF_F_ALL_CPUS: [7, 7],
    THIRD: Errno.ERANGE,
    THIRD | 32: Errno.ERANGE,
    SECOND | 32: Errno.EINVAL,
    BPF_F_CPU | BPF_F_ALL_CPUS: Errno.EINVAL,
    1 << CPU_SHIFT: Errno.EINVAL,
    BPF_F_ALL_CPUS | 1 << CPU_SHIFT: Errno.EINVAL,
    BPF_F_CPU | BPF_NOEXIST: [7, 5],
    BPF_F_CPU | BPF_EXIST: [7, 5],
    BPF_F_CPU | BPF_NOEXIST | BPF_EXIST: [7, 5],
    BPF_NOEXIST | BPF_EXIST: [7, 0],
    BPF_NOEXIST: Errno.EEXIST,
    BPF_EXIST: [7, 0],
    BPF_F_ALL_CPUS | BPF_NOEXIST: Errno.EINVAL,
    BPF_F_ALL_CPUS | BPF_EXIST: Errno.EINVAL,
    BPF_F_CPU | BPF_F_LOCK: Errno.EINVAL,
    BPF_F_LOCK: Errno.EINVAL,
    32: Errno.EINVAL,
    BPF_F_CPU | 32: Errno.EINVAL,
}
#: What it answered to lookups of 5, 6 with flags.
LOOKUPS = {
    0: [5, 6],
    BPF_F_CPU: [5],
    SECOND: [6],
    THIRD: Errno.ERANGE,
    BPF_F_ALL_CPUS: Errno.EINVAL,
    BPF_F_CPU | BPF_F_ALL_CPUS: Errno.EINVAL,
    1 << CPU_SHIFT: Errno.EINVAL,
    BPF_F_CPU | BPF_F_LOCK: Errno.EINVAL,
    BPF_F_CPU | BPF_NOEXIST: Errno.EINVAL,
    32: Errno.EINVAL,
}
#: What 6.1 and 6.12 have, of either.
OLD_FLAGS = (0, BPF_NOEXIST, BPF_EXIST)


def numbers(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}Q", *values)


def made(make: PerCpu, *values: int, kernel: str = "7.2") -> PerCpuMap:
    """A map for two CPUs, in which they have `values`."""
    map_ = make(spec(), "little", 2, kernel)
    if values:
        map_.update(KEY, numbers(*values))
    return map_


def answer(action: Callable[[], object]) -> object:
    """The numbers in the bytes that `action` gives, or the errno of what it raises."""
    try:
        found = action()
    except KernelError as error:
        return error.number
    return [each for (each,) in struct.iter_unpack("<Q", found)] if isinstance(found, bytes) else found


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("flags", UPDATES, ids=hex)
def test_what_an_update_writes(make: PerCpu, flags: int) -> None:
    map_, expected = made(make, 5, 5), UPDATES[flags]
    value = numbers(7) if flags & (BPF_F_CPU | BPF_F_ALL_CPUS) else numbers(7, 0)
    refused = answer(lambda: map_.update(KEY, value, flags))
    assert (refused or answer(lambda: map_.read(KEY))) == expected
    if refused:
        assert map_.read(KEY) == numbers(5, 5)


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("flags", LOOKUPS, ids=hex)
def test_what_a_lookup_reads(make: PerCpu, flags: int) -> None:
    assert answer(lambda: made(make, 5, 6).read(KEY, flags)) == LOOKUPS[flags]


@pytest.mark.parametrize("kernel", ["6.1", "6.12"])
@pytest.mark.parametrize("make", KINDS)
def test_older_kernels_have_no_such_flags(make: PerCpu, kernel: str) -> None:
    map_ = made(make, 5, 6, kernel=kernel)
    for flags in [each for each in UPDATES if each not in OLD_FLAGS]:
        assert answer(lambda: map_.update(KEY, numbers(7, 7), flags)) is Errno.EINVAL  # noqa: B023
    for flags in [each for each in LOOKUPS if each not in OLD_FLAGS]:
        assert answer(lambda: map_.read(KEY, flags)) is Errno.EINVAL  # noqa: B023
    for flags in (SECOND, BPF_F_ALL_CPUS):
        assert answer(lambda: map_.lookup_batch(4, None, flags)) is Errno.EINVAL  # noqa: B023
        assert answer(lambda: map_.update_batch([(KEY, numbers(7))], flags)) is Errno.EINVAL  # noqa: B023
    assert map_.read(KEY) == numbers(5, 6)


@pytest.mark.parametrize("make", [ArrayMap, HashMap])
def test_other_maps_have_no_such_flags(make: type[ArrayMap] | type[HashMap]) -> None:
    map_ = make(spec())
    map_.update(KEY, numbers(5))
    for flags in (BPF_F_CPU, BPF_F_ALL_CPUS, THIRD, 1 << CPU_SHIFT):
        assert answer(lambda: map_.update(KEY, numbers(7), flags)) is Errno.EINVAL  # noqa: B023
        assert answer(lambda: map_.read(KEY, flags)) is Errno.EINVAL  # noqa: B023
        assert answer(lambda: map_.lookup_batch(4, None, flags)) is Errno.EINVAL  # noqa: B023
        assert answer(lambda: map_.update_batch([(KEY, numbers(7))], flags)) is Errno.EINVAL  # noqa: B023
    assert map_.read(KEY) == numbers(5)


@pytest.mark.parametrize("flags", [SECOND, SECOND | BPF_NOEXIST, SECOND | BPF_EXIST], ids=hex)
@pytest.mark.parametrize("make", HASHES)
def test_the_other_cpus_have_zero_in_a_new_entry(make: PerCpu, flags: int) -> None:
    map_ = made(make, 5, 5)
    map_.delete(KEY)
    map_.update(KEY, numbers(7), flags)
    assert map_.read(KEY) == numbers(0, 7)


def test_flags_come_before_the_index_and_the_index_before_the_entry() -> None:
    array = made(PerCpuArray)
    missing = struct.pack("<I", 9)
    assert answer(lambda: array.update(missing, numbers(7), BPF_F_CPU | BPF_NOEXIST)) is Errno.E2BIG
    assert answer(lambda: array.update(missing, numbers(7), BPF_F_ALL_CPUS)) is Errno.E2BIG
    assert answer(lambda: array.update(missing, numbers(7), BPF_F_ALL_CPUS | BPF_NOEXIST)) is Errno.EINVAL
    assert answer(lambda: array.read(missing, THIRD)) is Errno.ERANGE
    assert answer(lambda: array.read(missing, SECOND)) is Errno.ENOENT


@pytest.mark.parametrize("make", KINDS)
def test_batches_have_them_too(make: PerCpu) -> None:
    map_ = made(make, 5, 6)
    map_.update_batch([(KEY, numbers(7))], SECOND)
    assert map_.read(KEY) == numbers(5, 7)
    assert dict(map_.lookup_batch(8, None, SECOND).entries)[KEY] == numbers(7)
    map_.update_batch([(KEY, numbers(8)), (OTHER, numbers(9))], BPF_F_ALL_CPUS)
    assert (map_.read(KEY), map_.read(OTHER)) == (numbers(8, 8), numbers(9, 9))
    for flags, number in (
        (THIRD, Errno.ERANGE),
        (BPF_F_CPU | BPF_F_ALL_CPUS, Errno.EINVAL),
        (BPF_F_CPU | BPF_NOEXIST, Errno.EINVAL),
        (BPF_NOEXIST, Errno.EINVAL),
        (32, Errno.EINVAL),
    ):
        assert answer(lambda: map_.update_batch([(KEY, numbers(1))], flags)) is number  # noqa: B023
        assert answer(lambda: map_.lookup_batch(8, None, flags)) is number  # noqa: B023
    assert answer(lambda: map_.lookup_batch(8, None, BPF_F_ALL_CPUS)) is Errno.EINVAL


@pytest.mark.parametrize("make", HASHES)
def test_what_takes_out_has_none(make: PerCpu) -> None:
    map_ = made(make, 5, 6)
    for action in (
        lambda: map_.take(KEY, BPF_F_CPU),
        lambda: map_.lookup_and_delete_batch(8, None, BPF_F_CPU),
        lambda: map_.delete_batch([KEY], BPF_F_CPU),
    ):
        assert answer(action) is Errno.EINVAL
    assert map_.read(KEY) == numbers(5, 6)


def test_the_simulators_kernel_and_cpus_count(tmp_path: Path) -> None:
    path = tmp_path / "counting.py"
    path.write_text(POLICY)
    policy = load_policy(path)
    newest, older = Simulator(policy, cpus=3), Simulator(policy, cpus=3, kernel="6.12")
    newest.maps["counts"].update(1, 4, THIRD)
    assert newest.maps["counts"][1] == [0, 0, 4]
    with pytest.raises(OSError, match=r"Linux 6\.12 has no flags 0x200000008"):
        older.maps["counts"].update(1, 4, THIRD)


@pytest.mark.parametrize("make", KINDS)
def test_programs_have_no_such_flags(make: PerCpu) -> None:
    map_ = made(make, 5, 6)
    for flags in (BPF_F_CPU, SECOND, BPF_F_ALL_CPUS, BPF_NOEXIST | BPF_EXIST):
        with pytest.raises(KernelError, match="unknown update flags") as caught:
            map_.values_to_write(KEY, flags)
        assert caught.value.number is Errno.EINVAL


def test_with_types_the_value_is_one_and_no_list() -> None:
    view = MapView(made(PerCpuHashMap))
    view.update(1, [5, 6])
    view.update(1, 7, SECOND)
    assert (view[1], view.lookup(1), view.lookup(1, SECOND)) == ([5, 7], [5, 7], 7)
    view.update(2, 9, BPF_F_ALL_CPUS)
    assert view[2] == [9, 9]
    view.update_batch({1: 3, 4: 4}, SECOND)
    assert sorted(view.lookup_batch(8, None, SECOND).entries) == [(1, 3), (2, 9), (4, 4)]
    assert view[4] == [0, 4]
    with pytest.raises(ValueMismatch, match="no integer"):
        view.update(1, [5, 6], SECOND)
    with pytest.raises(ValueMismatch, match="no sequence of 2"):
        view.update(1, 7)
    with pytest.raises(OSError, match="CPU 2, and there are 2"):
        view.lookup(1, THIRD)


def test_a_batch_that_is_refused_for_an_entry_says_where() -> None:
    map_ = PerCpuHashMap(spec(entries=1), "little", 2)
    with pytest.raises(BatchError, match="E2BIG") as caught:
        map_.update_batch([(KEY, numbers(1)), (OTHER, numbers(1))], SECOND)
    assert caught.value.done == 1


def test_a_kernel_reads_as_much_as_it_may_want_and_writes_one_value() -> None:
    class Sizes(StandIn):
        """Tells the sizes that it is asked for."""

        def lookup(self, map_: int, key: bytes | None, size: int, flags: int = 0) -> bytes:
            return bytes(size)

    bpf = Sizes()
    map_ = KernelPerCpuMap(bpf, 1, MapSpec("m", MAPS["percpu_array"].map_type, 4, 4, 1))
    assert len(map_.read(KEY)) == 8 * bpf.cpus
    assert len(map_.read(KEY, BPF_F_CPU)) == 4
    map_.update(KEY, b"abcd", BPF_F_CPU)
    assert bpf.entries[1][KEY] == b"abcd".ljust(8 * bpf.cpus, b"\0")
