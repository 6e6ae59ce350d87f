"""What every function of a policy must look like."""

from __future__ import annotations

import ast

from skverdict.dsl.errors import Diagnostic
from skverdict.dsl.frontend.refusal import Refused
from skverdict.dsl.frontend.source import FunctionNode, Source


def refusal(source: Source, node: ast.AST, message: str, hint: str = "") -> Refused:
    """The exception to raise for a mistake in a definition."""
    return Refused(Diagnostic(source.place(node), message, hint))


def parameters_of(definition: FunctionNode) -> list[ast.arg]:
    """All the parameters of a function that the policy calls."""
    return [*definition.args.args, *definition.args.kwonlyargs]


def check_definition(source: Source, node: FunctionNode, is_called: bool = False) -> None:
    """Raises Refused for a kind of function, or of parameter, that the language does not have.

    Only what the policy itself calls may have defaults, and parameters that are given by name alone.
    """
    if isinstance(node, ast.AsyncFunctionDef):
        raise refusal(source, node, "an async function cannot run in the kernel", "write a plain `def`")
    arguments = node.args
    for extra, stars in ((arguments.vararg, "*"), (arguments.kwarg, "**")):
        if extra is not None:
            raise refusal(source, extra, f"`{stars}{extra.arg}` is not supported", "name each parameter")
    for one in (*arguments.posonlyargs, *(() if is_called else arguments.kwonlyargs)):
        raise refusal(source, one, "write parameters without `/` and `*`")
    if is_called:
        return
    for default in arguments.defaults:
        raise refusal(source, default, "a parameter cannot have a default", "pass the value at each call")
