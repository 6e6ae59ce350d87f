"""Messages of a stream (`@framed`): their fields, and their bytes, which lie in memory of the program's own."""

from __future__ import annotations

import ast

from skverdict.dsl.catalogue.helpers import Helper
from skverdict.dsl.contexts import MESSAGE_FIELDS
from skverdict.dsl.frontend.byte_places import Found
from skverdict.dsl.frontend.context_fields import context_attribute
from skverdict.dsl.frontend.convert import as_scalar, convert
from skverdict.dsl.frontend.dispatch import evaluate
from skverdict.dsl.frontend.lowering import Label, Lowering
from skverdict.dsl.frontend.refusal import suggestion
from skverdict.dsl.frontend.state import Readable
from skverdict.dsl.frontend.values import (
    ContextValue,
    Epoch,
    MessageBytes,
    MessageValue,
    Operand,
    Reference,
    Scalar,
    Window,
)
from skverdict.dsl.ir.module import Value
from skverdict.dsl.ir.types import BOOL, U8, U32, Array, Pointer, Type, size_of

# The longest message: its length is an i32 to the kernel's parser.
LONGEST = 0x7FFF_FFFF

# Helpers of these names work on the received buffer, which is not the message.
_BUFFER = ("bpf_skb_", "bpf_csum_", "bpf_tail_call", "bpf_dynptr_")


def make_message(lowering: Lowering, node: ast.Call) -> MessageValue:
    """`message(skb, content, known, length)`, as the programs of `skverdict.dsl.framing` write it."""
    context, content, known, length = (evaluate(lowering, argument) for argument in node.args)
    assert isinstance(context, ContextValue) and isinstance(content, Reference)
    assert isinstance(length, Scalar)
    look = lowering.frame.function.__globals__["LOOK"]
    epoch = Epoch(None, "", ("message", *lowering.point(node)))
    count = as_scalar(lowering, node.args[2], known).with_range(1, look)
    whole = None if length.constant == 0 else length.with_range(1, LONGEST)
    return MessageValue(context.value, MessageBytes(context, content, count, look, epoch), whole)


def message_attribute(lowering: Lowering, node: ast.Attribute, message: MessageValue) -> Operand:
    """`message.name`. Raises Refused."""
    if node.attr == "data":
        return message.data
    if node.attr == "length":
        if message.length is None:
            raise lowering.refuse(
                node, "the length is what this function is to tell",
                "compute it from `data`; `len(msg.data)` is how many bytes of it there are so far",
            )  # fmt: skip
        return message.length
    if node.attr in MESSAGE_FIELDS:
        return context_attribute(lowering, node, message.data.context)
    hints = {"len": "the message's length is `length`", "size": "the message's length is `length`"}
    hint = hints.get(node.attr) or suggestion(node.attr, ("data", "length", *MESSAGE_FIELDS))
    raise lowering.refuse(node, f"`Message` has no `{node.attr}`", hint)


def check_helper(lowering: Lowering, node: ast.AST, helper: Helper) -> None:
    """Raises Refused for a helper that would work on the received buffer."""
    if helper.moves_buffer or helper.name.startswith(_BUFFER):
        raise lowering.refuse(
            node, f"`{helper.name}` works on what was received, of which the message is only a part",
            "read the message's bytes in `msg.data`",
        )  # fmt: skip


# Its bytes.


def message_view(
    lowering: Lowering,
    node: ast.Call,
    data: MessageBytes,
    target: Type,
    offset_node: ast.expr,
    offset: Scalar,
) -> Reference:
    """`message.data.view(T, offset)`. Raises Refused if it can never be there."""
    variable = None
    if offset.constant is None:
        variable = lowering.value(offset_node, convert(lowering, offset_node, offset, U32))
    there, address = _place(lowering, node, data, target, offset.constant or 0, variable)
    type_ = Pointer(target, data.space, nullable=True)
    view = lowering.emit(node, "or_null", (there, address), type_)
    what = "this view of the message"
    return Reference(
        target, data.space, what, lowering.place(node),
        pointer=view, root=data.content.root, nullable=True, read_only="it is a copy of what was received",
    )  # fmt: skip


def message_reach(
    lowering: Lowering,
    node: ast.AST,
    window: Window,
    data: MessageBytes,
    start: int,
    stop: int,
    no: Label,
) -> Found:
    """As `byte_places.reach`, for the bytes of a message. Raises Refused if they can never be there."""
    base = window.base + start
    for known in lowering.here.readable:
        if (
            known.epoch == data.epoch
            and known.variable == window.variable
            and known.base <= base
            and window.base + stop <= known.base + known.size
        ):
            return Found(known.pointer, base - known.base)
    size = stop - start
    there, address = _place(lowering, node, data, Array(U8, size), base, window.variable)
    yes = lowering.label(node, "there")
    lowering.branch(node, there, yes, no)
    lowering.enter(yes)
    here = lowering.here
    here.readable = (*here.readable, Readable(address, base, window.variable, size, data.epoch))
    return Found(address, 0)


def _place(
    lowering: Lowering,
    node: ast.AST,
    data: MessageBytes,
    target: Type,
    base: int,
    variable: Value | None,
) -> tuple[Value, Value]:
    """Whether a `target` at an offset is there, and its address if so. Raises Refused if it never is."""
    end = base + size_of(target)
    if end > data.look:
        raise lowering.refuse(
            node, f"only the first {data.look} bytes of a message are looked at, and this ends at {end}",
            f"write `@framed(..., look={end})`",
        )  # fmt: skip
    known = lowering.value(node, data.known)
    last = lowering.value(node, Scalar(U32, constant=end))
    content = data.content
    from skverdict.dsl.frontend.memory import pointer

    whole = pointer(lowering, node, content)
    type_ = Pointer(target, content.space)
    if variable is None:
        there = lowering.emit(node, "ge", (known, last), BOOL)
        return there, lowering.emit(node, "part", (whole,), type_, offset=base)
    most = lowering.value(node, Scalar(U32, constant=data.look - end))
    near = lowering.emit(node, "le", (variable, most), BOOL)
    inside = lowering.emit(node, "le", (lowering.emit(node, "add", (variable, last), U32), known), BOOL)
    never = lowering.value(node, Scalar(BOOL, constant=0))
    there = lowering.emit(node, "select", (near, inside, never), BOOL)
    return there, lowering.emit(node, "part", (whole, variable), type_, offset=base)
