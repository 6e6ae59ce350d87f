"""Types of the IR: scalars, C aggregates and pointers into one memory region.

Sizes are bytes, alignments are bytes, as the BPF C ABI lays them out (natural alignment, 8-byte pointers).
Named tuples, since a data class of the standard library takes eight times as long to define, which every
build would pay for; no two kinds have fields that could make them equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from typing import NamedTuple


class Void(NamedTuple):
    """No value: the result of an operation run for its effect."""

    name: str = "void"

    def __str__(self) -> str:
        return self.name


class Bool(NamedTuple):
    """A truth value: one byte in memory, 0 or 1."""

    name: str = "bool"

    def __str__(self) -> str:
        return self.name


class Int(NamedTuple):
    """A host-order integer of 8, 16, 32 or 64 bits that wraps at its width."""

    bits: int
    signed: bool

    def __str__(self) -> str:
        return f"{'i' if self.signed else 'u'}{self.bits}"


class BigEndian(NamedTuple):
    """An integer of 16, 32 or 64 bits kept in network byte order; only equality is defined on it."""

    bits: int

    def __str__(self) -> str:
        return f"be{self.bits}"


class Array(NamedTuple):
    """`count` elements in a row."""

    element: Type
    count: int  # type: ignore[assignment]

    def __str__(self) -> str:
        return f"[{self.element}; {self.count}]"


class Member(NamedTuple):
    """One member of a struct at `offset` bytes from its start."""

    name: str
    type: Type
    offset: int


class Struct(NamedTuple):
    """A C structure whose layout is already decided; two structs are equal when name and layout are."""

    name: str
    members: tuple[Member, ...]
    size: int
    align: int

    def member(self, name: str) -> Member | None:
        return next((member for member in self.members if member.name == name), None)

    def has_padding(self) -> bool:
        """True if some byte of the struct (or of a struct inside it) belongs to no member."""
        end = 0
        for member in self.members:
            # Members may lie over one another, but none begins before the one in front of it.
            if member.offset > end:
                return True
            end = max(end, member.offset + size_of(member.type))
        return end != self.size or any(has_padding(member.type) for member in self.members)

    def __str__(self) -> str:
        return f"struct {self.name}"


class Opaque(NamedTuple):
    """A kernel object known by name only, such as `__sk_buff` or `bpf_map`."""

    name: str

    def __str__(self) -> str:
        return self.name


class Space(Enum):
    """The memory region a pointer points into; the verifier's pointer kinds under the same idea.

    A global variable is the value of a map to the verifier, and so it is here.
    """

    STACK = "stack"
    PACKET = "packet"
    MAP_VALUE = "map_value"
    CONTEXT = "context"
    MAP = "map"
    SOCKET = "socket"
    RECORD = "record"
    MAP_KEY = "map_key"
    OBJECT = "object"
    FUNCTION = "function"


# Those with bytes that the program lays out; in the others are kernel objects, known by name.
MEMORY_SPACES = (Space.STACK, Space.PACKET, Space.MAP_VALUE, Space.MAP_KEY, Space.RECORD)


class Pointer(NamedTuple):
    """An address of a `target` in `space`; `nullable` until a test has excluded NULL."""

    target: Type
    space: Space
    nullable: bool = False

    def __str__(self) -> str:
        return f"ptr{'?' if self.nullable else ''}<{self.space.value} {self.target}>"


Type = Void | Bool | Int | BigEndian | Array | Struct | Opaque | Pointer

VOID = Void()
BOOL = Bool()
U8, U16, U32, U64 = (Int(bits, signed=False) for bits in (8, 16, 32, 64))
I8, I16, I32, I64 = (Int(bits, signed=True) for bits in (8, 16, 32, 64))
BE16, BE32, BE64 = (BigEndian(bits) for bits in (16, 32, 64))

SCALARS: dict[str, Bool | Int | BigEndian] = {
    str(scalar): scalar for scalar in (BOOL, U8, U16, U32, U64, I8, I16, I32, I64, BE16, BE32, BE64)
}


def size_of(type_: Type) -> int:
    """Bytes that a value of `type_` takes in memory. Raises ValueError for a type that has no size."""
    if isinstance(type_, (Int, BigEndian)):
        return type_.bits // 8
    if isinstance(type_, Bool):
        return 1
    if isinstance(type_, Pointer):
        return 8
    if isinstance(type_, Array):
        return size_of(type_.element) * type_.count
    if isinstance(type_, Struct):
        return type_.size
    raise ValueError(f"{type_} has no size")


def align_of(type_: Type) -> int:
    """Alignment of `type_` in bytes. Raises ValueError for a type that has no size."""
    if isinstance(type_, Array):
        return align_of(type_.element)
    if isinstance(type_, Struct):
        return type_.align
    return size_of(type_)


def has_padding(type_: Type) -> bool:
    """True if a value of `type_` has bytes that belong to no scalar."""
    if isinstance(type_, Array):
        return has_padding(type_.element)
    return isinstance(type_, Struct) and type_.has_padding()


def _holds(type_: Type, is_it: Callable[[Type], bool]) -> bool:
    """True if `is_it` is true of `type_` or of something inside of it."""
    if isinstance(type_, Array):
        return _holds(type_.element, is_it)
    if isinstance(type_, Struct):
        return any(_holds(member.type, is_it) for member in type_.members)
    return is_it(type_)


def holds_context(type_: Type) -> bool:
    """True if a value of `type_` has the address of a context in it, which only the stack may keep."""
    return _holds(type_, is_context)


def holds_object(type_: Type) -> bool:
    """True if a value of `type_` has the address of a kernel object in it, as only the kernel's structures do."""
    return _holds(type_, is_object)


def is_context(type_: Type) -> bool:
    """True for the address of a context."""
    return isinstance(type_, Pointer) and type_.space is Space.CONTEXT and not type_.nullable


def is_object(type_: Type) -> bool:
    """True for the address of a kernel object."""
    return isinstance(type_, Pointer) and type_.space is Space.OBJECT


def scalars_in(type_: Type, offset: int = 0) -> Iterator[tuple[int, Bool | Int | BigEndian]]:
    """Every scalar of a value of `type_`, in the order of the members, with its place in bytes."""
    if isinstance(type_, Array):
        size = size_of(type_.element)
        for index in range(type_.count):
            yield from scalars_in(type_.element, offset + index * size)
    elif isinstance(type_, Struct):
        for member in type_.members:
            yield from scalars_in(member.type, offset + member.offset)
    elif isinstance(type_, (Bool, Int, BigEndian)):
        yield offset, type_


def lay_out(name: str, members: list[tuple[str, Type]], packed: bool = False) -> Struct:
    """A struct with C's layout: each member at its natural alignment, the size rounded up to the largest."""
    placed: list[Member] = []
    offset, align = 0, 1
    for member_name, member_type in members:
        member_align = 1 if packed else align_of(member_type)
        offset = -(-offset // member_align) * member_align
        placed.append(Member(member_name, member_type, offset))
        offset += size_of(member_type)
        align = max(align, member_align)
    return Struct(name, tuple(placed), -(-offset // align) * align, align)
