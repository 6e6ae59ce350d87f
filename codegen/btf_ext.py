"""`.BTF.ext`: function, line and CO-RE relocation records of each program section, to bytes and back.

Offsets count bytes from the start of the ELF section. Layout: Documentation/bpf/btf.rst, section 4.2.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from skverdict.codegen.btf import BYTE_ORDERS, MAGIC, VERSION, Btf
from skverdict.codegen.btf_types import BtfError, Function

INSTRUCTION_SIZE = 8
_SHORT_HEADER_SIZE = 24
_HEADER_SIZE = 32
COLUMN_BITS = 10
MAX_COLUMN = (1 << COLUMN_BITS) - 1
MAX_LINE = (1 << 32 - COLUMN_BITS) - 1


class FunctionInfo(NamedTuple):
    """The function `type_id` (a BTF `func`) begins at `offset`."""

    offset: int
    type_id: int


class LineInfo(NamedTuple):
    """From `offset` on, instructions come from this place; `text` is the source line, or empty.

    `line` counts from 1 and ends at 4194303, `column` from 1 (0: not known) and ends at 1023.
    """

    offset: int
    file: str
    text: str
    line: int
    column: int


class CoreRelocation(NamedTuple):
    """The instruction at `offset` depends on `type_id`; `access` is a path as `0:1:2`, or a value's index.

    `kind` is `enum bpf_core_relo_kind` (0: byte offset of a field).
    """

    offset: int
    type_id: int
    access: str
    kind: int


class BtfExt(NamedTuple):
    """Records by ELF section name, in ascending order of offset."""

    functions: Mapping[str, Sequence[FunctionInfo]]
    lines: Mapping[str, Sequence[LineInfo]]
    relocations: Mapping[str, Sequence[CoreRelocation]]

    def encode(self, endian: str, intern: Callable[[str], int]) -> bytes:
        """The bytes of a `.BTF.ext` section; `intern` puts a string into the BTF that it goes with."""
        order = BYTE_ORDERS[endian]
        places: list[int] = []
        body = b""
        for kind, by_section in zip(_KINDS, self, strict=True):
            words = [kind.size] if by_section else []
            for section, records in by_section.items():
                words += intern(section), len(records)
                for record in records:
                    words += kind.encode(record, intern)
            places += len(body), 4 * len(words)
            body += struct.pack(f"{order}{len(words)}I", *words)
        return struct.pack(f"{order}HBBI6I", MAGIC, VERSION, 0, _HEADER_SIZE, *places) + body

    @staticmethod
    def decode(content: bytes, btf: Btf) -> BtfExt:
        """The records of a `.BTF.ext` section whose strings and types are `btf`'s; raises `BtfError`."""
        order = next((each for each in "<>" if content[:2] == struct.pack(f"{each}H", MAGIC)), None)
        if order is None or len(content) < _SHORT_HEADER_SIZE:
            raise BtfError(f".BTF.ext: no header at byte 0 of {len(content)}")
        _, version, flags, header_size = struct.unpack_from(f"{order}HBBI", content)
        if version != VERSION or flags or not _SHORT_HEADER_SIZE <= header_size <= len(content):
            raise BtfError(f".BTF.ext: version {version}, flags {flags:#x}, header of {header_size} bytes")
        # The header without CO-RE records is what LLVM 8 and 9 wrote.
        places = struct.unpack_from(f"{order}{4 if header_size < _HEADER_SIZE else 6}I", content, 8)
        decoded: list[dict[str, tuple[Any, ...]]] = [{}, {}, {}]
        for number, kind in enumerate(_KINDS[: len(places) // 2]):
            offset, size = places[2 * number : 2 * number + 2]
            if offset % 4 or size % 4 or header_size + offset + size > len(content):
                raise BtfError(f".BTF.ext: {kind.name} records, {size} bytes at {offset}, do not fit")
            words = struct.unpack_from(f"{order}{size // 4}I", content, header_size + offset)
            try:
                decoded[number] = _decode_sections(kind, words, btf)
            except BtfError as error:
                raise BtfError(f".BTF.ext: {kind.name} records: {error}") from None
        return BtfExt(*decoded)


def _encode_function(record: FunctionInfo, intern: Callable[[str], int]) -> Sequence[int]:
    return record


def _decode_function(words: Sequence[int], btf: Btf) -> FunctionInfo:
    info = FunctionInfo(*words)
    if not isinstance(btf.type(info.type_id), Function):
        raise BtfError(f"type {info.type_id} at offset {info.offset} is no function")
    return info


def _encode_line(record: LineInfo, intern: Callable[[str], int]) -> Sequence[int]:
    # A place beyond what the format holds is given as unknown rather than wrong.
    line = record.line if record.line <= MAX_LINE else 0
    column = record.column if record.column <= MAX_COLUMN else 0
    return record.offset, intern(record.file), intern(record.text), line << COLUMN_BITS | column


def _decode_line(words: Sequence[int], btf: Btf) -> LineInfo:
    offset, file, text, place = words
    return LineInfo(offset, btf.string(file), btf.string(text), place >> COLUMN_BITS, place & MAX_COLUMN)


def _encode_relocation(record: CoreRelocation, intern: Callable[[str], int]) -> Sequence[int]:
    return record.offset, record.type_id, intern(record.access), record.kind


def _decode_relocation(words: Sequence[int], btf: Btf) -> CoreRelocation:
    offset, type_id, access, kind = words
    btf.type(type_id)
    return CoreRelocation(offset, type_id, btf.string(access), kind)


class _Kind(NamedTuple):
    """One kind of record of `size` bytes."""

    name: str
    size: int
    encode: Callable[[Any, Callable[[str], int]], Sequence[int]]
    decode: Callable[[Sequence[int], Btf], FunctionInfo | LineInfo | CoreRelocation]


_KINDS = (
    _Kind("function", 8, _encode_function, _decode_function),
    _Kind("line", 16, _encode_line, _decode_line),
    _Kind("relocation", 16, _encode_relocation, _decode_relocation),
)


def _decode_sections(kind: _Kind, words: Sequence[int], btf: Btf) -> dict[str, tuple[Any, ...]]:
    """Each section's name and records; records longer than this version's are read by their known part."""
    sections: dict[str, tuple[Any, ...]] = {}
    if not words:
        return sections
    record_size = words[0]
    if record_size < kind.size or record_size % 4:
        raise BtfError(f"a record size of {record_size}, not {kind.size}")
    width = record_size // 4
    at = 1
    while at < len(words):
        if at + 2 > len(words):
            raise BtfError(f"cut short at byte {4 * at}")
        section, count = btf.string(words[at]), words[at + 1]
        start, at = at + 2, at + 2 + width * count
        if section in sections:
            raise BtfError(f"section {section!r} comes again at byte {4 * start - 8}")
        if not count or at > len(words):
            raise BtfError(f"{count} of them for section {section!r} at byte {4 * start - 8} do not fit")
        records = tuple(kind.decode(words[w : w + kind.size // 4], btf) for w in range(start, at, width))
        offsets = [record.offset for record in records]
        if any(offset % INSTRUCTION_SIZE for offset in offsets) or offsets != sorted(offsets):
            raise BtfError(f"offsets in section {section!r} do not ascend in steps of {INSTRUCTION_SIZE}")
        sections[section] = records
    return sections
