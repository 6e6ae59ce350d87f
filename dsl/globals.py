"""Variables that all programs of a policy share, and that user space reads and sets.

    threshold = Global(u32, 100)
    limit = Const(u64)

Programs read and write `threshold.value`. So does ordinary Python, in which it has the variable's type as well.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Global:
    """A variable of type `type`, a scalar, a Struct or an Array, that is `value` at first, or all zero."""

    read_only = False

    def __init__(self, type: object, value: object = None) -> None:
        self.annotation = type
        self.initial = value
        self._content: bytearray | None = None
        frame = sys._getframe(1)
        self.origin = (frame.f_code.co_filename, frame.f_lineno)

    def _place(self) -> bytearray:
        """The bytes of the variable in ordinary Python. Raises OverflowError if what it begins with does not fit."""
        if self._content is None:
            from skverdict.dsl.places import encoded, size

            is_zero = self.initial is None
            self._content = bytearray(size(self.annotation) if is_zero else encoded(self.annotation, self.initial))
        return self._content

    @property
    def value(self) -> Any:
        """What it holds. Set to what does not fit, it raises OverflowError."""
        from skverdict.dsl.places import read

        return read(self.annotation, self._place(), 0)

    @value.setter
    def value(self, value: object) -> None:
        from skverdict.dsl.places import write

        write(self.annotation, self._place(), 0, value)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.value!r}>"


class Const(Global):
    """A variable that user space sets before the programs are loaded, and that nobody changes afterwards."""

    read_only = True
