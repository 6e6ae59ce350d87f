"""What lies in structures of the running kernel, as far as `c_types(..., core=True)` declares it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from skverdict.dsl.c_types import CTypes
from skverdict.dsl.errors import Place
from skverdict.dsl.frontend.helper_calls import GPL_COMPATIBLE
from skverdict.dsl.frontend.memory import checked_index, pointer
from skverdict.dsl.frontend.refusal import suggestion
from skverdict.dsl.frontend.values import KernelPart, Operand, Reference, Scalar
from skverdict.dsl.ir.types import BOOL, U64, Array, Opaque, Pointer, Struct, Type
from skverdict.dsl.layout import bit_field

if TYPE_CHECKING:
    from skverdict.dsl.frontend.lowering import Lowering
    from skverdict.dsl.frontend.scope import PolicyScope


def declare_kernel_structs(scope: PolicyScope, namespace: dict[str, Any]) -> None:
    """Note the kernel's structures that the module declares; two of one name are reported."""
    for name, thing in namespace.items():
        if not isinstance(thing, CTypes):
            continue
        for struct in thing._kernel_structs.values():
            known = scope.kernel_structs.setdefault(struct.name, struct)
            if known is not struct:
                scope.reporter.error(
                    Place(scope.sources.path, 0, 1),
                    f"the kernel's `{struct.name}` is declared twice, the second time in `{name}`",
                    "put what the policy reads of it into one declaration",
                )


def kernel_member(lowering: Lowering, node: ast.Attribute, owner: Reference) -> Operand:
    """`owner.name` of what a helper, or another member, points to. Raises Refused."""
    struct = _declared(lowering, node, owner)
    return _step(lowering, node, KernelPart(owner, "", struct), node.attr)


def part_member(lowering: Lowering, node: ast.Attribute, part: KernelPart) -> Operand:
    """`part.name`. Raises Refused."""
    if not isinstance(part.type, Struct):
        text = lowering.segment(node.value)
        raise lowering.refuse(
            node, f"`{text}` is an array in a structure of the kernel",
            f"read its elements, or copy it with `bpf_probe_read_kernel(copy, size, {text})` and look at that",
        )  # fmt: skip
    return _step(lowering, node, part, node.attr)


def part_element(lowering: Lowering, node: ast.Subscript, part: KernelPart, index_operand: Operand) -> Operand:
    """`part[i]` with a constant index: the verifier knows no other. Raises Refused."""
    what = f"`{lowering.segment(node.value)}`"
    if not isinstance(part.type, Array):
        raise lowering.refuse(node, f"{what} has members, not elements")
    index = checked_index(lowering, node.slice, index_operand, part.type.count, what)
    if index.only is None:
        raise lowering.refuse(
            node.slice, f"the index of {what} must be a constant",
            "the kernel allows its structures to be read only at fixed offsets: copy the array with "
            f"`bpf_probe_read_kernel(copy, size, {lowering.segment(node.value)})` and look at that",
        )  # fmt: skip
    return _read(lowering, node, part, str(index.only), part.type.element)


def address(lowering: Lowering, node: ast.AST, part: KernelPart) -> Scalar:
    """Where a part lies, for a helper that reads there."""
    owner = pointer(lowering, node, part.owner)
    return Scalar(U64, lowering.emit(node, "kernel.address", (owner,), U64, field=part.path))


def exists(lowering: Lowering, node: ast.Call, owner: Reference | KernelPart, name: str) -> Scalar:
    """`hasattr(owner, "name")`: whether the running kernel has the member. Raises Refused."""
    part = owner
    if isinstance(part, Reference):
        part = KernelPart(part, "", _declared(lowering, node, part))
    if not isinstance(part.type, Struct) or part.type.member(name) is None:
        raise _no_member(lowering, node, part.type, name)
    operands = (pointer(lowering, node, part.owner),)
    return Scalar(BOOL, lowering.emit(node, "kernel.exists", operands, BOOL, field=_joined(part.path, name)))


def _declared(lowering: Lowering, node: ast.AST, owner: Reference) -> Struct:
    assert isinstance(owner.target, Opaque)
    struct = lowering.scope.kernel_structs.get(owner.target.name)
    if struct is None:
        raise lowering.refuse(
            node, f"{owner.what} is a kernel object of which no member is declared",
            f"declare what you read: `kernel = c_types(\"struct {owner.target.name} {{ ... }};\", core=True)`",
        )  # fmt: skip
    if lowering.scope.license not in GPL_COMPATIBLE:
        raise lowering.refuse(
            node, f"reading the kernel's structures needs a GPL-compatible license, not {lowering.scope.license!r}",
            'write `LICENSE = "GPL"` in the module',
        )  # fmt: skip
    return struct


def _step(lowering: Lowering, node: ast.Attribute, part: KernelPart, name: str) -> Operand:
    assert isinstance(part.type, Struct)
    member = part.type.member(name)
    if member is None:
        raise _no_member(lowering, node, part.type, name)
    return _read(lowering, node, part, name, member.type)


def _no_member(lowering: Lowering, node: ast.AST, struct: Type, name: str) -> Exception:
    if bit_field(struct, name) is not None:
        return lowering.refuse(node, f"`{name}` is a bit-field, which cannot be read from the kernel's structures")
    assert isinstance(struct, Struct)
    names = [one.name for one in struct.members]
    hint = suggestion(name, names) or f"declared are {', '.join(names)}"
    return lowering.refuse(node, f"`{struct.name}` is declared without a member `{name}`", hint)


def _read(lowering: Lowering, node: ast.Attribute | ast.Subscript, part: KernelPart, step: str, type_: Type) -> Operand:
    """What lies one step further: a number, another object or None, or a part that has parts itself."""
    path = _joined(part.path, step)
    if isinstance(type_, (Struct, Array)):
        return KernelPart(part.owner, path, type_)
    owner = pointer(lowering, node, part.owner)
    value = lowering.emit(node, "kernel.load", (owner,), type_, field=path)
    if isinstance(type_, Pointer):
        what = f"`{lowering.segment(node)}`"
        return Reference(type_.target, type_.space, what, lowering.place(node), pointer=value, nullable=True)
    return Scalar(type_, value)  # type: ignore[arg-type]


def _joined(path: str, step: str) -> str:
    return f"{path}.{step}" if path else step
