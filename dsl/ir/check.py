"""What makes a module well formed: the rules that whoever reads one relies on.

Types and names are declared (`declaration_rules`), blocks end in their only terminator and go to blocks that
are there, a value is defined once and on every path to its uses, and each operation is what its row and rules
say (`row_rules`, `operation_rules`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from skverdict.dsl.catalogue.programs import PROGRAMS
from skverdict.dsl.ir.declaration_rules import (
    declaration_problems,
    identifier_problems,
    twice,
    type_problems,
)
from skverdict.dsl.ir.dominance import dominates, dominators
from skverdict.dsl.ir.module import SUBPROGRAM, Block, Function, Module, Operation, Value
from skverdict.dsl.ir.operation_rules import RULES
from skverdict.dsl.ir.operations import OPERATIONS
from skverdict.dsl.ir.row_rules import row_problems
from skverdict.dsl.ir.site import Site
from skverdict.dsl.ir.types import VOID, Int, Opaque, Pointer, Space, Struct

# The registers r1 to r5.
_MOST_PARAMETERS = 5


class IrError(ValueError):
    """A module that is not well formed. `function`, `block` and `operation` say where, as far as known."""

    def __init__(self, problem: str, function: str = "", block: str = "", operation: str = "") -> None:
        super().__init__(problem, function, block, operation)
        self.problem = problem
        self.function = function
        self.block = block
        self.operation = operation

    def __str__(self) -> str:
        places = (("function @", self.function), ("block ^", self.block), ("", self.operation))
        where = ", ".join(word + name for word, name in places if name)
        return f"{where}: {self.problem}" if where else self.problem


def check_module(module: Module) -> None:
    """Raises IrError with the first problem of a module that is not well formed."""
    _first(declaration_problems(module))
    for function in module.functions:
        _check_function(function, module)
    _first(_recursion(module))


def _first(problems: Iterable[str], function: str = "", block: str = "", operation: str = "") -> None:
    """Raise the first problem, if there is one; a later one may only be a consequence."""
    for problem in problems:
        raise IrError(problem, function, block, operation)


class _Place(NamedTuple):
    """Where an operation stands: its block, and its number in it from 0. Parameters stand at -1."""

    block: str
    number: int


class _Definition(NamedTuple):
    """A value, where it is defined, and by which operation if it is no parameter."""

    value: Value
    place: _Place
    operation: Operation | None


def _check_function(function: Function, module: Module) -> None:
    structs = {struct.name: struct for struct in module.structs}
    _first(_head(function, structs), function.name)
    entry = function.blocks[0].label
    labels = {block.label for block in function.blocks}
    for one in function.blocks:
        _first(_shape(one, labels, entry), function.name, one.label)
    definitions: dict[int, _Definition] = {}
    for definition in _definitions(function):
        value, block = definition.value, definition.place.block
        if value.number in definitions:
            raise IrError(f"{value} is defined twice", function.name, block)
        _first(type_problems(value.type, structs), function.name, block, str(value))
        definitions[value.number] = definition
    successors = {one.label: one.operations[-1].successors for one in function.blocks}
    immediate = dominators(successors, entry)
    surroundings = (
        {local.name: local.type for local in function.locals},
        {map_.name: map_ for map_ in module.maps},
        {variable.name: variable for variable in module.globals},
        {function.name: function for function in module.functions},
        {number: made.operation for number, made in definitions.items() if made.operation is not None},
        structs,
    )
    for one in function.blocks:
        for index, operation in enumerate(one.operations):
            where = (function.name, one.label, f"operation {index} ({operation.name})")
            _first(_uses(operation, _Place(one.label, index), definitions, immediate), *where)
            site = Site(operation, function, *surroundings)
            _first(row_problems(site), *where)
            for rule in RULES.get(operation.name, ()):
                _first(rule(site), *where)


def _head(function: Function, structs: Mapping[str, Struct]) -> Iterator[str]:
    """Kind, parameters, result and locals; and that there are blocks, each with a label of its own."""
    if function.kind not in PROGRAMS and function.kind != SUBPROGRAM:
        yield f"there is no program kind {function.kind}"
    types = [parameter.value.type for parameter in function.parameters]
    if function.kind == SUBPROGRAM:
        if len(types) > _MOST_PARAMETERS:
            yield f"{len(types)} parameters, but there are registers for {_MOST_PARAMETERS}"
        if function.result != VOID:
            yield from type_problems(function.result, structs)
    else:
        context = Pointer(Opaque(PROGRAMS[function.kind].context), Space.CONTEXT)
        if types != [context]:
            yield f"a {function.kind} takes {context}"
        if not isinstance(function.result, Int):
            yield f"a {function.kind} gives an integer, not {function.result}"
    for type_ in (*types, *(local.type for local in function.locals)):
        yield from type_problems(type_, structs)
    for parameter in function.parameters:
        yield from identifier_problems(parameter.name)
    yield from twice((parameter.name for parameter in function.parameters), "parameter")
    yield from twice((local.name for local in function.locals), "local")
    yield from twice((block.label for block in function.blocks), "block")
    if not function.blocks:
        yield "there are no blocks"


def _shape(block: Block, labels: set[str], entry: str) -> Iterator[str]:
    """One terminator, at the end, that goes to blocks of the function; to the entry nothing goes back."""
    if not block.operations:
        yield "there are no operations"
    for operation in block.operations[:-1]:
        if operation.name in OPERATIONS and OPERATIONS[operation.name].terminator:
            yield f"{operation.name} is not the last operation"
    last = block.operations[-1]
    if last.name in OPERATIONS and not OPERATIONS[last.name].terminator:
        yield f"the last operation, {last.name}, is no terminator"
    for operation in block.operations:
        for label in operation.successors:
            if label not in labels:
                yield f"{operation.name} goes to {label}, which is no block"
            if label == entry:
                yield f"{operation.name} goes back to the first block"


def _definitions(function: Function) -> Iterator[_Definition]:
    entry = function.blocks[0].label
    for parameter in function.parameters:
        yield _Definition(parameter.value, _Place(entry, -1), None)
    for block in function.blocks:
        for index, operation in enumerate(block.operations):
            if operation.result is not None:
                yield _Definition(operation.result, _Place(block.label, index), operation)


def _uses(
    operation: Operation, place: _Place, definitions: Mapping[int, _Definition], immediate: Mapping[str, str]
) -> Iterator[str]:
    """Each operand is a value that every path to the operation has defined. Nothing reaches a dead block."""
    for operand in operation.operands:
        definition = definitions.get(operand.number)
        if definition is None:
            yield f"{operand} is not defined"
        elif definition.value != operand:
            yield f"{operand} is used as {operand.type}, but is {definition.value.type}"
        elif definition.place.block == place.block:
            if definition.place.number >= place.number:
                yield f"{operand} is used before it is defined"
        elif place.block in immediate and not (
            definition.place.block in immediate and dominates(immediate, definition.place.block, place.block)
        ):
            yield f"{operand} is not defined on every path here"


def _recursion(module: Module) -> Iterator[str]:
    """No subprogram may come back to itself through calls, its own or a helper's: the verifier would not end.
    """
    calls = {
        function.name: [
            str(operation.attributes["function"])
            for block in function.blocks
            for operation in block.operations
            if operation.name in ("call", "function")
        ]
        for function in module.functions
    }
    while ended := {name for name, callees in calls.items() if not callees}:
        calls = {
            name: [callee for callee in callees if callee not in ended]
            for name, callees in calls.items()
            if name not in ended
        }
    if calls:
        yield f"recursion among {', '.join(calls)}"
