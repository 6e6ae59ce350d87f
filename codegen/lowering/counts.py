"""What a function counts up in a structure that it is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.dsl.ir.types import U64, Array, Int, Pointer, Space, Struct, size_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from skverdict.dsl.ir.module import Function, Operation, Value
    from skverdict.dsl.ir.types import Type

_STACK, _UNKNOWN = "stack", "unknown"
_SUMS = ("add", "sub", "xor")
#: A number in a structure: its offset in bytes, and its type.
Place = tuple[int, Int]


def counted(function: Function) -> list[Place]:
    """The numbers in the structure that `function` gets last which it may count up, in order of their places.

    That is any number that becomes what is made of numbers on the stack, as the structure's own are. What only
    constants go into, or such as fields of the context, counts nothing, and no more does a sum with what can be any
    number of its width.
    """
    return sorted(set(_Search(function).places()), key=_order)


def whole_words(places: Sequence[Place]) -> list[Place]:
    """The same bytes in order, one number of 64 bits for all that fill an aligned word."""
    inside: dict[int, list[Place]] = {}
    joined = []
    for place in places:
        offset, type_ = place
        if offset // 8 == (offset + type_.bits // 8 - 1) // 8:
            inside.setdefault(offset // 8 * 8, []).append(place)
        else:
            joined.append(place)
    for word, parts in inside.items():
        filled = {offset + byte for offset, type_ in parts for byte in range(type_.bits // 8)}
        joined += [(word, U64)] if len(filled) == 8 else parts
    return sorted(joined, key=_order)


def _order(place: Place) -> tuple[int, int]:
    return place[0], place[1].bits


class _Search:
    def __init__(self, function: Function) -> None:
        self.makers: dict[int, Operation] = {}
        self.writes: dict[str, list[Value]] = {}
        self.operations = [operation for block in function.blocks for operation in block.operations]
        for operation in self.operations:
            if operation.result is not None:
                self.makers[operation.result.number] = operation
            if operation.name == "local.set":
                self.writes.setdefault(str(operation.attributes["local"]), []).append(operation.operands[0])
        #: By address: how far it is from the structure's start.
        self.offsets: dict[int, frozenset[int]] = {function.parameters[-1].value.number: frozenset((0,))}
        while self._find_addresses():
            pass

    def _find_addresses(self) -> bool:
        """Follow addresses in the structure one step on; whether there was one."""
        found = False
        for operation in self.operations:
            result = operation.result
            if result is None or not isinstance(result.type, Pointer):
                continue
            offsets = frozenset(self._addressed(operation))
            if offsets - self.offsets.get(result.number, frozenset()):
                self.offsets[result.number] = offsets
                found = True
        return found

    def _addressed(self, operation: Operation) -> Iterator[int]:
        for value in self._sources(operation):
            if value.number in self.offsets:
                steps = self._steps(operation, value)
                yield from (offset + step for offset in self.offsets[value.number] for step in steps)

    def _steps(self, operation: Operation, base: Value) -> range | tuple[int, ...]:
        """How far the address that `operation` makes of `base` may be from that."""
        assert isinstance(base.type, Pointer)
        target = base.type.target
        if operation.name == "member":
            assert isinstance(target, Struct)
            member = target.member(str(operation.attributes["name"]))
            assert member is not None
            return (member.offset,)
        if operation.name == "element":
            assert isinstance(target, Array)
            size = size_of(target.element)
            index = operation.operands[1]
            maker = self.makers.get(index.number)
            if maker is not None and maker.name == "const":
                return (int(str(maker.attributes["value"])) * size,)
            # What is written at a place that the verifier does not know, it does not know either.
            return () if _UNKNOWN in self._made_of(index) else range(0, size * target.count, size)
        if operation.name == "part":
            return (int(str(operation.attributes["offset"])),) if len(operation.operands) == 1 else ()
        return (0,)

    def _sources(self, operation: Operation) -> tuple[Value, ...]:
        if operation.name == "local.get":
            return tuple(self.writes.get(str(operation.attributes["local"]), ()))
        return operation.operands

    def places(self) -> Iterator[Place]:
        for operation in self.operations:
            if operation.name == "store":
                value = operation.operands[1]
                is_count = _STACK in self._made_of(value) and not self._can_be_any(value)
                written = operation.operands[:1] if is_count else ()
            elif operation.name == "copy":
                written = operation.operands[:1]
            elif operation.name.startswith("call"):
                written = operation.operands
            else:
                continue
            for address in written:
                if isinstance(address.type, Pointer):
                    for offset in self.offsets.get(address.number, ()):
                        yield from _numbers(offset, address.type.target)

    def _can_be_any(self, value: Value) -> bool:
        """True for a number from a map or the packet, and for a sum with such a one, of which no bit is known."""
        maker = self.makers.get(value.number)
        if maker is None:
            return False
        if maker.name in _SUMS:
            return any(self._can_be_any(each) for each in maker.operands)
        base = maker.operands[0].type if maker.name == "load" else None
        return isinstance(base, Pointer) and base.space is not Space.STACK

    def _made_of(self, value: Value) -> set[str]:
        """What goes into a number: `_STACK` if numbers from there do, `_UNKNOWN` if such do as no verifier knows."""
        found = set()
        seen: set[int] = set()
        waiting = [value]
        while waiting:
            number = waiting.pop().number
            maker = self.makers.get(number)
            if number in seen:
                continue
            seen.add(number)
            if maker is not None and maker.name == "load":
                base = maker.operands[0].type
                found.add(_STACK if isinstance(base, Pointer) and base.space is Space.STACK else _UNKNOWN)
            elif maker is None or maker.name.startswith(("call", "atomic.")) or maker.name.endswith(".load"):
                found.add(_UNKNOWN)
            else:
                waiting += self._sources(maker)
        return found


def _numbers(offset: int, type_: Type) -> Iterator[Place]:
    """All numbers of a type whose value begins at `offset`."""
    if isinstance(type_, Int):
        yield offset, type_
    elif isinstance(type_, Struct):
        for member in type_.members:
            yield from _numbers(offset + member.offset, member.type)
    elif isinstance(type_, Array):
        for index in range(type_.count):
            yield from _numbers(offset + index * size_of(type_.element), type_.element)
