"""How fast programs run: the interpreter, step by step and in functions, native code, and uBPF's interpreter and
JIT, side by side.

    python -m bench.engine_speed --ubpf SCRIPT [--write docs/performance.md]

SCRIPT builds uBPF and prints the path of its shared library. Without it, skverdict is measured alone.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from skverdict.runtime.machine.context import Context
from skverdict.runtime.machine.environment import Environment
from skverdict.runtime.machine.run import LoadedProgram, Result, run, step_through
from skverdict.runtime.native import engine, layout
from skverdict.runtime.native.batch import Batch
from skverdict.runtime.native.native_code import NativeCode
from skverdict.runtime.native.shared import Shared

from bench.engine_subjects import ALONE, LOOPS, Image, Subject, loops, policies
from bench.measure import BenchError
from bench.ubpf import Ubpf, build

#: Rounds of a loop, which are about as many as the simulator's own budget allows.
ROUNDS = 90_000
#: Runs at once of a loop and of a policy.
RUNS = {True: 20, False: 2000}
#: How often each program is made native code of.
COMPILED = 3
_ENGINES = ("step by step", "interpreter", "native", "uBPF interpreter", "uBPF JIT")
_INTERPRETERS = _ENGINES[:2]


class Speed(NamedTuple):
    """A subject in all engines: millions of instructions a second, by the best time; None where it was not run.

    `cold`, `well` and `cached` are what it takes to make native code, to make it fast, and to have it from disk, in
    milliseconds of the processor.
    """

    name: str
    instructions: int
    speeds: dict[str, float | None]
    cold: float
    well: float
    cached: float

    @property
    def ratio(self) -> float | None:
        """How many times as fast native code is as uBPF's JIT."""
        return self.over("uBPF JIT")

    def over(self, peer: str) -> float | None:
        """How many times as fast native code is as `peer`."""
        theirs, own = self.speeds[peer], self.speeds["native"]
        return None if theirs is None or own is None else own / theirs


def _best(subject: Callable[[], float], rounds: int) -> float:
    return min(subject() for _ in range(rounds))


def _clock(is_loop: bool) -> Callable[[], float]:
    """What measures a subject: the processor's time, to which it is nothing if others have it in between; or the
    time that goes by, which is finer, for what is over before that."""
    return time.process_time if is_loop else time.perf_counter


def _timed(work: Callable[[], object], clock: Callable[[], float]) -> float:
    start = clock()
    work()
    return clock() - start


class Repeated:
    """A program's native code, run on one context again and again in one call."""

    def __init__(self, code: NativeCode, subject: Subject) -> None:
        self._runs = RUNS[subject.loops]
        self._clock = _clock(subject.loops)
        self._batch = Batch(code, Shared(), [subject.context() for _ in range(self._runs)], subject.environment)
        self._batch.shared.perform = self._batch.perform
        self._batch.show()
        self._name = code.loaded.name

    def __call__(self) -> float:
        start = self._clock()
        done = self._batch.advance(self._runs)
        seconds = self._clock() - start
        self._batch.shared[layout.CALL_COUNT] = 0
        if done != self._runs:
            raise BenchError(f"{self._name} needs Python in run {done}")
        return seconds


def _measure(subject: Subject, shorter: Subject, ubpf: Ubpf | None, rounds: int) -> Speed:
    """Measure a subject. The interpreter does a shorter one, where it would take too long."""
    cold, well, cached, code = _compiled(subject)
    expected = engine.run(code, subject.context(), subject.environment)
    interpreted = run(shorter.program, shorter.context(), shorter.environment)
    if subject is shorter and (interpreted.value, interpreted.instructions) != expected[:2]:
        raise BenchError(f"{subject.name} gives {expected.value} in native code, {interpreted.value} otherwise")
    # Calls that native code makes are noted, and in a long run more than it has room for by itself.
    alone = subject.loops and bool(expected.calls[1:])
    times = 1 if alone else RUNS[subject.loops]
    clock = _clock(subject.loops)

    def timed(work: Callable[[LoadedProgram, Context, Environment], Result], whose: Subject) -> Callable[[], float]:
        return lambda: _timed(lambda: work(whose.program, whose.context(), whose.environment), clock)

    subjects = {"step by step": timed(step_through, shorter), "interpreter": timed(run, shorter)}
    if alone:
        subjects["native"] = timed(lambda _, *rest: engine.run(code, *rest), subject)
    else:
        repeated = Repeated(code, subject)
        subjects["native"] = lambda: repeated() / times
    if ubpf is not None and not subject.alone:
        image = Image(subject)
        loaded = ubpf.load(subject.program.program, image.places)
        for jit in (True, False):
            given = ubpf.repeat(loaded, image.address, image.length, 1, jit)
            image.reset()
            if given & 0xFFFFFFFF != expected.value & 0xFFFFFFFF:
                raise BenchError(f"{subject.name} gives {given} in uBPF, {expected.value} in the interpreter")

        def repeat(jit: bool, times: int) -> float:
            return _timed(lambda: ubpf.repeat(loaded, image.address, image.length, times, jit), clock) / times

        slowly = 1 if subject.loops else times
        subjects["uBPF interpreter"] = lambda: repeat(False, slowly)
        subjects["uBPF JIT"] = lambda: repeat(True, times)
    best = dict.fromkeys(subjects, math.inf)
    for _ in range(rounds):
        for name, once in subjects.items():
            best[name] = min(best[name], once())
    speeds = {
        name: None
        if name not in best
        else (interpreted.instructions if name in _INTERPRETERS else expected.instructions) / best[name] / 1e6
        for name in _ENGINES
    }
    return Speed(subject.name, expected.instructions, speeds, cold, well, cached)


def _compiled(subject: Subject) -> tuple[float, float, float, NativeCode]:
    """The processor's time in milliseconds to make native code, to make it fast, and to have it from disk; and the
    code."""

    def make() -> NativeCode:
        table = subject.context().table
        return engine.compile_program(subject.program, table, subject.maps, subject.data, subject.environment)

    cold, well, cached = [], [], []
    made: list[NativeCode] = []
    for _ in range(COMPILED):
        with tempfile.TemporaryDirectory(prefix="skverdict-bench-") as folder:
            os.environ["XDG_CACHE_HOME"] = folder
            cold.append(_timed(lambda: made.append(make()), time.process_time))
            well.append(_timed(made[-1].machine.improve, time.process_time))
            cached.append(_timed(make, time.process_time))
    return min(cold) * 1000, min(well) * 1000, min(cached) * 1000, made[-1]


def measure(ubpf: Ubpf | None, rounds: int) -> Iterator[Speed]:
    """Measure all subjects. Raises BenchError."""
    # The first program pays for loading LLVM.
    _compiled(next(loops(1)))
    shorter = {subject.name: subject for subject in loops(ROUNDS // 30)}
    for subject in (*loops(ROUNDS), *policies()):
        yield _measure(subject, shorter.get(subject.name, subject), ubpf, rounds)


def geometric_mean(numbers: Sequence[float]) -> float:
    return math.exp(sum(map(math.log, numbers)) / len(numbers))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def table(speeds: Sequence[Speed]) -> str:
    """The results as a table of Markdown."""
    lines = [
        f"| program | instructions | {' | '.join(_ENGINES)} | native / JIT | compile, ms | fast, ms | cached, ms |",
        "|---|---|" + "---|" * (len(_ENGINES) + 4),
    ]
    for speed in speeds:
        cells = [speed.name, str(speed.instructions), *(_number(speed.speeds[name]) for name in _ENGINES)]
        ratio = "" if speed.ratio is None else f"{speed.ratio:.2f}"
        cells += [ratio, *(f"{each:.1f}" for each in (speed.cold, speed.well, speed.cached))]
        lines.append("| " + " | ".join(cells) + " |")
    lines += _summary(speeds)
    return "\n".join(lines)


def _summary(speeds: Sequence[Speed]) -> Iterator[str]:
    ratios = {speed.name: speed.ratio for speed in speeds if speed.ratio is not None}
    if ratios:
        plain = [ratio for name, ratio in ratios.items() if name != "division"]
        yield (
            f"\nGeometric mean of native / JIT: {geometric_mean([*ratios.values()]):.2f}, "
            f"without division {geometric_mean(plain):.2f}, lowest {min(ratios.values()):.2f}."
        )
    for name in _INTERPRETERS:
        over = [speed.over(name) for speed in speeds if speed.name in LOOPS or speed.name in ALONE]
        yield f"On the loops native is at least {min(filter(None, over)):.0f} times the interpreter's `{name}`."


def machine() -> str:
    """The processor's name and what runs on it."""
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        if line.startswith("model name")
    ]
    name = names[0] if names else platform.processor()
    return f"{name}, {os.cpu_count()} processors, Linux {platform.release()}, Python {platform.python_version()}"


BEGIN = "<!-- bench.engine_speed -->"
_END = "<!-- end -->"


def write_between(path: Path, mark: str, text: str) -> None:
    """Put a table between `mark` and the next end in a document. Raises BenchError."""
    old = path.read_text(encoding="utf-8")
    before, begin, rest = old.partition(mark)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise BenchError(f"{path} has no place for the table: {mark} and {_END}")
    path.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


def main() -> int:
    summary = __doc__.split("\n", 1)[0]
    parser = argparse.ArgumentParser(prog="python -m bench.engine_speed", description=summary)
    parser.add_argument("--ubpf", type=Path, metavar="SCRIPT", help="builds uBPF and prints its library's path")
    parser.add_argument("--rounds", type=int, default=25, help="how often each is run; the best counts (default 25)")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into this document")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    try:
        ubpf = None if arguments.ubpf is None else Ubpf(build(arguments.ubpf))
        speeds = list(measure(ubpf, arguments.rounds))
        text = f"Measured on {machine()}; millions of instructions a second.\n\n{table(speeds)}"
        if arguments.write is not None:
            write_between(arguments.write, BEGIN, text)
    except BenchError as error:
        print(f"engine_speed: {error}", file=sys.stderr)
        return 1
    print(json.dumps([{**speed._asdict(), "ratio": speed.ratio} for speed in speeds]) if arguments.json else text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
