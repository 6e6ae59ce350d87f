"""Where a program may go on in another one."""

from __future__ import annotations

import ast

from skverdict.dsl.frontend.leases import check_none_held
from skverdict.dsl.frontend.lowering import Lowering
from skverdict.dsl.ir.module import SUBPROGRAM, Map
from skverdict.dsl.ir.types import I32, VOID


def check_tail_call(lowering: Lowering, node: ast.AST, map_: Map) -> None:
    """Raises Refused for a tail call that the kernel refuses, or that would give what nobody expects."""
    if lowering.callback:
        raise lowering.refuse(
            node, "a function that a helper calls back cannot make a tail call",
            "note what to do, and make the call when the helper is back",
        )  # fmt: skip
    if lowering.function.kind == SUBPROGRAM and lowering.function.result not in (I32, VOID):
        raise lowering.refuse(
            node, "the program that a tail call goes to gives an i32, to the callers of this function",
            f"let `{lowering.function.name}` give an i32, or make the call in the program itself",
        )  # fmt: skip
    check_none_held(lowering, node, "makes a tail call")
    _check_array_kind(lowering, node, map_)


def _check_array_kind(lowering: Lowering, node: ast.AST, map_: Map) -> None:
    """Raises Refused where the programs in the array are of another kind than this one."""
    kinds = {lowering.scope.kinds[name] for _, name in map_.initial if name in lowering.scope.kinds}
    other = next((kind for kind in kinds if kind != lowering.kind), None)
    if other is not None:
        raise lowering.refuse(
            node, f"`{map_.name}` holds {other} programs, and this is for a {lowering.kind} program",
            "the kernel takes programs of one kind in an array and from it",
        )  # fmt: skip
