"""Annotations of parameters, results and variables."""

from __future__ import annotations

import ast
from types import FunctionType
from typing import TYPE_CHECKING

from skverdict.dsl.contexts import CONTEXT_CLASSES, SOCKET_CLASSES
from skverdict.dsl.errors import Diagnostic
from skverdict.dsl.frontend.refusal import Refused
from skverdict.dsl.frontend.source import Source
from skverdict.dsl.frontend.values import ScalarType, type_name
from skverdict.dsl.ir.types import VOID, BigEndian, Bool, Int, Opaque, Type
from skverdict.dsl.layout import LayoutError, type_of
from skverdict.dsl.maps import CellOf
from skverdict.dsl.structs import is_of_kernel

if TYPE_CHECKING:
    from skverdict.dsl.frontend.scope import PolicyScope


class Annotation:
    """What an annotation says: a type of the language or a context, perhaps `| None`; all empty if absent.

    A `cell` is a place that holds a scalar, not the scalar.
    """

    __slots__ = ("cell", "context", "optional", "type")

    def __init__(
        self,
        type_: Type | None = None,
        context: str | None = None,
        optional: bool = False,
        cell: bool = False,
    ) -> None:
        self.cell = cell
        self.type = type_
        self.context = context
        self.optional = optional

    @property
    def is_scalar(self) -> bool:
        return isinstance(self.type, (Int, BigEndian, Bool)) and not self.cell

    @property
    def is_place(self) -> bool:
        """True for a place in memory."""
        return self.context is None and self.type is not None and not self.is_scalar and self.type != VOID

    @property
    def scalar(self) -> ScalarType:
        assert isinstance(self.type, (Int, BigEndian, Bool))
        return self.type

    @property
    def nothing(self) -> bool:
        """True for a function that gives nothing back."""
        return self.context is None and (self.type is None or self.type == VOID)

    @property
    def text(self) -> str:
        """The annotation in the user's words."""
        if self.context is not None:
            return next(cls.__name__ for cls, name in CONTEXT_CLASSES.items() if name == self.context)
        name = type_name(self.type) if self.type is not None else "anything"
        return f"Cell[{name}]" if self.cell else name


def read_annotation(
    scope: PolicyScope, source: Source, function: FunctionType, node: ast.expr | None
) -> Annotation:
    """What the annotation `node` of `function` says. Raises Refused."""
    if node is None:
        return Annotation()
    if isinstance(node, ast.Constant) and node.value is None:
        return Annotation(VOID)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return _read_string(scope, source, function, node, node.value)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        for one, other in ((node.left, node.right), (node.right, node.left)):
            if isinstance(other, ast.Constant) and other.value is None:
                inner = read_annotation(scope, source, function, one)
                return Annotation(inner.type, inner.context, optional=True, cell=inner.cell)
    return _of_object(source, node, _evaluate(source, function, node))


def _read_string(
    scope: PolicyScope, source: Source, function: FunctionType, node: ast.expr, text: str
) -> Annotation:
    try:
        inner = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError):
        raise _refuse(source, node, f"{text!r} is not a type") from None
    for part in ast.walk(inner):
        ast.copy_location(part, node)
    return read_annotation(scope, source, function, inner)


def _evaluate(source: Source, function: FunctionType, node: ast.expr) -> object:
    if isinstance(node, ast.Name) and node.id in function.__globals__:
        return function.__globals__[node.id]
    try:
        code = compile(ast.Expression(node), source.path, "eval")
        return eval(code, function.__globals__)
    except NameError as error:
        name = getattr(error, "name", None) or source.segment(node)
        from skverdict.dsl.frontend.imports import unknown_name

        hint = unknown_name(name, [*function.__globals__, "bool"])
        raise _refuse(source, node, f"unknown name `{name}` in a type", hint) from None
    except Exception as error:
        raise _refuse(source, node, f"this type cannot be evaluated: {error}") from None


def _of_object(source: Source, node: ast.expr, thing: object) -> Annotation:
    if isinstance(thing, type) and thing in CONTEXT_CLASSES:
        return Annotation(context=CONTEXT_CLASSES[thing])
    if thing is None:
        return Annotation(VOID)
    alternatives = getattr(thing, "__args__", ())
    if type(None) in alternatives and len(alternatives) == 2:
        # `Optional[T]`, and a name that stands for `T | None`.
        inner = _of_object(source, node, next(one for one in alternatives if one is not type(None)))
        return Annotation(inner.type, inner.context, optional=True, cell=inner.cell)
    if isinstance(thing, type) and thing in SOCKET_CLASSES:
        return Annotation(Opaque(SOCKET_CLASSES[thing]))
    if isinstance(thing, type) and is_of_kernel(thing):
        return Annotation(Opaque(thing.__name__))
    try:
        if isinstance(thing, CellOf):
            return Annotation(type_of(thing.type), cell=True)
        return Annotation(type_of(thing))
    except LayoutError as error:
        raise _refuse(source, node, error.message, error.hint) from None


def _refuse(source: Source, node: ast.AST, message: str, hint: str = "") -> Refused:
    return Refused(Diagnostic(source.place(node), message, hint))
