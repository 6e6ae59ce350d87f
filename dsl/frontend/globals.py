"""Global variables: their declarations, and the place that `name.value` is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from skverdict.dsl.frontend.convert import fits
from skverdict.dsl.frontend.declarations import check_identifier, check_struct, declaration_location, place_of
from skverdict.dsl.frontend.values import GlobalValue, Reference, limits, with_article
from skverdict.dsl.globals import Global as DeclaredGlobal
from skverdict.dsl.ir.module import Global
from skverdict.dsl.ir.types import Array, BigEndian, Bool, Int, Pointer, Space, Struct, Type, holds_context
from skverdict.dsl.layout import LayoutError, layout_of, type_of
from skverdict.dsl.scalars import BigEndian as BigEndianNumber
from skverdict.dsl.structs import Struct as StructInstance
from skverdict.dsl.structs import is_of_kernel, is_struct_class

if TYPE_CHECKING:
    from skverdict.dsl.frontend.lowering import Lowering
    from skverdict.dsl.frontend.scope import PolicyScope

# The kernel holds each section in one value of an array map (KMALLOC_MAX_SIZE, the most with BTF).
_LARGEST = 4 << 20


class _Unfit(ValueError):
    """A first value that is not of the variable's type."""


def declare_global(scope: PolicyScope, name: str, declaration: DeclaredGlobal[object]) -> None:
    """Check a variable and add it to the policy; mistakes are reported, all of them."""
    place = place_of(scope, declaration.origin)
    before = scope.reporter.failures
    check_identifier(scope, place, "variable", name)
    try:
        type_ = type_of(declaration.annotation)
    except LayoutError as error:
        if is_struct_class(declaration.annotation) and not is_of_kernel(declaration.annotation):
            check_struct(scope, declaration.annotation)
        else:
            scope.reporter.error(place, f"the type of `{name}`: {error.message}", error.hint)
        scope.add_global(declaration, None)
        return
    if holds_context(type_):
        scope.reporter.error(place, f"`{name}` holds a context, which lasts no longer than its program")
    initial: tuple[int, ...] = ()
    if declaration.initial is not None:
        try:
            initial = tuple(_numbers(declaration.initial, type_))
        except _Unfit as error:
            scope.reporter.error(place, f"`{name}` is {with_article(type_)}, but {error}")
    if scope.reporter.failures > before:
        scope.add_global(declaration, None)
        return
    location = declaration_location(scope, declaration.origin, place)
    scope.add_global(declaration, Global(name, type_, declaration.read_only, initial, location))


def _numbers(value: object, type_: Type) -> Iterator[int]:
    """The scalars of a value of `type_`, in the order of the members. Raises _Unfit."""
    if isinstance(type_, Struct):
        if not isinstance(value, StructInstance) or layout_of(type(value)) != type_:
            raise _Unfit(f"it begins as {value!r}: write `{type_.name}(...)`")
        for member in type_.members:
            yield from _numbers(getattr(value, member.name), member.type)
    elif isinstance(type_, Array):
        elements = list(value) if isinstance(value, list | tuple | bytes) else None
        if elements is None or len(elements) != type_.count:
            raise _Unfit(f"it begins as {value!r}: give {type_.count} elements")
        for element in elements:
            yield from _numbers(element, type_.element)
    else:
        yield _number(value, type_)


def _number(value: object, type_: Type) -> int:
    if isinstance(type_, BigEndian):
        if isinstance(value, BigEndianNumber) and type_.bits == value.BITS:
            return value.host()
        raise _Unfit(f"it begins as {value!r}: write `{type_}({value!r})`")
    if isinstance(type_, Bool):
        if isinstance(value, bool):
            return int(value)
        raise _Unfit(f"it begins as {value!r}: write True or False")
    assert isinstance(type_, Int)
    if not isinstance(value, int) or isinstance(value, bool):
        raise _Unfit(f"it begins as {value!r}: give an integer")
    if not fits(value, value, type_):
        low, high = limits(type_)
        raise _Unfit(f"it begins as {value}: that is not {low} to {high}")
    return int(value)


def place(lowering: Lowering, node: ast.Attribute, owner: GlobalValue) -> Reference:
    """The place that `name.value` is. Raises Refused for another attribute."""
    variable = owner.variable
    if node.attr != "value":
        hint = f"write `{variable.name}.value.{node.attr}`" if isinstance(variable.type, Struct) else (
            f"read or write `{variable.name}.value`"
        )  # fmt: skip
        raise lowering.refuse(node, f"the variable `{variable.name}` has no `{node.attr}`", hint)
    type_ = Pointer(variable.type, Space.MAP_VALUE)
    address = lowering.emit(node, "global", (), type_, **{"global": variable.name})
    what = f"`{variable.name}.value`"
    fixed = f"`{variable.name}` is a Const, set by user space" if variable.constant else ""
    return Reference(
        variable.type, Space.MAP_VALUE, what, lowering.place(node), pointer=address, read_only=fixed
    )
