"""The registers and the stack of one function that is gone through."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skverdict.codegen.verifier.stack import Words
    from skverdict.codegen.verifier.values import Value

REGISTERS = 10


class Frame:
    """The registers and the stack of one function. `back` is where its caller goes on."""

    __slots__ = ("back", "registers", "words")

    def __init__(self, registers: list[Value], words: Words, back: int) -> None:
        self.registers = registers
        self.words = words
        self.back = back

    def copy(self) -> Frame:
        """One that changes by itself."""
        return Frame(self.registers.copy(), self.words.copy(), self.back)
