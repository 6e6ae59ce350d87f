"""One run as native code: what Python does for it, and how it ends."""

from __future__ import annotations

import ctypes
from operator import length_hint
from typing import NamedTuple

from skverdict.runtime.helpers.loops import go_round
from skverdict.runtime.machine.context import Context
from skverdict.runtime.machine.environment import Environment
from skverdict.runtime.machine.memory import (
    ADDRESS,
    REGION_SHIFT,
    STACK_SIZE,
    Bytes,
    FunctionRegion,
    MapRegion,
    MapValue,
    Packet,
    Region,
    address_of,
)
from skverdict.runtime.machine.registers import UNWRITTEN
from skverdict.runtime.machine.run import MISDEEDS, Finished, Frame, Result, Run
from skverdict.runtime.maps.base import Map
from skverdict.runtime.native import layout
from skverdict.runtime.native.native_code import Calls, NativeCode, loop_call
from skverdict.runtime.native.shared import PLACE, WORD, NativeFrame, Pins, Shared
from skverdict.runtime.native.tables import Table
from skverdict.runtime.native.work import Performed


class OpenLoop(NamedTuple):
    """A loop by the call at `slot`, in round number `round`."""

    slot: int
    function: int
    round: int
    rounds: int
    context: int


class NativeRun(Run):
    """The state of one run, which while native code is under way is in shared memory.

    `show_...` put what Python knows there, `learn` takes what native code has done from there.
    """

    def __init__(
        self,
        code: NativeCode,
        shared: Shared,
        context: Context,
        environment: Environment,
        packet: Packet | None,
        rows: ctypes.Array[ctypes.c_char],
        at: int,
    ) -> None:
        self.code = code
        self.shared = shared
        self.steps = code.loaded.steps
        self.pins = Pins()
        self.packet = packet
        if packet is not None:
            self.pins.address(packet.content)
        #: The row that tells native code of the run lies there.
        self.rows, self.at = rows, at
        #: Regions that native code has been told the place of, by their numbers.
        self.met: dict[int, Region] = {}
        #: The stacks of the functions that native code is in, and the numbers of their regions.
        self.stacks: list[NativeFrame] = []
        self.numbers: list[int] = []
        self.number = shared[layout.RUN]
        super().__init__(code.loaded, context, environment)
        self.made = Calls(code, self.calls)

    def open_frame(self) -> None:
        """Give the function that begins now its stack, which for the program's own is in the shared memory."""
        if self.stacks:
            super().open_frame()
            return
        frame = NativeFrame(self.shared, 0, self.memory.order, not self.code.outline.marks)
        self.stack = self.memory.add(frame)
        self.stacks.append(frame)
        self.numbers.append(layout.FIRST_FRAME)
        self.registers[10] = self.stack + STACK_SIZE
        self.allow_loops()

    def finish(self, end: int) -> Result:
        """What comes of a run that native code has ended so. Raises Fault."""
        shared = self.shared
        if end == layout.STOPPED:
            assert shared.failure is not None
            raise shared.failure
        self.ticks = iter(range(shared[layout.LEFT]))
        self._learn_calls()
        if end == layout.RETURNED:
            self._exit(shared[layout.SLOT])
        else:
            self._interpret()
        return Result(self.registers[0], self.instructions, self.made)

    def _exit(self, slot: int) -> None:
        """The instruction that has ended the program."""
        self.registers[0] = self.shared[layout.VALUE] if self._holds(slot, 0) else UNWRITTEN[0]
        try:
            self.steps[slot](self.registers, self)
        except Finished:
            return
        except MISDEEDS as error:
            raise self.fault(error, slot) from None

    def _holds(self, slot: int, register: int) -> bool:
        return self.code.performed[slot].holds(register)

    def let_go(self) -> None:
        """Forget what the shared memory was told of this run."""
        for number in self.met:
            self.shared[layout.region_place(number)] = 0
        self.met.clear()
        self.pins.release_all()

    # From Python to native code

    def _show_context(self) -> None:
        region, at = self.call.context_region, self.at + layout.ROW_FIELDS
        for place, (offset, size) in enumerate(self.code.needs.fields):
            WORD.pack_into(self.rows, at + place * layout.WORD, region.load(offset, size))

    def _show_packet(self) -> None:
        """Where the packet lies, or will lie if the program asks for it."""
        if not self.code.needs.packet:
            return
        region = self.call.context_region
        address = region.packet_address
        known = self.regions[address >> REGION_SHIFT] if address else region.make_packet()
        assert isinstance(known, Packet)
        self.packet = known
        self.shared[layout.PACKET] = address
        PLACE.pack_into(self.rows, self.at, self.pins.address(known.content), len(known.content), known.writable)

    def _show_addresses(self, last: int) -> None:
        """Addresses of maps and data that Python was the first to ask for; the numbers up to `last` are known."""
        shared = self.shared
        for place, thing in enumerate(self.code.things):
            at, address = layout.ADDRESSES + place * layout.WORD, self.memory.known(thing)
            if address and not shared[at]:
                shared[at] = address
        if self.code.tables:
            for number in range(last + 1, self.regions.last + 1):
                self._show_entry(number)
        shared[layout.LAST_REGION] = self.regions.last

    def _show_entry(self, number: int) -> None:
        """The address of an entry's value that Python was the first to ask for."""
        region = self.regions[number]
        for table in self.code.tables:
            if isinstance(region, Bytes) and (place := table.place(region.content)) is not None:
                table.put(place, self.number, address_of(number))

    def _show_region(self, number: int) -> None:
        """Let native code reach a region by itself from now on, if its rules are simple."""
        region = self.regions[number]
        if isinstance(region, NativeFrame):
            begin = self.shared.address + region.begin
            row = (number, begin, STACK_SIZE, STACK_SIZE, 0, begin + layout.FRAME_UNWRITTEN)
        elif isinstance(region, Bytes) and not isinstance(region, MapValue):
            length = len(region.content)
            writable = length if region.writable else 0
            row = (number, self.pins.address(region.content), length, writable, writable if region.atomic else 0, 0)
        else:
            return
        place = layout.region_place(number)
        self.met.pop(self.shared[place], None)
        self.met[number] = region
        for index, value in enumerate(row):
            self.shared[place + index * layout.WORD] = value

    def _forget_ended(self) -> None:
        for number, region in list(self.met.items()):
            if self.regions.get(number) is not region:
                self._forget(number)

    def _forget(self, number: int) -> None:
        if self.met.pop(number, None) is not None and self.shared[layout.region_place(number)] == number:
            self.shared[layout.region_place(number)] = 0

    # From native code to Python

    def _learn(self, last: int) -> None:
        """Take over the numbers of regions that native code has given away, which are those up to `last`."""
        shared, region = self.shared, self.call.context_region
        self.regions.last = last
        if self.code.tables:
            self._learn_given()
        if self.packet is not None and not region.packet_address and shared[layout.PACKET]:
            region.place_packet(self.packet, shared[layout.PACKET])
        addresses = shared.words(layout.ADDRESSES, len(self.code.things))
        for thing, address in zip(self.code.things, addresses, strict=True):
            if address and not self.memory.known(thing):
                self.memory.adopt(thing, MapRegion(thing) if isinstance(thing, Map) else thing, address)

    def _learn_given(self) -> None:
        """The addresses that native code has given to values of entries."""
        for at, place, address in self.shared.take_given():
            table = self.code.tables[(at - layout.TABLES) // layout.WORD]
            memory = table.memory(place)
            name = f"a value of map {table.map.name}"
            self.memory.adopt(memory, Bytes(name, memory, self.memory.order, table.map.writable), address)

    def _learn_calls(self) -> None:
        """The calls that native code has made by itself."""
        if self.shared[layout.CALL_COUNT]:
            self.made.add(self.code.take_calls(self.shared), self.code.keys())

    def _open_stacks(self, level: int, slot: int) -> None:
        """Have the stacks of the functions down to `level`, which are those that native code is in, there at
        `slot`."""
        shared, performed = self.shared, self.code.performed
        for each in range(level + 1):
            number = shared[shared.in_frame(each, layout.FRAME_NUMBER)]
            if each < len(self.numbers) and self.numbers[each] == number:
                continue
            self._close_stacks(each)
            at = slot if each == level else shared[shared.in_frame(each, layout.FRAME_SLOT)]
            frame = NativeFrame(shared, each, self.memory.order, performed[at].fresh)
            self.regions[number] = frame
            self.stacks.append(frame)
            self.numbers.append(number)
        self._close_stacks(level + 1)

    def _close_stacks(self, level: int) -> None:
        """Those from `level` on belong to functions that have returned."""
        for number in self.numbers[level:]:
            self.regions.pop(number, None)
            self._forget(number)
        del self.numbers[level:], self.stacks[level:]

    def _place_frames(self, level: int, slot: int) -> None:
        """Be in the function at `level`, at `slot`, called by those above it."""
        self._open_stacks(level, slot)
        self.stacks[level].written = self.code.performed[slot].written
        self.stack = address_of(self.numbers[level])
        self.registers[10] = self.stack + STACK_SIZE
        self.frames = [self._frame(each) for each in range(level)]

    def _frame(self, level: int) -> Frame:
        shared = self.shared
        slot = shared[shared.in_frame(level, layout.FRAME_SLOT)]
        work = self.code.performed[slot]
        self.stacks[level].written = work.written
        first, loops = layout.FRAME_REGISTERS + 6 * layout.WORD, shared[shared.in_frame(level, layout.FRAME_LOOPS)]
        kept = shared.words(shared.in_frame(level, first), 4)
        registers = [
            value if self._holds(slot, number) else UNWRITTEN[number] for number, value in enumerate(kept, 6)
        ]
        return Frame(self.program, None if work.loops else slot + 1, registers, address_of(self.numbers[level]), loops)

    def _interpret(self) -> None:
        """Go on in the interpreter where native code has given up."""
        shared = self.shared
        level = shared.level(shared[layout.INNERMOST])
        slot = shared[shared.in_frame(level, layout.FRAME_SLOT)]
        self._learn(shared[layout.LAST_REGION])
        self._place_frames(level, slot)
        values = shared.words(shared.in_frame(level, layout.FRAME_REGISTERS), 10)
        for number, value in enumerate(values):
            self.registers[number] = value if self._holds(slot, number) else UNWRITTEN[number]
        self.loops = shared[shared.in_frame(level, layout.FRAME_LOOPS)]
        for number, frame in zip(self.numbers, self.stacks, strict=True):
            self.regions[number] = frame.taken_out()
        open_loops = [self._open_loop(each) for each, frame in enumerate(self.frames) if frame.slot is None]
        self.advance(slot)
        for loop in reversed(open_loops):
            self._end_loop(loop)
            self.advance(loop.slot + 1)

    def _open_loop(self, level: int) -> OpenLoop:
        """The loop that the function at `level` is in."""
        shared = self.shared
        slot, round_, rounds, context, function = (
            shared[shared.in_frame(level, place)]
            for place in (
                layout.FRAME_SLOT,
                layout.FRAME_ROUND,
                layout.FRAME_ROUNDS,
                layout.FRAME_CONTEXT,
                layout.FRAME_REGISTERS + 2 * layout.WORD,
            )
        )
        region = self.regions[function >> REGION_SHIFT]
        assert isinstance(region, FunctionRegion)
        return OpenLoop(slot, region.slot, round_, rounds, context)

    def _end_loop(self, loop: OpenLoop) -> None:
        """Make the rounds of a loop that are left, behind one that has just ended."""
        registers, done = self.registers, loop.round + 1
        try:
            if not +registers[0]:
                done = go_round(self.call, done, loop.rounds, loop.function, loop.context)
        except MISDEEDS as error:
            raise self.fault(error, loop.slot) from None
        self.calls.append(loop_call(loop.rounds, loop.function, loop.context, done))
        registers[0] = done
        registers[1:6] = UNWRITTEN[1:6]

    # What native code cannot do

    def perform(self, slot: int, frame: int) -> None:
        """Do the instruction at `slot` for native code, which is in the function that has `frame`."""
        shared, work, registers = self.shared, self.code.performed[slot], self.registers
        last, calls, *operands = shared.asked()
        if last != self.regions.last:
            self._learn(last)
        if calls:
            self._learn_calls()
        if frame != shared.address + layout.FRAMES or len(self.numbers) > 1:
            self._place_frames(shared.level(frame), slot)
        else:
            self.stacks[0].written = work.written
        if work.is_helper:
            registers[1:6] = operands
        else:
            for register, value in zip(work.reads, operands, strict=False):
                registers[register] = value
        for register in work.missing:
            registers[register] = UNWRITTEN[register]
        if work.moves:
            self._release_packet()
        if work.counts:
            self.ticks = iter(range(shared[layout.LEFT]))
        try:
            self.steps[slot](registers, self)
        except MISDEEDS as error:
            raise self.fault(error, slot) from None
        if work.counts:
            shared[layout.LEFT] = length_hint(self.ticks)
        value, distance = registers[0 if work.sets is None else work.sets], 0
        if work.is_helper:
            if self.met:
                self._forget_ended()
            if work.rereads:
                self._show_context()
            if work.moves:
                self._show_packet()
            if work.table >= 0:
                self._show_found(self.code.tables[work.table], value)
            if work.gives_value and value:
                distance = self._distance(value)
        else:
            self._show_access(work, operands[0])
        if self.regions.last != last:
            self._show_addresses(last)
        if isinstance(value, int):
            shared.give(value, distance & ADDRESS)

    def _release_packet(self) -> None:
        if self.packet is not None:
            self._forget(self.call.context_region.packet_address >> REGION_SHIFT)
            self.pins.release(self.packet.content)

    def _distance(self, address: int) -> int:
        """How far the bytes of a map's value are from its address, which a helper has just given."""
        region = self.regions[address >> REGION_SHIFT]
        assert isinstance(region, Bytes)
        assert not isinstance(region, MapValue)
        return self.pins.address(region.content) - address

    def _show_found(self, table: Table, address: int) -> None:
        """What Python has found in a map."""
        key = self.calls[-1].arguments[1]
        assert isinstance(key, bytes)
        table.found(key, self.number, address)

    def _show_access(self, work: Performed, base: int) -> None:
        """What has changed with an access through address `base` that native code could not do."""
        if not work.size:
            return
        region = self.call.context_region
        number = (base + work.offset & ADDRESS) >> REGION_SHIFT
        if self.regions[number] is region:
            self._show_context()
            if region.packet_address != self.shared[layout.PACKET]:
                self._show_packet()
        else:
            self._show_region(number)
