"""What the instructions of a program call: helpers, and what gives the addresses of things."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence

from skverdict.dsl.catalogue.helpers import INT_ON_6_1, Helper
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

_INT = 0xFFFFFFFF

_LOCKING = ("bpf_spin_lock", "bpf_spin_unlock")
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
    if helper.name in _LOCKING or helper.releases or helper.acquires or helper.moves_buffer or helper.returns == "void":
        return _full_call(slot, helper, perform, arguments)
    return _plain_call(slot, helper, perform, arguments) if helper.arguments else _bare_call(helper, perform)


def _bare_call(helper: Helper, perform: HelperFunction) -> HelperCaller:
    """A call of a helper that takes nothing and only gives a number, often the same as before."""
    name, make = helper.name, tuple.__new__
    last = HelperCall(name, (), 0)

    def call_helper(run: Run, registers: Sequence[int]) -> int:
        nonlocal last
        call = run.call
        if call.lock is not None:
            raise _locked(name)
        try:
            value = perform(call) & ADDRESS
        except KernelError as error:
            value = -error.number & ADDRESS
        if value != last[2]:
            # As `HelperCall` makes one, but for the keywords that it looks for.
            last = make(HelperCall, (name, (), value))
        run.calls.append(last)
        return value

    return call_helper


def _plain_call(slot: int, helper: Helper, perform: HelperFunction, arguments: ArgumentsReader) -> HelperCaller:
    """A call of a helper that gives a number, or an address; of a socket in a map only a lookup does."""
    name, make, on_61 = helper.name, tuple.__new__, _INT if helper.name in INT_ON_6_1 else ADDRESS
    calling = Reference(helper.name, slot)

    def call_helper(run: Run, registers: Sequence[int]) -> int:
        call = run.call
        if call.lock is not None:
            raise _locked(name)
        values = arguments(call, registers)
        run.calling = calling
        try:
            value = perform(call, *values) & ADDRESS
        except KernelError as error:
            value = -error.number & (on_61 if call.environment.kernel == "6.1" else ADDRESS)
        run.calls.append(make(HelperCall, (name, tuple(values), value)))
        return value

    return call_helper


def _full_call(slot: int, helper: Helper, perform: HelperFunction, arguments: ArgumentsReader) -> HelperCaller:
    """A call of a helper that locks, takes references or gives them, moves the packet, or gives nothing."""
    name, void, moves = helper.name, helper.returns == "void", helper.moves_buffer
    why = f"{helper.name} at instruction {slot} may have moved it"
    released = [number for number, each in enumerate(helper.arguments) if each.name == helper.releases]
    calling = Reference(helper.name, slot)
    ends = [number for number in released if helper.arguments[number].kind == "socket"]
    gives = helper.acquires and helper.returns != "i64"
    make = tuple.__new__
    under_lock = helper.name in _LOCKING

    def call_helper(run: Run, registers: Sequence[int]) -> int:
        call = run.call
        if call.lock is not None and not under_lock:
            raise _locked(name)
        values = arguments(call, registers)
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
        run.calls.append(make(HelperCall, (name, tuple(values), None if void else value)))
        return UNWRITTEN[0] if void else value

    return call_helper


def _locked(name: str) -> Misuse:
    return Misuse(f"{name} is called while a spin lock is held")


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
