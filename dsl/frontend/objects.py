"""The kernel's objects behind pointers: sockets with their fields, maps in maps, and others."""

from __future__ import annotations

import ast

from skverdict.dsl.catalogue.sockets import STRUCTURES
from skverdict.dsl.frontend.lowering import Lowering
from skverdict.dsl.frontend.maps import METHOD_NAMES
from skverdict.dsl.frontend.memory import checked_index, pointer
from skverdict.dsl.frontend.refusal import suggestion
from skverdict.dsl.frontend.values import MapValue, Method, Operand, Reference, Scalar, SocketArray
from skverdict.dsl.ir.types import Array, Opaque, Space

# The largest number in a field, where that is less than its type's.
_LIMITS = {"family": 0xFFFF, "src_port": 0xFFFF, "dst_port": 0xFFFF}
RELEASE = "release"


def object_attribute(lowering: Lowering, node: ast.Attribute, owner: Reference) -> Operand:
    """`owner.name`: a field of a socket, or a method. Raises Refused."""
    if owner.space is Space.MAP:
        assert owner.home is not None
        map_ = MapValue(owner.home, pointer(lowering, node.value, owner))
        names = METHOD_NAMES[owner.home.kind]
        if node.attr in names:
            return Method(map_, node.attr)
        raise lowering.refuse(node, f"{owner.what} has no `{node.attr}`", f"it has {', '.join(names)}")
    if owner.space is not Space.SOCKET:
        from skverdict.dsl.frontend.kernel_objects import kernel_member

        return kernel_member(lowering, node, owner)
    if node.attr == RELEASE and owner.lease is not None:
        return Method(owner, RELEASE)
    return _socket_field(lowering, node, owner)


def _socket_field(lowering: Lowering, node: ast.Attribute, owner: Reference) -> Operand:
    assert isinstance(owner.target, Opaque)
    fields = STRUCTURES[owner.target.name].fields
    field = fields.get(node.attr)
    if field is None:
        if node.attr == RELEASE:
            raise lowering.refuse(node, f"{owner.what} was not looked up here, so it is not released")
        if node.attr in STRUCTURES["bpf_sock"].fields:
            raise lowering.refuse(
                node, f"`{node.attr}` of {owner.what} cannot be read: it may be no full socket",
                f"what can be read is {', '.join(fields)}",
            )  # fmt: skip
        class_name = STRUCTURES[owner.target.name].class_name
        hint = suggestion(node.attr, [*fields, RELEASE]) or f"it has {', '.join(fields)}"
        raise lowering.refuse(node, f"`{class_name}` has no `{node.attr}`", hint)
    if isinstance(field.type, Array):
        return SocketArray(owner, field.name)
    address = pointer(lowering, node.value, owner)
    value = lowering.emit(node, "socket.load", (address,), field.type, field=field.name)
    high = _LIMITS.get(field.name)
    return Scalar(field.type, value, low=0, high=high) if high else Scalar(field.type, value)


def socket_array_element(
    lowering: Lowering, node: ast.Subscript, array: SocketArray, index_operand: Operand
) -> Scalar:
    """`sk.src_ip6[i]` with a constant index: the verifier knows no other."""
    owner = array.socket
    assert isinstance(owner.target, Opaque)
    type_ = STRUCTURES[owner.target.name].fields[array.field].type
    assert isinstance(type_, Array)
    index = checked_index(lowering, node.slice, index_operand, type_.count, f"`{array.field}`")
    if index.only is None:
        raise lowering.refuse(
            node.slice, f"the index of `{array.field}` must be a constant",
            "the kernel allows fields of sockets only at fixed offsets: write the cases out, or loop over "
            f"`({', '.join(str(number) for number in range(type_.count))})`",
        )  # fmt: skip
    address = pointer(lowering, node.value, owner)
    name = f"{array.field}.{index.only}"
    return Scalar(type_.element, lowering.emit(node, "socket.load", (address,), type_.element, field=name))  # type: ignore[arg-type]
