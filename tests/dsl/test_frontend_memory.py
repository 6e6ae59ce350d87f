"""Structures, arrays, maps and views: places in memory, shared and apart as Python's objects are."""

from __future__ import annotations

import pytest
from skverdict.codegen import Target
from skverdict.dsl import SK_DROP, SK_PASS
from skverdict.dsl.ir.types import Pointer, Space, size_of

from tests.dsl.policy_kit import Machine, compiled, errors, operations, program, program_text, returned

KEY = """
class Inner(Struct):
    a: u8
    b: u32

class Key(Struct):
    port: u16
    inner: Inner
    words: Array[u32, 4]

seen = HashMap(key=Key, value=u64, max_entries=8)
small = HashMap(key=u16, value=Inner, max_entries=8)
table = ArrayMap(value=u32, max_entries=4)
"""


def test_a_structure_starts_as_zeros() -> None:
    body = "key = Key()\nreturn i32(key.port) + key.inner.a + i32(key.words[3])"
    assert returned(body, KEY) == 0


def test_members_are_read_and_written() -> None:
    body = """
    key = Key(port=ctx.len % 100)
    key.inner.b = ctx.hash
    key.words[2] = key.inner.b + 1
    key.words[ctx.len % 2] += 5
    return i32(key.words[0] * 1000 + key.words[2] * 10 + key.port)
    """
    assert returned(body, KEY, len=4, hash=6) == 5074


def test_a_second_name_is_the_same_structure() -> None:
    body = """
    key = Key()
    other = key
    inner = other.inner
    inner.a = 7
    words = key.words
    words[1] = 3
    return i32(key.inner.a) * 10 + i32(other.words[1])
    """
    assert returned(body, KEY) == 73


def test_a_copy_is_another_structure() -> None:
    body = """
    key = Key(port=3)
    other = key.copy()
    other.port = 9
    key.inner = other.inner.copy()
    return key.port * 10 + other.port
    """
    assert returned(body, KEY) == 39


def test_a_new_structure_leaves_the_old_one_to_its_other_name() -> None:
    body = """
    key = Key(port=1)
    old = key
    key = Key(port=2)
    key.words[0] = 5
    return i32(old.port * 10 + key.port) + i32(old.words[0])
    """
    assert returned(body, KEY) == 12


def test_a_part_keeps_its_structure_alive() -> None:
    body = """
    key = Key()
    inner = key.inner
    key = Key()
    key.inner.a = 5
    return inner.a
    """
    assert returned(body, KEY) == 0


def test_a_name_alone_takes_a_new_structure_on_one_path() -> None:
    body = "key = Key(port=1)\nif ctx.len > 3:\n    key = Key(port=u16(key.port + 8))\nreturn key.port"
    assert returned(body, KEY, len=3) == 1
    assert returned(body, KEY, len=4) == 9


def test_a_structure_in_a_loop_is_new_each_time() -> None:
    body = """
    n = 0
    for i in range(3):
        key = Key()
        key.inner.b += 1
        n += key.inner.b
    return i32(n)
    """
    assert returned(body, KEY) == 3


def test_a_structure_kept_over_a_loop_that_makes_new_ones() -> None:
    text = f"""{KEY}
@skb_verdict
def program(ctx: SkSkb) -> i32:
    key = Key()
    for i in range(3):
        old = key
        key = Key(port=i)
    return old.port
"""
    # What `old` is depends on the turn, which one address cannot tell.
    assert "stands for one thing on one path" in errors(text)[0].message


def test_packed_and_padded_layouts() -> None:
    policy = compiled(
        """
        class Padded(Struct):
            a: u8
            b: u64
        class Packed(Struct, packed=True):
            a: u8
            b: u64
        first = HashMap(key=Padded, value=Packed, max_entries=1)
        @skb_verdict
        def program(ctx: SkSkb) -> i32:
            return 0
        """
    )
    (map_,) = policy.module.maps
    assert map_.key is not None and map_.value is not None
    assert (size_of(map_.key), size_of(map_.value)) == (16, 9)


def test_members_of_a_base_class_come_first() -> None:
    policy = compiled(
        """
        class Base(Struct):
            a: u32
        class Derived(Base):
            b: u16
        first = HashMap(key=Derived, value=u8, max_entries=1)
        @skb_verdict
        def program(ctx: SkSkb) -> i32:
            return 0
        """
    )
    (struct,) = policy.module.structs
    assert [(member.name, member.offset) for member in struct.members] == [("a", 0), ("b", 4)]


# Maps.


def test_maps_hold_what_was_put_in() -> None:
    body = """
    key = Key(port=80)
    if key not in seen:
        seen.update(key, ctx.len)
    count = seen.lookup(key)
    if count is None:
        return -1
    count.value += 5
    again = seen.lookup(key)
    found = again is not None and again.value == count.value
    if found:
        seen.delete(key)
    return 100 if key in seen else i32(count.value)
    """
    assert returned(body, KEY, len=3) == 8


def test_keys_are_spilled_with_all_their_bytes() -> None:
    machine = Machine(
        compiled(f"{KEY}\n@skb_verdict\ndef program(ctx: SkSkb) -> i32:\n"
                 "    return i32(seen.update(Key(port=3, inner=Inner(b=5)), 1))\n")
    )  # fmt: skip
    assert machine.run() == 0
    assert list(machine.maps["seen"].keys()) == [
        bytes.fromhex("0300 0000 00000000 05000000 00000000 00000000 00000000 00000000")
    ]


def test_a_map_value_structure_is_changed_in_place() -> None:
    body = """
    small.update(1, Inner(a=2))
    value = small.lookup(1)
    if value is None:
        return -1
    value.b = ctx.len
    copy = value.copy()
    value.b += 1
    other = small.lookup(1)
    if other:
        return i32(other.b * 100 + copy.b * 10) + other.a
    return -2
    """
    assert returned(body, KEY, len=4) == 542


def test_an_entry_of_one_map_goes_into_another() -> None:
    text = KEY + "more = HashMap(key=u16, value=Inner, max_entries=8)\n"
    body = """
    small.update(1, Inner(a=2))
    value = small.lookup(1)
    if value is not None:
        more.update(2, value)
    found = more.lookup(2)
    return -1 if found is None else found.a
    """
    assert returned(body, text) == 2


@pytest.mark.parametrize(
    ("context", "declaration", "kind", "helper"),
    [
        ("SkSkb", "SockMap(max_entries=1)", "stream_verdict", "bpf_sk_redirect_map"),
        ("SkSkb", "SockHash(key=u32, max_entries=1)", "skb_verdict", "bpf_sk_redirect_hash"),
        ("SkMsg", "SockMap(max_entries=1)", "msg_verdict", "bpf_msg_redirect_map"),
        ("SkMsg", "SockHash(key=u32, max_entries=1)", "msg_verdict", "bpf_msg_redirect_hash"),
    ],
)
def test_redirect_calls_the_helper_of_context_and_map(
    context: str, declaration: str, kind: str, helper: str
) -> None:
    policy = compiled(
        f"sockets = {declaration}\n@{kind}\ndef program(ctx: {context}) -> i32:\n"
        "    return sockets.redirect(ctx, 0, BPF_F_INGRESS)\n"
    )
    (call,) = operations(policy.module.functions[0], "call.helper")
    assert call.attributes["helper"] == helper
    assert [str(operand.type) for operand in call.operands][-1] == "u64"


@pytest.mark.parametrize(
    ("declaration", "helper"),
    [
        ("SockMap(max_entries=1)", "bpf_sock_map_update"),
        ("SockHash(key=u32, max_entries=1)", "bpf_sock_hash_update"),
    ],
)
def test_sockets_are_put_in_by_sock_ops(declaration: str, helper: str) -> None:
    policy = compiled(
        f"sockets = {declaration}\n@sock_ops\ndef program(ctx: SockOps) -> i32:\n"
        "    if sockets.update(ctx, 3) == 0:\n        return 0\n    return 1\n"
    )
    (call,) = operations(policy.module.functions[0], "call.helper")
    assert call.attributes["helper"] == helper


# Views.

HEADER = """
class Header(Struct):
    kind: be16
    length: be16
"""


def test_a_view_is_none_where_the_packet_is_too_short() -> None:
    body = """
    header = ctx.data.view(Header, 1)
    if header is None:
        return -1
    return i32(header.kind.host()) * 1000 + header.length.host()
    """
    packet = bytes([9, 0, 5, 1, 2])
    assert returned(body, HEADER, packet) == 5258
    assert returned(body, HEADER, packet[:4]) == -1
    assert returned(body, HEADER, b"") == -1


@pytest.mark.parametrize("offset", [0, 3, 70000])
def test_a_view_at_a_computed_offset(offset: int) -> None:
    body = "byte = ctx.data.view(u8, ctx.hash)\nreturn -1 if byte is None else byte.value"
    expected = {0: 10, 3: 13}.get(offset, -1)
    assert returned(body, packet=bytes(range(10, 20)), hash=offset) == expected


def test_a_view_of_an_array() -> None:
    body = """
    words = ctx.data.view(Array[u16, 3], 0)
    if words is None:
        return -1
    n = 0
    for i in range(len(words)):
        n += words[i]
    return i32(n)
    """
    assert returned(body, packet=bytes([1, 0, 2, 0, 3, 1])) == 262


def test_writing_through_a_view() -> None:
    body = "byte = ctx.data.view(be16, 1)\nif byte is None:\n    return 0\nbyte.value = be16(258)\nreturn 1"
    machine = Machine(compiled(program_text(body)))
    packet = bytearray(4)
    assert machine.run(packet) == 1
    assert packet == bytes([0, 1, 2, 0])


NARROWED = {
    "is None": "if v is None:\n    return 0\nreturn v.value",
    "is not None": "if v is not None:\n    return v.value\nreturn 0",
    "truth": "if v:\n    return v.value\nreturn 0",
    "not": "if not v:\n    return 0\nreturn v.value",
    "and": "return 1 if v is not None and v.value > 1 else 0",
    "or": "return 0 if v is None or v.value > 1 else 1",
    "None on the left": "if None is v:\n    return 0\nreturn v.value",
    "walrus": "if (w := v) is not None:\n    return w.value\nreturn 0",
    "while": "while v is None:\n    return 0\nreturn v.value",
    "conditional": "return v.value if v is not None else 0",
    "nested": "if v is not None:\n    if ctx.len > 3:\n        return v.value\nreturn 0",
    "joined": "if v is None:\n    return 1\nelif ctx.len > 3:\n    x = 1\nelse:\n    x = 2\nreturn v.value",
    "match": "if v is None:\n    return 0\nmatch v.value:\n    case 1:\n        pass\nreturn v.value",
    "new each turn": (
        "n = 0\nfor i in range(3):\n    w = ctx.data.view(u8, i)\n    if w is None:\n        break\n"
        "    ctx.pull_data(3)\n    n += 1\nreturn i32(n)"
    ),
    "made again": "ctx.pull_data(3)\nv = ctx.data.view(u8, 0)\nif v is None:\n    return 0\nreturn v.value",
    "made again on both paths": (
        "if ctx.len > 3:\n    ctx.pull_data(3)\n    v = ctx.data.view(u8, 1)\n"
        "else:\n    v = ctx.data.view(u8, 2)\nif v is None:\n    return 0\nreturn v.value"
    ),
}


@pytest.mark.parametrize("name", NARROWED)
def test_tests_that_show_a_view_is_there(name: str) -> None:
    assert program("v = ctx.data.view(u8, 0)\n" + NARROWED[name]).blocks


def test_a_bound_test_lets_an_index_in() -> None:
    bodies = (
        "if i < 4:\n    return i32(key.words[i])\nreturn 0",
        "if i >= 4:\n    return 0\nreturn i32(key.words[i])",
        "if not (i <= 3):\n    return 0\nreturn i32(key.words[i])",
        "if i in range(1, 4):\n    return i32(key.words[i])\nreturn 0",
        "if i in (1, 3):\n    return i32(key.words[i])\nreturn 0",
        "if 3 >= i:\n    return i32(key.words[i])\nreturn 0",
        "n = 0\nwhile n < 4:\n    key.words[n] = 1\n    n += 1\nreturn 0",
        "return i32(key.words[min(i, 3)])",
        "return i32(key.words[i & 3])",
        "return i32(key.words[i % 4])",
        "return i32(key.words[i >> 30])",
    )
    for body in bodies:
        assert program("i = ctx.hash\nkey = Key()\n" + body, before=KEY).blocks, body


# Context fields.


def test_arrays_of_the_context() -> None:
    body = "return 1 if ctx.remote_ip6[3] == be32(1) and len(ctx.remote_ip6) == 4 else 0"
    function = program(body)
    (load,) = operations(function, "context.load")
    assert load.attributes["field"] == "remote_ip6.3"


def test_a_number_in_network_order_in_a_wider_field() -> None:
    assert returned("return 1 if ctx.protocol == be16(ETH_P_IP) else 0", protocol=0x0800) == 1
    assert returned("return i32(ctx.protocol.raw())", protocol=0x0800) == 0x0008


def test_writable_fields() -> None:
    function = program("ctx.priority = 3\nctx.priority += ctx.len\nreturn 0")
    assert [each.attributes["field"] for each in operations(function, "context.store")] == ["priority"] * 2


def test_a_view_gives_a_packet_pointer_that_may_be_null() -> None:
    (view,) = operations(program("v = ctx.data.view(u32, 7)\nreturn 0"), "packet.view")
    assert view.result is not None
    assert view.result.type == Pointer(view.result.type.target, Space.PACKET, nullable=True)  # type: ignore[union-attr]
    assert (view.attributes["offset"], view.attributes["limit"]) == (7, 0)


# Inline functions.


def test_inline_functions() -> None:
    before = KEY + """
@inline
def fill(key: Key, port: u16) -> None:
    key.port = port
    key = Key(port=99)
    key.port = 98

@inline
def larger(a: u32, b: u32) -> u32:
    if a > b:
        return a
    a = b
    return a

@inline
def make(port: u16) -> Key:
    key = Key(port=port)
    return key

@inline
def find(port: u16) -> Inner | None:
    if port == 0:
        return small.lookup(1)
    return small.lookup(port)

@inline
def twice(x: u8) -> u8:
    return larger_of_bytes(x, x) * 2

@inline
def larger_of_bytes(a, b) -> u8:
    return a if a > b else b
"""
    body = """
    key = Key()
    fill(key, port=ctx.len % 50)
    other = make(3)
    second = make(4)
    small.update(7, Inner(a=6))
    found = find(7)
    missing = find(0)
    if found is None or missing is not None:
        return -1
    a = 11
    total = larger(a, ctx.len) + other.port * 100 + second.port * 1000 + u32(found.a) * 10000
    return i32(total) + i32(twice(u8(100 + ctx.len))) + key.port
    """
    assert returned(body, before, len=5) == 11 + 300 + 4000 + 60000 + (105 * 2 & 255) + 5


def test_verdict_constants() -> None:
    assert returned("return SK_PASS") == SK_PASS == 1
    assert returned("return SK_DROP") == SK_DROP == 0


def test_names_that_stand_for_one_part_and_then_another() -> None:
    body = """
    key = Key()
    words = key.words
    inner = key.inner
    inner.b = 5
    inner = Key(inner=Inner(a=8)).inner
    entry = small.lookup(1)
    if entry is None:
        small.update(1, Inner(a=4))
        entry = small.lookup(1)
    if entry is None:
        return -1
    return i32(key.inner.b * 100) + inner.a * 10 + entry.a + len(words)
    """
    assert returned(body, KEY) == 500 + 80 + 4 + 4


def test_a_part_in_a_variable_keeps_its_structure_alive() -> None:
    body = """
    key = Key()
    inner = key.inner
    inner = key.inner
    key = Key()
    key.inner.a = 5
    return inner.a
    """
    assert returned(body, KEY) == 0


def test_a_part_from_an_earlier_turn_is_not_seen() -> None:
    text = f"""{KEY}
@skb_verdict
def program(ctx: SkSkb) -> i32:
    key = Key()
    inner = key.inner
    for i in range(3):
        old = inner
        inner = Key(inner=Inner(b=i)).inner
    return i32(old.b)
"""
    assert "stands for one thing on one path" in errors(text)[0].message


NONE_OR_A_PLACE = """
class Header(Struct, packed=True):
    kind: u8
    length: u8

limits = HashMap(key=u32, value=Header, max_entries=4)

@inline
def second(skb: SkSkb) -> Header | None:
    first = skb.data.view(Header, 0)
    if first is None:
        return None
    if first.kind == 9:
        return None
    return skb.data.view(Header, 2 + u32(first.length))

@inline
def limit(port: u32) -> Header | None:
    if port != 0:
        return limits.lookup(port)
    return None

@inline
def made(skb: SkSkb) -> Header | None:
    for number in range(3):
        header = Header(kind=u8(number))
        if skb.len == u32(number) + 6:
            return header
    return None

@stream_verdict
def program(skb: SkSkb) -> i32:
    header = second(skb)
    if header is not None:
        return 100 + i32(header.kind)
    found = limit(skb.local_port)
    if found is not None:
        found.length += 1
        return 200 + i32(found.length)
    own = made(skb)
    return -1 if own is None else 50 + i32(own.kind)
"""


@pytest.mark.parametrize("cpu", ["v1", "v3"])
def test_an_inline_function_returns_none_or_a_place(cpu: str) -> None:
    machine = Machine(compiled(NONE_OR_A_PLACE), Target(cpu))
    machine.maps["limits"].update((80).to_bytes(4, "little"), b"\1\4", 0)

    def run(packet: bytes, port: int) -> int:
        return machine.run(packet, local_port=port, len=len(packet))

    assert run(bytes([1, 1, 0, 42, 7]), 80) == 142
    assert run(bytes([9, 1, 0, 42, 7]), 80) == 205
    assert run(bytes([1]), 80) == 206
    assert [run(bytes([9]) * size, 0) for size in (5, 6, 7, 8, 9)] == [-1, 50, 51, 52, -1]


def test_none_stands_beside_places_only() -> None:
    before = (
        "class Pair(Struct):\n    x: u32\n"
        "@inline\ndef none(skb: SkSkb) -> Pair | None:\n    return None\n"
    )
    (error,) = errors(before + program_text("return 0 if none(ctx) is None else 1", "stream_verdict"))
    assert error.message == "`none` has no place to return that None could stand beside"


def test_an_inline_function_makes_a_structure_on_each_path() -> None:
    before = KEY + """
@inline
def make(length: u32) -> Key:
    if length > 3:
        return Key(port=7)
    key = Key(port=8)
    key.words[1] = length
    return key
"""
    body = """
    a = make(ctx.len)
    b = make(1)
    b.words[1] += 1
    return i32(a.port * 10 + b.port) + i32(a.words[1])
    """
    assert returned(body, before, len=4) == 78
    assert returned(body, before, len=2) == 90


def test_an_inline_function_returns_from_a_loop() -> None:
    before = KEY + """
@inline
def find(length: u32) -> Key:
    for i in range(4):
        x: u32 = length + i
        if x > 5:
            return Key(port=i)
        length = x
    return Key(port=99)
"""
    assert returned("return find(ctx.len).port", before, len=3) == 2
    assert returned("return find(ctx.len).port", before, len=0) == 3
    assert returned("return find(ctx.len).port", before.replace("x > 5", "x > 50"), len=0) == 99


def test_an_array_of_the_context_goes_whole_into_one_of_its_kind() -> None:
    before = """
    class Pair(Struct):
        local: Array[be32, 4]
        remote: Array[be32, 4]
    """
    body = """
    pair = Pair(remote=ctx.remote_ip6)
    pair.local = ctx.local_ip6
    return i32(pair.remote[0].host() * 1000 + pair.remote[3].host() * 100 + pair.local[0].host() * 10
        + pair.local[3].host())
    """
    fields = {"remote_ip6": (1, 0, 0, 2), "local_ip6": (3, 0, 0, 4)}
    assert returned(body, before, **fields) == 1234


def test_the_size_of_a_type_is_a_constant() -> None:
    before = """
    class Header(Struct, packed=True):
        kind: u8
        length: be16

    BOTH = sizeof(Header) + sizeof(Array[u16, 4])
    """
    assert returned("return sizeof(Header) * 1000 + BOTH * 10 + sizeof(be64) + sizeof(bool)", before) == 3119
