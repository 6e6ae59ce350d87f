"""A program's machine code: made quickly, and made again to be fast once it has run for long enough.

Both are kept on disk, each with the program's outline, under all that they follow from: the program's source, the
edition of the engine, LLVM's release and the processor.
"""

from __future__ import annotations

from collections.abc import Callable

from skverdict.runtime.native.cache import cached, stored
from skverdict.runtime.native.code import Draft, draft
from skverdict.runtime.native.edition import edition
from skverdict.runtime.native.function import ENTRY
from skverdict.runtime.native.machine_code import Entry, Linked, compile_quickly, compile_well, processor
from skverdict.runtime.native.outline import packed, unpacked
from skverdict.runtime.native.source import Source

#: Instructions that code which was made quickly does in about the time in which LLVM makes it fast.
PATIENCE = 50_000_000


class MachineCode:
    """The machine code of a source, with its `outline`. Raises NoNativeCode, and RuntimeError if LLVM makes none of it.

    `entry` is the function to call now; what it once was stays good, since a run may be in it.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._draft: Draft | None = None
        self._parts = (source.identity(), edition(), *processor())
        well = stored(("well", *self._parts))
        self.outline, code = unpacked(well if well is not None else self._made("quick", compile_quickly))
        self._links = [Linked(code, ENTRY)]
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
            _, code = unpacked(self._made("well", compile_well))
            self._draft = None
            self._links.append(Linked(code, ENTRY))
            self.entry = self._links[-1].entry

    def _made(self, how: str, compile_: Callable[[str], bytes]) -> bytes:
        def make() -> bytes:
            if self._draft is None:
                self._draft = draft(self._source)
            return packed(self._draft.outline, compile_(self._draft.text))

        return cached((how, *self._parts), make)
