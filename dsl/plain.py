"""A policy's functions called as ordinary Python, on test values, with the meaning that they have compiled.

The types of `scalars` compute as a program does. What is left is what a program gets from its declared and
inferred types, which Python would not know: a function is rewritten so that parameters, results and variables
take theirs, a variable that begins with a literal is an i64, the sides of a conditional expression and the
operands of `min` and `max` meet in one type, sums in brackets are positions (`positions`), and a case of a `match`
is what bytes begin with.

A variable takes its type from the assignment that runs first, in a program from the one that is written first:
where branches begin it with different types, it needs an annotation to be the same.
"""

from __future__ import annotations

import ast
import inspect
import operator
import textwrap
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from enum import Enum
from functools import partial
from types import CodeType, FunctionType
from typing import Any

from skverdict.dsl.atomics import Atomic
from skverdict.dsl.contexts import PacketData
from skverdict.dsl.frontend.assigned import assignment_counts, is_counter
from skverdict.dsl.positions import is_plain, summed
from skverdict.dsl.scalars import TYPES, BigEndian, Counter, Integer, common_type

_PREFIX = "__skverdict_"
# Functions without an effect.
_PURE = (*(kind.__name__ for kind in TYPES.values()), "bool", "min", "max", "abs", "len", "host", "raw")
_I64, _U64 = TYPES[64, True], TYPES[64, False]


def instrumented(function: FunctionType) -> FunctionType:
    """The same function with the rules above in it; the function itself if its source cannot be found."""
    try:
        lines, first = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError):
        return function
    definition = tree.body[0]
    if not isinstance(definition, ast.FunctionDef) or definition.name != function.__name__:
        return function
    definition.decorator_list = []
    _Rewriter(definition, function.__globals__).rewrite()
    ast.increment_lineno(tree, first - 1)
    code = _code_of(definition, function)
    if code is None:
        return function
    twin = FunctionType(code, function.__globals__, function.__name__, function.__defaults__, function.__closure__)
    twin.__kwdefaults__ = function.__kwdefaults__
    twin.__dict__.update(function.__dict__)
    twin.__annotations__ = function.__annotations__
    twin.__module__, twin.__doc__, twin.__qualname__ = function.__module__, function.__doc__, function.__qualname__
    for name, hook in _HOOKS.items():
        function.__globals__.setdefault(_PREFIX + name, hook)
    return twin


def _code_of(definition: ast.FunctionDef, function: FunctionType) -> CodeType | None:
    """The compiled definition, with the same free names and first line as the function has."""
    free = function.__code__.co_freevars
    definition.returns, definition.args.defaults, definition.args.kw_defaults = None, [], []
    for one in (*definition.args.posonlyargs, *definition.args.args, *definition.args.kwonlyargs):
        one.annotation = None
    outer: ast.FunctionDef = ast.parse("def outer():\n    pass").body[0]  # type: ignore[assignment]
    names = [ast.Assign([ast.Name(name, ast.Store())], ast.Constant(None)) for name in free]
    outer.body = [*names, definition]
    module = ast.fix_missing_locations(ast.Module([outer], []))
    for code in _codes(compile(module, function.__code__.co_filename, "exec", dont_inherit=True)):
        if code.co_name == function.__name__ and code.co_freevars == free:
            return code.replace(co_firstlineno=function.__code__.co_firstlineno)
    return None


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


class _Rewriter(ast.NodeTransformer):
    """Puts calls of the hooks below into a definition."""

    def __init__(self, definition: ast.FunctionDef, names: Mapping[str, object]) -> None:
        self.definition = definition
        self.names = names
        self.counts = assignment_counts(definition, walrus=True)
        # Names that need a type of their own: annotated, or assigned in more than one place.
        self.declared: dict[str, ast.expr] = {}

    def rewrite(self) -> None:
        definition = self.definition
        for node in ast.walk(definition):
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                self.declared[node.target.id] = node.annotation
        body = [self.visit(statement) for statement in definition.body]
        begin: list[ast.stmt] = [_assign(_PREFIX + "types", ast.Dict([], []))]
        for one in (*definition.args.args, *definition.args.kwonlyargs):
            if one.annotation is not None:
                begin.append(_assign(one.arg, _hook("take", one.annotation, _name(one.arg), ast.Constant(one.arg))))
            if self.counts[one.arg] > 1:
                begin.append(_assign(one.arg, self._put(one.arg, _name(one.arg))))
        definition.body = [*begin, *body]

    def _put(self, name: str, value: ast.expr) -> ast.expr:
        if name in self.declared:
            return _hook("take", self.declared[name], value, ast.Constant(name))
        if self.counts.get(name, 0) > 1:
            return _hook("put", _name(_PREFIX + "types"), ast.Constant(name), value)
        return value

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        self.generic_visit(node)
        if len(node.targets) == 1:
            node.value = self._put_to(node.targets[0], node.value)
        return node

    def _put_to(self, target: ast.expr, value: ast.expr) -> ast.expr:
        if isinstance(target, ast.Name):
            return self._put(target.id, value)
        rows = (ast.Tuple, ast.List)
        if isinstance(target, rows) and isinstance(value, rows):
            value.elts = [self._put_to(*pair) for pair in zip(target.elts, value.elts, strict=False)]
        return value

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is None or not isinstance(node.target, ast.Name):
            return ast.copy_location(ast.Pass(), node)
        value = self._put(node.target.id, self.visit(node.value))
        return ast.copy_location(ast.Assign([node.target], value), node)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.target, ast.Name):
            return node
        value = ast.BinOp(_name(node.target.id), node.op, node.value)
        return ast.copy_location(ast.Assign([node.target], self._put(node.target.id, value)), node)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> ast.AST:
        self.generic_visit(node)
        node.value = self._put(node.target.id, node.value)
        return node

    def visit_For(self, node: ast.For) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.iter, ast.Call):
            node.iter = _hook("count", node.iter)
        for part in ast.walk(node.target):
            if isinstance(part, ast.Name) and not is_counter(self.definition, part.id, self.counts[part.id]):
                node.body.insert(0, _assign(part.id, self._put(part.id, _name(part.id))))
        return node

    def visit_Match(self, node: ast.Match) -> ast.AST:
        self.generic_visit(node)
        node.subject = _hook("matched", node.subject)
        for case in node.cases:
            for part in ast.walk(case.pattern):
                if isinstance(part, ast.MatchAs) and part.name:
                    _take_out(case, part.name)
        return node

    def visit_Return(self, node: ast.Return) -> ast.AST:
        self.generic_visit(node)
        if node.value is not None and self.definition.returns is not None:
            node.value = _hook("take", self.definition.returns, node.value, ast.Constant("the result"))
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.left, (ast.Attribute, ast.Name, ast.Subscript)):
            node.left = _hook("number", node.left)
        return node

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        is_pure = [_is_pure(side) for side in (node.body, node.orelse)]
        self.generic_visit(node)
        for side, other, pure in (("body", node.orelse, is_pure[1]), ("orelse", node.body, is_pure[0])):
            beside = _thunk(deepcopy(other)) if pure else ast.Constant(None)
            setattr(node, side, ast.Tuple([getattr(node, side), beside], ast.Load()))
        return _hook("choose", ast.Starred(node, ast.Load()))

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        """What is written in brackets, of which only the thing itself knows whether it is a position of bytes."""
        if isinstance(node.slice, ast.Slice):
            for end in ("lower", "upper"):
                written = getattr(node.slice, end)
                setattr(node.slice, end, written and self._position(written))
        elif isinstance(node.ctx, ast.Load):
            node.slice = self._position(node.slice)
        else:
            node.slice = self.visit(node.slice)
        node.value = self.visit(node.value)
        return node

    def _position(self, node: ast.expr) -> ast.expr:
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, (ast.Add, ast.Sub)):
            found: ast.expr = self.visit(node)
            return found
        name = "add" if isinstance(node.op, ast.Add) else "subtract"
        return _hook(name, _hook("number", self._position(node.left)), self._position(node.right))

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in ("min", "max") and node.func.id not in self.counts:
            return _hook("extreme", node.func, *node.args)
        if isinstance(node.func, ast.Name) and node.func.id == "len" and node.func.id not in self.counts:
            return _hook("length", node.func, *node.args)
        if isinstance(node.func, ast.Name) and isinstance(self.names.get(node.func.id), Atomic) and node.args:
            return _atomic_call(node)
        return node


def _take_out(case: ast.match_case, name: str) -> None:
    """Let a name of a case stand for the bytes, rather than for how a `match` looks at them."""
    seen = _hook("seen", _name(name))
    if case.guard is None:
        case.body.insert(0, _assign(name, seen))
        return
    both = ast.Tuple([ast.NamedExpr(ast.Name(name, ast.Store()), seen), case.guard], ast.Load())
    case.guard = ast.Subscript(both, ast.Constant(1), ast.Load())


def _atomic_call(node: ast.Call) -> ast.Call:
    """An atomic operation on the place that its first argument names."""
    place = node.args[0]
    if isinstance(place, ast.Attribute):
        return _hook("atomic", node.func, place.value, ast.Constant(place.attr), *node.args[1:])
    if isinstance(place, ast.Subscript):
        return _hook("atomic", node.func, place.value, place.slice, *node.args[1:])
    return node


def _is_pure(node: ast.expr) -> bool:
    """True for an expression that may be evaluated for its type alone."""
    for part in ast.walk(node):
        if isinstance(part, ast.NamedExpr):
            return False
        if isinstance(part, ast.Call):
            name = part.func.attr if isinstance(part.func, ast.Attribute) else getattr(part.func, "id", "")
            if name not in _PURE:
                return False
    return True


def _name(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def _assign(name: str, value: ast.expr) -> ast.Assign:
    return ast.Assign([ast.Name(name, ast.Store())], value)


def _hook(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(_name(_PREFIX + name), list(arguments), [])


def _thunk(node: ast.expr) -> ast.expr:
    empty = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
    return ast.Lambda(empty, node)


def take(annotation: object, value: object, name: str) -> object:
    """`value` as what is declared. Raises OverflowError for a number that does not fit, TypeError for no number."""
    if isinstance(annotation, type) and issubclass(annotation, Integer) and annotation.BITS:
        if isinstance(value, BigEndian) or not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"{name} is {annotation.__name__}, but this is {type(value).__name__}")
        if not annotation.holds(value):
            raise OverflowError(f"{name} is {annotation.__name__}, but this is {int(value)}")
        return annotation(value)
    return value


def _put(types: dict[str, type[Integer]], name: str, value: object) -> object:
    """The value of a variable that is assigned more than once: the first gives it its type."""
    if isinstance(value, BigEndian) or not isinstance(value, int) or isinstance(value, bool):
        return value
    kind = types.get(name)
    if kind is None:
        if isinstance(value, Integer) and not isinstance(value, Counter):
            kind = type(value)
        else:
            kind = _I64 if _I64.holds(value) else _U64
        types[name] = kind
    return take(kind, value, name)


def _number(thing: object) -> object:
    """What stands on the left of an operator; of a member of an enumeration the number, which leaves it to the right.

    Python asks the left side first, and an `IntEnum` would not know of types.
    """
    return int(thing) if isinstance(thing, Enum) and isinstance(thing, int) else thing


class _Matched:
    """The bytes that a `match` looks at: each of its cases is what they begin with."""

    __slots__ = ("content",)

    def __init__(self, content: Any) -> None:
        self.content = content

    def __eq__(self, other: object) -> bool:
        return isinstance(other, bytes) and bool(self.content.startswith(other))

    __hash__ = None  # type: ignore[assignment]


def _matched(subject: object) -> object:
    return _Matched(subject) if hasattr(subject, "startswith") else subject


def _seen(subject: object) -> object:
    return subject.content if isinstance(subject, _Matched) else subject


def _count(numbers: object) -> object:
    if isinstance(numbers, range):
        return (Counter(number) for number in numbers)
    return numbers


def _choose(chosen: object, other: Callable[[], object] | None) -> object:
    """One of two values, as the type that both sides have in common; `other` gives the other one, if it may."""
    if isinstance(chosen, bool) or not isinstance(chosen, int):
        return chosen
    beside: object = None
    if other is not None:
        try:
            beside = other()
        except Exception:
            return chosen
    return _in_common(chosen, beside)


def _in_common(chosen: int, beside: object) -> int:
    plain = not isinstance(chosen, Integer) or isinstance(chosen, Counter)
    if isinstance(beside, bool) or not isinstance(beside, int):
        return chosen
    if not isinstance(beside, Integer) or isinstance(beside, Counter):
        if plain:
            return Counter(chosen)
        return chosen if type(chosen).holds(beside) else _I64(chosen)  # type: ignore[attr-defined]
    if plain:
        return type(beside)(chosen) if type(beside).holds(chosen) else _I64(chosen)
    assert isinstance(chosen, Integer)
    return common_type(type(chosen), type(beside), min(chosen, beside))(chosen)


def _extreme(pick: Callable[..., Any], first: Any, *others: Any) -> object:
    """`min` or `max` of numbers, each pair in the type that both have in common."""
    for other in others:
        chosen = pick(first, other)
        if isinstance(chosen, int) and not (is_plain(first) and is_plain(other)):
            beside = other if chosen is first else first
            chosen = _in_common(chosen, beside)
        first = chosen
    return first


def _length(count: Callable[[object], int], thing: object) -> int:
    """How many there are: of a message's bytes, which are known only when the program runs, a u32."""
    return TYPES[32, False](count(thing)) if isinstance(thing, PacketData) else count(thing)


def _atomic(operation: Atomic, holder: Any, part: Any, *numbers: Any) -> object:
    """Change a member, if `part` is its name, or an element; what was there before."""
    old = getattr(holder, part) if isinstance(part, str) else holder[part]
    new = _ATOMIC[operation.name](old, *numbers)
    if isinstance(part, str):
        setattr(holder, part, new)
    else:
        holder[part] = new
    return old


_ATOMIC: dict[str, Callable[..., Any]] = {
    "atomic_add": lambda old, number: old + number,
    "atomic_and": lambda old, number: old & number,
    "atomic_or": lambda old, number: old | number,
    "atomic_xor": lambda old, number: old ^ number,
    "atomic_exchange": lambda old, number: number,
    "atomic_compare_exchange": lambda old, expected, number: number if old == expected else old,
}

_HOOKS: dict[str, Callable[..., object]] = {
    "take": take,
    "put": _put,
    "count": _count,
    "number": _number,
    "matched": _matched,
    "seen": _seen,
    "choose": _choose,
    "extreme": _extreme,
    "length": _length,
    "add": partial(summed, operator.add, 1),
    "subtract": partial(summed, operator.sub, -1),
    "atomic": _atomic,
}
