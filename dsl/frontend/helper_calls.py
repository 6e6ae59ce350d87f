"""Calls of kernel helpers: each argument is checked against what the helper expects there."""

from __future__ import annotations

import ast
from collections.abc import Callable

from skverdict.dsl.catalogue.constants import CONSTANTS
from skverdict.dsl.catalogue.helpers import HELPERS, MAP_CALLERS, Argument, Helper
from skverdict.dsl.catalogue.maps import MAPS, MEMORY
from skverdict.dsl.catalogue.programs import KERNELS
from skverdict.dsl.frontend.arguments import assign_arguments
from skverdict.dsl.frontend.convert import as_scalar, convert, wrap
from skverdict.dsl.frontend.dispatch import evaluate
from skverdict.dsl.frontend.lowering import Lowering
from skverdict.dsl.frontend.memory import SCALAR_KINDS, on_stack, pointer, refuse_special, spill
from skverdict.dsl.frontend.values import (
    NONE,
    ContextValue,
    KernelPart,
    Lease,
    MapValue,
    MaybeNumber,
    MessageValue,
    Operand,
    PacketByte,
    PythonValue,
    Reference,
    Scalar,
    Window,
    constant,
    describe,
    type_name,
    with_article,
)
from skverdict.dsl.ir.module import TAIL_CALL, Map, Value
from skverdict.dsl.ir.types import (
    I64,
    U8,
    U32,
    U64,
    Array,
    BigEndian,
    Int,
    Opaque,
    Pointer,
    Space,
    Struct,
    Type,
    size_of,
)
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

# What arguments are that a call leaves out.
_DEFAULTS = {"flags": 0, "netns": CONSTANTS["BPF_F_CURRENT_NETNS"]}
# Map kinds whose entries are bytes that a lookup points to.
_MEMORY_MAPS = tuple(kind.kind for kind in MAPS.values() if kind.entry == MEMORY)
# Pointers that a call may leave out, where the helper takes NULL.
_NULLABLE = ("value", "memory", "buffer", "callback_context")
# What the calls that give something back did, as in "it was submitted".
DONE = {"bpf_ringbuf_submit": "submitted", "bpf_ringbuf_discard": "discarded"}

_RESULTS: dict[str, Int] = {"i64": I64, "u64": U64, "u32": U32}


class Arguments:
    """The arguments of one call while they are lowered in order."""

    __slots__ = (
        "allocated",
        "given",
        "given_back",
        "helper",
        "home",
        "lowering",
        "map",
        "memory",
        "moving",
        "node",
        "operands",
    )

    def __init__(
        self,
        lowering: Lowering,
        node: ast.Call,
        helper: Helper,
        given: dict[str, tuple[ast.AST, Operand]],
    ) -> None:
        self.given = given
        self.lowering = lowering
        self.node = node
        self.helper = helper
        self.operands: list[Value] = []
        # What the latest `map` and `memory` arguments were: they decide what the next ones must be.
        self.map: Map | None = None
        self.memory: Type | None = None
        # What the memory that the call gives holds, and what the call takes back.
        self.allocated: Type | None = None
        self.given_back: Lease | None = None
        # The function that the helper calls back, if that may move the packet: the verifier then takes it for moved.
        self.moving = ""
        # The map of the entry that a lock or timer lies in.
        self.home: Map | None = None


def call_helper(
    lowering: Lowering, node: ast.Call, name: str, leading: tuple[Operand, ...] = ()
) -> Operand:
    """Call the helper `name`; `leading` are arguments that the call's syntax already gave. Raises Refused."""
    helper = HELPERS[name]
    may_call(lowering, node, helper)
    parameters = arguments_of(helper)
    names = [parameter.name for parameter in parameters]
    optional = [
        parameter.name
        for parameter in parameters
        if parameter.kind in ("size", "varargs", "callback_context") or parameter.name in _DEFAULTS
    ]
    given = assign_arguments(lowering, node, f"`{name}`", names[len(leading) :], optional)
    places = [parameter.name for parameter in parameters if parameter.kind == "number"]
    evaluated: dict[str, tuple[ast.AST, Operand]] = {
        parameter: (argument, _argument(lowering, argument, parameter in places))
        for parameter, argument in given.items()
    }
    for parameter, operand in zip(names, leading, strict=False):
        evaluated[parameter] = (_receiver(node), operand)
    return emit_call(lowering, node, helper, evaluated)


def _argument(lowering: Lowering, node: ast.expr, is_place: bool) -> Operand:
    """What an argument gives, or names as the place of a number."""
    if is_place:
        from skverdict.dsl.frontend.places import place_of

        found = place_of(lowering, node)
        if found is not None:
            return found
    return evaluate(lowering, node)


def arguments_of(helper: Helper) -> tuple[Argument, ...]:
    """The arguments of `helper`, those that any number may be given of one by one."""
    if not helper.arguments or helper.arguments[-1].kind != "varargs":
        return helper.arguments
    more = helper.arguments[-1]
    return (*helper.arguments[:-1], *(more._replace(name=f"{more.name}{number}") for number in (1, 2, 3)))


def _receiver(node: ast.Call) -> ast.AST:
    return node.func.value if isinstance(node.func, ast.Attribute) else node


def emit_call(
    lowering: Lowering, node: ast.Call, helper: Helper, given: dict[str, tuple[ast.AST, Operand]]
) -> Operand:
    """Call `helper` with evaluated arguments by name; sizes and flags may be absent. Raises Refused."""
    arguments = Arguments(lowering, node, helper, given)
    for parameter in arguments_of(helper):
        if parameter.kind == "varargs" and parameter.name not in given:
            continue
        where, operand = given.get(parameter.name, (node, None))
        rule = rule_of(lowering, node, helper, parameter)
        value = None
        if parameter.nullable and parameter.kind in _NULLABLE:
            from skverdict.dsl.frontend.helper_arguments import null

            value = null(arguments, parameter, where, operand)
        arguments.operands.append(value or rule(arguments, parameter, where, operand))
    if arguments.home is not None and arguments.map is not None and arguments.home != arguments.map:
        raise lowering.refuse(
            node, f"it lies in `{arguments.home.name}`, and the map given is `{arguments.map.name}`"
        )
    return _result(arguments)


def rule_of(lowering: Lowering, node: ast.AST, helper: Helper, parameter: Argument) -> Rule:
    """How an argument of that kind is made. Raises Refused for one that a policy cannot have."""
    rule = _RULES.get(parameter.kind)
    if rule is None:
        from skverdict.dsl.frontend.helper_arguments import REFUSED, RULES

        rule = RULES.get(parameter.kind)
        if rule is None:
            what, hint = REFUSED[parameter.kind]
            raise lowering.refuse(node, f"`{helper.name}` takes {what}", hint)
    return rule


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
    if lowering.here.leases:
        from skverdict.dsl.frontend.locking import check_no_lock

        check_no_lock(lowering, node, helper.name)
    if helper.sleeps:
        raise lowering.refuse(node, f"`{helper.name}` may sleep, which no program here may")
    if helper.gpl_only and lowering.scope.license not in GPL_COMPATIBLE:
        raise lowering.refuse(
            node,
            f"`{helper.name}` needs a GPL-compatible license, not {lowering.scope.license!r}",
            'write `LICENSE = "GPL"` in the module',
        )


def takes(helper: Helper) -> bool:
    """True if the language has something for each argument of `helper`, and can use what it gives."""
    from skverdict.dsl.frontend.helper_arguments import REFUSED

    maps = not helper.maps or any(kind in KINDS for kind in helper.maps)
    return maps and not helper.sleeps and not any(argument.kind in REFUSED for argument in helper.arguments)


def _callers_hint(kinds: tuple[str, ...]) -> str:
    return f"{', '.join(kinds)} programs may" if kinds else "no program kind here may"


def _result(arguments: Arguments) -> Operand:
    lowering, node, helper = arguments.lowering, arguments.node, arguments.helper
    if lowering.discarded is node:
        from skverdict.dsl.frontend.ignored import warn_if_ignored

        warn_if_ignored(lowering, node, helper.name)
    operands = tuple(arguments.operands)
    operand: Operand
    if helper.name == TAIL_CALL:
        from skverdict.dsl.frontend.tail_calls import check_tail_call

        assert arguments.map is not None
        check_tail_call(lowering, node, arguments.map)
        # It gives nothing: where it comes back, r0 holds what the verifier lets nobody read.
        lowering.effect(node, "call.helper", operands, helper=helper.name)
        operand = NONE
    elif helper.returns in _RESULTS:
        type_ = _RESULTS[helper.returns]
        operand = Scalar(type_, lowering.emit(node, "call.helper", operands, type_, helper=helper.name))
    elif helper.returns == "void":
        lowering.effect(node, "call.helper", operands, helper=helper.name)
        operand = NONE
    elif helper.returns == "map_value" and arguments.map is not None and arguments.map.kind in _MEMORY_MAPS:
        target = arguments.map.value
        assert target is not None
        value = lowering.emit(
            node, "call.helper", operands, Pointer(target, Space.MAP_VALUE, nullable=True), helper=helper.name
        )
        what = f"the entry of `{arguments.map.name}`"
        operand = Reference(
            target,
            Space.MAP_VALUE,
            what,
            lowering.place(node),
            pointer=value,
            nullable=True,
            home=arguments.map,
        )
    else:
        from skverdict.dsl.frontend.helper_results import pointer_result

        operand = pointer_result(arguments)
    if "lock" in arguments.given:
        from skverdict.dsl.frontend.locking import locks

        locks(arguments)
    if arguments.given_back is not None:
        from skverdict.dsl.frontend.leases import end

        end(lowering, node, arguments.given_back, DONE.get(helper.name, "released"))
    if helper.moves_buffer:
        lowering.move_buffer(node, helper.name)
        if lowering.kind == "stream_parser" and lowering.scope.kernel == KERNELS[-1]:
            lowering.scope.reporter.warning(
                lowering.place(node),
                f"Linux 7.2 does not attach a parser that may change the packet, as `{helper.name}` does",
                "read with `load_bytes`, which changes nothing",
            )
    elif arguments.moving:
        lowering.move_buffer(node, arguments.moving)
    return operand


# One rule for each kind of argument. `operand` is None where the call leaves the argument out.
Rule = Callable[[Arguments, Argument, ast.AST, "Operand | None"], Value]


def _scalar(arguments: Arguments, parameter: Argument, node: ast.AST, operand: Operand | None) -> Value:
    type_ = Int(parameter.bits, parameter.signed)
    lowering = arguments.lowering
    if isinstance(operand, KernelPart) and parameter.name == "unsafe_ptr":
        from skverdict.dsl.frontend.kernel_objects import address

        return lowering.value(node, address(lowering, node, operand))
    wanted = f"{with_article(type_)} for `{parameter.name}`"
    number = as_scalar(lowering, node, operand or constant(_DEFAULTS.get(parameter.name, 0)), wanted)
    if parameter.name == "netns" and number.constant == CONSTANTS["BPF_F_CURRENT_NETNS"]:
        # A negative number in an argument that the kernel declares without a sign.
        number = constant(wrap(number.constant, type_))
    return lowering.value(node, convert(lowering, node, number, type_))


def _context(arguments: Arguments, parameter: Argument, node: ast.AST, operand: Operand | None) -> Value:
    if not isinstance(operand, ContextValue):
        raise wrong(arguments, parameter, node, operand, "the program's context")
    if isinstance(operand, MessageValue):
        from skverdict.dsl.frontend.message import check_helper

        check_helper(arguments.lowering, node, arguments.helper)
    return operand.value


def _class_name(kind: str) -> str:
    """What policies declare a kind of map with, or the kernel's name of a kind that they cannot declare."""
    return MAPS[kind].class_name if kind in MAPS else kind


def _map(arguments: Arguments, parameter: Argument, node: ast.AST, operand: Operand | None) -> Value:
    if not isinstance(operand, MapValue):
        raise wrong(arguments, parameter, node, operand, "a map")
    helper, map_ = arguments.helper, operand.map
    lowering = arguments.lowering
    if helper.maps and map_.kind not in helper.maps:
        raise lowering.refuse(
            node, f"`{helper.name}` does not take {with_article(_class_name(map_.kind))}",
            f"it takes {with_article(' or '.join(_class_name(kind) for kind in helper.maps))}",
        )  # fmt: skip
    callers = MAP_CALLERS.get((helper.name, map_.kind))
    if callers is not None and lowering.kind not in callers:
        raise lowering.refuse(
            node,
            f"a {lowering.kind} program may not call `{helper.name}` on {with_article(_class_name(map_.kind))}",
            _callers_hint(callers),
        )
    arguments.map = map_
    if operand.pointer is not None:
        return operand.pointer
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
        if isinstance(operand, (PacketByte, MaybeNumber)):
            operand = as_scalar(lowering, node, operand)
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
    content = operand.object if isinstance(operand, PythonValue) else None
    if isinstance(content, (str, bytes)) and parameter.kind == "memory":
        return _text(arguments, node, content)
    if isinstance(operand, Window):
        return _stretch(arguments, parameter, node, operand)
    if isinstance(operand, Scalar) and isinstance(operand.type, (Int, BigEndian)) and parameter.kind == "memory":
        arguments.memory = operand.type
        return spill(arguments.lowering, node, operand, parameter.name)
    if not isinstance(operand, Reference):
        is_read = isinstance(operand, Scalar) and parameter.kind == "memory"
        shown = arguments.lowering.segment(node)
        typed = f"a number with a type, such as `i32({shown})`, or " if is_read else ""
        hint = "declare one, such as `class Number(Struct): value: u32`, and read it afterwards" if not is_read else ""
        raise wrong(arguments, parameter, node, operand, f"{typed}a structure", hint)
    arguments.memory = operand.target
    if parameter.kind == "memory":
        # Not every helper reads from the packet; all of them read from the stack.
        return on_stack(arguments.lowering, node, operand, parameter.name)
    return written(arguments, node, operand)


def _stretch(arguments: Arguments, parameter: Argument, node: ast.AST, window: Window) -> Value:
    """A slice of an array: as many bytes of it as it has for certain."""
    array = window.source
    if not isinstance(array, Reference) or window.length is not None or window.size is None:
        raise wrong(arguments, parameter, node, window, "an array, or a slice of one that has a fixed length")
    lowering = arguments.lowering
    base = pointer(lowering, node, array) if parameter.kind == "memory" else written(arguments, node, array)
    arguments.memory = Array(U8, window.size)
    operands = (base,) if window.variable is None else (base, window.variable)
    type_ = Pointer(arguments.memory, array.space)
    return lowering.emit(node, "part", operands, type_, offset=window.base)


def _text(arguments: Arguments, node: ast.AST, content: str | bytes) -> Value:
    """A text that is known now: with the NUL at its end for a str, without for bytes."""
    from skverdict.dsl.frontend.helper_arguments import string

    text = content if isinstance(content, str) else content.decode("utf-8", "surrogateescape")
    address = string(arguments, node, text)
    assert isinstance(address.type, Pointer) and isinstance(address.type.target, Array)
    size = address.type.target.count - isinstance(content, bytes)
    if not size:
        raise arguments.lowering.refuse(node, "there are no bytes here")
    arguments.memory = Array(U8, size)
    return address


def written(arguments: Arguments, node: ast.AST, operand: Reference) -> Value:
    if operand.space is Space.PACKET:
        raise arguments.lowering.refuse(
            node, f"`{arguments.helper.name}` cannot write into the packet", "use a structure of your own"
        )
    refuse_special(arguments.lowering, node, operand)
    return pointer(arguments.lowering, node, operand)


def _size(arguments: Arguments, parameter: Argument, node: ast.AST, operand: Operand | None) -> Value:
    lowering = arguments.lowering
    largest = size_of(arguments.memory) if arguments.memory is not None else 0
    smallest = 0 if parameter.nullable else 1
    type_ = Int(parameter.bits, parameter.signed)
    number = as_scalar(lowering, node, constant(largest) if operand is None else operand)
    if number.low < smallest or number.high > largest:
        what = "None" if arguments.memory is None else f"the {type_name(arguments.memory)}"
        raise lowering.refuse(
            node,
            f"the size must be {smallest} to {largest}, the bytes of {what}, but it "
            + (f"may be {number.low} to {number.high}" if number.only is None else f"is {number.only}"),
            _size_hint(lowering, node, number, smallest, largest),
        )
    return lowering.value(node, convert(lowering, node, number, type_))


def _size_hint(lowering: Lowering, node: ast.AST, number: Scalar, smallest: int, largest: int) -> str:
    """How to bound a size, which is known of a name only."""
    if largest < smallest:
        return ""
    if number.only is not None:
        # It may be meant for another parameter, such as the one behind it.
        return f"leave it out, and it is {largest}; what comes behind it is given by name, such as `flags=...`"
    text, name = lowering.segment(node), "n"
    first = ""
    if isinstance(node, ast.Name):
        name = node.id
    elif number.high > largest:
        first = f"`n = min({text}, {largest})`, then "
    else:
        first = f"`n = {text}`, then "
    return f"test it first: {first}`if {name} < {smallest}:`" if number.high <= largest or first else (
        f"test it first, such as `if {name} > {largest}:`"
    )


def _number(arguments: Arguments, parameter: Argument, node: ast.AST, operand: Operand | None) -> Value:
    wanted = Int(parameter.bits, parameter.signed)
    if not isinstance(operand, Reference) or operand.target != wanted:
        what = f"a place that holds {with_article(wanted)}, such as the member of a structure,"
        raise wrong(arguments, parameter, node, operand, what)
    return written(arguments, node, operand)


def wrong(
    arguments: Arguments,
    parameter: Argument,
    node: ast.AST,
    operand: Operand | None,
    wanted: str,
    hint: str = "",
) -> Exception:
    found = "nothing" if operand is None else describe(operand)
    return arguments.lowering.refuse(
        node, f"`{arguments.helper.name}` needs {wanted} for `{parameter.name}`, but this is {found}", hint
    )


_RULES: dict[str, Rule] = {
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
