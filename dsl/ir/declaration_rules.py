"""What a module's declarations must be: structs, maps, and the types that everything is made of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from skverdict.dsl.catalogue.contexts import CONTEXTS
from skverdict.dsl.catalogue.maps import MAP, MAPS, PROGRAM
from skverdict.dsl.catalogue.programs import PROGRAMS
from skverdict.dsl.ir.module import Global, Map, Module
from skverdict.dsl.ir.site import SCALAR, fits
from skverdict.dsl.ir.text import MAX_NESTING
from skverdict.dsl.ir.types import (
    MEMORY_SPACES,
    SCALARS,
    Array,
    BigEndian,
    Int,
    Opaque,
    Pointer,
    Space,
    Struct,
    Type,
    Void,
    holds_context,
    holds_object,
    is_context,
    is_object,
    scalars_in,
    size_of,
)

_MOST_ENTRIES = (1 << 32) - 1
_SMALLEST_PAGE = 4096
# BTF holds no other names, and an object names all of these in it.
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def twice(names: Iterable[str], what: str) -> Iterator[str]:
    """No name is to be there a second time."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            yield f"{what} {name} is declared twice"
        seen.add(name)


def declaration_problems(module: Module) -> Iterator[str]:
    structs = {struct.name: struct for struct in module.structs}
    declared = [map_.name for map_ in module.maps]
    declared += [variable.name for variable in module.globals]
    declared += [function.name for function in module.functions]
    yield from twice((struct.name for struct in module.structs), "struct")
    yield from twice(declared, "map, global or function")
    for name in [*structs, *declared]:
        yield from identifier_problems(name)
    for struct in module.structs:
        yield from (f"struct {struct.name}: {problem}" for problem in _struct(struct, structs))
    for map_ in module.maps:
        yield from (f"map {map_.name}: {problem}" for problem in _map(map_, structs))
        yield from (f"map {map_.name}: {problem}" for problem in _initial(map_, module))
    for variable in module.globals:
        yield from (f"global {variable.name}: {problem}" for problem in _global(variable, structs))


def identifier_problems(name: str) -> Iterator[str]:
    if not _IDENTIFIER.fullmatch(name):
        yield f"{name!r} is no C identifier"


def _struct(struct: Struct, structs: Mapping[str, Struct]) -> Iterator[str]:
    yield from type_problems(struct, structs)
    yield from twice((member.name for member in struct.members), "member")
    if struct.size < 0 or struct.align < 1 or struct.align & (struct.align - 1) or struct.size % struct.align:
        yield f"{struct.size} bytes cannot be aligned to {struct.align}"
    for member in struct.members:
        where = f"member {member.name}"
        yield from (f"{where}: {problem}" for problem in identifier_problems(member.name))
        if not is_context(member.type) and not is_object(member.type):
            yield from (f"{where}: {problem}" for problem in _in_memory(member.type))
        if member.offset < 0 or member.offset + size_of(member.type) > struct.size:
            yield f"{where} lies outside the {struct.size} bytes"


def _in_memory(type_: Type) -> Iterator[str]:
    """The type is to be made of scalars, and of addresses of contexts inside of structures."""
    while isinstance(type_, Array):
        type_ = type_.element
    if not isinstance(type_, (*SCALAR, Struct)):
        yield f"{type_} cannot lie in memory"


def _beyond_stack(type_: Type) -> Iterator[str]:
    """The type is to be made of scalars alone, since other programs see it, or other machines."""
    yield from _in_memory(type_)
    if holds_context(type_):
        yield f"{type_} holds a context, which lasts no longer than its program"
    if holds_object(type_):
        yield f"{type_} holds a pointer, which only the kernel's own structures do"


def type_problems(type_: Type, structs: Mapping[str, Struct], depth: int = 1) -> Iterator[str]:
    """A type that has a size; of a pointer, the target may be a kernel object."""
    if depth > MAX_NESTING:
        yield f"types nest more than {MAX_NESTING} deep"
    elif isinstance(type_, (Int, BigEndian)):
        if str(type_) not in SCALARS:
            yield f"there is no type {type_}"
    elif isinstance(type_, Array):
        if type_.count < 1:
            yield f"an array of {type_.count} elements"
        yield from _in_memory(type_)
        yield from type_problems(type_.element, structs, depth + 1)
    elif isinstance(type_, Struct):
        for member in type_.members:
            yield from type_problems(member.type, structs, depth + 1)
        if structs.get(type_.name) != type_:
            yield f"struct {type_.name} is not declared, or not like this"
    elif isinstance(type_, Pointer):
        yield from _target(type_, structs, depth)
    elif isinstance(type_, (Void, Opaque)):
        yield f"{type_} has no size"


def _target(pointer: Pointer, structs: Mapping[str, Struct], depth: int) -> Iterator[str]:
    """Memory holds what has a size; the other spaces hold kernel objects."""
    if pointer.space in MEMORY_SPACES:
        yield from type_problems(pointer.target, structs, depth + 1)
        if pointer.space is Space.STACK and is_context(pointer.target):
            return
        yield from (_in_memory if pointer.space is Space.STACK else _beyond_stack)(pointer.target)
    elif not isinstance(pointer.target, Opaque):
        yield f"{pointer}: the kernel's objects are known by name only"
    elif pointer.space is Space.CONTEXT and pointer.target.name not in CONTEXTS:
        yield f"there is no context {pointer.target}"


def _map(map_: Map, structs: Mapping[str, Struct]) -> Iterator[str]:
    if map_.kind not in MAPS:
        yield f"there is no map kind {map_.kind}"
    kind = MAPS[map_.kind]
    for what, type_, sizes in (("key", map_.key, kind.key_sizes), ("value", map_.value, kind.value_sizes)):
        if (type_ is None) != (0 in sizes):
            yield f"a {kind.kind} has {'no' if 0 in sizes else 'a'} {what}"
        if type_ is not None:
            yield from (f"{what}: {problem}" for problem in type_problems(type_, structs))
            yield from (f"{what}: {problem}" for problem in _beyond_stack(type_))
            if size_of(type_) not in sizes:
                yield f"a {what} of {size_of(type_)} bytes"
    if map_.flags & ~kind.flags or kind.required & ~map_.flags:
        yield f"a {kind.kind} cannot have flags {map_.flags:#x}"
    if not _entries_fit(map_.max_entries, kind.entries):
        yield f"a {kind.kind} cannot have {map_.max_entries} entries"
    if (map_.inner is not None) != (kind.entry == MAP):
        yield f"a {kind.kind} {'holds' if kind.entry == MAP else 'cannot hold'} maps"
    if map_.inner is not None:
        yield from (f"inner map: {problem}" for problem in _map(map_.inner, structs))
        if map_.inner.inner is not None or map_.inner.initial:
            yield "a map in a map holds no maps and has no entries yet"


def _initial(map_: Map, module: Module) -> Iterator[str]:
    """Entries are there from the start where their kind is named in an object, each index once."""
    known: dict[str, str] = {}
    if MAPS[map_.kind].entry == PROGRAM:
        known = {each.name: each.kind for each in module.functions if each.kind in PROGRAMS}
    elif map_.inner is not None:
        known = {each.name: each.kind for each in module.maps if each.kind == map_.inner.kind}
    yield from twice((str(index) for index, _ in map_.initial), "entry")
    for index, name in map_.initial:
        if not 0 <= index < map_.max_entries:
            yield f"entry {index} is outside of its {map_.max_entries}"
        if name not in known:
            yield f"{name} cannot be an entry"
    if len({known[name] for _, name in map_.initial if name in known}) > 1:
        yield "its programs are of more than one kind"


def _global(variable: Global, structs: Mapping[str, Struct]) -> Iterator[str]:
    yield from type_problems(variable.type, structs)
    yield from _beyond_stack(variable.type)
    if variable.initial:
        scalars = [scalar for _, scalar in scalars_in(variable.type)]
        if len(scalars) != len(variable.initial):
            yield f"{len(variable.initial)} numbers for the {len(scalars)} of {variable.type}"
        for number, scalar in zip(variable.initial, scalars, strict=False):
            if not fits(number, scalar):
                yield f"{number} is no {scalar}"


def _entries_fit(entries: int, rule: str) -> bool:
    if not 0 <= entries <= _MOST_ENTRIES:
        return False
    if rule == "bytes":
        return entries >= _SMALLEST_PAGE and entries & (entries - 1) == 0
    return {"many": entries > 0, "none": entries == 0, "cpus": True}[rule]
