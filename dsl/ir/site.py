"""One operation in its surroundings, as the rules that hold it against its row look at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from skverdict.dsl.ir.module import SUBPROGRAM, Function, Global, Map, Operation
from skverdict.dsl.ir.types import VOID, BigEndian, Bool, Int, Pointer, Struct, Type

SCALAR = (Bool, Int, BigEndian)


class Site(NamedTuple):
    """An operation and what its names may refer to; `definitions` are the operations that gave the values."""

    operation: Operation
    function: Function
    locals: Mapping[str, Type]
    maps: Mapping[str, Map]
    globals: Mapping[str, Global]
    functions: Mapping[str, Function]
    definitions: Mapping[int, Operation]
    structs: Mapping[str, Struct]

    def text(self, attribute: str) -> str:
        return str(self.operation.attributes[attribute])

    def number(self, attribute: str) -> int:
        value = self.operation.attributes[attribute]
        assert isinstance(value, int), "the row asks for an integer, and the row is checked first"
        return value

    def operand(self, index: int) -> Type:
        return self.operation.operands[index].type

    def pointer(self, index: int) -> Pointer:
        type_ = self.operand(index)
        assert isinstance(type_, Pointer), "the row asks for a pointer, and the row is checked first"
        return type_

    @property
    def result(self) -> Type:
        return VOID if self.operation.result is None else self.operation.result.type

    def permits(self, kinds: tuple[str, ...]) -> bool:
        """True if the function is of one of `kinds`; of a subprogram's callers nothing is known."""
        return bool(kinds) if self.function.kind == SUBPROGRAM else self.function.kind in kinds


# A rule yields what is wrong with an operation. Whoever asks takes the first problem and stops there, so a
# rule may rely on what it, and those before it, would have said.
Rule = Callable[[Site], Iterator[str]]


def named(site: Site, attribute: str, known: Mapping[str, object]) -> Iterator[str]:
    """The name in an attribute is to be a known one."""
    if site.text(attribute) not in known:
        yield f"there is no {attribute} {site.text(attribute)}"


def gives(wanted: Type, site: Site) -> Iterator[str]:
    """The result is to be of one type."""
    if site.result != wanted:
        yield f"its result is {site.result}, not {wanted}"


def fits(value: int, type_: Type) -> bool:
    """True if the scalar type can hold the value."""
    if isinstance(type_, Bool):
        return value in (0, 1)
    if isinstance(type_, Int) and type_.signed:
        return -(1 << type_.bits - 1) <= value < 1 << type_.bits - 1
    return isinstance(type_, (Int, BigEndian)) and 0 <= value < 1 << type_.bits
