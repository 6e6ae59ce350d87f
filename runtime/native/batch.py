"""Many runs of one program by native code: Python is asked only where a run needs it."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Iterator, Sequence

from skverdict.runtime.machine.context import Context
from skverdict.runtime.machine.environment import Environment
from skverdict.runtime.machine.fault import Fault
from skverdict.runtime.machine.memory import Memory, Packet, address_of
from skverdict.runtime.machine.run import Result
from skverdict.runtime.machine.structures import ContextRegion, Reader
from skverdict.runtime.native import layout
from skverdict.runtime.native.run import Calls, NativeCode, NativeRun, next_run, show_code
from skverdict.runtime.native.shared import Pins, Shared


def suits(code: NativeCode) -> bool:
    """True if runs of a program can go on one after the other: it gives a result, and moves no packet."""
    gives = code.facts.registers.gives[0].always & 1
    return bool(gives) and not any(work.moves for work in code.performed.values())


class Batch:
    """The runs of `code` on `contexts`."""

    def __init__(
        self, code: NativeCode, shared: Shared, contexts: Sequence[Context], environment: Environment
    ) -> None:
        self.code = code
        self.shared = shared
        self.contexts = contexts
        self.environment = environment
        self.pins = Pins()
        self.packets: list[Packet | None] = []
        #: The run that Python has to do with, if native code is in one, and the number of the first one in the row
        #: that native code is doing.
        self.run: NativeRun | None = None
        self.first = 0
        #: Calls that native code made in the runs before that one.
        self.calls = b""

    def go(self) -> list[Result | Fault]:
        """Do them all."""
        shared = self.shared
        row = self.code.row
        rows = ctypes.create_string_buffer(row.size * max(1, len(self.contexts)))
        outcomes: list[Result | Fault] = []
        shared.perform = self.perform
        try:
            self.show(row, rows)
            while len(outcomes) < len(self.contexts):
                self.first = len(outcomes)
                at = ctypes.addressof(rows) + self.first * row.size
                left_over = len(self.contexts) - self.first
                count = self.code.linked.entry(shared.address, shared.frame(0), at, left_over)
                run = self._joined() if count < left_over else None
                outcomes += self._clean(row, rows, count)
                if run is not None:
                    outcomes.append(self._finish(run))
        finally:
            self.pins.release_all()
            shared.perform = shared.failure = None
        return outcomes

    def _clean(self, row: struct.Struct, rows: ctypes.Array[ctypes.c_char], count: int) -> Iterator[Result]:
        """The runs that native code has done by itself."""
        calls, begin = self.shared.take_calls() if self.run is None else self.calls, 0
        for index in range(self.first, self.first + count):
            _, _, _, value, left, made, *_ = row.unpack_from(rows, index * row.size)
            part = calls[begin : made * layout.CALL_SIZE]
            begin = made * layout.CALL_SIZE
            noted = Calls(self.code, [])
            if part:
                noted.add(part)
            yield Result(value, self.environment.budget - left, noted)

    def show(self, row: struct.Struct, rows: ctypes.Array[ctypes.c_char]) -> None:
        """Put the runs into rows, and what they share into the shared memory."""
        shared, needs = self.shared, self.code.needs
        for index, context in enumerate(self.contexts):
            reader = Reader(Memory(self.code.loaded.order), context.kind, self.environment.kernel)
            region = ContextRegion(reader, context)
            packet = region.make_packet() if needs.packet else None
            self.packets.append(packet)
            place = (self.pins.address(packet.content), len(packet.content), packet.writable) if packet else (0, 0, 0)
            fields = (region.load(offset, size) for offset, size in needs.fields)
            row.pack_into(rows, index * row.size, *place, 0, 0, 0, *fields)
        show_code(self.code, shared, self.pins, self.environment.budget)
        shared[layout.RUN] = next_run()

    def perform(self, slot: int, frame: int) -> None:
        """Do an instruction for native code, in the run that it is in."""
        self._joined().perform(slot, frame)

    def _joined(self) -> NativeRun:
        if self.run is None:
            index = self.first + self.shared[layout.CURRENT]
            self.run = NativeRun(self.code, self.shared, self.contexts[index], self.environment)
            self.run.join(self.packets[index])
            self.shared[layout.TOUCHED] = 1
            calls, before = self.shared.take_calls(), self.shared[layout.CALL_START] * layout.CALL_SIZE
            self.calls = calls[:before]
            self.run.made.add(calls[before:])
        return self.run

    def _finish(self, run: NativeRun) -> Result | Fault:
        """What comes of a run that native code could not end by itself."""
        shared = self.shared
        try:
            return run.finish(shared[layout.END])
        except Fault as fault:
            return fault
        finally:
            run.let_go()
            self.run, shared.failure = None, None
            shared[layout.TOUCHED] = shared[layout.CALL_COUNT] = shared[layout.GIVEN_COUNT] = 0
            shared[layout.OPERANDS] = address_of(1)
