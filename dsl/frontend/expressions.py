"""Expressions that choose a part or one of two: attributes, subscripts, `a if c else b`."""

from __future__ import annotations

import ast

from skverdict.dsl.frontend.conditions import decide
from skverdict.dsl.frontend.context_fields import array_element, context_attribute
from skverdict.dsl.frontend.convert import as_scalar, convert, fits, unify
from skverdict.dsl.frontend.dispatch import evaluate, expression
from skverdict.dsl.frontend.lowering import Label, Lowering
from skverdict.dsl.frontend.maps import METHOD_NAMES
from skverdict.dsl.frontend.memory import element, load, member
from skverdict.dsl.frontend.operators import is_of_literals
from skverdict.dsl.frontend.python_values import operand_of
from skverdict.dsl.frontend.refusal import Refused, suggestion
from skverdict.dsl.frontend.state import State
from skverdict.dsl.frontend.values import (
    ContextArray,
    ContextValue,
    GlobalValue,
    KernelPart,
    MapValue,
    MessageValue,
    Method,
    NoneValue,
    Operand,
    PacketValue,
    PythonValue,
    Reference,
    Scalar,
    ScalarType,
    SocketArray,
    TypeValue,
    Window,
    describe,
)
from skverdict.dsl.ir.module import Block
from skverdict.dsl.ir.types import I64, U64, Array, BigEndian, Int, Opaque, Struct
from skverdict.dsl.layout import bit_field
from skverdict.dsl.maps import Map
from skverdict.dsl.structs import Array as ArrayType

PACKET_METHODS = ("view", "startswith")
BYTES_METHODS = ("startswith",)
BIG_ENDIAN_METHODS = ("host", "raw")
# What Python's integers have, and what to write instead.
_OF_INT = {
    "bit_length": "shift it to the right in a `while` loop, and count",
    "to_bytes": "write `be32(x)` for the number in network order",
}

_SEARCH = "look for it with `for i in range(256):` and `if data[i:i + 2] == b\"..\":`"
_SPELLINGS = "compare with each spelling, such as `data[a:b] in (b\"get\", b\"GET\")`"
# Methods of Python's bytes that the packet's have not, and what to write instead.
_OF_BYTES = {
    **dict.fromkeys(("find", "rfind", "index", "rindex", "split", "rsplit", "partition", "splitlines"), _SEARCH),
    **dict.fromkeys(("lower", "upper", "casefold", "capitalize", "title"), _SPELLINGS),
    **dict.fromkeys(("decode", "hex"), "a program has no strings: compare with bytes, such as `data[a:b] == b\"..\"`"),
    "endswith": "say where the end is: `data[a:b] == b\"..\"`",
    "count": "count in a `for` loop: `for i in range(256):` and `if data[i] == ord(\"x\"):`",
}


@expression(ast.Attribute)
def attribute(lowering: Lowering, node: ast.Attribute) -> Operand:
    owner = evaluate(lowering, node.value)
    if isinstance(owner, Reference):
        if isinstance(owner.target, Opaque):
            from skverdict.dsl.frontend.objects import object_attribute

            return object_attribute(lowering, node, owner)
        return _of_reference(lowering, node, owner)
    if isinstance(owner, MessageValue):
        from skverdict.dsl.frontend.message import message_attribute

        return message_attribute(lowering, node, owner)
    if isinstance(owner, ContextValue):
        return context_attribute(lowering, node, owner)
    if isinstance(owner, PythonValue):
        return _of_python(lowering, node, owner)
    if isinstance(owner, GlobalValue):
        from skverdict.dsl.frontend.globals import place

        return load(lowering, node, place(lowering, node, owner))
    if isinstance(owner, KernelPart):
        from skverdict.dsl.frontend.kernel_objects import part_member

        return part_member(lowering, node, owner)
    names: tuple[str, ...] = ()
    if isinstance(owner, MapValue):
        names = METHOD_NAMES[owner.map.kind]
        if node.attr == "redirect":
            # It has a message of its own where there are no sockets.
            return Method(owner, node.attr)
    elif isinstance(owner, PacketValue):
        names = PACKET_METHODS
    elif isinstance(owner, Window):
        names = BYTES_METHODS
    elif isinstance(owner, Scalar) and isinstance(owner.type, BigEndian):
        names = BIG_ENDIAN_METHODS
    if node.attr in names:
        return Method(owner, node.attr)
    raise lowering.refuse(
        node, f"{describe(owner)} has no `{node.attr}`", _attribute_hint(lowering, node, owner, names)
    )


def _attribute_hint(lowering: Lowering, node: ast.Attribute, owner: Operand, names: tuple[str, ...]) -> str:
    if isinstance(owner, Scalar) and node.attr == "value":
        return f"write `{lowering.segment(node.value)}` alone"
    if isinstance(owner, Scalar) and isinstance(owner.type, Int) and node.attr in BIG_ENDIAN_METHODS:
        return f"it is in the machine's own order already: write `{lowering.segment(node.value)}` alone"
    if isinstance(owner, TypeValue) and node.attr in ("view", "from_bytes", "parse", "unpack"):
        return f"write `data.view({lowering.segment(node.value)}, offset)`, of the context's `data`"
    if isinstance(owner, MapValue):
        from skverdict.dsl.frontend.map_advice import instead

        return instead(owner.map.kind, owner.map.name, node.attr, names)
    if isinstance(owner, Scalar) and node.attr in _OF_INT:
        return _OF_INT[node.attr]
    if isinstance(owner, (PacketValue, Window)) and node.attr in _OF_BYTES:
        return _OF_BYTES[node.attr]
    if isinstance(owner, PacketValue):
        return (
            "read it with `data[i]`, `data[a:b] == b\"...\"`, `b\"...\" in data[a:b]`, `.startswith(...)` or "
            "`.view(T, offset)`"
        )
    return suggestion(node.attr, names) or (f"it has {', '.join(names)}" if names else "")


def _of_reference(lowering: Lowering, node: ast.Attribute, owner: Reference) -> Operand:
    if isinstance(owner.target, Struct):
        if node.attr == "copy":
            return Method(owner, "copy")
        bits = bit_field(owner.target, node.attr)
        if bits is not None:
            from skverdict.dsl.frontend.bit_fields import load_bits

            return load_bits(lowering, node, owner, bits)
        return load(lowering, node, member(lowering, node, owner))
    if node.attr in BYTES_METHODS and isinstance(owner.target, Array):
        return Method(owner, node.attr)
    if node.attr == "value" and not isinstance(owner.target, Array):
        return _load_cell(lowering, node, owner)
    if isinstance(owner.target, BigEndian) and node.attr in BIG_ENDIAN_METHODS:
        hint = f"write `{lowering.segment(node.value)}.value.{node.attr}()`"
    else:
        hint = f"write `{lowering.segment(node.value)}[0]`" if isinstance(owner.target, Array) else (
            f"read or write `{lowering.segment(node.value)}.value`"
        )  # fmt: skip
    raise lowering.refuse(node, f"{describe(owner)} has no `{node.attr}`", hint)


def _load_cell(lowering: Lowering, node: ast.Attribute, owner: Reference) -> Operand:
    if owner.nullable:
        # The message should point at the name that was not tested.
        load(lowering, node.value, owner)
    return load(lowering, node, owner)


def _of_python(lowering: Lowering, node: ast.Attribute, owner: PythonValue) -> Operand:
    if isinstance(owner.object, str | bytes | float | list | dict | set | tuple):
        is_dict = isinstance(owner.object, dict)
        hint = f"run through it with `for key, value in {owner.name}.items():`" if is_dict else ""
        raise lowering.refuse(node, f"{describe(owner)} cannot be used inside a program", hint)
    try:
        thing = getattr(owner.object, node.attr)
    except Exception:
        names = dir(owner.object)
        raise lowering.refuse(
            node, f"`{owner.name}` has no `{node.attr}`", suggestion(node.attr, names)
        ) from None
    return operand_of(lowering.scope, node.attr, thing)


@expression(ast.Subscript)
def subscript(lowering: Lowering, node: ast.Subscript) -> Operand:
    owner = evaluate(lowering, node.value)
    if isinstance(owner, PacketValue):
        from skverdict.dsl.frontend.byte_places import packet_subscript

        return packet_subscript(lowering, node, owner)
    if isinstance(owner, MapValue):
        raise lowering.refuse(
            node,
            "a map's entry may be absent, so it cannot be indexed",
            f"write `entry = {owner.map.name}.lookup({lowering.segment(node.slice)})` and test it for None",
        )
    if isinstance(owner, PythonValue) and owner.object is ArrayType:
        return _array_type(lowering, node)
    if isinstance(node.slice, ast.Slice):
        return _slice(lowering, node, owner)
    index = evaluate(lowering, node.slice)
    if isinstance(owner, SocketArray):
        from skverdict.dsl.frontend.objects import socket_array_element

        return socket_array_element(lowering, node, owner, index)
    if isinstance(owner, KernelPart):
        from skverdict.dsl.frontend.kernel_objects import part_element

        return part_element(lowering, node, owner, index)
    if isinstance(owner, ContextArray):
        return array_element(lowering, node, owner, index)
    if isinstance(owner, Reference) and isinstance(owner.target, Array):
        return load(lowering, node, element(lowering, node, owner, index))
    if isinstance(owner, PythonValue) and isinstance(owner.object, tuple | list | dict | range):
        return _of_container(lowering, node, owner, index)
    hint = ""
    if isinstance(owner, Window):
        hint = "take the byte from the packet itself, such as `skb.data[start + i]`"
    elif isinstance(owner, PythonValue) and isinstance(owner.object, (bytes, str)):
        hint = f"compare all of it: `skb.data[a:b] == {owner.name}`, or run through it with `for x in {owner.name}:`"
    raise lowering.refuse(node, f"{describe(owner)} cannot be indexed", hint)


def _slice(lowering: Lowering, node: ast.Subscript, owner: Operand) -> Operand:
    from skverdict.dsl.frontend.byte_places import array_slice, is_byte_array

    if isinstance(owner, Reference) and is_byte_array(owner):
        return array_slice(lowering, node, owner)
    raise lowering.refuse(
        node.slice, f"{describe(owner)} cannot be sliced",
        "slices are of bytes: of a packet or an Array[u8, n]",
    )  # fmt: skip


def _array_type(lowering: Lowering, node: ast.Subscript) -> TypeValue:
    """`Array[T, n]` inside a program."""
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else []
    if len(parts) != 2:
        raise lowering.refuse(node, "an array type is written `Array[u8, 16]`")
    element_type, count = evaluate(lowering, parts[0]), evaluate(lowering, parts[1])
    if not isinstance(element_type, TypeValue):
        raise lowering.refuse(parts[0], f"a type is needed here, but this is {describe(element_type)}")
    number = as_scalar(lowering, parts[1], count)
    if number.constant is None or not 0 < number.constant < 1 << 32:
        raise lowering.refuse(parts[1], "an array's count must be a positive constant")
    return TypeValue(Array(element_type.type, number.constant))


def _of_container(
    lowering: Lowering, node: ast.Subscript, owner: PythonValue, index: Operand
) -> Operand:
    number = as_scalar(lowering, node.slice, index)
    if number.only is None:
        raise lowering.refuse(
            node.slice,
            f"`{owner.name}` exists only while compiling: its index must be a constant",
            "use an ArrayMap for values that are looked up by a number",
        )  # fmt: skip
    try:
        thing = owner.object[number.only]  # type: ignore[index]
    except (IndexError, KeyError):
        raise lowering.refuse(node.slice, f"`{owner.name}` has no element {number.only}") from None
    if isinstance(thing, Map) and not lowering.scope.is_declared(thing):
        raise lowering.refuse(
            node, "a map takes its name from a global of the module", "bind it to a name of its own"
        )
    return operand_of(lowering.scope, owner.name, thing)


@expression(ast.IfExp)
def conditional(lowering: Lowering, node: ast.IfExp) -> Operand:
    yes, no = lowering.label(node, "then"), lowering.label(node, "else")
    decide(lowering, node.test, yes, no)
    sides = [(label, part) for label, part in ((yes, node.body), (no, node.orelse)) if label.edges]
    if len(sides) == 1:
        lowering.enter(sides[0][0])
        taken = sides[0][1]
        return _as_both(lowering, taken, node.orelse if taken is node.body else node.body)
    return _choose(lowering, node, sides)


def _as_both(lowering: Lowering, taken: ast.expr, other: ast.expr) -> Operand:
    """The side that is always taken, as the type that it has with the other: that is not one of the test."""
    chosen = evaluate(lowering, taken)
    if not isinstance(chosen, Scalar):
        return chosen
    mark, state = lowering.mark(), lowering.here.copy()
    try:
        beside = evaluate(lowering, other)
    except Refused:
        return chosen
    finally:
        lowering.take_back(mark)
        lowering.undo(mark)
        lowering.state = state
    if not isinstance(beside, Scalar):
        return chosen
    type_ = _chosen_type(lowering, (taken, other), [chosen, beside])
    if is_of_literals(chosen) and is_of_literals(beside):
        return chosen
    return convert(lowering, taken, chosen, type_)


def _choose(
    lowering: Lowering, node: ast.expr, sides: list[tuple[Label, ast.expr]]
) -> Operand:
    """One of two numbers, each computed on its own path."""
    ends: list[tuple[Block, State]] = []
    numbers: list[Scalar] = []
    for label, part in sides:
        lowering.enter(label)
        operand = evaluate(lowering, part)
        if isinstance(operand, (Reference, ContextValue, MapValue, TypeValue, NoneValue, PythonValue)):
            raise lowering.refuse(
                part, f"a conditional expression chooses between numbers, but this is {describe(operand)}",
                "write an `if` statement",
            )  # fmt: skip
        numbers.append(as_scalar(lowering, part, operand))
        ends.append((lowering.block, lowering.here))
    type_ = _chosen_type(lowering, (sides[0][1], sides[1][1]), numbers)
    of_literals = is_of_literals(numbers[0]) and is_of_literals(numbers[1])
    end = lowering.label(node, "chosen")
    local = lowering.new_local("choice", type_)
    low, high = [], []
    for (block, state), number, (_, part) in zip(ends, numbers, sides, strict=True):
        lowering.block, lowering.state = block, state
        converted = convert(lowering, part, number, type_)
        lowering.effect(part, "local.set", (lowering.value(part, converted),), local=local)
        low.append(converted.low)
        high.append(converted.high)
        lowering.jump(part, end)
    lowering.enter(end)
    value = lowering.emit(node, "local.get", (), type_, local=local)
    flexible = of_literals and type_ == I64
    began = numbers[0].began or numbers[1].began
    wrapped = numbers[0].wrapped or numbers[1].wrapped
    return Scalar(type_, value, low=min(low), high=max(high), flexible=flexible, began=began, wrapped=wrapped)


def _chosen_type(
    lowering: Lowering, nodes: tuple[ast.expr, ast.expr], numbers: list[Scalar]
) -> ScalarType:
    first, second = numbers
    if first.type is None and second.type is None:
        low, high = min(first.low, second.low), max(first.high, second.high)
        return U64 if fits(low, high, U64) and not fits(low, high, I64) else I64
    first, second = _beside(first, second), _beside(second, first)
    return unify(lowering, nodes, first, second)


def _beside(number: Scalar, other: Scalar) -> Scalar:
    """A literal that does not fit the other side's type is an i64: `byte if found else -1`."""
    if is_of_literals(number) and isinstance(other.type, Int) and not fits(number.low, number.high, other.type):
        return Scalar(I64, low=number.low, high=number.high)
    return number
