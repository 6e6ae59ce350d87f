"""`@framed`: a verdict on the messages of a stream becomes programs that follow the stream.

The programs are written in the policy language (`skverdict.dsl.framing`). Which of them a policy needs follows
from what its verdict can return: what passes a message to its own socket must do without the kernel's parser,
and what redirects one cannot (`docs/kernel-differences.md`, "Do not pass what a parser framed").
"""

from __future__ import annotations

from types import FunctionType
from typing import Any

from skverdict.dsl.decorators import FRAMING, MARK, Framing
from skverdict.dsl.errors import Diagnostic, Place
from skverdict.dsl.frontend.advice import REDIRECTS, SK_PASS, Flow
from skverdict.dsl.frontend.annotations import read_annotation
from skverdict.dsl.frontend.declarations import MOST_ENTRIES, NAME_LENGTH, check_name
from skverdict.dsl.frontend.definitions import check_definition, refusal
from skverdict.dsl.frontend.lowering import Frame, Lowering
from skverdict.dsl.frontend.memory import new_struct
from skverdict.dsl.frontend.message import LONGEST
from skverdict.dsl.frontend.programs import mark_of
from skverdict.dsl.frontend.refusal import Refused
from skverdict.dsl.frontend.scope import PolicyScope
from skverdict.dsl.frontend.source import FunctionNode, Source
from skverdict.dsl.frontend.statements import body, no_return
from skverdict.dsl.frontend.values import (
    MESSAGE,
    START,
    ContextValue,
    MessageBytes,
    MessageValue,
    Scalar,
)
from skverdict.dsl.ir.module import Function, Location, Parameter, Value
from skverdict.dsl.ir.types import I32, U8, U32, Array, Opaque, Pointer, Space
from skverdict.dsl.maps import ArrayMap, LruHashMap, Map
from skverdict.dsl.scalars import u64
from skverdict.dsl.structs import ArrayOf, Struct, is_struct_class, members_of

KIND = "framed"
# Twice that has to fit the stack, beside what the policy's functions keep there.
MOST_LOOK = 64
_CONTEXT = Pointer(Opaque("__sk_buff"), Space.CONTEXT)


class Framed:
    """A policy's two functions, where they are written, and what else `framed` was given."""

    __slots__ = ("connections", "length", "length_place", "look", "node", "source", "verdict")

    def __init__(
        self,
        verdict: FunctionType,
        length: FunctionType,
        source: Source,
        node: FunctionNode,
        length_place: Place,
        look: int,
        connections: int,
    ) -> None:
        self.verdict = verdict
        self.length = length
        self.source = source
        self.node = node
        self.length_place = length_place
        self.look = look
        self.connections = connections


def lower_framed(scope: PolicyScope, function: FunctionType) -> list[Function]:
    """The programs of a framed verdict; none if it has errors, which were reported."""
    failures = scope.reporter.failures
    try:
        framed = _checked(scope, function)
        redirects, passes = _outcomes(scope, framed)
        if redirects is not None and passes is not None:
            raise _both(scope, framed, redirects, passes)
        if scope.reporter.failures > failures:
            return []
        return _tracked(scope, framed) if passes is not None else _parsed(scope, framed)
    except Refused as refused:
        if refused.diagnostic is not None:
            scope.reporter.add(refused.diagnostic)
        return []


def _checked(scope: PolicyScope, function: FunctionType) -> Framed:
    """What `framed` was given, if it is right. Raises Refused."""
    framing: Framing = getattr(function, FRAMING)
    source, node = scope.definition(function)
    _check_function(scope, function, "verdict")
    length = framing.length
    if not isinstance(length, FunctionType) or mark_of(length) not in ("", "inline"):
        raise refusal(
            source, node, "@framed needs the function that tells a message's length",
            "such as `def size(msg: Message) -> i32:`, and `@framed(size)`",
        )  # fmt: skip
    _check_function(scope, length, "length")
    length_source, length_node = scope.definition(length)
    for name, number, most in (
        ("look", framing.look, MOST_LOOK),
        ("connections", framing.connections, MOST_ENTRIES),
    ):
        if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= most:
            raise refusal(source, node, f"`{name}` of @framed must be 1 to {most}, not {number!r}")
    assert isinstance(framing.look, int) and isinstance(framing.connections, int)
    place = length_source.place(length_node)
    return Framed(function, length, source, node, place, framing.look, framing.connections)


def _check_function(scope: PolicyScope, function: FunctionType, what: str) -> None:
    """Raises Refused for a function that does not take a message and give an i32."""
    source, node = scope.definition(function)
    check_definition(source, node)
    wanted = f"write `def {node.name}(msg: Message) -> i32:`"
    if len(node.args.args) != 1:
        raise refusal(source, node, f"the {what} function of @framed takes one parameter, the message", wanted)
    parameter = node.args.args[0]
    annotation = read_annotation(scope, source, function, parameter.annotation)
    if annotation.context != MESSAGE or annotation.optional:
        raise refusal(source, parameter, f"the {what} function of @framed is given a Message", wanted)
    returns = read_annotation(scope, source, function, node.returns)
    if returns.type != I32 or returns.optional:
        raise refusal(source, node.returns or node, f"the {what} function of @framed returns an i32", wanted)


# What the verdict can return.


def _outcomes(scope: PolicyScope, framed: Framed) -> tuple[Location | None, Location | None]:
    """Where the verdict redirects, and where it may pass a message to its own socket. Raises Refused."""
    length = _lowered_alone(scope, framed, framed.length)
    lowering = _lowered_alone(scope, framed, framed.verdict)
    if length.failures or lowering.failures:
        raise Refused(None)
    called = {each.name: each.function for each in scope.subprograms.values() if each.function is not None}
    flow = Flow(lowering.function, called)
    redirects = passes = None
    after = flow.surely(lambda operation: flow.calls(operation, REDIRECTS), lambda block, successor: False)
    for block in lowering.function.blocks:
        for operation in block.operations:
            if redirects is None and flow.calls(operation, REDIRECTS):
                redirects = operation.location
        last = block.operations[-1]
        if last.name == "return" and not after(block, last) and flow.may_be(last.operands[0], SK_PASS):
            passes = passes or last.location
    return redirects, passes


def _lowered_alone(scope: PolicyScope, framed: Framed, function: FunctionType) -> Lowering:
    """One of the two functions as a program of its own, which is looked at and thrown away."""
    source, node = scope.definition(function)
    value = Value(0, _CONTEXT)
    name = node.args.args[0].arg
    result = Function(
        node.name, "stream_verdict", (Parameter(name, value),), I32, location=source.location(node)
    )
    lowering = Lowering(scope, result, Frame(function, node, source, scope.assigned(source, node)))
    lowering.frame.gives_length = function is framed.length
    context = ContextValue("__sk_buff", value)
    content = new_struct(lowering, node, Array(U8, framed.look), "content")
    number = Scalar(U32, lowering.emit(node, "context.load", (value,), U32, field="len"))
    data = MessageBytes(context, content, number.with_range(1, framed.look), framed.look, START)
    length = number.with_range(1, LONGEST) if function is framed.verdict else None
    lowering.bind(name, MessageValue(value, data, length))
    body(lowering, node.body)
    if lowering.state is not None:
        lowering.report(no_return(lowering, node))
    return lowering


def _both(scope: PolicyScope, framed: Framed, redirects: Location, passes: Location) -> Refused:
    places = (scope.sources.place(passes), scope.sources.place(redirects))
    return Refused(Diagnostic(
        framed.source.place(framed.node),
        f"`{framed.node.name}` redirects some messages and passes others to their own socket, which no kernel "
        "does right: what passes behind the kernel's parser comes late or never, and without the parser "
        "messages cannot be redirected one by one",
        "redirect those, too, or drop them",
        ((places[0], "it passes a message here"), (places[1], "it redirects one here")),
    ))  # fmt: skip


# The programs.


def _tracked(scope: PolicyScope, framed: Framed) -> list[Function]:
    from skverdict.dsl.framing import tracked

    own = _instance(scope, framed, vars(tracked))
    return _programs(scope, framed, [(own["verdict"], framed.node.name, "stream_verdict", framed.verdict)])


def _parsed(scope: PolicyScope, framed: Framed) -> list[Function]:
    from skverdict.dsl.framing import parsed

    parser = framed.length.__name__
    check_name(scope, framed.length_place, "program", parser)
    if parser in scope.kinds:
        scope.reporter.error(
            framed.length_place, f"`{parser}` is the parser of two programs",
            "write one function for each @framed; what they share goes into an @inline one",
        )  # fmt: skip
        return []
    scope.kinds[parser] = "stream_parser"
    own = _instance(scope, framed, vars(parsed))
    return _programs(
        scope, framed,
        [
            (own["parser"], parser, "stream_parser", framed.length),
            (own["verdict"], framed.node.name, "stream_verdict", framed.verdict),
        ],
    )  # fmt: skip


def _instance(scope: PolicyScope, framed: Framed, module: dict[str, Any]) -> dict[str, Any]:
    """The globals of a module of `skverdict.dsl.framing`, made for this policy."""
    own = dict(module)
    own["LOOK"] = framed.look
    structs: dict[object, type[Struct]] = {}
    for name, thing in module.items():
        if is_struct_class(thing) and thing.__module__ == module["__name__"]:
            own[name] = structs[thing] = _sized(thing, structs, framed.look)
    for name, thing in module.items():
        if isinstance(thing, LruHashMap):
            places = LruHashMap(key=u64, value=structs[thing.value], max_entries=framed.connections)
            own[name] = _named(scope, framed, places, "_place")
        elif isinstance(thing, ArrayMap):
            start = ArrayMap(value=structs[thing.value], max_entries=1)
            own[name] = _named(scope, framed, start, "_start")
        elif isinstance(thing, FunctionType) and thing.__module__ == module["__name__"]:
            own[name] = _inline(thing, own)
    own["judge"] = _inline(framed.verdict, framed.verdict.__globals__)
    own["length_of"] = _inline(framed.length, framed.length.__globals__)
    scope.framings.append(own)
    return own


def _inline(function: FunctionType, own: dict[str, Any]) -> FunctionType:
    """The same function, with these globals, for calls that are expanded in place."""
    twin = FunctionType(
        function.__code__, own, function.__name__, function.__defaults__, function.__closure__
    )
    twin.__kwdefaults__ = function.__kwdefaults__
    setattr(twin, MARK, "inline")
    return twin


def _sized(cls: type[Struct], structs: dict[object, type[Struct]], look: int) -> type[Struct]:
    """A structure whose arrays are as long as the policy looks, or twice that."""
    members = {
        name: ArrayOf(type_.element, type_.count // MOST_LOOK * look)
        if isinstance(type_, ArrayOf) and isinstance(type_.count, int)
        else structs.get(type_, type_)
        for name, type_ in members_of(cls).items()
    }
    twin: type[Struct] = type(cls.__name__, (Struct,), {"__annotations__": members})
    twin._origin = cls._origin
    return twin


def _named(scope: PolicyScope, framed: Framed, map_: Map, ending: str) -> Map:
    """A map that belongs to the verdict, under a name that tells so."""
    map_.origin = (framed.verdict.__code__.co_filename, framed.node.lineno)
    scope.map_named(scope.unused_name(framed.node.name[: NAME_LENGTH - len(ending)] + ending), map_)
    return map_


def _programs(
    scope: PolicyScope, framed: Framed, wanted: list[tuple[FunctionType, str, str, FunctionType]]
) -> list[Function]:
    """Each of `wanted`, lowered: a function, the program's name and kind, and whose place it takes."""
    made: list[Function] = []
    for function, name, kind, owner in wanted:
        source, node = scope.definition(function)
        owner_source, owner_node = scope.definition(owner)
        value = Value(0, _CONTEXT)
        parameter = Parameter(node.args.args[0].arg, value)
        location = owner_source.location(owner_node)
        result = Function(name, kind, (parameter,), I32, location=location)
        lowering = Lowering(scope, result, Frame(function, node, source, scope.assigned(source, node)))
        lowering.bind(parameter.name, ContextValue("__sk_buff", value))
        body(lowering, node.body)
        if not lowering.failures:
            made.append(result)
    scope.framed.update(function.name for function in made)
    return made
