"""What a function of a program is written with: its variables, the shared memory, and what becomes of what cannot be
done here.

r0..r9 are variables, which LLVM keeps in registers; beside each of them stands a pointer (`%d0`...): for an address
that is known to lie in a map's value, the packet or a data section, where its bytes are. Variables too are what
changes with nearly every run (`_state`): it is put into the shared memory where somebody else may look at it, and
taken from there when that may have changed it. Whatever cannot be done here is done by Python, an instruction at a
time (`PERFORM`), and a run that nears the end of its budget is handed back to the interpreter with its registers.
"""

from __future__ import annotations

from collections.abc import Callable

from skverdict.runtime.machine.memory import ORIGIN, REGION_SHIFT
from skverdict.runtime.machine.run import MAX_LOOPS
from skverdict.runtime.machine.semantics import mask
from skverdict.runtime.native import layout
from skverdict.runtime.native.facts import Facts, Needs, marks_stack
from skverdict.runtime.native.graph import Function, Site, is_local_call
from skverdict.runtime.native.text import Writer
from skverdict.runtime.native.values import Pointer
from skverdict.runtime.native.written import helper_of, sets, uses

# What functions give before the variables of the run: r0, how they ended, and how many instructions that took.
VALUE, STATUS, SPENT, FIRST_VARIABLE = range(4)


class Body:
    """One function on its way into text."""

    #: The number of the region that the stack is, and what r10 holds.
    number = "%number"
    r10 = "%r10"

    def __init__(self, facts: Facts, function: Function, needs: Needs) -> None:
        self.facts = facts
        self.function = function
        self.needs = needs
        self.writer = Writer()
        self.cold: list[Callable[[], None]] = []
        self.swaps = facts.order == "big"
        self.behind = 0  # instructions of the block that are counted and not yet done
        begins_again = any(function.slot in block.successors for block in function.blocks.values())
        #: True if the budget is looked at once. Then the count begins with 0, so that it is known at each instruction.
        self.straight = len(function.checks) == 1 and not begins_again
        self.state = _state(needs)
        self.result = "{ " + ", ".join(["i64"] * (FIRST_VARIABLE + len(self.state))) + " }"

    def _variables(self) -> None:
        writer = self.writer
        for number in range(10):
            writer.add(f"%r{number} = alloca i64")
            writer.add(f"%d{number} = alloca ptr")
        for offset in self._spilled():
            writer.add(f"%s{offset} = alloca ptr")
        for name in ("left", "slot", "extra", "writable", "scan", *self.state):
            writer.add(f"%{name} = alloca i64")

    def _open_frame(self) -> None:
        """What a frame begins with, and the count."""
        writer = self.writer
        writer.add(f"store i64 {0 if self.straight else '%budget'}, ptr %left")
        if marks_stack(self.facts, self.function):
            unwritten = writer.at("%frame", layout.FRAME_UNWRITTEN)
            writer.add(f"store <8 x i64> splat (i64 -1), ptr {unwritten}, align 8")
        if any(site.operation.family == "may_goto" for site in self._sites()):
            writer.store(MAX_LOOPS, writer.at("%frame", layout.FRAME_LOOPS))

    def _sites(self) -> list[Site]:
        return [site for block in self.function.blocks.values() for site in block.sites]

    def _spilled(self) -> list[int]:
        """Offsets into the stack at which pointers may be kept."""
        offsets = set()
        for site in self._sites():
            access = self.facts.proof.accesses.get(site.slot)
            if access is not None and access.base == "stack" and access.offset is not None:
                offsets.add(access.offset)
        return sorted(offsets)

    # Shared memory, registers, distances

    def _shared(self, offset: int) -> str:
        return self.writer.load(self.writer.at("%s", offset))

    def _set_shared(self, offset: int, value: str | int) -> None:
        self.writer.store(value, self.writer.at("%s", offset))

    def _row(self, offset: int) -> str:
        return self.writer.load(self.writer.at("%row", offset))

    def _variable(self, name: str) -> str:
        return self.writer.value(f"load i64, ptr %{name}")

    def _set_variable(self, name: str, value: str | int) -> None:
        self.writer.add(f"store i64 {value}, ptr %{name}")

    def _get(self, register: int) -> str:
        return self.r10 if register == 10 else self._variable(f"r{register}")

    def _put(self, register: int, value: str | int) -> None:
        self._set_variable(f"r{register}", value)

    def _low(self, register: int, bits: int) -> str:
        return self.writer.resized(self._get(register), 64, bits)

    def _operand(self, site: Site, bits: int) -> str:
        if site.operation.source == "reg":
            return self._low(site.instruction.src, bits)
        return str(site.instruction.imm & mask(bits))

    def _keep_pointer(self, source: str, to: str) -> None:
        self.writer.add(f"store ptr {self.writer.value(f'load ptr, ptr {source}')}, ptr {to}")

    def _has_pointer(self, site: Site, register: int) -> bool:
        """True if it is known in which memory of the run a register's address lies."""
        value = self.facts.proof.before[site.slot].value(register)
        return isinstance(value, Pointer) and value.base in ("value", "packet", "data")

    def _point(self, register: int, bytes_at: str, offset: int | str = 0) -> None:
        """Let a register's pointer be `offset` bytes behind a place that is known as a number."""
        place = self.writer.at(self.writer.value(f"inttoptr i64 {bytes_at} to ptr"), offset)
        self.writer.add(f"store ptr {place}, ptr %d{register}")

    def _placed(self, name: str) -> str:
        """The address that is kept in a variable, which is taken now if it was not before."""
        writer = self.writer
        known, last = self._variable(name), self._variable("last")
        new = writer.value(f"icmp eq i64 {known}, 0")
        number = writer.value(f"add i64 {last}, 1")
        self._set_variable("last", writer.value(f"select i1 {new}, i64 {number}, i64 {last}"))
        address = writer.value(f"select i1 {new}, i64 {self._address_of(number)}, i64 {known}")
        self._set_variable(name, address)
        return address

    def _address_of(self, number: str) -> str:
        shifted = self.writer.value(f"shl i64 {number}, {REGION_SHIFT}")
        return self.writer.value(f"or i64 {shifted}, {ORIGIN}")

    def _from_memory(self, value: str, size: int) -> str:
        return self.writer.swapped(value, 8 * size) if self.swaps else value

    def _show_state(self) -> None:
        """Put the variables of the run where others see them."""
        self._set_shared(layout.ROW, self.writer.value("ptrtoint ptr %row to i64"))
        for name, offset in self.state.items():
            self._set_shared(offset, self._variable(name))

    def _take_state(self) -> None:
        for name, offset in self.state.items():
            self._set_variable(name, self._shared(offset))

    # Ends

    def _left(self) -> str:
        """What is left of the budget."""
        left = self._variable("left")
        return self.writer.value(f"add i64 {left}, %budget") if self.straight else left

    def _spent(self) -> str:
        """How many instructions the function has done so far."""
        return self.writer.value(f"sub i64 {0 if self.straight else '%budget'}, {self._variable('left')}")

    def _give_registers(self, slot: str) -> None:
        """Leave the registers to the interpreter, which goes on at `slot` and knows which of them count."""
        writer = self.writer
        for number in range(10):
            place = writer.at("%frame", layout.FRAME_REGISTERS + layout.WORD * number)
            writer.store(self._get(number), place)
        writer.store(slot, writer.at("%frame", layout.FRAME_SLOT))

    def _hand_back(self, slot: int, extra: int) -> str:
        """The label of a block that lets the interpreter go on at `slot`; `extra` instructions were counted
        and are not done."""
        label = self.writer.label()

        def write() -> None:
            self.writer.begin(label)
            self._set_variable("slot", slot)
            self._set_variable("extra", extra)
            self.writer.add("br label %hand_back")

        self.cold.append(write)
        return label

    # What Python does

    def _otherwise_perform(self, site: Site, condition: str) -> str:
        """Go on if the condition holds, and let Python do the instruction if not; the label at which both ways
        meet."""
        go_on, done = self.writer.label(), self.writer.label()
        self.writer.branch(condition, go_on, self._python_instead(site, done), "usual")
        self.writer.begin(go_on)
        return done

    def _python_instead(self, site: Site, done: str) -> str:
        """The label of a block that lets Python do the instruction and goes on at `done`."""
        label = self.writer.label()

        def write() -> None:
            self.writer.begin(label)
            self._perform(site)
            self.writer.add(f"br label %{done}")

        self.cold.append(write)
        return label

    def _end_reach(self, done: str) -> None:
        if done:
            self.writer.add(f"br label %{done}")
            self.writer.begin(done)

    def _perform(self, site: Site) -> None:
        """Let Python do an instruction."""
        writer = self.writer
        always = self.facts.registers.before[site.slot].always
        for place, register in enumerate(range(1, 6) if helper_of(site) else uses(site)):
            if always >> register & 1:
                self._set_shared(layout.OPERANDS + layout.WORD * place, self._get(register))
        self._show_state()
        uncounted = site.slot in self.facts.uncounted
        if uncounted:
            self._set_shared(layout.LEFT, self._left())
        perform = writer.value(f"inttoptr i64 {self._shared(layout.PERFORM)} to ptr")
        stopped = writer.value(f"call i32 {perform}(ptr %s, i32 {site.slot}, ptr %frame)")
        go_on = writer.label()
        writer.branch(writer.value(f"icmp eq i32 {stopped}, 0"), go_on, "stop", "usual")
        writer.begin(go_on)
        self._take_state()
        if uncounted:
            self._set_variable("left", self._shared(layout.LEFT))
        result = sets(site)
        if result is not None and not is_local_call(site):
            self._put(result, self._shared(layout.VALUE))
            if site.slot in self.facts.proof.lookups:
                self._point(0, self._get(0), self._shared(layout.DELTA))


def _state(needs: Needs) -> dict[str, int]:
    """The variables that change with nearly every run, each with its place in the shared memory."""
    state = {"last": layout.LAST_REGION}
    if needs.packet:
        state["packet"] = layout.PACKET
    for place in range(len(needs.addresses)):
        state[f"address{place}"] = layout.ADDRESSES + place * layout.WORD
    if needs.notes:
        state |= {"calls": layout.CALL_COUNT, "given": layout.GIVEN_COUNT}
    return state
