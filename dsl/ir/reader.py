"""Text to module: lark's tree of `ir.lark`, with names looked up and numbers read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedToken
from lark.lexer import PatternStr
from skverdict.dsl.ir.module import (
    Attribute,
    Block,
    Function,
    Global,
    Local,
    Location,
    Map,
    Module,
    Operation,
    Parameter,
    Value,
)
from skverdict.dsl.ir.operations import OPERATIONS
from skverdict.dsl.ir.text import MAX_NESTING, SIGILS, TYPE_NAMES, IrSyntaxError
from skverdict.dsl.ir.types import Array, Member, Opaque, Pointer, Space, Struct, Type

Node = Tree[Token]

# What the grammar's terminals are called in messages; a keyword or a sign stands for itself.
_TERMINALS = {
    "NAME": "a name", "STRING": "a string", "INT": "a number", "OFFSET": "an offset `+n`",
    "VALUE": "a value `%n`", "GLOBAL": "a name `@...`", "LOCAL": "a local `$...`",
    "MEMBER": "a member `....`", "LABEL": "a block `^...`", "_NEWLINE": "the end of the line",
    "$END": "the end of the text",
}  # fmt: skip

# More than any 64-bit number takes, in any base.
_LONGEST_NUMBER = 24


@cache
def _grammar() -> Lark:
    text = Path(__file__).with_name("ir.lark").read_text(encoding="utf-8")
    return Lark(text, parser="lalr", maybe_placeholders=False)


def read_module(text: str) -> Module:
    """The module that `text` describes. Raises IrSyntaxError."""
    reader = _Reader(text)
    return reader.module(reader.tree())


def _expected(terminals: Iterator[str]) -> str:
    words = []
    for name in sorted(terminals):
        pattern = None if name in _TERMINALS else _grammar().get_terminal(name).pattern
        words.append(f"`{pattern.value}`" if isinstance(pattern, PatternStr) else _TERMINALS[name])
    return " or ".join(words)


def _trees(node: Node, name: str) -> list[Node]:
    return [child for child in node.children if isinstance(child, Tree) and child.data == name]


def _tokens(node: Node) -> list[Token]:
    return [child for child in node.children if isinstance(child, Token)]


def _types(node: Node) -> list[Node]:
    kinds = ("named", "structure", "array", "pointer")
    return [child for child in node.children if isinstance(child, Tree) and child.data in kinds]


class _Reader:
    """Reads one text; keeps what has been declared so far."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.file = ""
        self.structs: dict[str, Struct] = {}
        self.struct_nodes: dict[str, Node] = {}
        # How deep the types of a struct nest, and the structs being read just now, outer ones first.
        self.nesting: dict[str, int] = {}
        self.opened: list[str] = []

    def error(self, problem: str, line: int, column: int) -> IrSyntaxError:
        lines = self.text.split("\n")
        source_line = lines[line - 1].rstrip("\r") if line <= len(lines) else ""
        return IrSyntaxError(problem, line, column, source_line)

    def at(self, token: Token, problem: str) -> IrSyntaxError:
        return self.error(problem, token.line or 1, token.column or 1)

    def tree(self) -> Node:
        """The syntax tree. Every statement ends with its line, so the last line gets an end, too."""
        try:
            return _grammar().parse(self.text + "\n")
        except UnexpectedToken as error:
            problem = f"expected {_expected(iter(error.accepts or error.expected))}"
            if error.token.type == "$END":
                line = self.text.count("\n") + 1
                column = len(self.text) - self.text.rfind("\n")
                raise self.error(f"{problem}, found the end of the text", line, column) from None
            found = "the end of the line" if error.token.type == "_NEWLINE" else f"`{error.token}`"
            raise self.at(error.token, f"{problem}, found {found}") from None
        except UnexpectedCharacters as error:
            problem = f"expected {_expected(iter(error.allowed or ()))}, found `{error.char}`"
            raise self.error(problem, error.line, error.column) from None

    def module(self, tree: Node) -> Module:
        file, license_ = (self.name(token) for token in _tokens(_trees(tree, "policy")[0]))
        self.file = file
        module = Module(file, license_)
        for node in _trees(tree, "struct"):
            token = _tokens(node)[0]
            if self.struct_nodes.setdefault(self.name(token), node) is not node:
                raise self.at(token, f"struct {token} is declared twice")
        module.structs = [self.struct(name) for name in self.struct_nodes]
        module.maps = [self.map(node) for node in _trees(tree, "map")]
        module.globals = [self.variable(node) for node in _trees(tree, "variable")]
        module.functions = [self.function(node) for node in _trees(tree, "function")]
        return module

    # Words

    def name(self, token: Token) -> str:
        """The name in a NAME, a STRING or a token with a sigil."""
        text = str(token)[1:] if token.type in ("GLOBAL", "LOCAL", "MEMBER", "LABEL") else str(token)
        if not text.startswith('"'):
            return text
        try:
            return str(json.loads(text))
        except ValueError:
            raise self.at(token, f"expected a string with JSON's escapes, found `{text}`") from None

    def number(self, token: Token) -> int:
        if len(token) > _LONGEST_NUMBER:
            raise self.at(token, "expected a number of 64 bits at most")
        text = str(token).lstrip("+%")
        return int(text, 16 if "x" in text else 10)

    def location(self, node: Node) -> Location | None:
        for location in _trees(node, "location"):
            *file, line, column = _tokens(location)
            name = self.name(file[0]) if file else self.file
            return Location(name, self.number(line), self.number(column))
        return None

    # Types

    def struct(self, name: str) -> Struct:
        if name in self.structs:
            return self.structs[name]
        node = self.struct_nodes[name]
        _, size, align = _tokens(node)
        self.opened.append(name)
        members, deepest = [], 0
        for member in _trees(node, "member"):
            offset, member_name = _tokens(member)
            type_, nesting = self.nested(_types(member)[0])
            deepest = max(deepest, nesting)
            members.append(Member(self.name(member_name), type_, self.number(offset)))
        self.opened.pop()
        self.nesting[name] = deepest + 1
        struct = Struct(name, tuple(members), self.number(size), self.number(align))
        self.structs[name] = struct
        return struct

    def type(self, node: Node) -> Type:
        return self.nested(node)[0]

    def nested(self, node: Node, outside: int = 0) -> tuple[Type, int]:
        """A type, and how deep it nests; `outside` counts the types around it, without structs."""
        first = _tokens(node)[0]
        around = outside + len(self.opened)
        if around >= MAX_NESTING:
            raise self.at(first, f"types nest more than {MAX_NESTING} deep")
        if node.data == "array":
            element, nesting = self.nested(_types(node)[0], outside + 1)
            return Array(element, self.number(_tokens(node)[0])), nesting + 1
        if node.data == "pointer":
            *nullable, space = _tokens(node)
            target, nesting = self.nested(_types(node)[0], outside + 1)
            return Pointer(target, self.space(space), bool(nullable)), nesting + 1
        name = self.name(first)
        if node.data == "structure":
            if name not in self.struct_nodes:
                raise self.at(first, f"struct {first} is not declared")
            if name in self.opened:
                raise self.at(first, f"struct {first} would contain itself")
            struct = self.struct(name)
            if around + self.nesting[name] > MAX_NESTING:
                raise self.at(first, f"types nest more than {MAX_NESTING} deep")
            return struct, self.nesting[name]
        bare = first.type == "NAME"
        return (TYPE_NAMES.get(name) if bare else None) or Opaque(name), 1

    def space(self, token: Token) -> Space:
        try:
            return Space(str(token))
        except ValueError:
            known = ", ".join(space.value for space in Space)
            raise self.at(token, f"expected a memory space ({known}), found `{token}`") from None

    # Declarations

    def map(self, node: Node) -> Map:
        kind = self.kind(_trees(node, "kind")[0])
        return kind._replace(name=self.name(_tokens(node)[0]), location=self.location(node))

    def kind(self, node: Node) -> Map:
        """A map without a name."""
        kind, entries = _tokens(node)
        keys, values, flags = (_trees(node, part) for part in ("key", "value", "flags"))
        inner, initial = _trees(node, "inner"), _trees(node, "initial")
        return Map(
            "",
            self.name(kind),
            self.type(_types(keys[0])[0]) if keys else None,
            self.type(_types(values[0])[0]) if values else None,
            self.number(entries),
            self.number(_tokens(flags[0])[0]) if flags else 0,
            inner=self.kind(_trees(inner[0], "kind")[0]) if inner else None,
            initial=tuple(self.entry(entry) for entry in _trees(initial[0], "entry")) if initial else (),
        )

    def entry(self, node: Node) -> tuple[int, str]:
        index, name = _tokens(node)
        return self.number(index), self.name(name)

    def variable(self, node: Node) -> Global:
        word, name = _tokens(node)
        numbers = _trees(node, "numbers")
        return Global(
            self.name(name),
            self.type(_types(node)[0]),
            word == "constant",
            tuple(self.number(token) for token in _tokens(numbers[0])) if numbers else (),
            self.location(node),
        )

    def function(self, node: Node) -> Function:
        kind, name = _tokens(node)
        values: dict[int, Value] = {}
        parameters = []
        for parameter in _trees(_trees(node, "parameters")[0], "parameter"):
            number, parameter_name = _tokens(parameter)
            value = self.define(number, _types(parameter)[0], values)
            parameters.append(Parameter(self.name(parameter_name), value))
        # A value may be used above the line that defines it, in a block that runs later.
        results = {
            id(result): self.define(_tokens(result)[0], _types(result)[0], values)
            for block in _trees(node, "block")
            for operation in _trees(block, "operation")
            for result in _trees(operation, "result")
        }
        locals_ = [
            Local(self.name(_tokens(local)[0]), self.type(_types(local)[0]))
            for local in _trees(node, "local")
        ]
        return Function(
            self.name(name),
            self.name(kind),
            tuple(parameters),
            self.type(_types(node)[0]),
            locals_,
            [self.block(block, values, results) for block in _trees(node, "block")],
            self.location(node),
        )

    def define(self, token: Token, type_: Node, values: dict[int, Value]) -> Value:
        value = Value(self.number(token), self.type(type_))
        if values.setdefault(value.number, value) is not value:
            raise self.at(token, f"{token} is defined twice")
        return value

    def block(self, node: Node, values: dict[int, Value], results: dict[int, Value]) -> Block:
        operations = [self.operation(operation, values, results) for operation in _trees(node, "operation")]
        return Block(self.name(_tokens(node)[0]), operations)

    def operation(self, node: Node, values: dict[int, Value], results: dict[int, Value]) -> Operation:
        token = _tokens(node)[0]
        if token not in OPERATIONS:
            raise self.at(token, f"expected an operation, found `{token}`")
        operation = Operation(str(token), location=self.location(node))
        for result in _trees(node, "result"):
            operation.result = results[id(result)]
        for item in _trees(node, "items")[0].children:
            self.item(item, operation, values)
        return operation

    def item(self, item: Token | Node, operation: Operation, values: dict[int, Value]) -> None:
        """Add one item behind an operation's name to it."""
        if isinstance(item, Tree):
            first, second = _tokens(item)
            if item.data == "case":
                if not operation.successors:
                    raise self.at(first, "expected the default `^...` before the cases")
                self.attribute(first, f"case{len(operation.successors) - 1}", self.number(first), operation)
                operation.successors += (self.name(second),)
            else:
                value = self.number(second) if second.type == "INT" else self.name(second)
                self.attribute(first, str(first), value, operation)
        elif item.type == "VALUE":
            number = self.number(item)
            if number not in values:
                raise self.at(item, f"{item} is not defined in this function")
            operation.operands += (values[number],)
        elif item.type == "LABEL":
            if "case0" in operation.attributes:
                raise self.at(item, "expected a case `number: ^...`: the default comes first")
            operation.successors += (self.name(item),)
        else:
            self.attribute(item, *self.written_with_sigil(item, operation), operation)

    def written_with_sigil(self, token: Token, operation: Operation) -> tuple[str, Attribute]:
        """Which attribute of the operation a token with a sigil, or a plain number, is, and its value."""
        plain = token.type == "INT"
        sigil = "" if plain else str(token)[0]
        for name, _ in OPERATIONS[operation.name].attributes:
            if SIGILS.get(name) == sigil:
                return name, self.number(token) if plain else self.name(token)
        raise self.at(token, f"`{operation.name}` has nothing that is written like `{token}`")

    def attribute(self, token: Token, name: str, value: Attribute, operation: Operation) -> None:
        if name in operation.attributes:
            raise self.at(token, f"the {name} of `{operation.name}` is given twice")
        operation.attributes[name] = value
