"""From a policy's file to its IR: read, run, collect what it declares, lower its programs."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterable, Sequence
from typing import Any

from skverdict.dsl import decorators
from skverdict.dsl.c_types import CTypes
from skverdict.dsl.catalogue.maps import MAPS
from skverdict.dsl.catalogue.programs import KERNELS, PROGRAMS
from skverdict.dsl.errors import Place, PolicyError
from skverdict.dsl.frontend import (
    calls,
    conditions,
    expressions,
    names,
    operators,
    statements,
)
from skverdict.dsl.frontend.advice import advise
from skverdict.dsl.frontend.declarations import check_struct, declare_map
from skverdict.dsl.frontend.execute import execute_module
from skverdict.dsl.frontend.programs import lower_program, mark_of
from skverdict.dsl.frontend.refusal import Reporter, in_order
from skverdict.dsl.frontend.scope import PolicyScope
from skverdict.dsl.frontend.sources import Sources, failure
from skverdict.dsl.globals import Global
from skverdict.dsl.ir.module import Function, Location, Module
from skverdict.dsl.ir.types import Array, Pointer, Struct, Type
from skverdict.dsl.maps import Map
from skverdict.dsl.policy import Policy
from skverdict.dsl.structs import is_struct_class

# Importing these fills the tables of `dispatch`, but for what it imports late.
SYNTAX = (calls, conditions, expressions, names, operators, statements)


def load(path: str | os.PathLike[str], kernel: str | None = None) -> Policy:
    """See `skverdict.dsl.load_policy`."""
    shown = os.fspath(path)
    if not isinstance(shown, str):
        shown = os.fsdecode(shown)
    if kernel is not None and kernel not in KERNELS:
        raise ValueError(f"kernel must be one of {', '.join(KERNELS)}, not {kernel!r}")
    sources = Sources(shown)
    namespace = execute_module(sources)
    reporter = Reporter()
    scope = PolicyScope(sources, reporter, _license(sources, reporter, namespace), kernel or KERNELS[-1])
    _check_duplicates(sources, reporter)
    _declare(scope, namespace)
    if any(isinstance(thing, CTypes) and thing._kernel_structs for thing in namespace.values()):
        from skverdict.dsl.frontend.kernel_objects import declare_kernel_structs

        declare_kernel_structs(scope, namespace)
    _check_decorated(sources, reporter, namespace)
    functions = _programs(scope, namespace)
    if not functions and not reporter.errors:
        raise failure(
            shown, "there is no program in this file", "decorate a function with @stream_verdict or the like"
        )
    _check_unused(scope, namespace)
    functions = [*_called(scope, functions), *functions]
    _check_symbols(scope, functions)
    structs = _used_structs(scope, functions)
    if reporter.errors:
        raise PolicyError(in_order(reporter.errors, shown))
    advise(scope, functions)
    module = Module(sources.main.name, scope.license, structs, scope.maps, functions, scope.globals())
    return Policy(shown, module, sources.lines(), sources.paths(), in_order(reporter.warnings, shown), scope.kernel)


def _license(sources: Sources, reporter: Reporter, namespace: dict[str, Any]) -> str:
    """The module's `LICENSE`; GPL, which lets a program call every helper, if there is none."""
    license_ = namespace.get("LICENSE", "GPL")
    if isinstance(license_, str) and license_.isascii() and license_.isprintable() and license_:
        return license_
    for node in sources.main.tree.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "LICENSE" for target in node.targets
        ):
            reporter.error(
                sources.main.place(node), "LICENSE must be a line of ASCII text", 'such as `LICENSE = "GPL"`'
            )
    return "GPL"


def _check_duplicates(sources: Sources, reporter: Reporter) -> None:
    """A second function, class or map of one name would silently replace the first."""
    seen: dict[str, ast.stmt] = {}
    map_classes = {kind.class_name for kind in MAPS.values()}
    for node in sources.main.tree.body:
        name = ""
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            name = node.name
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            value = node.value
            made = isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id
            if made in map_classes:
                name = node.targets[0].id
        if name in seen:
            reporter.error(
                sources.main.place(node), f"`{name}` is defined twice", "give one of them another name",
                [(sources.main.place(seen[name]), "the first definition is here")],
            )  # fmt: skip
        elif name:
            seen[name] = node


def _check_decorated(sources: Sources, reporter: Reporter, namespace: dict[str, Any]) -> None:
    """A decorator above one of ours may put something else in the function's place, and so does @framed alone."""
    for node in sources.main.tree.body:
        if not isinstance(node, ast.FunctionDef):
            continue
        for decorator in node.decorator_list:
            if isinstance(decorator, ast.Name) and namespace.get(decorator.id) is decorators.framed:
                reporter.error(
                    sources.main.place(decorator), "@framed is given the function that tells how long a message is",
                    f"write `@{decorator.id}(length)`, below `def length(msg: Message) -> i32:`",
                )  # fmt: skip
        if len(node.decorator_list) < 2:
            continue
        names = [ast.unparse(decorator) for decorator in node.decorator_list]
        known = [getattr(decorators, name, None) is namespace.get(name, reporter) for name in names]
        if any(known) and not all(known):
            unknown = node.decorator_list[known.index(False)]
            reporter.error(
                sources.main.place(unknown),
                f"the decorator `{ast.unparse(unknown)}` cannot be combined with a program or @inline",
                "remove it",
            )


def _declare(scope: PolicyScope, namespace: dict[str, Any]) -> None:
    """Check the structures, maps and variables that the module holds, used or not."""
    declared: set[int] = set()
    for name, thing in namespace.items():
        if id(thing) in declared:
            continue
        if isinstance(thing, Map):
            declared.add(id(thing))
            declare_map(scope, name, thing)
        elif isinstance(thing, Global):
            declared.add(id(thing))
            scope.global_named(name, thing)
        elif is_struct_class(thing) and thing.__module__ == namespace["__name__"]:
            declared.add(id(thing))
            check_struct(scope, thing)


def _programs(scope: PolicyScope, namespace: dict[str, Any]) -> list[Function]:
    functions: list[Function] = []
    seen: set[int] = set()
    kinds = {thing.__name__: mark_of(thing) for thing in namespace.values() if mark_of(thing)}
    scope.kinds.update({name: kind for name, kind in kinds.items() if kind in PROGRAMS})
    scope.kinds.update({name: "stream_verdict" for name, kind in kinds.items() if kind == "framed"})
    for thing in namespace.values():
        kind = mark_of(thing)
        if kind == "framed" and id(thing) not in seen:
            from skverdict.dsl.frontend.framing import lower_framed

            seen.add(id(thing))
            functions += lower_framed(scope, thing)
        if kind in PROGRAMS and id(thing) not in seen:
            seen.add(id(thing))
            function = lower_program(scope, thing, kind)
            if function is not None:
                functions.append(function)
    return functions


def _check_unused(scope: PolicyScope, namespace: dict[str, Any]) -> None:
    """Look at functions that nothing calls."""
    own = [thing for thing in namespace.values() if mark_of(thing) in ("inline", "subprogram")]
    if any(id(function) not in scope.lowered for function in own):
        from skverdict.dsl.frontend.alone import check_unused

        check_unused(scope, namespace)


def _called(scope: PolicyScope, functions: Sequence[Function]) -> list[Function]:
    """The subprograms that the programs really call, in the order in which they were first met."""
    known = {each.name: each.function for each in scope.subprograms.values()}
    wanted: set[str] = set()
    pending = list(functions)
    while pending:
        for block in pending.pop().blocks:
            for operation in block.operations:
                name = str(operation.attributes.get("function", ""))
                if name and name not in wanted:
                    wanted.add(name)
                    function = known[name]
                    assert function is not None
                    pending.append(function)
    return [function for function in known.values() if function is not None and function.name in wanted]


def _check_symbols(scope: PolicyScope, functions: Sequence[Function]) -> None:
    """Maps, variables and functions are symbols of one object, also those that come from several modules."""
    names: dict[str, Location | None] = {}
    symbols = [(each.name, each.location) for each in scope.maps]
    symbols += [(each.name, each.location) for each in scope.globals()]
    symbols += [(each.name, each.location) for each in functions]
    for name, location in symbols:
        if name in names and location is not None:
            place = scope.sources.place(location)
            scope.reporter.error(place, f"two things are called `{name}`", "rename one of them")
        names[name] = location


def _used_structs(scope: PolicyScope, functions: Iterable[Function]) -> list[Struct]:
    """The structures that maps and functions use, each after those inside it; no two of one name."""
    found: dict[Struct, None] = {}
    for map_ in scope.maps:
        for type_ in (map_.key, map_.value):
            if type_ is not None:
                _collect(type_, found)
    for variable in scope.globals():
        _collect(variable.type, found)
    for function in functions:
        for parameter in function.parameters:
            _collect(parameter.value.type, found)
        for local in function.locals:
            _collect(local.type, found)
        for block in function.blocks:
            for operation in block.operations:
                if operation.result is not None and isinstance(operation.result.type, Pointer):
                    _collect(operation.result.type, found)
                if operation.name.startswith("kernel."):
                    owner = operation.operands[0].type
                    assert isinstance(owner, Pointer)
                    _collect(scope.kernel_structs[str(owner.target)], found)
    names: set[str] = set()
    for struct in found:
        if struct.name in names:
            place = Place(scope.sources.path, 0, 1)
            scope.reporter.error(
                place, f"two structures of different members are called `{struct.name}`", "rename one of them"
            )
        names.add(struct.name)
    return list(found)


def _collect(type_: Type, found: dict[Struct, None]) -> None:
    if isinstance(type_, Pointer):
        _collect(type_.target, found)
    elif isinstance(type_, Array):
        _collect(type_.element, found)
    elif isinstance(type_, Struct) and type_ not in found:
        for member in type_.members:
            _collect(member.type, found)
        found[type_] = None
