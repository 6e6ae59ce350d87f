"""What maps, callbacks, locks, timers, atomics, tail calls and sockets do in programs, on each CPU version."""

from __future__ import annotations

import pytest
from skverdict.codegen import Target, build
from skverdict.runtime import Simulator, Socket

from tests.dsl.policy_kit import compiled

CPUS = ("v1", "v2", "v3", "v4")
each_cpu = pytest.mark.parametrize("cpu", CPUS)
WATCHED = "watched = SockMap(max_entries=4)\n"


class Sender:
    """A policy whose msg_verdict `program` judges what one socket sends."""

    def __init__(self, text: str, cpu: str) -> None:
        self.sim = Simulator(build(compiled(WATCHED + text), Target(cpu)), hazards="ideal")
        self.sim.attach("watched", msg_verdict="program")
        self.sender, self.receiver = self.sim.tcp_pair(server_port=80)
        self.sim.maps["watched"][0] = self.sender

    def passes(self, size: int = 1) -> bool:
        """Whether a message of `size` bytes arrives."""
        try:
            self.sender.send(b"x" * size)
        except PermissionError:
            return False
        return self.receiver.recv_all() == b"x" * size


def receiver(text: str, cpu: str) -> tuple[Simulator, Socket, Socket]:
    """A policy whose stream_verdict `program` judges what one socket receives: the client and that server."""
    sim = Simulator(build(compiled(WATCHED + text), Target(cpu)))
    sim.attach("watched", verdict="program")
    client, server = sim.tcp_pair(server_port=80)
    sim.maps["watched"][0] = server
    return sim, client, server


BEST = """
class Best(Struct):
    key: u32
    value: u64
    visited: u32

counts = HashMap(key=u32, value=u64, max_entries=64)
best = ArrayMap(value=Best, max_entries=1)

@subprogram
def better(key: u32, count: Cell[u64], best: Best) -> i32:
    best.visited += 1
    if count.value > best.value:
        best.key = key
        best.value = count.value
    if count.value == 999:
        return 1
    return 0

@msg_verdict
def program(msg: SkMsg) -> i32:
    found = Best()
    counts.for_each(better, found)
    best.update(0, found)
    return SK_PASS
"""


@each_cpu
def test_each_entry_is_visited_until_the_function_gives_1(cpu: str) -> None:
    sender = Sender(BEST, cpu)
    counts = sender.sim.maps["counts"]
    for key, count in ((7, 40), (9, 50), (11, 30)):
        counts[key] = count
    assert sender.passes()
    best = sender.sim.maps["best"][0]
    assert (best.key, best.value, best.visited) == (9, 50, 3)
    for key in (7, 9, 11):
        counts[key] = 999
    assert sender.passes()
    assert sender.sim.maps["best"][0].visited == 1


LOOP = """
from skverdict.dsl.helpers import bpf_loop

class Sum(Struct):
    total: u64
    most: u32

results = ArrayMap(value=u64, max_entries=2)

@inline
def add(index: u32, sum: Sum) -> i32:
    sum.total += index
    return 1 if index == sum.most else 0

@msg_verdict
def program(msg: SkMsg) -> i32:
    sum = Sum(most=msg.size)
    turns = bpf_loop(100, add, sum)
    results.update(0, sum.total)
    results.update(1, u64(turns))
    return SK_PASS
"""


@each_cpu
def test_bpf_loop_counts_and_hands_the_context_on(cpu: str) -> None:
    sender = Sender(LOOP, cpu)
    assert sender.passes(10)
    assert list(sender.sim.maps["results"].values()) == [55, 11]
    assert sender.passes(500)
    assert list(sender.sim.maps["results"].values()) == [4950, 100]


BUCKET = """
class Bucket(Struct):
    lock: bpf_spin_lock
    tokens: u32
    refused: u64

buckets = ArrayMap(value=Bucket, max_entries=2)

@msg_verdict
def program(msg: SkMsg) -> i32:
    size = msg.size
    for index in (0, 1):
        bucket = buckets.lookup(index)
        if bucket is None:
            return SK_DROP
        with bucket.lock:
            if bucket.tokens < size:
                bucket.refused += 1
                continue
            bucket.tokens -= size
            return SK_PASS
    return SK_DROP
"""


@each_cpu
def test_a_lock_is_free_again_however_its_block_is_left(cpu: str) -> None:
    sender = Sender(BUCKET, cpu)
    buckets = sender.sim.maps["buckets"]
    buckets[0], buckets[1] = {"tokens": 5, "refused": 0}, {"tokens": 20, "refused": 0}
    assert [sender.passes(size) for size in (4, 4, 15, 15)] == [True, True, True, False]
    assert [(bucket.tokens, bucket.refused) for bucket in buckets.values()] == [(1, 3), (1, 1)]


TIMER = """
from skverdict.dsl.helpers import bpf_timer_cancel, bpf_timer_init, bpf_timer_set_callback, bpf_timer_start

class Session(Struct):
    timer: bpf_timer
    ticks: u64

sessions = HashMap(key=u32, value=Session, max_entries=4)

@subprogram
def tick(key: u32, session: Session) -> i32:
    session.ticks += 1
    if session.ticks < 3:
        bpf_timer_start(session.timer, 1_000_000_000, 0)
    else:
        sessions.delete(key)
    return 0

@msg_verdict
def program(msg: SkMsg) -> i32:
    session = sessions.lookup(msg.size)
    if session is None:
        sessions.update(msg.size, Session())
        session = sessions.lookup(msg.size)
        if session is None:
            return SK_DROP
        bpf_timer_init(session.timer, sessions, CLOCK_MONOTONIC)
        bpf_timer_set_callback(session.timer, tick)
        bpf_timer_start(session.timer, 1_000_000_000, 0)
        return SK_PASS
    return SK_PASS if bpf_timer_cancel(session.timer) == 1 else SK_DROP
"""


@each_cpu
def test_a_timer_starts_itself_again_and_deletes_its_entry(cpu: str) -> None:
    sender = Sender(TIMER, cpu)
    sessions = sender.sim.maps["sessions"]
    assert sender.passes(5)
    sender.sim.wait(1.5)
    assert sessions[5].ticks == 1
    sender.sim.wait(1)
    assert sessions[5].ticks == 2
    sender.sim.wait(1)
    assert 5 not in sessions
    assert sender.passes(6)
    assert sender.passes(6), "a timer that runs is cancelled"
    assert not sender.passes(6), "and then runs no more"
    sender.sim.wait(5)
    assert sessions[6].ticks == 0


ATOMICS = """
class Stats(Struct):
    packets: u64
    bytes: u32
    flags: u64
    owner: u32
    before: u64

table = ArrayMap(value=Stats, max_entries=1)
total = Global(u64, 7)

@msg_verdict
def program(msg: SkMsg) -> i32:
    stats = table.lookup(0)
    if stats is None:
        return SK_DROP
    atomic_add(stats.packets, 2)
    atomic_add(stats.bytes, msg.size)
    atomic_add(total.value, 1)
    {more}
    return SK_PASS
"""
WITH_RESULTS = """
    stats.before = atomic_add(total.value, 10)
    atomic_or(stats.flags, 12)
    atomic_and(stats.flags, 10)
    atomic_xor(stats.flags, 1)
    last = atomic_exchange(stats.owner, 5)
    if atomic_compare_exchange(stats.owner, 5, last + 6) != 5:
        return SK_DROP
    if atomic_compare_exchange(stats.owner, 99, 100) == 99:
        return SK_DROP
"""


@each_cpu
def test_atomic_additions(cpu: str) -> None:
    sender = Sender(ATOMICS.format(more=""), cpu)
    assert sender.passes(10)
    assert sender.passes(30)
    stats = sender.sim.maps["table"][0]
    assert (stats.packets, stats.bytes, sender.sim.globals["total"]) == (4, 40, 9)


@pytest.mark.parametrize("cpu", ["v3", "v4"])
def test_atomics_give_what_was_there_before(cpu: str) -> None:
    sender = Sender(ATOMICS.format(more=WITH_RESULTS), cpu)
    assert sender.passes()
    stats = sender.sim.maps["table"][0]
    assert (stats.before, stats.flags, stats.owner, sender.sim.globals["total"]) == (8, 9, 6, 18)


TAIL = """
ran = ArrayMap(value=u64, max_entries=3)

@inline
def mark(index: u32) -> None:
    entry = ran.lookup(index)
    if entry is not None:
        entry.value += 1

@msg_verdict
def refuse(msg: SkMsg) -> i32:
    mark(0)
    return SK_DROP

@msg_verdict
def allow(msg: SkMsg) -> i32:
    mark(1)
    return SK_PASS

stages = ProgramArray(max_entries=4, programs={1: refuse, 2: allow})

@subprogram
def go_on(msg: SkMsg, stage: u32) -> i32:
    stages.tail_call(msg, stage)
    mark(2)
    return SK_PASS

@msg_verdict
def program(msg: SkMsg) -> i32:
    return go_on(msg, msg.size)
"""


@each_cpu
def test_what_a_program_gives_that_was_gone_on_to_is_what_the_caller_gets(cpu: str) -> None:
    """Not what the function alone would give, which is always the same here."""
    sender = Sender(TAIL.replace("return go_on(msg, msg.size)", "return 1 - go_on(msg, msg.size)"), cpu)
    assert [sender.passes(size) for size in (1, 2, 3)] == [True, False, False]


@each_cpu
def test_a_tail_call_does_not_come_back_unless_there_is_no_program(cpu: str) -> None:
    sender = Sender(TAIL, cpu)
    assert [sender.passes(size) for size in (1, 2, 3, 4)] == [False, True, True, True]
    assert list(sender.sim.maps["ran"].values()) == [1, 1, 2]


MAPS = """
class Item(Struct):
    size: u32
    stamp: u64

class Prefix(Struct):
    bits: u32
    address: be32

queue = Queue(value=Item, max_entries=2)
stack = Stack(value=u32, max_entries=2)
seen = BloomFilter(value=u32, max_entries=64)
networks = LpmTrie(key=Prefix, value=u32, max_entries=8)
one = HashMap(key=u32, value=u64, max_entries=8)
two = HashMap(key=u32, value=u64, max_entries=8)
tables = ArrayOfMaps(inner=HashMap(key=u32, value=u64, max_entries=8), max_entries=2, maps=[one, two])
per_cpu = PerCpuArray(value=u64, max_entries=1)
beside = SkStorage(value=u64)
events = RingBuffer(max_entries=4096)

@msg_verdict
def program(msg: SkMsg) -> i32:
    size = msg.size
    table = tables.lookup(size & 1)
    if table is None:
        return SK_DROP
    table.update(size, 7)
    count = per_cpu.lookup(0)
    if count is not None:
        count.value += size
    sent = beside.get(msg.sk, 100, BPF_SK_STORAGE_GET_F_CREATE)
    if sent is not None:
        sent.value += size
    event = events.reserve(Item)
    if event is not None:
        event.size = size
        event.stamp = sent.value if sent is not None else 0
        if size == 9:
            events.discard(event)
        else:
            events.submit(event)
    if size == 1:
        queue.push(Item(size=5, stamp=50))
        queue.push(Item(size=6, stamp=60))
        stack.push(5)
        stack.push(6)
        seen.push(1)
        return SK_PASS
    if size == 2:
        item = queue.pop()
        top = stack.pop()
        if item is None or top is None:
            return SK_DROP
        return SK_PASS if item.stamp == 50 and top.value == 6 and 1 in seen and 4096 not in seen else SK_DROP
    network = networks.lookup(Prefix(bits=32, address=msg.remote_ip4))
    return SK_PASS if network is not None and network.value == size else SK_DROP
"""


@each_cpu
def test_maps_of_every_kind(cpu: str) -> None:
    sender = Sender(MAPS, cpu)
    sim = sender.sim
    sim.maps["networks"][{"bits": 8, "address": 0x7F000000}] = 9
    sim.maps["networks"][{"bits": 24, "address": 0x7F010000}] = 10
    assert [sender.passes(size) for size in (1, 2, 9, 10)] == [True, True, True, False]
    assert dict(sim.maps["one"]) == {2: 7, 10: 7}
    assert dict(sim.maps["two"]) == {1: 7, 9: 7}
    assert sum(sim.maps["per_cpu"][0]) == 22
    assert sim.maps["beside"][sender.sender] == 122


SOCKETS = """
class Tuple(Struct):
    saddr: be32
    daddr: be32
    sport: be16
    dport: be16

states = ArrayMap(value=u32, max_entries=2)

@stream_verdict
def program(skb: SkSkb) -> i32:
    wanted = Tuple(daddr=skb.local_ip4, dport=be16(u16(skb.local_port)))
    if skb.len == 2:
        wanted = Tuple(
            saddr=skb.remote_ip4, sport=be16(u16(skb.remote_port.host())),
            daddr=skb.local_ip4, dport=be16(u16(skb.local_port)),
        )
    sk = skb.skc_lookup_tcp(wanted)
    if sk is None:
        return SK_DROP
    states.update(0, sk.state)
    states.update(1, sk.src_port)
    sk.release()
    return SK_PASS
"""


@each_cpu
def test_a_socket_that_is_looked_up(cpu: str) -> None:
    sim, client, server = receiver(SOCKETS, cpu)
    client.send(b"ab")
    assert server.recv_all() == b"ab"
    assert list(sim.maps["states"].values()) == [1, 80]
    client.send(b"abc")
    assert list(sim.maps["states"].values()) in ([1, 80], [10, 80])


PLACES = """
class Table(Struct):
    slots: Array[u32, 10]
    names: Array[u8, 7]

tables = ArrayMap(value=Table, max_entries=1)

@stream_verdict
def program(skb: SkSkb) -> i32:
    if skb.pull_data(min(skb.len, 64)) != 0:
        return SK_DROP
    table = tables.lookup(0)
    line = skb.data.view(Table, 1)
    if table is None or line is None:
        return SK_DROP
    first = skb.data[0]
    if first is None:
        return SK_DROP
    index = u32(first)
    table.slots[index % 10] += 1
    if 4 <= index < 11:
        table.names[index - 4] = line.names[index % 7]
    line.names[index % 7] = 90
    total: u32 = 0
    for i in range(index % 7, min(index, 7)):
        total += line.names[i]
    table.slots[9] = total
    return SK_PASS
"""


@each_cpu
def test_computed_places_in_entries_and_in_the_packet(cpu: str) -> None:
    for first in (0, 3, 4, 7, 10, 13, 200):
        sim, client, server = receiver(PLACES, cpu)
        names = bytes(range(100, 107))
        client.send(bytes([first]) + bytes(40) + names + bytes(1))
        table = sim.maps["tables"][0]
        changed = bytearray(names)
        changed[first % 7] = 90
        assert server.recv_all()[41:48] == bytes(changed)
        slots = [0] * 9
        if first % 10 < 9:
            slots[first % 10] = 1
        assert list(table.slots) == [*slots, sum(changed[first % 7 : min(first, 7)])]
        expected = bytearray(7)
        if 4 <= first < 11:
            expected[first - 4] = names[first % 7]
        assert bytes(table.names) == bytes(expected)
