"""Valid instructions at random: any row of the table, any registers and numbers, jumps to anywhere in the program."""

from __future__ import annotations

from random import Random

from skverdict.codegen.instruction import Instruction
from skverdict.codegen.instruction_set import OPERATIONS, REGISTERS, WIDE, Operation, jump_target

_OFFSETS = (0, 1, -1, 8, -8, 512, 0x7FFF, -0x8000)
_NUMBERS = (0, 1, -1, 255, 4096, 0xFFFF, 0x10000, 0x7FFFFFFF, -0x80000000)


def random_instruction(random: Random, row: Operation) -> Instruction:
    """An instruction of that row, each field that it has of any value."""
    wide = row.opcode == WIDE
    numbers = random.getrandbits(64) if wide else random.getrandbits(32) - (1 << 31)
    drawn = {
        "dst": random.randrange(REGISTERS),
        "src": random.randrange(REGISTERS),
        "offset": random.choice((*_OFFSETS, random.randrange(-0x8000, 0x8000))),
        "imm": random.choice((numbers, random.choice([each % (1 << 64) if wide else each for each in _NUMBERS]))),
    }
    fields = {name: value if name in row.fields else 0 for name, value in drawn.items()}
    if row.selector:
        fields[row.selector] = row.value
    return Instruction(row.opcode, **fields)


def random_program(random: Random, length: int) -> dict[int, Instruction]:
    """`length` instructions by slot. What goes somewhere goes to one of them."""
    rows = [random.choice(OPERATIONS) for _ in range(length)]
    instructions: dict[int, Instruction] = {}
    slot = 0
    for row in rows:
        instructions[slot] = random_instruction(random, row)
        slot += instructions[slot].slots
    places = list(instructions)
    for row, at in zip(rows, places, strict=True):
        instruction = instructions[at]
        distance = random.choice(places) - at - 1
        if row.name == "function":
            instructions[at] = instruction._replace(imm=distance % (1 << 32))
        elif jump_target(at, instruction, row) is not None:
            field = "offset" if "offset" in row.fields else "imm"
            instructions[at] = instruction._replace(**{field: distance})
    return instructions
