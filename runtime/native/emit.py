"""From a program, its control flow and what is proven of it to a module in LLVM's assembly language.

Every function of the program is a function of the module. r0..r9 are variables of it, which LLVM keeps in
registers. Beside each of them stands a pointer (`%d0`...): for an address that is known to lie in a map's value,
the packet or a data section, where its bytes are. Whatever cannot be done here is done by Python, an instruction at
a time (`PERFORM`), and a run that nears the end of its budget is handed back to the interpreter with its registers.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

from skverdict.codegen.object import Program
from skverdict.runtime.machine.memory import ADDRESS, OFFSET_BITS, ORIGIN, REGION_SHIFT, STACK_SIZE, ByteOrder
from skverdict.runtime.machine.run import MAX_LOOPS
from skverdict.runtime.machine.semantics import mask
from skverdict.runtime.native import layout
from skverdict.runtime.native.graph import Block, Function, Graph, Site, is_local_call
from skverdict.runtime.native.prelude import PRELUDE
from skverdict.runtime.native.proof import Access, Proof
from skverdict.runtime.native.text import CONDITIONS, OPERATIONS, Writer, conversion
from skverdict.runtime.native.values import Pointer
from skverdict.runtime.native.written import Registers, helper_of, sets, uses

#: The function that runs the program: from the shared memory, the first frame, rows of `layout` and their number to
#: how many of these it did.
ENTRY = "enter"
# The number of the region that the program's own stack is: the context is the first.
_FIRST_FRAME = 2

_RESULT = "{ i64, i64 }"
# Runs of a batch one after the other, until one of them needs Python; the number of those that did not.
_BATCH = f"""
define i64 @{ENTRY}(ptr noalias %s, ptr %frame, ptr %rows, i64 %count) {{{{
  %argument_at = getelementptr i8, ptr %s, i64 {layout.OPERANDS}
  %argument = load i64, ptr %argument_at
  %budget_at = getelementptr i8, ptr %s, i64 {layout.BUDGET}
  %budget = load i64, ptr %budget_at
  %run_at = getelementptr i8, ptr %s, i64 {layout.RUN}
  %left_at = getelementptr i8, ptr %s, i64 {layout.LEFT}
  %last_at = getelementptr i8, ptr %s, i64 {layout.LAST_REGION}
  %packet_at = getelementptr i8, ptr %s, i64 {layout.PACKET}
  %length_at = getelementptr i8, ptr %s, i64 {layout.PACKET_LENGTH}
  %bytes_at = getelementptr i8, ptr %s, i64 {layout.PACKET_BYTES}
  %writable_at = getelementptr i8, ptr %s, i64 {layout.PACKET_WRITABLE}
  %current_at = getelementptr i8, ptr %s, i64 {layout.CURRENT}
  %touched_at = getelementptr i8, ptr %s, i64 {layout.TOUCHED}
  %calls_at = getelementptr i8, ptr %s, i64 {layout.CALL_COUNT}
  %start_at = getelementptr i8, ptr %s, i64 {layout.CALL_START}
  %given_at = getelementptr i8, ptr %s, i64 {layout.GIVEN_COUNT}
  %end_at = getelementptr i8, ptr %s, i64 {layout.END}
  %fields_at = getelementptr i8, ptr %s, i64 {layout.FIELDS}
  %addresses_at = getelementptr i8, ptr %s, i64 {layout.ADDRESSES}
  %deltas_at = getelementptr i8, ptr %s, i64 {layout.DELTAS}
  %hosts_at = getelementptr i8, ptr %s, i64 {layout.BYTES}
  br label %next
next:
  %index = phi i64 [ 0, %0 ], [ %more, %clean ]
  %over = icmp eq i64 %index, %count
  br i1 %over, label %stop, label %go
go:
  %behind = mul i64 %index, {{row_size}}
  %row = getelementptr i8, ptr %rows, i64 %behind
  %row_length_at = getelementptr i8, ptr %row, i64 {layout.ROW_LENGTH}
  %row_writable_at = getelementptr i8, ptr %row, i64 {layout.ROW_WRITABLE}
  %row_value_at = getelementptr i8, ptr %row, i64 {layout.ROW_VALUE}
  %row_left_at = getelementptr i8, ptr %row, i64 {layout.ROW_LEFT}
  %row_fields_at = getelementptr i8, ptr %row, i64 {layout.ROW_FIELDS}
  %row_calls_at = getelementptr i8, ptr %row, i64 {layout.ROW_CALLS}
{{calls}}{{packet}}  store i64 %index, ptr %current_at
  store i64 %budget, ptr %left_at
  store i64 {_FIRST_FRAME}, ptr %last_at
{{run}}  call void @llvm.memcpy.p0.p0.i64(ptr %fields_at, ptr %row_fields_at, i64 {{fields_size}}, i1 false)
  call void @llvm.memset.p0.i64(ptr %addresses_at, i8 0, i64 {{addresses_size}}, i1 false)
  call void @llvm.memcpy.p0.p0.i64(ptr %deltas_at, ptr %hosts_at, i64 {{addresses_size}}, i1 false)
  %both = call fastcc {{result_type}} @f0(
    ptr %s, ptr %frame, i64 {_FIRST_FRAME}, i64 %argument, i64 0, i64 0, i64 0, i64 0)
  %result = extractvalue {{result_type}} %both, 0
  %end = extractvalue {{result_type}} %both, 1
  %left = load i64, ptr %left_at
  store i64 %result, ptr %row_value_at
  store i64 %left, ptr %row_left_at
  %touched = load i64, ptr %touched_at
  %calls = load i64, ptr %calls_at
  store i64 %calls, ptr %row_calls_at
  %any = or i64 %touched, %end
  %dirty = icmp ne i64 %any, 0
  br i1 %dirty, label %python, label %clean
clean:
  %more = add i64 %index, 1
  br label %next
python:
  store i64 %end, ptr %end_at
  %value_at = getelementptr i8, ptr %s, i64 {layout.VALUE}
  store i64 %result, ptr %value_at
  br label %stop
stop:
  ret i64 %index
}}}}
"""


# Parts of a batch that only some programs need.
_BATCH_PACKET = """\
  %bytes = load i64, ptr %row
  %length = load i64, ptr %row_length_at
  %writable = load i64, ptr %row_writable_at
  store i64 0, ptr %packet_at
  store i64 %bytes, ptr %bytes_at
  store i64 %length, ptr %length_at
  store i64 %writable, ptr %writable_at
"""
_BATCH_CALLS = """\
  %calls_before = load i64, ptr %calls_at
  store i64 %calls_before, ptr %start_at
  store i64 0, ptr %given_at
"""
_BATCH_RUN = """\
  %run = load i64, ptr %run_at
  %new_run = add i64 %run, 1
  store i64 %new_run, ptr %run_at
"""


class Needs(NamedTuple):
    """What native code wants in the shared memory: which fields of the context, as offset and size in bytes, and
    the addresses of which maps and data sections, as kind (`map` or `data`) and name; whether the packet; and the
    tables of which array maps."""

    fields: tuple[tuple[int, int], ...]
    addresses: tuple[tuple[str, str], ...]
    packet: bool
    tables: tuple[str, ...]


class Readable(NamedTuple):
    """The context: the accesses by offset and size that give a number, and the fields that lead to the packet."""

    numbers: Collection[tuple[int, int]]
    packet: dict[tuple[int, int], str]


class Facts(NamedTuple):
    """Everything that is known of a program."""

    program: Program
    order: ByteOrder
    graph: Graph
    registers: Registers
    proof: Proof
    readable: Readable
    uncounted: Collection[int]
    handed_back: Collection[int]
    arrays: Collection[str]


class Module(NamedTuple):
    """A module's text, and what it wants."""

    text: str
    needs: Needs


def emit(facts: Facts) -> Module:
    """Write the module for a program."""
    wants = _Wants()
    functions = [_Function(facts, function, wants).text() for function in facts.graph.values()]
    batch = _BATCH.format(
        result_type=_RESULT,
        packet=_BATCH_PACKET if wants.packet else "",
        calls=_BATCH_CALLS if wants.tables else "",
        run=_BATCH_RUN if wants.tables else "",
        row_size=layout.ROW_FIELDS + len(wants.fields) * layout.WORD,
        fields_size=len(wants.fields) * layout.WORD,
        addresses_size=len(wants.addresses) * layout.WORD,
    )
    text = "\n".join([PRELUDE, batch, *functions])
    return Module(text, Needs(tuple(wants.fields), tuple(wants.addresses), wants.packet, tuple(wants.tables)))


class _Wants:
    """What the functions want, each under its place."""

    def __init__(self) -> None:
        self.fields: dict[tuple[int, int], int] = {}
        self.addresses: dict[tuple[str, str], int] = {}
        self.packet = False
        self.tables: dict[str, int] = {}

    def field(self, offset: int, size: int) -> int | None:
        """The place of a field; None if there are too many."""
        return _place(self.fields, (offset, size))

    def table(self, name: str, arrays: Collection[str]) -> int | None:
        """The place of a map's table; None if there are too many, or it can have none."""
        if name not in arrays or (name not in self.tables and len(self.tables) == layout.MAX_TABLES):
            return None
        return layout.WORD * self.tables.setdefault(name, len(self.tables))

    def address(self, kind: str, name: str) -> int | None:
        """The place of an address; None if there are too many."""
        return _place(self.addresses, (kind, name))


def _place(places: dict[tuple[int, int], int] | dict[tuple[str, str], int], wanted: object) -> int | None:
    known: dict[object, int] = places  # type: ignore[assignment]
    if wanted not in known and len(known) == layout.MAX_FIELDS:
        return None
    return layout.WORD * known.setdefault(wanted, len(known))


class _Function:
    """One function on its way into text."""

    def __init__(self, facts: Facts, function: Function, wants: _Wants) -> None:
        self.facts = facts
        self.function = function
        self.wants = wants
        self.writer = Writer()
        self.cold: list[Callable[[], None]] = []
        self.swaps = facts.order == "big"
        self.behind = 0  # instructions of the block that are counted and not yet done

    def text(self) -> str:
        writer = self.writer
        arguments = ", ".join(f"i64 %a{number}" for number in range(1, 6))
        writer.lines.append(
            f"define internal fastcc {_RESULT} @f{self.function.slot}"
            f"(ptr noalias %s, ptr %frame, i64 %number, {arguments}) {{"
        )
        self._prologue()
        for block in self.function.blocks.values():
            self._block(block)
        while self.cold:
            self.cold.pop()()
        self._epilogue()
        writer.lines.append("}")
        return "\n".join(writer.lines)

    def _prologue(self) -> None:
        writer = self.writer
        for number in range(10):
            writer.add(f"%r{number} = alloca i64")
            writer.add(f"%d{number} = alloca ptr")
        for offset in self._spilled():
            writer.add(f"%s{offset} = alloca ptr")
        for name in ("left", "slot", "extra", "writable"):
            writer.add(f"%{name} = alloca i64")
        for number in range(1, 6):
            writer.add(f"store i64 %a{number}, ptr %r{number}")
        writer.add(f"store i64 {self._state(layout.LEFT)}, ptr %left")
        base = writer.value(f"shl i64 %number, {REGION_SHIFT}")
        writer.add(f"%r10 = or i64 {base}, {ORIGIN + STACK_SIZE}")
        writer.store("%number", writer.at("%frame", layout.FRAME_NUMBER))
        if self.function.slot in self.facts.proof.observed:
            unwritten = writer.at("%frame", layout.FRAME_UNWRITTEN)
            writer.add(f"store <8 x i64> splat (i64 -1), ptr {unwritten}, align 8")
        if any(site.operation.family == "may_goto" for site in self._sites()):
            writer.store(MAX_LOOPS, writer.at("%frame", layout.FRAME_LOOPS))
        writer.add(f"br label %b{self.function.slot}")

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

    def _state(self, offset: int) -> str:
        return self.writer.load(self.writer.at("%s", offset))

    def _set_state(self, offset: int, value: str | int) -> None:
        self.writer.store(value, self.writer.at("%s", offset))

    def _get(self, register: int) -> str:
        return "%r10" if register == 10 else self.writer.value(f"load i64, ptr %r{register}")

    def _put(self, register: int, value: str | int) -> None:
        self.writer.add(f"store i64 {value}, ptr %r{register}")

    def _low(self, register: int, bits: int) -> str:
        return self.writer.resized(self._get(register), 64, bits)

    def _keep_pointer(self, source: str, to: str) -> None:
        self.writer.add(f"store ptr {self.writer.value(f'load ptr, ptr {source}')}, ptr {to}")

    def _has_pointer(self, site: Site, register: int) -> bool:
        """True if it is known in which memory of the run a register's address lies."""
        value = self.facts.proof.before[site.slot].value(register)
        return isinstance(value, Pointer) and value.base in ("value", "packet", "data")

    # Ends

    def _leave(self, end: int | str, result: str = "0") -> None:
        writer = self.writer
        both = writer.value(f"insertvalue {_RESULT} poison, i64 {result}, 0")
        both = writer.value(f"insertvalue {_RESULT} {both}, i64 {end}, 1")
        writer.add(f"ret {_RESULT} {both}")

    def _count_left(self) -> None:
        self._set_state(layout.LEFT, self.writer.value("load i64, ptr %left"))

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
            self.writer.add(f"store i64 {slot}, ptr %slot")
            self.writer.add(f"store i64 {extra}, ptr %extra")
            self.writer.add("br label %hand_back")

        self.cold.append(write)
        return label

    def _epilogue(self) -> None:
        """The ends that all of the function shares."""
        writer = self.writer
        writer.begin("hand_back")
        left, extra = writer.value("load i64, ptr %left"), writer.value("load i64, ptr %extra")
        self._set_state(layout.LEFT, writer.value(f"add i64 {left}, {extra}"))
        self._give_registers(writer.value("load i64, ptr %slot"))
        self._set_state(layout.INNERMOST, writer.value("ptrtoint ptr %frame to i64"))
        self._leave(layout.HANDED_BACK)
        writer.begin("stop")
        self._leave(layout.STOPPED)
        if any(is_local_call(site) for site in self._sites()):
            writer.begin("unwind")
            self._give_registers(writer.value("load i64, ptr %slot"))
            self._leave(writer.value("load i64, ptr %extra"))

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
        left = writer.value("load i64, ptr %left")
        if need is not None:
            # The very number that is kept is compared with 0, where it can be: that is one instruction.
            least = writer.value(f"sub i64 {left}, {need}")
            go_on = writer.label()
            short = writer.value(f"icmp slt i64 {least}, 0")
            writer.branch(short, self._hand_back(block.slot, 0), go_on, "rare")
            writer.begin(go_on)
            left, spent = least, len(block.sites) - need
        else:
            spent = len(block.sites)
        writer.add(f"store i64 {writer.value(f'sub i64 {left}, {spent}')}, ptr %left")

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
        map_ = self.facts.program.maps.get(site.slot)
        data = self.facts.program.data.get(site.slot)
        if map_ is not None:
            self._address(site, "map", map_.map, 0)
        elif data is not None:
            self._address(site, "data", data.section, data.offset)
        elif site.operation.name == "value":
            self._put(site.instruction.dst, site.instruction.imm)
        else:
            self._perform(site)

    def _address(self, site: Site, kind: str, name: str, offset: int) -> None:
        place = self.wants.address(kind, name)
        if place is None:
            self._perform(site)
            return
        delta = layout.DELTAS + place
        address = self._placed(layout.ADDRESSES + place, delta, delta)
        if offset:
            address = self.writer.value(f"add i64 {address}, {offset}")
        if kind == "data":
            self._point(site.instruction.dst, address, self._state(delta))
        self._put(site.instruction.dst, address)

    def _point(self, register: int, address: str, distance: str) -> None:
        """Let a register's pointer be where the bytes of an address are, so far away from it."""
        place = self.writer.value(f"add i64 {address}, {distance}")
        self.writer.add(f"store ptr {self.writer.value(f'inttoptr i64 {place} to ptr')}, ptr %d{register}")

    def _placed(self, address: int, bytes_at: int, delta: int) -> str:
        """An address in shared memory, which is taken now if it was not before."""
        return self.writer.value(f"call fastcc i64 @place(ptr %s, i64 {address}, i64 {bytes_at}, i64 {delta})")

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

    def _exit(self, site: Site) -> None:
        if any(not access.base for access in self.facts.proof.accesses.values()):
            self.writer.add("call fastcc void @forget(ptr %s, i64 %number)")
        self._set_state(layout.SLOT, site.slot)
        self._count_left()
        self._leave(layout.RETURNED, self._get(0))

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
        leads = self.facts.readable.packet.get((access.offset, size))
        if leads is not None and not site.operation.signed:
            self.wants.packet = True
            address = self._placed(layout.PACKET, layout.PACKET_BYTES, layout.PACKET_DELTA)
            if leads == "packet":
                self._point(dst, address, self._state(layout.PACKET_DELTA))
                self.writer.add(f"store i64 {self._state(layout.PACKET_WRITABLE)}, ptr %writable")
            if leads == "end":
                address = self.writer.value(f"add i64 {address}, {self._state(layout.PACKET_LENGTH)}")
            self._put(dst, address)
            return
        readable = (access.offset, size) in self.facts.readable.numbers
        place = self.wants.field(access.offset, size) if readable else None
        if place is None:
            self._perform(site)
            return
        value = self._state(layout.FIELDS + place)
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
                writable = writer.value("load i64, ptr %writable")
                done = self._otherwise_perform(site, writer.value(f"icmp ne i64 {writable}, 0"))
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
        touched = mask(size) << access.offset & ~state.always
        if way == "read":
            missing = self._unwritten(touched)
            there = writer.value(f"icmp eq i64 {missing}, 0")
            return place, self._otherwise_perform(site, there)
        self._note_written(touched & self.facts.proof.unsure[self.function.slot])
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
        go_on, other, done = self.writer.label(), self.writer.label(), self.writer.label()
        self.writer.branch(condition, go_on, other, "usual")

        def write() -> None:
            self.writer.begin(other)
            self._perform(site)
            self.writer.add(f"br label %{done}")

        self.cold.append(write)
        self.writer.begin(go_on)
        return done

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
                self._set_state(layout.OPERANDS + layout.WORD * place, self._get(register))
        uncounted = site.slot in self.facts.uncounted
        if uncounted:
            self._count_left()
        perform = writer.value(f"inttoptr i64 {self._state(layout.PERFORM)} to ptr")
        stopped = writer.value(f"call i32 {perform}(ptr %s, i32 {site.slot}, ptr %frame)")
        go_on = writer.label()
        writer.branch(writer.value(f"icmp eq i32 {stopped}, 0"), go_on, "stop", "usual")
        writer.begin(go_on)
        if uncounted:
            writer.add(f"store i64 {self._state(layout.LEFT)}, ptr %left")
        result = sets(site)
        if result is not None and not is_local_call(site):
            self._put(result, self._state(layout.VALUE))
            if helper_of(site):
                self._point(0, self._get(0), self._state(layout.DELTA))

    def _call(self, site: Site) -> None:
        if helper_of(site):
            lookup = self.facts.proof.lookups.get(site.slot)
            place = None if lookup is None else self.wants.table(lookup.name, self.facts.arrays)
            if lookup is None or place is None:
                self._perform(site)
            else:
                self._lookup(site, lookup.offset, place)
        else:
            self._local_call(site)

    def _lookup(self, site: Site, offset: int, place: int) -> None:
        """Look up an entry of an array map."""
        writer = self.writer
        key = self._from_memory(writer.load(writer.at("%frame", offset), 32), 4)
        index = writer.resized(key, 32, 64)
        table, length = layout.TABLES + place, layout.TABLE_LENGTHS + place
        both = writer.value(
            f"call fastcc {_RESULT} @lookup_array(ptr %s, i64 {table}, i64 {length}, i64 {index}, i64 {site.slot})"
        )
        address = writer.value(f"extractvalue {_RESULT} {both}, 0")
        done = self._otherwise_perform(site, writer.value(f"icmp ne i64 {address}, 1"))
        self._put(0, address)
        self._point(0, address, writer.value(f"extractvalue {_RESULT} {both}, 1"))
        self._end_reach(done)

    def _local_call(self, site: Site) -> None:
        writer = self.writer
        writer.store(site.slot, writer.at("%frame", layout.FRAME_SLOT))
        frame = writer.at("%frame", layout.FRAME_SIZE)
        end = writer.value(f"inttoptr i64 {self._state(layout.FRAMES_END)} to ptr")
        room = writer.value(f"icmp ult ptr {frame}, {end}")
        enter, full = writer.label(), writer.label()
        writer.branch(room, enter, full, "usual")

        def write() -> None:
            writer.begin(full)
            self._perform(site)
            writer.add("unreachable")

        self.cold.append(write)
        writer.begin(enter)
        address = writer.value("call i64 @new_region(ptr %s)")
        number = writer.value(f"lshr i64 {address}, {REGION_SHIFT}")
        self._count_left()
        always = self.facts.registers.before[site.slot].always
        given = ", ".join(f"i64 {self._get(each) if always >> each & 1 else 0}" for each in range(1, 6))
        both = writer.value(
            f"call fastcc {_RESULT} @f{site.target}(ptr %s, ptr {frame}, i64 {number}, {given})"
        )
        status = writer.value(f"extractvalue {_RESULT} {both}, 1")
        returned, ended = writer.label(), writer.label()
        writer.branch(writer.value(f"icmp eq i64 {status}, {layout.RETURNED}"), returned, ended, "usual")

        def unwind() -> None:
            writer.begin(ended)
            writer.add(f"store i64 {site.slot}, ptr %slot")
            writer.add(f"store i64 {status}, ptr %extra")
            writer.add("br label %unwind")

        self.cold.append(unwind)
        writer.begin(returned)
        self._put(0, writer.value(f"extractvalue {_RESULT} {both}, 0"))
        writer.add(f"store i64 {self._state(layout.LEFT)}, ptr %left")


_WRITERS: dict[str, Callable[[_Function, Site], None]] = {
    "alu": _Function._alu,
    "byte_order": _Function._byte_order,
    "constant": _Function._constant,
    "jump": _Function._jump,
    "goto": _Function._goto,
    "may_goto": _Function._may_goto,
    "exit": _Function._exit,
    "load": _Function._load,
    "load_acquire": _Function._load,
    "store": _Function._store,
    "store_release": _Function._store,
    "atomic": _Function._atomic,
    "call": _Function._call,
}
