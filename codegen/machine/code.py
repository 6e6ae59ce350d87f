"""Instructions in blocks, before it is decided where each block stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from skverdict.codegen.btf_ext import LineInfo
    from skverdict.codegen.machine.graph import Symbol


class Step(NamedTuple):
    """One instruction that does not branch. `imm` of a wide one has 64 bits.

    `memory` tells what a load or store points into: two that differ in it may not become one instruction,
    since the verifier wants an instruction to see one kind of pointer.
    """

    opcode: int
    target: int
    source: int = 0
    offset: int = 0
    imm: int = 0
    symbol: Symbol | None = None
    memory: object = None


class Branch(NamedTuple):
    """The condition that ends a piece of code with two ways out. `is_ordered`: its registers may not change sides."""

    opcode: int
    target: int
    source: int
    imm: int
    is_ordered: bool = False


class Piece:
    """Steps that run one after the other.

    `ways` are what can follow: none after an exit; one; or two if there is a `branch`: taken, then not.
    """

    __slots__ = ("branch", "end_line", "lines", "steps", "ways")

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.lines: list[LineInfo | None] = []
        self.branch: Branch | None = None
        self.end_line: LineInfo | None = None
        self.ways: list[Piece] = []

    def add(self, step: Step, line: LineInfo | None) -> None:
        self.steps.append(step)
        self.lines.append(line)
