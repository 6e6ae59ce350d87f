"""What the instructions of a program call: helpers, and what gives the addresses of things."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence

from skverdict.dsl.catalogue.helpers import Helper
from skverdict.runtime.machine.arguments import ArgumentsReader
from skverdict.runtime.machine.environment import HelperFunction
from skverdict.runtime.machine.errno import KernelError
from skverdict.runtime.machine.fault import Misuse
from skverdict.runtime.machine.memory import ADDRESS, INSTRUCTIONS, Region
from skverdict.runtime.machine.registers import UNWRITTEN
from skverdict.runtime.machine.run import MAX_TAIL_CALLS, HelperCall, LoadedProgram, Reference, Run
from skverdict.runtime.maps.program_array import ProgramArray

#: Takes a run; gives an address.
AddressFinder = Callable[[Run], int]
#: Takes a run and r1..r5; gives r0.
HelperCaller = Callable[[Run, Sequence[int]], int]
#: Takes a run and r1..r5; gives the program to go on in, None if there is none or tail calls were too many.
ProgramFinder = Callable[[Run, Sequence[int]], "LoadedProgram | None"]

#: Takes the address of an instruction; gives its slot.
SlotFinder = Callable[[int], int]

#: What ends the stack of a function.
TAIL_CALLED = "its function has made a tail call"


def address(region: Region, stands_for: object, offset: int = 0) -> AddressFinder:
    """Gives the address `offset` bytes into `region`, which is `stands_for`'s."""
    return lambda run: (run.memory.shared(stands_for, lambda: region) + offset) & ADDRESS


def table_jump(targets: Container[int]) -> SlotFinder:
    """Gives the slot of the instruction at an address, which is one of `targets`."""

    def find(address: int) -> int:
        slot = address - INSTRUCTIONS
        if slot not in targets:
            raise Misuse(f"gotox goes to {address:#x}, which no jump table of the function has")
        return slot

    return find


def helper_call(slot: int, helper: Helper, perform: HelperFunction, arguments: ArgumentsReader) -> HelperCaller:
    """A call of `helper` at `slot` with r1 to r5, which are checked and read; it gives r0."""
    name, void, moves = helper.name, helper.returns == "void", helper.moves_buffer
    why = f"{helper.name} at instruction {slot} may have moved it"
    released = [number for number, each in enumerate(helper.arguments) if each.name == helper.releases]
    calling = Reference(helper.name, slot)
    ends = [number for number in released if helper.arguments[number].kind == "socket"]
    gives = helper.acquires and helper.returns != "i64"
    make = tuple.__new__
    under_lock = helper.name in ("bpf_spin_lock", "bpf_spin_unlock")

    def call_helper(run: Run, registers: Sequence[int]) -> int:
        call = run.call
        if call.lock is not None and not under_lock:
            raise Misuse(f"{helper.name} is called while a spin lock is held")
        values = arguments(call, registers)
        if released:
            for number in released:
                run.release(registers[number], helper.name)
            for number in ends:
                run.memory.end(registers[number], f"{helper.name} at instruction {slot} has released it")
        run.calling = calling
        try:
            value = perform(call, *values) & ADDRESS
        except KernelError as error:
            value = -error.number & ADDRESS
        if moves:
            call.context_region.end_packet(why)
        if gives and value:
            run.calling = calling
            run.acquire(value)
        # As `HelperCall` makes one, but for the keywords that it looks for.
        run.calls.append(make(HelperCall, (name, tuple(values), None if void else value)))
        return UNWRITTEN[0] if void else value

    return call_helper


def tail_call(slot: int, helper: Helper, arguments: ArgumentsReader) -> ProgramFinder:
    """`bpf_tail_call` at `slot`."""
    why = f"{helper.name} at instruction {slot} may have moved it"

    def find(run: Run, registers: Sequence[int]) -> LoadedProgram | None:
        values = arguments(run.call, registers)
        run.check_references("makes a tail call")
        _, programs, index = values
        assert isinstance(programs, ProgramArray) and isinstance(index, int)
        run.calls.append(HelperCall(helper.name, tuple(values), None))
        run.call.context_region.end_packet(why)
        program = programs.program(index)
        if program is None or run.tail_calls == MAX_TAIL_CALLS:
            return None
        run.tail_calls += 1
        return program

    return find
