"""What an operation's row of `operations.OPERATIONS` asks for: attributes, labels, operands and result."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from skverdict.dsl.ir.module import Operation
from skverdict.dsl.ir.operations import OPERATIONS
from skverdict.dsl.ir.site import SCALAR, Site, named
from skverdict.dsl.ir.types import Bool, Int, Pointer, Space, Type, is_context

# The words of a row that stand for a set of types: how to say it, and which types are in it.
_WORDS: dict[str, tuple[str, Callable[[Type], bool]]] = {
    "scalar": ("a scalar", lambda type_: isinstance(type_, SCALAR)),
    "T": ("a scalar", lambda type_: isinstance(type_, SCALAR)),
    "int": ("an integer", lambda type_: isinstance(type_, Int)),
    "bool": ("a bool", lambda type_: isinstance(type_, Bool)),
    "ptr": ("a non-null pointer", lambda type_: isinstance(type_, Pointer) and not type_.nullable),
    "field": ("a scalar or pointer", lambda type_: isinstance(type_, (*SCALAR, Pointer))),
    "ptr?": ("a pointer", lambda type_: isinstance(type_, Pointer)),
    "context": (
        "a non-null context pointer",
        lambda type_: isinstance(type_, Pointer) and type_.space is Space.CONTEXT and not type_.nullable,
    ),
}
_ATTRIBUTES = {"int": int, "name": str}


def row_problems(site: Site) -> Iterator[str]:
    operation = site.operation
    if operation.name not in OPERATIONS:
        yield "there is no such operation"
    yield from _attributes(operation)
    yield from _labels(operation)
    yield from _operands(site)
    yield from _result(site)


def _attributes(operation: Operation) -> Iterator[str]:
    row = OPERATIONS[operation.name]
    wanted = dict(row.attributes)
    if row.successors < 0:
        wanted |= {f"case{index}": "int" for index in range(len(operation.successors) - 1)}
    for name, kind in wanted.items():
        if name not in operation.attributes:
            yield f"attribute {name} is missing"
        if not isinstance(operation.attributes[name], _ATTRIBUTES[kind]):
            yield f"attribute {name} is not of kind {kind}"
    for name in operation.attributes:
        if name not in wanted:
            yield f"attribute {name} means nothing here"


def _labels(operation: Operation) -> Iterator[str]:
    wanted, given = OPERATIONS[operation.name].successors, len(operation.successors)
    if given != wanted and (wanted >= 0 or given == 0):
        yield f"takes {wanted if wanted >= 0 else '1 or more'} labels, not {given}"


def _operands(site: Site) -> Iterator[str]:
    words = [word for word in OPERATIONS[site.operation.name].operands if word != "..."]
    more = "..." in OPERATIONS[site.operation.name].operands
    given = [operand.type for operand in site.operation.operands]
    if len(given) < len(words) or (len(given) > len(words) and not more):
        yield f"takes {len(words)}{' or more' if more else ''} operands, not {len(given)}"
    for index, (word, type_) in enumerate(zip(words, given, strict=False)):
        for problem in _mismatch(word, type_, site):
            yield f"operand {index} {problem}"
    same = _same(site)
    for index in same[1:]:
        if given[index] != given[same[0]]:
            yield f"operand {index} is {given[index]}, but operand {same[0]} is {given[same[0]]}"


def _same(site: Site) -> list[int]:
    """The operands that must be of one type."""
    words = OPERATIONS[site.operation.name].operands
    return [index for index, word in enumerate(words) if word in ("T", "int T")]


def _result(site: Site) -> Iterator[str]:
    word, type_ = OPERATIONS[site.operation.name].result, site.result
    given = site.operation.result is not None
    if given and word == "void":
        yield "has no result to give"
    if word in ("any", "void"):
        return
    if not given:
        yield "its result is missing"
    for problem in _mismatch(word, type_, site):
        yield f"its result {problem}"
    if word == "T" and _same(site) and type_ != site.operand(_same(site)[0]):
        yield f"its result is {type_}, but its operands are {site.operand(_same(site)[0])}"
    if word == "ptr?" and isinstance(type_, Pointer) and not type_.nullable:
        yield f"its result is {type_}, but may be NULL"


def _mismatch(word: str, type_: Type, site: Site) -> Iterator[str]:
    if word == "local":
        yield from named(site, "local", site.locals)
        local = site.locals[site.text("local")]
        if type_ != local:
            yield f"is {type_}, but local {site.text('local')} is {local}"
        if not isinstance(local, (*SCALAR, Pointer)):
            yield f"is {local}, which only its address can reach"
    elif word == "target":
        target = site.pointer(0).target
        if type_ != target:
            yield f"is {type_}, but the pointer is to {target}"
        if not isinstance(target, SCALAR) and not is_context(target):
            yield f"is {target}, which is no scalar"
    else:
        kinds = [_WORDS[part] for part in word.split()[0].split("|")]
        if not any(matches(type_) for _, matches in kinds):
            yield f"is {type_}, not {' or '.join(words for words, _ in kinds)}"
