"""Tests of bytes against constant byte strings: `==`, `startswith`, `in`, compiled to few wide loads.

Bytes that the packet does not have equal nothing, as a slice of Python's that is cut short equals nothing.
Loads are compared as numbers in network order, so the IR is the same for machines of either byte order.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from skverdict.dsl.frontend.arguments import assign_arguments
from skverdict.dsl.frontend.byte_places import Found, as_window, content_of, reach
from skverdict.dsl.frontend.dispatch import evaluate
from skverdict.dsl.frontend.lowering import Label, Lowering
from skverdict.dsl.frontend.maybe_numbers import go_by_equality, go_by_none
from skverdict.dsl.frontend.values import (
    MaybeNumber,
    NoneValue,
    Operand,
    PacketByte,
    PythonValue,
    Scalar,
    Window,
    describe,
)
from skverdict.dsl.ir.module import Value
from skverdict.dsl.ir.types import BOOL, U8, U32, BigEndian, Int, Pointer, Space

# The widest load, in bytes.
WIDEST = 8

# The verifier follows every turn of a search, and gives up after a million instructions.
LONGEST_SEARCH = 4096


def compare_bytes(
    lowering: Lowering,
    node: ast.Compare,
    operation: ast.cmpop,
    nodes: tuple[ast.expr, ast.expr],
    left: Operand,
    right: Operand,
    yes: Label,
    no: Label,
) -> bool:
    """Go by a comparison that bytes, or numbers that may be None, take part in; False: it is one of numbers.

    Raises Refused.
    """
    if isinstance(operation, (ast.NotEq, ast.IsNot)):
        yes, no = no, yes
    if isinstance(operation, (ast.Is, ast.IsNot)):
        for (tested, operand), other in (((nodes[0], left), right), ((nodes[1], right), left)):
            if isinstance(operand, (PacketByte, MaybeNumber)) and isinstance(other, NoneValue):
                go_by_none(lowering, node, tested, operand, yes, no)
                return True
        return False
    if not isinstance(operation, (ast.Eq, ast.NotEq)):
        _refuse_order(lowering, node, nodes, left, right)
        return False
    for (one_node, one), (other_node, other) in (
        ((nodes[0], left), (nodes[1], right)),
        ((nodes[1], right), (nodes[0], left)),
    ):
        content = content_of(lowering, other_node, other)
        if content is not None:
            equals(lowering, node, (one_node, other_node), one, content, yes, no)
            return True
        if isinstance(one, (PacketByte, MaybeNumber)) and isinstance(
            other, (Scalar, PacketByte, MaybeNumber)
        ):
            go_by_equality(lowering, node, (one_node, other_node), one, other, yes, no)
            return True
    for one, (other_node, other) in ((left, (nodes[1], right)), (right, (nodes[0], left))):
        if isinstance(one, Window):
            raise no_content(lowering, other_node, other)
    return False


def _refuse_order(
    lowering: Lowering, node: ast.Compare, nodes: tuple[ast.expr, ast.expr], left: Operand, right: Operand
) -> None:
    for one_node, one in zip(nodes, (left, right), strict=True):
        if isinstance(one, (Window, PythonValue)):
            raise lowering.refuse(one_node, f"{describe(one)} has no order here", "compare with `==` or `!=`")


def equals(
    lowering: Lowering,
    node: ast.AST,
    nodes: tuple[ast.expr, ast.expr],
    operand: Operand,
    content: bytes,
    yes: Label,
    no: Label,
) -> None:
    """Go by whether a stretch of bytes is `content`. Raises Refused if it can never be."""
    window = _window(lowering, nodes[0], operand)
    _fits_equal(lowering, nodes, window, content)
    if window.length is not None:
        _go_by_length(lowering, node, "eq", window.length, len(content), no)
    begins(lowering, node, window, content, yes, no)


def _fits_equal(
    lowering: Lowering, nodes: tuple[ast.expr, ast.expr], window: Window, content: bytes
) -> None:
    """Raises Refused if a window, which the first node gave, can never be `content`."""
    size = window.size
    if size is None:
        raise lowering.refuse(
            nodes[0], "these bytes have no end to compare with",
            f"write `{lowering.segment(nodes[0])}.startswith({lowering.segment(nodes[1])})`",
        )  # fmt: skip
    if size < len(content) or (window.length is None and size != len(content)):
        more = ", or write `.startswith(...)`" if size > len(content) else ""
        raise lowering.refuse(
            nodes[1], f"{bytes_count(size)} never equal {bytes_count(len(content))}",
            f"take {bytes_count(len(content))}{more}",
        )  # fmt: skip


def bytes_count(count: int) -> str:
    """A number of bytes in words."""
    return "1 byte" if count == 1 else f"{count} bytes"


def _window(lowering: Lowering, node: ast.AST, operand: Operand) -> Window:
    window = as_window(lowering, node, operand)
    if window is None:
        hint = "compare it with a number" if isinstance(operand, (Scalar, PacketByte, MaybeNumber)) else ""
        raise lowering.refuse(node, f"{describe(operand)} is not compared with a byte string", hint)
    return window


def _go_by_length(
    lowering: Lowering, node: ast.AST, relation: str, length: Scalar, count: int, no: Label
) -> None:
    """Go on if `length relation count`, else to `no`."""
    fits = lowering.label(node, "fits")
    bound = lowering.value(node, Scalar(U32, constant=count))
    flag = lowering.emit(node, relation, (lowering.value(node, length), bound), BOOL)
    lowering.branch(node, flag, fits, no)
    lowering.enter(fits)


def begins(
    lowering: Lowering, node: ast.AST, window: Window, content: bytes, yes: Label, no: Label, known: int = 0
) -> None:
    """Go by whether `content` lies at the start of a window, which is not shorter than that.

    Where the first `known` bytes are there already, they are tested before the rest is looked for.
    """
    for start, stop in ((0, known), (known, len(content))):
        if start == stop:
            continue
        found = reach(lowering, node, window, 0, stop, no)
        last = stop == len(content)
        _test(lowering, node, found, _space(window), content, (start, stop), yes if last else None, no)


def begins_if_long_enough(
    lowering: Lowering, node: ast.AST, window: Window, content: bytes, yes: Label, no: Label
) -> None:
    """The same for a window whose length the program computes."""
    assert window.length is not None
    _go_by_length(lowering, node, "ge", window.length, len(content), no)
    begins(lowering, node, window, content, yes, no)


def _space(window: Window) -> Space:
    return window.source.space


def _test(
    lowering: Lowering,
    node: ast.AST,
    found: Found,
    space: Space,
    content: bytes,
    stretch: tuple[int, int],
    yes: Label | None,
    no: Label,
) -> None:
    """Compare a stretch of `content`, which lies at `found`; go on here if there is no `yes`."""
    parts = list(chunks(*stretch))
    for offset, width in parts:
        part = content[offset : offset + width]
        type_: Int | BigEndian = U8 if width == 1 else BigEndian(width * 8)
        address = lowering.emit(
            node, "part", (found.pointer,), Pointer(type_, space), offset=found.offset + offset
        )
        loaded = lowering.emit(node, "load", (address,), type_)
        wanted = lowering.value(node, Scalar(type_, constant=int.from_bytes(part, "big")))
        equal = lowering.emit(node, "eq", (loaded, wanted), BOOL)
        is_last = (offset, width) == parts[-1]
        following = yes if is_last and yes is not None else lowering.label(node, "same")
        lowering.branch(node, equal, following, no)
        if following is not yes:
            lowering.enter(following)


def chunks(start: int, stop: int) -> Iterator[tuple[int, int]]:
    """The fewest loads that cover `start` to `stop`: offset and width; a load may reach back to before it."""
    while start < stop:
        left = stop - start
        width = min(WIDEST, 1 << (left - 1).bit_length())
        if width > left:
            if stop - width >= 0:
                yield stop - width, width
                return
            width //= 2
        yield start, width
        start += width


# `startswith`.


def startswith(
    lowering: Lowering, node: ast.Call, receiver_node: ast.expr, receiver: Operand, yes: Label, no: Label
) -> None:
    """Go by `receiver.startswith(prefix)`; the prefix may be a tuple of some. Raises Refused."""
    given = assign_arguments(lowering, node, "`startswith`", ["prefix"])
    prefixes = contents(lowering, given["prefix"])
    window = _window(lowering, receiver_node, receiver)
    any_of(lowering, node, window, prefixes, yes, no)


def contents(lowering: Lowering, node: ast.expr) -> list[tuple[ast.expr, bytes]]:
    """A constant byte string, or a tuple of some. Raises Refused for anything else."""
    parts: Sequence[tuple[ast.expr, Operand]]
    if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
        parts = [(part, evaluate(lowering, part)) for part in node.elts]
    else:
        operand = evaluate(lowering, node)
        parts = [(node, operand)]
        if isinstance(operand, PythonValue) and isinstance(operand.object, (tuple, list, set, frozenset)):
            parts = [(node, PythonValue(operand.name, one)) for one in operand.object]
    found = []
    for part, operand in parts:
        content = content_of(lowering, part, operand)
        if content is None:
            raise no_content(lowering, part, operand)
        found.append((part, content))
    return found


def no_content(lowering: Lowering, node: ast.AST, operand: Operand) -> Exception:
    """The refusal of what is no constant byte string."""
    hint = 'such as `b"GET "`'
    if isinstance(operand, PythonValue) and isinstance(operand.object, str):
        hint = f"write `b{lowering.segment(node)}`"
    return lowering.refuse(
        node, f"bytes are compared with a constant byte string, but this is {describe(operand)}", hint
    )


def any_of(
    lowering: Lowering,
    node: ast.AST,
    window: Window,
    prefixes: Sequence[tuple[ast.expr, bytes]],
    yes: Label,
    no: Label,
) -> None:
    """Go to `yes` if a window begins with one of `prefixes`, none of which may be longer than the window."""
    for part, content in prefixes:
        if window.size is not None and window.size < len(content):
            held, wanted = bytes_count(window.size), bytes_count(len(content))
            raise lowering.refuse(part, f"{held} never begin with {wanted}", "take more bytes")
    if not prefixes:
        lowering.jump(node, no)
        return
    shortest = min(len(content) for _, content in prefixes)
    if window.length is None:
        # One check serves for all of them; what is shorter has none.
        reach(lowering, node, window, 0, shortest, no)
    for number, (part, content) in enumerate(prefixes):
        is_last = number == len(prefixes) - 1
        following = no if is_last else lowering.label(part, "or")
        if window.length is not None:
            begins_if_long_enough(lowering, part, window, content, yes, following)
        else:
            begins(lowering, part, window, content, yes, following, shortest)
        if not is_last:
            lowering.enter(following)


# `in`.


def is_one_of(
    lowering: Lowering, node: ast.expr, item_node: ast.expr, window: Window, yes: Label, no: Label
) -> None:
    """Go by whether a window equals one of the byte strings that `node` holds. Raises Refused."""
    choices = contents(lowering, node)
    if window.length is None:
        for part, content in choices:
            _fits_equal(lowering, (item_node, part), window, content)
        any_of(lowering, node, window, choices, yes, no)
        return
    for number, (part, content) in enumerate(choices):
        is_last = number == len(choices) - 1
        following = no if is_last else lowering.label(part, "or")
        equals(lowering, node, (item_node, part), window, content, yes, following)
        if not is_last:
            lowering.enter(following)


def contains_bytes(
    lowering: Lowering,
    node: ast.expr,
    container: Operand,
    item_node: ast.expr,
    item: Operand,
    yes: Label,
    no: Label,
) -> None:
    """Go by `content in window`: each position is tried, up to the end of the window or of the packet.

    Raises Refused.
    """
    content = content_of(lowering, item_node, item)
    if content is None:
        raise no_content(lowering, item_node, item)
    window = _window(lowering, node, container)
    if window.size is None:
        raise lowering.refuse(
            node, "a search needs an end", f"write `{lowering.segment(node)}[0:256]`, or another bound"
            if window.base == 0 and window.variable is None else "give the slice an end",
        )  # fmt: skip
    if window.size > LONGEST_SEARCH:
        raise lowering.refuse(
            node, f"a search through {window.size} bytes is more than the kernel's verifier follows",
            f"search at most {LONGEST_SEARCH}",
        )  # fmt: skip
    if window.size < len(content):
        held, wanted = bytes_count(window.size), bytes_count(len(content))
        raise lowering.refuse(item_node, f"{held} never hold {wanted}", "take more bytes")
    last = window.size - len(content)
    if last == 0 and window.length is None:
        begins(lowering, node, window, content, yes, no)
    else:
        _search(lowering, node, window, content, last, yes, no)


def _search(
    lowering: Lowering, node: ast.expr, window: Window, content: bytes, last: int, yes: Label, no: Label
) -> None:
    """A loop over positions 0 to `last` of the window."""
    position = lowering.new_local("position", U32)
    lowering.effect(node, "local.set", (_number(lowering, node, 0),), local=position)
    if window.length is not None:
        _go_by_length(lowering, node, "ge", window.length, len(content), no)
    head, again = lowering.label(node, "search"), lowering.label(node, "next")
    lowering.jump(node, head)
    lowering.enter(head)
    now = lowering.emit(node, "local.get", (), U32, local=position)
    variable = now
    if window.variable is not None:
        variable = lowering.emit(node, "add", (window.variable, now), U32)
    there = Window(
        window.source, window.origin, window.epoch,
        base=window.base, variable=variable, farthest=min(window.farthest + last, (1 << 32) - 1),
        size=len(content),
    )  # fmt: skip
    # A packet that ends here has no later positions either.
    reach(lowering, node, there, 0, len(content), no)
    begins(lowering, node, there, content, yes, again)
    lowering.enter(again)
    following = lowering.emit(node, "add", (now, _number(lowering, node, 1)), U32)
    lowering.effect(node, "local.set", (following,), local=position)
    more = lowering.emit(node, "le", (following, _number(lowering, node, last)), BOOL)
    if window.length is not None:
        # Both ends: the verifier may not see how large the one can get that the program computes.
        nearer = lowering.label(node, "nearer")
        lowering.branch(node, more, nearer, no)
        lowering.enter(nearer)
        size = _number(lowering, node, len(content))
        end = lowering.emit(node, "sub", (lowering.value(node, window.length), size), U32)
        more = lowering.emit(node, "le", (following, end), BOOL)
    lowering.branch(node, more, head, no)


def _number(lowering: Lowering, node: ast.AST, number: int) -> Value:
    return lowering.value(node, Scalar(U32, constant=number))
