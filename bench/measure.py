"""Interleaved timing: every subject once a round, so that what else the machine does falls on all alike."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

Subject = Callable[[], float]  # runs once, gives seconds


class BenchError(Exception):
    """A subject cannot be measured; says which command failed and what it printed."""


class Times(NamedTuple):
    """What a subject took, in milliseconds."""

    median: float
    minimum: float


def whole_process(command: Sequence[str], folder: Path, path: str | None = None) -> Subject:
    """A subject that runs `command` in `folder` from start to end, with PATH set to `path` if given.

    Python's modules are compiled by the first run and kept, as pip compiles those that it installs.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    if path:
        environment["PATH"] = path

    def once() -> float:
        start = time.perf_counter()
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        seconds = time.perf_counter() - start
        if done.returncode:
            raise BenchError(f"{' '.join(command)} failed ({done.returncode}):\n{done.stdout}{done.stderr}")
        return seconds

    return once


class Worker:
    """A process kept warm: it answers each line with the seconds that it needed. To be used with `with`."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self._command = command
        self._process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def once(self) -> float:
        """Ask once."""
        return self.ask("")

    def ask(self, line: str) -> float:
        """The number that it answers `line` with."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise BenchError(f"{' '.join(self._command)} ended early")
        return float(answer)


def measure(subjects: Mapping[str, Subject], rounds: int, warm_up: int = 2) -> dict[str, Times]:
    """Run all subjects `rounds` times in turn, after `warm_up` rounds that do not count."""
    taken: dict[str, list[float]] = {name: [] for name in subjects}
    for number in range(warm_up + rounds):
        for name, subject in subjects.items():
            seconds = subject()
            if number >= warm_up:
                taken[name].append(seconds * 1000)
    return {name: Times(statistics.median(times), min(times)) for name, times in taken.items()}
