"""A program's machine code: made quickly, and made again to be fast once it has run for long enough."""

from __future__ import annotations

from collections.abc import Callable

from skverdict.runtime.native.cache import cached, stored
from skverdict.runtime.native.function import ENTRY
from skverdict.runtime.native.machine_code import Entry, Linked, compile_quickly, compile_well, processor

#: Instructions that code which was made quickly does in about the time in which LLVM makes it fast.
PATIENCE = 20_000_000


class MachineCode:
    """The machine code of a module's text. Raises RuntimeError if LLVM makes none of it.

    `entry` is the function to call now; what it once was stays good, since a run may be in it.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        well = stored(self._parts("well"))
        self._links = [Linked(well if well is not None else self._object("quick", compile_quickly), ENTRY)]
        # Instructions until it is made again; None if it is fast.
        self._patience = PATIENCE if well is None else None
        self.entry: Entry = self._links[0].entry

    def ran(self, instructions: int) -> None:
        """Know that so many instructions have run."""
        if self._patience is not None:
            self._patience -= instructions
            if self._patience < 0:
                self.improve()

    def improve(self) -> None:
        """Make it fast, if it is not."""
        if self._patience is not None:
            self._patience = None
            self._links.append(Linked(self._object("well", compile_well), ENTRY))
            self.entry = self._links[-1].entry

    def _object(self, how: str, make: Callable[[str], bytes]) -> bytes:
        return cached(self._parts(how), lambda: make(self._text))

    def _parts(self, how: str) -> tuple[str, ...]:
        return (self._text, how, *processor())
