"""Policies changed at will, in their tokens, lines or syntax trees, and which of them may be run."""

from __future__ import annotations

import ast
import builtins
import io
import keyword
import tokenize
import warnings
from collections.abc import Callable, Sequence
from copy import deepcopy
from random import Random

#: Numbers at which widths, packets, stacks and maps end.
NUMBERS = (
    "0", "1", "2", "3", "4", "7", "8", "15", "16", "31", "32", "33", "63", "64", "65", "127", "128", "255", "256",
    "511", "512", "513", "4095", "4096", "32767", "32768", "65535", "65536", "0x7fffffff", "0x80000000", "0xffffffff",
    "0x100000000", "0x7fffffffffffffff", "0x8000000000000000", "0xffffffffffffffff", "0x10000000000000000", "1.5",
    "1j", "True", "None", "b''", "b'\\xff'", "'text'", "()", "[]", "{}", "...",
)  # fmt: skip
#: Operators that may stand where another of them does.
OPERATORS = (
    ("+", "-", "*", "/", "//", "%", "**", "@", "<<", ">>", "&", "|", "^", "<", ">", "<=", ">=", "==", "!="),
    ("=", "+=", "-=", "*=", "//=", "%=", "<<=", ">>=", "&=", "|=", "^="),
    (".", ",", ":", "(", ")", "[", "]", ":=", "~"),
)
WORDS = (
    "and", "or", "not", "in", "is", "is not", "if", "else", "for", "while", "return", "break", "continue", "pass",
    "lambda", "yield", "await", "del", "global", "nonlocal", "assert", "raise", "try", "with", "match", "case", "_",
    "u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64", "be16", "be32", "be64", "int", "bool", "bytes", "len",
    "range", "min", "max", "abs", "print", "sum", "any", "all", "SK_PASS", "SK_DROP", "Struct", "Array", "SkSkb",
    "SkMsg", "SockOps", "Message", "Sock", "Cell",
)  # fmt: skip
#: How often an expression is put into itself.
_DEPTHS = (2, 10, 60, 150, 500)
#: One in so many of what is no Python any more is kept.
_BROKEN = 8

_IMPORTED = ("skverdict.dsl", "skverdict.dsl.helpers", "enum", "typing", "__future__")
_HARMLESS_BUILTINS = {
    "abs", "all", "any", "bool", "bytes", "bytearray", "dict", "divmod", "enumerate", "float", "int", "len", "list",
    "max", "min", "print", "range", "reversed", "set", "sorted", "str", "sum", "tuple", "zip",
}  # fmt: skip
_DECLARATIONS = (ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign, ast.Pass)
_GROWING = (ast.Mult, ast.Pow, ast.LShift)
_MOST = 4096

Mutation = Callable[[str, Random, Sequence[str]], str]


def is_python(text: str) -> bool:
    """True for text that Python can parse."""
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def is_harmless(text: str) -> bool:
    """True for a module that only declares things with what the language offers, so that it may be run.

    Also for one that is no Python, as that is not run.
    """
    if not is_python(text):
        return True
    tree = ast.parse(text)
    named = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    if named & (set(dir(builtins)) - _HARMLESS_BUILTINS) or any(name.startswith("__") for name in named | attributes):
        return False
    return all(_only_declares(node) for node in tree.body)


def _only_declares(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    if not isinstance(statement, _DECLARATIONS):
        return False
    if isinstance(statement, ast.ImportFrom):
        return not statement.level and statement.module in _IMPORTED
    if isinstance(statement, ast.ClassDef):
        return all(_only_declares(each) for each in statement.body) and _ends_soon(statement)
    if isinstance(statement, ast.FunctionDef):
        # Its body is not run.
        return all(_ends_soon(each) for each in (statement.args, *statement.decorator_list))
    return _ends_soon(statement)


def _ends_soon(node: ast.AST) -> bool:
    """True for what makes nothing large out of little when it is run."""
    parts = list(ast.walk(node))
    if any(isinstance(part, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Import)) for part in parts):
        return False
    numbers = [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, int)]
    growing = sum(isinstance(part, ast.BinOp) and isinstance(part.op, _GROWING) for part in parts)
    # A call may make something as large as its argument: `bytes(n)`, `list(range(n))`.
    growing += sum(isinstance(part, ast.Name) and part.id in _HARMLESS_BUILTINS for part in parts)
    return not growing or (growing == 1 and max(numbers, default=0) <= _MOST)


class _Token:
    """A token and where it stands in the text."""

    def __init__(self, start: int, end: int, kind: int, text: str) -> None:
        self.start, self.end, self.kind, self.text = start, end, kind, text


def tokens(text: str) -> list[_Token]:
    """The tokens behind the imports, as far as the text has them."""
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found: list[_Token] = []
    try:
        for each in tokenize.generate_tokens(io.StringIO(text).readline):
            if each.string.strip() and each.type != tokenize.COMMENT and "import" not in each.line:
                start, end = (starts[line - 1] + column for line, column in (each.start, each.end))
                found.append(_Token(start, end, each.type, each.string))
    except (tokenize.TokenError, SyntaxError):
        pass
    return found


def _put(text: str, token: _Token, other: str) -> str:
    return text[: token.start] + other + text[token.end :]


def change_token(text: str, random: Random, words: Sequence[str]) -> str:
    """Put another of its kind in a token's place."""
    found = tokens(text)
    if not found:
        return text
    token = random.choice(found)
    if token.kind == tokenize.NUMBER:
        return _put(text, token, random.choice((random.choice(NUMBERS), str(random.getrandbits(random.randrange(66))))))
    if token.kind == tokenize.NAME and not keyword.iskeyword(token.text):
        own = [each.text for each in found if each.kind == tokenize.NAME]
        return _put(text, token, random.choice((random.choice(own), random.choice(WORDS), random.choice(words))))
    if token.kind == tokenize.OP:
        alike = next((each for each in OPERATORS if token.text in each), (token.text,))
        return _put(text, token, random.choice(alike))
    return _put(text, token, random.choice((*NUMBERS, *WORDS)))


def swap_tokens(text: str, random: Random, words: Sequence[str]) -> str:
    """Let two names, or two other tokens of one kind, change places."""
    found = [each for each in tokens(text) if not keyword.iskeyword(each.text)]
    if not found:
        return text
    kind = random.choice(found).kind
    found = [each for each in found if each.kind == kind]
    if len(found) < 2:
        return text
    first, second = sorted(random.sample(range(len(found)), 2))
    changed = _put(text, found[second], found[first].text)
    return _put(changed, found[first], found[second].text)


def drop_tokens(text: str, random: Random, words: Sequence[str]) -> str:
    """Take some tokens away that follow each other."""
    found = tokens(text)
    if not found:
        return text
    first = random.randrange(len(found))
    last = min(len(found) - 1, first + random.choice((0, 0, 1, 3)))
    return text[: found[first].start] + " " + text[found[last].end :]


def insert_word(text: str, random: Random, words: Sequence[str]) -> str:
    """Put a word, number or operator before a token."""
    found = tokens(text)
    if not found:
        return text
    token = random.choice(found)
    return _put(text, token, f"{random.choice((*WORDS, *NUMBERS, *sum(OPERATORS, ())))} {token.text}")


def move_lines(text: str, random: Random, words: Sequence[str]) -> str:
    """Delete, repeat, move or indent a line."""
    lines = text.splitlines()
    places = [place for place, line in enumerate(lines) if line.strip() and "import" not in line]
    if not places:
        return text
    place, other = random.choice(places), random.choice(places)
    line = lines[place]
    what = random.randrange(4)
    if what != 1:
        del lines[place]
    if what in (1, 2):
        lines.insert(other, line)
    if what == 3:
        lines.insert(place, random.choice(("    " + line, line.removeprefix("    "), "\t" + line)))
    return "\n".join(lines) + "\n"


def _expressions(tree: ast.AST) -> list[tuple[ast.AST, str, int | None]]:
    """Where the expressions stand in the tree: parent, field, and index if that is a list."""
    places: list[tuple[ast.AST, str, int | None]] = []
    for parent in ast.walk(tree):
        if isinstance(parent, (ast.Import, ast.ImportFrom)):
            continue
        for field, value in ast.iter_fields(parent):
            if isinstance(value, ast.expr):
                places.append((parent, field, None))
            elif isinstance(value, list):
                places += [(parent, field, at) for at, each in enumerate(value) if isinstance(each, ast.expr)]
    return places


def _at(place: tuple[ast.AST, str, int | None]) -> ast.expr:
    parent, field, at = place
    value = getattr(parent, field)
    return value if at is None else value[at]  # type: ignore[no-any-return]


def _set(place: tuple[ast.AST, str, int | None], value: ast.expr) -> None:
    parent, field, at = place
    if at is None:
        setattr(parent, field, value)
    else:
        getattr(parent, field)[at] = value


def change_expression(text: str, random: Random, words: Sequence[str]) -> str:
    """Put another expression of the policy in one's place, or around it."""
    tree = ast.parse(text)
    places = _expressions(tree)
    if not places:
        return text
    place = random.choice(places)
    old, other = _at(place), deepcopy(_at(random.choice(places)))
    operator = random.choice((ast.Add(), ast.Sub(), ast.FloorDiv(), ast.Mod(), ast.LShift(), ast.BitXor()))
    comparison = random.choice((ast.Lt(), ast.GtE(), ast.Eq(), ast.Is(), ast.In()))
    _set(
        place,
        random.choice((
            other,
            other,
            ast.BinOp(old, operator, other),
            ast.Compare(old, [comparison], [other]),
            ast.BoolOp(random.choice((ast.And(), ast.Or())), [old, other]),
            ast.IfExp(other, old, deepcopy(old)),
            ast.UnaryOp(random.choice((ast.Not(), ast.USub(), ast.Invert())), old),
            ast.Call(ast.Name(random.choice(WORDS[-28:]), ast.Load()), [old], []),
            ast.Subscript(old, other, ast.Load()),
            ast.Attribute(old, random.choice(words), ast.Load()),
        )),
    )  # fmt: skip
    return ast.unparse(ast.fix_missing_locations(tree))


def deepen(text: str, random: Random, words: Sequence[str]) -> str:
    """Put an expression into itself, many times."""
    tree = ast.parse(text)
    places = _expressions(tree)
    if not places:
        return text
    place = random.choice(places)
    shape = random.choice(("-({})", "({} + 1)", "u32({})", "(not {})", "({}).a", "({})[0]", "(1 if {} else 0)"))
    expression, mark = ast.unparse(_at(place)), "deep_" * 3
    _set(place, ast.Name(mark, ast.Load()))
    depth = random.choice(_DEPTHS)
    head, _, tail = shape.partition("{}")
    return ast.unparse(tree).replace(mark, head * depth + expression + tail * depth)


def move_statement(text: str, random: Random, words: Sequence[str]) -> str:
    """Delete a statement, put it elsewhere, or make a part of a loop or branch out of it."""
    tree = ast.parse(text)
    blocks = [
        block
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        for block in (getattr(node, "body", None), getattr(node, "orelse", None))
        if isinstance(block, list) and block
    ]
    if not blocks:
        return text
    source, target = random.choice(blocks), random.choice(blocks)
    at = random.randrange(len(source))
    old = source[at]
    copy = deepcopy(old)
    what = random.randrange(6)
    if what == 0:
        source[at] = ast.Pass()
    elif what == 1:
        target.insert(random.randrange(len(target) + 1), copy)
    else:
        condition = deepcopy(_at(random.choice(_expressions(tree))))
        call = ast.Call(ast.Name("range", ast.Load()), [condition], [])
        nested: Sequence[ast.stmt] = (
            ast.If(condition, [copy], []),
            ast.While(condition, [copy], []),
            ast.For(ast.Name("turn", ast.Store()), call, [copy], []),
            ast.FunctionDef("within", deepcopy(_no_arguments()), [copy], []),
        )
        source[at] = nested[what - 2]
    return ast.unparse(ast.fix_missing_locations(tree))


def _no_arguments() -> ast.arguments:
    return ast.arguments([], [], None, [], [], None, [])


MUTATIONS: Sequence[Mutation] = (
    change_token, change_token, change_token, swap_tokens, drop_tokens, insert_word, move_lines, change_expression,
    change_expression, change_expression, deepen, move_statement, move_statement,
)  # fmt: skip


def mutated(text: str, random: Random, words: Sequence[str]) -> str:
    """The policy with one to three changes; `words` are names to put in. It may be run, see `is_harmless`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        for _ in range(random.choice((1, 1, 1, 2, 3))):
            try:
                changed = random.choice(MUTATIONS)(text, random, words)
            except (SyntaxError, ValueError):
                # A policy that is no Python has no tree; a tree with a call right inside an f-string no text.
                continue
            if not is_python(changed):
                # Little is learned from these: the parser is Python's own.
                if random.randrange(_BROKEN) == 0:
                    return changed
            elif is_harmless(changed):
                text = changed
    return text
