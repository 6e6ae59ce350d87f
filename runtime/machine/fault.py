"""The end of a run that misused the machine, told in the terms of the policy's source."""

from __future__ import annotations

from typing import NamedTuple

from skverdict.codegen.object import Program, SourceLine


class Place(NamedTuple):
    """A program and one of its instructions, the one at slot `slot`."""

    program: Program
    slot: int

    @property
    def line(self) -> SourceLine | None:
        """The source line that the instruction was compiled from, if the object tells."""
        return self.program.line_at(self.slot)

    @property
    def instruction(self) -> str:
        """The instruction as the disassembler writes it."""
        from skverdict.codegen.instruction_set import InstructionError
        from skverdict.codegen.instruction_text import instruction_text

        if self.slot not in self.program.instructions:
            return "nothing"
        try:
            return instruction_text(self.program, self.slot, self.program.functions)
        except InstructionError:
            return f"opcode {self.program.instructions[self.slot].opcode:#04x}"

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> list[str]:
        lines = [f"in {self.program.name} at instruction {self.slot}: {self.instruction}"]
        if self.line is not None:
            lines.append(f"{self.line.file}:{self.line.line}: {self.line.text.strip()}".rstrip(": "))
        return lines


class MemoryAccess(NamedTuple):
    """An access that was refused: `size` bytes at `offset` of the memory called `region`.

    Offsets into the stack count from r10 and are negative.
    """

    region: str
    offset: int
    size: int


class Fault(Exception):
    """A run that was ended for what the program did: the kernel's verifier would not have let it run.

    `reason` says what was wrong; `place` is where; `access` is the memory access, if it was one.
    """

    def __init__(self, reason: str, place: Place, access: MemoryAccess | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.place = place
        self.access = access

    def __str__(self) -> str:
        return f"{self.reason}\n{self.place}"

    @property
    def program(self) -> str:
        """The name of the program."""
        return self.place.program.name

    @property
    def slot(self) -> int:
        """The slot of the instruction."""
        return self.place.slot

    @property
    def line(self) -> SourceLine | None:
        """The source line, if known."""
        return self.place.line


class LoadError(Exception):
    """A program that cannot be run at all: `reason`, and the `place` of the instruction that is to blame."""

    def __init__(self, reason: str, place: Place) -> None:
        super().__init__(reason)
        self.reason = reason
        self.place = place

    def __str__(self) -> str:
        return f"{self.reason}\n{self.place}"


class Unsupported(LoadError):
    """A program that uses what other machines have and the simulator has not."""


class UnsupportedHelper(Unsupported):
    """A call of helper `helper`, which the kernel has and the simulator has not; `why` is a clause."""

    def __init__(self, helper: str, place: Place, why: str = "") -> None:
        reason = f"{place.program.name} calls {helper}, which the simulator does not have"
        super().__init__(f"{reason}: {why}" if why else reason, place)
        self.helper = helper


class Misuse(Exception):
    """Something a program may not do, found by a helper or its arguments; becomes the reason of a Fault."""
