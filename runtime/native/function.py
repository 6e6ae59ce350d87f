"""One function of a program as text in LLVM's assembly language.

r0..r9 are variables, which LLVM keeps in registers; beside each of them stands a pointer (`%d0`...): for an address
that is known to lie in a map's value, the packet or a data section, where its bytes are. Variables too are what
changes with nearly every run (`_State`): it is put into the shared memory where somebody else may look at it, and
taken from there when that may have changed it. Whatever cannot be done here is done by Python, an instruction at a
time (`PERFORM`), and a run that nears the end of its budget is handed back to the interpreter with its registers.

The program's own function is a loop over rows of runs, which it does one after the other until one of them needs
Python to end it. Every other function is called by those above it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from skverdict.runtime.machine.memory import ADDRESS, OFFSET_BITS, ORIGIN, REGION_SHIFT, STACK_SIZE, address_of
from skverdict.runtime.machine.run import MAX_LOOPS
from skverdict.runtime.machine.semantics import mask
from skverdict.runtime.native import entries, layout
from skverdict.runtime.native.facts import Facts, Needs, Redirect, leads, marked, marks_stack, named_address
from skverdict.runtime.native.graph import Block, Function, Site, is_local_call
from skverdict.runtime.native.proof import Access, Lookup
from skverdict.runtime.native.text import CONDITIONS, OPERATIONS, Writer, conversion
from skverdict.runtime.native.values import Pointer
from skverdict.runtime.native.written import helper_of, sets, uses

#: The function that runs the program: from the shared memory, the first frame, rows of `layout` and their number to
#: how many of these it did.
ENTRY = "enter"

# What functions give before the variables of the run: r0, how they ended, and how many instructions that took.
_VALUE, _STATUS, _SPENT, _FIRST_VARIABLE = range(4)
_CONTEXT = address_of(1)
_ARRAYS = ("array", "percpu_array")


class _Function:
    """One function on its way into text: what the program's own and the others have in common."""

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
        self.result = "{ " + ", ".join(["i64"] * (_FIRST_VARIABLE + len(self.state))) + " }"

    def text(self) -> str:
        """The whole of it."""
        self._begin()
        for block in self.function.blocks.values():
            self._block(block)
        while self.cold:
            self.cold.pop()()
        self._end()
        self.writer.lines.append("}")
        return "\n".join(self.writer.lines)

    def _begin(self) -> None:
        raise NotImplementedError

    def _exit(self, site: Site) -> None:
        """The end of the function."""
        raise NotImplementedError

    def _leave(self, end: int | str) -> None:
        """End the function before that."""
        raise NotImplementedError

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

    def _keep_pointer(self, source: str, to: str) -> None:
        self.writer.add(f"store ptr {self.writer.value(f'load ptr, ptr {source}')}, ptr {to}")

    def _has_pointer(self, site: Site, register: int) -> bool:
        """True if it is known in which memory of the run a register's address lies."""
        value = self.facts.proof.before[site.slot].value(register)
        return isinstance(value, Pointer) and value.base in ("value", "packet", "data")

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

    def _end(self) -> None:
        """The ends that all of the function shares."""
        writer = self.writer
        writer.begin("hand_back")
        self._set_shared(layout.LEFT, writer.value(f"add i64 {self._left()}, {self._variable('extra')}"))
        self._show_state()
        self._give_registers(self._variable("slot"))
        self._set_shared(layout.INNERMOST, writer.value("ptrtoint ptr %frame to i64"))
        self._leave(layout.HANDED_BACK)
        writer.begin("stop")
        self._leave(layout.STOPPED)
        if any(is_local_call(site) or site.slot in self.facts.loops for site in self._sites()):
            writer.begin("unwind")
            self._give_registers(self._variable("slot"))
            self._leave(self._variable("extra"))

    # Blocks

    def _block(self, block: Block) -> None:
        writer = self.writer
        writer.begin(f"b{block.slot}")
        if block.slot not in self.facts.proof.before:
            # Nothing comes here; were it to, the interpreter would know what to do.
            writer.add(f"br label %{self._hand_back(block.slot, 0)}")
            return
        self._count(block)
        self.behind = len(block.sites)
        for site in block.sites:
            if site.slot in self.facts.handed_back:
                writer.add(f"br label %{self._hand_back(site.slot, self.behind)}")
                return
            self.behind -= 1
            self._site(site)
        if len(block.successors) == 1 and block.sites[-1].operation.family != "goto":
            writer.add(f"br label %b{block.successors[0]}")

    def _count(self, block: Block) -> None:
        """Count the block's instructions, once there is budget enough for them and all up to the next check."""
        writer, need = self.writer, self.function.checks.get(block.slot)
        left, spent = self._variable("left"), len(block.sites)
        if need is not None:
            # The very number that is kept is compared with 0, where it can be: that is one instruction.
            least = writer.value(f"sub i64 {'%budget' if self.straight else left}, {need}")
            go_on = writer.label()
            short = writer.value(f"icmp slt i64 {least}, 0")
            writer.branch(short, self._hand_back(block.slot, 0), go_on, "rare")
            writer.begin(go_on)
            if not self.straight:
                left, spent = least, spent - need
        self._set_variable("left", writer.value(f"sub i64 {left}, {spent}"))

    def _site(self, site: Site) -> None:
        _WRITERS[site.operation.family](self, site)

    # What computes

    def _operand(self, site: Site, bits: int) -> str:
        if site.operation.source == "reg":
            return self._low(site.instruction.src, bits)
        return str(site.instruction.imm & mask(bits))

    def _alu(self, site: Site) -> None:
        name, bits, dst = site.operation.name, site.operation.bits, site.instruction.dst
        writer = self.writer
        right = "" if name == "neg" else self._operand(site, bits)
        if name == "mov":
            result = right
        elif name.startswith("movsx"):
            source = int(name[5:])
            result = writer.resized(writer.resized(right, bits, source), source, bits, signed=True)
        elif name == "neg":
            result = writer.value(f"sub i{bits} 0, {self._low(dst, bits)}")
        else:
            result = OPERATIONS[name](writer, self._low(dst, bits), right, bits)
        if bits == 64 and name in ("mov", "add", "sub"):
            self._follow(site)
        self._put(dst, writer.resized(result, bits, 64))

    def _follow(self, site: Site) -> None:
        """Let the pointer of an address follow when it is copied or changed by a number."""
        writer, name, dst, src = self.writer, site.operation.name, site.instruction.dst, site.instruction.src
        from_register = site.operation.source == "reg"
        if name == "mov":
            if from_register and self._has_pointer(site, src):
                self._keep_pointer(f"%d{src}", f"%d{dst}")
            return
        pointer = src if from_register and self._has_pointer(site, src) else dst
        if not self._has_pointer(site, pointer):
            return
        by = self._get(dst if pointer == src and from_register and src != dst else src) if from_register else (
            str(site.instruction.imm)
        )
        if name == "sub":
            by = writer.value(f"sub i64 0, {by}")
        moved = writer.at(writer.value(f"load ptr, ptr %d{pointer}"), by)
        writer.add(f"store ptr {moved}, ptr %d{dst}")

    def _byte_order(self, site: Site) -> None:
        bits, swaps = conversion(site.operation.name, self.facts.order)
        value = self._low(site.instruction.dst, bits)
        if swaps:
            value = self.writer.swapped(value, bits)
        self._put(site.instruction.dst, self.writer.resized(value, bits, 64))

    def _constant(self, site: Site) -> None:
        named = named_address(self.facts, site)
        if named is not None and named in self.needs.addresses:
            self._address(site, self.needs.addresses.index(named))
        elif named is None and site.operation.name == "value":
            self._put(site.instruction.dst, site.instruction.imm)
        else:
            self._perform(site)

    def _address(self, site: Site, place: int) -> None:
        """Load the address of a map, or of something in a data section."""
        data, dst = self.facts.program.data.get(site.slot), site.instruction.dst
        address = self._placed(f"address{place}")
        if data is not None:
            address = self.writer.value(f"add i64 {address}, {data.offset}")
            self._point(dst, self._shared(layout.BYTES + place * layout.WORD), data.offset)
        self._put(dst, address)

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

    # What jumps

    def _jump(self, site: Site) -> None:
        writer, name, bits = self.writer, site.operation.name, site.operation.bits
        if site.target == site.next:
            return
        left, right = self._low(site.instruction.dst, bits), self._operand(site, bits)
        if name == "jset":
            both = writer.value(f"and i{bits} {left}, {right}")
            holds = writer.value(f"icmp ne i{bits} {both}, 0")
        else:
            holds = writer.value(f"icmp {CONDITIONS[name]} i{bits} {left}, {right}")
        writer.branch(holds, f"b{site.target}", f"b{site.next}")

    def _goto(self, site: Site) -> None:
        self.writer.add(f"br label %b{site.target}")

    def _may_goto(self, site: Site) -> None:
        writer = self.writer
        place = writer.at("%frame", layout.FRAME_LOOPS)
        loops = writer.load(place)
        if site.target == site.next:
            less = writer.value(f"call i64 @llvm.usub.sat.i64(i64 {loops}, i64 1)")
            writer.store(less, place)
            return
        go_on = writer.label()
        writer.branch(writer.value(f"icmp eq i64 {loops}, 0"), f"b{site.target}", go_on, "rare")
        writer.begin(go_on)
        writer.store(writer.value(f"sub i64 {loops}, 1"), place)
        writer.add(f"br label %b{site.next}")

    # What touches memory

    def _load(self, site: Site) -> None:
        access = self.facts.proof.accesses[site.slot]
        size, signed_ = site.operation.size, site.operation.signed
        if access.base == "context":
            self._field(site, access)
            return
        way = "read" if site.operation.family == "load" else "atomic"
        place, done = self._reach(site, access, site.instruction.src, way)
        value = self._from_memory(self.writer.load(place, 8 * size), size)
        self._put(site.instruction.dst, self.writer.resized(value, 8 * size, 64, signed_))
        if access.base == "stack" and access.offset is not None and size == 8:
            spilled = self.facts.proof.before[site.slot].spills.get(access.offset)
            if isinstance(spilled, Pointer) and spilled.base in ("value", "packet", "data"):
                self._keep_pointer(f"%s{access.offset}", f"%d{site.instruction.dst}")
        self._end_reach(done)

    def _from_memory(self, value: str, size: int) -> str:
        return self.writer.swapped(value, 8 * size) if self.swaps else value

    def _field(self, site: Site, access: Access) -> None:
        """A load from the context."""
        size, dst = site.operation.size, site.instruction.dst
        assert access.offset is not None
        field = (access.offset, size)
        where = leads(self.facts, site, field)
        if where is not None:
            address = self._placed("packet")
            if where == "packet":
                self._point(dst, self._row(layout.ROW_PACKET))
                self._set_variable("writable", self._row(layout.ROW_WRITABLE))
            else:
                address = self.writer.value(f"add i64 {address}, {self._row(layout.ROW_LENGTH)}")
            self._put(dst, address)
            return
        if field not in self.needs.fields:
            self._perform(site)
            return
        value = self._row(layout.ROW_FIELDS + layout.WORD * self.needs.fields.index(field))
        if site.operation.signed:
            value = self.writer.resized(self.writer.resized(value, 64, 8 * size), 8 * size, 64, signed=True)
        self._put(dst, value)

    def _store(self, site: Site) -> None:
        access = self.facts.proof.accesses[site.slot]
        writer, size = self.writer, site.operation.size
        way = "write" if site.operation.family == "store" else "atomic"
        place, done = self._reach(site, access, site.instruction.dst, way)
        value = self._from_memory(self._operand(site, 8 * size), size)
        writer.store(value, place, 8 * size)
        if access.base == "stack" and access.offset is not None and self._stores_pointer(site):
            self._keep_pointer(f"%d{site.instruction.src}", f"%s{access.offset}")
        self._end_reach(done)

    def _stores_pointer(self, site: Site) -> bool:
        """True if an address with a pointer is stored whole."""
        whole = site.operation.size == 8 and site.operation.source == "reg"
        return whole and self._has_pointer(site, site.instruction.src)

    def _atomic(self, site: Site) -> None:
        access = self.facts.proof.accesses[site.slot]
        writer, size, name = self.writer, site.operation.size, site.operation.name
        bits = 8 * size
        place, done = self._reach(site, access, site.instruction.dst, "atomic")
        old = self._from_memory(writer.load(place, bits), size)
        operand = self._low(site.instruction.src, bits)
        if name == "cmpxchg":
            same = writer.value(f"icmp eq i{bits} {old}, {self._low(0, bits)}")
            new = writer.value(f"select i1 {same}, i{bits} {operand}, i{bits} {old}")
        else:
            new = OPERATIONS[name](writer, old, operand, bits)
        writer.store(self._from_memory(new, size), place, bits)
        register = sets(site)
        if register is not None:
            self._put(register, writer.resized(old, bits, 64))
        self._end_reach(done)

    def _reach(self, site: Site, access: Access, register: int, way: str) -> tuple[str, str]:
        """Where the bytes are that an instruction touches; and the label at which it is done, where Python may
        have had to do it, or nothing."""
        writer, size = self.writer, site.operation.size
        if access.base == "stack":
            return self._reach_stack(site, access, register, way)
        if access.base:
            done = ""
            if access.base == "packet" and way != "read":
                done = self._otherwise_perform(site, writer.value(f"icmp ne i64 {self._variable('writable')}, 0"))
            return writer.at(writer.value(f"load ptr, ptr %d{register}"), site.instruction.offset), done
        address = self._get(register)
        if site.instruction.offset:
            address = writer.value(f"add i64 {address}, {site.instruction.offset}")
        found = writer.value(f"call fastcc ptr @reach_{way}(ptr %s, i64 {address}, i64 {size})")
        there = writer.value(f"icmp ne ptr {found}, null")
        return found, self._otherwise_perform(site, there)

    def _reach_stack(self, site: Site, access: Access, register: int, way: str) -> tuple[str, str]:
        writer, size, state = self.writer, site.operation.size, self.facts.proof.before[site.slot]
        if access.offset is None:
            moved = writer.value(f"add i64 {self._get(register)}, {site.instruction.offset - ORIGIN & ADDRESS}")
            offset: int | str = writer.value(f"and i64 {moved}, {OFFSET_BITS}")
        else:
            offset = access.offset
        place = writer.at("%frame", offset)
        if access.written:
            return place, ""
        if access.offset is None:
            return place, self._mark_anywhere(site, str(offset), way)
        if way == "read":
            missing = self._unwritten(mask(size) << access.offset & ~state.always)
            there = writer.value(f"icmp eq i64 {missing}, 0")
            return place, self._otherwise_perform(site, there)
        self._note_written(marked(self.facts, self.function, site))
        return place, ""

    def _unwritten(self, touched: int) -> str:
        """Which of some bytes of the stack, all within eight, were not written."""
        first = (touched & -touched).bit_length() - 1 >> 3
        bits = self.writer.load(self.writer.at("%frame", layout.FRAME_UNWRITTEN + first), 16)
        missing = self.writer.value(f"and i16 {bits}, {touched >> 8 * first}")
        return self.writer.resized(missing, 16, 64)

    def _note_written(self, touched: int) -> None:
        if touched:
            first = (touched & -touched).bit_length() - 1 >> 3
            place = self.writer.at("%frame", layout.FRAME_UNWRITTEN + first)
            bits = self.writer.load(place, 16)
            left = self.writer.value(f"and i16 {bits}, {mask(16) & ~(touched >> 8 * first)}")
            self.writer.store(left, place, 16)

    def _mark_anywhere(self, site: Site, offset: str, way: str) -> str:
        """As for a place that is known, where it is not."""
        writer, ones = self.writer, mask(site.operation.size)
        byte = writer.value(f"lshr i64 {offset}, 3")
        place = writer.at(writer.at("%frame", layout.FRAME_UNWRITTEN), byte)
        bits = writer.load(place, 16)
        by = writer.resized(writer.value(f"and i64 {offset}, 7"), 64, 16)
        touched = writer.value(f"shl i16 {ones}, {by}")
        if way == "read":
            missing = writer.value(f"and i16 {bits}, {touched}")
            return self._otherwise_perform(site, writer.value(f"icmp eq i16 {missing}, 0"))
        left = writer.value(f"and i16 {bits}, {writer.value(f'xor i16 {touched}, -1')}")
        writer.store(left, place, 16)
        return ""

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

    def _call(self, site: Site) -> None:
        lookup = self.facts.proof.lookups.get(site.slot)
        if is_local_call(site):
            self._local_call(site)
        elif lookup is not None and lookup.name in self.needs.tables:
            self._lookup(site, lookup)
        elif site.slot in self.facts.redirects:
            self._redirect(site)
        elif site.slot in self.facts.loops:
            self._loop(site)
        else:
            self._perform(site)

    def _lookup(self, site: Site, lookup: Lookup) -> None:
        """Look up an entry of a map, whose value gets an address if it has none in this run yet."""
        writer = self.writer
        table = layout.TABLES + layout.WORD * self.needs.tables.index(lookup.name)
        there, known, new, give, found, done = (writer.label() for _ in range(6))
        count = self._variable("calls")
        python = self._python_instead(site, done)
        room = writer.label()
        writer.branch(writer.value(f"icmp ult i64 {count}, {layout.MAX_CALLS}"), room, python, "usual")
        writer.begin(room)
        self._put(0, 0)
        self._point(0, "0")
        find = self._index if self.facts.tables[lookup.name].kind in _ARRAYS else self._key
        place, entry = find(lookup, self._shared(table), there, found, python)
        run_at, address_at = writer.at(entry, entries.RUN), writer.at(entry, entries.ADDRESS)
        bytes_at = writer.load(writer.at(entry, entries.BYTES))
        writer.branch(writer.value(f"icmp eq i64 {writer.load(run_at)}, %run"), known, new)
        writer.begin(known)
        self._put(0, writer.load(address_at))
        self._point(0, bytes_at)
        writer.add(f"br label %{found}")

        writer.begin(new)
        given = self._variable("given")
        seen = writer.value(f"icmp ne i64 {bytes_at}, 0")
        fits = writer.value(f"icmp ult i64 {given}, {layout.MAX_GIVEN}")
        writer.branch(writer.value(f"and i1 {seen}, {fits}"), give, python, "usual")
        writer.begin(give)
        number = writer.value(f"add i64 {self._variable('last')}, 1")
        address = self._address_of(number)
        self._set_variable("last", number)
        writer.store("%run", run_at)
        writer.store(address, address_at)
        self._note(layout.GIVEN, given, layout.GIVEN_SIZE, (table, place, address))
        self._set_variable("given", writer.value(f"add i64 {given}, 1"))
        self._put(0, address)
        self._point(0, bytes_at)
        writer.add(f"br label %{found}")

        writer.begin(found)
        call = writer.value(f"or i64 {place}, {site.slot << 32}")
        self._note(layout.CALLS, count, layout.CALL_SIZE, (call, self._get(0)))
        self._set_variable("calls", writer.value(f"add i64 {count}, 1"))
        self._end_reach(done)

    def _index(self, lookup: Lookup, table: str, there: str, found: str, python: str) -> tuple[str, str]:
        """Begin `there` with the entry that an array has at an index, or go to `found` if that is past its end; the
        index and the entry."""
        writer, traits = self.writer, self.facts.tables[lookup.name]
        key = self._from_memory(writer.load(writer.at("%frame", lookup.offset), 32), 4)
        index = writer.resized(key, 32, 64)
        inside = writer.value(f"icmp ult i64 {index}, {traits.max_entries}")
        # Python knows whether the map has anything for the CPU at all.
        writer.branch(inside, there, python if traits.kind == "percpu_array" else found)
        writer.begin(there)
        rows = writer.value(f"inttoptr i64 {table} to ptr")
        return index, writer.at(rows, writer.value(f"mul i64 {index}, {entries.SIZE}"))

    def _key(self, lookup: Lookup, table: str, there: str, found: str, python: str) -> tuple[str, str]:
        """Likewise for a hash and the place of a key: to `found` if it is known that the map has no such key, to
        `python` if nothing is known."""
        writer, traits = self.writer, self.facts.tables[lookup.name]
        known = writer.label()
        rows, key = writer.value(f"inttoptr i64 {table} to ptr"), writer.at("%frame", lookup.offset)
        shift = 64 - entries.hashed_bits(traits.max_entries)
        entry = writer.value(f"call fastcc ptr @find_{traits.key_size}(ptr {rows}, ptr {key}, i64 {shift})")
        writer.branch(writer.value(f"icmp eq ptr {entry}, null"), python, known, "rare")
        writer.begin(known)
        place = writer.load(writer.at(entry, entries.PLACE))
        state = writer.load(writer.at(entry, entries.STATE))
        writer.branch(writer.value(f"icmp eq i64 {state}, {entries.ABSENT}"), found, there)
        writer.begin(there)
        return place, entry

    def _redirect(self, site: Site) -> None:
        """Note a redirect, which succeeds where the map has a socket that takes one."""
        writer, redirect = self.writer, self.facts.redirects[site.slot]
        go_on, noted, done = (writer.label() for _ in range(3))
        flags, count = self._get(4), self._variable("calls")
        python = self._python_instead(site, done)
        room = writer.value(f"icmp ult i64 {count}, {layout.MAX_CALLS}")
        known = writer.value(f"icmp ult i64 {flags}, 2")
        writer.branch(writer.value(f"and i1 {room}, {known}"), go_on, python, "usual")
        writer.begin(go_on)
        targets = writer.value(f"inttoptr i64 {self._shared(layout.TARGETS)} to ptr")
        if redirect.key_offset is None:
            place = self._target_at(redirect, targets, noted)
        else:
            place = self._target_of_key(redirect, redirect.key_offset, targets, noted, python)
        writer.begin(noted)
        call = writer.value(f"or i64 {place}, {site.slot << 32}")
        result = writer.value(f"or i64 {self._get(0)}, {writer.value(f'shl i64 {flags}, 32')}")
        self._note(layout.CALLS, count, layout.CALL_SIZE, (call, result))
        self._set_variable("calls", writer.value(f"add i64 {count}, 1"))
        self._end_reach(done)

    def _target_at(self, redirect: Redirect, targets: str, noted: str) -> str:
        """Have r0 tell whether there is a target at an index, which this gives, and go to `noted`."""
        writer, there = self.writer, self.writer.label()
        place = writer.resized(self._low(3, 32), 32, 64)
        self._put(0, 0)
        writer.branch(writer.value(f"icmp ult i64 {place}, {redirect.entries}"), there, noted)
        writer.begin(there)
        self._put(0, writer.resized(writer.load(writer.at(targets, place), 8), 8, 64))
        writer.add(f"br label %{noted}")
        return place

    def _target_of_key(self, redirect: Redirect, offset: int, targets: str, noted: str, python: str) -> str:
        """Likewise for the key at `offset` in the stack and its place among the keys that there are; to Python for
        others."""
        writer = self.writer
        look, compare, following, found = (writer.label() for _ in range(4))
        parts = entries.parts_of_key(redirect.key_size)
        key = [writer.load(writer.at("%frame", offset + at), 8 * size) for at, size in parts]
        size = layout.TARGET_KEY + -(-redirect.key_size // layout.WORD) * layout.WORD
        count, rows = writer.load(targets), writer.at(targets, layout.WORD)
        self._set_variable("scan", 0)
        writer.add(f"br label %{look}")
        writer.begin(look)
        place = self._variable("scan")
        writer.branch(writer.value(f"icmp ult i64 {place}, {count}"), compare, python)
        writer.begin(compare)
        entry = writer.at(rows, writer.value(f"mul i64 {place}, {size}"))
        same = "true"
        for (at, bytes_), part in zip(parts, key, strict=True):
            other = writer.load(writer.at(entry, layout.TARGET_KEY + at), 8 * bytes_)
            same = writer.value(f"and i1 {same}, {writer.value(f'icmp eq i{8 * bytes_} {other}, {part}')}")
        writer.branch(same, found, following)
        writer.begin(following)
        self._set_variable("scan", writer.value(f"add i64 {place}, 1"))
        writer.add(f"br label %{look}")
        writer.begin(found)
        self._put(0, writer.load(entry))
        writer.add(f"br label %{noted}")
        return place

    def _note(self, where: int, count: str, size: int, numbers: tuple[str | int, ...]) -> None:
        """Write a row into a list of shared memory that has so many."""
        writer = self.writer
        rows = writer.value(f"inttoptr i64 {self._shared(where)} to ptr")
        row = writer.at(rows, writer.value(f"mul i64 {count}, {size}"))
        for place, number in enumerate(numbers):
            writer.store(number, writer.at(row, place * layout.WORD))

    def _local_call(self, site: Site) -> None:
        writer = self.writer
        writer.store(site.slot, writer.at("%frame", layout.FRAME_SLOT))
        enter, full = writer.label(), writer.label()
        frame = self._frame_behind()
        writer.branch(self._has_room(frame), enter, full, "usual")

        def write() -> None:
            writer.begin(full)
            self._perform(site)
            writer.add("unreachable")

        self.cold.append(write)
        writer.begin(enter)
        always = self.facts.registers.before[site.slot].always
        arguments = [self._get(register) if always >> register & 1 else "0" for register in range(1, 6)]
        self._put(0, self._enter(site, frame, arguments))

    def _frame_behind(self) -> str:
        """The frame of a function that is called here."""
        return self.writer.at("%frame", layout.FRAME_SIZE)

    def _has_room(self, frame: str) -> str:
        """Whether there is room for a frame."""
        end = self.writer.value(f"inttoptr i64 {self._shared(layout.FRAMES_END)} to ptr")
        return self.writer.value(f"icmp ult ptr {frame}, {end}")

    def _enter(self, site: Site, frame: str, arguments: Sequence[str]) -> str:
        """Call a function of the program, and go on where it returns; what it gives."""
        writer = self.writer
        number = writer.value(f"add i64 {self._variable('last')}, 1")
        self._set_variable("last", number)
        values = (number, self._left(), *arguments, *map(self._variable, self.state))
        given = ", ".join(f"i64 {value}" for value in values)
        result = writer.value(f"call fastcc {self.result} @f{site.target}(ptr %s, ptr {frame}, ptr %row, {given})")

        def part(place: int) -> str:
            return writer.value(f"extractvalue {self.result} {result}, {place}")

        status = part(_STATUS)
        returned, ended = writer.label(), writer.label()
        writer.branch(writer.value(f"icmp eq i64 {status}, {layout.RETURNED}"), returned, ended, "usual")

        def unwind() -> None:
            writer.begin(ended)
            self._set_variable("slot", site.slot)
            self._set_variable("extra", status)
            writer.add("br label %unwind")

        self.cold.append(unwind)
        writer.begin(returned)
        for place, name in enumerate(self.state, _FIRST_VARIABLE):
            self._set_variable(name, part(place))
        self._set_variable("left", writer.value(f"sub i64 {self._variable('left')}, {part(_SPENT)}"))
        return part(_VALUE)

    def _loop(self, site: Site) -> None:
        """Call a function until it gives other than zero, at most so many times."""
        writer = self.writer
        begin, look, again, over, done = (writer.label() for _ in range(5))
        python = self._python_instead(site, done)
        rounds, context = writer.resized(self._low(1, 32), 32, 64), self._get(3)
        frame = self._frame_behind()
        conditions = (
            self._has_room(frame),
            writer.value(f"icmp eq i64 {self._get(4)}, 0"),
            writer.value(f"icmp ule i64 {rounds}, {MAX_LOOPS}"),
            writer.value(f"icmp ult i64 {self._variable('calls')}, {layout.MAX_CALLS}"),
        )
        holds = "true"
        for condition in conditions:
            holds = writer.value(f"and i1 {holds}, {condition}")
        writer.branch(holds, begin, python, "usual")
        writer.begin(begin)
        for value, place in (
            (site.slot, layout.FRAME_SLOT),
            (rounds, layout.FRAME_ROUNDS),
            (context, layout.FRAME_CONTEXT),
        ):
            writer.store(value, writer.at("%frame", place))
        self._set_variable("scan", 0)
        writer.add(f"br label %{look}")
        writer.begin(look)
        round_ = self._variable("scan")
        writer.branch(writer.value(f"icmp ult i64 {round_}, {rounds}"), again, over)
        writer.begin(again)
        writer.store(round_, writer.at("%frame", layout.FRAME_ROUND))
        value = self._enter(site, frame, (round_, context, "0", "0", "0"))
        self._set_variable("scan", writer.value(f"add i64 {round_}, 1"))
        writer.branch(writer.value(f"icmp eq i64 {value}, 0"), look, over)
        writer.begin(over)
        self._put(0, self._variable("scan"))
        count = self._variable("calls")
        call = writer.value(f"or i64 {rounds}, {site.slot << 32}")
        self._note(layout.CALLS, count, layout.CALL_SIZE, (call, self._get(0), context, site.target))
        self._set_variable("calls", writer.value(f"add i64 {count}, 2"))
        self._end_reach(done)


class Callee(_Function):
    """A function that others call, as one of the same name."""

    def _begin(self) -> None:
        writer = self.writer
        given = [f"a{number}" for number in range(1, 6)] + [f"in_{name}" for name in self.state]
        arguments = ", ".join(f"i64 %{name}" for name in ("number", "budget", *given))
        writer.lines.append(
            f"define internal fastcc {self.result} @f{self.function.slot}"
            f"(ptr noalias %s, ptr %frame, ptr noalias %row, {arguments}) {{"
        )
        self._variables()
        for number in range(1, 6):
            self._put(number, f"%a{number}")
        for name in self.state:
            self._set_variable(name, f"%in_{name}")
        base = writer.value(f"shl i64 %number, {REGION_SHIFT}")
        writer.add(f"%r10 = or i64 {base}, {ORIGIN + STACK_SIZE}")
        writer.store("%number", writer.at("%frame", layout.FRAME_NUMBER))
        if self.needs.notes:
            writer.add(f"%run = load i64, ptr {writer.at('%s', layout.RUN)}")
        self._open_frame()
        writer.add(f"br label %b{self.function.slot}")

    def _exit(self, site: Site) -> None:
        if any(not access.base for access in self.facts.proof.accesses.values()):
            self.writer.add("call fastcc void @forget(ptr %s, i64 %number)")
        self._return(self._get(0), layout.RETURNED, self._spent(), *map(self._variable, self.state))

    def _leave(self, end: int | str) -> None:
        self._return("0", end)

    def _return(self, *values: str | int) -> None:
        result = "poison"
        for place, value in enumerate(values):
            result = self.writer.value(f"insertvalue {self.result} {result}, i64 {value}, {place}")
        self.writer.add(f"ret {self.result} {result}")


class Main(_Function):
    """The program's own function, as the loop over runs that `ENTRY` is."""

    number = str(layout.FIRST_FRAME)
    r10 = str(address_of(layout.FIRST_FRAME) + STACK_SIZE)

    def _begin(self) -> None:
        writer = self.writer
        writer.lines.append(f"define i64 @{ENTRY}(ptr noalias %s, ptr %frame, ptr noalias %rows, i64 %count) {{")
        self._variables()
        writer.add("%index_at = alloca i64")
        writer.add("%end = alloca i64")
        writer.add(f"%budget = load i64, ptr {writer.at('%s', layout.BUDGET)}")
        self._set_variable("index_at", 0)
        if self.needs.notes:
            writer.add(f"%first_run = load i64, ptr {writer.at('%s', layout.RUN)}")
            self._set_variable("calls", self._shared(layout.CALL_COUNT))
        writer.add("br label %next")
        writer.begin("next")
        writer.add("%index = load i64, ptr %index_at")
        writer.branch(writer.value("icmp eq i64 %index, %count"), "over", "go")
        writer.begin("go")
        behind = writer.value(f"mul i64 %index, {self.needs.row_size}")
        writer.add(f"%row = getelementptr i8, ptr %rows, i64 {behind}")
        if self.needs.notes:
            writer.add("%run = add i64 %first_run, %index")
            self._set_shared(layout.RUN, "%run")
        for number in range(10):
            self._put(number, _CONTEXT if number == 1 else 0)
        for name in self.state:
            if name != "calls":
                self._set_variable(name, layout.FIRST_FRAME if name == "last" else 0)
        self._open_frame()
        writer.add(f"br label %b{self.function.slot}")

    def _exit(self, site: Site) -> None:
        self._set_variable("slot", site.slot)
        self.writer.add("br label %returned")

    def _leave(self, end: int | str) -> None:
        self._set_variable("end", end)
        self.writer.add("br label %python")

    def _end(self) -> None:
        writer = self.writer
        writer.begin("returned")
        value, spent = self._get(0), self._spent()
        writer.store(value, writer.at("%row", layout.ROW_VALUE))
        writer.store(spent, writer.at("%row", layout.ROW_SPENT))
        if self.needs.notes:
            writer.store(self._variable("calls"), writer.at("%row", layout.ROW_CALLS))
        touched = writer.value(f"icmp ne i64 {self._shared(layout.TOUCHED)}, 0")
        writer.branch(touched, "touched", "clean", "rare")
        writer.begin("clean")
        self._set_variable("index_at", writer.value("add i64 %index, 1"))
        writer.add("br label %next")
        writer.begin("touched")
        self._set_shared(layout.SLOT, self._variable("slot"))
        self._set_shared(layout.VALUE, value)
        self._set_shared(layout.LEFT, self._left())
        self._show_state()
        self._leave(layout.RETURNED)
        super()._end()
        writer.begin("python")
        self._set_shared(layout.END, self._variable("end"))
        writer.add("ret i64 %index")
        writer.begin("over")
        if self.needs.notes:
            self._set_shared(layout.CALL_COUNT, self._variable("calls"))
        writer.add("ret i64 %index")


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


_WRITERS: dict[str, Callable[[_Function, Site], None]] = {
    "alu": _Function._alu,
    "byte_order": _Function._byte_order,
    "constant": _Function._constant,
    "jump": _Function._jump,
    "goto": _Function._goto,
    "may_goto": _Function._may_goto,
    "exit": lambda function, site: function._exit(site),
    "load": _Function._load,
    "load_acquire": _Function._load,
    "store": _Function._store,
    "store_release": _Function._store,
    "atomic": _Function._atomic,
    "call": _Function._call,
}
