"""LLVM debug metadata: just what makes LLVM say which instruction comes from which line.

Types are left out, since the object's BTF is written from the policy's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.codegen.btf_ext import MAX_COLUMN, MAX_LINE

if TYPE_CHECKING:
    from skverdict.dsl.ir.module import Location


class DebugInfo:
    """Numbered metadata nodes of one module. `file` is the policy's file name as users see it."""

    def __init__(self, file: str) -> None:
        self.nodes: list[str] = []
        self._files: dict[str, int] = {}
        self._scopes: dict[tuple[int, str], int] = {}
        self._locations: dict[tuple[int, str, int, int], int] = {}
        self._main_file = file
        self._unit = self._node(
            f"distinct !DICompileUnit(language: DW_LANG_C11, file: !{self._file(file)}, isOptimized: true, "
            "emissionKind: DebugDirectivesOnly)"
        )
        self._no_types = self._node("!{null}")
        self._signature = self._node(f"!DISubroutineType(types: !{self._no_types})")
        self._version = self._node('!{i32 2, !"Debug Info Version", i32 3}')

    def _node(self, text: str) -> int:
        self.nodes.append(text)
        return len(self.nodes) - 1

    def _file(self, file: str) -> int:
        number = self._files.get(file)
        if number is None:
            # An empty `source` keeps LLVM from looking for the file on disk.
            name = quote(file)
            number = self._files[file] = self._node(f'!DIFile(filename: {name}, directory: "", source: "")')
        return number

    def function(self, name: str, location: Location | None) -> int:
        """The node of a function that begins at `location`."""
        file, line = (location.file, location.line) if location else (self._main_file, 0)
        return self._node(
            f"distinct !DISubprogram(name: {quote(name)}, scope: !{self._file(file)}, "
            f"file: !{self._file(file)}, line: {line}, type: !{self._signature}, unit: !{self._unit}, "
            "spFlags: DISPFlagDefinition | DISPFlagOptimized)"
        )

    def location(self, function: int, function_file: str, location: Location) -> int:
        """The node of a place in the function with node `function`, which is in `function_file`."""
        key = (function, location.file, location.line, location.column)
        number = self._locations.get(key)
        if number is None:
            scope = function
            if location.file != function_file:
                scope = self._scope(function, location.file)
            # LLVM packs line and column into one word of `.BTF.ext` and lets a column run over into the line.
            line = location.line if location.line <= MAX_LINE else 0
            column = location.column if location.column <= MAX_COLUMN else 0
            number = self._locations[key] = self._node(
                f"!DILocation(line: {line}, column: {column}, scope: !{scope})"
            )
        return number

    def _scope(self, function: int, file: str) -> int:
        """The part of a function that was written in another file."""
        number = self._scopes.get((function, file))
        if number is None:
            number = self._scopes[function, file] = self._node(
                f"!DILexicalBlockFile(scope: !{function}, file: !{self._file(file)}, discriminator: 0)"
            )
        return number

    def lines(self) -> list[str]:
        """The module's metadata as LLVM's assembly language."""
        return [
            f"!llvm.dbg.cu = !{{!{self._unit}}}",
            f"!llvm.module.flags = !{{!{self._version}}}",
            *(f"!{number} = {text}" for number, text in enumerate(self.nodes)),
        ]


def quote(text: str) -> str:
    """`text` as a string of LLVM's assembly language."""
    safe = "".join(
        chr(byte) if 0x20 <= byte < 0x7F and byte not in b'"\\' else f"\\{byte:02X}" for byte in text.encode()
    )
    return f'"{safe}"'
