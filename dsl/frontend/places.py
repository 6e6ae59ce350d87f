"""What an expression names as a place in memory, where its value is not what is meant."""

from __future__ import annotations

import ast

from skverdict.dsl.frontend.dispatch import evaluate
from skverdict.dsl.frontend.lowering import Lowering
from skverdict.dsl.frontend.memory import element, member
from skverdict.dsl.frontend.values import GlobalValue, Operand, Reference, with_article
from skverdict.dsl.ir.types import Array, Struct, align_of, size_of


def place_of(lowering: Lowering, node: ast.expr) -> Operand | None:
    """The aligned place of a member, an element or the `.value` of a cell or variable; what else a name is.

    None for an attribute or subscript that has no place. Raises Refused for one that may not be aligned.
    """
    if isinstance(node, ast.Attribute):
        owner = _owner(lowering, node.value)
        if isinstance(owner, Reference) and not isinstance(owner.target, Struct):
            return owner if node.attr == "value" else None
        return _part(lowering, node, owner)
    if isinstance(node, ast.Subscript):
        owner = _owner(lowering, node.value)
        if isinstance(owner, Reference) and isinstance(owner.target, Array):
            return element(lowering, node, owner, evaluate(lowering, node.slice))
        return None
    return evaluate(lowering, node) if isinstance(node, ast.Name) else None


def _part(lowering: Lowering, node: ast.Attribute, owner: Operand) -> Reference | None:
    """A member of a structure, or what a variable holds."""
    if isinstance(owner, GlobalValue):
        from skverdict.dsl.frontend.globals import place

        return place(lowering, node, owner)
    if isinstance(owner, Reference) and isinstance(owner.target, Struct):
        found = member(lowering, node, owner)
        _check_alignment(lowering, node, owner.target, found)
        return found
    return None


def _owner(lowering: Lowering, node: ast.expr) -> Operand:
    """What a member or element is of: structures inside structures are looked at for their alignment."""
    if isinstance(node, ast.Attribute):
        found = _part(lowering, node, _owner(lowering, node.value))
        if found is not None:
            return found
    return evaluate(lowering, node)


def _check_alignment(lowering: Lowering, node: ast.Attribute, owner: Struct, found: Reference) -> None:
    """A member of a packed structure may lie anywhere, which the kernel does not take."""
    if owner.align < align_of(found.target):
        raise lowering.refuse(
            node, f"`{owner.name}` is packed, so its {size_of(found.target)} bytes here may not be aligned",
            f"leave out `packed=True`: {with_article(owner.name)} is then aligned by itself",
        )  # fmt: skip
