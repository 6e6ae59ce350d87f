"""How long a build takes, beside pythonbpf and clang, in one interleaved run.

    python -m bench.build_speed --setup     make the environment once python -m bench.build_speed
    measure; --json prints numbers for programs, --check holds the limits
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from bench import environment
from bench.measure import BenchError, Subject, Times, Worker, measure, whole_process
from tests.interop.toolchain import CLANG_19, CLANG_22, FETCH, Tool, toolchain_folder
from tests.interop.twins import Twin, compile_command

TWIN = Twin("port_redirect")
PEER = Path(__file__).parent / "peers" / "pythonbpf_redirect.py"
WARM = Path(__file__).parent / "warm_build.py"

BUILD = "skverdict build"
WARM_BUILD = "load_policy + build, warm"
HELP = "skverdict --help"
PYTHONBPF = "pythonbpf"


class Limit(NamedTuple):
    """A bound on `subject`: in multiples of `base`, or in milliseconds where there is no base."""

    subject: str
    base: str | None
    most: float


LIMITS = (
    Limit(BUILD, PYTHONBPF, 0.75),
    Limit(WARM_BUILD, CLANG_19.name, 0.25),
    Limit(WARM_BUILD, CLANG_22.name, 0.25),
    Limit(HELP, None, 150),
)


class Verdict(NamedTuple):
    """A limit and what was measured for it, by the medians and by the minima."""

    limit: Limit
    by_median: float
    by_minimum: float

    @property
    def kept(self) -> bool:
        return self.by_median <= self.limit.most


def _path_of(tool: Tool) -> str:
    found = tool.find()
    if found is None:
        raise BenchError(tool.absence)
    return found


def _path_with_llvm() -> str:
    """A PATH on which pythonbpf finds LLVM 22's `llc` and `opt`: the fetched ones, which it puts first."""
    fetched = toolchain_folder() / "bin"
    if not (fetched / "llc").exists():
        raise BenchError(f"pythonbpf needs llc and opt of LLVM 22; fetch them with: {FETCH}")
    return f"{fetched}{os.pathsep}{os.environ.get('PATH', os.defpath)}"


def _subjects(folder: Path, worker: Worker) -> dict[str, Subject]:
    """Everything that is measured, by name; the files they write go into `folder`."""
    python = environment.python()
    skverdict = str(python.with_name("skverdict"))
    peer = Path(shutil.copy(PEER, folder))
    imports = {
        "python": "pass",
        "import skverdict.dsl": "import skverdict.dsl",
        "import skverdict.codegen": "import skverdict.codegen",
        "import llvmlite.binding": "import llvmlite.binding",
    }
    return {
        BUILD: whole_process([skverdict, "build", str(TWIN.policy), "-o", "policy.o"], folder),
        PYTHONBPF: whole_process([str(python), str(peer)], folder, _path_with_llvm()),
        WARM_BUILD: worker.once,
        **{
            tool.name: whole_process(compile_command(_path_of(tool), TWIN.source, folder / "twin.o"), folder)
            for tool in (CLANG_19, CLANG_22)
        },
        HELP: whole_process([skverdict, "--help"], folder),
        **{name: whole_process([str(python), "-c", code], folder) for name, code in imports.items()},
    }


def run(rounds: int) -> dict[str, Times]:
    """Measure everything. Raises BenchError."""
    environment.install_working_copy()
    warm = [str(environment.python()), str(WARM), str(TWIN.policy)]
    with tempfile.TemporaryDirectory(prefix="skverdict-bench-") as name:
        folder = Path(name)
        with Worker(warm, folder) as worker:
            return measure(_subjects(folder, worker), rounds)


def judge(times: Mapping[str, Times]) -> list[Verdict]:
    """Each limit with its measured value."""
    verdicts = []
    for limit in LIMITS:
        subject = times[limit.subject]
        base = times[limit.base] if limit.base else Times(1, 1)
        verdicts.append(Verdict(limit, subject.median / base.median, subject.minimum / base.minimum))
    return verdicts


def print_tables(times: Mapping[str, Times], verdicts: list[Verdict]) -> None:
    print(f"{'milliseconds':34}{'median':>9}{'minimum':>9}")
    for name, each in times.items():
        print(f"{name:34}{each.median:9.1f}{each.minimum:9.1f}")
    print(f"\n{'ratio of':25}{'to':9}{'medians':>9}{'minima':>9}{'limit':>9}")
    for limit, by_median, by_minimum in verdicts:
        kept = "" if by_median <= limit.most else "  over"
        base = limit.base or "1 ms"
        print(f"{limit.subject:25} {base:9}{by_median:8.2f} {by_minimum:8.2f} {limit.most:8.2f}{kept}")


def as_json(times: Mapping[str, Times], verdicts: list[Verdict]) -> str:
    """Times in milliseconds, and each limit with its ratios."""
    limits = [
        {
            **each.limit._asdict(),
            "by_median": each.by_median,
            "by_minimum": each.by_minimum,
            "kept": each.kept,
        }
        for each in verdicts
    ]
    milliseconds = {name: each._asdict() for name, each in times.items()}
    return json.dumps({"milliseconds": milliseconds, "limits": limits})


def main() -> int:
    summary = __doc__.split("\n", 1)[0]
    parser = argparse.ArgumentParser(prog="python -m bench.build_speed", description=summary)
    parser.add_argument("--setup", action="store_true", help="make the environment anew and stop")
    parser.add_argument("--python", default=sys.executable, help="interpreter for --setup, 3.12 or later")
    parser.add_argument("--rounds", type=int, default=20, help="how often each subject runs (default 20)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a limit is not kept")
    arguments = parser.parse_args()
    try:
        if arguments.setup:
            environment.create(arguments.python)
            print(environment.folder())
            return 0
        times = run(arguments.rounds)
    except BenchError as error:
        print(f"build_speed: {error}", file=sys.stderr)
        return 1
    verdicts = judge(times)
    if arguments.json:
        print(as_json(times, verdicts))
    else:
        print_tables(times, verdicts)
    return 1 if arguments.check and not all(each.kept for each in verdicts) else 0


if __name__ == "__main__":
    sys.exit(main())
