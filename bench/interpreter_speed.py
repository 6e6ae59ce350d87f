"""How fast the interpreter runs, by class of instructions, beside itself as it was in another revision.

    python -m bench.interpreter_speed [--against REVISION]

uBPF's interpreter would be the peer, but no package of it exists for Debian or Python.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.interpreter_worker import BODIES
from bench.measure import BenchError, Worker, measure

REPOSITORY = Path(__file__).resolve().parents[1]
WORKER = Path(__file__).with_name("interpreter_worker.py")
PACKAGES = ("dsl", "codegen", "runtime")


class Speed(NamedTuple):
    """A class in one tree: millions of instructions a second, by the median time."""

    name: str
    now: float
    before: float | None

    @property
    def ratio(self) -> float | None:
        """How many times as fast it is now."""
        return None if self.before is None else self.now / self.before


def _packages(root: Path, folder: Path) -> Path:
    """A folder for the path, in which the packages of the tree at `root` are found as skverdict's."""
    home = folder / "skverdict"
    home.mkdir(parents=True)
    for package in PACKAGES:
        (home / package).symlink_to(root / package)
    return folder


@contextmanager
def _tree(revision: str) -> Iterator[Path]:
    """The files of a revision, in a folder of their own. Raises BenchError for one that there is not."""
    with tempfile.TemporaryDirectory(prefix="skverdict-bench-") as name:
        archive = subprocess.run(
            ["git", "archive", "--format=tar", revision, *PACKAGES],
            cwd=REPOSITORY,
            capture_output=True,
            check=False,
        )
        if archive.returncode:
            raise BenchError(archive.stderr.decode(errors="replace").strip())
        subprocess.run(["tar", "x", "-C", name], input=archive.stdout, check=True)
        yield Path(name)


def _worker(packages: Path, name: str) -> Worker:
    command = ["env", f"PYTHONPATH={packages}", sys.executable, str(WORKER), name]
    return Worker(command, REPOSITORY)


def run(rounds: int, against: str | None) -> list[Speed]:
    """Measure each class, in both trees in turn. Raises BenchError."""
    with ExitStack() as stack, tempfile.TemporaryDirectory(prefix="skverdict-bench-") as name:
        trees = {"now": _packages(REPOSITORY, Path(name) / "now")}
        if against is not None:
            trees["before"] = _packages(stack.enter_context(_tree(against)), Path(name) / "before")
        return [_measured(body, trees, rounds) for body in BODIES]


def _measured(body: str, trees: Mapping[str, Path], rounds: int) -> Speed:
    with ExitStack() as stack:
        workers = {tree: stack.enter_context(_worker(path, body)) for tree, path in trees.items()}
        # The first answer of each is the number of instructions in a run.
        counts = {tree: worker.once() for tree, worker in workers.items()}
        times = measure({tree: worker.once for tree, worker in workers.items()}, rounds)
    speeds = {tree: counts[tree] / times[tree].median / 1000 for tree in trees}
    return Speed(body, speeds["now"], speeds.get("before"))


def print_table(speeds: Sequence[Speed]) -> None:
    print(f"{'millions of instructions a second':36}{'now':>8}{'before':>8}{'ratio':>8}")
    for speed in speeds:
        before = "" if speed.before is None else f"{speed.before:8.2f}{speed.ratio:8.2f}"
        print(f"{speed.name:36}{speed.now:8.2f}{before}")


def main() -> int:
    summary = __doc__.split("\n", 1)[0]
    parser = argparse.ArgumentParser(prog="python -m bench.interpreter_speed", description=summary)
    parser.add_argument("--against", metavar="REVISION", help="measure this revision as well, side by side")
    parser.add_argument("--rounds", type=int, default=20, help="how often each class runs (default 20)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    try:
        speeds = run(arguments.rounds, arguments.against)
    except BenchError as error:
        print(f"interpreter_speed: {error}", file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps([{**speed._asdict(), "ratio": speed.ratio} for speed in speeds]))
    else:
        print_table(speeds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
