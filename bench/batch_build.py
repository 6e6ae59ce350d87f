"""How long all policies of the corpus take in one process, beside each clang on all of their twins in C.

    python -m bench.batch_build [--rounds N] [--json] [--check]

Each round runs one process that builds every policy, from its start to its end, and one process of each clang
for every C file. `--check` exits with 1 if skverdict takes more than LIMIT of the faster clang's time.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from bench.measure import BenchError, Subject, Times, measure, whole_process
from tests.interop.toolchain import CLANG_19, CLANG_22
from tests.interop.twins import CORPUS, compile_command

CLANGS = (CLANG_19, CLANG_22)
OURS = "skverdict, one process"
LIMIT = 0.25
PROGRAM = Path(__file__).with_name("cold_builds.py")


def all_of(subjects: list[Subject]) -> Subject:
    """A subject that runs the given ones in turn."""
    return lambda: sum(subject() for subject in subjects)


def subjects(folder: Path) -> dict[str, Subject]:
    """Everything that is measured, by name. Raises BenchError for a clang that is not there."""
    policies = [str(twin.policy) for twin in CORPUS]
    found = {OURS: whole_process([sys.executable, str(PROGRAM), *policies], folder)}
    for tool in CLANGS:
        path = tool.find()
        if path is None:
            raise BenchError(tool.absence)
        commands = [compile_command(path, twin.source, folder / "twin.o") for twin in CORPUS]
        found[f"{tool.name}, {len(CORPUS)} processes"] = all_of(
            [whole_process(command, folder) for command in commands]
        )
    return found


def ratio(times: dict[str, Times]) -> float:
    """Our median over that of the faster clang."""
    return times[OURS].median / min(each.median for name, each in times.items() if name != OURS)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.batch_build", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=5, help="how often everything runs (default 5)")
    parser.add_argument("--json", action="store_true", help="print numbers for programs")
    parser.add_argument("--check", action="store_true", help="exit with 1 if the limit is not kept")
    arguments = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="skverdict-bench-") as name:
            times = measure(subjects(Path(name)), arguments.rounds, warm_up=1)
    except BenchError as error:
        print(f"bench.batch_build: {error}", file=sys.stderr)
        return 2
    share = ratio(times)
    if arguments.json:
        milliseconds = {each: taken._asdict() for each, taken in times.items()}
        print(json.dumps({"policies": len(CORPUS), "milliseconds": milliseconds, "ratio": share}))
    else:
        print(f"{len(CORPUS)} policies, milliseconds{'median':>20}{'minimum':>10}")
        for each, taken in times.items():
            print(f"{each:36}{taken.median:10.0f}{taken.minimum:10.0f}")
        print(f"of the faster clang: {share:.3f}, at most {LIMIT}")
    return 1 if arguments.check and share > LIMIT else 0


if __name__ == "__main__":
    sys.exit(main())
