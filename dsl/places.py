"""Places in memory as ordinary Python has them: what `data.view(...)` and a map's `lookup` give outside of programs.

Each reads and writes the bytes that it lies in, so that two of them at one place see what the other writes, as
pointers do. Numbers are in the byte order of this machine.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, SupportsIndex

from skverdict.dsl.ir.types import size_of
from skverdict.dsl.layout import layout_of, pack, type_of
from skverdict.dsl.positions import slice_of
from skverdict.dsl.scalars import BigEndian, Integer
from skverdict.dsl.structs import ArrayOf, Bytewise, Elements, Struct, is_struct_class, members_of

_BUFFER, _OFFSET = "_place_buffer", "_place_offset"
_VIEWS: dict[type[Struct], type[Struct]] = {}


def size(annotation: object) -> int:
    """The bytes of a type as a policy writes it. Raises LayoutError."""
    return size_of(type_of(annotation))


def encoded(annotation: object, value: object) -> bytes:
    """The bytes of a value. Raises OverflowError for one that the type does not hold, LayoutError for no type."""
    if isinstance(value, Struct) and is_struct_class(annotation) and not isinstance(value, annotation):
        raise OverflowError(f"a {annotation.__name__} is needed, but this is a {type(value).__name__}")
    return pack(value, type_of(annotation), sys.byteorder)


def place(annotation: object, buffer: bytearray, offset: int = 0) -> Any:
    """The place of that type which begins at `offset`: a structure, an array, or a `Cell` of a number."""
    if is_struct_class(annotation):
        return _view_class(annotation)(buffer, offset)  # type: ignore[call-arg]
    if isinstance(annotation, ArrayOf):
        return ArrayPlace(annotation, buffer, offset)
    return CellPlace(annotation, buffer, offset)


def read(annotation: object, buffer: bytearray, offset: int) -> Any:
    """What the place holds: a number, or the structure or array itself."""
    found = place(annotation, buffer, offset)
    return found.value if isinstance(found, CellPlace) else found


def write(annotation: object, buffer: bytearray, offset: int, value: object) -> None:
    """Put a value there. Raises OverflowError for one that does not fit."""
    content = encoded(annotation, value)
    buffer[offset : offset + len(content)] = content


class CellPlace:
    """A place that holds a number, its `.value`."""

    __slots__ = ("_annotation", "_buffer", "_offset")

    def __init__(self, annotation: object, buffer: bytearray, offset: int) -> None:
        self._annotation = annotation
        self._buffer = buffer
        self._offset = offset

    @property
    def value(self) -> Any:
        """The number, of the type that the place has."""
        annotation: Any = self._annotation
        content = self._buffer[self._offset : self._offset + size(annotation)]
        if issubclass(annotation, BigEndian):
            return annotation(int.from_bytes(content, "big"))
        signed = issubclass(annotation, Integer) and annotation.SIGNED
        return annotation(int.from_bytes(content, sys.byteorder, signed=signed))

    @value.setter
    def value(self, number: object) -> None:
        write(self._annotation, self._buffer, self._offset, number)

    def __repr__(self) -> str:
        return f"<place that holds {self.value!r}>"


class ArrayPlace(Bytewise):
    """The elements of an array, each in its place."""

    def __init__(self, annotation: ArrayOf, buffer: bytearray, offset: int) -> None:
        self._annotation = annotation
        self._buffer = buffer
        self._offset = offset

    def __len__(self) -> int:
        count = self._annotation.count
        assert isinstance(count, int)
        return count

    def _at(self, index: SupportsIndex) -> int:
        index = index.__index__()
        if not 0 <= index < len(self):
            raise IndexError(f"{self._annotation} has no element {index}")
        return self._offset + index * size(self._annotation.element)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return Elements(list(self)[slice_of(index)])
        return read(self._annotation.element, self._buffer, self._at(index))

    def __setitem__(self, index: int, value: object) -> None:
        write(self._annotation.element, self._buffer, self._at(index), value)

    def __iter__(self) -> Iterator[Any]:
        return (self[index] for index in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, bytes):
            return self.content() == other
        return isinstance(other, (ArrayPlace, list)) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(list(self))


def _view_class(cls: type[Struct]) -> type[Struct]:
    """The class of structures of type `cls` that lie in a buffer."""
    if cls not in _VIEWS:
        _VIEWS[cls] = _make_view_class(cls)
    return _VIEWS[cls]


def _make_view_class(cls: type[Struct]) -> type[Struct]:
    members = members_of(cls)
    layout = layout_of(cls)

    def member(self: object, name: str) -> tuple[object, bytearray, int]:
        found = layout.member(name)
        if found is None:
            raise AttributeError(f"{cls.__name__} has no member {name!r}")
        return members[name], vars(self)[_BUFFER], vars(self)[_OFFSET] + found.offset

    class View(cls, packed=cls._packed):  # type: ignore[valid-type, misc, call-arg]
        def __init__(self, buffer: bytearray, offset: int) -> None:
            self.__dict__.update({_BUFFER: buffer, _OFFSET: offset})

        def __getattr__(self, name: str) -> Any:
            return read(*member(self, name))

        def __setattr__(self, name: str, value: object) -> None:
            if isinstance(getattr(cls, name, None), property):
                object.__setattr__(self, name, value)
            else:
                write(*member(self, name), value)

        def copy(self) -> Struct:
            """A structure with the same contents, which lies nowhere else."""
            return cls(**{name: _apart(getattr(self, name)) for name in members})

        def pack(self, byteorder: Any = sys.byteorder) -> bytes:
            """Its bytes on a machine of `byteorder`."""
            return self.copy().pack(byteorder)

        def __eq__(self, other: object) -> bool:
            apart = other.copy() if isinstance(other, cls) else other
            return bool(self.copy() == apart)

        __hash__ = None  # type: ignore[assignment]

        def __repr__(self) -> str:
            return repr(self.copy())

    View.__name__ = View.__qualname__ = cls.__name__
    return View


def _apart(value: object) -> object:
    """A value that no longer changes with the place that it was read from."""
    if isinstance(value, Struct):
        return value.copy()
    return [_apart(one) for one in value] if isinstance(value, ArrayPlace) else value


def content_of(value: object) -> bytes:
    """The bytes of a structure, an array of bytes, a text, or a number with a type."""
    if isinstance(value, Struct):
        return value.pack()
    if isinstance(value, Bytewise):
        return value.content()
    if isinstance(value, (Integer, BigEndian)):
        return encoded(type(value), value)
    if isinstance(value, bytes):
        return value
    raise TypeError(f"these bytes have no type: {value!r}")


def fill(target: Any, content: bytes, length: int | None) -> bool:
    """Copy `length` bytes into a structure or array, all that it has if None; False if there are not as many.

    It is all zero then, as the kernel leaves it (`bpf_skb_load_bytes`).
    """
    old = content_of(target)
    length = len(old) if length is None else length
    is_there = length <= len(content)
    new = bytearray((content[:length] if is_there else bytes(length)) + old[length:])
    if isinstance(target, Struct):
        found = place(type(target), new)
        for name in members_of(type(target)):
            setattr(target, name, _apart(getattr(found, name)))
    else:
        for index, byte in enumerate(new):
            target[index] = byte
    return is_there
