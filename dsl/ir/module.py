"""The IR: a module of maps and functions; a function is a graph of basic blocks of SSA operations.

Values are defined once and named by a number that is unique in their function. What a Python variable holds
over time lives in a `Local`, a named stack slot that `local.get`, `local.set` and `local.address` use. What
an operation means, takes and gives is a row of `operations.OPERATIONS`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from skverdict.dsl.ir.types import Struct, Type


@dataclass(frozen=True)
class Location:
    """A place in a policy's source: `file` as shown to users, `line` from 1, `column` from 1 (characters)."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Value:
    """The result of one operation, or a parameter."""

    number: int
    type: Type

    def __str__(self) -> str:
        return f"%{self.number}"


Attribute = int | str


@dataclass
class Operation:
    """One operation: `name` is a key of `OPERATIONS`, `successors` are labels (terminators only)."""

    name: str
    operands: tuple[Value, ...] = ()
    attributes: dict[str, Attribute] = field(default_factory=dict)
    result: Value | None = None
    successors: tuple[str, ...] = ()
    location: Location | None = None


@dataclass
class Block:
    """Operations that run one after the other; the last one, and only it, is a terminator."""

    label: str
    operations: list[Operation] = field(default_factory=list)


@dataclass(frozen=True)
class Local:
    """A stack slot of a function, undefined until written."""

    name: str
    type: Type


@dataclass(frozen=True)
class Parameter:
    """A named parameter; `value` is what operations refer to."""

    name: str
    value: Value


@dataclass
class Function:
    """A program (`kind` is a key of `catalogue.programs.PROGRAMS`) or a subprogram (`kind` "subprogram")."""

    name: str
    kind: str
    parameters: tuple[Parameter, ...]
    result: Type
    locals: list[Local] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    location: Location | None = None


@dataclass(frozen=True)
class Map:
    """A map declaration; `kind` is a key of `catalogue.maps.MAPS`, `flags` are the kernel's `map_flags`."""

    name: str
    kind: str
    key: Type | None
    value: Type | None
    max_entries: int
    flags: int = 0
    location: Location | None = None


@dataclass
class Module:
    """All of one policy. `file` is the policy's file name without folders: no output depends on them."""

    file: str
    license: str
    structs: list[Struct] = field(default_factory=list)
    maps: list[Map] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)
