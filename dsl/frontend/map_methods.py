"""Methods of the rarer maps: ring buffers, queues, programs to go on with, values beside sockets."""

from __future__ import annotations

import ast
from collections.abc import Callable

from skverdict.dsl.catalogue.constants import CONSTANTS
from skverdict.dsl.catalogue.helpers import HELPERS
from skverdict.dsl.frontend.arguments import assign_arguments
from skverdict.dsl.frontend.dispatch import evaluate
from skverdict.dsl.frontend.helper_calls import emit_call, may_call
from skverdict.dsl.frontend.lowering import Label, Lowering
from skverdict.dsl.frontend.maps import call_with_map
from skverdict.dsl.frontend.memory import SCALAR_KINDS, pointer, spill
from skverdict.dsl.frontend.values import MapValue, Operand, Reference, Scalar, constant
from skverdict.dsl.ir.types import BOOL, I64, Pointer, Space, Type

_Given = dict[str, tuple[ast.AST, Operand]]


def _with_map(
    lowering: Lowering,
    node: ast.Call,
    receiver: MapValue,
    helper_name: str,
    names: dict[str, str],
    optional: tuple[str, ...] = ("flags",),
) -> Operand:
    return call_with_map(lowering, node, receiver, helper_name, names, optional)


def _reserve(lowering: Lowering, node: ast.Call, receiver: MapValue) -> Operand:
    """`ring.reserve(Event)`: room for a record, or None."""
    return _with_map(lowering, node, receiver, "bpf_ringbuf_reserve", {"type": "size", "flags": "flags"})


def _finish(helper_name: str) -> Callable[[Lowering, ast.Call, MapValue], Operand]:
    """`ring.submit(record)` or `ring.discard(record)`."""

    def method(lowering: Lowering, node: ast.Call, receiver: MapValue) -> Operand:
        helper = HELPERS[helper_name]
        may_call(lowering, node, helper)
        assert isinstance(node.func, ast.Attribute)
        what = f"`{receiver.map.name}.{node.func.attr}`"
        given = assign_arguments(lowering, node, what, ["record", "flags"], ["flags"])
        evaluated: _Given = {"data": (given["record"], evaluate(lowering, given["record"]))}
        if "flags" in given:
            evaluated["flags"] = (given["flags"], evaluate(lowering, given["flags"]))
        return emit_call(lowering, node, helper, evaluated)

    return method


def _output(lowering: Lowering, node: ast.Call, receiver: MapValue) -> Operand:
    """`ring.output(value)`, or `events.output(ctx, value)`."""
    if receiver.map.kind == "ringbuf":
        names = {"value": "data", "flags": "flags"}
        return _with_map(lowering, node, receiver, "bpf_ringbuf_output", names)
    helper = HELPERS["bpf_perf_event_output"]
    may_call(lowering, node, helper)
    what = f"`{receiver.map.name}.output`"
    given = assign_arguments(lowering, node, what, ["ctx", "value", "flags"], ["flags"])
    names = {"ctx": "ctx", "value": "data", "flags": "flags"}
    evaluated: _Given = {names[name]: (part, evaluate(lowering, part)) for name, part in given.items()}
    evaluated["map"] = (node, receiver)
    evaluated.setdefault("flags", (node, constant(CONSTANTS["BPF_F_CURRENT_CPU"])))
    return emit_call(lowering, node, helper, _numbers_in_memory(lowering, evaluated))


def _numbers_in_memory(lowering: Lowering, given: _Given) -> _Given:
    """A number that a helper reads by its address goes onto the stack."""
    node, value = given["data"]
    if not isinstance(value, Scalar) or value.type is None:
        return given
    place = Reference(value.type, Space.STACK, "this number", lowering.place(node),
                      pointer=spill(lowering, node, value, "data"))  # fmt: skip
    return {**given, "data": (node, place)}


def _query(lowering: Lowering, node: ast.Call, receiver: MapValue) -> Operand:
    """`ring.query(BPF_RB_AVAIL_DATA)`."""
    return _with_map(lowering, node, receiver, "bpf_ringbuf_query", {"flags": "flags"})


def _push(lowering: Lowering, node: ast.Call, receiver: MapValue) -> Operand:
    return _with_map(lowering, node, receiver, "bpf_map_push_elem", {"value": "value", "flags": "flags"})


def _take(helper_name: str) -> Callable[[Lowering, ast.Call, MapValue], Operand]:
    """`queue.pop()` or `queue.peek()`: a place that holds the value, or None."""

    def method(lowering: Lowering, node: ast.Call, receiver: MapValue) -> Operand:
        helper = HELPERS[helper_name]
        may_call(lowering, node, helper)
        assert isinstance(node.func, ast.Attribute)
        what = f"{receiver.map.name}.{node.func.attr}"
        if node.args:
            hint = f"it gives the value, or None: write `value = {what}()`"
            raise lowering.refuse(node.args[0], f"`{what}` takes no arguments", hint)
        assign_arguments(lowering, node, f"`{what}`", [])
        target = receiver.map.value
        assert target is not None
        place = _room(lowering, node, target, lowering.take_name(node.func.attr))
        given: _Given = {"map": (node, receiver), "value": (node, place)}
        result = emit_call(lowering, node, helper, given)
        assert isinstance(result, Scalar)
        zero = lowering.value(node, Scalar(I64, constant=0))
        found = lowering.emit(node, "eq", (lowering.value(node, result), zero), BOOL)
        address = pointer(lowering, node, place)
        type_ = Pointer(target, Space.STACK, nullable=True)
        value = lowering.emit(node, "or_null", (found, address), type_)
        what = f"the value of `{receiver.map.name}`"
        return Reference(target, Space.STACK, what, lowering.place(node), pointer=value, nullable=True)

    return method


def _room(lowering: Lowering, node: ast.AST, target: Type, name: str) -> Reference:
    """A new place on the stack for a value."""
    local = lowering.new_local(name, target)
    lowering.effect(node, "local.zero", (), local=local)
    return Reference(target, Space.STACK, f"`{name}`", lowering.place(node), local=local)


def may_contain(
    lowering: Lowering,
    node: ast.expr,
    receiver: MapValue,
    value_node: ast.expr,
    value: Operand,
    yes: Label,
    no: Label,
) -> None:
    """`value in bloom_filter`. Raises Refused."""
    helper = HELPERS["bpf_map_peek_elem"]
    may_call(lowering, node, helper)
    target = receiver.map.value
    place = value
    if isinstance(target, SCALAR_KINDS) and isinstance(value, Scalar):
        from skverdict.dsl.frontend.convert import convert

        address = spill(lowering, value_node, convert(lowering, value_node, value, target), "value")
        place = Reference(target, Space.STACK, "this number", lowering.place(value_node), pointer=address)
    call = ast.copy_location(ast.Call(node, [value_node], []), node)
    result = emit_call(lowering, call, helper, {"map": (node, receiver), "value": (value_node, place)})
    assert isinstance(result, Scalar)
    zero = lowering.value(node, Scalar(I64, constant=0))
    lowering.branch(node, lowering.emit(node, "eq", (lowering.value(node, result), zero), BOOL), yes, no)


def _tail_call(lowering: Lowering, node: ast.Call, receiver: MapValue) -> Operand:
    """`programs.tail_call(ctx, index)`: goes on in another program, or here if there is none."""
    return _with_map(lowering, node, receiver, "bpf_tail_call", {"ctx": "ctx", "index": "index"})


def _for_each(lowering: Lowering, node: ast.Call, receiver: MapValue) -> Operand:
    """`table.for_each(visit, state)`: calls the function for each entry until it gives 1."""
    names = {"callback": "callback_fn", "context": "callback_ctx", "flags": "flags"}
    return _with_map(lowering, node, receiver, "bpf_for_each_map_elem", names, ("context", "flags"))


def _lookup_percpu(lowering: Lowering, node: ast.Call, receiver: MapValue) -> Operand:
    names = {"key": "key", "cpu": "cpu"}
    return _with_map(lowering, node, receiver, "bpf_map_lookup_percpu_elem", names)


def _storage_get(lowering: Lowering, node: ast.Call, receiver: MapValue) -> Operand:
    """`storage.get(sk)`: the value beside a socket, or None; BPF_SK_STORAGE_GET_F_CREATE makes it."""
    names = {"sk": "sk", "value": "value", "flags": "flags"}
    return _with_map(lowering, node, receiver, "bpf_sk_storage_get", names, ("value", "flags"))


METHODS: dict[str, Callable[[Lowering, ast.Call, MapValue], Operand]] = {
    "reserve": _reserve,
    "submit": _finish("bpf_ringbuf_submit"),
    "discard": _finish("bpf_ringbuf_discard"),
    "output": _output,
    "query": _query,
    "push": _push,
    "pop": _take("bpf_map_pop_elem"),
    "peek": _take("bpf_map_peek_elem"),
    "tail_call": _tail_call,
    "for_each": _for_each,
    "lookup_percpu": _lookup_percpu,
    "get": _storage_get,
}
