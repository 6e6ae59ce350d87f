"""The IR: a module of maps and functions; a function is a graph of basic blocks of SSA operations.

Values are defined once and named by a number that is unique in their function. What a Python variable holds
over time lives in a `Local`, a named stack slot that `local.get`, `local.set` and `local.address` use. What
an operation means, takes and gives is a row of `operations.OPERATIONS`.
"""

from __future__ import annotations

from typing import NamedTuple

from skverdict.dsl.ir.types import Struct, Type

# The kind of a function that is no program.
SUBPROGRAM = "subprogram"
TAIL_CALL = "bpf_tail_call"


class Location(NamedTuple):
    """A place in a policy's source: `file` as shown to users, `line` from 1, `column` from 1 (characters)."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Value(NamedTuple):
    """The result of one operation, or a parameter."""

    number: int
    type: Type

    def __str__(self) -> str:
        return f"%{self.number}"


Attribute = int | str


class Node:
    """A part of a function that is built up and changed: equal to another of its class with equal fields."""

    __slots__: tuple[str, ...] = ()

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and all(
            getattr(self, name) == getattr(other, name) for name in self.__slots__
        )

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)
        return f"{type(self).__name__}({fields})"


class Operation(Node):
    """One operation: `name` is a key of `OPERATIONS`, `successors` are labels (terminators only)."""

    __slots__ = ("attributes", "location", "name", "operands", "result", "successors")

    def __init__(
        self,
        name: str,
        operands: tuple[Value, ...] = (),
        attributes: dict[str, Attribute] | None = None,
        result: Value | None = None,
        successors: tuple[str, ...] = (),
        location: Location | None = None,
    ) -> None:
        self.name = name
        self.operands = operands
        self.attributes = {} if attributes is None else attributes
        self.result = result
        self.successors = successors
        self.location = location


class Block(Node):
    """Operations that run one after the other; the last one, and only it, is a terminator."""

    __slots__ = ("label", "operations")

    def __init__(self, label: str, operations: list[Operation] | None = None) -> None:
        self.label = label
        self.operations = [] if operations is None else operations


class Local(NamedTuple):
    """A stack slot of a function, undefined until written."""

    name: str
    type: Type


class Parameter(NamedTuple):
    """A named parameter; `value` is what operations refer to."""

    name: str
    value: Value


class Function(Node):
    """A program (`kind` is a key of `catalogue.programs.PROGRAMS`) or a subprogram (`kind` "subprogram")."""

    __slots__ = ("blocks", "kind", "locals", "location", "name", "parameters", "result")

    def __init__(
        self,
        name: str,
        kind: str,
        parameters: tuple[Parameter, ...],
        result: Type,
        locals: list[Local] | None = None,
        blocks: list[Block] | None = None,
        location: Location | None = None,
    ) -> None:
        self.name = name
        self.kind = kind
        self.parameters = parameters
        self.result = result
        self.locals = [] if locals is None else locals
        self.blocks = [] if blocks is None else blocks
        self.location = location


def makes_tail_call(function: Function) -> bool:
    """True if the function itself goes on in another program, which so gives what the function's callers get."""
    return any(
        operation.name == "call.helper" and operation.attributes["helper"] == TAIL_CALL
        for block in function.blocks
        for operation in block.operations
    )


class Map(NamedTuple):
    """A map declaration; `kind` is a key of `catalogue.maps.MAPS`, `flags` are the kernel's `map_flags`.

    `inner` is what the maps in a map of maps are like; its name says nothing. `initial` are the entries that
    a loader puts in before any program runs: indices, with the names of the maps or programs there.
    """

    name: str
    kind: str
    key: Type | None
    value: Type | None
    max_entries: int
    flags: int = 0
    location: Location | None = None
    inner: Map | None = None
    initial: tuple[tuple[int, str], ...] = ()


class Global(NamedTuple):
    """A variable that all programs share, and user space can read and set.

    A `constant` one is set before the programs are loaded, if ever, and not changed afterwards. `initial` are
    its scalars in the order of their places, each as `const` would have it; none at all: all zero.
    """

    name: str
    type: Type
    constant: bool = False
    initial: tuple[int, ...] = ()
    location: Location | None = None


class Module(Node):
    """All of one policy. `file` is the policy's file name without folders: no output depends on them."""

    __slots__ = ("file", "functions", "globals", "license", "maps", "structs")

    def __init__(
        self,
        file: str,
        license: str,
        structs: list[Struct] | None = None,
        maps: list[Map] | None = None,
        functions: list[Function] | None = None,
        globals: list[Global] | None = None,
    ) -> None:
        self.file = file
        self.license = license
        self.structs = [] if structs is None else structs
        self.maps = [] if maps is None else maps
        self.functions = [] if functions is None else functions
        self.globals = [] if globals is None else globals
