"""Declarations of a policy's module: maps and structures, checked against what the kernel takes."""

from __future__ import annotations

import ast
import re

from skverdict.dsl.errors import Place
from skverdict.dsl.frontend.scope import PolicyScope, origin_place
from skverdict.dsl.ir.module import Location, Map
from skverdict.dsl.ir.types import U32, U64, Type, size_of
from skverdict.dsl.maps import Map as DeclaredMap
from skverdict.dsl.structs import LayoutError, Struct, layout_of, type_of

# The kernel keeps 15 characters of a name (BPF_OBJ_NAME_LEN is 16, with the final NUL).
NAME_LENGTH = 15
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
# Symbols of an object file that a policy cannot use for itself.
_RESERVED = ("_license", "license")

MOST_ENTRIES = 0xFFFF_FFFF
# A hash's key must fit the verifier's stack, and so the kernel refuses more (E2BIG).
LARGEST_KEY = 512
_HASHES = ("hash", "lru_hash", "sockhash")
_SOCKET_MAPS = ("sockmap", "sockhash")

_FLAGS: dict[str, int] = {
    # BPF_F_NO_PREALLOC, NUMA_NODE, RDONLY, WRONLY, ZERO_SEED, RDONLY_PROG, WRONLY_PROG
    "hash": 0x1 | 0x4 | 0x8 | 0x10 | 0x40 | 0x80 | 0x100,
    # BPF_F_NO_COMMON_LRU instead of BPF_F_NO_PREALLOC
    "lru_hash": 0x2 | 0x4 | 0x8 | 0x10 | 0x40 | 0x80 | 0x100,
    # BPF_F_NUMA_NODE, RDONLY, WRONLY, RDONLY_PROG, WRONLY_PROG, MMAPABLE, INNER_MAP
    "array": 0x4 | 0x8 | 0x10 | 0x80 | 0x100 | 0x400 | 0x1000,
    # BPF_F_NUMA_NODE, RDONLY, WRONLY
    "sockmap": 0x4 | 0x8 | 0x10,
    "sockhash": 0x4 | 0x8 | 0x10,
}


def declare_map(scope: PolicyScope, name: str, declaration: DeclaredMap) -> None:
    """Check a map and add it to the policy; mistakes are reported, all of them."""
    place = _place_of(scope, name, declaration)
    before = len(scope.reporter.errors)
    check_name(scope, place, "map", name)
    key = _type(scope, place, name, "key", declaration.key)
    value = _type(scope, place, name, "value", declaration.value)
    _check_sizes(scope, place, name, declaration.kind, key, value)
    entries = _check_number(scope, place, name, "max_entries", declaration.max_entries, 1)
    flags = _check_number(scope, place, name, "flags", declaration.flags, 0)
    unknown = flags & ~_FLAGS[declaration.kind]
    if unknown:
        scope.reporter.error(place, f"`{name}`: a {declaration.kind} does not take the flags {unknown:#x}")
    if len(scope.reporter.errors) > before:
        scope.add_map(declaration, None)
        return
    location = _location(scope, declaration, place)
    scope.add_map(declaration, Map(name, declaration.kind, key, value, entries, flags, location))


def _place_of(scope: PolicyScope, name: str, declaration: DeclaredMap) -> Place:
    """The statement that declares a map, from its name to the end of the line."""
    file, line = declaration.origin
    source = scope.sources.of_file(file)
    if source is not None:
        for node in source.tree.body:
            if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.lineno <= line <= (node.end_lineno or 0):
                return source.place(node)
    return origin_place(scope, declaration.origin)


def _location(scope: PolicyScope, declaration: DeclaredMap, place: Place) -> Location:
    source = scope.sources.of_file(declaration.origin[0])
    return Location(source.name if source else place.file, place.line, place.column)


def check_name(scope: PolicyScope, place: Place, what: str, name: str) -> None:
    """A name that the kernel would refuse is an error, one that it would cut is a warning."""
    if not _NAME.match(name):
        scope.reporter.error(
            place, f"the {what} name `{name}` must be ASCII letters, digits and `_`", "the kernel refuses others"
        )
    elif name in _RESERVED:
        scope.reporter.error(place, f"a {what} cannot be called `{name}`", "object files use that name")
    elif len(name) > NAME_LENGTH:
        scope.reporter.warning(
            place,
            f"the {what} name `{name}` has {len(name)} characters: the kernel shows it as `{name[:NAME_LENGTH]}`",
            f"use at most {NAME_LENGTH}",
        )


def _type(scope: PolicyScope, place: Place, name: str, role: str, annotation: object) -> Type | None:
    try:
        return type_of(annotation)
    except LayoutError as error:
        hint = error.hint
        if isinstance(annotation, type) and issubclass(annotation, Struct):
            # The structure's own error is reported where it is written.
            check_struct(scope, annotation)
        else:
            scope.reporter.error(place, f"the {role} of `{name}`: {error.message}", hint)
        return None


def _check_sizes(
    scope: PolicyScope, place: Place, name: str, kind: str, key: Type | None, value: Type | None
) -> None:
    if kind in _HASHES and key is not None and size_of(key) > LARGEST_KEY:
        scope.reporter.error(
            place, f"the key of `{name}` has {size_of(key)} bytes: the kernel takes at most {LARGEST_KEY} (E2BIG)"
        )
    if kind in _SOCKET_MAPS and value is not None and value not in (U32, U64):
        scope.reporter.error(
            place, f"`{name}` holds sockets: its value must be u64 or u32", "leave `value` out for u64"
        )


def _check_number(
    scope: PolicyScope, place: Place, name: str, role: str, number: object, smallest: int
) -> int:
    if not isinstance(number, int) or isinstance(number, bool):
        what = type(number).__name__
        scope.reporter.error(place, f"`{role}` of `{name}` must be an integer, not a {what}")
        return 0
    if not smallest <= number <= MOST_ENTRIES:
        scope.reporter.error(place, f"`{role}` of `{name}` must be {smallest} to {MOST_ENTRIES}, not {number}")
        return 0
    return int(number)


def check_struct(scope: PolicyScope, cls: type[Struct]) -> None:
    """Report what is wrong with a structure's declaration."""
    try:
        layout_of(cls)
    except LayoutError as error:
        scope.reporter.error(_member_place(scope, cls, error.member), error.message, error.hint)


def _member_place(scope: PolicyScope, cls: type[Struct], member: str) -> Place:
    file, line = cls._origin
    source = scope.sources.of_file(file)
    if source is None:
        return origin_place(scope, cls._origin)
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ClassDef) and node.name == cls.__name__ and node.lineno >= line:
            for part in node.body:
                if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
                    if part.target.id == member:
                        return source.place(part)
            return source.place(node)
    return origin_place(scope, cls._origin)
