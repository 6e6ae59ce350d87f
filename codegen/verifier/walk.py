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
    AND,
    END,
    FRAME_POINTER,
    JEQ,
    JGE,
    JGT,
    JLE,
    JLT,
    JNE,
    MASK64,
    MIRRORED,
    MOV,
    NEG,
    OR,
    SUB,
)
from skverdict.codegen.verifier import accesses, stack
from skverdict.codegen.verifier.accesses import Problem
from skverdict.codegen.verifier.arguments import given
from skverdict.codegen.verifier.arithmetic import compute, negated, swapped
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
from skverdict.codegen.verifier.comparisons import CONTRARY, decide, refined
from skverdict.codegen.verifier.frames import REGISTERS, Frame
from skverdict.codegen.verifier.links import linked, moved_on, replace, spread
from skverdict.codegen.verifier.needs import Needs
from skverdict.codegen.verifier.numbers import (
    SINCE_6_12,
    SINCE_7_2,
    UNCLEAR,
    UNKNOWN,
    Number,
    Range,
    at_width,
    constant,
    contradicts_itself,
    doubted,
    extended,
    is_sure,
    lower_half,
    of_size,
)
from skverdict.codegen.verifier.regions import value_size
from skverdict.codegen.verifier.values import (
    AT_END,
    BEYOND,
    CONSTANTS,
    CONTEXT,
    FUNCTION,
    INSIDE,
    MAP,
    MEMORY,
    OTHER,
    PACKET,
    PACKET_END,
    STACK,
    VALUE,
    Pointer,
    Value,
    is_alike,
    is_followed,
    moved,
    unclear,
)
from skverdict.dsl.catalogue.programs import KERNELS, PROGRAMS
from skverdict.dsl.ir.module import TAIL_CALL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from skverdict.codegen.object import Object, Program
    from skverdict.codegen.verifier.arguments import Memory
    from skverdict.dsl.catalogue.helpers import Helper

#: BPF_COMPLEXITY_LIMIT_INSNS of include/linux/bpf.h, and BPF_COMPLEXITY_LIMIT_JMP_SEQ of kernel/bpf/verifier.c.
MOST_STEPS, MOST_WAYS = 1_000_000, 8192

# Where `data` and `data_end` lie in the contexts that have them (include/uapi/linux/bpf.h).
_DATA = {"__sk_buff": (76, 80), "sk_msg_md": (0, 8)}
_BIT_SIGNED = 1
# Of the results of these helpers verifiers know bounds (`do_refine_retval_range`), some of them the machine's.
_KNOWN_RESULTS = frozenset(
    (
        "bpf_get_smp_processor_id",
        "bpf_get_task_stack",
        "bpf_probe_read_kernel_str",
        "bpf_probe_read_user_str",
    )
)
# What helpers give that must be released.
_HELD = frozenset(("record", "socket"))
# What a helper that calls back gives to the function: only the number of a turn is a number for certain.
_TURN = ("bpf_loop", UNKNOWN)


class _Visit:
    """A place that was come to before, with what held there.

    `ways` is how many ways were kept then: when so few are left, all that follows was seen. `uses` are the uses of
    values that were found since, and `sought` the constants that must be there again, by register, once that is
    known. `references` is how many were held.
    """

    __slots__ = ("done", "frames", "hits", "misses", "references", "sought", "uses", "ways")

    def __init__(self, frames: list[Frame], ways: int, references: int) -> None:
        self.frames = frames
        self.references = references
        self.ways = ways
        self.uses = 0
        self.done = False
        self.sought: list[tuple[int, int]] | None = None
        self.hits = 0
        self.misses = 0


class Walked(NamedTuple):
    """How far the verifier gets: `steps` it goes, and the most `ways` that it keeps at once.

    `at` is where it stops if it does not get to the end, because of the `problem` that is there if any, and `turns`
    how often it came to each branch whose other way it keeps then, or, if it went too many steps, how often it came
    to each branch. It is not `certain` if it went by constants that user space may set before the program is loaded.
    `by_edges`: what only later kernels know of numbers had a part in it.
    """

    steps: int
    ways: int
    at: int | None
    turns: Mapping[int, int]
    is_certain: bool
    by_edges: bool
    problem: Problem | None = None

    @property
    def is_too_much(self) -> bool:
        """True if it does not get to the end for the work that it is."""
        return self.ways > MOST_WAYS or self.steps > MOST_STEPS


class _Refused(Exception):
    """The verifier goes no further."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem


def walk(
    object_: Object, program: Program, most_steps: int = MOST_STEPS, kernel: str = KERNELS[-1]
) -> Walked:
    """Go through one of the object's programs as `kernel` does; at most `most_steps`."""
    return _Walk(object_, program, KERNELS.index(kernel)).run(most_steps)


class _Walk:
    def __init__(self, object_: Object, program: Program, age: int) -> None:
        self.age = age
        self.endian: Literal["little", "big"] = "little" if object_.endian == "little" else "big"
        self.program = program
        self.data = object_.data
        self.sections = list(object_.data)
        self.maps = list(object_.maps.values())
        self.map_names = list(object_.maps)
        self.value_sizes = [value_size(object_, spec) for spec in self.maps]
        self.is_certain = True
        self.by_edges = False
        code = steps_of(program)
        self.steps = code.by_slot
        self.meetings = code.meetings
        self.needs = Needs(code)
        context = PROGRAMS[program.kind].context
        self.begin, self.end = _DATA.get(context, (-1, -1))
        self.frames = [Frame([None] * REGISTERS, {}, -1)]
        self.frames[0].registers[1] = Pointer(CONTEXT)
        self.at = 0
        # It came here by a comparison of which the verifier may know more than is known here.
        self.is_doubtful = False
        self.saw_contradiction = False
        # What must be released before the end, by the `base` of the pointers to it.
        self.references: frozenset[int] = frozenset()
        self.kept: list[tuple[int, int, list[Frame], frozenset[int], bool]] = []
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
            try:
                goes_on = self._do(at, step)
            except _Refused as refused:
                return self._walked(at, self.branched)._replace(problem=refused.problem)
            if not goes_on and not self._next_way():
                break
            if len(self.kept) > MOST_WAYS:
                return self._walked(at, Counter(branch for branch, *_ in self.kept))
        return self._walked(None, self.branched)

    def _walked(self, at: int | None, turns: Mapping[int, int]) -> Walked:
        return Walked(self.count, self.most_ways, at, turns, self.is_certain, self.by_edges)

    # Ways.

    def _keep(self, at: int, target: int, frames: list[Frame]) -> None:
        self.kept.append((at, target, frames, self.references, self.is_doubtful))
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
        _, self.at, self.frames, self.references, self.is_doubtful = self.kept.pop()
        return True

    def _copied(self) -> list[Frame]:
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
            visit = _Visit(self._copied(), len(self.kept), len(self.references))
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
        if len(visit.frames) != len(self.frames) or visit.references != len(self.references):
            return False
        place = at
        for then, now in zip(reversed(visit.frames), reversed(self.frames), strict=True):
            if then.back != now.back:
                return False
            live = self.needs.live[place]
            need = self.needs.at(place, visit.uses)
            if place != at:
                live &= ~1
            for register in range(REGISTERS):
                if not live >> register & 1:
                    continue
                old, new = then.registers[register], now.registers[register]
                if old is not new and not is_alike(old, new, bool(need.registers >> register & 1)):
                    return False
            if then.words and not self._has_like_words(then, now, need.words, self.needs.live_words(place)):
                return False
            place = now.back
        return True

    @staticmethod
    def _has_like_words(then: Frame, now: Frame, needed: tuple[int, ...], live: tuple[int, ...]) -> bool:
        """`stacksafe`: numbers that are needed, and pointers that are read."""
        for base in live:
            old = then.words.get(base)
            if old is None:
                continue
            new = now.words.get(base)
            if base in needed:
                if old.value is not None and (new is None or not is_alike(old.value, new.value, True)):
                    return False
            elif isinstance(old.value, Pointer) and (new is None or not is_alike(old.value, new.value, False)):
                return False
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
            registers: list[Value] = [None] * REGISTERS
            registers[1:6] = self.frames[-1].registers[1:6]
            self.frames.append(Frame(registers, {}, step.then))
            self.at = step.target
        elif kind == EXIT:
            self.jumps += 1
            return self._leave()
        elif kind == ADDRESS:
            self.frames[-1].registers[step.goal] = self._address(at, step)
        elif kind == ATOMIC:
            self._atomic(step)
        if at in self.program.kernel and kind == COMPUTE:
            # The loader writes another constant there.
            self.frames[-1].registers[step.goal] = UNCLEAR
        return True

    def _leave(self) -> bool:
        if len(self.frames) == 1:
            self._check_references()
            return False
        left = self.frames.pop()
        registers = self.frames[-1].registers
        registers[:6] = [left.registers[0], None, None, None, None, None]
        self.at = left.back
        return True

    def _identity(self) -> int:
        self.identities += 1
        return self.identities

    def _value(self, register: int) -> Value:
        if register == FRAME_POINTER:
            return Pointer(STACK, 0, len(self.frames) - 1)
        return self.frames[-1].registers[register]

    def _number(self, register: int) -> Number:
        value = self._value(register)
        return UNCLEAR if value is None or isinstance(value, Pointer) else value

    def _second(self, step: Step) -> Value:
        return self._value(step.source) if step.has_register else step.imm & MASK64

    def _address(self, at: int, step: Step) -> Value:
        reference = self.program.data.get(at)
        if reference is not None:
            section = self.data[reference.section]
            kind = CONSTANTS if section.read_only else VALUE
            base = self.sections.index(reference.section)
            return Pointer(kind, reference.offset, base, size=len(section.content))
        if at in self.program.maps:
            return Pointer(MAP, 0, self.map_names.index(self.program.maps[at].map))
        if step.target != step.then:
            return Pointer(FUNCTION, 0, step.target)
        return Pointer(OTHER) if step.source else step.imm & MASK64

    # Numbers.

    def _compute(self, at: int, step: Step) -> None:
        registers = self.frames[-1].registers
        if step.code == MOV:
            registers[step.goal] = self._copied_value(step)
            return
        first, second = registers[step.goal], self._second(step)
        if isinstance(first, Pointer) or (isinstance(second, Pointer) and step.code not in (NEG, END)):
            registers[step.goal] = self._moved(at, step, first, second)
            return
        one = UNCLEAR if first is None else first
        if step.code == NEG:
            registers[step.goal] = negated(step.bits, one, self.age)
        elif step.code == END:
            # An unconditional swap, or the one to the byte order that is not the machine's.
            is_turned = step.bits == 64 or step.is_flagged != (self.endian == "big")
            registers[step.goal] = swapped(one, step.imm // 8, is_turned, self.age)
        else:
            other = UNCLEAR if second is None or isinstance(second, Pointer) else second
            if step.code in (AND, OR) and constant(other) is not None and self.age >= SINCE_6_12:
                one = self._parted(at, step, one)
            result = compute(step.code, step.bits, one, other, step.offset == _BIT_SIGNED, self.age)
            registers[step.goal] = moved_on(step.code, step.bits, one, other, result, self.age)

    def _copied_value(self, step: Step) -> Value:
        second = self._second(step)
        if not isinstance(second, Range):
            if isinstance(second, int):
                number = extended(second, step.offset) if step.offset else second
                return lower_half(number) if step.bits == 32 else number
            # The lower half of a pointer is any number.
            return UNKNOWN if step.bits == 32 and second is not None else second
        if step.offset:
            copied = extended(second, step.offset)
            copied = copied if copied is second or isinstance(copied, int) else copied._replace(identity=0)
        else:
            copied = second
        if step.bits == 32:
            copied = lower_half(copied, self.age)
        if copied is second:
            # It is the same number in both.
            copied = linked(second, self._identity(), self.age)
            if step.has_register:
                self.frames[-1].registers[step.source] = copied
        return copied

    def _parted(self, at: int, step: Step, number: Number) -> Number:
        """A number that is 0 or -1 is looked at as the one and as the other (`maybe_fork_scalars`)."""
        if isinstance(number, int) or (number.wide.least, number.wide.most) != (-1, 0):
            return number
        other = self._copied()
        other[-1].registers[step.goal] = 0
        self._keep(at, at, other)
        return MASK64

    def _moved(self, at: int, step: Step, first: Value, second: Value) -> Value:
        """A pointer to which a number is added, or the difference of two."""
        if isinstance(first, Pointer) and isinstance(second, Pointer):
            return UNKNOWN if is_followed(first) and is_followed(second) else UNCLEAR
        if step.code not in (ADD, SUB) or step.bits != 64:
            return UNCLEAR
        pointer, number = (first, second) if isinstance(first, Pointer) else (second, first)
        if not isinstance(pointer, Pointer) or number is None or isinstance(number, Pointer):
            return UNCLEAR
        if step.has_register:
            self._use(at)
        if pointer.kind == OTHER:
            return pointer
        if contradicts_itself(at_width(number, 64)):
            self.saw_contradiction = True
            return UNKNOWN
        self._check(accesses.refused_sum(pointer, number))
        known = constant(number)
        return moved(pointer, step.code, number if known is None else known, self._identity(), self.age)

    # Memory.

    def _check(self, problem: Problem | None) -> None:
        if problem is None or self.is_doubtful:
            return
        if problem.cause == accesses.NO_POINTER and self.saw_contradiction:
            problem = problem._replace(cause=accesses.DEAD)
        raise _Refused(problem)

    def _read(self, step: Step) -> None:
        base = self._value(step.source)
        self._check(accesses.refused(base, step.offset, step.size, self.age))
        self.frames[-1].registers[step.goal] = self._content(base, step)

    def _content(self, base: Value, step: Step) -> Value:
        """What lies at an address."""
        if not isinstance(base, Pointer):
            return unclear(self._extended(step, of_size(step.size)))
        offset = base.offset + step.offset
        if base.kind == STACK:
            words = self.frames[base.base].words
            if isinstance(base.extra, int):
                try:
                    return self._extended(
                        step, stack.load(words, offset, step.size, self.endian, self.age)
                    )
                except stack.Mixture:
                    self._check(Problem(accesses.MIXED, STACK, None, step.size))
            return unclear(self._extended(step, of_size(step.size)))
        if base.kind == CONTEXT:
            if offset == self.begin:
                return Pointer(PACKET)
            if offset == self.end:
                return Pointer(PACKET_END)
            return of_size(step.size) if step.size < 8 else UNCLEAR
        if base.kind == CONSTANTS and isinstance(base.extra, int):
            self.is_certain = False
            content = self.data[self.sections[base.base]].content[offset : offset + step.size]
            return self._extended(step, int.from_bytes(content, self.endian))
        found = self._extended(step, of_size(step.size))
        return unclear(found) if base.kind == OTHER and step.size == 8 else found

    @staticmethod
    def _extended(step: Step, value: Value) -> Value:
        """As a load with a sign gives it."""
        if not step.is_flagged or value is None or isinstance(value, Pointer):
            return value
        return extended(value, 8 * step.size)

    def _write(self, step: Step) -> None:
        base = self._value(step.goal)
        self._check(accesses.refused(base, step.offset, step.size, self.age))
        if not isinstance(base, Pointer) or base.kind != STACK:
            return
        words = self.frames[base.base].words
        value = self._second(step)
        offset = base.offset + step.offset
        if isinstance(base.extra, Range):
            if not base.extra.is_sure:
                stack.forget(words, -accesses.STACK_SIZE, 0)
                return
            low, high = base.extra.wide.least + offset, base.extra.wide.most + offset + step.size
            stack.scatter(words, low, high, value == 0, self.age)
            return
        if isinstance(value, Range) and step.has_register and self.age >= SINCE_6_12:
            value = linked(value, self._identity(), self.age)
            self.frames[-1].registers[step.source] = value
        stack.store(words, offset, step.size, value, step.has_register, self.age)

    def _atomic(self, step: Step) -> None:
        base = self._value(step.goal)
        self._check(accesses.refused(base, step.offset, step.size, self.age))
        if isinstance(base, Pointer) and base.kind == STACK and isinstance(base.extra, int):
            offset = base.offset + step.offset
            stack.overwrite(self.frames[base.base].words, offset, offset + step.size)
        if step.imm & 1:
            registers = self.frames[-1].registers
            registers[0 if step.imm & 0xF0 == 0xF0 else step.source] = unclear(of_size(step.size))

    # Calls.

    def _call(self, at: int, step: Step) -> None:
        registers = self.frames[-1].registers
        called = helper(step.imm) if not step.source else None
        values = registers[1 : 6 if called is None else 1 + len(called.arguments)]
        if called is None:
            self._forget_stacks(values)
            registers[:6] = [None] * 6
            registers[0] = UNCLEAR
            return
        memory = list(given(called, values, self.maps))
        for each in memory:
            if not (each.may_be_null and _may_be_null(each.address)):
                self._check(
                    accesses.refused_memory(each.address, each.length, each.may_be_empty, self.age)
                )
        for argument, value in zip(called.arguments, values, strict=False):
            if argument.kind in ("size", "alloc_size") and isinstance(value, (int, Range)):
                self._use(at)
            if isinstance(value, Pointer) and value.kind == FUNCTION and argument.kind == "callback":
                self._keep_callback(at, value.base, called.name)
        places = {each.place for each in memory}
        self._forget_stacks([value for place, value in enumerate(values) if place not in places])
        for each in memory:
            self._overwrite(each)
        if called.name == TAIL_CALL:
            self._check_references()
        if called.releases:
            place = [argument.name for argument in called.arguments].index(called.releases)
            self._release(values[place])
        if called.moves_buffer:
            self._forget_packet()
        result = self._result(called, values)
        if called.acquires and called.returns in _HELD and isinstance(result, Pointer):
            self.references |= {result.base}
        registers[:6] = [None] * 6
        registers[0] = result

    def _check_references(self) -> None:
        """`check_reference_leak`."""
        if self.references:
            self._check(Problem(accesses.HELD))

    def _release(self, value: Value) -> None:
        """What is handed back can no more be used (`release_reference`)."""
        if not isinstance(value, Pointer) or value.base not in self.references:
            # It is held by a pointer that is not followed.
            self.references = frozenset()
            self.is_doubtful = True
            return
        self.references -= {value.base}
        replace(
            self.frames,
            lambda other: isinstance(other, Pointer) and other.kind == value.kind and other.base == value.base,
            lambda _: UNKNOWN,
        )

    def _keep_callback(self, at: int, function: int, name: str) -> None:
        """A function that a helper calls is looked at by itself, with arguments that are not followed."""
        if function in self.callbacks:
            return
        self.callbacks.add(function)
        registers: list[Value] = [None] * REGISTERS
        registers[1:6] = [UNCLEAR] * 5
        if name == _TURN[0]:
            registers[1] = _TURN[1]
        held, self.references = self.references, frozenset()
        self._keep(at, function, [Frame(registers, {}, -1)])
        self.references = held

    def _overwrite(self, memory: Memory) -> None:
        """What a helper may have written to the stack; before Linux 7.2 also where it only reads."""
        address, length = memory.address, memory.length
        if not isinstance(address, Pointer) or address.kind != STACK:
            return
        words = self.frames[address.base].words
        if not is_followed(address) or not is_followed(length):
            if memory.is_written or self.age < SINCE_7_2:
                stack.forget(words, -accesses.STACK_SIZE, 0)
            return
        if not memory.is_written and self.age >= SINCE_7_2:
            return
        _, _, least, most = address.whole(self.age)
        stack.overwrite(words, least, most + at_width(length, 64).high)

    def _forget_stacks(self, values: list[Value]) -> None:
        """Whoever has an address in the stack may write above it what is not followed."""
        for value in values:
            if isinstance(value, Pointer) and value.kind == STACK:
                low = value.offset if isinstance(value.extra, int) else -accesses.STACK_SIZE
                stack.forget(self.frames[value.base].words, low, 0)

    def _result(self, called: Helper, values: list[Value]) -> Value:
        """What a helper gives."""
        kind = called.returns.removesuffix("!")
        if kind in ("i64", "u64", "u32", "void"):
            return UNCLEAR if called.name in _KNOWN_RESULTS else UNKNOWN
        may_be_null = kind == called.returns
        base, size, what = self._identity(), 0, OTHER
        map_ = values[0] if values else None
        if kind == "map_value" and isinstance(map_, Pointer) and map_.kind == MAP:
            size = self.value_sizes[map_.base]
            what = VALUE if size else OTHER
        elif kind in ("record", "memory"):
            places = [n for n, each in enumerate(called.arguments) if each.kind == "alloc_size"]
            length = values[places[0]] if places else None
            if isinstance(length, int):
                what, size = MEMORY, length
        return Pointer(what, 0, base, size=size, may_be_null=may_be_null)

    def _forget_packet(self) -> None:
        replace(
            self.frames,
            lambda value: isinstance(value, Pointer) and value.kind in (PACKET, PACKET_END),
            lambda _: UNKNOWN,
        )

    # Branches.

    def _branch(self, at: int, step: Step) -> None:
        first, second = self._value(step.goal), self._second(step)
        if first is None:
            first = UNCLEAR
        if second is None:
            second = UNCLEAR
        taken = self._decided(at, step, first, second)
        self.branched[at] += 1
        if taken is not None:
            if taken:
                self.at = step.target
            return
        self.is_doubtful = self.is_doubtful or not (is_followed(first) and is_followed(second))
        other = self._copied()
        held = self.references
        if isinstance(first, Pointer) and first.base in held and second == 0 and step.code in (JEQ, JNE):
            # There is nothing to hand back where there is nothing.
            self.references = held - {first.base} if step.code == JEQ else held
            held = held if step.code == JEQ else held - {first.base}
        self._keep(at, step.target, other)
        self.references = held
        self._learn(other, step, step.code, first, second)
        self._learn(self.frames, step, CONTRARY[step.code], first, second)

    def _decided(self, at: int, step: Step, first: Value, second: Value) -> bool | None:
        if isinstance(first, (int, Range)) and isinstance(second, (int, Range)):
            taken = self._decided_numbers(step, first, second)
            if taken is not None:
                self._use(at)
            return taken
        if isinstance(first, Pointer) and isinstance(second, Pointer):
            return _past_end(step.code, first, second)
        if isinstance(first, Pointer) and second == 0 and not first.may_be_null and step.code in (JEQ, JNE):
            return step.code == JNE
        return None

    def _decided_numbers(self, step: Step, first: Number, second: Number) -> bool | None:
        taken = decide(step.code, step.bits, first, second, self.age)
        if taken is None and self.age >= SINCE_6_12:
            # A way on which there is no such number is none (`simulate_both_branches_taken`).
            if refined(CONTRARY[step.code], step.bits, first, second, self.age) is None:
                return True
            if refined(step.code, step.bits, first, second, self.age) is None:
                return False
        return taken

    def _learn(self, frames: list[Frame], step: Step, code: int, first: Value, second: Value) -> None:
        """What a way tells of the values that the branch compared."""
        if isinstance(first, Pointer) and isinstance(second, Pointer):
            if step.bits == 64:
                self._learn_reach(frames, step, code, first, second)
        elif isinstance(first, Pointer):
            if first.may_be_null and second == 0 and code in (JEQ, JNE) and step.bits == 64:
                self._learn_null(frames, first, code == JEQ)
        elif isinstance(second, (int, Range)) and first is not None:
            self._narrow(frames, step, code, first, second)

    def _learn_null(self, frames: list[Frame], pointer: Pointer, is_null: bool) -> None:
        replace(
            frames,
            lambda value: isinstance(value, Pointer) and value.may_be_null and value.base == pointer.base,
            lambda value: 0 if is_null else value._replace(may_be_null=False) if isinstance(value, Pointer) else value,
        )

    def _narrow(self, frames: list[Frame], step: Step, code: int, first: Number, second: Number) -> None:
        found = refined(code, step.bits, first, second, self.age)
        if found is None:
            return
        if not (is_sure(first) and is_sure(second)):
            found = doubted(found[0]), doubted(found[1])
        registers = frames[-1].registers
        if code == JNE and found != (first, second):
            self.by_edges = True
        if step.has_register and not isinstance(second, int):
            registers[step.source] = found[1]
            spread(frames, second, found[1], self.age)
        if not isinstance(first, int):
            registers[step.goal] = found[0]
            spread(frames, first, found[0], self.age)

    def _learn_reach(
        self, frames: list[Frame], step: Step, code: int, first: Pointer, second: Pointer
    ) -> None:
        """How many bytes of the packet are there, or that a pointer is at its end (`try_match_pkt_pointers`)."""
        register = step.goal
        if first.kind == PACKET_END and second.kind == PACKET:
            first, second, code, register = second, first, MIRRORED.get(code, code), step.source
        if first.kind != PACKET or second.kind != PACKET_END:
            return
        if code in (JGT, JGE):
            if register < FRAME_POINTER:
                reach = BEYOND if code == JGT else AT_END
                frames[-1].registers[register] = first._replace(reach=reach, checked=0)
        elif code in (JLT, JLE):
            checked = accesses.checked(first, code == JLT, self.age)
            if checked:
                replace(
                    frames,
                    lambda value: isinstance(value, Pointer)
                    and value.kind == PACKET
                    and value.base == first.base,
                    lambda value: (
                        value._replace(reach=INSIDE, checked=max(value.checked, checked))
                        if isinstance(value, Pointer)
                        else value
                    ),
                )


def _may_be_null(value: Value) -> bool:
    return value == 0 or (isinstance(value, Pointer) and value.may_be_null) or not is_followed(value)


def _past_end(code: int, first: Pointer, second: Pointer) -> bool | None:
    """`is_pkt_ptr_branch_taken`."""
    if first.kind == PACKET_END and second.kind == PACKET:
        first, second, code = second, first, MIRRORED.get(code, code)
    if first.kind != PACKET or second.kind != PACKET_END or first.reach == INSIDE:
        return None
    if first.reach == BEYOND and code in (JGT, JLE):
        return code == JGT
    return code == JGE if code in (JGE, JLT) else None
