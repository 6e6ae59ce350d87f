"""The watcher that records coverage, and hands it to coverage.py."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from skverdict.codegen import build
from skverdict.dsl.policy import Policy
from skverdict.runtime.coverage.marking import LINE, SIGN, Mark, mark_module
from skverdict.runtime.coverage.path import Arc, Path, Ways
from skverdict.runtime.coverage.statements import entries

if TYPE_CHECKING:
    from coverage import Coverage
    from skverdict.runtime.machine.run import LoadedProgram, Run, Step

# BPF_STX | BPF_ATOMIC | BPF_DW, and BPF_XCHG, which is BPF_FETCH | 0xe0 (RFC 9669, section 5.3).
_ATOMIC, _EXCHANGE = 0xDB, 0xE1
_NUMBER = (1 << 32) - 1


class Recorder:
    """Records what runs in the simulators that it watches: `arcs` by path of the source file."""

    def __init__(self) -> None:
        self.arcs: dict[str, set[Arc]] = {}
        self._marks: list[Mark] = []
        self._sources: dict[str, Sequence[str]] = {}
        self._ways: dict[str, Ways] = {}
        self._path = Path(self._ways_of)
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
        return build(Policy(policy.path, module, policy.sources, policy.paths))

    def watch(self, program: LoadedProgram) -> LoadedProgram:
        """The program, reporting the marks that it passes."""
        steps = list(program.steps)
        for slot, instruction in program.program.instructions.items():
            if instruction.opcode == _ATOMIC and instruction.imm == _EXCHANGE:
                steps[slot] = self._reporting(steps[slot], instruction.src)
        return program._replace(steps=steps)

    def _reporting(self, step: Step, register: int) -> Step:
        def reporting(r: list[int], run: Run) -> int:
            stored = r[register]
            if stored & ~_NUMBER == SIGN:
                for file, arc in self._path.passed(self._marks[stored & _NUMBER]):
                    self.arcs.setdefault(file, set()).add(arc)
            return step(r, run)

        return reporting

    def _ways_of(self, file: str) -> Ways:
        if file not in self._ways:
            shown = {mark.line for mark in self._marks if mark.file == file and mark.kind == LINE}
            self._ways[file] = Ways(_possible(file, self._sources[file]), shown)
        return self._ways[file]

    def hand_over(self, coverage: Coverage) -> None:
        """Give what was recorded to coverage.py, for the files that it measures; and forget it."""
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


def _possible(file: str, lines: Sequence[str]) -> set[Arc]:
    """coverage.py's own view of which line can follow which; it leaves out how functions are entered."""
    from coverage.parser import PythonParser

    parser = PythonParser(text="\n".join(line.rstrip("\r\n") for line in lines) + "\n", filename=file)
    parser.parse_source()
    return {*parser.arcs(), *entries(lines)}
