"""Calls of kernel helpers: each argument is checked against what the helper expects there."""

from __future__ import annotations

import ast
from collections.abc import Callable

from skverdict.dsl.catalogue.helpers import HELPERS, MAP_CALLERS, Argument, Helper
from skverdict.dsl.catalogue.programs import KERNELS
from skverdict.dsl.frontend.arguments import assign_arguments
from skverdict.dsl.frontend.convert import as_scalar, convert
from skverdict.dsl.frontend.dispatch import evaluate
from skverdict.dsl.frontend.lowering import Lowering
from skverdict.dsl.frontend.memory import SCALAR_KINDS, on_stack, pointer, spill
from skverdict.dsl.frontend.values import (
    NONE,
    ContextValue,
    MapValue,
    Operand,
    Reference,
    Scalar,
    constant,
    describe,
    type_name,
    with_article,
)
from skverdict.dsl.ir.module import Map, Value
from skverdict.dsl.ir.types import I64, U32, U64, Int, Opaque, Pointer, Space, Struct, Type, size_of
from skverdict.dsl.maps import KINDS

# Licenses that let a program call every helper (`license_is_gpl_compatible` of the kernel).
GPL_COMPATIBLE = (
    "GPL",
    "GPL v2",
    "GPL and additional rights",
    "Dual BSD/GPL",
    "Dual MIT/GPL",
    "Dual MPL/GPL",
)

_RESULTS: dict[str, Int] = {"i64": I64, "u64": U64, "u32": U32}


class Arguments:
    """The arguments of one call while they are lowered in order."""

    __slots__ = ("helper", "lowering", "map", "memory", "node", "operands")

    def __init__(self, lowering: Lowering, node: ast.Call, helper: Helper) -> None:
        self.lowering = lowering
        self.node = node
        self.helper = helper
        self.operands: list[Value] = []
        # What the latest `map` and `memory` arguments were: they decide what the next ones must be.
        self.map: Map | None = None
        self.memory: Type | None = None


def call_helper(
    lowering: Lowering, node: ast.Call, name: str, leading: tuple[Operand, ...] = ()
) -> Operand:
    """Call the helper `name`; `leading` are arguments that the call's syntax already gave. Raises Refused."""
    helper = HELPERS[name]
    may_call(lowering, node, helper)
    parameters = helper.arguments
    names = [parameter.name for parameter in parameters]
    optional = [
        parameter.name
        for parameter in parameters
        if parameter.kind == "size" or (parameter.kind == "scalar" and parameter.name == "flags")
    ]
    given = assign_arguments(lowering, node, f"`{name}`", names[len(leading) :], optional)
    evaluated: dict[str, tuple[ast.AST, Operand]] = {
        parameter: (argument, evaluate(lowering, argument)) for parameter, argument in given.items()
    }
    for parameter, operand in zip(names, leading, strict=False):
        evaluated[parameter] = (_receiver(node), operand)
    return emit_call(lowering, node, helper, evaluated)


def _receiver(node: ast.Call) -> ast.AST:
    return node.func.value if isinstance(node.func, ast.Attribute) else node


def emit_call(
    lowering: Lowering, node: ast.Call, helper: Helper, given: dict[str, tuple[ast.AST, Operand]]
) -> Operand:
    """Call `helper` with evaluated arguments by name; sizes and flags may be absent. Raises Refused."""
    arguments = Arguments(lowering, node, helper)
    for parameter in helper.arguments:
        rule = _RULES.get(parameter.kind)
        if rule is None:
            raise lowering.refuse(
                node,
                f"`{helper.name}` takes a {parameter.kind.replace('_', ' ')}, which a policy cannot make",
            )
        where, operand = given.get(parameter.name, (node, None))
        arguments.operands.append(rule(arguments, parameter, where, operand))
    return _result(arguments)


def may_call(lowering: Lowering, node: ast.AST, helper: Helper) -> None:
    """Raises Refused if this program may not call `helper`."""
    kind = lowering.kind
    if kind not in helper.callers:
        raise lowering.refuse(
            node, f"a {kind} program may not call `{helper.name}`", _callers_hint(tuple(helper.callers))
        )
    if not helper.may_call(kind, lowering.scope.kernel):
        raise lowering.refuse(
            node,
            f"Linux {lowering.scope.kernel} does not let a {kind} program call `{helper.name}`",
            f"Linux {helper.callers[kind]} does",
        )
    if helper.sleeps:
        raise lowering.refuse(node, f"`{helper.name}` may sleep, which no program here may")
    if helper.acquires or helper.releases:
        raise lowering.refuse(
            node, f"`{helper.name}` deals with something that must be released, which a policy cannot do yet"
        )
    if helper.gpl_only and lowering.scope.license not in GPL_COMPATIBLE:
        raise lowering.refuse(
            node,
            f"`{helper.name}` needs a GPL-compatible license, not {lowering.scope.license!r}",
            'write `LICENSE = "GPL"` in the module',
        )


def takes(helper: Helper) -> bool:
    """True if the language has something for each argument of `helper`, and can use what it gives."""
    maps = not helper.maps or any(kind in KINDS for kind in helper.maps)
    arguments = all(argument.kind in _RULES for argument in helper.arguments)
    result = helper.returns in (*_RESULTS, "void", "map_value")
    return maps and arguments and result and not (helper.acquires or helper.releases or helper.sleeps)


def _callers_hint(kinds: tuple[str, ...]) -> str:
    return f"{', '.join(kinds)} programs may" if kinds else "no program kind here may"


def _result(arguments: Arguments) -> Operand:
    lowering, node, helper = arguments.lowering, arguments.node, arguments.helper
    operands = tuple(arguments.operands)
    operand: Operand
    if helper.returns in _RESULTS:
        type_ = _RESULTS[helper.returns]
        operand = Scalar(type_, lowering.emit(node, "call.helper", operands, type_, helper=helper.name))
    elif helper.returns == "void":
        lowering.effect(node, "call.helper", operands, helper=helper.name)
        operand = NONE
    elif helper.returns == "map_value" and arguments.map is not None and arguments.map.value is not None:
        target = arguments.map.value
        value = lowering.emit(
            node, "call.helper", operands, Pointer(target, Space.MAP_VALUE, nullable=True), helper=helper.name
        )
        what = f"the entry of `{arguments.map.name}`"
        operand = Reference(
            target, Space.MAP_VALUE, what, lowering.place(node), pointer=value, nullable=True
        )
    else:
        raise lowering.refuse(node, f"`{helper.name}` gives a pointer that a policy cannot use yet")
    if helper.moves_buffer:
        lowering.move_buffer(node, helper.name)
        if lowering.kind == "stream_parser" and lowering.scope.kernel == KERNELS[-1]:
            lowering.scope.reporter.warning(
                lowering.place(node),
                f"Linux 7.2 does not attach a parser that may change the packet, as `{helper.name}` does",
                "read with `load_bytes`, which changes nothing",
            )
    return operand


# One rule for each kind of argument. `operand` is None where the call leaves the argument out.
_Rule = Callable[[Arguments, Argument, ast.AST, "Operand | None"], Value]


def _scalar(arguments: Arguments, parameter: Argument, node: ast.AST, operand: Operand | None) -> Value:
    type_ = Int(parameter.bits, parameter.signed)
    lowering = arguments.lowering
    wanted = f"{with_article(type_)} for `{parameter.name}`"
    number = as_scalar(lowering, node, operand or constant(0), wanted)
    return lowering.value(node, convert(lowering, node, number, type_))


def _context(arguments: Arguments, parameter: Argument, node: ast.AST, operand: Operand | None) -> Value:
    if not isinstance(operand, ContextValue):
        raise _wrong(arguments, parameter, node, operand, "the program's context")
    return operand.value


def _map(arguments: Arguments, parameter: Argument, node: ast.AST, operand: Operand | None) -> Value:
    if not isinstance(operand, MapValue):
        raise _wrong(arguments, parameter, node, operand, "a map")
    helper, map_ = arguments.helper, operand.map
    lowering = arguments.lowering
    if helper.maps and map_.kind not in helper.maps:
        raise lowering.refuse(
            node, f"`{helper.name}` does not take a {map_.kind}", f"it takes a {' or '.join(helper.maps)}"
        )
    callers = MAP_CALLERS.get((helper.name, map_.kind))
    if callers is not None and lowering.kind not in callers:
        raise lowering.refuse(
            node,
            f"a {lowering.kind} program may not call `{helper.name}` on a {map_.kind}",
            _callers_hint(callers),
        )
    arguments.map = map_
    return lowering.emit(node, "map", (), Pointer(Opaque("bpf_map"), Space.MAP), map=map_.name)


def _key(arguments: Arguments, parameter: Argument, node: ast.AST, operand: Operand | None) -> Value:
    assert arguments.map is not None and arguments.map.key is not None
    return _entry_part(arguments, node, operand, arguments.map.key, "key")


def _value(arguments: Arguments, parameter: Argument, node: ast.AST, operand: Operand | None) -> Value:
    assert arguments.map is not None and arguments.map.value is not None
    return _entry_part(arguments, node, operand, arguments.map.value, "value")


def _entry_part(
    arguments: Arguments, node: ast.AST, operand: Operand | None, type_: Type, role: str
) -> Value:
    """A map's key or value in stack memory."""
    assert arguments.map is not None
    lowering = arguments.lowering
    wanted = f"{with_article(type_)}, the {role} of `{arguments.map.name}`,"
    if isinstance(type_, SCALAR_KINDS):
        if not isinstance(operand, Scalar):
            if isinstance(operand, Reference) and operand.target == type_:
                raise lowering.refuse(
                    node, f"{wanted} is needed here, but this is {describe(operand)}",
                    f"read it with `{lowering.segment(node)}.value`",
                )  # fmt: skip
            assert operand is not None
            raise lowering.refuse(node, f"{wanted} is needed here, but this is {describe(operand)}")
        number = convert(lowering, node, operand, type_)
        return spill(lowering, node, number, role)
    if not isinstance(operand, Reference) or operand.target != type_:
        assert operand is not None
        hint = f"make one: `{role} = {type_name(type_)}(...)`" if isinstance(type_, Struct) else ""
        raise lowering.refuse(node, f"{wanted} is needed here, but this is {describe(operand)}", hint)
    return on_stack(lowering, node, operand, role)


def _memory(arguments: Arguments, parameter: Argument, node: ast.AST, operand: Operand | None) -> Value:
    if not isinstance(operand, Reference):
        raise _wrong(arguments, parameter, node, operand, "a structure")
    arguments.memory = operand.target
    if parameter.kind == "memory":
        # Not every helper reads from the packet; all of them read from the stack.
        return on_stack(arguments.lowering, node, operand, parameter.name)
    return _written(arguments, node, operand)


def _written(arguments: Arguments, node: ast.AST, operand: Reference) -> Value:
    if operand.space is Space.PACKET:
        raise arguments.lowering.refuse(
            node, f"`{arguments.helper.name}` cannot write into the packet", "use a structure of your own"
        )
    return pointer(arguments.lowering, node, operand)


def _size(arguments: Arguments, parameter: Argument, node: ast.AST, operand: Operand | None) -> Value:
    assert arguments.memory is not None
    lowering = arguments.lowering
    largest = size_of(arguments.memory)
    smallest = 0 if parameter.nullable else 1
    type_ = Int(parameter.bits, parameter.signed)
    number = as_scalar(lowering, node, constant(largest) if operand is None else operand)
    if number.low < smallest or number.high > largest:
        raise lowering.refuse(
            node,
            f"the size must be {smallest} to {largest}, the bytes of the {type_name(arguments.memory)}, "
            f"but it may be {number.low} to {number.high}",
        )
    return lowering.value(node, convert(lowering, node, number, type_))


def _number(arguments: Arguments, parameter: Argument, node: ast.AST, operand: Operand | None) -> Value:
    wanted = Int(parameter.bits, parameter.signed)
    if not isinstance(operand, Reference) or operand.target != wanted:
        raise _wrong(arguments, parameter, node, operand, f"a place that holds {with_article(wanted)}")
    return _written(arguments, node, operand)


def _wrong(
    arguments: Arguments, parameter: Argument, node: ast.AST, operand: Operand | None, wanted: str
) -> Exception:
    found = "nothing" if operand is None else describe(operand)
    return arguments.lowering.refuse(
        node, f"`{arguments.helper.name}` needs {wanted} for `{parameter.name}`, but this is {found}"
    )


_RULES: dict[str, _Rule] = {
    "scalar": _scalar,
    "context": _context,
    "map": _map,
    "key": _key,
    "value": _value,
    "memory": _memory,
    "buffer": _memory,
    "size": _size,
    "number": _number,
}
