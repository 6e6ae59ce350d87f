"""BTF types as plain values: one class per layout, `kind` telling kinds of the same layout apart.

Numbers and layouts are include/uapi/linux/btf.h. Types refer to each other by id; id 0 is `VOID`. Every value
ends in or begins with its `kind`, so that values of different classes never compare equal.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from skverdict.codegen.object_error import ObjectError


class BtfError(ObjectError):
    """BTF that breaks its own rules; says what, and at which byte or type."""


class Void(NamedTuple):
    """Type id 0."""

    name: str = ""
    kind: str = "void"


class Int(NamedTuple):
    """An integer of `size` bytes; `encoding` is 0, `INT_SIGNED`, `INT_CHAR` or `INT_BOOL`, or several or-ed.

    `bits` of it count, from bit `bit_offset` on; only bit-field types of old tools differ from 8 * `size`.
    """

    name: str
    size: int
    encoding: int
    bits: int
    bit_offset: int = 0
    kind: str = "int"


class Reference(NamedTuple):
    """`kind` is `ptr`, `typedef`, `volatile`, `const`, `restrict` or `type_tag`; `attribute` a tag's flag."""

    kind: str
    type_id: int
    name: str = ""
    attribute: bool = False


class Array(NamedTuple):
    """`length` elements of type `element_id`; the index type has no meaning beyond being an integer."""

    element_id: int
    index_id: int
    length: int
    name: str = ""
    kind: str = "array"


class Member(NamedTuple):
    """A member of a struct or union, `bit_offset` bits from its start; `bit_size` is 0 unless a bit field."""

    name: str
    type_id: int
    bit_offset: int
    bit_size: int = 0


class Composite(NamedTuple):
    """`kind` is `struct` or `union`; `size` in bytes; `sized_members`: member words carry bit-field sizes."""

    kind: str
    name: str
    size: int
    members: tuple[Member, ...]
    sized_members: bool = False


class Enumerator(NamedTuple):
    """One named value of an enumeration, signed or unsigned as the enumeration says."""

    name: str
    value: int


class Enumeration(NamedTuple):
    """`kind` is `enum` (values of 32 bits) or `enum64`; `size` in bytes."""

    kind: str
    name: str
    size: int
    enumerators: tuple[Enumerator, ...]
    signed: bool = False


class Forward(NamedTuple):
    """A struct or union that is declared and not defined."""

    name: str
    is_union: bool = False
    kind: str = "fwd"


class Function(NamedTuple):
    """A function; `type_id` is its prototype, `linkage` one of the `LINKAGE_` numbers."""

    name: str
    type_id: int
    linkage: int
    kind: str = "func"


class Parameter(NamedTuple):
    """A parameter; unnamed and of type 0 at the end means variable arguments."""

    name: str
    type_id: int


class Prototype(NamedTuple):
    """A function type."""

    return_id: int
    parameters: tuple[Parameter, ...]
    name: str = ""
    kind: str = "func_proto"


class Variable(NamedTuple):
    """A global variable; `linkage` is one of the `LINKAGE_` numbers."""

    name: str
    type_id: int
    linkage: int
    kind: str = "var"


class Placement(NamedTuple):
    """A variable's place in its section, in bytes; compilers leave the offset 0 for a linker to fill in."""

    type_id: int
    offset: int
    size: int


class Section(NamedTuple):
    """An ELF section and its variables; `size` is 0 until a loader fills it in."""

    name: str
    size: int
    variables: tuple[Placement, ...]
    kind: str = "datasec"


class Float(NamedTuple):
    """A floating-point type of `size` bytes."""

    name: str
    size: int
    kind: str = "float"


class DeclTag(NamedTuple):
    """A tag on the declaration `type_id`, or on its member or parameter `component` (-1: on the whole)."""

    name: str
    type_id: int
    component: int = -1
    attribute: bool = False
    kind: str = "decl_tag"


BtfType: TypeAlias = (
    Void
    | Int
    | Reference
    | Array
    | Composite
    | Enumeration
    | Forward
    | Function
    | Prototype
    | Variable
    | Section
    | Float
    | DeclTag
)

VOID = Void()

INT_SIGNED = 1
INT_CHAR = 2
INT_BOOL = 4

LINKAGE_STATIC = 0
LINKAGE_GLOBAL = 1
LINKAGE_EXTERN = 2

POINTER_SIZE = 8
MODIFIERS = ("typedef", "volatile", "const", "restrict", "type_tag")
