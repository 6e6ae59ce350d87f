"""From instructions to steps: each family of the instruction set as the change it makes to a run.

What an operation computes stands in `semantics`; here is how operands are fetched and results kept. An
instruction is looked at once, when a program is loaded; what remains is a function of registers and run.
"""

from __future__ import annotations

from typing import NamedTuple

from skverdict.codegen.instruction import Instruction
from skverdict.codegen.instruction_set import Operation
from skverdict.runtime.machine import semantics
from skverdict.runtime.machine.calls import TAIL_CALLED, AddressFinder, HelperCaller, ProgramFinder, SlotFinder
from skverdict.runtime.machine.memory import (
    ADDRESS,
    OFFSET_BITS,
    ORIGIN,
    REGION_SHIFT,
    ByteOrder,
    Region,
)
from skverdict.runtime.machine.registers import UNWRITTEN
from skverdict.runtime.machine.run import Run, Step, Switch
from skverdict.runtime.machine.semantics import mask, signed


class Site(NamedTuple):
    """An instruction in its place: `next` is the slot behind it, `target` where a jump or call goes."""

    instruction: Instruction
    operation: Operation
    slot: int
    next: int
    target: int
    order: ByteOrder


_ARITHMETIC = {bits: semantics.arithmetic(bits) for bits in (32, 64)}
_CONDITIONS = {bits: semantics.conditions(bits) for bits in (32, 64)}
_BYTE_ORDER = {"little": semantics.byte_order("little"), "big": semantics.byte_order("big")}


def alu(site: Site) -> Step:
    name = site.operation.name
    if name in semantics.MOVES:
        return _move(site)
    if name == "neg":
        return _change(site, lambda value: -value)
    compute = _ARITHMETIC[site.operation.bits][name]
    kept, after, dst, src = mask(site.operation.bits), site.next, site.instruction.dst, site.instruction.src

    def wide_register(r: list[int], run: Run) -> int:
        r[dst] = compute(r[dst], r[src]) & kept
        return after

    def narrow_register(r: list[int], run: Run) -> int:
        r[dst] = compute(r[dst] & kept, r[src] & kept) & kept
        return after

    if site.operation.source == "reg":
        return wide_register if site.operation.bits == 64 else narrow_register
    value = site.instruction.imm & kept

    def wide_immediate(r: list[int], run: Run) -> int:
        r[dst] = compute(r[dst], value) & kept
        return after

    def narrow_immediate(r: list[int], run: Run) -> int:
        r[dst] = compute(r[dst] & kept, value) & kept
        return after

    return wide_immediate if site.operation.bits == 64 else narrow_immediate


def _move(site: Site) -> Step:
    convert = semantics.MOVES[site.operation.name]
    kept, after, dst, src = mask(site.operation.bits), site.next, site.instruction.dst, site.instruction.src
    if site.operation.source == "imm":
        return _set(site, convert(site.instruction.imm) & kept)

    def step(r: list[int], run: Run) -> int:
        r[dst] = convert(r[src]) & kept
        return after

    return step


def _set(site: Site, value: int) -> Step:
    after, dst = site.next, site.instruction.dst

    def step(r: list[int], run: Run) -> int:
        r[dst] = value
        return after

    return step


def _change(site: Site, convert: semantics.Unary) -> Step:
    """dst = convert(dst)."""
    kept, after, dst = mask(site.operation.bits), site.next, site.instruction.dst

    def step(r: list[int], run: Run) -> int:
        r[dst] = convert(r[dst]) & kept
        return after

    return step


def byte_order(site: Site) -> Step:
    return _change(site, _BYTE_ORDER[site.order][site.operation.name])


def jump(site: Site) -> Step:
    holds = _CONDITIONS[site.operation.bits][site.operation.name]
    kept, after, target = mask(site.operation.bits), site.next, site.target
    dst, src = site.instruction.dst, site.instruction.src

    def wide_register(r: list[int], run: Run) -> int:
        return target if holds(r[dst], r[src]) else after

    def narrow_register(r: list[int], run: Run) -> int:
        return target if holds(r[dst] & kept, r[src] & kept) else after

    if site.operation.source == "reg":
        return wide_register if site.operation.bits == 64 else narrow_register
    value = site.instruction.imm & kept

    def wide_immediate(r: list[int], run: Run) -> int:
        return target if holds(r[dst], value) else after

    def narrow_immediate(r: list[int], run: Run) -> int:
        return target if holds(r[dst] & kept, value) else after

    return wide_immediate if site.operation.bits == 64 else narrow_immediate


def goto(site: Site) -> Step:
    target = site.target
    return lambda r, run: target


def gotox(site: Site, find: SlotFinder) -> Step:
    """Go to the instruction whose address a register holds."""
    dst = site.instruction.dst
    return lambda r, run: find(+r[dst])


def may_goto(site: Site) -> Step:
    after, target = site.next, site.target

    def step(r: list[int], run: Run) -> int:
        if run.loops == 0:
            return target
        run.loops -= 1
        return after

    return step


def exit_(site: Site) -> Step:
    def step(r: list[int], run: Run) -> int:
        # The kernel and its helpers want a result; a function of the program's own may give none.
        if not run.frames or run.frames[-1].slot is None:
            r[0] = +r[0]
        return run.leave()

    return step


def load(site: Site) -> Step:
    size, offset, after = site.operation.size, site.instruction.offset, site.next
    dst, src = site.instruction.dst, site.instruction.src

    def unsigned(r: list[int], run: Run) -> int:
        address = (r[src] + offset) & ADDRESS
        r[dst] = run.regions[address >> REGION_SHIFT].load((address & OFFSET_BITS) - ORIGIN, size)
        return after

    def sign_extended(r: list[int], run: Run) -> int:
        unsigned(r, run)
        r[dst] = signed(r[dst], 8 * size) & ADDRESS
        return after

    return sign_extended if site.operation.signed else unsigned


def store(site: Site) -> Step:
    size, offset, after = site.operation.size, site.instruction.offset, site.next
    dst, src, kept = site.instruction.dst, site.instruction.src, mask(8 * size)
    value = site.instruction.imm & kept

    def immediate(r: list[int], run: Run) -> int:
        address = (r[dst] + offset) & ADDRESS
        run.regions[address >> REGION_SHIFT].store((address & OFFSET_BITS) - ORIGIN, size, value)
        return after

    def register(r: list[int], run: Run) -> int:
        address = (r[dst] + offset) & ADDRESS
        run.regions[address >> REGION_SHIFT].store((address & OFFSET_BITS) - ORIGIN, size, r[src] & kept)
        return after

    return register if site.operation.source == "reg" else immediate


def _shared_memory(
    run: Run, base: int, offset: int, size: int, reads: bool = True, writes: bool = True
) -> tuple[Region, int]:
    """The region and offset of an atomic access that may be made. What it writes is looked at after that."""
    address = (base + offset) & ADDRESS
    region, place = run.regions[address >> REGION_SHIFT], (address & OFFSET_BITS) - ORIGIN
    region.check_shared(place, size, reads, writes)
    return region, place


def atomic(site: Site) -> Step:
    if site.operation.name == "cmpxchg":
        return _compare_and_exchange(site)
    compute = semantics.ATOMIC[site.operation.name]
    size, offset, after = site.operation.size, site.instruction.offset, site.next
    dst, src, kept = site.instruction.dst, site.instruction.src, mask(8 * site.operation.size)
    fetch = site.operation.fetch

    def step(r: list[int], run: Run) -> int:
        region, place = _shared_memory(run, r[dst], offset, size)
        old = region.load(place, size)
        region.store(place, size, compute(old, r[src] & kept) & kept)
        if fetch:
            r[src] = old
        return after

    return step


def _compare_and_exchange(site: Site) -> Step:
    size, offset, after = site.operation.size, site.instruction.offset, site.next
    dst, src, kept = site.instruction.dst, site.instruction.src, mask(8 * site.operation.size)

    def step(r: list[int], run: Run) -> int:
        region, place = _shared_memory(run, r[dst], offset, size)
        old, new, expected = region.load(place, size), r[src] & kept, r[0] & kept
        region.store(place, size, new if old == expected else old)
        r[0] = old
        return after

    return step


def load_acquire(site: Site) -> Step:
    size, offset, after = site.operation.size, site.instruction.offset, site.next
    dst, src = site.instruction.dst, site.instruction.src

    def step(r: list[int], run: Run) -> int:
        region, place = _shared_memory(run, r[src], offset, size, writes=False)
        r[dst] = region.load(place, size)
        return after

    return step


def store_release(site: Site) -> Step:
    size, offset, after = site.operation.size, site.instruction.offset, site.next
    dst, src, kept = site.instruction.dst, site.instruction.src, mask(8 * site.operation.size)

    def step(r: list[int], run: Run) -> int:
        region, place = _shared_memory(run, r[dst], offset, size, reads=False)
        region.store(place, size, r[src] & kept)
        return after

    return step


def number(site: Site) -> Step:
    """The wide instruction as it stands: a 64-bit number."""
    return _set(site, site.instruction.imm)


def address(site: Site, find: AddressFinder) -> Step:
    """The wide instruction that loads an address."""
    after, dst = site.next, site.instruction.dst

    def step(r: list[int], run: Run) -> int:
        r[dst] = find(run)
        return after

    return step


def call_local(site: Site) -> Step:
    after, target = site.next, site.target

    def step(r: list[int], run: Run) -> int:
        run.enter(after)
        return target

    return step


_LOST = UNWRITTEN[1:6]


def call_helper(site: Site, call: HelperCaller) -> Step:
    """A helper call: r0 gets the result, and r1..r5 are lost."""
    after = site.next

    def step(r: list[int], run: Run) -> int:
        r[0] = call(run, r[1:6])
        r[1:6] = _LOST
        return after

    return step


def tail_call(site: Site, find: ProgramFinder) -> Step:
    """`bpf_tail_call`: go on in another program; behind the call if there is none or they were too many."""
    after = site.next

    def step(r: list[int], run: Run) -> int:
        program = find(run, r[1:6])
        if program is None:
            r[0:6] = UNWRITTEN[0:6]
            return after
        run.memory.end(run.stack, TAIL_CALLED)
        run.begin(program)
        raise Switch(0)

    return step
