"""Control-flow graphs as SVG: blocks below one another, jumps beside them."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from skverdict.runtime.pictures.control_flow import Block, Line

_WIDTH, _MARGIN, _LINE, _GAP, _LANE = 640, 90, 17, 26, 12
_TEXT = 66
"""Characters of a source line that fit into a block."""


class _Box(NamedTuple):
    """Where a block is drawn."""

    top: int
    height: int

    @property
    def bottom(self) -> int:
        return self.top + self.height


class _Jump(NamedTuple):
    """An edge that is not the way to the next block, and how far out it is drawn."""

    start: int
    end: int
    lane: int


def graph_svg(blocks: Sequence[Block], title: str) -> str:
    """The graph as an `<svg>` element. Jumps forward are on the right, back on the left."""
    boxes, top = [], 10
    for block in blocks:
        height = (len(block.lines) + 1) * _LINE + 8
        boxes.append(_Box(top, height))
        top += height + _GAP
    jumps = _jumps(blocks)
    left = _MARGIN + _LANE * max((jump.lane for jump in jumps if jump.end <= jump.start), default=0)
    right = _MARGIN + _LANE * max((jump.lane for jump in jumps if jump.end > jump.start), default=0)
    most = max((line.hits or 0 for block in blocks for line in block.lines), default=0)
    parts = [
        f'<svg class="graph" xmlns="http://www.w3.org/2000/svg" width="{left + _WIDTH + right}" height="{top}" '
        f'role="img" aria-label="{escape(title)}">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0 L8 4 L0 8 z"/></marker></defs>',
    ]
    for block, box in zip(blocks, boxes, strict=True):
        parts += _drawn(block, box, left, most)
        if block.number + 1 in block.successors:
            x = left + _WIDTH // 2
            parts.append(_arrow(f"M{x} {box.bottom} V{box.bottom + _GAP}"))
    parts += [_arc(jump, boxes, left) for jump in jumps]
    return "\n".join([*parts, "</svg>"])


def _drawn(block: Block, box: _Box, left: int, most: int) -> list[str]:
    name = f"{block.function}  " if block.function else ""
    parts = [
        f'<g class="block" data-block="{block.number}">'
        f'<rect x="{left}" y="{box.top}" width="{_WIDTH}" height="{box.height}" rx="4"/>',
        f'<text class="head" x="{left + 8}" y="{box.top + _LINE}">B{block.number}  {escape(name)}'
        f"instructions {block.first}..{block.last}{'' if block.successors else '  exit'}</text>",
    ]
    for at, line in enumerate(block.lines, 2):
        parts.append(_source(line, left, box.top + at * _LINE, most))
    return [*parts, "</g>"]


def _source(line: Line, left: int, y: int, most: int) -> str:
    text = line.text.rstrip()
    shown = escape(text if len(text) <= _TEXT else f"{text[: _TEXT - 3]}...")
    kind = "" if line.hits is None else " ran" if line.hits else " missed"
    strength = 0.0 if not line.hits or not most else 0.1 + 0.5 * line.hits / most
    count = "" if line.hits is None else f"{line.hits:,}x"
    return (
        f'<rect class="heat{kind}" x="{left + 1}" y="{y - 13}" width="{_WIDTH - 2}" height="{_LINE}" '
        f'style="fill-opacity:{strength:.2f}"/>'
        f'<text class="source{kind}" x="{left + 8}" y="{y}" xml:space="preserve">{line.number:5}  {shown}</text>'
        f'<text class="count" x="{left + _WIDTH - 8}" y="{y}" text-anchor="end">{count}</text>'
    )


def _jumps(blocks: Sequence[Block]) -> list[_Jump]:
    """Each jump in the innermost lane where it meets no other, short ones first."""
    edges = [
        (block.number, after)
        for block in blocks
        for after in block.successors
        if after != block.number + 1
    ]
    placed: list[_Jump] = []
    for start, end in sorted(edges, key=lambda edge: abs(edge[1] - edge[0])):
        lane = 1
        while any(
            jump.lane == lane and (jump.end > jump.start) == (end > start) and _meet(jump, start, end)
            for jump in placed
        ):
            lane += 1
        placed.append(_Jump(start, end, lane))
    return placed


def _meet(jump: _Jump, start: int, end: int) -> bool:
    low, high = sorted((start, end))
    other_low, other_high = sorted((jump.start, jump.end))
    return low <= other_high and other_low <= high


def _arc(jump: _Jump, boxes: Sequence[_Box], left: int) -> str:
    start, end = boxes[jump.start].bottom - 6, boxes[jump.end].top + 8
    forward = jump.end > jump.start
    edge = left + _WIDTH if forward else left
    away = edge + (10 + _LANE * jump.lane) * (1 if forward else -1)
    return _arrow(f"M{edge} {start} H{away} V{end} H{edge}")


def _arrow(path: str) -> str:
    return f'<path class="edge" d="{path}" marker-end="url(#tip)"/>'
