"""Random programs for the machine: whole ones that mostly behave, and the same with instructions changed at will.

r6 is the context, r7 the packet, r8 a map's value or NULL, r9 counts rounds; r0..r5 hold numbers at each
statement's beginning, which is why a statement with a call gives them new ones.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from skverdict.codegen.instruction import Instruction
from skverdict.codegen.instruction_set import OPERATIONS, WIDE
from skverdict.codegen.object import DataReference, DataSection, MapReference, Object, Program
from skverdict.runtime.machine.memory import ORIGIN

from tests.runtime.machine_kit import EXIT, alu, call, load_, mov, op, store, wide

VALUE_SIZE = 24
#: The maps that programs look up and change, each with the size of its keys.
MAPS = {"values": 4, "entries": 4, "wide": 12, "recent": 5, "each": 4, "apart": 9}
DATA = (DataSection(".data", bytes(range(32)), False), DataSection(".rodata", bytes(range(100, 116)), True))
LOOKUP, UPDATE, DELETE, CLOCK, RANDOM, CPU, PULL, LOOP = 1, 2, 3, 5, 7, 8, 39, 181
PLAIN = (0, 1, 2, 3, 4, 5)
_NUMBERS = (0, 1, 2, 3, 7, 8, 15, 31, 63, 64, 255, 256, 4095, -1, -2, -8, -256, 0x7FFFFFFF, -0x80000000)
_ARITHMETIC = ("add", "sub", "mul", "or", "and", "xor", "lsh", "rsh", "arsh", "div", "mod", "sdiv", "smod", "mov")
_CONDITIONS = ("jeq", "jne", "jgt", "jge", "jlt", "jle", "jsgt", "jsge", "jslt", "jsle", "jset")
_ATOMICS = ("add", "or", "and", "xor")
_FIELDS = ((0, 4), (0, 2), (1, 1), (88, 4), (92, 4), (136, 4), (76, 4), (80, 4), (0, 8), (77, 1), (300, 4))
_SIZES = (1, 2, 4, 8)


class _Function:
    """Instructions of one function, which may call those from number `callee` to `callees`; `labels` are places that
    jumps go to, by their numbers."""

    def __init__(self, random: Random, depth: int, callee: int, callees: int) -> None:
        self.random = random
        self.depth = depth
        self.callee, self.callees = callee, callees
        self.code: list[Instruction] = []
        self.slot = 0
        self.labels: dict[int, int] = {}
        self.jumps: list[tuple[int, int, int]] = []
        self.calls: list[tuple[int, int, int]] = []
        self.maps: dict[int, str] = {}
        self.data: dict[int, tuple[str, int]] = {}
        self._label = 0

    def put(self, *instructions: Instruction) -> None:
        for instruction in instructions:
            self.code.append(instruction)
            self.slot += instruction.slots

    def label(self) -> int:
        self._label += 1
        return self._label

    def here(self, label: int) -> None:
        self.labels[label] = self.slot

    def jump(self, instruction: Instruction, label: int) -> None:
        self.jumps.append((len(self.code), self.slot, label))
        self.put(instruction)

    def number(self, register: int) -> None:
        random = self.random
        if random.random() < 0.3:
            self.put(wide(register, random.getrandbits(random.choice((8, 16, 32, 64)))))
        else:
            self.put(mov(register, random.choice(_NUMBERS)))

    def numbers(self) -> None:
        for register in PLAIN:
            self.number(register)

    def finish(self) -> None:
        for place, slot, label in self.jumps:
            self.code[place] = self.code[place]._replace(offset=self.labels[label] - slot - 1)

    # Statements

    def compute(self) -> None:
        random = self.random
        bits, dst = random.choice((32, 64)), random.choice(PLAIN)
        name = random.choice((*_ARITHMETIC, "neg", "movsx", "order"))
        if name == "neg":
            self.put(op("alu", "neg", dst=dst, bits=bits))
        elif name == "movsx":
            width = random.choice((8, 16, 32) if bits == 64 else (8, 16))
            self.put(op("alu", f"movsx{width}", dst=dst, src=random.choice(PLAIN), bits=bits))
        elif name == "order":
            kind = random.choice(("le", "be", "bswap")) + random.choice(("16", "32", "64"))
            self.put(op("byte_order", kind, dst=dst))
        elif random.random() < 0.5:
            self.put(alu(name, dst, bits, src=random.choice((*PLAIN, 9))))
        else:
            self.put(alu(name, dst, bits, imm=random.choice(_NUMBERS)))

    def branch(self) -> None:
        over = self.label()
        self.jump(self.condition(), over)
        for _ in range(self.random.randint(1, 3)):
            self.statement()
        self.here(over)

    def condition(self) -> Instruction:
        random = self.random
        name, bits, dst = random.choice(_CONDITIONS), random.choice((32, 64)), random.choice((*PLAIN, 9))
        if random.random() < 0.5:
            return op("jump", name, dst=dst, src=random.choice(PLAIN), bits=bits)
        return op("jump", name, dst=dst, imm=random.choice(_NUMBERS), bits=bits)

    def loop(self) -> None:
        if self.depth == 0:
            return
        self.depth -= 1
        again, end = self.label(), self.label()
        self.put(mov(9, self.random.choice((1, 2, 5, 20))))
        self.here(again)
        if self.random.random() < 0.2:
            self.jump(op("may_goto"), end)
        for _ in range(self.random.randint(1, 4)):
            self.statement()
        self.put(alu("add", 9, imm=-1))
        self.jump(op("jump", "jsgt", dst=9, imm=0, bits=64), again)
        self.here(end)
        self.depth += 1

    def stack(self) -> None:
        random = self.random
        size = random.choice(_SIZES)
        offset = random.choice((-8, -16, -16, -24, -32, -33, -40, -48, -64, -512, -4))
        offset = -516 if random.random() < 0.005 else offset
        register = random.choice(PLAIN)
        way = random.random()
        if way < 0.45:
            self.put(store(10, offset, size, src=random.choice((*PLAIN, 10 if random.random() < 0.1 else 9))))
        elif way < 0.55:
            self.put(store(10, offset, size, imm=random.choice(_NUMBERS)))
        elif way < 0.9:
            if random.random() < 0.8:
                self.put(store(10, offset, size, src=random.choice(PLAIN)))
            signed = size < 8 and random.random() < 0.3
            self.put(load_(register, 10, offset, size, signed))
        else:
            self.put(store(10, -8, 8, src=random.choice((7, 8, 10))), load_(register, 10, -8, 8))
            self.put(load_(register, register, random.choice((0, -16, 8)), size))

    def somewhere_on_stack(self) -> None:
        random, size = self.random, self.random.choice(_SIZES)
        index, base = 1, 2
        self.put(alu("and", index, imm=random.choice((7, 15, 63))), alu("mov", base, src=10))
        self.put(alu("add", base, src=index), alu("add", base, imm=random.choice((-80, -64, -24, -16))))
        if random.random() < 0.6:
            self.put(store(base, random.choice((0, -8)), size, src=3))
        else:
            self.put(load_(4, base, 0, size))
        self.number(base)

    def context(self) -> None:
        offset, size = self.random.choice(_FIELDS[: 8 if self.random.random() < 0.95 else 11])
        register = self.random.choice(PLAIN)
        if self.random.random() < 0.15:
            self.put(store(6, self.random.choice((32, 48)), 4, src=register))
        else:
            self.put(load_(register, 6, offset, size))

    def packet(self) -> None:
        random, size = self.random, self.random.choice(_SIZES)
        over, offset = self.label(), self.random.choice((0, 1, 4, 8, 12, 30))
        checked = random.random() < 0.85
        self.put(load_(7, 6, 76, 4), load_(2, 6, 80, 4))
        if random.random() < 0.4:
            self.put(alu("and", 3, imm=random.choice((3, 15, 255))), alu("add", 7, src=3))
        if checked:
            self.put(alu("mov", 1, src=7), alu("add", 1, imm=offset + size - (random.random() < 0.05)))
            shapes = (op("jump", "jgt", dst=1, src=2, bits=64), op("jump", "jlt", dst=2, src=1, bits=64))
            self.jump(random.choice(shapes), over)
        way = random.random()
        if way < 0.6:
            self.put(load_(4, 7, offset, size))
        elif way < 0.9:
            self.put(store(7, offset, size, src=5))
        else:
            self.put(op("atomic", "add", dst=7, src=5, offset=offset, size=4, fetch=False))
        self.here(over)
        self.put(alu("mov", 1, imm=3))
        self.number(2)

    def value(self) -> None:
        random = self.random
        name = random.choice(("values", "values", *MAPS))
        key = self.key(name)
        self.maps[self.slot] = name
        self.put(op("constant", "map_fd", dst=1, imm=0))
        self.put(alu("mov", 2, src=10), alu("add", 2, imm=key), call(LOOKUP), alu("mov", 8, src=0))
        self.numbers()
        over = self.label()
        if random.random() < 0.9:
            self.jump(op("jump", "jeq", dst=8, imm=0, bits=64), over)
        for _ in range(random.randint(1, 3)):
            self._use_value()
        self.here(over)
        if random.random() < 0.3:
            self.put(mov(8, 0))

    def key(self, name: str) -> int:
        """Put a key of a map into the stack; where it is from r10."""
        random, size = self.random, MAPS[name]
        number = random.choice((0, 1, 2, 9))
        if size == 4:
            self.put(store(10, -4, 4, imm=number))
            return -4
        at = random.choice((-64, -64, -72))
        self.put(store(10, at, 4, imm=number))
        if random.random() < 0.97:
            more = random.choice((0, 3))
            self.put(store(10, at + 4, 1 if size == 5 else 8, imm=more))
        return at

    def _use_value(self) -> None:
        random, size = self.random, self.random.choice(_SIZES)
        offset = random.choice((0, 0, 8, 16, 20, 24 if random.random() < 0.05 else 4))
        way = random.random()
        if way < 0.35:
            self.put(load_(random.choice(PLAIN), 8, offset, size))
        elif way < 0.6:
            self.put(store(8, offset, size, src=random.choice(PLAIN)))
        elif way < 0.8:
            self._atomic(8, offset)
        else:
            self.put(alu("and", 1, imm=random.choice((7, 15, 31))), alu("mov", 2, src=8), alu("add", 2, src=1))
            self.put(load_(3, 2, 0, size) if random.random() < 0.5 else store(2, 0, size, src=3))
            self.number(2)

    def _atomic(self, base: int, offset: int) -> None:
        random, size = self.random, self.random.choice((4, 8))
        src = random.choice(PLAIN)
        name = random.choice((*_ATOMICS, "xchg", "cmpxchg", "load_acquire", "store_release"))
        if name == "load_acquire":
            self.put(op("load_acquire", dst=src, src=base, offset=offset, size=size))
        elif name == "store_release":
            self.put(op("store_release", dst=base, src=src, offset=offset, size=size))
        else:
            fetch = name not in _ATOMICS or random.random() < 0.5
            self.put(op("atomic", name, dst=base, src=src, offset=offset, size=size, fetch=fetch))

    def global_(self) -> None:
        random, size = self.random, self.random.choice(_SIZES)
        section, offset = random.choice(((".data", 0), (".data", 8), (".rodata", 0), (".rodata", 4)))
        self.data[self.slot] = (section, offset)
        self.put(op("constant", "map_value", dst=1, imm=0))
        at = random.choice((0, 3, 8, -8))
        way = random.random()
        if way < 0.5:
            self.put(load_(2, 1, at, size))
        elif way < 0.8 and section == ".data":
            self.put(store(1, at, size, src=3))
        else:
            self._atomic(1, at)
        self.number(1)

    def helper(self) -> None:
        random = self.random
        number = random.choice((CLOCK, RANDOM, CPU, UPDATE, DELETE, PULL))
        if number in (UPDATE, DELETE):
            name = random.choice([*MAPS])
            key = self.key(name)
            self.put(store(10, -32, 8, src=random.choice(PLAIN)))
            self.put(store(10, -24, 8, imm=1), store(10, -16, 8, imm=2))
            self.maps[self.slot] = name
            self.put(op("constant", "map_fd", dst=1, imm=0))
            self.put(alu("mov", 2, src=10), alu("add", 2, imm=key))
            self.put(alu("mov", 3, src=10), alu("add", 3, imm=-32), mov(4, random.choice((0, 0, 1))))
        elif number == PULL:
            self.put(alu("mov", 1, src=6), mov(2, random.choice((0, 8, 40, 200))))
        self.put(call(number))
        self.put(alu("mov", 8, src=0) if random.random() < 0.1 else alu("mov", 1, src=0))
        self.numbers()

    def call_function(self) -> None:
        if self.callee > self.callees:
            return
        if self.random.random() < 0.4:
            self.put(alu("mov", 1, src=self.random.choice((6, 8, 10))))
            if self.random.random() < 0.5:
                self.put(alu("add", 1, imm=-16))
        self.calls.append((len(self.code), self.slot, self.random.randint(self.callee, self.callees)))
        self.put(op("call", "local", imm=0))
        self.put(alu("mov", 1, src=0))
        self.numbers()

    def call_back(self) -> None:
        if self.callee > self.callees:
            return
        random = self.random
        self.put(mov(1, random.choice((0, 1, 4, 4, 30, 1 << 24))))
        self.calls.append((len(self.code), self.slot, random.randint(self.callee, self.callees)))
        self.put(op("constant", "function", dst=2, imm=0), alu("mov", 3, src=random.choice((10, 10, 6, 7, 8, 9))))
        if random.random() < 0.5:
            self.put(alu("add", 3, imm=-16))
        self.put(mov(4, int(random.random() < 0.05)), call(LOOP))
        if random.random() < 0.3:
            self.put(alu("mov", 8, src=0))
        self.numbers()

    def forged(self) -> None:
        """A number that happens to be an address, or nearly so."""
        random = self.random
        address = random.randint(0, 5) << 32 | ORIGIN + random.choice((0, 8, 500, 508, -4, 1 << 30)) & 0xFFFFFFFF
        self.put(wide(1, address))
        self.put(load_(2, 1, 0, 4) if random.random() < 0.7 else store(1, 0, 4, src=3))

    def statement(self) -> None:
        weighted: tuple[tuple[Callable[[_Function], None], int], ...] = (
            (_Function.compute, 40),
            (_Function.stack, 14),
            (_Function.branch, 10),
            (_Function.context, 6),
            (_Function.packet, 8),
            (_Function.value, 6),
            (_Function.global_, 4),
            (_Function.helper, 4),
            (_Function.somewhere_on_stack, 3),
            (_Function.loop, 5),
            (_Function.call_function, 5),
            (_Function.call_back, 4),
            (_Function.forged, 1),
        )
        kinds, weights = zip(*weighted, strict=True)
        self.random.choices(kinds, weights)[0](self)


def random_program(random: Random) -> Object:
    """A program of one to three functions; it is small, and mostly does what a program may do."""
    callees = random.choice((0, 0, 1, 2))
    functions = []
    for number in range(callees + 1):
        function = _Function(random, 2, number + 1, callees)
        if number == 0:
            function.put(alu("mov", 6, src=1), load_(7, 6, 76, 4))
        else:
            function.put(alu("mov", 6, src=1), alu("mov", 7, src=2))
            if random.random() < 0.4:
                base = random.choice((1, 2, 2))
                function.put(load_(3, base, 0, 4) if random.random() < 0.5 else store(base, 0, 4, src=2))
            if random.random() < 0.2:
                # In a loop, r1 is the number of the round.
                function.put(alu("mov", 3, src=10), alu("add", 3, imm=-24), alu("add", 3, src=1), store(3, 0, 4, imm=1))
        function.put(mov(8, 0), mov(9, 1))
        function.numbers()
        for _ in range(random.randint(2, 9)):
            function.statement()
        if random.random() < 0.95:
            function.put(alu("mov", 0, src=random.choice((*PLAIN, 8))))
        if number and random.random() < 0.6:
            function.put(alu("and", 0, imm=random.choice((0, 0, 1, 3))))
        function.put(EXIT)
        function.finish()
        functions.append(function)
    return _assembled(functions)


def _assembled(functions: list[_Function]) -> Object:
    starts = [0]
    for function in functions:
        starts.append(starts[-1] + function.slot)
    slots: dict[int, Instruction] = {}
    maps, data = {}, {}
    for start, function in zip(starts, functions, strict=False):
        for place, slot, target in function.calls:
            distance = starts[target] - (start + slot) - 1
            wide_ = function.code[place].opcode == WIDE
            function.code[place] = function.code[place]._replace(imm=distance & 0xFFFFFFFF if wide_ else distance)
        slot = start
        for instruction in function.code:
            slots[slot] = instruction
            slot += instruction.slots
        maps.update({start + slot: MapReference(start + slot, name) for slot, name in function.maps.items()})
        data.update({start + slot: DataReference(start + slot, *place) for slot, place in function.data.items()})
    names = {start: "main" if not start else f"function{start}" for start in starts[:-1]}
    program = Program("main", "section", "stream_verdict", slots, maps, data, {}, names)
    return Object("little", "GPL", {"main": program}, {}, {section.name: section for section in DATA})


def changed(random: Random, object_: Object) -> Object:
    """The object with one to three of its instructions changed at will."""
    program = object_.programs["main"]
    slots = dict(program.instructions)
    for _ in range(random.randint(1, 3)):
        slot = random.choice([slot for slot, each in slots.items() if each.opcode != WIDE])
        slots[slot] = _changed(random, slots[slot])
    made = Program("main", "section", program.kind, slots, program.maps, program.data, {}, program.functions)
    return Object(object_.endian, object_.license, {"main": made}, {}, object_.data)


def _changed(random: Random, instruction: Instruction) -> Instruction:
    field = random.choice(("dst", "src", "offset", "imm", "opcode"))
    if field in ("dst", "src"):
        return instruction._replace(**{field: random.randint(0, 10)})
    if field == "offset":
        return instruction._replace(offset=random.choice((-1, 0, 1, 2, 4, 8, -8, -16, 512, random.randint(-600, 600))))
    if field == "imm":
        return instruction._replace(imm=random.choice(_NUMBERS))
    row = random.choice([row for row in OPERATIONS if row.opcode != WIDE])
    values = {"dst": instruction.dst, "src": instruction.src, "offset": instruction.offset, "imm": instruction.imm}
    kept = {name: value if name in row.fields else 0 for name, value in values.items()}
    if row.selector:
        kept[row.selector] = row.value
    return Instruction(row.opcode, kept["dst"], kept["src"], kept["offset"], kept["imm"])
