"""A division by a constant stays one instruction.

LLVM multiplies and shifts instead, in seven to twelve instructions, unless a function is to be made small.
"""

from __future__ import annotations

import re

from skverdict.codegen.passes.function_text import FunctionText

_DIVISION = re.compile(r" = (?:udiv|urem|sdiv|srem) (?:exact )?i\d+ [^,]+, -?\d+")
_ATTRIBUTES = re.compile(r" (?=#\d+ )")


def keep_divisions(function: FunctionText) -> bool:
    """Change `function` if that makes it shorter; True if it was changed."""
    if not any(_DIVISION.search(line) for _, _, line in function.lines()):
        return False
    function.head = _ATTRIBUTES.sub(" minsize optsize ", function.head, count=1)
    return True
