"""Declarations of a policy's module: maps and structures, checked against what the kernel takes."""

from __future__ import annotations

import ast
import re

from skverdict.dsl.catalogue.maps import MAPS
from skverdict.dsl.catalogue.programs import PROGRAMS
from skverdict.dsl.errors import Place
from skverdict.dsl.frontend.map_rules import (
    SMALLEST_COUNT,
    check_entries,
    check_special,
    has_prefix_key,
    initial_entries,
    inner_map,
)
from skverdict.dsl.frontend.scope import PolicyScope, origin_place
from skverdict.dsl.ir.module import Location, Map
from skverdict.dsl.ir.types import Type, holds_context, size_of
from skverdict.dsl.layout import LayoutError, layout_of, type_of
from skverdict.dsl.maps import Map as DeclaredMap
from skverdict.dsl.structs import Struct, is_of_kernel, is_struct_class

# The kernel keeps 15 characters of a name (BPF_OBJ_NAME_LEN is 16, with the final NUL).
NAME_LENGTH = 15
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
# Symbols of an object file that a policy cannot use for itself.
_RESERVED = ("_license", "license", *(kind.section for kind in PROGRAMS.values()))

MOST_ENTRIES = 0xFFFF_FFFF


def declare_map(scope: PolicyScope, name: str, declaration: DeclaredMap) -> None:
    """Check a map and add it to the policy; mistakes are reported, all of them."""
    place = place_of(scope, declaration.origin)
    before = scope.reporter.failures
    check_name(scope, place, "map", name)
    for other, map_ in scope.declared_maps():
        if map_.name == name:
            scope.reporter.error(
                place, f"two maps are called `{name}`", "give one of them another name",
                [(place_of(scope, other.origin), "the other one")],
            )  # fmt: skip
    map_ = map_of(scope, place, name, declaration)
    if scope.reporter.failures > before:
        scope.add_map(declaration, None)
        return
    location = declaration_location(scope, declaration.origin, place)
    scope.add_map(declaration, map_._replace(location=location))


def map_of(scope: PolicyScope, place: Place, name: str, declaration: DeclaredMap) -> Map:
    """What a declaration says; mistakes in it are reported."""
    kind = MAPS[declaration.kind]
    key = _part(scope, place, name, "key", declaration.key, kind.key_sizes)
    value = _part(scope, place, name, "value", declaration.value, kind.value_sizes)
    if key is not None and has_prefix_key(scope, place, name, kind, key):
        _check_size(scope, place, name, "key", key, kind.key_sizes)
    if value is not None:
        _check_size(scope, place, name, "value", value, kind.value_sizes)
    smallest = SMALLEST_COUNT[kind.entries]
    entries = _number(scope, place, name, "max_entries", declaration.max_entries, smallest)
    check_entries(scope, place, name, kind, entries)
    check_special(scope, place, name, kind, value)
    flags = _number(scope, place, name, "flags", declaration.flags, 0) | kind.required
    unknown = flags & ~kind.flags
    if unknown:
        scope.reporter.error(place, f"`{name}`: a {kind.class_name} does not take the flags {unknown:#x}")
    inner = inner_map(scope, place, name, declaration)
    initial = initial_entries(scope, place, name, declaration, entries, inner)
    return Map(name, declaration.kind, key, value, entries, flags, None, inner, initial)


def place_of(scope: PolicyScope, origin: tuple[str, int]) -> Place:
    """The statement that declares a map or a variable, from its name to the end of the line."""
    file, line = origin
    source = scope.sources.of_file(file)
    if source is not None:
        for node in source.tree.body:
            if not isinstance(node, (ast.Assign, ast.AnnAssign)):
                continue
            if node.lineno <= line <= (node.end_lineno or 0):
                return source.place(node)
    return origin_place(scope, origin)


def declaration_location(scope: PolicyScope, origin: tuple[str, int], place: Place) -> Location:
    source = scope.sources.of_file(origin[0])
    return Location(source.name if source else place.file, place.line, place.column)


def check_identifier(scope: PolicyScope, place: Place, what: str, name: str) -> bool:
    """A name that the kernel would refuse is an error; True if there is none."""
    if not _NAME.match(name):
        scope.reporter.error(
            place, f"the {what} name `{name}` must be ASCII letters, digits and `_`", "choose another name"
        )
    elif name in _RESERVED:
        scope.reporter.error(place, f"a {what} cannot be called `{name}`", "object files use that name")
    else:
        return True
    return False


def check_name(scope: PolicyScope, place: Place, what: str, name: str) -> None:
    """A name that the kernel would refuse, or cut, is an error."""
    if check_identifier(scope, place, what, name) and len(name) > NAME_LENGTH:
        scope.reporter.error(
            place,
            f"the {what} name `{name}` is longer than {NAME_LENGTH} characters: the kernel would cut it to "
            f"`{name[:NAME_LENGTH]}`",
            f"use at most {NAME_LENGTH}",
        )


def _part(
    scope: PolicyScope,
    place: Place,
    name: str,
    role: str,
    annotation: object,
    sizes: range | tuple[int, ...],
) -> Type | None:
    """The type of a map's key or value; None where its kind has none, or where it cannot be one."""
    if 0 in sizes:
        return None
    try:
        type_ = type_of(annotation)
    except LayoutError as error:
        if is_struct_class(annotation) and not is_of_kernel(annotation):
            # The structure's own error is reported where it is written.
            check_struct(scope, annotation)
        else:
            scope.reporter.error(place, f"the {role} of `{name}`: {error.message}", error.hint)
        return None
    if holds_context(type_):
        scope.reporter.error(
            place, f"the {role} of `{name}` holds a context, which lasts no longer than its program",
            "keep numbers, such as the socket's cookie",
        )  # fmt: skip
        return None
    return type_


def _check_size(
    scope: PolicyScope, place: Place, name: str, role: str, type_: Type, sizes: range | tuple[int, ...]
) -> None:
    size = size_of(type_)
    if size not in sizes:
        allowed = f"{sizes[0]} to {sizes[-1]}" if isinstance(sizes, range) else " or ".join(map(str, sizes))
        errno = " (E2BIG)" if size > sizes[-1] else ""
        scope.reporter.error(
            place, f"the {role} of `{name}` has {size} bytes: the kernel takes {allowed}{errno}"
        )


def _number(scope: PolicyScope, place: Place, name: str, role: str, number: object, smallest: int) -> int:
    if not isinstance(number, int) or isinstance(number, bool):
        what = type(number).__name__
        scope.reporter.error(place, f"`{role}` of `{name}` must be an integer, not a {what}")
        return smallest
    if not smallest <= number <= MOST_ENTRIES:
        allowed = f"{smallest} to {MOST_ENTRIES}"
        scope.reporter.error(place, f"`{role}` of `{name}` must be {allowed}, not {number}")
        return smallest
    return int(number)


def check_struct(scope: PolicyScope, cls: type[Struct]) -> None:
    """Report what is wrong with a structure's declaration, member by member."""
    try:
        layout_of(cls)
    except LayoutError as error:
        for one in (error, *error.others):
            scope.reporter.error(_member_place(scope, cls, one.member), one.message, one.hint)


def _member_place(scope: PolicyScope, cls: type[Struct], member: str) -> Place:
    file, line = cls._origin
    source = scope.sources.of_file(file)
    if source is None:
        return origin_place(scope, cls._origin)
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ClassDef) and node.name == cls.__name__ and node.lineno >= line:
            for part in node.body:
                if isinstance(part, ast.AnnAssign) and getattr(part.target, "id", "") == member:
                    return source.place(part)
            return source.place(node)
    return origin_place(scope, cls._origin)
