"""Variables that all programs of a policy share, and that user space reads and sets.

    threshold = Global(u32, 100)
    limit = Const(u64)

Programs read and write `threshold.value`, which is an attribute of a plain object in ordinary Python.
"""

from __future__ import annotations

import sys

from skverdict.dsl.structs import zero_of


class Global:
    """A variable of type `type`, a scalar, a Struct or an Array, that is `value` at first, or all zero."""

    read_only = False

    def __init__(self, type: object, value: object = None) -> None:
        self.annotation = type
        self.initial = value
        self.value = zero_of(type) if value is None else value
        frame = sys._getframe(1)
        self.origin = (frame.f_code.co_filename, frame.f_lineno)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.value!r}>"


class Const(Global):
    """A variable that user space sets before the programs are loaded, and that nobody changes afterwards."""

    read_only = True
