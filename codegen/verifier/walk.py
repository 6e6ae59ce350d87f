"""The way that the kernel's verifier goes through a program, and how far it gets.

After kernel/bpf/verifier.c of Linux 6.1, 6.12 and 7.2, which do nearly alike here: `do_check` follows the way on
which a branch is not taken, and keeps the other for later (`push_stack`). What it may not follow to its end are
programs of more steps than `MOST_STEPS`, or with more ways kept at once than `MOST_WAYS`. It skips what it saw before
(`is_state_visited`), where all that mattered there was as it is now.

Wherever the verifier knows more of values than is known here, or less, this walk takes what makes it shorter.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal, NamedTuple

from skverdict.codegen.machine.calls import helper
from skverdict.codegen.machine.graph import (
    ADD,
    END,
    FRAME_POINTER,
    JEQ,
    JGE,
    JGT,
    JLE,
    JLT,
    JNE,
    JSET,
    MASK64,
    MIRRORED,
    MOV,
    NEG,
    OPPOSITE,
    SUB,
)
from skverdict.codegen.verifier.code import (
    ADDRESS,
    ATOMIC,
    BRANCH,
    CALL,
    CALL_FUNCTION,
    COMPUTE,
    EXIT,
    JUMP,
    READ,
    WRITE,
    Step,
    steps_of,
)
from skverdict.codegen.verifier.needs import Needs
from skverdict.codegen.verifier.numbers import (
    UNKNOWN,
    Number,
    Range,
    compute,
    decide,
    lower_half,
    of_size,
    refined,
    within,
)
from skverdict.dsl.catalogue.programs import KERNELS, PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from skverdict.codegen.object import Object, Program

#: BPF_COMPLEXITY_LIMIT_INSNS of include/linux/bpf.h, and BPF_COMPLEXITY_LIMIT_JMP_SEQ of kernel/bpf/verifier.c.
MOST_STEPS, MOST_WAYS = 1_000_000, 8192

# Kinds of pointer. A `LIKELY` one may be NULL; `PLAIN` ones point to what does not matter here.
STACK, PACKET, PACKET_END, CONTEXT, LIKELY, PLAIN, FUNCTION, CONSTANTS = range(8)
# The end of the packet that a pointer is known to reach or to pass.
_INSIDE, _AT_END, _BEYOND = range(3)
# Where `data` and `data_end` lie in the contexts that have them (include/uapi/linux/bpf.h).
_DATA = {"__sk_buff": (76, 80), "sk_msg_md": (0, 8)}
_BIT_SIGNED = 1
# Since then (Linux 6.8) a number that is not the smallest it can be is known to be larger.
_EDGES_SINCE = "6.12"


class Pointer(NamedTuple):
    """An address: of what `kind`, `offset` bytes behind what `base` tells apart."""

    kind: int
    offset: int = 0
    base: int = 0
    reach: int = _INSIDE


Value = Number | Pointer | None


class _Frame:
    """The registers and the stack of one function. `back` is where its caller goes on."""

    __slots__ = ("back", "registers", "slots")

    def __init__(self, registers: list[Value], slots: dict[int, tuple[int, Value]], back: int) -> None:
        self.registers = registers
        self.slots = slots
        self.back = back

    def copy(self) -> _Frame:
        return _Frame(self.registers.copy(), self.slots.copy(), self.back)


class _Visit:
    """A place that was come to before, with what held there.

    `ways` is how many ways were kept then: when so few are left, all that follows was seen. `uses` are the uses of
    values that were found since, and `sought` the constants that must be there again, by register, once that is
    known.
    """

    __slots__ = ("done", "frames", "hits", "misses", "sought", "uses", "ways")

    def __init__(self, frames: list[_Frame], ways: int) -> None:
        self.frames = frames
        self.ways = ways
        self.uses = 0
        self.done = False
        self.sought: list[tuple[int, int]] | None = None
        self.hits = 0
        self.misses = 0


class Walked(NamedTuple):
    """How far the verifier gets: `steps` it goes, and the most `ways` that it keeps at once.

    `at` is where it stops if it does not get to the end, and `turns` how often it came to each branch whose other
    way it keeps then, or, if it went too many steps, how often it came to each branch. It is not `certain` if it
    went by constants that user space may set before the program is loaded. `by_edges`: what only later kernels know
    of numbers had a part in it.
    """

    steps: int
    ways: int
    at: int | None
    turns: Mapping[int, int]
    is_certain: bool
    by_edges: bool

    @property
    def is_too_much(self) -> bool:
        """True if it does not get to the end."""
        return self.ways > MOST_WAYS or self.steps > MOST_STEPS


def walk(
    object_: Object, program: Program, most_steps: int = MOST_STEPS, kernel: str = KERNELS[-1]
) -> Walked:
    """Go through one of the object's programs as `kernel` does; at most `most_steps`."""
    return _Walk(object_, program, KERNELS.index(kernel)).run(most_steps)


class _Walk:
    def __init__(self, object_: Object, program: Program, kernel: int) -> None:
        self.at_edges = kernel >= KERNELS.index(_EDGES_SINCE)
        self.endian: Literal["little", "big"] = "little" if object_.endian == "little" else "big"
        # Constants are read as they are, since user space cannot change them any more.
        self.constants = {
            slot: object_.data[reference.section].content
            for slot, reference in program.data.items()
            if object_.data[reference.section].read_only
        }
        self.references = program.data
        self.is_certain = True
        self.by_edges = False
        code = steps_of(program)
        self.steps = code.by_slot
        self.meetings = code.meetings
        self.needs = Needs(code)
        context = PROGRAMS[program.kind].context
        self.data, self.data_end = _DATA.get(context, (-1, -1))
        self.maps = program.maps
        self.frames = [_Frame([None] * 10, {}, -1)]
        self.frames[0].registers[1] = Pointer(CONTEXT)
        self.at = 0
        self.kept: list[tuple[int, int, list[_Frame]]] = []
        self.visits: dict[int, list[_Visit]] = {}
        self.open: list[_Visit] = []
        self.uses = 0
        self.identities = 0
        self.jumps = self.last_jumps = self.count = self.last_count = self.most_ways = 0
        self.branched: Counter[int] = Counter()
        self.callbacks: set[int] = set()

    def run(self, most_steps: int) -> Walked:
        steps, meetings = self.steps, self.meetings
        while True:
            if self.count >= most_steps:
                return self._walked(self.at, self.branched)
            self.count += 1
            at = self.at
            if at in meetings and self._was_seen(at):
                if not self._next_way():
                    break
                continue
            step = steps[at]
            self.at = step.then
            if not self._do(at, step) and not self._next_way():
                break
            if len(self.kept) > MOST_WAYS:
                return self._walked(at, Counter(branch for branch, _, _ in self.kept))
        return self._walked(None, self.branched)

    def _walked(self, at: int | None, turns: Mapping[int, int]) -> Walked:
        return Walked(self.count, self.most_ways, at, turns, self.is_certain, self.by_edges)

    # Ways.

    def _keep(self, at: int, target: int, frames: list[_Frame]) -> None:
        self.kept.append((at, target, frames))
        self.most_ways = max(self.most_ways, len(self.kept))

    def _next_way(self) -> bool:
        """Go on with the way that was kept last; False if there is none."""
        left = len(self.kept)
        opened = self.open
        while opened and opened[-1].ways >= left:
            visit = opened.pop()
            visit.done = True
            if opened:
                opened[-1].uses |= visit.uses
        if not left:
            return False
        _, self.at, self.frames = self.kept.pop()
        return True

    def _copied(self) -> list[_Frame]:
        return [frame.copy() for frame in self.frames]

    def _use(self, at: int) -> None:
        """Note that the verifier wants to know the numbers that the step works on."""
        bit = self.needs.bit(at)
        if self.open:
            self.open[-1].uses |= bit

    def _was_seen(self, at: int) -> bool:
        """`is_state_visited`: True if what follows was followed before; else this visit may be remembered."""
        remember = self.jumps - self.last_jumps >= 2 and self.count - self.last_count >= 8
        visits = self.visits.get(at)
        if visits is None:
            visits = self.visits[at] = []
        useless = None
        registers = self.frames[-1].registers
        for visit in reversed(visits):
            if not visit.done:
                if self.jumps - self.last_jumps < 20 and self.count - self.last_count < 100:
                    remember = False
            elif self._has_sought(at, visit, registers) and self._is_like(at, visit):
                visit.hits += 1
                if self.open:
                    self.open[-1].uses |= visit.uses
                return True
            if remember:
                visit.misses += 1
            if visit.misses > 3 * visit.hits + 3:
                useless = [visit] if useless is None else [*useless, visit]
        if useless is not None:
            self.visits[at] = visits = [visit for visit in visits if visit not in useless]
        if remember:
            visit = _Visit(self._copied(), len(self.kept))
            visits.append(visit)
            self.open.append(visit)
            self.last_jumps, self.last_count = self.jumps, self.count
        return False

    def _has_sought(self, at: int, visit: _Visit, registers: list[Value]) -> bool:
        """False for most that are not alike, soon."""
        sought = visit.sought
        if sought is None:
            need = self.needs.at(at, visit.uses).registers & self.needs.live[at]
            then = visit.frames[-1].registers
            sought = visit.sought = [
                (register, number)
                for register, number in enumerate(then)
                if need >> register & 1 and isinstance(number, int)
            ]
        return all(registers[register] == number for register, number in sought)

    def _is_like(self, at: int, visit: _Visit) -> bool:
        """`states_equal`: True if all that mattered after the visit was as it is now."""
        if len(visit.frames) != len(self.frames):
            return False
        place = at
        for then, now in zip(reversed(visit.frames), reversed(self.frames), strict=True):
            if then.back != now.back:
                return False
            live = self.needs.live[place]
            need = self.needs.at(place, visit.uses)
            if place != at:
                live &= ~1
            for register in range(10):
                if not live >> register & 1:
                    continue
                old, new = then.registers[register], now.registers[register]
                if not _alike(old, new, bool(need.registers >> register & 1)):
                    return False
            for offset in need.slots:
                old_size, old = then.slots.get(offset, (0, None))
                new_size, new = now.slots.get(offset, (0, None))
                if old is not None and (old_size != new_size or not _alike(old, new, True)):
                    return False
            place = now.back
        return True

    # Steps. Each gives False where the way ends.

    def _do(self, at: int, step: Step) -> bool:
        kind = step.kind
        if kind == COMPUTE:
            self._compute(at, step)
        elif kind == BRANCH:
            self.jumps += 1
            self._branch(at, step)
        elif kind == READ:
            self._read(step)
        elif kind == WRITE:
            self._write(step)
        elif kind == JUMP:
            self.jumps += 1
            self.at = step.target
        elif kind == CALL:
            self.jumps += 1
            self._call(at, step)
        elif kind == CALL_FUNCTION:
            self.jumps += 1
            registers: list[Value] = [None] * 10
            registers[1:6] = self.frames[-1].registers[1:6]
            self.frames.append(_Frame(registers, {}, step.then))
            self.at = step.target
        elif kind == EXIT:
            self.jumps += 1
            return self._leave()
        elif kind == ADDRESS:
            self.frames[-1].registers[step.goal] = self._address(at, step)
        elif kind == ATOMIC:
            self._atomic(step)
        return True

    def _leave(self) -> bool:
        left = self.frames.pop()
        if not self.frames:
            return False
        registers = self.frames[-1].registers
        registers[:6] = [left.registers[0], None, None, None, None, None]
        self.at = left.back
        return True

    def _new(self, number: Number) -> Number:
        """A number of its own."""
        if isinstance(number, int):
            return number
        self.identities += 1
        return Range(number.wide, number.narrow, self.identities)

    def _value(self, register: int) -> Value:
        if register == FRAME_POINTER:
            return Pointer(STACK, 0, len(self.frames) - 1)
        return self.frames[-1].registers[register]

    def _second(self, step: Step) -> Value:
        return self._value(step.source) if step.has_register else step.imm & MASK64

    def _address(self, at: int, step: Step) -> Value:
        if at in self.constants:
            return Pointer(CONSTANTS, self.references[at].offset, at)
        if at in self.maps or step.source:
            return Pointer(FUNCTION, 0, step.target) if step.target != step.then else Pointer(PLAIN, 0, at)
        return step.imm & MASK64

    def _compute(self, at: int, step: Step) -> None:
        registers = self.frames[-1].registers
        second = self._second(step)
        if step.code == MOV:
            if isinstance(second, (int, Range)):
                if step.offset:
                    second = _extended(second, step.offset)
                if step.bits == 32:
                    second = lower_half(second)
                if isinstance(second, Range) and not second.identity:
                    second = self._new(second)
                    if step.has_register and step.bits == 64 and not step.offset:
                        registers[step.source] = second
            registers[step.goal] = second
            return
        first = registers[step.goal]
        if isinstance(first, Pointer) or isinstance(second, Pointer):
            registers[step.goal] = self._moved(at, step, first, second)
            return
        if step.code == END or first is None or second is None:
            first, second = UNKNOWN, UNKNOWN
        if step.code == NEG:
            registers[step.goal] = self._new(compute(SUB, step.bits, 0, first))
            return
        signed = step.offset == _BIT_SIGNED
        registers[step.goal] = self._new(compute(step.code, step.bits, first, second, signed))

    def _moved(self, at: int, step: Step, first: Value, second: Value) -> Value:
        """A pointer to which a number is added, or the difference of two."""
        if step.code not in (ADD, SUB) or (isinstance(first, Pointer) and isinstance(second, Pointer)):
            return self._new(UNKNOWN)
        pointer, number = (first, second) if isinstance(first, Pointer) else (second, first)
        if not isinstance(pointer, Pointer):
            return None
        if step.has_register:
            self._use(at)
        if isinstance(number, int):
            distance = number - (1 << 64) if number >> 63 else number
            return pointer._replace(offset=pointer.offset + (distance if step.code == ADD else -distance))
        if pointer.kind == CONSTANTS:
            return Pointer(PLAIN, 0, at)
        self.identities += 1
        return pointer._replace(base=self.identities if pointer.kind == PACKET else pointer.base, reach=_INSIDE)

    def _read(self, step: Step) -> None:
        registers = self.frames[-1].registers
        base = self._value(step.source)
        result: Value = None
        if isinstance(base, Pointer):
            if base.kind == STACK:
                size, kept = self.frames[base.base].slots.get(base.offset + step.offset, (0, None))
                result = kept if size == step.size else None
            elif base.kind == CONTEXT and base.offset + step.offset == self.data:
                result = Pointer(PACKET)
            elif base.kind == CONTEXT and base.offset + step.offset == self.data_end:
                result = Pointer(PACKET_END)
            elif base.kind == CONSTANTS:
                self.is_certain = False
                place = base.offset + step.offset
                content = self.constants[base.base][place : place + step.size]
                result = int.from_bytes(content, self.endian)
        registers[step.goal] = self._new(of_size(step.size)) if result is None else result

    def _write(self, step: Step) -> None:
        base = self._value(step.goal)
        if not isinstance(base, Pointer) or base.kind != STACK:
            return
        offset = base.offset + step.offset
        slots = self.frames[base.base].slots
        _forget(slots, offset, step.size)
        value = self._second(step)
        if value is not None:
            slots[offset] = step.size, value

    def _atomic(self, step: Step) -> None:
        base = self._value(step.goal)
        if isinstance(base, Pointer) and base.kind == STACK:
            _forget(self.frames[base.base].slots, base.offset + step.offset, step.size)
        registers = self.frames[-1].registers
        if step.imm & 1:
            registers[0 if step.imm & 0xF0 == 0xF0 else step.source] = self._new(UNKNOWN)

    def _call(self, at: int, step: Step) -> None:
        registers = self.frames[-1].registers
        called = helper(step.imm)
        arguments = called.arguments if called is not None else ()
        for argument, value in zip(arguments, registers[1:6], strict=False):
            if argument.kind in ("size", "alloc_size") and isinstance(value, (int, Range)):
                self._use(at)
            if not isinstance(value, Pointer):
                continue
            if value.kind == STACK and argument.kind in ("value_buffer", "buffer", "number", "callback_context"):
                slots = self.frames[value.base].slots
                _forget(slots, value.offset, -value.offset)
            elif value.kind == FUNCTION and argument.kind == "callback" and value.base not in self.callbacks:
                self.callbacks.add(value.base)
                given: list[Value] = [None, *(self._new(UNKNOWN) for _ in range(5)), None, None, None, None]
                self._keep(at, value.base, [_Frame(given, {}, -1)])
        if called is not None and called.moves_buffer:
            self._forget_packet()
        registers[:6] = [None] * 6
        returns = called.returns if called is not None else "i64"
        if returns in ("i64", "u64", "u32", "void"):
            registers[0] = self._new(UNKNOWN)
        else:
            self.identities += 1
            registers[0] = Pointer(PLAIN if returns.endswith("!") else LIKELY, 0, self.identities)

    def _forget_packet(self) -> None:
        for frame in self.frames:
            frame.registers[:] = [
                None if isinstance(value, Pointer) and value.kind in (PACKET, PACKET_END) else value
                for value in frame.registers
            ]

    # Branches.

    def _branch(self, at: int, step: Step) -> None:
        first, second = self._value(step.goal), self._second(step)
        if first is None:
            first = UNKNOWN
        if second is None:
            second = UNKNOWN
        taken = self._decided(at, step, first, second)
        self.branched[at] += 1
        if taken is not None:
            if taken:
                self.at = step.target
            return
        other = self._copied()
        self._keep(at, step.target, other)
        self._learn(other[-1], step, step.code, first, second)
        opposite = OPPOSITE.get(step.code)
        if opposite is not None:
            self._learn(self.frames[-1], step, opposite, first, second)

    def _decided(self, at: int, step: Step, first: Value, second: Value) -> bool | None:
        if isinstance(first, (int, Range)) and isinstance(second, (int, Range)):
            taken = decide(step.code, step.bits, first, second)
            if taken is not None:
                self._use(at)
            return taken
        if isinstance(first, Pointer) and isinstance(second, Pointer):
            return _past_end(step.code, first, second)
        if isinstance(first, Pointer) and second == 0 and first.kind != LIKELY and step.code in (JEQ, JNE):
            return step.code == JNE
        return None

    def _learn(self, frame: _Frame, step: Step, code: int, first: Value, second: Value) -> None:
        """What a way tells of the values that the branch compared."""
        if isinstance(first, Pointer) and isinstance(second, Pointer):
            self._learn_reach(frame, step, code, first, second)
        elif isinstance(first, Pointer):
            if first.kind == LIKELY and second == 0 and code in (JEQ, JNE):
                known: Value = 0 if code == JEQ else first._replace(kind=PLAIN)
                _replace(frame, lambda value: isinstance(value, Pointer) and value[::2] == first[::2], known)
        elif isinstance(first, Range) and isinstance(second, int) and code != JSET:
            self._narrow(frame, step, step.goal, code, first, second)
        elif isinstance(second, Range) and isinstance(first, int) and code in MIRRORED:
            self._narrow(frame, step, step.source, MIRRORED[code], second, first)

    def _narrow(self, frame: _Frame, step: Step, register: int, code: int, old: Range, bound: int) -> None:
        new = refined(code, step.bits, old, bound, self.at_edges)
        self.by_edges = self.by_edges or (code == JNE and new != old)
        frame.registers[register] = new
        if old.identity:
            _replace(frame, lambda value: isinstance(value, Range) and value.identity == old.identity, new)

    def _learn_reach(self, frame: _Frame, step: Step, code: int, first: Pointer, second: Pointer) -> None:
        """A pointer that was found to be behind the packet's end, or at it (`mark_pkt_end`)."""
        if first.kind == PACKET_END and second.kind == PACKET:
            first, second, code = second, first, MIRRORED.get(code, code)
            register = step.source
        else:
            register = step.goal
        if first.kind == PACKET and second.kind == PACKET_END and code in (JGT, JGE) and register < FRAME_POINTER:
            frame.registers[register] = first._replace(reach=_BEYOND if code == JGT else _AT_END)


def _past_end(code: int, first: Pointer, second: Pointer) -> bool | None:
    """`is_pkt_ptr_branch_taken`."""
    if first.kind == PACKET_END and second.kind == PACKET:
        first, second, code = second, first, MIRRORED.get(code, code)
    if first.kind != PACKET or second.kind != PACKET_END or first.reach == _INSIDE:
        return None
    if first.reach == _BEYOND and code in (JGT, JLE):
        return code == JGT
    return code == JGE if code in (JGE, JLT) else None


def _alike(old: Value, new: Value, matters: bool) -> bool:
    """`regsafe`: True if `new` is nothing that `old` was not, as far as the verifier cares."""
    if old is None:
        return True
    if isinstance(old, Pointer):
        if not isinstance(new, Pointer) or old.kind != new.kind or old.reach != new.reach:
            return False
        return old.offset == new.offset or old.kind == PLAIN
    if isinstance(new, Pointer) or new is None:
        return False
    return not matters or within(new, old)


def _extended(number: Number, bits: int) -> Number:
    """A number of few bits with its sign (MOVSX)."""
    if isinstance(number, Range):
        return UNKNOWN
    low = number & (1 << bits) - 1
    return (low - (1 << bits) if low >> (bits - 1) else low) & MASK64


def _forget(slots: dict[int, tuple[int, Value]], offset: int, size: int) -> None:
    """What lay in these bytes of the stack is there no more."""
    for place in [place for place, (wide, _) in slots.items() if place < offset + size and offset < place + wide]:
        del slots[place]


def _replace(frame: _Frame, is_same: Callable[[Value], bool], new: Value) -> None:
    """Wherever the function keeps the same value, it knows the same of it."""
    registers = frame.registers
    for register, value in enumerate(registers):
        if is_same(value):
            registers[register] = new
    for offset, (size, value) in frame.slots.items():
        if is_same(value):
            frame.slots[offset] = size, new
