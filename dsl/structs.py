"""C structures and arrays of a policy, and the layout that their declarations ask for.

    class SocketKey(Struct):
        src_ip: be32
        name: Array[u8, 16]

An instance starts as all zeros. In ordinary Python it is a plain object with those attributes.
"""

from __future__ import annotations

import sys

from skverdict.dsl import scalars
from skverdict.dsl.ir import types as ir

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Generic, Literal, TypeGuard, TypeVar

    T = TypeVar("T")
    N = TypeVar("N")
    S = TypeVar("S", bound="Struct")

# A structure's members may not hide what every structure has.
RESERVED_MEMBERS = ("copy", "pack", "value")

_SCALARS: dict[object, ir.Int | ir.BigEndian | ir.Bool] = {
    **{getattr(scalars, name): type_ for name, type_ in ir.SCALARS.items() if name != "bool"},
    bool: ir.BOOL,
}


class LayoutError(TypeError):
    """A declaration that has no layout.

    `member` names the member at fault, or is empty; `hint` may help; `others` are further mistakes.
    """

    def __init__(self, message: str, hint: str = "", member: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.member = member
        self.others: tuple[LayoutError, ...] = ()


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

        def __getitem__(self, index: int) -> T: ...
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


class Struct:
    """Base of a policy's structures: members are annotations; C's layout, or no padding if `packed`."""

    _packed: bool = False
    _globals: dict[str, object]
    _origin: tuple[str, int] = ("", 0)
    _layout: ir.Struct

    def __init_subclass__(cls, *, packed: bool = False) -> None:
        super().__init_subclass__()
        frame = sys._getframe(1)
        cls._packed = packed
        cls._globals = frame.f_globals
        cls._origin = (frame.f_code.co_filename, frame.f_lineno)

    def __init__(self, **values: Any) -> None:
        members = members_of(type(self))
        for name, type_ in members.items():
            setattr(self, name, values.pop(name) if name in values else _zero(type_))
        if values:
            raise TypeError(f"{type(self).__name__} has no member {next(iter(values))!r}")

    def copy(self: S) -> S:
        """A second structure with the same contents."""
        twin = type(self)()
        for name, value in self.__dict__.items():
            if isinstance(value, Struct):
                value = value.copy()
            elif isinstance(value, list):
                value = value[:]
            setattr(twin, name, value)
        return twin

    def pack(self, byteorder: Literal["little", "big"] = sys.byteorder) -> bytes:
        """The structure's bytes on a machine of `byteorder`, padding zero.

        Raises LayoutError, or OverflowError for a member whose value does not fit its type.
        """
        return _pack(self, layout_of(type(self)), byteorder)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.__dict__ == self.__dict__

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        members = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({members})"


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


def layout_of(cls: type[Struct]) -> ir.Struct:
    """The IR's structure type of `cls`. Raises LayoutError."""
    if "_layout" in cls.__dict__:
        return cls._layout
    name = cls.__name__
    if cls.__dict__.get("_busy"):
        raise LayoutError(f"`{name}` contains itself")
    cls._busy = True  # type: ignore[attr-defined]
    members: list[tuple[str, ir.Type]] = []
    wrong: list[LayoutError] = []
    try:
        for member, annotation in members_of(cls).items():
            try:
                members.append((member, _member_type(cls, member, annotation)))
            except LayoutError as error:  # noqa: PERF203  (only where something is wrong)
                wrong.append(error)
    finally:
        del cls._busy  # type: ignore[attr-defined]
    if wrong:
        wrong[0].others = tuple(wrong[1:])
        raise wrong[0]
    if not members:
        raise LayoutError(f"`{name}` has no members", "declare them as annotations, such as `port: u16`")
    cls._layout = ir.lay_out(name, members, cls._packed)
    return cls._layout


def _member_type(cls: type[Struct], member: str, annotation: object) -> ir.Type:
    """The IR type of one member of `cls`. Raises LayoutError that names the member."""
    _check_member(cls, member)
    try:
        return type_of(annotation)
    except LayoutError as error:
        raise LayoutError(f"member `{member}`: {error.message}", error.hint, member) from None


def _check_member(cls: type[Struct], member: str) -> None:
    if member in RESERVED_MEMBERS or member.startswith("__"):
        raise LayoutError(f"a member cannot be called `{member}`", "choose another name", member)
    if not member.isascii():
        raise LayoutError(f"`{member}`: the kernel takes only ASCII letters, digits and `_`", "", member)
    if member in cls.__dict__:
        raise LayoutError(
            f"member `{member}` has a default", "members start as zero; set others where it is made", member
        )


def type_of(annotation: object) -> ir.Bool | ir.Int | ir.BigEndian | ir.Struct | ir.Array:
    """The IR type of a scalar, structure or array type as a policy writes it. Raises LayoutError."""
    try:
        scalar = _SCALARS.get(annotation)
    except TypeError:  # unhashable: no type at all
        scalar = None
    if scalar is not None:
        return scalar
    if is_struct_class(annotation):
        return layout_of(annotation)
    if isinstance(annotation, ArrayOf):
        count = annotation.count
        if not isinstance(count, int) or isinstance(count, bool) or not 0 < count < 1 << 32:
            raise LayoutError(f"an array's count must be a positive integer, not {count!r}")
        return ir.Array(type_of(annotation.element), int(count))
    if annotation is int:
        raise LayoutError("`int` has no width", "write `u32`, `u64`, `i32`, ...")
    name = annotation.__name__ if isinstance(annotation, type) else repr(annotation)
    raise LayoutError(f"`{name}` is not a type of the policy language", "use u8 to u64, i8 to i64, bool, "
                      "be16, be32, be64, a Struct class or Array[T, n]")  # fmt: skip


def is_struct_class(thing: object) -> TypeGuard[type[Struct]]:
    return isinstance(thing, type) and issubclass(thing, Struct) and thing is not Struct


def _zero(annotation: object) -> object:
    if isinstance(annotation, ArrayOf):
        count = annotation.count if isinstance(annotation.count, int) else 0
        return [_zero(annotation.element) for _ in range(count)]
    return annotation() if callable(annotation) else 0


def _pack(value: object, type_: ir.Type, byteorder: Literal["little", "big"]) -> bytes:
    if isinstance(type_, ir.Struct):
        content = bytearray(type_.size)
        for member in type_.members:
            part = _pack(getattr(value, member.name), member.type, byteorder)
            content[member.offset : member.offset + len(part)] = part
        return bytes(content)
    if isinstance(type_, ir.Array):
        elements = list(value)  # type: ignore[call-overload]
        if len(elements) != type_.count:
            raise OverflowError(f"{len(elements)} elements for {type_}")
        return b"".join(_pack(element, type_.element, byteorder) for element in elements)
    if isinstance(value, scalars.BigEndian):
        return value.host().to_bytes(value.BITS // 8, "big")
    if isinstance(type_, ir.BigEndian) or not isinstance(value, int):
        raise OverflowError(f"{value!r} is not a {type_}")
    signed = isinstance(type_, ir.Int) and type_.signed
    return int(value).to_bytes(ir.size_of(type_), byteorder, signed=signed)
