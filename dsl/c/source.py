"""The preprocessor's part: comments, `#define`, `#if`. Lines and columns of what remains stay."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from skverdict.dsl.c.errors import CError

_COMMENT = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'', re.DOTALL)
_DIRECTIVE = re.compile(r"\s*#\s*(\w*)\s*(.*)", re.DOTALL)
_DEFINE = re.compile(r"([A-Za-z_]\w*)(\([^)]*\))?\s*(.*)", re.DOTALL)
_DEFINED = re.compile(r"\bdefined\s*(?:\(\s*(\w+)\s*\)|(\w+))")
# Words of kernel headers that say nothing about layout.
_NOISE = re.compile(
    r"\b(__user|__rcu|__percpu|__iomem|__force|__bitwise|__bitwise__|__randomize_layout|__extension__|"
    r"__counted_by\(\w+\))"
)

LITTLE, BIG = "__LITTLE_ENDIAN_BITFIELD", "__BIG_ENDIAN_BITFIELD"
# What headers ask about the byte order.
_ORDERS = {
    "little": (LITTLE, "__LITTLE_ENDIAN"),
    "big": (BIG, "__BIG_ENDIAN"),
}


class Macro(NamedTuple):
    """A `#define`: what it stands for, and where that begins."""

    name: str
    body: str
    line: int
    column: int
    is_function: bool = False


class Source(NamedTuple):
    """What is left of a text, and the macros that it defines."""

    text: str
    macros: dict[str, Macro]


# Evaluates the condition of an `#if`, in which macros stand for their numbers, at a line and column.
Condition = Callable[[str, int, int, dict[str, Macro]], int]


def read_source(text: str, order: str, condition: Condition) -> Source:
    """Work through the directives for a machine of byte order `order`. Raises CError."""
    lines = _without_noise(_COMMENT.sub(_blank_comment, text)).split("\n")
    return _Reader(lines, order, condition).read()


def _blank_comment(found: re.Match[str]) -> str:
    """A comment as white space; strings and characters stay."""
    if found[0][0] in "\"'":
        return found[0]
    return re.sub(r"[^\n]", " ", found[0])


def _without_noise(text: str) -> str:
    return _NOISE.sub(lambda found: " " * len(found[0]), text)


class _Reader:
    """Reads lines; `branches` holds for each open `#if` whether it is taken, and whether one was before."""

    def __init__(self, lines: list[str], order: str, condition: Condition) -> None:
        self.lines = lines
        self.condition = condition
        self.macros = {name: Macro(name, "1", 1, 1) for name in _ORDERS[order]}
        self.builtin = set(self.macros)
        self.branches: list[tuple[bool, bool, int]] = []

    def read(self) -> Source:
        kept: list[str] = []
        number = 0
        while number < len(self.lines):
            line = self.lines[number]
            if not line.lstrip().startswith("#"):
                kept.append(line if self._taken() else "")
                number += 1
                continue
            first = number
            while self.lines[number].endswith("\\") and number + 1 < len(self.lines):
                number += 1
            number += 1
            # A continued line is one; what it says is looked up by the place where it begins.
            whole = "\n".join(each[:-1] if each.endswith("\\") else each for each in self.lines[first:number])
            self._directive(whole, first + 1)
            kept += [""] * (number - first)
        if self.branches:
            raise CError("this `#if` has no `#endif`", self.branches[-1][2])
        macros = {name: macro for name, macro in self.macros.items() if name not in self.builtin}
        return Source("\n".join(kept), macros)

    def _taken(self) -> bool:
        return all(taken for taken, _, _ in self.branches)

    def _directive(self, text: str, line: int) -> None:
        found = _DIRECTIVE.match(text)
        assert found is not None
        name, rest = found[1], found[2].rstrip()
        column = found.start(2) + 1
        if name in ("if", "ifdef", "ifndef"):
            outer = self._taken()
            taken = outer and self._holds(name, rest, line, column)
            # A branch inside of one that is not taken counts as had already.
            self.branches.append((taken, taken or not outer, line))
        elif name in ("elif", "else", "endif"):
            self._next_branch(name, rest, line, column)
        elif self._taken():
            self._effect(name, rest, line, column, text)

    def _next_branch(self, name: str, rest: str, line: int, column: int) -> None:
        if not self.branches:
            raise CError(f"`#{name}` without `#if`", line)
        _, had, first = self.branches.pop()
        if name != "endif":
            taken = not had and (name == "else" or self._holds("if", rest, line, column))
            self.branches.append((taken, had or taken, first))

    def _holds(self, name: str, rest: str, line: int, column: int) -> bool:
        if name != "if":
            return (rest.split()[0] in self.macros if rest else False) == (name == "ifdef")
        asked = _DEFINED.sub(lambda found: str(int((found[1] or found[2]) in self.macros)), rest)
        return bool(self.condition(asked, line, column, self.macros))

    def _effect(self, name: str, rest: str, line: int, column: int, text: str) -> None:
        if name == "define":
            found = _DEFINE.match(rest)
            if found is None:
                raise CError("`#define` needs a name", line, column)
            start = column + found.start(3)
            self.macros[found[1]] = Macro(found[1], found[3], line, start, found[2] is not None)
        elif name == "undef":
            self.macros.pop(rest, None)
        elif name == "error":
            raise CError(f"#error {rest}", line, text.index("#") + 1)
        elif name not in ("include", "pragma", "warning", "line", ""):
            raise CError(f"`#{name}` is not supported", line, text.index("#") + 1)
