"""The watcher that records coverage, and hands it to coverage.py."""

from __future__ import annotations

import os
import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from weakref import WeakSet

from skverdict.codegen import build
from skverdict.dsl.policy import Policy
from skverdict.runtime.coverage.marking import COUNT, LINE, LOG, LOG_LENGTH, Mark, mark_module
from skverdict.runtime.coverage.path import Arc, Path, Ways
from skverdict.runtime.coverage.statements import entries

if TYPE_CHECKING:
    from coverage import Coverage
    from skverdict.codegen.object import Object
    from skverdict.runtime.program import SimulatedProgram
    from skverdict.runtime.variables import Content


class Recorder:
    """Records what runs in the simulators that it watches.

    `arcs` are by path of the source file; `hits` counts how often each statement began, by file and line.
    """

    def __init__(self) -> None:
        self.arcs: dict[str, set[Arc]] = {}
        self.hits: Counter[tuple[str, int]] = Counter()
        self._marks: list[Mark] = []
        self._sources: dict[str, Sequence[str]] = {}
        self._ways: dict[str, Ways] = {}
        self._logs: WeakSet[_Log] = WeakSet()
        self._built: dict[Policy, bytes] = {}

    def build(self, policy: Policy) -> bytes:
        """The object of the policy with marks."""
        if policy not in self._built:
            self._built[policy] = self._build(policy)
        return self._built[policy]

    def _build(self, policy: Policy) -> bytes:
        module, marks = mark_module(policy.module, policy.sources, len(self._marks))
        self._marks += [mark._replace(file=policy.paths[mark.file]) for mark in marks]
        self._sources.update((policy.paths[name], lines) for name, lines in policy.sources.items())
        self._ways.clear()
        marked = Policy(policy.path, module, policy.sources, policy.paths, kernel=policy.kernel)
        # What is too much with marks in it may be well without them.
        return build(marked, warn=lambda warning: None)

    def made(self, content: Object, data: Mapping[str, Content], programs: Mapping[str, SimulatedProgram]) -> None:
        """Follow the marks that the programs of a new simulator pass."""
        log = _Log(content, data, self)
        if log.has_marks:
            self._logs.add(log)
            for program in programs.values():
                program.after_run.append(log.read)

    def passed(self, path: Path, number: int) -> None:
        """A mark was passed on the way `path`."""
        for file, arc in path.passed(self._marks[number]):
            self.arcs.setdefault(file, set()).add(arc)
            if arc[1] > 0:
                self.hits[file, arc[1]] += 1

    def new_path(self) -> Path:
        """The way of a simulator from its beginning."""
        return Path(self._ways_of)

    def _ways_of(self, file: str) -> Ways:
        if file not in self._ways:
            shown = {mark.line for mark in self._marks if mark.file == file and mark.kind == LINE}
            self._ways[file] = Ways(_possible(file, self._sources[file]), shown)
        return self._ways[file]

    def hand_over(self, coverage: Coverage) -> None:
        """Give what was recorded to coverage.py, for the files that it measures; and forget it."""
        for log in self._logs:
            log.read()
        recorded, self.arcs = self.arcs, {}
        data = coverage.get_data()
        measured = {os.path.realpath(file): file for file in data.measured_files()}
        wanted = {
            measured[os.path.realpath(file)]: arcs
            for file, arcs in recorded.items()
            if os.path.realpath(file) in measured
        }
        if coverage.get_option("run:branch"):
            data.add_arcs(wanted)
        else:
            data.add_lines({file: {abs(end) for _, end in arcs if end > 0} for file, arcs in wanted.items()})


class _Log:
    """The log of one simulator, read up to `_seen`."""

    def __init__(self, content: Object, data: Mapping[str, Content], recorder: Recorder) -> None:
        places = {
            name: (data[section.name], offset)
            for section in content.data.values()
            for name, (offset, _) in section.variables.items()
            if name in (COUNT, LOG)
        }
        self.has_marks = len(places) == 2
        self._places = places
        self._recorder = recorder
        self._path = recorder.new_path()
        self._seen = 0

    def read(self) -> None:
        """Take notice of the marks passed since the last time, as far as the ring still has them."""
        memory, offset = self._places[COUNT]
        (count,) = struct.unpack_from("<Q", memory, offset)
        memory, offset = self._places[LOG]
        for at in range(max(self._seen, count - LOG_LENGTH), count):
            (number,) = struct.unpack_from("<I", memory, offset + 4 * (at % LOG_LENGTH))
            self._recorder.passed(self._path, number)
        self._seen = count


def _possible(file: str, lines: Sequence[str]) -> set[Arc]:
    """coverage.py's own view of which line can follow which; it leaves out how functions are entered."""
    from coverage.parser import PythonParser

    parser = PythonParser(text="\n".join(line.rstrip("\r\n") for line in lines) + "\n", filename=file)
    parser.parse_source()
    return {*parser.arcs(), *entries(lines)}
