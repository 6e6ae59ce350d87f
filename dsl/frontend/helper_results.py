"""What helpers give that is a pointer: records, sockets, maps in maps, the kernel's objects."""

from __future__ import annotations

from skverdict.dsl.catalogue.maps import MAP, MAPS, SOCKET
from skverdict.dsl.frontend.helper_calls import Arguments
from skverdict.dsl.frontend.leases import take
from skverdict.dsl.frontend.values import Lease, Operand, Reference
from skverdict.dsl.ir.module import Map
from skverdict.dsl.ir.types import U8, Array, Opaque, Pointer, Space, Type

# The structure behind a socket pointer, by the helper that gives it; `bpf_sock` otherwise.
_SOCKETS = {"bpf_skc_lookup_tcp": "sock_common"}
_SOCKET_OBJECTS = ("bpf_tcp_sock",)
SOCKET_REMEDY = "write `sk.release()` on every path where it is not None"


def pointer_result(arguments: Arguments) -> Operand:
    """Call the helper, which gives a pointer that is no entry of an ordinary map. Raises Refused."""
    helper = arguments.helper
    kind, _, name = helper.returns.rstrip("!").partition(".")
    if kind == "map_value":
        return _found_in_map(arguments)
    if kind == "record":
        return _record(arguments)
    if kind == "socket":
        return _socket(arguments, _SOCKETS.get(helper.name, "bpf_sock"))
    if kind == "object" and name:
        space = Space.SOCKET if name in _SOCKET_OBJECTS else Space.OBJECT
        return _reference(arguments, Opaque(name), space, f"the {name}")
    raise arguments.lowering.refuse(
        arguments.node, f"`{helper.name}` gives memory whose type and size a policy cannot say"
    )


def _reference(
    arguments: Arguments,
    target: Type,
    space: Space,
    what: str,
    lease: Lease | None = None,
    home: Map | None = None,
) -> Reference:
    lowering, node, helper = arguments.lowering, arguments.node, arguments.helper
    nullable = not helper.returns.endswith("!")
    type_ = Pointer(target, space, nullable)
    value = lowering.emit(node, "call.helper", tuple(arguments.operands), type_, helper=helper.name)
    return Reference(
        target,
        space,
        what,
        lowering.place(node),
        pointer=value,
        nullable=nullable,
        lease=lease,
        home=home,
    )


def _found_in_map(arguments: Arguments) -> Operand:
    map_ = arguments.map
    assert map_ is not None
    entry = MAPS[map_.kind].entry
    if entry == SOCKET:
        return _socket(arguments, "bpf_sock", f"the socket of `{map_.name}`")
    if entry == MAP:
        assert map_.inner is not None
        inner = map_.inner._replace(name=f"{map_.name}.inner")
        return _reference(arguments, Opaque("bpf_map"), Space.MAP, f"the map in `{map_.name}`", home=inner)
    assert map_.value is not None
    return _reference(arguments, map_.value, Space.MAP_VALUE, f"the entry of `{map_.name}`", home=map_)


def _record(arguments: Arguments) -> Operand:
    map_ = arguments.map
    assert map_ is not None
    target = arguments.allocated or Array(U8, 1)
    what = f"the record of `{map_.name}`"
    remedy = f"write `{map_.name}.submit(record)` or `{map_.name}.discard(record)` on every path"
    lease = take(arguments.lowering, arguments.node, what, remedy, "submitted or discarded", target)
    return _reference(arguments, target, Space.RECORD, what, lease)


def _socket(arguments: Arguments, structure: str, what: str = "the socket") -> Operand:
    target = Opaque(structure)
    lease = None
    if arguments.helper.acquires or arguments.helper.name == "bpf_map_lookup_elem":
        lease = take(arguments.lowering, arguments.node, what, SOCKET_REMEDY, "released", target)
    return _reference(arguments, target, Space.SOCKET, what, lease)
