"""Random machine code of the sort that LLVM makes: stack, map, helpers, branches ahead and a loop.

Registers are always set before they are read, as the verifier demands: r6 is the context, r9 counts rounds,
r8 may be an address of the stack from the start to the end, the others hold numbers.
"""

from __future__ import annotations

from random import Random

from skverdict.codegen.instruction import Instruction
from skverdict.codegen.instruction_set import WIDE

from tests.runtime.machine_kit import EXIT, alu, call, load_, mov, op, store, wide

# Fields of `__sk_buff` that the code reads: some last, `len` does not.
FIELDS = {"len": 0, "family": 88, "remote_ip4": 92, "local_port": 136}
SLOTS = ((-8, 8), (-12, 4), (-16, 4), (-24, 8), (-28, 4), (-30, 2), (-31, 1))
KEYS = (-12, -16, -28)
VALUES = (-8, -24)
NUMBERS = (0, 1, 3, 7, 8, 32, 255, 256, 4095, -1, -8, 0x7FFFFFFF, -0x80000000)
BASE = -32
_ARITHMETIC = ("add", "sub", "mul", "or", "and", "xor", "lsh", "rsh", "arsh", "div", "mod")
_SHIFTS = ("lsh", "rsh", "arsh")
_CONDITIONS = ("jeq", "jne", "jgt", "jge", "jlt", "jle", "jsgt", "jsge", "jslt", "jsle", "jset")
LOOKUP, UPDATE, RANDOM, LOAD_BYTES = 1, 2, 7, 26


class RandomCode:
    """One program. `jumps` become offsets once all blocks are there; `maps` are slots that load the map."""

    def __init__(self, random: Random, has_short: bool, has_less: bool) -> None:
        self.random = random
        self.widths = (32, 64) if has_short else (64,)
        self.conditions = _CONDITIONS if has_less else ("jeq", "jne", "jgt", "jge", "jsgt", "jsge", "jset")
        self.code: list[Instruction] = []
        self.maps: set[int] = set()
        self.slot = 0
        self.compared: list[tuple[int, int]] = []
        # Where r8 points, from the frame pointer, if it is an address.
        self.pointer = random.choice((None, BASE, -16, -8))
        self.plain = (0, 1, 2, 3, 4, 5, 7) if self.pointer is not None else (0, 1, 2, 3, 4, 5, 7, 8)
        starts: list[int] = []
        jumps: list[tuple[int, int, int]] = []
        self._begin()
        blocks = random.randint(2, 7)
        loop = random.randrange(blocks) if random.random() < 0.5 else None
        for block in range(blocks):
            starts.append(self.slot)
            for _ in range(random.randint(0, 5)):
                random.choice(self._STEPS)(self)
            if block == loop:
                self._put(alu("add", 9, imm=-1))
                jumps.append((len(self.code), self.slot, random.randint(0, block)))
                self._put(op("jump", "jsgt", dst=9, imm=0, bits=64))
            elif random.random() < 0.8:
                jumps.append((len(self.code), self.slot, random.randint(block + 1, blocks)))
                self._put(self._condition())
        starts.append(self.slot)
        if random.random() < 0.5:
            self._put(alu("mov", 0, src=random.choice((*self.plain, 9))))
        self._put(EXIT)
        for place, slot, target in jumps:
            self.code[place] = self.code[place]._replace(offset=starts[target] - slot - 1)

    def _put(self, *instructions: Instruction) -> None:
        for instruction in instructions:
            self.code.append(instruction)
            self.slot += 2 if instruction.opcode == WIDE else 1

    def _begin(self) -> None:
        self._put(alu("mov", 6, src=1))
        for register in self.plain:
            self._put(self._fresh(register))
        self._put(mov(9, 3))
        for offset, size in SLOTS:
            self._put(store(10, offset, size, src=self.random.choice(self.plain)))
        if self.pointer is not None:
            self._address(8, self.pointer)

    def _fresh(self, register: int) -> Instruction:
        """An instruction that sets a register to something of which nothing else is known."""
        if self.random.random() < 0.3:
            return load_(register, 6, self.random.choice(list(FIELDS.values())), 4)
        return mov(register, self.random.choice(NUMBERS))

    def _number(self) -> int:
        return self.random.choice(NUMBERS)

    def _register(self) -> int:
        return self.random.choice(self.plain)

    def _compute(self) -> None:
        random = self.random
        bits, name = random.choice(self.widths), random.choice(_ARITHMETIC)
        if name in _SHIFTS:
            self._put(alu(name, self._register(), bits, imm=random.randrange(bits)))
        elif random.random() < 0.5:
            number = self._number() or 1
            self._put(alu(name, self._register(), bits, imm=number))
        else:
            self._put(alu(name, self._register(), bits, src=self._register()))

    def _move(self) -> None:
        bits = self.random.choice(self.widths)
        self._put(alu("mov", self._register(), bits, src=self.random.choice((*self.plain, 9))))

    def _extend(self) -> None:
        register = self._register()
        self._put(alu("lsh", register, imm=32), alu("rsh", register, imm=32))

    def _swap(self) -> None:
        self._put(op("byte_order", self.random.choice(("be16", "be32", "be64")), dst=self._register()))

    def _constant(self) -> None:
        if self.compared and self.random.random() < 0.5:
            # A number that a register may be known to hold.
            register, number = self.random.choice(self.compared)
            self._put(mov(self.random.choice((register, self._register())), number))
        elif self.random.random() < 0.2:
            self._put(wide(self._register(), self.random.getrandbits(64)))
        else:
            self._put(self._fresh(self._register()))

    def _kept(self) -> int:
        """A number in a register that calls leave alone."""
        return 7 if self.pointer is not None else self.random.choice((7, 8))

    def _slot(self) -> tuple[int, int, int]:
        """Base register, offset and size of a part of the stack."""
        offset, size = self.random.choice(SLOTS)
        if self.pointer is None or self.random.random() < 0.5:
            return 10, offset, size
        return 8, offset - self.pointer, size

    def _store(self) -> None:
        base, offset, size = self._slot()
        self._put(store(base, offset, size, src=self._register()))

    def _load(self) -> None:
        base, offset, size = self._slot()
        self._put(load_(self._register(), base, offset, size))

    def _address(self, register: int, offset: int) -> None:
        self._put(alu("mov", register, src=10), alu("add", register, imm=offset))

    def _map(self) -> None:
        self.maps.add(self.slot)
        self._put(wide(1, 0))

    def _after_call(self) -> None:
        """Set again what the call has taken; what it gave may stay in r0."""
        for register in range(1, 6):
            self._put(self._fresh(register))

    def _call_random(self) -> None:
        self._put(call(RANDOM))
        if self.random.random() < 0.5:
            # Kept for later, on the stack too.
            kept = self._kept()
            self._put(alu("mov", kept, src=0))
            if self.random.random() < 0.5:
                self._put(alu("and", kept, self.random.choice(self.widths), imm=7))
            self._put(store(10, self.random.choice(KEYS), 4, src=kept))
        self._after_call()

    def _call_lookup(self) -> None:
        key = self.random.choice(KEYS)
        if self.random.random() < 0.7:
            self._put(store(10, key, 4, src=self.random.choice((7, 7, self._kept(), self._register()))))
        self._address(2, key)
        self._map()
        self._put(call(LOOKUP))
        # r0 is the entry or NULL: both ways leave a number in it.
        self._put(op("jump", "jeq", dst=0, imm=0, bits=64, offset=3))
        self._put(load_(1, 0, 0, 8), store(0, 0, 8, src=self.random.choice((7, self._kept(), 9))))
        self._put(alu("mov", 0, src=1))
        self._after_call()

    def _call_update(self) -> None:
        key, value = self.random.choice(KEYS), self.random.choice(VALUES)
        if self.random.random() < 0.7:
            self._put(store(10, key, 4, src=self.random.choice((7, 7, self._kept(), self._register()))))
        self._address(2, key)
        self._address(3, value)
        self._put(mov(4, 0))
        self._map()
        self._put(call(UPDATE))
        self._after_call()

    def _call_load_bytes(self) -> None:
        offset, size = self.random.choice(SLOTS)
        self._put(alu("mov", 1, src=6), mov(2, self.random.choice((0, 2, 60))))
        if self.random.random() < 0.4:
            self._put(alu("mov", 2, src=self._kept()))
        self._address(3, offset)
        self._put(mov(4, size), call(LOAD_BYTES))
        self._after_call()

    def _condition(self) -> Instruction:
        name, bits = self.random.choice(self.conditions), self.random.choice(self.widths)
        if self.random.random() < 0.4:
            name = self.random.choice(("jeq", "jne"))
        if self.random.random() < 0.7:
            register, number = self._register(), self._number()
            if name in ("jeq", "jne"):
                self.compared.append((register, number))
            return op("jump", name, dst=register, imm=number, bits=bits)
        return op("jump", name, dst=self._register(), src=self._register(), bits=bits)

    _STEPS = (
        _compute, _compute, _compute, _move, _move, _extend, _swap, _constant, _store, _store, _load, _load,
        _call_random, _call_lookup, _call_lookup, _call_update, _call_load_bytes,
    )  # fmt: skip
