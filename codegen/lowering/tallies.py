"""What a loop counts or finds in some of its turns.

The verifier follows a loop turn by turn and knows each number that only constants go into. What some turns change
and others do not is another number on each way through the loop, and each of these is another case of all turns that
follow: two dozen turns that may add one to a count are a third of the million instructions that it goes. What it
does not know is one case.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from skverdict.codegen.lowering.emitter import member_offset
from skverdict.codegen.pipeline import goes_back
from skverdict.dsl.ir.dominance import dominates, dominators
from skverdict.dsl.ir.types import Array, Bool, Int, Pointer, Space, Struct, is_context, size_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from skverdict.dsl.ir.module import Function, Operation, Value

#: A number on the stack: the local that it is in, and its offset there in bytes.
Variable = tuple[str, int]
#: By function: the numbers of which the verifier is not to know what they are.
Forgotten = Mapping[str, Mapping[Variable, Int]]

# Loops of so few turns, those of the loops around counted in, are little work.
_FEW_TURNS = 8
_MANY_TURNS = 1 << 64
# Operations whose results the verifier does not know.
_UNKNOWN = ("call", "atomic.")


class _Write(NamedTuple):
    """A variable is set in a block; `sources` are the variables that the number is made of.

    With `is_known` of nothing else but constants; `constant` is the number if it is one. With `is_chosen` a test
    goes into it, as in `count += byte == 10`.
    """

    label: str
    variable: Variable
    type: Int
    sources: frozenset[Variable]
    is_known: bool
    is_chosen: bool
    constant: int | None


class _Exit(NamedTuple):
    """A block that may leave a loop, what that depends on, and the constant that this is compared with if any."""

    label: str
    tested: frozenset[Variable]
    limit: int | None


class _Loop(NamedTuple):
    """The blocks of a loop; those in `spine` are in each turn, and some around it as well."""

    head: str
    blocks: frozenset[str]
    spine: frozenset[str]


def stack_place(address: Value, makers: Mapping[int, Operation]) -> Variable | None:
    """The place on the stack that an address is, if that is the same each time."""
    offset = 0
    while (maker := makers.get(address.number)) is not None:
        if maker.name == "local.address":
            return str(maker.attributes["local"]), offset
        base = maker.operands[0] if maker.operands else None
        target = base.type.target if base is not None and isinstance(base.type, Pointer) else None
        if maker.name == "member" and isinstance(target, Struct):
            offset += member_offset(target, str(maker.attributes["name"]))
        elif maker.name == "element" and isinstance(target, Array):
            index = constant(maker.operands[1], makers)
            if index is None:
                break
            offset += index * size_of(target.element)
        else:
            break
        address = maker.operands[0]
    return None


def constant(value: Value, makers: Mapping[int, Operation]) -> int | None:
    """The number that a value always is."""
    maker = makers.get(value.number)
    return int(str(maker.attributes["value"])) if maker is not None and maker.name == "const" else None


def _written(operation: Operation, makers: Mapping[int, Operation]) -> Variable | None:
    """The number on the stack that an operation sets."""
    if not operation.operands or not isinstance(operation.operands[-1].type, Int):
        return None
    if operation.name == "local.set":
        return str(operation.attributes["local"]), 0
    return stack_place(operation.operands[0], makers) if operation.name == "store" else None


def _read(operation: Operation, makers: Mapping[int, Operation]) -> Variable | None:
    """The number on the stack that an operation gives."""
    if operation.name == "local.get":
        return str(operation.attributes["local"]), 0
    return stack_place(operation.operands[0], makers) if operation.name == "load" else None


def tallies(function: Function) -> dict[Variable, Int]:
    """The numbers, with their types, that some turns of a loop count up, or take from what the loop counts.

    So far as it has more than a few turns. Without what a loop ends by: the verifier must see that it gets there.
    And without places in a view of the packet, where a function cannot look for the packet's end.
    """
    if not goes_back(function):
        return {}
    successors = {block.label: block.operations[-1].successors for block in function.blocks}
    above = dominators(successors, function.blocks[0].label)
    loops = list(_loops(successors, above))
    return _Search(function, above, loops).found()


def _loops(successors: Mapping[str, tuple[str, ...]], above: Mapping[str, str]) -> Iterator[_Loop]:
    """The natural loops of a function, those with the same head as one."""
    places = {label: place for place, label in enumerate(successors)}
    latches: dict[str, list[str]] = {}
    before: dict[str, set[str]] = {}
    for label in above:
        for successor in successors[label]:
            before.setdefault(successor, set()).add(label)
            if places[successor] <= places[label] and dominates(above, successor, label):
                latches.setdefault(successor, []).append(label)
    for head, ends in latches.items():
        inside = {head}
        waiting = list(ends)
        while waiting:
            label = waiting.pop()
            if label not in inside:
                inside.add(label)
                waiting += before[label]
        yield _Loop(head, frozenset(inside), frozenset.intersection(*(_dominators_of(end, above) for end in ends)))


def _dominators_of(label: str, above: Mapping[str, str]) -> frozenset[str]:
    found = {label}
    while above[label] != label:
        label = above[label]
        found.add(label)
    return frozenset(found)


class _Search:
    def __init__(self, function: Function, above: Mapping[str, str], loops: list[_Loop]) -> None:
        self.loops = loops
        self.blocks = [block for block in function.blocks if block.label in above]
        self.makers: dict[int, Operation] = {
            operation.result.number: operation
            for block in self.blocks
            for operation in block.operations
            if operation.result is not None
        }
        self.writes = list(self._writes())
        self.has_context = any(is_context(parameter.value.type) for parameter in function.parameters)

    def _writes(self) -> Iterator[_Write]:
        for block in self.blocks:
            for operation in block.operations:
                variable = _written(operation, self.makers)
                if variable is not None:
                    value = operation.operands[-1]
                    assert isinstance(value.type, Int)
                    yield _Write(block.label, variable, value.type, *self._made_of(value), constant(value, self.makers))

    def _made_of(self, value: Value) -> tuple[frozenset[Variable], bool, bool]:
        """The variables that go into a number, whether nothing else does but constants, and whether tests do."""
        found = set()
        is_known, is_chosen = True, False
        seen: set[int] = set()
        waiting = [value]
        while waiting:
            made = waiting.pop()
            if made.number in seen:
                continue
            seen.add(made.number)
            maker = self.makers.get(made.number)
            variable = None if maker is None else _read(maker, self.makers)
            if isinstance(made.type, Bool) and made is not value:
                is_chosen = True
            elif variable is not None:
                found.add(variable)
            elif maker is None or maker.name.startswith(_UNKNOWN) or maker.name.endswith("load"):
                is_known = False
            else:
                waiting += maker.operands
        return frozenset(found), is_known, is_chosen

    def found(self) -> dict[Variable, Int]:
        exits = {loop: list(self._exits(loop)) for loop in self.loops}
        turns = {loop: self._turns(loop, exits[loop]) for loop in self.loops}
        found: set[Variable] = set()
        kept: set[Variable] = set() if self.has_context else set(self._places_in_packet())
        for loop in self.loops:
            steady = [exit_ for exit_ in exits[loop] if self._is_steady(exit_, loop)]
            kept.update(*(exit_.tested for exit_ in steady or exits[loop]))
            if prod(turns[around] for around in self.loops if loop.head in around.blocks) > _FEW_TURNS:
                found |= self._tallies(loop, leaves_early=len(exits[loop]) > len(steady))
        found -= self._sources(kept)
        return {write.variable: write.type for write in self.writes if write.variable in found}

    def _places_in_packet(self) -> Iterator[Variable]:
        for maker in self.makers.values():
            base = maker.operands[0].type if maker.name in ("element", "part") else None
            if isinstance(base, Pointer) and base.space is Space.PACKET:
                for index in maker.operands[1:]:
                    yield from self._made_of(index)[0]

    def _exits(self, loop: _Loop) -> Iterator[_Exit]:
        for block in self.blocks:
            end = block.operations[-1]
            if block.label not in loop.blocks or loop.blocks.issuperset(end.successors):
                continue
            test = self.makers.get(end.operands[0].number) if end.operands else None
            limit = constant(test.operands[1], self.makers) if test is not None and len(test.operands) == 2 else None
            tested = self._made_of(end.operands[0])[0] if end.operands else frozenset()
            yield _Exit(block.label, tested, limit)

    def _inside(self, loop: _Loop) -> list[_Write]:
        return [write for write in self.writes if write.label in loop.blocks]

    def _is_steady(self, exit_: _Exit, loop: _Loop) -> bool:
        """True if a loop comes to its end by what is another number in each turn."""
        inside = self._inside(loop)
        counted = {write.variable for write in inside if write.variable in write.sources}
        uneven = _uneven(inside, loop)
        return exit_.label in loop.spine and bool(exit_.tested & counted - uneven)

    def _turns(self, loop: _Loop, exits: list[_Exit]) -> int:
        """How many turns a loop has at most that counts from one constant to another."""
        for exit_ in exits:
            if exit_.limit is not None and len(exit_.tested) == 1 and self._is_steady(exit_, loop):
                starts = [
                    write.constant
                    for write in self.writes
                    if write.variable in exit_.tested and write.label not in loop.blocks
                ]
                if starts and None not in starts:
                    return max(abs(exit_.limit - start) + 1 for start in starts if start is not None)
        return _MANY_TURNS

    def _tallies(self, loop: _Loop, leaves_early: bool) -> set[Variable]:
        inside = [write for write in self._inside(loop) if write.is_known]
        counted = _derived({write.variable for write in inside if _makes_itself(write.variable, inside)}, inside)
        found = counted & _derived(_uneven(inside, loop), inside)
        if leaves_early:
            found |= {
                write.variable
                for write in self.writes
                if write.is_known and write.label not in loop.blocks and write.sources & counted
            }
        return found

    def _sources(self, variables: set[Variable]) -> set[Variable]:
        """These, and what they are made of."""
        found = set(variables)
        while more := {each for write in self.writes if write.variable in found for each in write.sources} - found:
            found |= more
        return found


def _uneven(writes: list[_Write], loop: _Loop) -> set[Variable]:
    """What only some turns of a loop set, or some otherwise than others."""
    return {write.variable for write in writes if write.is_chosen or write.label not in loop.spine}


def _derived(variables: set[Variable], writes: list[_Write]) -> set[Variable]:
    """These, and what is made of them."""
    found = set(variables)
    while more := {write.variable for write in writes if write.sources & found} - found:
        found |= more
    return found


def _makes_itself(variable: Variable, writes: list[_Write]) -> bool:
    first = {write.variable for write in writes if variable in write.sources}
    return variable in _derived(first, writes)
