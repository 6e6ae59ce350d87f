"""What is wrong with a piece of C."""

from __future__ import annotations


class CError(ValueError):
    """C that cannot be used. `line` and `column` count from 1 in the text that was given to `c_types`."""

    def __init__(self, message: str, line: int, column: int = 1, hint: str = "") -> None:
        super().__init__(message, line, column, hint)
        self.message = message
        self.line = line
        self.column = column
        self.hint = hint
        self.c_position: tuple[int, int, str] | None = None

    def __str__(self) -> str:
        hint = f" ({self.hint})" if self.hint else ""
        return f"line {self.line}, column {self.column} of the C text: {self.message}{hint}"
