"""Views, maps and records in ordinary Python do what they do in programs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from skverdict.codegen import Target
from skverdict.dsl import (
    Array,
    Message,
    PolicyError,
    SkMsg,
    SkSkb,
    Struct,
    be16,
    be32,
    c_types,
    load_policy,
    u8,
    u16,
    u32,
)

from tests.dsl.policy_kit import Machine

POLICY = '''
from skverdict.dsl import *
from skverdict.dsl.helpers import bpf_loop

class Header(Struct, packed=True):
    kind: u8
    length: be16
    ports: Array[u16, 2]

class Stats(Struct):
    packets: u32
    bytes: u64

class Prefix(Struct):
    bits: u32
    address: be32

class Sum(Struct):
    total: u64

counts = HashMap(key=u32, value=u64, max_entries=2)
stats = ArrayMap(value=Stats, max_entries=4)
networks = LpmTrie(key=Prefix, value=u32, max_entries=8, flags=BPF_F_NO_PREALLOC)
waiting = Queue(value=Header, max_entries=2)
sums = ArrayMap(value=Sum, max_entries=1)

@inline
def add(index: u32, sum: Sum) -> i32:
    sum.total += index
    return 1 if sum.total > 20 else 0

@skb_verdict
def program(skb: SkSkb) -> i32:
    header = skb.data.view(Header, 1)
    if header is None:
        return -1
    header.kind += 200
    header.ports[1] = header.ports[0] - 1
    if waiting.push(header) != 0:
        waiting.pop()
    count = counts.lookup(skb.local_port)
    if count is None:
        if counts.update(skb.local_port, 1, BPF_NOEXIST) != 0:
            return -2
    else:
        count.value += header.length.host()
    entry = stats.lookup(skb.hash)
    if entry is not None:
        atomic_add(entry.packets, 1)
        entry.bytes -= skb.len
    network = networks.lookup(Prefix(bits=32, address=skb.remote_ip4))
    sum = Sum(total=skb.hash)
    turns = bpf_loop(10, add, sum)
    sums.update(0, sum)
    match skb.data:
        case b"\\1\\2":
            return 100 + i32(turns)
        case b"GET ":
            return 5 if network is None else 6 + i32(network.value)
    if skb.data[1:3] == b"ab" or b"zz" in skb.data[0:12]:
        return 7
    return 8 if 80 in counts and skb.data[2:].startswith(b"q") else 9
'''

RUNS: tuple[tuple[bytes, dict[str, Any]], ...] = (
    (b"\1\2\0\5\7\0\0\0", {"local_port": 80, "hash": 0, "len": 8}),
    (b"\1\2\0\5\7\0\0\0", {"local_port": 80, "hash": 1, "len": 3}),
    (b"GET / HTTP", {"local_port": 81, "hash": 3, "remote_ip4": be32(0x0A010203)}),
    (b"GET / HTTP", {"local_port": 80, "hash": 4, "remote_ip4": be32(0x0A020203)}),
    (b"GET / HTTP", {"local_port": 80, "hash": 9, "remote_ip4": be32(0x0B020203)}),
    (b"G}T / HTTP", {"local_port": 81, "hash": 3, "remote_ip4": be32(0x0A010203)}),
    (b"G}T / HTTP", {"local_port": 80, "hash": 4, "remote_ip4": be32(0x0A020203)}),
    (b"G}T / HTTP", {"local_port": 80, "hash": 9, "remote_ip4": be32(0x0B020203)}),
    (b"\1:\0\5\7\0\0\0", {"local_port": 80, "hash": 1}),
    (b"GET", {"local_port": 80, "hash": 0}),
    (b"xabcdefgh", {"local_port": 82, "hash": 2}),
    (b"xxqcdefghzz", {"local_port": 80, "hash": 2}),
    (b"xxqcdefghij", {"local_port": 80, "hash": 2}),
    (b"xxrcdefghij", {"local_port": 80, "hash": 2}),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "policy_of_places.py"
    path.write_text(POLICY)
    return path


@pytest.fixture
def plain(path: Path) -> Iterator[ModuleType]:
    """The policy as ordinary Python imports it."""
    with imported(path) as module:
        yield module


@contextmanager
def imported(path: Path) -> Iterator[ModuleType]:
    module = ModuleType(path.stem)
    sys.modules[module.__name__] = module
    exec(compile(path.read_text(), str(path), "exec"), module.__dict__)
    yield module
    del sys.modules[module.__name__]


def entries(map_: Any) -> list[tuple[bytes, bytes]]:
    """The entries of a simulated map, as bytes."""
    return sorted((bytes(key), map_.copy(key)) for key in map_.walk())


def packed(value: Struct | int, size: int) -> bytes:
    return value.pack() if isinstance(value, Struct) else int(value).to_bytes(size, sys.byteorder, signed=value < 0)


def test_a_policy_leaves_in_packets_and_maps_what_it_leaves_compiled(path: Path, plain: ModuleType) -> None:
    machine = Machine(load_policy(path), Target())
    for bits, address, value in ((8, 0x0A000000, 1), (16, 0x0A010000, 2)):
        prefix = plain.Prefix(bits=bits, address=be32(address))
        plain.networks[prefix] = value
        machine.maps["networks"].write(prefix.pack(), packed(value, 4), 0)
    results = []
    for content, fields in RUNS:
        packet = bytearray(content)
        numbers = {name: one.host() if isinstance(one, be32) else one for name, one in fields.items()}
        numbers = {"len": 0, "remote_ip4": 0, **numbers}
        skb = SkSkb(data=content, **fields)
        result = plain.program(skb)
        assert result == machine.run(packet, **numbers), (content, fields)
        results.append(int(result))
        assert skb.data.content == packet
    for name in ("counts", "stats", "sums"):
        declared = getattr(plain, name)
        assert sorted((packed(key, 4), packed(value, 8)) for key, value in declared.items()) == entries(
            machine.maps[name]
        )
    assert results == [9, 9, 9, 9, 9, 8, 7, 5, 107, -1, -2, 7, 8, 9]
    # Many went in, and each time that there were two one had to go.
    assert len(plain.waiting) == 1


class Header(Struct, packed=True):
    kind: u8
    length: be16
    ports: Array[u16, 2]


class Key(Struct):
    address: be32
    port: u32


def test_two_views_of_one_place_see_what_the_other_writes() -> None:
    data = SkMsg(data=bytes(range(10))).data
    header, kind = data.view(Header, 2), data.view(u8, 2)
    assert header is not None and kind is not None
    assert isinstance(header, Header) and header.length == be16(0x0304)
    kind.value = 77
    assert (header.kind, header.copy().kind, header.pack()[0]) == (77, 77, 77)
    header.ports[1] = 0x6161
    assert data[7:9] == b"aa" and data.view(u16, 7).value == 0x6161  # type: ignore[union-attr]
    assert header == header.copy() == header
    with pytest.raises(OverflowError):
        header.kind = 256
    with pytest.raises(IndexError, match="no element 2"):
        header.ports[2] = 1
    with pytest.raises(AttributeError, match="no member 'port'"):
        header.port = 1  # type: ignore[attr-defined]


def test_bytes_of_a_packet() -> None:
    data = SkSkb(data=b"GET /index").data
    assert data.view(be32, 7) is None and data[10] is None and data[0] == ord("G")
    assert data[0:4] == b"GET " and data[0:4] != b"GET" and data[4:] == b"/in" and data[8:12] != b"ex"
    assert data[0:3] in (b"PUT", b"GET") and b"/i" in data[2:8] and data[4:].startswith((b"/", b"*"))
    with pytest.raises(IndexError, match="from the start"):
        _ = data[-1]


def test_helpers_of_a_packet() -> None:
    skb, header = SkSkb(data=b"\1\0\2\3\0\4\0end"), Header(kind=9)
    assert skb.load_bytes(0, header) == 0 and header == Header(kind=1, length=be16(2), ports=[3, 4])
    assert skb.load_bytes(4, header) == -14 and header == Header()
    assert skb.store_bytes(7, b"END") == 0 and skb.data[7:] == b"END" and skb.store_bytes(8, header) == -14
    assert skb.pull_data(10) == 0 and skb.pull_data(11) < 0 and SkMsg(data=b"ab").pull_data(0, 3) < 0


def test_a_message() -> None:
    message = Message(data=b"\0\5ab", length=7, remote_port=be32(80))
    assert (len(message.data), message.length, message.remote_port.host()) == (4, 7, 80)
    assert message.remote_ip6[3] == be32(0) and message.sk is None
    with pytest.raises(TypeError, match="Message has no field 'len'"):
        Message(len=3)


def test_bit_fields_of_a_view() -> None:
    tcp = c_types("struct flags { unsigned char low : 4, high : 4; unsigned char rest; };").flags
    data = SkSkb(data=b"\x53\x01").data
    view = data.view(tcp, 0)
    assert view is not None and {view.low, view.high} == {3, 5}
    view.low = 9
    assert {data.content[0] & 15, data.content[0] >> 4} == ({9, 5} if view.high == 5 else {9, 3})


def test_maps_are_dicts_of_the_declared_types(plain: ModuleType) -> None:
    counts = plain.counts
    counts[80] = 3
    assert (counts[80], type(counts[80]).__name__) == (3, "u64")
    assert (list(counts), len(counts), 81 in counts) == ([80], 1, False)
    assert counts.update(80, 4, 1) == -17 and counts.update(81, 4, 2) == -2 and counts.delete(81) == -2
    counts[81] = 1
    assert counts.update(82, 1) == -7
    with pytest.raises(OSError, match="takes no entry 82"):
        counts[82] = 1
    with pytest.raises(KeyError):
        _ = counts[90]
    with pytest.raises(OverflowError):
        counts[2**32] = 1
    with pytest.raises(AttributeError, match="`redirect` of a HashMap exists only inside"):
        counts.redirect(1)
    plain.stats[1].packets = 9
    assert plain.stats[1] == plain.Stats(packets=9) and plain.stats.lookup(4) is None
    assert plain.stats.update(4, plain.Stats()) == -7 and plain.stats.delete(1) == -22


KINDS = '''
from skverdict.dsl import *

class Key(Struct):
    address: be32
    port: u32

class Bucket(Struct):
    lock: bpf_spin_lock
    tokens: u32

buckets = ArrayMap(value=Bucket, max_entries=1)
recent = LruHashMap(key=u32, value=u32, max_entries=2)
peers = SockHash(key=Key, max_entries=2)
rest = Stack(value=u32, max_entries=2)
seen = BloomFilter(value=Key, max_entries=2)
events = RingBuffer(max_entries=4096)
beside = SkStorage(value=u64)
'''


def test_other_kinds_of_maps() -> None:
    names: dict[str, Any] = {"__name__": "kinds"}
    exec(KINDS, names)
    recent, key = names["recent"], names["Key"](address=be32(1), port=2)
    recent[1], recent[2] = 10, 20
    assert recent.lookup(1).value == 10
    recent[3] = 30
    assert sorted(recent) == [1, 3]
    names["peers"][key] = "the socket"
    assert names["peers"].redirect(SkSkb(), key) == 1 and names["peers"].redirect(SkSkb(), names["Key"]()) == 0
    rest = names["rest"]
    assert [rest.push(1), rest.push(2), rest.push(3), rest.push(4, 2)] == [0, 0, -7, 0]
    assert (rest.pop().value, rest.peek().value, len(rest)) == (4, 2, 1)
    names["seen"].push(key)
    assert key in names["seen"] and names["Key"]() not in names["seen"]
    record = names["events"].reserve(names["Key"])
    record.port = 5
    names["events"].submit(record)
    names["events"].output(key)
    assert [one.port for one in names["events"]] == [5, 2]
    bucket = names["buckets"].lookup(0)
    with bucket.lock:
        bucket.tokens -= 1
    assert names["buckets"][0].tokens == 2**32 - 1
    sk = object()
    assert names["beside"].get(sk) is None
    names["beside"].get(sk, flags=1).value += 3
    assert names["beside"].get(sk).value == 3 and names["beside"].delete(sk) == 0


def test_a_map_has_no_entries_while_the_policy_is_compiled(tmp_path: Path) -> None:
    path = tmp_path / "policy.py"
    path.write_text(POLICY + "\ncounts[1] = 5\n")
    with pytest.raises(PolicyError, match="a HashMap has no entries while the policy is compiled"):
        load_policy(path)


UPDATES = """
from skverdict.dsl import *

hashed = HashMap(key=u32, value=u64, max_entries=2)
recent = LruHashMap(key=u32, value=u64, max_entries=2)
fixed = ArrayMap(value=u64, max_entries=2)
out = ArrayMap(value=i64, max_entries=2)

@skb_verdict
def program(skb: SkSkb) -> i32:
    {map}.update(1, 10)
    place = {map}.lookup(1)
    out.update(0, {map}.update(skb.local_port, 5, {flags}))
    if place is not None:
        out.update(1, i64(place.value))
    return SK_PASS
"""


@pytest.mark.parametrize("flags", [0, 1, 2, 3, 4, 5, 8, 1 << 40])
@pytest.mark.parametrize("name", ["hashed", "recent", "fixed"])
def test_updates_answer_and_leave_what_they_do_in_programs(name: str, flags: int, tmp_path: Path) -> None:
    path = tmp_path / "policy_of_updates.py"
    path.write_text(UPDATES.format(map=name, flags=flags))
    machine = Machine(load_policy(path), Target())
    with imported(path) as plain:
        for port in (1, 0, 7):
            skb = SkSkb(data=b"abcd", local_port=port)
            assert plain.program(skb) == machine.run(b"abcd", local_port=port)
            assert [packed(value, 8) for value in plain.out.values()] == [
                value for _, value in entries(machine.maps["out"])
            ]


OTHERS = """
from skverdict.dsl import *

class Prefix(Struct):
    bits: u32
    address: be32

networks = LpmTrie(key=Prefix, value=u32, max_entries=1, flags=BPF_F_NO_PREALLOC)
waiting = Queue(value=u32, max_entries=1)
seen = BloomFilter(value=u32, max_entries=4)
out = ArrayMap(value=i64, max_entries=4)

@skb_verdict
def program(skb: SkSkb) -> i32:
    out.update(0, networks.update(Prefix(bits=8, address=skb.remote_ip4), 1, {flags}))
    out.update(1, waiting.push(1, {flags}))
    out.update(2, waiting.push(2, {flags}))
    out.update(3, seen.push(1, {flags}))
    return SK_PASS
"""


@pytest.mark.parametrize("flags", [0, 1, 2, 3, 4, 8])
def test_other_maps_answer_what_they_do_in_programs(flags: int, tmp_path: Path) -> None:
    path = tmp_path / "policy_of_others.py"
    path.write_text(OTHERS.format(flags=flags))
    machine = Machine(load_policy(path), Target())
    with imported(path) as plain:
        for address in (0x0A000000, 0x0B000000, 0x0A000000):
            skb = SkSkb(data=b"abcd", remote_ip4=be32(address))
            assert plain.program(skb) == machine.run(b"abcd", remote_ip4=address)
            assert [packed(value, 8) for value in plain.out.values()] == [
                value for _, value in entries(machine.maps["out"])
            ]


POSITIONS = """
from skverdict.dsl import *

class Names(Struct):
    text: Array[u8, 300]

@inline
def at_typed(skb: SkSkb, first: u8, more: u8) -> i32:
    byte = skb.data[first + more]
    return -3 if byte is None else i32(byte)

@skb_verdict
def program(skb: SkSkb) -> i32:
    first = skb.data[0]
    if first is None:
        return -1
    {}
    return -2
"""


@pytest.mark.parametrize(
    "body",
    [
        "if (byte := skb.data[44 + first]) is not None:\n        return i32(byte)",
        "if (byte := skb.data[first + 5 - 2]) is not None:\n        return i32(byte)",
        "if (byte := skb.data[first - 1]) is not None:\n        return i32(byte)",
        "if (byte := skb.data[first - 3 + 44]) is not None:\n        return i32(byte)",
        "if (byte := skb.data[first + first + 1]) is not None:\n        return i32(byte)",
        "if (byte := skb.data[skb.len + 0xFFF]) is not None:\n        return i32(byte)",
        "if (byte := skb.data[skb.len * 4]) is not None:\n        return i32(byte)",
        "if (byte := skb.data[skb.hash + 5]) is not None:\n        return i32(byte)",
        "if skb.data[44 + first:48 + first] == b'\\4\\5\\6\\7':\n        return 7",
        "if (place := skb.data.view(u16, skb.len * 4)) is not None:\n        return i32(place.value)",
        # A variable holds what is cut, whatever it is used for.
        "at = skb.hash + 5\n    if (byte := skb.data[at]) is not None:\n        return i32(byte)",
        "at = first + 44\n    if (byte := skb.data[at + 1]) is not None:\n        return i32(byte)",
        "if (byte := skb.data[(at := first + 44) + 1]) is not None:\n        return i32(byte) + i32(at)",
        "if (byte := skb.data[256 + first]) is not None:\n        return i32(byte)",
        "if skb.data[256 + first:258 + first] != b'\\4\\5':\n        return 7",
        "if (byte := skb.data[2 * 4 + first]) is not None:\n        return i32(byte)",
        "if (byte := skb.data[first + len(b'GET ')]) is not None:\n        return i32(byte)",
        "if (byte := skb.data[first + (44 + first)]) is not None:\n        return i32(byte)",
        "if (byte := skb.data[first + u8(44)]) is not None:\n        return i32(byte)",
        "if (byte := skb.data[u8(44) + first + 300]) is not None:\n        return i32(byte)",
        "if (byte := skb.data[u8(250) + 300]) is not None:\n        return i32(byte)",
        "if (byte := skb.data[u8(250) + u8(44)]) is not None:\n        return i32(byte)",
        "if skb.data[first:first + u8(4)] == b'\\4\\5\\6\\7':\n        return 7",
        "if skb.data[first + u8(9):first + u8(11)] == b'\\4\\5':\n        return 7",
        "return at_typed(skb, first, 44)",
        "for i in (1, 2):\n        if (byte := skb.data[first + i + 5]) is not None:\n            return i32(byte)",
        "for i in range(3):\n        if (byte := skb.data[first + i]) == 9:\n            return i",
        "names = Names()\n    names.text[44 + 5] = 7\n    return u8(names.text[44 + first:45 + first] == b'\\7')",
        "names = Names()\n    names.text[44 + 5] = 7\n    return i32(names.text[first + 44])",
    ],
)
def test_positions_lead_where_they_do_in_programs(body: str, tmp_path: Path) -> None:
    path = tmp_path / "policy_of_positions.py"
    path.write_text(POSITIONS.format(body))
    machine = Machine(load_policy(path))
    with imported(path) as plain:
        for size in (1, 46, 300, 16383, 16384, 65535, 65536, 70000):
            for first in (0, 1, 4, 127, 212, 255):
                packet = bytes([first]) + bytes(number % 251 for number in range(size - 1))
                fields = {"len": size, "hash": 0xFFFFFFFE}
                assert plain.program(SkSkb(data=packet, **fields)) == machine.run(packet, **fields), (size, first)
