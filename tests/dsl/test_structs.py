"""Structures and scalars in ordinary Python, outside of programs."""

from __future__ import annotations

import sys

import pytest
from skverdict.dsl import Array, Struct, be16, be32, i8, u8, u16, u32


class Inner(Struct):
    kind: u8
    words: Array[u16, 2]  # type: ignore[valid-type]


class Key(Struct):
    port: be16
    inner: Inner
    flag: bool


def test_a_structure_starts_as_zeros_and_keeps_what_is_set() -> None:
    key = Key(flag=True)
    key.inner.words[1] = 7
    assert (key.port, key.inner.kind, key.flag) == (be16(0), 0, True)
    assert repr(key) == "Key(port=be16(0), inner=Inner(kind=0, words=[0, 7]), flag=True)"


def test_a_copy_shares_nothing() -> None:
    key = Key()
    twin = key.copy()
    assert twin == key
    twin.inner.words[0] = 1
    twin.inner.kind = 3
    assert key == Key()
    assert twin != key


def test_an_unknown_member_is_refused() -> None:
    with pytest.raises(TypeError, match="Key has no member 'prot'"):
        Key(prot=3)


def test_bytes_are_those_of_c() -> None:
    key = Key(port=be16(0x1234), flag=True, inner=Inner(kind=5))
    key.inner.words[1] = 0x0102
    assert key.pack("little") == bytes.fromhex("1234 0500 0000 0201 0100")
    assert key.pack("big") == bytes.fromhex("1234 0500 0000 0102 0100")


@pytest.mark.parametrize("wrong", [{"port": 3}, {"inner": Inner(kind=300)}, {"flag": None}])
def test_values_that_do_not_fit_their_member(wrong: dict[str, object]) -> None:
    with pytest.raises(OverflowError):
        Key(**wrong).pack()


def test_integers_are_cut_to_their_width() -> None:
    assert (u8(256 + 3), i8(255), u32(-1)) == (3, -1, 0xFFFF_FFFF)
    assert isinstance(u8(3), int)
    with pytest.raises(TypeError, match=r"u8\(\) takes an integer, not be16"):
        u8(be16(3))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"u8\(\) takes an integer, not float"):
        u8(1.5)


def test_network_order_equals_only_its_own_kind() -> None:
    assert be16(80) == be16(80) != be16(81)
    assert be16(80) != be32(80)
    assert be16(80) != 80
    assert len({be16(80), be16(80), be32(80)}) == 2
    assert be16(0x1234).host() == 0x1234
    assert be16(0x1234).raw() == (0x3412 if sys.byteorder == "little" else 0x1234)


@pytest.mark.parametrize(("number", "error"), [(1 << 16, ValueError), (-1, ValueError), ("80", TypeError)])
def test_network_numbers_that_do_not_fit(number: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        be16(number)  # type: ignore[arg-type]


def test_an_array_type_needs_its_count() -> None:
    with pytest.raises(TypeError, match=r"written Array\[u8, 16\]"):
        Array[u8]  # type: ignore[misc]
