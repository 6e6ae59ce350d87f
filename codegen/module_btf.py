"""The BTF of a policy: its programs' signatures and its maps, from the policy's own types.

LLVM could write it from debug metadata, but for a struct with several pointer members it does so in an order
that differs from run to run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from skverdict.codegen.btf import BtfBuilder
from skverdict.codegen.btf_types import INT_BOOL, INT_SIGNED, LINKAGE_GLOBAL, LINKAGE_STATIC, Member
from skverdict.dsl.catalogue.contexts import CONTEXTS
from skverdict.dsl.catalogue.maps import MAPS
from skverdict.dsl.catalogue.programs import PROGRAMS
from skverdict.dsl.ir.types import Array, BigEndian, Bool, Int, Opaque, Pointer, Struct, Void

if TYPE_CHECKING:
    from skverdict.dsl.ir.module import Function, Map, Module
    from skverdict.dsl.ir.types import Type

POINTER_SIZE = 8

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


class MapPlace(NamedTuple):
    """Where a map's declaration lies in section `.maps`, in bytes."""

    name: str
    offset: int
    size: int


class ModuleBtf(NamedTuple):
    """The table under construction (it still takes strings), and what it says about functions and maps."""

    builder: BtfBuilder
    functions: dict[str, int]
    maps: tuple[MapPlace, ...]


def module_btf(module: Module) -> ModuleBtf:
    """The BTF of all functions and maps of `module`."""
    writer = _Writer()
    functions = {function.name: writer.function(function) for function in module.functions}
    places = []
    variables = []
    end = 0
    for map_ in module.maps:
        type_id, size = writer.map(map_)
        variables.append((writer.builder.variable(map_.name, type_id, LINKAGE_GLOBAL), end, size))
        places.append(MapPlace(map_.name, end, size))
        end += size
    if variables:
        writer.builder.section(".maps", variables, end)
    return ModuleBtf(writer.builder, functions, tuple(places))


class _Writer:
    def __init__(self) -> None:
        self.builder = BtfBuilder()

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
            # The kernel looks at the name only.
            context = CONTEXTS.get(type_.name)
            return b.struct(type_.name, context.size, ()) if context else b.forward(type_.name)
        assert isinstance(type_, Struct)
        members = [Member(each.name, self.type(each.type), 8 * each.offset) for each in type_.members]
        return b.struct(type_.name, type_.size, members)

    def _index(self) -> int:
        return self.builder.integer("__ARRAY_SIZE_TYPE__", 4)

    def function(self, function: Function) -> int:
        parameters = [(each.name, self.type(each.value.type)) for each in function.parameters]
        prototype = self.builder.prototype(self.type(function.result), parameters)
        linkage = LINKAGE_GLOBAL if function.kind in PROGRAMS else LINKAGE_STATIC
        return self.builder.function(function.name, prototype, linkage)

    def map(self, map_: Map) -> tuple[int, int]:
        """The id and size of the struct that declares a map in libbpf's way.

        A number is a pointer to an array of that length, a type a pointer to it.
        """
        members = [("type", self._number(MAPS[map_.kind].map_type))]
        if map_.key is not None:
            members.append(("key", self.builder.pointer(self.type(map_.key))))
        if map_.value is not None:
            members.append(("value", self.builder.pointer(self.type(map_.value))))
        members.append(("max_entries", self._number(map_.max_entries)))
        if map_.flags:
            members.append(("map_flags", self._number(map_.flags)))
        placed = [
            Member(name, type_id, 8 * POINTER_SIZE * number) for number, (name, type_id) in enumerate(members)
        ]
        size = POINTER_SIZE * len(placed)
        return self.builder.struct("", size, placed), size

    def _number(self, number: int) -> int:
        element = self.builder.integer("int", 4, INT_SIGNED)
        return self.builder.pointer(self.builder.array(element, self._index(), number))
