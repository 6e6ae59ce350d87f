"""Source files: their lines, their trees, and places in them."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from types import CodeType

from skverdict.dsl.errors import Place
from skverdict.dsl.ir.module import Location

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


class Source:
    """One file. `path` is shown to users, `name` is what locations in the IR carry.

    `is_own`: the compiler brought it, so no message leads there.
    """

    __slots__ = ("_ascii", "_functions", "_locations", "has_walrus", "is_own", "lines", "name", "path", "tree")

    def __init__(self, path: str, name: str, text: str, tree: ast.Module, is_own: bool = False) -> None:
        self.is_own = is_own
        self.path = path
        self.name = name
        # The parser's idea of a line: form feeds and the like do not end one.
        self.lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self.tree = tree
        self._ascii = text.isascii()
        # False if no expression of the file can assign a name.
        self.has_walrus = ":=" in text
        self._locations: dict[tuple[int, int], Location] = {}
        self._functions: dict[tuple[str, int], FunctionNode] | None = None

    def line(self, number: int) -> str:
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""

    def _column(self, line: int, offset: int) -> int:
        """The column in characters, from 1, of the byte at `offset`."""
        if self._ascii:
            return offset + 1
        return len(self.line(line).encode()[:offset].decode(errors="replace")) + 1

    def location(self, node: ast.AST) -> Location:
        """Where `node` begins, as the IR says it."""
        line: int = node.lineno  # type: ignore[attr-defined]
        offset: int = node.col_offset  # type: ignore[attr-defined]
        location = self._locations.get((line, offset))
        if location is None:
            location = self._locations[line, offset] = Location(self.name, line, self._column(line, offset))
        return location

    def place(self, node: ast.AST) -> Place:
        """The stretch of `node`, up to the end of its first line; of a definition, its name."""
        line: int = node.lineno  # type: ignore[attr-defined]
        column = self._column(line, node.col_offset)  # type: ignore[attr-defined]
        text = self.line(line)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            start = text.find(node.name, column - 1)
            if start >= 0:
                return Place(self.path, line, start + 1, len(node.name), text)
        end = len(text) + 1
        if getattr(node, "end_lineno", None) == line:
            end = self._column(line, node.end_col_offset)  # type: ignore[attr-defined]
        return Place(self.path, line, column, max(1, end - column), text)

    def line_place(self, line: int) -> Place:
        """The whole of a line."""
        text = self.line(line)
        column = len(text) - len(text.lstrip()) + 1
        return Place(self.path, line, column, max(1, len(text.strip())), text)

    def segment(self, node: ast.AST) -> str:
        """The text of a node that lies on one line; otherwise `...`."""
        place = self.place(node)
        if getattr(node, "end_lineno", None) != place.line:
            return "..."
        return place.text[place.column - 1 : place.column - 1 + place.width]

    def function(self, code: CodeType) -> FunctionNode | None:
        """The definition that `code` was compiled from."""
        key = (code.co_name, code.co_firstlineno)
        if self._functions is None:
            self._functions = _functions(self.tree.body)
        if key not in self._functions:
            # It is written inside something else, which is rare.
            self._functions = _functions(ast.walk(self.tree))
        return self._functions.get(key)


def _functions(nodes: Iterable[ast.AST]) -> dict[tuple[str, int], FunctionNode]:
    """Definitions by name and first line, which is that of the first decorator, as in code objects."""
    return {
        (node.name, min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])): node
        for node in nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
