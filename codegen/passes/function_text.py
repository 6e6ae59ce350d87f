"""One function in LLVM's assembly language, by blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator

_LABEL = re.compile(r"^([\w.$-]+):")


class FunctionText:
    """`head` is the line with `define`; `blocks` holds each block's instructions, in order, by label."""

    def __init__(self, text: str) -> None:
        self.head, *lines = text.split("\n")
        self.blocks: dict[str, list[str]] = {}
        block: list[str] = []
        for line in lines[:-1]:
            label = _LABEL.match(line)
            if label:
                block = self.blocks[label[1]] = []
            elif line:
                block.append(line)

    def text(self) -> str:
        parts = [self.head]
        for label, lines in self.blocks.items():
            parts += (f"{label}:", *lines)
        return "\n".join((*parts, "}"))

    def lines(self) -> Iterator[tuple[str, int, str]]:
        """Every instruction line with its block's label and its place in the block."""
        for label, block in self.blocks.items():
            for place, line in enumerate(block):
                yield label, place, line

    def definition(self, value: str) -> tuple[str, int] | None:
        """Block and place of the instruction that defines `value`."""
        start = f"  {value} = "
        return next(((label, place) for label, place, line in self.lines() if line.startswith(start)), None)

    def redirect(self, label: str, target: str, replacement: str) -> None:
        """Let every way from the end of block `label` to `target` lead to `replacement`."""
        block = self.blocks[label]
        pattern = re.compile(rf"label %{re.escape(target)}(?![\w.$-])")
        for place in range(len(block) - 1, -1, -1):
            block[place] = pattern.sub(f"label %{replacement}", block[place])
            if block[place].startswith(("  br ", "  switch ")):
                break


def mentions(value: str) -> re.Pattern[str]:
    """What finds `value` as an operand and not as the start of a longer name."""
    return re.compile(rf"{re.escape(value)}(?![\w.$-])")
