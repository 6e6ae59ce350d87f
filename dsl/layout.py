"""The C layout that the declarations of a policy ask for: from its types to the IR's."""

from __future__ import annotations

from typing import Literal

from skverdict.dsl import scalars
from skverdict.dsl.contexts import CONTEXT_CLASSES, Message
from skverdict.dsl.ir import types as ir
from skverdict.dsl.maps import Map
from skverdict.dsl.structs import ArrayOf, Struct, is_of_kernel, is_struct_class, members_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skverdict.dsl.c.classes import BitField

# A structure's members may not hide what every structure has.
RESERVED_MEMBERS = ("copy", "pack")

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
    if isinstance(annotation, type) and annotation in CONTEXT_CLASSES and annotation is not Message:
        return ir.Pointer(ir.Opaque(CONTEXT_CLASSES[annotation]), ir.Space.CONTEXT)
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
        if is_of_kernel(annotation):
            raise LayoutError(
                f"`{annotation.__name__}` is a structure of the running kernel, which alone makes it",
                "read its members through what a helper gives, or declare it without `core=True`",
            )
        return layout_of(annotation)
    if isinstance(annotation, ArrayOf):
        count = annotation.count
        if not isinstance(count, int) or isinstance(count, bool) or not 0 < count < 1 << 32:
            raise LayoutError(f"an array's count must be a positive integer, not {count!r}")
        return ir.Array(type_of(annotation.element), int(count))
    if annotation is int:
        raise LayoutError("`int` has no width", "write `u32`, `u64`, `i32`, ...")
    is_class = isinstance(annotation, type) and not hasattr(annotation, "__origin__")
    name = annotation.__name__ if is_class else repr(annotation).replace("skverdict.dsl.scalars.", "")  # type: ignore[attr-defined]
    raise LayoutError(f"`{name}` is not a type of the policy language", _instead_of(annotation))


def _instead_of(annotation: object) -> str:
    """What to write instead of an annotation that is no type of the language."""
    if isinstance(annotation, type) and issubclass(annotation, Map):
        return "a map is used by its name, which is global; a loop such as `for m in (a, b):` is for several"
    plain = getattr(annotation, "__origin__", annotation)
    if any(plain is each for each in (tuple, list, dict)):
        return "for several values at once, declare a Struct"
    return "use u8 to u64, i8 to i64, bool, be16, be32, be64, a Struct class or Array[T, n]"


def sizeof(type_: object) -> int:
    """The number of bytes that a number, structure or array of a type takes, as C's `sizeof`. Raises LayoutError."""
    return ir.size_of(type_of(type_))


def bit_field(struct: ir.Type, name: str) -> BitField | None:
    """The bit-field `name` of a structure; only one that came from C has any."""
    bits: tuple[BitField, ...] = getattr(struct, "bits", ())
    return next((one for one in bits if one.name == name), None) if isinstance(struct, ir.Struct) else None


def pack(value: object, type_: ir.Type, byteorder: Literal["little", "big"]) -> bytes:
    """The bytes of a value of `type_`, padding zero. Raises OverflowError for one that does not fit."""
    if isinstance(type_, ir.Struct):
        content = bytearray(type_.size)
        for member in type_.members:
            part = pack(getattr(value, member.name), member.type, byteorder)
            content[member.offset : member.offset + len(part)] = part
        return bytes(content)
    if isinstance(type_, ir.Array):
        elements = list(value)  # type: ignore[call-overload]
        if len(elements) != type_.count:
            raise OverflowError(f"{len(elements)} elements for {type_}")
        return b"".join(pack(element, type_.element, byteorder) for element in elements)
    if isinstance(value, scalars.BigEndian):
        return value.host().to_bytes(value.BITS // 8, "big")
    if isinstance(type_, ir.BigEndian) or not isinstance(value, int):
        raise OverflowError(f"{value!r} is not a {type_}")
    signed = isinstance(type_, ir.Int) and type_.signed
    return int(value).to_bytes(ir.size_of(type_), byteorder, signed=signed)
