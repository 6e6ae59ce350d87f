"""One run of a program: its state, the loop that takes it from step to step, and how it ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import length_hint
from typing import NamedTuple

from skverdict.codegen.object import Program
from skverdict.runtime.machine.call import Call
from skverdict.runtime.machine.call_graph import MAX_FRAMES
from skverdict.runtime.machine.context import Context
from skverdict.runtime.machine.environment import Environment
from skverdict.runtime.machine.fault import Fault, MemoryAccess, Misuse, Place
from skverdict.runtime.machine.memory import (
    FRAME_ENDED,
    STACK_SIZE,
    AccessError,
    ByteOrder,
    FunctionRegion,
    Memory,
    StackFrame,
)
from skverdict.runtime.machine.registers import UNWRITTEN, UnwrittenRegister
from skverdict.runtime.machine.translation import Translation

#: Tail calls in one run (MAX_TAIL_CALL_CNT).
MAX_TAIL_CALLS = 33
#: How often one function's `may_goto` instructions together let it go round (BPF_MAX_LOOPS).
MAX_LOOPS = 8 * 1024 * 1024

#: What an instruction does: changes the registers and the run, and gives the slot to go on at.
Step = Callable[["list[int]", "Run"], int]


class LoadedProgram(NamedTuple):
    """A program ready to run: `steps` has one entry a slot, and `translation` the functions that do the same.

    `named` are the functions whose addresses instructions load, by the slots of these.
    """

    program: Program
    order: ByteOrder
    steps: Sequence[Step]
    translation: Translation
    named: Mapping[int, FunctionRegion]

    @property
    def name(self) -> str:
        return self.program.name

    @property
    def kind(self) -> str:
        """Its key in `programs.PROGRAMS`."""
        return self.program.kind


class HelperCall(NamedTuple):
    """A helper call as it happened: the arguments as the helper got them, and r0 (None for a void helper)."""

    name: str
    arguments: tuple[object, ...]
    result: int | None


class Result(NamedTuple):
    """The end of a run: `value` is r0 as an unsigned 64-bit number, `instructions` the number executed."""

    value: int
    instructions: int
    calls: Sequence[HelperCall]


class Reference(NamedTuple):
    """Something that `helper` gave at `slot` and that must be handed back before the program exits."""

    helper: str
    slot: int


class Frame(NamedTuple):
    """What a call leaves behind: the slot to return to (None: to the helper), and what the callee must
    keep."""

    program: LoadedProgram
    slot: int | None
    kept: list[int]
    stack: int
    loops: int


#: What an instruction does that ends the run with a fault.
MISDEEDS = (AccessError, UnwrittenRegister, Misuse)


class Finished(Exception):
    """The program, or the callback that a helper called, has returned."""


class Switch(Exception):
    """The run goes on at `slot` of another program, which is already in place."""

    def __init__(self, slot: int) -> None:
        self.slot = slot


class Run:
    """The state of one run. `ticks` hands out the instruction budget, one for each step.

    `references` are what must be released, by their addresses, and `calling` is the helper call under way.
    """

    def __init__(self, program: LoadedProgram, context: Context, environment: Environment) -> None:
        self.program = program
        self.memory = Memory(program.order)
        self.regions = self.memory.regions
        self.call = Call(context, environment, self.memory, self)
        self.registers = list(UNWRITTEN)
        self.budget = environment.budget
        self.ticks = iter(range(self.budget))
        self.frames: list[Frame] = []
        self.tail_calls = 0
        self.references: dict[int, Reference] = {}
        self.calling = Reference("", 0)
        self.calls: list[HelperCall] = []
        self.stack = 0
        self.loops = 0
        self.begin(program)

    def begin(self, program: LoadedProgram) -> None:
        """Put `program` in place as the kernel calls one: the context in r1, a fresh stack, nothing else."""
        self.program = program
        self.registers[:] = UNWRITTEN
        self.registers[1] = self.call.context_address
        self.open_frame()

    def open_frame(self) -> None:
        """Give the function that begins now its stack."""
        self.stack = self.memory.add(StackFrame(self.memory.order))
        self.registers[10] = self.stack + STACK_SIZE
        self.allow_loops()

    def allow_loops(self) -> None:
        """Give the function that begins now its count of rounds by `may_goto`."""
        self.loops = MAX_LOOPS

    def enter(self, back: int | None) -> None:
        """Call a function of the program with r1..r5; `back` is the slot to return to, None for a helper.

        It finds nothing in the other registers (init_func_state, kernel/bpf/verifier.c in Linux 6.1 to 7.2).
        """
        self.check_call()
        registers = self.registers
        self.frames.append(Frame(self.program, back, registers[6:10], self.stack, self.loops))
        registers[0] = UNWRITTEN[0]
        registers[6:10] = UNWRITTEN[6:10]
        self.open_frame()

    def check_call(self) -> None:
        """Raise Misuse if no function may be called now."""
        if len(self.frames) + 1 >= MAX_FRAMES:
            raise Misuse(f"the call is the {MAX_FRAMES + 1}th function deep; {MAX_FRAMES} is the limit")
        if self.call.lock is not None and self.call.environment.kernel == "6.1":
            raise Misuse("Linux 6.1 allows no calls while a spin lock is held")

    def leave(self) -> int:
        """Return from the innermost function; the slot to go on at."""
        if not self.frames:
            self.check_references("exits")
            raise Finished
        frame = self.frames.pop()
        self.memory.end(self.stack, FRAME_ENDED)
        registers = self.registers
        registers[1:6] = UNWRITTEN[1:6]
        registers[6:10] = frame.kept
        registers[10] = frame.stack + STACK_SIZE
        self.stack, self.loops = frame.stack, frame.loops
        before, self.program = self.program, frame.program
        if frame.slot is None:
            raise Finished
        if before is not self.program:
            raise Switch(frame.slot)
        return frame.slot

    def acquire(self, address: int) -> None:
        """Remember that what is at `address`, given by the helper called now, must be released."""
        self.references[address] = self.calling

    def release(self, address: int, helper: str) -> None:
        """Take back a reference. Raises Misuse if there is none."""
        if self.references.pop(address, None) is None:
            raise Misuse(f"{helper} releases what the program did not acquire, or released before")

    def check_references(self, does: str) -> None:
        """Raise Misuse if the program holds a reference or a lock when it `does` something."""
        if self.call.lock is not None:
            raise Misuse(f"the program {does} holding the spin lock of a value of {self.call.lock.map.name}")
        for helper, slot in self.references.values():
            raise Misuse(f"the program {does} without releasing what {helper} gave at instruction {slot}")

    def call_back(self, slot: int, arguments: Sequence[int]) -> int:
        """Run the program's function at `slot` for a helper, to its end; what it returns in r0.

        It finds nothing in the registers behind `arguments` (set_loop_callback_state, kernel/bpf/verifier.c).
        """
        self.enter(None)
        self.registers[1:6] = [*arguments, *UNWRITTEN[1 + len(arguments) : 6]]
        self.advance(slot)
        return +self.registers[0]

    def advance(self, slot: int) -> None:
        """Run from `slot` on until the function that begins there has returned."""
        registers = self.registers
        while True:
            steps = self.program.steps
            try:
                for _ in self.ticks:
                    slot = steps[slot](registers, self)
                raise Misuse(f"the program used up its budget of {self.budget} instructions")
            except Finished:
                return
            except Switch as switch:
                slot = switch.slot
            except MISDEEDS as error:
                raise self.fault(error, slot) from None

    def fault(self, error: Exception, slot: int) -> Fault:
        """The fault that one of `MISDEEDS` by the instruction at `slot` is."""
        place = Place(self.program.program, slot)
        if isinstance(error, AccessError):
            return Fault(error.reason, place, MemoryAccess(error.region, error.offset, error.size))
        return Fault(str(error), place)

    @property
    def instructions(self) -> int:
        """Instructions executed so far."""
        return self.budget - length_hint(self.ticks)


def run(program: LoadedProgram, context: Context, environment: Environment) -> Result:
    """Run `program` on `context` until it exits. Raises Fault if it does what the kernel would not allow."""
    from skverdict.runtime.machine.translated_run import TranslatedRun

    return TranslatedRun(program, context, environment).go()


def step_through(program: LoadedProgram, context: Context, environment: Environment) -> Result:
    """As `run`, instruction by instruction."""
    state = Run(program, context, environment)
    state.advance(0)
    return Result(state.registers[0], state.instructions, tuple(state.calls))


def run_function(
    program: LoadedProgram,
    slot: int,
    context: Context,
    environment: Environment,
    arguments: Callable[[Call], Sequence[int]],
) -> Result:
    """Run the function of `program` at `slot` as the kernel calls one by itself, as for a timer.

    `arguments` gives the addresses and numbers for r1 and on. Raises Fault.
    """
    state = Run(program, context, environment)
    state.registers[1] = UNWRITTEN[1]
    for register, argument in enumerate(arguments(state.call), start=1):
        state.registers[register] = argument
    state.advance(slot)
    return Result(state.registers[0], state.instructions, tuple(state.calls))
