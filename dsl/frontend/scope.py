"""What all functions of one policy share: its maps, sources and license, and where errors go."""

from __future__ import annotations

import ast
from types import FunctionType
from typing import TYPE_CHECKING, Any

from skverdict.dsl.catalogue.programs import KERNELS, PROGRAMS
from skverdict.dsl.errors import Diagnostic, Place
from skverdict.dsl.frontend.assigned import assignment_counts
from skverdict.dsl.frontend.refusal import Refused, Reporter
from skverdict.dsl.frontend.source import FunctionNode, Source
from skverdict.dsl.ir.module import Global, Map

if TYPE_CHECKING:
    from skverdict.dsl.frontend.sources import Sources
    from skverdict.dsl.frontend.subprograms import Signature, Subprogram
    from skverdict.dsl.globals import Global as DeclaredGlobal
    from skverdict.dsl.ir.types import Struct
    from skverdict.dsl.maps import Map as DeclaredMap


class PolicyScope:
    """The policy while it is compiled."""

    def __init__(
        self, sources: Sources, reporter: Reporter, license_: str, kernel: str = KERNELS[-1]
    ) -> None:
        self.sources = sources
        # The oldest of `catalogue.programs.KERNELS` that the policy is for.
        self.kernel = kernel
        self.reporter = reporter
        self.license = license_
        self.maps: list[Map] = []
        # By identity, with the declaration itself, so that no other object can take its place.
        self._declared: dict[int, tuple[DeclaredMap, Map | None]] = {}
        self._globals: dict[int, tuple[DeclaredGlobal[object], Global | None]] = {}
        # The kinds of the policy's programs, by their names.
        self.kinds: dict[str, str] = {}
        # The policy's subprograms, by what they are called with (`subprograms.Signature`).
        self.subprograms: dict[Signature, Subprogram] = {}
        # The programs that `@framed` made, and what they are made of, which lives as long as the policy.
        self.framed: set[str] = set()
        self.framings: list[dict[str, Any]] = []
        # Functions that were looked at, by identity.
        self.lowered: set[int] = set()
        # How often a piece of code was written out: see `Lowering.spend`.
        self.spent = 0
        # What `c_types(..., core=True)` declares of the running kernel's structures, by name.
        self.kernel_structs: dict[str, Struct] = {}
        self._counts: dict[int, dict[str, int]] = {}

    def add_map(self, declaration: DeclaredMap, map_: Map | None) -> None:
        """Record what a declaration became; None if it has errors, which were reported."""
        self._declared[id(declaration)] = (declaration, map_)
        if map_ is not None:
            self.maps.append(map_)

    def map_named(self, name: str, declaration: DeclaredMap) -> Map | None:
        """The IR's map of a declaration. One that another module holds is added under that module's name."""
        if id(declaration) not in self._declared:
            from skverdict.dsl.frontend.declarations import declare_map

            declare_map(self, name, declaration)
        return self._declared[id(declaration)][1]

    def add_global(self, declaration: DeclaredGlobal[object], variable: Global | None) -> None:
        """Record what a declaration became; None if it has errors, which were reported."""
        self._globals[id(declaration)] = (declaration, variable)

    def global_named(self, name: str, declaration: DeclaredGlobal[object]) -> Global | None:
        """The IR's variable of a declaration, which another module may hold under that name."""
        if id(declaration) not in self._globals:
            from skverdict.dsl.frontend.globals import declare_global

            declare_global(self, name, declaration)
        return self._globals[id(declaration)][1]

    def globals(self) -> list[Global]:
        return [variable for _, variable in self._globals.values() if variable is not None]

    def unused_name(self, name: str) -> str:
        """`name`, or that and a number, which nothing else in the object is called."""
        taken = {map_.name for map_ in self.maps} | {variable.name for variable in self.globals()}
        taken |= {subprogram.name for subprogram in self.subprograms.values()}
        number, free = 1, name
        while free in taken or free in self.kinds:
            number += 1
            free = f"{name}_{number}"
        return free

    def is_broken(self, thing: object) -> bool:
        """True for a map or variable whose declaration has errors that were reported."""
        for declared in (self._declared, self._globals):
            found = declared.get(id(thing))
            if found is not None and found[1] is None:
                return True
        return False

    def is_declared(self, thing: DeclaredMap) -> bool:
        """True for a map that has its name already, whether or not it is right."""
        return id(thing) in self._declared

    def declared_maps(self) -> list[tuple[DeclaredMap, Map]]:
        return [(declaration, map_) for declaration, map_ in self._declared.values() if map_ is not None]

    def context_of(self, kind: str) -> str:
        return PROGRAMS[kind].context

    def definition(self, function: FunctionType) -> tuple[Source, FunctionNode]:
        """Where `function` is written. Raises Refused if its source cannot be found."""
        code = function.__code__
        self.lowered.add(id(function))
        source = self.sources.of_file(code.co_filename)
        node = source.function(code) if source is not None else None
        if source is None or node is None:
            place = Place(code.co_filename, code.co_firstlineno, 1)
            raise Refused(Diagnostic(place, f"the source of `{function.__name__}` cannot be found"))
        return source, node

    def assigned(self, source: Source, node: FunctionNode) -> dict[str, int]:
        counts = self._counts.get(id(node))
        if counts is None:
            counts = self._counts[id(node)] = assignment_counts(node, source.has_walrus)
        return counts

    def call_number(self, path: tuple[int, ...], node: ast.AST) -> int:
        """A number for the call at `node`, different from those of other calls in the same function."""
        line: int = node.lineno  # type: ignore[attr-defined]
        column: int = node.col_offset  # type: ignore[attr-defined]
        return line << 16 | (column & 0xFFFF)


def origin_place(scope: PolicyScope, origin: tuple[str, int]) -> Place:
    """The line where something was declared, given its file and line."""
    file, line = origin
    source = scope.sources.of_file(file)
    return source.line_place(line) if source else Place(file, line, 1)
