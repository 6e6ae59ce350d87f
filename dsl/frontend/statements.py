"""Statements, but for loops: assignment, `if`, `return`, calls for their effect."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from skverdict.dsl.catalogue.programs import PROGRAMS
from skverdict.dsl.frontend.annotations import Annotation, read_annotation
from skverdict.dsl.frontend.assigned import RESULT, assigned_names
from skverdict.dsl.frontend.conditions import decide
from skverdict.dsl.frontend.convert import convert, warn_of_length
from skverdict.dsl.frontend.dispatch import evaluate, execute, statement
from skverdict.dsl.frontend.lowering import Label, Lowering
from skverdict.dsl.frontend.memory import pointer, raw_pointer
from skverdict.dsl.frontend.names import assign, assign_maybe
from skverdict.dsl.frontend.operators import binary
from skverdict.dsl.frontend.refusal import Refused
from skverdict.dsl.frontend.state import BROKEN, Slot
from skverdict.dsl.frontend.targets import ROWS, pairs, target_of
from skverdict.dsl.frontend.values import (
    MaybeNumber,
    NoneValue,
    Operand,
    PacketByte,
    PythonValue,
    Reference,
    Scalar,
    ScalarType,
    describe,
    with_article,
)
from skverdict.dsl.ir.types import BOOL, Pointer

# What a verdict means as the answer of a parser.
_VERDICTS = {"SK_PASS": "a message of 1 byte", "SK_DROP": "a call for more bytes"}


def body(lowering: Lowering, statements: Sequence[ast.stmt]) -> None:
    """Lower statements up to the first that is not reached. Mistakes are reported, each statement's own."""
    for node in statements:
        if lowering.state is None:
            return
        try:
            execute(lowering, node)
        except Refused as refused:
            lowering.report(refused)
            _recover(lowering, node)
        except RecursionError:
            lowering.report(lowering.refuse(node, "this statement is nested too deeply"))
            _recover(lowering, node)
        except Exception as error:
            # A user whose policy meets a mistake of ours needs the place, too.
            what = f"{type(error).__name__}: {error}".rstrip(": ")
            lowering.report(lowering.refuse(node, f"skverdict itself failed on this statement ({what})"))
            _recover(lowering, node)


def _recover(lowering: Lowering, node: ast.stmt) -> None:
    """Go on after a statement with a mistake; what it would have done counts as an error already told."""
    if isinstance(node, (ast.Return, ast.Raise)):
        lowering.state = None
    elif lowering.state is not None:
        _let_go(lowering, node)
        for name in assigned_names([node], lowering.frame.source.has_walrus):
            lowering.bind(name, BROKEN)
        if any(isinstance(part, ast.Return) for part in ast.walk(node)):
            lowering.frame.may_return = True


def _let_go(lowering: Lowering, node: ast.AST) -> None:
    """Take what the names in a piece of code hold for given back, which it may have been meant to do."""
    for part in ast.walk(node):
        binding = lowering.here.names.get(part.id) if isinstance(part, ast.Name) else None
        shape = binding.shape if isinstance(binding, Slot) else binding
        if isinstance(shape, Reference) and shape.lease is not None:
            lowering.here.leases.pop(shape.lease, None)


def no_return(lowering: Lowering, definition: ast.FunctionDef | ast.AsyncFunctionDef) -> Refused:
    """The refusal of a function that can reach its end without a value.

    It is silent where a statement with a mistake in it might have returned.
    """
    if lowering.frame.may_return:
        return Refused(None)
    last: ast.stmt = definition.body[-1]
    return lowering.refuse(
        definition,
        f"`{definition.name}` can end without a return value",
        "return a value on every path",
        [(lowering.place(last), "the end is reached after this")],
    )


@statement(ast.Pass)
def do_nothing(lowering: Lowering, node: ast.Pass) -> None:
    """`pass`, which is a place all the same: coverage asks whether it was reached."""
    here = lowering.label(node, "pass")
    lowering.jump(node, here)
    lowering.enter(here)


@statement(ast.Expr)
def expression_statement(lowering: Lowering, node: ast.Expr) -> None:
    value = node.value
    if isinstance(value, ast.Constant) and (isinstance(value.value, str) or value.value is ...):
        return
    lowering.discarded = value
    evaluate(lowering, value)
    if not isinstance(value, (ast.Call, ast.NamedExpr)):
        raise lowering.refuse(value, "this statement has no effect", "assign the value, or remove the line")


@statement(ast.Assign)
def assignment(lowering: Lowering, node: ast.Assign) -> None:
    if len(node.targets) == 1 and isinstance(node.targets[0], ROWS) and isinstance(node.value, ROWS):
        _assign_together(lowering, node)
        return
    value = _named_value(lowering, node.targets[0], node.value, None)
    for target in node.targets:
        target_of(lowering, target).put(node.value, value)
        if isinstance(value, Reference):
            value = value.altered(fresh=False)


def _assign_together(lowering: Lowering, node: ast.Assign) -> None:
    """`a, b = x, y`: all the values are computed before the first of them is assigned, as in Python."""
    paired = list(pairs(lowering, node.targets[0], node.value))
    values = [_named_value(lowering, target, value, None) for target, value in paired]
    for (target, value_node), value in zip(paired, values, strict=True):
        target_of(lowering, target).put(value_node, value)


def _named_value(
    lowering: Lowering, target: ast.expr, node: ast.expr, annotation: ast.expr | None
) -> Operand:
    """The value of an assignment; a structure that is made for a name takes that name in the IR."""
    if isinstance(target, ast.Name) and isinstance(node, ast.Call):
        lowering.name_hint = target.id
    try:
        return evaluate(lowering, node)
    finally:
        lowering.name_hint = None


@statement(ast.AnnAssign)
def annotated_assignment(lowering: Lowering, node: ast.AnnAssign) -> None:
    frame = lowering.frame
    if not isinstance(node.target, ast.Name):
        raise lowering.refuse(node.target, "only a name can be declared with a type", "remove the annotation")
    name = node.target.id
    annotation = read_annotation(lowering.scope, frame.source, frame.function, node.annotation)
    if annotation.type is None or annotation.nothing:
        raise lowering.refuse(node.annotation, "a variable cannot have this type")
    earlier = frame.declared.get(name)
    slot = frame.locals.get(name)
    if earlier is None and slot is not None:
        earlier = slot.type
    if earlier is not None and earlier != annotation.type:
        raise lowering.refuse(
            node.target, f"`{name}` is already {with_article(earlier)}", "use another name for another type"
        )
    frame.declared[name] = annotation.type
    if node.value is not None:
        value = _named_value(lowering, node.target, node.value, node.annotation)
        if annotation.optional and isinstance(value, (PacketByte, MaybeNumber, NoneValue)):
            _declare_maybe(lowering, node, name, node.value, value, annotation)
        else:
            assign(lowering, node, name, node.value, value)


def _declare_maybe(
    lowering: Lowering,
    node: ast.AnnAssign,
    name: str,
    value_node: ast.expr,
    value: Operand,
    annotation: Annotation,
) -> None:
    """`name: u8 | None = value`."""
    from skverdict.dsl.frontend.maybe_numbers import holdable

    type_ = holdable(lowering, node.annotation, annotation)
    del lowering.frame.declared[name]
    assign_maybe(lowering, node, name, value_node, value, type_)


@statement(ast.AugAssign)
def augmented_assignment(lowering: Lowering, node: ast.AugAssign) -> None:
    """The target's parts are evaluated once, then its old value, then the other operand, as in Python."""
    target = target_of(lowering, node.target)
    old = target.get()
    right = evaluate(lowering, node.value)
    value = binary(lowering, node, node.op, (node.target, node.value), old, right)
    target.put(node, value)


@statement(ast.If)
def if_statement(lowering: Lowering, node: ast.If) -> None:
    """All of a chain of `elif` meets in one place."""
    end = lowering.label(node, "end")
    while True:
        then, otherwise = lowering.label(node, "then"), lowering.label(node, "else")
        _decide_or_both(lowering, node.test, then, otherwise)
        if lowering.enter(then):
            _block(lowering, node, node.body, end, f"when the test on line {node.test.lineno} is true")
        if not lowering.enter(otherwise):
            break
        if len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If):
            node = node.orelse[0]
            continue
        _block(lowering, node, node.orelse, end, f"when the test on line {node.test.lineno} is false")
        break
    lowering.enter(end)


def _block(lowering: Lowering, node: ast.If, statements: Sequence[ast.stmt], end: Label, why: str) -> None:
    body(lowering, statements)
    if lowering.state is not None:
        lowering.jump(node.test, end, why)


def _decide_or_both(lowering: Lowering, test: ast.expr, yes: Label, no: Label) -> None:
    """Branch on a test; after a mistake in it both ways are looked at for more."""
    state = lowering.here.copy()
    try:
        decide(lowering, test, yes, no)
    except Refused as refused:
        lowering.report(refused)
        for label in (yes, no):
            lowering.state = state.copy()
            _let_go(lowering, test)
            for name in _tested_names(lowering, test):
                lowering.bind(name, BROKEN)
            lowering.jump(test, label)


def _tested_names(lowering: Lowering, test: ast.expr) -> set[str]:
    """Names about which a test with a mistake in it would have told something."""
    names = assigned_names([test], lowering.frame.source.has_walrus)
    for part in ast.walk(test):
        if isinstance(part, ast.Name):
            binding = lowering.here.names.get(part.id)
            shape = binding.shape if isinstance(binding, Slot) else binding
            if isinstance(shape, (Reference, MaybeNumber)):
                names.add(part.id)
    return names


@statement(ast.Return)
def return_statement(lowering: Lowering, node: ast.Return) -> None:
    frame = lowering.frame
    lowering.exits += 1
    if frame.end is None:
        _return_for_good(lowering, node)
        return
    returns = frame.returns
    value = NoneValue() if node.value is None else evaluate(lowering, node.value)
    if returns.nothing:
        if not isinstance(value, NoneValue):
            raise _nothing_wanted(lowering, node, value)
        lowering.bind(RESULT, value)
    elif frame.gives_none and is_none(node):
        # What the null pointer points to is known when all that the function gives back is.
        frame.nothing = frame.nothing or lowering.label(frame.node, f"{frame.node.name}.nothing")
        unlock(lowering, node, 0)
        lowering.jump(node, frame.nothing, f"when line {node.lineno} returns")
        return
    else:
        _bind_result(lowering, node, value)
    unlock(lowering, node, 0)
    lowering.jump(node, frame.end, f"when line {node.lineno} returns")


def _bind_result(lowering: Lowering, node: ast.Return, value: Operand) -> None:
    frame, returns = lowering.frame, lowering.frame.returns
    where = node.value or node
    if returns.optional and returns.is_scalar and not isinstance(value, Reference):
        from skverdict.dsl.frontend.maybe_numbers import holdable

        type_ = holdable(lowering, frame.node.returns or frame.node, returns)
        assign_maybe(lowering, node, RESULT, where, value, type_)
        return
    if isinstance(value, NoneValue):
        message = f"`{frame.node.name}` must return {with_article(returns.text)}"
        raise lowering.refuse(where, message)
    if returns.is_scalar and not returns.optional:
        assign(lowering, node, RESULT, where, convert(lowering, where, value, returns.scalar))
        return
    if isinstance(value, PythonValue) or (isinstance(value, Reference) and value.target != returns.type):
        raise lowering.refuse(
            where, f"`{frame.node.name}` must return {with_article(returns.text)}, not {describe(value)}"
        )
    if isinstance(value, Reference) and value.nullable and not returns.optional:
        raise lowering.refuse(
            where, f"{value.what} may be None, but `{frame.node.name}` returns {with_article(returns.text)}",
            f"test it first, or declare `-> {returns.text} | None`",
        )  # fmt: skip
    if isinstance(value, Reference) and value.local in frame.owned and frame.assigned[RESULT] > 1:
        value = _moved_result(lowering, node, value)
    if isinstance(value, Reference) and frame.gives_none and value.lease is None:
        _keep_result(lowering, node, value)
        return
    assign(lowering, node, RESULT, where, value)


def is_none(node: ast.AST) -> bool:
    """True for `return None`."""
    return isinstance(node, ast.Return) and isinstance(node.value, ast.Constant) and node.value.value is None


def _keep_result(lowering: Lowering, node: ast.Return, value: Reference) -> None:
    """A place as the result of a function that may give None by itself: its address goes into a variable."""
    frame = lowering.frame
    address = raw_pointer(lowering, node, value)
    assert isinstance(address.type, Pointer)
    if not address.type.nullable:
        true = lowering.value(node, Scalar(BOOL, constant=1))
        address = lowering.emit(node, "or_null", (true, address), address.type._replace(nullable=True))
    local = frame.locals.get(RESULT)
    if local is None or local.type != address.type:
        local = lowering.local(RESULT, address.type)
    frame.shape = value.shape()
    lowering.effect(node, "local.set", (address,), local=local.name)
    lowering.bind(RESULT, Slot(local, frame.shape))


def give_nothing(lowering: Lowering, definition: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    """What each `return None` of an expanded function leads to, now that its other results are known.

    Raises Refused if there is none that None could stand beside.
    """
    frame = lowering.frame
    if frame.nothing is None or not lowering.enter(frame.nothing):
        return
    local, end = frame.locals.get(RESULT), frame.end
    if local is None or frame.shape is None:
        if lowering.failures:
            raise Refused(None)
        raise lowering.refuse(
            definition,
            f"`{definition.name}` has no place to return that None could stand beside",
            "return one on another path, such as `skb.data.view(T, 0)`",
        )
    assert end is not None
    null = lowering.emit(definition, "null", (), local.type)
    lowering.effect(definition, "local.set", (null,), local=local.name)
    epoch = frame.shape.epoch and lowering.here.epoch
    lowering.bind(RESULT, Slot(local, frame.shape.altered(nullable=True, epoch=epoch)))
    lowering.jump(definition, end, "when it returns None")


def _moved_result(lowering: Lowering, node: ast.Return, value: Reference) -> Reference:
    """A structure of this function's own, in the one place where all its returns put theirs.

    Nobody can tell: every other name for it ends here.
    """
    frame = lowering.frame
    if frame.result is None:
        frame.result = lowering.new_local(f"{frame.node.name}.result", value.target)
    result = Reference(value.target, value.space, value.what, value.origin, local=frame.result, fresh=True)
    lowering.effect(node, "copy", (pointer(lowering, node, result), pointer(lowering, node, value)))
    return result


def _return_for_good(lowering: Lowering, node: ast.Return) -> None:
    """Leave a program, or a subprogram."""
    name, result = lowering.frame.node.name, lowering.function.result
    if not isinstance(result, ScalarType):
        value = NoneValue() if node.value is None else evaluate(lowering, node.value)
        if not isinstance(value, NoneValue):
            raise _nothing_wanted(lowering, node, value)
        check_end(lowering, node)
        lowering.leave(node, ())
        return
    if node.value is None:
        if lowering.function.kind in PROGRAMS:
            raise lowering.refuse(node, "a program returns a number", "such as `return SK_PASS`")
        raise lowering.refuse(node, f"`{name}` must return {with_article(result)}")
    found = evaluate(lowering, node.value)
    if lowering.frame.gives_length:
        warn_of_length(lowering, found)
    number = convert(lowering, node.value, found, result)
    _warn_of_verdict(lowering, node.value)
    low, high = lowering.returned or (number.low, number.high)
    lowering.returned = (min(low, number.low), max(high, number.high))
    result_value = lowering.value(node.value, number)
    check_end(lowering, node)
    lowering.leave(node, (result_value,))


def unlock(lowering: Lowering, node: ast.AST, depth: int) -> None:
    """Leave all but the outermost `depth` of the `with` blocks around a statement."""
    if len(lowering.frame.locks) > depth:
        from skverdict.dsl.frontend.locking import unlock_down_to

        unlock_down_to(lowering, node, lowering.frame, depth)


def check_end(lowering: Lowering, node: ast.AST) -> None:
    """Raises Refused if the function returns with something that it must give back."""
    unlock(lowering, node, 0)
    if lowering.here.leases:
        from skverdict.dsl.frontend.leases import check_none_held

        check_none_held(lowering, node, "returns here")


def _nothing_wanted(lowering: Lowering, node: ast.Return, value: Operand) -> Refused:
    name = lowering.frame.node.name
    return lowering.refuse(
        node.value or node, f"`{name}` gives nothing back, but this is {describe(value)}",
        f"declare what it gives: `def {name}(...) -> u32:`",
    )  # fmt: skip


def _warn_of_verdict(lowering: Lowering, node: ast.expr) -> None:
    """A parser's answer is a length: SK_PASS would be a message of one byte, SK_DROP a wait for more."""
    if lowering.function.kind == "stream_parser" and isinstance(node, ast.Name) and node.id in _VERDICTS:
        lowering.scope.reporter.warning(
            lowering.place(node),
            f"a parser returns the length of a message, not a verdict: `{node.id}` is {_VERDICTS[node.id]}",
            "return the number of bytes, such as `skb.len`",
        )
