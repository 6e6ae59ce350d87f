"""A program as native code, and what its runs share."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from itertools import count
from typing import NamedTuple, overload

from skverdict.runtime.machine.memory import Bytes, FunctionRegion
from skverdict.runtime.machine.run import HelperCall, LoadedProgram
from skverdict.runtime.maps.base import Map
from skverdict.runtime.native import layout
from skverdict.runtime.native.facts import Needs
from skverdict.runtime.native.outline import Outline
from skverdict.runtime.native.shared import CALL, Pins, Shared
from skverdict.runtime.native.tables import Table
from skverdict.runtime.native.tiers import MachineCode
from skverdict.runtime.native.work import Work

#: The keys in each table, at their places.
Keys = tuple[Sequence[bytes], ...]


class Told(NamedTuple):
    """A call that native code has made: a lookup of the key at a place of a table, or if that is -1 so many rounds of a
    loop, which hands a `context` to a function."""

    table: int
    place: int
    result: int
    context: int
    function: int


class NativeCode(NamedTuple):
    """A program as native code, with what its runs need; `things` are what it names (`Needs`), and `row` is the form
    in which it is told of a run."""

    loaded: LoadedProgram
    machine: MachineCode
    outline: Outline
    things: tuple[Map | Bytes | FunctionRegion, ...]
    tables: tuple[Table, ...]
    row: struct.Struct
    performed: Work

    @property
    def needs(self) -> Needs:
        return self.outline.needs

    def keys(self) -> Keys:
        """The keys that places of entries stand for now."""
        return tuple(table.keys for table in self.tables)

    def take_calls(self, shared: Shared) -> bytes:
        """The calls that native code has made by itself since this was last asked, of which maps have been told."""
        rows = shared.take_calls()
        if any(table.tracks for table in self.tables):
            for told in self.told(rows):
                if told.table >= 0:
                    self.tables[told.table].used(told.place)
        return rows

    def told(self, rows: bytes) -> Iterator[Told]:
        """What rows of calls tell."""
        parts = CALL.iter_unpack(rows)
        for call, result in parts:
            slot, place = divmod(call, 1 << 32)
            work = self.performed[slot]
            yield Told(work.table, place, result, *(next(parts) if work.loops else (0, 0)))


class Calls(Sequence[HelperCall]):
    """The helper calls of a run in their order. Those that native code made by itself are kept as it left them
    until somebody asks."""

    def __init__(self, code: NativeCode, calls: list[HelperCall]) -> None:
        self._code = code
        self._latest = calls
        # Of calls that native code made, the keys in each table that their rows have places of.
        self._parts: list[HelperCall | tuple[bytes, Keys]] = []

    def add(self, rows: bytes, keys: Keys) -> None:
        """Add calls that native code made, which come behind those that Python has made so far."""
        self._parts += self._latest
        self._latest.clear()
        self._parts.append((rows, keys))

    def __len__(self) -> int:
        return len(self._complete())

    @overload
    def __getitem__(self, index: int) -> HelperCall: ...

    @overload
    def __getitem__(self, index: slice) -> list[HelperCall]: ...

    def __getitem__(self, index: int | slice) -> HelperCall | list[HelperCall]:
        return self._complete()[index]

    def __iter__(self) -> Iterator[HelperCall]:
        return iter(self._complete())

    def _complete(self) -> list[HelperCall]:
        if self._parts:
            calls: list[HelperCall] = []
            for part in (*self._parts, *self._latest):
                if isinstance(part, HelperCall):
                    calls.append(part)
                else:
                    rows, keys = part
                    calls += (self._call(told, keys) for told in self._code.told(rows))
            self._parts, self._latest = [], calls
        return self._latest

    def _call(self, told: Told, keys: Keys) -> HelperCall:
        if told.table < 0:
            return loop_call(told.place, told.function, told.context, told.result)
        map_, key = self._code.tables[told.table].map, keys[told.table][told.place]
        return HelperCall("bpf_map_lookup_elem", (map_, key), told.result)


def loop_call(rounds: int, function: int, context: int, result: int) -> HelperCall:
    """A loop as the interpreter would have noted it."""
    return HelperCall("bpf_loop", (rounds, function, context, 0), result)


# Tables tell old addresses from new ones by the numbers of runs; a batch has room for its runs below each.
_runs = count(1)


def next_run() -> int:
    """A number for a run, or for the first of a batch."""
    return next(_runs) << 32


def row_of(needs: Needs) -> struct.Struct:
    """The form of a row for native code that wants this."""
    return struct.Struct(f"={needs.row_size // layout.WORD}Q")


def show_code(code: NativeCode, shared: Shared, pins: Pins, budget: int) -> None:
    """Put what all runs of a program share into the shared memory."""
    for place, thing in enumerate(code.things):
        bytes_at = pins.address(thing.content) if isinstance(thing, Bytes) else 0
        shared[layout.BYTES + place * layout.WORD] = bytes_at
    for place, table in enumerate(code.tables):
        shared[layout.TABLES + place * layout.WORD] = table.address
    shared[layout.BUDGET] = budget
    show_beginning(code, shared)


def show_beginning(code: NativeCode, shared: Shared) -> None:
    """Have native code begin a run with which Python has nothing to do, unless it has to see to its result."""
    shared[layout.TOUCHED] = not code.outline.gives
    shared[layout.CALL_COUNT] = shared[layout.GIVEN_COUNT] = 0
    shared.show_own_stack(code.outline.marks)
