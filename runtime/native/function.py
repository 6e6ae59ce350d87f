"""One function of a program as text in LLVM's assembly language.

The program's own function is a loop over rows of runs, which it does one after the other until one of them needs
Python to end it. Every other function is called by those above it.
"""

from __future__ import annotations

from collections.abc import Callable

from skverdict.runtime.machine.memory import ORIGIN, REGION_SHIFT, STACK_SIZE, address_of
from skverdict.runtime.native import layout
from skverdict.runtime.native.accesses import Accesses
from skverdict.runtime.native.calling import Calls
from skverdict.runtime.native.facts import named_address
from skverdict.runtime.native.graph import Block, Site, is_local_call
from skverdict.runtime.native.text import CONDITIONS, OPERATIONS, conversion

#: The function that runs the program: from the shared memory, the first frame, rows of `layout` and their number to
#: how many of these it did.
ENTRY = "enter"

_CONTEXT = address_of(1)


class _Function(Accesses, Calls):
    """What the program's own function and the others have in common."""

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
