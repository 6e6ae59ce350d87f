"""What native code is kept under: everything that it follows from, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from skverdict.codegen.assembler import assemble
from skverdict.codegen.object import DataReference, MapReference, SourceLine
from skverdict.runtime.native.code import draft
from skverdict.runtime.native.edition import digest
from skverdict.runtime.native.outline import packed, unpacked
from skverdict.runtime.native.proof import Area
from skverdict.runtime.native.source import MapTraits, Source

_TEXT = """
license "GPL"
map values array key 4 value 16 max_entries 4 flags 0
program main sk_skb/stream_verdict
    r6 = r1
    *(u32 *)(r10 - 4) = 0
    r1 = map[values] ll
    r2 = r10
    r2 += -4
    call bpf_map_lookup_elem
    r0 = *(u32 *)(r6 + 0)
    exit
"""
_PROGRAM = assemble(_TEXT).programs["main"]
_ARRAY = MapTraits("array", 4, 16, 4, True, True, True)
_SOURCE = Source(_PROGRAM, "little", "__sk_buff", "6.1", {"values": _ARRAY}, {}, "", True)
_LOOKUP, _EXIT = 6, 8


def _with_instruction(slot: int, **fields: int) -> Source:
    instructions = {**_PROGRAM.instructions, slot: _PROGRAM.instructions[slot]._replace(**fields)}
    return _SOURCE._replace(program=replace(_PROGRAM, instructions=instructions))


def _with_program(**fields: object) -> Source:
    return _SOURCE._replace(program=replace(_PROGRAM, **fields))  # type: ignore[arg-type]


_OTHERS: dict[str, Callable[[], Source]] = {
    **{f"instruction {name}": lambda name=name: _with_instruction(_EXIT, **{name: 1})  # type: ignore[misc]
       for name in ("dst", "src", "offset", "imm")},
    "opcode": lambda: _with_instruction(_EXIT, opcode=0xB7),
    "map of an instruction": lambda: _with_program(maps={2: MapReference(2, "others")}),
    "data of an instruction": lambda: _with_program(data={2: DataReference(2, ".data", 4)}),
    "kind": lambda: _with_program(kind="stream_parser"),
    "order": lambda: _SOURCE._replace(order="big"),
    "table": lambda: _SOURCE._replace(table="sk_msg_md"),
    "kernel": lambda: _SOURCE._replace(kernel="6.12"),
    "data": lambda: _SOURCE._replace(data={".data": Area(8, True)}),
    "loops": lambda: _SOURCE._replace(has_loops=False),
    "redirects": lambda: _SOURCE._replace(redirects_in="values"),
    **{
        f"map {name}": lambda name=name, value=value: _SOURCE._replace(  # type: ignore[misc]
            maps={"values": _ARRAY._replace(**{name: value})}
        )
        for name, value in {
            "kind": "hash", "key_size": 8, "value_size": 8, "max_entries": 5, "writable": False, "plain": False,
            "table": False,
        }.items()
    },
}  # fmt: skip


@pytest.mark.parametrize("what", _OTHERS)
def test_everything_that_code_follows_from_counts(what: str) -> None:
    other = _OTHERS[what]()
    assert other != _SOURCE
    assert other.identity() != _SOURCE.identity()


def test_names_and_source_lines_count_for_nothing() -> None:
    other = _with_program(name="other", section="sk_skb", lines={0: SourceLine("a.py", 1, 0, "")}, functions={0: "x"})
    assert other.identity() == _SOURCE.identity()
    assert draft(other) == draft(_SOURCE)


def test_an_outline_comes_back_from_bytes_as_it_was() -> None:
    outline = draft(_SOURCE).outline
    assert unpacked(packed(outline, b"\n\0code\n")) == (outline, b"\n\0code\n")
    assert outline.needs.tables == ("values",)
    assert outline.known()[_LOOKUP].gives_value
    assert not outline.known()[_EXIT].gives_value


def test_an_edition_is_known_by_every_byte_and_name(tmp_path: Path) -> None:
    seen = set()
    for name, content in (("a.py", b"one"), ("a.py", b"two"), ("b.py", b"two"), ("c.py", b"")):
        (tmp_path / name).write_bytes(content)
        (tmp_path / "__pycache__").mkdir(exist_ok=True)
        seen.add(digest([tmp_path]))
        (tmp_path / "__pycache__" / name).write_bytes(content)
        assert digest([tmp_path]) in seen
    assert len(seen) == 4
    assert digest([tmp_path, tmp_path]) not in seen
