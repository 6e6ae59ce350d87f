"""Runs of one program that differ in a few numbers: no Python for each of them, neither before nor in nor after.

That is for programs that change nothing but their stack and their redirect, so that a run which native code cannot do
by itself has not happened and can be done by other means.
"""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from skverdict.runtime.native import layout
from skverdict.runtime.native.native_code import NativeCode, next_run, show_code
from skverdict.runtime.native.shared import Pins, Shared


class Done(NamedTuple):
    """What runs came to: r0 of each, how many calls there had been at its end, and those calls as rows of `layout`."""

    values: array[int]
    ends: array[int]
    calls: bytes

    def runs(self) -> Iterator[tuple[int, bytes]]:
        """Of each run r0 and its calls."""
        calls, begin = self.calls, 0
        for value, count in zip(self.values, self.ends, strict=True):
            end = count * layout.CALL_SIZE
            yield value, calls[begin:end]
            begin = end


class Columns:
    """The rows of `count` runs, one number the same in all of them or another one in each."""

    def __init__(self, code: NativeCode, fields: Sequence[int | array[int]], count: int) -> None:
        """`fields` are the fields that native code needs, in its order."""
        self._count = count
        self._width = code.row.size // layout.WORD
        header = [0] * (layout.ROW_FIELDS // layout.WORD)
        first = [*header, *(field if isinstance(field, int) else 0 for field in fields)]
        self._rows = array("Q", first) * count
        for place, field in enumerate(fields, len(header)):
            if not isinstance(field, int):
                self._put(place, field)
        self._packets: bytearray | None = None

    def show_packets(self, content: bytearray, starts: array[int], lengths: array[int]) -> None:
        """Let each run have its part of `content` for its packet."""
        self._packets = content
        address = ctypes.addressof(ctypes.c_char.from_buffer(content)) if content else 0
        self._put(layout.ROW_PACKET // layout.WORD, array("Q", [address + start for start in starts]))
        self._put(layout.ROW_LENGTH // layout.WORD, lengths)

    def _put(self, place: int, column: array[int]) -> None:
        memoryview(self._rows)[place :: self._width] = memoryview(column)

    def _column(self, offset: int, count: int) -> array[int]:
        return self._rows[offset // layout.WORD : count * self._width : self._width]

    def run(self, code: NativeCode, shared: Shared, targets: bytearray, budget: int) -> Done:
        """Do the runs, as far as native code can do them by itself."""
        pins = Pins()
        shared.perform = _stop
        try:
            show_code(code, shared, pins, budget)
            shared[layout.TARGETS] = pins.address(targets)
            shared[layout.RUN] = next_run()
            if self._packets is not None:
                pins.address(self._packets)
            rows, _ = self._rows.buffer_info()
            done = code.machine.entry(shared.address, shared.frame(0), rows, self._count)
            calls = shared.take_calls()
        finally:
            pins.release_all()
            shared.perform = shared.failure = None
        if done:
            code.machine.ran(self._rows[layout.ROW_SPENT // layout.WORD] * done)
        values = self._column(layout.ROW_VALUE, done)
        if not code.needs.notes:
            return Done(values, array("Q", bytes(layout.WORD * done)), b"")
        return Done(values, self._column(layout.ROW_CALLS, done), calls)


class _Stopped(Exception):
    """A run needs Python."""


def _stop(slot: int, frame: int) -> None:
    raise _Stopped
