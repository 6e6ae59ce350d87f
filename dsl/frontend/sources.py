"""The files that a policy is written in: the policy itself and the modules whose functions it uses."""

from __future__ import annotations

import ast
import os
from collections.abc import Sequence

from skverdict.dsl.errors import Diagnostic, Place, PolicyError
from skverdict.dsl.frontend.source import Source
from skverdict.dsl.ir.module import Location

# Where the parts of programs lie that the compiler brings.
_OWN = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "framing", "")


class Sources:
    """Reads each file once. Names for the IR are paths below the policy's folder, or bare file names."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._folder = os.path.dirname(os.path.abspath(path))
        self._by_file: dict[str, Source | None] = {}
        self.main = self._read(path)
        self._by_file[path] = self.main

    def of_file(self, file: str) -> Source | None:
        """The source that code compiled as `file` was read from, or None if there is none to read."""
        if file not in self._by_file:
            try:
                self._by_file[file] = self._read(file)
            except PolicyError:
                self._by_file[file] = None
        return self._by_file[file]

    def place(self, location: Location | None) -> Place:
        """A place that the IR names, up to the end of its line; the file as a whole if it names none."""
        for source in self._by_file.values():
            if source is not None and location is not None and source.name == location.file:
                text = source.line(location.line)
                width = max(1, len(text.rstrip()) - location.column + 1)
                return Place(source.path, location.line, location.column, width, text)
        return Place(self.path, 0, 1)

    def lines(self) -> dict[str, Sequence[str]]:
        """The lines of every file that was used, by its name in the IR."""
        return {source.name: source.lines for source in self._by_file.values() if source is not None}

    def paths(self) -> dict[str, str]:
        """The absolute path of every file that was used, by its name in the IR."""
        used = (source for source in self._by_file.values() if source is not None)
        return {source.name: os.path.abspath(source.path) for source in used}

    def _read(self, path: str) -> Source:
        text = read_text(path)
        is_own = os.path.abspath(path).startswith(_OWN)
        return Source(path, self._name(path), text, parse(path, text), is_own)

    def _name(self, path: str) -> str:
        absolute = os.path.abspath(path)
        if absolute.startswith(_OWN):
            return f"skverdict/{os.path.basename(absolute)}"
        if os.path.commonpath([absolute, self._folder]) == self._folder:
            name = os.path.relpath(absolute, self._folder).replace(os.sep, "/")
        else:
            name = os.path.basename(absolute)
        taken = {source.name for source in self._by_file.values() if source is not None}
        if name in taken:
            name = f"{os.path.basename(os.path.dirname(absolute))}/{os.path.basename(absolute)}"
        return name


def read_text(path: str) -> str:
    """The text of a policy file, which is UTF-8. Raises PolicyError."""
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError as error:
        raise failure(path, f"cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise failure(path.replace("\0", "\\0"), f"cannot be read: {error}") from None
    if content.startswith(b"\x7fELF"):
        raise failure(path, "this is an object file, not a policy", "give the source that it was built from")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise failure(
            path, f"byte {content[error.start]:#04x} is not UTF-8", "save the file as UTF-8", line
        ) from None
    position = text.find("\0")
    if position >= 0:
        raise failure(path, "there is a NUL byte in the file", "", text.count("\n", 0, position) + 1)
    return text


def parse(path: str, text: str) -> ast.Module:
    """The tree of a policy. Raises PolicyError for a syntax error."""
    try:
        return ast.parse(text, path)
    except SyntaxError as error:
        raise syntax_error(path, text, error) from None
    except (RecursionError, MemoryError):
        raise failure(path, "the code is nested too deeply") from None
    except (ValueError, OverflowError) as error:
        raise failure(path, f"cannot be parsed: {error}") from None


def syntax_error(path: str, text: str, error: SyntaxError) -> PolicyError:
    """Python's syntax error as a PolicyError."""
    line, column = error.lineno or 1, max(1, error.offset or 1)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    shown = lines[line - 1] if 0 < line <= len(lines) else ""
    width = 1
    if error.end_lineno == error.lineno and error.end_offset and error.end_offset > column:
        width = error.end_offset - column
    place = Place(path, line, column, width, shown)
    return PolicyError([Diagnostic(place, f"syntax error: {error.msg}", _syntax_hint(shown, error.msg))])


def _syntax_hint(line: str, message: str) -> str:
    """What to write instead, where Python's own words do not tell."""
    if message.startswith("name capture"):
        from skverdict.dsl.frontend.imports import dotted

        return dotted(message.split("'")[1])
    return ""


def failure(path: str, message: str, hint: str = "", line: int = 0) -> PolicyError:
    """An error about the file as a whole, or about one line that cannot be shown."""
    return PolicyError([Diagnostic(Place(path, line, 1), message, hint)])
