"""What can be proven of a program before it runs: which of its memory accesses need no check.

An abstract interpretation over `values`, function by function: along every way to an instruction it keeps what
registers and spilled registers hold, which bytes of the stack were written, and how much of the packet the
program has compared with `data_end`. Nothing here trusts the kernel's verifier: what is not proven is checked
when it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from skverdict.codegen.object import Program
from skverdict.runtime.machine.memory import STACK_SIZE
from skverdict.runtime.machine.run import MAX_LOOPS
from skverdict.runtime.machine.semantics import mask, signed
from skverdict.runtime.native.graph import Function, Graph, Site, calls_function, is_local_call
from skverdict.runtime.native.values import (
    ANY,
    NEGATED,
    SWAPPED,
    Number,
    Pointer,
    Value,
    as_number,
    computed,
    constant,
    extended,
    joined,
    moved,
    narrowed,
    sized,
    strayed,
    word,
)
from skverdict.runtime.native.written import helper_of

#: No packet is longer, so an address that is not behind `data_end` is no further from `data`.
_LONGEST = (1 << 31) - 1
#: Rounds through a loop before what grows is let grow by large steps.
_PATIENCE = 2

_LOOKUPS = ("bpf_map_lookup_elem", "bpf_map_lookup_percpu_elem")
_WRITING = ("buffer", "value_buffer", "number")


class Area(NamedTuple):
    """Memory of a known size in bytes: the values of a map, or a data section."""

    size: int
    writable: bool


class Surroundings(NamedTuple):
    """What a program is loaded with: maps whose values it may use as plain bytes, data sections, and the fields
    of its context that hold pointers, by their offsets: to the `packet`, its `end`, or elsewhere (empty). `keys` are
    the sizes of keys, in bytes, of the maps that native code looks up by itself."""

    values: Mapping[str, Area]
    data: Mapping[str, Area]
    pointers: Mapping[int, str]
    keys: Mapping[str, int]


class Access(NamedTuple):
    """A memory access as far as it is proven: it lies inside of the region `base`, called `name`.

    `base` is empty if nothing is proven. `offset` counts from the region's start, None if it is not constant.
    `written`: every byte of the stack that it may touch was written before.
    """

    base: str = ""
    name: str = ""
    offset: int | None = None
    written: bool = False


class Lookup(NamedTuple):
    """A lookup in map `name` by native code: the key of so many bytes lies at `offset` in the stack, wholly written."""

    name: str
    offset: int
    size: int


class State:
    """What holds before an instruction.

    `spills` are values kept in the stack, by their offsets there. Bit n of `always` and of `ever` is set if byte
    n of the stack was written in all cases, or in some, by stores whose place is known. `reached` tells of
    each variable part of packet pointers how far behind it the packet goes on at least.
    """

    __slots__ = ("always", "ever", "reached", "registers", "spills")

    def __init__(self) -> None:
        self.registers: list[Value] = [ANY] * 10
        self.spills: dict[int, Value] = {}
        self.always = 0
        self.ever = 0
        self.reached: dict[int, int] = {}

    def copy(self) -> State:
        """The same, to be changed on its own."""
        other = State.__new__(State)
        other.registers = self.registers[:]
        other.spills = self.spills.copy()
        other.always, other.ever = self.always, self.ever
        other.reached = self.reached.copy()
        return other

    def value(self, register: int) -> Value:
        """What is known of a register."""
        return Pointer("stack", offset=STACK_SIZE) if register == 10 else self.registers[register]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, State) and all(
            getattr(self, name) == getattr(other, name) for name in self.__slots__
        )

    __hash__ = None  # type: ignore[assignment]

    def map_values(self, change: Callable[[Value], Value]) -> None:
        """Put each value through `change`."""
        self.registers = [change(value) for value in self.registers]
        self.spills = {offset: change(value) for offset, value in self.spills.items()}


class Proof(NamedTuple):
    """What was proven: the state before each instruction that can be reached, and each access, by slots.

    `unsure` has, for each function, the bytes of the stack of which only the run can tell whether they are
    written where that counts; `observed` are the functions whose stack something looks at that is not proven.
    `lookups` are the calls that give the address of plain bytes in a map, or NULL, with what is known of them.
    """

    before: dict[int, State]
    accesses: dict[int, Access]
    unsure: dict[int, int]
    observed: frozenset[int]
    lookups: dict[int, Lookup | None]


def prove(program: Program, graph: Graph, surroundings: Surroundings) -> Proof:
    """Interpret a program over `values`."""
    before: dict[int, State] = {}
    accesses: dict[int, Access] = {}
    unsure: dict[int, int] = {}
    observed = set()
    lookups: dict[int, Lookup | None] = {}
    entries: dict[int, list[Value]] = {0: [ANY, Pointer("context"), *[ANY] * 8]}
    for slot, function in graph.items():
        if slot not in entries:
            continue  # nothing that can be reached calls it
        walk = _Walk(program, function, surroundings)
        start = State()
        start.registers = entries[slot]
        begins: dict[int, State] = {}
        for block_slot, state in walk.fixpoint(start).items():
            begins[block_slot] = state
            here = state.copy()
            for site in function.blocks[block_slot].sites:
                before[site.slot] = here.copy()
                access = walk.access(site, here)
                if access is not None:
                    accesses[site.slot] = access
                lookup = walk.lookup(site, here)
                if lookup is None and _observes(site, access):
                    observed.add(slot)
                    anywhere = (access is not None and access.base == "stack" and access.offset is None) or (
                        calls_function(site) and any(_on_stack(value) for value in here.registers[1:6])
                    )
                    unsure[slot] = mask(STACK_SIZE) if anywhere else unsure.get(slot, 0) | here.ever & ~here.always
                if calls_function(site):
                    _call(entries, site.target, _handed(site, here))
                walk.apply(site, here)
                given = here.registers[0]
                if site.operation.family == "call" and isinstance(given, Pointer) and given.base == "value":
                    lookups[site.slot] = lookup
        # Where the budget ends, the interpreter goes on with what the run still looks at.
        looked_at = _looked_at(function, accesses, lookups)
        for block_slot in function.checks.keys() & begins.keys():
            state = begins[block_slot]
            unsure[slot] = unsure.get(slot, 0) | state.ever & ~state.always & looked_at[block_slot]
    counted = {slot: unsure.get(slot, 0) if slot in observed else 0 for slot in graph}
    return Proof(before, accesses, counted, frozenset(observed), lookups)


def _observes(site: Site, access: Access | None) -> bool:
    """True if an instruction may look at parts of the stack that were not proven to be written."""
    if access is None:
        return site.operation.family == "call"
    if access.base == "stack":
        return not (access.written or (access.offset is not None and site.operation.family == "store"))
    return not access.base


def _looked_at(
    function: Function, accesses: Mapping[int, Access], lookups: Mapping[int, Lookup | None]
) -> dict[int, int]:
    """The bytes of the stack that something may look at before they are overwritten, at each block's beginning."""
    live = dict.fromkeys(function.blocks, 0)
    changed = True
    while changed:
        changed = False
        for slot, block in reversed(function.blocks.items()):
            here = 0
            for successor in block.successors:
                here |= live[successor]
            for site in reversed(block.sites):
                here = _looked_at_before(site, here, accesses.get(site.slot), lookups.get(site.slot))
            if here != live[slot]:
                live[slot], changed = here, True
    return live


def _looked_at_before(site: Site, after: int, access: Access | None, lookup: Lookup | None) -> int:
    if lookup is not None:
        return after | mask(lookup.size) << lookup.offset
    if access is None:
        return mask(STACK_SIZE) if site.operation.family == "call" else after
    if access.base == "stack" and access.offset is not None:
        touched = mask(site.operation.size) << access.offset
        return after & ~touched if site.operation.family == "store" else after | touched
    return after if access.base not in ("", "stack") else mask(STACK_SIZE)


def _handed(site: Site, state: State) -> list[Value]:
    """What a call hands to a function in r1 and on: in a loop, the round and what the helper has got for it."""
    return state.registers[1:6] if is_local_call(site) else [Number(0, MAX_LOOPS - 1), state.registers[3]]


def _call(entries: dict[int, list[Value]], slot: int, arguments: list[Value]) -> None:
    """Add a call to what is known of a function's arguments."""
    given: list[Value] = [ANY] * 10
    for register, value in enumerate(arguments, 1):
        # Pointers into the caller's stack are none into the callee's; others would need what goes with them.
        given[register] = value if isinstance(value, Number) or value == Pointer("context") else ANY
    known = entries.get(slot)
    entries[slot] = given if known is None else [joined(one, two, 0) for one, two in zip(known, given, strict=True)]


class _Walk:
    """The interpretation of one function."""

    def __init__(self, program: Program, function: Function, surroundings: Surroundings) -> None:
        self.program = program
        self.function = function
        self.surroundings = surroundings

    def fixpoint(self, start: State) -> dict[int, State]:
        """What holds where each block begins; blocks that cannot be reached are left out."""
        order = list(self.function.blocks)
        places = {slot: place for place, slot in enumerate(order)}
        known = {self.function.slot: start}
        visits = dict.fromkeys(order, 0)
        pending = {0}
        while pending:
            place = min(pending)
            pending.remove(place)
            block = self.function.blocks[order[place]]
            state = known[block.slot].copy()
            for site in block.sites:
                last = state if site is block.sites[-1] else None
                if last is None:
                    self.apply(site, state)
            for successor, after in self._leave(block.sites[-1], state):
                old = known.get(successor)
                if old is None:
                    known[successor] = after
                else:
                    back = places[successor] <= place
                    visits[successor] += back
                    new = _join(old, after, successor, back and visits[successor] > _PATIENCE)
                    if new == old:
                        continue
                    known[successor] = new
                pending.add(places[successor])
        return known

    def _leave(self, site: Site, state: State) -> list[tuple[int, State]]:
        """Where the function goes on behind a block's last instruction, and what holds there."""
        if site.operation.family == "jump" and site.target != site.next:
            taken, not_taken = self._branch(site, state, True), self._branch(site, state, False)
            both = ((site.target, taken), (site.next, not_taken))
            return [(slot, after) for slot, after in both if after is not None]
        if site.operation.family == "exit":
            return []
        self.apply(site, state)
        ways = {"goto": [site.target], "may_goto": [site.next, site.target]}.get(site.operation.family, [site.next])
        return [(slot, state.copy()) for slot in ways]

    # Branches

    def _branch(self, site: Site, before: State, taken: bool) -> State | None:
        """What holds where a comparison came out so; None if it never does."""
        state = before.copy()
        name = site.operation.name if taken else NEGATED[site.operation.name]
        left, right, bits = state.value(site.instruction.dst), self._operand(site, state), site.operation.bits
        if site.operation.source == "imm" and bits == 32:
            right = word(right)
        if bits == 64 and isinstance(left, Pointer) and isinstance(right, Pointer):
            self._compare(state, name, left, right)
            return state
        if isinstance(left, Pointer) or isinstance(right, Pointer):
            if bits == 64 and name in ("jeq", "jne"):
                for one, other in ((left, right), (right, left)):
                    if isinstance(one, Pointer) and one.null and other == Number(0, 0):
                        _settle(state, one.null, name == "jeq")
            return state
        new = narrowed(name, bits, left, right)
        if new is None:
            return None
        self._set(state, site.instruction.dst, new)
        if site.operation.source == "reg":
            opposite = narrowed(SWAPPED.get(name, ""), bits, right, new)
            if opposite is None:
                return None
            self._set(state, site.instruction.src, opposite)
        return state

    def _set(self, state: State, register: int, value: Value) -> None:
        if register != 10:
            state.registers[register] = value

    def _compare(self, state: State, name: str, left: Pointer, right: Pointer) -> None:
        """Learn from a comparison of a packet pointer with `data_end`."""
        if left.base == "end":
            name, left, right = SWAPPED.get(name, ""), right, left
        if left.base != "packet" or right.base != "end" or right.variable or name not in ("jle", "jlt", "jeq"):
            return
        reached = left.offset - right.offset + (name == "jlt")
        state.reached[left.variable] = max(reached, _reach(state, left.variable))
        # Not behind the end: so no further than the longest packet.
        bound = _LONGEST + right.offset - left.offset

        def bounded(value: Value) -> Value:
            same = isinstance(value, Pointer) and value.base == "packet" and value.variable == left.variable
            if isinstance(value, Pointer) and same and left.variable and bound >= value.low:
                return value._replace(high=min(value.high, bound))
            return value

        state.map_values(bounded)

    # Accesses

    def access(self, site: Site, state: State) -> Access | None:
        """What is proven of the memory that an instruction touches; None if it touches none."""
        family, size = site.operation.family, site.operation.size
        if family in ("load", "load_acquire"):
            base = state.value(site.instruction.src)
        elif family in ("store", "atomic", "store_release"):
            base = state.value(site.instruction.dst)
        else:
            return None
        if not isinstance(base, Pointer) or base.null:
            return Access()
        pointer = moved(base, site.instruction.offset)
        if not isinstance(pointer, Pointer):
            return Access()
        fixed = pointer.first if pointer.first == pointer.last else None
        plain = family in ("load", "store")
        atomic = fixed is not None and fixed % size == 0 and pointer.base in ("value", "data")
        if not (plain or atomic) or not self._inside(pointer, size, state, family not in ("load", "load_acquire")):
            return Access()
        if pointer.base == "stack":
            touched = mask(pointer.last - pointer.first + size) << pointer.first
            return Access("stack", "", fixed, state.always & touched == touched)
        return Access(pointer.base, pointer.name, fixed)

    def _inside(self, pointer: Pointer, size: int, state: State, writes: bool) -> bool:
        if pointer.first < 0:
            return False
        if pointer.base == "packet":
            return _reach(state, pointer.variable) >= pointer.offset + size
        if pointer.base == "stack":
            return pointer.last + size <= STACK_SIZE
        if pointer.base == "context":
            return pointer.first == pointer.last and not writes
        areas = {"value": self.surroundings.values, "data": self.surroundings.data}.get(pointer.base)
        if areas is None or pointer.name not in areas:
            return False
        area = areas[pointer.name]
        return pointer.last + size <= area.size and (area.writable or not writes)

    def lookup(self, site: Site, state: State) -> Lookup | None:
        """A call that looks up a map which native code looks up by itself; None for others."""
        helper, map_, key = helper_of(site), state.registers[1], state.registers[2]
        if helper is None or helper.name != "bpf_map_lookup_elem":
            return None
        if not (isinstance(map_, Pointer) and isinstance(key, Pointer) and key.base == "stack"):
            return None
        size = self.surroundings.keys.get(map_.name)
        if size is None or map_ != Pointer("map", map_.name):
            return None
        touched = mask(size) << max(key.first, 0)
        inside = key.first == key.last and 0 <= key.first <= STACK_SIZE - size
        return Lookup(map_.name, key.first, size) if inside and state.always & touched == touched else None

    # Effects

    def apply(self, site: Site, state: State) -> None:
        """Change `state` as the instruction does."""
        _EFFECTS.get(site.operation.family, _Walk._nothing)(self, site, state)

    def _nothing(self, site: Site, state: State) -> None:
        pass

    def _operand(self, site: Site, state: State) -> Value:
        if site.operation.source == "reg":
            return state.value(site.instruction.src)
        return constant(site.instruction.imm)

    def _alu(self, site: Site, state: State) -> None:
        dst = site.instruction.dst
        left, right = state.registers[dst], self._operand(site, state)
        state.registers[dst] = self._result(site, state, left, right)

    def _result(self, site: Site, state: State, left: Value, right: Value) -> Value:
        name, bits = site.operation.name, site.operation.bits
        if name == "mov":
            return right if bits == 64 else word(right)
        if name.startswith("movsx"):
            return extended(as_number(right), int(name[5:]), bits)
        if name == "neg":
            return computed("sub", bits, constant(0), as_number(left))
        if bits == 64 and name in ("add", "sub"):
            if isinstance(left, Pointer) and isinstance(right, Number):
                return self._moved(site, state, left, right, name == "sub")
            if isinstance(right, Pointer) and isinstance(left, Number) and name == "add":
                return self._moved(site, state, right, left, False)
        return computed(name, bits, as_number(left), as_number(right))

    def _moved(self, site: Site, state: State, pointer: Pointer, by: Number, back: bool) -> Value:
        if by.low == by.high:
            return moved(pointer, signed(-by.low if back else by.low, 64))
        if back:
            return ANY
        # What came of this instruction before, in a loop, is another one's.
        name = _named(site.slot, site.instruction.dst)
        state.map_values(lambda value: ANY if isinstance(value, Pointer) and value.variable == name else value)
        state.reached.pop(name, None)
        return strayed(pointer, by, name) if pointer.variable != name else ANY

    def _byte_order(self, site: Site, state: State) -> None:
        dst, bits = site.instruction.dst, site.operation.bits
        state.registers[dst] = sized(bits // 8)

    def _constant(self, site: Site, state: State) -> None:
        slot, dst = site.slot, site.instruction.dst
        map_, data = self.program.maps.get(slot), self.program.data.get(slot)
        value: Value = constant(site.instruction.imm)
        if map_ is not None:
            value = Pointer("map", map_.map)
        elif data is not None:
            value = moved(Pointer("data", data.section), data.offset)
        elif site.operation.name != "value":
            value = ANY
        state.registers[dst] = value

    def _load(self, site: Site, state: State) -> None:
        access, size = self.access(site, state), site.operation.size
        assert access is not None
        value: Value = ANY if site.operation.signed else sized(size)
        leads = None if access.offset is None else self.surroundings.pointers.get(access.offset)
        if access.base == "context" and leads is not None:
            value = Pointer(leads) if leads and not site.operation.signed else ANY
        if access.base == "stack" and access.offset is not None:
            _touch(state, access.offset, size, written=True)
            if size == 8:
                value = state.spills.get(access.offset, ANY)
        state.registers[site.instruction.dst] = value

    def _store(self, site: Site, state: State) -> None:
        access, size = self.access(site, state), site.operation.size
        assert access is not None
        if access.base == "stack" and access.offset is not None:
            _touch(state, access.offset, size, written=False)
            _overwrite(state, access.offset, size)
            if size == 8 and site.operation.family == "store":
                state.spills[access.offset] = self._operand(site, state)
        elif access.base in ("", "stack"):
            state.spills.clear()

    def _atomic(self, site: Site, state: State) -> None:
        access, size = self.access(site, state), site.operation.size
        assert access is not None
        if access.base in ("", "stack"):
            state.spills.clear()
        if site.operation.fetch:
            register = 0 if site.operation.name == "cmpxchg" else site.instruction.src
            self._set(state, register, sized(size))

    def _call(self, site: Site, state: State) -> None:
        helper = helper_of(site)
        map_ = state.registers[1]
        result: Value = ANY
        calls_back = helper is None or any(argument.kind == "callback" for argument in helper.arguments)
        if calls_back or (helper is not None and any(each.kind in _WRITING for each in helper.arguments)):
            state.spills.clear()
        if calls_back or (helper is not None and helper.moves_buffer):
            state.map_values(lambda value: ANY if _in_packet(value) else value)
            state.reached.clear()
        if helper is not None and helper.name in _LOOKUPS and isinstance(map_, Pointer):
            # What came of this call before, in a loop, has nothing to do with it.
            name = _named(site.slot, 0)
            state.map_values(lambda value: ANY if isinstance(value, Pointer) and value.null == name else value)
            if map_ == Pointer("map", map_.name) and map_.name in self.surroundings.values:
                result = Pointer("value", map_.name, null=name)
        state.registers[:6] = [result, ANY, ANY, ANY, ANY, ANY]


_EFFECTS: dict[str, Callable[[_Walk, Site, State], None]] = {
    "alu": _Walk._alu,
    "byte_order": _Walk._byte_order,
    "constant": _Walk._constant,
    "load": _Walk._load,
    "load_acquire": _Walk._load,
    "store": _Walk._store,
    "store_release": _Walk._store,
    "atomic": _Walk._atomic,
    "call": _Walk._call,
}


def _named(slot: int, register: int) -> int:
    """A name for something that comes up at an instruction, for one register."""
    return slot * 16 + register + 1


def _reach(state: State, variable: int) -> int:
    """How far the packet goes on behind a variable part, at least; it ends nowhere before its beginning."""
    return state.reached.get(variable, -_LONGEST if variable else 0)


def _on_stack(value: Value) -> bool:
    return isinstance(value, Pointer) and value.base == "stack"


def _in_packet(value: Value) -> bool:
    return isinstance(value, Pointer) and value.base in ("packet", "end")


def _settle(state: State, null: int, is_null: bool) -> None:
    """Now it is known whether what may be NULL is."""

    def settled(value: Value) -> Value:
        if not isinstance(value, Pointer) or value.null != null:
            return value
        return Number(0, 0) if is_null else value._replace(null=0)

    state.map_values(settled)


def _touch(state: State, offset: int, size: int, written: bool) -> None:
    """Bytes of the stack are written from now on; `written`: they were before, since a load went well."""
    touched = mask(size) << offset
    state.always |= touched
    if not written:
        state.ever |= touched


def _overwrite(state: State, offset: int, size: int) -> None:
    for spilled in [each for each in state.spills if each < offset + size and offset < each + 8]:
        del state.spills[spilled]


def _join(old: State, new: State, slot: int, widen: bool) -> State:
    """What holds of both states, where they come together at `slot`."""
    state = State()
    state.reached = {
        variable: min(reached, new.reached[variable])
        for variable, reached in old.reached.items()
        if variable in new.reached
    }

    def together(one: Value, other: Value, place: int) -> Value:
        name = -(slot * 1024 + place + 1)
        result = joined(one, other, name, widen)
        if isinstance(result, Pointer) and result.base == "packet" and result.variable == name:
            assert isinstance(one, Pointer)
            assert isinstance(other, Pointer)
            reached = min(_reach(old, one.variable) - one.offset, _reach(new, other.variable) - other.offset)
            state.reached[name] = reached
        return result

    pairs = zip(old.registers, new.registers, strict=True)
    state.registers = [together(one, other, place) for place, (one, other) in enumerate(pairs)]
    state.spills = {
        offset: together(value, new.spills[offset], 16 + offset)
        for offset, value in old.spills.items()
        if offset in new.spills
    }
    state.always = old.always & new.always
    state.ever = old.ever | new.ever
    return state
