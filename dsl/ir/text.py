"""The text form of a module: printed for people, parsed back to an equal module (grammar: `ir.lark`).

`parse_module(print_module(module)) == module` for every module that `check_module` accepts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from skverdict.dsl.ir.module import Attribute, Function, Global, Location, Map, Module, Operation
from skverdict.dsl.ir.operations import OPERATIONS
from skverdict.dsl.ir.types import SCALARS, VOID, Array, Opaque, Pointer, Struct, Type

# How an operation's attribute is written; a number has no sigil, and what is not here is `name=value`.
SIGILS = {
    "map": "@",
    "global": "@",
    "helper": "@",
    "function": "@",
    "local": "$",
    "name": ".",
    "field": ".",
    "value": "",
}
# A scalar nests 1 deep, an array of them 2; a struct one deeper than its deepest member.
MAX_NESTING = 64
TYPE_NAMES: dict[str, Type] = {**SCALARS, "void": VOID}

_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_TYPE_WORDS = frozenset({*TYPE_NAMES, "struct", "ptr"})
_DECLARATION_WORDS = frozenset({"struct", "map", "global", "constant"})
_LOCATION_COLUMN = 64


class IrSyntaxError(ValueError):
    """A text that is no module. `line` and `column` count from 1; `problem` says what was expected there."""

    def __init__(self, problem: str, line: int, column: int, source_line: str) -> None:
        super().__init__(problem, line, column, source_line)
        self.problem = problem
        self.line = line
        self.column = column
        self.source_line = source_line

    def __str__(self) -> str:
        # Tabs stay tabs before the caret, so that it stands below its character however wide they are shown.
        indent = re.sub(r"[^\t]", " ", self.source_line[: self.column - 1])
        return f"line {self.line}, column {self.column}: {self.problem}\n{self.source_line}\n{indent}^"


def print_module(module: Module) -> str:
    """The text of `module`."""
    return "\n".join(_module(module)) + "\n"


def parse_module(text: str) -> Module:
    """The module that `text` describes, which `check_module` may still refuse. Raises IrSyntaxError."""
    from skverdict.dsl.ir.reader import read_module

    return read_module(text)


def print_type(type_: Type) -> str:
    """The text of a type, as it stands in the text of a module."""
    if isinstance(type_, Pointer):
        return f"ptr{'?' if type_.nullable else ''}<{type_.space.value} {print_type(type_.target)}>"
    if isinstance(type_, Array):
        return f"[{print_type(type_.element)}; {type_.count}]"
    if isinstance(type_, Struct):
        return f"struct {_name(type_.name)}"
    if isinstance(type_, Opaque):
        return _name(type_.name, _TYPE_WORDS)
    return str(type_)


def _module(module: Module) -> Iterator[str]:
    yield f"policy {json.dumps(module.file)} license {json.dumps(module.license)}"
    for struct in module.structs:
        yield ""
        yield f"struct {_name(struct.name)} size {struct.size} align {struct.align} {{"
        for member in struct.members:
            yield f"  +{member.offset} {_name(member.name)}: {print_type(member.type)}"
        yield "}"
    if module.maps:
        yield ""
    for map_ in module.maps:
        yield _located(f"map {_sigil('@', map_.name)}: {_map(map_)}", map_.location, module.file)
    if module.globals:
        yield ""
    for variable in module.globals:
        yield _located(_global(variable), variable.location, module.file)
    for function in module.functions:
        yield ""
        yield from _function(function, module.file)


def _map(map_: Map) -> str:
    """What a map is like, without its name."""
    words = [_name(map_.kind)]
    if map_.key is not None:
        words.append(f"key {print_type(map_.key)}")
    if map_.value is not None:
        words.append(f"value {print_type(map_.value)}")
    words.append(f"entries {map_.max_entries}")
    if map_.flags:
        words.append(f"flags {map_.flags:#x}")
    if map_.inner is not None:
        words.append(f"inner ({_map(map_.inner)})")
    if map_.initial:
        words.append("initial " + ", ".join(f"{index}: {_sigil('@', name)}" for index, name in map_.initial))
    return " ".join(words)


def _global(variable: Global) -> str:
    word = "constant" if variable.constant else "global"
    text = f"{word} {_sigil('@', variable.name)}: {print_type(variable.type)}"
    return f"{text} = {', '.join(str(number) for number in variable.initial)}" if variable.initial else text


def _function(function: Function, file: str) -> Iterator[str]:
    kind = _name(function.kind, _DECLARATION_WORDS)
    parameters = ", ".join(
        f"{parameter.value} {_name(parameter.name)}: {print_type(parameter.value.type)}"
        for parameter in function.parameters
    )
    head = f"{kind} {_sigil('@', function.name)}({parameters}) -> {print_type(function.result)}"
    yield f"{_located(head, function.location, file)} {{"
    for local in function.locals:
        yield f"  local {_sigil('$', local.name)}: {print_type(local.type)}"
    for block in function.blocks:
        yield f"{_sigil('^', block.label)}:"
        for operation in block.operations:
            yield _located(f"  {_operation(operation)}", operation.location, file, _LOCATION_COLUMN)
    yield "}"


def _operation(operation: Operation) -> str:
    attributes = dict(operation.attributes)
    before: list[str] = []
    after: list[str] = []
    for name, sigil in SIGILS.items():
        if isinstance(attributes.get(name), str if sigil else int):
            item = _sigil(sigil, attributes.pop(name))
            # A member or field stands behind the pointer it is found through.
            (after if sigil == "." else before).append(item)
    operands = [str(operand) for operand in operation.operands]
    successors = [_sigil("^", label) for label in operation.successors]
    if operation.name in OPERATIONS and OPERATIONS[operation.name].successors < 0:
        for index, label in enumerate(successors[1:]):
            if f"case{index}" in attributes:
                successors[index + 1] = f"{_value(attributes.pop(f'case{index}'))}: {label}"
    named = [f"{name}={_value(value)}" for name, value in attributes.items()]
    items = [*before, *operands[:1], *after, *operands[1:], *named, *successors]
    result = operation.result
    defined = f"{result}: {print_type(result.type)} = " if result is not None else ""
    return " ".join([defined + operation.name, ", ".join(items)]).rstrip()


def _value(value: Attribute) -> str:
    return f"{value:d}" if isinstance(value, int) else _name(value)


def _sigil(sigil: str, value: Attribute) -> str:
    return sigil + _value(value)


def _name(name: str, reserved: frozenset[str] = frozenset()) -> str:
    return name if _BARE.fullmatch(name) and name not in reserved else json.dumps(name)


def _located(text: str, location: Location | None, file: str, column: int = 0) -> str:
    if location is None:
        return text
    foreign = "" if location.file == file else f"{json.dumps(location.file)} "
    return f"{text.ljust(column)} at {foreign}{location.line}:{location.column}"
