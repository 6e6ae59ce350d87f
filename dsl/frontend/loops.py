"""Loops: `while`, `for ... in range(...)`, `break`, `continue`, and `else`."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from skverdict.dsl.frontend.assigned import assigned_names, direction_of
from skverdict.dsl.frontend.compare import compare
from skverdict.dsl.frontend.conditions import decide
from skverdict.dsl.frontend.convert import as_scalar, convert, fits
from skverdict.dsl.frontend.dispatch import evaluate, statement
from skverdict.dsl.frontend.lowering import Label, Loop, Lowering
from skverdict.dsl.frontend.names import assign
from skverdict.dsl.frontend.refusal import Refused
from skverdict.dsl.frontend.state import Edge, Missing, Slot, State, mended, merge, same_state, tightened
from skverdict.dsl.frontend.statements import body, unlock
from skverdict.dsl.frontend.values import (
    MapValue,
    MaybeNumber,
    PacketValue,
    PythonValue,
    Reference,
    Scalar,
    Window,
    constant,
    describe,
    limits,
)
from skverdict.dsl.ir.types import BOOL, I64, U64, Array, BigEndian, Bool, Int

# The verifier gives up on a program after walking this many instructions, and a turn takes at least one
# (BPF_COMPLEXITY_LIMIT_INSNS in include/linux/bpf_verifier.h).
MOST_TURNS = 1_000_000


def _until_stable(
    lowering: Lowering,
    node: ast.While | ast.For,
    head: Callable[[], Label],
    turn: Callable[[Label], Sequence[Edge]],
) -> None:
    """Lower a loop for a state at its head that holds at every turn.

    `head` makes the label of the head, with the edge that enters the loop; `turn` enters it, lowers a turn
    and gives the edges that lead back. What a turn changes must be forgotten at the head, so the loop is
    lowered again until nothing new is found; what is forgotten only grows, so this ends. The ranges that are
    found in the end may be tighter than those that were assumed; if they hold as well, they stay. What a turn
    breaks is as it was at the head of the next, which so finds the same mistakes.
    """
    before = lowering.here.copy()
    assumed = _without_ranges(lowering, node)
    proven: State | None = None
    mark = lowering.mark()
    while True:
        label = head()
        label.edges[0].state = assumed
        found = turn(label)
        if not found:
            return
        met = mended(merge([label.edges[0], *found], label.epoch), assumed)
        stable = same_state(assumed, met)
        tighter: State | None = None
        if stable and proven is None:
            true = merge([Edge(before, None, ""), *found], label.epoch)
            tighter = tightened(assumed, true)
        if tighter is not None:
            proven, assumed = assumed, tighter
            lowering.take_back(mark)
        elif stable:
            return
        elif proven is not None and assumed is not proven:
            # What was found to be tighter does not hold: the wider ranges do.
            assumed = proven
            lowering.take_back(mark)
        else:
            assumed = met
        lowering.undo(mark)
        lowering.state = before.copy()


def _without_ranges(lowering: Lowering, node: ast.While | ast.For) -> State:
    """The state now, but numbers that a loop assigns may be anything of their type; one that only grows begins
    at what it is now, if it does not wrap, and one that only shrinks ends there.
    """
    state = lowering.here.copy()
    for name in assigned_names([node], lowering.frame.source.has_walrus):
        binding = state.names.get(name)
        if isinstance(binding, Slot) and isinstance(binding.shape, Scalar):
            shape = binding.shape
            assert shape.type is not None
            low, high = limits(shape.type)
            direction = direction_of(node, name)
            if direction is not None:
                low, high = (shape.low, high) if direction > 0 else (low, shape.high)
            state.names[name] = binding.reshaped(shape.with_range(low, high))
        elif isinstance(binding, Slot) and isinstance(binding.shape, MaybeNumber):
            state.names[name] = binding.reshaped(binding.shape.altered(within=limits(binding.shape.type)))
    return state


def body_of_loop(lowering: Lowering, loop: Loop, statements: Sequence[ast.stmt]) -> None:
    """The statements of a loop, in which `break` and `continue` belong to `loop`."""
    lowering.spend(
        statements[0], "loops inside loops are looked at again and again", "put the inner ones into a @subprogram"
    )
    outer = lowering.frame.loop
    loop.locks = len(lowering.frame.locks)
    lowering.frame.loop = loop
    try:
        body(lowering, statements)
    finally:
        lowering.frame.loop = outer


@statement(ast.While)
def while_loop(lowering: Lowering, node: ast.While) -> None:
    failures, exits = lowering.failures, lowering.exits
    here = lowering.here
    repeats = False
    end = lowering.label(node, "end")

    def head() -> Label:
        label = lowering.label(node, "while")
        lowering.jump(node, label)
        return label

    def turn(label: Label) -> Sequence[Edge]:
        nonlocal here, repeats
        end.edges.clear()
        lowering.enter(label)
        here = lowering.here.copy()
        inside, done = lowering.label(node, "do"), lowering.label(node, "done")
        try:
            decide(lowering, node.test, inside, done)
        except Refused as refused:
            lowering.report(refused)
            lowering.state = label.edges[0].state.copy()
            lowering.jump(node.test, done)
            lowering.state = label.edges[0].state.copy()
            lowering.jump(node.test, inside)
        entered = len(label.edges)
        if lowering.enter(inside):
            body_of_loop(lowering, Loop(label, end), node.body)
            if lowering.state is not None:
                lowering.jump(node, label)
        _otherwise(lowering, node, done, end)
        repeats = len(label.edges) > entered
        return label.edges[entered:]

    _until_stable(lowering, node, head, turn)
    lowering.enter(end)
    # A turn that always leaves is the only one, whatever the loop tests.
    if lowering.failures == failures and repeats:
        from skverdict.dsl.frontend.endless import check_ends

        check_ends(lowering, node, here, bool(end.edges), lowering.exits > exits)


@statement(ast.For)
def for_loop(lowering: Lowering, node: ast.For) -> None:
    if not _is_range(lowering, node.iter):
        from skverdict.dsl.frontend.unrolled import elements_of, unrolled

        elements = elements_of(lowering, node.iter)
        if elements is not None:
            unrolled(lowering, node, elements)
            return
    start, stop, step = _range_of(lowering, node)
    if not isinstance(node.target, ast.Name):
        raise lowering.refuse(node.target, "a range counts in one name", "write `for i in range(n):`")
    if start.constant is not None and stop.constant is not None:
        _counted(lowering, node, range(start.constant, stop.constant, step))
    else:
        _bounded(lowering, node, start, stop, step)


def _is_range(lowering: Lowering, node: ast.expr) -> bool:
    """True for `range(...)`, without a look at its numbers."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        return False
    function = evaluate(lowering, node.func)
    return isinstance(function, PythonValue) and function.object is range


def _range_of(lowering: Lowering, node: ast.For) -> tuple[Scalar, Scalar, int]:
    """Start, stop and step of the loop's range. Raises Refused."""
    call = node.iter
    hint = "write `for i in range(n):` or `for x in (1, 2):`"
    if not isinstance(call, ast.Call):
        is_place = isinstance(call, (ast.Name, ast.Attribute, ast.Subscript))
        operand = evaluate(lowering, call) if is_place else None
        if isinstance(operand, PythonValue) and isinstance(operand.object, range):
            numbers = operand.object
            return constant(numbers.start), constant(numbers.stop), numbers.step
        what = f", not over {describe(operand)}" if operand is not None else ""
        if isinstance(operand, MapValue):
            hint = f"write `{lowering.segment(call)}.for_each(function)`"
        elif isinstance(operand, (PacketValue, Window)):
            hint = "write `for i in range(16):` and `byte = skb.data[i]`, which is None behind the packet's end"
        elif isinstance(operand, Reference) and isinstance(operand.target, Array):
            text = lowering.segment(call)
            hint = f"write `for i in range(len({text})):` and take `{text}[i]`"
        raise lowering.refuse(call, f"a `for` loop runs over a range or a tuple{what}", hint)
    if not _is_range(lowering, call):
        raise lowering.refuse(call, "a `for` loop runs over a range or a tuple", _call_hint(lowering, call) or hint)
    if call.keywords or not 1 <= len(call.args) <= 3:
        raise lowering.refuse(call, "`range` takes one to three numbers")
    numbers_ = [as_scalar(lowering, argument, evaluate(lowering, argument)) for argument in call.args]
    first = numbers_[0] if len(numbers_) > 1 else constant(0)
    stop = numbers_[1] if len(numbers_) > 1 else numbers_[0]
    step = numbers_[2] if len(numbers_) > 2 else constant(1)
    for number, argument in zip(numbers_, call.args, strict=True):
        if isinstance(number.type, (BigEndian, Bool)):
            raise lowering.refuse(argument, f"a range counts with numbers, but this is {describe(number)}")
    if step.constant is None:
        raise lowering.refuse(call.args[2], "the step of a range must be a constant")
    if step.constant == 0:
        raise lowering.refuse(call.args[2], "the step of a range must not be zero")
    return first, stop, step.constant


def _call_hint(lowering: Lowering, call: ast.Call) -> str:
    """What to write instead of a loop over what a call gives."""
    function = evaluate(lowering, call.func)
    if not isinstance(function, PythonValue):
        return ""
    from skverdict.dsl.frontend.ordinary import advice

    return advice(function.object)


def _counter(lowering: Lowering, node: ast.For, low: int, high: int) -> Scalar:
    """What the count of a range is like, without a value."""
    for type_ in (I64, U64):
        if fits(low, high, type_):
            return Scalar(type_, low=low, high=high, flexible=type_ == I64)
    raise lowering.refuse(node.iter, "the numbers of this range do not fit 64 bits")


def _counted(lowering: Lowering, node: ast.For, numbers: range) -> None:
    """A range of constants: the test comes after the turn, since the first one is certain."""
    assert isinstance(node.target, ast.Name)
    if len(numbers) > MOST_TURNS:
        raise lowering.refuse(
            node.iter, f"{len(numbers)} turns are more than the kernel's verifier follows ({MOST_TURNS})"
        )
    end = lowering.label(node, "end")
    if not numbers:
        body(lowering, node.orelse)
        return
    low, high = min(numbers[0], numbers[-1]), max(numbers[0], numbers[-1])
    # The count goes one step past the last number.
    shape = _counter(lowering, node, low + min(numbers.step, 0), high + max(numbers.step, 0))
    type_ = shape.type
    assert isinstance(type_, Int)
    shape = shape.with_range(low, high)
    counter = lowering.new_local(f"{node.target.id}.counter", type_)
    first = lowering.value(node.iter, Scalar(type_, constant=numbers[0]))
    lowering.effect(node.iter, "local.set", (first,), local=counter)

    def turn(label: Label) -> Sequence[Edge]:
        end.edges.clear()
        lowering.enter(label)
        _set_counter(lowering, node, counter, shape)
        again, done = lowering.label(node, "next"), lowering.label(node, "done")
        body_of_loop(lowering, Loop(again, end), node.body)
        if lowering.state is not None:
            lowering.jump(node, again)
        entered = len(label.edges)
        if lowering.enter(again):
            now = lowering.emit(node.iter, "local.get", (), type_, local=counter)
            step = lowering.value(node.iter, Scalar(type_, constant=abs(numbers.step)))
            following = lowering.emit(node.iter, "add" if numbers.step > 0 else "sub", (now, step), type_)
            lowering.effect(node.iter, "local.set", (following,), local=counter)
            last = lowering.value(node.iter, Scalar(type_, constant=numbers[-1]))
            more = lowering.emit(node.iter, "le" if numbers.step > 0 else "ge", (following, last), BOOL)
            lowering.branch(node.iter, more, label, done)
        _otherwise(lowering, node, done, end)
        return label.edges[entered:]

    _until_stable(lowering, node, lambda: _head(lowering, node), turn)
    lowering.enter(end)


def _head(lowering: Lowering, node: ast.For) -> Label:
    label = lowering.label(node, "for")
    lowering.jump(node, label)
    return label


def _set_counter(lowering: Lowering, node: ast.For, counter: str, shape: Scalar) -> None:
    """The loop's name takes the count; assigning the name in the body does not change the count."""
    assert isinstance(node.target, ast.Name) and shape.type is not None
    name = node.target.id
    now = lowering.emit(node.target, "local.get", (), shape.type, local=counter)
    number = Scalar(shape.type, now, low=shape.low, high=shape.high, flexible=shape.flexible)
    assign(lowering, node.target, name, node.target, number)


def _otherwise(lowering: Lowering, node: ast.For | ast.While, done: Label, end: Label) -> None:
    """The `else` of a loop runs when the loop was not left by `break`."""
    if lowering.enter(done):
        for name in assigned_names(node.body, lowering.frame.source.has_walrus):
            why = f"when the loop on line {node.lineno} does not run"
            lowering.here.names.setdefault(name, Missing(lowering.place(node), why))
        body(lowering, node.orelse)
        if lowering.state is not None:
            lowering.jump(node, end, f"when the loop on line {node.lineno} runs to its end")


def _bounded(lowering: Lowering, node: ast.For, start: Scalar, stop: Scalar, step: int) -> None:
    """A range whose start or end the program computes, but within bounds that are known now."""
    assert isinstance(node.target, ast.Name) and isinstance(node.iter, ast.Call)
    start_node = node.iter.args[0]
    stop_node = node.iter.args[min(1, len(node.iter.args) - 1)]
    turns = (stop.high - start.low) if step > 0 else (start.high - stop.low)
    if turns // abs(step) > MOST_TURNS:
        raise _no_bound(lowering, (start_node, stop_node), start, stop, step)
    low, high = min(start.low, stop.low), max(start.high, stop.high) + abs(step)
    shape = _counter(lowering, node, low if step > 0 else low + step, high)
    type_ = shape.type
    assert isinstance(type_, Int)
    limit = convert(lowering, stop_node, stop, type_)
    begin = convert(lowering, start_node, start, type_)
    if step > 0:
        limit = _at_most(lowering, stop_node, limit)
    else:
        begin = _at_most(lowering, start_node, begin)
    end = lowering.label(node, "end")
    counter = lowering.new_local(f"{node.target.id}.counter", type_)
    first = lowering.value(start_node, begin)
    lowering.effect(node.iter, "local.set", (first,), local=counter)

    def turn(label: Label) -> Sequence[Edge]:
        end.edges.clear()
        lowering.enter(label)
        inside, again, done = (lowering.label(node, name) for name in ("do", "next", "done"))
        now = Scalar(type_, lowering.emit(node.iter, "local.get", (), type_, local=counter))
        nodes = (node.target, stop_node)
        relation = "lt" if step > 0 else "gt"
        if start.constant is None and stop.constant is None:
            # Linux 6.1 learns nothing from comparing two numbers that it does not know. The count is set anew
            # in between, lest one comparison be found to follow from the other.
            known = Scalar(type_, constant=limit.high if step > 0 else limit.low)
            within = compare(lowering, node.iter, relation, nodes, now, known)
            near = lowering.label(node, "near")
            lowering.branch(node.iter, lowering.value(node.iter, within), near, done)
            lowering.enter(near)
            lowering.effect(node.iter, "local.set", (lowering.value(node.iter, now),), local=counter)
            now = Scalar(type_, lowering.emit(node.iter, "local.get", (), type_, local=counter))
        more = compare(lowering, node.iter, relation, nodes, now, limit)
        lowering.branch(node.iter, lowering.value(node.iter, more), inside, done)
        entered = len(label.edges)
        lowering.enter(inside)
        bounds = (start.low, max(start.low, limit.high - 1))
        if step < 0:
            bounds = (min(start.high, limit.low + 1), start.high)
        _set_counter(lowering, node, counter, shape.with_range(*bounds))
        body_of_loop(lowering, Loop(again, end), node.body)
        if lowering.state is not None:
            lowering.jump(node, again)
        if lowering.enter(again):
            value = lowering.emit(node.iter, "local.get", (), type_, local=counter)
            width = lowering.value(node.iter, Scalar(type_, constant=abs(step)))
            value = lowering.emit(node.iter, "add" if step > 0 else "sub", (value, width), type_)
            lowering.effect(node.iter, "local.set", (value,), local=counter)
            lowering.jump(node.iter, label)
        _otherwise(lowering, node, done, end)
        return label.edges[entered:]

    _until_stable(lowering, node, lambda: _head(lowering, node), turn)
    lowering.enter(end)


def _at_most(lowering: Lowering, node: ast.expr, number: Scalar) -> Scalar:
    """The number, bounded by what it is known not to exceed: the verifier may not know, and counts the turns."""
    if number.constant is not None or number.type is None:
        return number
    value = lowering.value(node, number)
    most = lowering.value(node, Scalar(number.type, constant=number.high))
    within = lowering.emit(node, "le", (value, most), BOOL)
    bounded = lowering.emit(node, "select", (within, value, most), number.type)
    return Scalar(number.type, bounded, low=number.low, high=number.high)


def _no_bound(
    lowering: Lowering, nodes: tuple[ast.expr, ast.expr], start: Scalar, stop: Scalar, step: int
) -> Refused:
    """The refusal of a range that may have too many turns; the end that is computed is at fault."""
    is_stop = stop.constant is None and (start.constant is not None or step > 0)
    number, node, what = (stop, nodes[1], "end") if is_stop else (start, nodes[0], "start")
    text = lowering.segment(node)
    hint = f"bound it, such as `range(min({text}, 64))`" if is_stop and step > 0 else "bound it with `min`"
    return lowering.refuse(
        node, f"this range has no useful bound: its {what} is {number.low} to {number.high}", hint
    )


@statement(ast.Break)
def break_statement(lowering: Lowering, node: ast.Break) -> None:
    loop = lowering.frame.loop
    assert loop is not None
    unlock(lowering, node, loop.locks)
    lowering.jump(node, loop.end, f"when line {node.lineno} breaks the loop")


@statement(ast.Continue)
def continue_statement(lowering: Lowering, node: ast.Continue) -> None:
    loop = lowering.frame.loop
    assert loop is not None
    unlock(lowering, node, loop.locks)
    lowering.jump(node, loop.again, f"when line {node.lineno} continues the loop")
