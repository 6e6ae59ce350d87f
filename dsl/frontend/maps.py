"""Map methods: lookup, update, delete, `in`, and the socket maps' redirect and update."""

from __future__ import annotations

import ast
from collections.abc import Callable

from skverdict.dsl.catalogue.helpers import HELPERS
from skverdict.dsl.catalogue.programs import PROGRAMS
from skverdict.dsl.frontend.arguments import assign_arguments
from skverdict.dsl.frontend.convert import cast
from skverdict.dsl.frontend.dispatch import evaluate
from skverdict.dsl.frontend.helper_calls import emit_call, may_call
from skverdict.dsl.frontend.lowering import Label, Lowering
from skverdict.dsl.frontend.memory import is_null
from skverdict.dsl.frontend.values import MapValue, Operand, Reference, Scalar
from skverdict.dsl.ir.types import BOOL, I32

SOCKET_MAPS = ("sockmap", "sockhash")

# The helper behind `redirect`, by context and map kind; sock_ops has none.
_REDIRECT = {
    ("__sk_buff", "sockmap"): "bpf_sk_redirect_map",
    ("__sk_buff", "sockhash"): "bpf_sk_redirect_hash",
    ("sk_msg_md", "sockmap"): "bpf_msg_redirect_map",
    ("sk_msg_md", "sockhash"): "bpf_msg_redirect_hash",
}
_SOCKET_UPDATE = {"sockmap": "bpf_sock_map_update", "sockhash": "bpf_sock_hash_update"}


def map_method(lowering: Lowering, node: ast.Call, receiver: MapValue, name: str) -> Operand:
    """`map.name(...)`. Raises Refused."""
    method = _METHODS.get(name)
    if method is None:
        from skverdict.dsl.frontend.map_methods import METHODS

        method = METHODS[name]
    return method(lowering, node, receiver)


# What a program can do with a map, by its kind; sockets go in and out in their own way.
_TABLE = ("lookup", "update", "delete")
_CALLABLE = (*_TABLE, "for_each")
METHOD_NAMES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("array", "hash", "lru_hash"), _CALLABLE),
    **dict.fromkeys(("percpu_array", "percpu_hash", "lru_percpu_hash"), (*_CALLABLE, "lookup_percpu")),
    **dict.fromkeys(SOCKET_MAPS, ("redirect", *_TABLE)),
    **dict.fromkeys(("array_of_maps", "hash_of_maps"), ("lookup",)),
    **dict.fromkeys(("queue", "stack"), ("push", "pop", "peek")),
    "lpm_trie": _TABLE,
    "bloom_filter": ("push",),
    "ringbuf": ("reserve", "submit", "discard", "output", "query"),
    "perf_event_array": ("output",),
    "prog_array": ("tail_call",),
    "sk_storage": ("get", "delete"),
}


def call_with_map(
    lowering: Lowering,
    node: ast.Call,
    receiver: MapValue,
    helper_name: str,
    names: dict[str, str],
    optional: tuple[str, ...] = ("flags",),
) -> Operand:
    """Call a helper whose map is the receiver; `names` are the method's parameters and the helper's."""
    helper = HELPERS[helper_name]
    may_call(lowering, node, helper)
    assert isinstance(node.func, ast.Attribute)
    what = f"`{receiver.map.name}.{node.func.attr}`"
    given = assign_arguments(lowering, node, what, list(names), optional)
    evaluated: dict[str, tuple[ast.AST, Operand]] = {}
    for parameter, argument in given.items():
        evaluated[names[parameter]] = (argument, evaluate(lowering, argument))
    map_parameter = next(one.name for one in helper.arguments if one.kind == "map")
    evaluated[map_parameter] = (node.func.value, receiver)
    return emit_call(lowering, node, helper, evaluated)


def _lookup(lowering: Lowering, node: ast.Call, receiver: MapValue) -> Operand:
    if receiver.map.kind in SOCKET_MAPS and PROGRAMS[lowering.kind].context != "__sk_buff":
        raise lowering.refuse(
            node, f"`{receiver.map.name}` gives no sockets to a {lowering.kind} program",
            "`redirect` looks the socket up by itself and gives SK_DROP if there is none",
        )  # fmt: skip
    return call_with_map(lowering, node, receiver, "bpf_map_lookup_elem", {"key": "key"})


def _update(lowering: Lowering, node: ast.Call, receiver: MapValue) -> Operand:
    helper = _SOCKET_UPDATE.get(receiver.map.kind)
    if helper is not None:
        return call_with_map(
            lowering, node, receiver, helper, {"skops": "skops", "key": "key", "flags": "flags"}
        )
    names = {"key": "key", "value": "value", "flags": "flags"}
    return call_with_map(lowering, node, receiver, "bpf_map_update_elem", names)


def _delete(lowering: Lowering, node: ast.Call, receiver: MapValue) -> Operand:
    if receiver.map.kind == "sk_storage":
        return call_with_map(lowering, node, receiver, "bpf_sk_storage_delete", {"sk": "sk"})
    if receiver.map.kind == "array":
        raise lowering.refuse(
            node, "an array's entries cannot be deleted", "set the entry to zero, or use a HashMap"
        )
    return call_with_map(lowering, node, receiver, "bpf_map_delete_elem", {"key": "key"})


def _redirect(lowering: Lowering, node: ast.Call, receiver: MapValue) -> Operand:
    kind = receiver.map.kind
    if kind not in SOCKET_MAPS:
        raise lowering.refuse(
            node, f"`{receiver.map.name}` holds no sockets", "only a SockMap or SockHash can redirect"
        )
    helper = _REDIRECT.get((lowering.scope.context_of(lowering.kind), kind))
    if helper is None:
        raise lowering.refuse(
            node, f"a {lowering.kind} program has no packet to redirect",
            "stream_verdict, skb_verdict and msg_verdict programs may",
        )  # fmt: skip
    first = HELPERS[helper].arguments[0].name
    names = {first: first, "key": "key", "flags": "flags"}
    result = call_with_map(lowering, node, receiver, helper, names)
    # The helper is declared to give a long; it gives SK_PASS or SK_DROP.
    assert isinstance(result, Scalar)
    return cast(lowering, node, result, I32).with_range(0, 1)


_METHODS: dict[str, Callable[[Lowering, ast.Call, MapValue], Operand]] = {
    "lookup": _lookup,
    "update": _update,
    "delete": _delete,
    "redirect": _redirect,
}


def has_key(
    lowering: Lowering,
    node: ast.expr,
    receiver: MapValue,
    key_node: ast.expr,
    key: Operand,
    yes: Label,
    no: Label,
) -> None:
    """`key in map`. Raises Refused."""
    if receiver.map.kind in SOCKET_MAPS:
        raise lowering.refuse(
            node, f"`{receiver.map.name}` cannot be asked for a socket by a program",
            "`redirect` gives SK_DROP if there is none",
        )  # fmt: skip
    if receiver.map.kind == "bloom_filter":
        from skverdict.dsl.frontend.map_methods import may_contain

        may_contain(lowering, node, receiver, key_node, key, yes, no)
        return
    helper = HELPERS["bpf_map_lookup_elem"]
    may_call(lowering, node, helper)
    # A call node of its own, so that messages point at the key and the map.
    call = ast.copy_location(ast.Call(node, [key_node], []), node)
    entry = emit_call(lowering, call, helper, {"map": (node, receiver), "key": (key_node, key)})
    assert isinstance(entry, Reference)
    null = is_null(lowering, node, entry)
    lowering.branch(node, lowering.emit(node, "not", (null,), BOOL), yes, no)
