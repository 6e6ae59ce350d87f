"""Which policies a verifier may refuse though the compiler takes them.

Straight programs with places known beforehand leave nothing for it to find out. Loops may be too much work for it,
and of a computed place or length it may know less than the front end has shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.codegen.pipeline import goes_back
from skverdict.dsl.catalogue.helpers import HELPERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from skverdict.dsl.ir.module import Function, Module, Operation, Value

# Operations that have a place in memory as their second operand.
_PLACES = frozenset(("element", "part", "packet.view"))


def is_at_risk(module: Module) -> bool:
    """True if it is worth to go through the programs as a verifier does."""
    return any(goes_back(function) or _computes_places(function) for function in module.functions)


def _computes_places(function: Function) -> bool:
    constants: set[int] = set()
    for block in function.blocks:
        for operation in block.operations:
            if operation.name == "const" and operation.result is not None:
                constants.add(operation.result.number)
            elif any(value.number not in constants for value in _places(operation)):
                return True
    return False


def _places(operation: Operation) -> Iterator[Value]:
    """The operands that say where in memory, or how much of it."""
    if operation.name in _PLACES:
        yield from operation.operands[1:]
    elif operation.name == "call.helper":
        arguments = HELPERS[str(operation.attributes["helper"])].arguments
        for argument, value in zip(arguments, operation.operands, strict=False):
            if argument.kind == "size":
                yield value
