"""A program of an object, run by the machine, and what its runs leave in the trace."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from skverdict.codegen.object import Program as ProgramCode
from skverdict.dsl.catalogue.helpers import HELPERS
from skverdict.runtime.engines import Engine
from skverdict.runtime.machine.context import Context
from skverdict.runtime.machine.run import HelperCall, LoadedProgram
from skverdict.runtime.machine.semantics import signed
from skverdict.runtime.maps.base import Map
from skverdict.runtime.trace import Trace

if TYPE_CHECKING:
    from skverdict.runtime.native.native_code import NativeCode

_CALL = 0x85

_MOVING_HELPERS = frozenset(helper.number for helper in HELPERS.values() if helper.moves_buffer)


class SimulatedProgram:
    """A program of the object, ready to run; `after_run` is called after each run, however it ended."""

    def __init__(self, loaded: LoadedProgram, engine: Engine, trace: Trace) -> None:
        self._loaded = loaded
        self._engine = engine
        self._trace = trace
        self.after_run: list[Callable[[], None]] = []
        self.changes_packet = any(
            instruction.opcode == _CALL and not instruction.src and instruction.imm in _MOVING_HELPERS
            for instruction in loaded.program.instructions.values()
        )

    @property
    def name(self) -> str:
        return self._loaded.name

    @property
    def kind(self) -> str:
        return self._loaded.kind

    @property
    def loaded(self) -> LoadedProgram:
        """The program as the machine runs it."""
        return self._loaded

    @property
    def code(self) -> ProgramCode:
        """The program as the object has it."""
        return self._loaded.program

    @property
    def engine(self) -> str:
        """What runs the program next: `native` or `reference`."""
        return self._engine.running

    @property
    def why_reference(self) -> str:
        """Why the interpreter runs a program that was to be native code; empty if it does not."""
        return self._engine.reason

    def alone(self, redirects_in: str) -> NativeCode | None:
        """Native code for many runs at once, as `Engine.alone`; None where somebody looks after each run."""
        return None if self.after_run else self._engine.alone(redirects_in)

    def run(self, context: Context) -> int:
        """Run on `context`; the result as C's `int`. Raises Fault."""
        try:
            result = self._engine.run(context)
        finally:
            for each in self.after_run:
                each()
        note_calls(self._trace, self.name, result.calls)
        return signed(result.value, 32)


def note_calls(trace: Trace, program: str, calls: Iterable[HelperCall]) -> None:
    """Put the helper calls of a run of `program` into the trace."""
    for helper, arguments, result in calls:
        trace.note("called", program, helper, tuple(map(_kept, arguments)), result)


def _kept(argument: object) -> int | bytes | str:
    """What the trace keeps of a helper's argument."""
    if isinstance(argument, (int, bytes)):
        return argument
    if isinstance(argument, Context):
        return argument.table
    return argument.name if isinstance(argument, Map) else type(argument).__name__.lower()
