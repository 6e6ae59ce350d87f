"""Maps in a real kernel as user space uses them."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import pytest
from skverdict.codegen.object import MapSpec
from skverdict.dsl.catalogue.maps import MAPS
from skverdict.dsl.catalogue.programs import KERNELS
from skverdict.runtime.kernel.kernel import Kernel
from skverdict.runtime.kernel.maps import KernelPerCpuMap
from skverdict.runtime.maps.element_flags import BPF_F_CPU, CPU_SHIFT, is_single
from skverdict.runtime.maps.per_cpu import LruPerCpuHashMap, PerCpuArray, PerCpuHashMap, PerCpuMap
from skverdict.runtime.maps.user_side import BatchError

from tests.kernel.backend.kit import BPF, LAB, TELLING, nothing_left, telling

BPFFS = Path("/sys/fs/bpf")


def test_a_hash_is_used_like_a_dictionary() -> None:
    with nothing_left(), Kernel(TELLING) as kernel:
        lengths = kernel.maps["lengths"]
        lengths[3] = 30
        lengths[5] = 50
        assert (lengths[3], 5 in lengths, 4 in lengths, len(lengths)) == (30, True, False, 2)
        assert sorted(lengths.items()) == [(3, 30), (5, 50)]
        assert lengths.get(4) is None
        del lengths[3]
        assert lengths.keys() == [5]
        assert lengths.take(5) == 50
        with pytest.raises(OSError, match="ENOENT"):
            lengths[5]
        with pytest.raises(OSError, match="ENOENT"):
            del lengths[5]


def test_many_entries_at_once() -> None:
    with Kernel(TELLING) as kernel:
        lengths = kernel.maps["lengths"]
        lengths.update_batch({number: number * 10 for number in range(40)})
        found = {}
        cursor = None
        while True:
            batch = lengths.lookup_batch(16, cursor)
            found.update(batch.entries)
            cursor = batch.cursor
            if cursor is None:
                break
        assert found == {number: number * 10 for number in range(40)}
        lengths.delete_batch(range(10))
        assert sorted(lengths) == list(range(10, 40))
        taken = lengths.lookup_and_delete_batch(64)
        assert dict(taken.entries) == {number: number * 10 for number in range(10, 40)}
        assert len(lengths) == 0


def test_a_batch_tells_how_far_it_came() -> None:
    with Kernel(TELLING, max_entries={"lengths": 8}) as kernel:
        with pytest.raises(BatchError, match="E2BIG") as caught:
            kernel.maps["lengths"].update_batch(dict.fromkeys(range(20), 1))
        assert caught.value.done == len(kernel.maps["lengths"])
        with pytest.raises(BatchError, match="ENOENT") as caught:
            kernel.maps["lengths"].delete_batch([1000])
        assert caught.value.done == 0


def test_arrays_have_batches_and_socket_maps_have_none() -> None:
    with Kernel(TELLING) as kernel:
        kernel.maps["total"].update_batch({0: 5, 3: 8})
        assert kernel.maps["total"].lookup_batch(4).entries == [(0, 5), (1, 0), (2, 0), (3, 8)]
        with pytest.raises(OSError) as caught:
            kernel.maps["watched"].lookup_batch(4)
        assert caught.value.errno == 524


def test_each_cpu_has_a_value() -> None:
    with telling() as (kernel, client, _):
        client.send(b"abc")
        client.send(b"de")
        assert sum(kernel.maps["per_cpu"][0]) == 5


def test_a_frozen_map_is_written_no_more() -> None:
    with Kernel(TELLING) as kernel:
        kernel.maps["lengths"].freeze()
        with pytest.raises(OSError, match="EPERM"):
            kernel.maps["lengths"][1] = 1


def test_sizes_and_values_are_set_before_loading() -> None:
    with telling(max_entries={"lengths": 2}, globals={"limit": 3}) as (kernel, client, server):
        assert kernel.globals["limit"] == 3
        client.send(b"1234")
        client.send(b"123")
        assert server.recv_all() == b"123"
        client.send(b"12")
        assert len(kernel.maps["lengths"]) == 2


def test_a_pinned_map_is_shared() -> None:
    pin = BPFFS / "shared"
    with nothing_left():
        with Kernel(TELLING, pins={"lengths": str(pin)}) as first:
            first.maps["lengths"][1] = 11
            with Kernel(TELLING, pins={"lengths": str(pin)}) as second:
                assert second.maps["lengths"][1] == 11
                second.maps["lengths"][2] = 22
            assert first.maps["lengths"][2] == 22
        with Kernel(TELLING, pins={"lengths": str(pin)}) as third:
            assert sorted(third.maps["lengths"].items()) == [(1, 11), (2, 22)]
        pin.unlink()


def test_a_pin_of_another_map_is_not_used() -> None:
    pin = BPFFS / "taken"
    with nothing_left():
        with Kernel(TELLING, pins={"total": str(pin)}), pytest.raises(OSError, match="lengths"):
            Kernel(TELLING, pins={"lengths": str(pin)})
        pin.unlink()


def test_a_pin_path_that_is_a_folder() -> None:
    folder = BPFFS / "folder"
    folder.mkdir()
    with nothing_left(), pytest.raises(OSError, match="folder"):
        Kernel(TELLING, pins={"lengths": str(folder)})
    folder.rmdir()


def test_a_pin_path_outside_of_the_bpf_file_system(tmp_path: Path) -> None:
    with nothing_left(), pytest.raises(OSError, match="lengths"):
        Kernel(TELLING, pins={"lengths": str(tmp_path / "pin")})
    assert not (tmp_path / "pin").exists()


def test_a_full_socket_map() -> None:
    with Kernel(TELLING, max_entries={"watched": 1}) as kernel:
        _, server = kernel.tcp_pair()
        _, other = kernel.tcp_pair()
        kernel.maps["watched"][0] = server
        with pytest.raises(OSError, match="E2BIG"):
            kernel.maps["watched"][1] = other
        assert len(kernel.maps["watched"]) == 1


@pytest.mark.parametrize("how", ["closed", "reset", "shut down"])
def test_a_socket_whose_peer_goes_while_it_is_put_in(how: str) -> None:
    with nothing_left(), Kernel(LAB) as kernel:
        kernel.attach("watched", verdict="verdict")
        client, server = kernel.tcp_pair()
        if how == "reset":
            client.python.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        if how == "shut down":
            client.shutdown()
        else:
            client.close()
        # The kernel takes established connections only.
        with pytest.raises(OSError) as caught:
            kernel.maps["watched"][0] = server
        assert caught.value.errno == errno.EOPNOTSUPP
        assert len(kernel.maps["watched"]) == 0
        _, next_one = kernel.tcp_pair()
        kernel.maps["watched"][0] = next_one
        assert kernel.maps["watched"].lookup(0) == next_one.cookie


def test_sockets_that_close_leave_the_map_by_themselves() -> None:
    with Kernel(LAB) as kernel:
        kernel.attach("watched", verdict="verdict")
        for _ in range(20):
            client, server = kernel.tcp_pair()
            kernel.maps["watched"][0] = server
            client.close()
            server.close()
            assert len(kernel.maps["watched"]) == 0


def test_a_python_socket_or_a_descriptor_goes_in() -> None:
    with Kernel(LAB) as kernel:
        _, server = kernel.tcp_pair()
        kernel.maps["watched"][0] = server.python
        kernel.maps["watched"].delete(0)
        kernel.maps["watched"][0] = server.fileno()
        assert kernel.maps["watched"].lookup(0) == server.cookie
        with pytest.raises(OSError) as caught:
            kernel.maps["watched"][0] = os.open("/dev/null", os.O_RDONLY)
        assert caught.value.errno == errno.ENOTSOCK


@pytest.mark.parametrize("make", [PerCpuArray, PerCpuHashMap, LruPerCpuHashMap])
def test_flags_for_one_cpu_and_for_all(make: type[PerCpuArray] | type[PerCpuHashMap]) -> None:
    spec = MapSpec("cpus", MAPS[make.kind].map_type, 4, 8, 2)
    release = tuple(int(part) for part in os.uname().release.split(".")[:2])
    kernel = next(each for each in reversed(KERNELS) if tuple(map(int, each.split("."))) <= release)
    simulated = make(spec, "little", BPF.cpus, kernel)
    descriptor = BPF.create_map(*spec_arguments(spec))
    try:
        real = KernelPerCpuMap(BPF, descriptor, spec)
        told = [[*answers_by_flags(map_, BPF.cpus)] for map_ in (real, simulated)]
    finally:
        os.close(descriptor)
    assert told[0] == told[1]


def spec_arguments(spec: MapSpec) -> tuple[int, str, int, int, int]:
    return spec.map_type, spec.name, spec.key_size, spec.value_size, spec.max_entries


def answers_by_flags(map_: KernelPerCpuMap | PerCpuMap, cpus: int) -> Iterator[tuple[int, object, object, bytes]]:
    """Flags, the answers to a lookup and to an update with them, alone or as batches, and the values then."""
    key, other = bytes(4), b"\1\0\0\0"
    for low, cpu in product(range(64), (0, cpus - 1, cpus)):
        flags = low | cpu << CPU_SHIFT
        map_.update(key, struct.pack("<Q", 5) * cpus)
        value = struct.pack("<Q", 7) * (1 if is_single(flags) else cpus)
        read = answer(lambda: map_.read(key, flags))  # noqa: B023
        update = answer(lambda: map_.update(key, value, flags))  # noqa: B023
        yield flags, read, update, map_.read(key)
        batch = answer(lambda: map_.lookup_batch(4, None, flags).entries)  # noqa: B023
        update = answer(lambda: map_.update_batch([(key, value)], flags))  # noqa: B023
        yield flags, batch, update, map_.read(key)
    if map_.kind != "percpu_array":
        map_.delete(key)
    yield 0, None, answer(lambda: map_.update(other, struct.pack("<Q", 7), BPF_F_CPU)), b""
    yield 0, answer(lambda: map_.read(other)), None, b""


def answer(action: Callable[[], object]) -> object:
    """What `action` gives, or the errno of what it raises."""
    try:
        return action()
    except OSError as error:
        return error.errno
