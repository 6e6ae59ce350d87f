"""Diagnostics: what is wrong with a policy, where, and what to write instead."""

from __future__ import annotations

from collections.abc import Sequence


class Place:
    """A stretch of a source line: `line`, `column` from 1, `width` in characters, `text` the whole line."""

    __slots__ = ("column", "file", "line", "text", "width")

    def __init__(self, file: str, line: int, column: int, width: int = 1, text: str = "") -> None:
        self.file = file
        self.line = line
        self.column = column
        self.width = width
        self.text = text

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"

    @property
    def key(self) -> tuple[str, int, int]:
        return (self.file, self.line, self.column)

    def is_within(self, other: Place) -> bool:
        """True if `other` has all of this stretch, and more."""
        return (
            (self.file, self.line) == (other.file, other.line)
            and other.column <= self.column
            and self.column + self.width <= other.column + other.width
            and self.width < other.width
        )


class Diagnostic:
    """One finding. `hint` says what to write instead; `notes` are further places, each with what is there."""

    __slots__ = ("hint", "message", "notes", "place", "severity")

    def __init__(
        self,
        place: Place,
        message: str,
        hint: str = "",
        notes: Sequence[tuple[Place, str]] = (),
        severity: str = "error",
    ) -> None:
        self.place = place
        self.message = message
        self.hint = hint
        self.notes = tuple(notes)
        self.severity = severity

    @property
    def file(self) -> str:
        return self.place.file

    @property
    def line(self) -> int:
        """The line, from 1; 0 if the finding is about the file as a whole."""
        return self.place.line

    @property
    def column(self) -> int:
        """The column in characters, from 1."""
        return self.place.column

    @property
    def source_line(self) -> str:
        return self.place.text

    @property
    def width(self) -> int:
        """How many characters the caret underlines."""
        return self.place.width

    def __str__(self) -> str:
        lines = [_heading(self.place, self.severity, self.message), *_excerpt(self.place)]
        if self.hint:
            lines.append(f"  help: {self.hint}")
        for place, text in self.notes:
            lines.append(_heading(place, "note", text))
            lines.extend(_excerpt(place))
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<{_heading(self.place, self.severity, self.message)}>"


def _heading(place: Place, severity: str, message: str) -> str:
    where = str(place) if place.line else place.file
    return f"{where}: {severity}: {message}"


# Of a longer source line only the part around the caret is shown, this many characters wide.
EXCERPT_WIDTH = 160


def _excerpt(place: Place) -> list[str]:
    """The source line and a caret line under it; tabs before the caret are kept so that both line up."""
    text = place.text.rstrip()
    if not place.line or not text:
        return []
    number = str(place.line)
    before = text[: place.column - 1]
    if len(text) > EXCERPT_WIDTH:
        start = max(0, min(len(before) - EXCERPT_WIDTH // 4, len(text) - EXCERPT_WIDTH))
        end = start + EXCERPT_WIDTH
        head, tail = "..." if start else "", "..." if end < len(text) else ""
        text, before = f"{head}{text[start:end]}{tail}", head + before[start:]
    blank = "".join("\t" if character == "\t" else " " for character in before)
    width = max(1, min(place.width, len(text) - len(before)))
    return [f" {number} | {text}", f" {' ' * len(number)} | {blank}{'^' * width}"]


class PolicyWarning(UserWarning):
    """What is allowed in a policy, but deserves a look, as Python's `warnings` have it."""


# Which warnings were shown before, as the module `warnings` keeps it.
_shown: dict[object, object] = {}


def warn(diagnostic: Diagnostic) -> None:
    """Issue a PolicyWarning, which Python shows once, unless its filters say otherwise."""
    import warnings

    place = diagnostic.place
    warnings.warn_explicit(str(diagnostic), PolicyWarning, place.file, place.line, registry=_shown)  # type: ignore[arg-type]


class PolicyError(Exception):
    """A policy was refused. `diagnostics` are all its errors, in the order of the source."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__(diagnostics)
        self.diagnostics = tuple(diagnostics)

    def __str__(self) -> str:
        return "\n\n".join(str(diagnostic) for diagnostic in self.diagnostics)
