"""From instructions to Python: each family of the instruction set as the statements that it becomes.

What an operation computes stands in `semantics`; here is how operands are fetched and results kept. A
function of the program becomes one of Python's, in which

- `r0` to `r10` are local variables. One that was never written holds an object that refuses every operation,
  and where that may be the case a plus sign makes it refuse a mere copy as well.
- blocks that only one way leads to stand where that way leads from, and where ways meet again the text goes
  on; the other blocks have numbers, and `while` and `pc` find them.
- `left` is what is left of the budget. Where ways meet, and behind calls, it must last for the longest way to
  the next such place, or the function goes on step by step (`creep`).
- `run` is the `machine.translated_run.TranslatedRun`, and `h7` the helper that is called at instruction 7.

Each line of the text belongs to one instruction, by which a fault is told where it happened.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from typing import NamedTuple

from skverdict.codegen.instruction import Instruction
from skverdict.codegen.instruction_set import Operation
from skverdict.dsl.catalogue.helpers import Helper
from skverdict.runtime.machine import semantics
from skverdict.runtime.machine.flow import Block, Flow
from skverdict.runtime.machine.known import CONTEXT, NARROW, NOTHING, SOMEWHERE, UNSURE, Known, after, knowledge
from skverdict.runtime.machine.memory import ByteOrder
from skverdict.runtime.machine.semantics import mask

_M32, _M64 = f"{mask(32):#x}", f"{mask(64):#x}"
#: The address in `a`, as an offset into its region: what is in front of the region becomes too large.
_OFFSET = "a & 0xffffffff ^ 0x80000000"

#: Operations of which the steps look at the source before the destination.
_AMOUNT_FIRST = ("lsh", "rsh")
#: Operations that look at the destination only if the source is not zero.
_LAZY = ("div", "mod")

#: Blocks of so few instructions that end the function are repeated wherever they are gone to.
_SHORT = 3
#: How many blocks may stand in one another before the next gets a number (Python nests statements up to 100
#: deep).
_MOST_NESTED = 40

#: What the statements need, each by the name that they use, in the order in which it is had.
_PROLOGUE = {
    "frame": "frame = run.open_stack()",
    "r10": "r10 = run.stack_end",
    "stack": "stack = frame.content",
    "field": "field = run.call.context.field",
    "context": "context = run.call.context_region.load",
    "readable": "readable = run.memory.readable.get",
    "writable": "writable = run.memory.writable.get",
    "load": "load = run.memory.load",
    "store": "store = run.memory.store",
    "sharable": "sharable = run.memory.sharable.get",
    "shared": "shared = run.memory.atomic_place",
    "loops": "loops = run.most_loops",
}

#: Signed comparisons with 0, as unsigned ones with the sign bit.
_SIGN_TESTS = {"jslt": ">=", "jsge": "<"}

_ARITHMETIC = {**semantics.ARITHMETIC_TEXT, **semantics.UNARY_TEXT}
_BYTE_ORDER = {"little": semantics.byte_order_text("little"), "big": semantics.byte_order_text("big")}


class Code(NamedTuple):
    """What is translated: the checked instructions of a program. `functions` are the slots at which they
    begin, and `callees` says which of them the instruction at a slot calls. `table_targets` gives the slots that the
    `gotox` at a slot can go to. At `addresses` are instructions that
    load the address of something. `fields` are the numbers of the context that a load gives as they are: offset
    and size to name and index."""

    instructions: Mapping[int, Instruction]
    operations: Mapping[int, Operation]
    functions: Sequence[int]
    callees: Mapping[int, int]
    table_targets: Callable[[int], tuple[int, ...]]
    addresses: Container[int]
    fields: Mapping[tuple[int, int], tuple[str, int]]
    helper_at: Callable[[int], Helper]
    order: ByteOrder


class _Line(NamedTuple):
    """A line of the text, and the slot that it belongs to."""

    text: str
    slot: int | None = None


class Text(NamedTuple):
    """Python's text, and the slot that each line (from 1 on, 0 is none) belongs to."""

    source: str
    slots: Sequence[int | None]


def translate(code: Code) -> Text:
    """The functions of a program, `f` and their slots by name."""
    lines = [line for begin in code.functions for line in _function(code, begin)]
    return Text("\n".join(line.text for line in lines) + "\n", (None, *(line.slot for line in lines)))


def _function(code: Code, begin: int) -> list[_Line]:
    flow = Flow(begin, code.instructions, code.operations, code.table_targets)
    known = knowledge(flow, begin == 0, code.instructions, code.operations, code.helper_at)
    writer = _Writer(code, flow, known, flow.heads)
    while not writer.write():
        writer = _Writer(code, flow, known, writer.numbered)
    head = [f"def f{begin}(run, r1, r2, r3, r4, r5):"]
    head += ["    run.begin_function()"] if begin else []
    head += [f"    {line}" for name, line in _PROLOGUE.items() if name in writer.uses]
    head += ["    r0, r6, r7, r8, r9 = OWN", "    left = run.left"]
    if not writer.numbered:
        return [*(_Line(line) for line in head), *_indented(writer.blocks[begin], 1)]
    head += [f"    pc = {begin}", "    while True:"]
    return [*(_Line(line) for line in head), *_chosen(sorted(writer.blocks), writer.blocks, 2)]


def _chosen(begins: Sequence[int], blocks: Mapping[int, Sequence[_Line]], depth: int) -> list[_Line]:
    """The blocks that `begins` name, and the way to the one whose number is in `pc`."""
    if len(begins) == 1:
        return _indented(blocks[begins[0]], depth)
    half = len(begins) // 2
    margin = "    " * depth
    return [
        _Line(f"{margin}if pc < {begins[half]}:"),
        *_chosen(begins[:half], blocks, depth + 1),
        _Line(f"{margin}else:"),
        *_chosen(begins[half:], blocks, depth + 1),
    ]


def _indented(lines: Sequence[_Line], depth: int) -> list[_Line]:
    return [_Line("    " * depth + text, slot) for text, slot in lines]


class _Stretch:
    """What the budget must last for from `slot` on: `most` instructions, or `place` among the lines is left out."""

    def __init__(self, lines: list[_Line], slot: int, depth: int) -> None:
        self.slot = slot
        self.most = 0
        self._lines = lines
        self._place = len(lines)
        self._margin = "    " * depth
        lines.append(_Line(""))

    def finish(self, loops: bool) -> None:
        """Write the check."""
        registers = ", ".join(f"r{number}" for number in range(10))
        also = ", loops" if loops else ""
        check = f"if left < {self.most}: return run.creep({self.slot}, left, ({registers}){also})"
        self._lines[self._place] = _Line(f"{self._margin}{check}")


class _Writer:
    """Writes one function. `numbered` are the blocks that are found by number, and `blocks` has what was
    written of these, and of the first one. `uses` are names for the prologue."""

    def __init__(self, code: Code, flow: Flow, known: Mapping[int, Known], numbered: set[int]) -> None:
        self.code = code
        self.flow = flow
        self.known = known
        self.numbered = set(numbered)
        self.blocks: dict[int, list[_Line]] = {}
        self.uses: set[str] = set()
        self._inlined: set[int] = set()
        self._lines: list[_Line] = []
        self._slot = flow.begin
        self._depth = 0
        self._nesting = 0  # blocks in the midst of which the next one stands
        self._count = 0  # instructions since `left` was counted down
        self._before = 0  # instructions of the stretch that were counted down
        self._stretch: _Stretch | None = None
        self._stretches: list[_Stretch] = []
        self._state = known[flow.begin]
        self._ways: tuple[int, ...] = ()

    def write(self) -> bool:
        """Write everything; False if a block must be found by number that was not, so that all is to be
        written again."""
        waiting = {self.flow.begin, *self.numbered}
        while waiting:
            begin = waiting.pop()
            self._lines = self.blocks[begin] = []
            self._begin_stretch(begin)
            self._block(begin, None)
            waiting = {*waiting, *self.numbered} - self.blocks.keys()
        for stretch in self._stretches:
            stretch.finish("loops" in self.uses)
        return self._inlined.isdisjoint(self.numbered)

    def _begin_stretch(self, slot: int) -> None:
        """From here on the budget must last until the next stretch begins."""
        self._stretch = _Stretch(self._lines, slot, self._depth)
        self._stretches.append(self._stretch)
        self._count = self._before = 0

    def _note_count(self) -> None:
        """A way through the stretch has got so far."""
        assert self._stretch is not None
        self._stretch.most = max(self._stretch.most, self._before + self._count)

    def _say(self, statement: str) -> None:
        self._lines.append(_Line("    " * self._depth + statement, self._slot))

    def _nested(self, write: Callable[[], bool | None]) -> bool:
        """Write something one step further in; True if what it does goes on behind it."""
        kept = self._state, self._count, self._slot, self._before, self._stretch
        self._depth += 1
        before = len(self._lines)
        goes_on = bool(write())
        if len(self._lines) == before:
            self._say("pass")
        self._depth -= 1
        self._state, self._count, self._slot, self._before, self._stretch = kept
        return goes_on

    # Blocks

    def _block(self, begin: int, meeting: int | None) -> bool:
        """Write a block and what belongs to it; True if it goes on at `meeting`, which stands behind it."""
        self._nesting += 1
        try:
            return self._written(self.flow.blocks[begin], meeting)
        finally:
            self._nesting -= 1

    def _written(self, block: Block, meeting: int | None) -> bool:
        self._state, self._ways = self.known[block.begin], block.ways
        for slot in block.slots:
            self._slot = slot
            instruction, operation = self.code.instructions[slot], self.code.operations[slot]
            self._count += 1
            _FAMILIES[operation.family](self, instruction, operation)
            self._state = after(self._state, instruction, operation, self.code.helper_at)
        if not block.ways:
            return False
        if self.code.operations[self._slot].family == "gotox":
            return self._leap(block)
        if len(block.ways) == 1:
            return self._go(block.ways[0], meeting)
        return self._part(block, meeting)

    def _leap(self, block: Block) -> bool:
        """Go on where a jump table says."""
        self.numbered.update(block.ways)
        place = self._register(self.code.instructions[self._slot].dst)
        self._settle()
        self._say(f"pc = h{self._slot}({place})")
        self._say("continue")
        return False

    def _part(self, block: Block, meeting: int | None) -> bool:
        """Write both ways on from a conditional jump."""
        following, target = block.ways
        own = self.flow.meeting(block.begin)
        if own is None or own in self.numbered:
            return self._both(following, target, meeting)
        self._inlined.add(own)
        self._settle()
        if not self._both(following, target, own):
            return False
        self._begin_stretch(own)
        return self._block(own, meeting)

    def _both(self, following: int, target: int, meeting: int | None) -> bool:
        condition = self._condition(self._slot)
        if target == meeting and not self._count:
            self._note_count()
            self._say(f"if not ({condition}):")
            self._nested(lambda: self._go(following, meeting))
            return True
        self._say(f"if {condition}:")
        jumps_on = self._nested(lambda: self._go(target, meeting))
        if not jumps_on:
            return self._go(following, meeting)
        if following != meeting or self._count:
            self._say("else:")
            self._nested(lambda: self._go(following, meeting))
        return True

    def _go(self, target: int, meeting: int | None) -> bool:
        """Go on at `target`; True if that stands behind what is written now."""
        if target == meeting:
            self._settle()
            return True
        if target not in self.numbered and self._nesting < _MOST_NESTED and self._may_repeat(target):
            return self._block(target, meeting)
        self.numbered.add(target)
        self._settle()
        self._say(f"pc = {target}")
        self._say("continue")
        return False

    def _may_repeat(self, target: int) -> bool:
        """True if a block may stand wherever it is gone to: it is gone to once, or it is short and ends."""
        block = self.flow.blocks[target]
        if target == self.flow.begin:
            return False
        return self.flow.arrivals[target] == 1 or (not block.ways and len(block.slots) <= _SHORT)

    def _settle(self) -> None:
        """Count down the budget."""
        self._note_count()
        if self._count:
            self._say(f"left -= {self._count}")
            self._before, self._count = self._before + self._count, 0

    # Operands

    def _register(self, number: int) -> str:
        """All 64 bits of a register."""
        self._uses_register(number)
        return f"(+r{number})" if self._state.register(number) in UNSURE else f"r{number}"

    def _uses_register(self, number: int) -> None:
        if number == 10:
            self.uses |= {"frame", "r10"}

    def _narrowed(self, number: int) -> str:
        """The low 32 bits of a register."""
        text = self._register(number)
        return text if self._state.register(number) is NARROW else f"({text} & {_M32})"

    def _operand(self, number: int, bits: int) -> str:
        return self._register(number) if bits == 64 else self._narrowed(number)

    def _fill(self, expression: str, bits: int, dst: str = "", src: str = "") -> str:
        return expression.format(dst=dst, src=src, bits=bits, sign=hex(1 << bits - 1), amount=bits - 1)

    def _condition(self, slot: int) -> str:
        """When the jump at `slot` happens."""
        instruction, operation = self.code.instructions[slot], self.code.operations[slot]
        if operation.family == "may_goto":
            return "loops < 0"
        bits = operation.bits
        src = f"{instruction.imm & mask(bits):#x}"
        sign = _SIGN_TESTS.get(operation.name)
        if sign is not None and operation.source != "reg" and not instruction.imm:
            return f"{self._operand(instruction.dst, bits)} {sign} {1 << bits - 1:#x}"
        if operation.source == "reg":
            src = self._operand(instruction.src, bits)
        return self._fill(
            semantics.CONDITIONS_TEXT[operation.name], bits, self._operand(instruction.dst, bits), src
        )

    # Families

    def alu(self, instruction: Instruction, operation: Operation) -> None:
        name, bits, dst = operation.name, operation.bits, instruction.dst
        immediate = operation.source == "imm"
        whole = bits == 32 and name in semantics.LOW_BITS_ALONE
        fetch = self._register if whole else lambda number: self._operand(number, bits)
        src = ""
        if operation.source:
            # Where the result is cut to its width anyway, small numbers are quicker than their complements.
            kept = mask(bits) if name not in semantics.SIGN_ALIKE else -1
            src = f"{instruction.imm & kept:#x}" if immediate else fetch(instruction.src)
        fits = name in semantics.NO_WIDER
        if whole and name != "mov":
            fits = fits and self._state.register(dst) is NARROW
        if whole and not immediate and operation.source:
            fits = fits and self._state.register(instruction.src) is NARROW
        if name in _LAZY and bits == 32:
            self._check_registers(dst, *(() if immediate else (instruction.src,)))
        if name in _AMOUNT_FIRST and bits == 64 and not immediate:
            self._check_registers(instruction.src)
        needed = "{dst}" in _ARITHMETIC[name]
        text = self._fill(_ARITHMETIC[name], bits, fetch(dst) if needed else "", src)
        self._say(f"r{dst} = {text}" if fits else f"r{dst} = ({text}) & {mask(bits):#x}")

    def _check_registers(self, *numbers: int) -> None:
        """Refuse registers that hold nothing, where what is written next may not look at all of them."""
        if any(self._state.register(number) in UNSURE for number in numbers):
            self._say(", ".join(f"+r{number}" for number in numbers))

    def byte_order(self, instruction: Instruction, operation: Operation) -> None:
        expression = _BYTE_ORDER[self.code.order][operation.name]
        dst = self._register(instruction.dst)
        self._say(f"r{instruction.dst} = {self._fill(expression, operation.bits, dst)}")

    def jump(self, instruction: Instruction, operation: Operation) -> None:
        """A jump that goes nowhere else still uses its registers; other ones stand in `_both`."""
        if len(self._ways) == 1:
            self._say(self._condition(self._slot))

    def goto(self, instruction: Instruction, operation: Operation) -> None:
        """Its one way on is written behind it."""

    def gotox(self, instruction: Instruction, operation: Operation) -> None:
        """Its ways on are written behind it."""

    def may_goto(self, instruction: Instruction, operation: Operation) -> None:
        self.uses.add("loops")
        self._say("loops -= 1")

    def exit_(self, instruction: Instruction, operation: Operation) -> None:
        self._note_count()
        self._say(f"return run.leave_function(r0, left - {self._count})")

    def load(self, instruction: Instruction, operation: Operation) -> None:
        text = self._loaded(instruction, operation.size)
        if operation.signed:
            sign = 1 << 8 * operation.size - 1
            # Where a field leads somewhere, its number is an address of 64 bits, whatever the size of the access.
            text = f"(({text} & {mask(8 * operation.size):#x} ^ {sign:#x}) - {sign:#x}) & {_M64}"
        self._say(f"r{instruction.dst} = {text}")

    def _loaded(self, instruction: Instruction, size: int) -> str:
        """The unsigned number in memory."""
        src, offset = instruction.src, instruction.offset
        fact, place = self._state.register(src), self._state.place(src, offset, size)
        if fact is CONTEXT and (offset, size) in self.code.fields:
            name, index = self.code.fields[offset, size]
            self.uses.add("field")
            return f"field({name!r}, {index})"
        if fact is CONTEXT:
            self.uses.add("context")
            return f"context({offset}, {size})"
        if place is not None:
            self.uses |= {"frame", "stack", "r10"}
            if self._state.has_written(place, size):
                return f"u{size}(stack, {place})[0]"
            return f"frame.load({place}, {size})"
        self.uses.add("load")
        address = self._address(src, offset)
        if fact is SOMEWHERE or fact.kind == "frame":
            return f"load({address}, {size})"
        self.uses.add("readable")
        found = f"(c := readable((a := {address}) >> 32)) is not None"
        return f"(u{size}(c, {_OFFSET})[0] if {found} else load(a, {size}))"

    def _address(self, base: int, offset: int) -> str:
        register = self._register(base)
        if not offset:
            return register
        return f"{register} + {offset}" if offset > 0 else f"{register} - {-offset}"

    def store(self, instruction: Instruction, operation: Operation) -> None:
        dst, offset, size = instruction.dst, instruction.offset, operation.size
        value = f"{instruction.imm & mask(8 * size):#x}"
        if operation.source == "reg":
            value = self._low_bytes(instruction.src, size)
        fact, place = self._state.register(dst), self._state.place(dst, offset, size)
        if place is not None:
            self.uses |= {"frame", "stack", "r10"}
            self._say(f"p{size}(stack, {place}, {value})")
            if not self._state.has_written(place, size):
                self._say(f"frame.unwritten &= KEPT_{size}[{place}]")
            return
        self.uses.add("store")
        address = self._address(dst, offset)
        if fact is SOMEWHERE or fact.kind == "frame":
            self._say(f"store({address}, {size}, {value})")
            return
        self.uses.add("writable")
        found = f"(c := writable((a := {address}) >> 32)) is not None"
        self._say(f"p{size}(c, {_OFFSET}, {value}) if {found} else store(a, {size}, {value})")

    def _low_bytes(self, number: int, size: int) -> str:
        """The low `size` bytes of a register."""
        if size == 8:
            return self._register(number)
        return self._narrowed(number) if size == 4 else f"{self._register(number)} & {mask(8 * size):#x}"

    def atomic(self, instruction: Instruction, operation: Operation) -> None:
        size, src = operation.size, self._low_bytes(instruction.src, operation.size)
        exchange = operation.name == "cmpxchg"
        new = f"{src} if old == {self._low_bytes(0, size)} else old" if exchange else ""
        if not exchange:
            new = self._fill(semantics.ATOMIC_TEXT[operation.name], 8 * size, "old", f"({src})")
        self.uses |= {"shared", "sharable"}
        address = self._address(instruction.dst, instruction.offset)
        self._say(f"if (c := sharable((a := {address}) >> 32)) is None or a & {size - 1}: c, b = shared(a, {size})")
        self._say(f"else: b = {_OFFSET}")
        self._say(f"old = u{size}(c, b)[0]")
        if exchange:
            self._check_registers(instruction.src, 0)
        self._say(f"p{size}(c, b, ({new}) & {mask(8 * size):#x})")
        if operation.fetch:
            self._say(f"r{0 if exchange else instruction.src} = old")

    def load_acquire(self, instruction: Instruction, operation: Operation) -> None:
        self.uses.add("shared")
        address = self._address(instruction.src, instruction.offset)
        self._say(f"c, a = shared({address}, {operation.size}, writes=False)")
        self._say(f"r{instruction.dst} = u{operation.size}(c, a)[0]")

    def store_release(self, instruction: Instruction, operation: Operation) -> None:
        size, value = operation.size, self._low_bytes(instruction.src, operation.size)
        self.uses.add("shared")
        self._say(f"c, a = shared({self._address(instruction.dst, instruction.offset)}, {size}, reads=False)")
        self._say(f"p{size}(c, a, {value})")
        place = self._state.place(instruction.dst, instruction.offset, size)
        if place is not None:
            self.uses |= {"frame", "r10"}
            self._say(f"frame.unwritten &= KEPT_{size}[{place}]")

    def constant(self, instruction: Instruction, operation: Operation) -> None:
        """A number, or the address of something that the loader has found."""
        value = f"{instruction.imm:#x}"
        if self._slot in self.code.addresses:
            value = f"h{self._slot}(run)"
        self._say(f"r{instruction.dst} = {value}")

    def call(self, instruction: Instruction, operation: Operation) -> None:
        if operation.name == "local":
            callee = self.code.callees[self._slot]
            self._call_and_count(f"r0 = f{callee}(run, r1, r2, r3, r4, r5)")
            return
        helper = self.code.helper_at(instruction.imm)
        call = f"h{self._slot}(run, ({_given(helper)}))"
        if helper.name == "bpf_tail_call":
            self._note_count()
            self._say(f"p = {call}")
            self._say(f"if p is not None: return run.go_on(p, left - {self._count})")
            self._say("r0, r1, r2, r3, r4, r5 = LOST")
        elif any(argument.kind == "callback" for argument in helper.arguments):
            self._call_and_count(f"r0 = {call}")
        else:
            self._say(f"r0 = {call}")
            self._lose_arguments()

    def _lose_arguments(self) -> None:
        """Behind a call r1 to r5 hold nothing, as some of them may already have done."""
        numbers = [number for number in range(1, 6) if self._state.register(number) is not NOTHING]
        if len(numbers) == 5:
            self._say("r1, r2, r3, r4, r5 = ARGUMENTS")
        elif numbers:
            registers, lost = (", ".join(f"{name}{number}" for number in numbers) for name in ("r", "LOST_"))
            self._say(f"{registers} = {lost}")

    def _call_and_count(self, statement: str) -> None:
        """A call that runs instructions of the program."""
        self._note_count()
        self._say(f"run.left = left - {self._count}")
        self._say(statement)
        self._say("left = run.left")
        self._say("r1, r2, r3, r4, r5 = ARGUMENTS")
        self._begin_stretch(self._slot + 1)


def _given(helper: Helper) -> str:
    """The registers that a helper is given, as the items of a tuple."""
    arguments = helper.arguments
    count = 5 if any(argument.kind == "varargs" for argument in arguments) else len(arguments)
    return "".join(f"r{number}, " for number in range(1, count + 1)).strip()


_Family = Callable[[_Writer, Instruction, Operation], None]

_FAMILIES: dict[str, _Family] = {
    "alu": _Writer.alu,
    "byte_order": _Writer.byte_order,
    "jump": _Writer.jump,
    "goto": _Writer.goto,
    "gotox": _Writer.gotox,
    "may_goto": _Writer.may_goto,
    "exit": _Writer.exit_,
    "load": _Writer.load,
    "store": _Writer.store,
    "atomic": _Writer.atomic,
    "load_acquire": _Writer.load_acquire,
    "store_release": _Writer.store_release,
    "constant": _Writer.constant,
    "call": _Writer.call,
}
