"""What calls ask for: helpers by their row of the catalogue, subprograms by their parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from skverdict.dsl.catalogue.helpers import HELPERS, MAP_CALLERS, Argument, Helper
from skverdict.dsl.ir.module import SUBPROGRAM, Map, Value
from skverdict.dsl.ir.site import Site, gives, named
from skverdict.dsl.ir.types import SCALARS, VOID, Bool, Int, Pointer, Space, Struct, Type

# How many numbers `varargs` may stand for.
_MOST_VARARGS = 3


def _points_to(*spaces: Space) -> Callable[[Type], bool]:
    return lambda type_: isinstance(type_, Pointer) and type_.space in spaces


def _is_number(type_: Type) -> bool:
    return isinstance(type_, (Int, Bool))


def _member(name: str) -> Callable[[Type], bool]:
    """The kernel's structure `name` in the value of a map."""

    def matches(type_: Type) -> bool:
        return (
            isinstance(type_, Pointer)
            and type_.space is Space.MAP_VALUE
            and isinstance(type_.target, Struct)
            and type_.target.name == name
        )

    return matches


_MEMORY = _points_to(Space.STACK, Space.PACKET, Space.MAP_VALUE, Space.MAP_KEY, Space.RECORD)
# What an argument of each kind must be; a kind that is not here takes any pointer.
_ARGUMENTS: dict[str, Callable[[Type], bool]] = {
    **dict.fromkeys(("scalar", "size", "alloc_size", "varargs"), _is_number),
    **dict.fromkeys(("key", "value", "value_buffer", "memory", "buffer", "number", "string"), _MEMORY),
    "context": _points_to(Space.CONTEXT),
    "map": _points_to(Space.MAP),
    "socket": _points_to(Space.SOCKET),
    "callback": _points_to(Space.FUNCTION),
    "callback_context": _points_to(Space.STACK),
    "record": _points_to(Space.RECORD),
    "object": _points_to(Space.OBJECT),
    "spin_lock": _member("bpf_spin_lock"),
    "timer": _member("bpf_timer"),
}
# What a result of each kind must be, likewise.
_RESULTS: dict[str, Callable[[Type], bool]] = {
    # Of a map of maps a map, and of a socket map a socket.
    "map_value": _points_to(Space.MAP_VALUE, Space.MAP, Space.SOCKET),
    "socket": _points_to(Space.SOCKET),
    "record": _points_to(Space.RECORD),
}


def _any_pointer(type_: Type) -> bool:
    return isinstance(type_, Pointer)


def call_helper(site: Site) -> Iterator[str]:
    yield from named(site, "helper", HELPERS)
    helper = HELPERS[site.text("helper")]
    if not site.permits(helper.programs):
        yield f"a {site.function.kind} cannot call {helper.name}"
    operands, arguments = site.operation.operands, helper.arguments
    if arguments and arguments[-1].kind == "varargs":
        more = min(max(0, len(operands) - len(arguments) + 1), _MOST_VARARGS)
        arguments = arguments[:-1] + (arguments[-1],) * more
    if len(operands) != len(arguments):
        yield f"{helper.name} takes {len(arguments)} arguments, not {len(operands)}"
    map_ = None
    for argument, operand in zip(arguments, operands, strict=False):
        yield from _argument(argument, operand.type)
        if argument.kind == "map":
            map_ = _known_map(operand, site)
        if map_ is not None:
            yield from _with_map(argument, operand.type, map_, helper, site)
    if site.operation.result is not None:
        yield from _helper_result(helper, site)


def _argument(argument: Argument, type_: Type) -> Iterator[str]:
    if not _ARGUMENTS.get(argument.kind, _any_pointer)(type_):
        yield f"argument {argument.name} is {type_}, not of kind {argument.kind}"
    if isinstance(type_, Pointer) and type_.nullable and not argument.nullable:
        yield f"argument {argument.name} may be NULL"


def _known_map(value: Value, site: Site) -> Map | None:
    """The map that a map pointer surely is; None for one that came through a parameter or a local."""
    definition = site.definitions.get(value.number)
    if definition is None or definition.name != "map":
        return None
    return site.maps.get(str(definition.attributes.get("map")))


def _with_map(argument: Argument, type_: Type, map_: Map, helper: Helper, site: Site) -> Iterator[str]:
    """What the map that is passed asks of the call, and of its own argument or one behind it."""
    if argument.kind == "map":
        if map_.kind not in helper.maps:
            yield f"{helper.name} does not work on a {map_.kind}"
        if not site.permits(MAP_CALLERS.get((helper.name, map_.kind), helper.programs)):
            yield f"a {site.function.kind} cannot call {helper.name} on a {map_.kind}"
    wanted = {"key": map_.key, "value": map_.value, "value_buffer": map_.value}.get(argument.kind)
    if wanted is not None and isinstance(type_, Pointer) and type_.target != wanted:
        yield f"argument {argument.name} points to {type_.target}, but map {map_.name} has {wanted}"


def _helper_result(helper: Helper, site: Site) -> Iterator[str]:
    if helper.returns in SCALARS or helper.returns == "void":
        yield from gives(SCALARS.get(helper.returns, VOID), site)
        return
    result, kind = site.result, helper.returns.rstrip("!")
    if not isinstance(result, Pointer) or not _RESULTS.get(kind, _any_pointer)(result):
        yield f"its result is {result}, not of kind {kind}"
    elif result.nullable == helper.returns.endswith("!"):
        yield f"its result is {result}, but {'cannot' if result.nullable else 'may'} be NULL"


def call(site: Site) -> Iterator[str]:
    yield from named(site, "function", site.functions)
    callee = site.functions[site.text("function")]
    if callee.kind != SUBPROGRAM:
        yield f"{callee.name} is a program of its own"
    given = [operand.type for operand in site.operation.operands]
    if len(given) != len(callee.parameters):
        yield f"{callee.name} takes {len(callee.parameters)} arguments, not {len(given)}"
    for parameter, type_ in zip(callee.parameters, given, strict=False):
        if not _accepts(parameter.value.type, type_):
            yield f"argument {parameter.name} is {type_}, not {parameter.value.type}"
    if site.operation.result is not None:
        yield from gives(callee.result, site)


def _accepts(parameter: Type, argument: Type) -> bool:
    """True if the argument is of the parameter's type; where NULL may come, a non-null pointer may, too."""
    if isinstance(parameter, Pointer) and parameter.nullable and isinstance(argument, Pointer):
        return argument._replace(nullable=True) == parameter
    return parameter == argument
