"""Registers for the values of a graph, chosen so that few of them have to be moved.

A value that lives across a call is in r6 to r9, which calls leave alone. Everything else is wishes: that a
result be where the function returns it, an argument where the call takes it, the operand of an addition where
the sum goes, and the values of a PHI where the PHI is. A wish that is not granted is a move.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush

from skverdict.codegen.machine.facts import edge_fact
from skverdict.codegen.machine.graph import (
    ALU,
    ATOMIC,
    CALL,
    CODE,
    COMMUTATIVE,
    CONST,
    COPY,
    EXIT,
    JUMP,
    MOV,
    UNARY,
    Block,
    Graph,
    Node,
)

_ALL_REGISTERS = 0x3FF
_CLOBBERED = 0x3F
_CHOICES = (*range(1, 6), 0, *range(6, 10))


class OutOfRegisters(Exception):
    """The values do not all fit into registers; the function stays as LLVM made it."""


class Live:
    """Bit masks of node numbers: what lives where a block begins (its PHIs too) and where it ends."""

    __slots__ = ("begin", "end")

    def __init__(self) -> None:
        self.begin = 0
        self.end = 0


def number(graph: Graph) -> list[Node]:
    """Number the nodes that need a register."""
    numbered: list[Node] = []

    def take(node: Node) -> None:
        node.number = len(numbered)
        numbered.append(node)

    for entry in graph.entries.values():
        take(entry)
    for block in graph.blocks:
        for node in block.phis:
            take(node)
        for node in block.nodes:
            if node.kind <= COPY or (node.kind == ATOMIC and _fetches(node)):
                take(node)
    return numbered


def _fetches(node: Node) -> bool:
    return bool(node.imm & 1)


class Assignment:
    """What is known of the values of a graph before they get registers."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes = number(graph)
        self.live = _liveness(graph)
        self._beside, self._forbidden = _interference(graph, self.nodes, self.live)

    @property
    def has_choice(self) -> bool:
        """True if a result could be in r0 at once, or kept elsewhere until the function returns."""
        return any(
            is_answer(block) and any(arg.number >= 0 and self._forbidden[arg.number] for arg in phi.args)
            for block in self.graph.blocks
            for phi in block.phis
        )

    def choose(self, joins_answers: bool = False) -> None:
        """Set `register` of every node that needs one. Raises OutOfRegisters.

        With `joins_answers`, a result that has lived across a call stays where it was until the return.
        """
        chooser = _Chooser(self.graph, self.nodes, list(self._beside), list(self._forbidden), joins_answers)
        chooser.choose()


def is_answer(block: Block) -> bool:
    """True for a block that only returns one of several results."""
    return not block.nodes and block.end.kind == EXIT and len(block.phis) == 1


def _mask(args: list[Node]) -> int:
    mask = 0
    for arg in args:
        if arg.number >= 0:
            mask |= 1 << arg.number
    return mask


def _liveness(graph: Graph) -> dict[Block, Live]:
    live = {block: Live() for block in graph.blocks}
    reads: dict[Block, int] = {}
    makes: dict[Block, int] = {}
    leaving: dict[Block, int] = {}
    for block in graph.blocks:
        read = made = 0
        for phi in block.phis:
            made |= 1 << phi.number
        for node in block.nodes:
            for arg in node.args:
                if arg.number >= 0:
                    read |= 1 << arg.number
            if node.number >= 0:
                made |= 1 << node.number
        read |= _mask(block.end.args)
        reads[block], makes[block] = read & ~made, made
        # What this block hands to the PHIs behind it.
        handed = 0
        for successor in block.successors:
            if successor.phis:
                place = successor.predecessors.index(block)
                handed |= _mask([phi.args[place] for phi in successor.phis])
        leaving[block] = handed
    changed = True
    while changed:
        changed = False
        for block in reversed(graph.blocks):
            here = live[block]
            end = leaving[block]
            for successor in block.successors:
                begin = live[successor].begin
                for phi in successor.phis:
                    begin &= ~(1 << phi.number)
                end |= begin
            begin = reads[block] | end & ~makes[block] | _mask(block.phis)
            if begin != here.begin or end != here.end:
                here.begin, here.end = begin, end
                changed = True
    return live


def _interference(
    graph: Graph, nodes: list[Node], live: dict[Block, Live]
) -> tuple[list[int], list[int]]:
    """For each node, the nodes that live beside it, and the registers that calls take from it."""
    count = len(nodes)
    beside = [0] * count
    forbidden = [0] * count
    for block in graph.blocks:
        alive = live[block].end
        alive |= _mask(block.end.args)
        for node in reversed(block.nodes):
            itself = node.number
            if itself >= 0:
                bit = 1 << itself
                alive &= ~bit
                beside[itself] |= alive
            if node.kind == CALL:
                rest = alive
                while rest:
                    low = rest & -rest
                    forbidden[low.bit_length() - 1] |= _CLOBBERED
                    rest ^= low
            elif node.kind == ALU and len(node.args) == 2 and itself >= 0:
                # The result is put together in its register while the second operand is still wanted.
                left, right = node.args
                if left is not right and (node.opcode & CODE not in COMMUTATIVE or left.number < 0):
                    beside[itself] |= 1 << right.number
            elif node.kind == ATOMIC and itself >= 0 and node.args[0].number >= 0:
                # What is added goes where the old value comes, while the address is still wanted.
                beside[itself] |= 1 << node.args[0].number
            for arg in node.args:
                if arg.number >= 0:
                    alive |= 1 << arg.number
        for phi in block.phis:
            beside[phi.number] |= alive & ~(1 << phi.number)
            for other in block.phis:
                if other is not phi:
                    beside[phi.number] |= 1 << other.number
    for entry in graph.entries.values():
        # All of them are there at once.
        for other in graph.entries.values():
            if other is not entry:
                beside[entry.number] |= 1 << other.number
        begin = live[graph.blocks[0]].begin & ~(1 << entry.number)
        beside[entry.number] |= begin
    for index, mask in enumerate(beside):
        rest = mask
        bit = 1 << index
        while rest:
            low = rest & -rest
            beside[low.bit_length() - 1] |= bit
            rest ^= low
    return beside, forbidden


class _Chooser:
    """Gives registers to groups of values; a group is what PHIs put together."""

    def __init__(
        self, graph: Graph, nodes: list[Node], beside: list[int], forbidden: list[int], joins_answers: bool
    ) -> None:
        self.graph = graph
        self.joins_answers = joins_answers
        self.nodes = nodes
        self.beside = beside
        self.group = list(range(len(nodes)))
        self.members = [1 << number for number in range(len(nodes))]
        self.forbidden = forbidden
        # Wishes of a node: for registers, and for the register of another node.
        self.registers: list[dict[int, int]] = [{} for _ in nodes]
        self.others: list[dict[int, int]] = [{} for _ in nodes]

    def choose(self) -> None:
        self._join_phis()
        self._wish()
        self._color()

    def _join_phis(self) -> None:
        for block in self.graph.blocks:
            for phi in block.phis:
                apart = is_answer(block) and not self.joins_answers
                for arg in phi.args:
                    if arg.number >= 0 and not (apart and self.forbidden[arg.number]):
                        self._join(phi.number, arg.number)

    def _join(self, first: int, second: int) -> None:
        a, b = self.group[first], self.group[second]
        if a == b or self.beside[a] & self.members[b]:
            return
        if self.forbidden[a] | self.forbidden[b] == _ALL_REGISTERS:
            return
        # A group stands for all of its members.
        rest = self.members[b]
        while rest:
            low = rest & -rest
            self.group[low.bit_length() - 1] = a
            rest ^= low
        self.members[a] |= self.members[b]
        self.forbidden[a] |= self.forbidden[b]
        gained = self.beside[b]
        self.beside[a] |= gained
        while gained:
            low = gained & -gained
            self.beside[self.group[low.bit_length() - 1]] |= self.members[a]
            gained ^= low

    def _want(self, node: Node, register: int) -> None:
        if node.number >= 0:
            wishes = self.registers[self.group[node.number]]
            wishes[register] = wishes.get(register, 0) + 2

    def _want_same(self, first: Node, second: Node, weight: int = 2) -> None:
        if first.number < 0 or second.number < 0:
            return
        a, b = self.group[first.number], self.group[second.number]
        if a != b and not self.beside[a] & self.members[b]:
            self.others[a][b] = self.others[a].get(b, 0) + weight
            self.others[b][a] = self.others[b].get(a, 0) + weight

    def _wish(self) -> None:
        for entry in self.graph.entries.values():
            self._want(entry, entry.imm)
        for block in self.graph.blocks:
            for node in block.nodes:
                kind = node.kind
                if kind == CALL:
                    self._want(node, 0)
                    for place, arg in enumerate(node.args, 1):
                        self._want(arg, place)
                elif kind == ALU:
                    self._want_same(node, node.args[0])
                    if len(node.args) == 2 and node.opcode & CODE in COMMUTATIVE:
                        self._want_same(node, node.args[1])
                elif kind == COPY or (kind == UNARY and node.opcode & CODE != MOV):
                    self._want_same(node, node.args[0])
                elif kind == ATOMIC:
                    self._want_same(node, node.args[1])
            if block.end.kind == EXIT and block.end.args:
                self._want(block.end.args[0], 0)
            for phi in block.phis:
                # Moves of one value are one piece of code, wherever they come from.
                for arg in dict.fromkeys(phi.args):
                    self._want_same(phi, arg)
            for place, predecessor in enumerate(block.predecessors):
                for phi in block.phis:
                    arg = phi.args[place]
                    if arg.kind == CONST and predecessor.end.kind == JUMP:
                        fact = edge_fact(predecessor, block, self.graph.program)
                        if fact is not None and fact[1] == arg.imm:
                            self._want_same(phi, fact[0], 3)

    def _color(self) -> None:
        groups = sorted(set(self.group))
        color: dict[int, int] = {}
        beside = {
            group: {self.group[number] for number in _bits(self.beside[group])} - {group} for group in groups
        }

        # Those first whose wishes are surest: for a certain register, or for that of one that has its own.
        sure = {
            group: max(self.registers[group].values(), default=0)
            + (100 if self.forbidden[group] else 0)
            for group in groups
        }
        # A group whose wishes grow surer is put in again; its older entries are out of date.
        queue = [(-sure[group], -len(beside[group]), group) for group in groups]
        heapify(queue)
        while queue:
            wishes, _, group = heappop(queue)
            if sure.get(group) != -wishes:
                continue
            del sure[group]
            color[group] = self._best(group, color, beside[group])
            for other, weight in self.others[group].items():
                if other in sure:
                    sure[other] += weight
                    heappush(queue, (-sure[other], -len(beside[other]), other))
        for _ in range(3):
            changed = False
            for group in groups:
                best = self._best(group, color, beside[group], current=color[group])
                if best != color[group]:
                    color[group] = best
                    changed = True
            if not changed:
                break
        for node in self.nodes:
            node.register = color[self.group[node.number]]

    def _best(
        self, group: int, color: dict[int, int], neighbours: set[int], current: int | None = None
    ) -> int:
        """The register that grants most wishes; `current` is kept unless another is better."""
        taken = self.forbidden[group]
        spoilt: dict[int, int] = {}
        for other in neighbours:
            if other in color:
                taken |= 1 << color[other]
            else:
                for register, weight in self.registers[other].items():
                    spoilt[register] = spoilt.get(register, 0) + weight
        granted = dict(self.registers[group])
        for other, weight in self.others[group].items():
            if other in color:
                granted[color[other]] = granted.get(color[other], 0) + weight
        best, most = current, -1000
        if current is not None:
            most = granted.get(current, 0) * 2 - spoilt.get(current, 0)
        for register in _CHOICES:
            if taken >> register & 1:
                continue
            value = granted.get(register, 0) * 2 - spoilt.get(register, 0)
            if value > most:
                best, most = register, value
        if best is None:
            raise OutOfRegisters
        return best


def _bits(mask: int) -> list[int]:
    found = []
    while mask:
        low = mask & -mask
        found.append(low.bit_length() - 1)
        mask ^= low
    return found


