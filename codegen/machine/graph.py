"""A function as a graph of values: each register's content is a node that is made once.

Constants, stack addresses and addresses of maps float: they belong to no block and are made again wherever an
instruction wants them in a register. All other nodes stand in a block, in the order of execution.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from skverdict.codegen.btf_ext import LineInfo

# Kinds of node. The first four float.
CONST, FRAME, ADDRESS, UNDEF = range(4)
PHI, ENTRY, ALU, UNARY, LOAD, CALL, COPY, ATOMIC, STORE, JUMP, GOTO, EXIT = range(4, 16)

# Instruction classes and the bits of opcodes (RFC 9669, section 3).
LD, LDX, ST, STX, ALU32, JMP, JMP32, ALU64 = range(8)
CLASS, REGISTER, CODE = 0x07, 0x08, 0xF0
ADD, SUB, MUL, DIV, OR, AND, LSH, RSH, NEG, MOD, XOR, MOV, ARSH, END = range(0x00, 0xE0, 0x10)
JA, JEQ, JGT, JGE, JSET, JNE, JSGT, JSGE, CALL_CODE, EXIT_CODE, JLT, JLE, JSLT, JSLE = range(0x00, 0xE0, 0x10)
# Each comparison's contrary, and the same one with its sides exchanged.
OPPOSITE = {
    JEQ: JNE, JNE: JEQ, JGT: JLE, JLE: JGT, JGE: JLT, JLT: JGE, JSGT: JSLE, JSLE: JSGT, JSGE: JSLT, JSLT: JSGE,
}  # fmt: skip
MIRRORED = {
    JEQ: JEQ, JNE: JNE, JGT: JLT, JLT: JGT, JGE: JLE, JLE: JGE, JSGT: JSLT, JSLT: JSGT, JSGE: JSLE, JSLE: JSGE,
}  # fmt: skip
WIDE = 0x18
SIZES = {0x00: 4, 0x08: 2, 0x10: 1, 0x18: 8}
COMMUTATIVE = frozenset((ADD, MUL, OR, AND, XOR))

FRAME_POINTER = 10
MASK64 = (1 << 64) - 1
MASK32 = (1 << 32) - 1


class Node:
    """One value, or one effect.

    `opcode` is that of the instruction, with the register bit as lifted. What `args` and `imm` hold depends
    on the kind:

    - ALU: the two operands, or one and `imm`. UNARY, COPY: the operand. LOAD: the base.
    - STORE: base and value; the opcode is that of a store from a register. ATOMIC: base and
      value, and what r0 holds if it is compared with that.
    - CALL: the arguments in order. JUMP: both sides, or one and `imm`. EXIT: the result, if any.
    - PHI: one for each predecessor of the block. CONST: `imm`, a signed number of 64 bits.
    - FRAME: `offset` from the frame pointer. ADDRESS: `symbol`. ENTRY: `imm` is the register.
    - A LOAD with a `symbol` has its offset from there, an ALU with one its `imm`.

    `number` is given out when registers are assigned; -1 if the node needs none. `slot` is where the instruction
    stood that the node was made of; -1 if it was made of none.
    """

    __slots__ = ("args", "imm", "kind", "line", "number", "offset", "opcode", "register", "slot", "symbol")

    def __init__(
        self,
        kind: int,
        opcode: int = 0,
        args: list[Node] | None = None,
        offset: int = 0,
        imm: int = 0,
        symbol: Symbol | None = None,
        line: LineInfo | None = None,
    ) -> None:
        self.kind = kind
        self.opcode = opcode
        self.args: list[Node] = [] if args is None else args
        self.offset = offset
        self.imm = imm
        self.symbol = symbol
        self.line = line
        self.number = -1
        self.register = -1
        self.slot = -1

    def __repr__(self) -> str:
        return f"Node({KIND_NAMES[self.kind]}, {self.opcode:#04x}, {self.offset}, {self.imm}, {self.symbol})"


KIND_NAMES = (
    "const", "frame", "address", "undef", "phi", "entry", "alu", "unary", "load", "call", "copy", "atomic",
    "store", "jump", "goto", "exit",
)  # fmt: skip

# What an instruction refers to: `data` (a map or variable), `function`, or `kernel` (a member of a structure of the
# kernel, whose place it holds), then the name, and an addend in bytes.
Symbol = tuple[str, str, int]


class Block:
    """`nodes` in order of execution; `end` is a JUMP, GOTO or EXIT; a JUMP's ways: taken, then not."""

    __slots__ = ("end", "index", "nodes", "phis", "predecessors", "successors")

    def __init__(self) -> None:
        self.index = 0
        self.phis: list[Node] = []
        self.nodes: list[Node] = []
        self.end = Node(EXIT)
        self.successors: list[Block] = []
        self.predecessors: list[Block] = []


class Graph:
    """One function. `blocks` are in reverse post-order, the entry first; `program` is its program kind, or
    empty for a subprogram. `extensions` are the values whose upper half the function clears, with the slots of
    the one or two instructions that do; `ordered` the JUMPs whose operands may not change sides. With `is_fixed`, some
    node wants registers that cannot be chosen."""

    __slots__ = (
        "addresses", "blocks", "constants", "entries", "extensions", "frames", "is_fixed", "ordered", "program",
        "undefined",
    )  # fmt: skip

    def __init__(self, program: str) -> None:
        self.program = program
        self.blocks: list[Block] = []
        self.constants: dict[int, Node] = {}
        self.frames: dict[int, Node] = {}
        self.addresses: dict[Symbol, Node] = {}
        self.entries: dict[int, Node] = {}
        self.extensions: list[tuple[Node, tuple[int, ...]]] = []
        self.ordered: set[Node] = set()
        self.is_fixed = False
        self.undefined = Node(UNDEF)

    def constant(self, number: int) -> Node:
        """The node of a number, given with any sign; its `imm` is signed."""
        number &= MASK64
        if number >> 63:
            number -= 1 << 64
        node = self.constants.get(number)
        if node is None:
            node = self.constants[number] = Node(CONST, imm=number)
        return node

    def frame(self, offset: int) -> Node:
        """The node of the stack address `offset` bytes from the frame pointer."""
        node = self.frames.get(offset)
        if node is None:
            node = self.frames[offset] = Node(FRAME, offset=offset)
        return node

    def rebase_frames(self) -> None:
        """Count accesses from the frame pointer where an operand has become an address of the stack."""
        for block in self.blocks:
            for node in block.nodes:
                if node.kind in (LOAD, STORE, ATOMIC):
                    base = node.args[0]
                    if base.kind == FRAME and base.offset:
                        node.offset += base.offset
                        node.args[0] = self.frame(0)

    def address(self, symbol: Symbol) -> Node:
        """The node of the address of a map or function."""
        node = self.addresses.get(symbol)
        if node is None:
            node = self.addresses[symbol] = Node(ADDRESS, symbol=symbol)
        return node

    def entry(self, register: int) -> Node:
        """The node of what `register` holds when the function is entered."""
        node = self.entries.get(register)
        if node is None:
            node = self.entries[register] = Node(ENTRY, imm=register)
        return node

    def users(self) -> Iterator[tuple[Block, Node]]:
        """Every node that has operands, with its block."""
        for block in self.blocks:
            for node in block.phis:
                yield block, node
            for node in block.nodes:
                yield block, node
            yield block, block.end


def order(entry: Block) -> list[Block]:
    """The blocks that can be reached, in reverse post-order, numbered."""
    seen = {entry}
    done: list[Block] = []
    stack = [(entry, iter(entry.successors))]
    while stack:
        block, successors = stack[-1]
        for successor in successors:
            if successor not in seen:
                seen.add(successor)
                stack.append((successor, iter(successor.successors)))
                break
        else:
            done.append(block)
            stack.pop()
    done.reverse()
    for index, block in enumerate(done):
        block.index = index
    return done


def dominators(graph: Graph) -> list[int]:
    """For each block, the blocks that every way to it goes through, as a bit mask of their indices."""
    everything = (1 << len(graph.blocks)) - 1
    sets = [everything] * len(graph.blocks)
    sets[0] = 1
    changed = True
    while changed:
        changed = False
        for block in graph.blocks[1:]:
            through = everything
            for predecessor in block.predecessors:
                through &= sets[predecessor.index]
            through |= 1 << block.index
            if through != sets[block.index]:
                sets[block.index] = through
                changed = True
    return sets
