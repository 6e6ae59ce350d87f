"""Bytes of the packet and of arrays: single ones, slices, prefixes, searches and `match`."""

from __future__ import annotations

from random import Random
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skverdict.codegen import Target, build, read_object

from tests.codegen.context_accesses import context_accesses
from tests.dsl.policy_kit import Machine, compiled, machine, operations, program, program_text, returned
from tests.dsl.random_bytes import Data, random_bytes_bodies, random_packet
from tests.dsl.test_frontend_corpus import GLOBALS

TARGETS = (Target("v1"), Target("v3"), Target("v4"), Target("v2", "big"))


@given(st.integers(0, 2**32), st.sampled_from(TARGETS))
@settings(max_examples=30, deadline=None)
def test_random_conditions_mean_what_they_mean_in_python(seed: int, target: Target) -> None:
    body, python = random_bytes_bodies(seed)
    names: dict[str, object] = dict(GLOBALS)
    exec("def program(ctx):\n" + "".join(f"    {line}\n" for line in python.splitlines()), names)
    built = Machine(compiled(program_text(body)), target)
    random = Random(seed)
    for _ in range(10):
        packet, length, other = random_packet(random), random.randint(0, 9), random.randint(0, 6)
        context = type("Context", (), {"len": length, "hash": other, "data": Data(packet)})()
        expected = int(names["program"](context))  # type: ignore[operator]
        assert built.run(packet=packet, len=length, hash=other) == expected, (packet, length, other)


# Of each kind that LLVM, or what comes behind it, once made arithmetic of that the verifier refuses: the upper half
# of an end cleared in another block, the rounds of a search counted, a pointer compared with 0 taken for that 0.
@pytest.mark.parametrize("seed", [2262, 29, 38, 110, 279, 301, 607])
@pytest.mark.parametrize("cpu", ["v1", "v2", "v3", "v4"])
def test_nothing_but_sums_and_differences_is_made_of_packet_pointers(seed: int, cpu: str) -> None:
    body, _ = random_bytes_bodies(seed)
    built = read_object(build(compiled(program_text(body)), Target(cpu)))
    assert context_accesses(built.programs["program"])


def loads(body: str) -> list[str]:
    """The types of the loads of a body, and a `check` for each look at the packet's end."""
    found = []
    for operation in operations(program(body)):
        if operation.name == "packet.view":
            found.append("check")
        elif operation.name == "load":
            assert operation.result is not None
            found.append(str(operation.result.type))
    return found


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"G", ["u8"]),
        (b"GE", ["be16"]),
        (b"GET", ["be16", "u8"]),
        (b"GET ", ["be32"]),
        (b"POST ", ["be32", "u8"]),
        (b"PATCH ", ["be32", "be16"]),
        (b"DELETE ", ["be32", "be32"]),
        (b"OPTIONS ", ["be64"]),
        (b"HTTP/1.1 2", ["be64", "be16"]),
        (b"HTTP/1.1 20", ["be64", "be32"]),
        (b"HTTP/1.1 200 OK", ["be64", "be64"]),
    ],
)
def test_a_comparison_takes_the_fewest_loads(content: bytes, expected: list[str]) -> None:
    body = f"return 1 if ctx.data[2:{2 + len(content)}] == {content!r} else 0"
    assert loads(body) == ["check", *expected]
    assert returned(body, packet=b".." + content) == 1
    for place in range(2, 2 + len(content)):
        wrong = bytearray(b".." + content)
        wrong[place] ^= 0x20
        assert returned(body, packet=bytes(wrong)) == 0


def test_tests_in_a_row_share_one_check() -> None:
    body = 'return 1 if ctx.data[0] == 22 and ctx.data[1] == 3 and ctx.data[5:7] == b"\\1\\2" else 0'
    assert loads(body) == ["check", "u8", "u8", "be16"]
    assert returned(body, packet=b"\x16\3...\1\2") == 1
    assert returned(body, packet=b"\x16\3...\1") == 0


def test_what_was_checked_is_not_checked_again() -> None:
    body = """
    if ctx.data[0:8] == b"HTTP/1.1":
        if ctx.data[0:5] == b"HTTP/" and ctx.data[7] == 49:
            return i32(ctx.data[6])
    return 0
    """
    assert loads(body).count("check") == 1
    assert returned(body, packet=b"HTTP/1.1") == ord(".")


def test_what_was_checked_counts_for_inline_functions() -> None:
    before = "@inline\ndef kind(skb: SkSkb) -> u8:\n    return skb.data[3]\n"
    body = "if ctx.data[3] is None:\n    return 0\nreturn i32(kind(ctx))"
    assert returned(body, before, b"abcd") == ord("d")


def test_a_match_takes_one_check_for_its_shortest_case() -> None:
    body = """
    match ctx.data[0:8]:
        case b"GET ":
            return 1
        case b"HEAD" | b"POST":
            return 2
        case b"OPTIONS ":
            return 3
    return 4
    """
    assert loads(body) == ["check", "be32", "be32", "be32", "be32", "check", "be32"]
    answers = {b"GET ": 1, b"HEADER": 2, b"POST /": 2, b"OPTIONS *": 3, b"OPTION": 4, b"GET": 4, b"": 4}
    built = machine(body)
    assert {packet: built.run(packet) for packet in answers} == answers


def test_names_of_a_match_stand_for_the_slice() -> None:
    body = """
    match ctx.data[1:6]:
        case b"ab" as found if found == b"abcde":
            return 1
        case b"ab" as found:
            return 2
        case other:
            return 3 if other == b"xyzzy" else 4
    """
    built = machine(body)
    answers = {b".abcde": 1, b".abcdx": 2, b".ab": 2, b".xyzzy": 3, b".a": 4}
    assert {packet: built.run(packet) for packet in answers} == answers


def test_a_match_on_one_byte() -> None:
    body = """
    match ctx.data[1]:
        case 0x16 | 0x17:
            return 1
        case None:
            return 2
        case x if x > 100:
            return i32(x)
        case 9 as x:
            return 30 + i32(x)
    return 3
    """
    built = machine(body)
    answers = {b"": 2, b".": 2, b".\x16": 1, b".\xc8": 200, b".\x09": 39, b".\x01": 3}
    assert {packet: built.run(packet) for packet in answers} == answers


BYTES = """
class Name(Struct):
    kind: u8
    text: Array[u8, 11]

STARTS = (b"hello worl", b"hello")
"""


def test_arrays_of_bytes() -> None:
    body = """
    name = ctx.data.view(Name, 0)
    if name is None:
        return -1
    copy = name.copy()
    i = min(ctx.len, 5)
    result = 0
    if name.text == b"hello world" and copy.text == b"hello world":
        result |= 1
    if name.text[0:5] == b"hello" and copy.text[6:] == b"world":
        result |= 2
    if name.text.startswith(STARTS) and not copy.text.startswith(b"help"):
        result |= 4
    if b"o w" in name.text and b"xx" not in copy.text[2:]:
        result |= 8
    if copy.text[i:i + 3] == b"o w":
        result |= 16
    match copy.text:
        case b"help":
            result |= 64
        case b"hell":
            result |= 32
    return result
    """
    for target in TARGETS:
        built = Machine(compiled(program_text(body, before=BYTES)), target)
        assert built.run(b"\5hello world", len=4) == 63
        assert built.run(b"\5hello world", len=3) == 63 - 16
        assert built.run(b"\5hello worl", len=4) == -1


def test_bytes_that_may_be_missing_are_kept_in_variables() -> None:
    body = """
    x = ctx.data[0]
    for i in range(1, 4):
        if x is None:
            break
        if x == 255:
            x = 7
        x = ctx.data[i]
    if x is None:
        return -1
    return i32(x)
    """
    built = machine(body)
    answers = {b"": -1, b"ab": -1, b"abcd": ord("d"), b"\xff\xff\xffd": ord("d")}
    assert {packet: built.run(packet) for packet in answers} == answers


def test_numbers_that_may_be_none_from_inline_functions() -> None:
    before = """
    @inline
    def port(skb: SkSkb, byte: u8 | None) -> u32 | None:
        if byte is None or skb.data[1] is None:
            return None
        if byte > 127:
            return 4294967295
        return u32(byte) * 256
    """
    body = """
    found = port(ctx, ctx.data[0])
    if found is None:
        return -1
    return 1 if found == 4294967295 else i32(u16(found))
    """
    built = machine(body, before=dedent(before))
    answers = {b"": -1, b"\1": -1, b"\1\1": 256, b"\x80\0": 1}
    assert {packet: built.run(packet) for packet in answers} == answers


def test_a_byte_that_is_missing_equals_no_number() -> None:
    """-1 stands for it inside, so a signed number that is -1 must not be taken for it."""
    body = """
    n = i32(ctx.hash)
    x = ctx.data[0]
    y = ctx.data[1]
    return i32(u32(x == n)) + 2 * i32(u32(x == y)) + 4 * i32(u32(n == x))
    """
    assert returned(body, packet=b"", hash=0xFFFFFFFF) == 2
    assert returned(body, packet=b"\1", hash=1) == 5
    assert returned(body, packet=b"\2\2", hash=1) == 2


def test_a_search_is_a_loop() -> None:
    body = 'return 1 if b"\\r\\n\\r\\n" in ctx.data[0:4000] else 0'
    built = machine(body)
    assert built.run(b"x" * 3996 + b"\r\n\r\n") == 1
    assert built.run(b"x" * 3997 + b"\r\n\r\n") == 0
    assert len(built.object.programs["program"].instructions) < 25


def test_a_message_of_sk_msg_and_the_packet_of_sock_ops() -> None:
    text = program_text('return SK_PASS if ctx.data[0:4] == b"PING" else SK_DROP', "msg_verdict")
    assert Machine(compiled(text)).run(b"PING") == 1
    assert Machine(compiled(text)).run(b"PIN") == 0
    assert compiled(program_text('return 1 if ctx.skb_data[13] == 2 else 0', "sock_ops"))


def test_a_case_that_never_fits_is_a_warning() -> None:
    body = """
    match ctx.data[0:8]:
        case b"GE":
            return 1
        case b"POST" | b"GET ":
            return 2
    return 3
    """
    (warning,) = compiled(program_text(body)).warnings
    assert warning.message == "this case never fits: `b'GE'` comes first"
    assert (warning.line, warning.source_line[warning.column - 1 :]) == (7, 'b"GET ":')


BOUNDED = """
numbers = Array4()
for i in range(4):
    numbers.of[i] = i + 10
kind = ctx.data[0]
total: u32 = 0
for i in range(1, 4):
    if kind is None or kind > 3:
        break
    total = total * 100 + numbers.of[kind]
    kind = ctx.data[i]
return i32(total)
"""


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_a_byte_that_a_test_bounds_is_an_index(target: Target) -> None:
    declared = "class Array4(Struct):\n    of: Array[u32, 4]\n"
    built = Machine(compiled(program_text(BOUNDED, before=declared)), target)
    for packet, expected in ((b"\2\0\3\1", 121013), (b"\1\4\1\1", 11), (b"\xff", 0), (b"\3\3", 1313), (b"", 0)):
        assert built.run(packet=packet) == expected


BOUNDS = """
at = ctx.len
kind = ctx.data.view(u16, at)
if kind is None or kind.value != 7:
    return 0
return 1 if ctx.data[at + 9 : at + 20] == b"example.com" else 2
"""


@pytest.mark.parametrize("cpu", ["v1", "v2", "v3", "v4"])
def test_an_address_is_made_anew_where_its_offset_has_another_bound(cpu: str) -> None:
    """The verifier goes by the bound that an offset had when it was added (`find_good_pkt_pointers`)."""
    built = Machine(compiled(program_text(BOUNDS)), Target(cpu))
    additions = [each for each in built.object.programs["program"].instructions.values() if each.opcode == 0x0F]
    assert len(additions) == 2
    packet = b"\7\0" + bytes(7) + b"example.com"
    assert [built.run(packet=bytes(size) + packet, len=size) for size in (0, 5)] == [1, 1]
    assert [built.run(packet=packet[:19], len=0), built.run(packet=packet, len=1)] == [2, 0]
