"""A run in the functions that a program was translated to; it goes step by step where the budget may not last."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from operator import length_hint
from traceback import walk_tb
from typing import NamedTuple, cast

from skverdict.runtime.machine.call_graph import MAX_FRAMES
from skverdict.runtime.machine.calls import TAIL_CALLED
from skverdict.runtime.machine.context import Context
from skverdict.runtime.machine.environment import Environment
from skverdict.runtime.machine.fault import Fault
from skverdict.runtime.machine.memory import (
    FRAME_ENDED,
    ORIGIN,
    REGION_SHIFT,
    STACK_SIZE,
    AccessError,
    StackFrame,
    address_of,
)
from skverdict.runtime.machine.registers import UNWRITTEN
from skverdict.runtime.machine.run import MAX_LOOPS, MISDEEDS, Finished, Frame, LoadedProgram, Result, Run, Switch
from skverdict.runtime.machine.translation import TRANSLATION, Translation

#: Where a function of the program's own returns to: the function that has called it knows.
_CALLER = -1
#: What such a function has to keep for its caller, which has it in variables.
_NOTHING = list(UNWRITTEN[6:10])
_NEW = tuple.__new__
#: With fewer frames, and no lock held, a function may be called.
_SURELY_ALLOWED = MAX_FRAMES - 1


class TranslatedRun(Run):
    """The state of one run. `left` is what is left of the budget wherever another function goes on."""

    _back: int | None = _CALLER
    _stepping = 0  # how many frames there were when going step by step began, and one more

    def __init__(self, program: LoadedProgram, context: Context, environment: Environment) -> None:
        super().__init__(program, context, environment)
        self.left = self.budget

    def go(self) -> Result:
        """Run to the end. Raises Fault."""
        try:
            value = self.program.translation.function(0)(self, self.call.context_address, *UNWRITTEN[2:6])
        except (*MISDEEDS, struct.error) as error:
            raise self._told(error) from None
        return Result(value, self.budget - self.left, tuple(self.calls))

    # What the functions call

    @property
    def most_loops(self) -> int:
        """How often the function that begins now may go round by `may_goto`."""
        return self.loops

    @property
    def stack_end(self) -> int:
        """The address behind the innermost function's stack."""
        return self.stack + STACK_SIZE

    def open_frame(self) -> None:
        """Reserve a place for the stack, which is made when it is first wanted."""
        number = self.regions.last = self.regions.last + 1
        self.regions.reserved.add(number)
        self.stack = address_of(number)
        self.allow_loops()

    def open_stack(self) -> StackFrame:
        """The stack of the function that begins now."""
        return cast(StackFrame, self.regions[self.stack >> REGION_SHIFT])

    def begin_function(self) -> None:
        """A function begins that is not the program itself. Raises Misuse if that may not be."""
        frames, regions = self.frames, self.regions
        if len(frames) >= _SURELY_ALLOWED or self.call.lock is not None:
            self.check_call()
        # As `Frame` makes one, but for the keywords that it looks for.
        frames.append(_NEW(Frame, (self.program, self._back, _NOTHING, self.stack, self.loops)))
        self._back = _CALLER
        # As `open_frame` does, without further calls.
        regions.last = number = regions.last + 1
        regions.reserved.add(number)
        self.stack = number << REGION_SHIFT | ORIGIN
        self.loops = MAX_LOOPS

    def leave_function(self, result: int, left: int) -> int:
        """The innermost function ends with `result`, and with `left` of the budget."""
        self.left = left
        frames = self.frames
        if not frames:
            result = +result
            self.check_references("exits")
            return result
        program, back, _, stack, loops = frames[-1]
        if back is None:
            result = +result
        frames.pop()
        number, reserved = self.stack >> REGION_SHIFT, self.regions.reserved
        if number in reserved:
            reserved.remove(number)
        else:
            self.memory.end(self.stack, FRAME_ENDED)
        self.stack, self.loops, self.program = stack, loops, program
        return result

    def go_on(self, program: LoadedProgram, left: int) -> int:
        """Go on in another program, in place of the innermost function; what that gives in the end."""
        self.left = left
        self.memory.end(self.stack, TAIL_CALLED)
        self.begin(program)
        return program.translation.function(0)(self, self.call.context_address, *UNWRITTEN[2:6])

    def creep(self, slot: int, left: int, registers: Sequence[int], loops: int = 0) -> int:
        """Go step by step to the end of the innermost function, which is at `slot`; what it returns.

        `loops` is how often it may still go round, if it counts that at all.
        """
        self.ticks = iter(range(left))
        self.registers[:] = (*registers, self.stack_end)
        self.loops = max(loops, 0)
        self._stepping = len(self.frames) + 1
        self.advance(slot)
        self._stepping = 0
        self.left = length_hint(self.ticks)
        return self.registers[0]

    # Step by step

    def enter(self, back: int | None) -> None:
        super().enter(back)
        self.registers[10] = self.stack_end

    def begin(self, program: LoadedProgram) -> None:
        super().begin(program)
        self.registers[10] = self.stack_end

    def leave(self) -> int:
        """The function that steps began in has nowhere to go on."""
        last = len(self.frames) == self._stepping - 1
        try:
            slot = super().leave()
        except Switch:
            if not last:
                raise
            slot = _CALLER
        if last:
            raise Finished
        return slot

    def call_back(self, slot: int, arguments: Sequence[int]) -> int:
        if self._stepping:
            return super().call_back(slot, arguments)
        self._back = None
        return self.program.translation.function(slot)(self, *arguments, *UNWRITTEN[len(arguments) + 1 : 6])

    # What went wrong

    def _told(self, error: Exception) -> Fault:
        """The fault that an exception is which one of the functions has raised."""
        found = _found(error)
        if isinstance(error, struct.error):
            error = self._access_error(error, found)
        return self.fault(error, found.slot)

    def _access_error(self, error: struct.error, found: _Found) -> AccessError:
        """What was wrong with an access to plain bytes: it is made again where every reason is told."""
        operation = found.translation.code.operations[found.slot]
        address = cast(int, found.variables["a"])
        try:
            if operation.family == "load":
                self.memory.load(address, operation.size)
            elif operation.family == "atomic":
                self.memory.atomic_place(address, operation.size)
            else:
                self.memory.store(address, operation.size, 0)
        except AccessError as refused:
            return refused
        raise error


class _Found(NamedTuple):
    """Where an exception comes from: the functions and the slot, and the variables of the function there."""

    translation: Translation
    slot: int
    variables: Mapping[str, object]


def _found(error: BaseException) -> _Found:
    """The innermost instruction that was being run when `error` was raised."""
    found = None
    for frame, line in walk_tb(error.__traceback__):
        translation = frame.f_globals.get(TRANSLATION)
        slot = None if translation is None else translation.slot_of(line)
        if translation is not None and slot is not None:
            found = _Found(translation, slot, frame.f_locals)
    assert found is not None
    return found
