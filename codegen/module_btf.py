"""The BTF of a policy: its programs' signatures, its maps and variables, from the policy's own types.

LLVM could write it from debug metadata, but for a struct with several pointer members it does so in an order
that differs from run to run.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from skverdict.codegen.btf import BtfBuilder
from skverdict.codegen.btf_types import INT_BOOL, INT_SIGNED, LINKAGE_GLOBAL, LINKAGE_STATIC, Composite, Member
from skverdict.dsl.catalogue.contexts import CONTEXTS
from skverdict.dsl.catalogue.maps import EVENT, MAPS, PROGRAM
from skverdict.dsl.catalogue.programs import PROGRAMS
from skverdict.dsl.catalogue.sockets import STRUCTURES
from skverdict.dsl.ir.types import (
    U64,
    Array,
    BigEndian,
    Bool,
    Int,
    Opaque,
    Pointer,
    Struct,
    Void,
    holds_object,
    size_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from skverdict.codegen.data_sections import DataSection
    from skverdict.dsl.catalogue.contexts import Context, Field
    from skverdict.dsl.ir.module import Function, Map, Module
    from skverdict.dsl.ir.types import Type

POINTER_SIZE = 8
_INDEX_SIZE = 4

# The kernel's typedefs (include/uapi/asm-generic/int-ll64.h, include/uapi/linux/types.h) over C's types.
_INTEGERS = {
    (8, False): ("unsigned char", "__u8"),
    (8, True): ("signed char", "__s8"),
    (16, False): ("unsigned short", "__u16"),
    (16, True): ("short", "__s16"),
    (32, False): ("unsigned int", "__u32"),
    (32, True): ("int", ""),
    (64, False): ("unsigned long long", "__u64"),
    (64, True): ("long long", "__s64"),
}


# The fields of contexts that are pointers to structures.
_POINTEES = {"sk": "bpf_sock", "flow_keys": "bpf_flow_keys"}


class MapPlace(NamedTuple):
    """Where a map's declaration lies in section `.maps`, in bytes; what it holds at first is at `initial`,
    as pairs of an offset in the section and the name of a map or program."""

    name: str
    offset: int
    size: int
    initial: tuple[tuple[int, str], ...] = ()


class ModuleBtf(NamedTuple):
    """The table under construction (it still takes strings), and what it says about functions, maps, and the
    structures of the kernel that instructions read."""

    builder: BtfBuilder
    functions: dict[str, int]
    maps: tuple[MapPlace, ...]
    structs: dict[str, int]


def module_btf(module: Module, data: Iterable[DataSection] = (), read: Iterable[str] = ()) -> ModuleBtf:
    """The BTF of all functions, maps and variables of `module`, whose variables lie in `data`.

    `read` are the names of the structures of the kernel that its instructions read.
    """
    writer = _Writer(module)
    functions = {function.name: writer.function(function) for function in module.functions}
    places = []
    variables = []
    end = 0
    for map_ in module.maps:
        type_id, size = writer.map(map_)
        # Initial entries are pointers behind all that says what the map is.
        initial = tuple((end + size + POINTER_SIZE * index, name) for index, name in map_.initial)
        size = max((offset + POINTER_SIZE for offset, _ in initial), default=end + size) - end
        variables.append((writer.builder.variable(map_.name, type_id, LINKAGE_GLOBAL), end, size))
        places.append(MapPlace(map_.name, end, size, initial))
        end += size
    if variables:
        writer.builder.section(".maps", variables, end)
    for section in data:
        writer.data(section)
    structs = {name: writer.type(Opaque(name)) for name in sorted(set(read))}
    return ModuleBtf(writer.builder, functions, tuple(places), structs)


class _Writer:
    def __init__(self, module: Module) -> None:
        self.builder = BtfBuilder()
        self.structs = {struct.name: struct for struct in module.structs}
        # Structures that something points to, once their members are known.
        self.defined: dict[str, int] = {}

    def type(self, type_: Type) -> int:
        """The BTF id of `type_`."""
        b = self.builder
        if isinstance(type_, Int):
            name, typedef = _INTEGERS[type_.bits, type_.signed]
            number = b.integer(name, type_.bits // 8, INT_SIGNED if type_.signed else 0)
            return b.typedef(typedef, number) if typedef else number
        if isinstance(type_, BigEndian):
            return b.typedef(f"__be{type_.bits}", self.type(Int(type_.bits, signed=False)))
        if isinstance(type_, Bool):
            return b.integer("_Bool", 1, INT_BOOL)
        if isinstance(type_, Void):
            return 0
        if isinstance(type_, Pointer):
            return b.pointer(self.type(type_.target))
        if isinstance(type_, Array):
            return b.array(self.type(type_.element), self._index(), type_.count)
        if isinstance(type_, Opaque):
            return self._object(type_.name)
        assert isinstance(type_, Struct)
        if holds_object(type_):
            return self._pointed(type_.name, type_.size, lambda: self._members(type_))
        return b.struct(type_.name, type_.size, self._members(type_))

    def _members(self, struct: Struct) -> list[Member]:
        return [Member(each.name, self.type(each.type), 8 * each.offset) for each in struct.members]

    def _object(self, name: str) -> int:
        """What the kernel defines: a context, a socket, or what the policy declares of one of its structures."""
        table = CONTEXTS.get(name) or STRUCTURES.get(name)
        if table is not None and name != "sock_common":
            return self._pointed(name, table.size, lambda: self._fields(table))
        declared = self.structs.get(name)
        return self.builder.forward(name) if declared is None else self.type(declared)

    def _pointed(self, name: str, size: int, members: Callable[[], Sequence[Member]]) -> int:
        """A structure that pointers may lead to before its members are known, itself among them."""
        if name not in self.defined:
            type_id = self.defined[name] = self.builder.forward(name)
            self.builder.define(type_id, Composite("struct", name, size, tuple(members())))
        return self.defined[name]

    def _fields(self, table: Context) -> list[Member]:
        """The members of a structure that is known by its fields; those in one place are a union."""
        members = []
        for offset, group in groupby(table.fields.values(), lambda field: field.offset):
            fields = list(group)
            parts = [Member(field.name, self._field(field), 0) for field in fields]
            if len(parts) == 1:
                members.append(parts[0]._replace(bit_offset=8 * offset))
                continue
            size = max(size_of(field.type) for field in fields)
            members.append(Member("", self.builder.union("", size, parts), 8 * offset))
        return members

    def _field(self, field: Field) -> int:
        """The type of a field as the kernel's header declares it."""
        if field.type == U64 and field.role in ("data", "data_end"):
            return self.builder.pointer(0)
        if field.name in _POINTEES:
            return self.builder.pointer(self.builder.forward(_POINTEES[field.name]))
        return self.type(field.type)

    def _index(self) -> int:
        return self.builder.integer("__ARRAY_SIZE_TYPE__", 4)

    def function(self, function: Function) -> int:
        parameters = [(each.name, self.type(each.value.type)) for each in function.parameters]
        prototype = self.builder.prototype(self.type(function.result), parameters)
        linkage = LINKAGE_GLOBAL if function.kind in PROGRAMS else LINKAGE_STATIC
        return self.builder.function(function.name, prototype, linkage)

    def data(self, section: DataSection) -> None:
        """Describe the variables of a section; strings have no names."""
        variables = []
        for _, offset, size, variable in section.placed:
            if variable is not None:
                type_id = self.type(variable.type)
                if variable.constant:
                    type_id = self.builder.const(type_id)
                linkage = self.builder.variable(variable.name, type_id, LINKAGE_GLOBAL)
                variables.append((linkage, offset, size))
        if variables:
            self.builder.section(section.name, variables, len(section.content))

    def map(self, map_: Map) -> tuple[int, int]:
        """The id and size of the struct that declares a map in libbpf's way.

        A number is a pointer to an array of that length, a type a pointer to it.
        """
        kind = MAPS[map_.kind]
        members = [("type", self._number(kind.map_type))]
        if kind.entry in (PROGRAM, EVENT):
            # The kernel takes no types for these.
            members += [("key_size", self._number(_INDEX_SIZE)), ("value_size", self._number(_INDEX_SIZE))]
        else:
            if map_.key is not None:
                members.append(("key", self.builder.pointer(self.type(map_.key))))
            if map_.value is not None and map_.inner is None:
                members.append(("value", self.builder.pointer(self.type(map_.value))))
        members.append(("max_entries", self._number(map_.max_entries)))
        if map_.flags:
            members.append(("map_flags", self._number(map_.flags)))
        values = self._values(map_)
        placed = [
            Member(name, type_id, 8 * POINTER_SIZE * number) for number, (name, type_id) in enumerate(members)
        ]
        size = POINTER_SIZE * len(placed)
        if values is not None:
            placed.append(Member("values", self.builder.array(values, self._index(), 0), 8 * size))
        return self.builder.struct("", size, placed), size

    def _values(self, map_: Map) -> int | None:
        """The type of a pointer to what the map holds, for one whose entries the object names."""
        if map_.inner is not None:
            return self.builder.pointer(self.map(map_.inner)[0])
        if not map_.initial:
            return None
        result = self.builder.integer("int", 4, INT_SIGNED)
        prototype = self.builder.prototype(result, [("", self.builder.pointer(0))])
        return self.builder.pointer(prototype)

    def _number(self, number: int) -> int:
        element = self.builder.integer("int", 4, INT_SIGNED)
        return self.builder.pointer(self.builder.array(element, self._index(), number))
