"""LLVM's own instructions, in its registers, with all mended that a verifier would refuse.

So a function is encoded whose values do not all find registers, or which becomes no shorter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.codegen.machine.code import Branch, Piece, Step
from skverdict.codegen.machine.comparisons import Known, comparisons
from skverdict.codegen.machine.ends import keep_whole
from skverdict.codegen.machine.frame_sums import add_to_frames
from skverdict.codegen.machine.graph import CALL_CODE, CLASS, CODE, FRAME_POINTER, JMP, JMP32, MASK32, ST, WIDE
from skverdict.codegen.machine.lift import cut
from skverdict.codegen.machine.unwritten import unwritten_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from skverdict.codegen.btf_ext import LineInfo
    from skverdict.codegen.machine.comparisons import Comparison
    from skverdict.codegen.machine.graph import Graph, Symbol
    from skverdict.codegen.machine.lift import Slot
    from skverdict.codegen.machine.stack_use import Uses

_STORE_WORD = ST | 0x60 | 0x18


def transcribe(
    graph: Graph,
    uses: Uses,
    slots: Sequence[Slot],
    symbols: Mapping[int, Symbol],
    lines: Sequence[LineInfo | None],
) -> Piece:
    """The first piece of the code in `slots`; `symbols` and `lines` are those of each slot.

    `graph` is what was lifted of it, and `uses` what it does with its stack.
    """
    opcodes = keep_whole(graph)
    opcodes.update((node.slot, node.opcode) for node in add_to_frames(graph))
    compared = dict(comparisons(graph, Known(graph)))
    places = cut(slots)
    pieces = [Piece() for _ in places]
    for block, place, piece in zip(graph.blocks, places, pieces, strict=True):
        piece.ways = [pieces[each.index] for each in place.successors]
        piece.end_line = lines[place.last - 1]
        at = place.first
        while at < place.last:
            opcode, target, source, offset, imm = slots[at]
            if opcode & CLASS in (JMP, JMP32) and opcode & CODE != CALL_CODE:
                # The last one, as every jump is.
                if len(piece.ways) == 2:
                    piece.branch = Branch(opcode, target, source, imm)
            elif (now := opcodes.get(at, opcode)) is not None:
                if opcode == WIDE:
                    imm = (slots[at + 1][4] & MASK32) << 32 | imm & MASK32
                piece.add(Step(now, target, source, offset, imm, symbols.get(at)), lines[at])
            at += 2 if opcode == WIDE else 1
        if block in compared:
            _compare(piece, compared[block])
    first = pieces[0]
    words = unwritten_words(graph, uses)
    line = next((each for each in lines if each is not None), None)
    first.steps[:0] = [Step(_STORE_WORD, FRAME_POINTER, offset=offset) for offset in words]
    first.lines[:0] = [line] * len(words)
    return first


def _compare(piece: Piece, comparison: Comparison) -> None:
    """Let the piece end with the comparison."""
    branch = piece.branch
    assert branch is not None
    first, *others = ((branch.target, branch.source)[place] for place in comparison.operands)
    source = others[0] if others else 0
    piece.branch = Branch(comparison.opcode, first, source, comparison.imm, is_ordered=bool(others))
    if comparison.is_contrary:
        piece.ways.reverse()
