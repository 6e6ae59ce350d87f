"""One BPF instruction as a plain value (RFC 9669, section 3)."""

from __future__ import annotations

from typing import NamedTuple


class Instruction(NamedTuple):
    """One instruction. `opcode` 0..255, `dst` and `src` 0..15, `offset` signed 16 bits.

    `imm` is a signed 32-bit number, except for the wide instruction (`opcode` 0x18), which fills two slots of
    8 bytes and whose `imm` is the unsigned 64-bit number of both halves.
    """

    opcode: int
    dst: int
    src: int
    offset: int
    imm: int

    @property
    def slots(self) -> int:
        """Instruction slots of 8 bytes taken: 2 for the wide instruction, else 1."""
        return 2 if self.opcode == 0x18 else 1
