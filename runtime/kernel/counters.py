"""What the programs of an attached policy did so far, and what its maps hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from skverdict.runtime.kernel.entries import entries_of
from skverdict.runtime.kernel.inventory import MapState
from skverdict.runtime.kernel.kernel import Kernel, KernelProgram
from skverdict.runtime.kernel.results import ResultCounter, Results


class ProgramCount(NamedTuple):
    """A program: how often it ran, for how long in all, in nanoseconds, and what it returned; `results` is
    None where the kernel cannot have that counted."""

    name: str
    kind: str
    runs: int
    run_time: int
    results: Results | None


class Counts(NamedTuple):
    programs: list[ProgramCount]
    maps: list[MapState]


class Counters:
    """The counts of what `kernel` has attached."""

    def __init__(self, kernel: Kernel, counting: dict[str, ResultCounter]) -> None:
        self._kernel = kernel
        self._counting = counting

    def read(self) -> Counts:
        """The counts up to now."""
        return Counts(
            [self._program(program) for program in self._kernel.programs.values()],
            [self._map(name) for name in self._kernel.maps],
        )

    def _program(self, program: KernelProgram) -> ProgramCount:
        info, counter = program.info, self._counting.get(program.name)
        results = None if counter is None else counter.read()
        return ProgramCount(program.name, program.kind or "", info.runs, info.run_time, results)

    def _map(self, name: str) -> MapState:
        raw, bpf = self._kernel.maps[name].raw, self._kernel.bpf
        entries = entries_of(bpf, raw.descriptor, bpf.map_info(raw.descriptor))
        return MapState(name, raw.kind, entries, raw.spec.max_entries)


@contextmanager
def counting(kernel: Kernel) -> Iterator[Counters]:
    """Count runs and results of the programs of `kernel` meanwhile."""
    with ExitStack() as steps:
        steps.enter_context(kernel.statistics())
        found = {}
        for name, program in kernel.programs.items():
            try:
                counter = ResultCounter(kernel.bpf, program.descriptor)
            except OSError:
                continue  # a program without BTF, or a kernel that has no trampolines: runs are counted still
            steps.callback(counter.close)
            found[name] = counter
        yield Counters(kernel, found)
