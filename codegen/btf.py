"""BTF, the BPF type format (Documentation/bpf/btf.rst): a checked table of types, its bytes, its builder."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from skverdict.codegen.btf_codec import decode_types, encode_type
from skverdict.codegen.btf_types import (
    LINKAGE_GLOBAL,
    MODIFIERS,
    POINTER_SIZE,
    VOID,
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

MAGIC = 0xEB9F
VERSION = 1
HEADER_SIZE = 24
MAX_STRING_OFFSET = 0xFFFFFF
_MAX_SIZE = 0xFFFFFFFF
# The kernel's MAX_RESOLVE_DEPTH. It also bounds what looking through layers can cost in a crafted file.
MAX_LAYERS = 32
_MAX_NAME_DEPTH = 32
BYTE_ORDERS = {"little": "<", "big": ">"}


class StringTable:
    """NUL-ended strings, each once, in the order of their first use; offset 0 is the empty string."""

    def __init__(self, content: bytes = b"\0") -> None:
        self.content = bytearray(content)
        self._offsets: dict[bytes, int] = {}
        at = 0
        for text in content[:-1].split(b"\0"):
            self._offsets.setdefault(text, at)
            at += len(text) + 1

    def intern(self, text: str) -> int:
        """The offset of `text`, which is added if new; raises `BtfError` for a NUL or a full table."""
        encoded = text.encode("utf-8", "backslashreplace")
        offset = self._offsets.get(encoded)
        if offset is None:
            offset = len(self.content)
            if b"\0" in encoded or offset > MAX_STRING_OFFSET:
                problem = "has a NUL" if b"\0" in encoded else "would be past 16 MiB"
                raise BtfError(f"{text[:40]!r} cannot enter a BTF string table: it {problem}")
            self._offsets[encoded] = offset
            self.content += encoded + b"\0"
        return offset


class Btf(NamedTuple):
    """Types by id (`types[0]` is void) and the string section, which `.BTF.ext` shares."""

    types: tuple[BtfType, ...]
    strings: bytes = b"\0"

    def type(self, type_id: int) -> BtfType:
        """The type of that id; raises `BtfError` for an id the table does not have."""
        if not 0 <= type_id < len(self.types):
            raise BtfError(f"type id {type_id}, the table ends at {len(self.types) - 1}")
        return self.types[type_id]

    def string(self, offset: int) -> str:
        """The string at `offset` of the string section; bytes that are not UTF-8 come out as `\\xNN`."""
        end = self.strings.find(b"\0", offset) if 0 <= offset < len(self.strings) else -1
        if end < 0:
            raise BtfError(f"string offset {offset}, the string section has {len(self.strings)} bytes")
        return self.strings[offset:end].decode("utf-8", "backslashreplace")

    def find(self, name: str, *kinds: str) -> int | None:
        """The id of the first type of that name, and of one of `kinds` if any are given."""
        for type_id, btf_type in enumerate(self.types):
            if btf_type.name == name and (not kinds or btf_type.kind in kinds) and type_id:
                return type_id
        return None

    def resolve_id(self, type_id: int) -> int:
        """The id behind typedefs, qualifiers and type tags."""
        btf_type = self.type(type_id)
        while isinstance(btf_type, Reference) and btf_type.kind in MODIFIERS:
            type_id = btf_type.type_id
            btf_type = self.type(type_id)
        return type_id

    def resolve(self, type_id: int) -> BtfType:
        """The type behind typedefs, qualifiers and type tags."""
        return self.types[self.resolve_id(type_id)]

    def size_of(self, type_id: int) -> int:
        """Size in bytes; raises `BtfError` for a type without one: void, functions, forward declarations."""
        count = 1
        btf_type = self.resolve(type_id)
        while isinstance(btf_type, (Array, Variable)):
            if isinstance(btf_type, Array):
                count *= btf_type.length
                btf_type = self.resolve(btf_type.element_id)
            else:
                btf_type = self.resolve(btf_type.type_id)
        if isinstance(btf_type, (Int, Composite, Enumeration, Section, Float)):
            size = count * btf_type.size
        elif isinstance(btf_type, Reference):
            size = count * POINTER_SIZE
        else:
            raise BtfError(f"type {type_id} ({self.name_of(type_id)}) has no size")
        if size > _MAX_SIZE:
            raise BtfError(f"type {type_id} ({self.name_of(type_id)}) is larger than 4 GiB")
        return size

    def name_of(self, type_id: int, depth: int = 0) -> str:
        """The type as C spells it, in one line: `struct key`, `const char *`, `__u32[4]`."""
        btf_type = self.type(type_id)
        if depth > _MAX_NAME_DEPTH:
            return "..."
        if isinstance(btf_type, Reference) and btf_type.kind != "typedef":
            target = self.name_of(btf_type.type_id, depth + 1)
            if btf_type.kind == "ptr":
                return f"{target}*" if target.endswith("*") else f"{target} *"
            if btf_type.kind == "type_tag":
                return target
            return f"{target} {btf_type.kind}" if target.endswith("*") else f"{btf_type.kind} {target}"
        if isinstance(btf_type, Array):
            # The length goes in front of those of the elements: int[5][3] is five times int[3].
            element, bracket, inner = self.name_of(btf_type.element_id, depth + 1).partition("[")
            return f"{element}[{btf_type.length}]{bracket}{inner}"
        if isinstance(btf_type, Prototype):
            parameters = ", ".join(self.name_of(each.type_id, depth + 1) for each in btf_type.parameters[:5])
            return f"{self.name_of(btf_type.return_id, depth + 1)} ({parameters})"
        if isinstance(btf_type, (Composite, Enumeration)):
            return f"{btf_type.kind.removesuffix('64')} {btf_type.name or '(anonymous)'}"
        if isinstance(btf_type, Forward):
            return f"{'union' if btf_type.is_union else 'struct'} {btf_type.name}"
        return btf_type.name or btf_type.kind

    def encode(self, endian: str) -> bytes:
        """The bytes of a `.BTF` section in byte order `little` or `big`."""
        table = StringTable(self.strings)
        words = [word for btf_type in self.types[1:] for word in encode_type(btf_type, table.intern)]
        return _section(words, table, endian)

    @staticmethod
    def decode(content: bytes) -> Btf:
        """BTF from the bytes of a `.BTF` section of either byte order, checked; raises `BtfError`."""
        order = next((each for each in "<>" if content[:2] == struct.pack(f"{each}H", MAGIC)), None)
        if order is None:
            raise BtfError(f"no BTF: the magic number 0xeb9f is not at byte 0 of {len(content)}")
        sections = _sections(content, order)
        strings = sections["string"]
        if not strings or strings[0] or strings[-1]:
            raise BtfError(f"string section of {len(strings)} bytes does not begin and end with a NUL")
        type_bytes = sections["type"]
        if len(type_bytes) % 4:
            raise BtfError(f"type section of {len(type_bytes)} bytes is not whole 32-bit words")
        words = struct.unpack(f"{order}{len(type_bytes) // 4}I", type_bytes)
        placed = decode_types(words, Btf((VOID,), strings).string)
        btf = Btf((VOID, *(btf_type for _, btf_type in placed)), strings)
        _check(btf, [0, *(offset for offset, _ in placed)])
        return btf


def _section(words: Sequence[int], table: StringTable, endian: str) -> bytes:
    """The bytes of a `.BTF` section of types in `words`."""
    order = BYTE_ORDERS[endian]
    type_size = 4 * len(words)
    header = struct.pack(
        f"{order}HBBIIIII", MAGIC, VERSION, 0, HEADER_SIZE, 0, type_size, type_size, len(table.content)
    )
    return header + struct.pack(f"{order}{len(words)}I", *words) + bytes(table.content)


def _sections(content: bytes, order: str) -> dict[str, bytes]:
    """The type and string sections that the header of `content` points to."""
    if len(content) < HEADER_SIZE:
        raise BtfError(f"header cut short: {len(content)} of {HEADER_SIZE} bytes")
    _, version, flags, header_size, *places = struct.unpack_from(f"{order}HBBIIIII", content)
    if version != VERSION or flags:
        raise BtfError(f"version {version} with flags {flags:#x} at byte 2; this reads {VERSION} without")
    if header_size < HEADER_SIZE or any(content[HEADER_SIZE:header_size]):
        raise BtfError(f"header of {header_size} bytes (at byte 4) is not one of version {VERSION}")
    sections: dict[str, bytes] = {}
    for name, offset, size in (("type", *places[:2]), ("string", *places[2:])):
        start = header_size + offset
        if start + size > len(content):
            raise BtfError(f"{name} section, {size} bytes at {start}, runs past the end at {len(content)}")
        sections[name] = content[start : start + size]
    if places[0] % 4:
        raise BtfError(f"type section at offset {places[0]} is not on a 4-byte boundary")
    return sections


def _targets(btf_type: BtfType) -> Iterator[int]:
    """Ids of all types that `btf_type` mentions."""
    if isinstance(btf_type, (Reference, Function, Variable, DeclTag)):
        yield btf_type.type_id
    elif isinstance(btf_type, Array):
        yield from (btf_type.element_id, btf_type.index_id)
    elif isinstance(btf_type, Composite):
        yield from (member.type_id for member in btf_type.members)
    elif isinstance(btf_type, Prototype):
        yield btf_type.return_id
        yield from (parameter.type_id for parameter in btf_type.parameters)
    elif isinstance(btf_type, Section):
        yield from (placement.type_id for placement in btf_type.variables)


def _parts(btf_type: BtfType) -> Sequence[int]:
    """Ids of the types that `btf_type` contains by value: what must be known to lay it out."""
    if isinstance(btf_type, Reference):
        return () if btf_type.kind == "ptr" else (btf_type.type_id,)
    return () if isinstance(btf_type, (Prototype, Function, DeclTag)) else tuple(_targets(btf_type))


def _layers(btf: Btf, btf_type: BtfType) -> int:
    """How many typedefs, qualifiers and arrays lie one in another from here, counted up to the limit."""
    layers = 0
    while isinstance(btf_type, (Reference, Array)) and btf_type.kind != "ptr" and layers <= MAX_LAYERS:
        layers += 1
        btf_type = btf.types[btf_type.element_id if isinstance(btf_type, Array) else btf_type.type_id]
    return layers


def _check(btf: Btf, offsets: Sequence[int]) -> None:
    """Ids are in range and of the right kind, nothing contains itself, members lie inside their struct."""

    def refuse(type_id: int, problem: str) -> BtfError:
        place = f"type {type_id} at byte {offsets[type_id]} of the type section"
        return BtfError(f"{place}: {btf.types[type_id].kind} {problem}")

    for type_id, btf_type in enumerate(btf.types):
        for target in _targets(btf_type):
            if target >= len(btf.types):
                raise refuse(type_id, f"refers to type {target}, the table ends at {len(btf.types) - 1}")
        if isinstance(btf_type, Function) and not isinstance(btf.types[btf_type.type_id], Prototype):
            raise refuse(type_id, f"has type {btf_type.type_id}, which is no prototype")
        if isinstance(btf_type, Section):
            for placement in btf_type.variables:
                if not isinstance(btf.types[placement.type_id], (Variable, Function)):
                    raise refuse(type_id, f"holds type {placement.type_id}, neither variable nor function")
    cycle = _find_cycle(btf)
    if cycle is not None:
        raise refuse(cycle, "contains itself")
    for type_id, btf_type in enumerate(btf.types):
        if _layers(btf, btf_type) > MAX_LAYERS:
            raise refuse(type_id, f"has more than {MAX_LAYERS} typedefs, qualifiers and arrays around it")
    for type_id, btf_type in enumerate(btf.types):
        if isinstance(btf_type, Int) and btf_type.bit_offset + btf_type.bits > 8 * btf_type.size:
            raise refuse(type_id, f"{btf_type.name} has more bits than its {btf_type.size} bytes hold")
        if isinstance(btf_type, Composite):
            for member in btf_type.members:
                try:
                    bits = member.bit_size or 8 * btf.size_of(member.type_id)
                except BtfError as error:
                    raise refuse(type_id, f"{btf_type.name}: {error}") from None
                if member.bit_offset + bits > 8 * btf_type.size:
                    raise refuse(type_id, f"{btf_type.name} has {member.name or 'a member'} past its end")


def _find_cycle(btf: Btf) -> int | None:
    """The id of a type that contains itself by value, if there is one."""
    done: set[int] = set()
    for root in range(len(btf.types)):
        path: list[tuple[int, Iterator[int]]] = []
        on_path: set[int] = set()
        following = root
        while True:
            if following in on_path:
                return following
            if following not in done:
                path.append((following, iter(_parts(btf.types[following]))))
                on_path.add(following)
            while path:
                type_id, parts = path[-1]
                part = next(parts, None)
                if part is not None:
                    following = part
                    break
                path.pop()
                on_path.discard(type_id)
                done.add(type_id)
            else:
                break
    return None


class BtfBuilder:
    """Makes a `Btf`: equal types and equal strings get one id and one offset, in the order of first use.

    The same calls in the same order give the same bytes. Every method returns the type's id.
    """

    def __init__(self) -> None:
        self._strings = StringTable()
        self._types: list[BtfType] = [VOID]
        # Each type as it is written.
        self._words: list[Sequence[int]] = [()]
        self._ids: dict[BtfType, int] = {VOID: 0}

    def string(self, text: str) -> int:
        """The offset of `text` in the string section; `.BTF.ext` refers to its file names and lines so."""
        return self._strings.intern(text)

    def add(self, btf_type: BtfType) -> int:
        """Any type."""
        type_id = self._ids.get(btf_type)
        if type_id is None:
            type_id = self._ids[btf_type] = len(self._types)
            self._types.append(btf_type)
            self._words.append(encode_type(btf_type, self._strings.intern))
        return type_id

    def define(self, type_id: int, btf_type: BtfType) -> None:
        """Put `btf_type` in the place of forward declaration `type_id`: so can a struct point to itself."""
        if not isinstance(self._types[type_id], Forward):
            raise BtfError(f"type {type_id} is {self._types[type_id].kind}, not a forward declaration")
        self._ids[btf_type] = type_id
        self._types[type_id] = btf_type
        self._words[type_id] = encode_type(btf_type, self._strings.intern)

    def integer(self, name: str, size: int, encoding: int = 0) -> int:
        """An integer of `size` bytes; `encoding` as in `Int`."""
        return self.add(Int(name, size, encoding, 8 * size))

    def pointer(self, type_id: int) -> int:
        return self.add(Reference("ptr", type_id))

    def typedef(self, name: str, type_id: int) -> int:
        return self.add(Reference("typedef", type_id, name))

    def volatile(self, type_id: int) -> int:
        return self.add(Reference("volatile", type_id))

    def const(self, type_id: int) -> int:
        return self.add(Reference("const", type_id))

    def restrict(self, type_id: int) -> int:
        return self.add(Reference("restrict", type_id))

    def type_tag(self, name: str, type_id: int) -> int:
        return self.add(Reference("type_tag", type_id, name))

    def array(self, element_id: int, index_id: int, count: int) -> int:
        return self.add(Array(element_id, index_id, count))

    def struct(self, name: str, size: int, members: Iterable[Member]) -> int:
        return self._composite("struct", name, size, tuple(members))

    def union(self, name: str, size: int, members: Iterable[Member]) -> int:
        return self._composite("union", name, size, tuple(members))

    def _composite(self, kind: str, name: str, size: int, members: tuple[Member, ...]) -> int:
        return self.add(Composite(kind, name, size, members, any(member.bit_size for member in members)))

    def enum(
        self, name: str, enumerators: Iterable[tuple[str, int]], size: int = 4, signed: bool = False
    ) -> int:
        values = tuple(Enumerator(*each) for each in enumerators)
        return self.add(Enumeration("enum", name, size, values, signed))

    def enum64(
        self, name: str, enumerators: Iterable[tuple[str, int]], size: int = 8, signed: bool = False
    ) -> int:
        values = tuple(Enumerator(*each) for each in enumerators)
        return self.add(Enumeration("enum64", name, size, values, signed))

    def forward(self, name: str, is_union: bool = False) -> int:
        return self.add(Forward(name, is_union))

    def prototype(self, return_id: int, parameters: Iterable[tuple[str, int]]) -> int:
        return self.add(Prototype(return_id, tuple(Parameter(*each) for each in parameters)))

    def function(self, name: str, prototype_id: int, linkage: int = LINKAGE_GLOBAL) -> int:
        return self.add(Function(name, prototype_id, linkage))

    def variable(self, name: str, type_id: int, linkage: int = LINKAGE_GLOBAL) -> int:
        return self.add(Variable(name, type_id, linkage))

    def section(self, name: str, variables: Iterable[tuple[int, int, int]], size: int = 0) -> int:
        """`variables` are (variable id, offset, size)."""
        return self.add(Section(name, size, tuple(Placement(*each) for each in variables)))

    def floating(self, name: str, size: int) -> int:
        return self.add(Float(name, size))

    def decl_tag(self, name: str, type_id: int, component: int = -1) -> int:
        return self.add(DeclTag(name, type_id, component))

    def build(self) -> Btf:
        """The table as it stands, with every string asked for."""
        return Btf(tuple(self._types), bytes(self._strings.content))

    def encode(self, endian: str) -> bytes:
        """The bytes of the table as it stands, in byte order `little` or `big`: those of `build().encode`."""
        return _section([word for words in self._words for word in words], self._strings, endian)
