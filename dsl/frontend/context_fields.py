"""Fields of the context: what a program of this kind may read and write."""

from __future__ import annotations

import ast

from skverdict.dsl.catalogue.contexts import CONTEXTS, KEPT, Field
from skverdict.dsl.catalogue.programs import KERNELS, PROGRAMS
from skverdict.dsl.frontend.convert import convert
from skverdict.dsl.frontend.helper_table import method_names
from skverdict.dsl.frontend.lowering import Lowering
from skverdict.dsl.frontend.memory import checked_index, pointer
from skverdict.dsl.frontend.refusal import suggestion
from skverdict.dsl.frontend.values import (
    ContextArray,
    ContextValue,
    Method,
    Operand,
    PacketValue,
    Reference,
    Scalar,
    type_name,
    with_article,
)
from skverdict.dsl.ir.types import U32, Array, Int, Opaque, Pointer, Space, Type

# The largest number that a field can hold, where that is less than its type's: a TCP or UDP port, a buffer or
# message (the kernel bounds both by socket buffers, whose sizes are C ints), an address family, a protocol.
FIELD_LIMITS: dict[str, int] = {
    "len": 0x7FFF_FFFF,
    "size": 0x7FFF_FFFF,
    "skb_len": 0x7FFF_FFFF,
    "local_port": 0xFFFF,
    "remote_port": 0xFFFF,
    "family": 0xFFFF,
    **KEPT,
}


def context_attribute(lowering: Lowering, node: ast.Attribute, context: ContextValue) -> Operand:
    """`context.name`: a field, the packet's data, or a method. Raises Refused."""
    field = CONTEXTS[context.name].fields.get(node.attr)
    if field is None:
        methods = method_names(context.name)
        if node.attr in methods:
            return Method(context, node.attr)
        raise _unknown(lowering, node, context, methods)
    if field.role == "data":
        return PacketValue(context)
    _readable(lowering, node, context, field)
    if field.role == "socket":
        return _socket(lowering, node, context, field)
    if isinstance(field.type, Array):
        return ContextArray(context, field.name)
    return _load(lowering, node, context, field, field.name, field.type)


# What a context's socket is: one in the making is known to the kernel by less.
_SOCKETS = {"__sk_buff": "sock_common"}

# The length, by the name that it has elsewhere.
_LENGTHS = {("__sk_buff", "size"): "len", ("sk_msg_md", "len"): "size", ("sk_msg_md", "length"): "size"}


def _socket(lowering: Lowering, node: ast.AST, context: ContextValue, field: Field) -> Reference:
    target = Opaque(_SOCKETS.get(context.name, "bpf_sock"))
    type_ = Pointer(target, Space.SOCKET, field.nullable)
    value = lowering.emit(node, "context.load", (context.value,), type_, field=field.name)
    what = f"`{lowering.segment(node)}`"
    return Reference(
        target, Space.SOCKET, what, lowering.place(node), pointer=value, nullable=field.nullable
    )


def _unknown(
    lowering: Lowering, node: ast.Attribute, context: ContextValue, methods: dict[str, str]
) -> Exception:
    class_name = CONTEXTS[context.name].class_name
    known = [*CONTEXTS[context.name].fields, *methods]
    others = [
        other.class_name
        for other in CONTEXTS.values()
        if node.attr in other.fields or node.attr in method_names(other.name)
    ]
    own = _LENGTHS.get((context.name, node.attr))
    if own is not None:
        hint = f"did you mean `{own}`?"
    elif others:
        hint = f"{' and '.join(others)} {'has' if len(others) == 1 else 'have'} it"
    else:
        hint = suggestion(node.attr, known)
    return lowering.refuse(node, f"`{class_name}` has no `{node.attr}`", hint)


def _readable(lowering: Lowering, node: ast.AST, context: ContextValue, field: Field) -> None:
    class_name = CONTEXTS[context.name].class_name
    if field.role == "data_end":
        raise lowering.refuse(
            node, "the end of the packet is not read directly",
            "`data.view(T, offset)` tests it and gives None where the packet is too short",
        )  # fmt: skip
    if lowering.kind not in field.readers:
        raise lowering.refuse(
            node,
            f"a {lowering.kind} program may not read `{class_name}.{field.name}`",
            _kinds_hint("readable", field.readers),
        )
    if KERNELS.index(field.since) > KERNELS.index(lowering.scope.kernel):
        raise lowering.refuse(
            node,
            f"Linux {lowering.scope.kernel} does not have `{class_name}.{field.name}`",
            f"Linux {field.since} does",
        )


def _kinds_hint(what: str, kinds: tuple[str, ...]) -> str:
    return f"it is {what} in {', '.join(kinds)}" if kinds else f"no program kind here finds it {what}"


def _load(
    lowering: Lowering, node: ast.AST, context: ContextValue, field: Field, name: str, type_: Type
) -> Scalar:
    assert not isinstance(type_, Array)
    value = lowering.emit(node, "context.load", (context.value,), type_, field=name)
    if field.low is not None:
        # The number's low bits are a network-order number, whatever the host's byte order.
        bits = lowering.emit(node, "convert", (value,), Int(field.low.bits, signed=False))
        return Scalar(field.low, lowering.emit(node, "reinterpret", (bits,), field.low))
    high = FIELD_LIMITS.get(field.name)
    return Scalar(type_, value, low=0, high=high) if high else Scalar(type_, value)  # type: ignore[arg-type]


def array_element(
    lowering: Lowering, node: ast.Subscript, array: ContextArray, index_operand: Operand
) -> Scalar:
    """`context.remote_ip6[i]` with a constant index: the verifier knows no other."""
    field = CONTEXTS[array.context.name].fields[array.field]
    assert isinstance(field.type, Array)
    index = _constant_index(lowering, node, field, index_operand)
    return _load(lowering, node, array.context, field, f"{field.name}.{index}", field.type.element)


def store_array(
    lowering: Lowering, node: ast.AST, place: Reference, value_node: ast.AST, array: ContextArray
) -> None:
    """`key.address = skops.remote_ip6`: each element by itself. Raises Refused."""
    field = CONTEXTS[array.context.name].fields[array.field]
    assert isinstance(field.type, Array)
    if place.target != field.type:
        raise lowering.refuse(
            value_node, f"{with_article(place.target)} is needed here, but `{field.name}` is {type_name(field.type)}"
        )
    base = pointer(lowering, node, place)
    type_ = field.type.element
    for number in range(field.type.count):
        found = _load(lowering, value_node, array.context, field, f"{field.name}.{number}", type_)
        index = lowering.value(node, Scalar(U32, constant=number))
        address = lowering.emit(node, "element", (base, index), Pointer(type_, place.space))
        lowering.effect(node, "store", (address, lowering.value(value_node, found)))


def _constant_index(lowering: Lowering, node: ast.Subscript, field: Field, operand: Operand) -> int:
    assert isinstance(field.type, Array)
    index = checked_index(lowering, node.slice, operand, field.type.count, f"`{field.name}`")
    if index.only is None:
        raise lowering.refuse(
            node.slice, f"the index of `{field.name}` must be a constant",
            f"the kernel allows context fields only at fixed offsets: write the cases out, or loop over "
            f"`({', '.join(str(number) for number in range(field.type.count))})`",
        )  # fmt: skip
    return index.only


def store_field(
    lowering: Lowering,
    node: ast.Attribute | ast.Subscript,
    context: ContextValue,
    name: str,
    index_operand: Operand | None,
    value_node: ast.AST,
    value: Operand,
) -> None:
    """`context.name = value` or `context.name[i] = value`. Raises Refused."""
    table = CONTEXTS[context.name]
    field = table.fields.get(name)
    if field is None:
        assert isinstance(node, ast.Attribute)
        raise _unknown(lowering, node, context, {})
    if lowering.kind not in field.writers:
        others = [
            kind for kind in field.writers if PROGRAMS[kind].context == context.name
        ]  # fmt: skip
        raise lowering.refuse(
            node,
            f"a {lowering.kind} program may not write `{table.class_name}.{name}`",
            _kinds_hint("writable", tuple(others)),
        )
    type_: Type = field.type
    if isinstance(type_, Array):
        if index_operand is None or not isinstance(node, ast.Subscript):
            raise lowering.refuse(node, f"`{name}` is {type_name(type_)}", f"write `{name}[0] = ...`")
        name = f"{name}.{_constant_index(lowering, node, field, index_operand)}"
        type_ = type_.element
    number = convert(lowering, value_node, value, type_)  # type: ignore[arg-type]
    lowering.effect(
        node, "context.store", (context.value, lowering.value(value_node, number)), field=name
    )
