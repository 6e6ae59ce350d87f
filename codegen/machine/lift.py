"""From the instructions of a function to its graph of values.

Copies between registers disappear, since a copy is the same value; so do constants put into registers. Values
that meet where ways join become PHI nodes, for registers that are read later.
"""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import TYPE_CHECKING

from skverdict.codegen.machine.folding import as_immediate, fold, is_small
from skverdict.codegen.machine.graph import (
    ADD,
    ALU,
    ALU32,
    ALU64,
    ATOMIC,
    CALL,
    CALL_CODE,
    CLASS,
    CODE,
    CONST,
    END,
    EXIT,
    EXIT_CODE,
    FRAME,
    FRAME_POINTER,
    GOTO,
    JA,
    JMP,
    JMP32,
    JUMP,
    LD,
    LDX,
    LOAD,
    LSH,
    MASK32,
    MOV,
    NEG,
    PHI,
    REGISTER,
    RSH,
    ST,
    STORE,
    STX,
    UNARY,
    WIDE,
    Block,
    Graph,
    Node,
    order,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from skverdict.codegen.btf_ext import LineInfo
    from skverdict.codegen.machine.graph import Symbol

_MODE, _ATOMIC_MODE = 0xE0, 0xC0
_LAST_CONDITION = 0xD0
_FETCH, _CMPXCHG = 0x01, 0xF1
_LOCAL_CALL = 1
_MOVE_32, _SHIFT_LEFT, _SHIFT_RIGHT = ALU32 | MOV | REGISTER, ALU64 | LSH, ALU64 | RSH
CALL_OPCODE, EXIT_OPCODE = 0x85, 0x95

#: Opcode, the two registers, offset and immediate of one slot.
Slot = tuple[int, int, int, int, int]


class Unliftable(Exception):
    """The function holds something that a graph has no node for, and stays as LLVM made it."""


def decode(content: bytes, endian: str) -> list[Slot]:
    """The slots of a function's instructions."""
    order_ = "<" if endian == "little" else ">"
    slots = struct.iter_unpack(f"{order_}BBhi", content)
    if endian == "little":
        return [(opcode, pair & 15, pair >> 4, offset, imm) for opcode, pair, offset, imm in slots]
    return [(opcode, pair >> 4, pair & 15, offset, imm) for opcode, pair, offset, imm in slots]


def lift(
    slots: Sequence[Slot],
    symbols: Mapping[int, Symbol],
    lines: Sequence[LineInfo | None],
    program: str,
    arity: Callable[[int], int],
) -> Graph:
    """The graph of a function: `symbols` and `lines` are those of each slot.

    `program` is its program kind, or empty; `arity` tells how many arguments the call in a slot takes. Raises
    Unliftable.
    """
    blocks = cut(slots)
    find_live(blocks, slots, arity)
    return _Lifter(slots, blocks, symbols, lines, program, arity).graph


def arguments(slots: Sequence[Slot], arity: Callable[[int], int]) -> int:
    """How many arguments a function takes: those of r1 to r5 that it reads. Raises Unliftable."""
    blocks = cut(slots)
    find_live(blocks, slots, arity)
    return ((blocks[0].live & 0x3E) >> 1).bit_length()


class _Place(Block):
    """A block while it is lifted. Sets of registers are bit masks."""

    __slots__ = ("defined", "filled", "first", "last", "live", "state", "waiting")

    def __init__(self, first: int, last: int) -> None:
        super().__init__()
        self.first = first
        self.last = last
        self.state: list[Node] = []
        self.filled = False
        self.live = 0
        self.defined = 0
        # PHI nodes whose operands are found once all predecessors are filled, by register.
        self.waiting: dict[int, Node] = {}


def cut(slots: Sequence[Slot]) -> list[_Place]:
    """The blocks of a function that can be reached, and the ways between them. Raises Unliftable."""
    starts = {0}
    ends: dict[int, tuple[int, ...]] = {}
    at = 0
    count = len(slots)
    while at < count:
        opcode, _, source, offset, imm = slots[at]
        final = at
        at += 2 if opcode == WIDE else 1
        if opcode & CLASS not in (JMP, JMP32):
            continue
        code = opcode & CODE
        if code == JA:
            targets: tuple[int, ...] = (at + (imm if opcode & CLASS == JMP32 else offset),)
        elif code == EXIT_CODE:
            targets = ()
        elif code == CALL_CODE:
            if opcode & REGISTER or source > _LOCAL_CALL or opcode & CLASS == JMP32:
                raise Unliftable
            continue
        elif code > _LAST_CONDITION:
            raise Unliftable
        else:
            targets = (at + offset, at) if offset else (at,)
        starts.update(targets)
        starts.add(at)
        ends[final] = targets
    cuts = sorted(starts)
    if cuts[-1] != count:
        raise Unliftable  # a jump leads out, or the last instruction neither leaves nor jumps
    places = {first: _Place(first, last) for first, last in pairwise(cuts)}
    for place in places.values():
        targets = ends.get(place.last - 1, (place.last,))
        if place.last == count and targets == (count,):
            raise Unliftable
        place.successors = [places[target] for target in targets]
    blocks: list[_Place] = order(places[0])  # type: ignore[assignment]
    for block in blocks:
        for successor in block.successors:
            successor.predecessors.append(block)
    if blocks[0].predecessors:
        raise Unliftable
    return blocks


def find_live(blocks: Sequence[_Place], slots: Sequence[Slot], arity: Callable[[int], int]) -> None:
    """Set `live` of each block: the registers that it, or what follows, reads before they are set.

    `arity` tells how many arguments the call in a slot takes.
    """
    for block in blocks:
        live = defined = 0
        at, last = block.first, block.last
        while at < last:
            opcode, target, source, _, imm = slots[at]
            class_ = opcode & CLASS
            reads = writes = 0
            if class_ in (ALU64, ALU32):
                code = opcode & CODE
                if opcode & REGISTER and code != END:
                    reads = 1 << source
                if code != MOV:
                    reads |= 1 << target
                writes = 1 << target
            elif class_ == LDX:
                reads, writes = 1 << source, 1 << target
            elif opcode == WIDE:
                writes = 1 << target
                at += 1
            elif class_ == STX:
                reads = 1 << target | 1 << source
                if opcode & _MODE == _ATOMIC_MODE and imm == _CMPXCHG:
                    reads, writes = reads | 1, 1
                elif opcode & _MODE == _ATOMIC_MODE and imm & _FETCH:
                    writes = 1 << source
            elif class_ == ST:
                reads = 1 << target
            elif opcode == CALL_OPCODE:
                reads, writes = (2 << arity(at)) - 2, 0x3F
            elif opcode == EXIT_OPCODE:
                reads = 1
            elif opcode & CODE != JA:
                reads = 1 << target
                if opcode & REGISTER:
                    reads |= 1 << source
            live |= reads & ~defined
            defined |= writes
            at += 1
        block.live, block.defined = live, defined
    changed = True
    while changed:
        changed = False
        for block in reversed(blocks):
            live = block.live
            for successor in block.successors:
                live |= successor.live & ~block.defined  # type: ignore[attr-defined]
            if live != block.live:
                block.live = live
                changed = True


class _Lifter:
    def __init__(
        self,
        slots: Sequence[Slot],
        blocks: list[_Place],
        symbols: Mapping[int, Symbol],
        lines: Sequence[LineInfo | None],
        program: str,
        arity: Callable[[int], int],
    ) -> None:
        self.slots = slots
        self.symbols = symbols
        self.lines = lines
        self.arity = arity
        self.graph = Graph(program)
        # The slots of shifts to the left by 32 bits.
        self.shifted: dict[Node, int] = {}
        # What a PHI turned out to be.
        self.replaced: dict[Node, Node] = {}
        for block in blocks:
            self._begin(block)
            self._fill(block)
        for block in blocks:
            for register, phi in block.waiting.items():
                phi.args = [each.state[register] for each in block.predecessors]  # type: ignore[attr-defined]
        self.graph.blocks = list(blocks)
        self._settle(blocks)

    def _begin(self, block: _Place) -> None:
        """What the registers hold where the block begins."""
        graph = self.graph
        state = block.state = [graph.undefined] * FRAME_POINTER
        state.append(graph.frame(0))
        predecessors: list[_Place] = block.predecessors  # type: ignore[assignment]
        for register in range(FRAME_POINTER):
            if not block.live >> register & 1:
                continue
            if not predecessors:
                if 1 <= register <= (1 if graph.program else 5):
                    state[register] = graph.entry(register)
                continue
            if len(predecessors) == 1:
                state[register] = predecessors[0].state[register]
                continue
            if all(each.filled for each in predecessors):
                values = [each.state[register] for each in predecessors]
                first = values[0]
                if all(value is first for value in values):
                    state[register] = first
                    continue
                phi = Node(PHI, args=values)
            else:
                phi = block.waiting[register] = Node(PHI)
            block.phis.append(phi)
            state[register] = phi

    def _settle(self, blocks: Sequence[_Place]) -> None:
        """Replace PHI nodes that turned out to be one value, in all operands."""
        replaced = self.replaced
        changed = any(block.waiting for block in blocks)
        while changed:
            changed = False
            for block in blocks:
                for phi in list(block.phis):
                    args = phi.args
                    first = None
                    single = True
                    for place, arg in enumerate(args):
                        while arg in replaced:
                            arg = replaced[arg]
                        args[place] = arg
                        if arg is not phi and arg is not first:
                            single = single and first is None
                            first = arg
                    if single and first is not None:
                        replaced[phi] = first
                        block.phis.remove(phi)
                        changed = True
        if not replaced:
            return
        for _, node in self.graph.users():
            args = node.args
            for place, arg in enumerate(args):
                while arg in replaced:
                    arg = replaced[arg]
                args[place] = arg
        self.graph.rebase_frames()

    def _fill(self, block: _Place) -> None:
        slots, lines, state, nodes = self.slots, self.lines, block.state, block.nodes
        graph = self.graph
        at, last = block.first, block.last
        block.end = Node(GOTO)
        while at < last:
            opcode, target, source, offset, imm = slots[at]
            line = lines[at]
            class_ = opcode & CLASS
            if class_ in (ALU64, ALU32):
                before = len(nodes)
                node = self._arithmetic(block, opcode, target, source, offset, imm, line)
                if len(nodes) > before:
                    node.slot = at
                self._note_extension(at, state, node)
                state[target] = node
            elif class_ == LDX:
                node = self._memory(LOAD, opcode, state[source], offset, line)
                nodes.append(node)
                state[target] = node
            elif opcode == WIDE:
                symbol = self.symbols.get(at)
                if symbol is not None:
                    state[target] = graph.address(symbol)
                elif source:
                    raise Unliftable
                else:
                    state[target] = graph.constant((slots[at + 1][4] & MASK32) << 32 | imm & MASK32)
                at += 1
            elif class_ == LD:
                raise Unliftable
            elif class_ <= 3:
                self._store(block, opcode, target, source, offset, imm, line)
            else:
                code = opcode & CODE
                if code == CALL_CODE:
                    self._call(block, at)
                elif code == EXIT_CODE:
                    result = state[0]
                    block.end = Node(EXIT, line=line)
                    if result is not graph.undefined:
                        block.end.args.append(result)
                elif code == JA or len(block.successors) == 1:
                    block.end = Node(GOTO, line=line)
                else:
                    args = [state[target]]
                    if opcode & REGISTER:
                        args.append(state[source])
                        imm = 0
                    block.end = Node(JUMP, opcode, args, imm=imm, line=line)
            at += 1
        block.filled = True

    def _note_extension(self, at: int, state: Sequence[Node], made: Node) -> None:
        """Note the value if the instruction in slot `at`, which makes `made`, clears its upper half."""
        opcode, target, source, offset, imm = self.slots[at]
        if opcode == _MOVE_32 and not offset:
            self.graph.extensions.append((state[source], (at,)))
        elif opcode == _SHIFT_LEFT and imm == 32 and made.kind == ALU:
            self.shifted[made] = at
        elif opcode == _SHIFT_RIGHT and imm == 32 and state[target] in self.shifted:
            shifted = state[target]
            self.graph.extensions.append((shifted.args[0], (self.shifted[shifted], at)))

    def _arithmetic(
        self,
        block: _Place,
        opcode: int,
        target: int,
        source: int,
        offset: int,
        imm: int,
        line: LineInfo | None,
    ) -> Node:
        graph = self.graph
        code, class_ = opcode & CODE, opcode & CLASS
        if code in (END, NEG):
            node = Node(UNARY, opcode, [block.state[target]], imm=imm, line=line)
        elif code == MOV:
            if not opcode & REGISTER:
                return graph.constant(imm if class_ == ALU64 else imm & MASK32)
            value = block.state[source]
            if offset:
                if offset == 1:
                    raise Unliftable
                node = Node(UNARY, opcode, [value], offset=offset, line=line)
            elif class_ == ALU64 or is_small(value):
                return value
            elif value.kind == CONST:
                return graph.constant(value.imm & MASK32)
            else:
                node = Node(UNARY, opcode, [value], line=line)
        else:
            left = block.state[target]
            if opcode & REGISTER:
                right = block.state[source]
                short = as_immediate(right, opcode)
                if short is None:
                    node = Node(ALU, opcode, [left, right], offset=offset, line=line)
                    block.nodes.append(node)
                    return node
                opcode &= ~REGISTER
                imm = short
            if left.kind == FRAME and class_ == ALU64 and code == ADD:
                return graph.frame(left.offset + imm)
            if left.kind == CONST and not offset:
                folded = fold(opcode, left.imm, imm)
                if folded is not None:
                    return graph.constant(folded)
            if code == RSH and imm == 32 and class_ == ALU64 and left.kind == ALU:
                inner = left.args[0]
                if left.opcode == opcode - RSH + LSH and left.imm == 32 and is_small(inner):
                    return inner
            node = Node(ALU, opcode, [left], offset=offset, imm=imm, line=line)
        block.nodes.append(node)
        return node

    def _memory(self, kind: int, opcode: int, base: Node, offset: int, line: LineInfo | None) -> Node:
        if base.kind == FRAME:
            offset += base.offset
            base = self.graph.frame(0)
        return Node(kind, opcode, [base], offset=offset, line=line)

    def _store(
        self,
        block: _Place,
        opcode: int,
        target: int,
        source: int,
        offset: int,
        imm: int,
        line: LineInfo | None,
    ) -> None:
        base = block.state[target]
        if opcode & CLASS == ST:
            node = self._memory(STORE, opcode ^ ST ^ STX, base, offset, line)
            node.args.append(self.graph.constant(imm))
        elif opcode & _MODE == _ATOMIC_MODE:
            node = self._memory(ATOMIC, opcode, base, offset, line)
            node.args.append(block.state[source])
            node.imm = imm
            if imm & _FETCH or imm & 0xF00:
                if imm & 0xF00:
                    raise Unliftable
                if imm == _CMPXCHG:
                    node.args.append(block.state[0])
                    self.graph.is_fixed = True
                    source = 0
                block.state[source] = node
        else:
            node = self._memory(STORE, opcode, base, offset, line)
            node.args.append(block.state[source])
        block.nodes.append(node)

    def _call(self, block: _Place, at: int) -> None:
        opcode, _, source, _, imm = self.slots[at]
        symbol = self.symbols.get(at)
        if source == _LOCAL_CALL and symbol is None:
            raise Unliftable
        graph, state = self.graph, block.state
        args = [state[register] for register in range(1, 1 + self.arity(at))]
        node = Node(CALL, opcode, args, imm=0 if symbol else imm, symbol=symbol, line=self.lines[at])
        block.nodes.append(node)
        state[0] = node
        state[1:6] = [graph.undefined] * 5
