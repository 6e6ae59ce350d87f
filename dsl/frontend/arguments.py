"""Which argument of a call goes to which parameter."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from skverdict.dsl.frontend.lowering import Lowering
from skverdict.dsl.frontend.refusal import suggestion


def refuse_stars(lowering: Lowering, node: ast.Call) -> None:
    """Raises Refused for `*` and `**` in a call."""
    for argument in node.args:
        if isinstance(argument, ast.Starred):
            raise lowering.refuse(
                argument, "`*` in front of an argument is not supported", "pass the arguments one by one"
            )
    for keyword in node.keywords:
        if keyword.arg is None:
            raise lowering.refuse(
                keyword.value, "`**` in front of an argument is not supported", "pass the arguments by name"
            )


def assign_arguments(
    lowering: Lowering, node: ast.Call, what: str, names: Sequence[str], optional: Sequence[str] = ()
) -> dict[str, ast.expr]:
    """The argument expressions by parameter name, in the order of the call, which has no stars.

    Raises Refused.
    """
    found = dict(zip(names, node.args, strict=False))
    if len(node.args) > len(names):
        raise lowering.refuse(
            node.args[len(names)], f"{what} takes {_count(len(names))}, not {len(node.args)}",
            f"its arguments are {_signature(names, optional)}" if names else "leave it out",
        )  # fmt: skip
    for keyword in node.keywords:
        assert keyword.arg is not None
        if keyword.arg not in names:
            raise lowering.refuse(
                keyword, f"{what} has no parameter `{keyword.arg}`", suggestion(keyword.arg, names)
            )
        if keyword.arg in found:
            raise lowering.refuse(keyword, f"{what} is given `{keyword.arg}` twice")
        found[keyword.arg] = keyword.value
    missing = [name for name in names if name not in found and name not in optional]
    if missing:
        listed = ", ".join(f"`{name}`" for name in missing)
        raise lowering.refuse(node, f"{what} also needs {listed}", f"its arguments are {_signature(names, optional)}")
    return found


def _signature(names: Sequence[str], optional: Sequence[str]) -> str:
    return f"({', '.join(f'{name}=...' if name in optional else name for name in names)})"


def _count(number: int) -> str:
    if number == 0:
        return "no arguments"
    return "1 argument" if number == 1 else f"{number} arguments"
