"""Loads, stores and atomic operations: with as much of a check as the proof has left of it."""

from __future__ import annotations

from skverdict.runtime.machine.memory import ADDRESS, OFFSET_BITS, ORIGIN
from skverdict.runtime.machine.semantics import mask
from skverdict.runtime.native import layout
from skverdict.runtime.native.body import Body
from skverdict.runtime.native.facts import leads, marked
from skverdict.runtime.native.graph import Site
from skverdict.runtime.native.proof import Access
from skverdict.runtime.native.text import OPERATIONS
from skverdict.runtime.native.values import Pointer
from skverdict.runtime.native.written import sets


class Accesses(Body):
    """A function's accesses to memory."""

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
