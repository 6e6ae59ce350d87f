"""Steps for any policy of the corpus: sockets, map contents and traffic that its declarations ask for.

Keys are made member by member of what the sockets really have (addresses, ports), values of small numbers;
what is sent begins with words that some policy of the corpus looks for.
"""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Literal

from hypothesis import strategies as st
from skverdict.dsl.catalogue.maps import COPIED, MAP, MAPS, MEMORY, SOCKET
from skverdict.dsl.ir.module import Map, Module
from skverdict.dsl.ir.types import Array, BigEndian, Int, Struct, Type, size_of

from tests.interop.stage import Step, step

Order = Literal["little", "big"]

# What the entries of the maps are that steps put something into.
FILLED = (MEMORY, COPIED, MAP)

LOCAL, OTHER = (int(IPv4Address(text)) for text in ("127.0.0.1", "127.0.0.2"))
ENDS = [(LOCAL, 10000, OTHER, 40000), (LOCAL, 10001, LOCAL, 40001), (LOCAL, 10005, OTHER, 1000)]
ADDRESSES = [LOCAL, OTHER]
PORTS = [10000, 10001, 10005, 40000, 40001, 1000]
SMALL = [0, 1, 2, 3, 4, 5, 7, 8, 12, 40]

# What the policies look for, each by its own name; to the others everything is just bytes.
WORDS: dict[str, list[bytes]] = {
    "parse_prefix": [b"\x00\x03abc", b"\x00\x00", b"\x10\x01", b"\x10\x00", b"\x00"],
    "parse_varint": [b"\x03abc", b"\x83\x00abc", b"\x80\x80\x80\x80\x80", b"\x81\x01" + bytes(129), b"\x80"],
    "verdict_dns": [
        b"\x00\x15\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com",
        b"\x00\x15\x12\x34\x81\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com",
        b"\x00\x15\x12\x34\x01\x00\x00\x02\x00\x00\x00\x00\x00\x00\x07example\x03com",
        b"\x00\x15\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x47other...\x03com",
    ],
    "verdict_knock": [b"alph", b"beta", b"gamm", b"delta", b"al"],
    "verdict_method": [b"GET /index", b"HEAD", b"POST data", b"PUT it", b"PAT", b"TRACE"],
    "verdict_payload": [b"\x00\x01\x00\x01rest", bytes([2, 0, 0, 1]) + bytes(4), b"\x01\x01\x00\x02aaaa"],
    "verdict_rewrite": [b"ACCT12345678 rest", b"ACCT", b"ACCU12345678 rest", b"ACCT12345678"],
    "verdict_sizes": [b"", b"x", b"xx", b"xxx", b"x" * 8, b"x" * 33],
    "verdict_tls": [
        b"\x16\x03\x01\x00\x05\x01hello", b"\x17\x03\x03\x00\x05\x01data", b"\x16\x04\x01\x00\x05\x01",
        b"\x16\x03\x05\x00\x05\x01", b"\x19\x03\x01\x00\x05\x01", b"\x16\x03\x03\x00\x05\x02", b"\x16\x03",
    ],
    "verdict_trim": [b"x" * 70, b"x" * 48, b"x" * 47, b"x" * 8, b"x"],
    "parse_touch": [b"x" * 10, b"x" * 9, b"x" * 12],
    "parse_partial": [b"abc", b"0123456789", b"0123456789" * 2],
    "verdict_tail": [b"Trim", b"Grow", b"Error", b"T", b"", b"x"],
    "bytes_total": [b"four", b"eight...", b"abc"],
    "msg_print": [b"x" * 8, b"x" * 7, b"\x01\xff" + bytes(8)],
    "msg_least": [b"", b"x", b"xx", b"x" * 12],
    "verdict_unwrap": [
        b"\x7e\x55\x02\x01\x00\x00\x00\x04abcd", b"\x7e\x55\x02\x01\x00\x00\x00\x05abcd",
        b"\x7e\x55\x01\x00\x00\x00\x00\x04abcd", b"\x7e\x56\x02\x01\x00\x00\x00\x04abcd", b"\x7e\x55\x02",
    ],
    "verdict_bloom": [b"bye", b"hello", b"four"],
    "verdict_chain": [b"", b"1234", b"12345678", b"123456789"],
    "verdict_survey": [b"x" * 24, b"x" * 40, b"x" * 51],
    "verdict_globals": [b"x" * 40, b"x" * 41, b"x" * 42, b"x"],
    "verdict_words": [b"no way", b"to  me", b"to \x21", b"to \x22 and on", b"to", b"yes!"],
    "msg_pause": [b"x" * 64, b"x" * 63, b"x" * 65, b"x"],
    "msg_budget": [b"x", b"xx", b"xxx", b"xxxx", b"x" * 12],
    "msg_beside": [b"x" * 8, b"x" * 33, b"x" * 40, b"x" * 41],
    "msg_zones": [b"", b"x", b"xx", b"xxx", b"xxxx", b"x" * 12],
    "msg_commands": [b"QUIT", b"HELP me please", b"AUTH", b"AUTH" + bytes(59), b"AUTH" + bytes(60), b"AU"],
    "msg_frames": [b"\x00\x00\x04\x01rest", bytes([1, 0, 0, 2]), bytes([0, 1, 0, 0]), bytes([0, 64, 1, 3])],
    "msg_netns": [b" ", b"~a", b"\x7f", b"\x1f", b"hello"],
    "msg_strip": [b"\x00\x00rest", b"\x00\x02restxx", b"\x01\x00rest", b"\x00\x05res", b"\x00"],
}  # fmt: skip


def messages(policy: str) -> st.SearchStrategy[bytes]:
    """What is sent to a policy: mostly what it looks for."""
    words = st.sampled_from(WORDS.get(policy, [b"some bytes", b"x" * 70, b""]))
    return st.one_of(words, words, words, st.binary(max_size=30))


def number_for(draw: st.DrawFn, name: str, type_: Int | BigEndian) -> int:
    """A number that something of that name and type may well be."""
    near = [value for value in (*SMALL, *PORTS) if value < 1 << type_.bits]
    if name == "length":
        near = [0, 8, 16, 24, 31, 32]
    if "label" in name:
        return draw(st.sampled_from([int.from_bytes(b"example\x03", "big"), 0]))
    if any(word in name for word in ("ip", "address", "client")) or (isinstance(type_, BigEndian)):
        wide = [value for value in (*ADDRESSES, *(value >> 8 for value in ADDRESSES)) if type_.bits >= 32]
        near = [*wide, *near]
    return draw(st.sampled_from(near))


def content(draw: st.DrawFn, type_: Type, order: Order, name: str = "") -> bytes:
    """The bytes of something of that type."""
    if isinstance(type_, (Int, BigEndian)):
        written: Order = "big" if isinstance(type_, BigEndian) else order
        return number_for(draw, name, type_).to_bytes(type_.bits // 8, written)
    if isinstance(type_, Array):
        return b"".join(content(draw, type_.element, order, name) for _ in range(type_.count))
    if isinstance(type_, Struct):
        made = bytearray(type_.size)
        end = draw(st.sampled_from(ENDS))
        for member in type_.members:
            filled = _of_end(member.name, end, member.type, order) if draw(st.booleans()) else None
            part = filled or content(draw, member.type, order, member.name)
            made[member.offset : member.offset + len(part)] = part
        return bytes(made)
    return draw(st.binary(min_size=size_of(type_), max_size=size_of(type_)))


def _of_end(name: str, end: tuple[int, int, int, int], type_: Type, order: Order) -> bytes | None:
    """What the server's end of a connection has under that name, or None."""
    names = {"local_ip": end[0], "local_port": end[1], "remote_ip": end[2], "remote_port": end[3]}
    if name not in names or not isinstance(type_, (Int, BigEndian)):
        return None
    return names[name].to_bytes(type_.bits // 8, "big" if isinstance(type_, BigEndian) else order)


@st.composite
def contents_of(draw: st.DrawFn, map_: Map, order: Order) -> list[Step]:
    """Entries for a map of numbers, and for one of maps of numbers."""
    steps = []
    if map_.kind == "array_of_maps":
        return steps  # those that it is declared with
    if map_.kind == "hash_of_maps":
        assert map_.key is not None and map_.inner is not None and map_.inner.value is not None
        for _ in range(draw(st.integers(0, 4))):
            inner = [(0, content(draw, map_.inner.value, order))]
            steps.append(step("fill", map_.name, content(draw, map_.key, order), inner))
        return steps
    assert map_.value is not None
    for _ in range(draw(st.integers(0, 4))):
        if MAPS[map_.kind].entry == COPIED:
            steps.append(step("push", map_.name, content(draw, map_.value, order)))
            continue
        if "array" in map_.kind:
            key = draw(st.integers(0, min(map_.max_entries, 8) - 1)).to_bytes(4, order)
        else:
            assert map_.key is not None
            key = content(draw, map_.key, order, map_.name)
        value = content(draw, map_.value, order)
        if MAPS[map_.kind].per_cpu:
            steps.append(step("store", map_.name, key, [value]))
        else:
            steps.append(step("store", map_.name, key, value))
    return steps


@st.composite
def script(draw: st.DrawFn, policy: str, module: Module, order: Order) -> list[Step]:
    """Opening, traffic and changes for all programs and maps of the policy with that name."""
    kinds = {function.kind: function.name for function in module.functions}
    sockets = [map_ for map_ in module.maps if MAPS[map_.kind].entry == SOCKET]
    numbers = [map_ for map_ in module.maps if MAPS[map_.kind].entry in FILLED]
    numbers = [map_ for map_ in numbers if map_.kind != "sk_storage"]
    steps = [each for map_ in numbers for each in draw(contents_of(map_, order))]
    if "sock_ops" in kinds:
        steps.append(step("attach_cgroup", kinds["sock_ops"]))
    for number, (_, server, client_ip, client) in enumerate(ENDS):
        address = str(IPv4Address(client_ip))
        named = {"server_port": server, "client_port": client, "client_address": address}
        steps.append(step("pair", f"p{number}", **named))
    if draw(st.booleans()):
        steps.append(step("pair", "six", server_port=10000, client_port=40003, family="v6"))
    programs = {
        role: kinds[kind]
        for role, kind in (
            ("parser", "stream_parser"),
            ("verdict", "stream_verdict"),
            ("verdict", "skb_verdict"),
            ("msg_verdict", "msg_verdict"),
        )
        if kind in kinds
    }
    names = [f"p{number}.{end}" for number in range(len(ENDS)) for end in ("client", "server")]
    for map_ in sockets:
        if programs and map_ is sockets[0]:
            steps.append(step("attach", map_.name, **programs))
        # Were both ends of a connection judged, two redirects could hand the same bytes to and fro for ever.
        judged = [name for name in names if "verdict" not in programs or name.endswith("server")]
        for number, name in enumerate(judged):
            assert map_.key is not None
            if map_.kind == "sockmap":
                of_port = draw(st.sampled_from(PORTS)) % map_.max_entries
                place = draw(st.sampled_from([number, number, of_port]))
                key = place.to_bytes(4, order)
            else:
                key = content(draw, map_.key, order)
            if draw(st.integers(0, 3)):
                steps.append(step("put", map_.name, key, name))
    # Servers' programs see what clients send; what servers send only matters to those that judge the sender.
    senders = [name for name in names if name.endswith("client")] * 2 + names
    for _ in range(draw(st.integers(1, 10))):
        sender = draw(st.sampled_from(senders))
        segments = draw(st.sampled_from([[], [], [], [1], [3, 8]]))
        steps.append(step("send", sender, draw(messages(policy)), segments))
        if draw(st.booleans()):
            steps.append(step("recv", draw(st.sampled_from(names)), draw(st.integers(0, 60))))
        if numbers and draw(st.integers(0, 3)) == 0:
            steps += draw(contents_of(draw(st.sampled_from(numbers)), order))
    if draw(st.booleans()):
        steps.append(step("shutdown", draw(st.sampled_from(names))))
    return steps
