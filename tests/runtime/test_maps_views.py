"""Maps through the simulator's views: like dictionaries, with types, batches, and the things in them."""

from __future__ import annotations

import errno

import pytest
from skverdict.codegen.assembler import assemble
from skverdict.codegen.object import MapSpec
from skverdict.dsl.catalogue.maps import MAPS
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.maps.base import MapError
from skverdict.runtime.maps.create import create_map
from skverdict.runtime.maps.map_view import MapView
from skverdict.runtime.maps.perf_event_array import PerfEvent, PerfRecord
from skverdict.runtime.maps.thing_views import view_of
from skverdict.runtime.maps.typed import ValueMismatch
from skverdict.runtime.maps.user_side import BPF_F_WRONLY, BatchError
from skverdict.runtime.maps.view import QueueView
from skverdict.runtime.simulator import Simulator

from tests.runtime.special_values import BTF, LOCKED, TIMED, declared


def view(kind: str = "hash", entries: int = 8, value: int = 8) -> MapView:
    """A map whose keys and values are numbers."""
    required = MAPS[kind].required
    return MapView(create_map(MapSpec("m", MAPS[kind].map_type, 4, value, entries, required)))


def typed(kind: str, value_type: int) -> MapView:
    return MapView(create_map(declared(kind, value_type), btf=BTF), BTF)


# Like a dictionary


def test_a_map_is_used_like_a_dictionary() -> None:
    entries = view()
    entries[3] = 30
    entries[1] = 10
    assert (entries[3], entries.get(9), entries.get(9, 5)) == (30, None, 5)
    assert (1 in entries, 9 in entries) == (True, False)
    assert entries.keys() == list(entries) == [3, 1]
    assert entries.values() == [30, 10]
    assert dict(entries.items()) == {3: 30, 1: 10}
    assert len(entries) == 2
    assert entries.next_key() == 3
    assert entries.next_key(3) == 1
    assert entries.take(3) == 30
    del entries[1]
    with pytest.raises(OSError) as caught:
        entries[1]
    assert caught.value.errno == errno.ENOENT
    with pytest.raises(KernelError):
        entries.next_key()


@pytest.mark.parametrize("kind", ["queue", "bloom_filter"])
def test_maps_without_keys_are_frozen_and_closed_as_others(kind: str) -> None:
    values = view_of(create_map(MapSpec("m", MAPS[kind].map_type, 0, 8, 2)), None, {})
    assert isinstance(values, QueueView)
    values.push(b"contents")
    values.raw.freeze()
    with pytest.raises(KernelError, match="EPERM"):
        values.push(b"contents")
    closed = view_of(create_map(MapSpec("m", MAPS[kind].map_type, 0, 8, 2, BPF_F_WRONLY)), None, {})
    assert isinstance(closed, QueueView)
    with pytest.raises(KernelError, match="EPERM"):
        _ = b"contents" in closed if kind == "bloom_filter" else closed.peek()


def test_batches_have_types() -> None:
    entries = view(entries=5)
    entries.update_batch({1: 10, 2: 20})
    entries.update_batch([(3, 30), (4, 40)])
    first = entries.lookup_batch(3)
    assert first.entries == [(1, 10), (2, 20), (3, 30)]
    assert entries.lookup_batch(3, first.cursor).entries == [(4, 40)]
    with pytest.raises(BatchError) as caught:
        entries.update_batch({5: 50, 6: 60})
    assert (caught.value.done, caught.value.number) == (1, Errno.E2BIG)
    with pytest.raises(ValueMismatch, match="value of m: -1 is not between"):
        entries.update_batch({1: -1})
    entries.delete_batch([1, 2])
    assert entries.lookup_and_delete_batch(9) == ([(3, 30), (4, 40), (5, 50)], None)
    assert len(entries) == 0


def test_a_frozen_view() -> None:
    values = view("array")
    values.freeze()
    with pytest.raises(OSError) as caught:
        values[0] = 1
    assert caught.value.errno == errno.EPERM


def test_a_lock_is_no_part_of_a_value() -> None:
    values = typed("array", LOCKED)
    values.update(1, {"count": 4, "total": 5}, 4)
    assert values[1] == {"count": 4, "total": 5}
    assert typed("hash", TIMED).get(1) is None


def test_a_map_of_bytes_without_the_rarer_commands() -> None:
    class Plain:
        """As little of a map as a view needs."""

        spec = MapSpec("m", 1, 4, 4, 1)
        name, kind, key_size, value_size, order = "m", "hash", 4, 4, "little"

    with pytest.raises(KernelError, match="map m is not reached by this command"):
        MapView(Plain()).lookup_batch(1)  # type: ignore[arg-type]


# Things in maps

OBJECT = """
license "GPL"
map table hash key 4 value 8 max_entries 4 flags 0
map tables hash_of_maps key 4 value 4 max_entries 4 flags 0
    inner hash key 4 value 8 max_entries 9 flags 0
map jumps prog_array key 4 value 4 max_entries 3 flags 0
    at 1 pass
map events perf_event_array key 4 value 4 max_entries 0 flags 0
map beside sk_storage key 4 value 8 max_entries 0 flags 1
map sockets sockmap key 4 value 8 max_entries 4 flags 0
map each percpu_array key 4 value 8 max_entries 1 flags 0

program main sk_msg
    r6 = r1
    r2 = map[jumps] ll
    r3 = 0
    call bpf_tail_call
    *(u64 *)(r10 - 8) = 0x2a
    r1 = r6
    r2 = map[events] ll
    r3 = 0xffffffff ll
    r4 = r10
    r4 += -8
    r5 = 8
    call bpf_perf_event_output
    r2 = *(u64 *)(r6 + 72)
    r1 = map[beside] ll
    r3 = 0
    r4 = 0
    call bpf_sk_storage_get
    if r0 == 0 goto out
    r1 = *(u64 *)(r0 + 0)
    r1 += 1
    *(u64 *)(r0 + 0) = r1
out:
    r0 = 1
    exit
program pass sk_msg
    r0 = 1
    exit
program drop sk_msg
    r0 = 0
    exit
program other sk_skb/stream_verdict
    r0 = 1
    exit
"""


@pytest.fixture
def simulator() -> Simulator:
    made = Simulator(assemble(OBJECT), cpus=2)
    made.attach("sockets", msg_verdict="main")
    return made


def test_maps_are_put_into_maps(simulator: Simulator) -> None:
    tables, table = simulator.maps["tables"], simulator.maps["table"]
    tables[1] = table
    new = tables.create()
    new[7] = 70
    tables.update(2, new, 1)
    assert tables.map(1) is table
    assert tables.map(2)[7] == 70
    assert tables.map(3) is None
    assert tables[1] != tables[2]
    del tables[1]
    assert tables.keys() == [2]
    with pytest.raises(ValueMismatch, match="value of tables: 5 is no map"):
        tables[1] = 5
    with pytest.raises(OSError, match="map sockets is not like the maps in tables"):
        tables[1] = simulator.maps["sockets"]


def test_programs_are_put_into_arrays(simulator: Simulator) -> None:
    jumps = simulator.maps["jumps"]
    assert dict(jumps.items()) == {1: 2}
    client, _ = simulator.tcp_pair()
    simulator.maps["sockets"][0] = client
    jumps[0] = "drop"
    with pytest.raises(OSError) as caught:
        client.send(b"x")
    assert caught.value.errno == errno.EACCES
    jumps[0] = simulator.programs["pass"]
    client, server = simulator.tcp_pair()
    simulator.maps["sockets"][1] = client
    assert client.send(b"x") == 1
    assert server.recv(9) == b"x"
    del jumps[0]
    assert 0 not in jumps
    with pytest.raises(ValueMismatch, match="'gone' is no program; there are main, pass, drop, other"):
        jumps[0] = "gone"
    with pytest.raises(OSError, match="map jumps is for msg_verdict programs"):
        jumps[0] = "other"


def test_records_are_read_from_opened_events(simulator: Simulator) -> None:
    events = simulator.maps["events"]
    client, _ = simulator.tcp_pair()
    simulator.maps["sockets"][0] = client
    client.send(b"x")
    assert any("bpf_perf_event_output" in str(event) and "-ENOENT" in str(event) for event in simulator.trace)
    with pytest.raises(OSError, match="map events has no open events"):
        list(events.records())
    events.open(cpus=2)
    client.send(b"x")
    simulator.environment.cpu = 1
    client.send(b"x")
    content = b"\x2a" + bytes(11)
    assert list(events.records()) == [PerfRecord(0, content), PerfRecord(1, content)]
    assert list(events.records()) == []
    assert events.lost == 0
    events[0] = PerfEvent(1)
    with pytest.raises(ValueMismatch, match="is no perf event"):
        events[0] = 7
    with pytest.raises(ValueMismatch, match="5000 bytes are no power of 2"):
        events.open(5000)


def test_values_are_kept_beside_sockets(simulator: Simulator) -> None:
    beside = simulator.maps["beside"]
    client, server = simulator.tcp_pair()
    simulator.maps["sockets"][0] = client
    beside[client] = 5
    client.send(b"x")
    assert (beside[client], client in beside, server in beside, len(beside)) == (6, True, False, 1)
    with pytest.raises(OSError, match="map beside has no value"):
        beside[server]
    del beside[client]
    assert client not in beside
    with pytest.raises(ValueMismatch, match="key of beside: 1 is no socket"):
        beside[1] = 1


def test_a_machine_of_several_cpus(simulator: Simulator) -> None:
    assert simulator.maps["each"][0] == [0, 0]
    simulator.maps["each"][0] = [1, 2]
    assert simulator.maps["each"][0] == [1, 2]


def test_sizes_of_maps_can_be_set() -> None:
    object_ = assemble(OBJECT)
    assert len(list(Simulator(object_, max_entries={"jumps": 7}).maps["jumps"])) == 7
    with pytest.raises(MapError, match="map table: a hash needs max_entries"):
        Simulator(object_, max_entries={"table": 0})


TIMER = """
license "GPL"
map values array key 4 value 24 max_entries 1 flags 0
map sockets sockmap key 4 value 8 max_entries 4 flags 0
program main sk_msg
    *(u32 *)(r10 - 4) = 0
    r1 = map[values] ll
    r2 = r10
    r2 += -4
    call bpf_map_lookup_elem
    r6 = r0
    r1 = r6
    r1 += 8
    r2 = map[values] ll
    r3 = 1
    call bpf_timer_init
    r1 = r6
    r1 += 8
    r2 = function[expired] ll
    call bpf_timer_set_callback
    r1 = r6
    r1 += 8
    r2 = 1000000
    r3 = 0
    call bpf_timer_start
    r0 = 1
    exit
expired:
    r6 = r3
    call bpf_ktime_get_ns
    *(u64 *)(r6 + 0) = r0
    r0 = 0
    exit
"""


def test_timers_expire_when_time_passes() -> None:
    from dataclasses import replace

    object_ = assemble(TIMER)
    maps = {**object_.maps, "values": replace(object_.maps["values"], value_type_id=TIMED)}
    simulator = Simulator(replace(object_, maps=maps, btf=BTF))
    simulator.attach("sockets", msg_verdict="main")
    client, _ = simulator.tcp_pair()
    simulator.maps["sockets"][0] = client
    start = simulator.environment.clock_ns
    client.send(b"x")
    simulator.wait(0.0009)
    assert simulator.maps["values"][0] == {"total": 0}
    simulator.wait(1)
    assert simulator.maps["values"][0] == {"total": start + 1_000_000}
    shown = [str(event) for event in simulator.trace]
    assert "values: a timer expired, for which main has run" in shown
    assert any(line.startswith("main: bpf_ktime_get_ns()") for line in shown)
