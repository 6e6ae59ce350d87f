"""How fast the interpreter runs, by class of instructions, beside itself as it was in another revision.

    python -m bench.interpreter_speed [--against REVISION | --against-first]

`bench.engine_speed` sets it beside native code and uBPF.
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
from statistics import geometric_mean
from typing import NamedTuple

from skverdict.codegen.assembler import assemble

from bench.measure import BenchError, Worker, measure

REPOSITORY = Path(__file__).resolve().parents[1]
WORKER = Path(__file__).with_name("interpreter_worker.py")
PACKAGES = ("dsl", "codegen", "runtime")
#: The file that came with the first interpreter that ran programs.
FIRST = "runtime/machine/run.py"

# r6 points to the context, r7 to the packet, r8 to a map's value; r9 counts the rounds.
BODIES = {
    "64-bit arithmetic": """
        r1 = 7; r1 += r9; r1 *= 3; r1 ^= r9; r1 <<= 5; r1 s>>= 2; r1 -= r9; r1 |= 1""",
    "32-bit arithmetic": """
        w1 = 7; w1 += w9; w1 *= 3; w1 ^= w9; w1 <<= 5; w1 s>>= 2; w1 -= w9; w1 |= 1""",
    "jumps": """
        if r9 == -1 goto small; if r9 s< 0 goto small; if w9 > 0x7fffffff goto small; if r9 != 0 goto +1; r1 = 0;
        if r9 & 1 goto +1; goto +0; if w9 s>= 0 goto +1; r1 = 0; if r9 != -1 goto +1; r1 = 0;
        if r9 >= 0 goto +0""",
    "stack": """
        *(u64 *)(r10 - 8) = r9; r1 = *(u64 *)(r10 - 8); *(u32 *)(r10 - 16) = r9; r1 = *(u32 *)(r10 - 16);
        *(u16 *)(r10 - 8) = r9; r1 = *(u16 *)(r10 - 8); *(u8 *)(r10 - 16) = 5; r1 = *(u8 *)(r10 - 16)""",
    "packet": """
        r1 = *(u8 *)(r7 + 0); r1 = *(u16 *)(r7 + 2); r1 = *(u32 *)(r7 + 4); r1 = *(u64 *)(r7 + 8);
        r1 = *(u8 *)(r7 + 16); r1 = *(s16 *)(r7 + 2); r1 = *(s32 *)(r7 + 4); *(u8 *)(r7 + 9) = r9""",
    "map value": """
        r1 = *(u64 *)(r8 + 0); r1 += 1; *(u64 *)(r8 + 0) = r1; lock *(u64 *)(r8 + 8) += r9;
        r1 = *(u32 *)(r8 + 4); r1 += 1; *(u32 *)(r8 + 4) = r1; lock *(u32 *)(r8 + 8) += r9""",
    "context": "; ".join(["r1 = *(u32 *)(r6 + 0); r1 = *(u32 *)(r6 + 88)"] * 4),
    "helpers": "; ".join(["call bpf_ktime_get_ns"] * 8),
    "functions": "; ".join(["call small"] * 8),
}
"""Each class of instructions: what is repeated."""

ROUNDS = 2000

_HEAD = """
license "GPL"
map values array key 4 value 16 max_entries 1 flags 0
program main sk_skb/stream_verdict
    r6 = r1
    r7 = *(u32 *)(r1 + 76)
    *(u32 *)(r10 - 24) = 0
    r1 = map[values] ll
    r2 = r10
    r2 += -24
    call bpf_map_lookup_elem
    r8 = r0
    r9 = {rounds}
again:
{body}
    r9 += -1
    if r9 != 0 goto again
    r0 = 1
    exit
small:
    r0 = 1
    exit
"""


def program_of(body: str) -> str:
    """A class of instructions as the worker reads it."""
    object_ = assemble(_HEAD.format(rounds=ROUNDS, body=BODIES[body].replace(";", "\n")))
    program = object_.programs["main"]
    return json.dumps(
        {
            "instructions": [[slot, *each] for slot, each in program.instructions.items()],
            "maps": list(program.maps),
            "functions": list(program.functions),
        }
    )



class Speed(NamedTuple):
    """A class in one tree: millions of instructions a second of the processor, by the best time."""

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


def first_revision() -> str:
    """The revision that brought the first interpreter. Raises BenchError where there is no history."""
    command = ["git", "log", "--format=%H", "--diff-filter=A", "--reverse", "--", FIRST]
    found = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if not found.stdout:
        raise BenchError(f"git knows no revision that added {FIRST}: {found.stderr.strip()}")
    return found.stdout.split()[0]


def _worker(packages: Path) -> Worker:
    command = ["env", f"PYTHONPATH={packages}", sys.executable, str(WORKER)]
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
        workers = {tree: stack.enter_context(_worker(path)) for tree, path in trees.items()}
        counts = {tree: worker.ask(program_of(body)) for tree, worker in workers.items()}
        times = measure({tree: worker.once for tree, worker in workers.items()}, rounds)
    speeds = {tree: counts[tree] / times[tree].minimum / 1000 for tree in trees}
    return Speed(body, speeds["now"], speeds.get("before"))


def print_table(speeds: Sequence[Speed]) -> None:
    print(f"{'millions of instructions a second':36}{'now':>8}{'before':>8}{'ratio':>8}")
    for speed in speeds:
        before = "" if speed.before is None else f"{speed.before:8.2f}{speed.ratio:8.2f}"
        print(f"{speed.name:36}{speed.now:8.2f}{before}")
    ratios = [speed.ratio for speed in speeds if speed.ratio is not None]
    if ratios:
        print(f"{'geometric mean':36}{'':16}{geometric_mean(ratios):8.2f}")


def main() -> int:
    summary = __doc__.split("\n", 1)[0]
    parser = argparse.ArgumentParser(prog="python -m bench.interpreter_speed", description=summary)
    beside = parser.add_mutually_exclusive_group()
    beside.add_argument("--against", metavar="REVISION", help="measure this revision as well, side by side")
    beside.add_argument("--against-first", action="store_true", help="the same, with the first interpreter")
    parser.add_argument("--rounds", type=int, default=20, help="how often each class runs (default 20)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    try:
        speeds = run(arguments.rounds, first_revision() if arguments.against_first else arguments.against)
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
