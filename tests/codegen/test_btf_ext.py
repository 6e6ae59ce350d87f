"""Function, line and relocation records of `.BTF.ext`."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from skverdict.codegen.btf import Btf, BtfBuilder, StringTable
from skverdict.codegen.btf_ext import BtfExt, CoreRelocation, FunctionInfo, LineInfo
from skverdict.codegen.btf_types import BtfError

from tests.codegen.sample_objects import SAMPLES, endian_of, section_of


@pytest.mark.parametrize("name", SAMPLES)
def test_what_clang_wrote_comes_out_to_the_byte(name: str) -> None:
    btf, content = Btf.decode(section_of(name, ".BTF")), section_of(name, ".BTF.ext")
    ext = BtfExt.decode(content, btf)
    assert ext.encode(endian_of(name), StringTable(btf.strings).intern) == content


def test_records_name_functions_and_lines() -> None:
    btf = Btf.decode(section_of("clang22-big.o", ".BTF"))
    ext = BtfExt.decode(section_of("clang22-big.o", ".BTF.ext"), btf)
    named = {
        section: [(info.offset, btf.types[info.type_id].name) for info in infos]
        for section, infos in ext.functions.items()
    }
    assert named["sk_skb/stream_parser"] == [(0, "parser")]
    assert [name for _, name in named["sk_skb/stream_verdict"]] == ["to_first", "to_second"]
    first = ext.lines["sk_skb/stream_parser"][0]
    assert (first.offset, first.file, first.line, first.text) == (0, "./sample.c", 83, "\treturn skb->len;")


def made() -> tuple[BtfBuilder, BtfExt]:
    make = BtfBuilder()
    function = make.function("verdict", make.prototype(make.integer("int", 4), []))
    lines = (LineInfo(0, "policy.py", "    return SK_PASS", 12, 5), LineInfo(8, "policy.py", "", 13, 0))
    ext = BtfExt(
        {"sk_msg": (FunctionInfo(0, function),)},
        {"sk_msg": lines},
        {"sk_msg": (CoreRelocation(8, function, "0:1", 0),)},
    )
    return make, ext


@pytest.mark.parametrize("endian", ["little", "big"])
def test_records_survive_their_bytes(endian: str) -> None:
    make, ext = made()
    content = ext.encode(endian, make.string)
    assert BtfExt.decode(content, make.build()) == ext


def test_a_place_that_does_not_fit_becomes_unknown() -> None:
    make, _ = made()
    line = LineInfo(0, "generated.py", "", 1 << 22, 1 << 10)
    content = BtfExt({}, {"sk_msg": (line,)}, {}).encode("little", make.string)
    assert BtfExt.decode(content, make.build()).lines["sk_msg"][0] == line._replace(line=0, column=0)


def test_a_header_without_relocations_is_an_old_one() -> None:
    make, ext = made()
    content = ext._replace(relocations={}).encode("little", make.string)
    old = struct.pack("<HBBI", 0xEB9F, 1, 0, 24) + content[8:24] + content[32:]
    assert BtfExt.decode(old, make.build()) == ext._replace(relocations={})


DAMAGED = {
    "no header": (0, b"\0", "no header at byte 0"),
    "version": (2, b"\7", "version 7"),
    "header size": (4, b"\xff\xff", "header of 65535 bytes"),
    "function place": (12, b"\xff\xff", "function records, 65535 bytes at 0, do not fit"),
    "record size": (32, b"\4", "function records: a record size of 4, not 8"),
    "section name": (36, b"\xff", "string offset 255"),
    "count": (40, b"\xff", "255 of them for section 'sk_msg' at byte 4 do not fit"),
    "uneven offset": (44, b"\3", "offsets in section 'sk_msg' do not ascend in steps of 8"),
    "type": (48, b"\1", "type 1 at offset 0 is no function"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damage_is_named(case: str) -> None:
    at, change, message = DAMAGED[case]
    make, ext = made()
    content = bytearray(ext.encode("little", make.string))
    content[at : at + len(change)] = change
    with pytest.raises(BtfError, match=message):
        BtfExt.decode(bytes(content), make.build())


def test_records_of_one_section_twice_are_refused() -> None:
    make, _ = made()
    name = make.string("sk_msg")
    words = [8, name, 1, 0, 3, name, 1, 8, 3]
    content = struct.pack("<HBBI6I9I", 0xEB9F, 1, 0, 32, 0, 36, 36, 0, 36, 0, *words)
    with pytest.raises(BtfError, match="section 'sk_msg' comes again at byte 20"):
        BtfExt.decode(content, make.build())


@given(st.data())
def test_a_changed_byte_is_read_or_refused(data: st.DataObject) -> None:
    make, ext = made()
    content = bytearray(ext.encode("little", make.string))
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        BtfExt.decode(bytes(content)[: data.draw(st.integers(0, len(content)))], make.build())
    except BtfError as error:
        assert str(error)
