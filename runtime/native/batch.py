"""Runs of one program by native code, one after the other: Python is asked only where a run needs it."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator, Sequence

from skverdict.runtime.machine.context import Context
from skverdict.runtime.machine.environment import Environment
from skverdict.runtime.machine.fault import Fault
from skverdict.runtime.machine.memory import Memory, Packet
from skverdict.runtime.machine.run import Result
from skverdict.runtime.machine.structures import ContextRegion, Reader
from skverdict.runtime.native import layout
from skverdict.runtime.native.native_code import Calls, NativeCode, next_run, show_beginning, show_code
from skverdict.runtime.native.run import NativeRun
from skverdict.runtime.native.shared import PLACE, Pins, Shared

#: Runs that native code does before it is asked whether it should be made fast.
AT_ONCE = 1024


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
        #: The runs on a packet, by the identity of its bytes, where runs may move packets.
        self.sharing: dict[int, list[int]] = {}
        #: What native code is told of each run, and what it tells of it.
        self.rows = ctypes.create_string_buffer(code.row.size * max(1, len(contexts)))
        self._rows_at = ctypes.addressof(self.rows)
        #: The run that Python has to do with, if native code is in one, and the number of the first one that native
        #: code is doing now.
        self.run: NativeRun | None = None
        self.first = 0
        #: The number of the first run of all.
        self.number = next_run()
        #: Calls that native code made in the runs before that one, and the keys that they tell of.
        self.calls, self.keys = b"", code.keys()

    def go(self) -> list[Result | Fault]:
        """Do them all."""
        shared, whole = self.shared, len(self.contexts)
        outcomes: list[Result | Fault] = []
        shared.perform = self.perform
        try:
            self.show()
            while len(outcomes) < whole:
                self.first, asked = len(outcomes), min(whole - len(outcomes), AT_ONCE)
                count = self.advance(asked)
                run = self._joined(self.first + count) if count < asked else None
                if count:
                    outcomes += self._clean(count)
                if run is not None:
                    outcomes.append(self._finish(run))
                    self._show_moved(self.first + count)
                self.code.machine.ran(_instructions(outcomes[self.first :]))
        finally:
            self.pins.release_all()
            shared.perform = shared.failure = None
        return outcomes

    def advance(self, runs: int) -> int:
        """Let native code go on with so many runs; how many it has done."""
        shared = self.shared
        shared[layout.RUN] = self.number + self.first
        at = self._rows_at + self.first * self.code.row.size
        return self.code.machine.entry(shared.address, shared.frame(0), at, runs)

    def _clean(self, count: int) -> Iterator[Result]:
        """The runs that native code has done by itself."""
        row, begin = self.code.row, 0
        calls, keys = self.calls, self.keys
        if self.run is None:
            calls, keys = self.code.take_calls(self.shared), self.code.keys()
        for index in range(self.first, self.first + count):
            _, _, _, value, spent, made, *_ = row.unpack_from(self.rows, index * row.size)
            noted = Calls(self.code, [])
            if calls:
                end = made * layout.CALL_SIZE
                noted.add(calls[begin:end], keys)
                begin = end
            yield Result(value, spent, noted)

    def show(self) -> None:
        """Put the runs into rows, and what they share into the shared memory."""
        for index, context in enumerate(self.contexts):
            self._show_run(index, context)
        for table in self.code.tables:
            table.on_cpu(self.environment.cpu)
        show_code(self.code, self.shared, self.pins, self.environment.budget)

    def _show_run(self, index: int, context: Context) -> None:
        code = self.code
        if not (code.needs.packet or code.needs.fields):
            self.packets.append(None)
            return
        reader = Reader(Memory(code.loaded.order), context.kind, self.environment.kernel)
        region = ContextRegion(reader, context)
        packet = region.make_packet() if code.needs.packet else None
        self.packets.append(packet)
        if packet is not None and code.outline.moves:
            self.sharing.setdefault(id(packet.content), []).append(index)
        place = (self.pins.address(packet.content), len(packet.content), packet.writable) if packet else (0, 0, 0)
        fields = (region.load(offset, size) for offset, size in code.needs.fields)
        code.row.pack_into(self.rows, index * code.row.size, *place, 0, 0, 0, *fields)

    def _show_moved(self, index: int) -> None:
        """What the runs behind one on the same packet find of it."""
        packet = self.packets[index]
        if packet is None or not self.code.outline.moves:
            return
        for other in self.sharing[id(packet.content)]:
            if other > index:
                place = (self.pins.address(packet.content), len(packet.content), packet.writable)
                PLACE.pack_into(self.rows, other * self.code.row.size, *place)

    def perform(self, slot: int, frame: int) -> None:
        """Do the first instruction of a run that native code asks for; the others are the run's own."""
        run = self._joined((self.shared[layout.ROW] - self._rows_at) // self.code.row.size)
        self.shared.perform = run.perform
        run.perform(slot, frame)

    def _joined(self, index: int) -> NativeRun:
        if self.run is None:
            shared, at = self.shared, index * self.code.row.size
            calls, before = self.code.take_calls(shared), 0
            if index > self.first:
                before = self.code.row.unpack_from(self.rows, at - self.code.row.size)[5] * layout.CALL_SIZE
            self.calls, self.keys = calls[:before], self.code.keys()
            packet = self.packets[index]
            if packet is not None and self.code.outline.moves:
                self.pins.release(packet.content)
            self.run = NativeRun(self.code, shared, self.contexts[index], self.environment, packet, self.rows, at)
            self.run.made.add(calls[before:], self.keys)
            shared[layout.TOUCHED] = 1
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
            self.run, shared.failure, shared.perform = None, None, self.perform
            show_beginning(self.code, shared)


def _instructions(outcomes: Iterable[Result | Fault]) -> int:
    return sum(outcome.instructions for outcome in outcomes if isinstance(outcome, Result))
