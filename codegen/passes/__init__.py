"""Passes over what LLVM's optimiser gives, each for one thing that it leaves longer than need be.

They work on LLVM's assembly language as LLVM prints it, where an instruction is a line.
"""

from __future__ import annotations

import re

from skverdict.codegen.passes.answers import give_answers_blocks
from skverdict.codegen.passes.divisions import keep_divisions
from skverdict.codegen.passes.function_text import FunctionText
from skverdict.codegen.passes.temporaries import merge_temporaries

_DEFINITION = re.compile(r"^define .*?^\}$", re.MULTILINE | re.DOTALL)


def shorten(optimised: str) -> str:
    """The same module with shorter machine code; the very same text if there is nothing to do."""
    return _DEFINITION.sub(_shorten_function, optimised)


def _shorten_function(definition: re.Match[str]) -> str:
    function = FunctionText(definition[0])
    changes = [change(function) for change in (merge_temporaries, give_answers_blocks, keep_divisions)]
    return function.text() if any(changes) else definition[0]
