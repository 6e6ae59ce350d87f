"""What the language leaves out of Python, and what to write instead."""

from __future__ import annotations

import ast

_ROWS: tuple[tuple[str, str, str], ...] = (
    # Statements.
    ("FunctionDef", "a function inside a function is not supported", "move it to the module, under @inline"),
    ("AsyncFunctionDef", "an async function cannot run in the kernel", "write a plain `def`"),
    ("ClassDef", "a class inside a function is not supported", "declare the Struct in the module"),
    ("Delete", "`del` is not supported", "use `map.delete(key)` to remove a map's entry"),
    ("AsyncFor", "`async for` is not supported", "use `for ... in range(...)`"),
    ("AsyncWith", "`async with` is not supported", ""),
    ("Raise", "a program cannot raise an exception", "return a verdict such as SK_DROP"),
    ("Try", "`try` is not supported: nothing raises in a program", "test results with `if`"),
    ("TryStar", "`try` is not supported: nothing raises in a program", "test results with `if`"),
    ("Assert", "`assert` is not supported", "write `if not ...: return SK_DROP`"),
    ("Import", "import at the top of the module, not inside a function", ""),
    ("ImportFrom", "import at the top of the module, not inside a function", ""),
    ("Global", "`global` is not supported: a program shares state through maps", "declare a `Global(u64)`, or a map"),
    ("Nonlocal", "`nonlocal` is not supported", "return the value instead"),
    ("TypeAlias", "a type alias inside a function is not supported", "move it to the module"),
    # Expressions.
    ("Lambda", "`lambda` is not supported", "write an @inline function"),
    ("Dict", "a dict is not supported inside a program", "use a HashMap"),
    ("Set", "a set is only supported after `in`", "write `x in {1, 2}`"),
    ("List", "a list is only supported after `in`", "use a Struct with an Array, or a map"),
    ("Tuple", "a tuple is only supported after `in`, and in `a, b = x, y`", "give each of its values a name"),
    ("ListComp", "a comprehension is not supported", "write a `for` loop over `range(...)`"),
    ("SetComp", "a comprehension is not supported", "write a `for` loop over `range(...)`"),
    ("DictComp", "a comprehension is not supported", "write a `for` loop over `range(...)`"),
    ("GeneratorExp", "a generator is not supported", "write a `for` loop over `range(...)`"),
    ("Await", "`await` is not supported", ""),
    ("Yield", "`yield` is not supported", "return the value"),
    ("YieldFrom", "`yield` is not supported", "return the value"),
    ("JoinedStr", "an f-string is only supported in `print`", "a program has no strings: keep numbers, and print them"),
    ("TemplateStr", "a template string is not supported", ""),
    ("Starred", "`*` in front of an argument is not supported", "pass the arguments one by one"),
    ("Slice", "a slice is not supported", "read the bytes with `skb.data.view(T, offset)`"),
)

_TABLE = {name: (message, hint) for name, message, hint in _ROWS}


def explain(node: ast.AST) -> tuple[str, str]:
    """The message and the hint for a kind of syntax that is not in the language."""
    name = type(node).__name__
    return _TABLE.get(name, (f"this syntax ({name}) is not supported", ""))
