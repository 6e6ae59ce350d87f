"""An IR module with a mark wherever another statement begins.

A mark puts its number into a log, a ring in a variable of the policy's, so that whatever runs the object keeps
the way it took. The counter of the log is changed atomically, which LLVM neither drops nor moves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import NamedTuple

from skverdict.dsl.ir.module import Block, Function, Global, Location, Module, Operation, Value
from skverdict.dsl.ir.types import U32, U64, VOID, Array, Pointer, Space, Type
from skverdict.runtime.coverage.statements import Statement, statements_by_line

COUNT = "skverdict_count"
"""The variable that counts the marks passed, a u64."""

LOG = "skverdict_marks"
"""The variable that holds the numbers of the last LOG_LENGTH marks passed, each a u32."""

LOG_LENGTH = 1 << 16

_COUNT_POINTER = Pointer(U64, Space.MAP_VALUE)
_LOG_TYPE = Array(U32, LOG_LENGTH)

ENTER, LINE, EXIT = "enter", "line", "exit"


class Mark(NamedTuple):
    """A place: `kind` says whether a compiled function begins (`enter`) or returns (`exit`) there.

    `function` is the first line of the Python function, `line` that of the statement.
    """

    kind: str
    file: str
    function: int
    line: int
    is_program: bool


def mark_module(
    module: Module, sources: Mapping[str, Sequence[str]], first: int
) -> tuple[Module, list[Mark]]:
    """A copy of `module` with marks, and these, numbered from `first`. `sources` are lines by file name."""
    marks: list[Mark] = []
    statements = {name: statements_by_line(lines) for name, lines in sources.items()}
    functions = [_Marker(function, statements, marks, first).marked() for function in module.functions]
    variables = [*module.globals, Global(COUNT, U64), Global(LOG, _LOG_TYPE)]
    marked = Module(module.file, module.license, module.structs, module.maps, functions, variables)
    return marked, marks


class _Marker:
    """Marks one function."""

    def __init__(
        self,
        function: Function,
        statements: Mapping[str, Mapping[int, Statement]],
        marks: list[Mark],
        first: int,
    ) -> None:
        self._function = function
        self._statements = statements
        self._marks = marks
        self._first = first
        self._numbers = count(1 + max(_numbers(function), default=0))
        location = function.location
        inside = None if location is None else self._first_statement(location)
        self._start = inside.function if inside else 0

    def _first_statement(self, location: Location) -> Statement | None:
        known = self._statements.get(location.file, {})
        return next((known[line] for line in sorted(known) if line >= location.line), None)

    def marked(self) -> Function:
        function = self._function
        blocks = [
            Block(block.label, [*self._enter(), *self._marked(block)] if not at else [*self._marked(block)])
            for at, block in enumerate(function.blocks)
        ]
        return Function(
            function.name, function.kind, function.parameters, function.result, function.locals, blocks,
            function.location,
        )  # fmt: skip

    def _enter(self) -> Iterator[Operation]:
        if self._function.location is not None:
            yield from self._mark(ENTER, self._function.location, self._start)

    def _marked(self, block: Block) -> Iterator[Operation]:
        current: Statement | None = None
        for operation in block.operations:
            location = operation.location
            statement = self._statement(operation)
            if location is not None and statement is not None and statement != current:
                current = statement
                yield from self._mark(LINE, location._replace(line=statement.line), statement.function)
            if operation.name == "return" and self._function.location is not None:
                yield from self._mark(EXIT, self._function.location, self._start)
            yield operation

    def _statement(self, operation: Operation) -> Statement | None:
        """The statement that an operation belongs to, if it shows that the statement is run."""
        location = operation.location
        if location is None:
            return None
        statement = self._statements.get(location.file, {}).get(location.line)
        # The jump from the end of a body to what is behind bears the place of the `if` or loop around it.
        if statement is not None and statement.compound and operation.name == "jump":
            return None
        return statement

    def _mark(self, kind: str, location: Location, start: int) -> Iterator[Operation]:
        number = self._first + len(self._marks)
        is_program = self._function.kind != "subprogram"
        self._marks.append(Mark(kind, location.file, start, location.line, is_program))
        counter, one, passed = self._value(_COUNT_POINTER), self._value(U64), self._value(U64)
        last, place = self._value(U64), self._value(U64)
        log, entry = self._value(Pointer(_LOG_TYPE, Space.MAP_VALUE)), self._value(Pointer(U32, Space.MAP_VALUE))
        stored = self._value(U32)
        yield from (
            Operation("global", (), {"global": COUNT}, counter, location=location),
            Operation("const", (), {"value": 1}, one, location=location),
            Operation("atomic.add", (counter, one), None, passed, location=location),
            Operation("const", (), {"value": LOG_LENGTH - 1}, last, location=location),
            Operation("and", (passed, last), None, place, location=location),
            Operation("global", (), {"global": LOG}, log, location=location),
            Operation("element", (log, place), None, entry, location=location),
            Operation("const", (), {"value": number}, stored, location=location),
            Operation("store", (entry, stored), location=location),
        )

    def _value(self, type_: Type) -> Value:
        return Value(next(self._numbers), type_)


def _numbers(function: Function) -> Iterator[int]:
    """The numbers of the function's values."""
    for parameter in function.parameters:
        yield parameter.value.number
    for block in function.blocks:
        for operation in block.operations:
            if operation.result is not None and operation.result.type != VOID:
                yield operation.result.number
