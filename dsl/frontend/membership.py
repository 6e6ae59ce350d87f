"""`in`: one of several numbers, a range, or a key of a map."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from skverdict.dsl.frontend.compare import compare, go
from skverdict.dsl.frontend.convert import as_scalar
from skverdict.dsl.frontend.dispatch import evaluate
from skverdict.dsl.frontend.lowering import Label, Lowering
from skverdict.dsl.frontend.maps import has_key
from skverdict.dsl.frontend.narrowing import OPPOSITE, compared
from skverdict.dsl.frontend.python_values import operand_of
from skverdict.dsl.frontend.values import (
    MapValue,
    MaybeNumber,
    Operand,
    PacketByte,
    PacketValue,
    PythonValue,
    Reference,
    Scalar,
    Window,
    constant,
    describe,
)
from skverdict.dsl.ir.types import Array


def contains(
    lowering: Lowering, node: ast.expr, item_node: ast.expr, item: Operand, yes: Label, no: Label
) -> None:
    """Go to `yes` if `item` is in what `node` says. Raises Refused."""
    if isinstance(item, Window):
        from skverdict.dsl.frontend.byte_tests import is_one_of

        is_one_of(lowering, node, item_node, item, yes, no)
        return
    if isinstance(item, (PacketByte, MaybeNumber)):
        from skverdict.dsl.frontend.maybe_numbers import some_number

        item = some_number(lowering, item_node, item, no)
    if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
        choices = [(choice, evaluate(lowering, choice)) for choice in node.elts]
        _one_of(lowering, node, item_node, item, choices, yes, no)
        return
    interval = _range_call(lowering, node)
    container = interval or evaluate(lowering, node)
    if isinstance(container, MapValue):
        has_key(lowering, node, container, item_node, item, yes, no)
    elif _holds_bytes(container):
        from skverdict.dsl.frontend.byte_tests import contains_bytes

        contains_bytes(lowering, node, container, item_node, item, yes, no)
    elif isinstance(container, PythonValue) and isinstance(container.object, range):
        _in_range(lowering, node, item_node, item, container.object, yes, no)
    elif isinstance(container, PythonValue) and isinstance(container.object, (tuple, list, set, frozenset, dict)):
        choices = [(node, operand_of(lowering.scope, container.name, one)) for one in container.object]
        _one_of(lowering, node, item_node, item, choices, yes, no)
    else:
        raise lowering.refuse(
            node,
            f"`in` needs a tuple, a range or a map, but this is {describe(container)}",
            "write `x in (1, 2)`, `x in range(8)` or `key in some_map`",
        )


def _holds_bytes(container: Operand) -> bool:
    """True for a stretch of the packet or of an array."""
    is_array = isinstance(container, Reference) and isinstance(container.target, Array)
    return is_array or isinstance(container, (Window, PacketValue))


def _range_call(lowering: Lowering, node: ast.expr) -> PythonValue | None:
    """`range(...)` of constants."""
    if not isinstance(node, ast.Call) or node.keywords or not node.args:
        return None
    function = evaluate(lowering, node.func)
    if not isinstance(function, PythonValue) or function.object is not range:
        return None
    numbers = []
    for argument in node.args:
        number = as_scalar(lowering, argument, evaluate(lowering, argument))
        if number.constant is None:
            raise lowering.refuse(
                argument, "a range after `in` needs constant bounds", "compare: `a <= x < b`"
            )
        numbers.append(number.constant)
    try:
        return PythonValue("range", range(*numbers))
    except (TypeError, ValueError) as error:
        raise lowering.refuse(node, str(error)) from None


def _one_of(
    lowering: Lowering,
    node: ast.expr,
    item_node: ast.expr,
    item: Operand,
    choices: Sequence[tuple[ast.expr, Operand]],
    yes: Label,
    no: Label,
) -> None:
    first = as_scalar(lowering, item_node, item)
    if not choices:
        lowering.jump(node, no)
        return
    for number, (choice_node, choice) in enumerate(choices):
        last = number == len(choices) - 1
        second = as_scalar(lowering, choice_node, choice)
        flag = compare(lowering, choice_node, "eq", (item_node, choice_node), first, second)
        following = no if last else lowering.label(choice_node, "or")
        if flag.constant is not None:
            go(lowering, choice_node, flag, yes, following)
        else:
            there = compared(lowering.here, item_node, "eq", second)
            lowering.branch(choice_node, lowering.value(choice_node, flag), yes, following, yes_state=there)
        if not last and not lowering.enter(following):
            return


def _in_range(
    lowering: Lowering,
    node: ast.expr,
    item_node: ast.expr,
    item: Operand,
    interval: range,
    yes: Label,
    no: Label,
) -> None:
    if interval.step != 1:
        raise lowering.refuse(node, "a range after `in` cannot have a step", "compare: `a <= x < b`")
    if not interval:
        lowering.jump(node, no)
        return
    number = as_scalar(lowering, item_node, item)
    for relation, bound in (("ge", interval.start), ("le", interval.stop - 1)):
        last = relation == "le"
        following = yes if last else lowering.label(node, "and")
        limit = constant(bound)
        if _known(relation, number, bound):
            lowering.jump(node, following)
        else:
            flag = compare(lowering, node, relation, (item_node, node), number, limit)
            if flag.constant is not None:
                go(lowering, node, flag, following, no)
            else:
                here = lowering.here
                inside = compared(here, item_node, relation, limit)
                outside = compared(here, item_node, OPPOSITE[relation], limit)
                lowering.branch(node, lowering.value(node, flag), following, no, inside, outside)
        if not last and not lowering.enter(following):
            return


def _known(relation: str, number: Scalar, bound: int) -> bool:
    """True if the range of a number already decides for it."""
    if number.constant is not None:
        return False
    return number.low >= bound if relation == "ge" else number.high <= bound
