"""LLVM's part: assembly language in, ELF object out; and a look at what LLVM would die of."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from skverdict.codegen.llvm import llvm

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from skverdict.codegen.target import Target

# A module below this weight has no function that a 16-bit branch cannot span.
_HEAVY = 3000
_BLOCK_MOVE = re.compile(r"@llvm\.mem\w+\.[\w.]+\(.* i64 (\d+), i1")
# Each begins with what is in few lines, which is found many times faster than a choice.
_WIDE_ARITHMETIC = (re.compile(r" i(?:6[5-9]|[7-9]\d|\d{3,}) "), re.compile(r"mul\.with\.overflow\.i64"))
_DEFINITION = re.compile(r'^define [^@]*@"?(\w+)"?\(.*?^\}$', re.MULTILINE | re.DOTALL)
_FUNCTION = re.compile(r"^([A-Za-z_]\w*):", re.MULTILINE)
_SLOT = re.compile(r"^\t(?!\.)\S| ll$", re.MULTILINE)


class WideArithmetic(Exception):
    """LLVM put a formula with integers of more than 64 bits, which BPF does not have, into `functions`."""

    def __init__(self, functions: frozenset[str]) -> None:
        super().__init__(f"integers of more than 64 bits in {', '.join(sorted(functions))}")
        self.functions = functions


def compile_text(
    text: str, target: Target, passes: Sequence[str], check_sizes: Callable[[Mapping[str, int]], None]
) -> bytes:
    """The ELF object that LLVM makes of a module in its assembly language.

    It goes through `passes`, or LLVM's default pipeline if there are none. `check_sizes` gets the instruction
    counts of the functions if they may exceed what branches reach, and raises if they do. Raises
    `WideArithmetic`.
    """
    backend = llvm(target)
    module = backend.parse(text)
    backend.optimise(module, passes)
    optimised = backend.text(module)
    if _is_wide(optimised):
        raise WideArithmetic(_wide_functions(optimised))
    if _weight(optimised) > _HEAVY and not target.has_long_branch:
        check_sizes(_sizes(backend.assembly(module)))
    return backend.object(module)


def _wide_functions(optimised: str) -> frozenset[str]:
    """The functions with integers of more than 64 bits in them."""
    return frozenset(
        definition[1]
        for definition in _DEFINITION.finditer(optimised)
        if _is_wide(definition[0])
    )


def _is_wide(text: str) -> bool:
    """True if there are integers of more than 64 bits in LLVM's assembly language."""
    return any(pattern.search(text) for pattern in _WIDE_ARITHMETIC)


def _weight(text: str) -> int:
    """Lines, and for each block move the most instructions it can become."""
    return text.count("\n") + sum(2 * int(size) for size in _BLOCK_MOVE.findall(text))


def _sizes(assembly: str) -> dict[str, int]:
    """Instruction slots by function in the assembly language that LLVM prints."""
    starts = list(_FUNCTION.finditer(assembly))
    ends = [*(match.start() for match in starts[1:]), len(assembly)]
    return {
        match[1]: len(_SLOT.findall(assembly, match.end(), end))
        for match, end in zip(starts, ends, strict=True)
    }
