"""Instructions of a graph whose values have registers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.codegen.machine.code import Branch, Piece, Step
from skverdict.codegen.machine.facts import edge_fact
from skverdict.codegen.machine.graph import (
    ADD,
    ADDRESS,
    ALU,
    ALU32,
    ALU64,
    ATOMIC,
    CALL,
    CODE,
    COMMUTATIVE,
    CONST,
    COPY,
    EXIT,
    FRAME,
    FRAME_POINTER,
    JUMP,
    LOAD,
    MASK32,
    MOV,
    REGISTER,
    ST,
    STORE,
    STX,
    UNARY,
    UNDEF,
    WIDE,
    Block,
    Graph,
    Node,
)
from skverdict.codegen.machine.kernel_fields import KERNEL
from skverdict.codegen.machine.pointers import UNKNOWN, region
from skverdict.codegen.machine.registers import OutOfRegisters

if TYPE_CHECKING:
    from collections.abc import Iterable

    from skverdict.codegen.btf_ext import LineInfo
    from skverdict.codegen.machine.registers import Live

_MOVE, _MOVE_CONSTANT, _MOVE_CONSTANT_32 = ALU64 | MOV | REGISTER, ALU64 | MOV, ALU32 | MOV
_ADD_CONSTANT = ALU64 | ADD
_CALLER_SAVED = range(6)

#: A register, and the value that it is to hold.
Wanted = tuple[int, Node]


def emit(graph: Graph, live: dict[Block, Live], has_32_bit_registers: bool) -> Piece:
    """The first piece of the function's code. Raises OutOfRegisters if moves need one that there is not."""
    return _Emitter(graph, live, has_32_bit_registers).run()


class _Emitter:
    def __init__(self, graph: Graph, live: dict[Block, Live], short: bool) -> None:
        self.graph = graph
        self.live = live
        self.short = short
        self.pieces = {block: Piece() for block in graph.blocks}
        self.own = set(self.pieces.values())
        # What registers hold at the end of a block, and numbers that values are known to be there.
        self.leaving: dict[Block, dict[int, Node]] = {}
        self.facts: dict[Block, dict[Node, int]] = {}
        self.holders: list[Node] = []
        self.landings: dict[tuple[Block, tuple[Wanted, ...]], Piece] = {}
        self.piece = Piece()
        self.held: dict[int, Node] = {}
        self.known: dict[Node, int] = {}

    def run(self) -> Piece:
        graph = self.graph
        nodes = list(graph.entries.values())
        for block in graph.blocks:
            nodes += block.phis
            nodes += block.nodes
        self.by_number = {node.number: node for node in nodes if node.number >= 0}
        for block in graph.blocks:
            self._block(block)
        return self.pieces[graph.blocks[0]]

    def _arrive(self, block: Block) -> None:
        """Set what is in the registers where the block begins."""
        held: dict[int, Node] = {}
        known: dict[Node, int] = {}
        predecessors = block.predecessors
        if not predecessors:
            for entry in self.graph.entries.values():
                held[entry.imm] = entry
        elif len(predecessors) == 1:
            before = predecessors[0]
            held.update(self.leaving[before])
            known.update(self.facts[before])
            fact = edge_fact(before, block, self.graph.program)
            if fact is not None:
                known[fact[0]] = fact[1]
        else:
            ways = [self.leaving.get(each) for each in predecessors]
            first = ways[0]
            if first is not None and all(way is not None for way in ways):
                held = {
                    register: node
                    for register, node in first.items()
                    if all(way is not None and way.get(register) is node for way in ways)
                }
            mask = self.live[block].begin
            while mask:
                low = mask & -mask
                node = self.by_number[low.bit_length() - 1]
                held[node.register] = node
                mask ^= low
        self.held, self.known = held, known

    def _block(self, block: Block) -> None:
        self._arrive(block)
        self.piece = piece = self.pieces[block]
        if not block.predecessors:
            entries = list(self.graph.entries.values())
            wanted = [(entry.register, entry) for entry in entries]
            self._move(wanted, entries[0].line if entries else None, self.live[block].begin)
        for node in block.nodes:
            _EMITTERS[node.kind](self, node)
        end = block.end
        line = end.line
        piece.end_line = line
        self.leaving[block] = self.held
        self.facts[block] = self.known
        if end.kind == EXIT:
            if end.args:
                self._put(0, end.args[0], line)
            return
        if end.kind == JUMP and len(block.successors) == 2:
            left, *right = end.args
            source = right[0].register if right else 0
            piece.branch = Branch(end.opcode, left.register, source, end.imm, end in self.graph.ordered)
        for successor in block.successors:
            piece.ways.append(self._way(block, successor))

    def _way(self, block: Block, successor: Block) -> Piece:
        """Where the code goes on: moves for the PHIs of `successor`, if any, come before it."""
        target = self.pieces[successor]
        if not successor.phis:
            return target
        place = successor.predecessors.index(block)
        known = self.known
        fact = edge_fact(block, successor, self.graph.program)
        if fact is not None:
            known = {**known, fact[0]: fact[1]}
        wanted = []
        for phi in successor.phis:
            arg = phi.args[place]
            if arg.kind != UNDEF and not self._is_in(phi.register, arg, known):
                wanted.append((phi.register, arg))
        if not wanted:
            return target
        line = block.end.line
        kept = self.live[successor].begin
        if len(block.successors) == 1:
            before = dict(self.held)
            self._move(wanted, line, kept)
            self.leaving[block] = self.held
            self.held = before
            return target
        key = successor, tuple(wanted)
        landing = self.landings.get(key)
        if landing is None:
            landing = self.landings[key] = Piece()
            landing.ways.append(target)
            landing.end_line = line
            piece, held = self.piece, self.held
            self.piece, self.held = landing, dict(held)
            self._move(wanted, line, kept)
            self.piece, self.held = piece, held
        return landing

    def _is_in(self, register: int, node: Node, known: dict[Node, int]) -> bool:
        """True if the register holds the value already."""
        holds = self.held.get(register)
        if holds is None:
            return False
        if holds is node or _origin(holds) is _origin(node):
            return True
        return node.kind == CONST and known.get(holds) == node.imm

    def _move(self, wanted: Iterable[Wanted], line: LineInfo | None, kept: int) -> None:
        """Put values into registers, all at once: none is overwritten before it is moved.

        `kept` is a bit mask of the numbers of values that must stay where they are.
        """
        floating = []
        moves: dict[int, int] = {}
        final: list[Wanted] = []
        for register, node in wanted:
            if self._is_in(register, node, self.known):
                continue
            if node.kind <= UNDEF:
                floating.append((register, node))
            else:
                source = self._where(node)
                moves[register] = source
                final.append((register, node))
        while moves:
            sources = set(moves.values())
            free = next((register for register in moves if register not in sources), None)
            if free is not None:
                self.piece.add(Step(_MOVE, free, moves.pop(free)), line)
                continue
            if self.piece not in self.own:
                raise OutOfRegisters
            spare = self._spare(sources | set(moves), kept, {register for register, _ in final})
            register = next(iter(moves))
            # A circle: one of them waits in a spare register.
            self.piece.add(Step(_MOVE, spare, register), line)
            self.held.pop(spare, None)
            for target, source in moves.items():
                if source == register:
                    moves[target] = spare
        for register, node in final:
            self.held[register] = node
        for register, node in floating:
            self._put(register, node, line)

    def _spare(self, used: set[int], kept: int, targets: set[int]) -> int:
        busy = {node.register for number, node in self.by_number.items() if kept >> number & 1}
        for register in range(10):
            if register not in used and register not in busy and register not in targets:
                return register
        raise OutOfRegisters

    def _where(self, node: Node) -> int:
        """A register that holds the value now."""
        if self.held.get(node.register) is node:
            return node.register
        register = self._holder(node)
        if register is None:
            raise OutOfRegisters
        return register

    def _holder(self, node: Node) -> int | None:
        """Some register that holds the value now."""
        origin = _origin(node)
        for register, holds in self.held.items():
            if _origin(holds) is origin:
                return register
        return None

    def _put(self, register: int, node: Node, line: LineInfo | None) -> None:
        """Let the register hold the value."""
        kind = node.kind
        if kind == UNDEF or self._is_in(register, node, self.known):
            return
        add = self.piece.add
        if kind == CONST:
            number = node.imm
            if self.short and 0 <= number <= MASK32:
                signed = number - (1 << 32) if number >> 31 else number
                add(Step(_MOVE_CONSTANT_32, register, imm=signed), line)
            elif -(1 << 31) <= number < 1 << 31:
                add(Step(_MOVE_CONSTANT, register, imm=number), line)
            else:
                add(Step(WIDE, register, imm=number), line)
        elif kind == FRAME:
            other = self._holder(node)
            add(Step(_MOVE, register, FRAME_POINTER if other is None else other), line)
            if other is None and node.offset:
                add(Step(_ADD_CONSTANT, register, imm=node.offset), line)
        elif kind == ADDRESS:
            other = self._holder(node)
            if other is None:
                is_number = node.symbol is not None and node.symbol[0] == KERNEL
                add(Step(_MOVE_CONSTANT if is_number else WIDE, register, symbol=node.symbol), line)
            else:
                add(Step(_MOVE, register, other), line)
        else:
            add(Step(_MOVE, register, self._where(node)), line)
        self.held[register] = node

    def _set(self, node: Node) -> None:
        """The register of `node` has been set to it."""
        self.held[node.register] = node

    def _base(self, node: Node) -> tuple[int, object]:
        """The register of an address, and what it points into."""
        base = node.args[0]
        if base.kind == FRAME:
            return FRAME_POINTER, "stack"
        # What is not known is at least itself.
        return base.register, region(base, self.graph.program) or (UNKNOWN, base.number)

    def _arithmetic(self, node: Node) -> None:
        register, line = node.register, node.line
        left, *right = node.args
        opcode = node.opcode
        if not right:
            self._put(register, left, line)
            self.piece.add(Step(opcode, register, 0, node.offset, node.imm, node.symbol), line)
        else:
            other = right[0]
            if other.register == register and not self._is_in(register, left, {}):
                if opcode & CODE not in COMMUTATIVE or left.number < 0:
                    raise OutOfRegisters
                left, other = other, left
            source = other.register
            self._put(register, left, line)
            self.piece.add(Step(opcode, register, source, node.offset), line)
        self._set(node)

    def _unary(self, node: Node) -> None:
        register, line, opcode = node.register, node.line, node.opcode
        if opcode & CODE == MOV:
            self.piece.add(Step(opcode, register, node.args[0].register, node.offset), line)
        else:
            self._put(register, node.args[0], line)
            self.piece.add(Step(opcode, register, imm=node.imm), line)
        self._set(node)

    def _load(self, node: Node) -> None:
        base, memory = self._base(node)
        step = Step(node.opcode, node.register, base, node.offset, 0, node.symbol, memory)
        self.piece.add(step, node.line)
        self._set(node)

    def _store(self, node: Node) -> None:
        base, memory = self._base(node)
        value = node.args[1]
        if value.kind == CONST:
            bits = value.imm & MASK32
            signed = bits - (1 << 32) if bits >> 31 else bits
            opcode = node.opcode ^ STX ^ ST
            self.piece.add(Step(opcode, base, 0, node.offset, signed, memory=memory), node.line)
        else:
            step = Step(node.opcode, base, value.register, node.offset, memory=memory)
            self.piece.add(step, node.line)

    def _atomic(self, node: Node) -> None:
        base, memory = self._base(node)
        value = node.args[1]
        register = value.register
        if node.number >= 0:
            register = node.register
            self._put(register, value, node.line)
        self.piece.add(Step(node.opcode, base, register, node.offset, node.imm, memory=memory), node.line)
        if node.number >= 0:
            self._set(node)

    def _call(self, node: Node) -> None:
        wanted = [(place, arg) for place, arg in enumerate(node.args, 1) if arg.kind != UNDEF]
        self._move(wanted, node.line, 0)
        source = 1 if node.symbol else 0
        self.piece.add(Step(node.opcode, 0, source, 0, node.imm, node.symbol), node.line)
        for register in _CALLER_SAVED:
            self.held.pop(register, None)
        self.held[0] = node
        if node.register > 0:
            self._put(node.register, node, node.line)

    def _copy(self, node: Node) -> None:
        self._put(node.register, node.args[0], node.line)
        self._set(node)


def _origin(node: Node) -> Node:
    """The value that a COPY was made of."""
    while node.kind == COPY:
        node = node.args[0]
    return node


_EMITTERS = {
    ALU: _Emitter._arithmetic,
    UNARY: _Emitter._unary,
    LOAD: _Emitter._load,
    STORE: _Emitter._store,
    ATOMIC: _Emitter._atomic,
    CALL: _Emitter._call,
    COPY: _Emitter._copy,
}
