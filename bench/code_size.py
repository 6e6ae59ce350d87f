"""Instruction counts of every policy that has a twin in C, beside those of both clangs.

    python -m bench.code_size [--json] [--check]

Counts are slots of 8 bytes, as the kernel counts them. `--check` exits with 1 if a program is longer than the
better clang's, or a CPU level's total more than LIMIT of the better clang's total.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from skverdict.codegen import Target, build, read_object
from skverdict.dsl import load_policy

from tests.interop.toolchain import CLANG_19, CLANG_22
from tests.interop.twins import CORPUS, CPUS, TWINS, Twin, compile_c

CLANGS = (CLANG_19, CLANG_22)
LIMIT = 0.95


class Count(NamedTuple):
    """Slots of one program at one CPU level; `clangs` in the order of CLANGS."""

    twin: str
    program: str
    cpu: str
    ours: int
    clangs: tuple[int, ...]

    @property
    def best(self) -> int:
        return min(self.clangs)


def counts_of(twin: Twin, clangs: list[str], folder: Path) -> list[Count]:
    """The counts of all programs of a twin at every CPU level; `clangs` are the compilers' paths."""
    policy = load_policy(twin.policy)
    counts = []
    for cpu in CPUS:
        ours = read_object(build(policy, Target(cpu)), f"{twin}, skverdict").programs
        theirs = [
            read_object(compile_c(clang, twin.source, folder / "twin.o", cpu).read_bytes(), clang).programs
            for clang in clangs
        ]
        for name, program in ours.items():
            slots = tuple(each[name].slots for each in theirs)
            counts.append(Count(str(twin), name, cpu, program.slots, slots))
    return counts


def all_counts(clangs: list[str]) -> list[Count]:
    """The counts of every policy with a twin."""
    with tempfile.TemporaryDirectory(prefix="skverdict-code-size-") as folder:
        return [count for twin in (*TWINS, *CORPUS) for count in counts_of(twin, clangs, Path(folder))]


class Total(NamedTuple):
    """Sums of one CPU level, and our sum over that of the better clang."""

    cpu: str
    ours: int
    clangs: tuple[int, ...]
    ratio: float


def total(counts: list[Count], cpu: str) -> Total:
    level = [count for count in counts if count.cpu == cpu]
    ours = sum(count.ours for count in level)
    clangs = tuple(sum(slots) for slots in zip(*(count.clangs for count in level), strict=True))
    return Total(cpu, ours, clangs, ours / min(clangs))


def failures(counts: list[Count]) -> list[str]:
    """What is longer than it may be, a line each."""
    longer = [
        f"{count.twin} {count.program} at {count.cpu}: {count.ours} slots, clang {count.best}"
        for count in counts
        if count.ours > count.best
    ]
    sums = [total(counts, cpu) for cpu in CPUS]
    return longer + [
        f"total at {each.cpu}: {each.ratio:.3f} of the better clang's, at most {LIMIT}"
        for each in sums
        if each.ratio > LIMIT
    ]


def table(counts: list[Count]) -> list[str]:
    """A line for each program: ours/clang 19/clang 22 at each level; then the totals."""
    head = f"{'policy':<20}{'program':<18}" + "".join(f"{cpu:>16}" for cpu in CPUS)
    lines = [head]
    rows: dict[tuple[str, str], list[str]] = {}
    for count in counts:
        cell = "/".join(map(str, (count.ours, *count.clangs)))
        rows.setdefault((count.twin, count.program), []).append(f"{cell:>16}")
    lines += [f"{twin:<20}{program:<18}{''.join(cells)}" for (twin, program), cells in rows.items()]
    sums = [total(counts, cpu) for cpu in CPUS]
    cells = ["/".join(map(str, (each.ours, *each.clangs))) for each in sums]
    lines.append(f"{'total':<38}" + "".join(f"{cell:>16}" for cell in cells))
    lines.append(f"{'of the better clang':<38}" + "".join(f"{each.ratio:>16.3f}" for each in sums))
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.code_size", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--json", action="store_true", help="print numbers for programs")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a limit is not kept")
    arguments = parser.parse_args()
    clangs = []
    for tool in CLANGS:
        path = tool.find()
        if path is None:
            print(f"bench.code_size: {tool.absence}", file=sys.stderr)
            return 2
        clangs.append(path)
    counts = all_counts(clangs)
    if arguments.json:
        print(json.dumps([count._asdict() for count in counts]))
    else:
        print("\n".join(table(counts)))
    broken = failures(counts)
    for line in broken:
        print(line, file=sys.stderr)
    return 1 if arguments.check and broken else 0


if __name__ == "__main__":
    sys.exit(main())
