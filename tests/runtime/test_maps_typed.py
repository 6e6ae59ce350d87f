"""Keys and values of maps by their BTF types."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from skverdict.codegen.btf import Btf
from skverdict.codegen.btf_types import (
    INT_BOOL,
    INT_CHAR,
    INT_SIGNED,
    VOID,
    Array,
    BtfType,
    Composite,
    Enumeration,
    Enumerator,
    Int,
    Member,
    Reference,
)
from skverdict.codegen.object import MapSpec
from skverdict.runtime.maps.per_cpu import PerCpuArray
from skverdict.runtime.maps.typed import Codec, StructValue, ValueMismatch, codec_of, value_codec

TYPES: tuple[BtfType, ...] = (
    VOID,
    Int("unsigned int", 4, 0, 32),
    Int("unsigned short", 2, 0, 16),
    Int("long", 8, INT_SIGNED, 64),
    Int("char", 1, INT_SIGNED | INT_CHAR, 8),
    Int("_Bool", 1, INT_BOOL, 8),
    Reference("typedef", 2, "__u16"),
    Reference("typedef", 6, "__be16"),
    Reference("typedef", 1, "__be32"),
    Array(4, 1, 6),
    Array(1, 1, 3),
    Enumeration("enum", "color", 4, (Enumerator("RED", 0), Enumerator("BLUE", -1)), signed=True),
    # struct key { __be32 address; __be16 port; bool secure; }, a byte of padding at its end
    Composite("struct", "key", 8, (Member("address", 8, 0), Member("port", 7, 32), Member("secure", 5, 48))),
    Composite("struct", "pair", 24, (Member("key", 12, 0), Member("words", 10, 64))),
    Composite("union", "either", 8, (Member("whole", 3, 0), Member("key", 12, 0))),
    Composite("struct", "flags", 4, (Member("low", 1, 0, 4), Member("high", 1, 4, 4)), sized_members=True),
    Reference("const", 13, ""),
)
BTF = Btf(TYPES)
NAMES = {getattr(each, "name", ""): number for number, each in enumerate(TYPES)}
CHARS, WORDS, PAIR, CONST_PAIR = 9, 10, NAMES["pair"], 16


def codec(name: str | int, order: str = "little") -> Codec:
    number = NAMES[name] if isinstance(name, str) else name
    return codec_of(BTF, number, BTF.size_of(number), order)  # type: ignore[arg-type]


@given(number=st.integers(-(2**63), 2**63 - 1), order=st.sampled_from(("little", "big")))
def test_numbers_are_in_the_order_of_the_machine(number: int, order: str) -> None:
    content = number.to_bytes(8, order, signed=True)  # type: ignore[arg-type]
    assert codec("long", order).encode(number) == content
    assert codec("long", order).decode(content) == number


@pytest.mark.parametrize("order", ["little", "big"])
def test_network_order_numbers_are_what_their_bytes_spell(order: str) -> None:
    assert codec("__be16", order).encode(443) == b"\x01\xbb"
    assert codec("__be16", order).decode(b"\x01\xbb") == 443
    assert codec("__be32", order).encode(0x7F000001) == b"\x7f\0\0\1"


@pytest.mark.parametrize(
    ("name", "value", "content"),
    [
        ("_Bool", True, b"\1"),
        ("color", -1, b"\xff" * 4),
        (CHARS, b"GET", b"GET\0\0\0"),
        (WORDS, [1, 2, 3], struct.pack("<3I", 1, 2, 3)),
        ("either", b"12345678", b"12345678"),
        ("flags", b"\x21\0\0\0", b"\x21\0\0\0"),
        ("key", {"address": 1, "port": 2, "secure": True}, b"\0\0\0\1\0\2\1\0"),
        ("key", (1, 2, True), b"\0\0\0\1\0\2\1\0"),
        ("key", StructValue("key", {"address": 1, "port": 2, "secure": 1}), b"\0\0\0\1\0\2\1\0"),
        ("key", b"anything", b"anything"),
        (PAIR, ((1, 2, False), (7, 8, 9)), b"\0\0\0\1\0\2\0\0" + struct.pack("<3I4x", 7, 8, 9)),
    ],
)
def test_values_that_go_in(name: str | int, value: Any, content: bytes) -> None:
    assert codec(name).encode(value) == content


def test_an_object_with_the_members_goes_in() -> None:
    class Key:
        address, port, secure = 1, 2, False

    assert codec("key").encode(Key()) == b"\0\0\0\1\0\2\0\0"


def test_values_that_come_out() -> None:
    assert codec("_Bool").decode(b"\1") is True
    assert codec(CHARS).decode(b"GET\0\0\0") == b"GET\0\0\0"
    assert codec(WORDS).decode(struct.pack("<3I", 1, 2, 3)) == (1, 2, 3)
    assert codec("flags").decode(b"abcd") == b"abcd"
    pair = codec(CONST_PAIR).decode(b"\0\0\0\1\0\2\1\0" + struct.pack("<3I4x", 7, 8, 9))
    assert pair.key.address == 1
    assert pair["key"] == {"address": 1, "port": 2, "secure": True}
    assert pair.words == (7, 8, 9)
    assert repr(pair.key) == "key(address=1, port=2, secure=True)"
    assert {pair.key: "found"}[codec("key").decode(b"\0\0\0\1\0\2\1\0")] == "found"
    with pytest.raises(AttributeError, match="struct pair has no member other"):
        _ = pair.other


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("unsigned int", -1, "v: -1 is not between 0 and 4294967295"),
        ("long", 1 << 63, f"v: {1 << 63} is not between {-(1 << 63)} and {(1 << 63) - 1}"),
        ("unsigned int", "1", "v: '1' is no integer"),
        ("unsigned int", 1.5, "v: 1.5 is no integer"),
        ("unsigned int", b"abc", "v: 3 bytes; it has 4"),
        (CHARS, b"GET /index", "v: 10 bytes; it has 6"),
        (CHARS, "GET", "v: 'GET' is not bytes"),
        (WORDS, [1, 2], r"v: \[1, 2\] is no sequence of 3"),
        (PAIR, {"key": (1, 1 << 16, 0), "words": (0, 0, 0)}, "v.key.port: 65536 is not between 0 and 65535"),
        (PAIR, {"key": (1, 1, 0), "words": (0, 0, "x")}, r"v.words\[2\]: 'x' is no integer"),
        ("key", {"address": 1}, "v: it lacks port, secure"),
        ("key", {"address": 1, "port": 1, "secure": 1, "more": 2}, "v: struct key has no more"),
        ("key", (1, 2), "v: 2 values for the 3 members"),
        ("key", 7, "v: it lacks address, port, secure"),
    ],
)
def test_values_that_do_not_fit_are_named(name: str | int, value: Any, says: str) -> None:
    with pytest.raises(ValueMismatch, match=says):
        codec(name).encode(value, "v")


def test_without_types_the_size_decides() -> None:
    assert codec_of(None, 0, 4, "big").encode(258) == b"\0\0\1\2"
    assert codec_of(BTF, 0, 8, "little").decode(b"\1" + bytes(7)) == 1
    assert codec_of(None, 0, 6, "little").decode(b"abcdef") == b"abcdef"
    # A type of another size than the map says is not believed.
    assert codec_of(BTF, NAMES["key"], 4, "little").decode(b"abcd") == b"abcd"


def test_per_cpu_values_are_one_for_each_cpu() -> None:
    map_ = PerCpuArray(MapSpec("m", 6, 4, 4, 2, value_type_id=1), "little", 2)
    values = value_codec(map_, BTF)
    assert values.encode([1, 2]) == struct.pack("<I4xI4x", 1, 2)
    assert values.decode(struct.pack("<I4xI4x", 3, 4)) == [3, 4]
    with pytest.raises(ValueMismatch, match="v: 5 is no sequence of 2, one for each CPU"):
        values.encode(5, "v")
    with pytest.raises(ValueMismatch, match="v on CPU 1: -1 is not between"):
        values.encode([1, -1], "v")
