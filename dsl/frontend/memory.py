"""Places in memory: addresses, members, elements, and what may be read or written there."""

from __future__ import annotations

import ast

from skverdict.dsl.errors import Place
from skverdict.dsl.frontend.convert import as_scalar, convert
from skverdict.dsl.frontend.lowering import Lowering
from skverdict.dsl.frontend.refusal import suggestion
from skverdict.dsl.frontend.state import refers_to
from skverdict.dsl.frontend.values import (
    ContextArray,
    ContextValue,
    Operand,
    Reference,
    Scalar,
    describe,
    type_name,
    with_article,
)
from skverdict.dsl.ir.module import Value
from skverdict.dsl.ir.types import (
    BOOL,
    U32,
    U64,
    Array,
    BigEndian,
    Bool,
    Int,
    Opaque,
    Pointer,
    Space,
    Struct,
    Type,
    is_context,
)

SCALAR_KINDS = (Int, BigEndian, Bool)
# Structures that only helpers read and write where they lie in a map.
KERNEL_STRUCTS = ("bpf_spin_lock", "bpf_timer")


def raw_pointer(lowering: Lowering, node: ast.AST, reference: Reference) -> Value:
    """The address of a reference, whether or not it was tested. Raises Refused for a view that has ended."""
    if reference.epoch is not None and reference.epoch != lowering.here.epoch:
        raise _ended(lowering, node, reference)
    if reference.lease is not None:
        from skverdict.dsl.frontend.leases import check_use

        check_use(lowering, node, reference)
    if reference.pointer is not None:
        return reference.pointer
    assert reference.local is not None
    type_ = Pointer(reference.target, Space.STACK)
    return lowering.emit(node, "local.address", (), type_, local=reference.local)


def _ended(lowering: Lowering, node: ast.AST, reference: Reference) -> Exception:
    moved = lowering.here.epoch
    notes: list[tuple[Place, str]] = [(reference.origin, "the view was made here")]
    if moved.place is not None:
        notes.append((moved.place, f"`{moved.call}` may have moved the packet here"))
    return lowering.refuse(
        node,
        f"this view of the packet ended when `{moved.call}` was called on line "
        f"{moved.place.line if moved.place else '?'}",
        "make the view again after that call",
        notes,
    )


def pointer(lowering: Lowering, node: ast.AST, reference: Reference) -> Value:
    """The address of a reference that is known not to be NULL. Raises Refused otherwise."""
    if reference.nullable:
        origin = [(reference.origin, "it comes from here")] if isinstance(node, ast.Name) else []
        message = f"{reference.what} may be None here"
        raise lowering.refuse(node, message, test_hint(lowering, node), origin)
    address = raw_pointer(lowering, node, reference)
    assert isinstance(address.type, Pointer)
    if address.type.nullable:
        sure = Pointer(address.type.target, address.type.space)
        return lowering.emit(node, "assume_non_null", (address,), sure)
    return address


def test_hint(lowering: Lowering, node: ast.AST) -> str:
    """How to test what may be None."""
    if isinstance(node, ast.Name):
        return f"test it first, such as `if {node.id} is None: return SK_DROP`"
    return "give it a name and test that with `is None`"


def is_null(lowering: Lowering, node: ast.AST, reference: Reference) -> Value:
    return lowering.emit(node, "is_null", (raw_pointer(lowering, node, reference),), BOOL)


def _give_back(node: ast.Attribute, reference: Reference) -> str:
    """What to write instead of the method of a record, if that is what is meant."""
    is_meant = reference.lease is not None and node.attr in reference.lease.remedy
    return reference.lease.remedy if reference.lease is not None and is_meant else ""


def _no_method(lowering: Lowering, node: ast.Attribute, struct: Struct) -> str:
    """What to write instead of a method or property of the class that declares the structure."""
    declared = lowering.frame.function.__globals__.get(struct.name)
    if not isinstance(declared, type) or node.attr not in vars(declared):
        return ""
    return f"a structure has no methods: write `def {node.attr}(it: {struct.name}) -> ...:` under @inline"


def member(lowering: Lowering, node: ast.Attribute, reference: Reference) -> Reference:
    """The member that `node` names, of the structure that its value gave. Raises Refused."""
    assert isinstance(reference.target, Struct)
    found = reference.target.member(node.attr)
    if found is None:
        names = [one.name for one in reference.target.members if not one.name.startswith("_bits")]
        raise lowering.refuse(
            node,
            f"`{reference.target.name}` has no member `{node.attr}`",
            _give_back(node, reference)
            or _no_method(lowering, node, reference.target)
            or suggestion(node.attr, names)
            or f"its members are {', '.join(names)}",
        )
    if reference.target.name in KERNEL_STRUCTS:
        raise lowering.refuse(
            node, f"a {reference.target.name} is the kernel's own: its members are not for programs",
            "hand it to its helpers, such as `bpf_spin_lock` or `bpf_timer_start`",
        )  # fmt: skip
    base = pointer(lowering, node.value, reference)
    address = lowering.emit(node, "member", (base,), Pointer(found.type, reference.space), name=found.name)
    return reference.part(address, found.type, f"`{lowering.segment(node)}`")


def check_aligned(lowering: Lowering, node: ast.AST, reference: Reference) -> None:
    """Raises Refused for a part of a packed structure of the stack, which a function would not find aligned there.

    Kernels take no access to the stack that is not (`check_ptr_alignment` in kernel/bpf/verifier.c).
    """
    if reference.loose and reference.space is Space.STACK:
        raise lowering.refuse(
            node, f"{reference.what} is part of a packed structure, and may not be aligned as a function needs it",
            f"hand over a copy: `{lowering.segment(node)}.copy()`, or leave out `packed=True`",
        )  # fmt: skip


def element(
    lowering: Lowering, node: ast.Subscript, reference: Reference, index_operand: Operand
) -> Reference:
    """The element of an array at an index that is known to be in range. Raises Refused."""
    array = reference.target
    assert isinstance(array, Array)
    index = checked_index(lowering, node.slice, index_operand, array.count, type_name(array))
    base = pointer(lowering, node.value, reference)
    address = lowering.emit(
        node, "element", (base, lowering.value(node.slice, index)), Pointer(array.element, reference.space)
    )
    return reference.part(address, array.element, f"`{lowering.segment(node)}`")


def checked_index(
    lowering: Lowering, node: ast.expr, operand: Operand, count: int, what: str
) -> Scalar:
    """An index from 0 to `count` - 1 as an unsigned number. Raises Refused if it could be outside."""
    index = as_scalar(lowering, node, operand)
    if index.constant is not None and not 0 <= index.constant < count:
        raise lowering.refuse(node, f"index {index.constant} is outside of {what} (0 to {count - 1})")
    if isinstance(index.type, (BigEndian, Bool)):
        raise lowering.refuse(node, f"an index must be a number, but this is {describe(index)}")
    if index.low < 0 or index.high >= count:
        text = lowering.segment(node)
        test = f"{text} < {count}" if index.low >= 0 else f"0 <= {text} < {count}"
        raise lowering.refuse(
            node,
            f"this index may be outside of {what}: it is {index.low} to {index.high}",
            f"test it first, such as `if {test}:`",
        )
    wide = isinstance(index.type, Int) and index.type.bits == 64
    return convert(lowering, node, index, U64 if wide else U32)


def load(lowering: Lowering, node: ast.AST, reference: Reference) -> Operand:
    """What a place holds: the number of a scalar place, the place itself of a structure or array."""
    if not isinstance(reference.target, SCALAR_KINDS):
        if is_context(reference.target):
            return _load_context(lowering, node, reference)
        return reference
    address = pointer(lowering, node, reference)
    return Scalar(reference.target, lowering.emit(node, "load", (address,), reference.target))


def _load_context(lowering: Lowering, node: ast.AST, reference: Reference) -> ContextValue:
    """The context that a structure on the stack carries, for a function that is called back."""
    target = reference.target
    assert isinstance(target, Pointer) and isinstance(target.target, Opaque)
    address = pointer(lowering, node, reference)
    return ContextValue(target.target.name, lowering.emit(node, "load", (address,), target))


def store(
    lowering: Lowering, node: ast.AST, reference: Reference, value_node: ast.AST, value: Operand
) -> None:
    """Put a value into a place. Raises Refused."""
    writable(lowering, node, reference)
    target = reference.target
    if isinstance(target, SCALAR_KINDS):
        number = lowering.value(value_node, convert(lowering, value_node, value, target))
        lowering.effect(node, "store", (pointer(lowering, node, reference), number))
        return
    if isinstance(value, ContextValue) and value.value.type == target:
        lowering.effect(node, "store", (pointer(lowering, node, reference), value.value))
        return
    if isinstance(value, ContextArray):
        from skverdict.dsl.frontend.context_fields import store_array

        store_array(lowering, node, reference, value_node, value)
        return
    if not isinstance(value, Reference) or value.target != target:
        raise lowering.refuse(
            value_node, f"{with_article(target)} is needed here, but this is {describe(value)}"
        )
    if not value.fresh:
        raise lowering.refuse(
            value_node,
            "a structure inside another cannot be a second name for this one",
            f"write `{lowering.segment(value_node)}.copy()` to copy it",
        )
    if reference.root is not None:
        for name, binding in lowering.here.names.items():
            is_whole = isinstance(binding, Reference) and binding.local is not None
            if not is_whole and refers_to(binding, reference.root):
                raise lowering.refuse(
                    node,
                    f"`{name}` refers to a part of this structure, and would go on referring to the old one",
                    "assign the members one by one",
                )
    refuse_special(lowering, node, reference)
    source = pointer(lowering, value_node, value)
    lowering.effect(node, "copy", (pointer(lowering, node, reference), source))


def refuse_special(lowering: Lowering, node: ast.AST, reference: Reference) -> None:
    """Raises Refused for all the bytes of an entry that holds a lock or timer, which no program may touch."""
    if reference.space is Space.MAP_VALUE and special_members(reference.target):
        name = special_members(reference.target)[0]
        raise lowering.refuse(
            node, f"{reference.what} holds a {name}, which the kernel lets nobody copy",
            "take the other members one by one",
        )  # fmt: skip


def special_members(type_: Type) -> list[str]:
    """The kernel's structures inside a value, one name for each."""
    if isinstance(type_, Array):
        return special_members(type_.element) * type_.count
    if not isinstance(type_, Struct):
        return []
    if type_.name in KERNEL_STRUCTS:
        return [type_.name]
    return [name for member in type_.members for name in special_members(member.type)]


def writable(lowering: Lowering, node: ast.AST, reference: Reference) -> None:
    """Raises Refused if the program may not write there."""
    if reference.read_only:
        raise lowering.refuse(node, f"{reference.what} cannot be changed: {reference.read_only}")
    if reference.space is Space.PACKET and lowering.kind == "sock_ops":
        raise lowering.refuse(node, "a sock_ops program cannot write to the packet")


def new_struct(lowering: Lowering, node: ast.AST, target: Type, name: str) -> Reference:
    """A new aggregate on the stack, all its bytes zero."""
    local = lowering.new_local(name, target)
    lowering.effect(node, "local.zero", (), local=local)
    lowering.frame.owned.add(local)
    return Reference(target, Space.STACK, f"`{name}`", lowering.place(node), local=local, fresh=True)


def spill(lowering: Lowering, node: ast.AST, scalar: Scalar, name: str) -> Value:
    """The address of a number on the stack, for the next call."""
    assert scalar.type is not None
    local = lowering.scratch(name, scalar.type)
    lowering.effect(node, "local.set", (lowering.value(node, scalar),), local=local)
    return lowering.emit(node, "local.address", (), Pointer(scalar.type, Space.STACK), local=local)


def on_stack(lowering: Lowering, node: ast.AST, reference: Reference, name: str) -> Value:
    """The address of the same bytes on the stack: itself if it lies there, else a copy for the next call."""
    address = pointer(lowering, node, reference)
    if reference.space is Space.STACK:
        return address
    refuse_special(lowering, node, reference)
    local = lowering.scratch(name, reference.target)
    copy = lowering.emit(node, "local.address", (), Pointer(reference.target, Space.STACK), local=local)
    lowering.effect(node, "copy", (copy, address))
    return copy


def duplicate(lowering: Lowering, node: ast.AST, reference: Reference) -> Reference:
    """`reference.copy()`: a new structure on the stack with the same bytes."""
    refuse_special(lowering, node, reference)
    source = pointer(lowering, node, reference)
    twin = new_struct(lowering, node, reference.target, lowering.take_name("copy"))
    lowering.effect(node, "copy", (pointer(lowering, node, twin), source))
    return twin
