"""C structures and arrays of a policy.

    class SocketKey(Struct):
        src_ip: be32
        name: Array[u8, 16]

An instance starts as all zeros. In ordinary Python it is a plain object with those attributes.
"""

from __future__ import annotations

import sys

from skverdict.dsl.scalars import Integer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Generic, Literal, TypeGuard, TypeVar, overload

    from skverdict.dsl.ir import types as ir

    T = TypeVar("T")
    N = TypeVar("N")
    S = TypeVar("S", bound="Struct")

class ArrayOf:
    """The type `Array[element, count]`."""

    __slots__ = ("count", "element")

    def __init__(self, element: object, count: object) -> None:
        self.element = element
        self.count = count

    def __repr__(self) -> str:
        return f"Array[{getattr(self.element, '__name__', self.element)}, {self.count}]"


if TYPE_CHECKING:

    class Array(Generic[T, N]):
        """`count` elements in a row. A type checker wants `Array[u8, Literal[16]]`, which means the same."""

        @overload
        def __getitem__(self, index: int) -> T: ...
        @overload
        def __getitem__(self, index: slice) -> Array[T, Any]: ...
        def __getitem__(self, index: int | slice) -> Any: ...
        def __eq__(self, other: object) -> bool: ...
        def __contains__(self, content: bytes) -> bool: ...
        def startswith(self, prefix: bytes | tuple[bytes, ...]) -> bool: ...
        def __setitem__(self, index: int, value: T) -> None: ...
        def __len__(self) -> int: ...
else:

    class Array:
        """`Array[T, n]`: `n` elements of type `T` in a row."""

        def __class_getitem__(cls, item: object) -> ArrayOf:
            if not isinstance(item, tuple) or len(item) != 2:
                raise TypeError("an array type is written Array[u8, 16]: element type and count")
            count = getattr(item[1], "__args__", (item[1],))[0]
            return ArrayOf(item[0], count)


class Bytewise:
    """What an array of bytes has beside its elements; each raises TypeError for one of other elements."""

    def content(self) -> bytes:
        """Its bytes."""
        return bytes(list(self))  # type: ignore[call-overload]

    def startswith(self, prefix: bytes | tuple[bytes, ...]) -> bool:
        """Whether it begins with the bytes, or with one of several."""
        return self.content().startswith(prefix)

    def __contains__(self, content: object) -> bool:
        """Whether the bytes are found in it, or the element."""
        if isinstance(content, bytes):
            return content in self.content()
        return any(content == one for one in self)  # type: ignore[attr-defined]


class Struct:
    """Base of a policy's structures: members are annotations; C's layout, or no padding if `packed`."""

    _packed: bool = False
    _globals: dict[str, object]
    _origin: tuple[str, int] = ("", 0)
    _layout: ir.Struct
    _members: dict[str, object]

    def __init_subclass__(cls, *, packed: bool = False) -> None:
        super().__init_subclass__()
        frame = sys._getframe(1)
        cls._packed = packed
        cls._globals = frame.f_globals
        cls._origin = (frame.f_code.co_filename, frame.f_lineno)

    def __init__(self, **values: Any) -> None:
        members = members_of(type(self))
        for name, type_ in members.items():
            setattr(self, name, values.pop(name) if name in values else zero_of(type_))
        if values:
            raise TypeError(f"{type(self).__name__} has no member {next(iter(values))!r}")

    def __setattr__(self, name: str, value: object) -> None:
        """A number takes the type of its member, if it fits; one that does not is refused by `pack`.

        The elements of an array are copied.
        """
        if isinstance(value, int) and not isinstance(value, bool):
            cls = type(self)
            if "_members" not in vars(cls):
                cls._members = members_of(cls)
            type_ = cls._members.get(name)
            if isinstance(type_, type) and issubclass(type_, Integer) and type_.holds(value):
                value = type_(value)
        elif isinstance(value, list):
            value = Elements(value)
        super().__setattr__(name, value)

    def copy(self: S) -> S:
        """A second structure with the same contents."""
        twin = type(self)()
        for name, value in self.__dict__.items():
            if isinstance(value, Struct):
                value = value.copy()
            elif isinstance(value, list):
                value = type(value)(value)
            setattr(twin, name, value)
        return twin

    def pack(self, byteorder: Literal["little", "big"] = sys.byteorder) -> bytes:
        """The structure's bytes on a machine of `byteorder`, padding zero.

        Raises LayoutError, or OverflowError for a member whose value does not fit its type.
        """
        from skverdict.dsl.layout import layout_of, pack

        return pack(self, layout_of(type(self)), byteorder)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.__dict__ == self.__dict__

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        members = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({members})"


class Elements(Bytewise, list[object]):
    """The elements of an array: a number that is put there takes the type of the one before, if it fits."""

    def __getitem__(self, index: Any) -> Any:
        if not isinstance(index, slice):
            return super().__getitem__(index)
        from skverdict.dsl.positions import slice_of

        return Elements(super().__getitem__(slice_of(index)))

    def __eq__(self, other: object) -> bool:
        return self.content() == other if isinstance(other, bytes) else super().__eq__(other)

    __hash__ = None

    def __setitem__(self, index: Any, value: Any) -> None:
        kind = type(self[index]) if not isinstance(index, slice) else None
        if kind is not None and issubclass(kind, Integer) and isinstance(value, int) and kind.holds(value):
            value = kind(value)
        super().__setitem__(index, value)


def members_of(cls: type[Struct]) -> dict[str, object]:
    """The members of `cls` by name, base classes first; a string that cannot be evaluated stays a string."""
    members: dict[str, object] = {}
    for owner in reversed(cls.__mro__):
        if owner in (Struct, object) or not issubclass(owner, Struct):
            continue
        own: dict[str, object] = vars(owner).get("__annotations__", {})
        for name, annotation in own.items():
            members[name] = _evaluate(owner, annotation) if isinstance(annotation, str) else annotation
    return members


def _evaluate(owner: type[Struct], annotation: str) -> object:
    """An annotation that is a string, as all are under `from __future__ import annotations`."""
    try:
        return eval(annotation, owner._globals, {owner.__name__: owner})
    except Exception:
        return annotation


def is_struct_class(thing: object) -> TypeGuard[type[Struct]]:
    return isinstance(thing, type) and issubclass(thing, Struct) and thing is not Struct


def is_of_kernel(thing: object) -> bool:
    """True for a structure of the running kernel, whose place in memory no policy decides."""
    return is_struct_class(thing) and bool(getattr(thing, "_of_kernel", False))


def zero_of(annotation: object) -> object:
    """The value of a type that is all zero, as ordinary Python has it."""
    if isinstance(annotation, ArrayOf):
        count = annotation.count if isinstance(annotation.count, int) else 0
        return Elements(zero_of(annotation.element) for _ in range(count))
    return annotation() if callable(annotation) else 0
