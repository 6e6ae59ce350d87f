"""Pieces in their places as bytes, with the relocations and source lines that belong to them."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from skverdict.codegen.machine.graph import JA, JMP, MASK32, WIDE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from skverdict.codegen.btf_ext import LineInfo
    from skverdict.codegen.machine.code import Piece
    from skverdict.codegen.machine.graph import Symbol
    from skverdict.codegen.machine.shape import Line

_EXIT, _JUMP = 0x95, JMP | JA
_REACH = range(-(1 << 15), 1 << 15)


class Encoded(NamedTuple):
    """A function: `symbols` by slot, `lines` for every slot that begins an instruction."""

    content: bytes
    symbols: dict[int, Symbol]
    lines: list[tuple[int, LineInfo]]


class TooFar(Exception):
    """A branch spans more than 16 bits; the function stays as LLVM made it."""


def encode(order: Sequence[Line], endian: str) -> Encoded:
    """The bytes of a function. Raises TooFar."""
    starts: dict[Piece, int] = {}
    slots = 0
    for line in order:
        starts[line.piece] = slots
        for step in line.piece.steps:
            slots += 2 if step.opcode == WIDE else 1
        slots += (line.branch is not None) + (line.jump is not None or not line.piece.ways)
    pack = struct.Struct("<BBhi" if endian == "little" else ">BBhi").pack
    low = endian == "little"
    content = bytearray()
    first: LineInfo | None = next(
        (where for line in order for where in (*line.piece.lines, line.piece.end_line) if where is not None),
        None,
    )
    symbols: dict[int, Symbol] = {}
    lines: list[tuple[int, LineInfo]] = []
    at = 0

    def put(opcode: int, target: int, source: int, offset: int, imm: int, where: LineInfo | None) -> None:
        nonlocal at, content
        # The kernel wants a line for the first instruction.
        where = where if at else where or first
        if where is not None:
            lines.append((at, where))
        content += pack(opcode, source << 4 | target if low else target << 4 | source, offset, imm)
        at += 1

    def distance(piece: Piece) -> int:
        far = starts[piece] - at - 1
        if far not in _REACH:
            raise TooFar
        return far

    for line in order:
        piece = line.piece
        for step, where in zip(piece.steps, piece.lines, strict=True):
            opcode, target, source, offset, imm, symbol, _ = step
            if symbol is not None:
                symbols[at] = symbol
            if opcode == WIDE:
                bits = imm & (1 << 64) - 1
                put(opcode, target, source, offset, _signed(bits & MASK32), where)
                put(0, 0, 0, 0, _signed(bits >> 32), None)
            else:
                put(opcode, target, source, offset, imm, where)
        where = piece.end_line
        if line.branch is not None:
            assert line.taken is not None
            opcode, target, source, imm, _ = line.branch
            put(opcode, target, source, distance(line.taken), imm, where)
        if line.jump is not None:
            if not line.jump.steps and not line.jump.ways:
                put(_EXIT, 0, 0, 0, 0, where)
            else:
                put(_JUMP, 0, 0, distance(line.jump), 0, where)
        elif not piece.ways:
            put(_EXIT, 0, 0, 0, 0, where)
    return Encoded(bytes(content), symbols, lines)


def _signed(word: int) -> int:
    return word - (1 << 32) if word >> 31 else word

