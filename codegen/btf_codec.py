"""BTF types to the 32-bit words of the type section and back; `KINDS` says what each kind's words are.

Every type is three words (name offset, info, size or type id) and a tail that its kind defines.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from skverdict.codegen.btf_types import (
    Array,
    BtfError,
    BtfType,
    Composite,
    DeclTag,
    Enumeration,
    Enumerator,
    Float,
    Forward,
    Function,
    Int,
    Member,
    Parameter,
    Placement,
    Prototype,
    Reference,
    Section,
    Variable,
)

WORD = 0xFFFFFFFF
MAX_ENTRIES = 0xFFFF
MAX_TYPE_ID = 0xFFFFF
_INFO_RESERVED = 0x60FF0000
_MAX_SIZED_BIT_OFFSET = 0xFFFFFF


class Head(NamedTuple):
    """A type's words, taken apart: `value` is size or type id, `vlen` the info word's low half."""

    kind: str
    name: str
    vlen: int
    flag: bool
    value: int
    tail: Sequence[int]
    string: Callable[[int], str]

    def entries(self, width: int) -> list[Sequence[int]]:
        """The tail as entries of `width` words."""
        return [self.tail[at : at + width] for at in range(0, len(self.tail), width)]


class Words(NamedTuple):
    """What a type becomes beside its name: see `Head`."""

    vlen: int = 0
    flag: bool = False
    value: int = 0
    tail: Sequence[int] = ()


Intern = Callable[[str], int]


def _signed(word: int) -> int:
    return word - (1 << 32) if word >> 31 else word


def _decode_int(head: Head) -> Int:
    word = head.tail[0]
    return Int(head.name, head.value, word >> 24 & 0xF, word & 0xFF, word >> 16 & 0xFF)


def _encode_int(t: Int, intern: Intern) -> Words:
    return Words(value=t.size, tail=[t.encoding << 24 | t.bit_offset << 16 | t.bits])


def _decode_reference(head: Head) -> Reference:
    return Reference(head.kind, head.value, head.name, head.flag)


def _encode_reference(t: Reference, intern: Intern) -> Words:
    return Words(flag=t.attribute, value=t.type_id)


def _decode_array(head: Head) -> Array:
    return Array(head.tail[0], head.tail[1], head.tail[2])


def _encode_array(t: Array, intern: Intern) -> Words:
    return Words(tail=[t.element_id, t.index_id, t.length])


def _decode_composite(head: Head) -> Composite:
    members = tuple(
        Member(head.string(name), type_id, at & _MAX_SIZED_BIT_OFFSET, at >> 24)
        if head.flag
        else Member(head.string(name), type_id, at)
        for name, type_id, at in head.entries(3)
    )
    return Composite(head.kind, head.name, head.value, members, head.flag)


def _encode_composite(t: Composite, intern: Intern) -> Words:
    tail: list[int] = []
    for member in t.members:
        if member.bit_size and not t.sized_members:
            raise BtfError(f"{t.kind} {t.name}: {member.name} is a bit field, `sized_members` is not set")
        if t.sized_members and member.bit_offset > _MAX_SIZED_BIT_OFFSET:
            raise BtfError(f"{t.kind} {t.name}: {member.name} lies past the 2 MiB that bit fields allow")
        tail += intern(member.name), member.type_id, member.bit_size << 24 | member.bit_offset
    return Words(len(t.members), t.sized_members, t.size, tail)


def _decode_enum(head: Head) -> Enumeration:
    number = _signed if head.flag else int
    enumerators = tuple(Enumerator(head.string(name), number(value)) for name, value in head.entries(2))
    return Enumeration(head.kind, head.name, head.value, enumerators, head.flag)


def _decode_enum64(head: Head) -> Enumeration:
    number = _signed if head.flag else int
    enumerators = tuple(
        Enumerator(head.string(name), number(high) << 32 | low) for name, low, high in head.entries(3)
    )
    return Enumeration(head.kind, head.name, head.value, enumerators, head.flag)


def _encode_enumeration(t: Enumeration, intern: Intern) -> Words:
    tail: list[int] = []
    for name, value in t.enumerators:
        tail += [intern(name), value & WORD] + ([value >> 32 & WORD] if t.kind == "enum64" else [])
    return Words(len(t.enumerators), t.signed, t.size, tail)


def _decode_forward(head: Head) -> Forward:
    return Forward(head.name, head.flag)


def _encode_forward(t: Forward, intern: Intern) -> Words:
    return Words(flag=t.is_union)


def _decode_function(head: Head) -> Function:
    return Function(head.name, head.value, head.vlen)


def _encode_function(t: Function, intern: Intern) -> Words:
    return Words(vlen=t.linkage, value=t.type_id)


def _decode_prototype(head: Head) -> Prototype:
    parameters = tuple(Parameter(head.string(name), type_id) for name, type_id in head.entries(2))
    return Prototype(head.value, parameters)


def _encode_prototype(t: Prototype, intern: Intern) -> Words:
    tail = [word for name, type_id in t.parameters for word in (intern(name), type_id)]
    return Words(len(t.parameters), value=t.return_id, tail=tail)


def _decode_variable(head: Head) -> Variable:
    return Variable(head.name, head.value, head.tail[0])


def _encode_variable(t: Variable, intern: Intern) -> Words:
    return Words(value=t.type_id, tail=[t.linkage])


def _decode_section(head: Head) -> Section:
    return Section(head.name, head.value, tuple(Placement(*entry) for entry in head.entries(3)))


def _encode_section(t: Section, intern: Intern) -> Words:
    tail = [word for placement in t.variables for word in placement]
    return Words(len(t.variables), value=t.size, tail=tail)


def _decode_float(head: Head) -> Float:
    return Float(head.name, head.value)


def _encode_float(t: Float, intern: Intern) -> Words:
    return Words(value=t.size)


def _decode_decl_tag(head: Head) -> DeclTag:
    return DeclTag(head.name, head.value, _signed(head.tail[0]), head.flag)


def _encode_decl_tag(t: DeclTag, intern: Intern) -> Words:
    return Words(flag=t.attribute, value=t.type_id, tail=[t.component & WORD])


class Kind(NamedTuple):
    """One kind: its number, its tail, and what its name, vlen and flag may be.

    `width` words of tail, once, or for each of `vlen` entries if `repeated`. `name` is `none`, `optional` or
    `required`. `counted`: vlen means something though the tail is not repeated (a function's linkage).
    """

    number: int
    name: str
    width: int
    repeated: bool
    flagged: bool
    decode: Callable[[Head], BtfType]
    encode: Callable[[Any, Intern], Words]
    counted: bool = False


KINDS: dict[str, Kind] = {
    "int": Kind(1, "optional", 1, False, False, _decode_int, _encode_int),
    "ptr": Kind(2, "none", 0, False, False, _decode_reference, _encode_reference),
    "array": Kind(3, "none", 3, False, False, _decode_array, _encode_array),
    "struct": Kind(4, "optional", 3, True, True, _decode_composite, _encode_composite),
    "union": Kind(5, "optional", 3, True, True, _decode_composite, _encode_composite),
    "enum": Kind(6, "optional", 2, True, True, _decode_enum, _encode_enumeration),
    "fwd": Kind(7, "required", 0, False, True, _decode_forward, _encode_forward),
    "typedef": Kind(8, "required", 0, False, False, _decode_reference, _encode_reference),
    "volatile": Kind(9, "none", 0, False, False, _decode_reference, _encode_reference),
    "const": Kind(10, "none", 0, False, False, _decode_reference, _encode_reference),
    "restrict": Kind(11, "none", 0, False, False, _decode_reference, _encode_reference),
    "func": Kind(12, "required", 0, False, False, _decode_function, _encode_function, counted=True),
    "func_proto": Kind(13, "none", 2, True, False, _decode_prototype, _encode_prototype),
    "var": Kind(14, "required", 1, False, False, _decode_variable, _encode_variable),
    "datasec": Kind(15, "required", 3, True, False, _decode_section, _encode_section),
    "float": Kind(16, "required", 0, False, False, _decode_float, _encode_float),
    "decl_tag": Kind(17, "required", 1, False, True, _decode_decl_tag, _encode_decl_tag),
    "type_tag": Kind(18, "required", 0, False, True, _decode_reference, _encode_reference),
    "enum64": Kind(19, "optional", 3, True, True, _decode_enum64, _encode_enumeration),
}
_KIND_NAMES = {kind.number: name for name, kind in KINDS.items()}


def encode_type(btf_type: BtfType, intern: Intern) -> list[int]:
    """The words of one type; `intern` gives a name's offset in the string section."""
    kind = KINDS[btf_type.kind]
    words = kind.encode(btf_type, intern)
    if words.vlen > MAX_ENTRIES:
        raise BtfError(f"{btf_type.kind} {btf_type.name}: {words.vlen} entries, BTF allows {MAX_ENTRIES}")
    info = words.flag << 31 | kind.number << 24 | words.vlen
    result = [intern(btf_type.name), info, words.value, *words.tail]
    if not 0 <= min(result) <= max(result) <= WORD:
        raise BtfError(f"{btf_type.kind} {btf_type.name}: a number does not fit BTF's 32 bits")
    return result


def decode_types(words: Sequence[int], string: Callable[[int], str]) -> list[tuple[int, BtfType]]:
    """Every type with the byte offset at which it begins in the type section; raises `BtfError`."""
    types: list[tuple[int, BtfType]] = []
    at = 0
    while at < len(words):
        place = f"type {len(types) + 1} at byte {4 * at} of the type section"
        if at + 3 > len(words):
            raise BtfError(f"{place}: cut short")
        if len(types) == MAX_TYPE_ID:
            raise BtfError(f"{place}: BTF allows {MAX_TYPE_ID} types")
        name_offset, info, value = words[at : at + 3]
        kind_name = _KIND_NAMES.get(info >> 24 & 0x1F)
        if kind_name is None:
            raise BtfError(f"{place}: unknown kind {info >> 24 & 0x1F}")
        kind = KINDS[kind_name]
        vlen, flag = info & 0xFFFF, bool(info >> 31)
        unexpected = (flag and not kind.flagged) or (vlen and not (kind.repeated or kind.counted))
        if info & _INFO_RESERVED or unexpected:
            raise BtfError(f"{place}: info {info:#010x} is not valid for {kind_name}")
        end = at + 3 + kind.width * (vlen if kind.repeated else 1)
        if end > len(words):
            raise BtfError(f"{place}: {kind_name} cut short, it takes {4 * (end - at)} bytes")
        try:
            head = Head(kind_name, string(name_offset), vlen, flag, value, words[at + 3 : end], string)
            if kind.name == ("none" if head.name else "required"):
                raise BtfError(f"{kind_name} has {'a name' if head.name else 'no name'}")
            types.append((4 * at, kind.decode(head)))
        except BtfError as error:
            raise BtfError(f"{place}: {error}") from None
        at = end
    return types
