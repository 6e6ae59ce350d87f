"""Programs as functions of Python's, each made when its program first runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from types import CodeType
from typing import Any

from skverdict.runtime.machine import semantics
from skverdict.runtime.machine.memory import PACK, STACK_SIZE, UNPACK, ByteOrder
from skverdict.runtime.machine.registers import UNWRITTEN
from skverdict.runtime.machine.semantics import mask
from skverdict.runtime.machine.translate import Code, translate

#: A function of a program: the run, and r1 to r5; it gives r0.
Function = Callable[..., int]

#: The name under which the functions of a program have their `Translation` among their globals.
TRANSLATION = "THIS_TRANSLATION"

_SIZES = (1, 2, 4, 8)


class Translation:
    """The functions of the program called `name`, made when one is first wanted. `called` has what instructions
    call, by their slots."""

    def __init__(self, name: str, code: Code, called: Mapping[int, Callable[..., Any]]) -> None:
        self.code = code
        self._name = name
        self._called = called
        self._functions: dict[str, Any] = {}
        self._slots: Sequence[int | None] = ()

    def function(self, slot: int) -> Function:
        """The function that begins at `slot`."""
        if not self._functions:
            self._make()
        made: Function = self._functions[f"f{slot}"]
        return made

    def slot_of(self, line: int) -> int | None:
        """The slot of the instruction that a line of the functions' text belongs to."""
        return self._slots[line]

    def _make(self) -> None:
        text = translate(self.code)
        names = {**_surroundings(self.code.order), TRANSLATION: self}
        names.update({f"h{slot}": called for slot, called in self._called.items()})
        exec(_compiled(text.source, self._name), names)
        self._functions, self._slots = names, text.slots


@lru_cache(maxsize=256)
def _compiled(source: str, name: str) -> CodeType:
    """The same policy is often loaded again, and Python takes its time."""
    return compile(source, f"<program {name}>", "exec")


@lru_cache
def _surroundings(order: ByteOrder) -> dict[str, Any]:
    """What the text of every program uses."""
    names: dict[str, Any] = {**semantics.FUNCTIONS}
    for size in _SIZES:
        names[f"u{size}"], names[f"p{size}"] = UNPACK[order][size], PACK[order][size]
        # By the first of `size` bytes that were written: all bits but theirs.
        names[f"KEPT_{size}"] = tuple(mask(STACK_SIZE) ^ mask(size) << place for place in range(STACK_SIZE))
    names["OWN"] = (UNWRITTEN[0], *UNWRITTEN[6:10])
    names["ARGUMENTS"], names["LOST"] = UNWRITTEN[1:6], UNWRITTEN[0:6]
    names.update({f"LOST_{number}": UNWRITTEN[number] for number in range(1, 6)})
    return names
