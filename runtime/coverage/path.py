"""From the marks that a run passes to the arcs of coverage.py: pairs of lines that ran one after the other.

A function is entered by the arc `(-first, line)` and left by `(line, -first)`, `first` being its first line.
Inlined functions are entered and left as if they were called.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from skverdict.runtime.coverage.marking import ENTER, EXIT, Mark

Arc = tuple[int, int]


class Ways:
    """The ways from line to line in one file: `possible` are coverage.py's arcs, `shown` the marked lines.

    Statements that leave no code behind (a test of a constant, `while True`) have no marks; they lie on the
    way between those that do.
    """

    def __init__(self, possible: set[Arc], shown: set[int]) -> None:
        self._next: dict[int, list[int]] = {}
        for start, end in sorted(possible):
            self._next.setdefault(start, []).append(end)
        self._shown = shown
        self._known: dict[Arc, tuple[Arc, ...] | None] = {}

    def between(self, start: int, end: int) -> tuple[Arc, ...] | None:
        """The arcs of the shortest way that passes no other marked line; None if there is none."""
        if (start, end) not in self._known:
            self._known[start, end] = self._search(start, end)
        return self._known[start, end]

    def _search(self, start: int, end: int) -> tuple[Arc, ...] | None:
        came_from: dict[int, int] = {}
        pending = deque([start])
        while pending:
            line = pending.popleft()
            for after in self._next.get(line, ()):
                if after == end:
                    return (*_back(came_from, start, line), (line, end))
                if after > 0 and after not in self._shown and after not in came_from and after != start:
                    came_from[after] = line
                    pending.append(after)
        return None


def _back(came_from: dict[int, int], start: int, line: int) -> list[Arc]:
    arcs: list[Arc] = []
    while line != start:
        arcs.append((came_from[line], line))
        line = came_from[line]
    return arcs[::-1]


class _Frame(NamedTuple):
    """A Python function that is under way: where it is, and the line that ran last."""

    file: str
    function: int
    line: int


class Path:
    """Follows one simulator's marks; `ways` gives those of a file."""

    def __init__(self, ways: Callable[[str], Ways]) -> None:
        self._ways = ways
        self._frames: list[_Frame] = []

    def passed(self, mark: Mark) -> Iterator[tuple[str, Arc]]:
        """The arcs, each with its file, that end with a mark."""
        if mark.kind == ENTER:
            # A program that is entered while another seems to run has taken its place, after a fault or by
            # a tail call.
            if mark.is_program:
                self._frames.clear()
            self._frames.append(_Frame(mark.file, mark.function, -mark.function))
        elif mark.kind == EXIT:
            while self._frames:
                left = self._frames.pop()
                yield from self._leave(left)
                if (left.file, left.function) == (mark.file, mark.function):
                    break
        else:
            yield from self._at_line(mark)

    def _at_line(self, mark: Mark) -> Iterator[tuple[str, Arc]]:
        place = (mark.file, mark.function)
        if place not in (frame[:2] for frame in self._frames):
            self._frames.append(_Frame(*place, -mark.function))
        while self._frames[-1][:2] != place:
            yield from self._leave(self._frames.pop())
        last = self._frames[-1].line
        if last == mark.line:
            return
        self._frames[-1] = _Frame(*place, mark.line)
        way = self._ways(mark.file).between(last, mark.line)
        if way is None:
            # An inlined function that is called twice in one expression.
            yield from self._leave(_Frame(*place, last))
            way = self._ways(mark.file).between(-mark.function, mark.line) or ((last, mark.line),)
        yield from ((mark.file, arc) for arc in way)

    def _leave(self, frame: _Frame) -> Iterator[tuple[str, Arc]]:
        if frame.line > 0:
            end = -frame.function
            way = self._ways(frame.file).between(frame.line, end) or ((frame.line, end),)
            yield from ((frame.file, arc) for arc in way)
