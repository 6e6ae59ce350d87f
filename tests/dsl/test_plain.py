"""A policy's functions called as ordinary Python give what they give compiled."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from skverdict.dsl import (
    SK_DROP,
    SK_PASS,
    Array,
    SkSkb,
    SockOps,
    Struct,
    be16,
    be32,
    i8,
    i32,
    i64,
    inline,
    sizeof,
    skb_verdict,
    u8,
    u16,
    u32,
    u64,
)


@inline
def counted(a: u8, b: u32) -> u32:
    n = 0
    n -= 1
    m: u8 = 250
    m += 10
    x = a if b else 3
    for i in range(3):
        a += i
    return u32(n) + m + (x + 1) + a


class Key(Struct):
    port: u16
    small: u8


@inline
def filled(key: Key, port: be16) -> u16:
    key.port = port.host()
    key.port += 65535
    key.small -= 1
    return key.port + key.small


@inline
def turned(a: u8, b: u8) -> tuple[u8, u8]:
    a, b = b, a
    b, (c, a) = b + 100, (0, a)
    c -= 1
    return a, b + c + 1


class Address(Struct):
    words: Array[be32, Literal[4]]


@inline
def address_of(ops: SockOps) -> Address:
    return Address(words=ops.remote_ip6)


@skb_verdict
def verdict(skb: SkSkb) -> i32:
    if skb.remote_port == be32(80) and skb.data.startswith(b"GET "):
        return SK_PASS
    first = skb.data[0]
    return SK_DROP if first is None else i32(first)


def test_variables_parameters_and_results_have_their_types() -> None:
    assert counted(255, 7) == 2**32 - 1 + 4 + 0 + 2 - 2**32
    assert type(counted(1, 1)) is u32
    with pytest.raises(OverflowError, match="a is u8, but this is 256"):
        counted(256, 0)


def test_members_of_structures_wrap() -> None:
    key = Key()
    assert filled(key, be16(80)) == 79 + 255
    assert (key.port, key.small) == (79, 255)


def test_a_program_runs_on_a_context_made_for_the_test() -> None:
    assert verdict(SkSkb(remote_port=be32(80), data=b"GET /")) == SK_PASS
    assert verdict(SkSkb(data=b"GET /")) == ord("G")
    assert verdict(SkSkb(len=3)) == SK_DROP
    with pytest.raises(TypeError, match="SkSkb has no field 'port'"):
        SkSkb(port=3)


OPERATIONS = {
    "u8(200) + 55": 255,
    "u8(3) - 5": 254,
    "u8(255) + u16(1)": 256,
    "u32(1) - i8(2)": -1,
    "i8(-128) // -1": -128,
    "i8(-7) // 2": -4,
    "i8(-7) % 3": 2,
    "u32(7) // 0": 0,
    "u32(7) % 0": 7,
    "1 << u8(9)": 2,
    "u8(255) & ~1": 254,
    "~u8(3)": 252,
    "-i8(-128)": -128,
    "u64(2**64 - 1) + i64(1)": 0,
    "be16(0x1234).host() << 4": 0x2340,
}


@pytest.mark.parametrize("text", OPERATIONS)
def test_numbers_compute_at_their_width(text: str) -> None:
    names: dict[str, Any] = {kind.__name__: kind for kind in (be16, i8, i64, u8, u16, u32, u64)}
    assert eval(text, names) == OPERATIONS[text]


WRONG = {
    "u8(1) + 256": OverflowError,
    "u64(1) + i64(-1)": TypeError,
    "u8(1) / 2": TypeError,
    "u8(1) ** 2": TypeError,
    "u8(1) << 8": ValueError,
    "u8(1) + True": TypeError,
}


@pytest.mark.parametrize("text", WRONG)
def test_what_a_program_is_refused_for_raises(text: str) -> None:
    with pytest.raises(WRONG[text]):
        eval(text, {"u8": u8, "u64": u64, "i64": i64})


def test_each_of_several_targets_has_its_type() -> None:
    assert turned(200, 100) == (100, 44)


def test_an_array_of_a_context_is_copied_into_a_structure() -> None:
    ops = SockOps(remote_ip6=[be32(1), be32(2), be32(3), be32(4)])
    address = address_of(ops)
    address.words[0] = be32(9)
    assert ops.remote_ip6[0] == be32(1)
    assert address.words == [be32(9), be32(2), be32(3), be32(4)]
    assert sizeof(Address) == 16
